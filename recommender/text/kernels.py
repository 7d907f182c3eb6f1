"""The loops over every pair of articles or of links, compiled. Others take them from ``loops``.

All go through numba, run on every core unless there is little to do, and give the same bytes on
one core as on many, because each row is the work of one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any, cast

import numpy as np
from numba import njit, prange

from recommender import ragged

# Rows from which on threads are woken. Fewer take one thread a second at most, of 1 to 20
# microseconds a row; compiling a loop for all threads takes a second or two, which
# small sites save.
MANY_ROWS = 50_000
# Rows that go through one tree after the other together. A tree then stays in the nearest cache: 65
# rows take .7 of the time that they take one by one.
BLOCK = 64
_mixed = njit(cache=True, nogil=True)(ragged.mixed)


def over_rows(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop twice, its ``prange`` on one thread and on all of them. By the length of the
    last argument, which must have one entry a row, it is chosen which of the two runs.

    Threads that are woken for a few rows cost more than the rows do, the more so where other work
    has the cores: they spin until they have one (benchmarks/README.md, "Speed").
    """
    body = cast("FunctionType", loop)
    alone = FunctionType(body.__code__, body.__globals__)
    alone.__module__ = body.__module__
    # numba keeps what it compiled by this name, whether for one thread or for all.
    alone.__qualname__ = f"{body.__qualname__}_alone"
    few = njit(cache=True, nogil=True)(alone)
    many = njit(cache=True, parallel=True, nogil=True)(loop)

    @wraps(loop)
    def chosen(*arguments: Any) -> Any:
        return (few if len(arguments[-1]) < MANY_ROWS else many)(*arguments)

    return chosen


@njit(cache=True, parallel=True, nogil=True)
def tile_top(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    indptr,
    indices,
    weights,
    heads,
    columns,
    values,
    first,
    last,
    rows_from,
    rows_to,
    k,
    best,
    score,
):
    """Merge the neighbours among articles ``first..last`` into each row's ``k`` best so far."""
    for at in prange(rows_to - rows_from):
        row = rows_from + at
        sums = np.zeros(last - first, dtype=np.float32)
        for entry in range(indptr[row], indptr[row + 1]):
            term, weight = indices[entry], weights[entry]
            for post in range(heads[term], heads[term + 1]):
                sums[columns[post]] += weight * values[post]
        if first <= row < last:
            sums[row - first] = 0.0
        lowest = score[row, k - 1]
        for column in range(last - first):
            value = sums[column]
            # Strictly greater: of equals the one with the smaller number stays.
            if value > lowest:
                place = k - 1
                while place > 0 and score[row, place - 1] < value:
                    score[row, place] = score[row, place - 1]
                    best[row, place] = best[row, place - 1]
                    place -= 1
                score[row, place] = value
                best[row, place] = first + column
                lowest = score[row, k - 1]


@njit(cache=True, nogil=True)
def postings(indptr, indices, weights, first, last, n_terms):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Rows ``first..last`` turned round: for each term the rows that have it, counted from 0."""
    heads = np.zeros(n_terms + 1, dtype=np.int64)
    for entry in range(indptr[first], indptr[last]):
        heads[indices[entry] + 1] += 1
    for term in range(n_terms):
        heads[term + 1] += heads[term]
    free = heads[:-1].copy()
    columns = np.empty(heads[-1], dtype=np.int32)
    values = np.empty(heads[-1], dtype=np.float32)
    for row in range(first, last):
        for entry in range(indptr[row], indptr[row + 1]):
            place = free[indices[entry]]
            columns[place] = row - first
            values[place] = weights[entry]
            free[indices[entry]] += 1
    return heads, columns, values


@over_rows
def pair_dots(indptr, indices, weights, left, right):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Dot products ``(n_pairs,)`` of rows ``left`` and ``right`` of one CSR matrix.

    ``indices`` must be sorted within each row; a negative row number gives 0.
    """
    dots = np.zeros(len(left), dtype=np.float32)
    for pair in prange(len(left)):
        if left[pair] >= 0 and right[pair] >= 0:
            dots[pair] = _dot(indptr, indices, weights, left[pair], right[pair])
    return dots


@njit(cache=True, nogil=True)
def _dot(indptr, indices, weights, left, right):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The dot product of two rows, by walking both in step."""
    a, a_end = indptr[left], indptr[left + 1]
    b, b_end = indptr[right], indptr[right + 1]
    total = 0.0
    while a < a_end and b < b_end:
        if indices[a] == indices[b]:
            total += weights[a] * weights[b]
            a += 1
            b += 1
        elif indices[a] < indices[b]:
            a += 1
        else:
            b += 1
    return total


@over_rows
def overlaps(indptr, indices, weights, title_weights, subject_weights, left, right):  # type: ignore[no-untyped-def]  # pragma: no cover
    """What rows ``left`` and ``right`` of one matrix have in common, ``(n_pairs, 5)``.

    Columns: cosine of the texts, cosine of the titles, how much of the right one's title the left
    one's text has, and of the left one's title the right one's text; product of the subjects.
    """
    found = np.zeros((len(left), 5), dtype=np.float32)
    for pair in prange(len(left)):
        a, a_end = indptr[left[pair]], indptr[left[pair] + 1]
        b, b_end = indptr[right[pair]], indptr[right[pair] + 1]
        whole, titles, right_title, left_title, subject = 0.0, 0.0, 0.0, 0.0, 0.0
        while a < a_end and b < b_end:
            if indices[a] == indices[b]:
                whole += weights[a] * weights[b]
                titles += title_weights[a] * title_weights[b]
                right_title += title_weights[b] * title_weights[b]
                left_title += title_weights[a] * title_weights[a]
                subject += subject_weights[a] * subject_weights[b]
                a += 1
                b += 1
            elif indices[a] < indices[b]:
                a += 1
            else:
                b += 1
        found[pair, 0], found[pair, 1] = whole, titles
        found[pair, 2], found[pair, 3] = right_title, left_title
        found[pair, 4] = subject
    return found


@over_rows
def row_dots(rows, left, right):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Dot products ``(n_pairs,)`` of rows ``left`` and ``right`` of one dense matrix."""
    dots = np.zeros(len(left), dtype=np.float32)
    for pair in prange(len(left)):
        total = 0.0
        for column in range(rows.shape[1]):
            total += rows[left[pair], column] * rows[right[pair], column]
        dots[pair] = total
    return dots


@over_rows
def differences(heads, terms, left, right):  # type: ignore[no-untyped-def]  # pragma: no cover
    """What sets of terms ``right`` have that ``left`` have not, and the other way round.

    ``(n_pairs, 4)``: how many terms are added, how many dropped, and a number that stands for
    the set of the added, and of the dropped. ``terms`` must be sorted within each set.
    """
    found = np.zeros((len(left), 4), dtype=np.int64)
    for pair in prange(len(left)):
        a, a_end = heads[left[pair]], heads[left[pair] + 1]
        b, b_end = heads[right[pair]], heads[right[pair] + 1]
        while a < a_end or b < b_end:
            if a < a_end and b < b_end and terms[a] == terms[b]:
                a += 1
                b += 1
            elif b == b_end or (a < a_end and terms[a] < terms[b]):
                found[pair, 1] += 1
                found[pair, 3] += _mixed(terms[a])
                a += 1
            else:
                found[pair, 0] += 1
                found[pair, 2] += _mixed(terms[b])
                b += 1
    return found


@over_rows
def gather(near, cosine, heads, items, back_heads, back, n_chunks, groups, source_of, item_of):  # type: ignore[no-untyped-def]  # pragma: no cover
    """What is added up along lists of wanted pairs, ``(n_pairs, len(WALKED))``.

    ``groups`` bounds runs of pairs with one source. List ``s`` is ``items[heads[s]:heads[s + 1]]``,
    and ``back`` holds for each article the pages that list it, in the same way.
    """
    n, n_groups = len(heads) - 1, len(groups) - 1
    found = np.zeros((len(item_of), 3), dtype=np.float32)
    for chunk in prange(n_chunks):
        sums = np.zeros((n, 3), dtype=np.float32)
        touched = np.empty(n, dtype=np.int32)
        known = np.zeros(n, dtype=np.bool_)
        for group in range(chunk * n_groups // n_chunks, (chunk + 1) * n_groups // n_chunks):
            first, last = groups[group], groups[group + 1]
            source = source_of[first]
            n_touched = _walk(
                source, near, cosine, heads, items, back_heads, back, sums, touched, known
            )
            for pair in range(first, last):
                found[pair] = sums[item_of[pair]]
            for at in range(n_touched):
                sums[touched[at]] = 0.0
                known[touched[at]] = False
    return found


@njit(cache=True, parallel=True, nogil=True)
def propose(near, cosine, heads, items, back_heads, back, sources, proposing, size, n_chunks):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The ``size`` articles that lists propose most, for each source, ``(n_sources, size)``."""
    n = len(heads) - 1
    found = np.full((len(sources), size), -1, dtype=np.int32)
    for chunk in prange(n_chunks):
        sums = np.zeros((n, 3), dtype=np.float32)
        touched = np.empty(n, dtype=np.int32)
        known = np.zeros(n, dtype=np.bool_)
        weighed = np.empty(n, dtype=np.float32)
        first, last = chunk * len(sources) // n_chunks, (chunk + 1) * len(sources) // n_chunks
        for row in range(first, last):
            source = sources[row]
            n_touched = _walk(
                source, near, cosine, heads, items, back_heads, back, sums, touched, known
            )
            # In the order of their numbers, so that of equals the smaller comes first.
            those = np.sort(touched[:n_touched])
            for at in range(n_touched):
                weighed[at] = 0.0
                if those[at] != source:
                    for column in range(3):
                        weighed[at] -= proposing[column] * sums[those[at], column]
                sums[those[at]] = 0.0
                known[those[at]] = False
            order = np.argsort(weighed[:n_touched], kind="mergesort")
            for place in range(min(size, n_touched)):
                if weighed[order[place]] < 0.0:
                    found[row, place] = those[order[place]]
    return found


@njit(cache=True, nogil=True)
def _walk(source, near, cosine, heads, items, back_heads, back, sums, touched, known):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add up ``sums`` along the lists near ``source``; returns how many articles that touched.

    Its own list is what is to be predicted. No way leads there: nothing is its own neighbour.
    """
    n_touched = 0
    for slot in range(near.shape[1]):
        other = near[source, slot]
        if other < 0:
            break
        # Cosines count squared, so that a close neighbour outweighs many faint ones.
        like = cosine[source, slot] * cosine[source, slot]
        for at in range(heads[other], heads[other + 1]):
            item = items[at]
            n_touched = _touch(item, touched, known, n_touched)
            sums[item, 0] += like
            sums[item, 1] = max(sums[item, 1], like)
    for at in range(back_heads[source], back_heads[source + 1]):
        n_touched = _touch(back[at], touched, known, n_touched)
        sums[back[at], 2] = 1.0
    return n_touched


@njit(cache=True, nogil=True)
def _touch(item, touched, known, n_touched):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Remember that sums of ``item`` are not zero."""
    if not known[item]:
        known[item] = True
        touched[n_touched] = item
        n_touched += 1
    return n_touched


@over_rows
def forest_sums(baseline, heads, feature, threshold, missing_left, left, right, value, seen):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The sum over all trees, ``(n_rows,)``, added up in scikit-learn's order."""
    sums = np.full(len(seen), baseline[0])
    for block in prange((len(seen) + BLOCK - 1) // BLOCK):
        rows = range(block * BLOCK, min((block + 1) * BLOCK, len(seen)))
        for tree in range(len(heads) - 1):
            first = heads[tree]
            for row in rows:
                at = first
                while left[at] > 0:
                    known = seen[row, feature[at]]
                    goes_left = known <= threshold[at] or (missing_left[at] and np.isnan(known))
                    at = first + (left[at] if goes_left else right[at])
                sums[row] += value[at]
    return sums
