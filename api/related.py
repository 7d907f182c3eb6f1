"""``GET /v1/related``: from the bytes of a query to the bytes of a reply.

The one implementation behind both ways to it: the short one in front of FastAPI and the route
that FastAPI documents.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

from api.answers import MAX_QUESTION_BYTES, MAX_QUESTIONS, Answers, Question, keep, tag_of
from api.live import Live
from api.replies import Headers, Reply, cached, stored_nowhere
from api.wire import Refusal
from recommender.articles import MAX_ID_CHARACTERS
from recommender.lists import DEFAULT_K, MAX_K

# Beyond twice of this uvicorn's parser gives up, and its error is not in our shape.
MAX_QUERY_BYTES = 32 * 1024
MAX_URL_CHARACTERS = 8_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, understood; either ``id`` or ``url`` is given."""

    id: str | None
    url: str | None
    k: int
    exclude: frozenset[str]
    explain: bool


class Related:
    """Answers the query for one page's list."""

    def __init__(self, live: Live, *, clock: Callable[[], datetime], admin_key: str) -> None:
        self.live = live
        self.clock = clock
        self.admin_key = admin_key

    def __call__(self, query: bytes, headers: Headers) -> Reply:
        """The reply; ``Refusal`` if the query makes no sense or nothing is live."""
        answers = self.live.current()
        now = self.clock()
        question = answers.questions.get(query)
        if question is not None:
            if question.k == DEFAULT_K and not answers.rules.about(question.id, now):
                return cached(answers.prepared(question.row), question.tag, headers)
            body = answers.of(question.row, now, k=question.k)
            return cached(body, tag_of(body), headers)
        asked = parse(query, explainable=bool(self.admin_key))
        if asked.explain:
            check_key(self.admin_key, headers)
        row = _row(answers, asked)
        exclude = asked.exclude if row is not None else answers.beside(asked.id, asked.exclude)
        body = answers.of(row, now, k=asked.k, exclude=exclude)
        if asked.explain:
            return stored_nowhere(answers.explained(row, body))
        if row is None:
            return stored_nowhere(body)
        if not asked.exclude and len(query) <= MAX_QUESTION_BYTES:
            id = answers.lists.ids.column[row]
            known = Question(row, id, asked.k, tag_of(answers.prepared(row)))
            keep(answers.questions, query, known, at_most=MAX_QUESTIONS)
        return cached(body, tag_of(body), headers)


def parse(query: bytes, *, explainable: bool = False) -> Asked:
    """Understand a query string; parameters that mean nothing to us are left alone, and one of
    them is ``explain`` unless ``explainable``.

    >>> parse(b"id=knee%2Fclick&exclude=salt&utm_source=mail").id
    'knee/click'
    """
    if len(query) > MAX_QUERY_BYTES:
        raise Refusal(414, "query_too_long", f"A query has at most {MAX_QUERY_BYTES} bytes.")
    fields: dict[str, list[str]] = {}
    for name, value in parse_qsl(query.decode(errors="replace"), keep_blank_values=True):
        fields.setdefault(name, []).append(value)
    for name in ("id", "url", "k"):
        if len(fields.get(name, ())) > 1:
            raise Refusal(400, "repeated_parameter", f"The parameter {name} is given twice.")
    id = next(iter(fields.get("id", ())), None)
    url = next(iter(fields.get("url", ())), None)
    if id is None and url is None:
        raise Refusal(400, "missing_parameter", "Give the id or the url of an article.")
    if id is not None and url is not None:
        raise Refusal(400, "conflicting_parameters", "Give either id or url, not both.")
    for name, most in (("id", MAX_ID_CHARACTERS), ("url", MAX_URL_CHARACTERS)):
        value = fields.get(name, ["-"])[0]
        if value == "":
            raise Refusal(422, "invalid_parameter", f"The parameter {name} is empty.")
        if len(value) > most:
            raise Refusal(400, f"{name}_too_long", f"{name} has more than {most} characters.")
    return Asked(
        id=id,
        url=url,
        k=_size(fields.get("k", [str(DEFAULT_K)])[0]),
        exclude=frozenset(fields.get("exclude", ())) - {""},
        explain=explainable and _truth(fields.get("explain", ["false"])[0]),
    )


def _size(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_K:
        return int(text)
    raise Refusal(422, "invalid_parameter", f"k must be a whole number from 1 to {MAX_K}.")


def _truth(text: str) -> bool:
    if text.lower() in ("true", "1", "false", "0"):
        return text.lower() in ("true", "1")
    raise Refusal(422, "invalid_parameter", "explain must be true or false.")


def _row(answers: Answers, asked: Asked) -> int | None:
    if asked.id is not None:
        return answers.lists.row(asked.id)
    return answers.lists.row_of_url(asked.url or "")


def check_key(key: str, headers: Headers) -> None:
    """Raise ``Refusal`` unless the request carries the admin key."""
    given = b"".join(value for name, value in headers if name == b"authorization")
    scheme, _, token = given.partition(b" ")
    if scheme.lower() != b"bearer" or not hmac.compare_digest(token.strip(), key.encode()):
        raise Refusal(
            401, "unauthorized", "This takes the admin key.", {"WWW-Authenticate": "Bearer"}
        )
