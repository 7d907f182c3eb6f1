"""The sample site made ready: for the demo, and for notebooks to explore.

Everything is made in one folder: a SQLite store, the readers' log, the bundle. The readers' taste
is stated (``readers``) and hidden from the model, so each list can be priced: the clicks one view
of it is expected to win.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

from recommender.articles.article import Article
from recommender.articles.reader import read_articles
from recommender.bundle.bundle import Bundle
from recommender.config import Settings
from recommender.demo import readers, trial
from recommender.demo.readers import PAGES, truth
from recommender.events.event import Click, Event, Impression
from recommender.events.reader import EventReader
from recommender.progress import Progress, Shown, Silent
from recommender.store.database import Store
from recommender.terminal import Table, say, show
from recommender.text.neighbours import neighbours
from recommender.training.pipeline import Options, build, read_text
from recommender.training.work import Work

SEED = 20261122  # any number
SHOWN_ARTICLE = "pain-after-miscarriage"
URL = "/pages/{id}"
# The site of the notebooks: days, and those a bundle learns from; views of randomised lists
# draw ``N_SHOWN`` links, as many as a page has room for, from its list and the ``N_NEAREST`` texts.
NOTEBOOK_SEED = 7
DAYS, LEARNED_DAYS, TRIAL_DAYS = 42, 28, 14
VISITS_A_DAY = 500  # not tuned: enough clicks for intervals that are of use
LAYOUTS = ("bottom", "sidebar")
N_SHOWN, N_NEAREST, SHARE_RANDOMISED = 10, 16, 0.33


def prepare(folder: Path, *, now: datetime, progress: Progress | None = None) -> Settings:
    """Import the sample site and its readers' log, train, and print the expected clicks of its
    lists. Bars are drawn unless the work is to be reported to another ``progress``.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    settings = Settings(
        database=f"sqlite:///{folder / 'demo.db'}",
        models=folder / "models",
        editorial=folder / "editorial.csv",
    )
    drawn = Shown() if progress is None else nullcontext(progress)
    with drawn as progress, Store(settings.database) as store:
        store.apply(read_articles([PAGES], url=URL, progress=progress))
        articles = {article.id: article for article in store.articles()}
        lists = {id: article.recommended for id, article in articles.items() if not article.stub}
        log = folder / "events.jsonl"
        write_log(log, readers.visits(lists, seed=SEED))
        received = store.add_events(EventReader([log], progress=progress))
        bundle = build(store, settings.models, now=now, progress=progress)
    say(
        "",
        f"{len(lists)} health pages, {received.impressions:,} views and {received.clicks:,} "
        f"clicks of {readers.DAYS} simulated days; {bundle.about.reason}.",
        "",
    )
    show(_beside(articles, bundle), _scores(lists, bundle))
    return settings


def write_log(path: Path, events: Iterable[Event]) -> None:
    """Events as the contract's JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        for event in events:
            file.write(json.dumps(_record(event)) + "\n")


def _record(event: Event) -> dict[str, object]:
    types: dict[type, str] = {Impression: "impression", Click: "click"}
    record = {name: value for name, value in event._asdict().items() if value not in ("", None)}
    return {
        "type": types.get(type(event), "pageview"),
        **record,
        "ts": datetime.fromtimestamp(event.ts / 1000, tz=readers.FIRST_DAY.tzinfo).isoformat(),
    }


def _beside(articles: dict[str, Article], bundle: Bundle) -> Table:
    """One article's hand-picked list beside its new one."""
    article = articles[SHOWN_ARTICLE]
    old = list(article.recommended)
    new = [link.id for link in bundle.related(SHOWN_ARTICLE)]
    table = Table(article.title)
    table.show_footer = True
    prices = [readers.expected_clicks(SHOWN_ARTICLE, links) for links in (old, new)]
    table.add_column("#", justify="right")
    for name, price in zip(("hand-picked", "recommender"), prices, strict=True):
        table.add_column(name, footer=f"{100 * price:.0f} expected clicks per 100 views")
    for place in range(max(len(old), len(new))):
        cells = [articles[links[place]].title if place < len(links) else "" for links in (old, new)]
        table.add_row(str(place + 1), *cells)
    return table


def _scores(lists: Mapping[str, Sequence[str]], bundle: Bundle) -> Table:
    """What each of the lists wins over the whole site, on average."""
    table = Table("Expected clicks per 100 views, mean over all pages")
    table.add_column("lists")
    table.add_column("clicks", justify="right")
    table.add_column("")
    found = prices(lists, bundle)
    for name, clicks in found.items():
        table.add_row(name, f"{clicks:.0f}", "█" * round(30 * clicks / max(found.values())))
    return table


def prices(lists: Mapping[str, Sequence[str]], bundle: Bundle) -> dict[str, float]:
    """The price of the hand-picked lists, and of others beside the same pages."""
    return {
        "hand-picked": price(lists),
        "nearest texts": price({id: by_text(bundle, id) for id in lists}),
        "recommender": price_of(bundle, lists),
        "best possible": price({id: readers.best_list(id, 10) for id in lists}),
    }


def price_of(bundle: Bundle, pages: Iterable[str]) -> float:
    """The price of a bundle's lists beside these pages."""
    return price({id: [link.id for link in bundle.related(id)] for id in pages})


def price(lists: Mapping[str, Sequence[str]]) -> float:
    """Expected clicks per 100 views of lists, by page; every page counts alike."""
    clicks = sum(readers.expected_clicks(id, links) for id, links in lists.items())
    return 100 * clicks / len(lists)


def by_text(bundle: Bundle, id: str) -> list[str]:
    """The ten articles whose texts are nearest."""
    others = [other for other in truth() if other != id]
    cosines = bundle.features(id, others)["cosine"]
    return [others[place] for place in (-cosines).argsort(kind="stable")[:10]]


def sample_site(folder: Path | str = "sample-site") -> Settings:
    """Where the database and the models of the notebooks' site are; they are made, in half a
    minute, if ``folder`` is not there yet.

    For six weeks its pages show their hand-picked lists, at the bottom or in the margin. A third
    of the views draws from the page's list and the texts nearest to it, and every view logs the
    chances. A bundle was made before, by text alone; the one that is live learned from the first
    four weeks, and the last two, which it has not seen, can judge it. Then an experiment shows, for
    two weeks more, half of the readers the hand-picked lists and half the live bundle's.
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
    moments = readers.FIRST_DAY, readers.FIRST_DAY + timedelta(days=LEARNED_DAYS)
    with Store(f"sqlite:///{folder / 'site.db'}") as store:
        store.apply(read_articles([PAGES], url="https://example.org/{id}"))
        lists = _pools(store.articles())
        log = readers.visits(
            lists, seed=NOTEBOOK_SEED, days=DAYS, a_day=VISITS_A_DAY, layouts=LAYOUTS, size=N_SHOWN,
            share=SHARE_RANDOMISED,
        )  # fmt: skip
        store.add_events(log)
        for until in moments:
            options = Options(seed=NOTEBOOK_SEED, until=int(until.timestamp() * 1000))
            build(store, folder / "models", now=until, options=options)
        trial.run(
            store, folder / "models", start=readers.FIRST_DAY + timedelta(days=DAYS),
            days=TRIAL_DAYS, a_day=VISITS_A_DAY, seed=NOTEBOOK_SEED,
        )  # fmt: skip


def _pools(articles: list[Article]) -> dict[str, list[str]]:
    """By page, the links it can show: those picked by hand, then the nearest texts."""
    items, _ = neighbours(read_text(articles, Work(jobs=1), progress=Silent()), k=N_NEAREST)
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
