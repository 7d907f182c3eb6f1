"""What is believed of a pair: what its kind is worth, and what its own clicks add to it.

A ``Line`` says from a few features what pairs of a kind are worth. The pair's own clicks then pull
it away, as far as there are enough of them: its true worth over the line's is taken to be drawn
from a gamma distribution around 1, whose width is read off the log (empirical Bayes, see
``gamma_poisson``). So evidence is weighed pair by pair, and where there is none the line stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender.clicks.gamma_poisson import Usual, fitted_weight, posterior_rate
from recommender.ragged import at
from recommender.ranking.features import NAMES, History
from recommender.ranking.time_splits import APART, Block, Choices

# Clicks' worth of belief that each slope, in standard deviations, is what it was thought to be.
PRIOR_SLOPE = 50.0
# Each step shares a slate's clicks out anew under the line so far.
N_STEPS = 4
# Choices that weigh as much as a line, before the log is asked, and how sure that is (a factor).
USUAL = Usual(20.0, 7.4, least=2.0, most=20_000.0)
# Tried where a log is long enough.
WEIGHTS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 20_000.0)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A straight line in some features: ``columns`` are their places in ``NAMES``."""

    columns: tuple[int, ...]
    slopes: np.ndarray

    def of(self, seen: np.ndarray) -> np.ndarray:
        """Log worth of pairs, ``(n_pairs,)``."""
        wide = np.nan_to_num(seen[:, self.columns].astype(np.float64))
        said: np.ndarray = wide @ self.slopes
        return said


def fit_line(
    names: Sequence[str],
    seen: Sequence[np.ndarray],
    now: Sequence[Choices],
    *,
    towards: dict[str, float],
) -> Line:
    """The line under which what was chosen ``now`` is likeliest, given features ``seen``.

    A conditional logit model (McFadden 1974) by Poisson steps, the first from the slopes given, or
    0; each is pulled back to where it began.
    """
    from sklearn.linear_model import PoissonRegressor

    columns = tuple(NAMES.index(name) for name in names)
    slopes = np.array([towards.get(name, 0.0) for name in names])
    wide = [np.nan_to_num(part[:, columns].astype(np.float64)) for part in seen]
    whole = np.concatenate(wide)
    scale = np.maximum(whole.std(axis=0), 1e-6)
    whole = (whole - whole.mean(axis=0)) / scale
    clicked = np.concatenate([block.clicked for block in now])
    for _ in range(N_STEPS):
        due = np.concatenate(
            [block.expected(part @ slopes) for part, block in zip(wide, now, strict=True)]
        )
        due = np.maximum(due, 1e-6)
        # Far fewer slopes than examples: Newton's steps are the fast ones.
        model = PoissonRegressor(alpha=PRIOR_SLOPE / due.sum(), solver="newton-cholesky")
        model.fit(whole, clicked / due, sample_weight=due)
        slopes = slopes + model.coef_ / scale
    return Line(columns, slopes)


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """A ``line``, the clicks each pair of the history was to get by it, and the ``weight`` of the
    line: so many choices among a source's links weigh as much as it does.
    """

    line: Line
    expected: np.ndarray
    weight: float

    def of(self, seen: np.ndarray, history: History, pair: np.ndarray) -> np.ndarray:
        """Log worth of pairs by number, -1 for pairs that are to be seen as new."""
        said: np.ndarray = self.line.of(seen) + self.lift(history, pair)
        return said

    def lift(self, history: History, pair: np.ndarray) -> np.ndarray:
        """What the pairs' own clicks add to the line."""
        clicks = history.clicks
        due, made = at(self.expected, pair), at(clicks.chances, pair)
        prior = self.weight * np.where(made > 0, due / np.maximum(made, 1e-12), 1.0)
        return np.log(posterior_rate(at(clicks.clicked, pair), due, prior))


def believe(line: Line, block: Block, weight: float | None = None) -> Belief:
    """Hold a line against the past of a block; without a ``weight`` it is read off that past."""
    past, clicks = block.past, block.history.clicks
    due = past.expected(line.of(block.before)) if len(past.pair) else np.zeros(0)
    expected = np.zeros(len(clicks.clicked))
    expected[past.pair] = due
    if weight is None:
        made = clicks.chances[past.pair]
        share = due / np.maximum(made, 1e-12)
        weight = fitted_weight(clicks.clicked[past.pair], due * (made > 0), USUAL, share=share)
    return Belief(line, expected, weight)


def weight_by_trial(line: Line, blocks: Sequence[Block]) -> float:
    """The weight under which what was chosen before blocks puts best in order what is chosen in
    them: for a line whose features have seen the clicks of the past.
    """
    worth = np.zeros(len(WEIGHTS))
    for block in blocks:
        belief, said = believe(line, block, USUAL.weight), line.of(block.seen)
        lifts = (
            replace(belief, weight=weight).lift(block.history, block.now.pair) for weight in WEIGHTS
        )
        worth += [block.now.clicks.sum() * block.now.worth(said + lift) for lift in lifts]
    n_clicks = sum(block.now.clicks.sum() for block in blocks)
    # The greatest that does as well as the best, as far as these clicks can tell: what does not
    # clearly help is not believed.
    enough = worth >= worth.max() - APART * np.sqrt(n_clicks)
    return max(weight for weight, good in zip(WEIGHTS, enough, strict=True) if good)
