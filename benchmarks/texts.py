"""Text signals the field knows, beside those the project keeps: what each would add to a learner.

BM25, PubMed's PMRA, letters of titles, a latent space and what a title's question is for become
columns of their own, for learning from editors' lists (msdocs) and from clicks (wikispeedia).
The table shows why none of them is. Where nothing is learned, a latent space is of use, see
``subjects``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import normalize

from benchmarks.corpus import REAL, table
from benchmarks.learning import TUNED, case
from benchmarks.teaching import grown_on, known, tried_by
from recommender.articles.article import Article
from recommender.ranking import handpicked_features
from recommender.ranking.features import features
from recommender.ranking.ranker import Ranker, learn_beyond
from recommender.ranking.time_splits import Split

# Robertson & Zaragoza 2009, section 3.2; Lin & Wilbur 2007, section 3.
K1, B = 1.2, 0.75
LAMBDA, MU = 0.022, 0.013
N_LATENT = 100
PAIRS = 20_000
# What a title asks for, by the words it is asked with; the first that fits.
PURPOSES = (
    ("definition", r"what (is|are)\b(?!.*\b(cause|symptom|treat|complication))|overview|about"),
    ("cause", r"caus|why\b|inherit|genetic|risk"),
    ("symptom", r"symptom|sign of|complication"),
    ("test", r"diagnos|\btest|exam|measure|monitor"),
    ("treatment", r"treat|therap|medic|surg|cure|manage|research"),
    ("food", r"\beat|diet|nutrition|food|drink"),
    ("prevention", r"prevent|avoid"),
    ("outlook", r"outlook|prognos|how many|affected|stages"),
    ("how", r"^how\b|create|configure|use|quickstart|tutorial"),
)


@dataclass(frozen=True, eq=False)
class Texts:
    """Rows whose dot products are signals, ``sides`` by name: (of sources, of items); and the
    number of the purpose of each title, -1 for none.
    """

    sides: dict[str, tuple[sp.csr_matrix, sp.csr_matrix]]
    purpose: np.ndarray

    @property
    def names(self) -> list[str]:
        """What the columns are called; the purpose of a question takes two."""
        return [*self.sides, "question's purpose"]

    def columns(self, sources: np.ndarray, items: np.ndarray) -> dict[str, np.ndarray]:
        """Signals of pairs, each ``(n_pairs, 1)`` or ``(n_pairs, 2)``."""
        found = {}
        for name, (left, right) in self.sides.items():
            dots = [np.zeros((0, 1))]
            for start in range(0, len(sources), PAIRS):
                part = slice(start, start + PAIRS)
                dots.append(left[sources[part]].multiply(right[items[part]]).sum(axis=1))
            found[name] = np.asarray(np.concatenate(dots)).astype(np.float32)
        of_source, of_item = self.purpose[sources], self.purpose[items]
        same = (of_source == of_item) & (of_source >= 0)
        both = of_source * (len(PURPOSES) + 1) + of_item
        found["question's purpose"] = np.column_stack([same, both]).astype(np.float32)
        return found


def texts_of(articles: Sequence[Article]) -> Texts:
    """Weigh the texts in every way."""
    words = CountVectorizer(stop_words="english", min_df=2, max_df=0.1, dtype=np.float32)
    counts = words.fit_transform(f"{a.title} {a.body or a.teaser}" for a in articles).tocsr()
    n, length = counts.shape[0], np.asarray(counts.sum(axis=1)).ravel()
    df = np.bincount(counts.indices, minlength=counts.shape[1])
    idf = np.log(1 + (n - df + 0.5) / (df + 0.5)).astype(np.float32)
    of_row = np.repeat(np.arange(n), np.diff(counts.indptr))
    stretch = K1 * (1 - B + B * length / max(length.mean(), 1e-12))[of_row]

    def weighted(weights: np.ndarray) -> sp.csr_matrix:
        return sp.csr_matrix(
            (weights.astype(np.float32), counts.indices, counts.indptr), counts.shape
        )

    asked = weighted(idf[counts.indices])
    answered = weighted(counts.data * (K1 + 1) / (counts.data + stretch))
    growth = (MU / LAMBDA) ** (counts.data - 1) * np.exp(-(MU - LAMBDA) * length[of_row])
    about = weighted(np.sqrt(idf)[counts.indices] / (1 + growth))
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2)
    titles = letters.fit_transform(a.title for a in articles).astype(np.float32).tocsr()
    plain = normalize(weighted((1 + np.log(counts.data)) * idf[counts.indices]))
    latent = sp.csr_matrix(
        normalize(TruncatedSVD(N_LATENT, n_iter=3, random_state=0).fit_transform(plain))
    )
    return Texts(
        {
            "BM25": (asked, answered),
            "PMRA": (about, about),
            "letters of the titles": (titles, titles),
            "latent space": (latent, latent),
        },
        np.array([purpose_of(article.title) for article in articles]),
    )


def purpose_of(title: str) -> int:
    """The number of the first of ``PURPOSES`` that a title is of, -1 if it is of none."""
    return next(
        (at for at, (_, words) in enumerate(PURPOSES) if re.search(words, title.lower())), -1
    )


def run() -> None:
    """Print what each signal adds, and what it does alone."""
    if not REAL.is_dir():
        print(f"No real data at {REAL}: set BENCH_DATA to measure on it.")
        return
    by_editors()
    by_readers()


def by_editors() -> None:
    """On msdocs, learned from editors' lists."""
    path = REAL / "msdocs" / "articles.jsonl.gz"
    articles, site, picked = known(path)
    texts, grown = texts_of(articles), grown_on(articles, site, picked)
    more, more_tried = texts.columns(*grown.pairs), texts.columns(*grown.tried)
    sets = {"kept alone": [], **{name: [name] for name in texts.names}, "all": texts.names}
    ndcg_of = {
        name: tried_by(
            grown,
            np.column_stack([grown.seen, *(more[extra] for extra in added)]),
            np.column_stack([grown.shown, *(more_tried[extra] for extra in added)]),
        )
        for name, added in sets.items()
    }
    alone = {name: tried_by(grown, more[name], more_tried[name]) for name in texts.names}
    alone["kept alone"] = tried_by(
        grown, grown.seen[:, : handpicked_features.NAMES.index("listed_by_near")],
        grown.shown[:, : handpicked_features.NAMES.index("listed_by_near")],
    )  # fmt: skip
    rows = []
    for name in sets:
        gain = ndcg_of[name] - ndcg_of["kept alone"]
        error = gain.std() / np.sqrt(len(gain))
        own = f"{alone[name].mean():.3f}" if name in alone else ""
        rows.append((name, f"{ndcg_of[name].mean():.4f}", f"{gain.mean():+.4f} ± {error:.4f}", own))
    print(f"msdocs, {len(ndcg_of['all']):,} lists set aside\n")
    table(("text signals", "nDCG@10", "added", "alone"), rows)


def by_readers() -> None:
    """On wikispeedia, learned from clicks."""
    folder = REAL / "wikispeedia"
    held = case(folder, TUNED, 1)
    texts = texts_of(held.articles)
    splits = [held.known.split(first, last) for first, last in pairwise(held.known.days)]
    history, (sources, items) = held.known.everything().history, held.pairs()
    shown = features(held.site, None, history, sources, items)
    more = texts.columns(sources, items)
    sets = {"kept alone": [], **{name: [name] for name in texts.names}, "all": texts.names}
    rows, first = [], 0.0
    for name, added in sets.items():
        beyond = learn_beyond([_wider(split, texts, added) for split in splits], seed=0)
        seen = np.column_stack([shown, *(more[extra] for extra in added)])
        ndcg = held.ndcg(Ranker(beyond, history, None).predict(seen))
        first = first or ndcg
        rows.append((name, f"{ndcg:.4f}", f"{ndcg - first:+.4f}"))
    print("\nwikispeedia\n")
    table(("text signals", "nDCG@10", "added"), rows)


def _wider(split: Split, texts: Texts, added: Sequence[str]) -> Split:
    """The split with more columns behind the features; the levels do not see them."""
    wide = replace(split)
    found = texts.columns(*split.ends) if added else {}
    for name in ("seen", "as_new"):
        wide.__dict__[name] = np.column_stack(
            [getattr(split, name), *(found[extra] for extra in added)]
        )
    return wide
