"""The click loop, shown: simulated readers of the sample site, through the real HTTP interface.

A round is a simulated day. Readers ask a running server for lists, as pages do, with a variant
drawn for every view, follow links by a taste that is stated in ``readers`` and hidden from
the model, and report what they saw and followed. At night the site trains on its log and activates
the new bundle, which the server takes up. Since the taste is known, each day's lists can be priced.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from rich.progress import track

from recommender.articles.reader import read_articles
from recommender.bundle.bundle import Bundle
from recommender.demo import readers
from recommender.demo.prepare import SEED, URL, price_of, prices
from recommender.demo.readers import PAGES, truth
from recommender.errors import RecommenderError
from recommender.evaluation.report.picture import Axis, Picture, Series, chart
from recommender.events.slate_token import N_VARIANTS
from recommender.store.database import Store
from recommender.terminal import say
from recommender.times import EPOCH
from recommender.training.pipeline import Options, build

PICTURE = "loop.svg"
EVENTS_A_POST = 500  # half of what the server takes in one post
START_SECONDS = 60  # not tuned: a busy machine takes a few
# A server checks for a new bundle twice a second.
SWITCH_SECONDS = 15
SERVE = "from recommender.cli.main import main; raise SystemExit(main())"


@dataclass(frozen=True, slots=True)
class Round:
    """One simulated day: views and clicks so far; the ``score`` of the lists of the next day,
    expected clicks per 100 views; and what decided them.
    """

    day: int
    n_views: int
    n_clicks: int
    score: float
    decided_by: str


def show(folder: Path, *, readers: int, rounds: int, port: int) -> list[Round]:
    """Run the loop in ``folder`` with so many ``readers`` a day; print and plot what it wins."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    database, models = f"sqlite:///{folder.resolve() / 'loop.db'}", folder.resolve() / "models"
    with Store(database) as store:
        store.apply(read_articles([PAGES], url=URL))
        lists = {page.id: list(page.recommended) for page in store.articles() if not page.stub}
        bundle = _trained(store, models, day=0)
    marks = prices(lists, bundle)
    top = max(marks.values())
    found = [Round(0, 0, 0, marks.pop("recommender"), bundle.decided_by)]
    say(f"{len(lists)} health pages, {readers:,} readers a day; their taste is hidden", "")
    say("expected clicks per 100 views")
    for name, score in [*marks.items(), ("day 0, nothing known", found[0].score)]:
        say(f"{name:>24} {score:6.1f} {_bar(score, top)}")
    with _serving(database, models, folder, port) as client:
        for day in range(1, rounds + 1):
            views, clicks = _a_day(client, sorted(lists), readers, day)
            with Store(database) as store:
                bundle = _trained(store, models, day=day)
            client.wait_for(bundle.name)
            last = found[-1]
            score = price_of(bundle, lists)
            found.append(
                Round(day, last.n_views + views, last.n_clicks + clicks, score, bundle.decided_by)
            )
            label = f"day {day}, {found[-1].n_clicks:,} clicks, by {bundle.decided_by}"
            say(f"{label:>24} {score:6.1f} {_bar(score, top)}")
    plot(found, marks).save(folder / PICTURE)
    say("", folder / PICTURE)
    return found


def _bar(score: float, top: float) -> str:
    return "█" * round(40 * score / top)


def _trained(store: Store, models: Path, *, day: int) -> Bundle:
    """The bundle trained at the end of a day."""
    return build(
        store, models, now=readers.FIRST_DAY + timedelta(days=day), options=Options(seed=SEED)
    )


# Readers


def _a_day(client: Client, pages: list[str], n_readers: int, day: int) -> tuple[int, int]:
    """Let the readers of one day come; how many views and clicks they made."""
    random = np.random.default_rng([SEED, day])
    interest = np.array([truth()[id].interest for id in pages])
    start = int((readers.FIRST_DAY + timedelta(days=day - 1)).timestamp() * 1000)
    opened = random.choice(len(pages), size=n_readers, p=interest / interest.sum())
    moments = start + np.sort(random.integers(0, readers.DAY_SECONDS * 1000, size=n_readers))
    n_views = n_clicks = 0
    visits = zip(opened.tolist(), moments.tolist(), strict=True)
    for number, (first, ts) in enumerate(
        track(list(visits), description=f"day {day}: readers", transient=True)
    ):
        page: str | None = pages[first]
        while page is not None:
            n_views += 1
            view = f"d{day}-v{n_views}"
            slate, shown = client.related(page, int(random.integers(N_VARIANTS)))
            at: dict[str, Any] = {"ts": _iso(ts), "view_id": view, "slate": slate}
            client.send({"type": "impression", "session_id": f"d{day}-s{number}", **at})
            links = readers.followed(page, shown, random)
            for link in links:
                ts += readers.pause(random)
                client.send(
                    {"type": "click", **at, "ts": _iso(ts), "position": shown.index(link) + 1}
                )
            n_clicks += len(links)
            page = readers.next_page(links, random)
            page = page if page in truth() else None
    client.flush()
    # The site trains now, and the server does not keep a quiet connection for so long.
    client.connection.close()
    return n_views, n_clicks


def _iso(ts: int) -> str:
    return (EPOCH + timedelta(milliseconds=ts)).isoformat()


class Client:
    """The server as pages see it, and as a site that sends its own times, with the admin key."""

    def __init__(self, port: int, key: str) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self.key = key
        self.waiting: list[dict[str, Any]] = []

    def related(self, id: str, variant: int) -> tuple[str, list[str]]:
        """The slate of a page under a variant, and the ids in it."""
        answer = self._ask("GET", f"/v1/related?{urlencode({'id': id, 'variant': variant})}")
        return answer["slate"], [item["id"] for item in answer["items"]]

    def send(self, event: dict[str, Any]) -> None:
        """Send an event, in time."""
        self.waiting.append(event)
        if len(self.waiting) == EVENTS_A_POST:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if not self.waiting:
            return
        answer = self._ask("POST", "/v1/events", self.waiting)
        if answer["accepted"] != len(self.waiting):
            raise RecommenderError(f"the server did not take all events: {str(answer)[:200]}")
        self.waiting = []

    def wait_for(self, name: str) -> None:
        """Wait until the bundle is served."""
        patience = time.monotonic() + SWITCH_SECONDS
        while self._ask("GET", "/v1/model")["name"] != name:
            if time.monotonic() > patience:
                raise RecommenderError(f"the server did not take up bundle {name}")
            time.sleep(0.1)

    def _ask(self, method: str, path: str, content: Any = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        if response.status >= 300:
            raise RecommenderError(f"{method} {path}: {response.status}: {answer}")
        return answer


@contextmanager
def _serving(database: str, models: Path, folder: Path, port: int) -> Iterator[Client]:
    """A server process of its own; its output goes to a file."""
    key = secrets.token_hex(16)
    environment = {
        **{name: value for name, value in os.environ.items() if "RECOMMENDER_" not in name},
        "RECOMMENDER_DATABASE": database,
        "RECOMMENDER_MODELS": str(models),
        "RECOMMENDER_ADMIN_KEY": key,
    }
    log = folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", SERVE, "serve", "--port", str(port)],
            env=environment, cwd=folder, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            client = _started(server, port, key, log)
            yield client
            client.connection.close()
        finally:
            server.terminate()
            server.wait()


def _started(server: subprocess.Popen[bytes], port: int, key: str, log: Path) -> Client:
    patience = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < patience:
        client = Client(port, key)
        try:
            client._ask("GET", "/health/ready")
        except (OSError, HTTPException, ValueError):
            client.connection.close()
            time.sleep(0.1)
        else:
            return client
    raise RecommenderError(f"the server did not start: {log.read_text().strip()[-300:]}")


# The picture


def plot(rounds: list[Round], marks: dict[str, float]) -> Picture:
    """Expected clicks by day, beside what other lists are expected to win."""
    days, scores = (np.array([getattr(r, name) for r in rounds]) for name in ("day", "score"))
    last, most = int(days[-1]), 1.08 * max(*marks.values(), *scores)
    series = [
        Series(days[[0, -1]], np.array([score, score]), name=f"{name}, {score:.0f}", dashed=True,
               colour="#5c5c5c")
        for name, score in marks.items()
    ]  # fmt: skip
    series.append(Series(days, scores, name=f"recommender, {scores[-1]:.0f}", points=True))
    title = "Expected clicks per 100 views, by day of the loop"
    return chart(
        series,
        Axis("simulated day", 0, last, range(0, last + 1, max(1, last // 10))),
        Axis("", 0, most, range(0, int(most), 20)),
        label=f"{title}: " + ", ".join(each.name for each in series),
        title=title, width=760, height=400,
    )  # fmt: skip
