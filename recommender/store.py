"""The store: articles and the log of what was shown and followed, in SQLite or PostgreSQL.

A slate that was shown a thousand times is stored once, with its links and their chances; a view
is one row that points at it. So the log of a site that serves pre-made lists stays small, and
counting joins two narrow tables (DECISIONS.md, "One row per slate").

Everything that writes does so in one transaction: an import is there whole or not at all.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender import article_tables
from recommender.article_tables import Changes
from recommender.articles import Article
from recommender.errors import StoreError
from recommender.event_tables import EventWriter, Received
from recommender.events import Event
from recommender.importing import Batch, RawPage
from recommender.migrations import migrate

__all__ = ["Changes", "Received", "Store"]

# How long to wait for another writer, and for a server to answer at all.
BUSY_SECONDS = 30
CONNECT_SECONDS = 10


class Store:
    """A database of articles and events; made and brought up to date when it is opened.

    >>> with Store("sqlite://") as store:
    ...     store.n_articles()
    0
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        try:
            with self.transaction() as connection:
                migrate(connection)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, or undone by any error; ``StoreError``
        for what the database complains about.
        """
        with _told(self.url), self.engine.begin() as connection:
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read from; ``StoreError`` for what the database complains about."""
        with _told(self.url), self.engine.connect() as connection:
            yield connection

    # Articles

    def n_articles(self) -> int:
        """How many articles there are, stubs included."""
        with self.reading() as connection:
            return int(connection.scalar(sql.text("SELECT COUNT(*) FROM articles")) or 0)

    def articles(self, *, with_body: bool = True) -> list[Article]:
        """Every article, stubs included, in the order of their ids."""
        with self.reading() as connection:
            return article_tables.read_articles(connection, with_body=with_body)

    def pages(self) -> list[tuple[str, RawPage]]:
        """The text pages that articles came from, each with its article's id."""
        with self.reading() as connection:
            return article_tables.read_pages(connection)

    def apply(self, batch: Batch, *, full: bool = False) -> Changes:
        """Link a batch to the articles here and write it: new ones in, changed ones updated, and
        the lists of others mended where a stub turned out to be one of them.

        With ``full``, articles the batch does not hold are removed, unless the batch has
        problems: nothing is ever removed because its record was bad (``Changes.spared``).
        """
        with self.transaction() as connection:
            return article_tables.apply(connection, batch, full=full)

    # Events

    def add_events(self, events: Iterable[Event]) -> Received:
        """Add events in one transaction; an error on the way, also in ``events``, undoes all.

        The order does not matter; what came before counts as a duplicate.
        """
        with self.transaction() as connection:
            return EventWriter(connection).write(events)


def _engine(url: str) -> sql.Engine:
    try:
        parsed = sql.make_url(url)
    except (sql.exc.ArgumentError, ValueError) as exc:
        raise StoreError(
            f"{_masked(url)!r} is no database URL; sqlite:///recommender.db is one"
        ) from exc
    kind = parsed.get_backend_name()
    if kind in ("postgresql", "postgres"):
        return _postgresql(parsed)
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return _sqlite(parsed)
    raise StoreError(f"{parsed.drivername}: no such kind of database; sqlite or postgresql")


def _postgresql(url: sql.URL) -> sql.Engine:
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    patience = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_SECONDS}
    try:
        return sql.create_engine(url, pool_pre_ping=True, connect_args=patience)
    except (ModuleNotFoundError, sql.exc.NoSuchModuleError) as exc:
        raise StoreError(
            f"{url.drivername}: its driver is not installed: pip install 'recommender[postgresql]'"
        ) from exc


def _sqlite(url: sql.URL) -> sql.Engine:
    memory = url.database in (None, "", ":memory:")
    pool = {"poolclass": sql.pool.StaticPool} if memory else {}
    engine = sql.create_engine(
        url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}, **pool
    )

    @sql.event.listens_for(engine, "connect")
    def durable(connection: Any, record: Any) -> None:
        # The driver must not open transactions behind our back: we say BEGIN IMMEDIATE.
        connection.isolation_level = None
        _use_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")

    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    """Several processes may open a new file at once, and SQLite does not wait for this one."""
    patience = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > patience:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def _told(url: str) -> Iterator[None]:
    """What the database complains about, as one sentence that says which store."""
    try:
        yield
    except sql.exc.SQLAlchemyError as exc:
        cause = str(getattr(exc, "orig", None) or exc).strip() or type(exc).__name__
        raise StoreError(f"{_masked(url)}: {_masked(cause.splitlines()[0])}") from exc


def _masked(text: str) -> str:
    """``text`` without the password of a URL in it, be the URL well-formed or not.

    >>> _masked("postgresql://me:it's/a@secret@host/db?password=too")
    'postgresql://me:***@host/db?password=***'
    """
    text = re.sub(r"(//[^:/@\s]*:).*@", r"\1***@", text)
    return re.sub(r"(password=)[^&\s]+", r"\1***", text)
