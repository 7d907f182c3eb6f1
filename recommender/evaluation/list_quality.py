"""What whole lists are like, whoever follows them: what they reach, how alike their links are.

A list is a row of article numbers, ``EMPTY`` where it ends. Each figure has what it is a share or
a mean of beside it, because a share of links and a share of page views are different things.

>>> gini(np.array([1.0, 1.0, 1.0, 1.0])), gini(np.array([0.0, 0.0, 0.0, 4.0]))
(0.0, 0.75)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.bundle.grounds import Evidence
from recommender.candidates import EMPTY, MIN_LINKS
from recommender.evaluation.baselines import Case
from recommender.events.event import ORIGINS
from recommender.lists.rerank import LEAST_FLOOR, MIN_PAIR_CLICKS
from recommender.store.rules import EVERYWHERE
from recommender.text.tfidf import SAME_SUBJECT

if TYPE_CHECKING:
    import pandas as pd

# Pages whose links are compared with one another: enough for three digits on any site.
MAX_COMPARED = 10_000
MODEL, HAND_PICKED, TEXT = "model", "hand-picked", "nearest texts"


@dataclass(frozen=True, eq=False)
class Lists:
    """The lists of one origin, and what their figures take. ``items`` and ``fallback``, true for
    links that only fill up (None: not known), are ``(n_articles, k)``; by article,
    ``(n_articles,)``, are how often its page was ``seen``, the ``clicks`` on it as a target, a
    number that near-duplicates and namesakes share (``same``), and whether it may be recommended
    (``real``).
    """

    bundle: Bundle
    items: np.ndarray
    fallback: np.ndarray | None
    seen: np.ndarray
    clicks: np.ndarray
    same: np.ndarray
    real: np.ndarray

    @cached_property
    def used(self) -> np.ndarray:
        """Where a link stands, ``(n_articles, k)``."""
        return self.items != EMPTY

    @cached_property
    def compared(self) -> np.ndarray:
        """Pages with two links at least, some of them if there are many, ``(n_compared,)``."""
        pages = np.flatnonzero(self.used.sum(axis=1) >= 2)
        return pages[:: -(-len(pages) // MAX_COMPARED) or 1]

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of every two links of a compared page: which page, and the two, ``(n_pairs,)`` each."""
        left, right = np.triu_indices(self.items.shape[1], 1)
        used, items = self.used[self.compared], self.items[self.compared]
        page, pair = np.nonzero(used[:, left] & used[:, right])
        return page, items[page, left[pair]], items[page, right[pair]]


def list_figures(case: Case, *, k: int) -> pd.DataFrame:
    """``figures_of`` the bundle that is judged, by the page views of the whole log."""
    return figures_of(case.bundle, case.articles, page_views(case), k=k)


def figures_of(
    bundle: Bundle, articles: Mapping[str, Article] | None, seen: np.ndarray, *, k: int
) -> pd.DataFrame:
    """The model's lists, the editors' and those by text alone, a row each, with a column for each
    of ``FIGURES``. What is not known is NaN. ``seen``, ``(n_articles,)``, is how often the page of
    each article was; ``articles``, by id, have the editors' lists.
    """
    import pandas as pd

    real = np.asarray(bundle.lists.stub) == 0
    site = seen, bundle.history.clicks.target_clicks, bundle.lists.same, real
    rows = {}
    for name, (items, fills_up) in lists_by_origin(bundle, articles, k).items():
        these = Lists(bundle, items, fills_up, *site)
        rows[name] = {figure.name: figure.value(these) for figure in FIGURES}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("lists")


def lists_by_origin(
    bundle: Bundle, articles: Mapping[str, Article] | None, k: int
) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """The model's lists, the editors' if there are any, and those by text alone: ``items``, and
    which of them only fill up (None: not known), ``(n_articles, k)`` both.
    """
    real = np.asarray(bundle.lists.stub) == 0
    found: dict[str, tuple[np.ndarray, np.ndarray | None]] = {MODEL: final_lists(bundle, k)}
    if articles is not None:
        picked = picked_lists(bundle, articles, k)
        if (picked != EMPTY).any():
            found[HAND_PICKED] = picked, None
    near = bundle.site.near[:, :k].astype(np.int64)
    found[TEXT] = np.where(real[:, None] & (near != EMPTY) & real[near], near, EMPTY), None
    return found


def pages(lists: Lists) -> float:
    return float(lists.used.any(axis=1).sum())


def links(lists: Lists) -> float:
    return float(lists.used.sum() / max(pages(lists), 1))


def coverage(lists: Lists) -> float:
    listed = np.isin(np.flatnonzero(lists.real), lists.items[lists.used])
    return float(listed.mean()) if len(listed) else np.nan


def exposure_gini(lists: Lists) -> float:
    weights = np.broadcast_to(lists.seen[:, None], lists.items.shape)[lists.used]
    target = lists.items[lists.used]
    return gini(np.bincount(target, weights=weights, minlength=len(lists.real))[lists.real])


def most_listed(lists: Lists) -> float:
    times = np.bincount(lists.items[lists.used])
    return float(times.max(initial=0) / max(pages(lists), 1))


def novelty(lists: Lists) -> float:
    if not (lists.clicks.any() and lists.used.any()):
        return np.nan
    return float(self_information(lists.clicks)[lists.items[lists.used]].mean())


def similarity(lists: Lists) -> float:
    page, one, other = lists.pairs
    if len(page) == 0:
        return np.nan
    cosines = np.bincount(page, weights=lists.bundle.site.cosine(one, other))
    return float((cosines / np.bincount(page)).mean())


def near_duplicates(lists: Lists) -> float:
    _, one, other = lists.pairs
    if len(one) == 0:
        return np.nan
    at, same = lists.compared, lists.same
    used = lists.used[at]
    to_page = (same[lists.items[at]] == same[at][:, None]) & used
    doubles = (same[one] == same[other]).sum() + to_page.sum()
    return float(doubles / (len(one) + used.sum()))


def fallback_links(lists: Lists) -> float:
    if lists.fallback is None:
        return np.nan
    return float((lists.fallback & lists.used).sum() / max(lists.used.sum(), 1))


def fallback_views(lists: Lists) -> float:
    seen = lists.seen * lists.used.any(axis=1)
    if lists.fallback is None or not seen.any():
        return np.nan
    return float(seen[(lists.fallback & lists.used).any(axis=1)].sum() / seen.sum())


class Figure(NamedTuple):
    """A column of ``list_figures``: what it is a share or a mean of, and how it is written."""

    name: str
    value: Callable[[Lists], float]
    meaning: str
    form: str = ".3g"


# A new figure is a function above and a row here; table and page follow from it.
FIGURES = (
    Figure("pages", pages, "pages of the site that have a list", ",.0f"),
    Figure("links", links, "mean number of links, per list"),
    Figure(
        "coverage",
        coverage,
        "share of the site's articles that stand in at least one list, per article",
        ".1%",
    ),
    Figure(
        "gini",
        exposure_gini,
        "Gini coefficient of the articles' exposure, all articles of the site counted; an article "
        "is exposed once per page view of each page whose list holds it; 0: all alike, 1: one has "
        "all",
    ),
    Figure(
        "most listed",
        most_listed,
        "share of lists that the most listed article stands in, per list",
        ".1%",
    ),
    Figure(
        "novelty",
        novelty,
        "mean self-information of the targets, -log2 of the share of clicks they got in the "
        "bundle's data window, in bits, per link (Zhou et al. 2010)",
    ),
    Figure(
        "similarity",
        similarity,
        "mean cosine of the texts of two links of one list, per list (Ziegler et al. 2005)",
    ),
    Figure(
        "near-duplicates",
        near_duplicates,
        "share of pairs of links of one list, and of a link and its page, that are near-duplicates "
        "or have one title, per pair",
        ".1%",
    ),
    Figure("fallback links", fallback_links, "share of links that only fill up, per link", ".1%"),
    Figure(
        "fallback views",
        fallback_views,
        "share of page views whose list holds a link that only fills up, per page view",
        ".1%",
    ),
)


def gini(amounts: np.ndarray) -> float:
    """Gini coefficient of how unevenly amounts are spread: 0 if all have the same, 1 - 1/n if one
    has all; NaN if there is nothing.
    """
    total, n = amounts.sum(), len(amounts)
    if total <= 0:
        return float("nan")
    place = 2 * np.arange(1, n + 1) - n - 1
    return float((place * np.sort(amounts)).sum() / (n * total))


def self_information(clicks: np.ndarray) -> np.ndarray:
    """-log2 of each target's share of the clicks, both ``(n_articles,)``, one click added to each
    so that none is endless (Vargas & Castells, RecSys 2011, section 4).
    """
    return -np.log2((clicks + 1) / (clicks.sum() + len(clicks)))


def final_lists(bundle: Bundle, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The lists as pages show them, editors' rules applied, and which links only fill up; both
    ``(n_articles, k)``.
    """
    lists = bundle.lists
    real = np.asarray(lists.stub) == 0
    items = np.full((len(real), k), EMPTY, dtype=np.int64)
    origins = np.full(items.shape, EMPTY, dtype=np.int64)
    prepared = np.where(real[:, None], np.asarray(lists.items)[:, :k], EMPTY)
    width = prepared.shape[1]
    items[:, :width] = prepared
    origins[:, :width] = np.where(prepared != EMPTY, np.asarray(lists.origins)[:, :k], EMPTY)
    # As prepared, but for what editors arrange and lists that are filled up.
    short = (items != EMPTY).sum(axis=1) < min(k, MIN_LINKS)
    arranged = np.flatnonzero(real & (short | _ruled(bundle, items)))
    for row in arranged.tolist():
        placed = lists.composed(row, k=k, rules=bundle.rules, now=bundle.now)
        items[row], origins[row] = EMPTY, EMPTY
        items[row, : len(placed)] = [link.row for link in placed]
        origins[row, : len(placed)] = [ORIGINS.index(link.origin) for link in placed]
    return items, _fills_up(bundle, items, origins)


def _ruled(bundle: Bundle, items: np.ndarray) -> np.ndarray:
    """Of which pages a rule may change the list, ``(n_articles,)``; ``items``, ``(n_articles, k)``,
    are the lists before.
    """
    ruled = np.zeros(len(items), dtype=bool)
    if bundle.rules is None or bundle.now is None:
        return ruled
    blocked = []
    for rule in bundle.rules.rules:
        if not rule.valid(bundle.now):
            continue
        row = bundle.lists.find(rule.source if rule.source != EVERYWHERE else rule.target)
        if rule.source != EVERYWHERE:
            if row is not None:
                ruled[row] = True
        elif rule.action != "block":
            return ~ruled
        elif row is not None:
            blocked.append(row)
    return ruled | np.isin(items, blocked).any(axis=1)


def _fills_up(bundle: Bundle, items: np.ndarray, origins: np.ndarray) -> np.ndarray:
    """Is the link there for want of better ones? ``(n_articles, k)``; see ``rerank.filled`` and
    the chain of a ``Shelf``.
    """
    text, others = ORIGINS.index("text"), map(ORIGINS.index, ("fallback", "hand-picked"))
    fills_up = np.isin(origins, [*others])
    if bundle.learned_from is not None:
        return fills_up | (origins == text)
    # Where text decides, fillers have its origin: those that pass neither by text nor by readers.
    sizes = (items != EMPTY).sum(axis=1)
    row, place = np.nonzero((origins == text) & (sizes <= MIN_LINKS)[:, None])
    # In which slot of its prepared list each of these links stands.
    in_slot = np.asarray(bundle.lists.items)[row] == items[row, place][:, None]
    known = bundle.lists.evidence.at(row, in_slot.argmax(axis=1))
    known = np.where(in_slot.any(axis=1)[:, None], known, 0.0)
    of = dict(zip(Evidence._fields, known.T, strict=True))
    followed = np.maximum(of["clicked"], of["visits"]) >= MIN_PAIR_CLICKS
    alike = of["cosine"] >= bundle.about.relevance_floor
    alike |= of["subject"] >= SAME_SUBJECT
    alike |= (of["topic"] > 0) & (of["cosine"] >= LEAST_FLOOR)
    fills_up[row, place] = ~(alike | followed)
    return fills_up


def picked_lists(bundle: Bundle, articles: Mapping[str, Article], k: int) -> np.ndarray:
    """The first ``k`` links of the editors' lists, ``(n_articles, k)``; what the bundle does not
    know is left out.
    """
    find = bundle.lists.find
    items = np.full((len(bundle.lists.stub), k), EMPTY, dtype=np.int64)
    for id, article in articles.items():
        if (row := find(id)) is not None:
            known = [target for target in map(find, article.recommended) if target is not None]
            items[row, : len(known)] = known[:k]
    return items


def page_views(case: Case) -> np.ndarray:
    """How often a list was seen on each page, by the whole log, ``(n_articles,)``."""
    row = case.row[case.log.source[case.log.slate]]
    return np.bincount(row[row >= 0], minlength=len(case.bundle.lists.stub)).astype(np.float64)
