"""The demo website: the sample pages as plain HTML, each list drawn from the API beside it.

What a customer's site would do: the page is its own, one script tag puts the list beside it. The
hand-picked list the page came with stands folded below, for comparison; ``#before`` unfolds it.
"""

from __future__ import annotations

import html
from functools import cache
from importlib.resources import files

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from recommender.articles import text_page
from recommender.articles.text_page import Page
from recommender.config import Settings
from recommender.demo.readers import PAGES, truth
from recommender_api.serve import serve

FIRST = "pain-after-miscarriage"


def serve_demo(settings: Settings, *, port: int) -> None:
    """Serve API and website on one port of this machine until interrupted."""
    print(f"http://127.0.0.1:{port}/pages/{FIRST}   (Ctrl-C stops)", flush=True)
    serve(settings, host="127.0.0.1", port=port, site=add_pages)


def add_pages(app: FastAPI) -> None:
    """Give the app the website's pages."""

    @app.get("/", include_in_schema=False)
    def index() -> Response:
        return HTMLResponse(index_html())

    @app.get("/pages/{id}", include_in_schema=False)
    def page(id: str) -> Response:
        if id not in truth():
            return PlainTextResponse("There is no such page.", status_code=404)
        return HTMLResponse(page_html(id))

    @app.get("/demo.css", include_in_schema=False)
    def style() -> Response:
        return Response(_style(), media_type="text/css")

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> Response:
        return Response(status_code=204)


@cache
def _style() -> str:
    return files("recommender_api").joinpath("static", "demo.css").read_text(encoding="utf-8")


@cache
def _page(id: str) -> Page:
    return text_page.parse((PAGES / f"{id}.txt").read_text(encoding="utf-8"), where=id)


def index_html() -> str:
    """All pages by topic."""
    topics: dict[str, list[str]] = {}
    for id, taste in truth().items():
        topics.setdefault(taste.topic, []).append(id)
    sections = "".join(
        f"<section><h2>{html.escape(topic.capitalize())}</h2><ul>"
        + "".join(
            f'<li><a href="/pages/{id}">{html.escape(_page(id).title)}</a></li>' for id in ids
        )
        + "</ul></section>"
        for topic, ids in topics.items()
    )
    return _document(
        "Health questions", f'<main class="index"><h1>Health questions</h1>{sections}</main>'
    )


def page_html(id: str) -> str:
    """One article, a place for the widget to fill, and the hand-picked list."""
    page = _page(id)
    body = "".join(_block(line) for line in page.body.split("\n\n"))
    old = "".join(
        f"<li><b>{html.escape(title)}</b> <span>{html.escape(teaser)}</span></li>"
        for title, teaser in page.recommended
    )
    return _document(
        page.title,
        f"<main><article><h1>{html.escape(page.title)}</h1>{body}</article>"
        f'<aside><div id="related"></div>'
        # A browser unfolds what holds the target of an address.
        f'<details><summary>The hand-picked list it replaces</summary><ol id="before">{old}</ol>'
        f"</details></aside></main>"
        f'<script src="/widget.js" data-id="{html.escape(id)}" data-target="#related"'
        f' data-layout="sidebar" async></script>',
    )


def _block(line: str) -> str:
    # As in the page format: a short line without an end mark is a heading.
    tag = "p" if line.endswith((".", "!", "?", ":")) or len(line) > 80 else "h2"
    return f"<{tag}>{html.escape(line)}</{tag}>"


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{html.escape(title)}</title><link rel="stylesheet" href="/demo.css"></head>'
        f'<body><header><a href="/">Health questions</a></header>{body}</body></html>'
    )
