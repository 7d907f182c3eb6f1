"""A new bundle goes live unless views new to both show that it is worse than the one that is.

A bundle that learned from a click puts it first, so neither may be judged by clicks it has seen.
What the live bundle has not seen, the new one has; so a second bundle is built, by the same rules,
from all but the later part of what is new to the live one, and on that part the two are compared.
If it is not worse, the one that was built from everything goes live.

Whoever sends views could feed the judge as well. So it sees what training counts and no more, and
views of several days; where there are too few it cannot judge, and a setting decides. And whatever
clicks say, a person is asked if more first links change than another setting allows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from recommender.bundle import activation, registry
from recommender.bundle.bundle import Bundle
from recommender.clicks.influence import weights_at
from recommender.errors import BundleError, CalibrationError
from recommender.evaluation import metrics
from recommender.evaluation.baselines import case_of, sizes_of
from recommender.evaluation.compare import changed_first
from recommender.evaluation.evaluate import end_of_data
from recommender.evaluation.offpolicy import lists_beside, numbered, too_little
from recommender.evaluation.offpolicy_estimators import (
    Interval,
    Matched,
    of_visits,
    position_based,
    snips,
    weight_of,
)
from recommender.events.event import DAY_MS, latest_at
from recommender.progress import Progress
from recommender.ragged import ranks
from recommender.store import impressions
from recommender.store.database import Store
from recommender.store.impressions import Impressions
from recommender.training.pipeline import Options, build
from recommender.training.work import Work

# Links of a list that count, as on the sites that the figures in benchmarks/README.md are of.
K = 10
# No more than the last days are judged by: tastes change. A week has every weekday; not tuned.
MAX_DAYS = 7
# ... and no fewer, by the calendar (UTC): one day is what one sender can own. Not tuned.
MIN_DAYS = 2
PROMOTE, HOLD = "promote", "hold"


@dataclass(frozen=True, slots=True)
class Rules:
    """What becomes of a bundle that nothing can judge, ``PROMOTE`` or ``HOLD``; and the share of
    pages, in hundredths, whose first link may change without a person being asked.
    """

    unjudged: str = PROMOTE
    max_changed: int = 100


@dataclass(frozen=True, slots=True)
class Promotion:
    """Whether the new bundle went live, and why, in a sentence."""

    promoted: bool
    sentence: str


def train_guarded(
    store: Store,
    models: Path,
    *,
    now: datetime,
    options: Options,
    rules: Rules | None = None,
    progress: Progress | None = None,
    work: Work | None = None,
) -> tuple[Bundle, Promotion]:
    """Build a bundle and make it live unless it is worse than the live one, or held by the
    ``rules``. The first goes live. ``work`` is that of ``build``.
    """
    options, rules = replace(options, activate=False), rules or Rules()
    new = build(store, models, now=now, options=options, progress=progress, work=work)
    live, fault = None, "no bundle was live"
    try:
        if registry.current(models) is not None:
            live = Bundle(registry.resolve(models))
    except BundleError as exc:
        fault = f"the live bundle was not sound: {exc}"
    if live is None:
        activation.activate(models, new.name)
        return new, Promotion(True, f"promoted: {fault}")
    worse, reason = _judged(store, new, live, now=now, options=options, progress=progress)
    changed = changed_first(live, new)
    reason += f"; the first link changes on {changed:.0%} of the pages".replace("%", " %")
    if worse:
        return new, Promotion(False, f"kept {live.name}: {reason}")
    how = f"see: recommender compare {live.name} {new.name}, and: recommender models activate"
    if worse is None and rules.unjudged == HOLD:
        return new, Promotion(False, f"held (RECOMMENDER_UNJUDGED): {reason}; {how}")
    # Without a page that both have nothing is known of it, and a person is asked.
    if not 100 * changed <= rules.max_changed:
        limit = f"more than RECOMMENDER_MAX_CHANGED, {rules.max_changed} %"
        return new, Promotion(False, f"held: {reason}, {limit}; {how}")
    activation.activate(models, new.name)
    how = " (RECOMMENDER_UNJUDGED)" if worse is None else ""
    return new, Promotion(True, f"promoted{how}: {reason}")


def _judged(
    store: Store,
    new: Bundle,
    live: Bundle,
    *,
    now: datetime,
    options: Options,
    progress: Progress | None,
) -> tuple[bool | None, str]:
    """Is the new bundle worse? None if nothing can tell. And how that is known."""
    views = impressions.read(
        store, after=end_of_data(live), latest=latest_at(now), caps=options.caps
    )
    log = counted(views, new)
    if options.until is not None:
        log = log.only(log.ts < options.until)
    cut = _cut(log.ts)
    if cut is None:
        return None, (
            f"cannot judge: that takes views new to both, which count, on {MIN_DAYS} days, and "
            "others before them that are new to the live bundle"
        )
    with TemporaryDirectory() as folder:
        before = replace(options, until=cut)
        tried = build(store, Path(folder), now=now, options=before, progress=progress)
        worse, reason = compare(tried, live, log.only(log.ts >= cut))
    return worse, f"{reason}, from {_day(cut)} on, that neither had learned from"


def counted(log: Impressions, bundle: Bundle) -> Impressions:
    """Views and clicks as they count in the training of a ``bundle``: of what weighs less, as many
    as it weighs, evenly drawn; and no click on what only a request brought onto a list.
    """
    weights = bundle.weights
    row = np.array([-1 if (at := bundle.lists.find(id)) is None else at for id in log.ids])
    days, size = log.ts // DAY_MS, len(bundle.lists.stub)
    page = row[log.source[log.slate]]
    cells = weights_at(weights.days * size + weights.pages, weights.weight, size, days, page)
    view, item = log.click_view, row[log.item[log.click_link]]
    targets = weights_at(
        weights.target_days * size + weights.targets, weights.target_weight, size, days[view], item
    )
    views = ~log.live | _evenly(days * (size + 1) + page, cells)
    clicks = ~log.brought[log.click_link]
    clicks &= ~log.live[view] | _evenly(days[view] * (size + 1) + item, targets)
    return log.only(views, clicks)


def _evenly(groups: np.ndarray, share: np.ndarray) -> np.ndarray:
    """A mask of the ``share`` of each group, all ``(n_rows,)``, systematically drawn."""
    _, group = np.unique(groups, return_inverse=True)
    nth = ranks(group, -np.arange(len(group), dtype=np.float64))
    return np.floor(nth * share + 1e-9) > np.floor((nth - 1) * share + 1e-9)


def compare(new: Bundle, live: Bundle, log: Impressions) -> tuple[bool, str]:
    """Is ``new`` worse, by the views of a log? And how that is known."""
    n_clicked = len(log.followed().slate)
    if n_clicked == 0:
        return False, "nothing speaks against it, as the log has no clicked view"
    gains = {f"nDCG@{K}": _order(new, live, log)}
    randomised = log.randomised
    log = log.views_of(randomised if randomised[log.slate].any() else log.ordered)
    if len(log.slate) and (won := _lists(new, live, log)) is not None:
        gains["clicks a view"] = won
    worse = {name: gain for name, gain in gains.items() if gain.high < 0}
    figures = ", ".join(
        f"{name} {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
        for name, gain in (worse or gains).items()
    )
    verdict = "the new one is worse" if worse else "it is not worse"
    if not worse and any(gain.low > 0 for gain in gains.values()):
        verdict = "it is better"
    places = "" if len(_examined(live)) > 1 else ", all places taken to be examined alike"
    return bool(worse), f"{verdict}, {figures} on {n_clicked:,} clicked views{places}"


def _order(new: Bundle, live: Bundle, log: Impressions) -> Interval:
    """By how much the new bundle's order of the links shown is better. Each click weighs one over
    the examination of its place, or the order that was shown would have the places on its side.
    """
    found = []
    for bundle in (new, live):
        case = case_of(bundle, log)
        tie = np.random.default_rng(0).random(len(case.link))
        ranks = case.ranks(case.of_links(case.score), tie)
        views = case.views
        found.append(metrics.ndcg(ranks, views.click_view, sizes_of(case.slate, views), k=K))
    weight = metrics.view_weights(views, _examined(live)[None])
    gain = (found[0] - found[1]) * weight
    return of_visits(
        np.bincount(views.session, weights=gain), np.bincount(views.session, weights=weight)
    )


def _lists(new: Bundle, live: Bundle, log: Impressions) -> Interval | None:
    """By how many clicks a view the new bundle's lists are better, None if too little shows it: by
    chances if it may, else by places.
    """
    shown = [
        Matched.of(log, numbered(log, lists_beside(log, bundle, K)[0], K)) for bundle in (new, live)
    ]
    terms = [snips(each) for each in shown]
    if not any(
        too_little(each, term, weight_of(each)) for each, term in zip(shown, terms, strict=True)
    ):
        return (terms[0] - terms[1]).interval(log)
    examined = _examined(live)[None].repeat(max(1, len(log.layouts)), axis=0)
    found = [position_based(each, examined) for each in shown]
    if any(too_little(each, *its) for each, its in zip(shown, found, strict=True)):
        return None
    return (found[0][0] - found[1][0]).interval(log)


def _examined(bundle: Bundle) -> np.ndarray:
    """By place from 0, ``(n_places,)``; all alike if the bundle has no estimate."""
    try:
        seen: np.ndarray = bundle.calibration.examination()[1:]
    except CalibrationError:
        return np.ones(1)
    return seen


def _cut(ts: np.ndarray) -> int | None:
    """The beginning of the day, from which on views at ``ts``, ``(n_views,)``, ascending, are
    judged by: the later half of them, but ``MIN_DAYS`` at least and ``MAX_DAYS`` at most. None if
    no view would be left to learn from, or too few days to judge by.
    """
    days = np.unique(ts // DAY_MS)
    if len(days) < MIN_DAYS + 1:
        return None
    half = ts[len(ts) // 2] // DAY_MS
    first = int(np.clip(half, days[-1] - MAX_DAYS + 1, days[-MIN_DAYS]))
    return max(first, int(days[1])) * DAY_MS


def _day(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment / 1000, tz=UTC):%Y-%m-%d %H:%M}"
