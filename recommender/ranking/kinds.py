"""What a pair's kind is worth: a line, the pair's own clicks, and trees beyond both.

Examples are pairs of a block of days, explained by features counted on the days before it. Every
example comes twice, as it was and as if its pair had never been shown: most links of a new list
never were, and the trees must know what text and the target's record are then worth. The first
block has no history at all, which is what a new article lives on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender.ragged import at
from recommender.ranking.boosting import MANY_ROWS, Forest, grow
from recommender.ranking.features import NAMES, History
from recommender.ranking.shrinkage import Belief, Line, believe, fit_line, weight_by_trial
from recommender.ranking.time_splits import Block

# What tells a pair's kind: everything but its own clicks, which are weighed apart.
OWN = ("hand_picked", "chances", "clicked", "lift_3", "lift_30")
KIND = tuple(name for name in NAMES if name not in OWN)
# Where a line begins: worth goes with the text, and with what the target got elsewhere.
TOWARDS = {"text": 1.0, "strength": 1.0}


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """What was learned of pairs: of those that were shown a ``belief`` and how trees ``bend`` it;
    of those that never were, a line and trees.
    """

    belief: Belief
    bend: Forest
    new_line: Line
    new_bend: Forest

    def of(self, seen: np.ndarray, history: History, pair: np.ndarray) -> np.ndarray:
        """Log worth of pairs by number, -1 for what was never shown; ``(n_pairs,)``."""
        new = at(history.clicks.chances, pair) == 0
        said = np.empty(len(seen))
        if new.any():
            said[new] = self.new(seen[new])
        if not new.all():
            seen, pair = seen[~new], pair[~new]
            bend = self.bend.of(_with_belief(seen, self.belief, history, pair))
            said[~new] = self.belief.of(seen, history, pair) + bend
        return said

    def new(self, seen: np.ndarray) -> np.ndarray:
        """Log worth of pairs that were never shown, or are seen as if they never had been."""
        said: np.ndarray = self.new_line.of(seen) + self.new_bend.of(seen)
        return said

    def fitted(self, block: Block) -> tuple[Kind, tuple[int, int]]:
        """With as many rounds of trees as foretell best what was chosen in a block."""
        seen, pair = block.seen, block.now.pair
        said = self.belief.of(seen, block.history, pair)
        bend = self.bend.steps(_with_belief(seen, self.belief, block.history, pair))
        new_said, new_bend = self.new_line.of(block.as_new), self.new_bend.steps(block.as_new)
        best, new_best = (
            int(np.argmax([block.now.likelihood(start + step) for step in steps]))
            for start, steps in ((said, bend), (new_said, new_bend))
        )
        kind = replace(self, bend=self.bend.first(best), new_bend=self.new_bend.first(new_best))
        return kind, (best, new_best)


def learn_kind(
    blocks: Sequence[Block], *, rounds: tuple[int, int], seed: int
) -> Callable[[Block], Kind]:
    """Learn from blocks, with so many ``rounds`` of trees for pairs as they were and as new; what
    comes out is to be held against the past of another block.
    """
    # Before the first block nothing had been shown: what it teaches is what new pairs are worth. A
    # short log cannot spare it all the same.
    shown = blocks[1:] if sum(len(block.now.pair) for block in blocks) > MANY_ROWS else blocks
    now, seen = [block.now for block in shown], [block.seen for block in shown]
    line = fit_line(KIND, seen, now, towards=TOWARDS)
    weight = weight_by_trial(line, shown)
    said, whole = [], []
    for block in shown:
        belief, held = believe(line, block, weight), (block.history, block.now.pair)
        said.append(belief.of(block.seen, *held))
        whole.append(_with_belief(block.seen, belief, *held))
    bend = grow(whole, now, said, n_rounds=rounds[0], seed=seed)
    now, as_new = [block.now for block in blocks], [block.as_new for block in blocks]
    new_line = fit_line(KIND, as_new, now, towards=TOWARDS)
    said = [new_line.of(part) for part in as_new]
    new_bend = grow(as_new, now, said, n_rounds=rounds[1], seed=seed)
    return lambda block: Kind(believe(line, block, weight), bend, new_line, new_bend)


def _with_belief(
    seen: np.ndarray, belief: Belief, history: History, pair: np.ndarray
) -> np.ndarray:
    """Features, and what is believed before trees have their say."""
    lift = belief.lift(history, pair)
    return np.column_stack([seen, belief.line.of(seen), lift]).astype(np.float32)
