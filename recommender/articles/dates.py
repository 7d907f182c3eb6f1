"""When articles were published, as numbers, and which of the dates given cannot be right.

The date of an article is ``published_at``, else ``updated_at``. A day later than tomorrow is a slip
(2206 for 2026), and 1970-01-01 is what an empty field becomes: neither is known then. A date before
the web is believed, since archives have such, and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from recommender.articles.article import Article, parse_timestamp

DAY_SECONDS = 86_400
# Clocks and time zones differ by less.
TOLERATED_DAYS = 1.0
NO_DATE = "1970-01-01"
# The first web page is of August 1991.
FIRST_YEAR = 1991


@dataclass(frozen=True, slots=True, eq=False)
class Dates:
    """Of each article the ``day`` it was published, counted from 1970-01-01, UTC, with its part of
    the day, ``(n_articles,)``, NaN where unknown. The rows of articles with a date in the
    ``future``, one that stands for none (``empty``), and one ``before_web``.
    """

    day: np.ndarray
    future: np.ndarray
    empty: np.ndarray
    before_web: np.ndarray


@dataclass(frozen=True, slots=True)
class DateCounts:
    """What was made of the dates of the articles that have a page: ``n_dated`` have one,
    ``median_age`` days old in the middle (None without any), ``n_undated`` none that is known;
    ``n_future``, ``n_empty`` and ``n_before_web`` as in ``Dates``. Of those published more than
    ``oldest_days`` ago (0: any age is fine) ``n_too_old`` are recommended beside nothing.
    ``ageing`` are the categories in which a newer article is preferred strongly, with ``n_ageing``
    articles; ``no_category`` those of them that no article is in.
    """

    n_dated: int = 0
    n_undated: int = 0
    median_age: float | None = None
    n_future: int = 0
    n_empty: int = 0
    n_before_web: int = 0
    oldest_days: int = 0
    n_too_old: int = 0
    ageing: tuple[str, ...] = ()
    n_ageing: int = 0
    no_category: tuple[str, ...] = ()


def is_moment(text: str) -> bool:
    """Whether it is a time as a manifest has it: ISO 8601, of a known time zone."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def day_number(moment: datetime) -> float:
    """Days since 1970-01-01, UTC."""
    return moment.timestamp() / DAY_SECONDS


def day_given(text: str | None) -> float:
    """The day a date names, NaN for none and for 1970-01-01, however its zone is written."""
    if not text or text.startswith(NO_DATE):
        return np.nan
    day = day_number(parse_timestamp(text))
    return np.nan if day == 0 else day


def day_of(article: Article, latest: float = np.inf) -> float:
    """The day an article was published, NaN if unknown; days after ``latest`` are not known."""
    given = (day_given(article.published_at), day_given(article.updated_at))
    return next((day for day in given if day <= latest), np.nan)


def dates_of(articles: Sequence[Article], now: datetime) -> Dates:
    """The dates of articles as they are to be read at ``now``."""
    latest = day_number(now) + TOLERATED_DAYS
    given = [(article.published_at, article.updated_at) for article in articles]
    days = np.array([list(map(day_given, pair)) for pair in given], dtype=np.float64).reshape(-1, 2)
    wanting = np.array([list(map(bool, pair)) for pair in given], dtype=bool).reshape(-1, 2)
    day = np.array([day_of(article, latest) for article in articles], dtype=np.float64)
    first_day = day_number(datetime.fromisoformat(f"{FIRST_YEAR}-01-01T00:00:00+00:00"))
    return Dates(
        day=day,
        future=np.flatnonzero((days > latest).any(axis=1)),
        empty=np.flatnonzero((wanting & np.isnan(days)).any(axis=1)),
        before_web=np.flatnonzero(day < first_day),
    )


def counts_of(
    articles: Sequence[Article],
    dates: Dates,
    now: datetime,
    *,
    oldest_days: int,
    n_too_old: int,
    ageing: Sequence[str],
) -> DateCounts:
    """The account of what ``dates`` of ``articles`` were good for at ``now``."""
    real = np.array([not article.stub for article in articles], dtype=bool)
    known = dates.day[real & ~np.isnan(dates.day)]
    categories = [article.category for article in articles if not article.stub]
    return DateCounts(
        n_dated=len(known),
        n_undated=int(real.sum()) - len(known),
        median_age=round(day_number(now) - float(np.median(known)), 3) if len(known) else None,
        n_future=len(dates.future),
        n_empty=len(dates.empty),
        n_before_web=len(dates.before_web),
        oldest_days=oldest_days,
        n_too_old=n_too_old,
        ageing=tuple(ageing),
        n_ageing=sum(category in ageing for category in categories),
        no_category=tuple(name for name in ageing if name not in categories),
    )
