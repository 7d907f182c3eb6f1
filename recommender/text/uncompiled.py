"""What ``kernels`` compiles, by NumPy and SciPy: the same arguments, the same bytes, more time.

Each adds up in the order in which the compiled loop does, in the same precision. Work is done in
pieces, so that memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from recommender.candidates import EMPTY
from recommender.ragged import expand, find, mixed, ranks

# Entries, of rows or of a dense piece, that are held at one time: some 50 MB. Not tuned.
PIECE = 2_000_000
# Rows that go through the trees together.
ROWS = 100_000


def _pieces(sizes: np.ndarray) -> Iterator[slice]:
    """Runs of rows that have ``PIECE`` entries together, or are one that has more."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + PIECE, side="right")))
        yield slice(start, stop)
        start = stop


def arrange(
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    subjects: np.ndarray,
    number: np.ndarray,
    n_common: int,
    n_terms: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows ready to be compared: ``indptr``, ``split``, ``terms`` and ``weights``.

    The terms of a row that many have (of a ``number`` below ``n_common``) stand before its
    ``split``, the others behind it, and either in their order: first those of the text, then those
    of the subject, which are ``number[n_terms:]``.
    """
    n = len(indptr) - 1
    about = subjects > 0
    sizes = np.diff(indptr)
    rows = np.repeat(np.arange(n), sizes)
    starts = np.concatenate([[0], np.cumsum(sizes + np.bincount(rows[about], minlength=n))])
    split = starts[:-1].copy()
    terms = np.empty(starts[-1], dtype=np.int32)
    arranged = np.empty(starts[-1], dtype=np.float32)
    for piece in _pieces(sizes):
        entries = slice(indptr[piece.start], indptr[piece.stop])
        also = about[entries]
        row = np.concatenate([rows[entries], rows[entries][also]])
        ids = np.concatenate([indices[entries], indices[entries][also] + n_terms])
        weight = np.concatenate([weights[entries], subjects[entries][also]])
        term = number[ids]
        split[piece] += np.bincount(row[term < n_common] - piece.start, minlength=len(split[piece]))
        order = np.lexsort((term >= n_common, row))
        places = slice(starts[piece.start], starts[piece.stop])
        terms[places], arranged[places] = term[order], weight[order]
    return starts, split, terms, arranged


def tile(
    indptr: np.ndarray,
    split: np.ndarray,
    terms: np.ndarray,
    weights: np.ndarray,
    columns: np.ndarray,
    n_common: int,
    n_terms: int,
) -> sparse.csr_array:
    """Rows ``columns`` turned round, for ``compare``: terms by columns."""
    rows = _rows(indptr, terms, weights, columns, n_terms)
    return sparse.csr_array(rows.T)


def _rows(
    indptr: np.ndarray, terms: np.ndarray, weights: np.ndarray, rows: np.ndarray, n_terms: int
) -> sparse.csr_array:
    sizes = indptr[rows + 1] - indptr[rows]
    entries, _ = expand(indptr[rows], sizes)
    heads = np.concatenate([[0], np.cumsum(sizes)])
    return sparse.csr_array((weights[entries], terms[entries], heads), shape=(len(rows), n_terms))


def compare(
    indptr: np.ndarray,
    split: np.ndarray,
    terms: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    later: bool,
    tile: sparse.csr_array,
    best: np.ndarray,
    least: np.ndarray,
    others_best: np.ndarray,
    others_least: np.ndarray,
) -> None:
    """Offer each row the columns of a ``tile``, and each column the rows if ``others_best`` is not
    empty; if ``later`` only the columns behind the row. Both are numbers of rows, ``columns``
    sorted.

    ``best`` and ``others_best`` hold the ``k`` best keys of each, ``(n_rows, k)``, the smallest
    first; ``least`` and ``others_least`` the likeness it takes to get in, as bits.
    """
    step = max(1, PIECE // (4 * (len(columns) + best.shape[1])))
    for start in range(0, len(rows), step):
        of = slice(start, start + step)
        # In the order in which the terms of a row stand, in the precision of the weights.
        sums = (_rows(indptr, terms, weights, rows[of], tile.shape[0]) @ tile).toarray()
        here, there = rows[of, None].astype(np.int64), columns[None].astype(np.int64)
        bits = sums.view(np.int32).astype(np.int64) << 32
        bits[(there <= here) if later else (there == here)] = 0
        _offer(best[of], least[of], bits, there)
        if len(others_best):
            _offer(others_best, others_least, bits.T, here.T)


def _offer(best: np.ndarray, least: np.ndarray, bits: np.ndarray, items: np.ndarray) -> None:
    """Put items into lists that they are better for; ``bits`` are ``(n_lists, n_items)``."""
    rows = np.flatnonzero(bits.max(axis=1) >> 32 >= least)
    keys = np.where(bits[rows] > 0, bits[rows] | (0x7FFFFFFF - items), 0)
    k, both = best.shape[1], np.concatenate([best[rows], keys], axis=1)
    both.partition(both.shape[1] - k, axis=1)
    best[rows] = np.sort(both[:, -k:], axis=1)
    # What shares no term has a likeness of 0, and the smallest above it has 1 as bits.
    least[rows] = np.maximum(best[rows, 0] >> 32, 1)


def _shared(
    heads: np.ndarray, terms: np.ndarray, left: np.ndarray, right: np.ndarray
) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """What rows ``left`` and ``right`` have in common, in pieces of pairs: the pair within its
    piece, and the entry on either side, each ``(n_shared,)``, by pair and term.
    """
    top = int(terms.max(initial=0)) + 1
    real = (left >= 0) & (right >= 0)
    one, other = (np.where(real, side, 0) for side in (left, right))
    sizes = [np.where(real, heads[side + 1] - heads[side], 0) for side in (one, other)]
    for piece in _pieces(sizes[0] + sizes[1]):
        (a, of_a), (b, of_b) = (
            expand(heads[side[piece]], size[piece])
            for side, size in zip((one, other), sizes, strict=True)
        )
        place = find(of_b * top + terms[b], of_a * top + terms[a])
        both = place >= 0
        yield piece, of_a[both], a[both], b[place[both]]


def pair_dots(
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
) -> np.ndarray:
    """Dot products ``(n_pairs,)`` of rows ``left`` and ``right`` of one CSR matrix.

    ``indices`` must be sorted within each row; a negative row number gives 0.
    """
    dots = np.zeros(len(left), dtype=np.float32)
    for piece, pair, a, b in _shared(indptr, indices, left, right):
        n = piece.stop - piece.start
        dots[piece] = np.bincount(pair, weights=weights[a] * weights[b], minlength=n)
    return dots


def overlaps(
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    title_weights: np.ndarray,
    subject_weights: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
) -> np.ndarray:
    """What rows ``left`` and ``right`` of one matrix have in common, ``(n_pairs, 5)``.

    Columns: cosine of the texts, cosine of the titles, how much of the right one's title the left
    one's text has, and of the left one's title the right one's text; product of the subjects.
    """
    found = np.zeros((len(left), 5), dtype=np.float32)
    for piece, pair, a, b in _shared(indptr, indices, left, right):
        products = (
            weights[a] * weights[b],
            title_weights[a] * title_weights[b],
            title_weights[b] * title_weights[b],
            title_weights[a] * title_weights[a],
            subject_weights[a] * subject_weights[b],
        )
        n = piece.stop - piece.start
        for column, product in enumerate(products):
            found[piece, column] = np.bincount(pair, weights=product, minlength=n)
    return found


def row_dots(rows: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Dot products ``(n_pairs,)`` of rows ``left`` and ``right`` of one dense matrix."""
    total = np.zeros(len(left))
    for column in rows.T:
        total += column[left] * column[right]
    return total.astype(np.float32)


def places(table: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Where ``right`` stands in row ``left`` of a table, ``(n_pairs,)``; its width if nowhere."""
    same = table[left] == right[:, None]
    found: np.ndarray = np.where(same.any(axis=1), same.argmax(axis=1), table.shape[1])
    return found


def sums_without(
    keys: np.ndarray,
    starts: np.ndarray,
    shift: int,
    hits: np.ndarray,
    expected: np.ndarray,
    wanted: np.ndarray,
    fold: np.ndarray,
) -> np.ndarray:
    """``hits`` and ``expected``, ``(n_groups, n_folds)`` each, of the groups ``wanted``, added up
    but for one ``fold`` each, ``n_folds`` for none; ``(n_wanted, 2)``, 0 for an unknown group.
    """
    found = np.zeros((len(wanted), 2), dtype=hits.dtype)
    place = find(keys, wanted)
    known = np.flatnonzero(place >= 0)
    place, fold, n_folds = place[known], fold[known], hits.shape[1]
    last = np.minimum(fold, n_folds - 1)
    for column, part in enumerate((hits, expected)):
        left_out = np.where(fold < n_folds, part[place, last], 0)
        found[known, column] = part[place].sum(axis=1) - left_out
    return found


def differences(
    heads: np.ndarray, terms: np.ndarray, left: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """What sets of terms ``right`` have that ``left`` have not, and the other way round.

    ``(n_pairs, 4)``: how many terms are added, how many dropped, and a number that stands for
    the set of the added, and of the dropped. ``terms`` must be sorted within each set.
    """
    hashes = np.concatenate([[0], np.cumsum(mixed(terms))]) if len(terms) else np.zeros(1, np.int64)
    hashed = mixed(terms)
    found = np.zeros((len(left), 4), dtype=np.int64)
    for column, side in ((0, right), (1, left)):
        found[:, column] = heads[side + 1] - heads[side]
        found[:, column + 2] = hashes[heads[side + 1]] - hashes[heads[side]]
    for piece, pair, a, _ in _shared(heads, terms, left, right):
        n = piece.stop - piece.start
        both = np.bincount(pair, minlength=n)
        sums = np.concatenate([[0], np.cumsum(hashed[a])])
        ends = np.cumsum(both)
        found[piece, :2] -= both[:, None]
        found[piece, 2:] -= (sums[ends] - sums[ends - both])[:, None]
    return found


def _walked(
    near: np.ndarray,
    cosine: np.ndarray,
    heads: np.ndarray,
    items: np.ndarray,
    back_heads: np.ndarray,
    back: np.ndarray,
    sources: np.ndarray,
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """What is added up along the lists near each of ``sources``, in pieces of them: sorted keys
    (place of the source in its piece times the number of articles, and the article) and the three
    sums of each, ``(n_keys, 3)``.
    """
    n = len(heads) - 1
    # Neighbours stand before the first empty slot.
    real = np.logical_and.accumulate(near[sources] >= 0, axis=1)
    listed = np.where(real, np.diff(heads)[near[sources]], 0)
    sizes = listed.sum(axis=1) + np.diff(back_heads)[sources]
    for piece in _pieces(sizes):
        own = sources[piece]
        row, slot = np.nonzero(real[piece])
        other = near[own[row], slot]
        at, of = expand(heads[other], heads[other + 1] - heads[other])
        like = cosine[own[row], slot] * cosine[own[row], slot]
        back_at, back_of = expand(back_heads[own], back_heads[own + 1] - back_heads[own])
        ways = row[of] * n + items[at]
        returns = back_of * n + back[back_at]
        keys, place = np.unique(np.concatenate([ways, returns]), return_inverse=True)
        sums = np.zeros((3, len(keys)), dtype=np.float32)
        np.add.at(sums[0], place[: len(ways)], like[of])
        np.maximum.at(sums[1], place[: len(ways)], like[of])
        sums[2, place[len(ways) :]] = 1
        yield piece, keys, sums.T


def gather(
    near: np.ndarray,
    cosine: np.ndarray,
    heads: np.ndarray,
    items: np.ndarray,
    back_heads: np.ndarray,
    back: np.ndarray,
    n_chunks: int,
    groups: np.ndarray,
    source_of: np.ndarray,
    item_of: np.ndarray,
) -> np.ndarray:
    """What is added up along lists of wanted pairs, ``(n_pairs, 3)``.

    ``groups`` bounds runs of pairs with one source. List ``s`` is ``items[heads[s]:heads[s + 1]]``,
    and ``back`` holds for each article the pages that list it, in the same way.
    """
    n = len(heads) - 1
    found = np.zeros((len(item_of), 3), dtype=np.float32)
    ways = (near, cosine, heads, items, back_heads, back)
    for piece, keys, sums in _walked(*ways, source_of[groups[:-1]]):
        first, last = groups[piece.start], groups[piece.stop]
        size = np.diff(groups[piece.start : piece.stop + 1])
        place = find(keys, np.repeat(np.arange(len(size)), size) * n + item_of[first:last])
        found[first:last][place >= 0] = sums[place[place >= 0]]
    return found


def propose(
    near: np.ndarray,
    cosine: np.ndarray,
    heads: np.ndarray,
    items: np.ndarray,
    back_heads: np.ndarray,
    back: np.ndarray,
    sources: np.ndarray,
    proposing: np.ndarray,
    size: int,
    n_chunks: int,
) -> np.ndarray:
    """The ``size`` articles that lists propose most, for each source, ``(n_sources, size)``."""
    n = len(heads) - 1
    found = np.full((len(sources), size), EMPTY, dtype=np.int32)
    ways = (near, cosine, heads, items, back_heads, back)
    for piece, keys, sums in _walked(*ways, sources):
        row, item = np.divmod(keys, n)
        weight = np.zeros(len(keys), dtype=np.float32)
        for column, share in enumerate(proposing):
            weight += share * sums[:, column]
        kept = (weight > 0) & (item != sources[piece][row])
        row, item, weight = row[kept], item[kept], weight[kept]
        rank = ranks(row, weight, item)
        few = rank <= size
        found[piece.start + row[few], rank[few] - 1] = item[few]
    return found


def forest_sums(
    baseline: np.ndarray,
    heads: np.ndarray,
    feature: np.ndarray,
    threshold: np.ndarray,
    missing_left: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    value: np.ndarray,
    seen: np.ndarray,
) -> np.ndarray:
    """The sum over all trees, ``(n_rows,)``, added up in scikit-learn's order."""
    sums = np.full(len(seen), baseline[0])
    for start in range(0, len(seen), ROWS):
        some = seen[start : start + ROWS]
        for first in heads[:-1]:
            at = np.full(len(some), first)
            going = np.flatnonzero(left[at] > 0)
            while len(going):
                node = at[going]
                known = some[going, feature[node]]
                goes_left = (known <= threshold[node]) | (
                    (missing_left[node] > 0) & np.isnan(known)
                )
                at[going] = first + np.where(goes_left, left[node], right[node])
                going = going[left[at[going]] > 0]
            sums[start : start + ROWS] += value[at]
    return sums
