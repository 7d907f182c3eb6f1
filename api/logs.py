"""What the process writes of itself: a line a record, each with its time, level and process.

    2026-11-22T10:15:00.120+00:00 WARNING [4711] made a new store: sqlite:///recommender.db

or, for programs, a line of JSON with the same. Times are UTC. What requests and files hold is
shown, not obeyed (``escaping``), whoever logs it: the server's own lines too.

The log of answers is one of its own, on stdout, and off unless it is asked for: on a health site
it is sensitive who read what. It has no query strings, which name articles, no referrers and no
agents, and of addresses the network alone; the deployment's proxy is set to the same shape:

    203.0.113.0 [2026-11-22T10:15:00.120+00:00] "GET /v1/related HTTP/1.1" 200 2131 0.0008s
"""

from __future__ import annotations

import ipaddress
import json
import logging
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recommender.escaping import terminal

# Addresses whose network was worked out a moment ago; not tuned.
REMEMBERED = 2_000
# Of an address, what is left in the log: the networks of providers, not of households.
IPV4_PREFIX, IPV6_PREFIX = 24, 48
NO_ADDRESS = "-"
# Strangers decide what they ask with.
MAX_METHOD_CHARACTERS = 20

access = logging.getLogger("api.access")


def moment(seconds: float) -> str:
    """A time since 1970 in ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _trace(record: logging.LogRecord) -> list[str]:
    """The lines of a record's traceback."""
    if not record.exc_info or record.exc_info[0] is None:
        return []
    lines = "".join(traceback.format_exception(*record.exc_info)).splitlines()
    return [terminal(line) for line in lines]


class TextLines(logging.Formatter):
    """Lines for people; those of a traceback begin as the record's own."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record."""
        head = f"{moment(record.created)} {record.levelname:<7} [{record.process}]"
        lines = [terminal(record.getMessage()), *_trace(record)]
        return "\n".join(f"{head} {line}" for line in lines)


class JsonLines(logging.Formatter):
    """Lines for programs."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        content: dict[str, Any] = {
            "time": moment(record.created),
            "level": record.levelname.lower(),
            "pid": record.process,
            "logger": record.name,
            "message": terminal(record.getMessage()),
        }
        if trace := _trace(record):
            content["trace"] = trace
        return json.dumps(content)


FORMATS = {"text": TextLines, "json": JsonLines}


def config(*, level: str, format: str) -> dict[str, Any]:
    """How everything in a process that serves logs, for ``logging.config.dictConfig``."""
    own = {"handlers": ["stderr"], "level": level.upper(), "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": f"{__name__}.{FORMATS[format].__name__}"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "lines",
            }
        },
        "loggers": {"uvicorn": own, "uvicorn.error": {"level": level.upper()}, "api": own},
        # Whatever else has something to say, such as the event loop.
        "root": {"handlers": ["stderr"], "level": "WARNING"},
    }


# Answers


class AccessLines(logging.Formatter):
    """A line an answer, as the proxy writes it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        of: dict[str, Any] = record.args  # type: ignore[assignment]
        return (
            f'{of["client"]} [{moment(record.created)}] "{of["method"]} {of["path"]} '
            f'HTTP/{of["version"]}" {of["status"]} {of["bytes"]} {of["ms"] / 1000:.4f}s'
        )


class JsonAccessLines(logging.Formatter):
    """The same for programs."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        content: dict[str, Any] = record.args  # type: ignore[assignment]
        return json.dumps({"time": moment(record.created), "pid": record.process, **content})


class Access:
    """``app``, and a line for every answer. Of what was asked for there are the ``paths`` that the
    application knows; of others, which may hold anything, the first part.
    """

    def __init__(self, app: ASGIApp, paths: Iterable[str], *, format: str) -> None:
        self.app = app
        routes = list(paths)
        self.routes = frozenset(path for path in routes if "{" not in path)
        self.firsts = {route.split("/")[1] for route in routes if route.count("/") > 1}
        access.setLevel(logging.INFO)
        access.propagate = False
        for handler in access.handlers[:]:
            access.removeHandler(handler)
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonAccessLines() if format == "json" else AccessLines())
        access.addHandler(handler)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        since, status, n_bytes = time.perf_counter(), 0, 0

        async def sent(message: Message) -> None:
            nonlocal status, n_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                n_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, sent)
        finally:
            access.info(
                "",
                {
                    "client": network((scope.get("client") or ("",))[0]),
                    "method": terminal(scope["method"][:MAX_METHOD_CHARACTERS]),
                    "path": self._path(scope),
                    "version": scope.get("http_version", "1.1"),
                    "status": status,
                    "bytes": n_bytes,
                    "ms": round(1000 * (time.perf_counter() - since), 2),
                },
            )

    def _path(self, scope: Scope) -> str:
        path: str = scope["path"]
        if path in self.routes:
            return path
        # Routes with a part that varies are named as they are written down.
        found = getattr(scope.get("route"), "path", "")
        if "{" in found:
            return str(found)
        first = path.lstrip("/").partition("/")[0]
        return f"/{first}/..." if first in self.firsts else "/..."


def paths_of(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[str]:
    """The paths of routes, and of those below them."""
    for route in routes:
        path = prefix + getattr(route, "path", "")
        yield path
        yield from paths_of(getattr(route, "routes", None) or (), path)


@lru_cache(maxsize=REMEMBERED)
def network(address: str) -> str:
    """What the log has of an address: its network of IPv4 /24 or IPv6 /48.

    >>> network("203.0.113.77"), network("2001:db8:1:2::3"), network("::ffff:203.0.113.77")
    ('203.0.113.0', '2001:db8:1::', '203.0.113.0')
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return NO_ADDRESS
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            bits = int(found) >> (128 - IPV6_PREFIX) << (128 - IPV6_PREFIX)
            return str(ipaddress.IPv6Address(bits))
        found = found.ipv4_mapped
    bits = int(found) >> (32 - IPV4_PREFIX) << (32 - IPV4_PREFIX)
    return str(ipaddress.IPv4Address(bits))
