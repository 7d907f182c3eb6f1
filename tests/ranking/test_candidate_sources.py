"""Each source proposes what it should, and nothing where it knows nothing."""

import numpy as np
import pytest
from sites import Shown, counted, lists_in, log_of, random_articles, site_from

from recommender.candidates import EMPTY, Candidates, hand_picked
from recommender.ranking.candidate_sources import (
    SOURCES,
    Basis,
    by_editors,
    by_readers,
    by_series,
    by_text,
    on_the_page,
    proposed_beside,
)
from recommender.store.counts import Log
from recommender.text.corpus import Corpus

N = 12
ALL = np.arange(N)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """A few articles that share words."""
    return site_from(random_articles(N, seed=1))


def basis(
    corpus: Corpus,
    log: Log,
    picked: Candidates | None = None,
    following: np.ndarray | None = None,
) -> Basis:
    """Of a log, without a model of editors' lists."""
    history = counted(corpus, log)
    near = Candidates(corpus.near, np.where(corpus.near != EMPTY, corpus.near_cosine, -np.inf))
    picked = picked or hand_picked([()] * N, n_articles=N)
    following = np.full(N, EMPTY) if following is None else following
    return Basis(corpus, picked, None, history, near, following)


def test_what_nobody_read_has_its_nearest_texts_alone(corpus: Corpus):
    """Every source answers for every article, if only with empty slots."""
    nothing = basis(corpus, log_of())

    assert all(len(source(nothing, ALL).items) == N for source in SOURCES.values())
    assert np.array_equal(by_text(nothing, ALL).items, corpus.near)
    assert (by_text(nothing, ALL).scores[corpus.near == EMPTY] == -np.inf).all()
    for source in (by_readers, by_editors, on_the_page, by_series):
        assert not source(nothing, ALL).used.any()


def test_readers_propose_what_they_followed_most_first(corpus: Corpus):
    """And nothing that was only shown."""
    log = log_of(Shown(0, [1, 2, 3], [2, 9, 0]), Shown(4, [5, 6], [0, 0]))

    lists = lists_in(by_readers(basis(corpus, log), ALL))

    assert lists[0] == [2, 1]
    assert lists[4] == []


def test_the_page_proposes_its_list_or_what_it_showed(corpus: Corpus):
    """Where the editors' list is known it is that; else what was shown, by its clicks."""
    log = log_of(Shown(0, [1, 2], [1, 30]), Shown(4, [5, 6, 7], [1, 40, 20]))
    picked = hand_picked([(3, 1), *[()] * (N - 1)], n_articles=N)

    lists = lists_in(on_the_page(basis(corpus, log, picked), ALL))

    assert lists[0] == [3, 1]
    assert lists[4] == [6, 7, 5]


def test_a_series_proposes_its_next_part(corpus: Corpus):
    """Where there is one."""
    following = np.array([3, *[EMPTY] * (N - 1)])

    lists = lists_in(by_series(basis(corpus, log_of(), following=following), ALL))

    assert lists == [[3], *[[]] * (N - 1)]


def test_what_is_proposed_beside_an_article_does_not_depend_on_the_others_asked_for(
    corpus: Corpus,
):
    """One at a time as all at once, whatever there is to propose from."""
    log = log_of(
        Shown(0, [1, 2, 3], [2, 9, 0]), Shown(4, [5, 6], [0, 3]), Shown(7, [0, 11], [1, 1])
    )
    picked = hand_picked([(3, 1), *[()] * (N - 1)], n_articles=N)
    given = basis(corpus, log, picked, following=np.array([3, *[EMPTY] * (N - 2), 2]))

    together = proposed_beside(given, ALL)

    for row in range(N):
        alone = proposed_beside(given, np.array([row]))
        assert alone.sources.tolist() == [row]
        assert lists_in(alone)[0] == lists_in(together)[row]
