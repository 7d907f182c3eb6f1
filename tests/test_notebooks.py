"""Notebooks run from top to bottom on the sample site, and were stored with what they show."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# In a process of its own: the kernel's event loop is none of pytest's business.
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
for source, target in zip(sys.argv[1::2], sys.argv[2::2]):
    print(source, file=sys.stderr)
    book = nbformat.read(source, as_version=4)
    NotebookClient(book, timeout=300).execute()
    nbformat.write(book, target)
"""


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def kinds(path: Path) -> list[list[str]]:
    """What each cell shows: pictures, tables, texts."""
    return [
        sorted(kind for output in cell.outputs for kind in output.get("data", {"stream": ""}))
        for cell in code(path)
    ]


def test_there_are_notebooks():
    """An empty folder would pass every other test here."""
    assert [path.stem[0] for path in NOTEBOOKS] == ["1", "2", "3", "4"]


@pytest.mark.slow
def test_they_run(tmp_path: Path):
    """Every cell, in order, in a folder that is empty at first; they show what they showed when
    they were stored. One after the other, because they share the sample site, which takes longer to
    make than to look at.
    """
    pairs = [(path, tmp_path / path.name) for path in NOTEBOOKS]
    names = [str(each) for pair in pairs for each in pair]

    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, *names], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert [kinds(stored) for stored, _ in pairs] == [kinds(run) for _, run in pairs]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_with_its_outputs_and_without_warnings(path: Path):
    """It reads well on a code host: results there, no traceback, nothing on stderr."""
    cells = code(path)
    outputs = [output for cell in cells for output in cell.outputs]

    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any({"image/png", "image/svg+xml"} & output.get("data", {}).keys() for output in outputs)
    assert any("text/markdown" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_one_cell_is_changed_for_another_site(path: Path):
    """The first, which says so; what is true of the sample alone is in cells that say so too."""
    first, *others = [cell.source for cell in code(path)]
    texts = [cell.source for cell in nbformat.read(path, as_version=4).cells]

    assert "# For your own site: database =" in first
    assert not [source for source in others if "prepare" in source or "sample.data" in source]
    for at, source in enumerate(texts):
        if "recommender.demo" in source and source != first:
            assert "leave this cell out" in " ".join(texts[at - 1].split())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_defines_no_classes(path: Path):
    """What could be used again belongs to the library."""
    source = "\n".join(
        line for cell in code(path) for line in cell.source.splitlines() if line[:1] != "%"
    )

    assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
