"""Pictures as SVG, the same on a report's page, in a notebook and in a file.

Two templates draw everything: ``intervals`` means with their intervals, a row each, and ``chart``
lines and points over two axes. Rows are as wide as their column, because what lies along them is in
percent, and their words stay as large as those around them. Colours are those of Okabe & Ito (2008,
"Color universal design"), which the colour-blind can distinguish, and never the only difference of
two things; they stand in the elements themselves, since code hosts take style sheets out of
notebooks. A page in dark mode replaces them by its own (``report.css``).

>>> Axis("chance", 0.0, 0.25, scale=np.sqrt).at(0.0625)
0.5
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from recommender.escaping import terminal
from recommender.evaluation.report import text

BLUE, RED, GREY = "#0072b2", "#d55e00", "#9a9a9a"
COLOURS = (BLUE, RED, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
# What the mark of a difference is, by what it means.
MARKS = {"better": "disc", "worse": "square", "unclear": "ring"}
# How many letters of a name fit beside a number of views on a phone.
NAME = 40
# Heights of a row's first line, of each further one, and of the line with the mark; in pixels.
LINE, TRACK = 17, 22
# The width of a column on a phone, of a figure's letter in bold, and of half a mark with some air,
# in pixels; and how much of the width lines take at least and at most, in percent.
NARROW, FIGURE, MARK = 358, 7.4, 12
LEAST_PART, MOST_PART = 30, 54

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters |= {
    "number": text.number,
    "span": text.span,
    "p_value": text.p_value,
    "capitalized": text.capitalized,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG picture. Notebooks show it, templates take it as it is, ``save`` writes it."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __html__(self) -> str:
        return self.svg

    def save(self, path: Path | str) -> None:
        """Write it as an SVG file."""
        Path(path).write_text(self.svg, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Row:
    """A mean with its interval, and what is written beside it.

    ``mark`` is ``bar``, ``disc``, ``square`` or ``ring``; ``group`` the heading of the rows it is
    the first of; a ``mean`` that is NaN is written only.
    """

    name: str
    mean: float
    low: float
    high: float
    figures: str
    mark: str = "disc"
    note: str = ""
    group: str = ""
    own: bool = False


def intervals(
    rows: Sequence[Row],
    *,
    least: float = 0.0,
    most: float,
    beside: float | None = None,
    sides: tuple[str, str] | None = None,
) -> Picture:
    """Rows on a line from ``least`` to ``most``, a dashed mark at ``beside``, and what it means to
    lie to its left and right.
    """
    placed: list[dict[str, Any]] = []
    y = LINE + 8 if sides else 0
    for row in rows:
        y += LINE + 10 if row.group else 0
        lines = [str(line) for line in Text(terminal(row.name)).wrap(Console(), NAME)]
        placed.append({"row": row, "y": y, "lines": lines})
        y += LINE * len(lines) + TRACK

    # Figures to the right of the line take the other part of the width, mark and all.
    longest = max((cell_len(row.figures) for row in rows), default=0)
    part = min(max(100 - 100 * (FIGURE * longest + MARK) / NARROW, LEAST_PART), MOST_PART)

    def at(value: float) -> str:
        return f"{part * min(max((value - least) / (most - least), 0), 1):.2f}%"

    label = "; ".join(f"{row.name}: {row.figures}" for row in rows)
    return _drawn(
        "intervals.svg.j2", rows=placed, height=y + 4, at=at, beside=beside, sides=sides,
        label=label, line=LINE, blue=BLUE, red=RED, grey=GREY,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from ``least`` to ``most``. Equal steps of ``scale`` are equally long."""

    label: str
    least: float
    most: float
    ticks: Sequence[float] = ()
    scale: Callable[[float], float] = float
    form: Callable[[float], str] = "{:g}".format

    def at(self, value: float) -> float:
        """The share of the axis below ``value``."""
        low, high, here = (
            self.scale(each)
            for each in (self.least, self.most, min(max(value, self.least), self.most))
        )
        return float((here - low) / (high - low))


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Points ``x`` and ``y``, ``(n,)``, with a ``name`` written at the last of them; ``low`` and
    ``high`` are drawn as a band below a line, else as a line through each point.
    """

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    name: str = ""
    colour: str = BLUE
    line: bool = True
    dashed: bool = False
    points: bool = False
    hollow: bool = False


def chart(
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    *,
    label: str,
    title: str = "",
    notes: Sequence[str] = (),
    width: int = 360,
    height: int = 360,
) -> Picture:
    """Lines and points over two axes; ``label`` is the picture in words, for who cannot see it;
    ``notes`` stand in the picture.
    """
    left, right, top, bottom = 48, 12, 26, 44
    right += max((7 * cell_len(each.name) for each in series), default=0)
    inner, tall = width - left - right, height - top - bottom

    def across(value: float) -> str:
        return f"{left + inner * x.at(value):.1f}"

    def down(value: float) -> str:
        return f"{top + tall * (1 - y.at(value)):.1f}"

    return _drawn(
        "chart.svg.j2", series=series, x=x, y=y, across=across, down=down, label=label,
        title=title, notes=notes, width=width, height=height, left=left, inner=inner, tall=tall,
        top=top,
    )  # fmt: skip


def _drawn(template: str, **content: object) -> Picture:
    return Picture(TEMPLATES.get_template(template).render(content))
