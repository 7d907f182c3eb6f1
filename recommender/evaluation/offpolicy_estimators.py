"""Estimates of what lists that were not shown would have won, from views of lists that were.

The value of lists is the clicks they win a view, beside the articles of the logged views. All
estimators but the last take the item-position model: what a link wins depends on the page, the
link and its place, not on its neighbours (Li et al. 2018, "Offline evaluation of ranking policies
with click models"). A logged link that stands where the candidate would put it weighs one over its
chance of standing there.

Each estimator is a sum over views: so much for every view of a slate, and so much for every click
on one of its links. So one function gives all of them, and all their differences, an interval.

A page shows one link of two, drawn with chances 3/4 and 1/4; the candidate always shows the second.

>>> log = Impressions(
...     ids=["page", "a", "b"], layouts=[""], source=np.array([0, 0]), layout=np.array([0, 0]),
...     ordered=np.array([True, True]), heads=np.array([0, 1, 2]), item=np.array([1, 2]),
...     propensity=np.array([0.75, 0.25]), slate=np.array([0, 0, 0, 1]), ts=np.zeros(4),
...     session=np.arange(4), live=np.ones(4, dtype=bool), brought=np.zeros(2, dtype=bool),
...     click_view=np.array([3]), click_link=np.array([1]))
>>> shown = Matched.of(log, np.array([[2], [-1], [-1]]))
>>> ips(shown).mean(log)
1.0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.candidates import EMPTY
from recommender.store.impressions import Impressions

# The 97.5 % point of the normal distribution.
CONFIDENCE = 1.959964
# A pair with fewer exposures (views times examination) than this has no click rate of its own.
# Not tuned: below 2 the correction of the variance, 1 - 1 / exposures, has no value.
MIN_EXPOSURES = 2.0


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over views and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """An estimate as a sum over views: ``slate`` for every view of a slate, ``(n_slates,)``, and
    ``link`` for every click on a link, ``(n_links,)``. The variance is that of the sums of visits.
    """

    slate: np.ndarray
    link: np.ndarray

    def __sub__(self, other: Terms) -> Terms:
        return Terms(self.slate - other.slate, self.link - other.link)

    def mean(self, log: Impressions) -> float:
        """The estimate, a view."""
        total = self.slate[log.slate].sum() + self.link[log.click_link].sum()
        return float(total / len(log.slate))

    def interval(self, log: Impressions, *, least: float = -np.inf) -> Interval:
        """The estimate with its interval, which reaches no lower than ``least``."""
        views = np.bincount(log.session, minlength=log.n_sessions)
        won = np.bincount(log.session, weights=self.slate[log.slate], minlength=log.n_sessions)
        clicked = log.session[log.click_view]
        won += np.bincount(clicked, weights=self.link[log.click_link], minlength=log.n_sessions)
        return of_visits(won, views, least=least)


def of_visits(won: np.ndarray, views: np.ndarray, *, least: float = -np.inf) -> Interval:
    """``won`` over ``views``, both ``(n_visits,)``, with its 95 % interval.

    A few visits win most of what is won, so the estimate is skewed, and an interval that is not is
    left behind too often on one side. This one is Hall's (1992, "On the removal of skewness by
    transformation"): a cubic in Student's t that takes the skewness out, turned round.
    """
    n = len(won)
    value = float(won.sum() / views.sum())
    apart = won - value * views
    spread = float((apart**2).mean())
    if n < 2 or spread <= 0:
        return Interval(value, value, value)
    error = np.sqrt(spread * n * n / (n - 1)) / views.sum()
    skew = float((apart**3).mean()) / spread**1.5 / np.sqrt(n)
    if abs(skew) < 1e-9:
        low, high = CONFIDENCE, -CONFIDENCE
    else:
        low, high = (
            3 / skew * (np.cbrt(1 + skew * (t - skew / 6)) - 1) for t in (CONFIDENCE, -CONFIDENCE)
        )
    return Interval(value, float(max(least, value - error * low)), float(value - error * high))


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """A candidate's lists held against a log.

    ``wanted`` is ``(n_ids, k)``, what the candidate shows beside each article, ``EMPTY`` where it
    shows nothing. Of the slates: ``views`` and ``places``, how many links of the candidate the
    page has room for. Of the links: ``slate``, ``place`` (from 0), ``clicks``, and ``weight``: one
    over the chance of a link that stands where the candidate would put it, 0 for the others.
    """

    log: Impressions
    wanted: np.ndarray
    views: np.ndarray
    places: np.ndarray
    slate: np.ndarray
    place: np.ndarray
    clicks: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, log: Impressions, wanted: np.ndarray) -> Matched:
        """The candidate fills the places a page has, up to ``k``; it never has more."""
        slate, place, k = log.link_slate, log.place, wanted.shape[1]
        there = wanted[log.source[slate], np.minimum(place, k - 1)]
        same = (there == log.item) & (place < k)
        return cls(
            log=log,
            wanted=wanted,
            views=np.bincount(log.slate, minlength=len(log.source)).astype(np.float64),
            places=np.minimum(log.size, (wanted != EMPTY).sum(axis=1)[log.source]),
            slate=slate,
            place=place,
            clicks=np.bincount(log.click_link, minlength=len(log.item)).astype(np.float64),
            weight=np.where(same, np.nan_to_num(1 / log.propensity), 0.0),
        )

    @property
    def shown(self) -> np.ndarray:
        """How often each link was shown, ``(n_links,)``."""
        return self.views[self.slate]

    @property
    def room(self) -> np.ndarray:
        """In how many views the candidate has a link at each place, ``(k,)``."""
        at_least = np.bincount(self.places, weights=self.views, minlength=self.wanted.shape[1] + 1)
        return at_least[::-1].cumsum()[::-1][1:]

    def by_place(self, values: np.ndarray) -> np.ndarray:
        """The sum over links of each place, ``(k,)``."""
        k = self.wanted.shape[1]
        use = self.place < k
        return np.bincount(self.place[use], weights=values[use], minlength=k)

    def by_slate(self, values: np.ndarray) -> np.ndarray:
        """The sum over links of each slate, ``(n_slates,)``."""
        return np.bincount(self.slate, weights=values, minlength=len(self.places))


@dataclass(frozen=True, slots=True)
class Weight:
    """How much the weights leave of a log. ``effective`` is the number of views of the candidate's
    own lists that would be as informative (Kish, "Survey sampling", 1965); ``top`` the share of all
    weight in the heaviest hundredth of the places; ``unsupported`` the share of the candidate's
    places that the log has no view of.
    """

    effective: float
    top: float
    unsupported: float


def logged_policy(shown: Matched) -> Terms:
    """What was won by what was shown, in the first ``k`` places."""
    first = shown.place < shown.wanted.shape[1]
    return Terms(np.zeros(len(shown.places)), first.astype(np.float64))


def ips(shown: Matched) -> Terms:
    """Clicks on the candidate's links at its places, each over its chance (Horvitz & Thompson
    1952). No model, no bias; what has no support counts as nothing.
    """
    return Terms(np.zeros(len(shown.places)), shown.weight)


def snips(shown: Matched) -> Terms:
    """Place by place, what was won over the weight there was instead of that to be expected
    (Swaminathan & Joachims, NeurIPS 2015). What has no support counts as the rest of its place.
    """
    weight = shown.weight
    there, won = (shown.by_place(weight * times) for times in (shown.shown, shown.clicks))
    rate, scale = _over(won, there), _over(shown.room, there)
    at = np.minimum(shown.place, len(rate) - 1)
    due = np.concatenate([[0.0], rate.cumsum()])[shown.places]
    return Terms(due - shown.by_slate(weight * (scale * rate)[at]), weight * scale[at])


def doubly_robust(shown: Matched, chance: np.ndarray, examined: np.ndarray) -> Terms:
    """A model's clicks, put right by what was followed beyond it (Dudík, Langford & Li, ICML 2011).

    ``chance``, ``(n_ids, k)``, is that of a wanted link being followed if it is examined;
    ``examined``, ``(n_layouts, n_places)``, that of a place being examined. Unbiased where there is
    support, however wrong the model, if it has not learned from these views; elsewhere the model
    decides.
    """
    log, k = shown.log, shown.wanted.shape[1]
    predicted = np.zeros(len(shown.places))
    for place in range(k):
        won = chance[log.source, place] * examined[log.layout, min(place, examined.shape[1] - 1)]
        predicted += np.where(place < shown.places, won, 0.0)
    at = np.minimum(shown.place, k - 1)
    seen = examined[log.layout[shown.slate], np.minimum(at, examined.shape[1] - 1)]
    model = chance[log.source[shown.slate], at] * seen
    return Terms(predicted - shown.by_slate(shown.weight * model), shown.weight)


def weight_of(shown: Matched) -> Weight:
    """Of what ``ips``, ``snips`` and ``doubly_robust`` do. The mean weight of a place that has
    support is 1, so what the weights lack is the share without.
    """
    seen = np.ones(len(shown.weight))
    room = shown.room.sum()
    lacking = 1 - float((shown.weight * shown.shown).sum() / max(room, 1e-12))
    return _weight(shown, shown.weight, seen, room, max(0.0, lacking))


def position_based(shown: Matched, examined: np.ndarray) -> tuple[Terms, Weight]:
    """Each pair's clicks over its exposures, wherever it stood, times the exposures it would have
    where the candidate puts it: right under the examination hypothesis (Richardson, Dominowska &
    Ragno, WWW 2007), by which a click takes examination of the place and an attraction that is the
    pair's at every place, if ``examined``, ``(n_layouts, n_places)``, has the chances of places
    being examined.

    It takes no randomised view. A pair without ``MIN_EXPOSURES`` counts as the others of its place.
    """
    log, k = shown.log, shown.wanted.shape[1]
    last = examined.shape[1] - 1
    seen = examined[log.layout[shown.slate], np.minimum(shown.place, last)]
    # One more than there are ids: a wanted article may be in no slate of the log.
    n_ids = np.int64(len(log.ids) + 1)
    keys, pair = np.unique(log.source[shown.slate] * n_ids + log.item, return_inverse=True)
    exposures, clicks = (
        np.bincount(pair, weights=times, minlength=len(keys))
        for times in (seen * shown.shown, shown.clicks)
    )
    measured = exposures >= MIN_EXPOSURES
    rate = np.where(measured, clicks / np.maximum(exposures, MIN_EXPOSURES), 0.0)
    due, wanted_exposures = np.zeros(len(shown.places)), np.zeros(len(keys))
    room = lacking = 0.0
    for place in range(k if len(keys) else 0):
        key = log.source * n_ids + shown.wanted[log.source, place]
        at = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        there = place < shown.places
        known = there & (keys[at] == key) & measured[at]
        chance = examined[log.layout, min(place, last)]
        here = chance * shown.views
        scale = here[there].sum() / max(here[known].sum(), 1e-12)
        np.add.at(wanted_exposures, at[known], scale * here[known])
        due[known] += scale * (chance * rate[at])[known]
        room += shown.views[there].sum()
        lacking += shown.views[there & ~known].sum()
    weight = np.where(measured, wanted_exposures / np.maximum(exposures, MIN_EXPOSURES), 0.0)[pair]
    # A rate is nearer to its own few clicks than to the truth: as each exposure is one of few.
    apart = weight * np.sqrt(1 / (1 - 1 / np.maximum(exposures, MIN_EXPOSURES)))[pair]
    terms = Terms(due - shown.by_slate(apart * seen * rate[pair]), apart)
    wanted = float(wanted_exposures.sum())
    return terms, _weight(shown, weight, seen, room, lacking / max(room, 1e-12), wanted)


def _weight(
    shown: Matched,
    weight: np.ndarray,
    seen: np.ndarray,
    room: float,
    unsupported: float,
    wanted: float | None = None,
) -> Weight:
    """``wanted`` is the exposures that the candidate's links would have in all views, by default
    ``room``, as if all places were examined alike.
    """
    n_views = max(shown.views.sum(), 1.0)
    total = (weight * seen * shown.shown).sum()
    squares = (weight**2 * seen * shown.shown).sum()
    a_view = max((room if wanted is None else wanted) / n_views, 1e-12)
    effective = float(total**2 / squares / a_view) if squares > 0 else 0.0
    order = np.argsort(-weight, kind="stable")
    times = shown.shown[order]
    heaviest = 0.01 * times.sum()
    kept = np.clip(heaviest - (times.cumsum() - times), 0, times)
    mass = float((weight * shown.shown).sum())
    top = float((weight[order] * kept).sum() / mass) if mass > 0 else 0.0
    return Weight(effective, top, unsupported)


def _over(what: np.ndarray, by: np.ndarray) -> np.ndarray:
    """0 where there is nothing to divide by."""
    return np.divide(what, by, out=np.zeros(len(what)), where=by > 0)
