"""Do off-policy estimates hold, where the truth is known? Many simulated logs, and the sample site
in the hands of its simulated readers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from benchmarks.corpus import table
from recommender.articles.reader import read_articles
from recommender.bundle.bundle import Bundle
from recommender.demo import readers
from recommender.demo.readers import PAGES, truth
from recommender.evaluation import offpolicy
from recommender.evaluation.offpolicy_estimators import (
    Interval,
    Matched,
    Terms,
    Weight,
    doubly_robust,
    ips,
    position_based,
    snips,
    weight_of,
)
from recommender.events.event import DAY_MS, Click, Event, Impression, PageView
from recommender.events.slate_token import N_VARIANTS
from recommender.lists.exploration import explore, slate_of
from recommender.store import impressions
from recommender.store.database import Store
from recommender.store.impressions import Impressions
from recommender.training.pipeline import Options, build

N_LOGS = 2_000
N_LINKS, N_ITEMS = 10, 14
THETA = np.arange(1, N_LINKS + 1) ** -0.7
# What a visit's mood does to its clicks: views of one visit are not independent.
MOODS = (0.4, 1.6)


@dataclass(frozen=True)
class Simulated:
    """``n_visits`` of 1.7 views in the mean, to ``n_sources`` pages, some more read than others.
    Lists explore as the product does, or, if ``shuffled``, stand in any order; the candidate is one
    of the rarer lists of each page. ``appeal`` is that of the mean link.
    """

    n_visits: int
    appeal: float = 0.06
    shuffled: bool = False
    n_sources: int = 30


SITES = {
    "explored as we do": Simulated(5_000),
    "a third of the clicks, twice the visits": Simulated(10_000, appeal=0.02),
    "three fifths of the visits": Simulated(3_000),
    "lists in any order": Simulated(3_500, shuffled=True),
}


def run() -> None:
    """Print what 2,000 logs of each site give, and the sample site's own."""
    head = (
        "estimator", "truth", "bias", "spread", "width of the intervals", "they hold the truth",
        "too low", "too high", "effective views",
    )  # fmt: skip
    for name, site in SITES.items():
        print(f"{name}\n")
        table(head, simulate(site))
    sample_site()


def simulate(site: Simulated, n_logs: int = N_LOGS) -> list[tuple[str, ...]]:
    """A row for each estimator: how its estimates and intervals do over so many logs."""
    random = np.random.default_rng(1)
    n = site.n_sources
    appeal = np.minimum(random.gamma(1.0, site.appeal, (n, N_ITEMS)), 0.6)
    slates, shares = _slates(site, random)
    n_slates = len(shares)
    chance = np.zeros((n, N_ITEMS, N_LINKS))
    for page in range(n):
        for slate in range(n_slates):
            chance[page, slates[page, slate], np.arange(N_LINKS)] += shares[slate]
    rows, places = np.arange(n), np.arange(N_LINKS)
    best = slates[rows, random.integers(1, n_slates, n)]
    read = random.dirichlet(np.full(n, 2.0))
    won = np.take_along_axis(appeal, best, axis=1)
    right = float((read[:, None] * won * THETA).sum())
    # The log without its views; articles are pages, then items.
    source = np.repeat(rows, n_slates)
    items = slates.reshape(-1, N_LINKS)
    log = Impressions(
        ids=[""] * (n + N_ITEMS), layouts=[""], source=source, layout=np.zeros_like(source),
        ordered=np.ones(len(source), dtype=bool), heads=np.arange(len(source) + 1) * N_LINKS,
        item=n + items.ravel(), propensity=chance[source[:, None], items, places].ravel(),
        slate=source, ts=source, session=source, live=source > -1,
        brought=np.zeros(n_slates * n * N_LINKS, dtype=bool), click_view=source, click_link=source,
    )  # fmt: skip
    wanted = np.full((n + N_ITEMS, N_LINKS), -1)
    wanted[:n] = n + best
    model, wrong = (np.zeros((n + N_ITEMS, N_LINKS)) for _ in range(2))
    model[:n], wrong[:n] = won, 3 * random.permutation(won.ravel()).reshape(won.shape)
    theta, flat = THETA[None], THETA[None] ** 0.4
    follow = appeal[source[:, None], items] * THETA
    found: dict[str, list[tuple[float, ...]]] = {}
    for _ in range(n_logs):
        drawn = _drawn(log, site, read, shares, follow, random)
        shown = Matched.of(drawn, wanted)
        weight = weight_of(shown)
        estimates: dict[str, tuple[Terms, Weight]] = {
            "IPS": (ips(shown), weight),
            "self-normalised IPS": (snips(shown), weight),
            "doubly robust, right model": (doubly_robust(shown, model, theta), weight),
            "doubly robust, wrong model": (doubly_robust(shown, wrong, theta), weight),
            "position-based, right examination": position_based(shown, theta),
            "position-based, wrong examination": position_based(shown, flat),
        }
        for name, (terms, rests) in estimates.items():
            each = terms.interval(drawn, least=0.0)
            found.setdefault(name, []).append((each.value, each.low, each.high, rests.effective))
    return [_judged(name, np.array(values), right) for name, values in found.items()]


def _judged(name: str, values: np.ndarray, right: float) -> tuple[str, ...]:
    value, low, high, effective = values.T
    below, above = (high < right).mean(), (low > right).mean()
    return (
        name, f"{right:.4f}", f"{value.mean() / right - 1:+.1%}", f"{value.std():.4f}",
        f"{(high - low).mean():.4f}", f"{1 - below - above:.1%}", f"{below:.1%}", f"{above:.1%}",
        f"{effective.mean():,.0f}, at least {effective.min():,.0f}",
    )  # fmt: skip


def _slates(site: Simulated, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The slates of each page, ``(n_sources, n_slates, N_LINKS)``, and how often each is shown."""
    n = site.n_sources
    if site.shuffled:
        orders = np.tile(np.arange(N_LINKS), (n, 40, 1))
        return random.permuted(orders, axis=2), np.full(40, 1 / 40)
    items = np.tile(np.arange(N_ITEMS), (n, 1))
    explored = explore(items, np.full(n, N_ITEMS), np.zeros(n, dtype=bool), seed=1)
    first = np.tile(np.arange(N_LINKS), (n, 1, 1))
    n_explored = explored.shape[1]
    shares = np.array([N_VARIANTS - n_explored, *[1] * n_explored]) / N_VARIANTS
    return np.concatenate([first, explored.astype(np.int64)], axis=1), shares


def _drawn(
    log: Impressions, site: Simulated, read: np.ndarray, shares: np.ndarray, follow: np.ndarray,
    random: np.random.Generator,
) -> Impressions:  # fmt: skip
    sizes = random.geometric(0.6, site.n_visits)
    session = np.repeat(np.arange(site.n_visits), sizes)
    n_views = len(session)
    page = random.choice(len(read), n_views, p=read)
    slate = page * len(shares) + random.choice(len(shares), n_views, p=shares)
    mood = np.where(random.random(site.n_visits) < 0.5, *MOODS)[session]
    view, place = np.nonzero(random.random((n_views, N_LINKS)) < follow[slate] * mood[:, None])
    return replace(
        log, slate=slate, ts=session, session=session, click_view=view,
        click_link=slate[view] * N_LINKS + place,
    )  # fmt: skip


# The sample site


def sample_site(a_day: int = 1_000, n_days: int = 10) -> None:
    """The editors' links in another order, estimated from shuffled lists; and bundles B and C,
    each learned from ten days of the one before it and estimated from the ten days after these,
    in which nobody saw them. Beside each what it wins by the readers' stated taste.
    """
    rows = _reordered()
    with tempfile.TemporaryDirectory() as folder, Store(f"sqlite:///{folder}/site.db") as store:
        pages = pages_in(store)
        turns = in_turn(store, Path(folder), pages, a_day=a_day, n_days=n_days)
        for name, (served, candidate) in zip("BC", turns, strict=False):
            rows += _beside(store, name, served, candidate, pages)
    table(
        (
            "bundle",
            "truth",
            "estimator",
            "clicks a view",
            "effective views",
            "unsupported",
            "summary",
        ),
        rows,
    )


def pages_in(store: Store) -> list[str]:
    """The sample site's pages, stored."""
    store.apply(read_articles([PAGES]))
    return sorted(page.id for page in store.articles() if not page.stub)


def in_turn(
    store: Store, folder: Path, pages: Sequence[str], *, a_day: int, n_days: int, day: int = 0
) -> Iterator[tuple[Bundle, Bundle]]:
    """Bundles, each beside the one that learned from ``n_days`` of its views, as soon as the store
    holds as many days more, which neither has seen. The first is built on ``day``, from what the
    store holds.
    """
    served = _built(store, folder, day)
    while True:
        store.add_events(days_of(served, pages, range(day, day + n_days), a_day))
        candidate = _built(store, folder, day + n_days)
        store.add_events(days_of(served, pages, range(day + n_days, day + 2 * n_days), a_day))
        yield served, candidate
        served, day = candidate, day + 2 * n_days


def _reordered(name: str = "editors' links, turned by clicks") -> list[tuple[str, ...]]:
    """The editors' links in a learned order, judged by later readers, a fifth of whom saw these
    links in any order.
    """
    with tempfile.TemporaryDirectory() as folder, Store(f"sqlite:///{folder}/site.db") as store:
        store.apply(read_articles([PAGES]))
        picked = {page.id: page.recommended for page in store.articles() if not page.stub}
        store.add_events(readers.visits(picked, seed=1, days=20))
        bundle = _built(store, Path(folder), 20)
        there = {id: list(dict.fromkeys(links)) for id, links in picked.items()}
        scores = bundle.score_many([*there], [*there.values()])
        lists = {
            id: [links[at] for at in np.argsort(-score, kind="stable")]
            for (id, links), score in zip(there.items(), scores, strict=True)
        }
        later = list(readers.visits(picked, seed=7, days=20))
        store.add_events(_later(event, days=30) for event in later)
        log = impressions.read(store, after=int(bundle.about.data_until_ms))
        log = log.views_of(log.randomised)
        return _rows(name, log, lists, bundle, truth_of(picked, log))


def _later(event: Event, *, days: int) -> Event:
    assert not isinstance(event, PageView)
    return event._replace(ts=event.ts + days * DAY_MS, view_id=f"later-{event.view_id}")


def _built(store: Store, folder: Path, day: int) -> Bundle:
    moment = readers.FIRST_DAY + timedelta(days=day)
    return build(store, folder / "models", now=moment, options=Options(activate=False))


def days_of(
    bundle: Bundle, pages: Sequence[str], days: Sequence[int], a_day: int
) -> Iterator[Event]:
    """The log of days on which readers are shown a bundle's lists, a variant drawn each time."""
    interest = np.array([truth()[page].interest for page in pages])
    start = int(readers.FIRST_DAY.timestamp()) * 1000
    for day in days:
        random = np.random.default_rng([1, day])
        opened = random.choice(len(pages), size=a_day, p=interest / interest.sum())
        for visit, first in enumerate(opened.tolist()):
            page: str | None = pages[first]
            ts = start + 1000 * (day * readers.DAY_SECONDS + int(random.integers(80_000)))
            n_views = 0
            while page is not None:
                shown, chances = _slate(bundle, page, int(random.integers(N_VARIANTS)))
                name = f"{day}-{visit}-{n_views}"
                n_views += 1
                yield Impression(
                    name, ts, page, shown, session_id=f"{day}-{visit}", layout="bottom",
                    list=bundle.name, propensities=chances,
                )  # fmt: skip
                links = readers.followed(page, shown, random)
                for link in links:
                    ts += readers.pause(random)
                    yield Click(name, ts, link)
                page = readers.next_page(links, random)
                page = page if page in truth() else None


def _slate(bundle: Bundle, page: str, variant: int) -> tuple[tuple[str, ...], tuple[float, ...]]:
    lists, row = bundle.lists, bundle.lists.row(page)
    assert row is not None
    shown = tuple(link.id for link in bundle.related(page, N_LINKS, variant=variant))
    chances = lists.chances_of(row, slate_of(variant, lists.share))[: len(shown)]
    chances += [N_VARIANTS] * (len(shown) - len(chances))
    return shown, tuple(chance / N_VARIANTS for chance in chances)


def _beside(
    store: Store, name: str, served: Bundle, candidate: Bundle, pages: Sequence[str]
) -> list[tuple[str, ...]]:
    """Estimates of a candidate, and what was shown, beside the truth."""
    log = impressions.read(store, after=int(candidate.about.data_until_ms))
    was = truth_of(lists_of(served, pages), log)
    return _rows(name, log, lists_of(candidate, pages), candidate, was)


def _rows(
    name: str, log: Impressions, lists: Mapping[str, Sequence[str]], model: Bundle, was: float
) -> list[tuple[str, ...]]:
    found = offpolicy.estimate(log, lists, k=N_LINKS, model=model)
    right = truth_of(lists, log)
    rows: list[tuple[str, ...]] = [
        (f"{name}: before", f"{was:.3f}", "counted", _written(found.logged), "", "", "")
    ]
    for estimator, row in found.table.iterrows():
        given = not np.isnan(row["estimate"])
        written = _written(Interval(row["estimate"], row["low"], row["high"])) if given else ""
        rows.append(
            (name, f"{right:.3f}", str(estimator), written, f"{row['effective sample']:,.0f}",
             f"{row['unsupported']:.0%}", row["summary"])
        )  # fmt: skip
    return rows


def lists_of(bundle: Bundle, pages: Sequence[str]) -> dict[str, list[str]]:
    return {page: [link.id for link in bundle.related(page, N_LINKS)] for page in pages}


def truth_of(lists: Mapping[str, Sequence[str]], log: Impressions) -> float:
    """Expected clicks a view of the lists, beside the log's pages."""
    times = np.bincount(log.source[log.slate], minlength=len(log.ids))
    won = sum(
        times[at] * readers.expected_clicks(log.ids[at], lists[log.ids[at]])
        for at in np.flatnonzero(times)
    )
    return float(won / times.sum())


def _written(found: Interval) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
