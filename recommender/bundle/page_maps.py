"""Lists as one JSON file by page, which templates of Hugo, Eleventy and Jekyll look up.

``lists`` has the links of each page by its key, ``articles`` what a link shows, once for all lists.
Both are in the order of keys, one to a line, so that versions compare well.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recommender.bundle.addressing import NOWHERE, Site, encoded
from recommender.bundle.composition import Link
from recommender.bundle.static_slates import Signed

# By what a generator knows its pages, of an article's path.
MAPS: dict[str, Callable[[Site, str], str]] = {
    "hugo": lambda site, path: encoded(path),
    "eleventy": lambda site, path: site.below(path),
    "jekyll": lambda site, path: encoded(site.below(path)),
}
# What a page is found by: the path of its address, or its id.
KEYS = ("path", "id")


@dataclass
class PageMap:
    """Collects lists for one of ``MAPS``."""

    generator: str
    site: Site = NOWHERE
    by: str = KEYS[0]
    lists: dict[str, Any] = field(default_factory=dict)
    articles: dict[str, Any] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)

    def key(self, link: Link) -> str:
        """What an article is found by; its id if it has no address."""
        if self.by == "id" or self.site.link(link.url) is None:
            return link.id
        return MAPS[self.generator](self.site, self.site.path(link.url or ""))

    def add(self, page: Link, links: Sequence[Link], signed: Signed | None) -> None:
        """The list of a page; of two at one address the first."""
        key = self.key(page)
        if key in self.lists:
            self.left["pages are at the address of another, and have its list"] += 1
            return
        if self.by != "id" and key == page.id:
            self.left["pages have no address, and are found by their ids"] += 1
        self.lists[key] = {"slate": signed.token} if signed and links else {}
        self.lists[key]["links"] = [self.key(link) for link in links]
        for link in links:
            self.articles.setdefault(self.key(link), self._shown(link))

    def _shown(self, link: Link) -> Mapping[str, Any]:
        shown = {
            "id": link.id,
            "url": self.site.link(link.url),
            "title": link.title,
            "teaser": link.teaser,
            "image": self.site.link(link.image),
            "date": link.published_at and link.published_at[:10],
            "language": link.language,
        }
        return {name: value for name, value in shown.items() if value}

    def text(self) -> Iterator[str]:
        """The file, piece by piece."""
        yield '{\n"lists": {'
        yield from _lines(self.lists)
        yield '},\n"articles": {'
        yield from _lines(self.articles)
        yield "}\n}\n"


def _lines(values: Mapping[str, Any]) -> Iterator[str]:
    comma = "\n"
    for key in sorted(values):
        yield f"{comma}{_json(key)}: {_json(values[key])}"
        comma = ",\n"
    yield "\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
