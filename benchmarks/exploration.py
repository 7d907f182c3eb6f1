"""What slates that explore cost, what they try, and whether the next bundle can be judged by them.

On the sample site, whose readers' taste is stated, for a row of bundles: each learns from days on
which readers are shown the lists of the one before it, a variant drawn for every view.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.corpus import REAL, table
from benchmarks.offpolicy import in_turn, lists_of, pages_in, truth_of
from recommender.articles.reader import read_articles
from recommender.bundle.bundle import Bundle
from recommender.candidates import EMPTY
from recommender.demo import readers
from recommender.demo.prepare import SEED
from recommender.demo.readers import examination
from recommender.evaluation import offpolicy
from recommender.events.slate_token import N_VARIANTS
from recommender.lists.exploration import DEPTH
from recommender.store import impressions
from recommender.store.database import Store
from recommender.training.pipeline import build

LENGTHS = range(3, DEPTH + 1)
# Ways in which appeal may fall with the place in a list, the first being 0. Made up: from steep to
# flat.
FALLS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as 1 / place": lambda place: 1 / (place + 1),
    "as 1 / square root of place": lambda place: (place + 1) ** -0.5,
    "by a tenth a place": lambda place: 0.9**place,
    "by a fifth a place": lambda place: 0.8**place,
    "evenly, to nothing at 30": lambda place: 1 - place / 30,
}


def run(a_day: int = 1_000, n_days: int = 10) -> None:
    """Print what exploring costs, and the share of the next bundle's places without support."""
    lost, judged = [], []
    for start in ("texts", "hand-picked lists"):
        with tempfile.TemporaryDirectory() as folder, Store(f"sqlite:///{folder}/site.db") as store:
            pages, day = pages_in(store), 0
            if start == "hand-picked lists":
                picked = {page.id: page.recommended for page in store.articles() if not page.stub}
                store.add_events(readers.visits(picked, seed=SEED))
                day = readers.DAYS
            turns = in_turn(store, Path(folder), pages, a_day=a_day, n_days=n_days, day=day)
            for number, (served, candidate) in zip(range(3), turns, strict=False):
                name = f"from {start}, bundle {'ABC'[number]}"
                lost += costs(name, served)
                judged.append(_judged(name, store, served, candidate, pages))
    if (REAL / "va").is_dir():
        lost += elsewhere(REAL / "va")
    table(("by links asked for", *map(str, LENGTHS)), lost)
    head = (
        "the log of", "places of the next bundle without support", "links shown nowhere",
        "effective views", "clicks a view it would win", "the same, estimated",
    )  # fmt: skip
    table(head, judged)


def _judged(
    name: str, store: Store, served: Bundle, candidate: Bundle, pages: Sequence[str]
) -> tuple[str, ...]:
    """A row: how much of the next bundle's lists had no chance in those that were served, at its
    place and anywhere, every page counted alike; and what the log makes of them.
    """
    no_chance, nowhere = unsupported(served, candidate, pages)
    log = impressions.read(store, after=int(candidate.about.data_until_ms))
    lists = lists_of(candidate, pages)
    row = offpolicy.estimate(log, lists, k=DEPTH, model=candidate).table.loc[offpolicy.SNIPS]
    given = "{estimate:.3f} ({low:.3f} to {high:.3f})".format(**row)
    return (
        name, f"{no_chance:.0%}", f"{nowhere:.0%}", f"{row['effective sample']:,.0f}",
        f"{truth_of(lists, log):.3f}", "refused" if np.isnan(row["estimate"]) else given,
    )  # fmt: skip


def unsupported(served: Bundle, candidate: Bundle, pages: Sequence[str]) -> tuple[float, float]:
    """The share of the candidate's places whose link stands there in no variant of what was served,
    and that of its links which stand nowhere in one.
    """
    shown = [
        [[link.id for link in served.related(page, DEPTH, variant=at)] for at in range(N_VARIANTS)]
        for page in pages
    ]
    missing = [
        (
            not any(slate[place : place + 1] == [link] for slate in slates),
            not any(link in slate for slate in slates),
        )
        for slates, page in zip(shown, pages, strict=True)
        for place, link in enumerate(lists_of(candidate, [page])[page])
    ]
    no_chance, nowhere = np.mean(missing, axis=0)
    return float(no_chance), float(nowhere)


def costs(name: str, bundle: Bundle) -> list[tuple[str, ...]]:
    """Rows: expected clicks per 100 views of the best slates, what all variants lose in the mean,
    and how many links beyond the first k the exploring slates of a page show, by k.
    """
    lists = bundle.lists
    rows = np.flatnonzero(lists.stub == 0)
    ids = lists.ids.column
    appeal = np.array(
        [
            [readers.appeal(ids[row], ids[item]) if item >= 0 else 0 for item in lists.items[row]]
            for row in rows.tolist()
        ]
    )
    slates = lists.slates[rows]
    best = (appeal[:, :DEPTH] * _examined()).mean(axis=0).cumsum()
    tried = [
        np.mean([len({*slate[:, :k].ravel().tolist()} - {*range(k)}) for slate in slates])
        for k in LENGTHS
    ]
    return [
        (f"{name}: clicks a 100 views, best", *(f"{100 * best[k - 1]:.1f}" for k in LENGTHS)),
        _cost(f"{name}: lost", appeal, slates),
        (f"{name}: links tried", *(f"{each:.1f}" for each in tried)),
    ]  # fmt: skip


def _examined() -> np.ndarray:
    return np.array([examination(place) for place in range(1, DEPTH + 1)])


def elsewhere(folder: Path) -> list[tuple[str, ...]]:
    """Rows: what a site's lists by text would lose if appeal fell so, readers being those of the
    sample site.
    """
    with tempfile.TemporaryDirectory() as scratch, Store("sqlite://") as store:
        store.apply(read_articles([folder / "articles.jsonl.gz"]))
        lists = build(store, Path(scratch), now=readers.FIRST_DAY).lists
        rows = lists.stub == 0
        used, slates = lists.items[rows] != EMPTY, np.array(lists.slates[rows])
    places = np.arange(used.shape[1], dtype=np.float64)
    return [
        _cost(f"{folder.name}, appeal falls {name}: lost", used * fall(places), slates)
        for name, fall in FALLS.items()
    ]


def _cost(name: str, appeal: np.ndarray, slates: np.ndarray) -> tuple[str, ...]:
    """A row: how much less of the expected clicks all variants win than the best slates, in
    percent, by k. ``appeal`` is that of each prepared link, ``(n_pages, list_size)``.
    """
    _, share, depth = slates.shape
    best = (appeal[:, :depth] * _examined()).sum(axis=0).cumsum()
    won = np.take_along_axis(appeal[:, None], slates.astype(np.int64), axis=2) * _examined()
    explored = won.mean(axis=1).sum(axis=0).cumsum()
    lost = share / N_VARIANTS * (1 - explored / best)
    return name, *(f"{100 * lost[k - 1]:.2f}" for k in LENGTHS)
