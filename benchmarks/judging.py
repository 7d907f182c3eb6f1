"""What scoring and judging lists take beside scikit-learn and beside a loop over slates."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import sklearn
from scipy.sparse import random_array
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from benchmarks.corpus import table
from recommender.evaluation import metrics
from recommender.ragged import ranks
from recommender.ranking.boosting import Forest, laid_out
from recommender.ranking.features import FEATURES
from recommender.text import latent

Row = tuple[str, ...]

N_ROWS, N_TREES = 20_000, 300
N_SLATES, N_LINKS, K = 50_000, 10, 10
N_REPEATS = 5


def run() -> None:
    """Print processor time of each way, medians of interleaved repeats, and their ratios."""
    print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}\n")
    rows = [*_trees(), *_slates(), *_topics()]
    table(("job", "processor ms", "peer or floor", "its processor ms", "of its time"), rows)


def _row(job: str, ours: Callable[[], object], peer: str, theirs: Callable[[], object]) -> Row:
    """One row: both ways by turns, after one of each."""
    ours()
    theirs()
    both = np.median([(_ms(ours), _ms(theirs)) for _ in range(N_REPEATS)], axis=0)
    return job, f"{both[0]:,.2f}", peer, f"{both[1]:,.2f}", f"{both[0] / both[1]:.3f}"


def _ms(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return 1000 * (time.process_time() - start)


def _trees() -> list[Row]:
    """As many features and trees as a ranker learned from a long log has."""
    random = np.random.default_rng(0)
    seen = random.normal(size=(N_ROWS, len(FEATURES))).astype(np.float32)
    model = HistGradientBoostingRegressor(max_iter=N_TREES, early_stopping=False, random_state=0)
    with threadpool_limits(1):
        model.fit(seen, seen[:, :5].sum(axis=1) * seen[:, 5])
        forest = laid_out(model, seen[:500])
        return [_of_trees(forest, model, seen[:n]) for n in (65, N_ROWS)]


def _of_trees(forest: Forest, model: HistGradientBoostingRegressor, seen: np.ndarray) -> Row:
    return _row(
        f"{len(seen):,} pairs through {N_TREES} trees",
        lambda: forest.predict(seen),
        "scikit-learn's predict, one thread",
        lambda: model.predict(seen),
    )


def _slates() -> list[Row]:
    """Ranks and all metrics of slates of which one link each was followed, under given scores."""
    random = np.random.default_rng(0)
    slate = np.repeat(np.arange(N_SLATES), N_LINKS)
    score, tie = random.normal(size=(2, len(slate)))
    size, view = np.full(N_SLATES, N_LINKS), np.arange(N_SLATES)
    followed = view * N_LINKS + random.integers(N_LINKS, size=N_SLATES)

    def judged() -> None:
        place = ranks(slate, score, tie)[followed]
        for metric in metrics.columns(K).values():
            metric(place, view, size)

    def by_loop() -> None:
        for number in view.tolist():
            first = number * N_LINKS
            own = score[first : first + N_LINKS]
            place = 1 + (own > score[followed[number]]).sum()
            _ = 1 / np.log2(1 + place) if place <= K else 0.0

    return [
        _row(f"{N_SLATES:,} slates judged by all metrics", judged, "a loop, nDCG alone", by_loop)
    ]


def _topics() -> list[Row]:
    """The directions of 20,000 articles of 100 of 30,000 terms, scikit-learn's as many."""
    random = np.random.default_rng(0)
    terms = (random.random((N_ROWS, 100)) ** 3 * 30_000).astype(np.int64)
    matrix = random_array((N_ROWS, 30_000), density=100 / 30_000, rng=random, dtype=np.float32)
    matrix = matrix.tocsr()
    matrix.indices = np.sort(terms.ravel()[: matrix.nnz]).astype(matrix.indices.dtype)
    random.shuffle(matrix.indices)
    matrix.sum_duplicates()
    peer = TruncatedSVD(latent.MAX_DIRECTIONS, n_iter=latent.N_STEPS, random_state=0)
    with threadpool_limits(1):
        return [
            _row(
                f"topics of {N_ROWS:,} articles",
                lambda: matrix @ latent._directions(matrix, latent.MAX_DIRECTIONS, 0),
                "TruncatedSVD, one thread",
                lambda: peer.fit_transform(matrix),
            )
        ]
