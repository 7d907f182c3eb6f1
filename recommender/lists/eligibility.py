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
from recommender.articles.language import primary_subtag
from recommender.candidates import EMPTY, Candidates

# Rules on languages: links in the language of the page, or in whichever.
SAME, ANY = "same", "any"
# So many articles stay eligible however old they are, the newest: each has a list of ten others.
NEWEST_KEPT = 11


@dataclass(frozen=True, slots=True)
class Language:
    """A language by its code, and how many articles say that they are in it."""

    code: str
    n_said: int


@dataclass(frozen=True, slots=True)
class Languages:
    """The rule on languages and the site's ``known`` ones: language number *i* is the *i*-th.
    ``n_unknown`` articles are in none of these. Under ``ANY`` none is known.
    """

    rule: str = SAME
    known: tuple[Language, ...] = ()
    n_unknown: int = 0

    def number(self, language: str | None) -> int:
        """The number of a language as a tag writes it, ``EMPTY`` for none; all that the site
        has not share one beyond the others.
        """
        code = primary_subtag(language)
        if self.rule == ANY or code is None:
            return EMPTY
        codes = [each.code for each in self.known]
        return codes.index(code) if code in codes else len(codes)

    def including(self, languages: Iterable[str | None]) -> Languages:
        """The same with what these tags name, numbered behind what is known."""
        if self.rule == ANY:
            return self
        new = {code for language in languages if (code := primary_subtag(language))}
        new -= {each.code for each in self.known}
        return replace(self, known=self.known + tuple(Language(code, 0) for code in sorted(new)))


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
        sources = np.arange(len(candidates.items))[:, None]
        return candidates.used & self.allows(sources, candidates.items)


def agree(one: np.ndarray | int, other: np.ndarray | int) -> np.ndarray:
    """True where languages, given by numbers of any shape, are the same or one is unknown."""
    one, other = np.asarray(one), np.asarray(other)
    return (one == other) | (one == EMPTY) | (other == EMPTY)


def eligibility_of(
    articles: Sequence[Article], *, languages: str = SAME, too_old: np.ndarray | bool = False
) -> Eligibility:
    """What may be recommended of a site's articles under a rule on languages, but for those that
    are ``too_old``, ``(n_articles,)``.
    """
    language, known = languages_of(articles, rule=languages)
    return Eligibility(language, barred_of(articles) | too_old, known)


def too_old_of(
    articles: Sequence[Article], day: np.ndarray, now: float, oldest_days: int
) -> np.ndarray:
    """True for articles published more than ``oldest_days`` ago, ``(n_articles,)``; none for 0.

    ``day`` and ``now`` are days since 1970, NaN where unknown, which is not old. Where fewer than
    ``NEWEST_KEPT`` pages remain, the newest of the old ones do too: a site that was left alone for
    long still has lists.
    """
    if oldest_days == 0:
        return np.zeros(len(articles), dtype=bool)
    old = now - day > oldest_days
    may = ~barred_of(articles) & np.array([not article.stub for article in articles], dtype=bool)
    n_wanting = NEWEST_KEPT - int((may & ~old).sum())
    spared = np.flatnonzero(may & old)
    spared = spared[np.argsort(-day[spared], kind="stable")][: max(n_wanting, 0)]
    old[spared] = False
    return old


def barred_of(articles: Sequence[Article]) -> np.ndarray:
    """True for articles that are recommended beside nothing, ``(n_articles,)``."""
    return np.zeros(len(articles), dtype=bool)


def languages_of(articles: Sequence[Article], *, rule: str) -> tuple[np.ndarray, Languages]:
    """The number of each article's language, ``(n_articles,)``, and what the numbers mean."""
    if rule == ANY:
        return np.full(len(articles), EMPTY, dtype=np.int16), Languages(rule)
    said = [primary_subtag(article.language) for article in articles]
    counts = Counter(code for code in said if code)
    known = tuple(Language(code, counts[code]) for code in sorted(counts))
    numbers: dict[str | None, int] = {each.code: number for number, each in enumerate(known)}
    language = np.array([numbers.get(code, EMPTY) for code in said], dtype=np.int16)
    return language, Languages(rule, known, n_unknown=int((language == EMPTY).sum()))
