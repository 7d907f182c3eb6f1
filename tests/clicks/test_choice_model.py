"""Strengths are what was planted, wherever the links stood and whatever stood beside them."""

import numpy as np
import pytest
from sites import EVENLY, Shown, known_examination, log_of

from recommender.clicks.choice_model import (
    ChoiceModel,
    Choices,
    Exposures,
    bounded,
    exposures_in,
    fit,
    joined,
    pairs_in,
)
from recommender.clicks.position_bias import Examination
from recommender.store.counts import UNKNOWN, Log


def measured(log: Log, n: int, examination: Examination = EVENLY) -> tuple[ChoiceModel, dict]:
    """What the log says, and the number of each pair."""
    pairs, _ = pairs_in(log, n_articles=n)
    numbers = {
        pair: number
        for number, pair in enumerate(zip(pairs.source.tolist(), pairs.item.tolist(), strict=True))
    }
    return fitted(log, np.full(n, -1), examination), numbers


def fitted(log: Log, category: np.ndarray, examination: Examination = EVENLY) -> ChoiceModel:
    """Strengths and lifts where nothing else is known."""
    pairs, of_link = pairs_in(log, n_articles=len(category))
    shown = exposures_in(log, pairs, of_link, examination.of(log))
    score = np.zeros(len(shown.pair))
    return fit(shown.weighed(score), score, pairs, category, shown.pair % 5)


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
            clicks = random.poisson(50 * chance * truth[items])
            slates.append(Shown(source, items, clicks.tolist(), views=500))
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
    assert found.strength[0] == pytest.approx(1)
    assert found.target_clicks.tolist() == [0, 300, 100]
    assert found.target_expected == pytest.approx([0, 200, 200])
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

    found, apart = fitted(log, category), fitted(log, np.full(50, -1))

    assert found.around[29] / found.around[49] == pytest.approx(3, rel=0.3)
    assert found.strength[29] > 1.5 * found.strength[49]
    assert apart.strength[29] < 1.5 * apart.strength[49]
    # Targets of one category are all alike, those of the site are not.
    assert found.prior > 3 * apart.prior


def test_pages_teach_of_each_other_as_far_as_they_are_alike():
    """Twenty pages of one link each: where all links are followed about as often as the page is
    read, a target that is not is weak; where pages differ wildly, nothing can be concluded.
    """
    alike = [Shown(at, [30 + at % 2], [40 - 30 * (at % 2)], views=400) for at in range(20)]
    random = np.random.default_rng(0)
    wild = [Shown(at, [30 + at % 2], [int(random.choice([1, 400]))], views=400) for at in range(20)]

    found, doubtful = (fitted(log_of(*slates), np.full(32, -1)) for slates in (alike, wild))

    assert found.strength[30] / found.strength[31] > 2
    assert doubtful.strength[30] / doubtful.strength[31] == pytest.approx(1, abs=0.4)


def test_an_outside_option_by_hand():
    """Two links of a page got 6 and 2 of 40 views each; two clicks pull its level to the site's,
    which is its own: of ten, two go to no link.
    """
    page = Exposures(np.arange(2), np.zeros(2, int), np.full(2, 40.0), np.array([6.0, 2.0]), 2.0)

    assert page.share(np.zeros(2)) == pytest.approx([0.4, 0.4])
    assert page.expected(np.zeros(2)) == pytest.approx([4, 4])
    assert page.expected(np.log([3.0, 1.0])) == pytest.approx([6, 2])
    assert page.share(np.array([2000.0, -2000.0])) == pytest.approx([0.8, 0])


def test_pages_that_differ_are_compared_with_themselves_alone():
    """The weight is fitted: small where levels differ by far more than chance."""
    random = np.random.default_rng(0)
    page, exposures = np.repeat(np.arange(200), 5), np.full(1000, 50.0)

    def weight(levels: np.ndarray) -> float:
        clicks = random.poisson(exposures * 0.1 * levels[page]).astype(float)
        shown = Exposures(np.arange(1000), page, exposures, clicks)
        return shown.weighed(np.zeros(1000)).weight

    assert weight(random.gamma(0.5, 2.0, 200)) == pytest.approx(0.5, rel=0.4)
    assert weight(np.ones(200)) > 20


def test_parts_are_joined_page_by_page():
    """A page of one part is another in the next."""
    part = Exposures(np.array([3, 4]), np.array([0, 1]), np.ones(2), np.array([1.0, 2.0]))

    both = joined([part, part])

    assert both.pair.tolist() == [3, 4, 3, 4]
    assert both.page.tolist() == [0, 1, 2, 3]
    assert both.made.tolist() == [1, 2, 1, 2]


def test_links_that_nobody_followed_are_drawn_and_stand_for_all_of_them():
    """Clicks all stay; a sixth of the links without one counts as much as all of them."""
    random = np.random.default_rng(0)
    page, strength = np.repeat(np.arange(400), 60), random.gamma(2.0, 0.5, 24_000)
    clicks = random.poisson(0.1 * strength).astype(float)
    whole = Exposures(np.arange(24_000), page, np.full(24_000, 5.0), clicks)

    kept, some = whole.sampled(1 / 6, np.random.default_rng(1))

    assert len(kept) < 8_000
    assert (some.pair == kept).all() and (np.diff(some.page) <= 1).all()
    assert some.clicks.sum() == clicks.sum()
    assert some.exposures.sum() == pytest.approx(whole.exposures.sum(), rel=0.03)
    # What the clicks are compared with is of the same size, and those on a link count as ever.
    assert (some.exposures * strength[kept]).sum() == pytest.approx(5 * strength.sum(), rel=0.03)
    assert (some.exposures[some.clicks > 0] == 5).all()


def test_a_draw_of_all_links_is_all_of_them():
    """Pages without a click too."""
    page = np.array([0, 0, 1, 1])
    whole = Exposures(np.arange(4), page, np.full(4, 2.0), np.array([0.0, 1.0, 0.0, 0.0]))

    kept, some = whole.sampled(1.0, np.random.default_rng(0))

    assert kept.tolist() == [0, 1, 2, 3]
    assert (some.page == page).all() and (some.exposures == 2).all()


def choices(
    clicks: list[float], *, examined: list[float] | None = None, per_visit: float = 1.0
) -> Choices:
    """Slates of two links, each a pair of its own."""
    rows, places = np.arange(len(clicks)), np.array(examined or [1.0] * len(clicks))
    return Choices(rows, rows // 2, rows, np.array(clicks), places, per_visit)


def test_the_gain_of_an_order():
    """By hand: in one slate the click is ranked first, in the other second; a click at a place
    examined half as often counts twice.
    """
    now = choices([1, 0, 0, 1], examined=[1, 1, 1, 0.5])

    assert now.gain(np.array([5.0, 1.0, 9.0, 2.0])) == pytest.approx((1 + 2 / np.log2(3)) / 3)


@pytest.mark.parametrize("per_visit", [1.0, 3.0])
def test_how_far_one_order_leads_another(per_visit: float):
    """By hand: of two slates one gains what a second place lacks, the other nothing; the error is
    that of their mean, and where a visit holds three clicks, that of three.
    """
    now = choices([1, 0, 0, 1], per_visit=per_visit)
    better, worse = np.array([5.0, 1.0, 2.0, 9.0]), np.array([1.0, 5.0, 2.0, 9.0])
    gained = 1 - 1 / np.log2(3)

    lead, error = now.gain_over(better, worse)

    assert lead == pytest.approx(gained / 2)
    assert error == pytest.approx(gained / 2 / np.sqrt(2) * np.sqrt(per_visit))
    assert now.gain_over(better, better) == (0, 0)


def test_a_sample_is_of_whole_slates():
    now = choices([1, 0, 0, 1, 1, 0])

    few = now.sample(4)

    assert few.pair.tolist() == [0, 1, 2, 3]
    assert few.clicks.tolist() == [1, 0, 0, 1]


def test_links_to_nowhere_and_to_oneself_are_no_pairs():
    """Old ids and self-links stand in slates, but nothing is learned of them."""
    log = log_of(Shown(0, [0, UNKNOWN, 1], [5, 5, 5]), Shown(UNKNOWN, [1, 2], [5, 5]))

    pairs, of_link = pairs_in(log, n_articles=3)
    found = fitted(log, np.full(3, -1))

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
    assert found.expected == pytest.approx([0, 0])


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
