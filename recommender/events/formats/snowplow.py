"""Events of Snowplow: enriched events as TSV, one a line, 131 columns without a heading.

``expose_element`` is an impression. If the element is a list, the entities ``element_content`` that
come with it name its links, and the list is shown as a whole, in order; what comes into view later
is put behind it. If it is a single link, the entity ``element`` names it: one of several is a piece
of a list and stands where its ``element_index`` says, and the only one is shown alone, its position
unknown. A link is known by an attribute ``href`` or ``url``, or by one that holds an article's id
and whose name ends in ``id``.

``link_click`` is a click. It seldom names the list that the link stood in (by the entity
``component_parents``), so that is looked up among the lists of that page view. When they were
read elsewhere, the click is reported for every list that is known: counting leaves out clicks on
what a view did not show.

A view is one list on one page view: the id of the entity ``web_page``, or else the session and
the address.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urljoin

from recommender.articles.addresses import Finder, url_key
from recommender.errors import EventError
from recommender.events.crawlers import is_crawler
from recommender.events.event import MAX_SHOWN, Event
from recommender.events.formats.base import (
    NO_ARTICLE,
    Reasons,
    Skip,
    Translator,
    click,
    impression,
    listed,
    pseudonym,
    text_of,
)
from recommender.files import Record

# Of an enriched event (Snowplow's canonical event model).
N_COLUMNS = 131
# A line of another release may have some columns more or fewer; no other format has so many.
FEW_COLUMNS = 100
# Where the columns that we use stand, from 0.
COLUMNS = {
    "collector_tstamp": 3,
    "event": 5,
    "page_url": 29,
    "contexts": 52,
    "unstruct_event": 58,
    "useragent": 78,
    "domain_sessionid": 123,
    "derived_tstamp": 124,
    "event_name": 127,
}
ADDRESS_NAMES = ("href", "url")
# How many page views and lists are remembered for the clicks that follow. Not tuned.
MAX_PAGES, MAX_LISTS = 50_000, 1_000
# A list's name, and which list of that name it is; None for one that is seen link by link.
View = tuple[str, str | None]
Entities = Mapping[str, list[Mapping[str, Any]]]


def recognises(line: str) -> bool:
    """Whether a line is an enriched event."""
    return line.count("\t") >= FEW_COLUMNS


class Clicked(NamedTuple):
    """A click that waits for the lists of its page."""

    where: str
    page: str
    ts: datetime
    item: str
    components: tuple[str, ...]


class Snowplow(Translator):
    """Snowplow's enriched events."""

    remembers: ClassVar[bool] = True

    def __init__(self, finder: Finder, skipped: Reasons) -> None:
        super().__init__(finder, skipped)
        self.waiting: list[Clicked] = []
        # What each page view has shown in each list.
        self.pages: dict[str, dict[View, set[str]]] = {}
        self.lists: set[View] = set()

    def read(self, record: Record) -> Iterable[Event]:
        """The record's impression; its click waits for ``flush``."""
        where = record.where
        columns = record.fields["line"].split("\t")
        if len(columns) != N_COLUMNS:
            raise EventError(
                f"{where}: {len(columns)} columns; an enriched Snowplow event has {N_COLUMNS}"
            )
        fields = {name: columns[at].strip() for name, at in COLUMNS.items()}
        event = fields["event_name"] or fields["event"] or "unknown"
        if event not in ("expose_element", "link_click"):
            raise Skip(f"other event: {event[:40]}")
        if is_crawler(fields["useragent"]):
            raise Skip("crawler")
        source = self.finder.at(fields["page_url"])
        if source is None:
            raise Skip(NO_ARTICLE)
        entities = _entities(fields, where)
        page = _page_view(fields, entities)
        data = _self_described(_json(fields, "unstruct_event", where), where)
        name = "derived_tstamp" if fields["derived_tstamp"] else "collector_tstamp"
        ts = self.moment(fields[name], name=name, where=where)
        if event == "link_click":
            self._wait(where, page, ts, data, fields["page_url"], entities)
            return ()
        name = text_of(data.get("element_name"))
        session = fields["domain_sessionid"]
        view, shown, places = self._shown(name, entities, fields["page_url"], where)
        self._remember(page, view, shown)
        event = impression(
            where,
            view_id=_view_id(page, view, shown[0]),
            ts=ts,
            source_id=source,
            shown=shown,
            ordered=view[1] is not None,
            session_id=pseudonym("snowplow", session) if session else "",
            list=name,
        )
        return (event._replace(places=places),)

    def flush(self) -> Iterator[Event]:
        """The clicks of the lists that have been read."""
        waiting, self.waiting = self.waiting, []
        for clicked in waiting:
            seen = self.pages.get(clicked.page)
            if seen is None:
                views = sorted(self.lists, key=str)
            else:
                views = [view for view, items in seen.items() if clicked.item in items]
            if clicked.components:
                views = [view for view in views if view[0] in clicked.components] or views
            if not views:
                self.skipped.add("click outside the lists that were exposed")
            for view in views:
                yield click(
                    clicked.where,
                    view_id=_view_id(clicked.page, view, clicked.item),
                    ts=clicked.ts,
                    clicked=clicked.item,
                )

    def _wait(
        self,
        where: str,
        page: str,
        ts: datetime,
        data: Mapping[str, Any],
        page_url: str,
        entities: Entities,
    ) -> None:
        target = text_of(data.get("targetUrl"))
        if not target:
            raise EventError(f"{where}: field targetUrl: missing")
        item = self.finder.at(_joined(page_url, target))
        if item is None:
            raise Skip("click on a link to no article")
        click(where, view_id=page, ts=ts, clicked=item)  # raises its faults here
        components: list[str] = []
        for entity in entities.get("component_parents", []):
            names = entity.get("component_list")
            components.extend(map(str, names if isinstance(names, list) else []))
        self.waiting.append(Clicked(where, page, ts, item, tuple(components)))

    def _shown(
        self, name: str, entities: Entities, page_url: str, where: str
    ) -> tuple[View, list[str], tuple[int, ...] | None]:
        """The links of the exposed element, as what they are seen, and where they stand in it."""
        own = [
            entity for entity in entities.get("element", []) if entity.get("element_name") == name
        ]
        # A list holds cards, cards hold titles and pictures: whichever of them name most links.
        inside: dict[str, list[str]] = {}
        for entity in sorted(entities.get("element_content", []), key=_place):
            if link := self._link(entity, page_url, where):
                inside.setdefault(str(entity.get("element_name")), []).append(link)
        links = max(inside.values(), key=len, default=[])
        if not links:
            links = [link for entity in own if (link := self._link(entity, page_url, where))][:1]
        if not any(link in self.finder.ids for link in links):
            raise Skip("exposed element without a link to an article")
        matches = max((_number(entity, "element_matches") for entity in own), default=1)
        index = _number(own[0], "element_index") if own else 0
        if len(links) == 1:
            if matches > 1 and 0 < index <= MAX_SHOWN:
                return (name, ""), links, (int(index),)
            return (name, None), links, None
        return (name, f"{index:g}" if matches > 1 else ""), links, None

    def _link(self, entity: Mapping[str, Any], page_url: str, where: str) -> str:
        """The article that an entity's attributes lead to, else the address, else nothing."""
        address = ""
        for attribute in listed(entity, "attributes", where=where):
            name, value = (
                text_of(attribute.get("attribute")).lower(),
                text_of(attribute.get("value")),
            )
            if name in ADDRESS_NAMES and value:
                address = _joined(page_url, value)
                if (found := self.finder.at(address)) is not None:
                    return found
            elif name.endswith("id") and value in self.finder.ids:
                return value
        return url_key(address)

    def _remember(self, page: str, view: View, shown: list[str]) -> None:
        if len(self.lists) < MAX_LISTS:
            self.lists.add(view)
        self.pages.setdefault(page, {}).setdefault(view, set()).update(shown)
        if len(self.pages) > MAX_PAGES:
            del self.pages[next(iter(self.pages))]


def _view_id(page: str, view: View, item: str) -> str:
    name, which = view
    return pseudonym("snowplow", page, name, *(("link", item) if which is None else ("", which)))


def _page_view(fields: Mapping[str, str], entities: Entities) -> str:
    for entity in entities.get("web_page", []):
        if id := text_of(entity.get("id")):
            return pseudonym("snowplow", id)
    if not fields["domain_sessionid"]:
        raise Skip("no web_page entity and no domain_sessionid, so views cannot be distinguished")
    return pseudonym("snowplow", fields["domain_sessionid"], url_key(fields["page_url"]))


def _entities(fields: Mapping[str, str], where: str) -> dict[str, list[Mapping[str, Any]]]:
    """What came with the event, by the name in its schema."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    if fields["contexts"]:
        for entity in listed(_json(fields, "contexts", where), "data", where=where):
            data = entity.get("data")
            if isinstance(data, dict):
                found.setdefault(_schema_name(entity), []).append(data)
    return found


def _self_described(event: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The data of the event within its wrapping."""
    inner = event.get("data")
    data = inner.get("data") if isinstance(inner, dict) else None
    if not isinstance(data, dict):
        raise EventError(f"{where}: field unstruct_event: holds no data")
    return data


def _schema_name(described: Mapping[str, Any]) -> str:
    """``iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0`` is a ``web_page``."""
    parts = str(described.get("schema")).split("/")
    return parts[1] if len(parts) == 4 else ""


def _json(fields: Mapping[str, str], name: str, where: str) -> Mapping[str, Any]:
    try:
        value = json.loads(fields[name])
    except (ValueError, RecursionError) as exc:
        raise EventError(f"{where}: field {name}: not JSON: {exc}") from None
    if not isinstance(value, dict):
        raise EventError(f"{where}: field {name}: must be a JSON object")
    return value


def _place(entity: Mapping[str, Any]) -> tuple[float, float]:
    """Where something stands: what is inside cards is numbered card by card."""
    return _number(entity, "parent_index"), _number(entity, "element_index")


def _number(entity: Mapping[str, Any], name: str) -> float:
    value = entity.get(name)
    return float(value) if isinstance(value, int) else 0.0


@lru_cache(maxsize=MAX_PAGES)
def _joined(page_url: str, link: str) -> str:
    try:
        return urljoin(page_url, link)
    except ValueError:
        return link
