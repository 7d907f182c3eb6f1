"""What is known of the articles of a site before anybody has read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.articles.addresses import url_key
from recommender.candidates import EMPTY
from recommender.text.kernels import pair_dots
from recommender.text.terms import terms
from recommender.text.tfidf import Text


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """The articles as arrays, row *i* for article *i*. ``near`` and ``near_cosine`` are their
    neighbours ``(n, k)``; ``tag_heads`` and ``tag`` their tags as sorted numbers, ``term_heads``
    and ``term`` the terms of their titles likewise; ``first_term`` and ``last_term`` those a
    title begins and ends with; ``folder`` the number of the folder their address lies in;
    ``picked`` the hand-picked pairs as sorted keys ``source * n + item``. ``EMPTY`` is where
    there is none.
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
    term_heads: np.ndarray
    term: np.ndarray
    first_term: np.ndarray
    last_term: np.ndarray
    folder: np.ndarray
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
    urls: list[str | None],
    categories: list[str | None],
    tags: list[tuple[str, ...]],
    picked: np.ndarray,
    near: np.ndarray,
    near_cosine: np.ndarray,
) -> Site:
    """Number categories, tags and the like, and put what is known without readers in one place."""
    category_number = {name: at for at, name in enumerate(sorted({c for c in categories if c}))}
    tag_numbers, _ = _numbered(tags)
    in_titles = [terms(title) for title in titles]
    term_numbers, term_number = _numbered(in_titles)
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
        tag_heads=np.cumsum([0, *map(len, tag_numbers)]).astype(np.int64),
        tag=np.array([tag for row in tag_numbers for tag in row], dtype=np.int32),
        term_heads=np.cumsum([0, *map(len, term_numbers)]).astype(np.int64),
        term=np.array([term for row in term_numbers for term in row], dtype=np.int32),
        first_term=np.array(
            [term_number[row[0]] if row else EMPTY for row in in_titles], dtype=np.int32
        ),
        last_term=np.array(
            [term_number[row[-1]] if row else EMPTY for row in in_titles], dtype=np.int32
        ),
        folder=_folders(urls),
        picked=np.unique(source.astype(np.int64) * len(titles) + picked[source, slot]),
        near=near,
        near_cosine=near_cosine,
    )


def _numbered(rows: Sequence[Sequence[str]]) -> tuple[list[list[int]], dict[str, int]]:
    """Rows of names as rows of sorted numbers, each once, and the number of each name."""
    number = {name: at for at, name in enumerate(sorted({name for row in rows for name in row}))}
    return [sorted({number[name] for name in row}) for row in rows], number


def _folders(urls: Sequence[str | None]) -> np.ndarray:
    """The number of the folder that each address lies in, ``EMPTY`` without an address."""
    number: dict[str, int] = {}
    folders = (url_key(url).partition("?")[0].rpartition("/")[0] if url else "" for url in urls)
    return np.array(
        [number.setdefault(name, len(number)) if name else EMPTY for name in folders],
        dtype=np.int32,
    )
