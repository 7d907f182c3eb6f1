"""Intervals that hold at every look, by hand and by simulation."""

import numpy as np
import pytest
from scipy.stats import norm

from recommender.experiments.sequential import (
    MIN_CLICKS,
    MIXING,
    TUNED_AT,
    Sums,
    log_bayes_factor,
    p_value,
    radius,
    views_to_find,
)


def drawn(seed, *, n=20_000, gain=0.0, p=0.5, n_looks=20, spread=1.0):
    """Views whose rates differ, with what is known of them before: look, arm, clicks, known."""
    random = np.random.default_rng(seed)
    known = np.exp(random.normal(0, spread, n))
    known *= 0.2 / known.mean()
    arm = (random.random(n) < p).astype(int)
    clicks = random.poisson(known * (1 + gain * arm))
    return np.arange(n) * n_looks // n, arm, clicks, known


def sums_of(seed, *, x=False, **options):
    look, arm, clicks, known = drawn(seed, **options)
    n_looks = options.get("n_looks", 20)
    return Sums.of(look, arm, clicks, 1.0, known if x else 0.0, n_looks=n_looks, n_arms=2)


def test_rates_and_errors_are_those_of_two_samples():
    """Without anything known before: means, and Welch's standard error of their difference."""
    look, arm, clicks, _ = drawn(1)

    found = sums_of(1).difference(1)

    old, new = clicks[arm == 0], clicks[arm == 1]
    assert look[-1] == 19
    assert found.estimate[-1] == pytest.approx(new.mean() - old.mean())
    error = np.sqrt(new.var(ddof=1) / len(new) + old.var(ddof=1) / len(old))
    assert found.error[-1] == pytest.approx(error)


def test_a_view_that_stands_for_many_counts_as_many():
    """Rows with a number of views are what as many rows of one are."""
    look, arm, clicks, _ = drawn(2, n=2_000)
    rows, times = np.unique(np.stack([look, arm, clicks]), axis=1, return_counts=True)
    few = Sums.of(rows[0], rows[1], rows[2], times=times, n_looks=20, n_arms=2)

    many = Sums.of(look, arm, clicks, n_looks=20, n_arms=2)

    assert np.allclose(few.values, many.values)


def test_a_rate_of_links_has_the_error_of_the_bootstrap():
    """Clicks per link, where lists are of several lengths: the views are drawn again."""
    random = np.random.default_rng(3)
    links = random.integers(2, 9, 4_000)
    clicks = random.binomial(links, 0.1)
    arm = np.arange(4_000) % 2
    found = Sums.of(np.zeros(4_000, int), arm, clicks, links, n_looks=1, n_arms=2).difference(1)

    again = []
    for _ in range(400):
        at = random.integers(0, 4_000, 4_000)
        rate = [
            clicks[at][arm[at] == each].sum() / links[at][arm[at] == each].sum() for each in (0, 1)
        ]
        again.append(rate[1] - rate[0])

    assert found.error[-1] == pytest.approx(np.std(again), rel=0.12)


def test_what_is_known_before_makes_the_variance_less_and_never_more():
    """By the share that it explains; by nothing if it is noise."""
    plain, adjusted = sums_of(4), sums_of(4, x=True)
    _, arm, clicks, known = drawn(4)
    noise = Sums.of(
        drawn(4)[0],
        arm,
        clicks,
        1.0,
        np.random.default_rng(0).random(len(arm)),
        n_looks=20,
        n_arms=2,
    )

    kept = adjusted.difference(1).kept[-1]

    assert kept == pytest.approx(1 - np.corrcoef(clicks, known)[0, 1] ** 2, abs=0.02)
    assert adjusted.difference(1).error[-1] < plain.difference(1).error[-1]
    assert 0.998 < noise.difference(1).kept[-1] <= 1


def test_the_sequence_is_wider_than_one_interval_and_narrowest_where_it_is_tuned():
    """In standard errors of its estimate: about 3.0 there, 1.96 for who looks once."""
    views = np.geomspace(300, 3e6, 400)
    wide = radius(views, np.full(400, TUNED_AT / MIXING(0.05)), 0.05) / np.sqrt(views)

    assert wide.min() > norm.ppf(0.975)
    assert views[wide.argmin()] == pytest.approx(TUNED_AT, rel=0.1)
    assert wide[(views > TUNED_AT / 3) & (views < 100 * TUNED_AT)].max() < 1.18 * wide.min()


def test_nothing_is_given_before_there_are_some_clicks():
    """An interval of five clicks would be a guess."""
    found = sums_of(5, n=2_000).difference(1)
    clicks = sums_of(5, n=2_000)[1].min(axis=-1)

    assert (np.isnan(found.low) == (clicks < MIN_CLICKS)).all()
    assert np.isnan(found.low[0]) and not np.isnan(found.low[-1])


def test_the_relative_difference_is_clear_when_the_absolute_one_is():
    """Both are one test, so they never contradict each other."""
    for seed in range(20):
        found = sums_of(seed, gain=0.12).difference(1)
        given = ~np.isnan(found.relative_low)

        assert ((found.low > 0) == (found.relative_low > 0))[given].all()
        assert ((found.high < 0) == (found.relative_high < 0))[given].all()


def test_a_planted_gain_is_within_the_relative_interval():
    """Of 15 %, in nearly all of sixty experiments, at all looks."""
    held = 0
    for seed in range(60):
        found = sums_of(seed, gain=0.15, x=True).difference(1)
        given = ~np.isnan(found.relative_low)
        held += bool(((found.relative_low <= 0.15) & (found.relative_high >= 0.15))[given].all())

    assert held >= 56


def test_looking_every_day_at_an_ordinary_interval_errs_and_at_the_sequence_does_not():
    """The bound can fail: an interval for one look crosses in more than a tenth of experiments."""
    crossed = naive = 0
    for seed in range(200):
        found = sums_of(seed, n=8_000, n_looks=28).difference(1)
        crossed += bool(found.crossed.any())
        naive += bool(np.nanmax(np.abs(found.estimate / found.error)) > norm.ppf(0.975))

    assert crossed <= 13
    assert naive > 24


def test_the_time_until_a_difference_shows_comes_true():
    """With so many views it is found in about four of five experiments, at that look or before."""
    effect, found = 0.1, 0
    needed = np.mean(
        [views_to_find(sums_of(seed, n=20_000).difference(1), effect * 0.2) for seed in range(5)]
    )
    for seed in range(100):
        sums = sums_of(100 + seed, n=int(needed), gain=effect)
        found += bool((sums.difference(1).low > 0).any())

    assert 70 <= found <= 95


def test_shares_that_are_as_published_seldom_seem_not_to_be():
    """Looked at 200 times, at level 5 %."""
    random, crossed = np.random.default_rng(6), 0
    for _ in range(300):
        counts = random.multinomial(200, [0.9, 0.1], size=200).cumsum(axis=0)
        crossed += bool((p_value(counts, np.array([0.9, 0.1])) < 0.05).any())

    assert crossed <= 24


def test_shares_that_differ_are_found():
    """48 % where 50 % was published, by 20,000 views; a Bayes factor by hand beside it."""
    by_hand = np.log((1 / 101) / (1 / 2) ** 100 / 1.0)  # uniform prior, all in one cell

    assert log_bayes_factor(np.array([100, 0]), np.array([0.5, 0.5]), concentration=2.0) == (
        pytest.approx(by_hand)
    )
    assert p_value(np.array([[9_600, 10_400]]), np.array([0.5, 0.5]))[-1] < 1e-3


def of_readers(seed, *, keeps=False, p=0.1, n_visits=2_000, n_looks=28):
    """Visits of readers with habits, who read on where they follow a link: the sums of an
    experiment without a difference, by view. With ``keeps`` a visit has one arm.
    """
    random = np.random.default_rng(seed)
    visit = np.arange(n_visits)
    habit = random.gamma(0.3, 1 / 0.3, n_visits)
    own = random.random(n_visits) < p
    rows = []
    for _ in range(12):
        page = random.gamma(1, 1, len(visit))
        arm = own[visit] if keeps else random.random(len(visit)) < p
        clicks = random.poisson(0.3 * habit[visit] * page)
        rows.append((visit * n_looks // n_visits, arm.astype(int), clicks, page))
        visit = visit[random.random(len(visit)) < np.where(clicks > 0, 0.8, 0.4)]
    look, arm, clicks, page = (np.concatenate(column) for column in zip(*rows, strict=True))
    return Sums.of(look, arm, clicks, 1.0, page, n_looks=n_looks, n_arms=2)


@pytest.mark.slow
def test_habits_of_readers_do_no_harm_if_every_view_draws_its_own_variant():
    """At most 6.5 % of 400 experiments ever cross, of 90 : 10; of those in which a visit keeps its
    arm more do, so that the bound can fail.
    """
    anew, kept = (
        np.mean([of_readers(seed, keeps=keeps).difference(1).crossed.any() for seed in range(400)])
        for keeps in (False, True)
    )

    assert anew <= 0.065
    assert kept > 0.1
