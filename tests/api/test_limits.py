"""What is asked for by strangers is bounded before it is worked on."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import KEY, NOW, Client, Clock, publish
from fastapi import FastAPI

from recommender.config import Settings
from recommender_api.app import create_app
from recommender_api.http import MAX_ARTICLES_BYTES, MAX_BODY_BYTES, Body, Edge, Room, read_body
from recommender_api.pool import Pool
from recommender_api.related import MAX_EXCLUDED, parse
from recommender_api.schemas import Refusal

BEARER = (b"authorization", b"Bearer " + KEY.encode())
JSON = (b"content-type", b"application/json")
ADDRESS = "203.0.113.5"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("limits") / "models"
    publish(folder)
    return folder


def made(models: Path, folder: Path, *, key: str = KEY, **more: Any) -> FastAPI:
    settings = Settings(
        database=f"sqlite:///{folder}/store.db", models=models, admin_key=key,
        editorial=folder / "editorial.csv", **more,
    )  # fmt: skip
    return create_app(settings, clock=lambda: NOW, ticks=lambda: 0.0)


@pytest.fixture
def app(models: Path, tmp_path: Path) -> Iterator[FastAPI]:
    app = made(models, tmp_path)
    yield app
    app.stored.close()


class Sender:
    """Sends a request whose body comes in pieces, and counts those that were read."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.n_read = 0
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    def __call__(
        self, method: str, path: str, *headers: tuple[bytes, bytes], pieces: list[bytes]
    ) -> tuple[int, str]:
        """Status and code of the error."""
        waiting = list(pieces)
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
            "query_string": b"", "headers": [(b"transfer-encoding", b"chunked"), *headers],
            "client": (ADDRESS, 1), "server": ("test", 80), "state": {},
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            self.n_read += 1
            if not waiting:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.status, self.headers = message["status"], message["headers"]
            self.body += message.get("body", b"")

        asyncio.run(self.app(scope, receive, send))
        return self.status, json.loads(self.body).get("error", "")

    @property
    def closes(self) -> bool:
        return (b"connection", b"close") in self.headers


# Bodies


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("PUT", "/v1/articles", (JSON,), (401, "unauthorized")),
        ("PUT", "/v1/articles", (JSON, (b"authorization", b"Bearer x")), (401, "unauthorized")),
        ("PUT", "/v1/articles", (BEARER,), (415, "unsupported_media_type")),
        ("POST", "/v1/related", (), (415, "unsupported_media_type")),
        ("POST", "/v1/related/batch", ((b"content-type", b"text/plain"),),
         (415, "unsupported_media_type")),
        ("POST", "/v1/events", ((b"content-type", b"image/png"),), (415, "unsupported_media_type")),
        ("POST", "/v1/events", ((b"origin", b"https://x.example"),), (403, "origin_not_allowed")),
        ("POST", "/v1/events", ((b"authorization", b"Bearer x"),), (401, "unauthorized")),
        ("POST", "/v1/articles", (JSON,), (405, "method_not_allowed")),
        ("PUT", "/v1/related", (JSON,), (405, "method_not_allowed")),
        ("POST", "/v1/models/x/activate", (JSON,), (401, "unauthorized")),
        ("POST", "/nowhere", (JSON,), (404, "not_found")),
    ],
)  # fmt: skip
def test_what_can_be_refused_at_once_is_not_read(
    app: FastAPI, method: str, path: str, headers: Any, expected: tuple[int, str]
):
    """Not one piece of it, and the connection is closed instead."""
    sender = Sender(app)

    assert sender(method, path, *headers, pieces=[b"[" * 1000] * 1000) == expected
    assert (sender.n_read, sender.closes) == (0, True)


@pytest.mark.parametrize(("method", "path"), [("PUT", "/v1/articles"), ("DELETE", "/v1/articles"),
                                              ("POST", "/v1/models/x/activate")])  # fmt: skip
def test_without_a_key_what_takes_one_is_nowhere(
    models: Path, tmp_path: Path, method: str, path: str
):
    """Found out without reading a piece of the body."""
    sender = Sender(made(models, tmp_path, key=""))

    assert sender(method, path, JSON, pieces=[b"[" * 1000] * 1000) == (404, "not_found")
    assert (sender.n_read, sender.closes) == (0, True)


@pytest.mark.parametrize(
    ("method", "path", "headers", "most"),
    [("PUT", "/v1/articles", (JSON, BEARER), MAX_ARTICLES_BYTES),
     ("POST", "/v1/events", (), MAX_BODY_BYTES),
     ("POST", "/v1/related", (JSON,), MAX_BODY_BYTES)],
)  # fmt: skip
def test_a_body_is_read_up_to_its_bound(
    app: FastAPI, method: str, path: str, headers: Any, most: int
):
    """And no piece further, though nobody announced how long it is."""
    sender = Sender(app)

    found = sender(method, path, *headers, pieces=[b"[" * 65_536] * 1000)

    assert found == (413, "body_too_large")
    assert (sender.n_read, sender.closes) == (most // 65_536 + 1, True)
    assert app.edge.open.held == app.edge.closed.held == 0


def test_all_bodies_together_are_bounded(app: FastAPI):
    """Where others hold all the room there is, one more is refused for now; the editors' system
    has room of its own.
    """
    app.edge.open.held = app.edge.open.most
    sender = Sender(app)

    assert sender("POST", "/v1/events", pieces=[b"[", b"]"]) == (503, "overloaded")
    assert (b"retry-after", b"1") in sender.headers
    assert Sender(app)("PUT", "/v1/articles", JSON, BEARER, pieces=[b"[", b"]"])[0] == 200


def test_one_client_fills_its_share_alone():
    """However many slow posts it has under way; another has room all the while."""
    room = Room(100, share=0.25)

    assert room.hold(20, "one")
    assert not room.hold(6, "one")
    assert room.hold(25, "other")
    assert room.hold(25, None)  # this machine itself has no share
    for held, client in ((26, "one"), (25, "other"), (25, None)):
        room.hold(-held, client)
    assert (room.held, room.of) == (0, {})


def test_room_is_given_back():
    """Whatever became of the body."""
    room = Room(10)
    pieces = [{"type": "http.request", "body": b"12345", "more_body": True}] * 3

    async def receive() -> Any:
        return pieces.pop()

    async def read() -> None:
        with Body({"headers": []}, receive, 100, room, "one") as body:
            await read_body(body.receive)

    with pytest.raises(Refusal, match="Too much is being sent"):
        asyncio.run(read())
    assert room.held == 0


@pytest.mark.parametrize(("method", "path", "headers"), [("POST", "/v1/events", ()),
    ("POST", "/v1/related", (JSON,)), ("PUT", "/v1/articles", (JSON, BEARER))])  # fmt: skip
def test_half_a_body_is_none(app: FastAPI, method: str, path: str, headers: Any):
    """A client that went before the end has sent nothing, though what came is valid JSON."""
    sender = Sender(app)
    pieces = [b"[]", b""]

    async def receive() -> dict[str, Any]:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": True}
        return {"type": "http.disconnect"}

    original = sender.app

    async def app_of(scope: Any, _: Any, send: Any) -> None:
        await original(scope, receive, send)

    sender.app = app_of

    assert sender(method, path, *headers, pieces=[])[0] == 400


def test_where_the_line_is_full_a_text_is_not_read(app: FastAPI):
    """Others wait for their lists already."""
    app.edge = Edge(KEY, is_full=lambda: True)
    sender = Sender(app)

    found = sender("POST", "/v1/related", JSON, pieces=[b"{}"])

    assert (found, sender.n_read) == ((503, "overloaded"), 0)
    assert Client(app).get("/v1/related?id=knee-1").status_code == 200


# Events


def test_events_are_counted_not_posts(models: Path, tmp_path: Path):
    """Ten a minute: a post of fifteen is let in and leaves five owing; a client in debt waits."""
    app = made(models, tmp_path, event_rate=10)

    def post(n: int, **more: Any) -> tuple[int, str]:
        headers = [BEARER] if more else []
        return Sender(app)("POST", "/v1/events", *headers, pieces=[json.dumps([{}] * n).encode()])

    assert post(9) == (202, "")
    assert post(6) == (202, "")
    assert post(1) == (429, "too_many_requests")
    assert post(1, trusted=True)[0] == 202
    app.events.ticks = lambda: 35.0
    assert post(1) == (429, "too_many_requests")
    app.events.ticks = lambda: 36.0
    assert post(1) == (202, "")
    assert post(1) == (429, "too_many_requests")


def test_a_clock_that_is_set_back_blocks_nobody(models: Path, tmp_path: Path):
    """Rates go by a clock that never is."""
    clock = Clock()
    settings = Settings(
        database=f"sqlite:///{tmp_path}/store.db", models=models, event_rate=1,
        editorial=tmp_path / "editorial.csv",
    )  # fmt: skip
    ticks = [0.0]
    app = create_app(settings, clock=clock, ticks=lambda: ticks[0])
    assert Sender(app)("POST", "/v1/events", pieces=[b"[{}]"])[0] == 202

    clock.now = clock.now.replace(year=2020)
    ticks[0] = 61.0

    assert Sender(app)("POST", "/v1/events", pieces=[b"[{}]"])[0] == 202
    app.stored.close()


@pytest.mark.parametrize(
    "body",
    [b"[" * 200_000, b'{"a":' * 40_000, b"[" + b"1" * 200_000 + b"]", b"[1e999999]",
     b'[{"type":' + b"9" * 100_000 + b"}]"],
)  # fmt: skip
def test_bombs_of_json_are_cheap(app: FastAPI, body: bytes):
    """Depth and digits are refused or rejected, each at once."""
    status, _ = Sender(app)("POST", "/v1/events", pieces=[body])

    assert status in (202, 400)


# Lists


def test_few_articles_can_be_left_out():
    """Each costs time while a list is put together."""
    most = "&".join(f"exclude={n}" for n in range(MAX_EXCLUDED))

    assert len(parse(f"id=a&{most}".encode()).exclude) == MAX_EXCLUDED
    with pytest.raises(Refusal, match="At most 200"):
        parse(f"id=a&{most}&exclude=x".encode())


def test_a_long_text_is_ranked_by_its_beginning(app: FastAPI):
    """The work grows with the text."""
    client = Client(app)
    short = client.post("/v1/related", json={"body": "knee joint " * 2_910})

    long = client.post("/v1/related", json={"body": "knee joint " * 2_910 + "x " * 50_000})

    assert long.json() == short.json()
    assert short.json()["items"]


def test_texts_wait_in_a_short_line():
    """Also behind one whose client is gone, which goes on; beyond, they may come back."""
    go = threading.Event()

    async def asked() -> None:
        jobs = [asyncio.ensure_future(pool.run(go.wait)) for _ in range(3)]
        await asyncio.sleep(0.01)
        with pytest.raises(Refusal) as caught:
            await pool.run(go.wait)
        assert (caught.value.status_code, caught.value.code) == (503, "overloaded")
        assert caught.value.headers == {"Retry-After": "1"}
        jobs[0].cancel()
        await asyncio.sleep(0.01)
        with pytest.raises(Refusal):
            await pool.run(go.wait)
        go.set()
        assert await asyncio.gather(*jobs[1:]) == [True, True]
        await asyncio.sleep(0.01)
        assert await pool.run(lambda: 7) == 7

    pool = Pool("test", n_threads=1, most=3)
    asyncio.run(asked())
    pool.close()
