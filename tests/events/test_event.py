"""Events are checked one by one, and read out of files of any kind."""

import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from recommender.errors import EventError, InputError, TooManyBadRecords
from recommender.events.event import MAX_SHOWN, Click, Event, Impression, PageView, parse
from recommender.events.reader import EventReader
from recommender.files import Tolerance
from recommender.store.database import Store

NOON = "2026-11-22T12:00:00Z"
NOON_MS = 1_795_348_800_000
SHOWN = {"type": "impression", "view_id": "v1", "ts": NOON, "source_id": "s", "shown": ["a", "b"]}
CLICK = {"type": "click", "view_id": "v1", "ts": NOON, "clicked": "b"}
READ = {"type": "pageview", "ts": NOON, "article_id": "a"}


def read(record: dict[str, Any], **fields: Any) -> Event:
    return parse({**record, **fields}, where="log.jsonl:7")


def json_lines(path: Path, records: Iterable[Any]) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


def test_each_type_is_read():
    """With only what is required."""
    assert read(SHOWN) == Impression("v1", NOON_MS, "s", ("a", "b"))
    assert read(CLICK) == Click("v1", NOON_MS, "b")
    assert read(READ) == PageView(NOON_MS, "a")


def test_every_field_of_an_impression_arrives():
    """What chose the list, where it stood, and with which chances."""
    more = {"ordered": False, "session_id": "x", "layout": "bottom", "list": "hand-picked",
            "arm": "explore", "propensities": [1, 0.25]}  # fmt: skip

    assert read(SHOWN, **more) == Impression(
        "v1", NOON_MS, "s", ("a", "b"), False, "x", "bottom", "hand-picked", "explore", (1.0, 0.25)
    )


def test_ids_may_be_numbers_paths_and_any_script():
    """As those of articles."""
    assert read(SHOWN, view_id=7, source_id="a/../b", shown=[1, "膝", " c "]) == Impression(
        "7", NOON_MS, "a/../b", ("1", "膝", "c")
    )


@pytest.mark.parametrize(
    ("record", "fields", "complaint"),
    [
        (SHOWN, {"type": None}, "field type: None; known: impression, click, pageview"),
        (SHOWN, {"type": ["click"]}, "field type: ['click']; known: "),
        (SHOWN, {"view_id": None}, "field view_id: missing"),
        (SHOWN, {"view_id": " "}, "field view_id: empty"),
        (SHOWN, {"view_id": 1.5}, "field view_id: must be text, not float"),
        (SHOWN, {"view_id": "x" * 2001}, "field view_id: longer than 2000 characters"),
        (SHOWN, {"source_id": True}, "field source_id: must be text, not bool"),
        (SHOWN, {"source_id": "a\x00"}, "field source_id: holds a NUL byte"),
        (SHOWN, {"source_id": "\ud83e"}, "field source_id: holds half of a surrogate pair"),
        (SHOWN, {"shown": None}, "field shown: missing"),
        (SHOWN, {"shown": []}, "field shown: 0 links; 1 to 5,000 fit"),
        (SHOWN, {"shown": ["a"] * (MAX_SHOWN + 1)}, "field shown: 5,001 links"),
        (SHOWN, {"shown": {"a": 1}}, "field shown: must be a list, not dict"),
        (SHOWN, {"shown": ["a", None]}, "field shown: missing"),
        (SHOWN, {"shown": ["a", ["b"]]}, "field shown: must be text, not list"),
        (SHOWN, {"shown": ["a", True]}, "field shown: must be text, not bool"),
        (SHOWN, {"shown": "[1"}, "field shown: not a JSON list"),
        (SHOWN, {"ordered": "perhaps"}, "field ordered: must be true or false, not 'perhaps'"),
        (SHOWN, {"ordered": None}, "field ordered: must be true or false, not None"),
        (SHOWN, {"propensities": [0.5]}, "field propensities: one chance above 0 and up to 1"),
        (SHOWN, {"propensities": [0.5, 0]}, "field propensities: one chance above 0"),
        (SHOWN, {"propensities": [0.5, 1.5]}, "field propensities: one chance above 0"),
        (SHOWN, {"propensities": [0.5, float("nan")]}, "field propensities: one chance"),
        (SHOWN, {"propensities": [0.5, "x"]}, "field propensities: must be numbers"),
        (SHOWN, {"propensities": 0.5}, "field propensities: must be a list, not float"),
        (SHOWN, {"layout": "x" * 201}, "field layout: longer than 200 characters"),
        (SHOWN, {"session_id": 1.5}, "field session_id: must be text, not float"),
        (SHOWN, {"ts": None}, "field ts: missing"),
        (SHOWN, {"ts": 12345}, "field ts: no time: '12345'"),
        (SHOWN, {"ts": "noon"}, "field ts: no time: 'noon'"),
        (SHOWN, {"ts": "2026-13-01T00:00:00Z"}, "field ts: no time"),
        (CLICK, {"clicked": None}, "field clicked: missing"),
        (CLICK, {"clicked": ["b"]}, "field clicked: must be text, not list"),
        (READ, {"article_id": None}, "field article_id: missing"),
        (READ, {"referrer_id": 1.5}, "field referrer_id: must be text, not float"),
    ],
)
def test_a_fault_names_the_place_and_the_field(
    record: dict[str, Any], fields: dict[str, Any], complaint: str
):
    """So that it can be found and put right."""
    with pytest.raises(EventError) as caught:
        read(record, **fields)

    assert str(caught.value).startswith(f"log.jsonl:7: {complaint}")


def test_a_fault_names_its_own_place_each_time():
    """Also where the same list was refused before, and where one like it was accepted."""
    assert read(SHOWN, shown=[1, "a"]).shown == ("1", "a")  # type: ignore[union-attr]
    for _ in range(2):
        with pytest.raises(EventError, match=r"^log\.jsonl:7: field shown: must be text, not bool"):
            read(SHOWN, shown=[True, "a"])
        with pytest.raises(EventError, match="must be text, not float"):
            read(SHOWN, shown=[1.0, "a"])


@pytest.mark.slow
@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
)
def test_a_time_is_milliseconds_to_the_millisecond(moment: datetime, offset: int):
    """Whatever the offset; without one it is UTC, as text and as a type of its own."""
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    expected = (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1)
    zone = timezone(timedelta(minutes=offset))
    there = moment.replace(tzinfo=UTC).astimezone(zone)

    for ts in (moment, moment.isoformat(), there, there.isoformat()):
        assert read(CLICK, ts=ts).ts == expected


# Files


EVENTS = [
    {**CLICK, "view_id": "v0"},
    {**SHOWN, "ordered": False, "propensities": [0.5, 1.0], "session_id": "x"},
    {**READ, "referrer_id": "b"},
]
PARSED = [
    Click("v0", NOON_MS, "b"),
    Impression("v1", NOON_MS, "s", ("a", "b"), False, "x", propensities=(0.5, 1.0)),
    PageView(NOON_MS, "a", "", "b"),
]


def test_the_three_formats_say_the_same(tmp_path: Path):
    """Packed or not; Parquet also with times as times."""
    json_lines(tmp_path / "e.jsonl", EVENTS)
    (tmp_path / "e.csv").write_text(
        "type,view_id,ts,source_id,shown,ordered,propensities,session_id,clicked,article_id,"
        f"referrer_id\nclick,v0,{NOON},,,,,,b,,\n"
        f'impression,v1,{NOON},s,a|b,False,"[0.5, 1.0]",x,,,\npageview,,{NOON},,,,,,,a,b\n'
    )
    names = sorted({name for event in EVENTS for name in event})
    table = arrow.table({name: [event.get(name) for event in EVENTS] for name in names})
    parquet.write_table(table, tmp_path / "e.parquet")
    times = arrow.array([datetime(2026, 11, 22, 12)] * 3, arrow.timestamp("us"))
    parquet.write_table(
        table.set_column(table.column_names.index("ts"), "ts", times), tmp_path / "t.parquet"
    )
    for path in list(tmp_path.iterdir()):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))

    found = {path.name: list(EventReader([path])) for path in tmp_path.iterdir()}

    assert len(found) == 8
    assert all(events == PARSED for events in found.values())


def test_a_few_bad_events_are_told_and_the_rest_are_added(tmp_path: Path, store: Store):
    """Each with its place."""
    good = [{**SHOWN, "view_id": f"v{n}"} for n in range(30)]
    path = json_lines(tmp_path / "e.jsonl", [*good, {**CLICK, "ts": 5}, {"type": "hover"}, 7])

    reader = EventReader([path])
    received = store.add_events(reader)

    assert received.impressions == 30
    assert (reader.n_bad, reader.n_records) == (3, 33)
    assert [problem.text.removeprefix(str(path))[:20] for problem in reader.problems] == [
        ":31: field ts: no ti", ":32: field type: 'ho", ":33: must be a JSON ",
    ]  # fmt: skip


def test_too_many_bad_events_undo_the_import(tmp_path: Path, store: Store):
    """Also those that were written already."""
    path = json_lines(tmp_path / "e.jsonl", [SHOWN, *([{**CLICK, "ts": 5}] * 9)])

    with pytest.raises(TooManyBadRecords, match=r"nothing imported: 9 of 10 records are bad: .*:2"):
        store.add_events(EventReader([path]))

    assert store.add_events([read(SHOWN)]).impressions == 1


def test_how_many_bad_events_are_borne_is_the_callers_choice(tmp_path: Path):
    """A number, or a share."""
    path = json_lines(tmp_path / "e.jsonl", [SHOWN, {**CLICK, "ts": 5}])

    assert len(list(EventReader([path], tolerance=Tolerance.parse("1")))) == 1
    with pytest.raises(TooManyBadRecords):
        list(EventReader([path], tolerance=Tolerance.parse("10%")))


def test_endless_problems_are_counted_not_kept(tmp_path: Path):
    """A log of the wrong kind does not fill the memory."""
    path = json_lines(tmp_path / "e.jsonl", [{}] * 5_000)
    reader = EventReader([path])

    with pytest.raises(TooManyBadRecords, match="5,000 of 5,000 records are bad"):
        list(reader)

    assert (len(reader.problems), reader.n_bad) == (1_000, 5_000)


def test_an_empty_log_is_refused_but_may_be_one_of_many(tmp_path: Path):
    """A night without readers is no fault."""
    empty = json_lines(tmp_path / "a.jsonl", [])
    full = json_lines(tmp_path / "b.jsonl", EVENTS)

    with pytest.raises(TooManyBadRecords, match=r"a\.jsonl: no event in it"):
        list(EventReader([empty]))
    assert list(EventReader([empty, full])) == PARSED


def test_paths_that_hold_no_events_are_refused_at_once(tmp_path: Path):
    """Before anything is written."""
    (tmp_path / "a.doc").write_text("x")
    (tmp_path / "a.txt").write_text("x")

    with pytest.raises(InputError, match="no such file or folder"):
        EventReader([tmp_path / "nowhere.jsonl"])
    for name in ("a.doc", "a.txt"):
        with pytest.raises(InputError, match="unknown format of file"):
            EventReader([tmp_path / name])
    with pytest.raises(InputError, match="no format 'pages' of events; known: ga4, "):
        EventReader([tmp_path / "a.txt"], format="pages")


class Steps:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None]] = []
        self.steps = 0

    def stage(self, name: str, total: int | None = None) -> None:
        self.stages.append((name, total))

    def advance(self, steps: int = 1) -> None:
        self.steps += steps


@pytest.mark.slow
def test_progress_counts_files_or_the_records_of_one(tmp_path: Path):
    """A big log is no silence of minutes."""
    one = json_lines(tmp_path / "a.jsonl", [READ] * 25_000)
    two = json_lines(tmp_path / "b.jsonl", [READ])
    records, files = Steps(), Steps()

    list(EventReader([one], progress=records))
    list(EventReader([one, two], progress=files))

    assert (records.stages, records.steps) == ([("reading events", None)], 25_000)
    assert (files.stages, files.steps) == ([("reading events", 2)], 2)
