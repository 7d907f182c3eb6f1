"""The features of a pair: how alike the texts are, and what readers did.

One row a pair, one column a feature, whoever asks: training, list making, ``bundle.score``. The
click features take a ``History``, counted on a part of the log that ends before the clicks they
are to explain, so no later click reaches them. What does not come from the log is as it is today:
texts, categories, neighbours, hand-picked lists and what was learned from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recommender.clicks import choice_model, cooccurrence
from recommender.clicks.choice_model import ChoiceModel, Pairs
from recommender.clicks.cooccurrence import CoReading
from recommender.ragged import at, find, mixed
from recommender.ranking import cross_fitting, handpicked
from recommender.ranking.cross_fitting import N_FOLDS, FoldCounts
from recommender.ranking.handpicked import HandpickedModel
from recommender.ranking.handpicked_features import Feature, columns
from recommender.store.counts import Log
from recommender.text.corpus import SIGNALS, Corpus, signals, text_score

# Clicks on a source's list that weigh as much as what its targets' strengths say (validated on
# wikispeedia: 5 to 20 do equally well).
PRIOR_CHOICES = 10.0
# Clicks that weigh as much as the rate of all pairs in a group's rate. Not tuned.
PRIOR_GROUP = 5.0
# The score of texts with nothing in common, since nothing has no logarithm. Not tuned.
LEAST_TEXT = 1e-3
# Pairs whose features are computed at once; bounds the memory of a build.
BLOCK = 500_000


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """The pages' lists as they stood, an editor's or an earlier build's: the listed pairs as sorted
    ``keys`` ``source * n + item``, and by article how many it lists, ``n_links``, and how many list
    it, ``n_listing``, both ``(n_articles,)``.
    """

    keys: np.ndarray
    n_links: np.ndarray
    n_listing: np.ndarray

    def has(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Whether each source lists the item, ``(n_pairs,)``."""
        return find(self.keys, sources * len(self.n_links) + items) >= 0


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What is counted on a part of the log, of pairs, articles and groups of articles."""

    pairs: Pairs
    clicks: ChoiceModel
    reading: CoReading
    listing: Listing
    target: FoldCounts
    category_pair: FoldCounts
    category_to_target: FoldCounts
    source_to_category: FoldCounts


def history_of(
    site: Corpus,
    log: Log,
    pairs: Pairs,
    of_link: np.ndarray,
    examined: np.ndarray,
) -> History:
    """Count a part of the log, whose links are pairs ``of_link`` and are examined with a
    propensity of ``examined``, both ``(n_links,)``.
    """
    clicks = choice_model.fit(log, pairs, of_link, examined, site.category)
    ends = pairs.source, pairs.item
    shown, _ = log.shown_and_clicked()
    n = site.n_articles
    on_page = np.unique(of_link[(of_link >= 0) & (shown > 0)])
    keys = np.union1d(pairs.keys[on_page], site.picked)
    n_links, n_listing = (np.bincount(of, minlength=n) for of in np.divmod(keys, n))
    return History(
        pairs=pairs,
        clicks=clicks,
        reading=cooccurrence.count(log, pairs, of_link),
        listing=Listing(keys, n_links, n_listing),
        target=_group(pairs, clicks, pairs.item),
        category_pair=_group(pairs, clicks, _group_key(site, *ends, "category", "category")),
        category_to_target=_group(pairs, clicks, _group_key(site, *ends, "category", "article")),
        source_to_category=_group(pairs, clicks, _group_key(site, *ends, "article", "category")),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What a history knows of pairs. ``own`` is each pair's number, -1 if it was never shown;
    ``pair`` is the same, or -1 throughout where pairs are to be seen as if they never had been:
    then their fold is taken out of what is known of their targets too.
    """

    own: np.ndarray
    fold: np.ndarray
    pair: np.ndarray
    log_strength: np.ndarray
    target_clicks: np.ndarray
    target_expected: np.ndarray


def known_of(history: History, sources: np.ndarray, items: np.ndarray, *, unseen: bool) -> Known:
    """What is known of pairs ``(n_pairs,)``, or would be if they had never been shown."""
    clicks = history.clicks
    own = history.pairs.find(sources, items)
    fold = np.where(own >= 0, _fold(history.pairs, sources, items), N_FOLDS)
    strength = clicks.strength[items]
    got, due = clicks.target_clicks[items], clicks.target_expected[items]
    if not unseen:
        return Known(own, fold, own, np.log(strength), got, due)
    clicked, expected = history.target.without(np.asarray(items), fold)
    # What is expected under the strength, over the strength, is what is due to an average target.
    share = np.where(got > 0, clicked / np.maximum(got, 1e-12), 1.0)
    return Known(
        own=own,
        fold=fold,
        pair=np.full_like(own, -1),
        log_strength=np.log(
            (clicked + clicks.prior) / (expected / strength + clicks.prior / clicks.around[items])
        ),
        target_clicks=clicked,
        target_expected=due * share,
    )


def offset(history: History, known: Known) -> np.ndarray:
    """The score of pairs by counting alone, ``(n_pairs,)``: log strength of the target plus the
    pair's lift.
    """
    return known.log_strength + history.clicks.lift(known.pair, PRIOR_CHOICES)


@dataclass(frozen=True, eq=False)
class Asked:
    """Pairs whose features are asked for, ``sources`` and ``items`` ``(n_pairs,)``, what is known
    of them, and what several features read, each worked out once.
    """

    site: Corpus
    model: HandpickedModel | None
    history: History
    known: Known
    sources: np.ndarray
    items: np.ndarray

    @cached_property
    def signals(self) -> np.ndarray:
        """``(n_pairs, len(SIGNALS))``."""
        return signals(self.site, self.sources, self.items)

    @cached_property
    def listed(self) -> np.ndarray:
        """Whether the source lists the item, which no feature may reveal; ``(n_pairs,)``."""
        return self.history.listing.has(self.sources, self.items)

    @cached_property
    def co_read(self) -> np.ndarray:
        """The number of each pair among the co-read ones, -1 for none; ``(n_pairs,)``."""
        return self.history.reading.find(self.sources, self.items)

    def log_rate(self, group: FoldCounts, left: str, right: str) -> np.ndarray:
        """Log of clicks over expected clicks of each pair's group, its fold left out."""
        key = _group_key(self.site, self.sources, self.items, left, right)
        clicked, expected = group.without(key, self.known.fold)
        return np.log((clicked + PRIOR_GROUP) / (expected + PRIOR_GROUP))


def text(asked: Asked) -> np.ndarray:
    """log odds that an editor lists the target, or the log of how alike the texts are"""
    if asked.model:
        return handpicked.score(asked.site, asked.model, asked.sources, asked.items)
    return np.log(np.maximum(text_score(asked.signals).astype(np.float64), LEAST_TEXT))


def times_listed(asked: Asked) -> np.ndarray:
    """log of how many other pages list the target"""
    return np.log1p(asked.history.listing.n_listing[asked.items] - asked.listed)


def list_length(asked: Asked) -> np.ndarray:
    """log of how many other articles the source lists"""
    return np.log1p(asked.history.listing.n_links[asked.sources] - asked.listed)


def listed_back(asked: Asked) -> np.ndarray:
    """whether the target lists the source"""
    return asked.history.listing.has(asked.items, asked.sources)


def hand_picked(asked: Asked) -> np.ndarray:
    """whether the target stands in the page's hand-picked list"""
    picked = find(asked.site.picked, asked.sources * asked.site.n_articles + asked.items) >= 0
    # A pair nobody has shown is in nobody's list.
    return picked & ((asked.known.own < 0) | (asked.known.pair >= 0))


def strength(asked: Asked) -> np.ndarray:
    """log strength of the target: clicks over those of an average one"""
    return asked.known.log_strength


def target_clicks(asked: Asked) -> np.ndarray:
    """log of clicks on the target, beside any page"""
    return np.log1p(asked.known.target_clicks)


def target_expected(asked: Asked) -> np.ndarray:
    """log of the clicks that an average target would have got in the target's places"""
    return np.log1p(asked.known.target_expected)


def chances(asked: Asked) -> np.ndarray:
    """log of the clicks made on slates that the pair stood in"""
    return np.log1p(at(asked.history.clicks.chances, asked.known.pair))


def clicked(asked: Asked) -> np.ndarray:
    """log of clicks on the pair"""
    return np.log1p(at(asked.history.clicks.clicked, asked.known.pair))


def lift_3(asked: Asked) -> np.ndarray:
    """log of clicks over those expected of the target, smoothed by 3 choices"""
    return asked.history.clicks.lift(asked.known.pair, 3.0)


def lift_30(asked: Asked) -> np.ndarray:
    """log of clicks over those expected of the target, smoothed by 30 choices"""
    return asked.history.clicks.lift(asked.known.pair, 30.0)


def co_read(asked: Asked) -> np.ndarray:
    """log of the visits that read both without a step from one to the other"""
    return np.log1p(at(asked.history.reading.together, asked.co_read))


def co_read_cosine(asked: Asked) -> np.ndarray:
    """visits that read both over those that read either, smoothed"""
    return at(asked.history.reading.cosine, asked.co_read)


def readers_alike(asked: Asked) -> np.ndarray:
    """how alike what else is read with each of them is: cosine"""
    return asked.history.reading.alike(asked.sources, asked.items)


def category_pair(asked: Asked) -> np.ndarray:
    """log click rate of links between the two categories"""
    return asked.log_rate(asked.history.category_pair, "category", "category")


def category_to_target(asked: Asked) -> np.ndarray:
    """log click rate of the target beside pages of the source's category"""
    return asked.log_rate(asked.history.category_to_target, "category", "article")


def source_to_category(asked: Asked) -> np.ndarray:
    """log click rate of links from the source into the target's category"""
    return asked.log_rate(asked.history.source_to_category, "article", "category")


# A feature is a function of the pairs asked for and one row here; its docstring is what the model
# card says of it.
FEATURES: dict[str, Feature] = {
    **columns("signals", SIGNALS),
    "text": text,
    "times_listed": times_listed,
    "list_length": list_length,
    "listed_back": listed_back,
    "hand_picked": hand_picked,
    "strength": strength,
    "target_clicks": target_clicks,
    "target_expected": target_expected,
    "chances": chances,
    "clicked": clicked,
    "lift_3": lift_3,
    "lift_30": lift_30,
    "co_read": co_read,
    "co_read_cosine": co_read_cosine,
    "readers_alike": readers_alike,
    "category_pair": category_pair,
    "category_to_target": category_to_target,
    "source_to_category": source_to_category,
}
NAMES = tuple(FEATURES)


def features(
    site: Corpus,
    model: HandpickedModel | None,
    history: History,
    known: Known,
    sources: np.ndarray,
    items: np.ndarray,
) -> np.ndarray:
    """The features of pairs, ``(n_pairs, len(FEATURES))``, float32; ``sources`` and ``items`` are
    ``(n_pairs,)``, ``sources`` in runs.
    """
    ends = np.asarray(sources, dtype=np.int64), np.asarray(items, dtype=np.int64)
    asked = Asked(site, model, history, known, *ends)
    return np.column_stack([feature(asked) for feature in FEATURES.values()]).astype(np.float32)


def _fold(pairs: Pairs, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The fold of each pair, a number below ``N_FOLDS`` that has nothing to do with either end."""
    return mixed(np.asarray(sources, dtype=np.int64) * (len(pairs.heads) - 1) + items) % N_FOLDS


def _group(pairs: Pairs, clicks: ChoiceModel, key: np.ndarray) -> FoldCounts:
    """Sums over the pairs that share a ``key``, fold by fold."""
    fold = _fold(pairs, pairs.source, pairs.item)
    return cross_fitting.count(key, fold, clicks.clicked, clicks.expected)


def _group_key(
    site: Corpus, sources: np.ndarray, items: np.ndarray, left: str, right: str
) -> np.ndarray:
    """One number for a pair of groups, ``(n_pairs,)``; "article" is a group of its own."""
    # No category is a category like any other: there is nothing better to assume.
    category = site.category.astype(np.int64) + 1
    size = site.n_articles + int(category.max(initial=0)) + 1
    from_group = category[sources] if left == "category" else sources.astype(np.int64)
    to_group = category[items] if right == "category" else items.astype(np.int64)
    return from_group * size + to_group
