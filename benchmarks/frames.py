"""Data frames of a log: processor seconds and memory, whole and in pieces, beside a cursor that
reads the same rows into arrays, or throws them away. 200,000 views, five million under ``FULL=1``;
``BENCH_VIEWS`` changes how many.

The log is what a site of 2,000 articles makes that shows ten links and shuffles them in a fifth of
the views, so that a million slates are seen once; a view in twenty is followed. Each way of reading
has a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.corpus import table

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
    print_beside(WAYS, f"{N_VIEWS:,} views")


def print_beside(ways: Mapping[str, str], heading: str) -> None:
    """Run each of these jobs on a log of ``N_VIEWS`` in a process of its own, and print them beside
    the first.
    """
    rows = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "site.db"
        # In a process of its own, because a new process takes over the peak of its parent.
        subprocess.run([sys.executable, "-c", FILL, str(path), str(N_VIEWS)], check=True)
        floor = 0.0
        for way, job in ways.items():
            printed = subprocess.run(
                [sys.executable, "-c", MEASURE.format(job=job), str(path)],
                check=True, capture_output=True, text=True,
            ).stdout.split()  # fmt: skip
            n, seconds, peak = int(printed[0]), float(printed[1]), float(printed[2])
            floor = floor or seconds
            rows.append((way, f"{n:,}", f"{seconds:.1f}", f"{seconds / floor:.1f}", f"{peak:.2f}"))
    table((heading, "rows", "processor seconds", "ratio", "peak memory, GB"), rows)
