"""How much of a log what pages send may weigh, day by day and page by page.

Nothing a page sends proves that a reader sent it, so there can be any amount of it. Two things are
bounded for that. A day counts for no more than a few usual ones (here); and what was followed on a
day or a page counts as far as it agrees with the rest of the log (``ranking.consistency``). Views
and clicks weigh less together, so that rates stay what they are and only certainty is lost.

A day's allowance is shared evenly by its pages: those with few views keep them, and one that was
opened by thousands keeps what the others leave. So a flood over every page counts as one day, and a
campaign for one page nearly whole. What a site imports is trusted, and never weighs less; it counts
where usual days are looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any

import numpy as np

from recommender.array_fields import Numbers, Values
from recommender.events.allowance import ALLOWED, BURST, LEAST_VIEWS
from recommender.ragged import distinct, find
from recommender.store.counts import Log

# A usual day is the median of so many before it, or of all others while there are fewer than
# ``MIN_DAYS``; of fewer days in all none is usual. Four weeks have every weekday four times.
USUAL_DAYS, MIN_DAYS = 28, 3
# Days that the card names.
N_NAMED = 10
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What pages sent, by day and page, ``(n_cells,)``: the sorted ``keys`` ``day * n_pages +
    page``, ``views`` and ``clicks``; and what they weigh, between 0 and 1: by the ``volume`` of the
    day, and by how far the ``page`` and the ``day`` agree with the rest of the log. Clicks on one
    target on one day, the sorted ``target_keys`` ``day * n_pages + target``, weigh besides what
    ``target`` has, ``(n_targets,)``; their views do not, since they showed others too.
    """

    n_pages: int
    keys: np.ndarray
    views: np.ndarray
    clicks: np.ndarray
    volume: np.ndarray
    page: np.ndarray
    day: np.ndarray
    target_keys: np.ndarray
    target: np.ndarray

    @property
    def weight(self) -> np.ndarray:
        """What each cell weighs, ``(n_cells,)``."""
        return self.volume * self.page * self.day

    def of(self, days: np.ndarray, pages: np.ndarray) -> np.ndarray:
        """What pages sent on these days weighs; ``(n_rows,)``, as are ``days`` and ``pages``."""
        return weights_at(self.keys, self.weight, self.n_pages, days, pages)

    def of_targets(self, days: np.ndarray, items: np.ndarray) -> np.ndarray:
        """What clicks on ``items`` weigh besides, ``(n_rows,)``, as are ``days`` and ``items``."""
        return weights_at(self.target_keys, self.target, self.n_pages, days, items)

    def weigh(self, log: Log) -> Log:
        """The log, of which what pages sent weighs so much."""
        if (self.weight >= 1).all() and (self.target >= 1).all():
            return log
        views = self.of(log.view_day, log.source[log.view_slate])
        clicks = self.of(log.click_day, log.link_source[log.click_link])
        clicks = clicks * self.of_targets(log.click_day, log.item[log.click_link])
        return log.weighed(
            np.where(log.view_live, views, 1.0), np.where(log.click_live, clicks, 1.0)
        )

    def weights(self) -> Weights:
        """What of it weighs less than all of the rest."""
        cells, clicks = np.flatnonzero(self.weight < 1), np.flatnonzero(self.target < 1)
        return Weights(
            *np.divmod(self.keys[cells], self.n_pages),
            self.weight[cells],
            *np.divmod(self.target_keys[clicks], self.n_pages),
            self.target[clicks],
        )

    def about(self, log: Log) -> dict[str, Any]:
        """The manifest's account of it; ``log`` is that which it was found in, and has besides
        what only requests brought onto lists.
        """
        counted = log.shown_to_all()
        left: dict[str, float] = {}
        before = np.ones(len(self.keys))
        for name, weight in (("volume", self.volume), ("page", self.page), ("day", self.day)):
            lost = before * (1 - weight)
            left[f"{name}_views"] = round(float(self.views @ lost), 1)
            left[f"{name}_clicks"] = round(float(self.clicks @ lost), 1)
            before = before * weight
        clicks = counted.n_clicks * counted.click_live
        clicks = clicks * self.of(counted.click_day, counted.link_source[counted.click_link])
        targets = self.of_targets(counted.click_day, counted.item[counted.click_link])
        days, number = np.unique(self.keys // self.n_pages, return_inverse=True)
        sent, lost = (
            np.bincount(number, weights=of) for of in (self.views, self.views * (1 - before))
        )
        worst = [at for at in np.argsort(-lost, kind="stable")[:N_NAMED].tolist() if lost[at] >= 1]
        brought = log.brought[log.click_link]
        return {
            "n_views": int(log.n_views[log.view_live].sum()),
            "n_clicks": int(log.n_clicks[log.click_live].sum()),
            **left,
            "target_clicks": round(float((clicks * (1 - targets)).sum()), 1),
            "brought_clicks": int(log.n_clicks[log.click_live & brought].sum()),
            "usual_views": _usual_day(counted.view_day, counted.n_views),
            "usual_clicks": _usual_day(counted.click_day, counted.n_clicks),
            "days": {
                str(EPOCH + timedelta(days=int(days[at]))): round(1 - lost[at] / sent[at], 3)
                for at in sorted(worst)
            },
        }


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What pages sent that weighs less than the rest: views and clicks of some ``pages`` on some
    ``days``, ``(n_cells,)``, and besides clicks on ``targets`` on ``target_days``,
    ``(n_targets,)``. Articles are numbers of the build.
    """

    days: Annotated[np.ndarray, Numbers("n_cells")]
    pages: Annotated[np.ndarray, Numbers("n_cells", below="n_articles")]
    weight: Annotated[np.ndarray, Values("n_cells", least=0, most=1)]
    target_days: Annotated[np.ndarray, Numbers("n_targets")]
    targets: Annotated[np.ndarray, Numbers("n_targets", below="n_articles")]
    target_weight: Annotated[np.ndarray, Values("n_targets", least=0, most=1)]


def weights_at(
    keys: np.ndarray, weight: np.ndarray, n_pages: int, days: np.ndarray, articles: np.ndarray
) -> np.ndarray:
    """The ``weight`` of each row, ``(n_rows,)``, found by its day and article among the sorted
    ``keys`` ``day * n_pages + article``; 1 for those that are not there, or not known (-1).
    """
    at = find(keys, days.astype(np.int64) * n_pages + articles)
    found = (at >= 0) & (articles >= 0)
    return np.where(found, weight[at] if len(keys) else 1.0, 1.0)


def limited(log: Log, n_pages: int) -> Evidence:
    """What pages sent, with days that bring many more views than usual weighed down. Clicks are not
    limited apart: better lists win more of them, and what no list wins disagrees with the rest.
    """
    page = log.source[log.view_slate].astype(np.int64)
    click_page = log.link_source[log.click_link].astype(np.int64)
    # A page that the build does not have teaches nothing, and takes nothing from the others.
    known, clicked = log.view_live & (page >= 0), log.click_live & (click_page >= 0)
    keys = log.view_day[known].astype(np.int64) * n_pages + page[known]
    click_keys = log.click_day[clicked].astype(np.int64) * n_pages + click_page[clicked]
    cells = distinct(np.concatenate([keys, click_keys]))
    views, clicks = (
        np.bincount(np.searchsorted(cells, of), weights=n, minlength=len(cells))
        for of, n in ((keys, log.n_views[known]), (click_keys, log.n_clicks[clicked]))
    )
    volume = np.ones(len(cells))
    for day, most in allowances(log.view_day, log.n_views, known).items():
        first, last = np.searchsorted(cells, [day * n_pages, (day + 1) * n_pages])
        of_pages = views[first:last]
        volume[first:last] = np.minimum(1.0, level_of(of_pages, most) / np.maximum(of_pages, 1e-12))
    ones, none = np.ones(len(cells)), np.zeros(0)
    return Evidence(n_pages, cells, views, clicks, volume, ones, ones, none.astype(np.int64), none)


def allowances(days: np.ndarray, n: np.ndarray, live: np.ndarray) -> dict[int, float]:
    """How much of what pages sent may count on each day that brought more than that. All are
    ``(n_rows,)``: a day, how much, and whether pages sent it.
    """
    known, number = np.unique(days, return_inverse=True)
    total, sent = (np.bincount(number, weights=weights) for weights in (n, n * live))
    found: dict[int, float] = {}
    given: list[tuple[int, float]] = []  # what was allowed beyond ``ALLOWED``, by day
    for at, day in enumerate(known.tolist()):
        usual = _usual(total, at)
        if usual is None or sent[at] <= LEAST_VIEWS:
            continue
        most = max(LEAST_VIEWS, ALLOWED * usual)
        burst = BURST * usual - sum(more for of, more in given if of > day - USUAL_DAYS)
        more = float(np.clip(sent[at] - most, 0, max(burst, 0)))
        if more:
            given.append((day, more))
        if sent[at] > most + more:
            found[day] = most + more
    return found


def _usual(total: np.ndarray, at: int) -> float | None:
    """What is usual on the day numbered ``at``, by the ``total`` of each; None if unknown."""
    before = total[max(0, at - USUAL_DAYS) : at]
    others = before if len(before) >= MIN_DAYS else np.delete(total, at)
    return float(np.median(others)) if len(others) >= MIN_DAYS else None


def _usual_day(days: np.ndarray, n: np.ndarray) -> float | None:
    """What is usual on the day after the last."""
    known, number = np.unique(days, return_inverse=True)
    total = np.append(np.bincount(number, weights=n), 0.0)
    return _usual(total, len(known))


def level_of(volume: np.ndarray, most: float) -> float:
    """The level at which volumes, ``(n,)``, are cut so that they come to no more than ``most``.

    >>> level_of(np.array([10.0, 20.0, 5_000.0]), 1_000.0)
    970.0
    """
    order = np.sort(volume)
    before = np.concatenate([[0.0], np.cumsum(order)[:-1]])
    level = (most - before) / np.arange(len(order), 0, -1)
    cut = np.flatnonzero(level < order)
    return float(level[cut[0]]) if len(cut) else float(order[-1])
