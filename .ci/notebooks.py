"""Run the notebooks on the sample site and store them with what they show.

    .venv/bin/python .ci/notebooks.py

Every run of the same code stores the same bytes: what an output shows in several forms is kept in
the one that code hosts show, and cells have neither numbers drawn at random nor times.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
# The first of these that an output has is what is kept of it.
FORMS = ("image/svg+xml", "text/markdown", "text/html", "text/plain")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def run(source: Path, folder: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs that it has in ``folder``."""
    book = nbformat.read(source, as_version=4)
    NotebookClient(book, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    return tidied(book)


def tidied(book: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """As it is stored."""
    book.metadata = METADATA
    for number, cell in enumerate(book.cells, start=1):
        cell.metadata, cell.id = {}, f"cell-{number}"
        for output in cell.get("outputs", []):
            if data := output.get("data"):
                form = next((form for form in FORMS if form in data), None)
                output["data"] = {form: data[form]} if form else data
            if "metadata" in output:
                output["metadata"] = {}
    return book


def main(names: list[str]) -> None:
    """Those that are named by their number, or all."""
    # A site that the environment names is not the sample.
    for name in [name for name in os.environ if name.startswith("RECOMMENDER_")]:
        del os.environ[name]
    with TemporaryDirectory() as folder:
        for source in sorted(FOLDER.glob("[0-9]-*.ipynb")):
            if not names or source.name[0] in names:
                print(source.name, flush=True)
                nbformat.write(run(source, Path(folder)), source)


if __name__ == "__main__":
    main(sys.argv[1:])
