"""How likely each position is to be looked at, in each layout, as far as the log can tell.

Links that changed place tell it (``harvesting``), if their places did not depend on the very
clicks that are counted. A build that learned from clicks lifts what was lucky, and the luck does
not last: compared across builds, lower positions looked up to 75 % too good on simulated logs, and
links that rise and sink with the news mislead as much. So a pair's clicks are compared only while
what decided its places stood still: under one bundle; beside one list that never changed, or was
shuffled by lot; else within one day. Where that is too little, changes between builds are used, and
the estimate bears a caveat. A site whose links never move gets none.

A layout that has enough clicks of its own gets a curve of its own; elsewhere what little there is
is weighed against the curve of the whole site. Within a layout a list may have one too, but only
if it differs beyond doubt: readers do not see who chose a list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from recommender.clicks.guessing import Alike, guess
from recommender.clicks.intervention_harvesting import (
    MAX_POSITION,
    N_PLACES,
    Cells,
    Curve,
    error,
    gather,
    harvest,
    refused,
)
from recommender.ragged import expand
from recommender.store.counts import UNKNOWN, Log

# Positions that hold this share of all views must be well known; rarer ones borrow from above.
MIN_SHARE_OF_VIEWS = 0.02
# Even where nothing else changes, what is liked does: pairs are compared within so many days.
STRETCH_DAYS = 28
# A list's curve counts as its own if it is so many standard errors from its layout's somewhere.
MIN_APART = 3.5
CAVEAT = (
    "it rests on links that changed place from one build or day to the next; if clicks moved them, "
    "lower positions are overstated"
)
# What bundles are called. To a reader one is like the next, so for curves they are one list.
BUNDLE = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}(-\d+)?")
BUNDLES = "bundles"
# Beyond any day, for numbering stretches of time.
DAYS = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Examination(Curve):
    """The curve of the whole site, and by layout, or layout and list, those that were looked for
    ``apart``; a list of None stands for all of a layout's. ``guessed`` is what a model of appeal
    makes of a log that does not identify any: to be told, not to be used.
    """

    apart: Mapping[tuple[str, str | None], Curve] = field(default_factory=dict)
    guessed: Curve | None = None

    def at(self, position: np.ndarray) -> np.ndarray:
        """The propensity at each of ``position`` on the whole site; 1 where it is unknown."""
        found: np.ndarray = self.chance[np.minimum(position, MAX_POSITION)]
        return found

    def of(self, log: Log) -> np.ndarray:
        """The propensity of every link of a log, in its own layout and list; ``(n_links,)``."""
        if not self.apart:
            return self.at(log.position)
        kinds, number = np.unique(log.layout * len(log.lists) + log.list, return_inverse=True)
        curves = np.array(
            [
                self.curve(log.layouts[kind // len(log.lists)], log.lists[kind % len(log.lists)])
                .chance
                for kind in kinds.tolist()
            ]
        )  # fmt: skip
        found: np.ndarray = curves[number[log.link_slate], np.minimum(log.position, MAX_POSITION)]
        return found

    def curve(self, layout: str, list: str) -> Curve:
        """What holds for a list in a layout: its own curve, the layout's, or the site's."""
        own = self.apart.get((layout, family(list)))
        return own or self.apart.get((layout, None)) or self

    def about(self) -> dict[str, Any]:
        """The manifest's account of it."""
        layouts = [
            {
                "layout": layout,
                "list": list,
                "identified": curve.identified,
                "reason": curve.reason,
                "n_clicks": curve.n_clicks,
            }
            for (layout, list), curve in self.apart.items()
        ]
        return {
            "identified": self.identified,
            "reason": self.reason,
            "n_clicks": self.n_clicks,
            "says": self.says(),
            "layouts": layouts,
        }

    def says(self) -> list[str]:
        """What was corrected for and what not, in sentences without an end."""
        if self.identified:
            found = [
                f"position is corrected for, by {self.n_clicks:,} clicks on links that stood at "
                "several positions" + (f"; {self.caveat}" if self.caveat else "")
            ]
        else:
            found = [f"position is not corrected for: {self.reason}"]
        for (layout, list), curve in self.apart.items():
            name = f"layout {layout or '(unnamed)'}"
            name += f", list {list or '(unnamed)'}" if list is not None else ""
            if curve.identified:
                told = f"by {curve.n_clicks:,} clicks of its own"
                told += f"; {curve.caveat}" if curve.caveat else ""
            else:
                told = "mostly as on the whole site" if self.identified else "not corrected for"
                told += f": {curve.reason}"
            found.append(f"{name}: {told}")
        if self.guessed is not None:
            found.append(_told(self.guessed))
        return found


def _told(guessed: Curve) -> str:
    if guessed.reason:
        return f"a model of what appeals says no more: {guessed.reason}"
    return (
        f"if target and text explained all that appeals, position 5 would be looked at "
        f"{guessed.chance[5]:.2f} times as often as position 1 ({guessed.low[5]:.2f} to "
        f"{guessed.high[5]:.2f}); that hangs on the model and is not used"
    )


def unidentified(reason: str, n_clicks: int = 0) -> Examination:
    """No position is told from another; ``reason`` is a plain sentence."""
    none = refused(reason, n_clicks)
    return Examination(none.chance, none.low, none.high, False, reason, n_clicks)


def family(name: str) -> str:
    """The list a reader could tell from others: all bundles are one.

    >>> family("20261122-101500-0af3c2"), family("hand-picked")
    ('bundles', 'hand-picked')
    """
    return BUNDLES if BUNDLE.fullmatch(name) else name


def estimate(log: Log, *, seed: int, alike: Alike | None = None) -> Examination:
    """Estimate examination by position with bootstrap intervals, or refuse; on the whole site and,
    where there are several, in each layout. With ``alike``, how alike texts are, what is refused is
    guessed at.
    """
    shown, _ = log.shown_and_clicked()
    known = (log.position > 0) & (log.link_source != UNKNOWN) & (log.item != UNKNOWN)
    if not (known & (shown > 0)).any():
        return unidentified("the log does not say at which position a link stood")
    families = sorted({family(name) for name in log.lists})
    of_list = np.array([families.index(family(name)) for name in log.lists])[log.list]

    def look(moves: _Moves, slates: np.ndarray, towards: Curve | None = None) -> Curve:
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
    whole = look(moves, everywhere)
    if not whole.identified:
        moves = _Moves(log, known, None)
        whole = look(moves, everywhere)
    site = whole if whole.identified else None
    seen = np.bincount(log.view_slate, weights=log.n_views, minlength=len(log.source)) > 0
    apart: dict[tuple[str, str | None], Curve] = {}
    layouts = np.unique(log.layout[seen]).tolist()
    for layout in sorted(layouts, key=lambda number: log.layouts[number]):
        inside = seen & (log.layout == layout)
        curve = whole
        if len(layouts) > 1:
            curve = apart[log.layouts[layout], None] = look(moves, inside, site)
        lists = np.unique(of_list[inside]).tolist()
        for number in lists if len(lists) > 1 and curve.identified else ():
            own = look(moves, inside & (of_list == number))
            if _differs(own, curve):
                apart[log.layouts[layout], families[number]] = own
    known_at_all = whole.identified or any(curve.identified for curve in apart.values())
    guessed = None if known_at_all or alike is None else guess(log, alike, seed=seed)
    return Examination(
        whole.chance, whole.low, whole.high, whole.identified, whole.reason, whole.n_clicks,
        whole.caveat, apart, guessed,
    )  # fmt: skip


def _differs(own: Curve, other: Curve) -> bool:
    """Whether a curve that needs no caveat is beyond doubt another one."""
    if not own.identified or own.caveat:
        return False
    distance = np.abs(np.log(own.chance / other.chance))
    return bool((distance > MIN_APART * error(own.low, own.high))[2:].any())


def _steady(log: Log) -> np.ndarray:
    """For each slate the number of what decided its places if that stood still for long, else -1.

    A bundle stands still. So does what is shown beside a source in a layout if all of it is one
    list, whether or not others were drawn by lot beside it.
    """
    of_bundle = np.array([family(name) == BUNDLES for name in log.lists])[log.list]
    drawn = np.bincount(
        log.link_slate, weights=log.propensity < 1, minlength=len(log.source)
    )  # NaN, an unknown chance, is not below 1
    seen = np.bincount(log.view_slate, weights=log.n_views, minlength=len(log.source)) > 0
    box = (log.source.astype(np.int64) + 1) * len(log.layouts) + log.layout
    _, box = np.unique(box, return_inverse=True)
    one = np.bincount(box, weights=seen & (drawn == 0) & ~of_bundle)[box] == 1
    found: np.ndarray = np.where(of_bundle, log.list + 1, np.where(one, 0, -1))
    return found


class _Moves:
    """Views and clicks by link and stretch of time, of pairs that were followed in it."""

    def __init__(self, log: Log, known: np.ndarray, steady: np.ndarray | None) -> None:
        """Without ``steady`` all time is one stretch."""
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
        wanted = log.click_link * n_eras + click_era
        at = np.searchsorted(named[order], wanted)
        there = np.flatnonzero(at < len(named))
        there = there[named[order[at[there]]] == wanted[there]]
        self.clicks = np.bincount(
            order[at[there]], weights=log.n_clicks[there], minlength=len(named)
        )

    def cells(self, slates: np.ndarray) -> Cells:
        """Of some slates; each pair in each era and layout is a stratum."""
        use = slates[self.slate]
        return gather(
            self.stratum[use], self.pair[use], self.place[use], self.views[use], self.clicks[use]
        )


def _era(steady: np.ndarray, day: np.ndarray) -> np.ndarray:
    """The number of the stretch of time in which a slate's day lies."""
    found: np.ndarray = np.where(
        steady < 0, day, steady.astype(np.int64) * DAYS + day // STRETCH_DAYS
    )
    return found
