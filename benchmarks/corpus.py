"""Data for benchmarks: a synthetic site of any size, and real data where it stands beside us."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from recommender.articles.reader import read_articles
from recommender.events.reader import EventReader
from recommender.store.database import Store

# Real data is not part of the project; point this at a folder that has it.
REAL = Path(os.environ.get("BENCH_DATA", Path(__file__).parents[2] / "shared" / "data"))


def synthetic(n_articles: int, *, seed: int = 0, words: int = 200) -> tuple[list[str], list[str]]:
    """Titles and bodies: common words by Zipf's law, and the words of one topic of many."""
    random = np.random.default_rng(seed)
    vocabulary = np.array([f"w{number}" for number in range(60_000)])
    chance = 1 / np.arange(1, len(vocabulary) + 1) ** 1.05
    chance /= chance.sum()
    n_topics = max(10, n_articles // 40)
    topics = random.choice(len(vocabulary), size=(n_topics, 60))
    topic = random.integers(0, n_topics, size=n_articles)
    common = random.choice(len(vocabulary), size=(n_articles, words), p=chance)
    own = np.take_along_axis(
        topics[topic], random.integers(0, 60, size=(n_articles, words // 4)), axis=1
    )
    bodies = [" ".join(vocabulary[row]) for row in np.concatenate([common, own], axis=1)]
    titles = [" ".join(vocabulary[row[:6]]) for row in own]
    return titles, bodies


@contextmanager
def stored(name: str) -> Iterator[str]:
    """The URL of a store with a real site, empty where it does not stand beside us."""
    articles, events = (REAL / name / f"{part}.jsonl.gz" for part in ("articles", "events"))
    if not articles.exists():
        print(f"No {name} at {REAL}: set BENCH_DATA to train on it.")
        yield ""
        return
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/store.db"
        with Store(url) as store:
            store.apply(read_articles([articles]))
            if events.exists():
                store.add_events(EventReader([events]))
        yield url


def timed(job: Callable[[], Any], *, repeat: int = 3) -> tuple[float, Any]:
    """Median wall seconds of a job, and what it returned."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = job()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), result


def table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print a Markdown table, row by row as they come."""
    print("| " + " | ".join(heading) + " |")
    print("|" + "---|" * len(heading))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
    print()
