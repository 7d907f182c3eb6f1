"""How likely each position is to be looked at, as far as the log can tell.

The position-based model says P(click) = examination(position) x appeal(source, item). Of a pair
seen at several positions, the clicks fall on these in proportion to views x examination, whatever
the pair's appeal: conditioning on the pair's clicks takes the appeal out, and what remains is a
multinomial likelihood in the examination alone. Pairs change place because views were randomised
or because one build followed another (intervention harvesting, Agarwal et al., WSDM 2019); a
pair that always stood at one place says nothing. So static hand-picked lists cannot identify
examination, and then the estimate is refused rather than guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.counts import UNKNOWN, Log
from recommender.similarity import clusters

# Positions further down share one value: lists longer than this are looked at as a whole.
MAX_POSITION = 50
# Clicks on pairs that changed place. Below it intervals are too wide to be of use.
MIN_CLICKS = 200
# A position's 95 % interval may span at most this factor, for the positions people mostly see.
MAX_SPAN = 2.5
# Positions that hold this share of all views must be well known; rarer ones borrow from above.
MIN_SHARE_OF_VIEWS = 0.02
N_BOOTSTRAP = 100
# Draws of fewer pairs than this vary too little to say how far the estimate may be off.
MIN_PAIRS = 20
# Clicks' worth of belief that a position is like any other: one without clicks is not impossible.
PRIOR_CLICKS = 0.5
N_STEPS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """``chance[p]`` is the examination propensity of position ``p``, that of position 1 being 1;
    place 0 stands for an unknown position. ``low`` and ``high`` bound 95 % intervals. Where the
    log did not identify it, ``chance`` is 1 throughout and ``reason`` says why.
    """

    chance: np.ndarray
    low: np.ndarray
    high: np.ndarray
    identified: bool
    reason: str
    n_clicks: int

    def at(self, position: np.ndarray) -> np.ndarray:
        """The propensity at each of ``position``; 1 where the position is unknown."""
        found: np.ndarray = self.chance[np.minimum(position, MAX_POSITION)]
        return found


def unidentified(reason: str, n_clicks: int = 0) -> Examination:
    """No position is told from another; ``reason`` is a plain sentence."""
    ones = np.ones(MAX_POSITION + 1)
    return Examination(ones, ones, ones, False, reason, n_clicks)


def estimate(log: Log, *, seed: int) -> Examination:
    """Estimate examination by position, with bootstrap intervals over pairs, or refuse."""
    shown, clicked = log.shown_and_clicked()
    known = (log.position > 0) & (log.link_source != UNKNOWN) & (log.item != UNKNOWN) & (shown > 0)
    if not known.any():
        return unidentified("the log does not say at which position a link stood")
    position = np.minimum(log.position[known], MAX_POSITION)
    width = int(max(log.item.max(initial=0), log.source.max(initial=0))) + 1
    key = log.link_source[known].astype(np.int64) * width + log.item[known]
    cells, cell_of = np.unique(key * (MAX_POSITION + 1) + position, return_inverse=True)
    views = np.bincount(cell_of, weights=shown[known])
    clicks = np.bincount(cell_of, weights=clicked[known])
    pair_key, place = np.divmod(cells, MAX_POSITION + 1)
    _, pair = np.unique(pair_key, return_inverse=True)
    # Only pairs seen at two positions or more, and clicked, carry information.
    moved = (np.bincount(pair)[pair] > 1) & (np.bincount(pair, weights=clicks)[pair] > 0)
    n_clicks = int(clicks[moved].sum())
    if n_clicks < MIN_CLICKS:
        return unidentified(
            f"only {n_clicks} clicks fell on links that were seen at more than one position; "
            f"{MIN_CLICKS} are needed to tell a good link from a well-placed one",
            n_clicks,
        )
    _, pair = np.unique(pair[moved], return_inverse=True)
    place, views, clicks = place[moved], views[moved], clicks[moved]
    n_pairs = int(pair.max()) + 1
    if n_pairs < MIN_PAIRS:
        return unidentified(
            f"only {n_pairs} followed links were seen at more than one position; "
            f"{MIN_PAIRS} are needed to say how sure the estimate is",
            n_clicks,
        )
    share = (
        np.bincount(position, weights=shown[known], minlength=MAX_POSITION + 1) / shown[known].sum()
    )
    matters = share >= MIN_SHARE_OF_VIEWS
    apart = matters & ~_tied_to_first(pair, place)
    if apart.any():
        return unidentified(
            f"position {int(np.flatnonzero(apart)[0])} cannot be compared with position 1: no "
            "chain of followed links that changed place leads from one to the other",
            n_clicks,
        )
    chance = _fit(pair, place, views, clicks, np.ones(n_pairs), np.ones(MAX_POSITION + 1))
    random = np.random.default_rng(seed)
    draws = np.array(
        [
            _fit(pair, place, views, clicks, random.poisson(1.0, n_pairs).astype(float), chance)
            for _ in range(N_BOOTSTRAP)
        ]
    )
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    wide = matters & ~(high <= MAX_SPAN * np.maximum(low, 1e-9))
    if wide.any():
        return unidentified(
            f"the 95 % interval of position {int(np.flatnonzero(wide)[0])} spans more than a "
            f"factor of {MAX_SPAN}",
            n_clicks,
        )
    return Examination(*_borrowed(chance, low, high, matters), True, "", n_clicks)


def _fit(
    pair: np.ndarray,
    place: np.ndarray,
    views: np.ndarray,
    clicks: np.ndarray,
    weight: np.ndarray,
    start: np.ndarray,
) -> np.ndarray:
    """Maximum of the conditional likelihood, by Newton steps: in the logarithms it is concave.

    ``weight`` counts each pair that often, which is what a bootstrap draw does; ``pair`` ascends.
    (Minorise-maximise steps creep where only neighbours change place: after 100 of them position
    10 was 29 % off.)
    """
    from scipy.sparse import csr_array

    n_places, n_pairs = MAX_POSITION + 1, len(weight)
    heads = np.searchsorted(pair, np.arange(n_pairs + 1))
    weighted = clicks * weight[pair]
    total = np.bincount(pair, weights=weighted, minlength=n_pairs)[pair]
    got = np.bincount(place, weights=weighted, minlength=n_places)
    log_chance = np.log(start)
    for _ in range(N_STEPS):
        chance = np.exp(log_chance)
        exposure = views * chance[place]
        share = exposure / np.bincount(pair, weights=exposure, minlength=n_pairs)[pair]
        due = np.bincount(place, weights=total * share, minlength=n_places)
        shares, dues = (
            csr_array((values, place, heads), shape=(n_pairs, n_places))
            for values in (share, total * share)
        )
        curve = np.diag(due + PRIOR_CLICKS * chance) - (shares.T @ dues).toarray()
        step = np.linalg.solve(curve, got - due + PRIOR_CLICKS * (1 - chance))
        length = np.abs(step).max()
        log_chance += step / max(1.0, length)
        if length < 1e-6:
            break
    found: np.ndarray = np.exp(log_chance - log_chance[1])
    found[0] = 1.0
    return found


def _tied_to_first(pair: np.ndarray, place: np.ndarray) -> np.ndarray:
    """True for positions with a chain of pairs, each seen at two of them, that leads to the first.

    The likelihood is the same whatever the ratio between positions no pair has in common.
    """
    n_places = MAX_POSITION + 1
    smallest = clusters(n_places + int(pair.max()) + 1, place, n_places + pair)
    tied: np.ndarray = smallest[:n_places] == 1
    return tied


def _borrowed(
    chance: np.ndarray, low: np.ndarray, high: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions too rare to be estimated take the value of the last known one above them."""
    last = np.maximum.accumulate(np.where(known, np.arange(len(known)), 1))
    last[0] = 0
    return chance[last], low[last], high[last]
