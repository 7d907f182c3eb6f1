"""Rates of groups of examples, counted so that an example's own fold can be left out.

The rate of a group, as a feature of its members (Micci-Barreca, SIGKDD Explorations 2001), reveals
their outcomes, which went into it; leaving out one member alone reveals its outcome as what is
missing. So counts are kept fold by fold, and an example is described without its whole fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from recommender.array_fields import Keys, Values
from recommender.ragged import find

# Not tuned: five is usual.
N_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class FoldCounts:
    """Hits and expected hits of groups, by sorted ``keys`` ``(n_groups,)`` and by fold, both
    ``(n_groups, N_FOLDS)``.
    """

    keys: Annotated[np.ndarray, Keys("n_groups")]
    hits: Annotated[np.ndarray, Values(f"n_groups, {N_FOLDS}", least=0)]
    expected: Annotated[np.ndarray, Values(f"n_groups, {N_FOLDS}", least=0)]

    def without(self, keys: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hits and expected hits of the groups ``keys``, each without one ``fold``, ``N_FOLDS`` to
        leave out none; ``(n_keys,)``, 0 for an unknown group.
        """
        place = find(self.keys, keys)
        found = place >= 0
        if not found.any():
            return np.zeros(len(keys)), np.zeros(len(keys))
        last = np.minimum(fold, N_FOLDS - 1)
        hits, expected = (
            np.where(
                found,
                part[place].sum(axis=1) - np.where(fold < N_FOLDS, part[place, last], 0),
                0.0,
            )
            for part in (self.hits, self.expected)
        )
        return hits, expected


def count(
    keys: np.ndarray,
    fold: np.ndarray,
    hits: np.ndarray,
    expected: np.ndarray,
    *,
    dtype: Any = np.float64,
) -> FoldCounts:
    """Sums over the examples that share a key; all are ``(n_examples,)``."""
    groups, number = np.unique(keys, return_inverse=True)
    cell, size = number * N_FOLDS + fold, len(groups) * N_FOLDS
    sums = [
        np.bincount(cell, weights=part, minlength=size).reshape(-1, N_FOLDS).astype(dtype)
        for part in (hits, expected)
    ]
    return FoldCounts(groups.astype(np.int64), *sums)
