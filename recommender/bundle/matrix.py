"""The matrix of a site's texts, as a bundle keeps it, and made again for analysts.

A bundle holds it once, term by term, as new texts are looked up in it (``published.Texts``): how
often and where each term stands in an article. Weights are a function of that, so those of training
come back bit by bit.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_array, csr_array

from recommender.bundle.arrays import Index, Strings, narrow
from recommender.bundle.published import IN_SUBJECT, IN_TITLE, Texts
from recommender.candidates import EMPTY
from recommender.text.tfidf import Text, weigh

BLOCK = 4_000  # articles


def texts_of(text: Text) -> Texts:
    """What a new text is looked up in."""
    place = (text.title_weights > 0).astype(np.int32) + (text.subject_weights > 0)
    keys = text.counts * np.int32(IN_SUBJECT + 1) + place
    del place
    used = np.flatnonzero(np.bincount(keys))
    codes = np.zeros(int(used.max(initial=0)) + 1, dtype=np.min_scalar_type(len(used)))
    codes[used] = np.arange(len(used))
    codes_of, n = codes[keys], len(text.lengths)
    del keys
    shape = n, len(text.vocabulary)
    turned = csr_array((codes_of, text.indices, text.indptr), shape=shape).tocsc()
    del codes_of
    return Texts(
        vocabulary=Index.of(Strings.of(text.vocabulary)),
        idf=text.idf,
        forms=text.forms,
        boilerplate=text.boilerplate,
        with_runs=text.with_runs,
        heads=narrow(turned.indptr),
        rows=narrow(turned.indices),
        codes=turned.data,
        counts=(used // (IN_SUBJECT + 1)).astype(np.uint16),
        places=(used % (IN_SUBJECT + 1)).astype(np.uint8),
        norms=text.norms,
        squares=squares_of(text),
        is_named=(text.kind != EMPTY).astype(np.uint8),
        n_articles=n,
    )


def squares_of(text: Text) -> np.ndarray:
    """The square of the length of each row, ``(n_articles,)``, worked out block by block: the
    matrix of a large site leaves no room for several numbers of eight bytes an entry.
    """
    n = len(text.lengths)
    squares = np.empty(n, dtype=np.float32)
    for start in range(0, n, BLOCK):
        heads = text.indptr[start : start + BLOCK + 1]
        row = np.repeat(np.arange(len(heads) - 1), np.diff(heads))
        square = np.square(text.weights[heads[0] : heads[-1]], dtype=np.float64)
        squares[start : start + BLOCK] = np.bincount(row, square, minlength=len(heads) - 1)
    return squares


def matrix(texts: Texts) -> dict[str, np.ndarray]:
    """The rows of articles as training had them, bit by bit: the fields of ``Corpus`` that are
    their matrix, and ``counts``, how often each entry stands in its text.
    """
    shape = texts.n_articles, len(texts.idf)
    rows = csc_array((texts.codes, texts.rows, texts.heads), shape=shape).tocsr()
    row = np.repeat(np.arange(texts.n_articles), np.diff(rows.indptr))
    idf, codes = texts.idf[rows.indices], rows.data
    counts, place = texts.counts[codes], texts.places[codes]
    norms = (texts.norms[:, at][row] for at in range(3))
    flags = (np.ones(len(row), bool), place >= IN_TITLE, place == IN_SUBJECT)
    whole = weigh(counts.astype(np.int32), place >= IN_TITLE, idf)
    values = (whole, idf * flags[1], idf * flags[2])
    weights, titles, subjects = (
        (value / norm).astype(np.float32) for value, norm in zip(values, norms, strict=True)
    )
    subjects *= texts.naming_weight[row]
    return {
        "indptr": rows.indptr.astype(np.int64), "indices": rows.indices.astype(np.int32),
        "weights": weights, "title_weights": titles, "subject_weights": subjects,
        "counts": counts,
    }  # fmt: skip
