"""Two replicas of the service and a trainer on one PostgreSQL and one object store, for an hour:
readers, events, articles that come and go, imports, training, forgetting and clearing away, all at
once. Each of the three has copies of bundles of its own, as on three machines.

``MINUTES=60 python -m benchmarks soak`` also draws ``soak.svg``; without the extra `objects`
bundles are in one folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
import sqlalchemy as sql
from sqlalchemy.engine import make_url

from benchmarks.corpus import table
from benchmarks.servers import (
    Client,
    Server,
    Site,
    family_megabytes,
    object_store,
    postgresql,
    sites_of,
)
from recommender.demo import readers
from recommender.demo.prepare import SEED, URL, write_log
from recommender.demo.readers import PAGES, truth
from recommender.store.database import Store

if TYPE_CHECKING:
    from recommender.evaluation.report.picture import Picture

MINUTES = float(os.environ.get("MINUTES", "60"))
N_READERS = 4
PICTURE = Path(__file__).with_name("soak.svg")
# Between two requests of one reader: two cores have a trainer to carry besides.
THINK_SECONDS = 0.05
# How long an article that came may take to stand in others' lists; it is waited for so long.
JOIN_SECONDS, JOIN_PATIENCE = 1.0, 10.0
# What a server may answer when it cannot: asked to wait, never broken.
MAY = {200, 202, 304, 404, 429, 503}


@dataclass
class Seen:
    """What the readers, the editor and the trainer saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    # Moments and seconds of answers to readers.
    took: list[tuple[float, float]] = field(default_factory=list)
    joined: list[float] = field(default_factory=list)
    acknowledged: Counter[str] = field(default_factory=Counter)
    views: set[str] = field(default_factory=set)
    megabytes: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    connections: list[int] = field(default_factory=list)
    jobs: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, text: str) -> None:
        """Something that must not be."""
        with self.lock:
            if len(self.faults) < 50:
                self.faults.append(text)

    def answered(self, status: int, body: bytes, what: str) -> None:
        """A status came."""
        with self.lock:
            self.statuses[status] += 1
        if status not in MAY:
            self.fault(f"{what}: {status} {body[:200]!r}")


def run() -> None:
    """Print what an hour showed."""
    with postgresql() as database, object_store() as there, TemporaryDirectory() as name:
        if database is None:
            print("PostgreSQL is not installed")
            return
        site, *replicas = sites_of(Path(name), database, remote=there is not None)
        prepare(site)
        servers = [Server(replica) for replica in replicas]
        for server in servers:
            server.ready()
        seen = Seen()
        _trial(site, servers, seen)
        ends = [server.stop() for server in servers]
        _report(site, seen, ends)


def prepare(site: Site) -> None:
    """Import the sample site and its readers' log, and train."""
    log = site.folder / "events.jsonl"
    for arguments in (("import", "articles", PAGES, "--url", URL),):
        _must(site, *arguments)
    with Store(site.database) as store:
        lists = {a.id: a.recommended for a in store.articles(with_body=False) if not a.stub}
    write_log(log, readers.visits(lists, seed=SEED))
    _must(site, "import", "events", log)
    _must(site, "train")


def _must(site: Site, *arguments: object) -> None:
    done = site.run(*arguments)
    if done.returncode:
        raise RuntimeError(f"{arguments}: {done.stderr[-2_000:]}")


def _trial(site: Site, servers: list[Server], seen: Seen) -> None:
    """Everybody works at once until the time is over."""
    start, over = time.monotonic(), threading.Event()
    ports = [server.port for server in servers]
    jobs: list[tuple[Callable[..., None], tuple[object, ...]]] = [
        *((_read, (ports, number, start)) for number in range(N_READERS)),
        (_edit, (ports,)),
        (_train, (site,)),
        (_import, (site,)),
        (_watch, (site, servers, start)),
    ]
    threads = [
        threading.Thread(target=_guarded, args=(job, over, seen, *arguments))
        for job, arguments in jobs
    ]
    for thread in threads:
        thread.start()
    over.wait(60 * MINUTES)
    over.set()
    for thread in threads:
        thread.join(300)
        if thread.is_alive():
            seen.fault("a worker does not end")


def _guarded(
    job: Callable[..., None], over: threading.Event, seen: Seen, *arguments: object
) -> None:
    try:
        job(over, seen, *arguments)
    except Exception as exc:  # noqa: BLE001 - a worker that ends early must not go unnoticed
        seen.fault(f"{job.__name__}: {exc!r}")


def _read(over: threading.Event, seen: Seen, ports: list[int], number: int, start: float) -> None:
    """A reader after the other: a page's list, its view, now and then a click."""
    chance, pages = random.Random(number), sorted(truth())
    clients = [Client(port) for port in ports]
    at = 0
    while not over.wait(THINK_SECONDS):
        at += 1
        page, client = chance.choice(pages), chance.choice(clients)
        query = f"/v1/related?id={quote(page)}&variant={chance.randrange(100)}"
        if at % 20 == 0:
            query += "&exclude=" + quote(chance.choice(pages))
        began = time.monotonic()
        status, body = client.get(query)
        seen.took.append((began - start, time.monotonic() - began))
        seen.answered(status, body, query)
        if status != 200:
            continue
        answer = json.loads(body)
        if not answer["items"]:
            seen.fault(f"{query}: an empty list")
        if answer["slate"] is None:
            continue
        view = f"{number}-{at}"
        events = [{"type": "impression", "view_id": view, "slate": answer["slate"],
                   "session_id": f"s{number}-{at // 5}"}]  # fmt: skip
        if chance.random() < 0.3:
            place = 1 + min(int(chance.expovariate(0.5)), len(answer["items"]) - 1)
            events.append({"type": "click", "view_id": view, "slate": answer["slate"],
                           "position": place})  # fmt: skip
        status, body = chance.choice(clients).post("/v1/events", events)
        seen.answered(status, body, "events")
        if status == 202:
            done = json.loads(body)
            with seen.lock:
                seen.acknowledged["events"] += done["accepted"]
                refused = {each["index"] for each in done["rejected"]}
                if 0 not in refused:
                    seen.views.add(view)
                if refused:
                    seen.acknowledged["refused"] += len(refused)


def _edit(over: threading.Event, seen: Seen, ports: list[int]) -> None:
    """An editor: an article comes, has its list at once everywhere, joins others' lists, goes."""
    chance, texts = random.Random("editor"), [path.read_text() for path in sorted(PAGES.iterdir())]
    clients, at = [Client(port) for port in ports], 0
    while not over.wait(1.0):
        at += 1
        id = f"new/{at}"
        # Of two pages, so that it is like both and a copy of neither.
        one, other = chance.sample(texts, 2)
        words = [*one.split()[20:90], *other.split()[20:90]]
        record = {"id": id, "title": f"News {at}: {' '.join(words[:5])}", "body": " ".join(words)}
        here, there = chance.sample(clients, 2)
        status, body = here.admin("PUT", "/v1/articles", [record])
        put = time.monotonic()
        seen.answered(status, body, "put")
        if status != 200:
            continue
        for client in (here, there):
            began = time.monotonic()
            status, body = client.get(f"/v1/related?id={quote(id, safe='')}")
            took = time.monotonic() - began
            seen.answered(status, body, "a new article")
            if status == 200 and json.loads(body)["article_id"] != id:
                seen.fault(
                    f"{id}: has no list of its own in the next request, "
                    f"{'' if client is here else 'of the other process, '}answered in {took:.2f} s"
                )
        listed = [item["id"] for item in json.loads(body)["items"]] if status == 200 else []
        _joins(seen, id, listed, (here, there), put)
        if at % 3:
            status, body = there.admin("DELETE", f"/v1/articles?id={quote(id, safe='')}")
            seen.answered(status, body, "delete")


def _joins(
    seen: Seen, id: str, listed: list[str], clients: tuple[Client, Client], put: float
) -> None:
    """How long it takes until the article stands in a list of those it is like, at both."""
    joined: set[int] = set()
    while time.monotonic() < put + JOIN_PATIENCE and len(joined) < 2:
        for number, client in enumerate(clients):
            if number in joined:
                continue
            for page in listed:
                with contextlib.suppress(KeyError):
                    items = json.loads(client.get(f"/v1/related?id={quote(page)}")[1])["items"]
                    if any(item["id"] == id for item in items):
                        joined.add(number)
                        break
        if not joined and time.monotonic() > put + 3:
            return  # it is in nobody's list: not close enough to any page
        time.sleep(0.02)
    took = time.monotonic() - put
    seen.joined.append(took)
    if len(joined) < 2:
        seen.fault(f"{id}: in others' lists of one process alone after {took:.1f} s")


def _train(over: threading.Event, seen: Seen, site: Site) -> None:
    """Training again and again, and what goes with it."""
    while not over.is_set():
        for arguments in (
            ("train", "--promote-if-better"),
            ("forget", "--older-than", "30"),
            ("models", "prune", "--keep", "3"),
            ("validate",),
            ("models", "rollback"),
        ):
            done = site.run(*arguments)
            seen.jobs[" ".join(arguments[:2])] += 1
            # A check that fails is an answer of validate.
            if done.returncode and arguments[0] != "validate":
                seen.fault(f"{arguments}: {done.stderr[-300:]}")
        over.wait(5)


def _import(over: threading.Event, seen: Seen, site: Site) -> None:
    """A log of another tool every half minute, and the articles anew."""
    chance, pages, at = random.Random("import"), sorted(truth()), 0
    while not over.wait(30):
        at += 1
        file = site.folder / f"log-{at}.jsonl"
        now = datetime.now(UTC)
        with file.open("w") as out:
            for number in range(2_000):
                shown = chance.sample(pages, 6)
                ts = (now - timedelta(seconds=chance.randrange(86_400))).isoformat()
                record = {
                    "type": "impression", "view_id": f"log{at}-{number}", "ts": ts,
                    "source_id": shown[0], "shown": shown[1:], "list": "hand-picked",
                }  # fmt: skip
                out.write(json.dumps(record) + "\n")
        for arguments in (("import", "events", file), ("import", "articles", PAGES, "--url", URL)):
            done = site.run(*arguments)
            seen.jobs[" ".join(map(str, arguments[:2]))] += 1
            if done.returncode:
                seen.fault(f"{arguments}: {done.stderr[-300:]}")


def _watch(
    over: threading.Event, seen: Seen, site: Site, servers: list[Server], start: float
) -> None:
    """Memory and connections, every ten seconds."""
    engine = sql.create_engine(site.database.replace("postgresql", "postgresql+psycopg"))

    def note(name: str, megabytes: float) -> None:
        seen.megabytes.setdefault(name, []).append((time.monotonic() - start, megabytes))

    count = sql.text("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = 'trial'")
    while not over.wait(10):
        for number, server in enumerate(servers):
            if not server.is_alive():
                seen.fault(f"process {number + 1} has ended")
            note(f"replica {number + 1}", server.megabytes_alone())
            if "MODELS_URL" in server.site.more:
                note(f"its follower {number + 1}",
                     server.megabytes() - server.megabytes_alone())  # fmt: skip
        # Its port is in the command that started it.
        note("PostgreSQL", family_megabytes(f"-p {make_url(site.database).port} -k"))
        with engine.connect() as connection:
            seen.connections.append(int(connection.scalar(count) or 0))
    engine.dispose()


def _report(site: Site, seen: Seen, ends: list[float]) -> None:
    """Compare with the store, and print."""
    with Store(site.database) as store, store.reading() as connection:
        live = "SELECT view_id FROM views WHERE live > 0"
        there = {row.view_id for row in connection.execute(sql.text(live))}
        statement = "SELECT COUNT(*) FROM clicks WHERE live > 0"
        n_clicks = int(connection.scalar(sql.text(statement)) or 0)
    took = np.array(seen.took)
    quarters = np.array_split(took[np.argsort(took[:, 0]), 1], 4)
    rows = [
        ("minutes", f"{MINUTES:g}"),
        ("lists that readers asked for", f"{len(seen.took):,}"),
        ("p50 by quarter of the run, ms", _each(quarters, 50)),
        ("p99 by quarter of the run, ms", _each(quarters, 99)),
        ("statuses", ", ".join(f"{n:,} x {code}" for code, n in sorted(seen.statuses.items()))),
        ("events acknowledged", f"{seen.acknowledged['events']:,}"),
        ("live views and clicks in the store", f"{len(there) + n_clicks:,}"),
        ("views acknowledged and lost", f"{len(seen.views - there):,}"),
        ("events refused", f"{seen.acknowledged['refused']:,}"),
        ("articles that came and joined others' lists", f"{len(seen.joined):,}"),
        ("until they stood there, p50 and p99, s", _ends(seen.joined)),
        ("commands", ", ".join(f"{name} {n}" for name, n in sorted(seen.jobs.items()))),
        ("most connections to the database", f"{max(seen.connections, default=0)}"),
        ("seconds to stop", ", ".join(f"{end:.1f}" for end in ends)),
    ]
    for name, memory in seen.megabytes.items():
        moments, values = np.array(memory).T
        half = len(values) // 2
        slope = np.polyfit(moments[half:], values[half:], 1)[0] * 3600 if half > 2 else np.nan
        rows.append((f"memory of {name}, MB", f"{values[0]:.0f} to {values[-1]:.0f}, in the second "
                     f"half {slope:+.1f} an hour"))  # fmt: skip
    table(("what", "figure"), rows)
    drawn(seen).save(PICTURE)
    print(f"drawn: {PICTURE.name}")
    print(f"faults: {len(seen.faults)}")
    for fault in seen.faults:
        print(f"- {fault}")


def drawn(seen: Seen) -> Picture:
    """Memory over the minutes of the run."""
    import pandas as pd

    from recommender.frames import pictures

    moments = next(iter(seen.megabytes.values()))
    index = pd.Index([moment / 60 for moment, _ in moments])
    columns = {
        name: [megabytes for _, megabytes in memory][: len(index)]
        for name, memory in seen.megabytes.items()
    }
    return pictures.lines(
        pd.DataFrame(columns, index=index), x="minutes", title="Memory of each process, MB"
    )


def _each(parts: list[np.ndarray], percentile: float) -> str:
    return ", ".join(f"{1000 * np.percentile(part, percentile):.1f}" for part in parts)


def _ends(values: list[float]) -> str:
    if not values:
        return "none"
    return f"{np.percentile(values, 50):.2f}, {np.percentile(values, 99):.2f}"
