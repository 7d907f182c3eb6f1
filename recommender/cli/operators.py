"""What the commands of an operator do: train, look after log and bundles, serve."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from recommender.bundle import registry
from recommender.bundle.registry import Manifest
from recommender.cli.output import say, say_json, warn
from recommender.config import Settings
from recommender.errors import BundleError
from recommender.lists import editorial
from recommender.progress import Shown

if TYPE_CHECKING:
    from recommender.store.click_filters import Caps
    from recommender.store.database import Store


def _now() -> datetime:
    return datetime.now(UTC)


def caps_of(settings: Settings) -> Caps:
    """How many clicks count."""
    from recommender.store.click_filters import Caps

    return Caps(settings.session_clicks, settings.pair_clicks)


def validate(wanted: Namespace) -> int:
    """``recommender validate``"""
    from recommender.store.database import Store
    from recommender.training.log_checks import validate as ask

    now_ms = int(_now().timestamp() * 1000)
    with Store(wanted.settings.database) as store:
        checks = ask(store, now_ms=now_ms, caps=caps_of(wanted.settings))
    if wanted.json:
        say_json({"checks": [asdict(check) for check in checks]})
    else:
        table = Table(title="Is the data fit to learn from?", title_justify="left")
        for column in ("", "check", "found", "for example"):
            table.add_column(column, overflow="fold")
        for check in checks:
            state = "[green]PASS[/]" if check.passed else "[bold red]FAIL[/]"
            cells = [check.name, check.says, "\n".join(check.examples)]
            table.add_row(state, *map(Text, cells))
        Console().print(table)
    return 0 if all(check.passed for check in checks) else 1


def train(wanted: Namespace) -> None:
    """``recommender train``"""
    from recommender.store.database import Store
    from recommender.training.pipeline import Options, build

    settings = wanted.settings
    options = Options(
        until=int(wanted.until.timestamp() * 1000) if wanted.until else None,
        jobs=wanted.jobs,
        activate=not wanted.no_activate,
        explore=settings.explore,
        caps=caps_of(settings),
    )
    editorial.load(settings.editorial)  # a faulty line is better known before than after
    with Shown() as progress, Store(settings.database) as store:
        n_new = _n_new_clicks(store, settings) if wanted.if_new else None
        if n_new is not None and n_new < wanted.if_new:
            found = f"{n_new:,} new clicks since the live bundle was built, fewer than"
            if wanted.json:
                say_json({"name": None, "live": False, "n_new_clicks": n_new})
            else:
                say(f"not trained: {found} {wanted.if_new:,}")
            return
        now, promotion = wanted.now or _now(), None
        if wanted.promote_if_better:
            from recommender.evaluation.promotion import train_guarded

            bundle, promotion = train_guarded(
                store, settings.models, now=now, options=options, progress=progress
            )
        else:
            bundle = build(store, settings.models, now=now, options=options, progress=progress)
    live = promotion.promoted if promotion else options.activate
    if wanted.json:
        told = {"promotion": promotion.sentence} if promotion else {}
        say_json({"name": bundle.name, "live": live, **told, **_summary(bundle.about)})
        return
    state = "live" if live else "published, not live"
    say(f"{bundle.name} ({state}): {bundle.about.reason}")
    if promotion:
        say(promotion.sentence)
    for sentence in bundle.about.examination.summary:
        say(sentence)
    say(f"model card: {bundle.folder / 'MODEL_CARD.md'}")


def _n_new_clicks(store: Store, settings: Settings) -> int | None:
    """How many clicks the live bundle has not learned from; None without a live bundle."""
    from recommender.store.counts import n_clicks

    try:
        about = registry.read(registry.resolve(settings.models))
    except BundleError:
        return None  # whatever is there, a new bundle can only help
    return n_clicks(store, caps=caps_of(settings)) - about.n_logged_clicks


def _summary(about: Manifest) -> dict[str, Any]:
    names = ("built", "data_window", "decided_by", "reason", "scores", "n_articles", "n_clicks")
    return {name: getattr(about, name) for name in names}


def forget(wanted: Namespace) -> None:
    """``recommender forget``"""
    from recommender.store.database import Store
    from recommender.store.retention import forget_before, forget_session

    caps = caps_of(wanted.settings)
    with Store(wanted.settings.database) as store:
        if wanted.session is not None:
            gone = forget_session(store, wanted.session, caps=caps)
        else:
            age = wanted.older_than
            before = age if isinstance(age, datetime) else _now() - timedelta(days=age)
            gone = forget_before(store, int(before.timestamp() * 1000), caps=caps)
    say(
        f"{gone.views:,} views, {gone.clicks:,} clicks and {gone.pageviews:,} page views "
        "forgotten; what was counted of them by day stays"
    )


def models_list(wanted: Namespace) -> None:
    """``recommender models list``"""
    models: Path = wanted.settings.models
    live = registry.current(models)
    rows = []
    for name in registry.names(models):
        try:
            about = registry.read(models / name)
            rows.append({"name": name, "live": name == live, **_summary(about), "fault": None})
        except BundleError as exc:
            rows.append({"name": name, "live": name == live, "fault": str(exc)})
    if wanted.json:
        say_json(rows)
        return
    table = Table()
    # Names are there to be copied, so they are never cut short.
    table.add_column("bundle", min_width=max((len(row["name"]) for row in rows), default=0))
    for column in ("", "built", "decided by", "articles", "clicks"):
        table.add_column(column, justify="right" if column in ("articles", "clicks") else "left")
    for row in rows:
        state = "live" if row["live"] else ""
        if row["fault"]:
            table.add_row(row["name"], state, "damaged", "", "", "")
        else:
            counts = f"{row['n_articles']:,}", f"{row['n_clicks']:,}"
            table.add_row(row["name"], state, row["built"][:10], row["decided_by"], *counts)
    Console().print(table)
    warn((row["fault"] for row in rows if row["fault"]), n_all=len(rows))


def models_activate(wanted: Namespace) -> None:
    """``recommender models activate``"""
    registry.activate(wanted.settings.models, wanted.name)
    say(f"{wanted.name} is live")


def models_rollback(wanted: Namespace) -> None:
    """``recommender models rollback``"""
    say(f"{registry.rollback(wanted.settings.models)} is live")


def models_prune(wanted: Namespace) -> None:
    """``recommender models prune``"""
    gone = registry.prune(wanted.settings.models, keep=wanted.keep)
    say(f"{len(gone)} bundles deleted" + "".join(f"\ndeleted: {name}" for name in gone))


def serve(wanted: Namespace) -> None:
    """``recommender serve``"""
    from recommender_api.serve import serve as run

    run(wanted.settings, host=wanted.host, port=wanted.port, workers=wanted.workers)


def demo(wanted: Namespace) -> None:
    """``recommender demo``"""
    from recommender.demo import prepare as showing

    if wanted.readers:
        from recommender.demo.loop import show

        show(Path(".demo"), readers=wanted.readers, rounds=wanted.rounds, port=wanted.port)
        return
    site = showing.prepare(Path(".demo"), now=_now())
    if not wanted.no_serve:
        from recommender_api.demo import serve_demo

        serve_demo(site, port=wanted.port)
