"""Events out of files into the store, block by block.

After each block a mark records how far its files have been read. So an import that was stopped, by
whatever, goes on at its last block, and a log that grew goes on from its old end. Nothing depends
on the marks but time: what comes twice counts once. A block is written in short transactions, since
pages wait while others write. At the end views that came in pieces get their slates, and clicks
that name no view look for theirs.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.articles.addresses import Finder
from recommender.errors import InputError, TooManyBadRecords
from recommender.events.columns import Columns
from recommender.events.event import Event, Impression
from recommender.events.reader import EventReader, Mark
from recommender.fields import MAX_ID_BYTES
from recommender.store.database import Store
from recommender.store.event_writer import EventWriter, Received
from recommender.store.keys import chunks, upsert
from recommender.store.page_clicks import find_views
from recommender.store.pieces import settle_some

# Events that are written before others get their turn: a tenth of a second's work. After it, long
# enough for whoever looks every ``engine.LOOK_SECONDS``. Those in columns take less. Not tuned.
AT_ONCE, IN_COLUMNS_AT_ONCE, PAUSE_SECONDS = 5_000, 20_000, 0.004


def import_events(store: Store, reader: EventReader, *, again: bool = False) -> Received:
    """Add a reader's events to the store, block by block, going on where an earlier import of its
    files stopped; with ``again``, from the start.

    Of a block whose reading raises something nothing is written; those before stay. Events that
    earlier imports of these files brought count as duplicates.
    """
    if reader.needs_finder:
        reader.finder = Finder((article.id, article.url)
                               for article in store.articles(with_body=False))  # fmt: skip
    marks = {} if again else _standing(store, reader)
    total = Received()
    try:
        _import_blocks(store, reader, marks, total)
    except (InputError, TooManyBadRecords):
        _settle(store, total)  # what came before stays, so it is to be whole
        raise
    _settle(store, total)
    total.duplicates += reader.n_before
    return total


def _import_blocks(
    store: Store, reader: EventReader, marks: dict[Path, Mark], total: Received
) -> None:
    writer = EventWriter()
    for block in reader.blocks_in_columns(marks):
        # Read before anything is written: others write meanwhile.
        events: list[Event] = []
        tables: list[Columns] = []
        for found in block:
            if isinstance(found, Columns):
                tables.append(found)
            else:
                events.append(found)
        reader.check()
        marked = reader.marks()
        for several in _by_size(tables):
            with store.transaction() as connection:
                for columns in several:
                    writer.add_columns(connection, columns, total)
            time.sleep(PAUSE_SECONDS)
        for part in chunks(_by_view(events), AT_ONCE):
            with store.transaction() as connection:
                writer.add(connection, part, total)
            time.sleep(PAUSE_SECONDS)
        with store.transaction() as connection:
            write_marks(connection, marked)


def _settle(store: Store, total: Received) -> None:
    """Give views their slates, and clicks their views."""
    settled = True
    while settled:
        with store.transaction() as connection:
            settled = settle_some(connection)
        time.sleep(PAUSE_SECONDS)
    with store.transaction() as connection:
        find_views(connection, total)


def _by_size(tables: list[Columns]) -> Iterator[list[Columns]]:
    """The tables, as many at a time as are no more than ``IN_COLUMNS_AT_ONCE`` events."""
    several: list[Columns] = []
    n = 0
    for columns in tables:
        if several and n + columns.n_events > IN_COLUMNS_AT_ONCE:
            yield several
            several, n = [], 0
        several.append(columns)
        n += columns.n_events
    if several:
        yield several


def _by_view(events: list[Event]) -> list[Event]:
    """The events, those of one view behind one another where it is in several impressions: put
    together at once they cost least.
    """
    views: dict[str, list[Event]] = {}
    for event in events:
        if isinstance(event, Impression):
            views.setdefault(event.view_id, []).append(event)
    if all(len(several) == 1 for several in views.values()):
        return events
    found: list[Event] = []
    for event in events:
        found += views.pop(event.view_id, []) if isinstance(event, Impression) else [event]
    return found


def _standing(store: Store, reader: EventReader) -> dict[Path, Mark]:
    """The marks of files that are still the same."""
    marks = {}
    query = sql.text("SELECT head, records FROM imports WHERE file = :file")
    with store.reading() as connection:
        for path, format in reader.files:
            row = connection.execute(query, {"file": _name(path)}).first()
            if row is None:
                continue
            n_bytes, digest, size, n_events = row.head.split(":")
            mark = Mark(int(n_bytes), digest, int(size), int(n_events), int(row.records))
            # A table of columns does not grow: it is written anew.
            grows = format.records != "parquet" or not mark.size
            if mark.is_of(path) and (grows or mark.ends(path)):
                marks[path] = mark
    return marks


def write_marks(connection: Connection, marks: Mapping[Path, Mark]) -> None:
    """Write the marks of these files, in place of those they had."""
    rows = (
        {
            "file": _name(path),
            "head": f"{mark.n_bytes}:{mark.digest}:{mark.size}:{mark.n_events}",
            "records": mark.n_records,
        }
        for path, mark in marks.items()
    )
    upsert(connection, "imports", rows, key="file")


def _name(path: Path) -> str:
    """The one name of a file; names need not be UTF-8, but the store's text is, and its keys have
    an end.
    """
    name = str(path.resolve()).encode(errors="replace")
    return name.decode() if len(name) <= MAX_ID_BYTES else hashlib.sha256(name).hexdigest()
