"""The commands of analysts and editors: bring data in, show lists, judge them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recommender.articles.formats.detect import FORMATS as ARTICLE_FORMATS
from recommender.bundle import comparisons, registry
from recommender.bundle.composition import MAX_K, Placed
from recommender.cli.in_force import day, rules_of, store_here
from recommender.cli.judge import show_grades, show_judged
from recommender.cli.output import COUNT, as_json, here, is_absent, moment, now, warn, warn_of_new
from recommender.errors import EvaluationError, RecommenderError
from recommender.events.event import HAND_PICKED
from recommender.events.formats.detect import FORMATS
from recommender.progress import Shown
from recommender.terminal import Cell, Table, below, say, say_json, show, styled

if TYPE_CHECKING:
    from recommender.bundle.bundle import Bundle
    from recommender.bundle.explanation import Explanation
    from recommender.evaluation.compare import Comparison, Side
    from recommender.evaluation.joint import JointReport
    from recommender.evaluation.offpolicy import OffPolicy
    from recommender.evaluation.report.report import Report
    from recommender.store.articles import Changes


LENGTH = click.IntRange(1, MAX_K)  # as over HTTP
PATH = click.Path(path_type=Path)
# Rows of each table in a comparison that is kept.
N_KEPT = 20
paths_argument = click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")
max_bad_option = click.option(
    "--max-bad",
    metavar="N|P%",
    help="import nothing if more records are bad  [default: 20%, but 3 are always tolerated]",
)


@click.group("import")
def importing() -> None:
    """Bring in articles or events.

    \b
    example:
      recommender import articles pages/
    """


@importing.command(
    "articles",
    help=f"""Import articles: {"; ".join(each.title for each in ARTICLE_FORMATS)}. Plain or gzip'd.

    \b
    example:
      recommender import articles pages/ --url 'https://example.org/{{id}}.html'
    """,
)
@paths_argument
@click.option(
    "--format",
    type=click.Choice(["auto", *(each.name for each in ARTICLE_FORMATS)]),
    default="auto",
    help="auto: by what a file holds, else by its name",
)
@click.option(
    "--id",
    "ids",
    type=click.Choice(["auto", "path", "stem", "canonical"]),
    default="auto",
    help="what names a page: its place below the folder, its file, or its canonical address; "
    "auto: the file for text pages, the place for HTML and Markdown, the address for exports",
)
@click.option("--map", "mapped", metavar="OURS=THEIRS,...", help="fields of records by other names")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="leave out paths, addresses")
@click.option("--full", is_flag=True, help="remove what is no longer there")
@click.option("--new-ids", is_flag=True, help="let articles have other ids than they had")
@click.option("--url", help="address of pages without one, such as /{year}/{slug}/ or /{id}.html")
@click.option("--title-selector", metavar="CSS", help="where HTML has its title")
@click.option("--body-selector", metavar="CSS", help="where HTML has its main text")
@click.option("--recommended-selector", metavar="CSS", help="where HTML has its hand-picked list")
@max_bad_option
@as_json
def import_articles(
    paths: tuple[Path, ...],
    format: str,
    ids: str,
    mapped: str | None,
    exclude: tuple[str, ...],
    full: bool,
    new_ids: bool,
    url: str | None,
    title_selector: str | None,
    body_selector: str | None,
    recommended_selector: str | None,
    max_bad: str | None,
    as_json: bool,
) -> None:
    from recommender.articles.html_page import Selectors
    from recommender.articles.reader import Reading, read_articles
    from recommender.files import Tolerance
    from recommender.store.database import Store

    settings = here()
    reading = Reading(
        format=format,
        ids=ids,
        fields=_mapping(mapped),
        exclude=exclude,
        selectors=Selectors(
            title=title_selector or settings.html_title,
            body=body_selector or settings.html_body,
            recommended=recommended_selector or settings.html_recommended,
        ),
        url=url or "",
        listings=settings.listings == "on",
        teaser_characters=settings.teaser,
    )
    tolerance = Tolerance.parse(max_bad) if max_bad else Tolerance()
    with Shown() as progress:
        batch = read_articles(list(paths), reading=reading, progress=progress)
        problems = [problem.text for problem in batch.problems]
        warn(problems)
        remarks = [each.text for each in (*batch.remarks, *batch.skipped)]
        warn(remarks)
        tolerance.check(batch.problems, batch.n_records)
        if not batch.articles:
            reasons = "; ".join([*batch.left_out_sentences, *batch.notes])
            raise RecommenderError(f"nothing imported: no article in it: {reasons}")
        with Store(settings.database) as store:
            warn_of_new(store)
            changes = store.apply(batch, full=full, new_ids=new_ids, progress=progress)
    notes = [*batch.left_out_sentences, *batch.notes, *_link_sentences(changes)]
    if as_json:
        left_out = {"left_out": batch.left_out, "notes": notes}
        say_json({**asdict(changes), "problems": problems, "remarks": remarks, **left_out})
        return
    say(
        f"{len(changes.added):,} articles added, {len(changes.updated):,} updated, "
        f"{changes.n_unchanged:,} unchanged, {len(changes.removed):,} removed; "
        f"{changes.n_stubs:,} titles without a page; {len(batch.problems):,} bad records left out"
    )
    if batch.remarks:
        say(f"{len(batch.remarks):,} remarks on fields and addresses, each above")
    if batch.skipped:
        say(f"{len(batch.skipped):,} files or folders skipped")
    for note in notes:
        say(note)
    for id in changes.removed:
        new = changes.renamed.get(id)
        say(f"renamed: {id} is {new}" if new else f"removed: {id}")
    if changes.spared:
        say(
            f"{len(changes.spared):,} articles are no longer there, but none was removed, because "
            "bad records may be theirs: mend these and import again"
        )


def _mapping(written: str | None) -> dict[str, str]:
    """``{ours: theirs}`` out of ``ours=theirs,...``."""
    pairs = [each.partition("=") for each in (written or "").split(",") if each.strip()]
    for ours, _, theirs in pairs:
        if not ours.strip() or not theirs.strip():
            raise click.BadParameter(f"must be OURS=THEIRS,...: {written!r}", param_hint="--map")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def _link_sentences(changes: Changes) -> list[str]:
    """What became of links that lead to no article."""
    sentences = []
    if changes.n_elsewhere:
        sentences.append(f"{changes.n_elsewhere:,} hand-picked links to other sites left out")
    if changes.n_nowhere:
        sentences.append(f"{changes.n_nowhere:,} hand-picked links lead to no article; left out")
    return sentences


@importing.command(
    "events",
    help=f"""Import impressions, clicks and page views:
    {", ".join(each.title for each in FORMATS)}, plain or gzip'd.

    \b
    example:
      recommender import events clicks.jsonl.gz
    """,
)
@paths_argument
@click.option(
    "--format",
    type=click.Choice(["auto", *(each.name for each in FORMATS)]),
    default="auto",
    help="auto: by the name and the first record",
)
@click.option("--again", is_flag=True, help="read files that were imported before from the start")
@click.option(
    "--now", "at", type=moment, metavar="TS", help="the time: events a day later are bad records"
)
@max_bad_option
@as_json
def import_events(
    paths: tuple[Path, ...],
    format: str,
    again: bool,
    at: datetime | None,
    max_bad: str | None,
    as_json: bool,
) -> None:
    from recommender.events.reader import EventReader
    from recommender.files import Tolerance
    from recommender.store.database import Store
    from recommender.store.import_events import import_events as write

    settings = here()
    tolerance = Tolerance.parse(max_bad) if max_bad else Tolerance()
    with Shown() as progress:
        reader = EventReader(
            list(paths), format=format, tolerance=tolerance, progress=progress, now=at or now()
        )
        try:
            with Store(settings.database) as store:
                warn_of_new(store)
                received = write(store, reader, again=again)
        finally:
            problems = [problem.text for problem in reader.problems]
            warn(problems, n_all=reader.n_bad)
            remarks = [each.text for each in reader.skipped_files]
            warn(remarks)
    if as_json:
        resumed = {str(path): n for path, n in reader.resumed.items()}
        already = [str(path) for path in reader.already]
        guessed = dict(reader.finder.guessed) if reader.finder else {}
        done = {**asdict(received), "skipped": reader.skipped, "n_bad": reader.n_bad}
        done |= {"n_ahead": reader.n_ahead, "n_before_2000": reader.n_ancient}
        done |= {"remarked": dict(reader.remarks), "read_as": dict(reader.read_as)}
        done["addresses_guessed"] = guessed
        left_out = {"problems": problems, "remarks": remarks}
        say_json({**done, "resumed": resumed, "already_imported": already, **left_out})
        return
    for name, n in reader.read_as.most_common():
        if name not in ("JSON Lines", "CSV", "Parquet"):
            say(f"read as {name}" + (f": {n:,} files" if n > 1 else ""))
    for path, n_records in reader.resumed.items():
        say(f"{path}: resumed at record {n_records + 1:,}")
    warn([f"{path}: already imported; --again reads it anew" for path in reader.already])
    say(
        f"{received.impressions:,} impressions, {received.clicks:,} clicks, "
        f"{received.pageviews:,} page views; {received.duplicates:,} duplicates; "
        f"{reader.n_bad:,} bad records left out"
    )
    for n, what in (
        (reader.n_ahead, "more than a day ahead: look at the clocks"),
        (reader.n_ancient, "before 2000"),
    ):
        if n:
            say(f"{n:,} of the bad records have a time {what}")
    if received.pieces:
        say(f"{received.pieces:,} further impressions brought more links of views that are there")
    if received.elsewhere:
        say(
            f"{received.elsewhere:,} impressions have the view_id of a view of another page, and "
            "are left out: a view_id is that of one list on one page"
        )
    for why, n in sorted(received.waiting.items()):
        say(f"{n:,} clicks wait for their view: {why}")
    for remark, n in reader.remarks.most_common():
        say(f"{n:,} records: {remark}")
    if remarks:
        say(f"{len(remarks):,} files or folders skipped")
    if reader.skipped:
        say(f"{reader.skipped.total():,} records of no use: {reader.reasons()}")
    if reader.finder and reader.finder.guessed:
        say(reader.finder.summary())
    if received.n_unknown_events:
        named = ", ".join(sorted(received.unknown)[:5])
        say(
            f"{received.n_unknown_events:,} events name {len(received.unknown):,} articles the "
            f"store does not have (such as {named}); they count once these are imported"
        )


@click.command("related")
@click.argument("id", metavar="ID")
@click.option("-k", type=LENGTH, default=10, metavar="N", help="links to show")
@click.option("--explain", is_flag=True, help="with the reason for each link")
@click.option(
    "--why", metavar="CANDIDATE", help="why this article is in the list, or why it is not"
)
@click.option("--html", "as_html", type=PATH, metavar="FILE", help="write the reasons as a page")
@click.option("--bundle", "name", metavar="NAME", help="instead of the live one")
@click.option(
    "--at",
    "date",
    metavar="DATE",
    help="as on a day, or at a time, of the site's time zone: under the rules in force then",
)
@as_json
def related(
    id: str,
    k: int,
    explain: bool,
    why: str | None,
    as_html: Path | None,
    name: str | None,
    date: str | None,
    as_json: bool,
) -> None:
    """Show the list of an article, by its id or its address; or explain one link, listed or not.

    \b
    example:
      recommender related why-does-my-knee-click -k 5 --explain
      recommender related why-does-my-knee-click --why gout
      recommender related why-does-my-knee-click --at 2026-12-24
    """
    bundle = edited_bundle(name, at=None if date is None else day(date), whole=False)
    row = bundle.shelf.row(id)
    if row is None:
        row, id = _at_address(bundle, id)
    if why is not None:
        if bundle.shelf.find(why) is None:
            why = _at_address(bundle, why)[1]
        explanation = bundle.explain(id, why)
        _write_reasons(as_html, bundle, row, [explanation])
        if as_json:
            content = {"article_id": id, "model": bundle.name, **explanation.as_json()}
            say_json(content)
        else:
            _show_explanation(explanation)
        return
    links = bundle.related(id, k)
    explanations = bundle.explain_list(id, k) if explain or as_html else []
    _write_reasons(as_html, bundle, row, explanations)
    if as_json:
        items = [asdict(link) for link in links]
        if explain:
            items = [
                {**item, "why": bundle.why(id, item["id"]), "explanation": each.as_json()}
                for item, each in zip(items, explanations, strict=True)
            ]
        say_json({"article_id": id, "model": bundle.name, "items": items})
        return
    table = Table(bundle.shelf.link(Placed(row, 0.0, ""), 0).title)
    table.add_column("#", justify="right")
    table.add_column("title", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("origin")
    if explain:
        table.add_column("why", overflow="fold")
    for place, link in enumerate(links):
        # What an editor pinned that is not in the page's list has no score of its own.
        score = "-" if link.origin == "pinned" and link.score == 0 else f"{link.score:.3f}"
        cells = [f"{link.position}", link.title, score, link.origin]
        cells += [_reason(explanations[place])] if explain else []
        table.add_row(*cells)
    show(table)


def _write_reasons(
    file: Path | None, bundle: Bundle, row: int, explanations: Sequence[Explanation]
) -> None:
    """The reasons as a page, if one is wanted."""
    if file is not None:
        from recommender.evaluation.explained import page_of

        title = bundle.shelf.link(Placed(row, 0.0, ""), 0).title
        file.write_text(page_of(title, bundle.name, explanations), encoding="utf-8")


def _at_address(bundle: Bundle, address: str) -> tuple[int, str]:
    """The row and the id of the article at an address."""
    found = bundle.shelf.at_address(address)
    if found.row is None:
        raise RecommenderError(_no_such_article(address, bundle))
    id = bundle.shelf.id_of(found.row)
    if found.assumed:
        warn([f"{address} is taken for {id} (assumed: {found.assumed})"])
    return found.row, id


def _reason(explanation: Explanation) -> str:
    return f"{explanation} (texts {explanation.alike:.0%} alike)".replace("%", " %")


def _show_explanation(explanation: Explanation) -> None:
    """The sentence, then the figures behind it."""
    from recommender.bundle.explanation import readers_line, terms_line

    place = "not in the list"
    if explanation.position is not None:
        place = f"place {explanation.position}, {explanation.origin}"
    say(f"{explanation.title} ({explanation.candidate_id}): {place}", f"{explanation}.")
    if explanation.contributions:
        table = Table(f"score {explanation.score:.3f}, {explanation.scale}")
        table.add_column("adds", justify="right")
        table.add_column("from")
        table.add_column("which is", overflow="fold")
        for each in explanation.contributions:
            table.add_row(f"{round(each.value, 3) + 0.0:+.3f}", each.name, each.meaning)
        show(table)
    if explanation.terms:
        say(f"texts {terms_line(explanation)}")
    say(f"readers: {readers_line(explanation)}")


def edited_bundle(
    name: str | None = None, *, at: datetime | None = None, whole: bool = True
) -> Bundle:
    """A bundle, by default the live one, beside the store, with what came and went since it was
    built, under the editors' rules of this moment, or of another. See ``Bundle.beside`` for
    ``whole``.
    """
    from recommender.bundle.bundle import Bundle
    from recommender.lists import rules_file

    settings = here()
    folder = registry.inside(settings.models, name) if name else registry.resolve(settings.models)
    with store_here(settings, without="what came or went since the bundle was built") as store:
        bundle = Bundle(folder, rules=rules_of(settings, store), now=at or now())
        if store is not None:
            bundle = bundle.beside(store, whole=whole)
    if bundle.rules:
        warn(rules_file.remarks_on(bundle.rules, settings.editorial))
    return bundle


def _no_such_article(id: str, bundle: Bundle) -> str:
    from rapidfuzz import process

    text = f"{id}: no such article in bundle {bundle.name}"
    ids = list(map(bundle.shelf.id_of, bundle.shelf.pages_with_lists()))
    near = process.extractOne(id, ids, score_cutoff=75)
    return f"{text}; did you mean {near[0]}?" if near else text


@click.command("evaluate")
@click.option(
    "--bundle",
    "names",
    metavar="NAME",
    multiple=True,
    help="instead of the live one; of several, all are judged by the same views",
)
@click.option("--events", type=PATH, metavar="PATH", help="instead of the store's log")
@click.option("-k", type=COUNT, default=10, metavar="N", help="links that count")
@click.option("--json", "as_json", type=PATH, metavar="FILE", help="write the report as JSON")
@click.option("--html", "as_html", type=PATH, metavar="FILE", help="write the report as a page")
def evaluate(
    names: tuple[str, ...], events: Path | None, k: int, as_json: Path | None, as_html: Path | None
) -> None:
    """Judge a bundle by views it has not seen, or several by views that none of them has.

    \b
    example:
      recommender evaluate --events held-out.jsonl.gz --html report.html
    """
    from recommender.evaluation.joint import JointReport
    from recommender.functions import evaluate as judge
    from recommender.store.database import Store

    settings = here()
    models = settings.models
    bundles = [_side_of(models, name, named=True) for name in names or ("live",)]
    # Judging by a file leaves no empty store behind.
    if events and is_absent(settings.database):
        report = judge(bundles, events, k=k)
    else:
        with Store(settings.database, writing=False) as store:
            articles = store if store.n_articles() else None
            try:
                report = judge(bundles, events or store, k=k, articles=articles)
            except EvaluationError:  # without views; grades need none
                show_grades(store, bundles, k=k)
                raise
    if as_json:
        as_json.write_text(report.to_json() + "\n", encoding="utf-8")
    if as_html:
        as_html.write_text(report.to_html(), encoding="utf-8")
    if isinstance(report, JointReport):
        show(_joint_table(report))
        say(report.verdict)
    else:
        _print_report(report)
    for note in report.notes:
        say(f"- {note}")
    if not isinstance(report, JointReport) and report.off_policy:
        _print_off_policy(report.off_policy)
    if report.judged:
        show_judged(report.judged)


def _joint_table(report: JointReport) -> Table:
    from recommender.evaluation.report.text import p_value

    table = Table(f"beside {report.names[0]}", is_plain=True)
    table.add_column("bundle", overflow="fold")
    names = [*dict.fromkeys((report.metric, report.metric.partition(" ")[0], "MRR"))]
    for name in (*names, "gain", "p"):
        table.add_column(name, justify="right", overflow="fold")
    for bundle, row in report.table.iterrows():
        cells: list[Cell] = [
            below(f"{row[n]:.3f}", f"{row[n + ' low']:.3f}-{row[n + ' high']:.3f}") for n in names
        ]
        gain = below(f"{row['gain']:+.3f}", f"{row['gain low']:+.3f} to {row['gain high']:+.3f}")
        cells += ["", ""] if bundle == report.names[0] else [gain, p_value(row["gain p"])]
        table.add_row(str(bundle), *cells)
    return table


def _print_report(report: Report) -> None:
    from recommender.evaluation.report.text import p_value

    table = Table(f"bundle {report.bundle}", is_plain=True)
    table.add_column("order of the links", no_wrap=True)
    names = (report.metric, "MRR")
    for name in (*names, "model's gain", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for order, row in report.table.iterrows():
        cells: list[Cell] = [
            below(f"{row[n]:.3f}", f"{row[n + ' low']:.3f}-{row[n + ' high']:.3f}") for n in names
        ]
        gain = below(f"{row['gain']:+.3f}", f"{row['gain low']:+.3f} to {row['gain high']:+.3f}")
        cells += ["", ""] if order == "model" else [gain, p_value(row["gain p"])]
        table.add_row(str(order), *cells)
    show(table)
    say(report.headline)
    say(report.verdict)


def _print_off_policy(found: OffPolicy) -> None:
    table = Table("clicks a page view, had these lists been shown")
    table.add_column("estimator", no_wrap=True)
    for name in ("clicks", "more than shown", "effective views", "top 1 %", "without support"):
        table.add_column(name, justify="right")
    notes: dict[str, list[str]] = {}
    for name, row in found.table.iterrows():
        cells: list[Cell] = ["", ""]
        if row["estimate"] == row["estimate"]:
            cells = [
                below(f"{row[n]:{sign}.3f}", f"{row[low]:{sign}.3f} to {row[high]:{sign}.3f}")
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
        if row["summary"]:
            notes.setdefault(row["summary"], []).append(str(name))
    show(table)
    say(found.verdict)
    for words, names in notes.items():
        say(f"- {', '.join(names)}: {words}")
    for note in found.notes:
        say(f"- {note}")


@click.command("compare")
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@click.option("-k", type=LENGTH, default=10, metavar="N", help="links of a list that count")
@click.option("--most", type=COUNT, default=10, metavar="N", help="rows of what changed most")
@click.option("--events", type=PATH, metavar="PATH", help="judge by these, not the store's log")
@click.option("--html", "as_html", type=PATH, metavar="FILE", help="write it as a page")
@click.option("--save/--no-save", default=True, help="keep it beside the bundles, for the console")
@as_json
def compare(
    old: str,
    new: str,
    k: int,
    most: int,
    events: Path | None,
    as_html: Path | None,
    save: bool,
    as_json: bool,
) -> None:
    """Show what changed from A to B, where most, and which is better.

    A and B are names of bundles as `models list` shows them, `live`, or folders; `hand-picked`, the
    editors' lists; or a file with a link a record, of source_id, position and id (CSV, JSON Lines,
    Parquet). Lists of bundles are as they made them, without editors' rules. Which is better is
    judged by views that no bundle here learned from.

    \b
    example:
      recommender compare live 20261122-101500-3f2a9c --html changes.html
    """
    from recommender.functions import compare as between
    from recommender.store.database import Store

    settings = here()
    models = settings.models
    before, after = (_side_of(models, name) for name in (old, new))
    # Comparing leaves no empty store behind; without one, categories go by a title.
    if is_absent(settings.database):
        found = between(before, after, k=k, events=events, models=models)
    else:
        with Store(settings.database, writing=False) as store:
            site = store if store.n_articles() else None
            found = between(before, after, site, k=k, events=events, models=models)
    if as_html:
        as_html.write_text(found.to_html(most), encoding="utf-8")
    if save:
        _keep(models, before, after, found)
    if as_json:
        say_json(found.to_dict(most))
        return
    _print_comparison(found, most)


def _keep(models: Path, old: Bundle | str, new: Bundle | str, found: Comparison) -> None:
    """Keep a comparison of two bundles of this folder for the console; where nothing may be
    written there, that is named on stderr.
    """
    names = [side.name for side in (old, new) if not isinstance(side, str)]
    if len(names) < 2 or not {*names} <= {*registry.names(models)} or names[0] == names[1]:
        return
    content = {"made": now().isoformat(timespec="seconds"), **found.to_dict(N_KEPT)}
    try:
        comparisons.write(models, names[0], names[1], content)
    except OSError as exc:
        warn([f"{models / comparisons.FOLDER}: {exc.strerror}; the comparison is not kept"])


def _side_of(models: Path, name: str, *, named: bool = False) -> Bundle | str:
    """A bundle by its name below ``models``, ``live``, or, if it need not be ``named``, a folder as
    ``load_bundle`` takes it; the name of lists stays one.
    """
    from recommender.bundle.bundle import Bundle, load_bundle
    from recommender.evaluation.given_lists import is_file_of_lists

    if name == HAND_PICKED or (not named and is_file_of_lists(Path(name))):
        return name
    if name == "live":
        return load_bundle(models)
    path = Path(name)
    if named or path.name == name:
        folder = registry.inside(models, name)
        if not named and not folder.is_dir():
            raise RecommenderError(
                f"{name}: there is no such bundle in {models}; a side is live, {HAND_PICKED}, a "
                "bundle as recommender models list has it, or a file of lists"
            )
        return Bundle(folder)
    return load_bundle(path) if path.is_dir() else Bundle(path)


def _print_comparison(found: Comparison, most: int) -> None:
    from recommender.evaluation.report.text import number, span

    def percent(share: float) -> str:
        return number(share, ".1%")

    sides = found.old, found.new

    def section(title: str, columns: dict[str, str], rows: Iterable[Iterable[str]]) -> None:
        table = Table(is_plain=True)
        for name, justify in columns.items():
            table.add_column(name, justify=justify, overflow="fold")
        for row in rows:
            table.add_row(*row)
        if table.row_count:
            # Not the table's own title, which is folded to the width of a narrow table.
            show(styled(title, "italic"), table)

    def listed(side: Side) -> str:
        share = percent(side.most_listed_share)
        return f"{found.title(side.most_listed)} ({share} of lists)" if side.most_listed else ""

    facts = (
        ("built", *(side.built or "" for side in sides)),
        ("decided by", *(side.decided for side in sides)),
        ("articles", *(f"{side.n_articles:,}" for side in sides)),
        ("pages", *(f"{side.n_pages:,}" for side in sides)),
        ("pages the other has not", *(f"{len(n):,}" for n in (found.only_old, found.only_new))),
        ("most listed", *map(listed, sides)),
    )
    section("What is compared", {"": "left", "A": "left", "B": "left"}, [
        ("bundle", *(side.name for side in sides)), *facts,
    ])  # fmt: skip
    changes = (
        ("another first link", found.first_changed),
        (f"new among the first {found.k} links, in the mean", found.new_links),
        ("the same links in the same order", found.same_order),
        ("the same links", found.same_links),
    )
    section(
        f"What changed on the {len(found.table):,} pages both have",
        {"": "left", "share": "right"},
        [(name, percent(share)) for name, share in changes],
    )
    section(
        "Pages that lost most of their links",
        {"page": "left", "lost": "right", "new": "right", "first before": "left",
         "first after": "left"},
        [
            (row.title, f"{row.n_lost} of {row.n_before}", f"{row.n_new} of {row.n_after}",
             found.title(row.first_before), found.title(row.first_after))
            for row in found.most_lost(most).itertuples()
        ],
    )  # fmt: skip
    section(
        "Categories with most new links",
        {"category": "left", "pages": "right", "new links": "right", "another first": "right"},
        [
            (row.category, f"{row.pages:,}", percent(row.new_links), percent(row.first_changed))
            for row in found.categories(most).itertuples()
            if row.new_links > 0
        ],
    )
    for title, articles in (
        ("Articles that came into most lists", found.gained(most)),
        ("Articles that went out of most lists", found.lost(most)),
    ):
        section(
            title,
            {"article": "left", "lists before": "right", "after": "right"},
            [(row.title, f"{row.before:,}", f"{row.after:,}") for row in articles.itertuples()],
        )
    if found.offline is not None:
        show(styled("Which orders the links shown better", "italic"), _joint_table(found.offline))
    if (won := found.off_policy) is not None and not won.reason:
        parts = (*((side.name, part) for side, part in zip(sides, (won.old, won.new), strict=True)),
                 ("the difference, paired", won.gain))  # fmt: skip
        section(
            f"Clicks a page view, had the lists been shown ({won.estimator})",
            {"": "left", "clicks": "right"},
            [(name, span(part.value, part.low, part.high)) for name, part in parts],
        )
    for each in found.experiments:
        say(f"- {each.sentence}")
    for note in (*(found.offline.notes if found.offline else ()), *found.missing):
        say(f"- {note}")
    say(found.summary())
    say(found.verdict)
