"""Articles come and go while serving: in the next request, in every process, past every restart."""

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from asking import BEARER, KEY, NOW, ODD, STUB, Client, articles, ids, is_error
from fastapi import FastAPI
from sites import once

from recommender.articles.article import from_record
from recommender.articles.batch import Batch
from recommender.bundle import activation
from recommender.bundle.published import Lists
from recommender.config import Settings
from recommender.store.database import Store
from recommender.training.pipeline import Options, build
from recommender_api import live
from recommender_api.app import create_app

NEW = {
    "id": "new/one",
    "title": "Knee joint and cartilage when running",
    "body": "knee joint cartilage meniscus tendon stairs. A case of running.",
    "url": "https://example.org/new",
}


def stored(store: Store) -> None:
    batch = Batch()
    for article in articles():
        batch.add(article, "test")
    store.apply(batch)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the site, which is the same on either engine; to be copied."""

    def make(folder: Path) -> None:
        with Store("sqlite://") as store:
            stored(store)
            build(store, folder / "models", now=NOW, options=Options(jobs=1))

    return once(tmp_path_factory, "articles", make) / "models"


@pytest.fixture
def settings(database: str, tables: None, models: Path, tmp_path: Path) -> Settings:
    """A site with a store of each kind and a bundle built from it."""
    with Store(database) as store:
        stored(store)
    shutil.copytree(models, tmp_path / "models")
    return Settings(
        database=database, models=tmp_path / "models", editorial=tmp_path / "none", admin_key=KEY
    )


@pytest.fixture
def app(settings: Settings) -> Iterator[FastAPI]:
    made = create_app(settings, clock=lambda: NOW)
    yield made
    made.stored.close()


@pytest.fixture
def client(app: FastAPI) -> Client:
    return Client(app)


def put(client: Client, *records: object) -> httpx.Response:
    return client.request("PUT", "/v1/articles", json=list(records), headers=BEARER)


def delete(client: Client, *wanted: str) -> httpx.Response:
    return client.request("DELETE", "/v1/articles", params={"id": wanted}, headers=BEARER)


def related(client: Client, id: str, **query: object) -> dict[str, Any]:
    answer = client.get("/v1/related", params={"id": id, **query})
    assert answer.status_code == 200
    return dict(answer.json())


def test_a_new_article_has_a_list_in_the_next_request(client: Client):
    """Of its own kind, with a slate to send events by; by id and by address."""
    told = put(client, NEW)

    answer = related(client, "new/one", variant=99)
    by_url = client.get("/v1/related", params={"url": "http://example.org/new/?utm_source=x"})
    assert told.json() == {"added": 1, "updated": 0, "unchanged": 0}
    assert answer["article_id"] == by_url.json()["article_id"] == "new/one"
    assert {item["origin"] for item in answer["items"]} == {"text"}
    assert all(item["id"].startswith("knee") or item["id"] == ODD for item in answer["items"])
    event = {"type": "click", "view_id": "v", "slate": answer["slate"], "position": 1}
    assert client.post("/v1/events", json=event).json()["accepted"] == 1


def test_it_stands_in_the_lists_of_others(client: Client):
    """Of those it is like, as often as it is asked for, under every variant; of no others."""
    before = related(client, "knee-1")
    put(client, NEW)

    after = related(client, "knee-1")
    shown = next(item for item in after["items"] if item["id"] == "new/one")

    assert "new/one" not in [item["id"] for item in before["items"]]
    assert (shown["title"], shown["url"]) == (NEW["title"], NEW["url"])
    assert [item["position"] for item in after["items"]] == [*range(1, len(after["items"]) + 1)]
    assert "new/one" in [item["id"] for item in related(client, "knee-1", variant=85)["items"]]
    assert "new/one" not in [item["id"] for item in related(client, "sleep-1")["items"]]


def test_what_is_gone_is_in_no_list(client: Client):
    """Nor has it one; another takes its place. A page for it gets fallbacks without it."""
    gone = related(client, "knee-1")["items"][0]["id"]

    told = delete(client, gone)

    assert told.json() == {"removed": [gone]}
    for page in [article.id for article in articles()]:
        for query in ({}, {"k": 50}, {"variant": 99}, {"variant": 81, "k": 3}):
            assert gone not in [item["id"] for item in related(client, page, **query)["items"]]
    answer = client.get("/v1/related", params={"id": gone, "k": 50})
    assert answer.json()["article_id"] is None
    assert gone not in ids(answer)
    assert gone not in ids(client.post("/v1/related", json={"title": "knee joint", "k": 50}))


def test_a_change_is_shown_everywhere(client: Client):
    """Title, teaser and address; its list stays as long as its text does."""
    before = related(client, "knee-1")
    record = next(article for article in articles() if article.id == "knee-1")

    told = put(client, {"id": "knee-1", "title": record.title + "!", "body": record.body,
                        "url": "https://example.org/moved"})  # fmt: skip

    assert told.json() == {"added": 0, "updated": 1, "unchanged": 0}
    assert related(client, "knee-1")["items"] == before["items"]
    seen = [item for item in related(client, "knee-2")["items"] if item["id"] == "knee-1"]
    assert [(item["title"], item["url"]) for item in seen] == [
        (record.title + "!", "https://example.org/moved")
    ]


def test_an_article_written_anew_has_another_list(client: Client):
    """It is about something else now."""
    put(client, {"id": "knee-1", "title": "Sleep and dream", "body": "night dream snoring bedtime"})

    answer = related(client, "knee-1")

    assert all(item["id"].startswith("sleep") for item in answer["items"])


def test_a_title_without_a_page_goes_when_its_page_comes(client: Client):
    """It stood at the end of the fallbacks."""
    before = ids(client.get("/v1/related?id=nobody&k=50"))

    put(client, {"id": "real", "title": STUB.title, "body": "Somebody has written it."})

    after = ids(client.get("/v1/related?id=nobody&k=50"))
    assert STUB.id in before
    assert STUB.id not in after


def test_every_process_knows_and_a_restart_forgets_nothing(settings: Settings):
    """One that did not take the article finds it in the store when it is asked for it, and takes
    notice of it on its own otherwise.
    """
    first, second = (create_app(settings, clock=lambda: NOW) for _ in range(2))

    put(Client(first), NEW)
    asked = related(Client(second), "new/one")
    delete(Client(first), "knee-2")
    second.related.live.catch_up()
    gone = related(Client(second), "knee-1")
    first.stored.close()
    second.stored.close()
    third = create_app(settings, clock=lambda: NOW)
    later = related(Client(third), "knee-1"), related(Client(third), "new/one")
    third.stored.close()

    assert asked["article_id"] == "new/one"
    assert "knee-2" not in [item["id"] for item in gone["items"]]
    assert (later[0]["items"], later[1]["items"]) == (gone["items"], later[1]["items"])
    assert "knee-2" not in [item["id"] for item in later[1]["items"]]


@pytest.mark.parametrize("full", [True, False])
def test_an_import_reaches_a_server_that_runs(
    client: Client, app: FastAPI, settings: Settings, full: bool
):
    """New, changed, moved and gone: in the next answer, as what comes over HTTP."""
    live = app.related.live
    assert live.answers.shelf is live.answers.lists
    before = client.get("/v1/related", params={"id": "knee-1", "k": 50})
    batch = Batch()
    for article in articles():
        changes = {"knee-3": {"title": "Told anew"}, "knee-4": {"url": "https://example.org/moved"}}
        if not (full and article.id == "knee-2"):
            batch.add(replace(article, **changes.get(article.id, {})), "test")
    batch.add(from_record(NEW, where="test"), "test")

    with Store(settings.database) as store:
        store.apply(batch, full=full)
    live.catch_up()

    tag = {"If-None-Match": before.headers["etag"]}
    after = client.get("/v1/related", params={"id": "knee-1", "k": 50}, headers=tag)
    links = {item["id"]: item for item in after.json()["items"]}
    assert after.status_code == 200
    assert links["knee-3"]["title"] == "Told anew"
    assert links["knee-4"]["url"] == "https://example.org/moved"
    assert NEW["id"] in links
    assert ("knee-2" in links) != full
    by_url = client.get("/v1/related", params={"url": "https://example.org/moved"})
    assert by_url.json()["article_id"] == "knee-4"


def test_the_next_training_absorbs_both(client: Client, app: FastAPI, settings: Settings):
    """The bundle then holds what came and lacks what went, and nothing is patched any more."""
    put(client, NEW)
    delete(client, "knee-2")

    with Store(settings.database) as store:
        bundle = build(store, settings.models, now=NOW, options=Options(jobs=1, seed=1))
    app.related.live.refresh()

    answers = app.related.live.current()
    assert answers.lists.name == bundle.name
    assert answers.shelf is answers.lists
    assert related(client, "new/one")["model"] == bundle.name
    assert "knee-2" not in [item["id"] for item in related(client, "knee-1", k=50)["items"]]


def test_going_back_to_an_older_bundle_keeps_what_came(
    client: Client, app: FastAPI, settings: Settings
):
    """A rollback is of the model, not of the articles."""
    put(client, NEW)
    with Store(settings.database) as store:
        build(store, settings.models, now=NOW, options=Options(jobs=1, seed=1))
    app.related.live.refresh()

    activation.rollback(settings.models)
    app.related.live.refresh()

    assert related(client, "new/one")["article_id"] == "new/one"


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([{"id": "a"}], "article 0: field title"),
        ([NEW, {"id": "b", "title": "B", "tags": 7}], "article 1: field tags"),
        ([NEW, {**NEW, "title": "Another"}], "stands at article 0 already"),
        ([{"id": "a", "title": "\ud800"}], "surrogate"),
        (["nonsense"], "0"),
        ({"id": "a", "title": "A"}, "list"),
    ],
)
def test_one_faulty_article_and_nothing_is_changed(client: Client, records: object, said: str):
    """The fault is named by the article's place and the field."""
    content = json.dumps(records)

    answer = client.request(
        "PUT", "/v1/articles", content=content,
        headers={**BEARER, "content-type": "application/json"},
    )  # fmt: skip

    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert related(client, "new/one")["article_id"] is None


def test_what_is_not_there_cannot_go(client: Client):
    """404, and nothing else happens."""
    assert is_error(delete(client, "nobody"), 404, "unknown_article")
    assert client.request("DELETE", "/v1/articles", headers=BEARER).status_code == 422


def test_it_takes_the_admin_key(client: Client, settings: Settings):
    """And does not exist while there is none."""
    bare = Client(
        create_app(Settings(database="sqlite://", models=settings.models), clock=lambda: NOW)
    )

    assert is_error(client.request("PUT", "/v1/articles", json=[NEW]), 401, "unauthorized")
    assert is_error(client.request("DELETE", "/v1/articles?id=knee-1"), 401, "unauthorized")
    assert is_error(client.get("/metrics"), 401, "unauthorized")
    assert is_error(bare.request("PUT", "/v1/articles", json=[NEW]), 404, "not_found")
    assert is_error(bare.get("/metrics", headers=BEARER), 404, "not_found")


def test_the_figures_let_an_operator_alert(client: Client):
    """Age of the bundle, events, refusals, flags, fallbacks, time."""
    related(client, "knee-1")
    related(client, "nobody")
    client.post("/v1/events", json=["nonsense"])

    text = client.get("/metrics", headers=BEARER).text

    for line in (
        "recommender_bundle_age_seconds 0.0",
        'recommender_answers_total{list="own"} 1.0',
        'recommender_answers_total{list="fallback"} 1.0',
        'recommender_events_total{outcome="rejected"} 1.0',
        'recommender_events_rejected_total{reason="malformed"} 1.0',
        'recommender_events_flagged{reason="pair"} 0.0',
        "recommender_store_up 1.0",
        'recommender_request_seconds_count{route="related"} 2.0',
        'recommender_responses_total{route="related",status="200"} 2.0',
        'recommender_responses_total{route="events",status="202"} 1.0',
    ):
        assert line in text.splitlines()


def test_the_figures_name_what_is_in_force(app: FastAPI, settings: Settings):
    """The bundle, and the rules that hold now: not one that has ended."""
    settings.editorial.write_text(
        "action,source,target,until\nblock,*,knee-1,\nblock,*,knee-2,2020-01-01\n"
    )
    app.live.refresh()
    about = app.live.bundle().about

    text = Client(app).get("/metrics", headers=BEARER).text.splitlines()

    built = f'built="{about.built}",decided_by="{about.decided_by}",name="{about.name}"'
    assert f"recommender_bundle_info{{{built}}} 1.0" in text
    assert 'recommender_rules{of="file"} 1.0' in text
    assert 'recommender_rules{of="console"} 0.0' in text
    assert not any(line.startswith("recommender_experiment_info") for line in text)


def test_events_that_are_kept_are_counted_by_type_and_answers_by_status(client: Client):
    """Each new one once; what nobody has is a status of its own."""
    slate = client.get("/v1/related?id=knee-1").json()["slate"]
    view = {"type": "impression", "view_id": "v1", "slate": slate}
    followed = {"type": "click", "view_id": "v1", "slate": slate}
    client.post("/v1/events", json=[view, view, {**followed, "position": 1}])
    client.post("/v1/events", json=[view, {**followed, "position": 2}])
    client.post("/v1/events", json={"type": "pageview", "article_id": "knee-1"})
    client.get("/nowhere")
    client.get("/nowhere/else")
    client.get("/v1/related")

    text = client.get("/metrics", headers=BEARER).text.splitlines()

    for line in (
        'recommender_events_accepted_total{type="impression"} 1.0',
        'recommender_events_accepted_total{type="click"} 2.0',
        'recommender_events_accepted_total{type="pageview"} 1.0',
        'recommender_events_total{outcome="accepted"} 4.0',
        'recommender_events_total{outcome="duplicate"} 2.0',
        'recommender_responses_total{route="other",status="404"} 2.0',
        'recommender_responses_total{route="related",status="400"} 1.0',
    ):
        assert line in text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " Data:text/html,x", "/\\\\host", "//u@host/"]
)
def test_an_address_that_cannot_stand_in_a_link_is_refused(client: Client, url: str):
    """Whoever sends it is given the reason, and nothing of the request is taken."""
    records = [{"id": "fine", "title": "Fine"}, {**NEW, "url": url}]

    answer = client.request("PUT", "/v1/articles", json=records, headers=BEARER)

    assert is_error(answer, 422, "invalid_article")
    assert answer.json()["detail"].startswith("article 1: field url: ")
    assert related(client, "fine")["article_id"] is None


# Pictures and dates

SHOWN = {"image": "https://example.org/p.jpg", "published_at": "2026-11-02", "language": "en-GB"}


def shown(items: list[dict[str, Any]], id: str) -> dict[str, Any]:
    """What a list shows of an article beside its title and teaser."""
    (item,) = (item for item in items if item["id"] == id)
    return {name: item[name] for name in SHOWN}


def test_lists_have_pictures_and_dates_whichever_way_they_are_asked_for(
    settings: Settings, client: Client
):
    """Of an article that came a moment ago, and in the bundle that was built from it; null where
    there is none.
    """
    none = dict.fromkeys(SHOWN)
    told = put(client, {**NEW, **SHOWN})
    assert told.json()["added"] == 1
    asked = {"title": NEW["title"], "body": "knee joint cartilage tendon", "language": "en"}

    for _ in ("put", "built"):
        page = related(client, "knee-1", k=20)["items"]
        unknown = client.get("/v1/related", params={"id": "nobody", "k": 50}).json()["items"]
        batch = client.post("/v1/related/batch", json={"ids": ["knee-1"], "k": 20}).json()
        text = client.post("/v1/related", json={**asked, "k": 20}).json()["items"]
        for items in (page, unknown, text, batch["results"][0]["items"]):
            if NEW["id"] in [item["id"] for item in items]:
                assert shown(items, NEW["id"]) == SHOWN
        assert shown(page, NEW["id"]) == SHOWN
        assert shown(page, "knee-2") == none
        with Store(settings.database) as store:
            options = Options(jobs=1)
            built = build(store, settings.models, now=NOW, options=options)
        client = Client(create_app(settings, clock=lambda: NOW))

    link = next(link for link in built.related("knee-1", 20) if link.id == NEW["id"])
    assert {name: getattr(link, name) for name in SHOWN} == SHOWN


def test_answers_may_be_embedded_in_isolated_pages(client: Client):
    """Those that are open, errors and the script included."""
    policy = "cross-origin-resource-policy"
    asked = client.get("/v1/related", params={"id": "knee-1"})
    same = {"If-None-Match": asked.headers["etag"]}
    again = client.get("/v1/related", params={"id": "knee-1"}, headers=same)
    texts = client.post("/v1/related", json={"title": "knee"})
    answers = [asked, again, texts, client.get("/widget.js"), client.get("/v1/related")]
    answers += [client.post("/v1/events", json=[]), client.get("/v1/model")]

    assert again.status_code == 304
    assert [answer.headers.get(policy) for answer in answers] == ["cross-origin"] * 7


def test_html_in_an_article_is_read_as_text(client: Client, settings: Settings):
    """As in an import: what systems hold is mostly HTML."""
    record = {
        "id": "new",
        "title": "Salt &amp; joints",
        "body": "<p>Salt harms no joint.</p><p>It raises the pressure of the blood.</p>",
    }

    assert put(client, record).status_code == 200

    with Store(settings.database) as store:
        (article,) = store.articles(ids=["new"])
    assert (article.title, article.teaser) == (
        "Salt & joints",
        "Salt harms no joint. It raises the pressure of the blood.",
    )


def test_a_bundle_that_is_being_opened_keeps_no_article_waiting(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """Opening a large one takes seconds; what came meanwhile is in its lists too."""
    first, second = (create_app(settings, clock=lambda: NOW) for _ in range(2))
    with Store(settings.database) as store:
        bundle = build(store, settings.models, now=NOW, options=Options(jobs=1, seed=1))
    opening, may_end, tried = threading.Event(), threading.Event(), live.tried

    def slowly(folder: Path) -> Lists:
        opening.set()
        assert may_end.wait(30)
        return tried(folder)

    monkeypatch.setattr(live, "tried", slowly)
    swap = threading.Thread(target=second.related.live.refresh)
    swap.start()
    try:
        assert opening.wait(30)
        put(Client(first), NEW)
        asked = related(Client(second), NEW["id"])
    finally:
        may_end.set()
        swap.join()
    after = related(Client(second), NEW["id"])
    for app in (first, second):
        app.stored.close()

    assert asked["article_id"] == NEW["id"]
    assert asked["model"] != bundle.name
    assert (after["article_id"], after["model"]) == (NEW["id"], bundle.name)
