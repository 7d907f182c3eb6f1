"""Clicks whose records do not say for certain in what view they were, and the views they find.

A click names a list by its id where the view has its name, or names none. It is on the view that
its record names, under the one name or the other; else on the one view that can be meant: of those
that its visit had of the page, the only one that shows the link. If several do, or none that is
known yet, it waits: a later import may bring its view.
"""

from __future__ import annotations

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.store.event_writer import Received

SEVERAL = "several lists of its page show the link"
NONE = "no view of its page in its visit is known"
NOT_SHOWN = "no known view of its page in its visit shows the link"
NO_OTHER = "its list was not seen"

NAMED = """
    UPDATE clicks_on_pages SET view_id = COALESCE(
        (SELECT v.view_id FROM views v WHERE v.view_id = clicks_on_pages.one),
        (SELECT v.view_id FROM views v WHERE v.view_id = clicks_on_pages.other)
    )
"""
# Of each click the views of its page in its visit, and those of them that show the link.
CANDIDATES = """
    SELECT key, item, SUM(shows) AS n_showing,
        MIN(CASE WHEN shows = 1 THEN view_id END) AS showing
    FROM (
        SELECT c.key, c.item, v.view_id, CASE WHEN EXISTS (
            SELECT 1 FROM slate_links l WHERE l.slate = v.slate AND l.item = c.item
        ) THEN 1 ELSE 0 END AS shows
        FROM clicks_on_pages c JOIN views v ON v.session = c.session
        JOIN slates s ON s.slate = v.slate AND s.source = c.source
        WHERE c.session <> '' AND c.view_id IS NULL
    ) k GROUP BY key, item
"""
MEANT = f"""
    UPDATE clicks_on_pages AS c SET view_id = f.showing
    FROM ({CANDIDATES}) f
    WHERE f.key = c.key AND f.item = c.item AND f.n_showing = 1
"""
WRITE = """
    INSERT INTO clicks (view_id, item, ts, live)
    SELECT view_id, item, MIN(ts), 0 FROM clicks_on_pages WHERE view_id IS NOT NULL
    GROUP BY view_id, item ON CONFLICT DO NOTHING
"""
DONE = "DELETE FROM clicks_on_pages WHERE view_id IS NOT NULL"
WHY = f"""
    CASE WHEN c.session = '' THEN '{NO_OTHER}' WHEN f.n_showing IS NULL THEN '{NONE}'
        WHEN f.n_showing = 0 THEN '{NOT_SHOWN}' ELSE '{SEVERAL}' END
"""
WAITING = f"""
    SELECT {WHY} AS why, COUNT(*) AS n
    FROM clicks_on_pages c LEFT JOIN ({CANDIDATES}) f ON f.key = c.key AND f.item = c.item
    GROUP BY {WHY}
"""


def find_views(connection: Connection, received: Received) -> None:
    """Give the waiting clicks that have found their view to it, and count these, and those that
    still wait, in ``received``.
    """
    if connection.scalar(sql.text("SELECT COUNT(*) FROM clicks_on_pages")):
        connection.execute(sql.text(NAMED))
        connection.execute(sql.text(MEANT))
        n_new = connection.execute(sql.text(WRITE)).rowcount
        n_found = connection.execute(sql.text(DONE)).rowcount
        received.clicks += n_new
        received.duplicates += n_found - n_new
        received.waiting = waiting(connection)


def waiting(connection: Connection) -> dict[str, int]:
    """How many clicks wait for their view, by what is in the way."""
    rows = connection.execute(sql.text(WAITING))
    return {row.why: row.n for row in rows}
