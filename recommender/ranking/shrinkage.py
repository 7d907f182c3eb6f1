"""Scores of pairs between what their features predict and what their own clicks show.

A ``LinearScore`` predicts pairs from a few features. A pair's own clicks then pull it away, as far
as there are enough of them: its true rate over the predicted one is taken as drawn from a gamma
distribution around 1, whose width the log shows (empirical Bayes, see ``gamma_poisson``). So
evidence is weighed pair by pair, and where there is none the prediction stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.clicks.gamma_poisson import Usual, fitted_weight
from recommender.ranking.features import History
from recommender.ranking.logit import LinearScore
from recommender.ranking.time_splits import Split

# Choices that weigh as much as the prediction, before the log is asked, and how sure that is (a
# factor). Not tuned: a few hundred choices of the log outweigh it.
USUAL = Usual(20.0, 7.4, least=2.0, most=20_000.0)
# Tried where a log is long enough.
WEIGHTS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 20_000.0)
# Standard deviation of the difference between a click's discounted gains under two such orders, in
# its order of magnitude. Not tuned.
APART = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """A ``prior`` score, the clicks ``expected`` by it of each pair of the history, ``(n_pairs,)``,
    and its ``weight``: that many choices among a source's links weigh as much as it does.
    """

    prior: LinearScore
    expected: np.ndarray
    weight: float

    def predict(self, seen: np.ndarray, history: History, pair: np.ndarray) -> np.ndarray:
        """Log odds of pairs, ``(n_pairs,)``, by features ``(n_pairs, len(FEATURES))`` and number,
        -1 for pairs that are to be seen as new.
        """
        return self.prior.predict(seen) + self.lift(history, pair)

    def predict_new(self, seen: np.ndarray) -> np.ndarray:
        """The same of pairs that never were shown, or are seen as if; ``(n_pairs,)``."""
        return self.prior.predict(seen)

    def lift(self, history: History, pair: np.ndarray) -> np.ndarray:
        """What the own clicks of each pair add to the prior, ``(n_pairs,)``."""
        return history.clicks.lift(pair, self.weight, self.expected)


def posterior(prior: LinearScore, split: Split, weight: float | None = None) -> Posterior:
    """Update a prior by the past of a split. Without a ``weight`` it is fitted to that past, which
    the prior must not have seen then.
    """
    past, clicks = split.past, split.history.clicks
    due = past.expected(prior.predict(split.before)) if len(past.pair) else np.zeros(0)
    expected = np.zeros(len(clicks.clicked))
    expected[past.pair] = due
    if weight is None:
        chances = clicks.chances[past.pair]
        share = due / np.maximum(chances, 1e-12)
        weight = fitted_weight(clicks.clicked[past.pair], due * (chances > 0), USUAL, share=share)
    return Posterior(prior, expected, weight)


def validated_weight(prior: LinearScore, splits: Sequence[Split]) -> float:
    """The weight with which past choices order best what is chosen next, split by split: for a
    prior whose features have seen the clicks of the past.
    """
    gain = np.zeros(len(WEIGHTS))
    for split in splits:
        expected = posterior(prior, split, USUAL.weight).expected
        lifts = (split.history.clicks.lift(split.now.pair, weight, expected) for weight in WEIGHTS)
        score = prior.predict(split.seen)
        gain += [split.now.clicks.sum() * split.now.gain(score + lift) for lift in lifts]
    n_clicks = sum(split.now.clicks.sum() for split in splits)
    # The greatest that does as well as the best, as far as these clicks show: clicks that do
    # not clearly help are not followed.
    enough = gain >= gain.max() - APART * np.sqrt(n_clicks)
    return max(weight for weight, good in zip(WEIGHTS, enough, strict=True) if good)
