"""Feeds: RSS 0.9 to 2.0, Atom, and JSON Feed.

Feeds are odd in many ways, so ``feedparser`` reads them; it is handed bytes and goes nowhere. What
HTML they hold stays as it is.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from recommender.articles.document import Document, LeftOut
from recommender.articles.formats.base import (
    EXTRA,
    Found,
    Head,
    below,
    category_and_tags,
    faults_of_file,
    kept,
    names_of,
    path_of,
    plain,
    plain_title,
    text_of,
)
from recommender.articles.formats.records import json_values
from recommender.articles.formats.xml_stream import CONTROLS, check_entities, root_of
from recommender.errors import MissingExtra
from recommender.files import BLOCK, MAX_RECORD_BYTES, Problem, opened

ROOTS = ("rss", "rdf", "feed")
# Of a hundred times as many entries as readers of feeds ask for; all of it is held.
MAX_BYTES = 50_000_000
# The library's work on an element grows with the square of these, which no feed has.
MANY_ATTRIBUTES = re.compile(
    rb"""(?:\s[\w:.-]+\s*+=\s*+(?:'[^'<]*+'|"[^"<]*+")){300}""",
)
# What parsing feeds that are none raises, in code that is not ours.
FAULTS = (ValueError, LookupError, AttributeError, TypeError, RecursionError, AssertionError)
KIND = re.compile(r"^https?://schemas\.google\.com/g/2005#kind")
COMMENT = re.compile(r"#(?:comment-?|c)\d+$")
JSON_FEED = re.compile(r'"version"\s*:\s*"https?:\\?/\\?/jsonfeed\.org')


def recognises(head: Head) -> bool:
    """Whether its outermost element is that of a feed."""
    return root_of(head) in ROOTS


def recognises_json(head: Head) -> bool:
    """Whether it names the version of JSON Feed."""
    return head.text.startswith("{") and JSON_FEED.search(head.text) is not None


def read(file: Path, root: Path) -> Iterator[Found]:
    """The entries of a feed."""
    try:
        import feedparser
    except ImportError as exc:
        raise MissingExtra("reading feeds", EXTRA) from exc
    problems: list[Problem] = []
    raw = b""
    with faults_of_file(file, problems), opened(file) as source:
        raw = source.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise OSError(f"larger than {MAX_BYTES:,} bytes, so it is no feed")
        if MANY_ATTRIBUTES.search(raw):
            raise OSError("an element has more than 300 attributes")
        check_entities(raw[:BLOCK])
    if problems:
        yield from problems
        return
    is_wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    # In a stream, since bytes could be the name of a file.
    stream = io.BytesIO(raw if is_wide else raw.translate(None, CONTROLS))
    try:
        feed = feedparser.parse(stream, sanitize_html=False, resolve_relative_uris=False)
    except FAULTS as exc:
        yield Problem(f"{file}: not a feed that can be read: {' '.join(str(exc).split())[:120]}")
        return
    fault = _fault(file, feed)
    if not feed.entries:
        yield fault or Problem(f"{file}: no entry in it")
        return
    n_short = sum(not _contents(entry) and bool(entry.get("summary")) for entry in feed.entries)
    language = text_of(feed.feed.get("language"))
    for number, entry in enumerate(feed.entries, start=1):
        found = _entry(entry, f"{file}:entry {number}", language)
        if n_short and isinstance(found, Document) and not _contents(entry):
            found = _remarked(found, n_short, len(feed.entries))
            n_short = 0
        yield found
    if fault:
        yield fault


def _fault(file: Path, feed: Mapping[str, Any]) -> Problem | None:
    """What is wrong with the feed's XML; that its encoding is another than stated is not."""
    exc = feed.get("bozo_exception") if feed.get("bozo") else None
    if exc is None or "Encoding" in type(exc).__name__ or "ContentType" in type(exc).__name__:
        return None
    line = getattr(exc, "getLineNumber", lambda: None)()
    message = " ".join(str(getattr(exc, "getMessage", lambda: exc)()).split())[:120]
    place = f"{file}:{line}" if line else f"{file}"
    return Problem(
        f"{place}: not well-formed XML: {message}; read on as far as it can be, so what stands "
        "there may be incomplete"
    )


def _remarked(found: Document, n_short: int, n_entries: int) -> Document:
    remark = (
        f"{n_short:,} of {n_entries:,} entries have a summary alone, taken for their text: "
        "an export of the site's system has whole texts"
    )
    return Document(
        found.where, found.fields, found.path, canonical=found.canonical, remarks=(remark,)
    )


def _contents(entry: Mapping[str, Any]) -> list[Any]:
    contents = entry.get("content")
    return [each for each in contents or () if text_of(each.get("value"))]


def _entry(entry: Mapping[str, Any], where: str, language: str) -> Found:
    if reason := _reason(entry):
        return LeftOut(where, reason)
    contents = _contents(entry)
    summary = text_of(entry.get("summary"))
    # Several contents are one in several types; the longest says most.
    whole = max(contents, key=lambda each: len(each["value"]), default=None)
    text = whole["value"] if whole else summary
    if len(text) > MAX_RECORD_BYTES:
        return Problem(f"{where}: longer than {MAX_RECORD_BYTES:,} characters")
    detail = whole or entry.get("summary_detail") or {}
    is_plain = detail.get("type") == "text/plain" and not re.search(r"<[a-zA-Z/][^<>]*>", text)
    link = text_of(entry.get("link"))
    guid = text_of(entry.get("id"))
    terms = [
        text_of(tag.get("label")) or text_of(tag.get("term"))
        for tag in entry.get("tags", ())
        if not KIND.search(text_of(tag.get("scheme")))
    ]
    category, tags = category_and_tags(terms[:1], terms)
    title_detail = entry.get("title_detail") or {}
    title = text_of(entry.get("title"))
    fields = {
        "title": title if title_detail.get("type") == "text/plain" else plain_title(title),
        "body" if is_plain else "html": text,
        "teaser": plain(summary) if whole and summary != text else "",
        "url": link,
        "category": category,
        "tags": tags,
        "published_at": text_of(entry.get("published")) or text_of(entry.get("created")),
        # Without this, the library hands out the other date.
        "updated_at": text_of(entry.get("updated")) if "updated" in entry else "",
        "author": text_of((entry.get("author_detail") or {}).get("name"))
        or text_of(entry.get("author")),
        "image": _image(entry),
        "language": text_of(detail.get("language")) or language,
    }
    if not fields["published_at"]:
        fields["published_at"] = fields.pop("updated_at")
    # An export of Blogger names no host.
    link = fields["url"] = link or text_of(entry.get("blogger_filename"))
    if path_of(link) == "/":
        fields["id"] = guid or link
    return Document(where, kept(fields), _slug(link or guid), canonical=link or None)


def _reason(entry: Mapping[str, Any]) -> str | None:
    """Why an entry is no article: exports of Blogger are feeds of all it keeps, and sites have
    feeds of comments.
    """
    kinds = [
        text_of(tag.get("term")).rpartition("#")[2]
        for tag in entry.get("tags", ())
        if KIND.search(text_of(tag.get("scheme")))
    ]
    kind = next(iter(kinds), text_of(entry.get("blogger_type")).lower())
    if kind and kind not in ("post", "page"):
        return f"type: {kind}"
    if COMMENT.search(text_of(entry.get("link"))):
        return "type: comment"
    status = text_of(entry.get("blogger_status")).lower() or "live"
    if text_of(entry.get("app_draft")).lower() == "yes" or status == "draft":
        return "a draft"
    return None if status == "live" else f"status: {status}"


def _slug(address: str) -> str:
    return path_of(address).rstrip("/").rpartition("/")[2]


def _image(entry: Mapping[str, Any]) -> str:
    """A picture that is made for lists first, then any that comes with the entry."""
    image = entry.get("image")
    candidates = [
        *(each.get("url") for each in entry.get("media_thumbnail", ())),
        *(
            each.get("url")
            for each in entry.get("media_content", ())
            if each.get("medium") == "image" or str(each.get("type")).startswith("image/")
        ),
        *(
            each.get("href")
            for each in entry.get("enclosures", ())
            if str(each.get("type")).startswith("image/")
        ),
        image.get("href") if isinstance(image, Mapping) else None,
    ]
    return next(filter(None, map(text_of, candidates)), "")


def read_json(file: Path, root: Path) -> Iterator[Found]:
    """The items of a JSON Feed."""
    language = ""
    for found in json_values(file, ["language"]):
        language = text_of(found[1]) if not isinstance(found, Problem) else language
    number = 0
    for found in json_values(file, ["items", "item"]):
        if isinstance(found, Problem):
            yield found
            return
        number += 1
        where = f"{file}:item {number}"
        item = found[1]
        if isinstance(item, dict):
            yield _json_item(item, where, language)
        else:
            yield Problem(f"{where}: must be a JSON object, not {type(item).__name__}")
    if number == 0:
        yield Problem(f"{below(file, root)}: no item in it")


def _json_item(item: Mapping[str, Any], where: str, language: str) -> Document:
    link = text_of(item.get("url"))
    html, body = text_of(item.get("content_html")), text_of(item.get("content_text"))
    summary = text_of(item.get("summary"))
    authors = item.get("authors") or item.get("author") or []
    category, tags = category_and_tags((), names_of(item.get("tags") or []))
    fields = {
        "title": text_of(item.get("title")),
        "html": html,
        "body": "" if html else body or summary,
        "teaser": plain(summary) if html or body else "",
        "url": link,
        "category": category,
        "tags": tags,
        "published_at": text_of(item.get("date_published")),
        "updated_at": text_of(item.get("date_modified")),
        "author": ", ".join(names_of(authors, cut="")),
        "image": text_of(item.get("image")) or text_of(item.get("banner_image")),
        "language": text_of(item.get("language")) or language,
    }
    if path_of(link) == "/":
        fields["id"] = text_of(item.get("id"))
    return Document(where, kept(fields), _slug(link), canonical=link or None)
