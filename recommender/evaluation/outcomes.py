"""What came of experiments between two bundles, or a bundle and the hand-picked lists.

Read-outs are made and stored by the commands on experiments; here they are only looked up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommender.bundle import experiments
from recommender.errors import ExperimentError


@dataclass(frozen=True, slots=True)
class Outcome:
    """An experiment by its name, when it ``started`` and ``stopped`` (None: it runs), and the
    ``verdict`` of its last read-out, None where there is none yet.
    """

    name: str
    started: str
    stopped: str | None
    verdict: str | None

    @property
    def sentence(self) -> str:
        """What it says, in one clause."""
        when = f"from {self.started[:10]}"
        when += f" to {self.stopped[:10]}" if self.stopped else ", still running"
        if self.verdict is None:
            return f"experiment {self.name} ({when}) has no read-out yet"
        return f"experiment {self.name} ({when}): {self.verdict.strip()}"


def between(
    models: Path, old: Iterable[str], new: Iterable[str]
) -> tuple[list[Outcome], list[str]]:
    """The experiments that showed both, each called by any of its names, the last started first,
    and a sentence on each that cannot be read.
    """
    found, faults = [], []
    for folder in sorted((models / experiments.FOLDER).glob(f"*/{experiments.ABOUT}")):
        try:
            experiment = experiments.read(models, folder.parent.name)
            arms = [{arm.bundle, arm.shows} for arm in experiment.arms]
            if not all(any(arm & {*names} for arm in arms) for names in (old, new)):
                continue
            verdict = _verdict(folder.with_name(experiments.READOUT))
        except ExperimentError as exc:
            faults.append(f"An experiment is passed over: {exc}.")
            continue
        found.append(Outcome(experiment.name, experiment.started, experiment.stopped, verdict))
    return sorted(found, key=lambda each: each.started, reverse=True), faults


def _verdict(path: Path) -> str | None:
    """The verdict of a read-out, None if there is no read-out."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise ExperimentError(f"{path}: cannot be read: {exc}") from exc
    verdict = content.get("verdict") if isinstance(content, dict) else None
    if not isinstance(verdict, str):
        raise ExperimentError(f"{path}: has no verdict")
    return verdict
