"""What is read in columns is what is read record by record, whatever the records hold."""

import json
import random
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pytest
from foreign import SITE, content, store_with_site
from pyarrow import parquet

from recommender.errors import TooManyBadRecords
from recommender.events import columns, event
from recommender.events.columns import Columns, InColumns, moments
from recommender.events.reader import EventReader
from recommender.files import Record, Tolerance
from recommender.store.import_events import import_events

NOW = datetime(2026, 11, 23, tzinfo=UTC)
IDS = [*SITE, "elsewhere"]
MS = 1_795_341_600_000
TIMES = [
    MS, str(MS), MS / 1000, MS // 1000, 1000 * MS, 10**6 * MS, "2026-11-22T10:00:00Z",
    "2026-11-22T10:00:00.123456Z", "2026-11-22 10:00:00", "2026-11-22T11:00:00+01:00",
    "2026-11-22T10:00:00.250+00:00", "2026-02-29T10:00:00Z", "2026-11-22T24:00:00Z",
    "2026-11-22T10:00:60Z", "22/Nov/2026:10:00:00 +0000", 20261122100000, 20261122, 7, -MS, 10**30,
    True, None, "", "soon", "2026-11-22T10:0x:00Z", "1999-01-01T00:00:00Z", "2031-01-01T00:00:00Z",
    "٢026-11-22T10:00:00Z", [MS],
]  # fmt: skip
ODD = [
    None, "", " knee ", "kn\x00ee", 7, 7.0, True, "\ud800", "é" * 1_400, "k" * 2_001, ["knee"],
    {}, "ﬁ", "a b", "\n",
]  # fmt: skip
LISTS: list[Any] = [
    None, [], ["hip"], ["hip", "gout"], "hip|gout", '["hip", "gout"]', "[hip", [1, 2], [1, True],
    ["hip", 2], ["hip", None], ["hip\x00gout"], ["hip", "hip"], {"a": 1}, 5, [["hip"]],
]  # fmt: skip


def records(seed: int, n: int = 400) -> list[dict[str, Any]]:
    """Most are as one would write them; in the others one field is not."""
    chance = random.Random(seed)
    found = []
    for _ in range(n):
        view = f"v{chance.randrange(n // 2)}"
        source, *shown = chance.sample(IDS, 4)
        kind = chance.choice(["impression", "impression", "click", "pageview"])
        record: dict[str, Any] = {"type": kind, "ts": chance.choice(TIMES[:9])}
        if kind == "impression":
            record |= {"view_id": view, "source_id": source, "shown": shown}
            record |= chance.choice(
                [{}, {}, {"list": "below", "layout": "at the end", "session_id": "s"},
                 {"ordered": False}, {"propensities": [0.5, 1, 0.25], "arm": "a"},
                 {"first_position": chance.choice([4, "4", 4.0, None, "x", True])}]
            )  # fmt: skip
        elif kind == "click":
            record |= {"view_id": view, "clicked": chance.choice(shown)}
        else:
            record |= {"article_id": source, "referrer_id": chance.choice([*shown, "", None])}
        if chance.random() < 0.3:
            name = chance.choice([*record])
            odd = {"ts": TIMES, "shown": LISTS, "propensities": [*LISTS, [0.5, 2, 1], [1, 1, "1"]]}
            record[name] = chance.choice(odd.get(name, ODD))
        found.append(record)
    return found


def both_ways(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """What the store holds, what was received, and what was wrong, in columns and one by one."""
    seen = []
    for in_columns in (True, False):
        reader = EventReader([path], now=NOW, tolerance=Tolerance(0.9))
        store = store_with_site()
        with monkeypatch.context() as patch:
            if not in_columns:
                patch.setattr("recommender.events.reader.IN_COLUMNS", ())
            received = import_events(store, reader)
        problems = [problem.text for problem in reader.problems]
        counted = (reader.n_bad, reader.n_ahead, reader.n_ancient, reader.n_events)
        seen.append((content(store), asdict(received), problems, counted))
    return seen[0], seen[1]


@pytest.mark.parametrize("seed", range(4))
def test_lines_in_columns_are_what_they_are_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
):
    lines = [json.dumps(record) for record in records(seed)]
    lines[50:50] = ["", "no JSON", "[1]", '{"type": "click"} {}', "\ufeff" + lines[0]]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr("recommender.events.reader.BLOCK", random.Random(seed).choice([7, 10**5]))

    one, other = both_ways(path, monkeypatch)

    assert one == other
    assert len(one[2]) > 20


def plain(n: int) -> list[dict[str, Any]]:
    """Views of the site, with a click and an opening each."""
    found: list[dict[str, Any]] = []
    for at in range(n):
        source, *shown = IDS[at % 4 :] + IDS[: at % 4]
        found.append({"type": "impression", "view_id": f"v{at}", "ts": MS + at,
                      "source_id": source, "shown": shown})  # fmt: skip
        found.append({"type": "click", "view_id": f"v{at}", "ts": MS + at, "clicked": shown[0]})
        found.append({"type": "pageview", "ts": MS + at, "article_id": source, "session_id": "s"})
    return found


def table_of(rows: list[dict[str, Any]]) -> arrow.Table:
    """With a column for every name."""
    names = dict.fromkeys(name for row in rows for name in row)
    return arrow.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])


def moment(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def with_times(unit: str, zone: str | None) -> Callable[[dict[str, Any]], arrow.Table]:
    """A table whose times are of a unit; one of them is missing, one long ago."""

    def table(rows: list[dict[str, Any]]) -> arrow.Table:
        made = [{**row, "ts": moment(row["ts"]).replace(tzinfo=None)} for row in rows]
        made[3]["ts"], made[4]["ts"] = None, datetime(1970, 1, 2)
        found = table_of(made)
        at = found.schema.get_field_index("ts")
        return found.set_column(at, "ts", found["ts"].cast(arrow.timestamp(unit, zone), safe=False))

    return table


def of_numbers(rows: list[dict[str, Any]]) -> arrow.Table:
    """A table whose ids are numbers."""
    number = {id: at for at, id in enumerate(IDS)}
    made = []
    for row in rows:
        ids = {name: number[value] for name, value in row.items() if value in IDS}
        shown = [number[id] for id in row.get("shown", [])] or None
        made.append({**row, **ids, "shown": shown})
    return table_of(made)


def with_column(**columns: Any) -> Callable[[list[dict[str, Any]]], arrow.Table]:
    """A table in which columns hold these values, one after the other, and again."""

    def table(rows: list[dict[str, Any]]) -> arrow.Table:
        found = table_of(rows)
        for name, values in columns.items():
            column = arrow.array([values[at % len(values)] for at in range(len(rows))])
            at = found.schema.get_field_index(name)
            found = (
                found.append_column(name, column) if at < 0 else found.set_column(at, name, column)
            )
        return found

    return table


def with_types(type: arrow.DataType, *names: str) -> Callable[[list[dict[str, Any]]], arrow.Table]:
    """A table whose columns are of this type."""

    def table(rows: list[dict[str, Any]]) -> arrow.Table:
        found = table_of(rows)
        for name in names:
            at = found.schema.get_field_index(name)
            found = found.set_column(at, name, found[name].cast(type))
        return found

    return table


TABLES: dict[str, Callable[[list[dict[str, Any]]], arrow.Table]] = {
    "plain": table_of,
    "seconds": with_times("s", None),
    "milliseconds": with_times("ms", "UTC"),
    "microseconds": with_times("us", "Europe/Berlin"),
    "nanoseconds": with_times("ns", "UTC"),
    "numbers": of_numbers,
    "categories": with_types(arrow.dictionary(arrow.int32(), arrow.string()), "type", "source_id"),
    "large": with_types(arrow.large_string(), "view_id", "clicked"),
    "large lists": with_types(arrow.large_list(arrow.large_string()), "shown"),
    "cells": with_column(shown=["hip|gout", None, None, "gout|knee", None, None]),
    "gaps": with_column(shown=[["hip", None], None, None, ["hip"], None, None, [], None, None]),
    "NUL": with_column(shown=[["hip\x00gout"], None, None, ["hip", "gout"], None, None]),
    "odd ids": with_column(source_id=["hip", " hip", "h\x00ip", "", None, "é", "k" * 2_001]),
    "true ids": with_column(source_id=[True, False]),
    "broken ids": with_column(source_id=[1.5, 2.0]),
    "kinds": with_column(type=["impression", "click", "pageview", "Click", None, "like"]),
    "one view": with_column(view_id=["v1", "v1", "v1", "v2", "v2", "v2"]),
    "times": with_column(ts=["2026-11-22T10:00:00Z", "2026-11-22 10:00", "never", str(MS)]),
    "broken times": with_column(ts=[MS / 1000, 7.5]),
    "no times": lambda rows: table_of(rows).drop_columns(["ts"]),
    "nothing shown": lambda rows: table_of(rows).drop_columns(["shown"]),
    "two of one name": lambda rows: table_of(rows).append_column(
        "ts", arrow.array([MS] * len(rows))
    ),
    "places": with_column(first_position=[1.0, None, 4.0, float("nan"), -1.0]),
    "order": with_column(ordered=[True, None, False]),
    "written order": with_column(ordered=["", None, "no", "?", "1"]),
    "chances": with_column(
        propensities=[[0.5] * 4, None, None, None, None, None, [0.1, 0.2, 0.3, 2.0], None, None,
                      [0.5], None, None, [], None, None]
    ),
    "names": with_column(layout=["at the end", None, " x", "n" * 201], arm=[1, 2, 3]),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_rows_in_columns_are_what_they_are_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    table = TABLES[name](plain(30))
    path = tmp_path / "log.parquet"
    parquet.write_table(table, path, row_group_size=17)

    try:
        one, other = both_ways(path, monkeypatch)
    except TooManyBadRecords:  # both are then as bad
        monkeypatch.setattr("recommender.events.reader.IN_COLUMNS", ())
        with pytest.raises(TooManyBadRecords):
            import_events(store_with_site(), EventReader([path], now=NOW))
        return

    assert one == other


def test_a_log_of_plain_records_is_all_in_columns(tmp_path: Path):
    """Or the speed would be gone, and nobody would notice."""
    rows = plain(30)
    tables = {"log.jsonl": "\n".join(map(json.dumps, rows))}
    (tmp_path / "log.jsonl").write_text(tables["log.jsonl"], encoding="utf-8")
    for name in ("plain", "microseconds", "numbers", "large lists", "cells"):
        parquet.write_table(TABLES[name](rows), tmp_path / f"{name}.parquet")
    for path in sorted(tmp_path.iterdir()):
        reader = EventReader([path], now=NOW)

        found = [each for block in reader.blocks_in_columns() for each in block]

        in_columns = [each for each in found if isinstance(each, Columns)]
        assert sum(each.n_events for each in in_columns) == reader.n_events, path
        assert reader.n_bad < 20, path


TEXTS = [time for time in TIMES if isinstance(time, str)]
NUMBERS = [time for time in TIMES if type(time) is int and abs(time) < 2**63]


@pytest.mark.parametrize("values", [TIMES[:-1], TEXTS, NUMBERS])
def test_times_are_what_they_are_one_by_one(values: list[Any]):
    """In whatever company they come."""
    expected = []
    for value in values:
        try:
            expected.append(event.milliseconds({"ts": value}))
        except ValueError:
            expected.append(None)

    found = moments(values)

    read = [None if at == columns.UNCLEAR else int(at) for at in found]
    assert [one for one in read if one is not None] == [
        two for one, two in zip(read, expected, strict=True) if one is not None
    ]
    left = [value for value, one in zip(values, read, strict=True) if one is None]
    assert all(type(value) is int or value not in TIMES[:9] for value in left)


def test_every_millisecond_of_a_text_counts():
    """Days of all months, of leap years too, at random times."""
    chance = np.random.default_rng(0)
    expected = chance.integers(event.EARLIEST, 4_102_444_800_000, 2_000)
    shapes = ("{:%Y-%m-%dT%H:%M:%S}.{:03d}Z", "{:%Y-%m-%d %H:%M:%S}.{:03d}+00:00")
    texts = [
        shapes[at % 2].format(moment(int(ms)), int(ms) % 1000) for at, ms in enumerate(expected)
    ]

    assert moments(texts).tolist() == expected.tolist()


def test_slates_that_are_remembered_have_an_end(monkeypatch: pytest.MonkeyPatch):
    """A log in which every view shows another list does not fill the memory."""
    monkeypatch.setattr(columns, "MAX_CHARACTERS", 100)
    reader = InColumns()
    for at in range(50):
        row = {
            "type": "impression",
            "view_id": "v",
            "ts": MS,
            "source_id": "a",
            "shown": [f"b{at}"],
        }

        found, others = reader.of_records([Record("", row)])

        assert (len(found.views), others) == (1, [])
        assert found.views.event(0) == event.parse(row, where="")
    assert len(reader._contents) < 40
