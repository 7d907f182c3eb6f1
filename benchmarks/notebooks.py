"""Every notebook on sites of full size, with the seconds each takes: clicks without hand-picked
lists and positions (Wikispeedia, 4,604 pages and 195,064 views) and no click at all (MedQuAD,
16,407 pages). ``FULL=1`` takes these; without it the sample site alone is looked at.

Each site is imported and trained as ``recommender`` does it, and named by its ``recommender.toml``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient

from benchmarks.corpus import REAL, table
from recommender.articles.reader import read_articles
from recommender.config import FILE, PREFIX
from recommender.events.reader import EventReader
from recommender.notebooks.files import sources
from recommender.store.database import Store
from recommender.training.pipeline import build

SITES = ("wikispeedia", "medquad")
LIMIT_SECONDS = 60


def run() -> None:
    """Print the table; a notebook that fails ends it, one that takes longer is marked."""
    rows = (row for name, folder in _sites() for row in _rows(name, folder))
    table(("site", "notebook", "seconds", ""), rows)


def _sites() -> Iterator[tuple[str, Path]]:
    """Folders with a site each; where nothing names one, notebooks make the sample."""
    with TemporaryDirectory() as folder:
        yield "sample", Path(folder)
    if not os.environ.get("FULL"):
        print("FULL=1 looks at sites of full size.")
        return
    for name in SITES:
        data = REAL / name
        if not data.is_dir():
            print(f"No {name} at {REAL}: set BENCH_DATA to look at it.")
            continue
        with TemporaryDirectory() as folder:
            _make(Path(folder), data)
            yield name, Path(folder)


def _make(folder: Path, data: Path) -> None:
    """A store with the articles and events, a bundle, and settings that name them."""
    with Store(f"sqlite:///{folder / 'recommender.db'}") as store:
        store.apply(read_articles([data / "articles.jsonl.gz"]))
        if (events := data / "events.jsonl.gz").exists():
            store.add_events(EventReader([events]))
        build(store, folder / "models", now=datetime.now(UTC))
    (folder / FILE).write_text('models = "models"\n', encoding="utf-8")


def _rows(name: str, folder: Path) -> Iterator[tuple[str, ...]]:
    """A row a notebook; ``CellExecutionError`` if a cell fails."""
    # Where the environment names a site, that is looked at.
    for setting in [each for each in os.environ if each.startswith(PREFIX)]:
        del os.environ[setting]
    for source in sources():
        book = nbformat.read(source, as_version=4)
        start = time.perf_counter()
        where = {"metadata": {"path": str(folder)}}
        NotebookClient(book, timeout=600, resources=where).execute()
        seconds = time.perf_counter() - start
        late = "with the making of the site" if name == "sample" and source.stem[0] == "1" else ""
        if not late and seconds > LIMIT_SECONDS:
            late = f"more than {LIMIT_SECONDS} s"
        yield name, source.stem, f"{seconds:.0f}", late
