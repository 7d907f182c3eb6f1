"""How sure a mean over views is: intervals and p-values from a bootstrap over visits.

The views of one visit are not independent, so whole visits are drawn, each a Poisson number of
times (Chamandy et al., "Estimating uncertainty for massive data streams", 2012). All means are
taken from the same draws, so differences of orders are paired.

>>> holm(np.array([0.01, 0.04, 0.03]))
array([0.03, 0.06, 0.06])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Each end of an interval rests on fifty draws; not tuned.
N_DRAWS = 2_000
# Draws made in one go: a matrix of so many rows and up to ``MAX_CLUSTERS`` columns, 2 MB.
BLOCK = 50
# More visits than this are put together into so many groups, at random as far as views go: means
# of groups are as independent as means of visits, and 5,000 are plenty for an interval.
MAX_CLUSTERS = 5_000
# Below so many visits a bootstrap's intervals are too narrow (Cameron, Gelbach & Miller 2008).
FEW_CLUSTERS = 30


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """Means with the bounds of their 95 % intervals, and ``p``, two-sided, for a mean of 0; all
    are ``(n_columns,)``.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def means(
    columns: Sequence[np.ndarray],
    session: np.ndarray,
    random: np.random.Generator,
    *,
    weights: Sequence[np.ndarray] | None = None,
) -> Means:
    """The mean of each column over views, ``(n_views,)`` each, of which NaN is left out;
    ``session``, ``(n_views,)``, is the visit of each view, a number from 0, and ``weights``, of the
    shape of ``columns``, what each view counts; 1 without them.

    Intervals are percentile intervals, and ``p`` inverts them: it is the level at which the
    interval would end at 0, twice the smaller share of draws on one side of it (Efron & Tibshirani,
    "An introduction to the bootstrap", 1993, section 15.4). Nothing is drawn under the hypothesis.
    The data themselves count as a draw, so that ``p`` is never 0.
    """
    cluster = session % MAX_CLUSTERS
    n_clusters = int(cluster.max()) + 1
    masks = [~np.isnan(column) for column in columns]
    counted = [np.ones(len(column)) for column in columns] if weights is None else weights
    products = [column * each for column, each in zip(columns, counted, strict=True)]
    totals, counts = (
        np.column_stack(
            [
                np.bincount(cluster[mask], weights=amounts[mask], minlength=n_clusters)
                for mask, amounts in zip(masks, summed, strict=True)
            ]
        )
        for summed in (products, counted)
    )
    drawn = np.empty((N_DRAWS, len(columns)))
    for start in range(0, N_DRAWS, BLOCK):
        times = random.poisson(1.0, (min(BLOCK, N_DRAWS - start), n_clusters)).astype(np.float64)
        n_views = times @ counts
        part = drawn[start : start + BLOCK]
        part[:] = np.nan
        np.divide(times @ totals, n_views, out=part, where=n_views > 0)
    found = [
        _one(column[mask], each[mask], draws)
        for column, each, mask, draws in zip(columns, counted, masks, drawn.T, strict=True)
    ]
    return Means(*np.array(found).reshape(-1, 4).T)


def _one(
    values: np.ndarray, weights: np.ndarray, draws: np.ndarray
) -> tuple[float, float, float, float]:
    draws = draws[~np.isnan(draws)]
    if weights.sum() == 0 or len(draws) == 0:
        return np.nan, np.nan, np.nan, np.nan
    low, high = np.quantile(draws, [0.025, 0.975])
    side = 1 + min((draws <= 0).sum(), (draws >= 0).sum())
    mean = float((values * weights).sum() / weights.sum())
    return mean, float(low), float(high), min(1.0, 2 * side / (1 + len(draws)))


def holm(p: np.ndarray) -> np.ndarray:
    """p-values, ``(n,)``, corrected for their number, so that the chance of even one false alarm is
    at most the level (Holm 1979); NaN is no comparison and stays NaN.
    """
    corrected = np.full(len(p), np.nan)
    order = np.argsort(p, kind="stable")
    order = order[~np.isnan(p[order])]
    steps = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected
