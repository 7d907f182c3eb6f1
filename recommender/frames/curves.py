"""Examination by position, for people: a table, and a picture with intervals.

A layout whose curve the log does not identify is named with the reason instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from recommender import arguments
from recommender.clicks.intervention_harvesting import Curve
from recommender.clicks.position_bias import Examination
from recommender.evaluation.report.picture import COLOURS, Axis, Picture, Series, chart

if TYPE_CHECKING:
    import pandas as pd

SITE = "whole site"
# As long as lists usually are.
N_POSITIONS = 10


def named(examination: Examination) -> dict[str, Curve]:
    """The curves by layout; the site's, if it has no others."""
    if not isinstance(examination, Examination):
        raise TypeError(
            f"examination: {arguments.given(examination)} is given; give what site.examination() "
            "returns"
        )
    curves = {layout or "(unnamed)": curve for layout, curve in examination.layouts.items()}
    return curves or {SITE: examination}


def table(examination: Examination, *, positions: int = N_POSITIONS) -> pd.DataFrame:
    """One row a curve and position: ``layout``, ``position``, the chance that it is ``examined``,
    that of position 1 being 1, its 95 % interval ``low`` to ``high``, and the ``clicks`` the curve
    rests on. A curve that is not identified has one row, without numbers, with the ``reason``.
    """
    import pandas as pd

    positions = arguments.whole("positions", positions)
    rows: list[dict[str, object]] = []
    for name, curve in named(examination).items():
        about = {"layout": name, "clicks": curve.n_clicks, "reason": curve.reason}
        if not curve.identified:
            rows.append(about)
            continue
        rows += [
            {**about, "position": at, "examined": curve.chance[at], "low": curve.low[at],
             "high": curve.high[at]}
            for at in range(1, positions + 1)
        ]  # fmt: skip
    columns = ["layout", "position", "examined", "low", "high", "clicks", "reason"]
    return pd.DataFrame(rows, columns=columns).astype({"position": "Int16"})


def plot(
    examination: Examination,
    *,
    positions: int = N_POSITIONS,
    known: Callable[[int, str], float] | None = None,
) -> Picture:
    """Each curve with its interval, on a logarithmic scale; ``known`` gives the true chance of a
    position in a layout, where there is such a thing, drawn as rings.
    """
    place = np.arange(1, arguments.whole("positions", positions) + 1)
    series, missing, least = [], [], 0.5
    for number, (name, curve) in enumerate(named(examination).items()):
        if not curve.identified:
            missing.append(f"{name}: {curve.reason or 'not identified by the log'}")
            continue
        chance, low, high = (part[place] for part in (curve.chance, curve.low, curve.high))
        colour = COLOURS[number % len(COLOURS)]
        series.append(Series(place, chance, low, high, name, colour))
        least = min(least, float(low[low > 0].min()))
        if known is not None:
            truth = np.array([known(at, name) for at in place.tolist()])
            series.append(Series(place, truth, colour=colour, line=False, points=True, hollow=True))
    ticks = [tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1) if tick >= least]
    y = Axis("Examined, as often as position 1 (bands: 95 %)", least, 1.1, ticks, np.log)
    x = Axis("position", 1, positions, place.tolist())
    label = "; ".join(
        f"{each.name}: {', '.join(f'{chance:.2f}' for chance in each.y)}"
        for each in series
        if each.name
    )
    return chart(
        series, x, y, label="; ".join(filter(None, (y.label, label, *missing))), notes=missing,
        width=640, height=320,
    )  # fmt: skip
