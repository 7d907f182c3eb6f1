"""No article stands in more lists than the ceiling, and none is short for it."""

import numpy as np
import pytest
from sites import finish, lists_in, random_articles, site_from

from recommender.candidates import EMPTY, Candidates, from_lists
from recommender.lists.concentration import DEPTH, bounded, ceiling_of, limited, most_listed
from recommender.lists.eligibility import Eligibility
from recommender.lists.rerank import LIST_SIZE

HIT = 7


def random_lists(n: int, *, seed: int, size: int = LIST_SIZE) -> Candidates:
    """Of each of ``n`` sources, ``size`` other articles, some liked everywhere."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(n, n)) + 1.5 * random.normal(size=n)
    np.fill_diagonal(scores, -np.inf)
    order = np.argsort(-scores, axis=1)[:, :size]
    return Candidates(order, np.take_along_axis(scores, order, axis=1))


def times_listed(lists: Candidates, depth: int = DEPTH) -> np.ndarray:
    first = lists.first(depth)
    return np.bincount(first.items[first.used])


def by_hand(lists: Candidates, ceiling: int, depth: int, random: np.random.Generator) -> list[set]:
    """One list after the other proposes its next link, in any order, and an article that has too
    many turns down the list where it is worth least, of equal ones the last.
    """
    n = len(lists.items)
    held: dict[int, list[tuple[float, int]]] = {}
    shown, proposed = [set() for _ in range(n)], [0] * n
    while open_rows := [row for row in range(n) if len(shown[row]) < depth]:
        row = int(random.choice(open_rows))
        slot, proposed[row] = proposed[row], proposed[row] + 1
        item = int(lists.items[row, slot])
        shown[row].add(item)
        worth = lists.scores[row, slot] - lists.scores[row, depth]
        held.setdefault(item, []).append((worth, -row))
        if len(held[item]) > ceiling:
            least = min(held[item])
            held[item].remove(least)
            shown[-least[1]].remove(item)
    return shown


@pytest.mark.parametrize("seed", range(4))
def test_the_ceiling_holds_and_every_list_is_as_long(seed: int):
    """The same links in every list, those that gave way at its end; scores never rise."""
    lists = random_lists(80, seed=seed)

    found = bounded(lists, 18)

    assert times_listed(lists).max() > 40
    assert times_listed(found).max() == 18
    for before, after in zip(lists_in(lists), lists_in(found), strict=True):
        assert sorted(before) == sorted(after)
        gone = [item for item in before[:DEPTH] if item not in after[:DEPTH]]
        assert [item for item in after if item not in gone][:DEPTH] == after[:DEPTH]
        assert [item for item in after if item in gone] == gone
        assert gone == [] or set(gone) <= set(after[DEPTH:])
    assert (np.diff(found.scores, axis=1) <= 0).all()
    assert bounded(found, 18).items.tolist() == found.items.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_who_proposes_first_does_not_matter(seed: int):
    """Slow and fast agree, whatever the order of the lists."""
    random = np.random.default_rng(seed)
    lists = random_lists(30, seed=seed, size=25)

    found = bounded(lists, 8, depth=4)

    expected = by_hand(lists, 8, 4, random)
    assert [set(row) for row in found.items[:, :4].tolist()] == expected


def test_a_hit_stays_where_it_is_furthest_above_what_would_replace_it():
    """First everywhere, it keeps a tenth of two hundred lists, and the rest close up."""
    n = 200
    lists = random_lists(n, seed=1)
    keep = lists.items != HIT
    others = lists.keep(keep).first(LIST_SIZE - 1)
    scores = np.column_stack([np.linspace(20, 40, n), others.scores])
    planted = Candidates(np.column_stack([np.full(n, HIT), others.items]), scores)
    planted.items[HIT, 0] = EMPTY
    planted = planted.keep(planted.used)

    found = bounded(planted, n // 10)

    margin = planted.scores[:, 0] - planted.scores[:, DEPTH]
    margin[HIT] = -np.inf
    stays = (found.items[:, :DEPTH] == HIT).any(axis=1)
    assert times_listed(planted)[HIT] == n - 1
    assert set(np.flatnonzero(stays)) == set(np.argsort(-margin)[: n // 10])
    assert (found.items[stays, 0] == HIT).all()


def test_a_list_without_spare_links_keeps_what_it_has():
    """The hit leaves the longer list only; what is fixed leaves none."""
    lists = from_lists([[3, 4], [3, 4, 5], [3, 4, 5]], [[9, 1], [9, 1, 0], [9, 1, 0]])
    fixed = np.zeros(lists.items.shape, dtype=bool)
    fixed[2, 0] = True

    assert lists_in(bounded(lists, 1, depth=2)) == [[3, 4], [4, 5, 3], [4, 5, 3]]
    assert lists_in(bounded(lists, 1, depth=2, fixed=fixed)) == [[3, 4], [4, 5, 3], [3, 5, 4]]


@pytest.mark.parametrize(
    ("n", "share", "ceiling"), [(12, 10, 12), (60, 10, 12), (400, 10, 40), (400, 100, 400)]
)
def test_the_ceiling_is_a_share_but_leaves_room(n: int, share: int, ceiling: int):
    """A fifth more lists than if all articles were listed alike, at least."""
    steps = np.arange(1, min(n, LIST_SIZE + 1))
    lists = Candidates((np.arange(n)[:, None] + steps) % n, np.zeros((n, len(steps))))

    assert ceiling_of(lists, share) == ceiling


def test_short_lists_leave_five():
    """Forty pages with a link each, all to one: it could not be listed less."""
    items = np.array([[1 if row == 0 else 0] for row in range(40)])
    lists = Candidates(items, np.zeros(items.shape))
    spread = from_lists([[(row + 1) % 40] for row in range(40)], [[0.0]] * 40)

    assert ceiling_of(spread, 10) == 5
    found, account = limited(lists, 10)
    assert found.items.tolist() == items.tolist()
    assert (account.before, account.after) == (39, 39)


def test_nothing_is_moved_below_the_ceiling():
    """No list is touched where no article is listed too often."""
    lists = random_lists(80, seed=3)

    found = bounded(lists, most_listed(lists))

    assert found.items.tolist() == lists.items.tolist()
    assert found.scores.tolist() == lists.scores.tolist()


def test_a_planted_hit_does_not_own_the_site():
    """Scored first beside every page of 200, it stands in twenty finished lists; with a ceiling of
    a hundred in all others.
    """
    n = 200
    site = site_from(random_articles(n, seed=1))
    lists = random_lists(n, seed=2, size=40)
    scores = np.where(lists.items == HIT, lists.scores + 50, lists.scores)
    missing = ~(lists.items == HIT).any(axis=1)
    items = lists.items.copy()
    items[missing, -1], scores[missing, -1] = HIT, 50
    items[HIT, items[HIT] == HIT] = EMPTY
    scored = Candidates(items, scores).ranked(scores)
    found = {
        ceiling: finish(
            site, scored, None, near=scored, picked=scored, cluster=np.arange(n),
            titles=[f"t{at}" for at in range(n)], stub=np.zeros(n, dtype=bool),
            eligible=Eligibility(np.full(n, EMPTY), np.zeros(n, dtype=bool)),
            following=np.full(n, EMPTY), next_first=False, origin="model", sure=-np.inf,
            ceiling=ceiling,
        )
        for ceiling in (10, 100)
    }  # fmt: skip

    assert times_listed(found[10].lists)[HIT] == 20
    assert times_listed(found[100].lists)[HIT] == n - 1
    assert found[10].concentration.after == most_listed(found[10].lists) == 20
    assert str(found[10].concentration) == (
        "an article stands among the first 10 links of at most 20 of 200 lists "
        "(RECOMMENDER_CEILING, 10 %), where others can stand instead; the most listed one stands "
        "in 20, and would in 199"
    )
    lengths = [each.lists.used.sum(axis=1).tolist() for each in found.values()]
    assert lengths[0] == lengths[1]
