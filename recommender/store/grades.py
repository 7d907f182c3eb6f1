"""Grades of people in the store, and the pages drawn for them: the one reader and writer of both.

A judge has one grade of a link beside a page, the latest he gave. Grades are kept when articles go
and events are forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.store.database import Store
from recommender.store.keys import CHUNK, chunks, look_up, number_ids, upsert
from recommender.times import EPOCH, MICROSECOND

# Where the store keeps how pages were drawn.
DRAW = "judged_pages"
HOW = ("drawn_by", "seed", "n_pages", "depth", "n_asked", "n_reached")
MILLISECOND = 1_000 * MICROSECOND
GRADES = """
    SELECT s.id AS source_id, i.id AS id, g.grade AS grade, g.judge AS judge, g.at AS at,
        g.note AS note
    FROM grades g JOIN ids s ON s.key = g.source JOIN ids i ON i.key = g.item
"""
PAGES = """
    SELECT i.id AS id, d.size AS size, d.priority AS priority
    FROM drawn_pages d JOIN ids i ON i.key = d.source ORDER BY d.place
"""
WRITE = """
    INSERT INTO grades (source, item, judge, grade, at, note)
    VALUES (:source, :item, :judge, :grade, :at, :note)
    ON CONFLICT (source, item, judge)
    DO UPDATE SET grade = excluded.grade, at = excluded.at, note = excluded.note
"""


@dataclass(frozen=True, slots=True)
class Grade:
    """What a judge, ``by``, thinks of a link from page ``source_id`` to article ``id``: a ``grade``
    of 0 to 3, given ``at`` a moment, with a ``note``, which may be empty.
    """

    source_id: str
    id: str
    grade: int
    by: str
    at: datetime
    note: str = ""

    @property
    def pair(self) -> tuple[str, str]:
        """The page and the article it links to."""
        return self.source_id, self.id


@dataclass(frozen=True, slots=True)
class Written:
    """How many grades were ``new``, how many took the place of an ``older`` one of the same judge,
    and how many did not count, since the store had ``the same`` or a ``later`` one.
    """

    new: int = 0
    replaced: int = 0
    same: int = 0
    later: int = 0


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """A page in the order in which pages are judged: its ``size``, which its chance was in
    proportion to, and its ``priority``, which the order is by.
    """

    source_id: str
    size: float
    priority: float


@dataclass(frozen=True, slots=True)
class Draw:
    """Pages in the order in which they are judged, drawn out of ``n_pages`` by ``views`` or by
    ``pages`` (see ``evaluation.page_sampling``) with a ``seed``, ``at`` a moment; lists are judged
    as deep as ``depth`` links. Grades were asked for on the first ``n_asked`` pages, and judges
    came through the first ``n_reached``.
    """

    drawn_by: str
    seed: int
    n_pages: int
    at: datetime
    depth: int
    n_asked: int = 0
    n_reached: int = 0
    pages: Sequence[DrawnPage] = field(default=(), repr=False)


def read(store: Store, *, by: str | None = None, source_id: str | None = None) -> list[Grade]:
    """All grades, or those of one judge, or of one page, in the order of pages, articles and
    judges.
    """
    limits = {"g.judge": by, "s.id": source_id}
    wanted = {name: value for name, value in limits.items() if value is not None}
    where = " AND ".join(f"{name} = :{name[2:]}" for name in wanted)
    statement = f"{GRADES} WHERE {where}" if wanted else GRADES
    values = {name[2:]: value for name, value in wanted.items()}
    with store.reading() as connection:
        rows = connection.execute(sql.text(statement), values)
        found = [
            Grade(row.source_id, row.id, row.grade, row.judge, _moment(row.at), row.note)
            for row in rows
        ]
    return sorted(found, key=lambda grade: (*grade.pair, grade.by))


def write(store: Store, grades: Iterable[Grade]) -> Written:
    """Write grades, all or none, each in place of an older one of the same judge."""
    counted = dict.fromkeys(Written.__slots__, 0)
    with store.transaction() as connection:
        _lock(connection)
        for part in chunks(grades, CHUNK):
            keys: dict[str, int] = {}
            number_ids(connection, {id for grade in part for id in grade.pair}, keys)
            _write(connection, [(_key(grade, keys), grade) for grade in part], counted)
    return Written(**counted)


def _key(grade: Grade, keys: Mapping[str, int]) -> tuple[int, int, str]:
    return keys[grade.source_id], keys[grade.id], grade.by


def _write(
    connection: Connection,
    grades: Sequence[tuple[tuple[int, int, str], Grade]],
    counted: dict[str, int],
) -> None:
    there = _there(connection, {key[0] for key, _ in grades})
    changed: dict[tuple[int, int, str], dict[str, Any]] = {}
    for key, grade in grades:
        row = {"grade": grade.grade, "at": _milliseconds(grade.at), "note": grade.note}
        before = there.get(key)
        if before == row:
            counted["same"] += 1
        elif before is not None and before["at"] > row["at"]:
            counted["later"] += 1
        else:
            counted["new" if before is None else "replaced"] += 1
            there[key] = changed[key] = row
    if changed:
        names = "source", "item", "judge"
        rows = [{**dict(zip(names, key, strict=True)), **row} for key, row in changed.items()]
        connection.execute(sql.text(WRITE), rows)


def _there(connection: Connection, sources: set[int]) -> dict[tuple[int, int, str], dict[str, Any]]:
    statement = "SELECT source, item, judge, grade, at, note FROM grades WHERE source IN :values"
    return {
        (row.source, row.item, row.judge): {"grade": row.grade, "at": row.at, "note": row.note}
        for row in look_up(connection, statement, sorted(sources))
    }


def drawn(store: Store) -> Draw | None:
    """The pages to judge, None if none were drawn yet."""
    with store.snapshot() as connection:
        how = _how(connection)
        if not how:
            return None
        rows = connection.execute(sql.text(PAGES))
        pages = [DrawnPage(row.id, row.size, row.priority) for row in rows]
    return Draw(pages=pages, **{**how, "at": _moment(how["at"])})


def keep_draw(store: Store, draw: Draw) -> None:
    """Keep which pages are to be judged, in place of those drawn before; of the same draw, how far
    judges came meanwhile stays.
    """
    how = {**{name: getattr(draw, name) for name in HOW}, "at": _milliseconds(draw.at)}
    with store.transaction() as connection:
        _lock(connection)
        before = _how(connection)
        if before.get("at") == how["at"]:
            how["n_reached"] = max(draw.n_reached, before.get("n_reached", 0))
        text = json.dumps(how)
        keys: dict[str, int] = {}
        number_ids(connection, {page.source_id for page in draw.pages}, keys)
        connection.execute(sql.text("DELETE FROM drawn_pages"))
        rows = [
            {"place": place, "source": keys[page.source_id], "size": page.size,
             "priority": page.priority}
            for place, page in enumerate(draw.pages, start=1)
        ]  # fmt: skip
        upsert(connection, "drawn_pages", rows, key="place")
        upsert(connection, "meta", [{"name": DRAW, "value": text}], key="name")


def keep_reached(store: Store, draw: Draw, n_pages: int) -> None:
    """Keep that judges came through the first ``n_pages`` of a draw, unless they were farther, or
    pages were drawn anew meanwhile.
    """
    with store.transaction() as connection:
        _lock(connection)
        how = _how(connection)
        if how.get("at") == _milliseconds(draw.at) and how.get("n_reached", 0) < n_pages:
            text = json.dumps({**how, "n_reached": n_pages})
            upsert(connection, "meta", [{"name": DRAW, "value": text}], key="name")


def _how(connection: Connection) -> dict[str, Any]:
    """How pages were drawn, as it is kept; empty if none were."""
    query = sql.text("SELECT value FROM meta WHERE name = :name")
    about = connection.scalar(query, {"name": DRAW})
    found: dict[str, Any] = json.loads(about) if about else {}
    return found


def _lock(connection: Connection) -> None:
    """One writer of grades at a time, so that what is there when they are compared stays there."""
    if connection.dialect.name == "postgresql":
        connection.execute(sql.text("LOCK TABLE grades, drawn_pages IN SHARE ROW EXCLUSIVE MODE"))


def _milliseconds(moment: datetime) -> int:
    return (moment.astimezone(UTC) - EPOCH) // MILLISECOND


def _moment(milliseconds: int) -> datetime:
    return EPOCH + milliseconds * MILLISECOND
