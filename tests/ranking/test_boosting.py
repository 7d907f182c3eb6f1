"""Trees laid out as arrays predict what scikit-learn does."""

from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from recommender.clicks.choice_model import Exposures
from recommender.errors import TrainingError
from recommender.ranking.boosting import Forest, grow, laid_out


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


def some_choices(n_pages: int, *, taste: float) -> tuple[np.ndarray, Exposures]:
    """Pages of four links seen by 20 readers each, who choose by the second of four features as far
    as ``taste``; the first and the last feature tell nothing, one constant, one never known.
    """
    random = np.random.default_rng(0)
    seen = random.normal(size=(n_pages * 4, 4)).astype(np.float32)
    seen[:, 0], seen[:, 3] = 7, np.nan
    odds = np.exp(taste * seen[:, 1]).reshape(n_pages, 4)
    clicks = random.poisson(20 * odds / odds.sum(axis=1, keepdims=True)).reshape(-1)
    rows = np.arange(len(seen))
    return seen, Exposures(rows, rows // 4, np.full(len(rows), 20.0), clicks.astype(float))


def test_features_that_never_vary_are_left_out():
    """Trees name features by their place among all, and are those that the others alone grow."""
    seen, shown = some_choices(500, taste=1.0)
    level = np.zeros(len(seen))

    forest = grow(seen, shown, level, seed=0, n_trees=10)
    others = grow(seen[:, 1:3], shown, level, seed=0, n_trees=10)

    inner = forest.left > 0
    assert set(forest.feature[inner].tolist()) == {1, 2}
    np.testing.assert_array_equal(forest.predict(seen), others.predict(seen[:, 1:3]))
    assert np.corrcoef(forest.predict(seen), seen[:, 1])[0, 1] > 0.9


def test_where_no_feature_varies_nothing_is_added():
    """Features all missing, or all the same, tell no two links apart."""
    seen, shown = some_choices(200, taste=1.0)

    forest = grow(seen[:, [0, 3]], shown, np.zeros(len(seen)), seed=0, n_trees=3)

    assert np.ptp(forest.predict(seen[:, [0, 3]])) == 0


def test_fewer_trees_are_the_first_of_more():
    """So what few of them show holds of the same trees that go on."""
    seen, shown = some_choices(500, taste=1.0)

    few, more = (grow(seen, shown, np.zeros(len(seen)), seed=3, n_trees=n) for n in (4, 9))

    last = few.heads[-1]
    assert len(few.heads) == 5 and len(more.heads) == 10
    np.testing.assert_array_equal(few.heads, more.heads[:5])
    np.testing.assert_array_equal(few.threshold, more.threshold[:last])
    np.testing.assert_array_equal(few.value, more.value[:last])
