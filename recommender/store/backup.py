"""One file with all of a site that nothing can make again: the store, and files beside it.

Whatever the store is, a backup is an SQLite database: the store's own tables, and two more for the
files. So it is checked by what reads it, and what comes of one engine is restored into the other.
Nothing is half done: a backup has its name once it is whole and on disk, and what is restored takes
the place of the old in one step, when it has been checked. Whatever a file holds, it is a store of
ours with values of the right kinds, or it is refused; who was signed in is not in it.
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.errors import StoreError
from recommender.store.database import RESTORED, Store
from recommender.store.engine import PRIVATE, path_of
from recommender.store.finding import rebuild
from recommender.store.schema import STEPS, migrate

# What tells our files from others': raised when the two tables change their meaning.
LAYOUT = 1
ABOUT, FILES = "backup_about", "backup_files"
OWN_TABLES = {
    ABOUT: f"CREATE TABLE {ABOUT} (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    FILES: f"CREATE TABLE {FILES} (name TEXT, piece INTEGER, raw BLOB, PRIMARY KEY (name, piece))",
}
# Made of the articles, in each engine in its own way.
DERIVED = ("finding", "finding_words", "finding_terms")
# A session that has ended since must not go on, nor an attempt count once more.
PASSING = ("console_sessions", "failed_sign_ins")
# What SQLite keeps of words, in its own way.
SHADOWS = "finding_terms_"
# What may stand in a column, by the beginning of its type; and how long a text or blob may be. The
# longest that a request may bring is an article of 16 MB.
KINDS = {"TEXT": "text", "INT": "integer", "BIGINT": "integer", "DOUBLE": "real", "BLOB": "blob"}
MAX_VALUE_BYTES = 256 * 1024 * 1024
# Rows on their way at one time, and bytes of a piece of a file: neither tuned.
ROWS, PIECE = 5_000, 4 * 1024 * 1024
# How long others are waited for, who read or write what is to be replaced.
PATIENCE_SECONDS, LOOK_SECONDS = 30.0, 0.1
# Without one of these in it, a store may be replaced by any other.
CONTENT = ("articles", "views", "past_views", "accounts", "rules", "grades")


@dataclass(frozen=True, slots=True)
class Backup:
    """What is in a backup: ``made`` in ISO 8601, of a store of this ``name``, with so many
    ``articles``, ``views`` and ``clicks``, and ``files``, by what they are called there, of so many
    bytes. ``strange`` are things of a database, such as triggers, that no store of ours has: they
    are not restored.
    """

    made: str
    name: str
    articles: int
    views: int
    clicks: int
    files: Mapping[str, int]
    strange: tuple[str, ...] = ()


def write(store: Store, path: Path, *, files: Mapping[str, Path], now: datetime) -> Backup:
    """Write a backup of a store, which may be in use, and of ``files``, by what they are to be
    called in it, to ``path``. A backup that is there already is replaced; ``StoreError`` if
    ``path`` is anything else.
    """
    _check_place(store, path)
    with _scratch(path) as scratch:
        if store.engine.dialect.name == "sqlite":
            _copy_file(store, scratch, name=str(path))
        else:
            with Store(f"sqlite:///{scratch}") as made:
                _copy_rows(store, made)
        with closing(_opened(scratch)) as raw:
            raw.execute("PRAGMA journal_mode=DELETE")
            raw.execute("PRAGMA synchronous=FULL")
            _forget_passing(raw)
            _write_files(raw, files, {"layout": LAYOUT, "made": _iso(now), "name": store.name})
            _check(raw, str(path))
            about = _read(raw, str(path))
        scratch.chmod(PRIVATE)
        _to_disk(scratch)
        scratch.replace(path)
        _to_disk(path.parent)
    return about


def read(path: Path) -> Backup:
    """What is in a backup; every page of it is read. ``StoreError`` if it is none, is damaged, or
    was made by a newer release.
    """
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file")
    with _complaints(path), closing(_opened(path, mode="ro")) as raw:
        _check(raw, str(path))
        return _read(raw, str(path))


def write_out(path: Path, name: str, target: Path, *, private: bool = True) -> None:
    """Write a file of a backup to ``target``, which is there whole or not at all. It is for its
    owner alone, or, if not ``private``, for those that may read what is there, and if nothing is,
    for those that may read any new file.
    """
    with _scratch(target) as scratch, closing(_opened(path, mode="ro")) as raw:
        with scratch.open("wb") as out:
            query = f"SELECT raw FROM {FILES} WHERE name = ? ORDER BY piece"
            for (piece,) in raw.execute(query, (name,)):
                out.write(piece)
        if not private:
            _share(scratch, as_of=target)
        _to_disk(scratch)
        scratch.replace(target)


def _share(path: Path, *, as_of: Path) -> None:
    """Give a file the mode and owner of another, or a new file's if there is no other."""
    try:
        there = as_of.stat()
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        path.chmod(0o666 & ~mask)
        return
    # Only root gives files away; the mode comes last, since a new owner takes bits of it off.
    with suppress(PermissionError):
        os.chown(path, there.st_uid, there.st_gid)
    path.chmod(there.st_mode & 0o777)


def same(path: Path, name: str, target: Path) -> bool:
    """Is ``target`` there, with what the backup has under this ``name``?"""
    if not target.is_file():
        return False
    with closing(_opened(path, mode="ro")) as raw, target.open("rb") as there:
        query = f"SELECT raw FROM {FILES} WHERE name = ? ORDER BY piece"
        pieces = (piece for (piece,) in raw.execute(query, (name,)))
        return all(there.read(len(piece)) == piece for piece in pieces) and not there.read(1)


def holds_something(url: str) -> bool:
    """Is there a store at ``url`` with anything in it that would be lost? One that cannot be read
    counts as such.
    """
    try:
        with Store(url, writing=False) as store, store.reading() as connection:
            there = [f"EXISTS (SELECT 1 FROM {table})" for table in CONTENT]
            return bool(connection.scalar(sql.text(f"SELECT {' OR '.join(there)}")))
    except StoreError as exc:
        return not any(part in str(exc) for part in ("there is no", "does not exist"))


def restore(path: Path, url: str) -> str | None:
    """Put the store of a backup in the place of the one at ``url``, which may be in use; what was
    there is whole until then. Returns where a store that was damaged is kept, None for a sound one.
    """
    read(path)
    target = path_of(url)
    with _copy_of(path, beside=target or path) as copy:
        if target is None:
            with Store(f"sqlite:///{copy}") as old, Store(url) as store:
                _into_server(old, store)
            return None
        # Brought up to date, and known for another by whoever has the old one open.
        with Store(f"sqlite:///{copy}") as new:
            new.keep(RESTORED, secrets.token_hex(8))
        with closing(_opened(copy)) as raw:
            raw.execute("PRAGMA journal_mode=DELETE")
            _forget_passing(raw)
            _check(raw, str(path))
        _to_disk(copy)
        return _take_place(copy, target)


# Copies


def _copy_file(store: Store, path: Path, *, name: str) -> None:
    """A copy of SQLite's, as the store stands now, whatever is written meanwhile. ``StoreError``
    names the copy by ``name`` if there is no room for it.
    """
    with store.reading() as connection, closing(_opened(path)) as copy:
        try:
            cast("sqlite3.Connection", connection.connection.dbapi_connection).backup(copy)
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_FULL:
                raise
            raise StoreError(f"{name}: cannot be written: {exc}") from exc


def _forget_passing(raw: sqlite3.Connection) -> None:
    """Leave no trace of who is signed in."""
    raw.execute("PRAGMA secure_delete=ON")
    there = {name for (name,) in raw.execute("SELECT name FROM sqlite_master")}
    for table in sorted(there.intersection(PASSING)):
        raw.execute(f"DELETE FROM {table}")


def _copy_rows(store: Store, made: Store) -> None:
    """All rows of a server's store, as it stands now, into a new one of SQLite."""
    with store.snapshot() as source, made.transaction() as target:
        raw = cast("sqlite3.Connection", target.connection.dbapi_connection)
        for table, columns in _tables(source, target).items():
            found = source.execution_options(yield_per=ROWS).execute(
                sql.text(f"SELECT {', '.join(columns)} FROM {table}")
            )
            places = ", ".join("?" * len(columns))
            statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
            for rows in found.partitions():
                raw.executemany(statement, map(tuple, rows))
        rebuild(target)


def _into_server(old: Store, store: Store) -> None:
    """All rows of a store of SQLite into a server's, in place of what is there, in one step."""
    import psycopg

    with old.reading() as source, store.transaction() as target:
        tables = _tables(target, source)
        # Whoever writes waits until it is done, and then finds another mark than before.
        derived = (name for name in DERIVED if name != "finding_terms")
        target.exec_driver_sql(f"TRUNCATE {', '.join([*tables, *derived, *PASSING])}")
        raw: Any = target.connection.dbapi_connection
        for table, columns in tables.items():
            names = ", ".join(columns)
            rows = source.execution_options(yield_per=ROWS).execute(
                sql.text(f"SELECT {names} FROM {table}")
            )
            copying = f"COPY {table} ({names}) FROM STDIN"
            try:
                with raw.cursor() as cursor, cursor.copy(copying) as copy:
                    for row in rows:
                        copy.write_row(tuple(row))
            except (psycopg.Error, UnicodeError) as exc:
                cause = (str(exc).strip() or type(exc).__name__).splitlines()[0]
                raise StoreError(f"{store.name}: table {table} is not taken: {cause}") from exc
        mark = {"name": RESTORED, "value": secrets.token_hex(8)}
        target.execute(sql.text("DELETE FROM meta WHERE name = :name"), mark)
        target.execute(sql.text("INSERT INTO meta (name, value) VALUES (:name, :value)"), mark)
        rebuild(target)


def _tables(one: Connection, other: Connection) -> dict[str, list[str]]:
    """The tables that two stores of one version have, but for what is made of others and what
    passes, and their columns.
    """
    inspected, there = sql.inspect(one), {*sql.inspect(other).get_table_names()}
    left_out = {"schema_version", *DERIVED, *PASSING}
    names = sorted(there.intersection(inspected.get_table_names()) - left_out)
    return {name: [each["name"] for each in inspected.get_columns(name)] for name in names}


# Files beside the store


def _write_files(
    raw: sqlite3.Connection, files: Mapping[str, Path], about: Mapping[str, object]
) -> None:
    raw.execute("BEGIN")
    for table, statement in OWN_TABLES.items():
        raw.execute(f"DROP TABLE IF EXISTS {table}")
        raw.execute(statement)
    raw.executemany(
        f"INSERT INTO {ABOUT} VALUES (?, ?)", [(name, str(about[name])) for name in about]
    )
    for name, path in files.items():
        with path.open("rb") as file:
            pieces = iter(lambda file=file: file.read(PIECE), b"")  # type: ignore[misc]
            rows = ((name, number, piece) for number, piece in enumerate(pieces, start=1))
            # An empty file has a piece too.
            raw.execute(f"INSERT INTO {FILES} VALUES (?, 0, ?)", (name, b""))
            raw.executemany(f"INSERT INTO {FILES} VALUES (?, ?, ?)", rows)
    raw.execute("COMMIT")


def _read(raw: sqlite3.Connection, name: str) -> Backup:
    """What is in an open backup that is sound."""
    strange = _strange(raw, name)
    _check_values(raw, name)
    about = dict(raw.execute(f"SELECT name, value FROM {ABOUT}"))
    if about.get("layout") != str(LAYOUT):
        raise StoreError(f"{name}: made by a newer release; upgrade")
    if not {"made", "name"} <= about.keys():
        raise StoreError(f"{name}: not made by recommender backup")
    sizes = f"SELECT name, SUM(LENGTH(raw)) FROM {FILES} GROUP BY name ORDER BY name"
    articles, views, clicks = (
        raw.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
        for table in ("articles", "views", "clicks")
    )
    files = dict(raw.execute(sizes))
    return Backup(about["made"], about["name"], articles, views, clicks, files, strange)


# What a file holds, by whomever it was made


@cache
def _schema(version: int) -> dict[tuple[str, str], str]:
    """How a store of this version is made in SQLite: what things it has, by kind and name."""
    engine = sql.create_engine("sqlite://")
    with engine.begin() as connection:
        migrate(connection, to=version)
        made = cast("sqlite3.Connection", connection.connection.dbapi_connection)
        things = _things(made)
    engine.dispose()
    return things


def _things(raw: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """What a database has, by kind and name, as it was made; SQLite's own aside."""
    rows = raw.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
    return {(kind, name): _bare(made or "") for kind, name, made in rows}


def _bare(statement: str) -> str:
    """A statement without what SQLite keeps of how it was written."""
    return re.sub(r'[\s"]+', "", statement).lower()


def _strange(raw: sqlite3.Connection, name: str) -> tuple[str, ...]:
    """What is in a backup that is no part of a store. ``StoreError`` if a part is missing, or is
    made in another way.
    """
    there = _things(raw)
    ours = {("table", table): "" for table in (*OWN_TABLES, "schema_version")}
    if not ours.keys() <= there.keys():
        raise StoreError(f"{name}: not made by recommender backup")
    versions = [row[0] for row in raw.execute("SELECT version FROM schema_version LIMIT 1000")]
    if not versions or not all(isinstance(each, int) and each > 0 for each in versions):
        raise StoreError(f"{name}: not made by recommender backup: it has no version")
    if max(versions) > len(STEPS):
        raise StoreError(f"{name}: made by a newer release; upgrade")
    own = {("table", table): _bare(statement) for table, statement in OWN_TABLES.items()}
    expected = _schema(max(versions)) | own
    for kind, thing in expected:
        found = there.get((kind, thing))
        if found is None:
            raise StoreError(f"{name}: the {kind} {thing} is missing")
        if found != expected[kind, thing] and not thing.startswith(SHADOWS):
            raise StoreError(f"{name}: the {kind} {thing} is not made as in a store")
    return tuple(f"{kind} {thing}" for kind, thing in sorted(there.keys() - expected.keys()))


def _drop_strange(raw: sqlite3.Connection, name: str) -> None:
    """Take out of a copy of a backup what is no part of a store, triggers before what they stand
    at.
    """
    strange = [each.split(" ", 1) for each in _strange(raw, name)]
    for kind in ("trigger", "view", "index", "table"):
        for thing in (thing for of, thing in strange if of == kind):
            quoted = thing.replace('"', '""')
            raw.execute(f'DROP {kind} IF EXISTS "{quoted}"')
    if left := _strange(raw, name):
        raise StoreError(f"{name}: the {left[0]} is no part of a store, and cannot be left out")


def _check_values(raw: sqlite3.Connection, name: str) -> None:
    """``StoreError`` unless all values are of the kinds of their columns. Reads all of them."""
    raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    tables = (thing for kind, thing in _schema(len(STEPS)) if kind == "table")
    there = {thing for kind, thing in _things(raw) if kind == "table"}
    for table in (*OWN_TABLES, *tables):
        if table not in there or table.startswith(DERIVED[-1]):
            continue
        wrong, texts = [], []
        for _, column, declared, is_needed, _, key in raw.execute(f"PRAGMA table_info({table})"):
            kind = next((KINDS[each] for each in KINDS if declared.startswith(each)), None)
            if kind is None:
                continue
            allowed = {kind, "integer"} if kind == "real" else {kind}
            if not (is_needed or key):
                allowed.add("null")
            kinds = ", ".join(f"'{each}'" for each in sorted(allowed))
            said = f"THEN 'another kind of value in {column}'"
            wrong.append(f"WHEN typeof({column}) NOT IN ({kinds}) {said}")
            if kind == "blob":  # of which nothing is read here
                said = f"THEN 'too large a value in {column}'"
                wrong.append(f"WHEN LENGTH({column}) > {MAX_VALUE_BYTES} {said}")
            texts += [column] if kind == "text" else []
        if wrong:
            query = f"SELECT CASE {' '.join(wrong)} END AS bad FROM {table} WHERE bad IS NOT NULL"
            if found := raw.execute(f"{query} LIMIT 1").fetchone():
                raise StoreError(f"{name}: table {table} has {found[0]}")
        if texts:
            # What is no UTF-8, or too large, is noticed by reading it.
            deque(raw.execute(f"SELECT {', '.join(texts)} FROM {table}"), maxlen=0)


# In the place of the old


def _take_place(new: Path, target: Path) -> str | None:
    """Have ``new``, which is whole and on disk, be the file of this path. What SQLite keeps beside
    the old one must not be read as a part of it; so nobody writes meanwhile, and all that was
    written is in the old one's own file. A damaged one is kept, and where is returned.
    """
    wal, shm = (target.with_name(f"{target.name}{end}") for end in ("-wal", "-shm"))
    kept = None
    if target.exists():
        with closing(sqlite3.connect(f"file:{quote(str(target))}?mode=rw", uri=True)) as old:
            old.isolation_level = None
            try:
                _hold(old, wal, str(target))
                new.replace(target)
                wal.unlink(missing_ok=True)
                shm.unlink(missing_ok=True)
            except sqlite3.DatabaseError as exc:
                if isinstance(exc, sqlite3.OperationalError):
                    raise StoreError(f"{target}: cannot be replaced: {exc}") from exc
                kept = _set_aside(target, wal, shm)
    if new.exists():
        new.replace(target)
    _to_disk(target.parent)
    return kept


def _hold(old: sqlite3.Connection, wal: Path, name: str) -> None:
    """Keep others from writing to a store, with nothing in its log of writes."""
    end = time.monotonic() + PATIENCE_SECONDS
    old.execute("PRAGMA busy_timeout=0")
    while True:
        with suppress(sqlite3.OperationalError):
            # Works if nobody else has it open; then there is no log of writes at all.
            old.execute("PRAGMA journal_mode=DELETE")
        try:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            old.execute("BEGIN IMMEDIATE")
            if not wal.exists() or wal.stat().st_size == 0:
                return
            old.execute("ROLLBACK")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
        if time.monotonic() > end:
            raise StoreError(
                f"{name}: others read or write it without a pause; stop them and try again"
            )
        time.sleep(LOOK_SECONDS)


def _set_aside(target: Path, *beside: Path) -> str:
    """Give a damaged store, and what is ``beside`` it, another name."""
    name = f"{target.name}.damaged-{time.time_ns() // 1_000_000_000}"
    for path in (target, *beside):
        if path.exists():
            path.rename(path.with_name(path.name.replace(target.name, name, 1)))
    return str(target.with_name(name))


# Files


@contextmanager
def _copy_of(path: Path, *, beside: Path) -> Iterator[Path]:
    """The store of a backup, without the files, as a file of its own for a while."""
    with _scratch(beside) as copy:
        with (
            _complaints(path),
            closing(_opened(path, mode="ro")) as raw,
            closing(_opened(copy)) as target,
        ):
            raw.backup(target)
            _drop_strange(target, str(path))
            target.execute(f"DROP TABLE {FILES}")
            target.execute(f"DROP TABLE {ABOUT}")
            target.execute("VACUUM")
        yield copy


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """An empty file beside ``path`` for its owner alone, gone at the end; those of processes that
    were killed are removed.
    """
    for left in path.parent.glob(f".{path.name}.*.scratch*"):
        if not _runs(left.name.removeprefix(f".{path.name}.").partition(".")[0]):
            left.unlink(missing_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.scratch")
    try:
        os.close(os.open(scratch, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, PRIVATE))
    except OSError as exc:
        raise StoreError(f"{path}: cannot be written: {exc.strerror}") from exc
    try:
        yield scratch
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            scratch.with_name(f"{scratch.name}{end}").unlink(missing_ok=True)


def _runs(number: str) -> bool:
    try:
        os.kill(int(number), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    # Containers hand out the same numbers again.
    return int(number) != os.getpid()


def _check_place(store: Store, path: Path) -> None:
    """``StoreError`` unless a backup may be written there."""
    if not path.exists():
        return
    ours = path_of(store.url)
    if path.is_file() and not (ours and ours.exists() and path.samefile(ours)):
        if path.stat().st_size == 0:
            return
        said = "exists and is no backup; choose another name"
        with _complaints(path, said), closing(_opened(path, mode="ro")) as raw:
            raw.execute(f"SELECT 1 FROM {ABOUT}").fetchone()
        return
    raise StoreError(f"{path}: exists and is no backup; choose another name")


def _opened(path: Path, mode: str = "rw") -> sqlite3.Connection:
    raw = sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True)
    raw.isolation_level = None
    return raw


def _check(raw: sqlite3.Connection, name: str) -> None:
    (found,) = raw.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise StoreError(f"{name}: damaged: {found}")


@contextmanager
def _complaints(path: Path, what: str = "no backup that can be read") -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise StoreError(f"{path}: {what}: {exc}") from exc


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
