"""Click rates with their intervals, and which of many pages differ more than chance has it.

Clicks of one visit, and those of one day, hang together, so that a count of them says less than it
seems. Of one day the interval is that of a Poisson count (Garwood 1936) of as many clicks as if
those of a visit went all together; over several days days are clusters besides (ratio estimator,
Cochran 1977, "Sampling techniques", section 6.3), and the wider of the two is given.

Of two counts on one page the ratio is judged given their sum, which is binomial (Przyborowski &
Wilenski 1940), and where many pages are looked at, those that are named are chosen so that one in
twenty is named wrongly, in the mean (Benjamini & Hochberg 1995); their intervals are as much wider
as it takes for the chosen (Benjamini & Yekutieli 2005, "False discovery rate-adjusted multiple
confidence intervals for selected parameters", JASA 100).

>>> round(of_days(np.array([10, 12, 9]), np.array([100, 100, 100])).rate, 3)
0.103
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats

# What is not covered, of an interval, and how many of those that are named are named wrongly.
ALPHA = 0.05
# Days from which the spread between days is measured. Not tuned: of fewer the quantile of
# Student's t is beyond 2.6, and the estimate of the spread is hardly one.
MIN_DAYS = 5
# Pages whose counts tell how much they vary beyond chance. Not tuned.
MIN_PAGES = 20
# The median of a squared normal deviate.
MEDIAN_SQUARE = float(stats.chi2.ppf(0.5, 1))


class Rate(NamedTuple):
    """Clicks for each of what they are counted by, with a 95 % interval; NaN if there is none."""

    rate: float
    low: float
    high: float


def of_count(
    clicks: np.ndarray, of: np.ndarray, *, spread: float = 1.0, alpha: float = ALPHA
) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the interval of each rate ``clicks / of``, ``(n,)`` all, where the variance of a
    count is ``spread`` times that of independent clicks.
    """
    counts = np.asarray(clicks, np.float64) / spread
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(of > 0, spread / np.asarray(of, np.float64), np.nan)
    low = np.where(counts > 0, special.gammaincinv(np.maximum(counts, 1e-12), alpha / 2), 0.0)
    high = special.gammaincinv(counts + 1, 1 - alpha / 2)
    return low * scale, high * scale


def of_days(
    clicks: np.ndarray, of: np.ndarray, *, spread: float = 1.0, alpha: float = ALPHA
) -> Rate:
    """The rate of days together, of the clicks of each and what they are counted by, ``(n_days,)``
    both.
    """
    clicks, of = np.asarray(clicks, np.float64), np.asarray(of, np.float64)
    total, n = of.sum(), int((of > 0).sum())
    if total <= 0:
        return Rate(np.nan, np.nan, np.nan)
    rate = float(clicks.sum() / total)
    low, high = (
        float(end[0])
        for end in of_count(clicks.sum(keepdims=True), total[None], spread=spread, alpha=alpha)
    )
    if n >= MIN_DAYS:
        left = clicks - rate * of
        error = float(np.sqrt(n / (n - 1) * (left**2).sum())) / float(total)
        half = float(stats.t.ppf(1 - alpha / 2, n - 1)) * error
        low, high = min(low, max(rate - half, 0.0)), max(high, rate + half)
    return Rate(rate, low, high)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Two counts each of many pages, ``(n,)``: the clicks ``one`` and ``other``, and those ``due``
    to each if nothing differed.
    """

    one: np.ndarray
    due_one: np.ndarray
    other: np.ndarray
    due_other: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        """How many times as many of what is due the one got, NaN where that is not known."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return (self.one / self.due_one) / (self.other / self.due_other)

    @property
    def share(self) -> np.ndarray:
        """Of the clicks of both, the share that is due to the one."""
        return self.due_one / np.maximum(self.due_one + self.due_other, 1e-300)

    def spread(self, least: float = 1.0) -> np.ndarray:
        """How many times the variance of each page's counts is that of independent clicks,
        ``(n,)``: ``least`` of any count, and more of large ones, as far as pages vary by themselves
        from one time to another. How much they do is measured by the median page, so that the few
        that differ have no part in it (a beta-binomial model, Williams 1982, "Extra-binomial
        variation in logistic linear models", Applied Statistics 31).
        """
        n = self.one + self.other
        expected = n * self.share
        variance = expected * (1 - self.share)
        known = variance >= 1
        own = 0.0
        if known.sum() >= MIN_PAGES:
            squares, of = (self.one - expected)[known] ** 2, variance[known]

            def beyond(own: float) -> float:
                return float(np.median(squares / of / (least + own * of))) - MEDIAN_SQUARE

            if beyond(0.0) > 0:
                own = float(optimize.brentq(beyond, 0.0, 1e6))
        return np.asarray(least + own * variance)

    def p(self, spread: np.ndarray) -> np.ndarray:
        """The two-sided p-value of each page that the ratio is 1."""
        x, n = self.one / spread, (self.one + self.other) / spread
        below = special.betainc(np.maximum(n - x, 1e-12), x + 1, 1 - self.share)
        above = special.betainc(np.maximum(x, 1e-12), n - x + 1, self.share)
        below, above = np.where(n - x > 0, below, 1.0), np.where(x > 0, above, 1.0)
        return np.minimum(1.0, 2 * np.minimum(below, above))

    def interval(self, spread: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """The ends of the interval of the ratio (Clopper & Pearson 1934)."""
        x, n = self.one / spread, (self.one + self.other) / spread
        low = np.where(x > 0, special.betaincinv(np.maximum(x, 1e-12), n - x + 1, alpha / 2), 0.0)
        high = np.where(
            n - x > 0, special.betaincinv(x + 1, np.maximum(n - x, 1e-12), 1 - alpha / 2), 1.0
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = self.due_other / self.due_one
            return low / (1 - low) * odds, high / (1 - high) * odds


class Chosen(NamedTuple):
    """Which of many pages differ, a mask ``(n,)``, and the ends of the intervals of all their
    ratios, as wide as they must be for the chosen.
    """

    differs: np.ndarray
    low: np.ndarray
    high: np.ndarray


def chosen(
    pairs: Pairs, *, least_spread: float = 1.0, steady: bool = False, error: float = ALPHA
) -> Chosen:
    """The pages whose ratio is not 1; of those chosen a share of ``error`` is wrong, in the mean,
    and if no page differs the chance that any is chosen is no more. Unless pages are ``steady``
    they vary by themselves, as two times of one page do.
    """
    n = len(pairs.one)
    spread = np.full(n, least_spread) if steady else pairs.spread(least_spread)
    p = pairs.p(spread)
    order = np.argsort(p, kind="stable")
    within = np.flatnonzero(p[order] <= error * np.arange(1, n + 1) / max(n, 1))
    differs = np.zeros(n, dtype=bool)
    differs[order[: within[-1] + 1 if len(within) else 0]] = True
    level = error * max(int(differs.sum()), 1) / max(n, 1)
    return Chosen(differs, *pairs.interval(spread, level))


def together(pairs: Pairs, *, alpha: float = ALPHA) -> Rate:
    """The ratio of all pages in one, those with more to compare weighing more (Mantel & Haenszel
    1959, for rates), with pages as clusters; NaN where nothing can be compared.
    """
    whole = pairs.due_one + pairs.due_other
    known = (pairs.due_one > 0) & (pairs.due_other > 0)
    one = (pairs.one * pairs.due_other)[known] / whole[known]
    other = (pairs.other * pairs.due_one)[known] / whole[known]
    n = len(one)
    if n < 2 or one.sum() <= 0 or other.sum() <= 0:
        return Rate(np.nan, np.nan, np.nan)
    ratio = float(one.sum() / other.sum())
    error = float(np.sqrt(n / (n - 1) * ((one - ratio * other) ** 2).sum()) / one.sum())
    half = float(stats.t.ppf(1 - alpha / 2, n - 1)) * error
    return Rate(ratio, ratio * float(np.exp(-half)), ratio * float(np.exp(half)))
