"""Bundles: which there are, what each is, what changed between two, and which one is live."""

from __future__ import annotations

from datetime import datetime
from functools import cache, partial
from typing import Any

from markdown_it import MarkdownIt
from starlette.responses import Response

from recommender.bundle import comparisons, experiments, registry
from recommender.errors import BundleError, ExperimentError, RecommenderError, StoreError
from recommender.store import rules
from recommender_api.console.app import Console, Entry
from recommender_api.console.happened import decided
from recommender_api.console.visit import Visit
from recommender_api.console.words import counted
from recommender_api.schemas import Refusal

# What the history of the console calls it; the name of the bundle follows.
MADE_LIVE = "made live: bundle"
N_HISTORY, N_ROWS = 200, 10
CARD = "MODEL_CARD.md"
# A card is a page or two.
MAX_CARD_BYTES = 1024 * 1024


def add(console: Console) -> None:
    """Have the pages answered, and a place in the menu."""
    console.menu.append(Entry("/bundles", "Bundles", "admin"))
    console.get("/bundles", "admin", partial(_listed, console))
    console.get("/bundles/card", "admin", partial(_card, console))
    console.get("/bundles/compare", "admin", partial(_compared, console))
    console.get("/bundles/activate", "admin", partial(_asked, console))
    console.post("/bundles/activate", "admin", partial(_activated, console))


def _listed(console: Console, visit: Visit) -> Response:
    models = console.settings.models
    live, before = registry.current(models), registry.before(models)
    rows = [_about(console, name) for name in reversed(registry.names(models))]
    for row in rows:
        if live is not None and row["name"] != live and not row["fault"]:
            row["is_compared"] = comparisons.file_of(models, live, row["name"]).is_file()
    done = [each for each in rules.history(console.store, limit=N_HISTORY)
            if each.what.startswith(MADE_LIVE)]  # fmt: skip
    return console.page(
        visit, "bundles", bundles=rows, live=live, before=before, experiment=_running(console),
        history=done[:N_ROWS], served=_served(console), counted=counted,
    )  # fmt: skip


def _about(console: Console, name: str) -> dict[str, Any]:
    """A bundle's manifest, as far as the list shows it."""
    try:
        about = registry.read(registry.inside(console.settings.models, name))
    except BundleError as exc:
        return {"name": name, "fault": str(exc), "is_compared": False}
    return {
        "name": name,
        "fault": "",
        "built": datetime.fromisoformat(about.built),
        "window": [_day(moment) for moment in about.data_window],
        "decided": decided(about.decided_by, about.learned_from),
        "reason": about.reason,
        "articles": about.n_articles,
        "clicks": about.n_clicks,
        "is_compared": False,
    }


def _day(moment: str | None) -> str:
    return "" if moment is None else moment[:10]


def _served(console: Console) -> str | None:
    """The bundle that this process serves, which is not the live one while that is at fault."""
    answers = console.live.answers
    return None if answers is None or answers.lists is None else answers.lists.name


def _running(console: Console) -> str | None:
    """The experiment that runs."""
    try:
        return experiments.running_name(console.settings.models)
    except ExperimentError:
        return None


def _named(console: Console, name: str) -> str:
    """The name of a bundle that is there; ``Refusal`` for any other."""
    if name not in registry.names(console.settings.models):
        raise Refusal(404, "unknown_model", "There is no bundle of this name.")
    return name


def _card(console: Console, visit: Visit) -> Response:
    name = _named(console, visit.query("name"))
    path = registry.inside(console.settings.models, name) / CARD
    try:
        with path.open("rb") as file:
            text = file.read(MAX_CARD_BYTES).decode("utf-8", errors="replace")
    except OSError:
        raise Refusal(404, "no_card", f"Bundle {name} has no card.") from None
    return console.page(visit, "card", name=name, card=_html(text))


@cache
def _markdown() -> MarkdownIt:
    """Markdown without HTML and pictures of its own; a wide table scrolls by itself."""
    made = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    opened = '<div class="table" tabindex="0"><table>\n'
    made.add_render_rule("table_open", lambda *_: opened)
    made.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return made


def _html(text: str) -> str:
    """A card as HTML, its headings below that of the page."""
    made = _markdown()
    tokens = made.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + 1)}"
    # The corner of a table heads nothing.
    for opened, inside, closed in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if opened.type == "th_open" and not inside.content.strip():
            opened.tag = closed.tag = "td"
    return str(made.renderer.render(tokens, made.options, {}))


def _compared(console: Console, visit: Visit) -> Response:
    models = console.settings.models
    name = _named(console, visit.query("name"))
    live = registry.current(models)
    if live is None:
        raise Refusal(404, "no_live_model", "No bundle is live yet.")
    content, fault = None, ""
    try:
        content = comparisons.read(models, live, name)
    except BundleError as exc:
        fault = str(exc)
    made = None
    if content is not None and isinstance(content.get("made"), str):
        made = datetime.fromisoformat(content["made"])
    return console.page(
        visit, "compared", name=name, live=live, found=content, made=made, fault=fault,
        percent=_percent, command=f"recommender compare {live} {name}",
    )  # fmt: skip


def _percent(share: Any) -> str:
    """A share as people write it; a dash for what is none."""
    return f"{100 * share:.1f} %" if isinstance(share, int | float) else "–"


def _asked(console: Console, visit: Visit) -> Response:
    """Is that meant? What is live now, what would be, and what speaks against it."""
    models = console.settings.models
    name = _named(console, visit.query("name"))
    live = registry.current(models)
    if name == live:
        return console.go(visit, "/bundles", done=f"{name} is live already.")
    return console.page(
        visit, "activate", row=_about(console, name), live=live and _about(console, live),
        experiment=_running(console), is_back=name == registry.before(models),
    )  # fmt: skip


def _activated(console: Console, visit: Visit) -> Response:
    models = console.settings.models
    name, seen = _named(console, visit.field("name")), visit.field("live")
    before = registry.current(models)
    if (before or "") != seen:
        raise Refusal(
            409, "live_changed", f"Meanwhile bundle {before} was made live: look at it again."
        )
    try:
        # Back to the one before is no new step in the history of what was live.
        if name == registry.before(models):
            console.live.copies.rollback()
        else:
            console.live.copies.activate(name)
    except (BundleError, OSError) as exc:
        raise Refusal(409, "damaged_model", f"{exc}; bundle {before} stays live") from exc
    console.live.refresh()
    done = f"Bundle {name} is live."
    if _served(console) != name:
        raise Refusal(409, "damaged_model", str(console.live.fault or "It cannot be served."))
    try:
        what = f"{MADE_LIVE} {name}" + (f" instead of {before}" if before else "")
        rules.note(console.store, what, account=visit.account, at=console.clock())
    except (StoreError, RecommenderError) as exc:
        done += f" That it was you could not be written down: {exc}."
    return console.go(visit, "/bundles", done=done)
