"""Neighbours are exactly the nearest, and near-duplicates are what a reader would call so."""

import numba
import numpy as np
import pytest
from scipy.sparse import csr_array, hstack, random_array, vstack
from sites import site_from

from recommender.articles.article import Article
from recommender.candidates import EMPTY
from recommender.progress import Silent
from recommender.text import neighbours as similarity
from recommender.text.neighbours import near_duplicates, neighbours
from recommender.text.tfidf import Text
from recommender.text.titles import Forms
from recommender.training.pipeline import read_text
from recommender.training.work import Work


def text_of(rows: csr_array) -> Text:
    """A text with these rows; what neighbours do not look at is empty."""
    rows = csr_array(rows)
    rows.sort_indices()
    nothing = np.zeros(0, dtype=np.float32)
    return Text(
        vocabulary=[""] * rows.shape[1], idf=np.ones(rows.shape[1]),
        indptr=rows.indptr.astype(np.int64),
        indices=rows.indices.astype(np.int32), weights=rows.data.astype(np.float32),
        counts=nothing,
        title_weights=nothing, subject_weights=np.zeros(rows.nnz), forms=Forms({}, {}),
        kind=nothing, boilerplate=nothing, with_runs=False, lengths=nothing, fullness=nothing,
        norms=np.ones((rows.shape[0], 3)),
    )  # fmt: skip


def random_rows(n: int, *, seed: int) -> csr_array:
    """Sparse rows with empty ones and copies among them; whole numbers, so that ties are exact."""
    rows = random_array((n, 50), density=0.08, format="csr", dtype=np.float32, rng=seed)
    rows.data = np.ceil(3 * rows.data)
    copies = np.random.default_rng(seed).integers(0, n, n // 4)
    return vstack([rows, rows[copies]]).tocsr()


def brute_force(rows: csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
    """All products, sorted: the larger first, of equals the smaller number."""
    products = np.asarray((rows @ rows.T).toarray(), dtype=np.float32)
    np.fill_diagonal(products, 0)
    n = len(products)
    best = np.full((n, k), EMPTY)
    score = np.zeros((n, k))
    for row, values in enumerate(products):
        order = [c for c in np.lexsort((np.arange(n), -values)) if values[c] > 0][:k]
        best[row, : len(order)] = order
        score[row, : len(order)] = values[order]
    return best, score


@pytest.mark.parametrize("n", [1, 2, 9, 60, 200])
@pytest.mark.parametrize("tile", [8192, 16, 7])
@pytest.mark.parametrize("k", [1, 5, 300])
def test_neighbours_are_the_nearest(monkeypatch: pytest.MonkeyPatch, n: int, tile: int, k: int):
    """Whatever the tiles, ties by the smaller number, more asked for than there are."""
    monkeypatch.setattr(similarity, "TILE", tile)
    monkeypatch.setattr(similarity, "ROWS", 11)
    rows = random_rows(n, seed=n)

    items, cosines = neighbours(text_of(rows), k=k)

    expected_items, expected = brute_force(rows, k)
    np.testing.assert_allclose(cosines, expected, atol=1e-5)
    assert np.array_equal(items, expected_items)


def test_an_article_is_no_neighbour_of_itself():
    """Nor is one that shares no term: its slots are empty, behind the others."""
    rows = random_rows(120, seed=3)

    items, cosines = neighbours(text_of(rows), k=200)

    assert not (items == np.arange(len(items))[:, None]).any()
    assert np.array_equal(items == EMPTY, cosines == 0)
    assert (np.diff(cosines, axis=1) <= 0).all()


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one core only")
def test_cores_make_no_difference():
    """One and two threads: the same bytes."""
    text = text_of(random_rows(400, seed=4))
    found = []
    for threads in (1, 2):
        numba.set_num_threads(threads)
        found.append(neighbours(text, k=30))

    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])


def test_a_site_without_words_has_no_neighbours():
    """Titles of symbols and no text."""
    items, cosines = neighbours(text_of(csr_array((3, 0), dtype=np.float32)), k=2)

    assert items.tolist() == [[EMPTY, EMPTY]] * 3
    assert not cosines.any()


def cluster_of(*pages: tuple[str, str]) -> list[int]:
    """Clusters of pages given as title and body, on a site with some other pages."""
    random = np.random.default_rng(0)
    others = [
        (f"page {number}", " ".join(f"o{word}" for word in random.integers(0, 300, 60)))
        for number in range(30)
    ]
    articles = [
        Article(id=f"{number:03}", title=title, body=body)
        for number, (title, body) in enumerate([*pages, *others])
    ]
    text = read_text(articles, Work(jobs=1), progress=Silent())
    items, _ = neighbours(text, k=10)
    return near_duplicates(text, items).tolist()[: len(pages)]


ANSWER = " ".join(f"word{number} word{number % 20}" for number in range(120))


def test_a_copy_with_a_word_changed_is_found():
    """And a copy of the copy belongs to the same cluster, named by its smallest number."""
    once = ANSWER.replace("word77", "word78", 1)
    twice = once.replace("word33", "word34", 1)

    found = cluster_of(
        ("Knee pain on the stairs", ANSWER),
        ("Knee pain on stairs", once),
        ("Knee pain on the stairs today", twice),
    )

    assert found == [0, 0, 0]


def test_one_answer_to_many_questions_is_no_duplicate():
    """Health sites say the same of a hundred illnesses; the titles tell them apart."""
    found = cluster_of(
        ("Is Alkaptonuria inherited?", ANSWER), ("Is Wilson disease inherited?", ANSWER)
    )

    assert found == [0, 1]


def test_one_title_over_two_texts_is_no_duplicate():
    """What is the same to the reader of a title is for ``rerank`` to settle."""
    other = " ".join(f"other{number % 50}" for number in range(150))

    assert cluster_of(("Knee pain", ANSWER), ("Knee pain", other)) == [0, 1]


def test_pages_without_a_text_are_no_duplicates_of_each_other():
    """Nothing is not like nothing."""
    assert cluster_of(("?", ""), ("!", ""), ("...", "")) == [0, 1, 2]


def test_a_long_title_does_not_make_duplicates():
    """All but one of its words in common cannot hide another text."""
    words = " ".join(f"long{number}" for number in range(10))

    assert cluster_of((f"{words} knee", "salt water"), (f"{words} gout", "milk honey")) == [0, 1]


def test_questions_about_one_thing_are_neighbours_without_a_word_in_common():
    """Titles of a kind name their subject, and answers may say different things of it."""
    titles = [f"{form} {name}" for form in ("What causes", "Who gets") for name in "bcdefghjkl"]
    site = site_from([Article(title, title, f"word{at}") for at, title in enumerate(titles)])

    assert (site.near[:10, 0] == np.arange(10, 20)).all()


def test_a_large_site_is_searched_by_its_rarer_terms(monkeypatch: pytest.MonkeyPatch):
    """Those found are the nearest by terms that few have, in the order of all terms."""
    monkeypatch.setattr(similarity, "LARGE", 0)
    random = np.random.default_rng(6)
    rare = random_array((80, 200), density=0.03, format="csr", dtype=np.float32, rng=6)
    common = csr_array(random.random((80, 3)).astype(np.float32))
    rows = hstack([rare, common]).tocsr()

    found, score = neighbours(text_of(rows), k=3)

    searched, _ = brute_force(rare, 3)
    products = np.asarray((rows @ rows.T).toarray())
    for row in range(80):
        assert set(found[row].tolist()) == set(searched[row].tolist())
        used = found[row] != EMPTY
        assert score[row][used] == pytest.approx(products[row, found[row][used]], rel=1e-5)
        assert (np.diff(score[row]) <= 0).all()
        assert used[: used.sum()].all()
