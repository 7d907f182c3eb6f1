"""Rates of rare events, smoothed as far as the data find them alike: empirical Bayes.

Clicks are taken as Poisson, and each rate, clicks over expected clicks, as drawn from a gamma
distribution around a mean. Then clicks are negative binomial, and how far they spread beyond
Poisson shows how alike the rates are: the weight of the mean under which they are likeliest is
fitted, and each rate is estimated by its posterior mean (Robbins 1956, "An empirical Bayes
approach to statistics"; Morris 1983, "Parametric empirical Bayes inference", JASA 78; for counts
over expected counts DuMouchel 1999, "Bayesian data mining in large frequency tables", The
American Statistician 53).

>>> rates = posterior_rate(np.array([0.0, 9.0]), np.array([3.0, 3.0]), 1.0)
>>> rates.tolist()
[0.25, 2.5]
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Usual(NamedTuple):
    """What a weight, in clicks, usually is, before the log is asked: a log-normal prior around
    ``weight``, give or take a ``factor`` (one standard deviation); and its bounds.
    """

    weight: float
    factor: float
    least: float
    most: float


def posterior_rate(
    clicks: np.ndarray,
    expected: np.ndarray,
    weight: np.ndarray | float,
    mean: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Clicks over expected clicks, ``(n,)``, with a prior of ``weight`` clicks at rate ``mean``."""
    return (clicks + weight) / (expected + weight / mean)


def fitted_weight(
    clicks: np.ndarray,
    expected: np.ndarray,
    usual: Usual,
    *,
    mean: np.ndarray | float = 1.0,
    share: np.ndarray | float = 1.0,
) -> float:
    """The weight, in clicks, of the prior of ``posterior_rate`` by marginal likelihood.

    ``clicks`` and ``expected`` are ``(n,)``, as are ``mean`` and ``share`` unless they are the same
    for all; row *i* has a prior of ``weight * share[i]`` clicks at rate ``mean[i]``, the shape of
    its gamma distribution. Rows that expect nothing are left out. Rates that differ by no
    more than chance give a great weight, and no rows at all the usual one. Whatever ``expected``
    and ``mean`` rest on must not have seen these clicks.
    """
    clicks, expected, mean, share = np.broadcast_arrays(clicks, expected, mean, share)
    known = (expected > 0) & (share > 0)
    if not known.any():
        return usual.weight
    # They take 20 MB and a tenth of a second, which a training without clicks need not spend.
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln

    clicks, expected, mean, share = clicks[known], expected[known], mean[known], share[known]

    def loss(log_weight: float) -> float:
        shape = np.exp(log_weight) * share
        likelihood = gammaln(clicks + shape) - gammaln(shape)
        likelihood -= shape * np.log1p(expected * mean / shape)
        likelihood -= clicks * np.log(expected + shape / mean)
        prior = ((log_weight - np.log(usual.weight)) / np.log(usual.factor)) ** 2 / 2
        return float(prior - likelihood.sum())

    bounds = np.log(usual.least), np.log(usual.most)
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
