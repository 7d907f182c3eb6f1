"""The ranker: levels of evidence, each explaining what those above it leave, and what is beyond.

1. Content: how alike texts and titles are, in one category or not.
2. Kinds of titles, and categories: from which to which readers go.
3. The target: how often it is followed, beyond what that expects.
4. The pair's own clicks, beyond all of it.
5. A curve for each feature, and products of some, beyond the sum of the levels (``additive``); of a
   long log boosted trees (``boosting``).

The levels (``features.history_of``) are estimated by empirical Bayes on all of the past, so they
need no trial: where there is little evidence they stay with the text. Whether they are used, and
the fifth with them, is chosen on all but the last days of the log; the figures that the card prints
are of the last days, on which nothing is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np

from recommender.array_fields import Sizes
from recommender.clicks.choice_model import joined
from recommender.clicks.position_bias import Examination
from recommender.progress import Progress, Silent
from recommender.ragged import mixed
from recommender.ranking.additive import AdditiveScore, fit_additive
from recommender.ranking.boosting import Forest, grow
from recommender.ranking.features import NAMES, History, counting, features_of
from recommender.ranking.handpicked import HandpickedModel
from recommender.ranking.time_splits import Split, Splits, splits_of
from recommender.store.counts import Log
from recommender.text.corpus import Corpus, Links

# Below these text decides, and each pair's own clicks: of a few hundred clicks most are noise. Not
# tuned.
MIN_CLICKS = 500
# One split to learn from without history, one with, one to try the outcome on, and one to judge it.
MIN_SPLITS = 4
# Standard errors by which the levels must beat text, pooled over all days but the last: of logs of
# pure noise one in forty passes.
SURE = 2.0
# A log of more rows is long: trees find what curves do not (wikispeedia .3726 and .3684, of a tenth
# of it .3270 and .3264), and that every view more turns them a little matters less.
MANY_ROWS = 600_000
# Rows of a long log that nobody followed, drawn for each that somebody did: trees grow in .4 of the
# time and order as well (wikispeedia .4353 with 1.8 for each, .4347 with all 7).
OTHERS = 2.0
# Trees by which it is judged whether any help, the first of those that would decide: on wikispeedia
# 5, 10, 30 and all of them agreed, of the clicks made and of clicks drawn anew from the levels.
N_TRIED = 15
# Clicks on a page, in the mean, below which nothing goes beyond the levels: most candidates of a
# page were then never beside each other, and what tells the links shown apart is another thing than
# what tells candidates apart. With .6 clicks a page it costs .005 to .023 of the possible gain on
# two simulated sites; with 3.4 and more it gains (wikispeedia, the sample site).
MIN_PER_PAGE = 2.0
# Links on which features are permuted one by one: enough to order the features.
N_PERMUTED = 5_000
OWN_CLICKS = "the pair's own clicks"
# The features that are a pair's own clicks.
OWN = ("hand_picked", "chances", "clicked", "over_text", "lift")
SCORE, TEXT, OVER_TEXT = (NAMES.index(name) for name in ("score", "text", "over_text"))
# Features that are multiplied with each other: content, the target, the pair, and how much is known
# of them. Not tuned.
CROSSED = np.array(
    [
        NAMES.index(name)
        for name in (
            "text", "latent_cosine", "subject", "strength", "target_expected", "lift", "chances",
            "co_read_cosine", "readers_alike", "times_listed",
        )
    ]
)  # fmt: skip
# What the model card calls the levels, in their order.
LEVELS = ("content", "kinds", "categories", "strength", "lift")


@dataclass(frozen=True, slots=True, eq=False)
class Beyond:
    """What is added to the levels: ``curves`` of features and products, or of a long log ``trees``.
    Neither adds nothing.
    """

    curves: Annotated[AdditiveScore | None, Sizes(n_features=len(NAMES))]
    trees: Annotated[Forest | None, Sizes(n_features=len(NAMES))]

    def predict(self, seen: np.ndarray) -> np.ndarray:
        """Of rows with features ``seen``, ``(n_rows, len(FEATURES))``; ``(n_rows,)``."""
        parts = [part.predict(seen) for part in (self.curves, self.trees) if part is not None]
        return parts[0] if parts else np.zeros(len(seen))


NOTHING = Beyond(None, None)


@dataclass(frozen=True, slots=True, eq=False)
class Ranker:
    """What decides: the levels of the ``history``, and what goes ``beyond`` them; or, if
    ``cautious``, the text, and each pair's own clicks over what it expects.
    """

    beyond: Beyond
    history: History
    handpicked: HandpickedModel | None
    cautious: bool = False

    def score(self, corpus: Corpus, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Log odds of pairs beside their sources, ``(n_pairs,)``; ``sources`` and ``items`` are
        ``(n_pairs,)``, ``sources`` in runs.
        """
        ends = np.asarray(sources, dtype=np.int64), np.asarray(items, dtype=np.int64)
        return self.score_of(Links(corpus, *ends))

    def score_of(self, links: Links) -> np.ndarray:
        """The same of ``links``."""
        return self.predict(features_of(links, self.handpicked, self.history))

    def predict(self, seen: np.ndarray) -> np.ndarray:
        """The same by features ``(n_pairs, len(FEATURES))``."""
        if self.cautious:
            return seen[:, TEXT].astype(np.float64) + seen[:, OVER_TEXT]
        return seen[:, SCORE] + self.beyond.predict(seen)


def learn_beyond(splits: Sequence[Split], *, seed: int, n_trees: int | None = None) -> Beyond:
    """What explains the clicks of splits beyond the levels counted before them; of a long log the
    first ``n_trees``, by default all.

    Every pair comes twice, once as it was and once as if it had never been shown, beside others of
    either sort: most links of a new list never were, and they stand in one list with those that
    were, so the levels of both must be comparable.
    """
    clicks = np.concatenate([split.shown.clicks for split in splits])
    is_long, n_followed = 2 * len(clicks) > MANY_ROWS, np.count_nonzero(clicks)
    share = min(1.0, OTHERS * n_followed / (len(clicks) - n_followed)) if is_long else 1.0
    random = np.random.default_rng(seed)
    seen, parts = [], []
    for split in splits:
        half = mixed(split.history.pairs.keys[split.shown.pair]) & 1 == 0
        for masked in (half, ~half):
            rows, shown = split.shown.sampled(share, random)
            seen.append(np.where(masked[rows, None], split.as_new[rows], split.seen[rows]))
            parts.append(shown)
    together, shown = np.concatenate(seen), joined(parts)
    score = together[:, SCORE].astype(np.float64)
    data = together, shown.weighed(score), score
    if is_long:
        return Beyond(None, grow(*data, seed=seed, n_trees=n_trees))
    return Beyond(fit_additive(*data, crossed=CROSSED), None)


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
    a sentence for the model card. ``trial`` holds the figures of the last days, on which nothing
    was chosen, ``importance`` what each feature adds to the order of the last days. ``tried`` is
    what those were judged with, None where there was no trial or text was chosen.
    """

    ranker: Ranker | None
    history: History
    reason: str
    trial: dict[str, float]
    n_clicks: int
    importance: dict[str, float]
    tried: Tried | None = None
    lesson: Lesson | None = None

    @property
    def decided_by(self) -> str:
        """``model`` if what was learned from clicks was tried and decides, else ``text``."""
        return "model" if self.lesson and self.lesson.decides else "text"


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What of ``Learned`` was fitted and tried, apart from what is counted: how the ``n_clicks`` of
    then are explained ``beyond`` the levels, None where no ranker came of it; whether what was
    learned ``decides``, and if not, whether a pair's own clicks do beside the text.
    """

    beyond: Beyond | None
    decides: bool
    reason: str
    trial: dict[str, float]
    importance: dict[str, float]
    n_clicks: int


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
    """Fit the ranker, as far as the log bears it out. Links to a ``stub``, true of what is known by
    title alone, ``(n_articles,)``, teach nothing. ``now`` is the day since 1970 for which it is to
    score, by default the one after the last view.
    """
    progress = progress or Silent()
    whole = splits_of(site, handpicked, log, examination, stub=stub, now=now)
    n_clicks = _n_counted(whole, log)
    enough = n_clicks >= MIN_CLICKS and len(whole.days) > MIN_SPLITS
    if enough:
        progress.stage("learning from clicks", len(whole.days) + 2)
    days, splits = _splits(whole, progress) if enough else ([], [])
    history = whole.everything().history
    own = Ranker(NOTHING, history, handpicked, cautious=True)
    if n_clicks == 0:
        reason = "text alone decides: there are no clicks to learn from"
        return Learned(None, history, reason, {}, 0, {})
    if len(splits) < MIN_SPLITS:
        n_days = len(np.unique(log.click_day[log.n_clicks > 0]))
        reason = (
            f"text decides, and a pair's own clicks as far as it has any: to learn more takes "
            f"{MIN_CLICKS:,} clicks spread over {MIN_SPLITS} days or more, and there are "
            f"{n_clicks:,} clicks on {n_days:,} days"
        )
        return Learned(own, history, reason, {}, n_clicks, {})
    *before, last = splits
    lead, error = lead_over_text(before, SCORE)
    n_pages = len(np.unique(history.pairs.source))
    more = n_clicks >= MIN_PER_PAGE * n_pages and _more_helps(before, seed)
    progress.advance()
    tried = Ranker(learn_beyond(before, seed=seed) if more else NOTHING, last.history, handpicked)
    trial = {
        "text": last.gain(last.seen[:, TEXT]),
        "counting": last.gain(counting(last.history, *last.ends)),
        **_ladder(last),
        "ranker": last.gain(tried.predict(last.seen)),
        "ranker, links as if new": last.gain(tried.predict(last.as_new)),
    }
    progress.advance()
    if lead <= SURE * error:
        helps = lead_over_text(before, TEXT, OVER_TEXT)[0] > 0
        who = "decides, and each pair's own clicks" if helps else "alone decides"
        reason = (
            f"text {who}: on the days before the last ones the order that clicks teach gained "
            f"{lead:+.3f} beside the text's (standard error {error:.3f})"
        )
        lesson = Lesson(NOTHING if helps else None, False, reason, trial, {}, n_clicks)
        return Learned(own if helps else None, history, reason, trial, n_clicks, {}, lesson=lesson)
    reason = (
        f"learned from {n_clicks:,} clicks: on the last days of the log, on which nothing was "
        f"chosen, its order of the shown links gained {trial['ranker']:.3f}, text alone "
        f"{trial['text']:.3f}, counting alone {trial['counting']:.3f}"
    )
    importance = _importance(tried, last, seed)
    ranker = Ranker(learn_beyond(splits, seed=seed) if more else NOTHING, history, handpicked)
    outcome = Tried(tried, *days[-1])
    lesson = Lesson(ranker.beyond, True, reason, trial, importance, n_clicks)
    return Learned(ranker, history, reason, trial, n_clicks, importance, outcome, lesson)


def _n_counted(whole: Splits, log: Log) -> int:
    """The clicks of the log on links that teach."""
    return int(log.n_clicks[whole.of_link[log.click_link] >= 0].sum())


def recounted(
    lesson: Lesson,
    site: Corpus,
    log: Log,
    examination: Examination,
    *,
    handpicked: HandpickedModel | None = None,
    stub: np.ndarray | None = None,
    now: float | None = None,
) -> Learned:
    """What was learned before, with all that this ``log`` counts: the levels are of all of it, what
    goes beyond them stays as it was fitted, and so does who decides.
    """
    whole = splits_of(site, handpicked, log, examination, stub=stub, now=now)
    history = whole.everything().history
    n_clicks = _n_counted(whole, log)
    ranker = None
    if lesson.beyond is not None:
        ranker = Ranker(lesson.beyond, history, handpicked, cautious=not lesson.decides)
    reason = lesson.reason
    if n_clicks != lesson.n_clicks:
        reason += f"; {n_clicks:,} clicks are counted now, by what was fitted and tried then"
    return Learned(
        ranker, history, reason, lesson.trial, n_clicks, lesson.importance, lesson=lesson
    )


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


def lead_over_text(splits: Sequence[Split], *columns: int) -> tuple[float, float]:
    """How much more the order of the sum of some feature ``columns`` gained than that of the text,
    each split judged by what was counted before it, and the standard error of that.
    """
    leads = [
        split.lead(split.seen[:, list(columns)].sum(axis=1), split.seen[:, TEXT])
        for split in splits
    ]
    weight, lead, variance = np.array(leads).T
    whole = max(weight.sum(), 1e-12)
    return float((weight * lead).sum() / whole), float(
        np.sqrt((weight**2 * variance).sum()) / whole
    )


def _more_helps(splits: Sequence[Split], seed: int) -> bool:
    """Whether what all splits but the last teach beyond the levels makes the clicks of that one
    likelier, links as they were and as if new; of trees the first tell.
    """
    *before, last = splits
    more = learn_beyond(before, seed=seed, n_trees=N_TRIED)
    gained = 0.0
    for seen in (last.seen, last.as_new):
        score = seen[:, SCORE].astype(np.float64)
        shown = last.shown.weighed(score)
        gained += shown.log_likelihood(score + more.predict(seen)) - shown.log_likelihood(score)
    return gained > 0


def _ladder(last: Split) -> dict[str, float]:
    """What the order of the last days gains, level by level, each with those above it."""
    total, found = np.zeros(len(last.seen)), {}
    for name in LEVELS:
        total = total + last.seen[:, NAMES.index(name)]
        found[f"levels to {name}"] = last.gain(total)
    return found


def _importance(ranker: Ranker, last: Split, seed: int) -> dict[str, float]:
    """What the order of the last days loses if one feature is permuted (Breiman 2001, "Random
    forests", section 10), or if nothing is known of each pair's own clicks; most first.
    """
    now = last.now.sample(N_PERMUTED)
    rows = np.searchsorted(last.shown.pair, now.pair)
    seen, as_new = last.seen[rows], last.as_new[rows]
    whole = now.gain(ranker.predict(seen))
    found = {OWN_CLICKS: whole - now.gain(ranker.predict(as_new))}
    random = np.random.default_rng(seed)
    for column, name in enumerate(NAMES):
        permuted = seen.copy()
        permuted[:, column] = random.permutation(seen[:, column])
        if name in LEVELS:
            permuted[:, SCORE] += permuted[:, column] - seen[:, column]
        found[name] = whole - now.gain(ranker.predict(permuted))
    return dict(sorted(found.items(), key=lambda entry: -entry[1]))
