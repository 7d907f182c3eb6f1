"""Trees laid out as arrays predict what scikit-learn does."""

from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from recommender.errors import TrainingError
from recommender.ranking.boosting import laid_out


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

    found = laid_out(model, seen).predict(asked)

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
