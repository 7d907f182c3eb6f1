"""What is known of a pair never comes from its future, and not from how it was asked for."""

from dataclasses import replace

import numpy as np
import pytest
from sites import Shown, counted, known_examination, log_of, random_articles, site_from

from recommender.articles.article import Article
from recommender.ranking.features import (
    NAMES,
    History,
    features,
)
from recommender.ranking.time_splits import splits_of
from recommender.store.counts import Log
from recommender.text.corpus import Corpus

N = 36
EXAMINATION = known_examination([1, 0.6, 0.4, 0.3])


@pytest.fixture(scope="module")
def site() -> Corpus:
    return site_from(random_articles(N, seed=1))


def slates(*, days: int = 12, seed: int = 0) -> list[Shown]:
    """Random slates of five links, twenty a day, with random clicks."""
    random = np.random.default_rng(seed)
    return [
        Shown(
            int(random.integers(N)),
            random.choice(N, 5, replace=False).tolist(),
            random.poisson(2, 5).tolist(),
            views=20,
            day=day,
        )
        for day in range(days)
        for _ in range(20)
    ]


def readings(*, days: int = 12, seed: int = 0) -> list[tuple[int, int, int]]:
    random = np.random.default_rng(seed)
    return [
        (100 * day + visit, int(article), day)
        for day in range(days)
        for visit in range(10)
        for article in random.choice(N, 3, replace=False)
    ]


def history(site: Corpus, log: Log) -> History:
    return counted(site, log, EXAMINATION)


def seen(
    site: Corpus, past: History, sources: np.ndarray, items: np.ndarray, *, unseen: bool = False
) -> np.ndarray:
    return features(site, None, past, sources, items, unseen=unseen)


def all_pairs() -> tuple[np.ndarray, np.ndarray]:
    sources, items = np.divmod(np.arange(N * N), N)
    return sources, items


@pytest.mark.parametrize(("first", "last"), [(0, 2), (2, 5), (5, 9)])
def test_the_future_does_not_leak(site: Corpus, first: int, last: int):
    """What explains the clicks of a split is the same to the byte whether the log ends
    with the split or goes on for days.
    """
    found = []
    for days in (last, 12):
        log = log_of(*(s for s in slates() if s.day < days), readings=readings(days=days))
        found.append(splits_of(site, None, log, EXAMINATION).split(first, last))

    short, long = found
    assert len(short.now.row) > 50
    for name in ("seen", "as_new"):
        assert np.array_equal(getattr(short, name), getattr(long, name)), name
    for name in ("clicked", "clicks", "examined"):
        assert np.array_equal(getattr(short.now, name), getattr(long.now, name)), name
    for name in ("page", "exposures", "clicks"):
        assert np.array_equal(getattr(short.shown, name), getattr(long.shown, name)), name


def test_a_splits_own_clicks_do_not_explain_it(site: Corpus):
    """Ten times the clicks on the days of a split: other labels, the same features."""
    before = [s for s in slates() if s.day < 6]
    found = []
    for times in (1, 10):
        split = [
            Shown(s.source, s.items, [times * (clicks + 1) for clicks in s.clicks], day=6)
            for s in slates()
            if s.day == 6
        ]
        log = log_of(*before, *split)
        found.append(splits_of(site, None, log, EXAMINATION).split(6, 7))

    once, tenfold = found
    assert np.array_equal(once.seen, tenfold.seen)
    assert np.array_equal(once.as_new, tenfold.as_new)
    assert np.array_equal(10 * once.now.clicked, tenfold.now.clicked)


@pytest.mark.parametrize("unseen", [False, True])
def test_a_batch_says_what_single_pairs_say(site: Corpus, unseen: bool):
    """All pairs at once, one at a time, and in another order of sources."""
    past = history(site, log_of(*slates(), readings=readings()))
    sources, items = all_pairs()

    batch = seen(site, past, sources, items, unseen=unseen)

    for at in range(0, N * N, 41):
        single = seen(site, past, sources[at : at + 1], items[at : at + 1], unseen=unseen)
        assert np.array_equal(single[0], batch[at])
    turned = np.lexsort((items, -sources))
    again = seen(site, past, sources[turned], items[turned], unseen=unseen)
    assert np.array_equal(again, batch[turned])


def test_every_feature_of_every_pair_is_finite(site: Corpus):
    """Shown or not, an article with itself, without a log, without a word."""
    for log in (log_of(*slates(), readings=readings()), log_of()):
        for unseen in (False, True):
            found = seen(site, history(site, log), *all_pairs(), unseen=unseen)

            assert found.shape == (N * N, len(NAMES))
            assert np.isfinite(found).all()
    assert seen(site, history(site, log_of()), *np.zeros((2, 0), dtype=int)).shape[0] == 0


def test_a_pair_taken_as_new_shows_nothing_of_its_own_clicks(site: Corpus):
    """Its own counts are those of a pair never shown, and what is known of its target, its
    category and its likes does not rise if its clicks are multiplied.
    """
    found, own = [], []
    for clicks in (2, 200):
        extra = Shown(0, [3, 5, 7, 9], [clicks, 2, 2, 2], day=0)
        past = history(site, log_of(*slates(), extra))
        pair = np.array([0]), np.array([3])
        found.append(dict(zip(NAMES, seen(site, past, *pair, unseen=True)[0], strict=True)))
        own.append(dict(zip(NAMES, seen(site, past, *pair)[0], strict=True)))

    assert own[1]["clicked"] > own[0]["clicked"] + 2
    assert own[1]["strength"] > own[0]["strength"] + 0.1
    for name in ("clicked", "chances", "lift", "hand_picked"):
        assert found[0][name] == found[1][name] == 0
    for name in ("kinds", "categories"):
        assert found[1][name] - found[0][name] < 0.2, name
    # The other pairs are compared with a strength fitted with these clicks: a trace is left.
    rise = own[1]["strength"] - own[0]["strength"]
    assert found[1]["strength"] - found[0]["strength"] < rise / 2


def test_taken_as_new_is_about_what_never_shown_would_be(site: Corpus):
    """The target's record of all pairs together, against histories the pairs were removed from."""
    random = np.random.default_rng(4)
    shown = [
        Shown(source, random.permutation(N)[:6].tolist(), random.poisson(30, 6).tolist(), day=0)
        for source in range(N)
        for _ in range(3)
    ]
    past = history(site, log_of(*shown))
    differences = []
    for source, item in random.integers(0, N, (40, 2)):
        without = [
            Shown(
                s.source,
                [other for other in s.items if other != item],
                [n for other, n in zip(s.items, s.clicks, strict=True) if other != item],
            )
            if s.source == source
            else s
            for s in shown
        ]
        pair = np.array([source]), np.array([item])
        new = seen(site, past, *pair, unseen=True)
        never = seen(site, history(site, log_of(*without)), *pair)
        differences.append((new - never)[0, NAMES.index("strength")])

    assert np.abs(differences).max() < 0.4
    assert abs(np.mean(differences)) < 0.05


def test_the_lift_by_hand(site: Corpus):
    """Beside two pages the same links, 30 clicks to 10 and 10 to 30: none is the stronger, and what
    a pair got beyond the half is its own, pulled towards nothing by the clicks of a prior.
    """
    past = history(site, log_of(*(Shown(at, [5, 6], clicks, ordered=False)
                                  for at, clicks in ((0, [30, 10]), (3, [10, 30])))))  # fmt: skip
    clicks, pairs = past.plain, past.pairs

    lift = clicks.lift(pairs.find(np.array([0, 0, 7]), np.array([5, 6, 5])), 10.0)

    assert lift == pytest.approx([np.log(40 / 30), np.log(20 / 30), 0], abs=1e-3)


def test_each_level_explains_what_the_levels_above_leave():
    """Titles ask for causes or cures of twelve things. Readers of causes follow cures, whatever the
    text says, and one target twice as often as that: its strength is that two, not that it is a
    cure; a pair on top of both keeps what neither explains.
    """
    names = [f"{word}itis" for word in "abcdefghijkl"]
    kinds = ("What causes", "What cures")
    titles = [f"{kind} {name}?" for kind in kinds for name in names]
    site = site_from([Article(f"{at}", title, "body") for at, title in enumerate(titles)])
    random, slates = np.random.default_rng(0), []
    for source in range(12):
        for _ in range(40):
            items = random.choice(np.delete(np.arange(24), source), 6, replace=False)
            chance = np.where(items >= 12, 0.2, 0.05) * np.where(items == 20, 2, 1)
            chance = chance * np.where(items == 12 + (source + 3) % 12, 3, 1)
            clicks = random.binomial(20, np.minimum(chance, 1)).tolist()
            slates.append(Shown(source, items.tolist(), clicks, views=20, ordered=False))

    past = counted(site, log_of(*slates))

    assert site.kind[0] != site.kind[12]
    found = features(site, None, past, np.array([1, 1, 1, 0]), np.array([2, 14, 20, 15]))
    column = {name: found[:, NAMES.index(name)] for name in NAMES}
    upper = column["content"] + column["kinds"]
    assert upper[1] - upper[0] == pytest.approx(np.log(4), abs=0.25)
    assert np.exp(column["strength"]) == pytest.approx([1, 1, 2, 1], rel=0.25)
    assert column["lift"][3] > 0.5 > np.abs(column["lift"][:3]).max()
    levels = ("content", "kinds", "categories", "strength", "lift")
    assert column["score"] == pytest.approx(sum(column[name] for name in levels), abs=1e-5)


def test_text_features_by_hand():
    """Cosines, categories, tags and hand-picked lists of four articles."""
    site = site_from(
        [
            Article("a", "knee", "pain", category="joints", tags=("x", "y"), recommended=("c",)),
            Article("b", "knee", "pain", category="joints", tags=("y", "z")),
            Article("c", "salt", "bread", category="food"),
            Article("d", "salt", "bread", tags=("x",)),
        ]
    )
    pairs = np.array([0, 0, 0, 2]), np.array([1, 2, 3, 3])

    found = dict(zip(NAMES, seen(site, history(site, log_of()), *pairs).T, strict=True))

    assert found["cosine"] == pytest.approx([1, 0, 0, 1])
    assert found["title_cosine"] == pytest.approx([1, 0, 0, 1])
    assert found["same_category"].tolist() == [1, 0, 0, 0]
    assert found["shared_tags"] == pytest.approx([1 / 3, 0, 1 / 2, 0])
    assert found["hand_picked"].tolist() == [0, 1, 0, 0]
    assert found["target_words"] == pytest.approx(np.log1p([2, 2, 2, 2]))


def test_ages_by_hand():
    """On the day that is explained, beside the median; the undated are as old as that."""
    articles = [Article(f"{at}", f"t{at}", "knee joint") for at in range(4)]
    site = site_from(articles, published=np.array([50.0, 90.0, 98.0, np.nan]))
    past = replace(history(site, log_of()), day=100.0)
    pairs = np.array([1, 1, 1, 0]), np.array([0, 2, 3, 3])

    found = dict(zip(NAMES, seen(site, past, *pairs).T, strict=True))
    later = dict(zip(NAMES, seen(site, replace(past, day=120.0), *pairs).T, strict=True))
    before = dict(zip(NAMES, seen(site, replace(past, day=95.0), *pairs).T, strict=True))

    # Publication is the median's, day 90, ten days before.
    assert found["target_age"] == pytest.approx([np.log(51 / 11), np.log(3 / 11), 0, 0], abs=1e-6)
    assert later["target_age"][1] == pytest.approx(np.log(23 / 31))
    assert before["target_age"][1] == pytest.approx(np.log(1 / 6))
    assert found["newer"] == pytest.approx([-np.log(41), np.log(9), 0, np.log(41)], abs=1e-6)


def test_without_dates_ages_are_nothing():
    """Zero throughout, from which nothing can be learned."""
    site = site_from([Article(f"{at}", f"t{at}", "knee joint") for at in range(4)])

    found = dict(zip(NAMES, seen(site, history(site, log_of()), *np.indices((2, 2))[:, 0]).T,
                     strict=True))  # fmt: skip

    assert not found["target_age"].any()
    assert not found["newer"].any()


def test_lists_as_they_stood_by_hand():
    """A page's own link is left out of how many list the target and how many the page lists."""
    site = site_from(
        [
            Article("a", "knee", "pain", recommended=("b", "c")),
            Article("b", "hip", "pain", recommended=("a",)),
            Article("c", "salt", "bread"),
        ]
    )
    past = history(site, log_of(Shown(2, [1], [0])))
    pairs = np.array([0, 0, 1, 2]), np.array([1, 2, 2, 1])

    found = dict(zip(NAMES, seen(site, past, *pairs).T, strict=True))

    assert found["times_listed"] == pytest.approx(np.log1p([1, 0, 1, 1]))
    assert found["list_length"] == pytest.approx(np.log1p([1, 1, 1, 0]))
    assert found["listed_back"].tolist() == [1, 0, 1, 0]
