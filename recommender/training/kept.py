"""What a training keeps for the next one, which then does over what changed and no more.

Counting terms, detecting languages and comparing articles depend on one article or on pairs of
them, but for three things of the whole site: how rare each term is (idf), which statements are
boilerplate, and what titles share as a form. Those stay as the last full build found them until a
twentieth of the articles changed since, or idf is off by more than a hundredth of itself in the
mean over all terms of all texts. Till then a training gives the lists that a full build would give
with that idf. Nor is a page that stays as it is judged anew, whether it is a listing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender.articles.article import Article
from recommender.candidates import EMPTY
from recommender.ragged import expand, find
from recommender.text.corpus import TOPICS, Corpus
from recommender.text.listing_pages import Judged
from recommender.text.renewal import Near
from recommender.text.terms import fingerprint
from recommender.text.tfidf import Counts, idf_of, narrow
from recommender.text.titles import Forms
from recommender.training.fitted import Fitted

# Of fewer articles nothing is kept: they take seconds.
MANY = 100
# Bounds of what idf and boilerplate may lag behind. Not tuned.
MAX_CHANGED, MAX_DRIFT = 0.05, 0.01
# Rows that are gathered at once: what is held of them at once beside the counts.
ROWS = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """What depends on all articles a little, and stays for those that do not change: their
    ``topics`` as ``TOPICS`` packs them, ``fullness`` and the ``kind`` of their titles,
    ``(n_articles,)``; and of the site the ``forms`` of titles, how far categories, tags and lists
    agree with texts, and the ``floor`` of relevance.
    """

    topics: np.ndarray
    fullness: np.ndarray
    kind: np.ndarray
    forms: Forms
    agreement: np.ndarray
    floor: float


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Of each article of a training, in the order of their ids: fingerprints of its id and of what
    it says, ``(n_articles,)``; its language as detected among the languages ``among``, a line each,
    empty for none; its counts; its neighbours. ``idf``, ``(n_terms,)`` of the ``vocabulary``, a
    term a line, and ``boilerplate`` are of the last full build, since which ``n_changed`` articles
    changed; what is ``standing`` since then is so too; ``fitted`` is what was learned, and
    ``rules`` how it was built. ``judged`` are the listing pages, None where nobody asked.
    """

    ids: np.ndarray
    prints: np.ndarray
    languages: str
    among: list[str]
    counts: list[Counts]
    vocabulary: str
    idf: np.ndarray
    boilerplate: np.ndarray
    with_runs: bool
    near: Near
    n_changed: int
    standing: Standing
    fitted: Fitted
    rules: str
    judged: Judged | None

    @property
    def known_idf(self) -> dict[str, float]:
        """The idf of each term."""
        return dict(zip(self.vocabulary.split("\n"), self.idf.tolist(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What changed between what was kept and the articles now: ``place``, ``(n_before,)``, is the
    row that an article has now, ``EMPTY`` if it is gone or changed; ``ids`` and ``prints``,
    ``(n_articles,)``, are the fingerprints now.
    """

    place: np.ndarray
    ids: np.ndarray
    prints: np.ndarray

    @property
    def same(self) -> np.ndarray:
        """True of articles that did not change, ``(n_articles,)``."""
        found = np.zeros(len(self.ids), dtype=bool)
        found[self.place[self.place != EMPTY]] = True
        return found

    @property
    def n(self) -> int:
        """How many articles changed, came or went; as many that came as went are changed ones."""
        n_same = int((self.place != EMPTY).sum())
        return max(len(self.place), len(self.ids)) - n_same


def standing_in(corpus: Corpus, forms: Forms, floor: float) -> Standing:
    """What of a training stands for the next."""
    topics = TOPICS.packed(corpus.latent)
    return Standing(topics, corpus.fullness, corpus.kind, forms, corpus.agreement, floor)


def standing_kind(before: Standing, changes: Changes, articles: Sequence[Article]) -> np.ndarray:
    """The kind of each title, ``(n_articles,)``, by the forms of ``before``."""
    kind = np.full(len(articles), EMPTY, dtype=np.int32)
    for at in np.flatnonzero(~changes.same).tolist():
        kind[at] = before.forms.kind_of(articles[at].title)
    return stood(before.kind, changes, kind)


def stood(before: np.ndarray, changes: Changes, now: np.ndarray) -> np.ndarray:
    """Values of articles, ``(n_articles,)``: those of before where they did not change."""
    found, old = now.copy(), np.flatnonzero(changes.place != EMPTY)
    found[changes.place[old]] = before[old]
    return found


def prints_of(articles: Sequence[Article]) -> tuple[np.ndarray, np.ndarray]:
    """Fingerprints of the ids of articles and of what they say, ``(n_articles,)`` each."""
    ids = np.fromiter((fingerprint(article.id) for article in articles), np.uint64, len(articles))
    says = (
        fingerprint(f"{article.title}\0{article.teaser}\0{article.body}\0{article.language}")
        for article in articles
    )
    return ids, np.fromiter(says, np.uint64, len(articles))


def all_new(changes: Changes) -> Changes:
    """The same articles, where nothing of before is of use."""
    return replace(changes, place=np.zeros(0, dtype=np.int64))


def changes_since(before: Kept | None, articles: Sequence[Article]) -> Changes:
    """What changed since ``before``; all, where nothing was kept."""
    ids, prints = prints_of(articles)
    if before is None:
        return Changes(np.zeros(0, dtype=np.int64), ids, prints)
    order = np.argsort(ids, kind="stable")
    place = find(ids[order], before.ids)
    place = np.where(place == EMPTY, EMPTY, order[place])
    return Changes(np.where(prints[place] == before.prints, place, EMPTY), ids, prints)


def is_of_use(before: Kept, changes: Changes, rules: str) -> bool:
    """May a training by these ``rules`` build on what was kept?"""
    if before.rules != rules:
        return False
    # Rows keep their order, as ids do.
    kept = changes.place[changes.place != EMPTY]
    most = MAX_CHANGED * len(changes.ids)
    return before.n_changed + changes.n <= most and bool((np.diff(kept) > 0).all())


def drift(counts: Sequence[Counts], known: dict[str, float]) -> float:
    """How far ``known`` idf is off, as a share of itself, in the mean over the entries of all
    ``counts``; terms that are not known have no idf to be off.
    """
    n = sum(len(block.lengths) for block in counts)
    df: dict[str, int] = {}
    for block in counts:
        times = np.bincount(block.ids, minlength=block.n_terms).tolist()
        for term, number in zip(block.terms, times, strict=True):
            df[term] = df.get(term, 0) + number
    terms = [term for term in df if known.get(term, 0) > 0]
    times = np.array([df[term] for term in terms])
    old = np.array([known[term] for term in terms])
    off = np.abs(idf_of(terms, times, n) - old) / old
    return float(np.average(off, weights=times)) if len(terms) else 0.0


def gathered(parts: Sequence[Counts], rows: np.ndarray) -> list[Counts]:
    """Rows of several counts as counts of their own, in blocks: ``rows``, ``(n_articles,)``, number
    the rows of all ``parts``, one part after the other.
    """
    terms = sorted(set().union(*(part.terms for part in parts)))
    number = {term: at for at, term in enumerate(terms)}
    places = [np.array([number[term] for term in part.terms], dtype=np.int32) for part in parts]
    ids = np.concatenate([place[part.ids] for place, part in zip(places, parts, strict=True)])
    del number, places
    used = np.zeros(len(terms), dtype=bool)
    lengths = np.concatenate([part.lengths for part in parts])
    heads = np.cumsum(lengths) - lengths
    tf = np.concatenate([part.tf for part in parts])
    in_title = np.concatenate([part.in_title for part in parts])
    found = []
    for start in range(0, len(rows), ROWS):
        of = rows[start : start + ROWS]
        entries, _ = expand(heads[of], lengths[of])
        used[ids[entries]] = True
        found.append(Counts("", lengths[of], ids[entries], narrow(tf[entries]), in_title[entries]))
    renumbered = (np.cumsum(used) - 1).astype(np.int32)
    vocabulary = "\n".join(term for term, is_used in zip(terms, used, strict=True) if is_used)
    return [
        Counts(vocabulary, each.lengths, renumbered[each.ids], each.tf, each.in_title)
        for each in found
    ]
