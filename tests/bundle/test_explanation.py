"""Any link is explained: figures that add up, the terms both share, and a sentence that is true."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import gamma
from sites import NOW, built, click, stored, view

from recommender.articles.article import Article
from recommender.bundle import writer
from recommender.bundle.arrays import Pieces, deflated
from recommender.bundle.bundle import Bundle
from recommender.bundle.explanation import (
    PRIOR_READS,
    RUNGS,
    TOGETHER,
    Kept,
    Placing,
    Steps,
    explain_links,
    follow,
    readers_line,
    readers_of,
    terms_line,
)
from recommender.bundle.overlay import Patched
from recommender.candidates import EMPTY, Candidates
from recommender.clicks import cooccurrence
from recommender.errors import BundleError
from recommender.lists import rules_file
from recommender.lists.editorial import Rules
from recommender.store.database import Store
from recommender.training.pipeline import Options, build

WORDS = "stairs cartilage joint swelling bandage"
NEW = "kneecap ligament brace physiotherapy"


def health() -> list[Article]:
    """Pages on knees and on sleep, whose titles have a form, and others to fill the site."""
    known = [
        ("knee-symptoms", "What are the symptoms of knee arthritis?", "knee arthritis", "en"),
        ("knee-treatment", "What are the treatments for knee arthritis?", "knee arthritis", "en"),
        ("knee-copy", "What are the symptoms of knee arthritis?", "knee arthritis", "en"),
        ("knie", "Was hilft bei Arthrose im Knie?", "Arthrose im Knie und das Gelenk", "de"),
        ("gout-symptoms", "What are the symptoms of gout?", "gout crystals toe", "en"),
        ("gout-treatment", "What are the treatments for gout?", "gout crystals toe", "en"),
    ]
    articles = [
        Article(id=id, title=title, body=f"{body}. {WORDS} {body}", language=language)
        for id, title, body, language in known
    ]
    for number in range(20):
        for form in ("symptoms of", "treatments for"):
            body = " ".join(f"thing{number}x{word}" for word in range(8))
            title = f"What are the {form} illness{number}?"
            articles.append(
                Article(id=f"{form[:4]}-{number}", title=title, body=body, language="en")
            )
    return articles


@pytest.fixture(scope="module")
def by_text(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return built(tmp_path_factory.mktemp("explained"), health())


def adds_up(explanation: object) -> bool:
    score = explanation.score  # type: ignore[attr-defined]
    steps = [each.value for each in explanation.contributions]  # type: ignore[attr-defined]
    return bool(steps) and abs(sum(steps) - score) < 1e-9


@pytest.mark.parametrize("kind", ["learned", "text"])
def test_what_adds_up_is_the_score(kind: str, learned: Bundle, by_text: Bundle):
    """Of listed links, of others, of a page with itself and of a stub, in both kinds of bundle."""
    bundle = learned if kind == "learned" else by_text
    ids = bundle.lists.ids.column
    source = bundle.lists.id_of(bundle.shelf.pages_with_lists()[0])
    for candidate in list(ids)[:60]:
        found = bundle.explain(source, candidate)

        assert adds_up(found)
        assert found.score == pytest.approx(bundle.score(source, [candidate])[0], abs=1e-9)
        assert {each.name for each in found.contributions} <= set(RUNGS)
        assert found.sentence
        assert (found.position is None) == (found.absent is not None)


def test_a_list_is_explained_in_its_order(learned: Bundle):
    """As one link at a time, with the origins of its links."""
    id = "pain-after-miscarriage"

    found = learned.explain_list(id, 5)

    links = learned.related(id, 5)
    assert [each.candidate_id for each in found] == [link.id for link in links]
    assert [each.origin for each in found] == [link.origin for link in links]
    alone = learned.explain(id, links[1].id)
    assert found[1].score == pytest.approx(alone.score)
    assert (found[1].sentence, found[1].terms) == (alone.sentence, alone.terms)


def test_an_unknown_id_is_named(by_text: Bundle):
    """The page or the candidate."""
    with pytest.raises(KeyError, match="nowhere"):
        by_text.explain("nowhere", "knie")
    with pytest.raises(KeyError, match="nowhere"):
        by_text.explain("gout-symptoms", "nowhere")


def test_both_are_about_what_both_titles_name(by_text: Bundle):
    """In the readers' words, without the words of the form."""
    found = by_text.explain("knee-symptoms", "knee-treatment")

    assert found.sentence == "Both are about knee arthritis"
    assert {each.term for each in found.terms[:2]} <= {"knee", "arthritis", "knee arthritis"}
    assert all(each.in_titles == "both" for each in found.terms[:2])
    assert not {"symptoms", "treatments", "what"} & {each.term for each in found.terms}


@pytest.mark.parametrize(
    ("source", "candidate", "absent", "words"),
    [
        ("gout-symptoms", "gout-symptoms", "self", "a page is not linked to itself"),
        ("knee-symptoms", "knee-copy", "copy", "it has the same title as the page itself"),
        ("knee-symptoms", "knie", "language", "it is in de and the page in en"),
        ("knee-symptoms", "symp-3", "floor", "below the"),
    ],
)
def test_why_a_link_is_not_there(
    by_text: Bundle, source: str, candidate: str, absent: str, words: str
):
    """A reason for people and one for programs."""
    found = by_text.explain(source, candidate)

    assert (found.position, found.absent) == (None, absent)
    assert words in found.sentence[:1].lower() + found.sentence[1:]


def titled(tmp_path: Path, *titles: str, body: str = "") -> Bundle:
    """Pages of one text under these titles, and others, of which a third know syndromes."""
    own = [f"{title} {body} own{number} words{number}" for number, title in enumerate(titles)]
    others = [f"filler{n} thing{n} other{n} {'syndrome' * (n % 3 == 0)}" for n in range(30)]
    return built(
        tmp_path,
        [
            *(Article(id=f"{n}", title=title, body=own[n]) for n, title in enumerate(titles)),
            *(Article(id=f"x{n}", title=f"Filler{n}", body=body) for n, body in enumerate(others)),
        ],
    )


@pytest.mark.parametrize(
    ("page", "link", "phrase"),
    [
        ("Spastic paraplegia type 8", "Spastic paraplegia type 11", "spastic paraplegia"),
        ("Citrullinemia type II", "Causes of citrullinemia type II", "citrullinemia type ii"),
        ("X-linked myopathy", "Living with X-linked myopathy", "x-linked myopathy"),
        ("Cancer of the breast", "Who gets cancer of the breast", "cancer of the breast"),
        ("Coffin-Lowry syndrome", "Lowry Wood syndrome", "lowry"),
        ("流感疫苗接种", "儿童流感疫苗", "流感疫苗"),
    ],
)
def test_names_are_put_together_as_titles_have_them(
    page: str, link: str, phrase: str, tmp_path: Path
):
    """Numbers and joining words within, kinds of words left out, in any script."""
    bundle = titled(tmp_path, page, link, body="common ground")

    found = bundle.explain("0", "1").sentence.lower().replace('"', "")

    assert found in (f"both are about {phrase}", f"both titles mention {phrase}")


@pytest.mark.parametrize(
    ("page", "link", "sentence"),
    [
        ("Bell's Palsy", "What causes Bell's Palsy?", "Both are about Bell's Palsy"),
        ("Lupus (SLE)", "Lupus (SLE) in children", "Both are about Lupus (SLE)"),
        ("New York City", "New York City subway", "Both are about New York City"),
        ("New York Mets", "New York City", 'Both titles mention "New York"'),
        ("Turner syndrome", "Parsonage-Turner syndrome", 'Both titles mention "Turner"'),
        ("Turner syndrome", "Parsonage–Turner syndrome", 'Both titles mention "Turner syndrome"'),
        ("Gorlin syndrome", "Meier-Gorlin syndrome", 'Both titles mention "Gorlin"'),
        ("Eating Disorders", "Genetic Disorders", 'Both titles mention "Disorders"'),
        ("Diabetic retinopathy", "Diabetic neuropathy", 'Both titles mention "Diabetic"'),
        ("Breast cancer", "Male breast cancer", 'Both titles mention "breast cancer"'),
        ("Multifocal neuropathy", "Multifocal edema", 'Both titles mention "Multifocal"'),
        ("California", "University of California", 'Both titles mention "California"'),
    ],
)
def test_both_are_about_a_whole_subject_alone(page: str, link: str, sentence: str, tmp_path: Path):
    """What is but a word or a part of another name is mentioned; either way round."""
    bundle = titled(tmp_path, page, link, body="common ground")

    for ends in (("0", "1"), ("1", "0")):
        assert bundle.explain(*ends).sentence.lower() == sentence.lower()


def test_a_text_speaks_of_a_whole_name_alone(tmp_path: Path):
    """A number before it is a part of it."""
    titles = ("Kleefstra disease", "22q13.3 deletion syndrome", "Kidney trouble")
    body = "A deletion is at work, as in each such syndrome, and kidney trouble follows."
    articles = [
        Article(id=f"{at}", title=title, body=body if at == 0 else f"own{at} words")
        for at, title in enumerate(titles)
    ]
    bundle = built(
        tmp_path,
        [
            *articles,
            *(Article(id=f"x{n}", title=f"Filler{n}", body=f"thing{n}") for n in range(20)),
        ],
    )

    assert "speaks of" not in bundle.explain("0", "1").sentence
    assert "speaks of kidney trouble" in bundle.explain("0", "2").sentence.lower()


def test_a_template_is_no_subject_where_no_spaces_part_words(tmp_path: Path):
    """Nor does a particle stand at the end of what is named."""
    names = ("頭痛", "糖尿病", "高血圧", "喘息", "不眠症", "胃炎")
    forms = ("の原因は何ですか", "の治療法", "を予防するには")
    bodies = ("首や肩", "血糖値", "心臓と血管", "気道と咳", "画面と夜", "食後と酸")
    articles = [
        Article(id=f"{at}{form}", title=f"{name}{form}", body=f"{bodies[at]}が{name}{form}")
        for at, name in enumerate(names)
        for form in forms
    ]
    articles.append(Article(id="bare", title="頭痛とは？", body="首や肩が頭痛とは"))
    bundle = built(tmp_path, articles)

    template = bundle.explain(f"0{forms[0]}", f"3{forms[0]}")
    own = bundle.explain(f"1{forms[0]}", f"1{forms[1]}")
    bare = bundle.explain("bare", f"0{forms[0]}")

    assert "原因" not in template.sentence
    assert own.sentence == 'Both titles mention "糖尿病"'
    assert bare.sentence in ("Both are about 頭痛", 'Both titles mention "頭痛"')
    assert any("糖尿病" in each.term for each in own.terms)
    assert not any(each.term[-1] in "のはがを" for each in own.terms)


def test_forms_of_a_word_are_named_as_titles_have_them(tmp_path: Path):
    """Where runs of letters are compared; endings, stop words and pieces are not named."""
    titles = (
        "Mitä sokeri tekee hampaille?",
        "Kuinka paljon sokeria saa syödä?",
        "Miten hampaita harjataan?",
        "Übungen bei Kniearthrose",
        "Honig bei Husten",
        "Bewegung bei Arthrose",
        "Polven kuntoutus päivässä",
    )
    articles = [
        Article(id=f"{n}", title=title, body=f"{title} ääni{n} öljy{n}")
        for n, title in enumerate(titles)
    ]
    bundle = built(tmp_path, articles)

    named = {
        ids: bundle.explain(*ids).sentence
        for ids in (("0", "1"), ("0", "2"), ("3", "5"), ("3", "4"))
    }

    assert 'alike: "sokeri / sokeria"' in named["0", "1"]
    assert 'alike: "hampaille / hampaita"' in named["0", "2"]
    assert 'alike: "Kniearthrose / Arthrose"' in named["3", "5"]
    assert '"bei"' not in named["3", "4"]
    assert "keri…" not in [each.term for each in bundle.explain("0", "1").terms]


def ruled(bundle: Bundle, text: str) -> Bundle:
    rules: Rules = rules_file.parse(text, where="e.csv")
    return Bundle(bundle.folder, rules=rules, now=datetime(2026, 11, 22, tzinfo=UTC))


def test_an_editors_own_reason_is_given(by_text: Bundle):
    """With its line, until its last day; the reason for all pages where the page has none."""
    bundle = ruled(
        by_text,
        "action,source,target,position,until,reason\n"
        "pin,knee-symptoms,gout-symptoms,1,2026-12-24,Week of the toe\n"
        "block,*,knee-treatment,,,Out of date\n",
    )

    pinned = bundle.explain("knee-symptoms", "gout-symptoms")
    blocked = bundle.explain("knee-symptoms", "knee-treatment")

    assert pinned.sentence == (
        "An editor pinned it here: Week of the toe (line 2 of the rules, until 2026-12-24)"
    )
    assert (pinned.position, pinned.origin) == (1, "pinned")
    assert pinned.rule is not None
    assert (pinned.rule.action, pinned.rule.ends) == ("pin", "2026-12-25T00:00+00:00")
    assert blocked.sentence == "An editor blocked it here: Out of date (line 3 of the rules)"
    assert (blocked.absent, adds_up(blocked)) == ("blocked", True)


def test_a_text_of_others_is_safe_in_a_terminal(tmp_path: Path):
    """Reasons, titles and terms are anybody's."""
    articles = [
        Article(id="a", title="Gout\x1b[2J toe", body="gout toe crystals"),
        Article(id="b", title="Gout\x1b[2J diet", body="gout toe crystals"),
        Article(id="c", title="Sleep", body="night dream"),
    ]
    bundle = ruled(built(tmp_path, articles), "action,source,target,reason\nblock,a,c,\x1b[2Jno\n")

    for candidate in ("b", "c"):
        assert "\x1b" not in str(bundle.explain("a", candidate))


def test_a_link_that_came_after_the_build_is_explained(tmp_path: Path):
    """As a source and as a candidate; what adds up is the score of the list."""
    with Store("sqlite://") as store:
        stored(store, health())
        bundle = build(store, tmp_path / "models", now=NOW, options=Options())
        body = f"knee arthritis. {NEW} joint swelling {NEW}"
        title = "What are the causes of knee arthritis?"
        stored(store, [Article(id="new", title=title, body=body, language="en")])
        beside = bundle.beside(store)

        for source, candidate in (("new", "knee-treatment"), ("knee-treatment", "new")):
            found = beside.explain(source, candidate)
            links = {link.id: link.score for link in beside.related(source, 10)}

            assert found.position is not None
            assert adds_up(found)
            assert found.score == pytest.approx(links[candidate], abs=1e-5)
            assert found.sentence.startswith("Both are about knee arthritis")
            assert found.since == (("link came",) if candidate == "new" else ("page came",))


def beside(bundle: Bundle, *articles: Article) -> Bundle:
    """A bundle beside articles that came since, or have new texts."""
    other = copy(bundle)
    other.shelf = Patched(bundle.lists, articles, [])
    return other


TULIPS = "Tulips want sun and a dry bed. Plant bulbs in autumn, deep enough; compost helps."


def test_a_link_that_was_rewritten_keeps_its_readers_and_its_score(learned: Bundle):
    """As long as the page's list does; and what its old text was is not claimed of the new one."""
    page, link = "pain-after-miscarriage", "grief-after-miscarriage"
    before = learned.explain(page, link)
    after = beside(learned, Article(id=link, title="Tulips", body=TULIPS)).explain(page, link)

    assert after.since == ("link changed",)
    assert (after.score, after.scale) == (before.score, "log odds of being chosen")
    assert (after.contributions, after.readers) == (before.contributions, before.readers)
    assert "it was rewritten after the bundle was built" in after.sentence
    assert "topic" not in after.sentence
    assert readers_line(after).endswith(", all before it was rewritten")


def test_a_page_that_was_rewritten_has_a_list_by_its_text(learned: Bundle):
    """On that scale; what its readers did is still known."""
    page, link = "pain-after-miscarriage", "grief-after-miscarriage"
    other = beside(learned, Article(id=page, title="Tulips", body=TULIPS))

    found = other.explain(page, link)

    assert (found.since, found.scale) == (("page changed",), "likeness of the texts")
    assert found.readers == learned.explain(page, link).readers
    assert adds_up(found)


def test_a_new_link_has_the_score_of_its_place(learned: Bundle):
    """Beside a page whose list is by clicks; and nobody is known to have met it."""
    page = "pain-after-miscarriage"
    title = "Pain after a miscarriage: when to call"
    body = "Pain and bleeding after a miscarriage usually ease. Call if pain or fever gets worse."
    other = beside(
        learned,
        Article(id="new", title=title, body=body),
        Article(id="tulips", title="Tulips", body=TULIPS),
    )

    listed, absent = (other.explain(page, id) for id in ("new", "tulips"))

    assert listed.position is not None
    assert listed.score == pytest.approx(other.related(page, 10)[listed.position - 1].score)
    assert listed.scale == "log odds of being chosen"
    assert [part.name for part in listed.contributions] == ["place"]
    assert "it came after the bundle was built" in listed.sentence
    assert readers_line(listed) == "not known, since it came after the bundle was built"
    assert (absent.absent, absent.scale) == ("floor", "likeness of the texts")
    assert readers_line(absent) == readers_line(listed)


def test_a_web_process_and_python_agree_on_what_came_since(learned: Bundle):
    """Of links to what came and what was rewritten, and beside it."""
    page, link = "pain-after-miscarriage", "grief-after-miscarriage"
    title = "Pain after a miscarriage: when to call"
    other = beside(
        learned,
        Article(id="new", title=title, body=title),
        Article(id=link, title="Tulips", body=TULIPS),
    )
    kept, now = Kept.of(other.lists), datetime(2026, 11, 22, tzinfo=UTC)
    for source in (page, link, "new"):
        shown = other.related(source, 10)
        links = [(each.id, Placing(each.position, each.origin, each.score)) for each in shown]

        row = other.shelf.row(source)
        assert row is not None
        found = explain_links(
            other.lists, other.shelf, row, links, kept=kept, rules=Rules(), now=now
        )

        for one, known in zip(found, other.explain_list(source, 10), strict=True):
            assert (one.sentence, one.since, one.scale) == (
                known.sentence,
                known.since,
                known.scale,
            )
            assert [part.name for part in one.contributions] == [
                part.name for part in known.contributions
            ]
            assert one.score == pytest.approx(known.score, abs=1e-5)
            assert readers_line(one) == readers_line(known)


def test_readers_who_come_from_the_page_itself_are_none_of_other_pages(tmp_path: Path):
    """A link that is followed beside one page alone is not sought elsewhere."""
    shown, events = ["hip", "gout", "rash"], []
    for number in range(400):
        day = 20_000 + number % 9
        events += [
            view(f"knee{number}", "knee", *shown, day=day, ordered=False),
            view(f"cold{number}", "cold", *shown, day=day, ordered=False),
            click(f"knee{number}", "gout", day=day),
            click(f"cold{number}", shown[number % 3], day=day),
        ]
    ids = ("knee", "hip", "gout", "rash", "cold")
    articles = [Article(id=id, title=f"{id} matters", body=f"{id} text {id}") for id in ids]
    bundle = built(tmp_path, articles, events)
    knee, gout, cold = (bundle.lists.find(id) for id in ("knee", "gout", "cold"))
    assert knee is not None and gout is not None and cold is not None

    known, kept = bundle._figures(knee, [gout])[gout], Kept.of(bundle.lists)

    assert kept is not None
    assert known.readers is not None and known.readers.low > 1
    assert not known.is_sought
    assert not kept.figures(bundle.lists, knee, gout).is_sought
    # Beside the other page it is.
    assert bundle._figures(cold, [gout])[gout].is_sought
    assert kept.figures(bundle.lists, cold, gout).is_sought


def test_what_a_pair_adds_agrees_with_what_its_readers_did(learned: Bundle):
    """Less where readers follow it less than an ordinary link, more where they follow it more."""
    sure = 0
    for row in learned.shelf.pages_with_lists():
        for each in learned.explain_list(learned.lists.id_of(row), 10):
            parts = {part.name: part.value for part in each.contributions}
            if each.readers is not None and each.readers.is_sure:
                sure += 1
                assert (parts["pair"] > 0) == (each.readers.rate > 1)

    assert sure > 20


def test_what_is_named_of_a_likeness_is_not_called_most_of_it(by_text: Bundle):
    """What other words make of it is stated."""
    found = by_text.explain("knee-symptoms", "gout-symptoms")
    named = sum(each.weight for each in found.terms)

    assert found.alike > named
    assert terms_line(found).endswith(f", and {found.alike - named:.3f} of other words")
    assert "most" not in terms_line(found)


def test_within_chance_nothing_is_claimed_of_readers():
    """The interval is that of the gamma distribution; a rate is claimed beyond it alone."""
    for clicks, expected, weight in ((0, 3.0, 2.0), (9, 3.0, 2.0), (40, 80.0, 1.5), (3, 2.0, 4.0)):
        found = readers_of(clicks, expected, weight=weight)
        low, high = gamma.ppf([0.025, 0.975], clicks + weight, scale=1 / (expected + weight))

        assert found.rate == pytest.approx((clicks + weight) / (expected + weight))
        assert (found.low, found.high) == pytest.approx((low, high), rel=0.05, abs=0.02)
        assert found.is_sure == (low > 1 or high < 1)


@pytest.mark.parametrize(
    ("clicks", "expected", "words"),
    [
        (40, 20, "readers of this page follow it twice as often as its place explains"),
        (20, 40, "readers of this page follow it half as often as its place explains"),
        (1100, 1000, "readers of this page follow it a little more often than its place explains"),
        (0, 400, "readers of this page hardly ever follow it, far less than its place explains"),
    ],
)
def test_a_rate_is_put_in_words(clicks: float, expected: float, words: str):
    """Places explain nothing where it is not known how they are examined."""
    readers = readers_of(clicks, expected, weight=0.5)

    assert readers.is_sure
    assert follow(readers, is_placed=True) == words
    assert "an ordinary link" in follow(readers, is_placed=False)


def test_what_readers_did_is_counted(tmp_path: Path):
    """Views and clicks of the pair; a link followed as often as others is not praised."""
    shown, events = ["hip", "gout", "rash"], []
    for number in range(300):
        name = f"v{number}"
        events.append(view(name, "knee", *shown, day=20_000 + number % 9, ordered=False))
        if number % 3 == 0:
            events.append(click(name, "gout", day=20_000 + number % 9))
    ids = ("knee", "hip", "gout", "rash", "cold")
    articles = [Article(id=id, title=f"{id} matters", body=f"{id} text {id}") for id in ids]
    bundle = built(tmp_path, articles, events)

    liked, other = (bundle.explain("knee", id) for id in ("gout", "hip"))

    assert liked.readers is not None
    assert (liked.readers.views, liked.readers.clicks) == (300, 100)
    assert liked.readers.low > 1
    assert "follow it" in liked.sentence
    assert other.readers is not None
    assert (other.readers.views, other.readers.clicks) == (300, 0)
    assert "often as" not in other.sentence


def test_what_a_web_process_looks_up_is_what_the_model_works_out(learned: Bundle):
    """Rungs, readers, terms and sentences of prepared links, to a thousandth of the score."""
    lists, now = learned.lists, datetime(2026, 11, 22, tzinfo=UTC)
    kept = Kept.of(lists)
    assert kept is not None
    for row in learned.shelf.pages_with_lists()[::12]:
        known = learned.explain_list(lists.id_of(row), 10)
        links = [(each.candidate_id, Placing(each.position, each.origin)) for each in known]

        found = explain_links(lists, lists, row, links, kept=kept, rules=Rules(), now=now)

        for one, other in zip(found, known, strict=True):
            assert one.sentence == other.sentence
            assert (one.terms, one.alike, one.position) == (
                other.terms,
                other.alike,
                other.position,
            )
            if one.contributions:
                steps = [[each.value for each in of.contributions] for of in (one, other)]
                np.testing.assert_allclose(*steps, atol=2e-3)
                assert adds_up(one)
            assert (one.readers is None) == (other.readers is None)
            if one.readers is not None and other.readers is not None:
                assert one.readers.rate == pytest.approx(other.readers.rate, rel=1e-5)
                assert one.readers.views == other.readers.views


def test_what_was_never_weighed_for_a_page_is_not_at_odds_with_itself(learned: Bundle):
    """Whatever the texts share: nothing suggests it, or others are nearer."""
    lists, now = learned.lists, datetime(2026, 11, 22, tzinfo=UTC)
    rows = learned.shelf.pages_with_lists()
    links = [(lists.id_of(row), Placing()) for row in rows]

    sentences = {
        each.sentence
        for row in rows[::10]
        for each in explain_links(lists, lists, row, links, kept=None, rules=Rules(), now=now)
        if each.absent == "apart"
    }

    few = {each for each in sentences if "(only the word" in each}
    near = {each for each in sentences if "but other articles are nearer" in each}
    assert few and near
    for sentence in sentences:
        assert ("have little in common" in sentence) != (sentence in near)
        assert "compared" not in sentence and "their texts share" not in sentence


def test_steps_of_an_earlier_bundle_are_not_called_what_they_were_not():
    """One rung was all that clicks make of a pair: such a ladder is left out."""
    ladder = np.array([[[-2.0, 1.0, 0.5]]])
    counted = {"views": np.zeros(0), "due": np.zeros(0), "weight": 1.0}

    old, new = (
        Steps.of(rungs, ladder, np.array([[-0.5]]), **counted)
        for rungs in (("start", "text", "pair"), ("start", "shown", "pair"))
    )

    assert old.at(0, 0, -0.5) == {}
    assert new.at(0, 0, -0.5) == pytest.approx({"start": -2.0, "shown": 1.0, "pair": 0.5}, abs=1e-3)


@pytest.mark.parametrize("n_articles", [1, TOGETHER - 1, TOGETHER, 2 * TOGETHER + 3])
def test_steps_of_each_link_are_those_of_its_ladder(n_articles: int):
    """However many articles are kept together; where the score is another, there are none."""
    random = np.random.default_rng(n_articles)
    ladder = random.normal(size=(n_articles, 4, 3)) * [9, 1, 0.1]
    scores, other = ladder.sum(axis=2), random.random((n_articles, 4)) < 0.2
    scores[other] += 1

    found = steps_of(ladder, scores)

    for row, slot in np.ndindex(*scores.shape):
        steps = found.at(row, slot, scores[row, slot])
        right = [] if other[row, slot] else ladder[row, slot]
        assert [*steps.values()] == pytest.approx(right, abs=2 * found.unit)


def steps_of(ladder: np.ndarray, scores: np.ndarray) -> Steps:
    counted = {"views": np.zeros(0), "due": np.zeros(0), "weight": 1.0}
    return Steps.of(("start", "text", "lists"), ladder, scores, **counted)


@pytest.mark.parametrize(
    "piece", [b"", b"x", deflated(np.zeros(23, np.int16)), deflated(np.zeros(25, np.int16)),
              deflated(np.zeros(24, np.int16)) + b"x", deflated(np.zeros(24, np.int16))[:-1]],
)  # fmt: skip
def test_steps_that_are_no_such_thing_are_refused(piece: bytes):
    """Too few, too many, something behind them, or nothing that was deflated."""
    good = steps_of(np.zeros((3, 4, 3)), np.zeros((3, 4)))

    bad = replace(good, steps=Pieces.of([piece]))

    assert good.at(2, 3, 0.0) == {"start": 0.0, "text": 0.0, "lists": 0.0}
    with pytest.raises(BundleError, match="what was deflated"):
        bad.at(2, 3, 0.0)
    assert replace(good, n_articles=TOGETHER + 1).fault() is not None


def test_what_speaks_for_links_is_the_same_however_many_are_asked_together(
    learned: Bundle, monkeypatch: pytest.MonkeyPatch
):
    """Steps and evidence are worked out by blocks of articles, to bound the memory."""
    site, history, prepared = learned.site, learned.history, learned.lists
    lists = Candidates(np.array(prepared.items), np.array(prepared.scores, dtype=np.float64))
    following = np.full(site.n_articles, EMPTY)
    counted = {"views": np.zeros(0), "due": np.zeros(0), "weight": 1.0}

    def asked(size: int) -> list[np.ndarray]:
        monkeypatch.setattr(writer, "EXPLAINED", size)
        steps = writer.steps_of(site, learned.ranker, learned.handpicked, lists, **counted)
        found = writer.evidence_of(lists, site, history, following)
        return [steps.steps.data, found.alike, found.topic, found.flags, found.read, found.readers]

    at_once, few = asked(site.n_articles), asked(site.n_articles // 3 + 1)

    for one, other in zip(at_once, few, strict=True):
        assert np.array_equal(one, other)
    assert len(at_once[-1]) > 10


def test_constants_are_those_of_what_is_explained():
    """What a web process may not load is written down once more."""
    assert PRIOR_READS == cooccurrence.PRIOR_READS
