"""The statement finds on every engine what a store counts: it is one text."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from logs import DAY, IDS, as_parquet, differences, draw
from sparks import java_of_its_own

from recommender.store import click_filters, counts
from recommender.store.click_filters import Caps
from recommender.store.counting_statement import KINDS, TABLES, statement
from recommender.store.counts import Log, count
from recommender.store.counts_file import read, write
from recommender.store.database import Store

pytest.importorskip("pyarrow", reason="pyarrow is not installed")
ANY_TIME = 2**62
STRICT = Caps(session_clicks_an_hour=2, pair_clicks_a_day=3)


def counted(path: Path) -> Log:
    return read(path).log(IDS, until=ANY_TIME)


@pytest.fixture
def drawn(store: Store) -> Store:
    """A store, of each kind, with a log of everything."""
    draw(store, seed=1)
    return store


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, dict[str, Log]]:
    """The tables of a log as Parquet files, and what its store counts by the name of a text."""
    with Store(f"sqlite:///{tmp_path / 'site.db'}") as store:
        draw(store, seed=2)
        found = {name: count(store, IDS, **limits) for name, (limits, _) in TEXTS.items()}
        return as_parquet(store, tmp_path / "tables"), found


TEXTS = {
    "all of it": ({}, statement()),
    "some of it": (
        {"until": 4 * DAY + 7_000, "caps": STRICT},
        statement(until=4 * DAY + 7_000, caps=STRICT),
    ),
}


def test_a_store_and_the_statement_count_alike(drawn: Store, tmp_path: Path):
    """On SQLite and PostgreSQL, down to the bits; and something of every kind is in it."""
    n = write(drawn, tmp_path / "counts.parquet")

    log, other = count(drawn, IDS), counted(tmp_path / "counts.parquet")
    kinds = {*read_kinds(tmp_path / "counts.parquet")}
    assert differences(log, other) == []
    assert kinds == {*KINDS}
    assert n > len(log.item)
    assert log.n_unknown == 2
    assert min(len(log.read_day), len(log.n_clicks), len(log.n_past_pairs)) > 5


@pytest.mark.parametrize("limits", [{"until": 3 * DAY}, {"until": 0}, {"caps": STRICT}])
def test_under_the_same_limits_too(drawn: Store, tmp_path: Path, limits: dict[str, object]):
    """Views before a moment, and fewer clicks of a visit and a pair."""
    write(drawn, tmp_path / "counts.parquet", **limits)  # type: ignore[arg-type]

    log = count(drawn, IDS, **limits)  # type: ignore[arg-type]
    assert differences(log, counted(tmp_path / "counts.parquet")) == []


def test_bounds_hold_alike(drawn: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Layouts that keep their names, and visits that there is room for."""
    monkeypatch.setattr(click_filters, "MAX_LAYOUTS", 3)
    monkeypatch.setattr(counts, "MAX_READ_IN_SESSION", 9)
    monkeypatch.setattr(counts, "MAX_READ_TOGETHER", 500)
    write(drawn, tmp_path / "counts.parquet")

    log = count(drawn, IDS)
    assert log.n_other_layouts > 1
    assert log.n_visits_left > 1
    assert "other" in log.layouts
    assert differences(log, counted(tmp_path / "counts.parquet")) == []


def test_an_empty_log(store: Store, tmp_path: Path):
    """Is counted too."""
    write(store, tmp_path / "counts.parquet")

    assert differences(count(store, IDS), counted(tmp_path / "counts.parquet")) == []


@pytest.mark.parametrize("name", TEXTS)
def test_duckdb_over_parquet(tables: tuple[Path, dict[str, Log]], tmp_path: Path, name: str):
    """The same text, over files."""
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    with duckdb.connect() as connection:
        for table in TABLES:
            file = tables[0] / f"{table}.parquet"
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM '{file}'")
        connection.execute(
            f"COPY ({TEXTS[name][1]}) TO '{tmp_path / 'counts.parquet'}' (FORMAT parquet)"
        )

    assert differences(tables[1][name], counted(tmp_path / "counts.parquet")) == []


@pytest.mark.slow
def test_spark(tables: tuple[Path, dict[str, Log]], tmp_path: Path, monkeypatch):
    """The same text, over files, written to a folder of files."""
    pyspark = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        pytest.skip("Spark takes Java, which is not on this machine")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    settings = {
        "spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1", "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(tmp_path / "warehouse"),
        "spark.sql.adaptive.enabled": "false",
    }  # fmt: skip
    making = pyspark.SparkSession.builder.master("local[1]")
    for key, value in settings.items():
        making = making.config(key, value)
    with java_of_its_own(), making.getOrCreate() as spark:
        for table in TABLES:
            file = str(tables[0] / f"{table}.parquet")
            spark.read.parquet(file).createOrReplaceTempView(table)
        spark.sql(TEXTS["some of it"][1]).write.parquet(str(tmp_path / "counts"))

    assert differences(tables[1]["some of it"], counted(tmp_path / "counts")) == []


def test_no_name_of_a_visit_or_view_travels(drawn: Store, tmp_path: Path):
    """Sessions, views and their moments stay where they are."""
    import pyarrow.parquet as parquet

    write(drawn, tmp_path / "counts.parquet")
    found = parquet.read_table(tmp_path / "counts.parquet").to_pydict()

    texts = {text for name in ("source", "item", "list", "layout", "kind") for text in found[name]}
    assert not any(text and text[0] in "vs" and text[1:].isdigit() for text in texts)
    moments = [n for n in found["n"] if n is not None and n > 100_000]
    assert len(moments) == 2


def read_kinds(path: Path) -> list[str]:
    import pyarrow.parquet as parquet

    return parquet.read_table(path, columns=["kind"])["kind"].unique().to_pylist()
