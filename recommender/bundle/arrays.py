"""What is written into a bundle: frozen dataclasses as arrays and JSON, never pickled.

``save(folder, "site", site)`` writes each array of ``site``, and of the dataclasses in it, to a
plain ``.npy`` file named after its place, ``site_near.npy``; numbers, texts and tuples of them go
to one ``site.json``. ``load`` puts them together by the fields of a class. The names of the fields
are the layout; the names of classes and modules are written nowhere.

What analysts alone open is ``packed``: deflated, the first bytes of all numbers before the second,
in ``site_near.npy.z``. It is read whole, where others are mapped.

Strings are kept in two arrays, so that they can be memory-mapped and looked up without a dict: one
of UTF-8 bytes and one of where each begins. An index is the strings' fingerprints, sorted, beside
their numbers. Workers that map them share one copy.

>>> column = Strings.of(["knee", "gout", "Müsli"])
>>> column[2], len(column), Index.of(column).find("gout"), Index.of(column).find("salt")
('Müsli', 3, 1, None)
"""

from __future__ import annotations

import codecs
import io
import json
import math
import re
import stat
import sys
import zlib
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Self, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np

from recommender.array_fields import (
    Bytes,
    Declared,
    Heads,
    Length,
    Numbers,
    Prints,
    Sizes,
    Steps,
    Within,
)
from recommender.errors import BundleError
from recommender.text.terms import fingerprint

Held = TypeVar("Held")
# Bytes up to which a file is read at once: mapping a page of memory or less saves nothing.
SMALL = 4096
# Not tuned: a manifest takes some 30 kB, the forms of titles of a large site a megabyte.
MAX_JSON_BYTES = 64 * 1024 * 1024
# How a file of numpy begins, and what it declares: numbers of one plain type, row after row.
MAGIC, ALIGNED = b"\x93NUMPY\x01\x00", 64
HEADING = re.compile(
    rb"\{'descr': '(\|b1|\|u1|\|i1|<[iu][248]|<f[48])', 'fortran_order': False, "
    rb"'shape': \(((?:\d{1,18},(?: \d{1,18},?){0,7})?)\), \} *\n"
)
# Types that JSON has, in words; and the largest number that a field of eight bytes holds.
SCALARS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
MAX_WHOLE = 2**63 - 1
# Bytes of text that are decoded together.
DECODED = 1 << 18
# How arrays are deflated: the fastest way is a twentieth larger than the usual, at twice the pace.
LEVEL = 1
PACKED = ".npy.z"
# No byte of what zlib makes holds more than so many.
MOST_DEFLATED = 1_032
# What stands in a file of its own, not in the JSON.
ELSEWHERE = object()


def save(
    folder: Path,
    name: str,
    value: Any,
    *,
    leave: Iterable[str] = (),
    packed: bool = False,
    mapped: Collection[str] = (),
) -> None:
    """Write an array of any shape, or a dataclass but for the fields to ``leave``; ``packed`` or
    for mapping, as those files are in any case that are ``mapped``.

    The same value makes the same bytes. ``ValueError`` for an array of Python objects.
    """
    plain = _Saving(folder, packed, frozenset(mapped)).save(name, value, frozenset(leave))
    if is_dataclass(value):
        text = json.dumps(plain, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Saving:
    """The writing of one value into a ``folder``."""

    folder: Path
    packed: bool
    mapped: frozenset[str]

    def save(self, name: str, value: Any, leave: frozenset[str] = frozenset()) -> Any:
        """Write the arrays of a value; the rest of it comes back as JSON has it."""
        if isinstance(value, np.ndarray):
            self.array(name, np.ascontiguousarray(value))
            return ELSEWHERE
        if is_dataclass(value):
            hints = _declared(cast("Any", type(value)))
            parts = {
                each.name: self.save(
                    f"{name}_{each.name}", _packed(hints[each.name], getattr(value, each.name))
                )
                for each in fields(value)
                if each.name not in leave
            }
            return {field: part for field, part in parts.items() if part is not ELSEWHERE}
        if isinstance(value, tuple):
            return [self.save(f"{name}_{number}", each) for number, each in enumerate(value)]
        return value.item() if isinstance(value, np.generic) else value

    def array(self, name: str, array: np.ndarray) -> None:
        """Write one array."""
        if not self.packed or name in self.mapped:
            np.save(self.folder / f"{name}.npy", array, allow_pickle=False)
            return
        if array.dtype.hasobject:
            raise ValueError(f"{name}: Python objects are not written")
        heading = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            heading, {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
        )
        with (self.folder / f"{name}{PACKED}").open("wb") as file:
            packer = zlib.compressobj(LEVEL)
            file.write(packer.compress(heading.getvalue()))
            for part in _parts(array):
                file.write(packer.compress(part.tobytes()))
            file.write(packer.flush())


def load(
    folder: Path,
    name: str,
    into: type[Held],
    given: Mapping[str, Any] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
) -> Held:
    """Read back what ``save`` wrote of a dataclass; fields that are ``given`` are not read.

    Large arrays are mapped into memory and cannot be changed. Every array is what its field
    declares (``array_fields``), with lengths that are known already in ``sizes``. ``BundleError``
    names the file, and the field, that is missing or of no use.
    """
    path = folder / f"{name}.json"
    reading = _Reading(str(path), folder, name)
    value = reading.built(into, read_json(path), (), given or {}, _Lengths.of(sizes or {}))
    reading.check()
    return value


def read_json(path: Path) -> Any:
    """What a file of JSON holds; ``BundleError`` if it is no such file."""
    try:
        if _plain_size(path) > MAX_JSON_BYTES:
            raise ValueError(f"larger than {MAX_JSON_BYTES:,} bytes")
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (OSError, ValueError, RecursionError) as exc:
        raise BundleError(f"{path}: cannot be read: {exc}") from exc


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def load_array(
    folder: Path, name: str, declared: Declared, sizes: Mapping[str, int] | None = None
) -> np.ndarray:
    """Read one array as it was saved; mapped into memory if it is larger than ``SMALL``.
    ``BundleError`` names a file that cannot be read, or holds what is not ``declared``.
    """
    array, lengths = _read_array(folder / f"{name}.npy"), _Lengths.of(sizes or {})
    fault = lengths.misfit(declared, array) or declared.fault(array, lengths.get)
    if fault:
        raise BundleError(f"{folder / name}.npy: {fault}; the bundle is damaged")
    return array


def _read_array(path: Path) -> np.ndarray:
    """An array of plain numbers, laid out as ``save`` does it. The file is nothing but a heading
    and so many numbers as that declares, which is looked at before anything is made of it.
    """
    if (packed := path.with_suffix(PACKED)).exists():
        return _read_packed(packed)
    try:
        n_bytes = _plain_size(path)
        with path.open("rb") as file:
            start = file.read(len(MAGIC) + 2)
            heading = file.read(int.from_bytes(start[-2:], "little"))
        found = HEADING.fullmatch(heading)
        if not start.startswith(MAGIC) or found is None:
            raise ValueError("not an array of plain numbers")
        dtype, shape = _declared_as(found)
        first = len(start) + len(heading)
        if first % ALIGNED or n_bytes - first != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{n_bytes:,} bytes do not hold an array of {shape}")
        if math.prod(shape) == 0:
            array = np.zeros(shape, dtype)  # numpy maps nothing, nor views it
        elif n_bytes > SMALL:
            # As a plain array: a memmap makes every slice of itself a memmap, at twice the price.
            array = np.memmap(path, dtype, "r", first, shape).view(np.ndarray)
        else:
            array = np.frombuffer(path.read_bytes(), dtype, offset=first).reshape(shape)
    except (OSError, ValueError, OverflowError) as exc:
        raise BundleError(f"{path}: cannot be read: {exc}") from exc
    # As mapped ones are, so that numba compiles one version for both.
    array.flags.writeable = False
    return array


def _read_packed(path: Path) -> np.ndarray:
    """An array that was packed; no more is unpacked than its heading declares."""
    try:
        most = MOST_DEFLATED * _plain_size(path)
        unpacker = zlib.decompressobj()
        with path.open("rb") as file:
            start = unpacker.decompress(file.read(SMALL), len(MAGIC) + 2)
            left = unpacker.unconsumed_tail
            heading = unpacker.decompress(left, int.from_bytes(start[-2:], "little"))
            found = HEADING.fullmatch(heading)
            if not start.startswith(MAGIC) or found is None:
                raise ValueError("not an array of plain numbers")
            dtype, shape = _declared_as(found)
            n_bytes = math.prod(shape) * dtype.itemsize
            if n_bytes > most:
                raise ValueError(f"too short to hold an array of {shape}")
            parts = np.empty(n_bytes, dtype=np.uint8)
            done, left = 0, unpacker.unconsumed_tail
            while done < n_bytes and (left := left or file.read(DECODED)):
                some = unpacker.decompress(left, n_bytes - done)
                parts[done : done + len(some)] = np.frombuffer(some, np.uint8)
                done, left = done + len(some), unpacker.unconsumed_tail
            ends = unpacker.decompress(left + file.read(SMALL), 1) == b"" and unpacker.eof
            if done < n_bytes or not ends or unpacker.unused_data or file.read(1):
                raise ValueError(f"{done:,} bytes do not hold an array of {shape}, or more follows")
        array = _put_together(parts, dtype, shape)
    except (OSError, ValueError, OverflowError, MemoryError, zlib.error) as exc:
        raise BundleError(f"{path}: cannot be read: {exc}") from exc
    array.flags.writeable = False
    return array


def deflated(array: np.ndarray) -> bytes:
    """The numbers of an array, packed: for one of which many stand in a column of bytes."""
    return zlib.compress(_parts(np.ascontiguousarray(array)).tobytes(), LEVEL)


def inflated(
    packed: bytes | memoryview, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> np.ndarray:
    """The array that was ``deflated``; ``BundleError`` if it is not of this type and shape."""
    unpacker = zlib.decompressobj()
    n_bytes = math.prod(shape) * dtype.itemsize
    try:
        # No more than so many: a limit of 0 would be none.
        some = unpacker.decompress(packed, n_bytes + 1)
    except zlib.error as exc:
        raise BundleError(f"what was deflated cannot be read: {exc}") from exc
    if len(some) != n_bytes or not unpacker.eof or unpacker.unused_data:
        raise BundleError(f"what was deflated does not hold an array of {shape}")
    return _put_together(np.frombuffer(some, np.uint8), dtype, shape)


def _parts(array: np.ndarray) -> np.ndarray:
    """The first bytes of all numbers, the second, and so on, ``(itemsize, n_numbers)``."""
    return array.reshape(-1).view(np.uint8).reshape(-1, array.itemsize).T


def _put_together(parts: np.ndarray, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray:
    """The array whose ``_parts`` these bytes are, one after the other."""
    whole = np.ascontiguousarray(parts.reshape(dtype.itemsize, -1).T)
    return whole.reshape(-1).view(dtype).reshape(shape)


def _declared_as(heading: re.Match[bytes]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Type and shape, as a heading has them."""
    shape = tuple(int(length) for length in heading[2].split(b",") if length.strip())
    return np.dtype(heading[1].decode()), shape


def _plain_size(path: Path) -> int:
    """The bytes of a file, which is no link to elsewhere."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("not a plain file")
    return found.st_size


def build(
    into: type[Held], plain: Any, where: str, *, given: Mapping[str, Any] | None = None
) -> Held:
    """A dataclass without arrays from what JSON holds of it.

    ``BundleError`` names ``where`` and the field if one is missing, unknown, or of another type
    than its class declares.
    """
    reading = _Reading(where)
    value = reading.built(into, plain, (), given or {}, _Lengths.of({}))
    reading.check()
    return value


class _Lengths:
    """Lengths by name; those of a part may be those of the whole."""

    def __init__(self, cells: dict[str, list[int]]) -> None:
        # A list of one number, or of none while it is unknown: parts share it.
        self.cells = cells

    @classmethod
    def of(cls, sizes: Mapping[str, int]) -> _Lengths:
        return cls({name: [size] for name, size in sizes.items()})

    def part(self, sizes: Sizes | None) -> _Lengths:
        """Those of a part."""
        tied = sizes.names if sizes else {}
        return _Lengths(
            {
                name: [other] if isinstance(other, int) else self.cells.setdefault(other, [])
                for name, other in tied.items()
            }
        )

    def get(self, name: str) -> int | None:
        """The length of this name, as far as it is known."""
        found = self.cells.get(name)
        return found[0] if found else None

    def differs(self, name: str, length: int) -> str | None:
        """What is wrong if this is the length, which is known from now on."""
        cell = self.cells.setdefault(name, [])
        if not cell:
            cell.append(length)
        return None if cell[0] == length else f"has a length of {length}, where {name} is {cell[0]}"

    def misfit(self, declared: Declared, array: np.ndarray) -> str | None:
        """What is wrong with the type or the shape of an array."""
        lengths = [length.strip() for length in declared.shape.split(",")]
        if array.dtype.kind not in declared.kinds or array.ndim != len(lengths):
            return f"holds {array.dtype} of shape {array.shape}, where ({declared.shape}) is read"
        for length, found in zip(lengths, array.shape, strict=True):
            name, _, more = length.partition("+")
            if name.isdecimal():
                fault = None if found == int(name) else f"has a length of {found}, not {name}"
            else:
                fault = self.differs(name, found - int(more or 0))
            if fault:
                return fault
        return None


@lru_cache(maxsize=1_000)
def _declared(into: type) -> dict[str, Any]:
    """The types of a class's fields, with what they declare."""
    hints = get_type_hints(into, include_extras=True)
    return {each.name: hints[each.name] for each in fields(into)}


@dataclass(slots=True)
class _Reading:
    """The reading of one dataclass and its parts: what is read is checked when all of it is there,
    since lengths that one array has bound the values of others.
    """

    where: str
    folder: Path | None = None
    name: str = ""
    arrays: list[tuple[str, np.ndarray, Declared, _Lengths]] = field(default_factory=list)
    parts: list[tuple[tuple[str, ...], Any]] = field(default_factory=list)

    def refusal(self, at: tuple[str, ...], what: str) -> BundleError:
        """Of a field of JSON."""
        return BundleError(f"{self.where}: {'.'.join(at) or 'its content'} {what}")

    def check(self) -> None:
        """Raise ``BundleError`` if an array is not what its field declares."""
        for path, array, declared, lengths in self.arrays:
            if fault := lengths.misfit(declared, array):
                raise BundleError(f"{path}: {fault}; the bundle is damaged")
        for path, array, declared, lengths in self.arrays:
            if fault := declared.fault(array, lengths.get):
                raise BundleError(f"{path}: {fault}; the bundle is damaged")
        for at, part in self.parts:
            if fault := part.fault():
                place = f"{self.folder}/{'_'.join((self.name, *at))}" if self.folder else self.where
                raise BundleError(f"{place}: {fault}; the bundle is damaged")

    def built(
        self,
        into: type[Held],
        plain: Any,
        at: tuple[str, ...],
        given: Mapping[str, Any],
        lengths: _Lengths,
    ) -> Held:
        """A dataclass; ``at`` are the fields on the way to it."""
        if not isinstance(plain, dict):
            raise self.refusal(at, "is not an object")
        hints, values = _declared(cast("Any", into)), dict(given)
        for name in sorted(plain.keys() - (hints.keys() - values.keys())):
            raise BundleError(f"{self.where}: unknown field {'.'.join((*at, name))}")
        for name, hint in hints.items():
            if name in values:
                for mark in _marks(hint):
                    self.measured(mark, values[name], (*at, name), lengths)
            else:
                values[name] = self.value(hint, plain, (*at, name), lengths)
        made = into(**values)
        if hasattr(made, "fault"):
            self.parts.append((at, made))
        return made

    def value(self, hint: Any, plain: dict[str, Any], at: tuple[str, ...], of: _Lengths) -> Any:
        """The value of the last field of ``at``, of the type that its class declares."""
        marks, bare = _marks(hint), get_args(hint)[0] if _marks(hint) else hint
        if bare is np.ndarray and self.folder is not None:
            path = self.folder / f"{'_'.join((self.name, *at))}.npy"
            declared, *steps = marks
            array = _read_array(path)
            for each in steps:
                try:
                    array = each.unpacked(array)
                except ValueError as exc:
                    raise BundleError(f"{path}: {exc}; the bundle is damaged") from exc
            self.arrays.append((str(path), array, declared, of))
            return array
        if at[-1] not in plain:
            if not (self.folder and is_dataclass(bare)):
                raise BundleError(f"{self.where}: field {'.'.join(at)} is missing")
            return self.typed(hint, {}, at, of)
        return self.typed(hint, plain[at[-1]], at, of)

    def typed(self, hint: Any, value: Any, at: tuple[str, ...], of: _Lengths) -> Any:
        """A value of JSON as its type has it."""
        marks = _marks(hint)
        bare = get_args(hint)[0] if marks else hint
        kind, parts = get_origin(bare), get_args(bare)
        if kind in (UnionType, Union):
            if value is None:
                return None
            (bare,) = (part for part in parts if part is not type(None))
            return self.typed(Annotated[bare, *marks] if marks else bare, value, at, of)
        if is_dataclass(bare):
            sizes = next((mark for mark in marks if isinstance(mark, Sizes)), None)
            return self.built(cast("type[Any]", bare), value, at, {}, of.part(sizes))
        if kind is tuple:
            found: Any = self.tupled(parts, value, at, of)
        elif kind in (dict, Mapping):
            if not isinstance(value, dict):
                raise self.refusal(at, "is not an object")
            for name in value:
                self.scalar(str, name, at)
            found = {
                name: self.typed(parts[1], each, (*at, name), of) for name, each in value.items()
            }
        else:
            found = self.scalar(bare, value, at)
        for mark in marks:
            self.measured(mark, found, at, of)
        return found

    def tupled(
        self, parts: tuple[Any, ...], value: Any, at: tuple[str, ...], of: _Lengths
    ) -> tuple[Any, ...]:
        """A list of JSON as a tuple of these types, or of any number of one."""
        if not isinstance(value, list | tuple):
            raise self.refusal(at, "is not a list")
        hints = [parts[0]] * len(value) if parts[-1] is Ellipsis else parts
        if len(hints) != len(value):
            raise self.refusal(at, f"has {len(value)} entries, not {len(hints)}")
        return tuple(
            self.typed(hint, each, (*at, str(number)), of)
            for number, (hint, each) in enumerate(zip(hints, value, strict=True))
        )

    def scalar(self, kind: Any, value: Any, at: tuple[str, ...]) -> Any:
        """A text, a number or a truth."""
        if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
            if not abs(value) <= sys.float_info.max:
                raise self.refusal(at, "is not finite")
            return value
        if kind is Any:
            return value
        if kind not in SCALARS:
            raise TypeError(f"{'.'.join(at)}: nothing of JSON is a {kind}")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.refusal(at, f"is not {SCALARS[kind]}")
        if kind is int and abs(value) > MAX_WHOLE:
            raise self.refusal(at, "is larger than any number of ours")
        if kind is str and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise self.refusal(at, "is no text") from None
        return value

    def measured(self, mark: Any, value: Any, at: tuple[str, ...], of: _Lengths) -> None:
        """Compare a value with what its field declares besides the type."""
        fault = None
        if isinstance(mark, Length):
            fault = of.differs(mark.name, value if isinstance(value, int) else len(value))
        elif isinstance(mark, Within) and not mark.least <= value <= mark.most:
            fault = f"is {value}, where numbers from {mark.least:g} to {mark.most:g} may stand"
        if fault:
            raise self.refusal(at, fault)


def _packed(hint: Any, value: Any) -> Any:
    """An array as its field has it kept; anything else as it is."""
    for mark in _marks(hint):
        if isinstance(mark, Steps):
            value = mark.packed(value)
    return value


def _marks(hint: Any) -> tuple[Any, ...]:
    return hint.__metadata__ if get_origin(hint) is Annotated else ()


def narrow(whole: np.ndarray) -> np.ndarray:
    """Whole numbers in four bytes each if they fit."""
    fits = whole.size == 0 or -(2**31) <= int(whole.min()) <= int(whole.max()) < 2**31
    return whole.astype(np.int32 if fits else np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """A column of bytes: ``data`` holds them all, those of piece *i* from ``heads[i]`` on."""

    data: Annotated[np.ndarray, Bytes("n_bytes")]
    heads: Annotated[np.ndarray, Heads("n_strings+1", of="n_bytes")]

    @classmethod
    def of(cls, values: Iterable[str | bytes]) -> Self:
        """The column that holds ``values``."""
        encoded = [value.encode() if isinstance(value, str) else value for value in values]
        heads = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(value) for value in encoded], out=heads[1:])
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), narrow(heads))

    def __len__(self) -> int:
        return len(self.heads) - 1

    def bytes_at(self, number: int) -> bytes:
        """The bytes of a piece."""
        return bytes(self.view(number))

    def view(self, number: int) -> memoryview:
        """The bytes of a piece where they stand. Slices of a memoryview cost a fraction of those of
        an array.
        """
        heads = self.heads.data
        return self.data.data[heads[number] : heads[number + 1]]

    def views(self, numbers: Iterable[int]) -> list[memoryview]:
        """``view`` of several pieces."""
        data, heads = self.data.data, self.heads.data
        return [data[heads[number] : heads[number + 1]] for number in numbers]


@dataclass(frozen=True, slots=True, eq=False)
class Strings(Pieces):
    """A column of strings, in UTF-8."""

    def __getitem__(self, number: int) -> str:
        return self.bytes_at(number).decode()

    def fault(self) -> str | None:
        """What is wrong with a column that was read, or None."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for at in range(0, len(self.data), DECODED):
                block = self.data[at : at + DECODED]
                if block.max() > 127 or decoder.getstate()[0]:
                    decoder.decode(block.tobytes())
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as exc:
            return f"holds no text: {exc.reason}"
        inside = self.heads[:-1][self.heads[:-1] < len(self.data)]
        # Bytes within a character, which no text begins with, are 10xxxxxx.
        within = (self.data[inside] & 0xC0) == 0x80
        return "cuts a character in two" if within.any() else None


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """From a string to its number in ``column``; exact, since what is found is compared.

    ``prints`` are the fingerprints of its strings, sorted, and ``numbers`` the place of each
    string in the column; both are ``(n_strings,)``.
    """

    column: Annotated[Strings, Sizes(n_strings="n_strings")]
    prints: Annotated[np.ndarray, Prints("n_strings")]
    numbers: Annotated[np.ndarray, Numbers("n_strings", below="n_strings")]

    @classmethod
    def of(cls, column: Strings) -> Index:
        """The index of every string of ``column``; of equal strings, the first."""
        prints = np.array([fingerprint(column[at]) for at in range(len(column))], dtype=np.uint64)
        numbers = np.argsort(prints, kind="stable").astype(np.int32)
        return cls(column, prints[numbers], numbers)

    def find(self, value: str) -> int | None:
        """The number of ``value``, or None."""
        mark, wanted = fingerprint(value), value.encode()
        # A search of one value is quicker without the array.
        prints = self.prints.data
        at = bisect_left(prints, mark)
        while at < len(prints) and prints[at] == mark:
            number = int(self.numbers[at])
            if self.column.view(number) == wanted:
                return number
            at += 1
        return None
