"""Page views out of a web server's access log, in any of the usual formats (``access_dialects``).

    203.0.113.9 - - [22/Nov/2026:10:00:00 +0000] "GET /knee.html HTTP/1.1" 200 5123
    "https://example.org/hip.html" "Mozilla/5.0 ..."

That is one line of the most usual. A page view is a GET of an article's page, answered with 200 or
304, by somebody who is neither a crawler nor a tool. Its referrer is the article that the reader
came from; who came from elsewhere, or from another page of the site, has read the article all the
same, so the page view is kept without a referrer.

A reload is the same client asking for the same page within 30 minutes of its last time, with the
referrer it had before or with none; or a page that refers to itself. Coming back from another
article is no reload. A client is an address, that which a proxy forwarded if it did, and a user
agent: all are used while the log is read, and none is kept.

Behind a proxy that forwards nothing, or where addresses are cut short, one address stands for many
readers. That shows: it brings more than anybody reads in an hour, not counting one page that may
load itself anew, or nearly all of the log, or no address has its end. What it brings is kept then,
reloads too, and the import says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import ClassVar, NamedTuple

from recommender.articles.addresses import Finder
from recommender.events.crawlers import is_crawler, is_tool
from recommender.events.event import Event, PageView, check_time
from recommender.events.formats.access_dialects import Dialects
from recommender.events.formats.base import Reasons, Skip, Translator
from recommender.files import Record

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}
# As long as web analytics takes a visit to last without a page view: half an hour.
RELOAD_MS = 30 * 60 * 1000
# Beyond this, what is older than a reload may be is forgotten.
MAX_REMEMBERED = 1_000_000
# More than one reads in an hour (as ``click_filters.Caps`` has it), so that it is several; and the
# share of a log of so many page views at least that is of one address. Not tuned.
MANY, HOUR_MS = 30, 60 * 60 * 1000
MOST, LEAST = 0.9, 30
# Of ten addresses that all end with 0, none is one reader's: one in 256 does by chance.
LEAST_CUT = 10
# The last part of an address that was cut short.
CUT = re.compile(r"(?:\.0|::0?|:0|[xX*]+)$")


class Read(NamedTuple):
    """A page view that may be a reload; in the order in which they are decided."""

    ts: int
    article: str
    without_referrer: bool
    referrer: str
    client: int
    address: int


class AccessLog(Translator):
    """An access log. Its page views come out of ``flush``, in the order of time: servers write a
    line when an answer is done, not when it was asked for.
    """

    remembers: ClassVar[bool] = True

    def __init__(self, finder: Finder, skipped: Reasons) -> None:
        super().__init__(finder, skipped)
        self.dialects = Dialects()
        self.waiting: list[Read] = []
        # When each client last asked for each page, and from where it came since it first did.
        self.last: dict[tuple[int, str], tuple[int, tuple[str, ...]]] = {}
        # Readers who do the same at the same time get a millisecond each: of those that are taken,
        # from where on there may be a free one.
        self.taken: dict[tuple[int, str, str], int] = {}
        # Page views by address, as far as they are many; how many there are, and by addresses that
        # were cut short or are none.
        self.of_address: Counter[int] = Counter()
        self.n_read = self.n_cut = 0
        # Those that are known to be of several readers.
        self.shared: set[int] = set()

    @property
    def name(self) -> str:
        """The dialects of the last file."""
        return ", ".join(["access log", " and ".join(self.dialects.names)])

    def read(self, record: Record) -> Iterable[Event]:
        """Nothing yet."""
        line = self.dialects.read(record.fields["line"], where=record.where)
        if line.method != "GET":
            raise Skip(f"method {line.method}" if line.method in METHODS else "malformed request")
        if line.status not in ("200", "304"):
            raise Skip(f"status {line.status}" if line.status.isdigit() else "no status")
        article = self.finder.at(line.target)
        if article is None:
            raise Skip("asset or other address")
        if line.agent is None:
            self.remarks.add("without a user agent, so crawlers are among them")
        elif _is_machine(line.agent):
            raise Skip("crawler or tool")
        # A path alone is no referrer; one that is no article is none of ours.
        referrer = ("://" in line.referrer[:8] and self.finder.at(line.referrer)) or ""
        check_time(line.ts, self.latest, where=record.where)
        if referrer == article:
            raise Skip("reload")
        self.n_read += 1
        self.n_cut += bool(CUT.search(line.client))
        client, address = hash((line.client, line.agent)), hash(line.client)
        self.waiting.append(Read(line.ts, article, not referrer, referrer, client, address))
        return ()

    def flush(self) -> Iterator[Event]:
        """The page views that are no reloads."""
        if not self.waiting:
            return
        waiting, self.waiting = sorted(self.waiting), []
        self._find_shared(waiting)
        all_cut = self.n_read >= LEAST_CUT and self.n_cut >= MOST * self.n_read
        for read in waiting:
            if all_cut or read.client in self.shared or read.address in self.shared:
                why = "addresses are cut short" if all_cut else "one address is of many readers"
                self.remarks.add(f"{why}: reloads are not told apart, and are kept")
            elif self._is_reload(read):
                self.skipped.add("reload")
                continue
            yield PageView(self._take(read), read.article, "", read.referrer)
        self._forget(waiting[-1].ts)

    def _take(self, read: Read) -> int:
        """The next millisecond that no page view like this one has. Which are taken in the end does
        not depend on the order.
        """
        ts = read.ts
        while (next_ts := self.taken.get((ts, read.article, read.referrer))) is not None:
            ts = next_ts
        for each in {ts, read.ts}:
            self.taken[each, read.article, read.referrer] = ts + 1
        return ts

    def _find_shared(self, waiting: list[Read]) -> None:
        """Note which clients, and addresses, cannot be of one reader."""
        hours: dict[tuple[int, int], Counter[tuple[str, str]]] = {}
        for read in waiting:
            pages = hours.setdefault((read.client, read.ts // HOUR_MS), Counter())
            pages[read.article, read.referrer] += 1
        for (client, _), pages in hours.items():
            # One page, however often, may be a tab that loads itself anew.
            if pages.total() - max(pages.values()) >= MANY:
                self.shared.add(client)
        addresses = Counter(read.address for read in waiting)
        self.of_address.update(addresses)
        if len(self.of_address) > MAX_REMEMBERED:
            self.of_address = Counter(dict(self.of_address.most_common(MAX_REMEMBERED // 2)))
        for address in addresses:
            if self.n_read >= LEAST and self.of_address[address] >= MOST * self.n_read:
                self.shared.add(address)

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
        if len(self.taken) > MAX_REMEMBERED:
            self.taken = {key: ts for key, ts in self.taken.items() if ts >= now - RELOAD_MS}


@lru_cache(maxsize=20_000)
def _is_machine(agent: str) -> bool:
    """Crawlers, tools, and who gives no name."""
    return agent in ("", "-") or is_crawler(agent) or is_tool(agent)
