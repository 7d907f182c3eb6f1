"""This year's fair and that of 2019 are editions of one thing; two overviews are not."""

import numpy as np
import pytest
from sites import random_articles, site_from

from recommender.articles.article import Article
from recommender.lists import editions
from recommender.lists.editions import EDITION, newest_editions

FAIR = "christmas fair stalls music tickets in the town hall"
ALL = np.ones(5, dtype=bool)


def test_the_newest_edition_is_found():
    """The undated are older than any dated; what may not be listed is nobody's newest."""
    bodies = ["choir and bells", *[f"{FAIR} {year}" for year in range(3)], "garlic"]
    site = site_from(
        [Article(f"{at}", body.split()[0], body) for at, body in enumerate(bodies)],
        published=np.array([9, 1, 3, np.nan, 2]),
    )
    same = np.array([0, 1, 1, 1, 4])

    assert newest_editions(site, same, ALL).tolist() == [0, 2, 2, 2, 4]
    assert newest_editions(site, same, ALL & (np.arange(5) != 2)).tolist() == [0, 1, 2, 1, 4]


def test_namesakes_about_something_else_are_no_editions():
    """Where titles are as general as "Overview"."""
    topics = ("knee", "tax", "knee", "salt", "oil")
    bodies = [" ".join(f"{topic}{word}" for word in range(40)) for topic in topics]
    site = site_from(
        [Article(f"{at}", "Overview", body) for at, body in enumerate(bodies)],
        published=np.arange(5.0),
    )

    found = newest_editions(site, np.zeros(5, dtype=int), ALL)

    assert found.tolist() == [2, 1, 2, 3, 4]


def test_of_one_day_and_without_dates_none_is_newer():
    """Then the best-scored stays, as if there were no dates."""
    articles = [Article(f"{at}", f"t{at}", "knee joint") for at in range(5)]
    for days in (np.full(5, np.nan), np.full(5, 7.0)):
        site = site_from(articles, published=days)
        assert newest_editions(site, np.zeros(5, dtype=int), ALL).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("seed", range(4))
def test_slow_and_fast_agree(seed: int, monkeypatch: pytest.MonkeyPatch):
    """The newest of those that are alike, among the newest few of each group."""
    monkeypatch.setattr(editions, "N_NEWEST", 3)
    random = np.random.default_rng(seed)
    n = 60
    day = np.where(random.random(n) < 0.2, np.nan, random.integers(0, 30, n).astype(float))
    site = site_from(random_articles(n, seed=seed), published=day)
    same, listed = random.integers(0, 9, n), random.random(n) < 0.8

    found = newest_editions(site, same, listed)

    for row in range(n):
        heirs = [
            at for at in range(n) if same[at] == same[row] and listed[at] and day[at] == day[at]
        ]
        heirs = sorted(heirs, key=lambda at: (-day[at], at))[:3]
        alike = [
            at for at in heirs
            if not day[row] >= day[at]
            and site.cosine(np.array([row]), np.array([at]))[0] >= EDITION
        ]  # fmt: skip
        assert found[row] == (alike[0] if alike else row)
