"""The log, counted where it lives: daily views of slates, daily clicks on their links, readings.

Two standard statements, the same text on every engine, reduce the log to what the learner
needs; a click counts only if its view is known and its item stood in the view's slate, whatever
order the two arrived in. What comes out are plain arrays in which articles bear their number in
the build, and -1 stands for an article the site does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.store import Store

UNKNOWN = -1
# A reader of more articles in one visit is a crawler or a kiosk, and would make every pair of
# them look related.
MAX_READ_IN_SESSION = 100

DAILY_VIEWS = """
    SELECT ts / 86400000 AS day, slate, COUNT(*) AS n
    FROM views WHERE ts < :until
    GROUP BY ts / 86400000, slate
    ORDER BY day, slate
"""
# A link that stands twice in a slate is credited where it stands first: nobody knows which of the
# two was followed. The inner query must come first, whatever a planner without statistics thinks.
DAILY_CLICKS = """
    SELECT k.day AS day, k.slate AS slate, k.n AS n, k.n_in_sessions AS n_in_sessions,
        (SELECT MIN(l.rank) FROM slate_links l WHERE l.slate = k.slate AND l.item = k.item) AS rank
    FROM (
        SELECT v.ts / 86400000 AS day, v.slate AS slate, c.item AS item, COUNT(*) AS n,
            SUM(CASE WHEN v.session <> '' THEN 1 ELSE 0 END) AS n_in_sessions
        FROM clicks c JOIN views v ON v.view_id = c.view_id
        WHERE v.ts < :until
        GROUP BY v.ts / 86400000, v.slate, c.item
    ) k
    ORDER BY day, slate, rank
"""
READINGS = """
    SELECT v.session AS session, v.ts / 86400000 AS day, s.source AS article
    FROM views v JOIN slates s ON s.slate = v.slate
    WHERE v.session <> '' AND v.ts < :until
    UNION
    SELECT v.session, v.ts / 86400000, c.item
    FROM clicks c JOIN views v ON v.view_id = c.view_id
    WHERE v.session <> '' AND v.ts < :until
    UNION
    SELECT session, ts / 86400000, article
    FROM pageviews WHERE session <> '' AND ts < :until
"""
SLATES = "SELECT slate, source, ordered FROM slates ORDER BY slate"
LINKS = "SELECT slate, item, position, propensity FROM slate_links ORDER BY slate, rank"
WINDOW = "SELECT MIN(ts), MAX(ts) FROM views WHERE ts < :until"


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """Counts of what was shown and followed.

    Slates: ``source``, and ``heads`` such that links ``heads[s]`` to ``heads[s + 1]`` belong to
    slate ``s``. Links: ``item``, ``position`` (0 where unknown), ``propensity`` (NaN where
    unknown). Daily views: ``view_day``, ``view_slate``, ``n_views``. Daily clicks:
    ``click_day``, ``click_link`` (a link's number), ``n_clicks``, of which ``n_in_sessions`` were
    made in a session. Readings, one a session and
    article: ``read_session``, ``read_article``, ``read_day``. Days count from 1970-01-01, UTC.
    """

    source: np.ndarray
    heads: np.ndarray
    item: np.ndarray
    position: np.ndarray
    propensity: np.ndarray
    view_day: np.ndarray
    view_slate: np.ndarray
    n_views: np.ndarray
    click_day: np.ndarray
    click_link: np.ndarray
    n_clicks: np.ndarray
    n_in_sessions: np.ndarray
    read_session: np.ndarray
    read_article: np.ndarray
    read_day: np.ndarray
    first_ts: int | None = None
    last_ts: int | None = None

    @property
    def link_slate(self) -> np.ndarray:
        """The slate of each link."""
        return np.repeat(np.arange(len(self.source)), np.diff(self.heads))

    @property
    def link_source(self) -> np.ndarray:
        """The source beside which each link stood."""
        return np.repeat(self.source, np.diff(self.heads))

    def between(self, first: int, last: int) -> Log:
        """Only what happened on days ``first`` up to, not including, ``last``.

        The one splitter by time: click features of an example are counted on
        ``log.between(0, day)`` for a ``day`` not after the example's own.
        """
        views = (self.view_day >= first) & (self.view_day < last)
        clicks = (self.click_day >= first) & (self.click_day < last)
        reads = (self.read_day >= first) & (self.read_day < last)
        return replace(
            self,
            **{name: getattr(self, name)[views] for name in ("view_day", "view_slate", "n_views")},
            **{
                name: getattr(self, name)[clicks]
                for name in ("click_day", "click_link", "n_clicks", "n_in_sessions")
            },
            **{
                name: getattr(self, name)[reads]
                for name in ("read_session", "read_article", "read_day")
            },
        )

    def shown_and_clicked(self) -> tuple[np.ndarray, np.ndarray]:
        """How often each link was shown and followed; both ``(n_links,)``."""
        views = np.bincount(self.view_slate, weights=self.n_views, minlength=len(self.source))
        shown = np.repeat(views, np.diff(self.heads))
        clicked = np.bincount(self.click_link, weights=self.n_clicks, minlength=len(self.item))
        return shown, clicked


def count(store: Store, ids: Sequence[str], *, until: int | None = None) -> Log:
    """Count the store's log of views before ``until`` (milliseconds since 1970).

    ``ids`` gives the articles their numbers.
    """
    limit = {"until": until if until is not None else np.iinfo(np.int64).max}
    with store.reading() as connection:
        _hold_still(connection)
        number = _numbers(connection, ids)
        slates = _columns(connection, SLATES, "qqq", {})
        links = _columns(connection, LINKS, "qqdd", {})
        views = _columns(connection, DAILY_VIEWS, "qqq", limit)
        clicks = _columns(connection, DAILY_CLICKS, "qqqqd", limit)
        sessions, days, articles = _readings(connection, limit)
        first, last = connection.execute(sql.text(WINDOW), limit).one()
    # A click on what its slate did not hold has no rank, and does not count.
    clicks = [column[~np.isnan(clicks[4])] for column in clicks]
    # The store numbers slates from 1 without gaps, so a slate's number is its place.
    heads = np.concatenate([[0], np.cumsum(np.bincount(links[0] - 1, minlength=len(slates[0])))])
    heads = heads.astype(np.int64)
    return Log(
        source=number[slates[1]],
        heads=heads,
        item=number[links[1]],
        position=np.nan_to_num(links[2], nan=0).astype(np.int32),
        propensity=links[3].astype(np.float32),
        view_day=views[0].astype(np.int32),
        view_slate=views[1] - 1,
        n_views=views[2],
        click_day=clicks[0].astype(np.int32),
        click_link=heads[clicks[1] - 1] + clicks[4].astype(np.int64) - 1,
        n_clicks=clicks[2],
        n_in_sessions=clicks[3],
        read_session=sessions,
        read_article=number[articles],
        read_day=days,
        first_ts=first,
        last_ts=last,
    )


def _hold_still(connection: Connection) -> None:
    """Have every statement see the log as it stands now, whatever is written meanwhile."""
    if connection.dialect.name == "postgresql":
        connection.execute(sql.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    else:
        connection.exec_driver_sql("BEGIN")


def _numbers(connection: Connection, ids: Sequence[str]) -> np.ndarray:
    """From the store's keys to the build's numbers."""
    place = {id: number for number, id in enumerate(ids)}
    rows = connection.execute(sql.text("SELECT key, id FROM ids")).all()
    number = np.full(len(rows) + 1, UNKNOWN, dtype=np.int32)
    for key, id in rows:
        number[key] = place.get(id, UNKNOWN)
    return number


def _columns(
    connection: Connection, statement: str, kinds: str, values: dict[str, Any]
) -> list[np.ndarray]:
    """A statement's columns as arrays; ``q`` for whole numbers, ``d`` for NULL or a number."""
    result = connection.execution_options(yield_per=50_000).execute(sql.text(statement), values)
    blocks = [np.array(rows, dtype=np.float64) for rows in map(list, result.partitions())]
    if not blocks:
        return [np.zeros(0, dtype=kind) for kind in kinds]
    table = np.concatenate(blocks)
    # Whole numbers below 2**53 survive the way through floats.
    return [table[:, at].astype(kind) for at, kind in enumerate(kinds)]


def _readings(
    connection: Connection, limit: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Session, day and article of every reading, sessions numbered, overlong ones left out."""
    numbers: dict[str, int] = {}
    result = connection.execution_options(yield_per=50_000).execute(sql.text(READINGS), limit)
    blocks = [
        np.array(
            [(numbers.setdefault(row[0], len(numbers)), row[1], row[2]) for row in rows],
            dtype=np.int64,
        )
        for rows in result.partitions()
    ]
    if not blocks:
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty.astype(np.int32), empty
    table = np.concatenate(blocks)
    # A session over midnight reads an article once, on the first day.
    table = table[np.lexsort((table[:, 1], table[:, 2], table[:, 0]))]
    first = np.concatenate([[True], (np.diff(table[:, [0, 2]], axis=0) != 0).any(axis=1)])
    table = table[first]
    size = np.bincount(table[:, 0])
    table = table[size[table[:, 0]] <= MAX_READ_IN_SESSION]
    return table[:, 0], table[:, 1].astype(np.int32), table[:, 2]


def empty_log() -> Log:
    """The log of a site that has none."""
    arrays = {field.name: np.zeros(0, dtype=np.int64) for field in fields(Log)[:15]}
    arrays["heads"] = np.zeros(1, dtype=np.int64)
    return Log(**arrays)  # type: ignore[arg-type]
