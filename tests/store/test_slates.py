"""Distinct slates come back as arrays, whole, whichever of them are wanted."""

import numpy as np
import pytest
from sent import record, shown
from sites import view

from recommender.store.database import Store
from recommender.store.slates import Slates, read


@pytest.fixture
def slates(store: Store) -> Slates:
    """Of three slates all but the second, which was seen twice."""
    store.add_events(
        [
            view("v1", "knee", "gout", "hip", propensities=(0.75, 0.5), list="editors"),
            view("v2", "hip", "knee", list="other"),
            view("v3", "hip", "knee", list="other"),
            view("v4", "salt", "hip", "gout", "knee", ordered=False, list="editors"),
        ]
    )
    with store.reading() as connection:
        whole = read(connection)
        more = "SELECT slate FROM slate_links WHERE rank >= :least"
        longer = read(connection, more, {"least": 2})
    assert whole.number.tolist() == [1, 2, 3]
    assert np.diff(whole.heads).tolist() == [2, 1, 3]
    return longer


def test_slates_bear_the_stores_numbers(slates: Slates):
    """Which have gaps where not all are wanted."""
    assert slates.number.tolist() == [1, 3]
    assert slates.rows(np.array([3, 1, 3])).tolist() == [1, 0, 1]
    assert [slates.lists[number] for number in slates.list] == ["editors", "editors"]
    assert slates.lists == ("editors",)


def test_links_stand_in_the_order_shown(slates: Slates, store: Store):
    """A position and a chance that nobody knows are 0 and NaN."""
    knee, gout, hip, salt = store.keys_of(["knee", "gout", "hip", "salt"])

    assert slates.source.tolist() == [knee, salt]
    assert slates.ordered.tolist() == [True, False]
    assert slates.heads.tolist() == [0, 2, 5]
    assert slates.item.tolist() == [gout, hip, hip, gout, knee]
    assert slates.position.tolist() == [1, 2, 0, 0, 0]
    np.testing.assert_equal(slates.propensity, [0.75, 0.5, np.nan, np.nan, np.nan])


def test_marked_links_are_told(slates: Slates, store: Store):
    """Those that only a request brought onto a list; of what is imported none is."""
    record(store, shown("v5", 7, 9, 8, brought=(False, True, True)))
    with store.reading() as connection:
        whole = read(connection)

    assert slates.brought.tolist() == [False] * 5
    assert whole.item[whole.brought].tolist() == [9, 8]


def test_links_of_slates_follow_one_another(slates: Slates):
    """As often as a slate is named."""
    heads, links = slates.links_of(np.array([1, 0, 1]))

    assert heads.tolist() == [0, 3, 5, 8]
    assert links.tolist() == [2, 3, 4, 0, 1, 2, 3, 4]


def test_a_store_without_slates_has_none(store: Store):
    """And nothing fails."""
    with store.reading() as connection:
        none = read(connection)
        _, links = none.links_of(np.zeros(0, dtype=np.int64))

    assert none.number.tolist() == links.tolist() == []
    assert none.heads.tolist() == [0]
