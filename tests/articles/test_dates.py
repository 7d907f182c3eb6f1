"""Dates as numbers, and those that cannot be right."""

from datetime import UTC, datetime

import numpy as np
import pytest

from recommender.articles.article import Article
from recommender.articles.dates import dates_of, day_given, day_of

NOW = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)


def dated(published: str | None, updated: str | None = None) -> Article:
    return Article("a", "A", published_at=published, updated_at=updated)


def test_days_count_from_1970():
    """With their part of the day; a date without a time is its first moment, in UTC."""
    assert day_given("1970-01-03") == 2
    assert day_given("1970-01-03T12:00:00Z") == 2.5
    assert day_given("1970-01-03T02:00:00+02:00") == 2


@pytest.mark.parametrize(
    "text",
    [None, "", "1970-01-01", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00+01:00",
     "1969-12-31T19:00:00-05:00"],
)  # fmt: skip
def test_the_first_second_of_1970_is_no_date(text: str | None):
    """It is what an empty field becomes, in whatever zone it is written."""
    assert np.isnan(day_given(text))


def test_the_day_of_publication_comes_before_that_of_a_change():
    """Only without the first, or if it cannot be right, does the second count."""
    assert day_of(dated("1970-01-03", "1970-01-09")) == 2
    assert day_of(dated(None, "1970-01-09")) == 8
    assert day_of(dated("1970-01-01", "1970-01-09")) == 8
    assert day_of(dated("2206-01-01", "1970-01-09"), latest=20_000) == 8
    assert np.isnan(day_of(dated("2206-01-01"), latest=20_000))
    assert np.isnan(day_of(dated(None)))


def test_dates_that_cannot_be_right_are_named():
    """A slip of the future and an empty field are not known; before the web is, and is counted."""
    written = ("2206-11-20", "2026-11-22", "2026-11-23T09:00:00Z", "1970-01-01", "1950-05-05", None)

    found = dates_of([dated(text) for text in written], NOW)

    assert np.isnan(found.day).tolist() == [True, False, False, True, False, True]
    assert found.future.tolist() == [0]
    assert found.empty.tolist() == [3]
    assert found.before_web.tolist() == [4]


def test_a_site_without_articles_has_no_dates():
    """As a store that nothing was imported into."""
    assert dates_of([], NOW).day.tolist() == []
