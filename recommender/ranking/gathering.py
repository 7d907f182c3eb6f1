"""The loops that gather what editors' lists say of a page, from every list but its own.

What a list says travels along the text neighbours, so that a page without a list of its own is
served by those of pages like it. As ``kernels``: compiled, on every core, the same bytes on one.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

# What is gathered of each article, seen from one source.
GATHERED = (
    "listed_by_near",  # weight of the source's neighbours whose lists have it
    "listed_by_nearest",  # the largest of these weights
    "like_listed_by_near",  # weight of ways from neighbours' lists on to texts like those in them
    "lists_source",  # 1 if the source stands in its list
)
LIKE = 10  # neighbours of an article that count as like it
# What makes an article a candidate, in the order above (95 % of msdocs' links are candidates
# beside 60 neighbours; 94 % if only the first counted).
PROPOSING = np.array([1.0, 0.0, 0.1, 2.0], dtype=np.float32)


@njit(cache=True, parallel=True, nogil=True)
def gather(near, weight, heads, items, back_heads, back, groups, source_of, item_of, n_chunks):  # type: ignore[no-untyped-def]  # pragma: no cover
    """What lists say of wanted pairs, ``(n_pairs, len(GATHERED))``.

    ``groups`` bounds runs of pairs with one source. List ``s`` is ``items[heads[s]:heads[s + 1]]``,
    and ``back`` holds for each article the pages that list it, in the same way.
    """
    n, n_groups = len(heads) - 1, len(groups) - 1
    found = np.zeros((len(item_of), 4), dtype=np.float32)
    for chunk in prange(n_chunks):
        sums = np.zeros((n, 4), dtype=np.float32)
        touched = np.empty(n, dtype=np.int32)
        known = np.zeros(n, dtype=np.bool_)
        for group in range(chunk * n_groups // n_chunks, (chunk + 1) * n_groups // n_chunks):
            first, last = groups[group], groups[group + 1]
            source = source_of[first]
            n_touched = _walk(
                source, near, weight, heads, items, back_heads, back, sums, touched, known
            )
            for pair in range(first, last):
                found[pair] = sums[item_of[pair]]
            for at in range(n_touched):
                sums[touched[at]] = 0.0
                known[touched[at]] = False
    return found


@njit(cache=True, parallel=True, nogil=True)
def propose(near, weight, heads, items, back_heads, back, sources, proposing, size, n_chunks):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The ``size`` articles of which lists say most, for each source, ``(n_sources, size)``."""
    n = len(heads) - 1
    found = np.full((len(sources), size), -1, dtype=np.int32)
    for chunk in prange(n_chunks):
        sums = np.zeros((n, 4), dtype=np.float32)
        touched = np.empty(n, dtype=np.int32)
        known = np.zeros(n, dtype=np.bool_)
        worth = np.empty(n, dtype=np.float32)
        first, last = chunk * len(sources) // n_chunks, (chunk + 1) * len(sources) // n_chunks
        for row in range(first, last):
            source = sources[row]
            n_touched = _walk(
                source, near, weight, heads, items, back_heads, back, sums, touched, known
            )
            # In the order of their numbers, so that of equals the smaller comes first.
            those = np.sort(touched[:n_touched])
            for at in range(n_touched):
                worth[at] = 0.0
                if those[at] != source:
                    for column in range(4):
                        worth[at] -= proposing[column] * sums[those[at], column]
                sums[those[at]] = 0.0
                known[those[at]] = False
            order = np.argsort(worth[:n_touched], kind="mergesort")
            for place in range(min(size, n_touched)):
                if worth[order[place]] < 0.0:
                    found[row, place] = those[order[place]]
    return found


@njit(cache=True, nogil=True)
def _walk(source, near, weight, heads, items, back_heads, back, sums, touched, known):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add to ``sums`` what lists say beside ``source``; returns how many articles that touched.

    Its own list is what is to be foretold. No way leads there: nothing is its own neighbour.
    """
    n_touched = 0
    for slot in range(near.shape[1]):
        other, like = near[source, slot], weight[source, slot]
        if other < 0:
            break
        for at in range(heads[other], heads[other + 1]):
            item = items[at]
            n_touched = _touch(item, touched, known, n_touched)
            sums[item, 0] += like
            sums[item, 1] = max(sums[item, 1], like)
            for place in range(min(LIKE, near.shape[1])):
                further = near[item, place]
                if further < 0:
                    break
                n_touched = _touch(further, touched, known, n_touched)
                sums[further, 2] += like * weight[item, place]
    for at in range(back_heads[source], back_heads[source + 1]):
        n_touched = _touch(back[at], touched, known, n_touched)
        sums[back[at], 3] = 1.0
    return n_touched


@njit(cache=True, nogil=True)
def _touch(item, touched, known, n_touched):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Remember that something is known of ``item``."""
    if not known[item]:
        known[item] = True
        touched[n_touched] = item
        n_touched += 1
    return n_touched
