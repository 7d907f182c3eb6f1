"""The ranker: three layers, each trusted as far as the last days of the log bear it out.

1. Text: how alike the articles are.
2. Each pair's own clicks, which pull it away from what its text says, as far as there are any.
3. What was learned of its kind, and of how pairs depart from it: ``kinds``.

The mixture is made pair by pair, by how much is known of each; what the site as a whole decides
is how far to trust the third layer, and whether clicks say anything at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from recommender.clicks.position_bias import Examination
from recommender.progress import Progress, Silent
from recommender.ranking.boosting import MAX_ROUNDS
from recommender.ranking.features import NAMES, PRIOR_CHOICES, History, features, known_of
from recommender.ranking.handpicked import HandpickedModel
from recommender.ranking.kinds import TOWARDS, Kind, learn_kind
from recommender.ranking.shrinkage import Belief, Line, believe, fit_line, weight_by_trial
from recommender.ranking.time_splits import Block, Stretches, stretches_of
from recommender.store.counts import Log
from recommender.text.corpus import Corpus

# Below these nothing is learned but what text and a pair's own clicks say: of a few hundred
# clicks most are noise.
MIN_CLICKS = 500
# One block to learn from without history, one with, one to try the outcome on.
MIN_BLOCKS = 3
# How far what was learned may be trusted, of which the last block chooses.
TRUST = (0.0, 0.25, 0.5, 0.75, 1.0)
# Standard errors by which what was learned must beat text: of twenty logs of pure noise, all but
# one or so are then left to the text, where without any half of them would not be.
SURE = 2.5
TEXT = ("text",)
# What readers follow may hardly go with the text; still the text orders what nobody has followed,
# and the luck of a few clicks must not turn it round.
LEAST_SLOPE = 0.1
# Links on which features are scrambled one by one.
N_SCRAMBLED = 5_000
OWN_CLICKS = "the pair's own clicks"


@dataclass(frozen=True, slots=True, eq=False)
class Ranker:
    """What decides: ``text`` with each pair's own clicks, and what was learned of its ``kind``, as
    far as ``trust`` goes.
    """

    text: Belief
    kind: Kind | None
    trust: float
    history: History
    handpicked: HandpickedModel | None

    def score(self, site: Corpus, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Log appeal of each pair beside its source, ``(n_pairs,)``; sources in runs."""
        known = known_of(self.history, sources, items, unseen=False)
        return self.of(
            features(site, self.handpicked, self.history, known, sources, items), known.own
        )

    def of(self, seen: np.ndarray, pair: np.ndarray) -> np.ndarray:
        """The same for pairs by their features and numbers, -1 for what was never shown."""
        score: np.ndarray = self.text.of(seen, self.history, pair)
        if self.kind is None:
            return score
        learned = self.kind.of(seen, self.history, pair)
        mixed: np.ndarray = score + self.trust * (learned - score)
        return mixed

    def new(self, seen: np.ndarray) -> np.ndarray:
        """The same for pairs seen as if they had never been shown."""
        score: np.ndarray = self.text.line.of(seen)
        return score if self.kind is None else score + self.trust * (self.kind.new(seen) - score)


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """What was learned of the days before ``first``, and tried on those from then on, up to, not
    including, ``last``.
    """

    ranker: Ranker
    first: int
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What came of learning. ``ranker`` is None where text alone decides; ``reason`` says why, in
    a sentence for the model card. ``trial``
    holds the figures the choice rests on, ``worth`` what each feature adds to the order of the
    last days. ``tried`` is what the choice
    was made with, None where there was no trial or it was lost.
    """

    ranker: Ranker | None
    history: History
    reason: str
    trial: dict[str, float]
    n_clicks: int
    worth: dict[str, float]
    tried: Tried | None = None

    @property
    def decided_by(self) -> str:
        """``model`` if more than text and each pair's own clicks decides, else ``text``."""
        return "model" if self.ranker is not None and self.ranker.kind is not None else "text"


def learn(
    site: Corpus,
    log: Log,
    examination: Examination,
    *,
    handpicked: HandpickedModel | None = None,
    seed: int,
    progress: Progress | None = None,
) -> Learned:
    """Fit the ranker, as far as the log's last days bear it out."""
    progress = progress or Silent()
    whole = stretches_of(site, handpicked, log, examination)
    n_clicks = int(log.n_clicks[whole.of_link[log.click_link] >= 0].sum())
    enough = n_clicks >= MIN_CLICKS and len(whole.days) > MIN_BLOCKS
    if enough:
        progress.stage("learning from clicks", len(whole.days) + 2)
    days, blocks = _blocks(whole, progress) if enough else ([], [])
    everything = whole.everything()
    ranker: Ranker | None = None
    trial: dict[str, float] = {}
    worth: dict[str, float] = {}
    outcome: Tried | None = None
    if n_clicks == 0:
        reason = "text alone decides: there are no clicks to learn from"
    elif len(blocks) < MIN_BLOCKS:
        text = believe(Line((NAMES.index("text"),), np.ones(1)), everything)
        ranker = Ranker(text, None, 0.0, everything.history, handpicked)
        n_days = len(np.unique(log.click_day[log.n_clicks > 0]))
        reason = (
            f"text decides, and a pair's own clicks as far as it has any: to learn more takes "
            f"{MIN_CLICKS:,} clicks spread over {MIN_BLOCKS} days or more, and there are "
            f"{n_clicks:,} clicks on {n_days:,} days"
        )
    else:
        tried, rounds, trial = _tried(blocks, seed)
        progress.advance()
        if tried is None:
            reason = (
                "text alone decides: on the last days of the log its order of the shown links was "
                f"worth {trial['text']:.3f}, and {trial['text and own clicks']:.3f} with clicks"
            )
        else:
            outcome = Tried(tried, *days[-1])
            worth = _worths(tried, blocks[-1], seed)
            ranker = _whole(blocks, everything, tried.trust, rounds, seed)
            reason = (
                f"learned from {n_clicks:,} clicks: on the last days of the log its order of the "
                f"shown links was worth {trial['ranker']:.3f}, text alone {trial['text']:.3f}, "
                f"counting alone {trial['counting']:.3f}"
            )
        progress.advance()
    return Learned(ranker, everything.history, reason, trial, n_clicks, worth, outcome)


def _blocks(whole: Stretches, progress: Progress) -> tuple[list[tuple[int, int]], list[Block]]:
    """Blocks with clicks, and their days: what nobody clicked on, as after a late import, teaches
    nothing.
    """
    days, blocks = [], []
    for first, last in pairwise(whole.days):
        block = whole.block(first, last)
        if len(block.now.pair):
            days.append((first, last))
            blocks.append(block)
        progress.advance()
    return days, blocks


def _whole(
    blocks: list[Block], last: Block, trust: float, rounds: tuple[int, int], seed: int
) -> Ranker:
    """Learn from blocks what is held against the past of the ``last``."""
    now = [block.now for block in blocks]
    line = fit_line(TEXT, [block.seen for block in blocks], now, towards=TOWARDS)
    line = replace(line, slopes=np.maximum(line.slopes, LEAST_SLOPE))
    kind = learn_kind(blocks, rounds=rounds, seed=seed)(last) if trust else None
    text = believe(line, last, weight_by_trial(line, blocks))
    return Ranker(text, kind, trust, last.history, last.handpicked)


def _tried(
    blocks: list[Block], seed: int
) -> tuple[Ranker | None, tuple[int, int], dict[str, float]]:
    """Learn from all blocks but the last, and see how each order would have done on it."""
    last = blocks[-1]
    now, pair, clicks = last.now, last.now.pair, last.history.clicks
    full = _whole(blocks[:-1], last, 1.0, (MAX_ROUNDS, MAX_ROUNDS), seed)
    kind, rounds = full.kind.fitted(last) if full.kind else (None, (0, 0))
    steps = [replace(full, kind=kind if trust else None, trust=trust) for trust in TRUST]
    told = [
        now.likelihood(step.of(last.seen, pair)) + now.likelihood(step.new(last.as_new))
        for step in steps
    ]
    best = steps[int(np.argmax(told))]
    text = last.seen[:, NAMES.index("text")].astype(np.float64)
    counting = np.log(clicks.strength[last.history.pairs.item[pair]])
    trial = {
        "text": now.worth(text),
        "counting": now.worth(counting + clicks.lift(pair, PRIOR_CHOICES)),
        "text and own clicks": now.worth(steps[0].of(last.seen, pair)),
        "ranker": now.worth(best.of(last.seen, pair)),
        "ranker, links as if new": now.worth(best.new(last.as_new)),
        "trust in what goes beyond own clicks": best.trust,
    }
    lead, error = now.lead(best.of(last.seen, pair), text)
    if lead > SURE * error and trial["ranker, links as if new"] >= trial["text"]:
        return best, rounds, trial
    if trial["text and own clicks"] >= trial["text"]:
        trial |= {
            "ranker": trial["text and own clicks"],
            "ranker, links as if new": now.worth(steps[0].new(last.as_new)),
            "trust in what goes beyond own clicks": 0.0,
        }
        return steps[0], rounds, trial
    return None, rounds, trial


def _worths(ranker: Ranker, last: Block, seed: int) -> dict[str, float]:
    """What the order of the last days loses if one feature is scrambled (Breiman 2001, section
    10), or if nothing is known of each pair's own clicks; most first.
    """
    now = last.now.sample(N_SCRAMBLED)
    seen = last.seen[np.searchsorted(last.now.pair, now.pair)]
    whole = now.worth(ranker.of(seen, now.pair))
    found = {OWN_CLICKS: whole - now.worth(ranker.new(seen))}
    random = np.random.default_rng(seed)
    for column, name in enumerate(NAMES):
        scrambled = seen.copy()
        scrambled[:, column] = random.permutation(seen[:, column])
        found[name] = whole - now.worth(ranker.of(scrambled, now.pair))
    return dict(sorted(found.items(), key=lambda entry: -entry[1]))
