"""BM25 is what the formula says."""

import math

import numpy as np
import pytest
from sites import built

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.evaluation.bm25 import K1, B, bm25
from recommender.text.tfidf import count

LONG = "gout foot toe pain foot foot uric acid crystals joint night"
ARTICLES = [
    Article(id="gout", title="Gout attacks", body=LONG),
    Article(id="toe", title="Sore toe", body="toe pain shoe night foot"),
    Article(id="acid", title="Uric acid", body="uric acid crystals kidney stones " * 9),
    Article(id="sleep", title="Night sleep", body="dream bed night"),
    Article(id="empty", title="Nothing", body=""),
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A site of four texts and one title."""
    return built(tmp_path_factory.mktemp("bm25"), ARTICLES)


def test_scores_are_those_of_the_formula(bundle: Bundle):
    """Term by term, from the texts themselves; terms of one text alone find nothing."""
    counts = [count(article.title, article.body, set())[0] for article in ARTICLES]
    rows = [bundle.lists.find(article.id) for article in ARTICLES]
    mean = sum(sum(each.values()) for each in counts) / len(counts)

    def by_hand(source: int, item: int) -> float:
        score = 0.0
        for term, n_here in counts[source].items():
            n_there = counts[item].get(term, 0)
            n_with = sum(term in each for each in counts)
            idf = math.log(1 + (len(counts) - n_with + 0.5) / (n_with + 0.5))
            long = K1 * (1 - B + B * sum(counts[item].values()) / mean)
            there = n_there * (K1 + 1) / (n_there + long)
            score += idf * there * n_here * (K1 + 1) / (n_here + K1)
        return score

    pairs = [(a, b) for a in range(5) for b in range(5) if a != b]
    found = bm25(
        bundle.site, bundle.term_counts,
        np.array([rows[a] for a, _ in pairs]), np.array([rows[b] for _, b in pairs]),
    )  # fmt: skip

    assert found == pytest.approx([by_hand(*pair) for pair in pairs], rel=1e-5)
    assert found[pairs.index((0, 2))] > found[pairs.index((0, 3))] > 0
