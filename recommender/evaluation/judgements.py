"""How good lists are by the grades that people gave their links, and how far judges agree.

A link's grade is the mean of its judges', from 0 (off-topic) to 3 (exactly what a reader wants
next). Each page's list is scored by nDCG with the grade as gain; the ideal list has the best of all
links graded beside the page. Grades were given to the lists of some day, so another list may hold
links without a grade: the whole list is closed up over them, and then its first ``k`` links count
(Sakai, "Alternatives to bpref", SIGIR 2007). Beside that figure stand the share of the first ``k``
links that have a grade and what the figure would be if those without one were off-topic. Both are
those of TREC's ``trec_eval``, with and without ``-J``. Closing up errs either way: up, as links
that nobody graded are more often poor; down, where a list runs out of graded links before ``k``.
Pages count as they were drawn, see ``page_sampling``.

>>> grades = {"hip": 3.0, "gout": 1.0, "salt": 0.0}
>>> [round(float(ndcg(order, grades, k=3)), 3) for order in (["hip", "gout"], ["salt", "hip"])]
[1.0, 0.521]
"""

from __future__ import annotations

import html
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.bundle.composition import MAX_K
from recommender.candidates import EMPTY
from recommender.evaluation import bootstrap, page_sampling
from recommender.evaluation.agreement import Agreement, agreement
from recommender.evaluation.report import text
from recommender.evaluation.report.picture import Picture, Row, intervals
from recommender.store.database import Store
from recommender.store.grades import Draw, Grade, drawn, read

if TYPE_CHECKING:
    import pandas as pd

# What each grade means, worst first.
GRADES = (
    "off-topic",
    "on the topic, but not what a reader wants next",
    "a good next page",
    "exactly what a reader wants next",
)
LOWEST, HIGHEST = 0, len(GRADES) - 1
HAND_PICKED, TEXT = "hand-picked", "nearest texts"
# Lists with a smaller share of graded links are not compared in words: closing them up flatters
# lists that were not judged (Sakai & Kando, "On information retrieval metrics designed for
# evaluation with incomplete relevance assessments", 2008). Nor are those that run out of graded
# links before ``k`` on more pages than this leaves: they look worse than they are. Not tuned.
FEW_GRADED = 0.8
GRADED, AS_0, MEAN, SHORT = "graded", "ungraded as 0", "mean grade", "runs out"


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Lists of one origin, by its ``name``: the ``pages`` that have one, and the ``links`` of each,
    ids in order; none for a page without a list.
    """

    name: str
    pages: Collection[str]
    links: Callable[[str], Sequence[str]]


def lists_of_bundle(bundle: Bundle, k: int, *, name: str | None = None) -> Source:
    """The lists that a bundle shows."""
    pages = {bundle.shelf.id_of(row) for row in bundle.shelf.pages_with_lists()}

    def links(page: str) -> list[str]:
        return [link.id for link in bundle.related(page, k)] if page in pages else []

    return Source(name or bundle.name, pages, links)


def lists_by_text(bundle: Bundle, k: int) -> Source:
    """The nearest articles by their texts alone, as a bundle knows them."""
    lists, near = bundle.lists, bundle.site.near

    def links(page: str) -> list[str]:
        row = lists.row(page)
        if row is None:
            return []
        rows = [item for item in near[row].tolist() if item != EMPTY and not lists.stub[item]]
        return [lists.id_of(item) for item in rows[:k]]

    rows = np.flatnonzero((np.asarray(lists.stub) == 0) & (near != EMPTY).any(axis=1)).tolist()
    return Source(TEXT, {lists.id_of(row) for row in rows}, links)


def lists_of_editors(articles: Mapping[str, Article], k: int) -> Source:
    """The hand-picked lists, without what is not there and without the page itself."""

    def links(page: str) -> list[str]:
        picked = articles[page].recommended if page in articles else ()
        known = [id for id in dict.fromkeys(picked) if id in articles and id != page]
        return known[:k]

    pages = {id for id, article in articles.items() if not article.stub and links(id)}
    return Source(HAND_PICKED, pages, links)


def lists_by_page(name: str, lists: Mapping[str, Sequence[str]]) -> Source:
    """Lists given by the ids of their pages."""
    pages = {page for page, links in lists.items() if len(links)}
    return Source(name, pages, lambda page: lists.get(page, ()))


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What came of grades. ``table`` has a row for each of the lists, the first being that the
    others are compared with: the mean ``nDCG@k`` over judged pages with its 95 % interval (``nDCG@k
    low``, ``nDCG@k high``), of the pages that have such a list and a grade in it, ``pages`` in
    number; ``ungraded as 0``, the same of the first ``k`` links as they stand, those without a
    grade for off-topic ones; the ``mean grade`` of a page's first ``k`` graded links; the share of
    its first ``k`` links that is ``graded``; the share of pages whose list ``runs out`` of graded
    links before ``k`` because of links without a grade; and how much better the first lists are,
    ``gain``, paired by page, with interval and ``gain p``, corrected for the number of lists.
    Means are ``per`` page view or page, as the pages were drawn.

    ``judges`` has a row a judge: how many ``grades`` he gave, on how many ``pages``, their ``mean``
    and when the ``last`` was given; ``agreement`` is how far they agree.
    """

    table: pd.DataFrame
    judges: pd.DataFrame
    agreement: Agreement
    metric: str
    per: str
    n_pages: int
    n_grades: int
    notes: list[str]

    @property
    def k(self) -> int:
        """How many links of a list count."""
        return int(self.metric.partition("@")[2])

    @property
    def verdict(self) -> str:
        """One sentence for who reads one sentence."""
        first = str(self.table.index[0])
        score = self.table[self.metric].iloc[0]
        judges, pages = text.count(len(self.judges), "judge"), text.count(self.n_pages, "page")
        verdict = f"{judges} on {pages}: {first} {self.metric} {text.number(score)}"
        found: dict[str, list[str]] = {"better": [], "worse": [], "unclear": []}
        for name, row in self.table.iloc[1:].iterrows():
            if row["gain"] == row["gain"] and not self._is_poor(str(name)):
                judgement = text.judgement(row["gain low"], row["gain high"], row["gain p"])
                found[judgement].append(f"{name} ({text.number(row['gain'], '+.3f')})")
        for judgement, words in (
            ("better", "better than"), ("worse", "worse than"),
            ("unclear", "no clear difference to"),
        ):  # fmt: skip
            if names := ", ".join(found[judgement]):
                verdict += f"; {words} {names}"
        if poor := ", ".join(filter(self._is_poor, map(str, self.table.index[1:]))):
            verdict += f"; not compared, as too few links are graded: {poor}"
        return f"{verdict}."

    def _is_poor(self, name: str) -> bool:
        both = self.table.loc[[self.table.index[0], name]]
        return bool(min(both[GRADED].min(), 1 - both[SHORT].max()) < FEW_GRADED)

    def plot(self) -> Picture:
        """The ``nDCG@k`` of each origin's lists as a bar with its interval."""
        rows = []
        for number, (name, row) in enumerate(self.table.iterrows()):
            mean, low, high = (float(row[f"{self.metric}{end}"]) for end in ("", " low", " high"))
            figures = "no grades" if np.isnan(mean) else text.span(mean, low, high)
            rows.append(Row(str(name), mean, low, high, figures, "bar", own=number == 0))
        return intervals(rows, most=1.0)

    def to_dict(self) -> dict[str, Any]:
        """For programs; what is not known is null."""
        lists, judges = as_records(self.table), as_records(self.judges)
        about = {"verdict": self.verdict, "metric": self.metric, "per": self.per}
        counts = {"pages": self.n_pages, "grades": self.n_grades}
        found = {"lists": lists, "judges": judges, "agreement": self.agreement.to_dict()}
        return {**about, **counts, **found, "notes": self.notes}

    def _repr_html_(self) -> str:
        table = self.table.to_html(float_format=lambda value: f"{value:.3f}", border=0)
        verdicts = f"{self.verdict} {self.agreement.verdict}"
        return f"<p><b>{html.escape(verdicts)}</b></p>{table}"


def judged(
    lists: Sequence[Source],
    grades: Sequence[Grade],
    draw: Draw | None = None,
    *,
    k: int = 10,
    seed: int = 0,
) -> Judged | None:
    """Score ``lists`` by ``grades``, as far down as ``k`` graded links, or as they were judged; the
    first is compared with the others. None if there are no grades. Lists are to be longer than
    ``k``, so that something is left when links without a grade are taken out.

    ``draw`` is how the pages were drawn, if they were.
    """
    if not grades:
        return None
    random = np.random.default_rng(seed)
    by_page = mean_grades(grades)
    pages, weights, per, notes = _pages_judged(by_page, draw)
    k = min(k, draw.depth) if draw else k
    metric = f"nDCG@{k}"
    values = {source.name: _values(source, pages, by_page, k) for source in lists}
    first = next(iter(values.values()))[metric]
    for found in values.values():
        found["gain"] = first - found[metric]
    n_off = sum(max(by_page[page].values()) <= LOWEST for page in pages)
    if n_off:
        off = text.count(n_off, "page")
        notes.append(f"Without nDCG: {off} on which every link graded is off-topic.")
    table = _table(values, weights, metric, random)
    notes += _on_ungraded(table, k)
    used = {page for page in pages if max(by_page[page].values()) > LOWEST}
    if len(used) < bootstrap.FEW_CLUSTERS:
        few = text.count(len(used), "page")
        notes.append(f"The grades are of {few} only: intervals are too narrow.")
    return Judged(
        table=table,
        judges=judges_of(grades),
        agreement=agreement_of(grades, seed=seed),
        metric=metric,
        per=per,
        n_pages=len(pages),
        n_grades=len(grades),
        notes=notes,
    )


def judged_in(
    store: Store | None,
    sides: Mapping[str, Bundle | Mapping[str, Sequence[str]]],
    *,
    articles: Mapping[str, Article] | None = None,
    k: int = 10,
    seed: int = 0,
) -> Judged | None:
    """The lists of ``sides`` by their names, bundles or lists by page, the first beside the others,
    those of editors and those by text alone, by the grades that a store holds. None if it holds
    none.
    """
    grades = read(store) if store is not None else []
    if store is None or not grades:
        return None
    if articles is None:
        articles = {article.id: article for article in store.articles(with_body=False)}
    lists = [
        lists_of_bundle(side, MAX_K, name=name)
        if isinstance(side, Bundle)
        else lists_by_page(name, side)
        for name, side in sides.items()
    ]
    lists += [lists_of_editors(articles, MAX_K)]
    lists += [lists_by_text(side, MAX_K) for side in sides.values() if isinstance(side, Bundle)][:1]
    named = {each.name: each for each in reversed(lists) if each.pages}
    kept = [each for each in lists if named.get(each.name) is each]
    return judged(kept, grades, drawn(store), k=k, seed=seed)


def mean_grades(grades: Sequence[Grade]) -> dict[str, dict[str, float]]:
    """The mean grade of each link over its judges, by page and article."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for grade in grades:
        found[grade.source_id][grade.id].append(grade.grade)
    return {
        page: {id: sum(given) / len(given) for id, given in links.items()}
        for page, links in found.items()
    }


def ndcg(links: Sequence[str], grades: Mapping[str, float], *, k: int) -> float:
    """nDCG of the first ``k`` of ``links``, the grade being the gain, 0 without one; NaN where no
    grade is above 0 (Järvelin & Kekäläinen 2002).
    """
    gains = np.array([grades.get(id, 0.0) for id in links[:k]])
    best = np.sort(np.array([*grades.values()], dtype=np.float64))[::-1][:k]
    ideal = _discounted(best)
    return _discounted(gains) / ideal if ideal > 0 else float("nan")


def _discounted(gains: np.ndarray) -> float:
    return float((gains / np.log2(2 + np.arange(len(gains)))).sum())


def _pages_judged(
    by_page: Mapping[str, object], draw: Draw | None
) -> tuple[list[str], np.ndarray, str, list[str]]:
    """The pages that count, the weight of each, what means are per, and notes."""
    if draw is None:
        pages = sorted(by_page)
        note = "The pages were not drawn here: means are over those graded, each page alike."
        return pages, np.ones(len(pages)), "page", [note]
    order = draw.pages
    n = _n_judged(draw, by_page)
    places = [place for place in range(n) if order[place].source_id in by_page]
    if not places:
        pages = sorted(by_page)
        note = (
            "No page of the draw has been judged so far: means are over those that have grades, "
            "each page alike, and stand for no others."
        )
        return pages, np.ones(len(pages)), "page", [note]
    weights = np.array(page_sampling.weights(order, n))[places]
    pages = [order[place].source_id for place in places]
    per = "page view" if draw.drawn_by == page_sampling.VIEWS else "page"
    how = "by how often they are read" if draw.drawn_by == page_sampling.VIEWS else "each alike"
    notes = [
        f"Means are per {per}: the pages were drawn at random out of {draw.n_pages:,}, {how} "
        f"(seed {draw.seed}, {draw.at:%Y-%m-%d})."
    ]
    if n_gaps := n - len(places):
        gaps = text.count(n_gaps, "page")
        notes.append(f"Without a grade: {gaps} of the first {n:,} drawn, as far as was judged.")
    if n_others := len(by_page) - len(pages):
        others = text.count(n_others, "page")
        notes.append(
            f"Grades on {others} beside these, of another draw or from a file, count for the "
            "agreement alone."
        )
    return pages, weights, per, notes


def _n_judged(draw: Draw, by_page: Collection[str]) -> int:
    """How many pages of a draw, from its first, are the sample. Grades of an earlier draw, or from
    a file, fall on pages anywhere in it, mostly on those that are read much, so where they stand
    says nothing: all that were asked for are the sample once each has a grade, and till then those
    as far as judges came.
    """
    asked = draw.pages[: draw.n_asked]
    if all(page.source_id in by_page for page in asked):
        return len(asked)
    return min(draw.n_reached, len(draw.pages))


def _values(
    source: Source, pages: Sequence[str], by_page: Mapping[str, Mapping[str, float]], k: int
) -> dict[str, np.ndarray]:
    """What each page's list reaches, ``(n_pages,)``; NaN where there is no list, or no grade."""
    found: dict[str, list[float]] = {f"nDCG@{k}": [], AS_0: [], MEAN: [], GRADED: [], SHORT: []}
    for page in pages:
        grades = by_page[page]
        whole = list(dict.fromkeys(source.links(page)))
        # Taken out before the list is cut: a link nobody graded must not cost one that is graded.
        links, known = whole[:k], [id for id in whole if id in grades][:k]
        given = [grades[id] for id in known]
        found[f"nDCG@{k}"].append(ndcg(known, grades, k=k) if known else np.nan)
        found[AS_0].append(ndcg(links, grades, k=k) if links else np.nan)
        found[MEAN].append(float(np.mean(given)) if given else np.nan)
        share = np.mean([id in grades for id in links]) if links else np.nan
        found[GRADED].append(float(share))
        found[SHORT].append(float(len(known) < len(links)) if links else np.nan)
    return {name: np.array(values, dtype=np.float64) for name, values in found.items()}


def _table(
    values: Mapping[str, Mapping[str, np.ndarray]],
    weights: np.ndarray,
    metric: str,
    random: np.random.Generator,
) -> pd.DataFrame:
    import pandas as pd

    names = [*values]
    cells = [(name, column) for name in names for column in values[name]]
    page = np.arange(len(weights))
    columns = [values[name][column] for name, column in cells]
    found = bootstrap.means(columns, page, random, weights=[weights] * len(columns))
    p = dict(zip(cells, found.p, strict=True))
    corrected = bootstrap.holm(np.array([p[name, "gain"] for name in names[1:]]))
    rows: dict[str, dict[str, float]] = {name: {} for name in names}
    for number, (name, column) in enumerate(cells):
        rows[name][column] = float(found.mean[number])
        if column not in (GRADED, AS_0, SHORT):
            rows[name][f"{column} low"] = float(found.low[number])
            rows[name][f"{column} high"] = float(found.high[number])
    for name, sure in zip(names, [np.nan, *corrected], strict=True):
        rows[name]["gain p"] = float(sure)
        rows[name]["pages"] = int((~np.isnan(values[name][metric])).sum())
    if names:
        rows[names[0]] |= {"gain": np.nan, "gain low": np.nan, "gain high": np.nan}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("lists")


def _on_ungraded(table: pd.DataFrame, k: int) -> list[str]:
    notes = []
    for name, row in table.iterrows():
        graded, short = float(row[GRADED]), float(row[SHORT])
        if graded < FEW_GRADED or short > 1 - FEW_GRADED:
            notes.append(
                f"Of the first {k} links of {name} {text.number(graded, '.0%')} have a grade, and "
                f"on {text.number(short, '.0%')} of its pages fewer than {k} graded links are "
                "left: its nDCG is too high if links without a grade are worse than the others, "
                "and too low where too few are left. Judging its lists too makes it firm."
            )
    return notes


def judges_of(grades: Sequence[Grade]) -> pd.DataFrame:
    """One row a judge, see ``Judged``."""
    import pandas as pd

    by: dict[str, list[Grade]] = defaultdict(list)
    for grade in grades:
        by[grade.by].append(grade)
    rows = {
        name: {
            "grades": len(given),
            "pages": len({grade.source_id for grade in given}),
            "mean": sum(grade.grade for grade in given) / len(given),
            "last": max(grade.at for grade in given),
        }
        for name, given in sorted(by.items())
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("judge")


def agreement_of(grades: Sequence[Grade], *, seed: int = 0) -> Agreement:
    """How far those who gave them agree."""
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for grade in grades:
        found[grade.pair][grade.by] = grade.grade
    return agreement(((page, given) for (page, _), given in found.items()), seed=seed)


def as_records(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Rows by their names, for programs; NaN is null, a moment ISO 8601."""
    text = frame.to_json(orient="index", double_precision=15, date_format="iso")
    rows: dict[str, dict[str, Any]] = json.loads(text)
    return rows
