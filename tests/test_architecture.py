"""The packages stand on one another, and what serves loads nothing that only training needs."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

HEAVY = {
    "sklearn", "scipy", "joblib", "numba", "pandas", "matplotlib", "pyarrow",
}  # fmt: skip
WEB = {"fastapi", "starlette", "uvicorn", "pydantic", "httpx", "flask"}


MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "recommender").rglob("*.py")
    if path.name != "__init__.py"
)
# Nothing to import from the package of these but what is written there, which is nothing.
PACKAGES = sorted({name.rpartition(".")[0] for name in MODULES})


def loaded_by(statement: str) -> set[str]:
    """What a new Python holds after ``statement``, at the top level and of the library."""
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_a_package_imports_only_those_below_it():
    """The layers, what may serve and what may know the web: pyproject.toml has them."""
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip

    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


@pytest.mark.slow
def test_the_web_is_reached_only_when_a_command_serves():
    """No module of the library imports the service or a web framework when it is loaded itself."""
    statement = "\n".join(f"import {name}" for name in MODULES)

    loaded = {name.partition(".")[0] for name in loaded_by(statement)}

    assert not loaded & (WEB | {"recommender_api"})


def test_a_package_runs_nothing_when_it_is_imported():
    """Else serving would load what is heavy by accident."""
    inits = [ROOT.joinpath(*name.split("."), "__init__.py") for name in PACKAGES[1:]]

    assert [path for path in inits if path.read_text(encoding="utf-8")] == []


def test_every_package_is_shipped():
    """The list in pyproject.toml is what is there: the folder ``api`` is ``recommender_api``."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    there = [path.parent.relative_to(ROOT) for path in (ROOT / "api").rglob("__init__.py")]
    service = [".".join(["recommender_api", *folder.parts[1:]]) for folder in there]

    # The notebooks, which are files and no package until they are installed.
    service.append("recommender.notebooks.originals")
    assert sorted(listed["setuptools"]["packages"]) == sorted([*PACKAGES, *service])


def test_importing_the_package_loads_next_to_nothing():
    """``import recommender`` is light: what is heavy comes with the first use."""
    loaded = {name.partition(".")[0] for name in loaded_by("import recommender")}

    assert not loaded & (HEAVY | WEB | {"numpy", "rich"})


@pytest.mark.slow
def test_the_web_process_never_loads_what_trains():
    """No scikit-learn, scipy, joblib, numba or pandas, not through another library either."""
    loaded = loaded_by("import recommender_api.app, recommender_api.serve")

    assert not {name.partition(".")[0] for name in loaded} & HEAVY


def test_models_hold_no_code():
    """A bundle is data."""
    assert not list((ROOT / "models").rglob("*.py"))


def test_no_file_knows_the_machine_it_was_written_on():
    """Paths of a home, of a scratch folder or of a checkout have no business in the project."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    machine = re.compile(r"/(?:home|Users|root)/\w|/tmp/[\w.]|/work/\w")
    found = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if not path.is_file() or path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{name}: {match[0]}" for match in machine.finditer(text)]

    assert found == []
