"""Durable event posts: group commit beside one transaction a request, in one process, without a
network, and beside what the same requests cost when nothing is stored. ``imports``: events out of
files, in processor time, beside reading the files alone and beside SQLite's inserting alone.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.corpus import table
from recommender.articles.reader import read_articles
from recommender.config import Settings
from recommender.demo.readers import PAGES
from recommender.errors import StoreError
from recommender.events.ingest import Incoming
from recommender.events.reader import EventReader
from recommender.store.database import Store
from recommender.store.event_writer import EventWriter
from recommender.store.group_commit import Outcome
from recommender.store.import_events import import_events
from recommender.training.pipeline import build

# Of each way in turn, and how often: the disk is others' too, and its pace changes by the minute.
SECONDS, ROUNDS = 0.6, 9
CONNECTIONS = (1, 32, 128)
# Of a log; an event is one impression of ten links or one click, of which every fifth is one.
N_EVENTS, N_PAGES, SLATES_A_PAGE, N_SHOWN = 100_000, 5_000, 2, 10
NOW = datetime(2026, 11, 22, tzinfo=UTC)


class OneByOne:
    """A transaction for every request, in threads that take turns."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.writer = EventWriter()
        self.turn = threading.Lock()

    def add(
        self,
        events: Sequence[Incoming],
        done: Callable[[Outcome], None],
        tallies: Mapping[str, int] | None = None,
    ) -> bool:
        asyncio.get_running_loop().run_in_executor(None, self._write, events, done)
        return True

    def _write(self, events: Sequence[Incoming], done: Callable[[Outcome], None]) -> None:
        try:
            with self.turn, self.store.transaction() as connection:
                new = self.writer.write(connection, events).new
        except StoreError as exc:
            done(exc)
        else:
            done([*new])


class Nowhere:
    """Answers that it is done, and does nothing."""

    def add(
        self,
        events: Sequence[Incoming],
        done: Callable[[Outcome], None],
        tallies: Mapping[str, int] | None = None,
    ) -> bool:
        done([True] * len(events))
        return True


def run() -> None:
    """Print the table of posts."""
    from recommender_api.app import create_app

    rows = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'store.db'}"
        with Store(url) as store:
            store.apply(read_articles([PAGES]))
            build(store, folder / "models", now=NOW)
        settings = Settings(database=url, models=folder / "models", event_rate=0)
        app = create_app(settings, clock=lambda: datetime.now(UTC))
        group = app.stored.journal  # type: ignore[attr-defined]
        ways = {
            "recommender, group commit": group,
            "one transaction a request": OneByOne(app.stored.store),  # type: ignore[attr-defined]
            "floor: not stored": Nowhere(),
        }
        for n in CONNECTIONS:
            found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
            for turn in range(ROUNDS):
                for way, journal in ways.items():
                    app.stored.journal = journal  # type: ignore[attr-defined]
                    found[way].append(asyncio.run(_load(app, n, f"{way[:3]}{n}-{turn}")))
            slow, fast = found["one transaction a request"], found["floor: not stored"]
            for way, each in found.items():
                rate, p99 = (median(column) for column in zip(*each, strict=True))
                rows.append(
                    (way, str(n), f"{rate:,.0f}", f"{p99:.1f}", f"{_ratio(each, slow):.1f}",
                     f"{_ratio(each, fast):.2f}")
                )  # fmt: skip
        app.stored.journal = group  # type: ignore[attr-defined]
        app.stored.close()  # type: ignore[attr-defined]
    heading = (
        "POST /v1/events, one event each",
        "at once",
        "requests/s",
        "p99 ms",
        "ratio",
        "floor",
    )
    table(heading, rows)


def _ratio(ones: list[tuple[float, float]], others: list[tuple[float, float]]) -> float:
    return median(one / other for (one, _), (other, _) in zip(ones, others, strict=True))


def imports() -> None:
    """Print the table of imports."""
    import pyarrow as arrow
    from pyarrow import parquet

    with TemporaryDirectory() as name:
        folder = Path(name)
        rows = _log()
        names = dict.fromkeys(name for row in rows for name in row)
        whole = [{name: row.get(name) for name in names} for row in rows]
        parquet.write_table(arrow.Table.from_pylist(whole), folder / "log.parquet")
        (folder / "log.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        lines = (folder / "log.jsonl").read_text().splitlines()
        ways: dict[str, Callable[[], object]] = {
            "`import events`, Parquet": lambda: _imported(folder, "log.parquet"),
            "`import events`, JSON Lines": lambda: _imported(folder, "log.jsonl"),
            "floor: pyarrow reads the Parquet": lambda: parquet.read_table(folder / "log.parquet"),
            "floor: json reads the lines": lambda: [json.loads(line) for line in lines],
            "floor: SQLite inserts the rows": lambda: _inserted(folder, rows),
        }
        took: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(3):
            for way, job in ways.items():
                start = time.process_time()
                job()
                took[way].append(time.process_time() - start)
    floor = median(took["floor: SQLite inserts the rows"])
    table(
        (f"{N_EVENTS:,} events", "events in a second of processor time", "beside inserting"),
        [
            (way, f"{N_EVENTS / median(each):,.0f}", f"{median(each) / floor:.1f}")
            for way, each in took.items()
        ],
    )


def _log() -> list[dict[str, Any]]:
    chance = random.Random(0)
    pages = [f"page-{number:05d}" for number in range(N_PAGES)]
    lists = [[chance.sample(pages, N_SHOWN) for _ in range(SLATES_A_PAGE)] for _ in pages]
    rows: list[dict[str, Any]] = []
    ts = 1_795_000_000_000
    for number in range(N_EVENTS):
        ts += chance.randrange(50, 150)
        if number % 5 == 4:
            seen = rows[-1]
            rows.append({"type": "click", "view_id": seen["view_id"], "ts": ts,
                         "clicked": chance.choice(seen["shown"])})  # fmt: skip
        else:
            page = int(N_PAGES * chance.random() ** 2)
            view, session = f"{ts:x}-{chance.getrandbits(48):012x}", f"s{chance.getrandbits(40):x}"
            rows.append(
                {"type": "impression", "view_id": view, "ts": ts, "source_id": pages[page],
                 "shown": chance.choice(lists[page]), "layout": "bottom", "session_id": session}
            )  # fmt: skip
    return rows


def _imported(folder: Path, name: str) -> None:
    with TemporaryDirectory(dir=folder) as place, Store(f"sqlite:///{place}/store.db") as store:
        received = import_events(store, EventReader([folder / name]))
    assert received.impressions + received.clicks == N_EVENTS


def _inserted(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The same rows into such tables by ``executemany``, committed as often, nothing checked."""
    with TemporaryDirectory(dir=folder) as place, Store(f"sqlite:///{place}/store.db"):
        raw = sqlite3.connect(f"{place}/store.db", isolation_level=None)
        raw.execute("PRAGMA synchronous=FULL")
        for start in range(0, len(rows), 20_000):
            part = rows[start : start + 20_000]
            raw.execute("BEGIN IMMEDIATE")
            raw.executemany(
                "INSERT INTO views VALUES (?, ?, 1, ?, ?, '', NULL, 0)",
                [(row["view_id"], row["ts"], row["session_id"], row["layout"])
                 for row in part if row["type"] == "impression"],
            )  # fmt: skip
            raw.executemany(
                "INSERT INTO clicks (view_id, item, ts) VALUES (?, 1, ?)",
                [(row["view_id"], row["ts"]) for row in part if row["type"] == "click"],
            )
            raw.execute("COMMIT")
        raw.close()


async def _load(app: Any, n: int, prefix: str) -> tuple[float, float]:
    """Requests per second of ``n`` clients that each wait for their answer, and the 99th
    percentile of the time they wait, in milliseconds.
    """
    slate = await _slate(app)
    took: list[float] = []
    end = time.perf_counter() + SECONDS

    async def client(name: str) -> None:
        number = 0
        while (start := time.perf_counter()) < end:
            number += 1
            # Named in the order of time, as the widget names them.
            view = f"{time.time_ns():x}-{name}-{number}"
            event = {"type": "impression", "view_id": view, "slate": slate, "layout": "bottom"}
            status, _ = await ask(app, "POST", "/v1/events", json.dumps(event).encode())
            assert status == 202
            took.append(time.perf_counter() - start)

    await asyncio.gather(*(client(f"{prefix}-{at}") for at in range(n)))
    took.sort()
    return len(took) / SECONDS, 1000 * took[int(0.99 * len(took))]


async def _slate(app: Any) -> str:
    query = b"id=pain-after-miscarriage&variant=85"
    _, body = await ask(app, "GET", "/v1/related", b"", query)
    return str(json.loads(body)["slate"])


async def ask(
    app: Any, method: str, path: str, body: bytes, query: bytes = b""
) -> tuple[int, bytes]:
    """The status and the body that an application answers a browser of one address with."""
    sent: dict[str, Any] = {}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.update(message)

    agent = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
        "query_string": query,
        "headers": [
            (b"host", b"localhost"), (b"user-agent", agent), (b"content-type", b"text/plain")
        ],
        "client": ("203.0.113.1", 1), "server": ("127.0.0.1", 80), "extensions": {}, "state": {},
    }  # fmt: skip
    await app(scope, receive, send)
    return sent["status"], sent["body"]
