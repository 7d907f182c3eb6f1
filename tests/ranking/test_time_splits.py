"""The log is cut by its days, and its clicks are shared out among what else stood there."""

import numpy as np
import pytest
from sites import EVENLY, Shown, known_examination, log_of, random_articles, site_from

from recommender.clicks.position_bias import unidentified
from recommender.ranking.time_splits import Choices, examined_in, stretches_of
from recommender.store.counts import Log
from recommender.text.corpus import Corpus

N = 24


@pytest.fixture(scope="module")
def site() -> Corpus:
    return site_from(random_articles(N, seed=5))


def choices(clicks: list[float], *, examined: list[float] | None = None) -> Choices:
    """Slates of two links, each a pair of its own."""
    slate = np.arange(len(clicks)) // 2
    made = np.bincount(slate, weights=clicks)[slate]
    looked = np.array(examined or [1.0] * len(clicks))
    rows = np.arange(len(clicks))
    return Choices(rows, slate, rows, np.array(clicks), made, looked)


def test_what_an_order_is_worth():
    """By hand: in one slate the click is ranked first, in the other second; a click at a place
    looked at half as often counts twice.
    """
    now = choices([1, 0, 0, 1], examined=[1, 1, 1, 0.5])

    assert now.worth(np.array([5.0, 1.0, 9.0, 2.0])) == pytest.approx((1 + 2 / np.log2(3)) / 3)


def test_how_far_one_order_leads_another():
    """By hand: of two slates one gains what a second place lacks, the other nothing; the error is
    that of their mean.
    """
    now = choices([1, 0, 0, 1])
    better, worse = np.array([5.0, 1.0, 2.0, 9.0]), np.array([1.0, 5.0, 2.0, 9.0])
    gained = 1 - 1 / np.log2(3)

    assert now.lead(better, worse) == pytest.approx((gained / 2, gained / 2 / np.sqrt(2)))
    assert now.lead(better, better) == (0, 0)


def test_a_slates_clicks_are_shared_by_examination_and_score():
    """By hand: three to one by score, and two to one by place; another slate is its own affair."""
    now = choices([6, 1, 2, 2], examined=[0.5, 1, 1, 1])
    score = np.log([6.0, 1.0, 500.0, 500.0])

    assert now.share(score) == pytest.approx([3 / 4, 1 / 4, 1 / 2, 1 / 2])
    assert now.expected(score) == pytest.approx([21 / 4, 7 / 4, 2, 2])
    told = (6 * np.log(3 / 4) + np.log(1 / 4) + 4 * np.log(1 / 2)) / 11
    assert now.likelihood(score) == pytest.approx(told)


def test_shares_stay_finite_however_far_scores_lie_apart():
    now = choices([1, 1])

    assert now.share(np.array([2000.0, -2000.0])) == pytest.approx([1, 0])
    assert np.isfinite(now.likelihood(np.array([2000.0, -2000.0])))


def test_a_sample_is_of_whole_slates():
    now = choices([1, 0, 0, 1, 1, 0])

    few = now.sample(4)

    assert few.pair.tolist() == [0, 1, 2, 3]
    assert few.clicks.tolist() == [1, 0, 0, 1]


def test_blocks_begin_on_days(site: Corpus):
    """The cuts are days, ascending, first to last; few days make few blocks."""
    log = log_of(*(Shown(0, [1], [1], views=10, day=day) for day in range(100, 200)))

    def cuts(log: Log) -> list[int]:
        return stretches_of(site, None, log, EVENLY).days

    assert cuts(log) == [100, 109, 124, 139, 154, 169, 184, 200]
    assert cuts(log.between(100, 102)) == [100, 101, 102]
    assert cuts(log.between(150, 151)) == [150, 151]


def test_a_block_knows_only_what_was_before(site: Corpus):
    """Its clicks are those of its days, its past and its history all before."""
    log = log_of(*(Shown(day, [20, 21], [3, day], day=day) for day in range(6)))

    block = stretches_of(site, None, log, EVENLY).block(2, 4)

    assert block.past.clicked.sum() == 3 + 3 + 0 + 1
    assert block.now.clicked.sum() == 3 + 3 + 2 + 3
    assert block.history.clicks.n_clicks == 7
    assert block.history.pairs.find(np.array([2]), np.array([20]))[0] != -1
    assert len(block.seen) == len(block.now.pair) == 4


def test_what_cannot_be_told_from_position_is_put_down_to_it(site: Corpus):
    """All clicks on the first place: it is then looked at so much more, and nobody is better."""
    log = log_of(*(Shown(at, [at + 1, at + 2, at + 3], [20, 0, 0]) for at in range(10)))

    examined = examined_in(log, unidentified("nothing moved")).reshape(10, 3)

    assert (examined[:, 0] > 10 * examined[:, 1]).all()
    assert examined[:, 1] == pytest.approx(examined[:, 2])
    told = examined_in(log, known_examination([1, 0.5, 0.25])).reshape(10, 3)
    assert told == pytest.approx(np.tile([1, 0.5, 0.25], (10, 1)))
