"""Sitemaps: which addresses a site has, since when, with which pictures. They hold no texts, so
they say more of the pages of a mirror, found by the path of the address.

>>> sitemap = Sitemap({"a/b": {"url": "https://example.org/a/b/"}}, frozenset(["example.org"]))
>>> sitemap.fields_of("example.org/a/b/index.html")
{'url': 'https://example.org/a/b/'}
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from recommender.articles.formats.base import (
    Found,
    Head,
    ending_of,
    faults_of_file,
    kept,
    names_of,
    plain_title,
    whole,
)
from recommender.articles.formats.xml_stream import Element, XmlFile, root_of, text_in
from recommender.files import MAX_RECORD_BYTES, Problem

ROOTS = ("urlset", "sitemapindex")
ALONE = (
    "a sitemap lists addresses and holds no texts: name the folder of the site's pages beside it, "
    "as in: recommender import articles sitemap.xml mirror/"
)
# A sitemap has 50,000 addresses at most, by its protocol; so many of them are a site's.
MAX_ADDRESSES = 5_000_000
MAX_FILES = 1_000
PAGE = re.compile(r"(?:^|(?<=/))(?:index|default)\.\w+$|\.(?:x?html?|php|aspx?|jsp)$|/$", re.I)


def recognises(head: Head) -> bool:
    """Whether it is a sitemap of XML, or a text file of nothing but addresses."""
    if root_of(head) in ROOTS:
        return True
    if ending_of(head.path) != ".txt":
        return False
    lines = [line.strip() for line in head.text.splitlines() if line.strip()]
    return len(lines) > 1 and all(re.match(r"https?://\S+$", line) for line in lines[:-1])


def read(file: Path, root: Path) -> Iterator[Found]:
    """No article: a problem that says what to do."""
    yield Problem(f"{file}: {ALONE}")


@dataclass(frozen=True, slots=True)
class Sitemap:
    """What sitemaps say of pages, by the paths of their addresses: ``url``, ``updated_at``,
    ``image``, and of news ``title``, ``published_at``, ``tags`` and ``language``. ``hosts`` are
    those of the addresses, which mirrors have for folders.
    """

    pages: Mapping[str, Mapping[str, Any]]
    hosts: frozenset[str] = frozenset()

    def fields_of(self, path: str) -> Mapping[str, Any] | None:
        """What is said of the page at that place of the mirror; None if it is not listed."""
        host, _, rest = path.partition("/")
        if host.lower() in self.hosts:
            path = rest
        return self.pages.get(page_key(path))


def page_key(path: str) -> str:
    """What a file of a mirror and the address of its page have in common.

    >>> page_key("/2025/caf%C3%A9/"), page_key("2025/café/index.html"), page_key("2025/café.html")
    ('2025/café', '2025/café', '2025/café')
    """
    plain = unicodedata.normalize("NFC", unquote(path))
    while (shorter := PAGE.sub("", plain)) != plain:
        plain = shorter
    return plain.strip("/")


def read_sitemaps(files: Iterable[Path]) -> tuple[Sitemap, list[Problem]]:
    """All that these sitemaps say, and what is wrong with them. Of an index those of its sitemaps
    are read that stand beside it.
    """
    pages: dict[str, Mapping[str, Any]] = {}
    hosts: set[str] = set()
    problems: list[Problem] = []
    waiting = list(files)
    seen: set[Path] = set()
    while waiting and len(seen) < MAX_FILES:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        n_before = len(problems)
        n_missing = n_found = 0
        for address, fields in _entries(file, problems):
            n_found += 1
            if fields is None:
                beside = file.parent / Path(path_of_address(address)).name
                if beside.is_file() and not beside.is_symlink():
                    waiting.append(beside)
                else:
                    n_missing += 1
                continue
            hosts.add(_host(address))
            pages.setdefault(page_key(path_of_address(address)), fields)
            if len(pages) > MAX_ADDRESSES:
                problems.append(Problem(f"{file}: more than {MAX_ADDRESSES:,} addresses"))
                return Sitemap(pages, frozenset(hosts)), problems
        if not n_found and len(problems) == n_before:
            problems.append(Problem(f"{file}: no address in it"))
        if n_missing:
            problems.append(
                Problem(f"{file}: {n_missing:,} of the sitemaps it names do not stand beside it")
            )
    return Sitemap(pages, frozenset(hosts - {""})), problems


def _entries(file: Path, problems: list[Problem]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Addresses with what is said of them; None for those of other sitemaps."""
    if ending_of(file) == ".txt":
        with faults_of_file(file, problems), whole(file) as lines:
            raw = lines.read(MAX_RECORD_BYTES * 5)
            for line in raw.decode("utf-8", "replace").splitlines():
                if line.strip():
                    yield line.strip(), {"url": line.strip()}
        return
    xml = XmlFile(file)
    for element in xml.elements("url", "sitemap"):
        fields = _said(element)
        if address := fields["url"]:
            yield address, None if element.tag.endswith("sitemap") else kept(fields)
    problems += xml.problems


def _said(element: Element) -> dict[str, Any]:
    texts: dict[str, str] = {}
    for each in element.iter():
        if isinstance(each.tag, str) and len(each) == 0:
            namespace, _, name = each.tag.rpartition("}")
            kind = next((kind for kind in ("image", "news", "video") if kind in namespace), "")
            texts.setdefault(f"{kind}:{name}" if kind else name, text_in(each))
    return {
        "url": texts.get("loc", ""),
        "updated_at": texts.get("lastmod", ""),
        "image": texts.get("image:loc", ""),
        "title": plain_title(texts.get("news:title", "")),
        "published_at": texts.get("news:publication_date", ""),
        "tags": names_of(texts.get("news:keywords", "")),
        "language": texts.get("news:language", ""),
    }


def path_of_address(address: str) -> str:
    """The path with its query, which is a page of its own; empty for what is no address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _host(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""
