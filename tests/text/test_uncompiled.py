"""Without numba every loop gives the same bytes."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from recommender.ranking.cross_fitting import FoldCounts
from recommender.text import kernels, uncompiled

N, TERMS = 60, 40


def same(name: str, *arguments: object) -> np.ndarray:
    """The result of both, which is one."""
    found = [getattr(module, name)(*arguments) for module in (kernels, uncompiled)]

    assert found[0].dtype == found[1].dtype
    assert found[0].tobytes() == found[1].tobytes()
    return found[1]


def rows(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A sparse matrix as arrays, some of its rows empty."""
    drawn = random_array((N, TERMS), density=0.2, format="csr", dtype=np.float32, rng=seed)
    found = csr_array(drawn)
    found.sort_indices()
    return found.indptr.astype(np.int64), found.indices.astype(np.int32), found.data


def ragged(random: np.random.Generator, n: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of up to ``most`` different articles, sorted."""
    chosen = [np.sort(random.choice(n, random.integers(0, most), replace=False)) for _ in range(n)]
    heads = np.cumsum([0, *map(len, chosen)])
    return heads.astype(np.int64), np.concatenate(chosen).astype(np.int32)


@pytest.fixture(params=[7, 2_000_000])
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the work is done in many pieces or in one."""
    monkeypatch.setattr(uncompiled, "PIECE", request.param)
    monkeypatch.setattr(uncompiled, "ROWS", request.param)


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("seed", range(3))
def test_pairs_have_the_same_in_common(seed: int):
    """Of texts, titles, topics and words; a row that is none gives 0."""
    random = np.random.default_rng(seed)
    indptr, indices, weights = rows(seed)
    titles, subjects = (random.random(len(weights)).astype(np.float32) for _ in range(2))
    left, right = random.integers(-1, N, (2, 400))
    some = np.maximum([left, right], 0)

    assert same("pair_dots", indptr, indices, weights, left, right).any()
    assert same("overlaps", indptr, indices, weights, titles, subjects, *some).any()
    assert same("row_dots", random.normal(size=(N, 9)).astype(np.float32), *some).any()
    assert same("differences", indptr, indices, *some).any()
    nobody = np.zeros(0, dtype=np.int64)
    assert same("pair_dots", indptr, indices, weights, nobody, nobody).shape == (0,)


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("levels", [3, 1_000])
@pytest.mark.parametrize("n_common", [0, 9, TERMS])
def test_neighbours_are_the_same(levels: int, n_common: int):
    """Tile after tile, for rows alone and for both, also where most are equally like."""
    random = np.random.default_rng(5)
    indptr, indices, weights = rows(4)
    weights = np.ceil(weights * levels).astype(np.float32) / np.float32(levels)
    subjects = np.where(random.random(len(weights)) < 0.3, weights, 0).astype(np.float32)
    number = random.permutation(2 * TERMS).astype(np.int32)
    k, found = 5, []
    for module in (kernels, uncompiled):
        arrays = module.arrange(indptr, indices, weights, subjects, number, n_common, TERMS)
        made = [each.tobytes() for each in arrays]
        for both in (False, True):
            best, least = np.zeros((N, k), dtype=np.int64), np.ones(N, dtype=np.int32)
            for first, last in ((0, 25), (25, 50), (50, N)):
                columns, to = np.arange(first, last, dtype=np.int32), slice(first, last)
                posts = module.tile(*arrays, columns, n_common, 2 * TERMS)
                others = (best[to], least[to]) if both else (best[:0], least[:0])
                of = np.arange(last if both else N, dtype=np.int32)
                own = slice(0, len(of))
                module.compare(*arrays, of, columns, both, posts, best[own], least[own], *others)
            made += [np.sort(best, axis=1).tobytes(), least.tobytes()]
        found.append(made)

    assert found[0] == found[1]
    assert found[0][-1] == found[0][-3]
    assert (best > 0).any()


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("seed", range(3))
def test_lists_propose_the_same(seed: int):
    """What is added up along lists of neighbours, and what is proposed most."""
    random = np.random.default_rng(seed)
    heads, items = ragged(random, N, 6)
    sources = np.repeat(np.arange(N), np.diff(heads))
    order = np.argsort(items, kind="stable")
    back_heads = np.searchsorted(items[order], np.arange(N + 1)).astype(np.int64)
    back = sources[order].astype(np.int32)
    near = np.array([random.permutation(N)[:8] for _ in range(N)], dtype=np.int32)
    near[random.random(N) < 0.3, 3:] = -1
    # Of three levels, so that many are proposed alike.
    cosine = random.integers(1, 4, near.shape).astype(np.float32) / np.float32(3)
    ways = (near, cosine, heads, items, back_heads, back)
    weighed = np.array([1.0, 0.0, 2.0], dtype=np.float32)
    asked = np.repeat(random.permutation(N), 5)
    groups = np.arange(0, len(asked) + 1, 5)
    wanted = random.integers(0, N, len(asked))

    assert (same("propose", *ways, random.permutation(N), weighed, 9, 4) >= 0).any()
    assert same("gather", *ways, 4, groups, asked, wanted).any(axis=0).all()


@pytest.mark.usefixtures("piece")
def test_trees_predict_the_same():
    """Also where a feature is not known."""
    from recommender.ranking.boosting import laid_out

    random = np.random.default_rng(1)
    seen = random.normal(size=(500, 4))
    seen[random.random(seen.shape) < 0.2] = np.nan
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(max_iter=12, random_state=0)
    forest = laid_out(model.fit(seen, np.nan_to_num(seen).sum(axis=1)), seen)
    parts = (
        forest.baseline, forest.heads, forest.feature, forest.threshold, forest.missing_left,
        forest.left, forest.right, forest.value,
    )  # fmt: skip

    assert same("forest_sums", *parts, seen).std() > 0.1
    assert same("forest_sums", *parts, seen[:0]).shape == (0,)


WITHOUT = """
import sys
sys.modules["numba"] = None
from recommender.text import loops
print(loops.ARE_COMPILED, loops.pair_dots.__module__)
"""


@pytest.mark.slow
def test_they_stand_in_where_numba_is_not_installed():
    """And only there."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["False", "recommender.text.uncompiled"]
    from recommender.text import loops

    assert (loops.ARE_COMPILED, loops.pair_dots) == (True, kernels.pair_dots)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_folds_are_left_out_of_the_same_groups(seed: int, dtype: type):
    """Of keys spread evenly, of keys that crowd, of one and of none; and places in rows of a table
    are the same.
    """
    random = np.random.default_rng(seed)
    spread = random.integers(-(2**63), 2**63 - 1, 500)
    crowded = np.concatenate([np.arange(400), [2**62]])
    for keys in (np.unique(spread), crowded, spread[:1], spread[:0]):
        hits, expected = random.random((2, len(keys), 5)).astype(dtype)
        groups = FoldCounts(keys, hits, expected)
        others = random.integers(-(2**63), 2**63 - 1, 50)
        wanted = np.concatenate([others, random.permutation(keys), keys[:1] - 1, keys[-1:] + 1])
        fold = random.integers(0, 6, len(wanted))

        found = same("sums_without", keys, *groups._buckets, hits, expected, wanted, fold)

        assert (found > 0).all(axis=1).sum() == np.isin(wanted, keys).sum() or not len(keys)
    table = random.integers(-1, 30, (N, 8)).astype(np.int32)
    left, right = random.integers(0, N, 300), random.integers(0, 30, 300)

    assert len(np.unique(same("places", table, left, right))) == 9
