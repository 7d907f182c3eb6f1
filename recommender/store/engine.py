"""How a database is opened: for writing or for reading alone, with how much patience, and whether
the file under it is still the one that was opened.

SQLite goes on writing to a file that was deleted or replaced; nothing of that is ever seen again.
So whoever commits asks ``DatabaseFile.check`` before calling it durable. A PostgreSQL server that
stops in the middle of an answer cannot enforce its own time limits, and its machine goes on
acknowledging what it is sent; so with ``statement_seconds`` there is a limit on this side too.
"""

from __future__ import annotations

import logging
import math
import os
import re
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, cast
from urllib.parse import quote, unquote, urlsplit

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.errors import StoreError

# How long to wait for another writer, whose transactions take some seconds at most, and for a
# server to answer at all. Not tuned.
BUSY_SECONDS, CONNECT_SECONDS = 30, 10
# The same where statements have limits. Drivers know no less than two seconds.
IN_SERVICE_CONNECT_SECONDS = 4
# A writer that waits looks so often whether it is its turn: more often than SQLite would, so that
# one that writes again and again lets others in between. Not tuned.
LOOK_SECONDS = 0.002
# What is left of the log of writes between two checkpoints, once nobody reads from it any more.
MAX_WAL_BYTES = 16 * 1024 * 1024
# Beside readers that come and go all the time it is cut when it is longer; writers wait for readers
# so long, and not again for a while. Not tuned.
LONG_WAL_BYTES, CUT_SECONDS, UNCUT_SECONDS = 64 * 1024 * 1024, 0.1, 10.0
# A connection whose other end is gone is noticed within a minute, however long its statement runs.
KEEPALIVE = {
    "keepalives": 1, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 4,
    "tcp_user_timeout": 35_000,
}  # fmt: skip
# A server is given so much longer than its own limit to say that it was reached.
GRACE_SECONDS = 2
# Of a process that writes and then says nothing, a server undoes the transaction.
IDLE_SECONDS = 60
# Connections of one process: all threads of a server at once, and those that wait.
POOL, OVERFLOW = 5, 40
PRIVATE = 0o600

logger = logging.getLogger("api")


class DatabaseFile:
    """The file that the connections of a store have open; ``path`` is None for memory and for
    servers. ``name`` is what errors call the store, ``lost`` what became of the file; one that is
    ``damaged`` is to be looked through before it is used again.
    """

    def __init__(self, name: str, path: Path | None) -> None:
        self.name = name
        self.path = path
        self.lost: str | None = None
        self.damaged = False
        real = Path(os.path.realpath(path or ""))
        # Where SQLite keeps what was written last.
        self.wal = real.with_name(f"{real.name}-wal") if path else real
        self._identity: tuple[int, int] | None = None
        self._wal: tuple[int, int] | None = None
        self._size = 0
        self._still: tuple[int, int] | None = None
        # Several threads ask at one time, of a file that grows meanwhile.
        self._checking = threading.Lock()

    def make(self) -> None:
        """Make an empty one, for its owner's eyes alone, if there is none."""
        if self.path is None:
            return
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
        except FileExistsError:
            pass
        except OSError as exc:
            raise StoreError(f"{self.name}: cannot be made: {exc.strerror}") from exc

    def is_absent(self) -> bool:
        """Whether it should be a file, but is none."""
        return self.path is not None and not self.path.exists()

    def is_empty(self) -> bool:
        """Whether it is a file in which nothing has been made."""
        return self.path is not None and _is_empty(self.path)

    def identity(self) -> tuple[int, int]:
        """What no other file has. ``StoreError`` if there is none."""
        try:
            return _identity(self.path or Path())
        except OSError as exc:
            raise StoreError(f"{self.name}: there is no such store: {exc.strerror}") from exc

    def opened(self, before: tuple[int, int]) -> None:
        """A connection was opened to what was ``before`` at this path. ``StoreError`` if that was
        not the file of the other connections.
        """
        now = self.identity()
        self._identity = self._identity or now
        if not before == now == self._identity:
            self._lose("another file has taken its place")

    def uses_wal(self) -> None:
        """SQLite has opened the ``wal``."""
        self._wal = self._wal or _identity(self.wal)

    def check(self) -> None:
        """``StoreError`` if what the connections write is not in the file of this path; it stays so
        until the store is opened anew.
        """
        with self._checking:
            self._check()

    def _check(self) -> None:
        if self.lost:
            raise StoreError(f"{self.name}: {self.lost}")
        if self.path is None or self._identity is None:
            return
        try:
            found = self.path.stat()
        except OSError as exc:
            self._lose(f"the file is gone from under the server: {exc.strerror}")
        if (found.st_dev, found.st_ino) != self._identity:
            self._lose("another file has taken its place")
        if found.st_size < self._size:
            self.damaged = True
            self._lose("the file was overwritten while it was open")
        self._size = found.st_size
        if self._wal is None:
            return
        try:
            wal = _identity(self.wal)
        except OSError as exc:
            self._lose(f"{self.wal.name} is gone from under the server: {exc.strerror}")
        if wal != self._wal:
            self._lose(f"another file has taken the place of {self.wal.name}")

    def wal_bytes(self) -> int:
        """How long the ``wal`` is, also of what has been read into the file already."""
        try:
            return 0 if self._wal is None else self.wal.stat().st_size
        except OSError:
            return 0

    def is_elsewhere(self) -> bool:
        """Whether the file is no longer at its path, but its ``wal`` is."""
        if self.path is None or self._wal is None:
            return False
        try:
            moved = not self.path.exists() or _identity(self.path) != self._identity
            return moved and _identity(self.wal) == self._wal
        except OSError:
            return False

    def clear(self, *, keep: bool) -> None:
        """Take the ``wal`` out of the way of the file that comes next, or what was written to the
        one would be read as a part of the other.
        """
        shm = self.wal.with_name(f"{self.wal.name.removesuffix('-wal')}-shm")
        for path in (self.wal, shm):
            if keep:
                path.rename(path.with_name(f"{path.name}-of-lost"))
            else:
                path.unlink(missing_ok=True)

    def damage(self, reason: str) -> None:
        """SQLite cannot make sense of the file, for this ``reason``."""
        self.damaged, self.lost = True, self.lost or reason

    def replace(self, reason: str) -> NoReturn:
        """What is there is no longer what was opened, for this ``reason``."""
        self._lose(reason)

    def _lose(self, reason: str) -> NoReturn:
        self.lost = reason
        raise StoreError(f"{self.name}: {reason}")

    def state(self) -> tuple[int, ...]:
        """What differs as soon as the file is written to, or another is there."""
        try:
            found = (self.path or Path()).stat()
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def stand_still(self) -> None:
        """From now on nobody may change the file."""
        self._still = self._still or self._state()

    def check_still(self) -> None:
        """``StoreError`` if what has just been read may be of two states."""
        if self._still is not None and self._still != self._state():
            raise StoreError(f"{self.name}: was written to while it was read; read it again")

    def _state(self) -> tuple[int, int] | None:
        if self.path is None:
            return None
        found = self.path.stat()
        return found.st_mtime_ns, found.st_size

    def may_be_written(self) -> bool:
        """Whether it, and what SQLite keeps beside it, can be; of a server nobody knows before."""
        places = (self.path, self.path.parent) if self.path else ()
        return all(os.access(place, os.W_OK) for place in places)

    def seen_by_others(self) -> bool:
        """May other users of the machine read it?"""
        if self.path is None or not self.path.exists():
            return False
        return bool(self.path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


class Engine:
    """A database that is open: ``sql`` connects to it, ``file`` is what SQLite has open.

    ``busy_seconds`` is how long other writers are waited for. With ``statement_seconds`` no
    statement on a server takes longer, and one that is not answered is given up. Without
    ``writing`` nothing is made and nothing is changed.
    """

    def __init__(
        self, url: str, *, writing: bool, busy_seconds: float, statement_seconds: float | None
    ) -> None:
        parsed = _parsed(url)
        self.name = masked(url)
        self.writing = writing
        self.busy_seconds = busy_seconds
        self.statement_seconds = statement_seconds
        self.file = DatabaseFile(self.name, None)
        self.given_up = threading.Event()
        self._cut = 0.0
        if parsed.get_backend_name() in ("postgresql", "postgres"):
            self.sql = self._postgresql(parsed)
        elif parsed.drivername in ("sqlite", "sqlite+pysqlite"):
            self.sql = self._sqlite(parsed)
        else:
            raise StoreError(f"{parsed.drivername}: no such kind of database; sqlite or postgresql")

    @property
    def is_sqlite(self) -> bool:
        return self.sql.dialect.name == "sqlite"

    def begin(self, connection: Connection) -> None:
        """Begin to write, as soon as no other does."""
        if not self.is_sqlite:
            return
        raw = cast("sqlite3.Connection", connection.connection.dbapi_connection)
        patience = time.monotonic() + self.busy_seconds
        raw.execute("PRAGMA busy_timeout=0")
        try:
            while not _begun(raw):
                if time.monotonic() > patience or self.given_up.is_set():
                    raise sqlite3.OperationalError("database is locked by another writer")
                time.sleep(LOOK_SECONDS)
        finally:
            raw.execute(f"PRAGMA busy_timeout={round(1000 * self.busy_seconds)}")

    def abandon(self) -> None:
        """Complete a file that is no longer at its path, wherever it is, and leave nothing of it to
        that which takes its place.
        """
        if not self.file.is_elsewhere():
            return
        complete = False
        try:
            with self.sql.connect() as connection:
                raw = cast("sqlite3.Connection", connection.connection.dbapi_connection)
                raw.execute("PRAGMA busy_timeout=0")
                busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                complete = not busy
        except (StoreError, sql.exc.SQLAlchemyError, sqlite3.Error) as exc:
            logger.warning("%s: what was written last stays aside: %s", self.name, exc)
        with suppress(FileNotFoundError):
            self.file.clear(keep=not complete)

    def limit(self, connection: Connection, seconds: float) -> None:
        """Let the statements of this transaction take so long."""
        if self.is_sqlite or not self.statement_seconds:
            return
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {round(1000 * seconds)}")
        raw: Any = connection.connection.dbapi_connection
        raw.seconds = seconds + GRACE_SECONDS

    def unlimit(self, connection: Connection) -> None:
        """Let the statements of this transaction take any time."""
        if self.is_sqlite or not self.statement_seconds:
            return
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {name} = 0")
        raw: Any = connection.connection.dbapi_connection
        raw.seconds = math.inf

    def cut_wal(self) -> None:
        """Cut SQLite's log of writes if it is long and no reader stays for long."""
        file, now = self.file, time.monotonic()
        if now < self._cut + UNCUT_SECONDS or file.wal_bytes() < LONG_WAL_BYTES:
            return
        self._cut = now
        with self.sql.connect() as connection:
            raw = cast("sqlite3.Connection", connection.connection.dbapi_connection)
            raw.execute(f"PRAGMA busy_timeout={round(1000 * CUT_SECONDS)}")
            try:
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                raw.execute(f"PRAGMA busy_timeout={round(1000 * self.busy_seconds)}")

    def give_up(self) -> None:
        """From now on nothing is waited for: who still does gets an error."""
        self.given_up.set()

    def close(self) -> None:
        """Give the connections back."""
        self.sql.dispose()

    # PostgreSQL

    def _postgresql(self, url: sql.URL) -> sql.Engine:
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        limits = KEEPALIVE | {"connect_timeout": CONNECT_SECONDS}
        if self.statement_seconds:
            limits["connect_timeout"] = IN_SERVICE_CONNECT_SECONDS
        given = {name: value for name, value in limits.items() if name not in url.query}
        try:
            engine = sql.create_engine(
                url, pool_pre_ping=True, connect_args=given, pool_size=POOL, max_overflow=OVERFLOW,
                pool_timeout=self.busy_seconds,
            )  # fmt: skip
        except (ModuleNotFoundError, sql.exc.NoSuchModuleError) as exc:
            raise StoreError(
                f"{url.drivername}: its driver is not installed: "
                "in the project's folder, pip install '.[postgresql]'"
            ) from exc
        if self.statement_seconds:
            usual = self.statement_seconds + GRACE_SECONDS
            connect = _connect_of(usual, self.given_up)

            @sql.event.listens_for(engine, "do_connect")
            def with_limits(dialect: Any, record: Any, args: Any, options: Any) -> Any:
                if self.given_up.is_set():
                    raise StoreError(f"{self.name}: given up")
                return connect(*args, **options)

            @sql.event.listens_for(engine, "reset")
            def with_usual_limits(connection: Any, record: Any, state: Any) -> None:
                connection.seconds = usual

        values = {"lock_timeout": f"{round(1000 * self.busy_seconds)}"}
        if self.statement_seconds:
            values["statement_timeout"] = f"{round(1000 * self.statement_seconds)}"
            values["idle_in_transaction_session_timeout"] = f"{1000 * IDLE_SECONDS}"
        if not self.writing:
            values["default_transaction_read_only"] = "on"
        all_set = ", ".join(f"set_config('{name}', '{values[name]}', false)" for name in values)

        @sql.event.listens_for(engine, "connect")
        def patient(connection: Any, record: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT {all_set}")
            connection.commit()

        return engine

    # SQLite

    def _sqlite(self, url: sql.URL) -> sql.Engine:
        name = url.database or ""
        memory = name in ("", ":memory:") or name.startswith("file::memory:")
        pool: dict[str, Any] = {"poolclass": sql.pool.StaticPool}
        if not memory:
            pool = {"pool_size": POOL, "max_overflow": OVERFLOW, "pool_timeout": self.busy_seconds}
            self.file = DatabaseFile(self.name, _path_of(name))
        engine = sql.create_engine(
            url, connect_args={"timeout": self.busy_seconds, "check_same_thread": False}, **pool
        )

        @sql.event.listens_for(engine, "do_connect")
        def connect(dialect: Any, record: Any, args: Any, options: Any) -> sqlite3.Connection:
            if memory:
                return _open(args[0], options)
            return self._connect(args[0], options)

        return engine

    def _connect(self, name: str, options: dict[str, Any]) -> sqlite3.Connection:
        file = self.file
        before = file.identity()
        # An address of SQLite's own says itself how it is to be opened.
        plain = not name.startswith("file:")
        address = f"file:{quote(name)}?mode={{}}" if plain else name
        options = options | {"uri": True}
        if self.writing:
            connection = _open(address.format("rw"), options)
        else:
            connection = self._read_only(address, options)
        try:
            # Before the first statement: what SQLite reads of another file it may also write.
            file.opened(before)
            if self.writing:
                if _use_wal(connection):
                    connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # opens it
                    file.uses_wal()
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute(f"PRAGMA journal_size_limit={MAX_WAL_BYTES}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _read_only(self, address: str, options: dict[str, Any]) -> sqlite3.Connection:
        """A connection that changes nothing, also to what may not be written."""
        path, wal = self.file.path or Path(), self.file.wal
        mode = "ro"
        if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
            # As others do, so that what SQLite keeps beside the file is cleared away again.
            mode = "rw"
        elif _is_empty(wal):
            # Nobody has it open for writing, or there would be a log of writes beside it.
            mode = "ro&immutable=1"
            self.file.stand_still()
        connection = _open(address.format(mode), options)
        try:
            connection.execute("PRAGMA query_only=ON")
            connection.execute("SELECT 1 FROM sqlite_master")
        except sqlite3.OperationalError as exc:
            connection.close()
            if exc.sqlite_errorcode != sqlite3.SQLITE_CANTOPEN or _is_empty(wal):
                raise
            raise StoreError(
                f"{self.name}: what was written last stands in {wal.name}, which SQLite cannot "
                "read in a folder that it cannot write to: copy both files to one of your own"
            ) from exc
        return connection


def _open(name: str, options: dict[str, Any]) -> sqlite3.Connection:
    connection = sqlite3.connect(name, **options)
    # The driver must not open transactions behind our back: we send BEGIN IMMEDIATE.
    connection.isolation_level = None
    return connection


def _is_empty(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


def _begun(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def _use_wal(connection: sqlite3.Connection) -> bool:
    """Whether it could be done. Several processes may open a new file at once, and SQLite does not
    wait for this one.
    """
    patience = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > patience:
                raise
            time.sleep(0.02)
        else:
            return bool(mode == "wal")


def path_of(url: str) -> Path | None:
    """The file of a store of SQLite; None for servers and memory."""
    parsed = _parsed(url)
    name = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or name in ("", ":memory:"):
        return None
    return _path_of(name)


def _path_of(name: str) -> Path:
    return Path(unquote(urlsplit(name).path) if name.startswith("file:") else name).absolute()


def _connect_of(usual: float, given_up: threading.Event) -> Callable[..., Any]:
    """What connects to PostgreSQL so that nothing is waited for longer than ``usual`` seconds, or
    than the connection's own, nor when it is ``given_up``.
    """
    import psycopg

    class Impatient(psycopg.Connection[Any]):
        seconds = usual

        def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
            try:
                return super().wait(_limited(gen, self.seconds, given_up), *args, **options)
            except TimeoutError as exc:
                self.close()
                raise psycopg.OperationalError(str(exc)) from None

    return Impatient.connect


def _limited(
    gen: Generator[Any, Any, Any], seconds: float, given_up: threading.Event
) -> Generator[Any, Any, Any]:
    """As ``gen``, which psycopg resumes ten times a second at least; ``TimeoutError`` if it takes
    longer.
    """
    end, ready = time.monotonic() + seconds, None
    while True:
        try:
            state = gen.send(ready)
        except StopIteration as stop:
            return stop.value
        ready = yield state
        if not ready and (time.monotonic() > end or given_up.is_set()):
            raise TimeoutError(f"no answer from the server for {seconds:.0f} s")


def _parsed(url: str) -> sql.URL:
    try:
        return sql.make_url(url)
    except (sql.exc.ArgumentError, ValueError) as exc:
        raise StoreError(
            f"{masked(url)!r} is no database URL; sqlite:///recommender.db is one"
        ) from exc


def masked(text: str) -> str:
    """``text`` without the password of a URL in it, be the URL well-formed or not.

    >>> masked("postgresql://me:it's/a@secret@host/db?password=too")
    'postgresql://me:***@host/db?password=***'
    """
    text = re.sub(r"(//[^:/@\s]*:).*@", r"\1***@", text)
    return re.sub(r"(password=)[^&\s]+", r"\1***", text)
