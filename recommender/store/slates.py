"""Distinct slates and their links as arrays, read in one place for all who need whole slates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.engine import Connection

from recommender.ragged import expand
from recommender.store.queries import Names, columns


@dataclass(frozen=True, slots=True, eq=False)
class Slates:
    """Distinct slates in the order of their numbers in the store, whoever saw them and where.

    Of slates, ``(n_slates,)``: ``number``, that of the store, ascending; ``source``, the store's
    key of the page; ``list``, a number into ``lists``; ``ordered``, whether the order is known.
    Links ``heads[s]`` to ``heads[s + 1]`` are those of slate ``s``, in the order shown;
    ``heads`` is ``(n_slates + 1,)``. Of links, ``(n_links,)``: ``item``, the store's key of the
    target; ``position``, from 1, or 0 where the order is unknown, with gaps where a part of a list
    is all that is known of it; ``propensity``, the chance with
    which the page put this item there, NaN where unknown; ``brought``, whether it stood there only
    because a request asked for it; ``origin``, a number into ``origins``, of no links where these
    were not asked for.
    """

    number: np.ndarray
    source: np.ndarray
    list: np.ndarray
    ordered: np.ndarray
    heads: np.ndarray
    item: np.ndarray
    position: np.ndarray
    propensity: np.ndarray
    brought: np.ndarray
    lists: tuple[str, ...]
    origin: np.ndarray
    origins: tuple[str, ...]

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Where the slates with these ``numbers`` of the store stand, both ``(n,)``."""
        return np.searchsorted(self.number, numbers)

    def links_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The links of these slates, ``(n,)``, one slate after the other: ``heads``, ``(n + 1,)``,
        and the place of each link in ``item``.
        """
        sizes = np.diff(self.heads)[rows]
        links, _ = expand(self.heads[rows], sizes)
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), links


def read(
    connection: Connection,
    among: str | None = None,
    values: Mapping[str, Any] | None = None,
    *,
    with_origins: bool = False,
) -> Slates:
    """All slates, or those whose numbers the statement ``among`` finds, with its parameters; why
    each link stands where it does only ``with_origins``.
    """
    wanted = "" if among is None else f"WHERE slate IN ({among})"
    lists, origins = Names(), Names()
    slates = columns(
        connection,
        f"SELECT slate, source, list, ordered FROM slates {wanted} ORDER BY slate",
        values or {},
        texts={"list": lists.of},
    )
    links = columns(
        connection,
        f"SELECT slate, item, position, propensity, brought{', origin' if with_origins else ''} "
        f"FROM slate_links {wanted} ORDER BY slate, rank",
        values or {},
        texts={"origin": origins.of} if with_origins else None,
        floats=("position", "propensity"),
    )
    heads = np.append(np.searchsorted(links["slate"], slates["slate"]), len(links["slate"]))
    return Slates(
        number=slates["slate"],
        source=slates["source"],
        list=slates["list"].astype(np.int32),
        ordered=slates["ordered"].astype(bool),
        heads=heads,
        item=links["item"],
        position=from_one(links["position"], heads),
        propensity=links["propensity"],
        brought=links["brought"].astype(bool),
        lists=tuple(lists),
        origin=links.get("origin", np.zeros(0, np.int64)).astype(np.int8),
        origins=tuple(origins),
    )


def from_one(place: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """Positions from 1, 0 for none, of lists that count their places from 0 or from 1; shapes as
    in ``Slates``.
    """
    sizes = np.diff(heads)
    first = np.repeat(place[heads[:-1][sizes > 0]], sizes[sizes > 0])  # places rise
    return np.nan_to_num(place + (first == 0), nan=0).astype(np.int32)
