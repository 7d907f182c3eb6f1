"""The routes as FastAPI knows and documents them."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import HTTPBearer

from api.errors import response
from api.live import Live
from api.related import MAX_URL_CHARACTERS, Related, check_key
from api.replies import stored_nowhere
from api.wire import (
    Alive,
    Answer,
    BatchQuestion,
    Error,
    Model,
    Ready,
    Refusal,
    Results,
    TextQuestion,
)
from recommender import manifest
from recommender.articles import MAX_ID_CHARACTERS
from recommender.errors import BundleError
from recommender.lists import DEFAULT_K, MAX_K

# The shape of the header; the key itself is compared in ``check_key``.
ADMIN = HTTPBearer(auto_error=False, scheme_name="admin key")


def add(app: FastAPI, live: Live, related: Related) -> None:
    """Give ``app`` the routes of the contract."""
    _lists(app, live, related)
    _health(app, live)
    _models(app, live, related)


def _lists(app: FastAPI, live: Live, related: Related) -> None:
    @app.get(
        "/v1/related",
        tags=["lists"],
        summary="The list of an article",
        response_model=Answer,
        responses=_documented(400, *([401] if related.admin_key else []), 414, 422, 503),
        dependencies=[Depends(ADMIN)] if related.admin_key else [],
        openapi_extra={"parameters": _parameters(explainable=bool(related.admin_key))},
    )
    async def of_article(request: Request) -> Response:
        """Give `id` or `url`. An unknown article gets popular ones, `"article_id": null`."""
        return response(related(request.scope["query_string"], request.scope["headers"]))

    @app.post(
        "/v1/related",
        tags=["lists"],
        summary="The list of a text that is not stored",
        response_model=Answer,
        responses=_documented(400, 413, 415, 422, 503),
    )
    def of_text(question: TextQuestion) -> Response:
        """Ranked by its words and by what is known of the articles that share them."""
        if not f"{question.title}{question.body}".strip():
            raise Refusal(422, "empty_text", "Give a title or a body.")
        body = live.current().of_text(question.title, question.body, related.clock(), k=question.k)
        return response(stored_nowhere(body))

    @app.post(
        "/v1/related/batch",
        tags=["lists"],
        summary="The lists of several articles",
        response_model=Results,
        responses=_documented(400, 413, 415, 422, 503),
    )
    def of_articles(question: BatchQuestion) -> Response:
        """In the order of `ids`; an unknown one gets what it would get alone."""
        answers, now = live.current(), related.clock()
        bodies = [answers.of_id(id, now, k=question.k) for id in question.ids]
        return response(stored_nowhere(b'{"results":[' + b",".join(bodies) + b"]}"))


def _health(app: FastAPI, live: Live) -> None:
    @app.get("/health/live", tags=["health"], summary="Does the process run?")
    async def alive() -> Alive:
        return Alive()

    @app.get("/health/ready", tags=["health"], summary="Can it answer?", responses=_documented(503))
    async def ready() -> Ready:
        """503 until a bundle is live; `detail` says what is missing."""
        if live.answers is None:
            raise Refusal(503, "not_ready", live.fault or "Nothing is loaded yet.")
        return Ready(model=live.answers.lists.name, fault=live.fault)


def _models(app: FastAPI, live: Live, related: Related) -> None:
    @app.get("/v1/model", tags=["model"], summary="The live bundle", responses=_documented(503))
    async def model() -> Model:
        """What it was built from, what decided its lists, and how it scored."""
        return Model.model_validate(live.current().lists.about)

    if not related.admin_key:
        return

    @app.post(
        "/v1/models/{name}/activate",
        tags=["model"],
        summary="Make a bundle the live one",
        responses=_documented(401, 404, 409, 422),
        dependencies=[Depends(ADMIN)],
    )
    def activate(name: str, request: Request) -> Model:
        """Every file is compared with the manifest first; on any fault the old one stays."""
        check_key(related.admin_key, request.scope["headers"])
        if name not in manifest.names(live.models):
            raise Refusal(404, "unknown_model", "There is no bundle of this name.")
        try:
            manifest.activate(live.models, name)
        except BundleError as exc:
            raise Refusal(409, "damaged_model", str(exc)) from exc
        live.refresh()
        return Model.model_validate(live.current().lists.about)


def _documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
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
            "instead of the id; scheme, fragment, tracking parameters and final slash do not count",
        ),
        ("k", size, "how many links at most"),
        ("exclude", {"type": "array", "items": text}, "ids to leave out; may be repeated"),
    ]
    if explainable:
        known.append(("explain", {"type": "boolean"}, "tell the figures behind each link (admin)"))
    return [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": what}
        for name, schema, what in known
    ]
