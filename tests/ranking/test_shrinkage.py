"""What is believed of a pair lies between what its kind is worth and what its own clicks say."""

import numpy as np
import pytest
from sites import EVENLY, Shown, log_of, random_articles, site_from

from recommender.clicks.gamma_poisson import fitted_weight
from recommender.ranking.features import NAMES
from recommender.ranking.shrinkage import (
    USUAL,
    WEIGHTS,
    Belief,
    Line,
    believe,
    fit_line,
    weight_by_trial,
)
from recommender.ranking.time_splits import Block, stretches_of
from recommender.text.corpus import Corpus

N = 30
TEXT = Line((NAMES.index("text"),), np.zeros(1))


@pytest.fixture(scope="module")
def site() -> Corpus:
    return site_from(random_articles(N, seed=9))


def slates(spread: float, *, seed: int = 0, n_days: int = 40) -> list[Shown]:
    """Choices among pairs whose worth is gamma distributed with this standard deviation."""
    random = np.random.default_rng(seed)
    shape = 1 / max(spread, 1e-6) ** 2
    worth = random.gamma(shape, 1 / shape, (N, N))
    shown = []
    for day in range(n_days):
        for source in range(N):
            items = random.choice(np.delete(np.arange(N), source), 5, replace=False)
            chance = worth[source, items] / worth[source, items].sum()
            clicks = random.multinomial(8, chance).tolist()
            shown.append(Shown(source, items.tolist(), clicks, day=day, ordered=False))
    return shown


def everything(site: Corpus, shown: list[Shown]) -> Block:
    stretches = stretches_of(site, None, log_of(*shown), EVENLY)
    return stretches.block(stretches.days[-1], stretches.days[-1])


def test_the_spread_of_pairs_tells_what_a_line_weighs(site: Corpus):
    """Chance alone gives a line all the weight there is; the more pairs differ, the less."""
    none, some, much = (
        believe(TEXT, everything(site, slates(spread))).weight for spread in (0.0, 0.3, 1.0)
    )

    assert none > 10 * some > 30 * much
    # Eight choices of five: a gamma of shape 1 is five choices' worth.
    assert much == pytest.approx(5, rel=0.6)


def test_one_click_hardly_moves_a_pair():
    """Without a log to ask, a line weighs about twenty choices."""
    due = np.array([0.3, 0.3, 0.4])

    weight = fitted_weight(np.array([1.0, 0, 0]), due, USUAL, share=due)

    assert 10 < weight < 40


def test_belief_by_hand(site: Corpus):
    """Ten choices' worth of a line that gives each of two links half, and 15 clicks to 5."""
    block = everything(site, [Shown(0, [1, 2], [15, 5], ordered=False)])
    belief = believe(TEXT, block, 10.0)

    pair = block.history.pairs.find(np.array([0, 0, 4]), np.array([1, 2, 1]))
    lift = belief.lift(block.history, pair)

    assert lift == pytest.approx(np.log([20 / 15, 10 / 15, 1]))


def test_a_line_finds_what_was_planted(site: Corpus):
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
    stretches = stretches_of(site, None, log_of(*shown), EVENLY)
    block = stretches.block(0, 30)

    line = fit_line(("cosine", "target_title_words"), [block.seen], [block.now], towards={})

    assert line.slopes[0] == pytest.approx(3, rel=0.15)
    assert abs(line.slopes[1]) < 0.1


def test_a_missing_or_constant_feature_does_no_harm(site: Corpus):
    """It gets no slope, and the score stays finite."""
    shown = slates(0.5, n_days=6)
    stretches = stretches_of(site, None, log_of(*shown), EVENLY)
    block = stretches.block(3, 6)
    seen = block.seen.copy()
    seen[:, NAMES.index("fullness")] = np.nan
    seen[:, NAMES.index("target_words")] = 7.0

    line = fit_line(
        ("cosine", "fullness", "target_words"), [seen], [block.now], towards={"cosine": 1.0}
    )

    assert line.slopes[1:] == pytest.approx([0, 0])
    assert np.isfinite(line.of(seen)).all()


def test_the_trial_believes_clicks_only_if_they_help(site: Corpus):
    """Choices at random: the line keeps the greatest weight, or nearly."""
    for spread, most in ((0.0, None), (1.0, 160.0)):
        stretches = stretches_of(site, None, log_of(*slates(spread)), EVENLY)
        blocks = [stretches.block(first, first + 10) for first in (10, 20, 30)]
        weight = weight_by_trial(TEXT, blocks)
        assert weight in WEIGHTS
        assert weight >= 160 if most is None else weight <= most


def test_what_was_never_shown_is_believed_by_its_line(site: Corpus):
    belief = Belief(TEXT, np.zeros(0), 20.0)
    block = everything(site, [Shown(0, [1], [0])])

    assert belief.lift(block.history, np.array([-1, -1])).tolist() == [0, 0]
