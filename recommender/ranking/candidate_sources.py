"""Where candidates come from. A new source is a function of a ``Basis`` and a row of ``SOURCES``.

Each returns what it proposes beside some articles, ``rows``, best first; the first source that
names an article decides its place among equals. What stands beside one does not depend on which
others are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recommender.candidates import EMPTY, Candidates, from_pairs, union
from recommender.ragged import expand
from recommender.ranking.features import History, counting
from recommender.ranking.handpicked import HandpickedModel
from recommender.ranking.handpicked_features import proposed
from recommender.text.corpus import Corpus

# How many a source proposes beside one article: not tuned, more than a list holds after what is
# alike or irrelevant is gone. What readers did is thin beyond twenty.
N_BY_READERS = 20
N_SHOWN = 40  # more than any list that was shown


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """What sources draw on: texts, the editors' lists ``picked``, what they taught, if anything,
    and what readers did; ``near`` are the nearest texts that may be recommended, ``following`` the
    next part of each article's series, ``(n_articles,)``.
    """

    corpus: Corpus
    picked: Candidates
    handpicked: HandpickedModel | None
    history: History
    near: Candidates
    following: np.ndarray


def by_text(basis: Basis, rows: np.ndarray) -> Candidates:
    """The nearest texts."""
    return basis.near.beside(rows)


def by_readers(basis: Basis, rows: np.ndarray) -> Candidates:
    """What readers followed or read in the same visit, most first."""
    history = basis.history
    at, row = _entries(history.pairs.heads, rows)
    clicks = history.clicks.clicked[at]
    made = clicks > 0
    followed = _best(rows, row[made], history.pairs.item[at[made]], clicks[made], N_BY_READERS)
    at, row = _entries(history.reading.heads, rows)
    read = _best(rows, row, history.reading.item[at], history.reading.cosine[at], N_BY_READERS)
    return union([followed, read])


def by_editors(basis: Basis, rows: np.ndarray) -> Candidates:
    """What the lists of other pages propose, where lists have taught anything."""
    if basis.handpicked is None:
        return _one(rows, np.full(len(rows), EMPTY))
    items = proposed(basis.corpus, basis.handpicked.lists, rows)
    return Candidates(items, np.where(items == EMPTY, -np.inf, np.float32(0)), rows)


def on_the_page(basis: Basis, rows: np.ndarray) -> Candidates:
    """The editors' lists; where none is known, what the page showed, by counting."""
    picked, history = basis.picked.beside(rows), basis.history
    without = ~picked.used.any(axis=1)
    at, row = _entries(history.pairs.heads, rows[without])
    if len(at) == 0:
        return picked
    row = np.flatnonzero(without)[row]
    items = history.pairs.item[at].astype(np.int64)
    shown = _best(rows, row, items, counting(history, rows[row], items), N_SHOWN)
    return union([picked, shown])


def by_series(basis: Basis, rows: np.ndarray) -> Candidates:
    """The next part of the series that an article is a part of."""
    return _one(rows, basis.following[rows])


def proposed_beside(basis: Basis, rows: np.ndarray) -> Candidates:
    """What all sources propose beside some articles, each once, without scores."""
    return union([source(basis, rows) for source in SOURCES.values()])


def _entries(heads: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Entries of some rows of a ragged table, and which of the rows each belongs to."""
    return expand(heads[rows], heads[rows + 1] - heads[rows])


def _best(
    rows: np.ndarray, row: np.ndarray, items: np.ndarray, scores: np.ndarray, size: int
) -> Candidates:
    """The ``size`` best of scored pairs, ``(n_pairs,)``, that stand beside ``rows[row]``."""
    other = items != rows[row]
    return from_pairs(
        row[other], items[other], scores[other], n_sources=len(rows), size=size, rows=rows
    )


def _one(rows: np.ndarray, items: np.ndarray) -> Candidates:
    """One candidate beside each of the rows, or none."""
    items = items[:, None].astype(np.int32)
    return Candidates(items, np.where(items == EMPTY, -np.inf, np.float32(0)), rows)


SOURCES: dict[str, Callable[[Basis, np.ndarray], Candidates]] = {
    "text": by_text,
    "readers": by_readers,
    "editors": by_editors,
    "page": on_the_page,
    "series": by_series,
}
