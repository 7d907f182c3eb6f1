"""On a site of news the newer articles of a subject come first, and nothing but the subject.

Twelve articles a year on each of six subjects, for six years; every article is as much about its
subject as any other, and the words it takes of it are drawn. What is relevant is the subject.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sites import NOW, built

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.training.pipeline import Options

SUBJECTS, YEARS, A_YEAR = 6, 6, 8
WORDS_OF_SUBJECT, WORDS_OF_ARTICLE = 24, 12


def news(*, dated: bool = True, seed: int = 0) -> list[Article]:
    """The articles, of which ``id`` tells the subject and the age in months."""
    random = np.random.default_rng(seed)
    articles = []
    for subject in range(SUBJECTS):
        words = [f"s{subject}w{word}" for word in range(WORDS_OF_SUBJECT)]
        for number in range(YEARS * A_YEAR):
            months = number * 12 // A_YEAR
            own = random.permutation(words)[:WORDS_OF_ARTICLE]
            day = NOW - timedelta(days=30.4 * months + 1)
            articles.append(
                Article(
                    f"{subject}-{months:02}-{number:02}",
                    f"{own[0]} {own[1]} number{number}",
                    " ".join(random.choice(own, 60)),
                    category=f"desk {subject % 2}",
                    published_at=day.isoformat() if dated else None,
                )
            )
    return articles


def subject_of(id: str) -> str:
    return id[0]


def months_of(id: str) -> int:
    return int(id.split("-")[1])


def listed(bundle: Bundle, k: int = 5) -> dict[str, list[str]]:
    """The first links of the articles of the last year."""
    new = [article.id for article in news() if months_of(article.id) < 12]
    return {id: [link.id for link in bundle.related(id, k=k)] for id in new}


def precision(lists: dict[str, list[str]]) -> float:
    return float(np.mean([subject_of(i) == subject_of(id) for id in lists for i in lists[id]]))


def median_months(lists: dict[str, list[str]]) -> float:
    return float(np.median([months_of(i) for id in lists for i in lists[id]]))


@pytest.fixture(scope="module")
def undated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Lists of the same articles when nobody knows how old they are."""
    return listed(built(tmp_path_factory.mktemp("undated"), news(dated=False)))


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return listed(built(tmp_path_factory.mktemp("dated"), news()))


def test_newer_articles_come_first_and_the_subject_stays(
    undated: dict[str, list[str]], dated: dict[str, list[str]]
):
    """The median link is a quarter younger, and of the subject as before."""
    assert precision(dated) == precision(undated) == 1
    assert median_months(dated) < 0.75 * median_months(undated)


def test_in_sections_that_age_they_do_so_by_far(tmp_path: Path, dated: dict[str, list[str]]):
    """In those, and hardly in the others."""
    lists = listed(built(tmp_path, news(), options=Options(ageing=("desk 0",))))
    ageing = {id: links for id, links in lists.items() if int(subject_of(id)) % 2 == 0}
    others = {id: links for id, links in lists.items() if id not in ageing}

    assert precision(lists) == 1
    assert median_months(ageing) < 12
    assert others == {id: dated[id] for id in others}


def test_what_is_too_old_is_in_no_list(tmp_path: Path):
    """Not for want of others either; the oldest page has a list of the newer ones."""
    bundle = built(tmp_path, news(), options=Options(oldest_days=730))

    lists = {article.id: [link.id for link in bundle.related(article.id)] for article in news()}

    assert all(months_of(link) <= 24 for links in lists.values() for link in links)
    assert all(len(links) == 10 for links in lists.values())
    assert precision(lists) == 1
    assert bundle.about.dates.n_too_old == sum(months_of(id) >= 24 for id in lists)
    assert "are recommended beside nothing (RECOMMENDER_OLDEST_DAYS)" in bundle.card


def test_a_site_that_is_all_too_old_still_has_lists(tmp_path: Path):
    """Of its newest articles."""
    old = [article for article in news() if months_of(article.id) > 60]

    bundle = built(tmp_path, old, options=Options(oldest_days=100))

    assert all(bundle.related(article.id) for article in old)


def test_this_years_fair_stands_in_the_list(tmp_path: Path):
    """Not that of 2019, whose text is more like the page's; nor does one stand beside the other."""
    text = "Stalls, music and mulled wine at the Christmas fair in the town hall; tickets there."
    articles = [
        Article("fair-2019", "Christmas fair in the town hall", f"{text} 2019 choir, stalls",
                published_at="2019-11-20"),
        Article("fair-2026", "Christmas fair in the town hall", f"{text} This year again.",
                published_at="2026-11-20"),
        Article("choir", "The choir sings", "The choir sings between stalls of the Christmas fair.",
                published_at="2026-11-21"),
        *news()[:5],
    ]  # fmt: skip

    bundle = built(tmp_path, articles)

    assert bundle.related("choir")[0].id == "fair-2026"
    for page in ("choir", "fair-2026", "fair-2019"):
        assert not {"fair-2019", "fair-2026"} <= {page, *(link.id for link in bundle.related(page))}


def test_the_card_says_what_dates_were_good_for(tmp_path: Path):
    """How many there are, how old, what that is worth, and which are not believed."""
    slips = [
        Article("slip", "Slip", "s0w1 s0w2", published_at="2206-11-20"),
        Article("empty", "Empty", "s0w3 s0w4", published_at="1970-01-01"),
        Article("archive", "Archive", "s0w5 s0w6", published_at="1950-05-05"),
    ]

    bundle = built(tmp_path, [*news(), *slips], options=Options(ageing=("desk 1", "none")))

    about, card = bundle.about.dates, bundle.card
    n = SUBJECTS * YEARS * A_YEAR
    assert (about.n_dated, about.n_undated) == (n + 1, 2)
    assert (about.n_future, about.n_empty, about.n_before_web) == (1, 1, 1)
    assert about.no_category == ("none",)
    assert about.n_ageing == n // 2
    assert f"{n + 1} of {n + 3} articles are dated" in card
    assert "the median age is 3.0 years" in card
    assert "No article is in none, which is set to be ageing." in card
    assert "Dates later than the day after the build, not believed: 1." in card
    assert "Dates that stand for none (1970-01-01), not believed: 1." in card
    assert "Dates before 1991, believed: 1." in card


def test_dates_are_read_at_the_time_of_the_build(tmp_path: Path):
    """The same input and time make the same bytes, whatever the clock says."""
    one, other = built(tmp_path / "one", news()), built(tmp_path / "other", news())

    assert datetime.now(UTC) != NOW
    assert one.name == other.name
    assert one.about.files == other.about.files
