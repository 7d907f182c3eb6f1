"""On which pages the arms of an experiment differ, by their frozen bundles.

Where all arms show the same slates a view says nothing of which is better, and only adds noise.
Whether they differ is a property of the page, known before anybody sees it, so leaving the others
out is no choice by what came of it. (By the log one could not tell: whether a page was seen in all
arms depends on what was drawn.)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recommender.bundle import registry
from recommender.bundle.bundle import Bundle
from recommender.bundle.published import Prepared
from recommender.candidates import EMPTY
from recommender.errors import BundleError
from recommender.lists.arms import Experiment


def pages_alike(models: Path, experiment: Experiment) -> set[str] | None:
    """The pages on which all arms show the same, whatever the variant; None if a bundle of theirs
    is no longer there or cannot be read.
    """
    try:
        lists = [Bundle(registry.inside(models, arm.bundle)).lists for arm in experiment.arms]
    except BundleError:
        return None
    return alike(lists)


def alike(lists: Sequence[Prepared]) -> set[str]:
    """The pages whose slates, links beyond them included, are the same in all bundles."""
    first, *others = lists
    ids = [first.ids.column[row] for row in range(len(first.stub))]
    same = np.asarray(first.stub) == 0
    for other in others:
        found = [other.find(id) for id in ids]
        row = np.array([-1 if each is None else each for each in found], dtype=np.int64)
        # The other's articles by this one's rows; -2 for one that this one does not have.
        number = np.full(len(other.stub) + 1, -2, dtype=np.int64)
        number[row[row >= 0]] = np.flatnonzero(row >= 0)
        number[-1] = EMPTY
        known = (row >= 0) & (np.asarray(other.stub)[row] == 0)
        theirs = number[np.asarray(other.items)[row]]
        same &= known & _equal(np.asarray(first.items), theirs)
        # Arms explore alike, in as many slates as the bundle with fewest has.
        n_slates = min(first.share, other.share)
        mine, others_slates = (
            np.asarray(each.slates[:, :n_slates]).reshape(len(each.slates), -1)
            for each in (first, other)
        )
        same &= _equal(mine, others_slates[row])
    return {ids[at] for at in np.flatnonzero(same)}


def _equal(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """In which rows both hold the same, whatever else has room in the wider one; ``(n_rows,)``."""
    width = min(one.shape[1], other.shape[1])
    rest = [(each[:, width:] == EMPTY).all(axis=1) for each in (one, other)]
    return (one[:, :width] == other[:, :width]).all(axis=1) & rest[0] & rest[1]
