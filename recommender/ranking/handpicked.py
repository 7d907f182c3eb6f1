"""Learning from editors' lists, before there are clicks: boosted trees that foretell a list.

Every pair of a page and a candidate is an example, listed or not. Whether lists teach anything is
tried on lists set aside: if the order learned from the others does not put their links clearly
higher than text alone does, text alone decides. A site of random lists is such a site.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.candidates import Candidates
from recommender.progress import Progress, Silent
from recommender.ragged import ranks
from recommender.ranking.boosting import N_COMPARED, Forest, laid_out
from recommender.ranking.handpicked_features import (
    FEATURES,
    N_FOLDS,
    NEAR_PLACE,
    Picks,
    Rates,
    as_if_unknown,
    count_rates,
    features,
    picks_of,
    proposed,
)
from recommender.text.corpus import Site
from recommender.text.signals import signals, text_score

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

# Fewer lists than this teach too little for a trial to show it.
MIN_LISTS = 100
# With fewer lists than this each is set aside once; with more, one fifth will do.
MANY_LISTS = 2_000
# Lists that are judged, lists that trees grow on: more make the same lists in more time.
N_JUDGED = 1_000
N_GROWN_ON = 4_000
# A link that an editor would list with a chance of one in ten is relevant whatever its text. On
# msdocs links at this score were listed one time in six (benchmarks/README.md, "Text").
SURE = float(np.log(0.1 / 0.9))
# Pages that are learned from as if there were no lists near them, or none of their kind.
UNKNOWN_SHARE = 0.25
# Standard errors by which the learned order must be better.
CLEARLY = 2.0
# Lists on which features are scrambled one by one.
N_SCRAMBLED = 500
DEPTH = 10


@dataclass(frozen=True, slots=True, eq=False)
class Editors:
    """What editors' lists teach: what they say of pairs, and the trees that weigh it."""

    picks: Picks
    rates: Rates
    trees: Forest

    def features(self, site: Site, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """What the trees see of pairs; ``sources`` must come in runs."""
        return features(site, self.picks, self.rates.of(site, sources, items), sources, items)

    def candidates(self, site: Site) -> Candidates:
        """What other pages' lists propose beside every article."""
        items = proposed(site, self.picks, np.arange(site.n_articles))
        return Candidates(items, np.where(items < 0, -np.inf, 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """What came of learning. ``editors`` is None where lists taught nothing, or there are too
    few; ``reason`` says which, in a sentence for the model card. ``trial`` holds the figures the
    choice rests on, ``importance`` what nDCG@10 loses if a feature is scrambled.
    """

    editors: Editors | None
    reason: str
    n_links: int
    trial: dict[str, float]
    importance: dict[str, float]

    def about(self) -> dict[str, Any]:
        """The manifest's account of it."""
        return {
            "reason": self.reason,
            "n_links": self.n_links,
            "trial": {name: round(value, 6) for name, value in self.trial.items()},
            "importance": {name: round(value, 6) for name, value in self.importance.items()},
        }


def worth(
    site: Site, editors: Editors | None, sources: np.ndarray, items: np.ndarray
) -> np.ndarray:
    """What is known of pairs before anybody clicks, ``(n_pairs,)``: the log odds that an editor
    would list the item, or, where lists taught nothing, how alike the texts are. Scores compare
    items of one source; ``sources`` must come in runs.
    """
    if editors is None:
        alike: np.ndarray = text_score(signals(site, sources, items)).astype(np.float64)
        return alike
    odds: np.ndarray = editors.trees.predict(editors.features(site, sources, items))
    return odds


def learn(
    site: Site,
    picked: Candidates,
    stub: np.ndarray,
    *,
    seed: int,
    progress: Progress | None = None,
) -> Taught:
    """Learn from the lists ``picked``, unless text alone foretells them as well."""
    progress = progress or Silent()
    picks = picks_of(picked, stub)
    pages, n_links = picks.pages, len(picks.items)
    if len(pages) < MIN_LISTS:
        reason = f"learning from editors' lists takes {MIN_LISTS} of them, and there are"
        return Taught(None, f"{reason} {len(pages)}", n_links, {}, {})
    fold = np.random.default_rng(seed).permutation(len(pages)) % N_FOLDS
    turns = range(N_FOLDS if len(pages) < MANY_LISTS else 1)
    progress.stage("learning from editors' lists", len(turns) + 1)
    trials = []
    for turn in turns:
        aside = pages[fold == turn][:N_JUDGED]
        editors = _fit(site, picks.without(pages[fold == turn]), stub, fold[fold != turn], seed)
        trials.append(_try(site, editors, picks, stub, aside, seed))
        progress.advance()
    text, learned, alone, recall = (
        np.concatenate([getattr(trial, name) for trial in trials])
        for name in ("text", "learned", "alone", "recall")
    )
    error = float((learned - text).std() / np.sqrt(len(text)))
    error_alone = float((alone - text).std() / np.sqrt(len(text)))
    figures = {
        "text": float(text.mean()),
        "learned": float(learned.mean()),
        "error": error,
        "far from any list": float(alone.mean()),
        "recall": float(recall.mean()),
    }
    found = (
        f"{n_links:,} links in {len(pages):,} editors' lists: on lists set aside its order was "
        f"worth {figures['learned']:.3f} (nDCG@10), text alone {figures['text']:.3f}, and as if "
        f"there were no other list near, {figures['far from any list']:.3f}"
    )
    worse_alone = figures["far from any list"] < figures["text"] - CLEARLY * error_alone
    if figures["learned"] <= figures["text"] + CLEARLY * error or worse_alone:
        reason = f"editors' lists taught nothing: learned from {found}"
        return Taught(None, reason, n_links, figures, {})
    editors = _fit(site, picks, stub, fold, seed)
    progress.advance()
    reason = f"learned from {found}; {figures['recall']:.0%} of their links were candidates"
    return Taught(editors, reason.replace("%", " %"), n_links, figures, trials[0].importance)


def candidate_pairs(
    site: Site, picks: Picks, stub: np.ndarray, pages: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The pages and what stands to choose beside them, page by page: neighbours by text, and
    what other pages' lists propose.
    """
    items = np.concatenate([site.near[pages], proposed(site, picks, pages)], axis=1)
    rows, slots = np.nonzero(items >= 0)
    keys = np.unique(pages[rows] * site.n_articles + items[rows, slots])
    sources, found = np.divmod(keys, site.n_articles)
    real = ~stub[found]
    return sources[real], found[real]


def _fit(site: Site, picks: Picks, stub: np.ndarray, fold: np.ndarray, seed: int) -> Editors | None:
    """Learn from lists whose pages fall into ``fold``; None if no candidate was ever listed."""
    pages = picks.pages
    sources, items = candidate_pairs(site, picks, stub, pages)
    listed = picks.lists(sources, items)
    if not listed.any():
        return None
    rates, log_rates = count_rates(
        site, sources, items, listed, fold[np.searchsorted(pages, sources)]
    )
    chosen = np.random.default_rng(seed).permutation(len(pages))[:N_GROWN_ON]
    grown = np.isin(sources, pages[chosen])
    seen = features(site, picks, log_rates[grown], sources[grown], items[grown])
    n_near = site.near.shape[1]
    seen, listed = _with_unknown(seen, listed[grown], sources[grown], rates, n_near, seed)
    model = new_trees(seed).fit(seen, listed)
    return Editors(picks, rates, laid_out(model, seen[:N_COMPARED]))


def new_trees(seed: int) -> HistGradientBoostingClassifier:
    """Trees that have not seen anything yet."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        learning_rate=0.15,
        max_iter=100,
        max_leaf_nodes=31,
        min_samples_leaf=50,
        l2_regularization=10.0,
        max_features=0.4,
        max_bins=63,
        early_stopping=False,
        random_state=seed,
    )


def _with_unknown(
    seen: np.ndarray,
    listed: np.ndarray,
    sources: np.ndarray,
    rates: Rates,
    n_near: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Examples, for some pages as if there were no lists near them, or none of their kind."""
    _, page = np.unique(sources, return_inverse=True)
    draws = np.random.default_rng(seed).random((page.max() + 1, 2)) < UNKNOWN_SHARE
    near, kind = draws[page].T
    # What lists alone proposed would not have been a candidate.
    kept = ~near | (seen[:, NEAR_PLACE] < n_near)
    unknown = as_if_unknown(seen[kept], rates, near=near[kept], kind=kind[kept])
    return unknown, listed[kept]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """nDCG@10 of lists set aside, ordered by text, as learned, and as learned if no other list
    were known to be near or of the kind; and the share of their links that were candidates. All
    are ``(n_pages,)``; ``importance`` as in ``Taught``.
    """

    text: np.ndarray
    learned: np.ndarray
    alone: np.ndarray
    recall: np.ndarray
    importance: dict[str, float]


def _try(
    site: Site,
    editors: Editors | None,
    picks: Picks,
    stub: np.ndarray,
    pages: np.ndarray,
    seed: int,
) -> Trial:
    """Order candidates of ``pages``, whose lists ``editors`` never saw."""
    if editors is None:
        nothing = np.zeros(len(pages))
        return Trial(nothing, nothing, nothing, nothing, {})
    sources, items = candidate_pairs(site, editors.picks, stub, pages)
    seen = editors.features(site, sources, items)
    row = np.searchsorted(pages, sources)
    listed = picks.lists(sources, items)
    n_listed = np.diff(picks.heads)[pages]

    def judged(score: np.ndarray, first: int = len(pages)) -> np.ndarray:
        few = row < first
        return ndcg(row[few], listed[few], score, n_listed[:first])

    learned = judged(editors.trees.predict(seen))
    everywhere = np.ones(len(seen), dtype=bool)
    unknown = as_if_unknown(seen, editors.rates, near=everywhere, kind=everywhere)
    few = row < N_SCRAMBLED
    random = np.random.default_rng(seed)
    importance = {}
    for column, name in enumerate(FEATURES):
        scrambled = seen[few]
        scrambled[:, column] = random.permutation(scrambled[:, column])
        without = judged(editors.trees.predict(scrambled), N_SCRAMBLED)
        importance[name] = float(learned[:N_SCRAMBLED].mean() - without.mean())
    return Trial(
        text=judged(text_score(seen)),
        learned=learned,
        alone=judged(editors.trees.predict(unknown)),
        recall=np.bincount(row, weights=listed, minlength=len(pages)) / n_listed,
        importance=importance,
    )


def ndcg(
    row: np.ndarray, listed: np.ndarray, score: np.ndarray, n_listed: np.ndarray
) -> np.ndarray:
    """nDCG@10 of each row's items in the order of ``score``, ``(n_rows,)``."""
    rank = ranks(row, score)
    top = rank <= DEPTH
    discount = 1 / np.log2(np.arange(DEPTH) + 2)
    gain = listed[top] * discount[rank[top] - 1]
    ideal = np.cumsum(discount)[np.minimum(n_listed, DEPTH) - 1]
    worth: np.ndarray = np.bincount(row[top], weights=gain, minlength=len(n_listed)) / ideal
    return worth
