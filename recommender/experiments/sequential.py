"""Intervals that hold at every look, for views whose variant was drawn by chance.

An experiment is looked at every day, and stopped when it shows something. An ordinary 95 % interval
is right once; of many looks one is wrong sooner or later. A confidence sequence is right at all
times at once, in 95 of 100 experiments, whenever one stops.

Readers are no independent draws: one has several views, and habits. That does not matter here: it
is the assignment that is random, not the readers. A page draws a variant anew for every view, so
given all that happened before, the arm of view *i* is drawn by the published shares, whatever it
would win. Then the sum over views of what an arm won above its mean, weighted by 1 / share, less
the same of the control, is a martingale, in whatever way views hang together (Ham, Bojinov, Lindon
and Tingley 2022, "Design-based confidence sequences for anytime-valid causal inference", where the
variance is bounded as here: what one view would win in both arms is seen by nobody, and their
product is left out). It is compared with the boundary of a normal mixture (Robbins 1970,
"Statistical methods related to the law of the iterated logarithm"; Howard, Ramdas, McAuliffe and
Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics
49, on two-sided normal mixtures), with the measured variance in the place of the known one, which
is right for large samples: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, "Time-uniform
central limit theory and asymptotic confidence sequences", Annals of Statistics 52, on asymptotic
sequences for independent views and, of Lindeberg's type, for martingales.

What is known of a view before its variant is drawn may be taken off what it won, times a slope that
makes the variance least: the mean difference stays what it was (Deng, Xu, Kohavi and Walker 2013,
"Improving the sensitivity of online controlled experiments by utilizing pre-experiment data", on
CUPED). Slope and means are measured on the same views, which changes the sum by less than the
boundary leaves room for; ``benchmarks/experiments.py`` counts how often it is crossed.

>>> round(float(MIXING(0.05)), 2)
8.21
>>> bool(log_bayes_factor(np.array([505, 495]), np.array([0.5, 0.5])) < 0)
True
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, lambertw, ndtri

ALPHA = 0.05
# The number of views at which the interval is as narrow as it can be: some days of a small site.
# From a third of it to a hundred times as many it is at most a sixth wider than if it were tuned
# to that number; much earlier nothing can be seen, much later everything. Not tuned.
TUNED_AT = 10_000
# Clicks that each arm must have before an interval is given: a sum of fewer is not near normal. By
# the simulations of ``benchmarks/experiments.py``.
MIN_CLICKS = 30
# How sure one may be of finding a difference of a size, when it is said when it will be found.
POWER = 0.8
# How near the published shares those are that a mismatch is looked for at: as if a thousand views
# had been seen at the published ones before. Half of the deviations of two equal arms are within
# one percentage point. Not tuned.
CONCENTRATION = 1_000.0
# Sums over views that everything is computed from: of what is won (y), of what it is a share of
# (z), and of what was known before (x).
VIEWS, Y, Z, X, YY, YZ, ZZ, XY, XZ, XX = range(10)
N_SUMS = 10


def MIXING(alpha: float) -> float:  # noqa: N802
    """At how many times the mixture's own variance its boundary is nearest, in standard errors."""
    return float(-lambertw(-(alpha**2) / np.e, k=-1).real - 1)


def radius(variance: np.ndarray, mixed: np.ndarray, alpha: float) -> np.ndarray:
    """What a martingale whose variance has come to ``variance`` exceeds at any time with a chance
    of ``alpha``, on either side; ``mixed`` is the variance of the mixture. Arrays of one shape.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt((variance + mixed) * np.log((variance + mixed) / (mixed * alpha**2)))


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """How much more an arm wins than the control, at each look, arrays ``(..., n_looks)``; NaN
    where too little is known.

    ``estimate`` with its always-valid interval ``low`` to ``high`` and its standard ``error``;
    ``relative``, the same as a share of what the control wins; ``kept``, the variance as a share of
    what it would be had nothing been known before; ``views``, of both arms; ``mixed``, the variance
    of the mixture, of the sum over views.
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    error: np.ndarray
    relative: np.ndarray
    relative_low: np.ndarray
    relative_high: np.ndarray
    kept: np.ndarray
    views: np.ndarray
    mixed: np.ndarray

    @property
    def crossed(self) -> np.ndarray:
        """Whether the interval is to one side of nothing, ``(..., n_looks)``."""
        return (self.low > 0) | (self.high < 0)


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Sums over all views up to each look, by arm: ``values`` is ``(..., n_looks, n_arms, 10)``."""

    values: np.ndarray

    @classmethod
    def of(
        cls,
        look: np.ndarray,
        arm: np.ndarray,
        y: np.ndarray,
        z: np.ndarray | float = 1.0,
        x: np.ndarray | float = 0.0,
        times: np.ndarray | float = 1.0,
        *,
        n_looks: int,
        n_arms: int,
    ) -> Sums:
        """Of rows ``(n_rows,)``, each of which stands for so many (``times``) views before ``look``
        and after the one before it.
        """
        y, z, x, times = (
            np.broadcast_to(np.asarray(each, np.float64), look.shape) for each in (y, z, x, times)
        )
        cell = look * n_arms + arm
        products = (np.ones(1), y, z, x, y * y, y * z, z * z, x * y, x * z, x * x)
        found = [
            np.bincount(cell, weights=times * each, minlength=n_looks * n_arms) for each in products
        ]
        values = np.stack(found, axis=-1).reshape(n_looks, n_arms, N_SUMS)
        return cls(values.cumsum(axis=0))

    def __getitem__(self, name: int) -> np.ndarray:
        return self.values[..., name]

    @property
    def rate(self) -> np.ndarray:
        """What is won, of what it is a share of, ``(..., n_looks, n_arms)``."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self[Y] / self[Z]

    def spread(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each arm's rate: the variance, that of the mean of x, and their covariance; each
        ``(..., n_looks, n_arms)``. A rate is linear in its two means, near them (delta method).
        """
        rate, n = self.rate, self[VIEWS]
        with np.errstate(divide="ignore", invalid="ignore"):
            per_view = self[Z] / n
            # As a sample's: one view less than there are.
            weight = 1 / (n * (n - 1))
            won = (self[YY] - 2 * rate * self[YZ] + rate**2 * self[ZZ]) / per_view**2
            known = self[XX] - self[X] ** 2 / n
            both = (self[XY] - rate * self[XZ]) / per_view
            return won * weight, np.maximum(known, 0) * weight, both * weight

    def single(
        self,
        arm: int,
        *,
        alpha: float = ALPHA,
        inflated: float = 1.0,
        given: np.ndarray | None = None,
    ) -> Difference:
        """The rate of one arm, less nothing; where it is ``given``, by default with enough
        clicks.
        """
        rate = self.rate[..., arm]
        won, _, _ = self.spread()
        enough = self[Y][..., arm] >= MIN_CLICKS if given is None else given
        variance = won[..., arm] * inflated
        zero = np.zeros_like(rate)
        return _sequence(rate, zero, variance, zero, self[VIEWS][..., arm], enough, alpha, zero + 1)

    def difference(
        self, arm: int, *, control: int = 0, alpha: float = ALPHA, inflated: float = 1.0
    ) -> Difference:
        """An arm less the control. Variances are ``inflated`` where views do not have variants of
        their own.
        """
        won, known, both = self.spread()
        pair = [control, arm]
        slope = np.zeros(won.shape[:-1])
        total = known[..., pair].sum(axis=-1)
        np.divide(both[..., pair].sum(axis=-1), total, out=slope, where=total > 0)
        at = slope[..., None]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self[X] / self[VIEWS]
            overall = self[X][..., pair].sum(axis=-1) / self[VIEWS][..., pair].sum(axis=-1)
            left = np.maximum(won - 2 * at * both + at**2 * known, 0)
            kept = left[..., pair].sum(axis=-1) / won[..., pair].sum(axis=-1)
        rate = self.rate - at * (mean - overall[..., None])
        given = np.asarray((self[Y][..., pair] >= MIN_CLICKS).all(axis=-1))
        return _sequence(
            rate[..., arm], rate[..., control], left[..., arm] * inflated,
            left[..., control] * inflated, self[VIEWS][..., pair].sum(axis=-1), given, alpha, kept,
        )  # fmt: skip


def _sequence(
    new: np.ndarray,
    old: np.ndarray,
    new_variance: np.ndarray,
    old_variance: np.ndarray,
    views: np.ndarray,
    given: np.ndarray,
    alpha: float,
    kept: np.ndarray,
) -> Difference:
    """The sequence of two rates whose variances are known, where it is ``given``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = new_variance + old_variance
        total = variance * views**2  # of the sum over views
        # By the first look that says anything: what is drawn later does not choose the boundary.
        first = given.argmax(axis=-1)[..., None]
        a_view = np.take_along_axis(total / views, first, axis=-1)
        mixed = np.broadcast_to(a_view * TUNED_AT / MIXING(alpha), total.shape)
        half = radius(total, mixed, alpha) / views
        estimate = new - old
        # All ratios that the sequence has not ruled out: (new - g old)² <= c² (variance of it).
        times = (half**2 / variance)[..., None]
        square = old**2 - times[..., 0] * old_variance
        middle = new * old
        root = np.sqrt(np.maximum(middle**2 - square * (new**2 - times[..., 0] * new_variance), 0))
        bounded = given & (square > 0)
        relative = np.where(given & (old > 0), new / old - 1, np.nan)
        low, high = (
            np.where(bounded, (middle + sign * root) / square - 1, np.nan) for sign in (-1, 1)
        )
    blank = np.where(given, 0.0, np.nan)
    return Difference(
        estimate + blank, estimate - half + blank, estimate + half + blank,
        np.sqrt(variance) + blank, relative, low, high, kept + blank, views, mixed,
    )  # fmt: skip


def views_to_find(difference: Difference, effect: float, *, alpha: float = ALPHA) -> float:
    """With how many views of both arms a difference of ``effect`` would be found with a chance of
    ``POWER``, judged by the last look. NaN if nothing is known, ``inf`` if never.
    """
    views, error = float(difference.views[-1]), float(difference.error[-1])
    mixed = float(difference.mixed[-1])
    if not (error > 0 and effect > 0):
        return float("nan")
    n = np.geomspace(100, 1e12, 4_000)
    variance = error**2 * views**2 * n / views
    half = radius(variance, np.full_like(n, mixed), alpha) / n
    found = half + ndtri(POWER) * error * np.sqrt(views / n) <= effect
    return float(n[found.argmax()]) if found.any() else float("inf")


def log_bayes_factor(
    counts: np.ndarray, shares: np.ndarray, *, concentration: float = CONCENTRATION
) -> np.ndarray:
    """How much likelier, as a logarithm, counts ``(..., n_cells)`` are if the shares differ from
    the published ones ``(n_cells,)`` than if they do not.

    Shares that differ are taken to be from a Dirichlet distribution around the published ones. If
    they do not, this exceeds log(1 / alpha) at any look with a chance of at most ``alpha`` (Lindon
    and Malek 2022, "Anytime-valid inference for multinomial count data", NeurIPS, on testing shares
    of arms; Ville's inequality).
    """
    counts = np.asarray(counts, np.float64)
    prior = concentration * shares
    n = counts.sum(axis=-1)
    found = gammaln(concentration) - gammaln(concentration + n)
    found = found + (gammaln(prior + counts) - gammaln(prior)).sum(axis=-1)
    return found - (counts * np.log(shares)).sum(axis=-1)


def p_value(
    counts: np.ndarray, shares: np.ndarray, *, concentration: float = CONCENTRATION
) -> np.ndarray:
    """The always-valid p-value of counts up to each look, ``(..., n_looks, n_cells)``, that the
    shares are the published ones; ``(..., n_looks)``.
    """
    found = log_bayes_factor(counts, shares, concentration=concentration)
    most = np.maximum.accumulate(found, axis=-1)
    return np.exp(-np.maximum(most, 0))
