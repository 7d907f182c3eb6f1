"""The sample site that the notebooks look at.

For six weeks its pages show their hand-picked lists, at the bottom or in the margin. A quarter of
the views draws by lot from the page's list and the texts nearest to it, and every view logs the
chances. A bundle learns from the first four weeks; the last two, which it has not seen, can judge
it. Readers are simulated (``sample.readers``).
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp

from recommender.articles.article import Article
from recommender.articles.reader import read_articles
from recommender.config import Settings
from recommender.demo import readers
from recommender.demo.sample import PAGES
from recommender.progress import Silent
from recommender.store.database import Store
from recommender.text.neighbours import neighbours
from recommender.training.pipeline import Options, build, read_text

SEED = 7
DAYS, LEARNED_DAYS = 42, 28
VISITS_A_DAY = 500
LAYOUTS = ("bottom", "sidebar")
# Links that a page has room for, texts that views by lot draw from besides, and their share.
SHOWN, NEAREST, SHARE = 10, 12, 0.25
URL = "https://example.org/{id}"


def ready(folder: Path | str = "sample-site") -> Settings:
    """Where the database and the models of the sample site are; they are made, in half a minute,
    if ``folder`` is not there yet.
    """
    folder = Path(folder)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
        try:
            _make(made)
            made.replace(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return Settings(
        database=f"sqlite:///{folder.resolve() / 'site.db'}",
        models=folder / "models",
        editorial=folder / "editorial.csv",
    )


def _make(folder: Path) -> None:
    until = readers.FIRST_DAY + timedelta(days=LEARNED_DAYS)
    with Store(f"sqlite:///{folder / 'site.db'}") as store:
        store.apply(read_articles([PAGES], url=URL))
        lists = _pools(store.articles())
        log = readers.visits(
            lists, seed=SEED, days=DAYS, a_day=VISITS_A_DAY, layouts=LAYOUTS, size=SHOWN,
            share=SHARE,
        )  # fmt: skip
        store.add_events(log)
        options = Options(seed=SEED, until=int(until.timestamp() * 1000))
        build(store, folder / "models", now=until, options=options)


def _pools(articles: list[Article]) -> dict[str, list[str]]:
    """By page, the links it can show: those picked by hand, then the nearest texts."""
    items, _ = neighbours(read_text(articles, jobs=1, progress=Silent()), k=NEAREST)
    return {
        page.id: list(
            dict.fromkeys(
                id
                for id in (*page.recommended, *(articles[near].id for near in row if near >= 0))
                if id != page.id
            )
        )
        for page, row in zip(articles, items.tolist(), strict=True)
        if not page.stub
    }
