"""An article page as HTML: title, main text, the hand-picked list, canonical URL, language.

The main text comes from trafilatura, unless a CSS selector says where it stands; the list is
what follows the heading "Recommend", unless a selector points at it. Selectors are part of the
settings, because only the site knows its own mark-up.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recommender.errors import ArticleError, MissingExtra, SettingsError
from recommender.pages import MARKER, NEXT, PREVIOUS, Page

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

BLOCKS = "h1, h2, h3, h4, h5, h6, p, li, blockquote, pre, dt, dd, td, th"
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
NOT_CONTENT = "script, style, noscript, template, nav, header, footer, aside, form"


@dataclass(frozen=True, slots=True)
class Selectors:
    """CSS selectors for title, body and the container of the list; empty means: find it."""

    title: str = ""
    body: str = ""
    recommended: str = ""


def parse(text: str, *, where: str, selectors: Selectors | None = None) -> Page:
    """Read an HTML page. ``ArticleError`` names the place and the field that is not there."""
    try:
        from selectolax.lexbor import LexborHTMLParser
    except ImportError as exc:
        raise MissingExtra("reading HTML pages", "html") from exc
    selectors = selectors or Selectors()
    tree = LexborHTMLParser(text.replace("\x00", ""))
    title = _title(tree, selectors.title, where)
    before, after = _beside(tree)
    recommended = _take_list(tree, selectors.recommended, where)
    body = _body(tree, selectors.body, title, where)
    canonical = tree.css_first('link[rel="canonical"]')
    root = tree.css_first("html")
    return Page(
        title=title,
        body=body,
        previous=before,
        next=after,
        recommended=recommended,
        url=(canonical.attributes.get("href") or None) if canonical else None,
        language=(root.attributes.get("lang") or None) if root else None,
    )


def _select(tree: LexborHTMLParser, selector: str, where: str) -> list[LexborNode]:
    try:
        return tree.css(selector)
    except Exception as exc:  # selectolax raises a bare Exception for a bad selector
        raise SettingsError(f"{where}: CSS selector {selector!r}: {exc}") from exc


def _title(tree: LexborHTMLParser, selector: str, where: str) -> str:
    for candidate in [selector] if selector else ["h1", "title"]:
        for node in _select(tree, candidate, where):
            if text := _text(node):
                return text
    raise ArticleError(f"{where}: field title: no {selector or 'h1 or title'} with text")


def _beside(tree: LexborHTMLParser) -> tuple[str | None, str | None]:
    """Titles of the article before and after: lines that begin with ``<<:`` and ``>>:``."""
    found: dict[str, str | None] = {PREVIOUS: None, NEXT: None}
    for node in tree.css("p, li, div, a, span"):
        text = _text(node)
        # A container of the whole page also begins with its first line; links are short.
        if text[:3] in found and len(text) < 400 and text.count(text[:3]) == 1:
            if not any(other in text for other in found if other != text[:3]):
                found[text[:3]] = text[3:].strip() or None
                if node.tag in ("p", "li", "div"):
                    node.decompose()
    return found[PREVIOUS], found[NEXT]


def _take_list(tree: LexborHTMLParser, selector: str, where: str) -> tuple[tuple[str, str], ...]:
    """The hand-picked list, cut out of the tree so that it does not count as the page's text."""
    containers = _select(tree, selector, where) if selector else _after_marker(tree)
    pairs: list[tuple[str, str]] = []
    for container in containers:
        pairs.extend(_links(container))
    for container in containers:
        container.decompose()
    return tuple(pairs)


def _after_marker(tree: LexborHTMLParser) -> list[LexborNode]:
    """What follows the last element that says only "Recommend", up to the next heading."""
    marker = None
    for node in tree.css("h1, h2, h3, h4, h5, h6, p, div, strong, span"):
        if _text(node) == MARKER:
            marker = node
    if marker is None:
        return []
    # "<div><h3>Recommend</h3></div><ul>...": the list may follow the heading's wrapper.
    while marker.next is None or not _following(marker):
        if marker.parent is None or _text(marker.parent) != MARKER:
            break
        marker = marker.parent
    following = _following(marker)
    marker.decompose()
    return following


def _following(marker: LexborNode) -> list[LexborNode]:
    nodes = []
    node = marker.next
    while node is not None and node.tag not in ("h1", "h2", "script"):
        if node.tag not in ("-text", "_comment"):
            nodes.append(node)
        node = node.next
    return nodes


def _links(container: LexborNode) -> list[tuple[str, str]]:
    """Title and teaser of each link: the anchor's text, and what stands beside it in its item."""
    anchors = [container] if container.tag == "a" else container.css("a")
    pairs = []
    for anchor in anchors:
        title = _text(anchor)
        if not title:
            continue
        item = anchor.parent
        beside = ""
        while item is not None and item.mem_id != container.parent.mem_id:  # type: ignore[union-attr]
            if len(item.css("a")) > 1:
                break
            beside = _text(item).removeprefix(title).strip()
            item = item.parent
        pairs.append((title, beside))
    if not pairs and container.tag in ("p", "h3", "h4", "li") and _text(container):
        pairs.append((_text(container), ""))
    return pairs


def _body(tree: LexborHTMLParser, selector: str, title: str, where: str) -> str:
    if selector:
        nodes = _select(tree, selector, where)
        return "\n\n".join(part for node in nodes for part in _paragraphs(node))
    try:
        import trafilatura
    except ImportError as exc:
        raise MissingExtra("finding the main text of HTML pages", "html") from exc
    extracted = trafilatura.extract(
        tree.html or "", include_comments=False, include_tables=True, favor_recall=True
    )
    paragraphs = [line.strip() for line in (extracted or "").splitlines() if line.strip()]
    if not paragraphs and tree.body is not None:
        # Extraction gives up on very short pages, where the whole body is the text.
        for node in tree.body.css(NOT_CONTENT):
            node.decompose()
        paragraphs = _paragraphs(tree.body)
    while paragraphs and paragraphs[0] == title:
        paragraphs = paragraphs[1:]
    return "\n\n".join(paragraphs)


def _paragraphs(node: LexborNode) -> list[str]:
    texts = [_text(block) for block in node.css(BLOCKS) if not block.css_first(BLOCKS)]
    return [text for text in texts if text] or [text for text in [_text(node)] if text]


def _text(node: LexborNode) -> str:
    return " ".join(html.unescape(node.text(deep=True, separator=" ")).split())
