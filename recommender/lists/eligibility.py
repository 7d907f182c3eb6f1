"""Which articles may be recommended at all, and beside which: the one place for such rules.

A link stays in the language of the page, as far as both languages are known, and some articles are
recommended beside nothing. Whatever may not stand beside a page enters its list neither by a score
nor by filling up; editors' pins alone are above this.

>>> site = Eligibility(np.array([0, 0, 1, EMPTY]), np.array([False, True, False, False]))
>>> site.allows(np.array([0, 0, 0, 3]), np.array([1, 2, 3, 2]))
array([False, False,  True,  True])
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender.articles.article import Article
from recommender.articles.language import detect, primary_subtag
from recommender.candidates import EMPTY, MIN_LINKS, Candidates

# Rules on languages: links in the language of the page, or in whichever.
SAME, ANY = "same", "any"
# Rules on listing pages: recommended beside nothing, or like others.
OFF, ON = "off", "on"
# Titles of listing pages that the card names.
N_EXAMPLES = 5
# So many articles stay eligible however old they are, the newest: each has a list of ten others.
NEWEST_KEPT = 11
# A language that no article says it is in counts from so many texts that seem to be in it on: a few
# are lists of names, and their pages would have next to no links. As many as fill each other's
# shortest list; not tuned.
MIN_DETECTED = MIN_LINKS + 1


@dataclass(frozen=True, slots=True)
class Language:
    """A language by its code: how many articles say that they are in it, and in how many others
    the text shows it.
    """

    code: str
    n_said: int = 0
    n_detected: int = 0

    def __str__(self) -> str:
        by_text = f" ({self.n_detected:,} by their text)" if self.n_detected else ""
        return f"{self.code} {self.n_said + self.n_detected:,} articles{by_text}"


@dataclass(frozen=True, slots=True)
class Languages:
    """The rule on languages and the site's ``known`` ones: language number *i* is the *i*-th.
    ``n_unknown`` articles are in none of these, among them those of ``rare`` ones, which were
    detected too seldom to count. Under ``ANY`` none is known.
    """

    rule: str = SAME
    known: tuple[Language, ...] = ()
    rare: tuple[Language, ...] = ()
    n_unknown: int = 0

    @property
    def codes(self) -> list[str]:
        """The codes of the known languages, by number."""
        return [each.code for each in self.known]

    def number(self, code: str | None) -> int:
        """The number of a language by its code, ``EMPTY`` for none; all that the site has not share
        one beyond the others.
        """
        if self.rule == ANY or code is None:
            return EMPTY
        codes = self.codes
        return codes.index(code) if code in codes else len(codes)

    def of_text(self, language: str | None, title: str, body: str) -> str | None:
        """The code of a text's language: the one that its tag ``language`` names; without, the one
        it is written in, if that is one of several that the site has.
        """
        code = primary_subtag(language)
        if code is None and self.rule == SAME and len(self.known) > 1:
            return detect(title, body, self.codes)
        return code

    def including(self, codes: Iterable[str | None]) -> Languages:
        """The same with these languages too, numbered behind those that are known."""
        new = {code for code in codes if code} - set(self.codes)
        if self.rule == ANY or not new:
            return self
        return replace(self, known=self.known + tuple(map(Language, sorted(new))))

    def __str__(self) -> str:
        if self.rule == ANY:
            return "links may lead to any language"
        known = ", ".join(map(str, self.known)) or "none is known"
        sentence = f"links stay in the language of the page: {known}"
        if self.n_unknown:
            sentence += f"; {self.n_unknown:,} of unknown language may stand beside any"
        if self.rare:
            few = ", ".join(f"{each.n_detected:,} in {each.code}" for each in self.rare)
            sentence += f", among them texts that seem to be {few}, too few to go by"
        return sentence


@dataclass(frozen=True, slots=True)
class Listings:
    """The rule on listing pages; under ``OFF``, how many were found (``n_found``), and the titles
    of some.
    """

    rule: str = OFF
    n_found: int = 0
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.rule == ON:
            return "listing pages are recommended like others"
        if not self.n_found:
            return "no page is a mere list of others"
        titles = ", ".join(f'"{title}"' for title in self.examples)
        return (
            "listing pages, made of other articles' titles and beginnings, are recommended beside "
            f"nothing: {self.n_found:,} were found, such as {titles}"
        )


def listings_of(articles: Sequence[Article], listing: np.ndarray, *, rule: str) -> Listings:
    """The account of listing pages, ``listing`` being true for them, ``(n_articles,)``."""
    rows = np.flatnonzero(listing)
    titles = tuple(articles[row].title for row in rows[:N_EXAMPLES])
    return Listings(rule, len(rows), titles)


@dataclass(frozen=True, slots=True, eq=False)
class Eligibility:
    """What may be recommended: ``language`` holds a number into ``languages.known`` for each
    article, ``EMPTY`` for unknown; an article that is ``barred`` is recommended beside nothing, but
    has a list of its own. Both are ``(n_articles,)``.
    """

    language: np.ndarray
    barred: np.ndarray
    languages: Languages = Languages()

    def allows(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """True where an item may stand beside its source, in the shape of both together."""
        return ~self.barred[items] & agree(self.language[sources], self.language[items])

    def mask(self, candidates: Candidates) -> np.ndarray:
        """True where a slot holds what may stand there, ``(n_sources, list_size)``."""
        return candidates.used & self.allows(candidates.sources[:, None], candidates.items)


def agree(one: np.ndarray | int, other: np.ndarray | int) -> np.ndarray:
    """True where languages, given by numbers of any shape, are the same or one is unknown."""
    one, other = np.asarray(one), np.asarray(other)
    return (one == other) | (one == EMPTY) | (other == EMPTY)


def eligibility_of(
    articles: Sequence[Article],
    *,
    languages: str = SAME,
    detected: Sequence[str | None] | None = None,
    too_old: np.ndarray | bool = False,
    listing: np.ndarray | bool = False,
) -> Eligibility:
    """What may be recommended of a site's articles under a rule on languages, but for those that
    are ``too_old`` and pages that are mere lists of others (``listing``); ``detected`` are the
    codes that texts show of articles that do not say theirs. All are ``(n_articles,)``.
    """
    language, known = languages_of(articles, detected, rule=languages)
    barred = np.zeros(len(articles), dtype=bool) | too_old | listing
    return Eligibility(language, barred, known)


def too_old_of(
    articles: Sequence[Article],
    day: np.ndarray,
    now: float,
    oldest_days: int,
    *,
    listing: np.ndarray | bool = False,
) -> np.ndarray:
    """True for articles published more than ``oldest_days`` ago, ``(n_articles,)``; none for 0.

    ``day`` and ``now`` are days since 1970, NaN where unknown, which is not old. Where fewer than
    ``NEWEST_KEPT`` pages remain that are no ``listing``, the newest of the old ones do too: a site
    that was left alone for long still has lists.
    """
    if oldest_days == 0:
        return np.zeros(len(articles), dtype=bool)
    old = now - day > oldest_days
    may = np.array([not article.stub for article in articles], dtype=bool) & ~np.bool_(listing)
    n_wanting = NEWEST_KEPT - int((may & ~old).sum())
    spared = np.flatnonzero(may & old)
    spared = spared[np.argsort(-day[spared], kind="stable")][: max(n_wanting, 0)]
    old[spared] = False
    return old


def languages_of(
    articles: Sequence[Article], detected: Sequence[str | None] | None = None, *, rule: str
) -> tuple[np.ndarray, Languages]:
    """The number of each article's language, ``(n_articles,)``, and what the numbers mean."""
    if rule == ANY:
        return np.full(len(articles), EMPTY, dtype=np.int16), Languages(rule)
    said = [primary_subtag(article.language) for article in articles]
    shown = [None if code else other for code, other in zip(said, detected or said, strict=True)]
    n_said, n_shown = Counter(filter(None, said)), Counter(filter(None, shown))
    found = [
        Language(code, n_said[code], n_shown[code]) for code in sorted(n_said.keys() | n_shown)
    ]
    known = tuple(each for each in found if each.n_said or each.n_detected >= MIN_DETECTED)
    numbers: dict[str | None, int] = {each.code: number for number, each in enumerate(known)}
    codes = [code or other for code, other in zip(said, shown, strict=True)]
    language = np.array([numbers.get(code, EMPTY) for code in codes], dtype=np.int16)
    rare = tuple(each for each in found if each not in known)
    return language, Languages(rule, known, rare, n_unknown=int((language == EMPTY).sum()))
