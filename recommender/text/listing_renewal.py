"""Listing pages after some articles changed: the changed ones are judged, all others stay.

What an article begins with is known of all, so what a changed page may quote is found without
reading any other. With the articles that it may quote it is judged as in a site of their own, by
the beginnings and the common lines of the whole. A page that did not change stays what it was, even
if what it quotes changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from recommender.candidates import EMPTY
from recommender.ragged import find
from recommender.text.listing_pages import (
    BASE,
    LONGEST,
    Judged,
    Words,
    every_beginning,
    listings_among,
    of_few,
)

Texts = tuple[Sequence[str], Sequence[str], Sequence[str]]
# A table of the first bits of hashes leaves out most places; one in so many of it is true.
SPARSE = 32


def judge_again(
    before: Judged,
    place: np.ndarray,
    titles: Sequence[str],
    bodies: Sequence[str],
    teasers: Sequence[str],
    *,
    read: Callable[[Sequence[str], Sequence[str], Sequence[str]], Words],
) -> Judged:
    """The pages of a site as it is now. ``place``, ``(n_before,)``, is the row that each article of
    ``before`` has now, ``EMPTY`` for those that are gone or changed.
    """
    n, old = len(titles), np.flatnonzero(place != EMPTY)
    listing, is_new = np.zeros(n, dtype=bool), np.ones(n, dtype=bool)
    listing[place[old]], is_new[place[old]] = before.listing[old], False
    new = np.flatnonzero(is_new)

    def texts_of(rows: np.ndarray) -> Texts:
        some = rows.tolist()
        return tuple([column[at] for at in some] for column in (titles, bodies, teasers))  # type: ignore[return-value]

    text = read(*texts_of(new))
    own, owner = every_beginning(text), place[before.owner]
    stays = owner != EMPTY
    columns = (
        np.concatenate([before.hash[stays], own.hash]),
        np.concatenate([before.line[stays], own.line]),
        np.concatenate([owner[stays], new[own.owner]]),
    )
    order = np.lexsort(columns[::-1])
    hashes, line, owner = (column[order] for column in columns)
    few = of_few(hashes, owner, line)
    known = np.unique(hashes[few])
    quoted = owner[few][find(standing_in(text, known), hashes[few]) >= 0]
    rows = np.union1d(new, quoted)
    text = read(*texts_of(rows))
    every = every_beginning(text)
    some = every.keep(find(known, every.hash) >= 0)
    listing[rows] |= listings_among(text, some, before.common, is_new[rows])
    owner, line = owner.astype(np.int32), line.astype(np.int8)
    return Judged(listing, hashes, owner, line, before.common)


def standing_in(text: Words, known: np.ndarray) -> np.ndarray:
    """Those of the ``known`` hashes, ascending, that are of words anywhere in the texts, as many as
    a beginning has at most; ascending, ``(n_found,)``.
    """
    n_bits = max(1, (SPARSE * len(known)).bit_length())
    shift = np.uint64(64 - n_bits)
    likely = np.zeros(1 << n_bits, dtype=bool)
    likely[known >> shift] = True
    found = np.zeros(len(known), dtype=bool)
    value = np.zeros(len(text.words), dtype=np.uint64)
    prints = text.prints_at(np.arange(len(text.words)))
    for length in range(1, LONGEST + 1):
        value = value[: len(prints) - length + 1] * BASE + prints[length - 1 :]
        at = find(known, value[likely[value >> shift]])
        found[at[at >= 0]] = True
    return known[found]
