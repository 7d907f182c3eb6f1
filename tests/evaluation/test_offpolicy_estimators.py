"""Estimates by hand on tiny logs, on all logs there could be, and on many that are drawn."""

import itertools

import numpy as np
import pytest

from recommender.evaluation.offpolicy_estimators import (
    Matched,
    Terms,
    doubly_robust,
    ips,
    logged_policy,
    of_visits,
    position_based,
    snips,
    weight_of,
)
from recommender.store.impressions import Impressions

EVENLY = np.ones((1, 5))


def log_of(
    slates: list[list[int]], chances: list[list[float]], views: list[int],
    clicks: list[tuple[int, int]], session: list[int] | None = None,
) -> Impressions:  # fmt: skip
    """Slates of articles 1, 2, ... beside article 0; ``clicks`` are (view, place)."""
    heads = np.cumsum([0, *map(len, slates)])
    n = len(slates)
    links = [heads[views[view]] + place for view, place in clicks]
    return Impressions(
        ids=[str(number) for number in range(9)], layouts=[""], source=np.zeros(n, dtype=int),
        layout=np.zeros(n, dtype=int), ordered=np.ones(n, dtype=bool), heads=heads,
        item=np.concatenate(slates), propensity=np.concatenate(chances),
        slate=np.array(views), ts=np.zeros(len(views)),
        session=np.array(session or range(len(views))),
        live=np.ones(len(views), dtype=bool), brought=np.zeros(heads[-1], dtype=bool),
        click_view=np.array([view for view, _ in clicks], dtype=int),
        click_link=np.array(links, dtype=int),
    )  # fmt: skip


def wanted(*items: int) -> np.ndarray:
    """This list beside article 0, nothing beside the others."""
    table = np.full((9, len(items)), -1)
    table[0] = items
    return table


# Three quarters of the views show 1, 2; a quarter 2, 1. Of eight views three were followed.
SWAPPED = log_of(
    [[1, 2], [2, 1]], [[0.75, 0.75], [0.25, 0.25]], [0, 0, 0, 0, 0, 0, 1, 1],
    [(0, 0), (1, 1), (6, 0)],
)  # fmt: skip


def test_each_estimate_can_be_checked_by_hand():
    """The candidate shows 2, 1: one click on it, at a chance of a quarter, in eight views."""
    shown = Matched.of(SWAPPED, wanted(2, 1))

    assert logged_policy(shown).mean(SWAPPED) == pytest.approx(3 / 8)
    assert ips(shown).mean(SWAPPED) == pytest.approx(4 / 8)
    # Weight 8 in the first place and in the second, as was to be expected: nothing to put right.
    assert snips(shown).mean(SWAPPED) == pytest.approx(4 / 8)
    # The model says a half and a quarter; 2 views of weight 4 put it right by 4 - 4 and 0 - 2.
    model = np.zeros((9, 2))
    model[0] = 0.5, 0.25
    doubly = doubly_robust(shown, model, EVENLY)
    assert doubly.mean(SWAPPED) == pytest.approx(0.75 + (4 - 4 - 2) / 8)
    # All places looked at alike: two of eight looks at 2 were followed, one of eight at 1.
    by_place, weight = position_based(shown, EVENLY)
    assert by_place.mean(SWAPPED) == pytest.approx(2 / 8 + 1 / 8)
    assert weight.unsupported == 0


def test_self_normalising_takes_the_weight_there_was():
    """Of eight views three, not two, showed 2, 1: a weight of 12 where 8 was due."""
    log = log_of([[1, 2], [2, 1]], [[0.75] * 2, [0.25] * 2], [0] * 5 + [1] * 3, [(5, 0), (6, 1)])
    shown = Matched.of(log, wanted(2, 1))

    assert ips(shown).mean(log) == pytest.approx(8 / 8)
    assert snips(shown).mean(log) == pytest.approx(4 / 12 + 4 / 12)


def test_examination_moves_a_pair_from_place_to_place():
    """Article 2 was looked at in half of twenty views, where it stood, and followed five times:
    looked at always it wins .5 a view, and article 1 with half the looks half of its .25.
    """
    log = log_of([[1, 2]], [[np.nan] * 2], [0] * 20, [(v, 1) for v in range(5)] +
                 [(v, 0) for v in range(10, 15)])  # fmt: skip
    terms, weight = position_based(Matched.of(log, wanted(2, 1)), np.array([[1, 0.5]]))

    assert terms.mean(log) == pytest.approx(0.5 + 0.125)
    # Twenty looks at 1, ten at 2, wanted the other way round, weights 1/2 and 2.
    assert weight.effective == pytest.approx((20 * 0.5 + 10 * 2) ** 2 / (20 * 0.25 + 10 * 4) / 1.5)


def test_places_without_support_are_counted():
    """Article 3 never stood anywhere: half of the places; and 1 never stood first."""
    shown = Matched.of(SWAPPED, wanted(2, 3))
    _, by_place = position_based(shown, EVENLY)

    assert weight_of(shown).unsupported == pytest.approx(0.5)
    assert by_place.unsupported == pytest.approx(0.5)
    # Two views of weight 4 for 16 places wanted.
    assert weight_of(shown).effective == pytest.approx((2 * 4) ** 2 / (2 * 16) / 2)
    # A hundredth of 16 places is .16 of one, at weight 4 of 8.
    assert weight_of(shown).top == pytest.approx(0.16 * 4 / 8)


def test_a_candidate_fills_the_places_the_page_has():
    """Its third link has no room on a page of two, and is not missed."""
    shown = Matched.of(SWAPPED, wanted(2, 1, 3))

    assert shown.room.tolist() == [8, 8, 0]
    assert weight_of(shown).unsupported == 0
    assert ips(shown).mean(SWAPPED) == pytest.approx(4 / 8)
    # And of a list of one link only one place is judged, also of what was shown.
    assert logged_policy(Matched.of(SWAPPED, wanted(2))).mean(SWAPPED) == pytest.approx(2 / 8)


def test_the_mean_over_all_logs_is_the_truth():
    """Every log of two views there could be, weighed by its chance: IPS and DR with a wrong model
    are right to the last digit.
    """
    slates, chance = [[1, 2], [2, 1]], [0.9, 0.1]
    # By slate and place, as under any click model that knows page, link and place.
    follow = np.array([[0.5, 0.1], [0.6, 0.3]])
    model = np.full((9, 2), 0.37)
    sums = dict.fromkeys(("ips", "dr", "mass"), 0.0)
    for views in itertools.product((0, 1), repeat=2):
        for followed in itertools.product((0, 1), repeat=4):
            pairs = list(zip(itertools.product((0, 1), (0, 1)), followed, strict=True))
            mass = np.prod([chance[slate] for slate in views])
            for (view, place), hit in pairs:
                rate = follow[views[view], place]
                mass *= rate if hit else 1 - rate
            log = log_of(
                slates, [[c, c] for c in chance], list(views), [at for at, hit in pairs if hit]
            )
            shown = Matched.of(log, wanted(2, 1))
            sums["mass"] += mass
            sums["ips"] += mass * ips(shown).mean(log)
            sums["dr"] += mass * doubly_robust(shown, model, EVENLY).mean(log)

    assert sums["mass"] == pytest.approx(1)
    assert sums["ips"] == pytest.approx(0.9)
    assert sums["dr"] == pytest.approx(0.9)


def test_views_of_one_visit_are_one_draw():
    """Sixty views of six visits, alike within each, say as much as six: the interval is wider."""
    views, clicks = [0] * 60, [(view, 0) for view in range(60) if view % 6 < 3]
    alone = log_of([[1]], [[1.0]], views, clicks)
    visits = log_of([[1]], [[1.0]], views, clicks, [view % 6 for view in range(60)])
    terms = Terms(np.zeros(1), np.ones(1))

    narrow, wide = terms.interval(alone), terms.interval(visits)

    assert narrow.value == wide.value == 0.5
    assert wide.high - wide.low > 2.5 * (narrow.high - narrow.low)


def test_a_difference_is_paired():
    """A candidate that is what was shown gains nothing, for sure."""
    log = log_of([[1, 2]], [[1.0, 1.0]], [0] * 40, [(view, 0) for view in range(0, 40, 3)])
    shown = Matched.of(log, wanted(1, 2))

    gain = (ips(shown) - logged_policy(shown)).interval(log)

    assert (gain.value, gain.low, gain.high) == (0, 0, 0)


def test_a_skewed_interval_holds_the_truth():
    """One visit in fifty wins twenty: of 400 samples of 2,000 visits 95 % have the mean inside,
    and what is missed is missed on both sides.
    """
    random = np.random.default_rng(3)
    below = above = 0
    for _ in range(400):
        won = 20.0 * (random.random(2_000) < 0.02)
        found = of_visits(won, np.ones(2_000))
        below += found.high < 0.4
        above += found.low > 0.4

    assert 6 <= below + above <= 34
    assert abs(below - above) <= 14


def test_one_visit_says_nothing_of_its_spread():
    """The interval is the value, and nothing fails."""
    found = of_visits(np.array([2.0]), np.array([4.0]))

    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_a_good_model_makes_estimates_tighter():
    """Sixty simulated logs of many pages, each with a taste of its own: doubly robust with chances
    that are right is tighter than self-normalising, and so it is right more closely; with chances
    that are wrong it is still right on average.
    """
    random = np.random.default_rng(5)
    n = 20
    rate = random.gamma(1.0, 0.2, n).clip(0, 0.8)
    estimates, widths = [], []
    for _ in range(60):
        source = random.integers(n, size=2_000)
        rare = random.random(2_000) < 0.1
        clicked = np.flatnonzero(random.random(2_000) < np.where(rare, rate[source], 0.3))
        log = Impressions(
            ids=[str(number) for number in range(n + 2)], layouts=[""],
            source=np.tile(np.arange(n), 2), layout=np.zeros(2 * n, dtype=int),
            ordered=np.ones(2 * n, dtype=bool), heads=np.arange(2 * n + 1),
            item=np.repeat([n, n + 1], n), propensity=np.repeat([0.9, 0.1], n),
            slate=source + n * rare, ts=np.zeros(2_000), session=np.arange(2_000),
            live=np.ones(2_000, dtype=bool), brought=np.zeros(2 * n, dtype=bool),
            click_view=clicked, click_link=(source + n * rare)[clicked],
        )  # fmt: skip
        table = np.full((n + 2, 1), -1)
        table[:n] = n + 1
        shown, chance = Matched.of(log, table), np.append(rate, [0, 0])[:, None]
        found = [
            snips(shown).interval(log),
            doubly_robust(shown, chance, EVENLY).interval(log),
            doubly_robust(shown, 1 - chance, EVENLY).interval(log),
        ]
        estimates.append([each.value for each in found])
        widths.append([each.high - each.low for each in found])
    normalised, good, bad = np.mean(widths, axis=0)

    assert good < normalised < bad
    assert np.mean(estimates, axis=0) == pytest.approx([rate.mean()] * 3, abs=0.02)
