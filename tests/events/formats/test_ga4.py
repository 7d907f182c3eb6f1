"""Lists that Google Analytics 4 saw become impressions, and what was chosen, clicks."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from foreign import FINDER, content, lines, problems, read, store_with_site
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import EventError
from recommender.events.event import Click, Impression, PageView
from recommender.events.formats.base import Reasons, Skip
from recommender.events.formats.ga4 import Ga4
from recommender.events.reader import EventReader
from recommender.files import Record
from recommender.frames.site import Site
from recommender.store.event_writer import Received
from recommender.store.import_events import import_events

# Google Analytics 4, as BigQuery exports it to JSON: one event a line, whole numbers as text,
# parameters as a list. Here a reader was shown three articles beside one on knees and chose the
# second; then opened another page.
GA4 = """\
{"event_date":"20261122","event_timestamp":"1795341600000000","event_name":"view_item_list",\
"event_params":[{"key":"page_location","value":{"string_value":\
"https://example.org/knee.html?utm_source=mail"}},\
{"key":"ga_session_id","value":{"int_value":"1795341590"}},\
{"key":"item_list_id","value":{"string_value":"related"}}],\
"user_pseudo_id":"1203123.1795341590","platform":"WEB","items":[\
{"item_id":"gout","item_name":"Gout","item_list_id":"related","item_list_index":"2"},\
{"item_id":"hip","item_name":"Hip","item_list_id":"related","item_list_index":"1"},\
{"item_id":"https://example.org/salt.html","item_name":"Salt","item_list_id":"related",\
"item_list_index":"3"}]}
{"event_date":"20261122","event_timestamp":"1795341609123456","event_name":"select_item",\
"event_params":[{"key":"page_location","value":{"string_value":"https://example.org/knee.html"}},\
{"key":"ga_session_id","value":{"int_value":"1795341590"}}],\
"user_pseudo_id":"1203123.1795341590","platform":"WEB","items":[\
{"item_id":"gout","item_name":"Gout","item_list_id":"related","item_list_index":"2"}]}
{"event_date":"20261122","event_timestamp":"1795341610000000","event_name":"page_view",\
"event_params":[{"key":"page_location","value":{"string_value":"https://example.org/gout.html"}},\
{"key":"ga_session_id","value":{"int_value":"1795341590"}}],\
"user_pseudo_id":"1203123.1795341590","platform":"WEB","items":[]}
"""


def ga4(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {**json.loads(GA4.splitlines()[number]), **changes}


def params(**values: str) -> list[dict[str, Any]]:
    given = {"page_location": "https://example.org/knee.html", "ga_session_id": "7", **values}
    return [{"key": name, "value": {"string_value": text}} for name, text in given.items()]


def test_ga4_by_example(tmp_path: Path):
    """The list by its index; one view, one click on it, the rest counted by its name."""
    (shown, clicked), reader = read(tmp_path / "ga4.json", GA4)

    assert isinstance(shown, Impression)
    assert shown[1:4] == (1795341600000, "knee", ("hip", "gout", "salt"))
    assert (shown.ordered, shown.list, shown.layout) == (True, "related", "")
    assert clicked == Click(shown.view_id, 1795341609123, "gout")
    assert reader.skipped == {"other event: page_view": 1}


def test_no_vendors_name_of_a_reader_is_kept(tmp_path: Path):
    """Nor of a visit, but whose views belong to one visit is."""
    store = store_with_site()
    (tmp_path / "log.json").write_text(GA4)

    import_events(store, EventReader([tmp_path / "log.json"]))

    kept = str(content(store))
    assert "1203123" not in kept
    assert "1795341590" not in kept
    assert [len(view[2]) for view in content(store)["views"]] == [24, 24, 24]


def test_the_order_of_lines_says_nothing(tmp_path: Path):
    """Nor does it that some come twice."""
    log, contents = tmp_path / "log.json", []
    for seed in range(5):
        shuffled = GA4.splitlines() * 2
        random.Random(seed).shuffle(shuffled)
        store = store_with_site()
        log.write_text(lines(shuffled))
        received = import_events(store, EventReader([log]))
        contents.append(content(store))
        assert (received.impressions, received.clicks, received.duplicates) == (1, 1, 2)

    assert all(found == contents[0] for found in contents)


def test_a_list_seen_again_in_one_session_is_one_view(tmp_path: Path):
    """In another session, on another page, or of another name it is another."""
    records = [
        ga4(),
        ga4(event_timestamp="1795341700000000"),
        ga4(event_params=params()),
        ga4(event_params=params(page_location="/hip.html")),
        ga4(items=[{"item_id": "hip", "item_list_name": "also"}]),
        ga4(user_pseudo_id="2"),
    ]

    events, _ = read(tmp_path / "ga4.json", lines(map(json.dumps, records)))

    assert [event.view_id == events[0].view_id for event in events] == [
        True, True, False, False, False, False,
    ]  # fmt: skip
    assert len({event.view_id for event in events}) == 5


def test_ga4_items_of_several_lists_are_several_views(tmp_path: Path):
    """Without an index, in the order in which they stand."""
    items = [
        {"item_id": "hip", "item_list_id": "below"},
        {"item_id": 12, "item_list_id": "(not set)", "item_list_name": "beside"},
        {"item_id": "gout", "item_list_id": "below", "item_list_index": "(not set)"},
    ]

    events, _ = read(tmp_path / "ga4.json", json.dumps(ga4(items=items)))

    assert [(event.list, event.shown) for event in events] == [
        ("below", ("hip", "gout")), ("beside", ("12",)),
    ]  # fmt: skip


def test_the_source_may_be_named(tmp_path: Path):
    """By its id, where addresses are not what the store knows."""
    event = ga4(event_params=params(source_id="hip", page_location="https://elsewhere.com/x"))

    ((shown,), _) = read(tmp_path / "ga4.json", json.dumps(event))

    assert shown.source_id == "hip"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (ga4(event_params=params(page_location="https://example.org/")), "no article at this add"),
        (ga4(event_params=[]), "no article at this add"),
        (
            ga4(user_pseudo_id=None, event_params=params(ga_session_id="")),
            "no user_pseudo_id, ga_session_id or batch_page_id",
        ),
        (ga4(items=[]), "view_item_list without items"),
        (ga4(event_name="scroll"), "other event: scroll"),
    ],
)
def test_what_is_of_no_use_is_counted_by_reason(tmp_path: Path, event: dict[str, Any], reason: str):
    """It is no fault of the log."""
    events, reader = read(tmp_path / "log.json", lines(map(json.dumps, [ga4(), event])))

    assert len(events) == 1
    assert [text[: len(reason)] for text in reader.skipped] == [reason]
    assert reader.n_bad == 0


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        (ga4(event_name=None), "field event_name: missing, or not text"),
        (ga4(event_params=7), "field event_params: must be a list of objects"),
        (ga4(event_params=[{"key": "a"}]), "field event_params: a parameter has no value"),
        (ga4(items=["a"]), "field items: must be a list of objects"),
        (ga4(items=[{"item_name": "Hip"}]), "field items: an item has no item_id"),
        (ga4(event_timestamp=None), "field event_timestamp: missing"),
        (ga4(event_timestamp="noon"), "field event_timestamp: no time: 'noon'"),
        (ga4(event_timestamp="9" * 30), "field event_timestamp: no time: '999"),
        (ga4(items=[{"item_id": "a\x00"}]), "field shown: holds a NUL byte"),
    ],
)
def test_a_fault_names_the_place_and_the_field(
    tmp_path: Path, event: dict[str, Any], complaint: str
):
    """And costs nothing but its record."""
    log = lines(map(json.dumps, [ga4(), event]))

    events, reader = read(tmp_path / "log.json", log, "ga4")

    assert len(events) == 1
    assert problems(reader)[0].startswith(f"log.json:2: {complaint}")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.slow
@given(st.sampled_from([ga4(), ga4(1)]), st.data())
def test_no_record_is_more_than_faulty(record: dict[str, Any], data: st.DataObject):
    """Whatever stands in whichever field."""
    changed = dict(record)
    for name in data.draw(st.sets(st.sampled_from(sorted(record)), max_size=3)):
        changed[name] = data.draw(JSON_VALUES)
    translator = Ga4(FINDER, Reasons())

    try:
        assert all(event.ts is not None for event in translator.read(Record("x:1", changed)))
    except (EventError, Skip) as exc:
        assert str(exc)


def test_a_table_of_parquet_is_read_as_json_is(tmp_path: Path):
    """As BigQuery exports it, with its columns of lists and objects."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    records = [{**ga4(number), "event_timestamp": int(ga4(number)["event_timestamp"])}
               for number in (0, 1)]  # fmt: skip
    parquet.write_table(arrow.Table.from_pylist(records), tmp_path / "ga4.parquet")

    of_table = list(EventReader([tmp_path / "ga4.parquet"], finder=FINDER))
    of_json, _ = read(tmp_path / "ga4.json", GA4)

    assert of_table == of_json


LIST = ("hip", "gout", "salt")


def rows(
    *ids: str,
    event: str = "view_item_list",
    at: int = 0,
    source: str = "knee",
    index: bool = True,
    **names: str,
) -> dict[str, Any]:
    """An event of a reader on a page; items of a list with ``names``, indexed from 0."""
    items = [{"item_id": id, **names} for id in ids]
    if index:
        items = [{**item, "item_list_index": str(LIST.index(item["item_id"]))} for item in items]
    where = params(page_location=f"https://example.org/{source}.html")
    ts = str(1795341600000000 + 1_000_000 * at)
    return ga4(event_name=event, event_params=where, event_timestamp=ts, items=items)


def counted(tmp_path: Path, records: list[dict[str, Any]]) -> tuple[list[list[str]], int, Received]:
    """The lists shown, how many clicks are on what their view shows, and the account."""
    store = store_with_site()
    (tmp_path / "log.json").write_text(lines(map(json.dumps, records)))
    received = import_events(store, EventReader([tmp_path / "log.json"]))
    site = Site(store)
    shown = dict(zip(site.impressions().view_id, site.impressions().shown, strict=True))
    n = sum(row.clicked in shown.get(row.view_id, ()) for row in site.clicks().itertuples())
    return [*shown.values()], n, received


RELATED = {"item_list_id": "related", "item_list_name": "Related"}


@pytest.mark.parametrize("index", [True, False])
def test_a_list_in_parts_is_one_view(tmp_path: Path, index: bool):
    """By the index of its items, else by time; its click counts."""
    parts = [rows(id, at=at, index=index, **RELATED) for at, id in enumerate(LIST)]
    records = [*parts, rows("salt", event="select_item", at=9, **RELATED)]
    random.Random(3).shuffle(records)

    shown, n, received = counted(tmp_path, records)

    assert (shown, n) == ([[*LIST]], 1)
    assert (received.impressions, received.pieces, received.duplicates) == (1, 2, 0)


def test_what_is_sent_together_is_in_the_order_of_its_requests(tmp_path: Path):
    """All have one time, and no item has an index."""
    parts = [
        {**rows(id, index=False, **RELATED), "batch_page_id": 1, "batch_ordering_id": request,
         "batch_event_index": event}
        for id, request, event in [("hip", 1, 2), ("gout", 2, 1), ("salt", 2, 3)]
    ]  # fmt: skip

    assert counted(tmp_path, parts[::-1])[0] == [[*LIST]]


@pytest.mark.parametrize("odd", ["²", "9" * 5_000, "-1", "none"])
def test_an_odd_number_of_a_batch_is_borne(tmp_path: Path, odd: str):
    """It orders nothing, or comes last."""
    record = {**rows(*LIST, **RELATED), "batch_ordering_id": odd, "batch_event_index": odd}

    assert counted(tmp_path, [record])[0] == [[*LIST]]


def test_a_click_is_not_put_on_a_view_without_its_link(tmp_path: Path):
    """Though there is no other yet: its own comes later."""
    store = store_with_site()
    early, late = tmp_path / "early.json", tmp_path / "late.json"
    click = rows("salt", event="select_item", at=9)
    early.write_text(lines(map(json.dumps, [rows("hip", item_list_id="menu"), click])))
    late.write_text(lines([json.dumps(rows("gout", "salt", **RELATED))]))

    first = import_events(store, EventReader([early]))
    second = import_events(store, EventReader([late]))

    assert first.waiting == {"no known view of its page in its visit shows the link": 1}
    assert (first.clicks, second.clicks, second.waiting) == (0, 1, {})
    (on,) = Site(store).clicks().view_id
    shown = dict(zip(*map(Site(store).impressions().get, ["view_id", "shown"]), strict=True))
    assert "salt" in shown[on]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("of_view", "of_click"),
    [
        (RELATED, {}),
        (RELATED, {"item_list_id": "(not set)", "item_list_name": "(not set)"}),
        (RELATED, {"item_list_name": "Related"}),
        ({"item_list_name": "Related"}, RELATED),
        ({"item_list_name": "Related"}, {"item_list_id": "related"}),
        ({"item_list_id": "related"}, {"item_list_name": "Related"}),
        ({}, RELATED),
    ],
)
def test_a_click_finds_the_view_that_can_be_meant(
    tmp_path: Path, of_view: dict[str, str], of_click: dict[str, str], first: bool
):
    """Whatever views and clicks call the list, and whichever comes first."""
    records = [rows(*LIST, **of_view), rows("gout", event="select_item", at=9, **of_click)]

    shown, n, received = counted(tmp_path, records if first else records[::-1])

    assert (shown, n, received.clicks, received.waiting) == ([[*LIST]], 1, 1, {})


def test_a_click_that_several_lists_may_have_had_waits_and_is_counted(tmp_path: Path):
    """Of two lists with the link neither is guessed; of two of which one has it, that one is it."""
    lists = [
        rows("hip", "gout", item_list_id="related"),
        rows("gout", "salt", item_list_id="popular"),
    ]
    clicks = [rows(id, event="select_item", at=9) for id in ("gout", "salt")]

    _, n, received = counted(tmp_path, [*lists, *clicks])

    assert (n, received.clicks) == (1, 1)
    assert received.waiting == {"several lists of its page show the link": 1}


def test_a_click_in_a_list_that_was_not_reported_is_not_put_on_another(tmp_path: Path):
    """It names a list as views do, and no view is of it."""
    records = [
        rows(*LIST, **RELATED),
        rows("gout", event="select_item", item_list_id="menu", item_list_name="Menu"),
        rows("hip", event="select_item", item_list_id="menu"),
    ]

    _, n, received = counted(tmp_path, records)

    assert n == 0
    assert received.waiting == {"its list was not seen": 1}


def test_another_lists_name_says_nothing_of_a_list_without_one(tmp_path: Path):
    """A click names the one; views have the id of it, and the name of another."""
    records = [
        rows("hip", item_list_id="related"),
        rows("gout", item_list_name="Popular"),
        rows("hip", event="select_item", at=9, item_list_name="Related"),
    ]

    _, n, received = counted(tmp_path, records)

    assert (n, received.clicks, received.waiting) == (1, 1, {})


def test_a_waiting_click_finds_a_view_that_comes_later(tmp_path: Path):
    """In another file, weeks after; and an import of both again changes nothing."""
    store = store_with_site()
    view, click = tmp_path / "view.json", tmp_path / "click.json"
    view.write_text(lines([json.dumps(rows(*LIST, **RELATED))]))
    click.write_text(lines([json.dumps(rows("gout", event="select_item", at=9))]))

    first = import_events(store, EventReader([click]))
    second = import_events(store, EventReader([view]))
    third = import_events(store, EventReader([click, view]), again=True)

    assert first.waiting == {"no view of its page in its visit is known": 1}
    assert (second.clicks, second.waiting) == (1, {})
    assert (third.clicks, third.duplicates, third.waiting) == (0, 2, {})
    assert len(content(store)["clicks"]) == 1


def test_readers_without_cookies_are_told_apart_by_what_there_is(tmp_path: Path):
    """A session, or the load of the page; a click of neither is the page view it led to."""
    cookieless = [
        {**rows(*LIST, **RELATED), "user_pseudo_id": None},
        {**rows("gout", event="select_item", at=9, **RELATED), "user_pseudo_id": None},
    ]
    where = params(page_location="https://example.org/knee.html", ga_session_id="")
    loaded = [{**each, "event_params": where, "batch_page_id": "17"} for each in cookieless]
    nobody = [{**each, "event_params": where} for each in cookieless]

    events, reader = read(tmp_path / "log.json", lines(map(json.dumps, nobody)))

    assert counted(tmp_path, cookieless)[:2] == ([[*LIST]], 1)
    assert counted(tmp_path, loaded)[:2] == ([[*LIST]], 1)
    assert events == [PageView(1795341609000, "gout", "", "knee")]
    assert (reader.skipped.total(), reader.remarks.total()) == (1, 1)


def test_parameters_may_be_one_object(tmp_path: Path):
    """As some tools make of BigQuery's tables."""
    flat = {"page_location": "https://example.org/knee.html", "ga_session_id": 1795341590}
    typed = {name: {"string_value": None, "int_value": value} for name, value in flat.items()}
    records = [{**ga4(), "event_params": given} for given in (flat, typed)]

    events, _ = read(tmp_path / "log.json", lines(map(json.dumps, records)))

    assert [event.source_id for event in events] == ["knee", "knee"]  # type: ignore[union-attr]
    assert len({event.view_id for event in events}) == 1  # type: ignore[union-attr]
