"""Which article is meant: other people's logs speak of pages by address, not by id.

>>> finder = Finder([("knee", "https://example.org/knee.html"), ("hip", "/hip")])
>>> finder.at("http://www.example.org/knee.html?utm_source=mail"), finder.at("/knee.html")
('knee', 'knee')
>>> finder.at("https://elsewhere.com/knee.html") is None
True
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from recommender.articles.urls import url_key

REMEMBERED = 100_000


class Finder:
    """Finds articles by id or address; ``articles`` are pairs of both, the address may be None.

    An address is compared as ``url_key`` leaves it. One without a host, or on a host of the site
    written otherwise (``www.`` or not), is found by its path, if only one article has that path.
    """

    def __init__(self, articles: Iterable[tuple[str, str | None]] = ()) -> None:
        self.ids: set[str] = set()
        self.by_key: dict[str, str] = {}
        self.by_path: dict[str, str | None] = {}  # None: several articles have this path
        self.hosts: set[str] = set()
        for id, url in articles:
            self.ids.add(id)
            if not url:
                continue
            self.by_key.setdefault(url_key(url), id)
            host, path = _split(url)
            if host:
                self.hosts.add(host)
            self.by_path[path] = id if self.by_path.get(path, id) == id else None
        # A log names the same few thousand pages over and over.
        self.at = lru_cache(maxsize=REMEMBERED)(self._at)

    def named(self, text: str) -> str | None:
        """The id of the article whose id or address this is."""
        return text if text in self.ids else self.at(text)

    def _at(self, address: str) -> str | None:
        """The id of the article at this address, with a host or without."""
        address = address.strip()
        found = self.by_key.get(url_key(address))
        if found is not None or not address:
            return found
        host, path = _split(address)
        if host and self.hosts and host not in self.hosts:
            return None
        # A parameter nobody told us of seldom makes another page, except on the home page, where
        # some sites have them all.
        bare = path.partition("?")[0]
        return self.by_path.get(path) or (self.by_path.get(bare) if bare else None)


def _split(address: str) -> tuple[str, str]:
    """Host without ``www.``, and what follows it as ``url_key`` leaves it.

    >>> _split("https://www.example.org/a/?b=1"), _split("//a")
    (('example.org', '/a?b=1'), ('', '//a'))
    """
    host, rest = "", address
    if not address.startswith("/"):
        try:
            parts = urlsplit(address)
            host = (parts.hostname or "").rstrip(".").removeprefix("www.")
        except ValueError:  # half of an IPv6 address
            return "", address
        if not host:
            return "", address
        rest = f"{parts.path}?{parts.query}"
    # Behind a host of its own, a path that begins with two slashes stays a path.
    key = url_key(f"http://x{rest}")
    return host, key[1:] if key.startswith("x") else rest
