"""An experiment on the sample site: half of its simulated readers see the hand-picked lists, half
those of the live bundle, as a server would show them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from recommender.bundle import experiments, registry
from recommender.bundle.bundle import Bundle
from recommender.bundle.mixture import Asked, Mixture
from recommender.demo import readers
from recommender.events.event import Click, Event, Impression
from recommender.events.slate_token import N_VARIANTS
from recommender.experiments.freezing import Wanted, plan
from recommender.experiments.readout import read_out
from recommender.lists.arms import Experiment
from recommender.store.database import Store
from recommender.training.pipeline import Options

NAME = "autumn"
ARMS = (Wanted("old", "hand-picked"), Wanted("new", "live"))
LAYOUT, N_SHOWN = "bottom", 10


def run(
    store: Store, models: Path, *, start: datetime, days: int, a_day: int, seed: int
) -> Experiment:
    """Start it, log so many visits a day, stop it, and keep what came of it beside the bundles."""
    options = Options(seed=seed)
    planned = plan(NAME, ARMS, store=store, models=models, now=start, options=options)
    experiments.begin(models, planned)
    bundles = [Bundle(registry.inside(models, arm.bundle)) for arm in planned.arms]
    mixture = Mixture(planned, [bundle.lists for bundle in bundles], [])
    store.add_events(visits(mixture, start=start, days=days, a_day=a_day, seed=seed))
    ended = experiments.end(models, now=start + timedelta(days=days))
    found = read_out(store, ended, now=start + timedelta(days=days), models=models)
    path = experiments.folder_of(models, NAME) / experiments.READOUT
    registry.replace_file(path, found.to_json())
    return ended


def visits(
    mixture: Mixture, *, start: datetime, days: int, a_day: int, seed: int
) -> Iterator[Event]:
    """Impressions and clicks in order of time; every view draws a variant of its own."""
    random = np.random.default_rng(seed)
    rows = {id: found for id in readers.truth() if (found := mixture.rows(id)) is not None}
    pages, asked = sorted(rows), Asked(N_SHOWN, start)
    interest = np.array([readers.truth()[id].interest for id in pages])
    chances = {id: mixture.hundredths(rows[id], asked) for id in pages}
    sent = {
        id: {each: mixture.sent(rows[id], each, asked, chances[id]) for each in mixture.shows}
        for id in pages
    }
    bundle_of = [arm.bundle for arm in mixture.experiment.arms]
    for number in range(days * a_day):
        day, second = divmod(int(readers.DAY_SECONDS * number / a_day), readers.DAY_SECONDS)
        ts = int((start + timedelta(days=day, seconds=second)).timestamp() * 1000)
        page: str | None = pages[int(random.choice(len(pages), p=interest / interest.sum()))]
        view = 0
        while page in sent:
            view += 1
            name = f"{NAME}{number}-{view}"
            drawn = mixture.by_variant[int(random.integers(N_VARIANTS))]
            slate, shelf = sent[page][drawn], mixture.shelves[drawn.arm]
            shown = tuple(shelf.id_of(each.row) for each in slate.placed)
            yield Impression(
                name, ts, page, shown, session_id=f"{NAME}{number}", layout=LAYOUT,
                list=bundle_of[drawn.arm], arm=slate.label, propensities=tuple(slate.chances),
            )  # fmt: skip
            links = readers.followed(page, shown, random, LAYOUT)
            for link in links:
                ts += readers.pause(random)
                yield Click(name, ts, link)
            page = readers.next_page(links, random)
