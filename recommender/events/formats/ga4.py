"""Lists as Google Analytics 4 has them: BigQuery's export as JSON, one event a line.

``view_item_list`` is an impression of its ``items``, by their index, and ``select_item`` a click.
The source is the article at ``page_location``, or of the parameter ``source_id``. A list seen again
on the same page in the same session is the same view: tags report long lists in parts, and those
are put together.

A click whose record names its list otherwise than the views do, or not at all, finds its view when
all are known (``ClickOnPage``). Of readers who allow no cookies there may be a session without a
reader, or the number of a page's load, which tell views apart nearly as well; a click with neither
is the page view that it led to.

Items that are no article of the store stay as they are: they count once it has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from recommender.articles.addresses import Finder
from recommender.errors import EventError
from recommender.events.event import DAY_MS, MAX_SHOWN, ClickOnPage, Event
from recommender.events.formats.base import (
    NO_ARTICLE,
    Reasons,
    Skip,
    Translator,
    click,
    impression,
    json_object,
    listed,
    page_view,
    pseudonym,
    text_of,
)
from recommender.files import Record

# A site has some lists; more names than this are somebody's mistake.
MAX_LISTS = 1_000
# Numbers of batches and of events in one, as far as they order what has one time.
MAX_NUMBER = 999


def recognises(line: str) -> bool:
    """Whether a line is an event of GA4."""
    return {"event_name", "event_params"} <= (json_object(line) or {}).keys()


class Named(NamedTuple):
    """What a record calls a list; empty where it does not."""

    id: str
    name: str

    @property
    def key(self) -> str:
        """The one that identifies it."""
        return self.id or self.name


@dataclass(slots=True)
class Names:
    """What views call their lists in one way, by id or by name, and whether all have such a one."""

    known: set[str] = field(default_factory=set)
    complete: bool = True

    def add(self, name: str) -> None:
        """A view's; empty if it has none."""
        self.complete = self.complete and bool(name)
        if name and len(self.known) < MAX_LISTS:
            self.known.add(name)

    def tell(self, name: str) -> bool:
        """Whether a click's name tells of which list it is: of one that is known or, if all have
        names, of none.
        """
        return bool(name and self.known) and (self.complete or name in self.known)


class Chosen(NamedTuple):
    """A click that waits for what else is known of lists."""

    where: str
    ts: datetime
    session: str
    source: str
    list: Named
    item: str


class Ga4(Translator):
    """Google Analytics 4. Its clicks come out of ``flush``."""

    def __init__(self, finder: Finder, skipped: Reasons) -> None:
        super().__init__(finder, skipped)
        self.waiting: list[Chosen] = []
        # What views call lists: by id, by name, and which id a name has.
        self.by_id, self.by_name = Names(), Names()
        self.ids: dict[str, str] = {}

    def read(self, record: Record) -> Iterable[Event]:
        """One impression for each list that the event's items are of; clicks wait."""
        where, fields = record
        event = fields.get("event_name")
        if not isinstance(event, str):
            raise EventError(f"{where}: field event_name: missing, or not text")
        if event not in ("view_item_list", "select_item"):
            raise Skip(f"other event: {event[:40]}")
        params = _params(fields, where)
        ts = self.moment(fields.get("event_timestamp"), name="event_timestamp", where=where)
        session = self._session(fields, params, ts)
        if not session and event == "view_item_list":
            raise Skip("no user_pseudo_id, ga_session_id or batch_page_id: its clicks are unknown")
        source = self.finder.named(text_of(params.get("source_id"))) or self.finder.at(
            text_of(params.get("page_location"))
        )
        if source is None:
            raise Skip(NO_ARTICLE)
        items = listed(fields, "items", where=where)
        if not items:
            raise Skip(f"{event} without items")
        lists: dict[Named, list[Mapping[str, Any]]] = {}
        for item in items:
            lists.setdefault(_named(item, params), []).append(item)
        if event == "view_item_list":
            keys: dict[str, list[Mapping[str, Any]]] = {}
            for named, shown in lists.items():
                self._know(named)
                keys.setdefault(named.key, []).extend(shown)
            nth = _nth(fields, ts)
            for key, shown in keys.items():
                yield self._impression(key, shown, ts, nth, session, source, where)
            return
        for named, chosen in lists.items():
            for item in chosen:
                id = self._id(item, where)
                if session:
                    # Its faults are raised here.
                    click(where, view_id=session, ts=ts, clicked=id)
                    self.waiting.append(Chosen(where, ts, session, source, named, id))
                else:
                    self.remarks.add("a click of nobody's session is the page view that it led to")
                    yield page_view(where, ts=ts, article_id=id, referrer_id=source)

    def flush(self) -> Iterator[Event]:
        """The clicks."""
        waiting, self.waiting = self.waiting, []
        for chosen in waiting:
            yield self._click(chosen)

    def _session(self, fields: Mapping[str, Any], params: Mapping[str, Any], ts: datetime) -> str:
        """What tells this reader's views from others'; empty if there is nothing."""
        reader = text_of(fields.get("user_pseudo_id"))
        session = text_of(params.get("ga_session_id"))
        if reader and session:
            return pseudonym("ga4", reader, session)
        load = _either(fields, params, "batch_page_id")
        if session:
            self.remarks.add("no user_pseudo_id: told apart by ga_session_id alone")
            return pseudonym("ga4 session", session)
        if load:
            self.remarks.add("no ga_session_id: told apart by the load of the page")
            return pseudonym("ga4 load", reader, load)
        if reader:
            self.remarks.add("no ga_session_id: a reader's day is one session")
            return pseudonym("ga4 day", reader, str(int(ts.timestamp() * 1000) // DAY_MS))
        return ""

    def _impression(
        self,
        key: str,
        items: list[Mapping[str, Any]],
        ts: datetime,
        nth: int,
        session: str,
        source: str,
        where: str,
    ) -> Event:
        # Items without an index stay where they stand, after those with one.
        items = sorted(items, key=lambda item: _index(item) if _index(item) >= 0 else MAX_SHOWN + 1)
        ids = [self._id(item, where) for item in items]
        event = impression(
            where, view_id=pseudonym(session, source, key), ts=ts, source_id=source, shown=ids,
            session_id=session, list=key,
        )  # fmt: skip
        places = tuple(map(_index, items))
        rising = all(a < b for a, b in pairwise(places))
        whole = rising and places[0] >= 0
        return event._replace(places=places if whole else None, nth=nth)

    def _know(self, named: Named) -> None:
        self.by_id.add(named.id)
        self.by_name.add(named.name)
        if named.id and named.name and len(self.ids) < MAX_LISTS:
            self.ids.setdefault(named.name, named.id)

    def _click(self, chosen: Chosen) -> Event:
        """The click on the list that it names as views do; else on one of its page's."""
        where, ts, session, source, (id, name), item = chosen
        id = id or self.ids.get(name, "")
        one, other = (pseudonym(session, source, key) if key else "" for key in (id, name))
        only = click(where, view_id=one or other or pseudonym(session, source, ""), ts=ts,
                     clicked=item)  # fmt: skip
        known = self.by_id.tell(id) or self.by_name.tell(name)
        if known and not (one and other):
            return only
        return ClickOnPage(
            only.view_id, only.ts, only.clicked, source, one, other, "" if known else session
        )

    def _id(self, item: Mapping[str, Any], where: str) -> str:
        id = text_of(item.get("item_id"))
        if not id:
            raise EventError(f"{where}: field items: an item has no item_id")
        return self.finder.named(id) or id


def _named(item: Mapping[str, Any], params: Mapping[str, Any]) -> Named:
    """What an item's list is called there, or else by its event."""
    for given in (item, params):
        found = Named(text_of(given.get("item_list_id")), text_of(given.get("item_list_name")))
        if found.key:
            return found
    return Named("", "")


def _params(fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The event's parameters, each of which has one of several typed values. Some tools make one
    object of them.
    """
    given = fields.get("event_params")
    if isinstance(given, dict):
        return {name: _value(value) for name, value in given.items()}
    params = {}
    for entry in listed(fields, "event_params", where=where):
        if not isinstance(entry.get("value"), dict):
            raise EventError(f"{where}: field event_params: a parameter has no value")
        params[str(entry.get("key"))] = _value(entry["value"])
    return params


def _value(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    types = ("string_value", "int_value", "double_value", "float_value")
    return next((value[name] for name in types if value.get(name) is not None), None)


def _either(fields: Mapping[str, Any], params: Mapping[str, Any], name: str) -> str:
    return text_of(fields.get(name)) or text_of(params.get(name))


def _nth(fields: Mapping[str, Any], ts: datetime) -> int:
    """The order of what has one millisecond: by its microsecond; then, since what is sent together
    has one time, by the number of the request and that of the event in it.
    """
    nth = ts.microsecond % 1000
    for name in ("batch_ordering_id", "batch_event_index"):
        number = text_of(fields.get(name)).removesuffix(".0")
        nth = nth * (MAX_NUMBER + 1) + _number(number)
    return nth


def _number(text: str) -> int:
    """A number of at most ``MAX_NUMBER``; 0 if the text is none."""
    digits = text.lstrip("0")
    if not digits.isdecimal():
        return 0
    return int(digits) if len(digits) <= len(str(MAX_NUMBER)) else MAX_NUMBER


def _index(item: Mapping[str, Any]) -> int:
    """Where an item stands by its record; -1 if that is not known."""
    try:
        place = float(text_of(item.get("item_list_index")) or text_of(item.get("index")))
    except ValueError:
        return -1
    return int(place) if place.is_integer() and 0 <= place <= MAX_SHOWN else -1
