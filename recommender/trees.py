"""Boosted trees laid out as arrays, so that a few rows are scored as fast as they deserve.

scikit-learn asks its trees one by one, at some ten microseconds each: half the time of scoring
sixty pairs. What comes out here is the same to the last bit (tests/test_bundle.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

NODES = ("feature_idx", "num_threshold", "missing_go_to_left", "left", "right", "is_leaf", "value")


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Tree ``t`` has the nodes ``heads[t]`` to ``heads[t + 1]``; what it says is added up from
    ``baseline`` on, and the sum is a logarithm.
    """

    baseline: float
    heads: np.ndarray
    nodes: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, model: HistGradientBoostingRegressor) -> Trees | HistGradientBoostingRegressor:
        """The trees of a fitted Poisson model; the model itself if a release of scikit-learn
        keeps them otherwise.
        """
        try:
            tables = [tree.nodes for (tree,) in model._predictors]
            sizes = [len(table) for table in tables]
            table = np.concatenate(tables)
            if table["is_categorical"].any():
                return model
            return cls(
                baseline=float(model._baseline_prediction.ravel()[0]),
                heads=np.cumsum([0, *sizes]).astype(np.int64),
                nodes=tuple(np.ascontiguousarray(table[name]) for name in NODES),
            )
        except (AttributeError, TypeError, ValueError):
            return model

    def predict(self, seen: np.ndarray) -> np.ndarray:
        """As the model's own ``predict``: ``(n_rows,)``."""
        raw: np.ndarray = _sums(seen.astype(np.float64), self.baseline, self.heads, *self.nodes)
        predicted: np.ndarray = np.exp(raw)
        return predicted


@njit(cache=True, nogil=True)
def _sums(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    seen, baseline, heads, feature, threshold, missing_left, left, right, leaf, value
):
    sums = np.full(len(seen), baseline)
    for row in range(len(seen)):
        for tree in range(len(heads) - 1):
            first = heads[tree]
            at = first
            while not leaf[at]:
                known = seen[row, feature[at]]
                goes_left = missing_left[at] if np.isnan(known) else known <= threshold[at]
                at = first + (left[at] if goes_left else right[at])
            sums[row] += value[at]
    return sums
