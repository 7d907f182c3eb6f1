"""A score of pairs that is linear in their features, fitted to clicks beside exposures.

Clicks are in proportion to exposures times exp(score), page by page (``choice_model.Exposures``):
the conditional logit of McFadden (1974, "Conditional logit analysis of qualitative choice
behavior") with an outside option, and the log of the exposures as an offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.sparse import csr_array

from recommender.array_fields import Length, Values
from recommender.clicks.choice_model import Exposures

# Newton's steps end when no slope moves by more, or after so many; a handful suffice.
TOLERANCE, MAX_STEPS = 1e-6, 50
# Slopes are learned where all but a few of the rows lie. Not tuned.
COVERED = 0.9995


@dataclass(frozen=True, slots=True, eq=False)
class LinearScore:
    """A score that is linear in the features ``names``, with ``slopes`` ``(n_names,)`` between
    ``low`` and ``high``, where it was learned. Beyond these nothing is known but what was thought
    beforehand: slopes ``centre``. All are ``(n_names,)``.
    """

    names: Annotated[tuple[str, ...], Length("n_names")]
    slopes: Annotated[np.ndarray, Values("n_names")]
    centre: Annotated[np.ndarray, Values("n_names")]
    low: Annotated[np.ndarray, Values("n_names", least=-np.inf, most=np.inf)]
    high: Annotated[np.ndarray, Values("n_names", least=-np.inf, most=np.inf)]

    def predict(self, columns: np.ndarray) -> np.ndarray:
        """Log odds of pairs beside one source, ``(n_pairs,)``, by their features ``names``,
        ``(n_pairs, n_names)``.
        """
        within = np.clip(columns, self.low, self.high)
        return products(within, self.slopes) + products(columns - within, self.centre)


def products(rows: np.ndarray, column: np.ndarray) -> np.ndarray:
    """``rows @ column``, ``(n_rows,)``, each row's to the same bit whichever others stand beside
    it, which BLAS does not promise: lists are made block by block.
    """
    return np.einsum("ij,j->i", rows, column)


def fit_logit(
    names: Sequence[str],
    columns: np.ndarray,
    shown: Exposures,
    *,
    centre: np.ndarray,
    precision: float,
) -> LinearScore:
    """Slopes of features under which the clicks are likeliest, before which each was normal around
    its ``centre``, ``(n_names,)``, with a ``precision`` (1 / variance).

    ``columns`` are the features ``names`` of the rows ``shown``, ``(n_rows, n_names)``. Newton
    steps (the log-likelihood is concave), halved until they help; the maximum a posteriori is
    unique, so what comes out hangs neither on where they begin nor on their number.
    """
    d = len(names)
    if len(columns) == 0:
        return LinearScore(tuple(names), centre, centre, np.full(d, -np.inf), np.full(d, np.inf))
    low, high = np.quantile(columns, [1 - COVERED, COVERED], axis=0)
    slopes = most_likely(np.clip(columns, low, high), shown, centre, precision)
    return LinearScore(tuple(names), slopes, centre, low, high)


def most_likely(
    columns: np.ndarray,
    shown: Exposures,
    centre: np.ndarray,
    precision: float,
    *,
    beside: np.ndarray | float = 0.0,
) -> np.ndarray:
    """The slopes of ``columns``, ``(n_rows, n_slopes)``, of maximum a posteriori, as in
    ``fit_logit``; scores ``beside`` them are given, ``(n_rows,)``.
    """
    n, d = columns.shape
    got = shown.made + shown.weight
    certain = np.diag(np.full(d, precision))

    def loss(slopes: np.ndarray) -> float:
        away = slopes - centre
        score = beside + columns @ slopes
        return float(precision * away @ away / 2 - shown.log_likelihood(score))

    slopes = centre.astype(np.float64)
    now = loss(slopes)
    for _ in range(MAX_STEPS):
        share = shown.share(beside + columns @ slopes)
        due = got[shown.page] * share
        slope = columns.T @ (shown.clicks - due) - precision * (slopes - centre)
        of_pages = csr_array((share, (shown.page, np.arange(n))), (len(got), n))
        mean, whole = of_pages @ columns, np.bincount(shown.page, weights=share)
        curvature = (columns.T * due.astype(columns.dtype)) @ columns - (mean.T * got) @ mean
        # The site's level answers to every step: its row of the Hessian, and what that leaves.
        level = columns.T @ due - mean.T @ (got * whole)
        own = due.sum() - (got * whole) @ whole
        # Where pages are compared with none but themselves, the level has no curvature.
        curvature = curvature - np.outer(level, level) / max(own, 1e-9) + certain
        step = np.linalg.solve(curvature, slope)
        while (then := loss(slopes + step)) > now and np.abs(step).max() > TOLERANCE:
            step = step / 2
        if then <= now:
            slopes, now = slopes + step, then
        if np.abs(step).max() <= TOLERANCE:
            break
    return slopes
