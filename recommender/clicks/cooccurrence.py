"""What the same readers read in one visit (co-visitation, co-occurrence in a session).

A click on a shown link is itself a co-reading, and would only learn the old lists back; so pairs
are counted with the direct steps from one to the other taken out. Anybody can make visits up, so a
pair counts at most so many times a day as a hundredth of the visits of a usual day, and 20.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import numpy as np

from recommender.array_fields import Heads, Keys, Numbers, Values
from recommender.clicks.choice_model import Pairs
from recommender.ragged import find, runs
from recommender.store.counts import UNKNOWN, Log
from recommender.text.loops import pair_dots

# Cosines of rare articles are pulled towards 0 as if each had been read this much more.
PRIOR_READS = 3.0
# How often a pair counts on one day, at most (``click_filters`` do the same for clicks); not
# tuned.
PAIR_SHARE = 0.01
PAIR_VISITS = 20  # as many as the clicks of ``choice_model.PAIR_CLICKS``; not tuned


@dataclass(frozen=True, slots=True, eq=False)
class CoReading:
    """Co-read pairs, both ways round, as sorted ``keys`` ``source * n + item``; how many visits
    read both without a direct step (``together``); ``cosine``, these over the visits that read
    either, smoothed; and how many visits read each article (``reads``).
    Pairs ``heads[s]`` to ``heads[s + 1]`` are those of ``s``; ``unit`` are its cosines as a row
    of length 1.
    """

    keys: Annotated[np.ndarray, Keys("n_pairs", pairs_of="n_articles")]
    together: Annotated[np.ndarray, Values("n_pairs", least=0)]
    cosine: Annotated[np.ndarray, Values("n_pairs")]
    reads: Annotated[np.ndarray, Values("n_articles", least=0)]
    heads: Annotated[np.ndarray, Heads("n_articles+1", of="n_pairs")]
    item: Annotated[np.ndarray, Numbers("n_pairs", below="n_articles")]
    unit: Annotated[np.ndarray, Values("n_pairs")]

    def find(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The place of each pair, ``(n_pairs,)``, -1 for pairs nobody read together."""
        return find(self.keys, np.asarray(sources, dtype=np.int64) * len(self.reads) + items)

    def alike(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Cosine of what else was read with each of a pair, ``(n_pairs,)``."""
        return pair_dots(self.heads, self.item, self.unit, sources, items)


def count(log: Log, pairs: Pairs, of_link: np.ndarray) -> CoReading:
    """Count co-read pairs of a part of the log, whose links are pairs ``of_link``."""
    from scipy.sparse import csr_array

    n_articles = len(pairs.heads) - 1
    both = _together(log, n_articles)
    pair = of_link[log.click_link]
    # Steps of readers without a session are in no session to be taken out of.
    steps = np.bincount(
        pair[pair >= 0], weights=log.n_in_sessions[pair >= 0], minlength=len(pairs.item)
    )
    direct = csr_array((steps, pairs.item, pairs.heads), shape=(n_articles, n_articles))
    indirect = (both - direct - direct.T).tocsr()
    indirect.setdiag(0)
    indirect.data = np.maximum(indirect.data, 0)
    indirect.eliminate_zeros()
    indirect.sort_indices()
    source, item = indirect.tocoo().coords
    articles = np.concatenate([log.read_article, log.past_read_article])
    times = np.concatenate([np.ones(len(log.read_article)), log.n_past_reads])
    known = articles != UNKNOWN
    reads = np.bincount(articles[known], weights=times[known], minlength=n_articles)
    reads = reads.astype(np.float32)
    together = indirect.data.astype(np.float32)
    cosine = together / np.sqrt((reads + PRIOR_READS)[source] * (reads + PRIOR_READS)[item])
    length = np.sqrt(np.bincount(source, weights=cosine**2, minlength=n_articles))
    return CoReading(
        keys=source.astype(np.int64) * n_articles + item,
        together=together,
        cosine=cosine,
        reads=reads,
        heads=indirect.indptr.astype(np.int64),
        item=item.astype(np.int32),
        unit=(cosine / np.maximum(length[source], 1e-12)).astype(np.float32),
    )


def _together(log: Log, n_articles: int) -> Any:
    """How many visits read two articles, both ways round, as a sparse matrix."""
    from scipy.sparse import csr_array

    known = log.read_article != UNKNOWN
    sessions, rows = np.unique(log.read_session[known], return_inverse=True)
    day_of = np.full(len(sessions), np.iinfo(np.int64).max)
    np.minimum.at(day_of, rows, log.read_day[known])
    days, n_visits = np.unique(day_of, return_counts=True)
    usual = float(np.median(n_visits)) if len(days) else 0.0
    limit = max(PAIR_VISITS, round(PAIR_SHARE * usual))
    read = csr_array(
        (np.ones(len(rows), dtype=np.float32), (rows, log.read_article[known])),
        shape=(len(sessions), n_articles),
    )
    # On a day of fewer visits than the limit no pair can go beyond it.
    busy = np.isin(day_of, days[n_visits > limit])
    quiet = read[~busy]
    parts = [(quiet.T @ quiet).tocsr(), _past(log, n_articles, limit).tocsr()]
    rows = np.flatnonzero(busy)
    rows = rows[np.argsort(day_of[rows], kind="stable")]
    for first, last in pairwise(runs(day_of[rows]).tolist()):
        visits = read[rows[first:last]]
        pairs = (visits.T @ visits).tocsr()
        pairs.data = np.minimum(pairs.data, limit)
        parts.append(pairs)
        # What is large is added to seldom, so that days cost no more the more there were before.
        while len(parts) > 1 and 2 * parts[-1].nnz > parts[-2].nnz:
            last_part = parts.pop()
            parts[-1] = parts[-1] + last_part
    return sum(parts[:0:-1], start=parts[0]).tocsr()


def _past(log: Log, n_articles: int, limit: int) -> Any:
    """The same of forgotten visits."""
    from scipy.sparse import csr_array

    known = (log.past_pair_article != UNKNOWN) & (log.past_pair_other != UNKNOWN)
    pairs = log.past_pair_article[known], log.past_pair_other[known]
    times = np.minimum(log.n_past_pairs[known], limit).astype(np.float32)
    past = csr_array((times, pairs), shape=(n_articles, n_articles))
    return past + past.T
