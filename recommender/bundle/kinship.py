"""Do a store and a bundle belong together? A server beside the wrong store looks well: its lists
come from the bundle, and the clicks on them go where no training will ever find them.

A bundle that was built from a store has its name, once the store has one. One that was brought from
elsewhere, or was built before the store was first served from, is known by its articles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.bundle.published import Lists
from recommender.store.database import Store

# So many pages of a bundle, evenly spread, are looked for in the store: enough to tell a tenth from
# a half of them, in a few milliseconds. Not tuned.
N_LOOKED_FOR = 200
# Other sites have a few pages of the same id and title ("about": "About us"), and what a site sends
# by the article to a store that was made by mistake are a few too. Of one site most are there.
LEAST = 0.1
REMEDY = (
    "point RECOMMENDER_DATABASE at the store of this site, by its whole path, or import the "
    "articles into this one, and train"
)


@dataclass(frozen=True, slots=True)
class Kinship:
    """How many pages of a bundle were looked for in a store; how many of these it has by their id,
    and by their id and their title or address; and how many articles it has.
    """

    n_pages: int
    n_ids: int
    n_same: int
    n_articles: int

    @property
    def is_foreign(self) -> bool:
        """Is it the store of something else?"""
        return self.n_same < LEAST * self.n_pages

    def sentence(self, name: str, *, bundle: str) -> str:
        """What is the matter with the store of this ``name``, and what to do."""
        if not self.n_articles:
            found = f"{name}: the store has no articles, so it is not that of {bundle}"
        else:
            what = "ids" if self.n_ids == self.n_same else "ids, titles and addresses"
            found = (
                f"{name}: the store is another site's than {bundle}: of {self.n_pages:,} of the "
                f"bundle's pages it has {self.n_same:,}, by their {what}"
            )
        return f"{found}; lists are sent, and the clicks on them are lost to it: {REMEDY}"


def kinship(lists: Lists, store: Store) -> Kinship:
    """How much of a bundle a store has. ``StoreError`` if it is out of reach."""
    pages = np.flatnonzero(~np.asarray(lists.stub, dtype=bool))
    places = np.linspace(0, len(pages) - 1, min(len(pages), N_LOOKED_FOR)).astype(np.int64)
    shown = {
        lists.id_of(int(row)): (lists.titles[int(row)], lists.addresses[int(row)])
        for row in pages[places]
    }
    there = store.articles(with_body=False, ids=shown)
    same = [
        article
        for article in there
        if article.title == shown[article.id][0]
        or (article.url and article.url == shown[article.id][1])
    ]
    return Kinship(len(shown), len(there), len(same), store.n_articles())
