"""How good an order of shown links is, measured against what readers followed.

All links of a slate are ranked, and none that was not shown: metrics over sampled negatives can
turn orders round (Krichene & Rendle, KDD 2020) and are not offered.

Every metric has one signature. ``ranks`` are the places, from 1, that an order gave to the
followed links, flat; ``view``, which view each belongs to, ascending; ``size`` is how many
links each view showed. The result is ``(n_views,)``, left unaveraged so that it can be sliced,
resampled and checked. Gains are binary.

Two views of four links: the first followed its link at rank 2, the second those at 1 and 4.

>>> ranks, view, size = np.array([2, 1, 4]), np.array([0, 1, 1]), np.array([4, 4])
>>> reciprocal_rank(ranks, view, size)
array([0.5, 1. ])
>>> average_precision(ranks, view, size)
array([0.5 , 0.75])
>>> auc(ranks, view, size).round(3)
array([0.667, 0.5  ])
>>> recall(ranks, view, size, k=3), hit_rate(ranks, view, size, k=1)
(array([1. , 0.5]), array([0., 1.]))
>>> ndcg(ranks, view, size, k=3).round(3)
array([0.631, 0.613])
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from recommender.clicks.position_bias import click_weights
from recommender.store.impressions import Impressions


def reciprocal_rank(ranks: np.ndarray, view: np.ndarray, size: np.ndarray) -> np.ndarray:
    """1 over the place of the best-placed followed link, ``(n_views,)``; 0 if there is none."""
    best = np.full(len(size), np.inf)
    np.minimum.at(best, view, ranks)
    return 1 / best


def ndcg(ranks: np.ndarray, view: np.ndarray, size: np.ndarray, *, k: int) -> np.ndarray:
    """Normalised discounted cumulative gain of the first ``k``, ``(n_views,)`` (Järvelin &
    Kekäläinen 2002).

    The ideal puts every followed link first, as far as ``k`` reaches.
    """
    gains = np.where(ranks <= k, 1 / np.log2(1 + ranks), 0.0)
    got = np.bincount(view, weights=gains, minlength=len(size))
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(1 + np.arange(1, k + 1)))])
    best = ideal[np.minimum(np.bincount(view, minlength=len(size)), k)]
    return got / np.where(best > 0, best, 1)


def auc(ranks: np.ndarray, view: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Chance that a followed link stands before one that was not, ``(n_views,)``; NaN if all were
    followed.
    """
    n_followed = np.bincount(view, minlength=len(size))
    order = np.lexsort((ranks, view))
    # Of the links behind the i-th followed one, those that were followed do not count.
    first = np.concatenate([[0], np.cumsum(n_followed)[:-1]])
    place = np.arange(len(view)) - first[view]
    behind = size[view] - ranks[order] - (n_followed[view] - 1 - place)
    pairs = n_followed * (size - n_followed)
    right = np.bincount(view, weights=behind, minlength=len(size))
    return np.where(pairs > 0, right / np.maximum(pairs, 1), np.nan)


def average_precision(ranks: np.ndarray, view: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Mean, over the followed links, of the share of followed ones down to each, ``(n_views,)``; 0
    without any.

    Its mean over views is MAP (Buckley & Voorhees, SIGIR 2000).
    """
    n_followed = np.bincount(view, minlength=len(size))
    order = np.lexsort((ranks, view))
    first = np.concatenate([[0], np.cumsum(n_followed)[:-1]])
    place = np.arange(1, len(view) + 1) - first[view[order]]
    sums = np.bincount(view[order], weights=place / ranks[order], minlength=len(size))
    return sums / np.maximum(n_followed, 1)


def recall(ranks: np.ndarray, view: np.ndarray, size: np.ndarray, *, k: int) -> np.ndarray:
    """Share of the followed links that stand among the first ``k``, ``(n_views,)``; 0 if there is
    none.
    """
    found = np.bincount(view, weights=ranks <= k, minlength=len(size))
    return found / np.maximum(np.bincount(view, minlength=len(size)), 1)


def hit_rate(ranks: np.ndarray, view: np.ndarray, size: np.ndarray, *, k: int) -> np.ndarray:
    """1 if a followed link stands among the first ``k``, else 0, ``(n_views,)``."""
    found = np.bincount(view, weights=ranks <= k, minlength=len(size))
    return (found > 0).astype(np.float64)


def view_weights(views: Impressions, examined: np.ndarray) -> np.ndarray:
    """What each followed view counts if an order is not to gain by the places it had when it was
    shown, ``(n_views,)``: the mean, over its clicks, of one over the examination of their places
    (``click_weights``). ``examined`` is ``(n_layouts, n_places)``, the last of each for what comes
    behind it; a view whose order is unknown counts 1.
    """
    of_place = np.array([click_weights(layout) for layout in examined])
    slate = views.slate[views.click_view]
    layout = np.minimum(views.layout[slate], len(of_place) - 1)
    place = np.minimum(views.place[views.click_link], of_place.shape[1] - 1)
    each = np.where(views.ordered[slate], of_place[layout, place], 1.0)
    n_views = len(views.slate)
    clicks = np.bincount(views.click_view, minlength=n_views)
    return np.bincount(views.click_view, weights=each, minlength=n_views) / np.maximum(clicks, 1)


class Metric(NamedTuple):
    """A column of a report, or several: one for the first ``k`` links, and for each of ``cuts``;
    where ``cuts`` is None, all links count and ``function`` takes no ``k``.
    """

    name: str
    function: Callable[..., np.ndarray]
    meaning: str
    cuts: tuple[int, ...] | None = None


# A new metric is a function above and a row here; table and page follow from it.
METRICS = (
    Metric(
        "nDCG",
        ndcg,
        "gains of the followed links among the first k, discounted by the logarithm of the place, "
        "over the best possible",
        cuts=(5, 10),
    ),
    Metric("MRR", reciprocal_rank, "1 over the place of the best-placed followed link"),
    Metric(
        "MAP",
        average_precision,
        "mean, over followed links, of the share of followed ones down to each",
    ),
    Metric("recall", recall, "share of the followed links among the first k", cuts=()),
    Metric("hit rate", hit_rate, "share of views with a followed link among the first k", cuts=()),
    Metric("AUC", auc, "chance that a followed link stands before one that was not, in its slate"),
)


def columns(k: int) -> dict[str, Callable[..., np.ndarray]]:
    """The functions of ``METRICS``, which return ``(n_views,)``, by the names of their columns, as
    in ``nDCG@10``.
    """
    found: dict[str, Callable[..., np.ndarray]] = {}
    for metric in METRICS:
        if metric.cuts is None:
            found[metric.name] = metric.function
        else:
            for size in sorted({*metric.cuts, k}):
                found[f"{metric.name}@{size}"] = partial(metric.function, k=size)
    return found
