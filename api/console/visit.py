"""Who asks for a page of the console, from where, and with what form.

A session is known by a random secret in a cookie that no script reads, and that comes from other
sites' pages with links alone; what changes something carries, besides, a token that only our own
pages know. Before there
is a session, the form to sign in has a token of its own, in a cookie of the same kind.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from recommender.store import accounts
from recommender.store.accounts import Session

# Browsers take the first names from nobody but this very host, over https.
SECURE, PLAIN = "__Host-recommender", "recommender"
OF_FORMS, OF_BROWSERS = "-form", "-known"
# Whether keys do something by themselves, for a browser, "on" or "off".
KEYS = "recommender-keys"
# How long a browser is known that was signed in: as long as browsers keep anything.
KNOWN_SECONDS = 400 * 86_400
TOKEN, TOKEN_HEADER = "token", "x-form-token"


@dataclass(frozen=True, slots=True)
class Visit:
    """A request by somebody who is signed in. ``secret`` is the session's; ``form`` what was sent,
    empty but for ``POST``.
    """

    request: Request
    session: Session
    secret: str
    form: FormData = field(default_factory=FormData)

    @property
    def account(self) -> str:
        """Who it is."""
        return self.session.account

    @property
    def token(self) -> str:
        """What forms of this session carry."""
        return accounts.form_token(self.secret)

    @property
    def is_fragment(self) -> bool:
        """Does a script ask for a part of the page?"""
        return self.request.headers.get("hx-request") == "true"

    def query(self, name: str, default: str = "") -> str:
        """A parameter of the address."""
        return self.request.query_params.get(name, default)

    def field(self, name: str, default: str = "") -> str:
        """A field of the form, as text without spaces around it; a file is none."""
        value = self.form.get(name, default)
        return value.strip() if isinstance(value, str) else default


def is_secure(request: Request) -> bool:
    """Did the request come by https, as far as trusted proxies say?"""
    return request.url.scheme == "https"


def cookie_name(request: Request) -> str:
    """The name of the cookie with the session's secret."""
    return SECURE if is_secure(request) else PLAIN


def secret_of(request: Request) -> str:
    """The secret that came with a request; empty if none did."""
    return request.cookies.get(cookie_name(request), "")


def set_cookie(
    request: Request,
    response: Response,
    value: str,
    *,
    suffix: str = "",
    seconds: int | None = None,
) -> None:
    """Give the browser a cookie for so long, by default until it is closed, or take it away if
    ``value`` is empty.
    """
    response.set_cookie(
        cookie_name(request) + suffix,
        value,
        max_age=seconds if value else 0,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax" if not suffix else "strict",
    )


def new_form_secret() -> str:
    """What the form to sign in is known by."""
    return secrets.token_urlsafe(accounts.SECRET_BYTES)


def known_of(request: Request) -> str:
    """What the browser has of an earlier time that it was signed in."""
    return request.cookies.get(cookie_name(request) + OF_BROWSERS, "")


def form_secret_of(request: Request) -> str:
    """What the browser has of ``new_form_secret``."""
    return request.cookies.get(cookie_name(request) + OF_FORMS, "")


def is_ours(request: Request, sent: str, secret: str) -> bool:
    """Was a form sent by a page of ours? ``sent`` is its token, ``secret`` what it goes with."""
    if not secret or not sent or not is_same_site(request):
        return False
    return hmac.compare_digest(sent.encode(), accounts.form_token(secret).encode())


def is_same_site(request: Request) -> bool:
    """Does the browser say that another site's page sent this? It is asked twice: of old, by
    ``Origin``, and by ``Sec-Fetch-Site``.
    """
    headers: Mapping[str, str] = request.headers
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host", "")


def is_form(request: Request) -> bool:
    """Is the body a form as browsers send it? The alphabets that a form may name are a way to keep
    a server busy, and all of ours are UTF-8.
    """
    declared = request.headers.get("content-type", "").lower()
    kind, _, parameters = declared.partition(";")
    if kind.strip() not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return False
    return "charset" not in parameters or "charset=utf-8" in parameters.replace('"', "")


def whole(text: str) -> int | None:
    """A number that a form or an address holds, None if it is none that we have given out.

    >>> whole("17"), whole("-1"), whole("9" * 5000), whole("٣")
    (17, None, None, None)
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def signed(sentence: str, secret: str) -> str:
    """What shows that a sentence in an address is ours, and not of whoever made the link."""
    return hmac.new(secret.encode(), f"said {sentence}".encode(), hashlib.sha256).hexdigest()[:32]


def inside(address: str) -> str:
    """An address of the console to go on to; its first page in the place of any other.

    >>> inside("/console/page?id=knee"), inside("//evil.example/console/")
    ('/console/page?id=knee', '/console/')
    """
    is_there = address.startswith("/console/") and address.isprintable() and "\\" not in address
    return address if is_there and not address.startswith("/console/sign-") else "/console/"
