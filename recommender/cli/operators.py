"""The commands of an operator: train, keep log and bundles in order, serve."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recommender.bundle import activation, experiments, object_store, registry
from recommender.bundle.registry import Manifest
from recommender.cli import copies
from recommender.cli.figures import renew_after
from recommender.cli.in_force import rules_of
from recommender.cli.output import COUNT, as_json, here, moment, now, quiet, warn
from recommender.config import WORDS, Settings, names_in
from recommender.errors import BundleError, EditorialError, MissingExtra, RecommenderError
from recommender.progress import Shown
from recommender.terminal import Table, is_hushed, say, say_json, show, stacked, styled

if TYPE_CHECKING:
    from recommender.bundle.bundle import Bundle
    from recommender.bundle.registry import Sent
    from recommender.store.click_filters import Caps
    from recommender.store.counts_file import LogCounts
    from recommender.store.database import Store
    from recommender.training.pipeline import Options
    from recommender.training.work import Work


SLOWER = (
    "numba is not installed: the same lists, in more time; in the project's folder, "
    "pip install '.[fast]'"
)
DAYS = click.IntRange(1, 36_500)  # a century: before it no log began


def days_ago(text: str) -> datetime:
    """So many days before now, such as 90 or 90d; or a moment."""
    days = text.removesuffix("d")
    if days.isascii() and days.isdigit():
        return now() - timedelta(days=DAYS(days))
    return moment(text)


port_option = click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8000,
    metavar="PORT",
    help="port to listen on",
)


def caps_of(settings: Settings) -> Caps:
    """How many clicks count."""
    from recommender.store.click_filters import Caps

    return Caps(settings.session_clicks, settings.pair_clicks)


def options_of(settings: Settings) -> Options:
    """How to build, by the settings."""
    from recommender.training.pipeline import Options

    return Options(
        explore=settings.explore,
        caps=caps_of(settings),
        languages=settings.languages,
        oldest_days=settings.oldest_days,
        ceiling=settings.ceiling,
        ageing=names_in(settings.ageing),
        listings=settings.listings,
    )


@click.command("validate")
@quiet
@as_json
def validate(as_json: bool) -> int:
    """Is the data fit to train on?

    Named checks, PASS or FAIL; exit status 1 if one failed.

    \b
    example:
      recommender validate --json
    """
    from recommender.store.database import Store
    from recommender.training.log_checks import validate as ask

    settings, now_ms = here(), int(now().timestamp() * 1000)
    with Store(settings.database, writing=False) as store:
        checks = ask(
            store, now_ms=now_ms, caps=caps_of(settings), sent=_sent(settings),
            allowed_origins=settings.allowed_origins,
        )  # fmt: skip
    if as_json:
        say_json({"checks": [asdict(check) for check in checks]})
    else:
        table = Table("Is the data fit to learn from?")
        for column in ("", "check", "found", "for example"):
            table.add_column(column, overflow="fold")
        for check in checks:
            state = styled("PASS", "green") if check.passed else styled("FAIL", "bold red")
            table.add_row(state, check.name, check.summary, stacked(check.examples))
        show(table)
    if is_hushed():
        failed = [check for check in checks if not check.passed]
        warn([f"FAIL {check.name}: {check.summary}" for check in failed])
    return 0 if all(check.passed for check in checks) else 1


@click.command("train")
@click.option("--until", type=moment, metavar="TS", help="leave out views from then on")
@click.option("--jobs", type=COUNT, default=2, metavar="N", help="processes")
@click.option(
    "--cluster",
    metavar="URL",
    help="run on dask://HOST:PORT or spark://HOST:PORT, whose workers see RECOMMENDER_WORK",
)
@click.option("--fresh", is_flag=True, help="take nothing from what the last training kept")
@click.option("--now", "at", type=moment, metavar="TS", help="the time of the build")
@click.option(
    "--if-new",
    type=COUNT,
    metavar="N",
    help="do nothing unless N clicks, or new, changed and gone articles, came since the live "
    "bundle was built",
)
@click.option("--no-activate", is_flag=True, help="publish, but do not make live")
@click.option(
    "--promote-if-better",
    is_flag=True,
    help="make live only if it is not worse than the live one on views new to both; "
    "gives the reason, and takes twice as long",
)
@click.option(
    "--keep",
    type=COUNT,
    metavar="N",
    help="then delete all but the newest N bundles, as models prune does",
)
@click.option(
    "--counts",
    "counted",
    metavar="PATH",
    help="learn from these counts, as recommender counts makes them, not from the store's log",
)
@quiet
@as_json
def train(
    until: datetime | None,
    jobs: int,
    cluster: str | None,
    fresh: bool,
    at: datetime | None,
    if_new: int | None,
    no_activate: bool,
    promote_if_better: bool,
    keep: int | None,
    counted: str | None,
    as_json: bool,
) -> None:
    """Train a bundle from the store, publish it and make it live.

    Of articles alike the newer is preferred, by published_at: mildly, and strongly in the
    categories of RECOMMENDER_AGEING. RECOMMENDER_OLDEST_DAYS is an age beyond which nothing is
    recommended. Mere lists of others are not either, but for RECOMMENDER_LISTINGS=on. One article
    stands in no more of a hundred lists than RECOMMENDER_CEILING, by default ten.

    --keep spares the live bundle, the one that rollback would go to, and those an experiment shows.

    \b
    example:
      recommender train --jobs 2 --keep 7
    """
    if no_activate and promote_if_better:
        raise click.UsageError("give --no-activate or --promote-if-better, not both")
    if counted and promote_if_better:
        raise click.UsageError("--promote-if-better judges by single views, and counts hold none")
    if counted and until:
        raise click.UsageError("counts are as they are; give --until to recommender counts")
    from recommender.lists import rules_file
    from recommender.store.database import Store
    from recommender.text.loops import ARE_COMPILED
    from recommender.training.pipeline import build

    settings = here()
    work = _work(settings, jobs=jobs, cluster=cluster, fresh=fresh)
    options = replace(
        options_of(settings),
        until=int(until.timestamp() * 1000) if until else None,
        jobs=jobs,
        activate=not no_activate,
        counts=_counts_of(counted),
    )
    # A faulty line is better known before than after.
    rules_file.load(settings.editorial, zone=settings.zone)
    if not ARE_COMPILED and sys.stderr.isatty():
        warn([SLOWER])
    with Shown() as progress, Store(settings.database, create=False) as store:
        if options.counts is not None:
            _warn_of_counts(options.counts, store, at or now())
        news = _news(store, settings, options.counts) if if_new else None
        if news is not None and if_new and news.n < if_new:
            renew_after(store, settings, at or now(), f"Not trained: {news}.")
            if as_json:
                counts = {"n_new_clicks": news.n_clicks, "new": news.new}
                counts |= {"changed": news.changed, "gone": news.gone}
                say_json({"name": None, "live": False, **counts})
            else:
                say(f"not trained: {news} since the live bundle was built, fewer than {if_new:,}")
            return
        registry.check_place(settings.models)  # better known before than after, too
        if (shared := object_store.of(settings)) is not None:
            shared.check_place()
        built, promotion = at or now(), None
        if promote_if_better:
            from recommender.evaluation.promotion import Rules, train_guarded

            bundle, promotion = train_guarded(
                store, settings.models, now=built, options=options, progress=progress, work=work,
                rules=Rules(settings.unjudged, settings.max_changed),
            )  # fmt: skip
        else:
            bundle = build(
                store, settings.models, now=built, options=options, progress=progress, work=work
            )
        live = promotion.promoted if promotion else options.activate
        made = f"Trained {bundle.name}, {'live' if live else 'published, not live'}"
        progress.stage("figures for the console")
        renew_after(
            store, settings, built, f"{made}: {promotion.sentence}" if promotion else f"{made}."
        )
        idle = _idle_rules(store, settings, bundle, at or now())
    warn(idle)
    absent = bundle.about.dates.no_category
    warn([f"RECOMMENDER_AGEING: no article is in category {name!r}" for name in absent])
    gone = _pruned(settings, keep) if keep else []
    if as_json:
        guard = {"promotion": promotion.sentence} if promotion else {}
        pruned = {"pruned": gone} if keep else {}
        summary = _summary(bundle.about)
        say_json({"name": bundle.name, "live": live, **guard, **pruned, **summary})
        return
    if is_hushed():
        # Who is to decide, or to look why, hears of it all the same.
        warn([promotion.sentence] if promotion and not live else [])
        return
    state = "live" if live else "published, not live"
    say(f"{bundle.name} ({state}): {bundle.about.reason}")
    if promotion:
        say(promotion.sentence)
    for sentence in bundle.about.examination.summary:
        say(sentence)
    say(bundle.about.languages)
    say(bundle.about.listings)
    say(f"model card: {bundle.folder / 'MODEL_CARD.md'}")
    if keep:
        say(f"{len(gone):,} older bundles deleted")
    if live:
        _warn_of_experiment(settings.models)


def _work(settings: Settings, *, jobs: int, cluster: str | None, fresh: bool) -> Work:
    """Where a training runs, and where it keeps what is done. ``UsageError`` for a cluster whose
    workers would not see that.
    """
    from recommender.training.cluster import Cluster
    from recommender.training.shelf import Shelf
    from recommender.training.work import Work

    if cluster and settings.work in ("", "off"):
        raise click.UsageError(
            "--cluster needs RECOMMENDER_WORK: a folder or a URL by which every worker of the "
            "cluster reads what it is given and leaves what it has done"
        )
    models = settings.models
    shelf = Shelf(settings.work or str(models.with_name(f"{models.name}.work")))
    keeps = settings.work != "off"
    if keeps and not cluster and not shelf.may_be_written:
        # A folder of cached work is no reason not to train.
        warn([f"nothing is kept for the next training: {shelf.place} may not be written to"])
        keeps = False
    work = Work(shelf if keeps else None, jobs, Cluster(cluster) if cluster else None)
    if fresh:
        work.forget()
    return work


def _counts_of(place: str | None) -> LogCounts | None:
    """LogCounts that were made elsewhere; better refused before the store is read than after."""
    if not place:
        return None
    from recommender.store.counts_file import read

    return read(place)


def _warn_of_counts(counts: LogCounts, store: Store, at: datetime) -> None:
    """Say what of these counts teaches nothing."""
    from recommender.events.event import latest_at

    lines = []
    unknown = counts.unknown([article.id for article in store.articles(with_body=False)])
    if unknown.ids:
        lines.append(
            f"{counts.place}: {len(unknown.ids):,} articles are not in the store, such as "
            f"{unknown.ids[0]}; {unknown.n_views:,} views of their pages and {unknown.n_clicks:,} "
            "clicks on or beside them teach nothing"
        )
    if n := counts.n_ahead(latest_at(at) + 1):
        lines.append(f"{counts.place}: {n:,} views of days yet to come are left out")
    if n := counts.counted.n_visits_left:
        lines.append(f"{counts.place}: there was no room for the co-reading of {n:,} long visits")
    warn(lines)


def _pruned(settings: Settings, keep: int) -> list[str]:
    """The bundles that were deleted. What was trained stands, whatever becomes of them."""
    try:
        return copies.pruned(settings, keep=keep)
    except (RecommenderError, OSError) as exc:
        warn([f"older bundles are not deleted: {exc}"])
        return []


def _sent(settings: Settings) -> Sent | None:
    """What pages sent, by the account of the live bundle; None without one that can be read."""
    try:
        if registry.current(settings.models) is None:
            return None
        return registry.read(registry.resolve(settings.models)).sent
    except BundleError as exc:
        warn([f"{exc}; what pages sent is compared with the rest of the log when it is trained"])
        return None


@dataclass(frozen=True, slots=True)
class News:
    """What the live bundle does not know: how many clicks, and the ids of articles that are new to
    it, that changed and that are gone.
    """

    n_clicks: int
    new: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]

    @property
    def n(self) -> int:
        """All of it."""
        return self.n_clicks + len(self.new) + len(self.changed) + len(self.gone)

    def __str__(self) -> str:
        articles = (
            f"{len(ids):,} {what} articles" + (f" (such as {ids[0]})" if ids else "")
            for what, ids in (("new", self.new), ("changed", self.changed), ("gone", self.gone))
        )
        return f"{self.n_clicks:,} new clicks, " + ", ".join(articles)


def _news(store: Store, settings: Settings, counts: LogCounts | None) -> News | None:
    """What the live bundle has not learned from, clicks of the store or of ``counts``; None without
    a live bundle.
    """
    from recommender.bundle.overlay import since_built
    from recommender.bundle.published import Lists
    from recommender.events.event import latest_at
    from recommender.store.counts import n_clicks

    try:
        if registry.current(settings.models) is None:
            return None
        lists = Lists.open(registry.resolve(settings.models))
    except BundleError as exc:  # a new bundle can only help
        warn([f"{exc}; trained however little is new"])
        return None
    if counts is None:
        counted = n_clicks(store, until=latest_at(now()) + 1, caps=caps_of(settings))
    else:
        counted = counts.n_clicks
    clicks = counted - lists.about.n_logged_clicks
    pending = since_built(lists, store)
    here = sorted((*pending.whole, *pending.cut))
    return News(
        n_clicks=max(0, clicks),
        new=tuple(id for id in here if lists.row(id) is None),
        changed=tuple(id for id in here if lists.row(id) is not None),
        gone=tuple(id for id in sorted(pending.removed) if lists.find(id) is not None),
    )


def _summary(about: Manifest) -> dict[str, Any]:
    names = ("built", "data_window", "decided_by", "reason", "scores", "n_articles", "n_clicks")
    return {**{name: getattr(about, name) for name in names}, "listings": asdict(about.listings)}


@click.command("forget")
@click.option("--session", metavar="ID", help="what this session did")
@click.option(
    "--older-than",
    type=days_ago,
    metavar="DAYS",
    help="what is older than so many days, or than a date",
)
@quiet
def forget(session: str | None, older_than: datetime | None) -> None:
    """Remove raw events; what was counted of them by day stays.

    \b
    example:
      recommender forget --older-than 90
    """
    if (session is None) == (older_than is None):
        raise click.UsageError("give either --session or --older-than")
    from recommender.store.database import Store
    from recommender.store.retention import forget_before, forget_session

    settings = here()
    caps = caps_of(settings)
    with Store(settings.database, create=False) as store:
        if older_than is None:
            gone = forget_session(store, session or "", caps=caps)
        else:
            gone = forget_before(store, int(older_than.timestamp() * 1000), caps=caps)
    say(
        f"{gone.views:,} views, {gone.clicks:,} clicks and {gone.pageviews:,} page views "
        "forgotten; what was counted of them by day stays"
    )


@click.group("models")
def models() -> None:
    """List, switch and clear away bundles.

    \b
    example:
      recommender models rollback
    """


@models.command("list")
@as_json
def models_list(as_json: bool) -> None:
    """Show the bundles.

    \b
    example:
      recommender models list
    """
    settings = here()
    models, shared = settings.models, object_store.of(settings)
    live = registry.current(models)
    rows = []
    for name in registry.names(models) if shared is None else shared.names():
        try:
            about = registry.read(models / name) if shared is None else shared.about(name)
            rows.append({"name": name, "live": name == live, **_summary(about), "fault": None})
        except BundleError as exc:
            rows.append({"name": name, "live": name == live, "fault": str(exc)})
    if as_json:
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
            table.add_row(row["name"], state, "cannot be read", "", "", "")
        else:
            counts = f"{row['n_articles']:,}", f"{row['n_clicks']:,}"
            table.add_row(row["name"], state, row["built"][:10], row["decided_by"], *counts)
    show(table)
    warn([row["fault"] for row in rows if row["fault"]])


@models.command("activate")
@click.argument("name", metavar="NAME")
def models_activate(name: str) -> None:
    """Make a bundle live; NAME as `models list` shows it.

    \b
    example:
      recommender models activate 20261122-101500-3f2a9c
    """
    from recommender.bundle.bundle import Bundle

    models = here().models
    Bundle(registry.inside(models, name)).opened()
    activation.activate(models, name)
    say(f"{name} is live")
    _warn_of_experiment(models)


@models.command("rollback")
def models_rollback() -> None:
    """Go back to the bundle before.

    \b
    example:
      recommender models rollback
    """
    settings = here()
    copies.before_rollback(settings)
    models = settings.models
    say(f"{activation.rollback(models)} is live")
    _warn_of_experiment(models)


def _idle_rules(store: Store, settings: Settings, bundle: Bundle, at: datetime) -> list[str]:
    """How many of the editors' rules take no effect by a bundle, in a sentence; none if all do."""
    from recommender.bundle.catalogue import ShelfCatalogue
    from recommender.lists.effects import effects

    try:
        found = rules_of(settings, store)
    except EditorialError as exc:  # changed while it was trained
        return [str(exc)]
    if not found.rules:
        return []
    served = bundle.beside(store, whole=False)
    catalogue = ShelfCatalogue(served.shelf, served.lists)
    n_idle = sum(each.is_idle for each in effects(found, catalogue, now=at, n_near=0))
    n = len(found.rules)
    which = f"{n_idle:,} of {n:,} rules of editors"
    return [f"{which} without the effect they are for: recommender rules check"] if n_idle else []


def _warn_of_experiment(models: Path) -> None:
    """What is live is not what most pages show, while an experiment runs."""
    if name := experiments.running_name(models):
        warn([
            f"experiment {name} runs: pages that draw a variant, as the widget does, show its arms "
            "until it is stopped (recommender experiment stop)"
        ])  # fmt: skip


@models.command("prune")
@click.option("--keep", type=COUNT, required=True, metavar="N", help="newest to keep")
@quiet
def models_prune(keep: int) -> None:
    """Delete old bundles, never the live one.

    \b
    example:
      recommender models prune --keep 5
    """
    gone = copies.pruned(here(), keep=keep)
    say(f"{len(gone)} bundles deleted", *(f"deleted: {name}" for name in gone))


@click.command("serve")
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on")
@port_option
@click.option("--workers", type=COUNT, default=1, metavar="N", help="processes")
@click.option(
    "--log-level",
    type=click.Choice(WORDS["log_level"]),
    help="least level that is logged; by default RECOMMENDER_LOG_LEVEL, else info",
)
@click.option(
    "--log-format",
    type=click.Choice(WORDS["log_format"]),
    help="lines for people or of JSON; by default RECOMMENDER_LOG_FORMAT, else text",
)
@click.option(
    "--access-log",
    is_flag=True,
    help="a line an answer on stdout, without query strings, referrers, agents and whole addresses",
)
def serve(
    host: str,
    port: int,
    workers: int,
    log_level: str | None,
    log_format: str | None,
    access_log: bool,
) -> None:
    """Serve the live bundle over HTTP.

    \b
    example:
      recommender serve --port 8000 --workers 2
    """
    from recommender_api.serve import serve as run

    settings = here()
    settings = replace(
        settings,
        log_level=log_level or settings.log_level,
        log_format=log_format or settings.log_format,
        access_log="on" if access_log else settings.access_log,
    )
    run(settings, host=host, port=port, workers=workers)


@click.command("demo")
@click.option("--no-serve", is_flag=True, help="stop before serving")
@port_option
@click.option(
    "--readers",
    type=COUNT,
    metavar="N",
    help="instead, show the loop: N simulated readers a day, training every night",
)
@click.option("--rounds", type=COUNT, default=12, metavar="DAYS", help="days of the loop")
def demo(no_serve: bool, port: int, readers: int | None, rounds: int) -> None:
    """Import the sample site, train, compare the lists, and serve them.

    \b
    example:
      recommender demo --no-serve
    """
    from recommender.demo import prepare as showing

    if readers:
        from recommender.demo.loop import show

        show(Path(".demo"), readers=readers, rounds=rounds, port=port)
        return
    site = showing.prepare(Path(".demo"), now=now())
    if not no_serve:
        from recommender_api.demo import serve_demo

        with Shown() as progress:
            progress.stage("what the console shows", 1)
            _prepare_console(site)
        serve_demo(site, port=port)


def _prepare_console(site: Settings) -> None:
    """What timed commands would have stored, as far as what they take is installed."""
    from recommender.cli.audit import keep
    from recommender.cli.figures import renewed
    from recommender.functions import audit
    from recommender.functions import load as load_bundle
    from recommender.store.database import Store

    with suppress(MissingExtra), Store(site.database) as store:
        renewed(store, site, now())
        bundle = load_bundle(site.models)
        keep(audit(bundle, store, now=now()), site.models)
