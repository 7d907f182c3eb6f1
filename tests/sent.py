"""What pages send, written in one line, and what the store holds of it."""

import sqlalchemy as sql

from recommender.events.ingest import (
    BY_READER,
    Followed,
    Incoming,
    Opened,
    Shown,
)
from recommender.events.slate_token import Slate
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
    return Followed(view, ts, item, live)


def opened(article: int, *, ts: int = NOON, session: str = "", referrer: int = 0,
           live: int = BY_READER) -> Opened:  # fmt: skip
    return Opened(ts, article, session, referrer, live)


def record(store: Store, *events: Incoming, writer: EventWriter | None = None) -> list[bool]:
    """Write one group, with a writer of its own unless one is given."""
    with store.transaction() as connection:
        return (writer or EventWriter()).write(connection, events)


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
