"""Exact neighbours of every article, without an n-by-n matrix, and near-duplicates.

The product of all rows with all rows is walked in tiles of columns, and each row keeps only its
``k`` best. Near-duplicates fall out of the same pass: pairs whose cosine is close to 1.
"""

from __future__ import annotations

import numpy as np

from recommender.candidates import EMPTY
from recommender.progress import Progress, Silent
from recommender.ragged import clusters
from recommender.text.loops import pair_dots, postings, tile_top
from recommender.text.tfidf import Text, with_subjects

# Columns of the product looked at together: their sums stay in the cache of one core.
TILE = 8192
Rows = tuple[np.ndarray, np.ndarray, np.ndarray]
# Rows handed to the compiled loop at once: small enough that progress shows.
ROWS = 16_384
# Where there are more articles than this, neighbours are looked for without the terms that more
# than a tenth of them have, which take most of the time: on 137,053 articles 65.7 % of the links
# that editors picked are found so, 65.9 % by all terms (benchmarks/README.md, "Text").
LARGE = 20_000
SEARCHED = 0.1
# Read by eye on 16,000 health pages (DECISIONS.md, "Near-duplicates"): the whole text must be the
# same but for a word or two, and the title must speak of the same thing, because health sites
# give one answer to "Is X inherited?" for a hundred X.
NEAR_DUPLICATE = 0.95
NEAR_TITLE = 0.5  # likewise


def neighbours(
    text: Text,
    *,
    k: int,
    asked: np.ndarray | None = None,
    among: np.ndarray | None = None,
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` most similar articles of each, best first, never itself.

    Returns items and likenesses, both ``(n_articles, k)``: the cosine of the texts and what the
    subjects of the titles add to it, so that questions about one thing are neighbours although
    their answers have no word in common. What shares no term with an article is no neighbour of it,
    and its slots hold ``EMPTY`` and 0. Of equal ones the one with the smaller number comes first.
    Only articles that are ``asked`` have neighbours, ``among`` these; both are ``(n_articles,)``,
    and all by default.
    """
    progress = progress or Silent()
    whole = with_subjects(text)
    n, n_terms = len(text.indptr) - 1, 2 * len(text.idf)
    searched = _without_common(whole, n_terms) if n > LARGE else whole
    sources = searched if asked is None else _rows_of(searched, asked)
    targets = searched if among is None else _rows_of(searched, among)
    best = np.full((n, k), EMPTY, dtype=np.int32)
    score = np.zeros((n, k), dtype=np.float32)
    tiles = range(0, n, TILE)
    progress.stage("comparing articles", len(tiles))
    for first in tiles:
        last = min(first + TILE, n)
        posts = postings(*targets, first, last, n_terms)
        for start in range(0, n, ROWS):
            stop = min(start + ROWS, n)
            tile_top(*sources, *posts, first, last, start, stop, k, best, score)
        progress.advance()
    return (best, score) if searched is whole else _in_order(whole, best)


def _without_common(matrix: Rows, n_terms: int) -> Rows:
    """The matrix without the terms that more than ``SEARCHED`` of its rows have."""
    indptr, indices, _ = matrix
    few = np.bincount(indices, minlength=n_terms) <= SEARCHED * (len(indptr) - 1)
    return _with_entries(matrix, few[indices])


def _rows_of(matrix: Rows, chosen: np.ndarray) -> Rows:
    """The matrix with all rows empty but the chosen ones."""
    return _with_entries(matrix, np.repeat(chosen, np.diff(matrix[0])))


def _with_entries(matrix: Rows, kept: np.ndarray) -> Rows:
    """The matrix with the entries alone that are ``kept``, ``(n_entries,)``."""
    indptr, indices, weights = matrix
    before = np.concatenate([[0], np.cumsum(kept)]).astype(indptr.dtype)
    return before[indptr], indices[kept], weights[kept]


def _in_order(matrix: Rows, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What was found, by all terms: items and likenesses, ``(n_articles, k)``, best first."""
    sources = np.repeat(np.arange(len(items)), items.shape[1])
    found = items.ravel().astype(np.int64)
    score = pair_dots(*matrix, sources, found).reshape(items.shape)
    last = np.where(items == EMPTY, np.iinfo(np.int32).max, items)
    order = np.lexsort((last, -score))
    return np.take_along_axis(items, order, axis=1), np.take_along_axis(score, order, axis=1)


def near_duplicates(text: Text, items: np.ndarray) -> np.ndarray:
    """The cluster of each article, ``(n,)``: the smallest number among its near-duplicates.

    ``items`` are the neighbours. Articles linked by a chain of near-duplicate pairs form one
    cluster; an article without any is a cluster of its own.
    """
    n = len(items)
    rows, slots = np.nonzero(items != EMPTY)
    others = items[rows, slots].astype(np.int64)
    whole = pair_dots(text.indptr, text.indices, text.weights, rows, others)
    close = whole >= NEAR_DUPLICATE
    rows, others = rows[close], others[close]
    titles = pair_dots(text.indptr, text.indices, text.title_weights, rows, others)
    same = titles >= NEAR_TITLE
    return clusters(n, rows[same], others[same])
