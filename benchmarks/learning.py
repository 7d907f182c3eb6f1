"""What learning from clicks adds to counting them, with much data and with little, and what each
sort of evidence adds. Real clicks (wikispeedia), learned on the first days, judged on the next.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.corpus import REAL, table
from recommender.articles.article import Article
from recommender.articles.reader import read_articles
from recommender.clicks import position_bias
from recommender.events.reader import EventReader
from recommender.progress import Silent
from recommender.ragged import ranks
from recommender.ranking.features import FEATURES, NAMES, PRIOR_CHOICES, features
from recommender.ranking.logit import Choices
from recommender.ranking.ranker import OWN, learn, learn_pairs
from recommender.ranking.time_splits import Split, Splits, splits_of
from recommender.store import counts
from recommender.store.database import Store
from recommender.text import neighbours
from recommender.text.corpus import Corpus, corpus_of
from recommender.training.pipeline import N_NEIGHBOURS, picked_lists, read_text

# Shares of the views at which learning ends and judging ends: what is reported, what is tuned on.
REPORTED, TUNED = (0.8, 1.0), (0.64, 0.8)
K = 10
FEW = 5
ABLATION_ROUNDS = 4
CLICKS: dict[str, tuple[str, ...]] = {
    "what is listed together": ("times_listed", "list_length", "listed_back"),
    "the target's record": ("strength", "target_clicks", "target_expected"),
    "the pair's own clicks": OWN,
    "what is read together": ("co_read", "co_read_cosine", "readers_alike"),
    "categories' clicks": ("category_pair", "category_to_target", "source_to_category"),
}
# What is of no other family is of the first: no feature is left out.
FAMILIES = {
    "text, titles, categories, tags": tuple(
        FEATURES.keys() - {name for of in CLICKS.values() for name in of}
    ),
    **CLICKS,
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
    for name, keep in (("all sessions", 1), ("a tenth of the sessions", 10)):
        compared(name, case(folder, REPORTED, keep))
    ablation(case(folder, TUNED, 1))


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
    text = read_text(articles, jobs=1, progress=Silent())
    items, cosines = neighbours.neighbours(text, k=N_NEIGHBOURS)
    site = corpus_of(articles, text, picked_lists(articles, ids), items, cosines)
    whole = splits_of(site, None, log, position_bias.unidentified("the log has no positions"))
    last = int(before.view_day.max()) + 1
    known = log.between(0, last)
    judged = whole.split(last, int(log.view_day.max()) + 1).now
    cut_short = splits_of(site, None, known, position_bias.estimate(known, seed=0))
    return Case(articles, site, cut_short, judged)


def compared(name: str, case: Case) -> None:
    """Orders by text, by counting and as learned; over all, and where a source had few views."""
    start = time.perf_counter()
    learned = learn(
        case.site, case.known.log, position_bias.unidentified("the log has no positions"), seed=0
    )
    seconds = time.perf_counter() - start
    ranker = learned.ranker
    if ranker is None:
        print(f"{name}: {learned.reason}")
        return
    sources, items = case.pairs()
    clicks, pair = ranker.history.clicks, ranker.history.pairs.find(sources, items)
    seen = features(case.site, None, ranker.history, sources, items)
    on_source = np.bincount(
        ranker.history.pairs.source, weights=clicks.clicked, minlength=case.site.n_articles
    )
    of_source = on_source[sources][case.judged.row]
    strength = np.log(clicks.strength[items])
    orders = {
        "text": seen[:, NAMES.index("text")].astype(float),
        "text and the pair's own clicks": ranker.text.predict(seen, ranker.history, pair),
        "strength of the target": strength,
        "counting": strength + clicks.lift(pair, PRIOR_CHOICES),
        "learned": ranker.predict(seen, pair),
    }
    if ranker.pairs is not None:
        orders["learned, before trees"] = ranker.pairs.posterior.predict(seen, ranker.history, pair)
    rows = [
        (order, f"{case.ndcg(score):.4f}", f"{case.ndcg(score, of_source < FEW):.4f}",
         f"{case.ndcg(score, of_source >= FEW):.4f}")
        for order, score in orders.items()
    ]  # fmt: skip
    print(f"\nwikispeedia, {name}: {learned.n_clicks:,} clicks, learned in {seconds:.0f} s\n")
    table(("order, nDCG@10", "all", f"source seen < {FEW} times", "more"), rows)


def ablation(case: Case) -> None:
    """Each family of features left out, and each alone, on days the figures are not reported on."""
    days = case.known.days
    splits = [case.known.split(first, last) for first, last in pairwise(days)]
    last = case.known.everything()
    sources, items = case.pairs()
    as_shown, as_new = (
        features(case.site, None, last.history, sources, items, unseen=unseen)
        for unseen in (False, True)
    )
    pair = last.history.pairs.find(sources, items)

    def ndcg_of(kept: Callable[[str], bool]) -> float:
        gone = [column for column, name in enumerate(NAMES) if not kept(name)]
        blind, held = [_blind(split, gone) for split in splits], _blind(last, gone)
        # Without its own clicks a pair is as good as new.
        if kept(OWN[-1]):
            model = learn_pairs(blind, rounds=(ABLATION_ROUNDS, 0), seed=0)(held)
            return case.ndcg(model.predict(_without(as_shown, gone), last.history, pair))
        model = learn_pairs(blind, rounds=(0, ABLATION_ROUNDS), seed=0)(held)
        return case.ndcg(model.predict_new(_without(as_new, gone)))

    everything = ndcg_of(lambda name: True)
    rows = []
    for family, names in FAMILIES.items():
        without = ndcg_of(lambda name, names=names: name not in names)  # type: ignore[misc]
        alone = ndcg_of(lambda name, names=names: name in names)  # type: ignore[misc]
        rows.append((family, f"{everything - without:+.4f}", f"{alone:.4f}"))
    print(f"\nEverything, {ABLATION_ROUNDS} rounds of trees: {everything:.4f}\n")
    table(("evidence", "lost without it", "alone"), rows)


def _blind(split: Split, gone: Sequence[int]) -> Split:
    """The split with some features hidden."""
    blind = Split(split.corpus, split.handpicked, split.history, split.past, split.now)
    for name in ("seen", "as_new", "before"):
        blind.__dict__[name] = _without(getattr(split, name), gone)
    return blind


def _without(seen: np.ndarray, gone: Sequence[int]) -> np.ndarray:
    hidden = seen.copy()
    hidden[:, gone] = 0
    return hidden


def _ms(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
