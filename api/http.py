"""HTTP as every request and every answer passes it: bodies, headers, the one shape of errors.

What pages wait for is written as bytes, and no framework has a hand in it. For the rest stand three
small things that frameworks do half: ``HEAD`` wherever there is ``GET``, reads open to any origin
with errors included, and bodies of bounded size however they are sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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
# What takes the admin key is not for pages of other sites, and events choose their pages.
PUBLIC, CLOSED = "/v1/", ("/v1/models/", ARTICLES, "/v1/events")

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
    return Reply(status, [JSON, (b"content-length", b"%d" % len(body)), *headers], body)


def not_stored(body: bytes) -> Reply:
    """A reply that no cache may keep."""
    return json_reply(200, body, NOT_STORED, OPEN)


def cached(body: bytes, tag: bytes, headers: Headers) -> Reply:
    """A reply that caches may keep; 304 if the caller's copy is still good."""
    for name, value in headers:
        if name == b"if-none-match" and matches(value, tag):
            return Reply(304, [(b"etag", tag), CACHED, OPEN], b"")
    return json_reply(200, body, (b"etag", tag), CACHED, OPEN)


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


async def send_reply(reply: Reply, send: Send, *, head: bool = False) -> None:
    """Send a reply, or its headers alone."""
    # A list of its own: middleware that somebody puts around us may write into it.
    start = {"type": "http.response.start", "status": reply.status, "headers": [*reply.headers]}
    await send(start)
    await send({"type": "http.response.body", "body": b"" if head else reply.body})


def response(reply: Reply) -> Response:
    """A reply as FastAPI's routes return it."""
    made = Response(reply.body, reply.status)
    made.raw_headers = [*reply.headers]
    return made


# Requests


async def pass_edge(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Hand the request to ``app`` if it may pass, and its answer back."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    ours = path.startswith((PUBLIC, "/health/"))
    public = path.startswith(PUBLIC) and not path.startswith(CLOSED)
    if scope["method"] == "OPTIONS" and public and header(scope, b"access-control-request-method"):
        await send_reply(Reply(204, [OPEN, *PREFLIGHT], b""), send)
        return
    if scope["method"] not in ("GET", "HEAD", "OPTIONS"):
        most = MAX_ARTICLES_BYTES if path == ARTICLES else MAX_BODY_BYTES
        body = await read_body(scope, receive, most)
        if body is None:
            detail = f"A body has at most {most} bytes."
            await send_reply(refused(413, "body_too_large", detail), send)
            return
        receive = _replayed(body, receive)
    head = scope["method"] == "HEAD"
    if head:
        scope = {**scope, "method": "GET"}

    async def answered(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ())]
            if public and OPEN not in headers:
                headers.append(OPEN)
            if ours and not any(name == b"cache-control" for name, _ in headers):
                headers.append(NOT_STORED)
            message = {**message, "headers": headers}
        elif head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    await app(scope, receive, answered)


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of this name."""
    for found, value in scope["headers"]:
        if found == name:
            return bytes(value)
    return None


def media_type(text: str) -> str:
    """What a ``Content-Type`` declares, without its parameters."""
    return text.partition(";")[0].strip().lower()


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes | None:
    """The whole body, or None if it has more than ``most`` bytes; what was announced too large is
    not read.
    """
    announced = header(scope, b"content-length") or b"0"
    if announced.isdigit() and int(announced) > most:
        return None
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > most:
            return None
    return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A channel that delivers ``body`` at once, and then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


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
