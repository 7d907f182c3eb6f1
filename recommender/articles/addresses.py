"""Addresses of pages: what is the same in the many ways to write one, and which article is meant.

``url_key`` undoes what never makes another page. What seldom does (a file's ending, letter case, an
AMP twin) is matched against the addresses that a site really has, and only if exactly one article
is left: a ``PageIndex`` answers with its row and with what had to be assumed.

>>> url_key("https://Example.org/knee/?utm_source=mail&b=2&a=1#top")
'example.org/knee?a=1&b=2'

>>> finder = Finder([("knee", "https://example.org/knee.html"), ("hip", "/hip")])
>>> finder.at("http://www.example.org/knee.html?utm_source=mail"), finder.at("/amp/knee")
('knee', 'knee')
>>> finder.at("https://elsewhere.com/knee.html") is None
True
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable
from functools import cached_property, lru_cache
from itertools import islice
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode, urljoin, urlsplit

from recommender.articles.tracking import is_certain, is_tracking

# Addresses: a log names the same few thousand pages over and over. Not tuned.
REMEMBERED = 100_000

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


def joined(base: str, address: str) -> str | None:
    """Where an address leads from the page at ``base``; None if that is no address.

    >>> joined("/knee/index.html", "../hip.html"), joined("/knee.html", "http://[::1")
    ('/hip.html', None)
    """
    try:
        found = urljoin(base, address)
        urlsplit(found)  # without a base nothing is taken apart
    except ValueError:
        return None
    return found


# Addresses whose key can be read off: nothing in them can be written in two ways.
PLAIN = re.compile(
    r"https?://([a-z0-9-]+(?:\.[a-z0-9-]+)*)((?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*)/?"
)
PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*/?")
KEPT = "/:@!$&'()*+,;=~-._"  # what a path may hold as it is

SLASH = re.compile("%2f", re.IGNORECASE)
ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
# Sessions of servers in a path: of Java, PHP and ColdFusion, and of ASP.NET.
SESSION = re.compile(
    r";(?:jsessionid|phpsessid|sid|session_?id|cfid|cftoken)=[^/;?]*|/\((?:[A-Z]\([^()/]*\))+\)(?=/|$)",
    re.IGNORECASE,
)
# A second question mark, or none: what follows was meant as a parameter.
JOINED = re.compile(r"[?&;](?:amp;)?([A-Za-z_][\w.-]*)(?:=([^&;?]*)|(?=[&;?]|$))")
# What no program calls a parameter: a page's place or number.
ROUTE = re.compile(r"\d|[^=]*[/?]")
# A fragment that scripts make a page of.
SCRIPTED = re.compile(r"!?/.")
# Blanks that one sees, and some that one does not.
BLANKS = " \t\r\n\v\f\xa0\u200b\u200c\u200d\u2060\ufeff"

# What is left out or put in by servers and people. Endings of pages, not of other files.
ENDING = re.compile(
    r"\.(?:x?html?|shtml?|phtml|php\d?|aspx?|jspx?|jsf|cfml?|cgi|pl|do|action|amp|mdx?)$"
)
MOST_ENDINGS = 2
THROUGH = re.compile(r"/index\.php/(?=.)")
TWINS = frozenset(("print", "printable", "printview", "print-view", "printpage", "print-version",
                   "drucken", "druckversion", "imprimer", "imprimir", "stampa"))  # fmt: skip
MOBILE = frozenset(("m", "mobile", "mobil"))
LATER = re.compile(
    r"(?P<form>/(?:page|seite|pagina|p|pg)/(?=\d{1,3}$)|/(?P<alone>)(?=\d{1,2}$)"
    r"|/(?:comment-)?page[-_]?(?=\d{1,4}$)|/(?:seite|pagina|p)[-_]?(?=\d{1,3}$))(?P<number>\d+)$"
)
# Numbers behind it are months and days.
DATED = re.compile(r"/(?:19|20)\d\d(?:/\d{1,2})?$")
# Characters that a text around an address leaves at its end.
AROUND = ".,;:!?'\"`)]}>*_\u2026\u201d\u2019\u00bb"
# What stands for a blank between words.
BETWEEN = str.maketrans(" +", "__")
MIRROR = re.compile(r"(?:(?:www\d{0,2}|m|mobile|mobil|amp|wap|touch)\.)+(?=[^.]+\.)")
WWW = re.compile(r"www\d{0,2}\.(?=[^.]+\.)")
HOST = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}(?::\d+)?", re.IGNORECASE)

# Parameters that show a page in another way, and those that many sites name pages by: these are
# never left out by guessing.
VIEWS = frozenset(("amp", "amp_", "print", "printable", "printview", "printer", "outputtype",
                   "replytocom", "noamp", "nonamp", "mobile", "fullsite", "like_comment",
                   "share"))  # fmt: skip
NAMING = frozenset(("p", "page_id", "attachment_id", "post_type", "id", "pid", "aid", "nid", "tid",
                    "article", "article_id", "articleid", "artikel", "story", "storyid", "news",
                    "news_id", "newsid", "post", "post_id", "postid", "node", "item", "itemid",
                    "doc", "docid", "slug", "title", "url", "q", "s", "query", "search", "cat",
                    "tag", "author", "m", "feed", "thread", "topic", "t", "f", "lang",
                    "language", "locale", "hl", "no", "nr", "num", "number", "nummer", "idx",
                    "index", "seq", "uid", "guid", "uuid", "key", "v", "file", "path", "route",
                    "module", "option", "srl", "wr_id"))  # fmt: skip
NUMBERED = re.compile(
    r"(?:article|artikel|art|news|story|post|item|content|entry|blog|board|bbs|doc|document|record"
    r"|page|topic|thread|node|video|event|product|object|view|report|recipe)"
    r"[-_]?(?:id|no|nr|num|number|idx|index|seq|key|code|slug|name|srl)"
)
# Stored addresses that were taken apart: what changed since a build is put in again and again.
STORED = 20_000
# Articles that are compared with an address; where more are like it, none is meant, nor is any
# named: to look at all would hold everybody up.
MOST_ALIKE = 100
# Numbers from 1 on that are tried beside the number of a page: half a millisecond. Not tuned.
MOST_NUMBERS = 32
# Guesses that are shown.
EXAMPLES = 5

EXACT = ""
# What can be assumed of a path, from the least on.
CASE, FILE, TWIN, PAGE = range(1, 5)
ASSUMED = {
    CASE: "letter case", FILE: "file name or ending", TWIN: "AMP, mobile or print twin",
    PAGE: "a later page of it",
}  # fmt: skip
OTHER_HOST, PARAMETERS, SLASHES = "mirror of the host", "parameters", "slashes"
SIGNS = "signs between words or at the end"


class Address(NamedTuple):
    """The parts of an address that name a page: ``host`` with a port of its own, in lower case;
    ``path`` decoded, without final slash; ``query``, the parameters in order; a word without ``=``,
    as in ``/showthread.php?1-knee``, is the value of the name "".
    """

    host: str
    path: str
    query: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, url: str, *, whole: bool = False) -> Address:
        """Take an address apart; ``ValueError`` for what is none. A ``whole`` one has the sessions
        in its path and the tracking parameters that some site might name pages by.
        """
        parts = urlsplit(url.strip())
        if not parts.scheme and not parts.netloc and HOST.fullmatch(parts.path.partition("/")[0]):
            first, slash, _ = parts.path.partition("/")
            if slash and not ENDING.search(first.lower()):
                parts = urlsplit(f"//{url.strip()}")
        host, port = (parts.hostname or "").rstrip("."), parts.port
        if host.endswith(WRAPPERS) and (inner := _unwrapped(host, parts.path, parts.query)):
            return cls.of(inner, whole=whole)
        if not host.isascii():
            host = host.encode("idna").decode()
        place = host if port in (None, 80, 443) else f"{host}:{port}"
        path = _path(parts.path, whole=whole)
        if SCRIPTED.match(parts.fragment):
            path = f"{path}#{parts.fragment}"
        return cls(place, path, _query(parts.query, whole=whole) if parts.query else ())

    @property
    def key(self) -> str:
        """See ``url_key``."""
        path = quote(self.path, safe=KEPT)
        # Some programs write an equals sign after a word.
        query = [(name, value) if name else (value, "") for name, value in self.query]
        return f"{self.host}{path}" + (f"?{urlencode(query)}" if query else "")


def url_key(url: str) -> str:
    """The address without what makes no other page: scheme, default port, fragment, tracking
    parameters, session ids, doubled and final slashes, and the ways to write a letter.

    Parameters are put in order. What Google and others show of a page has the page's key. A text
    that is no address comes back as it is.
    """
    return _key(url, whole=False)


def whole_key(url: str) -> str:
    """The ``url_key`` with the sessions and the tracking parameters that some site might name pages
    by. It is what tells articles apart that have one ``url_key``.

    >>> whole_key("/knee?at_id=1&utm_source=mail"), url_key("/knee?at_id=1&utm_source=mail")
    ('/knee?at_id=1', '/knee')
    """
    return _key(url, whole=True)


def _key(url: str, *, whole: bool) -> str:
    plain = PLAIN.fullmatch(url)
    if plain is not None and not plain[1].endswith(WRAPPERS):
        return plain[1] + plain[2]
    try:
        return Address.of(url, whole=whole).key
    except ValueError:  # a port that is no number, half of a surrogate pair
        return url.strip()


# In an index of addresses: behind a key that several articles have, and before what tells them
# apart. No key holds it.
SHARED = "\n"


def keys_of(addresses: Iterable[tuple[int, str]]) -> dict[str, int]:
    """What these rows and addresses are looked up by. Of articles at one address the first is
    meant. Where addresses that differ, as pages may, have one ``url_key``, that is marked, and each
    is found as it is written.

    >>> keys_of(enumerate(["/hip", "/x?at_id=1", "/hip/"]))
    {'/hip': 0, '/x': 1}
    >>> list(keys_of(enumerate(["/x?at_id=1", "/x?at_id=2"])))
    ['/x', '/x\\n', '\\n/x?at_id=1', '\\n/x?at_id=2']
    """
    first: dict[str, tuple[int, str]] = {}
    alike: dict[str, dict[str, int]] = {}
    for row, address in addresses:
        key = url_key(address)
        if key not in first:
            first[key] = row, address
            continue
        one, other = first[key]
        alike.setdefault(key, {whole_key(other): one}).setdefault(whole_key(address), row)
    found = {key: row for key, (row, _) in first.items()}
    for key, rows in alike.items():
        if len(rows) > 1:
            found[key + SHARED] = found[key]
            found |= {SHARED + whole: row for whole, row in rows.items()}
    return found


def is_key_of(key: str, address: str) -> bool:
    """Is the address looked up by this, in an index of ``keys_of``?"""
    if key.startswith(SHARED):
        return key == SHARED + whole_key(address)
    return key.removesuffix(SHARED) == url_key(address)


def possible_keys(address: str) -> tuple[str, str, str]:
    """All that an address can be looked up by, in one index of ``keys_of`` or another."""
    key = url_key(address)
    return key, key + SHARED, SHARED + whole_key(address)


def _path(path: str, *, whole: bool) -> str:
    if PLAIN_PATH.fullmatch(path):
        return path.rstrip("/")
    if whole:
        path = SLASH.sub("%252F", path)
    path = ESCAPED.sub(_letters, path)
    path.encode()  # ``ValueError`` for half of a surrogate pair
    if not path.isascii():
        path = normalize("NFC", path)
    if not whole:
        path = SESSION.sub("", path)
    for found in JOINED.finditer(path):
        if _is_left_out(found[1], found[2] or "", whole=whole):
            path = path[: found.start()]
            break
    rooted = path.startswith("/")
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment.strip(BLANKS) not in ("", "."):
            segments.append(segment)
    path = "/".join(segments).rstrip(BLANKS)
    return f"/{path}" if rooted and path else path


def _behind_host(key: str) -> str:
    return key[re.match(r"[^/?]*", key).end() :]  # type: ignore[union-attr]


def _is_left_out(name: str, value: str = "", *, whole: bool) -> bool:
    return is_certain(name) if whole else is_tracking(name, value)


def _letters(escaped: re.Match[str]) -> str:
    """What escaped bytes stand for; older sites write Latin letters in one byte."""
    found = unquote_to_bytes(escaped[0])
    try:
        return found.decode()
    except UnicodeDecodeError:
        return found.decode("cp1252", errors="replace")


def _query(query: str, *, whole: bool) -> tuple[tuple[str, str], ...]:
    query = "&".join(part if "=" in part else f"={part}" for part in query.split("&") if part)
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        pairs = parse_qsl(query, keep_blank_values=True, encoding="cp1252", errors="replace")
    kept = []
    for name, value in pairs:
        # Addresses that were escaped for HTML twice, or joined without looking.
        name = name.removeprefix("amp;")
        if ROUTE.match(name):
            name, value = "", f"{name}={value}" if value else name
        if not name:
            value = value.removeprefix("amp;")
        for found in JOINED.finditer(value):
            if _is_left_out(found[1], found[2] or "", whole=whole):
                value = value[: found.start()]
                break
        named = (name, value) if name else (value, "")
        if named[0] and not _is_left_out(*named, whole=whole):
            kept.append((normalize("NFC", name), normalize("NFC", value)))
    return tuple(sorted(kept, key=lambda each: each if each[0] else (each[1], "")))


# Pages that others show: hosts, by their ends, of caches and translations.
WRAPPERS = (
    ".translate.goog", "webcache.googleusercontent.com", "cc.bingj.com", ".cdn.ampproject.org",
    ".bing-amp.com", "www.google.com", "web.archive.org", ".turbopages.org", "yandex.com",
    "translate.google.com", "www.translatetheweb.com",
)  # fmt: skip
CACHED = re.compile(r"cache:(?:[\w-]{1,20}:)?(?P<url>\S+)")
SHOWN = re.compile(
    r"/(?:amp/(?:s/)?|[a-z]{1,3}/s/|[a-z]{1,3}/|web/[^/]+/)"
    r"(?P<url>(?:https?:/{1,2})?[^/]+\.[^/]+(?:/.*)?)"
)
TURBO = re.compile(
    r"(?:/proxy_u/[^/]+/https?|/turbo)?/(?P<host>[^/]+\.[^/]+)(?:/[sh](?=/|$))?(?P<path>.*)"
)


def _unwrapped(host: str, path: str, query: str) -> str | None:
    """The address of the page that is shown there; None if none is."""
    if host.endswith(".translate.goog"):
        label = host.removesuffix(".translate.goog")
        # Dots are written as hyphens, hyphens doubled.
        real = label.replace("--", "\0").replace("-", ".").replace("\0", "-")
        return f"http://{real}{path}?{query}" if "." in real else None
    fields = dict(parse_qsl(query))
    if found := CACHED.match(fields.get("q", "")):
        inner = found["url"]
    elif host in ("translate.google.com", "www.translatetheweb.com"):
        inner = fields.get("u") or fields.get("a") or ""
    elif host.endswith((".turbopages.org", "yandex.com")):
        turbo = TURBO.fullmatch(path)
        inner = f"{turbo['host']}{turbo['path']}?{query}" if turbo else ""
    else:
        shown = SHOWN.fullmatch(path)
        inner = (shown["url"] + (f"?{query}" if query else "")) if shown else ""
    if not inner or host in inner:
        return None
    inner = re.sub(r"^https?:/{1,2}|^//", "", inner)
    return f"http://{inner}" if HOST.match(inner) else None


def leads_to_page(url: str) -> bool:
    """Whether a browser may be sent there: it has no ``address_fault``.

    >>> leads_to_page("/knee?of=1:2"), leads_to_page("java\\nscript:alert(1)")
    (True, False)
    """
    return address_fault(url) is None


# Which article is meant


class Found(NamedTuple):
    """What may stand at an address: the ``rows`` of articles; and what was ``assumed``, in words,
    empty if nothing was.
    """

    rows: tuple[int, ...] = ()
    assumed: str = EXACT

    @property
    def row(self) -> int | None:
        """The one article that is meant; None if there is none, or if there are several."""
        return self.rows[0] if len(self.rows) == 1 else None


NOTHING = Found()


class PageIndex(ABC):
    """Articles by row, looked up by address."""

    # Hosts of the site as ``bare_host`` leaves them, and names of parameters that its addresses
    # have, in lower case; "" if they have words without ``=``.
    hosts: Collection[str]
    parameters: Collection[str]

    @abstractmethod
    def exact(self, key: str) -> int | None:
        """The row of the article that is looked up by this (``keys_of``)."""

    def is_shared(self, key: str) -> bool:
        """Have articles with addresses that differ this ``url_key``?"""
        return self.exact(key + SHARED) is not None

    @abstractmethod
    def like(self, outline: str) -> Iterable[tuple[int, str]]:
        """Rows and addresses of the articles of this ``outline``."""

    def find(self, url: str) -> Found:
        """The article at an address, however it is written: the one of its key; else, of those with
        the same outline, the one for which the least must be assumed. If that is several, none is
        meant, and all are named.
        """
        text = url.strip()
        if not text:
            return NOTHING
        key = url_key(text)
        row = self.exact(SHARED + whole_key(text) if self.is_shared(key) else key)
        if row is not None:
            return Found((row,))
        try:
            asked, assumed = self._asked(text)
            return NOTHING if asked is None else self._closest(asked, assumed, whole_key(text))
        except ValueError:
            return NOTHING

    def _asked(self, text: str) -> tuple[Address | None, str]:
        """The address apart; None if nobody can mean a page of the site by it."""
        scheme = SCHEME.match(text)
        if scheme and scheme[1].lower() not in ("http", "https") and not HOST.match(text):
            return None, EXACT
        asked = Address.of(text)
        if not scheme and not text.startswith(("/", "?")) and not asked.host:
            return None, EXACT
        if text.startswith("//") and not self._is_ours(asked.host):
            # Behind a host that went without saying, a path may begin with two slashes.
            return Address.of(f"/{text.lstrip('/')}"), SLASHES
        return (asked if not asked.host or self._is_ours(asked.host) else None), EXACT

    def _is_ours(self, host: str) -> bool:
        """Nobody has said which hosts a site has whose addresses are all without."""
        return not self.hosts or bare_host(host) in self.hosts

    def _closest(self, asked: Address, assumed: str, whole: str) -> Found:
        best: dict[tuple[int, int, int, int], dict[str, int]] = {}
        for path, is_later in outlines(asked.path):
            outline = outline_of(path, asked.query, self.parameters)
            alike = list(islice(self.like(outline), MOST_ALIKE + 1))
            if len(alike) > MOST_ALIKE:
                return NOTHING
            if is_later and alike and self._is_one_of_several(asked):
                continue
            for row, address in alike:
                apart = _stored(address)
                found = apart and self._unlike(asked, apart[0], is_later=is_later)
                if apart and found:
                    best.setdefault(found, {}).setdefault(whole_key(address), row)
            if best:
                break
        if not best:
            return NOTHING
        least = min(best)
        on_path, on_signs, on_query, on_host = least
        words = [assumed, ASSUMED.get(on_path, "")]
        words += [SIGNS] if on_signs else []
        words += [PARAMETERS] if on_query else []
        words += [OTHER_HOST] if on_host > 1 else []
        rows = best[least]
        if len(rows) > 1:
            # On another host than theirs, one may be written as it is.
            same = {
                key: row for key, row in rows.items() if _behind_host(key) == _behind_host(whole)
            }
            rows = same if len(same) == 1 else rows
        return Found(tuple(rows.values()), ", ".join(filter(None, words)))

    def _is_one_of_several(self, asked: Address) -> bool:
        """Is an address that ends in a number one among others that do, which are articles?"""
        path = plain(bare(asked.path))
        found = LATER.search(path)
        if found is None:
            return False
        before, digits = path[: found.start("number")], found["number"]
        number = int(digits)
        beside = {*range(1, MOST_NUMBERS), number - 1, number + 1} - {number}
        written = {form for n in beside for form in (f"{n}", f"{n:0{len(digits)}}")}
        return any(
            any(True for _ in self.like(outline_of(before + n, asked.query, self.parameters)))
            for n in sorted(written)
        )

    def _unlike(
        self, asked: Address, stored: Address, *, is_later: bool
    ) -> tuple[int, int, int, int] | None:
        """What must be assumed of path, signs in it, query and host if an address is to mean a
        stored one, each 0 for nothing; None if it cannot.
        """
        on_host = _hosts_unlike(asked.host, stored.host)
        on_path = PAGE if is_later else _paths_unlike(asked.path, stored.path)
        on_signs = int(_signs(asked.path, is_later) != _signs(stored.path, is_later))
        if on_host is None:
            return None
        if asked.query == stored.query:
            return on_path, on_signs, 0, on_host
        asks, has = _lower(asked.query), _lower(stored.query)
        if not all(_is_view(name, value) for name, value in has - asks):
            return None
        dropped = asks - has
        if all(_is_view(name, value) for name, value in dropped):
            return on_path, on_signs, 1, on_host
        # On the home page some sites have all of their pages, by a parameter.
        is_home = not plain(bare(stored.path))
        if is_home or any(_names_page(name, value) for name, value in dropped):
            return None
        return on_path, on_signs, 2, on_host


def _lower(query: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(name.lower(), value) for name, value in query}


def _is_view(name: str, value: str) -> bool:
    """Does the parameter show the same page in another way? (Blogger's is called m.)"""
    if not name:
        return value.lower() in VIEWS
    return not value or name in VIEWS or (name == "m" and value in ("0", "1"))


def _names_page(name: str, value: str) -> bool:
    """May it be what a page is called?"""
    if not name:
        return ROUTE.match(value) is not None or value.lower() in NAMING
    # Of "tx_news_pi1[news]" each part is a name.
    parts = [name, *re.findall(r"\w+", name)]
    return any(part in NAMING or NUMBERED.fullmatch(part) for part in parts)


def bare_host(host: str) -> str:
    """A host without its port and what its mirrors have in front.

    >>> bare_host("m.example.org:8080"), bare_host("de.example.org"), bare_host("m.de")
    ('example.org', 'de.example.org', 'm.de')
    """
    name = host if host.startswith("[") else host.partition(":")[0]
    return MIRROR.sub("", name, count=1) if MIRROR.match(name) else name


def _hosts_unlike(asked: str, stored: str) -> int | None:
    if asked == stored:
        return 0
    if not asked or not stored or WWW.sub("", asked) == WWW.sub("", stored):
        return 1
    return 2 if bare_host(asked) == bare_host(stored) else None


def _paths_unlike(asked: str, stored: str) -> int:
    """What must be assumed of two paths of one outline, but for ``_signs``."""
    asked, stored = (f"/{_inside(path).strip('/')}" for path in (asked, stored))
    asked, stored = (path.translate(BETWEEN) for path in (asked, stored))
    if asked == stored:
        return 0
    if folded(asked) == folded(stored):
        return CASE
    return FILE if bare(asked) == bare(stored) else TWIN


def _inside(path: str) -> str:
    """A path without the signs that a text leaves at its end; what is all signs stays. Of C++ and
    notepad++ no sign goes, so ``+`` is none of them, nor is what stands for it.
    """
    kept = path.rstrip(AROUND)
    return kept if kept.strip("/") else path


def _signs(path: str, is_later: bool) -> str:
    """The signs that ``folded`` takes no notice of: those around a path, and, unless it is a later
    page's, those between words.
    """
    inside = _inside(path)
    between = "" if is_later else "".join(sign for sign in inside if sign in " +_")
    return f"{between}/{path[len(inside) :]}"


def folded(path: str) -> str:
    """A path as one reads it aloud: in lower case, without what stands around an address.

    >>> folded("/Knee_pain)."), folded("/c++"), folded("/*")
    ('/knee_pain', '/c__', '/*')
    """
    if "%" in path:
        path = ESCAPED.sub(_letters, path)
    path = path.casefold() if path.isascii() else normalize("NFC", path.casefold())
    return _inside(path).translate(BETWEEN)


def bare(path: str) -> str:
    """A path, ``folded``, without the file that a folder's address stands for, and without a
    file's ending.

    >>> bare("/Knee/index.html"), bare("/knee.amp.html"), bare("/knee.pdf"), bare("/index.php/hip")
    ('/knee', '/knee', '/knee.pdf', '/hip')
    """
    path = folded(f"/{path.lstrip('/')}").rstrip("/")
    whole = path
    for _ in range(MOST_ENDINGS):
        path = ENDING.sub("", path)
    # Servers that cannot rewrite addresses have the page behind the program.
    path = THROUGH.sub("/", path)
    head, _, last = path.rpartition("/")
    if last == "index" or (last == "default" and path != whole):
        return head
    return path if last else whole


def plain(path: str) -> str:
    """A ``bare`` path without what makes it the twin of another: for AMP, for print, for phones. It
    never becomes the home page's: an article may be called so.

    >>> plain("/amp/knee"), plain("/knee/print"), plain("/news/amp/knee"), plain("/print")
    ('/knee', '/knee', '/news/knee', '/print')
    >>> plain("/amp"), plain("/mobile"), plain("/m/knee")
    ('/amp', '/mobile', '/knee')
    """
    segments = path.split("/")[1:]
    kept = [segment for segment in segments if segment != "amp"] or segments[:1]
    if len(kept) > 1 and kept[-1] in TWINS:
        kept = kept[:-1]
    elif len(kept) > 1 and kept[0] in TWINS:
        kept = kept[1:]
    if len(kept) > 1 and kept[0] in MOBILE:
        kept = kept[1:]
    return "".join(f"/{segment}" for segment in kept)


def outlines(path: str) -> list[tuple[str, bool]]:
    """What is looked up for a path: itself ``plain``, and the page that it is a later one of, which
    is never the home page; with each, whether it is that.
    """
    path = plain(bare(path))
    found = [(path, False)]
    before = _first_page(_first_page(path))
    if before and before != path:
        found.append((before, True))
    return found


def _first_page(path: str) -> str:
    """A path without the number of a later page, which no month and no day is."""
    later = LATER.search(path)
    if later is None:
        return path
    before = path[: later.start()]
    return path if later["alone"] is not None and DATED.search(before) else before


def outline_of(path: str, query: Iterable[tuple[str, str]], parameters: Collection[str]) -> str:
    """What an address has in common with all that may mean the same page: a path, ``plain``, and
    those parameters that addresses of the site have. If pages of it are named by words without
    ``=``, a word is part of it.
    """
    kept = [
        (name.lower(), value)
        for name, value in query
        if value and name.lower() in parameters and (name or value).lower() not in VIEWS
    ]
    return f"{path}?{urlencode(sorted(kept))}" if kept else path


@lru_cache(maxsize=STORED)
def _stored(address: str) -> tuple[Address, str] | None:
    """A stored address apart, and its path ``plain``; None for what is no address."""
    try:
        apart = Address.of(address)
    except ValueError:  # it has its key
        return None
    return apart, plain(bare(apart.path))


def outline_at(address: str, parameters: Collection[str]) -> str | None:
    """The outline of a stored address; None for what is no address."""
    found = _stored(address)
    return found and outline_of(found[1], found[0].query, parameters)


class Outlines(NamedTuple):
    """What addresses of a site have in common with those that mean the same: for each ``text`` of
    an outline the ``rows``; and the site's hosts and parameters.
    """

    rows: dict[str, list[int]]
    hosts: tuple[str, ...]
    parameters: tuple[str, ...]

    @classmethod
    def of(cls, addresses: Iterable[tuple[int, str]]) -> Outlines:
        """Those of these rows and addresses; what is no address is left out."""
        apart = [(row, found) for row, address in addresses if (found := _stored(address))]
        hosts = {each.host for _, (each, _) in apart if each.host}
        parameters = {
            name.lower()
            for _, (each, _) in apart
            for name, value in each.query
            if value and (name or value).lower() not in VIEWS
        }
        rows: dict[str, list[int]] = {}
        for row, (each, path) in apart:
            rows.setdefault(outline_of(path, each.query, parameters), []).append(row)
        hosts = set(map(bare_host, hosts))
        return cls(rows, tuple(sorted(hosts)), tuple(sorted(parameters)))


class PageTable(PageIndex):
    """The index of these rows and addresses; of two articles at one address the first is meant."""

    def __init__(self, addresses: Iterable[tuple[int, str | None]]) -> None:
        self.addresses = {row: address for row, address in addresses if address}
        self.by_key = keys_of(self.addresses.items())

    @cached_property
    def outlines(self) -> Outlines:
        """Worked out when they are asked for: most addresses are found by their keys."""
        return Outlines.of(self.addresses.items())

    @property
    def hosts(self) -> Collection[str]:  # type: ignore[override]
        return self.outlines.hosts

    @property
    def parameters(self) -> Collection[str]:  # type: ignore[override]
        return self.outlines.parameters

    def exact(self, key: str) -> int | None:
        return self.by_key.get(key)

    def like(self, outline: str) -> Iterable[tuple[int, str]]:
        return ((row, self.addresses[row]) for row in self.outlines.rows.get(outline, ()))


class Finder:
    """Finds articles by id or address; ``articles`` are pairs of both, the address may be None.

    ``guessed`` counts the addresses that were found by assuming something, by what that was, and
    ``guesses`` holds a few of them, each with the id.
    """

    def __init__(self, articles: Iterable[tuple[str, str | None]] = ()) -> None:
        pairs = list(articles)
        self.ids = {id for id, _ in pairs}
        self.names = [id for id, _ in pairs]
        self.pages = PageTable((row, url) for row, (_, url) in enumerate(pairs))
        self.guessed: Counter[str] = Counter()
        self.guesses: list[tuple[str, str]] = []
        self.at = lru_cache(maxsize=REMEMBERED)(self._at)

    @cached_property
    def by_key(self) -> dict[str, str]:
        """The ids of articles by what they are looked up by (``keys_of``)."""
        return {key: self.names[row] for key, row in self.pages.by_key.items()}

    def summary(self) -> str:
        """How many addresses were guessed, by what was assumed, as one line."""
        kinds = ", ".join(f"{what} ({n:,})" for what, n in self.guessed.most_common())
        address, id = self.guesses[0]
        return (
            f"{self.guessed.total():,} addresses that no article has were taken for one, assuming: "
            f"{kinds}; such as {address} for {id}"
        )

    def named(self, text: str) -> str | None:
        """The id of the article whose id or address this is."""
        return text if text in self.ids else self.at(text)

    def _at(self, address: str) -> str | None:
        """The id of the article at this address, with a host or without."""
        found = self.pages.find(address)
        if found.row is None:
            return None
        id = self.names[found.row]
        if found.assumed:
            self.guessed[found.assumed] += 1
            if len(self.guesses) < EXAMPLES:
                self.guesses.append((address, id))
        return id
