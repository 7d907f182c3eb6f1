"""What features predict beyond the levels: a curve for each, and products of the telling ones.

The score is additive in piecewise linear functions of single features (Hastie & Tibshirani 1986,
"Generalized additive models", Statistical Science 1), and in products of pairs of some of them. It
is fitted by one convex likelihood with a fixed prior, so that a view more moves it by as little as
it is; boosted trees order as well, but every view turned two lists in three over
(benchmarks/README.md, "Stable"). Beyond what was seen every curve is flat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from recommender.array_fields import Numbers, Values
from recommender.clicks.choice_model import Exposures
from recommender.ranking.logit import most_likely, products

# Curves bend at these shares of the rows, at values of two digits: one row more moves none.
BENDS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
# Slopes are around nothing, give or take a thirtieth. With 30, 100, 300, 1,000 and 3,000 the sample
# site comes to 89.4, 89.9, 90.3, 90.5 and 90.3, and after an honest day on new lists to 85.2, 87.4,
# 88.9, 89.4 and 89.7; a tenth of wikispeedia, on days not reported, to .327 with 30 and .325 with
# 100 to 1,000. And a few clicks move no slope by much.
PRECISION = 1000.0
# Rows whose columns are held at once: some 20 MB.
BLOCK = 10_000
# Standard deviations from the median at which a product stops growing. Not tuned.
FAR = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class AdditiveScore:
    """Ramps, each from ``low`` to ``high`` of a ``feature``, ``(n_ramps,)``, and products of the
    features ``left`` and ``right``, ``(n_products,)``, less their ``middle`` and over their
    ``spread``, ``(n_features,)``; ``slopes`` are ``(n_ramps + n_products,)``.
    """

    feature: Annotated[np.ndarray, Numbers("n_ramps", below="n_features")]
    low: Annotated[np.ndarray, Values("n_ramps")]
    high: Annotated[np.ndarray, Values("n_ramps")]
    left: Annotated[np.ndarray, Numbers("n_products", below="n_features")]
    right: Annotated[np.ndarray, Numbers("n_products", below="n_features")]
    middle: Annotated[np.ndarray, Values("n_features")]
    spread: Annotated[np.ndarray, Values("n_features", least=0)]
    slopes: Annotated[np.ndarray, Values("n_slopes")]

    def fault(self) -> str | None:
        """What is wrong with a score that was read, or None."""
        n_columns = len(self.feature) + len(self.left)
        if len(self.slopes) != n_columns:
            return f"slopes: {len(self.slopes)} for {n_columns} ramps and products"
        if not ((self.low < self.high).all() and (self.spread > 0).all()):
            return "high: a ramp or a spread has no width"
        return None

    def columns(self, seen: np.ndarray) -> np.ndarray:
        """Of rows with features ``seen``, ``(n_rows, n_features)``, what slopes are slopes of,
        ``(n_rows, n_ramps + n_products)``, float32: ramps between 0 and 1, then products.
        """
        ramps = np.clip((seen[:, self.feature] - self.low) / (self.high - self.low), 0, 1)
        usual = np.clip((seen - self.middle) / self.spread, -FAR, FAR)
        crossed = usual[:, self.left] * usual[:, self.right]
        return np.concatenate([ramps, crossed], axis=1, dtype=np.float32)

    def predict(self, seen: np.ndarray) -> np.ndarray:
        """What is added to the log odds of rows, ``(n_rows,)``."""
        found = np.empty(len(seen))
        for start in range(0, len(seen), BLOCK):
            rows = slice(start, start + BLOCK)
            found[rows] = products(self.columns(seen[rows]).astype(np.float64), self.slopes)
        return found


def fit_additive(
    seen: np.ndarray, shown: Exposures, scores: np.ndarray, *, crossed: np.ndarray
) -> AdditiveScore:
    """Explain the clicks of rows ``shown`` beyond their ``scores``, ``(n_rows,)``, by features
    ``seen``, ``(n_rows, n_features)``, of which those numbered ``crossed`` are multiplied.
    """
    bends = [np.unique(_rounded(np.quantile(column, BENDS))) for column in seen.T]
    feature = np.repeat(np.arange(len(bends)), [len(of) - 1 for of in bends])
    left, right = np.tril_indices(len(crossed), -1)
    empty = AdditiveScore(
        feature=feature,
        low=np.concatenate([of[:-1] for of in bends]),
        high=np.concatenate([of[1:] for of in bends]),
        left=crossed[left],
        right=crossed[right],
        middle=np.median(seen, axis=0),
        spread=np.maximum(seen.std(axis=0, dtype=np.float64), 1e-3),
        slopes=np.zeros(len(feature) + len(left)),
    )
    slopes = most_likely(empty.columns(seen), shown, empty.slopes, PRECISION, beside=scores)
    return replace(empty, slopes=slopes)


def _rounded(values: np.ndarray) -> np.ndarray:
    """To two significant digits."""
    size = 10.0 ** (np.floor(np.log10(np.maximum(np.abs(values), 1e-12))) - 1)
    return np.where(values == 0, 0.0, np.round(values / size) * size)
