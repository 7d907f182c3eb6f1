"""What the readers of other people's logs share.

Each format is a small class, a ``Translator``: it turns one record into events, raises
``EventError`` if the record is faulty, and ``Skip`` if it is sound but of no use to us. What can
only be known when more has been read comes out of ``flush``.

>>> pseudonym("ga4", "some reader") == pseudonym("ga4", "some reader")
True
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from math import inf
from typing import Any, ClassVar, NamedTuple, cast

from recommender.articles.addresses import Finder
from recommender.errors import EventError
from recommender.events.event import (
    MILLISECOND,
    Click,
    Event,
    Impression,
    check_time,
    parse,
)
from recommender.files import JSON, Record
from recommender.times import EPOCH, parse_time

NO_ARTICLE = "no article at this address"
# Skipped records are counted by reason, and some reasons quote the log: a log must not decide how
# much memory the process takes.
MAX_REASONS = 100


class Skip(Exception):  # noqa: N818 - nothing is wrong
    """The record is sound, but of no use; the text is the reason, the same for many records."""


class Reasons(Counter[str]):
    """How many records were skipped, by reason."""

    def add(self, reason: str) -> None:
        """One more."""
        known = reason in self or len(self) < MAX_REASONS
        self[reason if known else "for other reasons"] += 1


class Translator:
    """Turns the records of one format into events."""

    # Whether earlier records decide what a later one means.
    remembers: ClassVar[bool] = False

    def __init__(self, finder: Finder, skipped: Reasons) -> None:
        self.finder = finder
        self.skipped = skipped
        # What was used, but not without a doubt.
        self.remarks = Reasons()
        # What is later is a fault of some clock.
        self.latest = inf

    @property
    def name(self) -> str:
        """What the last file was, if that is more than the format's name."""
        return ""

    def moment(self, value: Any, *, name: str, where: str) -> datetime:
        """The moment that a field of this name stands for, which must be one that can be."""
        found = moment(value, name=name, where=where)
        check_time((found - EPOCH) // MILLISECOND, self.latest, where=where)
        return found

    def read(self, record: Record) -> Iterable[Event]:
        """The events of one record. Raises ``EventError`` or ``Skip``."""
        raise NotImplementedError

    def flush(self) -> Iterable[Event]:
        """The events that had to wait for later records."""
        return ()


class Format(NamedTuple):
    """One row of ``detect.FORMATS``."""

    name: str  # as ``--format`` takes it
    title: str
    records: str  # how a file is cut into records, as ``read_records`` knows it
    translator: type[Translator]
    # Whether a line is of this format; None for files that have no lines of their own.
    recognises: Callable[[str], bool] | None
    endings: tuple[str, ...] = ()  # of files' names


def json_object(line: str) -> dict[str, Any] | None:
    """The JSON object that a line begins with, or None."""
    try:
        fields, _ = JSON.raw_decode(line.strip("\x00 \t\r\n"))
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def pseudonym(*parts: str) -> str:
    """A name that is the same for the same parts and does not show them: what identifies a
    reader to a vendor is not for us to keep.
    """
    return hashlib.blake2b("\x00".join(parts).encode(errors="replace"), digest_size=12).hexdigest()


def impression(where: str, **fields: Any) -> Impression:
    """An impression, checked as one of our own would be."""
    return cast(Impression, parse({"type": "impression", **fields}, where=where))


def click(where: str, **fields: Any) -> Click:
    """A click, checked as one of our own would be."""
    return cast(Click, parse({"type": "click", **fields}, where=where))


def page_view(where: str, **fields: Any) -> Event:
    """A page view, checked as one of our own would be."""
    return parse({"type": "pageview", **fields}, where=where)


def moment(value: Any, *, name: str, where: str) -> datetime:
    """The moment that a field of this name stands for; BigQuery writes whole numbers as text."""
    try:
        return parse_time(value)
    except ValueError:
        what = "missing" if value is None else f"no time: {str(value)[:40]!r}"
        raise EventError(f"{where}: field {name}: {what}") from None


def listed(record: Mapping[str, Any], name: str, *, where: str) -> list[Mapping[str, Any]]:
    """A field that is a list of objects; empty if it is missing."""
    value = record.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise EventError(f"{where}: field {name}: must be a list of objects")
    return value


def text_of(value: Any) -> str:
    """Text or a number as text, without what vendors write for nothing; else empty."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value).strip()
    return "" if text == "(not set)" else text
