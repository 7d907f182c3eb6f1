"""Durable event posts: group commit beside one transaction a request, in one process, without a
network, and beside what the same requests cost when nothing is stored.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.corpus import table
from recommender.articles.reader import read_articles
from recommender.config import Settings
from recommender.demo.readers import PAGES
from recommender.errors import StoreError
from recommender.events.ingest import Incoming
from recommender.store.database import Store
from recommender.store.event_writer import EventWriter
from recommender.store.group_commit import Outcome
from recommender.training.pipeline import build

SECONDS = 3.0
CONNECTIONS = (1, 32, 128)
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
            found = {}
            for way, journal in ways.items():
                app.stored.journal = journal  # type: ignore[attr-defined]
                found[way] = asyncio.run(_load(app, n, f"{way[:3]}{n}"))
            slow = found["one transaction a request"][0]
            rows += [
                (way, str(n), f"{rate:,.0f}", f"{p99:.1f}", f"{rate / slow:.1f}")
                for way, (rate, p99) in found.items()
            ]
        app.stored.journal = group  # type: ignore[attr-defined]
        app.stored.close()  # type: ignore[attr-defined]
    heading = ("POST /v1/events, one event each", "at once", "requests/s", "p99 ms", "ratio")
    table(heading, rows)


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
