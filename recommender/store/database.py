"""The store: articles and the log of what was shown and followed, in SQLite or PostgreSQL.

A slate that was shown a thousand times is stored once, with its links and their chances; a view
is one row that points at it. So the log of a site that serves pre-made lists stays small, and
counting joins two narrow tables (DECISIONS.md, "One row per slate").

Everything that writes does so in one transaction: an import is there whole or not at all.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.articles.article import Article
from recommender.articles.batch import Batch, RawPage
from recommender.errors import StoreError
from recommender.events.event import Event
from recommender.progress import Progress
from recommender.store import articles as article_tables
from recommender.store.articles import Changed, Changes, Prepared
from recommender.store.engine import BUSY_SECONDS, Engine, masked
from recommender.store.event_writer import EventWriter, Received
from recommender.store.keys import driver, number_ids, upsert
from recommender.store.page_clicks import find_views
from recommender.store.pieces import settle_some
from recommender.store.schema import STEPS, check_version, is_older, migrate

logger = logging.getLogger("api")
# Errors of a file that is none of SQLite's, or has become one that makes no sense.
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# What a store is known by: a name, which bundles remember, and the keys that sign its tokens. They
# are made once and kept in it, so that every process that serves signs alike.
KEY, PREVIOUS_KEY, NAME = "signing_key", "previous_signing_key", "store"
# What a restored backup is marked by (``backup``): who had the store open notices that what was
# remembered of it no longer holds.
RESTORED = "restored"
# When the key was changed, in milliseconds since 1970, and for how long the one before is valid
# then: pages with tokens of it stay open, and in caches, for hours at most.
CHANGED, PREVIOUS_HOURS, HOUR_MS = "signing_key_changed", 24, 3_600_000


class Store:
    """A database of articles and events; made, if need be, and brought up to date when it is opened
    for writing.

    >>> with Store("sqlite://") as store:
    ...     store.n_articles()
    0
    """

    def __init__(
        self,
        url: str,
        *,
        writing: bool = True,
        create: bool = True,
        older: bool = False,
        busy_seconds: float = BUSY_SECONDS,
        statement_seconds: float | None = None,
    ) -> None:
        """Open the database at ``url``; other writers are waited for ``busy_seconds``.

        Without ``writing`` nothing is made or changed, so that the right to read is enough;
        without ``create`` nothing is made that is not there. With ``older``, and without
        ``writing``, a store of an older release is opened as it is. ``statement_seconds`` is how
        long a server may take over one statement, by default any time. ``StoreError`` if there is
        no such store, or one that this release cannot use.
        """
        self.url = url
        self.name = masked(url)
        # Whether there was none before it was opened.
        self.was_made = False
        self._mark: str | None = None
        self._database = Engine(
            url, writing=writing, busy_seconds=busy_seconds, statement_seconds=statement_seconds
        )
        self.engine = self._database.sql
        try:
            self._open(create=create, older=older)
        except BaseException:
            self.close()
            raise

    def _open(self, *, create: bool, older: bool) -> None:
        file = self._database.file
        if self._database.writing and create:
            file.make()
        elif file.is_absent():
            raise StoreError(f"{self.name}: there is no such store; recommender import makes one")
        elif file.is_empty() or not self._has_tables():
            raise StoreError(f"{self.name}: there is no store in it; recommender import makes one")
        if self._database.writing:
            with self.reading() as connection:
                older = is_older(connection)
            since = time.monotonic()
            with self.transaction() as connection:
                if older:
                    self._database.unlimit(connection)
                before = migrate(connection)
                self.was_made = before == 0
                self._mark = _mark(connection)
            if 0 < before < len(STEPS):
                seconds = time.monotonic() - since
                logger.warning("done, %.0f s: the store has schema %d", seconds, len(STEPS))
            return
        with self.reading() as connection:
            check_version(connection, older=older)

    def _has_tables(self) -> bool:
        with self.reading() as connection:
            return sql.inspect(connection).has_table("schema_version")

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
        self._database.close()

    def give_up(self) -> None:
        """Before closing: who still waits for the database gets a ``StoreError`` at once."""
        self._database.give_up()

    def cut_log_of_writes(self) -> None:
        """Keep what SQLite keeps beside the file short; to be called now and then."""
        with self._complaints():
            self._database.cut_wal()

    def abandon(self) -> None:
        """Close a store that is lost, so that what takes its place is not mixed with it."""
        self._database.abandon()
        self.close()

    def check(self) -> None:
        """``StoreError`` if the file was deleted or replaced, so that nothing that is written here
        will be found again; it stays so until the store is opened anew.
        """
        self._database.file.check()

    def check_mark(self, connection: Connection) -> None:
        """As ``check``, of what only the store itself can say: that a backup was restored."""
        if _mark(connection) != self._mark:
            self._database.file.replace("a backup was restored")

    @property
    def place(self) -> str:
        """Its name, and where it is if that depends on the folder one is in."""
        path = self._database.file.path
        return self.name if path is None or str(path) in self.name else f"{self.name} ({path})"

    @property
    def may_write(self) -> bool:
        """Whether it was opened for writing."""
        return self._database.writing

    @property
    def lost(self) -> bool:
        """Whether ``check`` fails for good."""
        return self._database.file.lost is not None

    @property
    def is_damaged(self) -> bool:
        """Whether the file that is there now may hold parts of two."""
        return self._database.file.damaged

    @property
    def state(self) -> tuple[int, ...]:
        """What differs as soon as the file is written to, or another is there."""
        return self._database.file.state()

    def check_contents(self) -> None:
        """``StoreError`` if the file makes no sense. Reads all of it."""
        if not self._database.is_sqlite:
            return
        with self.reading() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            raise StoreError(
                f"{self.name}: the file is damaged, as by copying over it while it was open; stop "
                f"what uses it, and put a whole one in its place: {found}"
            )

    def may_be_written(self) -> bool:
        """Whether the file is one that can be; true of a server, which says so when it is tried."""
        return self._database.file.may_be_written()

    def seen_by_others(self) -> bool:
        """Whether other users of this machine may read the file."""
        return self._database.file.seen_by_others()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, or undone by any error; ``StoreError``
        for what the database complains about, and if what was committed is not durable.
        """
        with self._complaints(), self.engine.connect() as connection:
            self.check()
            with connection.begin():
                self._database.begin(connection)
                yield connection
            self._database.file.check()

    @contextmanager
    def reading(self, *, seconds: float | None = None) -> Iterator[Connection]:
        """A connection to read from; ``StoreError`` for what the database complains about. A
        statement may take ``seconds``, by default ``statement_seconds``.
        """
        with self._complaints(), self.engine.connect() as connection:
            if seconds is not None:
                self._database.limit(connection, seconds)
            yield connection
            self._database.file.check_still()

    @contextmanager
    def _complaints(self) -> Iterator[None]:
        """What the database complains about, as one ``StoreError`` that names the store."""
        try:
            yield
        except (sql.exc.SQLAlchemyError, sqlite3.Error) as exc:
            origin = getattr(exc, "orig", None) or exc
            cause = masked((str(origin).strip() or type(origin).__name__).splitlines()[0])
            # The lower byte is the kind of error, whatever is known of it besides.
            if getattr(origin, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
                self._database.file.damage(cause)
            raise StoreError(f"{self.name}: {cause}") from exc

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """As ``reading``, and every statement sees the store as it stands now, whatever is written
        meanwhile.
        """
        with self.reading() as connection:
            if not self._database.is_sqlite:
                connection.execute(sql.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            else:
                connection.exec_driver_sql("BEGIN")
            yield connection

    # Articles

    def n_articles(self) -> int:
        """How many articles there are, stubs included."""
        with self.reading() as connection:
            return int(connection.scalar(sql.text("SELECT COUNT(*) FROM articles")) or 0)

    def articles(
        self, *, with_body: bool = True, ids: Iterable[str] | None = None
    ) -> list[Article]:
        """Every article, or those with these ``ids``, stubs included, in the order of their ids."""
        with self.reading() as connection:
            return article_tables.read_articles(connection, with_body=with_body, ids=ids)

    def pages(self) -> list[tuple[str, RawPage]]:
        """The text pages that articles came from, each with its article's id."""
        with self.reading() as connection:
            return article_tables.read_pages(connection)

    def apply(
        self,
        batch: Batch,
        *,
        full: bool = False,
        new_ids: bool = False,
        progress: Progress | None = None,
    ) -> Changes:
        """Link a batch to the articles here and write it: new ones in, changed ones updated, and
        the lists of others mended where a stub turned out to be one of them.

        With ``full``, articles the batch does not hold are removed, unless the batch has
        problems: nothing is ever removed because its record was bad (``Changes.spared``).
        ``InputError`` if articles would get other ids than they have here, unless they are to have
        ``new_ids``: then those take the place of the old. Running servers take notice of what
        changed.
        """
        prepared = self._prepared(batch, full=full, new_ids=new_ids, progress=progress)
        with self.transaction() as connection:
            return article_tables.apply(
                connection, batch,
                full=full, new_ids=new_ids, prepared=prepared, progress=progress,
            )  # fmt: skip

    def _prepared(
        self,
        batch: Batch,
        *,
        full: bool,
        new_ids: bool = False,
        progress: Progress | None = None,
    ) -> Prepared:
        """What takes long is done while others may write."""
        with self.snapshot() as connection:
            return article_tables.prepare(
                connection, batch, full=full, new_ids=new_ids, progress=progress
            )

    def remove(self, ids: Collection[str]) -> list[str]:
        """Take articles out, and have running servers take notice; returns those there were."""
        with self.transaction() as connection:
            return article_tables.remove(connection, ids)

    def last_change(self) -> int:
        """The number of the last change of an article; 0 if there was none."""
        with self.reading() as connection:
            return article_tables.last_change(connection)

    def changed_since(self, number: int, *, whole: int | None = None) -> Changed:
        """What changed after ``number``. All but the last ``whole`` articles come with the
        beginning of their texts alone.
        """
        with self.reading() as connection:
            return article_tables.changed_since(connection, number, whole=whole)

    # Numbers and what is kept once

    def keys_of(self, ids: Sequence[str]) -> list[int]:
        """The store's numbers of ids; those it has not met are given one."""
        keys: dict[str, int] = {}
        with self.transaction() as connection:
            number_ids(connection, set(ids), keys)
        return [keys[id] for id in ids]

    def value(self, name: str) -> str | None:
        """What is kept under ``name``, or None."""
        with self.reading() as connection:
            found = connection.scalar(
                sql.text("SELECT value FROM meta WHERE name = :name"), {"name": name}
            )
        return None if found is None else str(found)

    def kept(self, name: str, make: Callable[[], str]) -> str:
        """What is kept under ``name``; the first to ask decides what that is."""
        found = self.value(name)
        if found is not None:
            return found
        with self.transaction() as connection:
            connection.execute(
                sql.text(
                    "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING"
                ),
                {"name": name, "value": make()},
            )
        return self.value(name) or ""

    def keep(self, name: str, value: str) -> None:
        """Keep another value under ``name``."""
        with self.transaction() as connection:
            upsert(connection, "meta", [{"name": name, "value": value}], key="name")

    # Events

    def add_events(self, events: Iterable[Event]) -> Received:
        """Add events in one transaction; an error on the way, also in ``events``, undoes all.

        The order does not matter; what came before counts as a duplicate.
        """
        received = Received()
        with self.transaction() as connection:
            EventWriter().add(connection, events, received)
            while settle_some(connection):
                pass
            find_views(connection, received)
        return received


def _mark(connection: Connection) -> str | None:
    query = "SELECT value FROM meta WHERE name = "
    if (raw := driver(connection)) is not None:  # asked for every group of events
        row = raw.execute(f"{query}?", (RESTORED,)).fetchone()
    else:
        row = connection.exec_driver_sql(f"{query}%s", (RESTORED,)).fetchone()
    return None if row is None else str(row[0])


def store_name(store: Store) -> str:
    """A name no other store has, given to it when it is first served from."""
    return store.kept(NAME, lambda: secrets.token_hex(8))


def rename(store: Store, name: str) -> str:
    """Give a store of this ``name`` another, since it is not what it was: it went back to an older
    state, and what was numbered since means nothing here, or something else. Returns the name it
    has now; processes that notice at one time agree on it.
    """
    with store.transaction() as connection:
        connection.execute(
            sql.text("UPDATE meta SET value = :new WHERE name = :what AND value = :old"),
            {"what": NAME, "old": name, "new": secrets.token_hex(8)},
        )
    return store_name(store)


def known_name(store: Store) -> str:
    """The store's name, empty if it has none yet: a build gives it none, so that the same input
    makes the same bundle.
    """
    return store.value(NAME) or ""


def signing_keys(
    store: Store, given: str = "", *, now_ms: int, previous_hours: int = PREVIOUS_HOURS
) -> list[bytes]:
    """The keys of slate tokens, the one to sign with first. ``given`` is the setting: it becomes
    the key, and what was the key stays valid for ``previous_hours`` from then on. ``now_ms``:
    milliseconds since 1970.
    """
    key = store.kept(KEY, lambda: given or secrets.token_hex(32))
    if given and given != key:
        # Also back to the one before, be it by an older process that is started again.
        _change_key(store, given, now_ms)
        key = given
    previous = store.value(PREVIOUS_KEY)
    if not previous or previous == key:
        return [key.encode()]
    # Stores of earlier releases do not know since when.
    since = int(store.kept(CHANGED, lambda: str(now_ms)))
    if now_ms >= since + previous_hours * HOUR_MS:
        return [key.encode()]
    return [key.encode(), previous.encode()]


def _change_key(store: Store, given: str, now_ms: int) -> None:
    with store.transaction() as connection:
        query = sql.text("SELECT value FROM meta WHERE name = :name")
        key = connection.scalar(query, {"name": KEY})
        if key == given:  # by a worker that started with us
            return
        values = {KEY: given, PREVIOUS_KEY: key, CHANGED: str(now_ms)}
        rows = [{"name": name, "value": values[name]} for name in sorted(values)]
        upsert(connection, "meta", rows, key="name")
