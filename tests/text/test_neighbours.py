"""Neighbours are exactly the nearest, and near-duplicates are what a reader would call so."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array, vstack
from sites import site_from

from recommender.articles.article import Article
from recommender.candidates import EMPTY
from recommender.progress import Silent
from recommender.text import kernels
from recommender.text import neighbours as similarity
from recommender.text.neighbours import (
    Tables,
    block,
    merge,
    near_duplicates,
    neighbours,
    rows_of,
    whole,
)
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
    monkeypatch.setattr(similarity, "BLOCK", 25)
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


def same(found: Tables, expected: Tables) -> bool:
    """The same bytes of items and likenesses."""
    return all(a.tobytes() == b.tobytes() for a, b in zip(found, expected, strict=True))


def rough_rows(n: int, *, seed: int) -> csr_array:
    """Weights whose sums depend on the order of adding; a few terms are common, many rare."""
    random = np.random.default_rng(seed)
    chance = 1 / np.arange(2, 62)
    table = random.random((n, 60)) * (random.random((n, 60)) < chance)
    table[n // 2 : n // 2 + n // 8] = table[: n // 8]  # copies
    return csr_array(table.astype(np.float32))


@pytest.mark.parametrize("jobs", [1, 2, 3, 8])
def test_threads_make_no_difference(monkeypatch: pytest.MonkeyPatch, jobs: int):
    """The same bytes, however many take part and whichever comes first."""
    text = text_of(rough_rows(300, seed=4))
    alone = neighbours(text, k=30, jobs=1)
    monkeypatch.setattr(similarity, "TILE", 16)
    monkeypatch.setattr(similarity, "BLOCK", 40)

    assert same(neighbours(text, k=30, jobs=jobs), alone)


@pytest.mark.parametrize("share", [0, 0.1, 2])
def test_how_common_terms_are_held_makes_no_difference(
    monkeypatch: pytest.MonkeyPatch, share: float
):
    """As a column with a place for each article, or as a list: the same neighbours."""
    rows = rough_rows(200, seed=5)
    monkeypatch.setattr(similarity, "COMMON", share)

    items, cosines = neighbours(text_of(rows), k=20)

    products = (rows.astype(np.float64) @ rows.T.astype(np.float64)).toarray()
    np.fill_diagonal(products, 0)
    best = -np.sort(-products, axis=1)[:, :20]
    np.testing.assert_allclose(cosines, best, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        np.take_along_axis(products, np.maximum(items, 0), axis=1), best, rtol=1e-5, atol=1e-7
    )


def test_blocks_put_together_are_the_whole(monkeypatch: pytest.MonkeyPatch):
    """Some rows among some columns, in any order, of arrays mapped from a file."""
    monkeypatch.setattr(similarity, "TILE", 32)
    rows = rows_of(text_of(rough_rows(160, seed=6)))
    everything = whole(rows, k=12, jobs=1)
    parts = np.array_split(np.arange(160), 4)

    for asked in (np.arange(40, 90), np.array([159, 0, 77])):
        tables = [block(rows, asked, among, k=12) for among in parts[::-1]]
        expected = everything[0][asked], everything[1][asked]
        assert same(merge(*tables, k=12), expected)
        assert same(block(rows, asked, k=12), expected)


def test_arrays_mapped_from_files_do(tmp_path: Path):
    """Read-only, without a copy; what is compiled is compiled once for both."""
    rows = rows_of(text_of(rough_rows(90, seed=7)))
    mapped = {}
    for name in ("indptr", "split", "terms", "weights"):
        np.save(tmp_path / f"{name}.npy", getattr(rows, name))
        mapped[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    asked = np.arange(90)
    expected = block(rows, asked, k=5)
    n_versions = len(kernels.compare.signatures)

    found = block(replace(rows, **mapped), asked, k=5)

    assert same(found, expected)
    assert len(kernels.compare.signatures) == n_versions


def test_an_error_on_one_thread_ends_the_work(monkeypatch: pytest.MonkeyPatch):
    """And reaches the caller; the others stop at their next tile."""
    monkeypatch.setattr(similarity, "TILE", 8)

    class Interrupted(Silent):
        steps = 0

        def advance(self, steps: int = 1) -> None:
            self.steps += steps
            if self.steps == 3:
                raise MemoryError

    progress = Interrupted()
    with pytest.raises(MemoryError):
        neighbours(text_of(rough_rows(400, seed=2)), k=4, jobs=2, progress=progress)

    assert progress.steps < 20


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
    return near_duplicates(text, *neighbours(text, k=10)).tolist()[: len(pages)]


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
