"""Some pages' old lists beside their new ones: drawn at random, and where the model does worst.

Figures hide what a glance shows. The old list is the hand-picked one, or what readers saw most; the
new one is the bundle's, as the page would show it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from recommender.bundle.composition import Link
from recommender.evaluation.baselines import Case

if TYPE_CHECKING:
    import pandas as pd

# As many lists as a reader of a report compares link by link. Not tuned.
N_DRAWN, N_WORST = 3, 3
DRAWN, WORST = "drawn at random", "most lost"
COLUMNS = (
    "id", "page", "chosen", "views", "old list", "position",
    "old", "old clicks", "new", "new clicks", "origin",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Old:
    """The list readers had: what it is called, its ids, and how often links of the page were
    followed, these and others.
    """

    name: str
    ids: list[str]
    clicks: Counter[str]


def example_table(
    case: Case, gain: np.ndarray, random: np.random.Generator, *, k: int
) -> pd.DataFrame:
    """One row a place of a page's lists: the ``page`` and why it was ``chosen``, the ``old`` title
    with its clicks in the judged views, the ``new`` one likewise and with its ``origin``. ``gain``
    is how much better than the baseline the model does on each view, ``(n_views,)``.
    """
    import pandas as pd

    rows = []
    for id, why in chosen(case, gain, random):
        old, new = _old(case, id, k), case.bundle.related(id, k)
        views = int((case.views.source[case.views.slate] == case.views.ids.index(id)).sum())
        rows += list(_rows(case, id, why, old, new, views))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def chosen(case: Case, gain: np.ndarray, random: np.random.Generator) -> list[tuple[str, str]]:
    """Pages and why they were chosen. Most lost: where the views' gains sum up to least, if that
    is a loss; so that pages many read come before those that one reader had no luck with.
    """
    ids, of_view = case.views.ids, case.views.source[case.views.slate]
    known = np.array([case.bundle.lists.row(id) is not None for id in ids])
    judged = np.flatnonzero((np.bincount(of_view, minlength=len(ids)) > 0) & known)
    total = np.bincount(of_view, weights=gain, minlength=len(ids))
    worst = judged[np.argsort(total[judged], kind="stable")][:N_WORST]
    worst = worst[total[worst] < 0]
    others = np.setdiff1d(judged, worst)
    drawn = random.permutation(others)[:N_DRAWN]
    return [(ids[at], DRAWN) for at in drawn] + [(ids[at], WORST) for at in worst]


def _old(case: Case, id: str, k: int) -> Old:
    views = case.views
    of_page = views.source[views.slate] == views.ids.index(id)
    links = views.click_link[of_page[views.click_view]]
    clicks = Counter(views.ids[item] for item in views.item[links])
    article = case.articles.get(id) if case.articles else None
    if article and article.recommended:
        name, ids = "hand-picked", list(dict.fromkeys(article.recommended))
    else:
        slate = int(np.bincount(views.slate[of_page]).argmax())
        items = views.item[views.heads[slate] : views.heads[slate + 1]]
        ids = [views.ids[item] for item in items]
        name = "as shown most often"
        if not views.ordered[slate]:
            # Their order is unknown, so those that were followed most stand for the list.
            ids = sorted(ids, key=lambda target: -clicks[target])
            name = f"most followed of {len(ids)} links shown, order unknown"
    return Old(name, ids[:k], clicks)


def title_of(case: Case, id: str) -> str:
    """The title of an article, or its id where neither bundle nor site knows it."""
    row = case.bundle.lists.find(id)
    if row is not None:
        return case.bundle.lists.titles[row]
    article = case.articles.get(id) if case.articles else None
    return article.title if article else id


def _rows(
    case: Case, id: str, why: str, old: Old, new: Sequence[Link], views: int
) -> list[tuple[object, ...]]:
    about = id, title_of(case, id), why, views, old.name
    rows: list[tuple[object, ...]] = []
    for target, link in zip_longest(old.ids, new):
        past = (title_of(case, target), old.clicks[target]) if target else (None, None)
        now = (link.title, old.clicks[link.id], link.origin) if link else (None, None, None)
        rows.append((*about, len(rows) + 1, *past, *now))
    return rows
