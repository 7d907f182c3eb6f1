"""Which articles may stand beside which: the one shape every stage of a build passes on.

>>> text = Candidates(np.array([[1, 2], [0, EMPTY]]), np.array([[0.9, 0.4], [0.9, -np.inf]]))
>>> union([text, hand_picked([(2, 2, 0), ()], n_articles=3)]).items
array([[ 1,  2],
       [ 0, -1]])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EMPTY = -1  # no article has this number
# Shorter lists seem broken, and the fallback chain fills them up. Not tuned.
MIN_LINKS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Articles that may be shown beside each source, best first.

    ``items`` and ``scores`` are ``(n_sources, list_size)``; an unused slot holds item ``EMPTY``
    and score ``-inf``. ``items`` alone decide what is used. Row *i* is for article ``rows[i]``,
    ``(n_sources,)``, and for article *i* where ``rows`` is None.
    """

    items: np.ndarray
    scores: np.ndarray
    rows: np.ndarray | None = None

    @property
    def used(self) -> np.ndarray:
        """True where a slot holds an article, ``(n_sources, list_size)``."""
        return self.items != EMPTY

    @property
    def sources(self) -> np.ndarray:
        """The article of each row, ``(n_sources,)``."""
        return np.arange(len(self.items)) if self.rows is None else self.rows

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Source and item of every slot that is used, ``(n_used,)``, row by row."""
        row, slot = np.nonzero(self.used)
        return self.sources[row], self.items[row, slot].astype(np.int64)

    def beside(self, rows: np.ndarray) -> Candidates:
        """What stands beside some articles, ``(n_rows,)``, of lists of all."""
        return Candidates(self.items[rows], self.scores[rows], rows)

    def keep(self, mask: np.ndarray) -> Candidates:
        """Empty every slot where ``mask`` is false and close the gaps, order unchanged."""
        if self._is_kept(mask):
            return self
        items = np.where(mask, self.items, EMPTY)
        scores = np.where(mask & (items != EMPTY), self.scores, -np.inf)
        order = np.argsort(items == EMPTY, axis=1, kind="stable")
        return Candidates(items, scores, self.rows).arranged(order)

    def _is_kept(self, mask: np.ndarray) -> bool:
        """Whether nothing is emptied, and there are no gaps, nor scores of what is not used."""
        used = self.used
        gap = used[:, 1:] & ~used[:, :-1]
        return not (gap.any() or (used & ~mask).any() or (self.scores > -np.inf)[~used].any())

    def ranked(self, scores: np.ndarray) -> Candidates:
        """The same articles under new scores, best first; of equals the smaller number first."""
        scores = np.where(self.used, scores, -np.inf)
        return Candidates(self.items, scores, self.rows).arranged(self.order(scores))

    def order(self, scores: np.ndarray) -> np.ndarray:
        """The slots of every row by ``scores``, ``(n_sources, list_size)``, as ``ranked`` has
        them.
        """
        used = self.used
        numbers = np.where(used, self.items, np.iinfo(np.int32).max)
        return np.lexsort((numbers, np.where(used, -scores, np.inf)))

    def arranged(self, order: np.ndarray) -> Candidates:
        """Slots in the ``order`` given for each row, ``(n_sources, list_size)``."""
        return Candidates(
            np.take_along_axis(self.items, order, axis=1),
            np.take_along_axis(self.scores, order, axis=1),
            self.rows,
        )

    def first(self, size: int) -> Candidates:
        """The first ``size`` slots of every row."""
        return Candidates(self.items[:, :size], self.scores[:, :size], self.rows)


def from_lists(lists: Sequence[Sequence[int]], scores: Sequence[Sequence[float]]) -> Candidates:
    """Candidates out of lists of unequal length."""
    size = max([1, *map(len, lists)])
    items = np.full((len(lists), size), EMPTY, dtype=np.int32)
    padded = np.full((len(lists), size), -np.inf, dtype=np.float32)
    for row, (found, values) in enumerate(zip(lists, scores, strict=True)):
        items[row, : len(found)] = found
        padded[row, : len(found)] = values
    return Candidates(items, padded)


def hand_picked(lists: Sequence[Sequence[int]], *, n_articles: int) -> Candidates:
    """The editors' lists, cleaned: no link twice, none to itself, none to a missing article."""
    cleaned = []
    for source, items in enumerate(lists):
        wanted = dict.fromkeys(item for item in items if item != source)
        cleaned.append([item for item in wanted if 0 <= item < n_articles])
    # An editor's order is taken for one of preference.
    return from_lists(cleaned, [[-float(place) for place in range(len(row))] for row in cleaned])


def from_pairs(
    sources: np.ndarray,
    items: np.ndarray,
    scores: np.ndarray,
    *,
    n_sources: int,
    size: int,
    rows: np.ndarray | None = None,
) -> Candidates:
    """The ``size`` best items of each source out of a flat list of scored pairs; ``sources`` are
    numbers of the result's rows, which are of articles ``rows``.
    """
    order = np.lexsort((items, -scores, sources))
    sources, items, scores = sources[order], items[order], scores[order]
    heads = np.searchsorted(sources, np.arange(n_sources))
    slot = np.arange(len(sources)) - heads[sources]
    kept = slot < size
    if rows is None:
        kept &= items != sources
    filled = np.full((n_sources, size), EMPTY, dtype=np.int32)
    padded = np.full((n_sources, size), -np.inf, dtype=np.float32)
    filled[sources[kept], slot[kept]] = items[kept]
    padded[sources[kept], slot[kept]] = scores[kept]
    return Candidates(filled, padded, rows).keep(filled != EMPTY)


def union(parts: Sequence[Candidates]) -> Candidates:
    """Every article any part proposes, once; scores are forgotten, the first part's order leads."""
    items = np.concatenate([part.items for part in parts], axis=1)
    order = np.argsort(items, axis=1, kind="stable")
    ascending = np.take_along_axis(items, order, axis=1)
    repeated = np.zeros_like(items, dtype=bool)
    np.put_along_axis(repeated, order[:, 1:], ascending[:, 1:] == ascending[:, :-1], axis=1)
    merged = Candidates(items, np.zeros(items.shape, dtype=np.float32), parts[0].rows)
    merged = merged.keep(~repeated)
    return merged.first(max(1, int(merged.used.sum(axis=1).max(initial=0))))
