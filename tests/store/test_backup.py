"""A backup is whole, of a store in use too, and goes into either engine; nothing is half done."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sql

from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.config import Settings
from recommender.errors import StoreError
from recommender.events.event import Click, Impression
from recommender.store import accounts, backup
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


@pytest.fixture(scope="module")
def hips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of two hundred articles."""
    folder = tmp_path_factory.mktemp("hips")
    with Store(filled(f"sqlite:///{folder / 'old.db'}", n=200, word="hip")) as store:
        backup.write(store, folder / "b.db", files={}, now=NOW)
    return folder / "b.db"


def damaged(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 3_000] = b"\xff" * 3_000
    path.write_bytes(raw)


def newer(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("INSERT INTO schema_version VALUES (999)")


def told(*statements: str) -> Callable[[Path], None]:
    """What has these statements carried out in a backup."""

    def spoil(path: Path) -> None:
        with closing(sqlite3.connect(path)) as raw:
            raw.executescript(";".join(statements))

    return spoil


def no_text(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE articles SET title = CAST(x'ff41' AS TEXT) WHERE id = 'hip-1'")
        raw.commit()


def in_its_schema(old: str, new: str) -> Callable[[Path], None]:
    """What changes how a table was made, without making it anew."""
    return told(
        "PRAGMA writable_schema=ON",
        f"UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}')",
    )


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
        (told("DROP TABLE clicks"), "the table clicks is missing"),
        (
            told("DROP TABLE clicks", "CREATE VIEW clicks AS SELECT 1 AS n"),
            "the table clicks is missing",
        ),
        (told("DROP INDEX views_by_time"), "the index views_by_time is missing"),
        (told("ALTER TABLE meta ADD COLUMN x"), "the table meta is not made as in a store"),
        (in_its_schema("grade INTEGER", "grade TEXT"), "the table grades is not made as"),
        (in_its_schema("grade INTEGER", "grade INTEGER CHECK (0)"), "the table grades is not made"),
        (told("UPDATE views SET ts = 'soon'"), "table views has another kind of value in ts"),
        (told("UPDATE views SET ts = 1.5"), "table views has another kind of value in ts"),
        (told("UPDATE articles SET title = x'00ff'"), "table articles .* in title"),
        (told("INSERT INTO pages VALUES (NULL, '', x'')"), "table pages .* in id"),
        (told("INSERT INTO pages VALUES ('a', '', 'text')"), "table pages .* in raw"),
        (no_text, "UTF-8"),
        (told("DELETE FROM schema_version"), "it has no version"),
        (told("UPDATE schema_version SET version = 'ten'"), "it has no version"),
        (told("UPDATE schema_version SET version = -1"), "it has no version"),
        (told("DELETE FROM schema_version WHERE version > 3"), "is not made as in a store"),
        (told("DELETE FROM backup_about WHERE name = 'made'"), "not made by recommender backup"),
        (told("UPDATE backup_about SET value = x'ff'"), "table backup_about .* in value"),
        (told("INSERT INTO backup_files VALUES ('a', 1, 'text')"), "table backup_files .* in raw"),
        (told("INSERT INTO backup_files VALUES (NULL, 1, x'')"), "table backup_files .* in name"),
        (lambda path: path.write_text("hello, I am no database at all" * 99), "not a database"),
        (lambda path: path.write_bytes(path.read_bytes()[:9_000]), "damaged|malformed"),
        (lambda path: path.write_bytes(b""), "not made by"),
        (Path.unlink, "no such file"),
    ],
)
@pytest.mark.parametrize(
    "other", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True
)
def test_what_is_no_whole_backup_of_ours_is_refused(
    other: str, hips: Path, tmp_path: Path, spoil: Callable[[Path], object], reason: str
):
    """Before anything is touched, in one sentence."""
    url, file = filled(other), Path(shutil.copy(hips, tmp_path / "b.db"))
    before = content(url)
    spoil(file)

    with pytest.raises(StoreError, match=reason) as caught:
        backup.restore(file, url)

    assert content(url) == before
    assert "\n" not in str(caught.value)
    assert not [*tmp_path.glob(".*scratch*")]


@pytest.mark.parametrize(
    "other", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True
)
def test_what_a_server_does_not_take_changes_nothing(other: str, tmp_path: Path):
    """Numbers of SQLite may be longer."""
    file = tmp_path / "b.db"
    with Store(filled(f"sqlite:///{tmp_path / 'old.db'}", word="hip")) as store:
        backup.write(store, file, files={}, now=NOW)
    told("UPDATE slate_links SET rank = 99999999999 + rank")(file)
    before = content(filled(other))

    if other.startswith("sqlite"):
        backup.restore(file, other)
        return
    with pytest.raises(
        StoreError, match=r"table slate_links is not taken: .* out of range"
    ) as caught:
        backup.restore(file, other)

    assert "\n" not in str(caught.value)
    assert content(other) == before


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("INSERT INTO pages VALUES ('a', '', zeroblob(90000))", "too large a value in raw"),
        ("UPDATE articles SET body = printf('%.90000c', 'x')", "too big"),
    ],
)
def test_a_value_that_would_fill_the_memory_is_refused(
    hips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, reason: str
):
    """None of ours is as large."""
    file = Path(shutil.copy(hips, tmp_path / "b.db"))
    told(statement)(file)
    monkeypatch.setattr(backup, "MAX_VALUE_BYTES", 80_000)

    with pytest.raises(StoreError, match=reason):
        backup.read(file)


def test_what_is_no_part_of_a_store_is_not_restored(tmp_path: Path):
    """Triggers, views, tables and indexes of others: they are named, and are not in the store."""
    url, file = filled(f"sqlite:///{tmp_path / 'store.db'}"), tmp_path / "b.db"
    with Store(url) as store:
        backup.write(store, file, files={}, now=NOW)
    assert backup.read(file).strange == ()
    told(
        'CREATE TABLE "a ""b" (x)',
        "CREATE INDEX by_title ON articles (title)",
        "CREATE VIEW names AS SELECT title FROM articles",
        "CREATE TRIGGER keep AFTER DELETE ON console_sessions BEGIN"
        " INSERT INTO accounts VALUES ('eve', 'admin', '', 0); END",
        "CREATE TRIGGER late AFTER INSERT ON schema_version BEGIN DELETE FROM articles; END",
        "INSERT INTO console_sessions VALUES ('d', 'a', 0, 0)",
        "ANALYZE",
    )(file)

    backup.restore(file, url)

    assert backup.read(file).strange == (
        "index by_title", 'table a "b', "trigger keep", "trigger late", "view names",
    )  # fmt: skip
    with closing(sqlite3.connect(tmp_path / "store.db")) as raw:
        things = {
            (kind, name) for kind, name in raw.execute("SELECT type, name FROM sqlite_master")
        }
    assert not {name for kind, name in things if kind in ("trigger", "view")}
    assert not things & {("index", "by_title"), ("table", 'a "b')}
    with Store(url) as store:
        assert accounts.accounts(store) == []
        assert store.n_articles() == 4


def test_who_was_signed_in_at_the_backup_is_not_after_it(database: str, tmp_path: Path):
    """A session that a new password has ended is not brought back, by older backups neither."""
    file = tmp_path / "b.db"
    with Store(filled(database)) as store:
        accounts.add(store, "ann", role="admin", password="a long enough one", now_ms=NOW_MS)
        secret = accounts.sign_in(store, "ann", "a long enough one", now_ms=NOW_MS)
        assert accounts.sign_in(store, "ann", "guessed, and wrong", now_ms=NOW_MS) is None
        with store.reading() as connection:
            sessions = [
                tuple(row) for row in connection.execute(sql.text("SELECT * FROM console_sessions"))
            ]
        backup.write(store, file, files={}, now=NOW)
        accounts.set_password(store, "ann", "quite another one", now_ms=NOW_MS)
    with closing(sqlite3.connect(file)) as raw:
        for table in backup.PASSING:
            assert raw.execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (0,)
        assert len(sessions) == 1
        assert str(sessions[0][0]).encode() not in file.read_bytes()
        # As older releases wrote it.
        raw.executemany("INSERT INTO console_sessions VALUES (?, ?, ?, ?)", sessions)
        raw.execute("INSERT INTO failed_sign_ins VALUES ('a', ?)", (NOW_MS,))
        raw.commit()

    backup.restore(file, database)

    with Store(database) as store:
        assert accounts.session(store, str(secret), now_ms=NOW_MS) is None
        assert [each.name for each in accounts.accounts(store)] == ["ann"]
        with store.reading() as connection:
            for table in backup.PASSING:
                assert connection.scalar(sql.text(f"SELECT COUNT(*) FROM {table}")) == 0


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


# Restores in a process of its own for each number it reads, which is killed at that call; answers
# the status. Forked, as loading the library takes a hundred times as long as to restore.
KILLED = """
import os, sys
from pathlib import Path
from recommender.store import backup
left = 0
def counted(real):
    def call(*args, **more):
        global left
        left -= 1
        if left == 0:
            os._exit(9)
        return real(*args, **more)
    return call
def restore(number):
    global left
    left = number
    os.fsync = counted(os.fsync)
    os.open = counted(os.open)
    for name in ("replace", "unlink", "rename", "exists", "chmod"):
        setattr(Path, name, counted(getattr(Path, name)))
    backup.restore(Path(sys.argv[1]), sys.argv[2])
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            restore(int(line))
            status = 0
        finally:
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@contextmanager
def killing(file: Path, url: str) -> Iterator[Callable[[int], int]]:
    """Restores ``file`` into ``url``, killed at the call of the number: 9, or 0 if it was done."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(file), url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        read, written = process.stdout, process.stdin
        assert read is not None and written is not None

        def killed_at(number: int) -> int:
            written.write(f"{number}\n")
            written.flush()
            return int(read.readline())

        yield killed_at
        written.close()


@pytest.mark.slow
def test_whenever_it_is_killed_the_old_or_the_new_is_whole(tmp_path: Path):
    """Also what was last written to the old one, and is not in its own file yet."""
    folder = tmp_path / "at"
    old_url, new_url = f"sqlite:///{folder}/store.db", f"sqlite:///{tmp_path / 'new.db'}"
    with Store(filled(new_url, n=5, word="new"), writing=False) as store:
        backup.write(store, tmp_path / "b.db", files={}, now=NOW)
    new, found = content(new_url), []
    with killing(tmp_path / "b.db", old_url) as killed_at:
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

            status = killed_at(number)

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
