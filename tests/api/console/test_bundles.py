"""An admin looks at bundles, and makes one live after being asked; nobody else does."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
from consoles import NOW, Person, person, prepare, served
from sites import once
from tampered import sealed

from recommender.bundle import comparisons, registry
from recommender.config import Settings
from recommender.store import rules
from recommender.store.database import Store
from recommender.training.pipeline import Options, build
from recommender_api.app import Api
from recommender_api.console.bundles import _html


@pytest.fixture
def settings(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A site of one's own with two bundles, the first of which is live."""
    one = once(tmp_path_factory, "console", prepare)

    def make(folder: Path) -> None:
        copytree(one, folder, dirs_exist_ok=True)
        with Store(f"sqlite:///{folder / 'site.db'}") as store:
            options = Options(jobs=1, activate=False, explore=10)
            build(store, folder / "models", now=NOW, options=options)

    copytree(once(tmp_path_factory, "console-bundles", make), tmp_path, dirs_exist_ok=True)
    return Settings(
        database=f"sqlite:///{tmp_path / 'site.db'}",
        models=tmp_path / "models",
        editorial=tmp_path / "editorial.csv",
        console="on",
    )


@pytest.fixture
def app(settings: Settings) -> Iterator[Api]:
    with served(settings) as made:
        yield made


def both(settings: Settings) -> tuple[str, str]:
    """The live bundle, and the other."""
    live = registry.current(settings.models)
    assert live is not None
    (other,) = set(registry.names(settings.models)) - {live}
    return live, other


def test_articles_are_counted_as_the_card_counts_them(settings: Settings, app: Api):
    """Those known by their titles alone are none of them, and are taken off nowhere twice."""
    live, other = both(settings)
    for name in (live, other):
        sealed(settings.models / name, n_stubs=2)
    n = registry.read(settings.models / live).n_articles
    ada = person(app, "ada")

    listed = ada.get("/console/bundles").text
    asked = ada.get("/console/bundles/activate", params={"name": other}).text

    assert listed.count(f"from {n} articles") == 2
    assert asked.count(f"<td>{n}</td>") == 2


def activate(who: Person, name: str) -> object:
    page = who.get("/console/bundles/activate", params={"name": name})
    live = page.text.partition('name="live" value="')[2].partition('"')[0]
    return who.send("/console/bundles/activate", name=name, live=live)


def test_bundles_are_for_admins(app: Api, settings: Settings):
    live, other = both(settings)

    for name in ("val", "ed"):
        who = person(app, name)
        for path in ("", "/card", "/compare", "/activate"):
            asked = who.get(f"/console/bundles{path}", params={"name": other})
            assert (name, path, asked.status_code) == (name, path, 403)
        sent = who.send("/console/bundles/activate", name=other, live=live)
        assert (name, sent.status_code) == (name, 403)
        assert "/console/bundles" not in who.get("/console/account").text
        assert registry.current(settings.models) == live


def test_bundles_are_listed_and_their_cards_are_readable(app: Api, settings: Settings):
    live, other = both(settings)
    who = person(app, "ada")

    listed = who.get("/console/bundles").text
    card = who.get("/console/bundles/card", params={"name": other})

    assert live in listed
    assert other in listed
    assert listed.count('<span class="tag good">live</span>') == 1
    assert card.status_code == 200
    assert "<h3>" in card.text
    assert "## " not in card.text


def test_the_corner_of_a_table_is_no_heading():
    made = _html("| | 10 % | |\n|---|---|---|\n| shown | 0.2 | |\n")

    assert made.count("<th>") == made.count("</th>") == 1
    assert "<th></th>" not in made and "<th>10 %</th>" in made


def test_a_card_has_no_html_and_no_pictures_of_its_own():
    made = _html("# A <script>alert(1)</script>\n\n![x](https://evil.example/x.png)\n\n"
                 "[y](javascript:alert(1))\n\n| a |\n|---|\n| <b>1</b> |\n")  # fmt: skip

    assert "<script" not in made
    assert "<img" not in made
    assert 'href="javascript' not in made
    assert "<h2>" in made
    assert 'class="table"' in made
    assert "&lt;b&gt;" in made


def test_making_live_asks_first_and_stands_in_the_history(app: Api, settings: Settings):
    """Then lists are the other bundle's at once; and back again, as a rollback."""
    live, other = both(settings)
    who = person(app, "ada")
    asked = who.get("/console/bundles/activate", params={"name": other})
    assert registry.current(settings.models) == live
    assert other in asked.text

    done = activate(who, other)

    assert done.status_code == 303
    assert registry.current(settings.models) == other
    assert who.get("/v1/model").json()["name"] == other
    assert registry.before(settings.models) == live
    with Store(settings.database) as store:
        (first,) = rules.history(store)
    assert (first.account, first.what) == ("ada", f"made live: bundle {other} instead of {live}")
    assert first.obstacle
    assert f"ada made live: bundle {other}" in who.get("/console/bundles").text

    assert activate(who, live).status_code == 303
    assert registry.current(settings.models) == live
    assert registry.before(settings.models) is None


def test_a_form_that_is_foreign_or_out_of_date_changes_nothing(app: Api, settings: Settings):
    live, other = both(settings)
    who = person(app, "ada")

    foreign = who.post("/console/bundles/activate", data={"name": other, "live": live})
    late = who.send("/console/bundles/activate", name=other, live="20200101-000000-abcdef")
    strange = who.send("/console/bundles/activate", name="../models", live=live)

    assert [each.status_code for each in (foreign, late, strange)] == [403, 409, 404]
    assert registry.current(settings.models) == live


def test_a_damaged_bundle_is_not_made_live(app: Api, settings: Settings):
    live, other = both(settings)
    (settings.models / other / "MODEL_CARD.md").write_text("x")
    who = person(app, "ada")

    answer = who.send("/console/bundles/activate", name=other, live=live)

    assert answer.status_code == 409
    assert registry.current(settings.models) == live
    assert who.get("/console/bundles").status_code == 200


def test_a_running_experiment_is_a_warning(app: Api, settings: Settings):
    _, other = both(settings)
    (settings.models / "EXPERIMENT").write_text("autumn\n")

    page = person(app, "ada").get("/console/bundles/activate", params={"name": other})

    assert "Experiment autumn runs" in page.text


def test_what_would_change_is_looked_up_or_the_command_is_named(app: Api, settings: Settings):
    live, other = both(settings)
    who = person(app, "ada")
    query = {"name": other}
    assert f"recommender compare {live} {other}" in who.get(
        "/console/bundles/compare", params=query
    ).text  # fmt: skip

    found = {
        "made": NOW.isoformat(), "verdict": "Better <here>.", "summary": "Two lists changed.",
        "categories": [], "lost": [], "missing": [],
        "gained": [{"id": "knee-1", "title": "Knee", "before": 1, "after": 4}],
    }  # fmt: skip
    comparisons.write(settings.models, live, other, found)

    page = who.get("/console/bundles/compare", params=query).text
    assert "Better &lt;here&gt;." in page
    assert "Two lists changed." in page
    comparisons.file_of(settings.models, live, other).write_text("{")
    assert who.get("/console/bundles/compare", params=query).status_code == 200


def test_the_command_keeps_what_it_compared(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """But not comparisons with what is no bundle here."""
    from recommender.cli.main import main

    live, other = both(settings)
    monkeypatch.chdir(settings.models.parent)
    monkeypatch.setenv("RECOMMENDER_DATABASE", settings.database)

    assert main(["compare", "hand-picked", other]) == 0
    assert main(["compare", "live", other, "--no-save"]) == 0
    assert comparisons.read(settings.models, live, other) is None
    assert main(["compare", "live", other]) == 0

    found = comparisons.read(settings.models, live, other)
    assert found is not None
    assert found["verdict"]
