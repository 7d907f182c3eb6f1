"""What is saved comes back, mapped if it is large, and damage is told with the file's name."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.bundle import arrays
from recommender.bundle.arrays import (
    Index,
    Strings,
    load,
    load_array,
    save,
)
from recommender.errors import BundleError


@dataclass(frozen=True)
class Inner:
    names: Strings


@dataclass(frozen=True)
class Outer:
    inner: Inner
    numbers: np.ndarray


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(0, dtype=np.int32),
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.arange(12).reshape(3, 4)[:, ::2],
        np.arange(arrays.SMALL, dtype=np.uint8),
        np.array([np.nan, -np.inf]),
    ],
)
def test_an_array_comes_back(tmp_path: Path, value: np.ndarray):
    """Values, shape and type; an empty one and one that was a view, too."""
    save(tmp_path, "x", value)

    found = load_array(tmp_path, "x")

    assert found.dtype == value.dtype
    np.testing.assert_array_equal(found, value)


def test_a_large_array_is_mapped_and_cannot_be_changed(tmp_path: Path):
    """Workers share its pages, and a published bundle never changes."""
    save(tmp_path, "x", np.zeros(arrays.SMALL))

    with pytest.raises(ValueError, match="read-only"):
        load_array(tmp_path, "x")[0] = 1


def test_dataclasses_of_dataclasses_come_back(tmp_path: Path):
    """Every array is a file named after its place."""
    save(tmp_path, "site", Outer(Inner(Strings.of(["knee", "Müsli"])), np.arange(3)))

    found = load(tmp_path, "site", Outer)

    assert [found.inner.names[0], found.inner.names[1]] == ["knee", "Müsli"]
    assert found.numbers.tolist() == [0, 1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "site.json",
        "site_inner_names_data.npy",
        "site_inner_names_heads.npy",
        "site_numbers.npy",
    ]


def test_an_index_comes_back(tmp_path: Path):
    """It finds on disk what it found in memory."""
    save(tmp_path, "ids", Index.of(Strings.of(["a/b", "睡眠", "a/b"])))

    index = load(tmp_path, "ids", Index)

    assert [index.find("睡眠"), index.find("a/b"), index.find("a")] == [1, 0, None]
    assert index.column[2] == "a/b"


def test_objects_are_never_pickled(tmp_path: Path):
    """Neither written nor read: unpickling runs what a file says."""
    with pytest.raises(ValueError, match="allow_pickle"):
        save(tmp_path, "x", np.array([{}], dtype=object))
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)

    with pytest.raises(BundleError, match=r"x\.npy"):
        load_array(tmp_path, "x")


@pytest.mark.parametrize("size", [None, 0, 5, 90, 40_000])
def test_a_damaged_file_is_named(tmp_path: Path, size: int | None):
    """Missing, empty, cut in its heading, cut in its numbers."""
    save(tmp_path, "x", np.zeros(arrays.SMALL * 2))
    path = tmp_path / "x.npy"
    whole = path.read_bytes()
    path.unlink()
    if size is not None:
        path.write_bytes(whole[:size])

    with pytest.raises(BundleError, match=r"x\.npy: cannot be read"):
        load_array(tmp_path, "x")


texts = st.lists(st.text(max_size=12))


@given(texts)
def test_a_column_holds_what_went_in(values: list[str]):
    """In order, empty ones and every script included."""
    column = Strings.of(values)

    assert [column[at] for at in range(len(column))] == values
    assert int(column.heads[-1]) == len("".join(values).encode())


@pytest.mark.slow
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
    monkeypatch.setattr(arrays, "fingerprint", lambda value: len(value))
    index = Index.of(Strings.of(["knee", "gout", "salt", "hip"]))

    assert [index.find(value) for value in ("gout", "salt", "hip", "nape")] == [1, 2, 3, None]
    assert index.prints.tolist() == sorted(index.prints.tolist())
    assert index.prints.dtype == np.uint64


@dataclass(frozen=True)
class Curve:
    chance: np.ndarray
    name: str


@dataclass(frozen=True)
class Model:
    slope: float
    n_clicks: int
    columns: tuple[int, ...]
    layouts: tuple[str, ...]
    curves: tuple[Curve, ...]
    trees: Inner | None
    line: Inner | None


MODEL = Model(
    0.1,
    3,
    (2, 0),
    ("side", "睡眠"),
    (Curve(np.arange(2), "first"), Curve(np.arange(3), "second")),
    None,
    Inner(Strings.of(["knee"])),
)


def test_numbers_texts_and_tuples_come_back(tmp_path: Path):
    """From one file of JSON beside the arrays; what is None, and what is given, has no file."""
    save(tmp_path, "model", MODEL, leave=["n_clicks"])

    found = load(tmp_path, "model", Model, {"n_clicks": 5})

    assert (found.slope, found.n_clicks, found.columns) == (0.1, 5, (2, 0))
    assert (found.layouts, found.trees) == (("side", "睡眠"), None)
    assert found.line is not None
    assert found.line.names[0] == "knee"
    assert [(curve.name, len(curve.chance)) for curve in found.curves] == [
        ("first", 2),
        ("second", 3),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model.json",
        "model_curves_0_chance.npy",
        "model_curves_1_chance.npy",
        "model_line_names_data.npy",
        "model_line_names_heads.npy",
    ]


def test_what_numpy_calls_a_number_is_one(tmp_path: Path):
    """To the last bit, whichever type a computation ended with."""
    save(tmp_path, "model", replace(MODEL, slope=np.float64(1 / 3), n_clicks=np.int64(7)))

    found = load(tmp_path, "model", Model)

    assert (found.slope, found.n_clicks) == (1 / 3, 7)


def test_the_same_value_makes_the_same_bytes(tmp_path: Path):
    """Bundles of the same input are compared file by file."""
    for name in "ab":
        (tmp_path / name).mkdir()
        save(tmp_path / name, "model", MODEL)

    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_class_may_be_renamed(tmp_path: Path):
    """Its fields are the layout: yesterday's bundle does not know what the class was called."""
    save(tmp_path, "x", Inner(Strings.of(["knee"])))

    @dataclass(frozen=True)
    class Renamed:
        names: Strings

    assert load(tmp_path, "x", Renamed).names[0] == "knee"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "field columns is missing"),
        ('{"columns": [], "colour": 1}', "unknown field colour"),
        ("[]", "its content is not an object"),
        ("{", "cannot be read"),
    ],
)
def test_json_of_other_fields_is_named(tmp_path: Path, text: str, message: str):
    """The file, and the field that is missing or unknown."""
    save(tmp_path, "model", MODEL)
    (tmp_path / "model.json").write_text(text)

    with pytest.raises(BundleError, match=rf"model\.json: {message}"):
        load(tmp_path, "model", Model, {"slope": 1.0, "n_clicks": 1})
