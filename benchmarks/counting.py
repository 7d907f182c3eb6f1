"""Counting a log of ten links a view on SQLite, beside a cursor that reads the same columns and
throws them away: processor seconds and peak memory. 200,000 views; 5,000,000, which are 50 million
shown links, under ``FULL=1``.

Each way has a process of its own; the statement is that of ``recommender counts --sql``.
"""

from __future__ import annotations

from benchmarks.frames import N_VIEWS, print_beside

FLOOR = """
import sqlite3
store = sqlite3.connect(path)
n = 0
for statement in (
    "SELECT slate, source, list, ordered FROM slates",
    "SELECT slate, item, position, propensity, brought FROM slate_links",
    "SELECT view_id, ts, slate, session, layout, live FROM views",
    "SELECT view_id, item, ts, live FROM clicks",
):
    rows = store.execute(statement)
    while part := rows.fetchmany(100_000):
        n += len(part)
"""
OURS = """
from recommender.store.counts import count
from recommender.store.counts_file import read, write
from recommender.store.database import Store
from pathlib import Path
store = Store('sqlite:///' + path, writing=False)
ids = [f"health/article-{key:05}" for key in range(1, 2001)]
counts = Path(path).with_name('counts.parquet')
"""
WAYS = {
    "floor: rows read and thrown away": FLOOR,
    "counted in the store": OURS + "n = int(count(store, ids).n_views.sum())",
    "counted by the statement, to Parquet": OURS + "n = write(store, counts)",
    "counts read from Parquet": OURS + "n = int(read(counts).log(ids, until=2**62).n_views.sum())",
}


def run() -> None:
    """Print the table."""
    print_beside(WAYS, f"{10 * N_VIEWS:,} shown links")
