"""Strengths are what was planted, wherever the links stood and whatever stood beside them."""

import numpy as np
import pytest
from sites import EVENLY, Shown, known_examination, log_of

from recommender.clicks.choice_model import (
    ChoiceModel,
    bounded,
    fit,
    pairs_in,
)
from recommender.clicks.position_bias import Examination
from recommender.store.counts import UNKNOWN, Log


def measured(log: Log, n: int, examination: Examination = EVENLY) -> tuple[ChoiceModel, dict]:
    """What the log says, and the number of each pair."""
    pairs, of_link = pairs_in(log, n_articles=n)
    numbers = {
        pair: number
        for number, pair in enumerate(zip(pairs.source.tolist(), pairs.item.tolist(), strict=True))
    }
    return fit(log, pairs, of_link, examination.of(log), np.full(n, -1)), numbers


def test_planted_strengths_come_out_of_biased_slates():
    """Strong links stand at the bottom, weak ones on top, and readers look at the top: once
    examination is known, the strengths come out all the same.
    """
    random = np.random.default_rng(0)
    n, size = 30, 6
    truth = np.exp(random.normal(0, 0.8, n))
    chance = np.array([1, 0.6, 0.4, 0.3, 0.25, 0.2])
    slates = []
    for source in range(n):
        others = [item for item in range(n) if item != source]
        for _ in range(6):
            items = sorted(random.choice(others, size, replace=False), key=lambda i: truth[i])
            weight = chance * truth[items]
            clicks = random.multinomial(400, weight / weight.sum())
            slates.append(Shown(source, items, clicks.tolist()))
    log = log_of(*slates)

    known, _ = measured(log, n, known_examination(chance.tolist()))
    naive, _ = measured(log, n)

    def error(found: ChoiceModel) -> float:
        ratio = np.log(found.strength / truth)
        return float(np.abs(ratio - ratio.mean()).max())

    assert error(known) < 0.15
    assert error(naive) > 0.5


def test_two_links_three_to_one():
    """By hand: 300 clicks on one, 100 on the other, 1 click of belief in being like the rest."""
    found, number = measured(log_of(Shown(0, [1, 2], [300, 100])), 3)

    ratio = found.strength[1] / found.strength[2]
    assert ratio == pytest.approx(3, rel=0.02)
    assert found.strength[0] == 1
    assert found.target_clicks.tolist() == [0, 300, 100]
    assert found.target_expected.tolist() == [0, 200, 200]
    assert found.chances[number[0, 1]] == 400
    assert found.n_clicks == 400


def test_a_pairs_lift_is_what_its_targets_strength_does_not_explain():
    """One target is liked everywhere; another only beside source 0."""
    slates = [Shown(source, [3, 4, 5], [60, 20, 20]) for source in (1, 2)]
    slates.append(Shown(0, [3, 4, 5], [30, 60, 10]))

    found, number = measured(log_of(*slates), 6)

    lift = {pair: found.clicked[at] / found.expected[at] for pair, at in number.items()}
    assert lift[0, 4] > 1.5
    assert lift[0, 3] < 0.7
    assert lift[1, 3] > 1 > lift[1, 4]
    assert found.expected.sum() == pytest.approx(300)


def test_a_target_hardly_shown_is_as_its_category():
    """Targets 10 to 29 are of a category that is followed thrice as often as that of 30 to 49; one
    of either was followed once in one choice of two.
    """
    slates = [Shown(0, [at, at + 20], [30, 10], day=at) for at in range(10, 29)]
    slates += [Shown(0, [29, 48], [1, 0]), Shown(0, [28, 49], [0, 1])]
    log, category = log_of(*slates), np.repeat([-1, 0, 1], [10, 20, 20])
    pairs, of_link = pairs_in(log, n_articles=50)

    found = fit(log, pairs, of_link, EVENLY.of(log), category)
    apart = fit(log, pairs, of_link, EVENLY.of(log), np.full(50, -1))

    assert found.around[29] / found.around[49] == pytest.approx(3, rel=0.3)
    assert found.strength[29] > 2 * found.strength[49]
    assert apart.strength[29] < 2 * apart.strength[49]
    # Targets of one category are all alike, those of the site are not.
    assert found.prior > 10 * apart.prior


def test_views_without_a_click_are_no_choices():
    """A slate nobody followed says nothing about its links."""
    some = [Shown(0, [1, 2], [3, 1])]

    found, _ = measured(log_of(*some, Shown(0, [2, 1], [0, 0], views=10**6)), 3)

    assert found.strength.tolist() == measured(log_of(*some), 3)[0].strength.tolist()


def test_links_to_nowhere_and_to_oneself_are_no_pairs():
    """Old ids and self-links stand in slates, but nothing is learned of them."""
    log = log_of(Shown(0, [0, UNKNOWN, 1], [5, 5, 5]), Shown(UNKNOWN, [1, 2], [5, 5]))

    pairs, of_link = pairs_in(log, n_articles=3)
    found = fit(log, pairs, of_link, EVENLY.of(log), np.full(3, -1))

    assert of_link.tolist() == [-1, -1, 0, -1, -1]
    assert (pairs.source.tolist(), pairs.item.tolist()) == ([0], [1])
    assert pairs.heads.tolist() == [0, 1, 1, 1]
    assert found.clicked.tolist() == [5]
    assert np.isfinite(found.strength).all()


def test_pairs_are_found_by_their_articles():
    """Every shown pair has one number; one never shown has -1."""
    log = log_of(Shown(2, [0, 1], [1, 1]), Shown(0, [2], [1]), Shown(2, [1], [1]))

    pairs, of_link = pairs_in(log, n_articles=3)

    assert pairs.find(np.array([0, 2, 2, 1]), np.array([2, 0, 1, 0])).tolist() == [0, 1, 2, -1]
    assert of_link.tolist() == [1, 2, 0, 2]


def test_a_log_without_clicks_makes_all_alike():
    """Strength 1 for everybody, no NaN."""
    found, _ = measured(log_of(Shown(0, [1, 2], [0, 0])), 3)

    assert found.strength.tolist() == [1, 1, 1]
    assert not found.expected.any()


def test_a_flood_is_bounded():
    """A pair counts at most thrice what the tenth most followed does; its views stay, and so do
    the clicks on all others.
    """
    slates = [Shown(source, [30, 31], [10 + source, 1]) for source in range(12)]
    log = log_of(*slates, Shown(20, [30, 31], [5000, 3]), Shown(20, [30, 31], [1000, 0], day=1))
    _, of_link = pairs_in(log, n_articles=32)

    less = bounded(log, of_link)

    # The tenth of the pairs has 13.
    flooded = log.link_source[log.click_link] == 20
    assert less.n_clicks[flooded] == pytest.approx([32.5, 3, 6.5, 0])
    assert (less.n_clicks[~flooded] == log.n_clicks[~flooded]).all()
    assert (less.n_views == log.n_views).all()


def test_a_popular_pair_is_no_flood():
    """On a site of few links each wins a large share; a log of nine pairs is left alone."""
    few = log_of(*[Shown(source, [source + 1], [50 * source + 1]) for source in range(9)])
    many = log_of(*[Shown(source, [source + 1], [30]) for source in range(30)])

    for log in (few, many):
        _, of_link = pairs_in(log, n_articles=40)
        assert bounded(log, of_link) is log
