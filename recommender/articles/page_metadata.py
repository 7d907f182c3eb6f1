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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recommender.articles.html_text import looks_like_html, unescaped

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

# Types of schema.org that are an article, the surest first; "WebPage" says of every page that it
# is one, and has the dates where nothing else has.
ARTICLES = (
    "article", "newsarticle", "blogposting", "reportagenewsarticle", "opinionnewsarticle",
    "analysisnewsarticle", "reviewnewsarticle", "techarticle", "scholarlyarticle",
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
    "time[pubdate]", "header time[datetime]", "article time[datetime]",
)  # fmt: skip
# Of one page; a crowd of them is no description of an article.
MAX_SCRIPTS = 50
MAX_TAGS = 50


@dataclass(frozen=True, slots=True)
class Metadata:
    """``titles`` are pairs of a title and where it stands, the surest first; ``sites`` are names
    of the site, not of the page. ``kind`` is ``og:type``. ``listing`` is true of a page that
    calls itself a collection of others; one that ``leads_elsewhere`` sends its readers there at
    once. ``remarks`` are what could not be read.
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
    leads_elsewhere: bool = False
    listing: bool = False
    remarks: tuple[str, ...] = field(default=())


def metadata_of(tree: LexborHTMLParser) -> Metadata:
    """Read what the page says of itself; what is not there is empty."""
    metas = _metas(tree)
    objects, remarks = _objects(tree)
    main = _main_object(objects)
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
    canonical = tree.css_first('link[rel~="canonical"]')
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
        updated=_text(main.get("dateModified")) or meta(UPDATED),
        category=next(iter(_several(main.get("articleSection"), cut="")), None)
        or meta(SECTION)
        or _crumb(objects)
        or _linked(tree, 'a[rel~="category"]'),
        tags=tuple(dict.fromkeys(tags or _all_linked(tree)))[:MAX_TAGS],
        image=_address(main.get("image")) or meta(IMAGE) or _address(main.get("thumbnailUrl")),
        author=_name(main.get("author")) or author,
        description=meta(DESCRIPTION) or _text(main.get("description")) or None,
        language=(root.attributes.get("lang") or None if root else None)
        or _text(main.get("inLanguage"))
        or meta(LANGUAGE),
        canonical=(canonical.attributes.get("href") or None if canonical else None)
        or meta(("og:url",)),
        kind=(meta(("og:type",)) or "").lower() or None,
        body=_body(question),
        noindex=any(
            "noindex" in value.lower() or value.lower() == "none"
            for name in ("robots", "googlebot")
            for value in metas.get(name, ())
        ),
        leads_elsewhere=any("url=" in value.lower() for value in metas.get("refresh", ())),
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
            objects.extend(_flat(json.loads(text, strict=False)))
        except (ValueError, RecursionError) as exc:
            remarks.append(f"JSON-LD that cannot be read: {str(exc)[:80]}; left out")
    return objects, remarks


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
    # In WordPress categories are tags as well.
    own = [each for each in nodes if "category" not in (each.attributes.get("rel") or "").split()]
    return [text.lstrip("#") for node in own if (text := " ".join(node.text(deep=True).split()))]


def _shown_date(tree: LexborHTMLParser) -> str | None:
    for selector in DATE_ELEMENTS:
        node = tree.css_first(selector)
        if node is not None:
            given = node.attributes.get("datetime") or node.attributes.get("content")
            if given and given.strip():
                return given.strip()
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
