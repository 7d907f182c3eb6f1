"""The imported log in the store: views and clicks point at the numbers of ids and slates.

Work is done in chunks, and each looks up only the ids and slates it holds, so that a single
event costs little in a store of millions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from recommender.events.event import Click, Event, Impression, PageView
from recommender.store.keys import CHUNK, Content, Numbers, chunks, insert, look_up

# What makes two slates the same: source, links in order, ordered or not, list, chances.
Shown = tuple[str, tuple[str, ...], bool, str, tuple[float, ...] | None]

# Enough for every list of a large site; beyond it what is remembered is looked up anew.
MAX_REMEMBERED = 200_000
IMPORTED = 0


@dataclass(slots=True)
class Received:
    """What adding events did. ``unknown`` counts ids that no article bears, with how often."""

    impressions: int = 0
    clicks: int = 0
    pageviews: int = 0
    duplicates: int = 0
    unknown: dict[str, int] = field(default_factory=dict)
    n_unknown_events: int = 0


class EventWriter:
    """Adds events to the store that ``connection`` has a write transaction on."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.numbers = Numbers()
        self.checked: set[str] = set()
        self.unknown: set[str] = set()
        # A slate's number, and which of its ids no article bears.
        self.slates: dict[Shown, tuple[int, tuple[str, ...]]] = {}
        self.received = Received()

    def write(self, events: Iterable[Event]) -> Received:
        """Add them all, in any order; what is there already counts as a duplicate."""
        for chunk in chunks(events, CHUNK):
            impressions = [event for event in chunk if isinstance(event, Impression)]
            clicks = [event for event in chunk if isinstance(event, Click)]
            page_views = [event for event in chunk if isinstance(event, PageView)]
            if len(self.numbers.keys) + len(self.slates) > MAX_REMEMBERED:
                self.numbers, self.checked, self.unknown, self.slates = Numbers(), set(), set(), {}
            added = (
                self._add_impressions(impressions),
                self._add_clicks(clicks),
                self._add_page_views(page_views),
            )
            self.received.impressions += added[0]
            self.received.clicks += added[1]
            self.received.pageviews += added[2]
            self.received.duplicates += len(chunk) - sum(added)
        return self.received

    def _add_impressions(self, events: list[Impression]) -> int:
        shown = [
            (event.source_id, event.shown, event.ordered, event.list, event.propensities)
            for event in events
        ]
        # Each slate is hashed once: it may be long.
        found = [self.slates.get(slate) for slate in shown]
        self._number_slates(
            dict.fromkeys(shown[at] for at, slate in enumerate(found) if slate is None)
        )
        slates = [slate or self.slates[as_shown]
                  for slate, as_shown in zip(found, shown, strict=True)]  # fmt: skip
        for (_, unknown), times in Counter(slates).items():
            self._note(unknown, times)
        rows = [
            (event.view_id, event.ts, slate, event.session_id, event.layout, event.arm, None,
             IMPORTED)
            for event, (slate, _) in zip(events, slates, strict=True)
        ]  # fmt: skip
        return insert(self.connection, "views", rows)

    def _add_clicks(self, events: list[Click]) -> int:
        self._count_unknown([event.clicked for event in events])
        keys = self.numbers.keys
        rows = [(event.view_id, keys[event.clicked], event.ts, IMPORTED) for event in events]
        return insert(self.connection, "clicks", rows)

    def _add_page_views(self, events: list[PageView]) -> int:
        self._number_ids({event.referrer_id for event in events if event.referrer_id})
        self._count_unknown([event.article_id for event in events])
        # 0 for none: in a unique index NULL would differ from NULL.
        keys = {**self.numbers.keys, "": 0}
        rows = [
            (event.ts, event.session_id, keys[event.article_id], keys[event.referrer_id], IMPORTED)
            for event in events
        ]
        return insert(self.connection, "pageviews", rows)

    def _count_unknown(self, ids: list[str]) -> None:
        times = Counter(ids)
        self._number_ids(set(times))
        for id in times.keys() & self.unknown:
            self._note((id,), times[id])

    def _note(self, unknown: tuple[str, ...], times: int) -> None:
        if unknown:
            self.received.n_unknown_events += times
        for id in unknown:
            self.received.unknown[id] = self.received.unknown.get(id, 0) + times

    def _number_ids(self, ids: set[str]) -> None:
        new = ids - self.checked
        if not new:
            return
        self.numbers.number_ids(self.connection, new)
        query = "SELECT id FROM articles WHERE id IN :values"
        found = {row.id for row in look_up(self.connection, query, new)}
        self.unknown |= new - found
        self.checked |= new

    def _number_slates(self, new: Iterable[Shown]) -> None:
        new = list(new)
        self._number_ids({id for source, shown, *_ in new for id in (source, *shown)})
        keys = self.numbers.keys
        contents = {
            slate: Content(keys[slate[0]], tuple(keys[id] for id in slate[1]), *slate[2:])
            for slate in new
        }
        self.numbers.number_slates(self.connection, contents.values())
        for slate, content in contents.items():
            unknown = tuple(id for id in (slate[0], *slate[1]) if id in self.unknown)
            self.slates[slate] = self.numbers.slates[content], unknown
