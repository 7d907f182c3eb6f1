"""The sample site is whole, its truth is valid, and its readers do what is stated."""

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from recommender.articles.batch import Batch
from recommender.articles.reader import read_articles
from recommender.articles.text_page import n_links, parse
from recommender.demo import readers
from recommender.demo.readers import PAGES, truth
from recommender.events.event import Click, Impression

SOME = {
    id: list(taste.next)[:6]
    for id, taste in islice(sorted(truth().items()), 40)
    if len(taste.next) > 5
}


@pytest.fixture(scope="module")
def batch() -> Batch:
    return read_articles([PAGES])


def test_there_is_enough_to_show(batch: Batch):
    """120 pages, 12 topics, and not one record that cannot be read."""
    assert len(batch.articles) >= 120
    assert len({taste.topic for taste in truth().values()}) >= 12
    assert batch.problems == []
    assert batch.articles.keys() == truth().keys()


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.txt")), ids=lambda path: path.stem)
def test_every_page_is_a_page(path: Path):
    """A title, a text of some length, ten links with their teasers."""
    page = parse(path.read_text(encoding="utf-8"), where=path.name)

    assert page.title.endswith("?")
    assert len(page.body.split()) >= 100
    assert n_links(path.read_bytes()) == len(page.recommended) == 10
    assert all(teaser.endswith("...") for _, teaser in page.recommended)


def test_hand_picked_lists_have_the_faults_lists_have():
    """Some links are dead, some stand twice, many are off the topic, and most are good enough."""
    pages = {
        path.stem: parse(path.read_text(encoding="utf-8"), where=path.name)
        for path in PAGES.glob("*.txt")
    }
    ids = {page.title: id for id, page in pages.items()}
    dead = double = off_topic = wished = 0
    for id, page in pages.items():
        titles = [title for title, _ in page.recommended]
        double += len(titles) - len(set(titles))
        targets = [ids[title] for title in titles if title in ids]
        dead += len(titles) - len(targets)
        off_topic += sum(truth()[target].topic != truth()[id].topic for target in targets)
        wished += sum(target in truth()[id].next for target in targets)
    links = 10 * len(pages)

    assert 0 < dead < 0.05 * links
    assert 0 < double < 0.05 * links
    assert 0.2 * links < off_topic < 0.8 * links
    assert wished > 0.2 * links


def test_the_truth_is_valid():
    """Wishes are pages, none twice and none the page itself; interests are near 1."""
    for id, taste in truth().items():
        assert set(taste.next) <= truth().keys()
        assert id not in taste.next
        assert len(set(taste.next)) == len(taste.next) >= 3
        assert 0.3 < taste.interest < 2


def test_every_chance_is_a_chance():
    """Appeal is between 0 and 1, 0 for the page itself and for what is not there."""
    found = np.array([[readers.appeal(one, other) for other in truth()] for one in truth()])

    assert found.min() == 0
    assert found.max() < 1
    assert (np.diag(found) == 0).all()
    assert readers.appeal("snoring", "no such page") == 0


def test_the_best_list_is_the_best():
    """No random list, and no swap within it, wins more clicks."""
    random = np.random.default_rng(0)
    for id in list(truth())[:10]:
        best = readers.best_list(id, 10)
        price = readers.expected_clicks(id, best)
        for _ in range(20):
            swapped = [best[at] for at in random.permutation(10)]
            other = random.choice(sorted(truth()), 10, replace=False).tolist()
            assert readers.expected_clicks(id, swapped) <= price
            assert readers.expected_clicks(id, other) < price


def test_a_link_twice_wins_once():
    """It is priced where it stands first."""
    good = truth()["snoring"].next[0]

    assert readers.expected_clicks("snoring", [good, good]) == readers.appeal("snoring", good)
    assert readers.expected_clicks("snoring", []) == 0


def test_the_seed_settles_the_log():
    """The same seed, the same events; another seed, others."""
    first, again, other = (
        list(readers.visits(SOME, seed=seed, days=2, a_day=50)) for seed in (1, 1, 2)
    )

    assert first == again
    assert first != other


def test_the_log_is_one_a_site_would_keep():
    """Clicks follow their view, on a link of it, not before it; every name is used once."""
    views: dict[str, Impression] = {}
    clicks: Counter[tuple[str, str]] = Counter()
    for event in readers.visits(SOME, seed=3, days=2, a_day=100):
        if isinstance(event, Impression):
            assert event.view_id not in views
            assert sorted(event.shown) == sorted(SOME[event.source_id])
            views[event.view_id] = event
        else:
            assert isinstance(event, Click)
            assert event.clicked in views[event.view_id].shown
            assert event.ts > views[event.view_id].ts
            clicks[event.view_id, event.clicked] += 1
    assert max(clicks.values()) == 1
    shuffled = [view for view in views.values() if view.list == "shuffled"]
    assert 0.1 < len(shuffled) / len(views) < 0.3
    assert all((view.propensities is None) == (view.list != "shuffled") for view in views.values())


def test_readers_click_as_stated():
    """Clicks on each position and link come to examination x appeal, within chance."""
    expected: Counter[int] = Counter()
    squares: Counter[int] = Counter()
    followed: Counter[int] = Counter()
    places: dict[tuple[str, str], int] = {}
    for event in readers.visits(SOME, seed=4, days=20, a_day=200):
        if isinstance(event, Impression):
            for place, link in enumerate(event.shown, start=1):
                chance = readers.examination(place) * readers.appeal(event.source_id, link)
                expected[place] += chance
                squares[place] += chance * (1 - chance)
                places[event.view_id, link] = place
        elif isinstance(event, Click):
            followed[places[event.view_id, event.clicked]] += 1

    for place in expected:
        z = (followed[place] - expected[place]) / squares[place] ** 0.5
        assert abs(z) < 4, (place, followed[place], expected[place])


def test_the_first_place_is_worth_half_as_much_again():
    """As Collins et al. measured: ten links in random order, the first against the mean."""
    chances = [readers.examination(place) for place in range(1, 11)]

    assert chances[0] == 1
    assert chances == sorted(chances, reverse=True)
    assert readers.examination(2) == pytest.approx(0.616, abs=0.001)
