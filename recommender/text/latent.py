"""What texts are about beyond the words they share: latent semantic analysis, kinds set aside.

Two pages on one subject may have few words in common. The singular vectors of the TF-IDF matrix put
words that stand together into one direction (Deerwester et al., JASIS 1990). Two things are added.
Answers to one kind of question are alike whatever they are about ("X is inherited in an autosomal
..."), so each kind's mean is taken off its answers; and a page takes half its place from its
nearest neighbours, which know more words of its subject than it does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from recommender.candidates import EMPTY
from recommender.text.tfidf import Text

# So many directions as the square root of the number of articles times this: 16 of 400, 100 of
# 16,000. Few tell topics apart, many no more than words do (benchmarks/README.md, "Text").
PER_ROOT = 0.8
MAX_DIRECTIONS = 100
# A smaller site has no more topics than words.
MIN_ARTICLES = 50
# Neighbours that a page is smoothed by. Of 5, 10 and 20, 10 was as good as any.
N_SMOOTHED = 10
# Kinds of fewer articles have no mean to speak of. Not tuned.
MIN_KIND = 10
# Articles that directions are learned from, at most; all have a place along them.
N_FITTED = 50_000
# Steps of the subspace iteration, and directions that are carried along beyond those wanted: as
# scikit-learn has them. Cosines of topics then are within .01 of what many steps lead to.
N_STEPS, N_BEYOND = 4, 10
# Squares of singular values below this part of the largest are what rounding leaves.
LEAST_SQUARE = 1e-10
# Articles that are placed at once, or rows multiplied: bounds the memory.
BLOCK = 4_000


def latent(text: Text, near: np.ndarray, likeness: np.ndarray, *, seed: int) -> np.ndarray:
    """Each article's place among topics, of length 1 or all 0, ``(n_articles, n_directions)``;
    ``near`` and ``likeness`` are its neighbours ``(n_articles, k)``. A small site has none.
    """
    n = len(near)
    size = min(MAX_DIRECTIONS, int(PER_ROOT * n**0.5))
    if n < MIN_ARTICLES or len(text.idf) <= size:
        return np.zeros((n, 1), dtype=np.float32)
    from scipy.sparse import csr_array
    from threadpoolctl import threadpool_limits

    heads = text.indptr
    if heads[-1] <= np.iinfo(np.int32).max:  # or the indices of all entries are copied
        heads = heads.astype(np.int32)
    matrix = csr_array((text.weights, text.indices, heads), shape=(n, len(text.idf)))
    with threadpool_limits(1):  # what is dense is small, and threads that wait for it spin
        directions = _directions(matrix, size, seed)
    place = np.empty((n, directions.shape[1]), dtype=np.float32)
    for rows in _blocks(n):
        place[rows] = matrix[rows] @ directions
    _without_kinds(place, text.kind)
    for rows in _blocks(n):
        place[rows] = _unit(place[rows])
    near, likeness = near[:, :N_SMOOTHED], likeness[:, :N_SMOOTHED]
    found = np.empty_like(place)
    for rows in _blocks(n):
        share = likeness[rows] / np.maximum(likeness[rows].sum(axis=1, keepdims=True), 1e-9)
        share = np.where(near[rows] == EMPTY, 0, share).astype(np.float32)
        heads = np.arange(len(share) + 1) * share.shape[1]
        ways = csr_array((share.ravel(), np.maximum(near[rows], 0).ravel(), heads), (len(share), n))
        found[rows] = _unit(place[rows] + ways @ place)
    return found


def carried(
    before: np.ndarray, place: np.ndarray, near: np.ndarray, likeness: np.ndarray
) -> np.ndarray:
    """Places among topics after some articles changed, ``(n_articles, n_directions)``: the others
    stay where they were ``before``, and a changed one stands where its nearest of these do.
    ``place``, ``(n_before,)``, is the row that each has now, ``EMPTY`` if it is gone or changed.
    """
    old = np.flatnonzero(place != EMPTY)
    is_known = np.zeros(len(near), dtype=bool)
    is_known[place[old]] = True
    found = np.zeros((len(near), before.shape[1]), dtype=np.float32)
    found[place[old]] = before[old]
    new = np.flatnonzero(~is_known)
    items = near[new, :N_SMOOTHED]
    share = np.where((items != EMPTY) & is_known[items], likeness[new, :N_SMOOTHED], 0)
    found[new] = _unit((share.astype(np.float32)[:, :, None] * found[items]).sum(axis=1))
    return found


def _directions(matrix: Any, size: int, seed: int) -> np.ndarray:
    """The first ``size`` right singular vectors of a sparse ``matrix``, ``(n_terms, size)``, or as
    many as it has, learned from some of its rows if it has very many.

    Randomised subspace iteration (Halko, Martinsson & Tropp 2011, "Finding structure with
    randomness", algorithm 4.4). What it holds beside the rows is as long as they are; small
    matrices alone are decomposed, where scikit-learn decomposes ``(n_terms, size)``.
    """
    random = np.random.default_rng(seed)
    n, n_terms = matrix.shape
    if n > N_FITTED:
        matrix = matrix[np.sort(random.permutation(n)[:N_FITTED])]
    back = matrix.T
    found = random.standard_normal((n_terms, size + N_BEYOND), dtype=np.float32)
    for _ in range(N_STEPS + 1):
        # One after the other, so that the last is not held with the next: they are long.
        found = matrix @ found
        found = _orthonormal(found)
        found = back @ found
    values, vectors = _axes(found)
    return found @ (vectors[:, ::-1] / np.sqrt(values[::-1]))[:, :size].astype(np.float32)


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span what ``columns``, ``(n, size)``, do."""
    values, vectors = _axes(columns)
    return columns @ (vectors / np.sqrt(values)).astype(np.float32)


def _axes(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The squares of the singular values of ``columns``, ``(n, size)``, ascending, and their right
    singular vectors; without those that are no more than what rounding leaves.
    """
    products = np.zeros((columns.shape[1],) * 2)
    for rows in _blocks(len(columns)):
        some = columns[rows].astype(np.float64)
        products += some.T @ some
    values, vectors = np.linalg.eigh(products)
    real = values > values[-1] * LEAST_SQUARE
    return values[real], vectors[:, real]


def _blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, BLOCK):
        yield slice(start, min(start + BLOCK, n))


def _without_kinds(place: np.ndarray, kind: np.ndarray) -> None:
    """Move every kind to the mean of all, ``place`` itself, ``(n_articles, n_directions)``."""
    from scipy.sparse import csr_array

    n, number = len(place), np.where(kind == EMPTY, kind.max(initial=EMPTY) + 1, kind)
    times = np.bincount(number)
    one = csr_array((np.ones(n, dtype=np.float32), number, np.arange(n + 1)), (n, len(times)))
    mean = (one.T @ place) / np.maximum(times, 1)[:, None]
    moved = place.mean(axis=0) - mean
    moved[times < MIN_KIND] = 0
    moved[kind.max(initial=EMPTY) + 1 :] = 0
    moved = moved.astype(np.float32)
    for rows in _blocks(n):
        place[rows] += moved[number[rows]]


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.sqrt((rows**2).sum(axis=1, keepdims=True)), 1e-9)
