"""Listing pages: home, category, archive and author pages, made of other articles' beginnings.

A page is walked from piece to piece: where the title or the beginning of another article stands
on it, as far as the two agree. A listing names several articles by their titles, and their pieces
cover at least half of it, without a paragraph of its own. Nothing is looked up but the articles
themselves, so that it holds in any language and for any pattern of addresses.

A piece begins where another article begins. That sets listings apart from pages made from one
template: release notes, or reports of which only the figures differ, share words in the same
places, but none holds the titles of three others. A copy holds the text of one.

>>> posts = {
...     "Slugs at night": "They come out after rain and eat what is young and green.",
...     "Peat free compost": "It dries faster than peat does, so water a little every day.",
...     "Garlic": "Plant the cloves before the first frost and harvest in July.",
... }
>>> home = "\\n".join(f"{title}\\n{body} Read more" for title, body in posts.items())
>>> listing_pages([*posts, "The plot"], [*posts.values(), home])
array([False, False, False,  True])
"""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from recommender.candidates import EMPTY
from recommender.ragged import expand, find, runs
from recommender.text.terms import UNSPACED, fingerprint, fold, words_in

# Thresholds were read by eye on four sites and on variations of made-up ones (DECISIONS.md,
# "Listing pages"). Three articles make up at least half of a page, and none of them so much of that
# as it would of a copy.
MIN_ARTICLES, MIN_SHARE, MAX_ONE = 3, 0.5, 0.6
# Fewer must be nearly all of it, their titles on lines of their own: the page of a tag that one or
# two posts have. Nothing is lost with it that does not stand elsewhere.
NEARLY_ALL = 0.9
# A paragraph of its own, in words, makes a page an article that ends in a list, unless the pieces
# have so many times its words.
PARAGRAPH, TIMES = 25, 8
# Words of a beginning that are no coincidence, and of a title that may stand within a line; a
# shorter title must be the whole line.
MIN_BEGINNING, MIN_TITLE = 8, 4
# Soon after its title, an article may be quoted from anywhere, in runs of so many words.
MIN_QUOTE, SOON = 6, 60
# A title or beginning of more articles than this is a form, and of no article in particular.
MAX_SHARED = 5
# Lines near an article's head that an excerpt may begin with: a byline or a heading may come first.
N_OPENINGS, WITHIN = 3, 60
# A line that stands so often on one page, figures aside, is "Read more" or "by Jo".
MIN_REPEATED = 3
# Words are weighed in halves, and a character of scripts without spaces is half of one.
HALVES = 2
LONGEST = 20  # words of a title or beginning that are looked up; beyond, texts are compared
BLOCK = 1 << 17  # places looked up at once: their numbers of eight bytes stay in the cache
MAX_BITS = 28  # of each of the tables that leave out most places: 128 MB for a million articles
BASE = np.uint64(0x9E3779B97F4A7C15)  # of the polynomial hash, odd
IS_UNSPACED = re.compile(f"[{UNSPACED}]").match
TITLE = 0  # the line of an article that its title is; those of its body are 1, 2, ...


def listing_pages(
    titles: Sequence[str],
    bodies: Sequence[str],
    teasers: Sequence[str] | None = None,
    *,
    read: Callable[[Sequence[str], Sequence[str], Sequence[str]], Words] | None = None,
) -> np.ndarray:
    """True for pages that are made of other articles' beginnings, ``(n_articles,)``; ``teasers``
    may stand there for these, empty for none. ``read`` does what ``words_of`` does.
    """
    text = (read or words_of)(titles, bodies, teasers or [""] * len(titles))
    return judge(text).listing


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Which of a site's pages are a ``listing``, ``(n_articles,)``, and what it takes to judge
    others: every beginning of an article by its ``hash``, ascending, ``owner`` and ``line``,
    ``(n_beginnings,)`` each, and hashes of lines that are ``common``, ascending.
    """

    listing: np.ndarray
    hash: np.ndarray
    owner: np.ndarray
    line: np.ndarray
    common: np.ndarray


def judge(text: Words) -> Judged:
    """The pages of a whole site."""
    every = every_beginning(text)
    common = common_lines(text)
    known = every.keep(of_few(every.hash, every.owner, every.line))
    listing = listings_among(text, known, common, np.ones(len(text.bodies), dtype=bool))
    owner, line = every.owner.astype(np.int32), every.line.astype(np.int8)
    return Judged(listing, every.hash, owner, line, common)


def listings_among(
    text: Words, known: Beginnings, common: np.ndarray, asked: np.ndarray
) -> np.ndarray:
    """Which of the pages that are ``asked``, true or false, ``(n_articles,)``, are made of
    beginnings that are ``known``; of the same shape. Lines whose hashes are ``common`` are of no
    page in particular.
    """
    listing, any_page = np.zeros(len(asked), dtype=bool), np.ones(len(asked), dtype=bool)
    if len(text.words) == 0:
        return listing
    found = pages_of(text, known, common, asked)
    pages = [page for page in found if page.is_listing(any_page)]
    rows = np.array([page.row for page in pages], dtype=np.int64)
    # What quotes may be quoted, too: first those pages that stand on articles, then those that
    # stand on these. Pages that stand on one another alone are articles with a list below.
    n_before = -1
    while listing.sum() > n_before:
        n_before = int(listing.sum())
        quotable = any_page.copy()
        quotable[rows] = listing[rows]
        listing[[page.row for page in pages if page.is_listing(quotable)]] = True
    return listing


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """Texts as numbers of words. Article *i* is ``words[heads[i]:heads[i + 1]]``: its title, from
    ``bodies[i]`` on its body, from ``ends[i]`` on its teaser; ``lines`` are where lines of them
    begin, ascending. By number, ``prints`` are the words' fingerprints, ``halves`` is what a word
    weighs, and ``is_figure`` whether it is one.
    """

    words: np.ndarray
    heads: np.ndarray
    bodies: np.ndarray
    ends: np.ndarray
    lines: np.ndarray
    prints: np.ndarray
    halves: np.ndarray
    is_figure: np.ndarray

    def prints_at(self, places: np.ndarray) -> np.ndarray:
        """Fingerprints of the words at these places, ``(n_places,)`` uint64."""
        found: np.ndarray = self.prints[self.words[places]]
        return found

    def hashes(self, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Of as many words as ``lengths`` from each of ``starts`` on, ``(n_starts,)`` uint64."""
        value = np.zeros(len(starts), dtype=np.uint64)
        for step in range(int(lengths.max(initial=0))):
            longer = np.flatnonzero(lengths > step)
            value[longer] = value[longer] * BASE + self.prints_at(starts[longer] + step)
        return value


def words_of(titles: Sequence[str], bodies: Sequence[str], teasers: Sequence[str]) -> Words:
    """Texts word by word, folded; scripts without spaces character by character."""
    number: defaultdict[str, int] = defaultdict()
    number.default_factory = number.__len__
    words, lines, bounds = array("i"), array("q"), array("q", [0])
    for parts in zip(titles, bodies, teasers, strict=True):
        for part in parts:
            for line in part.splitlines():
                if found := [number[word] for word in split(line)]:
                    lines.append(len(words))
                    words.extend(found)
            bounds.append(len(words))
    return Words(
        words=np.array(words, dtype=np.int32),
        heads=np.array(bounds[::3], dtype=np.int64),
        bodies=np.array(bounds[1::3], dtype=np.int64),
        ends=np.array(bounds[2::3], dtype=np.int64),
        lines=np.array(lines, dtype=np.int64),
        **of_words(number),
    )


def of_words(words: Collection[str]) -> dict[str, np.ndarray]:
    """What ``Words`` has of each word by its number."""
    return {
        "prints": np.fromiter(map(fingerprint, words), np.uint64, len(words)),
        "halves": np.array([halves_of(word) for word in words], dtype=np.int32),
        "is_figure": np.array([word[0].isdigit() for word in words], dtype=bool),
    }


def split(line: str) -> list[str]:
    """The words of a text, and the characters of scripts without spaces."""
    found = words_in(fold(line))
    if line.isascii():
        return found
    return [part for word in found for part in (word if IS_UNSPACED(word) else (word,))]


def halves_of(word: str) -> int:
    """What a word weighs."""
    return 1 if IS_UNSPACED(word) else HALVES


@dataclass(frozen=True, slots=True, eq=False)
class Beginnings:
    """What articles begin with, ``(n_beginnings,)`` each, sorted by ``hash``, which is of
    ``length`` words from ``start`` on: the ``owner``, which of its lines it is, and whether it
    must be a ``whole`` line of the page.
    """

    hash: np.ndarray
    owner: np.ndarray
    start: np.ndarray
    length: np.ndarray
    line: np.ndarray
    whole: np.ndarray

    def keep(self, mask: np.ndarray) -> Beginnings:
        """Those for which ``mask`` is true, ``(n_beginnings,)``."""
        columns = (self.hash, self.owner, self.start, self.length, self.line, self.whole)
        return Beginnings(*(column[mask] for column in columns))


def every_beginning(text: Words) -> Beginnings:
    """The titles and first lines of the articles; those of one hash by line, then by owner."""
    rows = np.arange(len(text.bodies))
    parts = [_titles(text, rows)]
    after = np.append(text.lines, len(text.words))
    for number in range(N_OPENINGS):
        at = np.minimum(np.searchsorted(text.lines, text.bodies) + number, len(text.lines))
        parts.append(_openings(text, after[at], TITLE + 1 + number))
    start, end, owner, line, whole = (
        np.concatenate(columns) for columns in zip(*parts, strict=True)
    )
    hashes = text.hashes(start, end - start)
    order = np.lexsort((owner, line, hashes))
    return Beginnings(
        hashes[order], owner[order], start[order], (end - start)[order], line[order], whole[order]
    )


def of_few(hashes: np.ndarray, owner: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Which beginnings, in the order of ``every_beginning``, are of an article in particular."""
    heads = runs(hashes)
    group = np.repeat(np.arange(len(heads) - 1), np.diff(heads))
    # Who has it as the title, or in an earlier line, is quoted by the others.
    original = line == line[heads[:-1]][group]
    few: np.ndarray = original & (np.bincount(group, weights=original) <= MAX_SHARED)[group]
    return few


def _titles(text: Words, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """Beginnings that are titles: ``start``, ``end``, ``owner``, ``line``, ``whole``."""
    start, end = text.heads[:-1], text.bodies
    end = np.minimum(end, start + LONGEST)
    places, of = expand(start, end - start)
    words = text.words[places]
    weight = np.bincount(of, weights=text.halves[words], minlength=len(rows))
    # Figures alone are the title of nothing.
    said = np.bincount(of, weights=~text.is_figure[words], minlength=len(rows)) > 0
    whole = weight < HALVES * MIN_TITLE
    return start[said], end[said], rows[said], np.full(int(said.sum()), TITLE), whole[said]


def _openings(text: Words, start: np.ndarray, line: int) -> tuple[np.ndarray, ...]:
    """Beginnings of lines, ``start`` of each article's, in the same form."""
    n = len(text.words)
    end, weight = start.copy(), np.zeros(len(start), dtype=np.int32)
    said = np.zeros(len(start), dtype=bool)
    # A word weighs at least a half: so many are enough.
    for _ in range(HALVES * MIN_BEGINNING):
        words = text.words[np.minimum(end, n - 1)]
        short = weight < HALVES * MIN_BEGINNING
        weight += np.where(short & (end < n), text.halves[words], 0)
        said |= short & (end < n) & ~text.is_figure[words]
        end += short
    fits = (weight >= HALVES * MIN_BEGINNING) & (end <= text.ends)
    fits &= (start < text.bodies + WITHIN) & said
    owner = np.flatnonzero(fits)
    no = np.zeros(len(owner), dtype=bool)
    return start[fits], end[fits], owner, np.full(len(owner), line), no


def pages_of(
    text: Words, known: Beginnings, common: np.ndarray, asked: np.ndarray
) -> Iterator[Page]:
    """The pages, of those ``asked``, on which beginnings of other articles stand; ``common`` as of
    ``common_lines``.
    """
    found = [_whole_lines(text, known), *_within(text, known)]
    places, groups = (np.concatenate(columns) for columns in zip(*found, strict=True))
    heads = runs(known.hash)
    numbers, of = expand(heads[groups], np.diff(heads)[groups])
    places = places[of]
    rows = np.searchsorted(text.heads, places, side="right") - 1
    fits = (places >= text.bodies[rows]) & (known.owner[numbers] != rows)
    fits &= (places + known.length[numbers] <= text.ends[rows]) & asked[rows]
    places, numbers, rows = places[fits], numbers[fits], rows[fits]
    order = np.lexsort((numbers, places))
    places, numbers, rows = places[order], numbers[order], rows[order]
    lines, hashes = short_lines(text)
    everywhere = set(lines[find(common, hashes) >= 0].tolist())
    for start, end in pairwise(runs(rows).tolist()):
        yield Page(text, known, everywhere, int(rows[start]), places[start:end], numbers[start:end])


def common_lines(text: Words) -> np.ndarray:
    """Hashes of lines that stand on many pages, ascending: "Read more", or the author's name."""
    lines, hashes = short_lines(text)
    page = np.searchsorted(text.heads, lines, side="right") - 1
    order = np.lexsort((page, hashes))
    hashes, page = hashes[order], page[order]
    another = np.append(True, (hashes[1:] != hashes[:-1]) | (page[1:] != page[:-1]))[: len(page)]
    heads = runs(hashes)
    n_pages = np.bincount(np.repeat(np.arange(len(heads) - 1), np.diff(heads)), weights=another)
    found: np.ndarray = hashes[heads[:-1]][n_pages > MAX_SHARED]
    return found


def short_lines(text: Words) -> tuple[np.ndarray, np.ndarray]:
    """Where short lines begin, and their hashes, ``(n_lines,)`` each."""
    start, end = text.lines, np.append(text.lines[1:], len(text.words))
    short = np.flatnonzero(end - start <= LONGEST)
    return start[short], text.hashes(start[short], (end - start)[short])


def _whole_lines(text: Words, known: Beginnings) -> tuple[np.ndarray, np.ndarray]:
    """Lines that are a beginning, figures at both ends aside: their places, and the numbers of
    groups of beginnings that have one hash.
    """
    start, end = text.lines, np.append(text.lines[1:], len(text.words))
    for _ in range(MIN_TITLE):
        start = start + ((start < end) & text.is_figure[text.words[np.minimum(start, end - 1)]])
        end = end - ((start < end) & text.is_figure[text.words[end - 1]])
    short = (start < end) & (end - start <= known.length[known.whole].max(initial=0))
    start, end = start[short], end[short]
    group = find(known.hash[runs(known.hash)[:-1]], text.hashes(start, end - start))
    return start[group >= 0], group[group >= 0]


def _within(text: Words, known: Beginnings) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Beginnings that may stand within a line, in the same form, block by block."""
    heads = runs(known.hash)[:-1]
    loose = np.flatnonzero(~known.whole[heads])
    keys, lengths = known.hash[heads[loose]], known.length[heads[loose]]
    wanted, n = set(lengths.tolist()), len(text.words)
    if not wanted:
        return
    shortest = min(wanted)
    # Hardly any place begins like any beginning, and of these few go on like it: two tables leave
    # out nearly all others, which are looked up in a time that grows with all there is.
    n_bits = min(MAX_BITS, len(loose).bit_length() + 5)
    begun, whole = np.zeros((2, 1 << n_bits), dtype=bool)
    shift = np.uint64(64 - n_bits)
    begun[text.hashes(known.start[heads[loose]], np.full(len(loose), shortest)) >> shift] = True
    whole[keys >> shift] = True
    for first in range(0, n - shortest + 1, BLOCK):
        at = np.arange(first, min(first + BLOCK, n - shortest + 1))
        value = np.zeros(len(at), dtype=np.uint64)
        for step in range(shortest):
            value = value * BASE + text.prints_at(at + step)
        likely = begun[value >> shift]
        at, value = at[likely], value[likely]
        for length in range(shortest, max(wanted) + 1):
            if length > shortest:
                inside = at + length <= n
                at, value = at[inside], value[inside]
                value = value * BASE + text.prints_at(at + length - 1)
            if length in wanted:
                likely = whole[value >> shift]
                found = find(keys, value[likely])
                yield at[likely][found >= 0], loose[found[found >= 0]]


class Piece(NamedTuple):
    """Words of a page, from ``start`` up to ``end``, that are the ``owner``'s. The first
    ``n_title`` are its title, if any, which fills a line of the page if ``is_line``; without a
    title, the piece begins one.
    """

    start: int
    end: int
    owner: int
    n_title: int
    is_line: bool


class Page:
    """A page, by its row, and where the beginnings of others stand on it: ``places`` among all
    words, and ``numbers`` of the beginnings, ``(n_hits,)`` both; ``common`` is where lines
    begin that are ``common_lines``.
    """

    def __init__(
        self,
        text: Words,
        known: Beginnings,
        common: set[int],
        row: int,
        places: np.ndarray,
        numbers: np.ndarray,
    ) -> None:
        self.text, self.common, self.row = text, common, row
        self.head, self.end = int(text.bodies[row]), int(text.ends[row])
        low, high = np.searchsorted(text.lines, [self.head, self.end])
        self.lines = [*text.lines[low:high].tolist(), self.end]
        self.weight = text.halves[text.words[self.head : self.end]]
        self.found = list(self._found(known, places.tolist(), numbers.tolist()))
        # Where several titles begin, the longest is meant. Of texts that begin alike, the one that
        # agrees the least is the origin: a copy of the page agrees with all of it.
        self.found.sort(key=lambda p: (p.start, -p.end if p.n_title else p.end, p.owner))

    def _found(
        self, known: Beginnings, places: Sequence[int], numbers: Sequence[int]
    ) -> Iterator[Piece]:
        text, ends = self.text, set(self.lines)
        title = text.words[text.heads[self.row] : self.head]
        for place, number in zip(places, numbers, strict=True):
            owner, length = int(known.owner[number]), int(known.length[number])
            of_owner = text.words[text.heads[owner] : text.bodies[owner]]
            is_title = bool(known.line[number] == TITLE)
            if is_title:  # looked up by its first words alone
                length = len(of_owner)
            agree = self._agree(place, int(known.start[number]), int(text.ends[owner]))
            # A namesake is a copy, or to a reader is one.
            if agree >= length and not np.array_equal(title, of_owner):
                in_line = place in ends and (not is_title or place + length in ends)
                is_line = in_line or bool(known.whole[number])
                n_title = length if is_title else 0
                yield Piece(place, place + agree, owner, n_title, is_line)

    def _agree(self, place: int, start: int, end: int) -> int:
        """How many words from ``place`` on are those from ``start`` on."""
        size = min(self.end - place, end - start)
        words = self.text.words
        differ = words[place : place + size] != words[start : start + size]
        return int(differ.argmax()) if differ.any() else size

    def is_listing(self, quotable: np.ndarray) -> bool:
        """Do the pieces of others that are ``quotable``, ``(n_articles,)``, make up the page?"""
        of, pieces = self.owners(quotable)
        if not pieces:
            return False
        is_own = (of == EMPTY) & ~self._furniture(of != EMPTY)
        words = np.bincount(of[of != EMPTY], weights=self.weight[of != EMPTY])
        covered, own = float(words.sum()), float(self.weight[is_own].sum())
        if covered < HALVES * MIN_TITLE:
            return False
        most = int(words.argmax())
        spread = words[most] <= MAX_ONE * covered
        if spread and len({piece.owner for piece in pieces}) >= MIN_ARTICLES:
            passages = np.bincount(np.cumsum(of != EMPTY)[is_own], weights=self.weight[is_own])
            longest = float(passages.max(initial=0))
            is_article = longest > HALVES * PARAGRAPH and covered < TIMES * longest
            return covered >= MIN_SHARE * (covered + own) and not is_article
        text = self.text
        whole = text.halves[text.words[text.heads[most] : text.ends[most]]]
        # What has most of one other article is its copy.
        in_part = spread or 2 * words[most] <= whole.sum()
        in_lines = all(piece.n_title and piece.is_line for piece in pieces)
        return in_lines and in_part and covered >= NEARLY_ALL * (covered + own)

    def owners(self, quotable: np.ndarray) -> tuple[np.ndarray, list[Piece]]:
        """Whose each word of the page is, ``(n_words,)``, ``EMPTY`` for its own; and the pieces
        that name an article: by its title, or by a line that begins as it does.
        """
        of = np.full(self.end - self.head, EMPTY)
        titles: list[Piece] = []
        allowed = [piece for piece in self.found if quotable[piece.owner]]
        for piece in allowed:
            until = titles[-1].end if titles else self.head
            # The next title may happen to begin with the word that comes next in the text above.
            if piece.is_line and piece.start < until < piece.start + piece.n_title:
                titles[-1] = titles[-1]._replace(end=piece.start)
                until = piece.start
            if piece.n_title and piece.start >= until:
                titles.append(piece)
        starts = [*(piece.start for piece in titles), self.end]
        for piece, after in zip(titles, starts[1:], strict=True):
            of[piece.start - self.head : piece.end - self.head] = piece.owner
            until = min(piece.end + SOON, after)
            quoted = self._quoted(piece.end, until, piece.owner)
            of[piece.end - self.head : until - self.head][quoted] = piece.owner
        lines = []
        for piece in allowed:
            free = of[piece.start - self.head : piece.end - self.head] == EMPTY
            size = len(free) if free.all() else int(free.argmin())
            words = slice(piece.start - self.head, piece.start - self.head + size)
            if not piece.n_title and self.weight[words].sum() >= HALVES * MIN_BEGINNING:
                of[words] = piece.owner
                lines += [piece] if piece.is_line else []
        return of, titles + lines

    def _quoted(self, start: int, end: int, owner: int) -> np.ndarray:
        """Which of the words from ``start`` up to ``end`` the article has too, in runs."""
        words, heads = self.text.words, self.text.heads
        here, there = words[start:end].tolist(), words[heads[owner] : heads[owner + 1]].tolist()
        quoted = np.zeros(max(0, end - start), dtype=bool)
        if len(here) >= MIN_QUOTE:
            known = set(zip(*(there[step:] for step in range(MIN_QUOTE)), strict=False))
            runs_here = zip(*(here[step:] for step in range(MIN_QUOTE)), strict=False)
            for at, run in enumerate(runs_here):
                if run in known:
                    quoted[at : at + MIN_QUOTE] = True
        return quoted

    def _furniture(self, covered: np.ndarray) -> np.ndarray:
        """Which words are of lines that go with each entry of a listing: dates, "Read more"."""
        shapes: list[tuple[int, ...]] = []
        for start, end in pairwise(self.lines):
            line = self.text.words[start:end]
            figure = self.text.is_figure[line]
            is_date = 2 * figure.sum() >= len(line)
            shapes.append(() if is_date else tuple(np.where(figure, -1, line).tolist()))
        times = Counter(shapes)
        furniture = np.zeros(len(covered), dtype=bool)
        for (start, end), shape in zip(pairwise(self.lines), shapes, strict=True):
            words = slice(start - self.head, end - self.head)
            everywhere = not shape or times[shape] >= MIN_REPEATED or start in self.common
            if everywhere and not covered[words].any():
                furniture[words] = True
        return furniture
