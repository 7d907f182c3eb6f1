"""What a training costs after a hundredth of the articles changed, or a day of clicks came: beside
a full one of the same state, in processes of their own, one after the other in each round. How far
the lists are those of the full one stands beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from benchmarks.corpus import stored, table
from recommender.articles.batch import Batch
from recommender.demo.prepare import sample_site
from recommender.store.database import Store

ROUNDS = 3 if os.environ.get("FULL") else 1
DAY_MS = 86_400_000
# One page in so many is rewritten.
EVERY = 100
# Prints the bundle's name, processor seconds of the process, imports included, and what each stage
# took of them.
TRAIN = """
import json, re, resource, sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from recommender.progress import Silent
from recommender.store.database import Store
from recommender.training.pipeline import Options, build
from recommender.training.shelf import Shelf
from recommender.training.work import Work

url, models, shelf, until = sys.argv[1:]

class Noted(Silent):
    def __init__(self):
        self.name, self.used, self.stages = "imports", 0.0, Counter()
    def stage(self, name, total=None):
        used = processor()
        self.stages[self.name] += used - self.used
        self.name, self.used = name, used

def processor():
    own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime

noted = Noted()
with Store(url, create=False) as store:
    now = datetime.fromtimestamp(int(until) / 1000, UTC)
    made = build(
        store, Path(models), now=now, options=Options(jobs=1), progress=noted,
        work=Work(Shelf(shelf), 1),
    )
noted.stage("")
# Not ru_maxrss, which a new process takes over from its parent.
status = Path("/proc/self/status").read_text()
most = int(re.search("VmHWM: *\\t*(.*) kB", status)[1]) / 1024
print(json.dumps([made.name, processor(), noted.stages, most]))
"""


class Trained(NamedTuple):
    """The name of a bundle, the processor seconds it took, those of each stage, and the most memory
    in MB.
    """

    name: str
    seconds: float
    stages: dict[str, float]
    most: float


def run() -> None:
    """Print a table for each of the sites there are."""
    with TemporaryDirectory() as folder:
        url = sample_site(Path(folder) / "site").database
        shown("sample, a day of clicks more", url, url, since=1)
    with medquad() as (before, after):
        if after:
            shown(f"medquad, one page in {EVERY} rewritten", before, after)
    if os.environ.get("FULL"):
        with stored("wikispeedia") as url:
            if url:
                shown("wikispeedia, a day of clicks more", url, url, since=1)


def shown(name: str, before: str, after: str, *, since: int = 0) -> None:
    """Train on the store at ``before`` as it was so many days ``since``, then on that at ``after``:
    on top of it, and in full.
    """
    until = last_moment(after)
    again, whole, same = [], [], []
    for _ in range(ROUNDS):
        with TemporaryDirectory() as folder:
            models, shelf = Path(folder) / "models", f"{folder}/work"
            trained(before, models, shelf, until - since * DAY_MS)
            again.append(trained(after, models, shelf, until))
            whole.append(trained(after, Path(folder) / "full", f"{folder}/other", until))
            same.append(in_common(models / again[-1].name, Path(folder) / "full" / whole[-1].name))
    print(f"{name}; {ROUNDS} rounds, load of the machine {os.getloadavg()[0]:.1f}\n")
    stages = [*dict.fromkeys(stage for each in (*whole, *again) for stage in each.stages)]
    rows = []
    for stage in stages:
        full, part = (median(e.stages.get(stage, 0.0) for e in of) for of in (whole, again))
        rows.append((stage, f"{full:.2f}", f"{part:.2f}", ""))
    full, part = (median(each.seconds for each in of) for of in (whole, again))
    rows.append(("whole", f"{full:.2f}", f"{part:.2f}", f"{part / full:.2f}"))
    most, least = (median(each.most for each in of) for of in (whole, again))
    rows.append(("most MB", f"{most:.0f}", f"{least:.0f}", ""))
    table(("processor seconds", "in full", "again", "ratio"), rows)
    links, first = np.median(same, axis=0)
    print(
        f"\nof the links of a full training {links:.1%} are the same, of first ones {first:.1%}\n"
    )


def trained(url: str, models: Path, shelf: str, until: int) -> Trained:
    """A training in a process of its own, of what came up to ``until``."""
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, url, str(models), shelf, str(until)],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return Trained(*json.loads(done.stdout))


def in_common(one: Path, other: Path) -> tuple[float, float]:
    """The share of the first ten links of the lists of ``other`` that are in those of ``one``, and
    of the first ones.
    """
    ours, theirs = (np.load(each / "lists_items.npy")[:, :10] for each in (one, other))
    listed = theirs >= 0
    found = (theirs[:, :, None] == ours[:, None, :]).any(axis=2)
    return float(found[listed].mean()), float((ours[:, 0] == theirs[:, 0]).mean())


def last_moment(url: str) -> int:
    """An hour after the last view of a store, or a day of 2026 where there is none."""
    import sqlalchemy as sql

    with Store(url, create=False) as store, store.reading() as connection:
        found = connection.scalar(sql.text("SELECT MAX(ts) FROM views"))
    return int(found) + 3_600_000 if found else 1_796_000_000_000


@contextmanager
def medquad() -> Iterator[tuple[str, str]]:
    """Its store, and another where one page in ``EVERY`` goes on as the page before it does."""
    with stored("medquad") as before:
        if not before:
            yield "", ""
            return
        with TemporaryDirectory() as folder:
            after = f"sqlite:///{folder}/store.db"
            with Store(before, create=False) as store:
                pages = store.articles()
            for at in range(EVERY // 2, len(pages), EVERY):
                own, other = (pages[row].body for row in (at, at - 1))
                body = own[: len(own) // 2] + other[len(other) // 2 :]
                pages[at] = replace(pages[at], body=f"Revised. {body}")
            with Store(after) as store:
                store.apply(Batch({page.id: page for page in pages}), full=True)
            yield before, after
