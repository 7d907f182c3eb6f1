"""Clicks as choices among the links of a slate, and the conditional logit model of them.

The chance that a click on a slate goes to a link is in proportion to its examination propensity
times exp(score) (McFadden 1974, "Conditional logit analysis of qualitative choice behavior", with
the log of the propensity as an offset). The score is linear in the features of the pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recommender.ragged import ranks, runs
from recommender.ranking.features import NAMES

# Clicks that weigh as much as where a step begins, per standard deviation of a feature, and steps.
# A prior that stays where it is (L-BFGS, precision 1 to 200) orders a tenth of wikispeedia as well
# (nDCG@10 .3207 to .3210; these steps .3213), but takes the sample site from 86 expected clicks to
# 80: scores of pairs shown and never shown come to lie on different levels (benchmarks/README.md).
PRIOR_SLOPE, N_STEPS = 50.0, 4


@dataclass(frozen=True, eq=False)
class Choices:
    """Links of slates that were clicked on. ``pair`` holds the pair numbers of the rows,
    ``(n_rows,)``; the others are ``(n_links,)``: the ``slate``, ascending, and ``row`` of each
    link, its ``clicks``, those ``made`` on its slate, and its examination propensity ``examined``.
    """

    pair: np.ndarray
    slate: np.ndarray
    row: np.ndarray
    clicks: np.ndarray
    made: np.ndarray
    examined: np.ndarray

    @cached_property
    def clicked(self) -> np.ndarray:
        """Clicks on each row, ``(n_rows,)``."""
        return np.bincount(self.row, weights=self.clicks, minlength=len(self.pair))

    def share(self, score: np.ndarray) -> np.ndarray:
        """The chance that a click on its slate goes to each link, ``(n_links,)``, if rows have
        this ``score``, ``(n_rows,)``.
        """
        raw = score[self.row]
        if len(raw) == 0:
            return raw
        weight = self.examined * np.exp(raw - self._spread(np.maximum, raw))
        return weight / self._spread(np.add, weight)

    def expected(self, score: np.ndarray) -> np.ndarray:
        """Clicks expected on each row under a ``score``; both ``(n_rows,)``."""
        share = self.share(score)
        return np.bincount(self.row, weights=self.made * share, minlength=len(self.pair))

    def log_likelihood(self, score: np.ndarray) -> float:
        """Mean log chance of the clicks under a ``score``, ``(n_rows,)``."""
        chance = np.log(np.maximum(self.share(score), 1e-300))
        return float((self.clicks * chance).sum() / max(self.clicks.sum(), 1e-12))

    def gain(self, score: np.ndarray) -> float:
        """Mean discounted gain per click if each slate were ordered by ``score``, ``(n_rows,)``.

        A click counts 1/log2(1 + rank), weighted by the inverse of its place's examination
        propensity (Joachims, Swaminathan & Schnabel, WSDM 2017).
        """
        return float(self._gains(score).sum() / max(self._weight.sum(), 1e-12))

    def gain_over(self, score: np.ndarray, other: np.ndarray) -> tuple[float, float]:
        """How much more ``gain`` a score has than another, and the standard error of that.

        The error is that of independent slates. The log is counted, not kept view by view, so
        that the clicks of one visit go together cannot be allowed for.
        """
        n_slates = int(self.slate.max(initial=-1)) + 1
        gain = self._gains(score) - self._gains(other)
        more = np.bincount(self.slate, weights=gain, minlength=n_slates)
        weight = np.bincount(self.slate, weights=self._weight, minlength=n_slates)
        whole = max(weight.sum(), 1e-12)
        mean = more.sum() / whole
        return float(mean), float(np.sqrt(np.square(more - mean * weight).sum()) / whole)

    def sample(self, n_links: int) -> Choices:
        """The first slates, of about so many links in all."""
        last = self.slate[np.argsort(self.slate, kind="stable")][: n_links + 1].max(initial=-1)
        kept = self.slate < max(last, 1)
        rows, row = np.unique(self.row[kept], return_inverse=True)
        return Choices(
            self.pair[rows], self.slate[kept], row, self.clicks[kept], self.made[kept],
            self.examined[kept],
        )  # fmt: skip

    @cached_property
    def _heads(self) -> np.ndarray:
        return runs(self.slate)

    def _spread(self, total: np.ufunc, values: np.ndarray) -> np.ndarray:
        """The total over each link's slate, ``(n_links,)``."""
        return np.repeat(total.reduceat(values, self._heads[:-1]), np.diff(self._heads))

    @property
    def _weight(self) -> np.ndarray:
        """Clicks over examination, ``(n_links,)``."""
        return self.clicks / self.examined

    def _gains(self, score: np.ndarray) -> np.ndarray:
        """The discounted gain of each link's clicks, ``(n_links,)``."""
        return self._weight / np.log2(1 + ranks(self.slate, score[self.row]))


@dataclass(frozen=True, slots=True, eq=False)
class LinearScore:
    """A score that is linear in the features ``names``, with ``slopes`` ``(n_names,)``."""

    names: tuple[str, ...]
    slopes: np.ndarray

    def predict(self, seen: np.ndarray) -> np.ndarray:
        """Log odds of pairs beside one source, ``(n_pairs,)``, by their features
        ``(n_pairs, len(FEATURES))``.
        """
        return _columns(seen, self.names) @ self.slopes


def fit_logit(
    names: Sequence[str],
    seen: Sequence[np.ndarray],
    choices: Sequence[Choices],
    *,
    towards: Mapping[str, float],
) -> LinearScore:
    """Slopes of features ``names`` under which ``choices``, whose rows have the features ``seen``,
    ``(n_rows, len(FEATURES))`` each, are likely.

    The clicks of each slate are shared out by the slopes so far, the first time those ``towards``,
    0 where none is given; a Poisson regression on these expected clicks then moves the slopes, and
    is itself held back. After ``N_STEPS`` it is left at that: slopes lie between those they began
    with and the likeliest (regularisation by early stopping).
    """
    from sklearn.linear_model import PoissonRegressor

    wide = [_columns(part, names) for part in seen]
    slopes = np.array([towards.get(name, 0.0) for name in names])
    whole = np.concatenate(wide)
    spread = np.maximum(whole.std(axis=0), 1e-6)
    whole = (whole - whole.mean(axis=0)) / spread
    clicked = np.concatenate([part.clicked for part in choices])
    for _ in range(N_STEPS):
        parts = zip(wide, choices, strict=True)
        due = np.concatenate([now.expected(part @ slopes) for part, now in parts])
        due = np.maximum(due, 1e-6)
        # Far fewer slopes than examples: Newton's steps are the fast ones.
        model = PoissonRegressor(alpha=PRIOR_SLOPE / due.sum(), solver="newton-cholesky")
        model.fit(whole, clicked / due, sample_weight=due)
        slopes = slopes + model.coef_ / spread
    return LinearScore(tuple(names), slopes)


def _columns(seen: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The features ``names``, ``(n_rows, n_names)``, what is missing being 0."""
    return np.nan_to_num(seen[:, [NAMES.index(name) for name in names]].astype(np.float64))
