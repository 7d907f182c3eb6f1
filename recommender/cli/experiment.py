"""The commands on experiments: which of several policies readers follow more."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recommender.bundle import activation, experiments, registry
from recommender.cli.operators import caps_of, options_of
from recommender.cli.output import as_json, here, now, warn
from recommender.errors import ExperimentError, RecommenderError
from recommender.lists.arms import INTERLEAVED, SPLIT, Experiment
from recommender.progress import Shown
from recommender.terminal import Cell, Table, below, say, say_json, show

if TYPE_CHECKING:
    from recommender.experiments.readout import ReadOut

# The rates that are shown, as the read-out names them.
METRICS = ("clicks per page view", "clicked views", "clicks per link shown")
PATH = click.Path(path_type=Path)
ARM = re.compile(r"(?P<name>[^=]+)=(?P<shows>[^@]+)(@(?P<share>\d{1,3}))?")


@click.group("experiment")
def experiment() -> None:
    """Show readers several lists at once, and learn which they follow more.

    \b
    example:
      recommender experiment start autumn --arm old=hand-picked --arm new=live
    """


@experiment.command("start")
@click.argument("name", metavar="NAME")
@click.option(
    "--arm",
    "arms",
    multiple=True,
    required=True,
    metavar="NAME=WHAT[@N]",
    help="an arm and what it shows: live, hand-picked, a bundle, or a bundle with other settings "
    "(live+ceiling=5,listings=on); N of a hundred views are its. The first arm is what the others "
    "are compared with",
)
@click.option(
    "--interleave",
    is_flag=True,
    help="show two arms at once, link by link: says sooner which readers prefer, not by how much",
)
@as_json
def start(name: str, arms: tuple[str, ...], interleave: bool, as_json: bool) -> None:
    """Start an experiment NAME.

    Each view of a page draws a number from 0 to 99, as the widget does; it decides on the arm.
    What the arms show is frozen: training goes on, and its bundles wait until the experiment is
    stopped. One experiment runs at a time.

    \b
    example:
      recommender experiment start autumn --arm old=hand-picked@50 --arm new=live@50
    """
    from recommender.experiments.freezing import Wanted, plan
    from recommender.store.database import Store

    wanted = []
    for each in arms:
        found = ARM.fullmatch(each)
        if found is None:
            raise click.UsageError(f"--arm {each}: give NAME=WHAT, or NAME=WHAT@N")
        share = found["share"]
        wanted.append(Wanted(found["name"], found["shows"], int(share) if share else None))
    settings = here()
    with Shown() as progress, Store(settings.database, create=False) as store:
        planned = plan(
            name, wanted, store=store, models=settings.models, now=now(),
            options=options_of(settings), kind=INTERLEAVED if interleave else SPLIT,
            progress=progress,
        )  # fmt: skip
    experiments.begin(settings.models, planned)
    if as_json:
        say_json(asdict(planned))
        return
    show(table_of(planned))
    if not planned.share:
        warn(["no view explores: the bundles have no slates for it (RECOMMENDER_EXPLORE)"])
    say(
        f"experiment {planned.name} runs; pages show its arms within seconds, caches within a "
        "minute. What came of it: recommender experiment status"
    )


@experiment.command("status")
@click.argument("name", metavar="NAME", required=False)
@click.option("--html", "as_html", type=PATH, metavar="FILE", help="write the read-out as a page")
@as_json
def status(name: str | None, as_html: Path | None, as_json: bool) -> None:
    """What came of an experiment so far: by default the one that runs, else the last.

    Look as often as you like: the intervals hold at all looks together. The read-out is stored
    beside the experiment, where the notebooks and `compare` find it.

    \b
    example:
      recommender experiment status --html experiment.html
    """
    models = here().models
    about = experiments.read(models, name or latest(models))
    found = _read(about)
    if as_html:
        as_html.write_text(found.to_html(), encoding="utf-8")
    if as_json:
        say_json(found.to_dict())
        return
    show(table_of(about))
    since = f"runs since {about.started[:16]}" if about.stopped is None else (
        f"ran from {about.started[:16]} to {about.stopped[:16]}"
    )  # fmt: skip
    say(f"experiment {about.name} {since} (UTC); {found.views:,} page views")
    _print_rates(found)
    say(found.verdict)
    for note in found.notes:
        say(f"- {note}")


def _read(about: Experiment) -> ReadOut:
    """What came of an experiment, and keep it beside it. Of one that has ended the read-out that
    rests on most views is kept, and given: views are forgotten, and arms pruned.
    """
    from recommender.experiments.readout import ReadOut, read_out
    from recommender.store.database import Store

    settings = here()
    models = settings.models
    with Shown() as progress, Store(settings.database, writing=False) as store:
        progress.stage("reading the log")
        found = read_out(store, about, models=models, now=now(), caps=caps_of(settings))
    file = experiments.folder_of(models, about.name) / experiments.READOUT
    if about.stopped is not None and file.exists():
        kept = ReadOut.from_json(file.read_text(encoding="utf-8"))
        if kept.views > found.views:
            warn([
                f"the log has {found.views:,} of its {kept.views:,} views by now; shown is the "
                f"read-out of {kept.made[:16]}"
            ])  # fmt: skip
            return kept
    registry.replace_file(file, found.to_json() + "\n")
    return found


def latest(models: Path) -> str:
    """The experiment that runs, else the one that was started last."""
    if (name := experiments.running_name(models)) is not None:
        return name
    known = experiments.names(models)
    if not known:
        raise ExperimentError(
            f"{models}: no experiment was started yet; recommender experiment start --help"
        )
    return known[-1]


@experiment.command("stop")
@click.option("--activate", "winner", metavar="ARM", help="make the bundle of this arm live")
@as_json
def stop(winner: str | None, as_json: bool) -> None:
    """Stop the experiment that runs: pages show the live bundle again.

    \b
    example:
      recommender experiment stop --activate new
    """
    models = here().models
    running = experiments.running(models)
    if running is None:
        raise ExperimentError("no experiment runs")
    chosen = next((arm for arm in running.arms if arm.name == winner), None)
    if winner is not None and chosen is None:
        names = ", ".join(arm.name for arm in running.arms)
        raise ExperimentError(f"experiment {running.name} has no arm {winner!r}; it has {names}")
    if chosen is not None:  # before anything ends: a bundle that cannot be live is refused
        activation.activate(models, chosen.bundle)
    ended = experiments.end(models, now=now())
    live = registry.current(models)
    # It is stopped whatever becomes of its last figures.
    verdict = None
    try:
        verdict = _read(ended).verdict
    except (RecommenderError, OSError) as exc:
        warn([f"{exc}; what came of it: recommender experiment status {ended.name}"])
    if as_json:
        say_json({**asdict(ended), "live": live, "verdict": verdict})
        return
    say(f"experiment {ended.name} is stopped; pages show bundle {live}")
    if verdict:
        say(verdict, f"all of it: recommender experiment status {ended.name}")


def table_of(experiment: Experiment) -> Table:
    """The arms, for people."""
    table = Table(f"experiment {experiment.name}", is_plain=True)
    for column in ("arm", "shows", "bundle"):
        table.add_column(column, overflow="fold")
    for column in ("variants", "of them explore"):
        table.add_column(column, justify="right")
    for arm in experiment.arms:
        exploring = arm.n_variants * experiment.share // 100
        both = experiment.kind == INTERLEAVED
        table.add_row(
            arm.name,
            arm.shows,
            arm.bundle,
            "both, link by link" if both else f"{arm.first} to {arm.last}",
            f"{exploring}",
        )
    return table


def _print_rates(found: ReadOut) -> None:
    """What each arm won, and by how much more than the first; guardrails that are not fine."""
    table = Table("what readers followed", is_plain=True)
    table.add_column("arm", overflow="fold")
    for column in ("page views", "clicks"):
        table.add_column(column, justify="right")
    if found.is_interleaved:
        for row in found.arm_rows:
            table.add_row(row["arm"], f"{row['views']:,}", f"{row['clicks credited']:,}")
        show(table)
        return
    for metric in METRICS:
        table.add_column(metric, justify="right")
    for row in found.arm_rows:
        cells: list[Cell] = [row["arm"], f"{row['views']:,}", f"{row['clicks']:,}"]
        cells += [_estimate(row[each], row[f"{each} low"], row[f"{each} high"]) for each in METRICS]
        table.add_row(*cells)
    show(table)
    gains = Table(f"more than the first arm, {found.primary}", is_plain=True)
    gains.add_column("arm", overflow="fold")
    for metric in METRICS:
        gains.add_column(metric, justify="right")
    of = {
        (row["arm"], row["metric"]): row
        for row in found.difference_rows if row["pages"] == found.primary
    }  # fmt: skip
    for arm in dict.fromkeys(name for name, _ in of):
        figures = (of[arm, each] for each in METRICS)
        gains.add_row(arm, *(
            _estimate(row["relative"], row["relative low"], row["relative high"], share=True)
            for row in figures
        ))  # fmt: skip
    if gains.row_count:
        show(gains)
    rails = [row for row in found.guardrail_rows if row["status"] == "broken"]
    warn([
        f"guardrail broken: {row['guardrail']} of arm {row['arm']}, {100 * row['value']:.1f} % "
        f"of {row['n']:,} ({row['of']})"
        for row in rails
    ])  # fmt: skip


def _estimate(
    value: float | None, low: float | None, high: float | None, *, share: bool = False
) -> Cell:
    """A figure with its interval below; nothing for what is not known."""
    if value is None:
        return ""
    form = "+.1%" if share else ".4f"
    ends = "" if low is None or high is None else f"{low:{form}} to {high:{form}}"
    return below(f"{value:{form}}".replace("%", " %"), ends.replace("%", " %"))
