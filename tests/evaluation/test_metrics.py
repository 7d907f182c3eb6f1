"""The metrics agree with arithmetic by hand, with trec_eval and with scikit-learn."""

import numpy as np
import pytest
import pytrec_eval
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

from recommender.evaluation.metrics import (
    auc,
    average_precision,
    hit_rate,
    ndcg,
    recall,
    reciprocal_rank,
)

# What evaluation libraries have to agree on.
PRECISION = 1e-9
K = 5


def one(ranks: list[int], size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One view of ``size`` links, of which those at ``ranks`` were followed."""
    return np.array(ranks, dtype=int), np.zeros(len(ranks), dtype=int), np.array([size])


@pytest.mark.parametrize(
    ("ranks", "size", "rr", "gain", "chance", "precision"),
    [
        ([1], 4, 1, 1, 1, 1),
        ([4], 4, 1 / 4, 0, 0, 1 / 4),  # beyond k=3 the gain is 0
        ([2], 4, 1 / 2, 1 / np.log2(3), 2 / 3, 1 / 2),
        ([2, 3], 4, 1 / 2, (1 / np.log2(3) + 1 / 2) / (1 + 1 / np.log2(3)), 1 / 2, 7 / 12),
        ([3, 2], 4, 1 / 2, (1 / np.log2(3) + 1 / 2) / (1 + 1 / np.log2(3)), 1 / 2, 7 / 12),
        ([1, 2, 3, 4], 4, 1, 1, np.nan, 1),
        ([], 4, 0, 0, np.nan, 0),
    ],
)
def test_one_view_by_hand(
    ranks: list[int], size: int, rr: float, gain: float, chance: float, precision: float
):
    """First place is worth all, the order in which clicks are given nothing."""
    assert reciprocal_rank(*one(ranks, size))[0] == pytest.approx(rr)
    assert ndcg(*one(ranks, size), k=3)[0] == pytest.approx(gain)
    assert auc(*one(ranks, size))[0] == pytest.approx(chance, nan_ok=True)
    assert average_precision(*one(ranks, size))[0] == pytest.approx(precision)


@pytest.mark.parametrize(
    ("ranks", "share", "hit"), [([1], 1, 1), ([3], 0, 0), ([1, 3], 1 / 2, 1), ([], 0, 0)]
)
def test_the_first_two_links_by_hand(ranks: list[int], share: float, hit: float):
    """Recall counts links, the hit rate views."""
    assert recall(*one(ranks, 4), k=2)[0] == share
    assert hit_rate(*one(ranks, 4), k=2)[0] == hit


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_random_views_agree_with_trec_eval_and_scikit_learn(seed: int):
    """Forty views of two to twelve links, each with one click at least, clicks in no order."""
    random = np.random.default_rng(seed)
    sizes = random.integers(2, 13, 40)
    ranks, view, gains, chances, precisions = [], [], [], [], []
    truth: dict[str, dict[str, int]] = {}
    run: dict[str, dict[str, float]] = {}
    for number, size in enumerate(sizes):
        score = random.permutation(size)
        clicked = random.random(size) < 0.3
        clicked[random.integers(size)] = True
        place = size - score
        ranks += place[clicked].tolist()
        view += [number] * int(clicked.sum())
        gains.append(ndcg_score([clicked], [score], k=K))
        precisions.append(average_precision_score(clicked, score))
        chances.append(np.nan if clicked.all() else roc_auc_score(clicked, score))
        # In an order of its own, so that the two cannot agree by the order of the keys.
        truth[f"v{number}"] = {f"a{at}": int(clicked[at]) for at in random.permutation(size)}
        run[f"v{number}"] = {f"a{at}": float(score[at]) for at in range(size)}
    known = np.array(ranks), np.array(view), sizes
    wanted = {"recip_rank", "map", f"ndcg_cut.{K}", f"recall.{K}", f"success.{K}"}
    theirs = pytrec_eval.RelevanceEvaluator(truth, wanted).evaluate(run)

    def trec(name: str) -> list[float]:
        return [theirs[f"v{number}"][name] for number in range(len(sizes))]

    for ours, theirs in (
        (reciprocal_rank(*known), trec("recip_rank")),
        (average_precision(*known), trec("map")),
        (average_precision(*known), precisions),
        (ndcg(*known, k=K), trec(f"ndcg_cut_{K}")),
        (ndcg(*known, k=K), gains),
        (recall(*known, k=K), trec(f"recall_{K}")),
        (hit_rate(*known, k=K), trec(f"success_{K}")),
        (auc(*known), chances),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=PRECISION)
