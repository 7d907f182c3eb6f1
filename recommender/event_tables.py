"""The log in the store: ids and slates get numbers, views and clicks point at them.

Work is done in chunks, and each looks up only the ids and slates it holds, so that a single
event costs little in a store of millions.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.events import Click, Event, Impression, PageView

Item = TypeVar("Item")
# What makes two slates the same: source, links in order, ordered or not, list, chances.
Content = tuple[str, tuple[str, ...], bool, str, tuple[float, ...] | None]

CHUNK = 20_000
# Databases limit how many values one statement may carry.
LOOK_UP = 500
# Enough for every list of a large site; beyond it what is remembered is looked up anew.
MAX_REMEMBERED = 200_000

COLUMNS = {
    "ids": {"key": "integer", "id": "text"},
    "slates": {
        "slate": "integer", "digest": "bytea", "source": "integer", "list": "text",
        "ordered": "integer",
    },
    "slate_links": {
        "slate": "integer", "rank": "integer", "item": "integer", "position": "integer",
        "propensity": "double precision",
    },
    "views": {
        "view_id": "text", "ts": "bigint", "slate": "integer", "session": "text",
        "layout": "text", "arm": "text",
    },
    "clicks": {"view_id": "text", "item": "integer", "ts": "bigint"},
    "pageviews": {"ts": "bigint", "session": "text", "article": "integer", "referrer": "integer"},
}  # fmt: skip


@dataclass(slots=True)
class Received:
    """What adding events did. ``unknown`` counts ids that no article bears, with how often."""

    impressions: int = 0
    clicks: int = 0
    pageviews: int = 0
    duplicates: int = 0
    unknown: dict[str, int] = field(default_factory=dict)
    n_unknown_events: int = 0


def slate_digest(impression: Impression, source: int, items: Sequence[int]) -> bytes:
    """What makes two slates the same: source, links in order, chances, and who chose them."""
    head = json.dumps([impression.list, impression.ordered, impression.propensities])
    packed = struct.pack(f"<{len(items) + 1}q", source, *items)
    return hashlib.sha256(head.encode() + packed).digest()[:16]


class EventWriter:
    """Adds events to the store that ``connection`` has a write transaction on."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        if connection.dialect.name == "postgresql":
            connection.execute(sql.text("LOCK TABLE ids, slates IN EXCLUSIVE MODE"))
        self.last_key = self._number("SELECT MAX(key) FROM ids")
        self.last_slate = self._number("SELECT MAX(slate) FROM slates")
        self.keys: dict[str, int] = {}
        self.unknown: set[str] = set()
        # A slate's number, and which of its ids no article bears.
        self.slates: dict[Content, tuple[int, tuple[str, ...]]] = {}
        self.received = Received()

    def write(self, events: Iterable[Event]) -> Received:
        """Add them all, in any order; what is there already counts as a duplicate."""
        for chunk in chunks(events, CHUNK):
            impressions = [event for event in chunk if isinstance(event, Impression)]
            clicks = [event for event in chunk if isinstance(event, Click)]
            page_views = [event for event in chunk if isinstance(event, PageView)]
            if len(self.keys) + len(self.slates) > MAX_REMEMBERED:
                self.keys, self.unknown, self.slates = {}, set(), {}
            added = (
                self._add_impressions(impressions),
                self._add_clicks(clicks),
                self._add_page_views(page_views),
            )
            self.received.impressions += added[0]
            self.received.clicks += added[1]
            self.received.pageviews += added[2]
            self.received.duplicates += len(chunk) - sum(added)
        return self.received

    def _add_impressions(self, events: list[Impression]) -> int:
        contents = [
            (event.source_id, event.shown, event.ordered, event.list, event.propensities)
            for event in events
        ]
        # Each content is hashed once: a slate may be long.
        found = [self.slates.get(content) for content in contents]
        fresh = {at for at, slate in enumerate(found) if slate is None}
        self._number_slates({contents[at]: events[at] for at in fresh})
        slates = [
            slate or self.slates[content] for slate, content in zip(found, contents, strict=True)
        ]
        for (_, unknown), times in Counter(slates).items():
            self._note(unknown, times)
        rows = [
            (event.view_id, event.ts, slate, event.session_id, event.layout, event.arm)
            for event, (slate, _) in zip(events, slates, strict=True)
        ]
        return self._insert("views", rows)

    def _add_clicks(self, events: list[Click]) -> int:
        self._count_unknown([event.clicked for event in events])
        rows = [(event.view_id, self.keys[event.clicked], event.ts) for event in events]
        return self._insert("clicks", rows)

    def _add_page_views(self, events: list[PageView]) -> int:
        self._number_ids({event.referrer_id for event in events if event.referrer_id})
        self._count_unknown([event.article_id for event in events])
        # 0 for none: in a unique index NULL would differ from NULL.
        keys = {**self.keys, "": 0}
        rows = [
            (event.ts, event.session_id, keys[event.article_id], keys[event.referrer_id])
            for event in events
        ]
        return self._insert("pageviews", rows)

    def _count_unknown(self, ids: list[str]) -> None:
        times = Counter(ids)
        self._number_ids(set(times))
        for id in times.keys() & self.unknown:
            self._note((id,), times[id])

    def _note(self, unknown: tuple[str, ...], times: int) -> None:
        if unknown:
            self.received.n_unknown_events += times
        for id in unknown:
            self.received.unknown[id] = self.received.unknown.get(id, 0) + times

    def _number_ids(self, ids: set[str]) -> None:
        new = ids - self.keys.keys()
        if not new:
            return
        for row in self._look_up("SELECT id, key FROM ids WHERE id IN :values", new):
            self.keys[row.id] = row.key
        rows = []
        for id in sorted(new - self.keys.keys()):
            self.last_key += 1
            self.keys[id] = self.last_key
            rows.append((self.last_key, id))
        self._insert("ids", rows)
        found = self._look_up("SELECT id FROM articles WHERE id IN :values", new)
        self.unknown |= new - {row.id for row in found}

    def _number_slates(self, new: dict[Content, Impression]) -> None:
        self._number_ids({id for event in new.values() for id in (event.source_id, *event.shown)})
        digests = {}
        for content, event in new.items():
            items = [self.keys[id] for id in event.shown]
            digests[content] = slate_digest(event, self.keys[event.source_id], items)
        numbers = {
            bytes(row.digest): row.slate
            for row in self._look_up(
                "SELECT digest, slate FROM slates WHERE digest IN :values", digests.values()
            )
        }
        slates: list[tuple[Any, ...]] = []
        links: list[tuple[Any, ...]] = []
        for content, event in new.items():
            digest = digests[content]
            if digest not in numbers:
                self.last_slate += 1
                numbers[digest] = self.last_slate
                source, ordered = self.keys[event.source_id], int(event.ordered)
                slates.append((self.last_slate, digest, source, event.list, ordered))
                links.extend(self._links(self.last_slate, event))
            unknown = tuple(id for id in (event.source_id, *event.shown) if id in self.unknown)
            self.slates[content] = numbers[digest], unknown
        self._insert("slates", slates)
        self._insert("slate_links", links)

    def _links(self, slate: int, event: Impression) -> Iterator[tuple[Any, ...]]:
        chances = event.propensities or (None,) * len(event.shown)
        for rank, (id, chance) in enumerate(zip(event.shown, chances, strict=True), start=1):
            yield slate, rank, self.keys[id], rank if event.ordered else None, chance

    def _number(self, statement: str) -> int:
        return int(self.connection.scalar(sql.text(statement)) or 0)

    def _look_up(self, statement: str, values: Iterable[Any]) -> Iterator[Any]:
        query = sql.text(statement).bindparams(sql.bindparam("values", expanding=True))
        for part in chunks(values, LOOK_UP):
            yield from self.connection.execute(query, {"values": part})

    def _insert(self, table: str, rows: list[tuple[Any, ...]]) -> int:
        """Insert what is not there yet, and say how many rows that was."""
        if not rows:
            return 0
        columns = COLUMNS[table]
        head, tail = f"INSERT INTO {table} ({', '.join(columns)})", "ON CONFLICT DO NOTHING"
        # Straight to the driver: a dict and a compiled statement per row would double the time.
        if self.connection.dialect.name == "postgresql":
            # Column by column in one statement, because each row is a message otherwise.
            arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
            statement = f"{head} SELECT * FROM unnest({arrays}) {tail}"  # noqa: S608
            values = tuple(list(column) for column in zip(*rows, strict=True))
            return self.connection.exec_driver_sql(statement, values).rowcount
        statement = f"{head} VALUES ({', '.join('?' * len(columns))}) {tail}"
        return self.connection.exec_driver_sql(statement, rows).rowcount


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of ``size`` items, the last one shorter.

    >>> list(chunks("abc", 2))
    [['a', 'b'], ['c']]
    """
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
