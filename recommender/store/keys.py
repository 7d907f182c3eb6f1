"""Numbers for what the log speaks of: ids and slates bear one each, and the log's rows hold these.

Numbers are given out in write transactions, so no two writers give out the same.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sql
from sqlalchemy.engine import Connection

Item = TypeVar("Item")

CHUNK = 20_000
# Databases limit how many values one statement may carry.
LOOK_UP = 500

COLUMNS = {
    "ids": {"key": "integer", "id": "text"},
    "slates": {
        "slate": "integer", "digest": "bytea", "source": "integer", "list": "text",
        "ordered": "integer",
    },
    "slate_links": {
        "slate": "integer", "rank": "integer", "item": "integer", "position": "integer",
        "propensity": "double precision", "origin": "text",
    },
    "views": {
        "view_id": "text", "ts": "bigint", "slate": "integer", "session": "text",
        "layout": "text", "arm": "text", "variant": "integer", "live": "integer",
    },
    "clicks": {"view_id": "text", "item": "integer", "ts": "bigint", "live": "integer"},
    "pageviews": {
        "ts": "bigint", "session": "text", "article": "integer", "referrer": "integer",
        "live": "integer",
    },
}  # fmt: skip


class Content(NamedTuple):
    """What makes two slates the same. ``source`` and ``items`` are numbers of ids."""

    source: int
    items: tuple[int, ...]
    ordered: bool
    list: str
    chances: tuple[float, ...] | None
    origins: tuple[str, ...] = ()

    def digest(self) -> bytes:
        """Sixteen bytes that tell slates apart."""
        head: list[Any] = [self.list, self.ordered, self.chances]
        packed = struct.pack(f"<{len(self.items) + 1}q", self.source, *self.items)
        text = json.dumps([*head, self.origins] if self.origins else head)
        return hashlib.sha256(text.encode() + packed).digest()[:16]


class Numbers:
    """The numbers of ids and slates, remembered between transactions. After a transaction that
    was undone, what is remembered may be wrong: take a new object.
    """

    def __init__(self) -> None:
        self.keys: dict[str, int] = {}
        self.slates: dict[Content, int] = {}

    def number_ids(self, connection: Connection, ids: set[str]) -> None:
        """Have every one of ``ids`` in ``keys``."""
        new = ids - self.keys.keys()
        if new:
            self._find_ids(connection, new)
            new -= self.keys.keys()
        if not new:
            return
        _lock(connection)
        self._find_ids(connection, new)
        first = _last(connection, "SELECT MAX(key) FROM ids") + 1
        rows = []
        for key, id in enumerate(sorted(new - self.keys.keys()), start=first):
            self.keys[id] = key
            rows.append((key, id))
        insert(connection, "ids", rows)

    def number_slates(self, connection: Connection, contents: Iterable[Content]) -> None:
        """Have every one of ``contents`` in ``slates``."""
        digests = {content.digest(): content for content in contents if content not in self.slates}
        if digests:
            self._find_slates(connection, digests)
        if not digests:
            return
        _lock(connection)
        self._find_slates(connection, digests)
        first = _last(connection, "SELECT MAX(slate) FROM slates") + 1
        slates: list[tuple[Any, ...]] = []
        links: list[tuple[Any, ...]] = []
        for slate, (digest, content) in enumerate(digests.items(), start=first):
            self.slates[content] = slate
            ordered = int(content.ordered)
            slates.append((slate, digest, content.source, content.list, ordered))
            links.extend(_links(slate, content))
        insert(connection, "slates", slates)
        insert(connection, "slate_links", links)

    def _find_ids(self, connection: Connection, ids: set[str]) -> None:
        for row in look_up(connection, "SELECT id, key FROM ids WHERE id IN :values", ids):
            self.keys[row.id] = row.key

    def _find_slates(self, connection: Connection, digests: dict[bytes, Content]) -> None:
        """Move those the store has from ``digests`` to ``slates``."""
        query = "SELECT digest, slate FROM slates WHERE digest IN :values"
        for row in list(look_up(connection, query, list(digests))):
            self.slates[digests.pop(bytes(row.digest))] = row.slate


def _links(slate: int, content: Content) -> Iterator[tuple[Any, ...]]:
    chances = content.chances or (None,) * len(content.items)
    origins = content.origins or ("",) * len(content.items)
    rows = zip(content.items, chances, origins, strict=True)
    for rank, (item, chance, origin) in enumerate(rows, start=1):
        yield slate, rank, item, rank if content.ordered else None, chance, origin


def _lock(connection: Connection) -> None:
    """One writer at a time gives out numbers; on SQLite one at a time writes at all."""
    if connection.dialect.name == "postgresql":
        connection.execute(sql.text("LOCK TABLE ids, slates IN EXCLUSIVE MODE"))


def _last(connection: Connection, statement: str) -> int:
    return int(connection.scalar(sql.text(statement)) or 0)


def look_up(connection: Connection, statement: str, values: Iterable[Any]) -> Iterator[Any]:
    """The rows of ``statement``, whose ``:values`` are handed over in parts."""
    query = sql.text(statement).bindparams(sql.bindparam("values", expanding=True))
    for part in chunks(values, LOOK_UP):
        yield from connection.execute(query, {"values": part})


def insert(connection: Connection, table: str, rows: list[tuple[Any, ...]]) -> int:
    """Insert what is not there yet, and say how many rows that was."""
    if not rows:
        return 0
    columns = COLUMNS[table]
    head, tail = f"INSERT INTO {table} ({', '.join(columns)})", "ON CONFLICT DO NOTHING"
    # Straight to the driver: a dict and a compiled statement per row would double the time.
    if connection.dialect.name == "postgresql":
        # Column by column in one statement, because each row is a message otherwise.
        statement = f"{head} SELECT * FROM unnest({arrays(table)}) {tail}"
        return connection.exec_driver_sql(statement, by_column(rows)).rowcount
    statement = f"{head} VALUES ({', '.join('?' * len(columns))}) {tail}"
    return connection.exec_driver_sql(statement, rows).rowcount


def arrays(table: str) -> str:
    """A table's columns as PostgreSQL's parameters."""
    return ", ".join(f"%s::{kind}[]" for kind in COLUMNS[table].values())


def by_column(rows: list[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    """Rows turned to columns."""
    return tuple(list(column) for column in zip(*rows, strict=True))


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of ``size`` items, the last one shorter.

    >>> list(chunks("abc", 2))
    [['a', 'b'], ['c']]
    """
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
