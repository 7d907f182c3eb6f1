"""Addresses of pages: what is the same in the many ways to write one, and which article is meant.

>>> url_key("https://Example.org/knee/?utm_source=mail&b=2&a=1#top")
'example.org/knee?a=1&b=2'

>>> finder = Finder([("knee", "https://example.org/knee.html"), ("hip", "/hip")])
>>> finder.at("http://www.example.org/knee.html?utm_source=mail"), finder.at("/knee.html")
('knee', 'knee')
>>> finder.at("https://elsewhere.com/knee.html") is None
True
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

# Addresses: a log names the same few thousand pages over and over. Not tuned.
REMEMBERED = 100_000
# Parameters of where a reader came from, not of which page it is.
TRACKING = {
    "fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "twclid",
    "ttclid", "igshid", "li_fat_id", "mc_cid", "mc_eid", "mkt_tok", "_ga", "_gl", "_hsenc",
    "_hsmi", "vero_id", "oly_enc_id", "oly_anon_id", "wickedid", "s_cid", "srsltid", "ref_src",
}  # fmt: skip
TRACKING_PREFIXES = ("utm_", "pk_", "mtm_", "matomo_", "hsa_", "at_", "ga_")

SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
# Browsers drop some of these and take a backslash for a slash, others do not: what leads where is
# a matter of the reader.
UNCLEAR = re.compile(r"[\x00-\x1f\x7f\\]")
# What nearly all addresses are, known at a glance.
USUAL = re.compile(r"https?://[a-z0-9][a-z0-9.-]*(?:/[^\x00-\x1f\x7f\\]*)?")


def address_fault(url: str) -> str | None:
    """Why an address cannot stand in a link; None if it can: one of http or https with a host, or
    one that is relative to the page, ``//host/path`` included.

    >>> address_fault("JavaScript:alert(1)"), address_fault("https://example.org/a?b=c:d")
    ("an address of 'javascript:', where only http, https and relative ones can be used", None)
    """
    if USUAL.fullmatch(url):
        return None
    shown = f"{url[:40]!r}"
    if UNCLEAR.search(url):
        return f"no address: a control character or a backslash in {shown}"
    url = url.strip()
    if (scheme := SCHEME.match(url)) and scheme[1].lower() not in ("http", "https"):
        name = scheme[0].lower()[:40]
        return f"an address of {name!r}, where only http, https and relative ones can be used"
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as exc:
        return f"no address: {exc} in {shown}"
    if scheme and not has_host:
        return f"no address: no host in {shown}"
    if "@" in parts.netloc:
        return f"an address with a user's name: {shown}"
    return None


def url_key(url: str) -> str:
    """The address without scheme, default port, fragment, tracking parameters and final slash.

    Parameters are put in order. A text that is no address comes back as it is.
    """
    try:
        return _key(url.strip())
    except ValueError:  # a port that is no number, half of a surrogate pair
        return url.strip()


def _key(url: str) -> str:
    parts = urlsplit(url)
    host, port = (parts.hostname or "").rstrip("."), parts.port
    kept = sorted(
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name.lower() not in TRACKING and not name.lower().startswith(TRACKING_PREFIXES)
    )
    place = host if port in (None, 80, 443) else f"{host}:{port}"
    path = quote(unquote(parts.path, errors="replace"), safe="/:@!$&'()*+,;=~-._").rstrip("/")
    return f"{place}{path}" + (f"?{urlencode(kept)}" if kept else "")


def leads_to_page(url: str) -> bool:
    """Whether a browser may be sent there: it has no ``address_fault``.

    >>> leads_to_page("/knee?of=1:2"), leads_to_page("java\\nscript:alert(1)")
    (True, False)
    """
    return address_fault(url) is None


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
        # A parameter that no address has seldom makes another page, except on the home page, where
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
