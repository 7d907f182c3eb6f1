"""BM25 of pairs of articles, from the counts a bundle keeps of their texts.

The source's text is the query. Each of its terms counts ``idf x saturated frequency`` in the
other text (Robertson & Zaragoza 2009, "The probabilistic relevance framework", section 3.1, with
the idf that is never negative), as often as it stands in the source, saturated likewise. Terms of
one text alone, which find nothing, and those of a tenth of a large site are left out.
"""

from __future__ import annotations

import numpy as np

from recommender.ragged import expand
from recommender.text.corpus import Corpus
from recommender.text.kernels import pair_dots

# The values that Robertson & Zaragoza call reasonable in most circumstances (section 3.5).
K1 = 1.2
B = 0.75


def bm25(site: Corpus, counts: np.ndarray, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The score of each pair, ``(n_pairs,)``: how well the item answers the source as a query.

    ``counts`` says how often each entry of the site's matrix stands in its text, ``(n_entries,)``.
    """
    rows, place = np.unique(np.concatenate([sources, items]), return_inverse=True)
    entry, row = expand(site.indptr[rows], np.diff(site.indptr)[rows])
    term, counts = site.indices[entry], counts[entry].astype(np.float64)
    n_with = np.bincount(site.indices)[term]
    idf = np.log1p((site.n_articles - n_with + 0.5) / (n_with + 0.5))
    mean = site.words[site.words > 0].mean() if (site.words > 0).any() else 1.0
    long = K1 * (1 - B + B * site.words[rows] / mean)
    in_item = idf * counts * (K1 + 1) / (counts + long[row])
    in_source = counts * (K1 + 1) / (counts + K1)
    # The kernel multiplies rows of one matrix: queries stand above, texts below.
    heads = np.searchsorted(row, np.arange(len(rows) + 1))
    both = np.concatenate([heads, heads[1:] + len(entry)])
    weights = np.concatenate([in_source, in_item]).astype(np.float32)
    of_source, of_item = place[: len(sources)], place[len(sources) :] + len(rows)
    return pair_dots(both, np.tile(term, 2), weights, of_source, of_item).astype(np.float64)
