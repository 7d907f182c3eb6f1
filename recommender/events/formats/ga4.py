"""Events of two systems that speak of lists as such: Google Analytics 4 and UBI.

GA4, exported from BigQuery as JSON, one event a line: ``view_item_list`` is an impression of its
``items``, by their index, and ``select_item`` a click. The source is the article at
``page_location``, or of the parameter ``source_id``. A list seen again on the same page in the
same session is the same view.

UBI (OpenSearch's User Behavior Insights), queries and events as JSON, one a line: a query about
an article is an impression of its hits, and ``click`` or ``click_through`` a click. The source is
the article that ``query_attributes`` names as ``source_id``, ``article_id`` or ``url``, or that
``user_query`` is the id or address of. Other queries are searches, of which we make nothing.

Items that are no article of the store stay as they are: they count once it has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from recommender.articles.addresses import Finder
from recommender.errors import EventError
from recommender.events.event import Event
from recommender.events.formats.base import (
    NO_ARTICLE,
    Reasons,
    Skip,
    click,
    impression,
    listed,
    pseudonym,
    since_1970,
    text_of,
)
from recommender.files import Record

MICROSECOND = timedelta(microseconds=1)
MILLISECOND = timedelta(milliseconds=1)
SOURCE_NAMES = ("source_id", "article_id", "url")


class Ga4:
    """Google Analytics 4."""

    remembers: ClassVar[bool] = False

    def __init__(self, finder: Finder, skipped: Reasons) -> None:
        self.finder = finder

    def read(self, record: Record) -> Iterable[Event]:
        """One impression or click for each list that the event's items are of."""
        where, fields = record
        event = fields.get("event_name")
        if not isinstance(event, str):
            raise EventError(f"{where}: field event_name: missing, or not text")
        if event not in ("view_item_list", "select_item"):
            raise Skip(f"other event: {event[:40]}")
        params = _params(fields, where)
        reader = text_of(fields.get("user_pseudo_id"))
        session = text_of(params.get("ga_session_id"))
        if not (reader and session):
            raise Skip("no user_pseudo_id or ga_session_id, so views cannot be told apart")
        source = self.finder.named(text_of(params.get("source_id"))) or self.finder.at(
            text_of(params.get("page_location"))
        )
        if source is None:
            raise Skip(NO_ARTICLE)
        items = listed(fields, "items", where=where)
        if not items:
            raise Skip(f"{event} without items")
        name = text_of(params.get("item_list_id")) or text_of(params.get("item_list_name"))
        ts = since_1970(fields.get("event_timestamp"), MICROSECOND, name="event_timestamp",
                        where=where)  # fmt: skip
        session = pseudonym("ga4", reader, session)
        lists: dict[str, list[Mapping[str, Any]]] = {}
        for item in items:
            own = text_of(item.get("item_list_id")) or text_of(item.get("item_list_name"))
            lists.setdefault(own or name, []).append(item)
        for name, shown in lists.items():
            view = {"view_id": pseudonym(session, source, name), "ts": ts}
            if event == "select_item":
                yield from (click(where, **view, clicked=self._id(item, where)) for item in shown)
            else:
                ids = [self._id(item, where) for item in sorted(shown, key=_index)]
                yield impression(
                    where, **view, source_id=source, shown=ids, session_id=session, list=name
                )

    def flush(self) -> Iterable[Event]:
        """Nothing waits."""
        return ()

    def _id(self, item: Mapping[str, Any], where: str) -> str:
        id = text_of(item.get("item_id"))
        if not id:
            raise EventError(f"{where}: field items: an item has no item_id")
        return self.finder.named(id) or id


def _params(fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The event's parameters, each of which has one of several typed values."""
    params = {}
    for entry in listed(fields, "event_params", where=where):
        values = entry.get("value")
        if not isinstance(values, dict):
            raise EventError(f"{where}: field event_params: a parameter has no value")
        kinds = ("string_value", "int_value", "double_value", "float_value")
        params[str(entry.get("key"))] = next(
            (values[kind] for kind in kinds if values.get(kind) is not None), None
        )
    return params


def _index(item: Mapping[str, Any]) -> float:
    """Items without an index stay where they stand, after those with one."""
    try:
        return float(text_of(item.get("item_list_index")) or text_of(item.get("index")))
    except ValueError:
        return float("inf")


class Ubi:
    """User Behavior Insights."""

    remembers: ClassVar[bool] = False

    def __init__(self, finder: Finder, skipped: Reasons) -> None:
        self.finder = finder

    def read(self, record: Record) -> Iterable[Event]:
        """The event's click, or the query's impression."""
        where = record.where
        # Dumps of an index wrap each record.
        wrapped = record.fields.get("_source")
        fields = wrapped if isinstance(wrapped, dict) else record.fields
        query = text_of(fields.get("query_id"))
        action = fields.get("action_name")
        if action is None:
            yield self._impression(fields, query, where)
            return
        if action == "impression":
            raise Skip("impression of one hit: the query's record has them all")
        if action not in ("click", "click_through"):
            raise Skip(f"other event: {str(action)[:40]}")
        if not query:
            raise Skip("click that belongs to no query")
        attributes = _object(fields, "event_attributes", where)
        hit = _object(attributes, "object", where)
        id = text_of(hit.get("object_id")) or text_of(hit.get("internal_id"))
        if not id:
            raise EventError(f"{where}: field event_attributes.object.object_id: missing")
        yield click(
            where,
            view_id=pseudonym("ubi", query),
            ts=_moment(fields, where),
            clicked=self.finder.named(id) or id,
        )

    def flush(self) -> Iterable[Event]:
        """Nothing waits."""
        return ()

    def _impression(self, fields: Mapping[str, Any], query: str, where: str) -> Event:
        if not query:
            raise EventError(f"{where}: field query_id: missing")
        attributes = _object(fields, "query_attributes", where)
        asked = [attributes.get(name) for name in SOURCE_NAMES] + [fields.get("user_query")]
        found = (self.finder.named(text_of(value)) for value in asked)
        source = next((id for id in found if id is not None), None)
        if source is None:
            raise Skip("query that is no article's id or address")
        hits = fields.get("query_response_hit_ids")
        if not hits:
            raise Skip("query without hits")
        if not isinstance(hits, list) or not all(text_of(hit) for hit in hits):
            raise EventError(f"{where}: field query_response_hit_ids: must be a list of ids")
        ids = [text_of(hit) for hit in hits]
        # Not ``client_id``, which outlives the visit.
        session = text_of(fields.get("session_id"))
        return impression(
            where,
            view_id=pseudonym("ubi", query),
            ts=_moment(fields, where),
            source_id=source,
            shown=[self.finder.named(id) or id for id in ids],
            session_id=pseudonym("ubi", session) if session else "",
            list=text_of(fields.get("application")),
        )


def _object(fields: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    value = fields.get(name)
    if value is not None and not isinstance(value, dict):
        raise EventError(f"{where}: field {name}: must be an object")
    return value or {}


def _moment(fields: Mapping[str, Any], where: str) -> datetime | str:
    """OpenSearch takes both text and milliseconds."""
    value = fields.get("timestamp")
    if isinstance(value, str) and not value.strip().isdigit():
        return value  # checked with the rest of the event; its name is ``ts`` there
    return since_1970(value, MILLISECOND, name="timestamp", where=where)
