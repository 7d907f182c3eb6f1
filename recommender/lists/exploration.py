"""Slates that explore: beside the best slate of an article a few others, drawn when it is built.

A page draws a variant, 0 to 99, for every view; most mean the best slate, each of the last
``share`` a slate of its own. In these, neighbours change places, which tells how strong position
is, and the last two places go in turn to candidates from further down that still pass the
relevance floor, which tells whether they deserve better. Since variants are drawn evenly, the
chance of every item at every position is known: so many hundredths.

The cards are dealt, not drawn with replacement: no candidate comes twice before each came once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender.candidates import EMPTY
from recommender.events.slate_token import N_VARIANTS

DEPTH = 10
# Places that go to candidates from further down.
N_TAIL = 2
DEFAULT_SHARE = 20
BEST, EXPLORE = "best", "explore"


@dataclass(frozen=True, slots=True, eq=False)
class Explored:
    """``slates`` is ``(n_articles, share, DEPTH)``: which slot of the prepared list stands at each
    position of each exploring slate. ``chances`` is ``(n_articles, list_size, DEPTH)``: in how many
    of the hundred variants each slot stands at each position.
    """

    slates: np.ndarray
    chances: np.ndarray


def explore(
    items: np.ndarray,
    n_relevant: np.ndarray,
    sensitive: np.ndarray,
    *,
    share: int = DEFAULT_SHARE,
    seed: int,
) -> Explored:
    """Draw the exploring slates of prepared lists ``items``, ``(n_articles, list_size)``, of whose
    links the first ``n_relevant`` passed the floor. Nothing moves on the page of a ``sensitive``
    article, and no such article is moved on others'.
    """
    n, size = items.shape
    depth = min(DEPTH, size)
    random = np.random.default_rng(seed)
    places = np.arange(size)
    movable = (items != EMPTY) & (places < n_relevant[:, None]) & ~sensitive[:, None]
    movable &= ~sensitive[np.where(items == EMPTY, 0, items)]
    # The deck of each article: its movable slots from the open places on, shuffled.
    n_open = min(N_TAIL, depth)
    first_open = depth - n_open
    in_deck = movable & (places >= first_open)
    deck = np.argsort(np.where(in_deck, random.random((n, size)), 2.0), axis=1)
    n_cards = in_deck.sum(axis=1)
    opened = movable[:, first_open:depth]
    n_opened, nth = opened.sum(axis=1), opened.cumsum(axis=1) - 1
    # A deck no larger than the open places is left to the swaps.
    dealt = opened & (n_cards > n_opened)[:, None]
    rows = np.arange(n)
    slates = np.empty((n, share, depth), dtype=np.uint8)
    for number in range(share):
        order = np.tile(places[:depth], (n, 1))
        for at in range(n_open):
            card = deck[rows, (number * n_opened + nth[:, at]) % np.maximum(n_cards, 1)]
            order[:, first_open + at] = np.where(dealt[:, at], card, first_open + at)
        for left in range(number % 2, depth - 1, 2):
            swap = random.random(n) < 0.5
            swap &= movable[rows, order[:, left]] & movable[rows, order[:, left + 1]]
            order[swap, left : left + 2] = order[swap, left : left + 2][:, ::-1]
        slates[:, number] = order
    return Explored(slates, _chances(slates, items))


def _chances(slates: np.ndarray, items: np.ndarray) -> np.ndarray:
    """How many variants have each slot at each position."""
    n, share, depth = slates.shape
    chances = np.zeros((n, items.shape[1], depth), dtype=np.uint8)
    places = np.arange(depth)
    chances[:, places, places] = N_VARIANTS - share
    rows = np.arange(n)[:, None]
    for number in range(share):
        chances[rows, slates[:, number], places] += 1
    chances[items == EMPTY] = 0
    return chances


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
