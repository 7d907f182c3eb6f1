"""A column of strings gives back what went in, and its index finds it and nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.bundle import strings
from recommender.bundle.strings import Index, Strings

texts = st.lists(st.text(max_size=12))


@given(texts)
def test_a_column_holds_what_went_in(values: list[str]):
    """In order, empty ones and every script included."""
    column = Strings.of(values)

    assert [column[at] for at in range(len(column))] == values
    assert int(column.heads[-1]) == len("".join(values).encode())


@given(texts, st.text(max_size=12))
def test_an_index_is_a_dict(values: list[str], asked: str):
    """Of equal strings the first is found, and what was not put in is not found."""
    index = Index.of(Strings.of(values))

    for value in [*values, asked]:
        assert index.find(value) == (values.index(value) if value in values else None)


def test_an_empty_column_finds_nothing():
    """Not even the empty string."""
    assert Index.of(Strings.of([])).find("") is None


def test_bytes_are_kept_as_they_are():
    """Prepared answers are bytes, and go out as such."""
    column = Strings.of([b"\x00\xff", "ü"])

    assert column.bytes_at(0) == b"\x00\xff"
    assert column.bytes_at(1) == "ü".encode()


def test_equal_fingerprints_are_told_apart(monkeypatch):
    """Two strings may share a fingerprint; the strings themselves are compared."""
    monkeypatch.setattr(strings, "fingerprint", lambda value: len(value))
    index = Index.of(Strings.of(["knee", "gout", "salt", "hip"]))

    assert [index.find(value) for value in ("gout", "salt", "hip", "nape")] == [1, 2, 3, None]
    assert index.prints.tolist() == sorted(index.prints.tolist())
    assert index.prints.dtype == np.uint64
