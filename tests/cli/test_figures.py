"""The command that renews the console's figures, and trainings that do."""

import json
from pathlib import Path

import pytest

from recommender.bundle import figures
from recommender.cli.main import main
from recommender.store.database import Store
from recommender.store.refusals import NOT_ALLOWED, Refusals

RECORDS = [
    {"id": id, "title": id.title(), "body": f"{id} joint stairs clicks when going up {id}"}
    for id in ("knee", "hip", "ankle", "wrist", "elbow")
]


@pytest.fixture
def site(here: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """A folder with five articles and a log of twenty days."""
    (here / "articles.jsonl").write_text("".join(json.dumps(each) + "\n" for each in RECORDS))
    events: list[dict[str, object]] = []
    for day in range(1, 21):
        ts = f"2026-11-{day:02}T10:00:00Z"
        events += [
            {"type": "impression", "view_id": f"{day} {n}", "ts": ts, "source_id": "hip",
             "shown": ["knee", "ankle"], "list": "hand-picked"}
            for n in range(4)
        ]  # fmt: skip
        events.append({"type": "click", "view_id": f"{day} 0", "ts": ts, "clicked": "knee"})
    (here / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
    assert main(["import", "articles", "articles.jsonl"]) == 0
    assert main(["import", "events", "events.jsonl"]) == 0
    capfd.readouterr()
    return here


def test_training_renews_them_also_if_it_trains_nothing(
    site: Path, capfd: pytest.CaptureFixture[str]
):
    assert main(["train", "--now", "2026-11-22T10:15:00Z"]) == 0
    first = figures.read(site / "models")
    assert main(["train", "--if-new", "5", "--now", "2026-11-23T10:15:00Z"]) == 0
    second = figures.read(site / "models")

    assert first is not None
    assert second is not None
    assert (first["made"][:10], second["made"][:10]) == ("2026-11-22", "2026-11-23")
    assert first["training"]["sentence"] == f"Trained {first['bundle']['name']}, live."
    assert second["training"]["sentence"].startswith("Not trained: 0 new clicks")
    assert second["total"] | {} == first["total"]
    assert (first["total"]["views"], first["total"]["clicks"]) == (80, 20)
    assert first["command"] == "recommender figures"


def test_the_command_keeps_what_training_said_and_is_quiet_without_a_terminal(
    site: Path, capfd: pytest.CaptureFixture[str]
):
    assert main(["train", "--now", "2026-11-22T10:15:00Z"]) == 0
    trained = figures.read(site / "models")
    capfd.readouterr()

    assert main(["figures"]) == 0
    quiet = capfd.readouterr()
    assert main(["figures", "--json"]) == 0
    loud = json.loads(capfd.readouterr().out)

    assert (quiet.out, quiet.err) == ("", "")
    assert trained is not None
    assert loud["training"] == trained["training"]
    assert loud["recent"]["rate"] == pytest.approx(0.25)


def test_figures_need_no_bundle(site: Path, capfd: pytest.CaptureFixture[str]):
    assert main(["figures", "--json"]) == 0

    found = json.loads(capfd.readouterr().out)
    assert found["bundle"] is None
    assert found["total"]["views"] == 80
    assert figures.read(site / "models") is not None


def test_figures_that_cannot_be_written_do_not_undo_a_training(
    site: Path, capfd: pytest.CaptureFixture[str]
):
    (site / "models" / figures.FILE).mkdir(parents=True)

    assert main(["train", "--now", "2026-11-22T10:15:00Z"]) == 0

    said = capfd.readouterr()
    assert "figures could not be renewed" in said.err
    assert "run: recommender figures" in said.err
    assert main(["figures"]) == 1


def test_refused_origins_are_named_with_the_setting(
    site: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    from recommender.cli.output import now

    refusals = Refusals()
    for _ in range(3):
        refusals.add(NOT_ALLOWED, "https://blog.example.org")
    with Store("sqlite:///recommender.db") as store, store.transaction() as connection:
        refusals.take(int(now().timestamp()) // 86_400).write(connection)

    monkeypatch.setenv("COLUMNS", "200")
    main(["validate"])
    said = " ".join(capfd.readouterr().out.split())
    assert main(["figures", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)["origins_refused"]
    monkeypatch.setenv("RECOMMENDER_ALLOWED_ORIGINS", "https://blog.example.org")
    main(["validate", "--json"])
    checks = json.loads(capfd.readouterr().out)["checks"]

    assert "https://blog.example.org" in said
    assert "RECOMMENDER_ALLOWED_ORIGINS" in said
    assert [(each["origin"], each["n"]) for each in found["origins"]] == [
        ("https://blog.example.org", 3)
    ]
    (check,) = (each for each in checks if each["name"] == "pages of all sites may send events")
    assert check["passed"]
    assert check["examples"] == []
