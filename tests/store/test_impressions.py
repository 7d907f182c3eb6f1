"""The log is read as it happened: whole slates, with their chances, visit by visit."""

import numpy as np
import pytest
from sent import record
from sites import DAY, click, view

from recommender.events.ingest import BY_READER, Followed, Shown
from recommender.events.slate_token import Slate
from recommender.store import queries
from recommender.store.database import Store
from recommender.store.impressions import Impressions, read


def followed(log: Impressions) -> list[str]:
    """The ids of the links that were followed."""
    return [log.ids[item] for item in log.item[log.click_link]]


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
    assert log.randomised.tolist() == [s == one for s in (0, 1)]
    assert log.propensity[log.heads[one] :][:2].tolist() == [0.75, 0.5]
    followed = [(log.layouts[log.layout[log.link_slate[at]]], log.ids[log.item[at]])
                for at in log.click_link]  # fmt: skip
    assert sorted(followed) == [("", "a"), ("", "b"), ("side", "b")]
    assert (log.slate[log.click_view] == log.link_slate[log.click_link]).all()


def test_layouts_of_later_views_take_no_name_from_those_that_are_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    """Only so many keep theirs, those with the most views."""
    monkeypatch.setattr("recommender.store.click_filters.MAX_LAYOUTS", 1)
    early = view("v1", "p", "a", "b", layout="side")
    late = [early._replace(view_id=f"w{n}", ts=early.ts + 9 * DAY, layout="new") for n in range(5)]
    store.add_events([early, *late])

    assert read(store, latest=early.ts).layouts == ["side"]


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
    """Later than the moment, which is the last of the data a bundle was built from, not at it."""
    store.add_events([view(f"v{day}", "p", "a", "b", day=day) for day in range(4)])

    assert read(store).ts.tolist() == [0, DAY, 2 * DAY, 3 * DAY]
    assert read(store, after=DAY).ts.tolist() == [2 * DAY, 3 * DAY]
    assert len(read(store, after=3 * DAY).slate) == 0


def test_views_come_in_the_order_of_time(store: Store):
    """Whatever order they arrived in; those of one visit belong together, and a view without a
    session is a visit of its own.
    """
    sessions = {"v3": "a", "v2": "b", "v1": "a", "v5": "", "v4": ""}
    store.add_events(
        view(name, "p", "a", "b", session_id=session, day=int(name[1]))
        for name, session in sessions.items()
    )

    log = read(store)

    assert log.ts.tolist() == [day * DAY for day in (1, 2, 3, 4, 5)]
    assert log.session.tolist() == [0, 1, 0, 2, 3]


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

    monkeypatch.setattr(queries, "BLOCK", 2)
    parts = read(store)

    for name in ("slate", "session", "click_view", "click_link"):
        assert getattr(parts, name).tolist() == getattr(whole, name).tolist()
    assert whole.n_sessions == 3
    assert len(whole.click_view) == 12


def test_how_often_links_were_shown_and_clicked(store: Store):
    """All views count, followed or not."""
    store.add_events(
        [view("v1", "p", "a", "b"), view("v2", "p", "a", "b"), view("v3", "p", "b"),
         click("v1", "b"), click("v2", "b"), click("v2", "a")]
    )  # fmt: skip

    log = read(store)
    shown, clicked = log.shown_and_clicked()

    slates = [[log.ids[item] for item in log.item[log.heads[s] : log.heads[s + 1]]] for s in (0, 1)]
    assert slates == [["a", "b"], ["b"]]
    assert (shown.tolist(), clicked.tolist()) == ([2, 2, 1], [1, 2, 0])


# Views by which an order can be judged


def test_views_without_a_click_are_not_judged(store: Store):
    """Two followed links of three, in the order shown; the other view only counts."""
    store.add_events(
        [
            view("v0", "knee", "gout", "salt", "hip"),
            view("v1", "knee", "gout", "salt", "hip", session_id="s"),
            click("v1", "hip"),
            click("v1", "gout"),
        ]
    )

    log = read(store)
    judged = log.followed()

    assert (len(log.slate), len(judged.slate), judged.n_sessions) == (2, 1, 1)
    assert followed(judged) == ["gout", "hip"]
    assert judged.click_view.tolist() == [0, 0]
    assert judged.size[judged.slate].tolist() == [3]


def test_visits_are_numbered_as_they_are_met(store: Store):
    """So that a bootstrap of the judged views draws the same, whatever else the log holds."""
    names = (("v1", "a"), ("v2", "b"), ("v3", "a"), ("v4", ""), ("v5", ""))
    for day, (name, session) in enumerate(names):
        store.add_events([view(name, "knee", "gout", "hip", session_id=session, day=day)])
        if name != "v1":
            store.add_events([click(name, "hip", day=day)])

    assert read(store).session.tolist() == [0, 1, 0, 2, 3]
    assert read(store).followed().session.tolist() == [0, 1, 2, 3]


def test_what_cannot_be_judged_is_left_out(store: Store):
    """A list of one link has one order; a click on what was not shown followed no link of it."""
    store.add_events(
        [
            view("v1", "knee", "gout"), click("v1", "gout"),
            view("v2", "knee", "gout", "hip"), click("v2", "salt"),
            click("v3", "hip"),
        ]
    )  # fmt: skip

    log = read(store)

    assert len(log.followed().slate) == len(log.followed().click_link) == 0
    assert len(log.slate) == 2


def test_an_order_that_is_not_known_is_told(store: Store):
    """Some logs hold sets."""
    store.add_events(
        [
            view("v1", "knee", "gout", "hip", ordered=False), click("v1", "hip"),
            view("v2", "knee", "gout", "salt"), click("v2", "salt"),
        ]
    )  # fmt: skip

    views = read(store).followed()

    assert views.ordered[views.slate].tolist() == [False, True]


def test_what_is_flagged_is_not_judged():
    """A bundle is not better because a robot likes it."""
    with Store("sqlite://") as store:
        keys = store.keys_of(["knee", "gout", "salt"])
        slate = Slate("b", None, "", keys[0], (keys[1], keys[2]), ("model", "model"), None)
        record(
            store,
            Shown("robot", 0, slate, "", "", BY_READER),
            Followed("robot", 10, keys[1], BY_READER, slate),
            Shown("reader", 0, slate, "", "", BY_READER),
            Followed("reader", 1000, keys[2], BY_READER, slate),
        )

        log = read(store)

    assert (len(log.slate), followed(log.followed())) == (1, ["salt"])


def test_an_empty_log_is_empty(store: Store):
    """No view, no visit, no click."""
    log = read(store)

    assert len(log.slate) == len(log.click_view) == log.n_sessions == 0
    assert len(log.followed().slate) == 0
