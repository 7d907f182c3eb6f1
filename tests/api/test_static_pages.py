"""Pages that were built once report what was seen and followed, as long as they may."""

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sql
from asking import BEARER, KEY, NOW, Client, Clock, articles, publish
from browser import Website, Wire, chromium, serving, until

from recommender.articles.batch import Batch
from recommender.bundle.bundle import load_bundle
from recommender.bundle.export import export
from recommender.bundle.fragments import Fragments
from recommender.bundle.static_slates import StaticSlates
from recommender.config import Settings
from recommender.events.event import DAY_MS
from recommender.store.database import Store, signing_keys
from recommender.store.event_writer import tallies_of
from recommender_api.app import create_app

BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"}
MS = int(NOW.timestamp() * 1000)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("static") / "models"
    publish(folder)
    return folder


@pytest.fixture
def settings(models: Path, database: str, tmp_path: Path) -> Settings:
    return Settings(
        database=database, models=models, editorial=tmp_path / "none.csv", admin_key=KEY
    )


def exported(settings: Settings, folder: Path, *, days: int = 180, now_ms: int = MS) -> Path:
    """The fragments of the site, as the command writes them."""
    bundle = load_bundle(settings.models)
    with Store(settings.database) as store:
        batch = Batch()
        for article in articles():
            batch.add(article, "test")
        store.apply(batch)
        key, *_ = signing_keys(store, settings.signing_key, now_ms=now_ms)
        slates = StaticSlates(
            store, key, name=bundle.name, folder=str(folder), n_lists=13, now_ms=now_ms, days=days
        )
        export(bundle, folder, "html", k=3, slates=slates, fragments=Fragments(layout="end"))
    return folder


def token(folder: Path, name: str = "knee-1") -> str:
    return re.findall('data-slate="([^"]*)"', (folder / f"{name}.html").read_text())[0]


def send(app: Any, slate: str, view: str = "v1") -> httpx.Response:
    """A reader who saw the list and followed its second link."""
    events = [
        {"type": "impression", "view_id": view, "slate": slate, "layout": "end"},
        {"type": "click", "view_id": view, "slate": slate, "position": 2},
    ]
    return Client(app).post("/v1/events", content=json.dumps(events), headers=BROWSER)


def outcome(app: Any, slate: str, view: str = "v1") -> tuple[int, set[str]]:
    """How many of both were accepted, and why others were not."""
    answer = send(app, slate, view).json()
    return answer["accepted"], {each["reason"] for each in answer["rejected"]}


def rows(database: str, statement: str) -> list[tuple[Any, ...]]:
    with Store(database) as store, store.reading() as connection:
        return [tuple(row) for row in connection.execute(sql.text(statement))]


def test_what_a_static_page_reports_is_the_list_that_was_exported(
    settings: Settings, tmp_path: Path
):
    """The bundle's, in its order, each link for sure where it stood; and the click is on the one
    that stood second.
    """
    slate = token(exported(settings, tmp_path / "out"))
    app = create_app(settings, clock=lambda: NOW)

    accepted = outcome(app, slate)
    app.stored.close()

    bundle = load_bundle(settings.models)
    links = bundle.related("knee-1", 3)
    assert accepted == (2, set())
    found = rows(
        settings.database,
        "SELECT s.list, v.layout, v.variant, v.arm, l.rank, i.id, l.propensity, l.origin, c.ts "
        "FROM views v JOIN slates s ON s.slate = v.slate JOIN slate_links l ON l.slate = s.slate "
        "JOIN ids i ON i.key = l.item LEFT JOIN clicks c ON c.view_id = v.view_id "
        "AND c.item = l.item ORDER BY l.rank",
    )
    assert found == [
        (bundle.name, "end", None, "", at, each.id, 1.0, each.origin, MS if at == 2 else None)
        for at, each in enumerate(links, start=1)
    ]


def test_each_end_of_a_static_page_has_its_reason_and_is_counted(
    settings: Settings, tmp_path: Path
):
    """In the metrics, and by day in the store."""
    slate = token(exported(settings, tmp_path / "out", days=1))
    clock = Clock()
    app = create_app(settings, clock=clock)

    assert outcome(app, slate) == (2, set())
    clock.now += timedelta(days=1)
    assert outcome(app, slate, "v2") == (0, {"expired"})
    metrics = Client(app).get("/metrics", headers=BEARER).text
    app.stored.close()

    assert 'recommender_events_rejected_total{reason="expired"} 2.0' in metrics
    with Store(settings.database) as store, store.reading() as connection:
        assert tallies_of(connection, MS // DAY_MS + 1)["rejected expired"] == 2


def test_a_change_of_the_key_leaves_static_pages_alone_unless_it_leaked(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Months after an ordinary change they report; a leaked key is void at once and for good, and
    the log says how many lists that is, and what to do.
    """
    slate = token(exported(settings, tmp_path / "out"))
    later = NOW + timedelta(days=100)

    def started(**changed: Any) -> Any:
        caplog.clear()
        return create_app(replace(settings, **changed), clock=lambda: later)

    with caplog.at_level(logging.WARNING):
        app = started(signing_key="second")
        assert outcome(app, slate) == (2, set())
        assert "13 exported lists" in caplog.text
        assert "RECOMMENDER_PREVIOUS_KEY_HOURS=0 revokes them" in caplog.text
        app.stored.close()
        app = started(signing_key="third", previous_key_hours=0)
        assert outcome(app, slate, "v2") == (0, {"revoked"})
        assert "13 exported lists are revoked with the signing key" in caplog.text
        app.stored.close()
        app = started(signing_key="third")
        assert outcome(app, slate, "v3") == (0, {"revoked"})
        app.stored.close()


def test_a_running_process_learns_that_the_key_was_changed(settings: Settings, tmp_path: Path):
    """By another that was started with a new one, and that exported."""
    settings = replace(settings, signing_key="first")
    app = create_app(settings, clock=lambda: NOW)
    new = replace(settings, signing_key="second")

    slate = token(exported(new, tmp_path / "out"))

    assert outcome(app, slate) == (2, set())
    app.stored.close()


def test_a_replayed_static_page_is_bounded_as_other_pages_are(settings: Settings, tmp_path: Path):
    """Its views are those that pages sent: of the day, by reader, beyond nobody's bound."""
    slate = token(exported(settings, tmp_path / "out"))
    app = create_app(replace(settings, event_rate=0), clock=lambda: NOW)

    for n in range(20):
        assert outcome(app, slate, f"v{n}") == (2, set())
    app.stored.close()

    assert rows(settings.database, "SELECT live, COUNT(*) FROM views GROUP BY live") == [(1, 20)]
    with Store(settings.database) as store, store.reading() as connection:
        counted = tallies_of(connection, MS // DAY_MS)
    assert (counted["views"], counted["clicks"], counted.get("brought", 0)) == (20, 20, 0)
    assert len(rows(settings.database, "SELECT slate FROM slates")) == 1


@pytest.fixture
def browser() -> Iterator[Any]:
    with chromium() as launched:
        yield launched


@pytest.mark.slow
def test_in_a_browser_the_widget_reports_the_fragment_as_it_stands(
    models: Path, browser: Any, tmp_path: Path
):
    """A page of another origin, whose list no server is asked for."""
    website = Website()
    settings = Settings(
        database=f"sqlite:///{tmp_path}/store.db", models=models, editorial=tmp_path / "none.csv",
        allowed_origins=website.address,
    )  # fmt: skip
    fragment = (exported(settings, tmp_path / "out") / "knee-1.html").read_text()
    links = load_bundle(models).related("knee-1", 3)
    fragment = fragment.replace("https://example.org", website.address)
    wire = Wire(create_app(settings, clock=lambda: NOW))
    with serving(wire) as api:
        page = browser.new_page()
        text = f"<h1>Knee</h1>{fragment}<script src='{api}/widget.js' async></script>"
        policy = f"default-src 'none'; script-src {api}; connect-src {api}"
        website.pages["/knee"] = (f"<!doctype html><title>t</title>{text}", policy)
        page.goto(f"{website.address}/knee")

        assert until(lambda: wire.kinds() == ["impression"])
        assert page.locator(".recommender-title").all_inner_texts() == [
            link.title for link in links
        ]
        page.locator(".recommender a").nth(1).click()
        assert until(lambda: wire.kinds() == ["impression", "click"])
    website.close()

    assert wire.queries == []
    assert {event["slate"] for event in wire.events} == {token(tmp_path / "out")}
    clicked = "SELECT i.id FROM clicks c JOIN ids i ON i.key = c.item"
    assert rows(settings.database, clicked) == [(links[1].id,)]
