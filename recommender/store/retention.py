"""Forgetting events: the raw ones go, what was counted of them by day stays.

A session's events, or all before a moment, are added to daily counts that hold no session and no
view, and then deleted, in one transaction. What is flagged is deleted without being counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.events.event import DAY_MS
from recommender.store.click_filters import SOUND, Caps, limits
from recommender.store.counts import MAX_READ_IN_SESSION, MAX_READ_TOGETHER
from recommender.store.database import Store
from recommender.store.queries import kept_visits, query, readings


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many raw events went."""

    views: int
    clicks: int
    pageviews: int


def forget_session(store: Store, session: str, *, caps: Caps | None = None) -> Forgotten:
    """Forget what one session did. An empty ``session`` forgets nothing: readers without one are
    no session.
    """
    if not session:
        return Forgotten(0, 0, 0)
    return _forget(store, "{name} = :session", {"session": session}, caps)


def forget_before(store: Store, ts: int, *, caps: Caps | None = None) -> Forgotten:
    """Forget what happened before the day of ``ts`` (milliseconds since 1970, UTC); that day stays.

    Whole days go, so that what a day's caps leave out is decided once. A session over that midnight
    becomes two visits.
    """
    return _forget(store, "{ts} < :before", {"before": ts // DAY_MS * DAY_MS}, caps)


def _forget(store: Store, doomed: str, values: dict[str, Any], caps: Caps | None) -> Forgotten:
    views = doomed.format(name="v.session", ts="v.ts")
    pages = doomed.format(name="p.session", ts="p.ts")
    with store.transaction() as connection:
        if connection.dialect.name == "postgresql":
            # Events that come meanwhile are neither counted nor deleted.
            connection.execute(sql.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        given = {**values, **limits(connection, caps or Caps())}
        # Of visits those that counting takes too.
        read = readings(views, pages)
        tables = {
            "reads": f"SELECT session, MIN(day) AS day, article FROM ({read}) k "
            "GROUP BY session, article",
            **kept_visits("reads", longest=MAX_READ_IN_SESSION, most=MAX_READ_TOGETHER),
        }
        head = SOUND + "".join(f", {name} AS ({text})" for name, text in tables.items())
        for statement in _keeping(views):
            connection.execute(query(head + statement, given), given)
        clicks = _delete(
            connection,
            f"DELETE FROM clicks WHERE view_id IN (SELECT v.view_id FROM views v WHERE {views})",
            values,
        )
        if "before" in values:  # clicks whose view never came
            clicks += _delete(
                connection,
                "DELETE FROM clicks WHERE ts < :before AND NOT EXISTS "
                "(SELECT 1 FROM views v WHERE v.view_id = clicks.view_id)",
                values,
            )
        _delete(
            connection,
            f"DELETE FROM pieces WHERE view_id IN (SELECT v.view_id FROM views v WHERE {views})",
            values,
        )
        _delete(connection, f"DELETE FROM clicks_on_pages AS v WHERE {views}", values)
        return Forgotten(
            views=_delete(connection, f"DELETE FROM views AS v WHERE {views}", values),
            clicks=clicks,
            pageviews=_delete(connection, f"DELETE FROM pageviews AS p WHERE {pages}", values),
        )


def _keeping(views: str) -> list[str]:
    """The statements that add what is about to go to the daily counts, of views ``v`` that meet a
    condition.
    """
    return [
        f"""
        INSERT INTO past_views (day, slate, layout, live, n)
        SELECT v.day, v.slate, v.layout, v.live, COUNT(*) FROM sound v
        WHERE {views} GROUP BY v.day, v.slate, v.layout, v.live
        ON CONFLICT (day, slate, layout, live) DO UPDATE SET n = past_views.n + excluded.n
        """,
        f"""
        INSERT INTO past_clicks (day, slate, layout, live, item, n, n_in_sessions)
        SELECT v.day, v.slate, v.layout, v.live, c.item, COUNT(*),
            SUM(CASE WHEN v.session <> '' THEN 1 ELSE 0 END)
        FROM clicks c JOIN sound v ON v.view_id = c.view_id
        WHERE {views} GROUP BY v.day, v.slate, v.layout, v.live, c.item
        ON CONFLICT (day, slate, layout, live, item) DO UPDATE SET n = past_clicks.n + excluded.n,
            n_in_sessions = past_clicks.n_in_sessions + excluded.n_in_sessions
        """,
        """
        INSERT INTO past_pairs (day, article, other, n)
        SELECT CASE WHEN a.day > b.day THEN a.day ELSE b.day END, a.article, b.article, COUNT(*)
        FROM reads a JOIN reads b ON a.session = b.session AND a.article < b.article
        WHERE a.session IN (SELECT session FROM kept_visits)
        GROUP BY CASE WHEN a.day > b.day THEN a.day ELSE b.day END, a.article, b.article
        ON CONFLICT (day, article, other) DO UPDATE SET n = past_pairs.n + excluded.n
        """,
        """
        INSERT INTO past_reads (day, article, n)
        SELECT day, article, COUNT(*) FROM reads
        WHERE session IN (SELECT session FROM kept_visits)
        GROUP BY day, article
        ON CONFLICT (day, article) DO UPDATE SET n = past_reads.n + excluded.n
        """,
    ]


def _delete(connection: Connection, statement: str, values: dict[str, Any]) -> int:
    return connection.execute(sql.text(statement), values).rowcount
