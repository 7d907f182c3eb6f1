"""Held-out views come back whole: what was shown, what was followed, and in which visit."""

from sites import DAY, click, view

from recommender.events.ingest import BY_READER, Followed, Shown
from recommender.events.slate_token import Slate
from recommender.store.database import Store
from recommender.store.event_writer import Recorder
from recommender.store.replay import clicked_views


def test_a_view_is_its_slate_and_its_clicks(store: Store):
    """Two followed links of three, in the order shown; a view without a click only counts."""
    store.add_events(
        [
            view("v1", "knee", "gout", "salt", "hip", session_id="s"),
            click("v1", "hip"),
            click("v1", "gout"),
            view("v2", "knee", "gout", "salt", "hip"),
        ]
    )

    views = clicked_views(store)

    slate = views.slate[0]
    shown = views.items[views.heads[slate] : views.heads[slate + 1]]
    assert (views.source[slate], shown) == ("knee", ["gout", "salt", "hip"])
    assert sorted(views.items[at] for at in views.followed) == ["gout", "hip"]
    assert views.of_view.tolist() == [0, 0]
    assert (views.size.tolist(), views.n_shown) == ([3], 2)


def test_views_of_one_session_belong_together(store: Store):
    """A view without a session is a visit of its own."""
    for name, session in (("v1", "a"), ("v2", "b"), ("v3", "a"), ("v4", ""), ("v5", "")):
        store.add_events(
            [view(name, "knee", "gout", "hip", session_id=session), click(name, "hip")]
        )

    assert clicked_views(store).session.tolist() == [0, 1, 0, 2, 3]


def test_only_later_views_come(store: Store):
    """Later than the moment given, which is the last of the data a bundle was built from."""
    store.add_events(
        event
        for day in (1, 2, 3)
        for event in (
            view(f"v{day}", "knee", "gout", "hip", day=day),
            click(f"v{day}", "hip", day=day),
        )
    )

    assert [clicked_views(store, after=at * DAY).n_shown for at in (0, 1, 2, 3)] == [3, 2, 1, 0]
    assert len(clicked_views(store, after=2 * DAY).slate) == 1


def test_what_cannot_be_judged_is_left_out(store: Store):
    """A list of one link has one order; a click on what was not shown followed no link of it."""
    store.add_events(
        [
            view("v1", "knee", "gout"), click("v1", "gout"),
            view("v2", "knee", "gout", "hip"), click("v2", "salt"),
            click("v3", "hip"),
        ]
    )  # fmt: skip

    views = clicked_views(store)

    assert len(views.slate) == len(views.followed) == 0
    assert views.n_shown == 2


def test_an_empty_log_has_no_views(store: Store):
    """And nothing fails."""
    assert clicked_views(store).n_shown == 0


def test_an_order_that_is_not_known_is_told(store: Store):
    """Some logs hold sets."""
    store.add_events(
        [
            view("v1", "knee", "gout", "hip", ordered=False), click("v1", "hip"),
            view("v2", "knee", "gout", "salt"), click("v2", "salt"),
        ]
    )  # fmt: skip

    views = clicked_views(store)

    assert sorted(views.ordered[views.slate].tolist()) == [False, True]


def test_what_is_flagged_is_not_judged():
    """A bundle is not better because a robot likes it."""
    with Store("sqlite://") as store:
        keys = store.keys_of(["knee", "gout", "salt"])
        slate = Slate("b", None, "", keys[0], (keys[1], keys[2]), ("model", "model"), None)
        with store.transaction() as connection:
            Recorder().write(
                connection,
                [
                    Shown("robot", 0, slate, "", "", BY_READER),
                    Followed("robot", 10, keys[1], BY_READER),
                    Shown("reader", 0, slate, "", "", BY_READER),
                    Followed("reader", 1000, keys[2], BY_READER),
                ],
            )

        views = clicked_views(store)

    assert (views.n_shown, [views.items[at] for at in views.followed]) == (1, ["salt"])
