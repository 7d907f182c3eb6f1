"""The loops over every pair of articles or of links: by numba where it is installed, else by NumPy.

Both give the same bytes. numba (the extra ``fast``) takes as much room as a third of all else that
is installed, and a twentieth to a half of the time; without it nothing is lacking but that.
"""

from __future__ import annotations

try:
    from recommender.text.kernels import (
        arrange,
        compare,
        differences,
        forest_sums,
        gather,
        overlaps,
        pair_dots,
        places,
        propose,
        row_dots,
        sums_without,
        tile,
    )

    ARE_COMPILED = True
except ModuleNotFoundError as exc:
    if exc.name != "numba":
        raise
    from recommender.text.uncompiled import (
        arrange,
        compare,
        differences,
        forest_sums,
        gather,
        overlaps,
        pair_dots,
        places,
        propose,
        row_dots,
        sums_without,
        tile,
    )

    ARE_COMPILED = False

__all__ = [
    "ARE_COMPILED",
    "arrange",
    "compare",
    "differences",
    "forest_sums",
    "gather",
    "overlaps",
    "pair_dots",
    "places",
    "propose",
    "row_dots",
    "sums_without",
    "tile",
]
