"""Queries about an article become impressions, and what was chosen of their hits, clicks."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from foreign import FINDER, content, lines, problems, read, store_with_site
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import EventError
from recommender.events.event import Click, Impression
from recommender.events.formats.base import Reasons, Skip
from recommender.events.formats.ubi import Ubi
from recommender.events.reader import EventReader
from recommender.files import Record
from recommender.store.import_events import import_events

# User Behavior Insights: what was asked of the search engine, and what became of its hits. The
# widget asked for articles like the one on knees; the other query is a reader's search.
UBI = """\
{"application":"related","query_id":"q1","client_id":"c1","session_id":"s1","user_query":"knee",\
"query_attributes":{},"query_response_id":"r1","query_response_hit_ids":["hip","gout","salt"],\
"timestamp":"2026-11-22T10:00:00.000Z"}
{"application":"related","action_name":"impression","query_id":"q1","client_id":"c1",\
"timestamp":"2026-11-22T10:00:01.000Z","event_attributes":{"object":{"object_id":"hip",\
"object_id_field":"id"},"position":{"ordinal":1}}}
{"application":"related","action_name":"click_through","query_id":"q1","client_id":"c1",\
"timestamp":"2026-11-22T10:00:09.123Z","event_attributes":{"object":{"object_id":"gout",\
"object_id_field":"id"},"position":{"ordinal":2}}}
{"application":"search","query_id":"q2","client_id":"c1","user_query":"why does it hurt",\
"query_response_hit_ids":["knee"],"timestamp":1795341660000}
"""


def ubi(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {**json.loads(UBI.splitlines()[number]), **changes}


def test_ubi_by_example(tmp_path: Path):
    """The query that is about an article is the view; a search is none."""
    (shown, clicked), reader = read(tmp_path / "ubi.jsonl", UBI)

    assert isinstance(shown, Impression)
    assert shown[1:4] == (1795341600000, "knee", ("hip", "gout", "salt"))
    assert (shown.ordered, shown.list) == (True, "related")
    assert clicked == Click(shown.view_id, 1795341609123, "gout")
    assert reader.skipped == {
        "impression of one hit: the query's record has them all": 1,
        "query that is no article's id or address": 1,
    }


def test_no_vendors_name_of_a_reader_is_kept(tmp_path: Path):
    """Nor of a visit, but whose views belong to one visit is."""
    store = store_with_site()
    (tmp_path / "log.json").write_text(UBI)

    import_events(store, EventReader([tmp_path / "log.json"]))

    kept = str(content(store))
    assert "'s1'" not in kept
    assert "c1" not in kept
    assert [len(view[2]) for view in content(store)["views"]] == [24, 24, 24]


def test_the_order_of_lines_says_nothing(tmp_path: Path):
    """Nor does it that some come twice."""
    log, contents = tmp_path / "log.json", []
    for seed in range(5):
        shuffled = UBI.splitlines() * 2
        random.Random(seed).shuffle(shuffled)
        store = store_with_site()
        log.write_text(lines(shuffled))
        received = import_events(store, EventReader([log]))
        contents.append(content(store))
        assert (received.impressions, received.clicks, received.duplicates) == (1, 1, 2)

    assert all(found == contents[0] for found in contents)


@pytest.mark.parametrize(
    "changes",
    [
        {"query_attributes": {"source_id": "knee"}, "user_query": ""},
        {"query_attributes": {"url": "https://example.org/knee.html"}, "user_query": "x"},
        {"user_query": "https://example.org/knee.html?utm_source=x", "query_attributes": None},
        {"timestamp": 1795341600000},
        {"timestamp": "1795341600000"},
    ],
)
def test_ubi_names_its_source_in_several_ways(tmp_path: Path, changes: dict[str, Any]):
    """And its time in two."""
    ((shown,), _) = read(tmp_path / "ubi.jsonl", json.dumps(ubi(**changes)))

    assert shown[1:4] == (1795341600000, "knee", ("hip", "gout", "salt"))


def test_dumps_of_an_index_wrap_each_record(tmp_path: Path):
    """As OpenSearch and its tools write them."""
    dumped = ({"_index": "ubi", "_id": str(n), "_source": ubi(n)} for n in range(4))

    events, _ = read(tmp_path / "ubi.json", lines(map(json.dumps, dumped)))

    assert events == read(tmp_path / "plain.json", UBI)[0]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (ubi(query_response_hit_ids=[]), "query without hits"),
        (ubi(query_response_hit_ids=None), "query without hits"),
        (ubi(2, query_id=None), "click that belongs to no query"),
        (ubi(2, action_name="add_to_cart"), "other event: add_to_cart"),
    ],
)
def test_what_is_of_no_use_is_counted_by_reason(tmp_path: Path, event: dict[str, Any], reason: str):
    """It is no fault of the log."""
    events, reader = read(tmp_path / "log.json", lines(map(json.dumps, [ubi(), event])))

    assert len(events) == 1
    assert [text[: len(reason)] for text in reader.skipped] == [reason]
    assert reader.n_bad == 0


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        (ubi(query_id=None), "field query_id: missing"),
        (ubi(timestamp="noon"), "field timestamp: no time: 'noon'"),
        (ubi(timestamp=None), "field timestamp: missing"),
        (ubi(query_response_hit_ids="a"), "field query_response_hit_ids: must be a list of ids"),
        (ubi(query_response_hit_ids=[{}]), "field query_response_hit_ids: must be a list of ids"),
        (ubi(query_attributes=7), "field query_attributes: must be an object"),
        (ubi(2, event_attributes={}), "field event_attributes.object.object_id: missing"),
        (ubi(2, event_attributes=[]), "field event_attributes: must be an object"),
    ],
)
def test_a_fault_names_the_place_and_the_field(
    tmp_path: Path, event: dict[str, Any], complaint: str
):
    """And costs nothing but its record."""
    log = lines(map(json.dumps, [ubi(), event]))

    events, reader = read(tmp_path / "log.json", log, "ubi")

    assert len(events) == 1
    assert problems(reader)[0].startswith(f"log.json:2: {complaint}")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.slow
@given(st.sampled_from([ubi(), ubi(2)]), st.data())
def test_no_record_is_more_than_faulty(record: dict[str, Any], data: st.DataObject):
    """Whatever stands in whichever field."""
    changed = dict(record)
    for name in data.draw(st.sets(st.sampled_from(sorted(record)), max_size=3)):
        changed[name] = data.draw(JSON_VALUES)
    translator = Ubi(FINDER, Reasons())

    try:
        assert all(event.ts is not None for event in translator.read(Record("x:1", changed)))
    except (EventError, Skip) as exc:
        assert str(exc)


@pytest.mark.parametrize("told", [int, str, float, None])
def test_pages_of_hits_are_one_view(tmp_path: Path, told: type | None):
    """By what they say of the pages before, as a number or text, else by time."""
    pages = [("hip", "gout"), ("salt",)]
    records = [
        ubi(query_response_id=f"r{n}", query_response_hit_ids=[*hits],
            query_attributes={"from": told(2 * n)} if told else {},
            timestamp=1795341600000 if told else 1795341600000 + n)
        for n, hits in enumerate(pages)
    ]  # fmt: skip
    store = store_with_site()
    (tmp_path / "ubi.jsonl").write_text(lines(map(json.dumps, records[::-1])))

    received = import_events(store, EventReader([tmp_path / "ubi.jsonl"]))

    ranked = sorted((row[8], row[10]) for row in content(store)["views"])
    assert ranked == [(1, "hip"), (2, "gout"), (3, "salt")]
    assert (received.impressions, received.pieces) == (1, 1)
