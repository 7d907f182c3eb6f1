"""What texts are about beyond the words they share: latent semantic analysis, kinds set aside.

Two pages on one subject may have few words in common. The singular vectors of the TF-IDF matrix put
words that stand together into one direction (Deerwester et al., JASIS 1990). Two things are added.
Answers to one kind of question are alike whatever they are about ("X is inherited in an autosomal
..."), so each kind's mean is taken off its answers; and a page takes half its place from its
nearest neighbours, which know more words of its subject than it does.
"""

from __future__ import annotations

import numpy as np

from recommender.candidates import EMPTY
from recommender.text.tfidf import Text

# So many directions as the square root of the number of articles times this: 16 of 400, 100 of
# 16,000. Few tell topics apart, many no more than words do (benchmarks/README.md, "Text").
PER_ROOT = 0.8
MAX_DIRECTIONS = 100
# A smaller site has no more topics than words.
MIN_ARTICLES = 50
# Neighbours that a page is smoothed by. Of 5, 10 and 20, 10 was as good as any.
N_SMOOTHED = 10
# Kinds of fewer articles have no mean to speak of. Not tuned.
MIN_KIND = 10


def latent(text: Text, near: np.ndarray, likeness: np.ndarray, *, seed: int) -> np.ndarray:
    """Each article's place among topics, of length 1 or all 0, ``(n_articles, n_directions)``;
    ``near`` and ``likeness`` are its neighbours ``(n_articles, k)``. A small site has none.
    """
    n = len(near)
    size = min(MAX_DIRECTIONS, int(PER_ROOT * n**0.5))
    if n < MIN_ARTICLES or len(text.idf) <= size:
        return np.zeros((n, 1), dtype=np.float32)
    from scipy.sparse import csr_array
    from sklearn.decomposition import TruncatedSVD

    matrix = csr_array((text.weights, text.indices, text.indptr), shape=(n, len(text.idf)))
    place = TruncatedSVD(size, n_iter=4, random_state=seed).fit_transform(matrix)
    place = _unit(_without_kinds(place, text.kind))
    near, likeness = near[:, :N_SMOOTHED], likeness[:, :N_SMOOTHED]
    share = likeness / np.maximum(likeness.sum(axis=1, keepdims=True), 1e-9)
    around = np.zeros_like(place)
    for slot in range(near.shape[1]):
        around += share[:, slot, None] * place[near[:, slot]] * (near[:, slot, None] != EMPTY)
    return _unit(place + around).astype(np.float32)


def _without_kinds(place: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Every kind moved to the mean of all."""
    found = place.copy()
    for number in range(kind.max(initial=EMPTY) + 1):
        of_kind = kind == number
        if of_kind.sum() >= MIN_KIND:
            found[of_kind] += place.mean(axis=0) - place[of_kind].mean(axis=0)
    return found


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.sqrt((rows**2).sum(axis=1, keepdims=True)), 1e-9)
