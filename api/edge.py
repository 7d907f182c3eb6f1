"""What every request passes before FastAPI sees it: who may ask from where, and how much.

Three small things that frameworks do half: ``HEAD`` wherever there is ``GET``, reads open to
any origin with errors included, and bodies of bounded size however they are sent.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.replies import NOT_STORED, OPEN, Reply, refused, send_reply

MAX_BODY_BYTES = 256 * 1024
# What takes the admin key is not for pages of other sites.
PUBLIC, ADMIN = "/v1/", "/v1/models/"
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
    public = path.startswith(PUBLIC) and not path.startswith(ADMIN)
    if scope["method"] == "OPTIONS" and public and _header(scope, b"access-control-request-method"):
        await send_reply(Reply(204, PREFLIGHT, b""), send)
        return
    if scope["method"] not in ("GET", "HEAD", "OPTIONS"):
        body = await _body(scope, receive)
        if body is None:
            detail = f"A body has at most {MAX_BODY_BYTES} bytes."
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


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == wanted), None)


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body, or None if it is too large; what was announced too large is not read."""
    announced = _header(scope, b"content-length") or b"0"
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        return None
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A channel that delivers ``body`` at once, and then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
