"""A real browser, a website of another origin, and the API with everything it is sent on record."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PICTURE = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200">'
    b'<rect width="300" height="200" fill="teal"/></svg>'
)
ARTICLE = "<!doctype html><title>Another article</title><h1>Another article</h1>"


def until(fact: Callable[[], object], *, seconds: float = 10) -> bool:
    """Does it become true within this time?"""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if fact():
            return True
        time.sleep(0.02)
    return False


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser, driven by Playwright; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=FLAGS,
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        browser.close()


class Website:
    """Pages by path, each with its Content-Security-Policy, and with ``headers`` of all of them;
    pictures at ``.svg``; what is not there is an article.
    """

    def __init__(self) -> None:
        pages: dict[str, tuple[str, str]] = {}
        headers: dict[str, str] = {}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                is_picture = path.endswith(".svg") and not path.startswith("/gone")
                text, policy = pages.get(path, (ARTICLE, "default-src 'none'"))
                body = PICTURE if is_picture else text.encode()
                kind = "image/svg+xml" if is_picture else "text/html; charset=utf-8"
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Security-Policy", policy)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.pages = pages
        self.headers = headers
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Wire:
    """An application, with what it is sent written down and, if asked to, trouble on the line."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.calm()

    def calm(self) -> None:
        """Forget what was sent, and let everything pass."""
        self.queries: list[dict[str, str]] = []
        self.answers: list[dict[str, Any]] = []
        self.asked = 0.0
        self.posts: list[tuple[float, list[dict[str, Any]]]] = []
        self.cookies: list[bytes] = []
        self.delay = 0.0
        self.answer: bytes | None = None
        self.refusals: list[int] = []

    @property
    def links(self) -> list[dict[str, Any]]:
        """The links of the last answer."""
        links: list[dict[str, Any]] = self.answers[-1]["items"]
        return links

    @property
    def sent(self) -> list[dict[str, Any]]:
        """All events that were sent, in their order, those that were refused included."""
        return [event for _, events in self.posts for event in events]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Each event once: a page that is left before it has its answer sends them once more."""
        once: dict[tuple[Any, ...], dict[str, Any]] = {}
        for event in self.sent:
            once.setdefault((event["view_id"], event["type"], event.get("position")), event)
        return [*once.values()]

    def kinds(self) -> list[str]:
        """The types of the events."""
        return [event["type"] for event in self.events]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an ASGI request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"].startswith("/v1/"):
            self.cookies += [value for name, value in scope["headers"] if name == b"cookie"]
        if scope["path"] == "/v1/related":
            fields = parse_qs(scope["query_string"].decode(), strict_parsing=True)
            self.queries.append({name: value for name, (value,) in fields.items()})
            self.asked = time.monotonic()
            await asyncio.sleep(self.delay)
            if self.answer is not None:
                await _say(send, 200, self.answer)
                return
            send = self._read(send)
        elif scope["path"] == "/v1/events":
            body = b""
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
            self.posts.append((time.monotonic(), json.loads(body)))
            if self.refusals:
                await _say(send, self.refusals.pop(0), b"{}")
                return
            receive = _once(body)
        await self.app(scope, receive, send)

    def _read(self, send: Send) -> Send:
        async def reading(message: Message) -> None:
            if message["type"] == "http.response.body" and message["body"]:
                self.answers.append(json.loads(message["body"]))
            await send(message)

        return reading


def _once(body: bytes) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    return receive


async def _say(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"access-control-allow-origin", b"*")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """A server of ``app`` in a thread; yields its address."""
    config = uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        assert until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
