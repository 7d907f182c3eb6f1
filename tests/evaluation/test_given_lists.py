"""Lists as tables and files: every link at its place, or the line that is none."""

import json
from pathlib import Path

import pandas as pd
import pytest

from recommender.articles.article import Article
from recommender.errors import InputError
from recommender.evaluation.given_lists import lists_of, picked, read_lists

ROWS = [
    {"source_id": "knee", "position": 10, "id": "nap"},
    {"source_id": "knee", "position": 2, "id": "hip"},
    {"source_id": "a b/c", "position": 1, "id": "knee"},
]
LISTS = {"knee": ["hip", "nap"], "a b/c": ["knee"]}


def test_a_table_is_read_by_position():
    """As numbers: position 10 comes behind position 2, even where they are texts."""
    table = pd.DataFrame(ROWS)

    assert lists_of(table) == LISTS
    assert lists_of(table.assign(position=table["position"].astype(str))) == LISTS


@pytest.mark.parametrize("format", ["csv", "jsonl", "ndjson", "json", "parquet", "csv.gz"])
def test_files_are_read_as_tables_are(tmp_path: Path, format: str):
    """By their names."""
    path, table = tmp_path / f"lists.{format}", pd.DataFrame(ROWS)
    if format == "parquet":
        table.to_parquet(path)
    elif format.startswith("csv"):
        table.to_csv(path, index=False)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    assert read_lists(path) == LISTS


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("source_id,position,id\nknee,1,hip\nknee,second,nap\n", ":3: position 'second' is no"),
        ("source_id,position,id\nknee,1,\n", ":2: no id; a link has source_id, position, id"),
        ("source_id,id\nknee,hip\n", ":2: no position"),
        ("source_id,position,id\n", "no list in it"),
    ],
)
def test_a_faulty_line_is_named(tmp_path: Path, text: str, reason: str):
    """And nothing left out."""
    (tmp_path / "lists.csv").write_text(text)

    with pytest.raises(InputError, match=reason):
        read_lists(tmp_path / "lists.csv")


def test_files_of_other_kinds_are_refused(tmp_path: Path):
    """What is not there, and what is no table."""
    (tmp_path / "lists.xlsx").touch()

    with pytest.raises(InputError, match=r"lists come as .csv, .* and this is '.xlsx'"):
        read_lists(tmp_path / "lists.xlsx")
    with pytest.raises(InputError, match="no such file"):
        read_lists(tmp_path / "none.csv")


def test_the_editors_lists_are_those_of_pages_that_have_one():
    """Each link once; a site without any says so."""
    pages = [Article(id="a", title="A", recommended=("b", "c", "b")), Article(id="b", title="B")]

    assert picked(pages) == {"a": ["b", "c"]}
    with pytest.raises(InputError, match="no article of the store has a hand-picked list"):
        picked(pages[1:])
