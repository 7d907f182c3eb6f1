"""What each group of evidence adds to learning from editors' lists: left out, and alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.corpus import REAL, table
from recommender.articles.article import Article
from recommender.articles.reader import read_articles
from recommender.candidates import Candidates
from recommender.progress import Silent
from recommender.ranking.cross_fitting import N_FOLDS
from recommender.ranking.handpicked import candidate_pairs, ndcg, new_trees
from recommender.ranking.handpicked_features import (
    GROUPS,
    NAMES,
    HandpickedLists,
    count_rates,
    features,
    lists_of,
)
from recommender.store.database import Store
from recommender.text import neighbours
from recommender.text.corpus import Corpus, corpus_of
from recommender.training.pipeline import N_NEIGHBOURS, picked_lists, read_text
from recommender.training.work import Work

EVIDENCE: dict[str, Sequence[str]] = {
    "cosine of the texts": ("cosine", "near_place", "near_place_back"),
    "cosine of the titles": ("title_cosine",),
    "one's title in the other's text": ("target_title_in_source", "source_title_in_target"),
    "lists of neighbours": ("listed_by_near", "listed_by_nearest", "near_listing"),
    "the source in the target's list": ("lists_source",),
    "rate of categories, folders": ("category_pair", "folder_pair"),
    "rate of titles' first and last terms": tuple(GROUPS)[2:4],
    "rate of terms added, dropped": tuple(GROUPS)[4:],
}

# Lists the trees grow on and lists they are judged by.
N_LISTS = 2_000


def run() -> None:
    """Print the table for msdocs."""
    path = REAL / "msdocs" / "articles.jsonl.gz"
    if not path.exists():
        print(f"No {path}: set BENCH_DATA to measure on it.")
        return
    ablation(grown_on(*known(path)))


def known(path: Path) -> tuple[list[Article], Corpus, Candidates]:
    """The articles, what a build knows of them, and their editors' lists."""
    with TemporaryDirectory() as scratch, Store(f"sqlite:///{scratch}/store.db") as store:
        store.apply(read_articles([path]))
        articles = store.articles()
    text = read_text(articles, Work(jobs=2), progress=Silent())
    near, cosines = neighbours.neighbours(text, k=N_NEIGHBOURS)
    picked = picked_lists(articles, [article.id for article in articles])
    site = corpus_of(articles, text, picked, near, cosines)
    return articles, site, picked


def ablation(grown: Grown) -> None:
    """nDCG@10 of lists set aside, without each group of evidence and from it alone."""
    sets = {"all": list(NAMES)}
    for group, names in EVIDENCE.items():
        sets[f"- {group}"] = [name for name in NAMES if name not in names]
        sets[f"= {group}"] = list(names)
    columns = {name: [NAMES.index(feature) for feature in kept] for name, kept in sets.items()}
    gains = {
        name: tried_by(grown, grown.seen[:, kept], grown.shown[:, kept])
        for name, kept in columns.items()
    }
    print(f"All: {gains['all'].mean():.4f} over {len(gains['all']):,} lists\n")
    rows = []
    for group in EVIDENCE:
        lost = gains["all"] - gains[f"- {group}"]
        error = lost.std() / np.sqrt(len(lost))
        alone = gains[f"= {group}"].mean()
        rows.append((group, f"{lost.mean():+.4f} ± {error:.4f}", f"{alone:.3f}"))
    table(("evidence", "lost without", "alone"), rows)


@dataclass(frozen=True, eq=False)
class Grown:
    """Lists set aside and the others: ``pairs`` of the others' pages that trees grow on, whether
    each was ``listed`` and what is ``seen`` of it; pairs ``tried`` of the pages ``aside``, what is
    ``shown`` of them, and the ``truth``.
    """

    pairs: tuple[np.ndarray, np.ndarray]
    listed: np.ndarray
    seen: np.ndarray
    aside: np.ndarray
    tried: tuple[np.ndarray, np.ndarray]
    shown: np.ndarray
    truth: HandpickedLists


def grown_on(articles: Sequence[Article], site: Corpus, picked: Candidates) -> Grown:
    """Set lists aside, and see pairs of the others as a build does."""
    stub = np.array([article.stub for article in articles])
    truth = lists_of(picked, stub)
    fold = np.full(site.n_articles, N_FOLDS)
    fold[truth.pages] = np.random.default_rng(0).permutation(len(truth.pages)) % N_FOLDS
    aside, others = np.flatnonzero(fold == 0)[:N_LISTS], truth.without(np.flatnonzero(fold == 0))
    pages = others.pages
    pairs = candidate_pairs(site, others, stub, pages)
    listed = others.has(*pairs)
    rates = count_rates(site, *pairs, listed, np.where(fold == 0, N_FOLDS, fold))
    chosen = np.random.default_rng(0).permutation(len(pages))[:N_LISTS]
    grown = np.isin(pairs[0], pages[chosen])
    sources, items = pairs[0][grown], pairs[1][grown]
    tried = candidate_pairs(site, others, stub, aside)
    return Grown(
        pairs=(sources, items),
        listed=listed[grown],
        seen=features(site, others, rates, sources, items),
        aside=aside,
        tried=tried,
        shown=features(site, others, rates, *tried),
        truth=truth,
    )


def tried_by(grown: Grown, seen: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """nDCG@10 of lists set aside, by trees that see these columns of the pairs."""
    trees = new_trees(0).fit(seen, grown.listed)
    return ndcg(
        np.searchsorted(grown.aside, grown.tried[0]),
        grown.truth.has(*grown.tried),
        trees.decision_function(shown),
        np.diff(grown.truth.heads)[grown.aside],
    )
