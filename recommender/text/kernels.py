"""The loops over every pair of articles or of links, compiled. Others take them from ``loops``.

All go through numba (``compiled``), and give the same bytes on one core as on many, because each
row is the work of one thread.
"""

from __future__ import annotations

import numpy as np

from recommender import ragged
from recommender.text.compiled import (
    MANY_ROWS,
    compiled,
    over_rows,
    plain,
    side_by_side,
    untyped,
)
from recommender.text.threads import n_threads

# Rows that go through one tree after the other together. A tree then stays in the nearest cache: 65
# rows take .7 of the time that they take one by one.
BLOCK = 64
# Sums that are looked at together for one that some list would take. Of 16, 32 and 64 alike.
AT_ONCE = 32
_mixed = compiled(ragged.mixed)


@compiled
def arrange(indptr, indices, weights, subjects, number, n_common, n_terms):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Rows ready to be compared: ``indptr``, ``split``, ``terms`` and ``weights``.

    The terms of a row that many have (of a ``number`` below ``n_common``) stand before its
    ``split``, the others behind it, and either in their order: first those of the text, then those
    of the subject, which are ``number[n_terms:]``.
    """
    n = len(indptr) - 1
    starts, split = np.zeros(n + 1, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for row in range(n):
        size, common = 0, 0
        for entry in range(indptr[row], indptr[row + 1]):
            size += 1
            common += number[indices[entry]] < n_common
            if subjects[entry] > 0:
                size += 1
                common += number[indices[entry] + n_terms] < n_common
        starts[row + 1], split[row] = starts[row] + size, starts[row] + common
    terms = np.empty(starts[n], dtype=np.int32)
    arranged = np.empty(starts[n], dtype=np.float32)
    for row in range(n):
        first, other = starts[row], split[row]
        for part in range(2):
            for entry in range(indptr[row], indptr[row + 1]):
                weight = subjects[entry] if part else weights[entry]
                if part == 1 and not weight > 0:
                    continue
                term = number[indices[entry] + part * n_terms]
                if term < n_common:
                    terms[first], arranged[first] = term, weight
                    first += 1
                else:
                    terms[other], arranged[other] = term, weight
                    other += 1
    return starts, split, terms, arranged


@compiled
def tile(indptr, split, terms, weights, columns, n_common, n_terms):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Rows ``columns`` turned round, for ``compare``: what many of them have as a table,
    ``(n_common, n_columns)``, and for each other term the columns that have it, and its weights.
    """
    table = np.zeros((n_common, len(columns)), dtype=np.float32)
    heads = np.zeros(n_terms + 1, dtype=np.int32)
    for at in range(len(columns)):
        row = columns[at]
        for entry in range(indptr[row], split[row]):
            table[terms[entry], at] = weights[entry]
        for entry in range(split[row], indptr[row + 1]):
            heads[terms[entry] + 1] += 1
    for term in range(n_terms):
        heads[term + 1] += heads[term]
    free = heads[:-1].copy()
    places = np.empty(heads[-1], dtype=np.uint16)
    values = np.empty(heads[-1], dtype=np.float32)
    for at in range(len(columns)):
        row = columns[at]
        for entry in range(split[row], indptr[row + 1]):
            place = free[terms[entry]]
            places[place], values[place] = at, weights[entry]
            free[terms[entry]] = place + 1
    return table, heads, places, values


@compiled
def compare(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    indptr,
    split,
    terms,
    weights,
    rows,
    columns,
    later,
    tile,
    best,
    least,
    others_best,
    others_least,
):
    """Offer each row the columns of a ``tile``, and each column the rows if ``others_best`` is not
    empty; if ``later`` only the columns behind the row. Both are numbers of rows, ``columns``
    sorted.

    ``best`` and ``others_best`` hold the ``k`` best keys of each, ``(n_rows, k)``, as a heap, the
    smallest first; ``least`` and ``others_least`` the likeness it takes to get in, as bits.
    """
    table, heads, places, values = tile
    n = len(columns)
    sums = np.zeros(n, dtype=np.float32)
    # Numbers that are not negative have the order of their bits.
    bits = sums.view(np.int32)
    both = len(others_best) > 0
    for slot in range(len(rows)):
        row = rows[slot]
        start = min(max(row + 1 - columns[0], 0), n) if later else 0
        sums[start:] = 0
        first, middle, last = indptr[row], split[row], indptr[row + 1]
        _add_common(sums, table, start, terms[first:middle], weights[first:middle])
        _add_others(sums, heads, places, values, terms[middle:last], weights[middle:last])
        for at_once in range(start, n, AT_ONCE):
            end = min(at_once + AT_ONCE, n)
            if _any_enters(bits[at_once:end], least[slot], others_least[at_once:end]):
                for at in range(at_once, end):
                    if bits[at] >= least[slot] and columns[at] != row:
                        _offer(best, least, slot, bits[at], columns[at])
                    if both and bits[at] >= others_least[at] and columns[at] != row:
                        _offer(others_best, others_least, at, bits[at], row)


@compiled
def _add_common(sums, table, start, terms, weights):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add a row's common terms to the sums from ``start`` on: four at a time, in their order."""
    entry, n, those = 0, len(terms), sums[start:]
    while entry + 4 <= n:
        # Rows of the table and their ends are arrays of consecutive entries: many go at once.
        one, two = table[terms[entry], start:], table[terms[entry + 1], start:]
        three, four = table[terms[entry + 2], start:], table[terms[entry + 3], start:]
        by_one, by_two = weights[entry], weights[entry + 1]
        by_three, by_four = weights[entry + 2], weights[entry + 3]
        for at in range(len(those)):
            so_far = (those[at] + by_one * one[at]) + by_two * two[at]
            those[at] = (so_far + by_three * three[at]) + by_four * four[at]
        entry += 4
    while entry < n:
        one, by_one = table[terms[entry], start:], weights[entry]
        for at in range(len(those)):
            those[at] += by_one * one[at]
        entry += 1


@compiled
def _add_others(sums, heads, places, values, terms, weights):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add a row's other terms to the sums of the columns that have them."""
    for entry in range(len(terms)):
        weight = weights[entry]
        first, last = heads[terms[entry]], heads[terms[entry] + 1]
        if first < last:
            # As arrays of their own, so that no place is checked for being counted from the end.
            at, value = places[first:last], values[first:last]
            for post in range(len(at)):
                sums[at[post]] += weight * value[post]


@compiled
def _any_enters(bits, least, others_least):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Is any of these sums enough to be taken? Without branches, so that many go at once."""
    found = 0
    if len(others_least) == 0:
        for at in range(len(bits)):
            found |= bits[at] >= least
    else:
        for at in range(len(bits)):
            found |= (bits[at] >= least) | (bits[at] >= others_least[at])
    return found != 0


@compiled
def _offer(best, least, slot, bits, item):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Put an item into a heap in the place of the smallest, if it is better."""
    key = (np.int64(bits) << 32) | (np.int64(0x7FFFFFFF) - np.int64(item))
    heap = best[slot]
    if key <= heap[0]:
        return
    at, k = 0, len(heap)
    while 2 * at + 1 < k:
        child = 2 * at + 1
        if child + 1 < k and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= key:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = key
    # What shares no term has a likeness of 0, and the smallest above it has 1 as bits.
    least[slot] = max(heap[0] >> 32, 1)


@over_rows(2)
def pair_dots(indptr, indices, weights, left, right):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Dot products ``(n_pairs,)`` of rows ``left`` and ``right`` of one CSR matrix.

    ``indices`` must be sorted within each row; a negative row number gives 0.
    """
    dots = np.zeros(len(left), dtype=np.float32)
    for pair in range(len(left)):
        if left[pair] >= 0 and right[pair] >= 0:
            dots[pair] = _dot(indptr, indices, weights, left[pair], right[pair])
    return dots


@compiled
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


@over_rows(2)
def overlaps(indptr, indices, weights, title_weights, subject_weights, left, right):  # type: ignore[no-untyped-def]  # pragma: no cover
    """What rows ``left`` and ``right`` of one matrix have in common, ``(n_pairs, 5)``.

    Columns: cosine of the texts, cosine of the titles, how much of the right one's title the left
    one's text has, and of the left one's title the right one's text; product of the subjects.
    """
    found = np.zeros((len(left), 5), dtype=np.float32)
    for pair in range(len(left)):
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


@over_rows(2)
def row_dots(rows, left, right):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Dot products ``(n_pairs,)`` of rows ``left`` and ``right`` of one dense matrix."""
    dots = np.zeros(len(left), dtype=np.float32)
    for pair in range(len(left)):
        total = 0.0
        for column in range(rows.shape[1]):
            total += rows[left[pair], column] * rows[right[pair], column]
        dots[pair] = total
    return dots


@over_rows(2)
def places(table, left, right):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Where ``right`` stands in row ``left`` of a table, ``(n_pairs,)``; its width if nowhere."""
    found = np.empty(len(left), dtype=np.int64)
    for pair in range(len(left)):
        at = 0
        while at < table.shape[1] and table[left[pair], at] != right[pair]:
            at += 1
        found[pair] = at
    return found


@over_rows(2)
def sums_without(keys, starts, shift, hits, expected, wanted, fold):  # type: ignore[no-untyped-def]  # pragma: no cover
    """``hits`` and ``expected``, ``(n_groups, n_folds)`` each, of the groups ``wanted``, added up
    but for one ``fold`` each, ``n_folds`` for none; ``(n_wanted, 2)``, 0 for an unknown group.

    ``starts[b]`` is the first of the sorted ``keys`` that is ``b << shift`` or more above the first
    of them.
    """
    found = np.zeros((len(wanted), 2), dtype=hits.dtype)
    n_folds = hits.shape[1]
    for row in range(len(wanted)):
        key = wanted[row]
        if len(keys) == 0 or key < keys[0] or key > keys[-1]:
            continue
        above = np.uint64(key) - np.uint64(keys[0])
        bucket = np.int64(above >> np.uint64(shift))
        low, high = starts[bucket], starts[bucket + 1]
        while low < high:
            middle = (low + high) // 2
            if keys[middle] < key:
                low = middle + 1
            else:
                high = middle
        if low < len(keys) and keys[low] == key:
            some, others = hits[low, 0], expected[low, 0]
            for at in range(1, n_folds):
                some += hits[low, at]
                others += expected[low, at]
            if fold[row] < n_folds:
                some -= hits[low, fold[row]]
                others -= expected[low, fold[row]]
            found[row, 0], found[row, 1] = some, others
    return found


@over_rows(2)
def differences(heads, terms, left, right):  # type: ignore[no-untyped-def]  # pragma: no cover
    """What sets of terms ``right`` have that ``left`` have not, and the other way round.

    ``(n_pairs, 4)``: how many terms are added, how many dropped, and a number that stands for
    the set of the added, and of the dropped. ``terms`` must be sorted within each set.
    """
    found = np.zeros((len(left), 4), dtype=np.int64)
    for pair in range(len(left)):
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


@untyped
def gather(near, cosine, heads, items, back_heads, back, n_chunks, groups, source_of, item_of):  # type: ignore[no-untyped-def]
    """What is added up along lists of wanted pairs, ``(n_pairs, len(WALKED))``.

    ``groups`` bounds runs of pairs with one source. List ``s`` is ``items[heads[s]:heads[s + 1]]``,
    and ``back`` holds for each article the pages that list it, in the same way.
    """
    ways = [plain(each) for each in (near, cosine, heads, items, back_heads, back)]
    sources, asked = plain(source_of), plain(item_of)
    ends = np.linspace(0, len(groups) - 1, n_chunks + 1).astype(int)

    def walked(chunk):  # type: ignore[no-untyped-def]
        own = groups[ends[chunk] : ends[chunk + 1] + 1]
        pairs = slice(own[0], own[-1])
        return _gather(*ways, plain(own - own[0]), plain(sources[pairs]), plain(asked[pairs]))

    if n_chunks == 0:
        return np.zeros((len(item_of), 3), dtype=np.float32)
    found = side_by_side(walked, list(range(n_chunks)), _threads(len(item_of)))
    return np.concatenate(found) if len(found) > 1 else found[0]


def _threads(n_rows: int) -> int:
    return 1 if n_rows < MANY_ROWS else n_threads()


@compiled
def _gather(near, cosine, heads, items, back_heads, back, groups, source_of, item_of):  # type: ignore[no-untyped-def]  # pragma: no cover
    """``gather`` of a run of groups."""
    n = len(heads) - 1
    found = np.zeros((len(item_of), 3), dtype=np.float32)
    sums = np.zeros((n, 3), dtype=np.float32)
    touched = np.empty(n, dtype=np.int32)
    known = np.zeros(n, dtype=np.bool_)
    for group in range(len(groups) - 1):
        first, last = groups[group], groups[group + 1]
        n_touched = _walk(
            source_of[first], near, cosine, heads, items, back_heads, back, sums, touched, known
        )
        for pair in range(first, last):
            found[pair] = sums[item_of[pair]]
        for at in range(n_touched):
            sums[touched[at]] = 0.0
            known[touched[at]] = False
    return found


@untyped
def propose(near, cosine, heads, items, back_heads, back, sources, proposing, size, n_chunks):  # type: ignore[no-untyped-def]
    """The ``size`` articles that lists propose most, for each source, ``(n_sources, size)``."""
    ways = [plain(each) for each in (near, cosine, heads, items, back_heads, back)]
    weights = plain(np.asarray(proposing))

    def proposed(chunk):  # type: ignore[no-untyped-def]
        return _propose(*ways, plain(chunk), weights, size)

    chunks = np.array_split(np.asarray(sources), max(n_chunks, 1))
    return np.concatenate(side_by_side(proposed, chunks, _threads(len(sources))))


@compiled
def _propose(near, cosine, heads, items, back_heads, back, sources, proposing, size):  # type: ignore[no-untyped-def]  # pragma: no cover
    """``propose`` beside some sources."""
    n = len(heads) - 1
    found = np.full((len(sources), size), -1, dtype=np.int32)
    sums = np.zeros((n, 3), dtype=np.float32)
    touched = np.empty(n, dtype=np.int32)
    known = np.zeros(n, dtype=np.bool_)
    weighed = np.empty(n, dtype=np.float32)
    for row in range(len(sources)):
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


@compiled
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


@compiled
def _touch(item, touched, known, n_touched):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Remember that sums of ``item`` are not zero."""
    if not known[item]:
        known[item] = True
        touched[n_touched] = item
        n_touched += 1
    return n_touched


@over_rows(1)
def forest_sums(baseline, heads, feature, threshold, missing_left, left, right, value, seen):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The sum over all trees, ``(n_rows,)``, added up in scikit-learn's order."""
    sums = np.full(len(seen), baseline[0])
    for block in range((len(seen) + BLOCK - 1) // BLOCK):
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
