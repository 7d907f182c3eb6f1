"""What pages send counts as far as usual days allow, and what is left out of it adds up."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from sites import Shown, log_of

from recommender.clicks.influence import Evidence, allowances, level_of, limited
from recommender.store.counts import Log

# Articles of the site; pages 0 to 3 are read.
N = 10


def usual_days(*more: Shown, n_days: int = 10) -> Log:
    """Days on which each of four pages has 100 views and 10 clicks, and ``more``."""
    usual = [Shown(page, [9], [10], views=100, day=day) for day in range(n_days)
             for page in range(4)]  # fmt: skip
    return log_of(*usual, *more)


def flood(*views: int, day: int, clicks: int = 0) -> list[Shown]:
    """A day of so many views of pages 0, 1, ..., with clicks on each."""
    return [
        Shown(page, [9], [clicks], views=each, day=day) for page, each in enumerate(views) if each
    ]


def weights_on(log: Log, day: int, *pages: int) -> list[float]:
    """What pages weigh on a day."""
    weights = limited(log, N).of(np.full(len(pages), day), np.array(pages))
    return [round(weight, 6) for weight in weights.tolist()]


# What a day may bring


def allowed(n: Sequence[float], *, live: Sequence[bool] | None = None) -> object:
    """What counts on each of the days 0, 1, ... that brings too much."""
    sent = np.ones(len(n), dtype=bool) if live is None else np.array(live)
    return allowances(np.arange(len(n)), np.array(n, dtype=float), sent)


@pytest.mark.parametrize(
    ("volume", "most", "level"),
    [
        ([10, 20, 5_000], 1_000, 970),
        ([5_000, 20, 10], 1_000, 970),
        ([10, 600, 600], 1_000, 495),
        ([400, 400, 400], 300, 100),
        ([10, 20, 30], 60, 30),
        ([10, 20, 30], 1_000, 30),
        ([7], 2, 2),
    ],
)
def test_the_small_keep_what_they_have(volume: list[float], most: float, level: float):
    """The large share what the small leave, in whatever order they stand; if all fits nothing is
    cut.
    """
    found = level_of(np.array(volume, dtype=float), most)

    assert found == level
    assert np.minimum(volume, found).sum() == min(most, sum(volume))


def test_a_day_may_bring_four_usual_ones_now_and_then():
    """Two as any day, and two that four weeks share."""
    assert allowed([100] * 10 + [400]) == {}
    assert allowed([100] * 10 + [401]) == {10: 400}


def test_usual_is_the_median_of_four_weeks_before():
    """Neither what was longer ago, nor what came later, nor a single day of them."""
    found = allowed([1_000] * 20 + [100] * 27 + [5_000] + [9_999] + [1_000] * 40)

    assert found[47] == found[48] + 200 == 400


def test_days_without_enough_before_them_are_compared_with_all_others():
    """The second day of ten, too."""
    assert allowed([100, 5_000] + [100] * 8) == {1: 400}


def test_of_three_days_none_is_usual():
    """Two others are too few; three will do."""
    assert allowed([100, 100, 10**6]) == {}
    assert allowed([100, 100, 100, 10**6]) == {3: 400}


def test_four_weeks_share_a_burst():
    """A second flood gets what the first has left; after 28 days there is another."""
    days = [100.0] * 60
    days[10], days[20], days[38] = 10_000, 10_000, 10_000
    assert allowed(days) == {10: 400, 20: 200, 38: 400}

    days[10] = 300
    assert allowed(days) == {20: 300, 38: 300}


def test_so_much_counts_on_any_day():
    """Of a site with 10 views a day a hundred, and the burst; below it none is given."""
    assert allowed([10] * 10 + [100, 100, 120]) == {}
    assert allowed([10] * 10 + [100, 100, 121]) == {12: 120}


def test_imports_say_what_is_usual():
    """A site of 1,000 imported views a day may be sent as many, however few its pages sent."""
    days, live = [1_000] * 10 + [4_000, 4_001], [False] * 10 + [True, True]

    assert allowed(days, live=live) == {11: 2_000}
    assert allowed([*days[:10], 10**6], live=[False] * 11) == {}


# What pages weigh


def test_a_flood_over_every_page_is_cut_evenly():
    """A usual day has 400 views: of 4,000, 1,600 count, 400 of each page."""
    log = usual_days(*flood(1_000, 1_000, 1_000, 1_000, day=10))

    assert weights_on(log, 10, 0, 1, 2, 3) == [0.4] * 4
    assert weights_on(log, 9, 0, 1, 2, 3) == [1] * 4


def test_a_campaign_keeps_what_the_others_leave():
    """Of 1,600 views 300 are of the others, which keep them, and 1,300 remain of 5,000."""
    log = usual_days(*flood(5_000, 100, 100, 100, day=10))

    assert weights_on(log, 10, 0, 1, 2, 3) == [0.26, 1, 1, 1]


def test_views_and_clicks_of_a_page_weigh_alike():
    """So that its rate stays: 400 of 1,000 views and 4 of 10 clicks."""
    log = usual_days(*flood(1_000, 1_000, 1_000, 1_000, day=10, clicks=10))

    less = limited(log, N).weigh(log)

    assert less.n_views[-4:] == pytest.approx([400] * 4)
    assert less.n_clicks[-4:] == pytest.approx([4] * 4)
    assert less.n_views[:40].tolist() == [100] * 40


def test_clicks_are_not_limited_apart():
    """A usual day has 40 of them; of as many views 400 count, since better lists win more."""
    log = usual_days(*flood(100, 100, 100, 100, day=10, clicks=100))

    assert weights_on(log, 10, 0, 1, 2, 3) == [1] * 4


def test_imports_never_weigh_less():
    """Not even on the day and the page of a flood, of which they take nothing."""
    log = usual_days(*flood(5_000, 100, 100, 100, day=10), Shown(0, [9], [7], views=7_000, day=10))
    live = np.append(np.ones(len(log.view_live) - 1, dtype=bool), False)
    log = replace(log, view_live=live, click_live=live)

    less = limited(log, N).weigh(log)

    assert less.n_views[-5:] == pytest.approx([1_300, 100, 100, 100, 7_000])
    assert less.n_clicks[-1] == 7


def test_a_page_that_is_gone_takes_nothing_from_the_others():
    """Neither their share of the day nor the burst of the month: 2,000 views come on a day that may
    bring 1,600, two days after a million of a page that the build does not have.
    """
    pages = flood(500, 500, 500, 500, day=12)

    log = usual_days(*pages, *(Shown(-1, [9], [50], views=10**6, day=day) for day in (10, 12)))

    assert weights_on(log, 12, 0, 1, 2, 3) == weights_on(usual_days(*pages), 12, 0, 1, 2, 3)
    assert weights_on(log, 12, 0, 1, 2, 3) == [0.8] * 4


def test_what_is_gone_weighs_what_it_is():
    """And not what the article with the last number weighed the day before."""
    cell, weight = np.array([2 * N - 1]), np.array([0.1])
    evidence = Evidence(N, cell, weight, weight, weight, weight, weight, cell, weight)

    for of, low in ((evidence.of, 0.001), (evidence.of_targets, 0.1)):
        assert of(np.array([1, 2]), np.array([N - 1, -1])) == pytest.approx([low, 1])


def test_where_nothing_is_capped_the_log_is_left_alone():
    """Also a log that pages sent nothing of."""
    usual = usual_days()
    silent = replace(usual, view_live=np.zeros(40, dtype=bool), click_live=np.zeros(40, dtype=bool))

    assert limited(usual, N).weigh(usual) is usual
    assert limited(silent, N).weigh(silent) is silent
    assert len(limited(silent, N).keys) == 0
    assert limited(log_of(), N).weigh(log_of()).n_views.tolist() == []


# What the card says


@pytest.fixture
def log() -> Log:
    """One page with 1,000 views: 600 clicks on article 5 and 400 on article 6, and one more list
    beside it, in which a request brought article 5, that got 40. And 100 views of a second page on
    the next day, with 8 clicks.
    """
    slates = log_of(
        Shown(0, [5, 6], [600, 400], views=1_000, day=0),
        Shown(0, [5], [40], views=0, day=0),
        Shown(1, [6], [8], views=100, day=1),
    )
    return replace(slates, brought=np.array([False, False, True, False]))


@pytest.fixture
def evidence() -> Evidence:
    """Half for the day's volume, half for the page, half for the day, and of clicks on article 5
    another half.
    """
    half, keys = np.array([0.5, 1.0]), np.array([0, N + 1])
    views, clicks = np.array([1_000.0, 100.0]), np.array([1_000.0, 8.0])
    return Evidence(N, keys, views, clicks, half, half, half, np.array([5]), np.array([0.5]))


def test_weights_name_what_weighs_less(evidence: Evidence):
    """Day, page and weight; and of clicks on a target besides."""
    weights = evidence.weights()

    assert (weights.days, weights.pages, weights.weight) == ([0], [0], [0.125])
    assert (weights.target_days, weights.targets, weights.target_weight) == ([0], [5], [0.5])


def test_what_is_left_out_and_what_counts_are_what_was_sent(evidence: Evidence, log: Log):
    """Of 1,000 views 500, 250 and 125 are left out; of as many clicks the same, then of 75 that
    are left of article 5 half; and the 40 that were only brought there, once.
    """
    about = evidence.about(log)

    counted = evidence.weigh(log.shown_to_all())
    assert (about["n_views"], about["n_clicks"]) == (1_100, 1_048)
    reasons = ("volume", "page", "day")
    assert [about[f"{name}_views"] for name in reasons] == [500, 250, 125]
    assert [about[f"{name}_clicks"] for name in reasons] == [500, 250, 125]
    assert (about["target_clicks"], about["brought_clicks"]) == (37.5, 40)
    assert counted.n_views.sum() == 1_100 - 875
    assert counted.n_clicks.sum() == 1_048 - 875 - 37.5 - 40


def test_the_worst_days_are_named(evidence: Evidence, log: Log):
    """With the share of their views that counts; days of which nothing is left out are not."""
    assert evidence.about(log)["days"] == {"1970-01-01": 0.125}


def test_what_is_usual_is_said_where_it_is_known():
    """Four pages of 100 views and 10 clicks a day; of two days nothing is usual."""
    for n_days, usual in ((3, (400, 40)), (2, (None, None))):
        log = usual_days(n_days=n_days)
        about = limited(log, N).about(log)

        assert (about["usual_views"], about["usual_clicks"]) == usual


def test_all_that_pages_sent_is_told():
    """Also views of a page that is gone."""
    log = usual_days(Shown(-1, [9], [5], views=30, day=3))

    about = limited(log, N).about(log)

    assert (about["n_views"], about["n_clicks"]) == (40 * 100 + 30, 40 * 10 + 5)
