"""The one writer of views, clicks and page views, whether files bring them or pages send them.

Of each event it answers whether it was new. A page waits for that answer, and so do all whose
events came with it; what is slow about single events is looked up once and remembered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.events.event import Click, Event, Impression, PageView
from recommender.events.ingest import IMPORTED, Followed, Incoming, Opened, Shown
from recommender.events.slate_token import Slate
from recommender.store.keys import (
    CHUNK,
    COLUMNS,
    ROWS_AT_ONCE,
    chunks,
    insert,
    look_up,
    number_ids,
    number_slates,
)

# Ids and slates: enough for every list of a large site, in some 100 MB.
MAX_REMEMBERED = 100_000
# The columns of a table, by their places, that identify a row.
IDENTITY = {"views": slice(1), "clicks": slice(0, 3, 2), "pageviews": slice(4)}
# What the tallies of refused events begin with; the reason follows.
REJECTED = "rejected "
TALLY = sql.text(
    "INSERT INTO tallies (day, name, n) VALUES (:day, :name, :n) "
    "ON CONFLICT (day, name) DO UPDATE SET n = tallies.n + excluded.n"
)


@dataclass(slots=True)
class Received:
    """What adding events did. ``unknown`` counts ids that no article has, with how often."""

    impressions: int = 0
    clicks: int = 0
    pageviews: int = 0
    duplicates: int = 0
    unknown: dict[str, int] = field(default_factory=dict)
    n_unknown_events: int = 0


class EventWriter:
    """Writes groups of events. After a transaction that failed, take a new one: what it remembers
    may not be in the store.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.keys: dict[str, int] = {}  # the store's numbers of ids
        self.unknown: set[str] = set()  # ids that no article has
        self.slates: dict[tuple[Any, ...], int] = {}  # numbers, by what events show

    def add(self, connection: Connection, events: Iterable[Event], received: Received) -> None:
        """Add what is imported, in any order, and count it in ``received``; what is there already
        is a duplicate.
        """
        for chunk in chunks(events, CHUNK):
            new = self.write(connection, chunk)
            n_new = Counter(map(type, compress(chunk, new)))
            received.impressions += n_new[Impression]
            received.clicks += n_new[Click]
            received.pageviews += n_new[PageView]
            received.duplicates += new.count(False)
            named = Counter(map(_named, chunk)) if self.unknown else {}
            for ids, times in named.items():
                unknown = [id for id in ids if id in self.unknown]
                received.n_unknown_events += times if unknown else 0
                for id in unknown:
                    received.unknown[id] = received.unknown.get(id, 0) + times

    def write(self, connection: Connection, events: Sequence[Incoming]) -> list[bool]:
        """Add the events to the store ``connection`` has a write transaction on; for each, in
        order, whether it was new. The same event twice is new once.
        """
        if len(self.keys) + len(self.slates) > MAX_REMEMBERED:
            self._forget()
        self._number(connection, events)
        tables: dict[str, dict[tuple[Any, ...], int]] = {"clicks": {}, "pageviews": {}, "views": {}}
        rows: list[tuple[Any, ...]] = []
        for place, event in enumerate(events):
            table, row = self._row(event)
            tables[table].setdefault(row[IDENTITY[table]], place)
            rows.append(row)
        new = [False] * len(events)
        for table, places in tables.items():
            for identity in _insert(connection, table, places, rows):
                new[places[identity]] = True
        return new

    def _number(self, connection: Connection, events: Sequence[Incoming]) -> None:
        """Know the numbers of all ids and slates in the events, and which ids are unknown."""
        shown = {_content(e): e for e in events if isinstance(e, Shown | Impression)}
        new = [(content, shown[content]) for content in shown if content not in self.slates]
        ids = {id for _, event in new if isinstance(event, Impression) for id in _named(event)}
        for event in events:
            if isinstance(event, Click):
                ids.add(event.clicked)
            elif isinstance(event, PageView):
                ids |= {event.article_id, event.referrer_id} - {""}
        if ids := ids - self.keys.keys():
            number_ids(connection, ids, self.keys)
            query = "SELECT id FROM articles WHERE id IN :values"
            self.unknown |= ids - {row.id for row in look_up(connection, query, ids)}
        numbers = number_slates(connection, [self._slate(event) for _, event in new])
        self.slates.update(zip((content for content, _ in new), numbers, strict=True))

    def _slate(self, event: Shown | Impression) -> Slate:
        """What was shown, in the store's numbers: here ids become them."""
        if isinstance(event, Shown):
            return event.slate
        source, items = self.keys[event.source_id], tuple(self.keys[id] for id in event.shown)
        return Slate(event.list, None, event.arm, source, items, (), event.propensities,
                     event.ordered)  # fmt: skip

    def _row(self, event: Incoming) -> tuple[str, tuple[Any, ...]]:
        """The table of an event, and its row there."""
        match event:
            case Impression():
                slate = self.slates[_content(event)]
                return "views", (event.view_id, event.ts, slate, event.session_id, event.layout,
                                 event.arm, None, IMPORTED)  # fmt: skip
            case Shown():
                slate = self.slates[_content(event)]
                return "views", (event.view_id, event.ts, slate, event.session_id, event.layout,
                                 event.slate.arm, event.slate.variant, event.live)  # fmt: skip
            case Click():
                return "clicks", (event.view_id, event.ts, self.keys[event.clicked], IMPORTED)
            case PageView():
                # 0 for none: in a unique index NULL would differ from NULL.
                referrer = self.keys[event.referrer_id] if event.referrer_id else 0
                article = self.keys[event.article_id]
                return "pageviews", (event.ts, article, event.session_id, referrer, IMPORTED)
            case Followed():
                return "clicks", event
            case Opened():
                return "pageviews", event


def add_tallies(connection: Connection, day: int, tallies: Mapping[str, int]) -> None:
    """Count what is not stored itself, by day (since 1970, UTC)."""
    # In one order, or two processes that count the same would wait for each other.
    rows = [{"day": day, "name": name, "n": n} for name, n in sorted(tallies.items()) if n]
    if rows:
        connection.execute(TALLY, rows)


def tallies_of(connection: Connection, day: int) -> dict[str, int]:
    """What was counted on a day, by name."""
    query = sql.text("SELECT name, n FROM tallies WHERE day = :day")
    return {row.name: int(row.n) for row in connection.execute(query, {"day": day})}


def _content(event: Shown | Impression) -> tuple[Any, ...]:
    """What makes the slates of two events the same; not the variant and the arm they are for."""
    if isinstance(event, Shown):
        return (event.slate.list, *event.slate[3:])
    return event.list, event.source_id, event.shown, event.ordered, event.propensities


def _named(event: Event) -> tuple[str, ...]:
    """The ids of articles that were seen, not from where."""
    if isinstance(event, Impression):
        return event.source_id, *event.shown
    return (event.clicked if isinstance(event, Click) else event.article_id,)


def _insert(
    connection: Connection,
    table: str,
    places: Mapping[tuple[Any, ...], int],
    rows: Sequence[tuple[Any, ...]],
) -> Iterator[tuple[Any, ...]]:
    """Insert the rows at ``places`` that are not there yet; the columns that identify these."""
    names = list(COLUMNS[table])[IDENTITY[table]]
    if connection.dialect.name == "postgresql":
        # Others write at the same time, so only the insert itself knows; and all in one order,
        # or two processes that add the same events would wait for each other.
        for part in chunks(sorted(places), ROWS_AT_ONCE):
            yield from insert(connection, table, [rows[places[each]] for each in part], names)
        return
    one = f"({', '.join('?' * len(names))})"
    same = [f"there.{name} = given.column{n}" for n, name in enumerate(names, start=1)]
    for part in chunks(places, ROWS_AT_ONCE):
        # Nobody else writes now, so look first. Were the insert to return its rows, each would
        # give up Python's lock and wait for it again while requests are being answered.
        there = connection.exec_driver_sql(
            f"SELECT {', '.join(names)} FROM (VALUES {', '.join([one] * len(part))}) AS given "
            f"CROSS JOIN {table} AS there ON {' AND '.join(same)}",
            tuple(chain.from_iterable(part)),
        )
        # All at once: a row at a time costs a call of the driver each.
        known = {tuple(row) for row in there.all()}
        fresh = [each for each in part if each not in known]
        insert(connection, table, [rows[places[each]] for each in fresh])
        yield from fresh
