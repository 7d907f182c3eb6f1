"""What runs by itself at night: it clears up behind itself, and says only what is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recommender.bundle import experiments, registry
from recommender.cli.main import main

PAGES = [
    {"id": f"{subject}-{n}", "title": f"{subject} {n}", "body": f"{subject} joint {n} stairs"}
    for subject in ("knee", "hip")
    for n in range(4)
]


@pytest.fixture
def site(here: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """A folder with articles, nothing trained."""
    lines = "".join(json.dumps(page) + "\n" for page in PAGES)
    (here / "articles.jsonl").write_text(lines)
    assert main(["import", "articles", "articles.jsonl"]) == 0
    assert f"made a new store: sqlite:///recommender.db ({here}" in capfd.readouterr().err
    return here


def train(minute: int, *options: str) -> None:
    assert main(["train", "--now", f"2026-11-22T10:{minute:02}:00Z", *options]) == 0


def names() -> list[str]:
    return registry.names(Path("models"))


@pytest.mark.slow
def test_training_keeps_what_may_be_needed(site: Path, capfd: pytest.CaptureFixture[str]):
    """The newest, the live one and the one before, and what an experiment shows."""
    for minute in range(3):
        train(minute)
    first, second, third = names()
    capfd.readouterr()

    train(3, "--keep", "1")  # the third is what rollback goes to

    assert names()[0] == third
    assert len(names()) == 2
    assert "2 older bundles deleted" in capfd.readouterr().out
    assert main(["experiment", "start", "autumn", "--arm", f"a={third}", "--arm", "b=live"]) == 0
    shown = sorted({arm.bundle for arm in experiments.read(Path("models"), "autumn").arms})
    capfd.readouterr()

    train(5, "--keep", "1", "--json")
    pruned = json.loads(capfd.readouterr().out)["pruned"]
    train(6, "--keep", "1", "--no-activate")

    assert set(shown) <= set(names())
    assert pruned == []
    assert registry.before(Path("models")) in names()
    assert registry.current(Path("models")) in names()
    assert not {first, second} & set(names())


def test_what_was_trained_stands_though_nothing_can_be_deleted(
    site: Path, capfd: pytest.CaptureFixture[str]
):
    """It says why, and the work is done."""
    (site / "models").mkdir()
    (site / "models" / "EXPERIMENT").write_text("lost\n")

    train(0, "--keep", "1", "--quiet")

    said = capfd.readouterr()
    assert (said.out, len(names())) == ("", 1)
    assert "older bundles are not deleted: models: there is no experiment 'lost'" in said.err


@pytest.mark.slow
def test_the_nightly_job_says_nothing_while_all_is_well(site: Path):
    """As cron runs it: a bare environment, no terminal; what is said is mailed."""
    command = "import sys; from recommender.cli.main import main; sys.exit(main())"
    bare = {"HOME": str(site), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "nobody"}
    bare |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}

    def said(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", command, *words], cwd=site, env=bare, text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.returncode, done.stdout

    nightly = ["train", "--quiet", "--if-new", "1", "--promote-if-better", "--keep", "7"]
    assert said(*nightly) == (0, "")
    assert said(*nightly) == (0, "")  # nothing is new
    assert said("forget", "-q", "--older-than", "90") == (0, "")
    assert said("models", "prune", "-q", "--keep", "7") == (0, "")
    assert said("export", "out", "--format", "json", "-q") == (0, "")

    status, text = said("train", "--promote-if-better")

    # Without being hushed: the result, a line each, and no bars.
    assert status == 0
    assert "model card: models/" in text
    assert "\x1b" not in text
    assert "━" not in text
    assert not any(line.startswith((" ", "✓")) for line in text.splitlines())


def test_what_is_wrong_is_said_all_the_same(site: Path, capfd: pytest.CaptureFixture[str]):
    """A failed check, and a bundle that waits for a person."""
    events = [
        {"type": "click", "view_id": f"v{n}", "ts": "2026-11-20T10:00:00Z", "clicked": "knee-1"}
        for n in range(50)
    ]
    (site / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    main(["import", "events", "events.jsonl"])
    capfd.readouterr()

    status = main(["validate", "--quiet"])

    said = capfd.readouterr()
    assert (status, said.out) == (1, "")
    assert said.err.startswith("FAIL ")

    train(0)
    os.environ["RECOMMENDER_UNJUDGED"] = "hold"
    try:
        capfd.readouterr()
        train(1, "--promote-if-better", "--quiet")
    finally:
        del os.environ["RECOMMENDER_UNJUDGED"]

    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith("held (RECOMMENDER_UNJUDGED)")
