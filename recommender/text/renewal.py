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
from recommender.text.neighbours import neighbours
from recommender.text.tfidf import Text

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
    before: Near, place: np.ndarray, text: Text, *, k: int, progress: Progress | None = None
) -> Near:
    """The neighbours now, at least ``k`` of each. ``place``, ``(n_before,)``, is the row that each
    article of ``before`` has now, in the same order, ``EMPTY`` for those that are gone or changed.
    """
    n, size = len(text.indptr) - 1, before.items.shape[1]
    old = np.flatnonzero(place != EMPTY)
    same = np.zeros(n, dtype=bool)
    same[place[old]] = True
    found = Near(
        np.full((n, size), EMPTY, dtype=np.int32),
        np.zeros((n, size), dtype=np.float32),
        np.zeros(n, dtype=np.float32),
    )
    known = before.items[old]
    known = np.where(known == EMPTY, EMPTY, place[known]).astype(np.int32)
    likeness = np.where(known == EMPTY, ZERO, before.likeness[old])
    fresh, near = (
        table[place[old]]
        for table in neighbours(text, k=size, asked=same, among=~same, progress=progress)
    )
    # At the bound or below it, others may be as near as what is new.
    bound = before.bound[old][:, None]
    tied = ((near == bound) & (bound > 0)).any(axis=1)
    fresh, near = np.where(near > bound, fresh, EMPTY), np.where(near > bound, near, ZERO)
    items, likeness = merged((known, likeness), (fresh, near))
    found.items[place[old]], found.likeness[place[old]] = items, likeness
    short = (bound[:, 0] > 0) & ((items != EMPTY).sum(axis=1) < k)
    asked = ~same
    asked[place[old]] = tied | short
    # The last of a full row is as far as is known of it.
    found.bound[place[old]] = np.where(
        items[:, -1] == EMPTY, bound[:, 0], np.maximum(bound[:, 0], likeness[:, -1])
    )
    again = bounded(*neighbours(text, k=size, asked=asked, progress=progress))
    found.items[asked], found.likeness[asked] = again.items[asked], again.likeness[asked]
    found.bound[asked] = again.bound[asked]
    return found


def merged(
    left: tuple[np.ndarray, np.ndarray], right: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The best of two tables of items and likenesses, ``(n, size)`` each, best first, of equals the
    smaller number first.
    """
    size = left[0].shape[1]
    items = np.concatenate([left[0], right[0]], axis=1)
    likeness = np.concatenate([left[1], right[1]], axis=1)
    last = np.where(items == EMPTY, np.iinfo(np.int32).max, items)
    order = np.lexsort((last, -likeness))[:, :size]
    return np.take_along_axis(items, order, axis=1), np.take_along_axis(likeness, order, axis=1)
