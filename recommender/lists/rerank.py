"""From scored candidates to lists a site can show: no doubles, nothing irrelevant.

Each step takes ``Candidates`` and returns ``Candidates``. What passes the ``Screen`` is settled for
each article alone (``listed_beside``), ``finish`` is the rest. Editors'
rules are not applied here but at every look-up, so that a rule is live without training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from recommender.articles.article import title_key
from recommender.candidates import EMPTY, MIN_LINKS, Candidates, union
from recommender.events.event import ORIGINS
from recommender.lists.concentration import DEFAULT_CEILING, Concentration, limited
from recommender.lists.eligibility import Eligibility
from recommender.ragged import at, clusters, runs
from recommender.ranking.candidate_sources import Basis, by_text, on_the_page, proposed_beside
from recommender.ranking.features import History
from recommender.text.corpus import Corpus, Links
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


@dataclass(frozen=True, slots=True, eq=False)
class Screen:
    """What a link must be to stand in a list of the site. From the cosine ``floor`` or the score
    ``sure`` on it is relevant, by what readers did (``history``, if clicks decide), and so is the
    part of a series that is ``following`` its page; if ``next_first`` that one leads its list. Only
    what is ``eligible`` is listed, no ``stub``, and of those that are the ``same`` one, in its
    ``newest`` edition. Arrays are ``(n_articles,)``.
    """

    corpus: Corpus
    history: History | None
    eligible: Eligibility
    stub: np.ndarray
    same: np.ndarray
    newest: np.ndarray
    following: np.ndarray
    next_first: bool
    floor: float = RELEVANCE_FLOOR
    sure: float = np.inf

    def may(self, candidates: Candidates) -> Candidates:
        """The candidates that may stand where they are."""
        stub = self.stub[candidates.items] | self.stub[candidates.sources][:, None]
        return candidates.keep(self.eligible.mask(candidates) & ~stub)

    def relevant(self, candidates: Candidates, scores: np.ndarray, links: Links) -> Candidates:
        """The relevant ones of candidates that may stand there, best first, as many as a list
        holds; ``scores`` are of the shape of ``candidates.items``, ``links`` those of its
        ``pairs``.
        """
        passed = passes_floor(links, candidates, self.history, self.floor) | (scores >= self.sure)
        passed |= is_next(candidates, self.following)
        order = candidates.order(scores)
        passed = np.take_along_axis(passed, order, axis=1)
        scores = np.where(candidates.used, scores, -np.inf)
        scored = Candidates(candidates.items, scores, candidates.rows).arranged(order)
        found = with_newest(scored, passed, self.newest, self.same)
        if self.next_first:  # before doubles go, lest another part that is like it stay instead
            found = with_next_first(found, self.following)
        return without_doubles(found, self.same).first(LIST_SIZE)


def listed_beside(
    basis: Basis, screen: Screen, score: Callable[[Links], np.ndarray], rows: np.ndarray
) -> Candidates:
    """The relevant links beside some articles ``rows``, best first, with scores in float32; what
    stands beside one does not depend on which others are asked for.
    """
    candidates = screen.may(proposed_beside(basis, rows))
    links = Links(screen.corpus, *candidates.pairs())
    scores = np.full(candidates.items.shape, -np.inf)
    scores[candidates.used] = score(links)
    found = screen.relevant(candidates, scores, links)
    return replace(found, scores=found.scores.astype(np.float32))


def together(parts: Iterable[Candidates], n_articles: int) -> Candidates:
    """Lists of blocks of articles as those of all."""
    items = np.full((n_articles, LIST_SIZE), EMPTY, dtype=np.int32)
    scores = np.full((n_articles, LIST_SIZE), -np.inf, dtype=np.float32)
    width = 1
    for part in parts:
        size = part.items.shape[1]
        items[part.sources, :size], scores[part.sources, :size] = part.items, part.scores
        width = max(width, size)
    return Candidates(items[:, :width], scores[:, :width])


def finish(
    lists: Candidates, screen: Screen, basis: Basis, *, origin: str, ceiling: int = DEFAULT_CEILING
) -> Finished:
    """Lists to publish, of relevant ``lists`` of all articles, best first. ``origin`` is who
    decided: ``model`` or ``text``, which is said of a next part that leads by its title. Nothing
    stands in more lists than the ``ceiling``, in hundredths of them; too short ones are filled up.
    """
    following = screen.following
    lists, concentration = limited(lists, ceiling, fixed=is_next(lists, following))
    found = filled(lists, screen, basis, origin, concentration)
    if screen.next_first:
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
    return candidates.keep(~double & (groups != same[candidates.sources][:, None]))


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
    return Candidates(found, candidates.scores, candidates.rows).keep(passed)


def is_next(candidates: Candidates, following: np.ndarray) -> np.ndarray:
    """True where a slot holds the part ``following`` its source, ``(n_sources, list_size)``."""
    return candidates.used & (candidates.items == following[candidates.sources][:, None])


def with_next_first(candidates: Candidates, following: np.ndarray) -> Candidates:
    """The part ``following`` its source at the head of each list that holds it, under the score of
    the best.
    """
    order = np.argsort(~is_next(candidates, following), axis=1, kind="stable")
    arranged = candidates.arranged(order)
    scores = arranged.scores.copy()
    scores[:, 0] = np.maximum(scores[:, 0], candidates.scores[:, 0])
    return Candidates(arranged.items, scores, candidates.rows)


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
    links: Links, candidates: Candidates, history: History | None, floor: float
) -> np.ndarray:
    """True where text, a common subject or readers show that a link belongs beside its source; of
    the shape of ``candidates.items``, ``(n_sources, list_size)``. ``links`` are those of its
    ``pairs``.
    """
    sources, items, alike = links.sources, links.items, links.overlaps
    good = (alike[:, 0] >= floor) | (alike[:, 4] >= SAME_SUBJECT)
    good |= (alike[:, 0] >= LEAST_FLOOR) & (links.topic >= SAME_TOPIC)
    if history is not None:
        pair, read = history.pairs.find(sources, items), history.reading.find(sources, items)
        followed = at(history.clicks.clicked, pair) >= MIN_PAIR_CLICKS
        good |= followed & (history.plain.lift(pair) > 0)
        together = at(history.reading.together, read) >= MIN_VISITS
        good |= together & (at(history.reading.cosine, read) >= MIN_READ_COSINE)
    mask = np.zeros_like(candidates.used)
    mask[candidates.used] = good
    return mask


def filled(
    lists: Candidates, screen: Screen, basis: Basis, origin: str, concentration: Concentration
) -> Finished:
    """Lists of fewer than ``MIN_LINKS`` are filled up: nearest texts, then the editors' links.

    What is still missing then comes from the category's and the site's popular articles, at
    look-up, since it is the same for all.
    """
    n_relevant = lists.used.sum(axis=1)
    origins = np.full(lists.items.shape, ORIGINS.index(origin), dtype=np.uint8)
    items, scores = lists.items.copy(), lists.scores.copy()
    texts = ORIGINS.index("text"), ORIGINS.index("hand-picked")
    rows = np.flatnonzero((n_relevant < MIN_LINKS) & ~screen.stub)
    near = by_text(basis, rows)
    spare = screen.may(union([lists.beside(rows), near, on_the_page(basis, rows)]))
    spare = with_newest(spare, spare.used, screen.newest, screen.same)
    spare = without_doubles(spare, screen.same).first(min(MIN_LINKS, items.shape[1]))
    for slot in range(spare.items.shape[1]):
        new = (n_relevant[rows] <= slot) & spare.used[:, slot]
        at, found = rows[new], spare.items[new, slot]
        items[at, slot] = found
        scores[at, slot] = np.minimum(0.0, scores[at, slot - 1]) if slot else 0.0
        is_near = (near.items[new] == found[:, None]).any(axis=1)
        origins[at, slot] = np.where(is_near, *texts)
    return Finished(
        Candidates(items, scores), origins, n_relevant,
        screen.same, screen.newest, screen.following, concentration,
    )  # fmt: skip
