"""Intervals hold the truth as often as they say, p-values lie evenly where there is nothing."""

import numpy as np
import pytest

from recommender.evaluation import bootstrap
from recommender.evaluation.bootstrap import holm, means


def visits(random: np.random.Generator, n: int = 60, mean: float = 0.0) -> tuple[np.ndarray, ...]:
    """Values of views that are alike within a visit, in visits of one to five views."""
    session = np.repeat(np.arange(n), random.integers(1, 6, n))
    return mean + random.normal(size=n)[session] + random.normal(size=len(session)), session


@pytest.mark.slow
def test_intervals_cover_the_truth_and_p_values_are_even(monkeypatch: pytest.MonkeyPatch):
    """Of 400 samples with mean 0, some 95 % have it inside, and p is below .05 in the others; a
    quarter each lies below .25, between .25 and .5, and so on.
    """
    monkeypatch.setattr(bootstrap, "N_DRAWS", 400)
    random = np.random.default_rng(2)
    covered, found = 0, []
    for _ in range(400):
        values, session = visits(random)
        estimate = means([values], session, random)
        covered += int(estimate.low[0] <= 0 <= estimate.high[0])
        found.append(estimate.p[0])

    assert 365 <= covered <= 395
    quarters = np.histogram(found, bins=[0, 0.25, 0.5, 0.75, 1.0001])[0]
    assert abs(quarters - 100).max() < 35


def test_views_taken_for_independent_would_be_too_sure():
    """Were every view a visit of its own, the interval would be much too narrow."""
    random = np.random.default_rng(3)
    values, session = visits(random, 400)

    together, apart = (
        means([values], of, np.random.default_rng(0)) for of in (session, np.arange(len(session)))
    )

    assert (together.high - together.low)[0] > 1.3 * (apart.high - apart.low)[0]


def test_a_planted_difference_is_found():
    """And its sign does not change what is found; no difference at all has p 1."""
    values, session = visits(np.random.default_rng(4), 300, mean=0.4)

    found = means([values, -values, 0 * values], session, np.random.default_rng(0))

    assert found.mean[0] == values.mean()
    assert found.p[0] == found.p[1] < 0.01
    assert found.p[2] == 1
    assert found.low[2] == found.high[2] == 0


def test_missing_values_are_left_out():
    """A column without any value has no mean."""
    session = np.arange(4)
    holes = np.array([1.0, np.nan, 3.0, np.nan])

    found = means([holes, np.full(4, np.nan)], session, np.random.default_rng(0))

    assert found.mean[0] == 2
    assert 1 <= found.low[0] <= found.high[0] <= 3
    assert np.isnan([found.mean[1], found.low[1], found.high[1], found.p[1]]).all()


def test_many_visits_are_put_together(monkeypatch: pytest.MonkeyPatch):
    """The mean is the same, and so is the width, within a tenth."""
    values, session = visits(np.random.default_rng(5), 2000)
    apart = means([values], session, np.random.default_rng(0))
    monkeypatch.setattr(bootstrap, "MAX_CLUSTERS", 500)

    together = means([values], session, np.random.default_rng(0))

    assert together.mean == apart.mean
    assert (together.high - together.low)[0] == pytest.approx((apart.high - apart.low)[0], rel=0.1)


def test_holm_by_hand():
    """Times 4, 3, 2 and 1 in ascending order, never falling, never above 1; NaN is not counted."""
    p = np.array([0.02, 0.005, np.nan, 0.9, 0.015])

    assert holm(p) == pytest.approx([0.045, 0.02, np.nan, 0.9, 0.045], nan_ok=True)
    assert holm(np.array([0.6, 0.7])).tolist() == [1, 1]
    assert len(holm(np.zeros(0))) == 0
