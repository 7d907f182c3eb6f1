"""How likely readers examine each position, in each layout, as far as the log identifies it.

It is identified by links that changed place (``intervention_harvesting``), as long as their places
did not depend on the very clicks that are counted. A build that learned from clicks lifts what was
lucky, and luck does not last: compared across builds, lower positions came out up to 75 % too high
on simulated logs, and links that rise and sink with the news mislead as much. So the clicks of a
pair are compared only while what decided its places stood still: under one bundle; beside one list
that never changed, or was shuffled at random; else within one day. Where that is too little,
changes between builds are used too, and the estimate carries a caveat. A site whose links never
move gets no estimate.

A layout with enough clicks gets a curve of its own; with fewer its own clicks are weighed against
the curve of the whole site.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from recommender.clicks.intervention_harvesting import (
    MAX_POSITION,
    N_PLACES,
    Cells,
    Curve,
    gather,
    harvest,
    refused,
)
from recommender.ragged import expand, find
from recommender.store.counts import UNKNOWN, Log

# Positions that hold this share of all views must be well known; rarer ones borrow from above.
MIN_SHARE_OF_VIEWS = 0.02
# Even where nothing else changes, what is liked does: pairs are compared within so many days.
PERIOD_DAYS = 28
CAVEAT = (
    "it rests on links that changed place from one build or day to the next; if clicks moved them, "
    "lower positions are overstated"
)
# A click weighs no more than so many where most is examined, or a few at the end of long lists
# would decide. With 2,000 to 20,000 clicks the error is within a sixth of that under the best bound
# of each case (benchmarks/README.md, "Weights of clicks"). Ionides (2008) has the square root of
# their number: this is it for 2,500.
MAX_WEIGHT = 50.0
# What bundles are called.
BUNDLE = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}(-\d+)?")
# Beyond any day, for numbering periods.
DAYS = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Examination(Curve):
    """The curve of the whole site, and those of its ``layouts`` by name if it has several."""

    layouts: Mapping[str, Curve] = field(default_factory=dict)

    @property
    def identified_somewhere(self) -> bool:
        """Whether the log identifies the curve of the site, or of a layout at least."""
        return self.identified or any(curve.identified for curve in self.layouts.values())

    def at(self, position: np.ndarray) -> np.ndarray:
        """The propensity at each ``position`` on the whole site, both ``(n_links,)``; 1 where the
        position is unknown (0).
        """
        return self.chance[np.minimum(position, MAX_POSITION)]

    def of(self, log: Log) -> np.ndarray:
        """The propensity of every link of a log, in its own layout, ``(n_links,)``."""
        if not self.layouts:
            return self.at(log.position)
        curves = np.array([self.curve(layout).chance for layout in log.layouts])
        return curves[log.layout[log.link_slate], np.minimum(log.position, MAX_POSITION)]

    def curve(self, layout: str) -> Curve:
        """The curve of a layout: its own, or the site's."""
        return self.layouts.get(layout, self)

    def about(self) -> dict[str, Any]:
        """The manifest's account of it."""
        layouts = [
            {
                "layout": layout,
                "identified": curve.identified,
                "reason": curve.reason,
                "n_clicks": curve.n_clicks,
            }
            for layout, curve in self.layouts.items()
        ]
        return {
            "identified": self.identified,
            "reason": self.reason,
            "n_clicks": self.n_clicks,
            "summary": self.summary(),
            "layouts": layouts,
        }

    def summary(self) -> list[str]:
        """What was corrected for and what not: sentences without a capital or a full stop."""
        if self.identified:
            found = [
                f"position is corrected for, by {self.n_clicks:,} clicks on links that stood at "
                "several positions" + (f"; {self.caveat}" if self.caveat else "")
            ]
        else:
            found = [f"position is not corrected for: {self.reason}"]
        for layout, curve in self.layouts.items():
            if curve.identified:
                how = f"by {curve.n_clicks:,} clicks of its own"
                how += f"; {curve.caveat}" if curve.caveat else ""
            else:
                how = "mostly as on the whole site" if self.identified else "not corrected for"
                how += f": {curve.reason}"
            found.append(f"layout {layout or '(unnamed)'}: {how}")
        return found


def click_weights(examined: np.ndarray) -> np.ndarray:
    """What a click weighs at each of these examination propensities, ``(n,)``: one over it, but at
    most ``MAX_WEIGHT`` times what it weighs where most is examined (Ionides 2008, "Truncated
    importance sampling"). What is examined less counts for too little by that.

    >>> click_weights(np.array([1.0, 0.5, 0.001]))
    array([ 1.,  2., 50.])
    """
    return 1 / np.maximum(examined, examined.max(initial=0.0) / MAX_WEIGHT)


def unidentified(reason: str, n_clicks: int = 0) -> Examination:
    """All positions count alike; ``reason`` is a sentence without a capital or a full stop."""
    none = refused(reason, n_clicks)
    return Examination(none.chance, none.low, none.high, False, reason, n_clicks)


def estimate(log: Log, *, seed: int) -> Examination:
    """Estimate examination by position with bootstrap intervals, or refuse; on the whole site and,
    where there are several, in each layout.
    """
    shown, _ = log.shown_and_clicked()
    known = (log.position > 0) & (log.link_source != UNKNOWN) & (log.item != UNKNOWN)
    if not (known & (shown > 0)).any():
        return unidentified("the log does not say at which position a link stood")

    def curve_of(moves: _Moves, slates: np.ndarray, towards: Curve | None = None) -> Curve:
        """The curve of some slates."""
        links = slates[log.link_slate] & known
        place = np.minimum(log.position[links], MAX_POSITION)
        share = np.bincount(place, weights=shown[links], minlength=N_PLACES)
        matters = share >= MIN_SHARE_OF_VIEWS * max(share.sum(), 1)
        matters[0] = False
        found = harvest(moves.cells(slates), matters, seed=seed, towards=towards)
        if moves.mixed and found.identified:
            return replace(found, caveat="; ".join(filter(None, (CAVEAT, found.caveat))))
        return found

    everywhere = np.ones(len(log.source), dtype=bool)
    moves = _Moves(log, known, _steady(log))
    whole = curve_of(moves, everywhere)
    if not whole.identified:
        moves = _Moves(log, known, None)
        whole = curve_of(moves, everywhere)
    site = whole if whole.identified else None
    seen = np.bincount(log.view_slate, weights=log.n_views, minlength=len(log.source)) > 0
    layouts = sorted(np.unique(log.layout[seen]).tolist(), key=lambda number: log.layouts[number])
    curves = {
        log.layouts[layout]: curve_of(moves, seen & (log.layout == layout), site)
        for layout in layouts
        if len(layouts) > 1
    }
    return Examination(
        whole.chance, whole.low, whole.high, whole.identified, whole.reason, whole.n_clicks,
        whole.caveat, curves,
    )  # fmt: skip


def _steady(log: Log) -> np.ndarray:
    """For each slate the number of what decided its places if that stood still for long, else -1.

    A bundle stands still. So does what is shown beside a source in a layout if all of it is one
    list, whether or not others were drawn at random beside it.
    """
    of_bundle = np.array([BUNDLE.fullmatch(name) is not None for name in log.lists])[log.list]
    drawn = np.bincount(
        log.link_slate, weights=log.propensity < 1, minlength=len(log.source)
    )  # NaN, an unknown chance, is not below 1
    seen = np.bincount(log.view_slate, weights=log.n_views, minlength=len(log.source)) > 0
    box = (log.source.astype(np.int64) + 1) * len(log.layouts) + log.layout
    _, box = np.unique(box, return_inverse=True)
    one = np.bincount(box, weights=seen & (drawn == 0) & ~of_bundle)[box] == 1
    return np.where(of_bundle, log.list + 1, np.where(one, 0, -1))


class _Moves:
    """Views and clicks by link and period, of pairs that were followed in it."""

    def __init__(self, log: Log, known: np.ndarray, steady: np.ndarray | None) -> None:
        """Without ``steady`` all time is one period."""
        self.mixed = steady is None
        of_click = log.link_slate[log.click_link]
        if steady is None:
            view_era, click_era = np.zeros_like(log.view_slate), np.zeros_like(of_click)
        else:
            view_era = _era(steady[log.view_slate], log.view_day)
            click_era = _era(steady[of_click], log.click_day)
        eras, number = np.unique(np.concatenate([view_era, click_era]), return_inverse=True)
        view_era, click_era = np.split(number, [len(view_era)])
        n_eras, n_layouts = max(1, len(eras)), len(log.layouts)
        width = int(max(log.item.max(initial=0), log.source.max(initial=0))) + 1
        keys = log.link_source.astype(np.int64) * width + log.item
        _, pair = np.unique(keys, return_inverse=True)
        pair = pair * n_layouts + log.layout[log.link_slate]
        # Slates by era, and their views.
        rows, row = np.unique(log.view_slate * n_eras + view_era, return_inverse=True)
        views = np.bincount(row, weights=log.n_views, minlength=len(rows))
        slate, era = np.divmod(rows, n_eras)
        # Their links, of which only those count whose pair was followed in that era.
        link, of_row = expand(log.heads[slate], np.diff(log.heads)[slate])
        stratum = pair[link] * n_eras + era[of_row]
        followed = np.unique(pair[log.click_link] * n_eras + click_era)
        kept = np.flatnonzero(np.isin(stratum, followed) & known[link])
        self.stratum, link = stratum[kept], link[kept]
        of_row = of_row[kept]
        self.views, self.slate = views[of_row], slate[of_row]
        self.place = np.minimum(log.position[link], MAX_POSITION)
        self.pair = pair[link] // n_layouts
        # Clicks find their link by its number and era.
        named = link * n_eras + era[of_row]
        order = np.argsort(named)
        place = find(named[order], log.click_link * n_eras + click_era)
        self.clicks = np.bincount(
            order[place[place >= 0]], weights=log.n_clicks[place >= 0], minlength=len(named)
        )

    def cells(self, slates: np.ndarray) -> Cells:
        """Of some slates; each pair in each era and layout is a stratum."""
        use = slates[self.slate]
        return gather(
            self.stratum[use], self.pair[use], self.place[use], self.views[use], self.clicks[use]
        )


def _era(steady: np.ndarray, day: np.ndarray) -> np.ndarray:
    """The number of the period in which a slate's day lies."""
    return np.where(steady < 0, day, steady.astype(np.int64) * DAYS + day // PERIOD_DAYS)
