"""Every simple order is the order it says it is, or says why it is none."""

import math

import numpy as np
import pytest
from judging import case, follow
from sites import built

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.evaluation import baselines
from recommender.evaluation.baselines import K1, ORDERS, B, Case, bm25, scores
from recommender.text.tfidf import count

KNEE = follow("knee", "hip", 3)


def ordered(case: Case, name: str) -> list[str]:
    """The links of the first slate as an order has them; ties keep the order shown."""
    score = dict(ORDERS)[name](case)
    assert not isinstance(score, str)
    first = case.slate == case.slate[0]
    return [case.ids()[at] for at in np.argsort(-score[first], kind="stable")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("order shown", ["sleep", "nap", "ankle", "hip"]),
        ("hand-picked", ["nap", "hip", "sleep", "ankle"]),  # the others as they come
        ("most recent", ["nap", "ankle", "hip", "sleep"]),
        ("most clicked", ["ankle", "nap", "sleep", "hip"]),
        ("counting", ["nap", "sleep", "ankle", "hip"]),
        ("TF-IDF", ["hip", "ankle", "sleep", "nap"]),
        ("BM25", ["hip", "ankle", "sleep", "nap"]),
        ("model", ["hip", "ankle", "nap", "sleep"]),
        ("random", ["sleep", "nap", "ankle", "hip"]),  # all tie: the draw decides
    ],
)
def test_orders_by_hand(name: str, expected: list[str]):
    """Four links beside one page; see ``judging`` for who followed what and when it came out."""
    assert ordered(case(KNEE), name) == expected


def test_every_order_is_there():
    """Nothing is left out where everything is known."""
    found, notes = scores(case(KNEE))

    assert list(found) == [name for name, _ in ORDERS]
    assert notes == []


def test_an_order_that_does_not_apply_says_why():
    """Unknown positions, no articles at hand, no clicks before; and a page without a list."""
    found, notes = scores(
        case(follow("knee", "hip", 3, ordered=False), silent=True, with_articles=False)
    )
    _, others = scores(case(follow("ankle", "hip", 3, shown=("hip", "stranger"))))

    assert set(found) == {"model", "TF-IDF", "BM25", "random"}
    for name, reason in (
        ("order shown", "the log does not know it for every view"),
        ("hand-picked", "takes the site's articles"),
        ("most recent", "takes the site's articles"),
        ("most clicked", "has no clicks"),
        ("counting", "has no clicks"),
    ):
        assert any(f"{name} is left out" in note and reason in note for note in notes)
    assert others == ["Baseline hand-picked is left out: no link shown is hand-picked."]


def test_ranks_are_places_in_the_slate():
    """The followed link of each view, among several slates, of which one was not followed."""
    events = [
        *follow("knee", "ankle", 2),
        *follow("sleep", "nap", 1, shown=("ankle", "hip", "nap")),
        *follow("hip", "stranger", 1, shown=("stranger", "ankle")),
    ]
    known = case(events)

    ranks = known.ranks(-np.arange(len(known.link), dtype=float), np.zeros(len(known.link)))

    assert sorted(ranks.tolist()) == [1, 3, 3, 3]
    stranger = known.of_links(np.ones(len(known.sources)))[known.item < 0]
    assert stranger.tolist() == [-np.inf]


def test_ties_fall_to_the_draw():
    """Were they left in the order shown, an order that knows nothing would have that for free."""
    known = case(KNEE)

    first, second = (
        known.ranks(np.zeros(4), np.array(tie)) for tie in ([0, 1, 2, 3], [3, 2, 1, 0])
    )

    assert first.tolist() == [4, 4, 4]
    assert second.tolist() == [1, 1, 1]


def test_dates_are_moments():
    """A change counts where no publication is known; without both there is none."""
    article = baselines.Article(id="a", title="A", updated_at="1970-01-02")

    assert baselines.moment_of(article) == 86_400_000
    assert baselines.moment_of(None) == -np.inf


LONG = "gout foot toe pain foot foot uric acid crystals joint night"
TEXTS = [
    Article(id="gout", title="Gout attacks", body=LONG),
    Article(id="toe", title="Sore toe", body="toe pain shoe night foot"),
    Article(id="acid", title="Uric acid", body="uric acid crystals kidney stones " * 9),
    Article(id="sleep", title="Night sleep", body="dream bed night"),
    Article(id="empty", title="Nothing", body=""),
]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A site of four texts and one title."""
    return built(tmp_path_factory.mktemp("bm25"), TEXTS)


def test_bm25_is_what_the_formula_says(texts: Bundle):
    """Term by term, from the texts themselves; terms of one text alone find nothing."""
    counts = [count(article.title, article.body, set())[0] for article in TEXTS]
    rows = [texts.lists.find(article.id) for article in TEXTS]
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
        texts.site, texts.term_counts,
        np.array([rows[a] for a, _ in pairs]), np.array([rows[b] for _, b in pairs]),
    )  # fmt: skip

    assert found == pytest.approx([by_hand(*pair) for pair in pairs], rel=1e-5)
    assert found[pairs.index((0, 2))] > found[pairs.index((0, 3))] > 0
