"""Orders of the shown links that take no model: what a bundle has to be better than.

Each is one function of a ``Case`` that gives every link a score, higher is better, or says in
words why it does not apply. What the bundle counted ended before the judged views began.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC

import numpy as np

from recommender.articles.article import Article, parse_timestamp
from recommender.bundle.bundle import Bundle
from recommender.evaluation.bm25 import bm25
from recommender.ragged import expand, ranks
from recommender.ranking.features import known_of, offset
from recommender.store.replay import Views

MODEL = "model"
NEEDS_ARTICLES = "which takes the site's articles, and the log alone was handed over"


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """The links of the judged slates, to be put in order.

    ``link`` are numbers into ``views.items``, slate by slate, in the order shown; ``slate``, which
    of the judged slates each belongs to, ascending; ``source`` and ``item``, the bundle's numbers
    of its ends, -1 if it does not know them. ``sources`` and ``items`` are the distinct pairs
    that the bundle knows, in runs of one source, ``worth`` the bundle's scores of them, and
    ``pair`` says which of them each link is, or -1.
    """

    bundle: Bundle
    views: Views
    articles: Mapping[str, Article] | None
    link: np.ndarray
    slate: np.ndarray
    source: np.ndarray
    item: np.ndarray
    sources: np.ndarray
    items: np.ndarray
    worth: np.ndarray
    pair: np.ndarray

    def of_links(self, scores: np.ndarray) -> np.ndarray:
        """Scores of pairs as scores of links; an article nobody knows comes last."""
        of_links: np.ndarray = np.append(scores, -np.inf)[self.pair]
        return of_links

    def ids(self) -> list[str]:
        """The ids of the links' targets."""
        return [self.views.items[link] for link in self.link]

    def ranks(self, score: np.ndarray, tie: np.ndarray) -> np.ndarray:
        """The place of each followed link when its slate is ordered by ``score``."""
        return ranks(self.slate, score, tie)[np.searchsorted(self.link, self.views.followed)]


def case_of(bundle: Bundle, views: Views, articles: Mapping[str, Article] | None = None) -> Case:
    """Look up what the bundle knows of the slates that were followed."""
    known = rows_of(bundle)
    used = np.unique(views.slate)
    link, slate = expand(views.heads[used], np.diff(views.heads)[used])
    source = np.array([known.get(views.source[at], -1) for at in used], dtype=np.int64)[slate]
    item = np.array([known.get(views.items[at], -1) for at in link], dtype=np.int64)
    both = (source >= 0) & (item >= 0)
    keys, number = np.unique(source[both] * len(known) + item[both], return_inverse=True)
    pair = np.full(len(link), -1)
    pair[both] = number
    sources, items = np.divmod(keys, max(len(known), 1))
    worth = bundle.score_rows(sources, items)
    return Case(bundle, views, articles, link, slate, source, item, sources, items, worth, pair)


def rows_of(bundle: Bundle) -> dict[str, int]:
    """The number of every article the bundle knows."""
    lists = bundle.lists
    return {lists.id_of(row): row for row in range(len(lists.stub))}


def model(case: Case) -> np.ndarray | str:
    """By the bundle's scores."""
    return case.of_links(case.worth)


def order_shown(case: Case) -> np.ndarray | str:
    """As the page had them, whoever chose them."""
    if not case.views.ordered[case.views.slate].all():
        return "the log does not know it for every view"
    return -np.arange(len(case.link), dtype=float)


def hand_picked(case: Case) -> np.ndarray | str:
    """As the editors' list of the page has them, links outside it last."""
    if case.articles is None:
        return NEEDS_ARTICLES
    place: dict[tuple[str, str], int] = {}
    for id in {case.views.source[slate] for slate in case.views.slate}:
        article = case.articles.get(id)
        for at, target in enumerate(article.recommended if article else ()):
            place.setdefault((id, target), at)
    used = np.unique(case.views.slate)
    sources = [case.views.source[used[slate]] for slate in case.slate]
    last = np.inf
    score = [-place.get(ends, last) for ends in zip(sources, case.ids(), strict=True)]
    return np.array(score) if np.isfinite(score).any() else "no link shown is hand-picked"


def random_order(case: Case) -> np.ndarray | str:
    """All links tie, and the draw that breaks ties decides."""
    return np.zeros(len(case.link))


def most_clicked(case: Case) -> np.ndarray | str:
    """By clicks on the target, beside any page."""
    clicks = case.bundle.target_clicks()
    if not clicks.any():
        return "the bundle's data window has no clicks"
    return np.where(case.item >= 0, clicks[case.item], -1.0)


def most_recent(case: Case) -> np.ndarray | str:
    """By the date of publication, else of the last change; undated articles last."""
    if case.articles is None:
        return NEEDS_ARTICLES
    dates = {id: moment_of(case.articles.get(id)) for id in set(case.ids())}
    score = np.array([dates[id] for id in case.ids()])
    return score if np.isfinite(score).any() else "no article shown has a date"


def text(case: Case) -> np.ndarray | str:
    """By the TF-IDF cosine of the two texts."""
    return case.of_links(case.bundle.cosine_rows(case.sources, case.items))


def by_bm25(case: Case) -> np.ndarray | str:
    """By what the target's text answers to the source's, see ``bm25``."""
    found = bm25(case.bundle.site, case.bundle.lists.texts, case.sources, case.items)
    return case.of_links(found)


def counting(case: Case) -> np.ndarray | str:
    """By the pair's clicks over those to be expected from its target's, a few clicks smoothed."""
    history = case.bundle.history
    if not history.appeal.clicked.any():
        return "the bundle's data window has no clicks"
    known = known_of(history, case.sources, case.items, unseen=False)
    return case.of_links(offset(history, known))


ORDERS: tuple[tuple[str, Callable[[Case], np.ndarray | str]], ...] = (
    (MODEL, model),
    ("order shown", order_shown),
    ("hand-picked", hand_picked),
    ("counting", counting),
    ("most clicked", most_clicked),
    ("most recent", most_recent),
    ("BM25", by_bm25),
    ("TF-IDF", text),
    ("random", random_order),
)


def moment_of(article: Article | None) -> float:
    """When an article came out, or was changed, in milliseconds since 1970; else minus infinity."""
    date = (article.published_at or article.updated_at) if article else None
    if not date:
        return -np.inf
    return parse_timestamp(date).astimezone(UTC).timestamp() * 1000


def scores(case: Case) -> tuple[dict[str, np.ndarray], list[str]]:
    """The score of every link by each order that applies, and why the others do not."""
    found: dict[str, np.ndarray] = {}
    notes = []
    for name, order in ORDERS:
        said = order(case)
        if isinstance(said, str):
            notes.append(f"Baseline {name} is left out: {said}.")
        else:
            found[name] = said
    return found, notes
