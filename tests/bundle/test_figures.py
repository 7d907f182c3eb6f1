"""Figures beside the bundles are written whole, read back, and looked up by page."""

import json
from pathlib import Path

import numpy as np
import pytest
from sites import NOW, click, stored, view

from recommender.articles.article import Article
from recommender.bundle import figures
from recommender.errors import BundleError
from recommender.evaluation.site_figures import site_figures
from recommender.store.database import Store

NOTHING = np.zeros((0, 4), np.int32)


def test_what_is_written_is_read_back(tmp_path: Path):
    models = tmp_path / "models"
    assert figures.read(models) is None
    assert figures.state(models) is None

    figures.write(models, {"made": "now"}, NOTHING)

    assert figures.read(models) == {"version": figures.VERSION, "made": "now"}
    assert figures.state(models) is not None
    assert sorted(path.name for path in models.iterdir()) == [figures.LINKS, figures.FILE]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 99}', "[" * 100_000])
def test_other_files_are_refused_with_the_command_that_renews_them(tmp_path: Path, text: str):
    (tmp_path / figures.FILE).write_text(text)

    with pytest.raises(BundleError, match="recommender figures"):
        figures.read(tmp_path)


def test_numbers_that_are_none_are_not_written(tmp_path: Path):
    with pytest.raises(ValueError, match="JSON"):
        figures.write(tmp_path, {"rate": float("nan")}, NOTHING)


def test_clicks_and_exposures_of_a_page_are_looked_up(store: Store, tmp_path: Path):
    """Of its own links alone, by their ids; a page that nobody saw has none."""
    names = ["gout", "knee", "salt", "sugar"]
    stored(
        store,
        [Article(id=id, title=id) for id in names],
        [
            view("v1", "knee", "gout", "salt"), view("v2", "knee", "gout", "sugar", day=1),
            view("v3", "salt", "gout"), click("v1", "gout"), click("v2", "sugar", day=1),
        ],
    )  # fmt: skip
    found = site_figures(store, None, now=NOW)
    assert figures.links_of(tmp_path, store, "knee") == {}
    figures.write(tmp_path, found.content, found.links)

    assert figures.links_of(tmp_path, store, "knee") == {
        "gout": (2, 1), "salt": (1, 0), "sugar": (1, 1),
    }  # fmt: skip
    assert figures.links_of(tmp_path, store, "salt") == {"gout": (1, 0)}
    assert figures.links_of(tmp_path, store, "sugar") == {}
    assert figures.links_of(tmp_path, store, "nobody's") == {}


@pytest.mark.parametrize(
    "damaged",
    [b"", b"\x93NUMPY", np.zeros(3).tobytes(), b"PK\x03\x04" + bytes(100)],
    ids=["empty", "cut", "numbers", "archive"],
)
def test_a_damaged_file_of_links_is_as_none(store: Store, tmp_path: Path, damaged: bytes):
    stored(store, [Article(id="knee", title="Knee")])
    (tmp_path / figures.LINKS).write_bytes(damaged)

    assert figures.links_of(tmp_path, store, "knee") == {}


def test_a_page_of_a_large_site_is_found_at_once(store: Store, tmp_path: Path):
    """Among two million pairs, without reading them."""
    both = [Article(id="knee", title="Knee"), Article(id="hip", title="Hip")]
    stored(store, both, [view("v1", "knee", "hip")])
    with store.reading() as connection:
        key = {row.id: row.key for row in connection.exec_driver_sql("SELECT id, key FROM ids")}
    pairs = np.zeros((2_000_000, 4), np.int32)
    pairs[:, 0] = np.arange(len(pairs)) // 15 + 100
    pairs[:1] = key["knee"], key["hip"], 5, 2
    figures.write(tmp_path, {}, pairs)

    assert figures.links_of(tmp_path, store, "knee") == {"hip": (5, 2)}
    json.dumps(figures.links_of(tmp_path, store, "hip"))
