"""Is the bundle's order of the links better than the one readers saw, and than simple ones?

Every view in which something was followed is ranked again by the bundle and by each baseline;
what was followed should come first. Intervals are a bootstrap over sessions, since the views of
one visit are not independent. Where positions influenced the clicks, the order shown has them on
its side: it is a high bar, not a fair one, and the report says so.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender import metrics
from recommender.bundle import Bundle
from recommender.errors import CalibrationError, EvaluationError, MissingExtra
from recommender.reliability import Reliability, plot, reliability
from recommender.replay import Views

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

N_BOOTSTRAP = 1_000
MODEL = "model"
ORDERS = (MODEL, "order shown", "most clicked", "TF-IDF", "random")


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What came of judging. ``table`` has one row an order and, for each metric, the mean over
    views and its 95 % interval (``nDCG@10``, ``nDCG@10 low``, ``nDCG@10 high``); ``gain`` is how
    much better than it the model is on ``nDCG@k``, paired by view, with interval. ``reliability``
    has a row for each of ten bins of links by the chance ``stated``: the share ``followed`` (95 %
    interval ``low`` to ``high``) of those looked at, ``views`` in number; ``calibration_error`` is
    how far the two are apart in the mean. Both are None where the bundle states no chances.
    """

    table: pd.DataFrame
    notes: list[str]
    n_views: int
    n_sessions: int
    metric: str
    bundle: str
    reliability: pd.DataFrame | None = None
    calibration_error: float | None = None

    @property
    def verdict(self) -> str:
        """One sentence for who reads one sentence."""
        others = self.table.drop(index=MODEL)
        beaten = [order for order in others.index if others.loc[order, "gain low"] > 0]
        lost = [order for order in others.index if others.loc[order, "gain high"] < 0]
        score = self.table.loc[MODEL, self.metric]
        text = f"{self.metric} {score:.3f} over {self.n_views:,} clicked views"
        if beaten:
            text += f"; better than {', '.join(beaten)}"
        if lost:
            text += f"; worse than {', '.join(lost)}"
        unclear = [order for order in others.index if order not in beaten + lost]
        return text + (f"; no clear difference to {', '.join(unclear)}" if unclear else "") + "."

    def to_json(self) -> str:
        """The report for programs."""
        rows = json.loads(self.table.to_json(orient="index"))
        about = {"bundle": self.bundle, "views": self.n_views, "sessions": self.n_sessions}
        bins = None if self.reliability is None else self.reliability.to_dict("records")
        chances = {"calibration_error": self.calibration_error, "reliability": bins}
        about |= {"verdict": self.verdict, "orders": rows, **chances, "notes": self.notes}
        return json.dumps(about)

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
        """One self-contained page: the verdict, the picture, the table, the caveats."""
        import io

        picture = io.StringIO()
        self.plot().savefig(picture, format="svg")
        drawn = picture.getvalue()
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        table = self.table.to_html(float_format=lambda value: f"{value:.4f}", border=0)
        return (
            "<!doctype html><html lang='en'><meta charset='utf-8'>"
            "<meta name='viewport' content='width=device-width, initial-scale=1'>"
            f"<title>{html.escape(self.bundle)}</title><style>"
            "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
            "padding:0 1rem}"
            "table{border-collapse:collapse;font-variant-numeric:tabular-nums;display:block;"
            "overflow-x:auto}"
            "th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid #ddd}"
            "svg{max-width:100%;height:auto}</style>"
            f"<h1>{html.escape(self.verdict)}</h1><p>Bundle {html.escape(self.bundle)}, "
            f"{self.n_sessions:,} visits.</p>{drawn[drawn.index('<svg') :]}{table}<ul>{notes}</ul>"
            "</html>"
        )

    def _repr_html_(self) -> str:
        table: str = self.table.to_html(float_format=lambda value: f"{value:.4f}")
        return f"<p><b>{html.escape(self.verdict)}</b></p>{table}"


def judge(bundle: Bundle, views: Views, *, k: int = 10, seed: int = 0) -> Report:
    """Rank every clicked view again. ``EvaluationError`` if there is none to judge."""
    import pandas as pd

    if len(views.slate) == 0:
        raise EvaluationError(
            f"no view to judge bundle {bundle.name} by: of {views.n_shown:,} views none was "
            "followed by a click on one of at least two links shown"
        )
    names = sorted({5, 10, k})
    columns: dict[str, Callable[..., np.ndarray]] = {
        **{
            f"nDCG@{size}": lambda *known, size=size: metrics.ndcg(*known, k=size) for size in names
        },
        "MRR": metrics.reciprocal_rank,
        "AUC": metrics.auc,
    }
    random = np.random.default_rng(seed)
    tie = random.random(len(views.items))
    scored = _scores(bundle, views, random)
    values = {
        order: {name: column(_ranks(views, score, tie), views.of_view, views.size)
                for name, column in columns.items()}
        for order, score in scored.items()
    }  # fmt: skip
    metric = f"nDCG@{k}"
    for order in scored:
        values[order]["gain"] = values[MODEL][metric] - values[order][metric]
    cells = [(order, name) for order in scored for name in values[order]]
    found = _intervals([values[order][name] for order, name in cells], views.session, random)
    rows: dict[str, dict[str, float]] = {order: {} for order in scored}
    for (order, name), (mean, low, high) in zip(cells, found, strict=True):
        rows[order] |= {name: mean, f"{name} low": low, f"{name} high": high}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("order of the links")
    n_sessions = len(np.unique(views.session))
    notes = _notes(bundle, views)
    held, said = _reliability(bundle, views)
    return Report(
        table, [*notes, said], len(views.slate), n_sessions, metric, bundle.name,
        held.frame() if held else None, held.error if held else None,
    )  # fmt: skip


def _reliability(bundle: Bundle, views: Views) -> tuple[Reliability | None, str]:
    """Chances against what was followed in all views, clicked or not, and what to say of it."""
    try:
        calibration = bundle.calibration
    except CalibrationError as exc:
        return None, f"{exc}."
    known, tally = _rows(bundle), views.tally
    items = np.array([known.get(id, -1) for id in views.items], dtype=np.int64)[tally.link]
    of_link = np.repeat([known.get(id, -1) for id in views.source], np.diff(views.heads))
    source = of_link.astype(np.int64)[tally.link]
    use = np.flatnonzero((items >= 0) & (source >= 0))
    if len(use) == 0:
        return None, "No link shown is known to the bundle, so no chance was stated."
    use = use[np.argsort(source[use], kind="stable")]
    table = np.array([calibration.examination(layout) for layout in tally.layouts])
    place = np.minimum(tally.position[use], table.shape[1] - 1)
    looked = tally.shown[use] * table[tally.layout[use], place]
    pairs, pair = np.unique(source[use] * len(known) + items[use], return_inverse=True)
    score = bundle.score_rows(*np.divmod(pairs, len(known)))
    stated = calibration.chance(pairs // len(known), score)[pair]
    clicks = tally.clicks[use]
    held = reliability(stated, looked, clicks)
    n_views = max(views.n_shown, 1)
    return held, (
        f"Chances stated are off by {100 * held.error:.2f} percentage points in the mean (expected "
        f"calibration error); {(looked * stated).sum() / n_views:.3f} clicks a view were to be "
        f"expected and {clicks.sum() / n_views:.3f} were made."
    )


def _rows(bundle: Bundle) -> dict[str, int]:
    """The number of every article the bundle knows."""
    lists = bundle.lists
    return {id: row for row in range(len(lists.stub)) for id in [lists.ids.column[row]]}


def _scores(bundle: Bundle, views: Views, random: np.random.Generator) -> dict[str, np.ndarray]:
    """A score for every link of every slate in use, by order; unknown articles come last."""
    known = _rows(bundle)
    items = np.array([known.get(id, -1) for id in views.items], dtype=np.int64)
    source = np.array([known.get(id, -1) for id in views.source], dtype=np.int64)
    link_source = np.repeat(source, np.diff(views.heads))
    used = np.zeros(len(views.source), dtype=bool)
    used[views.slate] = True
    judged = (items >= 0) & (link_source >= 0) & np.repeat(used, np.diff(views.heads))
    order = np.flatnonzero(judged)[np.argsort(link_source[judged], kind="stable")]
    model = np.full(len(items), -np.inf)
    text = np.full(len(items), -np.inf)
    model[order] = bundle.score_rows(link_source[order], items[order])
    text[order] = bundle.cosine_rows(link_source[order], items[order])
    clicks = bundle.target_clicks()
    scores = {
        MODEL: model,
        "most clicked": np.where(items >= 0, clicks[np.maximum(items, 0)], -1.0),
        "TF-IDF": text,
        "random": random.random(len(items)),
    }
    if views.ordered[views.slate].all():
        scores["order shown"] = -np.arange(len(items), dtype=float)
    return {name: scores[name] for name in ORDERS if name in scores}


def _ranks(views: Views, score: np.ndarray, tie: np.ndarray) -> np.ndarray:
    """The place of each followed link when its slate is ordered by ``score``."""
    slate = np.repeat(np.arange(len(views.source)), np.diff(views.heads))
    order = np.lexsort((tie, -score, slate))
    rank = np.empty(len(score), dtype=np.int64)
    rank[order] = np.arange(len(score)) - views.heads[slate[order]] + 1
    followed: np.ndarray = rank[views.followed]
    return followed


def _intervals(
    columns: list[np.ndarray], session: np.ndarray, random: np.random.Generator
) -> list[tuple[float, float, float]]:
    """Mean of each column and its 95 % interval, drawing whole sessions; NaN is left out."""
    good = [~np.isnan(values) for values in columns]
    size = int(session.max()) + 1
    totals, counts = (
        np.column_stack(
            [
                np.bincount(session[there], weights=what[there], minlength=size)
                for there, what in zip(good, weights, strict=True)
            ]
        )
        for weights in (columns, [np.ones(len(session))] * len(columns))
    )
    drawn = []
    for _ in range(N_BOOTSTRAP):  # one draw at a time: a log has millions of sessions
        times = random.poisson(1.0, size).astype(np.float64)
        drawn.append((times @ totals, times @ counts))
    sums, views = (np.array(part) for part in zip(*drawn, strict=True))
    means = np.divide(sums, views, out=np.full_like(sums, np.nan), where=views > 0)
    found = []
    for at, (values, there) in enumerate(zip(columns, good, strict=True)):
        known = means[:, at][~np.isnan(means[:, at])]
        low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
        mean = values[there].mean() if there.any() else np.nan
        found.append((float(mean), float(low), float(high)))
    return found


def _notes(bundle: Bundle, views: Views) -> list[str]:
    notes = [
        f"Means are per clicked view: {len(views.slate):,} of {views.n_shown:,} views.",
        f"The bundle was decided by {bundle.decided_by}: {bundle.about['reason']}.",
    ]
    if views.ordered[views.slate].all():
        notes.append(
            "Readers look at the top of a list first, so clicks favour the order shown; an order "
            "that matches it is better than the figures say."
        )
    else:
        notes.append("The order shown is left out: the log does not know it for every view.")
    return notes
