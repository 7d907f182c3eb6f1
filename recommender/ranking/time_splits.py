"""The log cut into stretches of time: what was followed in one, explained by those before it.

The clicks a pair was to get depend on what else stood in its slates: under Luce's choice model
each slate's clicks are shared out in proportion to examination x exp(score).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recommender.clicks.choice_model import Pairs, bounded, pairs_in
from recommender.clicks.intervention_harvesting import MAX_POSITION
from recommender.clicks.position_bias import Examination
from recommender.ragged import ranks
from recommender.ranking.features import History, features, history_of, known_of
from recommender.ranking.handpicked import HandpickedModel
from recommender.store.counts import Log
from recommender.text.corpus import Corpus

# Shares of the views at which blocks begin. The later, the more a block's history resembles the
# one the model will serve with; the first teaches what to do without any.
SHARES = (0.0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
# Two orders by counting differ by about so much in a click's discounted gain, standard deviation.
APART = 0.1
# Clicks' worth of belief that a position is followed as often as any other.
PRIOR_POSITION = 5.0
# Of links where readers look so seldom, beside where they look most, nothing is learned: where all
# clicks go to the first place, that the others got none would be taken for dislike.
LEAST_EXAMINED = 0.005


@dataclass(frozen=True, eq=False)
class Choices:
    """Links of slates something was chosen from, and the ``pair`` numbers of their rows: the
    ``slate`` and ``row`` of each link, its ``clicks``, those ``made`` on its slate, and
    ``examined``, its examination propensity.
    """

    pair: np.ndarray
    slate: np.ndarray
    row: np.ndarray
    clicks: np.ndarray
    made: np.ndarray
    examined: np.ndarray

    @cached_property
    def clicked(self) -> np.ndarray:
        """Clicks on each row, ``(n_rows,)``."""
        return np.bincount(self.row, weights=self.clicks, minlength=len(self.pair))

    def share(self, score: np.ndarray) -> np.ndarray:
        """The chance that a click on its slate goes to each link, if rows have this ``score``."""
        raw = score[self.row]
        n_slates = int(self.slate.max(initial=-1)) + 1
        top = np.full(n_slates, -np.inf)
        np.maximum.at(top, self.slate, raw)
        weight = self.examined * np.exp(raw - top[self.slate])
        whole = np.bincount(self.slate, weights=weight, minlength=n_slates)
        share: np.ndarray = weight / whole[self.slate]
        return share

    def expected(self, score: np.ndarray) -> np.ndarray:
        """Clicks each row was to get, ``(n_rows,)``."""
        share = self.share(score)
        return np.bincount(self.row, weights=self.made * share, minlength=len(self.pair))

    def likelihood(self, score: np.ndarray) -> float:
        """Mean log chance of the clicks."""
        told = np.log(np.maximum(self.share(score), 1e-300))
        return float((self.clicks * told).sum() / max(self.clicks.sum(), 1e-12))

    def worth(self, score: np.ndarray) -> float:
        """Mean discounted gain per click if each slate were ordered by ``score``.

        A click counts 1/log2(1 + rank), and as often as its position was likely overlooked.
        """
        return float(self._gains(score).sum() / max(self._weight.sum(), 1e-12))

    def lead(self, score: np.ndarray, other: np.ndarray) -> tuple[float, float]:
        """How much more than under another score an order is worth, and the standard error of
        that, from slate to slate.
        """
        n_slates = int(self.slate.max(initial=-1)) + 1
        gain = self._gains(score) - self._gains(other)
        more = np.bincount(self.slate, weights=gain, minlength=n_slates)
        weight = np.bincount(self.slate, weights=self._weight, minlength=n_slates)
        whole = max(weight.sum(), 1e-12)
        mean = more.sum() / whole
        return float(mean), float(np.sqrt(np.square(more - mean * weight).sum()) / whole)

    @property
    def _weight(self) -> np.ndarray:
        """A click counts as often as its position was likely overlooked."""
        weight: np.ndarray = self.clicks / self.examined
        return weight

    def _gains(self, score: np.ndarray) -> np.ndarray:
        """What each link's clicks are worth, ``(n_links,)``."""
        return self._weight / np.log2(1 + ranks(self.slate, score[self.row]))

    def sample(self, n_links: int) -> Choices:
        """The first slates, of about so many links in all."""
        last = self.slate[np.argsort(self.slate, kind="stable")][: n_links + 1].max(initial=-1)
        kept = self.slate < max(last, 1)
        rows, row = np.unique(self.row[kept], return_inverse=True)
        return Choices(
            self.pair[rows], self.slate[kept], row, self.clicks[kept], self.made[kept],
            self.examined[kept],
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Block:
    """A stretch of the log, ``now``, and what was known before: the ``history``, and what was
    chosen in the ``past``.
    """

    site: Corpus
    handpicked: HandpickedModel | None
    history: History
    past: Choices
    now: Choices

    def features(self, pair: np.ndarray, *, unseen: bool = False) -> np.ndarray:
        """Features of pairs by number; ``unseen``: as if these had never been shown."""
        pairs = self.history.pairs
        sources, items = pairs.source[pair], pairs.item[pair].astype(np.int64)
        known = known_of(self.history, sources, items, unseen=unseen)
        return features(self.site, self.handpicked, self.history, known, sources, items)

    @cached_property
    def seen(self) -> np.ndarray:
        """Features of the pairs of now."""
        return self.features(self.now.pair)

    @cached_property
    def as_new(self) -> np.ndarray:
        """The same, as if these pairs had never been shown."""
        return self.features(self.now.pair, unseen=True)

    @cached_property
    def before(self) -> np.ndarray:
        """Features of the pairs of the past."""
        return self.features(self.past.pair)


@dataclass(frozen=True, eq=False)
class Stretches:
    """A log and what cuts it: the ``days`` on which blocks begin, and the day after the last.
    ``of_link`` and ``examined`` say which pair each link is and how likely it is examined.
    """

    site: Corpus
    handpicked: HandpickedModel | None
    log: Log
    pairs: Pairs
    of_link: np.ndarray
    examined: np.ndarray
    days: list[int]

    def block(self, first: int, last: int) -> Block:
        """Days ``first`` up to, not including, ``last``."""
        past = self.log.between(0, first)
        history = history_of(self.site, past, self.pairs, self.of_link, self.examined)
        now = self._choices(self.log.between(first, last))
        return Block(self.site, self.handpicked, history, self._choices(past), now)

    def everything(self) -> Block:
        """All of the log as the past."""
        end = self.days[-1] if self.days else 0
        return self.block(end, end)

    def _choices(self, log: Log) -> Choices:
        _, clicked = log.shown_and_clicked()
        slate = log.link_slate
        made = np.bincount(slate, weights=clicked, minlength=len(log.source))[slate]
        links = np.flatnonzero((self.of_link >= 0) & (made > 0))
        _, number = np.unique(slate[links], return_inverse=True)
        pair, row = np.unique(self.of_link[links], return_inverse=True)
        return Choices(pair, number, row, clicked[links], made[links], self.examined[links])


def stretches_of(
    site: Corpus, handpicked: HandpickedModel | None, log: Log, examination: Examination
) -> Stretches:
    """Cut a log by its views; clicks flooded onto one pair are bounded."""
    pairs, of_link = pairs_in(log, n_articles=site.n_articles)
    log = bounded(log, of_link)
    examined = examined_in(log, examination)
    of_link[examined < LEAST_EXAMINED * examined.max(initial=0.0)] = -1
    return Stretches(site, handpicked, log, pairs, of_link, examined, _days(log))


def examined_in(log: Log, examination: Examination) -> np.ndarray:
    """The examination propensity of every link, ``(n_links,)``.

    Where the log cannot tell position from appeal, all of the difference between positions is put
    down to position: a link then has to beat what others get where it stood (clicks over expected
    clicks, Zhang & Jones, WWW 2007), and no place makes a link look good.
    """
    if examination.identified_somewhere:
        return examination.of(log)
    shown, clicked = log.shown_and_clicked()
    place = np.minimum(log.position, MAX_POSITION)
    rate = clicked.sum() / max(shown.sum(), 1)
    got, due = (
        np.bincount(place, weights=weights, minlength=MAX_POSITION + 1) + PRIOR_POSITION
        for weights in (clicked, shown * rate)
    )
    found: np.ndarray = np.where(log.position > 0, (got / due)[place], 1.0)
    return found


def _days(log: Log) -> list[int]:
    """Days on which blocks begin, and the day after the last."""
    if len(log.view_day) == 0:
        return []
    order = np.argsort(log.view_day, kind="stable")
    so_far = np.cumsum(log.n_views[order]) / max(log.n_views.sum(), 1)
    days = log.view_day[order]
    begin = np.minimum(np.searchsorted(so_far, SHARES[:-1]), len(days) - 1)
    return sorted({*days[begin].tolist(), int(days[-1]) + 1})
