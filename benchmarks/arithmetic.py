"""What ten million articles and a billion views a day take: the tables of docs/arithmetic.md,
worked out from what was measured, and simulations of what cannot be run here.

``python -m benchmarks arithmetic`` prints the tables, writes them into the page and draws its
picture. What was measured stands in ``MEASURED`` and ``TRAINED`` alone, each with the benchmark it
is from; everything else follows.
"""

from __future__ import annotations

import heapq
import math
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sql
from sqlalchemy.engine import make_url

from benchmarks.servers import postgresql, processor_seconds
from recommender.events.event import Impression
from recommender.store.database import Store

if TYPE_CHECKING:
    from recommender.evaluation.report.picture import Picture

PAGE = Path(__file__).parents[1] / "docs" / "arithmetic.md"
PICTURE = PAGE.with_suffix(".svg")
N_ARTICLES, VIEWS_A_DAY = 10_000_000, 1_000_000_000
DAY, GB, TB = 86_400, 1e9, 1e12


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure and the benchmark it is from."""

    value: float
    unit: str
    source: str


# Refreshed by hand after the benchmarks; processors are those of the machine named there.
MEASURED = {
    "lists": Measured(11_600, "GET a second of one processor", "serving"),
    "events": Measured(5_000, "durable posts a second of one process", "events"),
    "answer": Measured(4_300, "bytes of a list of ten", "serving"),
    "packed": Measured(1_500, "bytes of a list of ten, gzip", "serving"),
    "event": Measured(700, "bytes of a post of a view", "events"),
    "stored": Measured(236, "bytes of a view in PostgreSQL, with its indexes", "arithmetic"),
    "bundle": Measured(4_000, "bytes of a bundle an article", "speed"),
    "worker": Measured(99, "MB of a server with 16,407 articles", "serving"),
    "worker_growth": Measured(30, "MB of a worker's own for 137,053 articles", "limits"),
    "counted": Measured(580_000, "shown links counted a second of one processor, SQLite", "counts"),
    "fetched": Measured(158, "MB of a bundle fetched and compared a second", "replicas"),
    "written": Measured(13_000, "views a second of one processor of PostgreSQL", "arithmetic"),
    "opened": Measured(4, "seconds to try and open a bundle of 137,053 articles", "limits"),
}
# Articles, processor seconds and peak in GB of `train` without clicks: health pages, a manual, and
# synthetic texts of 250 words (`growth`; of the million without what an interruption cost).
TRAINED = (
    (16_407, 38.9, 0.92),
    (137_053, 437.0, 3.0),
    (200_000, 336.0, 3.3),
    (1_000_000, 3_250.0, 12.0),
)
# What is assumed of the site and its readers; nobody here measured it.
PEAK = 3.0  # the busiest second beside the mean one
CLICKS = 0.03  # of a hundred views
LINKS = 10
ZIPF = (0.8, 1.0)  # how views fall with a page's rank: of Wikipedia some .8 to 1
REPLICAS, VARIANTS, EDGES, MAX_AGE = 50, 100, 20, 60
KEPT_DAYS = 90
# So many views are stored to see how much room one takes.
N_STORED = 200_000
# Views of one commit, and how many of these show what they take.
GROUP, N_GROUPS = 30, 400


def value(name: str) -> float:
    """A figure that was measured."""
    return MEASURED[name].value


def run() -> None:
    """Print the page's tables, put them into the page, and draw its picture."""
    if (now := stored_bytes()) is not None:
        print(
            f"\na view in PostgreSQL now: {now:.0f} bytes; {taken() or 0:,.0f} a processor second"
        )
    found = tables()
    for name, text in found.items():
        print(f"\n{name}\n\n{text}", end="")
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    drawn().save(PICTURE)
    print(f"\nwritten: {PAGE.name}, {PICTURE.name}")


def tables() -> dict[str, str]:
    """The tables of the page by their names there."""
    swapped = ("a bundle over 50 replicas", "first live", "last live", "two bundles at once",
               "busiest, Gbit/s")  # fmt: skip
    return {
        "measured": as_table(("figure", "of", "`python -m benchmarks`"), measured()),
        "serving": as_table(("", "mean", "at the peak"), serving()),
        "kept": as_table(("", "figure"), storing()),
        "training": as_table(
            ("articles", "processor hours", "at most", "GB at the peak"), training()
        ),
        "cache": as_table(
            ("", *(f"Zipf {each}" for each in ZIPF)), caching()
        ),
        "swap": as_table(swapped, swapping()),
    }  # fmt: skip


def with_tables(page: str, found: dict[str, str]) -> str:
    """The page with these tables behind the comments that name them."""
    for name, text in found.items():
        page, n = re.subn(
            rf"(<!-- {name} -->\n\n)(\|.*\n)*", lambda match, text=text: match[1] + text, page
        )
        if n != 1:
            raise ValueError(f"{PAGE}: <!-- {name} --> stands there {n} times")
    return page


def as_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Rows as Markdown has them."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def measured() -> list[tuple[str, ...]]:
    """What all else rests on."""
    return [(f"{each.value:,g}", each.unit, each.source) for each in MEASURED.values()]


def stored_bytes() -> float | None:
    """Bytes of a view in PostgreSQL with its indexes, as pages send them: with a random id each and
    a session of three views. None where no server is installed.
    """
    with postgresql() as database:
        if database is None:
            return None
        Store(database).close()
        engine = sql.create_engine(database.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as at:
            at.execute(
                sql.text(f"""
                INSERT INTO views (view_id, ts, slate, session, layout, arm, live)
                SELECT gen_random_uuid()::text, 1767225600000 + n, n % 5000,
                       md5((n / 3)::text)::uuid::text, 'aside', '', 1
                FROM generate_series(1, {N_STORED}) AS n""")
            )
            n_bytes = at.scalar(sql.text("SELECT pg_total_relation_size('views')"))
        engine.dispose()
        return float(n_bytes or 0) / N_STORED


def taken() -> float | None:
    """Views a second of a processor that PostgreSQL stores, sent in groups as a server sends them,
    each durable before the next. None where no server is installed.
    """
    with postgresql() as database:
        if database is None:
            return None
        pages = [f"page {n}" for n in range(500)]
        shown = [tuple(pages[(n + away) % 500] for away in range(1, LINKS + 1)) for n in range(500)]

        def view(n: int) -> Impression:
            page = n % 500
            session = f"s{n // 3}"
            return Impression(str(uuid.uuid4()), n, pages[page], shown[page], session_id=session)

        with Store(database) as store:
            name = f"-p {make_url(database).port} -k"
            before = processor_seconds(name)
            for start in range(0, N_GROUPS * GROUP, GROUP):
                store.add_events([view(n) for n in range(start, start + GROUP)])
            spent = processor_seconds(name) - before
        return N_GROUPS * GROUP / spent


def serving() -> list[tuple[str, ...]]:
    """Rates and what they take."""
    mean = VIEWS_A_DAY / DAY
    rows = []
    for rate in (mean, PEAK * mean):
        posts = rate * (1 + CLICKS)
        rows.append({
            "lists a second": f"{rate:,.0f}",
            "cores for them, with no cache at all": f"{rate / value('lists'):.1f}",
            "lists out, Gbit/s, plain": f"{rate * value('answer') * 8 / 1e9:.2f}",
            "lists out, Gbit/s, gzip": f"{rate * value('packed') * 8 / 1e9:.2f}",
            "posts of events a second": f"{posts:,.0f}",
            "posts in, Gbit/s": f"{posts * value('event') * 8 / 1e9:.2f}",
            "processes for them": f"{posts / value('events'):.1f}",
            "processors of PostgreSQL for them": f"{posts / value('written'):.1f}",
        })  # fmt: skip
    return [(name, rows[0][name], rows[1][name]) for name in rows[0]]


def bundle_gb() -> float:
    """A bundle of all articles."""
    return N_ARTICLES * value("bundle") / GB


def storing() -> list[tuple[str, ...]]:
    """Bytes at rest."""
    a_day = VIEWS_A_DAY * (1 + CLICKS) * value("stored")
    links = VIEWS_A_DAY * LINKS
    return [
        ("a bundle, GB", f"{bundle_gb():.0f}"),
        ("seven bundles on the object store, GB", f"{7 * bundle_gb():.0f}"),
        ("two copies on a server's disk, GB", f"{2 * bundle_gb():.0f}"),
        ("a worker's own memory, GB",
         f"{(value('worker') + value('worker_growth') * N_ARTICLES / 137_053) / 1000:.1f}"),
        ("raw views of a day in PostgreSQL, TB", f"{a_day / TB:.2f}"),
        (f"of {KEPT_DAYS} days, TB", f"{KEPT_DAYS * a_day / TB:.0f}"),
        ("links shown in a day", f"{links:,.0f}"),
        ("counting a day, processor hours", f"{links / value('counted') / 3600:.1f}"),
        ("counting a day on 64 cores, minutes", f"{links / value('counted') / 60 / 64:.0f}"),
        ("of one view in a hundred instead, processor minutes",
         f"{links / 100 / value('counted') / 60:.0f}"),
    ]  # fmt: skip


def grown(column: int, n: float, *, power: float | None = None) -> float:
    """A figure of ``TRAINED`` at ``n`` articles, by the power of its last rows or by another."""
    (small, *one), (large, *other) = TRAINED[-2:]
    if power is None:
        power = math.log(other[column] / one[column]) / math.log(large / small)
    return float(other[column] * (n / large) ** power)


def training() -> list[tuple[str, ...]]:
    """What was measured; beyond, by the power that held, and if all of it grew as pairs do."""
    rows = [(f"{n:,}", f"{seconds / 3600:.2f}", "", f"{peak:.1f}") for n, seconds, peak in TRAINED]
    for n in (1_000_000, N_ARTICLES):
        if n > TRAINED[-1][0]:
            hours, most = grown(0, n) / 3600, grown(0, n, power=2) / 3600
            rows.append((f"{n:,}", f"{hours:,.1f}", f"{most:,.0f}", f"{grown(1, n):.0f}"))
    return rows


# The cache


def popularity(exponent: float, n: int = N_ARTICLES) -> np.ndarray:
    """The share of views that each page has, ``(n,)``, most first (Zipf)."""
    weight = np.arange(1, n + 1, dtype=float) ** -exponent
    found: np.ndarray = weight / weight.sum()
    return found


def hit_rate(share: np.ndarray, *, rate: float, variants: int, edges: int, max_age: float) -> float:
    """Of views that arrive at random, how many find their list in a cache that keeps each for
    ``max_age`` seconds from its first view: of one that is asked for r times a second
    r * max_age / (1 + r * max_age). Each edge and each variant has its own.
    """
    kept = share * (rate * max_age / (variants * edges))
    return float((share * kept / (1 + kept)).sum())


def simulated(
    share: np.ndarray, *, rate: float, variants: int, edges: int, max_age: float, seconds: float,
    seed: int = 1,
) -> float:  # fmt: skip
    """The same by drawing views and looking each up."""
    draw = np.random.default_rng(seed)
    n = int(rate * seconds)
    moments = np.sort(draw.random(n) * seconds)
    page = np.searchsorted(np.cumsum(share), draw.random(n))
    key = (page * variants + draw.integers(0, variants, n)) * edges + draw.integers(0, edges, n)
    until: dict[int, float] = {}
    hits = asked = 0
    for moment, each in zip(moments.tolist(), key.tolist(), strict=True):
        is_hit = until.get(each, -1.0) > moment
        if not is_hit:
            until[each] = moment + max_age
        # While it fills, a cache is colder than it will be.
        if moment > max_age:
            asked += 1
            hits += is_hit
    return hits / asked


def caching() -> list[tuple[str, ...]]:
    """By variants, places and ages; one of each way is simulated on a hundredth of the site."""
    mean = VIEWS_A_DAY / DAY
    shares = {exponent: popularity(exponent) for exponent in ZIPF}
    small = {exponent: popularity(exponent, N_ARTICLES // 100) for exponent in ZIPF}
    rows = []
    for variants, edges, max_age, is_simulated in (
        (1, 1, MAX_AGE, True), (VARIANTS, 1, MAX_AGE, True), (1, EDGES, MAX_AGE, False),
        (VARIANTS, EDGES, MAX_AGE, False), (10, EDGES, MAX_AGE, False),
        (VARIANTS, EDGES, 600, False), (VARIANTS, EDGES, 3_600, False), (1, EDGES, 3_600, False),
    ):  # fmt: skip
        how = {"variants": variants, "edges": edges, "max_age": max_age}
        cells = []
        for exponent in ZIPF:
            cell = f"{hit_rate(shares[exponent], rate=mean, **how):.0%}"
            if is_simulated:
                check = {**how, "rate": mean / 100}
                formula = hit_rate(small[exponent], **check)
                found = simulated(small[exponent], seconds=4 * max_age, **check)
                cell += f" (a hundredth of it: {formula:.1%}; {found:.1%})"
            cells.append(cell)
        rows.append((f"variants {variants}, places {edges}, kept {max_age} s", *cells))
    return rows


# A bundle over all replicas


@dataclass(frozen=True, slots=True)
class Swap:
    """Seconds from the pointer's change at which each replica is live, and the most that the store
    sent in a second, in Gbit.
    """

    live: np.ndarray
    busiest: float


def swap(
    *, gigabytes: float, replicas: int, store_gbit: float, replica_gbit: float,
    stagger: float = 0.0, poll: float = 2.0, seed: int = 1,
) -> Swap:  # fmt: skip
    """Every replica sees the pointer within ``poll`` seconds, waits up to ``stagger``, and fetches;
    those that fetch at the same time share what the store sends, each up to its own limit. Then it
    tries and opens the bundle.
    """
    draw = np.random.default_rng(seed)
    starts = (draw.random(replicas) * (poll + stagger)).tolist()
    heapq.heapify(starts)
    # Fair sharing: all that are under way have the same rate, so work done is one clock for all.
    now = done = busiest = 0.0
    under_way: list[float] = []
    live = []
    size = gigabytes * 8
    while starts or under_way:
        rate = min(replica_gbit, store_gbit / len(under_way)) if under_way else 0.0
        busiest = max(busiest, rate * len(under_way))
        ends = now + (under_way[0] - done) / rate if under_way else math.inf
        if starts and starts[0] <= ends:
            then = heapq.heappop(starts)
            done += rate * (then - now)
            now = then
            heapq.heappush(under_way, done + size)
        else:
            done, now = under_way[0], ends
            heapq.heappop(under_way)
            live.append(now)
    opening = value("opened")
    return Swap(np.array(live) + opening, busiest)


WAYS = {
    "all at once, store of 10 Gbit/s": {"store_gbit": 10.0, "stagger": 0.0},
    "all at once, store of 100 Gbit/s": {"store_gbit": 100.0, "stagger": 0.0},
    "staggered over ten minutes, 100 Gbit/s": {"store_gbit": 100.0, "stagger": 600.0},
    "a store that gives all each can take": {"store_gbit": 1e4, "stagger": 0.0},
}


def swaps() -> dict[str, Swap]:
    """Each way of spreading one bundle."""
    mine = value("fetched") * 8 / 1000
    return {
        name: swap(gigabytes=bundle_gb(), replicas=REPLICAS, replica_gbit=mine, **how)
        for name, how in WAYS.items()
    }


def swapping() -> list[tuple[str, ...]]:
    """When the first and the last are live, and how long two bundles are served at once."""
    return [
        (name, _minutes(each.live.min()), _minutes(each.live.max()),
         _minutes(np.ptp(each.live)), f"{each.busiest:.0f}")
        for name, each in swaps().items()
    ]  # fmt: skip


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def drawn() -> Picture:
    """The hit rate by how long a list is kept."""
    import pandas as pd

    from recommender.frames import pictures

    share, mean = popularity(ZIPF[0]), VIEWS_A_DAY / DAY
    ages = (10, 60, 300, 600, 1_800, 3_600)
    columns = {
        f"variants {variants}, places {edges}": [
            100 * hit_rate(share, rate=mean, variants=variants, edges=edges, max_age=age)
            for age in ages
        ]
        for variants, edges in ((1, 1), (1, EDGES), (10, EDGES), (VARIANTS, EDGES))
    }  # fmt: skip
    index = pd.Index([age / 60 for age in ages])
    return pictures.lines(
        pd.DataFrame(columns, index=index), x="minutes that a list is kept", points=True,
        title="Of a hundred views, lists from the cache (Zipf .8)",
    )  # fmt: skip
