"""The web process: requests in, the library's answers out, nothing decided in between.

app = create_app(settings(os.environ, folder=Path.cwd()), clock=lambda: datetime.now(UTC))
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

import recommender
from recommender.config import Settings, settings
from recommender_api import admin, routes
from recommender_api.events import Events
from recommender_api.http import Reply, add_error_handlers, broken, pass_edge, refused, send_reply
from recommender_api.live import Live, Watcher
from recommender_api.metrics import Metrics
from recommender_api.origins import Origins
from recommender_api.rate_limit import Clients
from recommender_api.related import Related
from recommender_api.schemas import Refusal
from recommender_api.store_connection import Stored

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
            self.metrics.took("related", since)
        elif path == EVENTS and method == "POST":
            await send_reply(await self._reply(self.events(scope, receive), scope), send)
            self.metrics.took("events", since)
        elif path == EVENTS and method == "OPTIONS":
            await send_reply(await self._reply(self.events.preflight(scope), scope), send)
        else:
            await self.by_route(scope, receive, send)
            self.metrics.took("other", since)

    async def _reply(self, answer: Awaitable[Reply], scope: Scope) -> Reply:
        """The reply, also when there is only an error to give."""
        try:
            return await answer
        except Refusal as exc:
            return refused(exc.status_code, exc.code, exc.detail, exc.headers)
        except Exception:
            query = scope["query_string"][:500]
            logger.exception("%s %s?%s failed", scope["method"], scope["path"], query)
            return broken()

    async def by_route(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by FastAPI's routes alone."""
        if scope["type"] == "http":
            await pass_edge(super().__call__, scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime],
    extra: Callable[[FastAPI], None] | None = None,
) -> FastAPI:
    """The application. ``clock`` gives the time, with its zone; ``extra`` may add routes.

    What is live is loaded now, and looked after while the application runs.
    """
    clients = Clients(
        rate=settings.event_rate,
        trusted_proxies=settings.trusted_proxies,
        allowed_origins=settings.allowed_origins,
    )
    stored = Stored(settings, clock=clock)
    live = Live(settings.models, settings.editorial, stored)
    origins = Origins(clock=stored.now_ms) if settings.event_origin == "on" else None

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        watchers = [
            Watcher("live", live.poll),
            Watcher("store", partial(stored.poll, live.catch_up)),
        ]
        if origins is not None:
            watchers.append(Watcher("origins", origins.poll))
        yield
        for watcher in watchers:
            watcher.close()
        stored.close()

    app = Api(
        title="recommender",
        version=recommender.__version__,
        description=DESCRIPTION,
        lifespan=running,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.metrics, app.stored = Metrics(), stored
    app.front = clients.behind_proxies(app.answer)
    key = settings.admin_key
    app.related = Related(live, clock=clock, admin_key=key, metrics=app.metrics)
    app.events = Events(
        live, stored, clients, app.metrics, clock=clock, admin_key=key, origins=origins
    )
    add_error_handlers(app)
    routes.add(app, live, app.related, app.events)
    if key:
        admin.add(app, live, stored, app.metrics, settings=settings, clock=clock)
    if extra is not None:
        extra(app)
    return app


def from_environment() -> FastAPI:
    """The application of this folder and environment; what each worker process starts from.

    Under a server of your own, keep that from reading ``X-Forwarded-For`` by rules of its own:
    ``uvicorn --factory recommender_api.app:from_environment --no-proxy-headers``.
    """
    return create_app(settings(os.environ, folder=Path.cwd()), clock=lambda: datetime.now(UTC))
