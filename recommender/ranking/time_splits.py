"""The log split by time: what was followed in one part, explained by the parts before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from recommender.clicks.choice_model import (
    Choices,
    Exposures,
    Pairs,
    bounded,
    choices_in,
    exposures_in,
    pairs_in,
)
from recommender.clicks.intervention_harvesting import MAX_POSITION
from recommender.clicks.position_bias import MAX_WEIGHT, Examination
from recommender.ranking.features import History, content_of, features, history_of
from recommender.ranking.handpicked import HandpickedModel
from recommender.store.counts import Log
from recommender.text.corpus import Corpus

# Shares of the views at which splits begin. The later, the more a split's history resembles the
# one the model will serve with; the first teaches what to do without any. Not tuned.
SHARES = (0.0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
# Clicks that weigh as much as the mean of all positions in a position's click rate. Not tuned.
PRIOR_POSITION = 5.0
# Of links that are examined so seldom, beside those examined most, nothing is learned: where all
# clicks go to the first place, that the others got none would be taken for dislike. Inverse
# propensity weights stay within the one bound there is by that.
LEAST_EXAMINED = 1 / MAX_WEIGHT


@dataclass(frozen=True, eq=False)
class Split:
    """What was ``shown`` on some days, of which the choices made, ``now``, are a part, and what was
    known before them: the ``history``, counted on all days before.
    """

    corpus: Corpus
    handpicked: HandpickedModel | None
    history: History
    shown: Exposures
    now: Choices

    @cached_property
    def seen(self) -> np.ndarray:
        """Features of the pairs shown, ``(n_rows, len(FEATURES))``."""
        return self._features(unseen=False)

    @cached_property
    def as_new(self) -> np.ndarray:
        """The same, as if these had never been shown, ``(n_rows, len(FEATURES))``."""
        return self._features(unseen=True)

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Source and item of the pairs shown, ``(n_rows,)`` each."""
        pairs, pair = self.history.pairs, self.shown.pair
        return pairs.source[pair], pairs.item[pair].astype(np.int64)

    def chosen(self, values: np.ndarray) -> np.ndarray:
        """Of ``values`` of the pairs shown, ``(n_rows, ...)``, those of the rows of ``now``."""
        return values[np.searchsorted(self.shown.pair, self.now.pair)]

    def gain(self, score: np.ndarray) -> float:
        """Mean discounted gain per click if slates were ordered by the ``score`` of the pairs
        shown, ``(n_rows,)``.
        """
        return self.now.gain(self.chosen(score))

    def lead(self, score: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
        """How much more gain a ``score`` of the pairs shown has than another, ``(n_rows,)`` both:
        clicks over examination, the mean per click, and its variance.
        """
        lead, error = self.now.gain_over(self.chosen(score), self.chosen(other))
        return float(self.now.weight.sum()), lead, error**2

    def _features(self, *, unseen: bool) -> np.ndarray:
        return features(self.corpus, self.handpicked, self.history, *self.ends, unseen=unseen)


@dataclass(frozen=True, eq=False)
class Splits:
    """A log and the ``days`` on which its splits begin, and the day after the last. ``of_link`` is
    the pair number of each link, -1 for none, and ``examined`` its examination propensity, both
    ``(n_links,)``. ``now`` is the day, with its part, for which lists are made.
    """

    corpus: Corpus
    handpicked: HandpickedModel | None
    log: Log
    pairs: Pairs
    of_link: np.ndarray
    examined: np.ndarray
    days: list[int]
    now: float

    def split(self, first: int, last: int, *, day: float | None = None) -> Split:
        """Days ``first`` up to, not including, ``last``, and what was before them, seen on the
        ``day`` given, or the first.
        """
        past = self.log.between(0, first)
        day = first if day is None else day
        counted = self.corpus, past, self.pairs, self.of_link, self.examined
        history = history_of(*counted, self._content, day=float(day))
        log = self.log.between(first, last)
        shown = exposures_in(log, self.pairs, self.of_link, self.examined)
        now = choices_in(log, self.of_link, self.examined)
        return Split(self.corpus, self.handpicked, history, shown, now)

    def everything(self) -> Split:
        """All of the log as the past, seen now."""
        end = self.days[-1] if self.days else 0
        return self.split(end, end, day=self.now)

    def on(self, log: Log, examination: Examination | None = None) -> Splits:
        """The same of a log with the same slates, of which other views and clicks count; its links
        are examined as before, or by that ``examination``.
        """
        examined = self.examined if examination is None else examined_in(log, examination)
        other = replace(self, log=log, examined=examined)
        other.__dict__["_content"] = self._content
        return other

    @cached_property
    def _content(self) -> np.ndarray:
        """What is known of every pair without clicks, ``(n_pairs, len(CONTENT))``."""
        ends = self.pairs.source, self.pairs.item.astype(np.int64)
        return content_of(self.corpus, self.handpicked, *ends)


def splits_of(
    corpus: Corpus,
    handpicked: HandpickedModel | None,
    log: Log,
    examination: Examination,
    *,
    stub: np.ndarray | None = None,
    now: float | None = None,
) -> Splits:
    """Split a log by its views; clicks flooded onto one pair are bounded. Links to a ``stub``, true
    of what is known by title alone, ``(n_articles,)``, are left out, and clicks on them. ``now`` is
    the day for which lists are made, by default the one after the last view.
    """
    pairs, of_link = pairs_in(log, n_articles=corpus.n_articles)
    if stub is not None:
        # No list may hold them, and what is followed of links without a text, or is not, says
        # nothing of those that have one.
        to_stub = log.leads_to(stub)
        of_link[to_stub] = -1
        log = replace(log, n_clicks=np.where(to_stub[log.click_link], 0, log.n_clicks))
    log = bounded(log, of_link)
    examined = examined_in(log, examination)
    of_link[examined < LEAST_EXAMINED * examined.max(initial=0.0)] = -1
    days = _days(log)
    if now is None:
        now = float(days[-1]) if days else 0.0
    return Splits(corpus, handpicked, log, pairs, of_link, examined, days, now)


def examined_in(log: Log, examination: Examination) -> np.ndarray:
    """The examination propensity of every link, ``(n_links,)``.

    Where the log does not identify position bias, all of the difference between positions is put
    down to position: a link then has to beat what others get where it stood (clicks over expected
    clicks, Zhang & Jones, WWW 2007), and no place counts in a link's favour.
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
    return np.where(log.position > 0, (got / due)[place], 1.0)


def _days(log: Log) -> list[int]:
    """Days on which splits begin, and the day after the last."""
    if len(log.view_day) == 0:
        return []
    order = np.argsort(log.view_day, kind="stable")
    so_far = np.cumsum(log.n_views[order]) / max(log.n_views.sum(), 1)
    days = log.view_day[order]
    begin = np.minimum(np.searchsorted(so_far, SHARES[:-1]), len(days) - 1)
    return sorted({*days[begin].tolist(), int(days[-1]) + 1})
