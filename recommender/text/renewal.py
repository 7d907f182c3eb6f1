"""Neighbours after some articles changed: those of before, and what the changed ones take and give.

Of a site of which a hundredth changes in a day, an article's neighbours are mostly what they were.
Changed articles are compared with all others, the others with the changed ones alone; only an
article that lost more neighbours than were kept in reserve is compared with all again. The result
is that of comparing all with all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.candidates import EMPTY
from recommender.progress import Progress
from recommender.text.neighbours import Rows, block, merge

# Neighbours in reserve. Of 60, after a hundredth of the articles changed, one row in a million
# loses more than ten.
RESERVE = 12
ZERO = np.float32(0)


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Neighbours that can be renewed: ``items`` and ``likeness``, ``(n_articles, size)``, best
    first. What is more like an article than its ``bound``, ``(n_articles,)``, is among them.
    """

    items: np.ndarray
    likeness: np.ndarray
    bound: np.ndarray

    def first(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Items and likenesses of the ``size`` nearest, ``(n_articles, size)``."""
        return self.items[:, :size], self.likeness[:, :size]


def bounded(items: np.ndarray, likeness: np.ndarray) -> Near:
    """Neighbours as they were found: a row with an empty slot lacks none."""
    bound = np.where(items[:, -1] == EMPTY, ZERO, likeness[:, -1])
    return Near(items, likeness, bound)


def renewed(
    before: Near,
    place: np.ndarray,
    rows: Rows,
    *,
    k: int,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Near:
    """The neighbours now, at least ``k`` of each. ``place``, ``(n_before,)``, is the row that each
    article of ``before`` has now, in the same order, ``EMPTY`` for those that are gone or changed.
    ``jobs`` threads share the work, by default one a core.
    """
    n, size = len(rows), before.items.shape[1]
    old = np.flatnonzero(place != EMPTY)
    of = place[old].astype(np.int32)
    is_same = np.zeros(n, dtype=bool)
    is_same[of] = True
    known = before.items[old]
    known = np.where(known == EMPTY, EMPTY, place[known]).astype(np.int32)
    likeness = np.where(known == EMPTY, ZERO, before.likeness[old])
    fresh, near = block(rows, of, np.flatnonzero(~is_same), k=size, progress=progress, jobs=jobs)
    # At the bound or below it, others may be as near as what is new.
    bound = before.bound[old][:, None]
    tied = ((near == bound) & (bound > 0)).any(axis=1)
    fresh, near = np.where(near > bound, fresh, EMPTY), np.where(near > bound, near, ZERO)
    items, likeness = merge((known, likeness), (fresh.astype(np.int32), near), k=size)
    short = (bound[:, 0] > 0) & ((items != EMPTY).sum(axis=1) < k)
    is_sure = np.zeros(n, dtype=bool)
    is_sure[of] = ~(tied | short)
    found = Near(
        np.full((n, size), EMPTY, dtype=np.int32),
        np.zeros((n, size), dtype=np.float32),
        np.zeros(n, dtype=np.float32),
    )
    found.items[of], found.likeness[of] = items, likeness
    # The last of a full row is as far as is known of it.
    last = np.maximum(bound[:, 0], likeness[:, -1])
    found.bound[of] = np.where(items[:, -1] == EMPTY, bound[:, 0], last)
    asked = np.flatnonzero(~is_sure)
    again = bounded(*block(rows, asked, k=size, progress=progress, jobs=jobs))
    found.items[asked], found.likeness[asked] = again.items, again.likeness
    found.bound[asked] = again.bound
    return found
