"""What is installed is written down, version by version, with the licence of each."""

import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PINNED = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
LICENCES = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")


def test_every_dependency_is_pinned_to_a_version_that_will_do():
    """Those of all extras; what these need in turn was installed with them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    needed = [need for need in map(Requirement, texts) if need.name != "recommender"]

    missing = [need.name for need in needed if canonicalize_name(need.name) not in PINNED]
    unfit = [
        str(need)
        for need in needed
        if not need.specifier.contains(PINNED.get(canonicalize_name(need.name), "0"))
    ]

    assert (missing, unfit) == ([], [])


def test_pins_name_versions_and_no_place():
    """They hold for whatever index a machine installs from."""
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in PINNED)
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in PINNED.values())


def test_every_pinned_package_has_its_licence_listed():
    """At that version, and no other stands there; what is not permissive stands above the table."""
    rows = re.findall(r"^\| ([a-z0-9-]+) \| (\d\S*) \| (.+?) \| ", LICENCES, re.MULTILINE)
    head = LICENCES.partition("| package")[0]
    copyleft = {name for name, _, licence in rows if re.search("GPL|MPL|not stated", licence)}

    assert {name: version for name, version, _ in rows} == PINNED
    assert set(re.findall(r"`([a-z0-9-]+)` \(", head)) == copyleft
    assert "psycopg" in copyleft


def test_everything_is_installed_by_the_pins():
    """By both commands of the README, and so by CI, which runs one of them. The tool that shortens
    the widget is needed by nobody who does not change it, and has its version beside it.
    """
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    installs = [line for line in makefile.splitlines() if "pip install" in line]

    assert len(installs) == 4
    assert sum("--constraint constraints.txt" in line for line in installs) == 3
    assert all("--constraint" in line or re.search(r'"[\w-]+==[\d.]+"', line) for line in installs)
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_both_files_are_what_the_script_writes(tmp_path: Path):
    """Where the very same packages are installed."""
    if any(name not in installed() or installed()[name] != PINNED[name] for name in PINNED):
        pytest.skip("other versions are installed here")
    (tmp_path / ".ci").mkdir()
    (tmp_path / "docs").mkdir()
    script = (ROOT / ".ci" / "dependencies.py").read_text(encoding="utf-8")
    (tmp_path / ".ci" / "dependencies.py").write_text(script, encoding="utf-8")

    subprocess.run([sys.executable, tmp_path / ".ci" / "dependencies.py"], check=True)

    rows = (tmp_path / "docs" / "licences.md").read_text(encoding="utf-8").splitlines()
    assert set(LICENCES.splitlines()[8:]) <= set(rows)


def installed() -> dict[str, str]:
    """The packages beside this Python, by name."""
    from importlib.metadata import distributions

    return {canonicalize_name(each.metadata["Name"]): each.version for each in distributions()}
