"""The short lane: a list that is at hand is answered where its bytes came in.

Nine in ten requests are a GET for the list of a known page. ``connections`` hands those here before
anything is made for them, neither a scope nor a task, and what comes back is written at once: the
very bytes that the long way writes (``app.Api.answer``). Whatever is not so plain, by its method,
its headers or its query, goes the long way, and so does all of it while a log of answers is kept or
something stands around the application.
"""

from __future__ import annotations

import time

from recommender_api.answers import Ready
from recommender_api.http import Headers, lines
from recommender_api.metrics import Metrics
from recommender_api.related import Related, reply_of

Header = tuple[bytes, bytes]

# What a plain request begins with; its query follows.
START = b"GET /v1/related?"
STATUS = {200: b"HTTP/1.1 200 OK\r\n", 304: b"HTTP/1.1 304 Not Modified\r\n"}


class Lane:
    """Answers queries for the list of a page as HTTP/1.1 writes it."""

    def __init__(self, related: Related, metrics: Metrics) -> None:
        self.related = related
        self.metrics = metrics
        # The headers that the server gives every answer, as they came last and as they are written.
        self._given: list[Header] = []
        self._beginnings = STATUS

    def answer(self, query: bytes, named: Headers, given: list[Header]) -> bytes | None:
        """The answer to a GET with this query and these headers of the request, where only
        ``If-None-Match`` and ``Authorization`` matter; None if it is to go the long way. ``given``
        are the server's own headers.
        """
        since = time.perf_counter()
        if given is not self._given:
            self._given = given
            written = b"".join([b"%b: %b\r\n" % each for each in given])
            self._beginnings = {status: line + written for status, line in STATUS.items()}
        try:
            found = self.related.at_once(query, named)
        except Exception:  # noqa: BLE001 - the long way comes to it too, and has an answer to it
            return None
        if found is None:
            return None
        if isinstance(found, Ready) and not named:
            self.metrics.took("related", 200, since)
            return b"".join((self._beginnings[200], found.lines, found.body))
        reply = reply_of(found, named)
        self.metrics.took("related", reply.status, since)
        return b"".join((self._beginnings[reply.status], lines(reply), reply.body))
