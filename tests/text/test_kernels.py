"""The compiled loops give what the plain ones would, on one core as on many."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

import recommender
from recommender.text import compiled
from recommender.text.kernels import differences, overlaps, pair_dots, row_dots


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Every test runs on one thread and on two."""
    monkeypatch.setattr(compiled, "MANY_ROWS", 0)
    monkeypatch.setattr(compiled, "n_threads", lambda: request.param)
    return request.param


def matrix(n: int, n_terms: int, *, seed: int, density: float = 0.2) -> csr_array:
    """A random sparse matrix with sorted rows, some of them empty."""
    rows = random_array((n, n_terms), density=density, format="csr", dtype=np.float32, rng=seed)
    rows.sort_indices()
    return csr_array(rows)


def parts(rows: csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return rows.indptr.astype(np.int64), rows.indices.astype(np.int32), rows.data


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
    monkeypatch.setattr(compiled, "MANY_ROWS", 0)
    monkeypatch.setattr(compiled, "n_threads", lambda: 2)

    assert found() == alone


def test_numbers_of_rows_of_either_size_do():
    """In 32 bits and in 64, mapped or not: one version of a loop is compiled for all."""
    indptr, indices, weights = parts(matrix(40, 30, seed=3))
    left, right = np.random.default_rng(1).integers(0, 40, (2, 50))
    found = pair_dots(indptr, indices, weights, left, right)
    weights.flags.writeable = False

    again = pair_dots(indptr, indices, weights, left.astype(np.int32), right[::1])

    assert found.tobytes() == again.tobytes()
    assert len(pair_dots.serial.signatures) == 1


WHERE = """
import sys
from recommender.text import byte_loops, compiled, kernels
import numpy as np
heads, nobody = np.array([0, 1]), np.zeros(1, dtype=np.int64)
dots = kernels.pair_dots(heads, nobody.astype(np.int32), np.ones(1, np.float32), nobody, nobody)
print(repr(compiled.CACHE_FOLDER), dots, sum(kernels.pair_dots.serial.stats.cache_hits.values()))
"""


def installed(folder: Path) -> Path:
    """A copy of the package, its folder closed to writing."""
    package = folder / "lib" / "recommender"
    origin = Path(recommender.__file__).parent
    shutil.copytree(origin, package, ignore=shutil.ignore_patterns("__pycache__"))
    return package.parent


def where(library: Path, **environment: str) -> list[str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-Bc", WHERE], env=kept | {"PYTHONPATH": str(library)} | environment,
        capture_output=True, text=True, check=True, cwd=library,
    )  # fmt: skip
    return done.stdout.split()


@pytest.mark.slow
def test_what_is_compiled_is_kept_where_we_may_write(tmp_path: Path):
    """In the user's folder of caches where the package may not be written to, and read from there
    by the next process; nowhere, without an error, where that may not be either.
    """
    library = installed(tmp_path)
    # A file in the place of a folder is closed to anybody, root too.
    (library / "recommender" / "text" / "__pycache__").touch()
    home, closed = tmp_path / "home", tmp_path / "closed"
    home.mkdir()
    closed.touch()
    expected = repr(str(home / "recommender" / "compiled"))

    assert where(library, XDG_CACHE_HOME=str(home)) == [expected, "[1.]", "0"]
    assert where(library, XDG_CACHE_HOME=str(home)) == [expected, "[1.]", "1"]
    assert where(library, XDG_CACHE_HOME=str(closed)) == ["None", "[1.]", "0"]
    named = str(tmp_path / "named")
    assert where(library, XDG_CACHE_HOME=str(closed), NUMBA_CACHE_DIR=named)[:2] == ["''", "[1.]"]
    assert list(Path(named).rglob("*.nbi"))
