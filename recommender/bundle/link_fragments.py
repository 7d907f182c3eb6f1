"""What is written down of each article once: the beginning of every link to it, as it is sent.

Titles, addresses and the rest stand nowhere else in a bundle: they are read where they stand in the
beginnings. Those that are read often, or are followed by browsers, are found by their places.

>>> beginning = [b'"knee"', b'"/knee"', b'"\\\\"Knees\\\\""', b'""', b"null", b"null", b'"en"']
>>> written = LinkFragments.written([beginning])
>>> columns = written.columns()
>>> columns["titles"][0], columns["addresses"][0], columns["images"][0], columns["tags"][0]
('"Knees"', '/knee', '', 'en')
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np

from recommender.array_fields import Numbers
from recommender.articles.addresses import leads_to_page
from recommender.bundle.arrays import Strings
from recommender.errors import BundleError

# The fields of a link that are the same in every list, in their order on the wire, and the form of
# what is written of them.
OF_ARTICLE = ("id", "url", "title", "teaser", "image", "published_at", "language")
NAMED = [b'"%b":' % name.encode() for name in OF_ARTICLE]
FORM = b"{" + b",".join(name + b"%b" for name in NAMED)
# Fields that are found by their places.
PLACED = ("url", "title", "image")
# What is read as a column, by field.
COLUMNS = {
    "addresses": "url", "titles": "title", "teasers": "teaser",
    "images": "image", "dates": "published_at", "tags": "language",
}  # fmt: skip
NULL = b"null"
UNUSUAL = b"\\@\x7f"
# Articles that are checked together.
BLOCK = 512


class Column(Protocol):
    """A text of each article, by row; empty for none."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int, /) -> str: ...


@dataclass(frozen=True, slots=True, eq=False)
class LinkFragments(Strings):
    """The beginnings of links, by row, and the ``places`` of ``PLACED`` in each: first and last
    byte within the quotes, counted from that of the fragment, ``(n_strings, 6)``; 0 for none.
    """

    places: Annotated[np.ndarray, Numbers("n_strings, 6")]

    @classmethod
    def written(cls, articles: Iterable[Sequence[bytes]]) -> LinkFragments:
        """Of these articles, the JSON of each of ``OF_ARTICLE``."""
        pieces, places = [], []
        for parts in articles:
            pieces.append(FORM % tuple(parts))
            at, of_one = 1, list[int]()
            for name, named, part in zip(OF_ARTICLE, NAMED, parts, strict=True):
                at += len(named)
                if name in PLACED:
                    of_one += (0, 0) if part == NULL else (at + 1, at + len(part) - 1)
                at += len(part) + 1
            places.append(of_one)
        column = Strings.of(pieces)
        table = np.array(places, dtype=np.int32).reshape(-1, 2 * len(PLACED))
        dtype = np.uint16 if table.max(initial=0) < 1 << 16 else np.int32
        return cls(column.data, column.heads, table.astype(dtype))

    def columns(self) -> dict[str, Column]:
        """``COLUMNS``, which are read from here."""
        found: dict[str, Column] = {}
        for name, field in COLUMNS.items():
            is_placed = field in PLACED
            found[name] = (
                PlacedColumn(self, PLACED.index(field)) if is_placed else ReadColumn(self, field)
            )
        return found

    def record(self, row: int) -> dict[str, Any]:
        """The fields ``OF_ARTICLE`` of one article; ``BundleError`` where none are written."""
        try:
            found = json.loads(self.bytes_at(row) + b"}")
        except ValueError:
            found = None
        if not isinstance(found, dict) or tuple(found) != OF_ARTICLE:
            raise BundleError(f"fragments_data.npy: what stands there for article {row} is no link")
        return found

    def fault(self) -> str | None:
        if fault := Strings.fault(self):
            return fault
        # By blocks: what all of them take at once a server would keep.
        for at in range(0, len(self), BLOCK):
            if fault := self._misplaced(slice(at, min(at + BLOCK, len(self)))):
                return fault
        return None

    def _misplaced(self, block: slice) -> str | None:
        """What is wrong with the places of some articles, and with the addresses of pages and
        pictures, which browsers follow.
        """
        heads = self.heads[block.start : block.stop + 1].astype(np.int64)
        data, heads = self.data[heads[0] : heads[-1]], heads - heads[0]
        for number, name in enumerate(PLACED):
            first, last = self.places[block, 2 * number : 2 * number + 2].astype(np.int64).T
            some = np.flatnonzero(last)
            size, first, last = np.diff(heads)[some], first[some], last[some]
            named = np.frombuffer(b'"%b":"' % name.encode(), np.uint8)
            if not ((len(named) <= first) & (first <= last) & (last < size)).all():
                return f"places: {name} is outside"
            first, last = heads[some] + first, heads[some] + last
            before = data[first[:, None] - np.arange(len(named), 0, -1)]
            if not ((before == named).all() and (data[last] == ord('"')).all()):
                return f"places: {name} is elsewhere"
            if name == "title":
                continue
            usual = _are_usual(data, first, last - first) | (first == last)
            for row in (block.start + some[~usual]).tolist():
                text = PlacedColumn(self, number)[row]
                if not leads_to_page(text):
                    return f"holds {text!r}, which leads to no page"
        return None


def _are_usual(data: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Do addresses begin with a scheme of the web, and hold neither blanks, controls, nor what
    begins a host anew? Those that do not are looked at one by one.
    """
    heads = np.cumsum(sizes) - sizes
    # A quarter of the time that slices of each address take.
    text = data[np.repeat(starts - heads, sizes) + np.arange(sizes.sum())]
    usual = np.zeros(len(starts), dtype=bool)
    for scheme in (b"https://", b"http://"):
        wide = np.flatnonzero(sizes >= len(scheme))
        begins = text[heads[wide, None] + np.arange(len(scheme))]
        usual[wide] |= (begins == np.frombuffer(scheme, np.uint8)).all(axis=1)
    # ``np.isin`` takes half as long as opening a large bundle.
    odd = text <= 0x20
    for each in UNUSUAL:
        odd |= text == each
    usual[np.searchsorted(heads, np.flatnonzero(odd), side="right") - 1] = False
    return usual


class PlacedColumn:
    """A column of ``fragments`` that is found by its place, one of ``PLACED`` by its number."""

    def __init__(self, fragments: LinkFragments, number: int) -> None:
        # Made once: slices of these cost a fraction of those of the arrays.
        self.text, self.heads = fragments.data.data, fragments.heads.data
        self.places, self.at = fragments.places.data, 2 * number

    def __len__(self) -> int:
        return len(self.heads) - 1

    def __getitem__(self, row: int, /) -> str:
        begin, places, at = self.heads[row], self.places, self.at
        text = bytes(self.text[begin + places[row, at] : begin + places[row, at + 1]])
        return json.loads(b'"%b"' % text) if b"\\" in text else text.decode()


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """A ``field`` of ``fragments`` that few ask for."""

    fragments: LinkFragments
    field: str

    def __len__(self) -> int:
        return len(self.fragments)

    def __getitem__(self, row: int, /) -> str:
        return self.fragments.record(row)[self.field] or ""
