"""What looks wrong is flagged for one of five reasons and left out of the counts."""

from collections.abc import Iterable

import pytest
from sent import followed, opened, record, shown
from sites import click, view

from recommender.cli.operators import caps_of
from recommender.config import Settings
from recommender.events.event import Event
from recommender.events.ingest import BEYOND_ORIGIN, BY_CRAWLER, Incoming
from recommender.store.click_filters import REASONS, TOO_FAST_MS, Caps, count_flagged, examples
from recommender.store.counts import Log, count, n_clicks
from recommender.store.database import Store

HOUR, DAY = 3_600_000, 86_400_000
IDS = ["gout", "knee", "salt", "sugar"]
GOUT, KNEE, SALT, SUGAR = 1, 2, 3, 4  # the store's numbers
SECOND = 1000


@pytest.fixture
def site(store: Store) -> Store:
    """A store that knows four articles by the numbers above."""
    assert store.keys_of(IDS) == [GOUT, KNEE, SALT, SUGAR]
    return store


def visit(name: str, item: int = GOUT, *, at: int = 0, after: int = SECOND, source: int = KNEE,
          session: str = "", live: int = 1) -> list[Incoming]:  # fmt: skip
    """A view of a list of three beside ``source`` and a click on one of them ``after`` that."""
    seen = shown(name, GOUT, SALT, SUGAR, source=source, ts=at, session=session, live=live)
    return [seen, followed(name, item, ts=at + after, live=live)]


def flagged(store: Store, caps: Caps | None = None) -> dict[str, int]:
    """How many are flagged, by the reasons there are any for."""
    with store.reading() as connection:
        found = count_flagged(connection, caps or Caps())
    assert set(found) == set(REASONS)
    return {reason: n for reason, n in found.items() if n}


def named(store: Store, reason: str, caps: Caps | None = None) -> list[str]:
    with store.reading() as connection:
        return examples(connection, caps or Caps(), reason)


def counted(store: Store, caps: Caps | None = None) -> tuple[int, int]:
    """Views and clicks that count."""
    log = count(store, IDS, caps=caps)
    assert n_clicks(store, caps=caps) == log.n_clicks.sum()
    return int(log.n_views.sum()), int(log.n_clicks.sum())


def clicks_on(log: Log, item: int) -> int:
    return int(log.n_clicks[log.item[log.click_link] == item - 1].sum())


def many(visits: Iterable[list[Incoming]]) -> list[Incoming]:
    return [event for events in visits for event in events]


# Crawlers


def test_a_crawler_does_not_count(site: Store):
    """Its view, its click and its page views; a reader beside it does."""
    record(
        site,
        *visit("crawler", at=5, live=BY_CRAWLER, session="c"),
        *visit("reader", at=5, session="r"),
        opened(SALT, session="c", live=BY_CRAWLER),
        opened(SUGAR, session="c", live=BY_CRAWLER),
        opened(SALT, session="r"),
    )

    assert flagged(site) == {"crawler": 1}
    assert named(site, "crawler") == ["crawler"]
    assert counted(site) == (1, 1)
    log = count(site, IDS)
    assert sorted((log.read_article + 1).tolist()) == [GOUT, KNEE, SALT]


def test_half_a_crawler_is_one(site: Store):
    """A view is left out whichever half of it a crawler sent, and so is the click."""
    record(site, shown("v", GOUT), followed("v", GOUT, live=BY_CRAWLER))
    record(site, shown("w", GOUT, live=BY_CRAWLER), followed("w", GOUT))

    assert flagged(site) == {"crawler": 2}
    assert counted(site) == (0, 0)


# Origins


def test_what_is_beyond_its_origins_allowance_does_not_count(site: Store):
    """Its view, its click and its page views; whichever half is, the view is left out."""
    record(
        site,
        *visit("beyond", at=5, live=BEYOND_ORIGIN, session="b"),
        *visit("reader", at=5, session="r"),
        opened(SALT, session="b", live=BEYOND_ORIGIN),
        opened(SUGAR, referrer=KNEE, live=BEYOND_ORIGIN),
        opened(SALT, session="r"),
        *[shown("v", GOUT, ts=5), followed("v", GOUT, ts=6, live=BEYOND_ORIGIN)],
        *[shown("w", GOUT, ts=5, live=BEYOND_ORIGIN), followed("w", GOUT, ts=6)],
    )

    assert flagged(site) == {"origin": 3}
    assert named(site, "origin") == ["beyond", "v", "w"]
    assert counted(site) == (1, 1)
    log = count(site, IDS)
    assert sorted((log.read_article + 1).tolist()) == [GOUT, KNEE, SALT]


def test_what_is_beyond_its_origins_allowance_uses_up_nothing(site: Store):
    """Neither a session's allowance nor a pair's."""
    caps = Caps(session_clicks_an_hour=1, pair_clicks_a_day=1)
    record(
        site,
        *many(visit(f"o{at}", at=at, live=BEYOND_ORIGIN, session="s") for at in range(5)),
        *visit("reader", at=HOUR - 5 * SECOND, session="s"),
    )

    assert flagged(site, caps) == {"origin": 5}
    assert counted(site, caps) == (1, 1)


# Speed


def test_nobody_clicks_within_three_tenths_of_a_second(site: Store):
    """A link that was followed 299 ms after its list was seen is flagged, after 300 it is not."""
    for after in (0, 100, TOO_FAST_MS - 1, TOO_FAST_MS, TOO_FAST_MS + 1, HOUR):
        record(site, *visit(f"after {after:,}", at=HOUR, after=after))

    assert TOO_FAST_MS == 300
    assert flagged(site) == {"fast": 3}
    assert named(site, "fast") == ["after 0", "after 100", "after 299"]
    assert counted(site) == (3, 3)


def test_a_click_before_its_view_is_not_fast(site: Store):
    """Pages send in whatever order; clocks of two machines differ."""
    for after in (-1, -100, -DAY):
        record(site, *visit(f"after {after}", at=2 * DAY, after=after))

    assert flagged(site) == {}
    assert counted(site) == (3, 3)


def test_one_fast_click_takes_the_whole_view_out(site: Store):
    """Who clicks so is no reader, and his other click and his view are no reader's."""
    record(site, *visit("v", after=100), followed("v", SALT, ts=9 * SECOND), *visit("w"))

    assert flagged(site) == {"fast": 1}
    assert counted(site) == (1, 1)


# Sessions


def test_a_sessions_thirty_first_click_in_an_hour_does_not_count(site: Store):
    """With its view; the thirty before it do, and so do the next hour's, and another session's."""
    pages = site.keys_of([f"page {at}" for at in range(37)])
    ours = [visit(f"v{at:02}", at=at * 60 * SECOND, session="s", source=pages[at])
            for at in range(33)]  # fmt: skip
    later = [visit(f"w{at}", at=HOUR + at, session="s", source=pages[33 + at]) for at in range(2)]
    theirs = [visit(f"x{at}", at=at, session="other", source=pages[35 + at]) for at in range(2)]
    record(site, *many(reversed(ours)), *many(later), *many(theirs))

    assert flagged(site) == {"session": 3}
    assert named(site, "session") == ["v30", "v31", "v32"]
    assert counted(site) == (34, 34)
    assert count(site, IDS).clicks_per_visit == pytest.approx((32**2 + 2**2) / 34)


def test_a_session_counts_once_for_a_link_and_day(site: Store):
    """Going back and forth says nothing new, and three sessions are three clicks however busy;
    the next day, and another link of the same list, count again.
    """
    busy = [visit(f"v{at}", at=at * SECOND, session=f"s{at % 3}") for at in range(60)]
    other = visit("salt", SALT, at=5, session="s0")
    later = visit("later", at=DAY, session="s0")
    record(site, *many(busy), *other, *later)

    assert flagged(site) == {"session": 57}
    assert counted(site) == (5, 5)


def test_readers_without_a_session_have_no_such_cap(site: Store):
    """They are many, and nobody knows which clicks are whose."""
    record(site, *many(visit(f"v{at}", at=at) for at in range(60)))

    assert flagged(site) == {}


# Pairs


def test_a_pairs_hundred_and_first_click_of_a_day_does_not_count(site: Store):
    """Whoever made them; the next day another hundred, and another link of the list is free."""
    caps = Caps(pair_clicks_a_day=100)
    record(
        site,
        *many(visit(f"v{at:03}", at=at * SECOND, session=f"s{at}") for at in range(103)),
        *many(visit(f"w{at}", at=DAY + at) for at in range(2)),
        *many(visit(f"x{at}", SALT, at=at) for at in range(2)),
        *many(visit(f"y{at}", at=at, source=SUGAR) for at in range(2)),
    )

    assert flagged(site, caps) == {"pair": 3}
    assert named(site, "pair", caps) == ["v100", "v101", "v102"]
    assert counted(site, caps) == (106, 106)


def test_without_a_number_a_pair_has_no_cap(site: Store):
    """A campaign for one page is no flood: what it shows is bounded with its views, not by link."""
    record(site, *many(visit(f"v{at}", at=at * SECOND) for at in range(300)))

    assert flagged(site) == {}
    assert counted(site) == (300, 300)


def test_a_replayed_token_moves_a_pair_no_further_than_its_cap(site: Store):
    """A forger follows one link under hundreds of new views, in sessions of his own or in none, at
    a reader's speed: where the site sets twenty, a day of his counts for twenty clicks, and honest
    pairs stay what they were.
    """
    caps = Caps(pair_clicks_a_day=20)
    honest = [visit(f"h{at}", SALT, at=at * HOUR, session=f"h{at}") for at in range(20)]
    record(site, *many(honest))
    before = count(site, IDS)
    forged = [visit(f"f{at}", at=at * 7 * SECOND, session=f"f{at}" if at % 2 else "")
              for at in range(400)]  # fmt: skip
    record(site, *many(forged))

    after = count(site, IDS, caps=caps)

    assert clicks_on(after, GOUT) == 20
    assert clicks_on(after, SALT) == clicks_on(before, SALT) == 20
    assert after.n_views.sum() == 20 + 20
    assert flagged(site, caps) == {"pair": 380}


def test_the_cap_of_a_pair_holds_for_the_day_its_views_count_on(site: Store):
    """Lists that were seen before midnight and followed after it are the day's that saw them."""
    caps = Caps(pair_clicks_a_day=3)
    late = DAY - 600 * SECOND
    record(
        site,
        *many(visit(f"v{at}", at=late + at, after=SECOND) for at in range(2)),
        *many(visit(f"w{at}", at=late + at, after=1200 * SECOND) for at in range(2)),
        *many(visit(f"x{at}", at=DAY + at) for at in range(3)),
    )

    log = count(site, IDS, caps=caps)

    assert named(site, "pair", caps) == ["w1"]
    assert dict(zip(log.click_day.tolist(), log.n_clicks.tolist(), strict=True)) == {0: 3, 1: 3}


def test_a_sessions_surplus_does_not_use_up_the_pairs_allowance(site: Store):
    """One session's forty clicks in the morning leave room for seventy-one other readers."""
    caps = Caps(pair_clicks_a_day=72)
    greedy = [visit(f"g{at:02}", at=at, session="greedy") for at in range(40)]
    readers = [visit(f"r{at:02}", at=2 * HOUR + at) for at in range(72)]
    record(site, *many(greedy), *many(readers))

    assert flagged(site, caps) == {"session": 39, "pair": 1}
    assert named(site, "pair", caps) == ["r71"]
    assert counted(site, caps) == (72, 72)


def test_crawlers_and_the_hasty_use_up_nothing(site: Store):
    """What is left out for another reason is not counted against anybody."""
    caps = Caps(session_clicks_an_hour=2, pair_clicks_a_day=2)
    record(
        site,
        *many(visit(f"c{at}", at=at, live=BY_CRAWLER, session="s") for at in range(5)),
        *many(visit(f"f{at}", at=at, after=9, session="s") for at in range(5)),
        *many(visit(f"r{at}", at=9 + at, session="s") for at in range(3)),
    )

    assert flagged(site, caps) == {"crawler": 5, "fast": 5, "session": 2}
    assert counted(site, caps) == (1, 1)


# What is not flagged


def test_what_was_imported_is_never_flagged(site: Store):
    """One timestamp for a whole session, two hundred clicks on one pair, no time between view and
    click; also where a live click meets an imported view.
    """
    events: list[Event] = []
    for at in range(200):
        events += [
            view(f"v{at}", "knee", "gout", "salt", session_id="one"),
            click(f"v{at}", "gout"),
        ]
    site.add_events(events)
    record(site, followed("v0", SALT, ts=0), shown("w", GOUT, ts=1), followed("x", GOUT, ts=1))
    site.add_events([click("w", "gout"), view("x", "knee", "gout")])

    assert flagged(site) == {}
    assert counted(site) == (202, 203)


def test_imports_use_up_nothing_of_the_caps(site: Store):
    """Clicks of the same pair, session and day, some imported and some live."""
    caps = Caps(session_clicks_an_hour=2, pair_clicks_a_day=2)
    for at in range(5):
        site.add_events([view(f"v{at}", "knee", "gout", session_id="s"), click(f"v{at}", "gout")])
    record(site, *many(visit(f"w{at}", at=at, session="s") for at in range(3)))

    assert flagged(site, caps) == {"session": 2}
    assert counted(site, caps) == (6, 6)


def test_an_empty_log_has_nothing_to_flag(store: Store):
    """And a click whose view never came is neither flagged nor counted."""
    assert flagged(store) == {}
    store.keys_of(IDS)
    record(store, followed("lost", GOUT))
    assert (flagged(store), counted(store)) == ({}, (0, 0))


# Settings


def test_caps_are_settings():
    """Of the environment, by way of ``config``; 30, and any number on a pair, by default."""
    assert caps_of(Settings()) == Caps() == Caps(30, 0)
    assert caps_of(Settings(session_clicks=3, pair_clicks=7)) == Caps(3, 7)


def test_other_caps_flag_the_same_log_otherwise(site: Store):
    """Nothing is decided when an event comes: a build under other caps counts other clicks."""
    pages = site.keys_of([f"page {at}" for at in range(10)])
    record(
        site,
        *many(visit(f"v{at}", at=at, session="s", source=pages[at]) for at in range(10)),
        *many(visit(f"w{at}", at=at) for at in range(10)),
    )

    for session, pair, left in ((30, 100, 20), (4, 100, 14), (30, 6, 16), (4, 3, 7), (1, 1, 2)):
        assert counted(site, Caps(session, pair)) == (left, left)
