"""Grades as files: CSV for people and their spreadsheets, TREC's qrels for programs.

A CSV file has the columns ``source_id``, ``id``, ``grade``, ``by``, ``at`` and ``note``; semicolons
and what else spreadsheets write for commas are read too. A spreadsheet takes a cell that begins
with ``=`` or the like for a formula, and notes and ids are anybody's, so such a cell gets an
apostrophe before it, which reading takes off again. Qrels hold no judge and no time: of several
judges the rounded mean is written, and who reads them names the judge. A file with a fault is
refused whole.

>>> guarded("=1+1"), unguarded(guarded("=1+1")), guarded("knee"), unguarded("'tis")
("'=1+1", '=1+1', 'knee', "'tis")
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from recommender.errors import InputError
from recommender.evaluation import trec
from recommender.evaluation.judgements import HIGHEST, LOWEST, mean_grades
from recommender.evaluation.judging import MAX_NOTE
from recommender.fields import FieldError, identifier, text
from recommender.files import Problem, read_records, unpacked
from recommender.store.grades import Grade
from recommender.times import parse_time

COLUMNS = ("source_id", "id", "grade", "by", "at", "note")
CSV, QRELS = ".csv", (".qrels", ".qrel")
# What spreadsheets begin formulas with, in full width too (OWASP, "CSV injection"), behind
# apostrophes, so that taking one off gives back what stood there.
FORMULA = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@＝＋－＠])")
# Characters of a name, which is written beside every grade.
MAX_NAME = 100
# Grades from 0 to 3, which spreadsheets may write as fractions.
WHOLE = re.compile(r"\s*([0-9])(?:[.,]0+)?\s*")
AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class GradeFile:
    """What a file holds: its ``grades``, the latest of a judge for a link, how many ``duplicates``
    that left out, and ``remarks`` on what was passed over.
    """

    grades: list[Grade]
    duplicates: int
    remarks: list[str]


def judge_name(name: object, *, field: str = "by") -> str:
    """A judge's name, without spaces around it; ``FieldError`` if it is none."""
    written = text({field: name}, field, needed=True, most=MAX_NAME).strip()
    if not written or not written.isprintable():
        raise FieldError(field, "holds characters that are not shown" if written else "empty")
    return written


def is_qrels(path: Path) -> bool:
    """Whether a file is one of qrels, by its name; ``qrels.txt`` is one too."""
    name = unpacked(path).name.lower()
    return name.endswith(QRELS) or ("qrels" in name and not name.endswith(CSV))


def read(path: Path, *, now: datetime, by: str | None = None) -> GradeFile:
    """The grades of a file. ``by`` is the judge where it names none, and ``now`` the moment where
    it names none; ``InputError`` names file, line and field of a fault.
    """
    found, remarks = _of_qrels(path, now, by) if is_qrels(path) else _of_csv(path, now, by)
    latest: dict[tuple[str, str, str], Grade] = {}
    for grade in found:
        key = *grade.pair, grade.by
        if key not in latest or latest[key].at <= grade.at:
            latest[key] = grade
    return GradeFile([*latest.values()], len(found) - len(latest), remarks)


def _of_qrels(path: Path, now: datetime, by: str | None) -> tuple[list[Grade], list[str]]:
    if by is None:
        raise InputError(f"{path}: qrels name no judge; name him with --by")
    frame = trec.read_qrels(path, grades=range(LOWEST, HIGHEST + 1))
    grades = []
    for row in frame.itertuples():
        try:
            pair = _pair({"source_id": row.query_id, "id": row.doc_id})
        except FieldError as exc:
            raise InputError(f"{path}: query {row.query_id}, document {row.doc_id}: {exc}") from exc
        grades.append(Grade(*pair, int(row.relevance), by, now))
    return grades, []


def _of_csv(path: Path, now: datetime, by: str | None) -> tuple[list[Grade], list[str]]:
    grades, others = [], set()
    for record in read_records(path, "csv"):
        if isinstance(record, Problem):
            raise InputError(record.text)
        fields = {
            name.strip().lower().replace(" ", "_"): unguarded(cell)
            for name, cell in record.fields.items()
        }
        if not any(map(str.strip, fields.values())):
            continue
        others |= fields.keys() - set(COLUMNS)
        try:
            grades.append(_grade(fields, now, by))
        except FieldError as exc:
            raise InputError(f"{record.where}: {exc}") from exc
    remarks = [f"{path}: column {name} is not read" for name in sorted(others)]
    return grades, remarks


def _grade(fields: Mapping[str, str], now: datetime, by: str | None) -> Grade:
    source, id = _pair(fields)
    written = text(fields, "grade", needed=True)
    match = WHOLE.fullmatch(written)
    if not match or not LOWEST <= int(match[1]) <= HIGHEST:
        raise FieldError("grade", f"{written[:40]!r} is not {LOWEST} to {HIGHEST}")
    judge = by if by is not None and not fields.get("by") else judge_name(fields.get("by"))
    note = text(fields, "note", most=MAX_NOTE)
    if "\x00" in note:
        raise FieldError("note", "holds a NUL byte")
    return Grade(source, id, int(match[1]), judge, _moment(fields, now), note)


def _pair(fields: Mapping[str, Any]) -> tuple[str, str]:
    """A page and a link of it, which is another."""
    source, id = identifier(fields, "source_id"), identifier(fields, "id")
    if source == id:
        raise FieldError("id", "the page itself")
    return source, id


def _moment(fields: Mapping[str, str], now: datetime) -> datetime:
    written = text(fields, "at").strip()
    if not written:
        return now
    try:
        moment = parse_time(written)
    except (ValueError, OverflowError):
        raise FieldError("at", f"no time: {written[:40]!r}") from None
    # Such a grade would never give way to a later one.
    if moment > now + AHEAD:
        raise FieldError("at", f"more than a day ahead: {written[:40]!r}")
    return moment


def csv_text(grades: Sequence[Grade]) -> str:
    """The text of a CSV file with these grades."""
    written = io.StringIO(newline="")
    table = csv.writer(written, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for grade in grades:
        at = grade.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        cells: list[Any] = [grade.source_id, grade.id, grade.grade, grade.by, at, grade.note]
        table.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in cells])
    return written.getvalue()


def write(path: Path, grades: Sequence[Grade]) -> int:
    """Write a file of grades, qrels or CSV by its name; returns how many it has. In qrels a link
    that several judges graded has the mean, rounded, halves up. ``InputError`` for another name.
    """
    if path.suffix.lower() == CSV:
        content = csv_text(grades)
        # Spreadsheets take a file without a mark for one of their own encoding.
        encoding = "utf-8" if content.isascii() else "utf-8-sig"
        path.write_text(content, encoding=encoding, newline="")
        return len(grades)
    if not is_qrels(path) or path.suffix.lower() == ".gz":
        raise InputError(f"{path}: grades are written as .csv or .qrels")
    import pandas as pd

    rows = [
        (page, id, int(grade + 0.5))
        for page, links in mean_grades(grades).items()
        for id, grade in links.items()
    ]
    frame = pd.DataFrame(rows, columns=["query_id", "doc_id", "relevance"])
    trec.write_qrels(path, frame)
    return len(rows)


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """What ``guarded`` was given."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell
