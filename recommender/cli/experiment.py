"""The commands on experiments: which of several policies readers follow more."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import click

from recommender.bundle import activation, experiments, registry
from recommender.cli.operators import options_of
from recommender.cli.output import as_json, here, now, warn
from recommender.errors import ExperimentError
from recommender.lists.arms import INTERLEAVED, SPLIT, Experiment
from recommender.progress import Shown
from recommender.terminal import Table, say, say_json, show

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
    if (other := experiments.running_name(settings.models)) is not None:
        raise ExperimentError(
            f"experiment {other} runs, and one runs at a time; run: recommender experiment stop"
        )
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
    ended = experiments.end(models, now=now())
    if chosen is not None:
        activation.activate(models, chosen.bundle)
    live = registry.current(models)
    if as_json:
        say_json({**asdict(ended), "live": live})
        return
    say(f"experiment {ended.name} is stopped; pages show bundle {live}")
    say(f"what came of it: recommender experiment status {ended.name}")


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
