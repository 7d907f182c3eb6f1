"""What a server's memory grows by: reads, swaps of its bundle, articles that come and go, articles
that stay; one after the other, so that what grows and what levels off is seen apart.

``python -m benchmarks memory``
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from benchmarks.corpus import table
from benchmarks.servers import Client, Server, Site, postgresql
from benchmarks.soak import PAGES, prepare
from recommender.bundle import registry
from recommender.store.database import Store

# How often a step is done before memory is looked at, and how many readers come between.
TIMES, N_READS = {"reads": 3_000, "swaps": 6, "articles": 50}, 30


def run() -> None:
    """Print megabytes after each round of each kind."""
    with postgresql() as database, TemporaryDirectory() as name:
        if database is None:
            print("PostgreSQL is not installed")
            return
        site = Site(Path(name), database)
        prepare(site)
        site.run("train", "--no-activate")
        names = registry.names(Path(name) / "models")
        with Store(database, create=False) as store:
            ids = [article.id for article in store.articles(with_body=False) if not article.stub]
        server = Server(site)
        server.ready()
        try:
            table(("what", "MB after each round"), _rounds(server, names, ids))
        finally:
            server.stop()


def _rounds(server: Server, names: list[str], ids: list[str]) -> list[tuple[str, str]]:
    draw, client, at = random.Random(1), Client(server.port), 0
    texts = [path.read_text(encoding="utf-8").split() for path in sorted(PAGES.iterdir())]

    def read(n: int) -> None:
        for _ in range(n):
            page = quote(draw.choice(ids), safe="")
            client.get(f"/v1/related?id={page}&variant={draw.randrange(100)}")

    def swap() -> None:
        for n in range(TIMES["swaps"]):
            client.admin("POST", f"/v1/models/{names[n % 2]}/activate")
            read(200)

    def come(*, go: bool) -> None:
        nonlocal at
        for _ in range(TIMES["articles"]):
            at += 1
            one, other = draw.sample(texts, 2)
            words = [*one[20:90], *other[20:90]]
            record = {"id": f"new/{at}", "title": " ".join(words[:5]), "body": " ".join(words)}
            client.admin("PUT", "/v1/articles", [record])
            read(N_READS)
            if go:
                client.admin("DELETE", f"/v1/articles?id=new/{at}")

    def after(step: Callable[[], None], times: int) -> str:
        found = []
        for _ in range(times):
            step()
            found.append(f"{server.megabytes():.0f}")
        return ", ".join(found)

    return [
        ("at the start", f"{server.megabytes():.0f}"),
        (f"{TIMES['reads']:,} reads", after(lambda: read(TIMES["reads"]), 6)),
        (f"{TIMES['swaps']} swaps of the bundle", after(swap, 6)),
        (f"{TIMES['articles']} articles that come and go", after(lambda: come(go=True), 8)),
        (f"{TIMES['articles']} articles that stay", after(lambda: come(go=False), 4)),
        ("swaps with these beside the bundle", after(swap, 4)),
    ]
