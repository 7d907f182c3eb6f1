"""Reading texts and comparing all pairs, beside scikit-learn and scipy in the same run; and scoring
pairs, on one thread and on all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors

from benchmarks.corpus import synthetic, table, timed
from recommender.bundle.bundle import load_bundle
from recommender.demo.prepare import sample_site
from recommender.text import compiled, neighbours, tfidf, vectorising

N_ARTICLES = 10_000
K = 50
# Candidates of a page, and slates of a sweep.
N_CANDIDATES, N_SLATES, SLATE = 65, 5_000, 10


def run() -> None:
    """Print all tables."""
    _reading()
    with TemporaryDirectory() as folder:
        models = Path(sample_site(Path(folder) / "site").models)
        _scoring(models)


def _scoring(models: Path) -> None:
    """Processor time of scores, of all threads together, when everything is compiled."""
    bundle, random = load_bundle(models), np.random.default_rng(0)
    pages = [id for id in bundle.lists.ids.column if bundle.lists.row(id) is not None]
    sources = [pages[at] for at in random.integers(0, len(pages), N_SLATES)]
    drawn = random.integers(0, len(pages), (N_SLATES, N_CANDIDATES))
    wide = [[pages[at] for at in row] for row in drawn]
    narrow = [slate[:SLATE] for slate in wide]

    def one_by_one(lists: list[list[str]], n: int) -> Callable[[], None]:
        def scored() -> None:
            for source, slate in zip(sources[:n], lists, strict=False):
                bundle.score(source, slate)

        return scored

    alone = _processor_ms(one_by_one(wide, 200)) / 200
    with mock.patch.object(compiled, "MANY_ROWS", 0):
        woken = _processor_ms(one_by_one(wide, 200)) / 200
    table(
        (f"`score`, {N_CANDIDATES} pairs, warm", "ms of processor time", "ratio"),
        [
            ("recommender", f"{alone:.2f}", f"{alone / woken:.2f}"),
            ("every thread woken", f"{woken:.2f}", "1"),
        ],
    )
    together = _processor_ms(lambda: bundle.score_many(sources, narrow)) / N_SLATES
    apart = _processor_ms(one_by_one(narrow, 500)) / 500
    table(
        (f"slates of {SLATE}", "ms of processor time a slate", "ratio"),
        [
            ("`score_many`", f"{together:.3f}", f"{together / apart:.2f}"),
            ("`score`, one by one", f"{apart:.3f}", "1"),
        ],
    )


def _processor_ms(job: Callable[[], object]) -> float:
    """Milliseconds of all threads, once everything is compiled."""
    job()
    start = time.process_time()
    job()
    return 1000 * (time.process_time() - start)


def _reading() -> None:
    titles, bodies = synthetic(N_ARTICLES)
    nothing: set[int] = set()
    ours, text = timed(
        lambda: tfidf.fit([vectorising.count_block(titles, bodies, nothing)], titles, np.zeros(0))
    )
    texts = [f"{title} {body}" for title, body in zip(titles, bodies, strict=True)]
    peer, _ = timed(lambda: TfidfVectorizer(sublinear_tf=True).fit_transform(texts))
    table(
        ("reading 10,000 texts", "s", "beside scikit-learn"),
        [
            (
                "recommender: texts, title pairs, forms, subjects",
                f"{ours:.2f}",
                f"{ours / peer:.2f}",
            ),
            ("scikit-learn TfidfVectorizer", f"{peer:.2f}", "1"),
        ],
    )
    indptr, indices, weights = tfidf.with_subjects(text)
    rows = csr_array((weights, indices, indptr), shape=(N_ARTICLES, 2 * len(text.idf)))
    neighbours.neighbours(text, k=K)  # compiled once
    ours, (_, mine) = timed(lambda: neighbours.neighbours(text, k=K))
    product, best = timed(lambda: by_blocks(rows), repeat=1)
    brute = NearestNeighbors(n_neighbors=K + 1, metric="cosine", algorithm="brute").fit(rows)
    peer, _ = timed(lambda: brute.kneighbors(rows), repeat=1)
    assert np.allclose(mine, best, atol=1e-5), "the neighbours differ from the slow product's"
    table(
        ("50 nearest of 10,000, exact", "s", "beside scikit-learn"),
        [
            ("recommender", f"{ours:.2f}", f"{ours / peer:.2f}"),
            ("scipy, X @ X.T by blocks", f"{product:.2f}", f"{product / peer:.2f}"),
            ("scikit-learn NearestNeighbors", f"{peer:.2f}", "1"),
        ],
    )


def by_blocks(rows: csr_array) -> np.ndarray:
    """The slow, obvious way: cosines of the ``K`` nearest."""
    best = np.zeros((rows.shape[0], K), dtype=np.float32)
    for start in range(0, rows.shape[0], 512):
        dots = (rows[start : start + 512] @ rows.T).toarray()
        dots[np.arange(len(dots)), np.arange(start, start + len(dots))] = 0
        best[start : start + 512] = -np.sort(-np.partition(dots, -K, axis=1)[:, -K:], axis=1)
    return best
