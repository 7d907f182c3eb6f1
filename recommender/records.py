"""Records out of files: JSON Lines, CSV and Parquet, plain or gzip'd, one dict at a time.

A fault in one record becomes a ``Problem`` in the stream and reading goes on with the next, so
that one bad line does not cost its neighbours.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from recommender.errors import InputError, MissingExtra

# Ten megabytes of text is a book; a longer line is a broken export, and reading it whole would
# let one file decide how much memory the process takes.
MAX_RECORD_BYTES = 10_000_000
GZIP_MAGIC = b"\x1f\x8b"
TABLES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv"}
FORMATS = {**TABLES, ".parquet": "parquet", ".txt": "pages", ".html": "html", ".htm": "html"}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a record was left out: one sentence that begins with ``file:line``."""

    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """One record and where it stands, as ``file:line``."""

    where: str
    fields: dict[str, Any]


def format_of(path: Path) -> str:
    """The format a file's name promises: ``jsonl``, ``csv``, ``parquet``, ``pages`` or ``html``.

    >>> format_of(Path("dump/knee.txt.gz"))
    'pages'
    """
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    found = FORMATS.get(suffixes[-1]) if suffixes else None
    if found is None:
        raise InputError(
            f"{path}: unknown kind of file; known: {', '.join(FORMATS)}, each with .gz"
        )
    return found


def stem_of(path: Path) -> str:
    """The file's name without ``.gz`` and without its own suffix.

    >>> stem_of(Path("dump/knee.v2.txt.gz"))
    'knee.v2'
    """
    name = path.name.removesuffix(".gz")
    return Path(name).stem


def files_in(paths: list[Path]) -> list[Path]:
    """The files meant by ``paths``: a folder stands for every known file below it, sorted.

    Raises ``InputError`` for a path that is not there, or when a folder holds nothing we read.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = sorted(file for file in path.rglob("*") if file.is_file() and _known(file))
            if not below:
                raise InputError(f"{path}: no file in it that can be read ({', '.join(FORMATS)})")
            files.extend(below)
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(f"{path}: no such file or folder")
    return files


def _known(path: Path) -> bool:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return bool(suffixes) and suffixes[-1] in FORMATS and not path.name.startswith(".")


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed if it begins as gzip does, whatever its name says."""
    with path.open("rb") as file:
        if file.peek(2)[:2] == GZIP_MAGIC:
            with gzip.open(file) as unpacked:
                yield unpacked  # type: ignore[misc]
        else:
            yield file


def read_bytes(path: Path) -> bytes:
    """The whole file, decompressed. ``InputError`` if it is damaged or too large for a page."""
    try:
        with opened(path) as file:
            raw = file.read(MAX_RECORD_BYTES + 1)
    except (OSError, EOFError, zlib.error) as exc:
        raise InputError(f"{path}: cannot be read: {exc}") from exc
    if len(raw) > MAX_RECORD_BYTES:
        raise InputError(f"{path}: larger than {MAX_RECORD_BYTES:,} bytes, so it is no page")
    return raw


def decode(raw: bytes, *, where: str) -> str:
    """UTF-8 text, with or without a byte order mark; ``InputError`` says which byte is wrong."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        byte = raw[exc.start]
        raise InputError(
            f"{where}: not UTF-8: byte 0x{byte:02x} at offset {exc.start}; convert the file first"
        ) from exc


def read_records(path: Path, kind: str) -> Iterator[Record | Problem]:
    """The records of a ``jsonl``, ``csv`` or ``parquet`` file, in order."""
    reader = {"jsonl": _json_lines, "csv": _csv_rows, "parquet": _parquet_rows}[kind]
    try:
        yield from reader(path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        yield Problem(f"{path}: the file is damaged or cut short: {exc}")


def _json_lines(path: Path) -> Iterator[Record | Problem]:
    with opened(path) as file:
        for where, raw in _lines(path, file):
            if isinstance(raw, Problem):
                yield raw
                continue
            try:
                fields = json.loads(decode(raw, where=where))
            except InputError as exc:
                yield Problem(str(exc))
                continue
            except (ValueError, RecursionError) as exc:
                yield Problem(f"{where}: not JSON: {exc}")
                continue
            if isinstance(fields, dict):
                yield Record(where, fields)
            else:
                yield Problem(f"{where}: must be a JSON object, not {type(fields).__name__}")


def _lines(path: Path, file: IO[bytes]) -> Iterator[tuple[str, bytes | Problem]]:
    """Lines that are not blank, each with its place; an overlong one is skipped, not held."""
    number = 0
    while True:
        raw = file.readline(MAX_RECORD_BYTES)
        if not raw:
            return
        number += 1
        where = f"{path}:{number}"
        if len(raw) == MAX_RECORD_BYTES and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(MAX_RECORD_BYTES)
            yield where, Problem(f"{where}: the line is longer than {MAX_RECORD_BYTES:,} bytes")
        elif raw.strip(b"\x00 \t\r\n"):
            yield where, raw


def _csv_rows(path: Path) -> Iterator[Record | Problem]:
    csv.field_size_limit(MAX_RECORD_BYTES)
    with opened(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        reader = csv.DictReader(text)
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except UnicodeDecodeError as exc:
                # The decoder works on blocks, so what follows in the file is lost with it.
                yield Problem(f"{path}:{reader.line_num + 1}: not UTF-8: {exc.reason}; convert it")
                return
            except csv.Error as exc:
                yield Problem(f"{path}:{reader.line_num + 1}: {exc}")
                continue
            where = f"{path}:{reader.line_num}"
            if None in row:
                yield Problem(f"{where}: more cells than the heading has names")
                continue
            yield Record(where, {name: cell for name, cell in row.items() if cell})


def _parquet_rows(path: Path) -> Iterator[Record | Problem]:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as exc:
        raise MissingExtra("reading Parquet", "parquet") from exc
    number = 0
    try:
        # Parquet is read from its end, so a gzip'd one is unpacked whole.
        with opened(path) as file, parquet.ParquetFile(io.BytesIO(file.read())) as table:
            for batch in table.iter_batches(batch_size=5_000):
                for row in batch.to_pylist():
                    number += 1
                    fields = {name: value for name, value in row.items() if value is not None}
                    yield Record(f"{path}:row {number}", fields)
    except arrow.ArrowException as exc:
        yield Problem(f"{path}:row {number + 1}: not Parquet that can be read: {exc}")
