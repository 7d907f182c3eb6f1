"""The statements that reduce the log to daily counts: the same text on every engine.

Each leaves out what is flagged and adds what is left of events that were forgotten. Parameters:
``until`` in milliseconds since 1970, ``until_day`` in days, and the caps of ``flags``.
"""

from __future__ import annotations

from recommender.flags import FLAGGED

DAILY_VIEWS = (
    FLAGGED
    + """
    SELECT day, slate, SUM(n) AS n FROM (
        SELECT ts / 86400000 AS day, slate, COUNT(*) AS n FROM views
        WHERE ts < :until AND view_id NOT IN (SELECT view_id FROM flagged)
        GROUP BY ts / 86400000, slate
        UNION ALL SELECT day, slate, n FROM past_views WHERE day < :until_day
    ) k
    GROUP BY day, slate ORDER BY day, slate
"""
)
# A link that stands twice in a slate is credited where it stands first: nobody knows which of the
# two was followed. The inner query must come first, whatever a planner without statistics thinks.
DAILY_CLICKS = (
    FLAGGED
    + """
    SELECT k.day AS day, k.slate AS slate, SUM(k.n) AS n, SUM(k.n_in_sessions) AS n_in_sessions,
        (SELECT MIN(l.rank) FROM slate_links l WHERE l.slate = k.slate AND l.item = k.item) AS rank
    FROM (
        SELECT v.ts / 86400000 AS day, v.slate AS slate, c.item AS item, COUNT(*) AS n,
            SUM(CASE WHEN v.session <> '' THEN 1 ELSE 0 END) AS n_in_sessions
        FROM clicks c JOIN views v ON v.view_id = c.view_id
        WHERE v.ts < :until AND v.view_id NOT IN (SELECT view_id FROM flagged)
        GROUP BY v.ts / 86400000, v.slate, c.item
        UNION ALL SELECT day, slate, item, n, n_in_sessions FROM past_clicks WHERE day < :until_day
    ) k
    GROUP BY k.day, k.slate, k.item
    ORDER BY day, slate, rank
"""
)
# A page that was opened from another, in no known session, is a visit of two pages.
READINGS = (
    FLAGGED
    + """
    SELECT v.session AS session, v.ts / 86400000 AS day, s.source AS article
    FROM views v JOIN slates s ON s.slate = v.slate
    WHERE v.session <> '' AND v.ts < :until AND v.view_id NOT IN (SELECT view_id FROM flagged)
    UNION
    SELECT v.session, v.ts / 86400000, c.item
    FROM clicks c JOIN views v ON v.view_id = c.view_id
    WHERE v.session <> '' AND v.ts < :until AND v.view_id NOT IN (SELECT view_id FROM flagged)
    UNION
    SELECT session, ts / 86400000, article FROM pageviews
    WHERE session <> '' AND ts < :until AND live < 2
    UNION
    SELECT '@' || CAST(ts AS TEXT) || ' ' || CAST(article AS TEXT) || ' ' || CAST(referrer AS TEXT),
        ts / 86400000, article
    FROM pageviews WHERE session = '' AND referrer <> 0 AND ts < :until AND live < 2
    UNION
    SELECT '@' || CAST(ts AS TEXT) || ' ' || CAST(article AS TEXT) || ' ' || CAST(referrer AS TEXT),
        ts / 86400000, referrer
    FROM pageviews WHERE session = '' AND referrer <> 0 AND ts < :until AND live < 2
"""
)
PAST_READS = "SELECT day, article, n FROM past_reads WHERE day < :until_day"
PAST_PAIRS = "SELECT day, article, other, n FROM past_pairs WHERE day < :until_day"
SLATES = "SELECT slate, source, ordered FROM slates ORDER BY slate"
LINKS = "SELECT slate, item, position, propensity FROM slate_links ORDER BY slate, rank"
WINDOW = "SELECT MIN(ts), MAX(ts) FROM views WHERE ts < :until"
