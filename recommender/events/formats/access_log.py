"""Page views out of a web server's access log, in the combined format of Apache and nginx.

    203.0.113.9 - - [22/Nov/2026:10:00:00 +0000] "GET /knee.html HTTP/1.1" 200 5123
    "https://example.org/hip.html" "Mozilla/5.0 ..."

That is one line. A page view is a GET of an article's page, answered with 200 or 304, by somebody
who is neither a crawler nor a tool. Its referrer is the article that the reader came from; who
came from elsewhere, or from another page of the site, has read the article all the same, so the
page view is kept without a referrer.

A reload is the same client asking for the same page within 30 minutes of its last time, with the
referrer it had before or with none; or a page that refers to itself. Coming back from another
article is no reload. A client is an address and a user agent: both are used while the log is read,
and neither is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import ClassVar, NamedTuple

from recommender.articles.addresses import Finder
from recommender.errors import EventError
from recommender.events.crawlers import is_crawler, is_tool
from recommender.events.event import MILLISECOND, Event, PageView, check_time
from recommender.events.formats.base import Reasons, Skip, Translator
from recommender.files import Record
from recommender.times import EPOCH

QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
# What follows the user agent is of no interest; a virtual host's name may come first.
PIECES = {
    "address": r"(?:[^\s:]+:\d+ )?(\S+)",
    "user": r" \S+ .{1,200}?",
    "time": r" \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]",
    "request": f" {QUOTED}",
    "status": r" (\d{3})",
    "size": r" (?:\d+|-)",
    "referrer": f" {QUOTED}",
    "user agent": f" {QUOTED}",
}
LINE = re.compile("".join(PIECES.values()))
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}
# As long as web analytics takes a visit to last without a page view: half an hour.
RELOAD_MS = 30 * 60 * 1000
# Servers write seconds.
SECOND_MS = 1000
# Beyond this, what is older than a reload may be is forgotten.
MAX_REMEMBERED = 1_000_000


def recognises(line: str) -> bool:
    """Whether a line is in the combined format."""
    return LINE.match(line) is not None


class Line(NamedTuple):
    """One line, as it stands there but for the time, in milliseconds since 1970."""

    address: str
    ts: int
    request: str
    status: str
    referrer: str
    agent: str


def parse_line(text: str, *, where: str) -> Line:
    """Raises ``EventError``, which names the field but quotes nothing: lines name people."""
    match = LINE.match(text)
    if match is None:
        raise EventError(f"{where}: field {_faulty(text)}: not as in the combined log format")
    address, time, request, status, referrer, agent = match.groups()
    try:
        ts = _milliseconds(time)
    except ValueError:
        raise EventError(f"{where}: field time: no such time: {time!r}") from None
    return Line(address, ts, request, status, referrer, agent)


def _faulty(text: str) -> str:
    """The first piece that is not there."""
    so_far = ""
    for name, piece in PIECES.items():
        so_far += piece
        if not re.match(so_far, text):
            return name
    return "user agent"


@lru_cache(maxsize=1_000)
def _milliseconds(time: str) -> int:
    zone = timedelta(hours=int(time[22:24]), minutes=int(time[24:26]))
    moment = datetime(
        int(time[7:11]), MONTHS.index(time[3:6]) + 1, int(time[0:2]),
        int(time[12:14]), int(time[15:17]), min(int(time[18:20]), 59),  # a leap second
        tzinfo=timezone(-zone if time[21] == "-" else zone),
    )  # fmt: skip
    return (moment.astimezone(UTC) - EPOCH) // MILLISECOND


class Read(NamedTuple):
    """A page view that may be a reload; in the order in which they are decided."""

    ts: int
    article: str
    without_referrer: bool
    referrer: str
    client: int


class AccessLog(Translator):
    """An access log. Its page views come out of ``flush``, in the order of time: servers write a
    line when an answer is done, not when it was asked for.
    """

    remembers: ClassVar[bool] = True

    def __init__(self, finder: Finder, skipped: Reasons) -> None:
        super().__init__(finder, skipped)
        self.waiting: list[Read] = []
        # When each client last asked for each page, and from where it came since it first did.
        self.last: dict[tuple[int, str], tuple[int, tuple[str, ...]]] = {}
        # Readers who do the same in the same second get a millisecond each.
        self.alike: dict[tuple[int, str, str], int] = {}

    def read(self, record: Record) -> Iterable[Event]:
        """Nothing yet."""
        line = parse_line(record.fields["line"], where=record.where)
        method, target = _request(line.request)
        if method != "GET":
            raise Skip(f"method {method}" if method in METHODS else "malformed request")
        if line.status not in ("200", "304"):
            raise Skip(f"status {line.status}")
        article = self.finder.at(target)
        if article is None:
            raise Skip("asset or other address")
        if _is_machine(line.agent):
            raise Skip("crawler or tool")
        # A path alone is no referrer; one that is no article is none of ours.
        referrer = ("://" in line.referrer[:8] and self.finder.at(line.referrer)) or ""
        if referrer == article:
            raise Skip("reload")
        check_time(line.ts, self.latest, where=record.where)
        client = hash((line.address, line.agent))
        self.waiting.append(Read(line.ts, article, not referrer, referrer, client))
        return ()

    def flush(self) -> Iterator[Event]:
        """The page views that are no reloads."""
        waiting, self.waiting = sorted(self.waiting), []
        for read in waiting:
            if self._is_reload(read):
                self.skipped.add("reload")
                continue
            key = (read.ts, read.article, read.referrer)
            n_alike = self.alike[key] = self.alike.get(key, -1) + 1
            yield PageView(read.ts + n_alike % SECOND_MS, read.article, "", read.referrer)
        if waiting:
            self._forget(waiting[-1].ts)

    def _is_reload(self, read: Read) -> bool:
        key = (read.client, read.article)
        last, referrers = self.last.get(key, (read.ts, ()))
        if abs(read.ts - last) > RELOAD_MS:
            referrers = ()
        again = bool(referrers) and (not read.referrer or read.referrer in referrers)
        self.last[key] = max(read.ts, last), referrers if again else (*referrers, read.referrer)
        return again

    def _forget(self, now: int) -> None:
        if len(self.last) > MAX_REMEMBERED:
            self.last = {key: seen for key, seen in self.last.items() if seen[0] >= now - RELOAD_MS}
        if len(self.alike) > MAX_REMEMBERED:
            self.alike = {key: n for key, n in self.alike.items() if key[0] >= now - RELOAD_MS}


def _request(request: str) -> tuple[str, str]:
    r"""Method and target; bytes that the server wrote as ``\xhh`` as addresses have them.

    >>> _request(r"GET /caf\xC3\xA9?a=1 HTTP/1.1")
    ('GET', '/caf%C3%A9?a=1')
    """
    method, _, rest = request.partition(" ")
    target = rest.rpartition(" HTTP/")[0] or rest
    return method, re.sub(r"\\x([0-9A-Fa-f]{2})", r"%\1", target)


@lru_cache(maxsize=20_000)
def _is_machine(agent: str) -> bool:
    """Crawlers, tools, and who gives no name."""
    return agent in ("", "-") or is_crawler(agent) or is_tool(agent)
