"""Logs of experiments, planted: what readers of each arm follow is stated, nothing else differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import sqlalchemy as sql

from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.events.event import Click, Impression
from recommender.lists.arms import INTERLEAVED, SPLIT, Arm, Experiment
from recommender.store.database import Store

START = datetime(2026, 11, 1, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
DAY_MS = 86_400_000
PAGES = ("knee", "hip", "ankle", "sleep", "nap")
LINKS = ("a", "b", "c", "d")


def split(
    *sizes: int, share: int = 0, names: Sequence[str] = ("old", "new", "other")
) -> Experiment:
    """An experiment whose arms have so many of the hundred variants."""
    ends = np.cumsum([0, *sizes]).tolist()
    arms = tuple(
        Arm(name, "live" if at == 0 else f"b{at}", f"b{at}", ends[at], ends[at + 1] - 1)
        for at, name in enumerate(names[: len(sizes)])
    )
    return Experiment("autumn", START.isoformat(), SPLIT, 0, arms)


def interleaved() -> Experiment:
    """An experiment that shows two arms at once."""
    arms = tuple(Arm(name, name, name, 0, 99) for name in ("old", "new"))
    return Experiment("mixed", START.isoformat(), INTERLEAVED, 0, arms)


@dataclass
class View:
    """A view to be logged: ``rate`` is the chance of each link to be followed."""

    arm: str
    page: str
    day: float
    variant: int
    clicks: int
    list: str = "b0"
    session: str = ""
    links: int = 4
    layout: str = "bottom"


def store_of(
    views: Sequence[View], *, experiment: str = "autumn", store: Store | None = None
) -> Store:
    """A store that holds such views; an ``arm`` without name is outside the experiment."""
    store = store or Store("sqlite://")
    store.apply(Batch({id: Article(id=id, title=id.title()) for id in (*PAGES, *LINKS)}))
    events, drawn = [], []
    for number, view in enumerate(views):
        id, ts = f"v{number:07d}", START_MS + round(view.day * DAY_MS)
        arm = f"{experiment}/{view.arm}" if view.arm else ""
        events.append(
            Impression(id, ts, view.page, LINKS[: view.links], session_id=view.session,
                       layout=view.layout, list=view.list, arm=arm)
        )  # fmt: skip
        events += [Click(id, ts + 5_000, link) for link in LINKS[: view.clicks]]
        drawn.append({"id": id, "variant": view.variant if view.arm else None})
    if not views:
        return store
    store.add_events(events)
    with store.transaction() as connection:
        connection.execute(
            sql.text("UPDATE views SET variant = :variant, live = 1 WHERE view_id = :id"), drawn
        )
    return store


def drawn_views(
    experiment: Experiment,
    n: int,
    rate: Callable[[str, str], float],
    *,
    seed: int = 0,
    days: int = 10,
    before: int = 0,
) -> list[View]:
    """``n`` views over so many ``days``, each with a variant of its own, whose clicks are drawn by
    the ``rate`` of an arm and page; and so many ``before`` it, of arm "".
    """
    random = np.random.default_rng(seed)
    found = []
    for at in range(before):
        page = PAGES[random.integers(len(PAGES))]
        clicks = min(4, int(random.poisson(rate("", page))))
        found.append(View("", page, -before / 1_000 + at / 1_000, 0, clicks))
    for at in range(n):
        variant = int(random.integers(100))
        arm = experiment.arms[experiment.shown(variant).arm]
        page = PAGES[random.integers(len(PAGES))]
        clicks = min(4, int(random.poisson(rate(arm.name, page))))
        found.append(View(arm.name, page, days * at / n, variant, clicks, arm.bundle))
    return found
