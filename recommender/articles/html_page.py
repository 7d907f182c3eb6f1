"""An article page as HTML: title, main text, the hand-picked list, canonical URL, language.

The page is laid out as the lines a reader sees, which are then read much as those of a text
page: what follows the heading "Recommend" is the list, what begins with ``<<:`` and ``>>:`` are
the neighbours. The text is that of the ``article`` or ``main`` element, or what trafilatura
takes for it. CSS selectors in the settings help where a site is different.

>>> page = parse('''<h1>Knee</h1><p>It <b>clicks</b>.</p>
...     <h2>Recommend</h2><ul><li><a href="/hip">Hip</a><br>It clicks too...</li></ul>''',
...     where="knee.html")
>>> page.title, page.body, page.recommended
('Knee', 'It clicks.', (('Hip', 'It clicks too...'),))
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from recommender.articles.text_page import DOTS, MARKER, NEXT, PREVIOUS, Page, pairs_in
from recommender.errors import ArticleError, MissingExtra, SettingsError

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# Elements that begin and end a line.
BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "details", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", *HEADINGS, "header", "hr",
    "html", "legend", "li", "main", "nav", "ol", "option", "p", "pre", "section", "summary",
    "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
}  # fmt: skip
INVISIBLE = {"head", "script", "style", "noscript", "template", "svg", "iframe", "select", "button"}
NOT_CONTENT = "nav, footer, aside, form"
MAIN = ("article", "main")
# Work on a page grows with the square of its depth; browsers nest no more than 512 elements.
MAX_DEPTH = 12_000
# Finding the main text among more takes trafilatura minutes; then all text is the page's.
MAX_SEARCHED = 10_000
# Elements that do not end, and those that may do so without a sign of it, are not counted.
MAX_OPEN = 20_000
START = re.compile(r"</?[a-z][a-z0-9]*")
WITHOUT_END = {
    "body", "br", "caption", "dd", "dt", "hr", "html", "li", "option", "p", "tbody", "td", "th",
    "thead", "tr",
}  # fmt: skip
# An article may have headings called "Recommend" too, but not so many.
MAX_MARKERS = 20
ARROWS = re.compile(f"(?={PREVIOUS}|{NEXT})")


@dataclass(frozen=True, slots=True)
class Selectors:
    """CSS selectors for title, body and the container of the list; empty means: find it."""

    title: str = ""
    body: str = ""
    recommended: str = ""


class Line(NamedTuple):
    """A line as a reader sees it; ``link`` is where it leads if it begins as a link."""

    text: str
    link: str | None = None


def parse(text: str, *, where: str, selectors: Selectors | None = None) -> Page:
    """Read an HTML page. ``ArticleError`` names the place and the field that is not there."""
    try:
        from selectolax.lexbor import LexborHTMLParser
    except ImportError as exc:
        raise MissingExtra("reading HTML pages", "html") from exc
    selectors = selectors or Selectors()
    _check_ends(text, where)
    tree = LexborHTMLParser(text.replace("\x00", ""))
    _check_depth(tree, where)
    title, heading = _title(tree, selectors.title, where)
    previous, following = _beside(tree)
    recommended = _take_list(tree, selectors.recommended, where)
    lines = _body(tree, selectors.body, heading, where)
    if title in lines:  # what stands above the title is no part of the text
        lines = lines[lines.index(title) + 1 :]
    while lines and lines[0] == title:
        lines = lines[1:]
    canonical = tree.css_first('link[rel="canonical"]')
    root = tree.css_first("html")
    return Page(
        title=title,
        body="\n\n".join(line for line in lines if not line.startswith((PREVIOUS, NEXT))),
        previous=previous,
        next=following,
        recommended=tuple(recommended),
        url=(canonical.attributes.get("href") or None) if canonical else None,
        language=(root.attributes.get("lang") or None) if root else None,
    )


def _check_ends(text: str, where: str) -> None:
    """Parsers look through all elements that are open whenever one more begins."""
    begun = Counter(START.findall(text.lower()))
    n_open = sum(max(0, begun[f"<{name}"] - begun[f"</{name}"]) for name in BLOCKS - WITHOUT_END)
    if n_open > MAX_OPEN:
        raise ArticleError(f"{where}: {n_open:,} elements begin and do not end")


def _check_depth(tree: LexborHTMLParser, where: str) -> None:
    level = [tree.root] if tree.root else []
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in node.iter()]
        if not level:
            return
    raise ArticleError(f"{where}: more than {MAX_DEPTH:,} elements stand in one another")


def _lines(
    roots: Iterable[LexborNode], *, without: Collection[int] = (), links: bool = False
) -> list[Line]:
    """What a reader sees, line by line; with ``links`` a link that begins a line also ends it.

    ``without`` are the ids of elements to leave out.
    """
    lines: list[Line] = []
    text: list[str] = []
    link: str | None = None

    def end_line() -> None:
        nonlocal link
        flat = " ".join("".join(text).split())
        text.clear()
        if flat:
            first, *more = [part.strip() for part in ARROWS.split(flat) if part.strip()]
            lines.extend([Line(first, link), *map(Line, more)])
            link = None

    # Each element is met twice, on the way in and on the way out; by hand, since pages may be
    # nested more deeply than Python's stack.
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, leaving = stack.pop()
        if node.tag == "-text":
            text.append(node.text(deep=False))
        elif leaving:
            if node.tag in BLOCKS or (node.tag == "a" and links and link is not None):
                end_line()
            if node.tag == "a":
                link = None
        elif node.tag not in INVISIBLE and node.mem_id not in without:
            if node.tag in BLOCKS:
                end_line()
            elif node.tag == "a" and links and not "".join(text).strip():
                link = node.attributes.get("href") or ""
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(list(node.iter(include_text=True))))
    end_line()
    return lines


def _text(node: LexborNode) -> str:
    return " ".join(line.text for line in _lines([node]))


def _select(tree: LexborHTMLParser, selector: str, where: str) -> list[LexborNode]:
    try:
        return tree.css(selector)
    except Exception as exc:  # selectolax raises a bare Exception for a bad selector
        raise SettingsError(f"{where}: CSS selector {selector!r}: {exc}") from exc


def _title(tree: LexborHTMLParser, selector: str, where: str) -> tuple[str, LexborNode]:
    for candidate in [selector] if selector else ["h1", "title"]:
        for node in _select(tree, candidate, where):
            if text := _text(node):
                return text, node
    raise ArticleError(f"{where}: field title: no {selector or 'h1 or title'} with text")


def _beside(tree: LexborHTMLParser) -> tuple[str | None, str | None]:
    """Titles of the article before and after: lines that begin with ``<<:`` and ``>>:``."""
    found: dict[str, str] = {}
    for line in _lines([tree.body] if tree.body else []):
        if line.text.startswith((PREVIOUS, NEXT)):
            found.setdefault(line.text[:3], line.text[3:].strip())
    return found.get(PREVIOUS) or None, found.get(NEXT) or None


def _take_list(tree: LexborHTMLParser, selector: str, where: str) -> list[tuple[str, str]]:
    """The hand-picked list, cut out of the tree so that it does not count as the page's text."""
    if selector:
        nodes = _select(tree, selector, where)
        pairs = _pairs(nodes)
    else:
        for marker in reversed(_markers(tree)[-MAX_MARKERS:]):
            nodes = _following(marker)
            pairs = _pairs(nodes)
            # An article may have a heading called "Recommend", with text under it.
            if any(teaser.endswith(DOTS) for _, teaser in pairs) or _has_links(nodes):
                nodes = [marker, *nodes]
                break
        else:
            return []
    for node in nodes:
        node.decompose()
    return [(title, teaser) for title, teaser in pairs if title != MARKER]


def _markers(tree: LexborHTMLParser) -> list[LexborNode]:
    """Elements whose text is "Recommend", the innermost of those nested in one another."""
    found = tree.css(", ".join((*HEADINGS, "p, div, dt, strong, b, span, header, summary")))
    markers = [node for node in found if node.text(deep=True).split() == [MARKER]]
    parents = {node.parent.mem_id for node in markers if node.parent is not None}
    return [node for node in markers if node.mem_id not in parents]


def _following(marker: LexborNode) -> list[LexborNode]:
    """What stands after the marker, or after the wrapper that holds nothing else, up to a more
    important heading.
    """
    while not (nodes := _siblings_after(marker)):
        if marker.parent is None or _text(marker.parent) != MARKER:
            break
        marker = marker.parent
    level = marker.tag if marker.tag in HEADINGS else "h2"
    for at, node in enumerate(nodes):
        if node.tag in ("footer", "form"):
            return nodes[:at]
        if node.tag in HEADINGS and node.tag <= level and not _has_links([node]):
            # The same level may be that of the list's own titles: then a teaser comes next.
            after = _text(nodes[at + 1]) if at + 1 < len(nodes) else ""
            if node.tag < level or not after.endswith(DOTS):
                return nodes[:at]
    return nodes


def _siblings_after(node: LexborNode) -> list[LexborNode]:
    nodes = []
    sibling = node.next
    while sibling is not None:
        if sibling.tag == "-text" or (sibling.tag not in INVISIBLE and _text(sibling)):
            nodes.append(sibling)
        sibling = sibling.next
    return nodes if any(_text(node) for node in nodes) else []


def _has_links(nodes: list[LexborNode]) -> bool:
    return any(line.link is not None for line in _lines(nodes, links=True))


def _pairs(nodes: list[LexborNode]) -> list[tuple[str, str]]:
    """Titles with their teasers: links and the lines after them, or as on a text page."""
    lines = _lines(nodes, links=True)
    if not any(line.link is not None for line in lines):
        return pairs_in(line.text for line in lines)
    pairs: list[tuple[str, str]] = []
    last_link = None
    for text, link in lines:
        is_teaser = link is None or text.endswith(DOTS)
        if is_teaser and pairs and not pairs[-1][1]:
            pairs[-1] = (pairs[-1][0], text)
        elif link is not None and (link != last_link or not link):  # else: "Read more"
            pairs.append((text, ""))
            last_link = link
    return pairs


def _body(tree: LexborHTMLParser, selector: str, heading: LexborNode, where: str) -> list[str]:
    if selector:
        return [line.text for line in _lines(_select(tree, selector, where))]
    if tree.body is None:
        return []
    around = {node.mem_id for node in _ancestors(heading)}
    skipped = {node.mem_id for node in tree.css(NOT_CONTENT)} - around
    if main := _main(tree, heading):
        return [line.text for line in _lines([main], without=skipped)]
    lines = [line.text for line in _lines([tree.body], without=skipped)]
    if len(tree.css("*")) > MAX_SEARCHED:
        return lines
    extracted = _extracted(tree)
    return [line for line in lines if "".join(line.split()) in extracted] or lines


def _main(tree: LexborHTMLParser, heading: LexborNode) -> LexborNode | None:
    """The element marked as the article: the one around the title, or the only one."""
    for around in _ancestors(heading):
        if around.tag in MAIN:
            return around
    for selector in ('main, [role="main"]', "article", '[itemprop="articleBody"]'):
        found = tree.css(selector)
        if len(found) == 1 and _text(found[0]):
            return found[0]
    return None


def _ancestors(node: LexborNode) -> Iterator[LexborNode]:
    while (above := node.parent) is not None:
        yield above
        node = above


def _extracted(tree: LexborHTMLParser) -> str:
    """What trafilatura takes for the text; it knows menus and cookie notices. Without spaces,
    since it puts some around every element.
    """
    try:
        import trafilatura
    except ImportError as exc:
        raise MissingExtra("finding the main text of HTML pages", "html") from exc
    text = trafilatura.extract(
        tree.html or "", include_comments=False, include_tables=True, favor_recall=True
    )
    return "".join((text or "").split())
