"""Where candidates come from. A new source is a function of a ``Basis`` and a row of ``SOURCES``.

Each returns what it proposes beside every article, best first; the first source that names an
article decides its place among equals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recommender.candidates import EMPTY, Candidates, from_pairs, union
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


def by_text(basis: Basis) -> Candidates:
    """The nearest texts."""
    return basis.near


def by_readers(basis: Basis) -> Candidates:
    """What readers followed or read in the same visit, most first."""
    history, n = basis.history, basis.corpus.n_articles
    clicked = history.clicks.clicked > 0
    followed = from_pairs(
        history.pairs.source[clicked],
        history.pairs.item[clicked],
        history.clicks.clicked[clicked],
        n_sources=n,
        size=N_BY_READERS,
    )
    source, item = np.divmod(history.reading.keys, n)
    read = from_pairs(source, item, history.reading.cosine, n_sources=n, size=N_BY_READERS)
    return union([followed, read])


def by_editors(basis: Basis) -> Candidates:
    """What the lists of other pages propose, where lists have taught anything."""
    articles = np.arange(basis.corpus.n_articles)
    items = np.full((len(articles), 1), EMPTY, dtype=np.int32)
    if basis.handpicked:
        items = proposed(basis.corpus, basis.handpicked.lists, articles)
    return Candidates(items, np.where(items == EMPTY, -np.inf, 0.0))


def on_the_page(basis: Basis) -> Candidates:
    """The editors' lists; where none is known, what the page showed, by counting."""
    picked, history = basis.picked, basis.history
    sources, items = history.pairs.source, history.pairs.item.astype(np.int64)
    if len(items) == 0:
        return picked
    score = counting(history, sources, items)
    shown = from_pairs(sources, items, score, n_sources=len(picked.items), size=N_SHOWN)
    return union([picked, shown.keep(shown.used & (picked.used.sum(axis=1, keepdims=True) == 0))])


def by_series(basis: Basis) -> Candidates:
    """The next part of the series that an article is a part of."""
    items = basis.following[:, None].astype(np.int32)
    return Candidates(items, np.where(items == EMPTY, -np.inf, 0.0))


SOURCES: dict[str, Callable[[Basis], Candidates]] = {
    "text": by_text,
    "readers": by_readers,
    "editors": by_editors,
    "page": on_the_page,
    "series": by_series,
}
