"""Articles out of files of any known format.

Reading and storing are apart: what comes out of here is a value, and the store links it to what
it holds and applies it, in one transaction.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from recommender.articles import html_page, page_set, text_page
from recommender.articles.addresses import Address, address_fault, joined, url_key
from recommender.articles.article import Article, from_record
from recommender.articles.batch import Batch, RawPage
from recommender.articles.document import Document, LeftOut, Pick
from recommender.articles.formats.base import Format, Found, ending_of
from recommender.articles.formats.detect import (
    ENDINGS,
    detected,
    format_named,
    format_of_name,
    is_known,
    not_read,
)
from recommender.articles.formats.sitemap import ALONE, read_sitemaps
from recommender.articles.html_page import Selectors
from recommender.articles.linking import DATED, HOME, bare_path
from recommender.articles.teasers import CHARACTERS
from recommender.errors import ArticleError, InputError
from recommender.files import (
    Problem,
    Tolerance,
    decode,
    files_in,
    read_bytes,
)
from recommender.progress import Progress, Silent, tracked

# More bad records than good ones are reason enough to stop, once there are so many; not tuned.
MAX_PROBLEMS = 1_000_000
# Records after which a step of them is reported.
REPORTED = 1_000
# What an address of the site may take of an article.
HOLES = ("id", "slug", "category", "year", "month", "day")
HOLE = re.compile(r"\{(\w+)\}")
# How an id is made for a page that has none of its own.
IDS = ("path", "stem", "canonical")
# What each format means by default: the name of a dumped page is its id, a page of a mirror or a
# repository is known by where it lies, one of an export by its address.
DEFAULT_IDS = {"pages": "stem", "html": "path", "markdown": "path"}
# Those of a record; the others are known of pages alone.
FIELDS = tuple(name for name in Article.__slots__ if name not in ("previous", "next", "stub"))
# Names that other people's tables have for our fields.
SYNONYMS = {
    "id": ("slug", "uuid", "guid", "post_id", "article_id", "key", "_id", "identifier", "handle"),
    "title": ("headline", "name", "post_title", "heading", "subject", "question"),
    "body": ("content", "text", "html", "post_content", "article", "full_text", "content_html",
             "articlebody", "description_html", "answer"),
    "teaser": ("description", "excerpt", "summary", "abstract", "subtitle", "post_excerpt", "dek",
               "standfirst", "lead", "intro"),
    "url": ("link", "permalink", "canonical_url", "href", "address", "uri", "loc"),
    "category": ("section", "topic", "channel", "categories", "department", "post_category"),
    "tags": ("keywords", "labels", "post_tags", "tag"),
    "published_at": ("date", "published", "publish_date", "published_on", "publication_date",
                     "pubdate", "post_date", "created_at", "created", "datepublished", "timestamp"),
    "updated_at": ("modified", "updated", "last_modified", "modified_at", "lastmod",
                   "post_modified"),
    "language": ("lang", "locale", "language_code"),
    "author": ("authors", "byline", "writer", "creator", "post_author"),
    "image": ("thumbnail", "image_url", "picture", "cover", "featured_image", "feature_image",
              "hero_image", "photo", "og_image"),
    "recommended": ("related", "related_ids", "related_articles", "see_also"),
}  # fmt: skip
# Formats whose records have ids of their own.
RECORDS = ("json", "jsonl", "csv", "parquet")
READ = frozenset([*FIELDS, "html"])
MAX_NAMES = 10
# Of programs that sites are built with; their documents are no articles.
NOT_ENTERED = frozenset(["node_modules", "__pycache__", "bower_components", "_sources", "_static"])
EXCLUDED = "named by --exclude"
# In what a page declares to be written, among its first bytes.
CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([a-z0-9_.:-]{2,40})""", re.IGNORECASE)
DECLARED_WITHIN = 4_096
# Python's codecs of characters; it has others, of addresses and of escapes.
CHARACTERS_OF = re.compile(
    r"cp\d+|iso8859-\d+|iso2022_\w+|koi8-\w+|mac-\w+|gb\w+|big5\w*|euc_\w+|shift_jis\w*|"
    r"tis-620|johab|hz|kz1048|ptcp154|hp-roman8"
)
# What the web means by some of them (encoding.spec.whatwg.org), which is always more.
ENCODINGS = {"iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254",
             "iso8859-11": "cp874", "tis-620": "cp874", "gb2312": "gb18030", "gbk": "gb18030",
             "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read: the ``format`` (``auto``: by what they hold, else by their names), how
    ``ids`` are made (``auto``: as is usual for the format), the ``fields`` of records as ``{ours:
    theirs}``, patterns of paths and addresses to ``exclude``, where pages have their parts, the
    ``url`` of pages that do not have theirs, with ``{id}`` in place of the id, or others of
    ``HOLES``, whether pages that list others are articles too, and how long a teaser that is made
    may be.
    """

    format: str = "auto"
    ids: str = "auto"
    fields: Mapping[str, str] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    selectors: Selectors = field(default_factory=Selectors)
    url: str = ""
    listings: bool = False
    teaser_characters: int = CHARACTERS

    def __post_init__(self) -> None:
        holes = HOLE.findall(self.url)
        if self.url and not {"id", "slug"}.intersection(holes):
            what = "must hold {id} or {slug}, or all pages would have one address"
            raise InputError(f"--url {self.url!r}: {what}")
        if unknown := [name for name in holes if name not in HOLES]:
            raise InputError(f"--url {self.url!r}: no {{{unknown[0]}}}; known: {', '.join(HOLES)}")
        if fault := address_fault(HOLE.sub("1", self.url)):
            raise InputError(f"--url {self.url!r}: {fault}")
        if self.ids not in ("auto", *IDS):
            raise InputError(f"--id {self.ids!r}: must be {', '.join(IDS)}")
        for name in self.fields:
            if name not in FIELDS:
                known = ", ".join(FIELDS)
                raise InputError(f"--map {name}=…: no field of articles; known: {known}")


def read_articles(
    paths: list[Path],
    *,
    reading: Reading | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Batch:
    """Read articles from files and folders, in the way of ``reading``, or of its fields given as
    ``options``. Raises ``InputError`` for a path that is not there. ``TooManyBadRecords`` if bad
    ones have no end. The batch is not linked: the links of its pages are still titles and
    addresses.
    """
    reading = reading or Reading(**options)
    progress = progress or Silent()
    batch = Batch(teaser_characters=reading.teaser_characters)
    files = _files(paths, reading, batch)
    # Of one file the records are counted, of several the files.
    is_alone = len(files) == 1
    progress.stage("reading articles", None if is_alone else len(files))
    pages: list[page_set.Page] = []
    unread, given = Counter[str](), Counter[str]()
    sitemaps: list[Path] = []
    for file, root in files if is_alone else tracked(files, progress):
        format = detected(file) if reading.format == "auto" else format_named(reading.format)
        if format.name == "sitemap":
            sitemaps.append(file)
            continue
        records = _found_in(file, root, format, reading)
        for found in tracked(records, progress, every=REPORTED) if is_alone else records:
            batch.n_records += 1
            if isinstance(found, Problem):
                batch.problems.append(found)
            elif isinstance(found, LeftOut):
                batch.leave_out(found.where, found.reason)
                _close(found, batch)
            else:
                if format.read is not None:
                    unread.update(_unread(found.fields, reading))
                    given.update(name for name in FIELDS if found.fields.get(name))
                _take(found, format, reading, batch, pages)
            if len(batch.problems) > max(MAX_PROBLEMS, batch.n_records / 2):
                Tolerance().check(batch.problems, batch.n_records)
    if sitemaps and not batch.n_records:
        batch.n_records = len(sitemaps)
        batch.problems.extend(Problem(f"{file}: {ALONE}") for file in sitemaps)
    else:
        _settle(_with_sitemaps(pages, sitemaps, batch), reading, batch)
    if unread:
        names = ", ".join(f"{name} ({n:,})" for name, n in unread.most_common(MAX_NAMES))
        hint = _hint({**unread, **given}, reading)
        batch.notes.append(f"fields that are not read: {names}{hint}")
    if batch.n_records == 0:
        batch.problems.append(Problem(f"{', '.join(map(str, paths))}: no record in it"))
        batch.n_records = 1
    return batch


def add_record(batch: Batch, record: Mapping[str, Any], where: str) -> None:
    """Take the article of a record; if it is faulty, that is a problem."""
    _take(Document(where, record), format_named("jsonl"), Reading(), batch, [])


def _files(paths: list[Path], reading: Reading, batch: Batch) -> list[tuple[Path, Path]]:
    """The files to read, each with the outermost folder that was named and holds it."""
    others: list[Path] = []
    roots: dict[Path, Path] = {}
    for path in paths:
        root = path if path.is_dir() else path.parent
        meant = partial(_is_meant, root=root, reading=reading, batch=batch, others=others)
        for file in files_in([path], meant, skipped=batch.skipped, known=ENDINGS):
            if path == file and _is_excluded(file.name, reading):
                batch.leave_out(str(file), EXCLUDED)
            elif len(root.parts) < len(roots.get(file, file).parts):
                roots[file] = root
    if said := not_read(others):
        batch.notes.append(said)
    return list(roots.items())


def _is_meant(
    file: Path, *, root: Path, reading: Reading, batch: Batch, others: list[Path]
) -> bool:
    """Whether a file of a folder is read; ``others`` are those of other kinds."""
    place = file.relative_to(root)
    if _is_excluded(place.as_posix(), reading):
        if format_of_name(file):
            batch.leave_out(str(file), EXCLUDED)
        return False
    if tools := NOT_ENTERED.intersection(place.parts):
        if format_of_name(file):
            batch.leave_out(str(file), f"below {min(tools)}, which is a tool's")
        return False
    if reading.format == "auto":
        meant = is_known(file)
    else:
        meant = ending_of(file) in format_named(reading.format).endings
    if not meant:
        others.append(file)
    return meant


def _is_excluded(path: str, reading: Reading) -> bool:
    patterns = (pattern for each in reading.exclude for pattern in (each, f"*/{each}"))
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _found_in(file: Path, root: Path, format: Format, reading: Reading) -> Iterator[Found]:
    if format.read is not None:
        yield from format.read(file, root)
        return
    where, path = str(file), _place(file, root)
    try:
        raw = read_bytes(file)
        if format.name == "html":
            text = decoded(raw, where=where)
            yield html_page.parse(text, where=where, path=path, selectors=reading.selectors)
        else:
            page = text_page.parse(decode(raw, where=where), where=where)
            yield replace(document_of(page, where=where, path=path), raw=raw)
    except (InputError, ArticleError) as exc:
        yield Problem(str(exc))


def _place(file: Path, root: Path) -> str:
    place = file.relative_to(root).as_posix()
    return place[:-3] if place.lower().endswith(".gz") else place


def document_of(page: text_page.Page, *, where: str, path: str) -> Document:
    """A text page as every other page."""
    return Document(
        where,
        {"title": page.title, "body": page.body},
        path=path,
        picks=tuple(Pick(title, teaser) for title, teaser in page.recommended),
        previous=Pick(page.previous) if page.previous else None,
        next=Pick(page.next) if page.next else None,
    )


def decoded(raw: bytes, *, where: str) -> str:
    """A page as text, in the encoding it declares where it is not UTF-8. ``InputError`` if that is
    unknown.
    """
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return raw.decode(encoding, "replace")
    # Without a mark: every other byte of the markup is zero.
    for beginning, encoding in ((b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be")):
        if raw.startswith(beginning):
            return raw.decode(encoding, "replace")
    declared = CHARSET.search(raw[:DECLARED_WITHIN])
    try:
        return decode(raw, where=where)
    except InputError:
        name = declared[1].decode().lower() if declared else "utf-8"
        if name.startswith("utf"):  # what can be read as ASCII and says UTF-16 means UTF-8
            raise
        if codec := _encoding(name):
            return raw.decode(codec, "replace")
        raise InputError(f"{where}: an unknown encoding: {name!r}") from None


def _encoding(name: str) -> str | None:
    """Python's name of what pages call an encoding; None if it is none."""
    try:
        codec = codecs.lookup(name.removeprefix("x-")).name
    except LookupError:
        return None
    return ENCODINGS.get(codec, codec) if CHARACTERS_OF.fullmatch(codec) else None


def _take(
    found: Document, format: Format, reading: Reading, batch: Batch, pages: list[page_set.Page]
) -> None:
    """Check a document, and add its article: at once if it has an id, else with the others."""
    fields = _in_our_case(found.fields) if format.name in RECORDS else {**found.fields}
    for ours, theirs in reading.fields.items():
        fields[ours] = _inside(fields, theirs)
    remarks: list[Problem] = []
    try:
        has_id = fields.get("id") not in (None, "")
        document = replace(found, format=format.name)
        if format.read is not None:  # the text of a page may be about HTML
            fields, picks = html_page.plain_fields(fields, where=found.where)
            document = document if found.picks or not picks else replace(document, picks=picks)
        if reading.ids != "auto" or not (has_id or format.name in RECORDS):
            fields["id"] = _id_of(document, fields.get("url"), reading)
        article = from_record(fields, where=found.where, remarks=remarks)
    except ArticleError as exc:
        batch.problems.append(Problem(f"{exc}{_hint(fields, reading)}"))
        return
    batch.remarks.extend(remarks)
    batch.remarks.extend(Problem(f"{found.where}: {remark}") for remark in found.remarks)
    address = urlsplit(article.url).path if article.url else ""
    if reading.exclude and any(_is_excluded(each, reading) for each in (article.id, address)):
        batch.leave_out(found.where, EXCLUDED)
    elif found.left_out:
        batch.leave_out(found.where, found.left_out)
        _close(document, batch)
    elif not has_id and format.name not in RECORDS:
        pages.append((article, document))
    else:
        if not fields.get("url"):
            article = _with_address(article, document, reading, batch)
        batch.add(article, found.where, document if document.picks is not None else None)


def _id_of(document: Document, url: Any, reading: Reading) -> str:
    """The id of a page that has none, as is asked or as is usual for the format; what the way
    that is asked for does not give, the page's place or address does.
    """
    how = reading.ids if reading.ids != "auto" else DEFAULT_IDS.get(document.format, "canonical")
    if how == "stem" and document.format == "pages":
        return Path(document.path).stem
    # The records of one file have one place.
    place = "" if document.format in RECORDS else document.path
    path = (page_set.place_of(document) or HOME) if place else ""
    address = _path_of(document.canonical or url)
    found = address or path if how == "canonical" else path or address
    return found.rpartition("/")[2] if how == "stem" else found


def _path_of(address: Any) -> str:
    """The path of an address, with the parameters that may name the page; empty for none."""
    if not isinstance(address, str) or not address.strip():
        return ""
    try:
        parts, known = urlsplit(address.strip()), Address.of(address.strip())
    except ValueError:
        return ""
    query = urlencode(known.query)
    path = bare_path(parts.path) or (HOME if parts.path or parts.netloc else "")
    return f"{parts.path.strip('/')}?{query}" if query else path


def _with_sitemaps(
    pages: list[page_set.Page], files: list[Path], batch: Batch
) -> list[page_set.Page]:
    """The pages with what sitemaps say of them, where they do not say it themselves."""
    if not files:
        return pages
    sitemap, problems = read_sitemaps(files)
    batch.remarks.extend(problems)
    found: list[page_set.Page] = []
    n_listed = 0
    for article, document in pages:
        said = sitemap.fields_of(document.path) if document.title_found_in else None
        if said is not None:
            n_listed += 1
            record = {"id": article.id, "title": article.title, **said}
            other = from_record(record, where=document.where, remarks=batch.remarks)
            article = replace(
                article,
                url=article.url or document.canonical or other.url,
                updated_at=article.updated_at or other.updated_at,
                published_at=article.published_at or other.published_at,
                image=article.image or other.image,
                tags=article.tags or other.tags,
                language=article.language or other.language,
            )
        found.append((article, document))
    n_html = sum(bool(document.title_found_in) for _, document in pages)
    batch.notes.append(
        f"sitemap: {n_listed:,} of {n_html:,} pages are among its {len(sitemap.pages):,} addresses"
    )
    return found


def _settle(pages: list[page_set.Page], reading: Reading, batch: Batch) -> None:
    """Add the pages that were read together, after what only shows when they are compared."""
    pages, sentences = page_set.with_own_titles(pages)
    pages, more = page_set.without_navigation(pages)
    pages, ends = page_set.without_shared_ends(pages)
    batch.notes.extend([*sentences, *more, *ends])
    left_out = {} if reading.listings else page_set.listings(pages)
    left_out |= page_set.kinds_left_out(pages)
    for row, reason in left_out.items():
        batch.leave_out(pages[row][1].where, reason)
        _close(pages[row][1], batch)
    rows = [row for row in range(len(pages)) if row not in left_out]
    twins, wrong = page_set.copies(pages, rows)
    for row in sorted(wrong):
        article, document = pages[row]
        batch.remarks.append(
            Problem(
                f"{document.where}: the canonical address {document.canonical!r} is that of "
                "another page; left out"
            )
        )
        document = replace(document, canonical=None)
        pages[row] = (replace(article, id=_id_of(document, article.url, reading)), document)
    kept = _apart([pages[row] for row in rows if row not in twins])
    if twins:
        row, main = min(twins.items())
        batch.notes.append(
            f"{len(twins):,} copies of other pages left out (such as {pages[row][1].where}, a copy "
            f"of {pages[main][1].where})"
        )
    added = []
    for article, document in kept:
        article = _with_address(article, document, reading, batch)
        added.append((article, document))
        if batch.add(article, document.where, document) and document.raw is not None:
            batch.pages[article.id] = RawPage(document.path, document.raw)
    if places := page_set.found_in(added):
        batch.notes.append(places)
    if warning := page_set.titles_alike(added):
        batch.remarks.append(Problem(warning))


def _close(found: Document | LeftOut, batch: Batch) -> None:
    places = [bare_path(found.path)] if found.path else []
    if isinstance(found, Document):
        address = found.canonical or found.fields.get("url")
    else:
        address = found.url or None
    batch.closed |= {*places, *([url_key(address)] if isinstance(address, str) else [])}


def _apart(pages: list[page_set.Page]) -> list[page_set.Page]:
    """The pages with ids of their own: of ``knee.html`` and ``knee/index.html`` the second is
    ``knee/index``.
    """
    counts = Counter(article.id for article, _ in pages)
    found = []
    for article, document in pages:
        folder, _, name = document.path.rpartition("/")
        stem = name.partition(".")[0]
        if counts[article.id] > 1 and folder and stem in ("index", "default"):
            article = replace(article, id=f"{article.id}/{stem}")
        found.append((article, document))
    return found


def _with_address(article: Article, document: Document, reading: Reading, batch: Batch) -> Article:
    """The article at the address its page names, or else the one that the site has for its id; its
    picture as seen from there.
    """
    url = article.url or _seen_from(f"/{document.path}", document.canonical)
    if url and (fault := address_fault(url)):
        batch.remarks.append(Problem(f"{document.where}: field url: {fault}; left out"))
        url = None
    if not url and reading.url:
        url = _address_of(article, reading.url)
    image = article.image
    if image and document.title_found_in:  # a page of HTML, whose addresses are relative to it
        image = _seen_from(url or f"/{document.path}", image)
    return replace(article, url=url or None, image=image)


def _address_of(article: Article, template: str) -> str | None:
    """The address that the site has for an article; None for one without a date where it takes
    one.
    """
    date = (article.published_at or "")[:10].split("-")
    slug = DATED.sub("", article.id.rstrip("/").rpartition("/")[2])
    parts = {"id": article.id, "slug": slug, "category": article.category or ""}
    parts |= dict(zip(("year", "month", "day"), date if len(date) == 3 else [""] * 3, strict=True))
    if not all(parts[name] for name in HOLE.findall(template)):
        return None
    return HOLE.sub(lambda hole: quote(parts[hole[1]], safe="/"), template)


def _seen_from(base: str, address: str | None) -> str | None:
    """Where a relative address leads from a page; others are as they are."""
    if not address or address.startswith("//"):
        return address
    return joined(base, address) or address


def _in_our_case(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields by our names where they differ in nothing but case: "ID", "Title"."""
    return {
        low if (low := name.lower()) in READ and low not in fields else name: value
        for name, value in fields.items()
    }


def _inside(fields: Mapping[str, Any], name: str) -> Any:
    """The field of that name, or, with points, the one within others."""
    if name in fields:
        return fields[name]
    value: Any = fields
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _unread(fields: Mapping[str, Any], reading: Reading) -> list[str]:
    mapped = {name.partition(".")[0] for name in reading.fields.values()}
    return [name for name in fields if name.lower() not in READ and name not in mapped]


def _hint(fields: Mapping[str, Any], reading: Reading) -> str:
    """Where a needed field is missing and one has a name it often has: what to ask for."""
    by_name = {name.lower(): name for name in fields}
    html = fields.get("html")
    pairs = [
        f"{ours}={by_name[theirs]}"
        for ours, names in SYNONYMS.items()
        if not fields.get(ours) and ours not in reading.fields and not (ours == "body" and html)
        for theirs in [next((name for name in names if name in by_name), None)]
        if theirs
    ]
    return f"; perhaps --map {','.join(pairs)}" if pairs else ""
