"""What one network sends in a day is bounded, and from where it came is written nowhere."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sql
from asking import BEARER, KEY, NOW, Client, Clock, articles, publish
from fastapi import FastAPI
from sent import followed, opened, shown

from recommender.articles.batch import Batch
from recommender.config import Settings
from recommender.events.event import DAY_MS, Click, Impression
from recommender.events.ingest import BEYOND_ORIGIN, BY_CRAWLER, IMPORTED, Incoming
from recommender.store.counts import count
from recommender.store.database import Store
from recommender.training.log_checks import validate
from recommender.training.pipeline import Options, build
from recommender_api import app as app_module
from recommender_api import origins as origins_module
from recommender_api.app import create_app
from recommender_api.origins import LEAST_EVENTS, LEAST_PAGE_VIEWS, N_ORIGINS, Origins

NOON = 1_795_348_800_000
SECRET = b"a key of the day"
FLOOD = "203.0.113.9"
# Of networks that the key above tells apart.
READERS = [f"198.18.{network}.7" for network in range(20)]
AGENT = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"}


class Time:
    """Milliseconds since 1970 that stand still until they are moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def origins(time: Time) -> Origins:
    return Origins(clock=time, new_key=lambda: SECRET)


def views(n: int, *, pages: int = 1_000, first: int = 0) -> list[Incoming]:
    """So many views, of one page after another."""
    return [
        shown(f"v{first + number}", 7, source=1 + number % pages)
        for number in range(n)
    ]  # fmt: skip


def n_marked(events: Sequence[Incoming]) -> int:
    return sum(event[-1] == BEYOND_ORIGIN for event in events if not isinstance(event, str))


def others_post(origins: Origins, *, n: int = 10, each: int = 1) -> int:
    """Readers of ``n`` networks send ``each`` views; how many of these are marked."""
    return sum(n_marked(origins.mark(views(each), READERS[at])) for at in range(n))


# What is too much


def test_a_flood_counts_up_to_its_allowance_over_the_whole_site(origins: Origins):
    """100 events, whatever they are and on however many pages; others are untouched."""
    assert others_post(origins) == 0

    first = origins.mark([*views(60), *(followed(f"v{at}", 7) for at in range(30))], FLOOD)
    then = origins.mark([*(opened(at) for at in range(1, 21)), *views(30)], FLOOD)

    assert LEAST_EVENTS == 100
    assert (n_marked(first), n_marked(then)) == (0, 40)
    assert [event.live for event in then[:11]] == [1] * 10 + [BEYOND_ORIGIN]
    assert others_post(origins, each=50) == 0


def test_who_sends_no_more_than_ten_times_the_others_is_let_be(origins: Origins):
    """Where ten others send 40 each one may send 400, and its own do not raise that."""
    others_post(origins, each=40)

    assert n_marked(origins.mark(views(400), FLOOD)) == 0
    assert n_marked(origins.mark(views(400, first=400), FLOOD)) == 400


def test_of_one_page_an_origin_counts_few_views(origins: Origins):
    """Ten times the mean of such pairs, here 10; other pages are free, and clicks are no views."""
    others_post(origins, each=20)

    marked = origins.mark([*views(50, pages=1), *views(20), followed("v1", 7)], FLOOD)

    # Of the second twenty one is of the same page.
    assert n_marked(marked[:50]) == 40
    assert n_marked(marked[50:]) == 1


def test_the_least_of_one_page_is_five(origins: Origins):
    """Where nobody else shows anything."""
    for address in READERS[:10]:
        origins.mark([opened(3)], address)

    assert LEAST_PAGE_VIEWS == 5
    assert n_marked(origins.mark(views(50, pages=1), FLOOD)) == 45


def test_a_page_that_everybody_opens_is_opened_often_from_everywhere(origins: Origins):
    """Ten origins open it 5 times each, and each of a hundred others once: 50 from the next."""
    for address in READERS[:10]:
        origins.mark([*views(5, pages=1), *views(101)[1:]], address)

    assert n_marked(origins.mark(views(100, pages=1), FLOOD)) == 50


def test_two_that_help_each_other_gain_little(origins: Origins):
    """Of twenty readers with one view each and a flood, the second flood's mean is 120 / 21."""
    others_post(origins, n=20)
    origins.mark(views(5_000), FLOOD)

    assert n_marked(origins.mark(views(5_000), "192.0.2.1")) == 4_900


# Who is told apart


def test_a_network_is_one_origin(origins: Origins):
    """254 neighbours have one allowance, and so has an IPv6 site of 65,536 networks."""
    others_post(origins)
    for neighbours in (
        [f"203.0.113.{number}" for number in range(1, 201)],
        [f"2001:db8:1:{number:x}::/64" for number in range(200)],
    ):
        marked = [
            n_marked(origins.mark([shown(f"v{at}", 7, source=at)], address))
            for at, address in enumerate(neighbours)
        ]
        assert (sum(marked[:100]), sum(marked)) == (0, 100)


def test_where_everything_comes_from_one_place_nothing_is_capped(origins: Origins):
    """As behind a proxy that is in no setting, though some come by another way."""
    for at in range(0, 5_000, 500):
        assert n_marked(origins.mark(views(500, pages=1, first=at), "10.1.2.3")) == 0
    others_post(origins, n=8)
    assert n_marked(origins.mark(views(500), "10.1.2.3")) == 0

    others_post(origins, n=9)

    assert n_marked(origins.mark(views(500), "10.1.2.3")) == 500


def test_yesterdays_origins_show_that_they_can_be_told_apart(origins: Origins, time: Time):
    """Their number is all that is kept, for a day."""
    others_post(origins)
    time.now += DAY_MS
    assert n_marked(origins.mark(views(200), FLOOD)) == 100
    time.now += DAY_MS
    assert n_marked(origins.mark(views(200), FLOOD)) == 0
    others_post(origins)
    time.now += 2 * DAY_MS

    assert n_marked(origins.mark(views(200), FLOOD)) == 0


def test_an_unknown_origin_is_not_capped(origins: Origins):
    """As of this machine itself; but all who hide their address are one."""
    others_post(origins)

    assert n_marked(origins.mark(views(500), None)) == 0
    assert n_marked(origins.mark(views(500), "")) == 400


def test_what_is_imported_or_a_crawlers_uses_up_nothing(origins: Origins):
    """And stays what it is."""
    others_post(origins)
    events = [shown(f"v{at}", 7, source=at, live=live)
              for at in range(200) for live in (IMPORTED, BY_CRAWLER)]  # fmt: skip

    assert origins.mark(events, FLOOD) == events
    assert n_marked(origins.mark(views(100), FLOOD)) == 0


# What is forgotten


def test_a_new_day_forgets(time: Time):
    """Counts and key, with the first post, or within a minute where nobody posts."""
    keys = iter([b"first", b"second", b"third"])
    origins = Origins(clock=time, new_key=lambda: next(keys))
    others_post(origins)
    origins.mark(views(200), FLOOD)
    assert origins.poll() == 60
    assert remembers(origins, b"first")

    time.now += DAY_MS - NOON % DAY_MS
    assert n_marked(origins.mark(views(100), FLOOD)) == 0
    assert remembers(origins, b"second")
    time.now += DAY_MS
    origins.poll()

    assert remembers(origins, b"third")
    assert n_marked(origins.mark(views(100), FLOOD)) == 0


def remembers(origins: Origins, key: bytes) -> bool:
    """Is this the one key of all that an object holds?"""
    found = [each for each in reachable(origins) if isinstance(each, bytes)]
    return found == [key]


def reachable(thing: object) -> Iterator[object]:
    """What an object of ours holds, at any depth."""
    for each in vars(thing).values():
        yield each
        if type(each).__module__ == origins_module.__name__:
            yield from reachable(each)
        elif isinstance(each, tuple):
            yield from each


def test_no_more_is_remembered_than_has_room(origins: Origins, monkeypatch: pytest.MonkeyPatch):
    """Beyond that of pairs of origin and page, an origin's own allowance is left."""
    monkeypatch.setattr(origins_module, "MAX_CELLS", 30)
    others_post(origins, each=2)

    assert n_marked(origins.mark(views(50, pages=1), FLOOD)) == 40
    assert n_marked(origins.mark(views(10), FLOOD)) == 1
    # All thirty pairs are taken: 200 views of a thirty-first.
    new = [shown(f"n{at}", 7, source=5_000) for at in range(200)]
    assert n_marked(origins.mark(new, FLOOD)) == 200 - (100 - 10 - 9)
    assert (
        max(len(each) for each in reachable(origins) if isinstance(each, dict | list)) == N_ORIGINS
    )


# Through the service


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("origins") / "models"
    publish(folder)
    return folder


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def of_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The services here have the key above: by one drawn at random two networks may be one."""
    monkeypatch.setattr(app_module, "Origins", partial(Origins, new_key=lambda: SECRET))


def service(models: Path, store: Path, clock: Clock, **more: Any) -> FastAPI:
    settings = Settings(
        database=f"sqlite:///{store}", models=models, editorial=store.with_suffix(".csv"),
        admin_key=KEY, signing_key="for tokens", event_rate=0, event_origin="on",
    )  # fmt: skip
    return create_app(replace(settings, **more), clock=clock)


@pytest.fixture
def app(models: Path, tmp_path: Path, clock: Clock) -> Iterator[FastAPI]:
    made = service(models, tmp_path / "store.db", clock)
    yield made
    made.stored.close()


def post(app: FastAPI, address: str, events: list[dict[str, Any]], **headers: Any) -> None:
    async def ask() -> httpx.Response:
        way = httpx.ASGITransport(app, client=(address, 1))
        async with httpx.AsyncClient(transport=way, base_url="http://test") as asking:
            return await asking.post(
                "/v1/events", content=json.dumps(events), headers={**AGENT, **headers}
            )

    answer = asyncio.run(ask())
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"accepted": len(events), "duplicate": 0, "rejected": []}


def seen(app: FastAPI, name: str, n: int, page: str = "knee-1") -> list[dict[str, Any]]:
    """So many views of a page, each with a click."""
    slate = Client(app).get("/v1/related", params={"id": page}).json()["slate"]
    return [
        {"view_id": f"{name}{at}", "slate": slate, **each}
        for at in range(n)
        for each in ({"type": "impression"}, {"type": "click", "position": 1, "age_ms": 0})
    ]


def readers_post(app: FastAPI) -> None:
    for at, address in enumerate(READERS):
        post(app, address, [event for event in seen(app, f"r{at} ", 1) if "position" not in event])


def figures(app: FastAPI, name: str) -> dict[str, float]:
    text = Client(app).get("/metrics", headers=BEARER).text
    lines = [line for line in text.splitlines() if line.startswith(f"{name}{{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


def test_a_flood_is_stored_flagged_and_shown_before_any_training(app: FastAPI, clock: Clock):
    """20 readers' views count and 10 of the flood's 40; its answers do not differ."""
    readers_post(app)
    clock.now += timedelta(seconds=61)
    flood = seen(app, "f", 40)

    post(app, FLOOD, [event for event in flood if "position" not in event])
    clock.now += timedelta(seconds=61)

    assert figures(app, "recommender_events_capped") == {"day": 0, "origin": 30, "slate": 0}
    today = figures(app, "recommender_events_today")
    assert today == {"views": 30, "clicks": 0, "brought": 0}
    assert figures(app, "recommender_events_flagged")["origin"] == 30
    with app.stored.store.reading() as connection:
        assert connection.scalar(sql.text("SELECT COUNT(*) FROM views")) == 60
    assert count(app.stored.store, ["knee-1"]).n_views.sum() == 30
    checks = {each.name: each for each in validate(app.stored.store, now_ms=app.stored.now_ms())}
    doubt = checks["few events are doubtful"]
    assert (doubt.passed, doubt.summary) == (
        False, "30 of 60 live events are left out (origin 30)"
    )  # fmt: skip
    assert checks["few events are refused"].summary == "0 of 60 events that pages sent were refused"


def test_the_admin_key_is_never_capped(app: FastAPI):
    """Nor is what it imports."""
    readers_post(app)

    post(app, FLOOD, seen(app, "f", 200), **BEARER)

    assert figures(app, "recommender_events_capped")["origin"] == 0


def test_by_default_nothing_is_capped(models: Path, tmp_path: Path, clock: Clock):
    """The setting is off."""
    app = service(models, tmp_path / "store.db", clock, event_origin=Settings().event_origin)
    readers_post(app)

    post(app, FLOOD, seen(app, "f", 200))

    assert Settings().event_origin == "off"
    assert figures(app, "recommender_events_capped") == {"day": 0, "origin": 0, "slate": 0}
    app.stored.close()
    with Store(f"sqlite:///{tmp_path / 'store.db'}") as store, store.reading() as connection:
        live = connection.scalars(sql.text("SELECT DISTINCT live FROM views"))
        assert list(live) == [1]


def test_nothing_of_where_events_came_from_is_written(models: Path, tmp_path: Path, clock: Clock):
    """Two services whose readers come from elsewhere hold the same rows; and in no file of theirs,
    nor in the figures, stands an address, a network, the key or the hash.
    """
    found = []
    for number in (0, 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        app = service(models, folder / "store.db", clock)
        app.events.origins.new_key = lambda: SECRET
        addresses = [f"198.{18 + number}.{network}.77" for network in range(12)]
        for at, address in enumerate(addresses):
            post(app, address, seen(app, f"r{at} ", 1))
        post(app, f"203.0.{113 + number}.99", seen(app, "f", 150))
        metrics = Client(app).get("/metrics", headers=BEARER).text
        marks = list(hashes(app, [*addresses, f"203.0.{113 + number}.99"]))
        app.stored.close()
        written = b"".join(path.read_bytes() for path in folder.iterdir()) + metrics.encode()
        for part in (b"198.", b"203.0", SECRET, SECRET.hex().encode()):
            assert part not in written
        with Store(f"sqlite:///{folder / 'store.db'}") as store, store.reading() as connection:
            tables = ("views", "clicks", "pageviews", "slates", "tallies")
            held = {
                table: sorted(map(tuple, connection.execute(sql.text(f"SELECT * FROM {table}"))))
                for table in tables
            }
        numbers = Counter(value for row in held["views"] + held["clicks"] for value in row)
        assert not any(numbers[mark] for mark in marks if mark > 300)
        found.append(held)

    assert found[0] == found[1]
    assert BEYOND_ORIGIN in {row[-1] for row in found[0]["views"]}


def hashes(app: FastAPI, addresses: Sequence[str]) -> Iterator[int]:
    """The hash of each address's network, under the key of the day."""
    today = app.events.origins._today
    return (today.origin(address) for address in addresses)


def test_a_day_beyond_what_usual_days_bring_shows_before_any_training(tmp_path: Path, clock: Clock):
    """By what the live bundle found usual: 40 views, so 100 and two times 40. Clicks are not
    limited apart.
    """
    with Store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        batch = Batch()
        for article in articles():
            batch.add(article, "test")
        store.apply(batch)
        for day in range(1, 5):
            ts = int(NOW.timestamp() * 1000) - day * DAY_MS
            names = [f"{day} {number}" for number in range(40)]
            store.add_events(Impression(name, ts, "knee-1", ("knee-2",)) for name in names)
            store.add_events(Click(name, ts, "knee-2") for name in names[:5])
        build(store, tmp_path / "models", now=NOW, options=Options(jobs=1))
    app = service(tmp_path / "models", tmp_path / "store.db", clock)

    post(app, FLOOD, seen(app, "f", 190))

    assert figures(app, "recommender_events_today") == {"views": 190, "clicks": 190, "brought": 0}
    assert figures(app, "recommender_events_capped") == {"day": 10, "origin": 0, "slate": 0}
    app.stored.close()


def test_views_of_what_only_a_request_brought_are_shown(app: FastAPI):
    """A list asked for without its first links."""
    items = Client(app).get("/v1/related?id=knee-1&k=3").json()["items"]
    query = {"id": "knee-1", "k": 3, "exclude": [item["id"] for item in items]}
    slate = Client(app).get("/v1/related", params=query).json()["slate"]

    post(app, FLOOD, [{"type": "impression", "view_id": "v", "slate": slate}])

    assert figures(app, "recommender_events_today")["brought"] == 1


def test_figures_of_today_are_of_today(app: FastAPI, clock: Clock):
    """Tomorrow begins with none."""
    post(app, FLOOD, seen(app, "f", 3))
    assert figures(app, "recommender_events_today")["views"] == 3

    clock.now = NOW + timedelta(days=1)

    assert figures(app, "recommender_events_today")["views"] == 0
