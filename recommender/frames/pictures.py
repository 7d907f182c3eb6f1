"""Pictures of series and frames, drawn as those of the report are: small, the same everywhere, and
readable on a code host.

    pictures.lines(daily[["views", "clicks"]], title="A day's traffic")
    pictures.histogram({"hand-picked": cosines}, x="cosine of page and link")

Each returns a ``Picture``, which a notebook shows and ``save`` writes as SVG.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recommender import arguments
from recommender.evaluation.report.picture import COLOURS, Axis, Picture, Series, chart
from recommender.evaluation.report.text import number

if TYPE_CHECKING:
    import pandas as pd

WIDTH, HEIGHT, LINE_HEIGHT = 640, 260, 24
N_TICKS, N_BINS = 5, 24


def lines(table: pd.DataFrame, *, x: str = "", title: str = "", points: bool = False) -> Picture:
    """Each column over the index, which is of numbers or of moments; ``x`` names the index. With
    ``points`` every value has a dot.
    """
    index = arguments.frame("table", table).index
    dated = hasattr(index, "tz")
    place = np.arange(len(index)) if dated else index.to_numpy(dtype=float)
    series = []
    for nth, name in enumerate(table):
        values = table[name].to_numpy(dtype=float)
        known = ~np.isnan(values)
        colour = COLOURS[nth % len(COLOURS)]
        series.append(Series(place[known], values[known], name=str(name), colour=colour,
                             points=points))  # fmt: skip
    series = [each for each in series if len(each.x)]
    most = max((float(each.y.max()) for each in series), default=0.0) or 1.0
    if dated:
        at = np.unique(np.linspace(0, max(len(index) - 1, 0), N_TICKS).round().astype(int))

        def form(value: float) -> str:
            return f"{index[int(value)]:%Y-%m-%d}"

        across = Axis(x, 0, max(len(index) - 1, 1), at.tolist(), form=form)
    else:
        least, last = (float(place.min()), float(place.max())) if len(place) else (0.0, 1.0)
        across = Axis(x, least, max(last, least + 1), round_ticks(least, last), form=_plain)
    return _drawn(series, across, most, title, table.to_dict(orient="list"))


def histogram(parts: Mapping[str, Any], *, x: str, title: str = "") -> Picture:
    """How the values of each part are spread, as shares of its own; the largest hundredth of all
    is cut off where it would press the rest together. Missing values are left out.
    """
    found = {name: np.asarray(values, dtype=float) for name, values in parts.items()}
    found = {name: values[~np.isnan(values)] for name, values in found.items()}
    found = {name: values for name, values in found.items() if len(values)}
    every = np.concatenate([*found.values(), np.zeros(1)])
    most = min(float(every.max()), 2 * float(np.quantile(every, 0.99))) or 1.0
    edges = np.linspace(min(0.0, float(every.min())), most, N_BINS + 1)
    place = np.repeat(edges, 2)
    series, spoken = [], {}
    for at, (name, values) in enumerate(found.items()):
        share = np.histogram(np.minimum(values, most), edges)[0] / len(values)
        height = np.concatenate([[0.0], np.repeat(share, 2), [0.0]])
        colour = COLOURS[at % len(COLOURS)]
        series.append(Series(place, height, name=str(name), colour=colour))
        spoken[name] = [float(np.median(values))]
    top = max((float(each.y.max()) for each in series), default=1.0) or 1.0
    across = Axis(x, float(edges[0]), most, round_ticks(float(edges[0]), most), form=_plain)
    return _drawn(series, across, top, title, spoken, form=lambda value: f"{value:.0%}")


def round_ticks(least: float, most: float, n: int = N_TICKS) -> list[float]:
    """Some ``n`` round numbers between two.

    >>> round_ticks(0, 9.5)
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    if most <= least:
        return [float(least)]
    rough = (most - least) / n
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * 0.999)
    first = np.ceil(least / step - 1e-9)
    last = np.floor(most / step + 1e-9)
    # A zero without a sign.
    return [float(round(step * at, 12)) + 0.0 for at in np.arange(first, last + 1)]


def _named_apart(series: list[Series], most: float) -> list[Series]:
    """The series with their names beside the end, one below the other where they would meet; a
    single one needs no name.
    """
    if len(series) < 2:
        return [replace(each, name="") for each in series]
    least, names = LINE_HEIGHT * most / HEIGHT, []
    last = np.inf
    for each in sorted(series, key=lambda one: -one.y[-1]):
        last = min(float(each.y[-1]), last - least)
        names.append((each, last))
    # What was pushed below the axis pushes the others up.
    lift = max(0.0, -names[-1][1])
    ends = {id(each): height + lift for each, height in names}
    right = max(float(each.x[-1]) for each in series)
    return [
        part
        for each in series
        for part in (
            replace(each, name=""),
            Series(np.array([right]), np.array([ends[id(each)]]), name=each.name,
                   colour=each.colour, line=False),
        )
    ]  # fmt: skip


def _plain(value: float) -> str:
    return f"{value:,g}"


def _drawn(
    series: list[Series],
    x: Axis,
    most: float,
    title: str,
    spoken: Mapping[Any, list[Any]],
    form: Callable[[float], str] = _plain,
) -> Picture:
    series = _named_apart(series, 1.05 * most)
    y = Axis("", 0.0, 1.05 * most, round_ticks(0.0, 1.05 * most, 4), form=form)
    words = "; ".join(
        f"{name}: {', '.join(number(value, ',.3g') for value in values[:12])}"
        + (" ..." if len(values) > 12 else "")
        for name, values in spoken.items()
    )
    label = ": ".join(filter(None, (title, words)))
    return chart(series, x, y, label=label, title=title, width=WIDTH, height=HEIGHT)
