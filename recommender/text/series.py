"""The next part of a series, from titles and dates alone, in any language.

Titles of a series share their words up to a number and differ in it: "Bees, part 2: the hive",
"Plotter 2.3 released", "Market report, 5 November 2026". No word is looked for. That a number
counts parts is seen from how it stands in the title, "(2/6)" or set off as in ", part 2:", and from
the order in which the articles were published.

>>> titles = ["Bees, part 1: the hive", "Bees, part 3: honey", "Bees, part 2: swarms", "Bees"]
>>> next_parts(titles, np.array([10.0, 30.0, 20.0, 5.0]))
array([ 2, -1,  1, -1])
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from recommender.candidates import EMPTY
from recommender.text.terms import LETTER, UNSPACED, fold

# The next number follows, or the one after it where that is missing: whoever has read part 2 wants
# part 3, hardly part 7. Releases and dates have any gaps.
MAX_GAP = 2
# So many neighbours in a series were published one after the other: two parts may come out in the
# wrong order, and old releases are mended. As many titles have the year they were published in.
IN_ORDER, VERSIONS_IN_ORDER = 0.8, 2 / 3
# Where the title's form says nothing, the order of so many is no chance: one in six.
MIN_PARTS = 3
MAX_TOTAL = 100  # "of 12", not "of 2026"
YEARS = range(1900, 2100)
# Words between the numbers of a date: "5 de noviembre de 2026".
MAX_IN_DATE = 3
MAX_DIGITS = 12  # beyond, an id
ROMAN = {"I": 1, "V": 5, "X": 10}  # letters of numbers up to 39
IS_ROMAN = re.compile(r"(?=.)X{0,3}(?:IX|IV|V?I{0,3})").fullmatch
# A number, with decimals or as a version; a character of a script without spaces; a word with its
# digits; and punctuation, which parts a title unless it is a hyphen or point within a word.
TOKEN = re.compile(
    rf"(?<![^\W{UNSPACED}])[vV]?(?P<number>\d{{1,3}}(?:,\d{{3}})+|\d+(?:\.\d+)*)(?!{LETTER})"
    rf"|(?P<character>[{UNSPACED}])"
    rf"|(?P<word>[^\W{UNSPACED}]+(?:['’]{LETTER}+)?)"
    rf"|(?P<mark>(?:(?<!\w)[-.]|[-.](?!\w)|[^\w\s'’.-])+|(?<=[{UNSPACED}])\s+)"
)
POINTED_DATE = re.compile(
    r"(?<![\d.])(?:(?:\d\d?\.){1,2}(?:19|20)\d\d|(?:19|20)\d\d(?:\.\d\d?){1,2})(?![\d.]*\d)"
)
# What may be a number in a title, Roman ones included.
MAY_COUNT = re.compile(rf"\d|(?<![^\W{UNSPACED}])[IVX]+(?![^\W{UNSPACED}])").search
IN_NUMBERS = re.compile("[0-9IVX]").search
AMOUNTS = "%‰°"  # beside these and signs of currencies, a number is an amount


class Token(NamedTuple):
    """A word or number of a title: its ``text``, ``value`` if it may count something, weight in
    words, whether it is Roman, and in which stretch between punctuation marks it stands.
    """

    text: str
    value: tuple[int, ...] | None
    weight: float
    is_roman: bool
    stretch: int


class Part(NamedTuple):
    """An article in a series that its title may belong to. ``value`` is its number, one of
    ``total`` or 0; ``is_set_off`` is true if punctuation parts it from what others may lack;
    ``rest`` are the words behind it.
    """

    row: int
    value: tuple[int, ...]
    total: int
    is_set_off: bool
    rest: tuple[str, ...]


# Rows in order, each with the one that follows.
Chain = list[tuple[int, int]]
Key = tuple[object, ...]


def next_parts(titles: Sequence[str], day: np.ndarray) -> np.ndarray:
    """The row of the part that follows each article, ``EMPTY`` for none, ``(n_articles,)``.

    ``day`` is when each was published, counted in days from 1970, NaN where unknown. Years alone
    make no series: a later year's edition takes the place of an earlier one, a part follows on it.
    """
    tokens = [tokens_of(title) for title in titles]
    following = np.full(len(titles), EMPTY, dtype=np.int64)
    # Of two series that a title may belong to, the one whose number stands last, "season 2,
    # episode 3", and the longer one.
    of: dict[int, tuple[int, int]] = {}
    for behind, chain in (*_dated(tokens, day), *_numbered(tokens, day)):
        claim = behind, -len(chain)
        for row, after in chain:
            if row not in of or claim < of[row]:
                of[row], following[row] = claim, after
    return following


def tokens_of(title: str) -> list[Token]:
    """The words and numbers of a title, none of a title without a number."""
    found, stretch = list[Token](), 0
    # Most titles have none of these, and are done with in a tenth of the time.
    if title.isascii() and not IN_NUMBERS(title):
        return found
    title = unicodedata.normalize("NFKC", title)
    if not MAY_COUNT(title):
        return found
    # "3.11.2026" is three numbers, "2.3.1" is one.
    title = POINTED_DATE.sub(lambda date: date[0].replace(".", " "), title)
    matches = list(TOKEN.finditer(title))
    for at, match in enumerate(matches):
        value: tuple[int, ...] | None = None
        is_roman = False
        if match["mark"]:
            stretch += 1
            continue
        if match["number"] and len(match["number"]) <= MAX_DIGITS:
            beside = matches[max(0, at - 1) : at + 2]
            if not any(each["mark"] and _is_amount(each[0]) for each in beside):
                value = tuple(map(int, match["number"].replace(",", "").split(".")))
        elif match["word"] and IS_ROMAN(match[0]):
            value, is_roman = (_of_roman(match[0]),), True
        weight = 0.5 if match["character"] else 1.0
        found.append(Token(fold(match[0]), value, weight, is_roman, stretch))
    return found


def _is_amount(mark: str) -> bool:
    return any(sign in AMOUNTS or unicodedata.category(sign) == "Sc" for sign in mark)


def _of_roman(text: str) -> int:
    values = [ROMAN[letter] for letter in text]
    return sum(
        -one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True)
    )


def _texts(tokens: Iterable[Token]) -> tuple[str, ...]:
    return tuple(token.text for token in tokens)


# Numbers that count parts


def _numbered(titles: Sequence[Sequence[Token]], day: np.ndarray) -> Iterator[tuple[int, Chain]]:
    """Series, and how many numbers of their titles stand behind the one that counts."""
    groups: defaultdict[Key, list[Part]] = defaultdict(list)
    for row, tokens in enumerate(titles):
        for at, token in enumerate(tokens):
            before, after = tokens[:at], tokens[at + 1 :]
            # "7 ways to succeed with garlic" names no series before its number.
            if token.value is None or _is_year(token) or not before:
                continue
            size, total = _total(token, after)
            rest = _texts(after[size:])
            behind = sum(each.value is not None for each in after)
            key: Key = behind, token.is_roman, _texts(after[:size])
            is_short, name = _set_off(tokens, at, at + size)
            part = Part(row, token.value, total, is_short and bool(name), rest)
            if sum(each.weight for each in (*before, *after[size:])) >= 1:
                groups[*key, _texts(before), rest].append(part)
            if sum(each.weight for each in before) >= 1:
                named = part._replace(is_set_off=is_short)
                groups[*key, _texts(before), is_short, None].append(named)
            # "Swarms (a course on bees, part 2)": each begins with words of its own.
            if part.is_set_off and len(name) < at and sum(each.weight for each in name) >= 1:
                own = part._replace(rest=_texts(tokens[: at - len(name)]))
                groups[*key, _texts(name), rest, None].append(own)
    for key, parts in groups.items():
        if len(parts) > 1 and (chain := _chain(parts, day, are_named=key[-1] is None)):
            yield int(str(key[0])), chain


def _is_year(token: Token) -> bool:
    return token.value is not None and len(token.value) == 1 and token.value[0] in YEARS


def _total(token: Token, after: Sequence[Token]) -> tuple[int, int]:
    """How many words behind a number say of how many parts it is one, and the number of these:
    "(2/6)", "3 von 6".
    """
    for size in (1, 2):
        value = after[size - 1].value if len(after) >= size else None
        if value and len(value) == 1 and (token.value or (0,)) <= value <= (MAX_TOTAL,):
            is_word = size == 2 and after[0].value is None
            if is_word or (size == 1 and after[0].stretch == token.stretch + 1):
                return size, value[0]
    return 0, 0


def _set_off(tokens: Sequence[Token], first: int, last: int) -> tuple[bool, Sequence[Token]]:
    """Does a number stand in a stretch of its own, with a word at most; and the words of that, and
    of the stretch before it, up to the number, nothing where there is none before.
    """
    stretch = range(tokens[first].stretch, tokens[last].stretch + 1)
    beside = [*tokens[:first], *tokens[last + 1 :]]
    within = [each.weight for each in beside if each.stretch in stretch]
    is_short = len(within) < len(beside) and sum(within) <= 1
    earlier = [each.stretch for each in tokens[:first] if each.stretch < stretch.start]
    name = [each for each in tokens[:first] if each.stretch >= max(earlier, default=first + 1)]
    return is_short, name if earlier else []


def _chain(parts: Sequence[Part], day: np.ndarray, *, are_named: bool) -> Chain | None:
    """The parts in order, None if they are no series. They are named if each has words of its own
    behind its number.
    """
    by_value: dict[tuple[int, ...], Part] = {}
    for part in parts:
        by_value.setdefault(part.value, part)
    # One title for all, or two series of one name: "Part 1" of this and of that.
    if are_named and not len({part.rest for part in parts}) == len(by_value) == len(parts):
        return None
    values = sorted(by_value)
    is_version = any(len(value) > 1 for value in values)
    pairs = [
        (by_value[one], by_value[other])
        for one, other in pairwise(values)
        if is_version or other[0] - one[0] <= MAX_GAP
    ]
    if not pairs or not _count_parts(pairs, day, is_version=is_version, are_named=are_named):
        return None
    after = {one.value: other.row for one, other in pairs}
    return [(part.row, after.get(part.value, EMPTY)) for part in parts]


def _count_parts(
    pairs: Sequence[tuple[Part, Part]], day: np.ndarray, *, is_version: bool, are_named: bool
) -> bool:
    """Do the numbers of neighbours count parts, by their form or by dates?"""
    parts = [*(one for one, _ in pairs), pairs[-1][1]]
    gaps = np.array([day[other.row] - day[one.row] for one, other in pairs])
    n_later, n_earlier = int((gaps > 0).sum()), int((gaps < 0).sum())
    total = parts[0].total
    if 2 * len(parts) > total > 0:
        return True
    if total and any(not _is_step(one.value, other.value) for one, other in pairs):
        return False  # "levels 1 and 4", "levels 3 and 4"
    in_order = VERSIONS_IN_ORDER if is_version else IN_ORDER
    if n_earlier > (1 - in_order) * len(pairs):
        return False
    # Set off, from the beginning on; the first parts may be gone. "(Error 3446)" counts nothing.
    if all(part.is_set_off for part in parts) and parts[0].value < (1 + MAX_GAP + 1,):
        return n_later > 0 or (are_named and parts[0].value in ((0,), (1,)))
    if len(parts) < MIN_PARTS:
        return False
    if np.isnan(gaps).all():
        steps = [_is_step(one.value, other.value) for one, other in pairs]
        return is_version and sum(steps) >= IN_ORDER * len(pairs)
    return n_later >= in_order * len(pairs)


def _is_step(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """2.3 to 2.4, or 2.9 to 3.0."""
    size = max(len(one), len(other))
    before, after = (value + (0,) * (size - len(value)) for value in (one, other))
    at = next((place for place in range(size) if before[place] != after[place]), 0)
    return after[at] == before[at] + 1 and not any(after[at + 1 :])


# Dates


class Dated(NamedTuple):
    """A title with a date in it: its year, its other numbers, and the words of the date."""

    row: int
    year: int
    numbers: tuple[int, ...]
    is_year_first: bool
    words: tuple[str, ...]


def _dated(titles: Sequence[Sequence[Token]], day: np.ndarray) -> Iterator[tuple[int, Chain]]:
    """Series of titles that differ in a date, and how many numbers stand behind it: none, of a
    rank before all others.
    """
    groups: defaultdict[Key, list[Dated]] = defaultdict(list)
    for row, tokens in enumerate(titles):
        for key, found in _dates(row, tokens):
            groups[key].append(found)
    for parts in groups.values():
        if len(parts) >= MIN_PARTS and (chain := _in_order(parts, day)):
            yield -1, chain


def _dates(row: int, tokens: Sequence[Token]) -> Iterator[tuple[Key, Dated]]:
    """The date in a title, by the words around it; with and without the word before it, which may
    be a month: "November 5, 2026".
    """
    years = [at for at, token in enumerate(tokens) if _is_year(token)]
    if len(years) != 1:
        return
    first = last = years[0]
    for step in (-1, 1):
        for at in range(years[0] + step, -1 if step < 0 else len(tokens), step):
            low, high = min(first, at), max(last, at)
            between = [each for each in tokens[low : high + 1] if each.value is None]
            if sum(each.weight for each in between) > MAX_IN_DATE:
                break
            value = tokens[at].value
            if value and len(value) == 1 and not tokens[at].is_roman:
                first, last = low, high
    date, behind = tokens[first : last + 1], _texts(tokens[last + 1 :])
    numbers = tuple(each.value[0] for each in date if each.value and not _is_year(each))
    within = tuple(each.text for each in date if each.value is None)
    found = Dated(row, tokens[years[0]].value[0], numbers, years[0] == first, within)  # type: ignore[index]
    shape = len(numbers), len(within), behind
    names = tokens[:first]
    if numbers and sum(each.weight for each in names) >= 1:
        yield (*shape, _texts(names)), found
    if sum(each.weight for each in names[:-1]) >= 1 and not within:
        word = found._replace(words=(names[-1].text,))
        yield (*shape, _texts(names[:-1]), None), word


def _in_order(parts: Sequence[Dated], day: np.ndarray) -> Chain | None:
    """The titles in the order of their dates, None if they are no dates of publication."""
    days = day[[part.row for part in parts]]
    if np.isnan(days).any():
        return _by_numbers(parts) if np.isnan(days).all() else None
    published = [datetime.fromtimestamp(0, UTC) + timedelta(days=each) for each in days]
    right_year = np.mean([part.year == at.year for part, at in zip(parts, published, strict=True)])
    right_day = np.mean(
        [
            bool(
                {at.day, at.day - 1, at.day + 1, at.month, at.isocalendar().week} & {*part.numbers}
            )
            or not part.numbers
            for part, at in zip(parts, published, strict=True)
        ]
    )
    if min(float(right_year), float(right_day)) < IN_ORDER:
        return None
    # "November 2026" of one word and a year: as many words as there are months, at most.
    if not parts[0].numbers and not 1 < len({part.words for part in parts}) <= 12:
        return None
    return _following([(each,) for each in days.tolist()], parts)


def _by_numbers(parts: Sequence[Dated]) -> Chain | None:
    """The same by the numbers alone, where these can be told apart."""
    if any(part.words for part in parts) or len({part.is_year_first for part in parts}) > 1:
        return None
    numbers = [part.numbers for part in parts]
    if len(numbers[0]) not in (1, 2) or max(map(max, numbers)) > 53:
        return None
    if len(numbers[0]) == 2 and not parts[0].is_year_first:
        first_is_day, last_is_day = (max(each[at] for each in numbers) > 12 for at in (0, 1))
        if first_is_day == last_is_day:
            return None
        numbers = [each[::-1] if first_is_day else each for each in numbers]
    dates = [(part.year, *each) for part, each in zip(parts, numbers, strict=True)]
    return _following(dates, parts)


def _following(keys: Sequence[tuple[float, ...]], parts: Sequence[Dated]) -> Chain | None:
    """Each row with the first of those that come later."""
    first: dict[tuple[float, ...], int] = {}
    for key, part in zip(keys, parts, strict=True):
        first.setdefault(key, part.row)
    if len(first) < MIN_PARTS:
        return None
    after = dict(pairwise(sorted(first)))
    return [
        (part.row, first[after[key]] if key in after else EMPTY)
        for key, part in zip(keys, parts, strict=True)
    ]
