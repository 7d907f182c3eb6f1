"""Every link of a site's lists in one frame, as pages and editors have them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sites import BODIES, NOW, bundle_in, click, once, stored, view

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.frames import links
from recommender.frames.site import Site
from recommender.store.database import Store
from recommender.training.pipeline import build

PICKED = {"knee": ("nap", "nap", "gone", "knee"), "hip": ("knee",)}


def make(folder: Path) -> None:
    articles = [
        Article(id=id, title=id.title(), body=body, recommended=PICKED.get(id, ()))
        for id, body in BODIES.items()
    ]
    events = [view("v1", "knee", "hip", "nap"), click("v1", "hip"), view("v2", "knee", "hip")]
    with stored(Store(f"sqlite:///{folder / 'site.db'}"), articles, events) as store:
        build(store, folder / "models", now=NOW)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "links", make)


@pytest.fixture
def site(folder: Path) -> Site:
    return Site(Store(f"sqlite:///{folder / 'site.db'}", writing=False))


@pytest.fixture
def bundle(folder: Path) -> Bundle:
    return bundle_in(folder)


def of(table: pd.DataFrame, lists: str, page: str) -> list[str]:
    return table[(table["lists"] == lists) & (table["source_id"] == page)]["target_id"].tolist()


def test_lists_are_those_that_pages_show_and_editors_wrote(site: Site, bundle: Bundle):
    """In order, with the faults that hand-picked lists have."""
    table = links.table(bundle, site)

    for id in BODIES:
        assert of(table, links.MODEL, id) == [link.id for link in bundle.related(id)]
    assert of(table, links.HAND_PICKED, "knee") == list(PICKED["knee"])
    assert of(table, links.TEXT, "knee")[0] == "hip"
    knee = table[(table["lists"] == links.HAND_PICKED) & (table["source_id"] == "knee")]
    assert knee["position"].tolist() == [1, 2, 3, 4]
    assert knee["title"].tolist() == ["Nap", "Nap", "gone", "Knee"]


def test_cosines_are_those_of_the_texts(site: Site, bundle: Bundle):
    """Of what the bundle knows; a link that leads nowhere has none."""
    table = links.table(bundle, site)

    for row in table[table["target_id"] != "gone"].itertuples():
        known = bundle.features(row.source_id, [row.target_id])["cosine"][0]
        assert row.cosine == pytest.approx(known, abs=1e-6)
    assert table[table["target_id"] == "gone"]["cosine"].isna().all()


def test_without_a_bundle_there_are_the_hand_picked_lists(site: Site):
    """With the same columns, and no cosine."""
    table = links.table(None, site)

    assert set(table["lists"]) == {links.HAND_PICKED}
    assert list(table) == [
        "lists", "source_id", "position", "target_id", "title", "cosine", "fills_up",
    ]  # fmt: skip
    assert len(table) == 5
    assert table["cosine"].isna().all()


def test_a_site_without_anything_has_an_empty_table():
    """Of the same types, so that a notebook goes on."""
    with Store("sqlite://") as store:
        table = links.table(None, Site(store))

    assert len(table) == 0
    assert table["cosine"].dtype == np.float64


def test_figures_weigh_pages_by_their_views(site: Site, bundle: Bundle):
    """A page counts as often as it was seen, so only what knee shows has exposure."""
    figures = links.figures(bundle, site)

    assert list(figures.index) == [links.MODEL, links.HAND_PICKED, links.TEXT]
    n_shown = len(bundle.related("knee"))
    assert figures.loc[links.MODEL, "gini"] == pytest.approx(1 - n_shown / len(BODIES))


def test_figures_are_written_with_what_they_are(site: Site, bundle: Bundle):
    """A row a figure, a dash for what is not known."""
    written = links.in_words(links.figures(bundle, site))

    assert written.loc["coverage", links.MODEL] == "100.0 %"
    assert written.loc["fallback links", links.TEXT] == "–"
    assert written.loc["pages", "what it is"] == "pages of the site that have a list"
