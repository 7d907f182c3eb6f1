"""Whatever way a page's list comes about while serving, its links are in the page's language."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from asking import BEARER, KEY, NOW, Client, ids, is_error
from fastapi import FastAPI
from gardens import TOMATOES, page, site
from sites import once, stored

from recommender.bundle.bundle import load_bundle
from recommender.config import Settings
from recommender.lists.eligibility import ANY, SAME
from recommender.store.database import Store
from recommender.training.pipeline import Options, build
from recommender_api.app import create_app

N = len(TOMATOES)


def make(folder: Path) -> None:
    """Bundles of the site: whose articles say what language they are in, whose do not, and whose
    links may lead to any.
    """
    for name, said, rule in (("said", True, SAME), ("shown", False, SAME), ("any", True, ANY)):
        with Store("sqlite://") as store:
            stored(store, site(said=said))
            build(store, folder / name, now=NOW, options=Options(jobs=1, languages=rule))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "gardens", make)


@pytest.fixture(params=["said", "shown"])
def models(request: pytest.FixtureRequest, folder: Path) -> Path:
    return folder / str(request.param)


def app_of(models: Path, tmp_path: Path, *rules: str, languages: str = SAME) -> FastAPI:
    database, editorial = f"sqlite:///{tmp_path / 'site.db'}", tmp_path / "editorial.csv"
    with Store(database) as store:
        stored(store, site(said=models.name != "shown"))
    editorial.write_text("\n".join(["action,source,target,position", *rules]))
    return create_app(
        Settings(
            database=database, models=models, editorial=editorial, admin_key=KEY,
            languages=languages,
        ),
        clock=lambda: NOW,
    )  # fmt: skip


@pytest.fixture
def client(models: Path, tmp_path: Path) -> Iterator[Client]:
    app = app_of(models, tmp_path)
    yield Client(app)
    app.stored.close()


def put(client: Client, *articles: Any) -> None:
    names = ("id", "title", "body", "language", "recommended")
    records = [
        {name: value for name, value in asdict(article).items() if name in names and value}
        for article in articles
    ]
    answer = client.request("PUT", "/v1/articles", json=records, headers=BEARER)
    assert answer.status_code == 200


def related(client: Client, id: str, **query: object) -> list[str]:
    return ids(client.get("/v1/related", params={"id": id, **query}))


def languages(found: list[str]) -> set[str]:
    return {id[:2] for id in found}


def test_stored_lists_stay_in_the_language_of_the_page(client: Client):
    """None is empty, and neither the twin that editors picked nor what fills up is in the other
    one; in every slate that explores.
    """
    for at in range(N):
        for language in ("en", "de"):
            for query in ({}, {"k": 50}, {"variant": 99}, {"exclude": f"{language}-{at + 1}"}):
                found = related(client, f"{language}-{at}", **query)
                assert len(found) >= 3
                assert languages(found) == {language}


def test_without_the_rule_a_page_has_its_twin(folder: Path, tmp_path: Path):
    """So the test above tests something; a new text may have any links too."""
    app = app_of(folder / "any", tmp_path)
    client = Client(app)
    article = page("new", "de", "Tigerella")

    assert all(f"de-{at}" in related(client, f"en-{at}") for at in range(N))
    answer = client.post("/v1/related", json={"title": "Tigerella", "body": article.body})
    assert languages(ids(answer)) == {"en", "de"}
    app.stored.close()


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("language", ["en", "de"])
def test_a_posted_text_has_links_in_its_language(client: Client, language: str, named: bool):
    """Which it names, or which it shows."""
    article = page("new", language, "Black Krim")
    question = {"title": "Pots", "body": article.body} | ({"language": language} if named else {})

    found = ids(client.post("/v1/related", json=question))

    assert languages(found) == {language}
    assert len(found) >= 3


def test_a_text_like_no_other_is_filled_up_in_its_language(client: Client):
    """A text too short to show its own gets what is popular in any."""
    question = {"title": "Rhabarber", "language": "de-AT"}

    assert languages(ids(client.post("/v1/related", json=question))) == {"de"}
    assert len(ids(client.post("/v1/related", json={"title": "Rhabarber"}))) == 3
    answer = client.post("/v1/related", json={"title": "Rhubarb", "language": "e" * 36})
    assert is_error(answer, 422, "invalid_body")


def test_a_new_article_goes_the_same_way(client: Client):
    """Its list is in its language, and so are the pages whose lists it joins."""
    told = page("de-new", "de", "Green Zebra")
    silent = page("en-new", "en", "Green Zebra", said=False)
    before = {f"{language}-{at}" for language in ("en", "de") for at in range(N)}

    put(client, told, silent)

    for id in ("de-new", "en-new"):
        assert languages(related(client, id)) == {id[:2]}
        joined = [other for other in before if id in related(client, other)]
        assert languages(joined) == {id[:2]}


def test_an_article_that_changes_its_language_changes_its_company(client: Client):
    """It leaves the lists in the old one, and gets one in the new."""
    put(client, page("en-0", "de", "Moneymaker"))

    assert languages(related(client, "en-0")) == {"de"}
    for at in range(1, N):
        assert "en-0" not in related(client, f"en-{at}", k=50)


def test_a_language_that_is_new_to_the_site_keeps_to_itself(client: Client):
    """The first article in it has one link, in another, rather than none; the second has the
    first.
    """
    french = page("fr-0", "en", "Brandywine", said=False)
    french = type(french)(id="fr-0", title="Brandywine", body=french.body, language="fr")

    put(client, french)
    assert len(related(client, "fr-0")) == 1
    put(client, type(french)(id="fr-1", title="Tomates", body="Au jardin.", language="fr-CA"))

    assert related(client, "fr-0") == ["fr-1"]
    assert related(client, "fr-1") == ["fr-0"]
    assert languages(related(client, "en-0", k=50)) == {"en"}


def test_without_a_bundle_links_stay_in_the_language_too(tmp_path: Path):
    """The twin that editors picked is left out, unless the setting lets it in."""
    app = app_of(tmp_path / "none", tmp_path)
    client = Client(app)
    free = app_of(tmp_path / "none", tmp_path, languages=ANY)

    for at in range(N):
        assert languages(related(client, f"de-{at}", k=50)) == {"de"}
        assert related(Client(free), f"de-{at}")[0] == f"en-{at}"
    question = {"title": "Rhabarber", "language": "de", "k": 50}
    assert languages(ids(client.post("/v1/related", json=question))) == {"de"}
    app.stored.close()
    free.stored.close()


def test_pins_win_whatever_the_language(models: Path, tmp_path: Path):
    """On stored pages, for texts, and without a bundle."""
    rule = "pin,*,en-3,1"
    for folder in (models, tmp_path / "none"):
        app = app_of(folder, tmp_path, rule)
        client = Client(app)
        answer = client.post("/v1/related", json={"title": "Rhabarber", "language": "de"})

        assert related(client, "de-1")[0] == "en-3"
        assert languages(related(client, "de-1")[1:]) == {"de"}
        assert ids(answer)[0] == "en-3"
        app.stored.close()


def test_what_languages_there_are_is_written_down(folder: Path):
    """In the manifest and in the card."""
    said, shown, free = (load_bundle(folder / name) for name in ("said", "shown", "any"))

    assert [(each.code, each.n_said) for each in said.about.languages.known] == [
        ("de", N), ("en", N)
    ]  # fmt: skip
    assert [(each.code, each.n_detected) for each in shown.about.languages.known] == [
        ("de", N), ("en", N)
    ]  # fmt: skip
    assert f"page: de {N} articles ({N} by their text), en {N} articles" in shown.card
    assert "Links may lead to any language." in free.card


@pytest.mark.slow
def test_stored_lists_are_answered_without_the_detector(folder: Path, tmp_path: Path):
    """A text that is posted may load it; neither loads what trains."""
    app_of(folder / "shown", tmp_path).stored.close()
    script = f"""
import sys
from datetime import UTC, datetime
from pathlib import Path
from recommender.config import Settings
from recommender_api.app import create_app
folder = Path({str(tmp_path)!r})
models = Path({str(folder / "shown")!r})
settings = Settings(database=f"sqlite:///{{folder / 'site.db'}}", models=models)
now = datetime(2026, 11, 22, tzinfo=UTC)
answers = create_app(settings, clock=lambda: now).related.live.current()
assert answers.lists is not None
assert b"de-" in answers.of_id("de-1", now, k=10).body()
print("py3langid" in sys.modules)
answers.of_text("", {page("x", "de", "Green Zebra").body!r}, now, k=10)
print("py3langid" in sys.modules, "sklearn" in sys.modules, "scipy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.stdout.split() == ["False", "True", "False", "False"], done.stderr
