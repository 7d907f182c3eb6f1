"""The features of a pair: how alike the texts are, and what readers did.

One row a pair, one column a feature, whoever asks: training, list making, ``bundle.score``. The
click features take a ``History``, counted on a part of the log that ends before the clicks they
are to explain, so no later click reaches them, and ages are those of that day. What else does not
come from the log is as it is today: texts, categories, neighbours, hand-picked lists and what was
learned from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recommender.clicks import choice_model, cooccurrence
from recommender.clicks.choice_model import ChoiceModel, Pairs
from recommender.clicks.cooccurrence import CoReading
from recommender.ragged import at, find, mixed
from recommender.ranking import cross_fitting
from recommender.ranking.cross_fitting import N_FOLDS, FoldCounts
from recommender.ranking.handpicked import HandpickedModel
from recommender.ranking.handpicked_features import Feature, columns
from recommender.store.counts import Log
from recommender.text.corpus import SIGNALS, Corpus, signals, text_score
from recommender.text.freshness import undated_as_median

# Clicks on a source's list that weigh as much as what its targets' strengths predict (validated on
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
    """What is counted on a part of the log, of pairs, articles and groups of articles; ``day`` is
    the one, counted from 1970-01-01, that follows on it.
    """

    day: float
    pairs: Pairs
    clicks: ChoiceModel
    reading: CoReading
    listing: Listing
    target: FoldCounts
    category_pair: FoldCounts
    category_to_target: FoldCounts
    source_to_category: FoldCounts


def history_of(
    corpus: Corpus,
    log: Log,
    pairs: Pairs,
    of_link: np.ndarray,
    examined: np.ndarray,
    *,
    day: float = 0.0,
) -> History:
    """Count a part of the log, whose links are pairs ``of_link`` and are examined with a
    propensity of ``examined``, both ``(n_links,)``, before a ``day``.
    """
    clicks = choice_model.fit(log, pairs, of_link, examined, corpus.category)
    ends = pairs.source, pairs.item
    shown, _ = log.shown_and_clicked()
    n = corpus.n_articles
    on_page = np.unique(of_link[(of_link >= 0) & (shown > 0)])
    keys = np.union1d(pairs.keys[on_page], corpus.picked)
    n_links, n_listing = (np.bincount(of, minlength=n) for of in np.divmod(keys, n))
    return History(
        day=day,
        pairs=pairs,
        clicks=clicks,
        reading=cooccurrence.count(log, pairs, of_link),
        listing=Listing(keys, n_links, n_listing),
        target=_group(pairs, clicks, pairs.item),
        category_pair=_group(pairs, clicks, _group_key(corpus, *ends, "category", "category")),
        category_to_target=_group(pairs, clicks, _group_key(corpus, *ends, "category", "article")),
        source_to_category=_group(pairs, clicks, _group_key(corpus, *ends, "article", "category")),
    )


def counting(history: History, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The score of pairs by counting alone, ``(n_pairs,)``: log strength of the target plus the
    pair's lift.
    """
    lift = history.clicks.lift(history.pairs.find(sources, items), PRIOR_CHOICES)
    return np.log(history.clicks.strength[items]) + lift


@dataclass(frozen=True, eq=False)
class Asked:
    """Pairs whose features are asked for, ``sources`` and ``items`` ``(n_pairs,)``, and what
    several features read, each worked out once. ``unseen``: as if these pairs had never been shown.
    """

    corpus: Corpus
    model: HandpickedModel | None
    history: History
    sources: np.ndarray
    items: np.ndarray
    unseen: bool

    @cached_property
    def own(self) -> np.ndarray:
        """The number of each pair, -1 if it was never shown; ``(n_pairs,)``."""
        return self.history.pairs.find(self.sources, self.items)

    @cached_property
    def pair(self) -> np.ndarray:
        """The same, and -1 throughout if ``unseen``; ``(n_pairs,)``."""
        return np.full_like(self.own, -1) if self.unseen else self.own

    @cached_property
    def fold(self) -> np.ndarray:
        """The fold of each pair that was shown, which its rates leave out, or ``N_FOLDS``;
        ``(n_pairs,)``.
        """
        return np.where(self.own >= 0, _fold(self.history.pairs, self.sources, self.items), N_FOLDS)

    @cached_property
    def target(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The log strength of each pair's target, the clicks on it and those expected of an average
        one, ``(n_pairs,)`` each; without the pair's fold if ``unseen``.
        """
        clicks = self.history.clicks
        strength = clicks.strength[self.items]
        got, due = clicks.target_clicks[self.items], clicks.target_expected[self.items]
        if not self.unseen:
            return np.log(strength), got, due
        clicked, expected = self.history.target.without(self.items, self.fold)
        # Expected under the strength, over the strength, is what is expected of an average target.
        average = expected / strength + clicks.prior / clicks.around[self.items]
        share = np.where(got > 0, clicked / np.maximum(got, 1e-12), 1.0)
        return np.log((clicked + clicks.prior) / average), clicked, due * share

    @cached_property
    def signals(self) -> np.ndarray:
        """``(n_pairs, len(SIGNALS))``."""
        return signals(self.corpus, self.sources, self.items)

    @cached_property
    def published(self) -> np.ndarray:
        """The day of each article, of the undated that of the median, ``(n_articles,)``; NaN if
        there is no date at all.
        """
        return undated_as_median(self.corpus.published.astype(np.float64))

    @cached_property
    def listed(self) -> np.ndarray:
        """Whether the source lists the item, which no feature may reveal; ``(n_pairs,)``."""
        return self.history.listing.has(self.sources, self.items)

    @cached_property
    def co_read(self) -> np.ndarray:
        """The number of each pair among the co-read ones, -1 for none; ``(n_pairs,)``."""
        return self.history.reading.find(self.sources, self.items)

    def log_rate(self, group: FoldCounts, left: str, right: str) -> np.ndarray:
        """Log click rate of each pair's group without the pair's fold, ``(n_pairs,)``."""
        key = _group_key(self.corpus, self.sources, self.items, left, right)
        clicked, expected = group.without(key, self.fold)
        return np.log((clicked + PRIOR_GROUP) / (expected + PRIOR_GROUP))


def text(asked: Asked) -> np.ndarray:
    """log odds that an editor lists the target, or the log of how alike the texts are"""
    if asked.model:
        return asked.model.predict(asked.corpus, asked.sources, asked.items)
    score = text_score(asked.corpus, asked.signals, asked.items).astype(np.float64)
    return np.log(np.maximum(score, LEAST_TEXT))


def target_age(asked: Asked) -> np.ndarray:
    """log of the days since the target was published, less that of the median article"""
    published = asked.published
    # Where all articles are of one age it is 0, whatever slope a speck of variance gets.
    days = np.append(published[asked.items], np.median(published))
    logs = np.nan_to_num(np.log1p(np.maximum(asked.history.day - days, 0)))
    return logs[:-1] - logs[-1]


def newer(asked: Asked) -> np.ndarray:
    """log of the days by which the target is newer than the source, below 0 if it is older"""
    days = asked.published[asked.items] - asked.published[asked.sources]
    return np.nan_to_num(np.sign(days) * np.log1p(np.abs(days)))


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
    picked = find(asked.corpus.picked, asked.sources * asked.corpus.n_articles + asked.items) >= 0
    # A pair nobody has shown is in nobody's list.
    return picked & ((asked.own < 0) | (asked.pair >= 0))


def strength(asked: Asked) -> np.ndarray:
    """log strength of the target: clicks over those of an average one"""
    return asked.target[0]


def target_clicks(asked: Asked) -> np.ndarray:
    """log of clicks on the target, beside any page"""
    return np.log1p(asked.target[1])


def target_expected(asked: Asked) -> np.ndarray:
    """log of the clicks that an average target would have got in the target's places"""
    return np.log1p(asked.target[2])


def chances(asked: Asked) -> np.ndarray:
    """log of the clicks made on slates that the pair stood in"""
    return np.log1p(at(asked.history.clicks.chances, asked.pair))


def clicked(asked: Asked) -> np.ndarray:
    """log of clicks on the pair"""
    return np.log1p(at(asked.history.clicks.clicked, asked.pair))


def lift_3(asked: Asked) -> np.ndarray:
    """log of clicks over those expected of the target, smoothed by 3 choices"""
    return asked.history.clicks.lift(asked.pair, 3.0)


def lift_30(asked: Asked) -> np.ndarray:
    """log of clicks over those expected of the target, smoothed by 30 choices"""
    return asked.history.clicks.lift(asked.pair, 30.0)


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


# A feature is a function of the pairs asked for and one row here; its docstring is its meaning on
# the model card. Each returns one value a pair, ``(n_pairs,)``.
FEATURES: dict[str, Feature] = {
    **columns("signals", SIGNALS),
    "text": text,
    "target_age": target_age,
    "newer": newer,
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
    corpus: Corpus,
    model: HandpickedModel | None,
    history: History,
    sources: np.ndarray,
    items: np.ndarray,
    *,
    unseen: bool = False,
) -> np.ndarray:
    """The features of pairs, ``(n_pairs, len(FEATURES))``, float32; ``sources`` and ``items`` are
    ``(n_pairs,)``, ``sources`` in runs. ``unseen``: as if these pairs had never been shown.
    """
    ends = np.asarray(sources, dtype=np.int64), np.asarray(items, dtype=np.int64)
    asked = Asked(corpus, model, history, *ends, unseen)
    return np.column_stack([feature(asked) for feature in FEATURES.values()]).astype(np.float32)


def _fold(pairs: Pairs, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The fold of each pair, a number below ``N_FOLDS`` that has nothing to do with either end."""
    return mixed(np.asarray(sources, dtype=np.int64) * (len(pairs.heads) - 1) + items) % N_FOLDS


def _group(pairs: Pairs, clicks: ChoiceModel, key: np.ndarray) -> FoldCounts:
    """Sums over the pairs that share a ``key``, fold by fold."""
    fold = _fold(pairs, pairs.source, pairs.item)
    return cross_fitting.count(key, fold, clicks.clicked, clicks.expected)


def _group_key(
    corpus: Corpus, sources: np.ndarray, items: np.ndarray, left: str, right: str
) -> np.ndarray:
    """One number for a pair of groups, ``(n_pairs,)``; "article" is a group of its own."""
    # No category is a category like any other: there is nothing better to assume.
    category = corpus.category.astype(np.int64) + 1
    size = corpus.n_articles + int(category.max(initial=0)) + 1
    from_group = category[sources] if left == "category" else sources.astype(np.int64)
    to_group = category[items] if right == "category" else items.astype(np.int64)
    return from_group * size + to_group
