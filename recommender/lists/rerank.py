"""From scored candidates to lists a site can show: no doubles, nothing irrelevant.

Each step takes ``Candidates`` and returns ``Candidates``; ``finish`` is their order. Editors'
rules are not applied here but at every look-up, so that a rule is live without training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.articles.article import title_key
from recommender.candidates import EMPTY, MIN_LINKS, Candidates, union
from recommender.events.event import ORIGINS
from recommender.lists.concentration import DEFAULT_CEILING, Concentration, limited
from recommender.lists.editions import newest_editions
from recommender.lists.eligibility import Eligibility
from recommender.ragged import at, clusters, runs
from recommender.ranking.features import History
from recommender.text.corpus import Corpus
from recommender.text.tfidf import SAME_SUBJECT

# Slots a prepared list holds: ten are shown, the others stand in for what a page leaves out.
LIST_SIZE = 30
# Pairs below this cosine have stray words in common (read by eye: DECISIONS.md, "Floor"); where
# texts are short or say things in many ways, related ones may have no more, and what few of any two
# articles reach is enough.
RELEVANCE_FLOOR = 0.1
CHANCE = 0.95
# Of German texts on other subjects; not tuned.
MOST_IN_COMMON = 0.06
# Of one topic (as cosine), texts belong together that have hardly a word in common (as cosine): by
# chance two articles are less alike than half (benchmarks/README.md, "Text").
SAME_TOPIC, LEAST_FLOOR = 0.5, 0.03
# Pairs drawn to learn what any two articles have in common.
N_PAIRS = 100_000
# What readers did also makes a link relevant: so many clicks, and more than expected; or so many
# visits that read both. Not tuned: three is more than a slip.
MIN_PAIR_CLICKS = MIN_VISITS = 3
# ... which are so large a part of those that read either. Not tuned: one visit in twenty is more
# than what is read by everybody.
MIN_READ_COSINE = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """Lists to publish. ``origins`` are numbers into ``ORIGINS``; ``n_relevant`` is how
    many links of each list passed the floor, before the fallback chain filled it up; ``same`` is
    a number that articles share if a list may hold only one of them; ``newest`` is the newest
    edition of each, see ``editions``; ``following`` the next part of its series, ``EMPTY`` for
    none; ``concentration`` is that of the links that passed.
    """

    lists: Candidates
    origins: np.ndarray
    n_relevant: np.ndarray
    same: np.ndarray
    newest: np.ndarray
    following: np.ndarray
    concentration: Concentration


def finish(
    corpus: Corpus,
    scored: Candidates,
    history: History | None,
    *,
    near: Candidates,
    picked: Candidates,
    cluster: np.ndarray,
    titles: list[str],
    stub: np.ndarray,
    eligible: Eligibility,
    following: np.ndarray,
    next_first: bool,
    origin: str,
    floor: float = RELEVANCE_FLOOR,
    sure: float = np.inf,
    ceiling: int = DEFAULT_CEILING,
) -> Finished:
    """The lists, best link first. ``origin`` is who decided: ``model`` or ``text``; from the
    cosine ``floor`` or the score ``sure`` on a link is relevant, and so is the part of a series
    that is ``following`` its page, ``(n_articles,)``; if ``next_first`` it leads its list, by its
    title's word. Only what is ``eligible`` is listed, and nothing in more lists than the
    ``ceiling``, in hundredths of them.

    ``near`` and ``picked`` are the text neighbours and the hand-picked lists the fallback chain
    draws on.
    """
    same = same_title_or_text(titles, cluster)
    newest = newest_editions(corpus, same, ~eligible.barred & ~stub)
    real = scored.keep(eligible.mask(scored) & ~stub[scored.items] & ~stub[:, None])
    passed = passes_floor(corpus, real, history, floor) | (real.scores >= sure)
    passed |= is_next(real, following)
    relevant = with_newest(real, passed, newest, same)
    if next_first:  # before doubles go, lest another part that is like it stay in its stead
        relevant = with_next_first(relevant, following)
    lists = without_doubles(relevant, same).first(LIST_SIZE)
    lists, concentration = limited(lists, ceiling, fixed=is_next(lists, following))
    n_relevant = lists.used.sum(axis=1)
    found = filled(
        lists, n_relevant, near, picked, same, newest, following, stub, eligible, origin,
        concentration,
    )  # fmt: skip
    if next_first:
        found.origins[is_next(found.lists, following)] = ORIGINS.index("text")
    return found


def same_title_or_text(titles: list[str], cluster: np.ndarray) -> np.ndarray:
    """A number for each article that it shares with its near-duplicates, which share a ``cluster``,
    and namesakes; all are ``(n_articles,)``.

    To a reader, two links under one title are one link, whatever stands behind them.
    """
    first: dict[str, int] = {}
    keys = (title_key(title) for title in titles)
    namesake = [first.setdefault(key, row) for row, key in enumerate(keys)]
    rows = np.tile(np.arange(len(titles)), 2)
    return clusters(len(titles), rows, np.concatenate([namesake, cluster]).astype(np.int64))


def without_doubles(candidates: Candidates, same: np.ndarray) -> Candidates:
    """Nothing that is the source over again, and of each group of doubles only the best."""
    groups = np.where(candidates.used, same[candidates.items], EMPTY)
    order = np.argsort(groups, axis=1, kind="stable")
    ascending = np.take_along_axis(groups, order, axis=1)
    double = np.zeros_like(candidates.used)
    np.put_along_axis(double, order[:, 1:], ascending[:, 1:] == ascending[:, :-1], axis=1)
    return candidates.keep(~double & (groups != same[:, None]))


def with_newest(
    candidates: Candidates, passed: np.ndarray, newest: np.ndarray, same: np.ndarray
) -> Candidates:
    """Candidates that ``passed``, ``(n_sources, list_size)``. Where the best of a group of doubles
    has a ``newest`` edition among the candidates, passed or not, the two change places, and so
    scores; ``newest`` and ``same`` are ``(n_articles,)``.
    """
    has_double = np.bincount(same)[same] > 1
    rows, slots = np.nonzero(candidates.used & has_double[candidates.items])
    items = candidates.items[rows, slots].astype(np.int64)
    # Doubles of one list stand together, the best first, whatever else is in the list.
    order = np.lexsort((slots, ~passed[rows, slots], same[items], rows))
    rows, slots, items = rows[order], slots[order], items[order]
    heads = runs(rows.astype(np.int64) * len(same) + same[items])
    best = np.repeat(heads[:-1], np.diff(heads))
    at = np.flatnonzero(items == newest[items[best]])
    best = best[at]
    found = candidates.items.copy()
    found[rows[at], slots[at]] = items[best]
    found[rows[best], slots[best]] = items[at]
    return Candidates(found, candidates.scores).keep(passed)


def is_next(candidates: Candidates, following: np.ndarray) -> np.ndarray:
    """True where a slot holds the part ``following`` its source, ``(n_sources, list_size)``."""
    return candidates.used & (candidates.items == following[:, None])


def with_next_first(candidates: Candidates, following: np.ndarray) -> Candidates:
    """The part ``following`` its source at the head of each list that holds it, under the score of
    the best.
    """
    order = np.argsort(~is_next(candidates, following), axis=1, kind="stable")
    arranged = candidates.arranged(order)
    scores = arranged.scores.copy()
    scores[:, 0] = np.maximum(scores[:, 0], candidates.scores[:, 0])
    return Candidates(arranged.items, scores)


def floor_of(corpus: Corpus, *, seed: int, with_runs: bool = False) -> float:
    """The cosine from which on two texts of this site belong together: what 95 % of any two
    articles do not reach, between ``LEAST_FLOOR`` and ``RELEVANCE_FLOOR``; where texts are compared
    by runs of letters too, which texts of one language have in common, that is higher by what half
    of any two articles reach, ``MOST_IN_COMMON`` at most: on a site of one subject they are alike
    for what they say.
    """
    random, n = np.random.default_rng(seed), corpus.n_articles
    sources, items = random.integers(n, size=(2, N_PAIRS))
    reached = corpus.cosine(sources, items)[sources != items]
    if not len(reached):
        return RELEVANCE_FLOOR
    usual, half = np.quantile(reached, [CHANCE, 0.5])
    most = RELEVANCE_FLOOR + (min(half, MOST_IN_COMMON) if with_runs else 0)
    return round(float(np.clip(usual, LEAST_FLOOR, most)), 4)


def passes_floor(
    corpus: Corpus, candidates: Candidates, history: History | None, floor: float
) -> np.ndarray:
    """True where text, a common subject or readers show that a link belongs beside its source; of
    the shape of ``candidates.items``, ``(n_sources, list_size)``.
    """
    sources, slots = np.nonzero(candidates.used)
    items = candidates.items[sources, slots].astype(np.int64)
    alike = corpus.overlaps(sources, items)
    good = (alike[:, 0] >= floor) | (alike[:, 4] >= SAME_SUBJECT)
    good |= (alike[:, 0] >= LEAST_FLOOR) & (corpus.topic(sources, items) >= SAME_TOPIC)
    if history is not None:
        pair, read = history.pairs.find(sources, items), history.reading.find(sources, items)
        followed = at(history.clicks.clicked, pair) >= MIN_PAIR_CLICKS
        good |= followed & (history.plain.lift(pair) > 0)
        together = at(history.reading.together, read) >= MIN_VISITS
        good |= together & (at(history.reading.cosine, read) >= MIN_READ_COSINE)
    mask = np.zeros_like(candidates.used)
    mask[sources, slots] = good
    return mask


def filled(
    lists: Candidates,
    n_relevant: np.ndarray,
    near: Candidates,
    picked: Candidates,
    same: np.ndarray,
    newest: np.ndarray,
    following: np.ndarray,
    stub: np.ndarray,
    eligible: Eligibility,
    origin: str,
    concentration: Concentration,
) -> Finished:
    """Lists of fewer than ``MIN_LINKS`` are filled up: nearest texts, then the editors' links.

    What is still missing then comes from the category's and the site's popular articles, at
    look-up, since it is the same for all.
    """
    spare = union([lists, near, picked])
    spare = spare.keep(eligible.mask(spare) & ~stub[spare.items] & ~stub[:, None])
    spare = without_doubles(with_newest(spare, spare.used, newest, same), same)
    origins = np.full(lists.items.shape, ORIGINS.index(origin), dtype=np.uint8)
    items, scores = lists.items.copy(), lists.scores.copy()
    texts = ORIGINS.index("text"), ORIGINS.index("hand-picked")
    for row in np.flatnonzero((n_relevant < MIN_LINKS) & ~stub):
        found = [item for item in spare.items[row] if item != EMPTY][
            : min(MIN_LINKS, items.shape[1])
        ]
        for slot in range(int(n_relevant[row]), len(found)):
            by_text = found[slot] in near.items[row]
            items[row, slot] = found[slot]
            scores[row, slot] = min(0.0, float(scores[row, slot - 1])) if slot else 0.0
            origins[row, slot] = texts[0] if by_text else texts[1]
    return Finished(
        Candidates(items, scores), origins, n_relevant, same, newest, following, concentration
    )
