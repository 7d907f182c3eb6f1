"""Judging, link after link: what a judge is asked next, and what becomes of the answer.

The links of several lists beside a page are put together, each once, in an order that a seed, the
judge and the link decide: it is the same when he goes on another day, and neither it nor anything
that is shown gives away which list a link is from. The terminal and the notebook both show a
``Judging`` and hand it answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from recommender.articles.article import Article
from recommender.evaluation.judgements import HIGHEST, LOWEST, Source
from recommender.evaluation.page_sampling import is_shared, uniform
from recommender.store.grades import DrawnPage, Grade

# Characters of a text that are shown to begin with: a few sentences.
BEGINNING = 600


@dataclass(frozen=True, slots=True)
class Shown:
    """What a judge sees of an article: title, teaser, and the beginning of its text."""

    id: str
    title: str
    teaser: str
    beginning: str


def shown(article: Article) -> Shown:
    """What a judge sees of an article."""
    text = " ".join(article.body.split())
    cut = text if len(text) <= BEGINNING else f"{text[:BEGINNING].rsplit(' ', 1)[0]} ..."
    return Shown(article.id, article.title, article.shown_teaser, cut)


@dataclass(frozen=True, slots=True)
class Page:
    """A page to judge, with ``links`` in the order in which they are shown to one judge."""

    page: Shown
    links: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One question: link ``link_number`` of a page (from 1), of the judge's ``page_number`` (from
    1) of ``n_pages``; ``grade`` is what he gave it before, None for nothing.
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
    known: Mapping[str, object],
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


@dataclass(eq=False)
class Judging:
    """A judge at work. ``pages`` gives each page he is asked for, in order, by its number from 0;
    None for one that is passed over, as its articles are gone. ``record`` keeps a grade at once;
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
        grade = self.graded.get((page.page.id, link.id))
        return Step(page, link, place + 1, number + 1, self.n_pages, grade)

    @property
    def n_skipped(self) -> int:
        """How many questions he passed by without a grade; they are asked again another day."""
        passed = self._steps[: self._at]
        return sum(
            (page.page.id, page.links[place].id) not in self.graded for _, page, place in passed
        )

    def grade(self, grade: int, *, note: str = "") -> None:
        """Keep a grade for the link he is at, and go on. ``ValueError`` if it is none."""
        if grade not in range(LOWEST, HIGHEST + 1):
            raise ValueError(f"a grade is {LOWEST} to {HIGHEST}, not {grade!r}")
        step = self.step
        if step is None:
            return
        source, id = step.page.page.id, step.link.id
        self.record(Grade(source, id, grade, self.by, self.now(), note))
        self.graded[source, id] = grade
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
            self._steps += [
                (number, page, place)
                for place, link in enumerate(page.links)
                if (page.page.id, link.id) not in self.graded
            ]
