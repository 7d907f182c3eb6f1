"""What the store adds to a bundle while it is served: articles that came and went, and the numbers
that slate tokens name articles by.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from recommender.bundle.overlay import Patched
from recommender.bundle.published import Lists
from recommender.errors import StoreError
from recommender.store.database import Store
from recommender_api.answers import Seal
from recommender_api.store_connection import Stored

NEVER = -1
N_SAMPLE = 200

logger = logging.getLogger("api")


@dataclass(slots=True)
class Added:
    """What was found for ``lists``; ``change`` is the last change of an article it knows of."""

    lists: Lists
    patch: Patched | None = None
    seal: Seal | None = None
    change: int = NEVER


class Patching:
    """Keeps ``Added`` up to date. Not to be used by two threads at once."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        self.added: Added | None = None
        self._keys: tuple[Lists, np.ndarray] | None = None

    def is_stale(self) -> bool:
        """Did articles come or go that ``added`` does not know of? ``StoreError`` if the store is
        out of reach.
        """
        store, added = self.stored.store, self.added
        return store is not None and (added is None or store.last_change() != added.change)

    def load(self, lists: Lists) -> Added:
        """What the store says now; while it says nothing, what it said before."""
        stored = self.stored
        added = self.added
        if added is None or added.lists is not lists:
            added = Added(lists)
        if stored.store is not None:
            ours = lists.about.store == stored.name
            try:
                added = self._changed(added, stored.store, ours=ours)
                seal: Seal | None = Seal(
                    stored.signer, *self._numbers(added, stored.store, ours=ours)
                )
            except StoreError as exc:
                logger.error("%s (articles that came or went have to wait)", exc)
                seal = added.seal or (Seal(stored.signer, lists.keys, {}) if ours else None)
            if added.seal is None or seal is None or not _same(seal, added.seal):
                added = Added(lists, added.patch, seal, added.change)
        self.added = added
        return added

    def _changed(self, added: Added, store: Store, *, ours: bool) -> Added:
        lists = added.lists
        known = lists.about.change if ours else 0
        number, articles, removed = store.changed_since(known)
        if number == added.change:
            return added
        patch = Patched(lists, articles, removed, added.patch) if articles or removed else None
        return Added(lists, patch, added.seal, number)

    def _numbers(
        self, added: Added, store: Store, *, ours: bool
    ) -> tuple[np.ndarray, dict[int, int]]:
        """The store's numbers of the bundle's articles, by row, and of those that came later."""
        lists, rows = added.lists, added.patch.row_of if added.patch else {}
        new = {row: id for id, row in rows.items() if row >= len(lists.stub)}
        later = dict(zip(new, store.keys_of(list(new.values())), strict=True)) if new else {}
        if self._keys is None or self._keys[0] is not lists:
            # A bundle from elsewhere knows its articles by another store's numbers.
            self._keys = lists, lists.keys if ours else _numbers_in(store, lists)
        return self._keys[1], later


def _same(one: Seal, other: Seal) -> bool:
    return one.signer is other.signer and one.keys is other.keys and one.later == other.later


def _numbers_in(store: Store, lists: Lists) -> np.ndarray:
    """The store's numbers of a bundle's articles, by row; those it bears if a sample agrees."""
    rows = np.unique(np.linspace(0, len(lists.keys) - 1, N_SAMPLE).astype(np.int64))
    sample = store.keys_of([lists.id_of(int(row)) for row in rows])
    if sample == lists.keys[rows].tolist():
        return lists.keys
    ids = [lists.id_of(row) for row in range(len(lists.keys))]
    return np.array(store.keys_of(ids), dtype=np.int64)
