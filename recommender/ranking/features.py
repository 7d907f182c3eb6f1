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
from typing import Annotated

import numpy as np

from recommender.array_fields import LARGE, Keys, Numbers, Sizes, Values, Within
from recommender.clicks import choice_model, cooccurrence
from recommender.clicks.choice_model import ChoiceModel, Exposures, Pairs, exposures_in, rates_of
from recommender.clicks.cooccurrence import CoReading
from recommender.clicks.gamma_poisson import Usual, fitted_weight, posterior_rate
from recommender.ragged import at, distinct, find, mixed
from recommender.ranking import cross_fitting
from recommender.ranking.cross_fitting import N_FOLDS, FoldCounts
from recommender.ranking.handpicked import HandpickedModel, editors_word
from recommender.ranking.handpicked_features import Feature, columns
from recommender.ranking.logit import LinearScore, fit_logit
from recommender.store.counts import Log
from recommender.text.corpus import SIGNALS, Corpus, Links
from recommender.text.tfidf import SAME_SUBJECT

# The score of texts with nothing in common, since nothing has no logarithm. Not tuned.
LEAST_TEXT = 1e-3
# Features of the first level, what is known of a pair without clicks, and where their slopes are
# before there are any: clicks go with the text.
CONTENT = (
    "text",
    "cosine",
    "title_cosine",
    "target_title_in_source",
    "source_title_in_target",
    "subject",
    "latent_cosine",
    "same_kind",
    "same_category",
    "same_folder",
    "shared_tags",
    "fullness",
)
SIGNAL = {name: column for column, name in enumerate(SIGNALS)}
CENTRE = np.array([1.0, *[0.0] * (len(CONTENT) - 1)])
# Slopes are within an eighth of that, or so: all are shares between 0 and 1, or logs. Between 4 and
# 256 the sample site and a tenth of wikispeedia hardly differ; few clicks hardly move firm slopes.
PRECISION = 64.0
# Choices among a page's links that weigh as much as what content expects of each of them, where
# nothing else is learned: what is hardly expected is hardly known. Not tuned.
USUAL_CHOICES = Usual(20.0, 7.4, least=2.0, most=20_000.0)
# Clicks that weigh as much as what editors' lists say of links that nobody chose, and steps in
# which their rate is found. Of 20, 50 and 200 clicks none is better on the sample site.
CHOSEN, N_UNCHOSEN = 50.0, 10
N_PARTS = 9  # odd, so that the median is one of them; not tuned
# Pairs whose features are computed at once; bounds the memory of a build.
BLOCK = 200_000


# Lengths of what is counted of pairs and articles.
OF_PAIRS = Sizes(n_articles="n_articles", n_pairs="n_pairs")


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """The pages' lists as they stood, an editor's or an earlier build's: the listed pairs as sorted
    ``keys`` ``source * n + item``, and by article how many it lists, ``n_links``, and how many list
    it, ``n_listing``, both ``(n_articles,)``.
    """

    keys: Annotated[np.ndarray, Keys("n_listed", pairs_of="n_articles")]
    n_links: Annotated[np.ndarray, Numbers("n_articles")]
    n_listing: Annotated[np.ndarray, Numbers("n_articles")]

    def has(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Whether each source lists the item, ``(n_pairs,)``."""
        return find(self.keys, sources * len(self.n_links) + items) >= 0


@dataclass(frozen=True, slots=True, eq=False)
class GroupRates:
    """How often links of groups are followed over how often the levels above expect it: clicks and
    expected clicks by fold, ``counts``, and the clicks of the ``prior`` that the rate is 1.
    """

    counts: FoldCounts
    prior: Annotated[float, Within(0, LARGE)]

    def log_rate(self, key: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Log rate of the group of each pair, without the pair's fold, ``(n_pairs,)``; 0 for groups
        that were never shown.
        """
        got, due = self.counts.without(key, fold)
        return np.log((got + self.prior) / (due + self.prior))


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What is counted on a part of the log, of pairs, articles and groups of articles; ``day`` is
    the one, counted from 1970-01-01, that follows on it, ``usual_day`` the median of those on which
    articles were published, 0 if none is known.

    ``content``, ``kinds``, ``categories`` and ``clicks`` are levels, each fitted to what those
    before it leave; ``plain`` is counted as if there were no text. ``unchosen`` is the log rate of
    links that no editor chose.
    """

    day: float
    usual_day: float
    pairs: Annotated[Pairs, OF_PAIRS]
    content: Annotated[LinearScore, Sizes(n_names=len(CONTENT))]
    unchosen: float
    kinds: GroupRates
    categories: GroupRates
    clicks: Annotated[ChoiceModel, OF_PAIRS]
    plain: Annotated[ChoiceModel, OF_PAIRS]
    reading: Annotated[CoReading, Sizes(n_articles="n_articles")]
    listing: Annotated[Listing, Sizes(n_articles="n_articles")]
    target: FoldCounts
    over_text: Annotated[np.ndarray, Values("n_pairs")]


def history_of(
    corpus: Corpus,
    log: Log,
    pairs: Pairs,
    of_link: np.ndarray,
    examined: np.ndarray,
    content: np.ndarray,
    *,
    day: float = 0.0,
) -> History:
    """Count a part of the log, whose links are pairs ``of_link`` and are examined with a
    propensity of ``examined``, both ``(n_links,)``, before a ``day``; ``content`` are the features
    ``CONTENT`` of all pairs, ``(n_pairs, len(CONTENT))``.
    """
    n, past = corpus.n_articles, exposures_in(log, pairs, of_link, examined)
    ends = pairs.source, pairs.item.astype(np.int64)
    fold = _fold(pairs, *ends)
    past = past.weighed(content[past.pair] @ CENTRE)
    linear = fit_logit(CONTENT, content[past.pair], past, centre=CENTRE, precision=PRECISION)
    score = linear.predict(content)
    picked = find(corpus.picked, pairs.keys) >= 0
    unchosen = _unchosen(
        past, score[past.pair], picked[past.pair], ends[1][past.pair], editors_word(corpus)
    )
    score = score + np.where(picked, 0.0, unchosen)
    past = past.weighed(score[past.pair])
    over_text = _over_text(past, score[past.pair], len(pairs.item))
    groups = []
    for members in (corpus.kind, corpus.category):
        key = _group_key(members, *ends, _same_subject(content))
        group = _group(past, score[past.pair], key[past.pair], fold[past.pair])
        score = score + group.log_rate(key, np.full(len(key), N_FOLDS))
        groups.append(group)
    of_rows = pairs, corpus.category, fold[past.pair]
    clicks = choice_model.fit(past, score[past.pair], *of_rows)
    nothing = np.zeros(len(past.pair))
    plain = choice_model.fit(past.weighed(nothing), nothing, *of_rows)
    shown, _ = log.shown_and_clicked()
    on_page = distinct(of_link[(of_link >= 0) & (shown > 0)])
    keys = distinct(np.concatenate([pairs.keys[on_page], corpus.picked]))
    n_links, n_listing = (np.bincount(of, minlength=n) for of in np.divmod(keys, n))
    due = clicks.expected / clicks.strength[ends[1]]
    dated = corpus.published[~np.isnan(corpus.published)].astype(np.float64)
    return History(
        day=day,
        usual_day=float(np.median(dated)) if len(dated) else 0.0,
        pairs=pairs,
        content=linear,
        unchosen=unchosen,
        kinds=groups[0],
        categories=groups[1],
        clicks=clicks,
        plain=plain,
        reading=cooccurrence.count(log, pairs, of_link),
        listing=Listing(keys, n_links, n_listing),
        target=cross_fitting.count(ends[1], fold, clicks.clicked, due),
        over_text=over_text,
    )


def content_of(
    corpus: Corpus, model: HandpickedModel | None, sources: np.ndarray, items: np.ndarray
) -> np.ndarray:
    """The features ``CONTENT`` of pairs, ``(n_pairs, len(CONTENT))``, float64."""
    return _content(model, Links(corpus, sources, items))


def counting(history: History, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The score of pairs by counting alone, ``(n_pairs,)``: log strength of the target plus the
    pair's lift, as if there were no text.
    """
    lift = history.plain.lift(history.pairs.find(sources, items))
    return np.log(history.plain.strength[items]) + lift


@dataclass(frozen=True, eq=False)
class Asked:
    """Links whose features are asked for, and what several features read, each worked out once.
    ``unseen``: as if these pairs had never been shown.
    """

    links: Links
    model: HandpickedModel | None
    history: History
    unseen: bool

    @property
    def corpus(self) -> Corpus:
        """The articles."""
        return self.links.corpus

    @property
    def sources(self) -> np.ndarray:
        """``(n_pairs,)``, in runs."""
        return self.links.sources

    @property
    def items(self) -> np.ndarray:
        """``(n_pairs,)``."""
        return self.links.items

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
    def left_out(self) -> np.ndarray:
        """The fold that is left out of what is counted of each pair: its own if ``unseen``."""
        return self.fold if self.unseen else np.full_like(self.fold, N_FOLDS)

    @cached_property
    def target(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The log strength of each pair's target, the clicks on it and those expected by the levels
        above, ``(n_pairs,)`` each; without the pair's fold if ``unseen``.
        """
        clicks = self.history.clicks
        got, due = self.history.target.without(self.items, self.left_out)
        around = clicks.prior / clicks.around[self.items]
        return np.log((got + clicks.prior) / (due + around)), got, due

    @cached_property
    def content(self) -> np.ndarray:
        """``(n_pairs, len(CONTENT))``."""
        return _content(self.model, self.links)

    @cached_property
    def levels(self) -> dict[str, np.ndarray]:
        """What each level adds to the log odds of the pairs, ``(n_pairs,)`` each."""
        history, same = self.history, _same_subject(self.content)

        def rate(group: GroupRates, members: np.ndarray) -> np.ndarray:
            key = _group_key(members, self.sources, self.items, same)
            return group.log_rate(key, self.left_out)

        return {
            "content": history.content.predict(self.content)
            + np.where(self.picked, 0.0, history.unchosen),
            "kinds": rate(history.kinds, self.corpus.kind),
            "categories": rate(history.categories, self.corpus.category),
            "target": self.target[0],
            "pair": history.clicks.lift(self.pair),
        }

    @cached_property
    def picked(self) -> np.ndarray:
        """Whether the target stands in the page's hand-picked list, ``(n_pairs,)``."""
        keys = self.sources * self.corpus.n_articles + self.items
        return find(self.corpus.picked, keys) >= 0

    @cached_property
    def score(self) -> np.ndarray:
        """The sum of the levels, ``(n_pairs,)``."""
        return np.sum(list(self.levels.values()), axis=0)

    @property
    def signals(self) -> np.ndarray:
        """``(n_pairs, len(SIGNALS))``."""
        return self.links.signals

    def published(self, articles: np.ndarray) -> np.ndarray:
        """The days on which articles were published, the usual one if unknown, like ``articles``
        ``(n_pairs,)``.
        """
        day = self.corpus.published[articles].astype(np.float64)
        return np.where(np.isnan(day), self.history.usual_day, day)

    @cached_property
    def listed(self) -> np.ndarray:
        """Whether the source lists the item, which no feature may reveal; ``(n_pairs,)``."""
        return self.history.listing.has(self.sources, self.items)

    @cached_property
    def co_read(self) -> np.ndarray:
        """The number of each pair among the co-read ones, -1 for none; ``(n_pairs,)``."""
        return self.history.reading.find(self.sources, self.items)


def text(asked: Asked) -> np.ndarray:
    """log odds that an editor lists the target, or the log of how alike the texts are"""
    return asked.content[:, 0]


def content(asked: Asked) -> np.ndarray:
    """log odds by texts, titles, categories and tags"""
    return asked.levels["content"]


def kinds(asked: Asked) -> np.ndarray:
    """log click rate of links between titles of these two kinds"""
    return asked.levels["kinds"]


def categories(asked: Asked) -> np.ndarray:
    """log click rate of links between the two categories"""
    return asked.levels["categories"]


def score(asked: Asked) -> np.ndarray:
    """log odds by all levels: content, kinds, categories, the target's and the pair's clicks"""
    return asked.score


def target_age(asked: Asked) -> np.ndarray:
    """log of the days since the target was published, less that of the median article"""
    # Where all articles are of one age it is 0, whatever slope a speck of variance gets.
    days = np.append(asked.published(asked.items), asked.history.usual_day)
    logs = np.log1p(np.maximum(asked.history.day - days, 0))
    return logs[:-1] - logs[-1]


def newer(asked: Asked) -> np.ndarray:
    """log of the days by which the target is newer than the source, below 0 if it is older"""
    days = asked.published(asked.items) - asked.published(asked.sources)
    return np.sign(days) * np.log1p(np.abs(days))


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
    # A pair nobody has shown is in nobody's list.
    return asked.picked & ((asked.own < 0) | (asked.pair >= 0))


def strength(asked: Asked) -> np.ndarray:
    """log strength of the target: clicks over those the levels above expect"""
    return asked.target[0]


def target_clicks(asked: Asked) -> np.ndarray:
    """log of clicks on the target, beside any page"""
    return np.log1p(asked.target[1])


def target_expected(asked: Asked) -> np.ndarray:
    """log of the clicks that the levels above expect on the target, beside any page"""
    return np.log1p(asked.target[2])


def chances(asked: Asked) -> np.ndarray:
    """log of the clicks made on the page, if the pair was shown"""
    return np.log1p(at(asked.history.clicks.chances, asked.pair))


def clicked(asked: Asked) -> np.ndarray:
    """log of clicks on the pair"""
    return np.log1p(at(asked.history.clicks.clicked, asked.pair))


def over_text(asked: Asked) -> np.ndarray:
    """log of clicks over those the first level alone expects, as far as there are enough"""
    return at(asked.history.over_text, asked.pair)


def lift(asked: Asked) -> np.ndarray:
    """log of clicks over those the levels above expect, as far as there are enough"""
    return asked.levels["pair"]


def co_read(asked: Asked) -> np.ndarray:
    """log of the visits that read both without a step from one to the other"""
    return np.log1p(at(asked.history.reading.together, asked.co_read))


def co_read_cosine(asked: Asked) -> np.ndarray:
    """visits that read both over those that read either, smoothed"""
    return at(asked.history.reading.cosine, asked.co_read)


def readers_alike(asked: Asked) -> np.ndarray:
    """how alike what else is read with each of them is: cosine"""
    return asked.history.reading.alike(asked.sources, asked.items)


# A feature is a function of the pairs asked for and one row here; its docstring is its meaning on
# the model card. Each returns one value a pair, ``(n_pairs,)``.
FEATURES: dict[str, Feature] = {
    **columns("signals", SIGNALS),
    "text": text,
    "score": score,
    "content": content,
    "kinds": kinds,
    "categories": categories,
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
    "over_text": over_text,
    "lift": lift,
    "co_read": co_read,
    "co_read_cosine": co_read_cosine,
    "readers_alike": readers_alike,
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
    return features_of(Links(corpus, *ends), model, history, unseen=unseen)


def features_of(
    links: Links, model: HandpickedModel | None, history: History, *, unseen: bool = False
) -> np.ndarray:
    """The same of ``links``."""
    asked = Asked(links, model, history, unseen)
    seen = np.empty((len(links.items), len(FEATURES)), dtype=np.float32)
    for column, feature in enumerate(FEATURES.values()):
        seen[:, column] = feature(asked)
    return seen


def _fold(pairs: Pairs, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The fold of each pair, a number below ``N_FOLDS`` that has nothing to do with either end."""
    return mixed(np.asarray(sources, dtype=np.int64) * (len(pairs.heads) - 1) + items) % N_FOLDS


def _unchosen(
    past: Exposures, score: np.ndarray, picked: np.ndarray, item: np.ndarray, word: float
) -> float:
    """The log rate of links to an ``item`` that no editor ``picked``, both ``(n_rows,)``, beside
    those that one did.

    What was learned of lists is of links that somebody chose to show. How far that goes beyond what
    texts say is known of editors' lists alone; so before others were shown, they are taken to be
    followed less by the factor ``word``, and ``CHOSEN`` clicks weigh as much as that. One number
    decides for most candidates, so it is the median over parts of the targets: no target makes it
    (median of means, Nemirovsky & Yudin 1983).
    """
    rate = 1 / word
    if word <= 1 or picked.all():
        return float(np.log(rate))
    part = mixed(item) % N_PARTS
    got = np.bincount(part[~picked], weights=past.clicks[~picked], minlength=N_PARTS)
    prior = CHOSEN / N_PARTS
    for _ in range(N_UNCHOSEN):
        expected = past.expected(score + np.where(picked, 0.0, np.log(rate)))[~picked] / rate
        due = np.bincount(part[~picked], weights=expected, minlength=N_PARTS)
        rate = float(np.median((got + prior) / (due + prior * word)))
    return float(np.log(rate))


def _over_text(past: Exposures, score: np.ndarray, n_pairs: int) -> np.ndarray:
    """Log of clicks over those expected by a ``score`` of the rows alone, pulled towards 0,
    ``(n_pairs,)``.
    """
    expected, share = past.expected(score), past.share(score)
    found = np.zeros(n_pairs)
    if len(expected):
        weight = fitted_weight(past.clicks, expected, USUAL_CHOICES, share=share)
        found[past.pair] = np.log(posterior_rate(past.clicks, expected, weight * share))
    return found


def _group(past: Exposures, score: np.ndarray, key: np.ndarray, fold: np.ndarray) -> GroupRates:
    """The rates of groups of rows that share a ``key``, beyond their ``score``."""
    names, number = np.unique(key, return_inverse=True)
    found = rates_of(past, score, number, len(names))
    rate = found.rate[number]
    due = past.expected(score + np.log(rate)) / rate
    return GroupRates(cross_fitting.count(key, fold, past.clicks, due), found.prior)


def _group_key(
    members: np.ndarray, sources: np.ndarray, items: np.ndarray, same: np.ndarray
) -> np.ndarray:
    """One number for the groups of both ends, and whether they have the ``same`` subject,
    ``(n_pairs,)``.
    """
    # No group is a group like any other: there is nothing better to assume.
    size = int(members.max(initial=-1)) + 2
    source, item = (members[ends].astype(np.int64) + 1 for ends in (sources, items))
    return (source * size + item) * 2 + same


def _same_subject(content: np.ndarray) -> np.ndarray:
    return content[:, CONTENT.index("subject")] >= SAME_SUBJECT


def _content(model: HandpickedModel | None, links: Links) -> np.ndarray:
    if model:
        text = model.predict(links)
    else:
        text = np.log(np.maximum(links.text_score.astype(np.float64), LEAST_TEXT))
    found, seen = np.empty((len(text), len(CONTENT))), links.signals
    found[:, 0] = text
    for column, name in enumerate(CONTENT[1:], start=1):
        found[:, column] = seen[:, SIGNAL[name]]
    return found
