"""The API answers as the contract says, and every error has one shape."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from asking import (
    BEARER,
    KEY,
    NOW,
    ODD,
    STUB,
    Client,
    Clock,
    articles,
    ids,
    is_error,
    publish,
)
from fastapi import FastAPI
from sites import built

from recommender.articles.article import Article
from recommender.articles.reader import Batch
from recommender.bundle import registry
from recommender.bundle.answer_bytes import items_json
from recommender.bundle.grounds import Evidence
from recommender.bundle.published import Lists
from recommender.config import Settings
from recommender.store.database import Store
from recommender.training.pipeline import Options, build
from recommender_api.answers import Recent, tag_of
from recommender_api.app import Api, create_app
from recommender_api.http import CACHED_LINES, cached, lines
from recommender_api.related import parse
from recommender_api.schemas import Refusal


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two bundles, for reading alone."""
    folder = tmp_path_factory.mktemp("site") / "models"
    publish(folder)
    return folder


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Where the editors' file is, if a test writes one."""
    return tmp_path / "editorial.csv"


@pytest.fixture
def settings(models: Path, rules: Path, tmp_path: Path) -> Settings:
    return Settings(
        database=f"sqlite:///{tmp_path / 'store.db'}", models=models, editorial=rules, admin_key=KEY
    )


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Iterator[FastAPI]:
    made = create_app(settings, clock=clock)
    yield made
    made.stored.close()


@pytest.fixture
def client(app: FastAPI) -> Client:
    return Client(app)


@pytest.fixture
def lists(models: Path) -> Lists:
    return Lists.open(registry.resolve(models))


# A page that is known


@pytest.mark.parametrize("id", ["knee-1", ODD, "alone"])
def test_a_known_article_gets_its_prepared_list(client: Client, lists: Lists, id: str):
    """Byte for byte, whatever characters its id has."""
    answer = client.get("/v1/related", params={"id": id})

    assert answer.status_code == 200
    assert answer.content.endswith(b'"items":' + items_json(lists.related(lists.row(id))) + b"}")
    assert answer.json()["article_id"] == id


def test_an_answer_has_the_fields_of_the_contract(client: Client, lists: Lists):
    """And no others."""
    answer = client.get("/v1/related", params={"id": "knee-1"}).json()

    assert [*answer] == ["article_id", "model", "slate", "items"]
    assert answer["model"] == lists.name
    fields = "id url title teaser image published_at language position score origin"
    assert [*answer["items"][0]] == fields.split()
    assert [item["position"] for item in answer["items"]] == [*range(1, len(answer["items"]) + 1)]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/knee/1/?utm_source=feed&page=2",
        "http://EXAMPLE.org/knee/1?page=2&fbclid=x#top",
    ],
)
def test_an_article_is_found_by_its_address(client: Client, url: str):
    """Scheme, fragment, tracking parameters and final slash aside."""
    assert client.get("/v1/related", params={"url": url}).json()["article_id"] == "knee-1"


def test_an_id_of_raw_utf8_is_understood(app: FastAPI):
    """Some clients do not percent-encode."""
    query = "id=" + ODD.replace("%", "%25").replace("&", "%26").replace("+", "%2B")

    reply = asyncio.run(app.related(query.encode(), []))

    assert json.loads(reply.body)["article_id"] == ODD


@pytest.mark.parametrize("k", [1, 2, 3, 9, 10, 11, 50])
def test_k_is_the_most_that_comes(client: Client, lists: Lists, k: int):
    """Links beyond it are left out, none is made up."""
    answer = client.get("/v1/related", params={"id": "knee-1", "k": k})

    assert answer.content.endswith(b'"items":' + composed(lists, "knee-1", k) + b"}")
    assert len(ids(answer)) <= k


def composed(lists: Lists, id: str, k: int) -> bytes:
    """The links as the library makes them from its arrays."""
    return items_json(lists.related(lists.row(id), k=k))


def test_what_is_excluded_does_not_come(client: Client):
    """The parameter may be repeated; an empty one means nothing."""
    usual = ids(client.get("/v1/related?id=knee-1"))

    query = {"id": "knee-1", "exclude": [usual[0], usual[2], ""]}
    answer = client.get("/v1/related", params=query)

    assert answer.json()["article_id"] == "knee-1"
    assert ids(answer)[:3] == [usual[1], *usual[3:5]]


def test_parameters_of_others_mean_nothing(client: Client):
    """Trackers append what they like."""
    assert client.get("/v1/related?id=knee-1&utm_source=x&lang=de").status_code == 200


# A page that is not known


def test_an_unknown_article_gets_fallbacks(client: Client):
    """As many as asked for, and nobody keeps them."""
    answer = client.get("/v1/related?id=nobody&k=4")

    assert answer.status_code == 200
    assert answer.json()["article_id"] is None
    assert [item["origin"] for item in answer.json()["items"]] == ["fallback"] * 4
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


def test_a_stub_is_not_its_own_fallback(client: Client):
    """An article known by its title alone has no list; it does not stand in its fallbacks."""
    answer = client.get("/v1/related", params={"id": STUB.id, "k": 50})

    assert answer.json()["article_id"] is None
    assert STUB.id in ids(client.get("/v1/related?id=nobody&k=50"))
    assert STUB.id not in ids(answer)


# Caches


def test_an_answer_may_be_kept_for_a_minute(client: Client):
    """By every cache, under a tag made of its bytes."""
    answer = client.get("/v1/related?id=knee-1")

    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["etag"].encode() == tag_of(answer.content)
    assert "vary" not in answer.headers


@pytest.mark.parametrize("query", ["id=knee-1", "id=knee-1&k=3"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"a", {}', '"a",W/{} , "b"', "*"])
def test_a_copy_that_is_still_good_is_not_sent_again(client: Client, query: str, form: str):
    """A prepared answer as well as a composed one, asked for the first or the second time."""
    tag = client.get(f"/v1/related?{query}").headers["etag"]

    answer = client.get(f"/v1/related?{query}", headers={"If-None-Match": form.format(tag)})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == tag
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_another_tag_gets_the_whole_answer(client: Client):
    """A copy of what was is of no use."""
    answer = client.get("/v1/related?id=knee-1", headers={"If-None-Match": '"old", W/"older"'})

    assert answer.status_code == 200
    assert answer.json()["article_id"] == "knee-1"


@pytest.mark.parametrize("path", ["/v1/related?id=knee-1", "/v1/related?id=", "/v1/model"])
def test_head_is_get_without_the_body(client: Client, path: str):
    """Every header is the same."""
    got, head = client.get(path), client.request("HEAD", path)

    assert head.status_code == got.status_code
    assert head.headers == got.headers
    assert head.content == b""


# By address


def test_an_article_that_is_guessed_by_its_address_says_so(client: Client):
    """At its own address nothing is said; the list is the same, remembered or not."""
    by_id = client.get("/v1/related", params={"id": "sleep-2"}).json()
    address = "https://example.org/sleep/2?page=2"

    for _ in range(2):
        sure, guess = (
            client.get("/v1/related", params={"url": url}).json()
            for url in (f"{address}&gad_source=1", f"{address}&unheard_of=1")
        )
        assert sure == by_id
        assert guess.pop("guess") == "parameters"
        assert guess == by_id


def test_a_page_that_may_be_one_of_several_stands_not_beside_itself(
    tmp_path: Path, settings: Settings
):
    """Its fallback list leaves all of them out."""
    pages = [("a", "/rose"), ("b", "/ROSE"), ("c", "/iris"), ("d", "/lily"), ("e", "/tulip")]
    with Store(settings.database) as store:
        for id, url in pages:
            batch = Batch()
            batch.add(Article(id, f"Title of {id}", f"Text {id}", url=url), "test")
            store.apply(batch)
        build(store, tmp_path / "own", now=NOW, options=Options(jobs=1))
    own = create_app(replace(settings, models=tmp_path / "own"), clock=Clock())

    asked = Client(own).get("/v1/related", params={"url": "https://x.example/Rose"})
    exact = Client(own).get("/v1/related", params={"url": "https://x.example/rose"})

    own.stored.close()
    assert asked.json()["article_id"] is None
    assert set(ids(asked)) == {"c", "d", "e"}
    assert exact.json()["article_id"] == "a"
    assert "guess" not in exact.json()


def test_editors_name_articles_by_address(client: Client, app: Api, rules: Path):
    """As pages do."""
    rules.write_text(
        "action,source,target\npin,https://www.example.org/knee/1?page=2,/sleep/2/?page=2\n"
    )
    app.live.refresh()

    first = client.get("/v1/related", params={"id": "knee-1"}).json()["items"][0]

    assert (first["id"], first["origin"]) == ("sleep-2", "pinned")


# The short way and the documented one


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("id=knee-1", {}),
        ("id=knee-1", {"If-None-Match": "*"}),
        ("url=https://example.org/sleep/2?page=2&k=2", {}),
        ("url=https://m.example.org/SLEEP/2/amp?page=2", {}),
        ("id=knee-1&exclude=knee-2", {}),
        ("id=nobody", {}),
        ("id=knee-1&explain=true", {}),
        ("id=knee-1&explain=true", BEARER),
        ("id=a&url=b", {}),
        ("k=3", {}),
        ("id=a&k=99", {}),
    ],
)
def test_the_short_way_says_what_the_route_says(
    app: Api, method: str, query: str, headers: dict[str, Any]
):
    """Status, headers and body."""

    async def by_route(scope: Any, receive: Any, send: Any) -> None:
        await app.by_route(scope, receive, send)

    short, long = (
        Client(way).request(method, f"/v1/related?{query}", headers=headers)
        for way in (app, by_route)
    )

    assert (short.status_code, short.content) == (long.status_code, long.content)
    assert sorted(short.headers.items()) == sorted(long.headers.items())


def test_the_application_works_below_another_one(app: FastAPI):
    """Mounted at a path, where the short way does not see it coming."""
    site = FastAPI()
    site.mount("/recommender", app)

    answer = Client(site).get("/recommender/v1/related?id=knee-1")

    assert answer.json()["article_id"] == "knee-1"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_routes_may_be_added(settings: Settings, clock: Clock):
    """A website of the demo's own stands beside the API."""

    def site(app: FastAPI) -> None:
        app.get("/")(lambda: "a page")

    client = Client(create_app(settings, clock=clock, extra=site))

    assert client.get("/").json() == "a page"
    assert client.get("/v1/related?id=knee-1").status_code == 200


# Editors


def test_a_pin_shows_and_says_so(client_of: Any):
    """In the place the editors gave it."""
    client = client_of("action,source,target,position\npin,knee-1,alone,2\n")

    item = client.get("/v1/related?id=knee-1").json()["items"][1]

    assert (item["id"], item["origin"]) == ("alone", "pinned")


def test_a_block_for_all_pages_holds_on_all(client_of: Any):
    """On pages known and unknown, and for texts."""
    client = client_of("action,source,target\nblock,*,knee-2\n")

    answers = [
        client.get("/v1/related?id=knee-1"),
        client.get("/v1/related?id=knee-1&k=50"),
        client.get("/v1/related?id=nobody&k=50"),
        client.post("/v1/related", json={"title": "knee joint cartilage meniscus tendon"}),
    ]

    assert all(ids(answer) and "knee-2" not in ids(answer) for answer in answers)


def test_a_rule_for_another_page_changes_nothing(client_of: Any, lists: Lists):
    """The answer is the prepared one."""
    client = client_of("action,source,target\nblock,sleep-1,sleep-2\n")

    answer = client.get("/v1/related?id=knee-1")

    prepared = items_json(lists.related(lists.row("knee-1")))
    assert answer.content.endswith(b'"items":' + prepared + b"}")


def test_a_rule_begins_and_ends_on_the_moment(client_of: Any, clock: Clock):
    """Also for pages that were asked for before, whose answers are remembered."""
    client = client_of(
        "action,source,target,from,until\n"
        "pin,knee-1,alone,2026-11-22T11:00:00Z,2026-11-22T12:00:00Z\n"
    )
    pinned = []

    for minutes in (0, 59, 60, 119, 120):
        clock.now = NOW + timedelta(minutes=minutes)
        pinned.append(ids(client.get("/v1/related?id=knee-1"))[0] == "alone")

    assert pinned == [False, False, True, True, False]


@pytest.fixture
def client_of(settings: Settings, clock: Clock, rules: Path) -> Any:
    """A client of an application under these rules."""

    def made(text: str) -> Client:
        rules.write_text(text)
        return Client(create_app(settings, clock=clock))

    return made


# Links that only a request brings onto a list


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of 24 pages that share words in a ring, so that lists are longer than ten."""
    folder = tmp_path_factory.mktemp("wide")
    texts = [[f"word{(5 * page + at) % 24}" for at in range(8)] for page in range(24)]
    built(
        folder,
        (
            Article(f"p{page:02}", f"{words[0]} number{page}", " ".join(words))
            for page, words in enumerate(texts)
        ),
    )
    return folder / "models"


class Answered(NamedTuple):
    """A list, the ids of those of its links that its token marks, and why each link is there."""

    shown: list[str]
    marked: list[str]
    origins: list[str]


def answered(app: FastAPI, **query: object) -> Answered:
    """The list of one page of ``wide``."""
    answer = Client(app).get("/v1/related", params={"id": "p07", **query})
    shown, sent = ids(answer), app.stored.signer.open(answer.json()["slate"])
    marks = sent.brought or (False,) * len(sent.items)
    return Answered(
        shown,
        [id for id, mark in zip(shown, marks, strict=True) if mark],
        [item["origin"] for item in answer.json()["items"]],
    )


@pytest.fixture
def wide_app(wide: Path, settings: Settings, clock: Clock, rules: Path) -> Iterator[FastAPI]:
    """Editors pin an article on page p08: as the first link and, of fifty, as the last but one."""
    rules.write_text("action,source,target,position\npin,p08,p14,1\npin,p08,p09,12\n")
    made = create_app(replace(settings, models=wide), clock=clock)
    yield made
    made.stored.close()


def test_links_that_everybody_is_shown_are_not_marked(wide_app: FastAPI):
    """The usual ten, fewer of them, and slates that explore, with what comes up in them."""
    usual, few = answered(wide_app), answered(wide_app, k=3)
    explored = [answered(wide_app, variant=variant) for variant in range(80, 100)]

    assert (len(usual.shown), few.shown) == (10, usual.shown[:3])
    assert any("explored" in each.origins for each in explored)
    assert [each.marked for each in (usual, few, *explored)] == [[]] * 22


def test_what_comes_up_because_others_are_left_out_is_marked(wide_app: FastAPI):
    """Two are left out: of the ten that come eight are shown to all, and two are not. With all ten
    left out all are brought there, those that only fill up among them.
    """
    usual = answered(wide_app).shown

    two, ten = (answered(wide_app, exclude=usual[:n]) for n in (2, 10))

    assert (two.shown[:8], two.marked) == (usual[2:], two.shown[8:])
    assert len(two.marked) == 2
    assert ten.marked == ten.shown
    assert "fallback" in ten.origins


def test_to_leave_out_what_does_not_come_marks_nothing(wide_app: FastAPI):
    """Nor where fewer links are asked for, and others of the ten come up."""
    usual = answered(wide_app).shown

    nothing, one = answered(wide_app, exclude="p07"), answered(wide_app, exclude=usual[0], k=3)

    assert (nothing.shown, nothing.marked) == (usual, [])
    assert (one.shown, one.marked) == (usual[1:4], [])


@pytest.mark.parametrize("variant", [{}, {"variant": 99}])
def test_links_beyond_ten_are_marked(wide_app: FastAPI, variant: dict[str, int]):
    """Also of a slate that explores, of which the first ten are what its readers are shown."""
    usual, long = answered(wide_app, **variant), answered(wide_app, **variant, k=50)

    assert long.shown[:10] == usual.shown
    assert long.marked == long.shown[10:] != []


def test_what_editors_pin_is_not_marked(wide_app: FastAPI):
    """In whatever place: they want it shown to all."""
    long = answered(wide_app, id="p08", k=50)
    less = answered(wide_app, id="p08", exclude=long.shown[1])

    assert (long.shown[0], long.shown[11]) == ("p14", "p09")
    assert long.marked == [id for id in long.shown[10:] if id != "p09"] != []
    assert less.shown[0] == "p14"
    assert less.marked == less.shown[9:] != []


# Texts and batches


def test_a_text_gets_a_list_by_its_words(client: Client):
    """Of articles on its subject, for nobody to keep."""
    answer = client.post("/v1/related", json={"title": "Snoring at night", "k": 3})

    assert answer.json()["article_id"] is None
    assert [*answer.json()] == ["article_id", "model", "slate", "items"]
    assert all(item["origin"] == "text" for item in answer.json()["items"])
    assert all(id.startswith("sleep") for id in ids(answer))
    assert answer.headers["cache-control"] == "no-store"


def test_a_text_without_a_known_word_gets_fallbacks(client: Client):
    """Never an empty list."""
    answer = client.post("/v1/related", json={"title": "Qwertyuiop"})

    assert {item["origin"] for item in answer.json()["items"]} == {"fallback"}


def test_a_batch_is_answered_in_order(client: Client):
    """Each as it would be alone, unknown ones too."""
    wanted = ["sleep-1", "nobody", ODD, "sleep-1", STUB.id]

    answer = client.post("/v1/related/batch", json={"ids": wanted, "k": 3})

    alone = [client.get("/v1/related", params={"id": id, "k": 3}).json() for id in wanted]
    assert answer.json() == {"results": alone}
    assert answer.headers["cache-control"] == "no-store"


# Explanations and the admin key


def test_an_explanation_gives_figures(client_of: Any):
    """Of links that texts or readers chose; a pinned one has none."""
    client = client_of("action,source,target\npin,knee-1,alone\n")

    items = client.get("/v1/related?id=knee-1&explain=true", headers=BEARER).json()["items"]

    assert items[0]["why"] is None
    assert 0 < items[1]["why"]["cosine"] <= 1
    assert tuple(items[1]["why"]) == Evidence._fields


def test_every_link_is_explained(client_of: Any):
    """By what any program can read: contributions that add up, and a sentence; of a pin its
    reason.
    """
    client = client_of("action,source,target,reason\npin,knee-1,alone,Ask the editor\n")

    items = client.get("/v1/related?id=knee-1&explain=true", headers=BEARER).json()["items"]

    pinned, best = (item["explanation"] for item in items[:2])
    assert pinned["sentence"] == "An editor pinned it here: Ask the editor (line 2 of the rules)"
    assert (pinned["position"], pinned["origin"], pinned["rule"]["line"]) == (1, "pinned", 2)
    assert (best["article_id"], best["candidate_id"]) == ("knee-1", items[1]["id"])
    assert (best["position"], best["origin"]) == (2, items[1]["origin"])
    total = sum(each["value"] for each in best["contributions"])
    assert total == pytest.approx(items[1]["score"], abs=1e-5)
    assert best["sentence"]
    nobody = client.get("/v1/related?id=nobody&explain=true", headers=BEARER).json()["items"]
    assert [item["explanation"] for item in nobody] == [None] * len(nobody)


def test_an_explanation_is_not_kept(client: Client):
    """It is not for everybody."""
    answer = client.get("/v1/related?id=knee-1&explain=true", headers=BEARER)

    assert answer.headers["cache-control"] == "no-store"
    assert "why" not in client.get("/v1/related?id=knee-1").text


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", f"Basic {KEY}", f"Bearer {KEY}x", KEY]
)
def test_without_the_key_nothing_is_explained(client: Client, authorization: str | None):
    """Nor is anything activated."""
    headers = {} if authorization is None else {"Authorization": authorization.encode()}

    for answer in (
        client.get("/v1/related?id=knee-1&explain=true", headers=headers),
        client.post("/v1/models/x/activate", headers=headers),
    ):
        assert is_error(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_what_takes_a_key_does_not_exist_without_one(models: Path, rules: Path, clock: Clock):
    """Explanations are a parameter that means nothing, activation is no address."""
    client = Client(
        create_app(Settings(database="sqlite://", models=models, editorial=rules), clock=clock)
    )

    explained = client.get(
        "/v1/related?id=knee-1&explain=true", headers={"Authorization": "Bearer "}
    )

    assert explained.content == client.get("/v1/related?id=knee-1").content
    assert is_error(client.post("/v1/models/x/activate"), 404, "not_found")
    assert '"explain"' not in client.get("/openapi.json").text
    assert "activate" not in client.get("/openapi.json").text


def test_the_key_is_not_in_what_settings_print():
    """Logs and tracebacks print settings."""
    assert KEY not in repr(Settings(admin_key=KEY))


# Errors


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "missing_parameter"),
        ("k=3", 400, "missing_parameter"),
        ("id=a&url=b", 400, "conflicting_parameters"),
        ("id=a&id=b", 400, "repeated_parameter"),
        ("id=", 422, "invalid_parameter"),
        ("url=", 422, "invalid_parameter"),
        ("id=a&k=0", 422, "invalid_parameter"),
        ("id=a&k=51", 422, "invalid_parameter"),
        ("id=a&k=-1", 422, "invalid_parameter"),
        ("id=a&k=ten", 422, "invalid_parameter"),
        ("id=a&k=", 422, "invalid_parameter"),
        ("id=a&k=" + "9" * 5000, 422, "invalid_parameter"),
        ("id=a&k=%D9%A3", 422, "invalid_parameter"),
        ("id=a&explain=maybe", 422, "invalid_parameter"),
        ("id=" + "a" * 2001, 400, "id_too_long"),
        ("url=" + "a" * 8001, 400, "url_too_long"),
        ("id=a&x=" + "a" * 40_000, 414, "query_too_long"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(client: Client, query: str, status: int, code: str):
    """With the reason, for every origin to read."""
    answer = client.get(f"/v1/related?{query}")

    assert is_error(answer, status, code)
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/related", b"{", 400, "invalid_json"),
        ("/v1/related", b"[" * 100_000, 400, "invalid_json"),
        ("/v1/related", b"[]", 422, "invalid_body"),
        ("/v1/related", b"", 422, "invalid_body"),
        ("/v1/related", b"{}", 422, "empty_text"),
        ("/v1/related", b'{"title":" ","body":"\\n"}', 422, "empty_text"),
        ("/v1/related", b'{"title":3}', 422, "invalid_body"),
        ("/v1/related", b'{"title":"knee \\ud800pain"}', 422, "invalid_body"),
        ("/v1/related", b'{"title":"a","k":0}', 422, "invalid_body"),
        ("/v1/related", b'{"title":"a","k":true}', 422, "invalid_body"),
        ("/v1/related/batch", b"{}", 422, "invalid_body"),
        ("/v1/related/batch", b'{"ids":"a"}', 422, "invalid_body"),
        ("/v1/related/batch", b'{"ids":[""]}', 422, "invalid_body"),
        ("/v1/related/batch", b'{"ids":["\\udfff"]}', 422, "invalid_body"),
        ("/v1/related/batch", b'{"ids":["a"],"k":51}', 422, "invalid_body"),
        ("/v1/related/batch", json.dumps({"ids": ["a"] * 101}).encode(), 422, "invalid_body"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(
    client: Client, path: str, body: bytes, status: int, code: str
):
    """With the reason."""
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})

    assert is_error(answer, status, code), answer.text


def test_a_body_of_another_type_is_refused(client: Client):
    """A form is no JSON."""
    answer = client.post("/v1/related", data={"title": "knee"})

    assert is_error(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_refused(client: Client, announced: bool):
    """Whether its length is announced or it comes in pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b"a" * 1024

    content = b"a" * 300 * 1024 if announced else pieces()
    headers = {"content-type": "application/json"}
    answer = client.post("/v1/related", content=content, headers=headers)

    assert is_error(answer, 413, "body_too_large")


def test_a_text_of_the_largest_size_is_answered(client: Client):
    """The limit is beyond any article."""
    answer = client.post("/v1/related", json={"title": "Knee", "body": "knee joint " * 22_000})

    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/related/", "/v1/related/x", "/v2/related"])
def test_an_address_that_is_not_there_is_an_error(client: Client, path: str):
    """Not a redirection either."""
    assert is_error(client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/related", "GET, HEAD, POST"),
        ("GET", "/v1/related/batch", "POST"),
        ("POST", "/health/ready", "GET, HEAD"),
    ],
)
def test_another_method_is_told_which_there_are(
    client: Client, method: str, path: str, allowed: str
):
    """All of them, as HTTP asks for."""
    answer = client.request(method, path)

    assert is_error(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("way", ["short", "route"])
def test_a_fault_of_ours_is_an_error_like_others(
    app: Api, way: str, caplog: pytest.LogCaptureFixture
):
    """Its reason stands in the log, not in the answer."""

    def fails() -> datetime:
        raise RuntimeError("secret")

    app.related.clock = fails
    client = Client(app, raising=False)

    if way == "short":
        answer = client.get("/v1/related?id=knee-1")
        assert "secret" in caplog.text
    else:
        answer = client.post("/v1/related", json={"title": "knee"})

    assert is_error(answer, 500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["access-control-allow-origin"] == "*"


# Other origins


@pytest.mark.parametrize(
    "path", ["/v1/related?id=knee-1", "/v1/related?id=x", "/v1/model", "/v1/x"]
)
def test_pages_of_any_origin_may_read(client: Client, path: str):
    """Whether they say where they come from or not, so that caches may serve one to the other."""
    for headers in ({}, {"Origin": "https://site.example"}):
        assert client.get(path, headers=headers).headers["access-control-allow-origin"] == "*"


def test_pages_of_any_origin_may_ask_with_a_text(client: Client):
    """A browser asks first whether it may send JSON."""
    asks = {
        "Origin": "https://site.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }

    answer = client.request("OPTIONS", "/v1/related", headers=asks)

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "content-type" in answer.headers["access-control-allow-headers"]


def test_pages_of_other_origins_may_not_administer(client: Client):
    """A preflight of activation is refused."""
    asks = {"Origin": "https://site.example", "Access-Control-Request-Method": "POST"}

    answer = client.request("OPTIONS", "/v1/models/x/activate", headers=asks)

    assert answer.status_code == 405
    assert "access-control-allow-methods" not in answer.headers


# The model, probes, documentation


def test_the_model_says_where_it_comes_from(client: Client, lists: Lists):
    """Its name, when and from what it was built, what decided, how it scored."""
    about = client.get("/v1/model").json()

    assert [*about] == [
        "name", "built", "data_window", "decided_by", "reason", "scores", "n_articles", "variants",
        "experiment",
    ]  # fmt: skip
    assert (about["name"], about["n_articles"]) == (lists.name, 13)
    assert (about["built"], about["decided_by"]) == (NOW.isoformat(), "text")


def test_probes_say_that_all_is_well(app: Api, settings: Settings, lists: Lists):
    """Alive, and ready with a model, beside the store of the site."""
    with Store(settings.database) as store:
        batch = Batch()
        for article in articles():
            batch.add(article, "test")
        store.apply(batch)
    app.live.catch_up()
    client = Client(app)

    assert client.get("/health/live").json() == {"status": "alive"}
    assert client.get("/health/ready").json() == {
        "status": "ready",
        "model": lists.name,
        "fault": None,
    }


def test_the_documentation_describes_every_address(client: Client):
    """With the shape of its errors, and none of the framework's own."""
    paths = client.get("/openapi.json").json()["paths"]

    assert [*paths] == [
        "/v1/related", "/v1/related/batch", "/v1/events", "/widget.js", "/health/live",
        "/health/ready", "/v1/model", "/v1/articles", "/v1/models/{name}/activate", "/metrics",
    ]  # fmt: skip
    faults = [
        answer["content"]["application/json"]["schema"]["$ref"]
        for methods in paths.values()
        for method in methods.values()
        for status, answer in method["responses"].items()
        if not status.startswith("2")
    ]
    assert set(faults) == {"#/components/schemas/Error"}
    assert client.get("/docs").status_code == 200


def test_the_documentation_names_the_parameters(client: Client):
    """Which the short way reads without FastAPI."""
    asked = client.get("/openapi.json").json()["paths"]["/v1/related"]["get"]["parameters"]

    assert [each["name"] for each in asked] == ["id", "url", "k", "variant", "exclude", "explain"]


# The widget


def test_the_widget_comes_packed_to_who_can_unpack(client: Client):
    """Under 5 kB; kept for an hour, and not sent again while it is the same."""
    packed = client.get("/widget.js", headers={"accept-encoding": "gzip, br"})
    plain = client.get("/widget.js", headers={"accept-encoding": "identity"})
    again = client.get(
        "/widget.js",
        headers={"accept-encoding": "identity", "if-none-match": plain.headers["etag"]},
    )

    assert int(packed.headers["content-length"]) < 5_000
    assert packed.content == plain.content  # unpacked by the client
    assert packed.headers["etag"] != plain.headers["etag"]
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert plain.headers["cache-control"] == "public, max-age=3600"
    assert plain.headers["content-type"].startswith("text/javascript")
    assert (again.status_code, again.content) == (304, b"")


# What the process may hold


PROMISE = """
import pickle, sys
def refuse(*args, **kwargs):
    raise AssertionError("the web process unpickles")
class Refused:
    __init__ = refuse
pickle.load = pickle.loads = refuse
pickle.Unpickler = pickle._Unpickler = Refused
import numpy
loading = numpy.load
def load(*args, **kwargs):
    assert kwargs["allow_pickle"] is False
    return loading(*args, **kwargs)
numpy.load = load
from datetime import UTC, datetime
from pathlib import Path
from recommender_api.app import create_app
import recommender_api.serve
from recommender.config import Settings
import asyncio, httpx
settings = Settings(
    database="sqlite://", models=Path(sys.argv[1]), editorial=Path("none"), admin_key="key"
)
bearer = {"Authorization": "Bearer key"}
app = create_app(settings, clock=lambda: datetime.now(UTC))
async def ask():
    way = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=way, base_url="http://test") as client:
        for answer in (
            await client.get("/v1/related?id=knee-1"),
            await client.get("/v1/related?id=knee-1&explain=1", headers=bearer),
            await client.get("/v1/related?id=knee-1&variant=99&exclude=knee-2"),
            await client.put(
                "/v1/articles", json=[{"id": "new", "title": "Knee joint"}], headers=bearer
            ),
            await client.get("/v1/related?id=new"),
            await client.get("/metrics", headers=bearer),
            await client.post("/v1/related", json={"title": "knee joint"}),
            await client.post("/v1/related/batch", json={"ids": ["knee-1", "nobody"]}),
            await client.get("/v1/model"),
        ):
            assert answer.status_code == 200, answer.text
asyncio.run(ask())
print(*sorted({name.partition(".")[0] for name in sys.modules}))
print(*sorted(name for name in sys.modules if name.startswith("recommender.")))
"""


@pytest.mark.slow
def test_the_web_process_loads_what_it_serves_with_and_unpickles_nothing(models: Path):
    """No scikit-learn, no scipy, no data frames; of the library only the parts that serve."""
    run = subprocess.run(
        [sys.executable, "-c", PROMISE, models], capture_output=True, text=True, timeout=60
    )

    assert run.returncode == 0, run.stderr
    loaded, own = (set(line.split()) for line in run.stdout.splitlines())
    assert not loaded & {
        "sklearn", "scipy", "joblib", "numba", "llvmlite", "pandas", "pyarrow",
    }  # fmt: skip
    assert not {name.partition(".")[2] for name in own} & {
        "bundle.bundle", "store.counts", "ranking", "text.kernels", "training", "text.neighbours",
    }  # fmt: skip


# What is kept of answers


def test_what_is_asked_for_stays_and_what_is_not_goes():
    """In so many bytes."""
    kept: Recent[int, str] = Recent(1_000)
    for number in range(100):
        kept.keep(number, f"{number}", 50)
        assert kept.get(0) == "0"

    assert len({**kept._new, **kept._old}) <= 20
    assert kept.get(50) is None
    assert kept.get(95) == "95"


@pytest.mark.parametrize(
    "query",
    ["id=knee-1", "id=a%2Fb%20c", "id=a:b/c&k=7", "id=x&variant=07", "id=x&k=50&variant=99",
     "id=%ff", "id=x&k=0", "id=x&k=51", "id=" + "a" * 2_001],
)  # fmt: skip
def test_usual_queries_are_understood_as_others(query: str):
    """In another order, and with a parameter of others, they take the long way."""

    def understood(text: str) -> object:
        try:
            return parse(text.encode())
        except Refusal as exc:
            return exc.code

    first, *rest = query.split("&")

    assert understood(query) == understood("&".join([*rest, first, "utm_source=mail"]))


def test_headers_are_written_as_a_reply_has_them():
    """Those of a list that may be kept are not put together each time."""
    reply = cached(b"body", b'"tag"', ())

    assert lines(reply) == CACHED_LINES % (4, b'"tag"')
