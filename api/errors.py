"""Whatever goes wrong behind FastAPI's routes, in the one shape of every error."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from recommender_api.replies import Reply, broken, refused
from recommender_api.schemas import Refusal

# What the framework says by itself, in our words.
SAID = {
    400: ("invalid_json", "The body is not valid JSON."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take this method."),
}


def add(app: FastAPI) -> None:
    """Teach ``app`` to speak of errors as the contract says."""

    @app.exception_handler(HTTPException)
    async def told(request: Request, exc: HTTPException) -> Response:
        headers = dict(exc.headers or {})
        if isinstance(exc, Refusal):
            return response(refused(exc.status_code, exc.code, exc.detail, headers))
        if exc.status_code == 405:
            headers["Allow"] = ", ".join(_methods(app, request))
        code, detail = SAID.get(exc.status_code, ("refused", exc.detail))
        return response(refused(exc.status_code, code, detail, headers))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, exc: RequestValidationError) -> Response:
        fault = exc.errors()[0]
        if fault["loc"][0] == "query":
            detail = f"{fault['loc'][1]}: {fault['msg']}"
            return response(refused(422, "invalid_parameter", detail))
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not kind.endswith("json"):
            detail = "Send the body as application/json."
            return response(refused(415, "unsupported_media_type", detail))
        if fault["type"] == "json_invalid":
            return response(refused(400, *SAID[400]))
        place = ".".join(str(part) for part in fault["loc"] if part != "body") or "the body"
        return response(refused(422, "invalid_body", f"{place}: {fault['msg']}"))

    @app.exception_handler(Exception)
    async def failed(request: Request, exc: Exception) -> Response:
        return response(broken())


def response(reply: Reply) -> Response:
    """A reply as FastAPI's routes return it."""
    made = Response(reply.body, reply.status)
    made.raw_headers = [*reply.headers]
    return made


def _methods(app: FastAPI, request: Request) -> list[str]:
    """What may be done at this address; the framework names the methods of one route alone."""
    found: set[str] = set()
    for route in app.routes:
        if route.matches(request.scope)[0] != Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return sorted(found | ({"HEAD"} if "GET" in found else set()))
