"""Two groups of links: how many lead anywhere, and which, where the truth is planted."""

import numpy as np
import pytest

from recommender.evaluation.two_groups import as_sure, by_likeness, with_clicks


def mixture(share: float, *, n: int = 4_000, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Likeness of links, of which a ``share`` is drawn as pairs are, that of such pairs, and which
    links are so.
    """
    random = np.random.default_rng(seed)
    anywhere = random.random(n) < share
    likeness = random.normal(np.where(anywhere, 0.0, 2.0), 1.0)
    return likeness, random.normal(size=20_000), anywhere


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_share_that_leads_anywhere_is_found(share: float):
    """None, some, half or all; what belongs is at times no more alike than chance, one in forty."""
    likeness, drawn, _ = mixture(share)

    found = by_likeness(likeness, drawn).share

    assert share - 0.03 < found < share + 0.05 * (1 - share) + 0.03


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_stated_chances_come_true(share: float):
    """Or are a little too cautious: of the links with a chance of some nine in ten, some nine in
    ten lead anywhere.
    """
    likeness, drawn, anywhere = mixture(share, n=20_000)

    chance = by_likeness(likeness, drawn).chance

    for low, high in ((0.1, 0.5), (0.5, 0.8), (0.8, 1.01)):
        among = (chance >= low) & (chance < high)
        assert anywhere[among].mean() == pytest.approx(chance[among].mean(), abs=0.12)


def test_a_handful_of_links_accuses_nobody():
    """Three links that are alike to no more than chance may be an editor's whim."""
    found = by_likeness(np.array([-0.5, 0.0, 0.5]), np.random.default_rng(0).normal(size=5_000))

    assert (found.chance < 0.8).all()


def test_texts_without_a_word_in_common_are_halfway():
    """Where most pairs have nothing in common, nothing in common shows little."""
    drawn = np.concatenate([np.zeros(9_000), np.linspace(0.1, 1, 1_000)])
    likeness = np.concatenate([np.zeros(50), np.full(950, 0.8)])

    chance = by_likeness(likeness, drawn).chance

    assert (chance[:50] > 0.5).all()
    assert (chance[50:] < 0.1).all()


def test_clicks_clear_and_convict():
    """Of links as little alike, those that are followed belong, and those that are not do not."""
    random = np.random.default_rng(1)
    likeness, drawn, anywhere = mixture(0.4)
    expected = np.full(len(likeness), 10.0)
    clicks = random.poisson(np.where(anywhere, 0.1, 1.6) * expected)

    groups = by_likeness(likeness, drawn)
    found = with_clicks(groups, clicks, expected)

    before, after = ((each.chance >= 0.8) for each in (groups, found))
    assert before[anywhere].mean() < 0.7
    assert after[anywhere].mean() > 0.98
    assert after[~anywhere].mean() < 0.015
    assert found.rates == pytest.approx((0.1, 1.6), rel=0.1)


def test_few_clicks_do_not_speak():
    """Then likeness alone decides."""
    likeness, drawn, _ = mixture(0.4)
    groups = by_likeness(likeness, drawn)

    assert with_clicks(groups, np.zeros(4_000), np.full(4_000, 1e-3)) is groups


def test_what_readers_follow_alike_is_not_accused_for_its_text():
    """On a site whose texts say nothing, nobody's link is off-topic."""
    random = np.random.default_rng(2)
    likeness, drawn, _ = mixture(0.6)
    groups = by_likeness(likeness, drawn)

    found = with_clicks(groups, random.poisson(10.0, 4_000), np.full(4_000, 10.0))

    assert (groups.chance > 0.8).any()
    assert not found.chance.any()


def test_of_the_surest_few_are_wrong():
    """The mean error of what is kept stays below its bound."""
    chance = np.array([0.999, 0.9, 0.97, 0.2, 0.95])

    assert as_sure(chance, error=0.05, least=0.9).tolist() == [True, True, True, False, True]
    assert as_sure(chance, error=0.02, least=0.9).tolist() == [True, False, True, False, False]
