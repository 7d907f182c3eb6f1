"""Events that come while a group is made durable are the next group, and what is told is true."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sql
from sent import NOON, followed, move_away, opened, record, rows, shown, signed
from sqlalchemy.engine import Connection

from recommender.errors import StoreError
from recommender.events.event import Impression
from recommender.events.ingest import BEYOND_ORIGIN, BY_CRAWLER, IMPORTED, Incoming
from recommender.store import group_commit as journals
from recommender.store.database import Store
from recommender.store.group_commit import DAY_MS, Journal, Outcome

PATIENCE = 30


class Answers:
    """What was told of each post, by its number."""

    def __init__(self) -> None:
        self.told: dict[int, Outcome] = {}
        self.changed = threading.Condition()

    def to(self, number: int):
        """What the journal calls for this post."""

        def done(outcome: Outcome) -> None:
            assert number not in self.told, "told twice"
            with self.changed:
                self.told[number] = outcome
                self.changed.notify_all()

        return done

    def wait(self, n: int) -> dict[int, Outcome]:
        """What was told, once ``n`` posts have been answered."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.told) >= n, PATIENCE), self.told
        return self.told


class Watched:
    """A store for a journal, and whether the journal has begun to write to it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.begun = threading.Event()

    def check_mark(self, connection: Connection) -> None:
        self.store.check_mark(connection)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self.begun.set()
        with self.store.transaction() as connection:
            yield connection


class Signed(Journal):
    """A journal whose slates this store has signed."""

    def add(self, events, done, tallies=None) -> bool:
        whole = getattr(self.store, "store", self.store)
        known = None not in events
        return super().add(signed(whole, events) if known else events, done, tallies)


@pytest.fixture
def journal(store: Store) -> Iterator[Journal]:
    opened = journal_of(Watched(store))
    yield opened
    opened.close()


def journal_of(store: Store | Watched, clock: Callable[[], int] = lambda: NOON) -> Journal:
    """A journal, in whose store the articles have their numbers already."""
    signed(getattr(store, "store", store), [shown("any", *range(2, 12))])
    return Signed(store, clock=clock)


@contextmanager
def blocked(store: Store) -> Iterator[Connection]:
    """Nobody else can write until the end."""
    with store.transaction() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sql.text("LOCK TABLE views, clicks IN EXCLUSIVE MODE"))
        yield connection


def taken(journal: Journal) -> None:
    """Wait until the journal has begun to write the first that it was given."""
    assert journal.store.begun.wait(PATIENCE)


def test_a_lone_event_is_written_at_once(journal: Journal, store: Store):
    """No timer, no batch to be filled; when it is told, it is in the store."""
    answers = Answers()

    assert journal.add([shown("v1", 7), followed("v1", 7), shown("v1", 7)], answers.to(1))

    assert answers.wait(1) == {1: [True, True, False]}
    assert rows(store, "SELECT view_id FROM views") == [("v1",)]
    assert journal.n_groups == 1


def test_what_comes_meanwhile_is_one_group(journal: Journal, store: Store):
    """Fifty posts wait for the store together and are made durable by one commit."""
    answers = Answers()
    with blocked(store):
        journal.add([shown("first", 7)], answers.to(0))
        taken(journal)
        for number in range(1, 51):
            events = [shown(f"v{number}", 7), followed(f"v{number % 10}", 7)]
            assert journal.add(events, answers.to(number))
        assert answers.told == {}

    told = answers.wait(51)

    assert journal.n_groups == 2
    assert told[0] == [True]
    # The tenth to fiftieth click on a view that was clicked before are duplicates.
    assert [told[n] for n in range(1, 51)] == [[True, n <= 10] for n in range(1, 51)]
    assert rows(store, "SELECT COUNT(*) FROM views") == [(51,)]


def test_a_group_has_an_end(journal: Journal, store: Store, monkeypatch: pytest.MonkeyPatch):
    """What waits is cut where a group is full, between posts; every post is told its own."""
    monkeypatch.setattr(journals, "MAX_GROUP", 4)
    answers = Answers()
    with blocked(store):
        journal.add([shown("first", 7)], answers.to(0))
        taken(journal)
        for number in range(1, 6):
            journal.add([followed(f"v{number}", item) for item in (7, 8, 9)], answers.to(number))

    assert answers.wait(6) == {0: [True], **{n: [True] * 3 for n in range(1, 6)}}
    assert journal.n_groups == 1 + 3


def test_closing_writes_what_waits(store: Store):
    """Then nothing is taken any more."""
    answers, journal = Answers(), journal_of(store)
    with blocked(store):
        for number in range(20):
            journal.add([shown(f"v{number}", 7)], answers.to(number), {"received": 1})
        closing = threading.Thread(target=journal.close)
        closing.start()
        end = time.monotonic() + PATIENCE
        while journal.add([], lambda outcome: None):
            assert time.monotonic() < end
            time.sleep(0.002)
        assert not journal.add([shown("late", 7)], answers.to(99))
    closing.join(PATIENCE)

    assert answers.told == {number: [True] for number in range(20)}
    assert rows(store, "SELECT COUNT(*) FROM views") == [(20,)]
    assert rows(store, "SELECT n FROM tallies WHERE name = 'received'") == [(20,)]
    assert not journal.add([shown("later", 7)], answers.to(100))
    journal.close()  # twice is once


def test_a_full_queue_is_refused(journal: Journal, store: Store, monkeypatch: pytest.MonkeyPatch):
    """What is refused is not told, not written and not counted; the others are."""
    monkeypatch.setattr(journals, "MAX_WAITING", 10)
    answers = Answers()
    with blocked(store):
        journal.add([shown("first", 7)], answers.to(0))
        taken(journal)
        seven = [shown(f"v{at}", 7) for at in range(7)]
        four = [shown(f"w{at}", 7) for at in range(4)]
        assert journal.add(seven, answers.to(1), {"received": 7})
        assert not journal.add(four, answers.to(2), {"received": 4})
        assert journal.add(four[:3], answers.to(3), {"received": 3})
        assert not journal.add([shown("x", 7)], answers.to(4))

    assert sorted(answers.wait(3)) == [0, 1, 3]
    assert rows(store, "SELECT COUNT(*) FROM views") == [(11,)]
    assert rows(store, "SELECT n FROM tallies WHERE name = 'received'") == [(10,)]
    assert journal.add(four, answers.to(5))
    assert answers.wait(4)[5] == [False, False, False, True]


def test_a_failure_is_told_to_the_whole_group_and_no_other(journal: Journal, store: Store):
    """When the store is back, so is the journal; numbers of the failed group are not used."""
    answers = Answers()
    lost: list[list[Incoming]] = [[shown("v1", 7), Impression("w1", NOON, "knee", ("gout",))],
                                  [shown("v2", 9), opened(7)]]  # fmt: skip
    with blocked(store) as connection:
        journal.add([shown("first", 5)], answers.to(0))
        taken(journal)
        journal.add(lost[0], answers.to(1), {"received": 2})
        journal.add(lost[1], answers.to(2), {"received": 2})
        connection.execute(sql.text("ALTER TABLE views RENAME TO views_away"))
    told = answers.wait(3)
    assert all(isinstance(told[number], StoreError) for number in (0, 1, 2))
    assert "views" in str(told[1])
    assert journal.n_groups == 0

    move_away(store, "views", back=True)
    journal.add([shown("v3", 11, source=2)], answers.to(3), {"received": 1})

    assert answers.wait(4)[3] == [True]
    assert rows(store, """
        SELECT v.view_id, s.source, l.item FROM views v JOIN slates s ON s.slate = v.slate
        JOIN slate_links l ON l.slate = s.slate
    """) == [("v3", 2, 11)]  # fmt: skip
    # Sent again, as a page does: all of it is new.
    journal.add([*lost[0], *lost[1]], answers.to(4))
    assert answers.wait(5)[4] == [True] * 4
    assert rows(store, "SELECT COUNT(*), MAX(slate) FROM slates") == [(4, 4)]
    assert rows(store, "SELECT n FROM tallies WHERE name = 'received'") == [(5,)]


def test_a_store_that_is_busy_for_too_long_is_a_failure(database: str):
    """Pages are told, instead of waiting for ever; then it goes on."""
    answers = Answers()
    with Store(database) as other, Store(database, busy_seconds=0.05) as store:
        journal = journal_of(store)
        with blocked(other):
            journal.add([shown("v1", 7)], answers.to(1))
            assert isinstance(answers.wait(1)[1], StoreError)
        journal.add([shown("v1", 7)], answers.to(2))

        assert answers.wait(2)[2] == [True]
        journal.close()


def test_a_fault_of_ours_is_told_and_logged(journal: Journal, caplog: pytest.LogCaptureFixture):
    """What no store would do: the journal's thread outlives it."""
    answers = Answers()
    with caplog.at_level(logging.ERROR):
        journal.add([None], answers.to(1))  # type: ignore[list-item]
        outcome = answers.wait(1)[1]

    assert isinstance(outcome, StoreError)
    assert "a group of 1 events" in caplog.text
    journal.add([shown("v1", 7)], answers.to(2))
    assert answers.wait(2)[2] == [True]


def test_whoever_cannot_be_told_does_not_keep_others_waiting(
    journal: Journal, caplog: pytest.LogCaptureFixture
):
    """The connection, or the loop that waited, may be gone."""
    answers = Answers()

    def gone(outcome: Outcome) -> None:
        raise RuntimeError("Event loop is closed")

    with caplog.at_level(logging.ERROR):
        journal.add([shown("v1", 7)], gone)
        journal.add([shown("v2", 7)], answers.to(2))
        assert answers.wait(1) == {2: [True]}
        journal.add([shown("v1", 7), shown("v3", 7)], answers.to(3))

    assert answers.wait(2)[3] == [False, True]
    assert "Event loop is closed" in caplog.text


def test_tallies_are_counted_on_the_day_of_the_clock(store: Store):
    """Also those of a post in which nothing was worth keeping."""
    moment = [NOON]
    journal, answers = journal_of(store, clock=lambda: moment[0]), Answers()
    journal.add([], answers.to(1), {"received": 2, "rejected forged": 2})
    answers.wait(1)
    moment[0] += DAY_MS
    journal.add([shown("v1", 7)], answers.to(2), {"received": 1})
    journal.close()

    day = NOON // DAY_MS
    assert answers.told == {1: [], 2: [True]}
    assert rows(store, "SELECT day, name, n FROM tallies ORDER BY day, name") == [
        (day, "received", 2), (day, "rejected forged", 2), (day + 1, "received", 1),
        (day + 1, "views", 1),
    ]  # fmt: skip


def test_what_is_told_as_kept_is_kept(database: str):
    """Four threads post while the store fails now and then: exactly what was told is there."""
    answers = Answers()
    with Store(database, busy_seconds=0.02) as store, Store(database) as other:
        journal = journal_of(store)

        def post(thread: int) -> None:
            for turn in range(25):
                number = 25 * thread + turn
                journal.add([shown(f"v{number}", 7, 8 + turn % 3)], answers.to(number))
                time.sleep(0.002)

        threads = [threading.Thread(target=post, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            with blocked(other):
                time.sleep(0.05)
        for thread in threads:
            thread.join()
        told = answers.wait(100)
        journal.close()

    kept = {f"v{number}" for number, outcome in told.items() if outcome == [True]}
    with Store(database) as reopened:
        assert {view for (view,) in rows(reopened, "SELECT view_id FROM views")} == kept
        assert record(reopened, *(shown(view, 7) for view in kept)) == [False] * len(kept)
    assert all(isinstance(told[n], StoreError) for n in range(100) if f"v{n}" not in kept)


def test_what_pages_send_is_counted_by_day_as_it_comes(store: Store):
    """New views and clicks that may count, views of what a request brought, and what its origin
    should not have sent; no duplicate, no crawler, no import.
    """
    journal, answers = journal_of(store), Answers()
    events: list[Incoming] = [
        shown("v1", 7, 8),
        shown("v1", 7, 8),
        shown("v2", 7, 8, brought=(False, True)),
        followed("v1", 7),
        followed("v1", 8),
        opened(7),
        shown("robot", 7, live=BY_CRAWLER),
        shown("more", 7, 8, brought=(False, True), live=BEYOND_ORIGIN),
        followed("more", 7, live=BEYOND_ORIGIN),
        opened(8, live=BEYOND_ORIGIN),
        shown("whole", 7, live=IMPORTED),
        Impression("file", NOON, "a", ("b",)),
    ]

    journal.add(events, answers.to(1))
    journal.add(events, answers.to(2))
    journal.close()

    counted = rows(store, "SELECT name, n FROM tallies ORDER BY name")
    assert counted == [("beyond origin", 3), ("brought", 1), ("clicks", 2), ("views", 2)]


def test_what_could_not_be_written_is_not_counted(store: Store):
    """When the page sends it again it is, once."""
    journal, answers = journal_of(store), Answers()
    move_away(store, "clicks")
    journal.add([followed("v1", 7)], answers.to(1), {"received": 1})
    assert isinstance(answers.wait(1)[1], StoreError)
    move_away(store, "clicks", back=True)
    journal.add([followed("v1", 7)], answers.to(2), {"received": 1})
    journal.close()

    counted = rows(store, "SELECT name, n FROM tallies ORDER BY name")
    assert counted == [("clicks", 1), ("received", 2)]


def test_a_view_may_be_posted_in_pieces(store: Store):
    """By the site itself: further links are new, the same ones are not; a page's view is whole."""
    journal, answers = Journal(store, clock=lambda: NOON), Answers()
    posts = [
        [Impression("v1", NOON, "a1", ("a2", "a3"))],
        [Impression("v1", NOON + 9, "a1", ("a4",)), Impression("v1", NOON, "a1", ("a2", "a3"))],
        [Impression("v1", NOON + 99, "a1", ("a3",))],
    ]
    for number, post in enumerate(posts):
        journal.add(post, answers.to(number))
        answers.wait(number + 1)
    journal.close()

    assert answers.told == {0: [True], 1: [True, False], 2: [False]}
    query = (
        "SELECT i.id FROM views v JOIN slate_links l ON l.slate = v.slate "
        "JOIN ids i ON i.key = l.item ORDER BY l.rank"
    )
    with store.reading() as connection:
        assert [*connection.scalars(sql.text(query))] == ["a2", "a3", "a4"]
