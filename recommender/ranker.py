"""The ranker: boosted trees that say how far a pair departs from what counting expects.

Clicks of a pair are Poisson with mean ``expected x exp(f(features))``, where ``expected`` comes
from counting alone (target's strength, pair's lift, position) on the log *before*. Poisson
boosting with an offset is weighted boosting of the ratio clicks/expected with weights expected,
so scikit-learn's ``HistGradientBoostingRegressor(loss="poisson")`` does it exactly. Where there
is nothing to learn, ``f`` stays 0 and counting stands.

The log is cut into blocks by time; a block's clicks are explained by features counted on the
blocks before it. Every example comes twice, as it was and as if its pair had never been shown: most
links of a new list never were, and the trees must know what text and the target's record are then
worth. The first block has no history at all, which is what a new article lives on.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from recommender.appeal import Pairs, at, pairs_in
from recommender.counts import Log
from recommender.features import (
    NAMES,
    History,
    features,
    history_of,
    known_of,
    offset,
)
from recommender.positions import Examination
from recommender.progress import Progress, Silent
from recommender.signals import text_score
from recommender.site import Site

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

# Shares of the views at which blocks begin. The later, the more a block's history resembles the
# one the model will serve with; the first teaches what to do without any.
BLOCKS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0)
# Below these, text alone decides: counts of a few hundred clicks are mostly noise per pair.
MIN_CLICKS = 500
# One block to learn from without history, one with, one to try the outcome on.
MIN_BLOCKS = 3
MAX_LOG_RATIO = 5.0
# Features the straight line takes: a pair's own clicks are left to counting and the trees.
LINEAR = [
    NAMES.index(name)
    for name in (
        "cosine", "title_cosine", "same_category", "shared_tags", "strength", "reverse_lift",
        "co_read", "co_read_cosine", "category_pair", "category_to_target", "source_to_category",
        "similar_sources", "similar_targets",
    )
]  # fmt: skip
# Clicks' worth of belief that each slope, in standard deviations, is 0.
PRIOR_LINE = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """What is added to the log of the expected clicks: a straight line in the features, and what
    trees find beyond it. ``line`` and ``shift`` belong to ``LINEAR``.
    """

    line: np.ndarray
    shift: float
    trees: HistGradientBoostingRegressor

    def straight(self, seen: np.ndarray) -> np.ndarray:
        """The line alone, ``(n_pairs,)``."""
        ratio: np.ndarray = seen[:, LINEAR].astype(np.float64) @ self.line + self.shift
        bounded: np.ndarray = np.clip(ratio, -MAX_LOG_RATIO, MAX_LOG_RATIO)
        return bounded

    def of(self, seen: np.ndarray) -> np.ndarray:
        """The whole correction, ``(n_pairs,)``."""
        bend = np.log(np.maximum(self.trees.predict(seen), 1e-9))
        whole: np.ndarray = self.straight(seen) + np.clip(bend, -MAX_LOG_RATIO, MAX_LOG_RATIO)
        return whole


@dataclass(frozen=True, slots=True, eq=False)
class Ranker:
    """``shown`` and ``unseen`` correct what ``history`` counts, for pairs that have been shown
    and for pairs that never were.
    """

    shown: Correction
    unseen: Correction
    history: History

    def score(self, site: Site, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Log appeal of each pair beside its source, ``(n_pairs,)``; sources in runs."""
        known = known_of(self.history, sources, items, unseen=False)
        seen = features(site, self.history, known, sources, items)
        new = at(self.history.appeal.chances, known.own) == 0
        score = offset(self.history, known)
        if new.any():
            score[new] += self.unseen.of(seen[new])
        if not new.all():
            score[~new] += self.shown.of(seen[~new])
        return score


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Pairs of a block: ``features``, ``clicked`` and ``expected`` clicks, and its links as
    ``slate``, ``pair`` (into the rows), ``clicks``, ``examined``, for judging orders.
    """

    features: np.ndarray
    clicked: np.ndarray
    expected: np.ndarray
    offset: np.ndarray
    slate: np.ndarray
    row: np.ndarray
    clicks: np.ndarray
    examined: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What came of learning. ``ranker`` is None where text alone decides; ``reason`` says why,
    in a sentence for the model card. ``trial`` holds the figures the choice rests on.
    """

    ranker: Ranker | None
    history: History
    reason: str
    trial: dict[str, float]
    n_clicks: int


def learn(
    site: Site,
    log: Log,
    examination: Examination,
    *,
    seed: int,
    progress: Progress | None = None,
) -> Learned:
    """Fit the ranker, unless the log holds too little or text alone does as well."""
    progress = progress or Silent()
    pairs, of_link = pairs_in(log, n_articles=site.n_articles)
    history = history_of(site, log, pairs, of_link, examination)
    n_clicks = history.appeal.n_clicks
    cuts = _cuts(log) if len(log.view_day) else []
    blocks: list[tuple[Examples, Examples]] = []
    if n_clicks >= MIN_CLICKS and len(cuts) > MIN_BLOCKS:
        progress.stage("learning from clicks", len(cuts) + 2)
        for first, last in pairwise(cuts):
            block = _examples(site, log, pairs, of_link, examination, first, last)
            # Days on which nobody clicked, as at the end of a late import, teach nothing.
            blocks += [block] if len(block[0].row) else []
            progress.advance()
    if len(blocks) < MIN_BLOCKS:
        reason = (
            f"text alone decides: learning takes {MIN_CLICKS:,} clicks spread over "
            f"{MIN_BLOCKS} days or more, and there are {n_clicks:,} clicks on "
            f"{len(np.unique(log.click_day)):,} days"
        )
        return Learned(None, history, reason, {}, n_clicks)
    trial = _trial(blocks, seed)
    progress.advance()
    if min(trial["ranker"], trial["ranker, links as if new"]) <= trial["text"]:
        reason = (
            "text alone decides: on the last days of the log its order of the shown links was "
            f"worth {trial['text']:.3f}, the learned one {trial['ranker']:.3f}, and "
            f"{trial['ranker, links as if new']:.3f} with links taken as new"
        )
        return Learned(None, history, reason, trial, n_clicks)
    ranker = Ranker(
        _fit([shown for shown, _ in blocks], seed, straight=False),
        _fit([unseen for _, unseen in blocks], seed, straight=True),
        history,
    )
    progress.advance(2)
    reason = (
        f"learned from {n_clicks:,} clicks: on the last days of the log its order of the shown "
        f"links was worth {trial['ranker']:.3f}, text alone {trial['text']:.3f}, counting alone "
        f"{trial['counting']:.3f}"
    )
    return Learned(ranker, history, reason, trial, n_clicks)


def _cuts(log: Log) -> list[int]:
    """Days on which blocks begin, and the day after the last."""
    order = np.argsort(log.view_day, kind="stable")
    so_far = np.cumsum(log.n_views[order]) / log.n_views.sum()
    days = log.view_day[order]
    begin = np.minimum(np.searchsorted(so_far, BLOCKS[:-1]), len(days) - 1)
    return sorted({*days[begin].tolist(), int(days[-1]) + 1})


def _examples(
    site: Site,
    log: Log,
    pairs: Pairs,
    of_link: np.ndarray,
    examination: Examination,
    first: int,
    last: int,
) -> tuple[Examples, Examples]:
    """The pairs shown on days ``first`` to ``last``, explained by the days before ``first``: as
    they were, and as if they had never been shown.
    """
    before = history_of(site, log.between(0, first), pairs, of_link, examination)
    _, clicked = log.between(first, last).shown_and_clicked()
    slate = log.link_slate
    made = np.bincount(slate, weights=clicked, minlength=len(log.source))[slate]
    used = (of_link >= 0) & (made > 0)
    slate, made, clicks, pair = slate[used], made[used], clicked[used], of_link[used]
    rows, row = np.unique(pair, return_inverse=True)
    sources, items = pairs.source[rows], pairs.item[rows].astype(np.int64)
    examined = examination.of(log)[used]
    clicked_by_row = np.bincount(row, weights=clicks, minlength=len(rows))

    def explained(*, unseen: bool) -> Examples:
        known = known_of(before, sources, items, unseen=unseen)
        said = offset(before, known)
        weight = examined * np.exp(said[row])
        whole = np.bincount(slate, weights=weight, minlength=len(log.source))
        return Examples(
            features=features(site, before, known, sources, items),
            clicked=clicked_by_row,
            expected=np.bincount(row, weights=made * weight / whole[slate], minlength=len(rows)),
            offset=said,
            slate=slate,
            row=row,
            clicks=clicks,
            examined=examined,
        )

    return explained(unseen=False), explained(unseen=True)


def _fit(blocks: list[Examples], seed: int, *, straight: bool) -> Correction:
    """Fit a correction. Pairs that have been shown need no line: it would only take from their
    own clicks what the trees weigh better (wikispeedia: nDCG@10 .3695 without, .3680 with).
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import PoissonRegressor

    seen = np.concatenate([block.features for block in blocks])
    clicked = np.concatenate([block.clicked for block in blocks])
    expected = np.maximum(np.concatenate([block.expected for block in blocks]), 1e-6)
    line, shift = np.zeros(len(LINEAR)), 0.0
    if straight:
        wide = seen[:, LINEAR].astype(np.float64)
        scale = np.maximum(wide.std(axis=0), 1e-6)
        model = PoissonRegressor(alpha=PRIOR_LINE / expected.sum(), max_iter=300)
        model.fit(wide / scale, clicked / expected, sample_weight=expected)
        line, shift = model.coef_ / scale, float(model.intercept_)
        expected = expected * np.exp(np.clip(wide @ line + shift, -MAX_LOG_RATIO, MAX_LOG_RATIO))
    trees = HistGradientBoostingRegressor(
        loss="poisson",
        learning_rate=0.1,
        max_iter=150,
        max_leaf_nodes=31,
        # Leaves of fewer clicks than a handful chase noise; small logs get larger leaves.
        min_samples_leaf=max(50, len(clicked) // 5000),
        l2_regularization=10.0,
        max_features=0.4,
        max_bins=63,
        early_stopping=False,
        random_state=seed,
    )
    trees.fit(seen, clicked / expected, sample_weight=expected)
    return Correction(line, shift, trees)


def _trial(blocks: list[tuple[Examples, Examples]], seed: int) -> dict[str, float]:
    """Learn from all blocks but the last and see how each order would have done on it."""
    shown, unseen = blocks[-1]
    for_shown = _fit([block for block, _ in blocks[:-1]], seed, straight=False)
    for_unseen = _fit([block for _, block in blocks[:-1]], seed, straight=True)
    return {
        "text": _worth(shown, text_score(shown.features)),
        "counting": _worth(shown, shown.offset),
        "ranker": _worth(shown, shown.offset + for_shown.of(shown.features)),
        "ranker, links as if new": _worth(unseen, unseen.offset + for_unseen.of(unseen.features)),
    }


def _worth(block: Examples, score: np.ndarray) -> float:
    """Mean discounted gain per click if each slate were ordered by ``score``.

    A click counts 1/log2(1 + rank), and as often as its position was likely overlooked.
    """
    order = np.lexsort((-score[block.row], block.slate))
    slate = block.slate[order]
    first = np.concatenate([[0], np.flatnonzero(np.diff(slate)) + 1])
    start = np.zeros(len(slate), dtype=np.int64)
    start[first] = first
    rank = np.arange(len(slate)) - np.maximum.accumulate(start) + 1
    weight = block.clicks[order] / block.examined[order]
    return float((weight / np.log2(1 + rank)).sum() / max(weight.sum(), 1e-12))
