"""What pages send is written whole, and of each event it is told whether it was new."""

import random
import threading
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest
import sqlalchemy as sql
from sent import NOON, everything, followed, move_away, opened, record, rows, shown, signed, slate

from recommender.errors import StoreError
from recommender.events.event import DAY_MS, Click, Impression, PageView
from recommender.events.ingest import (
    BY_CRAWLER,
    BY_READER,
    IMPORTED,
    Followed,
    Incoming,
    Opened,
    Shown,
)
from recommender.events.slate_token import Slate
from recommender.store import event_writer
from recommender.store.database import Store
from recommender.store.event_writer import EventWriter, Written, add_tallies

# One writer


def test_each_event_is_told_whether_it_was_new(store: Store):
    """In the order in which they came, duplicates within the group among them."""
    new = record(
        store,
        followed("v1", 7),
        shown("v1", 7, 9),
        opened(7, session="s"),
        followed("v1", 7, ts=NOON + 1),
        followed("v1", 9),
        shown("v1", 7, 9),
        followed("v2", 7),
        opened(7, session="s"),
        opened(7, session="t"),
        opened(7, session="s", referrer=1),
        opened(7, session="s", ts=NOON + 1),
    )

    assert new == [True, True, True, False, True, False, True, False, True, True, True]


def test_a_second_group_knows_the_first(store: Store):
    """By the same writer, and by one that starts anew."""
    events = [shown("v1", 7, 9), followed("v1", 7), opened(7)]
    writer = EventWriter()
    assert record(store, *events, writer=writer) == [True, True, True]

    assert record(store, *events, writer=writer) == [False, False, False]
    assert record(store, *events) == [False, False, False]
    assert record(store, *events, followed("v1", 9)) == [False, False, False, True]


def test_the_first_of_two_with_one_name_is_kept(store: Store):
    """A view id that comes again with another slate, a click at another time: nothing changes."""
    record(store, shown("v1", 7), shown("v1", 9), followed("v1", 7), followed("v1", 7, ts=NOON + 9))
    record(store, shown("v1", 9, ts=NOON + 9))

    assert everything(store) == [
        ("click", "v1", NOON, "", BY_READER, 7, 0, 0),
        ("view", "v1", NOON, "", BY_READER, 1, 1, 7),
    ]


def test_what_was_sent_stands_beside_the_view(store: Store):
    """Bundle, origins, chances, marks, variant, arm, layout and who sent it: enough without the
    bundle.
    """
    links = (7, 9), ("model", "explored"), (0.8, 0.05), True, (False, True)
    sent = Slate("b1", 85, "explore", 3, *links)
    record(store, Shown("v1", NOON, sent, "s", "bottom", BY_CRAWLER))

    assert rows(store, "SELECT * FROM views") == [
        ("v1", NOON, 1, "s", "bottom", "explore", 85, BY_CRAWLER)
    ]
    assert rows(store, "SELECT slate, source, list, ordered FROM slates") == [(1, 3, "b1", 1)]
    assert rows(store, """
        SELECT slate, rank, item, position, propensity, origin, brought FROM slate_links
        ORDER BY rank
    """) == [(1, 1, 7, 1, 0.8, "model", 0), (1, 2, 9, 2, 0.05, "explored", 1)]  # fmt: skip


def test_one_slate_is_stored_once(store: Store):
    """Whoever sees it under whatever variant; another chance, origin, mark or bundle is another
    slate.
    """
    one = slate(7, 9, variant=3, arm="best", chances=(0.8, 0.8))
    same = one._replace(variant=4)
    others = [
        one._replace(chances=(0.8, 0.7)),
        one._replace(origins=("model", "text")),
        one._replace(list="b2"),
        one._replace(items=(9, 7)),
        one._replace(source=2),
        one._replace(brought=(False, True)),
        one._replace(brought=(True, False)),
    ]

    record(store, *(Shown(f"v{at}", NOON, each, "", "", BY_READER)
                    for at, each in enumerate([one, same, one, *others])))  # fmt: skip

    views = rows(store, "SELECT view_id, slate, variant FROM views ORDER BY view_id")
    assert [row[1] for row in views] == [1, 1, 1, 2, 3, 4, 5, 6, 7, 8]
    assert [row[2] for row in views] == [3, 4, *[3] * 8]


def test_a_slate_without_links_is_a_slate(store: Store):
    """A page may have nothing to show, and was shown all the same."""
    assert record(store, shown("v1")) == [True]

    assert rows(store, "SELECT COUNT(*) FROM slate_links") == [(0,)]
    assert rows(store, "SELECT slate FROM views") == [(1,)]


def test_full_records_are_what_an_import_would_have_made(store: Store):
    """The site's own record and an import of it are one event, and are not live."""
    events = [
        Impression("v1", NOON, "knee", ("gout", "salt"), propensities=(1.0, 0.5)),
        Click("v1", NOON, "salt"),
        PageView(NOON, "salt", "s", "knee"),
        PageView(NOON, "salt", "s"),
    ]
    store.add_events(events[:2])

    assert record(store, *events) == [False, False, True, True]
    assert store.add_events(events).duplicates == 4
    assert rows(store, "SELECT COUNT(*) FROM slates") == [(1,)]
    assert rows(store, "SELECT DISTINCT live FROM pageviews") == [(IMPORTED,)]


@pytest.mark.parametrize("seed", range(2))
def test_any_order_of_arrival_makes_the_same_store(database: str, seed: int):
    """Cut into groups anywhere, some sent twice: each event was new once, and is there once."""
    events: list[Incoming] = []
    for at in range(60):
        events.append(
            shown(f"v{at}", *range(2, 3 + at % 4), source=1 + at % 3, session=f"s{at % 5}")
        )
        events.extend(followed(f"v{at}", item) for item in range(2, 2 + at % 3))
        events.append(opened(at % 7 + 1, ts=NOON + at, session=f"s{at % 5}"))
    chance = random.Random(seed)
    sent = [*events, *chance.sample(events, len(events) // 2)]
    chance.shuffle(sent)

    told: Counter[Incoming] = Counter()
    with Store(database) as store:
        writer = EventWriter()
        while sent:
            group, sent = sent[: (size := chance.randint(1, 60))], sent[size:]
            told.update(
                event
                for event, new in zip(group, record(store, *group, writer=writer), strict=True)
                if new
            )

        assert told == Counter(events)
        expected = [
            ("view", e.view_id, e.ts, e.session_id, e.live, e.slate.source, rank, item)
            for e in events if isinstance(e, Shown)
            for rank, item in enumerate(e.slate.items, start=1)
        ]  # fmt: skip
        expected += [("click", e.view_id, e.ts, "", e.live, e.item, 0, 0)
                     for e in events if isinstance(e, Followed)]  # fmt: skip
        expected += [("page", "", e.ts, e.session_id, e.live, int(e.article_id),
                      int(e.referrer_id or 0), 0)
                     for e in events if isinstance(e, Opened)]  # fmt: skip
        assert everything(store) == sorted(expected)


def test_a_large_group_is_written_in_parts(store: Store):
    """What comes twice comes in different parts, and was new the first time."""
    n = 1_005
    events = [followed(f"v{at:05}", 7) for at in range(n)]

    new = record(store, *events, *reversed(events), opened(7))

    assert new == [True] * n + [False] * n + [True]
    assert rows(store, "SELECT COUNT(*) FROM clicks") == [(n,)]


def test_what_is_remembered_is_bounded(store: Store):
    """Beyond that it is looked up anew, and found."""
    writer = EventWriter(remembers=4)

    for turn in range(2):
        for at in range(20):
            event = Impression(f"v{turn}-{at}", NOON, f"a{at % 10}", (f"a{at % 10 + 1}",))
            assert record(store, event, writer=writer) == [True]

    assert len(writer.keys) + len(writer.slates) <= 4 + 3
    assert rows(store, "SELECT COUNT(*), MAX(slate) FROM slates") == [(10, 10)]
    assert rows(store, "SELECT COUNT(*), MAX(key) FROM ids") == [(11, 11)]


# Numbers of another store


def numbered(store: Store, *ids: str) -> None:
    """Give the ids the numbers from 1 on."""
    for id in ids:
        store.keys_of([id])


def written(store: Store, *events: Incoming, writer: EventWriter | None = None) -> Written:
    with store.transaction() as connection:
        return (writer or EventWriter()).write(connection, events)


def test_a_number_that_means_something_else_is_refused(store: Store):
    """A slate of pages, signed by the store as it was before an older backup of it was restored:
    neither its view nor its click is kept, before the number is given out again nor after.
    """
    numbered(store, "knee", "gout", "salt")
    before = signed(store, [shown("v1", 2, 3), followed("v1", 3), shown("v2", 2)])
    with store.transaction() as connection:
        connection.execute(sql.text("DELETE FROM ids WHERE id = 'salt'"))
    writer = EventWriter()

    unknown = written(store, *before, writer=writer)
    numbered(store, "sugar")
    another = written(store, *before, writer=EventWriter())

    assert (unknown.new, unknown.foreign) == ([False, False, True], {0, 1})
    assert (another.new, another.foreign) == ([False, False, False], {0, 1})
    assert everything(store) == [("view", "v2", NOON, "", BY_READER, 1, 1, 2)]
    assert unknown.tallies == {"rejected other_store": 2, "folded": 0}


def test_numbers_beyond_any_store_are_refused(store: Store):
    """The largest a token can hold, and 0, which stands for none."""
    numbered(store, "knee", "gout")
    odd = [shown("v1", 2**31 - 1), shown("v2", 2, source=0), followed("v3", 2**31 - 1)]

    assert written(store, *odd).foreign == {0, 1, 2}
    assert everything(store) == []


# Slates that strangers have made


def test_what_requests_have_made_is_bounded_by_day(store: Store, monkeypatch: pytest.MonkeyPatch):
    """Beyond it one slate a page stands for all, without links; what is known or prepared stays."""
    monkeypatch.setattr(event_writer, "MAX_MADE_TO_ORDER", 3)
    writer, brought = EventWriter(), {"brought": (True,)}

    def seen(day: int) -> list[Incoming]:
        return signed(store, [
            *(shown(f"v{day}-{at}", 10 + at, ts=NOON + day * DAY_MS, **brought) for at in range(6)),
            shown(f"p{day}", 50 + day, ts=NOON + day * DAY_MS),
        ])  # fmt: skip

    first = written(store, *seen(0), writer=writer)
    again = written(store, *seen(0), writer=writer)
    other = written(store, *seen(1), writer=writer)

    assert first.new == other.new == [True] * 7
    assert again.new == [False] * 7
    # Of the second day's six, three are known, and the other three are within its allowance.
    assert [each.n_folded for each in (first, again, other)] == [3, 0, 0]
    assert rows(store, "SELECT list, COUNT(*) FROM slates GROUP BY list ORDER BY list") == [
        ("b1", 3 + 3 + 2), ("other", 1)
    ]  # fmt: skip
    assert rows(store, "SELECT COUNT(*) FROM views") == [(14,)]


# Several writers


def in_threads(jobs: Iterable[threading.Thread]) -> None:
    jobs = list(jobs)
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
        assert not job.is_alive(), "the writers wait for each other"


def test_processes_that_write_the_same_are_told_new_once(database: str):
    """Two writers on connections of their own, as two workers of a web server, at once."""
    events: list[Incoming] = []
    for at in range(40):
        events += [shown(f"v{at}", 7, 8 + at % 5), followed(f"v{at}", 7), opened(7, ts=NOON + at)]
        events.append(Impression(f"w{at}", NOON, f"a{at % 6}", (f"a{at % 7}", "b")))
    told: list[Counter[Incoming]] = [Counter(), Counter()]
    with Store(database) as store:
        signed(store, [shown("any", *range(2, 13))])  # twelve numbers, before the race

    def write(number: int) -> None:
        mine = random.Random(number).sample(events, len(events))
        writer = EventWriter()
        with Store(database) as store:
            for start in range(0, len(mine), 16):
                group = mine[start : start + 16]
                new = record(store, *group, writer=writer)
                told[number].update(e for e, is_new in zip(group, new, strict=True) if is_new)

    in_threads(threading.Thread(target=write, args=(number,)) for number in range(2))

    assert told[0] + told[1] == Counter(events)
    with Store(database) as store:
        assert rows(store, "SELECT COUNT(*) FROM views") == [(80,)]
        assert rows(store, "SELECT COUNT(*), COUNT(DISTINCT digest) FROM slates") == [(45, 45)]
        assert rows(store, "SELECT COUNT(*), MAX(key) FROM ids") == [(20, 20)]
        orphans = "SELECT COUNT(*) FROM views WHERE slate NOT IN (SELECT slate FROM slate_links)"
        assert rows(store, orphans) == [(0,)]


@pytest.mark.parametrize("table", ["views", "clicks"])
def test_a_group_that_fails_leaves_no_trace(store: Store, table: str):
    """Neither events nor numbers, though ids and slates were numbered before it failed."""
    events = [
        shown("v1", 7),
        followed("v1", 7),
        Impression("w1", NOON, "knee", ("gout",)),
        opened(7),
    ]
    signed(store, events)  # which numbers 1 and 7
    move_away(store, table)

    with pytest.raises(StoreError, match=table):
        record(store, *events)

    move_away(store, table, back=True)
    for each in ("views", "clicks", "pageviews", "slates", "slate_links"):
        assert rows(store, f"SELECT COUNT(*) FROM {each}") == [(0,)]
    assert rows(store, "SELECT key FROM ids ORDER BY key") == [(1,), (7,)]
    assert record(store, *events) == [True] * 4


# Tallies


def test_tallies_add_up_by_day(store: Store):
    """What is refused leaves no row, but is counted."""
    days: Sequence[tuple[int, dict[str, int]]] = [
        (5, {"received": 3, "rejected forged": 1}),
        (5, {"received": 4}),
        (6, {"received": 1}),
        (6, {}),
    ]
    for day, tallies in days:
        with store.transaction() as connection:
            add_tallies(connection, day, tallies)

    assert rows(store, "SELECT day, name, n FROM tallies ORDER BY day, name") == [
        (5, "received", 7), (5, "rejected forged", 1), (6, "received", 1),
    ]  # fmt: skip
