"""Links of documents to articles: by where they lead, and by their titles where they lead nowhere.

>>> batch = Batch()
>>> page = Document("hip.html", {}, path="hip.html", picks=(Pick("As knees do", url="knee.html"),))
>>> for id, document in (("knee", Document("knee.html", {}, path="knee.html")), ("hip", page)):
...     _ = batch.add(Article(id, id.title()), f"{id}.html", document)
>>> link(batch, []).articles["hip"].recommended
('knee',)
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import unquote, urlsplit

from recommender.articles.addresses import Finder, joined, url_key
from recommender.articles.article import Article, stub_for
from recommender.articles.batch import Batch
from recommender.articles.document import Document, Pick
from recommender.articles.teasers import openings, with_teaser
from recommender.articles.title_matching import TitleIndex
from recommender.progress import Progress, Silent, tracked

# Where pages lie that have no address: joined with a link it shows which page of the folder is
# meant.
NOWHERE = "file.invalid"
DATED = re.compile(r"^\d{4}-\d\d?-\d\d?-")
# Articles after which a step of them is reported.
REPORTED = 1_000
DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Linked:
    """A batch whose links have become ids. ``stubs`` are the titles no article has; ``aliases``
    holds which stubs of the store have become real, as ``{stub id: article id}``. ``n_elsewhere``
    links lead to other sites, ``n_nowhere`` to what was left out, or to no article without a title.
    """

    articles: dict[str, Article]
    stubs: dict[str, Article]
    aliases: dict[str, str]
    n_elsewhere: int = 0
    n_nowhere: int = 0


class _Links:
    """Finds what the links of a batch mean, among its articles and ``others``."""

    def __init__(self, batch: Batch, others: list[Article]) -> None:
        self.articles = [*batch.articles.values(), *others]
        self.paths = {
            bare_path(document.path): id for id, document in batch.drafts.items() if document.path
        }
        stems: dict[str, list[str]] = defaultdict(list)
        for path, id in self.paths.items():
            stems[DATED.sub("", path.rpartition("/")[2])].append(id)
        for path, id in list(self.paths.items()):  # sites leave the day out, or make folders of it
            folder, _, name = path.rpartition("/")
            if dated := DATED.match(name):
                undated = name[dated.end() :]
                self.paths.setdefault(f"{folder}/{undated}".strip("/"), id)
                day = "/".join(f"{int(part):02}" for part in DIGITS.findall(dated[0]))
                self.paths.setdefault(f"{day}/{undated}", id)
        self.stems = {stem: ids[0] for stem, ids in stems.items() if len(ids) == 1}
        self.closed = batch.closed
        self.stubs: dict[str, Article] = {}
        self.n_elsewhere = self.n_nowhere = 0

    @cached_property
    def titles(self) -> TitleIndex:
        """The articles by their titles."""
        return TitleIndex(self.articles)

    @cached_property
    def addresses(self) -> Finder:
        """The articles by their addresses."""
        return Finder((article.id, article.url) for article in self.articles)

    def id_of(self, pick: Pick, article: Article, document: Document) -> str | None:
        """The article that is meant, or a stub; None for another site, or for nothing."""
        address = pick.url.strip() if pick.url else ""
        if address and (found := self._at(address, article, document)):
            return found
        if address and self._is_closed(address, article, document):
            self.n_nowhere += 1
            return None
        if pick.title and (found := self.titles.find(pick.title)) is not None:
            return found
        is_address = joined("", address) is not None
        if address and is_address and self._is_elsewhere(address, article):
            self.n_elsewhere += 1
            return None
        if not pick.title or not is_address:
            self.n_nowhere += 1
            return None
        stub = stub_for(pick.title, teaser=pick.teaser)
        # The block with a teaser knows more than the arrow without.
        if stub.id not in self.stubs or (pick.teaser and not self.stubs[stub.id].teaser):
            self.stubs[stub.id] = stub
        return stub.id

    def _is_closed(self, address: str, article: Article, document: Document) -> bool:
        """Whether it leads to a page that was left out, such as one that lists others."""
        if not self.closed:
            return False
        absolute = joined(article.url or f"/{document.path}", address)
        if absolute is None:
            return False
        places = (url_key(absolute), bare_path(urlsplit(absolute).path))
        return any(place in self.closed for place in places)

    def _at(self, address: str, article: Article, document: Document) -> str | None:
        if address in self.addresses.ids:
            return address
        base = article.url or ""
        if not urlsplit(base).netloc:
            base = f"//{NOWHERE}/{base.lstrip('/') or document.path}"
        absolute = joined(base, address)
        if absolute is None:
            return None
        parts = urlsplit(absolute)
        found = self.addresses.at(address)
        if parts.netloc != NOWHERE:
            found = self.addresses.at(absolute) or found
        elif parts.path:
            found = self.addresses.at(parts.path) or found
        if found or self._is_elsewhere(absolute, article):
            return found
        # A page of the folder: below its root, or beside the page that links to it.
        beside = joined(f"//{NOWHERE}/{document.path}", address) or ""
        # Mirrors of several hosts have a folder for each.
        host, rest = document.path.partition("/")[0], parts.path.lstrip("/")
        places = (parts.path, urlsplit(beside).path, f"{host}/{rest}")
        found = next((self.paths[key] for key in map(bare_path, places) if key in self.paths), None)
        # Writers name other posts by their files' names alone.
        return found or self.stems.get(bare_path(address.strip("/")))

    def _is_elsewhere(self, address: str, article: Article) -> bool:
        host = (urlsplit(address).hostname or "").removeprefix("www.")
        own = (urlsplit(article.url or "").hostname or "").removeprefix("www.")
        return bool(host) and host not in (NOWHERE, own, *self.addresses.pages.hosts)


def bare_path(path: str) -> str:
    """A path without slashes around it, ``index`` and the ending of pages.

    >>> bare_path("/2025/garlic/index.html"), bare_path("caf%C3%A9.htm"), bare_path("index.html")
    ('2025/garlic', 'café', '')
    """
    folder, _, name = unquote(path.partition("?")[0]).strip("/").rpartition("/")
    stem, dot, ending = name.rpartition(".")
    if dot and ending.lower() in ENDINGS:
        name = stem
    if name.lower() in ("index", "_index", "default"):
        name = ""
    return f"{folder}/{name}".strip("/")


# The id of the page that stands at the root.
HOME = "index"
# Of pages, as they stand in the names of files and in addresses.
ENDINGS = ("html", "htm", "xhtml", "shtml", "php", "asp", "aspx", "jsp", "md", "mdx", "markdown",
           "txt")  # fmt: skip


def link(batch: Batch, known: Iterable[Article], progress: Progress | None = None) -> Linked:
    """Turn the links of the batch's documents into ids, of the batch itself and of ``known``, the
    articles of the store, and give each article its teaser. What a format has no field for stays
    as ``known`` has it.
    """
    stored = {article.id: article for article in known}
    others = [article for article in stored.values() if article.id not in batch.articles]
    links = _Links(batch, [article for article in others if not article.stub])
    aliases = {
        article.id: id
        for article in others
        if article.stub and (id := links.titles.find(article.title)) is not None
    }
    shared = openings(batch.articles.values())
    articles = {}
    for article in tracked(batch.articles.values(), progress or Silent(), every=REPORTED):
        old = stored.get(article.id)
        document = batch.drafts.get(article.id)
        if article.id not in batch.pages:
            article = with_teaser(article, most=batch.teaser_characters, shared=shared)
        if document is not None:
            found = (links.id_of(pick, article, document) for pick in document.picks or ())
            beside = [
                links.id_of(pick, article, document) if pick else None
                for pick in (document.previous, document.next)
            ]
            articles[article.id] = replace(
                _filled(article, old),
                recommended=tuple(id for id in found if id),
                previous=beside[0],
                next=beside[1],
            )
        elif old is not None:  # a record has no fields for what stands before and after
            articles[article.id] = replace(
                article,
                previous=old.previous and aliases.get(old.previous, old.previous),
                next=old.next and aliases.get(old.next, old.next),
            )
        else:
            articles[article.id] = article
    return Linked(articles, links.stubs, aliases, links.n_elsewhere, links.n_nowhere)


def _filled(new: Article, old: Article | None) -> Article:
    """What a page leaves open stays as it was: it may know no category, and never that it is
    sensitive.
    """
    if old is None:
        return new
    return replace(
        new,
        teaser=new.teaser or old.teaser,
        url=new.url or old.url,
        category=new.category or old.category,
        tags=new.tags or old.tags,
        published_at=new.published_at or old.published_at,
        updated_at=new.updated_at or old.updated_at,
        language=new.language or old.language,
        author=new.author or old.author,
        image=new.image or old.image,
        sensitive=new.sensitive or old.sensitive,
    )
