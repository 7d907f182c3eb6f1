"""The lists of a bundle, looked up: what the web process does, with mapped arrays alone.

A list depends on the article, not on the reader, so it was made when the bundle was built. What
happens here is finding it, letting the editors have their say, leaving out what the page asked
to leave out, and filling up from the declared chain if hardly anything is left. The one list
computed here is that of a text nobody has stored.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from recommender import manifest
from recommender.arrays import load_array, load_index, load_strings
from recommender.articles import title_key
from recommender.candidates import EMPTY, MIN_LINKS, ORIGINS
from recommender.editorial import Rules
from recommender.texts import Texts
from recommender.urls import url_key

DEFAULT_K = 10
MAX_K = 50
# A stored article closer than this to a new text is the text itself, or a copy of it.
SAME_TEXT = 0.95
# ... if of both rows at least this much, as squared length, are words that others use too.
KNOWN_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Link:
    """One line of a list, as the page shows it, and why it is there."""

    id: str
    url: str | None
    title: str
    teaser: str
    position: int
    score: float
    origin: str


class Lists:
    """A published bundle, opened for looking up."""

    def __init__(self, folder: Path, about: dict[str, Any] | None = None) -> None:
        """Open the bundle in ``folder``; a build says ``about`` before there is a manifest."""
        self.folder = folder
        self.about = manifest.read(folder) if about is None else about
        self.name: str = self.about["name"]
        self.ids = load_index(folder, "ids")
        self.urls = load_index(folder, "urls")
        self.url_rows = load_array(folder, "url_rows")
        self.titles = load_strings(folder, "titles")
        self.teasers = load_strings(folder, "teasers")
        self.links = load_strings(folder, "links")
        self.answers = load_strings(folder, "answers")
        self.items = load_array(folder, "list_items")
        self.scores = load_array(folder, "list_scores")
        self.origins = load_array(folder, "list_origins")
        self.evidence = load_array(folder, "list_evidence")
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
        """The number of an article that has a page of its own, or None."""
        row = self.ids.find(id)
        return None if row is None or self.stub[row] else row

    def row_of_url(self, url: str) -> int | None:
        """The number of the article at an address, however it is written, or None."""
        at = self.urls.find(url_key(url))
        return None if at is None else int(self.url_rows[at])

    # Lists

    def related(
        self,
        row: int | None,
        *,
        k: int = DEFAULT_K,
        exclude: Collection[str] = (),
        rules: Rules | None = None,
        now: datetime | None = None,
        least: int = MIN_LINKS,
    ) -> list[Link]:
        """The list of article ``row``; None stands for a page nobody knows, and gets fallbacks.

        ``rules`` are the editors', in force at ``now``. Lists of fewer than ``least`` links are
        filled up to it.
        """
        scored: dict[int, tuple[float, str]] = {}
        if row is not None:
            slots = zip(
                self.items[row].tolist(),
                self.scores[row].tolist(),
                self.origins[row].tolist(),
                strict=True,
            )
            scored = {item: (score, ORIGINS[at]) for item, score, at in slots if item != EMPTY}
        least = max(k, least) if row is None else least
        return self._arranged(row, scored, k, exclude, rules, now, least)

    def related_to_text(
        self,
        title: str,
        body: str,
        *,
        k: int = DEFAULT_K,
        rules: Rules | None = None,
        now: datetime | None = None,
    ) -> list[Link]:
        """The list of a text that is not stored: by its words, and by what readers make of the
        articles that share them.
        """
        terms, weights = self.texts.row(title, body)
        cosines = self.texts.dots(terms, weights)
        # What an article says alone is in no row; a text is known again by the rest.
        mine, theirs = float((weights**2).sum()), self._lengths
        same = cosines >= SAME_TEXT * np.sqrt(mine * theirs)
        same &= np.minimum(mine, theirs) >= KNOWN_SHARE
        floor = float(self.about["relevance_floor"])
        worth = np.where(~same & (self.stub == 0), cosines * self.appeal, 0.0)
        worth[cosines < floor] = 0.0
        size = min(len(worth), 4 * MAX_K)
        near = np.argpartition(-worth, size - 1)[:size] if size else np.zeros(0, dtype=int)
        near = near[np.lexsort((near, -worth[near]))]
        seen = {self._text_of(int(row)) for row in np.flatnonzero(same)}
        scored: dict[int, tuple[float, str]] = {}
        for row in map(int, near[worth[near] > 0]):
            # To a reader, a link under the title of the page is the page.
            if self._text_of(row) not in seen and title_key(self.titles[row]) != title_key(title):
                seen.add(self._text_of(row))
                scored[row] = float(worth[row]), "text"
        return self._arranged(None, scored, k, (), rules, now, MIN_LINKS)

    @cached_property
    def _lengths(self) -> np.ndarray:
        """Squared length of every article's row, ``(n_articles,)``."""
        texts = self.texts
        squares = np.square(texts.post_weights, dtype=np.float64)
        return np.bincount(texts.post_rows, weights=squares, minlength=texts.n_articles)

    def _arranged(
        self,
        source: int | None,
        scored: dict[int, tuple[float, str]],
        k: int,
        exclude: Collection[str],
        rules: Rules | None,
        now: datetime | None,
        least: int,
    ) -> list[Link]:
        """Exclusions, then the editors, then the fallback chain if hardly anything is left."""
        source_id = None if source is None else self.ids.column[source]
        ids = {self.ids.column[row]: row for row in scored}
        kept = [id for id in ids if id not in exclude]
        arranged = [(id, False) for id in kept]
        blocked: set[str] = set()
        if rules is not None and now is not None:
            arranged = rules.apply(source_id, kept, now=now)
            blocked = {r.target for r in rules.about(source_id, now) if r.action == "block"}
        chosen: list[tuple[int, float, str]] = []
        for id, is_pin in arranged:
            row = ids.get(id, self.ids.find(id) if is_pin else None)
            if row is None or (is_pin and id in exclude):
                continue  # pinned, but the site has no such article (any more)
            score, origin = scored.get(row, (0.0, "pinned"))
            chosen.append((row, score, "pinned" if is_pin else origin))
        if len(chosen) < min(k, least):
            taken = {self._text_of(row) for row, _, _ in chosen}
            taken |= {self._text_of(source)} if source is not None else set()
            for row in self._fallback(source):
                id = self.ids.column[row]
                if len(chosen) >= min(k, least):
                    break
                if self._text_of(row) not in taken and id not in exclude and id not in blocked:
                    chosen.append((row, 0.0, "fallback"))
                    taken.add(self._text_of(row))
            if not chosen:  # a site of copies: a copy is still better than nothing
                others = (row for row in self._fallback(source) if row != source)
                allowed = (
                    row for row in others if self.ids.column[row] not in {*exclude, *blocked}
                )
                chosen = [(row, 0.0, "fallback") for row in islice(allowed, 1)]
        return [self._link(*link, place) for place, link in enumerate(chosen[:k], start=1)]

    def _fallback(self, source: int | None) -> Iterable[int]:
        """The category's popular articles, then the site's; stubs stand at the very end."""
        if source is not None and self.category[source] >= 0:
            number = self.category[source]
            yield from map(
                int, self.popular_in[self.popular_heads[number] : self.popular_heads[number + 1]]
            )
        yield from map(int, self.popular)

    def _text_of(self, row: int) -> int:
        """A number an article shares with its near-duplicates."""
        return int(self.same[row])

    def _link(self, row: int, score: float, origin: str, position: int) -> Link:
        return Link(
            id=self.ids.column[row],
            url=self.links[row] or None,
            title=self.titles[row],
            teaser=self.teasers[row],
            position=position,
            score=round(score, 6),
            origin=origin,
        )

    def why(self, row: int, id: str) -> dict[str, Any] | None:
        """The figures behind a link of a prepared list, or None if it is not in it."""
        item = self.ids.find(id)
        slots = np.flatnonzero(self.items[row] == (EMPTY - 1 if item is None else item))
        if len(slots) == 0:
            return None
        names = self.about["evidence"]
        return dict(zip(names, map(float, self.evidence[row, slots[0]]), strict=True))


def as_record(link: Link) -> dict[str, Any]:
    """A link as the wire has it. (``dataclasses.asdict`` copies deeply, ten times slower.)"""
    return {name: getattr(link, name) for name in Link.__slots__}


def answer(article_id: str | None, model: str, links: Iterable[Link]) -> bytes:
    """The JSON a page gets."""
    content = {
        "article_id": article_id,
        "model": model,
        "items": [as_record(link) for link in links],
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
