"""Lists that might be shown, and what a bundle makes of their links, in the log's numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.bundle.bundle import Bundle
from recommender.candidates import EMPTY
from recommender.errors import CalibrationError, InputError
from recommender.store.impressions import Impressions

if TYPE_CHECKING:
    import pandas as pd

UNTOLD = "but the bundle's log could not tell position from appeal"
# By page, the ids it would show, best first.
Lists = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What a bundle makes of wanted links: ``chance``, ``(n_ids, k)``, of being followed if looked
    at, and ``examined``, ``(n_layouts, n_places)``. None where ``reason`` says why.
    """

    chance: np.ndarray | None = None
    examined: np.ndarray | None = None
    reason: str = "lists alone have no model; give a bundle as model"
    caveat: str = ""


def model_of(log: Impressions, lists: Lists, k: int, bundle: Bundle | Lists) -> Model:
    """What the bundle says of the chances of the lists' links, and of the places."""
    if not isinstance(bundle, Bundle):
        return Model()
    try:
        calibration = bundle.calibration
    except CalibrationError as exc:
        return Model(reason=str(exc))
    examined = np.array([calibration.examination(layout)[1:] for layout in log.layouts])
    chance = np.zeros((len(log.ids), k))
    known = bundle.lists
    pairs = [
        (at, place, source, item)
        for at, id in enumerate(log.ids)
        if id in lists and (source := known.row(id)) is not None
        for place, link in enumerate(lists[id][:k])
        if (item := known.find(link)) is not None
    ]
    if pairs:
        at, place, sources, items = np.array(sorted(pairs, key=lambda pair: pair[2])).T
        chance[at, place] = calibration.chance(sources, bundle.score_rows(sources, items))
    about = bundle.about.examination
    told = about.identified or any(each.identified for each in about.layouts)
    caveat = "" if told else UNTOLD
    return Model(chance, examined, "", caveat)


def lists_beside(log: Impressions, candidate: Bundle | Lists, k: int) -> tuple[Lists, list[str]]:
    """The candidate's list beside every page of the log, and what to say of it."""
    if not isinstance(candidate, Bundle):
        return candidate, []
    shelf, found, unknown = candidate.lists, {}, set()
    for number in np.unique(log.source[log.slate]).tolist():
        id = log.ids[number]
        row = shelf.row(id)
        if row is None:
            unknown.add(number)
        placed = shelf.composed(row, k=k, rules=candidate.rules, now=candidate.now)
        found[id] = [shelf.id_of(each.row) for each in placed]
    strange = int(np.isin(log.source[log.slate], list(unknown)).sum())
    said = (
        f"{strange:,} views are of pages the bundle does not know, where it shows what is popular."
    )
    return found, [said] if strange else []


def numbered(log: Impressions, lists: Lists, k: int) -> np.ndarray:
    """Lists as the log's numbers, ``(n_ids, k)``; an article that stands in no slate of the log has
    one that nothing has.
    """
    number = {id: at for at, id in enumerate(log.ids)}
    wanted = np.full((len(log.ids), k), EMPTY, dtype=np.int32)
    for at, id in enumerate(log.ids):
        links = [number.get(link, len(number)) for link in lists.get(id, ())][:k]
        wanted[at, : len(links)] = links
    return wanted


def lists_of(table: pd.DataFrame) -> Lists:
    """Lists given as a table: ``source_id``, ``position`` (from 1), ``id``."""
    if missing := {"source_id", "position", "id"} - set(table.columns):
        raise InputError(f"a table of lists takes columns {', '.join(sorted(missing))}")
    ordered = table.sort_values(["source_id", "position"], kind="stable")
    return {
        str(source): [str(id) for id in part["id"]]
        for source, part in ordered.groupby("source_id", sort=False)
    }
