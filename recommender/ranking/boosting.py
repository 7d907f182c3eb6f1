"""Boosted trees: grown on what people chose, and laid out as arrays.

scikit-learn grows them, on the likelihood of choices (``softmax_loss``), and walks them one by one,
each with a call of its own, which costs few rows most; here all are one loop. The sums are
the same to the last bit.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from recommender.array_fields import Flags, Heads, Numbers, Values
from recommender.errors import TrainingError
from recommender.text.loops import forest_sums

if TYPE_CHECKING:
    from recommender.clicks.choice_model import Exposures

# Leaves of many rows, and a Newton step that so many clicks hold back. Twice as many trees in steps
# half as large take twice as long and order as well (wikispeedia .4438 and .4438 in the mean of two
# parts of the log, seeds' noise .0002).
N_TREES, LEARNING_RATE, MIN_ROWS, PRIOR_CLICKS = 150, 0.1, 200, 10.0
# Of fewer rows than this a thread has so little to do, a node of a tree at a time, that waking it
# takes longer: on 20,000 rows one thread takes a fifth of the time of two.
MANY_ROWS = 100_000
# Values a feature has for the trees that grow on it: scikit-learn's bins, one of 64 kept for what
# is missing.
N_VALUES = 63
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
    """Boosted trees: a ``baseline``, ``(1,)``, and trees, of which tree ``t`` has the nodes
    ``heads[t]`` to ``heads[t + 1]``. The others are ``(n_nodes,)``: a row whose ``feature`` is
    ``threshold`` or less, or missing where ``missing_left``, goes to ``left``, else to ``right``,
    both counted from the first node of the tree and 0 in a leaf, which has a ``value``.
    """

    baseline: Annotated[np.ndarray, Values("1")]
    heads: Annotated[np.ndarray, Heads("n_trees+1", of="n_nodes", filled=True)]
    feature: Annotated[np.ndarray, Numbers("n_nodes", below="n_features")]
    threshold: Annotated[np.ndarray, Values("n_nodes", least=-np.inf, most=np.inf)]
    missing_left: Annotated[np.ndarray, Flags("n_nodes")]
    left: Annotated[np.ndarray, Numbers("n_nodes")]
    right: Annotated[np.ndarray, Numbers("n_nodes")]
    value: Annotated[np.ndarray, Values("n_nodes")]

    def fault(self) -> str | None:
        """What is wrong with trees that were read, or None: a way through them leads on, from each
        node to one further down, and ends in a leaf.
        """
        sizes = np.diff(self.heads)
        own = np.arange(len(self.left)) - np.repeat(self.heads[:-1], sizes)
        leaf = self.left == 0
        for name, child in (("left", self.left), ("right", self.right)):
            if not (leaf | ((own < child) & (child < np.repeat(sizes, sizes)))).all():
                return f"{name}: a node leads back, or out of its tree"
        return None

    def predict(self, seen: np.ndarray) -> np.ndarray:
        """The sum over all trees for rows ``(n_rows, n_features)``; ``(n_rows,)``."""
        parts = [getattr(self, field.name).view() for field in fields(self)]
        for part in parts:
            # As mapped files are: one compiled version does for both.
            part.flags.writeable = False
        return forest_sums(*parts, seen)


def laid_out(model: Any, sample: np.ndarray) -> Forest:
    """The trees of a fitted ``HistGradientBoosting`` model, compared with the model on rows
    ``(n_rows, n_features)`` like those it grew on.

    What is summed is a classifier's ``decision_function`` (of two classes), or a regressor's
    ``predict``. scikit-learn exports boosted trees in no public way, so this
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
            heads=np.cumsum([0, *map(len, tables)]),
            **{name: table[field].astype(dtype) for name, (field, dtype) in NODES.items()},
        )
    except (AttributeError, TypeError, ValueError) as exc:
        raise TrainingError(f"{unreadable}: {exc}") from exc
    known = getattr(model, "decision_function", model.predict)(sample)
    if not np.allclose(forest.predict(sample), known, rtol=1e-9, atol=1e-9):
        raise TrainingError(f"{unreadable}: as arrays they predict something else")
    return forest


def grow(
    seen: np.ndarray, shown: Exposures, scores: np.ndarray, *, seed: int, n_trees: int | None = None
) -> Forest:
    """Trees that explain what was chosen beyond what ``scores``, ``(n_rows,)``, predict of rows
    with features ``seen``, ``(n_rows, n_features)``, which may be NaN; the first ``n_trees``, by
    default all ``N_TREES``.

    Gradient boosting (Friedman 2001) of the log-likelihood of the choices with Newton's steps.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    from recommender.ranking.softmax_loss import SoftmaxLoss

    trees = HistGradientBoostingRegressor(
        loss=SoftmaxLoss(shown, scores),
        learning_rate=LEARNING_RATE,
        max_iter=N_TREES if n_trees is None else n_trees,
        max_leaf_nodes=31,
        min_samples_leaf=MIN_ROWS,
        l2_regularization=PRIOR_CLICKS,
        max_features=0.4,
        max_bins=N_VALUES,
        early_stopping=False,
        random_state=seed,
    )
    varied = varying(seen)
    snap = snapped(seen[:, varied])
    with threads_for(len(snap)):
        trees.fit(snap, shown.clicks)
    forest = laid_out(trees, snap[:N_COMPARED])
    return replace(forest, feature=varied[forest.feature].astype(np.int32))


def varying(seen: np.ndarray) -> np.ndarray:
    """Columns of features ``(n_rows, n_features)`` that have more than one value, missing being
    one: trees count the values of all columns, and of constant ones longest. The first if there is
    none.
    """
    first = seen[:1]
    same = (seen == first) | (np.isnan(seen) & np.isnan(first))
    varied = np.flatnonzero(~same.all(axis=0))
    return varied if len(varied) else np.zeros(1, dtype=np.intp)


def threads_for(n_rows: int) -> AbstractContextManager[Any]:
    """One thread for scikit-learn's trees while they grow on few rows, else all there are."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1) if n_rows < MANY_ROWS else nullcontext()


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
