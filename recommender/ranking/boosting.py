"""Boosted trees: how they are grown on what people chose, and laid out to be asked fast.

Clicks of a pair are Poisson with mean ``expected x exp(f(features))``, and Poisson boosting with
an offset is weighted boosting of clicks/expected with weights expected, which scikit-learn does
exactly. After each round the clicks of every slate are shared out anew, which makes it boosting
of a choice among the slate's links.

scikit-learn asks its trees one by one, all rows of each: ten microseconds a tree are half the time
of scoring sixty pairs, and of a million rows it is a fifth of the training. Laid out as arrays, and
asked row by row, they say the same to the last bit (tests/test_bundle.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

from recommender.ranking.time_splits import Choices

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

# Trees of one round, and rounds at most; the log chooses how many.
N_TREES, MAX_ROUNDS = 25, 6
MAX_LOG_RATIO = 5.0
# Values a feature has for the trees that grow on it.
N_VALUES = 63
# A log of more rows than this is long: unclicked ones are drawn, those expected to get so many
# clicks all kept.
MANY_ROWS, EXPECTED_KEPT = 100_000, 0.4
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
        raw: np.ndarray = _sums(seen, self.baseline, self.heads, *self.nodes)
        predicted: np.ndarray = np.exp(raw)
        return predicted


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees, round by round; each says a factor."""

    rounds: tuple[HistGradientBoostingRegressor | Trees, ...]

    def of(self, seen: np.ndarray) -> np.ndarray:
        """The log of the factor, ``(n_pairs,)``."""
        return self.steps(seen)[-1]

    def steps(self, seen: np.ndarray) -> list[np.ndarray]:
        """What no round, the first, the first two ... say; as ``of``."""
        said = [np.zeros(len(seen))]
        for trees in self.laid_out().rounds:
            said.append(said[-1] + np.log(np.maximum(trees.predict(seen), 1e-9)))
        return [np.clip(step, -MAX_LOG_RATIO, MAX_LOG_RATIO) for step in said]

    def first(self, n_rounds: int) -> Forest:
        """The first rounds alone."""
        return Forest(self.rounds[:n_rounds])

    def laid_out(self) -> Forest:
        """The same, asked faster."""
        return Forest(tuple(t if isinstance(t, Trees) else Trees.of(t) for t in self.rounds))


def grow(
    seen: Sequence[np.ndarray],
    now: Sequence[Choices],
    said: Sequence[np.ndarray],
    *,
    n_rounds: int,
    seed: int,
) -> Forest:
    """Trees that explain what was chosen ``now`` beyond what was ``said`` of each row.

    Most rows were not clicked and hardly expected to be. Where there are many, a share of these is
    drawn that grows with what was expected, and weighs as much more: half the rows make the same
    orders in half the time.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    whole, clicked = np.concatenate(seen), np.concatenate([block.clicked for block in now])
    heads = np.cumsum([0, *map(len, said)])
    raw = np.concatenate(said)

    def expected() -> np.ndarray:
        parts = zip(now, pairwise(heads), strict=True)
        due = np.concatenate([of.expected(raw[a:b]) for of, (a, b) in parts])
        floored: np.ndarray = np.maximum(due, 1e-6)
        return floored

    share = np.ones(len(raw))
    if len(raw) > MANY_ROWS:
        share = np.where(clicked > 0, 1.0, np.minimum(1.0, expected() / EXPECTED_KEPT))
    kept = np.random.default_rng(seed).random(len(raw)) < share
    whole_kept, clicked_kept = snapped(whole[kept]), clicked[kept]
    rounds = []
    for number in range(n_rounds):
        due = expected()[kept]
        trees = HistGradientBoostingRegressor(
            loss="poisson",
            learning_rate=0.1,
            max_iter=N_TREES,
            max_leaf_nodes=31,
            # Leaves of fewer clicks than a handful chase noise; small logs get larger leaves.
            min_samples_leaf=max(50, len(clicked) // 5000),
            l2_regularization=10.0,
            max_features=0.4,
            max_bins=N_VALUES,
            early_stopping=False,
            random_state=seed + number,
        )
        trees.fit(whole_kept, clicked_kept / due, sample_weight=due / share[kept])
        rounds.append(trees)
        if number + 1 < n_rounds:
            raw = raw + np.log(np.maximum(Trees.of(trees).predict(whole), 1e-9))
    return Forest(tuple(rounds))


def snapped(seen: np.ndarray) -> np.ndarray:
    """Each feature brought to the nearest of ``N_VALUES`` of its quantiles.

    Trees bin their features anyway, but anew in every round, and under weights at length. They cut
    halfway between two values, so what they are asked later need not be snapped.
    """
    found = seen.copy()
    for column in range(seen.shape[1]):
        known = np.flatnonzero(~np.isnan(seen[:, column]))
        if len(known) == 0:
            found[:, column] = 0  # A feature nobody has is one like any constant.
            continue
        values = seen[known, column]
        some = values[:: max(1, len(values) // 50_000)]
        levels = np.linspace(0, 1, N_VALUES)
        steps = np.unique(np.quantile(some, levels, method="nearest"))
        middle = (steps[1:].astype(np.float64) + steps[:-1]) / 2
        found[known, column] = steps[np.searchsorted(middle, values)]
    return found


@njit(cache=True, parallel=True, nogil=True)
def _sums(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    seen, baseline, heads, feature, threshold, missing_left, left, right, leaf, value
):
    sums = np.empty(len(seen))
    for row in prange(len(seen)):
        said = baseline
        for tree in range(len(heads) - 1):
            first = heads[tree]
            at = first
            while not leaf[at]:
                known = seen[row, feature[at]]
                goes_left = known <= threshold[at] or (missing_left[at] and np.isnan(known))
                at = first + (left[at] if goes_left else right[at])
            said += value[at]
        sums[row] = said
    return sums
