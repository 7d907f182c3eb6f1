"""What being new is worth before anybody has read an article: a factor on the score of its text.

Between two articles of like relevance the newer one comes first; an old one of a clearly better
text still wins, since the factor is bounded below.

>>> freshness(np.array([1000.0, 1000 - 5 * YEAR, np.nan, -1e6]), now=1000.0).round(2)
array([1. , 0.8, 0.8, 0.6], dtype=float32)
"""

from __future__ import annotations

import numpy as np

YEAR = 365.25
# The factor of an article that is infinitely old, and the years in which half of the way there is
# gone: the strongest that costs nothing measurable where articles do not age. On msdocs, whose
# editors linked whatever helps, nDCG@10 by text changes by -.0004 to +.0004 (± .0007) at five dates
# from 2019 to 2026; with a half-life of 2 years by as much as -.0015 ± .0008, with a factor of .5
# and 3 years -.0018 ± .0008 (benchmarks/README.md, "Dates").
LEAST, HALF_LIFE_YEARS = 0.6, 5.0
# The same in sections that a site says are ageing, such as news: what is a year old has lost two
# fifths. Not tuned.
LEAST_AGEING, HALF_LIFE_YEARS_AGEING = 0.2, 1.0


def freshness(published: np.ndarray, now: float, ageing: np.ndarray | bool = False) -> np.ndarray:
    """The factor of each article, ``(n_articles,)``, float32, 1 for one of today.

    ``published`` and ``now`` are days since 1970, NaN where unknown; ``ageing`` is true of articles
    in sections that age, ``(n_articles,)``. An undated article counts as the median of the dated.
    """
    age = np.maximum(now - undated_as_median(published), 0) / YEAR
    least = np.where(ageing, LEAST_AGEING, LEAST)
    half_life = np.where(ageing, HALF_LIFE_YEARS_AGEING, HALF_LIFE_YEARS)
    factor = least + (1 - least) * np.exp2(-age / half_life)
    # Of a site without dates nothing is known, and nothing changes.
    return np.where(np.isnan(age), 1.0, factor).astype(np.float32)


def undated_as_median(published: np.ndarray) -> np.ndarray:
    """Days, those unknown being the median of the known ones; NaN if none is known; ``(n,)``."""
    unknown = np.isnan(published)
    if unknown.all():
        return published
    return np.where(unknown, np.median(published[~unknown]), published)
