"""Data frames of a log: processor seconds and memory, whole and in pieces, beside a cursor that
reads the same rows into arrays, or throws them away. 200,000 views, five million under ``FULL=1``;
``BENCH_VIEWS`` changes how many.

The log is what a site of 2,000 articles makes that shows ten links and shuffles them in a fifth of
the views, so that a million slates are seen once; a view in twenty is followed. Each way of reading
has a process of its own.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.corpus import table
from recommender.store.database import Store

N_VIEWS = int(os.environ.get("BENCH_VIEWS", 5_000_000 if os.environ.get("FULL") else 200_000))
N_ARTICLES = 2_000
N_LINKS = 10
DAYS = 60
FIRST_MS = 1_788_220_800_000
BLOCK = 100_000

FLOOR = """
import sqlite3
rows = sqlite3.connect(path).execute(
    "SELECT v.view_id, v.ts, s.source, v.slate, s.ordered, v.session, s.list, v.layout, v.arm, "
    "v.variant FROM views v JOIN slates s ON s.slate = v.slate ORDER BY v.ts, v.view_id")
n = 0
while part := rows.fetchmany(100_000):
    n += len(part)
links = sqlite3.connect(path).execute(
    "SELECT slate, item, propensity, origin FROM slate_links ORDER BY slate, rank")
while links.fetchmany(100_000):
    pass
"""
ARRAYS = """
import sqlite3
import numpy as np, pyarrow as pa
def read(statement, types):
    rows = sqlite3.connect(path).execute(statement)
    while part := rows.fetchmany(100_000):
        yield [pa.array(values, type) for values, type in zip(zip(*part), types)]
text, whole = pa.string(), pa.int64()
views = [*read(
    "SELECT v.view_id, v.ts, s.source, v.slate, s.ordered, v.session, s.list, v.layout, v.arm, "
    "v.variant FROM views v JOIN slates s ON s.slate = v.slate ORDER BY v.ts, v.view_id",
    [text, whole, whole, whole, whole, text, text, text, text, whole])]
links = [*read("SELECT slate, item, propensity, origin FROM slate_links ORDER BY slate, rank",
               [whole, whole, pa.float64(), text])]
n = sum(len(part[0]) for part in views)
"""
SITE = "import recommender; site = recommender.connect('sqlite:///' + path)\n"
WAYS = {
    "floor: rows read into arrays of Arrow": ARRAYS,
    "the same rows read and thrown away": FLOOR,
    "impressions(), whole": SITE + "n = len(site.impressions())",
    "impressions(), in pieces of 100,000": SITE
    + "n = sum(len(piece) for piece in site.impressions(chunk_size=100_000))",
    "impressions(), four columns": SITE
    + "n = len(site.impressions(columns=['ts', 'source_id', 'slate', 'layout']))",
    "impressions(), one day of sixty": SITE
    + "n = len(site.impressions(since='2026-09-30', until='2026-10-01'))",
    "clicks()": SITE + "n = len(site.clicks())",
    "slates()": SITE + "n = len(site.slates())",
    "daily_counts()": SITE + "n = len(site.daily_counts())",
}
FILL = """
import sys
from pathlib import Path
from benchmarks.frames import fill
fill(Path(sys.argv[1]), int(sys.argv[2]))
"""
MEASURE = """
import re, sys, time
import pandas, pyarrow.dataset, recommender, recommender.frames.site, recommender.store.counts_file
path = sys.argv[1]
start = time.process_time()
{job}
seconds = time.process_time() - start
# Not ru_maxrss, which a new process takes over from its parent.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024 ** 2
print(n, seconds, peak)
"""


def run() -> None:
    """Print the table."""
    rows = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "site.db"
        # In a process of its own, because a new process takes over the peak of its parent.
        subprocess.run([sys.executable, "-c", FILL, str(path), str(N_VIEWS)], check=True)
        floor = 0.0
        for way, job in WAYS.items():
            printed = subprocess.run(
                [sys.executable, "-c", MEASURE.format(job=job), str(path)],
                check=True, capture_output=True, text=True,
            ).stdout.split()  # fmt: skip
            n, seconds, peak = int(printed[0]), float(printed[1]), float(printed[2])
            floor = floor or seconds
            rows.append((way, f"{n:,}", f"{seconds:.1f}", f"{seconds / floor:.1f}", f"{peak:.2f}"))
    table((f"{N_VIEWS:,} views", "rows", "processor seconds", "ratio", "peak memory, GB"), rows)


def fill(path: Path, n_views: int) -> None:
    """A store with so many views, written as the store's own recording writes them."""
    Store(f"sqlite:///{path}").close()
    random = np.random.default_rng(0)
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF")
    ids = [(key, f"health/article-{key:05}") for key in range(1, N_ARTICLES + 1)]
    connection.executemany("INSERT INTO ids VALUES (?, ?)", ids)
    lists = np.argsort(random.random((N_ARTICLES, 200)), axis=1)[:, :N_LINKS]
    lists = 1 + (lists + np.arange(N_ARTICLES)[:, None]) % N_ARTICLES
    shuffled = random.random(n_views) < 0.2
    source = random.integers(0, N_ARTICLES, n_views)
    slate = np.where(shuffled, N_ARTICLES + np.cumsum(shuffled), source + 1)
    orders = np.argsort(random.random((int(shuffled.sum()), N_LINKS)), axis=1)
    drawn = np.take_along_axis(lists[source[shuffled]], orders, axis=1)
    _slates(connection, 1, np.arange(N_ARTICLES), lists, "hand-picked", None)
    _slates(connection, N_ARTICLES + 1, source[shuffled], drawn, "shuffled", 1 / N_LINKS)
    ts = FIRST_MS + np.sort(random.integers(0, DAYS * 86_400_000, n_views))
    connection.executemany(
        "INSERT INTO views (view_id, ts, slate, session, layout, arm) VALUES (?, ?, ?, ?, ?, '')",
        _views(ts, slate),
    )
    followed = np.flatnonzero(random.random(n_views) < 0.05)
    item = lists[source[followed], random.integers(0, N_LINKS, len(followed))]
    names = (_view_id(int(ts[at]), int(at)) for at in followed)
    connection.executemany(
        "INSERT INTO clicks (view_id, item, ts) VALUES (?, ?, ?)",
        zip(names, item.tolist(), (ts[followed] + 9_000).tolist(), strict=True),
    )
    connection.commit()
    connection.close()


def _slates(
    connection: sqlite3.Connection,
    first: int,
    source: np.ndarray,
    items: np.ndarray,
    name: str,
    chance: float | None,
) -> None:
    numbers = range(first, first + len(source))
    connection.executemany(
        "INSERT INTO slates VALUES (?, ?, ?, ?, 1)",
        (
            (number, number.to_bytes(16, "big"), key + 1, name)
            for number, key in zip(numbers, source.tolist(), strict=True)
        ),
    )
    connection.executemany(
        "INSERT INTO slate_links (slate, rank, item, position, propensity) VALUES (?, ?, ?, ?, ?)",
        (
            (number, rank, item, rank, chance)
            for number, row in zip(numbers, items.tolist(), strict=True)
            for rank, item in enumerate(row, start=1)
        ),
    )


def _views(ts: np.ndarray, slate: np.ndarray) -> Iterator[tuple[object, ...]]:
    for start in range(0, len(ts), BLOCK):
        part = slice(start, start + BLOCK)
        rows = zip(ts[part].tolist(), slate[part].tolist(), strict=True)
        for number, (moment, shown) in enumerate(rows, start=start):
            layout = "bottom" if number % 3 else "sidebar"
            yield _view_id(moment, number), moment, shown, f"s{number // 2:08x}", layout


def _view_id(moment: int, number: int) -> str:
    """Beginning with the time, as the widget's do."""
    return f"{moment:012x}{number:012x}"
