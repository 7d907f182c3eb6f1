"""A bundle with the articles that came, changed and went since it was built.

A new article has a list at once, by its text, and stands in others' lists where its text would
place it among the links there: nobody has seen it yet, so likeness is all there is to go by. What
went is in no list any more. The next training absorbs all of it.

Objects of this class never change; a new one takes over what the old one worked out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.articles import Article, title_key
from recommender.candidates import EMPTY, MIN_LINKS
from recommender.lists import Lists
from recommender.shelf import BEST_SLATE, DEFAULT_K, Link, Placed, Shelf
from recommender.urls import url_key

# A new article joins the lists of so many others at most, the closest.
REACH = 200
# A known article whose new text is less like its old one than this is another article.
REWRITTEN = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What an article's text says of it: terms and weights of its row; the closest articles of the
    bundle, with cosines, at most ``REACH``; which are the same text over again; and how like it is
    to what the bundle knows under its id, 0 for nothing.
    """

    article: Article
    terms: dict[int, float]
    near: np.ndarray
    cosines: np.ndarray
    same: list[int]
    likeness: float


class Patched(Shelf):
    """``base`` with these articles put in or brought up to date, and these ids taken out."""

    def __init__(
        self,
        base: Lists,
        articles: Sequence[Article],
        removed: Sequence[str],
        before: Patched | None = None,
    ) -> None:
        self.base = base
        self.name, self.share = base.name, base.share
        known = {read.article.id: read for read in before.read.values()} if before else {}
        rows = {article.id: base.find(article.id) for article in articles}
        fresh = [article for article in articles if rows[article.id] is None]
        self.n_base = len(base.stub)
        self.row_of = {article.id: self.n_base + at for at, article in enumerate(fresh)}
        self.row_of |= {id: row for id, row in rows.items() if row is not None}
        self.read: dict[int, Read] = {
            self.row_of[article.id]: _kept(known, article) or _read(base, article)
            for article in articles
        }
        self.gone = {row for row in map(base.find, removed) if row is not None}
        self.urls = {
            url_key(read.article.url): row for row, read in self.read.items() if read.article.url
        }
        self.rewritten = {
            row
            for row, read in self.read.items()
            if row < self.n_base and read.likeness < REWRITTEN
        }
        self.joins = self._joins()
        self.touched = self._touched()

    # Finding articles

    def row(self, id: str) -> int | None:
        row = self.row_of.get(id)
        return self._there(self.base.row(id)) if row is None else row

    def row_of_url(self, url: str) -> int | None:
        row = self.urls.get(url_key(url))
        return self._there(self.base.row_of_url(url)) if row is None else row

    def find(self, id: str) -> int | None:
        row = self.row_of.get(id)
        return self._there(self.base.find(id)) if row is None else row

    def _there(self, row: int | None) -> int | None:
        return None if row in self.gone else row

    def id_of(self, row: int) -> str:
        read = self.read.get(row)
        return read.article.id if read else self.base.id_of(row)

    def text_of(self, row: int) -> int:
        if row < self.n_base:
            return self.base.text_of(row)
        same = self.read[row].same
        # Minus: numbers of the bundle's own are not negative.
        return self.base.text_of(same[0]) if same else -row

    def is_changed(self, row: int) -> bool:
        return row in self.read

    def link(self, placed: Placed, position: int) -> Link:
        read = self.read.get(placed.row)
        if read is None:
            return self.base.link(placed, position)
        article = read.article
        return Link(
            id=article.id,
            url=article.url,
            title=article.title,
            teaser=article.shown_teaser,
            position=position,
            score=round(placed.score, 6),
            origin=placed.origin,
        )

    # Lists

    def prepared(self, row: int, slate: int = BEST_SLATE) -> list[Placed]:
        if row >= self.n_base or row in self.rewritten:
            article = self.read[row].article
            near = self.near_text(article.title, article.body)
            return [placed for placed in near if placed.row != row]
        listed = [
            placed for placed in self.base.prepared(row, slate) if placed.row not in self.gone
        ]
        for place, new, _ in self.joins.get(row, ()):
            place = min(place, len(listed))
            ends = [placed.score for placed in listed[max(0, place - 1) : place + 1]]
            score = sum(ends) / len(ends) if ends else 0.0
            listed.insert(place, Placed(new, score, "text"))
        return listed

    def near_text(self, title: str, body: str) -> list[Placed]:
        listed = [
            placed for placed in self.base.near_text(title, body)
            if placed.row not in self.gone and placed.row not in self.rewritten
        ]  # fmt: skip
        terms, weights = self.base.texts.row(title, body)
        row = dict(zip(terms.tolist(), weights.tolist(), strict=True))
        floor = float(self.base.about["relevance_floor"])
        titles = {title_key(title)}
        for new, read in self.read.items():
            cosine = _dot(row, read.terms)
            fresh = new >= self.n_base or new in self.rewritten
            if fresh and cosine >= floor and title_key(read.article.title) not in titles:
                titles.add(title_key(read.article.title))
                listed.append(Placed(new, cosine, "text"))
        return sorted(listed, key=lambda placed: (-placed.score, placed.row))

    def fallback(self, row: int | None) -> Iterator[int]:
        """What the editors picked for a new article, then what the bundle falls back on."""
        read = None if row is None else self.read.get(row)
        if read is not None:
            picked = (self.find(id) for id in read.article.recommended)
            yield from (at for at in picked if at is not None)
        own = row if row is not None and row < self.n_base else None
        yield from (at for at in self.base.fallback(own) if at not in self.gone)

    # What the changes reach

    def _joins(self) -> dict[int, list[tuple[int, int, float]]]:
        """For each list that new articles join: place, row, cosine, in the order of insertion."""
        joins: dict[int, list[tuple[int, int, float]]] = {}
        at = self.base.about["evidence"].index("cosine")
        for new, read in self.read.items():
            if new < self.n_base:
                continue
            listed = self.base.items[read.near, :DEFAULT_K]
            closer = self.base.evidence[read.near, :DEFAULT_K, at] >= read.cosines[:, None]
            places = (closer & (listed != EMPTY)).sum(axis=1)
            copies = set(read.same)
            title = title_key(read.article.title)
            columns = (read.near, places, read.cosines, listed)
            for row, place, cosine, items in zip(*map(np.ndarray.tolist, columns), strict=True):
                same = copies.intersection(items) or title == title_key(self.base.titles[row])
                if place < DEFAULT_K and not same and row not in self.gone:
                    joins.setdefault(row, []).append((place, new, cosine))
        # From the end on, so that places counted before stay right; the closest goes in last
        # and so stands first among those of one place.
        return {
            row: sorted(found, key=lambda join: (-join[0], join[2])) for row, found in joins.items()
        }

    def _touched(self) -> set[int]:
        """Rows of the bundle whose prepared answers do not hold any more."""
        changed = self.gone | {row for row in self.read if row < self.n_base}
        touched = set(self.joins) | self.rewritten
        if changed:
            rows = np.fromiter(changed, dtype=np.int64)
            touched |= set(np.flatnonzero(np.isin(self.base.items, rows).any(axis=1)).tolist())
            # Short lists are filled up with what is popular, which may be what changed.
            n_links = (self.base.items != EMPTY).sum(axis=1)
            touched |= set(np.flatnonzero(n_links < MIN_LINKS).tolist())
        return touched


def _read(base: Lists, article: Article) -> Read:
    terms, weights = base.texts.row(article.title, article.body)
    cosines, square = base.texts.dots(terms, weights), float((weights**2).sum())
    same = base.same_text(cosines, square)
    own = base.find(article.id)
    length = 0.0 if own is None else float(np.sqrt(square * base.squares[own]))
    others = np.where(same | (base.stub != 0), 0.0, cosines)
    near = np.argsort(-others, kind="stable")[:REACH]
    near = near[others[near] >= float(base.about["relevance_floor"])]
    return Read(
        article=article,
        terms=dict(zip(terms.tolist(), weights.tolist(), strict=True)),
        near=near,
        cosines=others[near],
        same=np.flatnonzero(same).tolist(),
        likeness=float(cosines[own]) / length if length else 0.0,
    )


def _kept(known: dict[str, Read], article: Article) -> Read | None:
    read = known.get(article.id)
    return read if read is not None and read.article == article else None


def _dot(one: dict[int, float], other: dict[int, float]) -> float:
    if len(other) < len(one):
        one, other = other, one
    return sum(weight * other.get(term, 0.0) for term, weight in one.items())
