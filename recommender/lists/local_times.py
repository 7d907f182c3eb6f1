"""Days and times as people of a site write them, and spreadsheets show them.

A day is one of the site's time zone, where it may have 23 hours or 25. ``until`` a day includes
it. A time that clocks leave out when they are put forward is that which they show then, and of one
that comes twice the first is meant to begin with and the second to end with.

>>> from zoneinfo import ZoneInfo
>>> berlin = ZoneInfo("Europe/Berlin")
>>> moment_of("30.11.2026", berlin).isoformat()
'2026-11-29T23:00:00+00:00'
>>> moment_of("28.3.27", berlin, is_end=True).isoformat()
'2027-03-28T22:00:00+00:00'
>>> as_written(moment_of("2026-11-30 08:00", berlin), berlin)
'2026-11-30 08:00'
>>> moment_of("03/04/2026", berlin)
Traceback (most recent call last):
recommender.lists.local_times.NoDate: '03/04/2026' may be ...
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

FORMS = "write it as 2026-11-30 or 2026-11-30 08:00"
_CLOCK = r"""
    (?: (?:\s*T\s*|\s*,?\s+) (?P<hour>\d{1,2})[:.h](?P<minute>\d\d)
        (?: [:.](?P<second>\d\d)(?:[.,]\d+)? )? (?: \s*(?P<half>[ap])\.?\s?m\.? )?
        (?: \s*(?P<zone>Z|[+-]\d\d:?\d\d) )? )?
"""
SHAPES = tuple(
    re.compile(shape + _CLOCK, re.ASCII | re.IGNORECASE | re.VERBOSE)
    for shape in (
        r"(?P<year>\d{4}) (?P<mark>[-/.])\s* (?P<month>\d{1,2}) (?P=mark)\s* (?P<day>\d{1,2})\.?",
        r"(?P<first>\d{1,2}) (?P<mark>[-/.])\s* (?P<other>\d{1,2}) (?P=mark)\s* "
        r"(?P<year>\d{4}|\d\d)\.?",
        r"(?P<day>\d{1,2})\.?[\s-]+ (?P<name>[a-z]{3,9})\.?[\s-]+ (?P<year>\d{4}|\d\d)",
        r"(?P<name>[a-z]{3,9})\.?\s+ (?P<day>\d{1,2}),?\s+ (?P<year>\d{4})",
    )
)
# What stands between words, and around them, in cells that were copied from elsewhere.
BLANK = " \t\r\n\v\f\u00a0\u2007\u202f\ufeff\u200b"
FULL_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip


@dataclass(slots=True)
class Order:
    """Which comes first where day and month are both numbers between slashes or hyphens: the
    lines that say so, by mark and by what is first, each with the text.
    """

    lines: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    n_settled: int = 0

    def learn(self, line: int, text: str) -> None:
        """Take notice of a date, if it has but one meaning."""
        if (match := SHAPES[1].fullmatch(text)) and match["mark"] != ".":
            first, other = int(match["first"]), int(match["other"])
            if max(first, other) > 12 >= min(first, other):
                what = "day" if first > 12 else "month"
                self.lines.setdefault((match["mark"], what), (line, text))

    def split(self, mark: str, first: int, other: int, text: str) -> tuple[int, int]:
        """Day and month. ``NoDate`` if they may be either."""
        if mark == ".":
            return first, other
        day, month = (self.lines.get((mark, what)) for what in ("day", "month"))
        if day and month:
            raise NoDate(
                f"{day[1]!r} in line {day[0]} has the day first, {month[1]!r} in line {month[0]} "
                "the month: write dates as 2026-11-30"
            )
        if first == other or day or month:
            self.n_settled += max(first, other) <= 12 and first != other
            return (other, first) if month else (first, other)
        raise NoDate(
            f"{text!r} may be the {first} of month {other} or the {other} of month {first}, and no "
            "other line says which comes first: write it as 2026-11-30"
        )

    @property
    def notes(self) -> list[str]:
        """What was settled by another line, if anything."""
        if not self.n_settled:
            return []
        settled = [f"the {what} first, as line {at} ({text})" for (_, what), (at, text) in
                   sorted(self.lines.items())]  # fmt: skip
        dates = "date that has" if self.n_settled == 1 else "dates that have"
        return [f"{self.n_settled:,} {dates} two meanings: read with {', '.join(settled)}"]


def as_written(moment: datetime | None, zone: tzinfo, *, is_end: bool = False) -> str:
    """A moment as a person writes it, which means the same when it is read again."""
    if moment is None:
        return ""
    try:
        local = moment.astimezone(zone)
    except OverflowError:
        return moment.isoformat()
    day = local.date()
    if is_end and day > date.min:
        day -= timedelta(days=1)
    bound = end_of(day, zone) if is_end else start_of(day, zone)
    if bound == moment:
        return day.isoformat()
    plain = local.replace(tzinfo=None, fold=0)
    is_whole = local.second == local.microsecond == 0
    if is_whole and {plain.replace(tzinfo=zone, fold=fold) for fold in (0, 1)} == {moment}:
        return plain.isoformat(" ", "minutes")
    return local.isoformat(" ")


class NoDate(ValueError):  # noqa: N818 - reads as the sentence it is
    """A text is no date, or may be two; the message is a sentence for who wrote it."""


def moment_of(
    text: str,
    zone: tzinfo,
    *,
    is_end: bool = False,
    order: Order | None = None,
    note: Callable[[str], None] = lambda note: None,
) -> datetime | None:
    """The moment, in UTC, at which what is to begin or end on a day or at a time of the site's
    ``zone`` does; None if that is never. ``note`` is called with what had to be assumed. ``NoDate``
    says what is wrong.
    """
    text = spaced(text)
    if order is None:
        order = Order()
        order.learn(1, text)
    try:
        day, clock = _parts(text, order)
        if clock is None:
            return end_of(day, zone) if is_end else start_of(day, zone)
        local = datetime.combine(day, clock)
        if local.tzinfo is not None:
            return local.astimezone(UTC)
        return _at(local, zone, is_end=is_end, note=note)
    except NoDate:
        raise
    except (ValueError, OverflowError):
        raise NoDate(f"no date: {text[:40]!r}; {_hint(text)}") from None


def start_of(day: date, zone: tzinfo) -> datetime | None:
    """The first moment of a day, which need not be midnight; None before there are moments."""
    try:
        return datetime.combine(day, time(), zone).astimezone(UTC)
    except OverflowError:
        return None


def end_of(day: date, zone: tzinfo) -> datetime | None:
    """The first moment after a day; None if there is none, so that 9999-12-31 is for ever."""
    return None if day == date.max else start_of(day + timedelta(days=1), zone)


def _at(local: datetime, zone: tzinfo, *, is_end: bool, note: Callable[[str], None]) -> datetime:
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    if first > second:
        # Before clocks are put forward, zones count a time that is left out by the old offset.
        shown = first.astimezone(zone)
        note(f"clocks leave out {local:%Y-%m-%d %H:%M} in {zone}: {shown:%H:%M} is taken")
        return first
    which = "second" if is_end else "first"
    note(f"clocks show {local:%Y-%m-%d %H:%M} twice in {zone}: the {which} is taken")
    return second if is_end else first


def _parts(text: str, order: Order) -> tuple[date, time | None]:
    """The day, and the time if there is one, with its offset if it has one; ``ValueError``."""
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            found = read(text)
        except ValueError:
            continue
        if isinstance(found, datetime):
            return found.date(), found.timetz()
        return found, None
    for shape in SHAPES:
        if match := shape.fullmatch(text):
            return _day(match, order, text), _clock(match)
    raise ValueError(text)


def _day(match: re.Match[str], order: Order, text: str) -> date:
    parts = match.groupdict()
    year = int(parts["year"])
    if len(parts["year"]) == 2:
        year += 2000  # rules are of now
    if name := parts.get("name"):
        month = _month(name.lower())
        return date(year, month, int(parts["day"]))
    if "first" in parts:
        day, month = order.split(parts["mark"], int(parts["first"]), int(parts["other"]), text)
        return date(year, month, day)
    return date(year, int(parts["month"]), int(parts["day"]))


def _month(name: str) -> int:
    for number, full in enumerate(FULL_MONTHS, start=1):
        if name in (full, full[:3], full[:4]):
            return number
    raise NoDate(f"{name!r} is no English month: write the date as 2026-11-30")


def _clock(match: re.Match[str]) -> time | None:
    if match["hour"] is None:
        return None
    hour = int(match["hour"])
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(match.string)
        hour = hour % 12 + (12 if match["half"].lower() == "p" else 0)
    return time(
        hour, int(match["minute"]), int(match["second"] or 0), tzinfo=_offset(match["zone"])
    )


def _offset(written: str | None) -> timezone | None:
    if written is None:
        return None
    if written in "zZ":
        return UTC
    digits = re.sub(r"\D", "", written)
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if written[0] == "-" else offset)


def _hint(text: str) -> str:
    if text and not text.strip("#"):
        return "a spreadsheet wrote #### since the column was too narrow: widen it, save again"
    if re.fullmatch(r"\d{5}(?:[.,]\d+)?", text):
        return "a spreadsheet wrote how it counts days: give the cells a date's format, save again"
    return FORMS


def spaced(text: str) -> str:
    """A text with one ordinary space wherever it has some of any kind, and none around it."""
    return re.sub(f"[{BLANK}]+", " ", text).strip()
