"""Which of the editors' actions touched a page, and which of its rules.

An action may touch thousands of rules, such as those of a file that was brought in. Beside the
whole of it the store has, for each page, the rows of that page alone, so that the history of a page
is found by one look-up and reads nothing of other pages.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.store.keys import CHUNK, chunks

Row = dict[str, Any]
INSERT = """
    INSERT INTO action_sources (source, number, n_rules, row_before, row_after)
    VALUES (:source, :number, :n_rules, :row_before, :row_after)
"""


def fill(connection: Connection, number: int, before: Sequence[Row], after: Sequence[Row]) -> None:
    """Write which pages the action of a number touched, by its rows of rules."""
    by_source: dict[str, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for at, rows in enumerate((before, after)):
        for row in rows:
            by_source[row["source"]][at].append(row)
    n_rules = len({row["number"] for row in (*before, *after)})
    found = (
        {
            "source": source, "number": number, "n_rules": n_rules,
            "row_before": text_of(rows_before), "row_after": text_of(rows_after),
        }
        for source, (rows_before, rows_after) in by_source.items()
    )  # fmt: skip
    for part in chunks(found, CHUNK):
        connection.execute(sql.text(INSERT), part)


def fill_all(connection: Connection) -> None:
    """Do so for all actions of a store that was made before there were such rows."""
    numbers = [row.number for row in connection.execute(sql.text("SELECT number FROM actions"))]
    query = sql.text("SELECT row_before, row_after FROM actions WHERE number = :number")
    for number in numbers:
        row = connection.execute(query, {"number": number}).one()
        fill(connection, number, rows_of(row.row_before), rows_of(row.row_after))


def text_of(rows: Iterable[Row]) -> str:
    """Rows as JSON, empty if there are none."""
    listed = list(rows)
    return json.dumps(listed, ensure_ascii=False) if listed else ""


def rows_of(text: str) -> list[Row]:
    """The rows of such a text."""
    return json.loads(text) if text else []
