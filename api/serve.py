"""Run the application: one process or several, until it is stopped."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from functools import partial
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI
from uvicorn.config import LOGGING_CONFIG

from recommender.config import PREFIX, Settings
from recommender.errors import SettingsError
from recommender_api.app import create_app
from recommender_api.connections import IDLE_SECONDS, PROTOCOL
from recommender_api.metrics import FOLDER

# What is under way when the process is to stop has this long to finish.
GRACE_SECONDS = 10


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    workers: int = 1,
    site: Callable[[FastAPI], None] | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way are finished.

    ``site`` may add routes to the application; it is for one process, so not with ``workers``
    above 1. ``SettingsError`` if nothing can listen at ``host`` and ``port``.
    """
    _check_address(host, port)
    if workers > 1:
        if site is not None:
            raise SettingsError("a site of one's own is served by one worker")
        # Workers are processes of their own and read their settings from the environment.
        for field in fields(settings):
            os.environ[PREFIX + field.name.upper()] = str(getattr(settings, field.name))
        # Each counts in a file of this folder, and whichever is asked adds them up.
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="recommender-")
        app: Callable[[], FastAPI] | str = "recommender_api.app:from_environment"
    else:
        app = partial(create_app, settings, clock=lambda: datetime.now(UTC), extra=site)
        # uvicorn finishes what is under way and then raises the signal once more.
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGINT, _leave)
    try:
        uvicorn.run(
            app,
            factory=True,
            host=host,
            port=port,
            workers=workers,
            http=PROTOCOL,
            ws="none",
            timeout_keep_alive=IDLE_SECONDS,
            access_log=False,
            # Which proxies are trusted is for our settings alone, not for FORWARDED_ALLOW_IPS.
            proxy_headers=False,
            server_header=False,
            log_config=_logging(),
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    finally:
        if FOLDER in os.environ and workers > 1:
            shutil.rmtree(os.environ.pop(FOLDER))


def _leave(signal_number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _check_address(host: str, port: int) -> None:
    """One sentence where uvicorn would write a log."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise SettingsError(f"{host}:{port}: cannot listen there: {reason}") from exc


def _logging() -> dict[str, object]:
    """uvicorn's way of logging, for our messages too."""
    config = copy.deepcopy(LOGGING_CONFIG)
    config["loggers"]["api"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    return config
