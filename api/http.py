"""HTTP as every request and every answer passes it: bodies, headers, the one shape of errors.

What pages wait for is written as bytes, and no framework has a hand in it. For the rest stand three
small things that frameworks do half: ``HEAD`` wherever there is ``GET``, reads open to any origin
with errors included, and bodies of bounded size however they are sent.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recommender.bundle.answer_bytes import as_json
from recommender_api.schemas import Refusal

Headers = Iterable[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
OPEN = (b"access-control-allow-origin", b"*")
# Pages that are isolated (COEP) take what says that it may be embedded, errors too.
EMBEDDABLE = (b"cross-origin-resource-policy", b"cross-origin")
CLOSE = (b"connection", b"close")
# A minute, as the contract has it; an answer to a preflight may be kept for a day.
CACHED = (b"cache-control", b"public, max-age=60")
NOT_STORED = (b"cache-control", b"no-store")
PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, HEAD, POST"),
    (b"access-control-allow-headers", b"content-type, if-none-match"),
    (b"access-control-max-age", b"86400"),
]

# Not tuned: four times what browsers let a beacon have.
MAX_BODY_BYTES = 256 * 1024
# An editor's system may put a few hundred whole articles at once.
ARTICLES, MAX_ARTICLES_BYTES = "/v1/articles", 16 * 1024 * 1024
# Editors bring in a file of rules, which goes with the form once more.
RULES_FILE, MAX_RULES_BYTES = "/console/rules/import", 1536 * 1024
# Bodies that a process holds at one time: of anybody, and of who has the admin key. Not tuned: a
# hundred of the largest posts, four of the largest puts.
OPEN_BYTES, CLOSED_BYTES = 32 * 1024 * 1024, 4 * MAX_ARTICLES_BYTES
# Of the first one client may fill so much, with slow posts too.
SHARE_OF_ONE = 1 / 16
# What takes the admin key is not for pages of other sites, and events choose their pages.
PUBLIC, CLOSED = "/v1/", ("/v1/models/", ARTICLES, "/v1/events")
# What is asked by a body of JSON.
QUESTIONS = "/v1/related"

# Errors that the framework raises by itself, in our words.
FRAMEWORK_ERRORS = {
    400: ("invalid_json", "The body is not valid JSON."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take this method."),
}


# Replies


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent: a status, headers, a body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def json_reply(status: int, body: bytes, *headers: tuple[bytes, bytes]) -> Reply:
    """A reply of JSON, with these headers."""
    return Reply(status, [JSON, EMBEDDABLE, (b"content-length", b"%d" % len(body)), *headers], body)


def not_stored(body: bytes) -> Reply:
    """A reply that no cache may keep."""
    return json_reply(200, body, NOT_STORED, OPEN)


def lines(reply: Reply) -> bytes:
    """The headers of a reply as they are written, and the end of them."""
    return b"%b\r\n" % b"".join([b"%b: %b\r\n" % each for each in reply.headers])


def cached(body: bytes, tag: bytes, headers: Headers) -> Reply:
    """A reply that caches may keep; 304 if the caller's copy is still good."""
    for name, value in headers:
        if name == b"if-none-match" and matches(value, tag):
            return Reply(304, [(b"etag", tag), CACHED, OPEN, EMBEDDABLE], b"")
    return json_reply(200, body, (b"etag", tag), CACHED, OPEN)


# ``lines`` of a reply that caches may keep, but for the length of its body and its tag.
CACHED_LINES = lines(cached(b"", b"%b", ())).replace(b"length: 0", b"length: %d")


def matches(named: bytes, tag: bytes) -> bool:
    """Does ``If-None-Match`` name the tag? Weak comparison, as RFC 9110 asks for here."""
    tags = [part.strip().removeprefix(b"W/") for part in named.split(b",")]
    return tag in tags or tags == [b"*"]


def refused(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Reply:
    """The one shape of every error."""
    sentence = detail if detail.endswith(".") else f"{detail}."
    more = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    body = as_json({"error": code, "detail": sentence})
    return json_reply(status, body, NOT_STORED, OPEN, *more)


def broken() -> Reply:
    """The answer when the fault is ours."""
    return refused(
        500, "internal_error", "Something failed here; the cause is in the server's log."
    )


async def send_reply(
    reply: Reply, send: Send, *, head: bool = False, closing: bool = False
) -> None:
    """Send a reply, or its headers alone; ``closing`` the connection if its body was not read."""
    # A list of its own: middleware that somebody puts around us may write into it.
    headers = [*reply.headers, CLOSE] if closing else [*reply.headers]
    start = {"type": "http.response.start", "status": reply.status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": b"" if head else reply.body})


def response(reply: Reply) -> Response:
    """A reply as FastAPI's routes return it."""
    made = Response(reply.body, reply.status)
    made.raw_headers = [*reply.headers]
    return made


# Requests


def check_key(key: str, headers: Headers) -> None:
    """Raise ``Refusal`` unless the request carries the admin key."""
    given = b"".join(value for name, value in headers if name == b"authorization")
    scheme, _, token = given.partition(b" ")
    if scheme.lower() != b"bearer" or not hmac.compare_digest(token.strip(), key.encode()):
        raise Refusal(
            401, "unauthorized", "This takes the admin key.", {"WWW-Authenticate": "Bearer"}
        )


@dataclass(slots=True)
class Room:
    """How many bytes of bodies may be held at one time, and how many are; ``of`` each client, of
    which one may have ``share`` of the room.
    """

    most: int
    share: float = 1.0
    held: int = 0
    of: Counter[str] = field(default_factory=Counter)

    def hold(self, n_bytes: int, client: str | None) -> bool:
        """Hold so many more, fewer if ``n_bytes`` is below 0; returns whether there was room."""
        self.held += n_bytes
        if client is None:
            return self.held <= self.most
        self.of[client] += n_bytes
        mine = self.of[client]
        if not mine:
            del self.of[client]
        return self.held <= self.most and mine <= self.share * self.most


@dataclass(frozen=True, slots=True)
class Edge:
    """What decides about a request before its body is read: ``key`` is the admin key, empty for
    none; there is room for bodies of anybody, and of who has the key.
    """

    key: str
    # Is the line of those who ask for what takes long full?
    is_full: Callable[[], bool] = lambda: False
    # What identifies the client of a request; None for one that is not counted.
    client: Callable[[Scope], str | None] = lambda scope: None
    open: Room = field(default_factory=lambda: Room(OPEN_BYTES, SHARE_OF_ONE))
    closed: Room = field(default_factory=lambda: Room(CLOSED_BYTES))


class Body:
    """A body on its way in, of at most ``most`` bytes, and while there is ``room``. ``receive``
    hands it on; the room is given back at the end of a ``with`` block.
    """

    def __init__(
        self, scope: Scope, receive: Receive, most: int, room: Room, client: str | None
    ) -> None:
        self._receive = receive
        self.most = most
        self.room = room
        self.client = client
        self.n_bytes = 0
        self.announced = header(scope, b"content-length") or b"0"
        sent = self.announced != b"0" or header(scope, b"transfer-encoding") is not None
        # Whether all of it has been read.
        self.is_whole = not sent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.room.hold(-self.n_bytes, self.client)

    async def receive(self) -> Message:
        """The next piece; ``Refusal`` if it is one too many. What was announced too large is not
        read at all.
        """
        if not self.is_whole and self.announced.isdigit() and int(self.announced) > self.most:
            raise self._too_large()
        message = await self._receive()
        if message["type"] == "http.request":
            n_bytes = len(message.get("body", b""))
            self.n_bytes += n_bytes
            has_room = self.room.hold(n_bytes, self.client)
            if self.n_bytes > self.most:
                raise self._too_large()
            if not has_room:
                raise overloaded("Too much is being sent already.")
            self.is_whole = not message.get("more_body", False)
        return message

    def _too_large(self) -> Refusal:
        return Refusal(413, "body_too_large", f"A body has at most {self.most} bytes.")


async def pass_edge(app: ASGIApp, scope: Scope, receive: Receive, send: Send, edge: Edge) -> None:
    """Hand the request to ``app`` if it may pass, and its answer back. Of its body nothing is read
    but by who asks for it.
    """
    path, method = scope["path"].removeprefix(scope.get("root_path", "")), scope["method"]
    ours = path.startswith((PUBLIC, "/health/"))
    public = path.startswith(PUBLIC) and not path.startswith(CLOSED)
    if method == "OPTIONS" and public and header(scope, b"access-control-request-method"):
        await send_reply(Reply(204, [OPEN, *PREFLIGHT], b""), send)
        return
    puts = edge.key != "" and path == ARTICLES and method == "PUT"
    room = edge.closed if puts else edge.open
    most = MAX_RULES_BYTES if path == RULES_FILE else MAX_BODY_BYTES
    most = MAX_ARTICLES_BYTES if puts else most
    with Body(scope, receive, most, room, edge.client(scope)) as body:
        try:
            if puts:
                check_key(edge.key, scope["headers"])
            asks = method == "POST" and path.startswith(QUESTIONS)
            if puts or asks:
                # FastAPI would read it all and then find that it cannot be read.
                _check_json(scope)
            if asks and edge.is_full():
                raise overloaded("Too many are asking for what takes long.")
        except Refusal as exc:
            reply = refused(exc.status_code, exc.code, exc.detail, exc.headers)
            await send_reply(reply, send, closing=not body.is_whole)
            return
        head = method == "HEAD"
        if head:
            scope = {**scope, "method": "GET"}

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ())]
                if public:
                    headers += [each for each in (OPEN, EMBEDDABLE) if each not in headers]
                if ours and not any(name == b"cache-control" for name, _ in headers):
                    headers.append(NOT_STORED)
                if not body.is_whole:
                    headers.append(CLOSE)
                message = {**message, "headers": headers}
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await app(scope, body.receive, answered)


def _check_json(scope: Scope) -> None:
    declared = (header(scope, b"content-type") or b"").decode("latin-1")
    if not media_type(declared).endswith("json"):
        raise Refusal(415, "unsupported_media_type", "Send the body as application/json.")


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of this name."""
    for found, value in scope["headers"]:
        if found == name:
            return bytes(value)
    return None


def media_type(text: str) -> str:
    """What a ``Content-Type`` declares, without its parameters."""
    return text.partition(";")[0].strip().lower()


async def read_body(receive: Receive) -> bytes:
    """The whole body; ``Refusal`` if its client went before that."""
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "incomplete_body", "The body did not arrive whole.")
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def overloaded(detail: str) -> Refusal:
    """There is too much to do; who asks may come back."""
    return Refusal(503, "overloaded", detail, {"Retry-After": "1"})


# Errors behind FastAPI's routes


def add_error_handlers(app: FastAPI) -> None:
    """Give every error behind FastAPI's routes the one shape."""

    @app.exception_handler(HTTPException)
    async def by_status(request: Request, exc: HTTPException) -> Response:
        headers = dict(exc.headers or {})
        if isinstance(exc, Refusal):
            return response(refused(exc.status_code, exc.code, exc.detail, headers))
        if exc.status_code == 405:
            headers["Allow"] = ", ".join(_methods(app, request))
        code, detail = FRAMEWORK_ERRORS.get(exc.status_code, ("refused", exc.detail))
        return response(refused(exc.status_code, code, detail, headers))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, exc: RequestValidationError) -> Response:
        fault = exc.errors()[0]
        if fault["loc"][0] == "query":
            detail = f"{fault['loc'][1]}: {fault['msg']}"
            return response(refused(422, "invalid_parameter", detail))
        if not media_type(request.headers.get("content-type", "")).endswith("json"):
            detail = "Send the body as application/json."
            return response(refused(415, "unsupported_media_type", detail))
        if fault["type"] == "json_invalid":
            return response(refused(400, *FRAMEWORK_ERRORS[400]))
        place = ".".join(str(part) for part in fault["loc"] if part != "body") or "the body"
        return response(refused(422, "invalid_body", f"{place}: {fault['msg']}"))

    @app.exception_handler(Exception)
    async def failed(request: Request, exc: Exception) -> Response:
        return response(broken())


def _methods(app: FastAPI, request: Request) -> list[str]:
    """What may be done at this address; the framework names the methods of one route alone."""
    found: set[str] = set()
    for route in app.routes:
        if route.matches(request.scope)[0] != Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return sorted(found | ({"HEAD"} if "GET" in found else set()))
