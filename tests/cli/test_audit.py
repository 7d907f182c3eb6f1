"""The command that audits: what it prints, writes and keeps."""

import json
import shutil
from pathlib import Path

import pytest
from sites import NOW

from recommender.bundle import registry
from recommender.bundle.bundle import Bundle
from recommender.cli.main import main
from recommender.experiments.freezing import hand_picked
from recommender.store.database import Store

RECORDS = [
    {"id": "knee", "title": "Knee", "body": "knee joint stairs", "recommended": ["hip", "gone"]},
    {"id": "hip", "title": "=Hip\x1b[2J", "body": "hip joint", "recommended": ["knee", "hip"]},
    {"id": "nap", "title": "Nap", "body": "noon dream bed pillow couch"},
]


def trained(folder: Path, records: list[dict[str, object]]) -> None:
    path = folder / "articles.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    assert main(["import", "articles", str(path)]) == 0
    assert main(["train", "--now", "2026-11-22T10:15:00Z"]) == 0


def test_the_worst_are_shown_written_and_kept(here: Path, capfd: pytest.CaptureFixture[str]):
    """A table and three sentences; CSV, JSON and HTML where asked; the worst beside the bundles."""
    trained(here, RECORDS)
    capfd.readouterr()

    words = ["audit", "--csv", "a.csv", "--json", "a.json", "--html", "a.html"]
    assert main(words) == 0

    out = capfd.readouterr().out
    assert "Of 4 hand-picked links on 2 pages 50.0 % are good." in out
    assert "\x1b[2J" not in out
    whole = json.loads((here / "a.json").read_text(encoding="utf-8"))
    assert {row["kinds"] for row in whole["worst"]} == {"dead", "itself"}
    kept = json.loads((here / "models" / "audit.json").read_text(encoding="utf-8"))
    assert kept == whole
    rows = (here / "a.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(rows) == 5
    assert any("'=Hip" in row for row in rows)
    assert "<h1>50.0 % of the hand-picked links are good</h1>" in (here / "a.html").read_text()


def test_nothing_is_kept_if_that_is_wanted(here: Path):
    """``--no-save`` leaves the folder of the bundles alone, and so does a site without lists."""
    trained(here, RECORDS)

    assert main(["audit", "--no-save", "--worst", "1"]) == 0

    assert not (here / "models" / "audit.json").exists()


def test_without_hand_picked_lists_it_is_said(here: Path, capfd: pytest.CaptureFixture[str]):
    """In one line, with exit status 1."""
    trained(here, [{**record, "recommended": []} for record in RECORDS])
    capfd.readouterr()

    assert main(["audit"]) == 1

    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("recommender: no page has a hand-picked list")
    assert not (here / "models" / "audit.json").exists()


def test_where_the_hand_picked_lists_are_live_the_newest_trained_bundle_audits(
    here: Path, capfd: pytest.CaptureFixture[str]
):
    """As after an experiment that they won; alone they are refused, with what to do."""
    trained(here, RECORDS)
    models = here / "models"
    (first,) = registry.names(models)
    with Store("sqlite:///recommender.db") as store:
        articles = store.articles()
    by_hand = hand_picked(Bundle(models / first), articles, models, now=NOW)
    registry.activate(models, by_hand.name, trial=lambda folder: None)
    capfd.readouterr()

    assert main(["audit", "--json", "a.json"]) == 0
    assert json.loads((here / "a.json").read_text(encoding="utf-8"))["bundle"] == first
    assert f"audited by {first}" in capfd.readouterr().err

    assert main(["audit", "--bundle", by_hand.name]) == 1
    assert "hand-picked lists themselves" in capfd.readouterr().err
    shutil.rmtree(models / first)
    assert main(["audit"]) == 1
    assert "run: recommender train" in capfd.readouterr().err


def test_a_site_without_a_fault_has_its_files(here: Path, capfd: pytest.CaptureFixture[str]):
    """Every one that is asked for."""
    trained(here, [{**record, "recommended": ["nap"]} for record in RECORDS[:2]] + RECORDS[2:])
    capfd.readouterr()

    assert main(["audit", "--csv", "a.csv", "--json", "a.json", "--html", "a.html"]) == 0

    assert "Nothing was found against any." in capfd.readouterr().out
    assert "100 % of the hand-picked links are good" in (here / "a.html").read_text()
