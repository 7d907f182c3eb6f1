"""Runs and qrels, the two files that tools of information retrieval exchange (TREC).

A run has what a system ranked, a line ``query Q0 document rank score name``; qrels have what that
was worth, a line ``query iteration document relevance``. Fields stand apart by white space, and ids
here are any text. So in what is written, white space and control characters of an id are escaped
as in JSON, a backslash is doubled, and reading turns that round: every id comes back as it was. An
id without such characters, as nearly all are, stands as it is, and other tools read what is written
without knowing of it. An empty id is refused, since nothing can stand for it.

Frames have the columns that ir_measures takes; ``for_ranx`` gives them ranx's names.

>>> escaped("knee pain"), unescaped(escaped("C:\\\\a b")) == "C:\\\\a b"
('knee\\\\u0020pain', True)
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from recommender import arguments
from recommender.errors import ArgumentError, InputError
from recommender.files import decode, opened

if TYPE_CHECKING:
    import pandas as pd

RUN = ("query_id", "doc_id", "score", "rank", "run")
QRELS = ("query_id", "doc_id", "relevance", "iteration")
# White space, control characters, halves of pairs (no text in UTF-8 has them), the mark that begins
# a file, and the backslash that begins an escape.
_UNSAFE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\\]")
_ESCAPE = re.compile(r"\\(?:\\|u([0-9a-fA-F]{4}))")
# White space as other readers of these files split by, the line's end aside.
_FIELDS = re.compile(r"[ \t\v\f\r]+")


def escaped(id: str) -> str:
    """An id as one field of a line. ``InputError`` if it is empty."""
    if not id:
        raise InputError("an empty id cannot stand in a TREC file")
    return _UNSAFE.sub(_as_escape, id)


def _as_escape(found: re.Match[str]) -> str:
    return "\\\\" if found[0] == "\\" else f"\\u{ord(found[0]):04x}"


def unescaped(field: str) -> str:
    """The id that a field stands for; a backslash that begins no escape is one."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else "\\", field)


def write_run(path: Path | str, run: pd.DataFrame) -> None:
    """Write a frame with ``query_id``, ``doc_id``, ``score`` and perhaps ``rank`` (from 1, else by
    score) and ``run``, its name, best first in each query. ``ArgumentError`` names a missing
    column, an empty id, a score that is no number, or a document that stands twice in a query.
    """
    run = _given(run, RUN, "run")
    if "rank" not in run:
        order = run.sort_values("score", ascending=False, kind="stable").groupby("query_id")
        run = run.assign(rank=order.cumcount() + 1)
    name = run["run"] if "run" in run else ["recommender"] * len(run)
    rows = zip(run["query_id"], run["doc_id"], run["rank"], run["score"], name, strict=True)
    _write(
        path,
        (
            f"{escaped(str(query))} Q0 {escaped(str(doc))} {int(rank)} "
            f"{_finite(score, f'{query} {doc}')!r} {escaped(str(tag))}"
            for query, doc, rank, score, tag in rows
        ),
    )


def write_qrels(path: Path | str, qrels: pd.DataFrame) -> None:
    """Write a frame with ``query_id``, ``doc_id``, ``relevance`` (whole numbers) and perhaps
    ``iteration``, a text that trec_eval passes over, by default 0. ``ArgumentError`` names a
    missing column, an empty id, a relevance that is no whole number, or a pair that stands twice.
    """
    qrels = _given(qrels, QRELS, "qrels")
    iteration = qrels["iteration"] if "iteration" in qrels else ["0"] * len(qrels)
    rows = zip(qrels["query_id"], iteration, qrels["doc_id"], qrels["relevance"], strict=True)
    _write(
        path,
        (
            f"{escaped(str(query))} {escaped(str(turn))} {escaped(str(doc))} "
            f"{_whole(grade, f'{query} {doc}')}"
            for query, turn, doc, grade in rows
        ),
    )


def read_run(path: Path | str) -> pd.DataFrame:
    """A run as a frame with columns ``RUN``, in the order of the file: texts, but for ``score``
    (float) and ``rank`` (int). ``InputError`` names the line that is none.
    """
    import pandas as pd

    rows = []
    for where, fields in _lines(
        arguments.path("path", path), "query Q0 document rank score name", 6
    ):
        query, _, doc, rank, score, name = fields
        if not re.fullmatch(r"-?[0-9]+", rank):
            raise InputError(f"{where}: rank {rank} is no whole number")
        ids = unescaped(query), unescaped(doc)
        rows.append((*ids, _finite(score, where), int(rank), unescaped(name)))
    return _checked(pd.DataFrame(rows, columns=list(RUN)), RUN, RUN, where=f"{path}: ")


def read_qrels(path: Path | str, *, grades: range | None = None) -> pd.DataFrame:
    """Qrels as a frame with columns ``QRELS``, in the order of the file: texts, but for
    ``relevance`` (int). ``InputError`` names the line that is none, or whose relevance is not among
    ``grades``.
    """
    import pandas as pd

    rows = []
    for where, fields in _lines(
        arguments.path("path", path), "query iteration document relevance", 4
    ):
        query, iteration, doc, written = fields
        grade = _whole(written, where)
        if grades is not None and grade not in grades:
            raise InputError(
                f"{where}: relevance {grade} is not {grades.start} to {grades.stop - 1}"
            )
        rows.append((unescaped(query), unescaped(doc), grade, unescaped(iteration)))
    return _checked(pd.DataFrame(rows, columns=list(QRELS)), QRELS, QRELS, where=f"{path}: ")


def for_ranx(frame: pd.DataFrame) -> pd.DataFrame:
    """A run or qrels with the columns that ranx's ``from_df`` takes: ``q_id``, ``doc_id`` and
    ``score``; ids are objects, since it refuses the texts of pandas 3.
    """
    arguments.frame("frame", frame, RUN[:2])
    names = {"query_id": "q_id", "relevance": "score"}
    if not {"score", "relevance"} & {*frame.columns}:
        raise ArgumentError("frame: a column score or relevance is expected, and both are missing")
    found = frame.rename(columns=names)[["q_id", "doc_id", "score"]]
    return found.astype({"q_id": object, "doc_id": object})


def _given(frame: pd.DataFrame, known: tuple[str, ...], name: str) -> pd.DataFrame:
    """A frame to write, checked."""
    try:
        return _checked(arguments.frame(name, frame), known[:3], known)
    except InputError as exc:
        raise ArgumentError(str(exc)) from None


def _checked(
    frame: pd.DataFrame, needed: tuple[str, ...], known: tuple[str, ...], *, where: str = ""
) -> pd.DataFrame:
    """The frame, if it has what is needed and no document of a query twice."""
    if missing := [name for name in needed if name not in frame]:
        raise InputError(
            f"{where}the frame has no column {missing[0]}; {', '.join(known)} are read"
        )
    if (lacking := frame[["query_id", "doc_id"]].isna().any(axis=1)).any():
        raise InputError(f"{where}row {int(lacking.to_numpy().argmax())} has no id")
    # Grades of one pair in several iterations are of several judges.
    apart = [name for name in ("query_id", "doc_id", "iteration") if name in frame]
    if (twice := frame.duplicated(apart)).any():
        row = frame[twice].iloc[0]
        raise InputError(f"{where}document {row['doc_id']} stands twice in query {row['query_id']}")
    return frame


def _number(value: object) -> float:
    """NaN for what is no number."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def _finite(score: object, where: str) -> float:
    figure = _number(score)
    if figure - figure != 0:
        raise InputError(f"{where}: a score of {score} is no number that can be ranked by")
    return figure


def _whole(grade: object, where: str) -> int:
    figure = _number(grade)
    if not figure.is_integer():
        raise InputError(f"{where}: relevance {grade} is no whole number")
    return int(figure)


def _write(path: Path | str, lines: Iterator[str]) -> None:
    # All lines are made before the file is: one that is refused leaves what was there.
    file = arguments.path("path", path)
    try:
        text = "".join(f"{line}\n" for line in lines)
    except InputError as exc:
        raise ArgumentError(str(exc)) from None
    file.write_text(text, encoding="utf-8", newline="\n")


def _lines(path: Path, meant: str, n_fields: int) -> Iterator[tuple[str, list[str]]]:
    """Where each line stands and its fields; blank lines are passed over."""
    try:
        with opened(path) as file:
            for number, raw in enumerate(file, start=1):
                where = f"{path}:{number}"
                fields = _FIELDS.split(decode(raw, where=where).strip(" \t\v\f\r\n"))
                if fields == [""]:
                    continue
                if len(fields) != n_fields:
                    raise InputError(
                        f"{where}: {len(fields)} fields where a line has {n_fields}: {meant}"
                    )
                yield where, fields
    except (OSError, EOFError, zlib.error) as exc:
        raise InputError(f"{path}: cannot be read: {exc}") from exc
