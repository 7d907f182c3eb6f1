"""Figures of a report as a long table: one row a figure, for libraries that draw.

The wide tables are for reading. Here every row has the same columns, and rows of several reports
may be put below one another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

ALL = "all"
CLICKED, PAGE_VIEWS, PAGES = "clicked views", "page views", "pages"


class Figure(NamedTuple):
    """A figure and how sure it is.

    ``subject`` is what it is of, an order of the links or a bundle; ``against`` what it is the
    difference to, empty if it is none; ``metric`` its name; ``by`` and ``slice`` which part of the
    views, ``all`` for every one. ``estimate`` with its 95 % interval ``low`` to ``high`` and ``p``
    for no difference, NaN where there are none; ``n`` views, or what ``denominator`` names, were
    averaged.
    """

    subject: str
    against: str
    metric: str
    by: str
    slice: str
    estimate: float
    low: float
    high: float
    p: float
    n: int
    denominator: str


def figure(
    subject: str,
    metric: str,
    interval: Iterable[float],
    n: int,
    *,
    against: str = "",
    part: tuple[str, str] = (ALL, ALL),
    p: float = np.nan,
    denominator: str = CLICKED,
) -> Figure:
    """A row; ``interval`` is estimate, low and high, ``part`` what the views are cut by and the
    slice.
    """
    estimate, low, high = map(float, interval)
    of = subject, against, metric, *part
    return Figure(*of, estimate, low, high, float(p), int(n), denominator)


def ends(row: pd.Series, name: str) -> tuple[float, float, float]:
    """A figure of a wide table with its interval."""
    return row[name], row[f"{name} low"], row[f"{name} high"]


def frame(figures: Iterable[Figure]) -> pd.DataFrame:
    """The rows as a frame with the columns of ``Figure``."""
    import pandas as pd

    return pd.DataFrame([*figures], columns=list(Figure._fields))
