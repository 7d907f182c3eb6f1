"""The web process: requests in, the library's answers out, nothing decided in between.

app = create_app(settings(os.environ, folder=Path.cwd()), clock=lambda: datetime.now(UTC))
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import recommender
from recommender.config import Settings, settings
from recommender.errors import MissingExtra
from recommender_api import admin, docs, routes
from recommender_api.copies import Copies
from recommender_api.events import Events
from recommender_api.http import (
    MAX_BODY_BYTES,
    Body,
    Edge,
    Reply,
    add_error_handlers,
    broken,
    pass_edge,
    refused,
    send_reply,
)
from recommender_api.lane import Lane
from recommender_api.leaving import Leaving
from recommender_api.live import Live, Watcher
from recommender_api.logs import Access, paths_of
from recommender_api.metrics import HAND_ON_SECONDS, Metrics
from recommender_api.origins import Origins
from recommender_api.pool import Pool, share_interpreter
from recommender_api.rate_limit import Clients
from recommender_api.related import Related
from recommender_api.schemas import Refusal
from recommender_api.store_connection import RETRY_SECONDS, Stored

# Texts and batches that wait for their lists, each some tenths of a second of one thread: more
# threads would take turns and be no faster. Not tuned.
MAX_ASKED = 8
PARAMETERS = {"id", "url", "k", "variant", "exclude", "explain"}
CONNECTIONS = "recommender_api.connections"
# As nginx has it: no status was sent, since nobody was there to read it.
CLIENT_GONE = 499
RELATED, EVENTS = "/v1/related", "/v1/events"
DESCRIPTION = """
Lists of related articles. Reads are open to every origin, events to those that are allowed. Every
error has the same shape: `{"error": "snake_case_code", "detail": "one sentence"}`.
"""

logger = logging.getLogger("api")


class Api(FastAPI):
    """FastAPI with a short way in front of it for what pages ask and send all day."""

    related: Related
    events: Events
    metrics: Metrics
    stored: Stored
    live: Live
    edge: Edge
    # What connections may answer by themselves; None while answers are logged one by one.
    lane: Lane | None
    # ``answer`` below, behind the proxies of the settings.
    front: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an ASGI request."""
        await self.front(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose client is known."""
        if scope["type"] != "http":
            await self.by_route(scope, receive, send)
            return
        since, method, path = time.perf_counter(), scope["method"], scope["path"]
        if path == RELATED and method in ("GET", "HEAD"):
            reply = await self._reply(self.related(scope["query_string"], scope["headers"]), scope)
            await send_reply(reply, send, head=method == "HEAD")
            self.metrics.took("related", reply.status, since)
        elif path == EVENTS and method == "POST":
            client = self.edge.client(scope)
            with Body(scope, receive, MAX_BODY_BYTES, self.edge.open, client) as body:
                reply = await self._reply(self.events(scope, body.receive), scope)
            await send_reply(reply, send, closing=not body.is_whole)
            self.metrics.took("events", reply.status, since)
        elif path == EVENTS and method == "OPTIONS":
            reply = await self._reply(self.events.preflight(scope), scope)
            await send_reply(reply, send)
            self.metrics.took("other", reply.status, since)
        else:
            # What is said where nothing is: its client was gone.
            status = CLIENT_GONE

            async def sent(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            await self.by_route(scope, receive, sent)
            self.metrics.took("other", status, since)

    async def _reply(self, answer: Awaitable[Reply], scope: Scope) -> Reply:
        """The reply, also when there is only an error to give."""
        try:
            return await answer
        except Refusal as exc:
            return refused(exc.status_code, exc.code, exc.detail, exc.headers)
        except Exception:
            # What was read when is not for the log: which parameters, not what they hold.
            sent = {part.partition(b"=")[0] for part in scope["query_string"].split(b"&")}
            named = ",".join(sorted(PARAMETERS & {name.decode("latin-1") for name in sent}))
            logger.exception("%s %s (%s) failed", scope["method"], scope["path"], named)
            return broken()

    async def by_route(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by FastAPI's routes alone."""
        if scope["type"] == "http":
            await pass_edge(super().__call__, scope, receive, send, self.edge)
        else:
            await super().__call__(scope, receive, send)


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime],
    ticks: Callable[[], float] = time.monotonic,
    extra: Callable[[FastAPI], None] | None = None,
) -> FastAPI:
    """The application. ``clock`` gives the time, with its zone; ``ticks`` seconds that are never
    set back, for whatever is counted or tried again by them; ``extra`` may add routes.

    What is live is loaded now, and looked after while the application runs.
    """
    clients = Clients(
        rate=settings.event_rate,
        trusted_proxies=settings.trusted_proxies,
        allowed_origins=settings.allowed_origins,
    )
    stored = Stored(settings, clock=clock, ticks=ticks)
    pool = Pool("asked", n_threads=1, most=MAX_ASKED)
    metrics = Metrics()
    copies, leaving = Copies(settings), Leaving(settings.drain_seconds)
    live = Live(
        settings.models,
        settings.editorial,
        stored,
        ticks=ticks,
        mended=metrics.mended,
        copies=copies,
    )
    watchers = [
        Watcher("store", partial(_look, stored, live), ticks=ticks),
        Watcher("live", live.poll, ticks=ticks),
    ]
    if settings.models_url:
        watchers.append(Watcher("copies", copies.poll))
    origins = Origins(clock=stored.now_ms) if settings.event_origin == "on" else None
    if origins is not None:
        watchers.append(Watcher("origins", origins.poll))

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        share_interpreter()
        # Whoever serves us names them, before this.
        if CONNECTIONS not in sys.modules:
            logger.warning(
                "nothing bounds connections: give the server http=%s.PROTOCOL", CONNECTIONS
            )
        for watcher in watchers:
            watcher.start()
        leaving.watch()
        counting = asyncio.create_task(_hand_on(metrics))
        yield
        counting.cancel()
        metrics.hand_on()
        for watcher in watchers:
            watcher.close()
        copies.close()
        pool.close()
        stored.close()

    app = Api(
        title="recommender",
        version=recommender.__version__,
        description=DESCRIPTION,
        lifespan=running,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.metrics, app.stored, app.live = metrics, stored, live
    app.edge = Edge(settings.admin_key, pool.is_full, clients.client)
    key = settings.admin_key
    app.related = Related(live, watchers[0], clock=clock, admin_key=key, metrics=metrics)
    app.events = Events(
        live,
        stored,
        clients,
        app.metrics,
        clock=clock,
        ticks=ticks,
        admin_key=key,
        origins=origins,
    )
    add_error_handlers(app)
    routes.add(app, live, app.related, app.events, pool, leaving)
    docs.add(app)
    if key:
        admin.add(app, live, stored, app.metrics, settings=settings, clock=clock)
    if settings.console == "on":
        _add_console(app, live, stored, settings, clock=clock, ticks=ticks)
    if extra is not None:
        extra(app)
    answer: ASGIApp = app.answer
    app.lane = Lane(app.related, metrics)
    if settings.access_log == "on":
        app.lane = None
        answer = Access(answer, paths_of(app.routes), format=settings.log_format)
    app.front = clients.behind_proxies(answer)
    return app


def _add_console(
    app: Api,
    live: Live,
    stored: Stored,
    settings: Settings,
    *,
    clock: Callable[[], datetime],
    ticks: Callable[[], float],
) -> None:
    """Give the application the editors' console. ``MissingExtra`` without what it takes."""
    # Who has no console need not load it.
    from recommender_api.console import missing_parts

    if missing_parts():
        raise MissingExtra("the console", "console")
    from recommender_api.console import pages
    from recommender_api.console.app import PREFIX, Console

    console = Console(live, stored, settings, clock=clock, ticks=ticks)
    pages.add(console)
    app.mount(PREFIX, console.app())

    @app.get(PREFIX, include_in_schema=False)
    async def first_page() -> Response:
        return RedirectResponse(f"{PREFIX}/", status_code=303)


def _look(stored: Stored, live: Live) -> float:
    """Take notice of what is new in the store; seconds until the next time."""
    seconds = stored.poll(live.catch_up)
    # What cannot be put in is tried again, but not all the time.
    return max(seconds, RETRY_SECONDS) if live.behind else seconds


async def _hand_on(metrics: Metrics) -> None:
    """Have what was counted at hand for the other workers, and whoever asks them."""
    while True:
        await asyncio.sleep(HAND_ON_SECONDS)
        metrics.hand_on()


def from_environment() -> FastAPI:
    """The application of this folder and environment; what each worker process starts from.

    Under a server of your own, keep that from reading ``X-Forwarded-For`` by rules of its own:
    ``uvicorn --factory recommender_api.app:from_environment --no-proxy-headers``. Nor does it bound
    connections, without ``--http recommender_api.connections:PROTOCOL``.
    """
    return create_app(settings(os.environ, folder=Path.cwd()), clock=lambda: datetime.now(UTC))
