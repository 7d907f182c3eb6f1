"""Neighbours that are renewed are those that comparing all with all finds."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array, vstack

from recommender.candidates import EMPTY
from recommender.text.neighbours import Rows, block, rows_of, whole
from recommender.text.renewal import bounded, renewed
from recommender.text.tfidf import Text
from recommender.text.titles import Forms


def rows_with(rows: csr_array) -> Rows:
    """Rows to compare; what neighbours do not look at is empty."""
    rows = csr_array(rows)
    rows.sort_indices()
    nothing = np.zeros(0, dtype=np.float32)
    text = Text(
        vocabulary=[""] * rows.shape[1], idf=np.ones(rows.shape[1]),
        indptr=rows.indptr.astype(np.int64),
        indices=rows.indices.astype(np.int32), weights=rows.data.astype(np.float32),
        counts=nothing,
        title_weights=nothing, subject_weights=np.zeros(rows.nnz), forms=Forms({}, {}),
        kind=nothing, boilerplate=nothing, with_runs=False, lengths=nothing, fullness=nothing,
        norms=nothing,
    )  # fmt: skip
    return rows_of(text)


@pytest.mark.parametrize("whole_numbers", [True, False], ids=["many ties", "none"])
@pytest.mark.parametrize("share", [0.01, 0.2, 0.9])
@pytest.mark.parametrize("reserve", [0, 4])
def test_generation_after_generation(whole_numbers: bool, share: float, reserve: int):
    """Some rows change, some go, some come; a row may have fewer neighbours than slots."""
    draw = np.random.default_rng(round(100 * share) + reserve)
    k, size = 6, 6 + reserve

    def fresh(n: int) -> csr_array:
        rows = random_array((n, 60), density=0.1, format="csr", dtype=np.float32, rng=draw)
        if whole_numbers:
            rows.data = np.ceil(3 * rows.data)
        rows.data[rows.indices > 40] *= draw.random() < 0.5
        return csr_array(rows)

    rows = fresh(250)
    near = bounded(*whole(rows_with(rows), k=size))
    for _ in range(4):
        n = rows.shape[0]
        changed = draw.random(n) < share
        gone = draw.random(n) < share / 2
        kept = np.flatnonzero(~gone)
        place = np.full(n, EMPTY)
        place[kept] = np.arange(len(kept))
        rows = rows.tolil()
        rows[np.flatnonzero(changed)] = fresh(int(changed.sum()))
        rows = csr_array(rows.tocsr()[kept])
        place[changed] = EMPTY
        now = rows_with(rows)

        near = renewed(near, place, now, k=k)

        wanted = whole(now, k=size)
        assert np.array_equal(near.items[:, :k], wanted[0][:, :k])
        np.testing.assert_allclose(near.likeness[:, :k], wanted[1][:, :k], rtol=1e-6)


def test_most_rows_are_not_compared_with_all_again(monkeypatch: pytest.MonkeyPatch):
    """The work is in proportion to what changed, if there is a reserve."""
    from recommender.text import renewal

    draw = np.random.default_rng(5)
    rows = csr_array(random_array((600, 80), density=0.2, format="csr", dtype=np.float32, rng=draw))
    near = bounded(*whole(rows_with(rows), k=20))
    asked_of_all = []

    def counted(*args, **options):  # type: ignore[no-untyped-def]
        if len(args) == 2:
            asked_of_all.append(len(args[1]))
        return block(*args, **options)

    monkeypatch.setattr(renewal, "block", counted)
    place = np.arange(600)
    place[:6] = EMPTY
    rows = csr_array(vstack([rows[6:12] * np.float32(0.75), rows[6:]]))
    now = rows_with(rows)

    found = renewed(near, place, now, k=10)

    assert asked_of_all == [6]
    assert np.array_equal(found.items[:, :10], whole(now, k=10)[0])
