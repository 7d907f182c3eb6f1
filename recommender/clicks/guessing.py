"""Examination where hardly a link changed place: what a model of appeal would make of it.

Regression-EM (Wang et al., WSDM 2018, section 4) explains appeal by what is known of a link, and
leaves to position what that does not explain. Here appeal is the target's own record, drawn
towards that of all targets, times a factor for how alike the texts are; position, record and
factor are each in turn set to clicks over what the other two expect, in which EM ends as well.

It rests on the model: editors who put the best link first for reasons that neither the target nor
the text shows make position look as strong as their judgement is good, and no interval over draws
of the data tells. On simulated lists of that kind position 10 came out at a twentieth to two
fifths of the truth, with intervals of a quarter either way (``python -m benchmarks positions``).
So it is told, and never used.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recommender.clicks.intervention_harvesting import (
    MAX_POSITION,
    MAX_SPAN,
    MIN_CLICKS,
    MIN_PAIRS,
    N_PLACES,
    PRIOR_CLICKS,
    Curve,
    error,
    refused,
)
from recommender.ragged import clusters
from recommender.store.counts import UNKNOWN, Log

N_STEPS, N_STEPS_A_DRAW, N_DRAWS = 200, 20, 40
N_BINS = 8
# Clicks' worth of belief that a target is like any other.
PRIOR_TARGET = 2.0
# Two models of appeal that differ by more than this at some position leave too much open.
MAX_APART = 1.25


# How alike the texts of sources and items are.
Alike = Callable[[np.ndarray, np.ndarray], np.ndarray]


def guess(log: Log, alike: Alike, *, seed: int) -> Curve:
    """A curve by regression, or why there is none; never one that is ``identified``."""
    shown, clicked = log.shown_and_clicked()
    used = (log.position > 0) & (log.link_source != UNKNOWN) & (log.item != UNKNOWN) & (shown > 0)
    n_clicks = int(clicked[used].sum())
    if n_clicks < MIN_CLICKS:
        return refused(f"only {n_clicks} clicks fell on links at known positions", n_clicks)
    n_targets = len(np.unique(log.item[used & (clicked > 0)]))
    if n_targets < MIN_PAIRS:
        return refused(f"only {n_targets} targets were followed", n_clicks)
    place = np.minimum(log.position[used], MAX_POSITION)
    views = np.bincount(place, weights=shown[used], minlength=N_PLACES)
    matters = views >= 0.02 * views.sum()
    _, target = np.unique(log.item[used], return_inverse=True)
    tied = clusters(N_PLACES + int(target.max()) + 1, place, N_PLACES + target)[:N_PLACES] == 1
    if (matters & ~tied).any():
        return refused("every target has a position of its own", n_clicks)
    likeness = alike(log.link_source[used].astype(np.int64), log.item[used].astype(np.int64))
    edges = np.unique(np.quantile(likeness, np.linspace(0, 1, N_BINS + 1)[1:-1]))
    kind = np.searchsorted(edges, likeness, side="right")
    cells, cell = np.unique((target * N_BINS + kind) * N_PLACES + place, return_inverse=True)
    rest, place = np.divmod(cells, N_PLACES)
    target, kind = np.divmod(rest, N_BINS)
    table = (
        place, target, kind,
        np.bincount(cell, weights=shown[used]), np.bincount(cell, weights=clicked[used]),
    )  # fmt: skip
    ones = np.ones(len(cells))
    chance = _fit(*table, ones, np.ones(N_PLACES), N_STEPS)
    by_target = _fit(place, target, np.zeros_like(kind), *table[3:], ones, chance, N_STEPS)
    apart = np.abs(np.log(by_target / chance))[matters].max()
    if apart > np.log(MAX_APART):
        return refused(
            f"models of appeal with and without the texts differ by {np.exp(apart) - 1:.0%}",
            n_clicks,
        )
    random = np.random.default_rng(seed)
    n_targets = int(target.max()) + 1
    draws = [
        _fit(*table, random.poisson(1.0, n_targets)[target] * ones, chance, N_STEPS_A_DRAW)
        for _ in range(N_DRAWS)
    ]
    spread = 1.96 * np.log(draws).std(axis=0)
    low, high = chance * np.exp(-spread), chance * np.exp(spread)
    if (error(low, high)[matters] > np.log(MAX_SPAN) / (2 * 1.96)).any():
        return refused(f"an interval spans more than a factor of {MAX_SPAN}", n_clicks)
    return Curve(chance, low, high, False, "", n_clicks)


def _fit(
    place: np.ndarray,
    target: np.ndarray,
    kind: np.ndarray,
    views: np.ndarray,
    clicks: np.ndarray,
    weight: np.ndarray,
    start: np.ndarray,
    n_steps: int,
) -> np.ndarray:
    """Examination by turns with the targets' records and the factors of likeness."""
    views, clicks = views * weight, clicks * weight
    n_targets = int(target.max()) + 1
    rate = clicks.sum() / max(views.sum(), 1)
    got_at = np.bincount(place, weights=clicks, minlength=N_PLACES) + PRIOR_CLICKS
    got_of = np.bincount(target, weights=clicks, minlength=n_targets) + PRIOR_TARGET
    got_in = np.bincount(kind, weights=clicks, minlength=N_BINS) + PRIOR_CLICKS
    chance, record, factor = start.copy(), np.ones(n_targets), np.full(N_BINS, rate)
    for _ in range(n_steps):
        for at, values, got, prior in (
            (kind, factor, got_in, PRIOR_CLICKS / rate),
            (target, record, got_of, PRIOR_TARGET),
            (place, chance, got_at, PRIOR_CLICKS),
        ):
            due = views * chance[place] * record[target] * factor[kind] / values[at]
            values[:] = got / (np.bincount(at, weights=due, minlength=len(values)) + prior)
        chance /= chance[1]
    return chance
