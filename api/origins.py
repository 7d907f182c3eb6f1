"""Where posts of a day come from, known without being written down: to bound what one sends.

An origin is a keyed hash of the client's network (IPv4 /24, IPv6 /48), cut to 12 bits. Its key is
random, of one UTC day and of one worker process, and is nowhere but in that process's memory; with
the counts it is dropped when the day is over. So whether an event is within what its origin may
send is decided when it comes, and all that is stored is the mark of one that was not
(``BEYOND_ORIGIN``): not from where it came, nor which others came from there.

This bounds who has few networks, not who has many. One that sends from a hundred has a hundred
allowances, and W workers allow W times as much. Networks that share a hash, or a proxy, share an
allowance: on a site of many thousand networks an honest one may lose events because of another.
Duplicates and events that the store then fails to keep use up the allowance, too.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import threading
from collections.abc import Callable, Sequence

from recommender.events.event import DAY_MS
from recommender.events.ingest import BEYOND_ORIGIN, BY_READER, Followed, Incoming, Opened, Shown

# A hash of 12 bits: enough to tell a flood from a site's readers, too few to tell people apart.
N_ORIGINS = 1 << 12
# What a network's owner is given at the least, by version of IP.
PREFIXES = {4: 24, 6: 48}
# Not tuned: an origin may send so many times the mean of the others, and this on any day: events,
# and views of one page. A school or a provider's exchange holds hundreds of readers.
TIMES, LEAST_EVENTS, LEAST_PAGE_VIEWS = 10, 100, 5
# Of fewer origins one is as likely everybody's proxy as a flood; not tuned.
MIN_ORIGINS = 10
# Pairs of origin and page that are counted, in some 20 MB; not tuned.
MAX_CELLS = 200_000
# How long counts of yesterday may stay where nobody posts.
POLL_SECONDS = 60.0


def new_key() -> bytes:
    """A random key for a day."""
    return secrets.token_bytes(32)


class Origins:
    """Marks events beyond what their origin may send in a day, over the whole site and for one
    page. ``clock`` gives milliseconds since 1970; ``new_key`` the key of a new day.
    """

    def __init__(self, *, clock: Callable[[], int], new_key: Callable[[], bytes] = new_key) -> None:
        self.clock = clock
        self.new_key = new_key
        self._lock = threading.Lock()
        self._today: _Day | None = None
        # A day and how many origins it had; of yesterday that is all that is known.
        self._before = (0, 0)

    def mark(self, events: Sequence[Incoming], client: str | None) -> list[Incoming]:
        """The events of one post, those of readers marked that are too many. ``client`` is as
        ``rate_limit.Clients`` finds it; nothing is too much of None, whose origin is unknown.
        """
        if client is None:
            return list(events)
        with self._lock:
            today = self._of(self.clock() // DAY_MS)
            yesterday = self._before[1] if self._before[0] == today.day - 1 else 0
            origin = today.origin(client)
            marked = []
            for event in events:
                if isinstance(event, Shown | Followed | Opened) and event.live == BY_READER:
                    within = today.counts(origin, event)
                    # Asked after counting: this event may have brought the tenth origin.
                    if not within and max(today.n_origins, yesterday) >= MIN_ORIGINS:
                        event = event._replace(live=BEYOND_ORIGIN)
                marked.append(event)
            return marked

    def poll(self) -> float:
        """Forget what is not of today, also where nobody posts; returns seconds until the next."""
        with self._lock:
            if self._today is not None:
                self._of(self.clock() // DAY_MS)
        return POLL_SECONDS

    def _of(self, day: int) -> _Day:
        if self._today is None or self._today.day != day:
            if self._today is not None:
                self._before = self._today.day, self._today.n_origins
            self._today = _Day(day, self.new_key())
        return self._today


class _Day:
    """What counts of one day, by origin. What is beyond an allowance is not in it: a flood would
    raise the mean that is to hold it.
    """

    def __init__(self, day: int, key: bytes) -> None:
        self.day = day
        self.n_origins = 0
        self._key = key
        # Events, views in cells, and cells, of each origin and in all.
        self._events, self._n_events = [0] * N_ORIGINS, 0
        self._views, self._n_views = [0] * N_ORIGINS, 0
        self._n_cells = [0] * N_ORIGINS
        # Views by page and origin, and by page.
        self._cells: dict[int, int] = {}
        self._pages: dict[int, int] = {}

    def origin(self, client: str) -> int:
        """The number of the client's origin, below ``N_ORIGINS``. All who have no address are
        one: anybody could make it up.
        """
        digest = hashlib.blake2b(_network(client).encode(), key=self._key, digest_size=2).digest()
        return int.from_bytes(digest, "big") % N_ORIGINS

    def counts(self, origin: int, event: Shown | Followed | Opened) -> bool:
        """Count an event, if it is within what its origin may send; returns whether it is."""
        mine = self._events[origin]
        others = (self._n_events - mine) / max(self.n_origins - (mine > 0), 1)
        if mine >= max(LEAST_EVENTS, TIMES * others):
            return False
        if isinstance(event, Shown) and not self._counts_view(origin, event.slate.source):
            return False
        self.n_origins += mine == 0
        self._events[origin] += 1
        self._n_events += 1
        return True

    def _counts_view(self, origin: int, page: int) -> bool:
        cell = page * N_ORIGINS + origin
        mine = self._cells.get(cell, 0)
        if mine == 0:
            if len(self._cells) >= MAX_CELLS:
                return True
            self._n_cells[origin] += 1
        elif mine >= LEAST_PAGE_VIEWS:
            cells = len(self._cells) - self._n_cells[origin]
            mean = (self._n_views - self._views[origin]) / max(cells, 1)
            # A page that everybody opens is opened often from everywhere.
            of_page = (self._pages[page] - mine) / max(self.n_origins - 1, 1)
            if mine >= TIMES * max(mean, of_page):
                return False
        self._cells[cell] = mine + 1
        self._pages[page] = self._pages.get(page, 0) + 1
        self._views[origin] += 1
        self._n_views += 1
        return True


def _network(client: str) -> str:
    """The network of an address, or of a network.

    >>> _network("203.0.113.77"), _network("2001:db8:1:2::/64"), _network("")
    ('203.0.113.0/24', '2001:db8:1::/48', '')
    """
    if not client:
        return ""
    address = ipaddress.ip_interface(client).ip
    return str(ipaddress.ip_network((int(address), PREFIXES[address.version]), strict=False))
