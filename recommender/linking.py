"""Titles to articles: what the ``Recommend`` blocks of text pages point at.

A title is matched aside from case, spaces and punctuation; failing that, aside from a small
typo. A typo makes a word nobody else uses, so a title is never taken for another whose
differing word the site knows: "hypothyroidism" is no misspelt "hyperthyroidism".
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from recommender.articles import Article, title_key

WORD = re.compile(r"\w+")
# Below this a single edit makes another title: "Gout?" and "Gut?".
MIN_CHARACTERS_FOR_TYPOS = 10
CHARACTERS_PER_EDIT = 12
MAX_EDITS = 3


class TitleIndex:
    """Finds the article a title means.

    >>> index = TitleIndex([Article("knee", "Why does my knee click?")])
    >>> index.find("why does my knee  CLICK"), index.find("Why dose my knee click?")
    ('knee', 'knee')
    >>> index.find("What is gout?") is None
    True
    """

    def __init__(self, articles: Iterable[Article]) -> None:
        self.by_key: dict[str, str] = {}
        self.words: set[str] = set()
        # Of two articles with one title, the same one answers whatever order they came in.
        for article in sorted(articles, key=lambda article: article.id):
            self.by_key.setdefault(title_key(article.title), article.id)
            self.words.update(_words(article.title))
        self.keys = list(self.by_key)

    def find(self, title: str) -> str | None:
        """The id of the article with this title, or None."""
        key = title_key(title)
        return self.by_key.get(key) or self._misspelt(title, key)

    def _misspelt(self, title: str, key: str) -> str | None:
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        if len(key) < MIN_CHARACTERS_FOR_TYPOS:
            return None
        limit = min(MAX_EDITS, 1 + len(key) // CHARACTERS_PER_EDIT)
        near = process.extract(key, self.keys, scorer=OSA.distance, score_cutoff=limit, limit=2)
        if not near or (len(near) == 2 and near[0][1] == near[1][1]):
            return None  # none, or two equally near: no telling which was meant
        found: str = near[0][0]
        if _digits(found) != _digits(key):
            return None  # type 1 and type 2 are not a typo apart
        if ("hyper" in found) != ("hyper" in key) or ("hypo" in found) != ("hypo" in key):
            return None  # two letters apart, and the opposite
        foreign = _words(title) - self._words_of(found)
        if foreign & self.words:
            return None
        return self.by_key[found]

    def _words_of(self, key: str) -> set[str]:
        """Words written with the letters of ``key``, as far as this title's words need them."""
        return {word for word in self.words if word in key}


def _words(title: str) -> set[str]:
    return set(WORD.findall(title.casefold()))


def _digits(key: str) -> str:
    return "".join(character for character in key if character.isdigit())
