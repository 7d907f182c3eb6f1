"""The command that renews the figures the console shows; training runs it too."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from recommender.bundle import figures as stored
from recommender.bundle import registry
from recommender.cli.in_force import rules_of
from recommender.cli.output import as_json, here, now, warn
from recommender.errors import BundleError, EditorialError, RecommenderError
from recommender.terminal import say, say_json

if TYPE_CHECKING:
    from recommender.bundle.bundle import Bundle
    from recommender.config import Settings
    from recommender.store.database import Store


@click.command("figures")
@as_json
def figures(as_json: bool) -> None:
    """Renew the figures that the console shows.

    Views, clicks and click rates over time, by layout and origin; where new links win; pages whose
    click rate falls; short lists; what was refused. Training renews them too; to be run by a timer
    besides. Says nothing without a terminal, unless asked for JSON.

    \b
    example:
      recommender figures
    """
    from recommender.store.database import Store

    settings = here()
    with Store(settings.database, writing=False) as store:
        content = renewed(store, settings, now())
    if as_json:
        say_json(content)
    elif sys.stdout.isatty():
        say(*_sentences(content), f"figures: {settings.models / stored.FILE}")


def renewed(
    store: Store, settings: Settings, moment: datetime, *, training: str | None = None
) -> dict[str, Any]:
    """The figures, made at a ``moment`` and written beside the bundles; ``training`` is a sentence
    on what training did just now, that of the last time by default.
    """
    from recommender.evaluation.site_figures import site_figures
    from recommender.store.click_filters import Caps

    began = time.perf_counter()
    models = settings.models
    caps = Caps(settings.session_clicks, settings.pair_clicks)
    found = site_figures(store, _live(settings, store, moment), now=moment, caps=caps)
    content = {
        **found.content,
        "training": _training(settings, moment, training),
        "seconds": round(time.perf_counter() - began, 1),
        "command": stored.COMMAND,
    }
    try:
        stored.write(models, content, found.links)
    except OSError as exc:
        raise RecommenderError(f"{models / stored.FILE}: {exc.strerror or exc}") from exc
    return content


def renew_after(store: Store, settings: Settings, moment: datetime, training: str) -> None:
    """``renewed`` behind a training, which is done whatever becomes of figures: a fault is named
    on stderr.
    """
    try:
        renewed(store, settings, moment, training=training)
    except RecommenderError as exc:
        warn([f"the console's figures could not be renewed: {exc}; run: {stored.COMMAND}"])


def _live(settings: Settings, store: Store, moment: datetime) -> Bundle | None:
    """The live bundle under the rules in force, None where there is none that can be read."""
    from recommender.bundle.bundle import Bundle

    try:
        if registry.current(settings.models) is None:
            return None
        folder = registry.resolve(settings.models)
        try:
            rules = rules_of(settings, store)
        except EditorialError as exc:
            warn([f"{exc}; the figures are made without editors' rules"])
            return Bundle(folder)
        return Bundle(folder, rules=rules, now=moment)
    except BundleError as exc:
        warn([f"{exc}; the figures are made without it"])
        return None


def _training(settings: Settings, moment: datetime, sentence: str | None) -> dict[str, Any] | None:
    if sentence is not None:
        return {"at": moment.isoformat(timespec="seconds"), "sentence": sentence}
    try:
        before = stored.read(settings.models)
    except BundleError as exc:
        warn([str(exc)])
        return None
    found = (before or {}).get("training")
    return found if isinstance(found, dict) else None


def _sentences(content: dict[str, Any]) -> list[str]:
    recent, new, falling = (content[name] for name in ("recent", "new_links", "falling"))
    rate = "" if recent["rate"] is None else f", {100 * recent['rate']:.2f} of 100 views"
    lines = [
        f"the last {recent['days']} days: {recent['views']:,} views of lists, "
        f"{recent['clicks']:,} clicks{rate}"
    ]
    if "why" in new:
        lines.append(new["why"])
    else:
        lines.append(
            f"new links are followed more than those they replaced on {new['n_better']:,} pages, "
            f"less on {new['n_worse']:,}, of {new['asked']:,} that show enough"
        )
    lines.append(falling.get("why") or f"pages whose click rate fell: {falling['n']:,}")
    lines.append(
        f"lists of fewer than three links: {content['short']['n']:,}; with links that only fill "
        f"up: {content['filled']['n']:,}"
    )
    refused = content["origins_refused"]["origins"]
    if refused:
        names = ", ".join(each["origin"] for each in refused[:3])
        lines.append(
            f"posts of events were refused of {names}: if such a site is yours, add it to "
            "RECOMMENDER_ALLOWED_ORIGINS"
        )
    return lines
