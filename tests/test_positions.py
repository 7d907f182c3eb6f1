"""Examination is recovered where links changed place, and refused where the log cannot know."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from sites import Shown, click, known_examination, log_of, view

from recommender.counts import Log, count, empty_log
from recommender.positions import MAX_POSITION, Examination, estimate
from recommender.store import Store

N_LINKS = 10
TRUTH = np.array([position**-0.7 for position in range(1, N_LINKS + 1)])
Orders = Callable[[np.random.Generator], list[Sequence[int]]]


def shuffled(random: np.random.Generator) -> list[Sequence[int]]:
    """A list in six random orders."""
    return [random.permutation(N_LINKS).tolist() for _ in range(6)]


def simulated(
    *, seed: int, orders: Orders = shuffled, n_sources: int = 60, views: int = 200,
    truth: np.ndarray = TRUTH, **more: bool,
) -> Log:  # fmt: skip
    """Readers who look at position p with chance ``truth[p]``, and follow what appeals to them."""
    random = np.random.default_rng(seed)
    slates = []
    for source in range(n_sources):
        items = 100 + random.choice(200, N_LINKS, replace=False)
        appeal = random.uniform(0.02, 0.3, N_LINKS)
        for order in orders(random):
            clicks = random.binomial(views, truth * appeal[list(order)])
            slates.append(
                Shown(source, items[list(order)].tolist(), clicks.tolist(), views, **more)
            )
    return log_of(*slates)


def test_known_examination_is_recovered():
    """In 12 simulated logs the 95 % intervals hold the truth about 95 times of a hundred, and
    the estimates are within a tenth of it (500 and more moved clicks at every position).
    """
    covered, errors = [], []
    for seed in range(12):
        found = estimate(simulated(seed=seed), seed=seed)

        assert found.identified, found.reason
        low, high = found.low[2 : N_LINKS + 1], found.high[2 : N_LINKS + 1]
        covered.append((low <= TRUTH[1:]) & (high >= TRUTH[1:]))
        errors.append(np.abs(found.chance[1 : N_LINKS + 1] / TRUTH - 1))

    assert np.mean(covered) > 0.88
    assert np.mean(covered, axis=0).min() >= 0.7
    assert np.mean(np.array(errors) < 0.1) > 0.97


def test_what_appeals_does_not_pass_for_what_is_looked_at():
    """Good links on top nine times of ten: counting clicks by position would mislead."""
    views = np.array([1800, 100, 100])

    def biased(random: np.random.Generator) -> list[Sequence[int]]:
        return [list(range(N_LINKS)), *shuffled(random)[:2]]

    random = np.random.default_rng(3)
    slates = []
    for source in range(60):
        appeal = np.sort(random.uniform(0.02, 0.4, N_LINKS))[::-1]
        for order, times in zip(biased(random), views.tolist(), strict=True):
            clicks = random.binomial(times, TRUTH * appeal[list(order)])
            slates.append(Shown(source, [100 + place for place in order], clicks.tolist(), times))
    log = log_of(*slates)

    found = estimate(log, seed=0)

    shown, clicked = log.shown_and_clicked()
    by_position = np.bincount(log.position, clicked)[1:] / np.bincount(log.position, shown)[1:]
    naive = by_position / by_position[0]
    assert np.abs(found.chance[1:11] / TRUTH - 1).max() < 0.15
    assert np.abs(naive / TRUTH - 1).max() > 0.5


def test_clicks_that_fall_evenly_are_told():
    """Readers who look at everything: every position is worth 1."""
    found = estimate(simulated(seed=1, truth=np.ones(N_LINKS)), seed=1)

    assert np.abs(found.chance[1 : N_LINKS + 1] - 1).max() < 0.12
    assert found.at(np.array([0, 1]))[0] == 1


def refused(found: Examination) -> str:
    """The reason of a refusal, which takes every position for 1."""
    assert not found.identified
    assert (found.chance == 1).all()
    assert (found.low == 1).all()
    assert (found.high == 1).all()
    return found.reason


def test_static_lists_are_refused():
    """Each link always stood at one place: nothing tells a good link from a well-placed one."""
    found = estimate(simulated(seed=0, orders=lambda random: [range(N_LINKS)]), seed=0)

    assert refused(found).startswith("only 0 clicks fell on links that were seen at more than one")


def test_lists_without_an_order_are_refused():
    """Then no position is known."""
    found = estimate(simulated(seed=0, ordered=False), seed=0)

    assert refused(found) == "the log does not say at which position a link stood"
    assert refused(estimate(empty_log(), seed=0)) == refused(found)


def test_few_clicks_are_refused():
    """Some dozens of clicks on links that moved are too few, and the reason counts them."""
    found = estimate(simulated(seed=0, n_sources=2, views=20), seed=0)

    assert f"only {found.n_clicks} clicks" in refused(found)
    assert 0 < found.n_clicks < 200


def test_wide_intervals_are_refused():
    """The first two links swap all the time, the others hardly ever: a handful of clicks tells
    too little of the lower places.
    """

    def first_two(random: np.random.Generator) -> list[Sequence[int]]:
        return [range(N_LINKS), [1, 0, *range(2, N_LINKS)]]

    often = simulated(seed=0, orders=first_two)
    seldom = simulated(seed=1, n_sources=1, views=25)

    reason = refused(estimate(log_of(*_as_slates(often), *_as_slates(seldom)), seed=0))

    assert "95 % interval of position" in reason


def test_a_few_links_are_refused():
    """Of three links any draw gives much the same, which is not to say that it is right."""
    reason = refused(estimate(simulated(seed=0, n_sources=1, views=9000), seed=0))

    assert reason.startswith("only 10 followed links were seen at more than one position")


def _as_slates(log: Log) -> list[Shown]:
    _, clicked = log.shown_and_clicked()
    return [
        Shown(int(source), log.item[first:last].tolist(), clicked[first:last].tolist(), int(views))
        for source, views, first, last in zip(
            log.source, log.n_views, log.heads, log.heads[1:], strict=False
        )
    ]


def test_positions_no_link_has_in_common_are_refused():
    """The first two links change place and the others never do, or only among themselves: then
    nothing says how the lower positions compare with the first.
    """

    def first_two(random: np.random.Generator) -> list[Sequence[int]]:
        return [range(N_LINKS), [1, 0, *range(2, N_LINKS)]]

    def two_groups(random: np.random.Generator) -> list[Sequence[int]]:
        return [range(N_LINKS), [1, 0, *range(N_LINKS - 1, 1, -1)]]

    for orders in (first_two, two_groups):
        reason = refused(estimate(simulated(seed=0, orders=orders), seed=0))
        assert reason.startswith("position 3 cannot be compared with position 1")


def test_a_chain_of_neighbours_that_swap_is_enough():
    """Every two neighbours change place now and then: a chain leads from the last to the first."""

    def neighbours(random: np.random.Generator) -> list[Sequence[int]]:
        orders = [list(range(N_LINKS)) for _ in range(N_LINKS)]
        for at, order in enumerate(orders[1:]):
            order[at], order[at + 1] = order[at + 1], order[at]
        return orders

    found = estimate(simulated(seed=2, orders=neighbours, views=600), seed=2)

    assert found.identified, found.reason
    assert np.abs(found.chance[1:11] / TRUTH - 1).max() < 0.2


def test_places_seldom_seen_borrow_from_above():
    """A few longer lists do not stop the estimate: their ends count as the last known position."""
    long = [
        Shown(500, list(range(600, 660)), [0] * 60, 3),
        Shown(500, list(range(659, 599, -1)), [0] * 60, 3),
    ]

    found = estimate(log_of(*_as_slates(simulated(seed=4)), *long), seed=4)

    assert found.identified
    assert (found.chance[11:] == found.chance[10]).all()
    assert found.at(np.array([60, MAX_POSITION]))[0] == found.chance[10]


def test_the_seed_settles_the_intervals():
    """Two runs give the same bytes."""
    log = simulated(seed=6, n_sources=15)

    first, second = estimate(log, seed=1), estimate(log, seed=1)

    assert np.array_equal(first.low, second.low)
    assert np.array_equal(first.high, second.high)


def test_a_click_twice_as_often_above_says_half():
    """By hand, and from a store: links that swap, 180 clicks above and 90 below."""
    events = []
    for number in range(600):
        name, source = f"v{number}", f"source {number % 15}"
        shown = ("gout", "salt") if number % 2 else ("salt", "gout")
        events.append(view(name, source, *shown))
        if number < 270:
            events.append(click(name, shown[1] if number // 30 % 3 == 0 else shown[0]))
    with Store("sqlite://") as store:
        store.add_events(events)
        found = estimate(
            count(store, ["gout", "salt", *(f"source {number}" for number in range(15))]), seed=0
        )

    assert found.n_clicks == 270
    assert found.chance[2] == pytest.approx(0.5, abs=0.01)


def test_at_answers_beyond_the_last_position():
    """Positions without end share the last value; an unknown one is worth 1."""
    found = known_examination([1.0, 0.5, 0.25])

    assert found.at(np.array([0, 1, 2, 3, 4, 50, 51, 999])).tolist() == [1, 1, 0.5] + [0.25] * 5
