"""What forged events of one anonymous client do to a site's lists, and what honest oddities keep.

Everything goes through the application: lists are asked for, their tokens are sent back, a day is a
day of its clock, and then the site trains. Readers' taste is known, so lists have a price: expected
clicks per 100 views. Two sites: the sample site, and questions of medquad with the simulated
readers of ``worlds``. On the larger one a client does less on each page, about as much in all.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np

from benchmarks import worlds
from benchmarks.corpus import REAL, table
from benchmarks.events import ask
from benchmarks.worlds import ONCE, Patches, patched, world
from recommender.articles.reader import read_articles
from recommender.bundle.bundle import Bundle
from recommender.clicks import influence, position_bias
from recommender.config import Settings
from recommender.demo import readers
from recommender.demo.prepare import SEED, URL
from recommender.demo.readers import PAGES
from recommender.evaluation.promotion import train_guarded
from recommender.store.counts import Log
from recommender.store.database import Store
from recommender.text.corpus import Corpus
from recommender.training import pipeline
from recommender.training.pipeline import Options, build

# Events of one post, links that pages ask for, variants.
A_POST, SHOWN, N_VARIANTS = 500, 10, 100
# Questions and views of the site made from medquad.
N_QUESTIONS, N_VIEWS, VISITS_A_DAY = 2_000, 60_000, 600
# Articles that lists are filled up with, of which the target is one.
FIRST_FILLED = 12


# Sites


@dataclass(frozen=True, eq=False)
class Readers:
    """What readers of a site want: ``traffic`` by page, ``(n_pages,)``; the ``appeal`` of a link to
    whoever examines it, by page and target; how each place is ``examined``, ``(SHOWN,)``; and the
    chance that a reader who followed a link ``reads_on`` there.
    """

    traffic: np.ndarray
    appeal: Callable[[str, str], float]
    examined: np.ndarray
    reads_on: float

    def clicks(self, page: str, links: Sequence[str]) -> float:
        """Expected clicks of one view of a list."""
        wanted = np.array([self.appeal(page, link) for link in links[:SHOWN]])
        return float((wanted * self.examined[: len(wanted)]).sum())

    def followed(self, page: str, links: Sequence[str], random: np.random.Generator) -> list[int]:
        """The positions, from 1, of what one reader follows."""
        chance = [self.appeal(page, link) for link in links[:SHOWN]] * self.examined[: len(links)]
        return (np.flatnonzero(random.random(len(chance)) < chance) + 1).tolist()


@dataclass(frozen=True, eq=False)
class Site:
    """A trained site with its log, in ``folder``; attacks begin on ``day``. ``target`` is an
    article in few lists that fills lists up where pages leave all else out.
    """

    name: str
    folder: Path
    pages: list[str]
    day: datetime
    readers: Readers
    visits_a_day: int
    target: str

    @contextmanager
    def copy(self) -> Iterator[Settings]:
        """The site anew, in a folder of its own."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "site"
            shutil.copytree(self.folder, folder, symlinks=True)
            yield settings_of(folder)

    def times(self, n: int) -> int:
        """As often in all as ``n`` times a page of the sample site, but once a page at least."""
        return max(1, round(n * len(readers.truth()) / len(self.pages)))

    def lists(self, bundle: Bundle) -> dict[str, list[str]]:
        """A bundle's lists, by page."""
        return {page: [link.id for link in bundle.related(page, SHOWN)] for page in self.pages}

    def price(self, lists: dict[str, list[str]], taste: Readers | None = None) -> float:
        """Expected clicks per 100 views of lists; every page counts alike."""
        taste = taste or self.readers
        return 100 * float(np.mean([taste.clicks(page, links) for page, links in lists.items()]))


def settings_of(folder: Path) -> Settings:
    """Where the store and the bundles of a site are."""
    return Settings(
        database=f"sqlite:///{folder / 'site.db'}", models=folder / "models", event_rate=0
    )


@contextmanager
def sample() -> Iterator[Site]:
    """The sample site with its sixty days of clicks."""
    with tempfile.TemporaryDirectory() as name, patched(ONCE):
        settings, day = settings_of(Path(name)), readers.FIRST_DAY + timedelta(days=readers.DAYS)
        with Store(settings.database) as store:
            store.apply(read_articles([PAGES], url=URL))
            lists = {page.id: page.recommended for page in store.articles() if not page.stub}
            store.add_events(readers.visits(lists, seed=SEED))
            bundle = build(store, settings.models, now=day, options=Options(seed=SEED))
        pages, taste = sorted(lists), readers.truth()
        known = Readers(
            np.array([taste[page].interest for page in pages]),
            readers.appeal,
            np.array([readers.examination(place + 1) for place in range(SHOWN)]),
            readers.CHANCE_OF_READING_ON,
        )
        target = far_off(bundle, pages)
        yield Site("sample site", Path(name), pages, day, known, readers.VISITS_A_DAY, target)


@contextmanager
def questions() -> Iterator[Site]:
    """Health questions with sixty days of simulated clicks on hand-picked lists."""
    made = world("journey", n_articles=N_QUESTIONS)
    place = {id: at for at, id in enumerate(made.ids)}
    with tempfile.TemporaryDirectory() as name, patched(ONCE):
        folder = Path(name)
        settings, day = settings_of(folder), worlds.BUILT
        with Store(settings.database) as store:
            worlds.fill(store, made, N_VIEWS, folder)
            bundle = build(store, settings.models, now=day, options=Options(seed=SEED))

        @cache
        def appeal(page: str, target: str) -> float:
            return float(made.appeal(np.array([place[page]]), np.array([place[target]]))[0])

        known = Readers(np.ones(len(place)), appeal, made.examined, 0.3)
        target = far_off(bundle, made.ids)
        yield Site(
            f"{len(place):,} questions of medquad", folder, made.ids, day, known, VISITS_A_DAY,
            target,
        )  # fmt: skip


def far_off(bundle: Bundle, pages: Sequence[str]) -> str:
    """Of what lists are filled up with first, what stands in the fewest lists."""
    times = Counter(link.id for page in pages for link in bundle.related(page, k=30))
    lists = bundle.lists
    able = [lists.id_of(row) for row in list(lists.fallback(None))[:FIRST_FILLED]]
    return min({*able} & {*pages}, key=lambda page: (times[page], page))


# Clients


class Client:
    """One anonymous client of one address, on whatever day its clock shows."""

    def __init__(self, settings: Settings, site: Site, now: datetime) -> None:
        from recommender_api.app import create_app

        self.site, self.now = site, now
        self.app: Any = create_app(settings, clock=lambda: self.now)
        self.random = np.random.default_rng(1)
        self.n_events = self.n_posts = self.n_views = 0
        self._waiting: list[dict[str, Any]] = []

    def asked(self, page: str, **more: Any) -> tuple[str, list[str]]:
        """The token of a page's list, and the ids in it."""
        query = urlencode({"id": page, **more}, doseq=True).encode()
        body = self.ask("GET", "/v1/related", b"", query)
        return body["slate"], [item["id"] for item in body["items"]]

    def view(self, slate: str, positions: Sequence[int] = (), *, session: str = "") -> None:
        """Send one view of a list, and clicks at some of its positions, counted from 1."""
        self.n_views += 1
        name = f"forged-{self.n_views}"
        event: dict[str, Any] = {"type": "impression", "view_id": name, "slate": slate}
        # Long ago enough for a hand to have moved in between.
        self.send(event | {"age_ms": 60_000} | ({"session_id": session} if session else {}))
        for position in positions:
            self.send({"type": "click", "view_id": name, "slate": slate, "position": position})

    def send(self, event: dict[str, Any]) -> None:
        """Send an event with the next post."""
        self._waiting.append(event)
        if len(self._waiting) == A_POST:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._waiting:
            self.n_events += len(self._waiting)
            self.n_posts += 1
            answer = self.ask("POST", "/v1/events", json.dumps(self._waiting).encode())
            assert not answer["rejected"], str(answer)[:300]
            self._waiting = []

    def close(self) -> None:
        """Write what waits and let go of the store."""
        self.flush()
        self.app.stored.close()

    def ask(self, method: str, path: str, body: bytes, query: bytes = b"") -> Any:
        """The answer to a request."""
        status, answer = asyncio.run(ask(self.app, method, path, body, query))
        assert status in (200, 202), answer
        return json.loads(answer)


# What clients do on one day, whose number is given, counted from 0.

Act = Callable[[Client, int], None]


def nothing(_: Client, __: int) -> None:
    """Nobody comes."""


def brought(client: Client, page: str, target: str) -> tuple[str, list[int]]:
    """The token of a page's list that leaving others out brought a far-off target onto, and its
    position; none where it can stand on no list of the page.
    """
    out = [link for link in client.asked(page, k=50)[1] if link != target]
    for _ in range(2 * FIRST_FILLED):
        slate, links = client.asked(page, exclude=out)
        if target in links:
            return slate, [links.index(target) + 1]
        out += links
    return slate, []


def one_link(n: int) -> Act:
    """Clicks on the last of one page's links."""

    def act(client: Client, _: int) -> None:
        slate, links = client.asked(client.site.pages[0])
        for _ in range(n):
            client.view(slate, [len(links)])

    return act


def one_target(times: int, n_pages: int | None = None, *, sessions: bool = False) -> Act:
    """Clicks on one far-off article beside pages onto whose lists it was brought."""

    def act(client: Client, day: int) -> None:
        target = client.site.target
        for page in [page for page in client.site.pages if page != target][:n_pages]:
            slate, places = brought(client, page, target)
            for at in range(client.site.times(times) if places else 0):
                client.view(slate, places, session=f"forged-{day}-{page}-{at}" if sessions else "")

    return act


def last_links(times: int) -> Act:
    """Clicks on the last five links of every list."""

    def act(client: Client, _: int) -> None:
        for page in client.site.pages:
            slate, links = client.asked(page)
            for _ in range(client.site.times(times)):
                for place in range(max(1, len(links) - 4), len(links) + 1):
                    client.view(slate, [place])

    return act


def views_alone(times: int, n_pages: int | None = None) -> Act:
    """Views of lists, on which nothing is followed."""

    def act(client: Client, _: int) -> None:
        for page in client.site.pages[:n_pages]:
            slate, _links = client.asked(page)
            for _ in range(client.site.times(times) if n_pages is None else times):
                client.view(slate)

    return act


def rival_neighbours(n: int) -> Act:
    """Clicks on all links beside one article, wherever it stands."""

    def act(client: Client, _: int) -> None:
        rival = client.asked(client.site.pages[0])[1][0]
        lists = [client.asked(page) for page in client.site.pages]
        holding = [(slate, links) for slate, links in lists if rival in links]
        for at in range(n):
            slate, links = holding[at % len(holding)]
            others = [place for place, link in enumerate(links, start=1) if link != rival]
            client.view(slate, [others[at // len(holding) % len(others)]])

    return act


def deep_lists(times: int) -> Act:
    """Clicks on the last of the fifty links that a page may ask for."""

    def act(client: Client, _: int) -> None:
        for page in client.site.pages:
            slate, links = client.asked(page, k=50)
            for _ in range(client.site.times(times)):
                client.view(slate, [len(links)])

    return act


def own_targets(times: int) -> Act:
    """Clicks on a far-off article beside every page, each page its own."""

    def act(client: Client, _: int) -> None:
        for page in client.site.pages:
            out = client.asked(page, k=50)[1]
            slate, _links = client.asked(page, exclude=out)
            for _ in range(client.site.times(times)):
                client.view(slate, [1])

    return act


def variants(times: int) -> Act:
    """Clicks on links that explore, in every list."""

    def act(client: Client, _: int) -> None:
        for page in client.site.pages:
            best = client.asked(page)[1]
            for variant in range(80, 80 + client.site.times(20)):
                slate, links = client.asked(page, variant=variant)
                new = [place for place, link in enumerate(links, start=1) if link not in best]
                for _ in range(times if new else 0):
                    client.view(slate, new[:1])

    return act


def masked(times: int) -> Act:
    """Clicks on one far-off article everywhere, beside four times as many on first links."""

    def act(client: Client, day: int) -> None:
        one_target(times)(client, day)
        for page in client.site.pages:
            slate, _links = client.asked(page)
            for at in range(4 * client.site.times(times)):
                client.view(slate, [1 + at % 3])

    return act


def co_reading(n: int) -> Act:
    """Visits that read one far-off article and another page, every page in turn."""

    def act(client: Client, day: int) -> None:
        for page in client.site.pages:
            for number in range(client.site.times(n)):
                name = f"forged-{day}-{page}-{number}"
                for each in (page, client.site.target):
                    client.send({"type": "pageview", "article_id": each, "session_id": name})

    return act


def visitors(n: int | None = None, *, page: str = "", taste: Readers | None = None,
             leaving_out: bool = False, **asked: Any) -> Act:  # fmt: skip
    """Honest readers, as many as usual unless it is stated, who open any page, or one."""

    def act(client: Client, _: int) -> None:
        random, site = client.random, client.site
        wants = taste or site.readers
        pages = [page] if page else site.pages
        traffic = np.ones(1) if page else wants.traffic
        opened = random.choice(len(pages), size=n or site.visits_a_day, p=traffic / traffic.sum())
        for first in opened.tolist():
            at: str | None = pages[first]
            read = []
            while at is not None:
                read.append(at)
                more = asked | ({"exclude": read} if leaving_out else {})
                slate, links = client.asked(at, variant=int(random.integers(N_VARIANTS)), **more)
                found = wants.followed(at, links, random)
                client.view(slate, found)
                goes_on = found and random.random() < wants.reads_on
                at = links[found[-1] - 1] if goes_on else None

    return act


def both(first: Act, then: Act) -> Act:
    """One after the other."""

    def act(client: Client, day: int) -> None:
        first(client, day)
        then(client, day)

    return act


@dataclass(frozen=True)
class Attack:
    """What a client does on each of some days. ``hits`` is the position, from 1, of the link of the
    first page that it is about; 0 for the site's target beside any page.
    """

    name: str
    act: Act
    days: int = 1
    hits: int = 0


ALONE = [
    Attack("20 clicks on one link", one_link(20), hits=SHOWN),
    Attack("5,000 clicks on one link", one_link(5_000), hits=SHOWN),
    Attack("one click each on one far-off article beside 60 pages", one_target(1, 60)),
    Attack("the same beside all pages", one_target(1)),
    Attack("the same, 20 clicks a page, five days", one_target(20), 5),
    Attack("last five links of every list, 20 times each", last_links(20)),
    Attack("the same for five days", last_links(20), 5),
    Attack("views without clicks of every list, 300 each", views_alone(300)),
    Attack("views without clicks of one rival, 30,000", views_alone(30_000, 1), hits=1),
    Attack("clicks on all neighbours of a rival, five days", rival_neighbours(180), 5, hits=1),
    Attack("last of fifty links, 5 times a page, five days", deep_lists(5), 5),
    Attack("first link of what is left of every list, 20 times, five days", own_targets(20), 5),
    Attack("links that explore, twice each", variants(2)),
    Attack("the same for five days", variants(2), 5),
    Attack("a far-off article among clicks on first links, five days", masked(5), 5),
    Attack("visits of a far-off article and every page, five days", co_reading(20), 5),
    Attack("a far-off article, every click in a visit, five days", one_target(5, sessions=True), 5),
    Attack("one click a page on a far-off article, 20 days", one_target(1), 20),
]
# The same on days on which readers come as usual.
AMONG_READERS = "among readers: "
AMONG = [
    replace(each, name=AMONG_READERS + each.name, act=both(visitors(), each.act))
    for each in ALONE
    if each.act not in (ALONE[1].act, ALONE[17].act)
]


@dataclass(frozen=True)
class Outcome:
    """What came of an attack: the bundle's ``lists``, and what ``decided`` them."""

    n_events: int
    n_posts: int
    bundle: Bundle
    lists: dict[str, list[str]]
    verdict: str = ""


@contextmanager
def outcome(site: Site, act: Act, days: int, *, gate: bool = False) -> Iterator[Outcome]:
    """What a site's lists are after some days of that and the next training."""
    with site.copy() as settings:
        client = Client(settings, site, site.day)
        for day in range(days):
            client.now = site.day + timedelta(days=day, hours=12)
            act(client, day)
            client.flush()
        client.close()
        now, options, verdict = site.day + timedelta(days=days), Options(seed=SEED), ""
        with Store(settings.database) as store:
            if gate:
                bundle, found = train_guarded(store, settings.models, now=now, options=options)
                verdict = found.sentence
            else:
                bundle = build(store, settings.models, now=now, options=options)
        yield Outcome(client.n_events, client.n_posts, bundle, site.lists(bundle), verdict)


def kept(before: dict[str, list[str]], after: dict[str, list[str]], but: str = "") -> float:
    """The share of the links of all pages ``but`` one that stay."""
    shares = [
        len({*links} & {*after[page]}) / max(len(links), 1)
        for page, links in before.items()
        if page != but
    ]
    return float(np.mean(shares))


def place(links: Sequence[str], target: str) -> str:
    """Where a link stands, from 1."""
    return str(links.index(target) + 1) if target in links else "-"


def attacked(site: Site, *, only: str = "") -> Iterator[tuple[str, ...]]:
    """Rows: what each attack does; beside the same days without it."""
    page, honest = site.pages[0], {}
    for among, attacks in ((nothing, ALONE), (visitors(), AMONG)):
        for attack in [each for each in attacks if only in each.name]:
            if (among, attack.days) not in honest:
                with outcome(site, among, attack.days) as found:
                    honest[among, attack.days] = found.lists
            before = honest[among, attack.days]
            with outcome(site, attack.act, attack.days) as found:
                target = before[page][attack.hits - 1] if attack.hits else site.target
                listed = [sum(target in links for links in of.values())
                          for of in (before, found.lists)]  # fmt: skip
                yield (
                    attack.name, f"{found.n_events:,}, {found.n_posts}",
                    f"{site.price(before):.1f}", f"{site.price(found.lists):.1f}",
                    f"{site.price(found.lists) / site.price(before) - 1:+.1%}",
                    f"{kept(before, found.lists, page if attack.hits else ''):.1%}",
                    f"{place(before[page], target)} to {place(found.lists[page], target)}",
                    "{} to {}".format(*listed), found.bundle.about.decided_by,
                )  # fmt: skip


def judged(site: Site) -> Iterator[tuple[str, ...]]:
    """Rows: what the gate makes of bundles after attacks, and after honest days."""
    names = ("the same, 20 clicks a page, five days", "the same for five days")
    cases = [each for each in (*ALONE, *AMONG) if each.name.removeprefix(AMONG_READERS) in names]
    for attack in (*cases, Attack("readers as usual, five days", visitors(), 5)):
        with outcome(site, attack.act, attack.days, gate=True) as found:
            yield attack.name, f"{site.price(found.lists):.1f}", found.verdict


# Honest oddities


def _uncapped(_: Callable[..., Any]) -> Callable[..., Any]:
    """Counting where all that pages sent weighs the same."""

    def whole(log: Log, corpus: Corpus, *_: Any, seed: int, **__: Any) -> Any:
        nothing = influence.limited(log.between(0, 0), corpus.n_articles)
        return log, position_bias.estimate(log, seed=seed), nothing

    return whole


UNCAPPED: Patches = [(pipeline, "weighed", _uncapped)]


def liking(taste: Readers, hit: str, times: float = 4.0) -> Readers:
    """Readers who like one article so many times as much, whatever they read."""

    def appeal(page: str, target: str) -> float:
        return min(1.0, taste.appeal(page, target) * (times if target == hit else 1.0))

    return replace(taste, appeal=appeal)


def missed(site: Site, page: str, lists: dict[str, list[str]]) -> float:
    """How many clicks a view of a page's list wins less than the best possible one."""
    wanted = sorted((site.readers.appeal(page, other) for other in site.pages), reverse=True)
    best = float((np.array(wanted[:SHOWN]) * site.readers.examined).sum())
    return best - site.readers.clicks(page, lists[page])


def oddities(site: Site) -> Iterator[tuple[str, ...]]:
    """Rows: lists after honest but odd days, of builds without caps and with them."""
    with outcome(site, nothing, 0) as found:
        before = found.lists
    # A campaign helps most where the list is far from the best possible one.
    some = site.pages[:: max(1, len(site.pages) // 50)]
    page = max(some, key=lambda page: missed(site, page, before))
    hit = Counter(links[1] for links in before.values()).most_common(1)[0][0]
    likes = liking(site.readers, hit)
    campaign = both(visitors(), visitors(5_000, page=page))
    cases: list[tuple[str, Act, int, Readers, list[str]]] = [
        ("5,000 readers of one page in a day: its list", campaign, 1, site.readers, [page]),
        ("the same: all lists", campaign, 1, site.readers, site.pages),
        ("an article four times as liked, 14 days", visitors(taste=likes), 14, likes, site.pages),
        ("pages that ask for three links, 14 days", visitors(k=3), 14, site.readers, site.pages),
        ("pages that leave out what was read, 14 days", visitors(leaving_out=True), 14,
         site.readers, site.pages),
    ]  # fmt: skip
    for name, act, days, taste, pages in cases:
        prices = [site.price({page: before[page] for page in pages}, taste)]
        for patches in (UNCAPPED, []):
            with patched(patches), outcome(site, act, days) as found:
                prices.append(site.price({page: found.lists[page] for page in pages}, taste))
                sent = str(found.bundle.about.sent)
        gain = [price - prices[0] for price in prices[1:]]
        kept_gain = f"{gain[1] / gain[0]:.0%}" if gain[0] > 0.2 else "-"
        yield name, *(f"{price:.1f}" for price in prices), kept_gain, sent


HEAD = (
    "what one client sends", "events, posts", "without it", "with it", "", "links kept elsewhere",
    "place of the link on the first page", "lists that hold it", "decided by",
)  # fmt: skip


ODD_HEAD = (
    "honest, but odd", "before", "without caps", "with caps", "of the gain", "what counts",
)  # fmt: skip


def run() -> None:
    """Print what each attack does on each site."""
    for made in (sample, questions):
        if made is questions and not REAL.is_dir():
            print(f"No real data at {REAL}: set BENCH_DATA to measure on it.")
            continue
        with made() as site:
            print(f"\n{site.name}; expected clicks per 100 views\n")
            table(HEAD, attacked(site))
            table(ODD_HEAD, oddities(site))
            table(("after", "expected clicks", "what the gate decides"), judged(site))
