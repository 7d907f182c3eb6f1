"""Counting and weighing texts beside scikit-learn's TfidfVectorizer, where both give one result.

The same tokens, weights and idf: without titles, which are a term of their own here, and with
numbers that weigh as words do. scikit-learn gets the tokens by the regular expression where that is
all there is to them, else by ``terms``. Processor seconds on one thread, interleaved, medians.
"""

from __future__ import annotations

import gzip
import json
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from unittest import mock

import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer
from threadpoolctl import threadpool_limits

from benchmarks.corpus import REAL, synthetic, table
from recommender.text import tfidf, vectorising
from recommender.text.terms import FUNCTION_WORDS, WORD, terms
from recommender.text.tfidf import Text
from recommender.training.pipeline import COUNT_BLOCK

N_ARTICLES = 20_000
REPEAT = 3
NOTHING = np.zeros(0, dtype=np.uint64)


def run() -> None:
    """Print a table for synthetic texts, and one for real ones where they are there."""
    names = ("numpy", "scipy", "scikit-learn", "numba")
    print(f"{platform.machine()}, Python {platform.python_version()}, one thread;", end=" ")
    print(", ".join(f"{name} {version(name)}" for name in names), "\n")
    plain = TfidfVectorizer(
        token_pattern=WORD.pattern, stop_words=sorted(FUNCTION_WORDS), sublinear_tf=True
    )
    exact = TfidfVectorizer(analyzer=terms, sublinear_tf=True)
    with threadpool_limits(1), mock.patch.object(tfidf, "NUMBER", 1.0):
        _compare("synthetic texts", synthetic(N_ARTICLES)[1], plain, "its regular expression")
        path = REAL / "medquad" / "articles.jsonl.gz"
        if not path.exists():
            print("no real texts here (BENCH_DATA)")
            return
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            bodies = [json.loads(line).get("body") or "" for line in lines]
        _compare("health questions", bodies, exact, "`terms` as its analyzer")


def _compare(name: str, bodies: Sequence[str], peer: TfidfVectorizer, how: str) -> None:
    titles = [""] * len(bodies)

    def ours() -> Text:
        starts = range(0, len(bodies), COUNT_BLOCK)
        pairs = [(titles[s : s + COUNT_BLOCK], bodies[s : s + COUNT_BLOCK]) for s in starts]
        return tfidf.fit([vectorising.count_block(*each, set()) for each in pairs], titles, NOTHING)

    def one_by_one() -> Text:
        return tfidf.fit([tfidf.count_block(titles, bodies, set())], titles, NOTHING)

    default = TfidfVectorizer(sublinear_tf=True)
    jobs: dict[str, Callable[[], object]] = {
        "**recommender**": ours,
        f"TfidfVectorizer, the same result, {how}": lambda: peer.fit_transform(bodies),
        "TfidfVectorizer, its own tokens": lambda: default.fit_transform(bodies),
        "recommender, text by text": one_by_one,
    }
    ours()  # compiled once
    taken: dict[str, list[float]] = {job: [] for job in jobs}
    results: dict[str, object] = {}
    for _ in range(REPEAT):
        for job, work in jobs.items():
            start = time.process_time()
            results[job] = work()
            taken[job].append(time.process_time() - start)
    found, _, _, slow = results.values()
    _check(found, results[[*jobs][1]], peer)  # type: ignore[arg-type]
    assert found.weights.tobytes() == slow.weights.tobytes()  # type: ignore[attr-defined]
    seconds = {job: float(np.median(each)) for job, each in taken.items()}
    bar = seconds[[*jobs][1]]
    size = sum(map(len, bodies)) / 1e6
    table(
        (f"{len(bodies):,} {name}, {size:.0f} MB", "processor seconds", "times as fast"),
        ((job, f"{each:.2f}", f"{bar / each:.2f}") for job, each in seconds.items()),
    )


def _check(text: Text, rows: csr_array, peer: TfidfVectorizer) -> None:
    """The same vocabulary and idf, and the same weights of all terms that two texts have."""
    assert text.vocabulary == peer.get_feature_names_out().tolist()
    assert np.allclose(text.idf, peer.idf_, rtol=1e-6)
    shape = len(text.indptr) - 1, len(text.vocabulary)
    shared = csr_array((np.ones(rows.nnz), rows.indices, rows.indptr), shape=shape).sum(axis=0) > 1
    mine = csr_array((text.weights, text.indices, text.indptr), shape=shape)
    other = csr_array(rows)[:, shared]
    assert abs(mine[:, shared] - other).max() < 1e-6
    assert mine.nnz == other.nnz
