"""The demo website: the sample pages as plain HTML, each list drawn from the API beside it.

What a customer's site would do: the page is its own, one script tag puts the list beside it. The
hand-picked list the page came with stands folded below, for comparison; ``#before`` unfolds it.
``?look=cards`` and ``?look=row`` show the other layouts.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import jinja2
from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, Response

from recommender.articles import text_page
from recommender.articles.text_page import Page
from recommender.config import Settings
from recommender.demo.readers import PAGES, truth
from recommender.lists.appearance import LOOKS
from recommender.store import accounts
from recommender.store.database import Store
from recommender.terminal import say
from recommender_api.console import missing_parts
from recommender_api.serve import serve

FIRST = "pain-after-miscarriage"
# Who signs in to the demo's console, with a password of its own each time.
ACCOUNT, PASSWORD_BYTES = "demo", 12
STATIC = Path(__file__).parent / "static"
TEMPLATE = jinja2.Environment(
    loader=jinja2.FileSystemLoader(STATIC),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("demo.html.j2")


def serve_demo(settings: Settings, *, port: int) -> None:
    """Serve API, website and console on one port of this machine until interrupted; whoever may
    sign in to the console is made anew each time.
    """
    site = f"http://127.0.0.1:{port}"
    say(f"{site}/pages/{FIRST}   (Ctrl-C stops)")
    if not missing_parts():
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        _make_account(settings, password)
        settings = replace(settings, console="on")
        say(f"{site}/console   the editors' console: sign in as {ACCOUNT}, password {password}")
    serve(settings, host="127.0.0.1", port=port, site=add_pages)


def _make_account(settings: Settings, password: str) -> None:
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    with Store(settings.database) as store:
        if any(each.name == ACCOUNT for each in accounts.accounts(store)):
            accounts.remove(store, ACCOUNT)
        accounts.add(store, ACCOUNT, role="admin", password=password, now_ms=now_ms)


def add_pages(app: FastAPI) -> None:
    """Give the app the website's pages."""

    @app.get("/", include_in_schema=False)
    def index() -> Response:
        return HTMLResponse(index_html())

    @app.get("/pages/{id}", include_in_schema=False)
    def page(id: str, look: str = LOOKS[0]) -> Response:
        if id not in truth() or look not in LOOKS:
            return PlainTextResponse("There is no such page.", status_code=404)
        return HTMLResponse(page_html(id, look=look))

    @app.get("/demo.css", include_in_schema=False)
    def style() -> Response:
        return FileResponse(STATIC / "demo.css")

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> Response:
        return Response(status_code=204)


@cache
def _page(id: str) -> Page:
    return text_page.parse((PAGES / f"{id}.txt").read_text(encoding="utf-8"), where=id)


def index_html() -> str:
    """All pages by topic."""
    topics: dict[str, list[tuple[str, str]]] = {}
    for id, taste in truth().items():
        topics.setdefault(taste.topic, []).append((id, _page(id).title))
    return TEMPLATE.render(page=None, topics=topics)


def page_html(id: str, *, look: str = LOOKS[0]) -> str:
    """One article, a place for the widget to fill, and the hand-picked list.

    A list stands beside the article, cards and a row below it.
    """
    return TEMPLATE.render(page=_page(id), id=id, look=look, looks=LOOKS)
