"""What is saved comes back, mapped if it is large, and damage is told with the file's name."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from recommender.bundle import arrays
from recommender.bundle.arrays import load, load_array, load_index, load_strings, save, save_index
from recommender.bundle.strings import Strings
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
        "site_inner_names_data.npy",
        "site_inner_names_heads.npy",
        "site_numbers.npy",
    ]


def test_an_index_comes_back(tmp_path: Path):
    """It finds on disk what it found in memory; the column can be had alone."""
    save_index(tmp_path, "ids", ["a/b", "睡眠", "a/b"])

    index = load_index(tmp_path, "ids")

    assert [index.find("睡眠"), index.find("a/b"), index.find("a")] == [1, 0, None]
    assert load_strings(tmp_path, "ids")[2] == "a/b"


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
