"""Views whose links came in several records, put together.

Tags report long lists in parts, link by link as they scroll into view, or again when more were
loaded; exports hold each part as a record of its own, in any order. What is known of such a view
are its pieces, and its slate follows from them alone, whichever came first: each piece stands where
its places say, and where these are taken by other links, behind what is there, in the order of
time. A link that is there already is no new one.

Of a view in one piece, as nearly all are, nothing is kept but its slate. Pieces that agree on their
places become one; others are kept, since one that is still to come may belong between them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.events.event import MAX_SHOWN, Impression
from recommender.events.slate_token import Slate
from recommender.store.keys import chunks, lock_numbers, look_up, number_slates

# Views that are settled in one transaction: a tenth of a second's work. Not tuned.
SETTLED_AT_ONCE = 1_000


class Piece(NamedTuple):
    """Links of a list, in order, and where they stand: the first ones if there are no ``places``.
    ``chances`` are as in ``Slate``.
    """

    items: Sequence[Any]
    places: Sequence[int]
    chances: Sequence[float | None] | None
    ordered: bool


class Whole(NamedTuple):
    """What pieces are together; whether each of them brought a link; whether they agreed on the
    places.
    """

    piece: Piece
    added: list[bool]
    agreed: bool


def put_together(pieces: Sequence[Piece]) -> Whole:
    """The list of which these are pieces, in the order of time.

    >>> parts = [Piece("ab", (), None, True), Piece("ef", (5, 6), None, True),
    ...          Piece("cd", (3, 4), None, True)]
    >>> "".join(put_together(parts).piece.items)
    'abcdef'
    """
    at: dict[int, tuple[Any, float | None]] = {}
    added, behind = [False] * len(pieces), []
    for number, piece in enumerate(pieces):
        links = [*zip(_places(piece), piece.items, _chances(piece), strict=True)]
        free = all(place not in at or at[place][0] == item for place, item, _ in links)
        if piece.ordered and free:
            for place, item, chance in links:
                if place not in at and len(at) < MAX_SHOWN:
                    at[place], added[number] = (item, chance), True
        else:
            behind.append(number)
    end = max(at, default=0)
    known = {item for item, _ in at.values()}
    for number in behind:
        piece = pieces[number]
        brought = zip(piece.items, _chances(piece), strict=True)
        for item, chance in [link for link in brought if link[0] not in known]:
            if len(at) < MAX_SHOWN:
                end += 1
                at[end], added[number] = (item, chance), True
                known.add(item)
    places = sorted(at)
    chances = [at[place][1] for place in places]
    whole = Piece(
        items=tuple(at[place][0] for place in places),
        places=() if places == [*range(1, len(places) + 1)] else tuple(places),
        chances=None if all(chance is None for chance in chances) else tuple(chances),
        ordered=all(piece.ordered for piece in pieces),
    )
    return Whole(whole, added, not behind)


def _places(piece: Piece) -> Sequence[int]:
    return piece.places or range(1, len(piece.items) + 1)


def _chances(piece: Piece) -> Sequence[float | None]:
    return piece.chances or (None,) * len(piece.items)


def joined(impressions: Sequence[Impression]) -> tuple[dict[int, Impression], list[bool]]:
    """The impressions of one view in as few as say the same, each under the place of one that it
    stands for; and of each place whether it brought a link. Those of another page than the first
    bring none.
    """
    source = impressions[0].source_id
    order = sorted(
        (at for at, each in enumerate(impressions) if each.source_id == source),
        key=lambda at: (impressions[at].ts, impressions[at].nth),
    )
    whole = put_together([_piece(impressions[at]) for at in order])
    added = [False] * len(impressions)
    for at, is_new in zip(order, whole.added, strict=True):
        added[at] = is_new
    first = impressions[order[0]]
    named: dict[str, Any] = {
        name: next((value for at in order if (value := getattr(impressions[at], name))), "")
        for name in ("session_id", "layout", "list", "arm")
    }
    first = first._replace(**named)
    if whole.agreed:
        piece = whole.piece
        one = first._replace(
            shown=tuple(piece.items), places=tuple(piece.places) or None,
            propensities=None if piece.chances is None else tuple(piece.chances),
            ordered=piece.ordered,
        )  # fmt: skip
        return {order[0]: one}, added
    return {at: impressions[at] for at in order} | {order[0]: first}, added


def _piece(impression: Impression) -> Piece:
    return Piece(
        impression.shown, impression.places or (), impression.propensities, impression.ordered
    )


class Stored(NamedTuple):
    """A piece of a view that is kept: its slate's number, its time, and its turn to come."""

    slate: int
    ts: int
    nth: int
    came: int


class Kept(NamedTuple):
    """Which impressions are ``new``, with the links that they bring, by their numbers; which are of
    a view ``elsewhere``, on another page; and the views ``to_settle``.
    """

    new: dict[int, set[int]]
    elsewhere: set[int]
    to_settle: set[str]


def _is_there(
    view: Any, kept: Mapping[str, Sequence[Stored]], event: Impression, slate: int
) -> bool:
    """Whether the view shows just this, or has this piece, and no later."""
    if view.slate == slate and view.ts <= event.ts:
        return True
    when = event.ts, event.nth
    return any(piece.slate == slate and piece[1:3] <= when for piece in kept[event.view_id])


def _with(pieces: Sequence[Stored], event: Impression, slate: int) -> list[Stored]:
    """The pieces and one more, in place of the same at a later time, if it is not there earlier."""
    if any(piece.slate == slate and piece[1:3] <= (event.ts, event.nth) for piece in pieces):
        return [*pieces]
    came = max(piece.came for piece in pieces) + 1
    others = [piece for piece in pieces if piece.slate != slate]
    return [*others, Stored(slate, event.ts, event.nth, came)]


class Pieces:
    """Keeps the pieces of views that are in the store already, on the transaction that writes."""

    def __init__(self, connection: Connection, contents: dict[int, Slate]) -> None:
        """``contents`` are slates by their numbers, as far as they have been read."""
        self.connection = connection
        self.contents = contents

    def keep(self, impressions: Mapping[int, tuple[Impression, int]]) -> Kept:
        """Keep ``impressions``, each under any number and with that of its slate, whose views are
        in the store.
        """
        of_view = {event.view_id for event, _ in impressions.values()}
        done = Kept({}, set(), set())
        if not of_view:
            return done
        views, kept = self._views(of_view), self._kept(of_view)
        # What a page sent is whole.
        kept = {
            view.view_id: kept.get(view.view_id, [Stored(view.slate, view.ts, 0, 0)])
            for view in views.values()
            if not view.live and view.variant is None
        }
        found = {
            at: (event, slate)
            for at, (event, slate) in impressions.items()
            if event.view_id in kept and not _is_there(views[event.view_id], kept, event, slate)
        }
        of_views: dict[str, dict[int, tuple[Impression, int]]] = {}
        for at, (event, slate) in found.items():
            of_views.setdefault(event.view_id, {})[at] = event, slate
        self._read({slate for _, slate in found.values()}
                   | {piece.slate for view_id in of_views for piece in kept[view_id]})  # fmt: skip
        rows: list[dict[str, Any]] = []
        for view_id, several in of_views.items():
            before = kept[view_id]
            source = self.contents[before[0].slate].source
            there = {
                at: one for at, one in several.items() if self.contents[one[1]].source == source
            }
            done.elsewhere.update(several.keys() - there.keys())
            kept[view_id], brought = self._grown(before, there.values())
            for at, (_, slate) in there.items():
                if slate in brought:
                    done.new[at] = brought.pop(slate)
            if kept[view_id] != before:
                done.to_settle.add(view_id)
            self._fill(views[view_id], [event for event, _ in there.values()])
        for view_id in sorted(done.to_settle):
            rows += [{"view_id": view_id, **piece._asdict()} for piece in kept[view_id]]
        for part in chunks(rows, SETTLED_AT_ONCE):
            self.connection.execute(KEEP, part)
        return done

    def settle(self, view_ids: Iterable[str]) -> None:
        """Give these views the slates that follow from their pieces, first in a transaction."""
        lock_numbers(self.connection)  # before the views: who writes events numbers first as well
        views, kept = self._views(view_ids), self._kept(view_ids)
        self._read({piece.slate for pieces in kept.values() for piece in pieces})
        slates, rows = [], []
        for view_id in sorted(views.keys() & kept.keys()):
            pieces = kept[view_id]
            slates.append(self._whole(pieces)[0])
            rows.append({"view_id": view_id, "ts": min(piece.ts for piece in pieces)})
        numbers = number_slates(self.connection, slates)
        for row, slate in zip(rows, numbers, strict=True):
            row["slate"] = slate
        done = [{"view_id": view_id} for view_id in kept]
        if rows:
            self.connection.execute(PUT, rows)
        if done:
            self.connection.execute(DONE, done)

    def _views(self, view_ids: Iterable[str]) -> dict[str, Any]:
        query = (
            "SELECT view_id, ts, slate, live, variant, session, layout, arm FROM views "
            "WHERE view_id IN :values"
        )
        if self.connection.dialect.name == "postgresql":
            # In one order, or two processes would wait for each other.
            query += " ORDER BY view_id FOR UPDATE"
        return {row.view_id: row for row in look_up(self.connection, query, sorted(view_ids))}

    def _kept(self, view_ids: Iterable[str]) -> dict[str, list[Stored]]:
        query = "SELECT view_id, slate, ts, nth, came FROM pieces WHERE view_id IN :values"
        found: dict[str, list[Stored]] = {}
        for row in look_up(self.connection, query, sorted(view_ids)):
            found.setdefault(row.view_id, []).append(Stored(*row[1:]))
        return found

    def _grown(
        self, before: list[Stored], events: Collection[tuple[Impression, int]]
    ) -> tuple[list[Stored], dict[int, set[int]]]:
        """The pieces of a view with these as well, put together once for all of them; and the links
        that new ones bring, by their slates.
        """
        pieces = before
        for event, slate in events:
            pieces = _with(pieces, event, slate)
        _, added, order = self._whole(pieces)
        there = {piece.slate for piece in before}
        new = {slate for _, slate in events} - there
        useless = set()
        # Those that bring nothing and come last will bring nothing.
        for slate, brings in zip(reversed(order), reversed(added), strict=True):
            if brings or slate not in new:
                break
            useless.add(slate)
        known = {item for slate in there for item in self.contents[slate].items}
        brought: dict[int, set[int]] = {}
        for slate, brings in zip(order, added, strict=True):
            if brings and slate in new:
                brought[slate] = {*self.contents[slate].items} - known
                known |= brought[slate]
        return [piece for piece in pieces if piece.slate not in useless], brought

    def _fill(self, view: Any, events: Iterable[Impression]) -> None:
        """Give a view what it was without and a piece of it has."""
        ordered = sorted(events, key=lambda event: (event.ts, event.nth))
        given = {
            column: next((value for event in ordered if (value := getattr(event, name))), "")
            for column, name in (("session", "session_id"), ("layout", "layout"), ("arm", "arm"))
            if not getattr(view, column)
        }
        if any(given.values()):
            row = {"view_id": view.view_id, "session": "", "layout": "", "arm": "", **given}
            self.connection.execute(FILL, row)

    def _whole(self, pieces: Iterable[Stored]) -> tuple[Slate, list[bool], list[int]]:
        """The slate of the pieces; of each, in the order of time, whether it brings a link; and
        the numbers of their slates in that order.
        """
        order = [piece.slate for piece in sorted(pieces, key=itemgetter(1, 2, 3))]
        slates = [self.contents[slate] for slate in order]
        whole = put_together(
            [Piece(each.items, each.places, each.chances, each.ordered) for each in slates]
        )
        piece = whole.piece
        slate = slates[0]._replace(
            list=next((slate.list for slate in slates if slate.list), ""),
            items=tuple(piece.items), places=tuple(piece.places), ordered=piece.ordered,
            chances=None if piece.chances is None else tuple(piece.chances),
        )  # fmt: skip
        return slate, whole.added, order

    def _read(self, numbers: Iterable[int]) -> None:
        """Know the contents of these slates."""
        missing = sorted(set(numbers) - self.contents.keys())
        query = (
            "SELECT slate, item, position, propensity FROM slate_links WHERE slate IN :values "
            "ORDER BY slate, rank"
        )
        links: dict[int, list[Any]] = {}
        for row in look_up(self.connection, query, missing):
            links.setdefault(row.slate, []).append(row)
        query = "SELECT slate, source, list, ordered FROM slates WHERE slate IN :values"
        for row in look_up(self.connection, query, missing):
            found = links.get(row.slate, [])
            chances = tuple(link.propensity for link in found)
            places = tuple(link.position for link in found) if row.ordered else ()
            self.contents[row.slate] = Slate(
                list=row.list, variant=None, arm="", source=row.source,
                items=tuple(link.item for link in found), origins=(),
                chances=None if all(chance is None for chance in chances) else chances,
                ordered=bool(row.ordered),
                places=() if places == tuple(range(1, len(found) + 1)) else places,
            )  # fmt: skip


KEEP = sql.text(
    "INSERT INTO pieces (view_id, slate, ts, nth, came, settled) "
    "VALUES (:view_id, :slate, :ts, :nth, :came, 0) "
    "ON CONFLICT (view_id, slate) DO UPDATE SET ts = excluded.ts, nth = excluded.nth, settled = 0"
)
PUT = sql.text("UPDATE views SET slate = :slate, ts = :ts WHERE view_id = :view_id")
FILL = sql.text(
    "UPDATE views SET session = COALESCE(NULLIF(session, ''), :session), "
    "layout = COALESCE(NULLIF(layout, ''), :layout), arm = COALESCE(NULLIF(arm, ''), :arm) "
    "WHERE view_id = :view_id"
)
DONE = sql.text("UPDATE pieces SET settled = 1 WHERE view_id = :view_id AND settled = 0")
UNSETTLED = "SELECT DISTINCT view_id FROM pieces WHERE settled = 0 ORDER BY view_id LIMIT :most"


def settle_some(connection: Connection) -> bool:
    """Settle some of the views whose pieces have changed, whoever brought these; false if there
    were none.
    """
    found = connection.scalars(sql.text(UNSETTLED), {"most": SETTLED_AT_ONCE}).all()
    Pieces(connection, {}).settle(found)
    return bool(found)
