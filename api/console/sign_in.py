"""Signing in and out, and one's own password."""

from __future__ import annotations

import math
from functools import partial
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from recommender.errors import AccountError
from recommender.store import accounts
from recommender_api.console.app import PREFIX, Console, url
from recommender_api.console.visit import (
    KEYS,
    KNOWN_SECONDS,
    OF_BROWSERS,
    OF_FORMS,
    TOKEN,
    Visit,
    form_secret_of,
    inside,
    is_ours,
    is_secure,
    known_of,
    new_form_secret,
    secret_of,
    set_cookie,
)
from recommender_api.http import overloaded
from recommender_api.pool import Pool
from recommender_api.schemas import Refusal

# Each takes 64 MB and a core for some 150 ms: one at a time, and a short line, in which nobody
# stands twice.
MAX_WAITING = 8
MAX_FORM_BYTES = 4_096
LOST = "You were signed out before that could be done, so it was not done."
WRONG = "That name and password do not go together, or too many attempts failed: then wait a while."


class SignIn:
    """The door."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.waiting: set[str] = set()
        self.pool = Pool("sign-in", n_threads=1, most=MAX_WAITING)

    async def __call__(self, request: Request) -> Response:
        """The form, or what comes of it."""
        if request.method == "POST":
            return await self._tried(request)
        lost = request.query_params.get("lost") == "1"
        return self._form(
            request, next=request.query_params.get("next", ""), fault=LOST if lost else ""
        )

    def _form(
        self, request: Request, *, next: str, name: str = "", fault: str = "", status: int = 200
    ) -> Response:
        secret = form_secret_of(request) or new_form_secret()
        response = self.console.html(
            "sign_in",
            status,
            token=accounts.form_token(secret),
            next=inside(next),
            name=name,
            fault=fault,
            is_open=not is_secure(request) and not self._is_local(request),
        )
        set_cookie(request, response, secret, suffix=OF_FORMS)
        return response

    def _is_local(self, request: Request) -> bool:
        return request.url.hostname in ("localhost", "127.0.0.1", "::1")

    async def _tried(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > MAX_FORM_BYTES:
            raise Refusal(413, "body_too_large", "That is no form of ours.")
        sent = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        given = {name: sent.get(name, [""])[0] for name in ("name", "password", "next", TOKEN)}
        name, next = given["name"].strip(), given["next"]
        if not is_ours(request, given[TOKEN], form_secret_of(request)):
            fault = "The form was out of date. Please try again."
            return self._form(request, next=next, name=name, fault=fault, status=403)
        client = self.console.attempts.client(request.scope) or "here"
        if client in self.waiting:
            raise overloaded("An attempt from here is under way.")
        if seconds := self.console.wait(request):
            wait = math.ceil(seconds)
            fault = f"Too many attempts. Please try again in {wait} seconds."
            response = self._form(request, next=next, name=name, fault=fault, status=429)
            response.headers["retry-after"] = str(wait)
            return response
        store, now_ms = self.console.store, self.console.now_ms()
        tried = partial(
            accounts.sign_in,
            store, name, given["password"], now_ms=now_ms, known=known_of(request),
        )  # fmt: skip
        self.waiting.add(client)
        try:
            entered = await self.pool.run(tried)
        finally:
            self.waiting.discard(client)
        if entered is None:
            return self._form(request, next=next, name=name, fault=WRONG, status=401)
        # Whatever session the browser had is none any more: nobody else knows the new one's secret.
        if before := secret_of(request):
            await self.pool.run(partial(accounts.sign_out, store, before))
        response = RedirectResponse(inside(next), status_code=303)
        set_cookie(request, response, entered.secret)
        set_cookie(request, response, "", suffix=OF_FORMS)
        set_cookie(request, response, entered.known, suffix=OF_BROWSERS, seconds=KNOWN_SECONDS)
        return response


def add(console: Console) -> None:
    """Have people sign in and out."""
    accounts.prepare()
    console.open("/sign-in", SignIn(console))
    console.post("/sign-out", "viewer", partial(_sign_out, console))
    console.get("/account", "viewer", partial(_account, console))
    console.post("/account", "viewer", partial(_new_password, console))
    console.post("/account/keys", "viewer", partial(_set_keys, console))
    console.get("/token", "viewer", lambda visit: PlainTextResponse(visit.token))


def _sign_out(console: Console, visit: Visit) -> Response:
    accounts.sign_out(console.store, visit.secret)
    response = RedirectResponse(url("/sign-in"), status_code=303)
    set_cookie(visit.request, response, "")
    # The browser forgets what it still has of the pages.
    response.headers["clear-site-data"] = '"cache", "storage"'
    return response


def _set_keys(console: Console, visit: Visit) -> Response:
    """Whether single keys do something, which who speaks to a computer may not want."""
    keys = "off" if visit.field("keys") == "off" else "on"
    response = console.go(visit, "/account", done=f"Single keys are {keys} in this browser.")
    response.set_cookie(
        KEYS, keys, max_age=KNOWN_SECONDS, path=PREFIX, secure=is_secure(visit.request),
        httponly=True, samesite="lax",
    )  # fmt: skip
    return response


def _account(console: Console, visit: Visit, fault: str = "") -> Response:
    return console.page(
        visit, "account", 422 if fault else 200, fault=fault, least=accounts.MIN_CHARACTERS
    )


def _new_password(console: Console, visit: Visit) -> Response:
    now_ms, name = console.now_ms(), visit.account
    old, new = (str(visit.form.get(field, "")) for field in ("old", "new"))
    if new != str(visit.form.get("again", "")):
        return _account(console, visit, "The two new passwords differ.")
    try:
        accounts.check_password(name, new)
    except AccountError as exc:
        sentence = str(exc)
        return _account(console, visit, f"{sentence[0].upper()}{sentence[1:]}.")
    if seconds := console.wait(visit.request):
        wait = f"Too many attempts. Please try again in {math.ceil(seconds)} seconds."
        return _account(console, visit, wait)
    if not accounts.is_password(console.store, name, old, now_ms=now_ms):
        fault = "That is not the password you have now, or too many attempts failed."
        return _account(console, visit, fault)
    accounts.set_password(console.store, name, new, now_ms=now_ms)
    response = RedirectResponse(url("/sign-in"), status_code=303)
    set_cookie(visit.request, response, "")
    return response
