"""The audit of hand-picked lists finds what was planted, and leaves good links alone."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sites import NOW, built, bundle_in, click, once, stored, view

import recommender
from recommender.articles.article import Article, stub_for
from recommender.bundle.bundle import Bundle
from recommender.demo.readers import appeal, truth
from recommender.errors import EvaluationError
from recommender.evaluation.audit import Audit
from recommender.experiments.freezing import hand_picked
from recommender.frames.site import Site
from recommender.lists import rules_file
from recommender.store.database import Store

TOPICS = {
    "bees": "hive honey queen swarm comb wax drone pollen nectar smoker frame brood",
    "boats": "keel mast sail rudder tiller anchor hull deck rope bilge mooring harbour",
    "bread": "dough yeast oven crust flour knead loaf rye crumb starter proof bake",
    "chess": "rook bishop pawn castle gambit opening endgame check mate board clock fork",
}
COMMON = "people often ask what helps most and which steps are easy"


def article(topic: str, number: int, **more: object) -> Article:
    """An article on a topic, of 40 distinct words, ten of them its own."""
    words = TOPICS[topic].split()
    own = [f"{topic}{number}x{at}" for at in range(15)]
    body = " ".join([*own, *words[number % 12 :], *words, *COMMON.split()])
    title = f"{words[number % 12]} {words[(number + 1 + number // 12) % 12]} {number}"
    url = f"https://example.org/{topic}/{number}"
    values = {"title": title, "body": body, "url": url, "language": "en", **more}
    return Article(f"{topic}-{number}", **values)  # type: ignore[arg-type]


def ids(topic: str, *numbers: int) -> tuple[str, ...]:
    return tuple(f"{topic}-{number}" for number in numbers)


def site(*, n: int = 24, **lists: Sequence[str]) -> list[Article]:
    """Four topics of ``n`` articles each, whose lists lead to the next three of the topic, but for
    those that are given, by ids with underscores. Of 24, lists are too few to learn from, which
    takes most of the time of training.
    """
    found = []
    for topic in TOPICS:
        for number in range(n):
            usual = ids(topic, *((number + step) % n for step in (1, 2, 3)))
            picked = lists.get(f"{topic}_{number}", usual)
            found.append(article(topic, number, recommended=tuple(picked)))
    return found


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of the site as it is without a fault; to be read alone."""
    return bundle_in(once(tmp_path_factory, "audited", lambda folder: built(folder, site(n=30))))


def audited(folder: Path, articles: Sequence[Article], events: Sequence = (), **more) -> Audit:
    """The audit of these articles, by a bundle that was trained on them."""
    bundle = built(folder, articles, events)
    with Store("sqlite://") as store:
        stored(store, articles, events)
        return recommender.audit(bundle, store, now=NOW, **more)


def of(found: Audit, source: str) -> list[tuple[str, str]]:
    """Grade and kinds of a page's links, in their order."""
    rows = found.table[found.table["source_id"] == source].sort_values("position")
    return list(zip(rows["grade"], rows["kinds"], strict=True))


def test_every_kind_of_fault_is_found(tmp_path: Path):
    """Each planted once, beside good links that stay good."""
    stub = stub_for("Which pillow is best for bees?")
    articles = site(
        bees_0=["gone", "bees-1", stub.id, "bees-2"],
        bees_1=["bees-1", "bees-2", "bees-3"],
        bees_2=["bees-3", "bees-4", "bees-3"],
        bees_3=["bees-4", "twin"],
        bees_4=["bees-5", "copy-of-5", "bees-6"],
        bees_5=["copy-of-5", "bees-7"],
        bees_6=["german", "bees-7"],
        bees_12=["fair-2019", "bees-13"],
    )
    by_id = {each.id: each for each in articles}
    five, nine = by_id["bees-5"], by_id["bees-9"]
    german = "die bienen und der honig mit dem wachs sind im stock, wenn es nicht zu kalt ist " * 3
    articles += [
        stub,
        Article("twin", "Another title", nine.body, url="https://example.org/bees/4"),
        Article("copy-of-5", five.title, five.body, url="https://example.org/copy"),
        Article("german", "Bienen und Honig", german, language="de"),
        article("bees", 40, title="The honey fair 2019"),
        article("bees", 41, title="The honey fair 2026"),
    ]
    articles[-2:] = [
        Article("fair-2019", "The honey fair 2019", nine.body + " stalls", language="en"),
        Article("fair-2026", "The honey fair 2026", nine.body + " stalls", language="en"),
    ]

    found = audited(tmp_path, articles)

    assert of(found, "bees-0") == [
        ("broken", "dead"), ("good", ""), ("broken", "dead"), ("good", ""),
    ]  # fmt: skip
    assert of(found, "bees-1")[0] == ("broken", "itself")
    assert of(found, "bees-2")[2] == ("broken", "duplicate")
    assert of(found, "bees-3")[1] == ("broken", "duplicate")  # another id at one address
    assert of(found, "bees-4") == [("good", ""), ("poor", "duplicate"), ("good", "")]
    assert of(found, "bees-5")[0] == ("poor", "copy of the page")
    assert of(found, "bees-6")[0] == ("poor", "other language")
    assert of(found, "bees-12")[0] == ("doubtful", "outdated")
    usual = found.table[found.table["source_id"].str.startswith("boats")]
    assert set(usual["grade"]) == {"good"}


def test_links_drawn_by_chance_are_named_where_many_are(tmp_path: Path):
    """Of lists that hold one link of the topic and one of any other, the right ones; where a site
    has but a few such links, its editors may have meant them, and none is poor.
    """
    topics = list(TOPICS)
    mixed = {
        f"{topic}_{n}": [f"{topic}-{(n + 1) % 30}", f"{topics[(at + 1 + n % 3) % 4]}-{7 * n % 30}"]
        for at, topic in enumerate(topics)
        for n in range(30)
    }

    found = audited(tmp_path, site(n=30, **mixed))

    named = found.table["kinds"] == "off-topic"
    is_other = found.table["position"] == 2
    assert named[is_other].mean() > 0.7
    assert named[~is_other].mean() < 0.05
    reasons = found.table.loc[named, "reasons"]
    assert reasons.str.contains("by texts alone").all()
    assert not reasons.str.contains("sure").any()
    few = {f"bees_{n}": mixed[f"bees_{n}"] for n in range(8)}
    assert audited(tmp_path / "few", site(n=30, **few)).grades["poor"] == 0


def test_what_stands_instead_is_the_products_own_and_not_there_yet(tmp_path: Path):
    """The newer edition of an old one; else the first of the product's list that the page has not,
    each once; the mended list has as many links.
    """
    articles = site(bees_0=["gone", "bees-1", "lost", "bees-0"])

    found = audited(tmp_path, articles)

    rows = found.table[found.table["source_id"] == "bees-0"]
    named = rows["instead_id"].dropna().tolist()
    assert len(set(named)) == len(named) == 3
    assert not {*named} & {"bees-0", "bees-1"}
    assert all(id.startswith("bees") for id in named)
    page = found.pages.set_index("source_id").loc["bees-0"]
    assert page["mended"][1] == "bees-1"
    assert sorted(page["mended"]) == sorted([*named, "bees-1"])
    assert page["is_short"]
    assert found.pages.iloc[0]["source_id"] == "bees-0"


def test_a_site_without_a_fault_is_graded_and_drawn(known: Bundle):
    """All is good, and every form of the audit says so."""
    with Store("sqlite://") as store:
        found = recommender.audit(known, stored(store, site(n=30)), now=NOW)

    assert found.n_faulty == 0
    assert found.summary() == (
        "Of 360 hand-picked links on 120 pages 100 % are good. Nothing was found against any. "
        "There is nothing to do."
    )
    assert "100 % of the hand-picked links are good" in found.to_html()
    assert json.loads(found.to_json())["worst"] == []
    assert len(found.to_csv().splitlines()) == 361
    assert "100 %" in found._repr_html_()


def test_what_is_one_is_counted_as_one(tmp_path: Path):
    """A site with a single link, dead or good."""
    pages = [replace(each, recommended=()) for each in site()]

    dead = audited(tmp_path / "dead", [replace(pages[0], recommended=("gone",)), *pages[1:]])
    good = audited(tmp_path / "good", [replace(pages[0], recommended=("bees-1",)), *pages[1:]])

    assert dead.summary() == (
        "Of 1 hand-picked link on 1 page 0 % is good. 1 is broken (1 dead). The recommender has "
        "another link to show there."
    )
    assert good.summary().startswith("Of 1 hand-picked link on 1 page 100 % is good.")
    shown = dead.to_html() + good.to_html() + " ".join(dead.notes + good.notes)
    assert not re.search(r"\b1 (links|pages|lists)\b", shown)


def test_what_is_doubtful_stays_where_nothing_better_is_known(known: Bundle):
    """The mended list loses what is broken or poor alone, as the count of short lists has it; the
    page calls no list better without a doubtful link.
    """
    late = article("bees", 50, recommended=ids("bees", 1, 2, 3), published_at="2001-01-01")
    old = article("bees", 51, recommended=("bees-50", "gone", "bees-1", "bees-2"))
    with Store("sqlite://") as store:
        stored(store, [*site(n=30), late, old])  # the bundle has no list of what came after it
        found = recommender.audit(known, store, now=NOW, oldest_days=3_000)

    page = found.pages.set_index("source_id").loc["bees-51"]
    assert of(found, "bees-51")[:2] == [("doubtful", "outdated"), ("broken", "dead")]
    assert found.worst["instead_id"].isna().all()
    assert page["mended"] == ["bees-50", "bees-1", "bees-2"]
    assert not page["is_short"]
    assert found.to_html().count("better without it") == 1
    assert "has no other link to show" in found.summary()


def test_a_bundle_of_the_hand_picked_lists_audits_none(known: Bundle, tmp_path: Path):
    """It has nothing to show instead, and the error names what to do."""
    bundle = hand_picked(known, site(n=30), tmp_path / "models", now=NOW)
    with Store("sqlite://") as store:
        stored(store, site(n=30))

        with pytest.raises(EvaluationError, match="show instead: give one that was trained"):
            recommender.audit(bundle, store, now=NOW)


def test_copies_are_found_under_any_title(tmp_path: Path):
    """Word for word, or all but a word; of the page, and of another link of the list."""
    long = " ".join(
        f"{word}{number}" for number in range(18) for word in ["ab", "cd", "ef", "gh", "ij", "kl"]
    )
    long = f"{long} {long}"
    articles = site(bees_9=["long", "bees-2", "other", "edited"], bees_7=["short-copy", "bees-2"])
    seven = {each.id: each for each in articles}["bees-7"]
    articles += [
        Article("long", "Where the sun goes at night", long, recommended=("other", "bees-3")),
        Article("other", "Ten reasons that nobody gave for the tide", long),
        Article("edited", "Seven things about lamps", long.replace("gh7", "mn9", 1)),
        Article("short-copy", "What an entirely different title has to add here", seven.body),
    ]

    found = audited(tmp_path, articles)

    assert of(found, "long") == [("poor", "copy of the page"), ("good", "")]
    assert of(found, "bees-7")[0] == ("poor", "copy of the page")
    poor = ("poor", "duplicate")
    assert [of(found, "bees-9")[at] for at in (1, 2, 3)] == [("good", ""), poor, poor]


def test_the_reference_of_two_languages_has_no_copies(tmp_path: Path):
    """Long pages that differ in the name of the language, or of the function, alone, are several;
    two of one text may be meant.
    """
    filler = " ".join(f"{word}{number}" for number in range(40) for word in ("ab", "cd", "ef"))
    names = ("Open function (C)", "Open function (C++)", "Close function (C)", "Widget method")
    pages = [
        Article(name, name, f"The {name} returns a handle. {filler} See my_{name.split()[0]}.",
                recommended=tuple(other for other in names if other != name))
        for name in names
    ]  # fmt: skip

    pair = [
        Article(name, name, filler, recommended=(other,))
        for name, other in (("Enable function", "Disable function"),
                            ("Disable function", "Enable function"))
    ]  # fmt: skip

    # Nearly one text is no copy there.
    pair += [
        Article(name, name, f"{filler} Posted when a button {verb}.", recommended=(other,))
        for name, verb, other in (("Zwip message", "falls", "Zwop message"),
                                  ("Zwop message", "rises", "Zwip message"))
    ]  # fmt: skip

    found = audited(tmp_path, [*site(), *pages, *pair])

    assert set(found.worst["source_id"]) == {"Enable function", "Disable function"}
    assert set(found.worst["grade"]) == {"doubtful"}  # one text, and maybe meant


def test_pages_that_differ_in_a_parameter_are_several(tmp_path: Path):
    """Even in one that other sites take for tracking, as the bundle's own index has it."""
    for name, form in (("tracked", "/show?at_id={}"), ("session", "/show?sid={}")):
        articles = [replace(each, url=form.format(number)) for number, each in enumerate(site())]

        assert audited(tmp_path / name, articles).n_faulty == 0


def test_places_of_a_page_are_as_many_articles_as_texts(tmp_path: Path):
    """A link from place to place is good, one from the whole page to a place doubtful, and one to
    a place that has the page's own text broken.
    """
    articles = [replace(each, url=f"/faq#{each.id}") for each in site(bees_0=["bees-1", "top"])]
    articles[0] = replace(articles[0], url="/faq")
    top = replace(article("bees", 0), id="top", title="A title of its own", url="/faq#top")

    found = audited(tmp_path, [*articles, top])

    assert of(found, "bees-0") == [("doubtful", "itself"), ("broken", "itself")]
    assert set(found.worst["target_id"]) == {"bees-1", "top", "bees-0"}
    assert found.grades["broken"] == 1


def test_a_page_without_text_is_doubtful_where_most_have_one(tmp_path: Path):
    """A title of a letter, and nothing else; on a site of titles none is named for that."""
    articles = site(bees_0=["x", "bees-1"])

    found = audited(tmp_path / "one", [*articles, Article("x", "X", url="/x")])
    bare = audited(tmp_path / "all", [replace(each, body="") for each in articles[:30]])

    assert of(found, "bees-0") == [("doubtful", "empty page"), ("good", "")]
    assert not bare.table["kinds"].str.contains("empty").any()
    assert any("have a title and no text" in note for note in bare.notes)


def test_the_frame_of_a_site_has_its_stubs(tmp_path: Path):
    """Links to a title without a page are as dead in a frame as in the store."""
    stub = stub_for("Which pillow is best for bees?")
    articles = [*site(bees_0=[stub.id, "bees-1"]), stub]
    bundle = built(tmp_path, articles)
    with Store(f"sqlite:///{tmp_path / 'site.db'}") as store:
        frame = Site(stored(store, articles)).articles()

    found = recommender.audit(bundle, frame, now=NOW)
    again = recommender.train(articles=frame, models=tmp_path / "again", now=NOW)

    assert of(found, "bees-0") == [("broken", "dead"), ("good", "")]
    assert np.asarray(again.lists.stub).sum() == 1


def test_short_texts_accuse_nobody_alone(tmp_path: Path):
    """Pages of some thirty terms have hardly any in common, whatever editors meant."""
    articles = [
        replace(each, body=" ".join(each.body.split()[:24]), recommended=each.recommended[:2])
        for each in site(n=30, **{f"bees_{n}": [f"chess-{n}", f"boats-{n}"] for n in range(30)})
    ]

    found = audited(tmp_path, articles)

    assert not found.table["kinds"].str.contains("off-topic").any()
    assert any("too short to tell" in note for note in found.notes)


def test_editors_rules_and_age_are_heeded(tmp_path: Path):
    """A link that a rule blocks is poor; one older than the site allows is doubtful."""
    articles = site()
    articles[1] = article("bees", 1, published_at="2001-01-01", recommended=ids("bees", 2, 3, 4))
    with Store("sqlite://") as store:
        stored(store, articles)
        folder = built(tmp_path, articles).folder
        rules = rules_file.parse("action,source,target\nblock,bees-5,bees-6\n", where="e.csv")
        bundle = Bundle(folder, rules=rules, now=NOW)

        found = recommender.audit(bundle, store, now=NOW, oldest_days=3_000)

    assert of(found, "bees-5")[0] == ("poor", "blocked")
    assert of(found, "bees-0")[0] == ("doubtful", "outdated")
    assert "25.9 years ago" in found.table.set_index("source_id").loc["bees-0", "reasons"].iloc[0]


def test_links_seen_often_and_hardly_followed_are_named(tmp_path: Path):
    """And not for standing low: every place has the same fall, and one link is never followed."""
    random = np.random.default_rng(3)
    events = []
    articles = [each for each in site(n=30) if each.id.startswith("bees")]
    for number in range(6_000):
        page = articles[number % 30]
        order = random.permutation(3)
        shown = [page.recommended[at] for at in order]
        name = f"v{number}"
        events.append(view(name, page.id, *shown, day=20_000 + number / 500))
        for place, id in enumerate(shown):
            liked = 0.005 if (page.id, id) == ("bees-0", "bees-2") else 0.3
            if random.random() < liked / (place + 1):
                events.append(click(name, id, day=20_000 + number / 500))

    found = audited(tmp_path, articles, events)

    assert "hardly followed" in of(found, "bees-0")[1][1]
    assert (found.table["grade"] != "good").sum() == 1
    reason = found.worst.iloc[0]["reasons"]
    assert "seen 200 times and followed " in reason
    assert reason.count("followed") == 1


def test_a_site_without_hand_picked_lists_has_nothing_to_audit(tmp_path: Path):
    """Said in a sentence."""
    articles = [article("bees", number) for number in range(4)]

    with pytest.raises(EvaluationError, match="no page has a hand-picked list"):
        audited(tmp_path, articles)


def test_links_given_as_addresses_are_graded_and_counted(tmp_path: Path):
    """Records may name targets so; training does not know them, and the audit notes it."""
    articles = site(bees_0=["https://example.org/bees/1", "bees-2", "bees-3"])

    found = audited(tmp_path, articles)

    assert of(found, "bees-0")[0] == ("good", "")
    assert any("1 link is given as an address" in note for note in found.notes)


def test_articles_that_came_after_the_bundle_are_graded_as_far_as_possible(known: Bundle):
    """A dead link is dead; texts wait for the next training, and a note says so."""
    late = article("bees", 50, recommended=("bees-1", "gone"))
    with Store("sqlite://") as store:
        stored(store, [*site(n=30, bees_0=["bees-50", "bees-1"]), late])

        found = recommender.audit(known, store, now=NOW)

    assert of(found, "bees-50") == [("good", ""), ("broken", "dead")]
    assert of(found, "bees-0")[0] == ("good", "")
    assert any("2 links are of articles that came after" in note for note in found.notes)


def test_csv_is_no_formula_and_html_no_markup(tmp_path: Path):
    """Titles are anybody's."""
    evil = '=HYPERLINK("http://evil.example","x")'
    articles = site(bees_0=["bees-1", "bees-0", "gone<b>"])
    articles[0] = article(
        "bees", 0, title=evil, url="javascript:alert(1)",
        recommended=("bees-1", "bees-0", "<script>alert(1)</script>"),
    )  # fmt: skip

    found = audited(tmp_path, articles)

    rows = list(csv.reader(io.StringIO(found.to_csv())))
    assert len(rows) == found.n_links + 1
    assert "'" + evil in {cell for row in rows for cell in row}
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
    page = found.to_html()
    assert "<script>" not in page
    assert 'href="javascript' not in page


def test_the_audit_travels_as_json(tmp_path: Path):
    """With all that is not good, or the worst of it."""
    found = audited(tmp_path, site(bees_0=["gone", "bees-1", "bees-0"]))

    whole, small = json.loads(found.to_json()), json.loads(found.to_json(1))

    assert whole["grades"] == {"broken": 2, "poor": 0, "doubtful": 0, "good": 286}
    assert [row["target_id"] for row in whole["worst"]] == ["gone", "bees-0"]
    assert len(small["worst"]) == 1
    assert small["summary"] == found.summary()
    assert "are broken" in found.summary() or "is broken" in found.summary()


@pytest.mark.slow
def test_every_planted_fault_of_the_sample_site_is_found(sample: Path):
    """Dead and double links all, off-topic ones but for a few in a hundred, and of links that
    readers want hardly any is called poor.
    """
    with Store(f"sqlite:///{sample / 'site.db'}", writing=False) as store:
        found = recommender.audit(recommender.load(sample / "models"), store, now=NOW)

    table = found.table.sort_values(["source_id", "position"])
    table = table.assign(again=table.duplicated(["source_id", "target_id"]))
    table["truth"] = [planted(*row) for row in zip(
        table["source_id"], table["target_id"], table["again"], strict=True
    )]  # fmt: skip
    graded = pd.crosstab(table["truth"], table["grade"], normalize="index")
    assert graded.loc["dead", "broken"] == graded.loc["double", "broken"] == 1
    off = table[table["truth"] == "off-topic"]
    assert off["kinds"].str.contains("off-topic|hardly followed").mean() > 0.95
    assert graded.loc["wanted", "poor"] < 0.03
    hardly = table[table["kinds"].str.contains("hardly followed")]
    usual = table[table["truth"].isin(["wanted", "same topic", "off-topic"])].copy()
    usual["appeal"] = [
        appeal(source, target)
        for source, target in zip(usual["source_id"], usual["target_id"], strict=True)
    ]
    level = usual.groupby("source_id")["appeal"].transform("mean")
    wrong = (usual["appeal"] / level).loc[hardly.index] > 1 / 3
    assert wrong.mean() < 0.08


def planted(source: str, target: str, again: bool) -> str:
    """What the site's generator made of a link."""
    if again:
        return "double"
    if target not in truth():
        return "dead"
    if target in truth()[source].next:
        return "wanted"
    same = truth()[source].topic == truth()[target].topic
    return "same topic" if same else "off-topic"


def test_a_reference_has_pages_that_are_alike_and_no_copies(tmp_path: Path):
    """Under titles that differ in a number or a sign texts are alike, and each is meant; nor is
    another language's manual a newer edition of this one's.
    """
    filler = " ".join(f"w{number}" for number in range(60))
    pages = [
        Article(f"{branch}/{name}", name, f"{filler} {name} returns the size of {name}",
                url=f"https://example.org/{branch}/{name.replace(' ', '-')}", published_at=day,
                recommended=(f"{branch}/{other}",))
        for branch, day in (("5.1", "2019-01-01"), ("7.4", "2024-01-01"))
        for name, other in (("Frame 1", "Frame 2"), ("Frame 2", "Frame 1"), ("C", "C++"),
                            ("C++", "C"))
    ]  # fmt: skip

    found = audited(tmp_path, [*site(), *pages])

    assert found.n_faulty == 0


def test_pages_that_only_list_others_are_named(tmp_path: Path):
    """A page that only lists others is no link to pick."""
    articles = site()
    named = [f"The {word} and the bees that are next door" for word in TOPICS["chess"].split()]
    bees = [replace(each, title=title) for each, title in zip(articles, named, strict=False)]
    lines = "\n\n".join(f"{each.title}\n\n{each.body[:80]} ..." for each in bees)
    bees[0] = replace(bees[0], recommended=("bees-1", "all-bees", "bees-2"))
    home = Article("all-bees", "All about them", lines, language="en")

    found = audited(tmp_path, [*bees, *articles[len(bees) :], home])

    assert ("doubtful", "listing page") in of(found, "bees-0")
