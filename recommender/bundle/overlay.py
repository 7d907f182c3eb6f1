"""A bundle with the articles that came, changed and went since it was built.

A new article has a list at once, by its text, and stands in others' lists where its text would
place it among the links there: nobody has seen it yet, so likeness is all there is to go by. A new
edition stands where an older one stood. What went is in no list any more. The next training absorbs
all of it.

Comparing texts takes milliseconds an article. So of very many that change at once some are compared
at a time (``Pending.patched``), and ``MOST_COMPARED`` in all, the last that came. The others are
brought up to date and have lists of their own, but join no other, until the next training.

Objects of this class never change; a new one takes over what the old one worked out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from math import inf

import numpy as np

from recommender.articles.addresses import SHARED, Found, PageIndex, PageTable, url_key, whole_key
from recommender.articles.article import Article, parse_timestamp, title_key
from recommender.articles.dates import TOLERATED_DAYS, day_number, day_of
from recommender.articles.language import primary_subtag
from recommender.bundle.composition import BEST_SLATE, DEFAULT_K, Link, Placed, Shelf, shown_of
from recommender.bundle.published import Lists, Vector, first, is_same_text
from recommender.candidates import EMPTY, MIN_LINKS
from recommender.lists.eligibility import OFF, Languages, agree
from recommender.store.articles import BEGINNING, Changed
from recommender.store.database import Store, known_name
from recommender.text.listing_pages import listing_pages
from recommender.text.tfidf import SAME_SUBJECT

# A known article whose new text is less like its old one than this, as a cosine, is another
# article. Not tuned.
REWRITTEN = 0.5
# So many articles are compared, the closest: it bounds the lists one article can join. Not tuned.
REACH = 200

# Articles that are compared with the bundle. A look at all of them anew takes half a second beside
# 16,000 articles.
MOST_COMPARED = 500
# ... and at a time, as pairs of articles: half a second's work.
PAIRS_AT_ONCE = 2_000_000

# New articles resemble the same old ones, whose titles need be read once.
_key_of = lru_cache(maxsize=20_000)(title_key)


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A text by the key of its title, terms and weights of its row and of its subject, and its
    squared length.
    """

    title: str
    terms: dict[int, float]
    subject: dict[int, float]
    square: float

    def is_like(self, other: Words) -> bool:
        """To a reader, are both the same link?"""
        cosine = dot(self.terms, other.terms)
        return self.title == other.title or bool(is_same_text(cosine, self.square, other.square))

    def alike(self, other: Words, floor: float) -> float:
        """How alike both are; 0 below the ``floor`` of relevance."""
        cosine, subject = dot(self.terms, other.terms), dot(self.subject, other.subject)
        return cosine + subject if cosine >= floor or subject >= SAME_SUBJECT else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Read(Words):
    """An article beside those of the bundle: the closest, at most ``REACH``, and how alike they
    are; which are the same text or have the same title, and which of these are ``editions``; and
    how like it is to what the bundle knows under its id, 0 for nothing. ``language`` is the code of
    its language, None for unknown; ``is_listing`` is true if it is a mere list of others.
    """

    article: Article
    language: str | None
    near: np.ndarray
    alikes: np.ndarray
    same: list[int]
    editions: list[int]
    likeness: float
    is_listing: bool
    is_compared: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """What changed since a bundle was built, up to the change of this ``number``: articles that are
    new or changed, whole or ``cut``, in the order in which they came, and ids that are gone.
    """

    number: int
    whole: Mapping[str, Article] = field(default_factory=dict)
    cut: Mapping[str, Article] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()

    def and_then(self, changed: Changed, *, beside: Lists | None = None) -> Pending:
        """With what ``changed`` after that. Of a bundle from elsewhere nobody knows which changes
        it has: what looks as it does ``beside`` is left out.
        """
        here = {article.id for article in (*changed.articles, *changed.cut)}
        again = here.union(changed.removed)
        kept = [each for id, each in self.whole.items() if id not in again]
        kept += [each for each in changed.articles if beside is None or differs(beside, each)]
        cut = [each for id, each in self.cut.items() if id not in again]
        cut += [each for each in changed.cut if beside is None or differs(beside, each)]
        first = max(0, len(kept) - MOST_COMPARED)
        cut += [replace(each, body=each.body[:BEGINNING]) for each in kept[:first]]
        return Pending(
            number=changed.number,
            whole={each.id: each for each in kept[first:]},
            cut={each.id: each for each in cut},
            removed=(self.removed - here).union(changed.removed),
        )

    def patched(
        self, base: Lists, before: Patched | None = None, *, now: datetime | None = None
    ) -> tuple[Patched | None, bool]:
        """``base`` with all of it, None if nothing changed; and whether all that is to be compared
        is: else as much as takes a moment, and more if that is ``before`` the next time. Dates
        after ``now`` are not known.
        """
        if not (self.whole or self.cut or self.removed):
            return None, True
        known = {read.article for read in before.compared.values()} if before else set()
        fresh = [article for article in self.whole.values() if article not in known]
        # Half as many again as are there: looking at those anew is work too.
        at_once = max(1, PAIRS_AT_ONCE // max(1, len(base.stub)), len(known) // 2)
        later = fresh[:-at_once]
        waiting = {article.id for article in later}
        compared = [article for article in self.whole.values() if article.id not in waiting]
        cut = (*self.cut.values(), *later)
        return Patched(base, compared, sorted(self.removed), before, cut=cut, now=now), not later


def since_built(base: Lists, store: Store) -> Pending:
    """What changed in a store since a bundle was built from it, or from another."""
    about = base.about
    is_its_own = about.store in ("", known_name(store)) and store.last_change() >= about.change
    pending = Pending(about.change if is_its_own else 0)
    changed = store.changed_since(pending.number, whole=MOST_COMPARED)
    return pending.and_then(changed, beside=None if is_its_own else base)


def differs(base: Lists, article: Article) -> bool:
    """Does a bundle show an article under another title or address, or not at all?"""
    row = base.find(article.id)
    shown = None if row is None else (base.titles[row], base.addresses[row])
    return shown != (article.title, article.url or "")


class PatchedPages(PageIndex):
    """The addresses of ``base`` with those ``new``, in the order of their ids, and without articles
    that are ``gone``. Of articles at one address the first by id is meant, as it is after the next
    training; at its old address an article that moved, as long as no other has it.
    """

    def __init__(
        self, base: Lists, new: PageTable, gone: set[int], read: Mapping[int, Read]
    ) -> None:
        self.base, self.new, self.gone = base.by_address, new, gone
        self.ids, self.read = base.ids, read
        self.hosts = frozenset((*self.base.hosts, *new.hosts))
        self.parameters = frozenset((*self.base.parameters, *new.parameters))
        # Keys that an article that came shares with others at other addresses, and what tells
        # all of them apart.
        self.shared: set[str] = set()
        self.apart: dict[str, int] = {}
        keys = {row: url_key(address) for row, address in new.addresses.items()}
        for row, key in keys.items():
            other = self.base.exact(key)
            if self.base.is_shared(key) or new.is_shared(key):
                self.shared.add(key)
            if other is None or other in gone or other in new.addresses:
                continue
            theirs = whole_key(base.addresses[other])
            if theirs != whole_key(new.addresses[row]):
                self.shared.add(key)
            if key in self.shared:
                self.apart[SHARED + theirs] = other
        for row, key in keys.items():
            if key in self.shared:
                mine = SHARED + whole_key(new.addresses[row])
                there = [row, self.apart[mine]] if mine in self.apart else [row]
                other = self.base.exact(mine)
                if other is not None and other not in gone and other not in new.addresses:
                    there.append(other)
                self.apart[mine] = min(there, key=self.id_of)

    def id_of(self, row: int) -> str:
        """The id of the article of a row."""
        read = self.read.get(row)
        return read.article.id if read else self.ids.column[row]

    def is_shared(self, key: str) -> bool:
        return key in self.shared or self.base.is_shared(key)

    def exact(self, key: str) -> int | None:
        if key in self.apart:
            return self.apart[key]
        new, old = self.new.exact(key), self.base.exact(key)
        old = None if old in self.gone else old
        if new is None or old is None:
            return old if new is None else new
        return new if old in self.new.addresses else min(new, old, key=self.id_of)

    def like(self, outline: str) -> Iterator[tuple[int, str]]:
        yield from (
            (row, each) for row, each in self.new.like(outline) if self._is_meant(row, each)
        )
        for row, address in self.base.like(outline):
            is_there = row not in self.gone and row not in self.new.addresses
            if is_there and self._is_meant(row, address):
                yield row, address

    def _is_meant(self, row: int, address: str) -> bool:
        """Is no other article at this address meant by it?"""
        key = url_key(address)
        meant = self.exact(SHARED + whole_key(address) if self.is_shared(key) else key)
        return meant is None or meant == row


class Patched(Shelf):
    """``base`` with these articles put in or brought up to date, and these ids taken out. Of those
    that are ``cut`` nothing is compared. Dates after ``now`` are not known.
    """

    def __init__(
        self,
        base: Lists,
        articles: Sequence[Article],
        removed: Sequence[str],
        before: Patched | None = None,
        *,
        cut: Sequence[Article] = (),
        now: datetime | None = None,
    ) -> None:
        self.base = base
        self.latest = inf if now is None else day_number(now) + TOLERATED_DAYS
        self.name, self.share = base.name, base.share
        known = {read.article: read for read in before.compared.values()} if before else {}
        everything = (*articles, *cut)
        rows = {article.id: base.find(article.id) for article in everything}
        fresh = [article for article in everything if rows[article.id] is None]
        self.n_base = len(base.stub)
        self.row_of = {article.id: self.n_base + at for at, article in enumerate(fresh)}
        self.row_of |= {id: row for id, row in rows.items() if row is not None}
        self.read: dict[int, Read] = {
            self.row_of[article.id]: known.get(article) or compare(base, article)
            for article in articles
        }
        self.compared: dict[int, Read] = dict(self.read)
        self.read |= {self.row_of[article.id]: uncompared(article) for article in cut}
        self.gone = {row for row in map(base.find, removed) if row is not None}
        moved = (
            (row, read.article.url)
            for row, read in sorted(self.read.items(), key=lambda each: each[1].article.id)
            if row >= self.n_base or read.article.url != base.addresses[row]
        )
        self.pages = PatchedPages(base, PageTable(moved), self.gone, self.read)
        self.barred = {row for row, read in self.read.items() if read.is_listing}
        self.day = {row: day_of(read.article, self.latest) for row, read in self.read.items()}
        if oldest_days := base.about.dates.oldest_days:
            built = day_number(parse_timestamp(base.about.built))
            self.barred |= {row for row, day in self.day.items() if built - day > oldest_days}
        self._languages = base.languages.including(read.language for read in self.read.values())
        self.spoken = {row: self.languages.number(read.language) for row, read in self.read.items()}
        self.rewritten = {
            row
            for row, read in self.read.items()
            if row < self.n_base
            and (read.likeness < REWRITTEN or not agree(base.language_at(row), self.spoken[row]))
        }
        # Nothing is explored on their pages any more, nor are they on others'.
        self.still = {row for row, read in self.read.items() if read.article.sensitive}
        self._alike: dict[tuple[int, int], bool] = {}
        self.heirs = self._heirs()
        self.still |= {row for row, heir in self.heirs.items() if heir in self.still}
        self.joins = self._joins()
        self.touched = self._touched()
        self._by_text: dict[int, list[Placed]] = {}

    @property
    def languages(self) -> Languages:
        return self._languages

    # Finding articles

    def row(self, id: str) -> int | None:
        row = self.row_of.get(id)
        return self._there(self.base.row(id)) if row is None else row

    def at_address(self, url: str) -> Found:
        return self.pages.find(url)

    def find(self, id: str) -> int | None:
        row = self.row_of.get(id)
        return self._there(self.base.find(id)) if row is None else row

    def pages_with_lists(self) -> list[int]:
        there = [row for row in self.base.pages_with_lists() if row not in self.gone]
        return there + [row for row in self.read if row >= self.n_base]

    def _there(self, row: int | None) -> int | None:
        return None if row in self.gone else row

    def id_of(self, row: int) -> str:
        read = self.read.get(row)
        return read.article.id if read else self.base.id_of(row)

    def text_of(self, row: int) -> int:
        if row < self.n_base and row not in self.rewritten:
            return self.base.text_of(row)
        same = [other for other in self.read[row].same if other != row]
        # Below 0: numbers of the bundle's own are not.
        return self.base.text_of(same[0]) if same else ~row

    def language_at(self, row: int) -> int:
        number = self.spoken.get(row, EMPTY)
        if number == EMPTY and row < self.n_base and row not in self.rewritten:
            return self.base.language_at(row)
        return number

    def is_barred(self, row: int) -> bool:
        return row in self.barred or (row < self.n_base and self.base.is_barred(row))

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
            **shown_of(article, self.language_code(placed.row), latest=self.latest)._asdict(),
        )

    # Lists

    def prepared(
        self, row: int, slate: int = BEST_SLATE, *, at_most: int | None = None
    ) -> list[Placed]:
        if row >= self.n_base or (row in self.rewritten and not self.base.is_by_hand(row)):
            if row not in self._by_text:
                read = self.read[row]
                language, article = self.language_at(row), read.article
                if not read.is_compared:
                    code = self.languages.of_text(article.language, article.title, article.body)
                    language = self.languages.number(code)
                near = self.base.near_text(article.title, article.text, language)
                near = self._near(read, near, language)
                self._by_text[row] = [placed for placed in near if placed.row != row]
            return list(self._by_text[row])
        language = self.language_at(row)
        listed = [
            placed
            for placed in self._explored(row, slate)
            if placed.row not in self.gone
            and (placed.row not in self.read or self.may_show(placed.row, language))
        ]
        for place, new, _ in self.joins.get(row, ()):
            place = min(place, len(listed))
            ends = [placed.score for placed in listed[max(0, place - 1) : place + 1]]
            score = sum(ends) / len(ends) if ends else 0.0
            listed.insert(place, Placed(new, score, "text"))
        if row < self.n_base and self.base.is_by_hand(row):
            return listed
        return self._succeeded(row, listed, language)

    def _explored(self, row: int, slate: int) -> list[Placed]:
        """The bundle's slate, or its best one if a slate moves what has become sensitive."""
        listed = self.base.prepared(row, slate)
        if slate == BEST_SLATE or not self.still:
            return listed
        best = self.base.prepared(row)
        moved = any(
            one.row != other.row and not self.still.isdisjoint((one.row, other.row))
            for one, other in zip(listed, best, strict=True)
        )
        return best if moved or row in self.still else listed

    def near_text(self, title: str, body: str, language: int = EMPTY) -> list[Placed]:
        text = self.base.texts.vector(title, body)
        near = self.base.near(title, text, language)
        return self._near(words_of(title, text), near, language)

    def _near(self, asked: Words, near: list[Placed], language: int) -> list[Placed]:
        """What stands closest to a text in this language, ``near`` of the bundle and what came
        since.
        """
        listed = [
            placed for placed in near
            if placed.row not in self.gone and placed.row not in self.rewritten
            and self.may_show(placed.row, language)
            and not (placed.row in self.read and asked.is_like(self.read[placed.row]))
        ]  # fmt: skip
        floor = self.base.about.relevance_floor
        fresh = [
            (-alike, new)
            for new, read in self.compared.items()
            if (new >= self.n_base or new in self.rewritten)
            and self.may_show(new, language)
            and (alike := asked.alike(read, floor))
            and not asked.is_like(read)
        ]
        shown = [self.read[placed.row] for placed in listed if placed.row in self.read]
        seen = {self.text_of(placed.row) for placed in listed}
        for minus_alike, new in sorted(fresh):
            read = self.read[new]
            if self.text_of(new) not in seen and not any(map(read.is_like, shown)):
                shown.append(read)
                listed.append(Placed(new, -minus_alike, "text"))
        listed.sort(key=lambda placed: (-placed.score, placed.row))
        return self._succeeded(None, listed, language, asked)

    def fallback(self, row: int | None) -> Iterator[int]:
        """What the editors picked for a new article, then what the bundle falls back on."""
        read = None if row is None else self.read.get(row)
        if read is not None:
            picked = (self.find(id) for id in read.article.recommended)
            yield from (at for at in picked if at is not None)
        own = row if row is not None and row < self.n_base else None
        for at in self.base.fallback(own):
            if at in self.heirs:
                yield self.heirs[at]
            if at not in self.gone:
                yield at

    def _fill(
        self,
        chosen: list[Placed],
        source: int | None,
        language: int,
        least: int,
        excluded: set[str],
    ) -> None:
        """Last of all with what came since: a language may be new to the site."""
        super()._fill(chosen, source, language, least, excluded)
        taken = {placed.row for placed in chosen} | ({source} if source is not None else set())
        for row, read in self.read.items():
            if len(chosen) >= least:
                break
            if (
                row >= self.n_base
                and self.may_show(row, language)
                and self.id_of(row) not in excluded
                and self.text_of(row) not in map(self.text_of, taken)
                and not any(read.is_like(self.read[other]) for other in taken & self.read.keys())
            ):
                chosen.append(Placed(row, 0.0, "fallback"))
                taken.add(row)

    def _succeeded(
        self, source: int | None, listed: list[Placed], language: int, asked: Words | None = None
    ) -> list[Placed]:
        """The links with new editions in the place of older ones, but beside a page, or a text
        that was ``asked`` for, that is an edition itself.
        """
        if self.heirs.keys().isdisjoint(placed.row for placed in listed):
            return listed
        there = {placed.row for placed in listed}
        found: list[Placed] = []
        for placed in listed:
            heir = self.heirs.get(placed.row, placed.row)
            read = self.read.get(heir)
            others = there & self.read.keys() - {placed.row}
            if (
                heir not in there
                and read is not None
                and self.may_show(heir, language)
                and source not in (heir, *read.same)
                and not (asked is not None and asked.is_like(read))
                and not any(self._are_like(heir, other) for other in others)
            ):
                there.add(heir)
                origin = placed.origin if placed.origin == "explored" else "text"
                placed = Placed(heir, placed.score, origin)
            found.append(placed)
        return found

    # What the changes reach

    def _heirs(self) -> dict[int, int]:
        """The newest edition among what came, for each row that has one newer than itself."""
        named: dict[str, list[int]] = {}
        for row, read in self.read.items():
            named.setdefault(read.title, []).append(row)
        lost, edition = self.gone | self.rewritten, self.base.about.edition
        heirs: dict[int, int] = {}
        for new, read in self.read.items():
            if new < self.n_base or new in self.barred or np.isnan(self.day[new]):
                continue
            others = [row for row in named[read.title] if row >= self.n_base and row != new]
            others = [row for row in others if dot(read.terms, self.read[row].terms) >= edition]
            for row in (*read.editions, *others):
                known = self.day_of(heirs.get(row, row))
                if row not in lost and not known >= self.day[new]:
                    heirs[row] = new
        return heirs

    def day_of(self, row: int) -> float:
        """The day an article was published, NaN if unknown."""
        return self.day[row] if row in self.day else float(self.base.published[row])

    def _joins(self) -> dict[int, list[tuple[int, int, float]]]:
        """For each list that new articles join: place, row, likeness, in the order of insertion."""
        joins: dict[int, list[tuple[int, int, float]]] = {}
        gone = list(self.gone)
        # What is gone, or another article by now, makes room: its text may have moved.
        lost = self.gone | self.rewritten
        for new, read in self.compared.items():
            if new < self.n_base:
                continue
            listed = self.base.items[read.near]
            first = listed[:, :DEFAULT_K]
            listed_alike = self.base.evidence.alikes(read.near, DEFAULT_K)
            closer = listed_alike >= read.alikes[:, None]
            places = (closer & (first != EMPTY) & ~np.isin(first, gone)).sum(axis=1)
            copies = np.isin(
                self.base.same, self.base.same[[o for o in read.same if o not in lost]]
            )
            copies[list(lost)] = False
            beside_copy = ((listed != EMPTY) & copies[listed]).any(axis=1) | copies[read.near]
            columns = (read.near, places, read.alikes, beside_copy, listed)
            for row, place, alike, is_double, items in zip(
                *map(np.ndarray.tolist, columns), strict=True
            ):
                changed = [other for other in (row, *items) if other in self.read]
                changed += [self.heirs[other] for other in items if other in self.heirs]
                if (
                    place < DEFAULT_K
                    and not is_double
                    and not self.base.is_by_hand(row)
                    and row not in self.gone
                    and self.may_show(new, self.language_at(row))
                    and not any(self._are_like(new, other) for other in changed)
                ):
                    joins.setdefault(row, []).append((place, new, alike))
        return {row: self._arranged_joins(found) for row, found in joins.items()}

    def _arranged_joins(self, found: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
        """From the end on, so that places counted before stay right; the closest goes in last
        and so stands first among those of one place. Of copies the closest comes alone.
        """
        kept: list[tuple[int, int, float]] = []
        for join in sorted(found, key=lambda join: -join[2]):
            if len(kept) < DEFAULT_K and not any(
                self._are_like(join[1], new) for _, new, _ in kept
            ):
                kept.append(join)
        return sorted(kept, key=lambda join: (-join[0], join[2]))

    def _are_like(self, one: int, other: int) -> bool:
        """``Read.is_like``, worked out once: the same two meet in many lists."""
        pair = (one, other) if one < other else (other, one)
        if pair not in self._alike:
            self._alike[pair] = self.read[one].is_like(self.read[other])
        return self._alike[pair]

    def _touched(self) -> set[int]:
        """Rows of the bundle whose prepared answers do not hold any more."""
        changed = self.gone | {row for row in (*self.read, *self.heirs) if row < self.n_base}
        touched = set(self.joins) | self.rewritten | self.still
        n_links = (self.base.items != EMPTY).sum(axis=1)
        # Short lists are filled up with what there is in their language; if that is not enough,
        # with what is new.
        for language in {self.spoken[row] for row in self.read if row >= self.n_base}:
            may = agree(self.base.language, language)
            there = may & ~self.base.barred & (self.base.stub == 0)
            if len(np.unique(self.base.same[there])) <= MIN_LINKS:
                touched |= set(np.flatnonzero(may & (n_links < MIN_LINKS)).tolist())
        if changed:
            rows = np.fromiter(changed, dtype=np.int64)
            touched |= set(np.flatnonzero(np.isin(self.base.items, rows).any(axis=1)).tolist())
            # Short lists are filled up with what is popular, which may be what changed.
            touched |= set(np.flatnonzero(n_links < MIN_LINKS).tolist())
        return touched


def words_of(title: str, text: Vector) -> Words:
    """What two texts that came after the build are compared by."""
    terms = dict(zip(text.terms.tolist(), text.weights.tolist(), strict=True))
    subject = dict(zip(text.terms.tolist(), text.subject.tolist(), strict=True))
    about = {term: weight for term, weight in subject.items() if weight}
    return Words(title_key(title), terms, about, text.square)


def compare(base: Lists, article: Article) -> Read:
    """An article beside those of ``base``."""
    text = base.texts.vector(article.title, article.text)
    words, cosines = words_of(article.title, text), text.cosines
    some = np.flatnonzero(cosines)
    closest = some[first(cosines[some], REACH)].tolist()
    # Whatever has the same title shares its words.
    alike = [row for row in closest if _key_of(base.titles[row]) == words.title]
    same = np.union1d(text.same(base.texts.squares), np.array(alike, dtype=np.int64))
    own = base.find(article.id)
    length = 0.0 if own is None else float(np.sqrt(text.square * base.texts.squares[own]))
    language = base.languages.of_text(article.language, article.title, article.body)
    rows, likeness = text.alike(base.about.relevance_floor)
    may = agree(base.language[rows], base.languages.number(language))
    may &= (base.stub[rows] == 0) & ~np.isin(rows, same)
    rows, likeness = rows[may], likeness[may]
    near = first(likeness, REACH)
    return Read(
        title=words.title,
        terms=words.terms,
        subject=words.subject,
        square=words.square,
        article=article,
        language=language,
        near=rows[near],
        alikes=likeness[near],
        same=same.tolist(),
        editions=same[cosines[same] >= base.about.edition].tolist(),
        likeness=float(cosines[own]) / length if length else 0.0,
        is_listing=is_listing(base, article, closest),
    )


def uncompared(article: Article) -> Read:
    """An article of which nothing is known but what it says itself."""
    nobody = np.zeros(0, dtype=np.int64)
    return Read(
        title=_key_of(article.title),
        terms={},
        subject={},
        square=0.0,
        article=article,
        language=primary_subtag(article.language),
        near=nobody,
        alikes=nobody.astype(float),
        same=[],
        editions=[],
        likeness=1.0,
        is_listing=False,
        is_compared=False,
    )


def is_listing(base: Lists, article: Article, near: Sequence[int]) -> bool:
    """Is an article a mere list of those ``near`` it, as far as titles and teasers show? Their
    texts are not at hand.
    """
    if base.about.listings.rule != OFF:
        return False
    titles, body = [base.titles[row] for row in near], article.body.casefold()
    # Hardly any article names one, and many may come at once.
    if not any(title.casefold() in body for title in titles):
        return False
    teasers, bodies = [base.teasers[row] for row in near], [""] * len(near)
    found = listing_pages([*titles, article.title], [*bodies, article.body], [*teasers, ""])
    return bool(found[-1])


def dot(one: dict[int, float], other: dict[int, float]) -> float:
    """The product of two rows."""
    if len(other) < len(one):
        one, other = other, one
    return sum(weight * other.get(term, 0.0) for term, weight in one.items())
