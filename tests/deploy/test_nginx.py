"""What nginx does in front of the server: by its own check, and by requests through it."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from recommender.config import Settings
from recommender_api.app import create_app
from recommender_api.http import MAX_RULES_BYTES
from recommender_api.logs import paths_of

ROOT = Path(__file__).parents[2]
FILES = ROOT / "docs" / "deploy" / "nginx"
# Addresses of readers, and what may be known of them.
READERS = {
    "203.0.113.77": "203.0.113.0",
    "2001:db8:7:8::9": "2001:db8:7::",
    "2001:db8:7::9": "2001:db8:7::",
    "2001:db8::9": "2001:db8::",
    "2001::9": "2001::",
    "::1": "::",
    "::ffff:203.0.113.77": "203.0.113.0",
}
WHOLE = """
pid {folder}/nginx.pid; daemon off; worker_processes 1; {user}
error_log {folder}/main.log crit;
events {{ worker_connections 64; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    include {folder}/upstream.conf;
    include {folder}/recommender.conf;
}}
"""


class Server(BaseHTTPRequestHandler):
    """Answers as the recommender does, and remembers what it was asked."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str, dict[str, str]]]
    status = 200

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.asked.append((self.command, self.path, dict(self.headers)))
        body = json.dumps({"number": len(self.asked)}).encode()
        seconds = 1 if "brief" in self.path else 60
        kept = f"public, max-age={seconds}" if "unknown" not in self.path else "no-store"
        self.send_response(self.status)
        self.send_header("Cache-Control", kept if self.status == 200 else "no-store")
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - http.server calls them by these names

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Proxy:
    """nginx with the project's files, its folders and ports aside, before a stand-in."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder, self.port = folder, free_port()
        Server.asked, Server.status = [], 200
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        text = (FILES / "recommender.conf").read_text(encoding="utf-8")
        text = text.replace("/var/cache/nginx-recommender", str(folder / "cache"))
        text = text.replace("/var/log/nginx", str(folder))
        text = text.replace("listen 80;", f"listen 127.0.0.1:{self.port};")
        text = text.replace("listen [::]:80;", "")
        # So that a test can come from anywhere, as a proxy further out would say.
        text = text.replace(
            "server_tokens off;",
            "set_real_ip_from 127.0.0.1; real_ip_header X-From; server_tokens off;",
        )
        (folder / "recommender.conf").write_text(text, encoding="utf-8")
        ours = (FILES / "upstream.conf").read_text(encoding="utf-8")
        there = f"127.0.0.1:{self.server.server_address[1]}"
        (folder / "upstream.conf").write_text(ours.replace("127.0.0.1:8000", there), "utf-8")
        user = "user root;" if os.geteuid() == 0 else ""
        main = folder / "nginx.conf"
        main.write_text(WHOLE.format(folder=folder, user=user), encoding="utf-8")
        self.command = [program, "-c", str(main), "-p", str(folder)]
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)

    def ask(
        self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON and headers of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        found = json.loads(text) if text.startswith(b"{") else None
        return answer.status, found, dict(answer.headers)

    def stop(self) -> None:
        """End both."""
        self.process.terminate()
        self.process.wait(10)
        self.server.shutdown()
        self.server.server_close()


def nginx() -> str:
    """The program; the test is skipped without it."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    return program


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    """It, answering."""
    found = Proxy(tmp_path, nginx())
    try:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                found.ask("/health/live")
                break
            except OSError:
                time.sleep(0.05)
        Server.asked.clear()
        yield found
    finally:
        found.stop()


def test_nginx_takes_the_files(proxy: Proxy):
    """As they are, but for ports and folders; a misspelt word is told."""
    assert subprocess.run([*proxy.command, "-t"], stderr=subprocess.DEVNULL).returncode == 0

    file = proxy.folder / "recommender.conf"
    file.write_text(file.read_text().replace("proxy_cache_lock ", "proxy_cache_latch "))
    assert subprocess.run([*proxy.command, "-t"], stderr=subprocess.DEVNULL).returncode == 1


def test_the_cache_stands_where_every_system_has_room():
    """nginx makes one folder, not those above it; Debian's package has no /var/cache/nginx. In
    the container, whose root cannot be written, it is a place of its own.
    """
    text = (FILES / "recommender.conf").read_text(encoding="utf-8")
    (place,) = re.findall(r"^proxy_cache_path (\S+)", text, re.M)

    assert str(Path(place).parent) == "/var/cache"
    assert f"tmpfs: [/var/cache/nginx, {place}, " in (ROOT / "compose.yaml").read_text("utf-8")


def test_both_upstreams_are_the_same_but_for_the_place():
    """On one machine, and in compose.yaml."""
    one, two = (
        re.sub(r"#.*|server \S+;", "", (FILES / name).read_text(encoding="utf-8"))
        for name in ("upstream.conf", "upstream-compose.conf")
    )

    assert one == two


def test_a_list_is_kept_for_its_variant(proxy: Proxy):
    """Each address is one of its own; what says no-store, and what the administrator asks for,
    is asked for anew.
    """
    list_ = "/v1/related?id=knee&variant="

    first, again, other = (proxy.ask(list_ + variant) for variant in ("1", "1", "2"))

    assert [each[1]["number"] for each in (first, again, other)] == [1, 1, 2]
    assert [each[2]["X-Cache"] for each in (first, again, other)] == ["MISS", "HIT", "MISS"]
    assert [proxy.ask("/v1/related?id=unknown")[1]["number"] for _ in range(2)] == [3, 4]
    secret = [proxy.ask(f"{list_}1", Authorization="Bearer key")[1]["number"] for _ in range(2)]
    assert secret == [5, 6]
    assert proxy.ask(f"{list_}1")[1]["number"] == 1
    assert proxy.ask(f"{list_}1", If_None_Match='"one"')[0] == 304


def test_events_are_passed_on_each_time(proxy: Proxy):
    """And texts, and whatever else is posted."""
    for path in ("/v1/events", "/v1/events", "/v1/related", "/v1/related"):
        assert proxy.ask(path, method="POST", body=b"{}")[0] == 200

    assert [path for _, path, _ in Server.asked] == [
        "/v1/events", "/v1/events", "/v1/related", "/v1/related",
    ]  # fmt: skip


def test_a_reader_cannot_claim_another_address(proxy: Proxy):
    """What the server reads is whom nginx saw, and the host that the page asked for."""
    forged = {"X_Forwarded_For": "198.51.100.9", "X_Forwarded_Proto": "https"}
    proxy.ask("/v1/events", method="POST", body=b"{}", **forged)

    (_, _, headers) = Server.asked[-1]
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert headers["Host"] == f"127.0.0.1:{proxy.port}"
    # By which the console knows whether its cookies are for https alone.
    assert headers["X-Forwarded-Proto"] == "http"


def test_lists_go_on_while_the_server_is_down(proxy: Proxy):
    """Those that were asked for before, past their time too; the server's word stands for others.
    As soon as it is there again it is asked.
    """
    proxy.ask("/v1/related?id=brief")
    time.sleep(2.1)
    Server.status = 503

    status, body, headers = proxy.ask("/v1/related?id=brief")
    assert (status, body, headers["X-Cache"]) == (200, {"number": 1}, "STALE")
    assert proxy.ask("/v1/related?id=hip")[0] == 503

    Server.status = 200
    status, body, headers = proxy.ask("/v1/related?id=brief")
    assert (status, headers["X-Cache"]) == (200, "EXPIRED")
    assert body["number"] > 1


@pytest.mark.parametrize(
    ("path", "method", "size", "status"),
    [
        ("/v1/events", "POST", 200_000, 200),
        ("/v1/events", "POST", 300_000, 413),
        ("/v1/related", "POST", 300_000, 413),
        ("/v1/articles", "PUT", 15_000_000, 200),
        ("/v1/articles", "PUT", 17_000_000, 413),
        ("/console/rules/import", "POST", MAX_RULES_BYTES, 200),
        ("/console/rules/import", "POST", MAX_RULES_BYTES + 1, 413),
        ("/console/rules/import/", "POST", 300_000, 413),
        ("/console/rules/edit", "POST", 300_000, 413),
    ],
)
def test_bodies_are_bounded(proxy: Proxy, path: str, method: str, size: int, status: int):
    """By the server's own bounds, in its words."""
    found, body, _ = proxy.ask(path, method=method, body=b"x" * size, Expect="100-continue")

    assert found == status
    assert status == 200 or (body["error"], len(Server.asked)) == ("body_too_large", 0)


def test_metrics_are_for_the_machine_itself(proxy: Proxy):
    """By the address alone; the key is asked for besides, by the server."""
    assert proxy.ask("/metrics")[0] == 200
    assert proxy.ask("/metrics", X_From="203.0.113.7")[0] == 403


def test_the_log_has_the_paths_that_the_server_has_and_no_others(proxy: Proxy, tmp_path: Path):
    """Every route is named; an article's id in a mistyped one, or below the console, is not."""
    site = Settings(
        database=f"sqlite:///{tmp_path / 'store.db'}", models=tmp_path / "models",
        editorial=tmp_path / "editorial.csv", admin_key="k" * 40, console="on",
    )  # fmt: skip
    app = create_app(site, clock=lambda: datetime.now(UTC))
    app.stored.close()
    routes = sorted(set(paths_of(app.routes)))
    others = {
        "/console/page/depression": "/console/...",
        "/v1/related/depression": "/v1/...",
        "/v1/models/a/b/activate": "/v1/...",
        "/health/depression": "/health/...",
        "/widget-depression.js": "/...",
        "/depression": "/...",
        "/consoledepression": "/...",
    }
    expected = [*routes, *others.values()]

    for path in [*routes, *others]:
        proxy.ask(re.sub(r"{\w+}", "depression", path))
    end = time.monotonic() + 10
    logged: list[str] = []
    while len(logged) < len(expected) and time.monotonic() < end:
        text = (proxy.folder / "access.log").read_text(encoding="utf-8")
        # Before them it was asked whether it was there.
        logged = re.findall(r'"GET (\S+) HTTP', text.partition('"GET /console ')[2])
        logged = ["/console", *logged]
        time.sleep(0.05)

    assert len(routes) > 20
    assert logged == expected


def test_the_log_does_not_say_who_read_what(proxy: Proxy):
    """Networks, paths without what was asked for, no referrer, no agent: also of what fails."""
    for address in READERS:
        proxy.ask(
            "/v1/related?id=depression", X_From=address,
            Referer="https://example.org/depression", User_Agent="Private/1.0",
        )  # fmt: skip
    Server.status = 500
    proxy.ask("/v1/related?id=depression-2", Referer="https://example.org/depression")
    time.sleep(0.1)

    logged = (proxy.folder / "access.log").read_text(encoding="utf-8").splitlines()
    known = [line for line in logged if "/v1/related" in line]
    assert [line.split()[0] for line in known][: len(READERS)] == list(READERS.values())
    assert re.fullmatch(
        r'203\.0\.113\.0 \[\S+\] "GET /v1/related HTTP/1\.1" 200 \d+ [\d.]+s cache=MISS', known[0]
    )
    every = "".join(path.read_text(encoding="utf-8") for path in proxy.folder.glob("*.log"))
    assert not re.search(r"depression|Private|example\.org|113\.77|8::9", every)
