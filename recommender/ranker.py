"""The ranker: boosted trees that say how far a pair departs from what counting expects.

Clicks of a pair are Poisson with mean ``expected x exp(f(features))``, where ``expected`` comes
from counting alone (target's strength, pair's lift, position) on the log *before*. Poisson
boosting with an offset is weighted boosting of the ratio clicks/expected with weights expected,
so scikit-learn's ``HistGradientBoostingRegressor(loss="poisson")`` does it exactly. Where there
is nothing to learn, ``f`` stays 0 and counting stands.

The log is cut into blocks by time; a block's clicks are explained by features counted on the
blocks before it. The first block has no history at all, so the trees also learn what text alone
says, which is what a new article lives on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.appeal import Pairs, pairs_in
from recommender.counts import Log
from recommender.features import (
    FEATURES,
    History,
    Site,
    features,
    history_of,
    offset,
    text_score,
)
from recommender.positions import Examination
from recommender.progress import Progress, Silent

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

# Shares of the views at which blocks begin. The later, the more a block's history resembles the
# one the model will serve with; the first teaches what to do without any.
BLOCKS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0)
# Below these, text alone decides: counts of a few hundred clicks are mostly noise per pair.
MIN_CLICKS = 500
MIN_DAYS = 3
MAX_LOG_RATIO = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Ranker:
    """``trees`` correct what ``history`` counts; both are over the whole log."""

    trees: HistGradientBoostingRegressor
    history: History

    def score(self, site: Site, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Log appeal of each pair beside its source, ``(n_pairs,)``; sources in runs."""
        seen = features(site, self.history, sources, items)
        return offset(self.history, sources, items) + correction(self.trees, seen)


def correction(trees: HistGradientBoostingRegressor, seen: np.ndarray) -> np.ndarray:
    """What the trees add to the log of the expected clicks."""
    ratio = np.log(np.maximum(trees.predict(seen), 1e-9))
    bounded: np.ndarray = np.clip(ratio, -MAX_LOG_RATIO, MAX_LOG_RATIO)
    return bounded


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
    days = np.unique(log.view_day)
    if n_clicks < MIN_CLICKS or len(days) < MIN_DAYS:
        reason = (
            f"text alone decides: {n_clicks:,} clicks on {len(days):,} days are fewer than the "
            f"{MIN_CLICKS:,} clicks on {MIN_DAYS} days that learning takes"
        )
        return Learned(None, history, reason, {}, n_clicks)
    cuts = _cuts(log)
    progress.stage("learning from clicks", len(cuts) + 2)
    blocks = []
    for first, last in zip(cuts, cuts[1:], strict=False):
        blocks.append(_examples(site, log, pairs, of_link, examination, first, last))
        progress.advance()
    trial = _trial(blocks, seed)
    progress.advance()
    if trial["ranker"] <= trial["text"]:
        reason = (
            "text alone decides: on the last days of the log its order of the shown links was "
            f"worth {trial['text']:.3f}, the learned one {trial['ranker']:.3f}"
        )
        return Learned(None, history, reason, trial, n_clicks)
    trees = _fit(blocks, seed)
    progress.advance(2)
    reason = (
        f"learned from {n_clicks:,} clicks: on the last days of the log its order of the shown "
        f"links was worth {trial['ranker']:.3f}, text alone {trial['text']:.3f}, counting alone "
        f"{trial['counting']:.3f}"
    )
    return Learned(Ranker(trees, history), history, reason, trial, n_clicks)


def _cuts(log: Log) -> list[int]:
    """Days on which blocks begin, and the day after the last."""
    order = np.argsort(log.view_day, kind="stable")
    so_far = np.cumsum(log.n_views[order]) / log.n_views.sum()
    days = log.view_day[order]
    at = [int(days[min(np.searchsorted(so_far, share), len(days) - 1)]) for share in BLOCKS[:-1]]
    return sorted({*at, int(days[-1]) + 1})


def _examples(
    site: Site,
    log: Log,
    pairs: Pairs,
    of_link: np.ndarray,
    examination: Examination,
    first: int,
    last: int,
) -> Examples:
    """The pairs shown on days ``first`` to ``last``, explained by the days before ``first``."""
    before = history_of(site, log.between(0, first), pairs, of_link, examination)
    _, clicked = log.between(first, last).shown_and_clicked()
    slate = log.link_slate
    made = np.bincount(slate, weights=clicked, minlength=len(log.source))[slate]
    used = (of_link >= 0) & (made > 0)
    slate, made, clicks, pair = slate[used], made[used], clicked[used], of_link[used]
    rows, row = np.unique(pair, return_inverse=True)
    sources, items = pairs.source[rows], pairs.item[rows].astype(np.int64)
    known = offset(before, sources, items)
    examined = examination.at(log.position[used])
    weight = examined * np.exp(known[row])
    whole = np.bincount(slate, weights=weight, minlength=len(log.source))
    return Examples(
        features=features(site, before, sources, items),
        clicked=np.bincount(row, weights=clicks, minlength=len(rows)),
        expected=np.bincount(row, weights=made * weight / whole[slate], minlength=len(rows)),
        offset=known,
        slate=slate,
        row=row,
        clicks=clicks,
        examined=examined,
    )


def _fit(blocks: list[Examples], seed: int) -> HistGradientBoostingRegressor:
    from sklearn.ensemble import HistGradientBoostingRegressor

    seen = np.concatenate([block.features for block in blocks])
    clicked = np.concatenate([block.clicked for block in blocks])
    expected = np.maximum(np.concatenate([block.expected for block in blocks]), 1e-6)
    trees = HistGradientBoostingRegressor(
        loss="poisson",
        learning_rate=0.05,
        max_iter=250,
        max_leaf_nodes=31,
        # Leaves of fewer clicks than a handful chase noise; small logs get larger leaves.
        min_samples_leaf=max(50, len(clicked) // 2000),
        l2_regularization=1.0,
        monotonic_cst=[sign for _, sign in FEATURES],
        early_stopping=False,
        random_state=seed,
    )
    trees.fit(seen, clicked / expected, sample_weight=expected)
    return trees


def _trial(blocks: list[Examples], seed: int) -> dict[str, float]:
    """Learn from all blocks but the last and see how each order would have done on it."""
    last = blocks[-1]
    trees = _fit(blocks[:-1], seed)
    return {
        "text": _worth(last, text_score(last.features)),
        "counting": _worth(last, last.offset),
        "ranker": _worth(last, last.offset + correction(trees, last.features)),
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
