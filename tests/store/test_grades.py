"""Grades in the store: the latest of each judge, whatever becomes of articles and events."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sites import click, stored, view

from recommender.articles.article import Article
from recommender.events.event import PageView
from recommender.store import grades, schema
from recommender.store.counts import readings_of_pages
from recommender.store.database import Store
from recommender.store.grades import Draw, DrawnPage, Grade, Written
from recommender.store.retention import forget_before, forget_session

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_grade_comes_back_as_it_went_in(store: Store):
    """Ids of paths and scripts, a note of several lines, a time to the millisecond."""
    moment = NOON + timedelta(milliseconds=7)
    given = Grade("../a/b?c=1", "膝盖", 3, "Åsa Öberg", moment, 'says "yes";\n=1+1')

    written = grades.write(store, [given])

    assert grades.read(store) == [given]
    assert written == Written(new=1)


def test_a_judge_has_one_grade_of_a_link_the_latest_he_gave(store: Store):
    """By the time it was given, not the order in which it came; other judges keep theirs."""
    first = Grade("knee", "hip", 1, "ann", NOON)
    later = Grade("knee", "hip", 2, "ann", NOON + DAY)
    grades.write(store, [first, Grade("knee", "hip", 0, "ben", NOON)])

    assert grades.write(store, [later]) == Written(replaced=1)
    assert grades.write(store, [later, first]) == Written(same=1, later=1)
    assert [(each.by, each.grade) for each in grades.read(store)] == [("ann", 2), ("ben", 0)]
    assert grades.read(store, by="ann") == [later]


def test_what_fails_on_the_way_leaves_nothing_behind(store: Store):
    """All grades or none."""

    def faulty() -> Iterator[Grade]:
        yield Grade("knee", "hip", 1, "ann", NOON)
        raise ValueError("a bad line")

    with pytest.raises(ValueError, match="bad line"):
        grades.write(store, faulty())

    assert grades.read(store) == []


def test_grades_outlive_articles_and_events(store: Store):
    """An article that is removed, a session and days that are forgotten, leave them as they are."""
    articles = [Article("knee", "Knee", "text"), Article("hip", "Hip", "text")]
    stored(store, articles, [view("v", "knee", "hip", session_id="s"), click("v", "hip")])
    given = [Grade("knee", "hip", 3, "ann", NOON)]
    grades.write(store, given)

    forget_session(store, "s")
    forget_before(store, 10**13)
    store.remove(["knee", "hip"])

    assert grades.read(store) == given


def test_drawn_pages_come_back_in_order_and_give_way_to_the_next_draw(store: Store):
    """With how they were drawn."""
    pages = [DrawnPage("b", 2.0, 9.5), DrawnPage("a", 7.25, 8.0)]
    assert grades.drawn(store) is None

    grades.keep_draw(store, Draw("views", 5, 40, NOON, 10, pages=pages))

    assert grades.drawn(store) == Draw("views", 5, 40, NOON, 10, pages=pages)
    grades.keep_draw(store, Draw("pages", 6, 40, NOON, 5, 3, 2, pages[1:]))
    assert grades.drawn(store) == Draw("pages", 6, 40, NOON, 5, 3, 2, pages[1:])


def test_who_asks_for_more_pages_takes_back_nobodys_progress(store: Store):
    """Of the same draw; one drawn anew begins from nothing."""
    pages = [DrawnPage("knee", 3.0, 9.0), DrawnPage("hip", 2.0, 5.0)]
    draw = Draw("views", 5, 40, NOON, 10, 1, pages=pages)
    grades.keep_draw(store, draw)

    grades.keep_reached(store, draw, 1)
    grades.keep_draw(store, replace(draw, n_asked=2))
    kept = grades.drawn(store)
    assert kept == replace(draw, n_asked=2, n_reached=1)

    later = replace(draw, at=NOON + timedelta(days=1))
    grades.keep_draw(store, later)
    grades.keep_reached(store, draw, 2)
    assert grades.drawn(store) == later


def test_readings_are_views_of_lists_or_page_views_whichever_are_more(store: Store):
    """Of what was forgotten too."""
    events = [view(f"v{n}", "knee", "hip", day=n) for n in range(3)]
    stored(store, [Article("knee", "Knee"), Article("hip", "Hip")], events)
    store.add_events([PageView(10**9 + n, "hip") for n in range(5)] + [PageView(9, "knee")])

    before = readings_of_pages(store)
    forget_before(store, 2 * 86_400_000)

    assert before == {"knee": 3, "hip": 5}
    assert readings_of_pages(store)["knee"] == 3


def test_a_store_before_grades_gets_them_when_it_is_written_to(
    database: str, monkeypatch: pytest.MonkeyPatch
):
    """One that knows only the steps before is what an older release made."""
    with monkeypatch.context() as older:
        older.setattr(schema, "STEPS", schema.STEPS[: schema.STEPS.index(schema._grades)])
        Store(database).close()

    with Store(database) as opened:
        grades.write(opened, [Grade("knee", "hip", 1, "ann", NOON)])
        assert len(grades.read(opened)) == 1
