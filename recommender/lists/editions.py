"""Articles that are editions of one another: this year's Christmas fair and that of 2019.

A list holds one article of a title. If the best of them is an older edition, the newest stands in
its place; pages that merely share a general title, such as "Overview", are no editions, and the
best stays.
"""

from __future__ import annotations

import numpy as np

from recommender.ragged import ranks
from recommender.text.corpus import Corpus

# Texts under one title that are at least this much alike, as a cosine, are of one thing. Read by
# eye on some 150 pairs of msdocs and va: below it are operators of a language, from .5 on an old
# page and its successor. Titles count in it.
EDITION = 0.5
# Editions that are looked at, the newest: it bounds the work where a thousand pages are alike.
N_NEWEST = 10


def newest_editions(corpus: Corpus, same: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """The newest edition of each article, itself if there is none newer, ``(n_articles,)``.

    ``same`` is what namesakes and near-duplicates share, ``listed`` true of what may be listed,
    both ``(n_articles,)``. An undated article is older than any dated one.
    """
    n = len(same)
    newest = np.arange(n)
    day = np.nan_to_num(corpus.published, nan=-np.inf)
    heirs = np.flatnonzero(listed & np.isfinite(day) & (np.bincount(same)[same] > 1))
    place = ranks(same[heirs], day[heirs])
    # From the tenth newest to the newest, so that this one has the last word.
    for number in range(N_NEWEST, 0, -1):
        heir = np.full(n, -1)
        of = heirs[place == number]
        heir[same[of]] = of
        rows = np.flatnonzero(heir[same] >= 0)
        later = heir[same[rows]]
        newer = day[later] > day[rows]
        rows, later = rows[newer], later[newer]
        alike = corpus.cosine(rows, later) >= EDITION
        newest[rows[alike]] = later[alike]
    return newest
