"""Which policy a variant shows, in an experiment."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from recommender.lists.arms import (
    INTERLEAVED,
    N_ROUNDS,
    NEITHER,
    SPLIT,
    TEAMS,
    Arm,
    Experiment,
    credited,
    shared_out,
    team_draft,
    unit,
)
from recommender.lists.exploration import slate_of, variant_table

OLD, NEW = Arm("old", "live", "b1", 0, 49), Arm("new", "b2", "b2", 50, 99)
AUTUMN = Experiment("autumn", "2026-11-30T08:00:00.000+00:00", SPLIT, 20, (OLD, NEW))
BOTH = replace(
    AUTUMN, kind=INTERLEAVED, arms=tuple(replace(arm, first=0, last=99) for arm in (OLD, NEW))
)


def test_every_arm_explores_as_much():
    """Of each arm's variants the same share explores, each another slate of its bundle."""
    for share, sizes in ((20, (50, 50)), (20, (35, 35, 30)), (20, (90, 10)), (50, (34, 66))):
        ends = np.cumsum((0, *sizes)).tolist()
        arms = tuple(
            Arm(f"arm{at}", "live", "b", ends[at], ends[at + 1] - 1) for at in range(len(sizes))
        )
        experiment = Experiment("e", "", SPLIT, share, arms)

        shown = [experiment.shown(variant) for variant in range(100)]

        assert experiment.fault() is None
        for at, size in enumerate(sizes):
            slates = [each.slate for each in shown if each.arm == at]
            exploring = [slate for slate in slates if slate]
            assert len(slates) == size
            assert len(exploring) * 100 == share * size
            assert exploring == list(range(1, len(exploring) + 1))


def test_one_arm_alone_is_the_table_outside_experiments():
    """An arm that had all variants would show what the bundle shows."""
    one = replace(AUTUMN, arms=(replace(OLD, last=99),))

    assert [one.shown(at).slate for at in range(100)] == [slate_of(at, 20) for at in range(100)]
    mine, bundle = one.table(), variant_table(20)
    assert [(row["from"], row["to"], row["slate"]) for row in mine] == [
        (row["from"], row["to"], row["slate"]) for row in bundle
    ]


def test_the_table_says_of_every_variant_what_it_shows():
    """Whoever reads it knows arm and slate of each of the hundred, once."""
    for experiment in (AUTUMN, BOTH):
        rows = experiment.table()

        named = [at for row in rows for at in range(row["from"], row["to"] + 1)]
        assert named == list(range(100))
        for row in rows:
            for at in range(row["from"], row["to"] + 1):
                shown = experiment.shown(at)
                assert row["slate"] == shown.slate
                if experiment is AUTUMN:
                    assert row["arm"] == f"autumn/{('old', 'new')[shown.arm]}"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "Autumn!"}, "no name for an experiment"),
        ({"name": "a" * 31}, "no name"),
        ({"arms": (OLD,)}, "1 arms; it takes at least two arms"),
        ({"arms": (OLD, replace(NEW, name="old"))}, "two arms have one name"),
        ({"arms": (OLD, replace(NEW, first=60))}, "do not have all of the hundred"),
        ({"arms": (OLD, replace(NEW, last=94))}, "do not have all of the hundred"),
        ({"arms": (replace(OLD, last=50), replace(NEW, first=51))}, "multiples of 5"),
        ({"arms": (OLD, replace(NEW, name="explore"))}, "means something else"),
        ({"name": "hand-picked"}, "'hand-picked' means something else"),
        ({"kind": "lottery"}, "no kind"),
        ({"kind": INTERLEAVED}, "interleaved arms have all"),
    ],
)
def test_faults_are_named(changes, says):
    """A sentence on what is wrong."""
    assert AUTUMN.fault() is BOTH.fault() is None
    assert says in replace(AUTUMN, **changes).fault()


def test_shares_are_as_equal_as_exploration_allows():
    """They add up to a hundred, differ by one unit at most."""
    for n_arms in (2, 3, 4, 5):
        for share in (0, 10, 20, 25, 50):
            sizes = shared_out(n_arms, share)

            assert sum(sizes) == 100
            assert all(size % unit(share) == 0 for size in sizes)
            assert max(sizes) - min(sizes) <= unit(share)


def test_coins_favour_nobody():
    """Every place is drawn first by each arm equally often, in the slates that explore too."""
    shown = [BOTH.shown(at) for at in range(100)]

    assert np.mean([each.coins for each in shown], axis=0).tolist() == [0.5] * N_ROUNDS
    by_slate = Counter(each.slate for each in shown)
    assert by_slate == {0: 80, **dict.fromkeys(range(1, 11), 2)}
    for slate in range(1, 11):
        one, other = (each.coins for each in shown if each.slate == slate)
        assert [a + b for a, b in zip(one, other, strict=True)] == [1] * N_ROUNDS


def test_a_draft_holds_every_link_once_and_knows_who_picked_it():
    """Rounds alternate as the coins say; both teams pick equally often while both have links."""
    order, teams = team_draft(([1, 2, 3, 4], [3, 1, 9, 8]), (0, 1, 0), 6)

    assert (order, teams) == ([1, 3, 9, 2, 4, 8], "122112")
    assert set(teams) <= set(TEAMS) - {NEITHER}


def test_a_list_that_ends_leaves_its_turns_to_the_other():
    """The slate is no shorter for it."""
    assert team_draft(([1], [2, 3, 4]), (0, 0, 0), 4) == ([1, 2, 3, 4], "1222")
    assert team_draft(([], []), (0, 1), 4) == ([], "")


def test_equal_lists_are_shown_as_they_are():
    """Whoever picks first, the order is that of the one list."""
    for variant in range(100):
        order, _ = team_draft(([5, 3, 8, 1], [5, 3, 8, 1]), BOTH.shown(variant).coins, 4)
        assert order == [5, 3, 8, 1]


def test_a_longer_list_wins_nothing_by_its_length():
    """Where all links are followed alike, both arms are credited alike over all coins, also where
    the shorter list is a part of the longer one.
    """
    for lists in (([1, 2], [3, 4, 5, 6, 7]), ([1, 2], [1, 2, 3, 4]), ([9], [9, 1]), ([], [1, 2])):
        credit = Counter()
        for variant in range(100):
            coins = BOTH.shown(variant).coins
            _, teams = team_draft(lists, coins, 10)
            _, turned = team_draft(lists, [1 - coin for coin in coins], 10)
            credit.update(enumerate(credited(teams, turned)))

        assert all(credit[place, "1"] == credit[place, "2"] for place in range(10))
