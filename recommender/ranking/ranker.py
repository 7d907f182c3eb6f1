"""The ranker: three layers, of which the last days of the log decide what is used.

1. Text: how alike the articles are.
2. Each pair's own clicks, which pull it away from what its text predicts, as far as there are any.
3. ``PairModel``: what all features predict, with boosted trees beyond a linear score.

Evidence is weighed pair by pair, by how much there is of each; for the site as a whole it is
decided whether the third layer is used, and whether clicks tell anything at all. The days that
decide are also those whose figures the card prints, so these are figures tuned on, and called so:
to choose on some days and judge on later ones would cost a second training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from recommender.clicks.position_bias import Examination
from recommender.progress import Progress, Silent
from recommender.ragged import at
from recommender.ranking.boosting import MANY_ROWS, MAX_ROUNDS, Forest, grow
from recommender.ranking.features import NAMES, PRIOR_CHOICES, History, features
from recommender.ranking.handpicked import HandpickedModel
from recommender.ranking.logit import LinearScore, fit_logit
from recommender.ranking.shrinkage import Posterior, posterior, validated_weight
from recommender.ranking.time_splits import Split, Splits, splits_of
from recommender.store.counts import Log
from recommender.text.corpus import Corpus

# Below these nothing is learned but what text and a pair's own clicks predict: of a few hundred
# clicks most are noise. Not tuned.
MIN_CLICKS = 500
# One split to learn from without history, one with, one to try the outcome on.
MIN_SPLITS = 3
# Standard errors by which what was learned must beat text: of twenty logs of pure noise, all but
# one or so are then left to the text, where without any half of them would not be.
SURE = 2.5
TEXT = ("text",)
# What readers follow may hardly go with the text; still the text orders what nobody has followed,
# and a few clicks by chance must not turn it round.
LEAST_SLOPE = 0.1
# Links on which features are permuted one by one: enough to order the features.
N_PERMUTED = 5_000
OWN_CLICKS = "the pair's own clicks"
# The features that are a pair's own clicks, which are weighed apart from all others.
OWN = ("hand_picked", "chances", "clicked", "lift_3", "lift_30")
OTHERS = tuple(name for name in NAMES if name not in OWN)
# Where slopes begin: clicks go with the text, and with what the target got elsewhere.
TOWARDS = {"text": 1.0, "strength": 1.0}


@dataclass(frozen=True, slots=True, eq=False)
class PairModel:
    """What was learned of pairs: of those that were shown a ``posterior`` and ``trees`` beyond it,
    of those that never were a linear score and trees.
    """

    posterior: Posterior
    trees: Forest
    new_score: LinearScore
    new_trees: Forest

    def predict(self, seen: np.ndarray, history: History, pair: np.ndarray) -> np.ndarray:
        """Log odds of pairs, ``(n_pairs,)``, by features ``(n_pairs, len(FEATURES))`` and number,
        -1 for what was never shown.
        """
        new = at(history.clicks.chances, pair) == 0
        score = np.empty(len(seen))
        if new.any():
            score[new] = self.predict_new(seen[new])
        if not new.all():
            seen, pair = seen[~new], pair[~new]
            known = self.posterior.predict(seen, history, pair)
            score[~new] = known + self.trees.of(_with_score(seen, self.posterior, history, pair))
        return score

    def predict_new(self, seen: np.ndarray) -> np.ndarray:
        """Log odds, ``(n_pairs,)``, of pairs that never were shown, or are seen as if."""
        return self.new_score.predict(seen) + self.new_trees.of(seen)

    def tuned(self, split: Split) -> tuple[PairModel, tuple[int, int]]:
        """With as many rounds of trees as make the choices of a split likeliest."""
        seen, now, of = split.seen, split.now, (split.history, split.now.pair)
        best, new_best = (
            int(np.argmax([now.log_likelihood(start + step) for step in steps]))
            for start, steps in (
                (
                    self.posterior.predict(seen, *of),
                    self.trees.steps(_with_score(seen, self.posterior, *of)),
                ),
                (self.new_score.predict(split.as_new), self.new_trees.steps(split.as_new)),
            )
        )
        trees, new_trees = self.trees.first(best), self.new_trees.first(new_best)
        return replace(self, trees=trees, new_trees=new_trees), (best, new_best)


def learn_pairs(
    splits: Sequence[Split], *, rounds: tuple[int, int], seed: int
) -> Callable[[Split], PairModel]:
    """Learn from splits, with so many ``rounds`` of trees for pairs as they were and as new; what
    comes out is to be updated by the past of another split.

    Examples are pairs of a split, explained by features counted before it. Every example comes
    twice, as it was and as if its pair had never been shown: most links of a new list never were,
    and the trees must know what text and the target's record then predict.
    """
    # Before the first split nothing had been shown: it teaches of new pairs alone, as a new article
    # meets them. A short log cannot spare it all the same.
    shown = splits[1:] if sum(len(split.now.pair) for split in splits) > MANY_ROWS else splits
    choices, seen = [split.now for split in shown], [split.seen for split in shown]
    prior = fit_logit(OTHERS, seen, choices, towards=TOWARDS)
    weight = validated_weight(prior, shown)
    scores, whole = [], []
    for split in shown:
        updated, of = posterior(prior, split, weight), (split.history, split.now.pair)
        scores.append(updated.predict(split.seen, *of))
        whole.append(_with_score(split.seen, updated, *of))
    trees = grow(whole, choices, scores, n_rounds=rounds[0], seed=seed)
    choices, as_new = [split.now for split in splits], [split.as_new for split in splits]
    new_score = fit_logit(OTHERS, as_new, choices, towards=TOWARDS)
    scores = [new_score.predict(part) for part in as_new]
    new_trees = grow(as_new, choices, scores, n_rounds=rounds[1], seed=seed)
    return lambda split: PairModel(posterior(prior, split, weight), trees, new_score, new_trees)


def _with_score(
    seen: np.ndarray, posterior: Posterior, history: History, pair: np.ndarray
) -> np.ndarray:
    """Features, and what is predicted without trees, ``(n_pairs, len(FEATURES) + 2)``."""
    lift = posterior.lift(history, pair)
    return np.column_stack([seen, posterior.prior.predict(seen), lift]).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Ranker:
    """What decides: the model of ``pairs``, or without one ``text`` with each pair's own clicks."""

    text: Posterior
    pairs: PairModel | None
    history: History
    handpicked: HandpickedModel | None

    def score(self, site: Corpus, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Log odds of pairs beside their sources, ``(n_pairs,)``; ``sources`` and ``items`` are
        ``(n_pairs,)``, ``sources`` in runs.
        """
        seen = features(site, self.handpicked, self.history, sources, items)
        return self.predict(seen, self.history.pairs.find(sources, items))

    def predict(self, seen: np.ndarray, pair: np.ndarray) -> np.ndarray:
        """The same by features ``(n_pairs, len(FEATURES))`` and number, -1 for what was never
        shown.
        """
        return (self.pairs or self.text).predict(seen, self.history, pair)

    def predict_new(self, seen: np.ndarray) -> np.ndarray:
        """The same of pairs seen as if they had never been shown."""
        return (self.pairs or self.text).predict_new(seen)


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
    """What came of learning. ``ranker`` is None where text alone decides; ``reason`` states why, in
    a sentence for the model card. ``trial`` holds the figures the choice rests on, ``importance``
    what each feature adds to the order of the last days. ``tried`` is what the choice was made
    with, None where there was no trial or it was lost.
    """

    ranker: Ranker | None
    history: History
    reason: str
    trial: dict[str, float]
    n_clicks: int
    importance: dict[str, float]
    tried: Tried | None = None

    @property
    def decided_by(self) -> str:
        """``model`` if more than text and each pair's own clicks decides, else ``text``."""
        return "model" if self.ranker is not None and self.ranker.pairs is not None else "text"


def learn(
    site: Corpus,
    log: Log,
    examination: Examination,
    *,
    handpicked: HandpickedModel | None = None,
    stub: np.ndarray | None = None,
    now: float | None = None,
    seed: int,
    progress: Progress | None = None,
) -> Learned:
    """Fit the ranker, as far as the log's last days bear it out. Links to a ``stub``, true of what
    is known by title alone, ``(n_articles,)``, teach nothing. ``now`` is the day since 1970 for
    which it is to score, by default the one after the last view.
    """
    progress = progress or Silent()
    whole = splits_of(site, handpicked, log, examination, stub=stub, now=now)
    n_clicks = int(log.n_clicks[whole.of_link[log.click_link] >= 0].sum())
    enough = n_clicks >= MIN_CLICKS and len(whole.days) > MIN_SPLITS
    if enough:
        progress.stage("learning from clicks", len(whole.days) + 2)
    days, splits = _splits(whole, progress) if enough else ([], [])
    everything = whole.everything()
    ranker: Ranker | None = None
    trial: dict[str, float] = {}
    importance: dict[str, float] = {}
    outcome: Tried | None = None
    if n_clicks == 0:
        reason = "text alone decides: there are no clicks to learn from"
    elif len(splits) < MIN_SPLITS:
        text = posterior(LinearScore(TEXT, np.ones(1)), everything)
        ranker = Ranker(text, None, everything.history, handpicked)
        n_days = len(np.unique(log.click_day[log.n_clicks > 0]))
        reason = (
            f"text decides, and a pair's own clicks as far as it has any: to learn more takes "
            f"{MIN_CLICKS:,} clicks spread over {MIN_SPLITS} days or more, and there are "
            f"{n_clicks:,} clicks on {n_days:,} days"
        )
    else:
        tried, rounds, trial = _tried(splits, seed)
        progress.advance()
        if tried is None:
            reason = (
                "text alone decides: on the last days of the log its order of the shown links "
                f"gained {trial['text']:.3f}, and {trial['text and own clicks']:.3f} with clicks"
            )
        else:
            outcome = Tried(tried, *days[-1])
            importance = _importance(tried, splits[-1], seed)
            ranker = _whole(splits, everything, rounds if tried.pairs else None, seed)
            reason = (
                f"learned from {n_clicks:,} clicks: on the last days of the log, which it was "
                f"tuned on, its order of the shown links gained {trial['ranker']:.3f}, text alone "
                f"{trial['text']:.3f}, counting alone {trial['counting']:.3f}"
            )
        progress.advance()
    return Learned(ranker, everything.history, reason, trial, n_clicks, importance, outcome)


def _splits(whole: Splits, progress: Progress) -> tuple[list[tuple[int, int]], list[Split]]:
    """Splits with clicks, and their days: what nobody clicked on, as after a late import, teaches
    nothing.
    """
    days, splits = [], []
    for first, last in pairwise(whole.days):
        split = whole.split(first, last)
        if len(split.now.pair):
            days.append((first, last))
            splits.append(split)
        progress.advance()
    return days, splits


def _whole(splits: list[Split], last: Split, rounds: tuple[int, int] | None, seed: int) -> Ranker:
    """Learn from splits what is updated by the past of the ``last``, with so many ``rounds`` of
    trees, None for no model of pairs.
    """
    seen, choices = [split.seen for split in splits], [split.now for split in splits]
    score = fit_logit(TEXT, seen, choices, towards=TOWARDS)
    score = replace(score, slopes=np.maximum(score.slopes, LEAST_SLOPE))
    pairs = learn_pairs(splits, rounds=rounds, seed=seed)(last) if rounds else None
    text = posterior(score, last, validated_weight(score, splits))
    return Ranker(text, pairs, last.history, last.handpicked)


def _tried(
    splits: list[Split], seed: int
) -> tuple[Ranker | None, tuple[int, int], dict[str, float]]:
    """Learn from all splits but the last, and see how each order would have done on it."""
    last = splits[-1]
    now, pair, clicks = last.now, last.now.pair, last.history.clicks
    own = _whole(splits[:-1], last, None, seed)
    model = learn_pairs(splits[:-1], rounds=(MAX_ROUNDS, MAX_ROUNDS), seed=seed)(last)
    tuned, rounds = model.tuned(last)

    def likely(ranker: Ranker) -> float:
        shown = now.log_likelihood(ranker.predict(last.seen, pair))
        return shown + now.log_likelihood(ranker.predict_new(last.as_new))

    best = max((own, replace(own, pairs=tuned)), key=likely)
    text = last.seen[:, NAMES.index("text")].astype(np.float64)
    counting = np.log(clicks.strength[last.history.pairs.item[pair]])
    trial = {
        "text": now.gain(text),
        "counting": now.gain(counting + clicks.lift(pair, PRIOR_CHOICES)),
        "text and own clicks": now.gain(own.predict(last.seen, pair)),
        "ranker": now.gain(best.predict(last.seen, pair)),
        "ranker, links as if new": now.gain(best.predict_new(last.as_new)),
    }
    lead, error = now.gain_over(best.predict(last.seen, pair), text)
    if lead > SURE * error and trial["ranker, links as if new"] >= trial["text"]:
        return best, rounds, trial
    if trial["text and own clicks"] >= trial["text"]:
        trial |= {
            "ranker": trial["text and own clicks"],
            "ranker, links as if new": now.gain(own.predict_new(last.as_new)),
        }
        return own, rounds, trial
    return None, rounds, trial


def _importance(ranker: Ranker, last: Split, seed: int) -> dict[str, float]:
    """What the order of the last days loses if one feature is permuted (Breiman 2001, "Random
    forests", section 10), or if nothing is known of each pair's own clicks; most first.
    """
    now = last.now.sample(N_PERMUTED)
    seen = last.seen[np.searchsorted(last.now.pair, now.pair)]
    whole = now.gain(ranker.predict(seen, now.pair))
    found = {OWN_CLICKS: whole - now.gain(ranker.predict_new(seen))}
    random = np.random.default_rng(seed)
    for column, name in enumerate(NAMES):
        permuted = seen.copy()
        permuted[:, column] = random.permutation(seen[:, column])
        found[name] = whole - now.gain(ranker.predict(permuted, now.pair))
    return dict(sorted(found.items(), key=lambda entry: -entry[1]))
