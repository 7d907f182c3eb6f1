"""The terms and statements of a whole site: what ``tfidf`` finds text by text, by fewer passes.

Most of what stands in texts stands there often. A compiled loop cuts texts into chunks, letters and
digits without a space between, and numbers the different ones; each of these alone is read by
``terms``. So a text's terms are the same, whatever it is written in, and a text is no more than a
row of numbers. Without numba, and where there is little to read, texts are read one by one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain, islice, pairwise
from typing import NamedTuple

import numpy as np

from recommender.ragged import find
from recommender.text import listing_pages, tfidf
from recommender.text.listing_pages import Words
from recommender.text.loops import ARE_COMPILED
from recommender.text.terms import (
    COMPOUND,
    FUNCTION_WORDS,
    fold,
    pieces_of,
    runs,
    split,
    terms,
    words_in,
)
from recommender.text.tfidf import Counts

if ARE_COMPILED:
    from recommender.text import byte_loops

# Characters from which on texts are read together: fewer take less time than it takes to load the
# compiled loops.
MANY_CHARACTERS = 1_000_000
# Texts that are looked through for statements together, to bound what is held of them.
BLOCK = 4_000


class Chunks(NamedTuple):
    """Texts as ``numbers`` of chunks, ``(n_chunks,)``: up to ``ends[i]`` those of text *i*. Of each
    it is known whether a line ``begins`` with it. ``different`` are the chunks by number, and
    ``plain`` those that are a word as they stand.
    """

    numbers: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    different: list[str]
    plain: list[bool]


class Ragged:
    """Rows of numbers, made one after the other."""

    def __init__(self) -> None:
        self.heads = [0]
        self.values: list[int] = []

    def add(self, row: Sequence[int]) -> None:
        """One row more."""
        self.values += row
        self.heads.append(len(self.values))

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """``heads``, ``(n_rows + 1,)``, and ``values``."""
        return np.array(self.heads, dtype=np.int64), np.array(self.values, dtype=np.int32)


def are_many(texts: Sequence[str]) -> bool:
    """Are texts read together?"""
    return ARE_COMPILED and sum(map(len, texts)) >= MANY_CHARACTERS


def joined(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of texts and where each begins, as ``byte_loops`` has them."""
    parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    heads = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(part) + 1 for part in parts], out=heads[1:])
    parts.append(b"")
    return np.frombuffer(bytearray(b"\n").join(parts), dtype=np.uint8), heads


def chunks_of(text: np.ndarray, heads: np.ndarray) -> Chunks:
    """Cut texts into chunks."""
    numbers, begins, ends, pool, plain = byte_loops.chunks(text, heads)
    different = pool.tobytes().decode("utf-8", "surrogatepass").split("\n")[:-1]
    return Chunks(numbers, begins, ends, different, plain.tolist())


def find_boilerplate(bodies: Sequence[str]) -> np.ndarray:
    """As ``tfidf.find_boilerplate``."""
    if not are_many(bodies):
        return tfidf.find_boilerplate(bodies)
    found = [np.zeros(0, dtype=np.uint64)]
    for start in range(0, len(bodies), BLOCK):
        _, _, prints, ends = byte_loops.statements(*joined(bodies[start : start + BLOCK]))
        found.append(byte_loops.different(prints, ends))
    prints = np.concatenate(found)
    prints.sort()
    bar = tfidf.boilerplate_bar(len(bodies))
    # What stands there so often stands also so many places behind its first.
    often = prints[: max(0, len(prints) - bar + 1)]
    return np.unique(often[often == prints[bar - 1 :]])


def count_block(
    titles: Sequence[str],
    bodies: Sequence[str],
    boilerplate: set[int],
    *,
    with_runs: bool = False,
) -> Counts:
    """As ``tfidf.count_block``."""
    if not are_many(bodies):
        return tfidf.count_block(titles, bodies, boilerplate, with_runs=with_runs)
    text, heads = joined(bodies)
    beginnings: Sequence[str] = [body[: tfidf.RUNS_IN] for body in bodies] if with_runs else []
    if boilerplate:
        starts, stops, prints, ends = byte_loops.statements(text, heads)
        known = np.sort(np.array([*boilerplate], dtype=np.uint64))
        dropped = find(known, prints) >= 0
        if with_runs:
            beginnings = _beginnings(text, starts, stops, dropped, ends)
        byte_loops.blank(text, starts[dropped], stops[dropped])
    chunks = chunks_of(text, heads)
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    tables = _terms_of(chunks, numbers)
    titled, counts, flags = _title_terms(titles, beginnings, numbers)
    # From here on terms go by their place in the order of the vocabulary.
    vocabulary = sorted(numbers.keys() - FUNCTION_WORDS)
    place = np.zeros(len(numbers), dtype=np.int32)
    place[[numbers[term] for term in vocabulary]] = np.arange(len(vocabulary), dtype=np.int32)
    lengths, ids, counts, flags = byte_loops.count_rows(
        chunks.numbers, chunks.ends,
        *tables.words, tables.terms[0], place[tables.terms[1]],
        *tables.names, tables.name_words, tables.pieces[0], place[tables.pieces[1]],
        titled[0], place[titled[1]], counts, flags,
        len(vocabulary),
    )  # fmt: skip
    # A piece of a name is there if the name is a word by itself, and not of "getText's" alone.
    used = np.bincount(ids, minlength=len(vocabulary)) > 0
    if not used.all():
        vocabulary = [term for term, is_used in zip(vocabulary, used, strict=True) if is_used]
        ids = (np.cumsum(used, dtype=np.int32) - 1)[ids]
    return Counts("\n".join(vocabulary), lengths, ids, tfidf.narrow(counts), flags)


def _beginnings(
    text: np.ndarray, starts: np.ndarray, stops: np.ndarray, dropped: np.ndarray, ends: np.ndarray
) -> list[str]:
    """The beginnings of texts without the statements that are ``dropped``."""
    found = []
    for first, last in pairwise([0, *ends.tolist()]):
        kept: list[str] = []
        room = tfidf.RUNS_IN
        for at in range(first, last):
            if not dropped[at] and room > 0:
                part = text[starts[at] : stops[at]].tobytes().decode("utf-8", "surrogatepass")
                kept.append(part)
                room -= len(part) + 1
        found.append("\n".join(kept)[: tfidf.RUNS_IN])
    return found


class Tables(NamedTuple):
    """Ragged tables, each as its heads and values: from a chunk to its ``words``, from a word to
    its ``terms``, from a chunk to its ``names``, of which ``name_words`` are the words, and from a
    name to its ``pieces``.
    """

    words: tuple[np.ndarray, np.ndarray]
    terms: tuple[np.ndarray, np.ndarray]
    names: tuple[np.ndarray, np.ndarray]
    name_words: np.ndarray
    pieces: tuple[np.ndarray, np.ndarray]


def _terms_of(chunks: Chunks, numbers: defaultdict[str, int]) -> Tables:
    """What chunks are made of; the terms are added to ``numbers``, which has none yet. Of a word
    that is plain the number is the term's too, whether it is one or a function word.
    """
    # Nearly all are plain, and few of the others have names.
    plain = [
        chunk for chunk, is_plain in zip(chunks.different, chunks.plain, strict=True) if is_plain
    ]
    numbers.update(zip(plain, range(len(plain)), strict=True))
    word_number = defaultdict(None, numbers)
    word_number.default_factory = word_number.__len__
    n_words = np.ones(len(chunks.different), dtype=np.int64)
    n_names = np.zeros(len(chunks.different), dtype=np.int64)
    are_plain = np.array(chunks.plain, dtype=bool)
    names_within: list[int] = []
    others: list[int] = []
    pieces, terms_of = Ragged(), Ragged()
    for at in np.flatnonzero(~are_plain).tolist():
        chunk = chunks.different[at]
        words = words_in(fold(chunk))
        others += [word_number[word] for word in words]
        n_words[at] = len(words)
        found = COMPOUND.findall(chunk)
        n_names[at] = len(found)
        names_within += [word_number[name.lower()] for name in found]
        for name in found:
            pieces.add([numbers[each] for each in pieces_of(name) if each not in FUNCTION_WORDS])
    word_heads = np.append(0, np.cumsum(n_words))
    of_words = np.empty(word_heads[-1], dtype=np.int32)
    is_of_plain = np.repeat(are_plain, n_words)
    of_words[is_of_plain] = np.arange(len(plain), dtype=np.int32)
    of_words[~is_of_plain] = others
    for word in islice(word_number, len(plain), None):
        terms_of.add([numbers[term] for term in split(word) if term not in FUNCTION_WORDS])
    heads, of_terms = terms_of.arrays()
    are_terms = np.ones(len(plain), dtype=bool)
    are_terms[[numbers[word] for word in FUNCTION_WORDS & {*plain}]] = False
    plain_heads = np.append(0, np.cumsum(are_terms))
    return Tables(
        (word_heads, of_words),
        (
            np.append(plain_heads[:-1], plain_heads[-1] + heads),
            np.append(np.flatnonzero(are_terms).astype(np.int32), of_terms),
        ),
        (np.append(0, np.cumsum(n_names)), np.arange(len(names_within), dtype=np.int32)),
        np.array(names_within, dtype=np.int32),
        pieces.arrays(),
    )


def _title_terms(
    titles: Sequence[str], beginnings: Sequence[str], numbers: defaultdict[str, int]
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
    """What is counted of each article beside its body: the terms of its title, their pairs, and
    where ``beginnings`` of the bodies are given, runs of letters; how often each, and whether it
    is of the title.
    """
    found = Ragged()
    counts: list[int] = []
    flags: list[bool] = []
    for row, title in enumerate(titles):
        named = terms(title)
        times = Counter(named)
        times.update(dict.fromkeys(map(" ".join, pairwise(named)), 1))
        is_titled = [True] * len(times)
        if beginnings and (of_letters := tfidf.runs_of(title, beginnings[row])):
            of_title = set(runs(named))
            different = Counter(of_letters)
            is_titled += [run in of_title for run in different]
            times.update(different)
        found.add([numbers[term] for term in times])
        counts += times.values()
        flags += is_titled
    return found.arrays(), np.array(counts, dtype=np.int32), np.array(flags, dtype=bool)


def words_of(titles: Sequence[str], bodies: Sequence[str], teasers: Sequence[str]) -> Words:
    """As ``listing_pages.words_of``."""
    if not are_many(bodies):
        return listing_pages.words_of(titles, bodies, teasers)
    number: defaultdict[str, int] = defaultdict()
    number.default_factory = number.__len__
    words, lines, bounds = [], [], [np.zeros(1, dtype=np.int64)]
    n = 0
    for start in range(0, len(titles), BLOCK):
        columns = (each[start : start + BLOCK] for each in (titles, bodies, teasers))
        chunks = chunks_of(*joined([*chain.from_iterable(zip(*columns, strict=True))]))
        table = Ragged()
        for chunk, is_plain in zip(chunks.different, chunks.plain, strict=True):
            found = (chunk,) if is_plain else listing_pages.split(chunk)
            table.add([number[word] for word in found])
        some, starts = byte_loops.expanded(chunks.numbers, *table.arrays())
        # A line begins with its first chunk that has words.
        has_words = np.diff(starts) > 0
        line = np.cumsum(chunks.begins)[has_words]
        first = np.diff(line, prepend=-1) > 0
        words.append(some)
        lines.append(n + starts[:-1][has_words][first])
        bounds.append(n + starts[chunks.ends])
        n += len(some)
    ends = np.concatenate(bounds)
    return Words(
        words=np.concatenate(words),
        heads=ends[::3].copy(),
        bodies=ends[1::3].copy(),
        ends=ends[2::3].copy(),
        lines=np.concatenate(lines),
        **listing_pages.of_words(number),
    )
