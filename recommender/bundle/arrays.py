"""What is written into a bundle: frozen dataclasses as arrays and JSON, never pickled.

``save(folder, "site", site)`` writes each array of ``site``, and of the dataclasses in it, to a
plain ``.npy`` file named after its place, ``site_near.npy``; numbers, texts and tuples of them go
to one ``site.json``. ``load`` puts them together by the fields of a class. The names of the fields
are the layout; the names of classes and modules are written nowhere.

Strings are kept in two arrays, so that they can be memory-mapped and looked up without a dict: one
of UTF-8 bytes and one of where each begins. An index is the strings' fingerprints, sorted, beside
their numbers. Workers that map them share one copy.

>>> column = Strings.of(["knee", "gout", "Müsli"])
>>> column[2], len(column), Index.of(column).find("gout"), Index.of(column).find("salt")
('Müsli', 3, 1, None)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

import numpy as np

from recommender.errors import BundleError
from recommender.text.terms import fingerprint

Held = TypeVar("Held")
# Bytes up to which a file is read at once: numpy cannot map an array without elements, and mapping
# one of a page of memory or less saves nothing.
SMALL = 4096
# What stands in a file of its own, not in the JSON.
ELSEWHERE = object()


def save(folder: Path, name: str, value: Any, *, leave: Iterable[str] = ()) -> None:
    """Write an array of any shape, or a dataclass but for the fields to ``leave``.

    The same value makes the same bytes. ``ValueError`` for an array of Python objects.
    """
    plain = _save(folder, name, value, frozenset(leave))
    if is_dataclass(value):
        text = json.dumps(plain, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


def _save(folder: Path, name: str, value: Any, leave: frozenset[str] = frozenset()) -> Any:
    """Write the arrays of a value; the rest of it comes back as JSON has it."""
    if isinstance(value, np.ndarray):
        np.save(folder / f"{name}.npy", np.ascontiguousarray(value), allow_pickle=False)
        return ELSEWHERE
    if is_dataclass(value):
        parts = {
            field.name: _save(folder, f"{name}_{field.name}", getattr(value, field.name))
            for field in fields(value)
            if field.name not in leave
        }
        return {field: part for field, part in parts.items() if part is not ELSEWHERE}
    if isinstance(value, tuple):
        return [_save(folder, f"{name}_{number}", each) for number, each in enumerate(value)]
    return value.item() if isinstance(value, np.generic) else value


def load(folder: Path, name: str, into: type[Held], given: Mapping[str, Any] | None = None) -> Held:
    """Read back what ``save`` wrote of a dataclass; fields that are ``given`` are not read.

    Large arrays are mapped into memory and cannot be changed. ``BundleError`` names the file, and
    the field, that is missing or of no use.
    """
    path = folder / f"{name}.json"
    plain = read_json(path)

    def array(part: str) -> np.ndarray:
        return load_array(folder, f"{name}_{part}")

    return build(into, plain, str(path), given=given, array=array)


def read_json(path: Path) -> Any:
    """What a file of JSON holds; ``BundleError`` if it is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        raise BundleError(f"{path}: cannot be read: {exc}") from exc


def load_array(folder: Path, name: str) -> np.ndarray:
    """Read one array as it was saved, of any shape, such as ``(n_articles,)``; mapped into memory
    if it is larger than ``SMALL``. ``BundleError`` names a file that cannot be read.
    """
    path = folder / f"{name}.npy"
    try:
        mapped: Literal["r"] | None = "r" if path.stat().st_size > SMALL else None
        # As a plain array: a memmap makes every slice of itself a memmap, at twice the price.
        array = np.load(path, mmap_mode=mapped, allow_pickle=False).view(np.ndarray)
    except (OSError, ValueError, EOFError) as exc:
        raise BundleError(f"{path}: cannot be read: {exc}") from exc
    # As mapped ones are, so that numba compiles one version for both.
    array.flags.writeable = False
    return array


def build(
    into: type[Held],
    plain: Any,
    where: str,
    *,
    given: Mapping[str, Any] | None = None,
    array: Callable[[str], np.ndarray] | None = None,
    at: tuple[str, ...] = (),
) -> Held:
    """A dataclass from what JSON holds of it; ``array`` reads what stands beside it in a file.

    ``BundleError`` names ``where`` and the field if one is missing or unknown; ``at`` are the
    fields on the way to it.
    """
    values, hints = dict(given or {}), get_type_hints(into)
    if not isinstance(plain, dict):
        raise BundleError(f"{where}: {'.'.join(at) or 'its content'} is not an object")
    names = [field.name for field in fields(cast("Any", into)) if field.name not in values]
    for name in sorted(plain.keys() - set(names)):
        raise BundleError(f"{where}: unknown field {'.'.join((*at, name))}")
    for name in names:
        values[name] = _value(hints[name], plain, where, array, (*at, name))
    return into(**values)


def _value(
    hint: Any,
    plain: dict[str, Any],
    where: str,
    array: Callable[[str], np.ndarray] | None,
    at: tuple[str, ...],
) -> Any:
    """The value of the last field of ``at``, of the type that its class declares."""
    if array and hint is np.ndarray:
        return array("_".join(at))
    inner = next((part for part in (hint, *get_args(hint)) if is_dataclass(part)), None)
    if at[-1] not in plain and not (array and inner):
        raise BundleError(f"{where}: field {'.'.join(at)} is missing")
    part, many = plain.get(at[-1], {}), get_origin(hint)
    if inner is None or part is None:
        return tuple(part) if many is tuple else part

    def built(each: Any, *name: str) -> Any:
        return build(cast("type[Any]", inner), each, where, array=array, at=(*at, *name))

    if many is tuple:
        return tuple(built(each, str(number)) for number, each in enumerate(part))
    if many is dict:
        return {name: built(each, name) for name, each in part.items()}
    return built(part)


@dataclass(frozen=True, slots=True, eq=False)
class Strings:
    """A column of strings: ``data`` holds their bytes, string *i* from ``heads[i]`` on."""

    data: np.ndarray
    heads: np.ndarray

    @classmethod
    def of(cls, values: Iterable[str | bytes]) -> Strings:
        """The column that holds ``values``."""
        encoded = [value.encode() if isinstance(value, str) else value for value in values]
        heads = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(value) for value in encoded], out=heads[1:])
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), heads)

    def __len__(self) -> int:
        return len(self.heads) - 1

    def __getitem__(self, number: int) -> str:
        return self.bytes_at(number).decode()

    def bytes_at(self, number: int) -> bytes:
        """The string as it is stored."""
        return self.data[self.heads[number] : self.heads[number + 1]].tobytes()


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """From a string to its number in ``column``; exact, since what is found is compared.

    ``prints`` are the fingerprints of its strings, sorted, and ``numbers`` the place of each
    string in the column; both are ``(n_strings,)``.
    """

    column: Strings
    prints: np.ndarray
    numbers: np.ndarray

    @classmethod
    def of(cls, column: Strings) -> Index:
        """The index of every string of ``column``; of equal strings, the first."""
        prints = np.array([fingerprint(column[at]) for at in range(len(column))], dtype=np.uint64)
        numbers = np.argsort(prints, kind="stable").astype(np.int32)
        return cls(column, prints[numbers], numbers)

    def find(self, value: str) -> int | None:
        """The number of ``value``, or None."""
        mark = np.uint64(fingerprint(value))
        at = int(self.prints.searchsorted(mark))
        wanted = value.encode()
        while at < len(self.prints) and self.prints[at] == mark:
            if self.column.bytes_at(int(self.numbers[at])) == wanted:
                return int(self.numbers[at])
            at += 1
        return None
