"""Posts of events that were refused as a whole, by day: why, and of which origins.

A site that was forgotten in the settings sends its events in vain, and nothing else shows it: so
the origins that were refused are counted by name. Anybody can make names up, a million a day. So a
process remembers a bounded number of them, and the store has the ``MAX_NAMED`` that were refused
most on a day: a name that comes more often takes the place of the one that came least. The number
of all refused posts is exact; what of it is under no name is of others.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.events.event import DAY_MS
from recommender.events.web_origin import is_allowed, named
from recommender.store.database import Store
from recommender.store.event_writer import REJECTED, add_tallies

# What the tallies of refused posts begin with, and those of the origins; what follows is the code
# of the answer, or the origin.
REFUSED, ORIGIN = "refused ", "origin "
# The code of the answer to an origin that is not allowed.
NOT_ALLOWED = "origin_not_allowed"
# Origins that have a name of their own on a day, in the store; several times what a site has.
MAX_NAMED = 20
# Origins that a process remembers, of each kind: those that came once and those that came again.
MAX_REMEMBERED = 1_000
# Days that figures look back.
N_DAYS, RECENT_DAYS = 400, 28

EPOCH = date(1970, 1, 1)
_OF_DAY = sql.text(
    "SELECT name, n FROM tallies WHERE day = :day AND SUBSTR(name, 1, :length) = :prefix"
)
_DROP = sql.text("DELETE FROM tallies WHERE day = :day AND name = :name")
_SINCE = sql.text("SELECT day, name, n FROM tallies WHERE day >= :day")


@dataclass(frozen=True, slots=True)
class Taken:
    """Refused posts of a ``day`` (since 1970, UTC) to be written: how many by their ``codes``, and
    of origins that were refused how often since the last time and in all of that day.
    """

    day: int
    codes: Counter[str]
    origins: dict[str, tuple[int, int]]

    def write(self, connection: Connection) -> None:
        """Add them to the tallies of their day."""
        codes = {f"{REFUSED}{code}": n for code, n in self.codes.items()}
        add_tallies(connection, self.day, codes)
        if not self.origins:
            return
        of_day = {"day": self.day, "prefix": ORIGIN, "length": len(ORIGIN)}
        there = {
            str(row.name).removeprefix(ORIGIN): int(row.n)
            for row in connection.execute(_OF_DAY, of_day)
        }
        more: dict[str, int] = {}
        for name, (n, total) in sorted(self.origins.items(), key=lambda each: -each[1][1]):
            if name in there:
                more[name] = n
                there[name] += n
                continue
            if len(there) >= MAX_NAMED:
                least = min(there, key=lambda each: there[each])
                if there[least] >= total:
                    continue
                connection.execute(_DROP, {"day": self.day, "name": f"{ORIGIN}{least}"})
                del there[least]
                more.pop(least, None)
            more[name] = there[name] = total
        add_tallies(connection, self.day, {f"{ORIGIN}{name}": n for name, n in more.items()})


class Refusals:
    """What was refused and is not in the store yet. Not for several threads at once."""

    def __init__(self) -> None:
        self._day: int | None = None
        self._codes: Counter[str] = Counter()
        self._fresh: Counter[str] = Counter()
        # Of a day: origins that came once, the oldest first, and how often others did. A flood of
        # new names pushes out those that came once.
        self._once: OrderedDict[str, None] = OrderedDict()
        self._often: dict[str, int] = {}

    def __bool__(self) -> bool:
        """Is there anything to write?"""
        return bool(self._codes)

    def add(self, code: str, origin: str | None = None) -> None:
        """A post was refused with this ``code``; ``origin`` is the one that is not allowed."""
        self._codes[code] += 1
        name = None if origin is None else named(origin)
        if name is not None:
            self._count(name)
            self._fresh[name] += 1

    def _count(self, name: str) -> None:
        if name in self._often:
            self._often[name] += 1
        elif name in self._once:
            del self._once[name]
            if len(self._often) >= MAX_REMEMBERED:
                self._forget(min(self._often, key=lambda each: self._often[each]))
            self._often[name] = 2
        else:
            if len(self._once) >= MAX_REMEMBERED:
                self._forget(self._once.popitem(last=False)[0])
            self._once[name] = None

    def _forget(self, name: str) -> None:
        self._often.pop(name, None)
        self._fresh.pop(name, None)

    def take(self, day: int) -> Taken:
        """What came since the last time, to be written on a ``day``."""
        if self._day is not None and self._day != day:
            # What came since midnight, and a few seconds before, is the new day's.
            self._once = OrderedDict.fromkeys(name for name, n in self._fresh.items() if n == 1)
            self._often = {name: n for name, n in self._fresh.items() if n > 1}
        self._day = day
        origins = {name: (n, self._often.get(name, 1)) for name, n in self._fresh.items()}
        taken = Taken(day, self._codes, origins)
        self._codes, self._fresh = Counter(), Counter()
        return taken

    def put_back(self, taken: Taken) -> None:
        """What was ``taken`` could not be written."""
        self._codes.update(taken.codes)
        known = self._often.keys() | self._once.keys()
        self._fresh.update({name: n for name, (n, _) in taken.origins.items() if name in known})


@dataclass(frozen=True, slots=True)
class RefusedOrigin:
    """An origin whose posts were refused ``n`` times, on days from ``first`` to ``last`` (ISO), of
    them on ``n_days``.
    """

    origin: str
    n: int
    first: str
    last: str
    n_days: int


def refused_origins(
    connection: Connection, *, first_day: int, allowed: Collection[str] = ()
) -> tuple[list[RefusedOrigin], int]:
    """The origins that were refused from a day (since 1970, UTC) on and are not ``allowed`` now,
    those of the most days first, then the most refused; and how many posts of origins without a
    name were. A site that was forgotten comes day after day; made-up names mostly do not.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    total = 0
    for row in connection.execute(_SINCE, {"day": first_day}):
        if row.name == f"{REFUSED}{NOT_ALLOWED}":
            total += int(row.n)
        elif row.name.startswith(ORIGIN):
            found.setdefault(row.name.removeprefix(ORIGIN), []).append((int(row.day), int(row.n)))
    n_named = sum(n for rows in found.values() for _, n in rows)
    origins = [
        RefusedOrigin(
            origin=name,
            n=sum(n for _, n in rows),
            first=_date(min(day for day, _ in rows)),
            last=_date(max(day for day, _ in rows)),
            n_days=len(rows),
        )
        for name, rows in found.items()
        if not is_allowed(name, allowed)
    ]
    return sorted(origins, key=lambda each: (-each.n_days, -each.n, each.origin)), max(
        0, total - n_named
    )


def origins_of(tallies: dict[str, int]) -> dict[str, int]:
    """Refused posts by origin, of the tallies of one day; what has no name is ``other``."""
    named = {name.removeprefix(ORIGIN): n for name, n in tallies.items() if name.startswith(ORIGIN)}
    rest = tallies.get(f"{REFUSED}{NOT_ALLOWED}", 0) - sum(named.values())
    return named | ({"other": rest} if rest > 0 else {})


def figures(store: Store, *, now: datetime) -> dict[str, Any]:
    """What was refused, for ``evaluation.site_figures``: by day and reason, events and whole posts
    apart, and the origins of the last four weeks.
    """
    today = int(now.timestamp() * 1000) // DAY_MS
    days: dict[int, dict[str, Any]] = {}
    with store.reading() as connection:
        for row in connection.execute(_SINCE, {"day": today - N_DAYS + 1}):
            day = days.setdefault(int(row.day), {"received": 0, "events": {}, "posts": {}})
            if row.name == "received":
                day["received"] = int(row.n)
            for kind, prefix in (("events", REJECTED), ("posts", REFUSED)):
                if row.name.startswith(prefix):
                    day[kind][row.name.removeprefix(prefix)] = int(row.n)
        origins, n_other = refused_origins(connection, first_day=today - RECENT_DAYS + 1)
    totals: dict[str, Counter[str]] = {"events": Counter(), "posts": Counter()}
    for day in days.values():
        for kind, total in totals.items():
            total.update(day[kind])
    return {
        "refused": {
            "received": sum(day["received"] for day in days.values()),
            **{kind: dict(total.most_common()) for kind, total in totals.items()},
            "days": [{"day": _date(at), **days[at]} for at in sorted(days)],
        },
        "origins_refused": {
            "days": RECENT_DAYS,
            "origins": [
                {"origin": each.origin, "n": each.n, "first": each.first, "last": each.last}
                for each in origins[:MAX_NAMED]
            ],
            "other": n_other + sum(each.n for each in origins[MAX_NAMED:]),
        },
    }


def _date(day: int) -> str:
    return (EPOCH + timedelta(days=day)).isoformat()
