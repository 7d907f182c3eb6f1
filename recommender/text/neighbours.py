"""Exact neighbours of every article, without an n-by-n matrix, and near-duplicates.

The product of all rows with all rows is walked in tiles of columns, each pair once, and each row
keeps only its ``k`` best. A likeness is the sum of products of weights in one order of terms, in
single precision, whichever of two rows is asked and with whatever others, so that parts of the
work can be done anywhere and put together: the result is the same to the byte.

Near-duplicates fall out of the same pass: pairs whose cosine is close to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import Any, Self

import numpy as np

from recommender.candidates import EMPTY
from recommender.progress import Progress, Silent
from recommender.ragged import clusters
from recommender.text.loops import arrange, compare, pair_dots, tile
from recommender.text.tfidf import Text
from recommender.text.threads import fixed, n_threads

# Columns of the product looked at together: their sums stay in the nearest cache of one core, and
# their places take two bytes.
TILE = 2048
# Rows that are one piece of work with as many others. Each tile is made anew for each block.
BLOCK = 131_072
# A term that more than this share of the articles have is held as a column with a place for each,
# which takes less time than a list of those that have it (benchmarks/README.md, "Neighbours").
COMMON = 0.1
# Read by eye on 16,000 health pages (DECISIONS.md, "Near-duplicates"): the whole text must be the
# same but for a word or two, and the title must speak of the same thing, because health sites
# give one answer to "Is X inherited?" for a hundred X.
NEAR_DUPLICATE = 0.95
NEAR_TITLE = 0.5  # likewise
# Keys of neighbours (``_keys``) hold the likeness above these bits and the number, turned round,
# in them: of two keys the larger is the better neighbour.
LOW = 0x7FFFFFFF
Tables = tuple[np.ndarray, np.ndarray]
# How many rounds of ``whole`` are done, and the keys of the best so far, ``(n_rows, k)``.
State = tuple[int, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The articles as rows of terms, ready to be compared: arrays that may be mapped from a file.

    Row *i* is ``terms[indptr[i]:indptr[i + 1]]`` with their ``weights``: those of the text and of
    the subject of the title, numbered from the most frequent on. The ``n_common`` most frequent
    stand before ``split[i]``.
    """

    indptr: np.ndarray
    split: np.ndarray
    terms: np.ndarray
    weights: np.ndarray
    n_common: int
    n_terms: int

    def __len__(self) -> int:
        return len(self.split)

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """As loops take them."""
        return fixed(self.indptr), fixed(self.split), fixed(self.terms), fixed(self.weights)


def rows_of(text: Text) -> Rows:
    """The rows to compare: products of two are the cosine of the texts and what the subjects of the
    titles add to it.
    """
    n_terms = len(text.idf)
    subjects = np.asarray(text.subject_weights, dtype=np.float32)
    about = text.indices[subjects > 0]
    having = np.concatenate(
        [np.bincount(each, minlength=n_terms) for each in (text.indices, about)]
    )
    number = np.empty(2 * n_terms, dtype=np.int32)
    number[np.argsort(-having, kind="stable")] = np.arange(2 * n_terms, dtype=np.int32)
    n_common = int((having > COMMON * (len(text.indptr) - 1)).sum())
    texts = (fixed(each) for each in (text.indptr, text.indices, text.weights, subjects))
    indptr, split, terms, weights = arrange(*texts, fixed(number), n_common, n_terms)
    return Rows(indptr, split, terms, weights, n_common, 2 * n_terms)


def neighbours(
    text: Text,
    *,
    k: int,
    asked: np.ndarray | None = None,
    among: np.ndarray | None = None,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Tables:
    """The ``k`` most similar articles of each, best first, never itself.

    Returns items and likenesses, both ``(n_articles, k)``: the cosine of the texts and what the
    subjects of the titles add to it, so that questions about one thing are neighbours although
    their answers have no word in common. What shares no term with an article is no neighbour of it,
    and its slots hold ``EMPTY`` and 0. Of equal ones the one with the smaller number comes first.
    Only articles that are ``asked`` have neighbours, ``among`` these; both are ``(n_articles,)``,
    and all by default. ``jobs`` threads share the work, by default one a core.
    """
    rows = rows_of(text)
    if asked is None and among is None:
        return whole(rows, k=k, progress=progress, jobs=jobs)
    n = len(rows)
    of, targets = (
        np.arange(n) if each is None else np.flatnonzero(each) for each in (asked, among)
    )
    items = np.full((n, k), EMPTY, dtype=np.int32)
    scores = np.zeros((n, k), dtype=np.float32)
    items[of], scores[of] = block(rows, of, targets, k=k, progress=progress, jobs=jobs)
    return items, scores


def block(
    rows: Rows,
    asked: np.ndarray,
    among: np.ndarray | None = None,
    *,
    k: int,
    progress: Progress | None = None,
    jobs: int | None = 1,
) -> Tables:
    """The ``k`` nearest of the articles with the numbers ``asked``, ``(n_asked,)``, among those
    with the numbers ``among``, sorted, by default all: items and likenesses, ``(n_asked, k)``.

    It takes time in proportion to both, and needs nothing but ``rows``. ``merge`` puts together
    blocks among others, and all blocks together are what ``whole`` gives.
    """
    among = np.arange(len(rows)) if among is None else among
    best = np.zeros((len(asked), k), dtype=np.int64)
    with _Work(progress, jobs) as work:
        _one_sided(rows, _numbers(asked), _numbers(among), best, work)
    return _tables(best)


def merge(*tables: Tables, k: int) -> Tables:
    """The ``k`` best of all tables of items and likenesses, ``(n_rows, any)``, row by row. No item
    may stand in two of them.
    """
    keys = np.concatenate([_keys(*table) for table in tables], axis=1)
    best = np.zeros((len(keys), k), dtype=np.int64)
    kept = np.sort(keys, axis=1)[:, -k:]
    best[:, k - kept.shape[1] :] = kept
    return _tables(best)


def whole(
    rows: Rows,
    *,
    k: int,
    progress: Progress | None = None,
    jobs: int | None = None,
    begun: State | None = None,
    after: Callable[[State], None] | None = None,
) -> Tables:
    """The ``k`` nearest of all articles among all: items and likenesses, ``(n_rows, k)``.

    Each pair is looked at once, for both: ``jobs`` threads, by default one a core, take pairs of
    blocks that have no row in common. ``after`` is handed the state of the work now and then, from
    which it can go on: that is ``begun``.
    """
    n = len(rows)
    numbers = np.arange(n, dtype=np.int32)
    done, best = begun or (0, np.zeros((n, k), dtype=np.int64))
    least = _least(best)
    with _Work(progress, jobs) as work:
        side_by_side = 2 * work.threads if work.threads > 1 and n > 4 * TILE else 1
        n_blocks = max(-(-n // BLOCK), side_by_side)
        ends = np.linspace(0, n, n_blocks + 1).astype(int)

        def pair(blocks: tuple[int, int]) -> None:
            one, other = (slice(ends[each], ends[each + 1]) for each in blocks)
            for columns in _tiles(numbers[other]):
                to = slice(columns[0], columns[-1] + 1)
                of = slice(one.start, min(one.stop, to.stop))
                work.compare(
                    rows, numbers[of], columns, best[of], least[of], best[to], least[to], later=True
                )

        rounds = list(_rounds(n_blocks))
        n_tiles = [len(list(_tiles(numbers[a:b]))) for a, b in pairwise(ends)]
        work.expect(sum(n_tiles[other] for each in rounds[done:] for _, other in each))
        for number, each in enumerate(rounds[done:], start=done + 1):
            work.share(pair, each)
            if after and number < len(rounds):
                after((number, best))
    return _tables(best)


def near_duplicates(text: Text, items: np.ndarray, likeness: np.ndarray) -> np.ndarray:
    """The cluster of each article, ``(n,)``: the smallest number among its near-duplicates.

    ``items`` are the neighbours and ``likeness`` how alike they are, ``(n, k)`` both. Articles
    linked by a chain of near-duplicate pairs form one cluster; an article without any is a cluster
    of its own.
    """
    n, linked = len(items), []
    # A slice at a time, so that a large site takes no more memory than a small one.
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        # Likeness is the cosine of the texts and more; rounding aside, it is no less.
        alike = likeness[block] > NEAR_DUPLICATE - 0.001
        rows, slots = np.nonzero((items[block] != EMPTY) & alike)
        rows += start
        others = items[rows, slots].astype(np.int64)
        for weights, bar in (
            (text.weights, NEAR_DUPLICATE), (text.title_weights, NEAR_TITLE),
        ):  # fmt: skip
            close = pair_dots(text.indptr, text.indices, weights, rows, others) >= bar
            rows, others = rows[close], others[close]
        linked.append((rows, others))
    left, right = (np.concatenate(each) for each in zip(*linked, strict=True))
    return clusters(n, left, right)


class _Work:
    """Threads that compare rows with tiles, and what they report: a step a tile."""

    def __init__(self, progress: Progress | None, jobs: int | None) -> None:
        self.progress = progress or Silent()
        self.threads = n_threads() if jobs is None else jobs
        self.pool = ThreadPoolExecutor(self.threads)
        self.lock, self.stopped = Lock(), False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stopped = True  # of several threads, so that an interrupt does not wait for all
        self.pool.shutdown()

    def expect(self, n_tiles: int) -> None:
        self.progress.stage("comparing articles", n_tiles)

    def share(self, job: Callable[[Any], None], parts: Sequence[Any]) -> None:
        """Do the job for each part; no two of them may write to the same row."""
        if self.threads == 1 or len(parts) == 1:
            for part in parts:
                job(part)
            return
        failed: list[BaseException] = []

        def tried(part: Any) -> None:
            try:
                job(part)
            except BaseException as exc:  # noqa: BLE001 - raised below; the others stop
                failed.append(exc)
                self.stopped = True

        for _ in self.pool.map(tried, parts):
            pass
        if failed:
            raise failed[0]

    def compare(
        self,
        rows: Rows,
        numbers: np.ndarray,
        columns: np.ndarray,
        best: np.ndarray,
        least: np.ndarray,
        others_best: np.ndarray | None = None,
        others_least: np.ndarray | None = None,
        *,
        later: bool = False,
    ) -> None:
        """``loops.compare`` of rows and the columns of one tile."""
        if self.stopped:
            raise KeyboardInterrupt
        others_best = best[:0] if others_best is None else others_best
        others_least = least[:0] if others_least is None else others_least
        arrays, to = rows.arrays, fixed(columns)
        posts = tile(*arrays, to, rows.n_common, rows.n_terms)
        compare(*arrays, fixed(numbers), to, later, posts, best, least, others_best, others_least)
        with self.lock:
            self.progress.advance()


def _one_sided(
    rows: Rows, asked: np.ndarray, among: np.ndarray, best: np.ndarray, work: _Work
) -> None:
    """Put into the keys ``best``, ``(n_asked, k)``, what is better than they are."""
    n_pieces = max(1, min(work.threads, len(asked) // TILE))
    ends = np.linspace(0, len(asked), n_pieces + 1).astype(int)
    least = _least(best)

    def piece(at: int) -> None:
        of = slice(ends[at], ends[at + 1])
        for columns in _tiles(among):
            work.compare(rows, asked[of], columns, best[of], least[of])

    work.expect(n_pieces * len(list(_tiles(among))))
    work.share(piece, range(n_pieces))


def _tiles(numbers: np.ndarray) -> Iterator[np.ndarray]:
    """As columns that are looked at together."""
    for first in range(0, len(numbers), TILE):
        yield numbers[first : first + TILE]


def _rounds(n: int) -> Iterator[list[tuple[int, int]]]:
    """All pairs of ``n`` blocks, each with itself too, in rounds in which each block is in one pair
    at most: a round-robin tournament (Kirkman, 1847).

    >>> list(_rounds(3))
    [[(0, 0), (1, 1), (2, 2)], [(1, 2)], [(0, 2)], [(0, 1)]]
    """
    yield [(block, block) for block in range(n)]
    seats = list(range(n + n % 2))
    for _ in range(len(seats) - 1):
        met = zip(seats[: len(seats) // 2], reversed(seats), strict=False)
        found = [(min(pair), max(pair)) for pair in met if max(pair) < n]
        if found:
            yield found
        seats.insert(1, seats.pop())


def _numbers(numbers: np.ndarray) -> np.ndarray:
    return np.asarray(numbers, dtype=np.int32)


def _keys(items: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Items and likenesses as one number, of which the larger is the better; 0 for none."""
    bits = np.asarray(scores, dtype=np.float32).view(np.int32).astype(np.int64)
    return np.where((items != EMPTY) & (bits > 0), (bits << 32) | (LOW - items.astype(np.int64)), 0)


def _least(best: np.ndarray) -> np.ndarray:
    """The bits of the likeness that it takes to be put into each list, ``(n_lists,)``."""
    lowest = best[:, 0] >> 32 if best.shape[1] else np.full(len(best), LOW)
    return np.maximum(lowest, 1).astype(np.int32)


def _tables(best: np.ndarray) -> Tables:
    """Items and likenesses of keys, best first. A slice at a time: they are many."""
    items, scores = np.empty(best.shape, dtype=np.int32), np.empty(best.shape, dtype=np.float32)
    for start in range(0, len(best), BLOCK):
        of = slice(start, start + BLOCK)
        keys = np.sort(best[of], axis=1)[:, ::-1]
        items[of] = np.where(keys > 0, LOW - (keys & LOW), EMPTY)
        scores[of] = (keys >> 32).astype(np.int32).view(np.float32)
    return items, scores
