"""How good the lists are: simulated readers whose taste is known, and real data where it is."""

from __future__ import annotations

import gzip
import json
import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.corpus import REAL, table
from recommender.articles.reader import read_articles
from recommender.bundle.bundle import Bundle
from recommender.demo import prepare
from recommender.events.reader import EventReader
from recommender.functions import evaluate
from recommender.store.database import Store
from recommender.training.pipeline import Options, build

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TRAINED_SHARE = 0.8
# One list in so many is set aside.
N_PARTS = 5


def run() -> None:
    """Print a table for each site there is."""
    with TemporaryDirectory() as folder:
        prepare.prepare(Path(folder) / "demo", now=NOW)
    if not REAL.is_dir():
        print(f"\nNo real data at {REAL}: set BENCH_DATA to measure on it.")
        return
    wikispeedia(REAL / "wikispeedia")
    picked(REAL / "va")
    msdocs(REAL / "msdocs")


def wikispeedia(folder: Path) -> None:
    """Real clicks: learn from the first four fifths of the views, judge the rest."""
    events = _records(folder / "events.jsonl.gz")
    starts = sorted(event["ts"] for event in events if event["type"] == "impression")
    cut = starts[int(TRAINED_SHARE * len(starts))]
    with TemporaryDirectory() as scratch, Store(f"sqlite:///{scratch}/store.db") as store:
        store.apply(read_articles([folder / "articles.jsonl.gz"]))
        store.add_events(EventReader([folder / "events.jsonl.gz"]))
        until = int(datetime.fromisoformat(cut).timestamp() * 1000)
        start = time.perf_counter()
        bundle = build(store, Path(scratch), now=NOW, options=Options(until=until))
        seconds = time.perf_counter() - start
        report = evaluate(bundle, store)
    print(f"\nwikispeedia, views from {cut} on; trained in {seconds:.0f} s. {report.verdict}\n")
    names = ("AUC", "MRR", "nDCG@5", "nDCG@10")
    rows = [
        (str(order), *(f"{row[name]:.4f}" for name in names))
        for order, row in report.table.iterrows()
    ]
    table(("order of the links shown", *names), rows)


def picked(folder: Path) -> None:
    """Editors' lists as the truth, without knowing any."""
    start = time.perf_counter()
    found = found_of_picked(folder)
    print(
        f"{folder.name}: nDCG@10 of the final lists {found.mean():.4f} over {len(found):,} pages; "
        f"{time.perf_counter() - start:.0f} s"
    )


def found_of_picked(folder: Path) -> np.ndarray:
    """nDCG@10 of the final lists of pages with three picked links or more, ``(n_pages,)``, made
    without knowing any list.
    """
    records = _records(folder / "articles.jsonl.gz")
    truth = {record["id"]: set(record.pop("recommended", ())) for record in records}
    with TemporaryDirectory() as scratch, Store(f"sqlite:///{scratch}/store.db") as store:
        path = Path(scratch) / "articles.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        store.apply(read_articles([path]))
        bundle = build(store, Path(scratch) / "models", now=NOW)
        values = [
            _ndcg(bundle, id, {link for link in wanted if link in truth and link != id})
            for id, wanted in truth.items()
        ]
    return np.array([value for value in values if value is not None])


def msdocs(folder: Path) -> None:
    """Editors' lists as teachers: a fifth of the lists set aside, final lists of those of their
    pages with three links or more, made by text alone and learned from the other lists.
    """
    records = _records(folder / "articles.jsonl.gz")
    known = {record["id"] for record in records}
    truth = {record["id"]: set(record.get("recommended", ())) & known for record in records}
    pages = [id for id, wanted in truth.items() if wanted]
    aside = {pages[at] for at in np.random.default_rng(0).permutation(len(pages))[::N_PARTS]}
    for taught in (False, True):
        with TemporaryDirectory() as scratch, Store(f"sqlite:///{scratch}/store.db") as store:
            path = Path(scratch) / "articles.jsonl"
            with path.open("w") as file:
                for record in records:
                    lists = taught and record["id"] not in aside
                    kept = {k: v for k, v in record.items() if lists or k != "recommended"}
                    file.write(json.dumps(kept) + "\n")
            store.apply(read_articles([path]))
            start = time.perf_counter()
            bundle = build(store, Path(scratch) / "models", now=NOW)
            seconds = time.perf_counter() - start
            values = [_ndcg(bundle, id, truth[id] - {id}) for id in pages if id in aside]
        judged = [value for value in values if value is not None]
        print(
            f"msdocs, {bundle.learned_from or 'text alone'}: nDCG@10 of the final lists "
            f"{np.mean(judged):.4f} over {len(judged):,} pages; built in {seconds:.0f} s, "
            f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB. "
            f"{bundle.about.reason}"
        )


def _records(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _ndcg(bundle: Bundle, id: str, wanted: set[str]) -> float | None:
    if len(wanted) < 3:
        return None
    weights = 1 / np.log2(np.arange(2, 12))
    got = sum(weights[place] for place, link in enumerate(bundle.related(id)) if link.id in wanted)
    return float(got / weights[: min(10, len(wanted))].sum())
