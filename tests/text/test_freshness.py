"""What being new is worth before anybody has read an article."""

import numpy as np
import pytest
from sites import site_from

from recommender.articles.article import Article
from recommender.text.corpus import signals, text_score
from recommender.text.freshness import LEAST, LEAST_AGEING, YEAR, freshness, undated_as_median

NOW = 20_779.0


def test_half_of_what_age_takes_is_taken_in_a_half_life():
    """By hand: 1 today, half of the way to the least after five years, three quarters after ten."""
    days = NOW - np.array([0, 5, 10, 1000]) * YEAR

    assert freshness(days, NOW) == pytest.approx([1, 0.8, 0.7, LEAST])


def test_sections_that_age_do_so_in_a_year():
    """Beside others, which do in five."""
    days = np.full(2, NOW - YEAR)

    found = freshness(days, NOW, np.array([True, False]))

    assert found == pytest.approx([(1 + LEAST_AGEING) / 2, 0.6 + 0.4 * 2**-0.2])


def test_the_undated_stand_in_the_middle():
    """As the median of the dated; without a date anywhere nothing is known and all are alike."""
    days = np.array([NOW, np.nan, NOW - 2 * YEAR, NOW - 20 * YEAR])

    found = freshness(days, NOW)

    assert found[1] == found[2]
    assert freshness(np.full(3, np.nan), NOW).tolist() == [1, 1, 1]
    assert undated_as_median(days)[1] == days[2]


def test_what_is_to_be_published_tomorrow_is_not_newer_than_new():
    """A clock that is ahead wins nothing."""
    assert freshness(np.array([NOW + 1]), NOW).tolist() == [1]


def test_of_articles_alike_the_newer_scores_higher():
    """And an old one of a much better text higher than either."""
    texts = {"page": "knee joint stairs", "old": "knee joint pain", "new": "knee joint pain"}
    articles = [Article(id, id, body) for id, body in {**texts, "best": texts["page"]}.items()]
    days = np.array([NOW, NOW - 9 * YEAR, NOW, NOW - 9 * YEAR])
    pairs = np.zeros(3, dtype=np.int64), np.arange(1, 4)
    site = site_from(articles, published=days, now=NOW)

    old, new, best = text_score(site, signals(site, *pairs), pairs[1])

    assert old < new < best
