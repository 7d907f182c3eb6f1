"""What was exported for static pages: where, how many lists, and until when they may report.

Tokens of static pages are valid for months, longer than an ordinary change of the signing key
should take. So the key that signed an export, which is derived from the signing key
(``slate_token.static_key``), is kept here beside it. It opens what was exported and nothing else,
and not for longer; whoever changes the signing key because it leaked revokes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.events.slate_token import HOUR_MS, REVOKED, hour_of, static_key
from recommender.store.database import Store
from recommender.store.keys import upsert

# What the names of exports begin with among all that is kept once.
PREFIX = "exported "
# An export that was valid until so many days ago is forgotten: what it signed is unknown then,
# rather than expired. Not tuned.
REMEMBERED_DAYS = 400
# Folders that one sentence names.
MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class Export:
    """``n_lists`` that were written to a ``folder``, signed with ``key``, and valid until the hour
    ``until`` since 1970 at the latest; ``revoked`` if the key was.
    """

    key: bytes
    folder: str
    n_lists: int
    until: int
    revoked: bool = False

    @property
    def name(self) -> str:
        """What it is kept under: a later export to the same place with the same key replaces it."""
        marks = (hashlib.sha256(part).hexdigest()[:12] for part in (self.key, self._place))
        return PREFIX + " ".join(marks)

    @property
    def _place(self) -> bytes:
        return self.folder.encode("utf-8", "surrogateescape")

    @property
    def until_ms(self) -> int:
        """Until when its lists may report, in milliseconds since 1970."""
        return self.until * HOUR_MS

    def as_json(self) -> str:
        """What is kept of it."""
        return json.dumps({
            "key": self.key.hex(), "folder": self.folder, "lists": self.n_lists,
            "until": self.until, "revoked": self.revoked,
        })  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """Exports by how they stand to the signing key in force: signed with it, with one ``before``
    it, and just ``revoked``.
    """

    exports: tuple[Export, ...] = ()
    before: tuple[Export, ...] = ()
    revoked: tuple[Export, ...] = ()

    @property
    def keys(self) -> dict[bytes, int]:
        """The keys of before that signed exports, and until when: as ``Signer`` takes them."""
        found: dict[bytes, int] = {}
        for each in self.before:
            found[each.key] = REVOKED if each.revoked else max(each.until, found.get(each.key, 0))
        return found

    def behind(self, now_ms: int) -> list[Export]:
        """Those that report by a key of before, and were not written anew since."""
        again = {each.folder for each in self.exports if each not in self.before}
        return [
            each
            for each in self.before
            if not each.revoked and each.until_ms > now_ms and each.folder not in again
        ]

    def sentences(self, now_ms: int) -> list[str]:
        """What a change of the signing key means for what was exported; none if nothing."""
        found = []
        if self.revoked:
            found.append(
                f"{n_lists(self.revoked):,} exported lists are revoked with the signing key and "
                f"report nothing any more ({_folders(self.revoked)}): run recommender export again"
            )
        if behind := self.behind(now_ms):
            until = day_of(max(each.until_ms for each in behind))
            found.append(
                f"{n_lists(behind):,} exported lists ({_folders(behind)}) are signed with a key "
                f"of before, and report until {until}: run recommender export again; if that key "
                "leaked, RECOMMENDER_PREVIOUS_KEY_HOURS=0 revokes them"
            )
        return found


def day_of(ms: int) -> str:
    """A time in milliseconds since 1970, for people.

    >>> day_of(7_200_000)
    '1970-01-01 02:00 UTC'
    """
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _folders(exports: Iterable[Export]) -> str:
    """Where exports were written to, the first few."""
    folders = list(dict.fromkeys(each.folder for each in exports))
    more = f", and {len(folders) - MAX_NAMED:,} more" if len(folders) > MAX_NAMED else ""
    return ", ".join(folders[:MAX_NAMED]) + more


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was noted of an export, and what had been noted there before it."""

    name: str
    value: str
    before: str | None


def record(
    store: Store, signing_key: bytes, folder: str, n_lists: int, *, until_ms: int
) -> Recorded:
    """Note that ``n_lists`` are about to be written to a ``folder``, signed with what is derived
    of ``signing_key`` and valid until ``until_ms`` at the latest. Before that no token leaves.
    """
    export = Export(static_key(signing_key), folder, n_lists, hour_of(until_ms))
    with store.transaction() as connection:
        before = {each.name: each for each in _all(connection)}
        known = before.get(export.name)
        if known is not None:  # what was exported for longer may still be out there
            export = replace(export, until=max(export.until, known.until))
        rows = [{"name": export.name, "value": export.as_json()}]
        upsert(connection, "meta", rows, key="name")
    return Recorded(export.name, export.as_json(), known.as_json() if known else None)


def take_back(store: Store, recorded: Recorded) -> None:
    """As it was before: no token of it left. What another process noted there since stays."""
    change = "DELETE FROM meta" if recorded.before is None else "UPDATE meta SET value = :before"
    given = {"name": recorded.name, "value": recorded.value}
    given |= {} if recorded.before is None else {"before": recorded.before}
    with store.transaction() as connection:
        connection.execute(sql.text(f"{change} WHERE name = :name AND value = :value"), given)


def standing(store: Store, signing_key: bytes, *, now_ms: int, revoking: bool = False) -> Standing:
    """The exports of a store whose signing key is ``signing_key``. ``revoking`` voids those that
    were signed with another for good: it leaked.
    """
    with store.reading() as connection:
        exports = _all(connection)
    old = [each for each in exports if each.until_ms + REMEMBERED_DAYS * 24 * HOUR_MS < now_ms]
    mine = static_key(signing_key)
    void = [each for each in exports if each.key != mine and not each.revoked]
    revoked: list[Export] = []
    if revoking and void:
        with store.transaction() as connection:
            for each in void:
                changed = connection.execute(
                    sql.text("UPDATE meta SET value = :new WHERE name = :name AND value = :old"),
                    {"name": each.name, "new": replace(each, revoked=True).as_json(),
                     "old": each.as_json()},
                )  # fmt: skip
                # Of processes that start together one finds it done.
                revoked += [each] * changed.rowcount
            exports = _all(connection)
    kept = tuple(each for each in exports if each not in old)
    return Standing(kept, tuple(each for each in kept if each.key != mine), tuple(revoked))


def _all(connection: Connection) -> list[Export]:
    query = sql.text("SELECT value FROM meta WHERE name LIKE :prefix ORDER BY name")
    found = connection.execute(query, {"prefix": f"{PREFIX}%"})
    return [_read(row.value) for row in found]


def _read(text: str) -> Export:
    given = json.loads(text)
    return Export(
        key=bytes.fromhex(given["key"]),
        folder=given["folder"],
        n_lists=given["lists"],
        until=given["until"],
        revoked=given["revoked"],
    )


def n_lists(exports: Iterable[Export]) -> int:
    """How many lists they have."""
    return sum(each.n_lists for each in exports)
