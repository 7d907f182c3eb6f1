"""Run the application: one process or several, until it is stopped."""

from __future__ import annotations

import importlib
import logging.config
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import uvicorn

from recommender.config import Settings, environment_of
from recommender.errors import SettingsError, StoreError
from recommender_api import logs
from recommender_api.metrics import FOLDER

if TYPE_CHECKING:
    from fastapi import FastAPI

# What is under way when the process is to stop has this long to finish.
GRACE_SECONDS = 10
# How long an open connection may be idle between two requests; uvicorn's own setting.
IDLE_SECONDS = 5
# A worker that does not answer its parent for so long is replaced. Loading the application takes
# two seconds of a processor, and several workers share few of these: uvicorn's own 5 seconds
# replaced workers that were still starting, again and again.
HEALTH_SECONDS = 30
# Where workers count, below the folder for temporary files; a parent holds the lock while it runs.
PREFIX_OF_FOLDER, LOCK = "recommender-metrics-", "lock"
# A folder this new may be one whose parent has not locked it yet.
NEW_SECONDS = 60


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
        os.environ.update(environment_of(settings))
        logging.config.dictConfig(logs.config(level=settings.log_level, format=settings.log_format))
        _bring_up_to_date(settings)
        # What the application takes is loaded by them alone.
        by_name = "recommender_api.app:from_environment"
        with _metrics_folder() as folder:
            # Each counts in a file of this folder, and whichever is asked adds them up.
            os.environ[FOLDER] = str(folder)
            try:
                _run(by_name, settings, host, port, workers)
            finally:
                del os.environ[FOLDER]
    else:
        create_app = importlib.import_module("recommender_api.app").create_app
        # uvicorn finishes what is under way and then raises the signal once more.
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGINT, _leave)

        def app() -> FastAPI:
            return create_app(settings, clock=lambda: datetime.now(UTC), extra=site)

        _run(app, settings, host, port)


def _bring_up_to_date(settings: Settings) -> None:
    """Have the store's tables be those of this release, once, before several workers open it."""
    from recommender.store.database import Store
    from recommender_api.store_connection import BUSY_SECONDS, STATEMENT_SECONDS

    # What is wrong with the store is told, and tried again, by the workers.
    with suppress(StoreError):
        Store(
            settings.database,
            create=False,
            busy_seconds=BUSY_SECONDS,
            statement_seconds=STATEMENT_SECONDS,
        ).close()


def _run(
    app: Callable[[], FastAPI] | str, settings: Settings, host: str, port: int, workers: int = 1
) -> None:
    uvicorn.run(
        app,
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http="recommender_api.connections:PROTOCOL",
        ws="none",
        timeout_keep_alive=IDLE_SECONDS,
        # Ours is asked for, and says less (``logs``).
        access_log=False,
        # Which proxies are trusted is for our settings alone, not for FORWARDED_ALLOW_IPS.
        proxy_headers=False,
        server_header=False,
        log_config=logs.config(level=settings.log_level, format=settings.log_format),
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=HEALTH_SECONDS,
    )


@contextmanager
def _metrics_folder() -> Iterator[Path]:
    """A folder for what workers count. Those of parents that were killed are removed."""
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{PREFIX_OF_FOLDER}*"):
        if _is_left(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX_OF_FOLDER))
    try:
        with (folder / LOCK).open("w") as lock:
            _locks(lock.fileno())
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Has a parent that is gone left this folder? Its lock is free then, in whatever container it
    ran.
    """
    try:
        if time.time() < folder.stat().st_mtime + NEW_SECONDS:
            return False
        with (folder / LOCK).open("r+") as lock:
            return _locks(lock.fileno())
    except OSError:  # another user's, or not one of ours
        return False


def _locks(file: int) -> bool:
    """Lock an open file until it is closed; False if another process has."""
    try:
        import fcntl
    except ImportError:  # Windows, where workers are not killed with a signal
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


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
