"""Held-out views, whole: the slates readers saw and the links they followed.

The learner works from counts; judging takes each view with its whole slate, and keeps the
session, because the views of one visit are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sql

from recommender.ragged import expand
from recommender.store.click_filters import FLAGGED, Caps
from recommender.store.database import Store

VIEWS = (
    FLAGGED
    + """
    SELECT v.view_id AS view_id, v.ts AS ts, v.slate AS slate, v.session AS session, c.item AS item
    FROM sound v JOIN clicks c ON c.view_id = v.view_id
    WHERE v.ts > :after
    ORDER BY v.ts, v.view_id, c.item
"""
)
N_VIEWS = FLAGGED + "SELECT COUNT(*) FROM sound WHERE ts > :after"
SHOWN = (
    FLAGGED
    + """
    SELECT slate, layout, COUNT(*) AS n FROM sound WHERE ts > :after
    GROUP BY slate, layout ORDER BY slate, layout
"""
)
FOLLOWED = (
    FLAGGED
    + """
    SELECT v.slate AS slate, v.layout AS layout, c.item AS item, COUNT(*) AS n
    FROM sound v JOIN clicks c ON c.view_id = v.view_id
    WHERE v.ts > :after
    GROUP BY v.slate, v.layout, c.item
"""
)
SLATES = "SELECT slate, source, ordered FROM slates ORDER BY slate"
LINKS = "SELECT slate, item, position FROM slate_links ORDER BY slate, rank"


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """All views, clicked or not, of links by layout: ``link`` (a number into ``items`` of
    ``Views``), its ``position`` (0 where unknown) and ``layout`` (a number into ``layouts``), how
    often it was ``shown`` there and how often followed, ``clicks``.
    """

    link: np.ndarray
    position: np.ndarray
    layout: np.ndarray
    layouts: list[str]
    shown: np.ndarray
    clicks: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Clicked views of slates with at least two links.

    Slate ``s`` stood beside article ``source[s]`` and held ``items[heads[s]:heads[s + 1]]`` in the
    order shown; ``ordered[s]`` says whether that order is known. View ``v`` showed ``slate[v]`` at
    ``ts[v]`` (milliseconds since 1970) in ``session[v]``. The followed links are ``followed``
    (numbers into ``items``), of view ``of_view``, ascending. ``n_shown`` counts all views, clicked
    or not; ``tally`` does so link by link.
    """

    source: list[str]
    heads: np.ndarray
    items: list[str]
    ordered: np.ndarray
    slate: np.ndarray
    ts: np.ndarray
    session: np.ndarray
    of_view: np.ndarray
    followed: np.ndarray
    n_shown: int
    tally: Tally

    @property
    def size(self) -> np.ndarray:
        """How many links each view showed."""
        sizes: np.ndarray = np.diff(self.heads)[self.slate]
        return sizes


def clicked_views(store: Store, *, after: int = -1, caps: Caps | None = None) -> Views:
    """The views later than ``after`` (milliseconds since 1970) in which something was followed,
    less what is flagged under ``caps``.
    """
    with store.reading() as connection:
        limit = {"after": after, **(caps or Caps()).limits(connection)}
        names = {row.key: row.id for row in connection.execute(sql.text("SELECT key, id FROM ids"))}
        slates = connection.execute(sql.text(SLATES)).all()
        links = connection.execute(sql.text(LINKS)).all()
        rows = connection.execute(sql.text(VIEWS), limit).all()
        n_shown = int(connection.scalar(sql.text(N_VIEWS), limit) or 0)
        shown = connection.execute(sql.text(SHOWN), limit).all()
        clicks = connection.execute(sql.text(FOLLOWED), limit).all()
    sizes = np.bincount([row.slate - 1 for row in links], minlength=len(slates))
    heads = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    place: dict[tuple[int, int], int] = {}
    for at, row in enumerate(links):
        place.setdefault((row.slate, row.item), at)
    number: dict[str, int] = {}
    sessions: dict[str, int] = {}
    slate, ts, session, of_view, followed = [], [], [], [], []
    for row in rows:
        link = place.get((row.slate, row.item))
        if link is None or sizes[row.slate - 1] < 2:
            continue
        if row.view_id not in number:
            number[row.view_id] = len(number)
            slate.append(row.slate - 1)
            ts.append(row.ts)
            # A view without a session is a visit of its own.
            session.append(sessions.setdefault(row.session or f"\0{row.view_id}", len(sessions)))
        of_view.append(number[row.view_id])
        followed.append(link)
    return Views(
        source=[names[row.source] for row in slates],
        heads=heads,
        items=[names[row.item] for row in links],
        ordered=np.array([bool(row.ordered) for row in slates], dtype=bool),
        slate=np.array(slate, dtype=np.int64),
        ts=np.array(ts, dtype=np.int64),
        session=np.array(session, dtype=np.int64),
        of_view=np.array(of_view, dtype=np.int64),
        followed=np.array(followed, dtype=np.int64),
        n_shown=n_shown,
        tally=_tally(shown, clicks, heads, place, np.array([row.position or 0 for row in links])),
    )


def _tally(
    shown: Sequence[Any],
    clicks: Sequence[Any],
    heads: np.ndarray,
    place: dict[tuple[int, int], int],
    position: np.ndarray,
) -> Tally:
    slate = np.array([row.slate - 1 for row in shown], dtype=np.int64)
    sizes = np.diff(heads)[slate]
    starts = np.cumsum(sizes) - sizes
    link, _ = expand(heads[slate], sizes)
    layouts = sorted({row.layout for row in shown})
    layout = np.array([layouts.index(row.layout) for row in shown], dtype=np.int64)
    start_of = {
        (row.slate, row.layout): start - heads[row.slate - 1]
        for row, start in zip(shown, starts, strict=True)
    }
    made = np.zeros(len(link))
    for row in clicks:
        followed = place.get((row.slate, row.item))
        if followed is not None:
            made[start_of[row.slate, row.layout] + followed] += row.n
    views = np.repeat([row.n for row in shown], sizes)
    return Tally(link, position[link], np.repeat(layout, sizes), layouts, views, made)
