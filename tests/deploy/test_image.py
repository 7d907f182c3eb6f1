"""The image: ``.ci/image.py`` runs its steps; here is what can be read off the files."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath
from types import ModuleType

import pytest
from click.testing import CliRunner

from recommender.cli.main import commands

ROOT = Path(__file__).parents[2]
pytest.importorskip("dockerfile_parse")


def script() -> ModuleType:
    """``.ci/image.py`` as a module."""
    spec = importlib.util.spec_from_file_location("image", ROOT / ".ci" / "image.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["image"] = module
    spec.loader.exec_module(module)
    return module


IMAGE = script()


def steps(word: str) -> list[str]:
    """The values of an instruction, in order."""
    parser = IMAGE.DockerfileParser(path=str(ROOT / "Dockerfile"))
    return [step["value"] for step in parser.structure if step["instruction"] == word]


def test_the_context_is_what_the_package_is_made_of():
    """Whatever COPY names, and no test, store, bundle or secret."""
    files = {str(path) for path in IMAGE.context()}
    copied = [value.split() for value in steps("COPY") if "--from" not in value]
    named = [source for words in copied for source in words[:-1]]

    gone = [
        name for name in named
        if not any(path == name or path.startswith(f"{name}/") for path in files)
    ]  # fmt: skip
    assert gone == []
    assert {path.partition("/")[0] for path in files} == {
        "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "constraints.txt",
        "recommender", "api", "notebooks", "docs",
    }  # fmt: skip
    assert not [path for path in files if re.search(r"__pycache__|\.db|(^|/)\.env$", path)]


def test_the_last_pattern_that_fits_decides():
    """As Docker reads ``.dockerignore``."""
    patterns = ["*", "!api", "**/__pycache__"]

    paths = ("tests/a.py", "api/a.py", "api/x/a.py", "api/__pycache__/a.pyc")
    out = [IMAGE.ignored(PurePosixPath(path), patterns) for path in paths]

    assert out == [True, False, False, True]


def test_it_does_not_run_as_root_and_installs_by_the_pins():
    """A number as user, so that a cluster can see that it is not root's."""
    assert steps("USER") == ["10001:10001"]
    (install,) = [value for value in steps("RUN") if "pip" in value]
    assert "--constraint constraints.txt" in install


def test_it_serves_where_the_health_check_asks():
    """By a command that is understood; the check needs nothing but Python."""
    command = json.loads(steps("CMD")[0])

    assert json.loads(steps("ENTRYPOINT")[0]) == ["recommender"]
    assert CliRunner().invoke(commands, [*command, "--help"]).exit_code == 0
    context = commands.commands[command[0]].make_context(command[0], command[1:])
    assert (context.params["host"], context.params["port"]) == ("0.0.0.0", 8000)
    assert steps("EXPOSE") == ["8000"]
    assert "127.0.0.1:8000/health/live" in steps("HEALTHCHECK")[0]


def nightly() -> list[str]:
    """The commands of README's nightly job."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"\*\*Every night\*\*.*?```sh\n(.*?)```", text, re.S)
    assert block
    return [line.partition("#")[0].strip() for line in block[1].splitlines()]


def test_the_nightly_job_is_that_of_the_readme():
    """In the container and by systemd alike."""
    by_script = re.search(
        r"nightly\(\) \{\n(.*?)\n\}", (ROOT / "docs/deploy/nightly.sh").read_text("utf-8"), re.S
    )
    unit = (ROOT / "docs/deploy/systemd/recommender-nightly.service").read_text(encoding="utf-8")

    assert by_script
    assert re.findall(r"^ *(recommender .*?) \|\| ", by_script[1], re.M) == nightly()
    # What is after the job runs whether it failed or not; a second ExecStart would not.
    found = re.findall(r"^(ExecStart|ExecStopPost)=\S*/(.*)$", unit, re.M)
    assert [command for _, command in found] == nightly()
    assert [name for name, _ in found] == ["ExecStart", "ExecStopPost"]


def test_the_nightly_script_runs_the_job_once_or_every_day(tmp_path: Path):
    """Each command in turn, also after one that failed; the worst status is the job's. By a time of
    day it waits, and is stopped by SIGTERM.
    """
    program = tmp_path / "recommender"
    lines = (
        "#!/bin/sh", 'echo "$@" >> "$LOG"', 'case " $FAILS " in',
        '*" $1="*) rest=${FAILS#*"$1="}; exit ${rest%% *} ;;', "esac",
    )  # fmt: skip
    program.write_text("\n".join(lines) + "\n", encoding="utf-8")
    program.chmod(0o755)
    log = tmp_path / "log"
    command = [str(ROOT / "docs" / "deploy" / "nightly.sh")]

    def run(fails: str) -> int:
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "LOG": str(log), "FAILS": fails}
        return subprocess.run(command, env=environment).returncode

    assert run("nothing") == 0
    assert [f"recommender {line}" for line in log.read_text().splitlines()] == nightly()
    for fails, status in (("train=1", 1), ("forget=1", 1), ("train=1 forget=2", 2),
                          ("train=3 forget=1", 3)):  # fmt: skip
        log.unlink()
        assert run(fails) == status
        assert [f"recommender {line}" for line in log.read_text().splitlines()] == nightly()

    with subprocess.Popen(
        [*command, "--at", "00:00"], stdout=subprocess.PIPE, text=True
    ) as waiting:
        assert waiting.stdout is not None
        seconds = re.search(r"in (\d+) seconds", waiting.stdout.readline())
        waiting.terminate()
        assert waiting.wait(10) == 0
    assert seconds
    assert 0 < int(seconds[1]) <= 90_000
