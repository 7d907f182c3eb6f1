"""README and docs are true: examples run, links lead somewhere, no command is missing."""

import json
import os
import re
import shlex
from dataclasses import asdict
from pathlib import Path

import click
import pytest
from trials import split

from recommender.cli.main import commands as command_line

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
# What is for users, README first.
MANUAL = [README, *sorted(DOCS.rglob("*.md"))]
PROSE = [
    *MANUAL,
    *(
        path
        for folder in (ROOT, ROOT / "models", ROOT / "benchmarks")
        for path in sorted(folder.glob("*.md"))
        if path != README and path.name != "CHANGELOG.md"
    ),
]
# Pages whose Python is run.
EXAMPLES = [README, DOCS / "analysts.md"]
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


def leaves(command: click.Command, name: str = "") -> dict[str, click.Command]:
    """Every command by its words, ``import articles`` for one."""
    if not isinstance(command, click.Group):
        return {name: command}
    return {
        words: found
        for word, below in command.commands.items()
        for words, found in leaves(below, f"{name} {word}".strip()).items()
    }


SPOKEN = [(path.name, line) for path in PROSE for line in commands(path)]


@pytest.mark.parametrize(("page", "line"), SPOKEN, ids=[line for _, line in SPOKEN])
def test_every_command_line_is_understood(page: str, line: str):
    """Its words are those of the command line; it is not run."""
    command, words = command_line, shlex.split(line, comments=True)[1:]
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]

    assert command.make_context(command.name, words).args == []


@pytest.mark.parametrize("command", leaves(command_line))
def test_every_command_is_documented(command: str):
    """Somewhere in README or docs, whatever its arguments."""
    assert any(f"recommender {command}" in page.read_text(encoding="utf-8") for page in MANUAL)


def test_pages_of_examples_have_some():
    """So that a fence in another spelling does not pass for examples that run."""
    assert all(blocks(path, "python") for path in EXAMPLES)


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_python_examples_run(
    path: Path, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One after the other, in a folder with a store, a live bundle and an experiment of the sample
    site.
    """
    (tmp_path / "recommender.db").symlink_to(sample / "site.db")
    (tmp_path / "models" / "experiments" / "autumn").mkdir(parents=True)
    for each in (sample / "models").iterdir():
        (tmp_path / "models" / each.name).symlink_to(each)
    about = tmp_path / "models" / "experiments" / "autumn" / "experiment.json"
    about.write_text(json.dumps(asdict(split(50, 50))), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "readme"}

    for number, block in enumerate(blocks(path, "python"), start=1):
        exec(compile(block, f"{path.name}, python block {number}", "exec"), names)


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


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_files_are_there(path: Path):
    """Paths in backticks, such as ``recommender/training/pipeline.py``, and folders."""
    named = re.findall(
        r"`((?:recommender|api|tests|benchmarks|models|notebooks|docs)/(?:[\w/.-]+\.(?:py|md|ipynb)|[\w/-]+/))`",
        path.read_text(encoding="utf-8"),
    )

    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_package_is_in_the_table_of_contents():
    """The folders of the library, no more and no fewer."""
    text = (DOCS / "how-it-works.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `recommender/(\w+)/` \|", text, flags=re.M)

    assert sorted(listed) == sorted(
        file.parent.name for file in ROOT.glob("recommender/*/__init__.py")
    )


def test_places_to_extend_are_there():
    """A name that has a row for every format, feature or check is defined where the docs say."""
    text = (DOCS / "how-it-works.md").read_text(encoding="utf-8")
    named = re.findall(r"of `(\w+)` in `([\w/]+\.py)`", text)
    gone = [
        (name, path)
        for name, path in named
        if not re.search(rf"^(?:def )?{name}\b", (ROOT / path).read_text("utf-8"), flags=re.M)
    ]

    assert named
    assert gone == []


def test_every_setting_is_documented():
    """With its name as it stands in the environment, in a table of its own page."""
    from dataclasses import fields

    from recommender.config import PREFIX, Settings

    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    names = [PREFIX + field.name.upper() for field in fields(Settings)]

    assert [name for name in names if f"| `{name}` |" not in text] == []
    assert os.environ.get("RECOMMENDER_DATABASE") is None
