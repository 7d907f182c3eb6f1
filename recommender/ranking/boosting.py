"""Boosted trees: grown on what people chose, and laid out as arrays.

Clicks of a pair are Poisson with mean ``expected x exp(f(features))``, and Poisson boosting with
an offset is weighted boosting of clicks/expected with weights expected, which scikit-learn does
exactly. After each round the clicks of every slate are shared out anew, which makes it boosting
of a choice among the slate's links.

scikit-learn walks its trees one by one, all rows of each: 65 rows take it .45 to .99 ms, and .07
ms row by row through arrays. The sums are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit, prange

from recommender.errors import TrainingError

if TYPE_CHECKING:
    from recommender.ranking.logit import Choices

# Trees of one round, and rounds at most; the log chooses how many. Not tuned.
N_TREES, MAX_ROUNDS = 25, 6
# No factor beyond e^5 is learned from, however extreme the features. Not tuned.
MAX_LOG_RATIO = 5.0
# Values a feature has for the trees that grow on it: scikit-learn's bins, one of 64 kept for what
# is missing.
N_VALUES = 63
# A log of more rows than this is long: unclicked ones are sampled, those expected to get so many
# clicks all kept. Not tuned beyond what ``grow`` states.
MANY_ROWS, EXPECTED_KEPT = 100_000, 0.4
# Rows on which trees laid out are compared with the model they were read from.
N_COMPARED = 500
# Fields of ``Forest`` by node, and those of scikit-learn's tables.
NODES = {
    "feature": ("feature_idx", np.int32),
    "threshold": ("num_threshold", np.float64),
    "missing_left": ("missing_go_to_left", np.uint8),
    "left": ("left", np.int32),
    "right": ("right", np.int32),
    "value": ("value", np.float64),
}


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Boosted trees, round by round.

    Round ``r`` adds ``baseline[r]``, ``(n_rounds,)``, and the trees ``rounds[r]`` to
    ``rounds[r + 1]``; tree ``t`` has the nodes ``heads[t]`` to ``heads[t + 1]``. The others are
    ``(n_nodes,)``: a row whose ``feature`` is ``threshold`` or less, or missing where
    ``missing_left``, goes to ``left``, else to ``right``, both counted from the first node of the
    tree and 0 in a leaf, which has a ``value``.
    """

    baseline: np.ndarray
    rounds: np.ndarray
    heads: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray

    def predict(self, seen: np.ndarray) -> np.ndarray:
        """The sum over all rounds for rows ``(n_rows, n_features)``; ``(n_rows,)``."""
        return self._sums(seen)[:, -1]

    def of(self, seen: np.ndarray) -> np.ndarray:
        """``predict`` as the log of a factor, within ``MAX_LOG_RATIO``; ``(n_rows,)``."""
        return np.clip(self.predict(seen), -MAX_LOG_RATIO, MAX_LOG_RATIO)

    def steps(self, seen: np.ndarray) -> list[np.ndarray]:
        """``of`` after no round, the first, the first two ...; each ``(n_rows,)``."""
        return list(np.clip(self._sums(seen), -MAX_LOG_RATIO, MAX_LOG_RATIO).T)

    def first(self, n_rounds: int) -> Forest:
        """The first rounds alone."""
        n_trees = int(self.rounds[n_rounds])
        nodes = (getattr(self, name)[: self.heads[n_trees]] for name in NODES)
        return Forest(
            self.baseline[:n_rounds], self.rounds[: n_rounds + 1], self.heads[: n_trees + 1], *nodes
        )

    def _sums(self, seen: np.ndarray) -> np.ndarray:
        parts = [getattr(self, field.name).view() for field in fields(self)]
        for part in parts:
            # As mapped files are: one compiled version does for both.
            part.flags.writeable = False
        return _sums(seen, *parts)


def laid_out(model: Any, sample: np.ndarray) -> Forest:
    """The trees of a fitted ``HistGradientBoosting`` model as one round, compared with the model
    on rows ``(n_rows, n_features)`` like those it grew on.

    What is summed is a classifier's ``decision_function`` (of two classes), or the log of a
    Poisson regressor's ``predict``. scikit-learn exports boosted trees in no public way, so this
    function alone reads its private tables. ``TrainingError`` if a release keeps other ones.
    """
    import sklearn

    unreadable = f"the trees of scikit-learn {sklearn.__version__} cannot be laid out as arrays"
    try:
        tables = [tree.nodes for (tree,) in model._predictors]
        (baseline,) = np.ravel(model._baseline_prediction)
        table = np.concatenate(tables)
        forest = Forest(
            baseline=np.array([baseline], dtype=np.float64),
            rounds=np.array([0, len(tables)]),
            heads=np.cumsum([0, *map(len, tables)]),
            **{name: table[field].astype(dtype) for name, (field, dtype) in NODES.items()},
        )
    except (AttributeError, TypeError, ValueError) as exc:
        raise TrainingError(f"{unreadable}: {exc}") from exc
    known = getattr(model, "decision_function", lambda rows: np.log(model.predict(rows)))(sample)
    if not np.allclose(forest.predict(sample), known, rtol=1e-9, atol=1e-9):
        raise TrainingError(f"{unreadable}: as arrays they predict something else")
    return forest


def grow(
    seen: Sequence[np.ndarray],
    now: Sequence[Choices],
    scores: Sequence[np.ndarray],
    *,
    n_rounds: int,
    seed: int,
) -> Forest:
    """Trees that explain what was chosen ``now`` beyond what log ``scores`` expect, both a block.

    ``seen`` are the features, ``(n_rows, n_features)`` a block, which may be NaN.
    Most rows were not clicked and hardly expected to be. Where there are many, a share of these is
    drawn that grows with what was expected, and weighs as much more: half the rows make the same
    orders in half the time.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    whole, clicked = np.concatenate(seen), np.concatenate([block.clicked for block in now])
    heads = np.cumsum([0, *map(len, scores)])
    raw = np.concatenate(scores)

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
        rounds.append(laid_out(trees, whole_kept[:N_COMPARED]))
        if number + 1 < n_rounds:
            raw = raw + rounds[-1].predict(whole)
    return _joined(rounds)


def _joined(parts: Sequence[Forest]) -> Forest:
    """The rounds of several forests, one after the other."""
    none = [np.zeros(0, dtype) for _, dtype in NODES.values()]
    parts = [Forest(np.zeros(0), np.zeros(1, np.int64), np.zeros(1, np.int64), *none), *parts]

    def together(name: str, of: Callable[[np.ndarray], np.ndarray] = np.asarray) -> np.ndarray:
        return np.concatenate([of(getattr(part, name)) for part in parts])

    return Forest(
        baseline=together("baseline"),
        rounds=np.append(0, np.cumsum(together("rounds", np.diff))),
        heads=np.append(0, np.cumsum(together("heads", np.diff))),
        **{name: together(name) for name in NODES},
    )


def snapped(seen: np.ndarray) -> np.ndarray:
    """Features ``(n_rows, n_features)``, each value the nearest of ``N_VALUES`` quantiles.

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
    seen, baseline, rounds, heads, feature, threshold, missing_left, left, right, value
):
    """The sums after no round, the first ..., ``(n_rows, n_rounds + 1)``."""
    sums = np.zeros((len(seen), len(baseline) + 1))
    for row in prange(len(seen)):
        total = 0.0
        for number in range(len(baseline)):
            # As scikit-learn adds up: a round from its baseline on, tree by tree.
            of_round = baseline[number]
            for tree in range(rounds[number], rounds[number + 1]):
                first = heads[tree]
                at = first
                while left[at] > 0:
                    known = seen[row, feature[at]]
                    goes_left = known <= threshold[at] or (missing_left[at] and np.isnan(known))
                    at = first + (left[at] if goes_left else right[at])
                of_round += value[at]
            total += of_round
            sums[row, number + 1] = total
    return sums
