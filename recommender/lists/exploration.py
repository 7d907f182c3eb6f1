"""Slates that explore: beside the best slate of an article a few others, drawn when it is built.

A page draws a variant, 0 to 99, for every view; most mean the best slate, each of the last
``share`` a slate of its own. Such a slate is the best one with several pairs of links swapped. Each
place changes with places down to twice as far and three more (``lowest``): the second with the
seventh at most, the fifth with the thirteenth. What comes up from below the slate is a candidate
that the page would not show otherwise; what it displaces leaves the slate. Few are tried where much
is lost by a bad link, more where lists of the next build will differ most. At whatever length from
3 up, some views show a candidate from further down.

The same swaps serve three ends: links seen at two places tell how strong position is, candidates
whether they deserve better, and lists not shown yet can be judged where their links had a chance to
stand. Since variants are drawn uniformly, the chance of every link at every position is known: so
many hundredths.

Pairs are dealt like cards, not drawn with replacement: in ``ROUND`` slates none comes twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from recommender.candidates import EMPTY
from recommender.events.slate_token import N_VARIANTS

# Places at which chances are known: as many as pages ask for, unless they name another number.
DEPTH = 10
# The lowest place that the first one changes with: where a page asks for as few links, none comes
# from below.
WITH_FIRST = 3
# A place changes with those down to ``FACTOR`` times as far and ``MORE``: about as much as can be
# had where at most one click in fifty is lost, even of the best possible lists of the sample site
# (benchmarks/README.md, "Exploration").
FACTOR, MORE = 2, 3
# Slates in which every pair comes once, if it fits: as many as there are by default, of which a
# place has one for each of its pairs, or nearly.
ROUND = 20
# Not tuned: one view in five. What it costs: benchmarks/README.md, "Exploration".
DEFAULT_SHARE = 20
# Articles whose slates are dealt together; bounds the memory, some 100 MB.
BLOCK = 50_000
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
    n_rounds = -(-share // ROUND)
    slates = np.tile(np.arange(depth, dtype=np.uint8), (n, n_rounds * ROUND, 1))
    for start in range(0, n, BLOCK):
        rows = slice(start, start + BLOCK)
        movable = (items[rows] != EMPTY) & (np.arange(size) < n_relevant[rows, None])
        movable &= ~sensitive[rows, None] & ~sensitive[np.maximum(items[rows], 0)]
        for first in range(0, share, ROUND):
            _deal(slates[rows, first : first + ROUND], movable, random)
    return slates[:, :share]


def lowest(place: int, size: int) -> int:
    """The lowest place of a list of ``size`` that a ``place`` of the slate changes with, both from
    1. The last place tries all there is: little is lost there, and every candidate comes in time.

    >>> [lowest(place, 30) for place in range(1, DEPTH + 1)]
    [3, 7, 9, 11, 13, 15, 17, 19, 21, 30]
    """
    if place == 1:
        return WITH_FIRST
    return size if place == DEPTH else FACTOR * place + MORE


def _deal(slates: np.ndarray, movable: np.ndarray, random: np.random.Generator) -> None:
    """Swap every pair in one of the ``slates``, ``(n_articles, ROUND, depth)``, which hold the best
    list; ``movable`` is ``(n_articles, list_size)``. A pair that fits into none is left out.
    """
    n, n_slates, depth = slates.shape
    rows, size = np.arange(n), movable.shape[1]
    # A bit for each slate: in which of them a place is as in the best list.
    still = np.full((depth, n), (1 << n_slates) - 1, dtype=np.uint32)
    for upper in range(depth):
        for lower in range(upper + 1, min(lowest(upper + 1, size), depth)):
            may = movable[:, upper] & movable[:, lower]
            some, slate, bit = _drawn(still[upper] & still[lower], may, random)
            slates[some, slate, upper], slates[some, slate, lower] = lower, upper
            still[upper, some] ^= bit
            still[lower, some] ^= bit
    taken = np.zeros((n, size), dtype=np.uint32)  # by slot: the slates that hold it already
    # The lowest places have more candidates than slates, so they choose first.
    for place in reversed(range(depth)):
        below = np.arange(depth, min(lowest(place + 1, size), size))
        # At random, the nearer the likelier: all are tried in time, and those first that another
        # build may put there.
        keys = random.exponential(size=(n, len(below))) * (below + 1) ** 2
        for card in below[np.argsort(keys, axis=1)].T:
            fits = still[place] & ~taken[rows, card]
            some, slate, bit = _drawn(fits, movable[:, place] & movable[rows, card], random)
            slates[some, slate, place] = card[some]
            taken[some, card[some]] |= bit
            still[place, some] ^= bit


def _drawn(
    fits: np.ndarray, may: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows that ``may``, true or false, and have a slate that ``fits``, a bit for each,
    ``(n,)``; and one of these slates for each, at random: its number and its bit.
    """
    some = np.flatnonzero(may & (fits > 0))
    left = fits[some]
    skipped = (random.random(len(some)) * np.bitwise_count(left)).astype(np.uint8)
    for n_skipped in range(int(skipped.max(initial=0))):
        left = np.where(skipped > n_skipped, left & (left - 1), left)  # without its lowest bit
    bit = left & (~left + 1)
    return some, np.bitwise_count(bit - 1), bit


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
