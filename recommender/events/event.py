"""What readers saw and did: impressions of slates, clicks on their links, page views.

>>> parse({"type": "click", "view_id": "v1", "ts": "2026-11-22T10:00:00Z", "clicked": "knee"},
...       where="log.jsonl:1")
Click(view_id='v1', ts=1795341600000, clicked='knee')
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from recommender.articles.article import parse_timestamp
from recommender.errors import EventError
from recommender.fields import FieldError, flag, identifier, listed

# A slate is a list somebody could look at; wikis show some hundred links on a page.
MAX_SHOWN = 5_000
# Not tuned: bundles' names have 22, vendors' ids of visits some forty.
MAX_NAME_CHARACTERS = 200
# Why a link is in a slate; bundles and tokens hold numbers into this.
ORIGINS = ("model", "text", "hand-picked", "fallback", "pinned", "explored")
# Times are milliseconds since 1970, UTC; so long is a day.
DAY_MS = 86_400_000
EPOCH, MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)  # their units


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
    try:
        if read is None:
            known = ", ".join(_READERS)
            raise FieldError("type", f"{record.get('type')!r}; known: {known}")
        return read(record)
    except FieldError as exc:
        raise EventError(f"{where}: {exc}") from exc


def _impression(record: Mapping[str, Any]) -> Impression:
    shown = _ids(record, "shown")
    return Impression(  # by position, because millions are read
        identifier(record, "view_id"),
        _ts(record),
        identifier(record, "source_id"),
        shown,
        flag(record, "ordered", default=True),
        _name(record, "session_id"),
        _name(record, "layout"),
        _name(record, "list"),
        _name(record, "arm"),
        _propensities(record, len(shown)),
    )


def _click(record: Mapping[str, Any]) -> Click:
    return Click(identifier(record, "view_id"), _ts(record), identifier(record, "clicked"))


def _page_view(record: Mapping[str, Any]) -> PageView:
    return PageView(
        ts=_ts(record),
        article_id=identifier(record, "article_id"),
        session_id=_name(record, "session_id"),
        referrer_id=identifier(record, "referrer_id") if record.get("referrer_id") else "",
    )


_READERS: dict[str, Callable[[Mapping[str, Any]], Event]] = {
    "impression": _impression,
    "click": _click,
    "pageview": _page_view,
}


def _name(record: Mapping[str, Any], name: str) -> str:
    if record.get(name) in (None, ""):
        return ""
    return identifier(record, name, most=MAX_NAME_CHARACTERS)


def _ids(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = listed(record, name)
    if value is None:
        raise FieldError(name, "missing")
    if not 0 < len(value) <= MAX_SHOWN:
        raise FieldError(name, f"{len(value):,} links; 1 to {MAX_SHOWN:,} fit")
    try:
        ids = _checked("\x00".join(value))
        if len(ids) == len(value):
            return ids
    except (FieldError, TypeError):  # TypeError: not all of them are text
        pass
    return tuple(identifier({name: entry}, name) for entry in value)


@lru_cache(maxsize=50_000)
def _checked(joined: str) -> tuple[str, ...]:
    """The ids, checked. A site shows the same slates over and over: each is checked once."""
    return tuple(identifier({"shown": id}, "shown") for id in joined.split("\x00"))


def _propensities(record: Mapping[str, Any], n_shown: int) -> tuple[float, ...] | None:
    value = listed(record, "propensities")
    if value is None:
        return None
    try:
        chances = tuple(float(chance) for chance in value)
    except (TypeError, ValueError, OverflowError):
        raise FieldError("propensities", "must be numbers") from None
    if len(chances) != n_shown or not all(0 < chance <= 1 for chance in chances):
        what = f"one chance above 0 and up to 1 for each of {n_shown} shown links"
        raise FieldError("propensities", what)
    return chances


def _ts(record: Mapping[str, Any]) -> int:
    try:
        return milliseconds(record)
    except ValueError:
        value = record.get("ts")
        what = "missing" if value is None else f"not an ISO 8601 time: {str(value)[:40]!r}"
        raise FieldError("ts", what) from None


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
