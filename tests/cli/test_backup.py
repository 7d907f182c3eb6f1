"""One command keeps what nothing can make again, another puts it back."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from recommender.bundle import registry
from recommender.cli.main import main
from recommender.store import backup as backups
from recommender.store.database import Store

PAGES = [
    {"id": f"{subject}-{n}", "title": f"{subject} {n}", "body": f"{subject} joint {n} stairs"}
    for subject in ("knee", "hip")
    for n in range(4)
]


@pytest.fixture
def site(here: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with articles, rules, settings and a bundle."""
    (here / "articles.jsonl").write_text("".join(json.dumps(page) + "\n" for page in PAGES))
    (here / "recommender.toml").write_text("explore = 10\n")
    assert main(["import", "articles", "articles.jsonl"]) == 0
    assert main(["train"]) == 0
    (here / "editorial.csv").write_text("action,source,target\nblock,*,hip-1\n")
    capfd.readouterr()
    return here


def test_a_site_is_back_after_one_command(
    site: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """On another machine: store, rules, bundle; settings are laid beside, not put in force."""
    monkeypatch.setenv("RECOMMENDER_ADMIN_KEY", "secret")
    live = registry.current(Path("models"))
    assert main(["backup", "../kept.db", "--bundle"]) == 0
    said = capfd.readouterr().out
    assert "8 articles, 0 views, 0 clicks, editorial.csv, recommender.toml, a bundle" in said
    assert "settings of the environment are not in it: RECOMMENDER_ADMIN_KEY" in said
    assert "secret" not in said
    (site / "elsewhere").mkdir()
    monkeypatch.chdir(site / "elsewhere")

    assert main(["restore", "../../kept.db"]) == 0

    said = capfd.readouterr()
    assert f"{live} is live" in said.out
    assert said.err.startswith("recommender.restored.toml: the settings of the backup")
    assert Path("recommender.restored.toml").read_text() == "explore = 10\n"
    assert Path("recommender.restored.toml").stat().st_mode & 0o777 == 0o600
    assert not Path("recommender.toml").exists()
    assert Path("editorial.csv").read_text() == (site / "editorial.csv").read_text()
    assert main(["related", "knee-1", "--json"]) == 0
    assert "hip-1" not in capfd.readouterr().out
    assert main(["restore", "../../kept.db", "--force", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["bundle"], told["articles"], [*told["files"]]) == (
        live, 8, ["editorial.csv", "recommender.toml"],
    )  # fmt: skip


def test_what_is_there_is_replaced_only_by_force(site: Path, capfd: pytest.CaptureFixture[str]):
    """A store or rules: it says which, and changes nothing."""
    assert main(["backup", "kept.db", "--quiet"]) == 0
    assert capfd.readouterr() == ("", "")
    (site / "editorial.csv").write_text("action,source,target\nblock,*,hip-2\n")
    with Store("sqlite:///recommender.db") as store:
        store.remove(["knee-1"])

    assert main(["restore", "kept.db"]) == 1

    said = capfd.readouterr().err
    assert "recommender.db is a store with something in it; editorial.csv is another" in said
    assert "--force" in said
    with Store("sqlite:///recommender.db") as store:
        assert store.n_articles() == 7
    assert "hip-2" in (site / "editorial.csv").read_text()

    assert main(["restore", "kept.db", "--force"]) == 0

    with Store("sqlite:///recommender.db") as store:
        assert store.n_articles() == 8
    assert "hip-1" in (site / "editorial.csv").read_text()
    assert "no bundle is in it; run: recommender train" in capfd.readouterr().out


def test_a_store_of_an_older_release_is_kept_as_it_is(
    site: Path, capfd: pytest.CaptureFixture[str]
):
    """Before an upgrade, and after it too; restored, it is brought up to date."""
    with sqlite3.connect("recommender.db") as raw:
        raw.execute("DELETE FROM schema_version WHERE version >= 10")
        for table in ("action_sources", "finding_terms", "finding_words", "finding"):
            raw.execute(f"DROP TABLE {table}")

    assert main(["backup", "kept.db"]) == 0
    assert main(["restore", "kept.db", "--force"]) == 0

    with Store("sqlite:///recommender.db", writing=False) as store:
        assert store.n_articles() == 8
    with sqlite3.connect("kept.db") as raw:
        assert raw.execute("SELECT MAX(version) FROM schema_version").fetchone() == (9,)


def test_a_bundle_that_is_damaged_is_not_restored(site: Path, capfd: pytest.CaptureFixture[str]):
    """Nor anything else: what is there stays."""
    assert main(["backup", "kept.db", "--bundle"]) == 0
    name = registry.current(Path("models"))
    with sqlite3.connect("kept.db") as raw:
        raw.execute(
            "UPDATE backup_files SET raw = zeroblob(LENGTH(raw)) WHERE name LIKE '%lists_items.npy'"
        )
    (site / "models" / str(name)).rename(site / "models" / ".away")
    with Store("sqlite:///recommender.db") as store:
        store.remove(["knee-1"])
    capfd.readouterr()

    assert main(["restore", "kept.db", "--force"]) == 1

    assert "the bundle is damaged" in capfd.readouterr().err
    assert registry.names(Path("models")) == []
    with Store("sqlite:///recommender.db") as store:
        assert store.n_articles() == 7


def test_rules_that_are_the_same_are_left_alone(site: Path, capfd: pytest.CaptureFixture[str]):
    """They may be where nobody may write, and nothing is to be done."""
    assert main(["backup", "kept.db"]) == 0
    before = (site / "editorial.csv").stat()
    capfd.readouterr()

    assert main(["restore", "kept.db", "--force"]) == 0

    after = (site / "editorial.csv").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert capfd.readouterr().err == ""


def test_a_file_that_cannot_be_replaced_is_laid_beside(
    site: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """As one that is mounted, or where a folder has its name; with no place at all, it is said."""
    assert main(["backup", "kept.db", "--bundle"]) == 0
    live = registry.current(Path("models"))
    (site / "models" / "CURRENT").unlink()
    rules = site / "editorial.csv"
    rules.unlink()
    (rules / "in").mkdir(parents=True)
    capfd.readouterr()

    assert main(["restore", "kept.db", "--force"]) == 0

    assert "editorial.restored.csv: the rules of the backup" in capfd.readouterr().err
    assert registry.current(Path("models")) == live
    (site / "models" / "editorial.restored.csv").unlink()
    (site / "models" / "editorial.restored.csv" / "in").mkdir(parents=True)
    assert main(["restore", "kept.db", "--force"]) == 0
    assert "the rules of the backup are NOT restored: " in capfd.readouterr().err


def test_restored_rules_are_read_by_those_who_read_the_old(site: Path):
    """The mode of what is there, else that of any new file; only the store is its owner's."""
    rules = site / "editorial.csv"
    assert main(["backup", "kept.db"]) == 0
    mask = os.umask(0o027)
    try:
        for mode in (0o664, None):
            rules.unlink()
            if mode:
                rules.write_text("action,source,target\n")
                rules.chmod(mode)
            assert main(["restore", "kept.db", "--force"]) == 0
            assert rules.stat().st_mode & 0o777 == (mode or 0o640)
    finally:
        os.umask(mask)
    assert (site / "recommender.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO backup_files SELECT 'models/other/manifest.json', 1, x'00'",
        "INSERT INTO backup_files SELECT 'models/x', 1, x'00'",
        "UPDATE backup_files SET name = replace(name, '/manifest.json', '/..')",
        "UPDATE backup_files SET name = replace(name, '/manifest.json', '/')",
        "UPDATE backup_files SET name = replace(name, '/manifest.json', '/a/manifest.json')",
    ],
)
def test_what_is_not_the_files_of_one_bundle_is_refused(
    site: Path, capfd: pytest.CaptureFixture[str], change: str
):
    """In one sentence, before anything is touched."""
    assert main(["backup", "kept.db", "--bundle"]) == 0
    with sqlite3.connect("kept.db") as raw:
        raw.execute(change)
    with Store("sqlite:///recommender.db") as store:
        store.remove(["knee-1"])
    capfd.readouterr()

    assert main(["restore", "kept.db", "--force"]) == 1

    said = capfd.readouterr().err
    assert "kept.db: what it has of bundles is not the files of one" in said
    assert len(said.splitlines()) == 1
    with Store("sqlite:///recommender.db") as store:
        assert store.n_articles() == 7


def test_what_goes_back_with_the_store_is_said(site: Path, capfd: pytest.CaptureFixture[str]):
    """Passwords and keys of then are valid; what is none of ours is left out."""
    with sqlite3.connect("recommender.db") as raw:
        raw.execute("CREATE VIEW mine AS SELECT 1 AS n")
    assert main(["backup", "kept.db"]) == 0
    assert "view mine: no part of a store, so it is not restored" in capfd.readouterr().err

    assert main(["restore", "kept.db", "--force"]) == 0

    said = "".join(capfd.readouterr())
    assert "view mine: no part of a store" in said
    assert "accounts, roles, passwords and the signing key are as they were at the backup" in said
    assert "RECOMMENDER_PREVIOUS_KEY_HOURS=0" in said


def test_a_disk_that_is_full_is_named_by_what_was_to_be_written(
    site: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """The backup, not the store, in a folder that is made if need be; nothing is left there."""
    opened = backups._opened

    def small(path: Path, mode: str = "rw") -> sqlite3.Connection:
        raw = opened(path, mode)
        raw.execute("PRAGMA max_page_count = 3")
        return raw

    with monkeypatch.context() as patched:
        patched.setattr(backups, "_opened", small)
        assert main(["backup", "backups/kept.db"]) == 1

    said = capfd.readouterr().err
    assert "backups/kept.db: cannot be written: database or disk is full" in said
    assert list((site / "backups").iterdir()) == []
    assert main(["backup", "backups/kept.db"]) == 0


def test_training_finds_out_at_once_that_it_has_no_place(
    site: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Nothing is trained for a folder that takes no bundle; a full one is named."""
    monkeypatch.setenv("RECOMMENDER_MODELS", "editorial.csv/models")
    monkeypatch.setattr("recommender.training.pipeline.build", None)

    assert main(["train"]) == 1

    assert "recommender: editorial.csv/models: " in capfd.readouterr().err
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*models'"),
        registry.scratch_folder(site / "models", "b"),
    ):
        raise OSError(28, "No space left on device")
