"""What came of an interleaved experiment: for which arm's links readers had a preference.

A click counts for the arm that picked the link in the team draft (Radlinski, Kurup and Joachims
2008, "How does clickthrough data reflect retrieval quality?", on interleaved comparison). The coins
are as often one way round as the other, so if readers have no preference a view is as likely to
credit the one as the other, whatever the readers are like, and the sum over views of the one's
clicks less the other's is a martingale. So the share of the second arm among the clicks that are
credited has an interval that holds at every look (``sequential.Sums.single``), which is beside one
half where there is a preference.

How much more an arm would win alone is not known from it: the better links of both stand in one
list, and the first to be followed may end the search.

>>> found = preference([0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1], [300, 420, 280, 400])
>>> round(float(found.estimate[-1]), 2), bool(found.low[-1] > 0.5)
(0.59, True)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recommender.experiments.sequential import ALPHA, MIN_CLICKS, Difference, Sums


def preference(
    day: Sequence[int] | np.ndarray,
    one: Sequence[int] | np.ndarray,
    two: Sequence[int] | np.ndarray,
    times: Sequence[int] | np.ndarray,
    *,
    n_days: int | None = None,
    alpha: float = ALPHA,
    inflated: float = 1.0,
) -> Difference:
    """The share of the second arm among the clicks credited to either, up to each day, with its
    interval, ``(n_days,)``. Rows, ``(n_rows,)``, stand for so many views (``times``) of a ``day``
    (from 0) with clicks on links of team ``one`` and ``two``.
    """
    look, first, second = (np.asarray(each) for each in (day, one, two))
    n_looks = n_days if n_days is not None else int(look.max(initial=-1)) + 1
    sums = Sums.of(
        look, np.zeros_like(look), second, first + second, times=np.asarray(times),
        n_looks=n_looks, n_arms=1,
    )  # fmt: skip
    return preferred(sums, alpha=alpha, inflated=inflated)


def preferred(sums: Sums, *, alpha: float = ALPHA, inflated: float = 1.0) -> Difference:
    """The same of sums, ``(..., n_looks, 1, 10)``, of the second arm's clicks among those of both.
    Not given until each arm has some clicks.
    """
    second = sums.values[..., 0, :]
    both = second[..., 1] >= MIN_CLICKS
    both &= second[..., 2] - second[..., 1] >= MIN_CLICKS
    return sums.single(0, alpha=alpha, inflated=inflated, given=both)
