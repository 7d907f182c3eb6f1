"""Orders of the shown links that take no model: what a bundle has to be better than.

Each is one function of a ``Case`` that gives every link a score, ``(n_judged,)``, higher is better,
or the reason why it does not apply. What the bundle counted ended before the judged views began.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC

import numpy as np

from recommender.articles.article import Article, parse_timestamp
from recommender.bundle.bundle import Bundle
from recommender.ragged import expand, ranks
from recommender.ranking import features
from recommender.store.impressions import Impressions
from recommender.text.corpus import Corpus
from recommender.text.loops import pair_dots

MODEL = "model"
NEEDS_ARTICLES = "which takes the site's articles, and the log alone was handed over"
# The values that Robertson & Zaragoza call reasonable in most circumstances (section 3.5).
K1, B = 1.2, 0.75


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """The links of the judged slates, to be put in order.

    ``log`` is all views and ``views`` those that are judged, ``log.followed()``; both have the same
    slates, links and ids. ``row`` is the bundle's number of each of their ids, ``(n_ids,)``, -1 if
    it does not know it. Of the links of slates that were followed, slate by slate, in the order
    shown, ``(n_judged,)``: ``link``, numbers into ``views.item``, and ``slate``, into
    ``views.source``, both ascending; ``source`` and ``item``, the bundle's numbers of its ends, -1
    if it does not know them. ``sources`` and ``items``, ``(n_pairs,)``, are the distinct pairs that
    the bundle knows, in runs of one source, ``score`` the bundle's scores of them, and ``pair``,
    ``(n_judged,)``, which of them each link is, or -1.
    """

    bundle: Bundle
    log: Impressions
    views: Impressions
    articles: Mapping[str, Article] | None
    row: np.ndarray
    link: np.ndarray
    slate: np.ndarray
    source: np.ndarray
    item: np.ndarray
    sources: np.ndarray
    items: np.ndarray
    score: np.ndarray
    pair: np.ndarray

    def of_links(self, scores: np.ndarray) -> np.ndarray:
        """Scores of pairs, ``(n_pairs,)``, as scores of links, ``(n_judged,)``; an article nobody
        knows comes last.
        """
        return np.append(scores, -np.inf)[self.pair]

    def ids(self) -> list[str]:
        """The ids of the links' targets."""
        return [self.views.ids[item] for item in self.views.item[self.link]]

    def ranks(self, score: np.ndarray, tie: np.ndarray) -> np.ndarray:
        """The rank of each followed link, ``(n_clicks,)``, from 1, when its slate is ordered by
        ``score``, ``(n_judged,)``, and of equal ones by ``tie``.
        """
        return ranks(self.slate, score, tie)[np.searchsorted(self.link, self.views.click_link)]


def judged_links(views: Impressions) -> tuple[np.ndarray, np.ndarray]:
    """The links of the slates of ``views``, and the slate of each, ``(n_judged,)``, ascending. A
    link that stands twice in a slate is one, where it stands first, as clicks are credited.
    """
    used = np.unique(views.slate)
    link, nth = expand(views.heads[used], views.size[used])
    slate = used[nth]
    _, first = np.unique(slate * max(1, len(views.ids)) + views.item[link], return_index=True)
    first.sort()
    return link[first], slate[first]


def sizes_of(slate: np.ndarray, views: Impressions) -> np.ndarray:
    """How many links each view has among those whose ``slate`` is given, ``(n_views,)``."""
    return np.bincount(slate, minlength=len(views.source))[views.slate]


def case_of(
    bundle: Bundle, log: Impressions, articles: Mapping[str, Article] | None = None
) -> Case:
    """Look up what the bundle knows of the slates that were followed."""
    found = map(bundle.lists.find, log.ids)
    row = np.array([-1 if number is None else number for number in found], dtype=np.int64)
    views = log.followed()
    link, slate = judged_links(views)
    source, item = row[views.source[slate]], row[views.item[link]]
    both = (source >= 0) & (item >= 0)
    n_articles = max(len(bundle.lists.stub), 1)
    keys, number = np.unique(source[both] * n_articles + item[both], return_inverse=True)
    pair = np.full(len(link), -1)
    pair[both] = number
    sources, items = np.divmod(keys, n_articles)
    score = bundle.score_rows(sources, items)
    return Case(
        bundle, log, views, articles, row, link, slate, source, item, sources, items, score, pair
    )


def model(case: Case) -> np.ndarray | str:
    """By the bundle's scores, ``(n_judged,)``."""
    return case.of_links(case.score)


def order_shown(case: Case) -> np.ndarray | str:
    """As the page had them, whoever chose them: minus the place, ``(n_judged,)``."""
    if not case.views.ordered[case.views.slate].all():
        return "the log does not know it for every view"
    return -np.arange(len(case.link), dtype=float)


def hand_picked(case: Case) -> np.ndarray | str:
    """As the editors' list of the page has them, ``(n_judged,)``, links outside it last."""
    if case.articles is None:
        return NEEDS_ARTICLES
    views = case.views
    place: dict[tuple[str, str], int] = {}
    for source in {views.ids[source] for source in views.source[views.slate]}:
        article = case.articles.get(source)
        for at, target in enumerate(article.recommended if article else ()):
            place.setdefault((source, target), at)
    sources = [views.ids[source] for source in views.source[case.slate]]
    last = np.inf
    score = [-place.get(ends, last) for ends in zip(sources, case.ids(), strict=True)]
    return np.array(score) if np.isfinite(score).any() else "no link shown is hand-picked"


def random_order(case: Case) -> np.ndarray | str:
    """All links tie, ``(n_judged,)``, and the draw that breaks ties decides."""
    return np.zeros(len(case.link))


def most_clicked(case: Case) -> np.ndarray | str:
    """By clicks on the target, beside any page, ``(n_judged,)``."""
    clicks = case.bundle.history.clicks.target_clicks
    if not clicks.any():
        return "the bundle's data window has no clicks"
    return np.where(case.item >= 0, clicks[case.item], -1.0)


def most_recent(case: Case) -> np.ndarray | str:
    """By the date of publication, else of the last change, ``(n_judged,)``; undated ones last."""
    if case.articles is None:
        return NEEDS_ARTICLES
    dates = {id: moment_of(case.articles.get(id)) for id in set(case.ids())}
    score = np.array([dates[id] for id in case.ids()])
    return score if np.isfinite(score).any() else "no article shown has a date"


def text(case: Case) -> np.ndarray | str:
    """By the TF-IDF cosine of the two texts, ``(n_judged,)``."""
    return case.of_links(case.bundle.site.cosine(case.sources, case.items))


def bm25(site: Corpus, counts: np.ndarray, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
    """BM25 of each pair, ``(n_pairs,)``, the source's text being the query. ``counts``,
    ``(n_entries,)``, is how often each entry of the site's matrix stands in its text.

    Each term of the source counts ``idf x saturated frequency`` in the item (Robertson & Zaragoza
    2009, "The probabilistic relevance framework", section 3.1, with the idf that is never
    negative), as often as it stands in the source, saturated likewise. Terms of one text alone,
    which find nothing, and those of a tenth of a large site are left out.
    """
    rows, place = np.unique(np.concatenate([sources, items]), return_inverse=True)
    entry, row = expand(site.indptr[rows], np.diff(site.indptr)[rows])
    term, counts = site.indices[entry], counts[entry].astype(np.float64)
    n_with = np.bincount(site.indices)[term]
    idf = np.log1p((site.n_articles - n_with + 0.5) / (n_with + 0.5))
    mean = site.words[site.words > 0].mean() if (site.words > 0).any() else 1.0
    long = K1 * (1 - B + B * site.words[rows] / mean)
    in_item = idf * counts * (K1 + 1) / (counts + long[row])
    in_source = counts * (K1 + 1) / (counts + K1)
    # The kernel multiplies rows of one matrix: queries stand above, texts below.
    heads = np.searchsorted(row, np.arange(len(rows) + 1))
    both = np.concatenate([heads, heads[1:] + len(entry)])
    weights = np.concatenate([in_source, in_item]).astype(np.float32)
    of_source, of_item = place[: len(sources)], place[len(sources) :] + len(rows)
    return pair_dots(both, np.tile(term, 2), weights, of_source, of_item).astype(np.float64)


def by_bm25(case: Case) -> np.ndarray | str:
    """By how well the target's text answers the source's as a query, ``(n_judged,)``."""
    found = bm25(case.bundle.site, case.bundle.term_counts, case.sources, case.items)
    return case.of_links(found)


def counting(case: Case) -> np.ndarray | str:
    """By the pair's clicks over those to be expected from its target's, a few clicks smoothed,
    ``(n_judged,)``.
    """
    history = case.bundle.history
    if not history.clicks.clicked.any():
        return "the bundle's data window has no clicks"
    return case.of_links(features.counting(history, case.sources, case.items))


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
    """Scores of links, ``(n_judged,)``, by each order that applies, and why the others do not."""
    found: dict[str, np.ndarray] = {}
    notes = []
    for name, order in ORDERS:
        score = order(case)
        if isinstance(score, str):
            notes.append(f"Baseline {name} is left out: {score}.")
        else:
            found[name] = score
    return found, notes
