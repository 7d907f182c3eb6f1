"""Trees see features by a few values, and what they say of a missing one is a number."""

import numpy as np
import pytest

from recommender.ranking.boosting import N_VALUES, Trees, grow, snapped
from recommender.ranking.time_splits import Choices


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
    rows = np.arange(3000)
    now = Choices(rows, slate, rows, clicks, np.full(3000, 20.0), np.ones(3000))

    forest = grow([seen], [now], [np.zeros(3000)], n_rounds=4, seed=0)

    asked = random.normal(0, 1, (400, 3)).astype(np.float32)
    asked[:, 1] = np.nan if spoilt is None else spoilt
    said = forest.of(asked)
    assert np.isfinite(said).all()
    assert np.corrcoef(said, asked[:, 0])[0, 1] > 0.95
    assert np.array_equal(forest.laid_out().of(asked), said)
    assert len(forest.steps(asked)) == 5
    assert isinstance(forest.laid_out().rounds[0], Trees)
