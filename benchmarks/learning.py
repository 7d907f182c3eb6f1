"""What learning from clicks adds to counting them, with much data and with little, and what each
sort of evidence adds. Real clicks (wikispeedia), learned on the first days, judged on the next.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.corpus import REAL, table
from benchmarks.worlds import LEFT_OUT, patched
from recommender.articles.article import Article
from recommender.articles.reader import read_articles
from recommender.clicks import position_bias
from recommender.clicks.choice_model import Choices
from recommender.events.reader import EventReader
from recommender.progress import Silent
from recommender.ragged import ranks
from recommender.ranking.features import NAMES, counting, features
from recommender.ranking.ranker import LEVELS, NOTHING, OWN, TEXT, Ranker, learn, learn_beyond
from recommender.ranking.time_splits import Splits, splits_of
from recommender.store import counts
from recommender.store.database import Store
from recommender.text import neighbours
from recommender.text.corpus import Corpus, corpus_of
from recommender.training.pipeline import N_NEIGHBOURS, picked_lists, read_text
from recommender.training.work import Work

# Shares of the views at which learning ends and judging ends: what is reported, what is tuned on.
REPORTED, TUNED = (0.8, 1.0), (0.64, 0.8)
K = 10
FEW = 5
# A short log has every tenth session.
SHORT = 10
UNKNOWN = position_bias.unidentified("the log has no positions")
CLICKS: dict[str, tuple[str, ...]] = {
    "kinds": ("kinds", "categories"),
    "target": ("strength", "target_clicks", "target_expected"),
    "pair": OWN,
    "listed": ("times_listed", "list_length", "listed_back"),
    "read": ("co_read", "co_read_cosine", "readers_alike"),
}
# What is of no other family is of the first: only the sum of the levels, which are fitted without
# what is left out, always stays.
FAMILIES = {
    "text": tuple({*NAMES} - {"score", *(name for of in CLICKS.values() for name in of)}),
    **CLICKS,
}
CALLED = {
    "text": "text, titles, categories, tags",
    "kinds": "clicks of kinds and categories",
    "target": "the target's record",
    "pair": "the pair's own clicks",
    "listed": "what is listed together",
    "read": "what is read together",
}


@dataclass(frozen=True, eq=False)
class Case:
    """A log cut in two: ``known`` is learned from, ``judged`` holds the choices that follow."""

    articles: Sequence[Article]
    site: Corpus
    known: Splits
    judged: Choices

    def ndcg(self, score: np.ndarray, links: np.ndarray | None = None) -> float:
        """nDCG@10 per click if the slates judged were ordered by ``score`` of their rows."""
        now = self.judged
        rank = ranks(now.slate, score[now.row])
        gain = np.where(rank <= K, 1 / np.log2(1 + rank), 0.0)
        clicks = now.clicks * (True if links is None else links)
        return float((clicks * gain).sum() / max(clicks.sum(), 1))

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Source and item of every row judged."""
        pairs = self.known.pairs
        return pairs.source[self.judged.pair], pairs.item[self.judged.pair].astype(np.int64)


def run() -> None:
    """Print how orders compare, and the ablation."""
    folder = REAL / "wikispeedia"
    if not folder.is_dir():
        print(f"No real data at {REAL}: set BENCH_DATA to measure on it.")
        return
    for name, keep in (("all sessions", 1), ("a tenth of the sessions", SHORT)):
        compared(name, case(folder, REPORTED, keep))
    ablation(case(folder, TUNED, SHORT))


def case(folder: Path, shares: tuple[float, float], keep: int) -> Case:
    """The log learned from up to the first of ``shares``, of every ``keep``-th session alone."""
    with gzip.open(folder / "events.jsonl.gz", "rt", encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    starts = sorted(event["ts"] for event in events if event["type"] == "impression")
    cut, end = (starts[min(int(share * len(starts)), len(starts) - 1)] for share in shares)
    session = {event["view_id"]: event["session_id"] for event in events if "session_id" in event}

    def kept(event: dict[str, Any]) -> bool:
        name = session[event["view_id"]].encode()
        return event["ts"] >= cut or int(hashlib.sha256(name).hexdigest(), 16) % keep == 0

    with TemporaryDirectory() as scratch, Store(f"sqlite:///{scratch}/store.db") as store:
        path = Path(scratch) / "events.jsonl"
        path.write_text("".join(json.dumps(event) + "\n" for event in filter(kept, events)))
        store.apply(read_articles([folder / "articles.jsonl.gz"]))
        store.add_events(EventReader([path]))
        articles = store.articles()
        ids = [article.id for article in articles]
        log = counts.count(store, ids, until=_ms(end) + 1)
        before = counts.count(store, ids, until=_ms(cut))
    text = read_text(articles, Work(jobs=1), progress=Silent())
    items, cosines = neighbours.neighbours(text, k=N_NEIGHBOURS)
    site = corpus_of(articles, text, picked_lists(articles, ids), items, cosines)
    whole = splits_of(site, None, log, UNKNOWN)
    last = int(before.view_day.max()) + 1
    known = log.between(0, last)
    judged = whole.split(last, int(log.view_day.max()) + 1).now
    return Case(articles, site, splits_of(site, None, known, UNKNOWN), judged)


def compared(name: str, case: Case) -> None:
    """Orders by text, by counting, by each level with those above it and as learned; over all, and
    where a source had few clicks.
    """
    start = time.perf_counter()
    learned = learn(case.site, case.known.log, UNKNOWN, seed=0)
    seconds = time.perf_counter() - start
    ranker, history = learned.ranker, learned.history
    if ranker is None:
        print(f"{name}: {learned.reason}")
        return
    sources, items = case.pairs()
    seen = features(case.site, None, history, sources, items)
    on_source = np.bincount(
        history.pairs.source, weights=history.clicks.clicked, minlength=case.site.n_articles
    )
    few = (on_source[sources] < FEW)[case.judged.row]
    orders = {"text": seen[:, TEXT], "counting": counting(history, sources, items)}
    total = np.zeros(len(seen))
    for level in LEVELS:
        total = total + seen[:, NAMES.index(level)]
        orders[f"levels to {level}"] = total
    orders["learned"] = ranker.predict(seen)
    rows = [
        (order, *(f"{case.ndcg(score, links):.4f}" for links in (None, few, ~few)))
        for order, score in orders.items()
    ]
    print(f"\nwikispeedia, {name}: {learned.n_clicks:,} clicks, learned in {seconds:.0f} s")
    print(f"{learned.reason}; beyond the levels: {'no' if ranker.beyond is NOTHING else 'yes'}\n")
    table(("order, nDCG@10", "all", f"source clicked on < {FEW} times", "more"), rows)


def ablation(case: Case) -> None:
    """Each family of evidence left out, and each alone, on days the figures are not reported on:
    on a short log, where it matters most.
    """
    everything = _known_by(case, FAMILIES)
    print(f"\nEverything: {everything:.4f}\n")
    rows = (
        (
            CALLED[family],
            f"{everything - _known_by(case, FAMILIES.keys() - {family}):+.4f}",
            f"{_known_by(case, {family}):.4f}",
        )
        for family in FAMILIES
    )
    table(("evidence", "lost without it", "alone"), rows)


def _known_by(case: Case, kept: Collection[str]) -> float:
    """nDCG@10 as learned from some families of evidence."""
    gone = [NAMES.index(name) for of in FAMILIES.keys() - kept for name in FAMILIES[of]]
    with ExitStack() as stack:
        for level in LEFT_OUT.keys() - kept:
            stack.enter_context(patched(LEFT_OUT[level]))
        splits = [case.known.split(first, last) for first, last in pairwise(case.known.days)]
        for split in splits:
            for name in ("seen", "as_new"):
                split.__dict__[name] = _without(getattr(split, name), gone)
        history = case.known.everything().history
        seen = _without(features(case.site, None, history, *case.pairs()), gone)
        beyond = learn_beyond(splits, seed=0)
    return case.ndcg(Ranker(beyond, history, None).predict(seen))


def _without(seen: np.ndarray, gone: Sequence[int]) -> np.ndarray:
    hidden = seen.copy()
    hidden[:, gone] = 0
    return hidden


def _ms(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
