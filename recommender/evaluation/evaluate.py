"""Is the bundle's order of the links better than the one readers saw, and than simple ones?

Every view in which something was followed is ranked again by the bundle and by each baseline;
what was followed should come first. Intervals are a bootstrap over sessions, since the views of
one visit are not independent. Where positions influenced the clicks, the order shown has them on
its side: it is a high bar, not a fair one, as the report notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.errors import CalibrationError, EvaluationError
from recommender.evaluation import bootstrap, metrics
from recommender.evaluation.baselines import MODEL, Case, case_of, scores, sizes_of
from recommender.evaluation.examples import example_table
from recommender.evaluation.list_quality import list_figures
from recommender.evaluation.offpolicy import estimate
from recommender.evaluation.report.report import Report
from recommender.evaluation.runs import Ranked
from recommender.evaluation.slices import slice_table
from recommender.events.event import latest_at
from recommender.ragged import at, find, ranks
from recommender.ranking.calibration import Reliability, reliability
from recommender.store.impressions import Impressions
from recommender.times import parse_time

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MODEL", "Report", "judge"]

Values = dict[str, dict[str, np.ndarray]]


def end_of_data(bundle: Bundle) -> int:
    """The moment of the last view that the bundle learned from, in milliseconds since 1970; -1 if
    it learned from none.
    """
    until = bundle.about.data_until_ms
    if until is None:
        return -1
    # Earlier releases learned from views of the future, and took their data to end there.
    built = parse_time(bundle.about.built)
    return until if until <= latest_at(built) else int(built.timestamp() * 1000)


def judge(
    bundle: Bundle,
    log: Impressions,
    *,
    k: int = 10,
    seed: int = 0,
    articles: Mapping[str, Article] | None = None,
) -> Report:
    """Rank the links of every clicked view again, and estimate from all views what the bundle's own
    lists would have won. ``EvaluationError`` if no view was followed.

    ``articles`` by id are what hand-picked lists, dates and the names of categories are read from;
    without them the baselines and slices that need them are left out.
    """
    random = np.random.default_rng(seed)
    case = case_of(bundle, log, articles)
    views = case.views
    if len(views.slate) == 0:
        raise EvaluationError(
            f"no view to judge bundle {bundle.name} by: of {len(log.slate):,} views none was "
            "followed by a click on one of at least two links shown"
        )
    values, ranked, left_out = _values(case, k, random)
    metric = f"nDCG@{k}"
    counts = {name: int((~np.isnan(each)).sum()) for name, each in values[MODEL].items()}
    for order in values:
        values[order]["gain"] = values[MODEL][metric] - values[order][metric]
    table = _table(values, views.session, random)
    against = str(table.drop(index=MODEL)[metric].idxmax())
    gain = values[against]["gain"]
    held, calibrated = _reliability(case)
    notes = [*_notes(case, k), *left_out, calibrated]
    off_policy = None
    try:
        off_policy = estimate(log, bundle, k=k, model=None)
    except EvaluationError as exc:
        notes.append(f"What the bundle's own lists would have won is not estimated: {exc}.")
    return Report(
        table=table,
        notes=notes,
        n_views=len(views.slate),
        n_sessions=views.n_sessions,
        metric=metric,
        bundle=bundle.name,
        reliability=held.frame() if held else None,
        calibration_error=held.error if held else None,
        lists=list_figures(case, k=k),
        slices=slice_table(case, values[MODEL][metric], gain, random, metric=metric),
        examples=example_table(case, gain, random, k=k),
        against=against,
        window=_window(case),
        off_policy=off_policy,
        counts=counts,
        ranked=ranked,
    )


def _values(case: Case, k: int, random: np.random.Generator) -> tuple[Values, Ranked, list[str]]:
    """Each metric of each order, ``(n_views,)``, how it ranked, and why orders are left out."""
    views = case.views
    sizes = sizes_of(case.slate, views)
    tie = random.random(len(case.link))
    scored, left_out = scores(case)
    found: Values = {}
    ranked: dict[str, np.ndarray] = {}
    followed = np.searchsorted(case.link, views.click_link)
    for order, score in scored.items():
        ranked[order] = ranks(case.slate, score, tie)
        found[order] = {
            name: metric(ranked[order][followed], views.click_view, sizes)
            for name, metric in metrics.columns(k).items()
        }
    return found, Ranked(views, case.link, case.slate, ranked), left_out


def _table(values: Values, session: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    """Means with intervals, orders down, metrics across."""
    import pandas as pd

    cells = [(order, name) for order in values for name in values[order]]
    found = bootstrap.means([values[order][name] for order, name in cells], session, random)
    p = dict(zip(cells, found.p, strict=True))
    others = [order for order in values if order != MODEL]
    corrected = bootstrap.holm(np.array([p[order, "gain"] for order in others]))
    rows: dict[str, dict[str, float]] = {order: {} for order in values}
    for number, (order, name) in enumerate(cells):
        low, high = float(found.low[number]), float(found.high[number])
        rows[order] |= {name: float(found.mean[number]), f"{name} low": low, f"{name} high": high}
    for order, sure in zip([MODEL, *others], [np.nan, *corrected], strict=True):
        rows[order]["gain p"] = float(sure)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("order of the links")


def _reliability(case: Case) -> tuple[Reliability | None, str]:
    """Chances against what was followed in all views, clicked or not, and a note on it."""
    bundle, log = case.bundle, case.log
    try:
        calibration = bundle.calibration
    except CalibrationError as exc:
        return None, f"{exc}."
    shown, clicks = log.shown_and_clicked()
    slate = log.link_slate
    source, item = case.row[log.source][slate], case.row[log.item]
    use = np.flatnonzero((item >= 0) & (source >= 0))
    if len(use) == 0:
        return None, "No link shown is known to the bundle, so no chance was stated."
    use = use[np.argsort(source[use], kind="stable")]
    table = np.array([calibration.examination(layout) for layout in log.layouts])
    place = np.where(log.ordered[slate], log.place + 1, 0)[use]
    examined = table[log.layout[slate[use]], np.minimum(place, table.shape[1] - 1)]
    exposures = shown[use] * examined
    n_articles = len(bundle.lists.stub)
    pairs, pair = np.unique(source[use] * n_articles + item[use], return_inverse=True)
    judged = find(case.sources * n_articles + case.items, pairs)
    score = at(case.score, judged)
    score[judged < 0] = bundle.score_rows(*np.divmod(pairs[judged < 0], n_articles))
    stated = calibration.chance(pairs // n_articles, score)[pair]
    held = reliability(stated, exposures, clicks[use])
    n_views = max(len(log.slate), 1)
    return held, (
        f"Chances stated are off by {100 * held.error:.2f} percentage points in the mean (expected "
        f"calibration error); {(exposures * stated).sum() / n_views:.3f} clicks a view were to be "
        f"expected and {clicks[use].sum() / n_views:.3f} were made."
    )


def _window(case: Case) -> dict[str, Any]:
    """The stretches of the log that the bundle saw and is judged by, and how much is in them."""
    bundle, views = case.bundle, case.views
    first, last = bundle.about.data_window
    shown, clicks = (int(times.sum()) for times in case.log.shown_and_clicked())
    n_views = max(len(case.log.slate), 1)
    return {
        "bundle built": bundle.about.built,
        "bundle's data": f"{first} to {last}" if first else "no views",
        "judged views": f"{_iso(views.ts.min())} to {_iso(views.ts.max())}",
        "views of a list": f"{len(case.log.slate):,}",
        "of these followed by a click": f"{len(views.slate):,} "
        f"({100 * len(views.slate) / n_views:.1f} %, per page view)",
        "clicks": f"{clicks:,} ({clicks / n_views:.3f} per page view; "
        f"{100 * clicks / max(shown, 1):.2f} % of the links shown, per link)",
        "visits": f"{views.n_sessions:,} with a click",
        "pages": f"{len(np.unique(views.source[views.slate])):,} with a clicked view",
    }


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(int(moment) / 1000, UTC).isoformat(timespec="seconds")


def _notes(case: Case, k: int) -> list[str]:
    bundle, views = case.bundle, case.views
    notes = [
        f"Means are per clicked view: {len(views.slate):,} of {len(case.log.slate):,} views.",
        f"The bundle was decided by {bundle.decided_by}: {bundle.about.reason}.",
    ]
    if views.ordered[views.slate].all():
        notes.append(
            "Readers look at the top of a list first, so clicks favour the order shown; an order "
            "that matches it is better in these figures than in truth."
        )
    notes.append(
        "Only links that were shown can be judged: what a new list has that no old one had is not "
        "in these figures."
    )
    if views.size[views.slate].max() <= k:
        notes.append(
            f"No slate has more than {k} links, so recall@{k} and hit rate@{k} are 1 whatever the "
            "order; a smaller k makes them differ."
        )
    unknown = int((case.pair < 0).sum())
    if unknown:
        notes.append(
            f"{unknown:,} of {len(case.pair):,} links shown are not known to the bundle and come "
            "last in its order."
        )
    n_visits = views.n_sessions
    if n_visits < bootstrap.FEW_CLUSTERS:
        notes.append(f"The views are of {n_visits} visits only: intervals are too narrow.")
    return notes
