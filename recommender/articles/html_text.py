"""HTML as the lines a reader sees.

>>> tree = parsed("<h1>Knee</h1><p>It <b>clicks</b>,<br><a href='/hip'>as hips</a> do.", where="a")
>>> [line.text for line in lines_of([tree.body])]
['Knee', 'It clicks,', 'as hips do.']
>>> looks_like_html("<p>Knees click.</p>"), looks_like_html("Use a <p> for each paragraph.")
(True, False)
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

from recommender.articles.text_page import NEXT, PREVIOUS
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
INVISIBLE = {
    "head", "script", "style", "noscript", "template", "svg", "iframe", "select", "button",
    "textarea", "object", "canvas", "audio", "video", "math",
}  # fmt: skip
# Work on a page grows with the square of its depth; browsers nest no more than 512 elements.
MAX_DEPTH = 12_000
# Elements that do not end, and those that may do so without a sign of it, are not counted.
MAX_OPEN = 20_000
START = re.compile(r"</?[a-z][a-z0-9]*")
WITHOUT_END = {
    "body", "br", "caption", "dd", "dt", "hr", "html", "li", "option", "p", "tbody", "td", "th",
    "thead", "tr",
}  # fmt: skip
MARKS = "¶#§🔗⚓∞"
# Characters without a width, and those of fonts of icons.
UNSEEN = re.compile("[\u00ad\u200b\u2060\ufeff\ue000-\uf8ff]")
ARROWS = re.compile(f"(?={PREVIOUS}|{NEXT})")
# A text that begins with one of these, or has two whole blocks, is HTML and no text about HTML.
BEGINNING = re.compile(
    r"\s*<(?:!--|!doctype|(?:p|div|section|article|h[1-6]|ul|ol|table|blockquote|figure|img|span|"
    r"strong|em|b|i|a|br|header|main|pre|center|font)\b)[^<>]*>",
    re.IGNORECASE,
)
WHOLE = re.compile(r"<(p|li|h[1-6]|div|blockquote|td)\b[^<>]*>(?:(?!<\1\b).)*?</\1>", re.I | re.S)
BREAK = re.compile(r"<br\s*/?>\s*<br\s*/?>|<br\s*/>", re.IGNORECASE)
# Titles hold elements for the looks of words; any other is what the title is about.
INLINE_TAG = re.compile(
    r"</?(?:a|abbr|b|bdi|bdo|br|cite|code|em|font|i|mark|q|s|small|span|strong|sub|sup|u|wbr)\b"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
ENTITY = re.compile(r"&(?:[a-z]+\d*|#\d+|#x[\da-f]+);", re.IGNORECASE)


class Line(NamedTuple):
    """A line as a reader sees it; ``link`` is where it leads if it begins as a link, ``links`` are
    all that end in it, each as its text and where it leads.
    """

    text: str
    link: str | None = None
    links: tuple[tuple[str, str], ...] = ()


def parsed(text: str, *, where: str) -> LexborHTMLParser:
    """The page as a tree. ``ArticleError`` if it is built to take minutes."""
    try:
        from selectolax.lexbor import LexborHTMLParser
    except ImportError as exc:
        raise MissingExtra("reading HTML", "html") from exc
    _check_ends(text, where)
    tree = LexborHTMLParser(text.replace("\x00", ""))
    _check_depth(tree, where)
    return tree


def looks_like_html(text: str) -> bool:
    """Whether a text is written as HTML, not merely about it."""
    if "<" not in text:
        return False
    if (found := BEGINNING.match(text)) and ("</" in text or found[0].lower().startswith("<!")):
        return True
    return len(WHOLE.findall(text, 0, 100_000)) > 1 or bool(BREAK.search(text))


def unescaped(text: str) -> str:
    """The text with the entities of HTML as what they stand for.

    >>> unescaped("Salt &amp; pepper&#8217;s"), unescaped("R&D; A&B")
    ('Salt & pepper’s', 'R&D; A&B')
    """
    return html.unescape(text) if ENTITY.search(text) else text


def select(tree: LexborHTMLParser, selector: str, where: str) -> list[LexborNode]:
    """The elements that a selector of the settings means."""
    try:
        return tree.css(selector)
    except Exception as exc:  # selectolax raises a bare Exception for a bad selector
        raise SettingsError(f"{where}: CSS selector {selector!r}: {exc}") from exc


def lines_of(
    roots: Iterable[LexborNode], *, without: Collection[int] = (), links: bool = False
) -> list[Line]:
    """What a reader sees, line by line; with ``links`` a link that begins a line also ends it.

    ``without`` are the ids of elements to leave out.
    """
    lines: list[Line] = []
    text: list[str] = []
    link: str | None = None
    within: list[tuple[str, str]] = []
    begun = 0  # how much text stood before the link that is open

    def end_line() -> None:
        nonlocal link, begun
        flat = " ".join("".join(text).split())
        text.clear()
        begun = 0
        if flat:
            first, *more = [part.strip() for part in ARROWS.split(flat) if part.strip()]
            lines.extend([Line(first, link, tuple(within)), *map(Line, more)])
            link = None
        within.clear()

    # Each element is met twice, on the way in and on the way out; by hand, since pages may be
    # nested more deeply than Python's stack.
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, leaving = stack.pop()
        if node.tag == "-text":
            text.append(node.text(deep=False))
        elif leaving:
            if node.tag == "a" and (linked := " ".join("".join(text[begun:]).split())):
                within.append((linked, node.attributes.get("href") or ""))
            if node.tag in BLOCKS or (node.tag == "a" and links and link is not None):
                end_line()
            if node.tag == "a":
                link = None
        elif _is_seen(node) and node.mem_id not in without and not _is_mark(node):
            if node.tag in BLOCKS:
                end_line()
            elif node.tag == "a":
                begun = len(text)
                if links and not "".join(text).strip():
                    link = node.attributes.get("href") or ""
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(list(node.iter(include_text=True))))
    end_line()
    return lines


def _is_seen(node: LexborNode) -> bool:
    """Whether readers see its text. What opens the answer to a question is its heading."""
    if node.tag != "button":
        return node.tag not in INVISIBLE
    return node.parent is not None and node.parent.tag in (*HEADINGS, "dt")


def _is_mark(node: LexborNode) -> bool:
    """Whether it is a link of a heading to itself, which generators put behind their texts."""
    if node.tag != "a":
        return False
    text = UNSEEN.sub("", node.text(deep=True)).strip()
    if not text and (node.attributes.get("href") or "").startswith("#"):
        return True
    return len(text) == 1 and text in MARKS


def text_of(node: LexborNode) -> str:
    """What a reader sees of an element, on one line."""
    return " ".join(line.text for line in lines_of([node]))


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
