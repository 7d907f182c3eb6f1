"""What a training fits, and the next ones keep while little came since: trees that predict editors'
lists, what goes beyond the levels of clicks, and the slope of chances, with their trials.

What is counted is counted of all there is at every training: lists, groups of pairs in them, clicks
and levels. What is fitted to these counts is of a site and its readers, not of a day; it stays
until a twentieth of the lists changed or of the clicks came since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender.articles.article import Article
from recommender.ranking.boosting import Forest
from recommender.ranking.calibration import Calibrated, Slope
from recommender.ranking.handpicked import Outcome
from recommender.ranking.ranker import Learned, Lesson
from recommender.text.terms import fingerprint

# Not tuned.
MAX_NEW = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What editors' lists taught, ``taught`` without its model and the ``trees`` of that, None if
    they taught nothing; ``lists`` are fingerprints of them, sorted. What clicks taught, a
    ``lesson``, and the ``slope`` of chances, both None where there were too few; ``n_clicks`` is
    how many the log held.
    """

    taught: Outcome
    trees: Forest | None
    lists: np.ndarray
    lesson: Lesson | None
    slope: Slope | None
    n_clicks: int

    def holds_of(self, lists: np.ndarray) -> bool:
        """May what lists taught stay, where they are these?"""
        n_same = len(np.intersect1d(lists, self.lists))
        return max(len(lists), len(self.lists)) - n_same <= MAX_NEW * len(self.lists)

    def lesson_at(self, n_clicks: int) -> Lesson | None:
        """The lesson, if it may stay where the log holds so many clicks."""
        came = abs(n_clicks - self.n_clicks)
        return self.lesson if came <= MAX_NEW * self.n_clicks else None


def fitted(
    taught: Outcome, lists: np.ndarray, learned: Learned, calibrated: Calibrated, n_clicks: int
) -> Fitted:
    """What of a training is fitted."""
    trees = taught.model.trees if taught.model else None
    return Fitted(
        replace(taught, model=None), trees, lists, learned.lesson, calibrated.slope, n_clicks
    )


def prints_of_lists(articles: Sequence[Article]) -> np.ndarray:
    """Fingerprints of the pages' hand-picked lists, sorted, ``(n_lists,)``."""
    found = (
        fingerprint("\0".join((article.id, *article.recommended)))
        for article in articles
        if article.recommended
    )
    return np.sort(np.fromiter(found, np.uint64))
