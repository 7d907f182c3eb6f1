"""What a bundle's lists, or any others, would win if they were shown: estimated before serving.

Every view whose links stood at their places by a known chance is evidence on lists that were not
shown (``offpolicy_estimators``). An estimate that rests on too little is not given, and the table
has the reason. Judged are the best lists; what a site wins while it explores is a little less.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.bundle.bundle import Bundle
from recommender.candidates import EMPTY
from recommender.errors import CalibrationError, EvaluationError
from recommender.evaluation.given_lists import Lists
from recommender.evaluation.offpolicy_estimators import (
    Interval,
    Matched,
    Terms,
    Weight,
    doubly_robust,
    ips,
    logged_policy,
    position_based,
    snips,
    weight_of,
)
from recommender.evaluation.report.picture import Picture, Row, intervals
from recommender.evaluation.report.text import span
from recommender.store.impressions import Impressions

if TYPE_CHECKING:
    import pandas as pd

# What an estimate must rest on, or it is not given: the effective sample, in views and in clicks.
# From here on intervals hold in simulations (benchmarks/README, "Off-policy").
MIN_EFFECTIVE, MIN_CLICKS = 100.0, 20
# The share of the candidate's places that the log may have no view of, and up to which share the
# summary does not mention it. Not tuned.
MAX_UNSUPPORTED, MENTIONED = 0.2, 0.01
IPS, SNIPS, DR, PBM = "IPS", "self-normalised IPS", "doubly robust", "position-based"
# The verdict is that of the first of these that is given. Doubly robust is given where
# self-normalised IPS is, and no tighter: .993 to 1.00 of its spread (benchmarks, "Off-policy").
PREFERRED = (SNIPS, PBM)
POSITIONS = (
    "right if a link is as attractive at every place and places are examined as the bundle "
    "estimates; the interval leaves out how sure that is"
)
UNIDENTIFIED = "but the bundle's log does not identify the examination of positions"
REFUSED = "not given: "
UNLOGGED = "no view in the log has the chances of its links"
COLUMNS = (
    "estimate", "low", "high", "gain", "gain low", "gain high", "effective sample", "top 1 %",
    "unsupported", "depends on model", "summary",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class OffPolicy:
    """What came of it. ``table`` has a row for each estimator: the clicks a page view that the
    candidate's lists would win, ``estimate``, with a 95 % interval ``low`` to ``high``; ``gain``,
    by how much that is more than what was shown won, paired, with its interval; how many views of
    the candidate's own lists would be as informative, ``effective sample``; the share of the weight
    in the heaviest hundredth, ``top 1 %``; the share of the candidate's places that the log has no
    view of, ``unsupported``; whether it ``depends on model``; and a ``summary`` in words. An
    estimate that is refused is NaN. ``logged`` is what was won by what was shown.
    """

    table: pd.DataFrame
    logged: Interval
    notes: list[str]
    candidate: str
    n_views: int
    n_sessions: int

    @property
    def best(self) -> str | None:
        """The estimator that the verdict rests on, None if all are refused."""
        sure = ~self.table["summary"].str.contains(UNIDENTIFIED, regex=False)
        given = self.table.index[self.table["estimate"].notna() & sure]
        return next((name for name in PREFERRED if name in given), None)

    @property
    def verdict(self) -> str:
        """One sentence for who reads one sentence."""
        name = self.best
        if name is None:
            reason = self.table.loc[SNIPS, "summary"].removeprefix(REFUSED)
            guess = self.table.loc[PBM, "estimate"]
            if not np.isnan(guess):
                reason += f"; {guess:.3f} clicks a page view is a guess, {UNIDENTIFIED[4:]}"
            return f"The log gives no estimate of what {self.candidate} would win: {reason}."
        row = self.table.loc[name]
        gain, low, high = row["gain"], row["gain low"], row["gain high"]
        if low > 0 or high < 0:
            least, most = sorted((abs(low), abs(high)))
            more = "more" if low > 0 else "fewer"
            gained = f"{abs(gain):.3f} {more} than what was shown ({least:.3f} to {most:.3f})"
        else:
            gained = f"no clear difference to what was shown ({low:+.3f} to {high:+.3f})"
        rests = ", if the model of positions is right" if name == PBM else ""
        name_of = self.candidate[0].upper() + self.candidate[1:]
        return (
            f"{name_of} would win {row['estimate']:.3f} clicks a page view "
            f"({row['low']:.3f} to {row['high']:.3f}), {gained}{rests}; {name}, 95 % intervals."
        )

    def to_dict(self) -> dict[str, Any]:
        """For programs; a refused estimate is null."""
        rows = json.loads(self.table.to_json(orient="index", double_precision=12))
        logged = {name: getattr(self.logged, name) for name in Interval.__slots__}
        about = {"candidate": self.candidate, "views": self.n_views, "sessions": self.n_sessions}
        about |= {"verdict": self.verdict, "logged": logged, "estimators": rows}
        return {**about, "notes": self.notes}

    def plot(self) -> Picture:
        """Each estimate with its interval, beside what was shown (dashed); hollow: depends on a
        model.
        """
        rows = []
        for name, row in self.table.iterrows():
            mean, low, high = (float(row[part]) for part in ("estimate", "low", "high"))
            figures = "not given" if np.isnan(mean) else span(mean, low, high)
            mark = "ring" if row["depends on model"] else "disc"
            rows.append(Row(str(name), mean, low, high, figures, mark, own=name == self.best))
        most = 1.05 * max([self.logged.high, *self.table["high"].dropna()]) or 1.0
        return intervals(rows, most=most, beside=self.logged.value)

    def _repr_html_(self) -> str:
        table = self.table.to_html(float_format=lambda value: f"{value:.3f}", border=0)
        return f"<p><b>{html.escape(self.verdict)}</b></p>{table}"


def estimate(
    log: Impressions, candidate: Bundle | Lists, *, k: int, model: Bundle | None
) -> OffPolicy:
    """Judge the candidate's first ``k`` links by a log. ``EvaluationError`` if there is no view."""
    import pandas as pd

    log, notes = usable(log)
    randomised = bool(log.randomised[log.slate].any())
    lists, beside = lists_beside(log, candidate, k)
    wanted = numbered(log, lists, k)
    listed = (wanted != EMPTY).any(axis=1)[log.source]
    if alone := int((~listed[log.slate]).sum()):
        notes.append(f"{alone:,} views are left out: the candidate has no list for their page.")
        log = log.views_of(listed)
    if len(log.slate) == 0:
        missing = "no view in the log shows what the candidate's lists would have won"
        raise EvaluationError(": ".join([missing, *(note.removesuffix(".") for note in notes[:1])]))
    name = candidate.name if isinstance(candidate, Bundle) else "the lists given"
    shown = Matched.of(log, wanted)
    was = logged_policy(shown)
    rows = _rows(shown, was, model_of(log, lists, k, model or candidate), randomised)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS)
    notes = [
        f"Estimates are clicks a page view in the first {k} places, beside the articles of "
        f"{len(log.slate):,} views in {log.n_sessions:,} visits; a list is as long as the page "
        "had room for.",
        "Judged is the best list of each page, without the slates that explore.",
        *beside,
        *notes,
    ]
    return OffPolicy(
        table.rename_axis("estimator"), was.interval(log, least=0.0), notes, name,
        len(log.slate), log.n_sessions,
    )  # fmt: skip


def usable(log: Impressions) -> tuple[Impressions, list[str]]:
    """The views whose positions are known, and of these those whose chances are, if any are; with
    notes on what is left out.
    """
    notes = []
    if unordered := int((~log.ordered[log.slate]).sum()):
        notes.append(f"{unordered:,} views are left out: the positions of their links are unknown.")
        log = log.views_of(log.ordered)
    randomised = log.randomised
    unknown = int((~randomised[log.slate]).sum())
    if unknown and randomised[log.slate].any():
        notes.append(f"{unknown:,} views are left out: the chances of their links are not logged.")
        log = log.views_of(randomised)
    return log, notes


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """By how many clicks a page view one candidate's lists would win more than another's, both
    estimated from the same views: ``old``, ``new`` and ``gain``, new less old, each with its
    interval, by an ``estimator``. If the log does not support it they are NaN, and ``reason`` is a
    sentence without capital or full stop.
    """

    estimator: str
    old: Interval
    new: Interval
    gain: Interval
    reason: str
    notes: list[str]
    n_views: int
    n_sessions: int

    def to_dict(self) -> dict[str, Any]:
        """For programs; a figure that is refused is null."""
        found: dict[str, Any] = {
            name: {part: _known(getattr(getattr(self, name), part)) for part in Interval.__slots__}
            for name in ("old", "new", "gain")
        }
        about = {"estimator": self.estimator, "reason": self.reason, "notes": self.notes}
        return {**about, **found, "views": self.n_views, "sessions": self.n_sessions}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def difference(
    log: Impressions,
    old: Bundle | Lists,
    new: Bundle | Lists,
    *,
    k: int,
    names: tuple[str, str] = ("the old lists", "the new lists"),
) -> Difference:
    """Judge the first ``k`` links of two candidates by the same views, those of pages for which
    both have a list. Of the estimators the first that the log supports for both is taken, without
    one that depends on a model of clicks; ``names`` are what notes and reasons call the two.
    """
    log, notes = usable(log)
    is_placed = len(log.slate) > 0
    sides = [lists_beside(log, each, k) for each in (old, new)]
    wanted = [numbered(log, lists, k) for lists, _ in sides]
    both = np.logical_and(*((each != EMPTY).any(axis=1)[log.source] for each in wanted))
    if alone := int((~both[log.slate]).sum()):
        notes.append(f"{alone:,} views are left out: one of the two has no list for their page.")
        log = log.views_of(both)
    notes += [
        f"{name}: {note}" for name, (_, more) in zip(names, sides, strict=True) for note in more
    ]
    nothing = Interval(np.nan, np.nan, np.nan)
    refused = Difference(
        "", nothing, nothing, nothing, "no view in the log has a page of which both have a list"
        if is_placed
        else "of no view in the log the positions of links are known",
        notes, len(log.slate), log.n_sessions,
    )  # fmt: skip
    if len(log.slate) == 0:
        return refused
    shown = [Matched.of(log, each) for each in wanted]
    reasons = []
    if log.randomised[log.slate].any():
        estimates = [(snips(each), weight_of(each)) for each in shown]
        reason = _against(shown, estimates, names)
        if not reason:
            return _of_terms(refused, SNIPS, log, [terms for terms, _ in estimates])
        reasons.append(f"{SNIPS}: {reason}")
    else:
        reasons.append(UNLOGGED)
    examined = examined_by(log, (new, old))
    if examined is None:
        reasons.append(f"{PBM}: no bundle here has identified how positions are examined")
    else:
        estimates = [position_based(each, examined) for each in shown]
        reason = _against(shown, estimates, names)
        if not reason:
            notes.append(f"The {PBM} estimate is {POSITIONS}.")
            return _of_terms(refused, PBM, log, [terms for terms, _ in estimates])
        reasons.append(f"{PBM}: {reason}")
    return replace(refused, reason="; ".join(reasons))


def _against(
    shown: list[Matched], estimates: list[tuple[Terms, Weight]], names: tuple[str, str]
) -> str:
    """Why a difference is not given, empty if it is."""
    for each, its, name in zip(shown, estimates, names, strict=True):
        if reason := too_little(each, *its):
            return reason.replace("the candidate", name)
    return ""


def _of_terms(empty: Difference, name: str, log: Impressions, terms: list[Terms]) -> Difference:
    old, new = (each.interval(log, least=0.0) for each in terms)
    gain = (terms[1] - terms[0]).interval(log)
    return replace(empty, estimator=name, old=old, new=new, gain=gain, reason="")


def examined_by(log: Impressions, sides: Sequence[Bundle | Lists]) -> np.ndarray | None:
    """How likely each place is examined, ``(n_layouts, n_places)``, by the first of the bundles
    whose log identifies it; None if none does.
    """
    for side in sides:
        if not isinstance(side, Bundle):
            continue
        about = side.about.examination
        if not (about.identified or any(each.identified for each in about.layouts)):
            continue
        try:
            calibration = side.calibration
        except CalibrationError:
            continue
        layouts = log.layouts or [""]
        return np.array([calibration.examination(layout)[1:] for layout in layouts])
    return None


def _rows(shown: Matched, was: Terms, model: Model, randomised: bool) -> dict[str, tuple[Any, ...]]:
    """The table, row by row."""
    unknown = "" if randomised else UNLOGGED
    nothing = Weight(np.nan, np.nan, np.nan)
    weight = weight_of(shown) if randomised else nothing
    lacking = weight.unsupported > MENTIONED
    share = _percent(weight.unsupported)
    rest = f"{share} of the places without support count as " if lacking else ""
    rows = {
        IPS: (ips(shown), weight, unknown, rest and f"{rest}nothing", False),
        SNIPS: (snips(shown), weight, unknown, rest and f"{rest}the others", False),
    }
    if model.chance is None or model.examined is None:
        none = logged_policy(shown)
        rows[DR] = none, weight, unknown or model.reason, "", True
        rows[PBM] = none, nothing, model.reason, "", True
    else:
        terms = doubly_robust(shown, model.chance, model.examined)
        rest = f"of {share} of the places only the model decides" if lacking else ""
        rows[DR] = terms, weight, unknown, rest, lacking
        summary = "; ".join(filter(None, (POSITIONS, model.caveat)))
        rows[PBM] = *position_based(shown, model.examined), "", summary, True
    return {name: _row(shown, was, *row) for name, row in rows.items()}


def _row(
    shown: Matched, was: Terms, terms: Terms, weight: Weight, reason: str, summary: str,
    depends: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """An estimate is given if there is no ``reason`` against it and it rests on enough."""
    figures = [np.nan] * 6
    if not (reason := reason or too_little(shown, terms, weight)):
        won, gain = terms.interval(shown.log, least=0.0), (terms - was).interval(shown.log)
        figures = [won.value, won.low, won.high, gain.value, gain.low, gain.high]
    summary = REFUSED + reason if reason else summary
    return (*figures, weight.effective, weight.top, weight.unsupported, depends, summary)


def too_little(shown: Matched, terms: Terms, weight: Weight) -> str:
    """Why an estimate is not given, empty if it is."""
    if weight.effective < MIN_EFFECTIVE:
        return (
            f"the log is as informative as {weight.effective:,.0f} views of the candidate's lists; "
            f"{MIN_EFFECTIVE:,.0f} is the least"
        )
    if weight.unsupported > MAX_UNSUPPORTED:
        return (
            f"of {_percent(weight.unsupported)} of the candidate's places the log has no view; "
            f"{_percent(MAX_UNSUPPORTED)} is the most allowed"
        )
    # Of few views of the candidate's lists few are followed, however many clicks on common links
    # have a weight: as many as what was shown would win in as many views, or what is estimated.
    rate = max(terms.mean(shown.log), len(shown.log.click_link) / len(shown.log.slate))
    clicks = min(int(shown.clicks[terms.link > 0].sum()), int(weight.effective * rate))
    if clicks < MIN_CLICKS:
        return f"{clicks:,} clicks bear on the candidate's lists; {MIN_CLICKS} is the least"
    return ""


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What a bundle predicts of wanted links: ``chance``, ``(n_ids, k)``, of being followed if
    examined, and ``examined``, ``(n_layouts, n_places)``. None where there is a ``reason``.
    """

    chance: np.ndarray | None = None
    examined: np.ndarray | None = None
    reason: str = "lists alone have no model; give a bundle as model"
    caveat: str = ""


def model_of(log: Impressions, lists: Lists, k: int, bundle: Bundle | Lists) -> Model:
    """The bundle's chances of the lists' links, and of the places."""
    if not isinstance(bundle, Bundle):
        return Model()
    try:
        calibration = bundle.calibration
    except CalibrationError as exc:
        return Model(reason=str(exc))
    examined = np.array([calibration.examination(layout)[1:] for layout in log.layouts])
    chance = np.zeros((len(log.ids), k))
    known = bundle.lists
    pairs = [
        (at, place, source, item)
        for at, id in enumerate(log.ids)
        if id in lists and (source := known.row(id)) is not None
        for place, link in enumerate(lists[id][:k])
        if (item := known.find(link)) is not None
    ]
    if pairs:
        at, place, sources, items = np.array(sorted(pairs, key=lambda pair: pair[2])).T
        chance[at, place] = calibration.chance(sources, bundle.score_rows(sources, items))
    about = bundle.about.examination
    identified = about.identified or any(each.identified for each in about.layouts)
    caveat = "" if identified else UNIDENTIFIED
    return Model(chance, examined, "", caveat)


def lists_beside(log: Impressions, candidate: Bundle | Lists, k: int) -> tuple[Lists, list[str]]:
    """The candidate's list beside every page of the log, and notes on them."""
    if not isinstance(candidate, Bundle):
        return candidate, []
    shelf, found, unknown = candidate.lists, {}, set()
    for number in np.unique(log.source[log.slate]).tolist():
        id = log.ids[number]
        row = shelf.row(id)
        if row is None:
            unknown.add(number)
        placed = shelf.composed(row, k=k, rules=candidate.rules, now=candidate.now)
        found[id] = [shelf.id_of(each.row) for each in placed]
    strange = int(np.isin(log.source[log.slate], list(unknown)).sum())
    note = (
        f"{strange:,} views are of pages the bundle does not know, where it shows what is popular."
    )
    return found, [note] if strange else []


def numbered(log: Impressions, lists: Lists, k: int) -> np.ndarray:
    """Lists as the log's numbers, ``(n_ids, k)``; an article that stands in no slate of the log has
    one that nothing has.
    """
    number = {id: at for at, id in enumerate(log.ids)}
    wanted = np.full((len(log.ids), k), EMPTY, dtype=np.int32)
    for at, id in enumerate(log.ids):
        links = [number.get(link, len(number)) for link in lists.get(id, ())][:k]
        wanted[at, : len(links)] = links
    return wanted
