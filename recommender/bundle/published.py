"""The lists of a bundle, looked up: what the web process does, with mapped arrays alone.

A list depends on the article, not on the reader, so it was made when the bundle was built, and so
were the slates that explore beside it. The one list computed here is that of a text nobody has
stored.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np

from recommender.array_fields import Flags, Heads, Length, Numbers, Prints, Sizes, Values
from recommender.articles.addresses import (
    Found,
    Outlines,
    PageIndex,
    is_key_of,
    outline_at,
)
from recommender.articles.article import title_key
from recommender.bundle import registry
from recommender.bundle.arrays import Index, Pieces, load
from recommender.bundle.composition import BEST_SLATE, MAX_K, Key, Link, Placed, Shelf
from recommender.bundle.grounds import Evidence, Grounds
from recommender.bundle.link_fragments import COLUMNS, Column, LinkFragments
from recommender.bundle.registry import Manifest
from recommender.candidates import EMPTY
from recommender.events.event import HAND_PICKED, ORIGINS
from recommender.events.slate_token import N_VARIANTS
from recommender.lists.eligibility import Languages, agree
from recommender.ragged import find
from recommender.text.terms import fingerprint
from recommender.text.tfidf import (
    ALLUDED,
    MAX_COUNT,
    NAMED,
    SAME_SUBJECT,
    count,
    is_subject,
    naming,
    unseen,
    weigh,
)
from recommender.text.titles import Forms

# The names of the files that a bundle is looked up in.
LISTS, FRAGMENTS = "lists", "fragments"
# What they do not hold of ``Lists``: it stands in the manifest, or in the fragments.
ELSEWHERE = ("about", "name", "share", "folder", FRAGMENTS, *COLUMNS)

# A stored article closer than this to a new text, as a cosine, is the text itself, or a copy of it.
# Not tuned.
SAME_TEXT = 0.95
# ... if of both rows at least this much, as squared length, are words that others use too. Not
# tuned.
KNOWN_SHARE = 0.3
# ... which is a cosine of no less than this beside texts of which no more is known.
LEAST_SAME = SAME_TEXT * (1 - 1e-6)


# A row has a length of 1, give or take the last digit.
LONGEST = 1.001
# Nothing that is divided by is less.
SHORTEST = 1e-6
# Lengths that parts of what is looked up have in common with the whole.
BY_ARTICLE = Sizes(n_strings="n_articles")


class Vector(NamedTuple):
    """A text that is not stored: the ``terms`` it shares with articles and their ``weights`` in the
    text and in its ``subject``, ``(n_terms,)``, as training makes them; the squared length of the
    text; and the cosine with every article, and what the subjects of the titles add to it, both
    ``(n_articles,)``.
    """

    terms: np.ndarray
    weights: np.ndarray
    subject: np.ndarray
    square: float
    cosines: np.ndarray
    subjects: np.ndarray

    def alike(self, floor: float) -> tuple[np.ndarray, np.ndarray]:
        """The articles that reach the ``floor`` of relevance, by row, and how alike each is."""
        relevant = self.cosines >= floor
        relevant |= self.subjects >= SAME_SUBJECT
        rows = np.flatnonzero(relevant & (self.cosines + self.subjects > 0))
        return rows, self.cosines[rows] + self.subjects[rows]

    def same(self, squares: np.ndarray) -> np.ndarray:
        """The articles that are this very text, by row, of those with rows of these ``squares``."""
        # What is the same has at least this cosine, so few are looked at.
        if self.square < KNOWN_SHARE:
            return np.zeros(0, dtype=np.int64)
        rows = np.flatnonzero(self.cosines >= LEAST_SAME * np.sqrt(self.square * KNOWN_SHARE))
        return rows[is_same_text(self.cosines[rows], self.square, squares[rows])]


# Where a term stands: in the text alone, in the title too, or in what the title is about.
IN_TEXT, IN_TITLE, IN_SUBJECT = range(3)


@dataclass(frozen=True, eq=False)
class Texts:
    """What finding neighbours of a new text takes: the terms and their ``idf``, ``(n_terms,)``;
    the ``forms`` of titles; fingerprints of ``boilerplate``; whether runs of letters are terms.

    The articles stand term by term: those that have term ``t`` are ``rows`` from ``heads[t]`` to
    ``heads[t + 1]``. What a term weighs in an article is worked out of how often it stands in the
    text, ``counts``, and where, ``places``; both are ``(n_codes,)``, and ``codes`` is the place in
    them of each entry. ``norms`` are those of ``tfidf.Text``, ``squares`` the squared lengths of
    the rows without terms of one article alone, and ``is_named`` is 1 where a title is of a known
    kind.
    """

    vocabulary: Annotated[Index, Sizes(n_strings="n_terms")]
    idf: Annotated[np.ndarray, Values("n_terms", least=0, most=1_000)]
    forms: Forms
    boilerplate: Annotated[np.ndarray, Prints("n_boilerplate")]
    with_runs: bool
    heads: Annotated[np.ndarray, Heads("n_terms+1", of="n_entries")]
    rows: Annotated[np.ndarray, Numbers("n_entries", below="n_articles")]
    codes: Annotated[np.ndarray, Numbers("n_entries", below="n_codes")]
    counts: Annotated[np.ndarray, Values("n_codes", least=1, most=MAX_COUNT)]
    places: Annotated[np.ndarray, Numbers("n_codes", below=IN_SUBJECT + 1)]
    norms: Annotated[np.ndarray, Values("n_articles, 3", least=SHORTEST)]
    squares: Annotated[np.ndarray, Values("n_articles", least=0, most=LONGEST)]
    is_named: Annotated[np.ndarray, Flags("n_articles")]
    n_articles: Annotated[int, Length("n_articles")]

    @cached_property
    def naming_weight(self) -> np.ndarray:
        """What subjects weigh, by how far the titles name them, ``(n_articles,)``."""
        alluded, named = np.sqrt([ALLUDED, NAMED], dtype=np.float32)
        return np.where(self.is_named, named, alluded)

    @cached_property
    def _levels(self) -> np.ndarray:
        """What a term of idf 1 weighs by its code, ``(n_codes,)``."""
        of_ones = np.ones(len(self.counts))
        return weigh(self.counts, self.places >= IN_TITLE, of_ones).astype(np.float32)

    def entries(self, term: int) -> slice:
        """Where the articles that have a term stand."""
        return slice(int(self.heads[term]), int(self.heads[term + 1]))

    def dots(self, terms: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Products of a row of ``weights``, ``(n_terms,)``, with every article's,
        ``(n_articles,)``.
        """
        found, levels = np.zeros(self.n_articles, dtype=np.float32), self._levels
        values = (weights * self.idf[terms]).astype(np.float32)
        for term, value in zip(terms.tolist(), values, strict=True):
            entries = self.entries(term)
            # As fast as NumPy goes: 2 ns an entry, a third of what adding to a selection takes.
            np.add.at(found, self.rows[entries], (value * levels).take(self.codes[entries]))
        return found / self.norms[:, 0]

    def subject_dots(self, terms: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """... and of a subject with every title's, ``(n_articles,)``."""
        found = np.zeros(self.n_articles, dtype=np.float32)
        for term, weight in zip(terms.tolist(), weights * self.idf[terms], strict=True):
            if weight:
                found[self.subject_rows(term)] += np.float32(weight)
        return found * self.naming_weight / self.norms[:, 2]

    def entries_of(self, wanted: np.ndarray) -> tuple[np.ndarray, ...]:
        """What stands in the articles that are ``wanted``, ``(n_articles,)``: rows, terms, and
        their weights in text and in subject, ``(n_found,)`` each.
        """
        at = np.flatnonzero(wanted[self.rows])
        terms, rows = np.searchsorted(self.heads, at, side="right") - 1, self.rows[at]
        idf, codes = self.idf[terms], self.codes[at]
        weights = idf * self._levels[codes] / self.norms[rows, 0]
        about = self.places[codes] == IN_SUBJECT
        return rows, terms, weights, about * idf * self.naming_weight[rows] / self.norms[rows, 2]

    def subject_rows(self, term: int) -> np.ndarray:
        """The articles whose titles are about a term."""
        entries = self.entries(term)
        return self.rows[entries][self.places[self.codes[entries]] == IN_SUBJECT]

    @cached_property
    def _known_boilerplate(self) -> set[int]:
        return set(self.boilerplate.tolist())

    def vector(self, title: str, body: str) -> Vector:
        """The row of a text nobody has stored, and its product with every article's."""
        counts, in_title = count(title, body, self._known_boilerplate, with_runs=self.with_runs)
        names = sorted(counts)
        numbers = [self.vocabulary.find(name) for name in names]
        idf = np.array(
            [
                unseen(name, self.n_articles) if at is None else self.idf[at]
                for name, at in zip(names, numbers, strict=True)
            ]
        )
        tf = np.array([counts[name] for name in names], dtype=np.float64)
        weights = weigh(tf, np.array([name in in_title for name in names], dtype=bool), idf)
        about = [name in in_title and is_subject(name, self.forms.n_titles) for name in names]
        subject = idf * np.array(about, dtype=bool)
        heads = self.heads
        shared = np.array([at is not None and heads[at] < heads[at + 1] for at in numbers], bool)
        terms = np.array(numbers)[shared].astype(np.int64)
        weights, subject = _unit(weights)[shared], _unit(subject)[shared]
        subject *= np.sqrt(naming(self.forms.kind_of(title)))
        return Vector(
            terms=terms,
            weights=weights,
            subject=subject,
            square=float((weights**2).sum()),
            cosines=self.dots(terms, weights),
            subjects=self.subject_dots(terms, subject),
        )


def _unit(weights: np.ndarray) -> np.ndarray:
    return weights / (float(np.sqrt((weights**2).sum())) or 1.0)


@dataclass(frozen=True, eq=False)
class Pages:
    """What finds an article by an address that is written in another way: the fingerprints of the
    outlines of addresses, sorted, with the row of each, ``(n_outlines,)``; the site's ``hosts`` and
    the names of the ``parameters`` that its addresses have (``addresses.Outlines``).
    """

    prints: Annotated[np.ndarray, Prints("n_outlines")]
    rows: Annotated[np.ndarray, Numbers("n_outlines", below="n_articles")]
    hosts: tuple[str, ...]
    parameters: tuple[str, ...]

    @classmethod
    def of(cls, addresses: Iterable[tuple[int, str]]) -> Pages:
        """Those of these rows and addresses."""
        outlines = Outlines.of(addresses)
        prints = [fingerprint(outline) for outline, rows in outlines.rows.items() for _ in rows]
        rows = np.array([row for rows in outlines.rows.values() for row in rows], dtype=np.int32)
        marks = np.array(prints, dtype=np.uint64)
        order = np.lexsort((rows, marks))
        return cls(marks[order], rows[order], outlines.hosts, outlines.parameters)


@dataclass(frozen=True, eq=False)
class Urls:
    """What finds an article by its address: the fingerprints of the keys of addresses
    (``addresses.keys_of``), sorted, with the row of each, ``(n_urls,)``. Keys are not kept: what is
    found is compared with the address of its row.
    """

    prints: Annotated[np.ndarray, Prints("n_urls")]
    rows: Annotated[np.ndarray, Numbers("n_urls", below="n_articles")]

    @classmethod
    def of(cls, keys: Mapping[str, int]) -> Urls:
        """Those of these keys and rows."""
        prints = np.array([fingerprint(key) for key in keys], dtype=np.uint64)
        order = np.argsort(prints, kind="stable")
        return cls(prints[order], np.array([*keys.values()], dtype=np.int32)[order])

    def rows_of(self, key: str) -> Iterator[int]:
        """The rows whose keys have the fingerprint of this one: hardly ever more than its own."""
        return _rows_at(self.prints, self.rows, key)


def _rows_at(prints: np.ndarray, rows: np.ndarray, text: str) -> Iterator[int]:
    """The ``rows`` beside the fingerprint of a text among the sorted ``prints``; two texts may
    share one.
    """
    # A search of one value is quicker without the array.
    mark, known = fingerprint(text), prints.data
    at = bisect_left(known, mark)
    while at < len(known) and known[at] == mark:
        yield int(rows[at])
        at += 1


class PublishedPages(PageIndex):
    """The addresses of a bundle, looked up in its arrays."""

    def __init__(self, lists: Prepared) -> None:
        # Not the lists: they hold this, and whoever is held by what it holds is not freed when
        # nobody needs it any more, but whenever Python looks for circles.
        self.pages, self.addresses = lists.pages, lists.addresses
        self.urls = lists.urls
        self.hosts = frozenset(lists.pages.hosts)
        self.parameters = frozenset(lists.pages.parameters)

    def exact(self, key: str) -> int | None:
        rows = self.urls.rows_of(key)
        return next((row for row in rows if is_key_of(key, self.addresses[row])), None)

    def like(self, outline: str) -> Iterator[tuple[int, str]]:
        for row in _rows_at(self.pages.prints, self.pages.rows, outline):
            address = self.addresses[row]
            if outline_at(address, self.parameters) == outline:
                yield row, address


@dataclass(frozen=True, eq=False)
class Prepared(Shelf):
    """Articles by row, and what was prepared for each.

    Of links ``(n_articles, list_size)``: ``items``, ``EMPTY`` for an unused slot, ``scores``,
    ``origins`` as places in ``ORIGINS``, and ``evidence``.
    ``pages`` finds addresses that are written otherwise.
    ``slates`` are those of ``exploration.explore``. ``keys`` are the store's numbers of the
    articles; ``images``, ``dates`` and ``tags`` are ``composition.Shown``, empty for none;
    ``urls`` finds addresses; ``same`` is what near-duplicates and namesakes share; ``newest``, the
    newest edition of each, and ``published``, the day since 1970 or NaN; ``target_factor``, what is
    known of an article as a target; ``language`` and ``barred``, those of
    ``eligibility.Eligibility``.
    ``popular`` are rows, best first; ``popular_in`` those of category ``c`` from
    ``popular_heads[c]`` on.
    """

    about: Manifest
    name: str
    share: Annotated[int, Length("n_slates")]
    ids: Annotated[Index, BY_ARTICLE]
    keys: Annotated[np.ndarray, Numbers("n_articles")]
    urls: Annotated[Urls, Sizes(n_articles="n_articles")]
    pages: Annotated[Pages, Sizes(n_articles="n_articles")]
    titles: Column
    teasers: Column
    addresses: Column
    images: Column
    dates: Column
    tags: Column
    category: Annotated[np.ndarray, Numbers("n_articles", below="n_categories", empty=True)]
    same: Annotated[np.ndarray, Numbers("n_articles", below="n_articles")]
    newest: Annotated[np.ndarray, Numbers("n_articles", below="n_articles")]
    published: Annotated[np.ndarray, Values("n_articles", missing=True)]
    stub: Annotated[np.ndarray, Flags("n_articles")]
    target_factor: Annotated[np.ndarray, Values("n_articles", least=0, most=1_000)]
    language: Annotated[np.ndarray, Numbers("n_articles", below="n_languages", empty=True)]
    barred: Annotated[np.ndarray, Flags("n_articles")]
    popular: Annotated[np.ndarray, Numbers("n_popular", below="n_articles")]
    popular_heads: Annotated[np.ndarray, Heads("n_categories+1", of="n_popular_in")]
    popular_in: Annotated[np.ndarray, Numbers("n_popular_in", below="n_articles")]
    items: Annotated[np.ndarray, Numbers("n_articles, list_size", below="n_articles", empty=True)]
    scores: Annotated[np.ndarray, Values("n_articles, list_size")]
    origins: Annotated[np.ndarray, Numbers("n_articles, list_size", below=len(ORIGINS))]
    evidence: Annotated[Grounds, Sizes(n_articles="n_articles", list_size="list_size")]
    slates: Annotated[np.ndarray, Numbers("n_articles, n_slates, depth", below="list_size")]
    texts: Annotated[Texts, Sizes(n_articles="n_articles")]

    def fault(self) -> str | None:
        """What is wrong with lists that were read, or None."""
        depth, size = self.slates.shape[2], self.items.shape[1]
        return None if depth <= size else f"slates: {depth} places of lists of {size}"

    @property
    def languages(self) -> Languages:
        return self.about.languages

    # Finding articles

    def row(self, id: str) -> int | None:
        row = self.ids.find(id)
        return None if row is None or self.stub[row] else row

    def at_address(self, url: str) -> Found:
        return self.by_address.find(url)

    @cached_property
    def by_address(self) -> PublishedPages:
        """The index of the articles' addresses."""
        return PublishedPages(self)

    def find(self, id: str) -> int | None:
        return self.ids.find(id)

    def pages_with_lists(self) -> list[int]:
        rows: list[int] = np.flatnonzero(self.stub == 0).tolist()
        return rows

    def id_of(self, row: int) -> str:
        return self.ids.column[row]

    def text_of(self, row: int) -> int:
        return int(self.same[row])

    def language_at(self, row: int) -> int:
        return int(self.language[row])

    def is_barred(self, row: int) -> bool:
        return bool(self.barred[row])

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
            image=self.images[row] or None,
            published_at=self.dates[row] or None,
            language=self.tags[row] or None,
        )

    # Lists

    def prepared(
        self, row: int, slate: int = BEST_SLATE, *, at_most: int | None = None
    ) -> list[Placed]:
        if slate == BEST_SLATE:
            best = slice(at_most)
            numbers = self.items[row, best].tolist()
            names = map(ORIGINS.__getitem__, self.origins[row, best].tolist())
            listed = [*map(Placed, numbers, self.scores[row, best].tolist(), names)]
            return [each for each in listed if each.row != EMPTY] if EMPTY in numbers else listed
        items, scores = self.items[row].tolist(), self.scores[row].tolist()
        origins = self.origins[row].tolist()
        order: list[int] = self.slates[row, slate - 1].tolist()
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

    def is_by_hand(self, row: int) -> bool:
        """Is it a page that shows what editors picked, in a bundle that shows nothing else there?
        What comes later does not join its list, nor take anything's place in it.
        """
        by_hand = self.about.decided_by == HAND_PICKED
        return by_hand and ORIGINS[self.origins[row, 0]] == HAND_PICKED

    def tail(self, row: int, placed: Sequence[Placed], slate: int, key: Key) -> bytes:
        """What a token holds of a prepared slate; ``key`` is the store's number of a row. What
        only fills up stands there in every variant.
        """
        chances = self.chances_of(row, slate)[: len(placed)]
        chances += [N_VARIANTS] * (len(placed) - len(chances))
        return self.packed(row, placed, [chance / N_VARIANTS for chance in chances], key)

    def chances_of(self, row: int, slate: int) -> list[int]:
        """In how many of the hundred variants each place of this prepared slate holds what it
        holds here.
        """
        slates, depth = self.slates[row], self.slates.shape[2]
        # Lists of so few numbers are counted in a third of the time of arrays.
        order = slates[slate - 1].tolist() if slate else [*range(depth)]
        columns = slates.T.tolist()
        best = N_VARIANTS - self.share
        there = self.items[row].tolist()
        return [
            column.count(slot) + (best if slot == place else 0)
            for place, (slot, column) in enumerate(zip(order, columns, strict=True))
            if there[slot] != EMPTY
        ]

    def near_text(self, title: str, body: str, language: int = EMPTY) -> list[Placed]:
        return self.near(title, self.texts.vector(title, body), language)

    def near(self, title: str, text: Vector, language: int = EMPTY) -> list[Placed]:
        """What stands closest to a text of this title, of what may stand beside its language."""
        rows, alike = text.alike(self.about.relevance_floor)
        same = text.same(self.texts.squares)
        may = (self.stub[rows] == 0) & ~self.barred[rows].astype(bool)
        may &= agree(self.language[rows], language) & ~np.isin(rows, same)
        rows, scores = rows[may], alike[may] * self.target_factor[rows[may]]
        some = scores > 0
        rows, scores = rows[some], scores[some]
        seen, key = {self.text_of(row) for row in same.tolist()}, title_key(title)
        best = first(scores, 4 * MAX_K)
        # The newest edition stands in the place of an older one, if it may stand there.
        heirs = self.newest[rows[best]]
        heirs = np.where(find(rows, heirs) >= 0, heirs, rows[best])
        listed = []
        columns = map(np.ndarray.tolist, (rows[best], heirs, scores[best]))
        for row, heir, score in zip(*columns, strict=True):
            # To a reader, a link under the title of the page is the page.
            if self.text_of(row) not in seen and title_key(self.titles[row]) != key:
                seen.add(self.text_of(row))
                listed.append(Placed(heir, score, "text"))
        return listed

    def fallback(self, row: int | None) -> Iterator[int]:
        """The category's popular articles, then the site's; stubs stand at the very end."""
        if row is not None and self.category[row] >= 0:
            number = self.category[row]
            yield from map(
                int, self.popular_in[self.popular_heads[number] : self.popular_heads[number + 1]]
            )
        yield from map(int, self.popular)

    def why(self, row: int, id: str) -> Evidence | None:
        """The figures behind a link of a prepared list, or None if it is not in it."""
        item = self.ids.find(id)
        slots = np.flatnonzero(self.items[row] == (EMPTY - 1 if item is None else item))
        if len(slots) == 0:
            return None
        return Evidence(*self.evidence.at(np.array([row]), slots[:1])[0].tolist())


@dataclass(frozen=True, eq=False)
class Lists(Prepared):
    """A published bundle, opened for looking up: mapped, and with the bytes that answers are made
    of (``answer_bytes.ready``), by row; and the ``folder``, None before it is published.
    """

    fragments: LinkFragments
    tails: Annotated[Pieces, BY_ARTICLE]
    folder: Path | None = None

    @classmethod
    def open(cls, folder: Path) -> Lists:
        """The bundle in ``folder``; ``BundleError`` names what is wrong with it."""
        about = registry.read(folder)
        n_articles = about.n_articles + about.n_stubs
        written = load(folder, FRAGMENTS, LinkFragments, sizes={"n_strings": n_articles})
        given = {
            "about": about, "name": about.name, "share": about.explore, "folder": folder,
            "fragments": written, **written.columns(),
        }  # fmt: skip
        sizes = {"n_articles": n_articles, "n_languages": len(about.languages.known)}
        return load(folder, LISTS, cls, given, sizes=sizes)

    def link(self, placed: Placed, position: int) -> Link:
        return Link(
            **self.fragments.record(placed.row),
            position=position,
            score=round(placed.score, 6),
            origin=placed.origin,
        )


def first(values: np.ndarray, n: int) -> np.ndarray:
    """The places of the ``n`` largest values, in that order; of equal ones the first.

    >>> first(np.array([1.0, 3.0, 2.0, 3.0, 3.0]), 2)
    array([1, 3])
    """
    some = np.arange(len(values))
    if len(values) > n:
        some = np.flatnonzero(values >= np.partition(values, -n)[-n])
    return some[np.argsort(-values[some], kind="stable")][:n]


def is_same_text(
    cosines: np.ndarray | float, square: float, squares: np.ndarray | float
) -> np.ndarray:
    """True where a text and others, ``(n_articles,)``, are one and the same, given the squared
    length of its row and of theirs. Terms of one article alone are in no row; a text is known again
    by the rest.
    """
    near = np.asarray(cosines) >= SAME_TEXT * np.sqrt(square * np.asarray(squares))
    return near & (np.minimum(square, squares) >= KNOWN_SHARE)
