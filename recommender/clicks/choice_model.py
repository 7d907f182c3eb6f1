"""How often a link is followed, over how often that was to be expected.

A click is a choice among the links of a page, or none of them. Under Luce's choice axiom (1959),
with examination by position, link *i* is followed in proportion to ``exposures_i x strength_i``.
The strengths of all targets come from minorise-maximise steps (Hunter 2004, "MM algorithms for
generalized Bradley-Terry models", Annals of Statistics 32), with a gamma prior. What a pair got
beyond the clicks expected from its target's strength is the pair's own: its lift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated

import numpy as np

from recommender.array_fields import LARGE, Heads, Keys, Numbers, Values, Within
from recommender.clicks.gamma_poisson import Usual, fitted_weight, posterior_rate
from recommender.ragged import at, find, ranks, runs
from recommender.store.counts import UNKNOWN, Log

# Steps end when no strength changes by more than this share, or after so many. Where few slates
# link groups of targets, the groups' common scales still creep then; expected clicks are within .04
# standard deviations of their limit (simulated lists rebuilt every night, ten of twenty links).
TOLERANCE, MAX_STEPS = 1e-3, 30
# Steps at which the weights of the priors are fitted anew: early, and when strengths have settled.
FITTED = (5, 15)
# The weight, in clicks, of a category's rate for its targets, and of the site's for its categories:
# what is usual before the log is asked, give or take a factor, and what it may come to. Not tuned.
USUAL = Usual(1.0, 3.0, least=0.1, most=1_000.0)
# A pair counts for such a share of the clicks on all others, so many times what the tenth most
# followed has, or so many clicks, whichever is most. Only a flood goes beyond all three.
PAIR_SHARE, TIMES_TENTH, PAIR_CLICKS = 0.01, 3.0, 20.0
N_TENTH = 10  # one link alone must not set the bound; not tuned


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Every (source, item) that was ever shown, as sorted ``keys`` ``source * n + item``: items
    ``item[heads[s]:heads[s + 1]]`` stood beside source ``s``.
    """

    keys: Annotated[np.ndarray, Keys("n_pairs", pairs_of="n_articles")]
    heads: Annotated[np.ndarray, Heads("n_articles+1", of="n_pairs")]
    item: Annotated[np.ndarray, Numbers("n_pairs", below="n_articles")]

    @property
    def source(self) -> np.ndarray:
        """The source of each pair, ``(n_pairs,)``."""
        return np.repeat(np.arange(len(self.heads) - 1), np.diff(self.heads))

    def find(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The number of each pair, ``(n_pairs,)``, -1 for pairs that were never shown."""
        return find(self.keys, np.asarray(sources, dtype=np.int64) * (len(self.heads) - 1) + items)


def pairs_in(log: Log, *, n_articles: int) -> tuple[Pairs, np.ndarray]:
    """The pairs of a log, and which one each of its links is, ``(n_links,)``; -1 for links to an
    article that is not known, or from one, or to the source itself.
    """
    source = log.link_source
    known = (source != UNKNOWN) & (log.item != UNKNOWN) & (source != log.item)
    key = source[known].astype(np.int64) * n_articles + log.item[known]
    keys, number = np.unique(key, return_inverse=True)
    of_link = np.full(len(log.item), -1, dtype=np.int64)
    of_link[known] = number
    sources, items = np.divmod(keys, n_articles)
    heads = np.searchsorted(sources, np.arange(n_articles + 1))
    return Pairs(keys, heads.astype(np.int64), items.astype(np.int32)), of_link


def bounded(log: Log, of_link: np.ndarray) -> Log:
    """With the clicks on a pair scaled down to the most one pair may count, whoever made them.

    ``of_link`` is ``(n_links,)``, of ``pairs_in``. Clicks that pages send are bounded day by day
    (``click_filters``); imported ones are not, nor is a flood that lasts for weeks. One pair must
    not decide what is learned of text, position and targets.
    """
    of_click = of_link[log.click_link]
    got = np.bincount(of_click[of_click >= 0], weights=log.n_clicks[of_click >= 0])
    if len(got) < N_TENTH:
        return log
    tenth = np.partition(got, -N_TENTH)[-N_TENTH]
    most = max(PAIR_CLICKS, PAIR_SHARE * (got.sum() - got.max()), TIMES_TENTH * tenth)
    if got.max() <= most:
        return log
    scale = np.minimum(1.0, most / np.maximum(got, 1.0))
    return replace(log, n_clicks=log.n_clicks * np.where(of_click >= 0, scale[of_click], 1.0))


@dataclass(frozen=True, eq=False)
class Choices:
    """Links of slates that were clicked on, by which orders are judged. ``pair`` holds the pair
    numbers of the rows, ``(n_rows,)``; the others are ``(n_links,)``: the ``slate``, ascending, and
    ``row`` of each link, its ``clicks``, and its examination propensity ``examined``.
    ``clicks_per_visit`` is how many clicks the visit of a click holds in the mean.
    """

    pair: np.ndarray
    slate: np.ndarray
    row: np.ndarray
    clicks: np.ndarray
    examined: np.ndarray
    clicks_per_visit: float = 1.0

    @cached_property
    def clicked(self) -> np.ndarray:
        """Clicks on each row, ``(n_rows,)``."""
        return np.bincount(self.row, weights=self.clicks, minlength=len(self.pair))

    @cached_property
    def weight(self) -> np.ndarray:
        """Clicks over examination, ``(n_links,)``."""
        return self.clicks / self.examined

    def gain(self, score: np.ndarray) -> float:
        """Mean discounted gain per click if each slate were ordered by ``score``, ``(n_rows,)``.

        A click counts 1/log2(1 + rank), weighted by the inverse of its place's examination
        propensity (Joachims, Swaminathan & Schnabel, WSDM 2017).
        """
        return float(self._gains(score).sum() / max(self.weight.sum(), 1e-12))

    def gain_over(self, score: np.ndarray, other: np.ndarray) -> tuple[float, float]:
        """How much more ``gain`` a score has than another, and the standard error of that.

        Clicks of a slate go together, and so do those of a visit: two-way clusters (Cameron,
        Gelbach & Miller, Journal of Business & Economic Statistics 2011). The log is counted, not
        kept view by view, so of visits only their size is known, and the part that they add is the
        most it can be.
        """
        gain = self._gains(score) - self._gains(other)
        whole = max(self.weight.sum(), 1e-12)
        mean = gain.sum() / whole
        apart = gain - mean * self.weight
        of_slates = np.square(np.bincount(self.slate, weights=apart)).sum()
        clicked = self.clicks > 0
        of_clicks = (np.square(apart[clicked]) / self.clicks[clicked]).sum()
        variance = of_slates + (self.clicks_per_visit - 1) * of_clicks
        return float(mean), float(np.sqrt(variance) / whole)

    def sample(self, n_links: int) -> Choices:
        """The first slates, of about so many links in all."""
        last = self.slate[np.argsort(self.slate, kind="stable")][: n_links + 1].max(initial=-1)
        kept = self.slate < max(last, 1)
        rows, row = np.unique(self.row[kept], return_inverse=True)
        links = self.slate[kept], row, self.clicks[kept], self.examined[kept]
        return Choices(self.pair[rows], *links, self.clicks_per_visit)

    def _gains(self, score: np.ndarray) -> np.ndarray:
        """The discounted gain of each link's clicks, ``(n_links,)``."""
        return self.weight / np.log2(1 + ranks(self.slate, score[self.row]))


def choices_in(log: Log, of_link: np.ndarray, examined: np.ndarray) -> Choices:
    """The choices of a part of the log; ``of_link`` is the pair number of each of its links, -1 for
    none, and ``examined`` its examination propensity, both ``(n_links,)``.
    """
    _, clicked = log.shown_and_clicked()
    slate, known = log.link_slate, of_link >= 0
    made = np.bincount(slate[known], weights=clicked[known], minlength=len(log.source))[slate]
    links = np.flatnonzero(known & (made > 0))
    _, number = np.unique(slate[links], return_inverse=True)
    pair, row = np.unique(of_link[links], return_inverse=True)
    return Choices(pair, number, row, clicked[links], examined[links], log.clicks_per_visit)


@dataclass(frozen=True, eq=False)
class Exposures:
    """Pairs that were shown, ``(n_rows,)`` each: the ``pair`` number, the ``page`` they stood on,
    from 0 (a number of its own for pages of another part), the ``exposures``, which are views times
    examination propensity, and the ``clicks``. ``weight`` clicks pull the level of each page, which
    multiplies all of its links, towards the site's.

    Clicks are Poisson with mean ``exposures x level x exp(score)``, and levels gamma. Given its sum
    a page's clicks are then choices among its links and an outside option of weight ``weight``
    (negative multinomial): with 0 the choice model itself, where only a page's own links are
    compared; with more, pages teach of each other.
    """

    pair: np.ndarray
    page: np.ndarray
    exposures: np.ndarray
    clicks: np.ndarray
    weight: float = 1.0

    @cached_property
    def made(self) -> np.ndarray:
        """Clicks on each page, ``(n_pages,)``."""
        return np.bincount(self.page, weights=self.clicks)

    def weighed(self, score: np.ndarray) -> Exposures:
        """With the ``weight`` under which the clicks of the pages are likeliest, if rows have this
        ``score``, ``(n_rows,)``.
        """
        raw, _ = self._of_pages(score)
        return replace(self, weight=fitted_weight(self.made, raw, USUAL))

    def sampled(self, share: float, random: np.random.Generator) -> tuple[np.ndarray, Exposures]:
        """All rows that were followed and a ``share`` of the others, whose exposures stand for all
        of these (McFadden 1978, "Modelling the choice of residential location", on drawing from
        the alternatives): which rows, ``(n_kept,)``, and what they are.
        """
        followed = self.clicks > 0
        kept = np.flatnonzero(followed | (random.random(len(followed)) < share))
        stands_for = np.where(followed[kept], 1.0, 1.0 / share)
        _, page = np.unique(self.page[kept], return_inverse=True)
        return kept, Exposures(
            self.pair[kept], page, self.exposures[kept] * stands_for, self.clicks[kept], self.weight
        )

    def share(self, score: np.ndarray) -> np.ndarray:
        """The chance that a click on its page, or the outside option, goes to each row,
        ``(n_rows,)``, if rows have this ``score``, ``(n_rows,)``.
        """
        of_page, raw = self._of_pages(score)
        return raw / (of_page + self.weight)[self.page]

    def expected(self, score: np.ndarray) -> np.ndarray:
        """Clicks expected on each row under a ``score``; both ``(n_rows,)``."""
        return (self.made + self.weight)[self.page] * self.share(score)

    def log_likelihood(self, score: np.ndarray) -> float:
        """The log-likelihood of the clicks under a ``score``, ``(n_rows,)``, but for a constant."""
        of_page, raw = self._of_pages(score)
        whole = of_page + self.weight
        own = self.clicks * np.log(np.maximum(raw / whole[self.page], 1e-300))
        return float(own.sum() + (self.weight * np.log(self.weight / whole)).sum())

    def _of_pages(self, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Clicks expected on pages at the site's level, ``(n_pages,)``, and on rows, ``(n_rows,)``;
        the site's level is the one under which all clicks are likeliest.
        """
        if len(score) == 0:
            return np.zeros(0), np.zeros(0)
        raw = self.exposures * np.exp(score - score.max())
        of_page, got = np.bincount(self.page, weights=raw), self.made + self.weight
        level = np.log(max(self.made.sum(), 1e-12) / max(of_page.sum(), 1e-300))
        for _ in range(MAX_STEPS):
            share = 1 / (1 + self.weight / np.maximum(np.exp(level) * of_page, 1e-300))
            slope = (got * share * (1 - share)).sum()
            step = np.clip((self.made.sum() - (got * share).sum()) / max(slope, 1e-300), -2, 2)
            level += step
            if abs(step) < 1e-9:
                break
        return np.exp(level) * of_page, np.exp(level) * raw


def exposures_in(log: Log, pairs: Pairs, of_link: np.ndarray, examined: np.ndarray) -> Exposures:
    """The exposures of a part of the log; ``of_link`` is the pair number of each of its links, -1
    for none, and ``examined`` its examination propensity, both ``(n_links,)``.
    """
    known = of_link >= 0
    shown, clicked = log.shown_and_clicked()
    exposures, clicks = (
        np.bincount(of_link[known], weights=weights[known], minlength=len(pairs.item))
        for weights in (shown * examined, clicked)
    )
    pair = np.flatnonzero(exposures > 0)
    # Pairs are sorted by source: a page begins where it changes.
    heads = runs(pairs.source[pair])
    page = np.repeat(np.arange(len(heads) - 1), np.diff(heads))
    return Exposures(pair, page, exposures[pair], clicks[pair])


def joined(parts: Sequence[Exposures]) -> Exposures:
    """The exposures of several parts as one; pages of each are apart from those of the others."""
    n_pages = np.cumsum([0, *(len(part.made) for part in parts)])
    page = [part.page + start for part, start in zip(parts, n_pages[:-1], strict=True)]
    pair, exposures, clicks = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("pair", "exposures", "clicks")
    )
    return Exposures(pair, np.concatenate(page), exposures, clicks)


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """Of groups, ``(n_groups,)``: how often their links are followed over how often that was to be
    expected, the ``rate``; the clicks they ``got`` and those ``due`` to them at rate 1; and
    ``around`` what they are pulled by ``prior`` clicks.
    """

    rate: np.ndarray
    got: np.ndarray
    due: np.ndarray
    around: np.ndarray
    prior: float


def rates_of(
    shown: Exposures,
    score: np.ndarray,
    group: np.ndarray,
    n_groups: int,
    parent: np.ndarray | None = None,
) -> Rates:
    """The rates of groups of rows, ``group`` ``(n_rows,)``, beyond what the levels above predict,
    their ``score``, ``(n_rows,)``; pulled towards those of their parents, ``parent``
    ``(n_groups,)``, and these towards 1, as far as the groups of one parent, and parents, are found
    to be alike: empirical Bayes.
    """
    got = np.bincount(group, weights=shown.clicks, minlength=n_groups).astype(np.float64)
    due: np.ndarray = np.zeros(n_groups)
    rate, around, prior = np.ones(n_groups), np.ones(n_groups), USUAL.weight
    for step in range(MAX_STEPS):
        expected = shown.expected(score + np.log(rate[group]))
        due = np.bincount(group, weights=expected / rate[group], minlength=n_groups)
        if step in FITTED:
            # Pages differ less once more is explained.
            shown = shown.weighed(score + np.log(rate[group]))
            if parent is not None:
                all_got, all_due = (np.bincount(parent, weights=of) for of in (got, due))
                sure = fitted_weight(all_got, all_due, USUAL)
                around = posterior_rate(all_got, all_due, sure)[parent]
            prior = fitted_weight(got, due, USUAL, mean=around)
        before, rate = rate, posterior_rate(got, due, prior, around)
        if step > FITTED[-1] and np.abs(rate / before - 1).max(initial=0.0) < TOLERANCE:
            break
    return Rates(rate, got, due, around, prior)


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceModel:
    """What was counted and fitted on a part of the log. By pair, ``(n_pairs,)``: ``clicked``,
    ``expected`` clicks under the levels above and its target's strength, and ``chances``, the
    clicks made on its page; its own rate is pulled towards the expected one by ``weight`` clicks.
    By article, ``(n_articles,)``: ``strength`` as a target (1 is what the levels above
    expect), ``around``, that of its category, towards which it is pulled by ``prior`` clicks,
    ``target_clicks``, ``target_expected`` (clicks that the levels above expect).
    """

    clicked: Annotated[np.ndarray, Values("n_pairs", least=0)]
    expected: Annotated[np.ndarray, Values("n_pairs", least=0)]
    chances: Annotated[np.ndarray, Values("n_pairs", least=0)]
    weight: Annotated[float, Within(0, LARGE)]
    strength: Annotated[np.ndarray, Values("n_articles", least=0)]
    around: Annotated[np.ndarray, Values("n_articles", least=0)]
    prior: Annotated[float, Within(0, LARGE)]
    target_clicks: Annotated[np.ndarray, Values("n_articles", least=0)]
    target_expected: Annotated[np.ndarray, Values("n_articles", least=0)]

    @property
    def n_clicks(self) -> int:
        """Clicks in all."""
        return int(self.clicked.sum())

    def lift(self, pair: np.ndarray, prior: float | None = None) -> np.ndarray:
        """Log of clicks over expected clicks of each pair (-1: never shown), pulled towards 0 by
        ``prior`` clicks, by default the weight fitted; ``pair`` is ``(n_pairs,)``, as is the
        result.
        """
        weight = self.weight if prior is None else prior
        return np.log(posterior_rate(at(self.clicked, pair), at(self.expected, pair), weight))


def fit(
    shown: Exposures, score: np.ndarray, pairs: Pairs, category: np.ndarray, fold: np.ndarray
) -> ChoiceModel:
    """The strengths of targets, and what is left of each pair's clicks, beyond what the levels
    above predict: the ``score`` of each row ``shown``, ``(n_rows,)``.

    ``category`` is the number of each article's, ``(n_articles,)``, -1 for none. Strengths are
    pulled towards their category's, and that towards the site's. How far pairs go their own way is
    judged by strengths that have not seen them: without the rows of the same ``fold``,
    ``(n_rows,)``.
    """
    item, n_articles, n_pairs = pairs.item[shown.pair], len(category), len(pairs.item)
    target = rates_of(shown, score, item, n_articles, category + 1)
    strength = target.rate[item]
    total = score + np.log(strength)
    expected = shown.weighed(total).expected(total)

    def of_fold(values: np.ndarray) -> np.ndarray:
        _, cell = np.unique(
            item.astype(np.int64) * (fold.max(initial=0) + 1) + fold, return_inverse=True
        )
        return np.bincount(cell, weights=values)[cell]

    others = posterior_rate(
        target.got[item] - of_fold(shown.clicks),
        target.due[item] - of_fold(expected / strength),
        target.prior,
        target.around[item],
    )

    def of_pairs(values: np.ndarray) -> np.ndarray:
        whole = np.zeros(n_pairs)
        whole[shown.pair] = values
        return whole

    return ChoiceModel(
        clicked=of_pairs(shown.clicks),
        expected=of_pairs(expected),
        chances=of_pairs(shown.made[shown.page]),
        weight=fitted_weight(shown.clicks, expected / strength * others, USUAL),
        strength=target.rate,
        around=target.around,
        prior=target.prior,
        target_clicks=target.got,
        target_expected=np.bincount(item, weights=shown.expected(score), minlength=n_articles),
    )
