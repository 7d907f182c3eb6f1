"""What is sent, as bytes: pages wait for it, so no framework has a hand in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.types import Send

Headers = Iterable[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
OPEN = (b"access-control-allow-origin", b"*")
CACHED = (b"cache-control", b"public, max-age=60")
NOT_STORED = (b"cache-control", b"no-store")


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent: a status, headers, a body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def stored_nowhere(body: bytes) -> Reply:
    """A reply that no cache may keep."""
    length = (b"content-length", b"%d" % len(body))
    return Reply(200, [JSON, length, NOT_STORED, OPEN], body)


def cached(body: bytes, tag: bytes, headers: Headers) -> Reply:
    """A reply that caches may keep, or the word that the caller's copy is still good."""
    for name, value in headers:
        if name == b"if-none-match" and matches(value, tag):
            return Reply(304, [(b"etag", tag), CACHED, OPEN], b"")
    length = (b"content-length", b"%d" % len(body))
    return Reply(200, [JSON, length, (b"etag", tag), CACHED, OPEN], body)


def matches(wanted: bytes, tag: bytes) -> bool:
    """Does ``If-None-Match`` name the tag? Weak comparison, as RFC 9110 asks for here."""
    tags = [part.strip().removeprefix(b"W/") for part in wanted.split(b",")]
    return tag in tags or tags == [b"*"]


def refused(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Reply:
    """The one shape of every error."""
    sentence = detail if detail.endswith(".") else f"{detail}."
    content = {"error": code, "detail": sentence}
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    more = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    length = (b"content-length", b"%d" % len(body))
    return Reply(status, [JSON, length, NOT_STORED, OPEN, *more], body)


def broken() -> Reply:
    """What is said when it is our fault."""
    return refused(500, "internal_error", "Something failed here; the server's log says what.")


async def send_reply(reply: Reply, send: Send, *, head: bool = False) -> None:
    """Send a reply, or its headers alone."""
    # A list of its own: middleware that somebody puts around us may write into it.
    start = {"type": "http.response.start", "status": reply.status, "headers": [*reply.headers]}
    await send(start)
    await send({"type": "http.response.body", "body": b"" if head else reply.body})
