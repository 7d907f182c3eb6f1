"""Curves and products explain what levels leave, and a view more hardly moves them."""

import numpy as np

from recommender.clicks.choice_model import Exposures
from recommender.ranking.additive import AdditiveScore, fit_additive

N = 4_000


def features(seed: int = 0) -> np.ndarray:
    """Three features: one with a bend, two that matter together alone."""
    return np.random.default_rng(seed).normal(0, 1, (N, 3)).astype(np.float32)


def truth(seen: np.ndarray) -> np.ndarray:
    return np.maximum(seen[:, 0], 0) + 0.8 * seen[:, 1] * seen[:, 2]


def shown(seen: np.ndarray, *, seed: int = 1) -> Exposures:
    random = np.random.default_rng(seed)
    clicks = random.poisson(20 * 0.1 * np.exp(truth(seen))).astype(np.float64)
    return Exposures(np.arange(N), np.arange(N) // 8, np.full(N, 20.0), clicks)


def fitted(seen: np.ndarray, of: Exposures) -> AdditiveScore:
    return fit_additive(seen, of, np.zeros(N), crossed=np.array([1, 2]))


def test_a_bend_and_a_product_are_found():
    """On rows they have not seen."""
    seen, asked = features(), features(seed=5)

    predicted = fitted(seen, shown(seen)).predict(asked)

    assert np.corrcoef(predicted, truth(asked))[0, 1] > 0.95


def test_one_view_more_moves_it_by_as_little():
    """A row of 4,000 was seen once more, without a click."""
    seen = features()
    of, again = shown(seen), shown(seen)
    again.exposures[17] += 1

    before, after = (fitted(seen, part).predict(seen) for part in (of, again))

    assert 0 < np.abs(after - before).max() < 1e-3


def test_beyond_what_was_seen_it_is_flat():
    seen = features()
    found = fitted(seen, shown(seen))

    far = found.predict(np.array([[9.0, 9.0, 9.0], [900.0, 900.0, 900.0]], dtype=np.float32))

    assert far[0] == far[1]


def test_a_constant_feature_adds_nothing():
    seen = features()
    seen[:, 0] = 7

    found = fitted(seen, shown(features()))

    assert not (found.feature == 0).any()
    assert np.isfinite(found.predict(seen)).all()
