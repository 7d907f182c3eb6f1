"""Daily counts as data frames: what the learner sees, spread over the links of each slate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from recommender.events.event import DAY_MS
from recommender.frames.columnar import categories, moments, texts
from recommender.frames.selection import Selection
from recommender.frames.tables import ids_by_key, reading
from recommender.ragged import expand
from recommender.store.click_filters import Caps
from recommender.store.database import Store
from recommender.store.queries import Names, columns, daily_clicks, daily_views

if TYPE_CHECKING:
    import pandas as pd


def daily_counts(store: Store, chosen: Selection) -> Iterator[pd.DataFrame]:
    """The daily counts of the whole days that are wanted, a frame a day."""
    with reading(store) as connection:
        values = {**chosen.values, **Caps().limits(connection)}
        seen, past = chosen.views, chosen.past
        names, lists = Names(), Names()
        shown = columns(connection, daily_views(seen, past, by_arm=True), "qqssq", values, names)
        clicked = columns(
            connection, daily_clicks(seen, past, by_arm=True), "qqssqqd", values, names
        )
        used = (
            f"IN (SELECT v.slate FROM views v WHERE {seen} "
            f"UNION SELECT p.slate FROM past_views p WHERE {past})"
        )
        slate = columns(
            connection,
            f"SELECT s.slate, s.source, s.list FROM slates s WHERE s.slate {used} ORDER BY s.slate",
            "qqs", values, lists,
        )  # fmt: skip
        link = columns(
            connection,
            "SELECT l.slate, l.item, l.position FROM slate_links l "
            f"WHERE l.slate {used} ORDER BY l.slate, l.rank",
            "qqd", values,
        )  # fmt: skip
        ids = ids_by_key(connection)
    yield from _days(shown, clicked, slate, link, ids, lists, names)


def _days(
    shown: list[np.ndarray],
    clicked: list[np.ndarray],
    slate: list[np.ndarray],
    link: list[np.ndarray],
    ids: dict[int, str],
    lists: Iterable[str],
    names: Iterable[str],
) -> Iterator[pd.DataFrame]:
    """Views and clicks of slates, spread over their links."""
    place, text_of = _in_order(ids)
    list_of, list_names = _in_order(dict(enumerate(lists)))
    name_of, name_texts = _in_order(dict(enumerate(names)))
    # From here on numbers are in the order of what they stand for.
    shown[2], shown[3] = name_of[shown[2]], name_of[shown[3]]
    clicked[2], clicked[3] = name_of[clicked[2]], name_of[clicked[3]]
    layouts, arms = (_occurring(shown[at], name_texts) for at in (2, 3))
    heads = np.searchsorted(link[0], slate[0])
    sizes = np.diff(heads, append=len(link[0]))
    position = np.nan_to_num(link[2], nan=0).astype(np.int16)
    clicked = [column[~np.isnan(clicked[6])] for column in clicked]
    days = np.unique(shown[0])
    for day in days if len(days) else [0]:
        of_day, followed = (
            [column[slice(*np.searchsorted(table[0], [day, day + 1]))] for column in table]
            for table in (shown, clicked)
        )
        row = np.searchsorted(slate[0], of_day[1])
        size = sizes[row]
        begins = np.cumsum(size) - size
        of_link, _ = expand(heads[row], size)
        made = np.zeros(len(of_link), dtype=np.int64)
        keys, wanted = (
            (table[1] * len(name_texts) + table[2]) * len(name_texts) + table[3]
            for table in (of_day, followed)
        )
        order = np.argsort(keys)
        at = order[np.searchsorted(keys[order], wanted)]
        np.add.at(made, begins[at] + followed[6].astype(np.int64) - 1, followed[4])
        keyed = {
            "source_id": np.repeat(place[slate[1][row]], size),
            "target_id": place[link[1][of_link]],
            "list": np.repeat(list_of[slate[2][row]], size),
            "layout": np.repeat(of_day[2], size),
            "arm": np.repeat(of_day[3], size),
            "position": position[of_link],
        }
        yield _day(
            day, keyed, np.repeat(of_day[4], size), made, text_of,
            {"list": (list_names, np.arange(len(list_names))), "layout": layouts, "arm": arms},
        )  # fmt: skip


def _day(
    day: int,
    keyed: dict[str, np.ndarray],
    shown: np.ndarray,
    clicked: np.ndarray,
    ids: list[str],
    names: dict[str, tuple[list[str], np.ndarray]],
) -> pd.DataFrame:
    """Links that were the same in different slates become one row."""
    import pandas as pd

    table = pd.DataFrame({**keyed, "shown": shown, "clicked": clicked})
    table = table.groupby([*keyed], sort=True).sum().reset_index()
    frame = {"day": moments(np.full(len(table), day * DAY_MS))}
    every = texts(ids)
    for name in ("source_id", "target_id"):
        frame[name] = every.take(table[name].to_numpy())
    for name, (known, number) in names.items():
        frame[name] = categories(number[table[name].to_numpy()], known)
    place = table["position"].to_numpy()
    frame["position"] = pd.arrays.IntegerArray(place.astype(np.int16), place == 0)
    return pd.DataFrame({**frame, "shown": table["shown"], "clicked": table["clicked"]})


def _in_order(texts: dict[int, str]) -> tuple[np.ndarray, list[str]]:
    """From the numbers of texts to their places in order, and the texts in that order."""
    ordered = sorted(texts, key=lambda number: texts[number])
    place = np.zeros(max(texts, default=0) + 1, dtype=np.int64)
    place[ordered] = np.arange(len(ordered))
    return place, [texts[number] for number in ordered]


def _occurring(numbers: np.ndarray, texts: list[str]) -> tuple[list[str], np.ndarray]:
    """The texts that occur, and from a text's number to its place among them."""
    found = np.unique(numbers)
    place = np.zeros(len(texts), dtype=np.int64)
    place[found] = np.arange(len(found))
    return [texts[number] for number in found], place
