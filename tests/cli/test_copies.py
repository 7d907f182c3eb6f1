"""Commands on bundles of an object store: each works in a folder of its own."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from asking import articles, publish

from recommender.articles.batch import Batch
from recommender.bundle import registry
from recommender.cli.main import main
from recommender.store.database import Store

pytestmark = pytest.mark.slow
PROGRAM = "import sys; from recommender.cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def site(here: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trainer's folder, a store with articles and an empty place for bundles."""
    if bucket.exists("site/models"):
        bucket.rm("site/models", recursive=True)
    monkeypatch.setenv("RECOMMENDER_MODELS_URL", "s3://site/models")
    monkeypatch.setenv("RECOMMENDER_DATABASE", f"sqlite:///{here}/site.db")
    batch = Batch()
    for article in articles():
        batch.add(article, "test")
    with Store(f"sqlite:///{here}/site.db") as store:
        store.apply(batch)
    return here


def listed(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, bool]]:
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    return [(row["name"], row["live"]) for row in json.loads(capsys.readouterr().out)]


def test_a_site_is_run_by_several_machines(
    site: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """One trains, another goes back and forth, a third clears away."""
    assert main(["train", "--quiet", "--now", "2026-11-22T10:00:00Z"]) == 0
    assert main(["train", "--quiet", "--now", "2026-11-23T10:00:00Z"]) == 0
    (first, _), (second, is_live) = listed(capsys)
    assert is_live

    monkeypatch.setenv("RECOMMENDER_MODELS", "another")
    assert main(["models", "rollback"]) == 0
    assert listed(capsys) == [(first, True), (second, False)]
    assert registry.names(site / "another") == [first, second]
    assert main(["models", "activate", second]) == 0
    assert registry.current(site / "another") == second

    monkeypatch.setenv("RECOMMENDER_MODELS", "third")
    assert main(["related", "knee-1"]) == 0
    assert registry.names(site / "third") == [second]
    args = ["train", "--quiet", "--keep", "1", "--now", "2026-11-24T10:00:00Z"]
    assert main(args) == 0
    (kept, _), (live, is_live) = listed(capsys)
    assert (kept, is_live) == (second, True)
    assert bucket.cat_file("site/models/CURRENT").decode().strip() == live
    assert not bucket.exists(f"site/models/{first}")


def test_a_url_may_stand_in_the_place_of_the_folder(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Copies are then in `models`."""
    monkeypatch.delenv("RECOMMENDER_MODELS_URL")
    monkeypatch.setenv("RECOMMENDER_MODELS", "s3://site/models/")

    assert main(["train", "--quiet"]) == 0

    ((name, is_live),) = listed(capsys)
    assert is_live
    assert (site / "models" / name).is_dir()


def test_training_for_a_store_that_is_away_does_not_begin(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Hours later would be late."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    assert main(["train"]) == 1

    assert "recommender: s3://site/models: out of reach: " in capsys.readouterr().err
    assert registry.names(site / "models") == []


def test_copies_follow_the_store(site: Path, bucket: Any, tmp_path: Path):
    """A new bundle comes by itself, and what is old goes; it ends with its parent."""
    made = tmp_path / "made"
    names = publish(made)
    follower = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "models", "follow", "--with-parent"],
        stdin=subprocess.PIPE, cwd=site,
    )  # fmt: skip
    try:
        for name in names:
            bucket.put(str(made / name), f"site/models/{name}", recursive=True)
            bucket.pipe_file("site/models/CURRENT", f"{name}\n".encode())
            end = time.monotonic() + 60
            while registry.current(site / "models") != name:
                assert time.monotonic() < end
                assert follower.poll() is None
                time.sleep(0.1)
            assert registry.verify(registry.resolve(site / "models")).name == name
    finally:
        assert follower.stdin is not None
        follower.stdin.close()
        assert follower.wait(30) == 0
