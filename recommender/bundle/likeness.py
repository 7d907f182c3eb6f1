"""What the text of an article that came after the build says of it, beside those of the bundle.

A text is compared with the bundle's through its rows, and with others that came as late through
the terms they share.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from recommender.articles.article import Article, title_key
from recommender.bundle.published import Lists, is_same_text

# So many articles are looked at, the closest.
REACH = 200

# New articles resemble the same old ones, whose titles need be read once.
_key_of = lru_cache(maxsize=20_000)(title_key)


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What an article's text says of it: the key of its title; terms and weights of its row, and
    its squared length; the closest articles of the bundle, with cosines, at most ``REACH``; which
    are the same text or bear the same title; and how like it is to what the bundle knows under its
    id, 0 for nothing.
    """

    article: Article
    title: str
    terms: dict[int, float]
    square: float
    near: np.ndarray
    cosines: np.ndarray
    same: list[int]
    likeness: float

    def is_like(self, other: Read) -> bool:
        """To a reader, are both the same link?"""
        cosine = dot(self.terms, other.terms)
        return self.title == other.title or bool(is_same_text(cosine, self.square, other.square))


def compare(base: Lists, article: Article) -> Read:
    """What an article says beside those of ``base``."""
    terms, weights = base.texts.row(article.title, article.body)
    cosines, square = base.texts.dots(terms, weights), float((weights**2).sum())
    same = base.same_text(cosines, square)
    closest = np.argsort(-cosines, kind="stable")[:REACH].tolist()
    title = title_key(article.title)
    # Whoever bears the title shares its words.
    same[[row for row in closest if cosines[row] and _key_of(base.titles[row]) == title]] = True
    own = base.find(article.id)
    length = 0.0 if own is None else float(np.sqrt(square * base.squares[own]))
    others = np.where(same | (base.stub != 0), 0.0, cosines)
    near = np.argsort(-others, kind="stable")[:REACH]
    near = near[others[near] >= base.about.relevance_floor]
    return Read(
        article=article,
        title=title,
        terms=dict(zip(terms.tolist(), weights.tolist(), strict=True)),
        square=square,
        near=near,
        cosines=others[near],
        same=np.flatnonzero(same).tolist(),
        likeness=float(cosines[own]) / length if length else 0.0,
    )


def dot(one: dict[int, float], other: dict[int, float]) -> float:
    """The product of two rows."""
    if len(other) < len(one):
        one, other = other, one
    return sum(weight * other.get(term, 0.0) for term, weight in one.items())
