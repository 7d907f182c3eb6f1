"""What pages send is checked, durable before it is answered, and counted once."""

import asyncio
import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sql
from asking import BEARER, KEY, NOW, ODD, Client, Clock, articles, is_error, publish
from fastapi import FastAPI

from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.config import Settings
from recommender.events.slate_token import Signer, Slate
from recommender.frames.site import Site
from recommender.store.counts import count
from recommender.store.database import Store, signing_keys, store_name
from recommender.training.log_checks import KNOWN_NUMBERS, validate
from recommender.training.pipeline import Options, build
from recommender_api.app import create_app
from recommender_api.events import MAX_EVENTS
from recommender_api.http import MAX_BODY_BYTES

BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"}
ROBOT = {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
MS = int(NOW.timestamp() * 1000)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("events") / "models"
    publish(folder)
    return folder


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(models: Path, database: str, tmp_path: Path) -> Settings:
    return Settings(
        database=database,
        models=models,
        editorial=tmp_path / "editorial.csv",
        admin_key=KEY,
        allowed_origins="https://site.example, http://other.example:8080",
        trusted_proxies="10.0.0.0/8",
        event_rate=5,
    )


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Iterator[FastAPI]:
    """An application on a store of each kind."""
    made = create_app(settings, clock=clock)
    yield made
    made.stored.close()


@pytest.fixture
def client(app: FastAPI) -> Client:
    return Client(app)


def slate_of(client: Client, id: str = "knee-1", **query: object) -> str:
    token = client.get("/v1/related", params={"id": id, **query}).json()["slate"]
    assert isinstance(token, str)
    return token


def send(client: Client, *events: object, **headers: str | bytes) -> httpx.Response:
    body = json.dumps(events[0] if len(events) == 1 else events)
    return client.post("/v1/events", content=body, headers={**BROWSER, **headers})


def seen(view: str, slate: str, **more: object) -> dict[str, object]:
    return {"type": "impression", "view_id": view, "slate": slate, **more}


def followed(view: str, slate: str, position: int, **more: object) -> dict[str, object]:
    return {"type": "click", "view_id": view, "slate": slate, "position": position, **more}


def taken(response: httpx.Response) -> tuple[int, int, list[tuple[int, str]]]:
    assert response.status_code == 202, response.text
    told = response.json()
    faults = [(each["index"], each["reason"]) for each in told["rejected"]]
    return told["accepted"], told["duplicate"], faults


def rows(database: str, statement: str) -> list[tuple[Any, ...]]:
    """What stands in the store, read from outside."""
    with Store(database) as store, store.reading() as connection:
        return [tuple(row) for row in connection.execute(sql.text(statement))]


# What is taken


def test_an_event_is_durable_when_it_is_answered(client: Client, settings: Settings):
    """Another process finds the view, and what was sent to it, down to origins and chances."""
    answer = client.get("/v1/related?id=knee-1&k=3&variant=99").json()

    told = taken(send(client, seen("v1", answer["slate"], session_id="s", layout="sidebar")))

    assert told == (1, 0, [])
    view = "SELECT view_id, ts, session, layout, arm, variant, live FROM views"
    assert rows(settings.database, view) == [("v1", MS, "s", "sidebar", "explore", 99, 1)]
    links = rows(
        settings.database,
        "SELECT i.id, l.position, l.origin, s.list, l.propensity FROM views v "
        "JOIN slates s ON s.slate = v.slate JOIN slate_links l ON l.slate = s.slate "
        "JOIN ids i ON i.key = l.item ORDER BY l.rank",
    )
    assert [link[:4] for link in links] == [
        (item["id"], item["position"], item["origin"], answer["model"]) for item in answer["items"]
    ]
    assert all(0 < chance <= 1 for *_, chance in links)


def test_a_click_is_on_what_stood_at_the_position(client: Client, settings: Settings):
    """Whatever the order of arrival; the slate may come from a list asked for differently."""
    answer = client.get("/v1/related?id=knee-1&k=4&exclude=knee-2").json()

    first = taken(send(client, followed("v1", answer["slate"], 2)))
    then = taken(send(client, seen("v1", answer["slate"])))

    assert (first, then) == ((1, 0, []), (1, 0, []))
    clicked = "SELECT i.id FROM clicks c JOIN ids i ON i.key = c.item"
    assert rows(settings.database, clicked) == [(answer["items"][1]["id"],)]


def test_a_duplicate_counts_once(client: Client):
    """Within a post and later; another link of the same view is another click."""
    slate = slate_of(client)
    events = [seen("v1", slate), seen("v1", slate), followed("v1", slate, 1),
              followed("v1", slate, 1), followed("v1", slate, 2)]  # fmt: skip

    assert taken(send(client, *events)) == (3, 2, [])
    assert taken(send(client, *events)) == (0, 5, [])


def test_a_bad_event_does_not_cost_its_neighbours(client: Client):
    """Each refused one is named by its place in the post, with a reason."""
    slate = slate_of(client, k=3)
    made_up = Slate("b", None, "", 1, (2, 3), ("model", "text"), None)
    forged = Signer([b"a guess"]).sign(made_up)

    told = taken(
        send(
            client,
            seen("v1", slate),
            seen("v2", forged),
            followed("v1", slate, 4),
            followed("v1", slate, 0),
            {"type": "impression", "view_id": "v3", "source_id": "knee-1", "shown": ["knee-2"]},
            seen("x" * 200, slate),
            seen("", slate),
            {"type": "wish"},
            "nonsense",
            followed("v1", slate, 3),
            {"type": "pageview", "article_id": "nobody"},
            {"type": "pageview", "article_id": ODD},
        )
    )

    assert told == (3, 0, [
        (1, "forged"), (2, "bad_position"), (3, "bad_position"), (4, "unsigned"),
        (5, "oversized"), (6, "malformed"), (7, "malformed"), (8, "malformed"),
        (10, "unknown_article"),
    ])  # fmt: skip


def test_a_page_may_say_how_long_ago_it_was(client: Client, settings: Settings):
    """Up to an hour; its own clock, and a time it makes up, are not believed."""
    slate = slate_of(client)

    told = taken(
        send(
            client,
            seen("v1", slate, age_ms=1500),
            seen("v2", slate, age_ms=4_000_000),
            seen("v3", slate, ts="2020-01-01T00:00:00Z"),
        )
    )

    assert told == (2, 0, [(1, "malformed")])
    assert rows(settings.database, "SELECT view_id, ts FROM views ORDER BY view_id") == [
        ("v1", MS - 1500), ("v3", MS),
    ]  # fmt: skip


def test_the_admin_key_brings_time_and_whole_records(client: Client, settings: Settings):
    """As an import has them; without it they are refused."""
    slate = slate_of(client)
    whole = {
        "type": "impression", "view_id": "v2", "ts": "2026-11-21T10:00:00Z",
        "source_id": "elsewhere", "shown": ["a", "b"], "propensities": [0.5, 0.25],
    }  # fmt: skip
    click = {"type": "click", "view_id": "v2", "ts": "2026-11-21T10:01:00Z", "clicked": "b"}
    events = [seen("v1", slate, ts="2026-11-20T10:00:00Z"), whole, click]

    assert taken(send(client, *events, **BEARER)) == (3, 0, [])
    assert taken(send(client, whole))[2] == [(0, "unsigned")]
    assert is_error(send(client, whole, authorization="Bearer guess"), 401, "unauthorized")
    days = "SELECT view_id, ts / 86400000, live FROM views ORDER BY view_id"
    assert rows(settings.database, days) == [("v1", 20777, 0), ("v2", 20778, 0)]


def test_a_slate_is_known_after_its_bundle_is_gone(
    client: Client, settings: Settings, tmp_path: Path
):
    """By whichever process is asked, with any bundle, or none."""
    answer = client.get("/v1/related?id=sleep-1&variant=3").json()
    other = create_app(
        Settings(database=settings.database, models=tmp_path / "none"), clock=lambda: NOW
    )

    told = taken(send(Client(other), followed("v1", answer["slate"], 1)))

    other.stored.close()
    assert told == (1, 0, [])
    clicked = "SELECT i.id FROM clicks c JOIN ids i ON i.key = c.item"
    assert rows(settings.database, clicked) == [(answer["items"][0]["id"],)]


def test_a_key_may_be_changed_while_pages_are_open(settings: Settings):
    """Tokens of the old key stay good, and a process that runs on under it takes new ones."""
    old = create_app(settings, clock=lambda: NOW)
    before = slate_of(Client(old))
    changed = Settings(**{**{name: getattr(settings, name) for name in settings.__slots__},
                          "signing_key": "a new one"})  # fmt: skip
    new = create_app(changed, clock=lambda: NOW)
    after = slate_of(Client(new))

    told = [
        taken(send(Client(app), seen(f"v{number}", slate)))
        for number, (app, slate) in enumerate(((new, before), (old, after), (old, before)))
    ]

    old.stored.close()
    new.stored.close()
    assert before != after
    assert told == [(1, 0, [])] * 3


def test_what_reader_and_crawler_do_is_told_apart(client: Client, settings: Settings):
    """A crawler's view is kept and not counted; what the agent was is stored nowhere."""
    slate = slate_of(client)

    told = taken(send(client, seen("v1", slate), **ROBOT)), taken(send(client, seen("v2", slate)))

    assert told == ((1, 0, []), (1, 0, []))
    with Store(settings.database) as store:
        log = count(store, ["knee-1"])
    assert log.n_views.sum() == 1
    metrics = client.get("/metrics", headers=BEARER).text
    assert 'recommender_events_flagged{reason="crawler"} 1.0' in metrics


# Who may send, and how much


@pytest.mark.parametrize(
    ("origin", "may"),
    [
        ("https://site.example", True),
        ("https://SITE.example", True),
        ("http://other.example:8080", True),
        ("http://test", True),
        ("http://site.example", False),
        ("https://site.example.evil", False),
        ("http://other.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_pages_of_other_sites_may_not_send(client: Client, origin: str, may: bool):
    """Allowed are those the settings name, and the API's own; the answer is open to them alone."""
    body = json.dumps(seen("v1", slate_of(client)))

    sent = client.post("/v1/events", content=body, headers={**BROWSER, "origin": origin})
    asked = client.request("OPTIONS", "/v1/events", headers={
        "origin": origin, "access-control-request-method": "POST",
    })  # fmt: skip

    if may:
        assert sent.status_code == 202
        assert asked.status_code == 204
        for answer in (sent, asked):
            assert answer.headers["access-control-allow-origin"] == origin
            assert answer.headers["vary"] == "Origin"
    else:
        assert is_error(sent, 403, "origin_not_allowed")
        assert is_error(asked, 403, "origin_not_allowed")


@pytest.mark.parametrize("kind", ["text/plain", "text/plain;charset=UTF-8", "application/json", ""])
def test_events_come_as_json_or_as_text(client: Client, kind: str):
    """As sendBeacon sends them, as well as fetch."""
    body = json.dumps(seen("v1", slate_of(client)))

    answer = client.post("/v1/events", content=body, headers={**BROWSER, "content-type": kind})

    assert taken(answer) == (1, 0, [])


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", "text/plain", 400, "invalid_json"),
        (b"\xff\xfe", "text/plain", 400, "invalid_json"),
        (b"[" * 100_000, "text/plain", 400, "invalid_json"),
        (b"", "application/json", 400, "invalid_json"),
        (b"type=click", "application/x-www-form-urlencoded", 400, "invalid_json"),
        (b"{}", "image/png", 415, "unsupported_media_type"),
        (json.dumps([{}] * (MAX_EVENTS + 1)).encode(), "text/plain", 413, "too_many_events"),
        (b" " * (MAX_BODY_BYTES + 1), "text/plain", 413, "body_too_large"),
    ],
)
def test_a_post_that_is_no_list_of_events_is_refused(
    client: Client, body: bytes, kind: str, status: int, code: str
):
    """As a whole, in the one shape of errors."""
    answer = client.post("/v1/events", content=body, headers={**BROWSER, "content-type": kind})

    assert is_error(answer, status, code)


def test_an_empty_list_is_taken(client: Client):
    """It says nothing, which is no fault."""
    assert taken(send(client, *[[]])) == (0, 0, [])


def test_a_client_in_a_hurry_has_to_wait(app: FastAPI, clock: Clock):
    """Counted by address, behind our own proxies by the one they name; the admin is exempt."""
    client = Client(app)
    slate = slate_of(client)

    def post(address: str, **headers: str | bytes) -> int:
        way = httpx.ASGITransport(app, client=(address, 1))

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=way, base_url="http://test") as asking:
                return await asking.post(
                    "/v1/events", json=seen("v", slate), headers={**BROWSER, **headers}
                )

        return asyncio.run(ask()).status_code

    assert [post("203.0.113.5") for _ in range(6)] == [202] * 5 + [429]
    assert post("203.0.113.6") == 202
    assert post("203.0.113.5", **{"x-forwarded-for": "203.0.113.9"}) == 429
    assert post("10.0.0.1", **{"x-forwarded-for": "203.0.113.9, 203.0.113.5"}) == 429
    assert post("10.0.0.1", **{"x-forwarded-for": "203.0.113.5, 203.0.113.9"}) == 202
    assert post("203.0.113.5", **BEARER) == 202


def test_both_ways_to_it_are_one(app: FastAPI):
    """The short way and the route that is documented say the same."""
    slate = slate_of(Client(app))

    routed = send(Client(app.by_route), seen("v1", slate), "nonsense")
    short = send(Client(app), seen("v2", slate), "nonsense")

    assert routed.status_code == short.status_code == 202
    assert routed.json() == short.json()
    assert routed.headers == short.headers


# When the store fails


def test_while_the_store_is_locked_nothing_is_lost(tmp_path: Path, models: Path):
    """Events wait, lists go on; those that were refused were not kept."""
    database = f"sqlite:///{tmp_path / 'store.db'}"
    app = create_app(Settings(database=database, models=models), clock=lambda: NOW)
    slate = slate_of(Client(app))
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    answers: list[httpx.Response] = []

    other.execute("BEGIN IMMEDIATE")
    waiting = threading.Thread(target=lambda: answers.append(send(Client(app), seen("v1", slate))))
    waiting.start()
    time.sleep(0.2)
    listed = Client(app).get("/v1/related?id=knee-1")
    other.execute("COMMIT")
    waiting.join()

    app.stored.close()
    assert listed.status_code == 200
    assert taken(answers[0]) == (1, 0, [])
    assert rows(database, "SELECT view_id FROM views") == [("v1",)]


def test_a_store_that_fails_is_a_clear_refusal(settings: Settings, clock: Clock):
    """Lists go on, and when the store is well again so do events."""
    app = create_app(settings, clock=clock)
    client = Client(app)
    slate = slate_of(client)
    with app.stored.store.transaction() as connection:
        connection.execute(sql.text("ALTER TABLE views RENAME TO elsewhere"))

    refused = send(client, seen("v1", slate))
    listed = client.get("/v1/related?id=knee-1")
    with app.stored.store.transaction() as connection:
        connection.execute(sql.text("ALTER TABLE elsewhere RENAME TO views"))
    again = send(client, seen("v1", slate))

    app.stored.close()
    assert is_error(refused, 503, "store_unavailable")
    assert refused.headers["retry-after"] == "5"
    assert listed.status_code == 200
    assert taken(again) == (1, 0, [])


def test_without_a_store_lists_are_served_and_events_refused(models: Path):
    """A list then names no slate, so pages have nothing to send."""
    settings = Settings(database="sqlite:////nowhere/at/all.db", models=models)
    app = create_app(settings, clock=lambda: NOW)
    client = Client(app)

    answer = client.get("/v1/related?id=knee-1&variant=3")

    assert (answer.status_code, answer.json()["slate"]) == (200, None)
    assert is_error(send(client, {}), 503, "store_unavailable")


# A store that is not what it was


def batch_of(given: list[Article]) -> Batch:
    batch = Batch()
    for article in given:
        batch.add(article, "test")
    return batch


@pytest.fixture
def restored(tmp_path: Path) -> Iterator[tuple[Settings, dict[str, str]]]:
    """A site whose store went back to a backup that is older than its live bundle and than an
    article put since; slates of before, by page. In the store as it is now other articles have the
    numbers that these had.
    """
    settings = Settings(
        database=f"sqlite:///{tmp_path}/store.db", models=tmp_path / "models",
        editorial=tmp_path / "none.csv", admin_key=KEY,
    )  # fmt: skip
    backup = tmp_path / "backup.db"
    *first, late, _ = articles()
    zebra = Article(id="zebra", title="Zebra", body="zebra stripes savannah")
    with Store(settings.database) as store:
        store_name(store)
        signing_keys(store, now_ms=MS)
        store.apply(batch_of(first))
        build(store, settings.models, now=NOW, options=Options(jobs=1))
    shutil.copy(tmp_path / "store.db", backup)
    with Store(settings.database) as store:
        store.apply(batch_of([zebra, late]))
        # In another order than that in which the store would number both anew.
        store.keys_of([zebra.id])
        build(store, settings.models, now=NOW, options=Options(jobs=1))
    app = create_app(settings, clock=lambda: NOW)
    client = Client(app)
    new = {"id": "new", "title": "Knee and new", "body": "knee joint cartilage meniscus tendon"}
    client.request("PUT", "/v1/articles", json=[new], headers=BEARER)
    slates = {id: slate_of(client, id) for id in ("knee-1", "sleep-2", late.id, "new")}
    app.stored.close()
    for name in ("store.db-wal", "store.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    shutil.copy(backup, tmp_path / "store.db")
    yield settings, slates


def test_what_was_signed_before_a_backup_was_restored_is_refused(
    restored: tuple[Settings, dict[str, str]],
):
    """Its numbers mean nothing now, and other articles as soon as these come; lists of today have
    slates that count, the page's that the store has lost too, and training goes on.
    """
    settings, slates = restored
    app = create_app(settings, clock=lambda: NOW)
    client = Client(app)
    other = {"id": "other", "title": "Sleep and more", "body": "sleep night dream snoring"}

    early = taken(send(client, *(seen(f"a{id}", slates[id]) for id in slates)))
    client.request("PUT", "/v1/articles", json=[other], headers=BEARER)
    later = taken(send(client, *(seen(f"b{id}", slates[id]) for id in slates)))
    today = taken(send(client, *(seen(id, slate_of(client, id)) for id in ("alone", "other"))))
    app.stored.close()

    refused = [(at, "other_store") for at in range(4)]
    assert (early, later, today) == ((0, 0, refused), (0, 0, refused), (2, 0, []))
    with Store(settings.database) as store:
        views = Site(store).impressions()
        built = build(store, settings.models, now=NOW, options=Options(jobs=1))
        found = validate(store, now_ms=MS)
    assert sorted(views.source_id) == ["alone", "other"]
    assert built.about.n_views == 2
    assert all(check.passed for check in found if check.name == KNOWN_NUMBERS)


def test_workers_agree_that_a_store_went_back(restored: tuple[Settings, dict[str, str]]):
    """Each notices for itself, and what one signs another takes."""
    settings, _ = restored
    apps = [create_app(settings, clock=lambda: NOW) for _ in range(2)]
    clients = [Client(app) for app in apps]

    told = [
        taken(send(other, seen(f"v{at}", slate_of(client))))
        for at, (client, other) in enumerate([clients, clients[::-1]])
    ]
    for app in apps:
        app.stored.close()

    assert told == [(1, 0, []), (1, 0, [])]


def test_a_store_with_the_same_key_is_another_store(models: Path, tmp_path: Path):
    """Staging and production may share the setting, and the bundle."""
    apps = [
        create_app(
            Settings(database=f"sqlite:///{tmp_path}/{name}.db", models=models, signing_key="one"),
            clock=lambda: NOW,
        )
        for name in ("staging", "production")
    ]
    staging, production = map(Client, apps)

    told = taken(send(production, seen("v1", slate_of(staging)), seen("v2", slate_of(production))))
    tallies = rows(f"sqlite:///{tmp_path}/production.db", "SELECT name, n FROM tallies")
    for app in apps:
        app.stored.close()

    assert told == (1, 0, [(0, "other_store")])
    assert ("rejected other_store", 1) in tallies
