"""Lists judged by grades: figures by hand, a reference, planted differences, what is missing."""

import json
import warnings
from datetime import UTC, datetime

import numpy as np
import pytest
import pytrec_eval

from recommender.articles.article import Article
from recommender.evaluation import page_sampling
from recommender.evaluation.judgements import (
    Judged,
    Source,
    judged,
    lists_by_page,
    lists_of_editors,
    ndcg,
)
from recommender.store.grades import Draw, Grade

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def given(by: str, **grades: dict[str, int]) -> list[Grade]:
    """A judge's grades by page and article."""
    return [
        Grade(page, id, grade, by, NOON)
        for page, links in grades.items()
        for id, grade in links.items()
    ]


def found(
    lists: list[Source], grades: list[Grade], draw: Draw | None = None, k: int = 10
) -> Judged:
    result = judged(lists, grades, draw, k=k)
    assert result is not None
    return result


def test_ndcg_is_that_of_the_paper():
    """By hand: gains 3, 0, 1 at the discounts 1, log2(3), 2; the best order 3, 2, 1."""
    grades = {"a": 3.0, "b": 0.0, "c": 1.0, "d": 2.0}

    figure = ndcg(["a", "b", "c"], grades, k=3)

    assert figure == pytest.approx((3 + 1 / 2) / (3 + 2 / np.log2(3) + 1 / 2))
    assert ndcg(["d", "c", "a"], {"a": 0.0, "c": 0.0}, k=3) != figure
    assert np.isnan(ndcg(["a"], {"a": 0.0}, k=3))


@pytest.mark.parametrize("closed_up", [True, False])
def test_figures_agree_with_trec_eval(closed_up: bool):
    """To 1e-9, with links that have no grade left out (its -J) and as off-topic."""
    random = np.random.default_rng(0)
    ids = [f"a{n}" for n in range(30)]
    grades, lists = [], {}
    for page in (f"p{n}" for n in range(40)):
        pool = random.choice(ids, 15, replace=False)
        grades += [Grade(page, id, int(random.integers(0, 4)), "ann", NOON) for id in pool]
        lists[page] = random.choice(ids, 10, replace=False).tolist()
    qrels: dict[str, dict[str, int]] = {}
    for grade in grades:
        qrels.setdefault(grade.source_id, {})[grade.id] = grade.grade
    run = {page: {id: -float(at) for at, id in enumerate(links)} for page, links in lists.items()}

    table = found([lists_by_page("new", lists)], grades).table

    reference = pytrec_eval.RelevanceEvaluator(
        qrels, {"ndcg_cut.10"}, judged_docs_only_flag=closed_up
    ).evaluate(run)
    expected = np.mean([figures["ndcg_cut_10"] for figures in reference.values()])
    column = "nDCG@10" if closed_up else "ungraded as 0"
    assert table[column].iloc[0] == pytest.approx(expected, abs=1e-9)
    assert 0.3 < table["graded"].iloc[0] < 0.7


def test_a_better_list_wins_and_its_interval_excludes_nothing():
    """On 60 pages the new list has the good links first, the old one has them last; a third one
    holds the same links as the new.
    """
    random = np.random.default_rng(1)
    grades, new, old = [], {}, {}
    for page in (f"p{n}" for n in range(60)):
        worth_it = {f"{page}-{n}": int(random.choice([3, 2, 2, 1, 0])) for n in range(8)}
        grades += [Grade(page, id, grade, "ann", NOON) for id, grade in worth_it.items()]
        new[page] = sorted(worth_it, key=lambda id: -worth_it[id])[:5]
        old[page] = [*new[page][::-1]]

    result = found(
        [lists_by_page("new", new), lists_by_page("old", old), lists_by_page("same", new)], grades,
        k=5,
    )  # fmt: skip

    row = result.table.loc["old"]
    assert row["gain low"] > 0
    assert row["gain p"] < 0.01
    assert result.table.loc["new", "nDCG@5"] == pytest.approx(1)
    assert result.table.loc["same", "gain"] == 0
    assert "better than old" in result.verdict
    assert "no clear difference to same" in result.verdict


def test_equal_lists_are_seldom_called_different():
    """Of 100 sets of pages with lists drawn alike, about five are at the level of 5 %."""
    calls = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        grades, one, other = [], {}, {}
        for page in (f"p{n}" for n in range(40)):
            ids = [f"{page}-{n}" for n in range(8)]
            grades += [Grade(page, id, int(random.integers(0, 4)), "ann", NOON) for id in ids]
            one[page], other[page] = (random.permutation(ids)[:5].tolist() for _ in range(2))
        table = found([lists_by_page("one", one), lists_by_page("other", other)], grades).table
        calls += table.loc["other", "gain p"] < 0.05

    assert calls <= 12


def test_means_are_per_page_view_where_pages_were_drawn_so():
    """Popular pages have good lists: the mean over page views is near theirs, whatever was drawn;
    pages drawn alike give the mean over pages.
    """
    sizes = {f"p{n:03}": 1000.0 / (1 + n) for n in range(200)}
    good = {page: n < 20 for n, page in enumerate(sizes)}
    lists = lists_by_page("new", {page: ["x", "y"] for page in sizes})
    poor = 1 / (1 + 1 / np.log2(3))  # the one good link of two is not in the list
    truth = sum(size * (1 if good[page] else poor) for page, size in sizes.items())
    truth /= sum(sizes.values())
    means: dict[str, list[float]] = {"views": [], "pages": []}
    for seed in range(60):
        for drawn_by, weigh in (("views", sizes), ("pages", dict.fromkeys(sizes, 1.0))):
            pages = page_sampling.draw(weigh, seed=seed)
            draw = Draw(drawn_by, seed, len(sizes), NOON, 2, 40, pages=pages)
            graded = [
                Grade(page.source_id, id, grade, "ann", NOON)
                for page in pages[:40]
                for id, grade in (("x", 3), ("y", 0), ("z", 0 if good[page.source_id] else 3))
            ]
            result = found([lists], graded, draw)
            means[drawn_by].append(result.table["nDCG@2"].iloc[0])
            assert result.per == ("page view" if drawn_by == "views" else "page")

    assert np.mean(means["views"]) == pytest.approx(truth, abs=0.01)
    assert np.mean(means["pages"]) == pytest.approx(0.1 + 0.9 * poor, abs=0.01)
    assert truth > 0.1 + 0.9 * poor + 0.1


def test_several_judges_count_with_their_mean():
    """And how far they agree stands beside it."""
    grades = given("ann", knee={"hip": 3, "nap": 0}) + given("ben", knee={"hip": 2, "nap": 3})
    lists = [lists_by_page("new", {"knee": ["nap", "hip"]})]

    result = found(lists, grades)

    expected = (1.5 + 2.5 / np.log2(3)) / (2.5 + 1.5 / np.log2(3))
    assert result.table["nDCG@10"].iloc[0] == pytest.approx(expected)
    assert result.judges["mean"].to_dict() == {"ann": 1.5, "ben": 2.5}
    assert result.agreement.n_links == 2


def test_what_has_no_grade_is_counted():
    """A list of another day: the share of graded links, and a note where it is small."""
    grades = given("ann", knee={"hip": 3, "nap": 1})
    lists = [
        lists_by_page("judged", {"knee": ["hip", "nap"]}),
        lists_by_page("other", {"knee": ["x", "y", "z", "hip"]}),
        lists_by_page("absent", {"elsewhere": ["hip"]}),
    ]

    result = found(lists, grades)

    table = result.table
    assert table["graded"].to_dict() == pytest.approx(
        {"judged": 1.0, "other": 0.25, "absent": np.nan}, nan_ok=True
    )
    assert table.loc["other", "nDCG@10"] == pytest.approx(3 / (3 + 1 / np.log2(3)))
    assert table.loc["other", "ungraded as 0"] < table.loc["other", "nDCG@10"]
    assert table["pages"].to_dict() == {"judged": 1, "other": 1, "absent": 0}
    assert any("25 %" in note and "other" in note for note in result.notes)
    assert any("1 page only" in note for note in result.notes)


def test_pages_where_nothing_is_of_use_are_counted_and_tell_nothing():
    """nDCG is 0/0 there; the mean grade is 0."""
    grades = given("ann", knee={"hip": 0}, nap={"sleep": 2})
    lists = [lists_by_page("new", {"knee": ["hip"], "nap": ["sleep"]})]

    result = found(lists, grades)

    assert result.table["nDCG@10"].iloc[0] == 1
    assert result.table["mean grade"].iloc[0] == 1
    assert any(note.startswith("Without nDCG: 1 page on") for note in result.notes)


def test_grades_beside_the_drawn_pages_and_gaps_are_noted():
    """Only drawn pages make the means; the first page drawn was passed over."""
    pages = page_sampling.draw({"knee": 5, "nap": 4, "hip": 3}, seed=0)
    names = [page.source_id for page in pages]
    draw = Draw("views", 0, 3, NOON, 5, 3, 2, pages)
    grades = given("ann", **{names[1]: {"x": 3, "y": 0}}, elsewhere={"x": 0, "y": 3})
    lists = [lists_by_page("new", {names[1]: ["x", "y"], "elsewhere": ["x", "y"]})]

    result = found(lists, grades, draw)

    assert result.table["nDCG@5"].iloc[0] == 1
    assert result.n_pages == 1
    assert any("1 page of the first 2 drawn" in note for note in result.notes)
    assert any("count for the agreement alone" in note for note in result.notes)


@pytest.mark.parametrize(("asked", "reached"), [(30, 0), (60, 30)])
def test_grades_of_an_earlier_draw_do_not_bend_the_means_of_a_later_one(asked: int, reached: int):
    """Pages were judged as they are read, mostly those that are read much, which have good lists;
    then pages are drawn each alike. What was graded before lies anywhere in the second draw: means
    are still those of all pages, whether all that were asked for are judged or half of them.
    """
    random = np.random.default_rng(0)
    sizes = {f"p{n}": float(size) for n, size in enumerate(random.pareto(1.0, 150) * 20 + 1)}
    good = {page for page, size in sizes.items() if size > 60}
    links = [("x", 3), ("y", 0)]
    lists = lists_by_page("new", {p: ["x"] if p in good else ["y", "x"] for p in sizes})
    truth = np.mean([1.0 if page in good else 1 / np.log2(3) for page in sizes])
    means = []
    for seed in range(60):
        before = page_sampling.draw(sizes, seed=seed)[:30]
        pages = page_sampling.draw(dict.fromkeys(sizes, 1.0), seed=1000 + seed)
        draw = Draw("pages", seed, len(sizes), NOON, 2, asked, reached, pages)
        graded = {page.source_id for page in [*before, *pages[:30]]}
        grades = [Grade(page, id, g, "ann", NOON) for page in graded for id, g in links]
        result = found([lists], grades, draw)
        means.append(result.table["nDCG@2"].iloc[0])
        assert result.n_pages == 30

    assert np.mean(means) == pytest.approx(truth, abs=0.012)


def test_pages_graded_before_the_draw_was_judged_stand_for_no_others():
    """A draw that nobody has begun: every graded page counts alike, and a note says so."""
    pages = page_sampling.draw({"knee": 5, "nap": 4, "hip": 3}, seed=0)
    draw = Draw("views", 0, 3, NOON, 5, 3, 0, pages)
    grades = given("ann", **{pages[2].source_id: {"x": 3, "y": 0}})

    result = found([lists_by_page("new", {pages[2].source_id: ["x"]})], grades, draw)

    assert result.per == "page"
    assert any("No page of the draw has been judged" in note for note in result.notes)


def test_a_link_without_a_grade_costs_no_link_that_has_one():
    """The same five links, behind a new one that nobody graded: closed up, the lists are the same,
    and neither is better.
    """
    pages = [f"p{n}" for n in range(40)]
    grades = given("ann", **{page: dict.fromkeys("abcde", 3) for page in pages})
    lists = [
        lists_by_page("old", dict.fromkeys(pages, (*"abcde",))),
        lists_by_page("new", dict.fromkeys(pages, (*"xabcde",))),
    ]

    result = found(lists, grades, k=5)

    row = result.table.loc["new"]
    assert row["nDCG@5"] == pytest.approx(1)
    assert row["gain"] == 0
    assert row["graded"] == pytest.approx(0.8)
    assert row["ungraded as 0"] < 1
    assert "no clear difference to new" in result.verdict


def test_a_list_that_runs_out_of_graded_links_is_not_called_worse():
    """Four links of five have a grade, and none is left to close up with."""
    pages = [f"p{n}" for n in range(40)]
    grades = given("ann", **{page: dict.fromkeys("abcde", 3) for page in pages})
    lists = [
        lists_by_page("old", dict.fromkeys(pages, (*"abcde",))),
        lists_by_page("new", dict.fromkeys(pages, (*"xabcd",))),
    ]

    result = found(lists, grades, k=5)

    assert result.table.loc["new", "runs out"] == 1
    assert "not compared" in result.verdict
    assert "better" not in result.verdict
    assert any("too low where too few are left" in note for note in result.notes)


def test_a_hand_picked_list_is_judged_as_readers_can_follow_it():
    """Without the page itself, doubles, and articles that are gone."""
    articles = {
        "knee": Article("knee", "Knee", recommended=("knee", "hip", "gone", "hip", "nap")),
        "hip": Article("hip", "Hip", recommended=("gone",)),
        "nap": Article("nap", "Nap"),
    }

    lists = lists_of_editors(articles, 5)

    assert lists.links("knee") == ["hip", "nap"]
    assert lists.pages == {"knee"}
    assert list(lists.links("nowhere")) == []


def test_without_grades_there_is_nothing():
    """No table, no note."""
    assert judged([lists_by_page("new", {"knee": ["hip"]})], []) is None


def test_programs_get_it_as_json_without_nan():
    """What is not known is null."""
    result = found([lists_by_page("new", {"knee": ["hip"]})], given("ann", knee={"hip": 2}))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content = json.loads(json.dumps(result.to_dict(), allow_nan=False))

    assert content["lists"]["new"]["nDCG@10"] == 1
    assert content["lists"]["new"]["gain"] is None
    assert content["agreement"]["alpha"] is None
    assert content["judges"]["ann"]["last"].startswith("2026-11-22T12:00:00")
