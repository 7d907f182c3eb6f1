"""What was judged, as runs and qrels: the frames that ranx, ir_measures and trec_eval take.

Of judged views, a query is one view in which something was followed, its documents are the links it
showed, and what was followed is worth 1, the others 0. nDCG@k and MRR (their RR) of such a run are
the report's own to the last digit. Of whole lists, a query is a page and its documents are its
list: what grades of people are held against. A run's ``score`` falls by 1 from rank to rank, so
that no tool breaks ties otherwise than it was done here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender import arguments
from recommender.bundle.bundle import Bundle
from recommender.errors import ArgumentError
from recommender.evaluation.baselines import sizes_of
from recommender.evaluation.given_lists import Lists
from recommender.evaluation.trec import QRELS, RUN
from recommender.ragged import expand
from recommender.store.impressions import Impressions

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Judged views and how each of several put their links in order. ``link`` and ``slate`` are
    those of ``judged_links``, and ``ranks``, by name, the rank of each, ``(n_judged,)``, from 1.
    """

    views: Impressions
    link: np.ndarray
    slate: np.ndarray
    ranks: Mapping[str, np.ndarray]

    def run(self, name: str) -> pd.DataFrame:
        """The run of one of them, with columns ``trec.RUN``. ``ArgumentError`` if there is none of
        this name.
        """
        import pandas as pd

        if arguments.text("name", name) not in self.ranks:
            raise ArgumentError(f"there is no run of {name!r}; there are {', '.join(self.ranks)}")
        view, judged = self._documents()
        rank = self.ranks[name][judged]
        order = np.lexsort((rank, view))
        view, judged, rank = view[order], judged[order], rank[order]
        return pd.DataFrame(
            {
                "query_id": _numbers(view),
                "doc_id": self._ids(judged),
                "score": -rank.astype(np.float64),
                "rank": rank,
                "run": name,
            },
            columns=[*RUN],
        )

    def qrels(self) -> pd.DataFrame:
        """What each link of each view was worth, with columns ``trec.QRELS``."""
        import pandas as pd

        view, judged = self._documents()
        followed = np.zeros(len(judged), dtype=np.int64)
        clicked = self.views.click_view
        heads = np.searchsorted(view, np.arange(len(self.views.slate)))
        first = np.searchsorted(self.slate, self.views.slate)
        place = np.searchsorted(self.link, self.views.click_link) - first[clicked]
        followed[heads[clicked] + place] = 1
        return pd.DataFrame(
            {
                "query_id": _numbers(view),
                "doc_id": self._ids(judged),
                "relevance": followed,
                "iteration": "0",
            },
            columns=[*QRELS],
        )

    def queries(self) -> pd.DataFrame:
        """What each query is: ``query_id``, ``source_id``, the page, and ``ts``, the moment of the
        view.
        """
        import pandas as pd

        views = self.views
        pages = np.array([*views.ids, ""], dtype=object)[views.source[views.slate]]
        ts = pd.to_datetime(views.ts, unit="ms", utc=True).as_unit("ms")
        numbers = _numbers(np.arange(len(views.slate)))
        return pd.DataFrame({"query_id": numbers, "source_id": pages.astype(str), "ts": ts})

    def _documents(self) -> tuple[np.ndarray, np.ndarray]:
        """Of every link of every view: the view, ascending, and its place among ``link``."""
        first = np.searchsorted(self.slate, self.views.slate)
        judged, view = expand(first, sizes_of(self.slate, self.views))
        return view, judged

    def _ids(self, judged: np.ndarray) -> np.ndarray:
        ids = np.array([*self.views.ids, ""], dtype=object)
        return ids[self.views.item[self.link[judged]]]


def _numbers(views: np.ndarray) -> list[str]:
    """Views by their number in the order of time, from 1."""
    return [str(view + 1) for view in views.tolist()]


def run_of_lists(
    lists: Bundle | Lists, k: int, *, pages: Iterable[str] | None, name: str
) -> pd.DataFrame:
    """The first ``k`` links of every page's list, or of those ``pages``, as a run with columns
    ``trec.RUN``, whose queries are pages. ``ArgumentError`` names a page that has no list of its
    own.
    """
    import pandas as pd

    rows: list[tuple[str, str, float, int, str]] = []
    for page, links in _lists(lists, k, pages):
        for rank, link in enumerate(dict.fromkeys(links[:k]), start=1):
            rows.append((page, link, float(-rank), rank, name))
    return pd.DataFrame(rows, columns=[*RUN])


def _lists(
    lists: Bundle | Lists, k: int, pages: Iterable[str] | None
) -> Iterable[tuple[str, list[str]]]:
    if not isinstance(lists, Bundle):
        for page in lists if pages is None else pages:
            if page not in lists:
                raise ArgumentError(f"{page}: no list of this page was given")
            yield page, [*lists[page]]
        return
    shelf = lists.shelf
    for page in map(shelf.id_of, shelf.pages_with_lists()) if pages is None else pages:
        if shelf.row(page) is None:
            raise ArgumentError(f"{page}: no such article in bundle {lists.name}")
        yield page, [link.id for link in lists.related(page, k)]
