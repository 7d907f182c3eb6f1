"""What each command does, once its words are understood; see ``cli``."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from recommender import editorial, manifest
from recommender.errors import BundleError, RecommenderError
from recommender.lists import MAX_K
from recommender.progress import Shown
from recommender.saying import say, say_json, warn

if TYPE_CHECKING:
    from recommender.bundle import Bundle


def _now() -> datetime:
    return datetime.now(UTC)


def import_articles(wanted: Namespace) -> None:
    """``recommender import articles``"""
    from recommender.html_pages import Selectors
    from recommender.importing import Tolerance, read_articles
    from recommender.store import Store

    chosen = {
        name: getattr(wanted, f"{name}_selector") or getattr(wanted.settings, f"html_{name}")
        for name in ("title", "body", "recommended")
    }
    tolerance = Tolerance.parse(wanted.max_bad) if wanted.max_bad else Tolerance()
    with Shown() as progress:
        batch = read_articles(
            wanted.paths,
            kind=wanted.format,
            selectors=Selectors(**chosen),
            url=wanted.url,
            progress=progress,
        )
        warn((problem.text for problem in batch.problems), n_all=len(batch.problems))
        tolerance.check(batch.problems, batch.n_records)
        progress.stage("writing to the store")
        with Store(wanted.settings.database) as store:
            changes = store.apply(batch, full=wanted.full)
    if wanted.json:
        say_json({**asdict(changes), "problems": [problem.text for problem in batch.problems]})
        return
    say(
        f"{len(changes.added):,} articles added, {len(changes.updated):,} updated, "
        f"{changes.n_unchanged:,} unchanged, {len(changes.removed):,} removed; "
        f"{changes.n_stubs:,} titles without a page; {len(batch.problems):,} bad records left out"
    )
    for id in changes.removed:
        say(f"removed: {id}")
    if changes.spared:
        say(
            f"{len(changes.spared):,} articles are no longer there, but none was removed, because "
            "bad records may be theirs: mend these and import again"
        )


def import_events(wanted: Namespace) -> None:
    """``recommender import events``"""
    from recommender.importing import Tolerance
    from recommender.importing_events import EventReader
    from recommender.store import Store

    tolerance = Tolerance.parse(wanted.max_bad) if wanted.max_bad else Tolerance()
    with Shown() as progress:
        reader = EventReader(
            wanted.paths, kind=wanted.format, tolerance=tolerance, progress=progress
        )
        try:
            with Store(wanted.settings.database) as store:
                received = store.add_events(reader)
        finally:
            warn((problem.text for problem in reader.problems), n_all=reader.n_bad)
    if wanted.json:
        problems = [problem.text for problem in reader.problems]
        say_json({**asdict(received), "n_bad": reader.n_bad, "problems": problems})
        return
    say(
        f"{received.impressions:,} impressions, {received.clicks:,} clicks, "
        f"{received.pageviews:,} page views; {received.duplicates:,} duplicates; "
        f"{reader.n_bad:,} bad records left out"
    )
    if received.n_unknown_events:
        named = ", ".join(sorted(received.unknown)[:5])
        say(
            f"{received.n_unknown_events:,} events name {len(received.unknown):,} articles the "
            f"store does not have (such as {named}); they count once these are imported"
        )


def train(wanted: Namespace) -> None:
    """``recommender train``"""
    from recommender.pipeline import Options, build
    from recommender.store import Store

    options = Options(
        until=int(wanted.until.timestamp() * 1000) if wanted.until else None,
        jobs=wanted.jobs,
        activate=not wanted.no_activate,
    )
    editorial.load(wanted.settings.editorial)  # a faulty line is better known before than after
    with Shown() as progress, Store(wanted.settings.database) as store:
        bundle = build(
            store,
            wanted.settings.models,
            now=wanted.now or _now(),
            options=options,
            progress=progress,
        )
    if wanted.json:
        say_json({"name": bundle.name, "live": options.activate, **_summary(bundle.about)})
        return
    state = "live" if options.activate else "published, not live"
    say(f"{bundle.name} ({state}): {bundle.about['reason']}")
    say(f"model card: {bundle.folder / 'MODEL_CARD.md'}")


def _summary(about: dict[str, Any]) -> dict[str, Any]:
    names = ("built", "data_window", "decided_by", "reason", "scores", "n_articles", "n_clicks")
    return {name: about[name] for name in names}


def related(wanted: Namespace) -> None:
    """``recommender related``"""
    from recommender.bundle import load_bundle

    if wanted.k > MAX_K:
        raise RecommenderError(f"-k {wanted.k}: a list has at most {MAX_K} links")
    rules = editorial.load(wanted.settings.editorial)
    bundle = load_bundle(wanted.settings.models, rules=rules, now=_now())
    row = bundle.lists.row(wanted.id)
    if row is None:
        raise RecommenderError(_no_such_article(wanted.id, bundle))
    links = bundle.related(wanted.id, wanted.k)
    if wanted.json:
        items = [asdict(link) for link in links]
        if wanted.explain:
            items = [{**item, "why": bundle.why(wanted.id, item["id"])} for item in items]
        say_json({"article_id": wanted.id, "model": bundle.name, "items": items})
        return
    table = Table(title=Text(bundle.lists.titles[row]), title_justify="left")
    table.add_column("#", justify="right")
    table.add_column("title", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("origin")
    if wanted.explain:
        table.add_column("why", overflow="fold")
    for link in links:
        cells = [f"{link.position}", link.title, f"{link.score:.3f}", link.origin]
        cells += [bundle.why(wanted.id, link.id)] if wanted.explain else []
        table.add_row(*map(Text, cells))
    Console().print(table)


def _no_such_article(id: str, bundle: Bundle) -> str:
    from rapidfuzz import process

    text = f"{id}: no such article in bundle {bundle.name}"
    lists = bundle.lists
    ids = [lists.ids.column[row] for row in range(len(lists.stub)) if not lists.stub[row]]
    near = process.extractOne(id, ids, score_cutoff=75)
    return f"{text}; did you mean {near[0]}?" if near else text


def export(wanted: Namespace) -> None:
    """``recommender export``"""
    from recommender import export as exporting
    from recommender.bundle import load_bundle
    from recommender.store import Store

    rules = editorial.load(wanted.settings.editorial)
    bundle = load_bundle(wanted.settings.models, rules=rules, now=_now())
    stored = []
    if wanted.format == "pages":
        with Store(wanted.settings.database) as store:
            stored = store.pages()
    with Shown() as progress:
        done = exporting.export(
            bundle,
            wanted.folder,
            wanted.format,
            stored=stored,
            k=min(wanted.k, MAX_K),
            progress=progress,
        )
    say(f"{done.n_written:,} lists of bundle {bundle.name} written to {wanted.folder}")
    warn(done.left, n_all=len(done.left))


def evaluate(wanted: Namespace) -> None:
    """``recommender evaluate``"""
    from recommender.analysis import evaluate as judge
    from recommender.bundle import Bundle, load_bundle
    from recommender.store import Store

    models = wanted.settings.models
    name = wanted.bundle
    bundle = Bundle(manifest.inside(models, name)) if name else load_bundle(models)
    if wanted.events:
        report = judge(bundle, wanted.events, k=wanted.k)
    else:
        with Store(wanted.settings.database) as store:
            report = judge(bundle, store, k=wanted.k)
    if wanted.json:
        wanted.json.write_text(report.to_json() + "\n", encoding="utf-8")
    if wanted.html:
        wanted.html.write_text(report.to_html(), encoding="utf-8")
    table = Table(title=f"bundle {bundle.name}", title_justify="left")
    table.add_column("order of the links")
    names = (report.metric, "MRR", "AUC", "gain")
    for name in names:
        table.add_column(name if name != "gain" else "model's gain", justify="right")
    for order, row in report.table.iterrows():
        cells = [
            f"{row[n]:.3f}\n[dim]{row[n + ' low']:.3f}-{row[n + ' high']:.3f}[/]" for n in names
        ]
        if order == "model":
            cells[-1] = ""
        table.add_row(str(order), *cells)
    Console().print(table)
    say(report.verdict)
    for note in report.notes:
        say(f"- {note}")


def models_list(wanted: Namespace) -> None:
    """``recommender models list``"""
    models: Path = wanted.settings.models
    live = manifest.current(models)
    rows = []
    for name in manifest.names(models):
        try:
            about = manifest.read(models / name)
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
    manifest.activate(wanted.settings.models, wanted.name)
    say(f"{wanted.name} is live")


def models_rollback(wanted: Namespace) -> None:
    """``recommender models rollback``"""
    say(f"{manifest.rollback(wanted.settings.models)} is live")


def models_prune(wanted: Namespace) -> None:
    """``recommender models prune``"""
    gone = manifest.prune(wanted.settings.models, keep=wanted.keep)
    say(f"{len(gone)} bundles deleted" + "".join(f"\ndeleted: {name}" for name in gone))


def serve(wanted: Namespace) -> None:
    """``recommender serve``"""
    from api.serve import serve as run

    run(wanted.settings, host=wanted.host, port=wanted.port, workers=wanted.workers)


def demo(wanted: Namespace) -> None:
    """``recommender demo``"""
    from recommender import demo as showing

    site = showing.prepare(Path(".demo"), now=_now())
    if not wanted.no_serve:
        from api.demo import serve_demo

        serve_demo(site, port=wanted.port)
