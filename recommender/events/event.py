"""What readers saw and did: impressions of slates, clicks on their links, page views.

>>> parse({"type": "click", "view_id": "v1", "ts": "2026-11-22T10:00:00Z", "clicked": "knee"},
...       where="log.jsonl:1")
Click(view_id='v1', ts=1795341600000, clicked='knee')
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from recommender.articles.article import MAX_ID_CHARACTERS, parse_timestamp
from recommender.errors import EventError

# A slate is a list somebody could look at; wikis show some hundred links on a page.
MAX_SHOWN = 5_000
MAX_NAME_CHARACTERS = 200
# Why a link is in a slate; bundles and tokens hold numbers into this.
ORIGINS = ("model", "text", "hand-picked", "fallback", "pinned", "explored")
DAY_MS = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


class Impression(NamedTuple):
    """A slate was shown. ``ts`` is in milliseconds since 1970, UTC."""

    view_id: str
    ts: int
    source_id: str
    shown: tuple[str, ...]
    ordered: bool = True
    session_id: str = ""
    layout: str = ""
    list: str = ""
    arm: str = ""
    propensities: tuple[float, ...] | None = None


class Click(NamedTuple):
    """A link of the view's slate was followed."""

    view_id: str
    ts: int
    clicked: str


class PageView(NamedTuple):
    """An article was opened, from wherever."""

    ts: int
    article_id: str
    session_id: str = ""
    referrer_id: str = ""


Event = Impression | Click | PageView


def parse(record: Mapping[str, Any], *, where: str) -> Event:
    """Check one event. ``EventError`` names the place and the field."""
    read = _READERS.get(str(record.get("type")))
    if read is None:
        known = ", ".join(_READERS)
        raise EventError(f"{where}: field type: {record.get('type')!r}; known: {known}")
    return read(record, where)


def _impression(record: Mapping[str, Any], where: str) -> Impression:
    shown = _ids(record, "shown", where)
    return Impression(  # by position, because millions are read
        _id(record, "view_id", where),
        _ts(record, where),
        _id(record, "source_id", where),
        shown,
        _ordered(record, where),
        _name(record, "session_id", where),
        _name(record, "layout", where),
        _name(record, "list", where),
        _name(record, "arm", where),
        _propensities(record, len(shown), where),
    )


def _click(record: Mapping[str, Any], where: str) -> Click:
    return Click(_id(record, "view_id", where), _ts(record, where), _id(record, "clicked", where))


def _page_view(record: Mapping[str, Any], where: str) -> PageView:
    return PageView(
        ts=_ts(record, where),
        article_id=_id(record, "article_id", where),
        session_id=_name(record, "session_id", where),
        referrer_id=_id(record, "referrer_id", where) if record.get("referrer_id") else "",
    )


_READERS: dict[str, Callable[[Mapping[str, Any], str], Event]] = {
    "impression": _impression,
    "click": _click,
    "pageview": _page_view,
}


def _id(record: Mapping[str, Any], name: str, where: str) -> str:
    value = record.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        what = "missing" if value is None else f"must be text, not {type(value).__name__}"
        raise EventError(f"{where}: field {name}: {what}")
    value = value.strip()
    if not value or len(value) > MAX_ID_CHARACTERS or "\x00" in value:
        what = "empty" if not value else "too long, or it holds a NUL byte"
        raise EventError(f"{where}: field {name}: {what}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise EventError(f"{where}: field {name}: holds half a surrogate pair") from None
    return value


def _name(record: Mapping[str, Any], name: str, where: str) -> str:
    value = record.get(name)
    if value is None or value == "":
        return ""
    value = _id(record, name, where)
    if len(value) > MAX_NAME_CHARACTERS:
        raise EventError(f"{where}: field {name}: longer than {MAX_NAME_CHARACTERS} characters")
    return value


def _ids(record: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    value = _list(record, name, where)
    if value is None:
        raise EventError(f"{where}: field {name}: missing")
    if not 0 < len(value) <= MAX_SHOWN:
        raise EventError(f"{where}: field {name}: {len(value):,} links; 1 to {MAX_SHOWN:,} fit")
    try:
        ids = _checked("\x00".join(value))
        if len(ids) == len(value):
            return ids
    except (EventError, TypeError):  # TypeError: not all of them are text
        pass
    return tuple(_id({name: entry}, name, where) for entry in value)


@lru_cache(maxsize=50_000)
def _checked(joined: str) -> tuple[str, ...]:
    """The ids, checked. A site shows the same slates over and over: each is checked once."""
    return tuple(_id({"shown": id}, "shown", "") for id in joined.split("\x00"))


def _list(record: Mapping[str, Any], name: str, where: str) -> Sequence[Any] | None:
    value = record.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str):  # a cell of a CSV
        if not value.lstrip().startswith("["):
            return value.split("|")
        try:
            value = json.loads(value)
        except ValueError as exc:
            raise EventError(f"{where}: field {name}: not a JSON list: {exc}") from exc
    if not isinstance(value, list | tuple):
        raise EventError(f"{where}: field {name}: must be a list, not {type(value).__name__}")
    return value


def _propensities(record: Mapping[str, Any], n_shown: int, where: str) -> tuple[float, ...] | None:
    value = _list(record, "propensities", where)
    if value is None:
        return None
    try:
        chances = tuple(float(chance) for chance in value)
    except (TypeError, ValueError, OverflowError):
        raise EventError(f"{where}: field propensities: must be numbers") from None
    if len(chances) != n_shown or not all(0 < chance <= 1 for chance in chances):
        raise EventError(
            f"{where}: field propensities: one chance above 0 and up to 1 for each of "
            f"{n_shown} shown links"
        )
    return chances


def _ordered(record: Mapping[str, Any], where: str) -> bool:
    value = record.get("ordered", True)
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):  # a cell of a CSV
        return value.lower() == "true"
    raise EventError(f"{where}: field ordered: must be true or false, not {value!r}")


def _ts(record: Mapping[str, Any], where: str) -> int:
    try:
        return milliseconds(record)
    except ValueError:
        value = record.get("ts")
        what = "missing" if value is None else f"not an ISO 8601 time: {str(value)[:40]!r}"
        raise EventError(f"{where}: field ts: {what}") from None


def milliseconds(record: Mapping[str, Any]) -> int:
    """The field ``ts`` in milliseconds since 1970, UTC; ``ValueError`` if it is no time."""
    value = record.get("ts")
    if isinstance(value, datetime):  # Parquet has types for time
        return _milliseconds(value if value.tzinfo else value.replace(tzinfo=UTC))
    return _milliseconds_of(str(value))


@lru_cache(maxsize=10_000)
def _milliseconds_of(text: str) -> int:
    """Imports often carry one timestamp for a whole session: each is read once."""
    return _milliseconds(parse_timestamp(text))


def _milliseconds(moment: datetime) -> int:
    # Whole numbers throughout: .timestamp() * 1000 loses a millisecond now and then.
    return (moment - EPOCH) // MILLISECOND
