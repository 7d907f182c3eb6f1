"""What whole lists are like, whoever follows them: what they reach, how alike their links are.

A list is a row of article numbers, ``EMPTY`` where it ends. Each figure says what it is a share or
a mean of, because a share of links and a share of page views are different things.

>>> gini(np.array([1.0, 1.0, 1.0, 1.0])), gini(np.array([0.0, 0.0, 0.0, 4.0]))
(0.0, 0.75)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.bundle.composition import Placed
from recommender.candidates import EMPTY, MIN_LINKS
from recommender.evaluation.baselines import rows_of
from recommender.lists.rerank import MIN_PAIR_CLICKS
from recommender.store.replay import Views

if TYPE_CHECKING:
    import pandas as pd

# Pages whose links are compared with one another: enough for three digits on any site.
MAX_COMPARED = 10_000
MODEL, HAND_PICKED, TEXT = "model", "hand-picked", "nearest texts"
# What each figure is of.
DENOMINATORS = {
    "pages": "pages of the site that have a list",
    "links": "mean number of links, per list",
    "coverage": "share of the site's articles that stand in at least one list, per article",
    "gini": "Gini coefficient of the articles' exposure, all articles of the site counted; an "
    "article is exposed once per page view of each page whose list holds it; 0: all alike, "
    "1: one has all",
    "novelty": "mean self-information of the targets, -log2 of the share of clicks they got in the "
    "bundle's data window, in bits, per link (Zhou et al. 2010)",
    "similarity": "mean cosine of the texts of two links of one list, per list (Ziegler et al. "
    "2005)",
    "near-duplicates": "share of pairs of links of one list, and of a link and its page, that are "
    "near-duplicates or have one title, per pair",
    "fallback links": "share of links that only fill up, per link",
    "fallback views": "share of page views whose list holds a link that only fills up, per page "
    "view",
}


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """What the figures take besides the lists: texts that may be recommended, how often each page
    was seen, clicks on each target, and a number that near-duplicates and namesakes share.
    """

    bundle: Bundle
    views: np.ndarray
    clicks: np.ndarray
    same: np.ndarray
    real: np.ndarray


def list_figures(
    bundle: Bundle, views: Views, articles: Mapping[str, Article] | None, *, k: int
) -> pd.DataFrame:
    """One row a kind of list, one column a figure of ``DENOMINATORS``. What is not known is NaN."""
    import pandas as pd

    lists = bundle.lists
    real = np.asarray(lists.stub) == 0
    site = Catalogue(bundle, page_views(bundle, views), bundle.target_clicks(), lists.same, real)
    made, fallback = final_lists(bundle, k)
    kinds: dict[str, tuple[np.ndarray, np.ndarray | None]] = {MODEL: (made, fallback)}
    if articles is not None:
        picked = picked_lists(bundle, articles, k)
        if (picked != EMPTY).any():
            kinds[HAND_PICKED] = picked, None
    near = bundle.site.near[:, :k].astype(np.int64)
    kinds[TEXT] = np.where(real[:, None] & (near != EMPTY) & real[near], near, EMPTY), None
    rows = {name: figures(site, items, filled) for name, (items, filled) in kinds.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(DENOMINATORS))
    return table.rename_axis("lists")


def figures(
    site: Catalogue, items: np.ndarray, fallback: np.ndarray | None = None
) -> dict[str, float]:
    """The figures of one kind of lists, ``items`` ``(n_articles, k)``; ``fallback`` is true for
    links that only fill up.
    """
    used = items != EMPTY
    has = used.any(axis=1)
    n_links, n_lists = int(used.sum()), max(int(has.sum()), 1)
    target, source = items[used], np.nonzero(used)[0]
    listed = np.bincount(target, minlength=len(site.real))
    exposed = np.bincount(target, weights=site.views[source], minlength=len(site.real))
    similarity, doubles = _alike(site, items, used)
    found = {
        "pages": float(has.sum()),
        "links": n_links / n_lists,
        "coverage": float((listed[site.real] > 0).mean()) if site.real.any() else np.nan,
        "gini": gini(exposed[site.real]),
        "novelty": float(self_information(site.clicks)[target].mean()) if n_links else np.nan,
        "similarity": similarity,
        "near-duplicates": doubles,
        "fallback links": np.nan,
        "fallback views": np.nan,
    }
    if not site.clicks.any():
        found["novelty"] = np.nan
    if fallback is not None:
        seen = site.views * has
        found["fallback links"] = float((fallback & used).sum() / max(n_links, 1))
        filled = (fallback & used).any(axis=1)
        found["fallback views"] = (
            float((seen * filled).sum() / seen.sum()) if seen.any() else np.nan
        )
    return found


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
    """-log2 of each target's share of the clicks, one click added to each so that none is endless
    (Vargas & Castells, RecSys 2011, section 4).
    """
    bits: np.ndarray = -np.log2((clicks + 1) / (clicks.sum() + len(clicks)))
    return bits


def final_lists(bundle: Bundle, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The lists as pages show them, editors' rules applied, and which links only fill up."""
    lists = bundle.lists
    items = np.full((len(lists.stub), k), EMPTY, dtype=np.int64)
    fallback = np.zeros(items.shape, dtype=bool)
    for row in np.flatnonzero(np.asarray(lists.stub) == 0).tolist():
        placed = lists.composed(row, k=k, rules=bundle.rules, now=bundle.now)
        for place, link in enumerate(placed):
            items[row, place] = link.row
            fallback[row, place] = _fills_up(bundle, row, link, len(placed))
    return items, fallback


def _fills_up(bundle: Bundle, row: int, link: Placed, n_links: int) -> bool:
    """Is the link there for want of better ones? (``rerank.filled``, ``Shelf``'s chain)"""
    if link.origin != "text" or bundle.learned_from is not None:
        return link.origin in ("text", "fallback", "hand-picked")
    # Where text decides, fillers are of its kind: those that pass neither by text nor by readers.
    known = bundle.lists.why(row, bundle.lists.id_of(link.row)) or {}
    followed = max(known.get("clicked", 0), known.get("visits", 0)) >= MIN_PAIR_CLICKS
    alike = known.get("cosine", 0) >= bundle.about.relevance_floor
    return n_links <= MIN_LINKS and not (alike or followed)


def picked_lists(bundle: Bundle, articles: Mapping[str, Article], k: int) -> np.ndarray:
    """The first ``k`` links of the editors' lists; what the bundle does not know is left out."""
    rows = rows_of(bundle)
    items = np.full((len(rows), k), EMPTY, dtype=np.int64)
    for id, article in articles.items():
        known = [rows[target] for target in article.recommended if target in rows][:k]
        if id in rows:
            items[rows[id], : len(known)] = known
    return items


def page_views(bundle: Bundle, views: Views) -> np.ndarray:
    """How often a list was seen on each page, by the judged log, ``(n_articles,)``."""
    rows, tally = rows_of(bundle), views.tally
    # Every view of a slate shows its first link.
    first = np.isin(tally.link, views.heads[:-1])
    slate = np.searchsorted(views.heads, tally.link[first], side="right") - 1
    row = np.array([rows.get(id, -1) for id in views.source], dtype=np.int64)[slate]
    known = row >= 0
    return np.bincount(row[known], weights=tally.shown[first][known], minlength=len(rows))


def _alike(site: Catalogue, items: np.ndarray, used: np.ndarray) -> tuple[float, float]:
    """Mean over lists of the mean cosine of two of their links; the share of pairs that double."""
    pages = np.flatnonzero(used.sum(axis=1) >= 2)
    step = -(-len(pages) // MAX_COMPARED) or 1
    pages = pages[::step]
    if len(pages) == 0:
        return float("nan"), float("nan")
    left, right = np.triu_indices(items.shape[1], 1)
    there = used[pages][:, left] & used[pages][:, right]
    row, pair = np.nonzero(there)
    one, other = items[pages[row], left[pair]], items[pages[row], right[pair]]
    cosine = site.bundle.cosine_rows(one, other)
    n_pairs = there.sum(axis=1)
    mean = np.bincount(row, weights=cosine, minlength=len(pages)) / n_pairs
    with_page = used[pages]
    to_page = site.same[items[pages]] == site.same[pages][:, None]
    doubles = (site.same[one] == site.same[other]).sum() + (to_page & with_page).sum()
    return float(mean.mean()), float(doubles / (n_pairs.sum() + with_page.sum()))
