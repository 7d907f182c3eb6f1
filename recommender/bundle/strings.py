"""Many strings in two arrays, so that they can be memory-mapped and looked up without a dict.

A column of strings is one array of UTF-8 bytes and one of where each begins; an index is the
strings' fingerprints, sorted, beside their numbers. Workers that map them share one copy.

>>> column = Strings.of(["knee", "gout", "Müsli"])
>>> column[2], len(column), Index.of(column).find("gout"), Index.of(column).find("salt")
('Müsli', 3, 1, None)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from recommender.text.terms import fingerprint


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
    """From a string to its number in ``column``; exact, since what is found is compared."""

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
