"""The metrics agree with arithmetic by hand and with scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score, roc_auc_score

from recommender.metrics import auc, ndcg, reciprocal_rank


def one(ranks: list[int], size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One view of ``size`` links, of which those at ``ranks`` were followed."""
    return np.array(ranks, dtype=int), np.zeros(len(ranks), dtype=int), np.array([size])


@pytest.mark.parametrize(
    ("ranks", "size", "rr", "gain", "chance"),
    [
        ([1], 4, 1, 1, 1),
        ([4], 4, 1 / 4, 0, 0),  # beyond k=3 the gain is 0
        ([2], 4, 1 / 2, 1 / np.log2(3), 2 / 3),
        ([2, 3], 4, 1 / 2, (1 / np.log2(3) + 1 / 2) / (1 + 1 / np.log2(3)), 1 / 2),
        ([3, 2], 4, 1 / 2, (1 / np.log2(3) + 1 / 2) / (1 + 1 / np.log2(3)), 1 / 2),
        ([1, 2, 3, 4], 4, 1, 1, np.nan),
        ([], 4, 0, 0, np.nan),
    ],
)
def test_one_view_by_hand(ranks: list[int], size: int, rr: float, gain: float, chance: float):
    """First place is worth all, the order in which clicks are told nothing."""
    assert reciprocal_rank(*one(ranks, size))[0] == pytest.approx(rr)
    assert ndcg(*one(ranks, size), k=3)[0] == pytest.approx(gain)
    assert auc(*one(ranks, size))[0] == pytest.approx(chance, nan_ok=True)


@pytest.mark.parametrize("seed", range(20))
def test_random_views_agree_with_scikit_learn(seed: int):
    """Forty views of two to twelve links, each with one click at least."""
    random = np.random.default_rng(seed)
    sizes = random.integers(2, 13, 40)
    ranks, view, gains, chances, firsts = [], [], [], [], []
    for number, size in enumerate(sizes):
        score = random.permutation(size)
        clicked = random.random(size) < 0.3
        clicked[random.integers(size)] = True
        place = size - score
        ranks += place[clicked].tolist()
        view += [number] * int(clicked.sum())
        gains.append(ndcg_score([clicked], [score], k=5))
        firsts.append(1 / place[clicked].min())
        chances.append(np.nan if clicked.all() else roc_auc_score(clicked, score))
    known = np.array(ranks), np.array(view), sizes

    np.testing.assert_allclose(ndcg(*known, k=5), gains)
    np.testing.assert_allclose(reciprocal_rank(*known), firsts)
    np.testing.assert_allclose(auc(*known), chances)
