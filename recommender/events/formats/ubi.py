"""Lists of UBI, OpenSearch's User Behavior Insights: queries and events as JSON, one a line.

A query about an article is an impression of its hits, and ``click`` or ``click_through`` a click.
The source is the article that ``query_attributes`` names as ``source_id``, ``article_id`` or
``url``, or that ``user_query`` is the id or address of. Other queries are searches, of which we
make nothing. Hits that are no article of the store stay as they are: they count once it has them.
Further pages of hits have the same ``query_id``: they are put together in the order of time, or as
``query_attributes`` say with OpenSearch's ``from`` or an ``offset``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from recommender.errors import EventError
from recommender.events.event import MAX_SHOWN, Event
from recommender.events.formats.base import (
    Skip,
    Translator,
    click,
    impression,
    json_object,
    pseudonym,
    text_of,
)
from recommender.files import Record

SOURCE_NAMES = ("source_id", "article_id", "url")
# How many hits stand on the pages before.
OFFSET_NAMES = ("from", "offset")
# Of a number that may be meant: Python reads some thousands, slowly.
MAX_DIGITS = 10


def recognises(line: str) -> bool:
    """Whether a line is a query or an event of UBI; our own events have a ``type``."""
    fields = _unwrapped(json_object(line) or {})
    return "type" not in fields and not {"action_name", "query_id"}.isdisjoint(fields)


def _unwrapped(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Dumps of an index wrap each record."""
    wrapped = fields.get("_source")
    return wrapped if isinstance(wrapped, dict) else fields


class Ubi(Translator):
    """User Behavior Insights."""

    def read(self, record: Record) -> Iterable[Event]:
        """The event's click, or the query's impression."""
        where = record.where
        fields = _unwrapped(record.fields)
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
            ts=self.moment(fields.get("timestamp"), name="timestamp", where=where),
            clicked=self.finder.named(id) or id,
        )

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
        event = impression(
            where,
            view_id=pseudonym("ubi", query),
            ts=self.moment(fields.get("timestamp"), name="timestamp", where=where),
            source_id=source,
            shown=[self.finder.named(id) or id for id in ids],
            session_id=pseudonym("ubi", session) if session else "",
            list=text_of(fields.get("application")),
        )
        given = next((attributes[name] for name in OFFSET_NAMES if name in attributes), None)
        digits = text_of(given).removesuffix(".0")
        offset = int(digits) if digits.isdecimal() and len(digits) < MAX_DIGITS else -1
        if 0 <= offset <= MAX_SHOWN:
            places = range(offset + 1, offset + 1 + len(ids))
            event = event._replace(places=tuple(places))
        return event


def _object(fields: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    value = fields.get(name)
    if value is not None and not isinstance(value, dict):
        raise EventError(f"{where}: field {name}: must be an object")
    return value or {}
