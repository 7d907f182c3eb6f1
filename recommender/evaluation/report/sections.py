"""The parts of a report's page, each from one table of the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from recommender.evaluation.baselines import MODEL
from recommender.evaluation.examples import WORST
from recommender.evaluation.list_quality import DENOMINATORS
from recommender.evaluation.offpolicy import OffPolicy
from recommender.evaluation.report import drawing, html
from recommender.evaluation.report.html import Cell, Html
from recommender.evaluation.slices import KNOWN

if TYPE_CHECKING:
    import pandas as pd

MINUS = "\N{MINUS SIGN}"
# What corrected p-values have to lie below.
LEVEL = 0.05
NAMES = {
    "pages": "pages with a list",
    "links": "links per list",
    "coverage": "coverage",
    "gini": "Gini of exposure",
    "novelty": "novelty, bits",
    "similarity": "similarity within a list",
    "near-duplicates": "near-duplicates",
    "fallback links": "fallback, of links",
    "fallback views": "fallback, of views",
}
SHARES = ("coverage", "near-duplicates", "fallback links", "fallback views")
MEANING = {
    "nDCG": "gains of the followed links among the first k, discounted by the logarithm of the "
    "place, over the best possible",
    "MRR": "1 over the place of the best-placed followed link",
    "MAP": "mean, over followed links, of the share of followed ones down to each",
    "recall": "share of the followed links among the first k",
    "hit rate": "share of views with a followed link among the first k",
    "AUC": "chance that a followed link stands before one that was not, within its slate",
}


def judgement(low: float, high: float, p: float) -> str:
    """``better``, ``worse`` or ``unclear``, by the corrected p-value."""
    if not p < LEVEL:
        return "unclear"
    return "better" if low + high > 0 else "worse"


def p_text(p: float) -> str:
    """A p-value as one writes it."""
    if p != p:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def span_text(mean: float, low: float, high: float, *, sign: bool = False) -> str:
    """A mean with its interval."""
    form = "+.3f" if sign else ".3f"
    return f"{mean:{form}} ({low:{form}} to {high:{form}})".replace("-", MINUS)


def orders(table: pd.DataFrame, metric: str, n_views: int) -> Html:
    """Every order's main metric as a bar, best on top."""
    ranked = table.sort_values(metric, ascending=False, kind="stable")
    top = 1.02 * float(ranked[f"{metric} high"].max()) or 1.0
    lines = []
    for name, row in ranked.iterrows():
        mean, low, high = (float(row[f"{metric}{end}"]) for end in ("", " low", " high"))
        kind = "model" if name == MODEL else "other"
        said = span_text(mean, low, high)
        picture = drawing.bar(mean, low, high, top=top, kind=kind, said=f"{name}: {said}")
        lines.append(html.plot_line(str(name), said, picture, own=name == MODEL))
    caption = (
        f"{metric} of each order of the links shown, mean per clicked view ({n_views:,} views). "
        "Thin lines and brackets: 95 % intervals."
    )
    return html.figure(html.plot(lines), caption)


def metrics(table: pd.DataFrame, metric: str) -> Html:
    """All metrics of all orders, the interval below each."""
    means = [name for name in table.columns if not name.endswith((" low", " high", " p"))]
    names = ["gain", *(name for name in means if name != "gain")]
    rows: list[list[Cell]] = []
    for order, row in table.iterrows():
        cells: list[Cell] = [str(order)]
        for name in names:
            mean, low, high = (float(row[f"{name}{end}"]) for end in ("", " low", " high"))
            if mean != mean or (name == "gain" and order == MODEL):
                cells.append("–")
            elif name == "gain":
                span = span_text(mean, low, high, sign=True)
                cells.append((span.partition(" ")[0], f"{low:+.3f} to {high:+.3f}"))
            else:
                cells.append((f"{mean:.3f}", f"{low:.3f}–{high:.3f}"))
        cells.insert(2, "–" if order == MODEL else p_text(float(row["gain p"])))
        rows.append(cells)
    caption = (
        "Means per clicked view, every view alike; small: 95 % intervals, bootstrap over visits. "
        f"All links of a slate are ranked, none was sampled. Gain: how much better in {metric} the "
        "model is than that order, view by view; p: that there is no difference, two-sided, "
        f"corrected for the number of comparisons ({len(table) - 1}; Holm)."
    )
    own = list(table.index).index(MODEL)
    head = ["order", "gain", "p", *names[1:]]
    used = [
        (name, what) for name, what in MEANING.items() if any(n.startswith(name) for n in names)
    ]
    return html.joined([html.table(head, rows, caption, own=own), html.facts(used)])


def slices(frame: pd.DataFrame, metric: str, against: str) -> Html:
    """The gain in every slice, a line each. What is known only when a link was followed has a
    picture and a scale of its own.
    """
    caption = (
        f"The model's {metric} less that of {against}, the strongest of the simple orders, mean "
        "per clicked view of the slice; lines: 95 % intervals. Disc: better; square: worse; ring: "
        f"no clear difference (p corrected for all {len(frame)} slices)."
    )
    after = (
        "The same by what is known of the link only once it was followed: it tells where an order "
        "lives from memory. On a scale of its own."
    )
    late = frame["by"] == KNOWN
    return html.joined(
        html.figure(_forest(part, against), text)
        for part, text in ((frame[~late], caption), (frame[late], after))
        if len(part)
    )


def _forest(frame: pd.DataFrame, against: str) -> str:
    reach = 1.05 * float(frame[["gain low", "gain high"]].abs().max().max()) or 1.0
    lines = [html.plot_sides(f"◂ {against} better", "model better ▸")]
    for by, part in frame.groupby("by", sort=False):
        lines.append(html.plot_group(f"by {by}"))
        for _, row in part.iterrows():
            mean, low, high, p = (
                float(row[n]) for n in ("gain", "gain low", "gain high", "gain p")
            )
            kind = judgement(low, high, p)
            said = span_text(mean, low, high, sign=True)
            views = f"{row['views']:,} views"
            name = f"{row['slice']}, {views}: {said}, {kind}"
            picture = drawing.forest(mean, low, high, reach=reach, kind=kind, said=name)
            lines.append(html.plot_line(row["slice"], said, picture, below=views))
    return html.plot(lines)


def chances(frame: pd.DataFrame, error: float) -> Html:
    """Stated chances beside what was followed."""
    said = "; ".join(
        f"stated {row['stated']:.1%}, followed {row['followed']:.1%}" for _, row in frame.iterrows()
    )
    columns = (frame[name].tolist() for name in ("stated", "followed", "low", "high"))
    caption = (
        f"Links by the chance the bundle states for them, {len(frame)} groups looked at equally "
        f"often, and the share followed, per look (view times examination). In the mean they are "
        f"{100 * error:.2f} percentage points apart. Lines: 95 % intervals; on the dashed line "
        "chances come true to the letter. Square-root scales."
    )
    return html.figure(drawing.reliability(*columns, said=said), caption)


def off_policy(found: OffPolicy) -> Html:
    """What lists that were not shown would have won, a line an estimator; the verdict alone if
    none could tell.
    """
    words = [html.text(found.verdict), html.items(found.notes)]
    if found.best is None:
        return html.joined(words)
    table = found.table
    highest = [*table["high"].dropna(), found.logged.high]
    top = 1.05 * max(map(float, highest)) or 1.0
    was = span_text(found.logged.value, found.logged.low, found.logged.high)
    lines = []
    for name, row in table.iterrows():
        mean, low, high = (float(row[part]) for part in ("estimate", "low", "high"))
        if mean != mean:
            lines.append(html.plot_line(str(name), "not given", "", below=str(row["says"])))
            continue
        said = span_text(mean, low, high)
        kind = "unclear" if row["depends on model"] else "model"
        label = f"{name}: {said}"
        picture = drawing.dot(
            mean, low, high, mark=found.logged.value, top=top, kind=kind, said=label
        )
        lines.append(
            html.plot_line(str(name), said, picture, below=str(row["says"]), own=name == found.best)
        )
    caption = (
        "Clicks per page view, by each estimator; lines: 95 % intervals; ring: depends on a model. "
        f"Dashed: what was shown won {was}. Estimated over {found.n_views:,} page views, clicked "
        "or not, from the chances at which links were shown."
    )
    grounds = html.table(
        ["estimator", "more than shown", "effective sample", "top 1 %", "without support"],
        [_grounds(str(name), row) for name, row in table.iterrows()],
        "Clicks per page view more than what was shown won, paired; how many views of the "
        "candidate's own lists say as much; the share of the weight in the heaviest hundredth; the "
        "share of the candidate's places the log says nothing of.",
    )
    return html.joined([words[0], html.figure(html.plot(lines), caption), grounds, words[1]])


def _grounds(name: str, row: pd.Series) -> list[Cell]:
    """What an estimate says of what was shown, and what it rests on."""
    gain, low, high = (float(row[part]) for part in ("gain", "gain low", "gain high"))
    cells: list[Cell] = [name, span_text(gain, low, high, sign=True) if gain == gain else "–"]
    sample = row["effective sample"]
    cells.append(f"{sample:,.0f}" if sample == sample else "–")
    shares = (row["top 1 %"], row["unsupported"])
    return cells + [f"{100 * share:.0f} %" if share == share else "–" for share in shares]


def whole_lists(frame: pd.DataFrame, k: int) -> Html:
    """A figure a row, a kind of list a column."""
    rows: list[list[Cell]] = []
    for name, of in DENOMINATORS.items():
        cells: list[Cell] = [(NAMES[name], of)]
        for value in frame[name]:
            if value != value:
                cells.append("–")
            elif name in SHARES:
                cells.append(f"{value:.1%}".replace("%", " %"))
            else:
                cells.append(f"{value:,.0f}" if name == "pages" else f"{value:.3g}")
        rows.append(cells)
    caption = f"Lists of {k} links at most, every page alike. A dash: does not apply."
    return html.table(["", *map(str, frame.index)], rows, caption, words=True)


def examples(frame: pd.DataFrame) -> Iterator[Html]:
    """Old and new lists side by side."""
    for _, part in frame.groupby("id", sort=False):
        first = part.iloc[0]
        old, new = (
            [(row[name], _times(int(row[f"{name} clicks"]))) for _, row in listed.iterrows()]
            for name in ("old", "new")
            for listed in [part[part[name].notna()]]
        )
        why = "here the model loses most" if first["chosen"] == WORST else "drawn at random"
        yield html.text(str(first["page"]), tag="h3")
        views = "1 clicked view" if first["views"] == 1 else f"{first['views']:,} clicked views"
        yield html.text(f"{views}; {why}", kind="quiet")
        yield html.side_by_side([(f"old: {first['old list']}", old), ("new", new)])


def _times(clicks: int) -> str:
    if not clicks:
        return ""
    return "followed once" if clicks == 1 else f"followed {clicks:,} times"


def window(facts: Mapping[str, object]) -> Html:
    """Which data the bundle saw, and which it is judged by."""
    return html.facts((name, str(what)) for name, what in facts.items())
