"""Adding what pages send to the store, and telling of each event whether it is new.

A page waits for that answer, and so do all whose events came with it; what is slow about single
events is looked up once and remembered (``numbering``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.events.event import Click, Impression, PageView
from recommender.events.ingest import IMPORTED, Followed, Incoming, Opened, Shown
from recommender.store.keys import COLUMNS, Content, Numbers, arrays, by_column, chunks

MAX_REMEMBERED = 100_000
# Databases limit how many values one statement may carry.
ROWS_AT_ONCE = 500
# What tells two rows of a table apart.
IDENTITY = {
    "views": ("view_id",),
    "clicks": ("view_id", "item"),
    "pageviews": ("ts", "session", "article", "referrer"),
}
TALLY = sql.text(
    "INSERT INTO tallies (day, name, n) VALUES (:day, :name, :n) "
    "ON CONFLICT (day, name) DO UPDATE SET n = tallies.n + excluded.n"
)


class Recorder:
    """Writes groups of events. After a transaction that failed, take a new one."""

    def __init__(self) -> None:
        self.numbers = Numbers()

    def write(self, connection: Connection, events: Sequence[Incoming]) -> list[bool]:
        """Add the events to the store ``connection`` has a write transaction on; for each, in
        order, whether it was new. The same event twice is new once.
        """
        if len(self.numbers.keys) + len(self.numbers.slates) > MAX_REMEMBERED:
            self.numbers = Numbers()
        self._number(connection, events)
        new = [False] * len(events)
        rows: dict[str, list[tuple[int, tuple[Any, ...]]]] = {}
        for place, event in enumerate(events):
            table, row = self._row(event)
            rows.setdefault(table, []).append((place, row))
        for table in sorted(rows):
            for place in _insert(connection, table, rows[table]):
                new[place] = True
        return new

    def _number(self, connection: Connection, events: Sequence[Incoming]) -> None:
        ids: set[str] = set()
        for event in events:
            if isinstance(event, Impression):
                ids |= {event.source_id, *event.shown}
            elif isinstance(event, Click):
                ids.add(event.clicked)
            elif isinstance(event, PageView):
                ids |= {event.article_id, event.referrer_id} - {""}
        if ids:
            self.numbers.number_ids(connection, ids)
        slates = {
            self._content(event): None for event in events if isinstance(event, Shown | Impression)
        }
        self.numbers.number_slates(connection, slates)

    def _content(self, event: Shown | Impression) -> Content:
        if isinstance(event, Shown):
            slate = event.slate
            return Content(
                slate.source, slate.items, True, slate.bundle, slate.chances, slate.origins
            )
        keys = self.numbers.keys
        items = tuple(keys[id] for id in event.shown)
        return Content(keys[event.source_id], items, event.ordered, event.list, event.propensities)

    def _row(self, event: Incoming) -> tuple[str, tuple[Any, ...]]:
        keys = self.numbers.keys
        match event:
            case Shown():
                slate, number = event.slate, self.numbers.slates[self._content(event)]
                return "views", (event.view_id, event.ts, number, event.session_id,
                                 event.layout, slate.arm, slate.variant, event.live)  # fmt: skip
            case Impression():
                number = self.numbers.slates[self._content(event)]
                return "views", (event.view_id, event.ts, number, event.session_id,
                                 event.layout, event.arm, None, IMPORTED)  # fmt: skip
            case Followed():
                return "clicks", (event.view_id, event.item, event.ts, event.live)
            case Click():
                return "clicks", (event.view_id, keys[event.clicked], event.ts, IMPORTED)
            case Opened():
                return "pageviews", (event.ts, event.session_id, event.article, event.referrer,
                                     event.live)  # fmt: skip
            case PageView():
                referrer = keys[event.referrer_id] if event.referrer_id else 0
                return "pageviews", (event.ts, event.session_id, keys[event.article_id],
                                     referrer, IMPORTED)  # fmt: skip


def add_tallies(connection: Connection, day: int, tallies: Mapping[str, int]) -> None:
    """Count what is not stored itself, by day (since 1970, UTC)."""
    for name, n in sorted(tallies.items()):
        connection.execute(TALLY, {"day": day, "name": name, "n": n})


def _insert(
    connection: Connection, table: str, rows: list[tuple[int, tuple[Any, ...]]]
) -> list[int]:
    """Insert what is not there yet; the places of the rows that were new."""
    columns = list(COLUMNS[table])
    at = [columns.index(name) for name in IDENTITY[table]]
    first: dict[tuple[Any, ...], tuple[int, tuple[Any, ...]]] = {}
    for place, row in rows:
        first.setdefault(tuple([row[column] for column in at]), (place, row))
    # In one order, or two processes that add the same events would wait for each other.
    identities = sorted(first)
    insert = _insert_many if connection.dialect.name == "postgresql" else _insert_few
    new: list[int] = []
    for part in chunks(identities, ROWS_AT_ONCE):
        fresh = insert(connection, table, part, [first[identity][1] for identity in part])
        new += [first[identity][0] for identity in part if identity in fresh]
    return new


def _insert_many(
    connection: Connection,
    table: str,
    identities: list[tuple[Any, ...]],
    rows: list[tuple[Any, ...]],
) -> set[tuple[Any, ...]]:
    """On PostgreSQL, where others write at the same time and only the insert itself can tell."""
    statement = (
        f"INSERT INTO {table} ({', '.join(COLUMNS[table])}) "
        f"SELECT * FROM unnest({arrays(table)}) "
        f"ON CONFLICT DO NOTHING RETURNING {', '.join(IDENTITY[table])}"
    )
    return {tuple(row) for row in connection.exec_driver_sql(statement, by_column(rows))}


def _insert_few(
    connection: Connection,
    table: str,
    identities: list[tuple[Any, ...]],
    rows: list[tuple[Any, ...]],
) -> set[tuple[Any, ...]]:
    """On SQLite, where nobody else writes now, look first. Two statements instead of one a row:
    each gives up Python's lock and has to wait for it again while requests are being answered.
    """
    names = IDENTITY[table]
    holders = ", ".join("?" * len(identities))
    found = connection.exec_driver_sql(
        f"SELECT {', '.join(names)} FROM {table} WHERE {names[0]} IN ({holders})",
        tuple(identity[0] for identity in identities),
    )
    there = {tuple(row) for row in found}
    fresh = [(identity, row) for identity, row in zip(identities, rows, strict=True)
             if identity not in there]  # fmt: skip
    if fresh:
        columns = COLUMNS[table]
        one = f"({', '.join('?' * len(columns))})"
        connection.exec_driver_sql(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([one] * len(fresh))}",
            tuple(value for _, row in fresh for value in row),
        )
    return {identity for identity, _ in fresh}
