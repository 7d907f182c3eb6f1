"""A small site with everything that judging looks at, and views of it that are easy to count."""

import atexit
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sites import built, click, view

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.evaluation.baselines import Case, case_of
from recommender.events.event import Event
from recommender.store.database import Store
from recommender.store.impressions import Impressions, read

# Days counted from 1970 at which the judged views begin: 2026-11-02.
JUDGED = 20_759
SHOWN = ("sleep", "nap", "ankle", "hip")
ARTICLES = [
    Article(
        id="knee", title="Knee <b>pain</b> & stairs", body="knee joint stairs cartilage",
        category="joints", recommended=("nap", "hip", "nap"), published_at="2026-10-20",
    ),
    Article(
        id="hip", title="Hip pain", body="hip joint stairs cartilage", category="joints",
        published_at="2026-01-01",
    ),
    Article(
        id="ankle", title="Ankles", body="ankle joint foot sock shoe", category="joints",
        published_at="2026-03-01",
    ),
    Article(
        id="sleep", title="Sleep", body="night dream bed snoring", category="rest",
        recommended=("hip",), published_at="2024-02-01",
    ),
    Article(
        id="nap", title="Naps", body="night dream noon couch", category="rest",
        updated_at="2026-04-01",
    ),
]  # fmt: skip
BY_ID: Mapping[str, Article] = {article.id: article for article in ARTICLES}


def seen() -> list[Event]:
    """What the bundle learned from: beside knee nap was followed thrice and sleep once; ankle five
    times, but beside sleep.
    """
    events: list[Event] = []
    for number, clicked in enumerate(["nap", "nap", "nap", "sleep"]):
        name = f"old{number}"
        events += [view(name, "knee", *SHOWN, day=1), click(name, clicked, day=1)]
    for number in range(5):
        name = f"older{number}"
        events += [view(name, "sleep", "ankle", "nap", day=1), click(name, "ankle", day=1)]
    return events


@cache
def bundle() -> Bundle:
    """Made once; text decides, and a pair's own clicks."""
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)
    return built(Path(folder.name), ARTICLES, seen())


@cache
def silent_bundle() -> Bundle:
    """The same site before anybody followed anything."""
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)
    return built(Path(folder.name), ARTICLES)


def follow(
    source: str,
    clicked: str,
    n: int,
    *,
    shown: Sequence[str] = SHOWN,
    day: float = JUDGED,
    **more: object,
) -> list[Event]:
    """``n`` views of a list, each by another reader, who follows the same link."""
    events: list[Event] = []
    for number in range(n):
        name = f"{source}-{clicked}-{day}-{number}"
        events += [view(name, source, *shown, day=day, **more), click(name, clicked, day=day)]
    return events


def log_of(events: Sequence[Event]) -> Impressions:
    """As the store gives them back."""
    with Store("sqlite://") as store:
        store.add_events(events)
        return read(store)


def case(events: Sequence[Event], *, silent: bool = False, with_articles: bool = True) -> Case:
    """To be judged, with or without the articles at hand."""
    made = silent_bundle() if silent else bundle()
    return case_of(made, log_of(events), BY_ID if with_articles else None)
