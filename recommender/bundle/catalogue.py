"""What the editors' rules must know of a site's articles, by a bundle and what came since."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from recommender.bundle.composition import Placed, Shelf
from recommender.bundle.published import Lists

# Articles that are proposed in place of a name that nobody has, how alike they must be, of a
# hundred, and how far below the most alike. Not tuned.
N_NEAR, LEAST_ALIKE, BELOW_BEST = 3, 65, 15
# Places of the chain that fills lists up which count as standing in lists.
N_FILLING = 100


class ShelfCatalogue:
    """Articles and lists as they are served: the ``shelf``, and the bundle below it if there is
    one.
    """

    def __init__(self, shelf: Shelf, lists: Lists | None) -> None:
        self.shelf = shelf
        self.lists = lists

    def named(self, text: str) -> tuple[str | None, str]:
        """As ``effects.Catalogue``."""
        return self.shelf.named(text)

    def is_gone(self, text: str) -> bool:
        """As ``effects.Catalogue``."""
        if self.lists is None or self.shelf.find(text) is not None:
            return False
        return self.lists.find(text) is not None

    def title(self, id: str) -> str:
        """As ``effects.Catalogue``."""
        row = self.shelf.find(id)
        return id if row is None else self._title_at(row)

    def _title_at(self, row: int) -> str:
        return self.shelf.link(Placed(row, 0.0, ""), 0).title

    def listed(self, id: str) -> list[str] | None:
        """As ``effects.Catalogue``."""
        row = self.shelf.row(id)
        if row is None:
            return None
        return [self.shelf.id_of(placed.row) for placed in self.shelf.prepared(row)]

    def is_listed(self, id: str) -> bool:
        """As ``effects.Catalogue``; of what came after the bundle it is taken for granted."""
        row = self.shelf.find(id)
        return row is None or row >= len(self._is_listed) or bool(self._is_listed[row])

    @cached_property
    def _is_listed(self) -> np.ndarray:
        """Of each article of the bundle, whether a list holds it, ``(n_articles,)``; without a
        bundle of none.
        """
        if self.lists is None:
            return np.zeros(0, dtype=bool)
        found = np.zeros(len(self.lists.stub), dtype=bool)
        items = self.lists.items
        found[items[items >= 0]] = True
        found[self.lists.popular[:N_FILLING]] = True
        return found

    def near(self, text: str) -> list[tuple[str, str]]:
        """As ``effects.Catalogue``: by ids and by titles."""
        rows = self.shelf.pages_with_lists()
        ids = [self.shelf.id_of(row) for row in rows]
        return nearest(text, zip(ids, map(self._title_at, rows), strict=True))


def nearest(text: str, articles: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of ids and titles those most like a text, the nearest first.

    >>> nearest("gut", [("knee-pain", "Knee pain"), ("gout", "Gout in winter")])
    [('gout', 'Gout in winter')]
    """
    from rapidfuzz import fuzz, process, utils

    ids, titles = zip(*known, strict=True) if (known := list(articles)) else ((), ())
    asked = text.rstrip("/").rpartition("/")[2] if "://" in text else text
    alike: dict[int, float] = {}
    for names, scorer in ((ids, fuzz.ratio), (titles, fuzz.token_sort_ratio)):
        found = process.extract(
            asked, names, scorer=scorer, processor=utils.default_process, limit=N_NEAR,
            score_cutoff=LEAST_ALIKE,
        )  # fmt: skip
        for _, score, at in found:
            alike[at] = max(score, alike.get(at, 0.0))
    least = max(alike.values(), default=0) - BELOW_BEST
    near = [at for at in alike if alike[at] >= least]
    best = sorted(near, key=lambda at: (-alike[at], ids[at]))[:N_NEAR]
    return [(ids[at], titles[at]) for at in best]
