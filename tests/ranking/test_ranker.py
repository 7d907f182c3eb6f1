"""The ranker learns what readers want, says when it cannot, and always has an answer."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sites import EVENLY, Shown, counted, log_of, random_articles, site_from

from recommender.articles.article import Article
from recommender.clicks.choice_model import pairs_in
from recommender.ranking import handpicked, ranker
from recommender.ranking.boosting import Forest, grow
from recommender.ranking.features import LEAST_TEXT
from recommender.ranking.ranker import Learned, learn, recounted
from recommender.ranking.time_splits import splits_of
from recommender.store.counts import Log
from recommender.text.corpus import Corpus

N = 48
DAYS = 12
Taste = Callable[[int, int], float]


@pytest.fixture(scope="module")
def articles() -> list[Article]:
    return random_articles(N, seed=2, n_topics=4)


@pytest.fixture(scope="module")
def site(articles: list[Article]) -> Corpus:
    return site_from(articles)


def readers(taste: Taste, *, seed: int = 0, a_day: int = 60, clicks: int = 12) -> Log:
    """Slates of six links; each click is a choice in proportion to ``taste(source, item)``."""
    random = np.random.default_rng(seed)
    slates = []
    for day in range(DAYS):
        for _ in range(a_day):
            source = int(random.integers(N))
            items = random.choice(np.delete(np.arange(N), source), 6, replace=False).tolist()
            weight = np.array([taste(source, item) for item in items])
            made = random.multinomial(clicks, weight / weight.sum())
            slates.append(Shown(source, items, made.tolist(), day=day, ordered=False))
    return log_of(*slates)


def all_scores(site: Corpus, learned: Learned) -> np.ndarray:
    """The score of every pair, ``(N, N)``."""
    assert learned.ranker is not None, learned.reason
    sources, items = np.divmod(np.arange(N * N), N)
    return learned.ranker.score(site, sources, items).reshape(N, N)


def agreement(scores: np.ndarray, taste: Taste, source: int) -> float:
    """Share of pairs of targets that both put in the same order."""
    items = [item for item in range(N) if item != source]
    truth = np.array([taste(source, item) for item in items])
    found = scores[source, items]
    above = truth[:, None] > truth[None, :]
    return float((found[:, None] > found[None, :])[above].mean())


STRENGTH = np.exp(np.random.default_rng(1).normal(0, 1, N))


def popularity(source: int, item: int) -> float:
    return float(STRENGTH[item])


@pytest.fixture(scope="module")
def learned(site: Corpus) -> Learned:
    """Learned from readers who like some targets, whatever they read."""
    return learn(site, readers(popularity), EVENLY, seed=3)


def test_popular_targets_are_learned(site: Corpus, learned: Learned):
    """Nearly every order is right."""
    scores = all_scores(site, learned)

    right = [agreement(scores, popularity, at) for at in range(N)]
    assert np.mean(right) > 0.85
    assert learned.trial["ranker"] > learned.trial["text"]
    assert learned.reason.startswith("learned from 8,640 clicks")


@pytest.mark.slow
def test_a_preference_of_pairs_is_learned(site: Corpus, articles: list[Article]):
    """Readers of one topic want another one, which no text could tell; also of pairs that were
    never shown.
    """
    topic = np.arange(N) % 4

    def taste(source: int, item: int) -> float:
        return 6.0 if topic[item] == (topic[source] + 1) % 4 else 1.0

    log = readers(taste, a_day=30)

    learned = learn(site, log, EVENLY, seed=0)

    scores = all_scores(site, learned)
    shown = np.zeros((N, N), dtype=bool)
    shown[log.link_source, log.item] = True
    sources, items = np.nonzero(~shown & ~np.eye(N, dtype=bool))
    wanted = topic[items] == (topic[sources] + 1) % 4
    has_category = np.array([article.category is not None for article in articles])
    told = has_category[sources] & has_category[items]
    gap = (
        scores[sources, items][wanted & told].mean() - scores[sources, items][~wanted & told].mean()
    )
    assert wanted.sum() > 100
    assert gap > 0.7


def test_every_pair_has_a_score(site: Corpus, learned: Learned):
    """Shown or not, one at a time or all at once, an article with itself."""
    scores = all_scores(site, learned)

    assert np.isfinite(scores).all()
    assert learned.ranker is not None
    for source, item in np.random.default_rng(0).integers(0, N, (20, 2)):
        single = learned.ranker.score(site, np.array([source]), np.array([item]))
        assert single == pytest.approx([scores[source, item]], abs=1e-9)


def test_without_clicks_text_decides(site: Corpus):
    """There is nothing to mix in."""
    learned = learn(site, log_of(), EVENLY, seed=0)

    assert learned.ranker is None
    assert learned.decided_by == "text"
    assert learned.reason == "text alone decides: there are no clicks to learn from"


def test_a_few_clicks_move_their_own_pairs(site: Corpus):
    """Text decides everywhere else; the more clicks a link got beyond its share, the higher."""
    log = log_of(
        Shown(0, [1, 2, 3], [0, 8, 2], views=20), Shown(5, [1, 2, 3], [4, 0, 0], views=20, day=1)
    )

    learned = learn(site, log, EVENLY, seed=0)

    assert learned.decided_by == "text" and learned.ranker is not None
    assert learned.reason == (
        "text decides, and a pair's own clicks as far as it has any: to learn more takes 500 "
        "clicks spread over 4 days or more, and there are 14 clicks on 2 days"
    )
    sources, items = np.divmod(np.arange(N * N), N)
    text = np.log(np.maximum(handpicked.score(site, None, sources, items), LEAST_TEXT))
    moved = all_scores(site, learned) - text.reshape(N, N)
    assert moved[0, 2] > moved[0, 3] > moved[0, 1]
    assert moved[5, 1] > max(moved[5, 2], moved[5, 3])
    others = np.ones((N, N), dtype=bool)
    others[0, 1:4] = others[5, 1:4] = False
    assert np.abs(moved[others]).max() < 1e-5


def test_few_clicks_a_page_teach_the_levels_alone(site: Corpus, monkeypatch: pytest.MonkeyPatch):
    """The same log, whatever the days before bear out, once as if a page needed more clicks."""
    monkeypatch.setattr(ranker, "_more_helps", lambda *_: True)
    log = readers(popularity, a_day=20)

    enough = learn(site, log, EVENLY, seed=0)
    monkeypatch.setattr(ranker, "MIN_PER_PAGE", 1 + enough.n_clicks / N)
    few = learn(site, log, EVENLY, seed=0)

    assert enough.ranker is not None and few.ranker is not None
    assert enough.ranker.beyond.curves is not None
    assert few.ranker.beyond.curves is few.ranker.beyond.trees is None
    assert few.decided_by == "model"


@pytest.mark.parametrize(("liked", "helps"), [(8.0, True), (1.0, False)])
def test_the_first_trees_tell_whether_trees_help(
    site: Corpus, monkeypatch: pytest.MonkeyPatch, liked: float, helps: bool
):
    """Where readers follow what is neither near nor far, which no level has, and where they choose
    at random: what trees make of chance makes the next clicks less likely.
    """
    grown = []

    def growing(*rows: Any, seed: int, n_trees: int | None) -> Forest:
        grown.append(grow(*rows, seed=seed, n_trees=n_trees))
        return grown[-1]

    sources, items = np.divmod(np.arange(N * N), N)
    near = handpicked.score(site, None, sources, items).reshape(N, N)
    low, high = np.quantile(near, [0.35, 0.65])
    log = readers(lambda *pair: liked if low <= near[pair] <= high else 1.0)
    monkeypatch.setattr(ranker, "MANY_ROWS", 0)
    monkeypatch.setattr(ranker, "grow", growing)
    whole = splits_of(site, None, log, EVENLY)
    splits = [whole.split(first, last) for first, last in pairwise(whole.days)]

    assert ranker._more_helps(splits, seed=0) == helps
    assert [len(forest.heads) - 1 for forest in grown] == [ranker.N_TRIED]


def test_links_that_nobody_chose_are_trusted_less_until_they_are_shown(site: Corpus):
    """As much less as hand-picked lists agree with the texts, as long as all that was shown was
    picked; then as readers follow them.
    """
    log = readers(popularity, a_day=10)
    pairs, _ = pairs_in(log, n_articles=N)
    found = {}
    for agreement in (0.0, 0.5):
        for name, picked in (("all", pairs.keys), ("none", pairs.keys[:0])):
            changed = replace(site, agreement=np.array([0, 0, agreement]), picked=picked)
            found[agreement, name] = counted(changed, log).unchosen

    assert found[0.0, "all"] == found[0.0, "none"] == 0
    assert found[0.5, "all"] == pytest.approx(-np.log(2))
    assert -np.log(2) < found[0.5, "none"] < -0.05


def test_one_target_does_not_decide_how_links_that_nobody_chose_are_followed(site: Corpus):
    """A flood on one of them moves the rate of all by little, being one part of nine."""
    pages = [Shown(at, [(at + 1) % N, (at + 7) % N], [10, 2], views=100) for at in range(N)]
    flood = [Shown(at, [5], [100], views=100) for at in range(N) if at != 5]
    picked = np.array([at * N + (at + 1) % N for at in range(N)])
    changed = replace(site, agreement=np.array([0, 0, 0.5]), picked=np.sort(picked))

    quiet, flooded = (counted(changed, log_of(*of)).unchosen for of in (pages, pages + flood))

    assert abs(flooded - quiet) < 0.35  # a ratio of sums moves by 1.5


def test_clicks_of_one_day_are_too_few(site: Corpus):
    """There must be a past to learn from and a future to try the outcome on."""
    slates = [Shown(at % N, [(at + 1) % N, (at + 2) % N], [30, 10]) for at in range(100)]

    learned = learn(site, log_of(*slates), EVENLY, seed=0)

    assert learned.n_clicks == 4000
    assert "4,000 clicks on 1 days" in learned.reason


@pytest.mark.slow
@pytest.mark.parametrize("empty", [range(9, DAYS), range(3), range(2, DAYS)])
def test_days_without_clicks(site: Corpus, empty: range):
    """Views whose clicks were never imported, at either end or in between, stop nothing."""
    log = readers(lambda source, item: 1.0 + item, a_day=20)
    log.n_clicks[np.isin(log.click_day, list(empty))] = 0

    learned = learn(site, log, EVENLY, seed=0)

    assert (learned.decided_by == "text") == (len(empty) == 10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_clicks_at_random_do_no_harm(site: Corpus, seed: int):
    """Nothing to learn: text decides, or an order that is no worse on days not learned from."""
    noise = readers(lambda source, item: 1.0, seed=seed, a_day=30, clicks=4)

    learned = learn(site, noise, EVENLY, seed=seed)

    if learned.ranker is not None:
        gain = learned.trial["ranker"] - learned.trial["text"]
        assert -0.02 < gain < 0.04
    else:
        assert learned.reason.startswith("text alone decides: on the days before the last ones")


@pytest.mark.slow
def test_readers_who_follow_the_text_are_left_to_it(site: Corpus):
    """If text says it all, the learned order is as good or is not used."""
    sources, items = np.divmod(np.arange(N * N), N)
    cosine = site.cosine(sources, items).reshape(N, N)

    log = readers(lambda source, item: 0.02 + cosine[source, item], a_day=30)
    learned = learn(site, log, EVENLY, seed=0)

    assert learned.ranker is None or learned.trial["ranker"] >= learned.trial["text"]


@pytest.mark.slow
def test_the_seed_settles_everything(site: Corpus, learned: Learned):
    """Another run gives the same scores to the byte."""
    again = learn(site, readers(popularity), EVENLY, seed=3)

    assert np.array_equal(all_scores(site, again), all_scores(site, learned))
    assert again.trial == learned.trial


def test_what_is_counted_goes_on_and_what_was_fitted_stays(site: Corpus, learned: Learned):
    """Of the same log the very same scores; of a longer one levels are of all of it."""
    lesson, log = learned.lesson, readers(popularity)
    assert lesson is not None
    longer = readers(popularity, clicks=13)

    same = recounted(lesson, site, log, EVENLY)
    more = recounted(lesson, site, longer, EVENLY)

    assert np.array_equal(all_scores(site, same), all_scores(site, learned))
    assert same.reason == learned.reason
    assert same.decided_by == more.decided_by == "model"
    assert more.n_clicks > learned.n_clicks
    assert more.ranker is not None
    assert more.ranker.beyond is lesson.beyond
    counted = [each.history.clicks.clicked.sum() for each in (learned, more)]
    assert counted[1] > counted[0]
    assert more.reason.endswith(
        f"; {more.n_clicks:,} clicks are counted now, by what was fitted and tried then"
    )


def test_text_that_decides_goes_on_deciding(site: Corpus):
    """A trial that was lost is not held again for a few clicks more, and nothing else decides."""
    log = readers(lambda source, item: 1.0, clicks=2)
    before = learn(site, log, EVENLY, seed=0)
    assert before.trial
    assert before.lesson is not None

    after = recounted(before.lesson, site, log, EVENLY)

    assert after.decided_by == before.decided_by == "text"
    assert (after.ranker is None) == (before.ranker is None)
    assert after.reason == before.reason
