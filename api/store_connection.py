"""The store behind the web process: opened when it can be, looked after, never waited for by reads.

Lists are served from the bundle alone, so a database that is gone costs the slate tokens of what
was not yet signed, and the events, which are refused with a clear status; not the lists.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from recommender.config import Settings
from recommender.errors import NewerStoreError, StoreError
from recommender.events.slate_token import Signer
from recommender.store import exports
from recommender.store.database import Store, rename, signing_keys, store_name
from recommender.store.group_commit import Journal

# New articles stand in others' lists within a second; not tuned below that.
POLL_SECONDS = 0.25
# Pages wait for the answer: a writer that holds the store for longer makes us refuse.
BUSY_SECONDS = 8.0
# A server takes no longer over a statement, waiting for locks included.
STATEMENT_SECONDS = BUSY_SECONDS + 1
# Of the seconds a process has to end. Those who sent what still waits have had their answer.
CLOSE_SECONDS = 2.0
# Not tuned: how long a store that is back goes unnoticed.
RETRY_SECONDS = 1.0
# How long a key is used that is no longer valid; not tuned.
KEYS_SECONDS = 60

logger = logging.getLogger("api")


class Stored:
    """The open store and what writes events, both None while there is none; ``signer`` is what
    signs tokens, and opens none until there is a store.

    A store whose file was deleted, replaced or damaged is let go of, and nothing is made in its
    place: it is opened anew when it is back.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], datetime],
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.ticks = ticks
        self.store: Store | None = None
        self.name: str | None = None
        self.signer = Signer([])
        self.journal: Journal | None = None
        self.fault: str | None = None
        # Whether there is none since it was made by a newer release, which no waiting mends.
        self.is_newer = False
        self._keys: list[bytes] = []
        self._exported: dict[
            bytes, int
        ] = {}  # keys of static pages of before, as Signer takes them
        self._noted: list[str] = []
        self._keys_read = -math.inf
        self._mark_read = -math.inf
        self._had_one = False
        self._damaged = False
        # The state of a file in which no sense could be made.
        self._senseless: tuple[int, ...] | None = None
        self._opening = threading.Lock()
        self.open()

    def open(self) -> bool:
        """Open the store if it is not; returns whether it is open now."""
        with self._opening:
            if self.store is not None:
                return True
            try:
                # Only a server that has had no store yet may make one.
                store = Store(
                    self.settings.database,
                    create=not self._had_one,
                    busy_seconds=BUSY_SECONDS,
                    statement_seconds=STATEMENT_SECONDS,
                )
                try:
                    if self._damaged:
                        self._look_through(store)
                    self.name = store_name(store)
                    self._keys = self._keys_of(store, self.settings.signing_key)
                    self._exported = self._exported_of(store, self._keys)
                except BaseException:
                    store.close()
                    raise
            except StoreError as exc:
                self._log(str(exc))
                self.is_newer = isinstance(exc, NewerStoreError)
                return False
            self.is_newer = False
            self.signer = self._signer_of(self.name)
            self.journal = Journal(store, clock=self.now_ms)
            self.store, self.fault = store, None
            if store.was_made:
                logger.warning("made a new store: %s", store.place)
            if self._had_one:
                logger.info("the store is back")
            elif store.seen_by_others():
                logger.warning("%s: others may read it, and the signing key in it", store.name)
            self._had_one, self._damaged = True, False
            return True

    def _look_through(self, store: Store) -> None:
        """``StoreError`` if the store makes no sense. All of it is read, so the same only once."""
        if store.state == self._senseless:
            raise StoreError(self.fault or f"{store.name}: the file is damaged")
        state = store.state
        try:
            store.check_contents()
        except StoreError:
            self._senseless = state
            raise

    def _let_go(self, store: Store) -> None:
        """Have no store, since this one is lost."""
        with self._opening:
            if self.store is not store or self.journal is None:
                return
            journal, self.store, self.journal = self.journal, None, None
            self._damaged = store.is_damaged
            # What waits is answered, at once: by a store that is lost, with an error.
            store.give_up()
            journal.close()
            store.abandon()

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return int(self.clock().timestamp() * 1000)

    def keys_may_be_old(self) -> bool:
        """Is it a while since the keys were read?"""
        return self.ticks() >= self._keys_read + RETRY_SECONDS

    def renewed_keys(self) -> bool:
        """Read the keys and the name again, since another process may have been started with a new
        key, or found the store gone back; returns whether they changed. ``StoreError`` if the store
        is out of reach.
        """
        # Who finds another at it, perhaps waiting for a store that hangs, need not wait as well.
        if not self._opening.acquire(blocking=False):
            return False
        try:
            if self.store is None or not self.keys_may_be_old():
                return False
            self._keys_read = self.ticks()
            keys, name = self._keys_of(self.store), store_name(self.store)
            exported = self._exported_of(self.store, keys)
            if (keys, name, exported) == (self._keys, self.name, self._exported):
                return False
            self._keys, self.name, self._exported = keys, name, exported
            self.signer = self._signer_of(name)
            return True
        finally:
            self._opening.release()

    def gone_back(self) -> None:
        """Give the store another name, since it is older than what is served. ``StoreError`` if it
        is out of reach.
        """
        with self._opening:
            if self.store is not None and self.name is not None:
                logger.warning(
                    "the store went back to an older state; slates of before are void, "
                    "those of static pages too: run recommender export again if there are any"
                )
                self.name = rename(self.store, self.name)
                self.signer = self._signer_of(self.name)

    def _keys_of(self, store: Store, given: str = "") -> list[bytes]:
        hours = self.settings.previous_key_hours
        return signing_keys(store, given, now_ms=self.now_ms(), previous_hours=hours)

    def _exported_of(self, store: Store, keys: Sequence[bytes]) -> dict[bytes, int]:
        """The keys that signed static pages; logs what a change of the signing key made of these.
        With a leaked key, they are revoked.
        """
        leaked = self.settings.previous_key_hours == 0
        now = self.now_ms()
        found = exports.standing(store, keys[0], now_ms=now, revoking=leaked)
        if (sentences := found.sentences(now)) != self._noted:
            self._noted = sentences
            for sentence in sentences:
                logger.warning("%s", sentence)
        return found.keys

    def _signer_of(self, name: str) -> Signer:
        return Signer(self._keys, store=name, exported=self._exported)

    def _log(self, fault: str) -> None:
        if fault != self.fault:
            logger.error("%s (lists are served, events are refused)", fault)
        self.fault = fault

    def poll(self, catch_up: Callable[[], None]) -> float:
        """Open the store when it comes back; while it is open, ``catch_up`` with it, which may
        raise ``StoreError``. Returns the seconds to wait until the next call.
        """
        if not self.open() or (store := self.store) is None:
            return RETRY_SECONDS
        try:
            store.check()
            if self.ticks() >= self._mark_read + RETRY_SECONDS:
                self._mark_read = self.ticks()
                with store.reading() as connection:
                    store.check_mark(connection)
            store.cut_log_of_writes()
            if self.ticks() >= self._keys_read + KEYS_SECONDS:
                self.renewed_keys()
            catch_up()
        except StoreError as exc:
            self._log(str(exc))
            if store.lost:
                self._let_go(store)
                return POLL_SECONDS
            return RETRY_SECONDS
        if self.fault:
            logger.info("the store is back")
            self.fault = None
        return POLL_SECONDS

    def close(self) -> None:
        """Write what waits, if the store takes it in time, and let go of the store."""
        journal, store = self.journal, self.store
        if journal is None or store is None:
            return
        written = journal.close(CLOSE_SECONDS)
        # From here on no thread waits for a server that says nothing.
        store.give_up()
        if not (written or journal.close(CLOSE_SECONDS)):
            logger.error("%s: the events that wait are not written", store.name)
        store.close()
