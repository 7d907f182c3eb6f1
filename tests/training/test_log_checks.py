"""Each check passes on a log that is fit, and fails, with an example, on one that is not."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import gardens
import pytest
from sent import NOON, followed, record, shown
from sites import click, stored, view

from recommender.articles.article import Article, stub_for
from recommender.articles.reader import read_articles
from recommender.bundle.registry import Sent
from recommender.demo.readers import PAGES
from recommender.events.event import Event
from recommender.events.reader import EventReader
from recommender.store.database import Store
from recommender.store.import_events import import_events
from recommender.training.log_checks import Check, validate

IDS = [f"a{number}" for number in range(12)]
SITE = [Article(id, f"Title {id}", body=f"Text of {id}.") for id in IDS]
DAY = 86_400_000


def asked(articles: Iterable[Article], events: Iterable[Event]) -> dict[str, Check]:
    """The checks of a site, by name, a day after its last event."""
    with Store("sqlite://") as store:
        stored(store, articles, events)
        return {check.name: check for check in validate(store, now_ms=100 * DAY)}


def views(n: int, *, every: int, place: int = 0, first_day: float = 0) -> list[Event]:
    """Views of one list, of which each ``every``-th is followed at ``place``."""
    events: list[Event] = []
    for number in range(n):
        day = first_day + number / n
        events.append(view(f"v{first_day}-{number}", "a0", *IDS[1:6], day=day))
        if number % every == 0:
            events.append(click(f"v{first_day}-{number}", IDS[1 + place], day=day))
    return events


@pytest.mark.slow
def test_the_sample_site_is_fit(sample: Path):
    """Its readers and their randomised views are what the checks ask for."""
    with Store("sqlite://") as store:
        store.apply(read_articles([PAGES]))
        import_events(store, EventReader([sample / "events.jsonl"]))

        found = validate(store, now_ms=10**13)

    assert [check.name for check in found if not check.passed] == []
    assert len(found) == 22


def test_a_day_beyond_what_is_usual_is_named():
    """Five days bring 100 views, by import; pages send 2,000 on the sixth, of which 400 count."""
    with Store("sqlite://") as store:
        stored(
            store,
            SITE,
            [event for day in range(5) for event in views(100, every=10, first_day=day)],
        )
        key = store.keys_of(["a0", *IDS[1:6]])
        sent = [
            shown(f"p{at}", *key[1:], source=key[0], ts=6 * DAY + at) for at in range(2_000)
        ] + [followed(f"p{at}", key[1], ts=6 * DAY + 60_000 + at) for at in range(0, 2_000, 200)]
        record(store, *sent)
        found = {check.name: check for check in validate(store, now_ms=100 * DAY)}

    check = found["no day brings far more than is usual"]
    assert not check.passed
    assert check.summary.startswith("1,600 of 2,000 views and 8 of 10 clicks that pages sent are")
    assert check.examples == ["1970-01-07: 20% of the views count"]


def test_layouts_that_strangers_made_up_are_counted():
    """A site has a few; here anybody sent a hundred."""
    events = [view(f"v{at}", "a0", "a1", layout=f"made up {at}") for at in range(100)]

    check = asked(SITE, events)["layouts are few"]

    assert not check.passed
    assert "50 layouts are beyond the 50" in check.summary


def test_clicks_on_what_only_requests_brought_are_named():
    """Three of four are, and nothing is learned from them."""
    with Store("sqlite://") as store:
        stored(store, SITE)
        a, b, c = store.keys_of(IDS[:3])
        for at in range(4):
            record(
                store,
                shown(f"p{at}", b, c, source=a, brought=(False, True)),
                followed(f"p{at}", c if at else b, ts=NOON + 5_000),
            )
        found = {check.name: check for check in validate(store, now_ms=NOON + DAY)}

    check = found["clicks are on links that every reader is shown"]
    assert not check.passed
    assert check.summary.startswith(
        "3 of 4 clicks that pages sent are on links that only a request"
    )


@pytest.mark.parametrize(("left", "passed"), [(10.0, True), (30.0, False)])
def test_disagreement_at_the_last_training_is_named(left: float, passed: bool):
    """As the live bundle has it, with the days."""
    sent = Sent(100, 9, 0.0, 0.0, 0.0, 0.0, 0.0, left, 2.0, 0, 50.0, None, {"2026-11-20": 0.5})
    with Store("sqlite://") as store:
        stored(store, SITE)
        found = {check.name: check for check in validate(store, now_ms=100 * DAY, sent=sent)}

    check = found["what pages send agrees with the rest of the log"]
    assert check.passed == passed
    assert check.examples == ["2026-11-20"]


def test_an_empty_store_passes_what_it_can():
    """There is nothing wrong with what is not there, only too little of it."""
    found = asked([], [])

    assert {name for name, check in found.items() if not check.passed} == {
        "articles", "enough clicks", "views without clicks are there", "enough randomised views",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "articles", "events", "example"),
    [
        ("articles have a text", [Article("a", "A"), *SITE[:2]], [], "a"),
        (
            "articles have titles of their own",
            [replace(article, title="Our site") for article in SITE],
            [],
            "Our site",
        ),
        (
            "hand-picked links lead to pages",
            [Article("a", "A", body="x", recommended=(stub_for("Gone").id,)), stub_for("Gone")],
            [],
            "a: Gone",
        ),
        (
            "articles are in the language they say",
            [replace(article, language="en") for article in gardens.site()],
            [],
            "de-0: says en, is de",
        ),
        ("views without clicks are there", SITE, views(300, every=1), None),
        (
            "click rate by position is plausible",
            SITE,
            [*views(300, every=3, place=4), *views(300, every=30, first_day=1)],
            "position 5: 16.67%",
        ),
        ("click rate by position is plausible", SITE, views(300, every=2), "position 1: 50.00%"),
        ("enough randomised views", SITE, views(300, every=2), None),
        ("no link draws all clicks", SITE, views(1200, every=2), "a0 to a1"),
        (
            "the last week is like those before",
            SITE,
            [*views(300, every=3), *views(300, every=30, first_day=20)],
            None,
        ),
        ("clicks have their views", SITE, [click("v1", "a1")], "view v1"),
        (
            "clicks are on links that were shown",
            SITE,
            [view("v1", "a0", "a1"), click("v1", "a2")],
            "view v1: a2",
        ),
    ],
)
def test_a_check_fails_on_what_it_is_for(
    name: str, articles: list[Article], events: list[Event], example: str | None
):
    """And shows where to look."""
    check = asked(articles, events)[name]

    assert not check.passed
    assert example is None or example in check.examples


def test_what_waits_for_its_other_half_is_not_missed_yet():
    """A click's view may still be on its way; after half an hour it is not."""
    with Store("sqlite://") as store:
        stored(store, SITE, [click("v1", "a1", day=1)])

        found = [
            {check.name: check for check in validate(store, now_ms=DAY + minutes * 60_000)}
            for minutes in (29, 31)
        ]

    assert [checks["clicks have their views"].passed for checks in found] == [True, False]


def test_dates_that_cannot_be_right_are_named():
    """One slip of forty is borne, four are not; what is older than the web is only counted."""
    dates = ["1970-01-05", "1960-01-01", *["1970-02-01"] * 38]
    articles = [Article(f"a{at:02}", f"T{at}", published_at=day) for at, day in enumerate(dates)]
    slips = [
        Article(f"b{at}", f"B{at}", published_at=day)
        for at, day in enumerate(("2206-11-20", "1970-01-01", "2206-01-01", "1970-01-01T00:00:00Z"))
    ]

    few = asked([*articles, slips[0]], [])["dates can be right"]
    many = asked([*articles, *slips], [])["dates can be right"]

    assert few.passed
    assert few.examples == ["b0: 2206-11-20"]
    assert not many.passed
    assert "2 of 44 dated articles are of later than tomorrow, 2 of 1970-01-01" in many.summary
    assert "40 are of before 1991" in many.summary
