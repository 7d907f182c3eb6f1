"""An article page as HTML: its title, text, list of related pages, and what it says of itself.

>>> page = parse('''<h1>Knee</h1><p>It <b>clicks</b>.</p>
...     <h2>Recommend</h2><ul><li><a href="/hip">Hip</a><br>It clicks too...</li></ul>''',
...     where="knee.html")
>>> page.fields["title"], page.fields["body"], page.picks
('Knee', 'It clicks.', (Pick(title='Hip', teaser='It clicks too...', url='/hip'),))
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from recommender.articles.addresses import address_fault, joined, url_key
from recommender.articles.document import Document, Pick
from recommender.articles.html_text import (
    INLINE_TAG,
    lines_of,
    looks_like_html,
    parsed,
    text_of,
    unescaped,
)
from recommender.articles.main_text import main_lines
from recommender.articles.page_metadata import Metadata, metadata_of, shown_image
from recommender.articles.page_title import title_of
from recommender.articles.related_lists import take_list
from recommender.articles.text_page import NEXT, PREVIOUS

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

# Of a page that a script draws there is next to nothing to see: less than this part of the text
# that its metadata holds. Not tuned.
HARDLY_ANY = 0.5

# What WordPress and its kin call the body of pages that list others.
LISTING_CLASSES = {
    "archive", "category", "tag", "author", "blog", "search", "search-results", "date",
    "post-type-archive", "tax", "error404", "tag-template", "author-template", "home-template",
    "paged",
}  # fmt: skip
MAX_LISTED = 300
# At the root of a site, or of one of its languages; elsewhere a number is an article.
OF_ERRORS = re.compile(
    r"(?:[a-z]{2}(?:-[a-z]{2})?/)?(?:40[34]|410|50[0-4x]|offline)(?:\.html?|/index\.html?)$", re.I
)


@dataclass(frozen=True, slots=True)
class Selectors:
    """CSS selectors for title, body and the container of the list; empty means: find it."""

    title: str = ""
    body: str = ""
    recommended: str = ""


def parse(text: str, *, where: str, path: str = "", selectors: Selectors | None = None) -> Document:
    """Read an HTML page. ``ArticleError`` names the place and the field that is not there."""
    selectors = selectors or Selectors()
    tree = parsed(text, where=where)
    metadata = metadata_of(tree)
    base = _base(tree, path)
    title = title_of(tree, metadata, selectors.title, where, path=path, base=base)
    previous, following = _beside(tree)
    picks = take_list(tree, selectors.recommended, where, title=title.node)
    headings = tuple(map(text_of, tree.css("h2, h3, h4")[:MAX_LISTED]))
    lines = main_lines(tree, selectors.body, title.node, where)
    body = _without_title(lines, title.text)
    if metadata.image is None:
        metadata = replace(metadata, image=shown_image(tree))
    if base:
        metadata = replace(
            metadata,
            canonical=_seen_from(base, metadata.canonical),
            image=_seen_from(base, metadata.image),
        )
        # Without the host: that of the page is known better by its own address, or not at all.
        root = urlsplit(base).path
        picks = tuple(replace(pick, url=_seen_from(root, pick.url)) for pick in picks)
    stated = text_in(metadata.body, where=where) if not selectors.body else ""
    if len(body) < HARDLY_ANY * len(stated):
        body = stated
    return Document(
        where,
        {"title": title.text, "body": body, **_fields(metadata)},
        path=path,
        picks=picks,
        previous=Pick(previous) if previous else None,
        next=Pick(following) if following else None,
        canonical=metadata.canonical,
        kind=metadata.kind,
        left_out=_left_out(metadata, path),
        title_found_in=title.found_in,
        other_title=title.other,
        headings=headings,
        is_listing=metadata.listing,
        is_filed=bool(_classes(tree) & LISTING_CLASSES),
        remarks=metadata.remarks,
    )


def _base(tree: LexborHTMLParser, path: str) -> str:
    """What the page says its addresses are relative to; empty if it says nothing of use."""
    node = tree.css_first("base[href]")
    address = (node.attributes.get("href") or "").strip() if node is not None else ""
    return (joined(f"/{path}", address) or "") if address and not address_fault(address) else ""


def _seen_from(base: str, address: str | None) -> str | None:
    return joined(base, address) or address if address else address


def text_in(markup: str, *, where: str) -> str:
    """The text of a piece of HTML, its lines as paragraphs; text that is no HTML as it is."""
    return fragment(markup, where=where)[0] if looks_like_html(markup) else markup


def fragment(markup: str, *, where: str) -> tuple[str, tuple[Pick, ...], str | None]:
    """Of a piece of HTML, as feeds and exports hold it: the text, the related links that stand in
    it, and the address of the first picture.
    """
    tree = parsed(markup, where=where)
    picture = tree.css_first("img[src]")
    picks = take_list(tree, "", where)
    lines = [line.text for line in lines_of([tree.body] if tree.body else [])]
    image = picture.attributes.get("src") if picture is not None else None
    return "\n\n".join(lines), picks, image


def _left_out(metadata: Metadata, path: str) -> str | None:
    """Why a page is no article by its own account, or by what servers call it."""
    if metadata.leads_to and not _is_itself(metadata, path):
        return "a page that leads to another"
    if metadata.noindex:
        return "a page that is not to be indexed (noindex)"
    if OF_ERRORS.match(path):
        return "a page for errors"
    return None


def _is_itself(metadata: Metadata, path: str) -> bool:
    """Whether the page that readers are sent to is the page itself: news are loaded anew."""
    target = metadata.leads_to or ""
    if metadata.canonical and url_key(target) == url_key(metadata.canonical):
        return True
    return target.rstrip("/").rpartition("/")[2] in ("", path.rpartition("/")[2])


def plain_fields(
    fields: Mapping[str, Any], *, where: str
) -> tuple[dict[str, Any], tuple[Pick, ...]]:
    """The fields of a record with text where they hold HTML: ``html`` or a ``body`` written as
    such, which may also have a picture and links to related articles; these come second, unless
    the record has a list of its own. ``ArticleError`` if the HTML is built to take minutes.
    """
    plain = dict(fields)
    picks: tuple[Pick, ...] = ()
    markup, body = plain.pop("html", None), plain.get("body")
    if not markup and isinstance(body, str) and looks_like_html(body):
        markup = body
    if isinstance(markup, str) and markup:
        plain["body"], picks, image = fragment(markup, where=where)
        plain["image"] = plain.get("image") or image
    elif isinstance(body, str):
        plain["body"] = unescaped(body)
    for name in ("title", "teaser"):
        if isinstance(value := plain.get(name), str):
            plain[name] = flat_text(value)
    return plain, () if plain.get("recommended") else picks


def flat_text(markup: str) -> str:
    """A line as text: without elements, if it has such, and with entities as what they stand for.

    >>> flat_text("Salt &amp; <em>pepper</em>"), flat_text("<p> and <div>: when to use which")
    ('Salt & pepper', '<p> and <div>: when to use which')
    """
    # "The <b> element" is a title about one.
    bare = INLINE_TAG.sub("", markup) if "</" in markup or "<br" in markup.lower() else markup
    return " ".join(unescaped(bare).split())


def _classes(tree: LexborHTMLParser) -> set[str]:
    return set((tree.body.attributes.get("class") or "").split()) if tree.body else set()


def _fields(metadata: Metadata) -> Mapping[str, Any]:
    """What the page says of itself, as the fields of a record."""
    return {
        "teaser": metadata.description,
        "category": metadata.category,
        "tags": list(metadata.tags),
        "published_at": metadata.published,
        "updated_at": metadata.updated,
        "language": metadata.language,
        "author": metadata.author,
        "image": metadata.image,
    }


def _without_title(lines: list[str], title: str) -> str:
    """The text below the title: what stands above it is none of it."""
    if title in lines:
        below = lines[lines.index(title) + 1 :]
        if sum(map(len, below)) * 2 >= sum(map(len, lines)) - len(title):
            lines = below
        else:  # the title stands at the end, or in the middle of a page of its own order
            lines = [line for line in lines if line != title]
    while lines and lines[0] == title:
        lines = lines[1:]
    return "\n\n".join(line for line in lines if not line.startswith((PREVIOUS, NEXT)))


def _beside(tree: LexborHTMLParser) -> tuple[str | None, str | None]:
    """Titles of the article before and after: lines that begin with ``<<:`` and ``>>:``."""
    found: dict[str, str] = {}
    for line in lines_of([tree.body] if tree.body else []):
        if line.text.startswith((PREVIOUS, NEXT)):
            found.setdefault(line.text[:3], line.text[3:].strip())
    return found.get(PREVIOUS) or None, found.get(NEXT) or None
