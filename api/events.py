"""``POST /v1/events``: what pages send, checked, made durable, answered.

The one implementation behind both ways to it, as in ``related``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from itertools import compress
from typing import Any

from anyio import to_thread
from starlette.types import Receive, Scope

from recommender.errors import Rejected, StoreError
from recommender.events.crawlers import is_crawler
from recommender.events.event import Impression, PageView
from recommender.events.ingest import OTHER_STORE, Gate, Incoming, Opened, Shown
from recommender.store.event_writer import REJECTED
from recommender.store.group_commit import Journal, Outcome
from recommender.store.refusals import NOT_ALLOWED
from recommender_api.http import (
    NOT_STORED,
    OPEN,
    PREFLIGHT,
    Reply,
    check_key,
    header,
    json_reply,
    media_type,
    overloaded,
    read_body,
)
from recommender_api.live import Live
from recommender_api.metrics import Metrics
from recommender_api.origins import Origins
from recommender_api.rate_limit import Clients
from recommender_api.schemas import Refusal, no_store
from recommender_api.store_connection import BUSY_SECONDS, Stored

# Events of one post; not tuned. As many of 260 bytes fill a body.
MAX_EVENTS = 1_000
# Content types of events: sendBeacon cannot send JSON across origins without asking first, and curl
# declares a form unless another type is given.
CONTENT_TYPES = ("", "application/json", "text/plain", "application/x-www-form-urlencoded")
NOT_NOW = "Events cannot be stored now."
# How often those who wait for the store are looked through.
TICK_SECONDS = 0.5
# Why a slate may be refused that another process has signed a moment ago.
RENEWED = ("forged", OTHER_STORE)
# A store that fails does so for every post.
LOG_SECONDS = 10

logger = logging.getLogger("api")


class Events:
    """Takes what pages send; with ``origins``, bounds what of it counts from one network."""

    def __init__(
        self,
        live: Live,
        stored: Stored,
        clients: Clients,
        metrics: Metrics,
        *,
        clock: Callable[[], datetime],
        ticks: Callable[[], float],
        admin_key: str,
        origins: Origins | None = None,
    ) -> None:
        self.live = live
        self.stored = stored
        self.clients = clients
        self.metrics = metrics
        self.clock = clock
        # Seconds that nobody sets back, whatever becomes of the clock.
        self.ticks = ticks
        self.admin_key = admin_key
        self.origins = origins
        self._letters = Letters()
        self._logged: float | None = None

    async def preflight(self, scope: Scope) -> Reply:
        """What a browser asks before it lets a page send JSON to us."""
        origin = (header(scope, b"origin") or b"").decode("latin-1")
        try:
            self._check_origin(origin, scope)
        except Refusal as refusal:
            self._count(refusal, scope)
            raise
        return Reply(204, [*PREFLIGHT, *open_to(origin)], b"")

    async def __call__(self, scope: Scope, receive: Receive) -> Reply:
        """The reply; ``Refusal`` for a request that is refused as a whole, which is counted."""
        try:
            return await self._taken(scope, receive)
        except Refusal as refusal:
            self._count(refusal, scope)
            raise

    def _count(self, refusal: Refusal, scope: Scope) -> None:
        """Have a refused post counted in the store, by its reason; and the origin by its name,
        where this is the reason.
        """
        if (journal := self.stored.journal) is not None:
            origin = header(scope, b"origin") if refusal.code == NOT_ALLOWED else None
            journal.refuse(refusal.code, None if origin is None else origin.decode("latin-1"))

    async def _taken(self, scope: Scope, receive: Receive) -> Reply:
        trusted = self._is_trusted(scope)
        origin = self._check_client(scope, trusted=trusted)
        _check_type(scope)
        records = _records(await read_body(receive))
        if not trusted:
            client = self.clients.client(scope)
            self._hold(self.clients.charge(client, self.ticks(), len(records) - 1))
        journal = self.stored.journal
        if journal is None:
            raise no_store(NOT_NOW)
        gate = self._gate(scope, trusted=trusted)
        try:
            accepted, rejected = _read(gate, records)
            may_be_old = any(fault.reason in RENEWED for _, fault in rejected)
            if may_be_old and (await self._renewed() or self.stored.signer is not gate.signer):
                gate = self._gate(scope, trusted=trusted)
                accepted, rejected = _read(gate, records)
            if self.origins is not None and not trusted:
                accepted = self.origins.mark(accepted, self.clients.client(scope))
            outcome = await self._durable(journal, accepted, rejected)
        except StoreError as exc:
            self.metrics.events("lost", len(records))
            self._log(exc)
            raise no_store(NOT_NOW) from exc
        new = [each for each in outcome if each is not None]
        if len(new) < len(outcome):
            rejected = _with_foreign(outcome, rejected)
        n_new = sum(new)
        self.metrics.events("accepted", n_new)
        self.metrics.accepted(Counter(map(_kind, compress(accepted, outcome))))
        self.metrics.events("duplicate", len(new) - n_new)
        if rejected:
            self.metrics.rejected(Counter(fault.reason for _, fault in rejected))
        return _taken(n_new, len(new) - n_new, rejected, origin)

    def _log(self, fault: StoreError) -> None:
        """Log the store's fault, once in ``LOG_SECONDS``."""
        now = self.ticks()
        if self._logged is None or now >= self._logged + LOG_SECONDS:
            self._logged = now
            logger.error("events cannot be stored: %s", fault)

    def _is_trusted(self, scope: Scope) -> bool:
        if not self.admin_key or header(scope, b"authorization") is None:
            return False
        check_key(self.admin_key, scope["headers"])
        return True

    def _check_client(self, scope: Scope, *, trusted: bool) -> str | None:
        """The origin the answer is open to. ``Refusal`` for strangers and those in a hurry."""
        named = header(scope, b"origin")
        origin = None if named is None else named.decode("latin-1")
        self._check_origin(origin, scope)
        if not trusted:
            self._hold(self.clients.wait(self.clients.client(scope), self.ticks()))
        return origin

    def _hold(self, wait: float) -> None:
        """``Refusal`` of a client that has to ``wait`` some seconds."""
        if wait:
            self.metrics.limited()
            later = {"Retry-After": f"{int(wait) + 1}"}
            raise Refusal(429, "too_many_requests", "Too many events of this client.", later)

    def _check_origin(self, origin: str | None, scope: Scope) -> None:
        host = (header(scope, b"host") or b"").decode("latin-1")
        if not self.clients.may_post_from(origin, host):
            raise Refusal(403, NOT_ALLOWED, "Pages of this origin may not send events.")

    def _gate(self, scope: Scope, *, trusted: bool) -> Gate:
        agent = (header(scope, b"user-agent") or b"").decode("latin-1")
        return Gate(
            signer=self.stored.signer,
            is_known=self.live.knows,
            now_ms=self.stored.now_ms(),
            crawler=not trusted and is_crawler(agent),
            trusted=trusted,
        )

    async def _renewed(self) -> bool:
        """Did another process bring a new signing key?"""
        if not self.stored.keys_may_be_old():
            return False
        try:
            async with asyncio.timeout(BUSY_SECONDS):
                renewed = await to_thread.run_sync(self.stored.renewed_keys, abandon_on_cancel=True)
                if renewed:
                    await to_thread.run_sync(self.live.refresh, abandon_on_cancel=True)
        except TimeoutError:
            raise StoreError(f"no answer for {BUSY_SECONDS:.0f} s") from None
        return renewed

    async def _durable(
        self, journal: Journal, accepted: list[Incoming], rejected: list[tuple[int, Rejected]]
    ) -> list[bool | None]:
        """Wait until the events are on disk; which of them were new, None for those of another
        store.
        """
        tallies = {"received": len(accepted) + len(rejected), **self.live.latencies.drained()}
        if rejected:
            tallies |= Counter(f"{REJECTED}{fault.reason}" for _, fault in rejected)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if not journal.add(accepted, self._letters.to(future), tallies):
            raise overloaded("Too many events are waiting already.")
        outcome = await self._letters.within(BUSY_SECONDS, future)
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome


class Letters:
    """Brings the journal's outcomes to those who wait in the event loop, a group at a time: waking
    the loop for each would cost more than writing the events. So would a timer for each.
    """

    def __init__(self) -> None:
        self._ready: list[tuple[asyncio.Future[Outcome], Outcome]] = []
        self._lock = threading.Lock()
        # Until when they wait, the one that gives up first in front.
        self._until: dict[asyncio.Future[Outcome], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def within(self, seconds: float, future: asyncio.Future[Outcome]) -> Outcome:
        """The outcome; a ``StoreError`` if there is none in so many ``seconds``, or half a second
        more. Should the events be written after all, they are duplicates when they are sent again.
        """
        loop = future.get_loop()
        self._until[future] = loop.time() + seconds
        if self._timer is None or self._loop is not loop:
            self._loop = loop
            self._timer = loop.call_later(TICK_SECONDS, self._tick, loop, seconds)
        try:
            return await future
        finally:
            del self._until[future]

    def _tick(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        now = loop.time()
        for future, until in self._until.items():
            if until > now:
                break
            if not future.done():
                future.set_result(StoreError(f"no answer for {seconds:.0f} s"))
        self._timer = (
            loop.call_later(TICK_SECONDS, self._tick, loop, seconds) if self._until else None
        )

    def to(self, future: asyncio.Future[Outcome]) -> Callable[[Outcome], None]:
        """What the journal calls when the outcome is known."""

        def done(outcome: Outcome) -> None:
            with self._lock:
                self._ready.append((future, outcome))
                first = len(self._ready) == 1
            if first:
                future.get_loop().call_soon_threadsafe(self._deliver)

        return done

    def _deliver(self) -> None:
        with self._lock:
            ready, self._ready = self._ready, []
        for future, outcome in ready:
            if not future.done():  # whoever waited may be gone
                future.set_result(outcome)


def _kind(event: Incoming) -> str:
    """What the wire calls an event."""
    if isinstance(event, Shown | Impression):
        return "impression"
    return "pageview" if isinstance(event, Opened | PageView) else "click"


def _with_foreign(
    outcome: list[bool | None], rejected: list[tuple[int, Rejected]]
) -> list[tuple[int, Rejected]]:
    """The refused events, and of those that were accepted at first those of another store."""
    refused = {index for index, _ in rejected}
    places = (at for at in range(len(outcome) + len(rejected)) if at not in refused)
    fault = Rejected(OTHER_STORE, "field slate: its numbers mean other articles in this store")
    foreign = [(at, fault) for at, new in zip(places, outcome, strict=True) if new is None]
    return sorted([*rejected, *foreign], key=lambda each: each[0])


def _taken(
    n_new: int, n_duplicate: int, rejected: list[tuple[int, Rejected]], origin: str | None
) -> Reply:
    """The answer, open to the origin that asked."""
    faults = [
        {"index": index, "reason": fault.reason, "detail": str(fault)} for index, fault in rejected
    ]
    refused = json.dumps(faults, separators=(",", ":")).encode() if faults else b"[]"
    body = b'{"accepted":%d,"duplicate":%d,"rejected":%b}' % (n_new, n_duplicate, refused)
    return json_reply(202, body, NOT_STORED, *open_to(origin))


def open_to(origin: str | None) -> list[tuple[bytes, bytes]]:
    """Headers that let a page of this origin read the answer."""
    if origin is None:
        return []
    return [(OPEN[0], origin.encode("latin-1")), (b"vary", b"Origin")]


def _check_type(scope: Scope) -> None:
    if media_type((header(scope, b"content-type") or b"").decode("latin-1")) not in CONTENT_TYPES:
        detail = "Send events as application/json or text/plain."
        raise Refusal(415, "unsupported_media_type", detail)


def _records(body: bytes) -> list[Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "invalid_json", "The body is not valid JSON.") from None
    records = content if isinstance(content, list) else [content]
    if len(records) > MAX_EVENTS:
        detail = f"A post has at most {MAX_EVENTS} events, not {len(records)}."
        raise Refusal(413, "too_many_events", detail)
    return records


def _read(gate: Gate, records: list[Any]) -> tuple[list[Incoming], list[tuple[int, Rejected]]]:
    accepted: list[Incoming] = []
    rejected: list[tuple[int, Rejected]] = []
    for index, record in enumerate(records):
        try:
            accepted.append(gate.read(record))
        except Rejected as fault:
            rejected.append((index, fault))
    return accepted, rejected
