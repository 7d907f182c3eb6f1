"""What pages send, written in one line, and what the store holds of it.

Articles are given by the store's numbers. ``signed`` makes of it what a server would have signed:
numbers that the store does not have yet stand for articles called by them, such as "7".
"""

from collections.abc import Iterable

import sqlalchemy as sql

from recommender.events.ingest import (
    BY_READER,
    Followed,
    Incoming,
    Opened,
    Shown,
)
from recommender.events.slate_token import Slate, mark_of
from recommender.store.database import Store
from recommender.store.event_writer import EventWriter

NOON = 1_795_348_800_000


def slate(*items: int, source: int = 1, **more: object) -> Slate:
    """A slate of the model's links, as sent to a page that drew no variant."""
    return Slate("b1", None, "", source, items, ("model",) * len(items), None)._replace(**more)


def shown(view: str, *items: int, source: int = 1, ts: int = NOON, session: str = "",
          live: int = BY_READER, **more: object) -> Shown:  # fmt: skip
    return Shown(view, ts, slate(*items, source=source, **more), session, "", live)


def followed(view: str, item: int, *, ts: int = NOON, live: int = BY_READER) -> Followed:
    return Followed(view, ts, item, live, slate(item))


def opened(article: int, *, ts: int = NOON, session: str = "", referrer: int = 0,
           live: int = BY_READER) -> Opened:  # fmt: skip
    return Opened(ts, str(article), session, str(referrer or ""), live)


def signed(store: Store, events: Iterable[Incoming]) -> list[Incoming]:
    """The events with the marks and ids that go with the store's numbers."""
    given = [*events]
    ids = _ids(store, {number for event in given for number in _numbers(event)})
    made: list[Incoming] = []
    for event in given:
        if isinstance(event, Shown | Followed):
            named = (event.slate.source, *event.slate.items)
            mark = mark_of(ids[number] for number in named)
            event = event._replace(slate=event.slate._replace(mark=mark))
        elif isinstance(event, Opened):
            of, came = (ids[int(name)] if name else "" for name in event[1:4:2])
            event = event._replace(article_id=of, referrer_id=came)
        made.append(event)
    return made


def _numbers(event: Incoming) -> set[int]:
    if isinstance(event, Shown | Followed):
        return {event.slate.source, *event.slate.items}
    if isinstance(event, Opened):
        return {int(name) for name in event[1:4:2] if name}
    return set()


def _ids(store: Store, numbers: set[int]) -> dict[int, str]:
    """What the numbers stand for; those that stand for nothing yet are called by themselves."""
    there = {int(str(key)): str(id) for key, id in rows(store, "SELECT key, id FROM ids")}
    new = [{"key": number, "id": f"{number}"} for number in sorted(numbers - there.keys())]
    if new:
        with store.transaction() as connection:
            # Another process may have come first.
            insert = "INSERT INTO ids (key, id) VALUES (:key, :id) ON CONFLICT DO NOTHING"
            connection.execute(sql.text(insert), new)
    return there | {row["key"]: row["id"] for row in new}


def record(store: Store, *events: Incoming, writer: EventWriter | None = None) -> list[bool]:
    """Write one group that this store signed, with a writer of its own unless one is given."""
    given = signed(store, events)
    with store.transaction() as connection:
        written = (writer or EventWriter()).write(connection, given)
    assert not written.foreign
    return written.new


def rows(store: Store, statement: str) -> list[tuple[object, ...]]:
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(sql.text(statement))]


def everything(store: Store) -> list[tuple[object, ...]]:
    """Every event the store holds, with what its slate showed, whatever the numbers of slates."""
    return sorted(
        rows(store, """
            SELECT 'view', v.view_id, v.ts, v.session, v.live, s.source, l.rank, l.item
            FROM views v JOIN slates s ON s.slate = v.slate JOIN slate_links l ON l.slate = s.slate
            UNION ALL SELECT 'click', view_id, ts, '', live, item, 0, 0 FROM clicks
            UNION ALL SELECT 'page', '', ts, session, live, article, referrer, 0 FROM pageviews
        """)
    )  # fmt: skip


def move_away(store: Store, table: str, *, back: bool = False) -> None:
    """Have every statement about the table fail, or work again."""
    names = (f"{table}_away", table) if back else (table, f"{table}_away")
    with store.transaction() as connection:
        connection.execute(sql.text("ALTER TABLE {} RENAME TO {}".format(*names)))
