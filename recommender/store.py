"""The store: articles and the log of what was shown and followed, in SQLite or PostgreSQL.

A slate that was shown a thousand times is stored once, with its links and their chances; a view
is one row that points at it. So the log of a site that serves pre-made lists stays small, and
counting joins two narrow tables (DECISIONS.md, "One row per slate").

Everything that writes does so in one transaction: an import is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.articles import Article
from recommender.errors import MissingExtra, StoreError
from recommender.events import Click, Event, Impression, PageView
from recommender.importing import Batch
from recommender.migrations import migrate

CHUNK = 20_000
# Enough for every list of a large site; beyond it a slate is only looked up more slowly.
MAX_SLATES_REMEMBERED = 200_000


@dataclass(frozen=True, slots=True)
class Changes:
    """What applying a batch of articles did, by id."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    n_unchanged: int = 0
    n_stubs: int = 0


@dataclass(slots=True)
class Received:
    """What adding events did. ``unknown`` counts ids that no article bears, with how often."""

    impressions: int = 0
    clicks: int = 0
    pageviews: int = 0
    duplicates: int = 0
    unknown: dict[str, int] = field(default_factory=dict)
    n_unknown_events: int = 0


class Store:
    """A database of articles and events; made and brought up to date when it is opened.

    >>> store = Store("sqlite://")
    >>> store.n_articles()
    0
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self.engine = _engine(url)
            with self.transaction() as connection:
                migrate(connection)
        except sql.exc.SQLAlchemyError as exc:
            cause = getattr(exc, "orig", None) or exc
            raise StoreError(f"{_without_password(url)}: {str(cause).splitlines()[0]}") from exc

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, or undone by any error."""
        with self.engine.begin() as connection:
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    # Articles

    def n_articles(self) -> int:
        """How many articles there are, stubs included."""
        with self.engine.connect() as connection:
            return int(connection.scalar(sql.text("SELECT COUNT(*) FROM articles")) or 0)

    def articles(self, *, with_body: bool = True) -> list[Article]:
        """Every article, stubs included, in the order of their ids."""
        body = "body" if with_body else "'' AS body"
        names = ", ".join(body if name == "body" else name for name in ARTICLE_COLUMNS)
        with self.engine.connect() as connection:
            rows = connection.execute(sql.text(f"SELECT {names} FROM articles"))  # noqa: S608
            found = [_article(row) for row in rows]
        # Engines collate text each in their own way; code points are the same everywhere.
        return sorted(found, key=lambda article: article.id)

    def apply(self, batch: Batch, *, aliases: dict[str, str], full: bool) -> Changes:
        """Write a linked batch: new articles in, changed ones updated; with ``full``, articles
        the batch does not hold are removed. ``aliases`` are stubs that became real.
        """
        changes = Changes()
        with self.transaction() as connection:
            have = {
                row.id: row.digest
                for row in connection.execute(sql.text("SELECT id, digest FROM articles"))
            }
            writes = []
            for article in batch.articles.values():
                digest = _digest(article)
                if article.stub and article.id in have:
                    continue
                if have.get(article.id) == digest:
                    continue
                if not article.stub:
                    (changes.updated if article.id in have else changes.added).append(article.id)
                writes.append(_row(article, digest))
            real = [article for article in batch.articles.values() if not article.stub]
            gone = sorted(set(have) - set(batch.articles)) if full else []
            gone += [stub for stub in aliases if stub not in gone]
            changes.removed.extend(id for id in gone if id not in aliases)
            _upsert(connection, writes)
            _delete(connection, gone)
            _mend(connection, aliases)
        return Changes(
            added=changes.added,
            updated=changes.updated,
            removed=changes.removed,
            n_unchanged=len(real) - len(changes.added) - len(changes.updated),
            n_stubs=sum(1 for article in batch.articles.values() if article.stub),
        )

    # Events

    def add_events(self, events: Iterable[Event]) -> Received:
        """Add events in one transaction; an error on the way, also in ``events``, undoes all.

        The order does not matter; what came before counts as a duplicate.
        """
        with self.transaction() as connection:
            return _EventWriter(connection).write(events)


def _engine(url: str) -> sql.Engine:
    try:
        parsed = sql.make_url(url)
    except sql.exc.ArgumentError as exc:
        raise StoreError(f"{url!r} is no database URL; sqlite:///recommender.db is one") from exc
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        if parsed.get_backend_name() != "sqlite":
            return sql.create_engine(parsed, pool_pre_ping=True)
        memory = parsed.database in (None, "", ":memory:")
        pool = {"poolclass": sql.pool.StaticPool} if memory else {}
        engine = sql.create_engine(
            parsed, connect_args={"timeout": 30, "check_same_thread": False}, **pool
        )
    except ModuleNotFoundError as exc:
        raise MissingExtra(f"a {parsed.get_backend_name()} store", "postgresql") from exc
    except sql.exc.NoSuchModuleError as exc:
        raise StoreError(
            f"{parsed.drivername}: no such kind of database; sqlite or postgresql"
        ) from exc

    @sql.event.listens_for(engine, "connect")
    def durable(connection: Any, record: Any) -> None:
        # The driver must not open transactions behind our back: we say BEGIN IMMEDIATE.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    return engine


def _without_password(url: str) -> str:
    try:
        return sql.make_url(url).render_as_string(hide_password=True)
    except sql.exc.ArgumentError:
        return url


ARTICLE_COLUMNS = [column.name for column in fields(Article)]
LISTS = ("tags", "recommended")
FLAGS = ("sensitive", "stub")


def _row(article: Article, digest: str) -> dict[str, Any]:
    row = asdict(article)
    for name in LISTS:
        row[name] = json.dumps(row[name], ensure_ascii=False)
    for name in FLAGS:
        row[name] = int(row[name])
    return {**row, "digest": digest}


def _article(row: Any) -> Article:
    values = dict(row._mapping)
    for name in LISTS:
        values[name] = tuple(json.loads(values[name]))
    for name in FLAGS:
        values[name] = bool(values[name])
    return Article(**values)


def _digest(article: Article) -> str:
    text = json.dumps(asdict(article), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _upsert(connection: Connection, rows: list[dict[str, Any]]) -> None:
    names = [*ARTICLE_COLUMNS, "digest"]
    holders = ", ".join(f":{name}" for name in names)
    updates = ", ".join(f"{name} = excluded.{name}" for name in names if name != "id")
    statement = sql.text(
        f"INSERT INTO articles ({', '.join(names)}) VALUES ({holders}) "  # noqa: S608
        f"ON CONFLICT (id) DO UPDATE SET {updates}"
    )
    for start in range(0, len(rows), CHUNK):
        connection.execute(statement, rows[start : start + CHUNK])


def _delete(connection: Connection, ids: Sequence[str]) -> None:
    if ids:
        rows = [{"id": id} for id in ids]
        connection.execute(sql.text("DELETE FROM articles WHERE id = :id"), rows)


def _mend(connection: Connection, aliases: dict[str, str]) -> None:
    """Point older lists at the articles their stubs turned out to be."""
    if not aliases:
        return
    names = ", ".join(ARTICLE_COLUMNS)
    rows = connection.execute(sql.text(f"SELECT {names} FROM articles"))  # noqa: S608
    mended = []
    for article in map(_article, rows):
        values = asdict(article)
        values["recommended"] = tuple(aliases.get(id, id) for id in article.recommended)
        for name in ("previous", "next"):
            values[name] = aliases.get(values[name], values[name])
        new = Article(**values)
        if new != article:
            mended.append(_row(new, _digest(new)))
    _upsert(connection, mended)


def slate_digest(impression: Impression, source: int, items: Sequence[int]) -> bytes:
    """What makes two slates the same: source, links in order, chances, and who chose them."""
    head = json.dumps([impression.list, impression.ordered, impression.propensities])
    packed = struct.pack(f"<{len(items) + 1}q", source, *items)
    return hashlib.sha256(head.encode() + packed).digest()[:16]


class _EventWriter:
    """Adds events in chunks; ids and slates get their numbers here, under the write lock."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        if connection.dialect.name == "postgresql":
            connection.execute(sql.text("LOCK TABLE ids, slates IN EXCLUSIVE MODE"))
        self.keys = {
            row.id: row.key for row in connection.execute(sql.text("SELECT id, key FROM ids"))
        }
        self.slates = {
            bytes(row.digest): row.slate
            for row in connection.execute(sql.text("SELECT digest, slate FROM slates"))
        }
        self.known = set(connection.scalars(sql.text("SELECT id FROM articles")))
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in INSERTS}
        self.received = Received()
        self.seen: dict[Impression, tuple[int, tuple[str, ...]]] = {}

    def write(self, events: Iterable[Event]) -> Received:
        before = self._totals()
        n_events = 0
        for n_events, event in enumerate(events, start=1):
            self._take(event)
            if n_events % CHUNK == 0:
                self._flush()
        self._flush()
        after = self._totals()
        self.received.impressions, self.received.clicks, self.received.pageviews = (
            new - old for new, old in zip(after, before, strict=True)
        )
        self.received.duplicates = n_events - sum(after) + sum(before)
        return self.received

    def _totals(self) -> tuple[int, ...]:
        counts = (f"SELECT COUNT(*) FROM {name}" for name in ("views", "clicks", "pageviews"))  # noqa: S608
        return tuple(int(self.connection.scalar(sql.text(count)) or 0) for count in counts)

    def _take(self, event: Event) -> None:
        if isinstance(event, Impression):
            self.rows["views"].append(
                {
                    "view_id": event.view_id,
                    "ts": event.ts,
                    "slate": self._slate(event),
                    "session": event.session_id,
                    "layout": event.layout,
                    "arm": event.arm,
                }
            )
        elif isinstance(event, Click):
            self._note(self._unknown(event.clicked))
            item = self._key(event.clicked)
            self.rows["clicks"].append({"view_id": event.view_id, "item": item, "ts": event.ts})
        else:
            self._take_page_view(event)

    def _take_page_view(self, event: PageView) -> None:
        self._note(self._unknown(event.article_id))
        self.rows["pageviews"].append(
            {
                "ts": event.ts,
                "session": event.session_id,
                "article": self._key(event.article_id),
                # 0 for none: in a unique index NULL would differ from NULL.
                "referrer": self._key(event.referrer_id) if event.referrer_id else 0,
            }
        )

    def _unknown(self, *ids: str) -> tuple[str, ...]:
        return tuple(id for id in ids if id not in self.known)

    def _note(self, unknown: tuple[str, ...]) -> None:
        if unknown:
            self.received.n_unknown_events += 1
            for id in unknown:
                self.received.unknown[id] = self.received.unknown.get(id, 0) + 1

    def _key(self, id: str) -> int:
        key = self.keys.get(id)
        if key is None:
            key = self.keys[id] = len(self.keys) + 1
            self.rows["ids"].append({"key": key, "id": id})
        return int(key)

    def _slate(self, event: Impression) -> int:
        content = event._replace(view_id="", ts=0, session_id="", layout="", arm="")
        slate, unknown = self.seen.get(content, (0, ()))
        if not slate:
            unknown = self._unknown(event.source_id, *event.shown)
            slate = self._number_slate(event)
            if len(self.seen) < MAX_SLATES_REMEMBERED:
                self.seen[content] = slate, unknown
        self._note(unknown)
        return slate

    def _number_slate(self, event: Impression) -> int:
        source = self._key(event.source_id)
        items = [self._key(id) for id in event.shown]
        digest = slate_digest(event, source, items)
        slate = self.slates.get(digest)
        if slate is None:
            slate = self.slates[digest] = len(self.slates) + 1
            self.rows["slates"].append(
                {"slate": slate, "digest": digest, "source": source, "list": event.list,
                 "ordered": int(event.ordered)}
            )  # fmt: skip
            chances = event.propensities or (None,) * len(items)
            for rank, (item, chance) in enumerate(zip(items, chances, strict=True), start=1):
                self.rows["slate_links"].append(
                    {"slate": slate, "rank": rank, "item": item,
                     "position": rank if event.ordered else None, "propensity": chance}
                )  # fmt: skip
        return int(slate)

    def _flush(self) -> None:
        for name, statement in INSERTS.items():
            if rows := self.rows[name]:
                self.connection.execute(statement, rows)
                self.rows[name] = []


def _insert(table: str, *names: str) -> sql.TextClause:
    holders = ", ".join(f":{name}" for name in names)
    return sql.text(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({holders}) ON CONFLICT DO NOTHING"  # noqa: S608
    )


# In the order in which rows point at one another.
INSERTS = {
    "ids": _insert("ids", "key", "id"),
    "slates": _insert("slates", "slate", "digest", "source", "list", "ordered"),
    "slate_links": _insert("slate_links", "slate", "rank", "item", "position", "propensity"),
    "views": _insert("views", "view_id", "ts", "slate", "session", "layout", "arm"),
    "clicks": _insert("clicks", "view_id", "item", "ts"),
    "pageviews": _insert("pageviews", "ts", "session", "article", "referrer"),
}
