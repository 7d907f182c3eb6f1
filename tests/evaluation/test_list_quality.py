"""Figures of whole lists, against sums by hand."""

import numpy as np
import pytest
from judging import bundle, case, follow

from recommender.candidates import EMPTY
from recommender.evaluation.list_quality import (
    FIGURES,
    HAND_PICKED,
    MODEL,
    TEXT,
    Lists,
    final_lists,
    gini,
    list_figures,
    page_views,
    self_information,
)


def found_of(
    items: np.ndarray, fallback: np.ndarray | None = None, **more: np.ndarray
) -> dict[str, float]:
    """Figures of lists of five articles, each seen once and never followed, no two the same."""
    known = {
        "seen": np.ones(5), "clicks": np.zeros(5), "same": np.arange(5),
        "real": np.ones(5, dtype=bool),
    }  # fmt: skip
    lists = Lists(bundle(), items, fallback, **(known | more))
    return {figure.name: figure.value(lists) for figure in FIGURES}


def lists(*rows: list[int]) -> np.ndarray:
    """Rows of three places."""
    return np.array([[*row, EMPTY, EMPTY, EMPTY][:3] for row in rows])


def test_gini_by_hand():
    """Equal shares 0; one has all 1 - 1/n; 1, 2, 3: 2/9; nothing is nothing."""
    assert gini(np.full(7, 3.0)) == pytest.approx(0)
    assert gini(np.array([0, 0, 5, 0])) == pytest.approx(3 / 4)
    assert gini(np.array([3, 1, 2])) == pytest.approx(2 / 9)
    assert np.isnan(gini(np.zeros(3)))


def test_coverage_counts_articles_and_links_count_lists():
    """Articles 1 and 2 of five stand in lists, of two pages."""
    found = found_of(lists([1, 2], [2], [], [], []))

    assert found["pages"] == 2
    assert found["links"] == 1.5
    assert found["coverage"] == 2 / 5
    assert np.isnan(found["fallback links"])


def test_the_most_listed_is_a_share_of_lists():
    """Article 1 stands in three of four lists, however often they are seen."""
    assert found_of(lists([1, 2], [1], [3], [1, 0], []))["most listed"] == 3 / 4
    assert found_of(lists([], [], [], [], []))["most listed"] == 0


def test_exposure_is_weighted_by_page_views():
    """The lists are even, but only the first page is ever seen: its one link has all."""
    even = lists([1], [2], [3], [4], [0])

    assert found_of(even)["gini"] == pytest.approx(0)
    alone = found_of(even, seen=np.array([9.0, 0, 0, 0, 0]))
    assert alone["gini"] == pytest.approx(4 / 5)


def test_novelty_is_the_self_information_of_the_targets():
    """One click added to each of five: shares of 4/8 and 1/8 are 1 and 3 bits."""
    clicks = np.array([3.0, 0, 0, 0, 0])

    assert self_information(clicks)[:2].tolist() == [1, 3]
    found = found_of(lists([1, 2], [0], [], [], []), clicks=clicks)
    assert found["novelty"] == pytest.approx((3 + 3 + 1) / 3)
    assert np.isnan(found_of(lists([1], [], [], [], []))["novelty"])


def test_near_duplicates_are_counted_by_pair():
    """Articles 1 and 2 are one text, as are 0 and 3: of three pairs of links and three of a link
    and its page, one and one are doubles.
    """
    found = found_of(lists([1, 2, 3], [], [], [], []), same=np.array([0, 1, 1, 0, 4]))

    assert found["near-duplicates"] == 2 / 6


def test_similarity_is_a_mean_over_lists():
    """The mean cosine of a list's pairs; a list of one link has none and does not count."""
    items = lists([1, 2, 3], [2], [3, 4], [], [])
    made = bundle()
    pairs = [(1, 2), (1, 3), (2, 3), (3, 4)]
    a, b, c, d = made.site.cosine(*np.array(pairs).T)

    assert found_of(items)["similarity"] == pytest.approx(((a + b + c) / 3 + d) / 2)
    assert max(a, b, c, d) > 0


def test_fallbacks_are_counted_by_link_and_by_view():
    """One of three links fills up; it stands on the page that has three of four views."""
    fills = np.array([[True, False, False], [False] * 3, *[[False] * 3] * 3])
    found = found_of(lists([1], [2, 3], [], [], []), fills, seen=np.array([3.0, 1, 0, 0, 0]))

    assert found["fallback links"] == 1 / 3
    assert found["fallback views"] == 3 / 4


def test_page_views_are_counted_once_a_view():
    """Whatever the length of the slate; a page nobody knows does not count."""
    found = page_views(case([*follow("knee", "hip", 3), *follow("nowhere", "hip", 2)]))

    assert found.sum() == 3
    assert found[bundle().lists.find("knee")] == 3


def test_kinds_of_lists():
    """The model's are what pages show; hand-picked ones are there if the articles are."""
    full = list_figures(case(follow("knee", "hip", 3)), k=10)
    bare = list_figures(case(follow("knee", "hip", 3), with_articles=False), k=10)

    assert list(full.index) == [MODEL, HAND_PICKED, TEXT]
    assert list(full.columns) == [figure.name for figure in FIGURES]
    assert list(bare.index) == [MODEL, TEXT]
    assert full.loc[HAND_PICKED, "pages"] == 2
    # The list of knee names nap twice: one pair of the three, and none of those with the page.
    assert full.loc[HAND_PICKED, "near-duplicates"] == 1 / 6
    items, fills = final_lists(bundle(), 10)
    knee = bundle().lists.find("knee")
    shown = [link.id for link in bundle().related("knee")]
    assert [bundle().lists.id_of(row) for row in items[knee] if row != EMPTY] == shown
    # Hip is alike, and four clicks do not turn that over; nap was followed, ankle fills up.
    assert shown == ["hip", "nap", "ankle"]
    assert fills[knee].tolist()[:3] == [False, False, True]
