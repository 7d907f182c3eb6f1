"""Rates of groups of examples, counted so that an example's own fold can be left out.

The rate of a group, as a feature of its members (Micci-Barreca, SIGKDD Explorations 2001), reveals
their outcomes, which went into it; leaving out one member alone reveals its outcome as what is
missing. So counts are kept fold by fold, and an example is described without its whole fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np

from recommender.array_fields import Keys, Values
from recommender.text.loops import sums_without

# Not tuned: five is usual.
N_FOLDS = 5


@dataclass(frozen=True, eq=False)
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
        wanted, fold = np.asarray(keys, dtype=np.int64), np.asarray(fold, dtype=np.int64)
        found = sums_without(self.keys, *self._buckets, self.hits, self.expected, wanted, fold)
        return found[:, 0], found[:, 1]

    @cached_property
    def _buckets(self) -> tuple[np.ndarray, int]:
        """Where to look for a key: the first place of each of about as many buckets of equal width
        as there are keys, and the power of two that is their width. Keys are hashes, or spread as
        evenly, so that hardly any bucket holds more than a few: a search of all of them misses the
        cache at nearly every step.
        """
        if len(self.keys) == 0:
            return np.zeros(2, dtype=np.int32), 0
        above = self.keys.view(np.uint64) - self.keys[:1].view(np.uint64)
        shift = max(0, int(above[-1]).bit_length() - len(above).bit_length())
        bucket = (above >> np.uint64(shift)).astype(np.int64)
        starts = np.zeros(int(bucket[-1]) + 2, dtype=np.int32)
        np.cumsum(np.bincount(bucket), out=starts[1:])
        return starts, shift


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
