"""The log, counted where it lives: daily views of slates, daily clicks on their links, readings.

Standard statements, the same text on every engine, reduce the log to what the learner needs; a
click counts only if its view is known and its item stood in the view's slate, whatever order the
two arrived in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.events.event import DAY_MS, EARLIEST
from recommender.store.click_filters import ANY_NUMBER, SOUND, Caps, limits, n_other_layouts
from recommender.store.database import Store
from recommender.store.queries import (
    CLICKS_OF_VISITS,
    DAILY_CLICKS,
    DAILY_VIEWS,
    DAY_FACTOR,
    FACTOR,
    MODULUS,
    PAGE_VIEWS,
    PAST_PAIRS,
    PAST_READS,
    READINGS,
    VIEWS_OF_PAGES,
    WINDOW,
    Names,
    columns,
    hashed,
    ids_by_key,
    query,
)
from recommender.store.slates import Slates
from recommender.store.slates import read as read_slates

# The number of an article that the build does not have.
UNKNOWN = -1
# A reader of more articles in one visit is a crawler or a kiosk, and would make every pair of them
# look related. Not tuned.
MAX_READ_IN_SESSION = 100
# Pairs that visits read together, each way round, counted in some 800 MB. A visit of a hundred
# articles has 10,000, and anybody can make it with a hundred events; so beyond this number the
# longest visits are left out. Not tuned: twice those of the largest log tried.
MAX_READ_TOGETHER = 10_000_000


# Columns of ``Log`` that go together, the day first.
VIEWS = ("view_day", "view_slate", "n_views", "view_live")
CLICKS = ("click_day", "click_link", "n_clicks", "n_in_sessions", "click_live")
BY_DAY = (
    VIEWS,
    CLICKS,
    ("read_day", "read_session", "read_article"),
    ("past_read_day", "past_read_article", "n_past_reads"),
    ("past_pair_day", "past_pair_article", "past_pair_other", "n_past_pairs"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """Counts of what was shown and followed.

    - Slates, each in one layout, ``(n_slates,)``: ``source``, the page; ``layout`` and ``list``,
      numbers into ``layouts`` and ``lists``. Links ``heads[s]`` to ``heads[s + 1]`` belong to
      slate ``s``, in the order shown; ``heads`` is ``(n_slates + 1,)``.
    - Links, ``(n_links,)``: ``item``, the target; ``position``, from 1, or 0 where unknown;
      ``propensity``, the chance of this item there, NaN where unknown; ``brought``, whether it
      stood there only because a request asked for it;
      ``origin``, why it stood there, a number into ``origins``; of no links unless it was asked
      for, and the empty text where the log does not say.
    - Daily views, ``(n_daily_views,)``: ``view_day``, ``view_slate``, ``n_views``, ``view_live``.
    - Daily clicks, ``(n_daily_clicks,)``: ``click_day``, ``click_link`` (a link's number),
      ``n_clicks``, of which ``n_in_sessions`` were made in a session, ``click_live``. Numbers of
      views and clicks are whole until ``influence`` bounds what they weigh. ``live`` are those that
      pages sent, not the site itself.
    - Readings, one a session and article, ``(n_readings,)``: ``read_session``, ``read_article``,
      ``read_day``.
    - ``clicks_per_visit``: of the visit that a click belongs to, over all clicks of the log; 1 if
      each is alone. By so much, at most, is the variance of a mean over clicks larger than that of
      independent ones: as if those of a visit went all together (the design effect of clusters,
      Kish 1965, "Survey sampling"), as long as residuals are no larger in long visits. Of
      forgotten clicks, whose visits are gone, it is taken to be as of the others.
    - ``n_other_layouts``: how many layouts are counted as ``click_filters.OTHER``; ``n_unknown``:
      how many numbers in slates stand for no id, of other stores or of lost ones; and
      ``n_visits_left`` how many visits are in no reading, being the longest of too many.
    - What is left of forgotten sessions: how many read an article (``past_read_``) and how many
      read two of them (``past_pair_``), by day.

    Articles are numbers of the build, ``UNKNOWN`` for those it does not have. Days count from
    1970-01-01, UTC; ``first_ts`` and ``last_ts``, of the first and the last view, are milliseconds
    since then.
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
    first_ts: int | None
    last_ts: int | None
    past_read_day: np.ndarray
    past_read_article: np.ndarray
    n_past_reads: np.ndarray
    past_pair_day: np.ndarray
    past_pair_article: np.ndarray
    past_pair_other: np.ndarray
    n_past_pairs: np.ndarray
    layout: np.ndarray
    list: np.ndarray
    layouts: tuple[str, ...]
    lists: tuple[str, ...]
    clicks_per_visit: float
    view_live: np.ndarray
    click_live: np.ndarray
    brought: np.ndarray
    n_other_layouts: int = 0
    n_unknown: int = 0
    n_visits_left: int = 0
    origin: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int8))
    origins: tuple[str, ...] = ()

    @property
    def link_slate(self) -> np.ndarray:
        """The slate of each link, ``(n_links,)``."""
        return np.repeat(np.arange(len(self.source)), np.diff(self.heads))

    @property
    def link_source(self) -> np.ndarray:
        """The source beside which each link stood, ``(n_links,)``."""
        return np.repeat(self.source, np.diff(self.heads))

    def between(self, first: int, last: int) -> Log:
        """Only what happened on days ``first`` up to, not including, ``last``.

        The one splitter by time: click features of an example are counted on
        ``log.between(0, day)`` for a ``day`` not after the example's own. ``clicks_per_visit``
        remains that of the whole log.
        """
        changes: dict[str, Any] = {}
        for names in BY_DAY:
            day = getattr(self, names[0])
            changes |= self._rows(names, (day >= first) & (day < last))
        return replace(self, **changes)

    def shown_to_all(self) -> Log:
        """Without what only a request brought onto a list: such links lead nowhere, and clicks on
        them are none. Whoever asks chooses them, so they show what one client likes to click.
        """
        if not self.brought.any():
            return self
        kept = self._rows(CLICKS, ~self.brought[self.click_link])
        return replace(self, item=np.where(self.brought, UNKNOWN, self.item), **kept)

    def weighed(self, views: np.ndarray, clicks: np.ndarray) -> Log:
        """With daily views and clicks that weigh so much, ``(n_daily_views,)`` and
        ``(n_daily_clicks,)``. What weighs nothing is left out, as what is flagged is: a link that
        was shown or followed no time at all would still be one that changed place.
        """
        log = replace(self, n_views=self.n_views * views, n_clicks=self.n_clicks * clicks)
        return replace(
            log,
            **log._rows(VIEWS, log.n_views > 0),
            **log._rows(CLICKS, log.n_clicks > 0),
        )

    def _rows(self, columns: tuple[str, ...], kept: np.ndarray) -> dict[str, Any]:
        return {name: getattr(self, name)[kept] for name in columns}

    @property
    def is_again(self) -> np.ndarray:
        """Whether each link leads where one above it in its slate does, as lists that name an
        article twice have it, ``(n_links,)``: whoever sees the slate sees one article.
        """
        known = np.flatnonzero(self.item != UNKNOWN)
        n = int(self.item.max(initial=0)) + 1
        _, first = np.unique(self.link_slate[known] * n + self.item[known], return_index=True)
        again = np.zeros(len(self.item), dtype=bool)
        again[known] = True
        again[known[first]] = False
        return again

    def leads_to(self, marked: np.ndarray) -> np.ndarray:
        """Whether each link leads to an article that is ``marked``, ``(n_articles,)``;
        ``(n_links,)``.
        """
        return (self.item != UNKNOWN) & marked[self.item]

    def shown_and_clicked(self) -> tuple[np.ndarray, np.ndarray]:
        """How often each link was shown and followed; both ``(n_links,)``."""
        views = np.bincount(self.view_slate, weights=self.n_views, minlength=len(self.source))
        shown = np.repeat(views, np.diff(self.heads))
        clicked = np.bincount(self.click_link, weights=self.n_clicks, minlength=len(self.item))
        return shown, clicked


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What is found in a log, wherever it is counted, before articles have the build's numbers.

    ``slates``, all; ``views`` by columns day, slate (its number), layout (into ``layouts``), live
    and n, ``(n_daily_views,)``; ``clicks`` likewise, with rank, the place in the slate from 1, and
    n_in_sessions, ``(n_daily_clicks,)``; ``readings`` by session, day and article, once each;
    ``past_reads`` and ``past_pairs`` as their tables have them. The rest as in ``Log``; ``squares``
    are those of the clicks of visits, ``clicks_of_visits`` their sum.
    """

    slates: Slates
    layouts: Sequence[str]
    views: Mapping[str, np.ndarray]
    clicks: Mapping[str, np.ndarray]
    readings: Mapping[str, np.ndarray]
    past_reads: Mapping[str, np.ndarray]
    past_pairs: Mapping[str, np.ndarray]
    first_ts: int | None
    last_ts: int | None
    clicks_of_visits: int
    squares: int
    n_other_layouts: int
    n_unknown: int
    n_visits_left: int

    def log(self, number: np.ndarray) -> Log:
        """The log, whose articles have the ``number`` of their keys here."""
        slates, views, clicks = self.slates, self.views, self.clicks
        # Here a slate is one in each layout it was seen in; one that nobody saw, in that without
        # name.
        layouts = [*self.layouts]
        rows, clicked = slates.rows(views["slate"]), slates.rows(clicks["slate"])
        is_seen = np.zeros(len(slates.number), dtype=bool)
        is_seen[rows] = True
        unseen = np.flatnonzero(~is_seen)
        if len(unseen) and "" not in layouts:
            layouts.append("")
        nameless = layouts.index("") if len(unseen) else 0
        n_layouts = max(1, len(layouts))
        seen = rows * n_layouts + views["layout"]
        keys = np.unique(np.concatenate([seen, unseen * n_layouts + nameless]))
        stored, layout = np.divmod(keys, n_layouts)
        heads, links = slates.links_of(stored)
        slate_of_click = np.searchsorted(keys, clicked * n_layouts + clicks["layout"])
        first, last = _window(self.first_ts, self.last_ts, views["day"])
        reads = _in_order(self.past_reads, number, ("article",))
        pairs = _in_order(self.past_pairs, number, ("article", "other"))
        n = self.clicks_of_visits
        log = Log(
            source=_numbered(number, slates.source[stored]),
            heads=heads,
            item=_numbered(number, slates.item)[links],
            position=slates.position[links],
            propensity=slates.propensity.astype(np.float32)[links],
            view_day=views["day"].astype(np.int32),
            view_slate=np.searchsorted(keys, seen),
            n_views=views["n"],
            click_day=clicks["day"].astype(np.int32),
            click_link=heads[slate_of_click] + clicks["rank"].astype(np.int64) - 1,
            n_clicks=clicks["n"],
            n_in_sessions=clicks["n_in_sessions"],
            read_session=self.readings["session"],
            read_article=_numbered(number, self.readings["article"]),
            read_day=self.readings["day"].astype(np.int32),
            first_ts=first,
            last_ts=last,
            past_read_day=reads["day"],
            past_read_article=reads["article"],
            n_past_reads=reads["n"],
            past_pair_day=pairs["day"],
            past_pair_article=pairs["article"],
            past_pair_other=pairs["other"],
            n_past_pairs=pairs["n"],
            layout=layout.astype(np.int32),
            list=slates.list[stored],
            layouts=tuple(layouts),
            lists=slates.lists,
            clicks_per_visit=float(self.squares / n) if n else 1.0,
            view_live=views["live"].astype(bool),
            click_live=clicks["live"].astype(bool),
            brought=slates.brought[links],
            origin=slates.origin[links] if len(slates.origin) else slates.origin,
            origins=slates.origins,
            n_other_layouts=self.n_other_layouts,
            n_visits_left=self.n_visits_left,
            n_unknown=self.n_unknown,
        )
        return _without_ancient(log)


def count(
    store: Store,
    ids: Sequence[str],
    *,
    until: int | None = None,
    caps: Caps | None = None,
    with_origins: bool = False,
) -> Log:
    """Count the store's log of views before ``until`` (exclusive, milliseconds since 1970, UTC;
    None: all), less what is flagged under ``caps``. ``ids`` gives the articles their numbers. Of
    links it is known why they stood there only ``with_origins``.
    """
    with store.snapshot() as connection:
        end = until_of(until)
        end_day = min(end["until_day"], ANY_NUMBER)
        limit = {**end, **limits(connection, caps or Caps(), until_day=end_day)}
        known = ids_by_key(connection)
        slates = read_slates(connection, with_origins=with_origins)
        layouts = Names()
        views = columns(connection, DAILY_VIEWS, limit, texts={"layout": layouts.of})
        clicks = columns(
            connection, DAILY_CLICKS, limit, texts={"layout": layouts.of}, floats=("rank",)
        )
        readings, n_left = _readings(connection, limit)
        past_reads = columns(connection, PAST_READS, limit)
        past_pairs = columns(connection, PAST_PAIRS, limit)
        first, last = connection.execute(sql.text(WINDOW), limit).one()
        of_visits = SOUND + CLICKS_OF_VISITS
        n, squares = connection.execute(query(of_visits, limit), limit).one()
        n_other = n_other_layouts(connection, until_day=end_day)
    # A click on what its slate did not hold has no rank, and does not count.
    held = ~np.isnan(clicks["rank"])
    number = numbers_of(known, ids)
    counted = Counted(
        slates=slates,
        layouts=tuple(layouts),
        views=views,
        clicks={name: column[held] for name, column in clicks.items()},
        readings=readings,
        past_reads=past_reads,
        past_pairs=past_pairs,
        first_ts=first,
        last_ts=last,
        clicks_of_visits=int(n or 0),
        squares=int(squares or 0),
        n_other_layouts=n_other,
        n_unknown=_n_missing(known, slates),
        n_visits_left=n_left,
    )
    return counted.log(number)


def _without_ancient(log: Log) -> Log:
    """Without what happened before 2000, by clocks that were never set, in a log that goes on
    after it: imports refuse such times, but earlier releases took them.
    """
    first_day = EARLIEST // DAY_MS
    if log.first_ts is None or not log.first_ts < EARLIEST <= (log.last_ts or 0):
        return log
    log = log.between(first_day, ANY_NUMBER)
    days = log.view_day.min(initial=ANY_NUMBER)
    return replace(log, first_ts=int(days) * DAY_MS if len(log.view_day) else log.last_ts)


def n_clicks(store: Store, *, until: int | None = None, caps: Caps | None = None) -> int:
    """How many clicks of the store's log count today, on views before ``until`` (exclusive)."""
    with store.reading() as connection:
        limit = {**until_of(until), **limits(connection, caps or Caps())}
        rows = connection.execute(query(DAILY_CLICKS, limit), limit)
        return sum(int(row.n) for row in rows if row.rank is not None)


def n_logged(store: Store) -> tuple[int, int]:
    """How many views and clicks the log holds, doubtful ones too, and those since forgotten."""
    with store.reading() as connection:
        views, clicks = (
            sum(int(connection.scalar(sql.text(query)) or 0) for query in queries)
            for queries in (
                ("SELECT COUNT(*) FROM views", "SELECT SUM(n) FROM past_views"),
                ("SELECT COUNT(*) FROM clicks", "SELECT SUM(n) FROM past_clicks"),
            )
        )
    return views, clicks


def readings_of_pages(store: Store, *, caps: Caps | None = None) -> dict[str, int]:
    """How often each page was read, by id, less what is flagged: the views of its lists, or its
    page views where these are more, since sites log the one, the other, or both.
    """
    with store.snapshot() as connection:
        limit = {**until_of(None), **limits(connection, caps or Caps())}
        known = ids_by_key(connection)
        found: dict[str, int] = {}
        for statement in (VIEWS_OF_PAGES, PAGE_VIEWS):
            for row in connection.execute(query(statement, limit), limit):
                id = known[row.article]
                found[id] = max(found.get(id, 0), int(row.n))
    return found


def n_ahead(store: Store, latest: int) -> int:
    """How many views are later than ``latest`` (milliseconds since 1970, UTC)."""
    with store.reading() as connection:
        query = sql.text("SELECT COUNT(*) FROM views WHERE ts > :latest")
        return int(connection.scalar(query, {"latest": latest}) or 0)


def until_of(until: int | None) -> dict[str, int]:
    """The parameters ``until`` and ``until_day`` of the statements."""
    until = until if until is not None else np.iinfo(np.int64).max
    return {"until": until, "until_day": -(-until // DAY_MS)}


def _window(first: int | None, last: int | None, days: np.ndarray) -> tuple[int | None, int | None]:
    """The first and the last moment of the log; of what is forgotten, its first and last day."""
    if len(days) == 0:
        return first, last
    start, end = int(days.min()) * DAY_MS, int(days.max() + 1) * DAY_MS - 1
    # Within a day whose views are still there, their own moments are more exact.
    first = start if first is None or first // DAY_MS > days.min() else first
    last = end if last is None or last // DAY_MS < days.max() else last
    return first, last


def numbers_of(known: Mapping[int, str], ids: Sequence[str]) -> np.ndarray:
    """From the keys of ids to the build's numbers, ``UNKNOWN`` for an id that it does not have."""
    place = {id: number for number, id in enumerate(ids)}
    number = np.full(max(known, default=0) + 1, UNKNOWN, dtype=np.int32)
    for key, id in known.items():
        number[key] = place.get(id, UNKNOWN)
    return number


def _in_order(
    table: Mapping[str, np.ndarray], number: np.ndarray, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """What was counted of articles, columns ``names``, on days, with their numbers, in order."""
    columns = {"day": table["day"].astype(np.int32)}
    columns |= {name: _numbered(number, table[name]) for name in names} | {"n": table["n"]}
    order = np.lexsort([*columns.values()][::-1])
    return {name: column[order] for name, column in columns.items()}


def _n_missing(known: Mapping[int, str], slates: Slates) -> int:
    """How many numbers in slates stand for no id."""
    used = np.union1d(slates.source, slates.item)
    return len(np.setdiff1d(used, [*known]))


def _numbered(number: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The build's numbers of ``keys``, ``UNKNOWN`` for one that stands for no id."""
    known = (keys >= 0) & (keys < len(number))
    return np.where(known, number[np.where(known, keys, 0)], UNKNOWN).astype(np.int32)


def _readings(connection: Connection, limit: dict[str, Any]) -> tuple[dict[str, np.ndarray], int]:
    """Session, day and article of every reading, sessions numbered, overlong ones left out; and of
    how many sessions there was no room for more. The same as ``queries.kept_visits``.
    """
    read = columns(connection, SOUND + READINGS, limit, texts={"session": hashed})
    # A session over midnight reads an article once, on the first day.
    order = np.lexsort((read["day"], read["article"], read["session"]))
    session, day, article = (read[name][order] for name in ("session", "day", "article"))
    first = (np.diff(session, prepend=-1) != 0) | (np.diff(article, prepend=-1) != 0)
    session, day, article = session[first], day[first], article[first]
    begins = np.diff(session, prepend=~session[:1]) != 0
    session = np.cumsum(begins) - 1
    starts = np.flatnonzero(begins)
    n_read = np.diff(np.append(starts, len(session)))
    n_left = 0
    if len(session):
        added = np.add.reduceat(article * FACTOR, starts)
        draw = np.fmod(added + np.minimum.reduceat(day, starts) * DAY_FACTOR, MODULUS)
        order = np.lexsort((draw, n_read))
        together = np.cumsum(n_read[order] ** 2)
        # Of visits alike all are in, or none.
        alike = np.append((np.diff(n_read[order]) != 0) | (np.diff(draw[order]) != 0), True)
        upto = together[alike][np.cumsum(alike) - alike]
        fits = np.zeros(len(n_read), dtype=bool)
        fits[order] = upto <= MAX_READ_TOGETHER
        one_reader = n_read <= MAX_READ_IN_SESSION
        kept = (one_reader & fits)[session]
        n_left = int((one_reader & ~fits).sum())
        session, day, article = session[kept], day[kept], article[kept]
    return {"session": session, "day": day, "article": article}, n_left
