"""Real servers for the long trials: processes of the command line on a real store, and a PostgreSQL
of their own.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recommender.config import PREFIX

KEY = "a key"
PROGRAM = "import sys; from recommender.cli.main import main; sys.exit(main())"
# Where Debian and others put a database server, which is not on the path.
SERVER_PATHS = ("/usr/lib/postgresql", "/usr/local/pgsql")
# Not tuned: on a machine with much other work a server starts in a minute.
READY_SECONDS = 180.0
# How long a server of a rolling restart answers on after it was asked to stop.
DRAIN_SECONDS = 2
# After so long a connection is not used again: a server closes it after five.
IDLE_SECONDS = 4.0
# Ports that somebody here has been given; a system hands out the same twice until it is used.
GIVEN: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on, and that was not given before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in GIVEN:
            GIVEN.add(port)
            return port


@dataclass
class Site:
    """A folder with a site's settings; commands run in it."""

    folder: Path
    database: str
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        given = {
            "DATABASE": self.database, "MODELS": str(self.folder / "models"), "ADMIN_KEY": KEY,
            "EDITORIAL": str(self.folder / "editorial.csv"), "EVENT_RATE": "0", **self.more,
        }  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return {**kept, **{PREFIX + name: value for name, value in given.items()}}

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """One command of the command line, to its end."""
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, arguments)],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip


class Server:
    """``recommender serve`` of a site, a process or a group of them."""

    def __init__(self, site: Site, *, workers: int = 1) -> None:
        self.site, self.workers, self.port = site, workers, free_port()
        self.log = site.folder / f"server-{self.port}.log"
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        command = ("serve", "--port", str(self.port), "--workers", str(self.workers))
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *command], cwd=self.site.folder,
                env=self.site.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def ready(self) -> float:
        """Wait until it answers lists; seconds it took."""
        start = time.monotonic()
        while time.monotonic() < start + READY_SECONDS and self.is_alive():
            with contextlib.suppress(OSError, http.client.HTTPException):
                if Client(self.port).get("/health/ready")[0] == 200:
                    return time.monotonic() - start
            time.sleep(0.02)
        raise TimeoutError(f"no answer in {READY_SECONDS} s: {self.log.read_text()[-2_000:]}")

    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End it at once, workers too, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def again(self) -> None:
        """Start it anew, on the same port."""
        self.process = self._started()

    def stop(self) -> float:
        """End it as a service manager would; seconds it took."""
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        return time.monotonic() - start

    def megabytes(self) -> float:
        """Memory of its processes that is theirs alone, and their share of the rest."""
        return sum(map(megabytes_of, [self.process.pid, *_children(self.process.pid)]))

    def megabytes_alone(self) -> float:
        """The same of the first process, without those that it started."""
        return megabytes_of(self.process.pid)


def _children(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            found += [child, *_children(child)]
    return found


def megabytes_of(pid: int) -> float:
    """The proportional set size of a process."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


class Client:
    """A connection to a server, kept open, and opened anew if it is closed."""

    def __init__(self, port: int, *, seconds: float = 30.0) -> None:
        self.port, self.seconds = port, seconds
        self.connection: http.client.HTTPConnection | None = None
        self.used = 0.0

    def request(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, bytes]:
        """Status and body; ``OSError`` if the server cannot be reached."""
        if self.connection and time.monotonic() - self.used > IDLE_SECONDS:
            self.connection.close()
            self.connection = None
        if self.connection is None:
            self.connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=self.seconds
            )
        sent = None if body is None else json.dumps(body).encode()
        more = {"Content-Type": "application/json"} if sent is not None else {}
        try:
            self.connection.request(method, path, sent, {**more, **headers})
            answer = self.connection.getresponse()
            self.used = time.monotonic()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            raise

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """A GET."""
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any) -> tuple[int, bytes]:
        """A POST of JSON."""
        return self.request("POST", path, body)

    def admin(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """A request with the admin key."""
        return self.request(method, path, body, Authorization=f"Bearer {KEY}")


@contextlib.contextmanager
def postgresql() -> Iterator[str | None]:
    """The URL of a new database in a server of its own, durable as a real one; None where no
    server is installed.
    """
    programs = next(
        (path.parent for root in SERVER_PATHS for path in Path(root).glob("**/bin/initdb")), None
    )
    if programs is None:
        yield None
        return
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = next((name for name in ("postgres", "nobody") if name in names), None)
    user = user if os.geteuid() == 0 else None
    port = free_port()
    with TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        if user:
            shutil.chown(folder, user)

        def run(program: str, *arguments: object) -> None:
            subprocess.run(
                [str(programs / program), *map(str, arguments)], check=True, cwd=folder, user=user,
                timeout=120, stdout=subprocess.DEVNULL,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            )  # fmt: skip

        data = Path(folder) / "data"
        run("initdb", "-D", data, "-U", "trial", "-A", "trust", "-E", "UTF8")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
        run("pg_ctl", "-D", data, "-l", Path(folder) / "log", "-w", "-o", options, "start")
        try:
            run("createdb", "-h", "127.0.0.1", "-p", port, "-U", "trial", "trial")
            yield f"postgresql://trial@127.0.0.1:{port}/trial"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


@contextlib.contextmanager
def object_store() -> Iterator[dict[str, str] | None]:
    """Variables that name an S3 server with an empty bucket ``site``, that at ``S3`` if it is set;
    None without the extra.
    """
    if not find_spec("s3fs") or not (os.environ.get("S3") or find_spec("moto")):
        yield None
        return
    port, server = free_port(), None
    address = os.environ.get("S3") or f"http://127.0.0.1:{port}"
    if "S3" not in os.environ:
        program = "from moto.server import main; import sys; main(sys.argv[1:])"
        command = [sys.executable, "-c", program, "-H", "127.0.0.1", "-p", str(port)]
        null = subprocess.DEVNULL
        server = subprocess.Popen(command, stdout=null, stderr=null)
    given = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", "us"),
        "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", "secret"),
    }
    os.environ.update(given)
    try:
        import s3fs

        files = s3fs.S3FileSystem(use_listings_cache=False)
        end = time.monotonic() + READY_SECONDS
        while True:
            try:
                if not files.exists("site"):
                    files.mkdir("site")
                break
            except Exception:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)
        if files.exists("site/models"):
            files.rm("site/models", recursive=True)
        yield given
    finally:
        if server is not None:
            server.terminate()
            server.wait()


def sites_of(folder: Path, database: str, *, remote: bool) -> list[Site]:
    """The trainer's settings and those of two servers: one folder of bundles, or three with copies
    of what is on the object store.
    """
    places = ("trainer", "first", "second") if remote else ("all",) * 3
    found = []
    for place in places:
        (folder / place).mkdir(exist_ok=True)
        url = {"MODELS_URL": "s3://site/models"} if remote else {}
        more = {
            **url, "MODELS": str(folder / place / "models"), "DRAIN_SECONDS": str(DRAIN_SECONDS),
            "TRUSTED_PROXIES": "127.0.0.1",
        }  # fmt: skip
        found.append(Site(folder / place, database, more))
    return found


def family_megabytes(text: str) -> float:
    """Memory of the processes whose command line has this text, and of those that they started."""
    return sum(map(megabytes_of, _family(text)))


def processor_seconds(text: str) -> float:
    """What the same processes took of processors, and those of them that ended."""
    ticks = 0
    for pid in _family(text):
        with contextlib.suppress(OSError):
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, after_name[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _family(text: str) -> set[int]:
    heads = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if text in path.read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                heads.append(int(path.parent.name))
    return {*heads, *(each for head in heads for each in _children(head))}
