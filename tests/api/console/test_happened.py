"""What happened is shown as a command stored it, with when and how to renew it."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from html import unescape
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from asking import Clock
from consoles import NOW, person, prepare, served
from sites import once
from trials import split

from recommender.bundle import figures
from recommender.bundle.bundle import Bundle
from recommender.bundle.registry import resolve
from recommender.config import Settings
from recommender.evaluation.site_figures import site_figures
from recommender.events.event import DAY_MS, Click, Impression
from recommender.store.database import Store
from recommender.store.refusals import NOT_ALLOWED, Refusals
from recommender_api.app import Api
from recommender_api.console import happened
from recommender_api.console.happened import ORIGINS, decided

TEMPLATES = Path(happened.__file__).parent / "templates"
OWN = "https://blog.example.org"
TODAY = int(NOW.timestamp() * 1000) // DAY_MS


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("happened")
    copytree(once(tmp_path_factory, "console", prepare), folder, dirs_exist_ok=True)
    return Settings(
        database=f"sqlite:///{folder / 'site.db'}",
        models=folder / "models",
        editorial=folder / "editorial.csv",
        console="on",
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(ready: Settings, clock: Clock) -> Iterator[Api]:
    for name in (figures.FILE, figures.LINKS):
        (ready.models / name).unlink(missing_ok=True)
    with served(ready, clock=clock) as made:
        yield made


def renew(settings: Settings) -> dict[str, object]:
    """What the command does."""
    with Store(settings.database) as store:
        found = site_figures(store, Bundle(resolve(settings.models)), now=NOW)
    content = {
        **found.content, "seconds": 1.5,
        "training": {"at": NOW.isoformat(), "sentence": "Not trained: 3 new clicks."},
    }  # fmt: skip
    figures.write(settings.models, content, found.links)
    return content


def test_without_figures_the_page_says_how_to_make_them(app: Api):
    page = person(app, "val").get("/console/happened")

    assert page.status_code == 200
    assert "There are no figures yet" in page.text
    assert "<code>recommender figures</code>" in page.text


def test_figures_are_shown_with_when_they_were_made(app: Api, ready: Settings, clock: Clock):
    """Of thirty days with four views and a click each."""
    events: list[Impression | Click] = []
    for day in range(TODAY - 30, TODAY):
        for n in range(4):
            view = f"{day} {n}"
            events.append(Impression(view, day * DAY_MS, "knee-1", ("knee-2", "<b>odd</b>"),
                                     layout="<i>side</i>"))  # fmt: skip
        events.append(Click(f"{day} 0", day * DAY_MS + 9, "knee-2"))
    with Store(ready.database) as store:
        store.add_events(events)
    renew(ready)
    clock.now = NOW + timedelta(hours=5)
    page = person(app, "val").get("/console/happened")

    assert page.status_code == 200
    assert "2026-11-22 10:00" in page.text
    assert "5 hours ago; made in 1.5 seconds" in page.text
    assert "<dd>112</dd>" in page.text
    assert "<dd>25.0</dd>" in page.text
    assert page.text.count("<svg ") == 2
    assert "&lt;i&gt;side&lt;/i&gt;" in page.text
    assert "<i>side</i>" not in page.text
    assert "Not trained: 3 new clicks." in page.text


def test_svg_and_page_keep_to_the_policy(app: Api, ready: Settings):
    """No style and no script of its own, which the browser would refuse."""
    renew(ready)
    text = person(app, "val").get("/console/happened").text

    assert "style=" not in text
    assert "<script>" not in text
    assert " onclick" not in text


def test_figures_of_other_lists_than_the_live_ones_say_so(app: Api, ready: Settings):
    content = renew(ready)
    who = person(app, "val")
    assert "Other lists have come live" not in who.get("/console/happened").text
    bundle = content["bundle"]
    assert isinstance(bundle, dict)

    figures.write(
        ready.models, {**content, "bundle": {**bundle, "name": "older"}}, np.zeros((0, 4), np.int32)
    )

    assert "Other lists have come live" in who.get("/console/happened").text


@pytest.mark.parametrize("text", ["", "[]", '{"version": 0}'])
def test_damaged_figures_are_named_not_shown(app: Api, ready: Settings, text: str):
    (ready.models / figures.FILE).write_text(text)

    page = person(app, "val").get("/console/happened")

    assert page.status_code == 200
    assert "The figures cannot be read" in page.text
    assert "recommender figures" in page.text


def test_a_refused_origin_stands_on_every_page(app: Api, ready: Settings, clock: Clock):
    """With the setting; until it is allowed, or a week has gone by."""
    who = person(app, "ed")
    assert OWN not in who.get("/console/account").text
    refusals = Refusals()
    for _ in range(7):
        refusals.add(NOT_ALLOWED, OWN)
    with Store(ready.database) as store, store.transaction() as connection:
        refusals.take(TODAY).write(connection)
    clock.now = NOW + timedelta(minutes=1)

    for path in ("/console/account", "/console/happened"):
        text = who.get(path).text
        assert OWN in text
        assert "RECOMMENDER_ALLOWED_ORIGINS" in text
    clock.now = NOW + timedelta(days=7)
    assert OWN not in person(app, "ed").get("/console/account").text


def test_lists_that_grow_old_are_named(app: Api, ready: Settings, clock: Clock):
    who = person(app, "val")
    assert "last trained" not in who.get("/console/account").text

    clock.now = NOW + timedelta(days=9)

    assert "last trained 9 days ago" in person(app, "val").get("/console/account").text


def test_the_experiment_and_what_came_of_it(app: Api, ready: Settings):
    """Without a read-out, with one, and with one that is damaged."""
    folder: Path = ready.models / "experiments" / "autumn"
    folder.mkdir(parents=True)
    (folder / "experiment.json").write_text(json.dumps(asdict(split(50, 50))), encoding="utf-8")
    who = person(app, "val")
    readout = folder / "readout.json"

    assert "There is no read-out yet" in who.get("/console/happened").text
    readout.write_text(json.dumps({"verdict": "Keep <new>.", "arm_rows": [], "made": "x"}))
    assert "Keep &lt;new&gt;." in who.get("/console/happened").text
    readout.write_text("{")
    assert "cannot be read" in who.get("/console/happened").text


@pytest.mark.parametrize(
    ("by", "learned_from", "words", "has_clicks"),
    [
        ("model", "clicks", "What readers follow decides", True),
        ("model", "lists", "What the lists picked by hand have in common decides", False),
        ("text", None, "The texts decide", False),
        ("hand-picked", None, "The lists are those “picked by hand”", True),
    ],
)
def test_what_decides_is_what_was_learned_from(
    by: str, learned_from: str | None, words: str, has_clicks: bool
):
    """Without clicks no reader decides."""
    sentence = decided(by, learned_from)

    assert sentence.startswith(words)
    assert ("No clicks" in sentence) != has_clicks


def test_how_it_was_learned_is_for_who_opens_it(app: Api, ready: Settings):
    """The page itself says in plain words what decides."""
    answers = app.live.answers
    assert answers is not None and answers.lists is not None
    about = answers.lists.about
    reason = f"{about.reason[0].upper()}{about.reason[1:]}."

    page = person(app, "val").get("/console/happened").text
    bundles = person(app, "ada").get("/console/bundles").text

    for text in map(unescape, (page, bundles)):
        assert "<p>The texts decide: links are “by text”." in text
        before, _, after = text.partition(reason)
        assert after
        assert before.count("<details>") == before.count("</details>") + 1


def test_links_are_called_as_on_a_pages_list():
    """One word for one thing."""
    marks = (TEMPLATES / "listed.html.j2").read_text(encoding="utf-8")

    for origin, words in ORIGINS.items():
        assert origin == "not known" or f'"{origin}": "{words}"' in marks
