"""XML read element by element: little memory however large the file, no network, no entities.

Exports of real systems are often not quite XML. Control characters, which XML forbids, are left
out; after other faults reading goes on where it can, and what is wrong is one problem at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from recommender.articles.formats.base import EXTRA, Head, faults_of_file, whole
from recommender.errors import MissingExtra
from recommender.files import BLOCK, Problem

# Of lxml, which comes without types.
Element = Any
# All but tab, line feed and carriage return.
CONTROLS = bytes({*range(32)} - {9, 10, 13})
ROOT = re.compile(
    r"(?>(?><\?.*?\?>|<!--.*?-->|<!DOCTYPE[^<>\[]*+(?:\[.*?\]\s*)?>)\s*)*+<([\w:.-]+)", re.S
)
ENTITY = re.compile(rb"<!ENTITY", re.I)


def root_of(head: Head) -> str:
    """The name of a file's outermost element without a prefix, in small letters; empty if it is
    no XML.
    """
    match = ROOT.match(head.text)
    return match[1].rpartition(":")[2].lower() if match else ""


class Cleaned:
    """A file without control characters; ``n_controls`` have been left out so far."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.n_controls = 0
        self.is_wide: bool | None = None

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        raw = self.file.read(min(size, BLOCK) if size >= 0 else BLOCK)
        if self.is_wide is None:  # UTF-16 has NUL in every other byte
            self.is_wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        if self.is_wide:
            return raw
        kept = raw.translate(None, CONTROLS)
        while raw and not kept:  # nothing at all would be the end
            raw = self.file.read(BLOCK)
            kept = raw.translate(None, CONTROLS)
        self.n_controls += len(raw) - len(kept)
        return kept


class XmlFile:
    """One reading of a file. ``problems`` are what was wrong with it, complete at its end; with
    ``n_controls`` control characters left out so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.cleaned: Cleaned | None = None

    @property
    def n_controls(self) -> int:
        """How many control characters were left out so far."""
        return self.cleaned.n_controls if self.cleaned else 0

    def elements(self, *names: str) -> Iterator[Element]:
        """The elements of these names, in any namespace, when they end. What stands before an
        element is forgotten when the next but one comes, so read it at once.
        """
        try:
            from lxml import etree
        except ImportError as exc:
            raise MissingExtra("reading XML", EXTRA) from exc
        with faults_of_file(self.path, self.problems), whole(self.path) as file:
            self.cleaned = Cleaned(_checked(file))
            parser = etree.iterparse(
                self.cleaned,
                events=("end",),
                tag=[f"{{*}}{name}" for name in names],
                recover=True,
                resolve_entities=False,
                no_network=True,
                load_dtd=False,
                huge_tree=False,
                remove_comments=True,
                remove_pis=True,
            )
            try:
                for _, element in parser:
                    yield element
                    _forget(element)
            except etree.XMLSyntaxError:
                pass  # it is in the log
            if faults := list(parser.error_log):
                self.problems.append(_problem(self.path, faults))


def _checked(file: IO[bytes]) -> IO[bytes]:
    """The file, unless it declares entities of its own: no export needs them, and they can make
    a file of a few bytes huge, or read others.
    """
    head = file.read(BLOCK)
    check_entities(head)
    return _Again(head, file)  # type: ignore[return-value]


def check_entities(head: bytes) -> None:
    """Raise ``OSError`` if XML that begins like this declares entities of its own."""
    if ENTITY.search(head.partition(b"<![CDATA[")[0]):
        raise OSError("it declares entities of its own, which are not read")


class _Again:
    """A file of which the beginning was read before."""

    def __init__(self, head: bytes, file: IO[bytes]) -> None:
        self.head = head
        self.file = file

    def read(self, size: int = -1) -> bytes:
        if self.head:
            raw, self.head = self.head[:size], self.head[size:] if size >= 0 else b""
            return raw
        return self.file.read(size)


def _forget(element: Element) -> None:
    """Free the memory of an element and of what stands before it."""
    element.clear(keep_tail=False)
    parent = element.getparent()
    while parent is not None and (before := element.getprevious()) is not None:
        parent.remove(before)


def _problem(path: Path, faults: list[Any]) -> Problem:
    first = next((each for each in faults if "Unregistered" not in each.message), faults[0])
    message = " ".join(first.message.split())[:120]
    more = f" (and {len(faults) - 1:,} more faults)" if len(faults) > 1 else ""
    return Problem(
        f"{path}:{first.line}: not well-formed XML: {message}{more}; "
        "read on as far as it can be, so what stands there may be incomplete"
    )


def text_in(element: Element | None) -> str:
    """All text in an element, without the space around it."""
    if element is None:
        return ""
    text = element.text if len(element) == 0 else "".join(map(str, element.itertext()))
    return (text or "").strip()
