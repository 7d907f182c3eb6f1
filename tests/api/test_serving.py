"""A real server under load swaps bundles, picks up rules, and stops without losing a request."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import publish

from recommender.bundle import activation
from recommender.config import Settings
from recommender.errors import SettingsError
from recommender.store.database import Store
from recommender_api.serve import _metrics_folder, serve

# Each starts servers.
pytestmark = pytest.mark.slow

PROGRAM = """
import sys
from pathlib import Path
from recommender_api.serve import serve
from recommender.config import Settings
models, rules, port, workers, database, rate = sys.argv[1:]
settings = Settings(
    database=database, models=Path(models), editorial=Path(rules), admin_key="key",
    trusted_proxies="192.0.2.1", event_rate=int(rate),
)
serve(settings, host="127.0.0.1", port=int(port), workers=int(workers))
print("returned", flush=True)
"""


class Server:
    """A server in a process of its own."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 1,
        program: str = PROGRAM,
        database: str = "sqlite://",
        rate: int = 1,
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = folder / "log"
        arguments = [
            folder / "models",
            folder / "editorial.csv",
            self.port,
            workers,
            database,
            rate,
        ]
        # Settings of whoever runs the tests are not the server's.
        mine = {name: value for name, value in os.environ.items() if "RECOMMENDER" not in name}
        # As if everybody were a proxy of ours: for servers that read it.
        mine["FORWARDED_ALLOW_IPS"] = "*"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, *map(str, arguments)],
                stdout=log, stderr=log, env=mine, cwd=folder,
            )  # fmt: skip

    def get(
        self, path: str, method: str = "GET", body: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and content of one answer, over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def answers(self) -> bool:
        try:
            return self.get("/health/live")[0] == 200
        except OSError:
            return False

    def model(self) -> str:
        return str(self.get("/v1/related?id=knee-1")[1]["model"])

    def post(self, view: str, slate: str) -> int:
        """The status of the answer to a view of the slate."""
        event = {"type": "impression", "view_id": view, "slate": slate}
        return self.get("/v1/events", method="POST", body=json.dumps(event))[0]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def until(fact: Callable[[], bool], *, seconds: float) -> bool:
    """Does it become true within this time?"""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if fact():
            return True
        time.sleep(0.05)
    return False


@contextlib.contextmanager
def running(folder: Path, **more: Any) -> Iterator[Server]:
    server = Server(folder, **more)
    try:
        assert until(server.answers, seconds=60), server.log.read_text()
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A folder of two bundles and their names, the live one first."""
    folder = tmp_path_factory.mktemp("site")
    return folder, *publish(folder / "models")


@pytest.fixture
def folder(published: tuple[Path, str, str], tmp_path: Path) -> Path:
    """Where a server runs: its models to change, no rules yet."""
    shutil.copytree(published[0] / "models", tmp_path / "models")
    return tmp_path


class Readers:
    """Four connections that ask for lists as fast as they are answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.models: set[str] = set()
        self.failures: list[str] = []
        self.n_answers = 0
        self.leaving = False
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._read) for _ in range(4)]

    def __enter__(self) -> "Readers":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _read(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        n = 0
        while not self.stopping.is_set():
            n += 1
            path = "/v1/related?id=knee-1" if n % 3 else f"/v1/related?id=sleep-1&k={n % 40 + 1}"
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
            except (ConnectionError, http.client.BadStatusLine) as exc:
                # A server that goes closes connections between answers, never within one.
                if not self.leaving:
                    self.failures.append(repr(exc))
                break
            try:
                content = json.loads(answer.read())
            except (OSError, ValueError, http.client.HTTPException) as exc:
                self.failures.append(f"cut short: {exc!r}")
                break
            self.n_answers += 1
            if answer.status != 200 or not content["items"]:
                self.failures.append(f"{answer.status} {content}")
            self.models.add(content["model"])
        connection.close()


def test_bundles_are_swapped_under_load_without_a_failed_request(
    folder: Path, published: tuple[Path, str, str]
):
    """Each is served within seconds of becoming current, and no reader notices."""
    _, old, new = published
    with running(folder) as server, Readers(server.port) as readers:
        for name in (new, old, new):
            activation.activate(folder / "models", name)
            assert until(lambda name=name: server.model() == name, seconds=10)

    assert readers.failures == []
    assert readers.models == {old, new}
    assert readers.n_answers > 100


def test_a_corrupt_bundle_is_refused_under_load_while_the_old_serves(
    folder: Path, published: tuple[Path, str, str]
):
    """The log says so in one line."""
    _, old, new = published
    (folder / "models" / new / "lists_items.npy").write_bytes(b"nothing")
    with running(folder) as server, Readers(server.port) as readers:
        (folder / "models" / "CURRENT").write_text(new + "\n")
        assert until(lambda: "damaged" in str(server.get("/health/ready")), seconds=10)
        time.sleep(1)
        assert server.model() == old

    assert readers.failures == []
    assert readers.models == {old}
    assert server.log.read_text().count("the bundle is damaged") == 1


def test_rules_are_live_within_seconds_of_saving(folder: Path):
    """And gone when the file is."""
    rules = folder / "editorial.csv"

    def pinned() -> bool:
        return bool(server.get("/v1/related?id=knee-1")[1]["items"][0]["id"] == "alone")

    with running(folder) as server:
        assert not pinned()
        rules.write_text("action,source,target,position\npin,*,alone,1\n")
        assert until(pinned, seconds=10)
        rules.unlink()
        assert until(lambda: not pinned(), seconds=10)


def test_a_server_that_starts_broken_is_alive_and_recovers(
    folder: Path, published: tuple[Path, str, str]
):
    """Not ready, with the reason, until the missing file is back; nobody touches the pointer."""
    array = folder / "models" / published[1] / "fragments_data.npy"
    raw = array.read_bytes()
    array.unlink()
    with running(folder) as server:
        status, reason = server.get("/health/ready")
        assert (status, reason["error"]) == (503, "not_ready")
        assert "fragments_data.npy: missing" in reason["detail"]
        assert server.get("/v1/related?id=knee-1")[0] == 503

        array.write_bytes(raw)

        assert until(lambda: "missing" not in str(server.get("/health/ready")), seconds=15)
        assert server.model() == published[1]


def test_on_sigterm_what_is_under_way_is_finished(folder: Path):
    """A request of which half has arrived gets its answer, then the process returns with 0."""
    body = json.dumps({"title": "knee joint"}).encode()
    head = (
        f"POST /v1/related HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    with running(folder) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(head + body[:5])
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(1)
            connection.sendall(body[5:])
            answer = b""
            while part := connection.recv(65536):
                answer += part
        status = server.process.wait(timeout=30)

    assert answer.startswith(b"HTTP/1.1 200")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["items"]
    assert status == 0
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_on_sigterm_under_load_no_answer_is_cut_short(folder: Path, workers: int):
    """Every answer that begins is whole, and the status is 0."""
    with (
        running(folder, workers=workers) as server,
        Readers(server.port) as readers,
    ):
        assert until(lambda: readers.n_answers > 50, seconds=20)
        readers.leaving = True
        status = server.stop()

    assert status == 0
    assert readers.failures == []


def test_two_workers_share_bundles_and_rules(folder: Path, published: tuple[Path, str, str]):
    """What is activated through one is soon served by both."""
    new = published[2]
    with running(folder, workers=2) as server, Readers(server.port) as readers:
        started = re.compile(r"Started server process \[(\d+)\]")
        assert until(lambda: len({*started.findall(server.log.read_text())}) == 2, seconds=30)
        status, about = server.get(
            f"/v1/models/{new}/activate", method="POST", Authorization="Bearer key"
        )
        assert (status, about["name"]) == (200, new)
        assert until(lambda: all(server.model() == new for _ in range(40)), seconds=15)

    assert readers.failures == []


@pytest.mark.parametrize("workers", [1, 2])
def test_our_setting_alone_names_proxies(folder: Path, workers: int):
    """Not the server's own, which trusts everybody here: who makes up an address for each post is
    one client all the same, of each worker.
    """
    with running(folder, workers=workers) as server:
        found = [
            server.get("/v1/events", method="POST", **{"X-Forwarded-For": f"203.0.113.{number}"})[0]
            for number in range(6)
        ]

    # Whoever may post is answered that no body is no JSON.
    assert set(found) <= {400, 429}
    assert 1 <= found.count(400) <= workers


def test_a_store_that_is_deleted_or_replaced_is_noticed(folder: Path):
    """Whatever is answered 202 is in the file: events are refused from then on, lists are not, and
    nothing is made. A backup that is put there is opened without a restart, with its own keys.
    """
    path = folder / "data" / "store.db"
    path.parent.mkdir()
    with running(folder, database=f"sqlite:///{path}", rate=0) as server:

        def slate() -> str:
            return str(server.get("/v1/related?id=knee-1")[1]["slate"])

        old = slate()
        assert server.post("v1", old) == 202
        with Store(f"sqlite:///{path}") as store, store.reading() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        backup = path.read_bytes()

        for file in path.parent.iterdir():
            file.unlink()
        assert [server.post(f"lost{n}", old) for n in range(5)] == [503] * 5
        time.sleep(2)
        assert [*path.parent.iterdir()] == []
        assert server.get("/v1/related?id=knee-1")[0] == 200

        (folder / "backup.db").write_bytes(backup)
        (folder / "backup.db").rename(path)
        assert until(lambda: server.post("v2", old) == 202, seconds=5)

        with Store(f"sqlite:///{folder / 'other.db'}") as other, other.transaction():
            pass
        (folder / "other.db").rename(path)
        assert server.post("lost", old) == 503
        assert until(lambda: slate() != old and server.post("v3", slate()) == 202, seconds=5)
        # Signed by the key of a store that is gone.
        refused = server.get("/v1/events", method="POST", body=json.dumps(
            {"type": "impression", "view_id": "v4", "slate": old}))  # fmt: skip
        assert refused[1]["rejected"][0]["reason"] == "forged"

    with Store(f"sqlite:///{path}") as store, store.reading() as connection:
        views = connection.exec_driver_sql("SELECT view_id FROM views").all()
    assert [view for (view,) in views] == ["v3"]
    assert "Traceback" not in server.log.read_text()


def test_a_taken_address_is_told_in_one_sentence(tmp_path: Path):
    """Before anything is loaded."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(SettingsError, match=f"127.0.0.1:{port}: cannot listen there"):
            serve(Settings(models=tmp_path), host="127.0.0.1", port=port)


def test_a_site_of_its_own_is_for_one_worker(tmp_path: Path):
    """It could not be handed to others."""
    with pytest.raises(SettingsError, match="one worker"):
        serve(Settings(models=tmp_path), host="127.0.0.1", port=0, workers=2, site=lambda app: None)


def test_a_slow_start_of_workers_is_no_reason_to_kill_them(folder: Path):
    """Each is started once."""
    with running(folder, workers=2) as server:
        done = "Application startup complete"
        assert until(lambda: server.log.read_text().count(done) == 2, seconds=60)

    assert "died" not in server.log.read_text()


def test_what_a_killed_server_counted_is_cleaned_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """By the next one that starts: of those that run, and of new ones, nothing is touched."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folders = [tmp_path / f"recommender-metrics-{name}" for name in ("left", "runs", "new")]
    for folder in folders:
        folder.mkdir()
        (folder / "lock").touch()
        (folder / "counter_7.db").touch()
    for folder in folders[:2]:
        os.utime(folder, (0, 0))
    holder = (
        "import fcntl, sys; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_EX);"
        "print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holder, str(folders[1] / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()

        with _metrics_folder() as mine:
            there = [folder.exists() for folder in (*folders, mine)]

        process.communicate()

    assert there == [False, True, True, True]
    assert not mine.exists()


def test_a_store_that_hangs_does_not_hold_up_the_end(folder: Path):
    """SIGTERM ends the process within the time of grace, though a thread waits for the store."""
    program = PROGRAM.replace(
        "serve(settings", "import recommender_api.store_connection as c, time\n"
        "c.Stored.poll = lambda self, catch_up: time.sleep(600)\nserve(settings",
    )  # fmt: skip
    with running(folder, program=program) as server:
        assert server.get("/v1/related?id=nobody")[0] == 200
        since = time.monotonic()
        assert server.stop() == 0

    assert time.monotonic() - since < 10
