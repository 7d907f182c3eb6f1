"""The routes as FastAPI knows and documents them."""

from __future__ import annotations

import gzip
from functools import partial
from importlib.resources import files
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import HTTPBearer

from recommender.bundle.composition import DEFAULT_K, MAX_K
from recommender.events.slate_token import N_VARIANTS
from recommender.fields import MAX_ID_CHARACTERS
from recommender_api.answers import tag_of
from recommender_api.events import Events
from recommender_api.http import EMBEDDABLE, OPEN, Reply, matches, not_stored, response
from recommender_api.leaving import Leaving
from recommender_api.live import Live
from recommender_api.pool import Pool
from recommender_api.related import MAX_URL_CHARACTERS, Related
from recommender_api.schemas import (
    Alive,
    Answer,
    BatchQuestion,
    Error,
    Model,
    Ready,
    Refusal,
    Results,
    Taken,
    TextQuestion,
    Variant,
)

# Of a text that is not stored so much is ranked by, since the work grows with it: some 0.4 seconds
# among 20,000 articles. Articles have a tenth of it.
MAX_TITLE_CHARACTERS, MAX_TEXT_CHARACTERS = 1_000, 32_000
REMEDY = "fallback lists are served meanwhile; run recommender train, then restart"
# The shape of the header; the key itself is compared in ``check_key``.
ADMIN = HTTPBearer(auto_error=False, scheme_name="admin key")


_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "examples": {
                "impression": {
                    "value": {"type": "impression", "view_id": "3f2a9c", "slate": "AQ…"}
                },
                "click": {
                    "value": {"type": "click", "view_id": "3f2a9c", "slate": "AQ…", "position": 2}
                },
                "pageview": {"value": {"type": "pageview", "article_id": "knee"}},
            }
        }
    },
}  # fmt: skip


def add(
    app: FastAPI, live: Live, related: Related, events: Events, pool: Pool, leaving: Leaving
) -> None:
    """Give ``app`` the routes that are open to everyone; ``pool`` makes what takes long."""
    _lists(app, live, related, pool)
    _events(app, events)
    _widget(app)
    _health(app, live, leaving)
    _models(app, live)


def _lists(app: FastAPI, live: Live, related: Related, pool: Pool) -> None:
    @app.get(
        "/v1/related",
        tags=["lists"],
        summary="The list of an article",
        response_model=Answer,
        responses=documented(400, *([401] if related.admin_key else []), 414, 422, 503),
        dependencies=[Depends(ADMIN)] if related.admin_key else [],
        openapi_extra={"parameters": _parameters(explainable=bool(related.admin_key))},
    )
    async def of_article(request: Request) -> Response:
        """Give `id` or `url`. An unknown article gets popular ones, `"article_id": null`."""
        return response(await related(request.scope["query_string"], request.scope["headers"]))

    @app.post(
        "/v1/related",
        tags=["lists"],
        summary="The list of a text that is not stored",
        response_model=Answer,
        responses=documented(400, 413, 415, 422, 503),
    )
    async def of_text(question: TextQuestion) -> Response:
        """Ranked by its words and by what is known of the articles that share them. Of a long text
        the first 32,000 characters count.
        """
        if not f"{question.title}{question.body}".strip():
            raise Refusal(422, "empty_text", "Give a title or a body.")
        answers, now = live.current(), related.clock()
        title = question.title[:MAX_TITLE_CHARACTERS]
        text = question.body[:MAX_TEXT_CHARACTERS]
        ranked = partial(
            answers.of_text, title, text, now, k=question.k, language=question.language
        )
        return response(not_stored(await pool.run(ranked)))

    @app.post(
        "/v1/related/batch",
        tags=["lists"],
        summary="The lists of several articles",
        response_model=Results,
        responses=documented(400, 413, 415, 422, 503),
    )
    async def of_articles(question: BatchQuestion) -> Response:
        """In the order of `ids`; an unknown one gets what it would get alone."""
        answers, now = live.current(), related.clock()

        def listed() -> bytes:
            bodies = [answers.of_id(id, now, k=question.k).body() for id in question.ids]
            return b'{"results":[' + b",".join(bodies) + b"]}"

        return response(not_stored(await pool.run(listed)))


def _health(app: FastAPI, live: Live, leaving: Leaving) -> None:
    @app.get("/health/live", tags=["health"], summary="Does the process run?")
    async def alive() -> Alive:
        return Alive()

    @app.get("/health/ready", tags=["health"], summary="Can it answer?", responses=documented(503))
    async def ready() -> Ready:
        """503 until a bundle is live, while the store is another site's, a new one or one of a
        newer release, and once the process is to stop; `detail` is the reason, and what to do.
        Lists are served meanwhile, without a bundle fallback lists, as far as the store has
        articles.
        """
        if leaving.is_near:
            raise Refusal(503, "not_ready", "This process is about to stop.")
        missing = "; ".join(filter(None, (live.fault, live.copies.fault())))
        if live.answers is None:
            raise Refusal(503, "not_ready", missing or "Nothing is loaded yet.")
        if live.answers.lists is None:
            raise Refusal(503, "not_ready", f"{missing}; {REMEDY}")
        if live.stranger is not None or live.stored.is_newer:
            raise Refusal(503, "not_ready", str(live.faults()))
        return Ready(model=live.answers.lists.name, fault=live.faults())


def _models(app: FastAPI, live: Live) -> None:
    @app.get("/v1/model", tags=["model"], summary="The live bundle", responses=documented(503))
    async def model() -> Model:
        """What it was built from, what decided its lists, and how it scored."""
        return model_of(live)


def _events(app: FastAPI, events: Events) -> None:
    @app.post(
        "/v1/events",
        tags=["events"],
        summary="What readers saw and followed",
        status_code=202,
        response_model=Taken,
        responses=documented(400, 403, 413, 415, 429, 503),
        openapi_extra={"requestBody": _BODY},
    )
    async def of_pages(request: Request) -> Response:
        """One event or a list, as JSON or `text/plain`. Answered when they are durable."""
        return response(await events(request.scope, request.receive))


def _widget(app: FastAPI) -> None:
    _script(app, "widget.js")
    # Nobody but the widget asks for it.
    _script(app, "widget-more.js", is_public=False)


def _script(app: FastAPI, name: str, *, is_public: bool = True) -> None:
    script = files("recommender_api").joinpath("static", name).read_bytes()
    # A third of its size, made once; the same bytes at every start.
    packed = gzip.compress(script, mtime=0)
    script_type = (b"content-type", b"text/javascript; charset=utf-8")
    kept = (b"cache-control", b"public, max-age=3600")
    varies = (b"vary", b"Accept-Encoding")

    summary = "The list for any page, as a script"

    @app.get(f"/{name}", tags=["widget"], summary=summary, include_in_schema=is_public)
    async def widget(request: Request) -> Response:
        """One script tag puts the list on a page; see the README."""
        packs = "gzip" in request.headers.get("accept-encoding", "")
        body = packed if packs else script
        same = [(b"etag", tag_of(body)), kept, varies, OPEN, EMBEDDABLE]
        if matches(request.headers.get("if-none-match", "").encode(), tag_of(body)):
            return response(Reply(304, same, b""))
        coding = [(b"content-encoding", b"gzip")] if packs else []
        length = (b"content-length", b"%d" % len(body))
        return response(Reply(200, [script_type, length, *coding, *same], body))


def model_of(live: Live) -> Model:
    """The live bundle, and what each variant means now: while an experiment runs, its arms."""
    model = Model.model_validate(live.bundle().about, from_attributes=True)
    if (trial := live.trial) is not None:
        model.experiment = trial.experiment.name
        model.variants = [Variant.model_validate(row) for row in trial.experiment.table()]
    return model


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Statuses that come with an error of the one shape."""
    return {status: {"model": Error} for status in statuses}


def _parameters(*, explainable: bool) -> list[dict[str, Any]]:
    """The query of ``GET /v1/related``, which is read without FastAPI."""
    text = {"type": "string", "maxLength": MAX_ID_CHARACTERS}
    size = {"type": "integer", "minimum": 1, "maximum": MAX_K, "default": DEFAULT_K}
    known: list[tuple[str, dict[str, Any], str]] = [
        ("id", text, "the article's id, any characters"),
        (
            "url",
            {"type": "string", "maxLength": MAX_URL_CHARACTERS},
            "instead of the id. Scheme, `www.`, fragment, tracking parameters, session ids, "
            "doubled and final slashes do not count; what must be assumed beyond that is the "
            "answer's `guess`",
        ),
        ("k", size, "how many links at most"),
        (
            "variant",
            {"type": "integer", "minimum": 0, "maximum": N_VARIANTS - 1},
            "drawn evenly for each view; `GET /v1/model` lists what each means. Without it the "
            "best slate, outside experiments",
        ),
        ("exclude", {"type": "array", "items": text}, "ids to leave out; may be repeated"),
    ]
    if explainable:
        known.append(("explain", {"type": "boolean"}, "give the figures behind each link (admin)"))
    return [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": what}
        for name, schema, what in known
    ]
