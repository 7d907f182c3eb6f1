"""What a connection may cost before anybody knows who is at its other end.

uvicorn's protocols with bounds: on the bytes beside a body, on the time a client may take for each
step, on requests that are sent ahead, and on how many connections are open. What is refused here
has the one shape of every error, and the connection is closed behind it.

``uvicorn.run(..., http=recommender_api.connections.PROTOCOL)``
"""

from __future__ import annotations

import asyncio
import http
import logging
import re
import sys
from collections import Counter, OrderedDict
from importlib.util import find_spec
from typing import Any
from weakref import WeakKeyDictionary

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from recommender_api.http import refused
from recommender_api.lane import START, Lane

# Bytes of a request beside its body: its line, headers, heads of chunks, trailers. Browsers and
# proxies send 8 to 16 kB at most; not tuned. A body may bring a quarter of its own size on top.
MAX_HEAD_BYTES = 64 * 1024
# What a piece of a body is taken for beside its bytes, because parsing it costs time: some 4,000
# pieces of a byte are too many, any number of 100 bytes and more is not.
PIECE_BYTES = 16
# Requests of one connection that wait for the answer to an earlier one; browsers send none ahead.
MAX_AHEAD = 32
# How long a client may take, none of it tuned: for a head, from its first byte or from the opening
# of the connection; between two pieces of a body; for a whole request; to take what was written.
HEAD_SECONDS, PAUSE_SECONDS, REQUEST_SECONDS, WRITE_SECONDS = 10.0, 10.0, 60.0, 20.0
# Who is refused may send on for a while: closing at once would cut off the answer.
LINGER_SECONDS, LINGER_BYTES = 2.0, 16 * 1024 * 1024
# How exactly these times are kept.
TICK_SECONDS = 0.5
# Connections of a process at most, and files that it needs for everything else; not tuned.
MAX_CONNECTIONS, RESERVED_FILES = 10_000, 128
# Strangers decide how many there are, so what was refused is counted and logged now and then.
LOG_SECONDS = 10.0

TOO_LONG = (431, "head_too_large", f"A request has at most {MAX_HEAD_BYTES} bytes beside its body.")
URI_TOO_LONG = (414, "uri_too_long", f"An address has at most {MAX_HEAD_BYTES} bytes.")
NO_HTTP = (400, "bad_request", "This is no HTTP request that is understood here.")
NO_UPGRADE = (400, "bad_request", "There are no websockets and no other protocols here.")
TOO_SLOW = (408, "too_slow", "The request did not arrive in time.")
TOO_MANY_AHEAD = (400, "too_many_ahead", f"At most {MAX_AHEAD} requests may be sent ahead.")
FULL = (503, "overloaded", "Too many connections are open already.")

# What follows the target of a request, and the query of one that needs no second look.
VERSION = b" HTTP/1.1\r\n"
PLAIN_QUERY = re.compile(rb"[!$-~]{1,2000}").fullmatch
# Headers that decide how a list is answered, and those of a request with a body.
MATTERS = (b"if-none-match", b"authorization")
WITH_BODY = (b"content-length", b"transfer-encoding")
# Heads that are known again: each connection of a browser or a proxy has one or a few. Not tuned.
MAX_HEADS, MAX_KNOWN_BYTES = 1_000, 2_000
# What the short lane takes of uvicorn's protocol.
LEANS_ON = (
    "cycle", "pipeline", "flow", "parser", "server_state", "root_path", "limit_concurrency",
    "config", "timeout_keep_alive", "timeout_keep_alive_task",
)  # fmt: skip

Refused = tuple[int, str, str]
Header = tuple[bytes, bytes]

logger = logging.getLogger("api")


def most_connections() -> int:
    """How many connections this process may have open."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MAX_CONNECTIONS
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(1, min(MAX_CONNECTIONS, files - RESERVED_FILES))


class Door:
    """The open connections of a server, ``waiting`` those whose client has to act next, the one
    that has waited longest first.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.most = most_connections()
        self.open: set[Bounded] = set()
        self.waiting: OrderedDict[Bounded, None] = OrderedDict()
        self._refused: Counter[str] = Counter()
        self._ticking = False
        self._logged = 0.0
        # Heads of plain requests behind their first line, with what matters of them.
        self.heads: dict[bytes, tuple[Header, ...]] = {}
        self._lacks_logged = False

    def lane_of(self, connection: Any) -> Lane | None:
        """The short lane of the application, if a connection can use it: nothing may stand between
        the two, and uvicorn must be as it was when this was written.
        """
        lane = getattr(getattr(connection, "app", None), "lane", None)
        if lane is None:
            return None
        lacks = [name for name in LEANS_ON if not hasattr(connection, name)]
        if lacks:
            if not self._lacks_logged:
                self._lacks_logged = True
                logger.warning("lists go the long way: this uvicorn has no %s", ", ".join(lacks))
            return None
        plain = connection.root_path == "" and connection.limit_concurrency is None
        return lane if plain and not connection.config.access_log else None

    def remember(self, head: bytes, named: tuple[Header, ...]) -> None:
        """Know a head again."""
        if len(head) <= MAX_KNOWN_BYTES:
            if len(self.heads) >= MAX_HEADS:
                self.heads.clear()
            self.heads[head] = named

    def enter(self, connection: Bounded) -> bool:
        """Let a connection in, if need be in place of the one that has waited longest."""
        if len(self.open) >= self.most:
            if not self.waiting:
                return False
            oldest = next(iter(self.waiting))
            self.leave(oldest)
            oldest.raw.abort()
            self.count("crowded_out")
        self.open.add(connection)
        self.waiting[connection] = None
        if not self._ticking:
            self._ticking = True
            self.loop.call_later(TICK_SECONDS, self._tick)
        return True

    def leave(self, connection: Bounded) -> None:
        """Forget a connection."""
        self.open.discard(connection)
        self.waiting.pop(connection, None)

    def count(self, code: str) -> None:
        """Something was refused."""
        self._refused[code] += 1

    def _tick(self) -> None:
        now = self.loop.time()
        for connection in tuple(self.open):
            try:
                connection.check(now)
            except Exception:  # one connection must not end the limits of all others
                logger.exception("a connection could not be checked, and is closed")
                connection.raw.abort()
        if self._refused and now >= self._logged + LOG_SECONDS:
            self._logged = now
            counts = ", ".join(f"{code} {n}" for code, n in sorted(self._refused.items()))
            logger.warning("refused on connections: %s", counts)
            self._refused.clear()
        self._ticking = bool(self.open or self._refused)
        if self._ticking:
            self.loop.call_later(TICK_SECONDS, self._tick)


_DOORS: WeakKeyDictionary[ServerState, Door] = WeakKeyDictionary()


class Gentle:
    """A transport that is closed by way of its connection, which may have to linger."""

    def __init__(self, raw: asyncio.Transport, connection: Bounded) -> None:
        self._raw = raw
        self._connection = connection
        # What every answer needs, without a step between.
        self.write = raw.write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def close(self) -> None:
        """Close, behind what was written and perhaps what is still coming."""
        self._connection.depart()

    def is_closing(self) -> bool:
        """Is no further answer to be written?"""
        return self._connection.lingering or self._raw.is_closing()


class Bounded:
    """The bounds, in front of one of uvicorn's protocols."""

    # Of uvicorn's protocols:
    loop: asyncio.AbstractEventLoop
    server_state: ServerState
    cycle: Any
    flow: Any
    pipeline: Any = ()
    timeout_keep_alive: Any
    # Since when all is answered that was asked, where no timer of uvicorn's runs; else 0.
    idle_since = 0.0
    # Ours: the transport itself, when the present head began or the connection was opened (0: no
    # head has begun), when anything came last, and how many bytes came beside a body.
    raw: asyncio.Transport
    door: Door
    begun = 0.0
    heard = 0.0
    beside = 0
    # After the last answer all that comes is thrown away, until a moment and up to so much.
    lingering = False
    deaf = False
    _until = 0.0
    _thrown = 0
    _paused = 0.0
    _why: Refused | None = None

    def connection_made(self, transport: Any) -> None:
        """A client has opened a connection."""
        door = _DOORS.get(self.server_state)
        if door is None:
            door = _DOORS[self.server_state] = Door(self.loop)
        self.door, self.raw = door, transport
        self.begun = self.heard = self.loop.time()
        super().connection_made(Gentle(transport, self))  # type: ignore[misc]
        if not door.enter(self):
            door.count(FULL[1])
            self.deaf = True
            self.raw.write(self._written(FULL))
            self.raw.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self.door.leave(self)
        super().connection_lost(exc)  # type: ignore[misc]

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self.deaf:
            self._throw_away(data)
            return
        self.heard = now = self.loop.time()
        if not self.begun:
            self.begun = now
        self.beside += len(data)
        self.take(data)
        if self.beside > MAX_HEAD_BYTES and not self.deaf:
            self.refuse(self.too_long())

    def take(self, data: bytes) -> None:
        """Parse what has come, and act on it."""
        raise NotImplementedError

    def too_long(self) -> Refused:
        """What is too long."""
        return TOO_LONG

    # What the parsers report

    def body_came(self, n_bytes: int) -> None:
        """So much of what came was body, in one piece."""
        self.beside = max(0, self.beside - n_bytes - n_bytes // 4 + PIECE_BYTES)

    def request_came(self) -> None:
        """A request is whole."""
        self.beside, self.begun = 0, 0.0
        self.door.waiting.pop(self, None)

    def on_response_complete(self) -> None:
        """An answer was written. Who has not sent the whole request by then need not go on."""
        if not self.pipeline and self.cycle.more_body:
            self.linger()
        super().on_response_complete()  # type: ignore[misc]
        if self.cycle.response_complete:
            self.door.waiting[self] = None

    # Closing

    def depart(self) -> None:
        """Close the connection, gently if its client is still sending."""
        if self.cycle is not None and self.cycle.more_body and not self.pipeline:
            self.linger()
        elif not self.lingering:
            self.raw.close()

    def linger(self) -> None:
        """Close our half, and throw away what still comes."""
        if self.lingering or self.raw.is_closing():
            return
        self.deaf = self.lingering = True
        self._until = self.loop.time() + LINGER_SECONDS
        self._unset_keepalive_if_required()  # type: ignore[attr-defined]
        self.flow.resume_reading()
        try:
            if self.raw.can_write_eof():
                self.raw.write_eof()
        except OSError:  # its client is gone already
            self.raw.abort()

    def shutdown(self) -> None:
        """The server is to stop."""
        if not self.lingering:
            super().shutdown()  # type: ignore[misc]

    def _throw_away(self, data: bytes) -> None:
        self._thrown += len(data)
        if self._thrown > LINGER_BYTES:
            self.raw.abort()

    def eof_received(self) -> None:
        """The client sends no more; so there is nothing left to wait for."""
        if self.lingering:
            self.raw.close()

    def refuse(self, why: Refused) -> None:
        """Answer with an error and close. What was asked before gets its answer first, and the
        connection is closed behind that.
        """
        self.door.count(why[1])
        self.deaf = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if self.pipeline or not cycle.more_body:
                cycle.keep_alive = False
                self.flow.pause_reading()
                return
            # It is this request's body that is at fault; whoever reads it need not wait for more.
            started, cycle.disconnected = cycle.response_started, True
            cycle.message_event.set()
            if started:
                self.raw.abort()
                return
        self.raw.write(self._written(why))
        self.linger()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn does when a parser gives up."""
        # Called where the parser's error is handled: h11 names a status where it has a better one.
        status = getattr(sys.exc_info()[1], "error_status_hint", 400)
        self.refuse(self._why or (TOO_LONG if status == 431 else NO_HTTP))

    def _written(self, why: Refused) -> bytes:
        status, code, detail = why
        later = {"Retry-After": "1"} if status == 503 else {}
        reply = refused(status, code, detail, later)
        phrase = http.HTTPStatus(status).phrase
        headers = [*self.server_state.default_headers, *reply.headers, (b"connection", b"close")]
        lines = b"".join(b"%b: %b\r\n" % each for each in headers)
        return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, phrase.encode(), lines, reply.body)

    # Time

    def check(self, now: float) -> None:
        """Close what takes too long."""
        if self.lingering or self.raw.is_closing():
            self._until = self._until or now + WRITE_SECONDS
            if now >= self._until:
                self.raw.abort()
            return
        if self.flow.write_paused:
            self._paused = self._paused or now
            if now - self._paused >= WRITE_SECONDS:
                self.door.count("not_read")
                self.raw.abort()
            return
        self._paused = 0.0
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            if self.begun and now - self.begun >= HEAD_SECONDS:
                if self.beside:
                    self.refuse(TOO_SLOW)
                else:
                    self.raw.close()
            elif self.idle_since and now - self.idle_since >= self.timeout_keep_alive:
                self.raw.close()
            return
        # The head of a request that was sent ahead came with the end of the one before.
        self.begun = self.begun or now
        if self.flow.read_paused:
            self.heard = now
        # A body that we are not reading ourselves is not late.
        reading = cycle.more_body and not self.flow.read_paused and not self.pipeline
        late = now - self.heard >= PAUSE_SECONDS or now - self.begun >= REQUEST_SECONDS
        if reading and late:
            self.refuse(TOO_SLOW)


class H11Connection(Bounded, H11Protocol):
    """The bounds in front of h11, which is Python and always there."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.conn = h11.Connection(h11.SERVER, MAX_HEAD_BYTES)
        self._next = self.conn.next_event
        self.conn.next_event = self._event  # type: ignore[method-assign]

    def take(self, data: bytes) -> None:
        H11Protocol.data_received(self, data)

    def _event(self) -> Any:
        event = self._next()
        if isinstance(event, h11.Request):
            self._check(event)
        elif isinstance(event, h11.Data):
            self.body_came(len(event.data))
        elif isinstance(event, h11.EndOfMessage):
            self.request_came()
        return event

    def _check(self, event: h11.Request) -> None:
        size = len(event.target) + sum(len(name) + len(value) for name, value in event.headers)
        names = [name for name, _ in event.headers]
        if size > MAX_HEAD_BYTES:
            self._why = URI_TOO_LONG if 2 * len(event.target) > MAX_HEAD_BYTES else TOO_LONG
        elif b"content-length" in names and b"transfer-encoding" in names:
            # Two readers of such a request may differ on where it ends.
            self._why = NO_HTTP
        elif event.method == b"CONNECT" or (
            b"upgrade" in names
            and (event.method not in (b"GET", b"HEAD") or _asks_websocket(event.headers))
        ):
            self._why = NO_UPGRADE
        if self._why:
            raise h11.RemoteProtocolError(self._why[2])

    def _unsupported_upgrade_warning(self) -> None:
        """Strangers decide how often that is."""


def _asks_websocket(headers: Any) -> bool:
    return any(
        name == b"upgrade" and value.strip().lower() == b"websocket" for name, value in headers
    )


PROTOCOL: type[asyncio.Protocol] = H11Connection

if find_spec("httptools"):
    import httptools
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class HttpToolsConnection(Bounded, HttpToolsProtocol):
        """The bounds in front of httptools, which is ten times as fast."""

        url = b""
        # Ours: the short lane, None if there is none here; is the parser amid a request, and is
        # that one of those which the lane may answer?
        lane: Lane | None = None
        amid = False
        is_plain = False
        _data = b""
        _declined = False

        def connection_made(self, transport: Any) -> None:
            """A client has opened a connection."""
            super().connection_made(transport)
            self.lane = self.door.lane_of(self)

        def data_received(self, data: bytes) -> None:
            """Bytes have come; those of a whole plain request are not even parsed, if its headers
            came before.
            """
            if self.amid or self.lane is None or not data.startswith(START) or self.deaf:
                super().data_received(data)
                return
            end = data.find(VERSION, len(START))
            named = self.door.heads.get(data[end + len(VERSION) :]) if end > 0 else None
            if named is None or not self.is_free():
                super().data_received(data)
                return
            query = data[len(START) : end]
            if PLAIN_QUERY(query) and self.answered(query, named):
                return
            self._declined = True
            super().data_received(data)
            self._declined = False

        def is_free(self) -> bool:
            """Has everything been answered that was asked before, and can more be written?"""
            cycle = self.cycle
            done = cycle is None or (cycle.response_complete and cycle.keep_alive)
            return done and not self.pipeline and not self.flow.write_paused

        def answered(self, query: bytes, named: tuple[Header, ...]) -> bool:
            """Could the lane answer a request?"""
            state = self.server_state
            if self.lane is None:
                return False
            try:
                sent = self.lane.answer(query, named, state.default_headers)
            except Exception:  # the long way has its own answer to that
                logger.exception("the short lane failed, this connection goes the long way")
                self.lane = None
                return False
            if sent is None:
                return False
            self.raw.write(sent)
            state.total_requests += 1
            self.beside, self.begun, self.heard = 0, 0.0, self.loop.time()
            # uvicorn's timer would be set and cut off at every request; the door looks instead.
            self._unset_keepalive_if_required()
            self.idle_since = self.heard
            self.door.waiting[self] = None
            self.door.waiting.move_to_end(self)
            return True

        def take(self, data: bytes) -> None:
            self._unset_keepalive_if_required()
            self.idle_since = 0.0
            self._data = data
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade:
                # Where it was let pass it is answered as any other, and nothing may follow.
                self.deaf = True
            except httptools.HttpParserError:
                self.refuse(self._why or NO_HTTP)

        def too_long(self) -> Refused:
            return URI_TOO_LONG if 2 * len(self.url) > MAX_HEAD_BYTES else TOO_LONG

        def on_message_begin(self) -> None:
            """A request begins; what the long way needs is made when it is sure to be taken."""
            self.amid = True
            if self.lane is None:
                super().on_message_begin()
                return
            self.url, self.headers, self.expect_100_continue = b"", [], False

        def on_headers_complete(self) -> None:
            """A head is whole."""
            if self.beside > MAX_HEAD_BYTES:
                size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
                if size > MAX_HEAD_BYTES:
                    self._why = self.too_long()
            if len(self.pipeline) >= MAX_AHEAD:
                self._why = TOO_MANY_AHEAD
            upgrades = self.parser.should_upgrade()
            if upgrades and (
                self.parser.get_method() not in (b"GET", b"HEAD") or _asks_websocket(self.headers)
            ):
                self._why = NO_UPGRADE
            if self._why:
                raise ValueError(self._why[2])
            if self.lane is not None:
                self.is_plain = not upgrades and self._is_plain()
                if self.is_plain:
                    return
            self._go_the_long_way()
            if upgrades:
                self.cycle.keep_alive = False
            # What comes as a trailer is no header: a proxy in front has not looked at it.
            self.headers = []

        def _is_plain(self) -> bool:
            """May the lane answer the request whose head is whole?"""
            return (
                not self._declined
                and self.url.startswith(START[4:])
                and self.parser.get_method() == b"GET"
                and self.parser.get_http_version() == "1.1"
                and self.parser.should_keep_alive()
                and not self.expect_100_continue
                and PLAIN_QUERY(self.url[len(START) - 4 :]) is not None
                and not any(name in WITH_BODY for name, _ in self.headers)
                and self.is_free()
            )

        def _go_the_long_way(self) -> None:
            """Have the application answer the request whose head is whole."""
            if self.lane is not None:
                url, headers, expects = self.url, self.headers, self.expect_100_continue
                super().on_message_begin()
                self.url, self.expect_100_continue = url, expects
                self.headers += headers
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            """A piece of a body."""
            self.body_came(len(body))
            super().on_body(body)

        def on_message_complete(self) -> None:
            """A request is whole."""
            self.amid = False
            if self.is_plain:
                self.is_plain = False
                named = tuple(each for each in self.headers if each[0] in MATTERS)
                if self.answered(self.url[len(START) - 4 :], named):
                    self._remember(named)
                    return
                self._go_the_long_way()
                self.headers = []
            self.request_came()
            super().on_message_complete()

        def _remember(self, named: tuple[Header, ...]) -> None:
            """Know the head of a plain request again, if it came alone and in one piece."""
            first, _, rest = self._data.partition(VERSION)
            if first == START[:4] + self.url and rest.find(b"\r\n\r\n") == len(rest) - 4:
                self.door.remember(rest, named)

    PROTOCOL = HttpToolsConnection
