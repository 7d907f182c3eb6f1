"""A page's list: the old beside the live one, and what an editor does about it."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from recommender_api.console.app import Console
from recommender_api.console.visit import Visit


def add(console: Console) -> None:
    """Have the page answered."""
    console.get("/page", "viewer", partial(_shown, console))


def _shown(console: Console, visit: Visit) -> Response:
    return console.page(visit, "listed", id=visit.query("id"))
