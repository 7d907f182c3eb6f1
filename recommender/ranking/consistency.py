"""Whether what pages sent on a day, or from one page, agrees with the rest of the log.

A forger wants links to be followed that readers do not follow. So what came on a day is compared
with what the rest of the log lets expect of the very lists that were shown: how many clicks, and on
which links, by how likely each is to be followed in its list. Where they differ by more than chance
and the faults of any model, the day weighs less, and in the end nothing: a trimmed likelihood
(Hadi & Luceno 1997, "Maximum trimmed likelihood estimators", Computational Statistics & Data
Analysis 25), whose trimmed parts are whole days, which are what a flood owns. Single pages are
compared before, lest a flood on one cost the others their day.

No list of attacks is known here: whatever makes lists worse has to be followed more often than it
is by readers, and so disagrees with them. What remains possible is to agree with them nearly.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recommender.clicks import position_bias
from recommender.clicks.choice_model import exposures_in
from recommender.clicks.influence import Evidence
from recommender.progress import Progress, Silent
from recommender.ragged import expand, find, ranks
from recommender.ranking.features import Asked
from recommender.ranking.time_splits import Splits
from recommender.store.counts import Log
from recommender.text.corpus import Links

# Weeks are judged by all others, a sixth of them at a time: forgeries of a week must not speak for
# each other. Not tuned.
WEEK_DAYS, N_FOLDS = 7, 6
# One round takes honest days of a short log for forged ones where it holds some; after two they
# count again, and the forged ones do not (a site of 14 honest days and five others).
N_ROUNDS = 2
# Clicks of the rest of the log from which on it can judge; with fewer the whole log judges. Not
# tuned: as many as learning takes.
MIN_CLICKS = 500
# Classes of links are the binary logarithm of their share of their list's expected clicks; the last
# one has all that are smaller.
N_CLASSES = 12
# The distance (total variation, 0 to 1) of clicks from what is expected, beyond chance, from which
# on they weigh less, and from which on nothing. Days of honest readers come to .00 at most on the
# sample site and on a simulated one of questions, days of the floods tried to .12 and more
# (benchmarks/README.md, "Attacks"); of a single page any model is less certain.
FAR_PAGE, FAR_DAY = (0.30, 0.45), (0.05, 0.12)
# The same for how many times more or fewer clicks than expected, as a binary logarithm.
TIMES_PAGE, TIMES_TARGET, TIMES_DAY = (2.0, 3.0), (0.7, 1.4), (1.0, 2.0)
# How many times as much as independent clicks those of visits may vary. Not tuned.
CHANCE = 1.5


def consistent(
    whole: Splits, evidence: Evidence, *, seed: int = 0, progress: Progress | None = None
) -> Evidence:
    """What pages sent, weighed by how far each page, target and day agrees with the rest of the
    log, whose splits have it as ``evidence`` weighs it. How places are examined is estimated of the
    rest too, with ``seed``: else whoever follows last links is excused by how often he does.

    In a second round the rest itself is as the first weighs it, so that forgeries of one week do
    not speak against honest days of another.
    """
    progress, found = progress or Silent(), evidence
    folds = np.unique(_fold_of(evidence.keys // evidence.n_pages)).tolist()
    if folds:
        progress.stage("comparing days", N_ROUNDS * len(folds))
    for _ in range(N_ROUNDS if folds else 0):
        # The splits have it weighed by volume already.
        trusted = one_vote(replace(found, volume=np.ones(len(found.keys))).weigh(whole.log))
        found = _compared(whole, trusted, evidence, folds, seed, progress)
    return found


def _compared(
    whole: Splits,
    trusted: Log,
    evidence: Evidence,
    folds: list[int],
    seed: int,
    progress: Progress,
) -> Evidence:
    """One round: each fold's pages, targets and days beside the others, ``trusted`` so far."""
    log = whole.log
    page, day = evidence.page.copy(), evidence.day.copy()
    fold = _fold_of(evidence.keys // evidence.n_pages)
    targets, target = [], []
    for number in folds:
        views, clicks = (
            live & (_fold_of(days) == number)
            for live, days in ((log.view_live, log.view_day), (log.click_live, log.click_day))
        )
        rest = trusted.weighed(
            (_fold_of(trusted.view_day) != number) | ~trusted.view_live,
            (_fold_of(trusted.click_day) != number) | ~trusted.click_live,
        )
        judge = whole
        if rest.n_clicks.sum() >= MIN_CLICKS:
            judge = whole.on(rest, position_bias.estimate(rest, seed=seed))
        found = _Compared(whole, _expected(judge), evidence, views, clicks)
        cells = fold == number
        page[cells], day[cells] = found.page[cells], found.day[cells]
        targets.append(found.target_keys)
        target.append(found.target)
        progress.advance()
    keys = np.concatenate(targets)
    order = np.argsort(keys)
    return replace(
        evidence, page=page, day=day, target_keys=keys[order], target=np.concatenate(target)[order]
    )


def one_vote(log: Log) -> Log:
    """The log in which no day has more views than the median one: of days that are to judge others
    each has one vote, however much came on it.
    """
    days, number = np.unique(log.view_day, return_inverse=True)
    total = np.bincount(number, weights=log.n_views)
    if not total.any():
        return log
    share = np.minimum(1.0, np.median(total[total > 0]) / np.maximum(total, 1e-12))
    place = np.minimum(np.searchsorted(days, log.click_day), len(days) - 1)
    clicks = np.where(days[place] == log.click_day, share[place], 1.0)
    return log.weighed(share[number], clicks)


def _fold_of(days: np.ndarray) -> np.ndarray:
    return days // WEEK_DAYS % N_FOLDS


class _Compared:
    """Rows of ``views`` and ``clicks`` beside the ``chance`` that each link is followed,
    ``(n_links,)``: what each ``page``, each ``target`` of ``target_keys`` and each ``day`` weighs.
    """

    def __init__(
        self,
        whole: Splits,
        chance: np.ndarray,
        evidence: Evidence,
        views: np.ndarray,
        clicks: np.ndarray,
    ) -> None:
        log, n = whole.log, evidence.n_pages
        size = len(evidence.keys) * N_CLASSES
        classes = _class_of(log, chance)
        rows = np.flatnonzero(views & (log.source[log.view_slate] >= 0))
        slate, day = log.view_slate[rows], log.view_day[rows].astype(np.int64)
        place = np.searchsorted(evidence.keys, day * n + log.source[slate])
        # Once for each slate, however many days it was seen on.
        of_slate = np.bincount(
            log.link_slate * N_CLASSES + classes,
            weights=chance,
            minlength=len(log.source) * N_CLASSES,
        ).reshape(-1, N_CLASSES)
        cell = (place[:, None] * N_CLASSES + np.arange(N_CLASSES)).ravel()
        due = np.bincount(
            cell, weights=(of_slate[slate] * log.n_views[rows, None]).ravel(), minlength=size
        ).reshape(-1, N_CLASSES)

        made = np.flatnonzero(clicks & (whole.of_link >= 0)[log.click_link])
        link, click_day = log.click_link[made], log.click_day[made].astype(np.int64)
        of_click = np.searchsorted(evidence.keys, click_day * n + log.link_source[link])
        cell = of_click * N_CLASSES + classes[link]

        def by_class(n_clicks: np.ndarray) -> np.ndarray:
            return np.bincount(cell, weights=n_clicks, minlength=size).reshape(-1, N_CLASSES)

        self.page = agreement(by_class(log.n_clicks[made]), due, far=FAR_PAGE, times=TIMES_PAGE)
        # What a page's flood claims of a target is gone before the target is asked for.
        n_clicks = log.n_clicks[made] * self.page[of_click]
        self.target_keys, number = np.unique(click_day * n + log.item[link], return_inverse=True)
        shown, of_row = expand(log.heads[slate], np.diff(log.heads)[slate])
        asked = find(self.target_keys, day[of_row] * n + log.item[shown])
        weight = log.n_views[rows] * self.page[place]
        use = asked >= 0
        # By target and page: one page may like what others do not, so the one where most clicks
        # come from is not asked.
        pairs, pair = np.unique(
            np.concatenate(
                [number * n + log.link_source[link], asked[use] * n + log.link_source[shown[use]]]
            ),
            return_inverse=True,
        )
        got, expected = (
            np.bincount(of, weights=weights, minlength=len(pairs))
            for of, weights in (
                (pair[: len(number)], n_clicks),
                (pair[len(number) :], (weight[of_row] * chance[shown])[use]),
            )
        )
        of_target = pairs // n
        others = ranks(of_target, got) > 1
        n_targets = len(self.target_keys)
        self.target = believed(
            np.bincount(of_target[others], weights=got[others], minlength=n_targets),
            np.bincount(of_target[others], weights=expected[others], minlength=n_targets),
        )
        n_clicks = n_clicks * self.target[number]

        _, of_day = np.unique(evidence.keys // n, return_inverse=True)
        n_days = int(of_day.max(initial=-1)) + 1

        def of_days(counts: np.ndarray) -> np.ndarray:
            whole = np.zeros((n_days, N_CLASSES))
            np.add.at(whole, of_day, counts)
            return whole

        self.day = agreement(
            of_days(by_class(n_clicks)),
            of_days(due * self.page[:, None]),
            far=FAR_DAY,
            times=TIMES_DAY,
        )[of_day]


def believed(got: np.ndarray, due: np.ndarray) -> np.ndarray:
    """What each of the clicks that targets ``got`` weighs where so many were ``due``, ``(n,)``:
    nothing is taken off up to the first of ``TIMES_TARGET``, and from the second on they count for
    as many as were due, neither for the target nor against it (a redescending estimate, Hampel et
    al. 1986, "Robust statistics").

    >>> believed(np.array([10.0, 1_000.0]), np.array([8.0, 10.0])).tolist()
    [1.0, 0.01]
    """
    times = np.log2(np.maximum((got + 1) / (due + CHANCE * np.sqrt(due) + 1), 1.0))
    free, none = TIMES_TARGET
    share = np.clip((none - times) / (none - free), 0.0, 1.0)
    return np.where(got > due, (due + (got - due) * share) / np.maximum(got, 1e-12), 1.0)


def agreement(
    got: np.ndarray, due: np.ndarray, *, far: tuple[float, float], times: tuple[float, float]
) -> np.ndarray:
    """What clicks ``got`` weigh beside those ``due``, both ``(n_units, n_classes)``: 1 where they
    agree, and 0 from the second of ``far`` and ``times`` on; ``(n_units,)``.

    >>> agreement(np.array([[9.0, 90.0]]), np.array([[80.0, 20.0]]), far=FAR_DAY, times=TIMES_DAY)
    array([0.])
    """
    n, whole = got.sum(axis=1), due.sum(axis=1)
    share = got / np.maximum(n, 1e-12)[:, None]
    expected = due / np.maximum(whole, 1e-12)[:, None]
    distance = np.abs(share - expected).sum(axis=1) / 2
    # The mean distance that chance makes of as many independent clicks.
    spread = np.sqrt(2 / np.pi * expected * (1 - expected) / np.maximum(n, 1e-12)[:, None])
    beyond = np.where(n > 0, distance - CHANCE * spread.sum(axis=1) / 2, 0.0)
    more, fewer = (
        (first + 1) / (second + 2 * CHANCE * np.sqrt(second) + 1)
        for first, second in ((n, whole), (whole, n + 1))
    )
    ratio = np.log2(np.maximum(np.maximum(more, fewer), 1.0))
    weight = np.ones(len(n))
    for value, (free, none) in ((beyond, far), (ratio, times)):
        weight = np.minimum(weight, np.clip((none - value) / (none - free), 0.0, 1.0))
    return weight


def _class_of(log: Log, chance: np.ndarray) -> np.ndarray:
    """The class of each link, by its share of its list's clicks, ``(n_links,)``."""
    of_slate = np.bincount(log.link_slate, weights=chance, minlength=len(log.source))
    share = chance / np.maximum(of_slate, 1e-300)[log.link_slate]
    return np.minimum(-np.log2(np.maximum(share, 1e-9)), N_CLASSES - 1).astype(np.int64)


def _expected(judge: Splits) -> np.ndarray:
    """The chance that each link is followed in one view, ``(n_links,)``, by all levels but the
    pair's own clicks, which are few where forgers choose; 0 for what teaches nothing.
    """
    history, pairs = judge.everything().history, judge.pairs
    ends = pairs.source, pairs.item.astype(np.int64)
    levels = Asked(Links(judge.corpus, *ends), judge.handpicked, history, False).levels
    score = np.sum([level for name, level in levels.items() if name != "pair"], axis=0)
    shown = exposures_in(judge.log, pairs, judge.of_link, judge.examined)
    shown = shown.weighed(score[shown.pair])
    level = shown.expected(score[shown.pair]) / shown.exposures / np.exp(score[shown.pair])
    # Of a page that was never shown, the level is the usual one.
    of_page = np.full(len(pairs.heads) - 1, np.median(level) if len(level) else 0.0)
    of_page[pairs.source[shown.pair]] = level
    rate = of_page[pairs.source] * np.exp(score)
    known = judge.of_link >= 0
    found = np.zeros(len(known))
    found[known] = rate[judge.of_link[known]] * judge.examined[known]
    return found
