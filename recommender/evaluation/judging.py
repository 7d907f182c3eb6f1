"""Judging, link after link: what a judge is asked next, and what becomes of the answer.

The links of several lists beside a page are put together, each once, in an order that a seed, the
judge and the link decide: it is the same when he goes on another day, and neither it nor anything
that is shown gives away which list a link is from. Where a list that came later, or a deeper one,
brings links to a page he has graded, as many of those he graded are asked again between them: else
each question would be known to come from the new list. The terminal and the notebook both show a
``Judging`` and hand it answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from recommender import arguments
from recommender.articles.article import Article
from recommender.errors import ArgumentError, InputError
from recommender.escaping import terminal
from recommender.evaluation import page_sampling
from recommender.evaluation.judgements import HIGHEST, LOWEST, Source
from recommender.evaluation.page_sampling import is_shared, uniform
from recommender.store import grades as store_of_grades
from recommender.store.counts import readings_of_pages
from recommender.store.database import Store
from recommender.store.grades import Draw, DrawnPage, Grade

# Pages for all judges together: as many as intervals need (bootstrap.FEW_CLUSTERS). Links of each
# list: what a reader sees without looking far. The share of pages that every judge is asked for.
# The last two are not tuned.
N_PAGES, DEPTH, OVERLAP = 30, 5, 0.2
# Characters of a text that are shown to begin with: a few sentences.
BEGINNING = 600
# Characters of a note: it is a remark, not a text.
MAX_NOTE = 2_000
# A word that was cut, if it is none of those languages that write without spaces.
BROKEN = re.compile(r"\s+\S{0,30}$")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a judge sees of an article: title, teaser, and the beginning of its text, a paragraph a
    line.
    """

    id: str
    title: str
    teaser: str
    beginning: str


def shown(article: Article) -> Shown:
    """What a judge sees of an article."""
    lines = (" ".join(line.split()) for line in article.body.splitlines())
    text = "\n".join(line for line in lines if line)
    cut = text if len(text) <= BEGINNING else f"{BROKEN.sub('', text[:BEGINNING])} ..."
    return Shown(article.id, article.title, article.shown_teaser, cut)


@dataclass(frozen=True, slots=True)
class Page:
    """A page to judge, with ``links`` in the order in which they are shown to one judge."""

    page: Shown
    links: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One question: link ``link_number`` of a page (from 1), of the judge's ``page_number`` (from
    1) of ``n_pages``; ``grade`` is what he gave it before, None for nothing, and for one that is
    asked again.
    """

    page: Page
    link: Shown
    link_number: int
    page_number: int
    n_pages: int
    grade: int | None


def candidates(
    page: str,
    lists: Iterable[Source],
    known: Collection[str],
    *,
    k: int,
    by: str,
    seed: int,
) -> list[str]:
    """The links of all lists beside a page, each once, as one judge sees them; without the page
    itself, and without what is not ``known``.
    """
    union = {id for each in lists for id in list(each.links(page))[:k]}
    there = [id for id in union if id != page and id in known]
    return sorted(there, key=lambda id: (uniform(seed, "link", by, page, id), id))


def population(lists: Sequence[Source]) -> list[str]:
    """The pages that may be drawn: those on which two of the lists at least have links; all that
    have one, if there is but one.
    """
    times: dict[str, int] = {}
    for each in lists:
        for page in each.pages:
            times[page] = times.get(page, 0) + 1
    return sorted(page for page, n in times.items() if n >= min(2, len(lists)))


def assigned(
    drawn: Sequence[DrawnPage],
    grades: Iterable[Grade],
    *,
    by: str,
    overlap: float,
) -> list[str]:
    """The pages that a judge is asked for, in order: those that all judge, those he began, and
    those that nobody else did.
    """
    others: set[str] = set()
    own: set[str] = set()
    for grade in grades:
        (own if grade.by == by else others).add(grade.source_id)
    return [
        page.source_id
        for place, page in enumerate(drawn)
        if is_shared(place, overlap) or page.source_id in own or page.source_id not in others
    ]


@dataclass(frozen=True, slots=True)
class Plan:
    """How judging is to be done: for ``n_pages`` pages in all, drawn by ``sampling`` with a
    ``seed``, the first ``depth`` links of each list; every judge is asked for a share of
    ``overlap`` of the pages. What is None is as it was, or as it is usual; ``redraw`` draws pages
    anew.
    """

    n_pages: int = N_PAGES
    sampling: str | None = None
    seed: int | None = None
    depth: int | None = None
    overlap: float = OVERLAP
    redraw: bool = False


def draw_for(
    store: Store, lists: Sequence[Source], plan: Plan, *, now: datetime
) -> tuple[Draw, list[str]]:
    """The store's draw of pages, made and kept if there is none, and remarks on it. ``InputError``
    if there are no pages, or the plan is of another draw.
    """
    before = store_of_grades.drawn(store)
    if before is None or plan.redraw:
        draw, remarks = _drawn_now(store, lists, plan, now)
        store_of_grades.keep_draw(store, draw)
        return draw, remarks
    asked = (plan.sampling or before.drawn_by, before.seed if plan.seed is None else plan.seed)
    if asked != (before.drawn_by, before.seed):
        raise ArgumentError(
            f"pages were drawn by {before.drawn_by} with seed {before.seed} on "
            f"{before.at:%Y-%m-%d}; --redraw draws others, and keeps all grades"
        )
    n_asked = max(before.n_asked, min(plan.n_pages, page_sampling.MAX_PAGES, len(before.pages)))
    wider = replace(before, depth=max(before.depth, plan.depth or 0), n_asked=n_asked)
    if (wider.depth, wider.n_asked) != (before.depth, before.n_asked):
        store_of_grades.keep_draw(store, wider)
    return wider, []


def _drawn_now(
    store: Store, lists: Sequence[Source], plan: Plan, now: datetime
) -> tuple[Draw, list[str]]:
    there = {article.id for article in store.articles(with_body=False) if not article.stub}
    pages = [page for page in population(lists) if page in there]
    if not pages:
        beside = "lists of two kinds" if len(lists) > 1 else "a list"
        raise InputError(f"no page of the store has {beside} to judge: name others with --list")
    sampling, remarks = plan.sampling or page_sampling.VIEWS, []
    sizes = dict.fromkeys(pages, 1.0)
    if sampling == page_sampling.VIEWS:
        readings = readings_of_pages(store)
        read = {page: float(readings[page]) for page in pages if page in readings}
        if read:
            sizes = read
        else:
            sampling = page_sampling.PAGES
            remarks.append("no page has been read yet, so pages are drawn each alike")
    seed, depth = plan.seed or 0, plan.depth or DEPTH
    order = page_sampling.draw(sizes, seed=seed)
    n_asked = min(plan.n_pages, page_sampling.MAX_PAGES, len(order))
    return Draw(sampling, seed, len(pages), now, depth, n_asked, pages=order), remarks


def begin(
    store: Store,
    lists: Sequence[Source],
    plan: Plan,
    *,
    by: str,
    clock: Callable[[], datetime],
) -> tuple[Judging, list[str]]:
    """A judge begins, or goes on where he stopped; and remarks for who asked him. ``InputError`` if
    there are no pages, or the plan is of another draw than the store's.
    """
    draw, remarks = draw_for(store, lists, plan, now=clock())
    order = draw.pages[: min(plan.n_pages, page_sampling.MAX_PAGES)]
    if len(order) < plan.n_pages:
        remarks.append(f"only {len(order):,} pages can be drawn")
    depth = min(plan.depth or draw.depth, draw.depth)
    given = store_of_grades.read(store)
    own = {grade.pair: grade.grade for grade in given if grade.by == by}
    shared = {page.source_id for place, page in enumerate(order) if is_shared(place, plan.overlap)}
    pages = assigned(order, given, by=by, overlap=plan.overlap)

    def page(number: int) -> Page | None:
        id = pages[number]
        if id not in shared and taken(id):
            return None
        union = {link for each in lists for link in list(each.links(id))[:depth]}
        found = {article.id: shown(article) for article in store.articles(ids={id, *union})}
        links = candidates(id, lists, found, k=depth, by=by, seed=draw.seed)
        if id not in found or not links:
            return None
        return Page(found[id], tuple(found[link] for link in links))

    def taken(id: str) -> bool:
        """Has somebody else begun it meanwhile, and he himself not?"""
        by_whom = {grade.by for grade in store_of_grades.read(store, source_id=id)}
        return bool(by_whom) and by not in by_whom

    place = {page.source_id: place for place, page in enumerate(order)}
    reached = 0

    def came_through(n: int) -> None:
        nonlocal reached
        if n > reached:
            reached = n
            store_of_grades.keep_reached(store, draw, n)

    def record(grade: Grade) -> None:
        store_of_grades.write(store, [grade])
        came_through(place[grade.source_id] + 1)

    judging = Judging(by, len(pages), page, own, record, clock)
    if judging.step is None:
        came_through(len(order))
    return judging, remarks


@dataclass(eq=False)
class Judging:
    """A judge at work. ``pages`` gives each page he is asked for, in order, by its number from 0;
    None for one that is passed over, as its articles are gone or somebody else began it.
    ``record`` keeps a grade at once;
    ``graded`` are his grades by page and article, of earlier days too; ``now`` is the clock.
    """

    by: str
    n_pages: int
    pages: Callable[[int], Page | None]
    graded: dict[tuple[str, str], int]
    record: Callable[[Grade], object]
    now: Callable[[], datetime]
    n_given: int = 0
    n_passed_over: int = 0
    # What he gave links that are asked again, before and now.
    _again: dict[tuple[str, str], tuple[int, int | None]] = field(default_factory=dict)
    _steps: list[tuple[int, Page, int]] = field(default_factory=list)
    _at: int = 0
    _next_page: int = 0

    def __post_init__(self) -> None:
        self._fill()

    @property
    def step(self) -> Step | None:
        """The question he is at; None when he has answered all."""
        if self._at >= len(self._steps):
            return None
        number, page, place = self._steps[self._at]
        link = page.links[place]
        pair = page.page.id, link.id
        grade = self._again[pair][1] if pair in self._again else self.graded.get(pair)
        return Step(page, link, place + 1, number + 1, self.n_pages, grade)

    @property
    def n_skipped(self) -> int:
        """How many questions he passed by without a grade; they are asked again another day."""
        passed = self._steps[: self._at]
        return sum(
            (page.page.id, page.links[place].id) not in self.graded for _, page, place in passed
        )

    @property
    def n_again(self) -> int:
        """How many links he had graded before and has graded again."""
        return sum(now is not None for _, now in self._again.values())

    @property
    def n_alike(self) -> int:
        """How many of these he gave the same grade."""
        return sum(before == now for before, now in self._again.values())

    def grade(self, grade: int, *, note: str = "") -> None:
        """Keep a grade for the link he is at, and go on. ``ArgumentError`` or ``TypeError`` if it
        is none.
        """
        grade = arguments.whole("grade", grade, least=LOWEST, most=HIGHEST)
        step = self.step
        if step is None:
            return
        source, id = step.page.page.id, step.link.id
        # Terminals hand over what no database takes.
        kept = terminal(note).encode(errors="replace").decode()[:MAX_NOTE].strip()
        self.record(Grade(source, id, grade, self.by, self.now(), kept))
        self.graded[source, id] = grade
        if (source, id) in self._again:
            self._again[source, id] = self._again[source, id][0], grade
        self.n_given += 1
        self.skip()

    def skip(self) -> None:
        """Go on without a grade."""
        if self.step is not None:
            self._at += 1
            self._fill()

    def skip_page(self) -> None:
        """Go on with the next page."""
        if (step := self.step) is not None:
            while self._at < len(self._steps) and self._steps[self._at][1] is step.page:
                self._at += 1
            self._fill()

    def back(self) -> bool:
        """Go back to the question before; False if this is the first."""
        if self._at == 0:
            return False
        self._at -= 1
        return True

    def _fill(self) -> None:
        """Look for the next page with a link he has not graded, if he is through with those
        before.
        """
        while self._at >= len(self._steps) and self._next_page < self.n_pages:
            number, self._next_page = self._next_page, self._next_page + 1
            page = self.pages(number)
            if page is None:
                self.n_passed_over += 1
                continue
            self._steps += [(number, page, place) for place in self._places(page)]

    def _places(self, page: Page) -> list[int]:
        """The links to ask for, by their places: those without a grade, and if they are not just
        the rest of a page on which he stopped, as many that he graded.
        """
        pairs = [(page.page.id, link.id) for link in page.links]
        new = [place for place, pair in enumerate(pairs) if pair not in self.graded]
        if new == [*range(len(pairs) - len(new), len(pairs))]:
            return new
        graded = [place for place, pair in enumerate(pairs) if pair in self.graded]
        graded.sort(key=lambda place: uniform(0, "again", self.by, *pairs[place]))
        again = graded[: len(new)]
        self._again |= {pairs[place]: (self.graded[pairs[place]], None) for place in again}
        return sorted(new + again)
