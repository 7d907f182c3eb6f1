"""Lists that are handed over beside bundles: a table, a file, or those the editors picked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recommender.articles.article import Article
from recommender.errors import ArgumentError, InputError
from recommender.files import Problem, read_records, unpacked

if TYPE_CHECKING:
    import pandas as pd

# By page, the ids it would show, best first.
Lists = Mapping[str, Sequence[str]]
COLUMNS = ("source_id", "position", "id")
FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
           ".parquet": "parquet"}  # fmt: skip


def lists_of(table: pd.DataFrame) -> Lists:
    """Lists given as a table: ``source_id``, ``position`` (from 1), ``id``. ``ArgumentError`` names
    a missing column, and the row of a position that is no number or of a missing id.
    """
    if missing := set(COLUMNS) - set(table.columns):
        raise ArgumentError(f"a table of lists takes columns {', '.join(sorted(missing))}")
    rows = zip(*(table[name].tolist() for name in COLUMNS), strict=True)
    try:
        return _gathered((f"row {number}", *row) for number, row in enumerate(rows, start=1))
    except InputError as exc:
        raise ArgumentError(str(exc)) from None


def read_lists(path: Path) -> Lists:
    """Lists in a file of a record a link, with the fields ``source_id``, ``position`` and ``id``:
    CSV, JSON Lines or Parquet, by its name, plain or gzip'd. ``InputError`` names the line that is
    none: of lists that are judged nothing is left out.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    suffix = unpacked(path).suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"{path}: lists come as {', '.join(FORMATS)}, and this is {suffix!r}")
    rows: list[tuple[str, Any, Any, Any]] = []
    for record in read_records(path, FORMATS[suffix]):
        if isinstance(record, Problem):
            raise InputError(record.text)
        if missing := [name for name in COLUMNS if name not in record.fields]:
            raise InputError(f"{record.where}: no {missing[0]}; a link has {', '.join(COLUMNS)}")
        rows.append((record.where, *(record.fields[name] for name in COLUMNS)))
    if not rows:
        raise InputError(f"{path}: no list in it")
    return _gathered(rows)


def is_file_of_lists(path: Path) -> bool:
    """Is it a file, or would it be one by its name?"""
    return path.is_file() or (unpacked(path).suffix.lower() in FORMATS and not path.is_dir())


def picked(articles: Iterable[Article]) -> Lists:
    """The editors' lists, each link once, of pages that have one. ``InputError`` if none has."""
    found = {each.id: list(dict.fromkeys(each.recommended)) for each in articles}
    if not (found := {id: links for id, links in found.items() if links}):
        raise InputError("no article of the store has a hand-picked list")
    return found


def _gathered(rows: Iterable[tuple[str, Any, Any, Any]]) -> Lists:
    """Rows of where they stand, source, position and id, in any order."""
    found: dict[str, list[tuple[float, str]]] = {}
    for where, source, position, id in rows:
        if any(_is_missing(each) for each in (source, id)):
            raise InputError(f"{where}: the id is missing")
        try:
            place = float(position)
        except (TypeError, ValueError):
            place = float("nan")
        if place != place:
            raise InputError(f"{where}: position {position!r} is no number")
        found.setdefault(str(source), []).append((place, str(id)))
    return {
        source: [id for _, id in sorted(links, key=lambda link: link[0])]
        for source, links in found.items()
    }


def _is_missing(value: Any) -> bool:
    return value is None or value == "" or value != value
