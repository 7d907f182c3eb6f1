"""A log with all that counting takes into account, drawn at random, and its tables as Parquet."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sql

from recommender.store.counting_statement import TABLES
from recommender.store.counts import Log
from recommender.store.database import Store

DAY = 86_400_000
IDS = [f"page/{number}" for number in range(1, 13)]


def draw(store: Store, *, seed: int, n_views: int = 400) -> None:
    """Fill the tables of a log. Of everything that is flagged, folded, forgotten, doubled or lost
    there is something; all moments differ.
    """
    random = np.random.default_rng(seed)

    def number(most: int, least: int = 0) -> int:
        return int(random.integers(least, most + 1))

    rows: dict[str, list[dict[str, object]]] = {name: [] for name in TABLES}
    rows["ids"] = [{"key": key, "id": id} for key, id in enumerate(IDS, start=1)]
    slates = range(1, 31)
    items: dict[int, list[int]] = {}
    for slate in slates:
        unknown = 2_000_000_000 + slate if slate % 15 == 0 else 0
        ordered = number(5) > 0
        rows["slates"].append({
            "slate": slate, "digest": slate.to_bytes(4, "big"), "source": unknown or number(12, 1),
            "list": ("", "picked", "model")[slate % 3], "ordered": int(ordered),
        })  # fmt: skip
        items[slate] = [number(12, 1) for _ in range(number(5, 1))] + ([unknown] if unknown else [])
        first, chance = slate % 2, [None, 0.25, 1 / 3][slate % 3]
        for rank, item in enumerate(items[slate], start=1):
            rows["slate_links"].append({
                "slate": slate, "rank": rank, "item": item, "propensity": chance,
                "position": rank - 1 + first if ordered else None, "brought": int(number(9) == 0),
            })  # fmt: skip
    moments = np.sort(random.choice(6 * DAY, n_views, replace=False)).tolist()
    layouts = ["bottom", "side", *(f"made up {at}" for at in range(5))]
    for at, ts in enumerate(moments):
        live, slate = number(9) % 4 if number(3) == 0 else number(1), number(29, 1)
        view = f"v{at:04}"
        rows["views"].append({
            "view_id": view, "ts": ts, "slate": slate, "live": live, "arm": "",
            "session": f"s{number(40)}" if number(3) else "",
            "layout": layouts[number(6)] if number(4) == 0 else layouts[number(1)],
        })  # fmt: skip
        for item in {number(12, 1), items[slate][0]} if number(2) == 0 else ():
            after = number(299) if number(4) == 0 else number(60_000, 300)
            rows["clicks"].append({
                "view_id": view, "item": item, "ts": ts + 7 * after, "live": live if live < 2 else 1
            })  # fmt: skip
    rows["clicks"].append({"view_id": "lost", "item": 1, "ts": 5, "live": 0})
    for at in range(150):
        session = f"s{number(40)}" if number(3) else ""
        rows["pageviews"].append({
            "ts": at * 3_000_001, "session": session, "article": number(12, 1),
            "referrer": number(12) if not session else 0, "live": number(2),
        })  # fmt: skip
    for day in range(2):
        for slate in range(1, 6):
            of_day = {"day": day, "slate": slate, "layout": layouts[slate % 3], "live": slate % 2}
            rows["past_views"].append({**of_day, "n": number(50, 10)})
            clicks = {"n": number(9, 5), "n_in_sessions": number(5)}
            rows["past_clicks"].append({**of_day, "item": items[slate][0], **clicks})
        for article in range(1, 5):
            rows["past_reads"].append({"day": day, "article": article, "n": number(9, 1)})
            pair = {"article": article, "other": article + 1}
            rows["past_pairs"].append({"day": day, **pair, "n": number(9, 1)})
    with store.transaction() as connection:
        for table, records in rows.items():
            names = ", ".join(records[0])
            values = ", ".join(f":{name}" for name in records[0])
            connection.execute(
                sql.text(f"INSERT INTO {table} ({names}) VALUES ({values})"), records
            )


def as_parquet(store: Store, folder: Path) -> Path:
    """The tables of a store's log, a file each, of the columns that the statement reads."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    folder.mkdir(exist_ok=True)
    for table, about in TABLES.items():
        # Behind "of forgotten views:" and the like stand the columns, each up to a colon.
        named = about.removeprefix(about[: about.index(":") + 1]) if about[:3] == "of " else about
        names = [part.partition(":")[0].strip() for part in named.split(";")]
        with store.reading() as connection:
            found = connection.execute(sql.text(f"SELECT {', '.join(names)} FROM {table}")).all()
        columns = dict(zip(names, zip(*found, strict=True), strict=True)) if found else {}
        arrays = {}
        for name in names:
            values = columns.get(name, ())
            kind = next((type(value) for value in values if value is not None), int)
            arrays[name] = pa.array(values, types[kind])
        parquet.write_table(pa.table(arrays), folder / f"{table}.parquet")
    return folder


def differences(one: Log, other: Log) -> list[str]:
    """The fields in which two logs differ, in a bit or a type. How visits are numbered means
    nothing.
    """
    found = []
    for field in fields(Log):
        if field.name.startswith("read_"):
            continue
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, np.ndarray):
            same = mine.dtype == theirs.dtype and mine.tobytes() == theirs.tobytes()
        else:
            same = mine == theirs
        found += [] if same else [field.name]
    return found + ([] if visits(one) == visits(other) else ["read_session"])


def visits(log: Log) -> list[list[tuple[int, int]]]:
    """What each visit read, and when."""
    found: dict[int, list[tuple[int, int]]] = {}
    reads = (log.read_session, log.read_article, log.read_day)
    for visit, article, day in zip(*(column.tolist() for column in reads), strict=True):
        found.setdefault(visit, []).append((article, day))
    return sorted(sorted(each) for each in found.values())
