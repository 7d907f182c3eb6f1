"""Titles to articles: what the ``Recommend`` blocks of text pages point at.

A title is matched aside from case, spaces and punctuation; failing that, aside from small
typos. A typo makes a word nobody else uses and leaves the rest of the title alone, so a title
is never taken for another whose differing word the site knows, nor for one with another number,
letter or opposite: "type 1" is no misspelt "type 2", "hepatitis A" no "hepatitis B".
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from difflib import SequenceMatcher

from rapidfuzz import process
from rapidfuzz.distance import OSA

from recommender.articles.article import Article, is_kept, title_key

# At most so many words of a title may be misspelt, each by one edit: two edits in one word
# already lead from diverticulitis to diverticulosis.
MAX_EDITS = 3
# Shorter words are an edit away from too many others: rash and rush.
MIN_LETTERS = 5
# Parts of words that are an edit or two apart and mean the opposite.
OPPOSITES = ("hyper", "hypo", "macro", "micro", "inter", "intra", "ante", "anti", "abduc", "adduc")
VOWELS = "aeiou"
# A word in so many titles, and in such a share of them, is grammar ("of", "are"), and however
# short it is, one edit makes no other word of it. Not tuned.
COMMON_TITLES, COMMON_SHARE = 5, 0.05
ROMAN_DIGITS = "ivx"
APOSTROPHES = re.compile("['’ʼ]")


class TitleIndex:
    """Finds the article a title means.

    >>> index = TitleIndex([Article("knee", "Why does my knee click?")])
    >>> index.find("why does my knee  CLICK"), index.find("Why dose my knee click?")
    ('knee', 'knee')
    >>> index.find("What is gout?") is None
    True
    """

    def __init__(self, articles: Iterable[Article]) -> None:
        self.by_title: dict[str, str] = {}
        self.by_key: dict[str, Article] = {}
        self.words: Counter[str] = Counter()
        # Of two articles with one title, the same one answers whatever order they came in.
        for article in sorted(articles, key=lambda article: article.id):
            self.by_title.setdefault(article.title, article.id)
            self.by_key.setdefault(title_key(article.title), article)
            self.words.update(set(_words(article.title)))
        self.n_common = max(COMMON_TITLES, COMMON_SHARE * len(self.by_title))
        self.keys_with: dict[str, list[str]] = defaultdict(list)
        for key, article in self.by_key.items():
            for word in set(_words(article.title)):
                self.keys_with[word].append(key)

    def find(self, title: str) -> str | None:
        """The id of the article with this title, or None."""
        if title in self.by_title:  # "What is C?" and "What is C++?" have one key
            return self.by_title[title]
        key = title_key(title)
        if key in self.by_key:
            return self.by_key[key].id
        return self._misspelt(title, key)

    def _misspelt(self, title: str, key: str) -> str | None:
        written = _words(title)
        unknown = [word for word in written if word not in self.words]
        # Two words written as one make one more unknown word, hardly every time.
        if not 0 < len(unknown) <= 2 * MAX_EDITS:
            return None
        keys = [
            near for near in self._candidates(written) if abs(len(near) - len(key)) <= MAX_EDITS
        ]
        found = process.extract(key, keys, scorer=OSA.distance, score_cutoff=MAX_EDITS, limit=None)
        near = sorted(
            (distance, self.by_key[other].id)
            for other, distance, _ in found
            if self._is_misspelling(written, _words(self.by_key[other].title))
        )
        # Two equally near: either may have been meant.
        tied = len(near) > 1 and near[0][0] == near[1][0]
        return near[0][1] if near and not tied else None

    def _candidates(self, written: list[str]) -> Iterable[str]:
        """Keys of the titles with one of the two rarest words that are spelt right; two, because
        one may be half of a word.
        """
        known = sorted({word for word in written if word in self.words}, key=self.words.__getitem__)
        if not known:
            return self.by_key
        return {key for word in known[:2] for key in self.keys_with[word]}

    def _is_misspelling(self, written: list[str], meant: list[str]) -> bool:
        """Whether every difference between the two titles is a typo in ``written``."""
        matcher = SequenceMatcher(None, written, meant, autojunk=False)
        for change, start, end, meant_start, meant_end in matcher.get_opcodes():
            ours, theirs = written[start:end], meant[meant_start:meant_end]
            if len(ours) != len(theirs):  # "kneepian" for "knee pain"
                ours, theirs = ["".join(ours)], ["".join(theirs)]
            if change != "equal" and not all(map(self._is_typo, ours, theirs)):
                return False
        return True

    def _is_typo(self, word: str, other: str) -> bool:
        """Whether ``word`` may be ``other`` with one slip of the finger."""
        if word == other:
            return True
        if not word or not other or word in self.words:
            return False
        if OSA.distance(word, other, score_cutoff=1) > 1:
            return False
        if any(letter.isdigit() or _is_word_of_its_own(letter) for letter in word + other):
            return False
        if any((part in word) != (part in other) for part in OPPOSITES):
            return False
        swapped_or_doubled = sorted(word) == sorted(other) or _undoubled(word) == _undoubled(other)
        if swapped_or_doubled and len(word) > 2:
            return True
        if self.words[other] >= self.n_common and len(word) > 1 and other.strip(ROMAN_DIGITS):
            return True
        short, long = sorted((word, other), key=len)
        if word[0] != other[0]:  # "typical" and "atypical" are a first letter apart, and no typo
            return len(short) > MIN_LETTERS and not (long[1:] == short and long[0] in VOWELS)
        return len(long) >= MIN_LETTERS


def _is_word_of_its_own(letter: str) -> bool:
    """Chinese, Japanese and Korean signs: one more or less is another word, not a typo."""
    return letter >= "\u2e80" and unicodedata.category(letter) == "Lo"


def _undoubled(word: str) -> str:
    return re.sub(r"(.)\1+", r"\1", word)


def _words(title: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", APOSTROPHES.sub("", title)).casefold()
    return "".join(letter if is_kept(letter) else " " for letter in folded).split()
