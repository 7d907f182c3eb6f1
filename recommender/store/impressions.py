"""The log as it happened: every view with its slate, the chance of each link at its place, and
what was followed.

Learning makes do with daily counts. Judging an order of links takes the views in which something
was followed, and judging other lists takes all of them; both need to know to which visit each view
belongs, since the views of one visit are not independent. Ten million views are a few arrays of
whole numbers here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recommender.events.event import DAY_MS
from recommender.store import slates
from recommender.store.click_filters import ANY_NUMBER, SOUND, Caps, limits
from recommender.store.database import Store
from recommender.store.queries import Names, columns, ids_by_key

# The database numbers views and visits, so that nobody has to remember their names. A view without
# a session is a visit of its own. A link that stands twice in a slate is credited where it stands
# first.
VIEWS = (
    SOUND
    + """
    SELECT DENSE_RANK() OVER (ORDER BY v.ts, v.view_id) AS view,
        DENSE_RANK() OVER (
            ORDER BY v.session, CASE WHEN v.session = '' THEN v.view_id ELSE '' END
        ) AS session,
        v.ts AS ts, v.slate AS slate, v.layout AS layout, v.live AS live,
        (SELECT MIN(l.rank) FROM slate_links l WHERE l.slate = v.slate AND l.item = c.item) AS rank
    FROM sound v LEFT JOIN clicks c ON c.view_id = v.view_id
    WHERE v.ts > :after AND v.ts <= :latest
    ORDER BY view, rank
"""
)


ANY_TIME = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Impressions:
    """Views in the order of time, and the slates they showed.

    Slates, each in one layout, ``(n_slates,)``: ``source`` (a number into ``ids``, which are
    sorted), ``layout`` (into ``layouts``, sorted), ``ordered`` (are the places known?). Links
    ``heads[s]`` to ``heads[s + 1]`` belong to slate ``s``, in the order shown; ``heads`` is
    ``(n_slates + 1,)``. Links, ``(n_links,)``: ``item`` (into ``ids``), ``propensity``, the
    chance with which the page put this item there (NaN where unknown), and ``brought``, whether it
    stood there only because a request asked for it. Views, ``(n_views,)``: ``slate``, ``ts``
    (milliseconds since 1970, UTC), ``session`` (numbered from 0) and ``live``, whether a page sent
    it. Clicks, ``(n_clicks,)``: ``click_view``, ascending, and ``click_link``.
    """

    ids: list[str]
    layouts: list[str]
    source: np.ndarray
    layout: np.ndarray
    ordered: np.ndarray
    heads: np.ndarray
    item: np.ndarray
    propensity: np.ndarray
    slate: np.ndarray
    ts: np.ndarray
    session: np.ndarray
    click_view: np.ndarray
    click_link: np.ndarray
    live: np.ndarray
    brought: np.ndarray

    @property
    def size(self) -> np.ndarray:
        """How many links each slate has, ``(n_slates,)``."""
        return np.diff(self.heads)

    @property
    def link_slate(self) -> np.ndarray:
        """The slate of each link, ``(n_links,)``."""
        return np.repeat(np.arange(len(self.source)), self.size)

    @property
    def place(self) -> np.ndarray:
        """Where each link stands, counted from 0, ``(n_links,)``."""
        return np.arange(len(self.item)) - np.repeat(self.heads[:-1], self.size)

    @property
    def n_sessions(self) -> int:
        """How many visits there are."""
        return int(self.session.max(initial=-1)) + 1

    @property
    def randomised(self) -> np.ndarray:
        """Of which slates the chance of every link at its place is known, ``(n_slates,)``."""
        unknown = np.bincount(
            self.link_slate, weights=np.isnan(self.propensity), minlength=len(self.source)
        )
        return self.ordered & (unknown == 0) & (self.size > 0)

    def shown_and_clicked(self) -> tuple[np.ndarray, np.ndarray]:
        """How often each link was shown and followed; both ``(n_links,)``."""
        views = np.bincount(self.slate, minlength=len(self.source))
        clicks = np.bincount(self.click_link, minlength=len(self.item))
        return np.repeat(views, self.size), clicks

    def views_of(self, slates: np.ndarray) -> Impressions:
        """Only the views of these slates, a mask ``(n_slates,)``."""
        return self.only(slates[self.slate])

    def followed(self) -> Impressions:
        """Only the views in which a link was followed that stood beside another: those by which
        an order of the links can be judged.
        """
        n_clicks = np.bincount(self.click_view, minlength=len(self.slate))
        return self.only((n_clicks > 0) & (self.size[self.slate] >= 2))

    def only(self, views: np.ndarray, clicks: np.ndarray | None = None) -> Impressions:
        """Of these views, a mask ``(n_views,)``, all clicks or those of a mask ``(n_clicks,)``;
        visits and views are numbered anew, slates and links remain.
        """
        number = np.cumsum(views) - 1
        clicks = views[self.click_view] & (True if clicks is None else clicks)
        return replace(
            self,
            slate=self.slate[views],
            ts=self.ts[views],
            live=self.live[views],
            session=_as_met(self.session[views]),
            click_view=number[self.click_view[clicks]],
            click_link=self.click_link[clicks],
        )


def read(
    store: Store, *, after: int = -1, latest: int | None = None, caps: Caps | None = None
) -> Impressions:
    """The views later than ``after`` (exclusive) and no later than ``latest`` (None: any), both in
    milliseconds since 1970, UTC, less what is flagged under ``caps``.
    """
    names = Names()
    with store.reading() as connection:
        ends = ANY_NUMBER if latest is None else min(ANY_NUMBER, int(latest) // DAY_MS + 1)
        limit = {"after": after, "latest": int(ANY_TIME if latest is None else latest)}
        limit |= limits(connection, caps or Caps(), until_day=ends)
        rows = columns(connection, VIEWS, limit, texts={"layout": names.of}, floats=("rank",))
        stored = slates.read(connection)
        id_of = ids_by_key(connection)
    clicked = ~np.isnan(rows["rank"])
    click_view = rows["view"][clicked] - 1
    rank = rows["rank"][clicked].astype(np.int64)
    first = np.diff(rows["view"], prepend=0) > 0
    views = {name: column[first] for name, column in rows.items()}
    layouts = sorted(names)
    layout = np.argsort([names[name] for name in layouts])[views["layout"]]
    keys, slate = np.unique(
        stored.rows(views["slate"]) * max(1, len(layouts)) + layout, return_inverse=True
    )
    row, layout = np.divmod(keys, max(1, len(layouts)))
    heads, links = stored.links_of(row)
    used, number = np.unique(
        np.concatenate([stored.source[row], stored.item[links]]), return_inverse=True
    )
    ids = [id_of[key] for key in used.tolist()]
    order = sorted(range(len(ids)), key=ids.__getitem__)
    number = np.argsort(order)[number].astype(np.int32)
    return Impressions(
        ids=[ids[at] for at in order],
        layouts=layouts,
        source=number[: len(row)],
        layout=layout.astype(np.int32),
        ordered=stored.ordered[row],
        heads=heads,
        item=number[len(row) :],
        propensity=stored.propensity[links],
        slate=slate.astype(np.int32),
        ts=views["ts"],
        session=_as_met(views["session"]),
        click_view=click_view,
        click_link=heads[slate[click_view]] + rank - 1,
        live=views["live"].astype(bool),
        brought=stored.brought[links],
    )


def _as_met(numbers: np.ndarray) -> np.ndarray:
    """Numbers from 0 instead, in the order in which they are met."""
    _, first, number = np.unique(numbers, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number]
