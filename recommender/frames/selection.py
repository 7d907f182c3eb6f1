"""Which part of the log is wanted, as conditions of SQL statements: the database leaves out the
rest, and what nobody asked for is never read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import sqlalchemy as sql

from recommender import arguments
from recommender.articles.article import parse_timestamp
from recommender.errors import ArgumentError
from recommender.events.event import DAY_MS, MILLISECOND
from recommender.store.database import Store
from recommender.times import EPOCH

Moment = datetime | date | str
# Of slates ``s``; of views ``v`` it takes a detour by their slate.
SLATE = {
    "sources": "s.source IN (SELECT key FROM ids WHERE id IN :sources)",
    "lists": "s.list IN :lists",
}
# Where a store has names of what may be limited, and in which column.
NAMED = {
    "source": (("SELECT id FROM ids", "id"), ("SELECT id FROM articles", "id")),
    "layout": (
        ("SELECT DISTINCT layout FROM views", "layout"),
        ("SELECT DISTINCT layout FROM past_views", "layout"),
    ),
    "list": (("SELECT DISTINCT list FROM slates", "list"),),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Parameters of statements by name: ``since`` (inclusive) and ``until`` (exclusive), both
    milliseconds since 1970, UTC, ``layouts``, ``sources`` and ``lists``; what is not limited is
    not there.
    """

    values: dict[str, Any]

    @property
    def slates(self) -> str:
        """The condition on slates ``s``."""
        return _all(text for name, text in SLATE.items() if name in self.values)

    @property
    def views(self) -> str:
        """The condition on views ``v``."""
        return _all([*self.times("v.ts"), *self._place("v")])

    @property
    def clicks(self) -> str:
        """The condition on clicks ``c``, whose own time counts; a click whose view is not known
        is left out as soon as it takes one to decide.
        """
        of_view = self._place("v")
        known = f"c.view_id IN (SELECT v.view_id FROM views v WHERE {_all(of_view)})"
        return _all([*self.times("c.ts"), *([known] if of_view else [])])

    @property
    def past(self) -> str:
        """The condition on daily counts ``p`` of what was forgotten; see ``by_days``."""
        limits = {"since_day": "p.day >= :since_day", "until_day": "p.day < :until_day"}
        days = [text for name, text in limits.items() if name in self.values]
        return _all([*days, *self._place("p")])

    @property
    def needs_views(self) -> bool:
        """Whether it takes views to decide if a slate is wanted."""
        return bool({"since", "until", "layouts"} & self.values.keys())

    def times(self, column: str) -> list[str]:
        """The conditions on a column of moments."""
        limits = {"since": f"{column} >= :since", "until": f"{column} < :until"}
        return [text for name, text in limits.items() if name in self.values]

    def by_days(self) -> Selection:
        """The same for whole days: all that the time from ``since`` to ``until`` touches."""
        values = dict(self.values)
        if "since" in values:
            values["since_day"] = values["since"] // DAY_MS
            values["since"] = values["since_day"] * DAY_MS
        if "until" in values:
            values["until_day"] = -(-values["until"] // DAY_MS)
            values["until"] = values["until_day"] * DAY_MS
        return Selection(values)

    def _place(self, table: str) -> list[str]:
        """The conditions that views and past counts share."""
        found = [f"{table}.layout IN :layouts"] if "layouts" in self.values else []
        if SLATE.keys() & self.values.keys():
            found.append(f"{table}.slate IN (SELECT s.slate FROM slates s WHERE {self.slates})")
        return found


def selection(
    *,
    since: Moment | None = None,
    until: Moment | None = None,
    source: str | Sequence[str] | None = None,
    layout: str | Sequence[str] | None = None,
    list: str | Sequence[str] | None = None,
) -> Selection:
    """What the arguments of a frame limit: times from ``since``, included, to ``until``, not
    included. ``TypeError`` or ``ArgumentError`` names one that is of no use.
    """
    values: dict[str, Any] = {}
    for name, moment in (("since", since), ("until", until)):
        if moment is not None:
            values[name] = _milliseconds(name, moment)
    if values.keys() == {"since", "until"} and values["since"] > values["until"]:
        raise ArgumentError(f"since: {since} is later than until, {until}")
    for name, texts in (("source", source), ("layout", layout), ("list", list)):
        if texts is not None:
            values[f"{name}s"] = names_of(name, texts)
    return Selection(values)


def check_names(store: Store, chosen: Selection) -> None:
    """``ArgumentError`` for an article, a layout or a list that the store does not know, with the
    names it has: a word misspelt is no empty frame.
    """
    with store.reading() as connection:
        for name, what in (("source", "article"), ("layout", "layout"), ("list", "list")):
            for text in chosen.values.get(f"{name}s", ()):
                if not any(
                    connection.execute(sql.text(f"{query} WHERE {name_of} = :text LIMIT 1"),
                                       {"text": text}).first()
                    for query, name_of in NAMED[name]
                ):  # fmt: skip
                    names = {
                        str(found)
                        for query, _ in NAMED[name]
                        for (found,) in connection.execute(sql.text(query))
                    }
                    arguments.known(name, text, names, what=what)


def names_of(name: str, value: Any, *, what: str = "a name, or a list of names") -> list[str]:
    """One name or several; ``TypeError`` if it is neither."""
    if isinstance(value, str):
        return [value]
    return arguments.texts(name, value, what=what, ordered=False)


def _milliseconds(name: str, moment: Moment) -> int:
    if not isinstance(moment, date | str | np.datetime64):
        raise TypeError(f"{name}: {arguments.given(moment)} is no moment; 2026-11-22 is one")
    try:
        if moment != moment:
            raise ValueError  # Not a time of pandas, or of numpy.
        if not isinstance(moment, datetime):
            moment = parse_timestamp(str(moment))
        found = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        # A limit between two milliseconds leaves out the one before.
        return -((EPOCH - found) // MILLISECOND)
    except (ValueError, TypeError, OverflowError) as exc:
        raise ArgumentError(f"{name}: {moment!r} is no moment; 2026-11-22 is one") from exc


def _all(conditions: Any) -> str:
    return " AND ".join(conditions) or "1 = 1"
