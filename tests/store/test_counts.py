"""The log is counted by hand and by the store alike, on every kind of database."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sql
from sent import NOON, followed, record, rows, shown
from sites import DAY, NOW, Shown, click, log_of, stored, view

from recommender.articles.article import Article
from recommender.errors import StoreError
from recommender.events.event import Click, Event, Impression, PageView
from recommender.frames.site import Site
from recommender.store import click_filters, counts, retention
from recommender.store.counts import UNKNOWN, Log, count, n_clicks
from recommender.store.database import Store
from recommender.store.impressions import read
from recommender.store.retention import forget_before
from recommender.training.log_checks import KNOWN_NUMBERS, validate
from recommender.training.pipeline import Options, build

IDS = ["gout", "knee", "salt", "sugar"]
GOUT, KNEE, SALT, SUGAR = range(4)


def counted(store: Store, *events: Event, until: int | None = None) -> Log:
    """The log of a site with four articles."""
    stored(store, [Article(id=id, title=id.title()) for id in IDS], events)
    return count(store, IDS, until=until)


def links(log: Log) -> dict[tuple[int, int, int], tuple[int, int]]:
    """How often each (source, item, position) was shown and followed."""
    shown, clicked = log.shown_and_clicked()
    found: dict[tuple[int, int, int], tuple[int, int]] = {}
    for key, *values in zip(
        zip(log.link_source.tolist(), log.item.tolist(), log.position.tolist(), strict=True),
        shown.astype(int).tolist(),
        clicked.astype(int).tolist(),
        strict=True,
    ):
        before = found.get(key, (0, 0))
        found[key] = before[0] + values[0], before[1] + values[1]
    return found


def test_views_and_clicks_by_link(store: Store):
    """Three views of one slate and two clicks, one view of another."""
    log = counted(
        store,
        view("v1", "knee", "gout", "salt"),
        view("v2", "knee", "gout", "salt", day=1),
        view("v3", "knee", "gout", "salt", day=1),
        view("v4", "salt", "knee"),
        click("v1", "gout"),
        click("v3", "salt", day=1),
    )

    assert links(log) == {
        (KNEE, GOUT, 1): (3, 1), (KNEE, SALT, 2): (3, 1), (SALT, KNEE, 1): (1, 0),
    }  # fmt: skip
    assert sorted(zip(log.view_day.tolist(), log.n_views.tolist(), strict=True)) == [
        (0, 1), (0, 1), (1, 2),
    ]  # fmt: skip
    assert (log.first_ts, log.last_ts) == (0, DAY)


def test_clicks_of_readers_with_a_session_are_told_apart(store: Store):
    """Three clicks of one day on one link, two of them in sessions."""
    log = counted(
        store,
        *(view(f"v{at}", "knee", "gout", session_id=f"s{at}" if at else "") for at in range(3)),
        *(click(f"v{at}", "gout") for at in range(3)),
    )

    assert (log.n_clicks.tolist(), log.n_in_sessions.tolist()) == ([3], [2])


def test_half_of_an_event_does_not_count(store: Store):
    """A click without its view, and a click on what the slate did not hold."""
    log = counted(
        store,
        view("v1", "knee", "gout"),
        click("v1", "salt"),
        click("lost", "gout"),
        click("v1", "knee"),
    )

    assert links(log) == {(KNEE, GOUT, 1): (1, 0)}
    assert len(log.n_clicks) == 0


def test_the_order_of_arrival_does_not_matter(store: Store):
    """A click may come before its view, and either may come twice."""
    log = counted(
        store,
        click("v1", "gout"),
        click("v1", "gout"),
        view("v1", "knee", "gout"),
        view("v1", "knee", "gout"),
        view("v1", "salt", "sugar"),
    )

    assert {key: seen for key, seen in links(log).items() if seen[0]} == {(KNEE, GOUT, 1): (1, 1)}


def test_clicks_of_one_view_count_once_each(store: Store):
    """Two links followed are two clicks; one followed twice is one."""
    events = [click("v1", "gout"), click("v1", "salt"), click("v1", "gout", day=1)]

    log = counted(store, view("v1", "knee", "gout", "salt"), *events)

    assert links(log) == {(KNEE, GOUT, 1): (1, 1), (KNEE, SALT, 2): (1, 1)}


def test_an_unordered_list_has_no_positions(store: Store):
    """Position 0 says that nobody knows."""
    log = counted(store, view("v1", "knee", "gout", "salt", ordered=False), click("v1", "salt"))

    assert links(log) == {(KNEE, GOUT, 0): (1, 0), (KNEE, SALT, 0): (1, 1)}


def test_a_link_twice_in_a_slate_is_credited_where_it_stands_first(store: Store):
    """Nobody knows which of the two was followed."""
    log = counted(store, view("v1", "knee", "gout", "salt", "gout"), click("v1", "gout"))

    assert links(log) == {
        (KNEE, GOUT, 1): (1, 1), (KNEE, SALT, 2): (1, 0), (KNEE, GOUT, 3): (1, 0),
    }  # fmt: skip


def test_what_the_site_does_not_have_is_unknown(store: Store):
    """Old ids in a log keep their place in the slate and have no number."""
    log = counted(
        store,
        view("v1", "knee", "gone", "gout"),
        view("v2", "gone", "gout"),
        click("v1", "gout"),
        click("v1", "gone"),
    )

    assert links(log) == {
        (KNEE, UNKNOWN, 1): (1, 1), (KNEE, GOUT, 2): (1, 1), (UNKNOWN, GOUT, 1): (1, 0),
    }  # fmt: skip


def test_only_what_came_before_until_counts(store: Store):
    """Views from ``until`` on, with their clicks and readings, belong to the future."""
    events = [
        view("v1", "knee", "gout", session_id="s"),
        view("v2", "knee", "gout", day=1, session_id="s2"),
        click("v1", "gout"),
        click("v2", "gout", day=1),
        PageView(DAY, "salt", "s"),
        PageView(DAY - 1, "sugar", "s"),
    ]

    log = counted(store, *events, until=DAY)

    assert links(log) == {(KNEE, GOUT, 1): (1, 1)}
    assert (log.first_ts, log.last_ts) == (0, 0)
    assert sorted(log.read_article.tolist()) == [GOUT, KNEE, SUGAR]


def test_propensities_stand_beside_their_links(store: Store):
    """NaN where the log does not say."""
    log = counted(
        store,
        view("v1", "knee", "gout", "salt", propensities=(0.5, 0.25)),
        view("v2", "knee", "gout", "salt"),
    )

    assert np.array_equal(log.propensity, [0.5, 0.25, np.nan, np.nan], equal_nan=True)


def test_views_and_clicks_in_each_layout(store: Store):
    """One slate in two layouts is two; lists and layouts go by their names, also forgotten ones."""
    log = counted(
        store,
        view("v1", "knee", "gout", "salt", layout="side", list="picked"),
        view("v2", "knee", "gout", "salt", layout="end", list="picked"),
        view("v3", "knee", "gout", "salt", layout="end", list="picked"),
        view("v4", "gout", "salt", layout="end"),
        click("v1", "gout"),
        click("v3", "salt"),
        click("v2", "salt"),
    )

    def seen(log: Log) -> dict[tuple[str, str, int, int], tuple[int, int]]:
        shown, clicked = log.shown_and_clicked()
        return {
            (log.layouts[log.layout[slate]], log.lists[log.list[slate]], int(log.source[slate]),
             int(log.item[link])): (int(shown[link]), int(clicked[link]))
            for link, slate in enumerate(log.link_slate.tolist())
        }  # fmt: skip

    assert seen(log) == {
        ("side", "picked", KNEE, GOUT): (1, 1), ("side", "picked", KNEE, SALT): (1, 0),
        ("end", "picked", KNEE, GOUT): (2, 0), ("end", "picked", KNEE, SALT): (2, 2),
        ("end", "", GOUT, SALT): (1, 0),
    }  # fmt: skip
    forget_before(store, DAY)
    assert seen(count(store, IDS)) == seen(log)
    # What nobody saw until then is in no layout.
    assert {key[0] for key in seen(count(store, IDS, until=0))} == {""}


def test_layouts_seen_on_most_days_keep_their_names(store: Store, monkeypatch: pytest.MonkeyPatch):
    """Names are the page's to choose, and anybody's who posts: on one day, a hundred. Forgetting
    and counting agree on what falls together; nothing of it is lost.
    """
    monkeypatch.setattr(click_filters, "MAX_LAYOUTS", 2)
    events: list[Event] = [
        *(view(f"s{day}", "knee", "gout", layout="side", day=day) for day in range(3)),
        *(view(f"e{day}", "knee", "gout", layout="end", day=day) for day in range(2)),
        *(view(f"x{at}", "knee", "gout", layout=f"made up {at}") for at in range(100)),
        click("x7", "gout"),
        click("e1", "gout", day=1),
    ]
    log = counted(store, *events)

    def seen(log: Log) -> dict[str, tuple[int, int]]:
        shown, clicked = log.shown_and_clicked()
        names = [log.layouts[number] for number in log.layout[log.link_slate]]
        return {
            name: (int(views), int(clicks))
            for name, views, clicks in zip(names, shown, clicked, strict=True)
        }

    assert seen(log) == {"side": (3, 0), "end": (2, 1), "other": (100, 1)}
    assert (log.n_other_layouts, counted_layouts(store)) == (100, {"side", "end", "other"})
    forget_before(store, 10 * DAY)
    assert seen(count(store, IDS)) == seen(log)
    assert rows(store, "SELECT COUNT(DISTINCT layout) FROM past_views") == [(3,)]
    assert read(store).layouts == []


def test_layouts_that_few_views_name_take_no_name_from_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    """Names that are kept up day after day, a view each; and what comes later changes nothing of a
    log that ends before.
    """
    monkeypatch.setattr(click_filters, "MAX_LAYOUTS", 2)
    events: list[Event] = [
        *(view(f"m{day}-{at}", "knee", "gout", layout=f"made up {at}", day=day)
          for day in range(4) for at in range(3)),
        *(view(f"s{day}-{at}", "knee", "gout", layout="side", day=day)
          for day in (2, 3) for at in range(400)),
    ]  # fmt: skip
    log = counted(store, *events)

    assert {*log.layouts} == {"side", "other", "made up 0"}
    assert {*count(store, IDS, until=2 * DAY).layouts} == {"made up 0", "made up 1", "other"}


def counted_layouts(store: Store) -> set[str]:
    """The layouts that an analyst's frame of daily counts names, and so does a read of views."""
    assert {*read(store).layouts} == {*Site(store).daily_counts().layout}
    return {*read(store).layouts}


def test_numbers_that_stand_for_nothing_are_unknown(store: Store):
    """Earlier releases took slates of other stores. Counting, frames and checks go on, and name
    them; the rest counts.
    """
    counted(store, view("v1", "knee", "gout"), click("v1", "gout"))
    for statement in (
        "INSERT INTO slates (slate, digest, source, list, ordered) "
        "SELECT 77, digest || digest, 2000000001, list, ordered FROM slates",
        "INSERT INTO slate_links (slate, rank, item, position) VALUES (77, 1, 2000000002, 1)",
        "INSERT INTO views (view_id, ts, slate, session, layout, arm) "
        "SELECT 'odd', ts, 77, session, layout, arm FROM views",
        "INSERT INTO clicks (view_id, item, ts) SELECT 'odd', 2000000002, ts FROM clicks",
        "INSERT INTO pageviews (ts, session, article, referrer) VALUES (5, 's', 2000000003, 0)",
    ):
        with store.transaction() as connection:
            connection.execute(sql.text(statement))

    log, site = count(store, IDS), Site(store)
    check = {each.name: each for each in validate(store, now_ms=NOON)}[KNOWN_NUMBERS]

    assert links(log) == {(KNEE, GOUT, 1): (1, 1), (UNKNOWN, UNKNOWN, 1): (1, 1)}
    assert log.n_unknown == 2
    assert not check.passed
    assert check.examples == [f"number {2_000_000_000 + at}" for at in (1, 2, 3)]
    assert {*site.impressions().source_id} == {"knee", "(unknown 2000000001)"}
    assert {*site.clicks().clicked} == {"gout", "(unknown 2000000002)"}
    assert {*site.daily_counts().target_id} == {"gout", "(unknown 2000000002)"}
    assert {*read(store).ids} == {"knee", "gout", *site.impressions().source_id,
                                  *site.clicks().clicked}  # fmt: skip


def test_readings_of_a_visit(store: Store):
    """Sources, what was followed, page views; each article once a visit, on its first day."""
    log = counted(
        store,
        view("v1", "knee", "gout", session_id="a", day=0.9),
        click("v1", "gout", day=0.9),
        view("v2", "gout", "salt", session_id="a", day=1.1),
        view("v3", "knee", "salt", session_id="b", day=1.1),
        view("v4", "sugar", "salt"),
        PageView(2 * DAY, "salt", "b"),
        PageView(2 * DAY, "salt"),
    )

    readings = zip(log.read_article.tolist(), log.read_day.tolist(), strict=True)
    visits: dict[int, set[tuple[int, int]]] = {}
    for session, reading in zip(log.read_session.tolist(), readings, strict=True):
        visits.setdefault(session, set()).add(reading)
    assert len(visits) == 2
    assert {(KNEE, 1), (SALT, 2)} in visits.values()
    assert {(KNEE, 0), (GOUT, 0)} in visits.values()


def test_crawlers_read_nothing(store: Store, monkeypatch: pytest.MonkeyPatch):
    """A visit to more articles than a reader reads is left out of the readings."""
    monkeypatch.setattr(counts, "MAX_READ_IN_SESSION", 2)
    log = counted(
        store,
        *(PageView(number, id, "crawler") for number, id in enumerate(IDS)),
        *(PageView(number, id, "reader") for number, id in enumerate(IDS[:2])),
    )

    assert len(set(log.read_session.tolist())) == 1
    assert sorted(log.read_article.tolist()) == [GOUT, KNEE]


def test_the_longest_visits_are_left_out_where_pairs_are_too_many(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    """Two pages are four pairs both ways round, three are nine: there is room for fourteen. What is
    forgotten under the same limit counts the same.
    """
    monkeypatch.setattr(counts, "MAX_READ_TOGETHER", 14)
    monkeypatch.setattr(retention, "MAX_READ_TOGETHER", 14)
    visits = {"a": IDS[:2], "b": IDS[1:3], "c": IDS[:3], "d": IDS[1:2]}
    log = counted(store, *(PageView(at, id, name) for name, ids in visits.items()
                           for at, id in enumerate(ids)))  # fmt: skip

    assert sorted(np.bincount(log.read_session)[log.read_session].tolist()) == [1, 2, 2, 2, 2]
    assert log.n_visits_left == 1
    forget_before(store, DAY)
    assert rows(store, "SELECT SUM(n) FROM past_pairs") == [(2,)]
    assert rows(store, "SELECT SUM(n) FROM past_reads") == [(5,)]


def test_a_store_without_a_log(store: Store):
    """Nothing shown, nothing followed, and every array is there."""
    log = counted(store)

    assert links(log) == links(log_of()) == {}
    assert log.heads.tolist() == log_of().heads.tolist() == [0]
    assert log.first_ts is None
    assert log.clicks_per_visit == 1


def test_clicks_of_a_visit_are_counted_together(store: Store):
    """Three of one visit, over two views and midnight, and one of another; in no session, two of
    one view and one of another: (9 + 1 + 4 + 1) / 7. What no slate held does not count.
    """
    log = counted(
        store,
        view("v1", "knee", "gout", "salt", session_id="a", day=0.9),
        view("v2", "gout", "sugar", session_id="a", day=1.1),
        view("v3", "knee", "gout", "salt", session_id="b"),
        view("v4", "knee", "gout", "salt"),
        view("v5", "knee", "gout", "salt"),
        view("v6", "knee", "gout", "salt", session_id="nothing"),
        *(click("v1", item, day=0.9) for item in ("gout", "salt", "sugar")),
        *(click(name, item) for name, item in
          (("v2", "sugar"), ("v3", "gout"), ("v4", "gout"), ("v4", "salt"), ("v5", "salt"))),
    )  # fmt: skip

    assert log.clicks_per_visit == pytest.approx((9 + 1 + 4 + 1) / 7)
    assert log.between(0, 1).clicks_per_visit == log.clicks_per_visit
    early = count(store, IDS, until=DAY)
    assert early.clicks_per_visit == pytest.approx((4 + 1 + 4 + 1) / 6)
    assert early.n_clicks.sum() == 6


def test_of_forgotten_clicks_it_is_not_known_who_made_them(store: Store):
    """Their visits are taken to be like those that are left, and to be single if none is."""
    log = counted(
        store,
        *(view(f"v{at}", "knee", "gout", "salt", session_id="a", day=at) for at in range(3)),
        *(click(f"v{at}", item, day=at) for at in range(3) for item in ("gout", "salt")),
    )
    forget_before(store, DAY)
    less = count(store, IDS)
    forget_before(store, 9 * DAY)
    none = count(store, IDS)

    assert [each.n_clicks.sum() for each in (log, less, none)] == [6, 6, 6]
    assert [each.clicks_per_visit for each in (log, less, none)] == [6, 4, 1]


def test_between_splits_by_day():
    """Views, clicks and readings of days 1 and 2; the slates stay, so numbers stay valid."""
    log = log_of(
        *(Shown(KNEE, [GOUT, SALT], [day + 1, 0], views=10, day=day) for day in range(5)),
        readings=[(0, KNEE, 0), (0, GOUT, 1), (1, SALT, 2), (2, SALT, 3)],
    )

    part = log.between(1, 3)

    assert part.n_views.tolist() == [10, 10]
    assert part.n_clicks.sum() == 2 + 3
    assert part.read_article.tolist() == [GOUT, SALT]
    assert part.item is log.item
    before, after = log.between(0, 2).shown_and_clicked(), log.between(2, 9).shown_and_clicked()
    assert np.array_equal(np.add(before, after), log.shown_and_clicked())


def test_counting_stands_still_while_others_write(store: Store, monkeypatch: pytest.MonkeyPatch):
    """Slates that come in between two statements belong to the next count."""
    if store.engine.dialect.name == "sqlite" and store.engine.url.database == ":memory:":
        pytest.skip("one connection only")
    stored(store, [Article(id=id, title=id.title()) for id in IDS], [view("v1", "knee", "gout")])
    read = counts.read_slates

    def and_then_somebody_writes(connection, **options):
        found = read(connection, **options)

        def write() -> None:
            with Store(store.engine.url.render_as_string(hide_password=False)) as other:
                other.add_events([view("v2", "salt", "knee", "gout"), click("v2", "gout")])

        writer = threading.Thread(target=write)
        writer.start()
        writer.join()
        return found

    monkeypatch.setattr(counts, "read_slates", and_then_somebody_writes)

    assert links(count(store, IDS)) == {(KNEE, GOUT, 1): (1, 0)}
    monkeypatch.undo()
    assert links(count(store, IDS)) == {
        (KNEE, GOUT, 1): (1, 0), (SALT, KNEE, 1): (1, 0), (SALT, GOUT, 2): (1, 1),
    }  # fmt: skip


def test_what_the_database_complains_about_is_one_sentence(tmp_path):
    """A store whose tables are gone says so, naming the store."""
    with Store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        with store.transaction() as connection:
            connection.exec_driver_sql("DROP TABLE slates")

        with pytest.raises(StoreError, match=r"store\.db: no such table"):
            count(store, IDS)


def test_random_logs_count_as_a_dictionary_would(store: Store):
    """Thousands of events in random order against a count by hand."""
    random = np.random.default_rng(7)
    views, events = {}, []
    for number in range(1500):
        source, *shown = random.permutation(IDS)[: random.integers(2, 5)].tolist()
        day = int(random.integers(0, 4))
        views[f"v{number}"] = source, shown, day
        if random.random() < 0.9:
            events.append(view(f"v{number}", source, *shown, day=day))
        followed = [id for id in IDS if random.random() < 0.2]
        events.extend(click(f"v{number}", id, day=day) for id in followed)
    random.shuffle(events)  # type: ignore[arg-type]

    log = counted(store, *events)

    there = {event.view_id for event in events if hasattr(event, "shown")}
    expected: dict[tuple[int, int, int], list[int]] = {}
    for name in there:
        source, shown, _ = views[name]
        for position, id in enumerate(shown, start=1):
            key = IDS.index(source), IDS.index(id), position
            expected.setdefault(key, [0, 0])[0] += 1
    for event in events:
        if hasattr(event, "clicked") and event.view_id in there:
            source, shown, _ = views[event.view_id]
            if event.clicked in shown:
                position = shown.index(event.clicked) + 1
                expected[IDS.index(source), IDS.index(event.clicked), position][1] += 1
    assert links(log) == {key: tuple(seen) for key, seen in expected.items()}


# Readers without a session


def test_page_views_without_a_session_are_read_with_their_referrer(store: Store):
    """One visit of two pages each; who came from nowhere known is in no visit."""
    log = counted(
        store,
        PageView(5, "salt", "", "gout"),
        PageView(5, "knee", "", "gout"),
        PageView(DAY, "salt", "", "gout"),
        PageView(DAY, "sugar"),
        PageView(DAY, "sugar", "s", "gout"),
    )

    visits: dict[int, set[tuple[int, int]]] = {}
    for session, article, day in zip(
        log.read_session.tolist(), log.read_article.tolist(), log.read_day.tolist(), strict=True
    ):
        visits.setdefault(session, set()).add((article, day))
    assert sorted(visits.values(), key=sorted) == sorted(
        [{(GOUT, 0), (SALT, 0)}, {(GOUT, 0), (KNEE, 0)}, {(GOUT, 1), (SALT, 1)}, {(SUGAR, 1)}],
        key=sorted,
    )


# How many clicks there are


@pytest.mark.slow
def test_the_clicks_that_count_are_those_a_build_logs(store: Store, tmp_path: Path):
    """Not the half ones, nor on what was not shown; on articles that are gone they do; and what is
    forgotten is not lost.
    """
    assert n_clicks(store) == 0
    events = [
        view("v1", "knee", "gout", "gone"),
        view("v2", "gone", "gout", day=1),
        *(click("v1", id) for id in ("gout", "gone", "salt", "knee")),
        click("v2", "gout", day=1),
        click("lost", "gout"),
    ]
    log = counted(store, *events)

    assert n_clicks(store) == log.n_clicks.sum() == 3
    bundle = build(store, tmp_path, now=NOW)
    assert bundle.about.n_logged_clicks == 3
    forget_before(store, DAY)
    assert n_clicks(store) == 3
    until = build(store, tmp_path, now=NOW, options=Options(until=DAY))
    assert until.about.n_logged_clicks == 2


# What pages sent


def sent_and_imported(store: Store) -> Store:
    """One list in the log of a day: imported twice, sent by pages three times, and a link of it
    followed once and twice.
    """
    stored(store, [Article(id=id, title=id.title()) for id in IDS])
    knee, gout = store.keys_of(["knee", "gout"])
    names = [f"sent{at}" for at in range(3)]
    same = {"source": knee, "list": "", "origins": ()}
    record(store, *(shown(name, gout, ts=DAY // 2, **same) for name in names))
    record(store, *(followed(name, gout, ts=DAY // 2 + 9_000) for name in names[:2]))
    store.add_events([*(view(f"v{at}", "knee", "gout") for at in range(2)), click("v0", "gout")])
    return store


def test_what_pages_sent_is_told_from_what_was_imported(store: Store):
    """Of one slate, on one day."""
    log = count(sent_and_imported(store), IDS)

    assert len(log.source) == 1
    views = zip(log.view_live.tolist(), log.n_views.tolist(), strict=True)
    clicks = zip(log.click_live.tolist(), log.n_clicks.tolist(), strict=True)
    assert (sorted(views), sorted(clicks)) == ([(False, 2), (True, 3)], [(False, 1), (True, 2)])
    assert links(log) == {(KNEE, GOUT, 1): (5, 3)}


def test_who_sent_what_is_forgotten_is_kept(store: Store):
    """So forgetting gives no view another weight."""
    before = count(sent_and_imported(store), IDS)
    forget_before(store, DAY)

    log = count(store, IDS)

    for name in ("view_live", "n_views", "click_live", "n_clicks"):
        assert getattr(log, name).tolist() == getattr(before, name).tolist()
    assert log.n_views[log.view_live].tolist() == [3]


def test_what_only_a_request_brought_there_is_not_learned_from(store: Store):
    """Its link leads nowhere and clicks on it are none; its place and the views of its list stay,
    and so does the same link where everybody is shown it.
    """
    stored(store, [Article(id=id, title=id.title()) for id in IDS])
    knee, gout, salt = store.keys_of(["knee", "gout", "salt"])
    record(
        store,
        shown("v1", gout, salt, source=knee, brought=(False, True)),
        shown("v2", gout, salt, source=knee),
        *(followed(name, item, ts=NOON + 9_000) for name in ("v1", "v2") for item in (gout, salt)),
    )
    log = count(store, IDS)

    less = log.shown_to_all()

    assert log.n_clicks.sum() == 4
    assert links(less) == {
        (KNEE, GOUT, 1): (2, 2), (KNEE, UNKNOWN, 2): (1, 0), (KNEE, SALT, 2): (1, 1),
    }  # fmt: skip
    assert len(less.click_day) == len(less.click_live) == len(less.n_in_sessions) == 3
    assert less.n_views is log.n_views


def test_a_log_in_which_nothing_is_marked_is_left_alone():
    """It is the same log."""
    log = log_of(Shown(KNEE, [GOUT, SALT], [1, 2]))
    marked = replace(log, brought=np.array([False, True]))

    assert log.shown_to_all() is log
    assert marked.shown_to_all().n_clicks.tolist() == [1]


# What is left of forgotten events


def test_forgotten_days_count_up_to_until(store: Store):
    """Whole days: that of ``until`` counts if it has begun."""
    counted(
        store, view("v1", "knee", "gout"), view("v2", "knee", "gout", day=1.5), click("v1", "gout")
    )
    forget_before(store, 2 * DAY)

    found = {until: int(count(store, IDS, until=until).n_views.sum())
             for until in (0, 1, DAY, DAY + 1, 2 * DAY)}  # fmt: skip

    assert found == {0: 0, 1: 1, DAY: 1, DAY + 1: 2, 2 * DAY: 2}
    assert int(count(store, IDS, until=1).n_clicks.sum()) == 1


def test_of_forgotten_days_the_window_knows_the_days(store: Store):
    """Within a day whose views are there, their own moments are told."""
    counted(store, view("v1", "knee", "gout", day=0.5), view("v2", "knee", "gout", day=2.5))

    forget_before(store, DAY)
    log = count(store, IDS)
    assert (log.first_ts, log.last_ts) == (0, 2.5 * DAY)

    forget_before(store, 3 * DAY)
    log = count(store, IDS)
    assert (log.first_ts, log.last_ts) == (0, 3 * DAY - 1)


def test_what_weighs_nothing_is_left_out():
    """A day of no weight leaves no rows, and of the others views and clicks weigh what they do."""
    log = log_of(Shown(0, [1, 2], [8, 4], 100, day=0), Shown(0, [2, 1], [50, 0], 900, day=1))
    days = np.array([0.5, 0.0])

    found = log.weighed(days[log.view_day], days[log.click_day])

    assert (found.view_day.tolist(), found.n_views.tolist()) == ([0], [50])
    assert (found.click_day.tolist(), found.n_clicks.tolist()) == ([0, 0], [4, 2])
    assert found.view_live.tolist() == [True] and len(found.n_in_sessions) == 2


def test_what_is_dated_before_2000_does_not_count_beside_later_views(store: Store):
    """Earlier releases took such times; a log of nothing else is counted as it is."""
    day = 20_000 * 86_400_000
    views = [Impression(f"v{at}", day + at, "a", ("b",)) for at in range(3)]
    ancient = [Impression("old", 86_400_000, "a", ("b",)), Click("old", 86_400_001, "b")]
    store.add_events([*views, Click("v1", day + 9, "b"), *ancient])

    log = count(store, ["a", "b"])
    alone = count(store, ["a", "b"], until=day)

    assert (log.n_views.sum(), log.n_clicks.sum()) == (3, 1)
    assert (log.first_ts, log.last_ts) == (day, day + 2)
    assert (alone.n_views.sum(), alone.first_ts) == (1, 86_400_000)
