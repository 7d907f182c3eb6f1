"""What is known of the articles of a site before anybody has read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.candidates import EMPTY
from recommender.kernels import pair_dots
from recommender.tfidf import Text


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """The articles as arrays, row *i* for article *i*. ``near`` and ``near_cosine`` are their
    neighbours ``(n, k)``; ``tag_heads`` and ``tag`` their tags as sorted numbers;
    ``picked`` the hand-picked pairs as sorted keys ``source * n + item``.
    """

    indptr: np.ndarray
    indices: np.ndarray
    weights: np.ndarray
    title_weights: np.ndarray
    fullness: np.ndarray
    words: np.ndarray
    title_words: np.ndarray
    category: np.ndarray
    tag_heads: np.ndarray
    tag: np.ndarray
    picked: np.ndarray
    near: np.ndarray
    near_cosine: np.ndarray

    @property
    def n_articles(self) -> int:
        """How many articles there are, stubs included."""
        return len(self.category)

    def cosine(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Cosine of the texts of each pair."""
        dots: np.ndarray = pair_dots(self.indptr, self.indices, self.weights, sources, items)
        return dots

    def shared_tags(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Jaccard overlap of the tags of each pair."""
        ones = np.ones(len(self.tag), dtype=np.float32)
        shared = pair_dots(self.tag_heads, self.tag, ones, sources, items)
        size = np.diff(self.tag_heads)
        either = size[sources] + size[items] - shared
        overlap: np.ndarray = shared / np.maximum(either, 1)
        return overlap


def site_of(
    text: Text,
    *,
    titles: list[str],
    categories: list[str | None],
    tags: list[tuple[str, ...]],
    picked: np.ndarray,
    near: np.ndarray,
    near_cosine: np.ndarray,
) -> Site:
    """Number the categories and tags, and put everything known without readers in one place."""
    category_number = {name: at for at, name in enumerate(sorted({c for c in categories if c}))}
    tag_number = {name: at for at, name in enumerate(sorted({tag for row in tags for tag in row}))}
    numbered = [sorted({tag_number[tag] for tag in row}) for row in tags]
    source, slot = np.nonzero(picked != EMPTY)
    return Site(
        indptr=text.indptr,
        indices=text.indices,
        weights=text.weights,
        title_weights=text.title_weights,
        fullness=text.fullness,
        words=text.lengths,
        title_words=np.array([len(title.split()) for title in titles], dtype=np.float32),
        category=np.array(
            [category_number.get(c or "", EMPTY) for c in categories], dtype=np.int32
        ),
        tag_heads=np.cumsum([0, *map(len, numbered)]).astype(np.int64),
        tag=np.array([tag for row in numbered for tag in row], dtype=np.int32),
        picked=np.unique(source.astype(np.int64) * len(titles) + picked[source, slot]),
        near=near,
        near_cosine=near_cosine,
    )
