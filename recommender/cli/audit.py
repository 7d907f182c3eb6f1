"""The command that audits hand-picked lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from recommender.bundle import registry
from recommender.cli.output import COUNT, here, now, warn
from recommender.errors import RecommenderError
from recommender.events.event import HAND_PICKED
from recommender.terminal import Cell, Table, say, show, stacked

if TYPE_CHECKING:
    from recommender.evaluation.audit import Audit

PATH = click.Path(path_type=Path)


@click.command("audit")
@click.option("--worst", type=COUNT, default=20, metavar="N", help="links that the table shows")
@click.option("--csv", "as_csv", type=PATH, metavar="FILE", help="write every link as CSV")
@click.option("--json", "as_json", type=PATH, metavar="FILE", help="write the audit as JSON")
@click.option("--html", "as_html", type=PATH, metavar="FILE", help="write the audit as a page")
@click.option("--bundle", "name", metavar="NAME", help="instead of the live one")
@click.option(
    "--oldest-days",
    type=click.IntRange(min=0),
    metavar="N",
    help="what was published longer ago is outdated, 0: nothing  [default: as trained]",
)
@click.option("--save/--no-save", default=True, help="keep the worst in models/audit.json")
def audit(
    worst: int,
    as_csv: Path | None,
    as_json: Path | None,
    as_html: Path | None,
    name: str | None,
    oldest_days: int | None,
    save: bool,
) -> None:
    """Grade every hand-picked link, and show what should stand instead.

    \b
    example:
      recommender audit --html audit.html --csv audit.csv
    """
    from recommender.bundle.bundle import Bundle
    from recommender.functions import audit as graded
    from recommender.lists import rules_file
    from recommender.store.database import Store

    settings, moment = here(), now()
    models = settings.models
    folder = registry.inside(models, name) if name else _trained(models)
    with Store(settings.database, writing=False) as store:
        rules = rules_file.of_site(settings.editorial, store, zone=settings.zone)
        bundle = Bundle(folder, rules=rules, now=moment)
        found = graded(bundle, store, oldest_days=oldest_days, now=moment)
    # All of it is made before any of it is written.
    csv = found.to_csv() if as_csv else ""
    json = found.to_json() + "\n" if as_json else ""
    html = found.to_html() if as_html else ""
    if as_csv:
        # Excel takes a file without this mark for one in the alphabet of its country.
        as_csv.write_text(csv, encoding="utf-8-sig", newline="")
    if as_json:
        as_json.write_text(json, encoding="utf-8")
    if as_html:
        as_html.write_text(html, encoding="utf-8")
    if save:
        keep(found, models)
    _print(found, worst)


def keep(found: Audit, models: Path) -> None:
    """Keep the worst of an audit beside the bundles, for the console."""
    from recommender.evaluation.audit import FILE, N_STORED

    file = models / FILE
    try:
        registry.replace_file(file, found.to_json(N_STORED) + "\n")
    except OSError as exc:
        raise RecommenderError(f"{file}: {exc.strerror}; --no-save keeps nothing there") from exc


def _trained(models: Path) -> Path:
    """The live bundle; where that shows the hand-picked lists themselves, as after an experiment,
    the newest that does not, with a warning.
    """
    live = registry.resolve(models)
    if registry.read(live).decided_by != HAND_PICKED:
        return live
    for name in reversed(registry.names(models)):
        folder = registry.inside(models, name)
        try:
            is_trained = registry.read(folder).decided_by != HAND_PICKED
        except RecommenderError:
            continue  # recommender models list names it
        if is_trained:
            warn(
                [
                    f"the live bundle {live.name} shows the hand-picked lists themselves: they are "
                    f"audited by {name}, the newest that was trained"
                ]
            )
            return folder
    raise RecommenderError(
        f"{models}: the live bundle {live.name} shows the hand-picked lists themselves, and there "
        "is no other; run: recommender train"
    )


def _print(found: Audit, n: int) -> None:
    from recommender.evaluation.report.text import count

    rows = found.worst[:n]
    if len(rows):
        table = Table(f"The worst {len(rows):,} of {found.n_faulty:,}", is_plain=True)
        table.add_column("page, and what should stand instead", overflow="fold")
        table.add_column("#", justify="right")
        table.add_column("link, and what is wrong", overflow="fold")
        table.add_column("grade", no_wrap=True)
        for row in rows.itertuples():
            given = isinstance(row.instead_title, str)
            nothing = "nothing better, it stays" if row.grade == "doubtful" else "nothing"
            instead = f"instead: {row.instead_title if given else nothing}"
            title = row.target_title if isinstance(row.target_title, str) else row.target_id
            cells: list[Cell] = [
                stacked((row.source_title, instead), style="dim"),
                str(row.position),
                stacked((title, f"{row.kinds}: {row.reasons}"), style="dim"),
                row.grade,
            ]
            table.add_row(*cells)
        show(table)
    say(found.summary())
    for note in found.notes:
        say(f"- {note}")
    if found.n_without:
        has = "has" if found.n_without == 1 else "have"
        say(f"- {count(found.n_without, 'page')} {has} no hand-picked list.")
