"""How well examination by position is recovered from simulated logs whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.corpus import table
from recommender.clicks.choice_model import exposures_in, fit, pairs_in
from recommender.clicks.intervention_harvesting import MAX_POSITION, refused
from recommender.clicks.position_bias import Examination, estimate, unidentified
from recommender.lists.exploration import explore
from recommender.ranking.cross_fitting import N_FOLDS
from recommender.store.counts import Log

N_LOGS = 200
N_LINKS = 10
# Two layouts that are read differently: a list down the side, and tiles at the end of a page,
# of which the second row is hardly examined.
PLACES = np.arange(1, N_LINKS + 1)
TRUTH = {
    "side": PLACES**-0.7,
    "end": np.where(PLACES <= 5, 1.05 ** (1 - PLACES), 0.45 * 0.97 ** (PLACES - 6)),
}
LAYOUTS = tuple(TRUTH)


@dataclass(frozen=True)
class Site:
    """``n_sources`` pages whose readers see ``views`` lists a day in each layout.

    Of these ``share`` are randomised: ``moves`` states whether all of a list is shuffled,
    neighbours change places, or any two, or slates explore as ours do, with candidates from
    further down. The others stand in any order, or the best link first, or, if the site is
    ``rebuilt`` every night, by the clicks so far. ``drift`` is by how much a link's appeal changes
    from one day to the next.
    """

    n_sources: int = 60
    n_days: int = 20
    views: float = 60
    share: float = 0.2
    moves: str = "all"
    best_first: bool = True
    rebuilt: bool = False
    drift: float = 0.0
    n_items: int = N_LINKS


# And how many logs are simulated of each.
SITES = {
    "lists stay, a fifth of the views shuffled": (Site(), N_LOGS),
    "rebuilt every night, a fifth shuffled": (Site(rebuilt=True, n_items=20), N_LOGS),
    "the same, and tastes drift": (Site(rebuilt=True, n_items=20, drift=0.15), 50),
    "lists stay, a tenth of the readers": (Site(views=6), 50),
    "lists stay, neighbours swapped in a fifth": (Site(moves="neighbours"), 50),
    "lists stay, any two swapped in a fifth": (Site(moves="any two"), 50),
    # Half the views, for as many clicks: the best ten of thirty links win more than ten do.
    "lists stay, explored as we do": (
        Site(moves="as we do", n_items=30, views=33),
        50,
    ),
    "rebuilt every night, nothing randomised": (Site(rebuilt=True, n_items=20, share=0.0), 20),
    "lists stay, nothing randomised": (Site(share=0.0), 20),
}
# Sites to learn lists of six from; ten links in any order, or the first ten of twenty.
TO_LEARN = {
    f"{name}, {times} views of each list a day": replace(site, views=times / 2)
    for name, site in (
        ("any order, a fifth shuffled", Site(best_first=False)),
        ("rebuilt every night, a fifth shuffled", Site(rebuilt=True, best_first=False, n_items=20)),
    )
    for times in (4, 40)
}
N_DRAWN = 6


def simulate(
    site: Site, seed: int, truths: Mapping[str, np.ndarray] = TRUTH
) -> tuple[Log, np.ndarray, np.ndarray]:
    """The log of such a site, its lists named after a bundle a day if it is rebuilt; how many
    clicks each position of each layout had in views that were drawn; and what appeals.

    Each day has, beside a source in a layout, one list in its best order and six that are drawn.
    """
    random = np.random.default_rng(seed)
    appeal = np.minimum(random.gamma(1.0, 0.06, (site.n_sources, site.n_items)), 0.6)
    if site.best_first:
        appeal = -np.sort(-appeal, axis=1)
    start = np.tile(np.arange(site.n_items), (site.n_sources, 1))
    slates = _explored(site, seed)
    followed, due = np.zeros_like(appeal), np.zeros_like(appeal)
    sources = np.arange(site.n_sources)
    rows: list[tuple[np.ndarray, ...]] = []
    by_lot = np.zeros((len(TRUTH), N_LINKS), dtype=np.int64)
    for day in range(site.n_days):
        if site.drift:
            appeal = np.clip(appeal * np.exp(random.normal(0, site.drift, appeal.shape)), 1e-3, 0.6)
        rate = (followed + 2) / (due + 2 / 0.06)
        best = np.argsort(-rate, axis=1, kind="stable") if site.rebuilt else start
        best = best[:, :N_LINKS]
        for layout, truth in enumerate(truths.values()):
            n_views = random.poisson(site.views, site.n_sources)
            n_drawn = random.binomial(n_views, site.share)
            for at in range(1 + N_DRAWN):
                items = best
                if at and site.moves == "as we do":
                    items = slates[:, int(random.integers(slates.shape[1]))]
                elif at:
                    items = _drawn(best, site, random)
                views = (n_drawn + at - 1) // N_DRAWN if at else n_views - n_drawn
                clicks = random.binomial(
                    views[:, None], truth * np.take_along_axis(appeal, items, axis=1)
                )
                by_lot[layout] += clicks.sum(axis=0) * (at > 0)
                np.add.at(followed, (sources[:, None], items), clicks)
                np.add.at(due, (sources[:, None], items), views[:, None] * truth)
                chances = _chances(best, items, site)
                if not at and not site.rebuilt:
                    chances = np.full_like(chances, np.nan)
                whole = np.full_like(sources, 0)
                rows.append((sources, whole + layout, whole + day, views, items, chances, clicks))
    columns = (np.concatenate(column) for column in zip(*rows, strict=True))
    return _log(*columns, rebuilt=site.rebuilt), by_lot, appeal


def run() -> None:
    """Print what is recovered of each site, and what it is good for."""
    rows = [_judged(name, site, n_logs) for name, (site, n_logs) in SITES.items()]
    head = (
        "site", "clicks a log", "curves found", "intervals that hold the truth", "the worst",
        "mean error", "largest bias", "within 10 %, 500 clicks randomised",
        "error by chance weights",
    )  # fmt: skip
    table(head, rows)
    print()
    table(
        ("true appeal of the top six", "estimated", "known", "taken for even"),
        [_top(name, site) for name, site in TO_LEARN.items()],
    )


def _top(name: str, site: Site, n_logs: int = 20) -> tuple[str, ...]:
    """A row: the true appeal of the six links that counting puts on top, learned with examination
    estimated, known, and taken for even, beside learning where readers examine all places alike.
    """
    even = {where: np.full(N_LINKS, truth.mean()) for where, truth in TRUTH.items()}
    nothing = unidentified("")
    curves = {where: replace(refused(""), chance=_padded(TRUTH[where])) for where in TRUTH}
    known = replace(nothing, layouts=curves)
    shares = []
    for seed in range(n_logs):
        log, _, appeal = simulate(site, seed)
        unbiased, _, as_well = simulate(site, seed, even)
        most = _won(unbiased, nothing, as_well)
        for_each = (estimate(log, seed=seed), known, nothing)
        shares.append([_won(log, examination, appeal) / most for examination in for_each])
    return name, *(f"{share:.1%}" for share in np.mean(shares, axis=0))


def _padded(truth: np.ndarray) -> np.ndarray:
    return np.concatenate([[1.0], truth, np.full(MAX_POSITION - N_LINKS, truth[-1])])


def _won(log: Log, examination: Examination, appeal: np.ndarray) -> float:
    """The true appeal of the six best of each source, by counting."""
    n = int(log.item.max()) + 1
    pairs, of_link = pairs_in(log, n_articles=n)
    shown = exposures_in(log, pairs, of_link, examination.of(log))
    even = np.zeros(len(shown.pair))
    counted = fit(shown.weighed(even), even, pairs, np.full(n, -1), shown.pair % N_FOLDS)
    score = np.log(counted.strength[pairs.item]) + counted.lift(np.arange(len(pairs.item)))
    order = np.lexsort((-score, pairs.source))
    rank = np.arange(len(order)) - pairs.heads[pairs.source[order]]
    best = order[rank < 6]
    return float(appeal[pairs.source[best], pairs.item[best] % 1000].sum())


def _judged(name: str, site: Site, n_logs: int) -> tuple[str, ...]:
    """A row: over logs, layouts and the positions from 2 on."""
    errors, holds, weighted, safe, clicks = [], [], [], [], 0
    for seed in range(n_logs):
        log, by_lot, _ = simulate(site, seed)
        clicks += int(log.n_clicks.sum())
        found = estimate(log, seed=seed)
        for layout, (where, truth) in enumerate(TRUTH.items()):
            curve = found.curve(where)
            if not curve.identified:
                continue
            error = np.log(curve.chance[PLACES] / truth)
            errors.append(error[1:])
            holds.append(((curve.low[PLACES] <= truth) & (curve.high[PLACES] >= truth))[1:])
            enough = (by_lot[layout] >= 500)[1:]
            safe.append(np.where(enough, np.abs(np.expm1(error[1:])) <= 0.1, np.nan))
            if site.rebuilt and site.share:
                weighted.append(np.log(_by_chance(log, layout) / truth)[1:])
    found_share = f"{len(errors) / (n_logs * len(TRUTH)):.0%}"
    if not errors:
        return name, f"{clicks / n_logs:,.0f}", found_share, *[""] * 6
    held, within = np.mean(holds, axis=0), np.array(safe)
    return (
        name, f"{clicks / n_logs:,.0f}", found_share, f"{held.mean():.1%}", f"{held.min():.1%}",
        f"{np.abs(errors).mean():.3f}", f"{np.abs(np.mean(errors, axis=0)).max():.3f}",
        f"{np.nanmean(within):.1%}" if np.isfinite(within).any() else "",
        f"{np.abs(weighted).mean():.3f}" if weighted else "",
    )  # fmt: skip


def _by_chance(log: Log, layout: int) -> np.ndarray:
    """Clicks over the chance of their place, position by position, beside the first."""
    _, clicked = log.shown_and_clicked()
    inside = log.layout[log.link_slate] == layout
    weighted = np.bincount(
        log.position[inside], weights=(clicked / log.propensity)[inside], minlength=N_LINKS + 1
    )
    return weighted[PLACES] / weighted[1]


def _explored(site: Site, seed: int) -> np.ndarray:
    """The product's slates of lists that stay, ``(n_sources, n_slates, N_LINKS)``."""
    n = site.n_sources + site.n_items
    relevant, sensitive = np.full(n, site.n_items), np.zeros(n, dtype=bool)
    items = np.tile(np.arange(site.n_items), (n, 1))
    return explore(items, relevant, sensitive, seed=seed)[: site.n_sources].astype(np.int64)


def _drawn(best: np.ndarray, site: Site, random: np.random.Generator) -> np.ndarray:
    if site.moves == "all":
        return random.permuted(best, axis=1)
    found, places = best.copy(), np.arange(N_LINKS)
    if site.moves == "any two":
        places = random.permutation(places)
    for at in range(int(random.integers(2)), N_LINKS - 1, 2):
        swap = random.random(len(best)) < 0.5
        pair = places[at : at + 2]
        found[np.ix_(swap, pair)] = found[np.ix_(swap, pair[::-1])]
    return found


def _chances(best: np.ndarray, items: np.ndarray, site: Site) -> np.ndarray:
    """The chance of each of ``items`` at its place; of swaps only that it is below 1."""
    if site.moves == "all":
        return (1 - site.share) * (items == best) + site.share / N_LINKS
    return np.full(items.shape, 0.5)


def _log(
    source: np.ndarray, layout: np.ndarray, day: np.ndarray, views: np.ndarray,
    items: np.ndarray, chances: np.ndarray, clicks: np.ndarray, *, rebuilt: bool,
) -> Log:  # fmt: skip
    """The rows as counted: slates that were seen, those of one order once each."""
    seen = views > 0
    source, layout, day, views = source[seen], layout[seen], day[seen], views[seen]
    items, chances, clicks = items[seen], chances[seen], clicks[seen]
    listed = day if rebuilt else np.zeros_like(day)
    content = np.column_stack([source, layout, listed, np.isnan(chances[:, 0]), items])
    # One number for each content, all but surely.
    number = content @ np.random.default_rng(0).integers(1, 1 << 40, content.shape[1])
    _, first, slate = np.unique(number, return_index=True, return_inverse=True)
    n, item = len(first), source[:, None] * 1000 + 1000 + items
    names = tuple(f"20260101-{day:06}-aaaaaa" for day in range(int(day.max()) + 1))
    values = dict.fromkeys(Log.__dataclass_fields__, np.zeros(0, dtype=np.int64))
    values |= {
        "first_ts": None,
        "last_ts": None,
        "source": source[first],
        "layout": layout[first],
        "list": listed[first],
        "layouts": LAYOUTS,
        "lists": names if rebuilt else ("hand-picked",),
        "heads": np.arange(n + 1) * N_LINKS,
        "item": item[first].ravel(),
        "position": np.tile(PLACES, n),
        "propensity": chances[first].ravel(),
        "view_day": day,
        "view_slate": slate,
        "n_views": views,
        "click_day": np.repeat(day, N_LINKS),
        "click_link": (slate[:, None] * N_LINKS + np.arange(N_LINKS)).ravel(),
        "n_clicks": clicks.ravel(),
        "n_in_sessions": clicks.ravel(),
        "clicks_per_visit": 1.0,
    }
    return Log(**values)
