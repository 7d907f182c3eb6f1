"""Trees see features by a few values, and what they say of a missing one is a number."""

from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from recommender.clicks.choice_model import Exposures
from recommender.errors import TrainingError
from recommender.ranking.boosting import N_VALUES, grow, laid_out, snapped
from recommender.ranking.softmax_loss import SoftmaxLoss


def test_features_are_snapped_to_the_nearest_of_their_values():
    """Few values stay as they are, many become few, and the order never turns round."""
    random = np.random.default_rng(0)
    seen = np.column_stack(
        [random.integers(0, 5, 4000), random.exponential(1, 4000), np.full(4000, 7.0)]
    ).astype(np.float32)
    seen[::7, 1] = np.nan

    found = snapped(seen)

    assert np.array_equal(found[:, [0, 2]], seen[:, [0, 2]])
    assert np.array_equal(np.isnan(found[:, 1]), np.isnan(seen[:, 1]))
    known = ~np.isnan(seen[:, 1])
    order = np.argsort(seen[known, 1])
    assert (np.diff(found[known, 1][order]) >= 0).all()
    assert len(np.unique(found[known, 1])) <= N_VALUES
    assert np.isin(found[known, 1], seen[known, 1]).all()


@pytest.mark.slow
@pytest.mark.parametrize("spoilt", [None, np.nan, 3.0], ids=["none", "missing", "constant"])
def test_a_choice_is_learned_though_another_feature_is_spoilt(spoilt: float | None):
    """Readers choose by the first of three features; what the second holds is of no matter."""
    random = np.random.default_rng(1)
    seen = random.normal(0, 1, (3000, 3)).astype(np.float32)
    if spoilt is not None:
        seen[:, 1] = spoilt
    slate = np.repeat(np.arange(500), 6)
    weight = np.exp(seen[:, 0].astype(np.float64)).reshape(500, 6)
    clicks = np.array(
        [random.multinomial(20, row / row.sum()) for row in weight], dtype=np.float64
    ).ravel()
    shown = Exposures(np.arange(3000), slate, np.ones(3000), clicks)

    forest = grow(seen, shown, np.zeros(3000), seed=0)

    asked = random.normal(0, 1, (400, 3)).astype(np.float32)
    asked[:, 1] = np.nan if spoilt is None else spoilt
    predicted = forest.of(asked)
    assert np.isfinite(predicted).all()
    assert np.corrcoef(predicted, asked[:, 0])[0, 1] > 0.95


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


def test_the_loss_falls_along_its_gradient():
    """As differences of the log-likelihood have it, row by row, but for the site's level."""
    random = np.random.default_rng(0)
    page, clicks = np.repeat(np.arange(5), 4), random.poisson(2, 20).astype(np.float64)
    shown = Exposures(np.arange(20), page, random.uniform(1, 5, 20), clicks, weight=2.0)
    scores, added, step = random.normal(size=20), random.normal(size=20), 1e-5

    gradient, hessian = SoftmaxLoss(shown, scores).gradient_hessian(clicks, added)

    for row in range(20):
        aside = np.eye(20)[row] * step
        up, down = (shown.log_likelihood(scores + added + by) for by in (aside, -aside))
        assert gradient[row] == pytest.approx(-(up - down) / (2 * step), abs=1e-4)
    assert (hessian > 0).all()
