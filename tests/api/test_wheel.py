"""What is installed from a wheel serves, in a folder whose own files have our names."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from asking import articles

from recommender.articles.batch import Batch
from recommender.store.database import Store

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
# The folder `api` is imported under another name, and the notebooks come with the package.
PACKAGES = {
    "recommender": "recommender",
    "api": "recommender_api",
    "notebooks": "recommender/notebooks/originals",
}
START = """
import sys
import recommender_api
from recommender.cli.main import main
print("started from", recommender_api.__file__)
sys.exit(main())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, since building leaves files behind."""
    needed = re.search(r'"setuptools>=(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert needed
    if int(version("setuptools").partition(".")[0]) < int(needed[1]):
        pytest.skip(f"setuptools is older than {needed[1]}, which builds the wheel")
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip("wheel", "--no-build-isolation", "--wheel-dir", built, source)
    (found,) = built.glob("recommender-*.whl")
    return found


def pip(command: str, *arguments: object) -> None:
    """Run pip without a network."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", command, "--no-deps", "--no-index", *map(str, arguments)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_is_in_the_wheel(wheel: Path):
    """Every module and whatever stands beside them: scripts, styles, templates, pages, marks."""
    sources = {
        f"{package}/{path.relative_to(ROOT / name).as_posix()}"
        for name, package in PACKAGES.items()
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }

    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert held == sources
    assert {f"{PACKAGES[name]}/py.typed" for name in ("recommender", "api")} <= held
    assert "recommender_api/static/widget.js" in held


def ask(port: int, path: str) -> Any:
    """The JSON of an answer, or None while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return json.load(answer)
    except (urllib.error.URLError, ConnectionError):
        return None


def test_a_server_starts_from_the_wheel_beside_an_api_of_the_sites_own(wheel: Path, tmp_path: Path):
    """Started where the site's own modules are found first; it answers from the store there."""
    installed, site = tmp_path / "installed", tmp_path / "site"
    site.mkdir()
    pip("install", "--target", installed, wheel)
    for name in ("api", "serve", "app", "demo"):
        (site / f"{name}.py").write_text("raise SystemExit('this is the site, not the server')\n")
    batch = Batch()
    for article in articles():
        batch.add(article, article.id)
    with Store(f"sqlite:///{site / 'recommender.db'}") as store:
        store.apply(batch)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if "RECOMMENDER" not in name}
    environment["PYTHONPATH"] = str(installed)
    server = subprocess.Popen(
        [sys.executable, "-c", START, "serve", "--port", str(port)],
        cwd=site, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while ask(port, "/health/live") is None and time.monotonic() < deadline:
            assert server.poll() is None, server.communicate()[0]
            time.sleep(0.1)
        answer = ask(port, "/v1/related?id=knee-1")
    finally:
        server.terminate()
        log = server.communicate(timeout=30)[0]

    assert answer is not None, log
    assert (answer["article_id"], len(answer["items"])) == ("knee-1", 10)
    assert server.returncode == 0, log
    assert f"started from {installed}" in log
