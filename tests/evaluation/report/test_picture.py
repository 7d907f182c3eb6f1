"""Pictures are SVG that stands alone, with marks where the figures are."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from recommender.evaluation.report.picture import Axis, Picture, Row, Series, chart, intervals

SVG = "{http://www.w3.org/2000/svg}"


def drawn(picture: Picture) -> ElementTree.Element:
    return ElementTree.fromstring(picture.svg)


def words(picture: Picture) -> list[str]:
    return [text.text or "" for text in drawn(picture).iter(f"{SVG}text") if text.text]


def test_marks_lie_where_the_means_are():
    """From -1 to 1 on 54 hundredths of the width; the interval beside it, zero in the middle."""
    picture = intervals(
        [Row("a", 0.5, 0.0, 2.0, "0.5")], least=-1.0, most=1.0, beside=0.0, sides=("less", "more")
    )

    (mark,) = drawn(picture).iter(f"{SVG}circle")
    zero, span = drawn(picture).iter(f"{SVG}line")
    assert mark.attrib["cx"] == "40.50%"
    assert zero.attrib["x1"] == zero.attrib["x2"] == span.attrib["x1"] == "27.00%"
    assert span.attrib["x2"] == "54.00%"  # what lies beyond the line ends with it
    assert words(picture)[0] == "◂ less · more ▸"


def test_no_mark_lies_over_a_figure_on_a_phone():
    """Lines end before the longest figure, in a column of 358 pixels, in bold."""
    figures = "+0.012 (−0.020 to +0.044)"
    picture = intervals([Row("a", 1, 1, 1, figures), Row("b", 0, 0, 0, "0")], most=1.0)

    mark, _ = drawn(picture).iter(f"{SVG}circle")
    right = 358 * float(mark.attrib["cx"].rstrip("%")) / 100 + float(mark.attrib["r"])
    assert right < 358 - 7.3 * len(figures)


def test_better_worse_and_neither_have_marks_of_their_own():
    """A disc, a square and a ring; what has no figure has no mark."""
    rows = [Row(mark, 0.5, 0.4, 0.6, "", mark) for mark in ("disc", "square", "ring")]
    nothing = Row("nothing", np.nan, np.nan, np.nan, "not given")

    svg = drawn(intervals([*rows, nothing], most=1.0))

    disc, ring = svg.iter(f"{SVG}circle")
    assert disc.attrib["fill"] != ring.attrib["fill"]
    assert len(list(svg.iter(f"{SVG}rect"))) == 2  # the paper and the square
    assert len(list(svg.iter(f"{SVG}line"))) == 3


@pytest.mark.parametrize("name", ["a name of so many words that no phone has room", "长" * 60])
def test_long_names_are_broken(name: str):
    """By how wide their letters are; nothing is cut off, and the picture grows."""
    short, long = (intervals([Row(each, 1, 1, 1, "1")], most=1.0) for each in ("a", name))

    *lines, figure = words(long)
    assert len(lines) > 1
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")
    assert figure == "1"
    assert int(drawn(long).attrib["height"]) > int(drawn(short).attrib["height"])


def test_groups_stand_above_their_first_row():
    """In the order given."""
    rows = [Row("a", 1, 1, 1, "1", group="letters"), Row("b", 1, 1, 1, "1", note="two")]

    assert words(intervals(rows, most=1.0)) == ["letters", "a", "1", "b", "two", "1"]


def test_equal_steps_of_the_scale_are_equally_long():
    """Ends stay inside."""
    axis = Axis("chance", 0.01, 1.0, scale=np.log)

    assert [axis.at(value) for value in (0.001, 0.01, 0.1, 1.0, 2.0)] == [0, 0, 0.5, 1, 1]


def test_a_chart_has_lines_bands_and_points():
    """A line with its band and name, points with intervals, ticks, notes in words."""
    x, y = np.array([0.0, 1.0]), np.array([0.0, 0.5])
    series = [
        Series(x, y, y - 0.1, y + 0.1, name="line & band"),
        Series(x, y, y, y, line=False, points=True),
    ]
    axes = Axis("day", 0.0, 1.0, [0.0, 1.0]), Axis("share", 0.0, 1.0, [0.5])

    picture = chart(series, *axes, label="all of it", notes=["a <note>"])

    svg = drawn(picture)
    assert svg.attrib["aria-label"] == "all of it"
    assert [len(list(svg.iter(f"{SVG}{kind}"))) for kind in ("polyline", "polygon", "line")] == [
        1, 1, 2,
    ]  # fmt: skip
    first, last = svg.iter(f"{SVG}circle")
    assert float(last.attrib["cx"]) > float(first.attrib["cx"])
    assert float(last.attrib["cy"]) < float(first.attrib["cy"])
    assert {"day", "share", "0", "1", "0.5", "a <note>", "line & band"} == set(words(picture))


def test_a_picture_is_what_notebooks_show_and_files_hold(tmp_path: Path):
    """Without a style sheet, which code hosts take out; it is no markup of others' making."""
    picture = intervals([Row("<b>&'\"", 1, 1, 1, "1")], most=1.0)

    picture.save(tmp_path / "picture.svg")

    assert (tmp_path / "picture.svg").read_text(encoding="utf-8") == picture._repr_svg_()
    assert words(picture)[0] == "<b>&'\""
    assert "<style" not in picture.svg and "class=" in picture.svg
