"""Reading texts and comparing all pairs, beside scikit-learn and scipy in the same run."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors

from benchmarks.corpus import synthetic, table, timed
from recommender.text import neighbours, tfidf

N_ARTICLES = 10_000
K = 50


def run() -> None:
    """Print both tables."""
    titles, bodies = synthetic(N_ARTICLES)
    nothing: set[int] = set()
    ours, text = timed(
        lambda: tfidf.fit([tfidf.count_block(titles, bodies, nothing)], titles, np.zeros(0))
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
