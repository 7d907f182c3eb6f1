"""What is left out of the core is asked for by name, before any work is done."""

import importlib.metadata
import importlib.util
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import recommender
from recommender import functions
from recommender.cli.main import main
from recommender.errors import MissingExtra

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Each takes more than 80 MB, and serving, importing, training and exporting do without.
OPTIONAL = {"numba", "pandas", "pyarrow", "lxml", "jupyterlab"}


def test_what_is_heavy_and_optional_is_no_part_of_the_core():
    """Nor comes with what is, one step down."""
    core = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    below = {
        canonicalize_name(need.name)
        for name in core
        for need in map(Requirement, importlib.metadata.requires(name) or ())
        if need.marker is None
    }

    assert not (core | below) & OPTIONAL


def test_all_has_every_extra():
    """But what tests and benchmarks alone need, and clusters and object stores, which are large."""
    extras = PROJECT["optional-dependencies"]
    (everything,) = (Requirement(text) for text in extras["all"])

    assert everything.extras == set(extras) - {
        "all", "test", "test-cluster", "peers", "cluster", "objects",
    }  # fmt: skip


@pytest.fixture
def no_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were not installed."""
    found = importlib.util.find_spec

    def hidden(name: str, package: str | None = None) -> object:
        return None if name == "pandas" else found(name, package)

    monkeypatch.setattr(functions, "find_spec", hidden)


@pytest.mark.usefixtures("no_pandas")
def test_data_frames_are_asked_for_by_name():
    """By whoever judges, in Python too; whatever was given."""
    with pytest.raises(MissingExtra, match=r"pip install '\.\[analysis\]'"):
        recommender.connect()
    with pytest.raises(MissingExtra, match="comparing lists needs an optional part"):
        recommender.compare("live", "hand-picked")


@pytest.mark.slow
@pytest.mark.usefixtures("no_pandas")
@pytest.mark.parametrize("command", ["audit", "evaluate", "compare live hand-picked"])
def test_a_command_says_which_extra_it_takes(
    command: str, sample: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """In one line."""
    monkeypatch.setenv("RECOMMENDER_DATABASE", f"sqlite:///{sample / 'site.db'}")
    monkeypatch.setenv("RECOMMENDER_MODELS", str(sample / "models"))

    assert main(command.split()) == 1

    said = capsys.readouterr().err
    assert "pip install '.[analysis]'" in said
    assert "Traceback" not in said
