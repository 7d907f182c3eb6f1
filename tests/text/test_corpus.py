"""What texts, titles, categories and addresses say of a pair, counted by hand."""

import numpy as np
import pytest
from sites import random_articles, site_from

from recommender.articles.article import Article
from recommender.text.corpus import SIGNALS, Corpus, signals, text_score
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
    texts, titles = (dense(site, weights) for weights in (site.weights, site.title_weights))

    found = site.overlaps(sources, items)
    changed = differences(site.term_heads, site.term, sources, items)

    in_text = texts > 0
    slow = [texts @ texts.T, titles @ titles.T, in_text @ (titles**2).T, titles**2 @ in_text.T]
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


def test_text_decides_by_likeness_category_and_fullness():
    """The formula, by hand."""
    site = site_from(WINDOWS)
    pairs = np.array([0, 0]), np.array([1, 2])

    score = text_score(signals(site, *pairs), site.freshness[pairs[1]])

    cosine = site.cosine(*pairs)
    assert score == pytest.approx(cosine * [1.5, 1.0] * site.fullness[[1, 2]], rel=1e-5)
