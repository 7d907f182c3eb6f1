"""Experiments on readers whose habits are stated: how often one that shows nothing seems to, how
soon a gain is found, and how many views interleaving saves.

Readers differ a lot: a few follow much, most hardly anything, and they come back; who follows a
link reads on, and so has more views, of which each draws its own variant. Pages differ in what they
win and in the lengths of their lists, and days in how many come and what they follow. Every
experiment is looked at once a day.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from scipy.stats import norm

from benchmarks.corpus import table
from benchmarks.offpolicy import lists_of, pages_in
from recommender.clicks.gamma_poisson import fitted_weight, posterior_rate
from recommender.demo import readers
from recommender.demo.prepare import SEED
from recommender.events.slate_token import N_VARIANTS
from recommender.experiments.checks import (
    GUARD,
    GUARDRAILS,
    HARM,
    KNOWN_VISITS,
    MISMATCH,
    Drawing,
    drawing,
)
from recommender.experiments.counting import PAGES, Shares
from recommender.experiments.interleaving import preferred
from recommender.experiments.sequential import ALPHA, VIEWS, Difference, Sums, p_value
from recommender.lists.arms import INTERLEAVED, Arm, Experiment, credited, team_draft
from recommender.store.database import Store
from recommender.training.pipeline import build

N_NULL, N_POWER = 1_000, 300
DAYS, A_DAY = 28, 2_000
# Made up, within what sites have: clicks a view; how much pages and readers differ (standard
# deviation of the logarithm, shape of the gamma distribution: the smaller, the more a few readers
# do all); visits of a reader; the chance to read on after a click, and without one.
RATE, PAGE_SPREAD, HABIT, VISITS, READS_ON, STAYS = 0.15, 0.9, 0.4, 3, 0.7, 0.45
N_PAGES, VIEWS_BEFORE, MOST_STEPS = 300, 30_000, 15
GAINS = (0.03, 0.05, 0.10, 0.20)
AT_VIEWS = (5_000, 10_000, 20_000, 50_000, 100_000, 200_000)


@dataclass(frozen=True, slots=True)
class Views:
    """Views of one experiment: ``day``, ``arm``, ``clicks``, ``links`` of the list, ``known`` (what
    its page was to win, by a log of views before), ``variant``, ``visit``; ``(n_views,)`` each.
    """

    day: np.ndarray
    arm: np.ndarray
    clicks: np.ndarray
    links: np.ndarray
    known: np.ndarray
    variant: np.ndarray
    visit: np.ndarray

    def sums(self, metric: str = "view", *, adjusted: bool = True) -> Sums:
        """The sums of a click rate: per ``view``, ``list`` or ``link``."""
        y = np.minimum(self.clicks, 1) if metric == "list" else self.clicks
        z = self.links if metric == "link" else 1.0
        x = self.known if adjusted else 0.0
        shape = {"n_looks": int(self.day.max()) + 1, "n_arms": int(self.arm.max()) + 1}
        return Sums.of(self.day, self.arm, y, z, x, **shape)

    def by_visits(self) -> Sums:
        """The sums of visits in each arm, in the place of views."""
        n_arms = int(self.arm.max()) + 1
        keys, at = np.unique(self.visit * n_arms + self.arm, return_inverse=True)
        y, z = np.bincount(at, weights=self.clicks), np.bincount(at)
        day = np.full(len(keys), self.day.max())
        np.minimum.at(day, at, self.day)
        return Sums.of(day, keys % n_arms, y, z, n_looks=int(self.day.max()) + 1, n_arms=n_arms)


def simulated(
    seed: int,
    *,
    gains: Sequence[float] = (0.0, 0.0),
    sizes: Sequence[int] = (50, 50),
    days: int = DAYS,
    a_day: int = A_DAY,
    per_visit: bool = False,
) -> Views:
    """One experiment: arms have so many of the hundred variants (``sizes``), and readers follow
    their links so much more often (``gains``). ``per_visit``: a visit keeps its variant.
    """
    random = np.random.default_rng(seed)
    arm_of = np.repeat(np.arange(len(sizes)), sizes)
    factor = 1 + np.array(gains)
    page_rate = np.exp(random.normal(0, PAGE_SPREAD, N_PAGES))
    popular = random.permutation(1 / np.arange(1, N_PAGES + 1))
    popular /= popular.sum()
    page_rate *= RATE / (page_rate * popular).sum()
    links = random.integers(3, 11, N_PAGES)
    known = _known_before(random, page_rate, popular)
    # About 1.9 views a visit; weekends have fewer, and everything drifts.
    by_day = random.poisson(a_day / 1.75 * (1 - 0.3 * (np.arange(days) % 7 > 4)))
    drift = np.exp(np.cumsum(random.normal(0, 0.05, days)))
    day = np.repeat(np.arange(days), by_day)
    n_visits = len(day)
    habit = random.gamma(HABIT, 1 / HABIT, max(1, n_visits // VISITS))
    of_visit = habit[random.integers(0, len(habit), n_visits)]
    kept = random.integers(0, N_VARIANTS, n_visits)
    visit, parts = np.arange(n_visits), []
    for _ in range(MOST_STEPS):
        page = random.choice(N_PAGES, size=len(visit), p=popular)
        variant = kept[visit] if per_visit else random.integers(0, N_VARIANTS, len(visit))
        arm = arm_of[variant]
        rate = of_visit[visit] * page_rate[page] * drift[day[visit]] * factor[arm]
        clicks = np.minimum(random.poisson(rate), links[page])
        parts.append((day[visit], arm, clicks, links[page], known[page], variant, visit))
        goes_on = random.random(len(visit)) < np.where(clicks > 0, READS_ON, STAYS)
        visit = visit[goes_on]
        if len(visit) == 0:
            break
    return Views(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _known_before(
    random: np.random.Generator, page_rate: np.ndarray, popular: np.ndarray
) -> np.ndarray:
    """What each page is to win by a log before the experiment, as the read-out shrinks it."""
    views = random.multinomial(VIEWS_BEFORE, popular).astype(np.float64)
    clicks = random.poisson(random.gamma(20 * views + 1e-9, 1 / 20) * page_rate).astype(np.float64)
    mean = clicks.sum() / views.sum()
    return posterior_rate(clicks, views * mean, fitted_weight(clicks, views * mean, PAGES)) * mean


# Nothing to be found


def run() -> None:
    """Print all of it."""
    null()
    power()
    beside()


def null(n: int = N_NULL) -> None:
    """Print how often experiments without a difference cross, in so many of each kind."""
    rows: list[tuple[str, ...]] = []
    kinds = (
        ("two arms alike", {}),
        ("90 : 10", {"sizes": (90, 10)}),
        ("three arms", {"sizes": (34, 33, 33), "gains": (0.0, 0.0, 0.0)}),
        ("a tenth of the views", {"a_day": A_DAY // 10}),
        ("a tenth, 90 : 10", {"a_day": A_DAY // 10, "sizes": (90, 10)}),
        *(
            (f"{a_day:,} views a day, a variant for each visit, {100 * known:.0f} % of them known",
             {"per_visit": True, "known": known, "a_day": a_day})
            for a_day in (A_DAY, A_DAY // 10) for known in (0.0, 0.1, 0.5, 1.0)
        ),
    )  # fmt: skip
    for name, options in kinds:
        found: dict[str, list[float]] = {}
        for seed in range(n):
            plan = {key: value for key, value in options.items() if key != "known"}
            for figure, value in _checked(simulated(seed, **plan), seed=seed, **options):
                found.setdefault(figure, []).append(value)
        rows += [(name, figure, _share(values)) for figure, values in found.items()]
    crossed = [interleaved_null(seed) for seed in range(n)]
    rows.append(("interleaved", "preference", _share(crossed)))
    table(("experiments without a difference", "what is tested", "ever crossed at level 5 %"), rows)


def _share(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.1f} %"


def _checked(
    views: Views,
    *,
    seed: int,
    sizes: Sequence[int] = (50, 50),
    per_visit: bool = False,
    known: float = 0.0,
    **_: object,
) -> Iterator[tuple[str, float]]:
    """What one experiment shows, wrongly: each test, and whether it ever does."""
    others = range(1, len(sizes))
    alpha = ALPHA / len(others)

    def crossed(sums: Sums, inflated: float = 1.0) -> float:
        return float(
            any(
                sums.difference(arm, alpha=alpha, inflated=inflated).crossed.any() for arm in others
            )
        )

    if per_visit:
        plain = views.sums(adjusted=False)
        yield "per page view, as if each view drew its own", crossed(plain)
        drawn, in_visits = _drawn(views, known, seed)
        # What the read-out does.
        if drawn.keeps and in_visits >= KNOWN_VISITS * len(views.day):
            yield "as the read-out has it", crossed(views.by_visits(), drawn.beyond_visits)
        else:
            yield "as the read-out has it", crossed(plain, drawn.inflated)
        yield "not found", float(drawn.holds)
        yield _RAIL, _harmed(views, sizes, seed, drawn.inflated)
        return
    plain = views.sums(adjusted=False)
    yield "clicks per page view, pages known before", crossed(views.sums())
    yield "clicks per page view, nothing known", crossed(plain)
    yield "clicked views, per list", crossed(views.sums("list"))
    yield "clicks per link shown", crossed(views.sums("link"))
    if len(sizes) == 2:
        yield "an ordinary 95 % interval, looked at daily", float(_naive(plain.difference(1)))
    yield _RAIL, _harmed(views, sizes, seed, 1.0)
    shares = np.array(sizes) / N_VARIANTS
    yield (
        f"shares of arms, at level {100 * MISMATCH:g} %",
        float((p_value(plain[VIEWS], shares) < MISMATCH).any()),
    )


_RAIL = f"short lists and doubtful clicks, at level {100 * 2 * GUARD / len(GUARDRAILS):g} %"


def _drawn(views: Views, known: float, seed: int) -> tuple[Drawing, int]:
    """How variants were drawn, by what the log has of it, where so many (``known``) of the visits
    have a session; and how many views those have.
    """
    has_session = np.random.default_rng([seed, 2]).random(int(views.visit.max()) + 1) < known
    # Views are in the order of their steps, so those of a visit are in theirs.
    order = np.argsort(views.visit, kind="stable")
    visit, variant = views.visit[order], views.variant[order]
    step = (visit[1:] == visit[:-1]) & has_session[visit[1:]]
    same = step & (variant[1:] == variant[:-1])
    hour = views.day * 24 + views.visit % 24
    in_visits = int(has_session[views.visit].sum())
    shares = Shares(hour, hour * 0, views.variant, np.ones(len(hour)), in_visits,
                    int(step.sum()), int(same.sum()))  # fmt: skip
    return drawing(shares), in_visits


def _harmed(views: Views, sizes: Sequence[int], seed: int, inflated: float) -> float:
    """Whether, at the end of any day, an arm seems to have more short lists (those of three links,
    on the same pages in all arms) or more doubtful clicks (one in twenty).
    """
    random = np.random.default_rng([seed, 3])
    fast = random.binomial(views.clicks, 0.05)
    n_looks, n_arms = int(views.day.max()) + 1, len(sizes)

    def total(values: np.ndarray) -> np.ndarray:
        cells = np.bincount(views.day * n_arms + views.arm, values, n_looks * n_arms)
        return cells.reshape(n_looks, n_arms).cumsum(axis=0)

    shown, clicks = total(np.ones(len(views.day))), total(views.clicks)
    short, doubtful, squares = (total(each) for each in (views.links == 3, fast, fast**2))
    together = np.maximum(1, squares.sum(axis=1) / np.maximum(doubtful.sum(axis=1), 1))
    published = np.broadcast_to(np.array(sizes, dtype=np.float64), shown.shape)
    level = GUARD / (len(GUARDRAILS) * (n_arms - 1))
    for events, n, due, at_once in (
        (short, shown, published, np.ones(n_looks)), (doubtful, clicks, clicks, together),
    ):  # fmt: skip
        for look in range(n_looks):
            for arm in range(1, n_arms):
                pair = [0, arm]
                if not (n[look, pair] > 0).all():
                    continue
                part = due[look, pair] / due[look, pair].sum()
                counts = events[look, pair] / (at_once[look] * inflated)
                p = p_value(counts[None], part, concentration=HARM)[-1]
                more = events[look, arm] / n[look, arm] > events[look, 0] / n[look, 0]
                if p < level and more:
                    return 1.0
    return 0.0


def _naive(found: Difference) -> bool:
    with np.errstate(invalid="ignore"):
        return bool((np.abs(found.estimate / found.error) > norm.ppf(1 - ALPHA / 2)).any())


def interleaved_null(seed: int, *, gain: float = 0.0) -> bool:
    """Whether an interleaved experiment of two lists that are as good as one another crosses; or
    one whose second has links that are followed so much more often.
    """
    views = simulated(seed)
    random = np.random.default_rng([seed, 1])
    coins = np.array([mixed().shown(at).coins for at in range(N_VARIANTS)])
    # Links of each round are two places; the coin says which of them is whose.
    team = np.stack([coins, 1 - coins], axis=-1).reshape(N_VARIANTS, -1)[:, :10]
    place = np.arange(1, 11) ** -0.7
    weight = place * (1 + gain * team)  # by variant and place
    share = (weight * team).sum(axis=1) / weight.sum(axis=1)
    two = random.binomial(views.clicks, share[views.variant])
    sums = Sums.of(
        views.day, views.day * 0, two, views.clicks, n_looks=int(views.day.max()) + 1, n_arms=1
    )  # fmt: skip
    found = preferred(sums)
    return bool(((found.low > 0.5) | (found.high < 0.5)).any())


def mixed() -> Experiment:
    """An interleaved experiment in which nothing explores."""
    arms = tuple(Arm(name, name, name, 0, N_VARIANTS - 1) for name in ("old", "new"))
    return Experiment("mixed", "2026-11-30T00:00:00+00:00", INTERLEAVED, 0, arms)


# A gain to be found


def power(n: int = N_POWER) -> None:
    """Print the share of experiments that find a gain, by the number of views."""
    rows = []
    kept: list[float] = []
    for gain in GAINS:
        found = np.zeros((2, n, len(AT_VIEWS)))
        first = np.full((2, n), np.inf)
        for seed in range(n):
            views = simulated(seed, gains=(0.0, gain), days=100)
            for way, adjusted in enumerate((True, False)):
                seen = views.sums(adjusted=adjusted).difference(1)
                up = np.maximum.accumulate(seen.low > 0)
                at = np.searchsorted(seen.views, AT_VIEWS)
                found[way, seed] = up[np.minimum(at, len(up) - 1)]
                if up[-1]:
                    first[way, seed] = seen.views[up.argmax()]
                if adjusted:
                    kept.append(float(seen.kept[-1]))
        for way, name in enumerate((f"{gain:.0%}", f"{gain:.0%}, nothing known before")):
            middle = float(np.median(first[way]))
            rows.append(
                (name, *(f"{100 * each:.0f} %" for each in found[way].mean(axis=0)),
                 f"{middle:,.0f}" if np.isfinite(middle) else "more")
            )  # fmt: skip
    table(("gain", *(f"{each:,} views" for each in AT_VIEWS), "half found by"), rows)
    print(f"What was known of pages before left {100 * np.mean(kept):.1f} % of the variance.\n")


# Interleaving beside two arms


@dataclass(frozen=True, slots=True)
class Pair:
    """Two bundles on the sample site: the chance that each place of each slate is followed, and by
    which team it was picked; ``(n_pages, n_places)`` for the two lists, ``(n_pages, 100,
    n_places)`` for the drafts.
    """

    chance: np.ndarray
    lists: tuple[np.ndarray, np.ndarray]
    drafts: np.ndarray
    teams: np.ndarray

    @property
    def gain(self) -> float:
        """How much more clicks a view the second list wins, as a share."""
        old, new = ((self.chance[:, None] * each).sum() for each in self.lists)
        return float(new / old - 1)


def beside(n: int = 60) -> None:
    """Print how many views it takes to tell two bundles of the sample site apart."""
    rows = []
    for name, pair in pairs():
        split = [_views_of_arms(pair, seed) for seed in range(n)]
        draft = [_views_of_draft(pair, seed) for seed in range(n)]
        ratio = np.median(split) / np.median(draft)
        wrong = sum(each < 0 for each in (*split, *draft))
        rows.append(
            (name, f"{pair.gain:+.1%}", f"{np.median(np.abs(split)):,.0f}",
             f"{np.median(np.abs(draft)):,.0f}", f"{abs(ratio):.1f}", f"{wrong} of {2 * n}")
        )  # fmt: skip
    head = ("bundles", "gain", "views, two arms", "views, interleaved", "times fewer",
            "wrong arm")  # fmt: skip
    table(head, rows)


def pairs() -> Iterator[tuple[str, Pair]]:
    """Hand-picked lists and bundles: by text, by a month of clicks and by two; and the best
    possible lists beside the same with their first three links out of order.
    """
    with tempfile.TemporaryDirectory() as folder, Store(f"sqlite:///{folder}/site.db") as store:
        pages = pages_in(store)
        picked = {page.id: page.recommended for page in store.articles() if not page.stub}
        text = lists_of(build(store, Path(folder), now=readers.FIRST_DAY), pages)
        made = {}
        for days in (readers.DAYS // 2, readers.DAYS):
            with Store(f"sqlite:///{folder}/{days}.db") as log:
                pages_in(log)
                log.add_events(readers.visits(picked, seed=SEED, days=days))
                now = readers.FIRST_DAY + timedelta(days=days)
                made[days] = lists_of(build(log, Path(folder), now=now), pages)
    best = {page: readers.best_list(page, 10) for page in pages}
    turned = {page: [*reversed(links[:3]), *links[3:]] for page, links in best.items()}
    first, last = made.values()
    yield "hand-picked, and by text", _pair(pages, picked, text)
    yield "by text, and by two months of clicks", _pair(pages, text, last)
    yield "by a month of clicks, and by two", _pair(pages, first, last)
    yield "two months, and the best possible", _pair(pages, last, best)
    yield "the best three out of order, and the best possible", _pair(pages, turned, best)


def _pair(
    pages: Sequence[str], old: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]]
) -> Pair:
    interest = np.array([readers.truth()[page].interest for page in pages])
    coins = [mixed().shown(at).coins for at in range(N_VARIANTS)]
    lists = tuple(np.stack([_chances(page, each[page]) for page in pages]) for each in (old, new))
    drafts, teams = np.zeros((len(pages), N_VARIANTS, 10)), np.zeros((len(pages), N_VARIANTS, 10))
    number = {id: at for at, id in enumerate(sorted(readers.truth()))}
    ids = sorted(number)
    for row, page in enumerate(pages):
        both = tuple([number[id] for id in each[page] if id in number] for each in (old, new))
        for at in range(N_VARIANTS):
            n = sum(map(len, both))
            links, picked = team_draft((both[0], both[1]), coins[at], n)
            _, turned = team_draft((both[0], both[1]), [1 - coin for coin in coins[at]], n)
            links, picked = links[:10], credited(picked, turned)[:10]
            drafts[row, at] = _chances(page, [ids[link] for link in links])
            teams[row, at, : len(picked)] = [int(each) for each in picked]
    return Pair(interest / interest.sum(), (lists[0], lists[1]), drafts, teams)


def _chances(page: str, links: Sequence[str]) -> np.ndarray:
    """The chance that each of ten places is followed, ``(10,)``."""
    found = [
        readers.examination(place) * readers.appeal(page, link)
        for place, link in enumerate(links[:10], start=1)
    ]
    return np.array(found + [0.0] * (10 - len(found)))


# Views between two looks, at first, and how many are waited for at most.
STEP, MOST = 200, 200_000


def _views_of_arms(pair: Pair, seed: int) -> float:
    """After how many views two arms differ surely; negative if it is the wrong one."""
    random = np.random.default_rng([seed, 2])
    better, total = np.sign(pair.gain), 0
    looks = [np.zeros((2, 10))]
    while total < MOST:
        n = max(STEP, total // 20)
        page = random.choice(len(pair.chance), size=n, p=pair.chance)
        arm = random.integers(0, 2, n)
        chances = np.where(arm[:, None] == 1, pair.lists[1][page], pair.lists[0][page])
        clicks = (random.random(chances.shape) < chances).sum(axis=1)
        # What a page won before: by a log long enough to know it.
        known = pair.lists[0][page].sum(axis=1)
        more = Sums.of(arm * 0, arm, clicks, 1.0, known, n_looks=1, n_arms=2)
        looks.append(looks[-1] + more.values[0])
        total += n
        found = Sums(np.stack(looks)).difference(1)
        if found.crossed[-1]:
            return float(total * better * np.sign(found.estimate[-1]))
    return float(MOST)


def _views_of_draft(pair: Pair, seed: int) -> float:
    """After how many interleaved views there is a preference; negative if for the wrong one."""
    random = np.random.default_rng([seed, 3])
    better, total = np.sign(pair.gain), 0
    looks = [np.zeros((1, 10))]
    while total < MOST:
        n = max(STEP, total // 20)
        page = random.choice(len(pair.chance), size=n, p=pair.chance)
        variant = random.integers(0, N_VARIANTS, n)
        followed = random.random((n, 10)) < pair.drafts[page, variant]
        teams = pair.teams[page, variant]
        one, two = ((followed & (teams == team)).sum(axis=1) for team in (1, 2))
        more = Sums.of(one * 0, one * 0, two, one + two, n_looks=1, n_arms=1)
        looks.append(looks[-1] + more.values[0])
        total += n
        found = preferred(Sums(np.stack(looks)))
        if found.low[-1] > 0.5 or found.high[-1] < 0.5:
            return float(total * better * np.sign(found.estimate[-1] - 0.5))
    return float(MOST)
