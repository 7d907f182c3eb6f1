"""What the arrays of a value that others wrote may hold: their shape, their type, their range.

A dataclass that is read from files declares it with each field, and whoever reads it checks all of
them in one way: an index that leads out of its array would end the process in compiled code, and
one below 0 would give another article's data. Lengths have names, the same throughout a class; what
it is made of has names of its own, tied to these by ``Sizes``.

    heads: Annotated[np.ndarray, Heads("n_articles+1", of="n_links")]
    items: Annotated[np.ndarray, Numbers("n_links", below="n_articles")]
    ids: Annotated[Strings, Sizes(n_strings="n_articles")]

>>> Numbers("n", below="n_articles", empty=True).fault(np.array([0, -1]), {"n_articles": 1}.get)
>>> Numbers("n", below="n_articles").fault(np.array([0, 7]), {"n_articles": 5}.get)
'holds 7, where whole numbers from 0 to 4 may stand'
>>> Values("n").fault(np.array([0.5, np.nan]), {}.get)
'holds nan, where numbers from -1e+09 to 1e+09 may stand'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.candidates import EMPTY

# Numbers beyond are no figures of ours, and products of a few of them are still finite.
LARGE = 1e9
# Entries looked at together: they stay in the nearest cache.
BLOCK = 1 << 16
SizeOf = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class Declared:
    """An array of a ``shape``: lengths between commas, each a number, a name, or a name and
    ``+1``.
    """

    shape: str
    # The kinds of numbers that it may hold, as numpy has them.
    kinds: ClassVar[str]

    def fault(self, array: np.ndarray, size: SizeOf) -> str | None:
        """What is wrong with the values, or None; ``size`` knows lengths by their names."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Numbers(Declared):
    """Whole numbers from 0 that count, or are places in something: below a length of that name, or
    that number; ``EMPTY`` may stand among them if ``empty``.
    """

    kinds: ClassVar[str] = "iu"
    below: int | str | None = None
    empty: bool = False

    def fault(self, array: np.ndarray, size: SizeOf) -> str | None:
        limit = size(self.below) if isinstance(self.below, str) else self.below
        least, most = EMPTY if self.empty else 0, None if limit is None else limit - 1
        low, high = extent(array)
        if low is None or high is None or (low >= least and (most is None or high <= most)):
            return None
        found = low if low < least else high
        to = " on" if most is None else f" to {most}"
        return f"holds {found}, where whole numbers from {least}{to} may stand"


@dataclass(frozen=True, slots=True)
class Keys(Declared):
    """Sorted numbers that things are found by; of pairs, ``first * n + second``, ``n`` is the
    length ``pairs_of``.
    """

    kinds: ClassVar[str] = "i"
    pairs_of: str | None = None

    def fault(self, array: np.ndarray, size: SizeOf) -> str | None:
        if not _ascends(array):
            return "is not sorted"
        n = size(self.pairs_of) if self.pairs_of else None
        if n is not None and len(array) and not (array[0] >= 0 and array[-1] < n * n):
            return f"holds {array[0]} or {array[-1]}, which is no pair of {n}"
        return None


@dataclass(frozen=True, slots=True)
class Prints(Declared):
    """Fingerprints, sorted."""

    kinds: ClassVar[str] = "u"

    def fault(self, array: np.ndarray, size: SizeOf) -> str | None:
        if array.itemsize != 8:
            return "holds no fingerprints"
        return None if _ascends(array) else "is not sorted"


@dataclass(frozen=True, slots=True)
class Heads(Declared):
    """Where each row begins among the entries, of which there are as many as the length ``of``, and
    the end; no row is without an entry if ``filled``.
    """

    kinds: ClassVar[str] = "i"
    of: str = ""
    filled: bool = False

    def fault(self, array: np.ndarray, size: SizeOf) -> str | None:
        n = size(self.of)
        if len(array) == 0 or array[0] != 0 or array[-1] != n:
            return f"does not lead from 0 to {n}, the number of entries"
        if not _ascends(array):
            return "leads back"
        if self.filled and (array[1:] == array[:-1]).any():
            return "has a row without an entry"
        return None


@dataclass(frozen=True, slots=True)
class Values(Declared):
    """Measures from ``least`` to ``most``; NaN may stand where one is ``missing``. Counts of
    nothing are whole numbers to numpy, so these may be too.
    """

    kinds: ClassVar[str] = "fiu"
    least: float = -LARGE
    most: float = LARGE
    missing: bool = False

    def fault(self, array: np.ndarray, size: SizeOf) -> str | None:
        low, high = extent(array, missing=self.missing)
        # NaN is in no range.
        if low is None or high is None or (low >= self.least and high <= self.most):
            return None
        found = high if low >= self.least else low
        return f"holds {found}, where numbers from {self.least:g} to {self.most:g} may stand"


@dataclass(frozen=True, slots=True)
class Flags(Declared):
    """True or false, as booleans or as 0 and 1."""

    kinds: ClassVar[str] = "bu"

    def fault(self, array: np.ndarray, size: SizeOf) -> str | None:
        # A boolean that is neither is true in one place and false in another.
        _, high = extent(array.view(np.uint8) if array.dtype == bool else array)
        return None if high is None or high <= 1 else f"holds {high}, which is neither 0 nor 1"


@dataclass(frozen=True, slots=True)
class Bytes(Declared):
    """Bytes as they are."""

    kinds: ClassVar[str] = "u"

    def fault(self, array: np.ndarray, size: SizeOf) -> str | None:
        return None if array.itemsize == 1 else "holds no bytes"


class Steps:
    """How measures are kept that need few digits: as whole numbers. They are ``rounded`` before
    anything is worked out of them, so that nobody sees others than were kept.
    """

    def packed(self, measures: np.ndarray) -> np.ndarray:
        """What is written."""
        raise NotImplementedError

    def unpacked(self, kept: np.ndarray) -> np.ndarray:
        """Of what was written; ``ValueError`` if it is no such thing."""
        raise NotImplementedError

    def rounded(self, measures: np.ndarray) -> np.ndarray:
        """Float32, and what comes back."""
        return self.unpacked(self.packed(measures))


@dataclass(frozen=True, slots=True)
class Fixed(Steps):
    """Multiples of ``unit``, of two bytes each.

    >>> Fixed(1 / 32_768).rounded(np.array([0.25, 0.3])).tolist()
    [0.25, 0.29998779296875]
    """

    unit: float

    def packed(self, measures: np.ndarray) -> np.ndarray:
        most = np.iinfo(np.uint16).max
        return np.round(np.clip(measures / self.unit, 0, most)).astype(np.uint16)

    def unpacked(self, kept: np.ndarray) -> np.ndarray:
        if kept.dtype != np.uint16:
            raise ValueError(f"holds {kept.dtype}, where uint16 is read")
        return kept * np.float32(self.unit)


@dataclass(frozen=True, slots=True)
class ByRow(Steps):
    """Bytes, 127 to -127, of a unit of each row, which is a power of 2 and stands before it.

    >>> ByRow().rounded(np.array([[0.3, -0.9], [0.003, 0.001]])).tolist()
    [[0.296875, -0.8984375], [0.00299072265625, 0.001007080078125]]
    """

    def packed(self, measures: np.ndarray) -> np.ndarray:
        most = np.abs(measures).max(axis=1, initial=0)
        # The next power of 2 from 1/127 of the largest on; that of nothing but zeros is 1.
        power = np.ceil(np.log2(np.where(most > 0, most / 127, 1))).astype(np.int8)
        steps = np.round(measures / np.exp2(power.astype(np.float32))[:, None])
        return np.column_stack([power, steps.astype(np.int8)])

    def unpacked(self, kept: np.ndarray) -> np.ndarray:
        if kept.dtype != np.int8 or kept.ndim != 2 or kept.shape[1] < 1:
            raise ValueError(f"holds {kept.dtype} of shape {kept.shape}, where rows are read")
        return kept[:, 1:] * np.exp2(kept[:, :1].astype(np.float32))


class Sizes:
    """Lengths that a part of a value has in common with the whole: the part's name for each, and
    the name that the whole has for it, or a number.
    """

    def __init__(self, **names: int | str) -> None:
        self.names = names


@dataclass(frozen=True, slots=True)
class Length:
    """A number that is a length of this ``name``, or a tuple that has it."""

    name: str


@dataclass(frozen=True, slots=True)
class Within:
    """A number from ``least`` to ``most``."""

    least: float
    most: float


def extent(array: np.ndarray, *, missing: bool = False) -> tuple[float | None, float | None]:
    """The least and the largest value, each entry looked at once; NaN if there is one, unless it
    may be ``missing``, and None of nothing.
    """
    flat = array.reshape(-1)
    least, most = (np.fmin, np.fmax) if missing else (np.minimum, np.maximum)
    ends = [
        (least.reduce(block), most.reduce(block))
        for block in (flat[at : at + BLOCK] for at in range(0, len(flat), BLOCK))
    ]
    if not ends:
        return None, None
    lows, highs = (np.array(column) for column in zip(*ends, strict=True))
    low, high = least.reduce(lows).item(), most.reduce(highs).item()
    return (None, None) if missing and np.isnan(low) else (low, high)


def _ascends(array: np.ndarray) -> bool:
    return not bool((array[1:] < array[:-1]).any())
