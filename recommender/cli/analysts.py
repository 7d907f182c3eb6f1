"""What the commands of analysts and editors do, once their words are understood; see ``cli``."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from recommender.bundle import registry
from recommender.bundle.composition import MAX_K
from recommender.cli.output import say, say_json, warn
from recommender.errors import RecommenderError
from recommender.lists import editorial
from recommender.progress import Shown

if TYPE_CHECKING:
    from recommender.bundle.bundle import Bundle
    from recommender.evaluation.offpolicy import OffPolicy


def _now() -> datetime:
    return datetime.now(UTC)


def import_articles(wanted: Namespace) -> None:
    """``recommender import articles``"""
    from recommender.articles.html_page import Selectors
    from recommender.articles.reader import read_articles
    from recommender.files import Tolerance
    from recommender.store.database import Store

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
    from recommender.files import Tolerance
    from recommender.store.database import Store
    from recommender.store.import_events import EventReader, import_events

    tolerance = Tolerance.parse(wanted.max_bad) if wanted.max_bad else Tolerance()
    with Shown() as progress:
        reader = EventReader(
            wanted.paths, kind=wanted.format, tolerance=tolerance, progress=progress
        )
        try:
            with Store(wanted.settings.database) as store:
                received = import_events(store, reader, again=wanted.again)
        finally:
            warn((problem.text for problem in reader.problems), n_all=reader.n_bad)
    if wanted.json:
        resumed = {str(path): n for path, n in reader.resumed.items()}
        already = [str(path) for path in reader.already]
        problems = [problem.text for problem in reader.problems]
        done = {**asdict(received), "skipped": reader.skipped, "n_bad": reader.n_bad}
        say_json({**done, "resumed": resumed, "already_imported": already, "problems": problems})
        return
    for path, n_records in reader.resumed.items():
        say(f"{path}: resumed at record {n_records + 1:,}")
    warn(
        (f"{path}: already imported; --again reads it anew" for path in reader.already),
        n_all=len(reader.already),
    )
    say(
        f"{received.impressions:,} impressions, {received.clicks:,} clicks, "
        f"{received.pageviews:,} page views; {received.duplicates:,} duplicates; "
        f"{reader.n_bad:,} bad records left out"
    )
    if reader.skipped:
        say(f"{reader.skipped.total():,} records of no use: {reader.reasons()}")
    if received.n_unknown_events:
        named = ", ".join(sorted(received.unknown)[:5])
        say(
            f"{received.n_unknown_events:,} events name {len(received.unknown):,} articles the "
            f"store does not have (such as {named}); they count once these are imported"
        )


def related(wanted: Namespace) -> None:
    """``recommender related``"""
    from recommender.bundle.bundle import load_bundle

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
    from recommender.bundle import export as exporting
    from recommender.bundle.bundle import load_bundle
    from recommender.store.database import Store

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
    from recommender.bundle.bundle import Bundle, load_bundle
    from recommender.evaluation.report.text import p_value
    from recommender.functions import evaluate as judge
    from recommender.store.database import Store

    settings, name = wanted.settings, wanted.bundle
    models = settings.models
    bundle = Bundle(registry.inside(models, name)) if name else load_bundle(models)
    # Judging by a file leaves no empty store behind.
    if wanted.events and _is_absent(settings.database):
        report = judge(bundle, wanted.events, k=wanted.k)
    else:
        with Store(settings.database) as store:
            articles = store if store.n_articles() else None
            report = judge(bundle, wanted.events or store, k=wanted.k, articles=articles)
    if wanted.json:
        wanted.json.write_text(report.to_json() + "\n", encoding="utf-8")
    if wanted.html:
        wanted.html.write_text(report.to_html(), encoding="utf-8")
    table = Table(title=f"bundle {bundle.name}", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("order of the links", no_wrap=True)
    names = (report.metric, "MRR")
    for name in (*names, "model's gain", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for order, row in report.table.iterrows():
        cells = [
            f"{row[n]:.3f}\n[dim]{row[n + ' low']:.3f}-{row[n + ' high']:.3f}[/]" for n in names
        ]
        gain = f"{row['gain']:+.3f}\n[dim]{row['gain low']:+.3f} to {row['gain high']:+.3f}[/]"
        cells += ["", ""] if order == "model" else [gain, p_value(row["gain p"])]
        table.add_row(str(order), *cells)
    Console().print(table)
    say(report.headline)
    say(report.verdict)
    for note in report.notes:
        say(f"- {note}")
    if report.off_policy:
        _say_off_policy(report.off_policy)


def _say_off_policy(found: OffPolicy) -> None:
    table = Table(title="clicks a page view, had these lists been shown", title_justify="left")
    table.add_column("estimator", no_wrap=True)
    for name in ("clicks", "more than shown", "effective views", "top 1 %", "without support"):
        table.add_column(name, justify="right")
    said: dict[str, list[str]] = {}
    for name, row in found.table.iterrows():
        cells = ["", ""]
        if row["estimate"] == row["estimate"]:
            cells = [
                f"{row[n]:{sign}.3f}\n[dim]{row[low]:{sign}.3f} to {row[high]:{sign}.3f}[/]"
                for n, low, high, sign in (
                    ("estimate", "low", "high", ""),
                    ("gain", "gain low", "gain high", "+"),
                )
            ]
        if row["effective sample"] == row["effective sample"]:
            shares = (f"{row[n]:.0%}".replace("%", " %") for n in ("top 1 %", "unsupported"))
            cells += [f"{row['effective sample']:,.0f}", *shares]
        else:
            cells += ["", "", ""]
        table.add_row(str(name), *cells)
        if row["says"]:
            said.setdefault(row["says"], []).append(str(name))
    Console().print(table)
    say(found.verdict)
    for words, names in said.items():
        say(f"- {', '.join(names)}: {words}")
    for note in found.notes:
        say(f"- {note}")


def _is_absent(database: str) -> bool:
    """Is it a file that is not there?"""
    from sqlalchemy.engine import make_url

    url = make_url(database)
    if url.get_backend_name() != "sqlite":
        return False
    return not url.database or not Path(url.database).exists()
