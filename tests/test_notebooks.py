"""Notebooks run from top to bottom on any site; stored is what they show of the sample."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import nbformat
import pytest
from sites import NOW, random_articles, random_events, stored

from recommender.config import FILE
from recommender.store.database import Store
from recommender.training.pipeline import Options, build

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# In a process of its own: the kernel's event loop is none of pytest's business. One kernel for all:
# what takes time is to load the library, not to look at a small site.
EXECUTE = """
import os, sys, nbformat
from pathlib import Path
from jupyter_client import KernelManager
from nbclient import NotebookClient
os.environ["PYTHONWARNINGS"] = "error::FutureWarning,error::RuntimeWarning"
kernel = KernelManager(kernel_name="python3")
try:
    for source, folder, target in zip(sys.argv[1::3], sys.argv[2::3], sys.argv[3::3]):
        print(source, folder, file=sys.stderr)
        book = nbformat.read(source, as_version=4)
        begin = nbformat.v4.new_code_cell(f"%reset -f\\nimport os\\nos.chdir({folder!r})")
        book.cells.insert(0, begin)
        NotebookClient(book, km=kernel, timeout=300).execute()
        del book.cells[0]
        nbformat.write(book, target)
finally:
    if kernel.has_kernel:
        kernel.shutdown_kernel(now=True)
"""


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def kinds(path: Path) -> list[list[str]]:
    """What each cell shows: pictures, tables, texts; the form that is stored of each."""
    forms = ("image/svg+xml", "text/markdown", "text/html", "text/plain")
    return [
        [
            next((form for form in forms if form in output.get("data", {})), output.output_type)
            for output in cell.outputs
        ]
        for cell in code(path)
    ]


def shown(path: Path) -> str:
    """All that the cells show, as one text."""
    texts = []
    for output in (output for cell in code(path) for output in cell.outputs):
        data = output.get("data", {})
        texts += [*data.values()] if data else [json.dumps(output)]
    return "\n".join(texts)


def small_site(folder: Path, *, with_clicks: bool) -> None:
    """Pages without hand-picked lists and, if anything, clicks on lists whose order is not known,
    with the bundles that training makes by itself; the settings are in a file.
    """
    articles = [replace(page, recommended=()) for page in random_articles(40, seed=3)]
    events = list(random_events(articles, seed=3, n=1200)) if with_clicks else []
    # A view has positions; without them it is as an import of lists in no order.
    events = [
        event._replace(ordered=False) if hasattr(event, "shown") else event for event in events
    ]
    with stored(Store(f"sqlite:///{folder / 'site.db'}"), articles, events) as store:
        if with_clicks:
            build(store, folder / "bundles", now=NOW - timedelta(days=1), options=Options(until=1))
        build(store, folder / "bundles", now=NOW)
    settings = 'database = "sqlite:///site.db"\nmodels = "bundles"\n'
    (folder / FILE).write_text(settings, encoding="utf-8")
    # A notebook need not stand beside the settings.
    (folder / "analysis").mkdir()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """Every notebook by the site and its number, run: on the sample, whose folder is empty at
    first; on clicks without lists and positions; and on pages without a click.
    """
    base = tmp_path_factory.mktemp("notebooks")
    folders = {"sample": base / "sample", "clicks": base / "clicks", "texts": base / "texts"}
    for name, folder in folders.items():
        folder.mkdir()
        if name != "sample":
            small_site(folder, with_clicks=name == "clicks")
            folders[name] = folder / "analysis"
    found = {
        (name, path.stem[0]): folder / path.name
        for name, folder in folders.items()
        for path in NOTEBOOKS
    }
    words = [
        str(each)
        for (_, number), target in found.items()
        for each in (next(FOLDER.glob(f"{number}-*")), target.parent, target)
    ]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("RECOMMENDER_")
    }

    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, *words], capture_output=True, text=True, env=environment
    )

    assert done.returncode == 0, done.stderr[-3000:]
    return found


def test_there_are_notebooks():
    """An empty folder would pass every other test here."""
    assert [path.stem[0] for path in NOTEBOOKS] == ["1", "2", "3", "4", "5"]


@pytest.mark.slow
def test_on_the_sample_they_show_what_they_showed_when_they_were_stored(
    ran: dict[tuple[str, str], Path],
):
    """Cell by cell, in the same forms."""
    of_sample = [ran["sample", path.stem[0]] for path in NOTEBOOKS]

    assert [kinds(path) for path in of_sample] == [kinds(path) for path in NOTEBOOKS]


@pytest.mark.slow
@pytest.mark.parametrize("site", ["clicks", "texts"])
def test_on_other_sites_they_say_what_is_lacking_and_go_on(
    site: str, ran: dict[tuple[str, str], Path]
):
    """No cell fails, warns, or shows a figure that is none."""
    books = {number: shown(path) for (name, number), path in ran.items() if name == site}

    assert not [n for n, text in books.items() if "stderr" in text or "nan" in text.lower().split()]
    assert not [n for n, text in books.items() if "nan %" in text or "NaN" in text]
    assert "No page has a hand-picked list" in books["1"]
    assert "No list was picked by hand" in books["2"]
    assert "How strong position is cannot be known here" in books["3"]
    assert "no view has come since it was learned" in books["4"]
    assert "recommender experiment start autumn" in books["5"]
    lacking = {
        "clicks": ("does not know at which position", "`ordered` is false", "measured instead"),
        "texts": ("has been logged", "has been logged", "Nothing was measured offline"),
    }[site]
    assert [phrase in books[number] for number, phrase in zip("134", lacking, strict=True)] == [
        True
    ] * 3


@pytest.mark.slow
def test_the_experiment_of_the_sample_has_an_answer(ran: dict[tuple[str, str], Path]):
    """It is planted: readers of the sample like the bundle's lists more than the editors'."""
    book = shown(ran["sample", "5"])

    assert "**new wins " in book
    assert "Experiment `autumn`" in book


@pytest.mark.slow
def test_a_bundle_is_compared_with_the_one_before_it(ran: dict[tuple[str, str], Path]):
    """Where there is one; else with lists that need none."""
    assert "the bundle before" in shown(ran["clicks", "4"])
    assert "Compared with the nearest texts" in shown(ran["texts", "4"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_with_its_outputs_and_without_warnings(path: Path):
    """It reads well on a code host: results there, no traceback, nothing on stderr."""
    cells = code(path)
    outputs = [output for cell in cells for output in cell.outputs]

    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any("text/markdown" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    # A picture or a table, in the one form that is shown, is no great thing to store.
    assert {len(output.get("data", {})) for output in outputs} == {1}
    assert path.stat().st_size < 80_000


def test_the_first_cell_is_the_same_in_all_and_alone_names_the_site():
    """What is changed for another site is changed there, or in the settings."""
    first = [code(path)[0].source for path in NOTEBOOKS]
    everything = [cell.source for path in NOTEBOOKS for cell in code(path)[1:]]

    assert len(set(first)) == 1
    assert {f'{name} = ""' in first[0] for name in ("database", "models", "events")} == {True}
    assert not [source for source in everything if "sqlite" in source or "sample_site" in source]


def test_what_is_known_of_the_sample_alone_is_asked_of_the_sample_alone():
    """Its simulated readers have a taste that real ones do not tell."""
    for source in (cell.source for path in NOTEBOOKS for cell in code(path)):
        if "recommender.demo" in source:
            assert source.startswith("if here.is_sample")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_defines_nothing_that_could_be_used_again(path: Path):
    """That belongs to the library."""
    source = "\n".join(cell.source for cell in code(path))
    defined = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

    assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, defined)]
