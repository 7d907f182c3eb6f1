"""Counts made elsewhere train the same bundle, and what is no such file is refused."""

import filecmp
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from logs import DAY, IDS, differences, draw
from sites import NOW, stored

from recommender.articles.article import Article
from recommender.cli.main import main
from recommender.errors import InputError
from recommender.store.counting_statement import COLUMNS, TABLES
from recommender.store.counts import count
from recommender.store.counts_file import read, write
from recommender.store.database import Store
from recommender.training.pipeline import Options, build

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
parquet = pytest.importorskip("pyarrow.parquet")
ANY_TIME = 2**62


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A store with a log of everything."""
    path = tmp_path / "site.db"
    with Store(f"sqlite:///{path}") as store:
        draw(store, seed=3)
    return path


@pytest.fixture
def table(site: Path, tmp_path: Path) -> "pa.Table":
    with Store(f"sqlite:///{site}") as store:
        write(store, tmp_path / "counts.parquet")
    return parquet.read_table(tmp_path / "counts.parquet")


def refused(table: "pa.Table", path: Path) -> str:
    """Why a file of this table is."""
    parquet.write_table(table, path)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def changed(table: "pa.Table", name: str, values: "pa.Array") -> "pa.Table":
    return table.set_column(table.column_names.index(name), name, values)


def of_kind(table: "pa.Table", *kinds: str) -> "pa.Table":
    return table.filter(pa.compute.is_in(table["kind"], pa.array(kinds)))


@pytest.mark.slow
def test_the_bundle_is_the_same_to_the_byte(sample: Path, tmp_path: Path):
    """Trained from counts, as from the log that they were made of."""
    shutil.copy(sample / "site.db", tmp_path / "site.db")
    with Store(f"sqlite:///{tmp_path / 'site.db'}") as store:
        write(store, tmp_path / "counts.parquet")
        one = build(store, tmp_path / "one", now=NOW)
        counts = read(tmp_path / "counts.parquet")
        for name in ("clicks", "views", "pageviews"):
            with store.transaction() as connection:
                connection.exec_driver_sql(f"DELETE FROM {name}")
        other = build(store, tmp_path / "other", now=NOW, options=Options(counts=counts))

    files = [path.relative_to(one.folder) for path in one.folder.rglob("*") if path.is_file()]
    same, unlike, missing = filecmp.cmpfiles(one.folder, other.folder, files, shallow=False)
    assert one.decided_by == "model"
    assert (unlike, missing, len(same) > 5) == ([], [], True)


def test_rows_may_come_in_any_order_and_names_in_capitals(site: Path, table, tmp_path: Path):
    """In several files, as engines write them: of other types that hold the same too."""
    order = np.random.default_rng(0).permutation(len(table))
    mixed = table.take(pa.array(order))
    mixed = mixed.rename_columns([name.upper() for name in mixed.column_names])
    mixed = changed(mixed, "N", mixed["N"].cast(pa.decimal128(38, 0)))
    mixed = changed(mixed, "DAY", mixed["DAY"].cast(pa.float64()))
    mixed = changed(mixed, "ITEM", mixed["ITEM"].cast(pa.large_string()))
    mixed = changed(mixed, "KIND", mixed["KIND"].cast(pa.binary()))
    folder = tmp_path / "parts"
    folder.mkdir()
    for at in range(3):
        parquet.write_table(
            mixed.slice(at * 200, 200 if at < 2 else None), folder / f"{at}.parquet"
        )
    (folder / "_SUCCESS").touch()

    with Store(f"sqlite:///{site}") as store:
        assert differences(count(store, IDS), read(folder).log(IDS, until=ANY_TIME)) == []


def test_days_to_come_are_left_out_and_counted(site: Path, table):
    """A wrong clock does not end the log there."""
    place = Path(site).with_name("counts.parquet")
    found = read(place)
    log = found.log(IDS, until=3 * DAY)

    assert log.view_day.max() == 2
    assert log.last_ts == 3 * DAY - 1
    assert found.n_ahead(3 * DAY) > 0
    assert (
        found.n_ahead(3 * DAY) + log.n_views.sum() == found.log(IDS, until=ANY_TIME).n_views.sum()
    )


def test_unknown_articles_are_named(table, tmp_path: Path):
    """Their views and clicks are counted."""
    found = read(tmp_path / "counts.parquet").unknown([*IDS[1:], "another"])

    assert found.ids == (IDS[0],)
    assert found.n_views > 0
    assert found.n_clicks > 0
    assert read(tmp_path / "counts.parquet").unknown(IDS).ids == ()


def test_columns_that_are_missing_are_named(table, tmp_path: Path):
    assert "no column layout, n_in_sessions" in refused(
        table.drop_columns(["layout", "n_in_sessions"]), tmp_path / "x.parquet"
    )


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("n", pa.string(), "column n is of type string; whole numbers are expected"),
        ("propensity", pa.string(), "column propensity is of type string; numbers are expected"),
        ("kind", pa.int64(), "column kind is of type int64; text is expected"),
        ("list", pa.list_(pa.string()), "column list is of type list"),
    ],
)
def test_columns_of_wrong_types_are_named(table, tmp_path: Path, name, values, reason: str):
    column = pa.nulls(len(table), values)

    assert reason in refused(changed(table, name, column), tmp_path / "x.parquet")


def test_halves_and_doubles_are_refused(table, tmp_path: Path):
    """A file that lacks a kind, or has two runs in it; parts of numbers; a kind nobody knows."""
    path = tmp_path / "x.parquet"
    half = pa.array(np.where(np.arange(len(table)) == 7, 0.5, 1.0))
    kinds = pa.array(
        ["else" if at == 7 else kind for at, kind in enumerate(table["kind"].to_pylist())]
    )

    assert "not all that the statement finds" in refused(table.slice(0, 0), path)
    assert "not all that the statement finds" in refused(of_kind(table, "view", "slate"), path)
    assert "counts of several runs" in refused(pa.concat_tables([table, table]), path)
    assert "which is not there" in refused(of_kind(table, "view", "other layouts"), path)
    assert "links of a slate that is not there" in refused(
        of_kind(table, "link", "other layouts"), path
    )
    assert "a click on link" in refused(of_kind(table, "slate", "click", "other layouts"), path)
    assert "no whole number" in refused(changed(table, "rank", half), path)
    assert "kind 'else' is none of link, slate" in refused(changed(table, "kind", kinds), path)
    assert "has no n" in refused(changed(table, "n", pa.nulls(len(table), pa.int64())), path)


@pytest.mark.parametrize("name", ["missing.parquet", "text.parquet", "empty"])
def test_what_is_no_parquet_is_refused(tmp_path: Path, name: str):
    (tmp_path / "text.parquet").write_text("kind,n\n")
    (tmp_path / "empty").mkdir()

    with pytest.raises(InputError, match=name):
        read(tmp_path / name)


def test_the_manual_has_the_tables_that_the_statement_reads():
    manual = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()

    assert all(f"| `{name}` | {about} |" in manual for name, about in TABLES.items())


def test_training_names_what_it_does_not_know(site: Path, tmp_path: Path, monkeypatch, capsys):
    """Articles of the counts that the store lacks, on stderr; and a second time nothing is new."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECOMMENDER_DATABASE", f"sqlite:///{site}")
    with Store(f"sqlite:///{site}") as store:
        pages = [Article(id=id, title=f"Page {id}", body=f"text of {id}") for id in IDS[:10]]
        stored(store, pages)
        write(store, tmp_path / "counts.parquet")
        n = int(count(store, IDS).n_clicks.sum())

    assert main(["train", "--counts", "counts.parquet", "--json"]) == 0
    done = capsys.readouterr()
    assert "counts.parquet: 2 articles are not in the store, such as page/11; " in done.err
    assert json.loads(done.out)["n_clicks"] <= n
    assert main(["train", "--counts", "counts.parquet", "--if-new", "1"]) == 0
    assert "not trained: 0 new clicks" in capsys.readouterr().out


def test_the_commands(site: Path, tmp_path: Path, monkeypatch, capsys):
    """Count, print, refuse what cannot be had together."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECOMMENDER_DATABASE", f"sqlite:///{site}")
    monkeypatch.setenv("RECOMMENDER_SESSION_CLICKS", "17")

    assert main(["counts", "all.parquet"]) == 0
    assert "train --counts all.parquet" in capsys.readouterr().out
    assert main(["counts", "--sql", "--until", "1970-01-03"]) == 0
    text = capsys.readouterr().out
    assert "v.ts < 172800000" in text
    assert "nth_in_session <= 17" in text
    assert ":" not in text
    assert all(name in text for name in (*TABLES, *COLUMNS))
    assert main(["counts"]) == main(["counts", "x.parquet", "--sql"]) == 2
    assert main(["train", "--counts", "all.parquet", "--promote-if-better"]) == 2
    assert main(["train", "--counts", "all.parquet", "--until", "2026-01-01"]) == 2
    assert main(["train", "--counts", "none.parquet"]) == 1
    assert "none.parquet" in capsys.readouterr().err
