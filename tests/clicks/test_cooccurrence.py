"""What the same readers read in one visit, less the steps they took from one to the other."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from sites import Shown, click, log_of, stored, view

from recommender.articles.article import Article
from recommender.clicks import cooccurrence
from recommender.clicks.choice_model import pairs_in
from recommender.clicks.cooccurrence import PRIOR_READS, CoReading
from recommender.events.event import PageView
from recommender.store.counts import UNKNOWN, Log
from recommender.store.counts import count as count_log
from recommender.store.database import Store


def counted(log: Log, n: int) -> CoReading:
    pairs, of_link = pairs_in(log, n_articles=n)
    return cooccurrence.count(log, pairs, of_link)


def together(found: CoReading) -> dict[tuple[int, int], int]:
    """How many visits read both of each pair."""
    n = len(found.reads)
    pairs = zip((found.keys // n).tolist(), (found.keys % n).tolist(), strict=True)
    return dict(zip(pairs, found.together.astype(int).tolist(), strict=True))


VISITS = [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0), (2, 1, 0), (2, 2, 0), (3, 3, 0)]


def test_by_hand():
    """Visits {0, 1}, {0, 1}, {1, 2} and {3}: 0 and 1 twice, 1 and 2 once, both ways round."""
    found = counted(log_of(readings=VISITS), 4)

    assert together(found) == {(0, 1): 2, (1, 0): 2, (1, 2): 1, (2, 1): 1}
    assert found.reads.tolist() == [2, 3, 1, 1]
    assert found.cosine[0] == pytest.approx(2 / np.sqrt((2 + PRIOR_READS) * (3 + PRIOR_READS)))
    assert found.find(np.array([2, 0]), np.array([1, 3])).tolist() == [3, -1]


def test_direct_steps_are_taken_out():
    """One of the two visits that read 0 and 1 followed the link from 0 to 1."""
    log = log_of(Shown(0, [1, 2], [1, 0]), readings=VISITS)

    assert together(counted(log, 4)) == {(0, 1): 1, (1, 0): 1, (1, 2): 1, (2, 1): 1}


def test_steps_of_readers_without_a_session_take_nothing_away():
    """They are in no session: what readers with one read together still counts."""
    log = log_of(Shown(0, [1, 2], [1, 0]), readings=VISITS)
    anonymous = replace(log, n_in_sessions=np.zeros_like(log.n_in_sessions))

    assert together(counted(anonymous, 4)) == {(0, 1): 2, (1, 0): 2, (1, 2): 1, (2, 1): 1}


def test_links_alone_teach_no_coreading():
    """Readers who only follow shown links would learn the old lists back: they count nothing."""
    readings = [(session, article, 0) for session in range(50) for article in (0, 1)]

    assert together(counted(log_of(Shown(0, [1], [50]), readings=readings), 2)) == {}
    assert together(counted(log_of(Shown(1, [0], [80]), readings=readings), 2)) == {}


def test_random_visits_count_as_a_dictionary_would():
    """Against a slow count of all pairs in all visits."""
    random = np.random.default_rng(4)
    visits = [
        np.unique(random.integers(-1, 12, random.integers(1, 6))).tolist() for _ in range(200)
    ]
    readings = [(session, article, 0) for session, read in enumerate(visits) for article in read]

    expected: dict[tuple[int, int], int] = {}
    for read in visits:
        for one, other in combinations([article for article in read if article != UNKNOWN], 2):
            for pair in ((one, other), (other, one)):
                expected[pair] = expected.get(pair, 0) + 1
    assert together(counted(log_of(readings=readings), 12)) == expected


def test_nobody_reads():
    """A log without sessions has no co-reading, and no error."""
    found = counted(log_of(Shown(0, [1], [1])), 3)

    assert together(found) == {}
    assert found.reads.tolist() == [0, 0, 0]


def test_a_crawler_makes_nothing_related():
    """A session that reads the whole site is left out; two readers of the same pair are not."""
    ids = [f"a{number:03}" for number in range(150)]
    events = [PageView(number, id, "crawler") for number, id in enumerate(ids)]
    for name in ("one", "two"):
        events += [PageView(1, "a003", name), PageView(2, "a007", name)]
    with Store("sqlite://") as store:
        stored(store, [Article(id=id, title=id) for id in ids], events)
        log = count_log(store, ids)

    assert together(counted(log, len(ids))) == {(3, 7): 2, (7, 3): 2}


def test_from_a_store():
    """A reader opens gout, follows the link to knee, and then looks for salt: gout and salt,
    and knee and salt were read together; gout and knee were only a step.
    """
    ids = ["gout", "knee", "salt"]
    with Store("sqlite://") as store:
        events = [view("v", "gout", "knee", session_id="s"), click("v", "knee")]
        stored(store, [Article(id=id, title=id) for id in ids], [*events, PageView(9, "salt", "s")])
        log = count_log(store, ids)

    assert set(together(counted(log, 3))) == {(0, 2), (2, 0), (1, 2), (2, 1)}


def test_a_page_that_was_opened_from_another_is_read_with_it(store: Store):
    """Also by readers without a session: three went from gout to salt, one to knee, in their own
    time; who came from elsewhere, twice at once or from the page itself joins nothing.
    """
    ids = ["gout", "knee", "salt"]
    steps = [("salt", "gout"), ("salt", "gout"), ("gout", "salt"), ("knee", "gout"), ("salt", "")]
    events = [PageView(at, page, "", referrer) for at, (page, referrer) in enumerate(steps)]
    events += [PageView(0, "salt", "", "gout"), PageView(9, "knee", "", "knee")]
    stored(store, [Article(id=id, title=id) for id in ids], events)

    found = counted(count_log(store, ids), 3)

    assert together(found) == {(0, 2): 3, (2, 0): 3, (0, 1): 1, (1, 0): 1}
    assert found.reads.tolist() == [4, 2, 3]


def test_forgotten_visits_count_beside_those_that_are_known():
    """Five forgotten visits read 0 and 1, two read 1 and 3; one of the known ones is as before."""
    log = replace(
        log_of(Shown(0, [1, 2], [2, 0]), readings=VISITS),
        past_read_day=np.zeros(3, dtype=np.int32),
        past_read_article=np.array([0, 1, 3]),
        n_past_reads=np.array([5, 7, 2]),
        past_pair_day=np.zeros(3, dtype=np.int32),
        past_pair_article=np.array([0, 1, UNKNOWN]),
        past_pair_other=np.array([1, 3, 2]),
        n_past_pairs=np.array([5, 2, 9]),
    )

    found = counted(log, 4)

    # Two visits read 0 and 1 and two clicks led from the one to the other: the past's five stay.
    assert together(found) == {
        (0, 1): 5, (1, 0): 5, (1, 2): 1, (2, 1): 1, (1, 3): 2, (3, 1): 2,
    }  # fmt: skip
    assert found.reads.tolist() == [2 + 5, 3 + 7, 1, 1 + 2]


def test_what_was_read_on_later_days_teaches_nothing_about_earlier_ones():
    """Of forgotten visits too: a pair is known on the day the second of the two was read."""
    log = replace(
        log_of(readings=[(0, 0, 0), (0, 1, 2)]),
        past_pair_day=np.array([2]),
        past_pair_article=np.array([0]),
        past_pair_other=np.array([1]),
        n_past_pairs=np.array([4]),
    )

    assert together(counted(log.between(0, 2), 2)) == {}
    assert together(counted(log.between(0, 3), 2)) == {(0, 1): 5, (1, 0): 5}


def test_visits_that_are_made_up_count_so_many_times_a_day():
    """A hundred visits of one pair on one day are worth twenty, those of five days a hundred; on
    a site of five thousand visits a day, fifty.
    """
    flood = [(n, article, 0) for n in range(100) for article in (0, 1)]
    spread = [(n, article, n % 5) for n in range(100) for article in (0, 1)]
    others = [(1000 + n, 2 + n % 2, 1 + n % 3) for n in range(15_000)]

    found = [
        together(counted(log_of(readings=readings), 4))[0, 1]
        for readings in (flood, spread, [*flood, *others])
    ]

    assert found == [20, 100, 50]


def test_what_else_was_read_by_hand():
    """With 0 and with 5 the one other thing read was 1; with 1 neither 0 nor 5 is left."""
    visits = [(0, 1), (0, 1), (2, 3), (2, 3), (5, 1)]
    readings = [(visit, article, 0) for visit, row in enumerate(visits) for article in row]
    reading = counted(log_of(readings=readings), 6)

    alike = reading.alike(np.array([0, 0, 0, 0]), np.array([1, 2, 4, 5]))

    assert alike == pytest.approx([0, 0, 0, 1])
