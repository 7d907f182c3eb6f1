"""LogCounts of a log as Parquet, so that who trains needs no raw log: written from a store, or made
elsewhere by ``counting_statement``.

A file, or a folder of files as engines write them, is read in pieces into the arrays that counting
a store makes; what its numbers say is checked, so that a file of something else, or half of one, is
refused with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sql

from recommender.errors import InputError, MissingExtra
from recommender.events.event import DAY_MS
from recommender.store import counting_statement as columns
from recommender.store.click_filters import Caps
from recommender.store.counts import Counted, Log, numbers_of
from recommender.store.database import Store
from recommender.store.queries import BLOCK, Names
from recommender.store.slates import Slates, from_one

if TYPE_CHECKING:
    import pyarrow as pa

# What each kind of row must have, and what it may leave empty.
NEEDED = {
    "link": ("slate", "rank", "item", "brought"),
    "slate": ("slate", "source", "list", "ordered"),
    "view": ("day", "slate", "layout", "live", "n"),
    "click": ("day", "slate", "layout", "live", "rank", "n", "n_in_sessions"),
    "read": ("visit", "day", "item"),
    "past read": ("day", "item", "n"),
    "past pair": ("day", "source", "item", "n"),
    **dict.fromkeys(columns.NUMBERS, ("n",)),
}
OPTIONAL = {"link": ("position", "propensity")}
# Rows at a time, in some 30 MB.
ROWS = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class LogCounts:
    """What a file holds: the counts, and the ``ids`` that its numbers of articles stand for."""

    place: str
    counted: Counted
    ids: tuple[str, ...]

    def log(self, ids: Sequence[str], *, until: int) -> Log:
        """The log of articles ``ids``, in the build's order, of the days that begin before
        ``until``, milliseconds since 1970: later views have a wrong clock.
        """
        known = {key: id for key, id in enumerate(self.ids) if id}
        log = self.counted.log(numbers_of(known, ids))
        if log.last_ts is None or log.last_ts < until:
            return log
        days = [log.view_day, log.click_day, log.read_day, log.past_read_day, log.past_pair_day]
        first = min((int(day.min()) for day in days if len(day)), default=0)
        log = log.between(first, -(-until // DAY_MS))
        return _until(log, until)

    def n_ahead(self, until: int) -> int:
        """How many views are of days that begin at ``until`` or later."""
        views = self.counted.views
        return int(views["n"][views["day"] * DAY_MS >= until].sum())

    def unknown(self, ids: Sequence[str]) -> Unknown:
        """What the counts say of articles that are none of ``ids``."""
        have = set(ids)
        absent = np.array([id not in have for id in self.ids], dtype=bool)
        counted, slates = self.counted, self.counted.slates
        views, clicks = counted.views, counted.clicks
        shown = absent[slates.source[slates.rows(views["slate"])]]
        link = slates.heads[slates.rows(clicks["slate"])] + clicks["rank"] - 1
        target = slates.item[link] if len(link) else np.zeros(0, dtype=np.int64)
        followed = absent[slates.source[slates.rows(clicks["slate"])]] | absent[target]
        return Unknown(
            tuple(sorted(id for id in self.ids if id and id not in have)),
            int(views["n"][shown].sum()),
            int(clicks["n"][followed].sum()),
        )

    @property
    def n_clicks(self) -> int:
        """How many clicks are counted."""
        return int(self.counted.clicks["n"].sum())


@dataclass(frozen=True, slots=True)
class Unknown:
    """The ``ids`` of articles that the build does not have, and how many views of their pages and
    clicks on or from them there are.
    """

    ids: tuple[str, ...]
    n_views: int
    n_clicks: int


def _until(log: Log, until: int) -> Log:
    """With a last moment that is before ``until``."""
    end = int(log.view_day.max() + 1) * DAY_MS - 1 if len(log.view_day) else None
    return replace(
        log,
        first_ts=log.first_ts if end is not None else None,
        last_ts=None if end is None else min(end, until - 1),
    )


def write(store: Store, path: Path, *, until: int | None = None, caps: Caps | None = None) -> int:
    """Count a store's log by the statement, under ``caps`` and of views before ``until``, and write
    what it finds; returns how many rows. A file is there when it is whole. ``MissingExtra`` without
    pyarrow.
    """
    pa, parquet = _pyarrow()
    schema = _schema()
    text = sql.text(columns.statement(until=until, caps=caps))
    part = path.with_name(f"{path.name}.part")
    n = 0
    try:
        with store.snapshot() as connection, parquet.ParquetWriter(part, schema) as file:
            rows = connection.execution_options(yield_per=BLOCK).execute(text)
            for block in rows.partitions(BLOCK):
                arrays = [
                    pa.array(values, field.type)
                    for values, field in zip(zip(*block, strict=True), schema, strict=True)
                ]
                file.write_table(pa.table(arrays, schema=schema))
                n += len(block)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return n


def _schema() -> pa.Schema:
    pa, _ = _pyarrow()
    types = dict.fromkeys(columns.COLUMNS, pa.int64())
    types |= dict.fromkeys(columns.TEXTS, pa.string())
    types |= dict.fromkeys(columns.FLOATS, pa.float64())
    return pa.schema(list(types.items()))


def read(path: str | Path) -> LogCounts:
    """LogCounts from a Parquet file, or a folder of such files, or an address such as
    ``s3://bucket/counts/`` where fsspec is installed. ``InputError`` if it cannot be read, lacks
    columns, or is not what the statement finds; ``MissingExtra`` without pyarrow.
    """
    found = _Reading(str(path))
    for batch in _batches(str(path)):
        found.add(batch)
    return found.counts()


class _Reading:
    """Takes rows of all kinds apart into columns."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.ids, self.lists, self.layouts = Names(), Names(), Names()
        self.names = {"source": self.ids, "item": self.ids, "list": self.lists,
                      "layout": self.layouts}  # fmt: skip
        self.kinds = Names()
        self.parts: dict[str, dict[str, list[np.ndarray]]] = {
            kind: {name: [] for name in (*NEEDED[kind], *OPTIONAL.get(kind, ()))} for kind in NEEDED
        }

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows in."""
        kind = self._numbers(batch, "kind", self.kinds)
        for name, number in self.kinds.items():
            if not (rows := kind == number).any():
                continue
            if name not in self.parts:
                raise self._fault(f"kind {name!r} is none of {', '.join(columns.KINDS)}")
            some = batch if rows.all() else batch.filter(_mask(rows))
            for column, blocks in self.parts[name].items():
                blocks.append(self._column(some, name, column))

    def _column(self, rows: pa.RecordBatch, kind: str, name: str) -> np.ndarray:
        if name in self.names:
            return self._numbers(rows, name, self.names[name], of=kind)
        values = rows.column(name)
        is_float = name in columns.FLOATS or name in OPTIONAL.get(kind, ())
        if values.null_count and not is_float:
            raise self._fault(f"a row of kind {kind!r} has no {name}")
        return self._cast(values, name, is_float=is_float)

    def _cast(self, values: pa.Array, name: str, *, is_float: bool) -> np.ndarray:
        pa, _ = _pyarrow()
        try:
            if name not in columns.FLOATS:
                values = values.cast(pa.int64())
            wanted = pa.float64() if is_float else pa.int64()
            found: np.ndarray = values.cast(wanted).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid as exc:
            raise self._fault(f"column {name} holds what is no whole number: {exc}") from exc
        return found.astype(np.float64 if is_float else np.int64)

    def _numbers(
        self, rows: pa.RecordBatch, name: str, names: Names, *, of: str = ""
    ) -> np.ndarray:
        """Numbers for the texts of a column."""
        pa, _ = _pyarrow()
        values = rows.column(name)
        if values.null_count:
            raise self._fault(
                f"a row of kind {of!r} has no {name}" if of else f"a row has no {name}"
            )
        if not pa.types.is_dictionary(values.type):
            values = values.dictionary_encode()
        try:
            texts = values.dictionary.cast(pa.string()).to_pylist()
        except (pa.ArrowInvalid, UnicodeDecodeError) as exc:
            raise self._fault(f"column {name} holds what is no text: {exc}") from exc
        # A dictionary may hold what no row has: such get no number.
        codes = values.indices.to_numpy(zero_copy_only=False)
        numbers = np.zeros(len(texts), dtype=np.int64)
        for code in np.unique(codes).tolist():
            numbers[code] = names.of(texts[code])
        return numbers[codes]

    def _fault(self, reason: str) -> InputError:
        return InputError(f"{self.place}: {reason}")

    def counts(self) -> LogCounts:
        """All of it, in the order in which a store counts."""
        found = {
            kind: {name: _joined(name, kind, blocks) for name, blocks in parts.items()}
            for kind, parts in self.parts.items()
        }
        self.parts = {}
        numbers = self._single(found)
        slates = self._slates(found["slate"], found["link"])
        views, clicks = found["view"], found["click"]
        names = np.array([*self.layouts] or [""])
        views, clicks = (
            _ordered(table, ("day", "slate", "layout", "live", "rank"), names)
            for table in (views, clicks)
        )
        self._check(slates, views, clicks)
        layouts, (views["layout"], clicks["layout"]) = _as_met(
            [*self.layouts], [views["layout"], clicks["layout"]]
        )
        reads, pairs = found["past read"], found["past pair"]
        read = found["read"]
        counted = Counted(
            slates=slates,
            layouts=layouts,
            views=views,
            clicks=clicks,
            readings={"session": read["visit"], "day": read["day"], "article": read["item"]},
            past_reads={"day": reads["day"], "article": reads["item"], "n": reads["n"]},
            past_pairs={
                "day": pairs["day"], "article": pairs["source"], "other": pairs["item"],
                "n": pairs["n"],
            },
            first_ts=numbers.get(columns.FIRST),
            last_ts=numbers.get(columns.LAST),
            clicks_of_visits=numbers.get(columns.CLICKS, 0),
            squares=numbers.get(columns.SQUARES, 0),
            n_other_layouts=numbers.get(columns.OTHERS, 0),
            n_unknown=numbers.get(columns.UNKNOWNS, 0),
            n_visits_left=numbers.get(columns.LEFT, 0),
        )  # fmt: skip
        return LogCounts(self.place, counted, tuple(self.ids))

    def _single(self, found: dict[str, dict[str, np.ndarray]]) -> dict[str, int]:
        numbers = {}
        for kind in columns.NUMBERS:
            values = found[kind]["n"]
            if len(values) > 1:
                raise self._fault(f"{len(values)} rows of kind {kind!r}: counts of several runs")
            if len(values):
                numbers[kind] = int(values[0])
        # Of every log, also of an empty one, the statement finds this.
        if columns.OTHERS not in numbers:
            raise self._fault(
                f"no row of kind {columns.OTHERS!r}: not all that the statement finds"
            )
        return numbers

    def _slates(self, slates: dict[str, np.ndarray], links: dict[str, np.ndarray]) -> Slates:
        slates = _sorted(slates, ("slate",))
        links = _sorted(links, ("slate", "rank"))
        number = slates["slate"]
        if (again := np.flatnonzero(np.diff(number) == 0)).size:
            raise self._fault(f"slate {number[again[0]]} stands there twice")
        heads = np.append(np.searchsorted(links["slate"], number), len(links["slate"]))
        size = np.diff(heads)
        place = (
            np.arange(len(links["slate"])) - np.repeat(heads[:-1], size)
            if size.sum() == len(links["slate"])
            else None
        )
        if place is None or not np.array_equal(np.repeat(number, size), links["slate"]):
            raise self._fault("links of a slate that is not there")
        if not np.array_equal(links["rank"], place + 1):
            at = int(np.flatnonzero(links["rank"] != place + 1)[0])
            raise self._fault(f"the links of slate {links['slate'][at]} are not 1, 2, and so on")
        lists, (of_slate,) = _as_met([*self.lists], [slates["list"]])
        return Slates(
            number=number,
            source=slates["source"],
            list=of_slate.astype(np.int32),
            ordered=slates["ordered"].astype(bool),
            heads=heads,
            item=links["item"],
            position=from_one(links["position"], heads),
            propensity=links["propensity"],
            brought=links["brought"].astype(bool),
            lists=lists,
            origin=np.zeros(0, dtype=np.int8),
            origins=(),
        )

    def _check(
        self, slates: Slates, views: dict[str, np.ndarray], clicks: dict[str, np.ndarray]
    ) -> None:
        for what, table in (("views", views), ("clicks", clicks)):
            lost = ~np.isin(table["slate"], slates.number)
            if lost.any():
                raise self._fault(f"{what} of slate {table['slate'][lost][0]}, which is not there")
            if (table["n"] < 0).any():
                raise self._fault(f"numbers of {what} below 0")
        size = np.diff(slates.heads)[slates.rows(clicks["slate"])]
        beyond = (clicks["rank"] < 1) | (clicks["rank"] > size)
        if beyond.any():
            at = int(np.flatnonzero(beyond)[0])
            raise self._fault(
                f"a click on link {clicks['rank'][at]} of slate {clicks['slate'][at]}, which has "
                f"{size[at]}"
            )


def _joined(name: str, kind: str, blocks: list[np.ndarray]) -> np.ndarray:
    is_float = name in columns.FLOATS or name in OPTIONAL.get(kind, ())
    empty = np.zeros(0, dtype=np.float64 if is_float else np.int64)
    return np.concatenate([empty, *blocks])


def _sorted(table: dict[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    keys = [table[name] for name in names]
    order = np.lexsort(keys[::-1])
    if np.array_equal(order, np.arange(len(order))):
        return table
    return {name: column[order] for name, column in table.items()}


def _ordered(
    table: dict[str, np.ndarray], names: Sequence[str], layouts: np.ndarray
) -> dict[str, np.ndarray]:
    """In the order of ``names``, layouts by their texts."""
    place = np.argsort(np.argsort(layouts))
    keys = [
        place[table[name]] if name == "layout" else table[name] for name in names if name in table
    ]
    order = np.lexsort(keys[::-1])
    return {name: column[order] for name, column in table.items()}


def _as_met(
    texts: Sequence[str], columns: Sequence[np.ndarray]
) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """The texts that are used, and their numbers, in the order in which columns have them."""
    numbers, first = np.unique(np.concatenate([*columns]), return_index=True)
    met = numbers[np.argsort(first)]
    place = np.zeros(len(texts) + 1, dtype=np.int64)
    place[met] = np.arange(len(met))
    return tuple(texts[number] for number in met), [place[column] for column in columns]


def _mask(rows: np.ndarray) -> pa.BooleanArray:
    pa, _ = _pyarrow()
    return pa.array(rows)


def _batches(place: str) -> Iterator[pa.RecordBatch]:
    """Pieces of a file or folder, with the columns' names as the statement has them."""
    pa, _ = _pyarrow()
    from pyarrow import dataset

    try:
        where, system = _system(place)
        try:
            whole = dataset.dataset(where, filesystem=system, format="parquet")
        except FileNotFoundError as exc:
            raise InputError(f"{place}: there is no such file or folder") from exc
        # Some warehouses write names in capitals.
        given = {name.lower(): name for name in whole.schema.names}
        missing = [name for name in columns.COLUMNS if name not in given]
        if not whole.files:
            raise InputError(f"{place}: no Parquet files are in this folder")
        if missing:
            raise InputError(
                f"{place}: no column {', '.join(missing)}; write all that the statement finds: "
                "recommender counts --sql"
            )
        for name in columns.COLUMNS:
            _check_type(place, name, whole.schema.field(given[name]).type)
        texts = [given[name] for name in columns.TEXTS]
        reading = dataset.ParquetReadOptions(dictionary_columns=texts)
        whole = dataset.dataset(
            where, filesystem=system, format=dataset.ParquetFileFormat(read_options=reading)
        )
        wanted = {name: dataset.field(given[name]) for name in columns.COLUMNS}
        for batch in whole.to_batches(columns=wanted, batch_size=ROWS, batch_readahead=2,
                                      fragment_readahead=1):  # fmt: skip
            if len(batch):
                yield batch
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OSError) as exc:
        reason = (str(exc).strip() or type(exc).__name__).splitlines()[0]
        raise InputError(f"{place}: no Parquet that can be read: {reason}") from exc


def _check_type(place: str, name: str, kind: pa.DataType) -> None:
    """``InputError`` unless a column of this type can hold what it should."""
    pa, _ = _pyarrow()
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    is_text = any(
        is_(kind)
        for is_ in (types.is_string, types.is_large_string, types.is_string_view, types.is_binary,
                    types.is_large_binary)
    )  # fmt: skip
    is_number = any(
        is_(kind)
        for is_ in (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean)
    )
    if types.is_null(kind) or (is_text if name in columns.TEXTS else is_number):
        return
    expected = "numbers" if name in columns.FLOATS else "whole numbers"
    expected = "text is" if name in columns.TEXTS else f"{expected} are"
    raise InputError(f"{place}: column {name} is of type {kind}; {expected} expected")


def _system(place: str) -> tuple[str, Any]:
    """A path and the file system that has it, None for this machine's."""
    if "://" not in place:
        return place, None
    try:
        from fsspec.core import url_to_fs
    except ImportError as exc:
        raise MissingExtra(f"reading {place}", "objects") from exc
    try:
        system, where = url_to_fs(place)
    except (ImportError, ValueError) as exc:
        raise InputError(f"{place}: {exc}") from exc
    return where, system


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as exc:
        raise MissingExtra("counts as Parquet", "parquet") from exc
    return pa, parquet
