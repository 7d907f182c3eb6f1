"""What the pages' own lists say of two articles: who lists alike, who is listed together.

Whoever made the lists, an editor or an earlier build, put articles beside each other; which links
stand on a page is known before anybody follows one. Rows are weighted as words are, by how rare
their entries are (bibliographic coupling, Kessler 1963; co-citation, Small 1973).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender.clicks.choice_model import Pairs
from recommender.ragged import find
from recommender.text.kernels import pair_dots

# By name, what each says of a pair.
FEATURES = {
    "lists_alike": "how alike the lists of both are: bibliographic coupling",
    "listed_together": "how alike the pages are that list either: co-citation",
    "two_steps": "how much of the source's list lists the target",
    "times_listed": "log of how many other pages list the target",
    "list_length": "log of how many other links the source has",
    "listed_back": "whether the target lists the source",
}


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """Lists as rows of length 1 in CSR form, ``2 n`` of them: row ``i`` is what article ``i``
    lists, row ``n + i`` who lists it. ``keys`` are the listed pairs, sorted.
    """

    keys: np.ndarray
    indptr: np.ndarray
    indices: np.ndarray
    weights: np.ndarray

    def features(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """``FEATURES`` of pairs, ``(n_pairs, 6)``; that a pair itself is listed is not told."""
        n = (len(self.indptr) - 1) // 2
        size = np.diff(self.indptr)
        own = find(self.keys, sources * n + items) >= 0
        matrix = self.indptr, self.indices, self.weights
        columns = (
            pair_dots(*matrix, sources, items),
            pair_dots(*matrix, n + sources, n + items),
            pair_dots(*matrix, sources, n + items),
            np.log1p(size[n + items] - own),
            np.log1p(size[sources] - own),
            find(self.keys, items * n + sources) >= 0,
        )
        return np.column_stack(columns).astype(np.float32)


def listing_of(pairs: Pairs, on_page: np.ndarray, picked: np.ndarray) -> Listing:
    """The lists made of ``pairs`` that were ``on_page`` and of the ``picked`` keys."""
    from scipy.sparse import csr_array, vstack

    n = len(pairs.heads) - 1
    keys = np.union1d(pairs.keys[on_page], picked)
    sources, items = np.divmod(keys, n)
    table = csr_array((np.ones(len(keys)), (sources, items)), shape=(n, n))
    both = vstack([_unit(table), _unit(table.T.tocsr())]).tocsr()
    both.sort_indices()
    return Listing(
        keys=keys,
        indptr=both.indptr.astype(np.int64),
        indices=both.indices.astype(np.int32),
        weights=both.data.astype(np.float32),
    )


def _unit(table: Any) -> Any:
    """Rows weighted by the rarity of their entries and brought to length 1."""
    n = table.shape[0]
    times = np.bincount(table.indices, minlength=n)
    weights = np.log((1 + n) / (1 + times))[table.indices] + 1e-6
    rows = np.repeat(np.arange(n), np.diff(table.indptr))
    length = np.sqrt(np.bincount(rows, weights=weights**2, minlength=n))
    table.data = weights / length[rows]
    return table
