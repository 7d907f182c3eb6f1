"""Where links of static pages lead, and by what a page is found in a map of lists.

>>> site = Site("https://example.org/docs/")
>>> site.link("knee.html"), site.link("/hip"), site.link("javascript:alert(1)")
('https://example.org/docs/knee.html', 'https://example.org/hip', None)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urljoin, urlsplit

from recommender.articles.addresses import leads_to_page

# What ends the address of a file rather than of a page in a folder: .html, .php, .aspx; not the
# number of a version.
ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")
INDEX = re.compile(r"(?<=/)index\.html?$", re.IGNORECASE)
# What stands in a path as it is, by Go's net/url, which Hugo writes addresses with.
PLAIN = "/$&+,:;=@-_.~!'()*"


@dataclass(frozen=True, slots=True)
class Site:
    """What addresses are relative to: ``address``, such as ``https://example.org/docs/`` or
    ``/docs/``; empty: to the page, as they are.
    """

    address: str = ""

    def link(self, url: str | None) -> str | None:
        """The address as a page may link to it; None for what leads to no page."""
        if not url or not leads_to_page(url):
            return None
        return urljoin(self.address, url.strip()) if self.address else url

    def path(self, url: str) -> str:
        """The path of an article's address as generators of static sites write it: from the root,
        decoded, a page in a folder with a slash at its end.

        >>> Site().path("https://example.org/posts/%E8%86%9D"), Site().path("/a/index.html?x=1")
        ('/posts/膝/', '/a/?x=1')
        """
        parts = urlsplit(urljoin(self.address, url) if self.address else url)
        path = "/" + _decoded(parts.path).lstrip("/")
        path = INDEX.sub("", path)
        if not path.endswith("/") and not ENDING.search(path):
            path += "/"
        return f"{path}?{parts.query}" if parts.query else path

    @property
    def root(self) -> str:
        """The path of the site, with a slash at both ends.

        >>> Site("https://example.org/docs").root, Site().root
        ('/docs/', '/')
        """
        parts = _decoded(urlsplit(self.address).path).strip("/")
        return f"/{parts}/" if parts else "/"

    def holds(self, path: str) -> bool:
        """Whether a path is the site's."""
        return path.startswith(self.root)

    def below(self, path: str) -> str:
        """The path without that of the site, as Eleventy and Jekyll know their pages.

        >>> Site("https://example.org/docs/").below("/docs/knee/"), Site("/docs").below("/docsets/")
        ('/knee/', '/docsets/')
        """
        return path[len(self.root) - 1 :] if self.holds(path) else path


def is_address(text: str) -> bool:
    """Whether it may be what a site's addresses are relative to.

    >>> is_address("https://example.org/docs/"), is_address("/docs/")
    (True, True)
    >>> is_address("example.org"), is_address("javascript:alert(1)"), is_address("https:///docs")
    (False, False, False)
    """
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return False
    if any(each.isspace() or each in '\\"<>?#' for each in text):
        return False
    return bool(host) if parts.scheme in ("http", "https") else text.startswith("/")


# Addresses stay relative to the page they stand on.
NOWHERE = Site()


def encoded(path: str) -> str:
    """A path as it stands in an address: as Hugo and Jekyll have it.

    >>> encoded("/posts/膝/(a+b)/100%/")
    '/posts/%E8%86%9D/(a+b)/100%25/'
    """
    path, question, query = path.partition("?")
    return quote(path, safe=PLAIN) + question + query


def _decoded(path: str) -> str:
    """Without percent signs, unless these are no text in UTF-8."""
    try:
        return unquote(path, errors="strict")
    except UnicodeDecodeError:
        return path
