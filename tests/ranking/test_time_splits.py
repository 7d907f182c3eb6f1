"""The log is split by its days, and no split knows what comes after it."""

from dataclasses import replace

import numpy as np
import pytest
from sites import EVENLY, Shown, known_examination, log_of, random_articles, site_from

from recommender.clicks.position_bias import MAX_WEIGHT, unidentified
from recommender.ranking.time_splits import examined_in, splits_of
from recommender.store.counts import Log
from recommender.text.corpus import Corpus

N = 24


@pytest.fixture(scope="module")
def site() -> Corpus:
    return site_from(random_articles(N, seed=5))


def test_splits_begin_on_days(site: Corpus):
    """The cuts are days, ascending, first to last; few days make few splits."""
    log = log_of(*(Shown(0, [1], [1], views=10, day=day) for day in range(100, 200)))

    def cuts(log: Log) -> list[int]:
        return splits_of(site, None, log, EVENLY).days

    assert cuts(log) == [100, 109, 124, 139, 154, 169, 184, 200]
    assert cuts(log.between(100, 102)) == [100, 101, 102]
    assert cuts(log.between(150, 151)) == [150, 151]


def test_a_split_knows_only_what_was_before(site: Corpus):
    """Its clicks are those of its days, its past and its history all before."""
    log = log_of(*(Shown(day, [20, 21], [3, day], day=day) for day in range(6)))

    split = splits_of(site, None, log, EVENLY).split(2, 4)

    assert split.now.clicked.sum() == split.shown.clicks.sum() == 3 + 3 + 2 + 3
    assert split.history.clicks.n_clicks == 7
    assert split.history.pairs.find(np.array([2]), np.array([20]))[0] != -1
    assert len(split.seen) == len(split.shown.pair) == 4


def test_other_counts_of_the_same_lists_are_split_alike(site: Corpus):
    """As if the splits had been made of them, how links are examined being known."""
    log = log_of(*(Shown(day, [20, 21], [3, day + 1], day=day) for day in range(6)))
    later = replace(log, n_clicks=np.where(log.click_day < 3, 0, log.n_clicks))
    examination = known_examination([1])
    whole = splits_of(site, None, log, examination)

    other = whole.on(later)

    slow = splits_of(site, None, later, examination)
    found, same = (each.everything().history.clicks for each in (other, slow))
    assert found.n_clicks == same.n_clicks == 3 * 3 + 4 + 5 + 6
    assert found.strength.tolist() == same.strength.tolist()
    assert other.days == whole.days == slow.days
    assert whole.everything().history.clicks.n_clicks == 6 * 3 + 21


def test_other_counts_may_be_examined_otherwise(site: Corpus):
    """Of clicks that all fall on last links the last place would be looked at most."""
    log = log_of(*(Shown(at, [20, 21], [3, 3], day=at) for at in range(6)))
    whole = splits_of(site, None, log, EVENLY)
    last = replace(log, n_clicks=np.where(log.position == 2, 60, 0))

    assert whole.on(last).examined is whole.examined
    assert whole.on(last, known_examination([1, 0.5])).examined.tolist() == [1, 0.5] * 6
    odd = whole.on(last, EVENLY).examined
    assert (odd[1::2] > 10 * odd[::2]).all()


def test_links_to_what_has_no_page_teach_nothing(site: Corpus):
    """Neither they nor the clicks on them count; no list may hold what is known by title alone."""
    log = log_of(*(Shown(day, [20, 21, 22], [3, 2, 50], day=day) for day in range(6)))
    stub = np.arange(N) == 22

    split = splits_of(site, None, log, EVENLY, stub=stub).split(2, 4)

    assert split.now.clicked.sum() == 2 * (3 + 2)
    assert split.history.clicks.n_clicks == 2 * (3 + 2)
    assert split.history.pairs.item[split.shown.pair].max() == 21
    without = log_of(*(Shown(day, [20, 21], [3, 2], day=day) for day in range(6)))
    same = splits_of(site, None, without, EVENLY).split(2, 4)
    strength = split.history.clicks.strength[[20, 21]]
    assert strength == pytest.approx(same.history.clicks.strength[[20, 21]])


def test_ages_are_those_of_the_day_that_is_explained(site: Corpus):
    """A split is seen on its first day, everything now, or else on the day after the last."""
    log = log_of(*(Shown(day, [20, 21], [3, day], day=day) for day in range(6)))

    splits = splits_of(site, None, log, EVENLY, now=9.5)

    assert splits.split(2, 4).history.day == 2
    assert splits.everything().history.day == 9.5
    assert splits_of(site, None, log, EVENLY).everything().history.day == 6


def test_what_cannot_be_separated_from_position_is_put_down_to_it(site: Corpus):
    """All clicks on the first place: it is then examined so much more, and nobody is better."""
    log = log_of(*(Shown(at, [at + 1, at + 2, at + 3], [20, 0, 0]) for at in range(10)))

    examined = examined_in(log, unidentified("nothing moved")).reshape(10, 3)

    assert (examined[:, 0] > 10 * examined[:, 1]).all()
    assert examined[:, 1] == pytest.approx(examined[:, 2])
    known = examined_in(log, known_examination([1, 0.5, 0.25])).reshape(10, 3)
    assert known == pytest.approx(np.tile([1, 0.5, 0.25], (10, 1)))


def test_what_would_weigh_more_than_any_click_may_is_not_learned_from(site: Corpus):
    """Of three places the last is examined less often than one in fifty; its links teach nothing,
    and no weight is beyond the bound.
    """
    log = log_of(*(Shown(at, [at + 1, at + 2, at + 3], [20, 5, 1], day=at) for at in range(10)))

    now = splits_of(site, None, log, known_examination([1, 0.021, 0.019])).split(0, 10).now

    assert now.clicked.sum() == 10 * (20 + 5)
    assert (1 / now.examined).max() <= MAX_WEIGHT
