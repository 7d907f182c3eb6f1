"""Events of our own in columns: what is the same in many records is checked once.

Millions of records show the same few thousand slates, at times of one shape, under ids of plain
letters. So a batch of them is checked column by column, and each slate once. A record of which that
does not settle everything is left to ``event.parse``, which knows every way to write one, and names
what is wrong; what is in columns is what ``parse`` would have made of it.

>>> found = [Record("log:1", {"type": "click", "view_id": "v1", "ts": 1795341600000,
...                           "clicked": "knee"})]
>>> columns, others = InColumns().of_records(found)
>>> columns.clicks.clicked, columns.clicks.ts, others
(['knee'], [1795341600000], [])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from math import inf
from typing import Any, NamedTuple

import numpy as np

from recommender.errors import EventError
from recommender.events import event
from recommender.events.event import EARLIEST, MAX_NAME_CHARACTERS, Impression
from recommender.fields import MAX_ID_CHARACTERS, FieldError, identifier
from recommender.files import Problem, Record, Rows
from recommender.times import LEAST, UNITS

# What distinguishes slates that are remembered while a log is read, in characters: those of some
# 50,000, in some 60 MB.
MAX_CHARACTERS = 10_000_000
# The kinds of events, in the order of ``Columns``.
KINDS = ("impression", "click", "pageview")
# Where a time stands that only ``parse`` can read. No event is so old.
UNCLEAR = np.iinfo(np.int64).min
# Any time that may be.
ANY_TIME = 1_000_000_000_000
# Seconds beyond any date, below which a thousand times as many fit.
LARGE = 10**15
# Numbers of fourteen digits that are days and hours of a calendar (``times.DIGITS``).
CALENDAR = 15_000_000_000_000, 22_000_000_000_000
# The digits of a fraction and the zone of times in UTC, by the length of the whole.
ISO_TAILS = {
    19 + (n and n + 1) + len(zone): (n, zone) for n in (0, 3, 6) for zone in (b"", b"Z", b"+00:00")
}
# Types of Arrow's whose values are ids, or none, as ``pyarrow.types`` knows them.
OF_IDS = ("is_string", "is_large_string", "is_integer", "is_null")
# Marks what stands between fields; no sound field holds it.
NUL = "\x00"


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What an impression shows, apart from view, time and reader; each is one object while it is
    remembered.
    """

    impression: Impression


@dataclass(slots=True)
class Views:
    """Impressions, one in each place of every list. ``ts`` as in ``Impression``."""

    view_ids: list[str] = field(default_factory=list)
    ts: list[int] = field(default_factory=list)
    contents: list[Content] = field(default_factory=list)
    session_ids: list[str] = field(default_factory=list)
    layouts: list[str] = field(default_factory=list)
    arms: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.view_ids)

    def event(self, at: int) -> Impression:
        """The one at this place."""
        return self.contents[at].impression._replace(
            view_id=self.view_ids[at], ts=self.ts[at], session_id=self.session_ids[at],
            layout=self.layouts[at], arm=self.arms[at],
        )  # fmt: skip


@dataclass(slots=True)
class Clicks:
    """Clicks, likewise."""

    view_ids: list[str] = field(default_factory=list)
    ts: list[int] = field(default_factory=list)
    clicked: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.view_ids)


@dataclass(slots=True)
class PageViews:
    """Openings of articles, likewise."""

    ts: list[int] = field(default_factory=list)
    article_ids: list[str] = field(default_factory=list)
    session_ids: list[str] = field(default_factory=list)
    referrer_ids: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ts)


class Columns(NamedTuple):
    """Events of each kind."""

    views: Views
    clicks: Clicks
    page_views: PageViews

    @property
    def n_events(self) -> int:
        """How many there are."""
        return len(self.views) + len(self.clicks) + len(self.page_views)


class InColumns:
    """Puts records into columns; no event is later than ``latest``, in milliseconds since 1970."""

    def __init__(self, latest: float = inf) -> None:
        self.latest = latest
        # None for those in which ``parse`` finds a fault.
        self._contents: dict[Any, Content | None] = {}
        self._n_characters = 0

    def of_records(self, found: Sequence[Record | Problem]) -> tuple[Columns, Sequence[int]]:
        """The events in columns; the places of what is left to be read one by one, rising."""
        return self._columns(_List(found), len(found))

    def of_rows(self, rows: Rows) -> tuple[Columns, Sequence[int]]:
        """As ``of_records``, of rows of Parquet."""
        import pyarrow as arrow

        try:
            return self._columns(_Table(rows), len(rows))
        except (ValueError, OverflowError, arrow.ArrowException):  # of types that are no events'
            return Columns(Views(), Clicks(), PageViews()), range(len(rows))

    def _columns(self, table: _List | _Table, n: int) -> tuple[Columns, Sequence[int]]:
        columns, left = Columns(Views(), Clicks(), PageViews()), {*range(n)}
        parts: tuple[Any, ...] = columns
        for kind, part in zip(KINDS, parts, strict=True):
            places = table.places(kind)
            if not len(places):
                continue
            bad: set[int] = set()
            lists = self._read(table, kind, bad)
            if bad:
                kept = [at not in bad for at in range(len(places))]
                places = [*compress(places, kept)]
                lists = [[*compress(values, kept)] for values in lists]
            left.difference_update(places)
            for name, values in zip(part.__slots__, lists, strict=True):
                setattr(part, name, values)
        return columns, sorted(left)

    def _read(self, table: _List | _Table, kind: str, bad: set[int]) -> list[list[Any]]:
        """The columns of the records of a kind, with anything at those that are ``bad``."""

        def ids(name: str) -> list[str]:
            return _texts(table.values(kind, name), bad, identifier, MAX_ID_CHARACTERS)

        def names(name: str, most: int = MAX_NAME_CHARACTERS) -> list[str]:
            return _texts(table.values(kind, name), bad, _name, most, may_be_empty=True)

        ts = moments(table.times(kind))
        within = (ts >= EARLIEST) & (ts <= self.latest)
        if not within.all():
            bad.update(np.flatnonzero(~within).tolist())
        if kind == "click":
            return [ids("view_id"), ts.tolist(), ids("clicked")]
        if kind == "pageview":
            referrers = names("referrer_id", MAX_ID_CHARACTERS)
            return [ts.tolist(), ids("article_id"), names("session_id"), referrers]
        contents = self._known(*table.contents(kind))
        bad.update(at for at, content in enumerate(contents) if content is None)
        return [ids("view_id"), ts.tolist(), contents, names("session_id"), names("layout"),
                names("arm")]  # fmt: skip

    def _known(
        self, keys: list[Any], codes: list[int], records: Callable[[list[int]], Iterable[Any]]
    ) -> list[Content | None]:
        """The contents with these keys, each at the places of its code; ``records`` are first ones
        that have these. None for code -1.
        """
        known = self._contents
        new = [at for at, key in enumerate(keys) if key not in known]
        found: dict[int, Content | None] = {}
        for at, record in zip(new, records(new) if new else (), strict=True):
            found[at] = known[keys[at]] = _content(record)
            self._n_characters += len(keys[at]) if isinstance(keys[at], str) else len(keys[at][2])
        contents = [known[key] for key in keys]
        if self._n_characters > MAX_CHARACTERS:
            known.clear()
            self._n_characters = 0
        contents.append(None)
        return [contents[code] for code in codes]


def _content(record: Record | Problem) -> Content | None:
    """What an impression shows, whoever saw it and when; None if there is a fault in that."""
    if isinstance(record, Problem):
        return None
    try:
        parsed = event.parse({**record.fields, "view_id": "any", "ts": ANY_TIME}, where="")
    except EventError:
        return None
    return Content(parsed) if isinstance(parsed, Impression) else None


class _List:
    """Records as a table."""

    def __init__(self, found: Sequence[Record | Problem]) -> None:
        self._places: dict[str, list[int]] = {kind: [] for kind in KINDS}
        self._fields: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
        for at, each in enumerate(found):
            if isinstance(each, Record):
                fields = each.fields
                kind = fields.get("type")
                if type(kind) is str and kind in KINDS:
                    self._places[kind].append(at)
                    self._fields[kind].append(fields)

    def places(self, kind: str) -> Sequence[int]:
        """Where the records of a kind stand."""
        return self._places[kind]

    def values(self, kind: str, name: str) -> Sequence[Any]:
        """A field of the records of a kind; None where it is missing."""
        return [fields.get(name) for fields in self._fields[kind]]

    def times(self, kind: str) -> Sequence[Any]:
        """Their field ``ts``."""
        return self.values(kind, "ts")

    def contents(self, kind: str) -> tuple[list[Any], list[int], Callable[..., Iterable[Any]]]:
        """As ``InColumns._known`` takes it."""
        all_fields = self._fields[kind]
        codes_of: dict[Any, int] = {}
        firsts: list[int] = []
        codes = []
        for at, fields in enumerate(all_fields):
            try:
                code = codes_of.setdefault(_key(fields), len(firsts))
            except (TypeError, RecursionError):  # of what no field holds
                code = -1
            if code == len(firsts):
                firsts.append(at)
            codes.append(code)
        return [*codes_of], codes, lambda new: [Record("", all_fields[firsts[at]]) for at in new]


def _key(fields: dict[str, Any]) -> tuple[Any, ...]:
    """What is the same for impressions with the same content, and for no others. That of a list of
    texts has their number, so that none in which ``NUL`` stands has the key of a sound one.
    """
    get = fields.get
    shown, n = get("shown"), -1
    if type(shown) is list:
        try:
            n, joined = len(shown), NUL.join(shown)
        except TypeError:
            n, joined = -2, repr(shown)
    elif isinstance(shown, str):
        joined = shown
    else:
        raise TypeError
    source, name, chances = get("source_id"), get("list"), get("propensities")
    if type(source) is not str:
        source = (repr(source),)
    if name is not None and type(name) is not str:
        name = (repr(name),)
    if type(chances) is list:
        chances = tuple(chances)
    return (n, source, joined, name, chances, get("first_position"), get("ordered", True))


class _Table:
    """Rows of Parquet as a table; ``ValueError`` if it has columns of types that need a look at
    each row.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.batch = rows.columns()
        names = self.batch.schema.names
        if len({*names}) < len(names):
            raise ValueError("two columns of one name")
        self._kinds = self._strings("type", None)
        self._at: dict[str, Any] = {}

    def places(self, kind: str) -> Sequence[int]:
        """Where the rows of a kind stand."""
        from pyarrow import compute

        found = compute.indices_nonzero(compute.equal(self._kinds, kind))
        self._at[kind] = found if len(found) < len(self.rows) else None
        return [*range(len(self.rows))] if self._at[kind] is None else found.to_pylist()

    def values(self, kind: str, name: str) -> Sequence[Any]:
        """A column of the rows of a kind, numbers as text; None where it is missing."""
        column = self._strings(name, kind)
        return column.to_pylist() if column.null_count < len(column) else [None] * len(column)

    def times(self, kind: str) -> Sequence[Any] | np.ndarray:
        """Their column ``ts``, in milliseconds since 1970 where its type says the unit."""
        from pyarrow import types

        column = self._column("ts", kind)
        if column is None:
            raise ValueError("no times")
        if column.null_count == 0 and types.is_integer(column.type):
            return np.asarray(column.to_numpy(zero_copy_only=False))
        if not types.is_timestamp(column.type):
            return [*column.to_pylist()]
        numbers = column.cast("int64").fill_null(0).to_numpy(zero_copy_only=False)
        unit = {"s": 1_000, "ms": 1, "us": -1_000, "ns": -1_000_000}[column.type.unit]
        if unit > 0:
            found = np.where(np.abs(numbers) < LARGE, numbers * unit, UNCLEAR)
        else:
            found = numbers // -unit
        return found.astype("M8[ms]")

    def contents(self, kind: str) -> tuple[list[Any], list[int], Callable[..., Iterable[Any]]]:
        """As ``InColumns._known`` takes it."""
        import pyarrow as arrow
        from pyarrow import compute

        shown = self._column("shown", kind)
        if shown is None:
            raise ValueError("nothing shown")
        parts = [
            *_joined(shown), self._strings("source_id", kind),
            self._strings("list", kind).fill_null(""),
            self._strings("first_position", kind, also=("is_floating",)).fill_null(""),
        ]  # fmt: skip
        ordered = self._strings("ordered", kind, also=("is_boolean",))
        given = compute.binary_join_element_wise("=", ordered, "")
        parts.append(given.fill_null(""))
        if (chances := self._column("propensities", kind)) is not None:
            missing = compute.is_null(chances)
            parts += [compute.if_else(missing, "", part) for part in _joined(chances)]
        keys = compute.binary_join_element_wise(*parts, NUL)
        coded = keys.dictionary_encode()
        codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        first = np.zeros(len(coded.dictionary) + 1, dtype=np.int64)
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        at = self._at[kind]
        where = first if at is None else at.to_numpy(zero_copy_only=False)[first]

        def records(new: list[int]) -> Iterable[Any]:
            taken = self.rows.read.take(arrow.array(where[new]))
            return Rows(self.rows.path, 0, taken, self.rows.schema).records()

        return coded.dictionary.to_pylist(), codes.tolist(), records

    def _column(self, name: str, kind: str | None) -> Any:
        at = self.batch.schema.get_field_index(name)
        if at < 0:
            return None
        column = self.batch.column(at)
        if hasattr(column, "dictionary_decode"):
            column = column.dictionary_decode()
        places = None if kind is None else self._at[kind]
        return column if places is None else column.take(places)

    def _strings(self, name: str, kind: str | None, *, also: Sequence[str] = ()) -> Any:
        """A column as texts, of no other types than make ids, and ``also`` these."""
        import pyarrow as arrow
        from pyarrow import types

        column = self._column(name, kind)
        if column is None:
            n = len(self.rows) if kind is None or self._at[kind] is None else len(self._at[kind])
            return arrow.nulls(n, "string")
        if types.is_string(column.type):
            return column
        if not any(getattr(types, each)(column.type) for each in (*OF_IDS, *also)):
            raise ValueError(f"a column of {column.type}")
        return column.cast("string")


def _joined(column: Any) -> list[Any]:
    """The number of values in each cell, and the values, as texts; ``-1`` and the cell itself if it
    is no list. None for a list with a gap.
    """
    import pyarrow as arrow
    from pyarrow import compute, types

    if types.is_string(column.type) or types.is_large_string(column.type):
        column = column.cast("string")
        return [compute.if_else(compute.is_null(column), None, "-1"), column]
    if not (types.is_list(column.type) or types.is_large_list(column.type)):
        raise ValueError(f"a column of {column.type}")
    value = column.type.value_type
    if not any(getattr(types, each)(value) for each in (*OF_IDS, "is_floating")):
        raise ValueError(f"a list of {value}")
    texts = column.cast(arrow.list_(arrow.string()))
    return [compute.list_value_length(column).cast("string"), compute.binary_join(texts, NUL)]


def _name(record: dict[str, Any], name: str, *, most: int) -> str:
    return "" if record[name] in (None, "") else identifier(record, name, most=most)


def _texts(
    values: Sequence[Any], bad: set[int], read: Callable[..., str], most: int, *,
    may_be_empty: bool = False,
) -> list[str]:  # fmt: skip
    """What ``read`` makes of each value; the places of those it refuses are ``bad``."""
    if may_be_empty and None in values:
        values = ["" if value is None else value for value in values]
    try:
        joined = "".join(values)
    except TypeError:
        joined = ""
    # Letters, digits and marks alone: there is nothing about them to be read.
    if joined and joined.isascii() and joined.isprintable() and " " not in joined:
        lengths = [*map(len, values)]
        if max(lengths) <= most and (may_be_empty or min(lengths)):
            return [*values]
    found = []
    seen: dict[Any, str] = {}
    for at, value in enumerate(values):
        text = seen.get(value) if type(value) is str else None
        if text is None:
            try:
                text = read({"": value}, "", most=most)
            except FieldError:
                bad.add(at)
                text = ""
            else:
                if type(value) is str:
                    seen[value] = text
        found.append(text)
    return found


def moments(values: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Times as ``event.milliseconds`` reads them, ``(n,)``; ``UNCLEAR`` where it has to look.

    >>> moments(["2026-11-22T10:00:00Z", "2026-11-22 10:00:00.5+00:00"]) - 1795341600000
    array([  0, 500])
    """
    if isinstance(values, np.ndarray):
        if values.dtype.kind == "M":
            return values.astype(np.int64)
        kinds: set[type] = {int}
    else:
        kinds = {*map(type, values)}
        if kinds == {str}:
            return _of_texts(values)
    if kinds == {int}:
        try:
            return _of_numbers(np.asarray(values).astype(np.int64, casting="safe"))
        except (TypeError, OverflowError):  # longer than any number of milliseconds
            pass
    return np.array([_one_by_one(value) for value in values], dtype=np.int64)


def _one_by_one(value: Any) -> int:
    try:
        return event.milliseconds({"ts": value})
    except ValueError:
        return UNCLEAR


def _of_numbers(numbers: np.ndarray) -> np.ndarray:
    """As ``times.parse_time`` takes numbers: by their size one unit alone can be meant."""
    seconds, milliseconds, microseconds = (limit for _, limit in UNITS[:3])
    found = np.select(
        [numbers < seconds, numbers < milliseconds, numbers < microseconds],
        [np.minimum(numbers, seconds) * 1_000, numbers, numbers // 1_000],
        numbers // 1_000_000,
    )
    dubious = (numbers < LEAST) | ((numbers >= CALENDAR[0]) & (numbers < CALENDAR[1]))
    return np.where(dubious, UNCLEAR, found)


def _of_texts(texts: Sequence[str]) -> np.ndarray:
    """Most are one of a few shapes of ISO 8601."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    found = np.full(len(texts), UNCLEAR)
    for length in np.unique(lengths):
        at = np.flatnonzero(lengths == length)
        joined = "".join(
            texts if len(at) == len(texts) else [texts[place] for place in at.tolist()]
        )
        if joined.isascii() and length in ISO_TAILS:
            letters = np.frombuffer(joined.encode(), dtype=np.uint8).reshape(-1, int(length))
            found[at] = _of_iso(letters, *ISO_TAILS[int(length)])
    for place in np.flatnonzero(found == UNCLEAR).tolist():
        found[place] = _one_by_one(texts[place])
    return found


def _of_iso(letters: np.ndarray, n_digits: int, zone: bytes) -> np.ndarray:
    """Milliseconds of ``2026-11-22T10:00:00``, with so many digits of a second after a point, and
    then the ``zone``; ``letters`` are ``(n, length)``.
    """
    shape = b"0000-00-00T00:00:00" + (b"." + b"0" * n_digits if n_digits else b"") + zone
    like = np.frombuffer(shape, dtype=np.uint8)
    start = len(shape) - len(zone)
    is_digit = (like == ord("0")) & (np.arange(len(shape)) < start)
    digits = letters[:, is_digit] - np.int16(ord("0"))
    sound = ((digits >= 0) & (digits <= 9)).all(axis=1)
    marks = letters[:, ~is_digit]
    same = marks == like[~is_digit]
    same[:, 2] |= marks[:, 2] == ord(" ")  # the T
    sound &= same.all(axis=1)
    number = digits.astype(np.int64)

    def part(first: int, end: int) -> np.ndarray:
        return number[:, first:end] @ 10 ** np.arange(end - first)[::-1]

    year, month, day = part(0, 4), part(4, 6), part(6, 8)
    hour, minute, second = part(8, 10), part(10, 12), part(12, 14)
    sound &= (year > 1) & (month >= 1) & (month <= 12) & (hour < 24) & (minute < 60) & (second < 60)
    months = np.where(sound, 12 * (year - 1970) + month - 1, 0).astype("M8[M]")
    days = months.astype("M8[D]").astype(np.int64)
    sound &= (day >= 1) & (day <= (months + 1).astype("M8[D]").astype(np.int64) - days)
    seconds = (((days + day - 1) * 24 + hour) * 60 + minute) * 60 + second
    fraction = part(14, 17) if n_digits else 0
    return np.where(sound, 1_000 * seconds + fraction, UNCLEAR)
