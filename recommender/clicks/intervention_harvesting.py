"""Examination by position from links that changed place, however attractive they are.

The position-based model has P(click) = examination(position) x attractiveness(source, item). Of a
pair seen at several positions while its attractiveness stood still, the clicks fall on these in
proportion to views x examination: conditioning on the pair's clicks takes it out, and what remains
is a multinomial likelihood in the examination alone. Views in random order and lists shown side by
side both move pairs (intervention harvesting, Agarwal et al., WSDM 2019), and this likelihood uses
them in full: on simulated logs its error is below that of clicks weighted by
one over the logged chance (``python -m benchmarks positions``).

The pair's clicks are compared within a stratum, a period in which its places did not
depend on the clicks that are counted; the caller decides what strata are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from recommender.ragged import clusters

# Positions further down share one value: beyond it few lists go.
MAX_POSITION = 50
N_PLACES = MAX_POSITION + 1  # place 0: position unknown
# Clicks on pairs that changed place. Below it intervals are too wide to be of use.
MIN_CLICKS = 200
# A position's 95 % interval may span at most this factor. If one further up is wider there is no
# curve; if one further down is, the curve ends above it.
MAX_SPAN = 2.5
# A curve of fewer positions than this corrects for too little. Not tuned.
N_NEEDED = 3
N_BOOTSTRAP = 1000  # draws; usual for 95 % intervals by quantiles
# Pairs are drawn in so many blocks at most; more give the same intervals and take longer.
N_BLOCKS = 200
# By how much the logarithms of two layouts' curves usually differ, where nothing is known of one.
SPREAD = 0.5
# Draws of fewer pairs than this vary too little to show how far the estimate may be off.
MIN_PAIRS = 20
# The weight, in clicks, of a position's being like any other: one without clicks is not impossible.
PRIOR_CLICKS = 0.5
# Newton steps at most: the likelihood is concave, so they end long before.
N_STEPS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """``chance[p]`` is the examination propensity of position ``p``, that of position 1 being 1;
    place 0 stands for an unknown position. ``low`` and ``high`` bound 95 % intervals. Where the
    log did not identify it ``reason`` states why, and ``chance`` is 1 throughout, or what another
    curve lets expect. ``caveat`` goes with an estimate wherever it is used.
    """

    chance: np.ndarray
    low: np.ndarray
    high: np.ndarray
    identified: bool
    reason: str
    n_clicks: int
    caveat: str = ""


def refused(reason: str, n_clicks: int = 0) -> Curve:
    """All positions count alike; ``reason`` is a sentence without a capital or a full stop."""
    ones = np.ones(N_PLACES)
    return Curve(ones, ones, ones, False, reason, n_clicks)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """``views`` and ``clicks`` of each ``pair`` at each ``place`` in each ``stratum``, one cell
    each; strata ascend, and each belongs to one pair.
    """

    stratum: np.ndarray
    pair: np.ndarray
    place: np.ndarray
    views: np.ndarray
    clicks: np.ndarray


def gather(
    stratum: np.ndarray, pair: np.ndarray, place: np.ndarray, views: np.ndarray, clicks: np.ndarray
) -> Cells:
    """The cells that carry information: of strata seen at two places or more, and clicked."""
    keys, first, cell = np.unique(
        stratum * N_PLACES + place, return_index=True, return_inverse=True
    )
    shown = np.bincount(cell, weights=views)
    clicked = np.bincount(cell, weights=clicks)
    old, place = np.divmod(keys, N_PLACES)
    _, of = np.unique(old, return_inverse=True)
    moved = (np.bincount(of)[of] > 1) & (np.bincount(of, weights=clicked)[of] > 0)
    _, of = np.unique(of[moved], return_inverse=True)
    _, pair = np.unique(pair[first][moved], return_inverse=True)
    return Cells(of, pair, place[moved], shown[moved], clicked[moved])


def harvest(cells: Cells, matters: np.ndarray, *, seed: int, towards: Curve | None = None) -> Curve:
    """Estimate examination with bootstrap intervals over pairs, or refuse. ``matters``,
    ``(N_PLACES,)``, is true for positions that must be known well; others borrow from above. Where
    the log holds too little, its estimate is weighed against the curve ``towards``.
    """
    n_clicks, n_pairs = int(cells.clicks.sum()), len(np.unique(cells.pair))
    few = ""
    if n_clicks < MIN_CLICKS:
        few = (
            f"only {n_clicks} clicks fell on links that were seen at more than one position; "
            f"{MIN_CLICKS} are needed to tell a good link from a well-placed one"
        )
    elif n_pairs < MIN_PAIRS:
        few = (
            f"only {n_pairs} followed links were seen at more than one position; "
            f"{MIN_PAIRS} are needed to say how sure the estimate is"
        )
    if few:
        return _leaning(None, towards, few, n_clicks) if towards else refused(few, n_clicks)
    tied = _tied_to_first(cells)
    fitted = np.repeat([[1.0], [0.0], [np.inf]], N_PLACES, axis=1)
    if tied.sum() > 1:
        fitted = _fit(cells, np.random.default_rng(seed))
    fitted[1:, ~tied] = [[0.0], [np.inf]]
    doubtful = np.flatnonzero(matters & ~(fitted[2] <= MAX_SPAN * fitted[1]))
    if len(doubtful) == 0:
        return Curve(*_borrowed(fitted, matters), True, "", n_clicks)
    first = int(doubtful[0])
    why = (
        f"the 95 % interval of position {first} spans more than a factor of {MAX_SPAN}"
        if tied[first]
        else f"position {first} cannot be compared with position 1: no chain of followed links "
        "that changed place leads from one to the other"
    )
    if first <= N_NEEDED:
        return _leaning(fitted, towards, why, n_clicks) if towards else refused(why, n_clicks)
    below = np.arange(N_PLACES) >= first
    if towards:
        other = _leaning(fitted, towards, why, n_clicks)
        both = np.where(below, [other.chance, other.low, other.high], fitted)
        caveat = f"from position {first} on it leans on the whole site: {why}"
        return Curve(*_borrowed(both, matters), True, "", n_clicks, caveat)
    lowest = fitted[1, below & matters].min()
    chance, low, high = _borrowed(fitted, matters & ~below)
    low[below] = np.minimum(low[below], lowest)
    caveat = f"from position {first} on links count as if they stood just above it: {why}"
    return Curve(chance, low, high, True, "", n_clicks, caveat)


def _leaning(own: np.ndarray | None, towards: Curve, why: str, n_clicks: int) -> Curve:
    """A curve that is not known well enough, weighed against another by how sure each is."""
    middle = np.log(np.maximum(towards.chance, 1e-9))
    variance = SPREAD**2 + error(towards.low, towards.high) ** 2
    if own is not None:
        chance, low, high = own
        share = variance / (variance + error(low, high) ** 2)
        middle += share * (np.log(np.maximum(chance, 1e-9)) - middle)
        variance *= 1 - share
    middle[:2], variance[:2] = 0.0, 0.0
    half = 1.96 * np.sqrt(variance)
    return Curve(np.exp(middle), np.exp(middle - half), np.exp(middle + half), False, why, n_clicks)


def error(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The standard error of a logarithm from its 95 % interval, ``(n_places,)``; 10 if unknown."""
    span = np.log(np.clip(high, 1e-9, 1e9) / np.clip(low, 1e-9, 1e9))
    return np.minimum(span / (2 * 1.96), 10.0)


def _tied_to_first(cells: Cells) -> np.ndarray:
    """True for positions with a chain of strata, each seen at two of them, that leads to the first.

    The likelihood is the same whatever the ratio between positions no stratum has in common.
    """
    n_strata = int(cells.stratum.max()) + 1
    smallest = clusters(N_PLACES + n_strata, cells.place, N_PLACES + cells.stratum)
    return smallest[:N_PLACES] == 1


def _fit(cells: Cells, random: np.random.Generator) -> np.ndarray:
    """Maximum of the conditional likelihood, by Newton steps: in the logarithms it is concave.
    With its 95 % interval, ``(3, N_PLACES)``: chance, low, high.

    (Minorise-maximise steps creep where only neighbours change place: after 100 of them position
    10 was 29 % off.)
    """
    from scipy.sparse import csr_array

    places, place = np.unique(cells.place, return_inverse=True)
    n_places, n_strata = len(places), int(cells.stratum.max()) + 1
    heads = np.searchsorted(cells.stratum, np.arange(n_strata + 1))
    total = np.bincount(cells.stratum, weights=cells.clicks)[cells.stratum]
    got = np.bincount(place, weights=cells.clicks, minlength=n_places)

    def table(values: np.ndarray) -> csr_array:
        return csr_array((values, place, heads), shape=(n_strata, n_places))

    found = np.zeros(n_places)
    for _ in range(N_STEPS):
        chance = np.exp(found)
        exposure = cells.views * chance[place]
        share = exposure / np.bincount(cells.stratum, weights=exposure)[cells.stratum]
        due = np.bincount(place, weights=total * share, minlength=n_places)
        shares, dues = table(share), table(total * share)
        curvature = np.diag(due + PRIOR_CLICKS * chance) - (shares.T @ dues).toarray()
        step = np.linalg.solve(curvature, got - due + PRIOR_CLICKS * (1 - chance))
        length = np.abs(step).max()
        found += step / max(1.0, length)
        if length < 1e-6:
            break
    draws = found + _steps(cells, table(cells.clicks), shares, dues, np.exp(found), random)
    one = int(np.searchsorted(places, 1))
    bounds = np.quantile(draws - draws[:, [one]], [0.025, 0.975], axis=0)
    curves = np.ones((3, N_PLACES))
    curves[:, places] = np.exp([found - found[one], *bounds])
    return curves


def _steps(
    cells: Cells,
    clicks: np.ndarray,
    shares: np.ndarray,
    dues: np.ndarray,
    chance: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """How far each bootstrap draw of the pairs moves the logarithms, ``(n_draws, n_places)``.

    One Newton step from the maximum: as wide as fits anew, within the noise of the draws, and 25
    times as fast, because of each block of pairs it needs only slope and curvature.
    """
    n_pairs = int(cells.pair.max()) + 1
    n_blocks = min(n_pairs, N_BLOCKS)
    heads = np.searchsorted(cells.stratum, np.arange(int(cells.stratum[-1]) + 1))
    block = (random.permutation(n_pairs) % n_blocks)[cells.pair[heads]]
    order = np.argsort(block, kind="stable")
    bounds = np.searchsorted(block[order], np.arange(n_blocks + 1))
    clicks, shares, dues = clicks[order], shares[order], dues[order]
    slopes, curvatures = [], []
    for first, last in pairwise(bounds.tolist()):
        due = dues[first:last].sum(axis=0)
        slopes.append(clicks[first:last].sum(axis=0) - due)
        crossed = (shares[first:last].T @ dues[first:last]).toarray()
        curvatures.append((np.diag(due) - crossed).ravel())
    weight = random.poisson(1.0, (N_BOOTSTRAP, n_blocks)).astype(float)
    slope = weight @ np.array(slopes) + PRIOR_CLICKS * (1 - chance)
    n_places = len(chance)
    curvature = (weight @ np.array(curvatures)).reshape(-1, n_places, n_places)
    curvature += np.diag(PRIOR_CLICKS * chance)
    return np.linalg.solve(curvature, slope[..., None])[..., 0]


def _borrowed(curves: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions too rare to be estimated take the values of the last known one above them."""
    last = np.maximum.accumulate(np.where(known, np.arange(len(known)), 1))
    last[0] = 0
    chance, low, high = curves[:, last]
    return chance, low, high
