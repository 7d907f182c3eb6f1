"""The short lane writes what the long way writes, byte for byte, and counts it as that does."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
import uvicorn
from asking import BEARER, KEY, ODD, Clock, publish

from recommender.bundle import experiments
from recommender.config import Settings
from recommender.lists.arms import INTERLEAVED, Arm, Experiment
from recommender_api import connections
from recommender_api.app import Api, create_app

pytestmark = pytest.mark.skipif(
    connections.PROTOCOL is connections.H11Connection, reason="the lane takes httptools"
)
HEADERS = b"Host: x\r\nUser-Agent: a browser\r\nAccept: */*\r\nOrigin: https://example.org\r\n"
LAST = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
KNEE = b"id=knee-1"


def get(query: bytes, headers: bytes = HEADERS, *, version: bytes = b"1.1") -> bytes:
    return b"GET /v1/related?%b HTTP/%b\r\n%b\r\n" % (query, version, headers)


class Asking:
    """An application behind a real server in a thread, and raw requests to it."""

    def __init__(self, app: Api) -> None:
        self.app = app
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = uvicorn.Config(
            app, port=self.port, http=connections.PROTOCOL, ws="none", log_level="critical",
            access_log=False, proxy_headers=False, server_header=False, timeout_keep_alive=1,
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        deadline = time.monotonic() + 20
        while not self.server.started and time.monotonic() < deadline:
            time.sleep(0.01)

    def __call__(self, *parts: bytes, pause: float = 0.0) -> bytes:
        """All that is answered until the server closes, without the time of day."""
        found = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            with contextlib.suppress(OSError):
                for part in parts:
                    connection.sendall(part)
                    time.sleep(pause)
            # What was sent after the server had closed is answered by a reset, behind its answer.
            with contextlib.suppress(ConnectionResetError):
                while part := connection.recv(65536):
                    found += part
        return re.sub(rb"\r\ndate: [^\r]*", b"", found)

    def counted(self) -> dict[str, float]:
        """What the page of metrics says of lists and answers, but for how long they took."""
        page = self.app.metrics.text([]).decode()
        lines = [line.rsplit(" ", 1) for line in page.splitlines() if line[0] != "#"]
        asked = "answers", "responses", "request_seconds_count"
        return {
            name: float(value)
            for name, value in lines
            if name.partition("{")[0].removeprefix("recommender_").removesuffix("_total") in asked
        }

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        self.app.stored.close()


class Ways(NamedTuple):
    short: Asking
    long: Asking


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("site")
    publish(folder / "models")
    return Settings(
        database=f"sqlite:///{folder / 'store.db'}",
        models=folder / "models",
        editorial=folder / "editorial.csv",
        admin_key=KEY,
    )


def serving(settings: Settings, *, lane: bool, clock: Clock | None = None) -> Asking:
    app = create_app(settings, clock=clock or Clock())
    assert isinstance(app, Api)
    app.lane = app.lane if lane else None
    return Asking(app)


@pytest.fixture(scope="module")
def ways(settings: Settings) -> Iterator[Ways]:
    """The same site both ways."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "TICK_SECONDS", 0.05)
        short, long = serving(settings, lane=True), serving(settings, lane=False)
        yield Ways(short, long)
        short.stop()
        long.stop()


QUERIES = [
    KNEE,
    b"id=alone&utm_source=mail",
    b"id=" + quote(ODD, safe="").encode(),
    b"id=" + ODD.replace("%", "%25").replace("&", "%26").replace("#", "%23").encode(),
    b"url=https://example.org/knee/1/%3Fpage=2",
    b"url=https://example.org/KNEE/1",
    b"id=knee-1&k=3",
    b"id=knee-1&k=50",
    b"id=knee-1&variant=0",
    b"id=knee-1&variant=99&k=4",
    b"id=knee-1&exclude=knee-2&exclude=knee-3",
    b"id=knee-1&explain=true",
    b"id=knee-1#explain",
    b"id=nobody",
    b"url=https://example.org/nowhere",
    b"id=",
    b"",
    b"k=3",
    b"id=knee-1&id=knee-2",
    b"id=knee-1&url=https://example.org/knee/1",
    b"id=knee-1&k=0",
    b"id=knee-1&variant=100",
    b"id=knee-1&x=" + b"y" * 3_000,
    b"id=knee-1&x=" + b"y" * 40_000,
    b"id=knee-1?&",
    b"id=\xff\xfe",
    b"id=a b",
]


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_every_query_is_answered_the_same(ways: Ways, query: bytes):
    """Known and unknown pages, and what makes no sense; asked anew, and once more by a head that
    is known.
    """
    asked = (get(query), get(b"id=sleep-1"), get(query), LAST)

    short = ways.short(*asked, pause=0.02)

    assert short == ways.long(*asked, pause=0.02)
    assert short.startswith(b"HTTP/1.1 ")
    assert short == ways.short(*asked, pause=0.02)


def tag_of(answer: bytes) -> bytes:
    found = re.search(rb'etag: ("[^"]+")', answer)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        (b"If-None-Match: %b", 304),
        (b"if-none-match: W/%b", 304),
        (b'IF-NONE-MATCH: "other", %b', 304),
        (b'If-None-Match: "other"\r\nIf-None-Match: %b', 304),
        (b"If-None-Match: *%.0b", 304),
        (b'If-None-Match: "other"%.0b', 200),
        (b"If-None-Match:%.0b", 200),
    ],
)
def test_a_copy_is_still_good_both_ways(ways: Ways, form: bytes, status: int):
    """However it is named."""
    tag = tag_of(ways.long(get(KNEE), LAST))
    headers = HEADERS + form.replace(b"%.0b", b"").replace(b"%b", tag) + b"\r\n"
    asked = (get(KNEE, headers), get(KNEE), get(KNEE, headers), LAST)

    short = ways.short(*asked, pause=0.02)

    assert short == ways.long(*asked, pause=0.02)
    assert short.startswith(b"HTTP/1.1 %d" % status)


OTHERS = {
    "closing": get(KNEE, HEADERS + b"Connection: close\r\n"),
    "closing among others": get(KNEE, HEADERS + b"Connection: x, Close\r\n"),
    "keeping": get(KNEE, HEADERS + b"Connection: keep-alive\r\n"),
    "of 1.0": get(KNEE, version=b"1.0"),
    "of 1.0, keeping": get(KNEE, HEADERS + b"Connection: keep-alive\r\n", version=b"1.0"),
    "of 2.0": get(KNEE, version=b"2.0"),
    "no headers": b"GET /v1/related?id=knee-1 HTTP/1.1\r\n\r\n",
    "head": b"HEAD /v1/related?id=knee-1 HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "options": b"OPTIONS /v1/related?id=knee-1 HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "preflight": b"OPTIONS /v1/related HTTP/1.1\r\nAccess-Control-Request-Method: GET\r\n\r\n",
    "delete": b"DELETE /v1/related?id=knee-1 HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "lower case": get(KNEE).replace(b"GET", b"get"),
    "other path": b"GET /v1/relatedness?id=knee-1 HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "encoded path": b"GET /v1/%72elated?id=knee-1 HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "absolute": b"GET http://x/v1/related?id=knee-1 HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "no query": b"GET /v1/related HTTP/1.1\r\n" + HEADERS + b"\r\n",
    "body": get(KNEE, HEADERS + b"Content-Length: 3\r\n") + b"abc",
    "no body": get(KNEE, HEADERS + b"Content-Length: 0\r\n"),
    "chunked": get(KNEE, HEADERS + b"Transfer-Encoding: chunked\r\n") + b"3\r\nabc\r\n0\r\n\r\n",
    "expecting": get(KNEE, HEADERS + b"Expect: 100-continue\r\n"),
    "other protocol": get(KNEE, HEADERS + b"Connection: upgrade\r\nUpgrade: h2c\r\n"),
    "websocket": get(KNEE, HEADERS + b"Connection: upgrade\r\nUpgrade: websocket\r\n"),
    "explaining": get(
        KNEE + b"&explain=1", HEADERS + b"Authorization: " + BEARER["Authorization"] + b"\r\n"
    ),
    "wrong key": get(KNEE + b"&explain=1", HEADERS + b"Authorization: Bearer x\r\n"),
    "blank lines first": b"\r\n\r\n" + get(KNEE),
    "bare line feeds": get(KNEE).replace(b"\r\n", b"\n"),
    "no colon": get(KNEE, HEADERS + b"nothing\r\n"),
    "folded": get(KNEE, HEADERS + b"X: a\r\n b\r\n"),
    "control": get(KNEE, HEADERS + b"X: a\x01b\r\n"),
    "blank before colon": get(KNEE, HEADERS + b"X : a\r\n"),
    "large": get(KNEE, HEADERS + b"X: " + b"a" * 70_000 + b"\r\n"),
    "uncommon": get(KNEE, HEADERS + b"X: " + b"a" * 9_000 + b"\r\n"),
    "two heads in one": get(KNEE) + b"GET /v1/related?id=sle",
    "no request": b"\x00\x01\x02\r\n\r\n",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_every_kind_of_request_is_answered_the_same(ways: Ways, kind: str):
    """On a new connection, behind a plain request, and after it was seen before."""
    sent = OTHERS[kind]
    for asked in ((sent, LAST), (get(KNEE), sent, LAST), (get(KNEE), sent, LAST)):
        assert ways.short(*asked, pause=0.02) == ways.long(*asked, pause=0.02)


@pytest.mark.parametrize("at", [1, 3, 4, 16, 20, 25, 36, 60, -4, -3, -2, -1])
def test_a_request_in_two_pieces_is_one(ways: Ways, at: int):
    """Wherever it is cut, also where the rest is as a whole request is."""
    plain = get(KNEE)
    asked = (plain, plain[:at], plain[at:], LAST)

    assert ways.short(*asked, pause=0.02) == ways.long(*asked, pause=0.02)

    inner = b"GET /v1/related?id=alone&x=" + plain
    cut = (plain, inner[: len(inner) - len(plain)], plain, LAST)

    assert ways.short(*cut, pause=0.02) == ways.long(*cut, pause=0.02)


def test_a_body_that_is_as_a_request_is_no_request(ways: Ways):
    """Nothing of it is answered."""
    plain = get(KNEE)
    head = b"POST /v1/related HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(plain)
    typed = head.replace(b"Host", b"Content-Type: application/json\r\nHost")
    for asked in ((plain, head, plain, LAST), (plain, typed, plain, LAST)):
        assert ways.short(*asked, pause=0.05) == ways.long(*asked, pause=0.05)


def test_requests_sent_ahead_are_answered_in_order(ways: Ways):
    """Short and long ones in turn, in one piece or cut."""
    long = b"GET /v1/model HTTP/1.1\r\nHost: x\r\n\r\n"
    asked = get(KNEE) + long + get(b"id=sleep-1") + get(b"id=nobody") + get(KNEE) + LAST

    whole = ways.long(asked)

    assert whole.count(b"HTTP/1.1 200") == 6
    for at in (0, 30, 200, 350, 500):
        assert ways.short(asked[:at], asked[at:], pause=0.02) == whole


def test_what_waits_for_the_store_holds_up_what_comes_behind(ways: Ways):
    """An unknown page is answered before the known one that was asked for after it."""
    found = ways.short(get(b"id=nobody"), get(KNEE), LAST)

    assert found == ways.long(get(b"id=nobody"), get(KNEE), LAST)
    assert found.index(b'"article_id":null') < found.index(b'"article_id":"knee-1"')


def test_both_ways_count_the_same(settings: Settings):
    """Lists, answers by status, and how many were timed."""
    counted = []
    for lane in (True, False):
        asking = serving(settings, lane=lane)
        tag = tag_of(asking(get(KNEE), LAST))
        again = get(KNEE, HEADERS + b"If-None-Match: " + tag + b"\r\n")
        plain = [get(query) for query in QUERIES[:3] + QUERIES[4:12]]
        asking(*plain, again, get(KNEE), again, LAST, pause=0.02)
        counted.append(asking.counted())
        asking.stop()

    assert counted[0] == counted[1]
    assert counted[0]['recommender_responses_total{route="related",status="304"}'] == 2
    assert counted[0]['recommender_request_seconds_count{route="related"}'] == 15


def test_who_says_nothing_more_is_let_go(ways: Ways):
    """As long after the last answer as uvicorn lets connections be."""
    for sent in ((get(KNEE),), (get(KNEE), get(KNEE)), (get(b"id=nobody"), get(KNEE))):
        since = time.monotonic()
        assert ways.short(*sent, pause=0.1).count(b"HTTP/1.1 200") == len(sent)
        assert 0.9 < time.monotonic() - since < 5


def test_who_asks_and_does_not_read_is_not_written_to_without_end(ways: Ways):
    """Answers wait in the process only as far as a transport lets them."""
    plain = get(KNEE)
    with socket.create_connection(("127.0.0.1", ways.short.port), timeout=20) as connection:
        connection.setblocking(False)
        n_sent, deadline = 0, time.monotonic() + 2
        while time.monotonic() < deadline:
            try:
                n_sent += connection.send(plain * 100)
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:
                break

    assert n_sent < 30_000_000


def test_rules_end_on_the_moment(settings: Settings, tmp_path: Path):
    """Also for what was answered a moment ago."""
    rules = tmp_path / "editorial.csv"
    rules.write_text(
        "action,source,target,position,from,until\n"
        "pin,knee-1,alone,1,,2026-11-22T11:00+00:00\npin,sleep-1,alone,1,,\n"
    )
    clock = Clock()
    given = {name: getattr(settings, name) for name in ("database", "models", "admin_key")}
    asking = serving(Settings(**given, editorial=rules), lane=True, clock=clock)
    before = [asking(get(query), get(query), LAST) for query in (KNEE, b"id=sleep-1")]
    clock.now = clock.now.replace(hour=12)
    after = [asking(get(query), get(query), LAST) for query in (KNEE, b"id=sleep-1")]
    asking.stop()

    assert [each.count(b'"origin":"pinned"') for each in before] == [2, 2]
    assert [each.count(b'"origin":"pinned"') for each in after] == [0, 2]


def test_an_experiment_is_shown_while_it_runs(settings: Settings):
    """Views of before it do not outlast its beginning, nor its own its end."""
    asking = serving(settings, lane=True)
    live, view = asking.app.live, get(b"id=knee-1&variant=7")
    outside = asking(view, view, LAST)
    name = live.bundle().name
    arms = tuple(Arm(each, name, name, 0, 99) for each in ("one", "two"))
    trial = Experiment("trial", "2026-11-22T00:00:00+00:00", INTERLEAVED, 20, arms)
    experiments.begin(settings.models, trial)
    live.refresh()
    within = [asking(view, view, LAST) for _ in range(2)]
    long = serving(settings, lane=False)
    reference = long(view, view, LAST)
    long.stop()
    timed = sum(live.latencies.drained().values())
    experiments.end(settings.models, now=Clock().now)
    live.refresh()
    after = asking(view, view, LAST)
    asking.stop()

    assert within == [reference, reference]
    assert outside == after != reference
    assert timed == 4


def test_the_long_way_is_taken_where_the_lane_cannot_be(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """By a server of another release, which is said once; and while answers are logged."""
    logged = create_app(
        Settings(database=settings.database, models=settings.models, access_log="on"),
        clock=Clock(),
    )
    assert isinstance(logged, Api) and logged.lane is None
    logged.stored.close()
    monkeypatch.setattr(connections, "LEANS_ON", ("cycle", "of_tomorrow"))
    asking = serving(settings, lane=True)
    found = [asking(get(KNEE), get(KNEE), LAST) for _ in range(2)]
    door = connections._DOORS[asking.server.server_state]
    asking.stop()

    assert [each.count(b"HTTP/1.1 200") for each in found] == [3, 3]
    assert not door.heads
    assert [each.getMessage() for each in caplog.records].count(
        "lists go the long way: this uvicorn has no of_tomorrow"
    ) == 1


def test_uvicorn_has_what_the_lane_leans_on(ways: Ways):
    """So that it is taken at all: heads are known again."""
    ways.short(get(KNEE), get(KNEE), LAST, pause=0.02)

    door = connections._DOORS[ways.short.server.server_state]
    assert HEADERS + b"\r\n" in door.heads


def test_what_stands_around_the_application_sees_every_request(settings: Settings):
    """Where something does, there is no lane."""
    app = create_app(settings, clock=Clock())
    seen: list[str] = []

    async def around(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope.get("path", ""))
        await app(scope, receive, send)

    around.stored = app.stored  # type: ignore[attr-defined]
    asking = Asking(around)  # type: ignore[arg-type]
    asking(get(KNEE), get(KNEE), LAST, pause=0.02)
    asking.stop()

    assert seen.count("/v1/related") == 2
