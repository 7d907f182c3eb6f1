"""What hand-picked lists show of a pair of articles, the source's own list left out of it.

Evidence of two sorts. ``walk`` follows the lists of pages like the source: a page without a list of
its own is served by those of its neighbours. ``Rates`` are how often articles of one group are
listed beside pages of another: the members of a class beside the class, an overview beside
everything in its folder. One row a pair, one column a feature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np

from recommender.array_fields import Heads, Numbers, Values
from recommender.candidates import Candidates
from recommender.ragged import find, mixed, runs
from recommender.ranking.cross_fitting import N_FOLDS, FoldCounts, count
from recommender.text.corpus import SIGNALS, Corpus, Links
from recommender.text.loops import differences, gather, places, propose

# Articles that lists propose beside each page, as many as there are neighbours by text: some 94 %
# of msdocs' links are then candidates, 66 % by text alone (benchmarks/README.md, "Editors' lists").
N_PROPOSED = 60
# Blocks of sources that are worked on apart; not tuned: more than there are cores, for balance.
CHUNKS, MIN_CHUNK = 8, 500
# Pairs that weigh as much as the rate of all pairs in a group's rate. Not tuned.
PRIOR = 5.0
# Bits of a number of a group, left for a fold and an outcome: 60 others still hardly ever meet.
FREE_BITS = np.int64(15)
# How alike the texts are, the columns of ``Corpus.overlaps``. Beside the evidence of lists, other
# signals add nothing (-.0010 ± .0025 on 2,000 lists; benchmarks/README.md, "Editors' lists").
TEXTS = {
    name: SIGNALS[name]
    for name in ("cosine", "title_cosine", "target_title_in_source", "source_title_in_target")
}
# What is added up along the lists of each source's neighbours, by name.
WALKED = {
    "listed_by_near": "how like the source the pages are that list the target, added up",
    "listed_by_nearest": "how like the source the likest page is that lists the target",
    "lists_source": "whether the target's list has the source",
}
# What of these makes an article a candidate (94 % of msdocs' links are candidates beside 60
# neighbours if only the first counts).
PROPOSING = np.array([1.0, 0.0, 2.0], dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class HandpickedLists:
    """Hand-picked lists as a matrix, both ways: page ``s`` lists ``items[heads[s]:heads[s + 1]]``,
    and article ``t`` is listed by ``back[back_heads[t]:back_heads[t + 1]]``.
    """

    heads: Annotated[np.ndarray, Heads("n_articles+1", of="n_links")]
    items: Annotated[np.ndarray, Numbers("n_links", below="n_articles")]
    back_heads: Annotated[np.ndarray, Heads("n_articles+1", of="n_links")]
    back: Annotated[np.ndarray, Numbers("n_links", below="n_articles")]

    @property
    def pages(self) -> np.ndarray:
        """The pages that have a list, ``(n_pages,)``."""
        return np.flatnonzero(np.diff(self.heads))

    def has(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """True where the source's list has the item, ``(n_pairs,)``."""
        n = len(self.heads) - 1
        keys = np.repeat(np.arange(n), np.diff(self.heads)) * n + self.items
        return find(keys, sources * n + items) >= 0

    def without(self, pages: np.ndarray) -> HandpickedLists:
        """The lists of all other pages."""
        kept = np.ones(len(self.heads) - 1, dtype=bool)
        kept[pages] = False
        return _lists(np.repeat(np.arange(len(kept)), np.diff(self.heads)), self.items, kept)


def lists_of(picked: Candidates, stub: np.ndarray) -> HandpickedLists:
    """The lists of pages; what is known by title only neither teaches nor is learned."""
    sources, slots = np.nonzero(picked.used)
    items = picked.items[sources, slots]
    order = np.lexsort((items, sources))
    sources, items = sources[order], items[order]
    real = ~stub[items]
    return _lists(sources[real], items[real], ~stub)


def _lists(sources: np.ndarray, items: np.ndarray, kept: np.ndarray) -> HandpickedLists:
    n = len(kept)
    sources, items = sources[kept[sources]], items[kept[sources]].astype(np.int32)
    order = np.argsort(items, kind="stable")
    return HandpickedLists(
        heads=np.searchsorted(sources, np.arange(n + 1)).astype(np.int64),
        items=items,
        back_heads=np.searchsorted(items[order], np.arange(n + 1)).astype(np.int64),
        back=sources[order].astype(np.int32),
    )


def proposed(corpus: Corpus, lists: HandpickedLists, sources: np.ndarray) -> np.ndarray:
    """What lists make candidates beside each source, ``(n_sources, N_PROPOSED)``, -1 for none."""
    ways = _ways(corpus, lists)
    return propose(*ways, sources, PROPOSING, N_PROPOSED, chunks_of(len(sources)))


def chunks_of(n_sources: int) -> int:
    """Blocks that sources are worked on in: each clears as much as there are articles."""
    return min(CHUNKS, max(1, n_sources // MIN_CHUNK))


def _ways(corpus: Corpus, lists: HandpickedLists) -> tuple[np.ndarray, ...]:
    return (
        corpus.near, corpus.near_cosine,
        lists.heads, lists.items, lists.back_heads, lists.back,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Asked:
    """Links whose features are asked for, and the tables that features are columns of, each worked
    out once.
    """

    links: Links
    lists: HandpickedLists
    rates: Rates

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

    @property
    def texts(self) -> np.ndarray:
        """``(n_pairs, 5)``, of which ``TEXTS`` are the first."""
        return self.links.overlaps

    @cached_property
    def walked(self) -> np.ndarray:
        """``(n_pairs, len(WALKED))``."""
        ways = _ways(self.corpus, self.lists)
        groups = runs(self.sources)
        n_chunks = chunks_of(len(groups) - 1)
        return gather(*ways, n_chunks, groups, self.sources, self.items)

    @cached_property
    def log_rates(self) -> np.ndarray:
        """``(n_pairs, len(GROUPS))``."""
        return self.rates.log_rates(self.corpus, self.sources, self.items)


Feature = Callable[[Any], np.ndarray]


def columns(table: str, meanings: Mapping[str, str]) -> dict[str, Feature]:
    """Features, by name, that are the columns of an asked-for ``table``, in their order."""

    def column(number: int, meaning: str) -> Feature:
        def feature(asked: Any) -> np.ndarray:
            return getattr(asked, table)[:, number]

        feature.__doc__ = meaning
        return feature

    return {name: column(at, meaning) for at, (name, meaning) in enumerate(meanings.items())}


def near_place(asked: Asked) -> np.ndarray:
    """place of the target among the source's neighbours by text"""
    return places(asked.corpus.near, asked.sources, asked.items)


def near_place_back(asked: Asked) -> np.ndarray:
    """place of the source among the target's neighbours by text"""
    return places(asked.corpus.near, asked.items, asked.sources)


def near_listing(asked: Asked) -> np.ndarray:
    """how like the source the pages are that have a list, added up"""
    has_list = np.append(np.diff(asked.lists.heads) > 0, False)
    heads = runs(asked.sources)
    sources, near = asked.sources[heads[:-1]], asked.corpus.near
    alike = (asked.corpus.near_cosine[sources] ** 2 * has_list[near[sources]]).sum(axis=1)
    return np.repeat(alike, np.diff(heads))


def as_if_unknown(
    seen: np.ndarray, log_base: np.ndarray, *, near: np.ndarray, group: np.ndarray
) -> np.ndarray:
    """Features as they would be if no page ``near`` had a list, and none of its ``group``
    had, where these are true.

    ``seen`` is ``(n_pairs, len(FEATURES))``; ``log_base``, what rates are where nothing is known,
    ``near`` and ``group`` are ``(n_pairs,)``. Lists may stand in one part of a site alone; what has
    been learned there must know what to do in the others.
    """
    unknown = seen.copy()
    unknown[np.ix_(near, NEAR)] = 0.0
    unknown[np.ix_(group, OF_GROUPS)] = log_base[group, None]
    return unknown


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """How often pairs of groups were listed: ``counts`` of the listed among the candidates, and
    ``base``, the share of all of them that was listed, ``(N_FOLDS + 1,)``, each without one fold,
    the last of all. ``fold`` is that of each article's list, ``N_FOLDS`` where it has none,
    ``(n_articles,)``.
    """

    counts: FoldCounts
    base: Annotated[np.ndarray, Values(f"{N_FOLDS + 1}", least=0, most=1)]
    fold: Annotated[np.ndarray, Numbers("n_articles", below=N_FOLDS + 1)]

    def log_base(self, sources: np.ndarray) -> np.ndarray:
        """The log rate where nothing is known of a group, ``(n_pairs,)``."""
        return np.log(self.base[self.fold[sources]])

    def log_rates(self, corpus: Corpus, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The log rates of pairs, ``(n_pairs, len(GROUPS))``. Those of a page with a list leave
        its whole fold out, when it is learned from and when it is scored, lest its own list come
        back as evidence for itself.
        """
        fold = self.fold[sources]
        base = self.base[fold]
        found = []
        for keys in _group_keys(corpus, sources, items):
            listed, chances = self.counts.without(keys, fold)
            found.append(np.log((listed + PRIOR * base) / (chances + PRIOR)))
        return np.column_stack(found)


def count_rates(
    corpus: Corpus, sources: np.ndarray, items: np.ndarray, listed: np.ndarray, fold: np.ndarray
) -> Rates:
    """Count the groups of candidate pairs ``(n_pairs,)``; ``fold`` as in ``Rates``.

    What a page lists becomes a candidate beside its neighbours too, and counts as a chance there:
    that alone of a list reaches beyond its fold.
    """
    of_pair = fold[sources]
    tables = [_counted(keys, of_pair, listed) for keys in _group_keys(corpus, sources, items)]
    keys = np.concatenate([table[0] for table in tables])
    place = np.empty(len(keys), dtype=np.int64)
    place[np.argsort(keys)] = np.arange(len(keys))
    keys.sort()
    # Table by table, since all together are the largest thing that is learned from lists.
    hits, chances = np.empty((2, len(keys), N_FOLDS), dtype=np.float32)
    stop = len(keys)
    while tables:
        groups, *counted = tables.pop()
        to = place[stop - len(groups) : stop]
        hits[to], chances[to] = counted
        stop -= len(groups)
    everywhere = np.zeros(len(sources), dtype=np.int64)
    whole = count(everywhere, of_pair, listed, np.ones(len(sources)))
    found, pairs = whole.without(np.zeros(N_FOLDS + 1), np.arange(N_FOLDS + 1))
    # With a single fold nothing is left beside it.
    base = np.where((found > 0) & (pairs > 0), found / np.maximum(pairs, 1), listed.mean())
    return Rates(FoldCounts(keys, hits, chances), base, fold)


def _counted(
    keys: np.ndarray, fold: np.ndarray, listed: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The different ``keys`` with pairs in several folds, ascending, since a group within one fold
    shows nothing of another; and by fold how many of their pairs are ``listed``, and how many there
    are, ``(n_groups, N_FOLDS)``, float32. Fold and outcome are sorted along in the bits that keys
    leave free, which is several times as fast as sorting numbers of pairs.
    """
    packed = np.sort(keys | fold.astype(np.int64) << 1 | listed)
    heads = runs(packed & ~FREE_BITS)
    if len(packed):
        several = packed[heads[:-1]] >> 1 != packed[heads[1:] - 1] >> 1
        packed = packed[np.repeat(several, np.diff(heads))]
    heads = runs(packed & ~FREE_BITS)
    cell = np.repeat(np.arange(len(heads) - 1) * N_FOLDS, np.diff(heads))
    cell += (packed & FREE_BITS) >> 1
    hits, chances = (
        np.bincount(cell, weights=weights, minlength=(len(heads) - 1) * N_FOLDS)
        .reshape(-1, N_FOLDS)
        .astype(np.float32)
        for weights in (packed & 1, None)
    )
    return packed[heads[:-1]] & ~FREE_BITS, hits, chances


def _group_keys(corpus: Corpus, sources: np.ndarray, items: np.ndarray) -> Iterator[np.ndarray]:
    """For each of ``GROUPS`` the numbers of the groups that pairs fall into, ``(n_pairs,)``; their
    ``FREE_BITS`` are 0.
    """
    changed = differences(corpus.term_heads, corpus.term, sources, items)
    ends = {"n_added": changed[:, 0], "added": changed[:, 2], "dropped": changed[:, 3]}
    for name in ("category", "folder", "first_term", "last_term"):
        values = getattr(corpus, name)
        ends[name], ends[f"target_{name}"] = values[sources], values[items]
    for number, (_, parts) in enumerate(GROUPS.values()):
        keys = mixed(np.full(len(items), number))
        for part in parts:
            keys = mixed(keys + ends[part])
        yield keys & ~FREE_BITS


# Groups of pairs whose rates are counted: what a rate is of, and what pairs of one group share, of
# the source, of the target and of how their titles differ (sets of added and dropped terms).
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "category_pair": ("of links between the two categories", ("category", "target_category")),
    "folder_pair": ("of links between the two folders", ("folder", "target_folder")),
    "title_ends_in_category": (
        "of links in the source's category between titles that end like these",
        ("category", "last_term", "target_last_term"),
    ),
    "title_beginnings_in_category": (
        "of links in the source's category between titles that begin like these",
        ("category", "first_term", "target_first_term"),
    ),
    "added": ("of links whose title adds these terms", ("added",)),
    "added_in_category": (
        "of links in the source's category whose title adds these terms",
        ("category", "added"),
    ),
    "change": ("of links whose title adds and drops these terms", ("added", "dropped")),
    "dropped_in_category": (
        "of links in the source's category whose title drops these terms and adds as many",
        ("category", "dropped", "n_added"),
    ),
}
# A feature is a function of the pairs asked for and one row here; its docstring is its meaning on
# the model card. Each returns one value a pair, ``(n_pairs,)``.
FEATURES: dict[str, Feature] = {
    **columns("texts", TEXTS),
    "near_place": near_place,
    "near_place_back": near_place_back,
    **columns("walked", WALKED),
    "near_listing": near_listing,
    **columns("log_rates", {name: f"log rate {of}" for name, (of, _) in GROUPS.items()}),
}
NAMES = tuple(FEATURES)
# What is known of a pair from lists near it, and from lists of pages of its groups.
NEAR = np.array([NAMES.index(name) for name in (*WALKED, "near_listing")])
OF_GROUPS = np.array([NAMES.index(name) for name in GROUPS if name not in ("added", "change")])


def features(
    corpus: Corpus, lists: HandpickedLists, rates: Rates, sources: np.ndarray, items: np.ndarray
) -> np.ndarray:
    """The features of pairs, ``(n_pairs, len(FEATURES))``, float32; ``sources`` and ``items`` are
    ``(n_pairs,)``, ``sources`` in runs.
    """
    return features_of(Links(corpus, sources, items), lists, rates)


def features_of(links: Links, lists: HandpickedLists, rates: Rates) -> np.ndarray:
    """The same of ``links``."""
    asked = Asked(links, lists, rates)
    seen = np.empty((len(links.items), len(FEATURES)), dtype=np.float32)
    for column, feature in enumerate(FEATURES.values()):
        seen[:, column] = feature(asked)
    return seen
