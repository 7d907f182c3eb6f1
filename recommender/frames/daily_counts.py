"""Daily counts as data frames: what the learner sees, spread over the links of each slate."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.events.event import DAY_MS
from recommender.frames.selection import Selection
from recommender.frames.tables import categories, moments, texts
from recommender.store.click_filters import Caps, limits
from recommender.store.database import Store
from recommender.store.queries import Names, columns, daily_clicks, daily_views, ids_by_key
from recommender.store.slates import Slates
from recommender.store.slates import read as read_slates

if TYPE_CHECKING:
    import pandas as pd

# Links of days that are put together at once, in some 50 MB.
AT_ONCE = 200_000


def daily_counts(store: Store, chosen: Selection) -> Iterator[pd.DataFrame]:
    """The daily counts of the whole days that are wanted, in frames of a few days each."""
    with store.snapshot() as connection:
        values = {**chosen.values, **limits(connection, Caps())}
        seen, past = chosen.views, chosen.past
        names = {"layout": Names(), "arm": Names()}
        number = {name: known.of for name, known in names.items()}
        shown = columns(connection, daily_views(seen, past, by="arm"), values, texts=number)
        clicked = columns(
            connection, daily_clicks(seen, past, by="arm"), values, texts=number, floats=("rank",)
        )
        used = (
            f"SELECT v.slate FROM views v WHERE {seen} "
            f"UNION SELECT p.slate FROM past_views p WHERE {past}"
        )
        slates = read_slates(connection, used, values)
        ids = ids_by_key(connection)
    yield from _days(shown, clicked, slates, ids, names)


def _days(
    shown: dict[str, np.ndarray],
    clicked: dict[str, np.ndarray],
    slates: Slates,
    ids: dict[int, str],
    names: dict[str, Names],
) -> Iterator[pd.DataFrame]:
    """Views and clicks of slates, spread over their links."""
    used, key = np.unique(np.concatenate([slates.source, slates.item]), return_inverse=True)
    place, text_of = _in_order({at: ids[number] for at, number in enumerate(used.tolist())})
    of_slate, of_item = np.split(place[key], [len(slates.source)])
    list_of, lists = _in_order(dict(enumerate(slates.lists)))
    layout_of, layouts = _in_order(dict(enumerate(names["layout"])))
    arm_of, arms = _in_order(dict(enumerate(names["arm"])))
    held = ~np.isnan(clicked["rank"])
    clicked = {name: column[held] for name, column in clicked.items()}
    every, known = texts(text_of), {"list": lists, "layout": layouts, "arm": arms}
    size = np.diff(slates.heads)[slates.rows(shown["slate"])]
    for first, last in _stretches(shown["day"], size):
        of_days, followed = (
            {name: column[slice(*np.searchsorted(table["day"], [first, last]))]
             for name, column in table.items()}
            for table in (shown, clicked)
        )  # fmt: skip
        row = slates.rows(of_days["slate"])
        heads, links = slates.links_of(row)
        keys, wanted = (
            ((table["day"] * len(slates.number) + slates.rows(table["slate"])) * len(layouts)
             + table["layout"]) * len(arms) + table["arm"]
            for table in (of_days, followed)
        )  # fmt: skip
        order = np.argsort(keys)
        at = order[np.searchsorted(keys[order], wanted)]
        made = np.zeros(len(links), dtype=np.int64)
        np.add.at(made, heads[at] + followed["rank"].astype(np.int64) - 1, followed["n"])
        # From here on numbers are in the order of what they stand for.
        of_row = {
            "day": of_days["day"],
            "source_id": of_slate[row],
            "list": list_of[slates.list[row]],
            "layout": layout_of[of_days["layout"]],
            "arm": arm_of[of_days["arm"]],
            "shown": of_days["n"],
        }
        of_link = {name: np.repeat(column, np.diff(heads)) for name, column in of_row.items()}
        of_link |= {
            "target_id": of_item[links],
            "position": slates.position[links].astype(np.int16),
            "clicked": made,
        }
        yield _frame(of_link, every, known)


def _stretches(day: np.ndarray, size: np.ndarray) -> Iterator[tuple[int, int]]:
    """Days, the last not included, that hold some ``AT_ONCE`` links together, or are one day. What
    is put together is a day, but a frame for each would cost more than what is in it. ``day`` and
    ``size`` are of each count, ``(n_counts,)``, in the order of days. There is always one.
    """
    days, start = np.unique(day, return_index=True)
    if len(days) == 0:
        yield 0, 1
        return
    before = np.concatenate([[0], np.cumsum(size)])[start]
    stretch = before // AT_ONCE
    begins = np.flatnonzero(np.diff(stretch, prepend=-1))
    yield from pairwise([*days[begins].tolist(), int(days[-1]) + 1])


def _frame(of_link: dict[str, np.ndarray], ids: Any, names: dict[str, list[str]]) -> pd.DataFrame:
    """Links that were the same in different slates of a day become one row."""
    import pandas as pd

    keys = ["day", "source_id", "target_id", "list", "layout", "arm", "position"]
    table = pd.DataFrame(of_link).groupby(keys, sort=True).sum().reset_index()
    frame = {"day": moments(table["day"].to_numpy() * DAY_MS)}
    for name in ("source_id", "target_id"):
        frame[name] = ids.take(table[name].to_numpy())
    for name, known in names.items():
        frame[name] = categories(table[name].to_numpy(), known)
    place = table["position"].to_numpy()
    frame["position"] = pd.arrays.IntegerArray(place.astype(np.int16), place == 0)
    return pd.DataFrame({**frame, "shown": table["shown"], "clicked": table["clicked"]})


def _in_order(texts: dict[int, str]) -> tuple[np.ndarray, list[str]]:
    """From the numbers of texts to their places in order, and the texts in that order."""
    ordered = sorted(texts, key=lambda number: texts[number])
    place = np.zeros(max(texts, default=0) + 1, dtype=np.int64)
    place[ordered] = np.arange(len(ordered))
    return place, [texts[number] for number in ordered]
