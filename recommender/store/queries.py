"""The statements that reduce the log to daily counts, the same text on every engine, and how what
they find becomes arrays.

Each leaves out what is flagged and adds what is left of events that were forgotten. Parameters:
``until`` (exclusive, milliseconds since 1970, UTC), ``until_day`` (exclusive, days since 1970), and
``click_filters.limits``.
"""

from __future__ import annotations

import gc
import hashlib
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.events.ingest import BY_READER
from recommender.store.click_filters import NAMED, SOUND, day_of

# What views may be counted by besides, and what that is of forgotten ones.
OF_PAST = {"arm": "''", "live": "p.live"}
# A number of a visit, of its articles and its first day, that says nothing of it.
FACTOR, DAY_FACTOR, MODULUS = 7_919, 104_729, 1_000_003
DRAW = (
    f"CAST((SUM(CAST(article AS BIGINT) * {FACTOR}) + MIN(day) * {DAY_FACTOR}) % {MODULUS} "
    "AS BIGINT)"
)


def views_by_day(seen: str, past: str, *, by: str) -> str:
    """Views by day, slate, layout and one of ``OF_PAST``, of views ``v`` that meet ``seen``
    and of what is kept of forgotten ones, ``p``, that meets ``past``; to stand behind ``SOUND``.
    """
    return f"""
    SELECT day, slate, layout, {by}, SUM(n) AS n FROM (
        SELECT v.day AS day, v.slate AS slate, v.layout AS layout, v.{by} AS {by}, COUNT(*) AS n
        FROM sound v
        WHERE {seen}
        GROUP BY v.day, v.slate, v.layout, v.{by}
        UNION ALL SELECT p.day, p.slate, {NAMED.format("p")}, {OF_PAST[by]}, p.n
        FROM past_views p WHERE {past}
    ) k
    GROUP BY day, slate, layout, {by}
    """


def clicks_by_day(seen: str, past: str, *, by: str) -> str:
    """Clicks by day, slate, layout, ``by`` and place in the slate (NULL if they were on what it did
    not hold), under the same conditions. A link that stands twice in a slate is credited where it
    stands first: nobody knows which of the two was followed.
    """
    # The innermost query must come first, whatever a planner without statistics thinks.
    return f"""
    SELECT g.day AS day, g.slate AS slate, g.layout AS layout, g.{by} AS {by}, g.n AS n,
        g.n_in_sessions AS n_in_sessions,
        (SELECT MIN(l.rank) FROM slate_links l WHERE l.slate = g.slate AND l.item = g.item) AS rank
    FROM (
        SELECT k.day AS day, k.slate AS slate, k.layout AS layout, k.{by} AS {by}, k.item AS item,
            SUM(k.n) AS n, SUM(k.n_in_sessions) AS n_in_sessions
        FROM (
            SELECT v.day AS day, v.slate AS slate, v.layout AS layout, v.{by} AS {by},
                c.item AS item, COUNT(*) AS n,
                SUM(CASE WHEN v.session <> '' THEN 1 ELSE 0 END) AS n_in_sessions
            FROM clicks c JOIN sound v ON v.view_id = c.view_id
            WHERE {seen}
            GROUP BY v.day, v.slate, v.layout, c.item, v.{by}
            UNION ALL SELECT p.day, p.slate, {NAMED.format("p")}, {OF_PAST[by]}, p.item,
                p.n, p.n_in_sessions
            FROM past_clicks p WHERE {past}
        ) k
        GROUP BY k.day, k.slate, k.layout, k.{by}, k.item
    ) g
    """


def daily_views(seen: str, past: str, *, by: str) -> str:
    """``views_by_day`` as a statement, in order."""
    return f"{SOUND}{views_by_day(seen, past, by=by)} ORDER BY day, slate, layout, {by}"


def daily_clicks(seen: str, past: str, *, by: str) -> str:
    """``clicks_by_day`` as a statement, in order."""
    return f"{SOUND}{clicks_by_day(seen, past, by=by)} ORDER BY day, slate, layout, {by}, rank"


# The sum of the clicks of visits, and that of their squares. A view without a session is a visit of
# its own.
CLICKS_OF_VISITS = """
    SELECT SUM(n) AS n, SUM(n * n) AS squares FROM (
        SELECT COUNT(*) AS n FROM clicks c JOIN sound v ON v.view_id = c.view_id
        WHERE v.ts < :until AND EXISTS (
            SELECT 1 FROM slate_links l WHERE l.slate = v.slate AND l.item = c.item)
        GROUP BY v.session, CASE WHEN v.session = '' THEN v.view_id ELSE '' END
    ) k
"""
LIMITS = ("v.ts < :until", "p.day < :until_day")
VIEWS_BY_DAY, CLICKS_BY_DAY = views_by_day(*LIMITS, by="live"), clicks_by_day(*LIMITS, by="live")
DAILY_VIEWS, DAILY_CLICKS = daily_views(*LIMITS, by="live"), daily_clicks(*LIMITS, by="live")


def readings(views: str, pages: str) -> str:
    """Who read what on which day, of views ``v`` and page views ``p`` that meet a condition; to
    stand behind ``SOUND``. A page that was opened from another, in no known session, is a visit
    of two pages.
    """
    step = "'@' || p.ts || ' ' || p.article || ' ' || p.referrer"
    return f"""
        SELECT v.session AS session, v.day AS day, s.source AS article
        FROM sound v JOIN slates s ON s.slate = v.slate
        WHERE v.session <> '' AND {views}
        UNION
        SELECT v.session, v.day, c.item
        FROM clicks c JOIN sound v ON v.view_id = c.view_id
        WHERE v.session <> '' AND {views}
        UNION
        SELECT p.session, {day_of("p.ts")}, p.article FROM pageviews p
        WHERE p.session <> '' AND p.live <= {BY_READER} AND {pages}
        UNION
        SELECT {step}, {day_of("p.ts")}, p.article FROM pageviews p
        WHERE p.session = '' AND p.referrer <> 0 AND p.live <= {BY_READER} AND {pages}
        UNION
        SELECT {step}, {day_of("p.ts")}, p.referrer FROM pageviews p
        WHERE p.session = '' AND p.referrer <> 0 AND p.live <= {BY_READER} AND {pages}
    """


def kept_visits(readings: str, *, longest: int, most: int) -> dict[str, str]:
    """What decides which visits to learn co-reading from, as tables by name, of ``readings`` with
    columns session, day and article, once each: ``visits`` with how many articles they read, and
    ``kept_visits``, those of no more than ``longest``, the shorter first, as long as what they
    read together is no more than ``most`` pairs, both ways round. Of visits of one length it is as
    good as chance which, but the same on every engine.
    """
    return {
        "visits": f"""
            SELECT session, COUNT(*) AS n, COUNT(*) * {2 * MODULUS} + {DRAW} AS class
            FROM {readings} GROUP BY session
        """,
        # One process of an engine adds up all that is before: of visits alike there is one row.
        "classes": f"""
            SELECT class, SUM(together) OVER (ORDER BY class) AS together FROM (
                SELECT class, SUM(n * n) AS together FROM visits
                WHERE n <= {longest} GROUP BY class
            ) k
        """,
        "last_class": f"SELECT MAX(class) AS class FROM classes WHERE together <= {most}",
        "kept_visits": """
            SELECT session FROM visits WHERE class <= (SELECT class FROM last_class)
        """,
        "visits_left": f"""
            SELECT COUNT(*) AS n FROM visits
            WHERE n <= {longest} AND class > (SELECT COALESCE(MAX(class), -1) FROM last_class)
        """,
    }


READINGS = readings("v.ts < :until", "p.ts < :until")
PAST_READS = "SELECT day, article, n FROM past_reads WHERE day < :until_day"
PAST_PAIRS = "SELECT day, article, other, n FROM past_pairs WHERE day < :until_day"
# How often each page was read: views of its lists, and page views of its own.
VIEWS_OF_PAGES = (
    SOUND
    + """
    SELECT article, SUM(n) AS n FROM (
        SELECT s.source AS article, COUNT(*) AS n
        FROM sound v JOIN slates s ON s.slate = v.slate GROUP BY s.source
        UNION ALL SELECT s.source, SUM(p.n)
        FROM past_views p JOIN slates s ON s.slate = p.slate GROUP BY s.source
    ) k GROUP BY article
"""
)
PAGE_VIEWS = f"""
    SELECT article, SUM(n) AS n FROM (
        SELECT p.article AS article, COUNT(*) AS n FROM pageviews p
        WHERE p.live <= {BY_READER} GROUP BY p.article
        UNION ALL SELECT article, SUM(n) FROM past_reads GROUP BY article
    ) k GROUP BY article
"""
WINDOW = "SELECT MIN(ts) AS first, MAX(ts) AS last FROM views WHERE ts < :until"
# How many numbers in slates stand for no id.
UNKNOWN_NUMBERS = """
    SELECT COUNT(*) AS n FROM (
        SELECT source AS number FROM slates UNION SELECT item FROM slate_links
    ) k LEFT JOIN ids i ON i.key = k.number WHERE i.key IS NULL
"""


# Rows at a time, in some 20 MB; without ``yield_per`` too, partitions would be single rows.
BLOCK = 50_000


class Names(dict[str, int]):
    """Numbers for the texts of a column, in the order in which they are met."""

    def of(self, text: str) -> int:
        """The number of ``text``, a new one if need be."""
        return self.setdefault(text, len(self))


def hashed(text: str) -> int:
    """A number that no other text has, as good as certainly: of a million, two share one with a
    chance of 3 in 100 million. Visits are as many as strangers like, and their names need not be
    kept to tell them apart.
    """
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), signed=True)


def query(statement: str, values: Mapping[str, Any]) -> sql.TextClause:
    """A statement, of whose parameters those that are lists, of texts, stand behind IN."""
    lists = [name for name, value in values.items() if isinstance(value, list)]
    used = [name for name in lists if f":{name}" in statement]
    # PostgreSQL wants to know the type of an empty list.
    return sql.text(statement).bindparams(
        *(sql.bindparam(name, expanding=True, type_=sql.String()) for name in used)
    )


class Ids(dict[int, str]):
    """What the log's numbers stand for. A log may hold numbers that the store has no id for, since
    releases before took slates of other stores; each stands for an article that nobody has.

    >>> Ids({3: "knee"})[5]
    '(unknown 5)'
    """

    def __missing__(self, number: int) -> str:
        return f"(unknown {number})"


def ids_by_key(connection: Connection) -> Ids:
    """The ids that the log's numbers stand for."""
    rows = connection.execute(sql.text("SELECT key, id FROM ids"))
    return Ids((row.key, row.id) for row in rows)


def columns(
    connection: Connection,
    statement: str,
    values: Mapping[str, Any],
    *,
    texts: Mapping[str, Callable[[str], int]] | None = None,
    floats: Collection[str] = (),
) -> dict[str, np.ndarray]:
    """A statement's columns by name, ``(n_rows,)`` each: whole numbers as int64; those of
    ``floats`` as float64, NaN for NULL; of ``texts`` the numbers that their functions give.
    """
    texts = texts or {}
    result = connection.execution_options(yield_per=BLOCK).execute(query(statement, values), values)
    names = [*result.keys()]
    dtypes = {name: np.float64 if name in floats else np.int64 for name in names}
    found: dict[str, list[np.ndarray]] = {name: [np.zeros(0, dtypes[name])] for name in names}
    for rows in blocks(result, BLOCK):
        with without_collecting():
            for name, block in zip(names, zip(*rows, strict=True), strict=True):
                numbers = [*map(texts[name], block)] if name in texts else block
                found[name].append(np.array(numbers, dtypes[name]))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def blocks(result: sql.CursorResult[Any], size: int) -> Iterator[Sequence[Sequence[Any]]]:
    """Rows, so many at a time; of SQLite as its driver has them, because to make objects of
    SQLAlchemy of them takes as long as reading them.
    """
    cursor: Any = result.cursor
    if not isinstance(cursor, sqlite3.Cursor):
        yield from result.partitions(size)
        return
    try:
        while True:
            with without_collecting():
                rows = cursor.fetchmany(size)
            if not rows:
                return
            yield rows
    finally:
        result.close()


@contextmanager
def without_collecting() -> Iterator[None]:
    """Python looks for circles among all objects each time there are some more of them, and of
    millions of rows that takes as long again as reading them. Rows are in no circle.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
