"""Whatever strangers send, a connection costs little, and its errors have the one shape."""

import asyncio
import json
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from recommender_api import connections
from recommender_api.connections import Door, H11Connection, most_connections

# Both parsers, each on the loop it comes with.
SERVERS = {"httptools": (connections.PROTOCOL, "auto"), "h11": (H11Connection, "asyncio")}
GET = b"GET /page HTTP/1.1\r\nhost: x\r\n"
LAST = b"connection: close\r\n"
POST = b"POST /read HTTP/1.1\r\nhost: x\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n"


async def _app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what it was sent; ``/read`` reads the body, ``/big`` answers at length."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body, more = b"", scope["path"] == "/read"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    await asyncio.sleep(0.02)
    content = json.dumps([len(body), [name.decode() for name, _ in scope["headers"]]]).encode()
    if scope["path"] == "/big":
        content = b"x" * 30_000_000
    headers = [(b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


class Asking:
    """A server in a thread, and raw requests to it."""

    def __init__(self, protocol: Any, loop: Any) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = uvicorn.Config(
            _app, port=self.port, http=protocol, ws="none", loop=loop, log_level="error"
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        assert until(lambda: self.server.started)

    @property
    def door(self) -> Door:
        """Of this server, once somebody came."""
        return connections._DOORS[self.server.server_state]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def __call__(self, *parts: bytes) -> bytes:
        """All that is answered until the connection is closed."""
        found = b""
        with self.connect() as connection:
            try:
                for part in parts:
                    connection.sendall(part)
            except OSError:
                pass  # it was closed; what was answered before can still be read
            while part := connection.recv(65536):
                found += part
        return found


def until(fact: Callable[[], bool], *, seconds: float = 10) -> bool:
    """Does it become true within this time?"""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if fact():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture(scope="module", params=SERVERS)
def ask(request: pytest.FixtureRequest) -> Iterator[Asking]:
    """A server with each of the parsers, and less patience than usual."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HEAD_SECONDS", "PAUSE_SECONDS", "WRITE_SECONDS", "LINGER_SECONDS"):
            patch.setattr(connections, name, 0.5)
        patch.setattr(connections, "TICK_SECONDS", 0.05)
        asking = Asking(*SERVERS[request.param])
        yield asking
        asking.server.should_exit = True
        asking.thread.join(20)


def error(answer: bytes) -> tuple[int, str]:
    """Status and code of an answer that must be one error in our shape, and the last."""
    head, _, body = answer.partition(b"\r\n\r\n")
    content = json.loads(body)
    assert [*content] == ["error", "detail"] and content["detail"].endswith(".")
    assert b"content-type: application/json" in head.lower()
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), content["error"]


def content(answer: bytes) -> list[Any]:
    """What the application answered, the only one on its connection."""
    assert answer.count(b"HTTP/1.1 200 OK") == 1
    found: list[Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/nine\r\nhost: x\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n",
        POST + b"content-length: -1\r\n\r\n",
        POST + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabc",
        CHUNKED + b"content-length: 3\r\n\r\n0\r\n\r\n",
        CHUNKED + b"\r\nZZ\r\n",
        GET + b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n",
        POST + b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\nabc",
        b"CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
def test_what_is_no_request_of_ours_is_refused_in_our_shape(ask: Asking, sent: bytes):
    """Also requests on whose end two readers may differ, and asks for other protocols."""
    assert error(ask(sent)) == (400, "bad_request")


@pytest.mark.parametrize(
    "parts",
    [
        (GET + b"x: ", *[b"a" * 10_000] * 30),
        (GET + b"x: " + b"a" * 100_000 + b"\r\n\r\n",),
        (GET, *[b"x: y\r\n" * 1_000] * 30),
        (CHUNKED + b"\r\n3;", *[b"x" * 10_000] * 30),
        (CHUNKED + b"\r\n3\r\nabc\r\n0\r\n", *[b"x: " + b"a" * 9_000 + b"\r\n"] * 30),
        (CHUNKED + b"\r\n", *[b"1\r\na\r\n" * 1_000] * 30),
    ],
)
def test_what_stands_beside_a_body_is_bounded(ask: Asking, parts: tuple[bytes, ...]):
    """Headers, heads of chunks, trailers; and a body of nothing but heads of chunks."""
    assert error(ask(*parts)) == (431, "head_too_large")


def test_an_address_is_bounded(ask: Asking):
    """However long it goes on."""
    status, code = error(ask(b"GET /", *[b"a" * 10_000] * 30))

    assert (status, code) in ((414, "uri_too_long"), (431, "head_too_large"))


def test_memory_is_flat_under_a_head_without_end(ask: Asking):
    """After 64 kB nothing of it is kept, though the client sends on."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    ask(GET + b"x: ", *[b"a" * 1_000_000] * 40)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000


def test_who_sends_nothing_or_stops_is_let_go(ask: Asking):
    """Without a word who sent none, with the reason who began."""
    since = time.monotonic()

    assert ask() == b""
    assert error(ask(b"GET /pa")) == (408, "too_slow")
    assert error(ask(POST + b"content-length: 30\r\n\r\nabc")) == (408, "too_slow")
    assert error(ask(CHUNKED + b"\r\n3\r\nab")) == (408, "too_slow")
    assert time.monotonic() - since < 8


def test_who_sends_a_byte_now_and_then_is_let_go(ask: Asking):
    """The time for a head does not begin anew with every byte."""
    with ask.connect() as connection:
        since = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() < since + 10:
                connection.sendall(b"G")
                time.sleep(0.05)

    assert time.monotonic() - since < 5


def test_who_does_not_read_the_answer_is_let_go(ask: Asking):
    """What was written for him is given back."""
    with ask.connect() as connection:
        connection.sendall(b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n")

        assert until(lambda: len(ask.door.open) == 1)
        assert until(lambda: not ask.door.open)


def test_an_answer_reaches_who_is_still_sending(ask: Asking):
    """The connection is closed behind it, not on top of it."""
    head = b"POST /page HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000\r\n\r\n"

    assert content(ask(head, *[b"a" * 1_000_000] * 9))[0] == 0


def test_whole_requests_are_answered_as_ever(ask: Asking):
    """Bodies of any size in chunks of a usual one, requests sent ahead, older clients."""
    chunk = b"400\r\n" + b"a" * 1024 + b"\r\n"

    assert content(ask(CHUNKED + LAST + b"\r\n", *[chunk] * 500, b"0\r\n\r\n"))[0] == 512_000
    assert content(ask(POST + LAST + b"content-length: 3\r\n\r\nabc"))[0] == 3
    assert ask((GET + b"\r\n") * 9 + GET + LAST + b"\r\n").count(b"HTTP/1.1 200 OK") == 10
    assert content(ask(b"GET /page HTTP/1.0\r\n\r\n"))[0] == 0


def test_a_trailer_is_no_header(ask: Asking):
    """A proxy in front has checked the headers, not what comes behind the body."""
    sent = CHUNKED + LAST + b"\r\n3\r\nabc\r\n0\r\nx-forwarded-for: 192.0.2.1\r\n\r\n"

    assert content(ask(sent)) == [3, ["host", "transfer-encoding", "connection"]]


def test_who_asks_for_http_2_is_answered_in_http_1(ask: Asking):
    """As ``curl --http2`` does."""
    sent = GET + b"connection: upgrade, close\r\nupgrade: h2c\r\n\r\n"

    assert content(ask(sent))[0] == 0


def test_what_was_asked_before_is_answered_first(ask: Asking):
    """Nonsense behind a request does not cost its answer."""
    answer = ask(GET + b"\r\n" + b"\x00\x01\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 OK")


def test_few_requests_may_be_sent_ahead(ask: Asking):
    """Else one read of the socket could hold thousands of them; h11 takes them one by one."""
    most = 200 if ask.server.config.http is H11Connection else connections.MAX_AHEAD + 1

    answer = ask((GET + b"\r\n") * 200)

    assert 1 <= answer.count(b"HTTP/1.1 200 OK") <= most


def test_a_body_is_asked_for_before_it_is_sent(ask: Asking):
    """By who reads it; who refuses it does so at once."""
    expecting = b"expect: 100-continue\r\ncontent-length: 3\r\n"

    assert ask(POST + expecting + b"\r\n").startswith(b"HTTP/1.1 100")
    unread = ask(b"POST /page HTTP/1.1\r\nhost: x\r\n" + expecting + b"\r\n")
    assert unread.startswith(b"HTTP/1.1 200 OK")


def test_who_has_waited_longest_makes_room(ask: Asking, monkeypatch: pytest.MonkeyPatch):
    """Idle connections use up no descriptors that others need."""
    ask(GET + LAST + b"\r\n")
    monkeypatch.setattr(ask.door, "most", 10)

    idle = [ask.connect() for _ in range(30)]
    answer = ask(GET + LAST + b"\r\n")

    assert content(answer)[0] == 0
    assert len(ask.door.open) <= 10
    assert [each.recv(10) for each in idle[:15]] == [b""] * 15
    for each in idle:
        each.close()


def test_where_all_are_busy_one_more_is_refused(ask: Asking, monkeypatch: pytest.MonkeyPatch):
    """Nobody who is owed an answer makes room."""
    ask(GET + LAST + b"\r\n")
    assert until(lambda: not ask.door.open)
    monkeypatch.setattr(ask.door, "most", 0)

    assert error(ask()) == (503, "overloaded")


def test_connections_leave_descriptors_to_everything_else():
    """The bound is below what the process may have open."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    assert 0 < most_connections() < files
