"""What came of experiments between two bundles, or a bundle and the hand-picked lists.

Read-outs are made and stored by the commands on experiments; here they are only looked up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from recommender.bundle import experiments
from recommender.errors import ExperimentError


@dataclass(frozen=True, slots=True)
class Outcome:
    """An experiment by its name, when it ``started`` and ``stopped`` (None: it runs), the
    ``verdict`` of its last read-out, None where there is none yet, and what the ``old`` and the
    ``new`` side are called in it, as arms.
    """

    name: str
    started: str
    stopped: str | None
    verdict: str | None
    old: str = ""
    new: str = ""

    @property
    def sentence(self) -> str:
        """What it says, in one clause."""
        when = f"from {self.started[:10]}"
        when += f" to {self.stopped[:10]}" if self.stopped else ", still running"
        when += f"; A is its arm {self.old}, B {self.new}" if self.old else ""
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
            # Two arms that show the same are no experiment between it and itself.
            sides = [[at for at, arm in enumerate(arms) if arm & {*names}] for names in (old, new)]
            pairs = [(one, two) for one, two in product(*sides) if one != two]
            if not pairs or {*old} & {*new}:
                continue
            names_of = [experiment.arms[at].name for at in pairs[0]]
            verdict = _verdict(folder.with_name(experiments.READOUT))
        except ExperimentError as exc:
            faults.append(f"An experiment is passed over: {exc}.")
            continue
        found.append(
            Outcome(
                experiment.name, experiment.started, experiment.stopped, verdict,
                names_of[0], names_of[1],
            )
        )  # fmt: skip
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
