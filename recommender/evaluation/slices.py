"""Where is the model better, and where not? Judged views by what is known of their page and link.

A slice is a set of clicked views. For each: the model's mean, and its gain over one baseline,
paired by view, with the interval and the p-value of a bootstrap over visits; p-values are corrected
for the number of slices, since of twenty slices one would stand out by luck.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from recommender.bundle.published import Lists
from recommender.evaluation import bootstrap
from recommender.evaluation.baselines import Case, moment_of
from recommender.events.event import DAY_MS
from recommender.ragged import at

if TYPE_CHECKING:
    import pandas as pd

# Categories with a slice of their own, the most read first: as many as a page shows at a glance.
MAX_CATEGORIES = 8
# Slices of fewer visits are left out: their intervals would be too narrow. Not tuned.
MIN_VISITS = 10
# Days; not tuned.
AGES = ((30.0, "under 30 days"), (365.0, "30 days to a year"), (np.inf, "over a year"))
CATEGORY, TRAFFIC = "category of the page", "traffic of the page"
AGE, KNOWN = "age of the page", "link followed"
COLUMNS = ("by", "slice", "views", "visits")
Slice = tuple[str, str, np.ndarray]


def slice_table(
    case: Case,
    value: np.ndarray,
    gain: np.ndarray,
    random: np.random.Generator,
    *,
    metric: str,
) -> pd.DataFrame:
    """One row a slice: what it is ``by`` and its name, its ``views`` and ``visits``, the mean of
    the model's ``value`` under the name of the ``metric`` and of its ``gain``, each with interval,
    and ``gain p``. Slices of fewer than ``MIN_VISITS`` visits are left out.
    """
    import pandas as pd

    session = case.views.session
    found = []
    for by, name, mask in all_slices(case):
        n_visits = len(np.unique(session[mask]))
        if n_visits >= MIN_VISITS:
            found.append((by, name, n_visits, mask))
    if not found:
        return pd.DataFrame(columns=[*COLUMNS, *_with_ends(metric), *_with_ends("gain"), "gain p"])
    columns = [np.where(mask, column, np.nan) for *_, mask in found for column in (value, gain)]
    means = bootstrap.means(columns, session, random)
    p = bootstrap.holm(means.p[1::2])
    rows = []
    for number, (by, name, n_visits, mask) in enumerate(found):
        row = dict(zip(COLUMNS, (by, name, int(mask.sum()), n_visits), strict=True))
        for label, place in ((metric, 2 * number), ("gain", 2 * number + 1)):
            three = means.mean[place], means.low[place], means.high[place]
            row |= zip(_with_ends(label), map(float, three), strict=True)
        rows.append({**row, "gain p": float(p[number])})
    return pd.DataFrame(rows)


def _with_ends(name: str) -> tuple[str, str, str]:
    return name, f"{name} low", f"{name} high"


def all_slices(case: Case) -> Iterator[Slice]:
    """What each slice is by, its name, and which views are in it, ``(n_views,)``."""
    yield from by_category(case)
    yield from by_traffic(case)
    yield from by_age(case)
    yield from by_clicks(case)


def by_category(case: Case) -> Iterator[Slice]:
    """The most read categories, and the others together; none where there is but one."""
    row = case.row[case.views.source[case.views.slate]]
    category = np.asarray(case.bundle.lists.category)
    number = np.where(row >= 0, category[row], -1) if len(category) else np.full(len(row), -1)
    sizes = np.bincount(number + 1)
    if (sizes[1:] > 0).sum() < 2:
        return
    largest = 1 + np.argsort(-sizes[1:], kind="stable")[:MAX_CATEGORIES]
    for at_ in largest[sizes[largest] > 0]:
        yield CATEGORY, _category_name(case, int(at_) - 1), number == at_ - 1
    yield CATEGORY, "other categories", (number >= 0) & ~np.isin(number + 1, largest)
    yield CATEGORY, "no category", number < 0


def by_traffic(case: Case) -> Iterator[Slice]:
    """Pages by their judged views, cut where a third of the views and two are reached."""
    page = case.views.source[case.views.slate]
    read = np.bincount(page, minlength=len(case.views.ids))
    order = np.argsort(-read, kind="stable")
    before = np.empty(len(read))
    before[order] = np.cumsum(read[order]) - read[order]
    third = np.minimum((3 * before / max(read.sum(), 1)).astype(int), 2)
    of_view = third[page]
    for number, name in enumerate(("most read", "middle", "least read")):
        n_pages = int(((third == number) & (read > 0)).sum())
        pages_ = "1 page" if n_pages == 1 else f"{n_pages:,} pages"
        yield TRAFFIC, f"{name} third ({pages_})", of_view == number


def by_age(case: Case) -> Iterator[Slice]:
    """Days between the page's date and the view; none where no page has a date."""
    if case.articles is None:
        return
    dates = np.array([moment_of(case.articles.get(id)) for id in case.views.ids])
    age = (case.views.ts - dates[case.views.source[case.views.slate]]) / DAY_MS
    known = np.isfinite(age)
    if not known.any():
        return
    least = -np.inf
    for most, name in AGES:
        yield AGE, name, known & (age >= least) & (age < most)
        least = most
    yield AGE, "no date", ~known


def by_clicks(case: Case) -> Iterator[Slice]:
    """Was what the view followed followed before, in the bundle's data window? Of several links
    the best known counts.
    """
    views, history = case.views, case.bundle.history
    place = np.searchsorted(case.link, views.click_link)
    pair = case.pair[place]
    number = history.pairs.find(case.sources, case.items)
    own = np.append(at(history.clicks.clicked, number) > 0, False)[pair]
    item = case.item[place]
    target = (item >= 0) & (case.bundle.history.clicks.target_clicks[item] > 0)
    warm = np.zeros(len(views.slate), dtype=np.int64)
    np.maximum.at(warm, views.click_view, np.where(own, 2, target.astype(np.int64)))
    names = ("never before", "elsewhere before, not from this page", "from this page before")
    for level in (2, 1, 0):
        yield KNOWN, names[level], warm == level


def _category_name(case: Case, number: int) -> str:
    """Its name if the articles are known, else the title of its most read article."""
    lists = case.bundle.lists
    members = np.flatnonzero(np.asarray(lists.category) == number)
    for id in (lists.id_of(int(row)) for row in members) if case.articles else ():
        article = case.articles.get(id) if case.articles else None
        if article and article.category:
            return article.category
    return named_by_title(lists, number)


def named_by_title(lists: Lists, number: int) -> str:
    """A category by its most read article, where its name is not known."""
    popular = lists.popular_in[lists.popular_heads[number] : lists.popular_heads[number + 1]]
    members = popular if len(popular) else np.flatnonzero(np.asarray(lists.category) == number)
    return f"that of “{lists.titles[int(members[0])]}”"
