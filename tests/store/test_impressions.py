"""The log is read as it happened: whole slates, with their chances, visit by visit."""

import numpy as np
from sites import click, view

from recommender.store.database import Store
from recommender.store.impressions import n_until, read


def test_views_keep_their_slates_chances_and_clicks(store: Store):
    """Two views of one list and one of another; a click on what was not shown is none."""
    store.add_events(
        [
            view("v1", "page", "a", "b", propensities=(0.75, 0.5), session_id="s"),
            view("v2", "page", "a", "b", propensities=(0.75, 0.5)),
            view("v3", "page", "b", "a", session_id="s", layout="side"),
            click("v1", "b"), click("v1", "a"), click("v3", "b"), click("v2", "c"),
        ]
    )  # fmt: skip

    log = read(store)

    assert len(log.slate) == 3
    assert log.n_sessions == 2  # that of v1 and v3, and v2's own
    assert sorted(np.bincount(log.session).tolist()) == [1, 2]
    shown = [[log.ids[item] for item in log.item[log.heads[s] : log.heads[s + 1]]] for s in (0, 1)]
    assert sorted(shown) == [["a", "b"], ["b", "a"]]
    assert {log.ids[source] for source in log.source} == {"page"}
    one = shown.index(["a", "b"])
    assert log.by_lot.tolist() == [s == one for s in (0, 1)]
    assert log.chance[log.heads[one] :][:2].tolist() == [0.75, 0.5]
    followed = [(log.layouts[log.layout[log.link_slate[at]]], log.ids[log.item[at]])
                for at in log.click_link]  # fmt: skip
    assert sorted(followed) == [("", "a"), ("", "b"), ("side", "b")]
    assert (log.slate[log.click_view] == log.link_slate[log.click_link]).all()


def test_a_slate_is_one_in_each_layout(store: Store):
    """Since places are looked at differently there."""
    store.add_events(
        [view("v1", "p", "a", "b", layout="end"), view("v2", "p", "a", "b", layout="side"),
         click("v2", "a")]
    )  # fmt: skip

    log = read(store)

    assert [log.layouts[layout] for layout in log.layout[log.slate]] == ["end", "side"]
    assert log.place.tolist() == [0, 1, 0, 1]
    assert log.link_slate[log.click_link].tolist() == [log.slate[1]]


def test_only_later_views_are_read(store: Store):
    """Later than the moment, not at it."""
    store.add_events([view(f"v{day}", "p", "a", "b", day=day) for day in range(4)])

    assert len(read(store, after=86_400_000).slate) == 2
    assert n_until(store, 86_400_000) == 2


def test_views_of_some_slates_are_renumbered(store: Store):
    """Views, visits and clicks of what is kept agree with one another."""
    store.add_events(
        [view("v1", "p", "a", "b"), view("v2", "q", "b", "a"), click("v1", "a"), click("v2", "a")]
    )
    log = read(store)
    of_q = np.array([log.ids[source] == "q" for source in log.source])

    kept = log.views_of(of_q)

    assert len(kept.slate) == kept.n_sessions == 1
    assert kept.click_view.tolist() == [0]
    assert log.ids[kept.item[kept.click_link[0]]] == "a"
    assert kept.place[kept.click_link[0]] == 1


def test_blocks_of_rows_change_nothing(store: Store, monkeypatch):
    """A view whose rows end one block and begin the next is one view."""
    store.add_events(
        [view(f"v{n}", "p", "a", "b", session_id=f"s{n % 3}") for n in range(12)]
        + [click(f"v{n}", id) for n in range(0, 12, 2) for id in "ab"]
    )
    whole = read(store)
    from recommender.store import impressions

    monkeypatch.setattr(impressions, "ROWS", 2)
    parts = read(store)

    for name in ("slate", "session", "click_view", "click_link"):
        assert getattr(parts, name).tolist() == getattr(whole, name).tolist()
    assert whole.n_sessions == 3
    assert len(whole.click_view) == 12


def test_an_empty_log_is_empty(store: Store):
    """No view, no visit, no click."""
    log = read(store)

    assert len(log.slate) == len(log.click_view) == log.n_sessions == 0
