"""A day or a page that disagrees with the rest of the log weighs less, and honest ones do not."""

from dataclasses import replace

import numpy as np
import pytest
from sites import EVENLY, Shown, log_of, site_from

from recommender.articles.article import Article
from recommender.clicks.influence import Evidence, limited
from recommender.ranking.consistency import (
    FAR_DAY,
    FAR_PAGE,
    TIMES_DAY,
    TIMES_PAGE,
    agreement,
    believed,
    consistent,
    one_vote,
)
from recommender.ranking.time_splits import splits_of
from recommender.store.counts import Log
from recommender.text.corpus import Corpus

# So many pages are read, each beside six targets of its own, of which readers of forty lists follow
# so many: nearly half of them the first.
PAGES, LINKS, VIEWS = 12, 6, 40
TASTE = [8, 4, 2, 1, 1, 1]
N = PAGES * (1 + LINKS)
# Few clicks, and all on the last link: of a single page no more than bad luck.
FORGED = [0, 0, 0, 0, 0, 2]


@pytest.fixture(scope="module")
def site() -> Corpus:
    bodies = (f"word{number} topic{number % 6} text" for number in range(N))
    return site_from([Article(f"a{at}", f"Title {at}", body) for at, body in enumerate(bodies)])


def day_of(day: int, clicks: list[int] = TASTE, *, pages: int = PAGES) -> list[Shown]:
    """What pages sent on a day; those from the first to ``pages`` the clicks given."""
    targets = np.arange(PAGES, N).reshape(PAGES, LINKS).tolist()
    return [
        Shown(page, targets[page], clicks if page < pages else TASTE, views=VIEWS, day=day)
        for page in range(PAGES)
    ]


def weighed(site: Corpus, *days: list[Shown]) -> Evidence:
    """What pages sent on these days, weighed."""
    return compared(site, log_of(*(slate for day in days for slate in day)))


def compared(site: Corpus, log: Log) -> Evidence:
    evidence = limited(log, N)
    return consistent(splits_of(site, None, evidence.weigh(log), EVENLY), evidence)


def of_days(weight: np.ndarray) -> list[list[float]]:
    """The different weights of each day's pages."""
    return [sorted({*day}) for day in weight.reshape(-1, PAGES).round(3).tolist()]


# Measures


def of_day(got: list[float], due: list[float]) -> float:
    (weight,) = agreement(np.array([got]), np.array([due]), far=FAR_DAY, times=TIMES_DAY)
    return float(weight)


def of_page(got: list[float], due: list[float]) -> float:
    (weight,) = agreement(np.array([got]), np.array([due]), far=FAR_PAGE, times=TIMES_PAGE)
    return float(weight)


def test_what_was_expected_counts_whole():
    """However many clicks there are, or none where none was due."""
    assert of_day([80.0, 20.0], [80.0, 20.0]) == of_day([8e5, 2e5], [8e5, 2e5]) == 1
    assert of_day([0.0, 0.0], [0.0, 0.0]) == 1


def test_clicks_on_other_links_count_nothing():
    """As many as were due, nine in ten of them where two in ten were expected."""
    assert of_day([10.0, 90.0], [80.0, 20.0]) == of_page([10.0, 90.0], [80.0, 20.0]) == 0


def test_of_a_few_clicks_any_may_be_chance():
    """One on the less likely link; ten of ten on it are none."""
    assert of_day([0.0, 1.0], [0.6, 0.4]) == 1
    assert of_day([0.0, 10.0], [6.0, 4.0]) == 0


def test_views_that_nobody_follows_count_nothing():
    """Where a hundred clicks were due; where three were it may be chance."""
    assert of_day([0.0, 0.0], [80.0, 20.0]) == of_page([0.0, 0.0], [80.0, 20.0]) == 0
    assert of_day([0.0, 0.0], [2.0, 1.0]) == 1


def test_far_more_clicks_than_due_count_nothing():
    """On the right links: a hundred times as many, where twice as many are believed."""
    assert of_day([8_000.0, 2_000.0], [80.0, 20.0]) == 0
    assert of_day([160.0, 40.0], [80.0, 20.0]) == 1


def test_between_near_and_far_the_weight_falls_evenly():
    """Of a million clicks, where chance is none, 8.5 % went elsewhere: half way from .05 to .12. Or
    there are 2.83 times as many, half way from two to four times in its logarithm. A page may
    differ by as much.
    """
    due = [5e5, 5e5]
    aside, more = [5.85e5, 4.15e5], [5e5 * 2**1.5] * 2

    assert of_day(aside, due) == pytest.approx(0.5, abs=0.02)
    assert of_day(more, due) == pytest.approx(0.5, abs=0.02)
    assert of_page(aside, due) == of_page(more, due) == 1


def test_each_unit_is_measured_by_itself():
    """One row beside another changes nothing."""
    got = np.array([[80.0, 20.0], [10.0, 90.0], [0.0, 1.0]])
    due = np.array([[80.0, 20.0], [80.0, 20.0], [0.6, 0.4]])

    assert agreement(got, due, far=FAR_DAY, times=TIMES_DAY).tolist() == [1, 0, 1]


def test_a_target_is_believed_up_to_some_times_what_chance_allows():
    """A hundred were due, 116 with chance: of 2^.7 times as many each counts; of 2^1.4 times as
    many, a hundred do; between them the share falls. Fewer than due all count.
    """
    free, between, none = (116 * 2**times - 1 for times in (0.7, 1.05, 1.4))
    got = np.array([0.0, 50.0, 100.0, free, between, none, 46_300.0])

    counted = got * believed(got, np.full(7, 100.0))

    half = 100 + (between - 100) / 2
    assert counted == pytest.approx([0, 50, 100, free, half, 100, 100])


# Logs


def test_a_day_that_judges_has_one_vote():
    """Of 100, 100 and 400 views the last weigh a quarter, and so do their clicks; where nothing is
    left to judge by, nothing changes.
    """
    log = log_of(
        *(Shown(0, [1, 2], [8, 4], views, day) for day, views in enumerate((100, 100, 400)))
    )

    found, none = one_vote(log), one_vote(replace(log, n_views=0.0 * log.n_views))

    assert found.n_views.tolist() == [100, 100, 100]
    assert found.n_clicks.tolist() == [8, 4, 8, 4, 2, 1]
    assert none.n_views.tolist() == [0, 0, 0]


def test_readers_of_one_taste_agree(site: Corpus):
    """Two weeks, day by day alike: nothing is taken off."""
    found = weighed(site, *(day_of(day) for day in range(14)))

    assert found.weight.tolist() == [1] * 14 * PAGES
    assert found.target.tolist() == [1] * len(found.target)


def test_chance_takes_little_off(site: Corpus):
    """Readers who decide each for themselves."""
    random = np.random.default_rng(3)
    chances = np.array(TASTE) / VIEWS

    days = [day_of(day) for day in range(14)]
    for day in days:
        for slate in day:
            slate.clicks = random.binomial(VIEWS, chances).tolist()

    assert weighed(site, *days).weight.mean() > 0.97


def test_a_day_of_clicks_on_last_links_counts_nothing(site: Corpus):
    """Two on each page, which of one page is hardly more than chance; the days beside it count
    whole.
    """
    days = [day_of(day) for day in range(14)]
    days[9] = day_of(9, FORGED)

    found = weighed(site, *days)

    assert of_days(found.day) == [[1]] * 9 + [[0]] + [[1]] * 4
    assert found.page.min() > 0.7


def test_a_flood_on_one_page_costs_the_others_nothing(site: Corpus):
    """Its own day of that page counts nothing; the others' day does, and its days before."""
    days = [day_of(day) for day in range(14)]
    days[9] = day_of(9, [0, 0, 0, 0, 0, 16], pages=1)

    found = weighed(site, *days)

    flooded = (found.keys // N == 9) & (found.keys % N == 0)
    assert found.page[flooded].tolist() == [0]
    assert found.weight[~flooded].tolist() == [1] * (14 * PAGES - 1)


def test_forgeries_of_a_week_do_not_speak_for_each_other(site: Corpus):
    """Five days in a row of five weeks: each is found, and no other."""
    forged = range(14, 19)

    found = weighed(site, *(day_of(day, FORGED if day in forged else TASTE) for day in range(35)))

    assert of_days(found.weight) == [[0] if day in forged else [1] for day in range(35)]


@pytest.mark.parametrize("pages", [1, 6])
def test_a_target_beside_many_pages_is_followed_no_more_than_expected(site: Corpus, pages: int):
    """The third link of all pages, of which 2 clicks a day and page were due, gets 14 on one day.
    Beside six pages it counts as due where it is not asked for the largest of them, 22 of 82; one
    page may like it, and all counts.
    """
    target = PAGES + 2
    days = [day_of(day) for day in range(14)]
    days[9] = day_of(9, [8, 4, 14, 1, 1, 1], pages=pages)
    for slate in (slate for day in days for slate in day):
        slate.items = [target if at == 2 else item for at, item in enumerate(slate.items)]

    found = weighed(site, *days)

    low = np.flatnonzero(found.target < 1)
    assert found.weight.tolist() == [1] * 14 * PAGES
    if pages == 1:
        assert len(low) == 0
    else:
        assert [divmod(key, N) for key in found.target_keys[low].tolist()] == [(9, target)]
        assert found.target[low] == pytest.approx(22 / 82, abs=0.05)


def test_what_is_imported_is_never_compared(site: Corpus):
    """Even if a day disagrees with all others; of a log without live rows nothing is weighed."""
    slates = [slate for day in range(14) for slate in day_of(day, FORGED if day == 9 else TASTE)]
    live = np.arange(14 * PAGES) // PAGES != 9
    log = log_of(*slates)

    mixed = compared(site, replace(log, view_live=live, click_live=np.repeat(live, LINKS)))
    none = np.zeros_like(live)
    imported = replace(log, view_live=none, click_live=np.repeat(none, LINKS))

    assert mixed.weight.tolist() == [1] * 13 * PAGES
    evidence = limited(imported, N)
    assert consistent(splits_of(site, None, imported, EVENLY), evidence) is evidence
