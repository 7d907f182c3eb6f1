"""What simulated readers want, whose taste is stated and hidden from the model, is learned."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sites import NOW, built, click, view

from recommender.articles.article import Article
from recommender.articles.reader import read_articles
from recommender.bundle.bundle import Bundle
from recommender.demo import readers
from recommender.demo.readers import PAGES, truth
from recommender.events.event import Event
from recommender.store.database import Store
from recommender.training.pipeline import Options

# Each trains on thousands of clicks.
pytestmark = pytest.mark.slow


def worth(list_of: Callable[[str], Sequence[str]]) -> float:
    """Clicks a view of the sample site's lists wins, mean over its pages."""
    return float(np.mean([readers.expected_clicks(id, list_of(id)) for id in truth()]))


def hand_picked() -> Callable[[str], Sequence[str]]:
    with Store("sqlite://") as store:
        store.apply(read_articles([PAGES]))
        lists = {article.id: article.recommended for article in store.articles()}
    return lists.__getitem__


def learned_list(bundle: Bundle) -> Callable[[str], list[str]]:
    return lambda id: [link.id for link in bundle.related(id)]


def nearest_texts(bundle: Bundle) -> Callable[[str], list[str]]:
    others = list(truth())

    def nearest(id: str) -> list[str]:
        cosine = bundle.features(id, others)["cosine"]
        cosine[others.index(id)] = -1
        return [others[at] for at in (-cosine).argsort(kind="stable")[:10]]

    return nearest


def test_learned_lists_win_more_clicks(learned: Bundle):
    """More than the lists an editor picked, by half, and more than the nearest texts, by a tenth;
    nothing wins more than the best possible lists.
    """
    found = worth(learned_list(learned))

    assert learned.decided_by == "model"
    assert found > 1.5 * worth(hand_picked())
    assert found > 1.1 * worth(nearest_texts(learned))
    assert found < worth(lambda id: readers.best_list(id, 10))


def test_no_page_owns_the_site(learned: Bundle):
    """None stands in more than a tenth of the 153 lists; some would."""
    found = Counter(link.id for id in truth() for link in learned.related(id))

    assert max(found.values()) == learned.about.concentration.after == 15
    assert learned.about.concentration.before > 20
    assert "links of at most 15 of 153 lists (RECOMMENDER_CEILING, 10 %)" in learned.card


def test_before_there_are_readers_text_does_well(text_sample: Bundle, learned: Bundle):
    """Lists by text beat the hand-picked ones, and clicks beat text."""
    by_text = worth(learned_list(text_sample))

    assert text_sample.decided_by == "text"
    assert worth(hand_picked()) < by_text < worth(learned_list(learned))


def test_examination_is_found_out(learned: Bundle):
    """One view in five in random order is enough to learn how far down readers look."""
    chance = learned.calibration.examination()

    truth_of = np.array([readers.examination(place) for place in range(1, 11)])
    assert learned.about.examination.identified
    assert np.abs(chance[1:11] / truth_of - 1).max() < 0.2


def test_scores_follow_the_readers_taste(learned: Bundle):
    """Over all pairs, shown or not, the score says more of appeal than the text does."""
    ids = sorted(truth())
    gains = []
    for id in ids[::5]:
        others = [other for other in ids if other != id]
        appeal = np.array([readers.appeal(id, other) for other in others])
        score = learned.score(id, others)
        cosine = learned.features(id, others)["cosine"]
        found = [appeal[(-values).argsort()[:20]].sum() for values in (score, cosine)]
        gains.append(found[0] / found[1])

    assert np.mean(gains) > 1.05


def test_what_text_cannot_know_shows_in_the_list(tmp_path: Path):
    """Beside pages on knees, readers follow those on zebras, which share no word with them, and
    the other way round: the lists follow the readers.
    """
    random = np.random.default_rng(0)
    articles = [
        Article(
            id=f"{topic}{number}",
            title=f"{topic}{number}",
            body=" ".join(f"{topic}{word}" for word in random.integers(0, 30, 40)),
        )
        for topic in ("knee", "zebra")
        for number in range(8)
    ]
    ids = [article.id for article in articles]
    events = []
    for number in range(3000):
        source = ids[int(random.integers(16))]
        shown = [id for id in random.permutation(ids).tolist() if id != source][:8]
        liked = [id for id in shown if id[:4] != source[:4]]
        name, day = f"v{number}", 30 * number / 3000
        events.append(view(name, source, *shown, day=day))
        if liked and random.random() < 0.6:
            events.append(click(name, liked[0], day=day))

    by_text = built(tmp_path / "text", articles)
    learned = built(tmp_path / "clicks", articles, events)

    assert learned.decided_by == "model"
    for id in ids:
        assert all(link.id[:4] == id[:4] for link in by_text.related(id, k=7))
        top = learned.related(id, k=4)
        assert all(link.id[:4] != id[:4] and link.origin == "model" for link in top)


N_DATED = 60
# Days before NOW on which the articles were published: one in five days.
AGES = 300 * (1 - np.arange(N_DATED) / (N_DATED - 1)) + 0.5
TODAY = NOW.timestamp() / 86_400
# What a reader makes of an article by its number and its age in days.
Taste = Callable[[int, float], float]


def dated_articles(*, dated: bool) -> list[Article]:
    """Articles on nothing in particular, long and short."""
    random = np.random.default_rng(0)
    found = []
    for number, age in enumerate(AGES):
        words = [f"w{word}" for word in random.integers(0, 40, int(random.integers(30, 300)))]
        day = (NOW - timedelta(days=float(age))).isoformat() if dated else None
        title = f"title{number} {words[0]}"
        found.append(Article(f"a{number:02}", title, " ".join(words), published_at=day))
    return found


def dated_events(taste: Taste) -> Iterator[Event]:
    """Views of half a year, up to twenty days ago, of what was published by then."""
    random = np.random.default_rng(1)
    n = 3000
    for number in range(n):
        ago = 150 * (1 - number / n) + 20
        source, *shown = random.permutation(np.flatnonzero(ago < AGES))[:9].tolist()
        weight = np.array([taste(item, AGES[item] - ago) for item in shown])
        name, ids = f"v{number}", [f"a{item:02}" for item in (source, *shown)]
        yield view(name, *ids, day=TODAY - ago, ordered=False)
        if random.random() < 0.6:
            chosen = random.choice(len(shown), p=weight / weight.sum())
            yield click(name, ids[1 + int(chosen)], day=TODAY - ago)


def worth_now(folder: Path, taste: Taste, *, dated: bool) -> float:
    """What lists are worth to such readers now, over what the best possible are: the same ten
    beside every page, which a ceiling would forbid.
    """
    options = Options(ceiling=100)
    bundle = built(folder, dated_articles(dated=dated), dated_events(taste), options=options)
    assert bundle.decided_by == "model"
    value = np.array([taste(number, AGES[number]) for number in range(N_DATED)])
    discount = 1 / np.log2(np.arange(2, 12))
    best = float(np.sort(value)[::-1][:10] @ discount)
    lists = [[int(link.id[1:]) for link in bundle.related(f"a{at:02}")] for at in range(N_DATED)]
    return float(np.mean([value[listed] @ discount / best for listed in lists]))


def test_readers_who_follow_what_is_new_are_learned(tmp_path: Path):
    """Of the articles that came after the last click too, which without dates nobody knows."""

    def taste(number: int, age: float) -> float:
        return 1 / (1 + age)

    found = worth_now(tmp_path / "dated", taste, dated=True)

    assert found > 0.95
    assert found > worth_now(tmp_path / "undated", taste, dated=False) + 0.05


def test_readers_who_do_not_care_for_dates_get_what_they_like(tmp_path: Path):
    """As much as if there were no dates."""
    liked = np.exp(np.random.default_rng(5).normal(0, 1, N_DATED))

    def taste(number: int, age: float) -> float:
        return float(liked[number])

    found = worth_now(tmp_path / "dated", taste, dated=True)

    assert found > 0.98 * worth_now(tmp_path / "undated", taste, dated=False)
