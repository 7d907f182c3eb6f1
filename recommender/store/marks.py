"""How far each file of events has been imported, so that an import goes on where it stopped.

A mark is written in one transaction with the events it speaks of. A file that grew is the same
file; one that begins otherwise than it did is another, though it has the old one's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.errors import InputError

HEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Mark:
    """The first ``n_records`` of a file are in the store, with ``n_events`` events.

    ``n_bytes`` and ``digest`` say how the file began, and ``size`` how long it was when its end
    was reached; 0 while it has not been.
    """

    n_bytes: int
    digest: str
    size: int = 0
    n_events: int = 0
    n_records: int = 0

    def is_of(self, path: Path) -> bool:
        """Whether the file still begins as it did."""
        return _head(path, self.n_bytes) == (self.n_bytes, self.digest)

    def ends(self, path: Path) -> bool:
        """Whether the whole file has been imported."""
        return 0 < self.size == path.stat().st_size


def new_mark(path: Path) -> Mark:
    """The mark of a file of which nothing has been imported."""
    return Mark(*_head(path, HEAD_BYTES))


def _head(path: Path, n_bytes: int) -> tuple[int, str]:
    try:
        with path.open("rb") as file:
            head = file.read(n_bytes)
    except OSError as exc:
        raise InputError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    return len(head), hashlib.sha256(head).hexdigest()


def read_marks(connection: Connection, paths: Iterable[Path]) -> dict[Path, Mark]:
    """The marks of those of these files that have one."""
    marks = {}
    query = sql.text("SELECT head, records FROM imports WHERE file = :file")
    for path in paths:
        row = connection.execute(query, {"file": _name(path)}).first()
        if row is not None:
            n_bytes, digest, size, n_events = row.head.split(":")
            marks[path] = Mark(int(n_bytes), digest, int(size), int(n_events), int(row.records))
    return marks


def write_marks(connection: Connection, marks: Mapping[Path, Mark]) -> None:
    """Write the marks of these files, in place of those they had."""
    statement = sql.text(
        "INSERT INTO imports (file, head, records) VALUES (:file, :head, :records) "
        "ON CONFLICT (file) DO UPDATE SET head = excluded.head, records = excluded.records"
    )
    for path, mark in marks.items():
        head = f"{mark.n_bytes}:{mark.digest}:{mark.size}:{mark.n_events}"
        connection.execute(
            statement, {"file": _name(path), "head": head, "records": mark.n_records}
        )


def _name(path: Path) -> str:
    """The one name of a file; names need not be UTF-8, but the store's text is."""
    return str(path.resolve()).encode(errors="replace").decode()
