"""Several processes on one PostgreSQL, with bundles in one folder or on an object store."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from asking import articles

from recommender.articles.batch import Batch
from recommender.bundle import activation, registry
from recommender.bundle.object_store import ObjectStore
from recommender.store import rules
from recommender.store.database import Store
from recommender.training.pipeline import Options, build

# Each starts servers.
pytestmark = pytest.mark.slow
PROGRAM = "import sys; from recommender.cli.main import main; sys.exit(main(sys.argv[1:]))"
URL = "s3://site/models"


class Server:
    """A process that serves, with settings of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir(exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        given = {"ADMIN_KEY": "key", "EVENT_RATE": "0", **settings}
        mine = {name: value for name, value in os.environ.items() if "RECOMMENDER" not in name}
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, "serve", "--port", str(self.port)],
                stdout=log, stderr=log, cwd=folder, start_new_session=True,
                env=mine | {f"RECOMMENDER_{name}": value for name, value in given.items()},
            )  # fmt: skip

    def ask(self, path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": "Bearer key", "Content-Type": "application/json"}
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, json.loads(text) if text[:1] in "{[" else text
        finally:
            connection.close()

    def ids(self, page: str) -> list[str]:
        found = self.ask(f"/v1/related?id={quote(page, safe='')}")[1]
        return [item["id"] for item in found["items"]]

    def model(self) -> str:
        return str(self.ask("/v1/related?id=knee-1")[1]["model"])

    def is_ready(self) -> bool:
        try:
            return self.ask("/health/ready")[0] == 200
        except OSError:
            assert self.process.poll() is None, self.log.read_text()
            return False


def until(fact: Callable[[], bool], *, seconds: float) -> bool:
    """Does it become true within this time?"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if fact():
            return True
        time.sleep(0.02)
    return False


@contextmanager
def serving(*servers: Server) -> Iterator[None]:
    try:
        for server in servers:
            assert until(server.is_ready, seconds=90), server.log.read_text()
        yield
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.process.send_signal(signal.SIGTERM)
        for server in servers:
            server.process.wait(30)


@pytest.fixture
def trained(postgresql_url: str, tmp_path: Path) -> tuple[Path, str, str]:
    """Two bundles of what is in the store, the first of them live."""
    batch = Batch()
    for article in articles():
        batch.add(article, "test")
    names = []
    with Store(postgresql_url) as store:
        store.apply(batch)
        for hour, live in ((10, True), (11, False)):
            moment = datetime(2026, 11, 22, hour, tzinfo=UTC)
            made = build(
                store, tmp_path / "models", now=moment, options=Options(activate=live, jobs=1)
            )
            names.append(made.name)
    return tmp_path / "models", names[0], names[1]


@pytest.mark.parametrize("place", ["folder", "object store"])
def test_what_changes_reaches_every_process(
    place: str,
    trained: tuple[Path, str, str],
    postgresql_url: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
):
    """A bundle, an article that comes and goes, and an editor's pin, each given to one alone; and
    what one process makes live is live for all.
    """
    models, first, second = trained
    given = [{"MODELS": str(models)}] * 2
    if place == "object store":
        files = request.getfixturevalue("bucket")
        if files.exists("site/models"):
            files.rm("site/models", recursive=True)
        trainer = ObjectStore(URL, tmp_path / "trainer")
        trainer.pull()
        shutil.copytree(models, trainer.folder, dirs_exist_ok=True)
        trainer.send()
        folders = (tmp_path / "one-copies", tmp_path / "other-copies")
        given = [{"MODELS": str(folder), "MODELS_URL": URL} for folder in folders]
    one, other = (
        Server(tmp_path / name, DATABASE=postgresql_url, **settings)
        for name, settings in zip(("one", "other"), given, strict=True)
    )
    # The machine that runs this is busy: the delays themselves are measured in the benchmarks.
    soon = 15.0
    with serving(one, other):
        record = {"id": "new", "title": "Knee joint stairs", "body": "knee joint cartilage stairs"}
        assert one.ask("/v1/articles", "PUT", [record])[0] == 200
        assert other.ask("/v1/related?id=new")[1]["article_id"] == "new"
        near = other.ids("new")[0]
        for server in (one, other):
            assert until(lambda at=server: "new" in at.ids(near), seconds=soon)
        assert other.ask("/v1/articles?id=new", "DELETE")[0] == 200
        for server in (one, other):
            assert until(lambda at=server: "new" not in at.ids(near), seconds=soon)

        with Store(postgresql_url) as store:
            pin = rules.Rule("pin", "knee-1", "alone", 1, reason="test")
            rules.add(store, pin, account="ann", at=datetime.now(UTC))
        for server in (one, other):
            assert until(lambda at=server: at.ids("knee-1")[0] == "alone", seconds=soon)

        assert one.model() == other.model() == first
        if place == "folder":
            activation.activate(models, second)
        else:
            activation.activate(trainer.folder, second)
            trainer.send()
        for server in (one, other):
            assert until(lambda at=server: at.model() == second, seconds=soon)
        assert one.ask(f"/v1/models/{first}/activate", "POST")[0] == 200
        assert one.model() == first
        assert until(lambda: other.model() == first, seconds=soon)
        assert one.ask("/v1/models/20200101-000000-none/activate", "POST")[0] == 404


def test_a_store_that_goes_away_takes_no_list_with_it(
    trained: tuple[Path, str, str], postgresql_url: str, tmp_path: Path, bucket: Any
):
    """The probe and the metric say so, and the process that follows ends with the server."""
    models, first, _ = trained
    if bucket.exists("site/models"):
        bucket.rm("site/models", recursive=True)
    bucket.put(str(models / first), f"site/models/{first}", recursive=True)
    bucket.pipe_file("site/models/CURRENT", f"{first}\n".encode())
    copies = tmp_path / "copies"
    server = Server(tmp_path / "one", DATABASE=postgresql_url, MODELS=str(copies), MODELS_URL=URL)
    with serving(server):
        assert server.model() == first
        up = "recommender_object_store_up 1.0"
        assert until(lambda: up in server.ask("/metrics")[1], seconds=30)

        bucket.pipe_file("site/models/CURRENT", b"20990101-000000-absent\n")
        missing = f"{URL}: there is no bundle 20990101-000000-absent"
        assert until(lambda: missing in str(server.ask("/health/ready")), seconds=60)
        status, ready = server.ask("/health/ready")
        assert (status, ready["model"]) == (200, first)
        assert "recommender_object_store_up 0.0" in server.ask("/metrics")[1]
        assert server.model() == first

        bucket.pipe_file("site/models/CURRENT", f"{first}\n".encode())
        assert until(lambda: up in server.ask("/metrics")[1], seconds=60)
        children = Path(f"/proc/{server.process.pid}/task").glob("*/children")
        followers = [Path(f"/proc/{pid}") for each in children for pid in each.read_text().split()]
        assert len(followers) == 1

        server.process.kill()
        server.process.wait()
        assert until(lambda: not any(each.exists() for each in followers), seconds=60)
    assert registry.current(copies) == first


def test_a_process_that_is_to_stop_says_so_before_it_does(
    trained: tuple[Path, str, str], postgresql_url: str, tmp_path: Path
):
    """While it drains it answers all but the probe, on new connections too."""
    server = Server(
        tmp_path / "one", DATABASE=postgresql_url, MODELS=str(trained[0]), DRAIN_SECONDS="3"
    )
    with serving(server):
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert until(lambda: server.ask("/health/ready")[0] == 503, seconds=2)
        assert server.ask("/health/ready")[1]["detail"] == "This process is about to stop."
        assert server.ask("/health/live")[0] == 200
        assert server.ids("knee-1")

        assert server.process.wait(30) == 0
        assert time.monotonic() > began + 3
