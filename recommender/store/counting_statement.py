"""The statement that counts a log wherever it lies: one text for SQLite, PostgreSQL, DuckDB and
Spark SQL, and most likely for others.

It reads tables as a store has them (``TABLES``; views of these names will do) and finds rows of
``COLUMNS``, of several kinds, that are all that training needs of the log: ``counts_file`` reads
them back. They hold no name of a view or a visit, and no moment but the first and the last. What
one visit read stands in rows of its number, since co-reading is learned from that; of these there
are at most ``counts.MAX_READ_TOGETHER``, however long the log.
"""

from __future__ import annotations

from typing import Any

from recommender.events.event import DAY_MS
from recommender.store import click_filters
from recommender.store.click_filters import ANY_NUMBER, LAYOUTS, N_LAYOUTS, Caps, sound
from recommender.store.queries import (
    CLICKS_BY_DAY,
    CLICKS_OF_VISITS,
    PAST_PAIRS,
    PAST_READS,
    READINGS,
    UNKNOWN_NUMBERS,
    VIEWS_BY_DAY,
    WINDOW,
    kept_visits,
)

# What it reads: the columns of each table, with what they are. Moments are milliseconds since 1970,
# UTC; days are counted from there; numbers of articles and slates are whole.
TABLES = {
    "ids": "key: an article's number; id: its name",
    "slates": "slate: the number of a list as it was shown; source: the page's number; list: the "
    "list's name or ''; ordered: 1, or 0 where the order is not known",
    "slate_links": "slate; rank: 1, 2, ... in the order shown; item: the target's number; "
    "position: the place on the page, or NULL; propensity: the chance of this item there, or NULL; "
    "brought: 1 if it stood there only because a request asked for it, else 0",
    "views": "view_id: one name for each; ts: when; slate: what was shown; session: the visit, or "
    "''; layout: the kind of place, or ''; live: 0 if imported, 1 if pages sent it, 2 if a crawler "
    "did, 3 if beyond what an origin may send in a day",
    "clicks": "view_id; item: the number of what was followed, once a view; ts; live",
    "pageviews": "ts; session; article; referrer: the page it was opened from, or 0; live",
    "past_views": "of forgotten views: day; slate; layout; live: 0 or 1; n: how many",
    "past_clicks": "of forgotten clicks: day; slate; layout; live; item; n; n_in_sessions",
    "past_reads": "of forgotten visits: day; article; n: how many read it",
    "past_pairs": "of forgotten visits: day; article; other; n: how many read both",
}
# What it finds, in this order; a kind of row leaves out what it does not have.
COLUMNS = (
    "kind", "slate", "rank", "source", "item", "list", "layout", "day", "visit", "ordered",
    "live", "brought", "position", "propensity", "n", "n_in_sessions",
)  # fmt: skip
TEXTS = ("kind", "source", "item", "list", "layout")
FLOATS = ("propensity",)
# Single numbers, each in a row of its own kind.
FIRST, LAST, CLICKS, SQUARES = "first", "last", "clicks of visits", "squares of clicks of visits"
OTHERS, UNKNOWNS, LEFT = "other layouts", "unknown numbers", "visits left"
NUMBERS = (FIRST, LAST, CLICKS, SQUARES, OTHERS, UNKNOWNS, LEFT)
KINDS = ("link", "slate", "view", "click", "read", "past read", "past pair", *NUMBERS)


def statement(
    *,
    until: int | None = None,
    caps: Caps | None = None,
    longest: int | None = None,
    most: int | None = None,
) -> str:
    """The text, of views before ``until`` (exclusive, milliseconds since 1970, UTC; None: all) and
    under ``caps``. ``longest`` and ``most`` replace ``counts.MAX_READ_IN_SESSION`` and
    ``counts.MAX_READ_TOGETHER``.
    """
    from recommender.store import counts

    caps, end = caps or Caps(), counts.until_of(until)
    end_day = min(end["until_day"], ANY_NUMBER)
    longest = counts.MAX_READ_IN_SESSION if longest is None else longest
    most = counts.MAX_READ_TOGETHER if most is None else most
    values = {
        "until": end["until"],
        **caps.limits,
        "until_day": end_day,
        "most": click_filters.MAX_LAYOUTS,
    }
    tables = {
        "daily_views": VIEWS_BY_DAY,
        "daily_clicks": CLICKS_BY_DAY,
        "readings": "SELECT session, MIN(day) AS day, article FROM "
        f"({READINGS}) k GROUP BY session, article",
        "of_visits": CLICKS_OF_VISITS,
        "moments": WINDOW,
        **kept_visits("readings", longest=longest, most=most),
    }
    named = f"WITH named AS ({LAYOUTS}), both_halves AS"
    head = sound().replace("WITH both_halves AS", named, 1).rstrip()
    for name, text in tables.items():
        head += f", {name} AS ({text})"
    text = f"{head}\n{' UNION ALL '.join(_branches(longest))}"
    text = text.replace(":named_layouts", "(SELECT layout FROM named)")
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(f":{name}", str(values[name]))
    return "\n".join([*_heading(until, caps), *_lines(text)]) + "\n"


def _branches(longest: int) -> list[str]:
    """A statement for each kind of row."""
    link = _row(
        "link", slate="l.slate", rank="l.rank", item="COALESCE(i.id, '')", brought="l.brought",
        position="l.position", propensity="l.propensity",
    )  # fmt: skip
    slate = _row(
        "slate", slate="s.slate", source="COALESCE(i.id, '')", list="s.list", ordered="s.ordered"
    )
    view = _row("view", slate="slate", layout="layout", day="day", live="live", n="n")
    click = _row(
        "click", slate="slate", rank="rank", layout="layout", day="day", live="live", n="n",
        n_in_sessions="n_in_sessions",
    )  # fmt: skip
    # Numbers are given to visits that are kept: of all, one process would have to sort them.
    read = _row("read", visit="r.visit", item="COALESCE(i.id, '')", day="r.day")
    past_read = _row("past read", item="COALESCE(i.id, '')", day="p.day", n="p.n")
    past_pair = _row(
        "past pair", source="COALESCE(i.id, '')", item="COALESCE(o.id, '')", day="p.day", n="p.n"
    )
    named = click_filters.MAX_LAYOUTS
    beyond = f"CASE WHEN o.n > {named} THEN o.n - {named} ELSE 0 END"
    return [
        f"{link} FROM slate_links l LEFT JOIN ids i ON i.key = l.item",
        f"{slate} FROM slates s LEFT JOIN ids i ON i.key = s.source",
        f"{view} FROM daily_views",
        f"{click} FROM daily_clicks WHERE rank IS NOT NULL",
        f"""{read} FROM (
            SELECT DENSE_RANK() OVER (ORDER BY r.session) AS visit, r.day AS day,
                r.article AS article
            FROM readings r JOIN kept_visits v ON v.session = r.session
        ) r LEFT JOIN ids i ON i.key = r.article""",
        f"{past_read} FROM ({PAST_READS}) p LEFT JOIN ids i ON i.key = p.article",
        f"""{past_pair} FROM ({PAST_PAIRS}) p LEFT JOIN ids i ON i.key = p.article
            LEFT JOIN ids o ON o.key = p.other""",
        f"{_row(FIRST, n='first')} FROM moments WHERE first IS NOT NULL",
        f"{_row(LAST, n='last')} FROM moments WHERE last IS NOT NULL",
        f"{_row(CLICKS, n='n')} FROM of_visits WHERE n IS NOT NULL",
        f"{_row(SQUARES, n='squares')} FROM of_visits WHERE squares IS NOT NULL",
        f"{_row(OTHERS, n=beyond)} FROM ({N_LAYOUTS}) o",
        f"{_row(UNKNOWNS, n='n')} FROM ({UNKNOWN_NUMBERS}) k",
        f"{_row(LEFT, n='n')} FROM visits_left",
    ]


def _row(kind: str, **values: Any) -> str:
    """The columns of a kind of row. Of the first its engine takes the types, also of what it
    leaves out.
    """
    missing = dict.fromkeys(COLUMNS, "CAST(NULL AS BIGINT)")
    missing |= dict.fromkeys(TEXTS, "CAST(NULL AS VARCHAR(1))")
    missing |= dict.fromkeys(FLOATS, "NULL")
    found = {**missing, "kind": f"'{kind}'"}
    for name, value in values.items():
        found[name] = value if name in (*TEXTS, *FLOATS) else f"CAST({value} AS BIGINT)"
    return "SELECT " + ", ".join(f"{value} AS {name}" for name, value in found.items())


def _heading(until: int | None, caps: Caps) -> list[str]:
    """What stands above it, for whoever finds it in a warehouse."""
    end = "all views" if until is None else f"views before day {until / DAY_MS:g} since 1970, UTC"
    return [
        f"-- Counts of {end}; at most {caps.session_clicks_an_hour} clicks of a visit",
        f"-- in an hour, {caps.pair_clicks_a_day or 'any number'} on one link of a page in a day.",
        "-- Write what it finds to Parquet, then run recommender train --counts.",
    ]


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]
