"""What strangers can make a server do: memory under heads and bodies without end, readers beside
slow connections and beside clients that post texts. A real server, over sockets of this machine.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.corpus import synthetic, table
from benchmarks.serving import NOW
from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.store.database import Store
from recommender.training.pipeline import build

N_ARTICLES = 20_000
N_POSTERS = 40
N_SLOW = 500
SECONDS = 15.0
# As much as a post may have, and somewhat less than that.
TEXT_BYTES = 250_000
PROGRAM = """
import sys
from pathlib import Path
from recommender_api.serve import serve
from recommender.config import Settings
folder, port, key = sys.argv[1:]
folder = Path(folder)
serve(
    Settings(database=f"sqlite:///{folder}/store.db", models=folder / "models", admin_key=key,
             editorial=folder / "editorial.csv"),
    host="127.0.0.1", port=int(port),
)
"""


def run() -> None:
    """Print the table of limits."""
    titles, bodies = synthetic(N_ARTICLES)
    with TemporaryDirectory() as name:
        folder = Path(name)
        batch = Batch()
        for number, (title, body) in enumerate(zip(titles, bodies, strict=True)):
            url = f"https://example.org/{number}"
            batch.add(Article(f"article/{number}", title, body=body, url=url), "benchmark")
        with Store(f"sqlite:///{folder}/store.db") as store:
            store.apply(batch)
            build(store, folder / "models", now=NOW)
        text = " ".join(bodies)[:TEXT_BYTES]
        rows = [
            ("a head without end, 20 s", *_endless_head(folder)),
            ("40 bodies of 10 MB without a key", *_bodies(folder)),
            (f"{N_SLOW} connections that send a byte a second", *_slow(folder)),
            ("readers alone", *_readers_beside(folder, {})),
            (
                f"readers beside {N_POSTERS} clients that post texts",
                *_readers_beside(folder, {"title": "w1", "body": text}),
            ),
            (
                f"readers beside {N_POSTERS} clients that post 100 ids",
                *_readers_beside(folder, {"ids": [f"article/{n}" for n in range(100)], "k": 50}),
            ),
        ]
    table(("under", "what", "figure"), rows)


class Server:
    """A server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        command = [sys.executable, "-c", PROGRAM, str(folder), str(self.port), "key"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def megabytes(self) -> float:
        """Memory of the process now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), server.connection():
                break
            time.sleep(0.1)
        _latencies(server.port, 1.0)
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(60)


def _endless_head(folder: Path) -> tuple[str, str]:
    """How much memory one request takes that never ends its head."""
    with _server(folder) as server:
        before, most, sent = server.megabytes(), 0.0, 0
        with server.connection() as connection:
            connection.sendall(b"GET /v1/related?id=a HTTP/1.1\r\nhost: x\r\nx: ")
            deadline = time.monotonic() + 20
            with contextlib.suppress(OSError):
                while time.monotonic() < deadline:
                    connection.sendall(b"a" * 1_000_000)
                    sent += 1
                    most = max(most, server.megabytes() - before)
    return "memory it adds, after so much was taken", f"{most:,.0f} MB, {sent:,} MB"


def _bodies(folder: Path) -> tuple[str, str]:
    """How much memory bodies take that nobody has a right to send."""
    head = b"PUT /v1/articles HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    with _server(folder) as server, contextlib.ExitStack() as stack:
        before, most = server.megabytes(), 0.0
        connections = [stack.enter_context(server.connection()) for _ in range(40)]

        def send(connection: socket.socket) -> None:
            with contextlib.suppress(OSError):
                connection.sendall(head + b"content-length: 10000001\r\n\r\n" + b"[" * 10_000_000)

        threads = [threading.Thread(target=send, args=(each,)) for each in connections]
        for thread in threads:
            thread.start()
        for _ in range(50):
            time.sleep(0.1)
            most = max(most, server.megabytes() - before)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
    return "memory they add", f"{most:,.0f} MB"


def _slow(folder: Path) -> tuple[str, str]:
    """How many of them are left after 25 seconds, and readers meanwhile."""
    with _server(folder) as server:
        stop = threading.Event()
        connections = [server.connection() for _ in range(N_SLOW)]
        for connection in connections:
            connection.sendall(b"GET /v1/related?id=")

        def trickle() -> None:
            while not stop.wait(1.0):
                for connection in connections:
                    with contextlib.suppress(OSError):
                        connection.sendall(b"a")

        thread = threading.Thread(target=trickle)
        thread.start()
        time.sleep(1)
        found = _latencies(server.port, 10.0)
        time.sleep(14)
        stop.set()
        thread.join()
        n_open = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
        for connection in connections:
            connection.close()
    return "readers p50, p99, max; descriptors after 25 s", f"{_shown(found)}; {n_open}"


def _readers_beside(folder: Path, question: dict[str, object]) -> tuple[str, str]:
    """Latencies of a ready list while others post."""
    with _server(folder) as server:
        posters = []
        counts = multiprocessing.get_context("spawn").Array("q", 2)
        if question:
            path = "/v1/related/batch" if "ids" in question else "/v1/related"
            body = json.dumps(question).encode()
            process = multiprocessing.get_context("spawn").Process(
                target=_post, args=(server.port, path, body, counts), daemon=True
            )
            process.start()
            posters.append(process)
            time.sleep(3)
        found = _latencies(server.port, SECONDS)
        for process in posters:
            process.kill()
            process.join()
        answered, refused = counts
    more = f"; {answered} answered, {refused} refused" if question else ""
    return "p50, p99, max of a ready list", _shown(found) + more


def _post(port: int, path: str, body: bytes, counts: list[int]) -> None:
    def loop() -> None:
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
                while True:
                    connection.request(
                        "POST", path, body, headers={"content-type": "application/json"}
                    )
                    answer = connection.getresponse()
                    answer.read()
                    counts[answer.status != 200] += 1
                    if answer.status == 503:
                        time.sleep(0.05)
            except OSError:
                time.sleep(0.05)

    threads = [threading.Thread(target=loop, daemon=True) for _ in range(N_POSTERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _latencies(port: int, seconds: float) -> np.ndarray:
    """Milliseconds of lists asked for one after another, ``(n_requests,)``."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    found, deadline, n = [], time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        n += 1
        start = time.perf_counter()
        try:
            connection.request("GET", f"/v1/related?id=article%2F{n % 100}")
            answer = connection.getresponse()
            answer.read()
        except OSError:
            connection.close()
            continue
        assert answer.status == 200, answer.status
        found.append(1000 * (time.perf_counter() - start))
        time.sleep(0.005)
    return np.array(found)


def _shown(found: np.ndarray) -> str:
    p50, p99 = np.quantile(found, (0.5, 0.99))
    return f"{p50:.1f}, {p99:.1f}, {found.max():.0f} ms"
