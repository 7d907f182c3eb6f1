"""Rows of unequal length in flat arrays: finding, expanding, ranking, joining and mixing them.

A ragged table is kept in CSR form: row *i* is ``values[heads[i]:heads[i + 1]]``. Pairs of articles
are kept as sorted keys ``source * n_articles + item``. What every stage does with such arrays
stands here once.
"""

from __future__ import annotations

import numpy as np


def find(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The index of each of ``wanted`` in the sorted ``keys``, ``(n_wanted,)``; -1 if not there.

    >>> find(np.array([3, 5, 8]), np.array([5, 4]))
    array([ 1, -1])
    """
    if len(keys) == 0:
        return np.full(len(wanted), -1)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, -1)


def distinct(keys: np.ndarray) -> np.ndarray:
    """The different ones of ``keys``, ascending, as ``np.unique`` has them; that hashes them first,
    which takes four times as long where most are different.

    >>> distinct(np.array([5, 3, 5]))
    array([3, 5])
    """
    ordered = np.sort(keys)
    return ordered[runs(ordered)[:-1]]


def at(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """``values[places]``, ``(n_places,)``, and 0 where a place is -1.

    >>> at(np.array([0.5, 2.0]), np.array([1, -1]))
    array([2., 0.])
    """
    if len(values) == 0:
        return np.zeros(len(places))
    return np.where(places >= 0, values[places], 0.0)


def expand(starts: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The entries of rows that start at ``starts`` and hold ``sizes`` entries, one row after the
    other, and which of the rows each belongs to; both ``(n_entries,)``, ``sizes.sum()`` of them.

    >>> expand(np.array([7, 0]), np.array([2, 3]))
    (array([7, 8, 0, 1, 2]), array([0, 0, 1, 1, 1]))
    """
    row = np.repeat(np.arange(len(sizes)), sizes)
    before = np.cumsum(sizes) - sizes
    return np.arange(len(row)) + (starts - before)[row], row


def runs(values: np.ndarray) -> np.ndarray:
    """Where runs of equal neighbours begin, and the end, ``(n_runs + 1,)``: run *i* is
    ``heads[i]:heads[i + 1]``.

    >>> runs(np.array([4, 4, 1, 4]))
    array([0, 2, 3, 4])
    """
    differ = np.concatenate([[True], values[1:] != values[:-1], [True]])
    return np.flatnonzero(differ[: len(values) + 1])


def ranks(group: np.ndarray, score: np.ndarray, tie: np.ndarray | None = None) -> np.ndarray:
    """The rank of each entry within its ``group``, ``(n_entries,)``: 1 for the highest ``score``.

    Of equal scores the one with the smaller ``tie`` comes first, and without it, or where ties
    are equal too, the one that stands first.

    >>> ranks(np.array([1, 0, 1, 1]), np.array([0.2, 9.0, 0.7, 0.2]))
    array([2, 1, 1, 3])
    """
    keys = (-score, group) if tie is None else (tie, -score, group)
    order = np.lexsort(keys)
    ordered = group[order]
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.searchsorted(ordered, ordered) + 1
    return rank


def clusters(n: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The smallest number each of ``n`` is linked to by a chain of pairs ``left``, ``right``.

    The pairs are ``(n_pairs,)`` numbers below ``n``; the result is ``(n,)``.

    >>> clusters(4, np.array([0, 3]), np.array([2, 2]))
    array([0, 1, 0, 0], dtype=int32)
    """
    first = np.arange(n, dtype=np.int32)
    while True:
        one, other = first[left], first[right]
        differ = one != other
        if not differ.any():
            return first
        left, right, one, other = left[differ], right[differ], one[differ], other[differ]
        np.minimum.at(first, np.maximum(one, other), np.minimum(one, other))
        while (first[first] != first).any():
            first = first[first]


def mixed(numbers: np.ndarray) -> np.ndarray:
    """Integers as 64-bit hashes, ``(n,)`` int64, so scattered that sums of several hardly ever
    meet: the output function of splitmix64 (Steele, Lea & Flood, OOPSLA 2014).

    Hashes of several numbers come from ``mixed(mixed(first) + second)``. ``kernels`` compiles
    this very function for single numbers.

    >>> mixed(np.array([0, 1]))
    array([-2152535657050944081,  7960286522194355700])
    """
    bits = (np.uint64(numbers) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64(bits ^ (bits >> np.uint64(31)))  # type: ignore[return-value]
