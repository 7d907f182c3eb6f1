"""Slates that explore: beside the best slate of an article a few others, drawn when it is built.

A page draws a variant, 0 to 99, for every view; most mean the best slate, each of the last
``share`` a slate of its own. In these, neighbours change places, which identifies how strong
position is, and one place goes to a candidate from further down that still passes the relevance
floor, which shows whether it deserves better; what stood there and below moves down by one. Pages
ask for lists of different lengths, so the place is in turn the last of lists of ``LENGTHS``: at
whatever length from 3 up, some views show a candidate that the page would not show otherwise.
Since variants are drawn uniformly, the chance of every item at every position is known: so many
hundredths.

Candidates are dealt like cards, not drawn with replacement: none comes again beside an article
while there is one for that place that came less often.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from recommender.candidates import EMPTY
from recommender.events.slate_token import N_VARIANTS

# Places at which chances are known: as many as pages ask for, unless they name another number.
DEPTH = 10
# Lengths of list at whose last place candidates from further down are tried, one a slate in turn:
# not tuned, lengths that pages ask for. The shortest comes first, so that a single exploring slate
# serves them all. What it costs: benchmarks/README.md, "Exploration".
LENGTHS = (3, 5, 8, 10)
# Not tuned: one view in five. What it costs: benchmarks/README.md, "Exploration".
DEFAULT_SHARE = 20
BEST, EXPLORE = "best", "explore"


def explore(
    items: np.ndarray,
    n_relevant: np.ndarray,
    sensitive: np.ndarray,
    *,
    share: int = DEFAULT_SHARE,
    seed: int,
) -> np.ndarray:
    """Which slot of the prepared list stands at each place of each exploring slate,
    ``(n_articles, share, depth)``, a ``depth`` of ``DEPTH`` or the lists' size if that is less.

    Draws the exploring slates of prepared lists ``items``, ``(n_articles, list_size)``, of whose
    links the first ``n_relevant``, ``(n_articles,)``, passed the floor. Nothing moves on the page
    of a ``sensitive`` article, ``(n_articles,)``, and no such article is moved on others'.
    """
    n, size = items.shape
    depth = min(DEPTH, size)
    random = np.random.default_rng(seed)
    places = np.arange(size)
    movable = (items != EMPTY) & (places < n_relevant[:, None]) & ~sensitive[:, None]
    movable &= ~sensitive[np.where(items == EMPTY, 0, items)]
    # The place of the last movable slot up to each, and before it; -1 if there is none.
    last = np.maximum.accumulate(np.where(movable, places, -1), axis=1)
    before = np.column_stack([np.full(n, -1), last[:, :-1]])[:, :depth]
    # Cards by how often they came, and at random among those that came as often.
    deck = random.random((n, size))
    slates = np.empty((n, share, depth), dtype=np.uint8)
    for number in range(share):
        length = min(LENGTHS[number % len(LENGTHS)], depth)
        below = movable & (places >= length)
        card = np.where(below, deck, np.inf).argmin(axis=1)
        place = last[:, length - 1]
        # The first place is not for trials.
        place = np.where(below.any(axis=1) & (place > 0), place, size)
        some = np.flatnonzero(place < size)
        deck[some, card[some]] += 1
        order = np.tile(places[:depth], (n, 1))
        lower = (order > place[:, None]) & (order <= card[:, None]) & movable[:, :depth]
        order = np.where(lower, before, order)
        order[some, place[some]] = card[some]
        for left in range(number % 2, depth - 1, 2):
            swap = (random.random(n) < 0.5) & movable[:, left] & movable[:, left + 1]
            swap &= (left != place) & (left + 1 != place)
            order[swap, left : left + 2] = order[swap, left : left + 2][:, ::-1]
        slates[:, number] = order
    return slates


def slate_of(variant: int, share: int) -> int:
    """The number of a variant's slate: 0 for the best, from 1 for those that explore."""
    return max(0, variant - (N_VARIANTS - share) + 1)


def variant_table(share: int) -> list[dict[str, Any]]:
    """What each variant means, for everyone to read.

    >>> variant_table(2)
    [{'from': 0, 'to': 97, 'arm': 'best', 'slate': 0},
     {'from': 98, 'to': 98, 'arm': 'explore', 'slate': 1},
     {'from': 99, 'to': 99, 'arm': 'explore', 'slate': 2}]
    """
    first = N_VARIANTS - share
    best = {"from": 0, "to": first - 1, "arm": BEST, "slate": 0}
    others = [
        {"from": first + at, "to": first + at, "arm": EXPLORE, "slate": at + 1}
        for at in range(share)
    ]
    return [best, *others]
