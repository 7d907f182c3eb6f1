"""BM25 of pairs of articles, from what a bundle keeps of their texts.

The source's text is the query. Each of its terms counts ``idf x saturated frequency`` in the
other text (Robertson & Zaragoza 2009, "The probabilistic relevance framework", section 3.1, with
the idf that is never negative), as often as it stands in the source, saturated likewise.

A bundle holds weights, not counts; counts are read back from them. A weight is ``idf (1 + ln tf +
bonus)`` over the length of its row, the lengths are known up to one factor from ``fullness``, and
that factor follows from any term that stands in its text once.
"""

from __future__ import annotations

import numpy as np

from recommender.bundle.texts import Texts
from recommender.ragged import expand
from recommender.text.corpus import Site
from recommender.text.kernels import pair_dots
from recommender.text.tfidf import PAIR_BONUS, PIVOT, TITLE_BONUS

K1 = 1.2
B = 0.75


def bm25(site: Site, texts: Texts, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The score of each pair, ``(n_pairs,)``: how well the item answers the source as a query."""
    rows, place = np.unique(np.concatenate([sources, items]), return_inverse=True)
    entry, row = expand(site.indptr[rows], np.diff(site.indptr)[rows])
    term = site.indices[entry]
    counts = term_counts(site, texts)[entry]
    n = site.n_articles
    # scikit-learn's smooth idf, solved for the number of articles that have the term.
    n_with = (1 + n) / np.exp(texts.idf[term].astype(np.float64) - 1) - 1
    idf = np.log1p((n - n_with + 0.5) / (n_with + 0.5))
    mean = site.words[site.words > 0].mean() if (site.words > 0).any() else 1.0
    long = K1 * (1 - B + B * site.words[rows] / mean)
    in_item = idf * counts * (K1 + 1) / (counts + long[row])
    in_source = counts * (K1 + 1) / (counts + K1)
    # The kernel multiplies rows of one matrix: queries stand above, texts below.
    heads = np.searchsorted(row, np.arange(len(rows) + 1))
    both = np.concatenate([heads, heads[1:] + len(entry)])
    weights = np.concatenate([in_source, in_item]).astype(np.float32)
    of_source, of_item = place[: len(sources)], place[len(sources) :] + len(rows)
    found: np.ndarray = pair_dots(both, np.tile(term, 2), weights, of_source, of_item)
    return found.astype(np.float64)


def term_counts(site: Site, texts: Texts) -> np.ndarray:
    """How often each term of each row stands in its text, ``(n_entries,)``."""
    row = np.repeat(np.arange(site.n_articles), np.diff(site.indptr))
    fullness = site.fullness.astype(np.float64)
    # ``tfidf.fit``'s fullness, solved for the length over the mean length.
    length = (PIVOT * fullness / (1 - (1 - PIVOT) * fullness))[row]
    said = length * site.weights / texts.idf[site.indices]
    plain = 1 + _bonus(site, texts)
    mean = float((plain / said).max(initial=0.0))
    counts: np.ndarray = np.maximum(np.rint(np.exp(said * mean - plain)), 1)
    return counts


def _bonus(site: Site, texts: Texts) -> np.ndarray:
    """What each term gains by standing in its title."""
    in_title = (site.title_weights > 0) & (texts.template[site.indices] == 0)
    terms, number = np.unique(site.indices[in_title], return_inverse=True)
    names = texts.vocabulary.column
    gains = np.array([PAIR_BONUS if " " in names[int(term)] else TITLE_BONUS for term in terms])
    bonus = np.zeros(len(site.indices))
    bonus[in_title] = gains[number]
    return bonus
