"""Curves of examination as a table and a picture, and of which part of the log."""

import numpy as np
import pytest
from sites import known_examination, stored, view

from recommender.clicks.position_bias import Examination, unidentified
from recommender.demo import readers
from recommender.demo.readers import truth
from recommender.errors import ArgumentError
from recommender.frames import curves
from recommender.frames.site import Site
from recommender.store.database import Store


@pytest.fixture(scope="module")
def examination() -> Examination:
    """A site with a layout that has a curve and one that has none."""
    known = known_examination([1, 0.5, 0.25])
    layouts = {"bottom": known, "": unidentified("too few clicks", 7)}
    return Examination(
        known.chance, known.low, known.high, True, "", 10_000, "", layouts
    )  # fmt: skip


def test_the_table_has_numbers_where_there_are_any(examination: Examination):
    """And a reason where not."""
    table = curves.table(examination, positions=3).set_index("layout")

    assert table.loc["bottom", "examined"].tolist() == [1, 0.5, 0.25]
    assert table.loc["bottom", "position"].tolist() == [1, 2, 3]
    assert table.loc["(unnamed)", "reason"] == "too few clicks"
    assert np.isnan(table.loc["(unnamed)", "examined"])


def test_the_picture_names_every_curve(examination: Examination):
    """At its end; and says why one is missing."""
    drawn = curves.plot(examination, known=lambda position, layout: 1 / position)._repr_svg_()

    assert ">bottom</text>" in drawn
    assert ">(unnamed): too few clicks</text>" in drawn
    assert (drawn.count("<polyline"), drawn.count("<polygon"), drawn.count("<circle")) == (1, 1, 10)


def test_a_site_of_one_layout_has_one_curve():
    """That of the whole site; without one there is only a sentence."""
    assert curves.table(known_examination([1, 0.5]))["layout"].unique() == [curves.SITE]
    drawn = curves.plot(unidentified("nothing moved"))._repr_svg_()

    assert f">{curves.SITE}: nothing moved</text>" in drawn
    assert "<polyline" not in drawn


@pytest.fixture(scope="module")
def site() -> Site:
    """Three weeks of the sample's readers on a few pages, in two layouts."""
    pages = sorted(truth())[:30]
    lists = {page: [other for other in pages if other != page][:14] for page in pages}
    log = readers.visits(
        lists, seed=3, days=20, a_day=400, layouts=("bottom", "sidebar"), size=10, share=0.5
    )
    return Site(stored(Store("sqlite://"), [], log))


def test_chances_that_are_logged_are_those_of_the_draw(site: Site):
    """Half of the views shows the list as it stands, the others draw ten of fourteen."""
    views = site.impressions()

    assert {len(shown) for shown in views["shown"]} == {10}
    assert {round(chance, 6) for each in views["propensities"] for chance in each} == {
        round(0.5 / 14, 6), round(0.5 + 0.5 / 14, 6)
    }  # fmt: skip
    assert set(views["layout"]) == {"bottom", "sidebar"}


@pytest.mark.slow
def test_a_site_tells_each_layouts_curve(site: Site):
    """Whose truth lies in the interval, or nearly."""
    found = curves.named(site.examination(seed=1))

    for layout, curve in found.items():
        for position in (2, 3):
            truth_there = readers.examination(position, layout)
            assert curve.low[position] * 0.9 < truth_there < curve.high[position] * 1.1


@pytest.mark.slow
def test_lists_that_never_changed_tell_nothing(site: Site):
    """However many readers saw them."""
    alone = site.examination(list="hand-picked")

    assert not alone.identified
    assert "more than one position" in alone.reason
    assert site.examination(layout=["bottom"], list=["hand-picked", "shuffled"]).identified
    with pytest.raises(ArgumentError, match="layout: 'nowhere': there is no such layout"):
        site.examination(layout="nowhere")


def test_an_empty_log_tells_nothing():
    """In words."""
    with Store("sqlite://") as store:
        assert not Site(stored(store, [], [view("v", "a", "b")])).examination().identified
        assert not Site(Store("sqlite://")).examination().identified
