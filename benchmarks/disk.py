"""What a bundle takes on disk and a worker in memory, and how long a new text takes.

Beside each stands what one would write in a weekend: scikit-learn's TF-IDF matrix and the nearest
ten of each page in one joblib file, which every worker loads, and ``query @ X.T`` for new texts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import joblib
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.corpus import synthetic, table
from recommender.bundle.grounds import UNIT
from recommender.bundle.matrix import texts_of
from recommender.bundle.published import first
from recommender.text import tfidf
from recommender.text.vectorising import count_block

FULL = bool(os.environ.get("FULL"))
N_ARTICLES, N_TEXTS, K = 200_000 if FULL else 20_000, 200, 200
BLOCK = 5_000
# Folders of bundles of one's own to measure, between colons.
BUNDLES = os.environ.get("BENCH_BUNDLES", "")
# What a process of the service holds for itself, in kB, and adds by opening a bundle. Pages of
# mapped files are none of it: whoever else maps them shares them.
PRIVATE = """
import gc, sys
from pathlib import Path
import recommender_api.app
from recommender.bundle.activation import tried
def private():
    gc.collect()
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))
before = private()
lists = tried(Path(sys.argv[1]))
for row in range(0, len(lists.stub), 7):
    lists.composed(row)
lists.related_to_text(lists.titles[0], lists.teasers[0])
print(len(lists.stub), private() - before)
"""
WEEKEND = """
import gc, sys
from pathlib import Path
import numpy, scipy.sparse, joblib
def private():
    gc.collect()
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))
before = private()
loaded = joblib.load(sys.argv[1])
print(0, private() - before)
"""


def run() -> None:
    """Print all tables."""
    titles, bodies = synthetic(N_ARTICLES)
    blocks = [
        count_block(titles[at : at + BLOCK], bodies[at : at + BLOCK], set())
        for at in range(0, len(titles), BLOCK)
    ]
    text = tfidf.fit(blocks, titles, np.zeros(0, dtype=np.uint64))
    ours = texts_of(text)
    vectoriser = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
    matrix = vectoriser.fit_transform(map(" ".join, zip(titles, bodies, strict=True)))
    with TemporaryDirectory() as folder:
        _sizes(ours, matrix, Path(folder))
    _new_texts(ours, vectoriser, matrix, titles, bodies)
    for models in filter(None, BUNDLES.split(":")):
        _bundle(Path(models))


def _new_texts(ours, vectoriser, matrix, titles, bodies) -> None:  # type: ignore[no-untyped-def]
    drawn = np.random.default_rng(1).integers(0, len(titles), N_TEXTS).tolist()
    transposed = matrix.T.tocsr()

    def by_ours(row: int) -> np.ndarray:
        rows, alike = ours.vector(titles[row], bodies[row]).alike(UNIT)
        return rows[first(alike, K)]

    def by_weekend(row: int) -> np.ndarray:
        query = vectoriser.transform([f"{titles[row]} {bodies[row]}"])
        found = (query @ transposed).toarray()[0]
        near = np.argpartition(-found, K)[:K]
        return near[np.argsort(-found[near])]

    times: dict[str, list[float]] = {"recommender": [], "query @ X.T, the nearest 200": []}
    for row in drawn:
        for name, job in zip(times, (by_ours, by_weekend), strict=True):
            times[name].append(_processor_ms(lambda job=job, row=row: job(row)))
    floor = median(times["query @ X.T, the nearest 200"])
    table(
        (f"a new text beside {N_ARTICLES:,} of 250 words", "ms, median", "p99", "ratio"),
        [
            (name, f"{median(ms):.1f}", f"{np.percentile(ms, 99):.1f}", f"{median(ms) / floor:.2f}")
            for name, ms in times.items()
        ],
    )


def _processor_ms(job: Callable[[], object]) -> float:
    start = time.process_time_ns()
    job()
    return (time.process_time_ns() - start) / 1e6


def _sizes(ours, matrix, folder: Path) -> None:  # type: ignore[no-untyped-def]
    near = np.random.default_rng(2).integers(0, N_ARTICLES, (N_ARTICLES, 10), dtype=np.int32)
    joblib.dump((matrix, near), folder / "weekend.joblib")
    joblib.dump((matrix, near), folder / "packed.joblib", compress=3)
    arrays = [ours.rows, ours.codes, ours.heads, ours.norms, ours.squares, near]
    rows = [
        ("recommender, mapped", sum(each.nbytes for each in arrays)),
        ("joblib", (folder / "weekend.joblib").stat().st_size),
        ("joblib, compressed", (folder / "packed.joblib").stat().st_size),
    ]
    table(
        (f"matrix and ten links of {N_ARTICLES:,} pages", "MB", "ratio"),
        [(name, f"{size / 1e6:.1f}", f"{size / rows[1][1]:.2f}") for name, size in rows],
    )
    kb = _child(WEEKEND, folder / "weekend.joblib")[1]
    table(("a worker's private memory", "MB"), [("joblib, loaded", f"{kb / 1e3:.1f}")])


def _bundle(folder: Path) -> None:
    """A bundle of one's own: its parts on disk, and what a worker adds to its private memory."""
    sizes: dict[str, int] = {}
    for path in folder.iterdir():
        part = path.name.split("_")[0].split(".")[0]
        sizes[part] = sizes.get(part, 0) + path.stat().st_size
    n_articles, kb = _child(PRIVATE, folder)
    rows = [(part, f"{size / 1e6:.1f}") for part, size in sorted(sizes.items())]
    rows += [("all", f"{sum(sizes.values()) / 1e6:.1f}"), ("private memory", f"{kb / 1e3:.1f}")]
    table((f"bundle of {n_articles:,} pages", "MB"), rows)


def _child(program: str, path: Path) -> tuple[int, int]:
    """What a fresh process prints: pages, and kB."""
    made = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    n_articles, kb = made.stdout.split()
    return int(n_articles), int(kb)
