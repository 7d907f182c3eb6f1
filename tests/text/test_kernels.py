"""The compiled loops give what the plain ones would, on one core as on many."""

from collections.abc import Iterator

import numba
import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from recommender.text.kernels import pair_dots, postings, spread

EMPTY = -1


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Every test runs on one core and on two."""
    before = numba.get_num_threads()
    if request.param > numba.config.NUMBA_NUM_THREADS:
        pytest.skip("one core only")
    numba.set_num_threads(request.param)
    yield request.param
    numba.set_num_threads(before)


def matrix(n: int, n_terms: int, *, seed: int, density: float = 0.2) -> csr_array:
    """A random sparse matrix with sorted rows, some of them empty."""
    rows = random_array((n, n_terms), density=density, format="csr", dtype=np.float32, rng=seed)
    rows.sort_indices()
    return csr_array(rows)


def parts(rows: csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return rows.indptr.astype(np.int64), rows.indices.astype(np.int32), rows.data


def test_postings_are_the_rows_turned_round():
    """For each term the rows that have it, counted from the first row asked for."""
    rows = matrix(20, 15, seed=1)

    heads, columns, values = postings(*parts(rows), 5, 20, 15)

    back = csr_array((values, columns, heads), shape=(15, 15)).toarray()
    assert np.array_equal(back, rows.toarray()[5:].T)


@pytest.mark.parametrize("seed", range(5))
def test_dots_of_pairs(threads: int, seed: int):
    """Pairs in any order, repeated, of a row with itself, of empty rows, and of nothing."""
    rows = matrix(40, 30, seed=seed)
    random = np.random.default_rng(seed)
    left, right = random.integers(-1, 40, (2, 500))

    found = pair_dots(*parts(rows), left, right)

    table = rows.toarray()
    expected = np.where((left < 0) | (right < 0), 0, (table[left] * table[right]).sum(axis=1))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_dots_of_no_pairs():
    """Nothing asked, nothing answered; a site without a single term has dots of 0."""
    nobody = np.zeros(0, dtype=np.int64)
    empty = csr_array((3, 4), dtype=np.float32)

    assert pair_dots(*parts(matrix(3, 4, seed=0)), nobody, nobody).shape == (0,)
    assert pair_dots(*parts(empty), np.array([0, 1]), np.array([1, 2])).tolist() == [0, 0]


def slow_spread(table, items, worth, trade, depth):
    """Maximal marginal relevance as the paper has it, one row."""
    used = [slot for slot, item in enumerate(items) if item != EMPTY]
    taken: list[int] = []
    while len(taken) < min(depth, len(used)):
        values = {
            slot: trade * worth[slot]
            - (1 - trade) * max([float(table[items[slot]] @ table[items[t]]) for t in taken] + [0])
            for slot in used
            if slot not in taken
        }
        taken.append(max(values, key=lambda slot: (round(values[slot], 6), -slot)))
    return [*taken, *(slot for slot in range(len(items)) if slot not in taken)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("depth", [1, 4, 30])
def test_maximal_marginal_relevance(threads: int, seed: int, depth: int):
    """The order is the slow one's; places behind ``depth`` and empty slots stay in order."""
    random = np.random.default_rng(seed)
    rows = matrix(30, 20, seed=seed, density=0.3)
    items = np.array([random.permutation(30)[:8] for _ in range(10)], dtype=np.int32)
    items[3, 5:], items[4, :], items[5, 1:] = EMPTY, EMPTY, EMPTY
    worth = np.sort(random.random((10, 8)).astype(np.float32))[:, ::-1].copy()

    order = spread(*parts(rows), items, worth, 0.6, depth)

    table = rows.toarray()
    expected = [
        slow_spread(table, row, value, 0.6, depth) for row, value in zip(items, worth, strict=True)
    ]
    assert order.tolist() == expected
