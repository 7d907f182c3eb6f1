"""Intervals hold what they promise, and of many pages hardly any is named by chance."""

import numpy as np
import pytest

from recommender.evaluation.click_rates import Pairs, chosen, of_count, of_days, together


def test_interval_of_a_count_by_hand():
    """Garwood's of 0 and of 10 clicks on 100 views, as tables have them."""
    low, high = of_count(np.array([0, 10]), np.array([100, 100]))

    assert low.round(4).tolist() == [0.0, 0.0480]
    assert high.round(4).tolist() == [0.0369, 0.1839]


def test_clicks_that_hang_together_say_less():
    """Forty clicks in visits of four are as sure as ten."""
    low, high = of_count(np.array([40.0]), np.array([400.0]), spread=4.0)

    assert (low[0], high[0]) == pytest.approx((0.0480, 0.1839), abs=1e-4)


def test_nothing_is_known_of_no_views():
    rate = of_days(np.zeros(3), np.zeros(3))

    assert np.isnan(rate.rate)
    assert np.isnan(rate.high)


@pytest.mark.parametrize("varies", [0.0, 0.5])
def test_interval_of_days_covers_the_rate(varies: float):
    """Of 400 logs of four weeks at a rate of .1, whose days vary or do not, nineteen of twenty."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        views = rng.integers(50, 400, size=28).astype(float)
        level = rng.gamma(1 / varies**2, varies**2, size=28) if varies else np.ones(28)
        found = of_days(rng.poisson(views * 0.1 * level).astype(float), views)
        held += found.low <= 0.1 <= found.high

    assert held >= 0.93 * 400


def _pairs(rng: np.random.Generator, ratio: np.ndarray, *, due: float = 40.0) -> Pairs:
    n = len(ratio)
    due_one, due_other = rng.gamma(4, due / 4, n), rng.gamma(4, 3 * due / 4, n)
    level = rng.gamma(4, 0.25, n)  # pages differ in what they get at any time
    return Pairs(
        rng.poisson(due_one * level * ratio).astype(float), due_one,
        rng.poisson(due_other * level).astype(float), due_other,
    )  # fmt: skip


def test_no_page_is_named_where_none_differs():
    """Of 200 sites of 300 pages, in no more than one of twenty is any."""
    rng = np.random.default_rng(2)

    named = [chosen(_pairs(rng, np.ones(300))).differs.any() for _ in range(200)]

    assert sum(named) <= 16


def test_pages_that_differ_are_named_and_few_others():
    """Thirty of 300 pages get a third of what they got; of those named one in twenty is wrong, and
    the intervals of the chosen hold the truth as often as they promise.
    """
    rng = np.random.default_rng(3)
    truth = np.where(np.arange(300) < 30, 1 / 3, 1.0)
    right = wrong = held = 0
    for _ in range(50):
        found = chosen(_pairs(rng, truth))
        right += found.differs[:30].sum()
        wrong += found.differs[30:].sum()
        inside = (found.low <= truth) & (truth <= found.high)
        held += inside[found.differs].sum()

    assert right >= 0.5 * 30 * 50
    assert wrong <= 0.08 * (right + wrong)
    assert held >= 0.93 * (right + wrong)


def test_what_varies_more_than_chance_is_not_named():
    """Where the counts of every page vary by half besides, hardly any page is."""
    rng = np.random.default_rng(4)
    named = 0
    for _ in range(100):
        named += chosen(_pairs(rng, rng.gamma(25, 1 / 25, 300), due=200.0)).differs.any()

    assert named <= 25


def test_all_pages_together():
    """Followed twice as often on every page, whatever the pages are like."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(100):
        found = together(_pairs(rng, np.full(200, 2.0)))
        held += found.low <= 2 <= found.high

    assert held >= 90
    assert np.isnan(together(Pairs(*np.zeros((4, 3)))).rate)
