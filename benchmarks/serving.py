"""The web process: requests per second of a list beside the same answer by FastAPI's own way and
beside a bare ASGI application, in one process, without a network; and over sockets (``sockets``).
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.corpus import synthetic, table
from benchmarks.sockets import over_sockets
from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.bundle import experiments
from recommender.bundle.answer_bytes import items_json
from recommender.config import Settings
from recommender.lists.arms import INTERLEAVED, SPLIT, Arm, Experiment
from recommender.store.database import Store
from recommender.training.pipeline import build

N_ARTICLES = 5_000
N_REQUESTS = 20_000
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def run() -> None:
    """Print the table of requests and that of new texts."""
    from recommender_api.app import create_app

    titles, bodies = synthetic(N_ARTICLES)
    with TemporaryDirectory() as folder:
        batch = Batch()
        for number, (title, body) in enumerate(zip(titles, bodies, strict=True)):
            url = f"https://example.org/{number}"
            batch.add(Article(f"article/{number}", title, body=body, url=url), "benchmark")
        database = f"sqlite:///{folder}/store.db"
        with Store(database) as store:
            store.apply(batch)
            bundle = build(store, Path(folder) / "models", now=NOW)
        app = create_app(
            Settings(database=database, models=Path(folder) / "models"), clock=lambda: NOW
        )
        queries = [
            f"id=article%2F{n}".encode()
            for n in np.random.default_rng(0).integers(0, N_ARTICLES, N_REQUESTS)
        ]
        new = list(dict.fromkeys(queries))
        body = items_json(bundle.lists.related(0))
        bare = asyncio.run(_rate(_bare(body), queries))
        first = asyncio.run(_rate(app, new))
        fast = asyncio.run(_rate(app, queries))
        routed = asyncio.run(_rate(app.by_route, queries[:3_000]))  # type: ignore[attr-defined]
        variants = np.random.default_rng(1).integers(0, 100, N_REQUESTS).tolist()
        drawn = [query + b"&variant=%d" % at for query, at in zip(queries, variants, strict=True)]
        outside = asyncio.run(_rate(app, drawn))
        tried = []
        for kind in (SPLIT, INTERLEAVED):
            experiments.begin(Path(folder) / "models", _experiment(kind, bundle.name))
            app.live.refresh()
            tried.append([asyncio.run(_rate(app, drawn)) for _ in range(2)])
            experiments.end(Path(folder) / "models", now=NOW)
        start = time.perf_counter()
        for number in range(200):
            bundle.related_to_text(titles[number], bodies[number] + " new")
        text = (time.perf_counter() - start) / 200
        over_sockets(Path(folder), database, [f"article%2F{n}" for n in range(N_ARTICLES)])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    table(
        ("GET /v1/related, no network", "requests/s", "beside FastAPI's way"),
        [
            (
                "recommender, a page that was asked for before",
                f"{fast:,.0f}",
                f"{fast / routed:.1f}",
            ),
            ("recommender, a page for the first time", f"{first:,.0f}", f"{first / routed:.1f}"),
            ("recommender, variants drawn", f"{outside:,.0f}", f"{outside / routed:.1f}"),
            *(
                (f"{what}, {times} time", f"{rate:,.0f}", f"{rate / routed:.1f}")
                for what, rates in zip(
                    ("an experiment of two arms", "interleaved"), tried, strict=True
                )
                for times, rate in zip(("the first", "the second"), rates, strict=True)
            ),
            ("the same through FastAPI's routing", f"{routed:,.0f}", "1"),
            ("floor: ASGI that sends one constant", f"{bare:,.0f}", f"{bare / routed:.1f}"),
        ],
    )
    print(
        f"A new text among {N_ARTICLES:,}: {1000 * text:.1f} ms. "
        f"Peak memory with training: {peak:,.0f} MB."
    )


def _experiment(kind: str, bundle: str) -> Experiment:
    """Two arms that show the same bundle: half of the views each, or both in one slate."""
    ends = ((0, 49), (50, 99)) if kind == SPLIT else ((0, 99), (0, 99))
    arms = tuple(
        Arm(name, bundle, bundle, *runs) for name, runs in zip(("one", "two"), ends, strict=True)
    )
    return Experiment(kind, NOW.isoformat(), kind, 20, arms)


def _bare(body: bytes) -> Callable[..., Awaitable[None]]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def _rate(app: Callable[..., Awaitable[None]], queries: list[bytes]) -> float:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message

    start = time.perf_counter()
    for query in queries:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": "/v1/related", "raw_path": b"/v1/related",
            "root_path": "", "query_string": query, "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "extensions": {}, "state": {},
        }  # fmt: skip
        await app(scope, receive, send)
    return len(queries) / (time.perf_counter() - start)
