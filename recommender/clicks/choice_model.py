"""How often a link is followed, over how often that was to be expected.

A click is a choice among the links of a slate. Under Luce's choice axiom (1959; Plackett 1975 for
whole orders), with examination by position, link *i* is chosen with chance ``examination_i x
strength_i`` over the slate's sum. The strengths of all targets come from minorise-maximise steps
(Hunter 2004, "MM algorithms for generalized Bradley-Terry models", Annals of Statistics 32), with a
gamma prior. What a pair got beyond the clicks expected from its target's strength is the pair's
own: its lift.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recommender.clicks.gamma_poisson import Usual, fitted_weight, posterior_rate
from recommender.ragged import at, find
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

    keys: np.ndarray
    heads: np.ndarray
    item: np.ndarray

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


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceModel:
    """What was counted and fitted on a part of the log. By pair, ``(n_pairs,)``: ``clicked``,
    ``expected`` clicks under its target's strength, and ``chances``, the clicks made on slates it
    stood in. By article, ``(n_articles,)``: ``strength`` as a target (1 is average), ``around``,
    that of its category, towards which it is pulled by ``prior`` clicks, ``target_clicks``,
    ``target_expected`` (clicks if all links were alike).
    """

    clicked: np.ndarray
    expected: np.ndarray
    chances: np.ndarray
    strength: np.ndarray
    around: np.ndarray
    prior: float
    target_clicks: np.ndarray
    target_expected: np.ndarray

    @property
    def n_clicks(self) -> int:
        """Clicks in all."""
        return int(self.clicked.sum())

    def lift(
        self, pair: np.ndarray, prior: float, expected: np.ndarray | None = None
    ) -> np.ndarray:
        """Log of clicks over expected clicks of each pair (-1: never shown), pulled towards 0.

        ``pair`` is ``(n_pairs,)``, as is the result. The prior weighs as much as ``prior`` choices
        among the source's links, of which this pair would get its expected share. Clicks may be
        ``expected`` by another score of all pairs of the log than their targets' strengths.
        """
        expected = at(self.expected if expected is None else expected, pair)
        clicked = at(self.clicked, pair)
        chances = at(self.chances, pair)
        weight = prior * np.where(chances > 0, expected / np.maximum(chances, 1e-12), 1.0)
        return np.log(posterior_rate(clicked, expected, weight))


def fit(
    log: Log, pairs: Pairs, of_link: np.ndarray, examined: np.ndarray, category: np.ndarray
) -> ChoiceModel:
    """Count a part of the log and fit the strengths of its targets; ``examined``,
    ``(n_links,)``, is the examination propensity of each of its links, ``category``,
    ``(n_articles,)``, the number of each article's, -1 for none.

    Strengths are pulled towards their category's, and that towards the site's, as far as the
    targets of one category, and categories, are found to be alike: empirical Bayes.
    """
    n_articles = len(pairs.heads) - 1
    _, clicked = log.shown_and_clicked()
    slate = log.link_slate
    in_slate = np.bincount(slate, weights=clicked, minlength=len(log.source))
    made = in_slate[slate]
    usable = (of_link >= 0) & (made > 0)
    slate, made, clicks = slate[usable], made[usable], clicked[usable]
    item, pair = log.item[usable], of_link[usable]
    seen = examined[usable]
    n_slates = len(log.source)
    strength = np.ones(n_articles)
    got = np.bincount(item, weights=clicks, minlength=n_articles)
    group, around, prior = category + 1, np.ones(n_articles), USUAL.weight
    for step in range(MAX_STEPS):
        chance = _share(slate, seen * strength[item], n_slates)
        due = np.bincount(item, weights=made * chance / strength[item], minlength=n_articles)
        if step in FITTED:
            all_got, all_due = (np.bincount(group, weights=of) for of in (got, due))
            sure = fitted_weight(all_got, all_due, USUAL)
            around = posterior_rate(all_got, all_due, sure)[group]
            prior = fitted_weight(got, due, USUAL, mean=around)
        before, strength = strength, posterior_rate(got, due, prior, around)
        if step > FITTED[-1] and np.abs(strength / before - 1).max(initial=0.0) < TOLERANCE:
            break
    chance = _share(slate, seen * strength[item], n_slates)
    n_pairs = len(pairs.item)
    return ChoiceModel(
        clicked=np.bincount(pair, weights=clicks, minlength=n_pairs),
        expected=np.bincount(pair, weights=made * chance, minlength=n_pairs),
        chances=np.bincount(pair, weights=made, minlength=n_pairs),
        strength=strength,
        around=around,
        prior=prior,
        target_clicks=got,
        target_expected=np.bincount(
            item, weights=made * _share(slate, seen, n_slates), minlength=n_articles
        ),
    )


def _share(slate: np.ndarray, weight: np.ndarray, n_slates: int) -> np.ndarray:
    """Each link's share of its slate's weight."""
    whole = np.bincount(slate, weights=weight, minlength=n_slates)
    return weight / np.maximum(whole[slate], 1e-12)
