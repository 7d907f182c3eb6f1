"""Examination by position, to look at: a table, and a picture with intervals.

What the log could not tell is in neither: a layout without a curve is named with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from recommender.clicks.intervention_harvesting import Curve
from recommender.clicks.position_bias import Examination
from recommender.errors import MissingExtra

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SITE = "whole site"
# Okabe and Ito's colours, which the colour-blind can tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
N_POSITIONS = 10


def named(examination: Examination) -> dict[str, Curve]:
    """The curves by layout; the site's, if it has no others."""
    curves = {layout or "(unnamed)": curve for layout, curve in examination.layouts.items()}
    return curves or {SITE: examination}


def table(examination: Examination, *, positions: int = N_POSITIONS) -> pd.DataFrame:
    """One row a curve and position: ``layout``, ``position``, the chance that it is ``looked_at``,
    that of position 1 being 1, its 95 % interval ``low`` to ``high``, and the ``clicks`` the curve
    rests on. A curve that is not identified has one row, without numbers, with the ``reason``.
    """
    import pandas as pd

    rows: list[dict[str, object]] = []
    for name, curve in named(examination).items():
        about = {"layout": name, "clicks": curve.n_clicks, "reason": curve.reason}
        if not curve.identified:
            rows.append(about)
            continue
        rows += [
            {**about, "position": at, "looked_at": curve.chance[at], "low": curve.low[at],
             "high": curve.high[at]}
            for at in range(1, positions + 1)
        ]  # fmt: skip
    columns = ["layout", "position", "looked_at", "low", "high", "clicks", "reason"]
    return pd.DataFrame(rows, columns=columns).astype({"position": "Int16"})


def plot(
    examination: Examination,
    *,
    positions: int = N_POSITIONS,
    known: Callable[[int, str], float] | None = None,
) -> Figure:
    """Each curve with its interval, on a logarithmic scale; ``known`` gives the true chance of a
    position in a layout, where there is such a thing, drawn as dots.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise MissingExtra("drawing", "plot") from exc
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    place = np.arange(1, positions + 1)
    missing = []
    for number, (name, curve) in enumerate(named(examination).items()):
        colour = COLOURS[number % len(COLOURS)]
        if not curve.identified:
            missing.append(f"{name}: {curve.reason or 'not told by the log'}")
            continue
        axes.fill_between(place, curve.low[place], curve.high[place], color=colour, alpha=0.2, lw=0)
        axes.plot(place, curve.chance[place], color=colour, linewidth=2)
        axes.annotate(
            name, (positions, curve.chance[positions]), (8, 0), textcoords="offset points",
            color=colour, va="center", fontweight="bold",
        )  # fmt: skip
        if known is not None:
            truth = [known(at, name) for at in place.tolist()]
            axes.plot(place, truth, "o", color=colour, markersize=5, markerfacecolor="white")
    for number, text in enumerate(missing):
        axes.text(
            0.5, 0.5 - 0.12 * number, text, transform=axes.transAxes, ha="center", wrap=True,
            color="#666666",
        )  # fmt: skip
    axes.set_yscale("log")
    ticks = [tick for tick in (0.02, 0.05, 0.1, 0.2, 0.5, 1) if tick >= axes.get_ylim()[0]]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.yaxis.minorticks_off()
    axes.set_xticks(place)
    axes.set_xlabel("position")
    axes.set_title("Looked at, as often as position 1 (bands: 95 %)", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
