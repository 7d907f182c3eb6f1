"""The audit of hand-picked lists: every link graded, with reasons, and what should stand instead.

``link_checks`` has what can be wrong with a link. Here the links are read out of the articles, each
gets the grade of the worst that was found, and for every link that is not good the first of the
product's own list that the page does not have yet is named.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.articles.addresses import Finder, leads_to_page
from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.bundle.composition import MAX_K
from recommender.candidates import EMPTY, MIN_LINKS
from recommender.clicks import position_bias
from recommender.errors import EvaluationError
from recommender.escaping import spreadsheet
from recommender.evaluation.link_checks import (
    BROKEN,
    CHECKS,
    DOUBTFUL,
    GOOD,
    GRADES,
    MOST_ANYWHERE,
    Links,
    Texts,
    clicks_of,
)
from recommender.evaluation.report import text
from recommender.evaluation.report.picture import TEMPLATES, Picture, Row, intervals
from recommender.events.event import HAND_PICKED
from recommender.ragged import runs
from recommender.store.counts import Log

if TYPE_CHECKING:
    import pandas as pd

# Links that a page of HTML and a stored audit hold, the worst.
N_SHOWN, N_STORED = 200, 1_000
# Where the worst are kept beside the bundles.
FILE = "audit.json"
COLUMNS = (
    "source_id", "source_title", "source_url", "position", "target_id", "target_title",
    "target_url", "grade", "kinds", "reasons", "sure", "cosine", "views", "clicks", "expected",
    "instead_id", "instead_title", "instead_url",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Audit:
    """What came of the audit.

    ``table`` has one row a hand-picked link, worst first: ``source_id``, ``source_title``,
    ``source_url``, ``position`` from 1; ``target_id``, ``target_title``, ``target_url``; ``grade``
    (of ``GRADES``), ``kinds`` and ``reasons`` (the gravest first, joined with semicolons, empty for
    a good link);
    ``sure``, how sure the worst of them is, from 0 to 1; ``cosine`` of the two texts, missing where
    they were not compared; ``views``, ``clicks`` and the ``expected`` clicks of the other links of
    the page at that place, missing without a log; and what the product would show there,
    ``instead_id``, ``instead_title`` and ``instead_url``, missing where it has nothing.

    ``pages`` has one row a page with a list, worst first: ``source_id``, ``title``, ``url``,
    ``links``, how many are ``broken``, ``poor``, ``doubtful`` and ``good``, ``is_short`` if fewer
    than three are good or doubtful, and ``mended``, the ids of the list as it would be: what is
    doubtful stays where there is nothing to show instead, the rest goes. ``kinds``
    has one row a kind of fault: ``kind``, ``meaning``, ``links``, ``broken``, ``poor``,
    ``doubtful``, ``pages``. ``n_without`` pages have no list; ``n_wrong`` links called off-topic
    are not, as the model reckons by itself. ``bundle`` and ``date`` are what the audit rests on.
    """

    table: pd.DataFrame
    pages: pd.DataFrame
    kinds: pd.DataFrame
    notes: list[str]
    n_without: int
    n_wrong: float
    bundle: str
    date: str

    @property
    def n_links(self) -> int:
        """How many hand-picked links there are."""
        return len(self.table)

    @cached_property
    def grades(self) -> dict[str, int]:
        """Links by grade, the worst first."""
        counted = self.table["grade"].value_counts()
        return {grade: int(counted.get(grade, 0)) for grade in GRADES[::-1]}

    @property
    def n_faulty(self) -> int:
        """How many links are not good."""
        return self.n_links - self.grades["good"]

    @property
    def worst(self) -> pd.DataFrame:
        """The rows of ``table`` that are not good."""
        return self.table[: self.n_faulty]

    @cached_property
    def _titles(self) -> dict[str, str]:
        """Titles of what links lead to, now or in the mended lists."""
        known: dict[str, str] = {}
        for name in ("target", "instead", "source"):
            ids, titles = self.table[f"{name}_id"], self.table[f"{name}_title"]
            known |= {
                id: title for id, title in zip(ids, titles, strict=True) if isinstance(title, str)
            }
        return known

    def summary(self) -> str:
        """Three sentences for who reads no table."""
        grades = self.grades
        links, pages = text.count(self.n_links, "hand-picked link"), len(self.pages)
        first = (
            f"Of {links} on {text.count(pages, 'page')} {_share(grades['good'], self.n_links)} "
            f"{'is' if self.n_links == 1 else 'are'} good."
        )
        parts = []
        gravest = self.worst["kinds"].map(lambda kinds: kinds.partition("; ")[0])
        for grade in GRADES[:GOOD:-1]:
            if n := grades[grade]:
                of = gravest[self.worst["grade"] == grade].value_counts()
                named = ", ".join(f"{n_of:,} {kind}" for kind, n_of in of.items())
                parts.append(f"{n:,} {'is' if n == 1 else 'are'} {grade} ({named})")
        second = f"{_joined(parts)}." if parts else "Nothing was found against any."
        n_instead = int(self.worst["instead_id"].notna().sum())
        n_pages = int((self.pages["good"] < self.pages["links"]).sum())
        if not self.n_faulty:
            third = "There is nothing to do."
        elif not n_instead:
            third = "The recommender has no other link to show there."
        elif self.n_faulty == 1:
            third = "The recommender has another link to show there."
        else:
            those = "all" if n_instead == self.n_faulty else f"{n_instead:,}"
            third = (
                f"For {those} of these {self.n_faulty:,}, on {text.count(n_pages, 'page')}, the "
                "recommender has another link to show."
            )
        return " ".join((first, second[0].upper() + second[1:], third))

    def to_dict(self, most: int | None = None) -> dict[str, Any]:
        """The audit for programs: counts, and links that are not good, at ``most`` so many."""
        links = self.worst if most is None else self.worst[:most]
        return {
            "bundle": self.bundle,
            "date": self.date,
            "summary": self.summary(),
            "links": self.n_links,
            "pages": len(self.pages),
            "pages_without_list": self.n_without,
            "short_lists": int(self.pages["is_short"].sum()),
            "grades": self.grades,
            "expected_false_alarms": round(self.n_wrong, 1),
            "kinds": _records(self.kinds),
            "notes": self.notes,
            "worst": _records(links),
        }

    def to_json(self, most: int | None = None) -> str:
        """``to_dict`` as JSON."""
        return json.dumps(self.to_dict(most), ensure_ascii=False)

    def to_csv(self) -> str:
        """All of ``table`` as CSV. A cell that a spreadsheet would take for a formula begins with
        an apostrophe.
        """
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(self.table.columns)
        for row in self.table.itertuples(index=False):
            writer.writerow(
                "" if value is None or value != value else
                spreadsheet(value) if isinstance(value, str) else value
                for value in row
            )  # fmt: skip
        return out.getvalue()

    def plot(self) -> Picture:
        """Links by kind of fault, the worst on top, each as often as it was found."""
        rows = []
        most = max(int(self.kinds["links"].max()), 1) if len(self.kinds) else 1
        for _, row in self.kinds.iterrows():
            graded = ", ".join(
                f"{row[grade]:,} {grade}" for grade in GRADES[:GOOD:-1] if row[grade]
            )
            n = float(row["links"])
            figures = f"{row['links']:,} {'link' if n == 1 else 'links'}"
            is_worst = row["broken"] + row["poor"] > 0
            rows.append(Row(row["kind"], n, n, n, figures, "bar", graded, own=bool(is_worst)))
        return intervals(rows, most=1.02 * most)

    def to_html(self) -> str:
        """One self-contained page, the worst links first."""
        of_page = self.worst.groupby("source_id", sort=False)
        pages: list[tuple[Any, list[Any], list[str]]] = []
        n_shown = 0
        mended = dict(zip(self.pages["source_id"], self.pages["mended"], strict=True))
        titles = self._titles
        # Pages in the order of their worst link, each whole.
        for id, part in of_page:
            if n_shown >= N_SHOWN:
                break
            rows = part.sort_values("position").to_dict("records")
            pages.append((rows[0], rows, [titles.get(link, link) for link in mended[id]]))
            n_shown += len(rows)
        return TEMPLATES.get_template("audit.html.j2").render(
            audit=self, pages=pages, n_shown=n_shown, GRADES=GRADES[::-1], percent=_share,
            is_link=lambda url: isinstance(url, str) and leads_to_page(url),
            is_given=lambda value: value is not None and value == value, count=text.count,
        )  # fmt: skip

    def _repr_html_(self) -> str:
        import html

        return f"<p>{html.escape(self.summary())}</p>{self.worst[:20].to_html()}"


TEMPLATES.filters |= {"number": text.number}


def audit(
    bundle: Bundle,
    articles: Sequence[Article],
    *,
    date: str,
    today: float,
    published: np.ndarray,
    texts: Texts,
    oldest_days: int | None = None,
    log: Log | None = None,
    seed: int = 0,
) -> Audit:
    """Grade every hand-picked link of the ``articles``, stubs included, by what a ``bundle`` knows.

    ``published``, ``(n_articles,)``, and ``today`` are days since 1970; ``texts`` gives the
    texts of articles by id, of which few are asked for; ``log`` counts articles by their numbers in
    ``articles``; what was published more than ``oldest_days`` ago is outdated, by
    default as long as the bundle was built with. ``EvaluationError`` if no page has a hand-picked
    list, or if they are what the bundle shows.
    """
    if bundle.decided_by == HAND_PICKED:
        raise EvaluationError(
            f"bundle {bundle.name} shows the hand-picked lists themselves, and knows nothing to "
            "show instead: give one that was trained (recommender models list names them; in "
            "Python recommender.load and its folder)"
        )
    source, place, ids = _listed(articles)
    if len(source) == 0:
        raise EvaluationError(
            "no page has a hand-picked list: there is nothing to audit; the field recommended of "
            "articles, or the block Recommend of pages, holds them"
        )
    target, n_by_address = _targets(articles, ids)
    row = np.array(
        [EMPTY if (found := bundle.lists.find(each.id)) is None else found for each in articles],
        dtype=np.int64,
    )
    days = bundle.about.dates.oldest_days if oldest_days is None else oldest_days
    parts = (articles, bundle, source, target, place, row, published, today, days, texts)
    links = Links(*parts, None, seed)
    notes = []
    if log is not None:
        examination = position_bias.estimate(log, seed=seed)
        links = Links(*parts, clicks_of(links, log, examination), seed)
    notes += _notes(links, ids, n_by_address)
    return _graded(links, ids, notes, date)


def _listed(articles: Sequence[Article]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Pages and places of all links, and the ids they name."""
    sizes = [0 if article.stub else len(article.recommended) for article in articles]
    source = np.repeat(np.arange(len(articles)), sizes)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    place = np.arange(len(source)) - starts + 1
    ids = [id for article in articles if not article.stub for id in article.recommended]
    return source, place, ids


def _targets(articles: Sequence[Article], ids: Sequence[str]) -> tuple[np.ndarray, int]:
    """The article that each id names, those beyond the articles for what names none, and how many
    links were given as an address.
    """
    number = {article.id: at for at, article in enumerate(articles)}
    unknown = {id for id in ids if id not in number}
    n_by_address = 0
    if any("/" in id for id in unknown):
        finder = Finder((article.id, article.url) for article in articles if not article.stub)
        found = {id: finder.named(id) for id in sorted(unknown) if "/" in id}
        by_address = {id: number[named] for id, named in found.items() if named is not None}
        number |= by_address
        n_by_address = sum(id in by_address for id in ids)
    beyond = sorted(id for id in unknown if id not in number)
    number |= {id: len(articles) + at for at, id in enumerate(beyond)}
    return np.array([number[id] for id in ids], dtype=np.int64), n_by_address


def _notes(links: Links, ids: Sequence[str], n_by_address: int) -> list[str]:
    """What was not asked, and why."""
    notes = []
    n_short = int((~links.is_compared).sum())
    n_strange = int(links.first.sum()) - len(links.sound)
    if n_short:
        notes.append(
            f"It is not asked of {text.count(n_short, 'link')} whether it is off-topic: one of the "
            "texts is too short to tell."
        )
    if links.groups.share > MOST_ANYWHERE:
        notes.append(
            "Texts of pages and of what they link to are no more alike than any two articles are, "
            "so it is not asked which links are off-topic."
        )
    if links.is_mostly_empty:
        notes.append(
            "Most pages that links lead to have a title and no text, so none is named for that."
        )
    if n_strange:
        notes.append(
            f"{_are(n_strange, 'link')} of articles that came after the bundle was built: texts "
            "are compared once there is a new one (recommender train)."
        )
    if n_by_address:
        notes.append(
            f"{_are(n_by_address, 'link')} given as an address, not as an id: graded as the "
            "article that is there, but training does not know it."
        )
    clicks = links.clicks
    if clicks is None:
        notes.append(
            "No view and click of these links is known, so whether they are followed is not asked, "
            "and off-topic is by texts alone."
        )
    elif not clicks.is_corrected:
        notes.append(
            "The log does not say how likely each place is examined: a link is compared with what "
            "is usual at its place on all pages."
        )
    n_seen = 0 if clicks is None else int((clicks.views > 0).sum())
    if clicks is not None and n_seen < len(ids):
        notes.append(f"{_are(len(ids) - n_seen, 'link')} in no view of the log.")
    return notes


def _graded(links: Links, ids: Sequence[str], notes: list[str], date: str) -> Audit:
    """Put together what the checks find."""
    n = len(ids)
    grade, worst = np.zeros(n, dtype=np.int8), np.full(n, len(CHECKS))
    sure, heir = np.zeros(n), np.full(n, EMPTY)
    kinds: list[list[str]] = [[] for _ in range(n)]
    reasons: list[list[str]] = [[] for _ in range(n)]
    counted = []
    n_wrong = 0.0
    for number, check in enumerate(CHECKS):
        found = check.find(links)
        higher = found.grade > grade[found.links]
        for link, reason, leads in zip(
            found.links.tolist(), found.reasons, higher.tolist(), strict=True
        ):
            place = 0 if leads else len(kinds[link])
            kinds[link].insert(place, check.name)
            reasons[link].insert(place, reason)
        at = found.links[higher]
        grade[at], worst[at], sure[at] = found.grade[higher], number, found.sure[higher]
        named = found.instead != EMPTY
        heir[found.links[named]] = found.instead[named]
        n_wrong += float((1 - found.sure).sum())
        by_grade = np.bincount(found.grade, minlength=len(GRADES))
        graded = {name: int(by_grade[place]) for place, name in enumerate(GRADES) if place > GOOD}
        n_pages = len(np.unique(links.source[found.links]))
        counted.append(
            {"kind": check.name, "meaning": check.meaning, "links": len(found.links), **graded,
             "pages": n_pages}
        )  # fmt: skip
    number_of = {article.id: at for at, article in enumerate(links.articles)}
    instead = np.full(n, EMPTY)
    mended: dict[int, list[int]] = {}
    for page, first, last in _pages(links.source):
        bad = np.flatnonzero(grade[first:last] > GOOD) + first
        found_there, whole = _mended(links, page, first, last, grade[first:last], heir, number_of)
        instead[bad] = found_there
        mended[page] = whole
    import pandas as pd

    order = np.lexsort((links.place, links.source, -sure, worst, -grade))
    table = _table(links, ids, grade, kinds, reasons, sure, instead).iloc[order]
    by_page = _by_page(links, grade, mended)
    found = pd.DataFrame(counted)
    n_without = int((~links.stub).sum()) - len(by_page)
    return Audit(
        table.reset_index(drop=True), by_page, found[found["links"] > 0].reset_index(drop=True),
        notes, n_without, n_wrong, links.bundle.name, date,
    )  # fmt: skip


def _pages(source: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Each page with the numbers of its first link and of the one after its last."""
    for first, last in pairwise(runs(source).tolist()):
        yield int(source[first]), first, last


def _mended(
    links: Links,
    page: int,
    first: int,
    last: int,
    grade: np.ndarray,
    heir: np.ndarray,
    number_of: Mapping[str, int],
) -> tuple[list[int], list[int]]:
    """What should stand in the place of each of the page's links that are not good by their
    ``grade``, ``(last - first,)``, ``EMPTY`` where there is nothing, and its list as it would be.
    What is doubtful stays unless something better is known.
    """
    bundle, row = links.bundle, int(links.row[page])
    targets = links.target[first:last].tolist()
    bad = (np.flatnonzero(grade > GOOD) + first).tolist()
    if not bad:
        return [], targets
    grades = grade.tolist()
    kept = [target for target, each in zip(targets, grades, strict=True) if each <= DOUBTFUL]
    same = bundle.lists.same

    def group(number: int) -> int:
        return -1 - number if links.row[number] == EMPTY else int(same[links.row[number]])

    # Nothing that the list has, bad or not, nor anything like what stays.
    taken = Counter(group(number) for number in (page, *kept))
    listed = set(targets)
    spare = (
        number_of.get(bundle.lists.id_of(placed.row), EMPTY)
        for placed in (
            []
            if row == EMPTY
            else bundle.lists.composed(row, k=MAX_K, rules=bundle.rules, now=bundle.now)
        )
        if placed.origin not in ("fallback", "hand-picked")
    )
    found, place_of = [], dict[int, int]()
    for link in bad:
        chosen = int(heir[link])
        # What takes the place of a doubtful link may be like it, as a newer edition is.
        own = group(targets[link - first]) if grades[link - first] == DOUBTFUL else None
        if own is not None:
            taken -= Counter([own])
        if chosen == EMPTY or chosen in listed or group(chosen) in taken:
            chosen = next(
                (
                    number
                    for number in spare
                    if number != EMPTY and number not in listed and group(number) not in taken
                    and not links.stub[number]
                ),
                EMPTY,
            )  # fmt: skip
        found.append(chosen)
        if chosen != EMPTY:
            taken[group(chosen)] += 1
            listed.add(chosen)
            place_of[link] = chosen
        elif own is not None:
            taken[own] += 1
    whole = [
        place_of.get(at, target if each <= DOUBTFUL else EMPTY)
        for at, (target, each) in enumerate(zip(targets, grades, strict=True), first)
    ]
    return found, [number for number in whole if number != EMPTY]


def _table(
    links: Links,
    ids: Sequence[str],
    grade: np.ndarray,
    kinds: Sequence[Sequence[str]],
    reasons: Sequence[Sequence[str]],
    sure: np.ndarray,
    instead: np.ndarray,
) -> pd.DataFrame:
    import pandas as pd

    cosine = np.full(len(ids), np.nan)
    cosine[links.sound] = links.alike[:, 0]
    # What nobody knows has neither title nor address.
    titles = [article.title for article in links.articles] + [None]
    addresses = [article.url for article in links.articles] + [None]
    known_ids = [article.id for article in links.articles] + [None]
    target = np.where(links.known, links.target, -1).tolist()
    source, other = links.source.tolist(), instead.tolist()
    none = np.full(len(ids), np.nan)
    clicks = links.clicks
    columns = {
        "source_id": [known_ids[at] for at in source],
        "source_title": [titles[at] for at in source],
        "source_url": [addresses[at] for at in source],
        "position": links.place,
        "target_id": list(ids),
        "target_title": [titles[at] for at in target],
        "target_url": [addresses[at] for at in target],
        "grade": [GRADES[each] for each in grade.tolist()],
        "kinds": ["; ".join(each) for each in kinds],
        "reasons": ["; ".join(each) for each in reasons],
        "sure": np.where(grade > GOOD, sure, np.nan),
        "cosine": cosine,
        "views": none if clicks is None else clicks.views,
        "clicks": none if clicks is None else clicks.clicks,
        "expected": none if clicks is None else clicks.of_page,
        "instead_id": [known_ids[at] for at in other],
        "instead_title": [titles[at] for at in other],
        "instead_url": [addresses[at] for at in other],
    }
    return pd.DataFrame(columns, columns=list(COLUMNS))


def _by_page(links: Links, grade: np.ndarray, mended: Mapping[int, Sequence[int]]) -> pd.DataFrame:
    import pandas as pd

    heads = runs(links.source)
    page = links.source[heads[:-1]]
    counted = {
        name: np.add.reduceat((grade == place).astype(np.int64), heads[:-1])
        for place, name in reversed(list(enumerate(GRADES)))
    }
    articles = links.articles
    frame = pd.DataFrame(
        {
            "source_id": [articles[at].id for at in page.tolist()],
            "title": [articles[at].title for at in page.tolist()],
            "url": [articles[at].url for at in page.tolist()],
            "links": np.diff(heads),
            **counted,
            "is_short": counted["good"] + counted["doubtful"] < MIN_LINKS,
            "mended": [[articles[number].id for number in mended[at]
                        if number < len(articles)] for at in page.tolist()],
        }
    )  # fmt: skip
    keys = [-frame[name].to_numpy() for name in GRADES[BROKEN:GOOD:-1][::-1]]
    return frame.iloc[np.lexsort(keys)].reset_index(drop=True)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for programs, without what is missing."""
    found: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", double_precision=6))
    return found


def _share(n: int, of: int) -> str:
    """A share as people write it: never all or nothing unless it is."""
    if of == 0:
        return "0 %"
    share = 100 * n / of
    if 0 < share < 0.1 or 99.9 < share < 100:
        return "under 0.1 %" if share < 1 else "over 99.9 %"
    return f"{share:.{0 if share in (0, 100) else 1}f} %"


def _are(n: int, name: str) -> str:
    """How many there are, with their verb."""
    return f"{text.count(n, name)} {'is' if n == 1 else 'are'}"


def _joined(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
