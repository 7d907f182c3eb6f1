"""What all pages of the console share: who may see them, how they look, and what keeps them safe.

A page is a module of this package with a function ``add(console)``, a row in ``pages.PAGES`` and a
template. It registers what it answers, each with the least role that may ask for it:

    def add(console: Console) -> None:
        console.get("/rules", "viewer", partial(shown, console))
        console.post("/rules", "editor", partial(saved, console))

A handler takes a ``Visit`` and returns ``console.page(visit, "rules", ...)``, or
``console.go(visit, "/rules", done="The rule is saved.")`` after a form. It runs in a thread and may
ask the store; a ``StoreError`` becomes a page that says so, a ``Refusal`` one with its sentence.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import jinja2
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from recommender.config import Settings
from recommender.errors import RecommenderError, StoreError
from recommender.store import accounts
from recommender.store.database import Store
from recommender_api.console.visit import (
    KEYS,
    TOKEN,
    TOKEN_HEADER,
    Visit,
    inside,
    is_form,
    is_ours,
    is_same_site,
    secret_of,
    signed,
)
from recommender_api.live import Live
from recommender_api.rate_limit import Clients
from recommender_api.schemas import Refusal, no_store
from recommender_api.store_connection import Stored

PREFIX = "/console"
HERE = Path(__file__).parent
STATIC = HERE / "static"
# Nothing from elsewhere, nothing in the page itself, nobody around it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
STATIC_HEADERS = {
    **HEADERS,
    "cache-control": "public, max-age=31536000, immutable",
}
MAX_FIELDS, MAX_FILES = 200, 1
ATTEMPTS = 10
NO_STORE = "The store is out of reach; the cause is in the server's log."
# What an error is called; anything else was not done.
PROBLEMS = {403: "That is for others", 404: "That is not there", 503: "Not now"}
# Where htmx puts the answer to what went wrong.
OF_PROBLEMS = {"hx-retarget": "#problem", "hx-reswap": "innerHTML", "hx-reselect": ".fault"}
# The longest text that goes from one page to the next.
MAX_DONE = 500

logger = logging.getLogger("api")

Handler = Callable[[Visit], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that is not as it should be: a ``sentence``, and where to read on, if anywhere."""

    sentence: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the menu: where it leads, what it is called, and who sees it."""

    path: str
    name: str
    role: str = "viewer"


class Console:
    """The console of a site."""

    def __init__(
        self,
        live: Live,
        stored: Stored,
        settings: Settings,
        *,
        clock: Callable[[], datetime],
        ticks: Callable[[], float],
    ) -> None:
        self.live = live
        self.stored = stored
        self.settings = settings
        self.clock = clock
        # Seconds that nobody sets back.
        self.ticks = ticks
        self.zone = ZoneInfo(settings.time_zone)
        self.menu: list[Entry] = []
        # Attempts to sign in and to change a password: so many at once, and in a minute, of one
        # address. Those on an account are counted in the store, where a stranger's are his own.
        self.attempts = Clients(
            rate=ATTEMPTS, trusted_proxies=settings.trusted_proxies, allowed_origins=""
        )
        # Each gives what is not as it should be, for the top of every page.
        self.notices: list[Callable[[], list[Notice]]] = [self._faults]
        self._routes: list[Route] = []
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {"static": self.static, "url": url}
        self._templates.filters |= {"moment": self.moment, "day": self.day, "number": number}
        self._digests: dict[str, str] = {}

    # What pages ask of it

    @property
    def store(self) -> Store:
        """The store; ``Refusal`` while it is out of reach."""
        if self.stored.store is None:
            raise no_store(NO_STORE)
        return self.stored.store

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self.stored.now_ms()

    def moment(self, when: datetime | int | None) -> str:
        """A moment, or milliseconds since 1970, in the site's time zone; empty for none."""
        return self._local(when, "%Y-%m-%d %H:%M") if when is not None else ""

    def day(self, when: datetime | int | None) -> str:
        """The day of a moment in the site's time zone; empty for none."""
        return self._local(when, "%Y-%m-%d") if when is not None else ""

    def _local(self, when: datetime | int, form: str) -> str:
        if not isinstance(when, datetime):
            when = datetime.fromtimestamp(when / 1000, self.zone)
        return when.astimezone(self.zone).strftime(form)

    def static(self, name: str) -> str:
        """The address of a file of ours, which changes with what is in it."""
        if name not in self._digests:
            digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
            self._digests[name] = digest[:16]
        return f"{PREFIX}/static/{name}?{self._digests[name]}"

    def get(self, path: str, role: str, handler: Handler) -> None:
        """Have ``GET`` of a path answered, for those of ``role`` and above."""
        self._add("GET", path, role, handler)

    def post(self, path: str, role: str, handler: Handler) -> None:
        """Have a form that is sent to a path answered, for those of ``role`` and above."""
        self._add("POST", path, role, handler)

    def page(self, visit: Visit, template: str, status: int = 200, **values: Any) -> Response:
        """A page, or for scripts what its template makes of ``visit.is_fragment``."""
        shared = {
            "visit": visit,
            "menu": [each for each in self.menu if visit.session.may(each.role)],
            "notices": [*self._proxied(visit), *(each for of in self.notices for each in of())],
            "done": self._done(visit),
            "zone": self.settings.time_zone,
            "keys": "off" if visit.request.cookies.get(KEYS) == "off" else "on",
        }
        return self.html(template, status, **{**shared, **values})

    def html(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page of a template alone."""
        text = self._templates.get_template(f"{template}.html.j2").render(**values)
        return HTMLResponse(text, status_code=status)

    def go(self, visit: Visit, path: str, *, done: str = "", **query: str) -> Response:
        """Go on to another page after a form, which says what was ``done``."""
        done = done[:MAX_DONE]
        of_done = {"done": done, "by": signed(done, visit.secret)} if done else {}
        address = url(path, **query, **of_done)
        if visit.is_fragment:
            return Response(status_code=200, headers={"hx-redirect": address})
        return RedirectResponse(address, status_code=303)

    def _proxied(self, visit: Visit) -> list[Notice]:
        """A proxy that the settings do not name makes one of all who come."""
        is_proxied = "x-forwarded-for" in visit.request.headers
        if not is_proxied or self.settings.trusted_proxies:
            return []
        return [
            Notice(
                "This server stands behind a proxy that RECOMMENDER_TRUSTED_PROXIES does not name: "
                "all editors share one number of attempts to sign in, and all readers one limit."
            )
        ]

    def wait(self, request: Request) -> float:
        """Seconds until another attempt may be made from where this comes; 0 if it may be made now,
        and then it counts.
        """
        # Whoever comes from this machine itself counts too.
        return self.attempts.wait(self.attempts.client(request.scope) or "here", self.ticks())

    def _done(self, visit: Visit) -> str:
        """What the form before has done; nothing that a link of others says."""
        done, by = visit.query("done"), visit.query("by")
        return done if hmac.compare_digest(by.encode(), signed(done, visit.secret).encode()) else ""

    def _faults(self) -> list[Notice]:
        fault = self.live.faults()
        return [Notice(fault)] if fault else []

    # Behind every page

    def app(self) -> Starlette:
        """The application of these pages, below ``PREFIX``."""
        app = Starlette(
            routes=[*self._routes, Route("/static/{name}", self._guarded(_file))],
            exception_handlers={HTTPException: self._no_route},
        )
        app.router.redirect_slashes = False
        return app

    def open(self, path: str, endpoint: Endpoint) -> None:
        """Have a path answered for everybody."""
        self._routes.append(Route(path, self._guarded(endpoint), methods=["GET", "POST"]))

    def _add(self, method: str, path: str, role: str, handler: Handler) -> None:
        endpoint = self._guarded(partial(self._answer, role, handler))
        self._routes.append(Route(path, endpoint, methods=[method]))

    async def _answer(self, role: str, handler: Handler, request: Request) -> Response:
        visit = await self._visit(request)
        if visit is None:
            return self._to_sign_in(request)
        request.state.visit = visit
        if not visit.session.may(role):
            raise Refusal(403, "not_allowed", f"This takes an account with the role {role}.")
        if request.method != "POST":
            return await to_thread.run_sync(handler, visit)
        # Before anything of the body is read.
        if not is_form(request):
            raise Refusal(415, "unsupported_media_type", "That is no form of ours.")
        if not is_same_site(request):
            raise Refusal(403, "foreign_form", "This form was sent by another site.")
        async with request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS) as form:
            visit = Visit(request, visit.session, visit.secret, form)
            sent = request.headers.get(TOKEN_HEADER) or visit.field(TOKEN)
            if not is_ours(request, sent, visit.secret):
                raise Refusal(403, "foreign_form", "This form is out of date: go back, reload.")
            return await to_thread.run_sync(handler, visit)

    async def _visit(self, request: Request) -> Visit | None:
        secret = secret_of(request)
        if not secret:
            return None
        find = partial(accounts.session, self.store, secret, now_ms=self.now_ms())
        found = await to_thread.run_sync(find)
        return Visit(request, found, secret) if found else None

    def _to_sign_in(self, request: Request) -> Response:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.headers.get("hx-request") == "true":
            # What is typed stays where it is, and is sent again after signing in elsewhere.
            answer = self.html("signed_out_part")
            answer.headers.update(OF_PROBLEMS)
            return answer
        back = {"next": inside(here)} if request.method == "GET" else {"lost": "1"}
        return RedirectResponse(url("/sign-in", **back), status_code=303)

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        """An endpoint whose errors are pages, and whose pages are safe."""

        async def answered(request: Request) -> Response:
            try:
                response = await endpoint(request)
            except HTTPException as exc:
                response = self._problem(request, exc.status_code, exc.detail)
            except StoreError as exc:
                # Whose address is whose is for the log, not for whoever asks.
                logger.error("%s %s: %s", request.method, request.url.path, exc)
                response = self._problem(request, 503, NO_STORE)
            except RecommenderError as exc:
                response = self._problem(request, 400, str(exc))
            except Exception:
                logger.exception("%s %s failed", request.method, request.url.path)
                detail = "Something failed here; the cause is in the server's log."
                response = self._problem(request, 500, detail)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return answered

    async def _no_route(self, request: Request, exc: Exception) -> Response:
        async def refused(_: Request) -> Response:
            status = exc.status_code if isinstance(exc, HTTPException) else 404
            raise HTTPException(status, "There is no such page.")

        return await self._guarded(refused)(request)

    def _problem(self, request: Request, status: int, detail: str) -> Response:
        sentence = detail if detail.endswith(".") else f"{detail}."
        if request.headers.get("hx-request") != "true":
            what = PROBLEMS.get(status, "That was not done")
            visit = getattr(request.state, "visit", None)
            if visit is None or status == 503:
                return self.html("problem", status, detail=sentence, what=what)
            return self.page(visit, "problem_inside", status, detail=sentence, what=what)
        # What scripts asked for stays as it is; htmx swaps in no answer of another status.
        answer = self.html("problem_part", detail=sentence)
        answer.headers.update(OF_PROBLEMS)
        return answer


def url(path: str, **query: Any) -> str:
    """An address of the console.

    >>> url("/page", id="a/b c")
    '/console/page?id=a%2Fb+c'
    """
    given = {name: value for name, value in query.items() if value not in ("", None)}
    return f"{PREFIX}{quote(path)}" + (f"?{urlencode(given)}" if given else "")


def number(value: float, digits: int = 0) -> str:
    """A number with commas between thousands."""
    return f"{value:,.{digits}f}"


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    # Names as they stand in the folder, so that none leads out of it.
    if name not in {path.name for path in STATIC.iterdir()}:
        raise Refusal(404, "not_found", "There is no such file.")
    return FileResponse(STATIC / name, headers=STATIC_HEADERS)
