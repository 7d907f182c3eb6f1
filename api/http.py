"""What every request passes before FastAPI sees it: who may ask from where, and how much.

Three small things that frameworks do half: ``HEAD`` wherever there is ``GET``, reads open to
any origin with errors included, and bodies of bounded size however they are sent.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recommender_api.replies import NOT_STORED, OPEN, Reply, refused, send_reply

MAX_BODY_BYTES = 256 * 1024
# An editor's system may put a few hundred whole articles at once.
ARTICLES, MAX_ARTICLES_BYTES = "/v1/articles", 16 * 1024 * 1024
# What takes the admin key is not for pages of other sites, and events choose their pages.
PUBLIC, CLOSED = "/v1/", ("/v1/models/", ARTICLES, "/v1/events")
PREFLIGHT = [
    OPEN,
    (b"access-control-allow-methods", b"GET, HEAD, POST"),
    (b"access-control-allow-headers", b"content-type, if-none-match"),
    (b"access-control-max-age", b"86400"),
]


async def pass_edge(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Hand the request to ``app`` if it may pass, and its answer back."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    ours = path.startswith((PUBLIC, "/health/"))
    public = path.startswith(PUBLIC) and not path.startswith(CLOSED)
    if scope["method"] == "OPTIONS" and public and header(scope, b"access-control-request-method"):
        await send_reply(Reply(204, PREFLIGHT, b""), send)
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


def header(scope: Scope, wanted: bytes) -> bytes | None:
    """The first header of this name."""
    for name, value in scope["headers"]:
        if name == wanted:
            return bytes(value)
    return None


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
