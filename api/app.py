"""The web process: what is asked for, what the library says, and nothing in between.

app = create_app(settings(os.environ, folder=Path.cwd()), clock=lambda: datetime.now(UTC))
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

import recommender
from api import errors, routes
from api.edge import pass_edge
from api.live import Live
from api.related import Related
from api.replies import broken, refused, send_reply
from api.wire import Refusal
from recommender.config import Settings, settings

RELATED = "/v1/related"
DESCRIPTION = """
Lists of related articles. Reads are open to every origin. Every error has the same shape:
`{"error": "snake_case_code", "detail": "one sentence"}`.
"""

logger = logging.getLogger("api")


class Api(FastAPI):
    """FastAPI with a short way in front of it for the one question that pages ask."""

    related: Related

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an ASGI request."""
        method = scope.get("method")
        if method in ("GET", "HEAD") and scope["path"] == RELATED:
            try:
                reply = self.related(scope["query_string"], scope["headers"])
            except Refusal as exc:
                reply = refused(exc.status_code, exc.code, exc.detail, exc.headers)
            except Exception:
                logger.exception("GET %s?%s failed", RELATED, scope["query_string"][:500])
                reply = broken()
            await send_reply(reply, send, head=method == "HEAD")
        else:
            await self.by_route(scope, receive, send)

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
    """The application. ``clock`` tells the time, with its zone; ``extra`` may add routes.

    What is live is loaded now, and looked after while the application runs.
    """
    live = Live(settings.models, settings.editorial)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        live.watch()
        yield
        live.close()

    app = Api(
        title="recommender",
        version=recommender.__version__,
        description=DESCRIPTION,
        lifespan=running,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.related = Related(live, clock=clock, admin_key=settings.admin_key)
    errors.add(app)
    routes.add(app, live, app.related)
    if extra is not None:
        extra(app)
    return app


def from_environment() -> FastAPI:
    """The application of this folder and environment; what each worker process starts from."""
    return create_app(settings(os.environ, folder=Path.cwd()), clock=lambda: datetime.now(UTC))
