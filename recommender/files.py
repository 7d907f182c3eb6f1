"""Records out of files: JSON Lines, CSV, Parquet or lines, plain or gzip'd, one dict at a time.

A fault in one record becomes a ``Problem`` in the stream and reading goes on with the next, so
that one bad line does not cost its neighbours.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from recommender.errors import InputError, MissingExtra, TooManyBadRecords

# Ten megabytes of text is a book; a longer line is a broken export, and reading it whole would
# let one file decide how much memory the process takes.
MAX_RECORD_BYTES = 10_000_000
TOO_LONG = f"the line is longer than {MAX_RECORD_BYTES:,} bytes"
# What a packed file may become: so many times its size, or this many bytes. Text is packed
# to a tenth, a log of the same line again and again to a hundredth; neither limit is tuned.
MAX_RATIO = 200
MAX_UNPACKED_BYTES = 100_000_000
# Bytes read at a time. Not tuned: many lines, and little memory.
BLOCK = 1 << 20
# A reference to a value; rows of Parquet that are read at a time, not tuned.
VALUE_BYTES = 8
PARQUET_ROWS = 5_000
# ... and where they stay in columns, so that what a batch costs beside its rows is little.
ROWS_IN_COLUMNS = 20_000
JSON = json.JSONDecoder()
GZIP_MAGIC = b"\x1f\x8b"


class Problem(NamedTuple):
    """Why a record was left out: one sentence that begins with ``file:line``."""

    text: str


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How many bad records an import allows: more than ``share`` of all, and more than
    ``at_least``, and nothing is imported. The floor keeps one bad line of four from undoing
    a small file.
    """

    share: float = 0.2
    at_least: int = 3

    @classmethod
    def parse(cls, text: str) -> Tolerance:
        """``"5"`` allows five bad records, ``"10%"`` a tenth of all.

        >>> Tolerance.parse("10%"), Tolerance.parse("5")
        (Tolerance(share=0.1, at_least=0), Tolerance(share=0.0, at_least=5))
        """
        try:
            share, at_least = (
                (float(text[:-1]) / 100, 0) if text.endswith("%") else (0.0, int(text))
            )
        except ValueError:
            share, at_least = -1.0, -1
        if not (0 <= share <= 1 and at_least >= 0):
            raise InputError(f"--max-bad {text!r}: must be a number or a percentage")
        return cls(share, at_least)

    def check(self, problems: list[Problem], n_records: int, *, n_bad: int | None = None) -> None:
        """Raise ``TooManyBadRecords``, with the first faults, if there are too many; ``n_bad`` if
        not all of them are at hand.
        """
        n_bad = len(problems) if n_bad is None else n_bad
        if n_bad and (n_bad == n_records or n_bad > max(self.at_least, self.share * n_records)):
            first = "; ".join(problem.text for problem in problems[:3])
            raise TooManyBadRecords(
                f"nothing imported: {n_bad:,} of {n_records:,} records are bad: {first}"
            )


class Record(NamedTuple):
    """One record and where it stands, as ``file:line``."""

    where: str
    fields: dict[str, Any]


def files_in(
    paths: list[Path],
    meant: Callable[[Path], bool],
    *,
    skipped: list[Problem],
    known: str,
) -> list[Path]:
    """The files that ``paths`` stand for: a folder for every file below it that is ``meant``,
    sorted, but for files and folders whose names begin with a dot. ``known`` are the endings that
    an error lists.

    Links lead nowhere but to files of the same folder: a folder may be somebody else's, and links
    in it must not choose what else is read. Others are added to ``skipped``, and so are devices,
    pipes and sockets. A path that is named itself may be a link.

    Raises ``InputError`` for a path that is not there, for a folder that cannot be read, and when
    one holds nothing we read.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            n_before = len(skipped)
            below = sorted(_below(path, meant, skipped))
            if not below:
                why = "".join(f"; skipped: {each.text}" for each in skipped[n_before:][:1])
                raise InputError(f"{path}: no file in it that can be read ({known}){why}")
            files.extend(below)
        elif path.is_file():
            files.append(path)
        elif path.exists():
            raise InputError(f"{path}: neither a file nor a folder")
        else:
            raise InputError(f"{path}: no such file or folder")
    return list(dict.fromkeys(files))


def _below(root: Path, meant: Callable[[Path], bool], skipped: list[Problem]) -> Iterator[Path]:
    inside = root.resolve()

    def unreadable(exc: OSError) -> None:
        raise InputError(f"{exc.filename}: cannot be read: {exc.strerror}") from exc

    for folder, folders, names in os.walk(root, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [path for name in folders if (path := Path(folder, name)).is_symlink()]
        files = [Path(folder, name) for name in names if not name.startswith(".")]
        for path in (*links, *filter(meant, files)):
            if fault := _fault_of(path, inside):
                skipped.append(Problem(f"{path}: skipped: {fault}"))
            elif path not in links:  # what such a link leads to is read where it stands
                yield path


def _fault_of(path: Path, inside: Path) -> str | None:
    """Why this is no file of the folder ``inside``."""
    if path.is_symlink():
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: links that lead to one another
            return "a link that leads nowhere"
        if not target.is_relative_to(inside):
            return "a link that leads out of the folder"
    return None if path.is_file() or path.is_dir() else "no regular file"


def unpacked(path: Path) -> Path:
    """The file's name without ``.gz``."""
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path


class Allowance:
    """What a packed file may become; ``use`` raises ``OSError`` beyond it."""

    def __init__(self, path: Path) -> None:
        self.n_bytes = max(MAX_UNPACKED_BYTES, MAX_RATIO * path.stat().st_size)
        self.n_left = self.n_bytes

    def use(self, n_bytes: int) -> None:
        """Note that so many bytes more came out of it."""
        self.n_left -= n_bytes
        if self.n_left < 0:
            raise OSError(
                f"it unpacks to more than {self.n_bytes:,} bytes, too much for a file of its size"
            )


class Unpacked(gzip.GzipFile):
    """A gzip'd file, read within its allowance."""

    def __init__(self, file: IO[bytes], allowance: Allowance) -> None:
        super().__init__(fileobj=file, mode="rb")
        self.allowance = allowance

    def read(self, size: int | None = -1) -> bytes:
        """As of any file."""
        raw = super().read(size)
        self.allowance.use(len(raw))
        return raw

    def read1(self, size: int = -1) -> bytes:
        """As of any file."""
        raw = super().read1(size)
        self.allowance.use(len(raw))
        return raw


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed if it begins as gzip does, whatever its name; ``OSError`` if
    that becomes too much.
    """
    with path.open("rb") as file:
        if file.peek(2)[:2] == GZIP_MAGIC:
            with Unpacked(file, Allowance(path)) as unpacked:
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
    """UTF-8 text, with or without a byte order mark; ``InputError`` names the byte that is not."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        byte = raw[exc.start]
        raise InputError(
            f"{where}: not UTF-8: byte 0x{byte:02x} at offset {exc.start}; convert the file first"
        ) from exc


def read_records(path: Path, format: str, *, after: int = 0) -> Iterator[Record | Problem]:
    """The records of a ``jsonl``, ``csv``, ``parquet`` or ``lines`` file, in order, without the
    first ``after``, faulty ones counted.

    Raises ``InputError`` for another format; what is wrong with the file is in the stream.
    """
    readers = {"csv": _csv_rows, "parquet": _parquet_rows, "lines": _text_lines}
    if format != "jsonl" and format not in readers:
        raise InputError(f"{path}: no records in a file of format {format!r}; jsonl, csv, parquet")
    try:
        if format == "jsonl":
            yield from _json_lines(path, after)
        else:
            yield from islice(readers[format](path), after, None)
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        yield Problem(f"{path}: the file is damaged or cut short: {exc}")
    except OSError as exc:
        yield Problem(f"{path}: cannot be read: {exc}")


def read_batches(
    path: Path, format: str, *, after: int = 0
) -> Iterator[list[Record | Problem] | Rows]:
    """As ``read_records`` of a ``jsonl`` or ``parquet`` file, some thousand records at a time, no
    more than a few megabytes of them: a list of records, or rows in columns.
    """
    try:
        if format == "jsonl":
            yield from _json_batches(path, after)
        else:
            yield from _parquet_batches(path, after, ROWS_IN_COLUMNS)
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        yield [Problem(f"{path}: the file is damaged or cut short: {exc}")]
    except OSError as exc:
        yield [Problem(f"{path}: cannot be read: {exc}")]


def _json_lines(path: Path, after: int) -> Iterator[Record | Problem]:
    return chain.from_iterable(_json_batches(path, after))


def _json_batches(path: Path, after: int) -> Iterator[list[Record | Problem]]:
    """The records of the lines that were read at once."""
    number = 0
    with opened(path) as file:
        for lines in _blocks_of_lines(file):
            found = []
            for line in lines:
                number += 1
                if after:  # counted, not decoded, which is most of the work
                    after -= not _is_blank(line)
                elif (record := _json_record(line, f"{path}:{number}")) is not None:
                    found.append(record)
            if found:
                yield found


def _json_record(line: bytes | None, where: str) -> Record | Problem | None:
    """The record of a line; None if there is nothing on it."""
    try:
        text = _text(line, where).strip("\x00 \t\r\n")
        if not text:
            return None
        fields, end = JSON.raw_decode(text)
    except InputError as exc:
        return Problem(str(exc))
    except (ValueError, RecursionError) as exc:
        return Problem(f"{where}: not JSON: {exc}")
    if end != len(text):
        return Problem(f"{where}: not JSON: more follows after column {end}")
    if isinstance(fields, dict):
        return Record(where, fields)
    return Problem(f"{where}: must be a JSON object, not {type(fields).__name__}")


def _lines(file: IO[bytes]) -> Iterator[bytes | None]:
    """The file's lines without their line feeds. One that is too long is skipped in pieces,
    never held; None stands in its place.
    """
    return chain.from_iterable(_blocks_of_lines(file))


def _blocks_of_lines(file: IO[bytes]) -> Iterator[list[bytes | None]]:
    """The lines that end in what is read at once, as ``_lines`` has them."""
    rest: list[bytes] = []  # pieces of a line whose end has not come yet
    held = 0
    while block := file.read1(BLOCK):  # type: ignore[attr-defined]
        first, *more = block.split(b"\n")
        held += len(first)
        if held <= MAX_RECORD_BYTES:
            rest.append(first)
        if more:
            yield [b"".join(rest) if held <= MAX_RECORD_BYTES else None, *more[:-1]]
            rest, held = [more[-1]], len(more[-1])
    if held:
        yield [b"".join(rest) if held <= MAX_RECORD_BYTES else None]


def _text_lines(path: Path) -> Iterator[Record | Problem]:
    """Each line as ``{"line": text}``. Servers write what they were sent, UTF-8 or not."""
    with opened(path) as file:
        for number, line in enumerate(_lines(file), start=1):
            if line is None:
                yield Problem(f"{path}:{number}: {TOO_LONG}")
            elif not _is_blank(line):
                yield Record(f"{path}:{number}", {"line": line.decode("utf-8-sig", "replace")})


def _is_blank(line: bytes | None) -> bool:
    return line is not None and not line.removeprefix(b"\xef\xbb\xbf").strip(b"\x00 \t\r\n")


def _text(line: bytes | None, where: str) -> str:
    if line is None:
        raise InputError(f"{where}: {TOO_LONG}")
    try:
        return line.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        return decode(line, where=where)  # which names the byte


def _csv_rows(path: Path) -> Iterator[Record | Problem]:
    csv.field_size_limit(MAX_RECORD_BYTES)
    with opened(path) as file:
        lines = _CsvLines(path, file)
        names: list[str] = []
        while True:
            where = f"{path}:{lines.number + 1}"
            try:
                # A reader is done with once its lines raised; a new one goes on after them.
                for row in csv.reader(lines, delimiter=lines.delimiter):
                    if not names:
                        names = [name.strip() for name in row]
                    elif len(row) > len(names):
                        yield Problem(f"{where}: more cells than the heading has names")
                    elif row:
                        # A row may be short: what it lacks is empty.
                        cells = zip(names, row, strict=False)
                        yield Record(where, {name: cell for name, cell in cells if cell})
                    where = f"{path}:{lines.number + 1}"
            except InputError as exc:
                yield Problem(str(exc))
            except csv.Error as exc:
                yield Problem(f"{where}: {exc}")
            else:
                return
            if not names:
                return  # without its heading a table has no fields


class _CsvLines:
    """A file's lines for a CSV reader, which needs their ends; ``number`` have been read. The
    ``delimiter`` is a comma, or what the heading has in its place: spreadsheets write semicolons
    where a comma stands in numbers.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        lines = _lines(file)
        heading = next(lines, b"")
        self.lines = chain((heading,), lines) if heading != b"" else lines
        self.number = 0
        others = {mark: (heading or b"").count(mark.encode()) for mark in ";\t|"}
        most = max(others, key=others.__getitem__)
        self.delimiter = most if others[most] and b"," not in (heading or b"") else ","

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self.lines)
        self.number += 1
        return _text(line, f"{self.path}:{self.number}") + "\n"


def _parquet_rows(path: Path) -> Iterator[Record | Problem]:
    for found in _parquet_batches(path, 0, PARQUET_ROWS):
        yield from found.records() if isinstance(found, Rows) else found


def _parquet_batches(
    path: Path, after: int, most_rows: int
) -> Iterator[list[Record | Problem] | Rows]:
    """The rows after the first ``after``, so many at a time at most, and no more than fit."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as exc:
        raise MissingExtra("reading Parquet", "parquet") from exc
    number = 0
    try:
        with _seekable(path) as source:
            plain = parquet.ParquetFile(source)
            texts, fit = _parquet_columns(plain, Allowance(path))
            allowance = Allowance(path)
            with parquet.ParquetFile(source, read_dictionary=texts) as table:
                for batch in table.iter_batches(batch_size=min(most_rows, fit)):
                    skipped = min(after, batch.num_rows)
                    after, number = after - skipped, number + skipped
                    for part in _that_fit(batch.slice(skipped)):
                        rows = Rows(path, number, part, plain.schema_arrow)
                        number += len(rows)
                        if (n_bytes := rows.n_bytes) > MAX_RECORD_BYTES:
                            fault = f"the row is longer than {MAX_RECORD_BYTES:,} bytes"
                            yield [Problem(f"{path}:row {number}: {fault}")]
                        else:
                            yield rows
                            allowance.use(n_bytes)
    except arrow.ArrowException as exc:
        text = str(exc).splitlines()[0]
        yield [Problem(f"{path}:row {number + 1}: not Parquet that can be read: {text}")]


@contextmanager
def _seekable(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked on disk if need be: Parquet is read from its end."""
    with opened(path) as file:
        if isinstance(file, io.BufferedReader):
            yield file
            return
        with tempfile.TemporaryFile() as whole:
            shutil.copyfileobj(file, whole, BLOCK)
            yield whole


def _parquet_columns(table: Any, allowance: Allowance) -> tuple[list[str], int]:
    """The columns of texts, and how many rows fit at a time. ``OSError`` if what the file
    states of itself is more than it may become.
    """
    columns = [table.schema.column(at) for at in range(len(table.schema))]
    for at in range(table.metadata.num_row_groups):
        group = table.metadata.row_group(at)
        for chunk in map(group.column, range(group.num_columns)):
            allowance.use(max(chunk.total_uncompressed_size, VALUE_BYTES * chunk.num_values))
    width = sum(column.length or 0 for column in columns)
    texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
    return texts, max(1, MAX_RECORD_BYTES // (width + 1))


def _that_fit(batch: Any) -> Iterator[Any]:
    """A batch, in parts that are not too long unless they are one row. A few bytes of Parquet can
    stand for any number of long texts, so these were read as the file has them, each once.
    """
    if batch.num_rows > 1 and sum(map(_n_bytes, batch.columns)) > MAX_RECORD_BYTES:
        half = batch.num_rows // 2
        yield from _that_fit(batch.slice(0, half))
        yield from _that_fit(batch.slice(half))
    elif batch.num_rows:
        yield batch


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of a Parquet file in columns; ``n_before`` of it come before them. ``read`` is a batch
    of Arrow's with texts as the file has them, each once, and ``schema`` what they stand for.
    """

    path: Path
    n_before: int
    read: Any
    schema: Any

    def __len__(self) -> int:
        return int(self.read.num_rows)

    @property
    def n_bytes(self) -> int:
        """How much memory they need at least."""
        return sum(map(_n_bytes, self.read.columns))

    def part(self, start: int, end: int) -> Rows:
        """Those from ``start`` to before ``end``."""
        read = self.read.slice(start, end - start)
        return Rows(self.path, self.n_before + start, read, self.schema)

    def columns(self) -> Any:
        """The batch with each text for itself; ``ValueError`` if something in it is not sound."""
        try:
            return self.read.cast(self.schema)
        except NotImplementedError:  # of some types; slower
            return self.read

    def records(self) -> Iterator[Record | Problem]:
        """The rows one by one."""
        try:
            rows = self.columns().to_pylist()
        except (ValueError, OverflowError) as exc:  # no UTF-8, no date of a calendar
            if len(self) == 1:
                yield Problem(f"{self.path}:row {self.n_before + 1}: {exc}")
                return
            half = len(self) // 2
            yield from self.part(0, half).records()
            yield from self.part(half, len(self)).records()
            return
        for number, row in enumerate(rows, start=self.n_before + 1):
            fields = {name: cell for name, cell in row.items() if cell is not None}
            yield Record(f"{self.path}:row {number}", fields)


def _n_bytes(array: Any) -> int:
    """How much memory the values of a column need at least, once each stands for itself."""
    import pyarrow as arrow
    from pyarrow import compute

    if arrow.types.is_struct(array.type):
        return sum(map(_n_bytes, array.flatten()))
    if arrow.types.is_map(array.type):  # whose parts are those of all rows, also of others
        first, end = array.offsets[0].as_py(), array.offsets[-1].as_py()
        return sum(_n_bytes(part[first:end]) for part in (array.keys, array.items))
    if arrow.types.is_nested(array.type):
        return VALUE_BYTES * len(array) + _n_bytes(array.flatten())
    if not arrow.types.is_dictionary(array.type):
        return max(VALUE_BYTES * len(array), array.nbytes)
    lengths = compute.binary_length(array.dictionary).take(array.indices)
    return VALUE_BYTES * len(array) + (compute.sum(lengths).as_py() or 0)
