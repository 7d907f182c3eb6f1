"""What came of an experiment: click rates by arm, how sure their differences are, and what to do.

Everything is computed at the end of each day and now, so that one sees how the difference became
what it is; the intervals hold at all of these looks together (``sequential``).
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import jinja2
import numpy as np

from recommender.bundle import registry
from recommender.errors import BundleError, ExperimentError
from recommender.evaluation.report import picture, text
from recommender.evaluation.report.picture import (
    COLOURS,
    TEMPLATES,
    Axis,
    Picture,
    Row,
    Series,
    chart,
    intervals,
)
from recommender.events.event import DAY_MS, HAND_PICKED, latest_at
from recommender.experiments import checks, verdict
from recommender.experiments.counting import Trial, Visits, count, rates_before, visits
from recommender.experiments.differing import pages_alike
from recommender.experiments.interleaving import preferred
from recommender.experiments.sequential import ALPHA, Difference, Sums, Z, views_to_find
from recommender.lists.arms import INTERLEAVED, LIVE, NEITHER, TEAMS, Experiment
from recommender.store.click_filters import Caps
from recommender.store.database import Store
from recommender.store.queries import ids_by_key
from recommender.times import EPOCH

if TYPE_CHECKING:
    import pandas as pd

PER_VIEW, CLICKED, PER_LINK = "clicks per page view", "clicked views", "clicks per link shown"
ALL_PAGES, DIFFERING = "all pages", "pages where arms differ"
# From so many views on that say nothing, they are left out; and of fewer than so many that say
# something, nothing would ever be learned: arms are as good as the same. Not tuned.
ALIKE, SAME = 0.02, 0.005
# Slates whose mean length differs by more are spoken of: a longer list has more to click on.
LENGTHS = 0.02


class Metric(NamedTuple):
    """A click rate: its name, and what it is a share or a mean of."""

    name: str
    meaning: str


METRICS = (
    Metric(PER_VIEW, "clicks on links of the list, per page view that showed one"),
    Metric(CLICKED, "share of lists of which at least one link was followed, per list (slate)"),
    Metric(PER_LINK, "share of links shown that were followed, per link"),
)


@dataclass(frozen=True)
class ReadOut:
    """What came of an experiment, at a moment. ``verdict`` is one sentence with what to do, and
    ``decision`` the same in a word: ``activate`` (``arm``), ``keep``, ``equal``, ``wait``, ``stop``
    or ``distrust``. Intervals are always valid, at level 1 - ``alpha``, shared by arms.

    As data frames: ``arms``, ``differences``, ``daily`` and ``guardrails``. ``mismatch`` has
    whether arms and variants were seen as often as the table says; ``drawing`` whether every view
    drew its variant anew; ``interleaving`` whose links readers followed, None for an experiment
    that is not interleaved; ``notes`` what the figures rest on and what was left out.
    """

    experiment: dict[str, Any]
    made: str
    alpha: float
    views: int
    verdict: str
    decision: str
    arm: str | None
    primary: str
    days_left: float | None
    arm_rows: list[dict[str, Any]]
    difference_rows: list[dict[str, Any]]
    daily_rows: list[dict[str, Any]]
    guardrail_rows: list[dict[str, Any]]
    latency_rows: list[dict[str, Any]]
    mismatch: dict[str, Any]
    drawing: dict[str, Any]
    adjustment: dict[str, Any]
    interleaving: dict[str, Any] | None
    notes: list[str]

    @cached_property
    def arms(self) -> pd.DataFrame:
        """A row an arm: what it shows, its published ``share`` of views, ``views``, ``clicks``,
        ``links``, and each rate with its interval.
        """
        return _frame(self.arm_rows, "arm")

    @cached_property
    def differences(self) -> pd.DataFrame:
        """A row for each arm, metric and set of pages: how much more than the control the arm wins,
        ``difference``, and as a share of it, ``relative``, with intervals; ``kept``, the variance
        as a share of what it were had nothing been known of pages before.
        """
        return _frame(self.difference_rows)

    @cached_property
    def daily(self) -> pd.DataFrame:
        """A row a day and arm: the primary figure up to then, with its interval."""
        return _frame(self.daily_rows)

    @cached_property
    def guardrails(self) -> pd.DataFrame:
        """A row for each guardrail and arm."""
        return _frame(self.guardrail_rows)

    @property
    def name(self) -> str:
        """The experiment's name."""
        return str(self.experiment["name"])

    @property
    def is_interleaved(self) -> bool:
        return self.interleaving is not None

    def to_dict(self) -> dict[str, Any]:
        """For programs; what is not known is null."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def to_json(self) -> str:
        """The same as JSON, which ``from_json`` reads."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, content: str) -> Self:
        """A read-out as ``to_json`` wrote it. ``ExperimentError`` if it is none."""
        try:
            return cls(**json.loads(content))
        except (ValueError, TypeError) as exc:
            raise ExperimentError(f"this is no read-out of an experiment: {exc}") from exc

    def plot(self) -> Picture:
        """Each day's difference to the control, or preference, with its interval at that time."""
        share = self.is_interleaved
        names = list(dict.fromkeys(row["arm"] for row in self.daily_rows))
        lines = []
        for at, name in enumerate(names):
            rows = [row for row in self.daily_rows if row["arm"] == name]
            rows = [row for row in rows if row["low"] is not None and row["high"] is not None]
            if rows:
                day, value, low, high = (
                    np.array([row[key] for row in rows], dtype=np.float64)
                    for key in ("number", "value", "low", "high")
                )
                lines.append(Series(day, value, low, high, name, COLOURS[at], points=True))
        last = max((int(row["number"]) for row in self.daily_rows), default=1)
        level = 0.5 if share else 0.0
        ends = np.array([1.0, max(last, 2)])
        still = Series(ends, np.full(2, level), colour="#5c5c5c", dashed=True)
        # Early intervals are as wide as they like; the picture is about what became of them.
        final = [max(abs(s.low[-1] - level), abs(s.high[-1] - level)) for s in lines
                 if s.low is not None and s.high is not None]  # fmt: skip
        reach = 2 * max(final, default=0.1)
        reach = max(reach, 1.2 * max((np.abs(s.y - level).max() for s in lines), default=0.0))
        step = _step(reach)
        ticks = [level + step * each for each in range(-int(reach / step), int(reach / step) + 1)]
        form = (lambda tick: f"{100 * tick:.3g} %") if share else _signed
        what = "share of credited clicks" if share else f"more {PER_VIEW} than the control"
        words = "; ".join(
            f"{s.name}: {s.y[-1]:.3f}, {s.low[-1]:.3f} to {s.high[-1]:.3f}" for s in lines
            if s.low is not None and s.high is not None
        )  # fmt: skip
        bounded = [
            replace(s, low=np.clip(s.low, level - reach, level + reach),
                    high=np.clip(s.high, level - reach, level + reach))
            for s in lines if s.low is not None and s.high is not None
        ]  # fmt: skip
        return chart(
            [still, *bounded],
            Axis("day", 1, max(last, 2), range(1, max(last, 2) + 1, max(1, last // 6))),
            Axis("", level - reach, level + reach, ticks, form=form),
            label=f"{what}, by day: {words or 'nothing is known yet'}",
            title=what, width=400, height=280,
        )  # fmt: skip

    def plot_differences(self) -> Picture | None:
        """Each arm's difference to the control on every metric, as a share; None if there is none
        to draw.
        """
        rows: list[Row] = []
        pages = ""
        for each in self.difference_rows:
            mean, low, high = (each[key] for key in ("relative", "relative low", "relative high"))
            if low is None or high is None:
                continue
            mark = "disc" if low > 0 else "square" if high < 0 else "ring"
            ends = (text.number(100 * end, "+.1f") for end in (low, high))
            figures = f"{text.number(mean, '+.1%')} ({' to '.join(ends)})"
            group = "" if each["pages"] == pages else each["pages"]
            pages = each["pages"]
            name = f"{each['arm']}, {each['metric']}"
            rows.append(Row(name, mean, low, high, figures, mark, group=group))
        if not rows:
            return None
        reach = 1.05 * max(max(abs(row.low), abs(row.high)) for row in rows)
        control = self.experiment["arms"][0]["name"]
        sides = f"{control} better", "arm better"
        return intervals(rows, least=-reach, most=reach, beside=0.0, sides=sides)

    def to_html(self) -> str:
        """One self-contained page, the verdict first."""
        return _TEMPLATES.get_template("readout.html.j2").render(
            report=self, METRICS=METRICS, PER_VIEW=PER_VIEW
        )

    def _repr_html_(self) -> str:
        table = self.arms if self.is_interleaved else self.differences
        given = table.to_html(float_format=lambda value: f"{value:.4f}", border=0)
        return f"<p><b>{html.escape(self.verdict)}</b></p>{given}"


_TEMPLATES = TEMPLATES.overlay(
    loader=jinja2.ChoiceLoader(
        [
            jinja2.FileSystemLoader(Path(__file__).parent),
            jinja2.FileSystemLoader(Path(picture.__file__).parent),
        ]
    )
)
_TEMPLATES.filters |= {"number": text.number, "p_value": text.p_value}


def read_out(
    store: Store,
    experiment: Experiment,
    *,
    now: datetime,
    models: Path | None = None,
    alpha: float = ALPHA,
    caps: Caps | None = None,
) -> ReadOut:
    """What came of ``experiment`` by the log of ``store``, up to ``now``. With ``models``, the
    folder of its frozen bundles, pages on which all arms show the same are left out of what
    decides.
    """
    latest = latest_at(now)
    trial = count(store, experiment, latest=latest, caps=caps)
    drawn = checks.drawing(trial.shares)
    analysis = _Analysis(store, trial, drawn, models, alpha, latest, caps)
    return analysis.read_out(now)


class _Analysis:
    """The figures of one trial."""

    def __init__(
        self,
        store: Store,
        trial: Trial,
        drawn: checks.Drawing,
        models: Path | None,
        alpha: float,
        latest: int,
        caps: Caps | None,
    ) -> None:
        self.trial, self.drawn = trial, drawn
        self.experiment, self.seen = trial.experiment, trial.seen
        self.interleaved = self.experiment.kind == INTERLEAVED
        self.names = [arm.name for arm in self.experiment.arms]
        self.alpha, self.models = alpha, models
        self.level = alpha if self.interleaved else alpha / (len(self.names) - 1)
        self.notes: list[str] = []
        self.arm_of = self._arms_of_labels()
        self.mine = self.arm_of[self.seen.label] >= 0
        self.days, self.look = np.unique(self.seen.day, return_inverse=True)
        self.inflated = 1.0
        self.visits: Visits | None = None
        if not drawn.holds:
            self._widen(store, latest, caps)
        before = self._known_before(store, latest, caps)
        self.x, self.n_before = before
        # On which pages arms show the same, where they do on all of them or nearly.
        self.same_on: str | None = None
        self.differ = self._differing(store, models)
        self.ending = self._ending()
        # What decides: pages where arms differ, if that is known and leaves others out.
        self.primary = DIFFERING if self.differ is not None else ALL_PAGES

    # What counts

    def _arms_of_labels(self) -> np.ndarray:
        """The arm of each label, by place; 0 for the teams of an interleaved slate, -1 for none."""
        if self.interleaved:
            known = {*TEAMS, NEITHER}
            return np.array([0 if set(each) <= known else -1 for each in self.seen.labels],
                            dtype=np.int64)  # fmt: skip
        place = {name: at for at, name in enumerate(self.names)}
        return np.array([place.get(each, -1) for each in self.seen.labels], dtype=np.int64)

    def _widen(self, store: Store, latest: int, caps: Caps | None) -> None:
        """Views share variants: let visits stand in their place, where they are known, or widen."""
        drawn, shares = self.drawn, self.trial.shares
        known = shares.in_visits >= checks.KNOWN_VISITS * shares.n.sum()
        if drawn.keeps and known:
            found = visits(store, self.trial, latest=latest, caps=caps)
            total = int(self.seen.n.sum())
            self.visits = found
            self.inflated = drawn.beyond_visits
            self.notes.append(
                f"Views of a visit often have the same variant ({drawn.same:,} of {drawn.steps:,} "
                "steps from one view to the next, where 1 in 100 would by chance), so visits, "
                f"{int(found.n.sum()):,} in all arms, stand in the place of {total:,} views."
            )
        else:
            self.inflated = drawn.inflated
            if drawn.keeps:
                part = text.number(shares.in_visits / max(shares.n.sum(), 1), ".0%")
                self.notes.append(
                    f"Views of a visit often have the same variant ({drawn.same:,} of "
                    f"{drawn.steps:,} steps from one view to the next). Only {part} of the views "
                    "have a visit that is known, too few for visits to stand in their place."
                )
        if self.inflated > 1:
            self.notes.append(
                "Variants vary more than if every view drew one anew: "
                f"{drawn.by_hour:.2f} times by hour, {drawn.by_day:.2f} times by day. Some views "
                "share a variant, such as all of a reader; variances are taken "
                f"{self.inflated:.2f} times as large."
            )

    def _known_before(self, store: Store, latest: int, caps: Caps | None) -> tuple[np.ndarray, int]:
        if self.visits is not None or not len(self.seen.n):
            return np.zeros(len(self.seen.n)), 0
        return rates_before(store, self.trial, latest=latest, caps=caps)

    def _differing(self, store: Store, models: Path | None) -> np.ndarray | None:
        """Rows of pages on which the arms differ, ``(n_rows,)``; None if all rows count."""
        if models is None or not len(self.seen.n):
            return None
        alike = pages_alike(models, self.experiment)
        if alike is None:
            self.notes.append(
                "A bundle of the arms is no longer there, so pages on which all arms show the same "
                "are not left out."
            )
            return None
        with store.reading() as connection:
            id_of = ids_by_key(connection)
        pages, page = np.unique(self.seen.page, return_inverse=True)
        same = np.array([id_of[key] in alike for key in pages.tolist()], dtype=bool)[page]
        total = self.seen.n[self.mine].sum()
        left = self.seen.n[self.mine & ~same].sum()
        if total == 0 or left > (1 - ALIKE) * total:
            return None
        if left < SAME * total:
            rest = f"all but {left:,.0f} of {total:,.0f} views"
            self.same_on = "all pages" if left == 0 else rest
            return None
        if self.visits is not None:
            self.notes.append(
                f"On {text.number(1 - left / total, '.0%')} of the views all arms show the same; "
                "they are not left out, since visits stand in the place of views."
            )
            return None
        self.notes.append(
            f"What decides are pages where the arms differ, by their frozen bundles: "
            f"{text.number(left / total, '.1%')} of the views. On all others every arm shows the "
            "same."
        )
        return ~same

    # Sums

    def sums(self, metric: str, pages: str) -> Sums:
        """The sums of a metric over the views of these pages."""
        seen, shape = self.seen, {"n_looks": len(self.days), "n_arms": len(self.names)}
        if self.visits is not None:
            v = self.visits
            arm = self.arm_of[v.label]
            look = np.searchsorted(self.days, v.day)
            y = v.followed if metric == CLICKED else v.clicks
            z = v.links if metric == PER_LINK else v.views
            use = arm >= 0
            return Sums.of(look[use], arm[use], y[use], z[use], times=v.n[use], **shape)
        use = self.mine & (self.differ if pages == DIFFERING and self.differ is not None else True)
        y = np.minimum(seen.clicks, 1) if metric == CLICKED else seen.clicks
        z = seen.links if metric == PER_LINK else np.ones(len(seen.n))
        return Sums.of(
            self.look[use], self.arm_of[seen.label[use]], y[use], z[use], self.x[use],
            seen.n[use], **shape,
        )  # fmt: skip

    def credited(self, pages: str) -> Sums:
        """Of an interleaved experiment, the clicks of the second arm among those of both."""
        seen, shape = self.seen, {"n_looks": len(self.days), "n_arms": 1}
        if self.visits is not None:
            v = self.visits
            use = self.arm_of[v.label] >= 0
            look = np.searchsorted(self.days, v.day)[use]
            one, two = v.one[use], v.two[use]
            return Sums.of(look, look * 0, two, one + two, times=v.n[use], **shape)
        use = self.mine & (self.differ if pages == DIFFERING and self.differ is not None else True)
        look = self.look[use]
        return Sums.of(
            look, look * 0, seen.two[use], (seen.one + seen.two)[use], times=seen.n[use], **shape
        )

    def difference(self, sums: Sums, arm: int) -> Difference:
        return sums.difference(arm, alpha=self.level, inflated=self.inflated)

    # The read-out

    def read_out(self, now: datetime) -> ReadOut:
        experiment, trial, seen = self.experiment, self.trial, self.seen
        about = asdict(experiment)
        about["arms"] = [asdict(arm) for arm in experiment.arms]
        wrong = checks.mismatch(trial, self.drawn)
        rails = checks.guardrails(trial, self.arm_of, self.drawn)
        broken = [row for row in rails if row["status"] == "broken"]
        n_views = int(seen.n[self.mine].sum()) if len(seen.n) else 0
        interleaving: dict[str, Any] | None = None
        differences: list[dict[str, Any]] = []
        daily: list[dict[str, Any]] = []
        days_left: float | None = None
        adjustment: dict[str, Any] = {"views before": self.n_before, "kept": None}
        decided = verdict.nothing_seen(
            experiment.name, forgotten=trial.forgotten, stopped=self.ending.stopped
        )
        if n_views:
            if self.interleaved:
                interleaving, daily, decided, days_left = self._interleaving()
            else:
                differences, daily, decided, days_left, kept = self._differences(broken)
                adjustment["kept"] = kept
        strange = checks.strange_lists(seen, self._shown(), self.arm_of)
        if reason := self._distrust(wrong, strange, n_views):
            decided = verdict.distrusted(reason)
        notes = [*self._on_drawing(), *self.notes, *self._on_known(adjustment)]
        notes += self._on_the_rest(strange)
        return ReadOut(
            experiment=about,
            made=now.astimezone(UTC).isoformat(timespec="seconds"),
            alpha=self.alpha,
            views=n_views,
            verdict=decided.sentence,
            decision=decided.decision,
            arm=decided.arm,
            primary=self.primary,
            days_left=days_left,
            arm_rows=self._arm_rows(),
            difference_rows=differences,
            daily_rows=daily,
            guardrail_rows=rails,
            latency_rows=checks.latencies(trial),
            mismatch=wrong,
            drawing=_plain(asdict(self.drawn) | {"inflated": self.inflated}),
            adjustment=adjustment,
            interleaving=interleaving,
            notes=notes,
        )

    def _differences(
        self, broken: Sequence[Mapping[str, Any]]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]], verdict.Verdict, float | None, Any]:
        """Rows of differences and of days, the verdict, and the days left."""
        rows, daily, found = [], [], []
        kept: dict[str, float | None] = {}
        sets = [self.primary] + ([ALL_PAGES] if self.primary != ALL_PAGES else [])
        for pages in sets:
            for metric in METRICS:
                sums = self.sums(metric.name, pages)
                for arm in range(1, len(self.names)):
                    seen = self.difference(sums, arm)
                    rows.append(self._difference_row(sums, seen, arm, metric.name, pages))
                    if pages == self.primary and metric.name == PER_VIEW:
                        kept[self.names[arm]] = rows[-1]["kept"]
                        daily += self._days(seen, self.names[arm])
                        found.append(self._found(sums, seen, arm))
        if self.same_on is not None and not broken:
            decided = verdict.checked_arms(found, self.ending, pages=self.same_on)
        else:
            decided = verdict.compared(found, self.ending, where=self._where(), broken=broken)
        days = [each.days for each in found if each.days is not None]
        return rows, daily, decided, max(days, default=None), kept

    def _ending(self) -> verdict.Ending:
        """What to do at the end, by what is live."""
        experiment, models = self.experiment, self.models
        live = None if models is None else registry.current(models)
        retrained = False
        at_start = [arm.bundle for arm in experiment.arms if arm.shows == LIVE]
        if models is not None and live and at_start and live not in [
            arm.bundle for arm in experiment.arms
        ]:  # fmt: skip
            try:
                about, before = (
                    registry.read(registry.inside(models, name)) for name in (live, at_start[0])
                )
                retrained = about.decided_by != HAND_PICKED and about.built > before.built
            except BundleError:
                retrained = False
        return verdict.Ending(experiment.arms, experiment.stopped is not None, live, retrained)

    def _where(self) -> str:
        return " on pages where they differ" if self.primary == DIFFERING else ""

    def _found(self, sums: Sums, seen: Difference, arm: int) -> verdict.Found:
        relative, low, high = (
            _number(each[-1]) for each in (seen.relative, seen.relative_low, seen.relative_high)
        )
        mean, least, most = (_number(each[-1]) for each in (seen.estimate, seen.low, seen.high))
        days = None
        if not math.isnan(seen.error[-1]):
            effect = verdict.SOUGHT * float(sums.rate[-1, 0])
            days = self._days_left(seen, views_to_find(seen, effect, alpha=self.level))
        return verdict.Found(self.names[arm], relative, low, high, mean, least, most, days)

    def _days_left(self, seen: Difference, needed: float) -> float | None:
        if math.isnan(needed):
            return None
        have = float(seen.views[-1])
        ran = max(float((self.trial.last or 0) - (self.trial.first or 0)) / DAY_MS, 1 / 24)
        # JSON knows no infinity; a number that nobody waits for does as well.
        return max(0.0, min(needed - have, 1e12) / (have / ran))

    def _difference_row(
        self, sums: Sums, seen: Difference, arm: int, metric: str, pages: str
    ) -> dict[str, Any]:
        last = {
            "difference": seen.estimate, "low": seen.low, "high": seen.high,
            "relative": seen.relative, "relative low": seen.relative_low,
            "relative high": seen.relative_high, "kept": seen.kept,
        }  # fmt: skip
        return {
            "arm": self.names[arm], "against": self.names[0], "metric": metric, "pages": pages,
            **{name: _number(each[-1]) for name, each in last.items()},
            "rate": _number(sums.rate[-1, arm]), "control rate": _number(sums.rate[-1, 0]),
            "n": int(sums[Z][-1, arm]), "control n": int(sums[Z][-1, 0]),
        }  # fmt: skip

    def _days(self, seen: Difference, arm: str) -> list[dict[str, Any]]:
        first = int(self.days[0]) if len(self.days) else 0
        return [
            {
                "day": _date(int(day)), "number": int(day) - first + 1, "arm": arm,
                "views": int(seen.views[at]), "value": _number(seen.estimate[at]),
                "low": _number(seen.low[at]), "high": _number(seen.high[at]),
            }
            for at, day in enumerate(self.days)
        ]  # fmt: skip

    def _interleaving(
        self,
    ) -> tuple[dict[str, Any], list[dict[str, Any]], verdict.Verdict, float | None]:
        sums = self.credited(self.primary)
        seen = preferred(sums, alpha=self.level, inflated=self.inflated)
        mine = self.mine & (self.differ if self.differ is not None else True)
        one, two, clicks = (
            int((each * self.seen.n)[mine].sum())
            for each in (self.seen.one, self.seen.two, self.seen.clicks)
        )
        won = [
            int(self.seen.n[mine & where].sum())
            for where in (self.seen.one > self.seen.two, self.seen.two > self.seen.one)
        ]
        days = None
        if not math.isnan(seen.error[-1]):
            effect = (1 + verdict.SOUGHT) / (2 + verdict.SOUGHT) - 0.5
            days = self._days_left(seen, views_to_find(seen, effect, alpha=self.level))
        share, low, high = (float(each[-1]) for each in (seen.estimate, seen.low, seen.high))
        names = (self.names[0], self.names[1])
        seen_so_far = share, low, high, one + two, self.ending
        if self.same_on is not None:
            decided = verdict.checked_draft(*seen_so_far, pages=self.same_on)
        else:
            decided = verdict.preferred(*seen_so_far, days=days, where=self._where())
        views = int(self.seen.n[mine].sum())
        found = {
            "arms": list(names), "clicks": [one, two], "of neither": clicks - one - two,
            "views won": won, "views": views, "pages": self.primary, "share": _number(share),
            "low": _number(low), "high": _number(high),
            "net per page view": (two - one) / views if views else None,
        }  # fmt: skip
        return found, self._days(seen, names[1]), decided, days

    def _arm_rows(self) -> list[dict[str, Any]]:
        """What each arm was seen and followed, on all pages."""
        if not len(self.seen.n):
            return []
        seen = self.seen
        rows: list[dict[str, Any]] = []
        if self.interleaved:
            use = self.mine
            one, two = (int((each * seen.n)[use].sum()) for each in (seen.one, seen.two))
            for arm, clicks in zip(self.experiment.arms, (one, two), strict=True):
                about = {"arm": arm.name, "shows": arm.shows, "bundle": arm.bundle}
                rows.append({**about, "views": int(seen.n[use].sum()), "clicks credited": clicks})
            return rows
        alone = {each.name: self.sums(each.name, ALL_PAGES) for each in METRICS}
        for at, arm in enumerate(self.experiment.arms):
            use = self.mine & (self.arm_of[seen.label] == at)
            row: dict[str, Any] = {
                "arm": arm.name, "shows": arm.shows, "bundle": arm.bundle,
                "share": arm.n_variants / 100, "views": int(seen.n[use].sum()),
                "clicks": int((seen.n * seen.clicks)[use].sum()),
                "followed": int(seen.n[use & (seen.clicks > 0)].sum()),
                "links": int((seen.n * seen.links)[use].sum()),
            }  # fmt: skip
            row["links per page view"] = row["links"] / row["views"] if row["views"] else None
            for name, sums in alone.items():
                own = sums.single(at, alpha=self.alpha, inflated=self.inflated)
                row[name] = _number(sums.rate[-1, at])
                row[f"{name} low"], row[f"{name} high"] = (
                    _number(own.low[-1]),
                    _number(own.high[-1]),
                )
            rows.append(row)
        return rows

    # What is to be said besides

    def _shown(self) -> list[set[str]]:
        """What the log may name as having chosen the slates of each arm."""
        if self.interleaved:
            return [{self.experiment.name, "other"}]
        return [
            {arm.bundle, "other", *([HAND_PICKED] if arm.shows == HAND_PICKED else [])}
            for arm in self.experiment.arms
        ]

    def _distrust(
        self, wrong: Mapping[str, Any], strange: Mapping[str, int], n_views: int
    ) -> str | None:
        if wrong["found"]:
            if wrong["p arms"] is not None and wrong["p arms"] <= wrong["p variants"]:
                seen = ", ".join(
                    f"{each['arm']} {text.number(each['share'], '.1%')} (published "
                    f"{text.number(each['published'], '.0%')})"
                    for each in wrong["arms"]
                )
                what = f"arms were not seen as often as published: {seen}"
            else:
                what = (
                    f"the hundred variants were not seen alike: {wrong['its views']:,} of "
                    f"{wrong['views']:,} views had variant {wrong['most deviating variant']}"
                )
            return f"{what}; find out why views are missing or variants are not drawn evenly"
        n_strange = sum(strange.values())
        if n_strange > checks.STRANGE * max(n_views, 1):
            name = max(strange, key=lambda each: strange[each])
            return (
                f"{n_strange:,} of {n_views:,} views showed lists that their arm does not have, "
                f"most of them of {name}; find out which server or cache shows these"
            )
        return None

    def _on_drawing(self) -> list[str]:
        notes = [
            "Intervals hold at every look, however views of one reader hang together, if a page "
            "draws a variant anew for every view, and if what a view showed does not change what "
            "the reader does with later ones (no carry-over).",
        ]
        shares = self.trial.shares
        if unknown := int(shares.n[shares.variant < 0].sum()):
            notes.append(
                f"Of {unknown:,} views the log does not have the variant, so that they are in no "
                "check of how variants are drawn."
            )
        if self.drawn.holds and (shares.variant >= 0).any():
            of_visits = (
                f"; of {self.drawn.steps:,} steps from view to view of a visit {self.drawn.same:,} "
                "kept the variant, one in a hundred is expected"
                if self.drawn.steps
                else "; no visit is known, so this is judged by hours and days alone"
            )
            notes.append(
                "Nothing speaks against variants being drawn anew: their numbers vary "
                f"{self.drawn.by_hour:.2f} times as much by hour, and {self.drawn.by_day:.2f} "
                f"times by day, as they would{of_visits}."
            )
        return notes

    def _on_known(self, adjustment: Mapping[str, Any]) -> list[str]:
        if self.interleaved:
            return [
                "A click counts for the arm that picked the link, as long as both had links left. "
                "How much more an arm would win by itself cannot be seen from this."
            ]
        if self.visits is not None:
            return ["What pages won before is not taken off, since visits stand in their place."]
        kept = [each for each in (adjustment["kept"] or {}).values() if each is not None]
        if not self.n_before:
            return ["No view is known from before the experiment, so nothing is taken off."]
        if not kept:
            return []
        saved = 1 - float(np.mean(kept))
        helps = (
            f"the variance is {text.number(saved, '.1%')} smaller, as if there were "
            f"{1 / (1 - saved):.2f} times as many views"
        )
        return [
            f"What was to be expected of a page and place by {self.n_before:,} views before the "
            f"experiment is taken off: {helps if saved >= 0.005 else 'it does not help here'}."
        ]

    def _on_the_rest(self, strange: Mapping[str, int]) -> list[str]:
        trial, notes = self.trial, []
        if len(self.names) > 2:
            notes.append(
                f"{len(self.names) - 1} arms are compared with {self.names[0]}, each at level "
                f"{self.level:.3g} (Bonferroni)."
            )
        if doubtful := sum(each.n for each in trial.doubtful.values()):
            notes.append(
                f"{text.count(doubtful, 'doubtful click')} {'is' if doubtful == 1 else 'are'} left "
                "out (flagged); the views count."
            )
        if n := trial.by_strangers:
            notes.append(
                f"{text.count(n, 'view')} of crawlers, or of addresses that sent too much, "
                f"{'is' if n == 1 else 'are'} left out."
            )
        if trial.outside:
            notes.append(
                f"{trial.outside:,} views of these days are outside the experiment: they had no "
                "variant, or a page that not all arms know."
            )
        if trial.forgotten:
            notes.append(
                f"{text.count(trial.forgotten, 'view')} of these days "
                f"{'was' if trial.forgotten == 1 else 'were'} forgotten; of which arm they were "
                "is not known any more. Intervals begin anew with what is left, so that with looks "
                "before they no longer hold together."
            )
        for name, n in sorted(strange.items()):
            notes.append(f"{n:,} views showed lists of {name}, which their arm does not have.")
        if unknown := int(self.seen.n[~self.mine].sum()) if len(self.seen.n) else 0:
            notes.append(f"{unknown:,} views name an arm that the experiment does not have.")
        if not self.interleaved:
            lengths = [row["links per page view"] for row in self._arm_rows()]
            known = [each for each in lengths if each]
            if known and max(known) > (1 + LENGTHS) * min(known):
                each = ", ".join(
                    f"{name} {length:.2f}" for name, length in zip(self.names, lengths, strict=True)
                    if length
                )  # fmt: skip
                notes.append(
                    f"Lists differ in length (links per page view: {each}), and a longer one has "
                    "more to follow; that is a part of the difference."
                )
        return notes


def _frame(rows: Sequence[Mapping[str, Any]], index: str | None = None) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame([*rows])
    return frame.set_index(index) if index and len(frame) else frame


def _number(value: Any) -> float | None:
    """A number that JSON knows, None for NaN."""
    return float(value) if np.isfinite(value) else None


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON has them."""
    return {name: each.item() if hasattr(each, "item") else each for name, each in values.items()}


def _date(day: int) -> str:
    return (EPOCH + timedelta(days=day)).date().isoformat()


def _step(reach: float) -> float:
    """A round step, of which two or three fit into ``reach``."""
    power = 10.0 ** math.floor(math.log10(reach / 2))
    return next(step * power for step in (5, 2, 1) if step * power <= reach / 2)


def _signed(tick: float) -> str:
    return "0" if abs(tick) < 1e-12 else f"{tick:+.3g}".replace("-", text.MINUS)
