"""Data frames: what stands in them, and that the database leaves out what is not wanted."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sql
from sent import record
from sites import DAY, click, stored, view

from recommender.articles.article import Article
from recommender.errors import ArgumentError, InputError
from recommender.events.event import Event
from recommender.events.ingest import BY_READER, Followed, Shown
from recommender.events.slate_token import Slate
from recommender.frames.site import Site
from recommender.store import counts
from recommender.store.database import Store
from recommender.store.retention import forget_before

TEXT = str(pd.Series([""]).dtype)
TYPES = {
    "impressions": {
        "view_id": TEXT, "ts": "datetime64[ms, UTC]", "source_id": TEXT, "shown": "object",
        "ordered": "bool", "session_id": TEXT, "list": "category", "layout": "category",
        "arm": "category", "variant": "Int16", "propensities": "object", "slate": "int64",
        "flagged": "bool",
    },
    "clicks": {"view_id": TEXT, "ts": "datetime64[ms, UTC]", "clicked": TEXT},
    "slates": {
        "slate": "int64", "source_id": TEXT, "list": "category", "ordered": "bool",
        "shown": "object", "propensities": "object", "origins": "object", "views": "int64",
    },
    "daily_counts": {
        "day": "datetime64[ms, UTC]", "source_id": TEXT, "target_id": TEXT, "list": "category",
        "layout": "category", "arm": "category", "position": "Int16", "shown": "int64",
        "clicked": "int64",
    },
    "articles": {
        **dict.fromkeys(
            ["id", "title", "body", "teaser", "url", "category"], TEXT),
        "tags": "object",
        **dict.fromkeys(["published_at", "updated_at", "language", "author", "image"], TEXT),
        "recommended": "object", "previous": TEXT, "next": TEXT,
        "sensitive": "bool", "stub": "bool",
    },
}  # fmt: skip
ARTICLES = [
    Article("knee", "Knee", body="knee joint stairs", category="joints", tags=("a", "b"),
            recommended=("hip", "睡/眠"), published_at="2026-11-01"),
    Article("hip", "Hip", body="hip joint stairs"),
    Article("睡/眠", "睡眠", body="night dream bed", sensitive=True),
]  # fmt: skip
# Whatever is limited, on its own and together.
LIMITS: list[dict[str, object]] = [
    {"since": "1970-01-03"},
    {"until": datetime(1970, 1, 4, 12, tzinfo=UTC)},
    {"since": pd.Timestamp("1970-01-02T02:00", tz="UTC"), "until": "1970-01-05"},
    {"source": "knee"},
    {"source": ["hip", "睡/眠"]},
    {"source": []},
    {"layout": "bottom"},
    {"layout": ["", "sidebar"]},
    {"list": "hand-picked"},
    {"list": ["", "new"], "source": "knee", "layout": "bottom", "since": "1970-01-02"},
]


def events() -> Iterator[Event]:
    """Two hundred views of ten days, in every mixture; a click in four, on the second link."""
    ids = [article.id for article in ARTICLES]
    for number in range(200):
        source = ids[number % 3]
        shown = [id for id in ids if id != source]
        day = number / 20
        propensities = (0.5, 0.5) if number % 5 == 0 else None
        yield view(
            f"v{number:03}", source, *(shown[::-1] if number % 2 else shown), day=day,
            ordered=number % 11 > 0, session_id="" if number % 4 else f"s{number // 8}",
            layout=("bottom", "sidebar", "")[number % 7 % 3], list=("hand-picked", "new", "")[
                number % 13 % 3], arm="b" if number % 9 == 0 else "", propensities=propensities,
        )  # fmt: skip
        if number % 4 == 0:
            yield click(f"v{number:03}", shown[0], day=day)
    yield click("lost", "hip", day=3)


@pytest.fixture
def site(store: Store) -> Site:
    return Site(stored(store, ARTICLES, events()))


def expected(frame: pd.DataFrame, limits: dict[str, object], ts: str = "ts") -> pd.DataFrame:
    """The rows that meet the limits, told by pandas."""
    keep = np.ones(len(frame), dtype=bool)
    for name, column in (("source", "source_id"), ("layout", "layout"), ("list", "list")):
        if name in limits:
            wanted = limits[name]
            keep &= frame[column].isin([wanted] if isinstance(wanted, str) else wanted)
    if "since" in limits:
        keep &= frame[ts] >= pd.to_datetime(limits["since"], utc=True)
    if "until" in limits:
        keep &= frame[ts] < pd.to_datetime(limits["until"], utc=True)
    return frame[keep].reset_index(drop=True)


def same(found: pd.DataFrame, wanted: pd.DataFrame) -> bool:
    """Equal but for names that do not occur."""
    for frame in (found, wanted):
        for name in set(frame) & {"list", "layout", "arm"}:
            frame[name] = frame[name].astype(TEXT)
    pd.testing.assert_frame_equal(found, wanted)
    return True


def fetched(site: Site, read: str, **limits: object) -> int:
    """How many rows the database hands over for the frame itself: its statement, asked again."""
    asked: list[tuple[str, object]] = []

    def note(connection, cursor, statement, parameters, context, many):  # type: ignore[no-untyped-def]
        asked.append((statement, parameters))

    sql.event.listen(site.store.engine, "before_cursor_execute", note)
    getattr(site, read)(**limits)
    sql.event.remove(site.store.engine, "before_cursor_execute", note)
    own = ("SELECT v.view_id, v.ts", "SELECT c.view_id, c.ts")
    [(statement, parameters)] = [each for each in asked if each[0].startswith(own)]
    with site.store.reading() as connection:
        return len(connection.exec_driver_sql(statement, parameters).all())


def test_a_view_by_hand(site: Site):
    """All its columns."""
    first = site.impressions().iloc[0].to_dict()

    assert pd.isna(first.pop("variant"))
    assert first == {
        "view_id": "v000", "ts": pd.Timestamp(0, tz="UTC"), "source_id": "knee",
        "shown": ["hip", "睡/眠"], "ordered": False, "session_id": "s0", "list": "hand-picked",
        "layout": "bottom", "arm": "b", "propensities": [0.5, 0.5], "slate": 1,
        "flagged": False,
    }  # fmt: skip


def test_views_clicks_and_slates_go_together(site: Site):
    """A slate holds what its views showed; a click is on what its view showed."""
    views, clicks, slates = site.impressions(), site.clicks(), site.slates()

    both = views.merge(slates, on="slate", suffixes=("", "_of_slate"))
    assert len(both) == len(views) == 200
    for name in ("source_id", "shown", "propensities"):
        assert both[name].tolist() == both[f"{name}_of_slate"].tolist()
    assert (views.groupby("slate").size() == slates.set_index("slate")["views"]).all()
    followed = clicks.merge(views, on="view_id")
    assert len(clicks) == 51
    assert len(followed) == 50
    assert all(row.clicked in row.shown for row in followed.itertuples())


def test_limits_are_what_filtering_the_whole_gives(site: Site):
    """For views, for clicks, which know their page by their view, and for slates."""
    whole, all_clicks = site.impressions(), site.clicks()
    of_view = whole[["view_id", "source_id", "layout", "list"]]
    for limits in LIMITS:
        how = "inner" if {"source", "layout", "list"} & limits.keys() else "left"
        clicks = all_clicks.merge(of_view, on="view_id", how=how)

        views = site.impressions(**limits)
        seen = views["slate"].value_counts()

        assert same(views, expected(whole, limits)), limits
        assert same(site.clicks(**limits), expected(clicks, limits)[["view_id", "ts", "clicked"]])
        slates = site.slates(**limits).set_index("slate")["views"]
        assert slates.to_dict() == seen.to_dict(), limits


def test_the_database_leaves_out_what_is_not_wanted(site: Site):
    """It hands over as many rows as the frame has."""
    for limits in LIMITS:
        assert fetched(site, "impressions", **limits) == len(site.impressions(**limits)) < 200
        assert fetched(site, "clicks", **limits) == len(site.clicks(**limits)) < 51


def test_only_the_columns_wanted_are_read(site: Site):
    """In the order wanted."""
    few = site.impressions(columns=["layout", "ts"])

    assert list(few) == ["layout", "ts"]
    pd.testing.assert_frame_equal(few, site.impressions()[["layout", "ts"]])
    assert list(site.clicks(columns="clicked")) == ["clicked"]
    assert list(site.slates(columns=["views"])) == ["views"]
    titles = site.articles(columns=["id", "title"], ids=["knee", "nobody"])
    assert titles.to_dict("list") == {"id": ["knee"], "title": ["Knee"]}


def test_pieces_make_the_whole(site: Site):
    """With the same types, whatever the size."""
    for read, size in product((site.impressions, site.clicks), (7, 50, 200, 1000)):
        pieces = list(read(chunk_size=size))

        assert {len(piece) for piece in pieces[:-1]} <= {size}
        pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), read())


def test_pieces_come_when_they_are_asked_for(site: Site):
    """And show one state of the log, whatever is written meanwhile."""
    pieces = site.impressions(chunk_size=50)
    first = next(pieces)

    stored(site.store, [], [view("late", "knee", "hip", day=20)])

    assert len(first) == 50
    assert sum(map(len, pieces)) == 150
    assert len(site.impressions()) == 201


def test_columns_have_the_documented_types(site: Site):
    """Whether or not there are rows."""
    for read, types in TYPES.items():
        whole = getattr(site, read)()
        limit = {"ids": []} if read == "articles" else {"since": "2050-01-01"}
        nothing = getattr(site, read)(**limit)

        assert len(whole) > 0
        assert len(nothing) == 0
        for frame in (whole, nothing):
            assert {name: str(kind) for name, kind in frame.dtypes.items()} == types


def test_an_empty_store_has_empty_frames(store: Store):
    """With their columns, so that a notebook runs."""
    for read, types in TYPES.items():
        frame = getattr(Site(store), read)()

        assert len(frame) == 0
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == types


def counted_by_hand(site: Site, n_days: int = 10) -> pd.DataFrame:
    """Daily counts, view by view."""
    views = site.impressions()
    clicked = set(map(tuple, site.clicks()[["view_id", "clicked"]].to_numpy()))
    rows = [
        (row.ts.floor("D"), row.source_id, target, row.list, row.layout, row.arm,
         place if row.ordered else 0, 1, int((row.view_id, target) in clicked))
        for row in views[~views["flagged"]].itertuples()
        for place, target in enumerate(row.shown, start=1)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(TYPES["daily_counts"]))
    return table.groupby(list(table)[:7], as_index=False).sum()


def test_daily_counts_by_hand(site: Site):
    """Sums over views, link by link."""
    found = site.daily_counts()

    found["position"] = found["position"].fillna(0).astype("int64")
    for name in ("list", "layout", "arm"):
        found[name] = found[name].astype(TEXT)
    wanted = counted_by_hand(site)
    pd.testing.assert_frame_equal(found, wanted.astype({"day": "datetime64[ms, UTC]"}))


@pytest.mark.slow
def test_daily_counts_are_limited_by_whole_days(site: Site):
    """All that the time touches."""
    whole = site.daily_counts()
    for limits in LIMITS:
        rounded = dict(limits)
        if "since" in limits:
            rounded["since"] = pd.to_datetime(limits["since"], utc=True).floor("D")
        if "until" in limits:
            rounded["until"] = pd.to_datetime(limits["until"], utc=True).ceil("D")

        assert same(site.daily_counts(**limits), expected(whole, rounded, "day")), limits


def test_daily_counts_are_what_the_learner_sees(site: Site):
    """Doubtful views left out, forgotten ones kept; by arm, as long as that is known."""
    slate = Slate("new", 7, "b", *_keys(site), ("model",) * 2, (1.0, 1.0))
    live = [Shown("live", DAY, slate, "", "bottom", BY_READER),
            Followed("live", DAY + 5, slate.items[1], BY_READER, slate),
            Shown("sound", DAY, slate, "", "bottom", BY_READER),
            Followed("sound", DAY + 5_000, slate.items[0], BY_READER, slate)]  # fmt: skip
    record(site.store, *live)

    views = site.impressions().set_index("view_id")
    before = site.daily_counts()

    assert views["flagged"].sum() == 1
    assert views.loc["live", "flagged"]
    assert views.loc["sound", "variant"] == 7
    assert site.slates()["origins"].iloc[-1] == ["model", "model"]
    log = counts.count(site.store, [article.id for article in ARTICLES])
    shown, clicked = log.shown_and_clicked()
    assert before["shown"].sum() == shown.sum() == 2 * 201
    assert before["clicked"].sum() == clicked.sum() == 51

    forget_before(site.store, 5 * DAY)

    keys = ["day", "source_id", "target_id", "list", "layout", "position"]
    summed = [frame.groupby(keys, dropna=False, observed=True)[["shown", "clicked"]].sum()
              for frame in (before, site.daily_counts())]  # fmt: skip
    pd.testing.assert_frame_equal(*summed)
    assert len(site.impressions()) < 110


def _keys(site: Site) -> tuple[int, tuple[int, ...]]:
    source, *items = site.store.keys_of(["knee", "hip", "睡/眠"])
    return source, tuple(items)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"since": "yesterday"}, "since: 'yesterday' is no moment"),
        ({"until": "2026-13-01"}, "until: '2026-13-01' is no moment"),
        ({"columns": ["ts", "colour"]}, "'colour' is none; there are view_id, ts"),
        ({"chunk_size": 0}, "chunk_size: 0 rows are no piece"),
    ],
)
def test_what_makes_no_sense_is_refused(limits: dict[str, object], says: str):
    """Before anything is read."""
    with Store("sqlite://") as store, pytest.raises(ValueError, match=says) as failed:
        Site(store).impressions(**limits)  # type: ignore[call-overload]
    assert isinstance(failed.value, InputError)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"source": "kneee"}, "source: 'kneee': there is no such article; there are 'hip', 'knee'"),
        ({"source": ["knee", "x"]}, "source: 'x': there is no such article"),
        ({"layout": "nope"}, "layout: 'nope': there is no such layout; there are "),
        ({"list": "nope"}, "list: 'nope': there is no such list; there are "),
    ],
)
def test_a_name_nobody_knows_is_no_empty_frame(site: Site, limits: dict[str, Any], says: str):
    """What the store has is named, in every frame and for the curve."""
    frames = [site.impressions, site.clicks, site.slates, site.daily_counts]
    if "source" not in limits:
        frames.append(site.examination)
    for frame in frames:
        with pytest.raises(ArgumentError, match=says):
            frame(**limits)


def test_an_article_that_nobody_saw_has_an_empty_frame():
    """The store knows it, and has no views of it."""
    with stored(Store("sqlite://"), [Article("knee", "Knee")], []) as store:
        assert len(Site(store).impressions(source="knee")) == 0


def test_a_limit_there_is_none_of_is_refused(store: Store):
    """A word misspelt does not read the whole log instead."""
    site = Site(store)

    for frame in (site.impressions, site.clicks, site.slates, site.daily_counts):
        with pytest.raises(TypeError, match="sinse"):
            frame(sinse="2026-11-01")  # type: ignore[call-overload, call-arg, operator]
