"""A server that is killed under load, again and again: what it has acknowledged is in the store,
once and whole, and it is back soon. On SQLite and, where it is installed, on PostgreSQL.

``KILLS=200 python -m benchmarks kills``
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import numpy as np
import sqlalchemy as sql

from benchmarks.corpus import table
from benchmarks.servers import Client, Server, Site, postgresql
from recommender.demo.prepare import URL
from recommender.demo.readers import PAGES, truth
from recommender.store.database import Store

KILLS = int(os.environ.get("KILLS", "200"))
# A server is under load for so long, drawn evenly, before it is killed.
SECONDS = (0.2, 1.2)
N_POSTERS, N_READERS = 4, 2


@dataclass
class Kept:
    """What was acknowledged: views, clicks (with the place), page views in sessions, articles by
    id with their titles; and what was answered that should not have been.
    """

    views: set[str] = field(default_factory=set)
    clicks: set[str] = field(default_factory=set)
    pages: set[str] = field(default_factory=set)
    articles: dict[str, str] = field(default_factory=dict)
    odd: Counter[str] = field(default_factory=Counter)
    n_read: int = 0


def run() -> None:
    """Print what became of what was acknowledged."""
    with postgresql() as database:
        for name, url, workers, share in (
            ("SQLite", None, 1, 0.5),
            ("SQLite", None, 2, 0.2),
            *((("PostgreSQL", database, 1, 0.15), ("PostgreSQL", database, 2, 0.15))
              if database else ()),
        ):  # fmt: skip
            with TemporaryDirectory() as folder:
                site = Site(Path(folder), url or f"sqlite:///{folder}/store.db")
                found = _trial(site, workers, round(share * KILLS))
            print(f"{name}, {workers} process{'es' if workers > 1 else ''}\n", flush=True)
            table(("what", "figure"), [(what, str(figure)) for what, figure in found.items()])
            print(flush=True)


def _trial(site: Site, workers: int, n_kills: int) -> dict[str, object]:
    if not (site.folder / "models").exists():
        for arguments in (("import", "articles", PAGES, "--url", URL), ("train",)):
            done = site.run(*arguments)
            if done.returncode:
                raise RuntimeError(done.stderr)
    kept, chance = Kept(), random.Random(n_kills)
    server, starts = Server(site, workers=workers), []
    server.ready()
    for number in range(n_kills):
        over = threading.Event()
        jobs: list[Callable[..., None]] = [_post] * N_POSTERS + [_read] * N_READERS + [_put]
        threads = [
            threading.Thread(target=job, args=(over, kept, server.port, f"{workers}-{number}-{at}"))
            for at, job in enumerate(jobs)
        ]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(*SECONDS))
        server.kill()
        over.set()
        for thread in threads:
            thread.join()
        began = time.monotonic()
        server.again()
        server.ready()
        starts.append(time.monotonic() - began)
    server.stop()
    started = f"{np.median(starts):.1f}, {max(starts):.1f}"
    return {
        "kills": n_kills,
        **_compare(site, kept),
        "seconds until it answered again, median and most": started,
    }


def _post(over: threading.Event, kept: Kept, port: int, name: str) -> None:
    """A reader's page: a list, its view, a click, the page that was opened."""
    client, chance, pages, at = Client(port), random.Random(name), sorted(truth()), 0
    with contextlib.suppress(OSError, http.client.HTTPException):
        while not over.is_set():
            at += 1
            page = chance.choice(pages)
            status, body = client.get(f"/v1/related?id={quote(page)}&variant={at % 100}")
            slate = json.loads(body).get("slate") if status == 200 else None
            if slate is None:
                kept.odd[f"GET {status}"] += status not in (200, 503)
                continue
            view = f"{name}-{at}"
            events = [
                {"type": "impression", "view_id": view, "slate": slate},
                {"type": "click", "view_id": view, "slate": slate, "position": 1},
                {"type": "pageview", "article_id": page, "session_id": view},
            ]
            status, body = client.post("/v1/events", events)
            if status == 202:
                done = json.loads(body)
                kept.odd["not all accepted"] += done["accepted"] != len(events)
                kept.views.add(view)
                kept.clicks.add(view)
                kept.pages.add(view)
            else:
                kept.odd[f"POST {status}"] += status != 503


def _read(over: threading.Event, kept: Kept, port: int, name: str) -> None:
    client, chance, pages = Client(port), random.Random(name), sorted(truth())
    with contextlib.suppress(OSError, http.client.HTTPException):
        while not over.is_set():
            status, body = client.get(f"/v1/related?id={quote(chance.choice(pages))}")
            kept.odd[f"GET {status}"] += status != 200
            kept.odd["an empty list"] += status == 200 and not json.loads(body)["items"]
            kept.n_read += 1


def _put(over: threading.Event, kept: Kept, port: int, name: str) -> None:
    """An editor's system, two articles at a time."""
    client, at = Client(port), 0
    with contextlib.suppress(OSError, http.client.HTTPException):
        while not over.wait(0.05):
            at += 1
            title = f"Title {name} {at}"
            records = [
                {"id": f"put/{name}-{at}/{half}", "title": f"{title} {half}", "body": "word " * 50}
                for half in ("a", "b")
            ]
            status, _ = client.admin("PUT", "/v1/articles", records)
            if status == 200:
                kept.articles.update((each["id"], each["title"]) for each in records)
            else:
                kept.odd[f"PUT {status}"] += status != 503


def _compare(site: Site, kept: Kept) -> dict[str, object]:
    """The store beside what was acknowledged."""
    with Store(site.database) as store, store.reading() as connection:

        def counted(statement: str) -> Counter[str]:
            return Counter(str(row[0]) for row in connection.execute(sql.text(statement)))

        views = counted("SELECT view_id FROM views")
        clicks = counted("SELECT view_id FROM clicks")
        pages = counted("SELECT session FROM pageviews")
        statement = sql.text("SELECT id, title FROM articles WHERE id LIKE 'put/%'")
        articles = {row.id: row.title for row in connection.execute(statement)}
        # A post is one transaction: all three of its events, or none; and both of two articles.
        whole = views.keys() == clicks.keys() == pages.keys()
        halves = Counter(id.rpartition("/")[0] for id in articles)
        linked = """
            SELECT COUNT(*) FROM views v
            WHERE NOT EXISTS (SELECT 1 FROM slate_links l WHERE l.slate = v.slate)
        """
        n_half = int(connection.scalar(sql.text(linked)) or 0) + (not whole)
    lost = len(kept.views - views.keys()) + len(kept.clicks - clicks.keys())
    lost += len(kept.pages - pages.keys())
    lost += sum(articles.get(id) != title for id, title in kept.articles.items())
    twice = sum(n - 1 for each in (views, clicks, pages) for n in each.values())
    n_half += sum(n != 2 for n in halves.values())
    acknowledged = (len(kept.views), len(kept.clicks), len(kept.pages), len(kept.articles))
    odd = ", ".join(f"{name}: {n}" for name, n in kept.odd.items() if n) or "none"
    return {
        "acknowledged: views, clicks, page views, articles": ", ".join(
            f"{n:,}" for n in acknowledged
        ),
        "of these lost": lost,
        "there twice": twice,
        "half there": n_half,
        "lists read": f"{kept.n_read:,}",
        "answers other than 200, 202 and 503": odd,
    }
