"""Arrays on disk, one plain file each, never pickled."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_type_hints

import numpy as np

from recommender.bundle.strings import Index, Strings
from recommender.errors import BundleError

Held = TypeVar("Held")
# numpy cannot map an array without elements, and mapping a small one saves nothing.
SMALL = 4096


def save(folder: Path, name: str, value: Any) -> None:
    """Write an array, or every array of a dataclass under ``name_field``."""
    if is_dataclass(value):
        for field in fields(value):
            save(folder, f"{name}_{field.name}", getattr(value, field.name))
    else:
        np.save(folder / f"{name}.npy", np.ascontiguousarray(value), allow_pickle=False)


def load_array(folder: Path, name: str) -> np.ndarray:
    """Read one array, mapped into memory if it is of any size."""
    path = folder / f"{name}.npy"
    try:
        mapped: Literal["r"] | None = "r" if path.stat().st_size > SMALL else None
        # As a plain array: a memmap makes every slice of itself a memmap, at twice the price.
        array: np.ndarray = np.load(path, mmap_mode=mapped, allow_pickle=False).view(np.ndarray)
    except (OSError, ValueError, EOFError) as exc:
        raise BundleError(f"{path}: cannot be read: {exc}") from exc
    return array


def load(folder: Path, name: str, kind: type[Held]) -> Held:
    """Read back what ``save`` wrote of a dataclass whose fields are arrays or such dataclasses."""
    values: dict[str, Any] = {}
    for field, hint in get_type_hints(kind).items():
        inner = f"{name}_{field}"
        values[field] = (
            load(folder, inner, cast(type[Any], hint))
            if is_dataclass(hint)
            else load_array(folder, inner)
        )
    return kind(**values)


def load_strings(folder: Path, name: str) -> Strings:
    """Read a column of strings."""
    return load(folder, name, Strings)


def save_index(folder: Path, name: str, values: list[str]) -> None:
    """Write a column of strings with its index."""
    index = Index.of(Strings.of(values))
    save(folder, name, index.column)
    save(folder, f"{name}_prints", index.prints)
    save(folder, f"{name}_numbers", index.numbers)


def load_index(folder: Path, name: str) -> Index:
    """Read a column of strings with its index."""
    prints, numbers = (load_array(folder, f"{name}_{part}") for part in ("prints", "numbers"))
    return Index(load_strings(folder, name), prints, numbers)
