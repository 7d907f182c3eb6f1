"""The nearest of every article, exact, beside libraries that find them: in turn, two threads each.

Peers are in the extra ``peers``; without it their rows are left out, which is said. On large sites
peers answer for some rows alone, drawn at random, and their time is multiplied: for so many that
what they do once hardly counts (of 137,053 pages sp_matmul_rs takes four times as long a row for
4,000 rows as for 32,000). It runs with the best of several sizes of its chunks, which its default
is not, over a vocabulary without gaps; and before ours and behind, so that a load that changes
shows.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from scipy.sparse import csr_array, csr_matrix, vstack
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from benchmarks.corpus import table
from recommender.text import neighbours
from recommender.text.tfidf import Text

K, THREADS = 50, 2
# Rows that peers answer for, that scikit-learn does, and with which the result is compared.
N_PEERS, N_BRUTE, N_CHECKED = 32_000, 500, 2_000
# Columns that sp_matmul_rs takes together: None is its default.
CHUNKS = (None, 8_192, 65_536)
# The shape of a text: its words, those of its topic, topics, words of a topic and of the language;
# the most frequent words, which are left out, and those from which on Zipf's law is steeper.
WORDS, OF_TOPIC, TOPICS, TOPIC, VOCABULARY = 249, 100, 2_000, 60, 300_000
FREQUENT, STEEPER = 300, 5_000


# Processor seconds, wall seconds, rows, recall.
Row = tuple[float, float, int, float]


def run() -> None:
    """Print a table a site."""
    full = os.environ.get("FULL") == "1"
    for n in (10_000, 50_000, *((200_000,) if full else ())):
        compared(f"{n:,} synthetic articles", synthetic_rows(n))
    given = os.environ.get("BENCH_MODELS")
    if given:
        for models in given.split(os.pathsep):
            compared(f"{Path(models).parent.name}", rows_of_bundle(Path(models)))
    else:
        print("BENCH_MODELS names no folder of bundles of real sites: their rows are left out\n")


def compared(name: str, rows: csr_matrix) -> None:
    """Ours for all rows; peers for some of them, and the slow product for few."""
    n, random = rows.shape[0], np.random.default_rng(0)
    asked = np.sort(random.choice(n, min(n, N_PEERS), replace=False))
    checked = np.sort(random.choice(len(asked), min(len(asked), N_CHECKED), replace=False))
    best = slow(rows, asked[checked])
    some, turned, text = rows[asked], rows.T.tocsr(), cast("Text", text_of(rows))
    neighbours.neighbours(cast("Text", text_of(rows[:100])), k=K)  # compiled once
    times: list[tuple[str, float, float, int, float]] = []

    def peer(library: str, **options: int) -> Row | None:
        if importlib.util.find_spec(library) is None:
            print(f"{library} is not installed (the extra `peers`): left out")
            return None
        multiply = importlib.import_module(library).sp_matmul_topn
        used, wall, found = spent(
            lambda: multiply(some, turned, top_n=K + 1, n_threads=THREADS, **options)
        )
        return used, wall, len(asked), recall(likenesses(found[checked], asked[checked]), best)

    tried = [({"chunk_cols": size} if size else {}) for size in CHUNKS if not size or size < n]
    first = [(found, each) for each in tried if (found := peer("sp_matmul_rs", **each))]
    used, wall, (_, mine) = spent(lambda: neighbours.neighbours(text, k=K, jobs=THREADS))
    times.append(("recommender, all rows", used, wall, n, recall(mine[asked[checked]], best)))
    if first:
        (used, wall, of, found), options = min(first, key=lambda each: each[0][0])
        again = peer("sp_matmul_rs", **options) or first[0][0]
        size = options.get("chunk_cols", "default")
        times.append((f"sp_matmul_rs, chunks {size}, before", used, wall, of, found))
        times.append((f"sp_matmul_rs, chunks {size}, behind", *again))
    if other := peer("sparse_dot_topn"):
        times.append(("sparse_dot_topn", *other))
    brute = NearestNeighbors(n_neighbors=K + 1, metric="cosine", algorithm="brute", n_jobs=THREADS)
    brute.fit(rows)
    with threadpool_limits(THREADS):
        used, wall, _ = spent(lambda: brute.kneighbors(some[:N_BRUTE]))
    times.append(("scikit-learn, brute force", used, wall, min(n, N_BRUTE), 1.0))
    own, own_wall = times[0][1] / n, times[0][2] / n
    heading = f"{K} nearest, {name}", "rows", "processor s for all", "ratio", "of wall", "recall"
    table(
        heading,
        [
            (
                each,
                f"{of:,}",
                f"{used * n / of:.1f}",
                f"{used / of / own:.2f}",
                f"{wall / of / own_wall:.2f}",
                f"{found:.4f}",
            )
            for each, used, wall, of, found in times
        ],
    )


def spent(job: Callable[[], Any]) -> tuple[float, float, Any]:
    """Processor seconds of all threads, wall seconds, and the result."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    result = job()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return used, wall, result


def slow(rows: csr_matrix, asked: np.ndarray) -> np.ndarray:
    """The likenesses of the nearest of some rows by the full product, ``(n_asked, K)``."""
    best = np.zeros((len(asked), K), dtype=np.float32)
    for start in range(0, len(asked), 128):
        own = asked[start : start + 128]
        dots = (rows[own] @ rows.T).toarray()
        dots[np.arange(len(own)), own] = 0
        best[start : start + 128] = -np.sort(-np.partition(dots, -K, axis=1)[:, -K:], axis=1)
    return best


def likenesses(found: csr_matrix, asked: np.ndarray) -> np.ndarray:
    """Of what a peer found, without the article itself, best first, ``(n_asked, K)``."""
    best = np.zeros((len(asked), K), dtype=np.float32)
    for row, number in enumerate(asked):
        own = slice(found.indptr[row], found.indptr[row + 1])
        values = -np.sort(-found.data[own][found.indices[own] != number])[:K]
        best[row, : len(values)] = values
    return best


def recall(found: np.ndarray, best: np.ndarray) -> float:
    """The share of the slots that are filled with as near an article as can be, up to rounding."""
    used = best > 0
    return float((found >= best * (1 - 1e-5))[used].mean()) if used.any() else 1.0


def text_of(rows: csr_matrix) -> SimpleNamespace:
    """What ``neighbours`` looks at of a text."""
    return SimpleNamespace(
        indptr=rows.indptr.astype(np.int64), indices=rows.indices, weights=rows.data,
        subject_weights=np.zeros(rows.nnz, dtype=np.float32), idf=np.ones(rows.shape[1]),
    )  # fmt: skip


def rows_of_bundle(models: Path) -> csr_matrix:
    """The texts of a live bundle as it weighs them."""
    from recommender.bundle.bundle import load_bundle

    site = load_bundle(models).site
    terms, indices = np.unique(site.indices, return_inverse=True)
    shape = site.n_articles, len(terms)
    return csr_matrix((site.weights, indices.astype(np.int32), site.indptr), shape=shape)


def synthetic_rows(n: int, *, seed: int = 0) -> csr_matrix:
    """TF-IDF rows of length 1 of texts of 249 words: some of 2,000 topics, the others by a Zipf's
    law of two regimes, without the most frequent and those of one text alone.
    """
    random = np.random.default_rng(seed)
    rank = np.arange(1, VOCABULARY + 1, dtype=float)
    chance = np.where(rank <= STEEPER, 1 / rank, STEEPER**0.8 / rank**1.8)
    chance[:FREQUENT] = 0
    reached = np.cumsum(chance / chance.sum())
    words_of = random.integers(FREQUENT, 20_000, size=(TOPICS, TOPIC))
    topic = random.integers(0, TOPICS, n)
    blocks = []
    for start in range(0, n, 10_000):
        m = min(10_000, n - start)
        drawn = np.searchsorted(reached, random.random((m, WORDS - OF_TOPIC)))
        places = random.integers(0, TOPIC, (m, OF_TOPIC))
        own = np.take_along_axis(words_of[topic[start : start + m]], places, axis=1)
        ids = np.concatenate([np.minimum(drawn, VOCABULARY - 1), own], axis=1).ravel()
        ones = np.ones(m * WORDS, dtype=np.float32)
        row = np.repeat(np.arange(m), WORDS)
        blocks.append(csr_array((ones, (row, ids)), shape=(m, VOCABULARY)))
    rows = csr_matrix(vstack(blocks))
    having = np.bincount(rows.indices, minlength=VOCABULARY)
    rows = csr_matrix(rows[:, having > 1])
    idf = np.log((1 + n) / (1 + having[having > 1])) + 1
    weights = (1 + np.log(rows.data)) * idf[rows.indices]
    of = np.repeat(np.arange(n), np.diff(rows.indptr))
    length = np.sqrt(np.bincount(of, weights=weights**2, minlength=n))
    rows.data = (weights / length[of]).astype(np.float32)
    rows.sort_indices()
    return rows
