"""The text dump of an article page: read it, and write its ``Recommend`` block anew.

A page holds its title twice, headings and paragraphs, the titles of the article before and
after it, and the hand-picked list as pairs of title and teaser:

>>> page = parse('''Why does my knee click?
...
... Why does my knee click?
...
... What makes the noise
...
... Gas bubbles.
...
... Recommend
...
... Knee pain on the stairs
...
... Pain behind the kneecap is common when going up...
... ''', where="knee.txt")
>>> page.title, page.body
('Why does my knee click?', 'What makes the noise\\n\\nGas bubbles.')
>>> page.recommended
(('Knee pain on the stairs', 'Pain behind the kneecap is common when going up...'),)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from recommender.errors import ArticleError

MARKER = "Recommend"
PREVIOUS = "<<:"
NEXT = ">>:"
# The line that opens the list, at the end of which everything up to the end of file belongs to it.
BLOCK = re.compile(rb"(?m)^[ \t\xa0\xc2]*Recommend[ \t\xa0\xc2]*\r?$")


@dataclass(frozen=True, slots=True)
class Page:
    """What stands on a page. ``recommended`` pairs each title with its teaser, in order."""

    title: str
    body: str
    previous: str | None
    next: str | None
    recommended: tuple[tuple[str, str], ...]
    url: str | None = None
    language: str | None = None


def parse(text: str, *, where: str) -> Page:
    """Read a page; ``ArticleError`` names ``where`` if it has no title."""
    lines = [line.strip() for line in text.replace("\x00", "").splitlines()]
    blocks = [line for line in lines if line]
    if not blocks:
        raise ArticleError(f"{where}: field title: the page is empty")
    title, rest = blocks[0], blocks[1:]
    if title == MARKER or title.startswith((PREVIOUS, NEXT)):
        raise ArticleError(f"{where}:1: field title: missing, the page begins with {title!r}")
    if rest and rest[0] == title:
        rest = rest[1:]
    # The last one: an article may well have a heading called "Recommend" of its own.
    marker = max((at for at, line in enumerate(rest) if line == MARKER), default=len(rest))
    body: list[str] = []
    beside: dict[str, str | None] = {PREVIOUS: None, NEXT: None}
    for line in rest[:marker]:
        if line[:3] in beside:
            beside[line[:3]] = line[3:].strip() or None
        else:
            body.append(line)
    return Page(
        title=title,
        body="\n\n".join(body),
        previous=beside[PREVIOUS],
        next=beside[NEXT],
        recommended=tuple(_pairs(rest[marker + 1 :])),
    )


def _pairs(lines: list[str]) -> Iterable[tuple[str, str]]:
    """Titles with their teasers; a teaser ends in three dots, and a title may lack one."""
    at = 0
    while at < len(lines):
        title, at = lines[at], at + 1
        if at < len(lines) and lines[at].endswith(("...", "…")):
            yield title, lines[at]
            at += 1
        else:
            yield title, ""


def n_links(raw: bytes) -> int:
    """How many links the page's ``Recommend`` block holds; 0 if it has none."""
    block = _block(raw)
    if block is None:
        return 0
    lines = [line.strip() for line in raw[block.end() :].decode("utf-8").splitlines()]
    return len(list(_pairs([line for line in lines if line])))


def rewrite(raw: bytes, links: Iterable[tuple[str, str]]) -> bytes:
    """The page with its list replaced by ``links`` (title, teaser); every other byte as it was.

    A page without a ``Recommend`` block comes back unchanged: where the site shows no list,
    none is invented.
    """
    block = _block(raw)
    if block is None:
        return raw
    newline = "\r\n" if b"\r\n" in raw else "\n"
    parts = [part for link in links for part in link if part]
    text = "".join(newline * 2 + part for part in parts)
    # The marker's line may carry its own \r: the new block brings both.
    head = raw[: block.end()].removesuffix(b"\r")
    tail = raw[len(raw.rstrip(b"\r\n")) :]
    return head + text.encode("utf-8") + tail


def _block(raw: bytes) -> re.Match[bytes] | None:
    """Where the last ``Recommend`` line stands."""
    found = None
    for match in BLOCK.finditer(raw):
        found = match
    return found
