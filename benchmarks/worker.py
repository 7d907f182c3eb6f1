"""A worker of a large site: what it takes of memory for itself, how soon it answers, what a swap of
its bundle costs readers, and how long texts take that came after the build.

``BENCH_SITE=FOLDER`` names a folder with ``recommender.db`` and ``models`` (copied before use);
without it 20,000 synthetic pages are made, 200,000 if ``FULL=1``. Beside each figure stands the
same of a server without an article. Processor time is that of the server's processes.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import numpy as np

from benchmarks.corpus import synthetic, table
from benchmarks.servers import Client, Server, Site, free_port
from benchmarks.sockets import BARE
from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.bundle import registry
from recommender.store.database import Store
from recommender.training.pipeline import build

N_ARTICLES = 200_000 if os.environ.get("FULL") else 20_000
N_WORKERS, N_READS, N_TEXTS, N_SWAPS = 2, 3_000, 150, 8
# Readers of the swaps, each of whom asks anew when it is answered.
N_READERS, SWAP_EVERY = 2, 2.0
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def run() -> None:
    """Print all tables."""
    with TemporaryDirectory() as name:
        site, empty = Path(name) / "site", Path(name) / "empty"
        empty.mkdir()
        if given := os.environ.get("BENCH_SITE"):
            site.mkdir()
            shutil.copy(Path(given) / "recommender.db", site)
            shutil.copytree(Path(given) / "models", site / "models")
        else:
            _made(site)
        database = f"sqlite:///{site}/recommender.db"
        with Store(database, create=False) as store:
            pages = [each for each in store.articles(with_body=False) if not each.stub]
            draw = np.random.default_rng(0)
            drawn = [pages[at] for at in draw.integers(0, len(pages), N_READS)]
            texts = store.articles(ids=[each.id for each in drawn[:N_TEXTS]])
        ids = [quote(each.id, safe="") for each in drawn]
        nothing = Site(empty, f"sqlite:///{empty}/recommender.db")
        full = Site(site, database)
        print(f"{len(pages):,} pages, {N_WORKERS} workers for memory, 1 for the rest")
        _memory(nothing, full, ids)
        _start(full, ids[0], empty)
        _texts(full, texts)
        _swaps(full, ids)


def _made(folder: Path) -> None:
    folder.mkdir()
    batch = Batch()
    for number, (title, body) in enumerate(zip(*synthetic(N_ARTICLES), strict=True)):
        batch.add(Article(f"article/{number}", title, body=body), "benchmark")
    with Store(f"sqlite:///{folder}/recommender.db") as store:
        store.apply(batch)
        build(store, folder / "models", now=NOW)


@contextlib.contextmanager
def _server(site: Site, *, workers: int = 1) -> Iterator[Server]:
    server = Server(site, workers=workers)
    try:
        yield server
    finally:
        server.stop()


def _workers(server: Server) -> list[int]:
    """The processes of a server that answer."""
    path = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    found = [
        pid for pid in map(int, path.read_text().split())
        if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]  # fmt: skip
    return found or [server.process.pid]


def _of_memory(pid: int) -> dict[str, float]:
    """Megabytes that a process shares with nobody, written to and not."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kb = {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in lines)}
    return {name: kb[name] / 1024 for name in ("Private_Dirty", "Private_Clean", "Pss")}


def _memory(nothing: Site, full: Site, ids: list[str]) -> None:
    found: dict[str, list[float]] = {}
    for site in (nothing, full):
        with _server(site, workers=N_WORKERS) as server:
            if site is full:
                server.ready()
            _settled(server)
            for step in ("at the start", f"after {len(ids):,} reads"):
                if step != "at the start":
                    # New connections, so that all workers are asked.
                    for at in range(0, len(ids), 50):
                        client = Client(server.port)
                        for id in ids[at : at + 50]:
                            client.get(f"/v1/related?id={id}")
                each = [_of_memory(pid) for pid in _workers(server)]
                for kind in each[0]:
                    mean = sum(one[kind] for one in each) / len(each)
                    found.setdefault(f"{kind} {step}", []).append(mean)
    table(
        ("MB of a worker", "without an article", "with the bundle", "more"),
        [(name, f"{a:.1f}", f"{b:.1f}", f"{b - a:.1f}") for name, (a, b) in found.items()],
    )


def _settled(server: Server) -> None:
    """Wait until all workers have taken up their work."""
    deadline, last = time.monotonic() + 120, -1.0
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            Client(server.port).get("/health/live")
            now = sum(_of_memory(pid)["Pss"] for pid in _workers(server))
            if len(_workers(server)) == N_WORKERS and abs(now - last) < 0.5:
                return
            last = now
        time.sleep(1)
    raise TimeoutError("the workers do not settle")


def _seconds(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in tasks) / 1e9


def _start(full: Site, id: str, folder: Path) -> None:
    """From nothing to the first list, in turn with a bare application."""
    (folder / "answers.pickle").write_bytes(pickle.dumps({f"id={id}".encode(): ([], b"{}")}))
    rows: dict[str, list[tuple[float, float]]] = {"recommender": [], "bare ASGI": []}
    for _ in range(3):
        for name, times in rows.items():
            start = time.monotonic()
            if name == "recommender":
                server = Server(full)
                process, port = server.process, server.port
            else:
                port = free_port()
                process = subprocess.Popen(
                    [sys.executable, "-c", BARE, "answers.pickle", str(port)], cwd=folder
                )
            while True:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    if Client(port).get(f"/v1/related?id={id}")[0] == 200:
                        break
                time.sleep(0.005)
            times.append((time.monotonic() - start, _seconds(process.pid)))
            process.terminate()
            process.wait()
    median = {name: np.median(np.array(times), axis=0) for name, times in rows.items()}
    floor = median["bare ASGI"]
    table(
        ("start to the first list", "s", "processor s", "ratio"),
        [
            (name, f"{wall:.2f}", f"{own:.2f}", f"{own / floor[1]:.1f}")
            for name, (wall, own) in median.items()
        ],
    )


def _texts(full: Site, texts: list[Article]) -> None:
    with _server(full) as server:
        server.ready()
        client, pid = Client(server.port), server.process.pid

        def timed(job: Callable[[int], object], n: int) -> list[tuple[float, float]]:
            found = []
            for at in range(n):
                own, start = _seconds(pid), time.perf_counter()
                job(at)
                wall = time.perf_counter() - start
                found.append((1_000 * wall, 1_000 * (_seconds(pid) - own)))
            return found

        def posted(at: int) -> None:
            text = texts[at]
            asked = {"title": text.title, "body": f"{text.body} new"}
            status, _ = client.post("/v1/related", asked)
            assert status == 200, status

        def put(at: int) -> None:
            new = {"id": f"new/{at}", "title": texts[at].title, "body": f"{texts[at].body} new"}
            assert client.admin("PUT", "/v1/articles", [new])[0] == 200

        def its_list(at: int) -> None:
            status, body = client.get(f"/v1/related?id=new%2F{at}")
            assert status == 200
            assert json.loads(body)["article_id"] == f"new/{at}"

        timed(posted, 5)
        rows = {"POST /v1/related": timed(posted, len(texts))}
        puts, lists = [], []
        for at in range(40):
            puts += timed(lambda _, at=at: put(at), 1)
            lists += timed(lambda _, at=at: its_list(at), 1)
        rows |= {"PUT of an article": puts, "the list of it, just added": lists}
        known = timed(lambda at: client.get(f"/v1/related?id={quote(texts[at].id, safe='')}"), 100)
        rows["a known page, for the first time"] = known
    ends = [(1, 50), (1, 99), (0, 50), (0, 99)]
    table(
        ("one at a time", "processor ms: p50", "p99", "ms by the clock: p50", "p99"),
        [
            (name, *(f"{np.percentile(np.array(found)[:, at], each):.2f}" for at, each in ends))
            for name, found in rows.items()
        ],
    )


def _swaps(full: Site, ids: list[str]) -> None:
    models = full.folder / "models"
    names = [registry.resolve(models).name]
    names.append(_twin(models, names[0]))
    took: dict[str, list[float]] = {"without swaps": [], "while bundles are swapped": []}
    failed: list[str] = []
    with _server(full) as server:
        server.ready()
        for name, times in took.items():
            over = threading.Event()

            def read(times: list[float] = times, over: threading.Event = over) -> None:
                client, at = Client(server.port), 0
                while not over.is_set():
                    at += 1
                    start = time.perf_counter()
                    try:
                        status = client.get(f"/v1/related?id={ids[at % len(ids)]}")[0]
                    except OSError as exc:
                        status = 0
                        failed.append(repr(exc))
                    times.append(1_000 * (time.perf_counter() - start))
                    if status not in (0, 200):
                        failed.append(str(status))
                    time.sleep(0.002)

            readers = [threading.Thread(target=read) for _ in range(N_READERS)]
            for reader in readers:
                reader.start()
            for number in range(N_SWAPS):
                time.sleep(SWAP_EVERY)
                if name != "without swaps":
                    # As another process does it, which tries the bundle itself.
                    registry.replace_file(models / registry.CURRENT, names[(number + 1) % 2] + "\n")
            over.set()
            for reader in readers:
                reader.join()
    table(
        ("readers", "lists", "p50 ms", "p99", "the longest"),
        [
            (name, f"{len(times):,}", *(f"{np.percentile(times, each):.1f}" for each in (50, 99)),
             f"{max(times):.0f}")
            for name, times in took.items()
        ],
    )  # fmt: skip
    print(f"{N_SWAPS} swaps, requests that failed: {len(failed)} {failed[:3]}")


def _twin(models: Path, name: str) -> str:
    """The same bundle under another name."""
    other = name[:-6] + "ffffff"
    shutil.copytree(models / name, models / other)
    path = models / other / registry.MANIFEST
    about = json.loads(path.read_text())
    del about["sum"]
    about["name"] = other
    text = json.dumps(about, sort_keys=True).encode()
    path.write_text(json.dumps({**about, "sum": hashlib.sha256(text).hexdigest()}))
    return other
