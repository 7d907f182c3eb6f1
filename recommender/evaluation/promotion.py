"""A new bundle goes live unless views new to both show that it is worse than the one that is.

A bundle that learned from a click puts it first, so neither may be judged by clicks it has seen.
What the live bundle has not seen, the new one has; so a second bundle is built, by the same rules,
from all but the later half of what is new to the live one, and on that half the two are compared.
If it is not worse, the one that was built from everything goes live.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import sqlalchemy as sql

from recommender.bundle import registry
from recommender.bundle.bundle import Bundle
from recommender.clicks.position_bias import click_weights
from recommender.errors import BundleError, CalibrationError
from recommender.evaluation import metrics
from recommender.evaluation.baselines import case_of
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
from recommender.events.event import DAY_MS
from recommender.progress import Progress
from recommender.store import impressions
from recommender.store.click_filters import Caps
from recommender.store.database import Store
from recommender.store.impressions import Impressions
from recommender.training.pipeline import Options, build

# Links of a list that count, as on the sites that the figures in benchmarks/README.md are of.
K = 10
# No more than the last days are judged by: tastes change. A week has every weekday; not tuned.
MAX_DAYS = 7
NEW = "SELECT COUNT(*) AS n, MAX(ts) AS last FROM views WHERE ts > :after AND ts < :until"
MIDDLE = """
    SELECT ts FROM views WHERE ts > :after AND ts < :until ORDER BY ts LIMIT 1 OFFSET :half
"""


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
    progress: Progress | None = None,
) -> tuple[Bundle, Promotion]:
    """Build a bundle and make it live unless it is worse than the live one. The first goes live."""
    options = replace(options, activate=False)
    new = build(store, models, now=now, options=options, progress=progress)
    live, fault = None, "no bundle was live"
    try:
        if registry.current(models) is not None:
            live = Bundle(registry.resolve(models))
    except BundleError as exc:
        fault = f"the live bundle was not sound: {exc}"
    if live is None:
        registry.activate(models, new.name)
        return new, Promotion(True, f"promoted: {fault}")
    cut = _cut(store, end_of_data(live), options.until)
    if cut is None:
        # Both have seen all there is, so both are flattered alike; what is broken still shows.
        worse, reason = compare(new, live, store, after=-1, caps=options.caps)
        reason += ", all of which both learned from"
    else:
        with TemporaryDirectory() as folder:
            before = replace(options, until=cut)
            tried = build(store, Path(folder), now=now, options=before, progress=progress)
            worse, reason = compare(tried, live, store, after=cut - 1, caps=options.caps)
        reason += f", from {_day(cut)} on, that neither had learned from"
    if worse:
        return new, Promotion(False, f"kept {live.name}: {reason}")
    registry.activate(models, new.name)
    return new, Promotion(True, f"promoted: {reason}")


def compare(new: Bundle, live: Bundle, store: Store, *, after: int, caps: Caps) -> tuple[bool, str]:
    """Is ``new`` worse, by views later than ``after``? And how that is known."""
    log = impressions.read(store, after=after, caps=caps)
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
        found.append(metrics.ndcg(ranks, views.click_view, views.size[views.slate], k=K))
    of_place = click_weights(_examined(live))
    each = of_place[np.minimum(views.place[views.click_link], len(of_place) - 1)]
    each = np.where(views.ordered[views.slate[views.click_view]], each, 1.0)
    weight = np.bincount(views.click_view, weights=each) / np.bincount(views.click_view)
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


def _cut(store: Store, after: int, until: int | None) -> int | None:
    """The moment from which on views are judged by; None if none is new."""
    limit = {"after": after, "until": until if until is not None else np.iinfo(np.int64).max}
    with store.reading() as connection:
        n, last = connection.execute(sql.text(NEW), limit).one()
        if not n:
            return None
        middle = connection.scalar(sql.text(MIDDLE), {**limit, "half": n // 2})
    return max(int(middle or 0), int(last) - MAX_DAYS * DAY_MS)


def _day(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment / 1000, tz=UTC):%Y-%m-%d %H:%M}"
