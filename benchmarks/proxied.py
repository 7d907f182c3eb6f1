"""Ten thousand readers through nginx, as ``docs/deploy`` has it: two processes of the service on a
PostgreSQL, a cache in front, and the nightly job meanwhile.

``READERS=10000 python -m benchmarks proxied``
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import numpy as np
import sqlalchemy as sql

from benchmarks.servers import READY_SECONDS, Server, Site, free_port, postgresql
from benchmarks.soak import prepare
from recommender.store.database import Store

N_READERS = int(os.environ.get("READERS", "10000"))
# Readers that are there at the same time, each on a connection of his own.
AT_ONCE = 16
FILES = Path(__file__).parents[1] / "docs" / "deploy" / "nginx"
MAIN = """
pid {folder}/nginx.pid; daemon off; worker_processes 2; {user} error_log {folder}/main.log crit;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    include {folder}/upstream.conf;
    include {folder}/recommender.conf;
}}
"""


@dataclass
class Seen:
    """What readers met: statuses, where lists came from, seconds of lists and of events."""

    statuses: Counter[int] = field(default_factory=Counter)
    cached: Counter[str] = field(default_factory=Counter)
    lists: list[float] = field(default_factory=list)
    events: list[float] = field(default_factory=list)
    n_clicks: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def proxy(server: int, folder: Path, *others: int) -> Iterator[int]:
    """nginx by the project's own files, before a server at a port, and before ``others``; the port
    it listens on.

    As the files say how, a proxy further out is believed, who gives readers their addresses.
    """
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "nginx is not installed"
    port = free_port()
    folder.mkdir()
    text = (FILES / "recommender.conf").read_text(encoding="utf-8")
    for ours, here in (
        ("/var/cache/nginx-recommender", str(folder / "cache")),
        ("/var/log/nginx", str(folder)),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("listen [::]:80;", ""),
        ("# set_real_ip_from 203.0.113.0/24;", "set_real_ip_from 127.0.0.1;"),
        ("# real_ip_header", "real_ip_header"),
    ):
        assert ours in text, ours
        text = text.replace(ours, here)
    (folder / "recommender.conf").write_text(text, encoding="utf-8")
    upstream = (FILES / "upstream.conf").read_text(encoding="utf-8")
    shown = "server 127.0.0.1:8000;"
    assert shown in upstream
    if others:
        ports, how = (server, *others), "max_fails=1 fail_timeout=2s;"
        assert how in upstream
        servers = "\n".join(f"server 127.0.0.1:{each} {how}" for each in ports)
    else:
        servers = f"server 127.0.0.1:{server};"
    upstream = upstream.replace(shown, servers)
    (folder / "upstream.conf").write_text(upstream, encoding="utf-8")
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user), encoding="utf-8")
    running = subprocess.Popen([program, "-c", folder / "nginx.conf", "-p", folder])
    try:
        end = time.monotonic() + READY_SECONDS
        while True:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            assert time.monotonic() < end, "nginx does not listen"
            time.sleep(0.05)
        yield port
    finally:
        running.terminate()
        running.wait(10)


def one_reader(number: int, *, port: int, ids: list[str], weights: list[float], seen: Seen) -> None:
    """Opens a page, sees a list, says so, and follows a link of it now and then."""
    draw = random.Random(number)
    page = draw.choices(ids, weights)[0]
    address = f"198.{18 + number % 2}.{number // 250 % 250}.{number % 250}"
    headers = {"X-Forwarded-For": address, "User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}
    connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(method: str, path: str, body: object = None) -> tuple[int, bytes, str, float]:
        start = time.perf_counter()
        sent = None if body is None else json.dumps(body)
        more = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, sent, {**headers, **more})
        answer = connection.getresponse()
        content = answer.read()
        took = time.perf_counter() - start
        with seen.lock:
            seen.statuses[answer.status] += 1
        return answer.status, content, answer.headers.get("X-Cache", ""), took

    list_of = f"/v1/related?id={quote(page)}&k=10&variant={draw.randrange(100)}"
    status, content, cached, took = ask("GET", list_of)
    with seen.lock:
        seen.lists.append(took)
        seen.cached[cached] += 1
    if status != 200:
        return
    answer = json.loads(content)
    view = {"view_id": f"reader-{number}", "slate": answer["slate"]}
    events: list[dict[str, object]] = [{"type": "impression", **view}]
    places = range(1, len(answer["items"]) + 1)
    followed = [place for place in places if draw.random() < 0.08 / place]
    events += [{"type": "click", "position": place, **view} for place in followed]
    for event in events:
        status, content, _, took = ask("POST", "/v1/events", event)
        with seen.lock:
            seen.events.append(took)
            seen.n_clicks += event["type"] == "click"
        assert json.loads(content).get("accepted") == 1 or status >= 500, content
    connection.close()


def through(
    port: int, ids: list[str], meanwhile: Callable[[], object], *, n_readers: int = N_READERS
) -> tuple[Seen, float]:
    """What they met, and the seconds it took. The job of the night begins after a third of them."""
    seen = Seen()
    weights = [1 / rank for rank in range(1, len(ids) + 1)]
    job = threading.Thread(target=meanwhile)
    reads = partial(one_reader, port=port, ids=ids, weights=weights, seen=seen)
    start = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as readers_there:
        waiting = [readers_there.submit(reads, number) for number in range(n_readers)]
        waiting[n_readers // 3].result()
        job.start()
        for each in waiting:
            each.result()
    seconds = time.perf_counter() - start
    job.join()
    return seen, seconds


def told(seen: Seen, seconds: float) -> None:
    """Print it."""
    n = sum(seen.statuses.values())
    print(f"{n} requests in {seconds:.0f} s, {n / seconds:.0f} a second: {dict(seen.statuses)}")
    print(f"lists by the cache: {dict(seen.cached)}")
    for name, took in (("lists", seen.lists), ("events", seen.events)):
        half, most, all_ = np.quantile(took, [0.5, 0.99, 1]) * 1000
        print(f"{name}: {half:.1f} ms, p99 {most:.1f} ms, longest {all_:.0f} ms")


def run() -> None:
    """Print what they met."""
    with postgresql() as database, TemporaryDirectory() as name:
        if database is None or not shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"):
            print("PostgreSQL or nginx is not installed")
            return
        folder = Path(name)
        folder.chmod(0o755)
        more = {"TRUSTED_PROXIES": "127.0.0.1", "EVENT_RATE": "600", "CONSOLE": "on"}
        site = Site(folder, database, more)
        prepare(site)
        with Store(database, create=False) as store:
            ids = [article.id for article in store.articles() if not article.stub]

        def nightly() -> None:
            start = time.perf_counter()
            for command in (
                ("train", "--quiet", "--promote-if-better", "--keep", "7"),
                ("forget", "--quiet", "--older-than", "90"),
            ):
                done = site.run(*command)
                print(f"nightly {command[0]}: {done.returncode} {done.stderr.strip()[:300]}")
            print(f"the nightly job took {time.perf_counter() - start:.0f} s")

        server = Server(site, workers=2)
        try:
            server.ready()
            with proxy(server.port, folder / "nginx") as port:
                seen, seconds = through(port, ids, nightly)
                told(seen, seconds)
                connection = HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request("GET", "/console")
                print(f"/console: {connection.getresponse().status}")
                connection.close()
        finally:
            server.stop()
        with sql.create_engine(
            database.replace("postgresql:", "postgresql+psycopg:")
        ).begin() as at:
            for what in ("views", "clicks"):
                query = f"SELECT COUNT(*) FROM {what} WHERE view_id LIKE 'reader-%'"
                print(f"{what} in the store: {at.execute(sql.text(query)).scalar()}")
        print(f"clicks sent: {seen.n_clicks}")
        for log in ("access.log", "main.log", "error.log"):
            path = folder / "nginx" / log
            lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
            print(f"{log}: {len(lines)} lines; {lines[-1] if lines else ''}")
