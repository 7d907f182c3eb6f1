"""What editors' lists teach: a rule behind them, and nothing if there is none."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sites import built, site_from

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.ranking import cross_fitting, handpicked_features
from recommender.ranking.cross_fitting import N_FOLDS
from recommender.ranking.handpicked import (
    MAX_WORD,
    MIN_LISTS,
    HandpickedModel,
    Outcome,
    candidate_pairs,
    editors_word,
    learn,
    recounted,
    score,
)
from recommender.ranking.handpicked_features import (
    FEATURES,
    HandpickedLists,
    count_rates,
    lists_of,
)
from recommender.training.pipeline import picked_lists

N_DEVICES = 32
PARTS = ("overview", "install", "update", "repair", "remove")
N_PAGES = N_DEVICES * len(PARTS)
Lists = Callable[[int, int], list[str]]


def manual(lists: Lists) -> list[Article]:
    """A manual: five pages for each device, alike in words; ``lists(device, part)`` is the
    list of a page.
    """
    random = np.random.default_rng(3)
    pages = []
    for device in range(N_DEVICES):
        own = [f"d{device}x{word}" for word in range(6)]
        for number, part in enumerate(PARTS):
            common = [f"c{word}" for word in random.integers(0, 80, 30)]
            pages.append(
                Article(
                    id=f"{device}-{part}",
                    title=f"device{device} {part}",
                    body=" ".join([*own, *common, *[f"{part}{word}" for word in range(6)]]),
                    url=f"https://example.org/manual/{device}/{part}",
                    category="manual",
                    recommended=tuple(lists(device, number)),
                )
            )
    return pages


def by_rule(device: int, part: int) -> list[str]:
    """Whatever the page, how to repair this device and how to remove the next."""
    following = (device + 1) % N_DEVICES
    return [f"{device}-repair", f"{device}-remove", f"{following}-overview"]


def at_random(device: int, part: int) -> list[str]:
    """Any three pages."""
    random = np.random.default_rng([device, part])
    chosen = random.integers(0, N_DEVICES, 3), random.integers(0, len(PARTS), 3)
    return [f"{other}-{PARTS[number]}" for other, number in zip(*chosen, strict=True)]


def taught_by(pages: list[Article]) -> Outcome:
    picked = picked_lists(pages, [page.id for page in pages])
    stub = np.array([page.stub for page in pages])
    return learn(site_from(pages, k=20), picked, stub, seed=0)


@pytest.fixture(scope="module")
def ruled() -> Outcome:
    return taught_by(manual(by_rule))


def test_lists_with_a_rule_are_predicted(ruled: Outcome):
    """Lists set aside are ordered far better than by text, and the reason says from what."""
    taught = ruled

    assert taught.model is not None
    assert taught.trial["learned"] > taught.trial["text"] + 0.1
    assert taught.trial["recall"] > 0.6
    n_links = taught.n_links
    assert taught.reason.startswith(f"learned from {n_links} links in 160 editors' lists: ")
    assert set(taught.importance) == set(FEATURES)


def test_lists_are_counted_anew_and_trees_stay(ruled: Outcome):
    """Of the same lists the very same scores; a list that was edited is the new one."""
    assert ruled.model is not None
    pages = manual(by_rule)
    edited = [replace(pages[0], recommended=("3-install",)), *pages[1:]]
    site, stub = site_from(pages, k=20), np.zeros(len(pages), dtype=bool)

    same, other = (
        recounted(
            ruled, ruled.model.trees, site, picked_lists(each, [p.id for p in each]), stub, seed=0
        )
        for each in (pages, edited)
    )

    assert same.model is not None
    assert other.model is not None
    ends = np.repeat(np.arange(len(pages)), 3), np.tile([0, 7, 150], len(pages))
    assert np.array_equal(score(site, same.model, *ends), score(site, ruled.model, *ends))
    first = other.model.lists.items[: other.model.lists.heads[1]]
    assert first.tolist() == [page_of_id(pages, "3-install")]
    assert other.n_links == ruled.n_links - len(pages[0].recommended) + 1
    assert other.trial == ruled.trial


def page_of_id(pages: list[Article], id: str) -> int:
    return next(row for row, page in enumerate(pages) if page.id == id)


@pytest.mark.slow
def test_random_lists_teach_nothing():
    """They are refused, in a sentence."""
    taught = taught_by(manual(at_random))

    assert taught.model is None
    assert taught.reason.startswith("editors' lists taught nothing: learned from ")
    assert taught.importance == {}


@pytest.mark.slow
def test_random_lists_leave_no_trace_in_the_lists_shown(tmp_path: Path):
    """A site of random lists gets what it would get without any."""
    with_lists = built(tmp_path / "a", manual(at_random))
    without = built(tmp_path / "b", manual(lambda device, part: []))

    assert (with_lists.decided_by, with_lists.learned_from) == ("text", None)
    assert "editors' lists taught nothing" in with_lists.card
    assert shown(with_lists) == shown(without)


def shown(bundle: Bundle) -> dict[str, list[str]]:
    ids = bundle.lists.ids.column
    return {
        id: [link.id for link in bundle.related(id)] for id in (ids[row] for row in range(N_PAGES))
    }


@pytest.mark.slow
def test_a_page_without_a_list_gets_what_its_like_have(tmp_path: Path):
    """Lists of three pages in four set the example; the others' links come first."""
    pages = manual(lambda device, part: by_rule(device, part) if device % 4 else [])

    bundle = built(tmp_path, pages)

    assert (bundle.decided_by, bundle.learned_from) == ("model", "lists")
    hits = 0
    for device in range(0, N_DEVICES, 4):
        first = [link.id for link in bundle.related(f"{device}-install", 2)]
        hits += len({f"{device}-repair", f"{device}-remove"} & set(first))
    assert hits >= 14
    assert {link.origin for link in bundle.related("0-install", 2)} == {"model"}
    assert "What editors' lists teach" in bundle.card
    assert "nDCG@10 lost" in bundle.card


@pytest.mark.slow
def test_the_bundle_scores_as_the_build_did(tmp_path: Path):
    """What was learned is read back: scores of a list's links are those of the list."""
    bundle = built(tmp_path, manual(by_rule))

    for id in ("3-install", "7-overview"):
        links = bundle.related(id, 5)
        scores = bundle.score(id, [link.id for link in links])
        assert scores == pytest.approx([link.score for link in links], rel=1e-5, abs=1e-5)


@pytest.mark.slow
def test_a_list_does_not_predict_itself():
    """Another list on a page, and every feature of its pairs stays; those of other pages do not.

    The candidates stay what they were, though a page's list proposes some beside its neighbours.
    """
    site, stub = site_from(manual(by_rule), k=20), np.zeros(N_PAGES, dtype=bool)
    fold = np.arange(N_PAGES) % N_FOLDS

    def pages_lists(page: int, lists: Lists) -> HandpickedLists:
        articles = manual(lambda *at: (lists if page_of(at) == page else by_rule)(*at))
        return lists_of(picked_lists(articles, [article.id for article in articles]), stub)

    as_it_is = pages_lists(0, by_rule)
    sources, items = candidate_pairs(site, as_it_is, stub, as_it_is.pages)

    def seen(lists: HandpickedLists, page: int) -> np.ndarray:
        rates = count_rates(site, sources, items, lists.has(sources, items), fold)
        model = HandpickedModel(lists, rates, None)  # type: ignore[arg-type]
        own = sources == page
        return model.features(site, sources[own], items[own])

    for page in range(0, N_PAGES, 7):
        changed = pages_lists(page, at_random)
        assert np.array_equal(seen(as_it_is, page), seen(changed, page)), page
        other = (page + 1) % N_PAGES
        assert not np.array_equal(seen(as_it_is, other), seen(changed, other))


def page_of(at: tuple[int, ...]) -> int:
    device, part = at
    return device * len(PARTS) + part


def test_few_lists_are_not_learned_from():
    """The reason tells how many it takes."""
    taught = taught_by(manual(lambda device, part: by_rule(device, part) if device < 9 else []))

    assert taught.model is None
    assert taught.reason == (
        f"learning from editors' lists takes {MIN_LISTS} of them, and there are 45"
    )


@pytest.mark.slow
def test_stubs_neither_teach_nor_are_learned():
    """A title without a page is no link to learn, nor is its list one."""
    pages = manual(by_rule)
    stub = np.array([page.id.endswith("remove") for page in pages])
    picked = picked_lists(pages, [page.id for page in pages])

    taught = learn(site_from(pages, k=20), picked, stub, seed=0)

    assert taught.model is not None
    assert taught.n_links == 7 * N_DEVICES  # an overview and a repair each, none to itself
    assert not stub[taught.model.lists.pages].any()
    assert not stub[taught.model.lists.items].any()


def test_without_editors_the_text_says_what_a_pair_is_worth():
    """``score`` is then how alike the texts are: pages of one device above any others."""
    site = site_from(manual(at_random), k=20)
    items = np.arange(1, N_PAGES)

    alike = score(site, None, np.zeros(N_PAGES - 1, dtype=np.int64), items)

    assert set(items[np.argsort(-alike)][:4]) == {1, 2, 3, 4}


@pytest.mark.slow
def test_the_same_lists_teach_the_same(ruled: Outcome):
    """Twice the same seed, twice the same scores."""
    pages = manual(by_rule)
    site = site_from(pages, k=20)
    pairs = np.zeros(N_PAGES - 1, dtype=np.int64), np.arange(1, N_PAGES)

    again = taught_by(pages)
    one, other = (score(site, taught.model, *pairs) for taught in (ruled, again))

    assert np.array_equal(one, other)


def test_a_link_of_the_pages_own_list_counts_as_far_as_lists_agree_with_texts():
    """Of lists that are a third neighbours' a listed link scores half as much again, of random ones
    as any other, of perfect ones at most ``MAX_WORD`` times; the log of it where lists were learned
    from.
    """
    site = site_from(manual(by_rule))
    pairs = np.zeros(2, dtype=np.int64), np.array([int(site.picked[0]), site.n_articles - 1])
    assert site.picked[0] < site.n_articles - 1

    def of(agreement: float) -> np.ndarray:
        return score(replace(site, agreement=np.array([0, 0, agreement])), None, *pairs)

    assert of(1 / 3) / of(0) == pytest.approx([1.5, 1])
    assert of(1) / of(0) == pytest.approx([MAX_WORD, 1])


def test_random_lists_have_no_word():
    """And those of neighbours have."""
    random = np.random.default_rng(5)

    def anything(device: int, part: int) -> list[str]:
        chosen = random.integers(0, N_DEVICES, 4)
        return [f"{other}-{PARTS[random.integers(len(PARTS))]}" for other in chosen]

    def siblings(device: int, part: int) -> list[str]:
        return [f"{device}-{other}" for at, other in enumerate(PARTS) if at != part]

    assert editors_word(site_from(manual(anything))) < 1.15
    assert editors_word(site_from(manual(siblings))) == MAX_WORD


def test_text_is_tried_without_the_lists_set_aside():
    """However much a page's own list counts, the order by text that learning must beat knows none
    of those that are judged.
    """
    articles = manual(by_rule)
    site = site_from(articles)
    picked, stub = picked_lists(articles, [a.id for a in articles]), np.zeros(N_PAGES, dtype=bool)

    by_text = [
        learn(replace(site, agreement=np.array([0, 0, word])), picked, stub, seed=0).trial["text"]
        for word in (0, 0.9)
    ]

    assert by_text[0] == by_text[1] < 0.9


def test_groups_are_counted_as_any_examples_are():
    """With the fold and the outcome packed into their numbers, as pair by pair."""
    random = np.random.default_rng(2)
    keys = random.integers(-40, 40, 3_000) << 30
    fold, listed = random.integers(0, N_FOLDS, 3_000), random.random(3_000) < 0.2
    slow = cross_fitting.count(keys, fold, listed, np.ones(3_000), dtype=np.float32)

    groups, hits, chances = handpicked_features._counted(keys, fold, listed)

    assert np.array_equal(groups, slow.keys)
    assert np.array_equal(hits, slow.hits)
    assert np.array_equal(chances, slow.expected)
