"""A score of pairs that is linear in their features, fitted to clicks beside exposures.

Clicks are in proportion to exposures times exp(score), page by page (``choice_model.Exposures``):
the conditional logit of McFadden (1974, "Conditional logit analysis of qualitative choice
behavior") with an outside option, and the log of the exposures as an offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from recommender.clicks.choice_model import Exposures

# Newton's steps end when no slope moves by more, or after so many; a handful suffice.
TOLERANCE, MAX_STEPS = 1e-9, 50
# Slopes are learned where all but a few of the rows lie. Not tuned.
COVERED = 0.9995


@dataclass(frozen=True, slots=True, eq=False)
class LinearScore:
    """A score that is linear in the features ``names``, with ``slopes`` ``(n_names,)`` between
    ``low`` and ``high``, where it was learned. Beyond these nothing is known but what was thought
    beforehand: slopes ``centre``. All are ``(n_names,)``.
    """

    names: tuple[str, ...]
    slopes: np.ndarray
    centre: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def predict(self, columns: np.ndarray) -> np.ndarray:
        """Log odds of pairs beside one source, ``(n_pairs,)``, by their features ``names``,
        ``(n_pairs, n_names)``.
        """
        within = np.clip(columns, self.low, self.high)
        return within @ self.slopes + (columns - within) @ self.centre


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
    d, n = len(names), len(columns)
    if n == 0:
        return LinearScore(tuple(names), centre, centre, np.full(d, -np.inf), np.full(d, np.inf))
    low, high = np.quantile(columns, [1 - COVERED, COVERED], axis=0)
    columns = np.clip(columns, low, high)
    # The last column stands for the site's level, which answers to every step.
    wide = np.column_stack([columns, np.ones(n)])
    certain = np.append(np.full(d, precision), 0.0)

    def loss(slopes: np.ndarray) -> float:
        away = slopes - centre
        return float(precision * away @ away / 2 - shown.log_likelihood(columns @ slopes))

    slopes, now = centre.astype(np.float64), loss(centre)
    got = shown.made + shown.weight
    for _ in range(MAX_STEPS):
        share = shown.share(columns @ slopes)
        due = got[shown.page] * share
        slope = columns.T @ (shown.clicks - due) - precision * (slopes - centre)
        mean = csr_array((share, (shown.page, np.arange(n))), (len(got), n)) @ wide
        curvature = (wide.T * due) @ wide - (mean.T * got) @ mean + np.diag(certain)
        # Where pages are compared with none but themselves, the level has no curvature.
        curvature[-1, -1] += 1e-9
        step = np.linalg.solve(curvature, np.append(slope, 0.0))[:-1]
        while (then := loss(slopes + step)) > now and np.abs(step).max() > TOLERANCE:
            step = step / 2
        if then <= now:
            slopes, now = slopes + step, then
        if np.abs(step).max() <= TOLERANCE:
            break
    return LinearScore(tuple(names), slopes, centre, low, high)
