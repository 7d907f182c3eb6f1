"""A small site of three subjects, and a client that asks an application without a server."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from recommender.articles.article import Article, stub_for
from recommender.articles.batch import Batch
from recommender.store.database import Store
from recommender.training.pipeline import Options, build

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
KEY = "a key with ü"
BEARER = {"Authorization": f"Bearer {KEY}".encode()}
ODD = "knie/schön & gut?id=1#größe 睡眠+%2F"
STUB = stub_for("What nobody has a page for", teaser="Nobody has written...")
KNEE = ["knee", "joint", "cartilage", "meniscus", "tendon", "stairs", "swelling", "running"]
SLEEP = ["sleep", "night", "dream", "snoring", "mattress", "melatonin", "insomnia", "bedtime"]


def articles(*, word: str = "") -> list[Article]:
    """Six on knees, six on sleep, one that is like nothing else, and a stub."""
    found = []
    for subject, words in (("knee", KNEE), ("sleep", SLEEP)):
        for number in range(6):
            mine = words[number:] + words[:number]
            found.append(
                Article(
                    id=ODD if (subject, number) == ("knee", 0) else f"{subject}-{number}",
                    title=f"{mine[0]} {mine[1]} and {mine[2]} {word}".strip().capitalize(),
                    body=" ".join(mine[:7]) + f". Case {number} of {subject} {mine[3]}.",
                    url=f"https://example.org/{subject}/{number}/?utm_source=feed&page=2",
                    category=subject,
                    recommended=(STUB.id,) if number == 5 else (),
                )
            )
    alone = Article(id="alone", title="Quokka", body="Zzyzx xylophone", category="other")
    return [*found, alone, STUB]


def publish(models: Path) -> tuple[str, str]:
    """Two bundles of one site; the first one is live, the second has other titles."""
    names = []
    with Store("sqlite://") as store:
        for word, activate in (("", True), ("news", False)):
            batch = Batch()
            for article in articles(word=word):
                batch.add(article, "test")
            store.apply(batch)
            options = Options(activate=activate, jobs=1)
            names.append(build(store, models, now=NOW, options=options).name)
    return names[0], names[1]


class Client:
    """Asks an application without a server."""

    def __init__(self, app: Any, *, raising: bool = True) -> None:
        self.app = app
        self.raising = raising

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            way = httpx.ASGITransport(self.app, raise_app_exceptions=self.raising)
            async with httpx.AsyncClient(transport=way, base_url="http://test") as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def ids(response: httpx.Response) -> list[str]:
    """The ids of an answer, in order."""
    return [item["id"] for item in response.json()["items"]]


def is_error(response: httpx.Response, status: int, code: str) -> bool:
    """Has the answer this status and the one shape of errors?"""
    content = response.json()
    whole = content["detail"].endswith(".") and response.headers["cache-control"] == "no-store"
    return (response.status_code, [*content], content["error"], whole) == (
        status,
        ["error", "detail"],
        code,
        True,
    )
