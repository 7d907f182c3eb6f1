"""Which links are as if somebody had drawn them by chance: a model of two groups.

A list of links is a mixture: some belong beside their page, the others might lead anywhere. What
any two articles of the site have in common is known, by drawing pairs; so each link has a p-value,
the share of such pairs that are as much alike. P-values of links that lead anywhere are uniform,
those of the others small. How many lead anywhere shows at the upper end (Storey 2002, "A direct
approach to false discovery rates", JRSS B 64), and the density, which falls, is that of Grenander;
the two give the chance that a link leads anywhere, its local false discovery rate (Efron,
Tibshirani, Storey & Tusher 2001, "Empirical Bayes analysis of a microarray experiment", JASA 96;
for the densities Strimmer 2008, BMC Bioinformatics 9). So the bar moves with the site: where hardly
any link leads anywhere, it takes more to be taken for one of these.

Where clicks are known they speak too: of each group the clicks over those expected are negative
binomial, with a mean and spread of its own, found by steps of expectation and maximisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression, minimize_scalar
from scipy.special import gammaln

# Bins of p-values. Not tuned.
N_BINS = 50
# From here on p-values are of links that lead anywhere (Storey's lambda). Where few do, beyond the
# customary half stand as many that belong. Not tuned further.
UPPER = 0.8
# Links that lists are taken to hold besides, of which ``PRIOR_SHARE`` lead anywhere: a site with a
# handful of links is not accused by them alone. Not tuned.
N_PRIOR, PRIOR_SHARE = 50.0, 0.05
# Clicks that each group is to have been due before clicks speak. Not tuned.
MIN_DUE = 20.0
N_STEPS = 25
# Links that seem to lead anywhere are followed as the others are if it is so large a part of their
# rate. Not tuned: on the sample site it is .3, and .05 once clicks have told them apart.
AS_MUCH = 0.75
# Clicks make a link at most so many times likelier to be of either group: they fit no model to the
# letter. Not tuned.
MOST = 1_000.0


@dataclass(frozen=True, slots=True, eq=False)
class TwoGroups:
    """The ``chance`` that each link leads anywhere, ``(n_links,)``; the ``share`` of all links that
    do; and the clicks over expected clicks, in the mean, of those that do and of the others,
    ``rates``, None where clicks did not speak.
    """

    chance: np.ndarray
    share: float
    rates: tuple[float, float] | None = None


def by_likeness(likeness: np.ndarray, drawn: np.ndarray) -> TwoGroups:
    """The groups by ``likeness`` of links, ``(n_links,)``, beside that of pairs that were ``drawn``
    by chance, ``(n_pairs,)``.
    """
    n, ordered = len(likeness), np.sort(drawn)
    if n == 0 or len(drawn) == 0:
        return TwoGroups(np.zeros(n), 0.0)
    above, at_least = (
        1 - np.searchsorted(ordered, likeness, side=side) / len(ordered)
        for side in ("right", "left")
    )
    # Where texts are short most pairs have nothing in common, and tie: the p-value of a tie is any
    # of a stretch.
    at_least = np.maximum(at_least, above + 1 / len(ordered))
    width = at_least - above
    edges = np.linspace(0, 1, N_BINS + 1)
    below = np.array([np.clip((edge - above) / width, 0, 1).sum() for edge in edges])
    # What is taken to be there besides: related links are in the first bins.
    prior = np.full(N_BINS, N_PRIOR * PRIOR_SHARE / N_BINS)
    prior[: N_BINS // 10] += N_PRIOR * (1 - PRIOR_SHARE) / (N_BINS // 10)
    mass = (np.diff(below) + prior) / (n + N_PRIOR)
    share = min(float(mass[edges[:-1] >= UPPER - 1e-9].sum()) / (1 - UPPER), 1.0)
    falling = isotonic_regression(mass * N_BINS, increasing=False).x
    middle = (edges[1:] + edges[:-1]) / 2
    fine = np.linspace(0, 1, 20 * N_BINS + 1)
    local = np.minimum(share / np.maximum(np.interp(fine, middle, falling), 1e-12), 1.0)
    whole = np.concatenate([[0.0], np.cumsum((local[1:] + local[:-1]) / 2) * fine[1]])
    ends = np.interp(np.minimum(at_least, 1), fine, whole) - np.interp(above, fine, whole)
    return TwoGroups(np.clip(ends / width, 0, 1), share)


def with_clicks(groups: TwoGroups, clicks: np.ndarray, expected: np.ndarray) -> TwoGroups:
    """The groups where ``clicks`` speak too, beside those ``expected`` of any link that is shown as
    often at these places, ``(n_links,)`` both, 0 for a link that was never shown. Where links that
    seem to lead anywhere are followed as the others are, likeness is no guide to what belongs, and
    every chance is 0.
    """
    before = np.clip(groups.chance, 1e-6, 1 - 1e-6)
    shown = expected > 0
    by_text = [
        float(weight @ clicks[shown]) / max(float(weight @ expected[shown]), 1e-12)
        for weight in (before[shown], 1 - before[shown])
    ]
    if float(before[shown] @ expected[shown]) >= MIN_DUE and by_text[0] > AS_MUCH * by_text[1]:
        return TwoGroups(np.zeros(len(before)), groups.share, (by_text[0], by_text[1]))
    found = before.copy()
    rates = (1.0, 1.0)
    for _ in range(N_STEPS):
        likelihood = []
        for number, weight in enumerate((found[shown], 1 - found[shown])):
            due = float(weight @ expected[shown])
            if due < MIN_DUE:
                return groups
            rate = max(float(weight @ clicks[shown]), 0.5) / due
            shape = _shape(clicks[shown], expected[shown] * rate, weight)
            likelihood.append(_log_likelihood(clicks[shown], expected[shown] * rate, shape))
            rates = (rate, rates[1]) if number == 0 else (rates[0], rate)
        ratio = np.clip(likelihood[0] - likelihood[1], -np.log(MOST), np.log(MOST))
        odds = before[shown] / (1 - before[shown]) * np.exp(ratio)
        last, found[shown] = found[shown], odds / (1 + odds)
        if np.abs(found[shown] - last).max(initial=0.0) < 1e-4:
            break
    return TwoGroups(found, float(found.mean()), rates)


def _shape(clicks: np.ndarray, expected: np.ndarray, weight: np.ndarray) -> float:
    """The shape of the gamma distribution of the rates of a group, by weighted likelihood."""

    def loss(log_shape: float) -> float:
        return -float(weight @ _log_likelihood(clicks, expected, float(np.exp(log_shape))))

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 5.0), method="bounded").x))


def _log_likelihood(clicks: np.ndarray, expected: np.ndarray, shape: float) -> np.ndarray:
    """Of negative binomial clicks, but for what does not depend on the group, ``(n,)``."""
    whole = shape + expected
    found = gammaln(clicks + shape) - gammaln(shape) + shape * np.log(shape / whole)
    return found + clicks * np.log(expected / whole)


def as_sure(chance: np.ndarray, *, error: float, least: float) -> np.ndarray:
    """True for as many of the surest as are wrong in a share of ``error`` at most, by their own
    ``chance`` of being right, ``(n,)``, and only from a chance of ``least`` on: the direct
    posterior probability approach (Newton, Noueiry, Sarkar & Ahlquist 2004, Biostatistics 5).

    >>> as_sure(np.array([0.99, 0.5, 0.97, 0.9]), error=0.05, least=0.8)
    array([ True, False,  True,  True])
    """
    order = np.argsort(-chance, kind="stable")
    wrong = np.cumsum(1 - chance[order]) / np.arange(1, len(chance) + 1)
    kept = np.zeros(len(chance), dtype=bool)
    kept[order[: int((wrong <= error).sum())]] = True
    return kept & (chance >= least)
