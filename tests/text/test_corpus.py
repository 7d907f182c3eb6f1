"""What texts, titles, categories and addresses say of a pair, counted by hand."""

from dataclasses import replace

import numpy as np
import pytest
from sites import random_articles, site_from

from recommender.articles.article import Article
from recommender.candidates import EMPTY
from recommender.text.corpus import LATENT, SIGNALS, Corpus, _agreements, signals, text_score
from recommender.text.kernels import differences
from recommender.text.terms import terms

WINDOWS = [
    Article(
        id="class", title="Window class", category="api", tags=("ui", "old"),
        body="A window has a title. Members of the class move it.",
        url="https://example.org/api/window/class",
    ),
    Article(
        id="members", title="Window members", category="api", tags=("ui",),
        body="Move a window. Close a window class.",
        url="https://example.org/api/window/members",
    ),
    Article(
        id="salt", title="Salt", category=None, tags=(),
        body="Bread holds salt. A title is not salty.",
        url=None,
    ),
]  # fmt: skip


def seen(site: Corpus, source: int, item: int) -> dict[str, float]:
    """The signals of one pair, by name."""
    row = signals(site, np.array([source]), np.array([item]))[0]
    return dict(zip(SIGNALS, row.tolist(), strict=True))


def test_two_pages_of_one_folder():
    """Same folder, category and one tag of two; one title word of two is another."""
    pair = seen(site_from(WINDOWS), 0, 1)

    assert pair["same_category"] == pair["same_folder"] == 1
    assert pair["shared_tags"] == 0.5
    assert pair["title_added"] == pair["title_dropped"] == 1
    assert pair["target_title_words"] == 2


def test_what_one_says_of_the_others_title():
    """The one's text has the other's title words, "members" and "window"; nothing of "salt"."""
    site = site_from(WINDOWS)

    assert seen(site, 0, 1)["target_title_in_source"] > 0.5
    assert seen(site, 1, 0)["source_title_in_target"] == seen(site, 0, 1)["target_title_in_source"]
    assert seen(site, 0, 2)["target_title_in_source"] == 0


def test_no_category_and_no_address_are_nothing_in_common():
    """What is missing is not the same as what else is missing."""
    site = site_from([*WINDOWS, Article(id="bread", title="Bread", body="Bread holds salt.")])
    pair = seen(site, 2, 3)

    assert pair["same_category"] == pair["same_folder"] == 0
    assert pair["cosine"] > 0


def test_compiled_loops_say_what_slow_ones_say():
    """Overlaps and differences against matrices and sets."""
    articles = random_articles(60, seed=5)
    site = site_from(articles)
    sources, items = (found.ravel() for found in np.indices((60, 60)))
    texts, titles, subjects = (
        dense(site, weights) for weights in (site.weights, site.title_weights, site.subject_weights)
    )

    found = site.overlaps(sources, items)
    changed = differences(site.term_heads, site.term, sources, items)

    in_text = texts > 0
    slow = [
        texts @ texts.T, titles @ titles.T, in_text @ (titles**2).T, titles**2 @ in_text.T,
        subjects @ subjects.T,
    ]  # fmt: skip
    for column, expected in enumerate(slow):
        assert found[:, column] == pytest.approx(expected.ravel(), abs=1e-5)
    sets = [set(terms(article.title)) for article in articles]
    by_sets: dict[frozenset[str], int] = {}
    for row, (source, item) in enumerate(zip(sources, items, strict=True)):
        added, dropped = sets[item] - sets[source], sets[source] - sets[item]
        assert changed[row, :2].tolist() == [len(added), len(dropped)]
        for terms_of, number in zip((added, dropped), changed[row, 2:], strict=True):
            assert by_sets.setdefault(frozenset(terms_of), number) == number
    assert len(set(by_sets.values())) == len(by_sets)


def dense(site: Corpus, weights: np.ndarray) -> np.ndarray:
    """A matrix of the site, written out."""
    rows = np.repeat(np.arange(site.n_articles), np.diff(site.indptr))
    matrix = np.zeros((site.n_articles, int(site.indices.max()) + 1))
    matrix[rows, site.indices] = weights
    return matrix


def test_text_decides_by_what_is_alike_and_what_editors_gave():
    """The formula, by hand: half of the pages share a category or tags with their neighbours."""
    articles = random_articles(60, seed=5)
    site = replace(
        site_from(articles), agreement=np.array([0.5, 0.25, 0]), freshness=np.linspace(0.5, 1, 60)
    )
    pairs = np.repeat(np.arange(60), 59), np.delete(np.tile(np.arange(60), 60), np.arange(60) * 61)
    found = dict(zip(SIGNALS, signals(site, *pairs).T, strict=True))

    score = text_score(site, signals(site, *pairs), pairs[1])

    alike = found["cosine"] + found["subject"] + LATENT * np.maximum(found["latent_cosine"], 0)
    given = 1 + found["same_category"] / 2 + found["shared_tags"] / 4
    factor = found["fullness"] * site.freshness[pairs[1]]
    assert score == pytest.approx(alike * given * factor, rel=1e-5)
    assert len(np.unique(found["latent_cosine"])) > 100


def test_categories_count_as_far_as_neighbours_by_text_agree():
    """The same for all, or dealt out: nothing; by subject: all."""
    near = np.array([[(row + step) % 10 + row // 10 * 10 for step in range(1, 10)]
                     for row in range(40)])  # fmt: skip
    nothing, none = (np.zeros(41, dtype=np.int64), np.zeros(0, dtype=np.int32)), np.zeros(0, int)

    def of(category: np.ndarray) -> float:
        return float(_agreements(near, category, *nothing, none)[0])

    assert of(np.arange(40) // 10) == 1
    assert of(np.zeros(40, dtype=int)) == 0
    assert of(np.arange(40) % 10) == 0
    assert of(np.full(40, EMPTY)) == 0


def test_tags_count_likewise():
    """A tag of each group of neighbours."""
    near = np.array([[(row + 1) % 10 + row // 10 * 10] for row in range(40)])
    heads, tag = np.arange(41), np.arange(40, dtype=np.int32) // 10

    found = _agreements(near, np.full(40, EMPTY), heads, tag, np.zeros(0, int))

    assert found.tolist() == [0, 1, 0]


def test_lists_agree_as_far_as_their_links_are_neighbours():
    """All of them, none, and half."""
    near = np.array([[(row + 1) % 40, (row + 2) % 40] for row in range(40)])
    bare = np.full(40, EMPTY), np.zeros(41, dtype=np.int64), np.zeros(0, dtype=np.int32)

    def of(*steps: int) -> float:
        listed = np.array([row * 40 + (row + step) % 40 for row in range(40) for step in steps])
        return float(_agreements(near, *bare, np.sort(listed))[2])

    assert of(1, 2) == 1
    assert of(9, 20) == 0
    assert of(1, 20) == pytest.approx((1 / 2 - 2 / 39) / (1 - 2 / 39))
