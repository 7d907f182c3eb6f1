"""Which site a notebook is about, and what it says of it."""

from pathlib import Path

import pytest
from sites import BODIES, NOW, bundle_in, click, once, stored, view

from recommender.articles.article import Article
from recommender.bundle import activation, experiments, registry
from recommender.config import FILE
from recommender.errors import StoreError
from recommender.lists.arms import SPLIT, Arm, Experiment
from recommender.notebooks.place import here, in_force, without_password
from recommender.store.database import Store
from recommender.training.pipeline import Options, build

ARTICLES = [Article(id=id, title=id, body=body) for id, body in BODIES.items()]
EVENTS = [view("v1", "knee", "hip", "nap"), click("v1", "hip")]


def make(folder: Path) -> None:
    """A store, and a bundle before and after its one view."""
    with stored(Store(f"sqlite:///{folder / 'site.db'}"), ARTICLES, EVENTS) as store:
        build(store, folder / "models", now=NOW, options=Options(until=-1))
        build(store, folder / "models", now=NOW.replace(hour=11))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "here", make)


def test_what_is_named_is_taken(folder: Path):
    """With what there is of it in a sentence, and the bundle before the live one."""
    found = here(f"sqlite:///{folder / 'site.db'}", folder / "models", "held-out.jsonl")

    older, newer = registry.names(folder / "models")
    assert not found.is_sample
    assert found.bundle is not None
    assert found.before is not None
    assert (found.before.name, found.bundle.name) == (older, newer)
    assert found.events == Path("held-out.jsonl")
    said = found._repr_markdown_()
    assert "5 articles, 1 views of lists, 1 clicks" in said
    assert f"`{newer}`" in said
    assert "live. Live before it" in said
    assert "**" not in repr(found)


def test_a_new_bundle_that_is_not_live_is_the_one_in_question(tmp_path: Path):
    """Beside the live one, which it would take the place of."""
    make(tmp_path)
    older, newer = registry.names(tmp_path / "models")
    activation.activate(tmp_path / "models", older)

    found = here(f"sqlite:///{tmp_path / 'site.db'}", tmp_path / "models")

    assert found.bundle is not None
    assert found.before is not None
    assert (found.before.name, found.bundle.name) == (older, newer)
    assert "not live" in found._repr_markdown_()


def test_what_an_experiment_froze_is_not_the_bundle_in_question(tmp_path: Path):
    """However new it is."""
    make(tmp_path)
    older, newer = registry.names(tmp_path / "models")
    activation.activate(tmp_path / "models", older)
    arms = (Arm("old", "live", older, 0, 49), Arm("new", "live+ceiling=5", newer, 50, 99))
    trial = Experiment("autumn", NOW.isoformat(), SPLIT, 0, arms)
    experiments.begin(tmp_path / "models", trial)

    found = here(f"sqlite:///{tmp_path / 'site.db'}", tmp_path / "models")

    assert found.bundle is not None
    assert found.bundle.name == older


def test_a_single_bundle_may_be_named(folder: Path):
    """By its own folder; there is none before it."""
    name = registry.names(folder / "models")[0]

    found = here(f"sqlite:///{folder / 'site.db'}", folder / "models" / name)

    assert found.bundle is not None
    assert found.bundle.name == name
    assert found.before is None


@pytest.mark.parametrize("damage", [None, "manifest"])
def test_without_a_bundle_it_goes_on(damage: str | None, tmp_path: Path):
    """And says so: none yet, or none that can be read."""
    with stored(Store(f"sqlite:///{tmp_path / 'site.db'}"), ARTICLES) as store:
        if damage:
            build(store, tmp_path / "models", now=NOW)
            (bundle_in(tmp_path).folder / registry.MANIFEST).write_text("{}", encoding="utf-8")

    found = here(f"sqlite:///{tmp_path / 'site.db'}", tmp_path / "models")

    assert found.bundle is None
    said = found._repr_markdown_()
    assert "no list that was shown has been logged" in said
    assert ("cannot be read" if damage else "run `recommender train`") in said


def test_settings_above_name_the_site(folder: Path, tmp_path: Path):
    """Their paths are beside the file, wherever below it the notebook stands."""
    (tmp_path / FILE).write_text('database = "sqlite:///a.db"\nmodels = "m"\n', encoding="utf-8")
    below = tmp_path / "analysis" / "2026"
    below.mkdir(parents=True)

    found, said_by = in_force({}, below)

    assert found.database == f"sqlite:///{tmp_path / 'a.db'}"
    assert found.models == tmp_path / "m"
    assert said_by == str(tmp_path / FILE)


def test_the_environment_has_its_say_over_the_file(tmp_path: Path):
    """A path that it names is that of the process, as for every command."""
    (tmp_path / FILE).write_text('database = "sqlite:///a.db"\nmodels = "m"\n', encoding="utf-8")
    below = tmp_path / "analysis"
    below.mkdir()

    found, said_by = in_force({"RECOMMENDER_DATABASE": "sqlite:///b.db"}, below)

    assert found.database == f"sqlite:///{below / 'b.db'}"
    assert found.models == tmp_path / "m"
    assert said_by == "environment"


@pytest.mark.parametrize(
    "database", ["postgresql://reader:secret@host/site", "sqlite://", "sqlite:////srv/site.db", "?"]
)
def test_addresses_that_are_whole_stay_as_they_are(database: str, tmp_path: Path):
    """Of servers, of memory, from the root; and what is no address is left to who opens it."""
    found, _ = in_force({"RECOMMENDER_DATABASE": database}, tmp_path)

    assert found.database == database


def test_nothing_names_a_site(tmp_path: Path):
    """Unless there is a store where settings would have it."""
    assert in_force({}, tmp_path)[1] == ""
    (tmp_path / "recommender.db").touch()

    assert in_force({}, tmp_path)[1] == str(tmp_path / "recommender.db")


def test_a_store_that_is_not_there_is_an_error(tmp_path: Path):
    """Not the sample, and no new store."""
    with pytest.raises(StoreError):
        here(f"sqlite:///{tmp_path / 'typo.db'}", tmp_path)

    assert not [*tmp_path.iterdir()]


def test_a_password_is_not_shown():
    """Whoever reads the notebook later has no business with it."""
    shown = without_password("postgresql://reader:secret@host/site")

    assert shown == "postgresql://reader:***@host/site"
    assert without_password("no address") == "no address"
