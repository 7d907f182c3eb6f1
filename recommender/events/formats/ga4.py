"""Lists as Google Analytics 4 has them: BigQuery's export as JSON, one event a line.

``view_item_list`` is an impression of its ``items``, by their index, and ``select_item`` a click.
The source is the article at ``page_location``, or of the parameter ``source_id``. A list seen again
on the same page in the same session is the same view.

Items that are no article of the store stay as they are: they count once it has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from recommender.errors import EventError
from recommender.events.event import Event
from recommender.events.formats.base import (
    NO_ARTICLE,
    Skip,
    Translator,
    click,
    impression,
    json_object,
    listed,
    pseudonym,
    since_1970,
    text_of,
)
from recommender.files import Record

# GA4's unit of time.
MICROSECOND = timedelta(microseconds=1)


def recognises(line: str) -> bool:
    """Whether a line is an event of GA4."""
    return {"event_name", "event_params"} <= (json_object(line) or {}).keys()


class Ga4(Translator):
    """Google Analytics 4."""

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
            raise Skip("no user_pseudo_id or ga_session_id, so views cannot be distinguished")
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
        types = ("string_value", "int_value", "double_value", "float_value")
        params[str(entry.get("key"))] = next(
            (values[name] for name in types if values.get(name) is not None), None
        )
    return params


def _index(item: Mapping[str, Any]) -> float:
    """Items without an index stay where they stand, after those with one."""
    try:
        return float(text_of(item.get("item_list_index")) or text_of(item.get("index")))
    except ValueError:
        return float("inf")
