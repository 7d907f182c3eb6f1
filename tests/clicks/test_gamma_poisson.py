"""Rates drawn around a mean are found to be as alike as they were drawn."""

import numpy as np
import pytest
from scipy.stats import nbinom

from recommender.clicks.gamma_poisson import Usual, fitted_weight, posterior_rate

VAGUE = Usual(1.0, 10.0, least=0.01, most=10_000.0)


@pytest.mark.parametrize("truth", [0.5, 5.0, 50.0])
def test_how_alike_rates_are_is_found_out(truth: float):
    """Rates drawn around 2 from a gamma distribution of known shape."""
    random = np.random.default_rng(3)
    expected = random.uniform(1, 60, 4_000)
    clicks = random.poisson(expected * random.gamma(truth, 2 / truth, len(expected)))

    weight = fitted_weight(clicks, expected, Usual(1.0, 3.0, least=0.1, most=1_000.0), mean=2.0)

    assert weight == pytest.approx(truth, rel=0.15)


def test_the_likelihood_is_the_negative_binomials():
    """Against scipy's distribution on a grid, with means and shares of every row's own."""
    random = np.random.default_rng(5)
    expected, mean, share = random.uniform(0.5, 4, (3, 200))
    clicks = random.poisson(expected * mean * random.gamma(3 * share, 1 / (3 * share)))

    weight = fitted_weight(clicks, expected, VAGUE, mean=mean, share=share)

    def loss(value: float) -> float:
        shape = value * share
        likelihood = nbinom.logpmf(clicks, shape, 1 / (1 + expected * mean / shape)).sum()
        return (np.log(value) / np.log(10)) ** 2 / 2 - likelihood

    assert loss(weight) <= min(loss(value) for value in np.geomspace(0.5, 20, 300)) + 1e-6


def test_chance_alone_gives_the_mean_all_the_weight_there_is():
    """And a row that expects nothing changes nothing."""
    random = np.random.default_rng(0)
    expected = random.uniform(1, 9, 5_000)
    clicks = random.poisson(expected)

    weight = fitted_weight(clicks, expected, VAGUE)

    assert weight > 100
    more = np.append(clicks, 7), np.append(expected, 0.0)
    assert fitted_weight(*more, VAGUE) == weight


def test_without_data_a_weight_is_what_is_usual():
    """The prior's middle."""
    nothing = np.zeros(0)

    weight = fitted_weight(nothing, nothing, Usual(5.0, 3.0, least=0.5, most=50.0))

    assert weight == pytest.approx(5.0, rel=1e-4)


def test_the_posterior_rate_by_hand():
    """Two clicks where one was expected, and a prior of three clicks at half the rate."""
    rate = posterior_rate(np.array([2.0, 0.0]), np.array([1.0, 0.0]), 3.0, 0.5)

    assert rate.tolist() == [5 / 7, 0.5]
