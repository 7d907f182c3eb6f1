"""A store knows the file it writes to, writes to no other, and is read without being written."""

import os
import shutil
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sent import record, rows, shown

from recommender.errors import StoreError
from recommender.store.database import Store


def store_in(path: Path) -> Store:
    """A store of one view."""
    store = Store(f"sqlite:///{path}")
    record(store, shown("v0", 7))
    return store


def delete(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def replace(path: Path) -> None:
    """As a backup is put back."""
    with Store(f"sqlite:///{path.with_name('other.db')}"):
        pass
    path.with_name("other.db").rename(path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def lose_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


@pytest.mark.parametrize("harm", [delete, replace, empty, lose_log, move_folder])
def test_what_is_written_to_a_lost_file_is_not_called_durable(
    tmp_path: Path, harm: Callable[[Path], None]
):
    """Nor what is written later, and nothing is made in its place."""
    path = tmp_path / "folder" / "store.db"
    path.parent.mkdir()
    store = store_in(path)
    harm(path)
    left = sorted(tmp_path.rglob("*"))

    for view in ("v1", "v2"):
        with pytest.raises(StoreError, match=r"store.db: "):
            record(store, shown(view, 7))
    with pytest.raises(StoreError):
        store.check()

    assert store.lost
    assert sorted(tmp_path.rglob("*")) == left
    store.close()


def test_a_lost_file_stays_lost_until_it_is_opened_anew(tmp_path: Path):
    """Also when it is back: what was written meanwhile is not in it."""
    path = tmp_path / "folder" / "store.db"
    path.parent.mkdir()
    with store_in(path) as store:
        path.parent.rename(tmp_path / "away")
        with pytest.raises(StoreError, match="gone"):
            store.check()
        (tmp_path / "away").rename(path.parent)
        with pytest.raises(StoreError, match="gone"):
            record(store, shown("v1", 7))

    with Store(f"sqlite:///{path}", create=False) as again:
        assert record(again, shown("v1", 7)) == [True]
        assert rows(again, "SELECT view_id FROM views ORDER BY view_id") == [("v0",), ("v1",)]


@pytest.mark.parametrize("n_open", [1, 2])
def test_what_takes_the_place_of_a_lost_file_is_not_mixed_with_it(tmp_path: Path, n_open: int):
    """What was written last stands in a file beside it, which SQLite would read as a part of the
    new one. The old one is whole, where it is now, also if another process has it open.
    """
    path, old = tmp_path / "store.db", tmp_path / "old.db"
    with Store(f"sqlite:///{tmp_path / 'other.db'}") as other:
        record(other, shown("other", 7))
    store = store_in(path)
    more = [Store(store.url) for _ in range(n_open - 1)]
    record(store, shown("v1", 7))
    path.rename(old)
    (tmp_path / "other.db").rename(path)
    for each in (store, *more):
        with pytest.raises(StoreError, match="another file"):
            record(each, shown("lost", 7))
        each.abandon()

    with Store(f"sqlite:///{path}", create=False) as again:
        assert rows(again, "SELECT view_id FROM views") == [("other",)]
    with Store(f"sqlite:///{old}", create=False) as complete:
        assert rows(complete, "SELECT view_id FROM views ORDER BY 1") == [("v0",), ("v1",)]


def test_a_file_that_others_use_too_is_not_lost(tmp_path: Path):
    """They write, make room and close."""
    with store_in(tmp_path / "store.db") as store:
        with Store(store.url) as other:
            record(other, shown("v1", 7))
            with other.reading() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        record(store, shown("v2", 7))

        store.check()


@pytest.mark.parametrize("content", [None, b""])
def test_what_is_not_to_be_made_is_not_made(tmp_path: Path, content: bytes | None):
    """Neither a file nor tables in it."""
    path = tmp_path / "store.db"
    if content is not None:
        path.write_bytes(content)

    for options in ({"create": False}, {"writing": False}):
        with pytest.raises(StoreError, match=r"no such store|there is no store in it"):
            Store(f"sqlite:///{path}", **options)

    assert [file.read_bytes() for file in tmp_path.iterdir()] == [content][: path.exists()]


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path):
    """The key that signs tokens is in it; what SQLite keeps beside it is no different. A file that
    is there keeps its mode.
    """
    path = tmp_path / "store.db"
    before = os.umask(0)
    try:
        with store_in(path) as store:
            modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
            assert not store.seen_by_others()
    finally:
        os.umask(before)
    assert modes == {0o600}

    path.chmod(0o640)
    with store_in(path) as store:
        assert store.seen_by_others()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_damaged_file_is_named_as_such(tmp_path: Path):
    """A whole one passes."""
    with store_in(tmp_path / "store.db") as store:
        store.check_contents()
    raw = bytearray((tmp_path / "store.db").read_bytes())
    raw[-4096:] = b"\x07" * 4096
    (tmp_path / "damaged.db").write_bytes(raw)

    with (
        pytest.raises(StoreError, match=r"damaged|malformed"),
        Store(f"sqlite:///{tmp_path / 'damaged.db'}", writing=False) as damaged,
    ):
        damaged.check_contents()


def test_a_full_disk_is_a_store_error_and_passes(tmp_path: Path):
    """What was called durable before is there, and so is what comes when there is room again."""
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=2m none {tmp_path}") != 0:
        pytest.skip("a small disk of one's own takes the right to mount one")
    try:
        with store_in(tmp_path / "store.db") as store:
            filler = tmp_path / "filler"
            with pytest.raises(OSError, match="No space"):
                filler.write_bytes(b"x" * 4_000_000)
            views = [shown(f"w{n}", 7, session="s" * 200) for n in range(2_000)]
            with pytest.raises(StoreError, match="full"):
                record(store, *views)
            filler.unlink()

            assert record(store, shown("v1", 7)) == [True]
            assert rows(store, "SELECT view_id FROM views ORDER BY view_id") == [("v0",), ("v1",)]
    finally:
        os.system(f"umount {tmp_path}")
    shutil.rmtree(tmp_path)


# Servers that say nothing


class Wire:
    """What stands between us and a server: it forwards, until it is cut, both ways, with no word to
    either end.
    """

    def __init__(self, port: int) -> None:
        self.to = port
        self.cut = threading.Event()
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self._let_in, daemon=True).start()

    def _let_in(self) -> None:
        with suppress(OSError):
            while True:
                inside, _ = self.door.accept()
                outside = socket.create_connection(("127.0.0.1", self.to))
                for ends in ((inside, outside), (outside, inside)):
                    threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(65536):
                if self.cut.is_set():
                    threading.Event().wait()
                target.sendall(part)
            target.close()


@pytest.fixture
def wire(postgresql_url: str) -> Iterator[tuple[Wire, str]]:
    """A wire, and the address of an empty database behind it."""
    address, _, name = postgresql_url.removeprefix("postgresql://tester@127.0.0.1:").partition("/")
    made = Wire(int(address))
    yield made, f"postgresql://tester@127.0.0.1:{made.port}/{name}"
    made.door.close()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


def test_a_server_that_says_nothing_is_given_up(wire: tuple[Wire, str]):
    """In the middle of a transaction, and when it is asked again."""
    cut, url = wire
    with Store(url, statement_seconds=0.5) as store:
        assert record(store, shown("v1", 7)) == [True]
        with within(8), pytest.raises(StoreError, match="no answer"), store.transaction() as writes:
            writes.exec_driver_sql("INSERT INTO meta VALUES ('a', 'b')")
            cut.cut.set()
            writes.exec_driver_sql("SELECT 1")
        with within(12), pytest.raises(StoreError):
            store.value("a")

        cut.cut.clear()
        assert store.value("a") is None
        assert record(store, shown("v1", 7)) == [False]


def test_a_server_that_never_says_anything_is_no_store():
    """It accepts, as one that was stopped does."""
    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        within(10),
        pytest.raises(StoreError, match=r"@127.0.0.1:\d+/x: ") as caught,
    ):
        Store(f"postgresql://me:hush@127.0.0.1:{door.getsockname()[1]}/x", statement_seconds=1)

    assert "hush" not in str(caught.value)


def test_who_waits_can_be_made_to_give_up(wire: tuple[Wire, str]):
    """As at the end of a process, long before the limit."""
    cut, url = wire
    with Store(url, statement_seconds=60) as store:
        cut.cut.set()
        threading.Timer(0.3, store.give_up).start()
        with within(8), pytest.raises(StoreError):
            store.n_articles()


def test_a_statement_has_a_limit_of_its_own(postgresql_url: str):
    """The server keeps it; what is known to take longer may."""
    with Store(postgresql_url, statement_seconds=0.3) as store:
        with pytest.raises(StoreError, match="timeout"), store.reading() as connection:
            connection.exec_driver_sql("SELECT pg_sleep(1)")
        with store.reading(seconds=20) as connection:
            connection.exec_driver_sql("SELECT pg_sleep(3)")
        with pytest.raises(StoreError, match="timeout"), store.reading() as connection:
            connection.exec_driver_sql("SELECT pg_sleep(1)")
