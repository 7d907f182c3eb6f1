"""What whole arrays do at once is what a loop does row by row."""

from itertools import pairwise

import numpy as np
import pytest

from recommender.ragged import at, clusters, expand, find, mixed, ranks, runs
from recommender.text.kernels import differences


def test_find_and_at_on_nothing():
    """No keys, no values: nothing is found, and nothing found counts 0."""
    nothing = np.zeros(0, dtype=np.int64)

    assert find(nothing, np.array([1, 2])).tolist() == [-1, -1]
    assert at(nothing, np.array([-1])).tolist() == [0]
    assert at(np.array([7.0, 8.0]), np.array([1, -1, 0])).tolist() == [8, 0, 7]


def test_find_is_a_search_of_each():
    """Whatever is there, in front, behind or between."""
    random = np.random.default_rng(1)
    keys = np.unique(random.integers(0, 200, 60))
    wanted = random.integers(-5, 205, 300)

    expected = [keys.tolist().index(key) if key in keys else -1 for key in wanted]
    assert find(keys, wanted).tolist() == expected


@pytest.mark.parametrize("n_rows", [0, 1, 40])
def test_rows_are_expanded_one_after_the_other(n_rows: int):
    """Rows in any order, some of them empty, some twice."""
    random = np.random.default_rng(n_rows)
    heads = np.concatenate([[0], np.cumsum(random.integers(0, 4, 20))])
    rows = random.integers(0, 20, n_rows)

    entry, row = expand(heads[rows], np.diff(heads)[rows])

    expected = [
        (at, place)
        for place, number in enumerate(rows)
        for at in range(heads[number], heads[number + 1])
    ]
    assert list(zip(entry.tolist(), row.tolist(), strict=True)) == expected


def test_runs_of_equal_neighbours():
    """Against joining runs by hand; of nothing there is no run."""
    values = np.random.default_rng(2).integers(0, 3, 50)

    heads = runs(values)

    for first, last in pairwise(heads.tolist()):
        assert len(set(values[first:last].tolist())) == 1
        assert last == len(values) or values[last] != values[first]
    assert runs(values[:0]).tolist() == [0]


@pytest.mark.parametrize("ties", [False, True])
def test_ranks_within_groups_that_stand_mixed(ties: bool):
    """Against sorting each group; equal scores keep the order of ``tie``, else their own."""
    random = np.random.default_rng(3)
    group, score, tie = random.integers(0, 9, (3, 200))
    tie = tie if ties else np.zeros(200, dtype=np.int64)

    found = ranks(group, score.astype(float), tie if ties else None)

    for number in range(9):
        members = np.flatnonzero(group == number)
        order = sorted(members, key=lambda entry: (-score[entry], tie[entry], entry))
        assert found[order].tolist() == list(range(1, len(members) + 1))


def test_clusters_are_chains_of_pairs():
    """Against a slow search: whoever can be reached belongs together."""
    random = np.random.default_rng(2)
    left, right = random.integers(0, 60, (2, 35))

    found = clusters(60, left, right)

    expected = np.arange(60)
    for _ in range(60):
        for a, b in zip(left, right, strict=True):
            expected[[a, b]] = min(expected[a], expected[b])
    assert np.array_equal(found, expected)


def test_hashes_scatter():
    """Neighbouring numbers fall evenly into few bins, and sums of two do not meet."""
    hashes = mixed(np.arange(3_000))

    assert np.bincount(hashes % 5, minlength=5).min() > 500
    sums = hashes[:300, None] + hashes[None, :300]
    assert len(np.unique(sums)) == 300 * 301 // 2


def test_the_compiled_hash_is_the_same_one():
    """A single added term stands for itself."""
    terms = np.array([7, 4_000_000], dtype=np.int32)
    nothing, each = np.zeros(2, dtype=np.int64), np.array([1, 2])

    found = differences(np.array([0, 0, 1, 2]), terms, nothing, each)

    assert found[:, 2].tolist() == mixed(terms).tolist()
