"""Small sites and logs, written by hand, for the tests of building and ranking."""

import fcntl
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.bundle.bundle import Bundle
from recommender.candidates import EMPTY, Candidates
from recommender.clicks.position_bias import Examination, unidentified
from recommender.events.event import Click, Event, Impression
from recommender.lists import rerank
from recommender.lists.concentration import DEFAULT_CEILING
from recommender.lists.editions import newest_editions
from recommender.lists.eligibility import Eligibility
from recommender.lists.rerank import Finished, Screen, same_title_or_text
from recommender.progress import Silent
from recommender.ranking.candidate_sources import Basis
from recommender.ranking.features import History
from recommender.ranking.time_splits import splits_of
from recommender.store.counts import Log
from recommender.store.database import Store
from recommender.text.corpus import Corpus, Links, corpus_of
from recommender.text.neighbours import neighbours
from recommender.training.pipeline import Options, build, picked_lists, read_text
from recommender.training.work import Work

NOW = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
DAY = 86_400_000
# Three pages on joints and two on sleep.
BODIES = {
    "knee": "knee joint stairs cartilage",
    "hip": "hip joint stairs cartilage",
    "ankle": "ankle joint stairs foot",
    "sleep": "night dream bed snoring",
    "nap": "night dream noon couch",
}
EVENLY = unidentified("every position is looked at alike")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that is made once in a run, whichever of its processes asks first."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"once-{name}"
    with folder.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not folder.exists():
            aside = folder.with_name(f"{folder.name}-{os.getpid()}")
            aside.mkdir()
            make(aside)
            aside.rename(folder)
    return folder


def bundle_in(folder: Path) -> Bundle:
    """The one bundle in ``folder/models``."""
    (found,) = (folder / "models").glob("2*")
    return Bundle(found)


def stored(store: Store, articles: Iterable[Article], events: Iterable[Event] = ()) -> Store:
    """The store with these articles and events in it."""
    batch = Batch()
    for article in articles:
        batch.add(article, where=article.id)
    store.apply(batch)
    store.add_events(events)
    return store


def built(
    folder: Path,
    articles: Iterable[Article],
    events: Iterable[Event] = (),
    *,
    options: Options | None = None,
) -> Bundle:
    """A bundle trained on these, in ``folder/models``."""
    with Store("sqlite://") as store:
        stored(store, articles, events)
        return build(store, folder / "models", now=NOW, options=options)


def view(name: str, source: str, *shown: str, day: float = 0, **more: object) -> Impression:
    """A view of a list on a day counted from 1970."""
    return Impression(name, int(day * DAY), source, shown, **more)  # type: ignore[arg-type]


def click(name: str, clicked: str, *, day: float = 0) -> Click:
    """A click on a link of that view."""
    return Click(name, int(day * DAY) + 1, clicked)


@dataclass
class Shown:
    """A slate beside ``source``, seen ``views`` times on ``day``, with its links' clicks."""

    source: int
    items: Sequence[int]
    clicks: Sequence[int]
    views: int = 1000
    day: int = 0
    ordered: bool = True


def log_of(*slates: Shown, readings: Sequence[tuple[int, int, int]] = ()) -> Log:
    """The counts of a log, each slate on its own; readings are (session, article, day)."""
    sizes = [len(slate.items) for slate in slates]
    heads = np.cumsum([0, *sizes])
    links = [(at, place) for at, slate in enumerate(slates) for place in range(len(slate.items))]
    table = np.array(readings, dtype=np.int64).reshape(-1, 3)
    none = np.zeros(0, dtype=np.int64)
    return Log(
        source=np.array([slate.source for slate in slates], dtype=np.int32),
        heads=heads.astype(np.int64),
        item=np.array([slates[at].items[place] for at, place in links], dtype=np.int32),
        position=np.array(
            [place + 1 if slates[at].ordered else 0 for at, place in links], dtype=np.int32
        ),
        propensity=np.full(len(links), np.nan, dtype=np.float32),
        view_day=np.array([slate.day for slate in slates], dtype=np.int32),
        view_slate=np.arange(len(slates)),
        n_views=np.array([slate.views for slate in slates], dtype=np.int64),
        click_day=np.array([slates[at].day for at, _ in links], dtype=np.int32),
        click_link=np.arange(len(links)),
        n_clicks=np.array([slates[at].clicks[place] for at, place in links], dtype=np.int64),
        n_in_sessions=np.array([slates[at].clicks[place] for at, place in links], dtype=np.int64),
        read_session=table[:, 0],
        read_article=table[:, 1],
        read_day=table[:, 2].astype(np.int32),
        first_ts=None,
        last_ts=None,
        past_read_day=none,
        past_read_article=none,
        n_past_reads=none,
        past_pair_day=none,
        past_pair_article=none,
        past_pair_other=none,
        n_past_pairs=none,
        layout=np.zeros(len(slates), dtype=np.int32),
        list=np.zeros(len(slates), dtype=np.int32),
        layouts=("",),
        lists=("",),
        clicks_per_visit=1.0,
        view_live=np.ones(len(slates), dtype=bool),
        click_live=np.ones(len(links), dtype=bool),
        brought=np.zeros(len(links), dtype=bool),
    )


def known_examination(chances: Sequence[float]) -> Examination:
    """Examination as told, the last chance standing for all positions below."""
    chance = np.full(51, chances[-1])
    chance[0] = 1
    chance[1 : len(chances) + 1] = chances
    return Examination(chance, chance, chance, True, "", 10_000)


def site_from(
    articles: Sequence[Article],
    *,
    k: int = 20,
    published: np.ndarray | None = None,
    now: float = 0.0,
) -> Corpus:
    """What a build knows of the articles before it looks at the log."""
    text = read_text(articles, Work(jobs=1), progress=Silent())
    near, cosines = neighbours(text, k=k)
    picked = picked_lists(articles, [article.id for article in articles])
    return corpus_of(articles, text, picked, near, cosines, published=published, now=now)


def counted(site: Corpus, log: Log, examination: Examination = EVENLY) -> History:
    """What is counted on all of a log."""
    return splits_of(site, None, log, examination).everything().history


def lists_in(candidates: Candidates) -> list[list[int]]:
    """The used slots of each row."""
    return [[int(item) for item in row if item != EMPTY] for row in candidates.items]


WORDS = 400
COMMON = 60


def random_articles(n: int, *, seed: int, n_topics: int = 6) -> list[Article]:
    """A site with all that real ones have: topics, copies, namesakes, pages without a text,
    stubs, lists that point at themselves, twice at one page, and nowhere.
    """
    random = np.random.default_rng(seed)
    articles: list[Article] = []
    for number in range(n):
        topic = number % n_topics
        own = [f"w{topic}x{word}" for word in random.zipf(1.5, 40) % (WORDS // n_topics)]
        common = [f"c{word}" for word in random.integers(0, COMMON, 40)]
        body = " ".join(random.permutation([*own, *common]))
        title = f"{own[0]} and {own[1]} or {own[2]} number{number}"
        kind = random.random()
        if articles and kind < 0.08:  # a copy under the same title but for a word
            original = articles[int(random.integers(len(articles)))]
            title, body = f"{original.title} again", original.body
        elif articles and kind < 0.14:  # a namesake
            title = articles[int(random.integers(len(articles)))].title.upper()
        elif kind < 0.2:
            body = ""
        stub = 0.2 <= kind < 0.27 and number > 3
        links = random.integers(0, n, int(random.integers(0, 12)))
        articles.append(
            Article(
                id=f"stub:{number:04}" if stub else f"a{number:04}",
                title=title,
                body="" if stub else body,
                url=None if stub else f"https://example.org/a{number:04}",
                category=f"topic {topic}" if random.random() < 0.8 else None,
                tags=tuple(f"tag {tag}" for tag in random.integers(0, 9, 2)),
                recommended=() if stub else tuple(f"a{link:04}" for link in links),
                stub=stub,
            )
        )
    return articles


def random_events(articles: Sequence[Article], *, seed: int, n: int = 4000) -> Iterable[Event]:
    """Readers who like a target the more, the higher its number, ten days long."""
    random = np.random.default_rng(seed)
    ids = [article.id for article in articles if not article.stub]
    for number in range(n):
        source = ids[int(random.integers(len(ids)))]
        shown = [ids[at] for at in random.choice(len(ids), min(8, len(ids)), replace=False)]
        day = 10 * number / n
        name = f"v{number}"
        yield view(name, source, *shown, day=day, session_id=f"s{number // 2}")
        for place, id in enumerate(shown):
            liked = ids.index(id) / len(ids)
            if random.random() < 0.5 * liked / (place + 1):
                yield click(name, id, day=day)


def basis_of(site: Corpus, near: Candidates, picked: Candidates) -> Basis:
    """Texts and editors' lists, and nothing that readers did."""
    following = np.full(len(near.items), EMPTY)
    return Basis(site, picked, None, counted(site, log_of()), near, following)


def finish(
    site: Corpus, scored: Candidates, known: History | None, *, near: Candidates,
    picked: Candidates, cluster: np.ndarray, titles: list[str], stub: np.ndarray,
    eligible: Eligibility, following: np.ndarray, next_first: bool, origin: str,
    sure: float = np.inf, ceiling: int = DEFAULT_CEILING,
) -> Finished:  # fmt: skip
    """Lists of candidates under given scores, screened all at once."""
    same = same_title_or_text(titles, cluster)
    newest = newest_editions(site, same, ~eligible.barred & ~stub)
    screen = Screen(
        site, known, eligible, stub, same, newest, following, next_first=next_first, sure=sure
    )
    scored = screen.may(scored)
    lists = screen.relevant(scored, scored.scores, Links(site, *scored.pairs()))
    return rerank.finish(
        lists, screen, basis_of(site, near, picked), origin=origin, ceiling=ceiling
    )
