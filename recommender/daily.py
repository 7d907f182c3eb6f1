"""The statements that reduce the log to daily counts, the same text on every engine, and how what
they find becomes arrays.

Each leaves out what is flagged and adds what is left of events that were forgotten. Parameters:
``until`` in milliseconds since 1970, ``until_day`` in days, and the caps of ``flags``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.flags import FLAGGED
from recommender.incoming import BY_CRAWLER

DAILY_VIEWS = (
    FLAGGED
    + """
    SELECT day, slate, layout, SUM(n) AS n FROM (
        SELECT ts / 86400000 AS day, slate, layout, COUNT(*) AS n FROM sound
        WHERE ts < :until
        GROUP BY ts / 86400000, slate, layout
        UNION ALL SELECT day, slate, layout, n FROM past_views WHERE day < :until_day
    ) k
    GROUP BY day, slate, layout ORDER BY day, slate, layout
"""
)
# A link that stands twice in a slate is credited where it stands first: nobody knows which of the
# two was followed. The inner query must come first, whatever a planner without statistics thinks.
DAILY_CLICKS = (
    FLAGGED
    + """
    SELECT k.day AS day, k.slate AS slate, k.layout AS layout, SUM(k.n) AS n,
        SUM(k.n_in_sessions) AS n_in_sessions,
        (SELECT MIN(l.rank) FROM slate_links l WHERE l.slate = k.slate AND l.item = k.item) AS rank
    FROM (
        SELECT v.ts / 86400000 AS day, v.slate AS slate, v.layout AS layout, c.item AS item,
            COUNT(*) AS n, SUM(CASE WHEN v.session <> '' THEN 1 ELSE 0 END) AS n_in_sessions
        FROM clicks c JOIN sound v ON v.view_id = c.view_id
        WHERE v.ts < :until
        GROUP BY v.ts / 86400000, v.slate, v.layout, c.item
        UNION ALL SELECT day, slate, layout, item, n, n_in_sessions FROM past_clicks
        WHERE day < :until_day
    ) k
    GROUP BY k.day, k.slate, k.layout, k.item
    ORDER BY day, slate, layout, rank
"""
)


def readings(views: str, pages: str) -> str:
    """Who read what on which day, of views ``v`` and page views ``p`` that meet a condition; to
    stand behind ``FLAGGED``. A page that was opened from another, in no known session, is a visit
    of two pages.
    """
    step = """'@' || CAST(p.ts AS TEXT) || ' ' || CAST(p.article AS TEXT) || ' '
            || CAST(p.referrer AS TEXT)"""
    return f"""
        SELECT v.session AS session, v.ts / 86400000 AS day, s.source AS article
        FROM sound v JOIN slates s ON s.slate = v.slate
        WHERE v.session <> '' AND {views}
        UNION
        SELECT v.session, v.ts / 86400000, c.item
        FROM clicks c JOIN sound v ON v.view_id = c.view_id
        WHERE v.session <> '' AND {views}
        UNION
        SELECT p.session, p.ts / 86400000, p.article FROM pageviews p
        WHERE p.session <> '' AND p.live < {BY_CRAWLER} AND {pages}
        UNION
        SELECT {step}, p.ts / 86400000, p.article FROM pageviews p
        WHERE p.session = '' AND p.referrer <> 0 AND p.live < {BY_CRAWLER} AND {pages}
        UNION
        SELECT {step}, p.ts / 86400000, p.referrer FROM pageviews p
        WHERE p.session = '' AND p.referrer <> 0 AND p.live < {BY_CRAWLER} AND {pages}
    """


READINGS = FLAGGED + readings("v.ts < :until", "p.ts < :until")
PAST_READS = "SELECT day, article, n FROM past_reads WHERE day < :until_day"
PAST_PAIRS = "SELECT day, article, other, n FROM past_pairs WHERE day < :until_day"
SLATES = "SELECT slate, source, list FROM slates ORDER BY slate"
LINKS = "SELECT slate, item, position, propensity FROM slate_links ORDER BY slate, rank"
WINDOW = "SELECT MIN(ts), MAX(ts) FROM views WHERE ts < :until"


class Names(dict[str, int]):
    """Numbers for the texts of a column, in the order in which they are met."""

    def of(self, text: str) -> int:
        """The number of ``text``, a new one if need be."""
        return self.setdefault(text, len(self))


def columns(
    connection: Connection, statement: str, kinds: str, values: dict[str, Any], *names: Names
) -> list[np.ndarray]:
    """A statement's columns as arrays; ``q`` for whole numbers, ``d`` for NULL or a number, ``s``
    for a text, of which ``names`` keeps the numbers.
    """
    result = connection.execution_options(yield_per=50_000).execute(sql.text(statement), values)
    blocks = []
    for rows in result.partitions():
        found = list(zip(*rows, strict=True))
        for at in np.flatnonzero(np.array(list(kinds)) == "s"):
            found[at] = tuple(map(names[0].of, found[at]))
        # Whole numbers below 2**53 survive the way through floats.
        blocks.append(np.array(found, dtype=np.float64))
    if not blocks:
        return [np.zeros(0, dtype=np.int64 if kind == "s" else kind) for kind in kinds]
    table = np.concatenate(blocks, axis=1)
    return [row.astype(np.int64 if kind == "s" else kind)
            for row, kind in zip(table, kinds, strict=True)]  # fmt: skip
