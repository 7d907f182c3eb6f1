"""Articles as records: JSON Lines, tables, and JSON as web interfaces give it.

A JSON file may be an array of articles, an object that wraps one (``{"posts": [...]}``), or one
object after another over any number of lines. It is read piece by piece: only one article is held.

WordPress' own interface, Strapi, Drupal and other JSON:API servers and Contentful wrap the fields
of a record once more; what is sure of theirs is unwrapped, the rest stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from recommender.articles.document import Document, LeftOut
from recommender.articles.formats.base import (
    EXTRA,
    TAG,
    Found,
    Head,
    below,
    category_and_tags,
    ending_of,
    faults_of_file,
    kept,
    names_of,
    plain,
    plain_title,
    text_of,
    whole,
)
from recommender.errors import MissingExtra
from recommender.files import BLOCK, JSON, MAX_RECORD_BYTES, Problem, Record, read_records

# Deeper than any record of an article; far below what anything recursive can bear.
MAX_DEPTH = 100
# Fields by which an object is an article itself, so that its lists are parts of it ...
OF_ARTICLES = {"title", "body", "content", "headline", "html", "text", "slug", "url", "id"}
# ... but for those that are called like this, and those that never are what a file is about.
WRAPPERS = {
    "articles", "collection", "contents", "data", "docs", "documents", "edges", "entries", "hits",
    "items", "list", "news", "nodes", "pages", "posts", "recipes", "records", "results", "rows",
    "stories", "values",
}  # fmt: skip
PARTS = {
    "attachments", "author", "authors", "blocks", "categories", "comments", "errors", "images",
    "includes", "included", "links", "media", "meta", "related", "sections", "tags", "users",
}  # fmt: skip
MAX_WRAPPED = 4
# Fields that may hold rich text, and of that the names that lead further in, and the blocks.
TEXTS = ("body", "content", "text", "html")
INSIDE = ("children", "content", "data", "items")
OF_BLOCKS = re.compile(
    r"block$|paragraph|heading|header|h[1-6]$|quote|blockquote|code|list[-_]?item|unstyled|li$|p$"
)
# In a place, any name: where articles stand under their ids.
ANY = "*"


def read_json_lines(file: Path, root: Path) -> Iterator[Found]:
    """Articles of JSON Lines."""
    return _documents(read_records(file, "jsonl"), below(file, root))


def read_csv(file: Path, root: Path) -> Iterator[Found]:
    """Articles of a table with a heading."""
    return _documents(read_records(file, "csv"), below(file, root))


def read_parquet(file: Path, root: Path) -> Iterator[Found]:
    """Articles of a Parquet file."""
    return _documents(read_records(file, "parquet"), below(file, root))


def _documents(records: Iterator[Record | Problem], path: str) -> Iterator[Found]:
    for found in records:
        if isinstance(found, Problem):
            yield found
        else:
            fields = found.fields
            if isinstance(fields.get("body"), list | dict):
                fields = {**fields, "body": _named("body", fields["body"])}
            yield Document(found.where, fields, path)


def recognises_lines(head: Head) -> bool:
    """Whether the first line is a JSON object whole that wraps no list of others."""
    text = head.text
    line, end, rest = text.partition("\n")
    if not line.startswith("{"):
        return False
    try:
        fields, _ = JSON.raw_decode(line.strip("\x00 \t\r"))
    except (ValueError, RecursionError):  # a line may be longer than what was read
        return not end and ending_of(head.path) != ".json"
    by_name = ending_of(head.path) in (".jsonl", ".ndjson")
    return by_name or bool(rest.strip()) or not _wraps(fields)


def recognises_json(head: Head) -> bool:
    """Whether it begins as JSON does that is no JSON Lines."""
    text = head.text
    if text.startswith("{"):
        return text[1:].lstrip()[:1] in ('"', "}") and not recognises_lines(head)
    return text.startswith("[") and text[1:].lstrip()[:1] in ("{", "]")


def _wraps(fields: Mapping[str, Any], depth: int = 1) -> bool:
    """Whether an object is there to hold a list of others."""
    lists = {
        name
        for name, value in fields.items()
        if isinstance(value, list) and value and isinstance(value[0], dict)
    }
    return bool(
        lists & WRAPPERS
        or (lists - PARTS and not OF_ARTICLES & fields.keys())
        or any(
            _wraps(value, depth + 1)
            for name, value in fields.items()
            if isinstance(value, dict) and depth < MAX_WRAPPED and not OF_ARTICLES & fields.keys()
        )
    )


def read_json(file: Path, root: Path) -> Iterator[Found]:
    """Articles of a JSON file of any layout. A fault of the JSON ends it, with what came before."""
    path = below(file, root)
    number = 0
    for number, found in enumerate(json_records(file), start=1):
        if isinstance(found, Problem):
            yield found
            return
        where = f"{file}:record {number}"
        if isinstance(found, dict):
            yield article_of(found, where, path)
        else:
            yield Problem(f"{where}: must be a JSON object, not {type(found).__name__}")
    if number == 0:
        yield Problem(f"{file}: no list of records in it")


class Counted:
    """A file read by a parser that holds a record until it is whole; ``n_bytes`` since ``begin``.

    A parser takes what it is given, so too long a record is refused where it is read.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.n_bytes = 0

    def begin(self) -> None:
        """A record has ended and another begins."""
        self.n_bytes = 0

    def read(self, size: int = -1) -> bytes:
        """As of any file; ``OSError`` if the record is too long."""
        raw = self.file.read(min(size, BLOCK) if size >= 0 else BLOCK)
        self.n_bytes += len(raw)
        # The last block may hold the beginning of this record or the end of the one before.
        if self.n_bytes > MAX_RECORD_BYTES + BLOCK:
            raise OSError(f"a record is longer than {MAX_RECORD_BYTES:,} bytes")
        return raw


def json_records(file: Path) -> Iterator[Any]:
    """The values of a JSON file that are records, wherever they stand in it; a ``Problem`` last
    where it cannot be read on.
    """
    for found in json_values(file):
        if isinstance(found, Problem):
            yield found
            continue
        place, value = found
        is_named = place not in ([], ["item"]) and place[-1] != "item" and isinstance(value, dict)
        yield {"id": place[-1], **value} if is_named else value


def json_values(file: Path, *places: list[str]) -> Iterator[tuple[list[str], Any] | Problem]:
    """Where a JSON file has these places, each with its value; a ``Problem`` last where it cannot
    be read on. Places are the names that lead there, where ``item`` is any element of an array;
    without any the one of the records is looked for.
    """
    try:
        import ijson
    except ImportError as exc:
        raise MissingExtra("reading JSON that is not one object a line", EXTRA) from exc
    problems: list[Problem] = []
    with faults_of_file(file, problems):
        try:
            known = [*places] or [_place(file)]
            with whole(file) as opened:
                counted = Counted(opened)
                yield from _values(_events(counted), counted, known)
        except (ijson.JSONError, ValueError, RecursionError) as exc:
            problems.append(Problem(f"{file}: not JSON: {' '.join(str(exc).split())[:200]}"))
    yield from problems


Event = tuple[list[str], str, Any]
OPENING = ("start_map", "start_array")
CLOSING = ("end_map", "end_array")


def _events(file: Counted) -> Iterator[Event]:
    """What a parser meets, with the names that lead there. ``ValueError`` if nested too deep."""
    import ijson

    path: list[str] = []
    events = ijson.basic_parse(file, multiple_values=True, use_float=True, buf_size=BLOCK)
    for event, value in events:
        if event == "map_key":
            path[-1] = value
        elif event in CLOSING:
            path.pop()
        yield path, event, value
        if event in OPENING:
            path.append("item" if event == "start_array" else "")
            if len(path) > MAX_DEPTH:
                raise ValueError(f"nested more than {MAX_DEPTH} deep")


def _place(file: Path) -> list[str]:
    """The names that lead to the records: to the elements of an array at the top, or of the first
    list of objects that an object at the top wraps, or to all it has by their ids; empty where it
    is a record itself.
    """
    other: list[str] = []
    titled: set[str] = set()  # fields that are objects with a title
    own = False  # whether the object at the top has fields of an article
    with whole(file) as opened:
        try:
            for path, event, _ in _events(Counted(opened)):
                if not path and event == "start_array":
                    return ["item"]
                own = own or (len(path) == 1 and path[0] in OF_ARTICLES)
                if len(path) == 2 and path[1] in ("title", "headline"):
                    titled.add(path[0])
                if event == "start_map" and 1 < len(path) <= MAX_WRAPPED and path[-1] == "item":
                    if path[-2] in WRAPPERS and not (own and len(path) > 2):
                        return [*path]
                    if path[-2] not in PARTS and not other:
                        other = [*path]
                if not path and event == "end_map":
                    break
        except OSError:  # too long for a record, so that it wraps some
            own = False
    if len(titled) > 1 and not own and not other:
        return [ANY]
    return [] if own else other


def _values(
    events: Iterator[Event], counted: Counted, places: list[list[str]]
) -> Iterator[tuple[list[str], Any]]:
    """The values at some places, one by one."""
    from ijson.common import ObjectBuilder

    builder: ObjectBuilder | None = None
    place: list[str] = []
    depth = 0
    for path, event, value in events:
        if builder is None:
            meant = path in places or (len(path) == 1 and [ANY] in places)
            if not meant or event == "map_key" or event in CLOSING:
                if len(path) <= 1 or path[-1] == "item":
                    counted.begin()  # what is of no use is not held
                continue
            builder, place, depth = ObjectBuilder(), [*path], 0
        builder.event(event, value)
        depth += (event in OPENING) - (event in CLOSING)
        if depth == 0:
            yield place, builder.value
            builder = None
            counted.begin()


def article_of(record: Mapping[str, Any], where: str, path: str) -> Document | LeftOut:
    """The article of a record as a web interface gives it, out of its wrappings."""
    for wrapping in ("node", "_source"):
        if isinstance(record.get(wrapping), dict) and not OF_ARTICLES & record.keys():
            id = record.get("_id")
            record = record[wrapping] if id is None else {"id": id, **record[wrapping]}
    if isinstance(record.get("title"), dict) and "rendered" in record["title"]:
        return _of_wordpress(record, where, path)
    if isinstance(record.get("attributes"), dict) and "title" not in record:
        return _of_json_api(record, where, path)
    if isinstance(record.get("sys"), dict) and isinstance(record.get("fields"), dict):
        fields = {name: _in_one_language(value) for name, value in record["fields"].items()}
        record = {"id": record["sys"].get("id"), **fields}
    return Document(where, {name: _named(name, each) for name, each in record.items()}, path)


def _named(name: str, value: Any) -> Any:
    """Of objects in a field of ours their names, as interfaces nest them."""
    if name in TEXTS and isinstance(value, list | dict):
        return "\n\n".join(_blocks(value)) or value
    if name == "tags" and isinstance(value, list) and any(isinstance(each, dict) for each in value):
        return names_of(value)
    if name in ("author", "category") and isinstance(value, dict):
        return next(iter(names_of(value)), "")
    if name == "image" and isinstance(value, dict):
        return next((text_of(value[key]) for key in ("url", "src", "href") if key in value), "")
    return value


def _blocks(value: Any) -> Iterator[str]:
    """The paragraphs of rich text, as editors keep it: objects in objects, with texts at the ends
    (Portable Text, ProseMirror, Slate, Editor.js, Draft, Quill, of Contentful, Strapi, Prismic).
    """
    if isinstance(value, list):
        for each in value:
            yield from _blocks(each)
    elif isinstance(value, dict):
        kind = str(value.get("_type") or value.get("nodeType") or value.get("type") or "")
        if OF_BLOCKS.match(kind) or isinstance(value.get("text") or value.get("insert"), str):
            if text := " ".join("".join(_pieces(value)).split()):
                yield plain(text) if TAG.search(text) else text
        else:
            for name in ("root", "document", "blocks", "ops", *INSIDE):
                yield from _blocks(value.get(name))


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from (f" {each} ",) if isinstance(each, str) else _pieces(each)
    elif isinstance(value, dict):
        for name in ("text", "value", "insert"):
            if isinstance(value.get(name), str):
                yield value[name]
        for name in INSIDE:
            yield from _pieces(value.get(name))


def _of_wordpress(record: Mapping[str, Any], where: str, path: str) -> Document | LeftOut:
    """A post as ``/wp-json/wp/v2/posts`` has it; names of categories only with ``_embed``."""
    if (status := text_of(record.get("status")) or "publish") != "publish":
        return LeftOut(where, f"status: {status}")
    content = _object(record, "content")
    if content.get("protected") is True:
        return LeftOut(where, "protected by a password")
    embedded = _object(record, "_embedded")
    groups = embedded.get("wp:term")
    terms = [
        term
        for group in (groups if isinstance(groups, list) else ())
        for term in (group if isinstance(group, list) else ())
        if isinstance(term, dict)
    ]
    names = {
        kind: [
            plain_title(text_of(term.get("name"))) for term in terms if term.get("taxonomy") == kind
        ]
        for kind in ("category", "post_tag")
    }
    category, tags = category_and_tags(names["category"], names["post_tag"])
    seo = _object(record, "yoast_head_json")
    image = [each.get("source_url") for each in _objects(embedded, "wp:featuredmedia")]
    image += [record.get("jetpack_featured_media_url")]
    image += [each.get("url") for each in _objects(seo, "og_image")]
    authors = [each.get("name") for each in _objects(embedded, "author")] + [seo.get("author")]
    url = text_of(record.get("link"))
    fields = {
        "id": text_of(record.get("id")),
        "title": plain_title(text_of(record["title"]["rendered"])),
        "html": text_of(content.get("rendered")),
        "teaser": plain(text_of(_object(record, "excerpt").get("rendered"))),
        "url": url,
        "category": category,
        "tags": tags,
        "published_at": _gmt(record, "date"),
        "updated_at": _gmt(record, "modified"),
        "author": next(filter(None, map(text_of, authors)), ""),
        "image": next(filter(None, map(text_of, image)), ""),
        "language": text_of(record.get("lang")),
    }
    return Document(where, kept(fields), path, canonical=url or None)


def _of_json_api(record: Mapping[str, Any], where: str, path: str) -> Document | LeftOut:
    """A resource of JSON:API: as Drupal and Strapi have it."""
    fields = {"id": record.get("id"), **record["attributes"]}
    if fields.get("status") is False:
        return LeftOut(where, "not published")
    body = fields.get("body")
    if isinstance(body, dict):  # Drupal
        fields.pop("body")
        fields["html"] = text_of(body.get("processed")) or text_of(body.get("value"))
        fields["teaser"] = plain(text_of(body.get("summary")))
        fields["published_at"] = fields.pop("created", None)
        fields["updated_at"] = fields.pop("changed", None)
        fields["language"] = fields.pop("langcode", None)
        fields["url"] = _object(fields, "path").get("alias")
    else:
        fields["published_at"] = fields.pop("publishedAt", None) or fields.pop("createdAt", None)
        fields["updated_at"] = fields.pop("updatedAt", None)
        fields["language"] = fields.pop("locale", None)
    return Document(where, kept(fields), path)


def _gmt(record: Mapping[str, Any], name: str) -> str:
    """A date of WordPress, which writes no zone."""
    written = text_of(record.get(f"{name}_gmt"))
    return f"{written}Z" if written else text_of(record.get(name))


def _in_one_language(value: Any) -> Any:
    """Contentful's exports have each field once a language."""
    if (
        isinstance(value, dict)
        and value
        and all(re.fullmatch(r"[a-z]{2}(-\w+)?", k) for k in value)
    ):
        return next(iter(value.values()))
    return value


def _object(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _objects(record: Mapping[str, Any], name: str) -> list[Any]:
    value = record.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
