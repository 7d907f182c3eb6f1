"""Whatever fails is tried again, nothing half made is served, and a page always has a list."""

import asyncio
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from asking import BEARER, KEY, NOW, Client, articles, ids, publish
from sqlalchemy import Connection

from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.config import Settings
from recommender.errors import StoreError
from recommender.lists import rules_file
from recommender.store.database import Store
from recommender_api import store_connection
from recommender_api.answers import Answers, Seal
from recommender_api.app import create_app
from recommender_api.live import NO_SLATES, WAITING, Watcher
from recommender_api.related import CONSULT_SECONDS

NEW = Article(id="new", title="Knee stairs again", body="knee joint cartilage meniscus stairs")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults") / "models"
    publish(folder)
    return folder


@pytest.fixture
def settings(models: Path, tmp_path: Path) -> Settings:
    """A site whose store has met no article yet."""
    return Settings(
        database=f"sqlite:///{tmp_path}/store.db", models=models, admin_key=KEY,
        editorial=tmp_path / "editorial.csv",
    )  # fmt: skip


def made(settings: Settings, ticks: Any = time.monotonic) -> Any:
    return create_app(settings, clock=lambda: NOW, ticks=ticks)


def put(database: str, *found: Article) -> None:
    """As another process does."""
    batch = Batch()
    for article in found:
        batch.add(article, "test")
    with Store(database) as store:
        store.apply(batch)


def faults(app: Any) -> list[str]:
    """What is not as it should be, but for the store, which is not that of the bundle."""
    found = (app.live.fault, app.live.behind, app.stored.fault)
    return [each for each in found if each]


def lists_of(client: Client) -> dict[str, tuple[list[str], bool]]:
    """Of every page the links, and whether they have a slate."""
    found = {}
    for id in [*(each.id for each in articles()), NEW.id]:
        answer = client.get("/v1/related", params={"id": id})
        assert answer.status_code == 200, answer.text
        found[id] = ids(answer), answer.json()["slate"] is not None
    return found


class Flaky(Store):
    """A store of which some calls fail, numbered from 0; none while it is None."""

    fails: range | None = None
    n_calls = 0

    @classmethod
    def _call(cls) -> None:
        if cls.fails is not None:
            number, Flaky.n_calls = Flaky.n_calls, Flaky.n_calls + 1
            if number in cls.fails:
                raise StoreError("the database is locked")

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self._call()
        with super().transaction() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        self._call()
        with super().reading() as connection:
            yield connection


@pytest.mark.parametrize("first", [0, 1, 2, 3, 4, 5, 6, 8, 11])
@pytest.mark.parametrize("length", [1, 3])
def test_after_any_fault_the_lists_are_those_of_a_new_process(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, first: int, length: int
):
    """Whichever call to the store fails, while opening it or while taking notice of an article."""
    monkeypatch.setattr(store_connection, "Store", Flaky)
    monkeypatch.setattr(Flaky, "fails", range(first, first + length))
    monkeypatch.setattr(Flaky, "n_calls", 0)
    app = made(settings)
    client = Client(app)
    look = app.related.watcher.poll
    look()
    put(settings.database, NEW)
    look()
    during = lists_of(client)
    look()

    monkeypatch.setattr(Flaky, "fails", None)
    look()

    after = lists_of(client)
    fresh = made(settings)
    assert after == lists_of(Client(fresh))
    assert after["new"][1]
    assert all(found for found, _ in during.values())
    assert faults(app) == []
    app.stored.close()
    fresh.stored.close()


def test_a_locked_store_costs_no_list(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """Another process writes for long: what came has to wait, which the probe says, and is served
    as soon as that is over.
    """
    monkeypatch.setattr(store_connection, "BUSY_SECONDS", 0.05)
    app = made(settings)
    client = Client(app)
    put(settings.database, NEW)
    with sqlite3.connect(settings.database.removeprefix("sqlite:///")) as other:
        other.execute("BEGIN IMMEDIATE")
        app.related.watcher.poll()
        assert all(found for found, _ in lists_of(client).values())
        assert WAITING in client.get("/health/ready").json()["detail"]
        other.rollback()

    app.related.watcher.poll()

    assert lists_of(client)["new"][1]
    assert faults(app) == []
    app.stored.close()


# A list in any case


def patched(settings: Settings, *, later: dict[int, int] | None = None) -> Any:
    """An application that has met an article, under a seal that lacks its number."""
    app = made(settings)
    put(settings.database, NEW)
    app.related.watcher.poll()
    answers = app.live.answers
    seal = Seal(answers.seal.signer, answers.seal.keys, later or {})
    app.live.answers = Answers(
        answers.lists, answers.rules, seal=seal, patch=answers.shelf, mended=app.metrics.mended
    )
    return app


def test_an_article_without_a_number_is_no_error(
    settings: Settings, caplog: pytest.LogCaptureFixture
):
    """Its page, and every page whose list it joined, has the prepared list; that is counted, and
    logged once.
    """
    app = patched(settings)
    client = Client(app)

    found = lists_of(client)

    assert all(links for links, _ in found.values())
    assert all("new" not in links for links, has_slate in found.values() if not has_slate)
    assert [has_slate for _, has_slate in found.values()].count(False) > 2
    assert len([each for each in caplog.records if "spare" in each.message]) == 1
    text = client.get("/metrics", headers=BEARER).text
    assert "recommender_lists_mended_total 0.0" not in text
    assert client.get("/v1/related?id=new").headers["cache-control"] == "no-store"
    answer = client.post("/v1/related/batch", json={"ids": ["new", "knee-1"]})
    assert [bool(each["items"]) for each in answer.json()["results"]] == [True, True]
    app.stored.close()


@pytest.mark.parametrize("is_left", [True, False])
def test_where_nothing_works_there_is_still_an_answer(settings: Settings, is_left: bool):
    """The bundle's own list while it can be read, else an empty one; never a 500."""
    app = made(settings)
    client = Client(app)
    client.get("/v1/related?id=knee-1")
    answers = app.live.answers
    answers.shelf = type("Broken", (), {"name": "broken"})()
    answers.rules = None
    if not is_left:
        answers.lists = None

    answered = [
        client.get("/v1/related?id=knee-1"),
        client.get("/v1/related?id=knee-1&k=40&exclude=knee-2"),
        client.get("/v1/related?id=nobody"),
        client.post("/v1/related", json={"title": "knee"}),
    ]

    assert [each.status_code for each in answered] == [200] * 4
    app.stored.close()


def test_a_spare_list_holds_nothing_that_went_or_is_blocked(settings: Settings, tmp_path: Path):
    """As far as that can be known."""
    app = patched(settings)
    answers = app.live.answers
    usual = ids(Client(app).get("/v1/related?id=knee-1"))
    rules = tmp_path / "editorial.csv"
    rules.write_text(f"action,source,target\nblock,*,{usual[1]}\n")
    answers.rules = rules_file.load(rules)
    row = answers.shelf.row("knee-1")
    answers.gone = {answers.shelf.row(usual[0])}

    spare = answers.spare(row, NOW, exclude={usual[2]})

    text = spare.body().decode()
    assert spare.is_spare
    assert not any(f'"id":"{id}"' in text for id in usual[:3] if id.isascii())
    app.stored.close()


# Truth


def test_the_probe_says_that_events_cannot_be_counted(models: Path, tmp_path: Path):
    """A server without a store answers lists, so it is ready; after some seconds it says what is
    missing.
    """
    moment = [100.0]
    settings = Settings(
        database=f"sqlite:///{tmp_path}/nowhere/store.db", models=models, admin_key=KEY,
        editorial=tmp_path / "editorial.csv",
    )  # fmt: skip
    client = Client(made(settings, ticks=lambda: moment[0]))
    assert NO_SLATES not in client.get("/health/ready").json()["fault"]

    moment[0] += 6

    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert NO_SLATES in answer.json()["fault"]
    assert "recommender_lists_without_slates 1.0" in client.get("/metrics", headers=BEARER).text


# Reading


def test_a_page_waits_a_moment_for_a_store_that_hangs_and_then_not_at_all(settings: Settings):
    """All who ask at once wait for the same call; while it hangs nobody waits any more."""
    app = made(settings)
    go = threading.Event()
    app.related.watcher = Watcher("hangs", lambda: go.wait(20) * 0.0)
    app.related.watcher.start()

    async def ask(n: int) -> float:
        way = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=way, base_url="http://test") as client:
            since = time.monotonic()
            paths = [f"/v1/related?id=nobody-{number}" for number in range(n)]
            found = await asyncio.gather(*(client.get(path) for path in paths))
            assert [each.status_code for each in found] == [200] * n
            return time.monotonic() - since

    first, then = asyncio.run(ask(30)), asyncio.run(ask(30))
    since = time.monotonic()
    app.related.watcher.close()

    assert CONSULT_SECONDS <= first < 4 * CONSULT_SECONDS
    assert then < CONSULT_SECONDS
    assert time.monotonic() - since < 5
    go.set()
    app.stored.close()


def test_who_asks_after_an_article_came_is_not_put_off_with_an_earlier_look(settings: Settings):
    """A call that began before it does not count."""
    calls: list[int] = []
    begun, go = threading.Event(), threading.Event()

    def poll() -> float:
        calls.append(len(calls))
        begun.set()
        go.wait(5)
        return 60.0

    app = made(settings)
    app.related.watcher = watcher = Watcher("slow", poll)

    async def ask() -> None:
        first = asyncio.ensure_future(app.related._consulted())
        await asyncio.to_thread(begun.wait, 5)
        second = asyncio.ensure_future(app.related._consulted())
        third = asyncio.ensure_future(app.related._consulted())
        await asyncio.sleep(0.01)
        go.set()
        assert await asyncio.gather(first, second, third) == [True] * 3

    watcher.start()
    asyncio.run(ask())
    watcher.close()

    assert len(calls) == 2
    app.stored.close()


def test_articles_that_cannot_be_put_in_hold_back_no_list(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """They wait, the probe says why, and they are tried again."""
    app = made(settings)
    put(settings.database, replace(NEW, id="odd"))
    with monkeypatch.context() as patch:
        patch.setattr("recommender.bundle.overlay.Patched", None)
        app.related.watcher.poll()
        fault = Client(app).get("/health/ready").json()["detail"]
        assert WAITING in fault
        assert lists_of(Client(app))["knee-1"][0]

    app.related.watcher.poll()

    assert Client(app).get("/v1/related?id=odd").json()["article_id"] == "odd"
    app.stored.close()


def test_pages_do_not_wait_for_a_database_server_that_is_stopped(
    postgresql_url: str, models: Path, tmp_path: Path
):
    """It takes connections and never answers: one look waits for it, and no page for that."""
    settings = Settings(
        database=postgresql_url, models=models, admin_key=KEY, editorial=tmp_path / "editorial.csv"
    )
    app = made(settings)
    client = Client(app)
    client.get("/v1/related?id=nobody")
    with app.stored.store.reading() as connection:
        pids = connection.exec_driver_sql("SELECT pid FROM pg_stat_activity WHERE pid > 0")
        backends = [int(pid) for (pid,) in pids]
    server = int(Path(f"/proc/{backends[0]}/stat").read_text().rsplit(")", 1)[1].split()[1])
    waited = []
    for pid in (server, *backends):
        os.kill(pid, signal.SIGSTOP)
    try:
        for id in ("nobody", "no-one", "none", "knee-1"):
            since = time.monotonic()
            assert ids(client.get(f"/v1/related?id={id}"))
            waited.append(time.monotonic() - since)
    finally:
        for pid in (server, *backends):
            os.kill(pid, signal.SIGCONT)

    assert waited[0] < 4 * CONSULT_SECONDS
    assert max(waited[1:]) < CONSULT_SECONDS
    put(postgresql_url, NEW)
    assert wait_for(lambda: client.get("/v1/related?id=new").json()["article_id"] == "new")
    app.stored.close()


def wait_for(fact: Any) -> bool:
    """Does it become true within some seconds?"""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if fact():
            return True
        time.sleep(0.05)
    return False


def test_forged_events_do_not_queue_up_behind_a_store_that_hangs(settings: Settings):
    """One of them looks for a new key; the others are answered."""
    app = made(settings)
    with app.stored._opening:
        since = time.monotonic()
        found = app.stored.renewed_keys()

    assert (found, time.monotonic() - since < 1) == (False, True)
    app.stored.close()
