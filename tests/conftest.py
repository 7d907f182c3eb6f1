"""What several test files need: a store of each kind, and a PostgreSQL server of our own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from sites import NOW, bundle_in, once

from recommender.articles.reader import read_articles
from recommender.bundle.bundle import Bundle
from recommender.demo import readers
from recommender.demo.prepare import write_log
from recommender.demo.readers import PAGES
from recommender.events.reader import EventReader
from recommender.store.database import Store
from recommender.training.pipeline import build

# Read when scikit-learn is loaded; without it, threads that wait slow one another twenty times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# What is drawn is the same in every run: a test that fails fails again.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")

# A server that is thrown away: a database then costs a quarter of the processor's time.
CARELESS = " ".join(
    f"-c {setting}"
    for setting in (
        "fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off",
        "wal_level=minimal", "max_wal_senders=0", "max_wal_size=4GB",
    )
)  # fmt: skip
SERVER_PATHS = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/bin")


def _server_programs() -> Path | None:
    """The folder that holds ``initdb`` and ``postgres``."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = [folder for pattern in SERVER_PATHS for folder in Path("/").glob(pattern[1:])]
    return next((folder for folder in sorted(folders) if (folder / "initdb").exists()), None)


def _unprivileged() -> str | None:
    """Whom to run the server as: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a private PostgreSQL server, without a database name at its end."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs = _server_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server (initdb) on this machine")
    user = _unprivileged()
    if os.geteuid() == 0 and user is None:
        pytest.skip("PostgreSQL does not run as root, and there is no other user")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Not tmp_path: the path of a socket may have some hundred characters only.
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        if user:
            shutil.chown(folder, user)

        def run(*command: object) -> None:
            subprocess.run(
                list(map(str, command)), check=True, cwd=folder, user=user, timeout=120,
                stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            )  # fmt: skip

        data = Path(folder) / "data"
        run(programs / "initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "-N")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 {CARELESS}"
        log = Path(folder) / "log"
        run(programs / "pg_ctl", "-D", data, "-l", log, "-w", "-t", "60", "-o", options, "start")
        try:
            yield f"postgresql://tester@127.0.0.1:{port}"
        finally:
            run(programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


@contextmanager
def _new_database(server: str, name: str, *, template: str = "template1") -> Iterator[str]:
    """A copy of the database ``template``, dropped afterwards."""
    import psycopg

    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        # Copying files is quicker than writing a log of them; older servers do nothing else.
        copying = " STRATEGY file_copy" if connection.info.server_version >= 150_000 else ""
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}{copying}")
        yield f"{server}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgresql_url(postgresql_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A new, empty database."""
    name = f"test_{abs(hash(request.node.nodeid))}"
    with _new_database(postgresql_server, name) as url:
        yield url


@pytest.fixture(scope="session")
def empty_store(postgresql_server: str) -> Iterator[str]:
    """The name of a database with a store's tables, and nothing in them; to be copied."""
    with _new_database(postgresql_server, "empty_store") as url:
        Store(url).close()
        yield "empty_store"


@pytest.fixture
def postgresql_store(
    postgresql_server: str, empty_store: str, request: pytest.FixtureRequest
) -> Iterator[str]:
    """A new database with a store's tables, and nothing in them: to make them takes longer."""
    name = f"test_{abs(hash(request.node.nodeid))}"
    with _new_database(postgresql_server, name, template=empty_store) as url:
        yield url


@pytest.fixture
def tables() -> None:
    """What is asked for by tests whose ``database`` may have a store's tables from the start."""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database, once of each kind; empty, unless the test asks for a ``store``, or
    ``tables``.
    """
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    has_tables = not {"store", "tables"}.isdisjoint(request.fixturenames)
    name = "postgresql_store" if has_tables else "postgresql_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """An empty store, once of each kind."""
    with Store(database) as opened:
        yield opened


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample site: ``site.db``, ``events.jsonl`` of 20 days, and ``models``,
    whose live bundle was learned from them. To be read alone.
    """
    return once(tmp_path_factory, "sample", lambda folder: _sample(folder, n_days=28))


@pytest.fixture(scope="session")
def learned(sample: Path) -> Bundle:
    """The live bundle of ``sample``; clicks decided."""
    bundle = bundle_in(sample)
    assert bundle.decided_by == "model"
    return bundle


@pytest.fixture(scope="session")
def text_sample(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The sample site before it had readers."""
    return bundle_in(once(tmp_path_factory, "text", lambda folder: _sample(folder, n_days=0)))


def _sample(folder: Path, *, n_days: int) -> None:
    with Store(f"sqlite:///{folder / 'site.db'}") as store:
        store.apply(read_articles([PAGES], url="https://example.org/{id}"))
        if n_days:
            lists = {page.id: page.recommended for page in store.articles() if not page.stub}
            log = readers.visits(lists, seed=1, days=n_days, a_day=300)
            write_log(folder / "events.jsonl", log)
            store.add_events(EventReader([folder / "events.jsonl"]))
        build(store, folder / "models", now=NOW)


# Fixtures that train on thousands of clicks or start servers: `make check` goes without what needs
# them, and without tests that are marked themselves because they take more than some seconds.
SLOW_FIXTURES = {"bundles", "learned", "postgresql_url", "ruled", "sample", "watched_build"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark as slow what builds on slow ground, and leave long simulations out."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        # What holds on one engine is run on both by `make test`.
        params = getattr(getattr(item, "callspec", None), "params", {})
        on_server = params.get("database") == "postgresql"
        if on_server or fixtures & SLOW_FIXTURES:
            item.add_marker(pytest.mark.slow)
    # Further draws of long simulations are for `make bench FULL=1`.
    if not os.environ.get("FULL"):
        config.hook.pytest_deselected(
            items=[item for item in items if item.get_closest_marker("full")]
        )
        items[:] = [item for item in items if not item.get_closest_marker("full")]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 server of our own; ``TEST_S3`` names another, to be tried by hand, whose
    key and secret are in the environment.
    """
    reason = "the extra `test-cluster` is not installed"
    pytest.importorskip("s3fs", reason=reason)
    if address := os.environ.get("TEST_S3"):
        yield address
        return
    server = pytest.importorskip("moto.server", reason=reason)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> object:
    """A file system with an empty bucket ``site``; the environment says how to reach it."""
    import s3fs

    given = {"ACCESS_KEY_ID": "us", "SECRET_ACCESS_KEY": "secret"}
    for name, value in ({} if "TEST_S3" in os.environ else given).items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    files = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
    if not files.exists("site"):
        files.mkdir("site")
    return files
