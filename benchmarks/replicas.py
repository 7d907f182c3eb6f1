"""Two processes of the service on one PostgreSQL: how soon what changes is served by both, with
bundles in a shared folder and on an object store; and what readers meet while both are restarted,
one after the other, behind nginx.

``ROUNDS=10 python -m benchmarks replicas``; ``S3=http://host:port`` names an object store of your
own, else moto's server is started.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import numpy as np

from benchmarks.corpus import table
from benchmarks.proxied import proxy
from benchmarks.servers import Client, Server, Site, object_store, postgresql, sites_of
from benchmarks.soak import prepare
from recommender.store import rules
from recommender.store.database import Store

ROUNDS = int(os.environ.get("ROUNDS", "5"))
RESTARTS = int(os.environ.get("RESTARTS", "3"))
N_READERS = 4
# What a change is waited for, and how often it is looked for.
PATIENCE, LOOK = 60.0, 0.01
# As an operator's script would, between one server's being ready and the next one's end.
PAUSE_SECONDS = 3.0


@dataclass
class Waits:
    """Seconds until both processes served a change, by what changed."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def until(self, what: str, fact: Callable[[Client], bool], clients: list[Client]) -> None:
        """Wait until it is true of all processes."""
        start, left = time.monotonic(), clients
        while left := [client for client in left if not fact(client)]:
            if time.monotonic() > start + PATIENCE:
                raise TimeoutError(f"{what}: not served by {len(left)} after {PATIENCE:g} s")
            time.sleep(LOOK)
        self.note(what, start)

    def note(self, what: str, start: float) -> None:
        """It took from ``start`` until now."""
        self.seconds.setdefault(what, []).append(time.monotonic() - start)


class Fresh(Client):
    """A client whose connection is a new one for every request: servers close idle ones."""

    def request(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, bytes]:
        try:
            return super().request(method, path, body, **headers)
        finally:
            if self.connection is not None:
                self.connection.close()
                self.connection = None


def list_of(client: Client, page: str) -> dict[str, Any]:
    """A page's list."""
    found: dict[str, Any] = json.loads(client.get(f"/v1/related?id={quote(page, safe='')}")[1])
    return found


def ids(client: Client, page: str) -> list[str]:
    """The ids of a page's list."""
    return [item["id"] for item in list_of(client, page)["items"]]


def live(client: Client) -> str:
    """The name of the live bundle."""
    return str(json.loads(client.get("/v1/model")[1])["name"])


def changes(site: Site, clients: list[Client], waits: Waits) -> None:
    """New bundles, pins, articles that come and go: each looked for in all processes."""
    with Store(site.database, create=False) as store:
        known = [article for article in store.articles() if not article.stub]
    for number in range(ROUNDS):
        page, other = (known[(3 * number + away) % len(known)] for away in (0, 40))
        text = " ".join(known[(3 * number + away) % len(known)].body[:400] for away in (0, 1))
        article(f"new/{number}", f"News {number}: {page.title}", text, clients, waits)
        pin(site, page.id, other.id, clients, waits)
        bundle(site, clients, waits)


def article(id: str, title: str, text: str, clients: list[Client], waits: Waits) -> None:
    """One that comes, by one process, and goes, by another."""
    status, body = clients[0].admin(
        "PUT", "/v1/articles", [{"id": id, "title": title, "body": text}]
    )
    assert status == 200, body
    waits.until(
        "an added article has its list", lambda c: list_of(c, id)["article_id"] == id, clients
    )
    near = ids(clients[0], id)

    def stands(client: Client) -> bool:
        return any(id in ids(client, page) for page in near)

    waits.until("an added article stands in others' lists", stands, clients)
    status, body = clients[-1].admin("DELETE", f"/v1/articles?id={quote(id, safe='')}")
    assert status == 200, body
    waits.until("a deleted article is in no list", lambda c: not stands(c), clients)


def pin(site: Site, page: str, target: str, clients: list[Client], waits: Waits) -> None:
    """An editor's pin in the console, and its end."""
    with Store(site.database, create=False) as store:
        rule = rules.Rule("pin", page, target, 1, reason="trial")
        written = rules.add(store, rule, account="ann", at=datetime.now(UTC))
        waits.until("an editor's pin", lambda c: ids(c, page)[:1] == [target], clients)
        rules.undo(store, written.action, account="ann", at=datetime.now(UTC))


def bundle(site: Site, clients: list[Client], waits: Waits) -> None:
    """One that is trained, and made live by another command."""
    must(site, "train", "--quiet", "--no-activate")
    name = json.loads(must(site, "models", "list", "--json"))[-1]["name"]
    assert live(clients[0]) != name
    start = time.monotonic()
    must(site, "models", "activate", name)
    waits.note("the command that makes a bundle live", start)
    waits.until("a new bundle, from the end of that command", lambda c: live(c) == name, clients)


def must(site: Site, *arguments: str) -> str:
    """The output of a command that succeeds."""
    done = site.run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass
class Met:
    """What readers met: answers by status, and connections that failed."""

    statuses: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    views: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, since: float) -> None:
        """One answer."""
        with self.lock:
            self.statuses[what] += 1
            self.took.append(time.monotonic() - since)


def read(port: int, over: threading.Event, met: Met, number: int, pages: list[str]) -> None:
    """Lists that no cache has, batches, and events, on a connection that is kept as a browser's."""
    draw, client, at = random.Random(number), Client(port), 0
    while not over.is_set():
        at += 1
        page, other = draw.sample(pages, 2)
        query = f"id={quote(page)}&exclude={quote(other)}&k={3 + at % 8}&variant={at % 100}"
        asked = (
            ("list", "GET", f"/v1/related?{query}", None),
            ("batch", "POST", "/v1/related/batch", {"ids": [page, other], "k": 3}),
        )  # fmt: skip
        slate = None
        for what, method, path, body in asked:
            since = time.monotonic()
            try:
                status, content = client.request(method, path, body)
            except OSError as exc:
                met.note(f"{what}: {type(exc).__name__}", since)
                continue
            met.note(f"{what}: {status}", since)
            if what == "list" and status == 200:
                slate = json.loads(content)["slate"]
        if slate is None:
            continue
        view, since = f"{port}-{number}-{at}", time.monotonic()
        event = {"type": "impression", "view_id": view, "slate": slate}
        try:
            status, content = client.post("/v1/events", event)
        except OSError as exc:
            met.note(f"events: {type(exc).__name__}", since)
            continue
        met.note(f"events: {status}", since)
        if status == 202:
            met.views.add(view)


def rolling(site: Site, servers: list[Server], folder: Path) -> list[tuple[str, str]]:
    """Rows on restarts of one server after the other under load."""
    with Store(site.database, create=False) as store:
        pages = [article.id for article in store.articles() if not article.stub]
    met, over, ends = Met(), threading.Event(), []
    with proxy(servers[0].port, folder / "nginx", servers[1].port) as port:
        threads = [
            threading.Thread(target=read, args=(port, over, met, number, pages))
            for number in range(N_READERS)
        ]
        for thread in threads:
            thread.start()
        time.sleep(2)
        for _ in range(RESTARTS):
            for server in servers:
                ends.append(server.stop())
                server.again()
                server.ready()
                time.sleep(PAUSE_SECONDS)
        over.set()
        for thread in threads:
            thread.join()
    with Store(site.database) as store, store.reading() as connection:
        import sqlalchemy as sql

        rows = connection.execute(sql.text("SELECT view_id FROM views WHERE live > 0"))
        there = {row.view_id for row in rows}
    good = {"list: 200", "batch: 200", "events: 202"}
    failed = {what: n for what, n in met.statuses.items() if what not in good}
    half, most, longest = np.quantile(met.took, [0.5, 0.99, 1]) * 1000
    return [
        ("restarts under load", f"{len(ends)}"),
        ("requests", f"{sum(met.statuses.values()):,}"),
        ("that failed", ", ".join(f"{what} {n}" for what, n in sorted(failed.items())) or "none"),
        ("views acknowledged and lost", f"{len(met.views - there)}"),
        ("answers p50, p99, longest, ms", f"{half:.1f}, {most:.1f}, {longest:.0f}"),
        ("seconds to stop, longest", f"{max(ends):.1f}"),
    ]


def run() -> None:
    """Print both tables."""
    with postgresql() as database:
        if database is None:
            print("PostgreSQL is not installed")
            return
        for title in ("a shared folder", "an object store"):
            with contextlib.ExitStack() as stack:
                more = None
                if title == "an object store":
                    more = stack.enter_context(object_store())
                    if more is None:
                        print("the extra test-cluster is not installed")
                        return
                folder = Path(stack.enter_context(TemporaryDirectory()))
                folder.chmod(0o755)
                sites = sites_of(folder, database, remote=more is not None)
                prepare(sites[0])
                servers = [Server(site) for site in sites[-2:]]
                try:
                    for server in servers:
                        server.ready()
                    waits = Waits()
                    changes(sites[0], [Fresh(server.port) for server in servers], waits)
                    print(f"bundles in {title}, {ROUNDS} rounds: seconds until both serve it\n")
                    table(("what", "median", "longest"), [
                        (what, f"{np.median(each):.2f}", f"{max(each):.2f}")
                        for what, each in waits.seconds.items()
                    ])  # fmt: skip
                    if title == "an object store" and shutil.which(
                        "nginx", path=f"{os.environ['PATH']}:/usr/sbin"
                    ):
                        table(("what", "figure"), rolling(sites[0], servers, folder))
                finally:
                    for server in servers:
                        server.stop()
