"""What a server writes of itself: lines with a time and a level, and nobody's secrets."""

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asking import BEARER, KEY, NOW, Client, publish

from recommender.config import Settings
from recommender_api.app import create_app
from recommender_api.logs import JsonLines, TextLines, config, network

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 (INFO|WARNING|ERROR) +\[\d+\] .")
ANSWER = re.compile(
    r'(?P<client>\S+) \[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00\] "(?P<asked>[^"]+)" '
    r"(?P<status>\d{3}) (?P<bytes>\d+) \d+\.\d{4}s"
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs") / "models"
    publish(folder)
    return folder


@pytest.fixture
def settings(models: Path, tmp_path: Path) -> Settings:
    return Settings(
        database=f"sqlite:///{tmp_path}/store.db", models=models, admin_key=KEY,
        editorial=tmp_path / "editorial.csv",
    )  # fmt: skip


def answers(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("2001:db8::7", "2001:db8::"),
        ("fe80::1%eth0", "fe80::"),
        ("127.0.0.1", "127.0.0.0"),
        ("", "-"),
        ('" 200 1\nforged', "-"),
    ],
)
def test_of_an_address_the_network_is_kept(address: str, kept: str):
    """A /24 or a /48, and nothing of what is no address."""
    assert network(address) == kept


def test_no_answer_is_logged_unless_asked_for(
    settings: Settings, capsys: pytest.CaptureFixture[str]
):
    """On a health site it is sensitive who read what."""
    app = create_app(settings, clock=lambda: NOW)

    Client(app).get("/v1/related?id=knee-1")

    assert answers(capsys) == []
    app.stored.close()


def test_an_answer_is_logged_without_what_tells_who_read_what(
    settings: Settings, capsys: pytest.CaptureFixture[str]
):
    """Neither ids, wherever they stand in an address, nor referrers, agents or whole addresses."""
    settings = replace(settings, access_log="on", trusted_proxies="127.0.0.1")
    app = create_app(settings, clock=lambda: NOW)
    client = Client(app)
    told = {
        "Referer": "https://example.org/secret-page", "User-Agent": "secret-agent",
        "X-Forwarded-For": "203.0.113.77",
    }  # fmt: skip

    sizes = [
        len(client.get(path, headers=told).content)
        for path in (
            "/v1/related?id=secret-id",
            "/v1/related/secret-id",
            "/secret-id",
            "/health/live",
            "/v1/related?url=https://example.org/secret-page",
        )
    ]
    client.post("/v1/models/secret-name/activate", headers=told | BEARER)
    client.request("HEAD", "/widget.js", headers=told)

    lines = answers(capsys)
    found = [ANSWER.fullmatch(line) for line in lines]
    assert "secret" not in "".join(lines)
    assert [match["asked"].removesuffix(" HTTP/1.1") for match in found if match] == [
        "GET /v1/related", "GET /v1/...", "GET /...", "GET /health/live", "GET /v1/related",
        "POST /v1/models/{name}/activate", "HEAD /widget.js",
    ]  # fmt: skip
    assert {match["client"] for match in found if match} == {"203.0.113.0"}
    assert [int(match["bytes"]) for match in found if match][:5] == sizes
    assert [match["status"] for match in found if match] == [
        "200", "404", "404", "200", "200", "404", "200",
    ]  # fmt: skip
    app.stored.close()


def test_answers_are_logged_as_json_too(settings: Settings, capsys: pytest.CaptureFixture[str]):
    """With the same fields."""
    app = create_app(replace(settings, access_log="on", log_format="json"), clock=lambda: NOW)

    body = Client(app).get("/v1/related?id=knee-1").content

    (line,) = map(json.loads, answers(capsys))
    assert 0 <= line.pop("ms") < 60_000
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "pid": os.getpid(), "client": "127.0.0.0", "method": "GET", "path": "/v1/related",
        "version": "1.1", "status": 200, "bytes": len(body),
    }  # fmt: skip
    app.stored.close()


def record(message: str) -> logging.LogRecord:
    """A record with a traceback, as of a library that escapes nothing."""
    try:
        raise ValueError(f"of {message}")
    except ValueError:
        trouble = sys.exc_info()
    return logging.LogRecord("uvicorn", logging.ERROR, "", 1, "%s", (message,), trouble)


def test_every_line_begins_with_its_time_and_shows_only():
    """Also those of a traceback, and whoever logs them."""
    lines = TextLines().format(record("a\r\n2026 INFO all is well\x1b[2J")).split("\n")

    assert len(lines) > 3
    assert all(LINE.match(line) for line in lines)
    assert lines[0].endswith("a  2026 INFO all is well\\x1b[2J")
    assert "\x1b" not in "".join(lines)

    content = json.loads(JsonLines().format(record('a "quoted"\x1b[2J')))

    assert (content["level"], content["logger"]) == ("error", "uvicorn")
    assert content["message"] == 'a "quoted"\\x1b[2J'
    assert content["trace"][-1].startswith("ValueError: of a")


def test_levels_hold_for_our_lines_and_the_servers():
    """What is below is left out of both."""
    found = config(level="warning", format="text")["loggers"]

    assert {each["level"] for each in found.values()} == {"WARNING"}


@contextmanager
def served(folder: Path, *options: str) -> Iterator[int]:
    """``recommender serve`` in this folder; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mine = {name: value for name, value in os.environ.items() if "RECOMMENDER" not in name}
    command = "import sys; from recommender.cli.main import main; sys.exit(main())"
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", command, "serve", "--port", str(port), *options],
            stdout=out, stderr=err, env=mine, cwd=folder,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live"):
                    break
            except urllib.error.URLError:
                assert time.monotonic() < deadline, (folder / "err").read_text()
                time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def lines_of(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text().splitlines()


@pytest.mark.slow
def test_workers_and_the_server_write_one_shape(tmp_path: Path, models: Path):
    """Every line of the processes, from the first to the last; by options or settings."""
    (tmp_path / "recommender.toml").write_text(f'models = "{models}"\naccess_log = "on"\n')
    with served(tmp_path, "--workers", "2", "--log-format", "json") as port:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/related?id=knee-1").close()

    lines: list[dict[str, Any]] = [json.loads(line) for line in lines_of(tmp_path, "err")]

    assert len({line["pid"] for line in lines}) == 3
    assert all(line["time"] and line["level"] for line in lines)
    assert any(line["message"].startswith("made a new store") for line in lines)
    assert any("Uvicorn running" in line["message"] for line in lines)
    asked = [json.loads(line)["path"] for line in lines_of(tmp_path, "out")]
    assert asked[-1] == "/v1/related"


@pytest.mark.slow
def test_a_quiet_server_says_only_what_is_wrong(tmp_path: Path, models: Path):
    """With a level, an option wins over the setting."""
    (tmp_path / "recommender.toml").write_text(f'models = "{models}"\nlog_level = "debug"\n')
    with served(tmp_path, "--log-level", "warning"):
        pass

    lines = lines_of(tmp_path, "err")

    assert len(lines) == 2  # a new store was made, and it is not that of the bundle
    assert all(LINE.match(line) for line in lines)
    assert lines_of(tmp_path, "out") == []
