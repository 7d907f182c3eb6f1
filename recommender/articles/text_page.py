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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recommender.errors import ArticleError

MARKER = "Recommend"
PREVIOUS = "<<:"
NEXT = ">>:"
DOTS = ("...", "…")
# Of front matter, which is not for readers.
FENCES = ("---", "+++")


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
    lines = [_clean(line) for line in text.splitlines()]
    marker = _marker(lines)
    blocks = [line for line in lines[:marker] if line]
    if not blocks:
        what = "the page is empty" if marker is None else f"missing, the page begins with {MARKER}"
        raise ArticleError(f"{where}: field title: {what}")
    title, rest = blocks[0], blocks[1:]
    if title in FENCES:
        what = f"the page begins with {title!r}, as Markdown with fields at its head does"
        raise ArticleError(f"{where}: field title: {what}; give --format markdown")
    if title.startswith((PREVIOUS, NEXT)):
        raise ArticleError(f"{where}: field title: missing, the page begins with {title!r}")
    if rest and rest[0].split() == title.split():
        rest = rest[1:]
    body: list[str] = []
    beside: dict[str, str | None] = {PREVIOUS: None, NEXT: None}
    for line in rest:
        if line[:3] in beside:
            beside[line[:3]] = line[3:].strip() or None
        else:
            body.append(line)
    return Page(
        title=title,
        body="\n\n".join(body),
        previous=beside[PREVIOUS],
        next=beside[NEXT],
        recommended=tuple(pairs_in([] if marker is None else lines[marker + 1 :])),
    )


def n_links(raw: bytes) -> int:
    """How many links the page's ``Recommend`` block holds; 0 if it has none."""
    lines = [_clean(line) for line in _decode(raw).splitlines()]
    marker = _marker(lines)
    return 0 if marker is None else len(pairs_in(lines[marker + 1 :]))


def rewrite(raw: bytes, links: Iterable[tuple[str, str]]) -> bytes:
    """The page with its list replaced by ``links`` (title, teaser); every other byte as it was.

    A page without a ``Recommend`` block comes back unchanged: where the site shows no list,
    none is invented.
    """
    lines = _decode(raw).splitlines(keepends=True)
    marker = _marker([_clean(line) for line in lines])
    if marker is None:
        return raw
    newline = "\r\n" if b"\r\n" in raw else "\n"
    # A title or teaser with a line break in it would become two.
    parts = [" ".join(part.splitlines()) for link in links for part in link if part]
    old_block = "".join(lines[marker:])
    before = "".join(lines[:marker]) + lines[marker].rstrip("\r\n")
    after = old_block[len(old_block.rstrip("\r\n")) :]
    page = before + "".join(newline * 2 + part for part in parts) + after
    return page.encode("utf-8", errors="surrogateescape")


def _clean(line: str) -> str:
    return line.replace("\x00", "").strip()


def _decode(raw: bytes) -> str:
    # Whatever stands on the page must come out as it went in, faulty bytes too.
    return raw.decode("utf-8", errors="surrogateescape")


def _marker(lines: Sequence[str]) -> int | None:
    """Where the line stands that opens the list; None if the page has no list.

    An article may have a heading called "Recommend", and a list may recommend an article with
    that title: the list is opened by the last such line that is followed by a list.
    """
    for at in range(len(lines) - 1, -1, -1):
        if lines[at] == MARKER:
            following = [line for line in lines[at + 1 :] if line]
            if not _begins_with_lone_teaser(following) and _reads_as_list(following):
                return at
    return None


def _begins_with_lone_teaser(lines: Sequence[str]) -> bool:
    """Then the line before is a title: after the marker stands a title, and then its teaser."""
    return [line.endswith(DOTS) for line in lines[:2]] in ([True], [True, False])


def _reads_as_list(lines: Sequence[str]) -> bool:
    """Titles and teasers: no arrows to other pages, and no more sentences than teasers."""
    if any(line.startswith((PREVIOUS, NEXT)) for line in lines):
        return False
    n_teasers = sum(line.endswith(DOTS) for line in lines)
    n_sentences = sum(line.endswith((".", "。")) for line in lines) - sum(
        line.endswith("...") for line in lines
    )
    return n_sentences <= n_teasers


def pairs_in(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Titles with their teasers; a teaser ends in three dots, and a title may lack one."""
    pairs: list[tuple[str, str]] = []
    for line in filter(None, lines):
        if line.endswith(DOTS) and pairs and not pairs[-1][1]:
            pairs[-1] = (pairs[-1][0], line)
        else:
            pairs.append((line, ""))
    return pairs
