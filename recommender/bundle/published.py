"""The lists of a bundle, looked up: what the web process does, with mapped arrays alone.

A list depends on the article, not on the reader, so it was made when the bundle was built, and so
were the slates that explore beside it. The one list computed here is that of a text nobody has
stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recommender.articles.addresses import url_key
from recommender.articles.article import title_key
from recommender.bundle import registry
from recommender.bundle.arrays import load_array, load_index, load_strings
from recommender.bundle.composition import BEST_SLATE, MAX_K, Key, Link, Placed, Shelf, packed
from recommender.bundle.registry import Manifest
from recommender.bundle.texts import Texts
from recommender.candidates import EMPTY
from recommender.events.event import ORIGINS
from recommender.events.slate_token import N_VARIANTS

# A stored article closer than this to a new text is the text itself, or a copy of it.
SAME_TEXT = 0.95
# ... if of both rows at least this much, as squared length, are words that others use too.
KNOWN_SHARE = 0.3


class Lists(Shelf):
    """A published bundle, opened for looking up."""

    def __init__(self, folder: Path, about: Manifest | None = None) -> None:
        """Open the bundle in ``folder``; a build says ``about`` before there is a manifest."""
        self.folder = folder
        self.about = registry.read(folder) if about is None else about
        self.name = self.about.name
        self.share = self.about.explore
        self.ids = load_index(folder, "ids")
        self.keys = load_array(folder, "keys")
        self.urls = load_index(folder, "urls")
        self.url_rows = load_array(folder, "url_rows")
        self.titles = load_strings(folder, "titles")
        self.teasers = load_strings(folder, "teasers")
        self.addresses = load_strings(folder, "links")
        self.answers = load_strings(folder, "answers")
        self.fragments = load_strings(folder, "fragments")
        self.tails = load_strings(folder, "tails")
        self.items = load_array(folder, "list_items")
        self.scores = load_array(folder, "list_scores")
        self.origins = load_array(folder, "list_origins")
        self.evidence = load_array(folder, "list_evidence")
        self.slates = load_array(folder, "explored_slates")
        self.chances = load_array(folder, "explored_chances")
        self.category = load_array(folder, "category")
        self.same = load_array(folder, "same")
        self.stub = load_array(folder, "stub")
        self.appeal = load_array(folder, "appeal")
        self.popular = load_array(folder, "popular")
        self.popular_heads = load_array(folder, "popular_heads")
        self.popular_in = load_array(folder, "popular_in")
        self.texts = Texts(
            vocabulary=load_index(folder, "vocabulary"),
            idf=load_array(folder, "idf"),
            template=load_array(folder, "template"),
            boilerplate=set(load_array(folder, "boilerplate").tolist()),
            post_heads=load_array(folder, "post_heads"),
            post_rows=load_array(folder, "post_rows"),
            post_weights=load_array(folder, "post_weights"),
            n_articles=len(self.stub),
        )

    # Finding articles

    def row(self, id: str) -> int | None:
        row = self.ids.find(id)
        return None if row is None or self.stub[row] else row

    def row_of_url(self, url: str) -> int | None:
        at = self.urls.find(url_key(url))
        return None if at is None else int(self.url_rows[at])

    def find(self, id: str) -> int | None:
        return self.ids.find(id)

    def id_of(self, row: int) -> str:
        return self.ids.column[row]

    def text_of(self, row: int) -> int:
        return int(self.same[row])

    def link(self, placed: Placed, position: int) -> Link:
        row = placed.row
        return Link(
            id=self.ids.column[row],
            url=self.addresses[row] or None,
            title=self.titles[row],
            teaser=self.teasers[row],
            position=position,
            score=round(placed.score, 6),
            origin=placed.origin,
        )

    # Lists

    def prepared(
        self, row: int, slate: int = BEST_SLATE, *, at_most: int | None = None
    ) -> list[Placed]:
        items, scores = self.items[row].tolist(), self.scores[row].tolist()
        origins = self.origins[row].tolist()
        order: list[int] = [] if slate == BEST_SLATE else self.slates[row, slate - 1].tolist()
        depth = len(order)
        if at_most is None or at_most > depth:
            order += [slot for slot in range(len(items)) if slot not in order]
        listed = []
        for place, slot in enumerate(order[:at_most]):
            if items[slot] != EMPTY:
                # An item from below that stands among the first is there to be tried.
                explored = place < depth <= slot
                origin = "explored" if explored else ORIGINS[origins[slot]]
                listed.append(Placed(items[slot], scores[slot], origin))
        return listed

    def tail(self, row: int, placed: Sequence[Placed], slate: int, key: Key) -> bytes:
        """What a token says of a prepared slate; ``key`` is the store's number of a row. What
        only fills up stands there in every variant.
        """
        chances = self.chances_of(row, slate)[: len(placed)]
        chances += [N_VARIANTS] * (len(placed) - len(chances))
        return packed(row, placed, [chance / N_VARIANTS for chance in chances], key)

    def chances_of(self, row: int, slate: int) -> list[int]:
        """In how many of the hundred variants each place of this prepared slate holds what it
        holds here.
        """
        size = self.items.shape[1]
        order = self.slates[row, slate - 1] if slate else np.arange(self.slates.shape[2])
        held = self.items[row, order[order < size]] != EMPTY
        places = np.arange(len(order))
        chances: list[int] = self.chances[row, order, places][held].tolist()
        return chances

    def near_text(self, title: str, body: str) -> list[Placed]:
        terms, weights = self.texts.row(title, body)
        cosines = self.texts.dots(terms, weights)
        same = self.same_text(cosines, float((weights**2).sum()))
        floor = self.about.relevance_floor
        worth = np.where(~same & (self.stub == 0), cosines * self.appeal, 0.0)
        worth[cosines < floor] = 0.0
        size = min(len(worth), 4 * MAX_K)
        near = np.argpartition(-worth, size - 1)[:size] if size else np.zeros(0, dtype=int)
        near = near[np.lexsort((near, -worth[near]))]
        seen = {self.text_of(int(row)) for row in np.flatnonzero(same)}
        listed = []
        for row in map(int, near[worth[near] > 0]):
            # To a reader, a link under the title of the page is the page.
            if self.text_of(row) not in seen and title_key(self.titles[row]) != title_key(title):
                seen.add(self.text_of(row))
                listed.append(Placed(row, float(worth[row]), "text"))
        return listed

    def same_text(self, cosines: np.ndarray, square: float) -> np.ndarray:
        """Which articles are a text over again, ``(n_articles,)``; ``square`` is the squared
        length of its row. What an article says alone is in no row; a text is known again by the
        rest.
        """
        return is_same_text(cosines, square, self.squares)

    @cached_property
    def squares(self) -> np.ndarray:
        """Squared length of every article's row, ``(n_articles,)``."""
        texts = self.texts
        squares = np.square(texts.post_weights, dtype=np.float64)
        return np.bincount(texts.post_rows, weights=squares, minlength=texts.n_articles)

    def fallback(self, row: int | None) -> Iterator[int]:
        """The category's popular articles, then the site's; stubs stand at the very end."""
        if row is not None and self.category[row] >= 0:
            number = self.category[row]
            yield from map(
                int, self.popular_in[self.popular_heads[number] : self.popular_heads[number + 1]]
            )
        yield from map(int, self.popular)

    def why(self, row: int, id: str) -> dict[str, Any] | None:
        """The figures behind a link of a prepared list, or None if it is not in it."""
        item = self.ids.find(id)
        slots = np.flatnonzero(self.items[row] == (EMPTY - 1 if item is None else item))
        if len(slots) == 0:
            return None
        names = self.about.evidence
        return dict(zip(names, map(float, self.evidence[row, slots[0]]), strict=True))


def is_same_text(
    cosines: np.ndarray | float, square: float, squares: np.ndarray | float
) -> np.ndarray:
    """True where a text and another are one and the same, given both rows' squared lengths."""
    near = np.asarray(cosines) >= SAME_TEXT * np.sqrt(square * np.asarray(squares))
    same: np.ndarray = near & (np.minimum(square, squares) >= KNOWN_SHARE)
    return same
