"""Articles out of files of any known format, as one batch that can be applied or refused whole.

Reading and storing are apart: what comes out of here is a value, and the store links it to what
it holds and applies it, in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from recommender.articles import html_page
from recommender.articles import text_page as pages
from recommender.articles.addresses import address_fault
from recommender.articles.article import Article, from_record, stub_for
from recommender.articles.html_page import Selectors
from recommender.articles.text_page import Page
from recommender.articles.title_matching import TitleIndex
from recommender.errors import ArticleError, InputError
from recommender.files import (
    FORMATS,
    Problem,
    Tolerance,
    decode,
    files_in,
    format_of,
    named_format,
    read_bytes,
    read_records,
    unpacked,
)
from recommender.progress import Progress, Silent, tracked

# More bad records than good ones are reason enough to stop, once there are so many; not tuned.
MAX_PROBLEMS = 1_000_000


@dataclass(slots=True)
class RawPage:
    """A text page as it came: where below the imported folder, and its bytes uncompressed."""

    path: str
    raw: bytes


@dataclass(slots=True)
class Batch:
    """Articles to apply, by id; ``pages`` are the text pages they came from, for export. What was
    left out of files and records that were read is in ``remarks``, files and folders ``skipped``.
    """

    articles: dict[str, Article] = field(default_factory=dict)
    pages: dict[str, RawPage] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)
    skipped: list[Problem] = field(default_factory=list)
    n_records: int = 0
    # The titles each page points at, until ``link`` knows every article there is.
    drafts: dict[str, Page] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def add(self, article: Article, where: str, page: Page | None = None) -> bool:
        """Take the article, unless its id came before; then the second one is the problem,
        if it is not the same again.
        """
        if article.id in self.articles:
            if (self.articles[article.id], self.drafts.get(article.id)) != (article, page):
                first = self.places[article.id]
                self.problems.append(
                    Problem(f"{where}: field id: {article.id!r} stands at {first} already")
                )
            return False
        self.articles[article.id] = article
        self.places[article.id] = where
        if page is not None:
            self.drafts[article.id] = page
        return True

    def add_record(self, record: Mapping[str, Any], where: str) -> None:
        """Take the article of a record; if it is faulty, that is a problem."""
        try:
            self.add(from_record(record, where=where, remarks=self.remarks), where)
        except ArticleError as exc:
            self.problems.append(Problem(str(exc)))


def read_articles(
    paths: list[Path],
    *,
    format: str = "auto",
    selectors: Selectors | None = None,
    url: str = "",
    progress: Progress | None = None,
) -> Batch:
    """Read articles from files and folders. Raises ``InputError`` for a path that is not there.

    ``format`` is ``auto`` (by the file's name), ``pages``, ``html``, ``jsonl``, ``csv`` or
    ``parquet``. ``url`` is the address of pages that do not have theirs, with ``{id}`` in place of
    the id. ``TooManyBadRecords`` if bad ones have no end. The batch is not linked: the titles of
    its pages are still titles.
    """
    if url and "{id}" not in url:
        raise InputError(f"--url {url!r}: must hold {{id}}, or all pages would have one address")
    if fault := address_fault(url.replace("{id}", "1")):
        raise InputError(f"--url {url!r}: {fault}")
    progress = progress or Silent()
    batch = Batch()
    meant = {format} if format != "auto" else {*FORMATS.values()}
    roots = {
        file: path if path.is_dir() else path.parent
        for path in paths
        for file in files_in(
            [path], lambda file: named_format(file) in meant, skipped=batch.skipped
        )
    }
    progress.stage("reading articles", len(roots))
    for file in tracked(roots, progress):
        file_format = format_of(file) if format == "auto" else format
        if file_format in ("pages", "html"):
            batch.n_records += 1
            _read_page(batch, file, roots[file], file_format, selectors, url)
        else:
            for found in read_records(file, file_format):
                batch.n_records += 1
                if isinstance(found, Problem):
                    batch.problems.append(found)
                else:
                    batch.add_record(found.fields, found.where)
                if len(batch.problems) > max(MAX_PROBLEMS, batch.n_records / 2):
                    Tolerance().check(batch.problems, batch.n_records)
    if batch.n_records == 0:
        batch.problems.append(Problem(f"{', '.join(map(str, paths))}: no record in it"))
        batch.n_records = 1
    return batch


def _read_page(
    batch: Batch, file: Path, root: Path, format: str, selectors: Selectors | None, url: str
) -> None:
    where = str(file)
    try:
        raw = read_bytes(file)
        text = decode(raw, where=where)
        if format == "html":
            page = html_page.parse(text, where=where, selectors=selectors)
        else:
            page = pages.parse(text, where=where)
        id = unpacked(file).stem
        record = {"id": id, "title": page.title, "body": page.body, "url": page.url}
        article = from_record(
            {**record, "language": page.language}, where=where, remarks=batch.remarks
        )
        if url and not article.url:
            article = replace(article, url=url.replace("{id}", quote(id, safe="")))
    except (InputError, ArticleError) as exc:
        batch.problems.append(Problem(str(exc)))
        return
    if batch.add(article, where, page) and format == "pages":
        name = file.relative_to(root).as_posix().removesuffix(".gz")
        batch.pages[article.id] = RawPage(name, raw)


@dataclass(frozen=True, slots=True)
class Linked:
    """A batch whose titles have become ids. ``stubs`` are the titles no article has;
    ``aliases`` holds which stubs of the store have become real, as ``{stub id: article id}``.
    """

    articles: dict[str, Article]
    stubs: dict[str, Article]
    aliases: dict[str, str]


def link(batch: Batch, known: Iterable[Article]) -> Linked:
    """Turn the titles of the batch's pages into ids, of the batch itself and of ``known``, the
    articles of the store. What a format has no field for stays as ``known`` has it.
    """
    stored = {article.id: article for article in known}
    others = [article for article in stored.values() if article.id not in batch.articles]
    real = [article for article in others if not article.stub]
    index = TitleIndex([*batch.articles.values(), *real])
    stubs: dict[str, Article] = {}

    def resolve(title: str, teaser: str = "") -> str:
        if (found := index.find(title)) is not None:
            return found
        stub = stub_for(title, teaser=teaser)
        # The block with a teaser knows more than the arrow without.
        if stub.id not in stubs or (teaser and not stubs[stub.id].teaser):
            stubs[stub.id] = stub
        return stub.id

    aliases = {
        article.id: id
        for article in others
        if article.stub and (id := index.find(article.title)) is not None
    }
    articles = {}
    for article in batch.articles.values():
        old = stored.get(article.id)
        if page := batch.drafts.get(article.id):
            articles[article.id] = replace(
                _of_page(article, old),
                recommended=tuple(resolve(title, teaser) for title, teaser in page.recommended),
                previous=resolve(page.previous) if page.previous else None,
                next=resolve(page.next) if page.next else None,
            )
        elif old is not None:  # a record has no fields for what stands before and after
            articles[article.id] = replace(
                article,
                previous=old.previous and aliases.get(old.previous, old.previous),
                next=old.next and aliases.get(old.next, old.next),
            )
        else:
            articles[article.id] = article
    return Linked(articles, stubs, aliases)


def _of_page(new: Article, old: Article | None) -> Article:
    """A page knows no category and no tags, nor that it is sensitive: those of ``old`` stay."""
    if old is None:
        return new
    return replace(
        old,
        title=new.title,
        body=new.body,
        url=new.url or old.url,
        language=new.language or old.language,
        stub=False,
    )
