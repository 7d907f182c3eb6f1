"""Learning from hand-picked lists, before there are clicks: boosted trees that predict a list.

Every pair of a page and a candidate is an example, listed or not. Whether there is
anything to learn is tried on lists set aside: if the order learned from the others does not put
their links clearly higher than text alone does, text alone decides. A site of random lists is such
a site.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from recommender.array_fields import Sizes
from recommender.candidates import Candidates
from recommender.progress import Progress, Silent
from recommender.ragged import distinct, find, ranks
from recommender.ranking.boosting import N_COMPARED, Forest, laid_out, threads_for
from recommender.ranking.cross_fitting import N_FOLDS
from recommender.ranking.handpicked_features import (
    FEATURES,
    NAMES,
    HandpickedLists,
    Rates,
    as_if_unknown,
    count_rates,
    features,
    features_of,
    lists_of,
    proposed,
)
from recommender.text.corpus import Corpus, Links

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

# Fewer lists than this are too few for a trial to show anything. Not tuned.
MIN_LISTS = 100
# With fewer lists than this each is set aside once; with more, one fifth will do. Not tuned.
MANY_LISTS = 2_000
# Lists that are judged, lists that trees grow on: more make the same lists in more time.
N_JUDGED = 1_000
N_GROWN_ON = 4_000  # benchmarks/README.md, "Editors' lists"
# A link that an editor would list with a chance of one in ten is relevant whatever its text. On
# msdocs links at this score were listed one time in six (benchmarks/README.md, "Text").
SURE = float(np.log(0.1 / 0.9))
# Share of the pages that are learned from as if there were no lists near them, and of those as if
# there were none of their groups. With it lists set aside on msdocs are predicted with .707 where
# no other list is near or of a group, text alone .363 (benchmarks/README.md, "Editors' lists").
UNKNOWN_SHARE = 0.25
# Standard errors by which the learned order must be better: one site of random lists in forty then
# passes by luck.
CLEARLY = 2.0
# Lists on which features are permuted one by one: enough to order the features.
N_PERMUTED = 500
# However well lists agree with texts, no link counts more than so many times for being listed.
MAX_WORD = 5.0
# The list's length.
DEPTH = 10


@dataclass(frozen=True, slots=True, eq=False)
class HandpickedModel:
    """What is learned from hand-picked lists: the ``lists``, the ``rates`` of groups of pairs in
    them, and ``trees`` that weigh both beside the texts.
    """

    lists: Annotated[HandpickedLists, Sizes(n_articles="n_articles")]
    rates: Annotated[Rates, Sizes(n_articles="n_articles")]
    trees: Annotated[Forest, Sizes(n_features=len(FEATURES))]

    def features(self, corpus: Corpus, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """What the trees see of pairs, ``(n_pairs, len(FEATURES))``; ``sources`` in runs."""
        return features(corpus, self.lists, self.rates, sources, items)

    def predict(self, links: Links) -> np.ndarray:
        """Log odds that an editor lists the item, as if the page had no list, ``(n_pairs,)``;
        sources in runs.
        """
        return self.trees.predict(features_of(links, self.lists, self.rates))


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of learning. ``model`` is None where lists taught nothing, or there are too
    few; ``reason`` states which, in a sentence for the model card. ``trial`` holds the figures the
    choice rests on, ``importance`` what nDCG@10 loses if a feature is permuted.
    """

    model: HandpickedModel | None
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


def score(
    corpus: Corpus, model: HandpickedModel | None, sources: np.ndarray, items: np.ndarray
) -> np.ndarray:
    """The score of pairs before anybody clicks, ``(n_pairs,)``: the log odds that an editor would
    list the item, or, where lists taught nothing, how alike the texts are; higher where the page's
    own list has it, as far as the site's lists are borne out. Scores compare items of one source;
    ``sources`` and ``items`` are ``(n_pairs,)``, ``sources`` in runs.
    """
    ends = np.asarray(sources, dtype=np.int64), np.asarray(items, dtype=np.int64)
    return score_of(model, Links(corpus, *ends))


def score_of(model: HandpickedModel | None, links: Links) -> np.ndarray:
    """The same of ``links``."""
    corpus = links.corpus
    own = find(corpus.picked, links.sources * corpus.n_articles + links.items) >= 0
    word = np.where(own, editors_word(corpus), 1.0)
    if model is None:
        return word * links.text_score
    return np.log(word) + model.predict(links)


def editors_word(corpus: Corpus) -> float:
    """How many times likelier a link of a page's own list is to belong there than the same link
    unlisted. Where lists agree with texts in a share ``a`` beyond chance, that share was picked and
    the rest might be any: the likelihood ratio of a link is at least ``1 / (1 - a)``, 1 for random
    lists.
    """
    agreement = float(corpus.agreement[2])
    return 1 / max(1 - agreement, 1 / MAX_WORD)


def learn(
    corpus: Corpus,
    picked: Candidates,
    stub: np.ndarray,
    *,
    seed: int,
    progress: Progress | None = None,
) -> Outcome:
    """Learn from the lists ``picked``, unless text alone predicts them as well; ``stub``, true of
    what is known by title alone, is ``(n_articles,)``.
    """
    progress = progress or Silent()
    lists = lists_of(picked, stub)
    pages, n_links = lists.pages, len(lists.items)
    if len(pages) < MIN_LISTS:
        reason = f"learning from editors' lists takes {MIN_LISTS} of them, and there are"
        return Outcome(None, f"{reason} {len(pages)}", n_links, {}, {})
    fold = _folds(pages, corpus.n_articles, seed)
    turns = range(N_FOLDS if len(pages) < MANY_LISTS else 1)
    progress.stage("learning from editors' lists", len(turns) + 1)
    trials = []
    for turn in turns:
        aside = np.flatnonzero(fold == turn)
        others = np.where(fold == turn, N_FOLDS, fold)
        model = _fit(corpus, lists.without(aside), stub, others, seed)
        if model is None:
            reason = "editors' lists taught nothing: what they list is like nothing beside it"
            return Outcome(None, reason, n_links, {}, {})
        trials.append(_try(corpus, model, lists, stub, aside[:N_JUDGED], seed))
        progress.advance()
    text, learned, alone, recall = (
        np.concatenate([getattr(trial, name) for trial in trials])
        for name in ("text", "learned", "alone", "recall")
    )
    error, error_alone = (
        float((order - text).std() / np.sqrt(len(text))) for order in (learned, alone)
    )
    figures = {
        "text": float(text.mean()),
        "learned": float(learned.mean()),
        "error": error,
        "far from any list": float(alone.mean()),
        "recall": float(recall.mean()),
    }
    found = (
        f"{n_links:,} links in {len(pages):,} editors' lists: on lists set aside its order "
        f"reached {figures['learned']:.3f} (nDCG@10), text alone {figures['text']:.3f}, and as if "
        f"there were no other list near, {figures['far from any list']:.3f}"
    )
    worse_alone = figures["far from any list"] < figures["text"] - CLEARLY * error_alone
    if figures["learned"] <= figures["text"] + CLEARLY * error or worse_alone:
        reason = f"editors' lists taught nothing: learned from {found}"
        return Outcome(None, reason, n_links, figures, {})
    model = _fit(corpus, lists, stub, fold, seed)
    progress.advance()
    reason = f"learned from {found}; {figures['recall']:.0%} of their links were candidates"
    return Outcome(model, reason.replace("%", " %"), n_links, figures, trials[0].importance)


def recounted(
    taught: Outcome,
    trees: Forest | None,
    corpus: Corpus,
    picked: Candidates,
    stub: np.ndarray,
    *,
    seed: int,
) -> Outcome:
    """What was learned before, with the lists ``picked`` now and what they have in common: the
    ``trees``, None if nothing was learned, stay as they were fitted, and so do the figures of the
    trial.
    """
    if trees is None:
        return taught
    lists = lists_of(picked, stub)
    sources, items = candidate_pairs(corpus, lists, stub, lists.pages)
    fold = _folds(lists.pages, corpus.n_articles, seed)
    rates = count_rates(corpus, sources, items, lists.has(sources, items), fold)
    model = HandpickedModel(lists, rates, trees)
    return replace(taught, model=model, n_links=len(lists.items))


def candidate_pairs(
    corpus: Corpus, lists: HandpickedLists, stub: np.ndarray, pages: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sources and items, ``(n_pairs,)`` each, page by page: the ``pages`` and their candidates,
    which are neighbours by text and what other pages' lists propose.
    """
    items = np.concatenate([corpus.near[pages], proposed(corpus, lists, pages)], axis=1)
    rows, slots = np.nonzero(items >= 0)
    keys = distinct(pages[rows] * corpus.n_articles + items[rows, slots])
    sources, found = np.divmod(keys, corpus.n_articles)
    real = ~stub[found]
    return sources[real], found[real]


def _folds(pages: np.ndarray, n_articles: int, seed: int) -> np.ndarray:
    """The fold of each page with a list, drawn, and ``N_FOLDS`` of others, ``(n_articles,)``."""
    fold = np.full(n_articles, N_FOLDS)
    fold[pages] = np.random.default_rng(seed).permutation(len(pages)) % N_FOLDS
    return fold


def _fit(
    corpus: Corpus, lists: HandpickedLists, stub: np.ndarray, fold: np.ndarray, seed: int
) -> HandpickedModel | None:
    """Learn from lists, each of a ``fold``, ``(n_articles,)``; None if no candidate was ever
    listed.
    """
    sources, items = candidate_pairs(corpus, lists, stub, lists.pages)
    listed = lists.has(sources, items)
    if not listed.any():
        return None
    rates = count_rates(corpus, sources, items, listed, fold)
    chosen = np.random.default_rng(seed).permutation(lists.pages)[:N_GROWN_ON]
    grown = np.isin(sources, chosen)
    sources, items, listed = sources[grown], items[grown], listed[grown]
    seen = features(corpus, lists, rates, sources, items)
    seen, listed = _with_unknown(seen, listed, sources, rates, corpus.near.shape[1], seed)
    with threads_for(len(seen)):
        trees = new_trees(seed).fit(seen, listed)
    return HandpickedModel(lists, rates, laid_out(trees, seen[:N_COMPARED]))


def new_trees(seed: int) -> HistGradientBoostingClassifier:
    """Trees that have not seen anything yet: regularised more than usual, with fewer bins and
    columns for speed. Not tuned.
    """
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
    """Examples, for some pages as if there were no lists near them, or none of their groups."""
    _, page = np.unique(sources, return_inverse=True)
    draws = np.random.default_rng(seed).random((page.max() + 1, 2)) < UNKNOWN_SHARE
    near, group = draws[page].T
    # What lists alone proposed would not have been a candidate.
    kept = ~near | (seen[:, NAMES.index("near_place")] < n_near)
    log_base = rates.log_base(sources[kept])
    return as_if_unknown(seen[kept], log_base, near=near[kept], group=group[kept]), listed[kept]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """nDCG@10 of lists set aside, ordered by text, as learned, and as learned if no other list
    were known to be near or of a group; and the share of their links that were candidates. All
    are ``(n_pages,)``; ``importance`` as in ``Outcome``.
    """

    text: np.ndarray
    learned: np.ndarray
    alone: np.ndarray
    recall: np.ndarray
    importance: dict[str, float]


def _try(
    corpus: Corpus,
    model: HandpickedModel,
    lists: HandpickedLists,
    stub: np.ndarray,
    pages: np.ndarray,
    seed: int,
) -> Trial:
    """Order candidates of ``pages``, whose ``lists`` the model never saw."""
    sources, items = candidate_pairs(corpus, model.lists, stub, pages)
    seen = model.features(corpus, sources, items)
    row = np.searchsorted(pages, sources)
    listed = lists.has(sources, items)
    n_listed = np.diff(lists.heads)[pages]

    def judged(seen: np.ndarray, first: int = len(pages)) -> np.ndarray:
        few = row < first
        return ndcg(row[few], listed[few], model.trees.predict(seen), n_listed[:first])

    learned = judged(seen)
    everywhere = np.ones(len(seen), dtype=bool)
    log_base = model.rates.log_base(sources)
    few = row < N_PERMUTED
    random = np.random.default_rng(seed)
    importance = {}
    for column, name in enumerate(FEATURES):
        permuted = seen[few]
        permuted[:, column] = random.permutation(permuted[:, column])
        lost = learned[:N_PERMUTED].mean() - judged(permuted, N_PERMUTED).mean()
        importance[name] = float(lost)
    return Trial(
        # Not ``score``, which knows what the pages' own lists hold.
        text=ndcg(row, listed, Links(corpus, sources, items).text_score, n_listed),
        learned=learned,
        alone=judged(as_if_unknown(seen, log_base, near=everywhere, group=everywhere)),
        recall=np.bincount(row, weights=listed, minlength=len(pages)) / n_listed,
        importance=importance,
    )


def ndcg(
    row: np.ndarray, listed: np.ndarray, score: np.ndarray, n_listed: np.ndarray
) -> np.ndarray:
    """nDCG@10 of each row's items in the order of ``score``, ``(n_rows,)``. ``row``, ``listed``
    and ``score`` are ``(n_pairs,)``; ``n_listed``, the links of each row's list, ``(n_rows,)``.
    """
    rank = ranks(row, score)
    top = rank <= DEPTH
    discount = 1 / np.log2(np.arange(DEPTH) + 2)
    gain = listed[top] * discount[rank[top] - 1]
    ideal = np.cumsum(discount)[np.minimum(n_listed, DEPTH) - 1]
    return np.bincount(row[top], weights=gain, minlength=len(n_listed)) / ideal
