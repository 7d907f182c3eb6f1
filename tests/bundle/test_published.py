"""A list is looked up, changed by the editors, cut, and filled up where hardly anything is left."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sites import NOW, built, random_articles

from recommender.articles.addresses import PageTable
from recommender.articles.article import Article, stub_for
from recommender.bundle.answer_bytes import (
    fragment,
    items_json,
    joined,
    tail_of,
    tails_of,
)
from recommender.bundle.bundle import MATRIX, Bundle
from recommender.bundle.composition import DEFAULT_K, Link
from recommender.bundle.matrix import matrix, squares_of, texts_of
from recommender.bundle.published import Lists
from recommender.bundle.writer import N_POPULAR, popular
from recommender.candidates import EMPTY
from recommender.lists.eligibility import Eligibility
from recommender.lists.rules_file import parse
from recommender.text.tfidf import count_block, fit

ODD = "knie/schön & gut?id=1#größe 睡眠"
STUB = stub_for("What nobody has a page for")
KNEE = ["knee", "joint", "cartilage", "meniscus", "tendon", "stairs", "swelling", "running"]
SLEEP = ["sleep", "night", "dream", "snoring", "mattress", "melatonin", "insomnia", "bedtime"]


def articles() -> list[Article]:
    """Six on knees, six on sleep, one that is like nothing else, one by itself, and a stub."""
    found = []
    for subject, words in (("knee", KNEE), ("sleep", SLEEP)):
        for number in range(6):
            mine = words[number:] + words[:number]
            found.append(
                Article(
                    id=ODD if (subject, number) == ("knee", 0) else f"{subject}-{number}",
                    title=f"{mine[0]} {mine[1]} and {mine[2]}",
                    body=" ".join(mine[:7]) + f". More of {subject} {mine[3]}.",
                    url=f"https://example.org/{subject}/{number}/?utm_source=feed&page=2",
                    category=subject,
                )
            )
    alone = Article(id="alone", title="Quokka", body="Zzyzx xylophone", category="sleep")
    return [*found, alone, Article(id="bare", title="Dugong"), STUB]


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    return built(tmp_path_factory.mktemp("site"), articles()).lists


def row_of(lists: Lists, id: str) -> int:
    row = lists.row(id)
    assert row is not None
    return row


def ids(links: list) -> list[str]:
    return [link.id for link in links]


def related(lists: Lists, id: str, *rules: str, **more: object) -> list[str]:
    """The ids of a list, under rules in force."""
    file = "action,source,target,position,from,until,reason\n" + "\n".join(rules)
    return ids(lists.related(row_of(lists, id), rules=parse(file, where="e"), now=NOW, **more))


def test_articles_are_found_by_id(lists: Lists):
    """Slashes, blanks and every script included; stubs have no list of their own."""
    assert lists.ids.column[row_of(lists, ODD)] == ODD
    assert lists.row("nowhere") is None
    assert lists.ids.find(STUB.id) is not None
    assert lists.row(STUB.id) is None


def test_articles_are_found_by_address(lists: Lists):
    """However it is written; an address nobody has, and none at all, find nothing."""
    row = lists.row_of_url("http://EXAMPLE.org:80/knee/3?page=2&gclid=x#top")

    assert row == lists.row("knee-3")
    assert lists.row_of_url("https://example.org/knee/3?page=3") is None
    assert lists.row_of_url("") is None


@pytest.mark.parametrize(
    "written",
    ["{}", "{}&gad_source=1", "{}&ref=x", "{}&page=3", "{}&p=3", "/sleep/2/?page=2",
     "/SLEEP/2?page=2", "https://m.example.org/sleep/2/index.html?page=2",
     "https://example.org/sleep/2/amp?page=2", "https://de.example.org/sleep/2?page=2",
     "https://example.org/sleep/2", "https://example.org/sleep"],
)  # fmt: skip
def test_addresses_written_otherwise_are_found_as_importers_find_them(lists: Lists, written: str):
    """The arrays of a bundle and the dictionary of the importer are one and the same index."""
    table = PageTable((row, lists.addresses[row]) for row in range(len(lists.stub)))
    address = written.format("https://example.org/sleep/2?page=2")

    assert lists.at_address(address) == table.find(address)


def test_a_list_is_of_the_same_subject_and_in_order(lists: Lists):
    """Five others on knees, positions from 1, scores falling, everything a page needs."""
    links = lists.related(row_of(lists, "knee-1"))

    assert set(ids(links)) == {ODD, "knee-2", "knee-3", "knee-4", "knee-5"}
    assert [link.position for link in links] == [1, 2, 3, 4, 5]
    assert {link.origin for link in links} == {"text"}
    assert all(link.title and link.url and link.teaser for link in links)


def test_k_cuts_the_list_and_never_stretches_it(lists: Lists):
    """Five are relevant: ten may be asked for, five come."""
    longest = related(lists, "knee-1", k=50)

    assert [related(lists, "knee-1", k=k) for k in (1, 3, 10)] == [
        longest[:1], longest[:3], longest
    ]  # fmt: skip
    assert len(longest) == 5


def test_what_a_page_excludes_is_not_there(lists: Lists):
    """The others move up; an id nobody has excludes nothing."""
    whole = related(lists, "knee-1")

    assert related(lists, "knee-1", exclude=[whole[1], "nowhere"]) == whole[:1] + whole[2:]


def test_rules_are_applied_at_every_look_up(lists: Lists):
    """Blocked, pinned at a place, pinned though it is no candidate; the origin tells."""
    first, second, *rest = related(lists, "knee-1")

    assert related(lists, "knee-1", f"block,*,{first},,,,") == [second, *rest]
    assert related(lists, "knee-1", f"pin,knee-1,{second},1,,,") == [second, first, *rest]
    assert related(lists, "knee-1", "pin,*,alone,2,,,")[:3] == [first, "alone", second]
    pinned = lists.related(
        row_of(lists, "knee-1"),
        rules=parse("action,source,target\npin,*,alone", where="e"),
        now=NOW,
    )
    assert (pinned[0].id, pinned[0].origin, pinned[0].position) == ("alone", "pinned", 1)


def test_a_pin_of_what_is_not_there_pins_nothing(lists: Lists):
    """The editors' file outlives articles; a page may also exclude what is pinned."""
    whole = related(lists, "knee-1")

    assert related(lists, "knee-1", "pin,*,gone,1,,,") == whole
    assert related(lists, "knee-1", "pin,*,alone,1,,,", exclude=["alone"]) == whole


def test_rules_without_a_time_are_refused(lists: Lists):
    """Who gives no time cannot know which rules are in force."""
    rules = parse("action,source,target\npin,*,alone", where="e")

    with pytest.raises(ValueError, match="give now"):
        lists.related(row_of(lists, "knee-1"), rules=rules)


def test_hardly_anything_left_is_filled_up_to_three(lists: Lists):
    """All five excluded: three of the site's own, not of those, marked as fallback."""
    whole = related(lists, "knee-1")

    links = lists.related(row_of(lists, "knee-1"), exclude=whole)

    assert [link.origin for link in links] == ["fallback"] * 3
    assert not {"knee-1", *whole} & set(ids(links))
    assert ids(lists.related(row_of(lists, "knee-1"), exclude=whole, k=2)) == ids(links)[:2]


def test_the_category_comes_first_when_a_list_is_filled_up(lists: Lists):
    """The page about nothing else stands among those on sleep."""
    links = lists.related(row_of(lists, "alone"))

    assert len(links) == 3
    assert all(link.id.startswith("sleep") for link in links if link.origin == "fallback")


def test_blocks_hold_for_fallbacks_too(lists: Lists):
    """What no page may show is not shown because a list is short."""
    open_ = related(lists, "alone")

    filled = related(lists, "alone", *(f"block,*,{id},,,," for id in open_))

    assert len(filled) == 3
    assert not set(filled) & set(open_)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_a_page_nobody_knows_gets_a_list_all_the_same(lists: Lists, k: int):
    """As many as it asks for: there is nothing that could be relevant."""
    links = lists.related(None, k=k)

    assert len(links) == k
    assert {link.origin for link in links} == {"fallback"}


def test_every_page_has_three_links_or_more(lists: Lists):
    """Never itself, nothing twice, no stub while there are real pages."""
    for row in np.flatnonzero(lists.stub == 0):
        found = ids(lists.related(int(row)))
        assert 3 <= len(found) <= DEFAULT_K
        assert len(found) == len(set(found))
        assert not {lists.ids.column[int(row)], STUB.id} & set(found)


def test_only_when_everything_is_excluded_is_a_list_empty(lists: Lists):
    """Then there is nothing to show. One short of it, that one is shown."""
    everything = [lists.ids.column[row] for row in range(len(lists.stub))]

    assert related(lists, "knee-1", exclude=everything) == []
    assert related(lists, "knee-1", exclude=set(everything) - {"bare"}) == ["bare"]


def test_a_fallback_is_no_copy_of_the_page(tmp_path: Path):
    """Two pages of one text and title: neither is filled up with the other."""
    twins = [Article(id=id, title="Gout in the toe", body="Gout hurts.") for id in ("one", "two")]
    others = [Article(id=f"x{n}", title=f"Word{n}", body=f"Other{n}") for n in range(4)]

    found = built(tmp_path, [*twins, *others]).lists

    assert "two" not in related(found, "one")
    assert len(related(found, "one")) == 3


def test_what_is_barred_is_in_no_fallback_and_beside_no_text(lists: Lists):
    """A pin alone puts it there."""
    row, rule = row_of(lists, "knee-3"), "pin,*,knee-3,1,,,"
    barred = replace(lists, barred=np.arange(len(lists.stub)) == row)

    everything = ids(barred.related(None, k=50))
    assert set(ids(lists.related(None, k=50))) == {*everything, "knee-3"}
    assert "knee-3" in ids(lists.related_to_text("Running on stairs", " ".join(KNEE)))
    assert "knee-3" not in ids(barred.related_to_text("Running on stairs", " ".join(KNEE)))
    assert related(barred, "alone", rule)[0] == "knee-3"


def test_every_language_has_articles_to_fall_back_on():
    """However popular those in another one are; of what is barred there are none."""
    n = 3 * N_POPULAR
    language = np.where(np.arange(n) < n - 3, 0, 1)
    barred = np.arange(n) < 5
    read, category = np.arange(n)[::-1], np.zeros(n, dtype=np.int64)

    found = popular(
        np.full((n, 1), EMPTY),
        read,
        category,
        np.zeros(n),
        Eligibility(language, barred),
        newest=np.arange(n),
    )

    expected = [*range(5, 5 + N_POPULAR), n - 3, n - 2, n - 1]
    assert found["popular"].tolist() == found["popular_in"].tolist() == expected


def brute_force(lists: Lists, title: str, body: str) -> list[str]:
    """Every article's worth, sorted."""
    text = lists.texts.vector(title, body)
    cosines, alike = text.cosines, text.cosines + text.subjects
    worth = {
        lists.ids.column[row]: float(alike[row] * lists.target_factor[row])
        for row in range(len(lists.stub))
        if not lists.stub[row] and lists.about.relevance_floor <= cosines[row] < 0.95
    }
    return sorted(worth, key=lambda id: (-worth[id], lists.ids.find(id)))


@pytest.mark.parametrize(
    ("title", "body"),
    [
        ("Knee and stairs", "Swelling of a joint when running."),
        ("melatonin", ""),
        ("", "insomnia at night and a knee that hurts"),
    ],
)
def test_a_new_text_gets_the_nearest_texts(lists: Lists, title: str, body: str):
    """Found through inverted lists, the same as if every article were looked at."""
    links = lists.related_to_text(title, body)

    expected = brute_force(lists, title, body)[:DEFAULT_K]
    assert ids(links)[: len(expected)] == expected
    assert len(expected) >= 3
    assert {link.origin for link in links[: len(expected)]} == {"text"}


def test_a_stored_text_asked_for_as_new_is_not_its_own_neighbour(lists: Lists):
    """An editor checks a draft against what is there already; under another title, too."""
    article = articles()[2]

    links = lists.related_to_text(article.title, article.body)

    assert article.id not in ids(links)
    assert article.id not in ids(lists.related_to_text("Old " + article.title, article.body))
    assert set(ids(links)) == set(related(lists, article.id))


@pytest.mark.parametrize("with_runs", [False, True])
def test_weights_are_worked_out_again_bit_by_bit(with_runs: bool):
    """A bundle keeps how often a term stands where; analysts see what training saw."""
    site = random_articles(60, seed=5)
    titles, bodies = [each.title for each in site], [f"{each.body} knee" * 300 for each in site]
    blocks = [count_block(titles, bodies, set(), with_runs=with_runs)]
    text = fit(blocks, titles, np.zeros(0, dtype=np.uint64), with_runs=with_runs)

    found = matrix(texts_of(text))

    for name in (*MATRIX, "counts"):
        np.testing.assert_array_equal(found[name], getattr(text, name), err_msg=name)
        assert found[name].dtype == getattr(text, name).dtype
    assert (text.subject_weights > 0).any()


@pytest.mark.parametrize("size", [1, 7, 60])
def test_lengths_of_rows_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch, size: int):
    """Rows are added up by themselves, whichever are read together."""
    site = random_articles(60, seed=5)
    titles, bodies = [each.title for each in site], [each.body for each in site]
    text = fit([count_block(titles, bodies, set())], titles, np.zeros(0, dtype=np.uint64))
    row = np.repeat(np.arange(60), np.diff(text.indptr))
    monkeypatch.setattr("recommender.bundle.matrix.BLOCK", size)

    found = squares_of(text)

    expected = np.bincount(row, weights=text.weights.astype(np.float64) ** 2, minlength=60)
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    assert (found > 0).all()


@pytest.mark.parametrize("text", ["", "quux", "?!", "睡", "\x00", "e" * 5000])
def test_a_text_like_no_other_gets_fallbacks(lists: Lists, text: str):
    """Rather than an empty list, or a guess."""
    assert [link.origin for link in lists.related_to_text(text, text)] == ["fallback"] * 3


def test_rules_hold_for_new_texts(lists: Lists):
    """Those for all pages."""
    rules = parse("action,source,target\nblock,*,knee-2\npin,*,alone", where="e")

    found = ids(lists.related_to_text("knee stairs running", "", rules=rules, now=NOW))

    assert found[0] == "alone"
    assert "knee-2" not in found


def test_a_list_is_joined_of_the_beginnings_of_its_links(lists: Lists):
    """It is what looking up would give, in every slate."""
    for row in lists.pages_with_lists():
        for slate in range(lists.share + 1):
            placed = lists.composed(row, slate=slate)
            found = joined(
                [lists.fragments.bytes_at(each.row) for each in placed],
                [each.score for each in placed],
                [each.origin for each in placed],
            )
            assert found == items_json(lists.related(row, slate=slate))


@pytest.mark.parametrize("score", [0.0, 1e-7, 5e-5, 0.1234565, 1 / 3, 12.5, 123456.789, -0.25])
def test_scores_are_written_as_json_has_them(score: float):
    """Rounded to six digits, however small or large."""
    links = [Link("knee", None, "Knees, %b", "", at, round(score, 6), "text") for at in (1, 2)]

    found = joined([fragment(link) for link in links], [score, score], ["text", "text"])

    assert found == items_json(links)
    with pytest.raises(ValueError, match="no scores"):
        joined([fragment(links[0])], [float("nan")], ["text"])


def test_why_knows_the_links_of_the_list_alone(lists: Lists):
    """The figures of a link, None for what is not in it or nowhere."""
    row = row_of(lists, "knee-1")

    figures = lists.why(row, "knee-2")

    assert figures is not None
    assert figures.cosine > lists.about.relevance_floor
    assert [lists.why(row, id) for id in ("alone", "nowhere")] == [None, None]


def test_lists_of_a_learned_bundle_keep_the_same_promises(learned: Bundle):
    """On the sample site, where clicks decided: at least three, no doubles, no stub, no self."""
    lists = learned.lists
    used = lists.items != EMPTY

    assert used[lists.stub == 1].sum() == 0
    for row in np.flatnonzero(lists.stub == 0):
        links = lists.related(int(row), now=datetime(2026, 11, 22, tzinfo=UTC))
        found = ids(links)
        assert 3 <= len(found) <= DEFAULT_K
        assert len({lists.titles[lists.ids.find(id)] for id in found}) == len(found)
        assert lists.ids.column[int(row)] not in found
        assert all(link.url for link in links)


def test_tails_that_are_packed_together_are_those_of_each_list(
    lists: Lists, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Of full lists, of such as are filled up, and of stubs; whatever is packed at a time."""
    monkeypatch.setattr("recommender.bundle.answer_bytes.BLOCK", 7)
    for site in (lists, built(tmp_path, random_articles(50, seed=3)).lists):
        rows = np.arange(len(site.stub))[::-2]
        found = [*tails_of(site, rows)]

        assert found == [tail_of(site, row) for row in rows.tolist()]
        assert len({len(tail) > 0 for tail in found}) == 2
