"""The row of a text nobody has stored, and its product with every article's, from mapped arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.bundle.arrays import Index
from recommender.text.tfidf import count, weigh


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """What finding neighbours of a new text takes: terms, their weights, and who has them."""

    vocabulary: Index
    idf: np.ndarray
    boilerplate: set[int]
    template: np.ndarray
    post_heads: np.ndarray
    post_rows: np.ndarray
    post_weights: np.ndarray
    n_articles: int

    def cosines(self, title: str, body: str) -> np.ndarray:
        """Cosine of a text with every article, ``(n_articles,)``."""
        return self.dots(*self.row(title, body))

    def row(self, title: str, body: str) -> tuple[np.ndarray, np.ndarray]:
        """The terms of a text that articles share, and their weights, as training makes them."""
        counts, bonus = count(title, body, self.boilerplate)
        number_of = {name: self.vocabulary.find(name) for name in sorted(counts)}
        forms = {name for name, at in number_of.items() if at is not None and self.template[at]}
        # A pair with a word of the form says nothing, as in training (``tfidf.fit``).
        names = [name for name in number_of if " " not in name or forms.isdisjoint(name.split(" "))]
        numbers = [number_of[name] for name in names]
        # A term nobody has used is as rare as can be; it matches nothing but has its weight.
        unseen = np.log(1 + self.n_articles) + 1
        idf = np.array([unseen if at is None else self.idf[at] for at in numbers])
        tf = np.array([counts[name] for name in names], dtype=np.float64)
        gains = np.array([0.0 if name in forms else bonus.get(name, 0.0) for name in names])
        weights = weigh(tf, gains, idf)
        length = float(np.sqrt((weights**2).sum())) or 1.0
        heads = self.post_heads
        shared = np.array([at is not None and heads[at] < heads[at + 1] for at in numbers], bool)
        return np.array(numbers)[shared], weights[shared] / length

    def dots(self, terms: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The product of a row with that of every article, ``(n_articles,)``."""
        found = np.zeros(self.n_articles, dtype=np.float32)
        for number, weight in zip(terms.tolist(), weights, strict=True):
            posts = slice(self.post_heads[number], self.post_heads[number + 1])
            found[self.post_rows[posts]] += weight * self.post_weights[posts]
        return found
