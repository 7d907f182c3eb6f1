"""Raw events are forgotten, what was counted of them by day stays: a build notices nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sql
from sent import everything, followed, opened, record, rows, shown
from sites import NOW, random_articles, random_events, stored

from recommender.clicks import cooccurrence
from recommender.clicks.choice_model import pairs_in
from recommender.errors import StoreError
from recommender.events.event import Click, ClickOnPage, Event, Impression, PageView
from recommender.events.ingest import BEYOND_ORIGIN, BY_CRAWLER, BY_READER, Incoming
from recommender.store.click_filters import Caps
from recommender.store.counts import MAX_READ_IN_SESSION, Log, count, n_clicks
from recommender.store.database import Store
from recommender.store.retention import Forgotten, forget_before, forget_session
from recommender.training.pipeline import build

HOUR, DAY = 3_600_000, 86_400_000
IDS = [f"a{at}" for at in range(1, 8)]  # the store's numbers 1 to 7
N_DAYS = 4
LOOSE = Caps(session_clicks_an_hour=2, pair_clicks_a_day=1_000)
TIGHT = Caps(session_clicks_an_hour=2, pair_clicks_a_day=3)


def counted(log: Log) -> dict[str, Any]:
    """What a build makes of a log: views and clicks by day and link, readings, co-read pairs."""
    n = len(IDS)
    pairs, of_link = pairs_in(log, n_articles=n)
    read = cooccurrence.count(log, pairs, of_link)
    views = zip(log.view_day.tolist(), log.view_slate.tolist(), log.n_views.tolist(), strict=True)
    clicks = zip(
        log.click_day.tolist(), log.click_link.tolist(), log.n_clicks.tolist(),
        log.n_in_sessions.tolist(), strict=True,
    )  # fmt: skip
    return {
        "views": sorted(views),
        "clicks": sorted(clicks),
        "reads": read.reads.tolist(),
        "together": dict(zip(read.keys.tolist(), read.together.tolist(), strict=True)),
        "cosine": read.cosine.tolist(),
    }


def all_counts(store: Store, caps: Caps | None = None) -> list[Any]:
    """What is counted of the whole log, of its beginning up to each day, and before a moment."""
    log = count(store, IDS, caps=caps)
    assert n_clicks(store, caps=caps) == log.n_clicks.sum()
    found: list[Any] = [counted(log)]
    found += [counted(log.between(0, day)) for day in range(N_DAYS + 2)]
    return [*found, counted(count(store, IDS, until=2 * DAY, caps=caps)), log.n_views.sum()]


def random_log(store: Store, seed: int) -> None:
    """Four days of every kind of event there is: live and imported, in sessions of one day and in
    none, hasty, greedy and crawling, clicks before their view and hours later, halves of events.
    """
    random = np.random.default_rng(seed)
    live: list[Incoming] = []
    imported: list[Event] = []
    store.keys_of(IDS)
    for number in range(120):
        day, at = int(random.integers(N_DAYS)), int(random.integers(DAY))
        ts = day * DAY + at
        session = f"s{day}-{random.integers(6)}" if random.random() < 0.7 else ""
        source, *items = (random.permutation(7)[: random.integers(2, 6)] + 1).tolist()
        name = f"v{number}"
        followed_items = [int(item) for item in random.choice(7, random.integers(0, 3)) + 1]
        if random.random() < 0.3:
            imported.append(
                Impression(name, ts, f"a{source}", tuple(f"a{item}" for item in items),
                           session_id=session)
            )  # fmt: skip
            imported += [Click(name, ts, f"a{item}") for item in followed_items]
            imported.append(PageView(ts, f"a{items[0]}", session, f"a{source}"))
            continue
        sender = int(random.choice([BY_READER] * 8 + [BY_CRAWLER, BEYOND_ORIGIN]))
        if random.random() < 0.95:
            live.append(shown(name, *items, source=source, ts=ts, session=session, live=sender))
        for item in followed_items:
            after = int(random.choice([100, 5_000, 5_000, 5_000, -2_000, 9 * HOUR]))
            live.append(followed(name, item, ts=ts + after, live=sender))
        referrer = source if random.random() < 0.7 else 0
        live.append(opened(items[0], ts=ts, session=session, referrer=referrer, live=sender))
    store.add_events(imported)
    record(store, *live)


def sessions(store: Store) -> list[str]:
    found = rows(store, "SELECT session FROM views UNION SELECT session FROM pageviews")
    return sorted(str(session) for (session,) in found if session)


def visit(name: str, clicked: int, *, session: str = "") -> list[Incoming]:
    """A view of a list of one and, at ``clicked``, a click on it."""
    return [shown(name, 1, source=2, ts=1, session=session), followed(name, 1, ts=clicked)]


def n_raw(store: Store) -> tuple[int, ...]:
    """How many raw events of each kind there are."""
    tables = ("views", "clicks", "pageviews")
    return tuple(int(str(rows(store, f"SELECT COUNT(*) FROM {t}")[0][0])) for t in tables)


# The counts stay


def test_forgetting_sessions_changes_no_count(store: Store):
    """One session after the other, until none is left: what a build counts stays the same."""
    random_log(store, 0)
    before = all_counts(store, LOOSE)
    assert before[0]["together"]

    for number, session in enumerate(sessions(store)):
        forget_session(store, session, caps=LOOSE)
        if number % 8 == 0:
            assert all_counts(store, LOOSE) == before

    assert sessions(store) == []
    assert all_counts(store, LOOSE) == before


def test_forgetting_days_changes_no_count(store: Store):
    """Day by day, with caps that bind, until nothing is left but what was counted."""
    random_log(store, 1)
    before = all_counts(store, TIGHT)
    assert before[0]["together"]

    for day in range(N_DAYS + 2):
        forget_before(store, day * DAY + 5 * HOUR, caps=TIGHT)
        assert all_counts(store, TIGHT) == before

    assert n_raw(store) == (0, 0, 0)


def test_both_at_once_change_no_count(store: Store):
    """Sessions here, days there, in any order; and what comes later is counted as ever."""
    random_log(store, 7)
    before = all_counts(store, LOOSE)
    some = sessions(store)[::3]

    forget_session(store, some[-1], caps=LOOSE)
    forget_before(store, DAY, caps=LOOSE)
    for session in some:
        forget_session(store, session, caps=LOOSE)
    forget_before(store, 2 * DAY, caps=LOOSE)

    assert all_counts(store, LOOSE) == before
    clicks = count(store, IDS, caps=LOOSE).n_clicks.sum()
    record(store, shown("new", 1, source=2, ts=DAY), followed("new", 1, ts=DAY + 5_000))
    assert count(store, IDS, caps=LOOSE).n_clicks.sum() == clicks + 1


@pytest.mark.slow
def test_a_build_after_forgetting_everything_makes_the_same_lists(tmp_path: Path):
    """Lists, slates that explore, what is popular, and all that trees would learn from."""
    with Store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        articles = random_articles(40, seed=1)
        stored(store, articles, random_events(articles, seed=1, n=700))
        before = build(store, tmp_path / "before", now=NOW)
        forget_before(store, 100 * DAY)
        assert n_raw(store) == (0, 0, 0)

        after = build(store, tmp_path / "after", now=NOW)

    assert after.name == before.name
    kinds = ("lists_*", "history_*", "examination*")
    files = [path for kind in kinds for path in before.folder.glob(f"{kind}.npy")]
    assert len(files) > 20
    for path in files:
        assert (after.folder / path.name).read_bytes() == path.read_bytes(), path.name
    same = ("n_clicks", "n_views", "n_logged_clicks", "examination", "reason")
    assert [getattr(after.about, name) for name in same] == [
        getattr(before.about, name) for name in same
    ]
    assert before.about.n_logged_clicks > 100
    # Of the window the days are known.
    window = [str(moment)[:10] for moment in before.about.data_window]
    assert [str(moment)[:10] for moment in after.about.data_window] == window


# The raw events go


@pytest.fixture
def visits(store: Store) -> Store:
    """Two sessions of one day, a reader without one, a day later a third session."""
    store.keys_of(IDS)
    record(
        store,
        shown("v1", 1, 2, source=3, ts=HOUR, session="one"),
        followed("v1", 1, ts=2 * HOUR),
        followed("v1", 7, ts=2 * HOUR),  # was not in the list
        opened(4, ts=HOUR, session="one", referrer=1),
        shown("v2", 1, 2, source=3, ts=HOUR, session="two"),
        followed("v2", 2, ts=2 * HOUR),
        opened(4, ts=HOUR, session="two"),
        shown("v3", 1, 2, source=3, ts=HOUR),
        followed("v3", 1, ts=2 * HOUR),
        opened(5, ts=HOUR, referrer=6),
        followed("lost", 1, ts=2 * HOUR),
        shown("v4", 1, 2, source=3, ts=DAY + HOUR, session="three"),
        followed("v4", 1, ts=DAY + 2 * HOUR),
        opened(4, ts=DAY, session="three"),
    )
    return store


def test_of_a_session_nothing_is_left(visits: Store):
    """No view, no click, no page view, and its name stands in no table; all others stay."""
    before = everything(visits)

    gone = forget_session(visits, "one")

    assert gone == Forgotten(views=1, clicks=2, pageviews=1)
    left = everything(visits)
    assert set(left) < set(before)
    assert {row[1] for row in before if row not in left} == {"v1", ""}
    assert sessions(visits) == ["three", "two"]
    assert n_raw(visits) == (3, 4, 3)


def test_of_days_nothing_is_left(visits: Store):
    """Whole days go, clicks whose view never came with them; the day of the moment itself stays."""
    for early in (0, HOUR, DAY - 1):
        assert forget_before(visits, early) == Forgotten(0, 0, 0)

    gone = forget_before(visits, DAY + 23 * HOUR)

    assert gone == Forgotten(views=3, clicks=5, pageviews=3)
    assert sessions(visits) == ["three"]
    assert n_raw(visits) == (1, 1, 1)


def test_what_is_kept_names_no_view_and_no_session(visits: Store):
    """Four tables of numbers by day."""
    forget_before(visits, 9 * DAY)

    assert rows(visits, "SELECT day, n FROM past_views ORDER BY day") == [(0, 3), (1, 1)]
    clicks = "SELECT day, item, n, n_in_sessions FROM past_clicks ORDER BY day, item"
    assert rows(visits, clicks) == [(0, 1, 2, 1), (0, 2, 1, 1), (0, 7, 1, 1), (1, 1, 1, 1)]
    reads = "SELECT day, article, n FROM past_reads ORDER BY day, article"
    # Session one read 1, 3, 4 and 7, session two 2, 3 and 4; somebody went from 6 to 5.
    assert rows(visits, reads) == [
        (0, 1, 1), (0, 2, 1), (0, 3, 2), (0, 4, 2), (0, 5, 1), (0, 6, 1), (0, 7, 1),
        (1, 1, 1), (1, 3, 1), (1, 4, 1),
    ]  # fmt: skip
    pairs = "SELECT article, other, n FROM past_pairs WHERE day = 0 ORDER BY article, other"
    assert rows(visits, pairs) == [
        (1, 3, 1), (1, 4, 1), (1, 7, 1), (2, 3, 1), (2, 4, 1), (3, 4, 2), (3, 7, 1), (4, 7, 1),
        (5, 6, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "forget", [lambda store: forget_session(store, "two"), lambda store: forget_before(store, DAY)]
)
def test_forgetting_twice_is_forgetting_once(visits: Store, forget: Callable[[Store], Forgotten]):
    """Nothing is left to go, and nothing is counted twice."""
    before = all_counts(visits)
    assert forget(visits).views > 0
    left = everything(visits)

    assert forget(visits) == Forgotten(0, 0, 0)
    assert everything(visits) == left
    assert all_counts(visits) == before


@pytest.mark.parametrize("session", ["", "nobody", "%", "' OR 1=1 --"])
def test_a_session_nobody_had_changes_nothing(visits: Store, session: str):
    """Above all, readers without a session are not one session."""
    before = everything(visits)

    assert forget_session(visits, session) == Forgotten(0, 0, 0)
    assert everything(visits) == before


def test_a_click_is_not_lost_because_its_clock_was_behind(store: Store):
    """It bears the day before its view's; the view stays, and so does the click."""
    store.keys_of(IDS)
    record(store, shown("v", 1, source=2, ts=DAY + 5), followed("v", 1, ts=DAY - 5))

    assert forget_before(store, DAY) == Forgotten(0, 0, 0)
    assert count(store, IDS).n_clicks.tolist() == [1]
    assert forget_before(store, 2 * DAY) == Forgotten(1, 1, 0)
    assert count(store, IDS).n_clicks.tolist() == [1]


def test_a_late_click_on_a_forgotten_view_counts_no_more(store: Store):
    """There is nothing left to tell what it was shown; it goes with the next day."""
    store.keys_of(IDS)
    record(store, shown("v", 1, source=2, ts=5, session="s"))
    forget_session(store, "s")

    assert record(store, followed("v", 1, ts=HOUR)) == [True]

    assert len(count(store, IDS).n_clicks) == 0
    assert forget_before(store, DAY) == Forgotten(0, 1, 0)


# What is flagged


def test_what_is_flagged_vanishes_uncounted(store: Store):
    """A crawler, the hasty, a session's surplus, a pair's: all rows go, the sound ones count."""
    store.keys_of(IDS)
    caps = Caps(session_clicks_an_hour=2, pair_clicks_a_day=3)
    surplus = [visit(f"g{at}", HOUR + at, session="g") for at in range(3)]
    beyond = [visit(f"p{at}", 2 * HOUR + at) for at in range(4)]
    record(
        store,
        shown("crawler", 1, source=2, session="c", live=BY_CRAWLER, ts=1),
        opened(5, session="c", ts=1, live=BY_CRAWLER),
        opened(6, session="c", ts=1, live=BY_CRAWLER),
        opened(5, ts=1, referrer=6, live=BY_CRAWLER),
        shown("fast", 1, source=2, session="f", ts=1),
        followed("fast", 1, ts=2),
        *(event for visit in (*surplus, *beyond) for event in visit),
    )
    before = all_counts(store, caps)

    gone = forget_before(store, DAY, caps=caps)

    assert gone == Forgotten(views=9, clicks=8, pageviews=3)
    assert all_counts(store, caps) == before
    assert rows(store, "SELECT n, n_in_sessions FROM past_clicks") == [(3, 1)]
    assert rows(store, "SELECT n FROM past_views") == [(3,)]
    assert rows(store, "SELECT article, n FROM past_reads ORDER BY article") == [(1, 1), (2, 1)]


def test_a_crawlers_session_makes_nothing_related_after_it_is_forgotten(store: Store):
    """Its views count, as before, but who reads the whole site relates nothing."""
    ids = [f"b{at:03}" for at in range(MAX_READ_IN_SESSION + 1)]
    store.add_events(PageView(at, id, "crawler") for at, id in enumerate(ids))
    store.add_events(PageView(at, id, "reader") for at, id in enumerate(ids[1:]))

    forget_session(store, "crawler")
    assert rows(store, "SELECT COUNT(*) FROM past_reads") == [(0,)]
    assert rows(store, "SELECT COUNT(*) FROM past_pairs") == [(0,)]
    forget_session(store, "reader")
    assert rows(store, "SELECT SUM(n) FROM past_reads") == [(MAX_READ_IN_SESSION,)]


# Sessions and midnight


def test_a_session_over_midnight_is_forgotten_whole(store: Store):
    """Its pairs are known on the day the second of the two was read, as they were before."""
    store.keys_of(IDS)
    record(store, opened(1, ts=DAY - 1, session="s"), opened(2, ts=DAY, session="s"),
           opened(1, ts=DAY, session="s"))  # fmt: skip
    before = all_counts(store)

    forget_session(store, "s")

    assert all_counts(store) == before
    assert rows(store, "SELECT day, article, n FROM past_reads ORDER BY day") == [
        (0, 1, 1), (1, 2, 1),
    ]  # fmt: skip
    assert rows(store, "SELECT day, n FROM past_pairs") == [(1, 1)]


def test_a_session_over_the_midnight_up_to_which_is_forgotten_becomes_two_visits(store: Store):
    """What was read after it cannot be joined to what is forgotten: the one pair is lost."""
    store.keys_of(IDS)
    record(store, *(opened(article, ts=DAY - 2 + at, session="s")
                    for at, article in enumerate((1, 2, 3, 4))))  # fmt: skip

    forget_before(store, DAY)

    n = len(IDS)
    together = {divmod(key, n) for key in counted(count(store, IDS))["together"]}
    assert together == {(0, 1), (1, 0), (2, 3), (3, 2)}


# While others write


def test_what_comes_while_a_session_is_forgotten_is_not_lost(postgresql_url: str):
    """A page sends another event between counting and deleting: it is there afterwards. (On SQLite
    it has to wait.)
    """
    with Store(postgresql_url) as store, Store(postgresql_url) as other:
        store.keys_of(IDS)
        record(store, shown("v1", 1, source=2, ts=1, session="s"))
        before_deleting(
            store,
            "clicks",
            lambda: record(
                other, shown("v2", 1, source=2, ts=2, session="s"), opened(3, ts=2, session="s")
            ),
        )

        gone = forget_session(store, "s")

        assert gone == Forgotten(views=1, clicks=0, pageviews=0)
        assert count(store, IDS).n_views.sum() == 2
        assert n_raw(store) == (1, 0, 1)


def test_an_error_midway_forgets_nothing(store: Store):
    """All of it or none: nothing was counted and left there to be counted again."""
    random_log(store, 1)
    before = everything(store), all_counts(store)

    def fail() -> None:
        raise StoreError("the disk is full")

    before_deleting(store, "pageviews", fail)
    with pytest.raises(StoreError):
        forget_before(store, 9 * DAY)

    assert (everything(store), all_counts(store)) == before
    assert rows(store, "SELECT COUNT(*) FROM past_views") == [(0,)]


def before_deleting(store: Store, table: str, happens: Callable[[], object]) -> None:
    """Have something happen when the store is about to delete from a table."""

    def watch(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(f"DELETE FROM {table} "):
            happens()

    sql.event.listen(store.engine, "before_cursor_execute", watch)


def test_the_pieces_of_a_view_and_clicks_that_wait_go_too(store: Store):
    """By time and by session; what comes later begins anew."""
    store.add_events(
        [
            Impression("v", DAY, "a1", ("a2",), session_id="s"),
            Impression("v", DAY + 1, "a1", ("a3",), session_id="s"),
            ClickOnPage("key", DAY + 2, "a3", "a4", session_id="s"),
            ClickOnPage("other", 9 * DAY, "a3", "a4", session_id="t"),
        ]
    )

    forget_session(store, "s")

    with store.reading() as connection:
        counts = [
            connection.scalar(sql.text(f"SELECT COUNT(*) FROM {table}"))
            for table in ("views", "pieces", "clicks_on_pages")
        ]
    assert counts == [0, 0, 1]
