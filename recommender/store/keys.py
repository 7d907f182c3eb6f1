"""Numbers of what the log names: ids and slates have one each, and the log's rows hold these.

Numbers are given out in write transactions, so no two writers give out the same.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import Any, TypeVar

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.events.slate_token import Slate

Item = TypeVar("Item")

# Rows that Python holds at a time, in some 20 MB. Not tuned.
CHUNK = 20_000
# Databases limit how many values one statement may carry: SQLite 32,766, its older releases 999.
# Rows of eight columns stay below the first, looked up ids below both.
LOOK_UP, ROWS_AT_ONCE = 500, 500
# A server is given columns, which are few values of any length; it is asked so much less often.
SERVER_ROWS = 5_000

COLUMNS = {
    "ids": {"key": "integer", "id": "text"},
    "slates": {
        "slate": "integer", "digest": "bytea", "source": "integer", "list": "text",
        "ordered": "integer",
    },
    "slate_links": {
        "slate": "integer", "rank": "integer", "item": "integer", "position": "integer",
        "propensity": "double precision", "origin": "text", "brought": "integer",
    },
    "views": {
        "view_id": "text", "ts": "bigint", "slate": "integer", "session": "text",
        "layout": "text", "arm": "text", "variant": "integer", "live": "integer",
    },
    "clicks": {"view_id": "text", "ts": "bigint", "item": "integer", "live": "integer"},
    "clicks_on_pages": {
        "key": "text", "item": "integer", "ts": "bigint", "one": "text", "other": "text",
        "session": "text", "source": "integer",
    },
    "pageviews": {
        "ts": "bigint", "article": "integer", "session": "text", "referrer": "integer",
        "live": "integer",
    },
}  # fmt: skip


def number_ids(connection: Connection, ids: set[str], keys: dict[str, int]) -> None:
    """Have the number of every one of ``ids`` in ``keys``; those without one are given one."""
    _find_ids(connection, ids - keys.keys(), keys)
    if not ids - keys.keys():
        return
    lock_numbers(connection)
    _find_ids(connection, ids - keys.keys(), keys)
    first = _last(connection, "SELECT MAX(key) FROM ids") + 1
    new = {id: key for key, id in enumerate(sorted(ids - keys.keys()), start=first)}
    insert(connection, "ids", [(key, id) for id, key in new.items()])
    keys |= new


def number_slates(connection: Connection, slates: Iterable[Slate]) -> list[int]:
    """The number of each slate; those without one are given one. The variant and the arm that a
    slate was sent for make no other slate.
    """
    digests = [(_digest(slate), slate) for slate in slates]
    if not digests:
        return []
    new = dict(digests)
    numbers = _numbers_of(connection, new)
    if new := {digest: slate for digest, slate in new.items() if digest not in numbers}:
        lock_numbers(connection)
        numbers |= _numbers_of(connection, new)
        first = _last(connection, "SELECT MAX(slate) FROM slates") + 1
        rows: list[tuple[Any, ...]] = []
        links: list[tuple[Any, ...]] = []
        for digest, slate in new.items():
            if digest not in numbers:
                number = numbers[digest] = first + len(rows)
                rows.append((number, digest, slate.source, slate.list, int(slate.ordered)))
                links.extend(_links(number, slate))
        insert(connection, "slates", rows)
        insert(connection, "slate_links", links)
    return [numbers[digest] for digest, _ in digests]


def _find_ids(connection: Connection, ids: Iterable[str], keys: dict[str, int]) -> None:
    for row in look_up(connection, "SELECT id, key FROM ids WHERE id IN :values", ids):
        keys[row.id] = row.key


def find_slates(connection: Connection, slates: Iterable[Slate]) -> set[Slate]:
    """Those of the slates that have a number."""
    digests = {_digest(slate): slate for slate in slates}
    return {digests[digest] for digest in _numbers_of(connection, digests)}


def _numbers_of(connection: Connection, digests: Iterable[bytes]) -> dict[bytes, int]:
    query = "SELECT digest, slate FROM slates WHERE digest IN :values"
    return {bytes(row.digest): row.slate for row in look_up(connection, query, digests)}


def _digest(slate: Slate) -> bytes:
    """Sixteen bytes that no other slate has."""
    packed = struct.pack(f"<{len(slate.items) + 1}q", slate.source, *slate.items)
    head: list[Any] = [slate.list, slate.ordered, slate.chances]
    head += [slate.origins] if slate.origins else []
    head += [slate.places] if slate.places else []
    text = json.dumps([*head, slate.brought] if slate.brought else head)
    return hashlib.sha256(text.encode() + packed).digest()[:16]


def _links(number: int, slate: Slate) -> Iterator[tuple[Any, ...]]:
    chances = slate.chances or (None,) * len(slate.items)
    origins = slate.origins or ("",) * len(slate.items)
    brought = slate.brought or (False,) * len(slate.items)
    places = slate.places or range(1, len(slate.items) + 1)
    rows = zip(slate.items, places, chances, origins, brought, strict=True)
    for rank, (item, place, chance, origin, asked_for) in enumerate(rows, start=1):
        yield number, rank, item, place if slate.ordered else None, chance, origin, int(asked_for)


def lock_numbers(connection: Connection) -> None:
    """One writer at a time gives out numbers; on SQLite one at a time writes at all."""
    if connection.dialect.name == "postgresql":
        connection.execute(sql.text("LOCK TABLE ids, slates IN EXCLUSIVE MODE"))


def _last(connection: Connection, statement: str) -> int:
    return int(connection.scalar(sql.text(statement)) or 0)


def look_up(connection: Connection, statement: str, values: Iterable[Any]) -> Iterator[Any]:
    """The rows of ``statement``, whose ``:values`` are handed over in parts."""
    for part in chunks(values, LOOK_UP):
        yield from connection.execute(_looking_up(statement), {"values": part})


@lru_cache
def _looking_up(statement: str) -> sql.TextClause:
    return sql.text(statement).bindparams(sql.bindparam("values", expanding=True))


def driver(connection: Connection) -> sqlite3.Connection | None:
    """SQLite's own connection, of a store that is such a file: what readers wait for goes straight
    to it, since SQLAlchemy takes longer over a small statement than SQLite does. None of a server.
    """
    found = connection.connection.dbapi_connection
    return found if isinstance(found, sqlite3.Connection) else None


def insert(
    connection: Connection,
    table: str,
    rows: Sequence[tuple[Any, ...]],
    returning: Sequence[str] = (),
) -> list[tuple[Any, ...]]:
    """Insert what is not there yet; of the rows that were new, the columns ``returning``."""
    new: list[tuple[Any, ...]] = []
    # Straight to the driver, many rows a statement: one a row would double the time.
    for part in chunks(rows, ROWS_AT_ONCE):
        statement, given = _insertion(connection, table, COLUMNS[table], part)
        if returning:
            statement += f" RETURNING {', '.join(returning)}"
        found = connection.exec_driver_sql(statement, given)
        new += [tuple(row) for row in found] if returning else []
    return new


def insert_new(raw: sqlite3.Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> bool:
    """Insert rows if all of them are new, and none otherwise; whether they were."""
    statement = _into(table, COLUMNS[table], len(rows))
    try:
        raw.execute(statement, tuple(chain.from_iterable(rows)))
    except sqlite3.IntegrityError:
        return False
    return True


def insert_all(connection: Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert what is not there yet, the first columns of it, the others as they are by default;
    how many rows were new.
    """
    if not rows:
        return 0
    columns = dict(islice(COLUMNS[table].items(), len(rows[0])))
    at_once = SERVER_ROWS if connection.dialect.name == "postgresql" else ROWS_AT_ONCE
    return sum(
        connection.exec_driver_sql(*_insertion(connection, table, columns, part)).rowcount
        for part in chunks(rows, at_once)
    )


def _insertion(
    connection: Connection, table: str, columns: Mapping[str, str], rows: Sequence[tuple[Any, ...]]
) -> tuple[str, tuple[Any, ...]]:
    """The statement that inserts what is not there yet, and what it is given."""
    if connection.dialect.name == "postgresql":
        arrays = ", ".join(f"%s::{type}[]" for type in columns.values())
        given: tuple[Any, ...] = tuple(list(column) for column in zip(*rows, strict=True))
        into = f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays})"
    else:
        given = tuple(chain.from_iterable(rows))
        into = _into(table, columns, len(rows))
    return f"{into} ON CONFLICT DO NOTHING", given


def _into(table: str, columns: Iterable[str], n_rows: int) -> str:
    """SQLite's statement that inserts rows."""
    names = [*columns]
    one = f"({', '.join('?' * len(names))})"
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join([one] * n_rows)}"


def upsert(
    connection: Connection, table: str, rows: Iterable[dict[str, Any]], *, key: str = "id"
) -> None:
    """Write rows, each in place of that with the same ``key``, if there is one."""
    for part in chunks(rows, CHUNK):
        names = list(part[0])
        updates = ", ".join(f"{name} = excluded.{name}" for name in names if name != key)
        statement = (
            f"INSERT INTO {table} ({', '.join(names)}) VALUES (:{', :'.join(names)}) "
            f"ON CONFLICT ({key}) DO UPDATE SET {updates}"
        )
        connection.execute(sql.text(statement), part)


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of ``size`` items, the last one shorter.

    >>> list(chunks("abc", 2))
    [['a', 'b'], ['c']]
    """
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
