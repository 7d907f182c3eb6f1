"""What a server needs no more is gone at once, not when Python looks for circles: in a process of
this size it does so rarely, and while readers wait.
"""

import gc
import logging
import sys
import weakref
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from asking import BEARER, KEY, NOW, Client, articles

from recommender.articles.batch import Batch
from recommender.bundle import activation, registry
from recommender.config import Settings
from recommender.store.database import Store
from recommender.training.pipeline import Options, build
from recommender_api.app import Api, create_app

N_ADDED = 20
RULES = "action,source,target\npin,https://www.example.org/knee/1,sleep-1\nblock,*,nobody\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A store with two bundles, and a rule that names a page by its address."""
    folder = tmp_path_factory.mktemp("site")
    settings = Settings(
        database=f"sqlite:///{folder / 'site.db'}", models=folder / "models",
        editorial=folder / "editorial.csv", admin_key=KEY,
    )  # fmt: skip
    settings.editorial.write_text(RULES)
    batch = Batch()
    for article in articles():
        batch.add(article, article.id)
    with Store(settings.database) as store:
        store.apply(batch)
        for day in range(2):
            now, options = NOW + timedelta(days=day), Options(jobs=1, activate=day == 0)
            build(store, settings.models, now=now, options=options)
    return settings


@pytest.fixture
def app(site: Settings, tmp_path: Path) -> Api:
    return create_app(site, clock=lambda: NOW)


@pytest.fixture
def by_count_alone() -> Iterator[None]:
    """Nothing is freed but what nobody refers to."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def add(site: Settings, first: int, n: int) -> None:
    """Put so many new pages on knees into the store."""
    batch, (page, *_) = Batch(), articles()
    for number in range(first, first + n):
        id = f"new-{number}"
        new = replace(page, id=id, url=f"https://example.org/{id}", title=f"Knee {number}")
        batch.add(replace(new, body=f"{page.body} {id} number {number}"), id)
    with Store(site.database) as store:
        store.apply(batch)


def used(client: Client) -> None:
    """Ask for lists in all ways that keep something."""
    for query in (
        "id=knee-1", "id=knee-1&variant=99", "id=new-0", "url=http://example.org/KNEE/2/",
        "url=https://example.org/new-1?utm_source=x", "id=knee-2&exclude=sleep-1", "id=nobody",
        "id=knee-1&explain=true",
    ):  # fmt: skip
        assert client.get(f"/v1/related?{query}", headers=BEARER).status_code == 200
    assert client.post("/v1/related", json={"title": "knee"}).status_code == 200


def served(app: Api) -> dict[str, weakref.ref[object]]:
    """What is served now, without holding it."""
    answers = app.live.answers
    parts = {"answers": answers, "shelf": answers.shelf, "lists": answers.lists,
             "rules": answers.rules, "pages": answers.shelf.pages}  # fmt: skip
    return {name: weakref.ref(part) for name, part in parts.items()}


@pytest.mark.usefixtures("by_count_alone")
def test_a_bundle_that_is_no_longer_served_is_freed_at_once(site: Settings, app: Api):
    """... with what came after it was built, and with all that was asked of it."""
    add(site, 0, 2)
    app.live.catch_up()
    client = Client(app)
    used(client)
    before = served(app)
    one, two = registry.names(site.models)

    activation.activate(site.models, two if app.live.answers.shelf.name == one else one)
    app.live.refresh()
    client.get("/v1/related?id=knee-1")

    assert [name for name, part in before.items() if part() is not None] == []


@pytest.mark.usefixtures("by_count_alone")
def test_what_an_article_replaces_is_freed_at_once(site: Settings, app: Api):
    """Each that comes has all that came put beside the bundle anew."""
    add(site, 0, 2)
    app.live.catch_up()
    used(Client(app))
    before = served(app)

    add(site, 2, 1)
    app.live.catch_up()

    held = {name for name, part in before.items() if part() is not None}
    assert held == {"lists"}


@pytest.mark.usefixtures("by_count_alone")
def test_swaps_of_bundles_leave_nothing_behind(
    site: Settings, app: Api, caplog: pytest.LogCaptureFixture
):
    """However many there are, as many objects are in use after one as after another."""
    # Records of the log are kept for tests.
    caplog.set_level(logging.CRITICAL, "api")
    add(site, 0, N_ADDED)
    app.live.catch_up()
    names, n_blocks = registry.names(site.models), []

    for number in range(12):
        activation.activate(site.models, names[number % 2])
        app.live.refresh()
        for query in (b"id=knee-1", b"id=knee-2&variant=99", b"id=new-0", b"id=nobody"):
            app.lane.answer(query, (), [])
        n_blocks.append(sys.getallocatedblocks())

    # One patch with so many new pages, of eight, takes some 2,600.
    assert n_blocks[11] - n_blocks[3] < 2_600
