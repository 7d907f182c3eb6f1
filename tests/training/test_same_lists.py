"""A list keeps its key as long as nothing it is made of changes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sites import basis_of, site_from

from recommender.articles.article import Article
from recommender.candidates import EMPTY, Candidates
from recommender.lists.eligibility import Eligibility, Language, Languages
from recommender.lists.rerank import Screen
from recommender.training.kept import prints_of
from recommender.training.pipeline import picked_lists
from recommender.training.same_lists import KeptLists, keys_of, known_lists

N = 40
# The page that changes, one beside which it stands, and one that has nothing to do with it.
PAGE, BESIDE, FAR = 0, 1, 30
LANGUAGES = Languages(known=(Language("en", N), Language("de", 0)))


def pages() -> list[Article]:
    """Two subjects that share no word, twenty pages each."""
    return [
        Article(
            f"a{number:02}",
            f"title{number % 2 if number < 20 else 7} of {subject}",
            " ".join(f"{subject}{(number + step) % 9}" for step in range(6)),
            category=subject,
            language="en",
        )
        for number in range(N)
        for subject in ["knee" if number < 20 else "bread"]
    ]


def keys(articles: list[Article], **changed: Any) -> np.ndarray:
    """Keys of lists by text, of a site that stands but for what is ``changed`` of its screen."""
    site = site_from(articles, k=12)
    picked = picked_lists(articles, [article.id for article in articles])
    near = Candidates(site.near, np.where(site.near == EMPTY, -np.inf, site.near_cosine))
    basis = basis_of(site, near, picked)
    n = np.arange(len(articles))
    standing = {
        "latent": changed.pop("latent", np.zeros((len(articles), 1), dtype=np.float32)),
        "fullness": changed.pop("fullness", np.ones(len(articles), dtype=np.float32)),
        "agreement": changed.pop("agreement", np.zeros(3, dtype=np.float32)),
    }
    site = replace(site, **standing)
    basis = replace(basis, corpus=site, following=changed.pop("following", basis.following))
    nobody = np.zeros(len(articles), dtype=bool)
    screen = Screen(
        site, None, Eligibility(nobody.astype(int), nobody, LANGUAGES), nobody, n, n,
        basis.following, next_first=True, floor=0.1,
    )  # fmt: skip
    return keys_of(basis, replace(screen, **changed), articles, *prints_of(articles))


def with_page(**fields: Any) -> list[Article]:
    found = pages()
    return [replace(found[PAGE], **fields), *found[1:]]


@pytest.fixture(scope="module")
def before() -> np.ndarray:
    return keys(pages())


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "title9 of knee"},
        {"body": "knee1 knee2 knee3 knee8"},
        {"teaser": "Why knees click"},
        {"category": "joints"},
        {"tags": ("pain",)},
        {"language": "de"},
        {"id": "a00b"},
    ],
)
def test_what_a_page_is_counts_for_it_and_where_it_may_stand(
    before: np.ndarray, fields: dict[str, Any]
):
    """And for nothing else on the site."""
    same = keys(with_page(**fields)) == before

    assert not same[PAGE]
    assert not same[BESIDE]
    assert same[FAR]


def one(value: Any, dtype: Any = None) -> np.ndarray:
    """As of nothing, but for the page that changes."""
    found = np.arange(N) if dtype is None else np.zeros(N, dtype=dtype)
    found[PAGE] = value
    return found


@pytest.mark.parametrize(
    "changed",
    [
        {"latent": one(0.5, np.float32)[:, None]},
        {"fullness": one(0.5, np.float32) + 1},
        {"stub": one(True, bool)},
        {"eligible": Eligibility(np.zeros(N, int), one(True, bool), LANGUAGES)},
        {"eligible": Eligibility(one(1, int), np.zeros(N, bool), LANGUAGES)},
        {"same": one(2)},
        {"newest": one(2)},
    ],
)
def test_what_the_site_makes_of_a_page_counts_likewise(before: np.ndarray, changed: dict[str, Any]):
    """Topics, fullness, language, copies and editions."""
    same = keys(pages(), **changed) == before

    assert not same[PAGE]
    assert not same[BESIDE]
    assert same[FAR]


@pytest.mark.parametrize(
    "changed",
    [
        {"agreement": np.array([0.1, 0, 0], dtype=np.float32)},
        {"floor": 0.11},
        {"next_first": False},
        {"sure": 0.5},
    ],
)
def test_what_is_of_the_site_counts_everywhere(before: np.ndarray, changed: dict[str, Any]):
    """How far categories agree with texts, the floor, who leads."""
    assert not (keys(pages(), **changed) == before).any()


def test_what_editors_and_series_put_there_counts_for_that_page(before: np.ndarray):
    """A pinned list, the next part."""
    listed = keys(with_page(recommended=("a30",)))
    following = np.full(N, EMPTY)
    following[PAGE] = BESIDE
    led = keys(pages(), following=following)

    for same in (listed == before, led == before):
        assert not same[PAGE]
        assert same[1:].all()


def test_lists_are_found_again_under_other_rows():
    """With the rows of now, where the key is the same; what is gone is gone."""
    ids, keys = np.array([30, 10, 20], dtype=np.uint64), np.array([3, 1, 2])
    items = np.array([[1, 2], [0, EMPTY], [1, 0]], dtype=np.int32)
    scores = np.array([[0.5, 0.4], [0.3, -np.inf], [0.2, 0.1]], dtype=np.float32)
    kept = KeptLists(ids, keys, items, scores)

    found = known_lists(kept, np.array([5, 10, 20, 30], dtype=np.uint64), np.array([9, 1, 7, 3]))

    assert found is not None
    listed = dict(zip(found.sources.tolist(), found.items.tolist(), strict=True))
    assert listed == {3: [1, 2], 1: [3, EMPTY]}
    assert found.scores.tolist() == scores[:2].tolist()
    assert known_lists(None, ids, keys) is None
