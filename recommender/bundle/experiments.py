"""Experiments on disk, beside the bundles that they show.

    models/
    ├── EXPERIMENT             one line: the name of the experiment that runs
    └── experiments/
        └── autumn/            experiment.json, and what came of it: readout.json

One experiment runs at a time. The bundles of its arms are frozen: no build replaces what an arm
shows, and none of them is pruned until another experiment is started.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from recommender.bundle.arrays import build, read_json
from recommender.bundle.registry import MANIFEST, inside, replace_file
from recommender.errors import BundleError, ExperimentError
from recommender.lists.arms import Experiment

RUNNING, FOLDER = "EXPERIMENT", "experiments"
ABOUT, READOUT = "experiment.json", "readout.json"


def names(models: Path) -> list[str]:
    """The experiments that run or ran, in the order in which they were started."""
    return sorted(_there(models), key=lambda name: (read(models, name).started, name))


def _there(models: Path) -> list[str]:
    """Those that have a file, whatever it holds."""
    return sorted(path.parent.name for path in (models / FOLDER).glob(f"*/{ABOUT}"))


def running_name(models: Path) -> str | None:
    """The name of the experiment that runs, None if there is none."""
    try:
        name = (models / RUNNING).read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as exc:
        raise ExperimentError(f"{models / RUNNING}: cannot be read: {exc}") from exc
    return name or None


def running(models: Path) -> Experiment | None:
    """The experiment that runs, None if there is none. ``ExperimentError`` if it cannot be read."""
    name = running_name(models)
    return None if name is None else read(models, name)


def read(models: Path, name: str) -> Experiment:
    """An experiment that runs or ran. ``ExperimentError`` if there is none of this name."""
    path = folder_of(models, name) / ABOUT
    if not path.exists():
        there = _there(models)
        known = f"there are {', '.join(there)}" if there else "none was started yet"
        raise ExperimentError(f"{models}: there is no experiment {name!r}; {known}")
    try:
        experiment = build(Experiment, read_json(path), str(path))
    except BundleError as exc:
        raise ExperimentError(str(exc)) from exc
    if fault := experiment.fault():
        raise ExperimentError(f"{path}: {fault}")
    return experiment


def check_free(models: Path, name: str) -> None:
    """``ExperimentError`` if an experiment of this name cannot be started now."""
    if (models / MANIFEST).is_file():
        raise ExperimentError(
            f"{models}: this is a bundle; experiments stand beside the bundles, in the folder above"
        )
    if (other := running_name(models)) is not None:
        raise ExperimentError(
            f"experiment {other} runs, and one runs at a time; run: recommender experiment stop"
        )
    if folder_of(models, name).exists():
        raise ExperimentError(
            f"there was an experiment {name} already, and its views are in the log: "
            "choose another name"
        )


def begin(models: Path, experiment: Experiment) -> None:
    """Have pages show it. ``ExperimentError`` if it is faulty, another runs or had its name."""
    if fault := experiment.fault():
        raise ExperimentError(fault)
    check_free(models, experiment.name)
    for arm in experiment.arms:
        if not (inside(models, arm.bundle) / MANIFEST).is_file():
            raise ExperimentError(f"arm {arm.name}: there is no bundle {arm.bundle} in {models}")
    folder = folder_of(models, experiment.name)
    folder.parent.mkdir(exist_ok=True)
    try:
        # Of two that start at once, one is refused.
        folder.mkdir()
        _write(folder, experiment)
        with (models / RUNNING).open("x", encoding="utf-8") as file:
            file.write(experiment.name + "\n")
    except FileExistsError as exc:
        if Path(str(exc.filename)) != folder:
            shutil.rmtree(folder)
        raise ExperimentError(
            f"another experiment was started at this moment: {running_name(models)}"
        ) from None


def end(models: Path, *, now: datetime) -> Experiment:
    """Have pages show the live bundle again. ``ExperimentError`` if no experiment runs, or nobody
    can read what it was; then it is stopped all the same.
    """
    try:
        experiment = running(models)
    except ExperimentError as exc:
        (models / RUNNING).unlink()
        raise ExperimentError(f"{exc}; the experiment is stopped all the same") from exc
    if experiment is None:
        raise ExperimentError("no experiment runs")
    stopped = now.astimezone(UTC).isoformat(timespec="milliseconds")
    experiment = replace(experiment, stopped=stopped)
    _write(folder_of(models, experiment.name), experiment)
    (models / RUNNING).unlink()
    return experiment


def frozen(models: Path) -> set[str]:
    """The bundles that must stay: those of the experiment that runs, or of the last one, whose
    winner may not be live yet.
    """
    experiment = running(models)
    if experiment is None and (known := names(models)):
        experiment = read(models, known[-1])
    return set() if experiment is None else {arm.bundle for arm in experiment.arms}


def folder_of(models: Path, name: str) -> Path:
    """The folder of an experiment; ``ExperimentError`` for a name that leads elsewhere."""
    if not name or name.startswith(".") or Path(name).name != name:
        raise ExperimentError(f"{name!r} is no experiment's name")
    return models / FOLDER / name


def _write(folder: Path, experiment: Experiment) -> None:
    text = json.dumps(asdict(experiment), indent=2, ensure_ascii=False, sort_keys=True)
    replace_file(folder / ABOUT, text + "\n")
