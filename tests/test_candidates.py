"""The one shape every stage passes on, and what makes and joins it."""

import numpy as np
import pytest
from sites import lists_in

from recommender.candidates import EMPTY, Candidates, from_lists, from_pairs, hand_picked, union


def random_candidates(*, seed: int, n: int = 20, size: int = 7) -> Candidates:
    """Lists of every length, no item twice."""
    random = np.random.default_rng(seed)
    lists = [random.permutation(n)[: random.integers(0, size + 1)].tolist() for _ in range(n)]
    return from_lists(lists, [random.random(len(row)).tolist() for row in lists])


def well_formed(found: Candidates) -> bool:
    """Used slots first, unused ones hold ``EMPTY`` and -inf."""
    gaps = (np.diff(found.used.astype(int), axis=1) > 0).any()
    return not gaps and bool(np.isneginf(found.scores[~found.used]).all())


def test_dropping_an_item_closes_the_gap():
    """What remains moves up, in order, and the end is empty."""
    before = Candidates(np.array([[4, 7, 9]]), np.array([[0.9, 0.5, 0.1]]))

    after = before.keep(before.items != 7)

    assert after.items.tolist() == [[4, 9, EMPTY]]
    assert after.scores.tolist() == [[0.9, 0.1, -np.inf]]


@pytest.mark.parametrize("seed", range(5))
def test_keep_is_a_filter(seed: int):
    """Against a list comprehension, with used and unused slots in the mask."""
    before = random_candidates(seed=seed)
    mask = np.random.default_rng(seed).random(before.items.shape) < 0.5

    after = before.keep(mask)

    assert lists_in(after) == [
        [int(item) for item, kept in zip(row, keep, strict=True) if kept and item != EMPTY]
        for row, keep in zip(before.items, mask, strict=True)
    ]
    assert well_formed(after)


@pytest.mark.parametrize("seed", range(5))
def test_ranking_sorts_by_score_then_number(seed: int):
    """Of equals the smaller number is first; empty slots stay last, whatever their score."""
    before = random_candidates(seed=seed)
    scores = np.random.default_rng(seed).integers(0, 3, before.items.shape).astype(float)

    after = before.ranked(scores)

    expected = [
        [item for _, item in sorted((-s, int(i)) for i, s in zip(*row, strict=True) if i != EMPTY)]
        for row in zip(before.items, scores, strict=True)
    ]
    assert lists_in(after) == expected
    assert well_formed(after)


def test_the_first_slots():
    """The list is cut; asking for more than there is changes nothing."""
    before = random_candidates(seed=1)

    assert lists_in(before.first(3)) == [row[:3] for row in lists_in(before)]
    assert lists_in(before.first(99)) == lists_in(before)


def test_hand_picked_lists_are_cleaned():
    """No self-link, no link twice, none to a missing article; the order stays."""
    found = hand_picked([[2, 0, 2, EMPTY, 1], [], [9, 1, 0]], n_articles=3)

    assert lists_in(found) == [[2, 1], [], [1, 0]]
    assert (np.diff(found.scores[0][:2]) < 0).all()


def test_no_lists_at_all():
    """A site without hand-picked lists still has rows."""
    found = hand_picked([[], [], []], n_articles=3)

    assert lists_in(found) == [[], [], []]
    assert lists_in(union([found, found])) == [[], [], []]


@pytest.mark.parametrize("seed", range(5))
def test_the_best_pairs_of_each_source(seed: int):
    """Against sorting by hand; a source among its own items is left out."""
    random = np.random.default_rng(seed)
    keys = random.permutation(15 * 15)[:90]
    sources, items = np.divmod(keys, 15)
    scores = random.integers(0, 4, 90).astype(float)

    found = from_pairs(sources, items, scores, n_sources=15, size=4)

    best: list[list[int]] = []
    for source in range(15):
        of_source = sources == source
        ranked = sorted(zip(-scores[of_source], items[of_source], strict=True))
        best.append([int(item) for _, item in ranked[:4] if item != source])
    assert lists_in(found) == best
    assert well_formed(found)


@pytest.mark.parametrize("seed", range(5))
def test_a_union_holds_everything_once(seed: int):
    """The first part's order leads, what the second adds follows."""
    parts = [random_candidates(seed=seed), random_candidates(seed=seed + 50, size=4)]

    found = union(parts)

    together = zip(*map(lists_in, parts), strict=True)
    assert lists_in(found) == [list(dict.fromkeys(one + other)) for one, other in together]
    assert found.items.shape[1] == max(map(len, lists_in(found)))
    assert well_formed(Candidates(found.items, np.where(found.used, 0, -np.inf)))
