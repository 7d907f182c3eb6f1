"""How likely a link is to be followed where it is examined most, and whether that comes true.

A score compares links of one source; it came from choices among the links of a slate, so nothing in
it shows how often anything is followed at all. Here the log odds of a click are
``level[source] + slope x score``: Platt's logistic curve (1999) with a level for every source,
strictly increasing in the score.

Clicks identify examination only up to a factor: how often the best place is not examined cannot be
distinguished from how often what stands there is not wanted. So a chance is the click rate at the
place examined most, and an exposure a view times examination beside that place.

Scores fit the clicks they were chosen by better than any others. So the slope is what fits the last
days of the log, by scores learned from the days before; the error stated is that of chances of
before these days, on each half of the pages with a slope chosen on the other half.

>>> exposures, clicks = np.array([100.0, 100.0]), np.array([10.0, 32.0])
>>> round(reliability(np.array([0.1, 0.3]), exposures, clicks).error, 3)
0.01
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np

from recommender.array_fields import LARGE, Length, Values, Within
from recommender.clicks.choice_model import exposures_in, pairs_in
from recommender.clicks.gamma_poisson import Usual, fitted_weight
from recommender.clicks.intervention_harvesting import MAX_POSITION, N_PLACES
from recommender.clicks.position_bias import Examination
from recommender.progress import Progress, Silent, tracked
from recommender.ragged import mixed
from recommender.ranking.features import BLOCK
from recommender.ranking.ranker import Learned
from recommender.ranking.time_splits import examined_in
from recommender.store.counts import Log
from recommender.text.corpus import Corpus

if TYPE_CHECKING:
    import pandas as pd

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Clicks that weigh as much as the prior that the slope is 1, as it is if scores are true log odds.
# Not tuned.
PRIOR_CLICKS = 50.0
# The least keeps chances strictly increasing in the score; the most is beyond any seen. Not tuned.
LEAST_SLOPE, MOST_SLOPE = 0.02, 20.0
# Clicks that weigh as much as the site's level, before the log is asked, and how sure that is (a
# factor). Not tuned: a few hundred sources with clicks outweigh it.
USUAL = Usual(5.0, 3.0, least=0.5, most=10_000.0)
# Newton's steps at most; a handful converge.
N_STEPS = 30
# Bins of equal exposure: ten is usual for reliability diagrams.
N_BINS = 10
NOTHING = "no link that was shown was followed, so nothing tells how likely a click is"


@dataclass(frozen=True, slots=True, eq=False)
class Exposures:
    """Pairs by ``source`` and ``item``, their ``exposures``, which are views times examination, and
    their ``clicks``; all ``(n_pairs,)``.
    """

    source: np.ndarray
    item: np.ndarray
    exposures: np.ndarray
    clicks: np.ndarray

    def only(self, kept: np.ndarray) -> Exposures:
        """The pairs that are ``kept``, ``(n_pairs,)``."""
        return Exposures(*(getattr(self, field.name)[kept] for field in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """By article, ``(n_articles,)``, the ``level``: log odds of a click on a link beside it that
    has score 0 and stands where it is examined most; ``slope`` is by how much they grow with the
    score. ``examined[0]`` is the examination of each position beside that place; the other rows, of
    ``(1 + n_layouts, 51)``, are those of ``layouts``.
    """

    level: Annotated[np.ndarray, Values("n_articles")]
    slope: Annotated[float, Within(0, LARGE)]
    examined: Annotated[np.ndarray, Values(f"n_layouts+1, {N_PLACES}", least=0, most=1)]
    layouts: Annotated[tuple[str, ...], Length("n_layouts")]

    def chance(self, sources: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """The chance that a link at the place examined most is followed, ``(n_pairs,)``, by sources
        and scores ``(n_pairs,)``.
        """
        from scipy.special import expit

        return expit(self.level[sources] + self.slope * scores)

    def examination(self, layout: str | None = None) -> np.ndarray:
        """By position up to 50, ``(51,)``, 0 standing for an unknown one; of the site where a
        layout was never seen.
        """
        known = layout in self.layouts
        return self.examined[1 + self.layouts.index(str(layout)) if known else 0]


class Slope(NamedTuple):
    """The slope of chances, how it came about, and how far off chances were with it."""

    value: float
    reason: str
    error: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """What came of it. ``calibration`` is None where there is nothing to calibrate from; ``reason``
    is a sentence without an end. ``error`` is the expected calibration error on the last days, None
    where the log is too short to set any aside.
    """

    calibration: Calibration | None
    reason: str
    error: float | None = None

    @property
    def slope(self) -> Slope | None:
        """What of it is fitted to the last days, None where there was nothing to fit it to."""
        held = self.calibration
        return Slope(held.slope, self.reason, self.error) if held else None

    def about(self) -> dict[str, Any]:
        """The manifest's account of it."""
        held = self.calibration
        return {
            "slope": held and held.slope,
            "reason": self.reason,
            "error": self.error,
        }


def calibrate(
    corpus: Corpus,
    log: Log,
    examination: Examination,
    learned: Learned,
    score: Score,
    *,
    stub: np.ndarray | None = None,
    known: Slope | None = None,
) -> Calibrated:
    """Turn the ``score`` of (sources, items), ``(n_pairs,)`` each, into chances; links to a
    ``stub``, ``(n_articles,)``, from which nothing is learned, are left out. The slope is that
    which is ``known``, if any; levels are of this log.
    """
    n_shown, _ = log.shown_and_clicked()
    examined = examined_in(log, examination)
    # A chance is at most 1, so examination is that beside the place examined most.
    examined = examined / max(examined.max(initial=0, where=n_shown > 0), 1e-12)
    counted = examined
    if stub is not None:
        counted = np.where(log.leads_to(stub), 0, examined)
    whole = _exposures(log, counted, corpus.n_articles)
    if whole.clicks.sum() == 0:
        return Calibrated(None, NOTHING)
    from scipy.special import expit

    error, found = None, scores(score, whole.source, whole.item)
    if known:
        slope, reason, error = known
    elif tried := learned.tried:
        past = _exposures(log.between(0, tried.first), counted, corpus.n_articles)
        now = _exposures(log.between(tried.first, tried.last), counted, corpus.n_articles)
        past_scores, now_scores = (
            scores(partial(tried.ranker.score, corpus), part.source, part.item)
            for part in (past, now)
        )
        slope = slope_of(now, now_scores)
        # The slope is judged on pages that it was not chosen on: of two halves, by the other.
        half = mixed(now.source.astype(np.int64)) & 1 == 0
        stated = np.empty(len(now_scores))
        for chosen in (half, ~half):
            others = now.only(~chosen)
            of_half = slope_of(others, now_scores[~chosen]) if others.clicks.any() else slope
            level = levels_of(past, past_scores, of_half, corpus.n_articles)
            stated[chosen] = expit(level[now.source] + of_half * now_scores)[chosen]
        error = reliability(stated, now.exposures, now.clicks).error
        reason = (
            f"on the last days of the log, {now.clicks.sum():,.0f} clicks, chances stated before "
            f"were off by {100 * error:.2f} percentage points in the mean, with a slope that was "
            "chosen on other pages"
        )
    else:
        slope = slope_of(whole, found)
        if learned.ranker:
            # A pair's own clicks are in its score, which goes with them better than it will with
            # the next; weighed as they are, they count their log odds at most.
            slope = min(slope, 1.0)
        reason = (
            f"fitted to all {whole.clicks.sum():,.0f} clicks that count; no days were set aside to "
            "try it on"
        )
    level = levels_of(whole, found, slope, corpus.n_articles)
    return Calibrated(Calibration(level, slope, *_examined(log, examined)), reason, error)


def _exposures(log: Log, examined: np.ndarray, n_articles: int) -> Exposures:
    """Pairs of a log that were shown; ``examined`` is the propensity of each of its links."""
    pairs, of_link = pairs_in(log, n_articles=n_articles)
    found = exposures_in(log, pairs, of_link, examined)
    item = pairs.item[found.pair].astype(np.int64)
    return Exposures(pairs.source[found.pair], item, found.exposures, found.clicks)


def _examined(log: Log, examined: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """By position, of the site and of each layout, the mean over views; where there is none, as
    above.
    """
    n_shown, _ = log.shown_and_clicked()
    place = np.minimum(log.position, MAX_POSITION)
    layout = log.layout[log.link_slate]
    numbers = np.unique(layout[n_shown > 0]).tolist()
    rows = []
    for links in (n_shown > 0, *((n_shown > 0) & (layout == number) for number in numbers)):
        exposures, views = (
            np.bincount(place[links], weights=weights[links], minlength=N_PLACES)
            for weights in (n_shown * examined, n_shown)
        )
        last = np.maximum.accumulate(np.where(views > 0, np.arange(N_PLACES), 0))
        mean = exposures[last] / np.maximum(views[last], 1e-12)
        rows.append(np.where(views[last] > 0, mean, 1.0))
    return np.array(rows), tuple(log.layouts[number] for number in numbers)


def scores(
    score: Score, sources: np.ndarray, items: np.ndarray, progress: Progress | None = None
) -> np.ndarray:
    """The ``score`` of pairs, block by block; all are ``(n_pairs,)``."""
    starts = tracked(range(0, len(items), BLOCK), progress or Silent())
    parts = (slice(start, start + BLOCK) for start in starts)
    return np.concatenate([np.zeros(0), *(score(sources[part], items[part]) for part in parts)])


def slope_of(shown: Exposures, score: np.ndarray) -> float:
    """The slope under which the clicks are likeliest, each source having its own level.

    The likelihood is Poisson's of the expected clicks, which is right in the mean for clicks that
    are a share of the exposures (Gourieroux, Monfort & Trognon 1984).
    """
    # It takes 20 MB, and only clicks need it here.
    from scipy.optimize import minimize_scalar
    from scipy.special import expit

    n = int(shown.source.max(initial=-1)) + 1
    clicks, mean = (
        np.bincount(shown.source, weights=weights, minlength=n)
        for weights in (shown.clicks, shown.clicks * score)
    )
    middle = mean / np.maximum(clicks, 1)
    # A standard deviation of scores beside one source is what a slope is a slope of.
    spread = np.average((score - middle[shown.source]) ** 2, weights=shown.clicks)

    def loss(log_slope: float) -> float:
        slope = float(np.exp(log_slope))
        level = levels_of(shown, score, slope, n)
        due = np.maximum(shown.exposures * expit(level[shown.source] + slope * score), 1e-300)
        prior = PRIOR_CLICKS * spread * (slope - 1) ** 2 / 2
        return float(due.sum() - (shown.clicks * np.log(due)).sum() + prior)

    bounds = (np.log(LEAST_SLOPE), np.log(MOST_SLOPE))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def levels_of(shown: Exposures, score: np.ndarray, slope: float, n_articles: int) -> np.ndarray:
    """The level of each source in log odds, pulled towards the site's as far as sources are alike
    (``(n_articles,)``): a gamma prior, whose width is fitted to the log.
    """
    # Around their mean, so that no exponential runs away.
    middle = float(np.average(score, weights=shown.exposures)) if shown.exposures.any() else 0.0
    odds = np.exp(np.clip(slope * (score - middle), -300, 300))
    rare = shown.clicks.sum() / max((shown.exposures * odds).sum(), 1e-300)
    together = np.zeros(len(odds), dtype=np.int64)
    site = _levels(shown, odds, together, np.full(1, USUAL.least), np.full(1, rare))
    due = np.bincount(
        shown.source, weights=shown.exposures * _from_odds(site[0] * odds), minlength=n_articles
    )
    clicks = np.bincount(shown.source, weights=shown.clicks, minlength=n_articles)
    weight = np.full(n_articles, fitted_weight(clicks, due, USUAL))
    found = _levels(shown, odds, shown.source, weight, np.full(n_articles, site[0]))
    return np.log(found) - slope * middle


def _levels(
    shown: Exposures, odds: np.ndarray, group: np.ndarray, weight: np.ndarray, prior: np.ndarray
) -> np.ndarray:
    """The factor of each group with which it is due as many clicks as it got, prior included."""
    n = len(weight)
    got = np.bincount(group, weights=shown.clicks, minlength=n) + weight
    due = np.bincount(group, weights=shown.exposures * odds, minlength=n) + weight / prior
    # What is due is concave in the level, so Newton's steps from below never overshoot.
    level = got / due
    for _ in range(N_STEPS):
        share = _from_odds(level[group] * odds)
        due = np.bincount(group, weights=shown.exposures * share, minlength=n)
        steep = np.bincount(group, weights=shown.exposures * share * (1 - share), minlength=n)
        step = (got - due - weight * level / prior) / (steep / level + weight / prior)
        level = level + step
        if np.all(np.abs(step) <= 1e-9 * level):
            break
    return np.asarray(level)


def _from_odds(odds: np.ndarray) -> np.ndarray:
    return odds / (1 + odds)


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Links by stated chance, in bins of equal exposure, ``(n_bins,)`` each: the mean chance
    ``stated``, the share ``followed``, the bounds of its exact 95 % interval for counts (Garwood
    1936), and the ``exposures``, views times examination.
    """

    stated: np.ndarray
    followed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    exposures: np.ndarray

    @property
    def error(self) -> float:
        """How far stated chances are from what was followed, bin by bin, in the mean over
        exposures: the expected calibration error of Naeini, Cooper & Hauskrecht (AAAI 2015).
        """
        gap = self.exposures * np.abs(self.stated - self.followed)
        return float(gap.sum() / max(self.exposures.sum(), 1e-12))

    def frame(self) -> pd.DataFrame:
        """One row a bin: ``stated``, ``followed``, ``low``, ``high``, ``exposures``."""
        import pandas as pd

        return pd.DataFrame({field.name: getattr(self, field.name) for field in fields(self)})


def reliability(stated: np.ndarray, exposures: np.ndarray, clicks: np.ndarray) -> Reliability:
    """Compare stated chances with clicks over exposures; all are ``(n_links,)``."""
    stated, exposures, clicks = (part[exposures > 0] for part in (stated, exposures, clicks))
    order = np.argsort(stated, kind="stable")
    middle = np.cumsum(exposures[order]) - exposures[order] / 2
    number = np.empty(len(order), dtype=np.int64)
    number[order] = middle / max(exposures.sum(), 1e-12) * N_BINS
    _, number = np.unique(number, return_inverse=True)
    whole, due, made = (
        np.bincount(number, weights=part) for part in (exposures, exposures * stated, clicks)
    )
    from scipy.special import gammaincinv

    low = np.where(made > 0, gammaincinv(np.maximum(made, 1e-12), 0.025), 0.0)
    high = gammaincinv(made + 1, 0.975)
    return Reliability(due / whole, made / whole, low / whole, high / whole, whole)
