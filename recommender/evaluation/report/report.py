"""What came of judging: tables for programs, a sentence, pictures and a page for people."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.errors import EvaluationError, MissingExtra
from recommender.evaluation.baselines import MODEL
from recommender.evaluation.offpolicy import OffPolicy
from recommender.evaluation.report import html as page
from recommender.evaluation.report import sections
from recommender.evaluation.report.sections import judgement, p_text, span_text
from recommender.ranking.reliability import plot

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What came of judging. ``table`` has one row an order and, for each metric, the mean over
    clicked views and its 95 % interval (``nDCG@10``, ``nDCG@10 low``, ``nDCG@10 high``); ``gain``
    is how much better than it the model is on ``nDCG@k``, paired by view, with interval, and
    ``gain p`` its p-value, corrected for the number of orders. ``reliability`` has a row for each
    of ten bins of links by the chance ``stated``: the share ``followed`` (95 % interval ``low`` to
    ``high``) of those looked at, ``views`` in number; ``calibration_error`` is how far the two are
    apart in the mean. Both are None where the bundle states no chances.

    ``lists`` has a row for each kind of whole lists and a column for each figure of
    ``catalogue.DENOMINATORS``; ``slices`` the gain over ``against``, the strongest of the simple
    orders, where the views are cut by what is known of them; ``examples`` some pages' old lists
    beside their new ones; ``window`` the stretches of the log that the bundle saw and is judged by;
    ``off_policy`` what the bundle's lists would have won, None if the log has no order of links.
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
    window: dict[str, Any] = field(default_factory=dict)
    off_policy: OffPolicy | None = None

    @property
    def k(self) -> int:
        """How many links of a list count."""
        return int(self.metric.partition("@")[2])

    @property
    def verdict(self) -> str:
        """One sentence for who reads one sentence."""
        others = self.table.drop(index=MODEL)
        score = self.table.loc[MODEL, self.metric]
        text = f"{self.metric} {score:.3f} over {self.n_views:,} clicked views"
        found: dict[str, list[str]] = {"better": [], "worse": [], "unclear": []}
        for order, row in others.iterrows():
            kind = judgement(row["gain low"], row["gain high"], row["gain p"])
            found[kind].append(f"{order} ({row['gain']:+.3f})")
        for kind, words in (
            ("better", "better than"), ("worse", "worse than"),
            ("unclear", "no clear difference to"),
        ):  # fmt: skip
            text += f"; {words} {', '.join(found[kind])}" if found[kind] else ""
        return text + "."

    @property
    def headline(self) -> str:
        """The verdict beside the strongest of the simple orders, and how sure it is."""
        row, n = self.table.loc[self.against], len(self.table) - 1
        gain, low, high, p = (row[name] for name in ("gain", "gain low", "gain high", "gain p"))
        best = f"{self.against}, the strongest of {n} simple orders"
        kind = judgement(low, high, p)
        sure = f"{span_text(gain, low, high, sign=True)} {self.metric}, p {_equals(p)}"
        if kind == "unclear":
            return f"No clear difference between the model and {best}: {sure}."
        return f"The model orders links {kind} than {best}: {sure}."

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
        return json.dumps({**about, "notes": self.notes})

    def plot(self) -> Figure:
        """Each order's ``nDCG@k`` with its interval, best on top."""
        try:
            from matplotlib.figure import Figure
        except ImportError as exc:
            raise MissingExtra("drawing", "plot") from exc
        table = self.table.sort_values(self.metric)
        figure = Figure(figsize=(7, 0.6 * len(table) + 1.2), layout="constrained")
        axes = figure.subplots()
        means = table[self.metric].to_numpy()
        spans = np.array(
            [means - table[f"{self.metric} low"], table[f"{self.metric} high"] - means]
        )
        colours = ["#0072b2" if order == MODEL else "#999999" for order in table.index]
        axes.barh(
            list(table.index), means, xerr=np.maximum(spans, 0), color=colours, ecolor="#333333"
        )
        for place, mean in enumerate(means):
            axes.text(0.004, place, f"{mean:.3f}", va="center", color="white", fontweight="bold")
        axes.set_xlabel(f"{self.metric}, mean over {self.n_views:,} clicked views (bars: 95 %)")
        axes.spines[["top", "right"]].set_visible(False)
        return figure

    def plot_reliability(self) -> Figure:
        """Chances stated beside shares followed. ``EvaluationError`` if none were stated."""
        if self.reliability is None:
            raise EvaluationError(f"bundle {self.bundle} states no chances that could be drawn")
        return plot(self.reliability)

    def to_html(self) -> str:
        """One self-contained page, the verdict first."""
        return page.page(f"Bundle {self.bundle}, judged", self._sections())

    def _sections(self) -> Iterator[page.Html]:
        yield page.text(f"Bundle {self.bundle}, judged by held-out views", kind="quiet")
        yield page.text(self.headline, tag="h1")
        yield page.text(self.verdict)
        yield sections.orders(self.table, self.metric, self.n_views)
        yield page.text("Every metric", tag="h2")
        yield sections.metrics(self.table, self.metric)
        if len(self.slices):
            yield page.text("Where it is better, and where not", tag="h2")
            yield sections.slices(self.slices, self.metric, self.against)
        if self.reliability is not None and self.calibration_error is not None:
            yield page.text("Do stated chances come true?", tag="h2")
            yield sections.chances(self.reliability, self.calibration_error)
        if self.off_policy is not None:
            yield page.text("What the new lists would have won", tag="h2")
            yield sections.off_policy(self.off_policy)
        yield page.text("The lists themselves", tag="h2")
        yield sections.whole_lists(self.lists, self.k)
        if len(self.examples):
            yield page.text("Old lists beside new ones", tag="h2")
            yield from sections.examples(self.examples)
        yield page.text("The data", tag="h2")
        yield sections.window(self.window)
        yield page.text("What to keep in mind", tag="h2")
        yield page.items(self.notes)

    def _repr_html_(self) -> str:
        table: str = self.table.to_html(float_format=lambda value: f"{value:.4f}")
        return f"<p><b>{html.escape(self.verdict)}</b></p>{table}"


def _equals(p: float) -> str:
    said = p_text(p)
    return said if said.startswith("<") else f"= {said}"
