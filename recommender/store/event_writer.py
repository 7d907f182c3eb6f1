"""The one writer of views, clicks and page views, whether files bring them or pages send them.

Of each event it answers whether it was new. A page waits for that answer, and so do all whose
events came with it; what is slow about single events is looked up once and remembered.

A signature says who made a slate, not that its numbers still mean the same articles: an older
backup may have been restored since. So they are compared with the store before anything is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.events.columns import Columns, Content, Views
from recommender.events.event import DAY_MS, Click, ClickOnPage, Event, Impression, PageView
from recommender.events.ingest import IMPORTED, OTHER_STORE, Followed, Incoming, Opened, Shown
from recommender.events.slate_token import Slate, mark_of
from recommender.store.keys import (
    CHUNK,
    COLUMNS,
    ROWS_AT_ONCE,
    chunks,
    driver,
    find_slates,
    insert,
    insert_all,
    insert_new,
    look_up,
    number_ids,
    number_slates,
)
from recommender.store.pieces import Pieces, joined

# Ids and slates: enough for every list of a large site, in some 100 MB; and those that a server
# remembers, which takes no longer over lists drawn at random from 16,000 pages, in some 25 MB.
MAX_REMEMBERED, REMEMBERED_BY_SERVERS = 100_000, 20_000
# New slates of a day, and of one process, that have links which only a request brought there:
# strangers can have as many made as they send requests. Those beyond are one slate a page, without
# links. Not tuned: less than a large site makes of its own at every build.
MAX_MADE_TO_ORDER = 20_000
# The columns of a table, by their places, that identify a row.
IDENTITY = {"views": slice(1), "clicks": slice(0, 3, 2), "pageviews": slice(4)}
_view_id = attrgetter("view_id")
# What slates are called that fell together, and the tally of views that showed one.
OTHER = "other"
FOLDED = "folded"
# What the tallies of refused events begin with; the reason follows.
REJECTED = "rejected "
# ... of how long answers of an experiment's arm took: its label and the bound of a bucket, in
# seconds, follow.
SECONDS = "seconds "
TALLY = (
    "INSERT INTO tallies (day, name, n) VALUES {} "
    "ON CONFLICT (day, name) DO UPDATE SET n = tallies.n + excluded.n"
)
TALLY_ON_SERVER = sql.text(
    "INSERT INTO tallies (day, name, n) SELECT * FROM unnest("
    "CAST(:days AS integer[]), CAST(:names AS text[]), CAST(:ns AS bigint[])) "
    "ON CONFLICT (day, name) DO UPDATE SET n = tallies.n + excluded.n"
)


# Events that are one row of a table each.
Row = Shown | Followed | Opened | Impression | Click | PageView


@dataclass(slots=True)
class Received:
    """What adding events did. ``impressions`` are new views, ``pieces`` records that brought more
    links to a view; ``elsewhere`` are those of a view that is another page's, and are left out.
    ``waiting`` are clicks that wait for a view they can be on, by what is in the way. ``unknown``
    counts ids that no article has, with how often.
    """

    impressions: int = 0
    pieces: int = 0
    clicks: int = 0
    pageviews: int = 0
    duplicates: int = 0
    elsewhere: int = 0
    waiting: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    n_unknown_events: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a group of events: of each whether it was ``new``; the places of those that
    are ``foreign``, since the numbers of their slates mean other articles here, and of which
    nothing was written; and how many new views showed a slate that fell together with others.
    The places of the ``pieces``, those of new events that brought links to a view which is there,
    the ids of the views ``to_settle`` for it (``Pieces.settle``, in a transaction of its own), and
    the places of clicks that are ``waiting`` for their view.
    """

    new: list[bool]
    foreign: set[int]
    n_folded: int
    pieces: set[int]
    to_settle: set[str]
    waiting: set[int]
    elsewhere: set[int]

    @property
    def tallies(self) -> dict[str, int]:
        """What is counted by day of it."""
        return {f"{REJECTED}{OTHER_STORE}": len(self.foreign), FOLDED: self.n_folded}


class EventWriter:
    """Writes groups of events. After a transaction that failed, take a new one: what it remembers
    may not be in the store.
    """

    def __init__(self, made: tuple[int, int] = (0, 0), *, remembers: int = MAX_REMEMBERED) -> None:
        """``made`` is that of the writer before, at its last transaction that held; it
        ``remembers`` so many ids and slates.
        """
        self._remembers = remembers
        self._forget()
        # A day, and how many slates were made to order on it.
        self.made = made

    def _forget(self) -> None:
        self.keys: dict[str, int] = {}  # the store's numbers of ids
        self.ids: dict[int, str] = {}  # and back, as far as slates name them
        self.unknown: set[str] = set()  # ids that no article has
        self.slates: dict[tuple[Any, ...], int] = {}  # numbers, by what events show
        self.folded: dict[tuple[Any, ...], int] = {}  # likewise, of this group's beyond a day's
        self.sound: dict[tuple[Any, ...], bool] = {}  # whether the mark of a slate is its own
        self.contents: dict[int, Slate] = {}  # of slates, by their numbers
        self.numbers: dict[Content, int] = {}  # of slates, by what columns show

    def add(self, connection: Connection, events: Iterable[Event], received: Received) -> None:
        """Add what is imported, in any order, and count it in ``received``; what is there already
        is a duplicate. Then ``settle`` what it left open.
        """
        for chunk in chunks(events, CHUNK):
            written = self.write(connection, chunk)
            n_new = Counter(map(type, compress(chunk, written.new)))
            received.impressions += n_new[Impression] - len(written.pieces)
            received.pieces += len(written.pieces)
            received.clicks += n_new[Click] + n_new[ClickOnPage]
            received.clicks -= sum(written.new[at] for at in written.waiting)
            received.pageviews += n_new[PageView]
            received.elsewhere += len(written.elsewhere)
            received.duplicates += written.new.count(False) - len(written.elsewhere)
            named = Counter(map(_named, chunk)) if self.unknown else {}
            for ids, times in named.items():
                self._count_unknown(ids, times, received)

    def _count_unknown(self, ids: Iterable[str], times: int, received: Received) -> None:
        unknown = [id for id in ids if id in self.unknown]
        received.n_unknown_events += times if unknown else 0
        for id in unknown:
            received.unknown[id] = received.unknown.get(id, 0) + times

    def add_columns(self, connection: Connection, columns: Columns, received: Received) -> None:
        """As ``add``, of events in columns."""
        self._forget_if_full()
        views, clicks, page_views = columns
        contents = Counter(views.contents)
        new = [content for content in contents if content not in self.numbers]
        self._number(connection, [content.impression for content in new])
        for content in new:
            self.numbers[content] = self.slates[_content(content.impression)]
        named = Counter(clicks.clicked) + Counter(page_views.article_ids)
        self._number_ids(connection, {*named, *page_views.referrer_ids} - {""})
        if self.unknown:
            for content, times in contents.items():
                self._count_unknown(_named(content.impression), times, received)
            for id, times in named.items():
                self._count_unknown((id,), times, received)
        self._add_views(connection, views, received)
        keys = self.keys
        items = [keys[id] for id in clicks.clicked]
        click_rows: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        for row in zip(clicks.view_ids, clicks.ts, items, strict=True):
            click_rows.setdefault((row[0], row[2]), row)  # the first that came, as in the store
        n_new = insert_all(connection, "clicks", sorted(click_rows.values()))
        received.clicks += n_new
        received.duplicates += len(clicks) - n_new
        opened = {*zip(
            page_views.ts, (keys[id] for id in page_views.article_ids), page_views.session_ids,
            (keys[id] if id else 0 for id in page_views.referrer_ids), strict=True,
        )}  # fmt: skip
        n_new = insert_all(connection, "pageviews", sorted(opened))
        received.pageviews += n_new
        received.duplicates += len(page_views) - n_new

    def _add_views(self, connection: Connection, views: Views, received: Received) -> None:
        """Views that show one slate are rows of the table at once; those that may be in several
        pieces, here or with what is in the store, are events like others.
        """
        numbers = self.numbers
        slates = [numbers[content] for content in views.contents]
        times: Mapping[str, int] = {}
        if len({*views.view_ids}) < len(views):
            times = Counter(views.view_ids)
        rows = [*zip(views.view_ids, views.ts, slates, views.session_ids, views.layouts,
                     views.arms, strict=True)]  # fmt: skip
        several = [at for at, id in enumerate(views.view_ids) if times[id] > 1] if times else []
        once = [row for row in rows if times[row[0]] == 1] if times else rows
        once = sorted(once)  # neighbours in the table are written together
        n_new = insert_all(connection, "views", once)
        n_others = 0
        if n_new < len(once):
            query = "SELECT view_id, ts, slate FROM views WHERE view_id IN :values"
            same = {tuple(row) for row in look_up(connection, query, [row[0] for row in once])}
            others = {row[0] for row in once if row[:3] not in same}
            several += [at for at, id in enumerate(views.view_ids) if id in others]
            n_others = len(others)
        received.impressions += n_new
        received.duplicates += len(once) - n_others - n_new
        if several:
            # They are counted already as those of unknown articles.
            apart = Received()
            events = [views.event(at) for at in sorted(several)]
            self.add(connection, sorted(events, key=_view_id), apart)
            for name in ("impressions", "pieces", "duplicates", "elsewhere"):
                setattr(received, name, getattr(received, name) + getattr(apart, name))

    def _forget_if_full(self) -> None:
        remembered = len(self.keys) + len(self.ids) + len(self.slates) + len(self.sound)
        if remembered + len(self.contents) + len(self.numbers) > self._remembers:
            self._forget()

    def write(self, connection: Connection, events: Sequence[Incoming]) -> Written:
        """Add the events to the store ``connection`` has a write transaction on. The same event
        twice is new once.
        """
        self._forget_if_full()
        foreign = self._foreign(connection, events)
        kept = {at: event for at, event in enumerate(events) if at not in foreign}
        parts = _put_together(kept)
        self._number(connection, [*kept.values()])
        tables: dict[str, dict[tuple[Any, ...], int]] = {"clicks": {}, "pageviews": {}, "views": {}}
        rows: dict[int, tuple[Any, ...]] = {}
        for place, event in kept.items():
            if not isinstance(event, ClickOnPage):
                table, rows[place] = self._row(event)
                tables[table].setdefault(rows[place][IDENTITY[table]], place)
        new = [False] * len(events)
        other, n_folded = {*self.folded.values()}, 0
        there: set[tuple[Any, ...]] = set()
        for table, places in tables.items():
            for identity in _insert(connection, table, places, rows, there):
                new[places[identity]] = True
                n_folded += table == "views" and rows[places[identity]][2] in other
        impressions = {
            place: (event, rows[place][2])
            for place, event in kept.items()
            if isinstance(event, Impression) and not new[place] and rows[place][:3] not in there
        }
        pieces = Pieces(connection, self.contents).keep(impressions)
        brought = pieces.new.keys() - parts.added.keys()
        for place, others in parts.added.items():
            if new[place]:
                brought |= others.keys() - {place}
            elif place in pieces.new:
                brought |= self._bringing(others, pieces.new[place])
        waiting = self._find_views(connection, kept, new)
        for place in brought:
            new[place] = True
        elsewhere = parts.elsewhere | pieces.elsewhere
        return Written(new, foreign, n_folded, brought, pieces.to_settle, waiting, elsewhere)

    def _bringing(self, parts: Mapping[int, Impression], links: set[int]) -> set[int]:
        """Those of the parts, in the order of time, by which these links came."""
        found = set()
        for at, event in parts.items():
            if shown := links & {self.keys[id] for id in event.shown if id in self.keys}:
                found.add(at)
                links = links - shown
        return found

    def _find_views(
        self, connection: Connection, events: Mapping[int, Incoming], new: list[bool]
    ) -> set[int]:
        """Write clicks of which it is not certain on what view they were: on one that is there, or
        to wait for one. Notes which are new; the places of those that wait, new or not.
        """
        found = {at: event for at, event in events.items() if isinstance(event, ClickOnPage)}
        if not found:
            return set()
        asked = {id for event in found.values() for id in (event.one, event.other) if id}
        query = "SELECT view_id FROM views WHERE view_id IN :values"
        there = {row.view_id for row in look_up(connection, query, sorted(asked))}
        rows: dict[int, tuple[Any, ...]] = {}
        clicks: dict[tuple[Any, ...], int] = {}
        waiting: dict[tuple[Any, ...], int] = {}
        for at, event in found.items():
            item = self.keys[event.clicked]
            view = next((id for id in (event.one, event.other) if id in there), None)
            if view is not None:
                rows[at] = (view, event.ts, item, IMPORTED)
                clicks.setdefault((view, item), at)
            else:
                source = self.keys[event.source_id]
                rows[at] = (event.key, item, event.ts, event.one, event.other, event.session_id,
                            source)  # fmt: skip
                waiting.setdefault((event.key, item), at)
        for identity in _insert(connection, "clicks", clicks, rows):
            new[clicks[identity]] = True
        given = [rows[waiting[identity]] for identity in sorted(waiting)]
        for row in insert(connection, "clicks_on_pages", given, ("key", "item")):
            new[waiting[row]] = True
        return {*waiting.values()}

    def _foreign(self, connection: Connection, events: Sequence[Incoming]) -> set[int]:
        """The places of events whose slates have numbers that mean something else here."""
        signed = {
            at: (event.slate.source, event.slate.items, event.slate.mark)
            for at, event in enumerate(events)
            if isinstance(event, Shown | Followed)
        }
        if new := {*signed.values()} - self.sound.keys():
            numbers = {number for source, items, _ in new for number in (source, *items)}
            query = "SELECT key, id FROM ids WHERE key IN :values"
            for row in look_up(connection, query, sorted(numbers - self.ids.keys())):
                self.ids[row.key] = row.id
        for slate in new:
            source, items, mark = slate
            ids = [self.ids.get(number) for number in (source, *items)]
            self.sound[slate] = mark == mark_of(id for id in ids if id is not None)
        return {at for at, slate in signed.items() if not self.sound[slate]}

    def _number(self, connection: Connection, events: Sequence[Incoming]) -> None:
        """Know the numbers of all ids and slates in the events, and which ids are unknown."""
        shown = {_content(e): e for e in events if isinstance(e, Shown | Impression)}
        new = [(content, shown[content]) for content in shown if content not in self.slates]
        ids = {id for _, event in new if isinstance(event, Impression) for id in _named(event)}
        for event in events:
            if isinstance(event, Click):
                ids.add(event.clicked)
            elif isinstance(event, ClickOnPage):
                ids |= {event.clicked, event.source_id}
            elif isinstance(event, PageView | Opened):
                ids |= {event.article_id, event.referrer_id} - {""}
        self._number_ids(connection, ids)
        slates = [self._slate(event) for _, event in new]
        folded = self._folded(connection, slates, [event.ts for _, event in new])
        kept = [
            Slate(OTHER, None, "", slate.source, (), (), None) if at in folded else slate
            for at, slate in enumerate(slates)
        ]
        self.folded.clear()  # tomorrow they may have a number of their own
        for at, number in enumerate(number_slates(connection, kept)):
            (self.folded if at in folded else self.slates)[new[at][0]] = number

    def _number_ids(self, connection: Connection, ids: set[str]) -> None:
        """Know the numbers of these ids, and which are unknown."""
        if ids := ids - self.keys.keys():
            number_ids(connection, ids, self.keys)
            query = "SELECT id FROM articles WHERE id IN :values"
            self.unknown |= ids - {row.id for row in look_up(connection, query, ids)}

    def _folded(
        self, connection: Connection, slates: Sequence[Slate], times: Sequence[int]
    ) -> set[int]:
        """The places of those ``slates``, seen first at these ``times``, that were made to order
        and are beyond what a day may bring.
        """
        made = {at: slate for at, slate in enumerate(slates) if any(slate.brought)}
        known = find_slates(connection, made.values()) if made else set()
        folded = set()
        for at, slate in made.items():
            if slate in known:
                continue
            day, (today, n) = times[at] // DAY_MS, self.made
            if day > today:
                today, n = day, 0
            if n >= MAX_MADE_TO_ORDER:
                folded.add(at)
            else:
                self.made = today, n + 1
        return folded

    def _slate(self, event: Shown | Impression) -> Slate:
        """What was shown, in the store's numbers: here ids become them."""
        if isinstance(event, Shown):
            return event.slate
        source, items = self.keys[event.source_id], tuple(self.keys[id] for id in event.shown)
        return Slate(event.list, None, event.arm, source, items, (), event.propensities,
                     event.ordered, places=_places(event))  # fmt: skip

    def _row(self, event: Row) -> tuple[str, tuple[Any, ...]]:
        """The table of an event, and its row there."""
        match event:
            case Impression():
                slate = self.slates[_content(event)]
                return "views", (event.view_id, event.ts, slate, event.session_id, event.layout,
                                 event.arm, None, IMPORTED)  # fmt: skip
            case Shown():
                content = _content(event)
                slate = self.folded[content] if content in self.folded else self.slates[content]
                return "views", (event.view_id, event.ts, slate, event.session_id, event.layout,
                                 event.slate.arm, event.slate.variant, event.live)  # fmt: skip
            case Click():
                return "clicks", (event.view_id, event.ts, self.keys[event.clicked], IMPORTED)
            case PageView() | Opened():
                # 0 for none: in a unique index NULL would differ from NULL.
                referrer = self.keys[event.referrer_id] if event.referrer_id else 0
                article = self.keys[event.article_id]
                live = event.live if isinstance(event, Opened) else IMPORTED
                return "pageviews", (event.ts, article, event.session_id, referrer, live)
            case Followed():
                return "clicks", (event.view_id, event.ts, event.item, event.live)


def add_tallies(connection: Connection, day: int, tallies: Mapping[str, int]) -> None:
    """Count what is not stored itself, by day (since 1970, UTC)."""
    # In one order, or two processes that count the same would wait for each other.
    rows = [(day, name, n) for name, n in sorted(tallies.items()) if n]
    if not rows:
        return
    if (raw := driver(connection)) is not None:
        values = ", ".join(["(?, ?, ?)"] * len(rows))
        raw.execute(TALLY.format(values), [*chain.from_iterable(rows)])
        return
    columns = dict(zip(("days", "names", "ns"), map(list, zip(*rows, strict=True)), strict=True))
    connection.execute(TALLY_ON_SERVER, columns)


def tallies_of(connection: Connection, day: int) -> dict[str, int]:
    """What was counted on a day, by name."""
    query = sql.text("SELECT name, n FROM tallies WHERE day = :day")
    return {row.name: int(row.n) for row in connection.execute(query, {"day": day})}


def _content(event: Shown | Impression) -> tuple[Any, ...]:
    """What makes the slates of two events the same; not the variant and the arm they are for."""
    if isinstance(event, Shown):
        return (event.slate.list, *event.slate[3:])
    return (event.list, event.source_id, event.shown, event.ordered, event.propensities,
            _places(event))  # fmt: skip


def _places(event: Impression) -> tuple[int, ...]:
    """Where the links stand, if not first; of an unordered list nobody knows."""
    places = event.places if event.ordered else None
    return places if places and places != tuple(range(1, len(places) + 1)) else ()


class Parts(NamedTuple):
    """What became of views that came in several impressions: ``added`` are those that brought
    links, by their places in the order of time, by the place that stands for them now; those
    ``elsewhere`` are another page's.
    """

    added: dict[int, dict[int, Impression]]
    elsewhere: set[int]


def _put_together(events: dict[int, Incoming]) -> Parts:
    """Put the impressions of one view together, among ``events`` by their places."""
    parts = Parts({}, set())
    views: dict[str, list[int]] = {}
    for at, event in events.items():
        if isinstance(event, Impression):
            views.setdefault(event.view_id, []).append(at)
    for places in views.values():
        if len(places) == 1:
            continue
        several = [event for at in places if isinstance(event := events.pop(at), Impression)]
        parts.elsewhere.update(
            at for at, event in zip(places, several, strict=True)
            if event.source_id != several[0].source_id
        )  # fmt: skip
        fewer, added = joined(several)
        # The earliest first: it begins the view.
        events.update((places[at], fewer[at]) for at in sorted(fewer, key=lambda at: fewer[at].ts))
        if len(fewer) == 1:
            brought = [at for at, is_new in enumerate(added) if is_new]
            brought.sort(key=lambda at: (several[at].ts, several[at].nth))
            for at in fewer:
                parts.added[places[at]] = {places[each]: several[each] for each in brought}
    return parts


def _named(event: Event) -> tuple[str, ...]:
    """The ids of articles that were seen, not from where."""
    if isinstance(event, Impression):
        return event.source_id, *event.shown
    return (event.article_id if isinstance(event, PageView) else event.clicked,)


def _insert(
    connection: Connection,
    table: str,
    places: Mapping[tuple[Any, ...], int],
    rows: Mapping[int, tuple[Any, ...]],
    there: set[tuple[Any, ...]] | None = None,
) -> Iterator[tuple[Any, ...]]:
    """Insert the rows at ``places`` that are not there yet; the columns that identify these. What
    is known to be in the table already, the first columns of it, is added to ``there``.
    """
    names = list(COLUMNS[table])[IDENTITY[table]]
    if connection.dialect.name == "postgresql":
        # Others write at the same time, so only the insert itself knows; and all in one order,
        # or two processes that add the same events would wait for each other.
        for part in chunks(sorted(places), ROWS_AT_ONCE):
            yield from insert(connection, table, [rows[places[each]] for each in part], names)
        return
    raw = driver(connection)
    one = f"({', '.join('?' * len(names))})"
    shown = [*COLUMNS[table]][:3] if there is not None and table == "views" else names
    same = [f"there.{name} = given.column{n}" for n, name in enumerate(names, start=1)]
    for part in chunks(places, ROWS_AT_ONCE):
        # Each statement gives up Python's lock, and waits for it again while requests are being
        # answered; an insert that returned its rows would do so for each of them. Mostly all are
        # new, and one statement is enough; else nobody writes now, so look.
        if raw is not None and insert_new(raw, table, [rows[places[each]] for each in part]):
            yield from part
            continue
        found = connection.exec_driver_sql(
            f"SELECT {', '.join(shown)} FROM (VALUES {', '.join([one] * len(part))}) AS given "
            f"CROSS JOIN {table} AS there ON {' AND '.join(same)}",
            tuple(chain.from_iterable(part)),
        )
        # All at once: a row at a time costs a call of the driver each.
        known = {tuple(row) for row in found.all()}
        if there is not None and table == "views":
            there |= known
            known = {row[:1] for row in known}
        fresh = [each for each in part if each not in known]
        insert(connection, table, [rows[places[each]] for each in fresh])
        yield from fresh
