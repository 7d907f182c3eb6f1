"""The console's first page finds articles, with scripts and without."""

import re
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from asking import ODD, STUB, Clock
from consoles import Person, person, prepare, served
from sites import once

from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.config import Settings
from recommender.store.database import Store
from recommender_api.app import Api

RESULT = re.compile(r'<li>\s*<a href="/console/page\?id=([^"]+)">')
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
def settings(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A trained site of one's own, copied, with rules in a file."""
    folder = once(tmp_path_factory, "console", prepare)
    shutil.copytree(folder, tmp_path / "site")
    editorial = tmp_path / "site" / "editorial.csv"
    editorial.write_text(
        "action,source,target,position,from,until,reason\n"
        "pin,sleep-1,knee-2,1,,,\n"
        "pin,sleep-2,knee-2,1,,,\n"
        "pin,sleep-3,knee-2,1,,2020-01-01,\n"
        "block,*,knee-3,,,,\n"
    )
    return Settings(
        database=f"sqlite:///{tmp_path / 'site' / 'site.db'}",
        models=tmp_path / "site" / "models",
        editorial=editorial,
        console="on",
    )


@pytest.fixture
def app(settings: Settings) -> Iterator[Api]:
    with served(settings, clock=Clock()) as app:
        yield app


@pytest.fixture
def val(app: Api) -> Person:
    return person(app, "val")


def found(who: Person, text: str) -> list[str]:
    """The ids that a search shows, in order."""
    page = who.get("/console/", params={"q": text}).text
    return [unquote_plus(unescape(id)) for id in RESULT.findall(page)]


def row(who: Person, text: str) -> str:
    """The first row of what a search shows."""
    page = who.get("/console/", params={"q": text}).text
    return page.partition("<li>\n      <a")[2].partition("</li>")[0]


def test_words_an_id_a_part_and_an_address_find_an_article(val: Person):
    """The address is that of the reader's page, with whatever tracks him."""
    assert found(val, "quok") == ["alone"]
    assert found(val, "alone") == ["alone"]
    assert found(val, "ee-2") == ["knee-2"]
    assert found(val, "http://www.example.org/knee/4?page=2&fbclid=1")[0] == "knee-4"
    assert found(val, ODD) == [ODD]


def test_a_row_says_what_an_editor_should_know(val: Person):
    """Title, id, address, category; stubs and rules in force are marked, not those that ended."""
    knee = row(val, "knee-2")

    assert "<code>knee-2</code>" in knee and "https://example.org/knee/2/" in knee
    assert "pinned on 2 pages" in knee and "blocked" not in knee
    assert "blocked on every page" in row(val, "knee-3")
    assert "known by its title alone" in row(val, STUB.title)
    assert "no address" in row(val, "quokka")


def test_who_types_gets_the_results_alone(val: Person):
    """Without the page around them, and knowing what they are the results of."""
    part = val.get("/console/", params={"q": "quok"}, headers={"hx-request": "true"}).text

    assert "<html" not in part and "<form" not in part
    assert 'id="found"' in part and 'data-asked="quok"' in part and "Quokka" in part


def test_nothing_typed_and_nothing_found_help_on(val: Person):
    """With the number of articles, or with what to try."""
    assert "14 articles are here" in val.get("/console/").text
    assert "fewer words" in val.get("/console/", params={"q": "qqqqqqqqq"}).text
    assert "words of its title" in val.get("/console/", params={"q": "https://no.org/such"}).text
    moved = val.get("/console/", params={"q": "https://example.org/moved/quokka.html"}).text
    assert "No article has this address" in moved and "Quokka" in moved
    near = val.get("/console/", params={"q": "quoka"}).text
    assert "Did you mean" in near and "Quokka" in near


def test_titles_that_hold_scripts_are_text(app: Api, settings: Settings, val: Person):
    """And so is what is typed."""
    batch = Batch()
    batch.articles["evil"] = Article("evil", f"Evil {EVIL}", category=EVIL)
    with Store(settings.database) as store:
        store.apply(batch)

    for text in ("evil", EVIL):
        page = val.get("/console/", params={"q": text}).text

        assert "<script>alert" not in page and "<img" not in page
    assert "Evil &lt;script&gt;" in val.get("/console/", params={"q": "evil"}).text


def test_who_is_not_signed_in_finds_nothing(app: Api):
    """Titles of a site may be nobody's business yet."""
    answer = Person(app).get("/console/", params={"q": "quokka"})

    assert answer.status_code == 303 and "Quokka" not in answer.text
