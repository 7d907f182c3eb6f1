"""The title of a page, which is often not its first heading: that may be the name of the site.

>>> from recommender.articles.html_text import parsed
>>> from recommender.articles.page_metadata import metadata_of
>>> tree = parsed('''<title>Knee | Our site</title><h1><a href="/">Our site</a></h1>
...     <h2>Knee</h2>''', where="knee.html")
>>> title_of(tree, metadata_of(tree), "", "knee.html")[:2]
('Knee', 'h2')
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from recommender.articles.addresses import HOST, joined
from recommender.articles.article import title_key
from recommender.articles.html_text import select, text_of
from recommender.articles.linking import bare_path
from recommender.articles.page_metadata import Metadata
from recommender.articles.related_lists import ancestors, names_of
from recommender.errors import ArticleError

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

# What stands between the page's title and the site's name.
SEPARATOR = re.compile(r"\s+[|·•–—―»«›‹/:]+\s+|\s+-+\s+|\s*[|»«]\s*|\s+::\s+|\s*[｜＿－]\s*")
# Elements that hold the site's name, as themes call them.
SITE = re.compile(r"(?:^|-)(?:site-?(?:title|name|logo|branding)|logo|brand|blog-?title|masthead)$")
MAX_HEADINGS = 200
# Titles that a page states, the surest first; it has one for each network, not a crowd.
MAX_STATED = 10
# Two titles with this share of their words in common are one; not tuned.
SAME = 0.5


class Title(NamedTuple):
    """The title, where it was found, the element it stands in, and the title that ``<title>``
    gives, for sites on which the first is everywhere the same.
    """

    text: str
    found_in: str
    node: LexborNode | None
    other: str = ""


def title_of(
    tree: LexborHTMLParser,
    metadata: Metadata,
    selector: str,
    where: str,
    *,
    path: str = "",
    base: str = "",
) -> Title:
    """The page's title: what the ``selector`` means, else the heading that agrees with what the
    page says of itself, else that. ``ArticleError`` if there is none. ``path`` is the page's own,
    ``base`` is what its links are relative to if it names such an address.
    """
    if selector:
        for node in select(tree, selector, where):
            if text := text_of(node):
                return Title(text, selector, node)
        raise ArticleError(f"{where}: field title: no {selector} with text")
    bases = [base] if base else [f"/{path}", metadata.canonical or ""]
    leads_home = partial(_leads_home, path=path, bases=bases)
    headings = [
        (text, node)
        for node in tree.css("h1, h2, h3")[:MAX_HEADINGS]
        if (text := text_of(node)) and not _is_of_site(node, leads_home)
    ]
    sites = {title_key(name) for name in (*metadata.sites, *_home_links(tree, leads_home))} - {""}
    whole = _whole_title(tree)
    named = [
        (text, where)
        for text, where in metadata.titles[:MAX_STATED]
        if title_key(text) not in sites
    ]
    stated = [(_without_site(text, sites), where) for text, where in named]
    document = _without_site(whole, sites)
    if document and title_key(document) not in sites:
        stated.append((document, "title"))
    by_key = {title_key(text): (text, node) for text, node in reversed(headings)}
    for text, _ in stated:
        if same := by_key.get(title_key(text)):
            return Title(same[0], same[1].tag or "h1", same[1], document)
    first = [(text, node) for text, node in headings if node.tag == "h1"]
    own = [(text, node) for text, node in first if title_key(text) not in sites]
    for text, node in own:
        if not stated or any(_alike(text, other) for other, _ in stated):
            return Title(text, "h1", node, document)
    parts = {title_key(part) for part in SEPARATOR.split(whole)}
    for text, node in headings:  # one part of <title> is the page's, the other the site's
        if node.tag != "h1" and title_key(text) in parts - sites:
            return Title(text, node.tag or "h2", node, document)
    # A heading that says other things than <title>, which may be the site's.
    if own and not named:
        return Title(own[0][0], "h1", own[0][1], document)
    for text, found_in in (*stated, *((text, "h1") for text, _ in (*own, *first))):
        if text:
            return Title(text, found_in, None, document)
    raise ArticleError(f"{where}: field title: no h1 or title with text")


def common_part(titles: Iterable[str]) -> str:
    """The part that ends or begins nearly all ``titles``: the site's name; empty if none does.

    >>> common_part(["Knee | Our site", "Hip | Our site", "Foot - Our site", "About us"])
    'Our site'
    """
    counts: dict[str, int] = {}
    n_titles = 0
    for title in titles:
        n_titles += 1
        parts = [part.strip() for part in SEPARATOR.split(title)]
        for part in {parts[0], parts[-1]} if len(parts) > 1 else ():
            counts[part] = counts.get(part, 0) + 1
    best = max(counts, key=counts.__getitem__, default="")
    return best if n_titles >= MIN_TITLES and counts.get(best, 0) >= MOST_TITLES * n_titles else ""


# Fewer titles have no part in common but by chance; the share not tuned.
MIN_TITLES, MOST_TITLES = 3, 0.6


def without_part(title: str, part: str) -> str:
    """The title without that part of it, if it is one.

    >>> without_part("Knee | Our site", "Our site"), without_part("Our site", "Our site")
    ('Knee', 'Our site')
    """
    return _without_site(title, {title_key(part)}) if part else title


def _whole_title(tree: LexborHTMLParser) -> str:
    # Drawings have titles too.
    node = tree.css_first("head > title") or tree.css_first("title")
    return " ".join(node.text(deep=True).split()) if node is not None else ""


def _without_site(title: str, sites: set[str]) -> str:
    """The title without parts at its ends that are names of the site; whole if nothing is left."""
    cuts = [match.span() for match in SEPARATOR.finditer(title)]
    begin, end = 0, len(title)
    for start, stop in reversed(cuts):
        if title_key(title[stop:end]) not in sites:
            break
        end = start
    for start, stop in cuts:
        if start >= end or title_key(title[begin:start]) not in sites:
            break
        begin = stop
    kept = title[begin:end].strip()
    return kept if kept and title_key(kept) not in sites else title


def _is_of_site(heading: LexborNode, leads_home: Callable[[LexborNode], bool]) -> bool:
    """Whether the heading is the site's: it leads home, or is named so."""
    if any(map(SITE.search, names_of(heading))):
        return True
    links = heading.css("a[href]") or [
        node for node in ancestors(heading) if node.tag == "a"
    ][:1]  # fmt: skip
    return len(links) == 1 and leads_home(links[0])


def _home_links(tree: LexborHTMLParser, leads_home: Callable[[LexborNode], bool]) -> Iterator[str]:
    """What stands on links to the home page: the site's name, among others."""
    for node in tree.css("a[href]")[:MAX_HEADINGS]:
        if leads_home(node):
            yield text_of(node)
            for image in node.css("img[alt]"):
                yield image.attributes.get("alt") or ""
    for node in tree.css("header [class], header [id], h1, div, p, a, span")[:MAX_HEADINGS]:
        if any(map(SITE.search, names_of(node))):
            yield text_of(node)


def _leads_home(link: LexborNode, *, path: str, bases: Iterable[str]) -> bool:
    """Whether a link leads to the root of the site, or of its folder in a mirror of several, as
    seen from one of the ``bases``; that of a page to itself never does.
    """
    href = (link.attributes.get("href") or "").strip()
    if not href or href[0] in "#?" or "bookmark" in (link.attributes.get("rel") or "").split():
        return False
    parts = [urlsplit(each) for base in bases if (each := joined(base, href)) is not None]
    places = [
        bare_path(each.path)
        for each in parts
        if not each.query and each.scheme in ("", "http", "https")
    ]
    is_relative = not href.startswith(("/", "..")) and "://" not in href
    if path and is_relative and places[:1] == [bare_path(path)]:
        return False
    host, slash, _ = path.partition("/")
    return "" in places or bool(slash and HOST.fullmatch(host) and host in places)


def _alike(text: str, other: str) -> bool:
    words, others = set(text.casefold().split()), set(other.casefold().split())
    return len(words & others) >= SAME * min(len(words), len(others))
