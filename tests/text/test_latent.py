"""Topics join texts without a word in common; forms of answers do not."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sites import random_articles, site_from

from recommender.articles.article import Article
from recommender.text import latent
from recommender.text.latent import MIN_ARTICLES

TOPICS = {
    topic: words.split(",")
    for topic, words in {
        "garlic": "cloves,bulbs,planting,autumn,plaits,shed,soil,rows,frost,onions",
        "bees": "hive,queen,honey,swarm,frames,smoke,wax,brood,drones,nectar",
        "pond": "frogs,algae,liner,fish,pump,lilies,edges,newts,depth,water",
    }.items()
}


def pages() -> list[Article]:
    """Ten short pages a topic, each of four of its words."""
    random = np.random.default_rng(3)
    return [
        Article(f"{topic}-{n}", f"{topic[0]}{n}", " ".join(random.choice(words, 4)))
        for topic, words in TOPICS.items()
        for n in range(20)
    ]


def test_pages_of_one_topic_are_near_without_a_word_in_common():
    """Mean cosine of topics far above that of pages of two topics, where no word is shared."""
    site = site_from(pages())
    sources, items = (found.ravel() for found in np.indices((60, 60)))
    apart = site.cosine(sources, items) == 0

    topic = site.topic(sources[apart], items[apart])

    same = sources[apart] // 20 == items[apart] // 20
    assert same.sum() > 50
    assert topic[same].mean() > topic[~same].mean() + 0.5


def test_answers_of_one_kind_are_not_alike_for_that():
    """Two questions about each thing, one answered in stock phrases: the stock answers to other
    questions are no nearer than other answers.
    """
    random = np.random.default_rng(4)
    articles = []
    for n in range(40):
        own = [f"x{n}y{at}" for at in range(6)]
        stock = "please ask your own adviser before anything else is done"
        articles += [
            Article(f"{n}-a", f"What helps with thing{n}?", " ".join(random.choice(own, 12))),
            Article(f"{n}-b", f"Who gets thing{n}?", " ".join(random.choice(own, 3)) + " " + stock),
        ]
    site = site_from(articles)
    first = np.arange(1, 80, 2)

    other = site.topic(first, np.roll(first, 1)).mean()
    own_subject = site.topic(first, first - 1).mean()

    assert own_subject > other + 0.2


def test_a_small_site_has_no_topics():
    """Too few articles to learn any from: all cosines are 0."""
    site = site_from(random_articles(MIN_ARTICLES - 1, seed=1))

    assert not site.latent.any()
    assert site.topic(np.array([0]), np.array([1])).tolist() == [0]


def test_topics_are_the_same_in_every_run():
    """To the byte."""
    assert site_from(pages()).latent.tobytes() == site_from(pages()).latent.tobytes()


def planted(n: int, *, seed: int) -> csr_array:
    """A sparse matrix ``(n, 300)`` of which the first 20 singular vectors stand out."""
    random = np.random.default_rng(seed)
    topics = random.random((20, 300)) ** 8 * 2.0 ** np.arange(20, 0, -1)[:, None] ** 0.5
    rows = random.random((n, 20)) ** 6 @ topics
    rows[random.random(rows.shape) < 0.5] = 0
    return csr_array(rows.astype(np.float32))


def test_directions_are_the_singular_vectors():
    """Of a dense decomposition: places along them have the same products with each other."""
    matrix = planted(500, seed=5)
    _, _, exact = np.linalg.svd(matrix.toarray().astype(np.float64), full_matrices=False)

    found = latent._directions(matrix, 5, seed=0)

    assert np.allclose(found.T @ found, np.eye(5), atol=1e-3)
    assert np.allclose(np.abs(np.diag(exact[:5] @ found)), 1, atol=1e-3)


def test_some_articles_show_where_all_stand(monkeypatch: pytest.MonkeyPatch):
    """Of a larger site so many rows are enough as are read: the subspace hardly differs."""
    matrix = planted(4_000, seed=6)
    whole = latent._directions(matrix, 5, seed=0)
    monkeypatch.setattr(latent, "N_FITTED", 1_000)

    some = latent._directions(matrix, 5, seed=0)

    assert np.linalg.norm(whole.T @ some) ** 2 / 5 > 0.95
    assert not np.array_equal(whole, some)


def test_a_site_of_one_text_has_one_direction():
    """What rounding leaves is no direction."""
    row = np.array([[0.6, 0.0, 0.8]], dtype=np.float32)
    matrix = csr_array(np.repeat(row, 70, axis=0))

    found = latent._directions(matrix, 2, seed=0)

    assert found.shape == (3, 1)
    assert np.allclose(np.abs(found[:, 0]), row[0], atol=1e-5)
