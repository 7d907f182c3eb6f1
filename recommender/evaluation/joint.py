"""Several bundles, or lists, judged on the same views: which orders the links best, how sure?

Every view in which something was followed is ranked again by each of them. All means are taken from
the same draws of visits, so what lies between two is paired, and much surer than either figure.
Clicks favour the places that readers look at. Where a bundle knows how likely each place is looked
at, a further column weighs every click by one over that, as a promotion does, and it decides.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.errors import EvaluationError
from recommender.evaluation import bootstrap, metrics
from recommender.evaluation.baselines import case_of, judged_links, sizes_of
from recommender.evaluation.given_lists import Lists
from recommender.evaluation.offpolicy import examined_by
from recommender.evaluation.report import text
from recommender.evaluation.report.picture import MARKS, TEMPLATES, Picture, Row, intervals
from recommender.evaluation.runs import Ranked
from recommender.evaluation.slices import slice_table
from recommender.evaluation.tidy import Figure, ends, figure, frame
from recommender.ragged import ranks
from recommender.store.impressions import Impressions

if TYPE_CHECKING:
    import pandas as pd

    from recommender.evaluation.judgements import Judged

WEIGHED = " (places weighed)"
# Letters of two names that stand beside one another above a picture on a phone.
MAX_NAMES = 26
# What was shown is nearer to the order of one than of another if it has so much more of the
# neighbours as they stood. Not tuned.
NEARER = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class JointReport:
    """What came of judging several. ``table`` has one row each, in the order given, and for each
    metric the mean over clicked views with its 95 % interval, as a ``Report`` has; ``gain`` is how
    much better it is than the first in ``metric``, the one that decides, paired by view, with its
    interval, and ``gain p`` its p-value, corrected for their number; NaN for the first.

    ``differences`` has a row for each other than the first and each metric: ``bundle``, ``metric``,
    ``difference`` with ``low`` and ``high``, ``p``, corrected for the number of bundles, and ``n``
    views. ``slices`` has the gain of each other over the first where the views are cut by what is
    known of them, behind ``bundle`` the columns of a report's; it is empty where no bundle judges.
    ``agreement`` is the share of neighbours in the slates, view by view, that each would put in the
    order in which they were shown; NaN where no order is known.
    ``judged`` is what people's grades make of whole lists, None if there are none.
    """

    table: pd.DataFrame
    differences: pd.DataFrame
    slices: pd.DataFrame
    notes: list[str]
    metric: str
    n_views: int
    n_log_views: int
    n_sessions: int
    since: int
    until: int
    ranked: Ranked
    agreement: dict[str, float]
    judged: Judged | None = None

    @property
    def names(self) -> list[str]:
        """What is judged, in the order given."""
        return [str(name) for name in self.table.index]

    def judgement(self, name: str) -> str:
        """``better``, ``worse`` or ``unclear``: one of the others beside the first."""
        row = self.table.loc[name]
        return text.judgement(row["gain low"], row["gain high"], row["gain p"])

    def favoured(self, name: str) -> str | None:
        """Which of the first and another the clicks favour since what was shown is nearer to its
        order; None if neither, or if places are weighed.
        """
        first = self.names[0]
        apart = self.agreement[name] - self.agreement[first]
        if self.metric.endswith(WEIGHED) or not abs(apart) >= NEARER:
            return None
        return name if apart > 0 else first

    def is_doubtful(self, name: str) -> bool:
        """Is the one that is better the one that clicks favour?"""
        better = {"better": name, "worse": self.names[0]}.get(self.judgement(name))
        return better is not None and better == self.favoured(name)

    def doubt(self, name: str) -> str:
        """Why that tells little."""
        favoured = self.favoured(name)
        return f"what readers saw was nearer to the order of {favoured}, whose top has the clicks"

    def gain(self, name: str) -> str:
        """By how much one of the others is better than the first, and how sure that is."""
        row = self.table.loc[name]
        gained = text.span(row["gain"], row["gain low"], row["gain high"], sign=True)
        return f"{gained} {self.metric}, {text.p_value(row['gain p'], 'p ')}"

    @property
    def verdict(self) -> str:
        """One sentence for who reads one sentence."""
        first, *others = self.names
        words = {
            "better": "better than",
            "worse": "worse than",
            "unclear": "not clearly apart from",
        }
        found = [
            f"{name} orders the links {words[self.judgement(name)]} {first} ({self.gain(name)})"
            + (f", but {self.doubt(name)}" if self.is_doubtful(name) else "")
            if self.judgement(name) != "unclear"
            else f"{name} is {words['unclear']} {first} ({self.gain(name)})"
            for name in others
        ]
        sentence = "; ".join(found)
        return f"{sentence}; {self.n_views:,} clicked views in {self.n_sessions:,} visits."

    @property
    def columns(self) -> list[str]:
        """The names of the metrics in ``table``."""
        ends = ("gain", " low", " high", " p")
        return [name for name in self.table.columns if not name.endswith(ends)]

    @property
    def tidy(self) -> pd.DataFrame:
        """Every figure in a row of its own; columns are those of ``tidy.Figure``."""
        return frame(self.figures())

    def figures(self) -> list[Figure]:
        """The rows of ``tidy``."""
        first, found = self.names[0], []
        counts = self.differences.groupby("metric")["n"].first()
        for name, row in self.table.iterrows():
            found += [
                figure(str(name), metric, ends(row, metric), counts[metric])
                for metric in self.columns
            ]
        for row in self.differences.itertuples():
            gap = row.difference, row.low, row.high
            found.append(figure(row.bundle, row.metric, gap, row.n, against=first, p=row.p))
        metric = self.metric.removesuffix(WEIGHED)
        for _, row in self.slices.iterrows():
            of = row["by"], row["slice"]
            found += [
                figure(row["bundle"], metric, ends(row, metric), row["views"], part=of),
                figure(row["bundle"], metric, ends(row, "gain"), row["views"],
                       against=first, p=row["gain p"], part=of),
            ]  # fmt: skip
        return found

    def run(self, name: str) -> pd.DataFrame:
        """How one of them ranked the links of each judged view, for ranx, ir_measures and
        trec_eval: columns ``query_id`` (the view's number), ``doc_id``, ``score``, ``rank`` and
        ``run``.
        """
        return self.ranked.run(name)

    def qrels(self) -> pd.DataFrame:
        """What the links of each judged view were worth, 1 if followed: columns ``query_id``,
        ``doc_id``, ``relevance`` and ``iteration``.
        """
        return self.ranked.qrels()

    def to_dict(self) -> dict[str, Any]:
        """For programs; None for NaN."""
        rows = json.loads(self.table.to_json(orient="index", double_precision=15))
        frames = {
            name: json.loads(getattr(self, name).to_json(orient="records", double_precision=15))
            for name in ("differences", "slices")
        }
        about: dict[str, Any] = {"verdict": self.verdict, "metric": self.metric}
        about["views"] = self.n_views
        if self.judged is not None:
            about["judged"] = self.judged.to_dict()
        return {
            **about,
            "sessions": self.n_sessions,
            "bundles": rows,
            **frames,
            "notes": self.notes,
        }

    def to_json(self) -> str:
        """The report for programs."""
        return json.dumps(self.to_dict())

    def plot(self) -> Picture:
        """Each one's mean as a bar with its interval."""
        rows = []
        for name, row in self.table.iterrows():
            mean, low, high = (float(row[f"{self.metric}{end}"]) for end in ("", " low", " high"))
            rows.append(Row(str(name), mean, low, high, text.span(mean, low, high), "bar"))
        return intervals(rows, most=1.02 * max(row.high for row in rows) or 1.0)

    def plot_gain(self) -> Picture:
        """What lies between the first and each other, metric by metric; disc: better, square:
        worse, ring: no clear difference.
        """
        other = self.names[1] if len(self.names) == 2 else "the other"
        return about_zero(self.gain_rows(), (self.names[0], other))

    def gain_rows(self) -> list[Row]:
        """The rows of that picture."""
        rows, before = [], ""
        for row in self.differences.itertuples():
            judged = text.judgement(row.low, row.high, row.p)
            group = row.bundle if row.bundle != before and len(self.names) > 2 else ""
            before = row.bundle
            rows.append(
                Row(row.metric, row.difference, row.low, row.high,
                    text.span(row.difference, row.low, row.high, sign=True), MARKS[judged],
                    f"{row.n:,} views", group, own=row.metric == self.metric)
            )  # fmt: skip
        return rows

    def plot_slices(self) -> Picture | None:
        """The gain of the second over the first in every slice, None if there are none."""
        if len(self.slices) == 0:
            return None
        found = self.slices[self.slices["bundle"] == self.names[1]]
        rows = []
        for (_, row), before in zip(found.iterrows(), [None, *found["by"]], strict=False):
            gain, low, high = (float(row[name]) for name in ("gain", "gain low", "gain high"))
            group = "" if row["by"] == before else f"by {row['by']}"
            mark = MARKS[text.judgement(low, high, row["gain p"])]
            rows.append(
                Row(row["slice"], gain, low, high, text.span(gain, low, high, sign=True), mark,
                    f"{row['views']:,} views", group)
            )  # fmt: skip
        return about_zero(rows, (self.names[0], self.names[1]))

    def to_html(self) -> str:
        """One self-contained page, the verdict first."""
        return TEMPLATES.get_template("joint.html.j2").render(report=self, METRICS=metrics.METRICS)

    def _repr_html_(self) -> str:
        table = self.table.to_html(float_format=lambda value: f"{value:.4f}")
        return f"<p><b>{html.escape(self.verdict)}</b></p>{table}"


def about_zero(rows: list[Row], names: tuple[str, str]) -> Picture:
    """Differences on a line with 0 in the middle; to its right the second of the two is better."""
    first, second = names if len("".join(names)) <= MAX_NAMES else ("the first", "the second")
    sides = f"{first} better", f"{second} better"
    ends = [abs(end) for row in rows for end in (row.low, row.high) if end == end]
    reach = 1.05 * max(ends, default=0.0) or 1.0
    return intervals(rows, least=-reach, most=reach, beside=0.0, sides=sides)


def judge_jointly(
    sides: Mapping[str, Bundle | Lists],
    log: Impressions,
    *,
    k: int = 10,
    seed: int = 0,
    articles: Mapping[str, Article] | None = None,
) -> JointReport:
    """Rank the links of every clicked view by each of ``sides``, by name, at least two. Views of
    pages for which lists that were handed over have none are left out for all of them.
    ``EvaluationError`` if no view is left.
    """
    random = np.random.default_rng(seed)
    log, notes = _with_lists(sides, log)
    views = log.followed()
    if len(views.slate) == 0:
        raise EvaluationError(
            f"of {len(log.slate):,} views none was followed by a click on one of at least two "
            "links shown"
        )
    link, slate = judged_links(views)
    tie, sizes = random.random(len(link)), sizes_of(slate, views)
    followed = np.searchsorted(link, views.click_link)
    values: dict[str, dict[str, np.ndarray]] = {}
    ranked: dict[str, np.ndarray] = {}
    agreement: dict[str, float] = {}
    metric = f"nDCG@{k}"
    examined = examined_by(log, [*sides.values()][::-1])
    even = np.ones(len(views.slate))
    weights = even if examined is None else metrics.view_weights(views, examined)
    deciding = metric if examined is None else metric + WEIGHED
    for name, side in sides.items():
        score, unknown = _scores(side, log, views, link, slate)
        if unknown:
            notes.append(unknown)
        ranked[name] = ranks(slate, score, tie)
        values[name] = {
            column: function(ranked[name][followed], views.click_view, sizes)
            for column, function in metrics.columns(k).items()
        }
        if examined is not None:
            values[name][deciding] = values[name][metric]
        agreement[name] = _agreement(score, slate, views)
    table, differences = _tables(values, deciding, weights, views.session, random)
    return JointReport(
        table=table,
        differences=differences,
        slices=_slices(sides, values, log, articles, random, metric=metric),
        notes=[*_notes(log, views, k, is_weighed=examined is not None), *notes, *_on(agreement)],
        metric=deciding,
        n_views=len(views.slate),
        n_log_views=len(log.slate),
        n_sessions=views.n_sessions,
        since=int(views.ts.min()),
        until=int(views.ts.max()),
        ranked=Ranked(views, link, slate, ranked),
        agreement=agreement,
    )


def _with_lists(
    sides: Mapping[str, Bundle | Lists], log: Impressions
) -> tuple[Impressions, list[str]]:
    """The views of pages of which every side that is lists has one."""
    notes = []
    for name, side in sides.items():
        if isinstance(side, Bundle):
            continue
        listed = np.array([bool(side.get(id)) for id in log.ids], dtype=bool)[log.source]
        if alone := int((~listed[log.slate]).sum()):
            notes.append(f"{alone:,} views are left out: {name} have no list for their page.")
            log = log.views_of(listed)
    return log, notes


def _scores(
    side: Bundle | Lists, log: Impressions, views: Impressions, link: np.ndarray, slate: np.ndarray
) -> tuple[np.ndarray, str]:
    """What a side gives each link that was shown, ``(n_judged,)``, and a note on what it does not
    know.
    """
    if isinstance(side, Bundle):
        case = case_of(side, log)
        missing = int((case.pair < 0).sum())
        known = f"are not known to {side.name}"
        score = case.of_links(case.score)
    else:
        place = {
            (source, target): at
            for source in {views.ids[source] for source in views.source[slate]}
            for at, target in reversed([*enumerate(side.get(source, ()))])
        }
        ends = zip(views.source[slate].tolist(), views.item[link].tolist(), strict=True)
        score = np.array(
            [-place.get((views.ids[source], views.ids[item]), np.inf) for source, item in ends]
        )
        missing, known = int((~np.isfinite(score)).sum()), "are in none of the lists given"
    if not missing:
        return score, ""
    return score, f"{missing:,} of {len(link):,} links shown {known} and come last in its order."


def _agreement(score: np.ndarray, slate: np.ndarray, views: Impressions) -> float:
    """Of neighbours in slates whose order is known, the share that the score puts in that order,
    mean over views; ties count half.
    """
    times = np.bincount(views.slate, minlength=len(views.source)) * views.ordered
    before, after = score[:-1], score[1:]
    same = np.where(before == after, 0.5, before > after)
    weight = np.where(slate[1:] == slate[:-1], times[slate[1:]], 0)
    return float((same * weight).sum() / weight.sum()) if weight.any() else np.nan


def _on(agreement: Mapping[str, float]) -> list[str]:
    """What is to be noted of it."""
    if np.isnan([*agreement.values()]).any():
        return []
    shares = ", ".join(f"{text.number(share, '.0%')} {name}" for name, share in agreement.items())
    return [
        f"Of neighbours as they were shown, so many stand in the order of each: {shares}. Clicks "
        "at the top favour the highest."
    ]


def _tables(
    values: dict[str, dict[str, np.ndarray]],
    deciding: str,
    weights: np.ndarray,
    session: np.ndarray,
    random: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means and differences to the first, all from the same draws."""
    import pandas as pd

    first, *others = values
    names = [*values[first]]
    cells = [(name, metric, values[name][metric]) for name in values for metric in names]
    gaps = [
        (name, metric, values[name][metric] - values[first][metric])
        for name in others
        for metric in names
    ]
    counted = [
        weights if metric == deciding else np.ones(len(session)) for _, metric, _ in [*cells, *gaps]
    ]
    found = bootstrap.means(
        [column for *_, column in [*cells, *gaps]], session, random, weights=counted
    )
    rows: dict[str, dict[str, float]] = {name: {} for name in values}
    for number, (name, metric, _) in enumerate(cells):
        parts = (found.mean[number], found.low[number], found.high[number])
        rows[name] |= zip(
            (metric, f"{metric} low", f"{metric} high"), map(float, parts), strict=True
        )
    records = [
        {
            "bundle": name,
            "metric": metric,
            "difference": float(found.mean[number]),
            "low": float(found.low[number]),
            "high": float(found.high[number]),
            "p": float(found.p[number]),
            "n": int((~np.isnan(column)).sum()),
        }
        for number, (name, metric, column) in enumerate(gaps, start=len(cells))
    ]
    differences = pd.DataFrame(records)
    for metric in names:
        of_metric = differences["metric"] == metric
        differences.loc[of_metric, "p"] = bootstrap.holm(differences.loc[of_metric, "p"].to_numpy())
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("bundle")
    gain = differences[differences["metric"] == deciding].set_index("bundle")
    for column, part in (("gain", "difference"), ("gain low", "low"), ("gain high", "high"),
                         ("gain p", "p")):  # fmt: skip
        table[column] = gain[part].reindex(table.index)
    return table, differences


def _slices(
    sides: Mapping[str, Bundle | Lists],
    values: dict[str, dict[str, np.ndarray]],
    log: Impressions,
    articles: Mapping[str, Article] | None,
    random: np.random.Generator,
    *,
    metric: str,
) -> pd.DataFrame:
    import pandas as pd

    first, *others = sides
    judges = [side for side in [*sides.values()][::-1] if isinstance(side, Bundle)]
    if not judges:
        return pd.DataFrame()
    case = case_of(judges[0], log, articles)
    found = []
    for name in others:
        value = values[name][metric]
        gain = value - values[first][metric]
        part = slice_table(case, value, gain, random, metric=metric)
        part.insert(0, "bundle", name)
        found.append(part)
    return pd.concat(found, ignore_index=True)


def _notes(log: Impressions, views: Impressions, k: int, *, is_weighed: bool) -> list[str]:
    notes = [f"Means are per clicked view: {len(views.slate):,} of {len(log.slate):,} views."]
    if is_weighed:
        notes.append(
            "Readers look at the top of a list first; places weighed: each view counts one over "
            "the chance that the places it followed are looked at, as estimated by a bundle that "
            "is judged. That figure decides; slices count every view alike."
        )
    elif views.ordered[views.slate].any():
        notes.append(
            "Readers look at the top of a list first, so clicks favour the order shown, and what "
            "is like it; no bundle that is judged knows by how much."
        )
    notes.append(
        "Only links that were shown can be judged: what a list has that was never shown is not in "
        "these figures."
    )
    if views.size[views.slate].max() <= k:
        notes.append(
            f"No slate has more than {k} links, so recall@{k} and hit rate@{k} are 1 whatever the "
            "order; a smaller k makes them differ."
        )
    if views.n_sessions < bootstrap.FEW_CLUSTERS:
        notes.append(f"The views are of {views.n_sessions} visits only: intervals are too narrow.")
    return notes
