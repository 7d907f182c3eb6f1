"""Every frame of a site becomes an Arrow table, and pieces of it fit together."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from sites import click, stored, view

from recommender.articles.article import Article
from recommender.errors import MissingExtra
from recommender.frames.arrow import to_arrow
from recommender.frames.site import Site
from recommender.store.database import Store


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Two articles, one with tags; two views, the later with chances."""
    articles = [
        Article(id="knee", title="Knee", tags=("joint", "leg"), recommended=("hip",)),
        Article(id="hip", title="Hip"),
    ]
    events = [
        view("v1", "knee", "hip", day=1),
        view("v2", "knee", "hip", day=2, propensities=(0.5,)),
        click("v2", "hip", day=2),
    ]
    with Store(f"sqlite:///{tmp_path / 'site.db'}") as store:
        yield Site(stored(store, articles, events))


def frames(site: Site) -> dict[str, pd.DataFrame]:
    """All that a site hands out, full and empty."""
    return {
        "articles": site.articles(), "no articles": site.articles(ids=[]),
        "impressions": site.impressions(), "no impressions": site.impressions(since="2030-01-01"),
        "clicks": site.clicks(), "slates": site.slates(),
        "no slates": site.slates(since="2030-01-01"), "counts": site.daily_counts(),
    }  # fmt: skip


def test_what_lists_hold_comes_over(site: Site):
    """Ids, tags and chances as they are; missing chances are null."""
    articles = to_arrow(site.articles()).to_pydict()
    views = to_arrow(site.impressions()).to_pydict()

    assert dict(zip(articles["id"], articles["tags"], strict=True)) == {
        "knee": ["joint", "leg"], "hip": [],
    }  # fmt: skip
    assert views["shown"] == [["hip"], ["hip"]]
    assert views["propensities"] == [None, [0.5]]


def test_lists_of_any_name_come_over():
    """Of texts as texts, of numbers as numbers; columns of one kind in full and empty frames."""
    frame = pd.DataFrame({"mended": [["a"], []], "ours": [["b"], ["c", "d"]], "days": [[1], [2]]})

    table = to_arrow(frame)

    assert table.to_pydict() == frame.to_dict("list")
    texts = pa.list_(pa.large_string())
    assert [table.schema.field(name).type for name in ("mended", "ours")] == [texts, texts]
    assert table.schema.field("days").type == pa.list_(pa.int64())
    assert to_arrow(frame[:0]).schema.field("mended").type == texts


def test_types_do_not_depend_on_what_is_in_a_frame(site: Site):
    """An empty frame and a full one have the same columns of lists, and none is of type null."""
    tables = {name: to_arrow(frame) for name, frame in frames(site).items()}

    for name, table in tables.items():
        assert not any(pa.types.is_null(field.type) for field in table.schema), name
    for name in ("articles", "impressions", "slates"):
        full, empty = tables[name].schema, tables[f"no {name}"].schema
        assert empty.types == full.types


def test_pieces_fit_together(site: Site):
    """One without chances and one with."""
    pieces = [to_arrow(piece) for piece in site.impressions(chunk_size=1)]

    assert len({str(piece.schema.remove_metadata()) for piece in pieces}) == 1
    assert pa.concat_tables(pieces).num_rows == 2


def test_every_frame_is_handed_over_by_pandas_itself(site: Site):
    """By the interface that polars, DuckDB and others read (``__arrow_c_stream__``)."""
    for name, frame in frames(site).items():
        table = pa.RecordBatchReader.from_stream(frame).read_all()

        assert table.num_rows == len(frame), name
        assert [*frame] == table.column_names[: len(frame.columns)]


def test_without_pyarrow_the_missing_part_is_named(site: Site, monkeypatch: pytest.MonkeyPatch):
    """And how to have it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(MissingExtra, match=r"Arrow tables needs an optional part.*parquet"):
        to_arrow(site.clicks())
