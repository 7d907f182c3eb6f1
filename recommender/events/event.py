"""What readers saw and did: impressions of slates, clicks on their links, page views.

>>> parse({"type": "click", "view_id": "v1", "ts": "2026-11-22T10:00:00Z", "clicked": "knee"},
...       where="log.jsonl:1")
Click(view_id='v1', ts=1795341600000, clicked='knee')
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from recommender.errors import ClockError, EventError
from recommender.fields import FieldError, flag, identifier, listed
from recommender.times import EPOCH, parse_time

# A slate is a list somebody could look at; wikis show some hundred links on a page.
MAX_SHOWN = 5_000
# Not tuned: bundles' names have 22, vendors' ids of visits some forty.
MAX_NAME_CHARACTERS = 200
# What the editors' own lists are called wherever something is named by what chose it.
HAND_PICKED = "hand-picked"
# Why a link is in a slate; bundles and tokens hold numbers into this.
ORIGINS = ("model", "text", HAND_PICKED, "fallback", "pinned", "explored")
# Times are milliseconds since 1970, UTC; so long is a day.
DAY_MS = 86_400_000
MILLISECOND = timedelta(milliseconds=1)
# The year 2000, before which nobody logged what we read: such times are of clocks that were never
# set, and of numbers in another unit.
EARLIEST = 946_684_800_000
# No event is later than that much after now: clocks and time zones differ by less.
TOLERATED_MS = DAY_MS


class Impression(NamedTuple):
    """A slate was shown, or a part of one: what has one ``view_id`` is put together. ``ts`` is in
    milliseconds since 1970, UTC; ``nth`` orders those of one millisecond. ``places`` are those of
    the links in the whole list, rising, None for the first ones; lists count from 0 or from 1.
    A chance of None is not known.
    """

    view_id: str
    ts: int
    source_id: str
    shown: tuple[str, ...]
    ordered: bool = True
    session_id: str = ""
    layout: str = ""
    list: str = ""
    arm: str = ""
    propensities: tuple[float | None, ...] | None = None
    places: tuple[int, ...] | None = None
    nth: int = 0


class Click(NamedTuple):
    """A link of the view's slate was followed."""

    view_id: str
    ts: int
    clicked: str


class ClickOnPage(NamedTuple):
    """A link was followed that stood in a list of the page; in which view, its record does not say
    for certain. It was the view ``one``, or else the ``other``; or else, if there is a
    ``session_id``, the one that this session had of the page and that can be meant. ``key`` is of
    the page and what the record names: what comes twice has one key.
    """

    key: str
    ts: int
    clicked: str
    source_id: str
    one: str = ""
    other: str = ""
    session_id: str = ""


class PageView(NamedTuple):
    """An article was opened, from wherever."""

    ts: int
    article_id: str
    session_id: str = ""
    referrer_id: str = ""


Event = Impression | Click | ClickOnPage | PageView


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
    ordered = flag(record, "ordered", default=True)
    return Impression(  # by position, because millions are read
        identifier(record, "view_id"),
        _ts(record),
        identifier(record, "source_id"),
        shown,
        ordered,
        _name(record, "session_id"),
        _name(record, "layout"),
        _name(record, "list"),
        _name(record, "arm"),
        _propensities(record, len(shown)),
        _places(record, len(shown)) if ordered else None,
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


def _places(record: Mapping[str, Any], n_shown: int) -> tuple[int, ...] | None:
    """Where the links stand in the list of which they are a part."""
    first = record.get("first_position")
    if first in (None, "", 1, "1"):
        return None
    try:
        number = int(str(first).removesuffix(".0"))
    except ValueError:
        number = 0
    if not 0 < number <= MAX_SHOWN:
        raise FieldError("first_position", f"must be a whole number from 1 to {MAX_SHOWN:,}")
    return tuple(range(number, number + n_shown))


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


def latest_at(now: datetime) -> int:
    """Up to which moment events may be known at ``now``, in milliseconds since 1970."""
    return _milliseconds(now) + TOLERATED_MS


def check_time(ts: int, latest: float, *, where: str) -> None:
    """Raise ``ClockError`` if a time, in milliseconds since 1970, is before 2000 or later than
    ``latest``.
    """
    if EARLIEST <= ts <= latest:
        return
    ahead = ts > latest
    try:
        written = (EPOCH + ts * MILLISECOND).isoformat(timespec="seconds")
    except OverflowError:
        written = f"{ts} ms"
    what = "is more than a day ahead" if ahead else "is before 2000"
    raise ClockError(f"{where}: its time, {written}, {what}", ahead=ahead)


def _ts(record: Mapping[str, Any]) -> int:
    try:
        return milliseconds(record)
    except ValueError:
        value = record.get("ts")
        what = "missing" if value is None else f"no time: {str(value)[:40]!r}"
        raise FieldError("ts", what) from None


def milliseconds(record: Mapping[str, Any]) -> int:
    """The field ``ts`` in milliseconds since 1970, UTC; ``ValueError`` if it is no time."""
    value = record.get("ts")
    if isinstance(value, str):
        return _milliseconds_of(value)
    return _milliseconds(parse_time(value))  # type: ignore[arg-type]  # whatever it is


@lru_cache(maxsize=10_000)
def _milliseconds_of(text: str) -> int:
    """Imports often carry one timestamp for a whole session: each is read once."""
    return _milliseconds(parse_time(text))


def _milliseconds(moment: datetime) -> int:
    # Whole numbers throughout: .timestamp() * 1000 loses a millisecond now and then.
    return (moment - EPOCH) // MILLISECOND
