"""Runs and qrels: every id comes back, other tools read what is written, faults are named."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import InputError
from recommender.evaluation.trec import (
    QRELS,
    RUN,
    escaped,
    for_ranx,
    read_qrels,
    read_run,
    unescaped,
    write_qrels,
    write_run,
)

IDS = [
    "knee", "knee pain", "a/b?c=d&e=%20", "100%", "tab\there", "line\nbreak", "\r", "\\", "\\u0020",
    "\ufeffknee", "no\u00a0break", "\u2028", "\x85", "Q0", "0", "膝", " ",
]  # fmt: skip


@given(st.text(alphabet=st.characters(), min_size=1))
def test_every_id_is_one_field_and_comes_back(id: str):
    """Whatever text an id is: no white space in it, and the same afterwards."""
    assert escaped(id).split() == [escaped(id)]
    assert unescaped(escaped(id)) == id


def test_an_id_without_white_space_stands_as_it_is():
    """Other tools read it without knowing of escapes."""
    for id in ("knee", "a/b?c=d&e=%20", "100%", "膝"):
        assert escaped(id) == id


def test_a_foreign_backslash_is_a_backslash():
    """Where it begins no escape."""
    assert unescaped("C:\\users") == "C:\\users"


def test_qrels_go_round(tmp_path: Path):
    """Ids, grades and iterations, in their order; negative grades too."""
    qrels = pd.DataFrame({
        "query_id": IDS, "doc_id": IDS[::-1], "relevance": [*range(-1, len(IDS) - 1)],
        "iteration": ["Ada L."] * len(IDS),
    })  # fmt: skip

    write_qrels(tmp_path / "qrels", qrels)

    pd.testing.assert_frame_equal(read_qrels(tmp_path / "qrels"), qrels)


def test_a_run_goes_round(tmp_path: Path):
    """Scores to the last digit."""
    run = pd.DataFrame({
        "query_id": IDS, "doc_id": IDS[::-1], "score": [1 / (n + 3) for n in range(len(IDS))],
        "rank": [1] * len(IDS), "run": ["the new one"] * len(IDS),
    })  # fmt: skip

    write_run(tmp_path / "run", run)

    pd.testing.assert_frame_equal(read_run(tmp_path / "run"), run)


def test_ranks_follow_scores_where_none_are_given(tmp_path: Path):
    """From 1 in each query, equal scores in the order of the frame."""
    run = pd.DataFrame({
        "query_id": ["a", "a", "b", "a"], "doc_id": ["x", "y", "x", "z"], "score": [1, 3, 2, 1],
    })  # fmt: skip

    write_run(tmp_path / "run", run)

    assert read_run(tmp_path / "run")["rank"].tolist() == [2, 1, 1, 3]
    assert (tmp_path / "run").read_text().splitlines()[0] == "a Q0 x 2 1.0 recommender"


def test_trec_eval_reads_what_is_written(tmp_path: Path):
    """The tool that everybody compares with, on ids with spaces."""
    pairs = pd.DataFrame({"query_id": ["knee pain"] * 2, "doc_id": ["a b", "c"]})
    write_run(tmp_path / "run", pairs.assign(score=[2.0, 1.0]))
    write_qrels(tmp_path / "qrels", pairs.assign(relevance=[0, 1]))

    with (tmp_path / "run").open() as run, (tmp_path / "qrels").open() as qrels:
        found = pytrec_eval.RelevanceEvaluator(
            pytrec_eval.parse_qrel(qrels), {"recip_rank"}
        ).evaluate(pytrec_eval.parse_run(run))

    assert found == {"knee\\u0020pain": {"recip_rank": 0.5}}


def test_foreign_files_are_read(tmp_path: Path):
    """Tabs, blank lines, a mark at the beginning, line ends of Windows, gzip."""
    text = "\ufeff1\t0\tdoc-a\t2\r\n\r\n  1 Q0   doc-b  0 \r\n"
    (tmp_path / "qrels.gz").write_bytes(gzip.compress(text.encode()))

    assert read_qrels(tmp_path / "qrels.gz").to_numpy().tolist() == [
        ["1", "doc-a", 2, "0"], ["1", "doc-b", 0, "Q0"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 0 a 1\n1 0 b\n", ":2: 3 fields where a line has 4"),
        ("1 0 knee pain 1\n", ":1: 5 fields where a line has 4"),
        ("1 0 a 0.5\n", ":1: relevance 0.5 is no whole number"),
        ("1 0 a yes\n", ":1: relevance yes is no whole number"),
        ("1 0 a 1\n1 0 a 2\n", "document a stands twice in query 1"),
        ("1 0 a 1 \xe9\n", "not UTF-8"),
    ],
)
def test_a_faulty_line_of_qrels_is_named(tmp_path: Path, text: str, reason: str):
    """By its number, with what a line has."""
    (tmp_path / "qrels").write_bytes(text.encode("latin-1"))

    with pytest.raises(InputError, match=reason):
        read_qrels(tmp_path / "qrels")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 Q0 a 1 nan me", "a score of nan is no number"),
        ("1 Q0 a 1 high me", "a score of high is no number"),
        ("1 Q0 a first 1.0 me", "rank first is no whole number"),
        ("1 0 a 1", "4 fields where a line has 6"),
    ],
)
def test_a_faulty_line_of_a_run_is_named(tmp_path: Path, line: str, reason: str):
    """Qrels handed over for a run too."""
    (tmp_path / "run").write_text(line)

    with pytest.raises(InputError, match=f":1: {reason}"):
        read_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"doc_id": ""}, "an empty id"),
        ({"doc_id": None}, "row 0 has no id"),
        ({"relevance": 0.5}, "relevance 0.5 is no whole number"),
        ({"relevance": None}, "relevance"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_lost(
    tmp_path: Path, change: dict[str, object], reason: str
):
    """The file stays as it was."""
    (tmp_path / "qrels").write_text("what was there")
    qrels = pd.DataFrame([{"query_id": "q", "doc_id": "d", "relevance": 1, **change}])

    with pytest.raises(InputError, match=reason):
        write_qrels(tmp_path / "qrels", qrels)
    assert (tmp_path / "qrels").read_text() == "what was there"


def test_a_missing_column_or_file_is_named(tmp_path: Path):
    """And which there are."""
    with pytest.raises(InputError, match="no column score; query_id"):
        write_run(tmp_path / "run", pd.DataFrame({"query_id": ["q"], "doc_id": ["d"]}))
    with pytest.raises(InputError, match="cannot be read"):
        read_run(tmp_path / "run")


def test_empty_files_have_the_columns(tmp_path: Path):
    """Nothing was ranked, nothing judged."""
    (tmp_path / "empty").touch()

    assert tuple(read_run(tmp_path / "empty")) == RUN
    assert tuple(read_qrels(tmp_path / "empty")) == QRELS


def test_ranx_has_its_names():
    """``q_id``, ``doc_id`` and ``score``, of runs and of qrels, and ids of the type it asks for."""
    qrels = pd.DataFrame({"query_id": ["q"], "doc_id": ["d"], "relevance": [1]})

    assert for_ranx(qrels).dtypes.astype(str).tolist() == ["object", "object", "int64"]

    assert for_ranx(qrels).to_dict("records") == [{"q_id": "q", "doc_id": "d", "score": 1}]
