"""The log as it happened: every view with its slate, the chance of each link at its place, and
what was followed.

Learning makes do with daily counts and judging an order with the views that were followed; what
other lists would have won takes all views, and to which visit each belongs, since the views of one
visit are not independent. Ten million views are a few arrays of whole numbers here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.ragged import expand
from recommender.store.click_filters import FLAGGED, Caps
from recommender.store.database import Store
from recommender.store.queries import Names, columns

# Views of one visit stand together, so that nobody has to remember the visits. A link that stands
# twice in a slate is credited where it stands first.
VIEWS = (
    FLAGGED
    + """
    SELECT v.session AS session, v.view_id AS view_id, v.slate AS slate, v.layout AS layout,
        (SELECT MIN(l.rank) FROM slate_links l WHERE l.slate = v.slate AND l.item = c.item) AS rank
    FROM sound v LEFT JOIN clicks c ON c.view_id = v.view_id
    WHERE v.ts > :after
    ORDER BY v.session, v.view_id, rank
"""
)
N_UNTIL = FLAGGED + "SELECT COUNT(*) FROM sound WHERE ts <= :until"
# Rows that are fetched at a time.
ROWS = 50_000
SLATES = "SELECT slate, source, ordered FROM slates ORDER BY slate"
LINKS = "SELECT slate, item, propensity FROM slate_links ORDER BY slate, rank"


@dataclass(frozen=True, slots=True, eq=False)
class Logged:
    """Views, and the slates they showed.

    Slates, each in one layout: ``source`` (a number into ``ids``), ``layout`` (into ``layouts``),
    ``ordered`` (are the places known?), and ``heads`` such that links ``heads[s]`` to
    ``heads[s + 1]`` belong to slate ``s``, in the order shown. Links: ``item`` (into ``ids``) and
    ``chance``, with which the page put this item there (NaN where unknown). Views: ``slate`` and
    ``session``. Clicks: ``click_view`` and ``click_link``.
    """

    ids: list[str]
    layouts: list[str]
    source: np.ndarray
    layout: np.ndarray
    ordered: np.ndarray
    heads: np.ndarray
    item: np.ndarray
    chance: np.ndarray
    slate: np.ndarray
    session: np.ndarray
    click_view: np.ndarray
    click_link: np.ndarray

    @property
    def size(self) -> np.ndarray:
        """How many links each slate has."""
        return np.diff(self.heads)

    @property
    def link_slate(self) -> np.ndarray:
        """The slate of each link."""
        return np.repeat(np.arange(len(self.source)), self.size)

    @property
    def place(self) -> np.ndarray:
        """Where each link stands, counted from 0."""
        found: np.ndarray = np.arange(len(self.item)) - np.repeat(self.heads[:-1], self.size)
        return found

    @property
    def n_sessions(self) -> int:
        """How many visits there are."""
        return int(self.session.max(initial=-1)) + 1

    @property
    def by_lot(self) -> np.ndarray:
        """Of which slates the chance of every link at its place is known, ``(n_slates,)``."""
        unknown = np.bincount(
            self.link_slate, weights=np.isnan(self.chance), minlength=len(self.source)
        )
        known: np.ndarray = self.ordered & (unknown == 0) & (self.size > 0)
        return known

    def views_of(self, slates: np.ndarray) -> Logged:
        """Only the views of these slates, a mask ``(n_slates,)``."""
        kept = slates[self.slate]
        number = np.cumsum(kept) - 1
        clicks = kept[self.click_view]
        return replace(
            self,
            slate=self.slate[kept],
            session=np.unique(self.session[kept], return_inverse=True)[1],
            click_view=number[self.click_view[clicks]],
            click_link=self.click_link[clicks],
        )


def read(store: Store, *, after: int = -1, caps: Caps | None = None) -> Logged:
    """The views later than ``after`` (milliseconds since 1970), less what is flagged under
    ``caps``.
    """
    with store.reading() as connection:
        limit = {"after": after, **(caps or Caps()).limits(connection)}
        layouts = Names()
        stored, layout, session, click_view, rank = _views(connection, limit, layouts)
        slates = columns(connection, SLATES, "qqq", {})
        links = columns(connection, LINKS, "qqd", {})
        names = {row.key: row.id for row in connection.execute(sql.text("SELECT key, id FROM ids"))}
    keys, slate = np.unique(stored * max(1, len(layouts)) + layout, return_inverse=True)
    stored, layout = np.divmod(keys, max(1, len(layouts)))
    # The store numbers slates from 1 without gaps, so a slate's number is its place.
    ends = np.cumsum(np.bincount(links[0] - 1, minlength=len(slates[0])))
    sizes = np.diff(ends, prepend=0)[stored]
    heads = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    link, _ = expand(ends[stored] - sizes, sizes)
    source, item = slates[1][stored], links[1][link]
    used, number = np.unique(np.concatenate([source, item]), return_inverse=True)
    return Logged(
        ids=[names[key] for key in used.tolist()],
        layouts=list(layouts),
        source=number[: len(source)].astype(np.int32),
        layout=layout.astype(np.int32),
        ordered=slates[2][stored].astype(bool),
        heads=heads,
        item=number[len(source) :].astype(np.int32),
        chance=links[2][link],
        slate=slate.astype(np.int32),
        session=session,
        click_view=click_view,
        click_link=heads[slate[click_view]] + rank - 1,
    )


def n_until(store: Store, until: int, *, caps: Caps | None = None) -> int:
    """How many views there are up to this moment, flagged ones aside."""
    with store.reading() as connection:
        limit = {"until": until, **(caps or Caps()).limits(connection)}
        return int(connection.scalar(sql.text(N_UNTIL), limit) or 0)


def _views(connection: Connection, limit: dict[str, int], layouts: Names) -> list[np.ndarray]:
    """Of each view the store's slate, layout and visit; of each click its view and rank."""
    result = connection.execution_options(yield_per=ROWS).execute(sql.text(VIEWS), limit)
    parts: list[list[np.ndarray]] = [[np.zeros(0, dtype=np.int64)] for _ in range(5)]
    n_views, n_sessions, last_view, last_session = 0, 0, None, None
    for rows in result.partitions(ROWS):
        session, view, slate, layout, rank = (_objects(part) for part in zip(*rows, strict=True))
        new = view != np.concatenate([[last_view], view[:-1]])
        # A view without a session is a visit of its own.
        other = new & (
            (session == "") | (session != np.concatenate([[last_session], session[:-1]]))
        )
        clicked = rank != None  # noqa: E711 - element by element
        layout = np.array([layouts.of(name) for name in layout[new]], dtype=np.int64)
        found = (
            slate[new].astype(np.int64) - 1,
            layout,
            n_sessions - 1 + np.cumsum(other)[new],
            (n_views - 1 + np.cumsum(new))[clicked],
            rank[clicked].astype(np.int64),
        )
        for part, values in zip(parts, found, strict=True):
            part.append(values)
        n_views, n_sessions = n_views + int(new.sum()), n_sessions + int(other.sum())
        last_view, last_session = view[-1], session[-1]
    return [np.concatenate(part) for part in parts]


def _objects(values: tuple[Any, ...]) -> np.ndarray:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found
