"""Lists of a site without a bundle: what stands in its articles, no more.

A server that finds no bundle, a damaged one, or one of an older layout answers from here until
there is one it can read: an article's hand-picked links, then the newest articles of its category,
then the newest of the site. Titles without a page stand at the very end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import numpy as np

from recommender.articles.addresses import Found, PageTable
from recommender.articles.article import Article, teaser_of, title_key
from recommender.articles.dates import TOLERATED_DAYS, dates_of, day_number
from recommender.bundle.composition import BEST_SLATE, MAX_K, Link, Placed, Shelf, shown_of
from recommender.candidates import EMPTY
from recommender.lists.eligibility import SAME, Languages, eligibility_of, too_old_of
from recommender.store.database import Store
from recommender.store.keys import CHUNK, chunks

# As many as a page may ask for, and as many that it may leave out.
DEPTH = 2 * MAX_K
# Characters of a text that are kept where there is no teaser: it has 49, spaces run together.
BEGINNING = 300


class FallbackLists(Shelf):
    """The articles of ``store`` as they are now, by row in the order of their ids; ``keys`` are
    the store's numbers of them, ``(n_articles,)``. ``languages`` is the rule on the language of
    links, ``oldest_days`` the age beyond which nothing is recommended (0: any), at ``now``.
    ``StoreError`` if the store is out of reach.
    """

    name = "fallback"
    share = 0

    def __init__(
        self, store: Store, languages: str = SAME, *, now: datetime, oldest_days: int = 0
    ) -> None:
        self.articles = store.articles(with_body=False)
        self.day = dates_of(self.articles, now).day
        self.latest = day_number(now) + TOLERATED_DAYS
        too_old = too_old_of(self.articles, self.day, day_number(now), oldest_days)
        self.eligible = eligibility_of(self.articles, languages=languages, too_old=too_old)
        bare = [article.id for article in self.articles if not article.teaser]
        self.beginnings = {
            article.id: article.body[:BEGINNING]
            for ids in chunks(bare, CHUNK)
            for article in store.articles(ids=ids)
        }
        self.keys = np.array(store.keys_of([article.id for article in self.articles]), np.int64)
        self.rows = {article.id: row for row, article in enumerate(self.articles)}
        self.pages = PageTable((row, article.url) for row, article in enumerate(self.articles))
        _ = self.pages.outlines  # before anybody waits for them
        self.titles: dict[str, int] = {}
        self.same = [
            self.titles.setdefault(title_key(article.title), row)
            for row, article in enumerate(self.articles)
        ]
        self.newest = sorted(range(len(self.articles)), key=self._age)
        self.newest_in: dict[str, list[int]] = {}
        for row in self.newest:
            if category := self.articles[row].category:
                self.newest_in.setdefault(category, []).append(row)

    def _age(self, row: int) -> tuple[bool, float]:
        """Orders rows from the newest to the undated, and stubs behind them."""
        return self.articles[row].stub, -float(np.nan_to_num(self.day[row], nan=-np.inf))

    @property
    def languages(self) -> Languages:
        return self.eligible.languages

    # Finding articles

    def row(self, id: str) -> int | None:
        row = self.rows.get(id)
        return None if row is None or self.articles[row].stub else row

    def at_address(self, url: str) -> Found:
        return self.pages.find(url)

    def find(self, id: str) -> int | None:
        return self.rows.get(id)

    def pages_with_lists(self) -> list[int]:
        return [row for row, article in enumerate(self.articles) if not article.stub]

    def id_of(self, row: int) -> str:
        return self.articles[row].id

    def text_of(self, row: int) -> int:
        return self.same[row]

    def language_at(self, row: int) -> int:
        return int(self.eligible.language[row])

    def is_barred(self, row: int) -> bool:
        return bool(self.eligible.barred[row])

    def link(self, placed: Placed, position: int) -> Link:
        article: Article = self.articles[placed.row]
        return Link(
            id=article.id,
            url=article.url,
            title=article.title,
            teaser=article.teaser or teaser_of(self.beginnings[article.id]),
            position=position,
            score=placed.score,
            origin=placed.origin,
            **shown_of(article, self.language_code(placed.row), latest=self.latest)._asdict(),
        )

    # Lists

    def prepared(
        self, row: int, slate: int = BEST_SLATE, *, at_most: int | None = None
    ) -> list[Placed]:
        listed = self._listed(self.fallback(row), {self.same[row]}, self.language_at(row))
        return listed[:at_most]

    def near_text(self, title: str, body: str, language: int = EMPTY) -> list[Placed]:
        """The newest articles under another title: nothing is known of words here."""
        return self._listed(self.newest, {self.titles.get(title_key(title), EMPTY)}, language)

    def fallback(self, row: int | None) -> Iterator[int]:
        if row is not None:
            article = self.articles[row]
            picked = (self.row(id) for id in article.recommended)
            yield from (at for at in picked if at is not None)
            yield from self.newest_in.get(article.category or "", ())
        yield from self.newest

    def _listed(self, rows: Iterable[int], taken: set[int], language: int) -> list[Placed]:
        listed: list[Placed] = []
        for row in rows:
            # A title without a page alone is no list.
            is_of_use = bool(listed) or not self.articles[row].stub
            if is_of_use and self.same[row] not in taken and self.may_show(row, language):
                taken.add(self.same[row])
                listed.append(Placed(row, 0.0, "fallback"))
                if len(listed) == DEPTH:
                    break
        return listed
