"""Experiments from the command line."""

import json
from pathlib import Path

import pytest
from sites import random_articles

from recommender.bundle import experiments, registry
from recommender.cli.main import main

ARMS = ["--arm", "old=hand-picked", "--arm", "new=live"]


@pytest.fixture
def site(here: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """A working folder with articles, of which some have hand-picked lists, and a bundle."""
    names = ("id", "title", "body", "url", "category", "recommended")
    lines = [
        json.dumps({name: getattr(article, name) for name in names})
        for article in random_articles(30, seed=4) if not article.stub
    ]  # fmt: skip
    (here / "articles.jsonl").write_text("\n".join(lines))
    assert main(["import", "articles", "articles.jsonl"]) == 0
    assert main(["train"]) == 0
    capfd.readouterr()
    return here


def test_an_experiment_from_start_to_stop(site: Path, capfd: pytest.CaptureFixture[str]):
    """The arms and their variants are shown; stopping can make a winner live."""
    assert main(["experiment", "start", "autumn", *ARMS]) == 0
    out = capfd.readouterr().out
    assert "0 to 49" in out
    assert "50 to 99" in out
    assert "experiment autumn runs" in out
    running = experiments.running(site / "models")
    assert running is not None
    live = registry.current(site / "models")
    assert [(arm.shows, arm.bundle == live) for arm in running.arms] == [
        ("hand-picked", False),
        ("live", True),
    ]

    assert main(["train"]) == 0
    assert main(["models", "prune", "--keep", "1"]) == 0
    assert {arm.bundle for arm in running.arms} <= set(registry.names(site / "models"))
    capfd.readouterr()

    assert main(["experiment", "stop", "--activate", "new", "--json"]) == 0
    ended = json.loads(capfd.readouterr().out)
    assert ended["live"] == live == registry.current(site / "models")
    assert ended["stopped"] > ended["started"]
    assert experiments.running(site / "models") is None


def test_shares_and_interleaving_are_asked_for(site: Path, capfd: pytest.CaptureFixture[str]):
    """As the help has it."""
    arms = ["--arm", "old=hand-picked", "--arm", "new=live@10", "--json"]
    assert main(["experiment", "start", "careful", *arms]) == 0
    planned = json.loads(capfd.readouterr().out)
    assert [(arm["first"], arm["last"]) for arm in planned["arms"]] == [(0, 89), (90, 99)]
    assert main(["experiment", "stop"]) == 0
    capfd.readouterr()
    assert main(["experiment", "start", "quick", *ARMS, "--interleave", "--json"]) == 0
    planned = json.loads(capfd.readouterr().out)
    assert (planned["kind"], planned["share"]) == ("interleaved", 20)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["a", "--arm", "old"], 2, "give NAME=WHAT"),
        (["a", "--arm", "old=live"], 1, "1 arms; it takes at least two arms"),
        (["a", "--arm", "old=live", "--arm", "new=2026"], 1, "there is no bundle 2026"),
        (["a", "--arm", "old=live", "--arm", "new=live+colour=red"], 1, "'colour' is no setting"),
        (["a", "--arm", "old=live", "--arm", "new=live+ceiling=0"], 1, "no whole number from 1"),
        (["a", "--arm", "old=live@99", "--arm", "new=live"], 1, "multiples of 5"),
        (["a", "--arm", "old=live@100", "--arm", "new=live"], 1, "multiples of 5"),
        (["a", "--arm", "old=live@51", "--arm", "new=live@49"], 1, "multiples of 5"),
        (["a", "--arm", "old=live@50", "--arm", "new=live@40"], 1, "all of the hundred variants"),
        (["A B", *ARMS], 1, "no name for an experiment"),
        (["a", "--arm", "x=hand-picked", "--arm", "y=hand-picked"], 1, "one arm, not two"),
        (["a", "--arm", "x=live@50", "--arm", "y=live@50", "--interleave"], 1, "have no shares"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    site: Path, capfd: pytest.CaptureFixture[str], arguments, status, says
):
    """One sentence; no bundle is left behind and nothing runs."""
    before = registry.names(site / "models")

    assert main(["experiment", "start", *arguments]) == status

    assert says in " ".join(capfd.readouterr().err.replace("│", " ").split())
    assert registry.names(site / "models") == before
    assert experiments.running(site / "models") is None


def test_stopping_what_does_not_run_is_an_error(site: Path, capfd: pytest.CaptureFixture[str]):
    """In one sentence; so is an arm that the experiment has not."""
    assert main(["experiment", "stop"]) == 1
    assert "no experiment runs" in capfd.readouterr().err
    assert main(["experiment", "start", "autumn", *ARMS]) == 0
    assert main(["experiment", "stop", "--activate", "nobody"]) == 1
    assert "has no arm 'nobody'; it has old, new" in capfd.readouterr().err
    assert experiments.running(site / "models") is not None


def test_what_came_of_it_is_shown_and_stored(site: Path, capfd: pytest.CaptureFixture[str]):
    """By name, or the one that runs, or the last; as a table, JSON and a page."""
    assert main(["experiment", "status"]) == 1
    assert "no experiment was started yet" in capfd.readouterr().err
    assert main(["experiment", "start", "autumn", *ARMS]) == 0
    capfd.readouterr()

    assert main(["experiment", "status", "--html", "page.html"]) == 0

    out = capfd.readouterr().out
    stored = json.loads((site / "models" / "experiments" / "autumn" / "readout.json").read_text())
    assert stored["views"] == 0
    assert stored["verdict"] in out
    assert "old" in out
    assert "0 page views" in out
    assert stored["verdict"].split()[0] in (site / "page.html").read_text()
    assert main(["experiment", "stop"]) == 0
    assert stored["verdict"].split()[0] in capfd.readouterr().out
    assert main(["experiment", "status", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["experiment"]["stopped"] is not None
    assert main(["experiment", "status", "nobody"]) == 1
    assert "there is no experiment 'nobody'; there are autumn" in capfd.readouterr().err


def test_a_name_comes_once_and_is_refused_before_anything_is_built(
    site: Path, capfd: pytest.CaptureFixture[str]
):
    """No bundle is left behind that nobody asked for."""
    assert main(["experiment", "start", "autumn", *ARMS]) == 0
    assert main(["experiment", "stop"]) == 0
    before = registry.names(site / "models")

    assert main(["experiment", "start", "autumn", *ARMS]) == 1

    assert "choose another name" in capfd.readouterr().err
    assert registry.names(site / "models") == before


def test_an_emergency_is_not_over_while_an_experiment_runs(
    site: Path, capfd: pytest.CaptureFixture[str]
):
    """Who activates another bundle is warned that pages go on showing the arms."""
    assert main(["experiment", "start", "autumn", *ARMS]) == 0
    name = experiments.running(site / "models").arms[0].bundle
    for command in (["models", "activate", name], ["models", "rollback"], ["train"]):
        capfd.readouterr()
        assert main(command) == 0
        assert "experiment autumn runs" in capfd.readouterr().err
    assert main(["experiment", "stop"]) == 0
    capfd.readouterr()
    assert main(["models", "rollback"]) == 0
    assert "experiment" not in capfd.readouterr().err


def test_a_winner_that_cannot_be_live_ends_nothing(site: Path, capfd: pytest.CaptureFixture[str]):
    """The experiment goes on; the reason is given."""
    assert main(["experiment", "start", "autumn", *ARMS]) == 0
    folder = site / "models" / experiments.running(site / "models").arms[0].bundle
    next(folder.glob("site_picked.npy*")).unlink()
    capfd.readouterr()

    assert main(["experiment", "stop", "--activate", "old"]) == 1

    assert "the bundle is damaged" in capfd.readouterr().err
    assert experiments.running(site / "models") is not None
    assert main(["experiment", "stop"]) == 0


def test_the_read_out_of_what_has_ended_outlives_the_log(
    site: Path, capfd: pytest.CaptureFixture[str]
):
    """Looked at again when views are forgotten, what was known is shown, and kept."""
    assert main(["experiment", "start", "autumn", *ARMS]) == 0
    assert main(["experiment", "stop"]) == 0
    file = site / "models" / "experiments" / "autumn" / "readout.json"
    kept = json.loads(file.read_text()) | {"views": 4_384, "verdict": "new wins."}
    file.write_text(json.dumps(kept))
    capfd.readouterr()

    assert main(["experiment", "status", "--json"]) == 0

    shown = capfd.readouterr()
    assert json.loads(shown.out)["verdict"] == "new wins."
    assert "the log has 0 of its 4,384 views by now" in shown.err
    assert json.loads(file.read_text()) == kept
