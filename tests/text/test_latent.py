"""Topics join texts without a word in common; forms of answers do not."""

import numpy as np
from sites import random_articles, site_from

from recommender.articles.article import Article
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
