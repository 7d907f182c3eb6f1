"""The first page: find an article by words of its title, its id or its address.

It works as a form; with scripts what is found is shown as one types.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from recommender.store.finding import Match, find
from recommender.store.rules import EVERYWHERE
from recommender_api.console.app import Console, Entry
from recommender_api.console.visit import Visit
from recommender_api.console.words import counted, page_address

# Results on the page; more are found by another word.
N_SHOWN = 20
# A statement that takes longer is given up: a search must not hold others up.
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Mark:
    """What an editor should know of an article before opening it: ``kind`` is a class of the style
    sheet's tags.
    """

    words: str
    kind: str


def add(console: Console) -> None:
    """Have the page answered."""
    console.menu.append(Entry("/", "Find"))
    console.get("/", "viewer", partial(_shown, console))


def _shown(console: Console, visit: Visit) -> Response:
    text = visit.query("q").strip()
    found: list[Match] = []
    n_articles = 0
    if text:
        with console.store.reading(seconds=PATIENCE_SECONDS) as connection:
            found = find(connection, text, limit=N_SHOWN + 1)
    elif not visit.is_fragment:
        n_articles = console.store.n_articles()
    shown = found[:N_SHOWN]
    return console.page(
        visit,
        "find",
        text=text,
        matches=shown,
        marks=marks(console, [match.id for match in shown]),
        has_more=len(found) > N_SHOWN,
        is_near=bool(shown) and shown[0].is_near,
        n_articles=n_articles,
        address=page_address,
        counted=counted,
    )


def marks(console: Console, ids: Collection[str]) -> dict[str, list[Mark]]:
    """What rules in force do with these articles, by id: those without any are left out."""
    answers = console.live.answers
    if answers is None or not ids:
        return {}
    now = console.clock()
    pinned, blocked = Counter[str](), Counter[str]()
    everywhere: set[tuple[str, str]] = set()
    for rule in answers.rules.rules:
        if rule.target not in ids or not rule.valid(now):
            continue
        (pinned if rule.action == "pin" else blocked)[rule.target] += 1
        if rule.source == EVERYWHERE:
            everywhere.add((rule.action, rule.target))
    found: dict[str, list[Mark]] = {}
    for action, pages, words, kind in (
        ("pin", pinned, "pinned", "good"),
        ("block", blocked, "blocked", "bad"),
    ):
        for id, n in pages.items():
            where = f"on {counted(n, 'page')}"
            where = "on every page" if (action, id) in everywhere else where
            found.setdefault(id, []).append(Mark(f"{words} {where}", kind))
    return found
