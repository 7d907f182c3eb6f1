"""What changed between two bundles, or a bundle and lists, where most, and which is better.

This is what an editor or operator reads before or after a switch. Rows of two bundles have nothing
to do with one another, so both sides are brought to one numbering, that of all their ids in order;
whatever ties comes in the order of the ids.

Which is better, three can tell, the surest first: an experiment that showed both; the log, of what
both would have won, where links stood at their places by known chances (``offpolicy``); and the
order in which each puts the links of views that neither learned from (``joint``).

>>> found = compare({"knee": ["hip", "gout"]}, {"knee": ["gout", "salt"]})
>>> found.first_changed, found.new_links
(1.0, 0.5)
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recommender import arguments
from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.candidates import EMPTY, MIN_LINKS
from recommender.errors import EvaluationError
from recommender.escaping import terminal
from recommender.evaluation.given_lists import Lists
from recommender.evaluation.joint import JointReport, about_zero, judge_jointly
from recommender.evaluation.metrics import METRICS
from recommender.evaluation.offpolicy import Difference, difference
from recommender.evaluation.outcomes import Outcome
from recommender.evaluation.report.picture import TEMPLATES, Picture, Row, intervals
from recommender.evaluation.report.text import number as written
from recommender.evaluation.report.text import span
from recommender.evaluation.slices import named_by_title
from recommender.evaluation.tidy import PAGE_VIEWS, PAGES, figure, frame
from recommender.store.impressions import Impressions

if TYPE_CHECKING:
    import pandas as pd

# Links of a list that count: as many as a page shows unless it asks for others.
K = 10
# Rows of what changed most: as many as are read at a glance. Not tuned.
N_MOST = 10
# A category of a smaller share of the pages is not among those that changed most, where a single
# page would stand first. Not tuned.
MIN_CATEGORY = 0.01
# How a reason begins why neither figure is given.
UNJUDGED = "Which is better is not judged: "


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared. ``n_articles`` are all of a bundle's, stubs aside, or all
    that lists link to; ``n_lists`` are the pages with a link, and ``most_listed`` stands in a share
    of ``most_listed_share`` of them. What only bundles have is None for lists.
    """

    name: str
    built: str | None
    decided_by: str | None
    learned_from: str | None
    n_articles: int
    n_pages: int
    n_lists: int
    most_listed: str | None
    most_listed_share: float

    @property
    def decided(self) -> str:
        """What decided its lists, in a word or three."""
        if self.decided_by is None:
            return "not known"
        if self.learned_from is None:
            return self.decided_by
        return f"{self.decided_by}, from {self.learned_from}"


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two sides' lists, of which the first ``k`` links count.

    ``table`` has one row a page that both have, by id: ``page``, ``title``, ``category`` (missing
    where it is not known), ``first_before`` and ``first_after`` (ids, missing for an empty list)
    and ``first_changed``, whether they differ, ``n_before`` and ``n_after`` links, of which
    ``n_lost`` and ``n_new`` are in one list only, and ``same_order``, whether the two are the same
    link by link. ``articles`` has one row an article
    of either side, indexed by ``id``: its ``title``, and in how many of these pages' lists it
    stands, ``before`` and ``after``. ``only_old`` and ``only_new`` are the ids of pages that one
    side alone has.
    """

    old: Side
    new: Side
    k: int
    table: pd.DataFrame
    articles: pd.DataFrame
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    before: np.ndarray
    after: np.ndarray
    offline: JointReport | None = None
    off_policy: Difference | None = None
    experiments: tuple[Outcome, ...] = ()
    missing: tuple[str, ...] = ()

    # Shares are of the pages that both have; NaN if there is none.

    @property
    def first_changed(self) -> float:
        """Share of pages whose first link is another."""
        return float(self.table["first_changed"].mean())

    @property
    def new_links(self) -> float:
        """Share of a page's links that it did not have, in the mean over pages; 0 for a page
        without links.
        """
        return float((self.table["n_new"] / self.table["n_after"].clip(lower=1)).mean())

    @property
    def same_order(self) -> float:
        """Share of pages whose list is the same link by link."""
        return float(self.table["same_order"].mean())

    @property
    def same_links(self) -> float:
        """Share of pages that have the same links, in whatever order."""
        return float(((self.table["n_new"] == 0) & (self.table["n_lost"] == 0)).mean())

    # Where most

    def most_lost(self, n: int = N_MOST) -> pd.DataFrame:
        """Rows of ``table``: the pages that lost the largest share of their links, the largest
        number of them first where shares tie.
        """
        n = _rows(n)
        table = self.table[self.table["n_lost"] > 0]
        share = table["n_lost"] / table["n_before"]
        order = np.lexsort((-table["n_lost"].to_numpy(), -share.to_numpy()))
        return table.iloc[order[:n]].reset_index(drop=True)

    def categories(self, n: int = N_MOST) -> pd.DataFrame:
        """The categories of which the largest share of links is new: ``category``, its ``pages``,
        ``new_links`` and ``first_changed``. Those of fewer than ``MIN_CATEGORY`` of the pages are
        left out.
        """
        groups = self.table.groupby("category", sort=True)
        links = groups[["n_new", "n_after"]].sum()
        found = links.assign(
            pages=groups.size(),
            new_links=links["n_new"] / links["n_after"].clip(lower=1),
            first_changed=groups["first_changed"].mean(),
        )
        found = found[found["pages"] >= MIN_CATEGORY * len(self.table)]
        found = found.sort_values("new_links", ascending=False, kind="stable").reset_index()
        return found[["category", "pages", "new_links", "first_changed"]].head(_rows(n))

    def gained(self, n: int = N_MOST) -> pd.DataFrame:
        """Rows of ``articles``: those that came into most lists."""
        return self._moved(n, 1)

    def lost(self, n: int = N_MOST) -> pd.DataFrame:
        """Rows of ``articles``: those that went out of most lists."""
        return self._moved(n, -1)

    def _moved(self, n: int, sign: int) -> pd.DataFrame:
        more = sign * (self.articles["after"] - self.articles["before"]).to_numpy()
        order = np.argsort(-more, kind="stable")[: _rows(n)]
        return self.articles.iloc[order[more[order] > 0]].reset_index()

    def title(self, id: object) -> str:
        """An article's title, its id where that is not known; nothing for what is missing."""
        return str(self.articles["title"].get(id, id)) if isinstance(id, str) else ""

    def lists(self, page: str) -> pd.DataFrame:
        """The two lists of a page beside one another, a row a place: ``position``, ``before``,
        ``after`` (ids, missing where a list ends), their titles, ``title_before`` and
        ``title_after``, and whether the link is in one list only, ``is_lost`` and ``is_new``.
        ``KeyError`` if it is no page of both.
        """
        import pandas as pd

        at = np.flatnonzero((self.table["page"] == page).to_numpy())
        if len(at) == 0:
            raise KeyError(page)
        ids = np.array([*self.articles.index, None], dtype=object)
        titles = np.array([*self.articles["title"], None], dtype=object)
        old, new = self.before[at[0]], self.after[at[0]]
        found = pd.DataFrame(
            {
                "position": np.arange(1, self.k + 1),
                "before": ids[old],
                "after": ids[new],
                "title_before": titles[old],
                "title_after": titles[new],
                "is_lost": (old != EMPTY) & ~np.isin(old, new),
                "is_new": (new != EMPTY) & ~np.isin(new, old),
            }
        )
        return found[(old != EMPTY) | (new != EMPTY)]

    # Which is better

    @property
    def verdict(self) -> str:
        """One sentence on which is better, and by what that is known."""
        old, new = self.old.name, self.new.name
        found = [*self._evidence()]
        doubtful = [words for kind, words in found if kind == "doubtful"]
        found = [(kind, words) for kind, words in found if kind != "doubtful"]
        clauses = [*(each.sentence for each in self.experiments)]
        if not found and doubtful:
            lead = f"Nothing tells for sure whether {new} is better than {old}"
            return "; ".join([f"{lead}: {doubtful[0]}", *clauses]).rstrip(".") + "."
        if not found:
            if clauses:
                return "; ".join(clauses).rstrip(".") + "."
            found_none = (each.removeprefix(UNJUDGED).removesuffix(".") for each in self.missing)
            reasons = "; ".join(found_none)
            return f"Nothing tells whether {new} is better than {old}: {reasons}."
        judged = next((kind for kind, _ in found if kind != "unclear"), "unclear")
        opposite = {"better": "worse", "worse": "better"}.get(judged)
        lead = {
            "better": f"{new} is better than {old}",
            "worse": f"{new} is worse than {old}",
            "unclear": f"There is no clear difference between {old} and {new}",
        }[judged]
        by = [words for kind, words in found if kind == judged]
        rest = [words for kind, words in found if kind == "unclear" and judged != "unclear"]
        against = [words for kind, words in found if kind == opposite]
        sentence = f"{lead} {', and '.join(by)}"
        if rest:
            sentence += f"; no clear difference {', and '.join(rest)}"
        if against:
            sentence += f"; but {', and '.join(against)}, the other is"
        return "; ".join([sentence, *doubtful, *clauses]).rstrip(".") + "."

    def _evidence(self) -> Iterator[tuple[str, str]]:
        """What figures tell, the surest first: ``better``, ``worse``, ``unclear`` or ``doubtful``
        and in words.
        """
        if (won := self.off_policy) is not None and not won.reason:
            gain = won.gain
            judged = "better" if gain.low > 0 else "worse" if gain.high < 0 else "unclear"
            if gain.low == gain.high:
                judged = "unclear"
            clicks = span(gain.value, gain.low, gain.high, sign=True)
            yield judged, f"by what the lists would have won, {clicks} clicks a page view"
        if (offline := self.offline) is not None:
            name = offline.names[1]
            figures = f"the order of links shown, {offline.gain(name)}, {offline.n_views:,}"
            if offline.is_doubtful(name):
                yield "doubtful", f"{figures} clicked views, tells little: {offline.doubt(name)}"
            else:
                yield offline.judgement(name), f"by {figures} clicked views"

    @property
    def tidy(self) -> pd.DataFrame:
        """Every figure in a row of its own; columns are those of ``tidy.Figure``."""
        old, new = self.old.name, self.new.name
        none = np.nan, np.nan
        found = [
            figure(new, name, (share, *none), len(self.table), against=old, denominator=PAGES)
            for name, share in self._shares().items()
        ]
        if (won := self.off_policy) is not None and not won.reason:
            metric = f"clicks a page view, {won.estimator}"
            for name, part, against in (
                (old, won.old, ""),
                (new, won.new, ""),
                (new, won.gain, old),
            ):
                found.append(
                    figure(
                        name, metric, (part.value, part.low, part.high), won.n_views,
                        against=against, denominator=PAGE_VIEWS,
                    )
                )  # fmt: skip
        return frame([*found, *(self.offline.figures() if self.offline else ())])

    def _shares(self) -> dict[str, float]:
        names = ("first_changed", "new_links", "same_order", "same_links")
        return {name: float(getattr(self, name)) for name in names}

    def plot(self) -> Picture | None:
        """The gain of the new one by every figure there is, with its interval; None if there is
        none.
        """
        rows = self.offline.gain_rows() if self.offline else []
        return about_zero(rows, (self.old.name, self.new.name)) if rows else None

    def plot_off_policy(self) -> Picture | None:
        """What both would have won and the difference; None if the log does not support it."""
        if (won := self.off_policy) is None or won.reason:
            return None
        rows = []
        for name, part in ((self.old.name, won.old), (self.new.name, won.new)):
            words = span(part.value, part.low, part.high)
            rows.append(Row(name, part.value, part.low, part.high, words, "bar"))
        return intervals(rows, most=1.02 * max(won.old.high, won.new.high) or 1.0)

    def to_html(self, n: int = N_MOST) -> str:
        """One self-contained page, the verdict first; ``n`` rows of what changed most."""
        n, template = _rows(n), TEMPLATES.get_template("comparison.html.j2")
        return template.render(found=self, n=n, METRICS=METRICS)

    def summary(self) -> str:
        """A sentence or two for who reads one or two."""
        old, new, n_pages = self.old.name, self.new.name, len(self.table)
        if n_pages == 0:
            return f"{old} and {new} have no page in common."
        both = "the one page" if n_pages == 1 else f"the {n_pages:,} pages"
        if self.table["same_order"].all():
            return f"Of {both} that {old} and {new} both have, no list changed."
        text = (
            f"From {old} to {new}, of {both} that both have, {_percent(self.first_changed)} got "
            f"another first link and {_percent(self.same_order)} kept their list as it was; of a "
            f"list's first {self.k} links {_percent(self.new_links)} are new in the mean."
        )
        most = self.categories(1)
        if len(most) and most.loc[0, "new_links"] > 0:
            row = most.loc[0]
            text += (
                f" The category that changed most is {row['category']}, with "
                f"{_percent(row['new_links'])} of its links new."
            )
        return text

    def __str__(self) -> str:
        return terminal(self.summary())

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self.verdict)}</b></p><p>{html.escape(self.summary())}</p>"

    def to_dict(self, n: int = N_MOST) -> dict[str, Any]:
        """All but the table as JSON has it, ``n`` rows of what changed most; None for NaN."""
        return {
            "verdict": self.verdict,
            "k": self.k,
            "n_pages": len(self.table),
            "n_only_old": len(self.only_old),
            "n_only_new": len(self.only_new),
            **{name: _plain(share) for name, share in self._shares().items()},
            "old": asdict(self.old) | {"most_listed_share": _plain(self.old.most_listed_share)},
            "new": asdict(self.new) | {"most_listed_share": _plain(self.new.most_listed_share)},
            "most_lost": _records(self.most_lost(n)),
            "categories": _records(self.categories(n)),
            "gained": _records(self.gained(n)),
            "lost": _records(self.lost(n)),
            "summary": self.summary(),
            "offline": self.offline and self.offline.to_dict(),
            "off_policy": self.off_policy and self.off_policy.to_dict(),
            "experiments": [asdict(each) for each in self.experiments],
            "missing": [*self.missing],
        }


def compare(
    old: Bundle | Lists,
    new: Bundle | Lists,
    k: int = K,
    *,
    articles: pd.DataFrame | None = None,
    names: tuple[str, str] | None = None,
) -> Comparison:
    """What changed from one bundle, or mapping from a page's id to the ids of its list, to another.

    The first ``k`` links count. Of a bundle, a page is an article with a list of its own; editors'
    rules are applied if it was opened with them. ``articles``, with columns ``id``, ``title`` and
    ``category``, names categories and what no bundle knows; without it a category goes by the title
    of its most read article. ``names`` are what the sides are called.
    """
    import pandas as pd

    sides = _listed(old, k), _listed(new, k)
    ids = sorted({*_ids(sides[0]), *_ids(sides[1])})
    number = {id: at for at, id in enumerate(ids)}
    before, after = (_numbered(side, number, k) for side in sides)
    both = before.is_page & after.is_page
    page = np.flatnonzero(both)
    a, b = before.items[page], after.items[page]
    # EMPTY is -1, the last: an empty slot has no name.
    name = np.array([*ids, None], dtype=object)
    titles, categories = _known(sides, articles)
    table = pd.DataFrame(
        {
            "page": name[page],
            "title": [titles.get(id, id) for id in name[page]],
            "category": np.array([categories.get(id) for id in name[page]], dtype=object),
            "first_before": name[a[:, 0]],
            "first_after": name[b[:, 0]],
            "first_changed": a[:, 0] != b[:, 0],
            "n_before": (a != EMPTY).sum(axis=1),
            "n_after": (b != EMPTY).sum(axis=1),
            "n_new": _missing(b, a),
            "n_lost": _missing(a, b),
            "same_order": (a == b).all(axis=1),
        }
    )
    found = pd.DataFrame(
        {
            "title": [titles.get(id, id) for id in ids],
            "before": _times(a, len(ids)),
            "after": _times(b, len(ids)),
        },
        index=pd.Index(ids, name="id", dtype=object),
    )
    names = names or names_of(old, new)
    return Comparison(
        old=_side(old, before, names[0], ids),
        new=_side(new, after, names[1], ids),
        k=k,
        table=table,
        articles=found,
        only_old=tuple(name[np.flatnonzero(before.is_page & ~after.is_page)]),
        only_new=tuple(name[np.flatnonzero(after.is_page & ~before.is_page)]),
        before=a,
        after=b,
    )


def judged(
    found: Comparison,
    old: Bundle | Lists,
    new: Bundle | Lists,
    log: Impressions,
    *,
    seed: int = 0,
    articles: Mapping[str, Article] | None = None,
) -> Comparison:
    """The comparison with which is better, by the views of a log that neither has learned from;
    ``missing`` has why a figure is not given.
    """
    sides = {found.old.name: old, found.new.name: new}
    missing = [*found.missing]
    offline = None
    try:
        offline = judge_jointly(sides, log, k=found.k, seed=seed, articles=articles)
    except EvaluationError as exc:
        missing.append(f"The orders of links shown are not judged: {exc}.")
    won = difference(log, old, new, k=found.k, names=(found.old.name, found.new.name))
    if won.reason:
        missing.append(f"What the lists would have won is not estimated: {won.reason}.")
    return replace(found, offline=offline, off_policy=won, missing=tuple(missing))


def changed_first(old: Bundle, new: Bundle) -> float:
    """Share of the pages both have whose first link is another; NaN if they share no page."""
    number: dict[str, int] = {}
    for bundle in (old, new):
        for id in _ids(bundle):
            number.setdefault(id, len(number))
    before, after = _numbered(old, number, 1), _numbered(new, number, 1)
    both = before.is_page & after.is_page
    if not both.any():
        return float("nan")
    return float((before.items[both] != after.items[both]).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Numbered:
    """A side's lists in the common numbering: ``items``, ``(n_ids, k)``, ``EMPTY`` where a list
    ends, and what is a page of its, ``(n_ids,)``.
    """

    items: np.ndarray
    is_page: np.ndarray


def shown(bundle: Bundle, k: int) -> np.ndarray:
    """The first ``k`` links of every article as its page shows them, in the bundle's own rows,
    ``(n_articles, k)``; none for stubs.
    """
    lists = bundle.lists
    real = np.asarray(lists.stub) == 0
    items = np.full((len(real), k), EMPTY, dtype=np.int64)
    prepared = np.asarray(lists.items)[:, :k]
    items[:, : prepared.shape[1]] = np.where(real[:, None], prepared, EMPTY)
    # As prepared, but for what editors arrange and lists that are filled up.
    short = (items != EMPTY).sum(axis=1) < min(k, MIN_LINKS)
    for row in np.flatnonzero(real if bundle.rules is not None else real & short).tolist():
        placed = [link.row for link in lists.composed(row, k=k, rules=bundle.rules, now=bundle.now)]
        items[row] = EMPTY
        items[row, : len(placed)] = placed
    return items


def _listed(side: Bundle | Lists, k: int) -> Bundle | Lists:
    """Of lists the first ``k`` links, each once."""
    if isinstance(side, Bundle):
        return side
    return {id: list(dict.fromkeys(links))[:k] for id, links in side.items()}


def _ids(side: Bundle | Lists) -> Sequence[str]:
    """Every id that it names; of a bundle in the order of its rows."""
    if isinstance(side, Bundle):
        return [side.lists.id_of(row) for row in range(len(side.lists.stub))]
    return list(dict.fromkeys([*side, *(id for links in side.values() for id in links)]))


def _numbered(side: Bundle | Lists, number: dict[str, int], k: int) -> Numbered:
    items = np.full((len(number), k), EMPTY, dtype=np.int64)
    is_page = np.zeros(len(number), dtype=bool)
    if isinstance(side, Bundle):
        at = np.array([number[id] for id in _ids(side)], dtype=np.int64)
        own = shown(side, k)
        items[at] = np.where(own == EMPTY, EMPTY, np.append(at, EMPTY)[own])
        is_page[at] = np.asarray(side.lists.stub) == 0
    else:
        for id, links in side.items():
            items[number[id], : len(links)] = [number[link] for link in links]
            is_page[number[id]] = True
    return Numbered(items, is_page)


def _missing(items: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How many links of each row are not in the other's row, ``(n_pages,)``."""
    found = items == EMPTY
    for place in range(others.shape[1]):
        found |= items == others[:, place : place + 1]
    return (~found).sum(axis=1)


def _times(items: np.ndarray, n_ids: int) -> np.ndarray:
    """In how many of these lists each article stands, ``(n_ids,)``."""
    return np.bincount(items[items != EMPTY], minlength=n_ids)


def _side(side: Bundle | Lists, lists: Numbered, name: str, ids: Sequence[str]) -> Side:
    about = side.about if isinstance(side, Bundle) else None
    times = _times(lists.items, len(ids))
    n_lists = int((lists.items[:, 0] != EMPTY).sum())
    return Side(
        name=name,
        built=about.built if about else None,
        decided_by=about.decided_by if about else None,
        learned_from=about.learned_from if about else None,
        n_articles=about.n_articles if about else int((times > 0).sum()),
        n_pages=int(lists.is_page.sum()),
        n_lists=n_lists,
        most_listed=ids[int(times.argmax())] if n_lists else None,
        most_listed_share=float(times.max() / n_lists) if n_lists else float("nan"),
    )


def names_of(old: Bundle | Lists, new: Bundle | Lists) -> tuple[str, str]:
    """What the sides are called, each otherwise; lists have no name."""
    if isinstance(old, Bundle) or isinstance(new, Bundle):
        a, b = (side.name if isinstance(side, Bundle) else "the lists" for side in (old, new))
        return (f"{a} (old)", f"{b} (new)") if a == b else (a, b)
    return "the old lists", "the new lists"


def _known(
    sides: Sequence[Bundle | Lists], articles: pd.DataFrame | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Titles and categories by id, of the articles if they are given, else of the new side before
    the old: two bundles number their categories each in its own way.
    """
    titles: dict[str, str] = {}
    categories: dict[str, str] = {}
    bundles = [side for side in sides if isinstance(side, Bundle)]
    for bundle in bundles:
        titles |= {id: bundle.lists.titles[row] for row, id in enumerate(_ids(bundle))}
    if articles is not None:
        known = articles[["id", "title", "category"]].dropna(subset=["category"])
        categories = dict(zip(known["id"], known["category"], strict=True))
        titles = dict(zip(articles["id"], articles["title"], strict=True)) | titles
    elif bundles:
        lists, of_row = bundles[-1].lists, np.asarray(bundles[-1].lists.category).tolist()
        names = {number: named_by_title(lists, number) for number in set(of_row) if number >= 0}
        categories = {
            id: names[number]
            for id, number in zip(_ids(bundles[-1]), of_row, strict=True)
            if number >= 0
        }
    return titles, categories


def _rows(n: Any) -> int:
    """How many rows are wanted, none too."""
    return arguments.whole("n", n, least=0)


def _percent(share: float) -> str:
    return written(share, ".1%")


def _plain(value: Any) -> Any:
    """A figure or text as JSON has it; None where there is none."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if value is None or value != value else value


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): _plain(value) for name, value in row.items()}
        for row in table.to_dict(orient="records")
    ]
