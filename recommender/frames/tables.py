"""Pieces of data frames from the store's statements: the columns of each, and how their values are
kept small.

A log of millions of views holds few different slates, lists, layouts and arms, so of these a frame
holds numbers or references. Rows come from the database a piece at a time and leave it as columns;
there is never a Python object for each row of a frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.frames.selection import Selection
from recommender.store import queries
from recommender.store.click_filters import FLAGGED, Caps
from recommender.store.database import Store
from recommender.store.keys import LOOK_UP, chunks

if TYPE_CHECKING:
    import pandas as pd

# Where the values of a column stand in the statement.
OF_VIEW = {
    "view_id": "v.view_id", "ts": "v.ts", "source_id": "s.source", "shown": "v.slate",
    "ordered": "s.ordered", "session_id": "v.session", "list": "s.list", "layout": "v.layout",
    "arm": "v.arm", "variant": "v.variant", "propensities": "v.slate", "slate": "v.slate",
    "flagged": "v.view_id",
}  # fmt: skip
OF_CLICK = {"view_id": "c.view_id", "ts": "c.ts", "clicked": "c.item"}
OF_SLATE = {
    "slate": "s.slate", "source_id": "s.source", "list": "s.list", "ordered": "s.ordered",
    "shown": "s.slate", "propensities": "s.slate", "origins": "s.slate",
    "views": "COALESCE(k.n, 0)",
}  # fmt: skip
VIEWS, CLICKS, SLATES = tuple(OF_VIEW), tuple(OF_CLICK), tuple(OF_SLATE)
CATEGORIES = ("list", "layout", "arm")
LINKS = (
    "SELECT slate, item, propensity, origin FROM slate_links WHERE slate {} ORDER BY slate, rank"
)
# Slates that are seen once have numbers one after the other. From so many on they are asked for by
# the first and the last, so many at once; and all rows of a question are read.
RUN, AT_ONCE, ALL = 20, 10_000, 10_000_000
FLAGS = FLAGGED + "SELECT DISTINCT view_id FROM flagged"
# Enough for every list of a large site; beyond it what is remembered is looked up anew.
MAX_REMEMBERED = 200_000

Values = Sequence[Any]


def views(
    store: Store, chosen: Selection, names: Sequence[str], size: int
) -> Iterator[pd.DataFrame]:
    """The views that are wanted, so many rows a frame."""
    source = f"FROM views v JOIN slates s ON s.slate = v.slate WHERE {chosen.views}"
    return _frames(store, chosen, names, size, OF_VIEW, source, order="v.ts, v.view_id")


def clicks(
    store: Store, chosen: Selection, names: Sequence[str], size: int
) -> Iterator[pd.DataFrame]:
    """The clicks that are wanted, so many rows a frame."""
    source = f"FROM clicks c WHERE {chosen.clicks}"
    return _frames(store, chosen, names, size, OF_CLICK, source, order="c.ts, c.view_id, c.item")


def slates(
    store: Store, chosen: Selection, names: Sequence[str], size: int
) -> Iterator[pd.DataFrame]:
    """The slates that are wanted, so many rows a frame."""
    seen = " AND k.n > 0" if chosen.needs_views else ""
    source = (
        "FROM slates s LEFT JOIN ("
        f"SELECT v.slate AS slate, COUNT(*) AS n FROM views v WHERE {chosen.views} GROUP BY v.slate"
        f") k ON k.slate = s.slate WHERE {chosen.slates}{seen}"
    )
    return _frames(store, chosen, names, size, OF_SLATE, source, order="s.slate")


def _frames(
    store: Store,
    chosen: Selection,
    names: Sequence[str],
    size: int,
    columns: dict[str, str],
    source: str,
    *,
    order: str,
) -> Iterator[pd.DataFrame]:
    """``columns`` has the expression in ``source`` that each of ``names`` is read from."""
    fields = list(dict.fromkeys(columns[name] for name in names)) or ["1"]
    statement = queries.query(
        f"SELECT {', '.join(fields)} {source} ORDER BY {order}", chosen.values
    )
    with store.snapshot() as connection:
        maker = _Maker(connection, chosen, names, columns, source)
        rows = connection.execute(statement.execution_options(yield_per=size), chosen.values)
        n_pieces = 0
        for part in queries.blocks(rows, size):
            with queries.without_collecting():
                found = dict(zip(fields, zip(*part, strict=True), strict=True))
                frame = maker.frame(found, len(part))
            yield frame
            n_pieces += 1
        if n_pieces == 0:
            yield maker.frame(dict.fromkeys(fields, ()), 0)


class _Maker:
    """Makes a frame of the values of a statement's columns."""

    def __init__(
        self,
        connection: Connection,
        chosen: Selection,
        names: Sequence[str],
        columns: dict[str, str],
        source: str,
    ) -> None:
        self.names, self.columns = names, columns
        self.ids: dict[int, str] = {}
        if {"source_id", "clicked", "shown"} & set(names):
            self.ids = queries.ids_by_key(connection)
        self.slates = _Slates(connection, self.ids)
        wanted = [name for name in CATEGORIES if name in names]
        values: list[tuple[str, ...]] = []
        if wanted:  # by one look at all rows
            asked = ", ".join(columns[name] for name in wanted)
            statement = queries.query(f"SELECT DISTINCT {asked} {source}", chosen.values)
            values = [tuple(row) for row in connection.execute(statement, chosen.values)]
        self.categories = {
            name: sorted({str(row[at]) for row in values}) for at, name in enumerate(wanted)
        }
        self.flagged: set[str] = set()
        if "flagged" in names:
            limits = Caps().limits
            self.flagged = {id for (id,) in connection.execute(sql.text(FLAGS), limits)}

    def frame(self, found: Mapping[str, Values], n: int) -> pd.DataFrame:
        """``found`` holds the values of each of the statement's columns, ``n`` in each."""
        import pandas as pd

        if {"shown", "propensities", "origins"} & set(self.names):
            self.slates.fetch(found[self.columns["shown" if "shown" in self.columns else "slate"]])
        made = {name: self._column(name, found[self.columns[name]]) for name in self.names}
        return pd.DataFrame(made, index=range(n))

    def _column(self, name: str, values: Values) -> Any:
        import pandas as pd

        match name:
            case "ts":
                return moments(values)
            case "source_id" | "clicked":
                return texts([self.ids[key] for key in values])
            case "shown" | "propensities" | "origins":
                at = ("shown", "propensities", "origins").index(name)
                return objects(self.slates.known[slate][at] for slate in values)
            case "list" | "layout" | "arm":
                known = self.categories[name]
                code = {text: number for number, text in enumerate(known)}
                return categories([code[text] for text in values], known)
            case "variant":
                return pd.array(values, dtype="Int16")
            case "ordered":
                return np.array(values, dtype=bool)
            case "flagged":
                return np.array([view in self.flagged for view in values], dtype=bool)
            case "slate" | "views":
                return np.array(values, dtype=np.int64)
        return texts(values)


class _Slates:
    """What slates hold, one list for all their views; of equal chances and origins too."""

    def __init__(self, connection: Connection, ids: dict[int, str]) -> None:
        self.connection, self.ids = connection, ids
        self.known: dict[int, tuple[list[str], list[float] | None, list[str] | None]] = {}
        self.chances: dict[tuple[Any, ...], list[float] | None] = {}
        self.origins: dict[tuple[str, ...], list[str] | None] = {}

    def fetch(self, slates: Values) -> None:
        """Have them all in ``known``."""
        if len(self.known) > MAX_REMEMBERED:
            self.known, self.chances, self.origins = {}, {}, {}
        for rows in self._links(sorted(set(slates) - self.known.keys())):
            numbers, items, chances, origins = zip(*rows, strict=True)
            heads = np.flatnonzero(np.diff(numbers, prepend=-1)).tolist()
            for start, end in pairwise([*heads, len(rows)]):
                chance, origin = chances[start:end], origins[start:end]
                self.known[numbers[start]] = (
                    [self.ids[item] for item in items[start:end]] if self.ids else [],
                    self.chances.setdefault(chance, None if None in chance else [*chance]),
                    self.origins.setdefault(origin, [*origin] if any(origin) else None),
                )

    def _links(self, slates: list[int]) -> Iterator[Sequence[Sequence[Any]]]:
        """The links of slates, whose numbers ascend, some slates at a time."""
        runs = np.split(slates, np.flatnonzero(np.diff(slates) > 1) + 1)
        few = [number for run in runs if len(run) < RUN for number in run.tolist()]
        among = sql.text(LINKS.format("IN :values"))
        among = among.bindparams(sql.bindparam("values", expanding=True))
        for part in chunks(few, LOOK_UP):
            yield from queries.blocks(self.connection.execute(among, {"values": part}), ALL)
        between = sql.text(LINKS.format("BETWEEN :first AND :last"))
        for run in (run for run in runs if len(run) >= RUN):
            for start in range(0, len(run), AT_ONCE):
                some = run[start : start + AT_ONCE]
                ends = {"first": int(some[0]), "last": int(some[-1])}
                yield from queries.blocks(self.connection.execute(between, ends), ALL)


# The types of columns, also of those that are empty


def texts(values: Iterable[str]) -> Any:
    """An array of the type that pandas has for texts, also if there are none."""
    import pandas as pd

    return pd.array([*values], dtype=pd.Series([""]).dtype)


def moments(values: Iterable[int]) -> Any:
    """Milliseconds since 1970 as datetime64[ms, UTC]."""
    import pandas as pd

    column = np.array(values, dtype=np.int64).astype("datetime64[ms]")
    return pd.Series(column).dt.tz_localize("UTC")


def categories(codes: Sequence[int] | np.ndarray, known: list[str]) -> Any:
    """Texts by their number among those that are known."""
    import pandas as pd

    dtype = pd.CategoricalDtype(pd.Index(texts(known)))
    return pd.Categorical.from_codes(np.array(codes, dtype=np.int64), dtype=dtype)


def objects(values: Iterable[Any]) -> np.ndarray:
    """Lists as an array of references, ``(n_values,)``; numpy would make a table of them."""
    return np.fromiter(values, dtype=object)
