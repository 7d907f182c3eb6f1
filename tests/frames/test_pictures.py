"""Pictures of series and frames: what is in them is drawn, and said to who cannot see them."""

import re

import numpy as np
import pandas as pd
import pytest

from recommender.frames import pictures


def heights(svg: str) -> list[list[float]]:
    """The heights of the points of each line, by pixels from the top."""
    return [
        [float(pair.partition(",")[2]) for pair in points.split()]
        for points in re.findall(r'<polyline points="([^"]*)"', svg)
    ]


def test_a_line_a_column():
    """The larger value is higher up; each is named beside its end."""
    table = pd.DataFrame({"views": [1.0, 4.0], "clicks": [1.0, 2.0]}, index=[1, 2])

    svg = pictures.lines(table, x="position", title="What fell where").svg

    views, clicks = heights(svg)
    assert views[0] == clicks[0] > clicks[1] > views[1]
    assert ">views</text>" in svg
    assert ">clicks</text>" in svg
    assert 'aria-label="What fell where: views: 1, 4; clicks: 1, 2"' in svg


def test_names_that_would_meet_stand_apart():
    """However near the ends of their lines are, and at the very bottom too."""
    table = pd.DataFrame({"a": [5.0, 0.0], "b": [4.0, 0.0], "c": [3.0, 0.0]}, index=[1, 2])

    svg = pictures.lines(table).svg

    places = [float(y) for y in re.findall(r'y="([\d.]+)" dy="0.35em" fill="[^"]*" font-w', svg)]
    gaps = np.diff(sorted(places))
    assert len(places) == 3
    assert gaps.min() > 12


def test_moments_are_written_as_days():
    """Along the axis, however many there are."""
    index = pd.date_range("2026-11-01", periods=30, tz="UTC")

    svg = pictures.lines(pd.DataFrame({"views": range(30)}, index=index)).svg

    assert re.findall(r"2026-11-\d\d", svg)[0] == "2026-11-01"
    assert re.findall(r"2026-11-\d\d", svg)[-1] == "2026-11-30"


@pytest.mark.parametrize("values", [[], [np.nan], [0.0, 0.0], [3.0], [np.nan, 2.0, 1e9]])
def test_whatever_is_drawn_has_places(values: list[float]):
    """Nothing at all, nothing known, all alike, and one that dwarfs the others."""
    line = pictures.lines(pd.DataFrame({"n": values}, index=range(len(values)))).svg
    spread = pictures.histogram({"n": values}, x="n").svg

    for svg in (line, spread):
        assert "nan" not in svg
        assert "inf" not in svg


def test_a_histogram_is_of_shares_of_each_part():
    """So that parts of different sizes can be compared."""
    parts = {"few": [0.1] * 3 + [0.9], "many": [0.1] * 300 + [0.9] * 100}

    few, many = heights(pictures.histogram(parts, x="cosine").svg)

    assert few == many


def test_ticks_are_round():
    """Some five of them, within the axis."""
    assert pictures.round_ticks(0, 0.32) == [0.0, 0.1, 0.2, 0.3]
    assert pictures.round_ticks(1, 10) == [2.0, 4.0, 6.0, 8.0, 10.0]
    assert pictures.round_ticks(2, 2) == [2.0]
