"""What came of judging: tables for programs, a sentence, pictures and a page for people."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.errors import EvaluationError
from recommender.evaluation.baselines import MODEL
from recommender.evaluation.examples import WORST
from recommender.evaluation.list_quality import FIGURES
from recommender.evaluation.metrics import METRICS
from recommender.evaluation.report import text
from recommender.evaluation.report.picture import (
    MARKS,
    TEMPLATES,
    Axis,
    Picture,
    Row,
    Series,
    chart,
    intervals,
)
from recommender.evaluation.runs import Ranked
from recommender.evaluation.slices import KNOWN
from recommender.evaluation.tidy import PAGE_VIEWS, ends, figure, frame

if TYPE_CHECKING:
    import pandas as pd

    from recommender.evaluation.judgements import Judged
    from recommender.evaluation.offpolicy import OffPolicy


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What came of judging. ``table`` has one row an order and, for each metric, the mean over
    clicked views and its 95 % interval (``nDCG@10``, ``nDCG@10 low``, ``nDCG@10 high``); ``gain``
    is how much better than it the model is on ``nDCG@k``, paired by view, with interval, and
    ``gain p`` its p-value, corrected for the number of orders. ``reliability`` has a row for each
    of ten bins of links by the chance ``stated``: the share ``followed`` (95 % interval ``low`` to
    ``high``) of those examined, ``views`` in number; ``calibration_error`` is how far the two are
    apart in the mean. Both are None where the bundle states no chances.

    ``lists`` has a row for the model's whole lists, the editors' and those by text, and a column
    for each of ``list_quality.FIGURES``; ``slices`` the gain over ``against``, the strongest of the
    simple orders, where the views are cut by what is known of them; ``examples`` some pages' old
    lists beside their new ones; ``window`` the stretches of the log that the bundle saw and is
    judged by; ``off_policy`` what the bundle's lists would have won, None if the log has no order
    of links. ``counts`` are the views each metric is a mean of; ``run`` and ``qrels`` are what was
    judged, for other tools. ``judged`` is what people's grades make of whole lists, None if there
    are none.
    """

    table: pd.DataFrame
    notes: list[str]
    n_views: int
    n_sessions: int
    metric: str
    bundle: str
    reliability: pd.DataFrame | None
    calibration_error: float | None
    lists: pd.DataFrame
    slices: pd.DataFrame
    examples: pd.DataFrame
    against: str
    window: dict[str, Any]
    off_policy: OffPolicy | None
    counts: dict[str, int]
    ranked: Ranked
    judged: Judged | None = None

    @property
    def k(self) -> int:
        """How many links of a list count."""
        return int(self.metric.partition("@")[2])

    @property
    def columns(self) -> list[str]:
        """The names of the metrics in ``table``."""
        ends = ("gain", " low", " high", " p")
        return [name for name in self.table.columns if not name.endswith(ends)]

    @property
    def verdict(self) -> str:
        """One sentence for who reads one sentence."""
        others = self.table.drop(index=MODEL)
        score = self.table.loc[MODEL, self.metric]
        verdict = f"{self.metric} {score:.3f} over {self.n_views:,} clicked views"
        found: dict[str, list[str]] = {"better": [], "worse": [], "unclear": []}
        for order, row in others.iterrows():
            judgement = text.judgement(row["gain low"], row["gain high"], row["gain p"])
            found[judgement].append(f"{order} ({row['gain']:+.3f})")
        for judgement, words in (
            ("better", "better than"), ("worse", "worse than"),
            ("unclear", "no clear difference to"),
        ):  # fmt: skip
            if orders := ", ".join(found[judgement]):
                verdict += f"; {words} {orders}"
        return verdict + "."

    @property
    def headline(self) -> str:
        """The verdict beside the strongest of the simple orders, and how sure it is."""
        row, n = self.table.loc[self.against], len(self.table) - 1
        gain, low, high, p = (row[name] for name in ("gain", "gain low", "gain high", "gain p"))
        best = f"{self.against}, the strongest of {n} simple orders"
        judgement = text.judgement(low, high, p)
        sure = f"{text.span(gain, low, high, sign=True)} {self.metric}, {text.p_value(p, 'p ')}"
        if judgement == "unclear":
            return f"No clear difference between the model and {best}: {sure}."
        return f"The model orders links {judgement} than {best}: {sure}."

    @property
    def tidy(self) -> pd.DataFrame:
        """Every figure in a row of its own; columns are those of ``tidy.Figure``. The gain of the
        model is against each other order.
        """
        found = []
        for order, row in self.table.iterrows():
            found += [
                figure(str(order), name, ends(row, name), self.counts[name])
                for name in self.columns
            ]
            if order != MODEL:
                found.append(
                    figure(MODEL, self.metric, ends(row, "gain"), self.n_views,
                           against=str(order), p=row["gain p"])
                )  # fmt: skip
        for _, row in self.slices.iterrows():
            of = row["by"], row["slice"]
            found += [
                figure(MODEL, self.metric, ends(row, self.metric), row["views"], part=of),
                figure(MODEL, self.metric, ends(row, "gain"), row["views"],
                       against=self.against, p=row["gain p"], part=of),
            ]  # fmt: skip
        if self.off_policy is not None:
            n_views, table = self.off_policy.n_views, self.off_policy.table
            for name, row in table[table["estimate"].notna()].iterrows():
                metric = f"clicks a page view, {name}"
                won = row["estimate"], row["low"], row["high"]
                found += [
                    figure(MODEL, metric, won, n_views, denominator=PAGE_VIEWS),
                    figure(MODEL, metric, ends(row, "gain"), n_views, against="what was shown",
                           denominator=PAGE_VIEWS),
                ]  # fmt: skip
        return frame(found)

    def run(self, order: str = MODEL) -> pd.DataFrame:
        """How an order ranked the links of each judged view, for ranx, ir_measures and trec_eval:
        columns ``query_id`` (the view's number), ``doc_id``, ``score``, ``rank`` and ``run``.
        """
        return self.ranked.run(order)

    def qrels(self) -> pd.DataFrame:
        """What the links of each judged view were worth, 1 if followed: columns ``query_id``,
        ``doc_id``, ``relevance`` and ``iteration``.
        """
        return self.ranked.qrels()

    def to_json(self) -> str:
        """The report for programs."""
        rows = json.loads(self.table.to_json(orient="index", double_precision=15))
        about = {"bundle": self.bundle, "views": self.n_views, "sessions": self.n_sessions}
        bins = None if self.reliability is None else self.reliability.to_dict("records")
        chances = {"calibration_error": self.calibration_error, "reliability": bins}
        about |= {"verdict": self.verdict, "headline": self.headline, "orders": rows, **chances}
        lists = json.loads(self.lists.to_json(orient="index", double_precision=15))
        frames = {
            name: json.loads(getattr(self, name).to_json(orient="records", double_precision=15))
            for name in ("slices", "examples")
        }
        about |= {"against": self.against, "lists": lists, **frames, "window": self.window}
        about["off_policy"] = self.off_policy and self.off_policy.to_dict()
        if self.judged is not None:
            about["judged"] = self.judged.to_dict()
        return json.dumps({**about, "notes": self.notes})

    def plot(self) -> Picture:
        """Each order's ``nDCG@k`` as a bar with its interval, best on top."""
        ranked = self.table.sort_values(self.metric, ascending=False, kind="stable")
        rows = []
        for name, row in ranked.iterrows():
            mean, low, high = (float(row[f"{self.metric}{end}"]) for end in ("", " low", " high"))
            figures = text.span(mean, low, high)
            rows.append(Row(str(name), mean, low, high, figures, "bar", own=name == MODEL))
        return intervals(rows, most=1.02 * max(row.high for row in rows) or 1.0)

    def plot_slices(self, *, after: bool = False) -> Picture | None:
        """The gain over ``against`` in every slice, None if there are none. ``after``: by what is
        known of the link only once it was followed.
        """
        frame = self.slices[(self.slices["by"] == KNOWN) == after]
        if len(frame) == 0:
            return None
        rows = []
        for (_, row), before in zip(frame.iterrows(), [None, *frame["by"]], strict=False):
            gain, low, high = (float(row[name]) for name in ("gain", "gain low", "gain high"))
            judgement = text.judgement(low, high, row["gain p"])
            group = "" if row["by"] == before else f"by {row['by']}"
            rows.append(
                Row(row["slice"], gain, low, high, text.span(gain, low, high, sign=True),
                    MARKS[judgement], f"{row['views']:,} views", group)
            )  # fmt: skip
        reach = 1.05 * float(frame[["gain low", "gain high"]].abs().max().max()) or 1.0
        sides = f"{self.against} better", "model better"
        return intervals(rows, least=-reach, most=reach, beside=0.0, sides=sides)

    def plot_reliability(self) -> Picture:
        """Chances stated beside shares followed, on scales of roots, since most links are followed
        seldom. ``EvaluationError`` if none were stated.
        """
        if self.reliability is None:
            raise EvaluationError(f"bundle {self.bundle} states no chances that could be drawn")
        stated, followed, low, high = (
            self.reliability[name].to_numpy() for name in ("stated", "followed", "low", "high")
        )
        most = 1.05 * max([*stated, *high, 1e-3])
        ticks = [0.0]
        for tick in (step * 10.0**power for power in range(-5, 1) for step in (1, 2, 5)):
            if tick <= most and tick**0.5 - ticks[-1] ** 0.5 > 0.12 * most**0.5:
                ticks.append(tick)
        x, y = (
            Axis(label, 0.0, most, ticks, np.sqrt, lambda tick: f"{100 * tick:g} %")
            for label in ("chance stated, if examined", "share followed, of those examined")
        )
        ends = np.array([0.0, most])
        label = "; ".join(
            f"stated {a:.1%}, followed {b:.1%}" for a, b in zip(stated, followed, strict=True)
        )
        return chart(
            [
                Series(ends, ends, colour="#5c5c5c", dashed=True),
                Series(stated, followed, low, high, line=False, points=True),
            ],
            x, y, label=label, notes=["below the line: promised too much"],
        )  # fmt: skip

    def to_html(self) -> str:
        """One self-contained page, the verdict first."""
        return TEMPLATES.get_template("report.html.j2").render(
            report=self, MODEL=MODEL, WORST=WORST, METRICS=METRICS, FIGURES=FIGURES
        )

    def _repr_html_(self) -> str:
        table = self.table.to_html(float_format=lambda value: f"{value:.4f}")
        return f"<p><b>{html.escape(self.verdict)}</b></p>{table}"
