"""Which live events are doubtful, decided when they are counted.

Nothing a page sends proves that a reader sent it, so what is doubtful is flagged, kept, and left
out of the counts together with its view: a known crawler; what came from an origin beyond what one
may send in a day; a click sooner after its list came into view than a hand can be; a session's
second click on one pair in a day, and more clicks in its hour than anyone reads; and, if a site
sets a number, more clicks on one pair in a day. What was imported is never flagged: its clocks are
too coarse. The first two were marked when they came (``events.ingest``), since who sent them is not
stored. What a forger can do who passes all tests is bounded by ``clicks.influence``.

Layouts are names that pages choose, so strangers can send any number of them. Those that were seen
on most days, in a hundredth of the day's views at least, keep their names when counted; the rest
are one, ``OTHER``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.events.ingest import BEYOND_ORIGIN, BY_CRAWLER, BY_READER

# From seeing to clicking: a simple reaction to light takes a fifth of a second, before the hand
# has moved. Not tuned.
TOO_FAST_MS = 300
REASONS = ("crawler", "origin", "fast", "session", "pair")
ANY_NUMBER = 2**31 - 1
# Layouts that keep their names, several times what a site has; and what the rest are called. Not
# tuned.
MAX_LAYOUTS, OTHER = 50, "other"


@dataclass(frozen=True, slots=True)
class Caps:
    """How many clicks count, at most, of one session in an hour and of one pair in a day; 0 for a
    pair stands for any number. Thirty an hour, one in two minutes, is more than anyone reads; not
    tuned.
    """

    session_clicks_an_hour: int = 30
    pair_clicks_a_day: int = 0

    @property
    def limits(self) -> dict[str, Any]:
        """The parameters of ``FLAGGED``; those of ``SOUND`` are ``limits`` of a store."""
        of_pair = self.pair_clicks_a_day or ANY_NUMBER
        return {"in_session": self.session_clicks_an_hour, "of_pair": of_pair}


def day_of(ts: str) -> str:
    """The day since 1970 of a column of milliseconds. Some engines divide whole numbers into
    fractions, so the remainder goes first.
    """
    return f"CAST(({ts} - {ts} % 86400000) / 86400000 AS BIGINT)"


# Common table expressions, to stand in front of a statement that reads ``flagged``, the views, or
# ``doubtful``, the clicks that are so for what was clicked, not for who sent it. A session's
# surplus does not use up the pair's allowance. A pair's day is that of its views, on which the
# clicks are counted; so no day's count goes beyond the cap.
FLAGGED = f"""
    WITH both_halves AS (
        SELECT c.view_id AS view_id, c.item AS item, c.ts AS ts, s.source AS source,
            v.session AS session, {day_of("v.ts")} AS day, c.ts - v.ts AS after,
            CASE WHEN c.live > {BY_READER} OR v.live > {BY_READER} THEN 1 ELSE 0 END AS marked
        FROM clicks c JOIN views v ON v.view_id = c.view_id JOIN slates s ON s.slate = v.slate
        WHERE c.live > 0 AND v.live > 0
    ), plausible AS (
        SELECT view_id, item, ts, source, day,
            CASE WHEN session = '' THEN 0 ELSE ROW_NUMBER() OVER (
                PARTITION BY session, ts - ts % 3600000 ORDER BY ts, view_id, item
            ) END AS nth_in_session,
            CASE WHEN session = '' THEN 1 ELSE ROW_NUMBER() OVER (
                PARTITION BY session, source, item, day ORDER BY ts, view_id
            ) END AS nth_on_pair
        FROM both_halves WHERE marked = 0 AND NOT (after >= 0 AND after < {TOO_FAST_MS})
    ), moderate AS (
        SELECT view_id, item, ROW_NUMBER() OVER (
            PARTITION BY source, item, day ORDER BY ts, view_id) AS nth_of_pair
        FROM plausible WHERE nth_in_session <= :in_session AND nth_on_pair = 1
    ), doubtful AS (
        SELECT view_id, item, 'fast' AS reason FROM both_halves
            WHERE marked = 0 AND after >= 0 AND after < {TOO_FAST_MS}
        UNION ALL SELECT view_id, item, 'session' FROM plausible
            WHERE nth_in_session > :in_session OR nth_on_pair > 1
        UNION ALL SELECT view_id, item, 'pair' FROM moderate WHERE nth_of_pair > :of_pair
    ), flagged AS (
        SELECT view_id, 'crawler' AS reason FROM views WHERE live = {BY_CRAWLER}
        UNION SELECT view_id, 'crawler' FROM clicks WHERE live = {BY_CRAWLER}
        UNION SELECT view_id, 'origin' FROM views WHERE live = {BEYOND_ORIGIN}
        UNION SELECT view_id, 'origin' FROM clicks WHERE live = {BEYOND_ORIGIN}
        UNION ALL SELECT view_id, reason FROM doubtful
    )
"""
# The name under which a view of a layout is counted; the table is to be put in.
NAMED = f"CASE WHEN {{0}}.layout IN :named_layouts THEN {{0}}.layout ELSE '{OTHER}' END"


def sound(*columns: str) -> str:
    """``FLAGGED``, and ``sound`` behind it: the views that are left, with further columns of
    ``views``. It is a join, because NOT IN of many thousands takes PostgreSQL hours.
    """
    more = "".join(f" v.{name} AS {name}," for name in columns)
    return f"""{FLAGGED.rstrip()}, sound AS (
        SELECT v.view_id AS view_id, v.ts AS ts, {day_of("v.ts")} AS day, v.slate AS slate,
            v.session AS session, {NAMED.format("v")} AS layout,{more}
            CASE WHEN v.live > 0 THEN 1 ELSE 0 END AS live
        FROM views v LEFT JOIN flagged f ON f.view_id = v.view_id WHERE f.view_id IS NULL
    )
"""


# To stand in front of a statement that reads ``sound``.
SOUND = sound("arm")
# Layouts by the days on which they were much seen and by their views. Parameters: ``until_day``,
# exclusive, and ``most``.
LAYOUTS = f"""
    SELECT layout FROM (
        SELECT layout, SUM(CASE WHEN 100 * n >= of_day THEN 1 ELSE 0 END) AS n_days, SUM(n) AS n
        FROM (
            SELECT layout, SUM(n) AS n, SUM(SUM(n)) OVER (PARTITION BY day) AS of_day FROM (
                SELECT layout, {day_of("ts")} AS day, COUNT(*) AS n FROM views
                GROUP BY layout, {day_of("ts")}
                UNION ALL SELECT layout, day, SUM(n) FROM past_views GROUP BY layout, day
            ) k WHERE day < :until_day AND layout <> '{OTHER}' GROUP BY layout, day
        ) d GROUP BY layout
    ) l ORDER BY n_days DESC, n DESC, layout LIMIT :most
"""
N_LAYOUTS = f"""
    SELECT COUNT(*) AS n FROM (
        SELECT layout FROM views WHERE {day_of("ts")} < :until_day
        UNION SELECT layout FROM past_views WHERE day < :until_day
    ) k WHERE layout <> '{OTHER}'
"""
COUNTS = FLAGGED + "SELECT reason, COUNT(*) AS n FROM flagged GROUP BY reason"
DAILY_COUNTS = f"""{FLAGGED}
    SELECT day, reason, COUNT(*) AS n FROM (
        SELECT f.reason AS reason, {day_of("COALESCE(v.ts, c.ts)")} AS day
        FROM flagged f LEFT JOIN views v ON v.view_id = f.view_id
        LEFT JOIN (
            SELECT view_id, MIN(ts) AS ts FROM clicks WHERE live > {BY_READER} GROUP BY view_id
        ) c ON v.view_id IS NULL AND c.view_id = f.view_id
    ) k WHERE day IS NOT NULL GROUP BY day, reason
"""
EXAMPLES = FLAGGED + "SELECT view_id FROM flagged WHERE reason = :reason ORDER BY view_id LIMIT 3"


def limits(connection: Connection, caps: Caps, *, until_day: int = ANY_NUMBER) -> dict[str, Any]:
    """The parameters of ``SOUND``, for a log that ends before a day (since 1970)."""
    values = {"most": MAX_LAYOUTS, "until_day": until_day}
    named = connection.scalars(sql.text(LAYOUTS), values)
    return {**caps.limits, "named_layouts": [*named]}


def n_other_layouts(connection: Connection, *, until_day: int = ANY_NUMBER) -> int:
    """How many layouts are counted as ``OTHER``."""
    n = connection.scalar(sql.text(N_LAYOUTS), {"until_day": until_day})
    return max(0, int(n or 0) - MAX_LAYOUTS)


def count_flagged(connection: Connection, caps: Caps) -> dict[str, int]:
    """How many views (of crawlers and origins) and clicks are flagged under ``caps``, by reason, of
    which all of ``REASONS`` are there.
    """
    rows = connection.execute(sql.text(COUNTS), caps.limits)
    return dict.fromkeys(REASONS, 0) | {row.reason: row.n for row in rows}


def flagged_by_day(connection: Connection, caps: Caps) -> dict[tuple[int, str], int]:
    """How many views (of crawlers and origins) and clicks are flagged under ``caps``, by the day of
    their view (since 1970, UTC) and the reason.
    """
    rows = connection.execute(sql.text(DAILY_COUNTS), caps.limits)
    return {(int(row.day), row.reason): int(row.n) for row in rows}


def n_live(connection: Connection) -> int:
    """How many views and clicks pages have sent."""
    return sum(
        int(connection.scalar(sql.text(f"SELECT COUNT(*) FROM {table} WHERE live > 0")) or 0)
        for table in ("views", "clicks")
    )


def examples(connection: Connection, caps: Caps, reason: str) -> list[str]:
    """The ids of up to three views that are flagged for ``reason``."""
    rows = connection.execute(sql.text(EXAMPLES), {**caps.limits, "reason": reason})
    return [row.view_id for row in rows]
