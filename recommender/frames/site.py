"""A site's articles and log as pandas data frames.

Nothing is read before it is asked for, and then only what is asked for: limits on time, article,
layout and list, and the choice of columns, are part of the statement the database answers. What is
too much to hold is gone through in pieces:

    for views in site.impressions(since="2026-11-01", chunk_size=100_000):
        ...

Texts are of the type that pandas uses for texts (``str``, before version 3 ``object``), moments are
``datetime64[ms, UTC]``, and names of lists, layouts and arms are categories, the same ones in every
piece. Lists of ids and of chances are Python's lists, one for all views of a slate: change a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

import numpy as np

from recommender import arguments
from recommender.articles.article import Article
from recommender.clicks import position_bias
from recommender.clicks.position_bias import Examination
from recommender.errors import ArgumentError
from recommender.frames.daily_counts import daily_counts
from recommender.frames.selection import Moment, Selection, check_names, names_of, selection
from recommender.frames.tables import (
    CLICKS,
    SLATES,
    VIEWS,
    clicks,
    slates,
    texts,
    views,
)
from recommender.store import counts
from recommender.store.counts import BY_DAY, Log
from recommender.store.database import Store
from recommender.store.queries import ids_by_key

if TYPE_CHECKING:
    import pandas as pd

Names = str | Sequence[str]
Columns = Sequence[str] | None
Reader = Callable[[Store, Selection, Sequence[str], int], Iterator["pd.DataFrame"]]
# Rows at a time where a frame is put together from pieces.
ROWS = 100_000


class Limits(TypedDict, total=False):
    """What part of the log a frame is of; without a limit, or with None, all of it.

    ``since`` (included) and ``until`` (not) are moments, as datetime or ISO 8601, in UTC if they do
    not say; ``source``, ``layout`` and ``list`` are one name or several, and ``ArgumentError``
    names one that neither the log nor the articles know.
    """

    since: Moment | None
    until: Moment | None
    source: Names | None
    layout: Names | None
    list: Names | None


class Site:
    """A site's articles and log. ``store`` is where they are."""

    def __init__(self, store: Store) -> None:
        if not isinstance(store, Store):
            raise TypeError(
                f"store: {arguments.given(store)} is given; recommender.connect opens a site by "
                "its database URL"
            )
        self.store = store

    def articles(
        self, *, ids: Names | None = None, columns: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """One row an article, stubs included, in the order of their ids.

        Columns are the contract's: ``id``, ``title``, ``body``, ``teaser``, ``url``, ``category``,
        ``published_at``, ``updated_at``, ``language``, ``author``, ``image`` (texts, missing where
        there is none; times as they were written), ``tags`` and ``recommended`` (lists),
        ``previous`` and ``next`` (ids), ``sensitive`` and ``stub`` (bool). Without ``body`` among
        ``columns`` no body is read.
        """
        import pandas as pd

        names = _chosen(columns, tuple(Article.__slots__))
        wanted = None if ids is None else names_of("ids", ids, what="an id, or a list of ids")
        rows = self.store.articles(with_body="body" in names, ids=wanted)
        found = {}
        for name in names:
            values = [getattr(article, name) for article in rows]
            if name in ("tags", "recommended"):
                found[name] = pd.Series([[*each] for each in values], dtype=object)
            elif name in ("sensitive", "stub"):
                found[name] = pd.Series(values, dtype=bool)
            else:
                found[name] = texts(values)
        return pd.DataFrame(found)

    @overload
    def impressions(
        self, *, columns: Columns = None, chunk_size: None = None, **limits: Unpack[Limits]
    ) -> pd.DataFrame: ...

    @overload
    def impressions(
        self, *, columns: Columns = None, chunk_size: int, **limits: Unpack[Limits]
    ) -> Iterator[pd.DataFrame]: ...

    def impressions(
        self, *, columns: Columns = None, chunk_size: int | None = None, **limits: Unpack[Limits]
    ) -> pd.DataFrame | Iterator[pd.DataFrame]:
        """One row a view, in the order of time.

        - ``view_id``, ``source_id``, ``session_id``: texts; without a session the empty one
        - ``ts``: datetime64[ms, UTC]
        - ``shown``: list of ids, in order; ``ordered``: bool, whether that order is known
        - ``list``, ``layout``, ``arm``: categories, the empty text where there is none
        - ``variant``: Int16, missing for views that were imported
        - ``propensities``: list of the chances of each shown link at its place, or None
        - ``slate``: int64, the row of ``slates()`` that was shown
        - ``flagged``: bool, doubtful, so that counting leaves it out; see ``store.click_filters``

        ``limits`` are those of ``Limits``: ``since``, ``until``, ``source``, ``layout``, ``list``.
        ``columns`` are those wanted, in that order. With ``chunk_size`` the frame comes in pieces
        of so many rows, which show one state of the log however long they take. ``InputError``
        names a limit or a column that is none.
        """
        return _asked(views, self.store, columns, VIEWS, chunk_size, limits)

    @overload
    def clicks(
        self, *, columns: Columns = None, chunk_size: None = None, **limits: Unpack[Limits]
    ) -> pd.DataFrame: ...

    @overload
    def clicks(
        self, *, columns: Columns = None, chunk_size: int, **limits: Unpack[Limits]
    ) -> Iterator[pd.DataFrame]: ...

    def clicks(
        self, *, columns: Columns = None, chunk_size: int | None = None, **limits: Unpack[Limits]
    ) -> pd.DataFrame | Iterator[pd.DataFrame]:
        """One row a click, in the order of time: ``view_id`` and ``clicked`` (the article's id) are
        texts, ``ts`` is datetime64[ms, UTC].

        Limits are those of ``impressions``. Time is that of the click, not of its view; clicks
        whose view is not known are there unless ``source``, ``layout`` or ``list`` is limited.
        """
        return _asked(clicks, self.store, columns, CLICKS, chunk_size, limits)

    def slates(self, *, columns: Columns = None, **limits: Unpack[Limits]) -> pd.DataFrame:
        """One row a distinct slate, in the order in which they were first stored.

        - ``slate``: int64, its number; ``source_id``: text; ``list``: category
        - ``ordered``: bool; ``shown``: list of ids
        - ``propensities``: list of the chances of each link at its place, or None
        - ``origins``: list of why each link is there, or None if that was not logged
        - ``views``: int64, how many views of it are in the log, doubtful ones too

        Limits are those of ``impressions``; with one on time or layout only slates that were seen
        then and there are in it, and only those views are counted.
        """
        return _whole(
            slates(self.store, _limited(self.store, limits), _chosen(columns, SLATES), ROWS)
        )

    def daily_counts(self, **limits: Unpack[Limits]) -> pd.DataFrame:
        """What the learner sees: how often each link was shown and followed, by day.

        - ``day``: datetime64[ms, UTC], its beginning; ``source_id``, ``target_id``: texts
        - ``list``, ``layout``, ``arm``: categories; of forgotten views the arm is not known
        - ``position``: Int16, from 1, missing where the order was not known
        - ``shown``, ``clicked``: int64

        Doubtful views and their clicks are left out, and what was forgotten is counted. Limits are
        those of ``impressions``, in whole days: every day the time from ``since`` to ``until``
        touches.
        """
        return _whole(daily_counts(self.store, _limited(self.store, limits).by_days()))

    def examination(
        self, *, layout: Names | None = None, list: Names | None = None, seed: int = 0
    ) -> Examination:
        """How likely each position is to be examined, by layout, as far as the log identifies it;
        of one layout or list, or several, if they are named. ``recommender.frames.curves`` draws
        it.
        """
        seed = arguments.seed(seed)
        check_names(self.store, selection(layout=layout, list=list))
        with self.store.reading() as connection:
            ids = [*ids_by_key(connection).values()]
        log = counts.count(self.store, ids)
        keep = np.ones(len(log.source), dtype=bool)
        for what, names, known, number in (
            ("layout", layout, log.layouts, log.layout),
            ("list", list, log.lists, log.list),
        ):
            if names is not None:
                wanted = {*names_of(what, names)}
                keep &= np.isin(number, [at for at, name in enumerate(known) if name in wanted])
        return position_bias.estimate(_only(log, keep), seed=seed)


def _only(log: Log, slates: np.ndarray) -> Log:
    """What was shown and followed of some slates."""
    views, clicks = BY_DAY[:2]
    kept = dict.fromkeys(views, slates[log.view_slate])
    kept |= dict.fromkeys(clicks, slates[log.link_slate[log.click_link]])
    changes = {name: getattr(log, name)[where] for name, where in kept.items()}
    return replace(log, **changes)


def _chosen(columns: Columns, known: tuple[str, ...]) -> tuple[str, ...]:
    if columns is None:
        return known
    chosen = (columns,) if isinstance(columns, str) else _names(columns)
    if strange := [name for name in chosen if name not in known]:
        raise ArgumentError(f"columns: {strange[0]!r} is none; there are {', '.join(known)}")
    return chosen


def _limited(store: Store, limits: Limits) -> Selection:
    known = Limits.__annotations__
    if strange := [name for name in limits if name not in known]:
        raise TypeError(f"{strange[0]} is no limit here; there are {', '.join(known)}")
    chosen = selection(**limits)
    check_names(store, chosen)
    return chosen


def _names(columns: Any) -> tuple[str, ...]:
    what = "a list of names of columns"
    return tuple(dict.fromkeys(arguments.texts("columns", columns, what=what)))


def _asked(
    read: Reader,
    store: Store,
    columns: Columns,
    known: tuple[str, ...],
    chunk_size: int | None,
    limits: Limits,
) -> pd.DataFrame | Iterator[pd.DataFrame]:
    """The rows that are wanted, in pieces if they are wanted so."""
    names, chosen = _chosen(columns, known), _limited(store, limits)
    if chunk_size is None:
        return _whole(read(store, chosen, names, ROWS))
    chunk_size = arguments.whole("chunk_size", chunk_size, least=None)
    if chunk_size < 1:
        raise ArgumentError(f"chunk_size: {chunk_size} rows are no piece")
    return read(store, chosen, names, chunk_size)


def _whole(pieces: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """All pieces in one. There is always one, if empty, which knows the columns."""
    import pandas as pd

    return pd.concat([*pieces], ignore_index=True)
