"""What the README says is true: examples run, links lead somewhere, no command is missing."""

import argparse
import os
import re
import shlex
from pathlib import Path

import pytest

from recommender.cli.parsers import command_parser

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PROSE = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("models/*.md"), *ROOT.glob("benchmarks/*.md")]
    if path.name != "CHANGELOG.md"
)
SHELL = ("sh", "console", "bash", "shell")


def blocks(path: Path, *languages: str) -> list[str]:
    """The fenced blocks in one of these languages."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", text, flags=re.M | re.S)
    return [code for language, code in found if language in languages]


def commands(path: Path) -> list[str]:
    """Every ``recommender ...`` line of a page's shell blocks, comments and prompts aside."""
    lines = "\n".join(blocks(path, *SHELL)).replace("\\\n", " ").splitlines()
    stripped = [line.strip().removeprefix("$ ") for line in lines]
    return [line for line in stripped if line.startswith("recommender ")]


def parsers(parser: argparse.ArgumentParser, name: str = "") -> dict[str, argparse.ArgumentParser]:
    """Every command by its words, ``import articles`` for one."""
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not groups:
        return {name: parser}
    return {
        words: found
        for action in groups
        for word, below in action.choices.items()
        for words, found in parsers(below, f"{name} {word}".strip()).items()
    }


SPOKEN = [(path.name, line) for path in PROSE for line in commands(path)]


@pytest.mark.parametrize(("page", "line"), SPOKEN, ids=[line for _, line in SPOKEN])
def test_every_command_line_is_understood(page: str, line: str):
    """Its words are those of the command line; it is not run."""
    words = shlex.split(line, comments=True)[1:]

    assert command_parser().parse_args(words).run


@pytest.mark.parametrize("command", parsers(command_parser()))
def test_every_command_is_documented(command: str):
    """Somewhere in the README, whatever its arguments."""
    assert f"recommender {command}" in README.read_text(encoding="utf-8")


def test_python_examples_run(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One after the other, in a folder with a store and a live bundle of the sample site."""
    (tmp_path / "recommender.db").symlink_to(sample / "site.db")
    (tmp_path / "models").symlink_to(sample / "models")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "readme"}
    code = blocks(README, "python")

    for number, block in enumerate(code, start=1):
        exec(compile(block, f"README.md, python block {number}", "exec"), names)

    assert code


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path):
    """Files of the project that the prose points at are there."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    gone = [
        target
        for target in targets
        if not re.match(r"[a-z]+:|#", target)
        and not (path.parent / target.partition("#")[0]).exists()
    ]

    assert gone == []


def test_named_files_are_there():
    """Paths in backticks, such as ``recommender/pipeline.py``."""
    named = re.findall(
        r"`((?:recommender|api|tests|benchmarks|models|notebooks)/[\w/.-]+\.(?:py|md|ipynb))`",
        README.read_text(encoding="utf-8"),
    )

    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_setting_is_documented():
    """With its name as it stands in the environment."""
    from dataclasses import fields

    from recommender.config import PREFIX, Settings

    text = README.read_text(encoding="utf-8")
    names = [PREFIX + field.name.upper() for field in fields(Settings)]

    missing = [
        name for name in names if name not in text and f"_{name.split('_', 1)[1]}" not in text
    ]
    assert missing == []
    assert os.environ.get("RECOMMENDER_DATABASE") is None
