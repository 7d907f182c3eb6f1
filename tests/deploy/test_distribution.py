"""What is handed on is whole: the source distribution, and what a package index shows of it."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Of the repository alone.
LEFT_OUT = {".gitignore"}
BUILD = "import sys; from setuptools import build_meta; build_meta.{}(sys.argv[1])"


def tracked() -> list[str]:
    """The files of the project."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def build(what: str, source: Path, target: Path) -> Path:
    """Run setuptools' own backend, as pip does; the file it made."""
    target.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", BUILD.format(what), target],
        cwd=source, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (made,) = target.iterdir()
    return made


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    needed = re.search(r'"setuptools>=(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert needed
    if int(version("setuptools").partition(".")[0]) < int(needed[1]):
        pytest.skip(f"setuptools is older than {needed[1]}, which builds")
    folder = tmp_path_factory.mktemp("distribution")
    for name in tracked():
        (folder / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "copy" / name)
    packed = build("build_sdist", folder / "copy", folder / "dist")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / packed.name.removesuffix(".tar.gz")


@pytest.mark.slow
def test_the_source_distribution_has_every_file(sources: Path):
    """So that it can be tested, and a wheel and the image built, from it alone."""
    held = {path.relative_to(sources).as_posix() for path in sources.rglob("*") if path.is_file()}

    assert set(tracked()) - held == LEFT_OUT
    assert not [name for name in held if "__pycache__" in name]


@pytest.mark.slow
def test_a_wheel_is_made_from_it(sources: Path, tmp_path: Path):
    """With the licence, and a page for a package index whose pictures and links lead somewhere."""
    wheel = zipfile.ZipFile(build("build_wheel", sources, tmp_path / "wheel"))
    names = wheel.namelist()
    (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
    about = message_from_bytes(wheel.read(metadata))
    page = about.get_payload()

    assert [name for name in names if name.endswith("/licenses/LICENSE")]
    assert (about["License-Expression"], about["License-File"]) == ("MIT", "LICENSE")
    assert about["Description-Content-Type"] == "text/markdown"
    assert isinstance(page, str)
    assert page.startswith("# recommender")
    targets = re.findall(r"\]\(([^)\s]+)\)", page)
    assert len(targets) > 10
    assert [target for target in targets if not re.match(r"https?://|#", target)] == []
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    assert f"]({urls['Source']}/raw/main/benchmarks/before-after.png)" in page


def test_addresses_are_made_whole():
    """Relative ones alone; pictures by the file itself."""
    spec = importlib.util.spec_from_file_location("setup_file", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = "![a](b/c.png) [d](e.md#f) [g](https://h.example) [i](#j) [k](mailto:l@m.example)"

    assert module.with_whole_addresses(text, "https://code.example") == (
        "![a](https://code.example/raw/main/b/c.png) [d](https://code.example/blob/main/e.md#f)"
        " [g](https://h.example) [i](#j) [k](mailto:l@m.example)"
    )
