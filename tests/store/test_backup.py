"""A backup is whole, of a store in use too, and goes into either engine; nothing is half done."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sql

from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.config import Settings
from recommender.errors import StoreError
from recommender.events.event import Click, Impression
from recommender.store import backup
from recommender.store.database import Store, signing_keys, store_name
from recommender.store.finding import find
from recommender_api.store_connection import Stored

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
ODD = "睡眠/ü?=1"


def filled(url: str, *, n: int = 3, word: str = "knee") -> str:
    """A store of ``n`` articles, each with a view and a click."""
    batch = Batch()
    for number in range(n):
        batch.add(Article(id=f"{word}-{number}", title=f"{word} {number} ü", body="b"), "test")
    batch.add(Article(id=ODD, title="Sleep", body="b", tags=("a", "b")), "test")
    with Store(url) as store:
        store.apply(batch)
        store_name(store)
        signing_keys(store, now_ms=NOW_MS)
        store.add_events(
            [
                event
                for number in range(n)
                for event in (
                    Impression(f"v{number}", NOW_MS, f"{word}-{number}", (ODD,), True),
                    Click(f"v{number}", NOW_MS + 1, ODD),
                )
            ]
        )
    return url


def content(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that is not made of others, but for the mark of a restored store."""
    with Store(url) as store, store.reading() as connection:
        names = sorted(
            name
            for name in sql.inspect(connection).get_table_names()
            if not name.startswith("finding")
        )
        found = {}
        for name in names:
            columns = [each["name"] for each in sql.inspect(connection).get_columns(name)]
            query = sql.text(f"SELECT {', '.join(sorted(columns))} FROM {name}")
            rows = [tuple(map(_plain, row)) for row in connection.execute(query)]
            found[name] = sorted(
                row
                for row in map(repr, rows)
                if "'restored'" not in row and "'finding_serial'" not in row
            )
    return found


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, bytes | memoryview) else value


@pytest.fixture
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a second empty database, once of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'other.db'}"
        return
    import psycopg

    server = request.getfixturevalue("postgresql_server")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE other_of_backup")
        yield f"{server}/other_of_backup"
        connection.execute("DROP DATABASE other_of_backup WITH (FORCE)")


@pytest.mark.parametrize(
    "other", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True
)
def test_what_is_restored_is_what_was_kept(database: str, other: str, tmp_path: Path):
    """From each engine into each, every row, files beside it, and articles are found again."""
    file, rules = tmp_path / "backup.db", tmp_path / "editorial.csv"
    rules.write_bytes(b"action,source\r\n\xff")
    (tmp_path / "large").write_bytes(os.urandom(backup.PIECE + 7))
    (tmp_path / "empty").touch()
    kept = {"editorial.csv": rules, "large": tmp_path / "large", "empty": tmp_path / "empty"}
    with Store(filled(database), writing=False) as store:
        about = backup.write(store, file, files=kept, now=NOW)

    backup.restore(file, filled(other, n=9, word="hip"))

    assert backup.read(file) == about
    assert (about.articles, about.views, about.clicks) == (4, 3, 3)
    assert about.made == "2026-11-22T10:00:00+00:00"
    assert content(other) == content(database)
    with Store(other) as store, store.reading() as connection:
        assert [each.id for each in find(connection, "knee 1")] == ["knee-1"]
    for name, path in kept.items():
        assert backup.same(file, name, path)
        backup.write_out(file, name, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == path.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_store_in_use_is_kept_as_of_one_moment(tmp_path: Path):
    """Writers go on; a view and its click, written together, are both in it or neither is."""
    url = filled(f"sqlite:///{tmp_path / 'store.db'}")
    stop = threading.Event()

    def write() -> None:
        with Store(url) as store:
            number = 0
            while not stop.is_set():
                number += 1
                view = f"w{number}"
                store.add_events(
                    [Impression(view, NOW_MS, "knee-0", (ODD,), True), Click(view, NOW_MS, ODD)]
                )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        sizes = []
        for number in range(5):
            with Store(url, writing=False) as store:
                about = backup.write(store, tmp_path / f"{number}.db", files={}, now=NOW)
            assert about.views == about.clicks
            sizes.append(about.views)
    finally:
        stop.set()
        writer.join()

    assert sizes == sorted(sizes)
    assert sizes[-1] > 3


def test_nothing_but_a_backup_is_written_over(tmp_path: Path):
    """Neither the store itself nor anybody's file; a backup is replaced."""
    path = tmp_path / "store.db"
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    plain = filled(f"sqlite:///{tmp_path / 'plain.db'}")
    with Store(filled(f"sqlite:///{path}"), writing=False) as store:
        for there in (path, other, tmp_path, Path(plain.removeprefix("sqlite:///"))):
            with pytest.raises(StoreError, match="exists and is no backup"):
                backup.write(store, there, files={}, now=NOW)
        backup.write(store, tmp_path / "b.db", files={}, now=NOW)
        backup.write(store, tmp_path / "b.db", files={}, now=NOW)
        with pytest.raises(StoreError, match="cannot be written"):
            backup.write(store, tmp_path / "nowhere" / "b.db", files={}, now=NOW)

    assert other.read_text() == "mine"
    assert not [*tmp_path.glob(".*scratch*")]


def damaged(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 3_000] = b"\xff" * 3_000
    path.write_bytes(raw)


def newer(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("INSERT INTO schema_version VALUES (999)")


def of_another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE photos (name TEXT)")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (damaged, "damaged|malformed"),
        (newer, "newer release"),
        (of_another_program, "not made by recommender backup"),
        (lambda path: path.write_text("hello, I am no database at all" * 99), "not a database"),
        (lambda path: path.write_bytes(path.read_bytes()[:9_000]), "damaged|malformed"),
        (lambda path: path.write_bytes(b""), "not made by"),
        (Path.unlink, "no such file"),
    ],
)
def test_what_is_no_whole_backup_of_ours_is_refused(tmp_path: Path, spoil, reason: str):
    """Before anything is touched."""
    url, file = filled(f"sqlite:///{tmp_path / 'store.db'}"), tmp_path / "b.db"
    with Store(filled(f"sqlite:///{tmp_path / 'old.db'}", n=200, word="hip")) as store:
        backup.write(store, file, files={}, now=NOW)
    before = content(url)
    spoil(file)

    with pytest.raises(StoreError, match=reason):
        backup.restore(file, url)

    assert content(url) == before


def test_a_store_that_would_be_lost_is_known(database: str, tmp_path: Path):
    """One that a server has made a moment ago is none."""
    assert not backup.holds_something(database)
    with Store(database) as store:
        signing_keys(store, now_ms=NOW_MS)
    assert not backup.holds_something(database)

    filled(database)

    assert backup.holds_something(database)
    (tmp_path / "notes.txt").write_text("mine" * 999)
    assert backup.holds_something(f"sqlite:///{tmp_path / 'notes.txt'}")


def test_a_server_that_runs_goes_on_with_what_was_restored(database: str, tmp_path: Path):
    """It opens it anew, and writes nothing by the numbers of before."""
    file = tmp_path / "b.db"
    with Store(filled(database), writing=False) as store:
        backup.write(store, file, files={}, now=NOW)
    filled(database, n=6, word="later")
    moment = [100.0]
    served = Stored(Settings(database=database), clock=lambda: NOW, ticks=lambda: moment[0])
    before = served.store
    assert before is not None and before.n_articles() == 10

    backup.restore(file, database)
    done: list[object] = []
    served.journal.add([], done.append)  # type: ignore[union-attr]
    moment[0] += 2
    for _ in range(3):
        served.poll(lambda: None)

    assert served.store is not None and served.store is not before
    assert served.store.n_articles() == 4
    assert served.fault is None
    assert isinstance(done[0], StoreError)
    served.close()
    assert content(database)["views"] == content(f"sqlite:///{_plain_copy(file)}")["views"]


def _plain_copy(file: Path) -> Path:
    return Path(shutil.copy(file, file.with_name("plain-copy.db")))


def test_a_damaged_store_is_kept_aside(tmp_path: Path):
    """It is why somebody restores, and somebody may still get something out of it."""
    path, file = tmp_path / "store.db", tmp_path / "b.db"
    url = filled(f"sqlite:///{path}", n=300)
    with Store(url, writing=False) as store:
        backup.write(store, file, files={}, now=NOW)
    whole = content(url)
    path.write_bytes(b"\xff" * path.stat().st_size)

    aside = backup.restore(file, url)

    assert content(url) == whole
    assert aside is not None and Path(aside).read_bytes().startswith(b"\xff\xff")


KILLED = """
import os, sys
from pathlib import Path
from recommender.store import backup
left = int(sys.argv[3])
def counted(real):
    def call(*args, **more):
        global left
        left -= 1
        if left == 0:
            os._exit(9)
        return real(*args, **more)
    return call
os.fsync = counted(os.fsync)
os.open = counted(os.open)
for name in ("replace", "unlink", "rename", "exists", "chmod"):
    setattr(Path, name, counted(getattr(Path, name)))
backup.restore(Path(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.slow
def test_whenever_it_is_killed_the_old_or_the_new_is_whole(tmp_path: Path):
    """Also what was last written to the old one, and is not in its own file yet."""
    folder = tmp_path / "at"
    old_url, new_url = f"sqlite:///{folder}/store.db", f"sqlite:///{tmp_path / 'new.db'}"
    with Store(filled(new_url, n=5, word="new"), writing=False) as store:
        backup.write(store, tmp_path / "b.db", files={}, now=NOW)
    new, found = content(new_url), []
    for number in range(1, 200):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        filled(old_url)
        # What a process leaves that was killed: a log of writes beside the file.
        raw = sqlite3.connect(folder / "store.db")
        raw.execute("PRAGMA wal_autocheckpoint=0")
        raw.execute("INSERT INTO meta VALUES ('last', 'words')")
        raw.commit()
        shutil.copytree(folder, tmp_path / "left")
        raw.close()
        shutil.rmtree(folder)
        (tmp_path / "left").rename(folder)
        assert (folder / "store.db-wal").stat().st_size > 0

        status = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path / "b.db"), old_url, str(number)],
            check=False,
        ).returncode

        assert status in (0, 9)
        now = content(old_url)
        is_old = any("words" in str(row) for row in now["meta"])
        found.append(is_old)
        assert len(now["views"]) == (3 if is_old else 5)
        assert is_old or now == new
        if status == 0:
            break

    assert found == sorted(found, reverse=True)
    assert found[0] and not found[-1]
    assert len(found) > 8
    assert not [path for path in folder.iterdir() if "scratch" in path.name]
