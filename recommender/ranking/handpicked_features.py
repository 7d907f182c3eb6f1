"""What editors' lists say of a pair of articles, the source's own list left out of it.

Two kinds of evidence. ``gathered`` follows the lists of pages like the source. ``Rates`` say how
often articles of one kind are listed beside pages of another: the members of a class beside the
class, an overview beside everything in its folder. One row a pair, one column a feature.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recommender.candidates import Candidates
from recommender.ragged import at, find, mixed, runs
from recommender.ranking.gathering import GATHERED, PROPOSING, gather, propose
from recommender.text.corpus import Site
from recommender.text.kernels import differences
from recommender.text.signals import SIGNALS, signals

N_PROPOSED = 60
N_FOLDS = 5
CHUNKS = 8
# Pairs' worth of belief that a group is like all others.
PRIOR = 5.0

# Groups of pairs whose rates are counted: what a source and an item have to share with others.
GROUPS = (
    "target",
    "folder_to_target",
    "category_pair",
    "folder_pair",
    "title_ends_in_category",
    "title_beginnings_in_category",
    "added",
    "added_in_category",
    "change",
    "dropped_in_category",
)
FEATURES = (*SIGNALS, "near_place", "near_place_back", *GATHERED, "near_listing", *GROUPS)
# What is known of a pair from lists near it, and from lists of pages of one kind.
NEAR = np.array([FEATURES.index(name) for name in (*GATHERED, "near_listing")])
KIND = np.array([FEATURES.index(name) for name in GROUPS if name not in ("added", "change")])
NEAR_PLACE = FEATURES.index("near_place")


@dataclass(frozen=True, slots=True, eq=False)
class Picks:
    """Editors' lists as a matrix, both ways: page ``s`` lists ``items[heads[s]:heads[s + 1]]``,
    and article ``t`` is listed by ``back[back_heads[t]:back_heads[t + 1]]``.
    """

    heads: np.ndarray
    items: np.ndarray
    back_heads: np.ndarray
    back: np.ndarray

    @property
    def pages(self) -> np.ndarray:
        """The pages that have a list."""
        return np.flatnonzero(np.diff(self.heads))

    def lists(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """True where the source's list has the item."""
        n = len(self.heads) - 1
        keys = np.repeat(np.arange(n), np.diff(self.heads)) * n + self.items
        listed: np.ndarray = find(keys, sources * n + items) >= 0
        return listed

    def without(self, pages: np.ndarray) -> Picks:
        """The lists of all other pages."""
        kept = np.ones(len(self.heads) - 1, dtype=bool)
        kept[pages] = False
        return _picks(np.repeat(np.arange(len(kept)), np.diff(self.heads)), self.items, kept)


def picks_of(picked: Candidates, stub: np.ndarray) -> Picks:
    """The lists of pages; what is known by title only neither teaches nor is learned."""
    sources, slots = np.nonzero(picked.used)
    items = picked.items[sources, slots]
    order = np.lexsort((items, sources))
    sources, items = sources[order], items[order]
    real = ~stub[items]
    return _picks(sources[real], items[real], ~stub)


def _picks(sources: np.ndarray, items: np.ndarray, kept: np.ndarray) -> Picks:
    n = len(kept)
    sources, items = sources[kept[sources]], items[kept[sources]].astype(np.int32)
    order = np.argsort(items, kind="stable")
    return Picks(
        heads=np.searchsorted(sources, np.arange(n + 1)).astype(np.int64),
        items=items,
        back_heads=np.searchsorted(items[order], np.arange(n + 1)).astype(np.int64),
        back=sources[order].astype(np.int32),
    )


def proposed(site: Site, picks: Picks, sources: np.ndarray) -> np.ndarray:
    """What lists make candidates beside each source, ``(n_sources, N_PROPOSED)``."""
    found: np.ndarray = propose(*_ways(site, picks), sources, PROPOSING, N_PROPOSED, CHUNKS)
    return found


def _ways(site: Site, picks: Picks) -> tuple[np.ndarray, ...]:
    # Likeness counts squared, so that a close neighbour outweighs many faint ones.
    return (
        site.near, site.near_cosine**2,
        picks.heads, picks.items, picks.back_heads, picks.back,
    )  # fmt: skip


def features(
    site: Site, picks: Picks, log_rates: np.ndarray, sources: np.ndarray, items: np.ndarray
) -> np.ndarray:
    """The features of pairs, ``(n_pairs, len(FEATURES))``; ``sources`` must come in runs."""
    listing = np.append(np.diff(picks.heads) > 0, False)
    alike = (site.near_cosine**2 * listing[site.near]).sum(axis=1)
    columns = (
        signals(site, sources, items),
        _place(site.near, sources, items),
        _place(site.near, items, sources),
        gather(*_ways(site, picks), runs(sources), sources, items, CHUNKS),
        alike[sources],
        log_rates,
    )
    return np.column_stack(columns).astype(np.float32)


def as_if_unknown(
    seen: np.ndarray, rates: Rates, *, near: np.ndarray, kind: np.ndarray
) -> np.ndarray:
    """Features as they would be if no page ``near`` had a list, and none of the ``kind``.

    ``near`` and ``kind`` are ``(n_pairs,)``. Lists may stand in one part of a site alone; what
    has been learned there must know what to do in the others.
    """
    unknown = seen.copy()
    unknown[np.ix_(near, NEAR)] = 0.0
    unknown[np.ix_(kind, KIND)] = np.log(rates.base)
    return unknown


def _place(near: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Where ``right`` stands among the neighbours of ``left``, and ``k`` where it does not."""
    same = near[left] == right[:, None]
    place: np.ndarray = np.where(same.any(axis=1), same.argmax(axis=1), near.shape[1])
    return place


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """How often the pairs of groups were listed: by sorted ``keys``, the ``listed`` among the
    ``chances``, and ``base``, the share of all pairs that was listed.
    """

    keys: np.ndarray
    listed: np.ndarray
    chances: np.ndarray
    base: np.ndarray

    def of(self, site: Site, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The log rates of pairs, ``(n_pairs, len(GROUPS))``."""
        columns = []
        for keys in group_keys(site, sources, items):
            place = find(self.keys, keys)
            columns.append(_log_rate(at(self.listed, place), at(self.chances, place), self.base))
        return np.column_stack(columns)


def count_rates(
    site: Site, sources: np.ndarray, items: np.ndarray, listed: np.ndarray, fold: np.ndarray
) -> tuple[Rates, np.ndarray]:
    """Count the groups of candidate pairs; the log rates of these very pairs come along, each
    without the pairs of its source's whole ``fold``, lest a list foretell itself.
    """
    base = listed.mean(keepdims=True)
    tables, columns = [], []
    for all_keys in group_keys(site, sources, items):
        keys, number = np.unique(all_keys, return_inverse=True)
        cell = number * N_FOLDS + fold
        shape = len(keys), N_FOLDS
        size = len(keys) * N_FOLDS
        found = np.bincount(cell, weights=listed, minlength=size).reshape(shape)
        chances = np.bincount(cell, minlength=size).reshape(shape)
        all_found, all_chances = found.sum(axis=1), chances.sum(axis=1)
        other_found = all_found[number] - found[number, fold]
        columns.append(_log_rate(other_found, all_chances[number] - chances[number, fold], base))
        # A group within one fold was never seen to say anything of another.
        kept = (chances > 0).sum(axis=1) > 1
        tables.append((keys[kept], all_found[kept], all_chances[kept]))
    keys, found, chances = (np.concatenate(parts) for parts in zip(*tables, strict=True))
    order = np.argsort(keys)
    rates = Rates(
        keys[order], found[order].astype(np.float32), chances[order].astype(np.float32), base
    )
    return rates, np.column_stack(columns)


def _log_rate(listed: np.ndarray, chances: np.ndarray, base: np.ndarray) -> np.ndarray:
    rate: np.ndarray = np.log((listed + PRIOR * base) / (chances + PRIOR))
    return rate


def group_keys(site: Site, sources: np.ndarray, items: np.ndarray) -> Iterator[np.ndarray]:
    """For each of ``GROUPS`` the numbers of the groups that pairs fall into."""
    category, folder = site.category, site.folder
    begin, end = site.first_term, site.last_term
    changed = differences(site.term_heads, site.term, sources, items)
    n_added, added, dropped = changed[:, 0], changed[:, 2], changed[:, 3]
    parts: tuple[tuple[np.ndarray, ...], ...] = (
        (items,),
        (folder[sources], items),
        (category[sources], category[items]),
        (folder[sources], folder[items]),
        (category[sources], end[sources], end[items]),
        (category[sources], begin[sources], begin[items]),
        (added,),
        (category[sources], added),
        (added, dropped),
        (category[sources], dropped, n_added),
    )
    for number, part in enumerate(parts):
        keys = mixed(np.full(len(items), number))
        for values in part:
            keys = mixed(keys + values)
        yield keys
