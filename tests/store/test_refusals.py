"""Refused posts are counted by day, and of origins that anybody can make up few are named."""

import time
from collections import Counter

import pytest
from sent import NOON, rows

from recommender.events.event import DAY_MS
from recommender.store import group_commit
from recommender.store.database import Store
from recommender.store.group_commit import Journal
from recommender.store.refusals import (
    MAX_NAMED,
    MAX_REMEMBERED,
    NOT_ALLOWED,
    Refusals,
    origins_of,
    refused_origins,
)

DAY = NOON // DAY_MS
OWN = "https://blog.example.org"


def write(store: Store, refusals: Refusals, day: int = DAY) -> None:
    taken = refusals.take(day)
    with store.transaction() as connection:
        taken.write(connection)


def tallies(store: Store, day: int = DAY) -> dict[str, int]:
    found = rows(store, f"SELECT name, n FROM tallies WHERE day = {day}")
    return {str(name): int(str(n)) for name, n in found}


def test_refused_posts_are_counted_by_reason_and_origin(store: Store):
    refusals = Refusals()
    for code, origin in ((NOT_ALLOWED, OWN), (NOT_ALLOWED, OWN.upper()), ("body_too_large", None),
                         (NOT_ALLOWED, "<script>")):  # fmt: skip
        refusals.add(code, origin)
    assert refusals
    write(store, refusals)
    write(store, refusals)  # nothing is left

    assert not refusals
    assert tallies(store) == {
        f"refused {NOT_ALLOWED}": 3, "refused body_too_large": 1, f"origin {OWN}": 2,
    }  # fmt: skip
    assert origins_of(tallies(store)) == {OWN: 2, "other": 1}


def test_a_flood_of_names_neither_fills_the_store_nor_hides_a_real_one(store: Store):
    """Twenty thousand made-up origins come first and in between; the site's own is still named."""
    refusals = Refusals()
    for n in range(20_000):
        refusals.add(NOT_ALLOWED, f"https://made-up-{n}.example")
        if n % 500 == 0:
            refusals.add(NOT_ALLOWED, OWN)
        if n % 4_000 == 0:
            write(store, refusals)
    write(store, refusals)

    found = tallies(store)
    names = {name for name in found if name.startswith("origin ")}
    assert len(names) <= MAX_NAMED
    assert found[f"origin {OWN}"] == 40
    assert found[f"refused {NOT_ALLOWED}"] == 20_040
    assert len(refusals._once) + len(refusals._often) <= 2 * MAX_REMEMBERED
    assert sum(origins_of(found).values()) == 20_040
    with store.reading() as connection:
        origins, n_other = refused_origins(connection, first_day=DAY)
    assert (origins[0].origin, origins[0].n) == (OWN, 40)
    assert n_other + sum(each.n for each in origins) == 20_040


def test_several_processes_name_no_more_together(store: Store):
    for process in range(4):
        refusals = Refusals()
        for n in range(MAX_NAMED):
            refusals.add(NOT_ALLOWED, f"https://{process}-{n}.example")
        write(store, refusals)

    assert sum(name.startswith("origin ") for name in tallies(store)) == MAX_NAMED


def test_what_could_not_be_written_is_written_later(store: Store):
    refusals = Refusals()
    refusals.add(NOT_ALLOWED, OWN)
    refusals.put_back(refusals.take(DAY))
    write(store, refusals)

    assert tallies(store) == {f"refused {NOT_ALLOWED}": 1, f"origin {OWN}": 1}


def test_every_day_has_its_own_and_allowed_ones_are_not_named_any_more(store: Store):
    refusals = Refusals()
    for day in (DAY, DAY + 1, DAY + 1):
        refusals.add(NOT_ALLOWED, OWN)
        write(store, refusals, day)

    with store.reading() as connection:
        (found,), n_other = refused_origins(connection, first_day=DAY)
        assert refused_origins(connection, first_day=DAY, allowed={OWN}) == ([], 0)
    assert (found.n, n_other) == (3, 0)
    assert found.first < found.last
    assert tallies(store, DAY + 1)[f"origin {OWN}"] == 2


def test_who_comes_day_after_day_stands_before_who_came_often_once(store: Store):
    """The forgotten site's own before a name that somebody made up; of one day the more often."""
    made_up, rare = "https://made-up.example", "https://rare.example"
    for day, counts in enumerate([{OWN: 2}, {OWN: 2, made_up: 50, rare: 1}]):
        refusals = Refusals()
        for name, n in counts.items():
            for _ in range(n):
                refusals.add(NOT_ALLOWED, name)
        write(store, refusals, DAY + day)

    with store.reading() as connection:
        found, _ = refused_origins(connection, first_day=DAY)

    assert [(each.origin, each.n, each.n_days) for each in found] == [
        (OWN, 4, 2), (made_up, 50, 1), (rare, 1, 1),
    ]  # fmt: skip


def test_refused_posts_are_no_writes_of_their_own(store: Store, monkeypatch: pytest.MonkeyPatch):
    """A thousand of them are one group, some seconds later, and what is left goes at the end."""
    monkeypatch.setattr(group_commit, "REFUSED_SECONDS", 0.3)
    journal = Journal(store, clock=lambda: NOON)
    for n in range(1_000):
        journal.refuse(NOT_ALLOWED, f"https://made-up-{n % 7}.example")
    assert journal.n_groups == 0
    until = time.monotonic() + 30
    while journal.n_groups == 0 and time.monotonic() < until:
        time.sleep(0.02)
    assert journal.n_groups == 1
    journal.refuse("too_many_requests")
    assert journal.close(30)

    assert journal.n_groups == 2
    assert Counter(tallies(store)) == Counter({
        f"refused {NOT_ALLOWED}": 1_000, "refused too_many_requests": 1,
        **{f"origin https://made-up-{n}.example": 143 if n < 6 else 142 for n in range(7)},
    })  # fmt: skip


def test_who_asks_for_them_need_not_wait(store: Store):
    journal = Journal(store, clock=lambda: NOON)
    journal.refuse(NOT_ALLOWED, OWN)
    journal.count_refused(30)

    assert tallies(store)[f"origin {OWN}"] == 1
    journal.count_refused(30)  # nothing waits, and nobody has to
    assert journal.close(30)
