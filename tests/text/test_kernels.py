"""The compiled loops give what the plain ones would, on one core as on many."""

from collections.abc import Iterator

import numba
import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from recommender.text import kernels
from recommender.text.kernels import differences, overlaps, pair_dots, postings, row_dots


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


def test_few_rows_and_many_make_the_same_bytes(monkeypatch: pytest.MonkeyPatch):
    """Whether one thread does the work or all of them, to which it is left for few rows."""
    random = np.random.default_rng(3)
    indptr, indices, weights = parts(matrix(40, 30, seed=3))
    dense = random.normal(size=(40, 7)).astype(np.float32)
    pairs = random.integers(0, 40, (2, 500))

    def found() -> list[bytes]:
        rows = (
            pair_dots(indptr, indices, weights, *pairs),
            overlaps(indptr, indices, weights, weights, weights, *pairs),
            row_dots(dense, *pairs),
            differences(indptr, indices, *pairs),
        )
        return [each.tobytes() for each in rows]

    alone = found()
    monkeypatch.setattr(kernels, "MANY_ROWS", 0)

    assert found() == alone
