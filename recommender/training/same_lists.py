"""Lists by text that are what they were, since nothing they come from changed.

The key of a list is a digest of all that it is made of: what is known of its page, of the articles
that may stand there, of their copies and newest editions, and of the site as a whole. Under the
same key stands the same list, whatever else changed; rows are numbered anew. Where readers or
editors have a say, nearly every list has another key at every training, and none is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.articles.article import Article
from recommender.candidates import EMPTY, Candidates
from recommender.lists.rerank import Screen
from recommender.ragged import find, mixed
from recommender.ranking.candidate_sources import Basis
from recommender.text.corpus import TOPICS
from recommender.text.terms import fingerprint

# Articles whose topics are read at once; bounds the memory.
BLOCK = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class KeptLists:
    """Relevant links beside all articles, ``items`` and ``scores``, ``(n_articles, list_size)``;
    the ``keys`` of these lists and fingerprints of the articles' ``ids``, ``(n_articles,)``.
    """

    ids: np.ndarray
    keys: np.ndarray
    items: np.ndarray
    scores: np.ndarray


def keys_of(
    basis: Basis, screen: Screen, articles: Sequence[Article], ids: np.ndarray, prints: np.ndarray
) -> np.ndarray:
    """The key of the list beside each article, ``(n_articles,)``; ``ids`` and ``prints`` are
    fingerprints of the articles' ids and of what they say.
    """
    corpus, eligible, n = basis.corpus, screen.eligible, len(articles)
    codes = np.array([*map(fingerprint, eligible.languages.codes), 0], dtype=np.uint64)
    fields = (fingerprint("\0".join((each.category or "", *each.tags))) for each in articles)
    # Which words of a title name its subject, all titles of the site say together.
    row = np.repeat(np.arange(n), np.diff(corpus.indptr))
    subjects = np.bincount(row, corpus.subject_weights, minlength=n)
    named = np.bincount(row[corpus.subject_weights > 0], minlength=n)
    article = _digest(
        ids, prints, np.fromiter(fields, np.uint64, n), subjects, named, _topics(corpus.latent),
        corpus.fullness, corpus.freshness, screen.stub, eligible.barred, codes[eligible.language],
    )  # fmt: skip
    newest, same = screen.newest, screen.same
    has_double = np.bincount(same)[same] > 1
    beside = _digest(article, ids[same], has_double, article[newest])
    # The last one is that of an empty slot.
    beside = np.append(beside, 0)
    whole = (
        corpus.agreement.tolist(), screen.floor, screen.next_first, screen.sure,
        basis.near.items.shape[1],
    )  # fmt: skip
    slots = [basis.near.items, basis.picked.items, basis.following[:, None]]
    columns = [column for items in slots for column in (items.shape[1], *items.T)]
    key = _digest(beside[:n], np.full(n, fingerprint(repr(whole)), dtype=np.uint64))
    for column in columns:
        key = _digest(key, np.full(n, column) if isinstance(column, int) else beside[column])
    return key


def known_lists(before: KeptLists | None, ids: np.ndarray, keys: np.ndarray) -> Candidates | None:
    """The lists of ``before`` whose key is the same, with the rows of now; None without any."""
    if before is None:
        return None
    order = np.argsort(ids, kind="stable")
    place = find(ids[order], before.ids)
    place = np.where(place == EMPTY, EMPTY, order[place])
    old = np.flatnonzero((place != EMPTY) & (keys[place] == before.keys))
    items = np.asarray(before.items[old])
    items = np.where(items == EMPTY, EMPTY, place[items]).astype(np.int32)
    return Candidates(items, np.asarray(before.scores[old]), place[old])


def _topics(latent: np.ndarray) -> np.ndarray:
    """A digest of the places among topics, ``(n_articles,)``."""
    weights = mixed(np.arange(latent.shape[1] + 1))
    blocks = range(0, len(latent), BLOCK)
    found = [TOPICS.packed(latent[at : at + BLOCK]).astype(np.int64) @ weights for at in blocks]
    return np.concatenate(found)


def _digest(*columns: np.ndarray) -> np.ndarray:
    """One number of several of each row, ``(n_rows,)`` int64."""
    found = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        is_real = column.dtype.kind == "f"
        bits = column.astype(np.float64).view(np.int64) if is_real else column.astype(np.int64)
        found = mixed(found + bits)
    return found
