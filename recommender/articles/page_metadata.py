"""What a page says of itself to machines: JSON-LD (schema.org), Open Graph, meta elements.

>>> from recommender.articles.html_text import parsed
>>> page = '''<title>Knee | Our site</title><meta property="og:site_name" content="Our site">
...     <script type="application/ld+json">{"@type": "Article", "headline": "Knee",
...     "datePublished": "2026-11-22", "author": {"name": "Jo"}}</script>'''
>>> found = metadata_of(parsed(page, where="knee.html"))
>>> found.titles, found.published, found.author, found.sites
((('Knee', 'JSON-LD'),), '2026-11-22', 'Jo', ('Our site',))
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from recommender.articles.article import title_key
from recommender.articles.html_text import looks_like_html, text_of, unescaped
from recommender.articles.related_lists import ancestors, names_of

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

# Types of schema.org that are an article, the surest first; "WebPage" says of every page that it
# is one, and has the dates where nothing else has.
ARTICLES = (
    "article", "newsarticle", "blogposting", "reportagenewsarticle", "opinionnewsarticle",
    "analysisnewsarticle", "reviewnewsarticle", "backgroundnewsarticle", "askpublicnewsarticle",
    "satiricalarticle", "advertisercontentarticle", "liveblogposting", "techarticle",
    "scholarlyarticle",
    "medicalscholarlyarticle", "socialmediaposting", "discussionforumposting", "report",
    "question", "recipe", "howto", "review", "course", "faqpage", "qapage", "medicalwebpage",
    "itempage", "aboutpage", "webpage",
)  # fmt: skip
LISTINGS = ("collectionpage", "profilepage", "searchresultspage", "blog")
# Elements that name a thing, in the order in which they are believed.
TITLE = ("og:title", "twitter:title", "citation_title", "dc.title", "dcterms.title",
         "parsely-title", "sailthru.title")  # fmt: skip
PUBLISHED = ("article:published_time", "og:article:published_time", "citation_publication_date",
             "citation_date", "dc.date.issued", "dcterms.created", "dcterms.issued", "dc.date",
             "dcterms.date", "parsely-pub-date", "sailthru.date", "datepublished", "pubdate",
             "publish-date", "publishdate", "date")  # fmt: skip
UPDATED = ("article:modified_time", "og:article:modified_time", "og:updated_time",
           "dcterms.modified", "datemodified", "last-modified", "lastmod")  # fmt: skip
SECTION = ("article:section", "og:article:section", "parsely-section", "cxenseparse:category")
TAGS = ("article:tag", "og:article:tag", "parsely-tags", "news_keywords", "keywords")
IMAGE = ("og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src",
         "thumbnail")  # fmt: skip
AUTHOR = ("author", "citation_author", "dc.creator", "dcterms.creator", "parsely-author",
          "article:author", "og:article:author")  # fmt: skip
DESCRIPTION = ("og:description", "description", "twitter:description", "dc.description",
               "dcterms.description", "sailthru.description")  # fmt: skip
LANGUAGE = ("og:locale", "content-language", "dc.language", "dcterms.language", "language")
# Where the page itself shows its dates, when nothing else states them.
DATE_ELEMENTS = (
    '[itemprop="datePublished"]', "time.entry-date", "time.published", "time.dt-published",
    ".dt-published", "abbr.published", "time[pubdate]", "header time[datetime]",
    "article time[datetime]",
)  # fmt: skip
UPDATE_ELEMENTS = ('[itemprop="dateModified"]', ".dt-updated", "time.updated", "abbr.updated")
# ... and its author, picture and address, by microdata and microformats.
AUTHOR_ELEMENTS = (
    '[itemprop="author"] [itemprop="name"]', ".p-author", ".author.vcard .fn", ".vcard.author .fn",
    'a[rel~="author"]', ".byline .author", ".author-name",
)  # fmt: skip
IMAGE_ELEMENTS = (
    '[itemprop="image"]', 'link[rel="image_src"]', ".u-photo", "img.wp-post-image",
    "article figure img", "main figure img", '[itemprop="articleBody"] img', ".e-content img",
    ".entry-content img", "article img", "main img",
)  # fmt: skip
CANONICAL_ELEMENTS = ('link[rel~="canonical"]', "a.p-canonical")
SECTION_ELEMENTS = ('[itemprop="articleSection"]', '[itemprop="genre"]')
TRAILS = (
    '[itemtype*="schema.org/BreadcrumbList"], [aria-label="breadcrumb" i], '
    '[aria-label="breadcrumbs" i], .breadcrumb, .breadcrumbs, #breadcrumb, #breadcrumbs, '
    ".breadcrumb-trail, .rank-math-breadcrumb"
)
# Elements that hold what an article is filed under, and those that hold nothing of it.
TAGGED = re.compile(r"(?:^|-)(?:tags?|labels|keywords)(?:-|$)")
FILED = re.compile(r"(?:^|-)(?:categor(?:y|ies)|cat-links)(?:-|$)")
TAG_PATH = re.compile(r"(?:^|/)(?:tags?|labels?|keywords?|topics?)[/?#=]")
NOT_OWN = re.compile(
    r"(?:^|-)(?:comments?|sidebar|related|recommended|recent|popular|cloud|menu|widget|avatar|logo|"
    r"icon|emoji|bio|author-(?:box|card|bio|image|avatar)|byline|share|sharing|cards?|teasers?|"
    r"listing)(?:-|$)"
)
OUTSIDE = {"aside", "footer", "nav"}
# Characters of a name; what is longer says something about it. A picture is at least so wide.
MAX_NAME = 80
MIN_WIDTH = 100
MAX_LOOKED_AT = 20
# Of one page; a crowd of them is no description of an article.
MAX_SCRIPTS = 50
MAX_NESTED = 100
MAX_TAGS = 50
# Seconds until readers are sent elsewhere, who are not to read the page then.
AT_ONCE = 5
REFRESH = re.compile(
    r"""\s*(\d{1,6}(?:\.\d{1,3})?)\s*[;,\s]\s*(?:url\s*=\s*)?["']?([^"'\s]+)""", re.I
)


@dataclass(frozen=True, slots=True)
class Metadata:
    """``titles`` are pairs of a title and where it stands, the surest first; ``sites`` are names
    of the site, not of the page. ``kind`` is ``og:type``. ``listing`` is true of a page that
    calls itself a collection of others; ``leads_to`` is where one sends its readers at once.
    ``remarks`` are what could not be read.
    """

    titles: tuple[tuple[str, str], ...] = ()
    sites: tuple[str, ...] = ()
    published: str | None = None
    updated: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    image: str | None = None
    author: str | None = None
    description: str | None = None
    language: str | None = None
    canonical: str | None = None
    kind: str | None = None
    body: str = ""
    noindex: bool = False
    leads_to: str | None = None
    listing: bool = False
    remarks: tuple[str, ...] = field(default=())


def metadata_of(tree: LexborHTMLParser) -> Metadata:
    """Read what the page says of itself; what is not there is empty."""
    metas = _metas(tree)
    objects, remarks = _objects(tree)
    main = _with_references(_main_object(objects), objects)
    entity = main.get("mainEntity")
    question = entity if isinstance(entity, dict) and _types(entity) == ["question"] else main

    def meta(names: Iterable[str]) -> str | None:
        return next((value for name in names for value in metas.get(name, ())), None)

    titles = [
        (title, "JSON-LD")
        for value in (question.get("headline"), question.get("name"), main.get("headline"))
        if (title := _text(value))
    ]
    titles += [(value, name) for name in TITLE for value in metas.get(name, ())]
    root = tree.css_first("html")
    sites = [*metas.get("og:site_name", ()), *metas.get("application-name", ())]
    sites += [_name(each) for each in objects if "website" in _types(each)]
    sites += [_name(main.get(name)) for name in ("publisher", "isPartOf")]
    author = next(
        (each for name in AUTHOR for each in metas.get(name, ()) if "://" not in each), None
    )
    tags = _several(main.get("keywords")) or [
        tag for name in TAGS for value in metas.get(name, ()) for tag in _several(value)
    ]
    return Metadata(
        titles=tuple(dict.fromkeys(titles)),
        sites=tuple(dict.fromkeys(filter(None, sites))),
        published=_text(main.get("datePublished")) or meta(PUBLISHED) or _shown_date(tree),
        updated=_text(main.get("dateModified"))
        or meta(UPDATED)
        or _shown_date(tree, UPDATE_ELEMENTS),
        category=next(iter(_several(main.get("articleSection"), cut="")), None)
        or meta(SECTION)
        or next(iter(_several(main.get("recipeCategory"))), None)
        or _shown_name(tree, SECTION_ELEMENTS)
        or _crumb(objects)
        or _linked(tree, 'a[rel~="category"]')
        or next(iter(_filed(tree, FILED)), None)
        or _trail(tree, [title for title, _ in titles]),
        tags=tuple(dict.fromkeys(tags or _all_linked(tree)))[:MAX_TAGS],
        image=_address(main.get("image")) or meta(IMAGE) or _address(main.get("thumbnailUrl")),
        author=_name(main.get("author"))
        or _shown_name(tree, AUTHOR_ELEMENTS[:1])
        or author
        or _shown_name(tree, AUTHOR_ELEMENTS[1:]),
        description=meta(DESCRIPTION)
        or _text(main.get("description"))
        or _shown_text(tree, ".p-summary"),
        language=(root.attributes.get("lang") or None if root else None)
        or _text(main.get("inLanguage"))
        or meta(LANGUAGE),
        canonical=_canonical(tree) or meta(("og:url",)) or _own_address(main),
        kind=(meta(("og:type",)) or "").lower() or None,
        body=_body(question) or _questions(main),
        noindex=any(
            "noindex" in value.lower() or value.lower() == "none"
            for name in ("robots", "googlebot")
            for value in metas.get(name, ())
        ),
        leads_to=_refresh(tree),
        listing=_is_listing(objects),
        remarks=tuple(remarks),
    )


def _metas(tree: LexborHTMLParser) -> dict[str, list[str]]:
    """The contents of meta elements, by their names in small letters."""
    found: dict[str, list[str]] = {}
    for node in tree.css("meta[content]"):
        content = " ".join((node.attributes.get("content") or "").split())
        names = (node.attributes.get(key) for key in ("property", "name", "itemprop", "http-equiv"))
        for name in {name.strip().lower() for name in names if name}:
            if content:
                found.setdefault(name, []).append(unescaped(content))
    return found


def _objects(tree: LexborHTMLParser) -> tuple[list[dict[str, Any]], list[str]]:
    """The objects of schema.org on the page, and what could not be read of them."""
    objects: list[dict[str, Any]] = []
    remarks = []
    for node in tree.css('script[type="application/ld+json" i]')[:MAX_SCRIPTS]:
        text = node.text(deep=True).strip().removeprefix("<!--").removesuffix("-->")
        text = text.strip().removeprefix("//<![CDATA[").removesuffix("//]]>").strip(" \t\r\n;")
        if not text:
            continue
        try:
            value = json.loads(text, strict=False)
            _check_nesting(value)
            objects.extend(_flat(value))
        except (ValueError, RecursionError) as exc:
            remarks.append(f"JSON-LD that cannot be read: {str(exc)[:80]}; left out")
    return objects, remarks


def _check_nesting(value: Any) -> None:
    """``ValueError`` for what no author writes, and no function that calls itself can read."""
    level = [value]
    for _ in range(MAX_NESTED):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise ValueError(f"more than {MAX_NESTED} values stand in one another")


def _flat(value: Any) -> Iterator[dict[str, Any]]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):
            yield each
            graph = each.get("@graph")
            if isinstance(graph, list):
                yield from (part for part in graph if isinstance(part, dict))


def _types(value: dict[str, Any]) -> list[str]:
    types = value.get("@type")
    names = types if isinstance(types, list) else [types]
    return [name.rpartition("/")[2].lower() for name in names if isinstance(name, str)]


def _main_object(objects: list[dict[str, Any]]) -> dict[str, Any]:
    ranked = [
        (ARTICLES.index(name), at)
        for at, each in enumerate(objects)
        for name in _types(each)
        if name in ARTICLES
    ]
    return objects[min(ranked)[1]] if ranked else {}


def _with_references(main: dict[str, Any], objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The object with what it names by ``@id`` alone, where that is on the page."""
    by_id = {each["@id"]: each for each in objects if isinstance(each.get("@id"), str)}

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(each) for each in value]
        if isinstance(value, dict) and not {"name", "url", "contentUrl"} & value.keys():
            name = value.get("@id")
            return by_id.get(name, value) if isinstance(name, str) else value
        return value

    return {
        name: resolved(value) if name in ("author", "image", "publisher", "isPartOf") else value
        for name, value in main.items()
    }


def _own_address(main: dict[str, Any]) -> str | None:
    """Where the article says it is the main thing; not the home page, which some name here."""
    for value in (main.get("mainEntityOfPage"), main.get("url")):
        address = value.get("@id") or value.get("url") if isinstance(value, dict) else value
        if isinstance(address, str) and address.startswith(("http://", "https://")):
            try:
                path = urlsplit(address).path
            except ValueError:
                continue
            if path.strip("/"):
                return address.partition("#")[0]
    return None


def _is_listing(objects: list[dict[str, Any]]) -> bool:
    names = {name for each in objects for name in _types(each)}
    return bool(names & set(LISTINGS)) and not names & set(ARTICLES[:-2])


def _text(value: Any) -> str:
    """A text, that of the first of several, or that of an object with a name or value."""
    if isinstance(value, list):
        value = next(iter(value), None)
    if isinstance(value, dict):
        value = value.get("@value") or value.get("alternateName") or value.get("name")
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return " ".join(unescaped(value).split()) if isinstance(value, str) else ""


def _name(value: Any) -> str:
    """The name of a person or an organisation, or the names of several."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_name, value[:5])))
    name = value.get("name") if isinstance(value, dict) else value
    text = _text(name)
    return "" if "://" in text else text


def _several(value: Any, *, cut: str = ",") -> list[str]:
    """The entries of a list, or of a text with commas."""
    if isinstance(value, str):
        value = value.split(cut) if cut else [value]
    entries = value if isinstance(value, list) else [value]
    return [text for each in entries if (text := _text(each)) and "://" not in text]


def _address(value: Any) -> str | None:
    if isinstance(value, list):
        value = next(iter(value), None)
    if isinstance(value, dict):
        value = value.get("url") or value.get("contentUrl") or value.get("@id")
    return (value.strip() or None) if isinstance(value, str) else None


def _crumb(objects: list[dict[str, Any]]) -> str | None:
    """The section above the page in its trail of breadcrumbs, the home page aside."""
    for each in objects:
        entries = each.get("itemListElement")
        if "breadcrumblist" in _types(each) and isinstance(entries, list) and len(entries) > 2:
            entry = entries[-2]
            if isinstance(entry, dict):
                return _text(entry.get("name")) or _text(entry.get("item")) or None
    return None


def _linked(tree: LexborHTMLParser, selector: str) -> str | None:
    node = tree.css_first(selector)
    return (" ".join(node.text(deep=True).split()) or None) if node else None


def _all_linked(tree: LexborHTMLParser) -> list[str]:
    nodes = tree.css('a[rel~="tag"]')
    if not nodes:
        return [text.lstrip("#") for text in _filed(tree, TAGGED, TAG_PATH)]
    # In WordPress categories are tags as well.
    own = [each for each in nodes if "category" not in (each.attributes.get("rel") or "").split()]
    return [text.lstrip("#") for node in own if (text := " ".join(node.text(deep=True).split()))]


def _filed(
    tree: LexborHTMLParser, names: re.Pattern[str], path: re.Pattern[str] | None = None
) -> list[str]:
    """What links in elements of such names say; with a ``path`` of links that lead there."""
    found = []
    are_meant: dict[int, bool] = {}
    for link in tree.css("a[href]")[:MAX_FILED]:
        if path is not None and not path.search(link.attributes.get("href") or ""):
            continue
        # Further out are the names of pages and columns.
        around = [link, *_first(ancestors(link), 4)]
        holder = next(
            (
                node
                for node in around
                if node.tag not in ("body", "main", "article", "section")
                and any(map(names.search, names_of(node)))
            ),
            None,
        )
        if holder is None:
            continue
        if holder.mem_id not in are_meant:
            is_line = not any(n == MAX_PARTS for n, _ in enumerate(holder.traverse()))
            is_line = is_line and len(text_of(holder)) <= MAX_FILED_UNDER
            are_meant[holder.mem_id] = is_line and _is_own(holder)
        if are_meant[holder.mem_id] and 0 < len(text := text_of(link)) <= MAX_NAME:
            found.append(text)
    return found


# Menus may be long, and stand first. What an article is filed under is a line; a longer element is
# the whole page, as themes call it that is filed so.
MAX_FILED, MAX_FILED_UNDER, MAX_PARTS = 1_000, 300, 300


def _first(nodes: Iterable[LexborNode], n: int) -> list[LexborNode]:
    return [node for node, _ in zip(nodes, range(n), strict=False)]


def _is_own(node: LexborNode) -> bool:
    """Whether it stands in the page's own article, as far as names and kinds of elements say."""
    for at, each in enumerate((node, *ancestors(node))):
        if each.tag in ("body", "html", "main"):
            return True
        is_outside = each.tag in OUTSIDE and (at or each.tag != "nav")  # tags may be a menu
        if is_outside and not any(above.tag == "article" for above in ancestors(each)):
            return False
        if each.tag != "article" and any(map(NOT_OWN.search, names_of(each))):
            return False
        if "Comment" in (each.attributes.get("itemtype") or ""):
            return False
    return True


def _trail(tree: LexborHTMLParser, titles: list[str]) -> str | None:
    """The section above the page in the trail that it shows: neither the first entry, which is the
    home page, nor the page itself.
    """
    own = {title_key(title) for title in titles}
    own |= {title_key(text_of(node)) for node in tree.css("h1")[:MAX_LOOKED_AT]}
    for node in tree.css(TRAILS)[:3]:
        nodes = node.css("li") or node.css("a[href]")
        entries = [
            text.strip(" /›»>·|")
            for each in nodes[:MAX_LOOKED_AT]
            if not any("aside" in name for name in names_of(each)) and (text := text_of(each))
        ]
        # "You are here:" is no place.
        entries = [text for text in entries if text and not text.endswith(":")][1:]
        entries = [text for text in entries if title_key(text) not in own and len(text) <= MAX_NAME]
        if entries:
            return entries[-1]
    return None


def _canonical(tree: LexborHTMLParser) -> str | None:
    for selector in CANONICAL_ELEMENTS:
        node = tree.css_first(selector)
        if node is not None and (address := (node.attributes.get("href") or "").strip()):
            return address
    return None


def _shown_date(tree: LexborHTMLParser, selectors: Iterable[str] = DATE_ELEMENTS) -> str | None:
    for selector in selectors:
        node = tree.css_first(selector)
        if node is not None:
            given = next(
                filter(None, map(node.attributes.get, ("datetime", "content", "title"))), ""
            )
            # A title may be a date in words, a time without its day is none.
            if re.match(r"\s*\d{4}", given):
                return given.strip()
    return None


def _shown_name(tree: LexborHTMLParser, selectors: Iterable[str]) -> str | None:
    for selector in selectors:
        for node in tree.css(selector)[:MAX_LOOKED_AT]:
            text = node.attributes.get("content") or text_of(node)
            inside = any(
                "Comment" in (each.attributes.get("itemtype") or "") for each in ancestors(node)
            )
            if 0 < len(text) <= MAX_NAME and "://" not in text and not inside:
                return text
    return None


def _shown_text(tree: LexborHTMLParser, selector: str) -> str | None:
    node = tree.css_first(selector)
    return (text_of(node) or None) if node is not None else None


def shown_image(tree: LexborHTMLParser) -> str | None:
    """The address of the picture that the page shows first in its article."""
    for selector in IMAGE_ELEMENTS:
        for node in tree.css(selector)[:MAX_LOOKED_AT]:
            given = next(
                filter(None, map(node.attributes.get, ("src", "href", "content", "data-src"))), ""
            ).strip()
            width = node.attributes.get("width") or ""
            is_small = width.isdigit() and int(width) < MIN_WIDTH
            if given and not is_small and not given.startswith("data:") and _is_own(node):
                return given.partition("#")[0] or None
    return None


def _questions(main: dict[str, Any]) -> str:
    """The questions of a page of them with their answers."""
    entries = main.get("mainEntity")
    parts = []
    for each in entries if isinstance(entries, list) else []:
        if isinstance(each, dict) and _types(each) == ["question"]:
            parts += [_text(each.get("name")), _body(each)]
    return "\n\n".join(filter(None, parts))


def _refresh(tree: LexborHTMLParser) -> str | None:
    """Where the page sends its readers within some seconds; not those without scripts alone."""
    for node in tree.css("meta[http-equiv][content]"):
        found = REFRESH.match(node.attributes.get("content") or "")
        is_refresh = (node.attributes.get("http-equiv") or "").strip().lower() == "refresh"
        if not is_refresh or not found or float(found[1]) > AT_ONCE:
            continue
        if not any(above.tag == "noscript" for above in ancestors(node)):
            return found[2]
    return None


def _body(main: dict[str, Any]) -> str:
    """The text of the article where JSON-LD holds it, questions with their answers."""
    answers = main.get("acceptedAnswer") or main.get("suggestedAnswer")
    entries = answers if isinstance(answers, list) else [answers]
    parts = [main.get("articleBody") or main.get("text")]
    parts += [each.get("text") for each in entries if isinstance(each, dict)]
    return "\n\n".join(
        part if looks_like_html(part) else unescaped(part)
        for part in parts
        if isinstance(part, str) and part.strip()
    )
