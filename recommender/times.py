"""Moments as people and programs write them: a number of any unit, ISO 8601, the dates of mail.

>>> parse_time("2026-11-22T10:00:00Z") == parse_time(1795341600) == parse_time("1795341600000")
True
>>> parse_time("Sun, 22 Nov 2026 11:00:00 +0100").isoformat()
'2026-11-22T10:00:00+00:00'
>>> parse_time("03/04/2026")
Traceback (most recent call last):
ValueError: day and month may be either way round: '03/04/2026'
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# A number is of the first unit in which it lies before the year 5138; by the same limits it is
# after March 1973 in that unit. Microseconds of one unit, and how large numbers of it may be.
UNITS = (
    (Decimal(1_000_000), 10**11),  # seconds
    (Decimal(1_000), 10**14),  # milliseconds
    (Decimal(1), 10**17),  # microseconds
    (Decimal("0.001"), 10**20),  # nanoseconds
)
# Smaller numbers are no seconds: they would lie within three years of 1970, as what is no time at
# all does, and eight digits are a day of the calendar.
LEAST = 10**8
NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
# 2026, 20261122 and 20261122100000, as tables and web archives have them.
DIGITS = re.compile(r"(?:1[5-9]|20|21)\d\d(?:(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?)?", re.ASCII)
# What databases and languages write for no date: zeros, and their first or least moments.
NOTHING = re.compile(
    r"0000[-/.]?00[-/.]?00.*|(?:.*\s)?-0001\b.*|0001-01-01.*|00[./-]00[./-]0000.*|0+(?:\.0*)?"
)

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = r"""
    (?P<hour>\d{1,2}):(?P<minute>\d\d)(?: :(?P<second>\d\d)(?: [.,](?P<fraction>\d+))? )?
    (?: \s*(?P<half>[ap])\.?m\.? )?
"""
_ZONE = r"""
    (?P<zone> z | (?:utc|gmt)?[+-]\d\d(?: :?\d\d(?: :?\d\d)? )? | [a-z]{1,5} )
    (?: \s*\([^()]*\) | \s*\[[^\[\]]*\] | \s+(?:utc|gmt|[a-z]{3,5}) )?  # said once more
"""
_END = rf"(?: (?: \s*t\s* | \s*,?\s+(?:at\s+)? | : ){_CLOCK} )? (?: \s*{_ZONE} )?"
_DAY_NAME = r"(?: (?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+ )?"
_MONTH_NAME = r"""
    (?P<name> jan(?:uary)? | feb(?:ruary)? | mar(?:ch)? | apr(?:il)? | may | june? | july?
        | aug(?:ust)? | sept?(?:ember)? | oct(?:ober)? | nov(?:ember)? | dec(?:ember)? )\.?
"""
SHAPES = tuple(
    re.compile(shape, re.ASCII | re.IGNORECASE | re.VERBOSE)
    for shape in (
        # 2026-11-22 10:00:00, 2026/11/22, 2026-11, 2026年11月22日
        rf"(?P<year>\d{{4}}) (?P<mark>[-/.年])\s* (?P<month>\d{{1,2}})"
        rf"(?: (?:(?P=mark)|月)\s* (?P<day>\d{{1,2}})日? | 月 )? {_END}",
        # 22.11.2026, 22/11/2026, 11/22/2026
        rf"(?P<first>\d{{1,2}}) (?P<mark>[./-]) (?P<other>\d{{1,2}}) (?P=mark) "
        rf"(?P<year>\d{{4}}) {_END}",
        # Sun, 22 Nov 2026 10:00:00 GMT, Sunday, 22-Nov-26 10:00:00 GMT, 22/Nov/2026:10:00:00 +0000
        rf"{_DAY_NAME} (?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)? [\s/-]\s*(?:of\s+)? {_MONTH_NAME} "
        rf"[\s,/-]\s* (?P<year>\d{{4}}|\d\d(?=\s+\d)) {_END}",
        # November 22, 2026, Sun Nov 22 2026 10:00:00 GMT+0100
        rf"{_DAY_NAME} {_MONTH_NAME} \s+ (?P<day>\d{{1,2}})(?:st|nd|rd|th)? ,?\s+ "
        rf"(?P<year>\d{{4}}) {_END}",
        # Sun Nov 22 10:00:00 UTC 2026
        rf"{_DAY_NAME} {_MONTH_NAME} \s+ (?P<day>\d{{1,2}}) \s+ {_CLOCK} (?: \s+{_ZONE} )? \s+ "
        rf"(?P<year>\d{{4}})",
        # November 2026
        rf"{_MONTH_NAME} ,?\s+ (?P<year>\d{{4}})",
    )
)
# Hours east of Greenwich of zones with a name that means no other: those of mail (RFC 822) and of
# Europe. IST and BST are several; who means one writes a number.
ZONES = {
    "z": 0, "utc": 0, "gmt": 0, "ut": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7,
    "mdt": -6, "pst": -8, "pdt": -7, "wet": 0, "west": 1, "cet": 1, "cest": 2, "mez": 1, "mesz": 2,
    "eet": 2, "eest": 3, "msk": 3, "jst": 9, "kst": 9,
}  # fmt: skip


class NoTime(ValueError):  # noqa: N818 - nothing is wrong
    """Something that stands for no time: an empty text, zeros, what a language has for none."""


def parse_time(value: str | float | date) -> datetime:
    """The moment that a value of a record stands for, in UTC.

    Numbers, also as text, count seconds, milliseconds, microseconds or nanoseconds since 1970: by
    their size one alone can be meant. Texts are ISO 8601 with a fraction of any length, dates with
    slashes or points, and dates with an English month. What has no zone is UTC; of a year or a
    month the first day is meant, at midnight. Raises ``NoTime`` for what stands for none, and
    ``ValueError`` for what is no time or may be two.
    """
    if isinstance(value, datetime):
        return _in_utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"no time: {type(value).__name__}")
    try:
        return _of_text(str(value).strip())
    except NoTime:
        raise
    except OverflowError:
        raise ValueError(f"no time: {str(value)[:40]!r}") from None


def _of_text(text: str) -> datetime:
    # Most are so; what is no more than a year and a month is not to be read as the last of these.
    if text[4:5] == "-" and text[10:11] in ("T", " ") and text[:4] > "0001":
        try:
            return _in_utc(datetime.fromisoformat(text))
        except ValueError:
            pass
    if not text or NOTHING.fullmatch(text):
        raise NoTime("stands for no time")
    if len(text) > 100:  # longer than any date; nothing below is tried on whatever people send
        raise ValueError(f"no time: {text[:40]!r}")
    if NUMBER.fullmatch(text):
        return _of_number(text)
    for shape in SHAPES:
        if match := shape.fullmatch(text):
            return _of_parts(match.groupdict(), text)
    raise ValueError(f"no time: {text[:40]!r}")


def _of_number(text: str) -> datetime:
    text = text.removesuffix(".0")
    if calendar := DIGITS.fullmatch(text):
        month, day, hour, minute, second = (int(part or 0) for part in calendar.groups())
        try:
            return datetime(int(text[:4]), month or 1, day or 1, hour, minute, second, tzinfo=UTC)
        except ValueError:
            if len(text) < 14:
                raise ValueError(f"no time: {text!r}") from None
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"no time: {text[:40]!r}") from None
    if abs(number) < LEAST:
        raise ValueError(f"no time, as a number: {text[:40]!r}")
    for microseconds, limit in UNITS:
        if abs(number) < limit:
            return EPOCH + int(number * microseconds // 1) * MICROSECOND
    raise ValueError(f"no time, as a number: {text[:40]!r}")


def _of_parts(parts: dict[str, str | None], text: str) -> datetime:
    """The moment whose parts have been found in a text."""
    written = parts["year"] or ""
    year = int(written)
    if len(written) == 2:  # as in mail, where two digits once did
        year += 1900 if year >= 70 else 2000
    month, day = int(parts.get("month") or 1), int(parts.get("day") or 1)
    if "month" in parts and day == 0:  # MySQL's dates of which no more is known
        month, day = month or 1, 1
    if name := parts.get("name"):
        month = 1 + MONTHS.index(name[:3].lower())
    elif "first" in parts:
        day, month = _day_and_month(parts, text)
    hour, second = int(parts.get("hour") or 0), int(parts.get("second") or 0)
    if half := parts.get("half"):
        hour = hour % 12 + (12 if half.lower() == "p" else 0)
    fraction = (parts.get("fraction") or "")[:6].ljust(6, "0")
    try:
        local = datetime(
            year, month, day, hour, int(parts.get("minute") or 0), min(second, 59), int(fraction)
        )  # 60 is a leap second
    except ValueError as exc:
        raise ValueError(f"no time: {text[:40]!r}: {exc}") from None
    return _in_utc(local.replace(tzinfo=_zone(parts.get("zone") or "z", text)))


def _day_and_month(parts: dict[str, str | None], text: str) -> tuple[int, int]:
    """Points are for the day first, wherever dates are written so; slashes leave it open."""
    first, other = int(parts["first"] or 0), int(parts["other"] or 0)
    if parts["mark"] != "." and max(first, other) <= 12 and first != other:
        raise ValueError(f"day and month may be either way round: {text[:40]!r}")
    return (other, first) if other > 12 and parts["mark"] != "." else (first, other)


def _zone(written: str, text: str) -> timezone:
    name = written.lower()
    if name in ZONES:
        return timezone(timedelta(hours=ZONES[name]))
    digits = re.sub(r"\D", "", name)
    if not digits:
        raise ValueError(f"no time zone of one meaning: {text[:40]!r}")
    hours, minutes, seconds = (int(digits[at : at + 2] or 0) for at in (0, 2, 4))
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return timezone(-offset if "-" in name else offset)


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
