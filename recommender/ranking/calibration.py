"""How likely a link is to be followed, given that it is looked at.

A score compares links of one source; it came from choices among the links of a slate, so it says
nothing of how often anything is followed at all. Here the log odds of a click on a link that is
looked at are ``level[source] + slope x score``: Platt's logistic curve (1999) with a level for
every source, strictly increasing in the score.

Whoever chose the scores by some clicks must not be believed on the same clicks. So the slope is
what fits the last days of the log, by scores learned from the days before; and the error that is
told is that of chances stated before these days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

from recommender.clicks.choice_model import pairs_in
from recommender.clicks.gamma_poisson import Usual, fitted_weight
from recommender.clicks.intervention_harvesting import MAX_POSITION, N_PLACES
from recommender.clicks.position_bias import Examination
from recommender.ranking.features import BLOCK
from recommender.ranking.ranker import Learned
from recommender.ranking.reliability import reliability
from recommender.ranking.time_splits import examined_in
from recommender.store.counts import Log
from recommender.text.corpus import Corpus

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Clicks' worth of belief that the slope is 1, as it is if scores are true log odds.
PRIOR_CLICKS = 50.0
# The least keeps chances strictly increasing in the score.
LEAST_SLOPE, MOST_SLOPE = 0.02, 20.0
# Clicks that weigh as much as the site's level, before the log is asked, and how sure that is (a
# factor).
USUAL = Usual(5.0, 3.0, least=0.5, most=10_000.0)
N_STEPS = 30
NOTHING = "no link that was shown was followed, so nothing tells how likely a click is"


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """Pairs by ``source`` and ``item``: ``looked`` is how often each was looked at, views times
    examination, and ``clicks`` how often it was followed.
    """

    source: np.ndarray
    item: np.ndarray
    looked: np.ndarray
    clicks: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """By article, the ``level``: log odds of a click on a link beside it that has score 0 and is
    looked at; ``slope`` is by how much they grow with the score. ``examined[0]`` says how likely
    each position is to be looked at, beside the one looked at most; the other rows do for
    ``layouts``.
    """

    level: np.ndarray
    slope: float
    examined: np.ndarray
    layouts: tuple[str, ...]

    def chance(self, sources: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """The chance that a link is followed if it is looked at, ``(n_pairs,)``."""
        return _chance(self.level[sources], self.slope, scores)

    def examination(self, layout: str | None = None) -> np.ndarray:
        """By position up to 50, 0 standing for an unknown one; of the site where a layout was
        never seen.
        """
        known = layout in self.layouts
        row: np.ndarray = self.examined[1 + self.layouts.index(str(layout)) if known else 0]
        return row


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """What came of it. ``calibration`` is None where there is nothing to calibrate from; ``reason``
    is a sentence without an end. ``error`` is the expected calibration error on the last days, None
    where the log is too short to set any aside.
    """

    calibration: Calibration | None
    reason: str
    error: float | None = None

    def about(self) -> dict[str, Any]:
        """The manifest's account of it."""
        held = self.calibration
        return {
            "slope": held and held.slope,
            "reason": self.reason,
            "error": self.error,
        }


def calibrate(
    site: Corpus, log: Log, examination: Examination, learned: Learned, score: Score
) -> Calibrated:
    """Turn what ``score`` says of (sources, items) into chances."""
    shown, _ = log.shown_and_clicked()
    seen = examined_in(log, examination)
    # A chance is at most 1: that of being looked at is told beside the place looked at most.
    seen = seen / max(seen.max(initial=0, where=shown > 0), 1e-12)
    looks = _looks(log, seen, site.n_articles)
    if looks.clicks.sum() == 0:
        return Calibrated(None, NOTHING)
    error, said = None, _said(score, looks)
    if tried := learned.tried:
        before = log.between(0, tried.first)
        past = _looks(before, seen, site.n_articles)
        now = _looks(log.between(tried.first, tried.last), seen, site.n_articles)
        told = _said(lambda *pairs: tried.ranker.score(site, *pairs), now)
        slope = slope_of(now, told)
        past_said = _said(lambda *pairs: tried.ranker.score(site, *pairs), past)
        level = levels_of(past, past_said, slope, site.n_articles)
        stated = _chance(level[now.source], slope, told)
        error = reliability(stated, now.looked, now.clicks).error
        reason = (
            f"on the last days of the log, {now.clicks.sum():,.0f} clicks, chances stated before "
            f"were off by {100 * error:.2f} percentage points in the mean; the slope was fitted "
            "on these days"
        )
    else:
        slope = slope_of(looks, said)
        if learned.ranker:
            # A pair's own clicks are in its score, which goes with them better than it will with
            # the next; weighed as they are, they are worth their log odds at most.
            slope = min(slope, 1.0)
        reason = (
            f"fitted to all {looks.clicks.sum():,.0f} clicks that count; no days were set aside to "
            "try it on"
        )
    level = levels_of(looks, said, slope, site.n_articles)
    return Calibrated(Calibration(level, slope, *_examined(log, seen)), reason, error)


def _looks(log: Log, seen: np.ndarray, n_articles: int) -> Looks:
    """Pairs of a log that were shown; ``seen`` is the examination of each of its links."""
    pairs, of_link = pairs_in(log, n_articles=n_articles)
    shown, clicked = log.shown_and_clicked()
    known = of_link >= 0
    looked, clicks = (
        np.bincount(of_link[known], weights=what[known], minlength=len(pairs.item))
        for what in (shown * seen, clicked)
    )
    kept = np.flatnonzero(looked > 0)
    item = pairs.item[kept].astype(np.int64)
    return Looks(pairs.source[kept], item, looked[kept], clicks[kept])


def _examined(log: Log, seen: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """By position, of the site and of each layout, the mean over views; where there is none, as
    above.
    """
    shown, _ = log.shown_and_clicked()
    place = np.minimum(log.position, MAX_POSITION)
    layout = log.layout[log.link_slate]
    numbers = np.unique(layout[shown > 0]).tolist()
    rows = []
    for links in (shown > 0, *((shown > 0) & (layout == number) for number in numbers)):
        looked, views = (
            np.bincount(place[links], weights=weights[links], minlength=N_PLACES)
            for weights in (shown * seen, shown)
        )
        last = np.maximum.accumulate(np.where(views > 0, np.arange(N_PLACES), 0))
        rows.append(np.where(views[last] > 0, looked[last] / np.maximum(views[last], 1e-12), 1.0))
    return np.array(rows), tuple(log.layouts[number] for number in numbers)


def _said(score: Score, looks: Looks) -> np.ndarray:
    """The score of each pair."""
    parts = (slice(start, start + BLOCK) for start in range(0, len(looks.item), BLOCK))
    return np.concatenate([score(looks.source[part], looks.item[part]) for part in parts])


def slope_of(looks: Looks, score: np.ndarray) -> float:
    """The slope under which the clicks are likeliest, each source having its own level.

    The likelihood is Poisson's of the expected clicks, which is right in the mean for clicks that
    are a share of the looks (Gourieroux, Monfort & Trognon 1984).
    """
    n = int(looks.source.max(initial=-1)) + 1
    clicks, mean = (
        np.bincount(looks.source, weights=weights, minlength=n)
        for weights in (looks.clicks, looks.clicks * score)
    )
    middle = mean / np.maximum(clicks, 1)
    # A standard deviation of scores beside one source is what a slope is a slope of.
    spread = np.average((score - middle[looks.source]) ** 2, weights=looks.clicks)

    def loss(log_slope: float) -> float:
        slope = float(np.exp(log_slope))
        level = levels_of(looks, score, slope, n)
        due = np.maximum(looks.looked * _chance(level[looks.source], slope, score), 1e-300)
        belief = PRIOR_CLICKS * spread * (slope - 1) ** 2 / 2
        return float(due.sum() - (looks.clicks * np.log(due)).sum() + belief)

    bounds = (np.log(LEAST_SLOPE), np.log(MOST_SLOPE))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def levels_of(looks: Looks, score: np.ndarray, slope: float, n_articles: int) -> np.ndarray:
    """The level of each source in log odds, pulled towards the site's as far as sources are alike
    (``(n_articles,)``): a gamma prior, whose width is read off the log.
    """
    # Around their mean, so that no exponential runs away.
    middle = float(np.average(score, weights=looks.looked)) if looks.looked.any() else 0.0
    worth = np.exp(np.clip(slope * (score - middle), -300, 300))
    rare = looks.clicks.sum() / max((looks.looked * worth).sum(), 1e-300)
    together = np.zeros(len(worth), dtype=np.int64)
    site = _levels(looks, worth, together, np.full(1, USUAL.least), np.full(1, rare))
    due = np.bincount(
        looks.source, weights=looks.looked * _share(site[0] * worth), minlength=n_articles
    )
    clicks = np.bincount(looks.source, weights=looks.clicks, minlength=n_articles)
    weight = np.full(n_articles, fitted_weight(clicks, due, USUAL))
    found = _levels(looks, worth, looks.source, weight, np.full(n_articles, site[0]))
    level: np.ndarray = np.log(found) - slope * middle
    return level


def _levels(
    looks: Looks, worth: np.ndarray, group: np.ndarray, weight: np.ndarray, prior: np.ndarray
) -> np.ndarray:
    """The factor of each group with which it is due as many clicks as it got, prior included."""
    n = len(weight)
    got = np.bincount(group, weights=looks.clicks, minlength=n) + weight
    due = np.bincount(group, weights=looks.looked * worth, minlength=n) + weight / prior
    # What is due is concave in the level, so Newton's steps from below never overshoot.
    level = got / due
    for _ in range(N_STEPS):
        share = _share(level[group] * worth)
        due = np.bincount(group, weights=looks.looked * share, minlength=n)
        steep = np.bincount(group, weights=looks.looked * share * (1 - share), minlength=n)
        step = (got - due - weight * level / prior) / (steep / level + weight / prior)
        level = level + step
        if np.all(np.abs(step) <= 1e-9 * level):
            break
    return np.asarray(level)


def _chance(level: np.ndarray, slope: float, score: np.ndarray) -> np.ndarray:
    chance: np.ndarray = expit(level + slope * score)
    return chance


def _share(odds: np.ndarray) -> np.ndarray:
    share: np.ndarray = odds / (1 + odds)
    return share
