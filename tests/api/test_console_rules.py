"""Rules that were made in the console hold in every server beside the store, and without it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import NOW, publish

from recommender.config import Settings
from recommender.lists.rules_file import LAST_GOOD
from recommender.store import rules
from recommender.store.database import Store
from recommender.store.rules import Rule
from recommender_api.live import Live
from recommender_api.store_connection import Stored

BLOCK = Rule("block", "*", "knee-2")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "models"
    publish(folder)
    return folder


@pytest.fixture
def models(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "models"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(f"sqlite:///{tmp_path / 'site.db'}") as opened:
        yield opened


def looked_after(models: Path, tmp_path: Path, database: str = "site.db") -> Live:
    """A server beside the store of this file."""
    settings = Settings(database=f"sqlite:///{tmp_path / database}")
    return Live(models, tmp_path / "editorial.csv", Stored(settings, clock=lambda: NOW))


def targets(live: Live) -> list[str]:
    return [rule.target for rule in live.current().rules.rules]


def test_what_is_saved_in_the_console_holds_at_the_next_look(
    models: Path, store: Store, tmp_path: Path
):
    """In every server; and so does what is changed, removed and undone."""
    servers = [looked_after(models, tmp_path) for _ in range(2)]

    def seen() -> list[list[str]]:
        for live in servers:
            live.catch_up()
        return [targets(live) for live in servers]

    assert seen() == [[], []]
    rules.add(store, BLOCK, account="ann", at=NOW)
    assert seen() == [["knee-2"], ["knee-2"]]
    rules.change(store, 1, Rule("block", "*", "knee-3"), account="ann", at=NOW)
    assert seen() == [["knee-3"], ["knee-3"]]
    rules.remove(store, 1, account="ann", at=NOW)
    assert seen() == [[], []]
    rules.undo(store, 3, account="ann", at=NOW)
    assert seen() == [["knee-3"], ["knee-3"]]


def test_rules_that_stay_replace_nothing(models: Path, store: Store, tmp_path: Path):
    """What was composed and remembered stays so while nothing is written."""
    rules.add(store, BLOCK, account="ann", at=NOW)
    live = looked_after(models, tmp_path)
    before = live.current()

    live.catch_up()
    live.refresh()

    assert live.current() is before


def test_the_file_and_the_console_hold_together(models: Path, store: Store, tmp_path: Path):
    """A faulty file holds back none of the console's, however late they come."""
    file = tmp_path / "editorial.csv"
    file.write_text("action,source,target,position\npin,knee-1,hip-1,1\n")
    rules.add(store, Rule("pin", "knee-1", "hip-2", 1), account="ann", at=NOW)
    live = looked_after(models, tmp_path)

    in_force = live.current().rules.about("knee-1", NOW)
    assert [rule.target for rule in in_force] == ["hip-1"]
    file.write_text("action\n")
    rules.add(store, BLOCK, account="ann", at=NOW)
    live.catch_up()
    assert targets(live) == ["hip-1", "hip-2", "knee-2"]


def test_while_the_store_is_away_the_last_known_rules_hold(
    models: Path, store: Store, tmp_path: Path
):
    """After a restart too, beside the file as it is now."""
    (tmp_path / "editorial.csv").write_text("action,source,target\nblock,*,hip-1\n")
    rules.add(store, BLOCK, account="ann", at=NOW)
    assert targets(looked_after(models, tmp_path)) == ["hip-1", "knee-2"]
    (tmp_path / "editorial.csv").write_text("action,source,target\nblock,*,hip-2\n")

    live = looked_after(models, tmp_path, "nowhere/site.db")

    assert targets(live) == ["hip-2", "knee-2"]
    (console,) = live.current().rules.of_console
    assert (console.number, console.account) == (1, "ann")
    # Nor are they lost by a second restart.
    assert targets(looked_after(models, tmp_path, "nowhere/site.db")) == ["hip-2", "knee-2"]


def test_the_copy_gives_way_to_the_store(models: Path, store: Store, tmp_path: Path):
    """What was removed while the server was down is not brought back."""
    rules.add(store, BLOCK, account="ann", at=NOW)
    looked_after(models, tmp_path)
    assert "knee-2" in (models / LAST_GOOD).read_text()
    rules.remove(store, 1, account="ann", at=NOW)

    assert targets(looked_after(models, tmp_path)) == []


def test_rules_of_articles_that_a_bundle_from_elsewhere_has_not_are_named(
    models: Path, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """They wait for their article, and the log says whose they are."""
    rules.add(store, Rule("block", "*", "no-such"), account="ann", at=NOW)

    live = looked_after(models, tmp_path)

    assert targets(live) == ["no-such"]
    assert any("rule 1 of the console, ann" in line for line in caplog.messages)
