"""A small site with a console, and people who use it, without a server."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from asking import NOW, Client, Clock, articles
from sites import once

from recommender.articles.batch import Batch
from recommender.config import Settings
from recommender.store import accounts
from recommender.store.database import Store
from recommender.training.pipeline import Options, build
from recommender_api.app import Api, create_app

PASSWORD = "quite a long password"
TOKEN = re.compile(r'name="token" value="([^"]+)"')
NOW_MS = int(NOW.timestamp() * 1000)


def prepare(folder: Path, *, database: str = "") -> Settings:
    """A trained site of the articles of ``asking``, with an account of each role: ``val`` views,
    ``ed`` edits, ``ada`` is admin.
    """
    settings = Settings(
        database=database or f"sqlite:///{folder / 'site.db'}",
        models=folder / "models",
        editorial=folder / "editorial.csv",
        console="on",
    )
    with Store(settings.database) as store:
        batch = Batch()
        for article in articles():
            batch.add(article, "test")
        store.apply(batch)
        build(store, settings.models, now=NOW, options=Options(jobs=1))
        for name, role in (("val", "viewer"), ("ed", "editor"), ("ada", "admin")):
            accounts.add(store, name, role=role, password=PASSWORD, now_ms=NOW_MS)
    return settings


def copied(folder: Path, factory: pytest.TempPathFactory, **more: Any) -> Settings:
    """A trained site of one's own: that of ``prepare``, which is made once in a run, copied."""
    site = folder / "site"
    shutil.copytree(once(factory, "console", prepare), site)
    return Settings(
        database=f"sqlite:///{site / 'site.db'}",
        models=site / "models",
        editorial=site / "editorial.csv",
        console="on",
        **more,
    )


@contextmanager
def served(settings: Settings, *, clock: Clock | None = None) -> Iterator[Api]:
    """The site's application."""
    clock = clock or Clock()
    app = create_app(settings, clock=clock, ticks=lambda: clock.now.timestamp())
    try:
        yield app
    finally:
        app.stored.close()


class Person(Client):
    """A browser that keeps ``cookies``, and the ``token`` of the page it read last; ``headers`` go
    with all it asks for.
    """

    def __init__(self, app: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(app)
        self.headers = headers or {}
        self.cookies: dict[str, str] = {}
        self.token = ""

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        cookie = {"cookie": kept} if kept else {}
        headers = {**self.headers, **cookie, **more.pop("headers", {})}
        answer = super().request(method, path, headers=headers, **more)
        for text in answer.headers.get_list("set-cookie"):
            name, _, value = text.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
            if not self.cookies[name]:
                del self.cookies[name]
        if found := TOKEN.search(answer.text):
            self.token = found.group(1)
        return answer

    def sign_in(self, name: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
        """Fill in the form."""
        self.get("/console/sign-in")
        form = {"name": name, "password": password, "token": self.token, **more}
        return self.post("/console/sign-in", data=form)

    def send(self, path: str, **form: Any) -> httpx.Response:
        """Send a form of the console, with the token of the page read last."""
        return self.post(path, data={"token": self.token, **form})


def person(app: Any, name: str) -> Person:
    """Somebody who is signed in, and has a page before him."""
    who = Person(app)
    assert who.sign_in(name).status_code == 303
    assert who.get("/console/account").status_code == 200
    return who
