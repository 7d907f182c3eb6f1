"""The loop as a site lives it: real processes, a real cache, real power cuts."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException
from json import dumps, loads
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import sqlalchemy as sql
from asking import articles, publish

from recommender.articles.batch import Batch
from recommender.demo.loop import Round, plot, show
from recommender.store.database import Store
from recommender_api.metrics import HAND_ON_SECONDS

# Each starts servers.
pytestmark = pytest.mark.slow

KEY = "a secret"
SERVE = "from recommender.cli.main import main; raise SystemExit(main())"
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"}
# How often the server is killed; many times more by hand before a release.
N_KILLS = int(os.environ.get("N_KILLS", "4"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, method: str, path: str, content: Any = None, **headers: str) -> Any:
    """One request of its own; the status and what was answered."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        body = None if content is None else dumps(content)
        connection.request(method, path, body, {**BROWSER, **headers})
        response = connection.getresponse()
        return response.status, loads(response.read())
    finally:
        connection.close()


def wait_until(true: Callable[[], bool], *, seconds: float = 30) -> None:
    patience = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < patience, "waited in vain"
        time.sleep(0.05)


def is_ready(port: int) -> bool:
    try:
        return bool(ask(port, "GET", "/health/ready")[0] == 200)
    except (OSError, HTTPException):
        return False


class Server:
    """``recommender serve`` in a process group of its own."""

    def __init__(self, folder: Path, database: str, models: Path, *, workers: int = 1) -> None:
        self.port = free_port()
        self.folder = folder
        self.workers = workers
        self.environment = {
            **os.environ,
            "RECOMMENDER_DATABASE": database,
            "RECOMMENDER_MODELS": str(models),
            "RECOMMENDER_ADMIN_KEY": KEY,
        }
        # Beside a store without the bundle's articles it would not be ready.
        batch = Batch()
        for article in articles():
            batch.add(article, "test")
        with Store(database) as store:
            store.apply(batch)
        self.start()

    def start(self) -> None:
        words = ["serve", "--port", str(self.port), "--workers", str(self.workers)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, *words], cwd=self.folder, env=self.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        wait_until(lambda: is_ready(self.port))

    def kill(self) -> None:
        """As a power cut would: nobody is told."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def server(*wanted: Any, **more: Any) -> Iterator[Server]:
    running = Server(*wanted, **more)
    try:
        yield running
    finally:
        running.kill()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loop") / "models"
    publish(folder)
    return folder


def rows(database: str, statement: str) -> list[tuple[Any, ...]]:
    with Store(database) as store, store.reading() as connection:
        return [tuple(row) for row in connection.execute(sql.text(statement))]


def test_what_was_answered_survives_a_power_cut(tmp_path: Path, models: Path):
    """The server is killed under load, again and again: every event it took is there, once."""
    database = f"sqlite:///{tmp_path / 'store.db'}"
    taken: set[str] = set()
    draw = random.Random(1)
    running = Server(tmp_path, database, models)
    slate = ask(running.port, "GET", "/v1/related?id=knee-1&variant=7")[1]["slate"]

    def load(name: str, stop: threading.Event) -> None:
        number = 0
        with closing(HTTPConnection("127.0.0.1", running.port, timeout=10)) as connection:
            while not stop.is_set():
                number += 1
                views = [f"{name}-{number}-{part}" for part in range(3)]
                events = [{"type": "impression", "view_id": view, "slate": slate} for view in views]
                try:
                    connection.request("POST", "/v1/events", dumps(events), BROWSER)
                    with connection.getresponse() as response:
                        status, answer = response.status, loads(response.read())
                except (OSError, HTTPException, ValueError):
                    return
                if status == 202:
                    assert answer["accepted"] == 3
                    taken.update(views)

    for kill in range(N_KILLS):
        stop = threading.Event()
        threads = [
            threading.Thread(target=load, args=(f"k{kill}-{at}", stop), daemon=True)
            for at in range(4)
        ]
        for thread in threads:
            thread.start()
        time.sleep(draw.uniform(0.02, 0.4))
        running.kill()
        stop.set()
        for thread in threads:
            thread.join()
        running.start()
    running.kill()

    stored = Counter(view for (view,) in rows(database, "SELECT view_id FROM views"))
    assert len(taken) > 3 * N_KILLS
    assert taken <= set(stored)
    assert max(stored.values()) == 1


def test_articles_reach_every_worker_and_figures_are_summed(
    database: str, tmp_path: Path, models: Path
):
    """Two processes behind one port: a new article has a list in whichever is asked next, stands in
    others' lists within a second, and is gone from all within a second.
    """
    with server(tmp_path, database, models, workers=2) as running:
        admin = {"Authorization": f"Bearer {KEY}"}

        def listed(id: str) -> list[list[str]]:
            """What a dozen requests, each on a connection of its own, are answered."""
            answers = [ask(running.port, "GET", f"/v1/related?id={id}")[1] for _ in range(12)]
            return [[item["id"] for item in answer["items"]] for answer in answers]

        body = "joint meniscus tendon stairs swelling. A case of the hip, unlike others."
        article = {"id": "fresh", "title": "Hip joint after running", "body": body}
        status, told = ask(running.port, "PUT", "/v1/articles", [article],
                           **admin, **{"Content-Type": "application/json"})  # fmt: skip
        at_once = [ask(running.port, "GET", "/v1/related?id=fresh")[1] for _ in range(12)]
        time.sleep(1)
        in_others = listed("knee-1")
        ask(running.port, "DELETE", "/v1/articles?id=fresh", **admin)
        time.sleep(1)
        after = listed("knee-1")
        time.sleep(2 * HAND_ON_SECONDS)  # until others may add up what one has counted
        connection = HTTPConnection("127.0.0.1", running.port)
        connection.request("GET", "/metrics", headers=admin)
        figures = connection.getresponse().read().decode()
        connection.close()

    assert (status, told["added"]) == (200, 1)
    assert {answer["article_id"] for answer in at_once} == {"fresh"}
    assert all("fresh" in ids for ids in in_others)
    assert not any("fresh" in ids for ids in after)
    # Readiness is asked by another address; the lists are 36, whoever answered.
    (counted,) = re.findall(r'recommender_answers_total{list="own"} (.*)', figures)
    assert counted == "36.0"


def test_two_servers_and_a_training_share_a_database(
    postgresql_url: str, tmp_path: Path, models: Path
):
    """Tokens of one are good at the other, events of both are counted, and both take up what is
    trained beside them.
    """
    mine = Path(shutil.copytree(models, tmp_path / "models"))
    with (
        server(tmp_path, postgresql_url, mine) as one,
        server(tmp_path, postgresql_url, mine) as two,
    ):
        slate = ask(one.port, "GET", "/v1/related?id=knee-1&variant=3")[1]["slate"]

        def send(running: Server, name: str) -> None:
            for number in range(30):
                view = f"{name}-{number % 20}"
                events = [
                    {"type": "impression", "view_id": view, "slate": slate},
                    {"type": "click", "view_id": view, "slate": slate, "position": 1},
                ]
                assert ask(running.port, "POST", "/v1/events", events)[0] == 202

        threads = [
            threading.Thread(target=send, args=(running, name))
            for running, name in ((one, "a"), (two, "b"), (one, "both"), (two, "both"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    counted = "SELECT (SELECT COUNT(*) FROM views), (SELECT COUNT(*) FROM clicks)"
    assert rows(postgresql_url, counted) == [(60, 60)]
    assert rows(postgresql_url, "SELECT COUNT(*) FROM slates") == [(1,)]


CACHE = """
worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    proxy_cache_path {folder}/cache keys_zone=lists:1m;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{server}; proxy_set_header Host $http_host;
            proxy_cache lists; add_header X-Cache $upstream_cache_status;
        }}
    }}
}}
"""


def test_a_cache_in_front_does_not_change_the_shares(tmp_path: Path, models: Path):
    """The page draws, so a list that was kept for another reader is logged with its own variant:
    what was shown how often agrees with the chances that were logged with it.
    """
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    database = f"sqlite:///{tmp_path / 'store.db'}"
    draw = random.Random(7)
    with server(tmp_path, database, models) as running:
        port = free_port()
        config = tmp_path / "nginx.conf"
        config.write_text(CACHE.format(folder=tmp_path, port=port, server=running.port))
        if os.geteuid() == 0:
            config.write_text(f"user root; {config.read_text()}")
        cache = subprocess.Popen([nginx, "-c", config, "-p", tmp_path], stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: is_ready(port))
            connection = HTTPConnection("127.0.0.1", port, timeout=30)
            hits, events = 0, []
            for number in range(3_000):
                connection.request("GET", f"/v1/related?id=knee-1&variant={draw.randrange(100)}")
                response = connection.getresponse()
                hits += response.headers["X-Cache"] == "HIT"
                answer = loads(response.read())
                view = {"type": "impression", "view_id": f"v{number}", "slate": answer["slate"]}
                events.append(view)
            for start in range(0, len(events), 500):
                part = events[start : start + 500]
                assert ask(port, "POST", "/v1/events", part)[1]["accepted"] == 500
        finally:
            cache.terminate()
            cache.wait()

    shown = rows(
        database,
        "SELECT l.item, l.position, l.propensity, COUNT(*) FROM views v "
        "JOIN slate_links l ON l.slate = v.slate GROUP BY l.item, l.position, l.propensity",
    )
    assert hits > 2_500
    assert len(shown) > 10
    for item, position, chance, n in shown:
        spread = (3_000 * chance * (1 - chance)) ** 0.5
        assert abs(n - 3_000 * chance) <= 4 * spread + 1, (item, position, chance, n)


def test_the_loop_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Two days of thirty readers through a server of its own: every night a bundle, every day views
    that explore, and the price of the lists is told beside those it is to be compared with.
    """
    found = show(tmp_path / "demo", readers=30, rounds=2, port=free_port())

    assert [each.day for each in found] == [0, 1, 2]
    assert found[2].n_views > found[1].n_views >= 30
    assert found[2].n_clicks > found[1].n_clicks > 0
    database = f"sqlite:///{tmp_path / 'demo' / 'loop.db'}"
    assert rows(database, "SELECT COUNT(*) FROM views") == [(found[2].n_views,)]
    assert dict(rows(database, "SELECT arm, COUNT(*) FROM views GROUP BY arm"))["explore"] > 0
    assert len(rows(database, "SELECT DISTINCT list FROM slates")) == 2
    said = capsys.readouterr().out
    for name in ("hand-picked", "nearest texts", "best possible", "day 2"):
        assert name in said


def test_the_picture_of_the_loop_is_drawn(tmp_path: Path):
    """Days along the bottom, other lists as lines to compare with."""
    rounds = [Round(day, 10 * day, day, 70.0 + day, "model") for day in range(4)]

    plot(rounds, {"hand-picked": 48.0, "best possible": 103.0}).save(tmp_path / "loop.svg")

    svg = ElementTree.parse(tmp_path / "loop.svg").getroot()
    words = [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {"hand-picked, 48", "best possible, 103", "recommender, 73"} <= set(words)
    assert len(list(svg.iter("{http://www.w3.org/2000/svg}circle"))) == len(rounds)
