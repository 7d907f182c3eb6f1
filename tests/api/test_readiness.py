"""A server beside the wrong store sends lists, and says that the clicks on them are lost."""

import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from asking import BEARER, KEY, NOW, Client, articles, ids, is_error, publish

from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.config import Settings
from recommender.store.database import Store
from recommender.store.schema import STEPS
from recommender.training.pipeline import Options, build
from recommender_api.app import create_app
from recommender_api.serve import serve

PAGES = [article for article in articles() if not article.stub]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that was made elsewhere, of a store without a name."""
    folder = tmp_path_factory.mktemp("elsewhere") / "models"
    publish(folder)
    return folder


@pytest.fixture
def models(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "models"))


@pytest.fixture
def served(models: Path, tmp_path: Path) -> Iterable[Callable[[str], Any]]:
    """An application beside these bundles and a store."""
    made: list[Any] = []

    def serve(database: str) -> Any:
        settings = Settings(
            database=database, models=models, editorial=tmp_path / "editorial.csv", admin_key=KEY
        )
        made.append(create_app(settings, clock=lambda: NOW))
        return made[-1]

    yield serve
    for app in made:
        app.stored.close()


def filled(database: str, found: Iterable[Article]) -> str:
    batch = Batch()
    for article in found:
        batch.add(article, "test")
    with Store(database) as store:
        store.apply(batch)
    return database


def is_foreign(app: Any) -> bool:
    """Do the probe and the metric say so? Lists are sent in any case."""
    client = Client(app)
    assert ids(client.get("/v1/related?id=knee-1"))
    ready = client.get("/health/ready")
    foreign = ready.status_code == 503
    metrics = client.get("/metrics", headers=BEARER).text
    assert f"recommender_store_foreign {float(foreign)}" in metrics
    return foreign


def test_an_empty_store_is_not_that_of_the_bundle(
    served: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    """As a relative path makes one in another folder: its whole path is named, and what to do."""
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.WARNING):
        app = served("sqlite:///lost.db")

    answer = Client(app).get("/health/ready")

    assert is_foreign(app)
    assert is_error(answer, 503, "not_ready")
    for part in (str(tmp_path / "lost.db"), "has no articles", "RECOMMENDER_DATABASE", "lost"):
        assert part in answer.json()["detail"]
    logged = [line.getMessage() for line in caplog.records]
    assert f"made a new store: sqlite:///lost.db ({tmp_path}/lost.db)" in logged
    assert len([line for line in logged if "has no articles" in line]) == 1


def test_it_is_ready_as_soon_as_the_articles_are_imported(
    served: Callable[[str], Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Without a restart; a few that a site sends by the article are not enough."""
    database = f"sqlite:///{tmp_path / 'store.db'}"
    app = served(database)
    filled(database, PAGES[:1])
    app.live.catch_up()
    assert is_foreign(app)

    filled(database, PAGES)
    app.live.catch_up()

    assert not is_foreign(app)
    assert caplog.text.count("has no articles") == 1


@pytest.mark.parametrize(
    ("kind", "foreign"),
    [
        ("other ids", True),
        ("the same ids, as numbers are", True),
        ("what every site has", True),
        ("half of the titles changed", False),
        ("all titles changed, at the same addresses", False),
        ("more than it, numbered otherwise", False),
    ],
)
def test_another_sites_store_is_known(
    served: Callable[[str], Any], tmp_path: Path, kind: str, foreign: bool
):
    """By ids together with titles or addresses, of a bundle that was brought from elsewhere."""
    strange = [
        Article(id=f"wine-{n}", title=f"Wine number {n}", body=f"grapes of {n}") for n in range(9)
    ]
    found = {
        "other ids": strange,
        "the same ids, as numbers are": [
            replace(page, title=f"Wine {n}", url=None) for n, page in enumerate(PAGES)
        ],
        "what every site has": [*strange, PAGES[3]],
        "half of the titles changed": [
            replace(page, title=f"New {n}", url=None) if n % 2 else page
            for n, page in enumerate(PAGES)
        ],
        "all titles changed, at the same addresses": [
            replace(page, title=f"New {n}") for n, page in enumerate(PAGES) if page.url
        ],
        "more than it, numbered otherwise": [*strange, *PAGES[::-1]],
    }[kind]

    app = served(filled(f"sqlite:///{tmp_path / 'store.db'}", found))

    assert is_foreign(app) == foreign
    if foreign:
        assert "another site's" in Client(app).get("/health/ready").json()["detail"]


def test_a_store_is_its_bundles_whatever_became_of_the_articles(
    models: Path, served: Callable[[str], Any], tmp_path: Path
):
    """It has the bundle's store's name: clicks go where the next training looks. So it is when an
    older backup was put back.
    """
    database = filled(f"sqlite:///{tmp_path / 'store.db'}", PAGES)
    served(database).stored.close()
    backup = tmp_path / "backup.db"
    with sqlite3.connect(tmp_path / "store.db") as whole, sqlite3.connect(backup) as copy:
        whole.backup(copy)
    with Store(database) as store:
        for number in range(3):
            store.keys_of([f"later-{number}"])
        build(store, models, now=NOW, options=Options(jobs=1))
        store.remove([page.id for page in PAGES[1:]])

    assert not is_foreign(served(database))

    (tmp_path / "older").mkdir()
    shutil.copy(backup, tmp_path / "older" / "store.db")
    assert not is_foreign(served(f"sqlite:///{tmp_path}/older/store.db"))


def test_a_store_out_of_reach_is_a_fault_and_no_stranger(
    served: Callable[[str], Any], tmp_path: Path
):
    """Lists go on, and so does the load balancer."""
    app = served(f"sqlite:///{tmp_path}/nowhere/store.db")

    assert not is_foreign(app)
    assert "cannot be made" in Client(app).get("/health/ready").json()["fault"]


def test_a_store_of_a_newer_release_is_not_ready(served: Callable[[str], Any], tmp_path: Path):
    """No waiting mends it; when it is gone the server is ready again."""
    database = filled(f"sqlite:///{tmp_path / 'store.db'}", PAGES)
    with sqlite3.connect(tmp_path / "store.db") as raw:
        raw.execute("INSERT INTO schema_version VALUES (999)")
    app = served(database)
    client = Client(app)

    ready = client.get("/health/ready")
    assert is_error(ready, 503, "not_ready")
    assert "schema version 999" in ready.json()["detail"]
    assert "upgrade" in ready.json()["detail"]
    assert ids(client.get("/v1/related?id=knee-1"))

    with sqlite3.connect(tmp_path / "store.db") as raw:
        raw.execute("DELETE FROM schema_version WHERE version = 999")
    app.stored.poll(lambda: None)
    assert not app.stored.is_newer


def test_several_workers_start_with_a_store_that_is_up_to_date(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Their parent has seen to it, once, and does not make one where there is none."""
    database = f"sqlite:///{tmp_path / 'store.db'}"
    found = []

    def started(*_: Any) -> None:
        found.append((tmp_path / "store.db").exists())
        if found[-1]:
            Store(database, writing=False).close()

    monkeypatch.setattr("recommender_api.serve._run", started)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    settings = Settings(database=database, models=models)

    serve(settings, host="127.0.0.1", port=0, workers=2)
    with sqlite3.connect(tmp_path / "store.db") as raw:
        raw.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        raw.execute("INSERT INTO schema_version VALUES (3)")
        engine = sql.create_engine(database)
    with engine.begin() as connection:
        for step in STEPS[:3]:
            step(connection)
    serve(settings, host="127.0.0.1", port=0, workers=2)

    assert found == [False, True]
