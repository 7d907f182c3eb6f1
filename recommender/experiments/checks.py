"""Whether an experiment may be trusted, and whether an arm does harm that clicks do not show.

>>> drawn_anew(np.tile(np.full(100, 5.0), (24, 1))).holds
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from recommender.candidates import MIN_LINKS
from recommender.events.slate_token import N_VARIANTS
from recommender.experiments.counting import Seen, Shares, Trial, by_variant, made_to_order
from recommender.experiments.sequential import log_bayes_factor, p_value
from recommender.lists.arms import INTERLEAVED, Experiment

# A mismatch of shares at this level, over arms and variants together, and the figures are not to be
# trusted: far below 5 %, since a false alarm costs the whole experiment.
MISMATCH = 0.01
# How many standard errors variants must be spread beyond chance, in any of three ways, before views
# are taken to share them; looks every day for years do not get there by chance.
SPREAD = 5.0
# From so much larger a variance on it is spoken of, and intervals are widened. Not tuned.
MENTIONED = 1.02
# The chance that two views of a visit, one after the other, draw one variant, if they draw anew.
BY_CHANCE = 1 / N_VARIANTS
# The share of views whose visit must be known for visits to stand in their place.
KNOWN_VISITS = 0.95
# A guardrail's level, shared by all of an arm's.
GUARD = 0.01
# How near the published shares those are that a guardrail looks for, as ``CONCENTRATION`` is for
# shares of arms: as if ten views with it had been seen. Harm is mostly all in one arm. Not tuned.
HARM = 10.0
# Answers that take longer than this, in seconds, are slow. Not tuned; the server takes a hundredth
# of it.
SLOW = 0.1
# In the place of an endless number of seconds, which JSON does not know.
BEYOND = -1.0
# The share of views from a bundle that no arm shows, from which on nobody knows what was compared.
STRANGE = 0.01


@dataclass(frozen=True, slots=True)
class Drawing:
    """How variants were drawn. By hour, by day and altogether: the variance of the counts of the
    hundred variants over what it is if every view draws anew, ``spread``; that is also how many
    views share a variant, weighed by themselves. ``steps`` from view to view of a visit, of which
    ``same`` kept the variant; None where no visit is known.
    """

    by_hour: float
    by_day: float
    altogether: float
    holds: bool
    steps: int = 0
    same: int = 0
    keeps: bool = False

    @property
    def inflated(self) -> float:
        """By how much variances are at most larger than if every view drew anew."""
        return 1.0 if self.holds else max(1.0, self.by_hour, self.by_day)

    @property
    def beyond_visits(self) -> float:
        """The same where visits stand in the place of views: readers who come back on a day."""
        return 1.0 if self.holds else max(1.0, self.by_day / max(self.by_hour, 1.0))


class Guardrail(NamedTuple):
    """A figure that must not get worse by more than ``limit``: the share of a ``noun`` that ``has``
    something, a verb and what follows.
    """

    name: str
    noun: str
    has: str
    limit: float

    @property
    def what(self) -> str:
        return f"{self.noun} that {self.has}"


SHORT = Guardrail("short lists", "page views", f"have fewer than {MIN_LINKS} links", 0.01)
FALLBACK = Guardrail("fallback links", "page views", "have a link that only fills up", 0.05)
DOUBTFUL = Guardrail("doubtful clicks", "clicks", "are doubtful and left out", 0.02)
SLOW_ANSWERS = Guardrail("slow answers", "answers", f"took longer than {SLOW:g} s", 0.01)
GUARDRAILS = (SHORT, FALLBACK, DOUBTFUL, SLOW_ANSWERS)


def drawing(shares: Shares) -> Drawing:
    """How the variants of an experiment were drawn."""
    known = shares.variant >= 0
    hours, hour = np.unique(shares.hour[known], return_inverse=True)
    cells = hour * N_VARIANTS + shares.variant[known]
    counts = np.bincount(cells, weights=shares.n[known], minlength=len(hours) * N_VARIANTS)
    found = drawn_anew(counts.reshape(len(hours), N_VARIANTS), hours // 24)
    keeps = shares.same > 2 * BY_CHANCE * shares.steps and bool(
        log_bayes_factor(
            np.array([shares.same, shares.steps - shares.same]),
            np.array([BY_CHANCE, 1 - BY_CHANCE]),
        )
        > np.log(1 / MISMATCH)
    )
    return Drawing(
        found.by_hour, found.by_day, found.altogether, found.holds and not keeps,
        shares.steps, shares.same, keeps,
    )  # fmt: skip


def drawn_anew(counts: np.ndarray, day: np.ndarray | None = None) -> Drawing:
    """Whether counts of variants by hour, ``(n_hours, 100)``, vary as if every view drew its own;
    ``day`` is that of each hour, ``(n_hours,)``, by default one in twenty-four.
    """
    day = np.arange(len(counts)) // 24 if day is None else day
    _, day = np.unique(day, return_inverse=True)
    days = np.zeros((int(day.max(initial=-1)) + 1, counts.shape[1]))
    np.add.at(days, day, counts)
    found = [_spread(each) for each in (counts, days, counts.sum(axis=0, keepdims=True))]
    (by_hour, sure), (by_day, sure_by_day), (altogether, _) = found
    holds = not (sure and by_hour > MENTIONED) and not (sure_by_day and by_day > MENTIONED)
    return Drawing(by_hour, by_day, altogether, holds)


def _spread(counts: np.ndarray) -> tuple[float, bool]:
    """Pearson's statistic over its degrees of freedom, and whether that is surely more than 1."""
    n = counts.sum(axis=1)
    counts, n = counts[n > 0], n[n > 0]
    if len(n) == 0:
        return 1.0, False
    cells = counts.shape[1]
    expected = (n / cells)[:, None]
    statistic = float(((counts - expected) ** 2 / expected).sum())
    freedom = (cells - 1) * len(n)
    # Of so few views by so many variants the statistic varies a little less than chi-squared.
    variance = 2 * freedom * float((1 - 1 / n).mean())
    sure = variance > 0 and (statistic - freedom) / np.sqrt(variance) > SPREAD
    return statistic / freedom, bool(sure)


def mismatch(trial: Trial, drawn: Drawing) -> dict[str, Any]:
    """Whether the arms, and the hundred variants, were seen as often as the published table has
    them: always-valid p-values of both, the smaller of them doubled as ``p``, and of each arm its
    share. Where views share variants, counts are taken for that many fewer.
    """
    shares, experiment = trial.shares, trial.experiment
    fewer = drawn.inflated
    variants = by_variant(shares)
    p_variants = _p(variants[None] / fewer, np.full(N_VARIANTS, 1 / N_VARIANTS))
    found: dict[str, Any] = {"arms": [], "p arms": None}
    ps = [p_variants]
    if experiment.kind != INTERLEAVED:
        published = np.array([arm.n_variants / N_VARIANTS for arm in experiment.arms])
        number = {arm.name: at for at, arm in enumerate(experiment.arms)}
        arm = np.array([number.get(label, -1) for label in trial.seen.labels], dtype=np.int64)
        at = arm[shares.label] if len(shares.label) else np.zeros(0, dtype=np.int64)
        counts = np.bincount(at[at >= 0], weights=shares.n[at >= 0], minlength=len(published))
        p_arms = _p(counts[None] / fewer, published)
        ps.append(p_arms)
        found["p arms"] = p_arms
        total = max(counts.sum(), 1)
        found["arms"] = [
            {
                "arm": each.name,
                "views": int(n),
                "share": float(n / total),
                "published": float(share),
            }
            for each, n, share in zip(experiment.arms, counts, published, strict=True)
        ]
    p = min(1.0, len(ps) * min(ps))
    worst = int(np.abs(variants - variants.mean()).argmax())
    return found | {
        "p variants": p_variants, "p": p, "found": bool(p < MISMATCH), "level": MISMATCH,
        "views": int(variants.sum()), "most deviating variant": worst,
        "its views": int(variants[worst]),
    }  # fmt: skip


def _p(counts: np.ndarray, shares: np.ndarray) -> float:
    return float(p_value(counts, shares)[-1]) if counts.sum() else 1.0


class _Counted(NamedTuple):
    """By arm: how many of ``n`` have it, ``(n_arms,)`` each, how many ``together`` at a time, and
    the part of it that an arm has if it is no worse, ``(n_arms,)``.
    """

    events: np.ndarray
    n: np.ndarray
    together: float
    due: np.ndarray


def guardrails(trial: Trial, arm_of: np.ndarray, drawn: Drawing) -> list[dict[str, Any]]:
    """Each guardrail of each arm beside the control's; ``arm_of`` is the arm of each label, -1 for
    none, ``(n_labels,)``. An interleaved experiment has one row each, with nothing beside it.

    A figure is ``worse`` if the arm surely has more of it, ``broken`` if besides it is beyond the
    limit. Of views with it, an arm has its published share if it is no worse (as shares of arms
    are tested); of doubtful clicks, its part of the clicks. Where views share variants, or clicks a
    view, counts are taken for that many fewer.
    """
    experiment = trial.experiment
    counted = {each: _counts(each, trial, arm_of) for each in GUARDRAILS}
    rows: list[dict[str, Any]] = []
    arms = [experiment.name] if experiment.kind == INTERLEAVED else _names(experiment)
    for each, found in counted.items():
        for at, name in enumerate(arms):
            n = int(found.n[at])
            row = {"guardrail": each.name, "of": each.what, "noun": each.noun, "has": each.has,
                   "arm": name, "value": float(found.events[at] / n) if n else None,
                   "n": n, "control": None, "limit": each.limit, "p": None,
                   "status": "control" if len(arms) > 1 else "shown"}  # fmt: skip
            if at:
                row |= _judged(each, found, at, len(arms), drawn.inflated)
            rows.append(row)
    return rows


def _judged(
    each: Guardrail, found: _Counted, at: int, n_arms: int, inflated: float
) -> dict[str, Any]:
    """An arm's figure beside the control's."""
    events, n = found.events, found.n
    if not (n[0] and n[at]):
        return {"status": "not known"}
    due = found.due[[0, at]]
    pair = events[[0, at]] / (found.together * inflated)
    p = float(p_value(pair[None], due / due.sum(), concentration=HARM)[-1]) if pair.sum() else 1.0
    control, value = events[0] / n[0], events[at] / n[at]
    level = GUARD / (len(GUARDRAILS) * (n_arms - 1))
    sure = p < level and value > control
    status = ("broken" if value > control + each.limit else "worse") if sure else "fine"
    return {"control": float(control), "p": p, "status": status}


def _counts(each: Guardrail, trial: Trial, arm_of: np.ndarray) -> _Counted:
    """How many views, clicks or answers of each arm have it."""
    experiment, seen = trial.experiment, trial.seen
    single = experiment.kind == INTERLEAVED
    n_arms = 1 if single else len(experiment.arms)
    published = np.array([arm.n_variants for arm in experiment.arms[:n_arms]], dtype=np.float64)
    if each is SLOW_ANSWERS:
        return _Counted(*_slow(trial, n_arms), 1.0, published)
    if each is DOUBTFUL:
        squares = 0
        events: np.ndarray = np.zeros(n_arms)
        n: np.ndarray = np.zeros(n_arms)
        for label, clicks in trial.doubtful.items():
            at = 0 if single else _place(experiment, label)
            if at is not None:
                events[at] += clicks.n
                n[at] += clicks.clicks
                squares += clicks.squares
        # An arm that is followed more has more doubtful clicks, too.
        return _Counted(events, n, max(1.0, squares / max(events.sum(), 1)), n)
    use = np.ones(len(seen.n), dtype=bool) if single else arm_of[seen.label] >= 0
    use &= ~made_to_order(seen)
    arm = np.zeros(len(seen.n), dtype=np.int64) if single else arm_of[seen.label]
    n = np.bincount(arm[use], weights=seen.n[use], minlength=n_arms)
    has = (seen.links < MIN_LINKS if each is SHORT else seen.fallback > 0) & use
    events = np.bincount(arm[has], weights=seen.n[has], minlength=n_arms)
    return _Counted(events, n, 1.0, published)


def _slow(trial: Trial, n_arms: int) -> tuple[np.ndarray, np.ndarray]:
    slow, n = np.zeros(n_arms), np.zeros(n_arms)
    for label, bounds in trial.seconds.items():
        at = 0 if n_arms == 1 else _place(trial.experiment, label)
        if at is not None:
            n[at] += sum(bounds.values())
            slow[at] += sum(times for bound, times in bounds.items() if bound > SLOW)
    return slow, n


def _place(experiment: Experiment, label: str) -> int | None:
    names = _names(experiment)
    return names.index(label) if label in names else None


def _names(experiment: Experiment) -> list[str]:
    return [arm.name for arm in experiment.arms]


def latencies(trial: Trial) -> list[dict[str, Any]]:
    """By arm: how many answers were timed, and by which bound half of them, and 99 in a hundred,
    were there, in seconds; ``BEYOND`` for longer than the largest bound.
    """
    rows = []
    for label, bounds in sorted(trial.seconds.items()):
        ends = sorted(bounds)
        share = np.cumsum([bounds[end] for end in ends]) / max(sum(bounds.values()), 1)
        row: dict[str, Any] = {"arm": label, "answers": int(sum(bounds.values()))}
        for name, part in (("p50", 0.5), ("p99", 0.99)):
            end = ends[int(np.searchsorted(share, part))]
            row[name] = float(end) if np.isfinite(end) else BEYOND
        rows.append(row)
    return rows


def strange_lists(seen: Seen, known: Sequence[set[str]], arm_of: np.ndarray) -> Mapping[str, int]:
    """Views by the name of a list that their arm does not show, as ``known`` by arm."""
    found: dict[str, int] = {}
    for at, names in enumerate(known):
        for number, name in enumerate(seen.lists):
            if name not in names:
                here = (arm_of[seen.label] == at) & (seen.list == number)
                if n := int(seen.n[here].sum()):
                    found[name] = found.get(name, 0) + n
    return found
