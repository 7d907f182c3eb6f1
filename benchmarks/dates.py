"""What a preference for newer articles costs a site whose articles do not age.

Editors' lists are the truth, text alone decides, and nobody's list is known. Documentation is
looked at as it stood at several dates: what came later is left out of pages, links and neighbours.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpus import REAL, table
from recommender.articles.article import from_record
from recommender.articles.dates import dates_of
from recommender.candidates import EMPTY
from recommender.progress import Silent
from recommender.ranking.handpicked import ndcg, score
from recommender.text import neighbours
from recommender.text.corpus import corpus_of
from recommender.text.freshness import HALF_LIFE_YEARS, LEAST, YEAR, undated_as_median
from recommender.training.pipeline import N_NEIGHBOURS, picked_lists, read_text
from recommender.training.work import Work

# Parts of msdocs of 650 to 3,200 pages each; a plus joins categories of one repository.
PARTS = (
    "cpp-docs/mfc", "cpp-docs/c-runtime-library", "cpp-docs/build", "win32/medfound",
    "win32/direct3d9", "win32/direct3dhlsl", "win32/Controls", "win32/SecCrypto", "win32/shell",
    "windows-driver-docs/network", "windows-driver-docs/audio+stream+image+print",
    "windows-driver-docs/devtest", "VBA-Docs/Reference+Concepts", "win32/WmiSdk", "win32/TermServ",
)  # fmt: skip
MOMENTS = ("2019-01-15", "2019-12-15", "2021-12-15", "2023-12-15", "2026-11-15")
SHAPES = (
    (0.3, 1.0), (0.3, 5.0), (0.3, 10.0), (0.5, 2.0), (0.5, 3.0), (0.5, 5.0), (0.5, 10.0),
    (0.6, 2.0), (0.6, 3.0), (0.6, 5.0), (0.6, 10.0), (0.7, 3.0), (0.7, 5.0), (0.8, 5.0),
)  # fmt: skip
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pages and their candidates: ``sources``, ``items``, the ``score`` by text of each pair and
    whether an editor ``listed`` it, all ``(n_pairs,)``; the ``day`` of each article.
    """

    sources: np.ndarray
    items: np.ndarray
    score: np.ndarray
    listed: np.ndarray
    day: np.ndarray

    def until(self, day: float) -> Pairs:
        """Without what was published after a day."""
        there = ~(self.day > day)
        kept = there[self.sources] & there[self.items]
        pairs = (self.sources, self.items, self.score, self.listed)
        return Pairs(*(part[kept] for part in pairs), self.day)

    def ndcg(self, factor: np.ndarray) -> np.ndarray:
        """nDCG@10 of pages with a listed candidate, ``(n_pages,)``; the ``factor`` of each article
        is ``(n_articles,)``.
        """
        n_listed = np.bincount(self.sources, weights=self.listed, minlength=len(self.day))
        pages = np.flatnonzero(n_listed)
        kept = np.isin(self.sources, pages)
        return ndcg(
            np.searchsorted(pages, self.sources[kept]),
            self.listed[kept],
            (self.score * factor[self.items])[kept],
            n_listed[pages].astype(int),
        )


def run() -> None:
    """Print the table for va and for parts of msdocs."""
    if not REAL.is_dir():
        print(f"No real data at {REAL}: set BENCH_DATA to measure on it.")
        return
    sites = {"va": [pairs_of(_records(REAL / "va"))]}
    sites["msdocs"] = [pairs_of(records) for records in parts(REAL / "msdocs")]
    rows = []
    for shape in SHAPES:
        cells = [f"{moment:+.4f} ± {error:.4f}" for moment, error in gains(sites["msdocs"], *shape)]
        worst = min(gain for gain, _ in gains(sites["va"], *shape))
        name = f"{shape[0]:.1f}, {shape[1]:.0f} years"
        ours = " (ours)" if shape == (LEAST, HALF_LIFE_YEARS) else ""
        rows.append((name + ours, *cells, f"{worst:+.4f}"))
    table(("least factor, half-life", *(day[:7] for day in MOMENTS), "va, worst"), rows)


def gains(parts: list[Pairs], least: float, half_life: float) -> Iterator[tuple[float, float]]:
    """What nDCG@10 gains by the preference at each moment, and its standard error."""
    for moment in MOMENTS:
        now = (date.fromisoformat(moment) - date(1970, 1, 1)).days
        gained = []
        for part in parts:
            there = part.until(now)
            age = np.maximum(now - undated_as_median(part.day), 0) / YEAR
            factor = least + (1 - least) * 2.0 ** (-age / half_life)
            gained.append(there.ndcg(factor) - there.ndcg(np.ones(len(factor))))
        of_all = np.concatenate(gained)
        yield float(of_all.mean()), float(of_all.std() / np.sqrt(len(of_all)))


def pairs_of(records: list[dict[str, Any]]) -> Pairs:
    """Every page with its neighbours by text."""
    articles = [from_record(record, where=record["id"]) for record in records]
    ids = [article.id for article in articles]
    text = read_text(articles, Work(jobs=1), progress=Silent())
    near, cosines = neighbours.neighbours(text, k=N_NEIGHBOURS)
    picked = picked_lists(articles, ids)
    # Without dates, so that the score is that of the text alone.
    corpus = corpus_of(articles, text, picked, near, cosines)
    sources, slots = np.nonzero(near != EMPTY)
    items = near[sources, slots].astype(np.int64)
    listed = np.isin(sources * len(ids) + items, corpus.picked)
    by_text = score(corpus, None, sources, items)
    return Pairs(sources, items, by_text, listed, dates_of(articles, NOW).day)


def parts(folder: Path) -> Iterator[list[dict[str, Any]]]:
    """The records of each of ``PARTS``."""
    by_category: dict[str, list[dict[str, Any]]] = {}
    for record in _records(folder):
        by_category.setdefault(record.get("category") or "", []).append(record)
    for part in PARTS:
        repository, names = part.split("/")
        yield [r for name in names.split("+") for r in by_category[f"{repository}/{name}"]]


def _records(folder: Path) -> list[dict[str, Any]]:
    with gzip.open(folder / "articles.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]
