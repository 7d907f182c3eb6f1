"""Articles as Markdown with fields at their head, one file an article: of Hugo, Jekyll, Eleventy,
Docusaurus, Astro, MkDocs, Hexo, Zola, Obsidian and the like.

Generators agree on little, so the fields are read under all their usual names. What belongs to a
generator and not to the text is taken out before the text is rendered: shortcodes, templates,
components, marks of admonitions. A page without a text of its own is a list or a template.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from recommender.articles.article import title_key
from recommender.articles.document import Document, LeftOut, Pick
from recommender.articles.formats import front_matter
from recommender.articles.formats.base import (
    Found,
    Head,
    below,
    category_and_tags,
    ending_of,
    kept,
    names_of,
    plain,
    readable,
    text_of,
)
from recommender.articles.formats.markdown_text import render
from recommender.articles.language import OTHER_CODES
from recommender.errors import InputError
from recommender.files import Problem, decode, read_bytes

ENDINGS = (".md", ".markdown", ".mdx", ".mdown", ".mkd", ".mkdn", ".qmd", ".rmd")
# A book. Rendering takes some seconds for as many.
MAX_CHARACTERS = 1_000_000

# Under which names generators and themes have a field; the first that says something counts.
# A dot leads into a mapping.
TITLES = ("title", "Title", "seo_title", "name")
DATES = (
    "date", "publishDate", "pubDate", "published_at", "publishedAt", "publish_date",
    "published_time", "pubDatetime", "datePublished", "date_published", "publishedDate",
    "publish_at", "posted", "created", "created_at", "createdAt", "Date",
)  # fmt: skip
UPDATES = (
    "lastmod", "last_modified_at", "last_modified", "updated", "updated_at", "updatedAt",
    "updatedDate", "updateDate", "modified", "modified_at", "modDatetime", "dateModified",
    "date_modified", "lastUpdated", "last_update.date", "revision_date",
)  # fmt: skip
TEASERS = (
    "description", "summary", "excerpt", "teaser", "abstract", "lead", "intro", "subtitle", "dek",
    "desc", "meta_description", "metaDescription", "seo.description", "Description", "Summary",
)  # fmt: skip
IMAGES = (
    "image", "images", "cover", "cover_image", "coverImage", "cover.image", "featured_image",
    "featuredImage", "feature_image", "featureImage", "feature", "heroImage", "hero_image", "hero",
    "banner", "thumbnail", "thumb", "og_image", "ogImage", "header.image", "header.teaser",
    "header.og_image", "social_image", "share_image", "preview", "photo", "resources",
    "extra.image", "extra.cover_image", "seo.image", "img",
)  # fmt: skip
OF_IMAGES = ("image", "url", "src", "path", "file", "feature", "teaser", "thumbnail")
AUTHORS = ("author", "authors", "byline", "writer", "extra.author", "Author", "Authors")
LANGUAGES = ("lang", "language", "locale", "Lang")
CATEGORIES = (
    "category", "categories", "taxonomies.categories", "taxonomies.category", "section",
    "Category", "Categories",
)  # fmt: skip
TAGS = (
    "tags", "tag", "taxonomies.tags", "taxonomies.tag", "topics", "keywords", "Tags", "labels",
)  # fmt: skip
PICKS = (
    "related", "related_posts", "related_articles", "related_pages", "relatedPosts",
    "relatedArticles", "recommended", "recommended_posts", "recommendations", "see_also",
    "seeAlso", "seealso", "read_next", "readNext", "further_reading", "extra.related",
)  # fmt: skip
CANONICALS = ("canonical", "canonical_url", "canonicalUrl", "canonicalURL", "seo.canonical")

OF_REPOSITORIES = re.compile(
    r"(?:readme|changelog|changes|contributing|contributors|code_of_conduct|license|licence|"
    r"security|authors|support|governance|(?:pull_request|issue)_template)(?:[._-]\w+)?$",
    re.I,
)
# Folders of generators that hold no pages.
OF_TEMPLATES = {"_includes", "_layouts", "_data", "_sass", "node_modules", "archetypes"}
LISTS = re.compile(
    r"(?:archives?|blog|blog-?index|blog-?list|categor(?:y|ies)|home|index|landing|list|posts|"
    r"search|sitemap|tags?|taxonom(?:y|ies)|terms?|404|redirect(?:ed)?)$",
    re.I,
)
# Folders that say where articles are, not what they are about.
CONTAINERS = {
    "", "_posts", "_drafts", "app", "article", "articles", "blog", "blogs", "content", "contents",
    "current", "data", "doc", "docs", "documents", "en", "entries", "i18n", "notes", "page",
    "pages", "post", "posts", "site", "source", "src", "web", "website",
}  # fmt: skip
DATED = re.compile(r"(\d{4}-\d{1,2}-\d{1,2})[-_ ]+(?=\S)")
DAY = re.compile(r"(?:^|/)((?:19|20)\d\d)[/-](\d\d)[/-](\d\d)[-/](?=[^/]*$)")
NUMBERED = re.compile(r"\d+[-_. ]+(?=\D)")
LANGUAGE = re.compile(r"[a-z]{2}(?:[-_][A-Za-z]{2,4})?$")
CODES = {*OTHER_CODES.values(), "en"}
WIKI = re.compile(r"\[\[([^\]|#]+)[^\]]*\]\]")


def recognises(head: Head) -> bool:
    """Whether it is called as Markdown is, or begins with fields that end; in a text page, whose
    first line may be one of dashes, a title is among them.
    """
    ending = ending_of(head.path)
    if ending in ENDINGS:
        return True
    is_titled = ending != ".txt" or re.search(r"^[Tt]itle *[:=]", head.text, re.M)
    return bool(is_titled) and front_matter.is_front_matter(head.text)


def read(file: Path, root: Path) -> Iterator[Found]:
    """The article of a file, as HTML, or why it is none."""
    where = str(file)
    try:
        text = decode(read_bytes(file), where=where)
    except InputError as exc:
        yield Problem(str(exc))
        return
    if len(text) > MAX_CHARACTERS:
        yield Problem(f"{where}: longer than {MAX_CHARACTERS:,} characters, so it is no article")
        return
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    try:
        matter = front_matter.split(text.lstrip("\n"))
    except ValueError as exc:
        yield Problem(f"{where}:1: {exc}")
        return
    path = below(file, root)
    if reason := _reason(matter.fields, path):
        yield LeftOut(where, reason, _on_site(path), _url(matter.fields, path.split("/")[:-1]))
        return
    try:
        yield _document(matter, where, path)
    except ValueError as exc:
        yield Problem(f"{where}:{matter.line}: {exc}")


def _reason(fields: Mapping[str, Any], path: str) -> str | None:
    """Why a file is no article of the site."""
    *folders, name = path.split("/")
    stem = _stem(name)
    if OF_TEMPLATES & {*folders}:
        return "a template or a part of the generator"
    if stem.startswith("_"):
        return "a listing page" if stem.startswith("_index") else "a part of other pages"
    if not fields and OF_REPOSITORIES.match(stem):
        return "about the repository, not of the site"
    for flag, reason in (("draft", "a draft"), ("unlisted", "unlisted"), ("hidden", "hidden"),
                         ("private", "private"), ("headless", "a part of other pages"),
                         ("noindex", "noindex"), ("no_index", "noindex")):  # fmt: skip
        if _is(fields.get(flag), True):
            return reason
    if "_drafts" in folders:
        return "a draft"
    status = text_of(fields.get("status")).lower()
    if status in ("draft", "hidden", "private", "pending", "future", "unpublished"):
        return "a draft" if status == "draft" else f"status: {status}"
    if any(_is(fields.get(name), False) for name in ("published", "publish")):
        return "not published"
    if _is(fields.get("permalink"), False) or text_of(_at(fields, "build.render")) == "never":
        return "not published"
    if "noindex" in text_of(fields.get("robots")).lower():
        return "noindex"
    layout = text_of(fields.get("layout")).lower()
    if layout.startswith("redirect") or _at(fields, "redirect_to", "redirect"):
        return "a redirect"
    # Some themes have these names for the layout of an article, which has a date.
    is_dated = "_posts" in folders or DATED.match(stem) or _date(fields, DATES)
    if LISTS.match(layout.rpartition("/")[2]) and not is_dated:
        return "a listing page"
    if stem == "404" and len(folders) < 2:
        return "a listing page"
    if stem == "index" and not [folder for folder in folders if folder not in CONTAINERS]:
        return "the front page" if not folders else "a listing page"
    return None


def _document(matter: front_matter.FrontMatter, where: str, path: str) -> Document | LeftOut:
    fields = matter.fields
    *folders, name = path.split("/")
    stem, language = _without_language(_stem(name))
    is_bundle = stem == "index"
    if is_bundle and folders:
        stem = folders.pop()
    written_day = _day_of(stem, folders)
    of_jekyll = "_posts" in folders or fields.get("layout") == "post"
    remarks = list(matter.faults)

    title = " ".join(text_of(_at(fields, *TITLES)).split())
    if ending_of(Path(name)) in ENDINGS:
        heading, html = render(
            matter.body, is_mdx=name.lower().removesuffix(".gz").endswith(".mdx"),
            heading_goes=lambda heading: not title or title_key(heading) == title_key(title),
        )  # fmt: skip
    else:  # HTML with fields at its head
        heading, html = "", matter.body
    teaser = _teaser(fields)
    if not teaser and not plain(html):
        return LeftOut(where, "without a text of its own: a list or a template")
    category, tags = category_and_tags(
        _names(fields, CATEGORIES, cut="" if of_jekyll else ",", words=of_jekyll),
        [tag.lstrip("#") for tag in _names(fields, TAGS, cut=",", words=of_jekyll)],
    )
    url = _url(fields, folders)
    found = {
        "title": title or heading or readable(_without_number(stem)),
        "html": html,
        "teaser": teaser,
        "url": url,
        "category": category or _section(folders),
        "tags": tags,
        "published_at": _date(fields, DATES) or written_day,
        "updated_at": _date(fields, UPDATES),
        "author": ", ".join(dict.fromkeys(names_of(_at(fields, *AUTHORS) or [], cut=""))),
        "image": _image(fields, url, remarks),
        "language": _language(fields, folders, language),
        "sensitive": fields.get("sensitive"),
    }
    return Document(
        where,
        kept(found),
        _on_site(path),
        picks=_picks(fields),
        canonical=text_of(_at(fields, *CANONICALS)) or None,
        remarks=tuple(remarks),
    )


def _at(fields: Mapping[str, Any], *names: str) -> Any:
    """The first of these fields that says something."""
    for name in names:
        value: Any = fields
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value not in (None, "", [], {}):
            return value
    return None


def _is(value: Any, wanted: bool) -> bool:
    """Whether a field is a truth, however it is written."""
    words = ("true", "yes", "on") if wanted else ("false", "no", "off")
    return value is wanted or (isinstance(value, str) and value.strip().lower() in words)


def _stem(name: str) -> str:
    """A file's name without what it ends in."""
    name = name.removesuffix(".gz")
    return name.rpartition(".")[0] or name


def _without_number(stem: str) -> str:
    """``2025-10-18-garlic``, ``10-18-garlic`` and ``02_garlic`` are all ``garlic``."""
    plain = DATED.sub("", stem, count=1)
    return NUMBERED.sub("", re.sub(r"^\d\d-(?=\d\d-)", "", plain), count=1)


def _without_language(stem: str) -> tuple[str, str]:
    """``garlic.de`` is ``garlic`` in German."""
    before, dot, code = stem.rpartition(".")
    return (before, code) if dot and _is_language(code) else (stem, "")


def _is_language(code: str) -> bool:
    return LANGUAGE.match(code) is not None and code[:2] in CODES


def _language(fields: Mapping[str, Any], folders: list[str], of_name: str) -> str:
    """As the fields say, the name's ending, or the folder for one language below these two."""
    if (given := text_of(_at(fields, *LANGUAGES))) or of_name:
        return (given or of_name).replace("_", "-")
    for above, folder in pairwise(folders):
        if above in ("i18n", "content") and _is_language(folder):
            return folder.replace("_", "-")
    return ""


def _names(
    fields: Mapping[str, Any], names: tuple[str, ...], *, cut: str, words: bool
) -> Iterator[str]:
    """Names of categories or tags. Jekyll cuts a text at its spaces; but for a single category."""
    for name in names:
        value = fields.get(name) if "." not in name else _at(fields, name)
        if isinstance(value, list):  # Hexo has lists in lists
            value = [
                part for each in value for part in (each if isinstance(each, list) else [each])
            ]
            yield from names_of(value)
        elif words and name in ("categories", "tags") and "," not in text_of(value):
            yield from text_of(value).split()
        elif isinstance(value, str):
            yield from names_of(value, cut=cut or ",")
        if value:
            return


def _day_of(stem: str, folders: list[str]) -> str:
    """The day in a file's name, or in those of its folders too: ``2025/10-18-knee``."""
    if dated := DATED.match(stem):
        return dated[1]
    parts = DAY.search("/".join([*folders, stem]))
    return "-".join(parts.groups()) if parts else ""


def _section(folders: list[str]) -> str:
    """The first folder that says what its articles are about."""
    for folder in folders:
        name = NUMBERED.sub("", folder, count=1)
        if not (
            folder.lower() in CONTAINERS or folder.startswith(".") or name.isdigit()
            or _is_language(folder) or DATED.match(folder)
        ):  # fmt: skip
            return readable(name)
    return ""


def _date(fields: Mapping[str, Any], names: tuple[str, ...]) -> str | int | float:
    """A date as it is written. "Last Modified" of Eleventy and the like are none."""
    value = _at(fields, *names)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return value if re.search(r"\d", str(value)) and "{" not in str(value) else ""


def _teaser(fields: Mapping[str, Any]) -> str:
    for name in TEASERS:
        text = text_of(_at(fields, name))
        if text and "{{" not in text and not _is(text, True) and not _is(text, False):
            return plain(render(text)[1])
    return ""


def _url(fields: Mapping[str, Any], folders: list[str]) -> str:
    """The address, where a field says it for sure."""
    for name in ("permalink", "url", "slug", "path"):
        given = text_of(fields.get(name))
        if not given or re.search(r"[{}:]", given.partition("://")[2] or given):
            continue
        if given.startswith(("http://", "https://")):
            return given
        if given.startswith("/") or name == "permalink":
            return posixpath.normpath(f"/{given}").replace("//", "/") + (
                "/" if given.endswith("/") else ""
            )
        if name == "slug" and "content" in folders:  # Hugo
            section = folders[folders.index("content") + 1 :]
            return "/".join(["", *section, given.strip("/"), ""])
    return ""


def _image(fields: Mapping[str, Any], url: str, remarks: list[str]) -> str:
    value = _at(fields, *IMAGES)
    for _ in range(3):
        if isinstance(value, list):
            value = value[0] if value else None
        elif isinstance(value, Mapping):
            value = _at(value, *OF_IMAGES)
    address = text_of(value)
    if not address or _is(address, True) or _is(address, False) or "{{" in address:
        return ""
    if re.match(r"(?:[a-z][\w+.-]*:|/)", address, re.I):
        return address
    if address.startswith(".") or "/" not in address:
        if url and not address.startswith("../../"):
            return urljoin(url, address)
        remarks.append(
            f"field image: {address[:80]!r} is relative to an address that is not known; left out"
        )
        return ""
    return f"/{address}"


def _picks(fields: Mapping[str, Any]) -> tuple[Pick, ...] | None:
    """The related articles that the author named: by slug, place, address or title."""
    value = _at(fields, *PICKS)
    if isinstance(value, str):
        value = (
            [value]
            if not re.fullmatch(r"\w[\w./ -]*(?:,\s*[\w./ -]+)+", value)
            else value.split(",")
        )
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list):
        return None
    picks = []
    for each in value:
        if isinstance(each, Mapping):
            address = text_of(
                _at(each, "url", "link", "href", "permalink", "path", "slug", "page", "ref", "id")
            )
            title = text_of(_at(each, "title", "name", "text", "label"))
            teaser = text_of(_at(each, "description", "teaser", "summary", "excerpt"))
            if title or address:
                picks.append(Pick(title or _title_of(address), teaser, _address(address)))
            continue
        name = text_of(each)
        if wiki := WIKI.search(name):
            picks.append(Pick(wiki[1].strip()))
            continue
        name = re.sub(r"\{\{?[%<]?\s*(?:post_url|link|ref|relref)?\s*|[%>]?\}?\}", "", name).strip(
            " \"'"
        )
        if re.search(r"\s", name) and not name.startswith(("/", "./", "http")):
            picks.append(Pick(name))
        elif name and name not in ("true", "false"):
            picks.append(Pick(_title_of(name), url=_address(name)))
    return tuple(picks)


def _address(address: str) -> str | None:
    """An address as links have it: what names folders, and not whence, begins at the root."""
    if "/" in address and not re.match(r"\.|/|[a-z][\w+.-]*:", address, re.I):
        return f"/{address}"
    return address or None


def _on_site(path: str) -> str:
    """A place in a repository as it is on the site, whether the repository was named or the folder
    of its contents.

    >>> _on_site("content/de/knee.md"), _on_site("source/_posts/knee.md"), _on_site("docs/a.md")
    ('de/knee.md', 'knee.md', 'docs/a.md')
    """
    parts = path.split("/")
    while len(parts) > 1 and parts[0] in ("content", "src", "source"):
        del parts[0]
    # Jekyll has its collections in folders like ``_recipes``.
    folders = [part.lstrip("_") for part in parts[:-1] if part != "_posts"]
    return "/".join([*filter(None, folders), parts[-1]])


def _title_of(address: str) -> str:
    """What an address would be called, if nothing has it."""
    last = address.rstrip("/").rpartition("/")[2]
    return readable(DATED.sub("", last.removesuffix(".md").removesuffix(".html"), 1)) or address
