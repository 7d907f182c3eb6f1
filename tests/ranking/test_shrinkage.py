"""The score of a pair lies between what its features predict and what its own clicks tell."""

import numpy as np
import pytest
from sites import EVENLY, Shown, log_of, random_articles, site_from

from recommender.clicks.gamma_poisson import fitted_weight
from recommender.ranking.logit import LinearScore
from recommender.ranking.shrinkage import (
    USUAL,
    WEIGHTS,
    Posterior,
    posterior,
    validated_weight,
)
from recommender.ranking.time_splits import Split, splits_of
from recommender.text.corpus import Corpus

N = 30
TEXT = LinearScore(("text",), np.zeros(1))


@pytest.fixture(scope="module")
def site() -> Corpus:
    return site_from(random_articles(N, seed=9))


def slates(spread: float, *, seed: int = 0, n_days: int = 40) -> list[Shown]:
    """Choices among pairs whose rate is gamma distributed with this standard deviation."""
    random = np.random.default_rng(seed)
    shape = 1 / max(spread, 1e-6) ** 2
    rate = random.gamma(shape, 1 / shape, (N, N))
    shown = []
    for day in range(n_days):
        for source in range(N):
            items = random.choice(np.delete(np.arange(N), source), 5, replace=False)
            chance = rate[source, items] / rate[source, items].sum()
            clicks = random.multinomial(8, chance).tolist()
            shown.append(Shown(source, items.tolist(), clicks, day=day, ordered=False))
    return shown


def everything(site: Corpus, shown: list[Shown]) -> Split:
    splits = splits_of(site, None, log_of(*shown), EVENLY)
    return splits.split(splits.days[-1], splits.days[-1])


def test_the_spread_of_pairs_tells_what_the_prior_weighs(site: Corpus):
    """Chance alone gives the prior all the weight there is; the more pairs differ, the less."""
    none, some, much = (
        posterior(TEXT, everything(site, slates(spread))).weight for spread in (0.0, 0.3, 1.0)
    )

    assert none > 10 * some > 30 * much
    # Eight choices of five: a gamma of shape 1 is five choices' worth.
    assert much == pytest.approx(5, rel=0.6)


def test_one_click_hardly_moves_a_pair():
    """Without a log to ask, a line weighs about twenty choices."""
    due = np.array([0.3, 0.3, 0.4])

    weight = fitted_weight(np.array([1.0, 0, 0]), due, USUAL, share=due)

    assert 10 < weight < 40


def test_the_posterior_by_hand(site: Corpus):
    """A prior of ten choices gives each of two links half, and 15 clicks to 5."""
    split = everything(site, [Shown(0, [1, 2], [15, 5], ordered=False)])
    found = posterior(TEXT, split, 10.0)

    pair = split.history.pairs.find(np.array([0, 0, 4]), np.array([1, 2, 1]))
    lift = found.lift(split.history, pair)

    assert lift == pytest.approx(np.log([20 / 15, 10 / 15, 1]))


def test_clicks_are_followed_only_if_they_help(site: Corpus):
    """Choices at random: the prior keeps the greatest weight, or nearly."""
    for spread, most in ((0.0, None), (1.0, 160.0)):
        splits = splits_of(site, None, log_of(*slates(spread)), EVENLY)
        splits_ = [splits.split(first, first + 10) for first in (10, 20, 30)]
        weight = validated_weight(TEXT, splits_)
        assert weight in WEIGHTS
        assert weight >= 160 if most is None else weight <= most


def test_what_was_never_shown_keeps_its_prior(site: Corpus):
    found = Posterior(TEXT, np.zeros(0), 20.0)
    split = everything(site, [Shown(0, [1], [0])])

    assert found.lift(split.history, np.array([-1, -1])).tolist() == [0, 0]
