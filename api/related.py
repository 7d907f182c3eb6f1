"""``GET /v1/related``: from the bytes of a query to the bytes of a reply.

The one implementation behind both ways to it: the short one in front of FastAPI and the route
that FastAPI documents.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote_plus

from recommender.articles.addresses import Found
from recommender.bundle.composition import DEFAULT_K, MAX_K
from recommender.events.slate_token import N_VARIANTS
from recommender.fields import MAX_ID_CHARACTERS
from recommender_api.answers import Answers, Ready, tag_of
from recommender_api.experiments import Trial
from recommender_api.http import CACHED_LINES, Headers, Reply, cached, check_key, not_stored
from recommender_api.live import Live, Round, Watcher
from recommender_api.metrics import Metrics
from recommender_api.schemas import Refusal

# Half of what ``connections`` lets a head have.
MAX_QUERY_BYTES = 32 * 1024
# A request line may have some 8 kB with most servers.
MAX_URL_CHARACTERS = 8_000
# Articles that a page may leave out, since composing a list takes longer the more there are; four
# times as many as a list can have.
MAX_EXCLUDED = 200
# A page that nobody knows waits so long for the store, which may have met it a moment ago. Beside a
# training, looks at a store that is well took up to 1.1 s; a quarter of a second left one in eighty
# articles without its list in the next request. Of a store that hangs the first pages alone wait.
CONSULT_SECONDS = 1.5

NOBODY: frozenset[str] = frozenset()
# How nearly all ask: understood in a fifth of the time.
USUAL = re.compile(
    rb"id=([0-9A-Za-z._~%:/-]+)(?:&k=([0-9]{1,2}))?(?:&variant=([0-9]{1,2}))?"
).fullmatch
# Parameters that may be given once, and how long texts may be.
SINGLE = ("id", "url", "k", "variant")
LONGEST = {"id": MAX_ID_CHARACTERS, "url": MAX_URL_CHARACTERS}


class Asked(NamedTuple):
    """A query, parsed; either ``id`` or ``url`` is given."""

    id: str | None
    url: str | None
    k: int
    exclude: frozenset[str]
    explain: bool
    variant: int | None = None


class Related:
    """Answers the query for one page's list."""

    def __init__(
        self,
        live: Live,
        watcher: Watcher,
        *,
        clock: Callable[[], datetime],
        admin_key: str,
        metrics: Metrics,
    ) -> None:
        self.live = live
        self.clock = clock
        self.admin_key = admin_key
        self.metrics = metrics
        self.watcher = watcher
        self._asked: tuple[Round, asyncio.Future[None]] | None = None

    async def __call__(self, query: bytes, headers: Headers) -> Reply:
        """The reply; ``Refusal`` if the query makes no sense or nothing is live."""
        made = self.at_once(query, headers)
        if made is not None:
            return reply_of(made, headers)
        # Perhaps the article came a moment ago and the store knows of it.
        await self._consulted()
        asked, since = parse(query, explainable=bool(self.admin_key)), time.perf_counter()
        answers = self.live.current()
        found = answers.find(id=asked.id, url=asked.url)
        return reply_of(self._about(answers, asked, found, query, since), headers)

    def ready(self, query: bytes) -> Ready | None:
        """The answer that is kept for a query, if it holds now."""
        answers, trial = self.live.answers, self.live.trial
        ready = None if answers is None else answers.ready.get(query)
        if trial is not None and (ready is None or ready.has_variant):
            return trial.ready.get(query)
        return ready

    def sent(self, ready: Ready, since: float) -> None:
        """Count an answer that was kept, to a query that came at ``since``."""
        self.metrics.answered(is_fallback=ready.is_fallback)
        if ready.arm:
            self.live.latencies.took(ready.arm, time.perf_counter() - since)

    def at_once(self, query: bytes, headers: Headers) -> Ready | Reply | None:
        """What ``__call__`` replies; None if it takes a look into the store."""
        since = time.perf_counter()
        if (ready := self.ready(query)) is not None:
            self.sent(ready, since)
            return ready
        answers = self.live.current()
        asked = parse(query, explainable=bool(self.admin_key))
        if asked.explain:
            check_key(self.admin_key, headers)
        found = answers.find(id=asked.id, url=asked.url)
        if found.row is None or found.assumed:
            return None
        return self._about(answers, asked, found, query, since)

    def _about(
        self, answers: Answers, asked: Asked, found: Found, query: bytes, since: float
    ) -> Ready | Reply:
        """The reply about the page that was found, to a query that came at ``since``."""
        trial = self.live.trial
        if trial is not None and asked.variant is not None and found.row is not None:
            reply = self._tried(answers, trial, asked, asked.variant, found, query)
            self.live.latencies.took(trial.label_of(asked.variant), time.perf_counter() - since)
            return reply
        return self._plain(answers, asked, found, query)

    def _tried(
        self,
        answers: Answers,
        trial: Trial,
        asked: Asked,
        variant: int,
        found: Found,
        query: bytes,
    ) -> Ready | Reply:
        """The reply to a view of a page while an experiment runs."""
        row, now = found.rows[0], self.clock()
        id = answers.shelf.id_of(row)
        sent = None
        try:
            sent = trial.of(id, now, k=asked.k, exclude=asked.exclude, variant=variant)
        except Exception as exc:  # noqa: BLE001 - as in Answers.of
            answers.note(exc)
        outside = sent is None
        if sent is None:  # without a variant, so that it is nobody's view
            sent = answers.of(row, now, k=asked.k, exclude=asked.exclude)
        sent = sent.guessed(found.assumed)
        body, is_fallback = sent.body(), sent.is_fallback
        self.metrics.answered(is_fallback=is_fallback)
        if asked.explain and outside:
            return not_stored(answers.explained(row, body, now))
        if asked.explain:
            return not_stored(trial.explained(id, variant, body, now))
        if sent.is_spare:
            return not_stored(body)
        ready = _ready(body, is_fallback=is_fallback, drawn=True, arm=trial.label_of(variant))
        if not outside and not asked.exclude and answers.is_steady(row):
            trial.ready.remember(query, ready)
        return ready

    async def _consulted(self) -> bool:
        """Has the thread that watches the store looked into it just now? All who wait share one
        call, and nobody waits for a store that hangs, nor longer than ``CONSULT_SECONDS``.
        """
        if self.watcher.hangs(CONSULT_SECONDS):
            return False
        loop = asyncio.get_running_loop()
        asked = self._asked
        if asked is None or asked[0].has_begun or asked[1].get_loop() is not loop:
            ended: asyncio.Future[None] = loop.create_future()
            # A call that is under way may have begun before the article came.
            asked = self._asked = Round(partial(_end, ended)), ended
            self.watcher.ask(asked[0])
        try:
            await asyncio.wait_for(asyncio.shield(asked[1]), CONSULT_SECONDS)
        except TimeoutError:
            return False
        return True

    def _plain(self, answers: Answers, asked: Asked, found: Found, query: bytes) -> Ready | Reply:
        """The reply outside an experiment."""
        now, row, exclude = self.clock(), found.row, asked.exclude
        if row is None:
            exclude = answers.beside(asked.id, exclude, rows=found.rows)
        sent = answers.of(row, now, k=asked.k, exclude=exclude, variant=asked.variant)
        sent = sent if row is None else sent.guessed(found.assumed)
        if asked.explain:
            return not_stored(answers.explained(row, sent.body(), now))
        if row is None or sent.is_spare:
            self.metrics.answered(is_fallback=True)
            return not_stored(sent.body())
        body, is_fallback = sent.body(), sent.is_fallback
        self.metrics.answered(is_fallback=is_fallback)
        ready = _ready(body, is_fallback=is_fallback, drawn=asked.variant is not None)
        if not asked.exclude and answers.is_steady(row):
            answers.ready.remember(query, ready)
        return ready


def _ready(body: bytes, *, is_fallback: bool, drawn: bool, arm: str = "") -> Ready:
    tag = tag_of(body)
    return Ready(CACHED_LINES % (len(body), tag), body, tag, is_fallback, drawn, arm)


def reply_of(found: Ready | Reply, headers: Headers) -> Reply:
    """The reply to a request with these headers."""
    return found if isinstance(found, Reply) else cached(found.body, found.tag, headers)


def parse(query: bytes, *, explainable: bool = False) -> Asked:
    """Understand a query string; parameters that mean nothing to us are left alone, and one of
    them is ``explain`` unless ``explainable``.

    >>> parse(b"id=knee%2Fclick&exclude=salt&utm_source=mail").id
    'knee/click'
    """
    plain = USUAL(query)
    if plain is not None:
        id, k, variant = plain.groups()
        text = _plain(id.decode())
        if len(text) <= MAX_ID_CHARACTERS and (k is None or 1 <= int(k) <= MAX_K):
            n_links = DEFAULT_K if k is None else int(k)
            drawn = None if variant is None else int(variant)
            return Asked(text, None, n_links, NOBODY, False, drawn)
    if len(query) > MAX_QUERY_BYTES:
        raise Refusal(414, "query_too_long", f"A query has at most {MAX_QUERY_BYTES} bytes.")
    fields: dict[str, list[str]] = {}
    for name, value in _pairs(query.decode(errors="replace")):
        fields.setdefault(name, []).append(value)
    given = {name: fields[name] for name in SINGLE if name in fields}
    if len(fields.get("exclude", ())) > MAX_EXCLUDED:
        detail = f"At most {MAX_EXCLUDED} articles can be left out."
        raise Refusal(400, "too_many_excluded", detail)
    for name, values in given.items():
        if len(values) > 1:
            raise Refusal(400, "repeated_parameter", f"The parameter {name} is given twice.")
        if name in LONGEST:
            _check_length(name, values[0])
    if "id" not in given and "url" not in given:
        raise Refusal(400, "missing_parameter", "Give the id or the url of an article.")
    if "id" in given and "url" in given:
        raise Refusal(400, "conflicting_parameters", "Give either id or url, not both.")
    return Asked(
        id=given["id"][0] if "id" in given else None,
        url=given["url"][0] if "url" in given else None,
        k=_number("k", given["k"][0], 1, MAX_K) if "k" in given else DEFAULT_K,
        exclude=frozenset(fields["exclude"]) - {""} if "exclude" in fields else NOBODY,
        explain=explainable and _truth(fields.get("explain", ["false"])[0]),
        variant=_number("variant", given["variant"][0], 0, N_VARIANTS - 1)
        if "variant" in given
        else None,
    )


def _check_length(name: str, value: str) -> None:
    if value == "":
        raise Refusal(422, "invalid_parameter", f"The parameter {name} is empty.")
    if len(value) > LONGEST[name]:
        raise Refusal(400, f"{name}_too_long", f"{name} has more than {LONGEST[name]} characters.")


def _pairs(query: str) -> Iterable[tuple[str, str]]:
    """Names and values, as ``parse_qsl`` has them, in a tenth of its time."""
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            yield _plain(name), _plain(value)


def _plain(text: str) -> str:
    return unquote_plus(text) if "%" in text or "+" in text else text


def _number(name: str, text: str, least: int, most: int) -> int:
    if text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most:
        return int(text)
    detail = f"{name} must be a whole number from {least} to {most}."
    raise Refusal(422, "invalid_parameter", detail)


def _truth(text: str) -> bool:
    if text.lower() in ("true", "1", "false", "0"):
        return text.lower() in ("true", "1")
    raise Refusal(422, "invalid_parameter", "explain must be true or false.")


def _end(ended: asyncio.Future[None]) -> None:
    """Called in the watcher's thread."""

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
        ended.get_loop().call_soon_threadsafe(end)
