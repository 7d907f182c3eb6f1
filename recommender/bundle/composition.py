"""How a list is put together when it is asked for, whatever it was prepared from.

A prepared list is looked up, what the page asked to leave out is left out, editors' rules are
applied, and if hardly anything is left the declared chain fills up. A shelf knows the articles by
row numbers: ``published.Lists`` is a bundle, ``overlay.Patched`` the same with articles that came
and went since.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any, NamedTuple

from recommender.articles.addresses import EXACT, Found, leads_to_page
from recommender.articles.article import Article
from recommender.articles.dates import day_given
from recommender.candidates import EMPTY, MIN_LINKS
from recommender.events.slate_token import N_VARIANTS, mark_of, tail_of
from recommender.lists.editorial import Rules
from recommender.lists.eligibility import Languages
from recommender.lists.exploration import DEPTH

# Links of a list unless a page asks for more or fewer, and how many it may ask for: the contract of
# GET /v1/related.
DEFAULT_K, MAX_K = 10, 50
# The number of the slate that does not explore; see exploration.slate_of.
BEST_SLATE = 0
Key = Callable[[int], int]
# A language tag as pages have it, "pt" or "zh-Hant-TW" (BCP 47).
LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}")


@dataclass(frozen=True, slots=True)
class Link:
    """One line of a list, as the page shows it, and why it is there."""

    id: str
    url: str | None
    title: str
    teaser: str
    position: int
    score: float
    origin: str
    image: str | None = None
    published_at: str | None = None
    language: str | None = None


class Shown(NamedTuple):
    """What a list may show of an article beside its title and teaser: the address of a picture,
    a date as it was given, a tag that pages may carry; None where there is none.
    """

    image: str | None
    published_at: str | None
    language: str | None


def shown_of(article: Article, code: str | None, *, latest: float = inf) -> Shown:
    """What may be shown of an article; ``code`` is that of its language as far as it is known
    without a tag of its own. A date that stands for none, or is of a day after ``latest``, counted
    from 1970, is not shown.
    """
    image, given = article.image, article.published_at
    tags = ((article.language or "").strip().replace("_", "-"), code or "")
    return Shown(
        image=image if image and leads_to_page(image) else None,
        published_at=given if day_given(given) <= latest else None,
        language=next(filter(LANGUAGE_TAG.fullmatch, tags), None),
    )


class Placed(NamedTuple):
    """An article's row in a list, in order."""

    row: int
    score: float
    origin: str


class Shelf(ABC):
    """Articles by row, and what was prepared for each."""

    name: str
    # How many of the hundred variants explore; each has a slate of its own, numbered from 1.
    share: int

    @property
    @abstractmethod
    def languages(self) -> Languages:
        """The rule on the language of links, and what the numbers of languages mean."""

    def language_code(self, row: int) -> str | None:
        """The code of an article's language, None for unknown."""
        number = self.language_at(row)
        return None if number == EMPTY else self.languages.codes[number]

    @abstractmethod
    def row(self, id: str) -> int | None:
        """The row of an article that has a page of its own, or None."""

    @abstractmethod
    def at_address(self, url: str) -> Found:
        """The article at an address, however it is written."""

    def row_of_url(self, url: str) -> int | None:
        """The row of the article at an address, however it is written, or None."""
        return self.at_address(url).row

    @abstractmethod
    def find(self, id: str) -> int | None:
        """The row of whatever may be linked to, pages known by their title alone included."""

    def named(self, text: str) -> tuple[str | None, str]:
        """The id of the article whose id or address this is, None if it is nobody's; and what had
        to be assumed of an address, empty for nothing.
        """
        if self.find(text) is not None:
            return text, EXACT
        found = self.at_address(text)
        return None if found.row is None else self.id_of(found.row), found.assumed

    @abstractmethod
    def pages_with_lists(self) -> list[int]:
        """The rows of all articles that have a page of their own."""

    @abstractmethod
    def id_of(self, row: int) -> str:
        """The article's id."""

    @abstractmethod
    def text_of(self, row: int) -> int:
        """A number an article shares with its near-duplicates and namesakes."""

    @abstractmethod
    def prepared(
        self, row: int, slate: int = BEST_SLATE, *, at_most: int | None = None
    ) -> list[Placed]:
        """The links that were prepared for a page, in the order of one of its slates; all of
        them, or the first ``at_most``.
        """

    @abstractmethod
    def language_at(self, row: int) -> int:
        """The number of the article's language, ``EMPTY`` for unknown."""

    @abstractmethod
    def is_barred(self, row: int) -> bool:
        """Whether the article is recommended beside nothing."""

    @abstractmethod
    def near_text(self, title: str, body: str, language: int = EMPTY) -> list[Placed]:
        """What stands closest to a text that is not stored, of what may stand beside one in this
        language.
        """

    @abstractmethod
    def fallback(self, row: int | None) -> Iterator[int]:
        """Rows to fill up with, best first; they may hold the page itself, and what may not stand
        beside it.
        """

    @abstractmethod
    def link(self, placed: Placed, position: int) -> Link:
        """What the page shows of it."""

    def may_show(self, row: int, language: int) -> bool:
        """Whether an article may stand beside a page in this language, pins aside."""
        spoken = self.language_at(row)
        return (language in (spoken, EMPTY) or spoken == EMPTY) and not self.is_barred(row)

    # Lists

    def related(
        self,
        row: int | None,
        *,
        k: int = DEFAULT_K,
        exclude: Collection[str] = (),
        rules: Rules | None = None,
        now: datetime | None = None,
        least: int = MIN_LINKS,
        slate: int = BEST_SLATE,
    ) -> list[Link]:
        """The list of article ``row``; None stands for a page nobody knows, and gets fallbacks.

        ``rules`` are the editors', in force at ``now``; ``ValueError`` without it. Lists of fewer
        than ``least`` links are filled up to it.
        """
        return self.links(
            self.composed(row, k=k, exclude=exclude, rules=rules, now=now, least=least, slate=slate)
        )

    def related_to_text(
        self,
        title: str,
        body: str,
        *,
        language: str | None = None,
        k: int = DEFAULT_K,
        rules: Rules | None = None,
        now: datetime | None = None,
    ) -> list[Link]:
        """The list of a text that is not stored: by its words, and by what readers make of the
        articles that share them. ``language`` is a tag such as ``en-GB``; without, it is detected
        where the site has several.
        """
        number = self.languages.number(self.languages.of_text(language, title, body))
        near = self.near_text(title, body, number)
        return self.links(self.arranged(None, near, k, (), rules, now, MIN_LINKS, language=number))

    def links(self, placed: Iterable[Placed]) -> list[Link]:
        """Rows as the page shows them."""
        return [self.link(each, position) for position, each in enumerate(placed, start=1)]

    def composed(
        self,
        row: int | None,
        *,
        k: int = DEFAULT_K,
        exclude: Collection[str] = (),
        rules: Rules | None = None,
        now: datetime | None = None,
        least: int = MIN_LINKS,
        slate: int = BEST_SLATE,
    ) -> list[Placed]:
        """``related`` as rows."""
        least = max(k, least) if row is None else least
        free = not exclude and rules is None
        listed = [] if row is None else self.prepared(row, slate, at_most=k if free else None)
        if free and len(listed) >= min(k, least):
            return listed[:k]
        return self.arranged(row, listed, k, exclude, rules, now, least)

    def with_chances(
        self, row: int | None, *, slate: int = BEST_SLATE, **options: Any
    ) -> tuple[list[Placed], list[float]]:
        """``composed``, and the action propensity of each link: the share of the hundred variants
        whose slates hold it at its place, whatever pins, blocks and changes make of them.
        """
        slates = [
            self.composed(row, slate=number, **options)
            for number in range(self.share + 1 if row is not None else 1)
        ]
        agree: Counter[tuple[int, int]] = Counter()
        for number, placed in enumerate(slates):
            for place, each in enumerate(placed):
                agree[each.row, place] += 1 if number else N_VARIANTS - self.share
        sent = slates[slate]
        return sent, [agree[each.row, place] / N_VARIANTS for place, each in enumerate(sent)]

    def brought(
        self,
        row: int,
        placed: Sequence[Placed],
        *,
        rules: Rules | None,
        now: datetime,
        slate: int,
    ) -> list[bool]:
        """Of each link ``placed`` beside a page, whether it stands in none of the first ``DEPTH``
        places of this slate as everybody is shown it, and only a request brought it there.
        """
        shown = self.composed(row, k=DEPTH, rules=rules, now=now, slate=slate)
        usual = {each.row for each in shown}
        return [each.row not in usual and each.origin != "pinned" for each in placed]

    def packed(
        self,
        row: int,
        placed: Sequence[Placed],
        chances: Sequence[float],
        key: Key,
        brought: Sequence[bool] = (),
    ) -> bytes:
        """What a token holds of a list beside ``row``; ``key`` is the store's number of a row."""
        rows = [row, *(each.row for each in placed)]
        return tail_of(
            source=key(row),
            items=[key(item) for item in rows[1:]],
            origins=[each.origin for each in placed],
            chances=chances,
            brought=brought,
            mark=mark_of(map(self.id_of, rows)),
        )

    def arranged(
        self,
        source: int | None,
        listed: Sequence[Placed],
        k: int,
        exclude: Collection[str],
        rules: Rules | None,
        now: datetime | None,
        least: int,
        language: int = EMPTY,
    ) -> list[Placed]:
        """Exclusions, then the editors, then the fallback chain if hardly anything is left, in
        the ``language`` of the page.
        """
        if source is not None:
            language = self.language_at(source)
        source_id = None if source is None else self.id_of(source)
        places = {self.id_of(each.row): each for each in listed}
        kept = [id for id in places if id not in exclude]
        arranged = [(id, False) for id in kept]
        blocked: set[str] = set()
        if rules is not None:
            if now is None:
                raise ValueError("rules are in force at a time: give now")
            arranged = rules.apply(source_id, kept, now=now)
            blocked = {r.target for r in rules.about(source_id, now) if r.action == "block"}
        chosen: list[Placed] = []
        for id, is_pin in arranged:
            if not is_pin:
                chosen.append(places[id])
                continue
            known = places.get(id)
            row = known.row if known else self.find(id)
            # A pin may name what the page leaves out, or what the site has not (any more).
            if row is not None and id not in exclude:
                chosen.append(Placed(row, known.score if known else 0.0, "pinned"))
        if len(chosen) < min(k, least):
            self._fill(chosen, source, language, min(k, least), {*exclude, *blocked})
        if not chosen:
            chosen += self._last_resort(source, language, {*exclude, *blocked})
            if chosen and self._is_stub(chosen[0].row):
                self._fill(chosen, source, language, min(k, least), {*exclude, *blocked})
        return chosen[:k]

    def _is_stub(self, row: int) -> bool:
        """Whether an article is known by its title alone."""
        return self.row(self.id_of(row)) is None

    def _fill(
        self,
        chosen: list[Placed],
        source: int | None,
        language: int,
        least: int,
        excluded: set[str],
    ) -> None:
        """Add what the chain holds in the ``language`` of the page, up to ``least`` links. What is
        known by its title alone, which is in no language, comes behind links that are there.
        """
        taken = {self.text_of(each.row) for each in chosen}
        taken |= {self.text_of(source)} if source is not None else set()
        for row in self.fallback(source):
            if len(chosen) >= least:
                break
            if (
                self.text_of(row) not in taken
                and self.may_show(row, language)
                and self.id_of(row) not in excluded
                and (chosen or not self._is_stub(row))
            ):
                chosen.append(Placed(row, 0.0, "fallback"))
                taken.add(self.text_of(row))

    def _last_resort(self, source: int | None, language: int, excluded: set[str]) -> list[Placed]:
        """On a site of copies a copy, and on a page alone in its language a link in another, is
        still better than nothing; a mere title is where there is no page.
        """
        for spoken, is_stub in ((language, False), (EMPTY, False), (EMPTY, True)):
            for row in self.fallback(source):
                allowed = row != source and self.id_of(row) not in excluded
                if allowed and self.may_show(row, spoken) and self._is_stub(row) == is_stub:
                    return [Placed(row, 0.0, "fallback")]
        return []
