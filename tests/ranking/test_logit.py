"""Clicks are shared out among what else stood there, and slopes are what they make likeliest."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sites import EVENLY, Shown, log_of, random_articles, site_from

from recommender.ranking.features import NAMES
from recommender.ranking.logit import Choices, fit_logit
from recommender.ranking.time_splits import splits_of
from recommender.text.corpus import Corpus

N = 30


@pytest.fixture(scope="module")
def site() -> Corpus:
    return site_from(random_articles(N, seed=9))


def choices(clicks: list[float], *, examined: list[float] | None = None) -> Choices:
    """Slates of two links, each a pair of its own."""
    slate = np.arange(len(clicks)) // 2
    made = np.bincount(slate, weights=clicks)[slate]
    places = np.array(examined or [1.0] * len(clicks))
    rows = np.arange(len(clicks))
    return Choices(rows, slate, rows, np.array(clicks), made, places)


def test_the_gain_of_an_order():
    """By hand: in one slate the click is ranked first, in the other second; a click at a place
    examined half as often counts twice.
    """
    now = choices([1, 0, 0, 1], examined=[1, 1, 1, 0.5])

    assert now.gain(np.array([5.0, 1.0, 9.0, 2.0])) == pytest.approx((1 + 2 / np.log2(3)) / 3)


def test_how_far_one_order_leads_another():
    """By hand: of two slates one gains what a second place lacks, the other nothing; the error is
    that of their mean.
    """
    now = choices([1, 0, 0, 1])
    better, worse = np.array([5.0, 1.0, 2.0, 9.0]), np.array([1.0, 5.0, 2.0, 9.0])
    gained = 1 - 1 / np.log2(3)

    assert now.gain_over(better, worse) == pytest.approx((gained / 2, gained / 2 / np.sqrt(2)))
    assert now.gain_over(better, better) == (0, 0)


def test_a_slates_clicks_are_shared_by_examination_and_score():
    """By hand: three to one by score, and two to one by place; another slate is its own affair."""
    now = choices([6, 1, 2, 2], examined=[0.5, 1, 1, 1])
    score = np.log([6.0, 1.0, 500.0, 500.0])

    assert now.share(score) == pytest.approx([3 / 4, 1 / 4, 1 / 2, 1 / 2])
    assert now.expected(score) == pytest.approx([21 / 4, 7 / 4, 2, 2])
    likely = (6 * np.log(3 / 4) + np.log(1 / 4) + 4 * np.log(1 / 2)) / 11
    assert now.log_likelihood(score) == pytest.approx(likely)


def test_shares_stay_finite_however_far_scores_lie_apart():
    now = choices([1, 1])

    assert now.share(np.array([2000.0, -2000.0])) == pytest.approx([1, 0])
    assert np.isfinite(now.log_likelihood(np.array([2000.0, -2000.0])))


def test_a_sample_is_of_whole_slates():
    now = choices([1, 0, 0, 1, 1, 0])

    few = now.sample(4)

    assert few.pair.tolist() == [0, 1, 2, 3]
    assert few.clicks.tolist() == [1, 0, 0, 1]


@pytest.mark.slow
def test_a_planted_slope_is_found(site: Corpus):
    """Readers choose by text, twice as steeply as was thought beforehand, and by nothing else."""
    random = np.random.default_rng(3)
    shown = []
    for day in range(30):
        for source in range(N):
            items = random.choice(np.delete(np.arange(N), source), 6, replace=False)
            cosine = site.cosine(np.full(6, source), items.astype(np.int64))
            taste = np.exp(3 * cosine)
            clicks = random.multinomial(20, taste / taste.sum()).tolist()
            shown.append(Shown(source, items.tolist(), clicks, day=day, ordered=False))
    splits = splits_of(site, None, log_of(*shown), EVENLY)
    split = splits.split(0, 30)

    found = fit_logit(("cosine", "target_title_words"), [split.seen], [split.now], towards={})

    assert found.slopes[0] == pytest.approx(3, rel=0.15)
    assert abs(found.slopes[1]) < 0.1


def test_a_missing_or_constant_feature_does_no_harm(site: Corpus):
    """It gets no slope, and the score stays finite."""
    shown = [Shown(day % N, [(day + 7) % N, (day + 9) % N], [3, 1], day=day) for day in range(6)]
    splits = splits_of(site, None, log_of(*shown), EVENLY)
    split = splits.split(3, 6)
    seen = split.seen.copy()
    seen[:, NAMES.index("fullness")] = np.nan
    seen[:, NAMES.index("target_words")] = 7.0

    found = fit_logit(
        ("cosine", "fullness", "target_words"), [seen], [split.now], towards={"cosine": 1.0}
    )

    assert found.slopes[1:] == pytest.approx([0, 0])
    assert np.isfinite(found.predict(seen)).all()


def test_slopes_lie_between_where_they_began_and_the_likeliest():
    """Sixty clicks, planted slopes 1 and 0.6: few clicks do not carry slopes all the way, however
    the likeliest are found; ten times the clicks come closer.
    """
    random = np.random.default_rng(0)
    seen = np.zeros((240, len(NAMES)))
    two = [NAMES.index(name) for name in ("cosine", "strength")]
    seen[:, two] = random.normal(0, 1, (240, 2))
    slate = np.arange(240) // 4
    weight = np.exp(seen[:, two] @ [1.0, 0.6]).reshape(60, 4)
    clicks = np.concatenate([random.multinomial(1, row / row.sum()) for row in weight])
    rows = np.arange(240)

    def slopes(times: int) -> np.ndarray:
        made = np.full(240, float(times))
        now = Choices(rows, slate, rows, times * clicks.astype(float), made, np.ones(240))
        return fit_logit(("cosine", "strength"), [seen], [now], towards={}).slopes

    now = Choices(rows, slate, rows, clicks.astype(float), np.ones(240), np.ones(240))
    likeliest = minimize(lambda at: -now.log_likelihood(seen[:, two] @ at), [0, 0]).x
    few, many = slopes(1), slopes(10)
    assert (few > 0.3 * likeliest).all()
    assert (few < 0.95 * likeliest).all()
    assert (many > 0.85 * likeliest).all()
    assert (many > 1.1 * few).all()
    assert (many < likeliest).all()
