"""Group commit: events that arrive while one group is made durable are the next group.

Making one event durable costs a disk's flush, and so does making a hundred. There is no timer: a
lone event is written at once, and the busier the site, the larger the groups (Gray & Reuter,
Transaction Processing, section 9.4).
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import compress

from recommender.errors import StoreError
from recommender.events.event import DAY_MS
from recommender.events.ingest import BEYOND_ORIGIN, BY_READER, Followed, Incoming, Opened, Shown
from recommender.store.database import Store
from recommender.store.event_writer import REMEMBERED_BY_SERVERS, EventWriter, add_tallies
from recommender.store.pieces import Pieces
from recommender.store.refusals import Refusals

# Events that wait for their group, beyond which a caller had better come back; and those in one
# group, so that the first of a rush are answered within a second. Not tuned.
MAX_WAITING, MAX_GROUP = 20_000, 5_000
# How long a refused post waits to be counted in the store if no event comes that it is counted
# with: whoever sends what is refused must not make the disk busy. Not tuned.
REFUSED_SECONDS = 10.0
# A tally: events that are marked ``ingest.BEYOND_ORIGIN``.
BEYOND = "beyond origin"

logger = logging.getLogger("api")

# Of each event whether it was new, and None if it is of another store; or why none was kept.
Outcome = list[bool | None] | StoreError
Done = Callable[[Outcome], None]


class Journal:
    """Writes what ``add`` is given from a thread of its own. ``clock`` gives milliseconds since
    1970.
    """

    def __init__(self, store: Store, *, clock: Callable[[], int]) -> None:
        self.store = store
        self.clock = clock
        self.n_groups = 0
        self._writer = EventWriter(remembers=REMEMBERED_BY_SERVERS)
        self._waiting: list[tuple[Sequence[Incoming], Done]] = []
        self._n_waiting = 0
        self._tallies: Counter[str] = Counter()
        self._refused = Refusals()
        self._closing = self._is_last = self._hurries = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write_groups, name="journal", daemon=True)
        self._thread.start()

    def add(
        self, events: Sequence[Incoming], done: Done, tallies: Mapping[str, int] | None = None
    ) -> bool:
        """Have the events written; ``done`` is called from the journal's thread once they are
        durable, or cannot be. ``tallies`` are counted by day with them, and so is what ``sent``
        finds. False if too many wait already, or the journal is closed; then nothing is kept.
        """
        with self._changed:
            if self._closing or self._n_waiting + len(events) > MAX_WAITING:
                return False
            self._waiting.append((events, done))
            self._n_waiting += len(events)
            self._tallies.update(tallies or {})
            self._changed.notify_all()
        return True

    def refuse(self, code: str, origin: str | None = None) -> None:
        """Count a post that was refused as a whole with this ``code``; ``origin`` is the one that
        is not allowed. It is counted with the next group, or in ``REFUSED_SECONDS``.
        """
        with self._changed:
            if not self._refused:
                self._changed.notify_all()
            self._refused.add(code, origin)

    def count_refused(self, seconds: float) -> None:
        """Have refused posts counted now, and wait for it so many ``seconds`` at most."""
        with self._changed:
            if self._refused and not self._closing:
                self._hurries, n = True, self.n_groups
                self._changed.notify_all()
                self._changed.wait_for(lambda: self.n_groups > n, seconds)

    def close(self, seconds: float | None = None) -> bool:
        """Write what waits, and stop; returns whether that is done, after ``seconds`` at most."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _write_groups(self) -> None:
        while (group := self._next_group()) is not None:
            events = [event for part, _ in group for event in part]
            outcome = self._write(events)
            start = 0
            for part, done in group:
                end = start + len(part)
                try:
                    done(outcome[start:end] if isinstance(outcome, list) else outcome)
                except Exception:  # whoever waited is gone; the others are not
                    logger.exception("the outcome of %d events could not be delivered", len(part))
                start = end

    def _next_group(self) -> list[tuple[Sequence[Incoming], Done]] | None:
        """What came since the last group; waits for something to come. Empty if only refused posts
        are to be counted, None at the end.
        """
        with self._changed:
            while not self._waiting and not self._closing:
                if not self._refused:
                    self._changed.wait()
                elif self._hurries or not self._changed.wait(REFUSED_SECONDS):
                    self._hurries = False
                    return []
            if not self._waiting and (not self._refused or self._is_last):
                return None
            # What cannot be written at the end is not tried for ever.
            self._is_last = self._closing
            size = taken = 0
            while taken < len(self._waiting) and (taken == 0 or size < MAX_GROUP):
                size += len(self._waiting[taken][0])
                taken += 1
            group, self._waiting = self._waiting[:taken], self._waiting[taken:]
            self._n_waiting -= size
            return group

    def _write(self, events: list[Incoming]) -> Outcome:
        with self._changed:
            tallies, self._tallies = self._tallies, Counter()
            day = self.clock() // DAY_MS
            refused = self._refused.take(day)
        made = self._writer.made
        try:
            with self.store.transaction() as connection:
                # What is remembered of numbers holds for the store that was opened.
                self.store.check_mark(connection)
                written = self._writer.write(connection, events)
                counted = tallies + sent(events, written.new) + Counter(written.tallies)
                add_tallies(connection, day, counted)
                refused.write(connection)
            if written.to_settle:
                with self.store.transaction() as connection:
                    Pieces(connection, {}).settle(written.to_settle)
        except Exception as exc:
            # What was numbered in the failed transaction is not in the store.
            self._writer = EventWriter(made, remembers=REMEMBERED_BY_SERVERS)
            with self._changed:
                self._tallies.update(tallies)
                self._refused.put_back(refused)
            if isinstance(exc, StoreError):
                return exc
            # This thread must outlive a fault of ours: those who wait get an answer all the same.
            logger.exception("a group of %d events could not be written", len(events))
            return StoreError(f"the events could not be written: {exc!r}")
        with self._changed:
            self.n_groups += 1
            self._changed.notify_all()
        return [None if at in written.foreign else new for at, new in enumerate(written.new)]


def sent(events: Sequence[Incoming], new: Sequence[bool]) -> Counter[str]:
    """What pages sent that was new and may count: ``views``, of which ``brought`` have links that
    only a request brought onto the list, and ``clicks``; and what was ``BEYOND`` what its origin
    may send.
    """
    found: Counter[str] = Counter()
    for event in compress(events, new):
        if not isinstance(event, Shown | Followed | Opened):
            continue
        if event.live == BEYOND_ORIGIN:
            found[BEYOND] += 1
        elif event.live == BY_READER and isinstance(event, Shown):
            found["views"] += 1
            found["brought"] += any(event.slate.brought)
        elif event.live == BY_READER and isinstance(event, Followed):
            found["clicks"] += 1
    return found
