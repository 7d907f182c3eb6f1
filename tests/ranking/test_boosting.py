"""Trees laid out as arrays predict what scikit-learn does."""

from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from recommender.errors import TrainingError
from recommender.ranking.boosting import Forest, laid_out


def some_trees(kind: type) -> tuple[Any, np.ndarray]:
    """A small model of scikit-learn's, and rows it grew on, of which some values are missing."""
    random = np.random.default_rng(0)
    seen = random.normal(size=(800, 4)).astype(np.float32)
    seen[random.random(seen.shape) < 0.05] = np.nan
    chosen = np.nan_to_num(seen[:, 0]) + random.normal(size=800) > 0
    model = kind(max_iter=20, random_state=0, early_stopping=False)
    return model.fit(seen, chosen.astype(int)), seen


@pytest.mark.parametrize("kind", [HistGradientBoostingClassifier, HistGradientBoostingRegressor])
def test_trees_laid_out_predict_as_scikit_learn(kind: type):
    """To the last bit, missing values included, on rows they never saw."""
    model, seen = some_trees(kind)
    asked = np.random.default_rng(1).normal(size=(500, 4)).astype(np.float32)
    asked[::7, 2] = np.nan

    forest = laid_out(model, seen)
    found = forest.predict(asked)

    assert forest.fault() is None

    if kind is HistGradientBoostingClassifier:
        np.testing.assert_array_equal(found, model.decision_function(asked))
    else:
        np.testing.assert_array_equal(found, model.predict(asked))


def test_trees_kept_otherwise_are_refused():
    """A release of scikit-learn that stores them in another way is named, rather than misread."""
    model, seen = some_trees(HistGradientBoostingRegressor)
    model.predict = lambda rows: np.ones(len(rows))

    for unknown, message in ((object(), "no attribute"), (model, "predict something else")):
        with pytest.raises(TrainingError, match=f"scikit-learn {sklearn.__version__} .*{message}"):
            laid_out(unknown, seen)


TREES = {
    "baseline": np.zeros(1), "heads": np.array([0, 3, 4]), "feature": np.zeros(4, np.int32),
    "threshold": np.zeros(4), "missing_left": np.zeros(4, np.uint8),
    "left": np.array([1, 0, 0, 0], np.int32), "right": np.array([2, 0, 0, 0], np.int32),
    "value": np.array([0.0, 1.0, 2.0, 4.0]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "children"),
    [
        ("right", [0, 0, 0, 0]),  # round and round
        ("left", [3, 0, 0, 0]),  # into the next tree
        ("right", [9, 0, 0, 0]),  # out of all of them
        ("left", [2, 0, 0, 1]),  # out of the last one
        ("left", [1, 1, 0, 0]),
    ],
)
def test_a_way_through_a_tree_ends(field: str, children: list[int]):
    """A compiled loop follows it wherever it leads, so trees that were read are looked at first."""
    sound = Forest(**TREES)
    unsound = Forest(**{**TREES, field: np.array(children, np.int32)})

    assert sound.fault() is None
    assert sound.predict(np.array([[-1.0], [1.0]])).tolist() == [5.0, 6.0]
    assert f"{field}: a node leads back, or out of its tree" == unsound.fault()
