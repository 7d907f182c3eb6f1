"""Pages are drawn in proportion to their size, and what stands for others is weighed so."""

import numpy as np
import pytest

from recommender.evaluation.page_sampling import draw, is_shared, weights

# Sizes as sites have them: few pages have most of the readings.
SIZES = {f"p{n:03}": 1000 / (1 + n) for n in range(300)}
# What is to be estimated is worse on pages that are read seldom.
VALUES = {page: 1 / (2 + n) + (n % 7) / 10 for n, page in enumerate(SIZES)}


@pytest.mark.parametrize("n", [5, 30])
def test_sums_are_right_in_the_mean_of_many_draws(n: int):
    """Weights of a sample estimate the total of any value, here over 4,000 draws."""
    truth = sum(SIZES[page] * VALUES[page] for page in SIZES)
    sums = []
    for seed in range(4_000):
        pages = draw(SIZES, seed=seed, n=n)
        values = [VALUES[page.source_id] for page in pages[:n]]
        sums.append(np.dot(weights(pages, n), values))

    error = np.std(sums) / np.sqrt(len(sums))
    assert np.mean(sums) == pytest.approx(truth, abs=3 * error)
    assert error < 0.01 * truth


def test_the_first_of_a_large_sample_are_a_small_one():
    """So judging stops and goes on anywhere."""
    whole = draw(SIZES, seed=7)

    assert draw(SIZES, seed=7, n=20) == whole[:21]
    assert len(whole) == len(SIZES)
    assert draw(SIZES, seed=8)[:20] != whole[:20]


def test_all_pages_stand_for_themselves():
    """A census weighs by size; pages of one size all weigh the same."""
    pages = draw({"a": 3, "b": 1, "c": 0}, seed=0)

    assert dict(zip([p.source_id for p in pages], weights(pages, 2), strict=True)) == {
        "a": 3,
        "b": 1,
    }
    alike = draw(dict.fromkeys(SIZES, 1), seed=0)
    assert len({*weights(alike, 40)}) == 1


@pytest.mark.parametrize("share", [0.0, 0.2, 0.3, 1 / 3, 0.5, 1.0])
def test_every_judge_has_the_share_of_pages_that_is_stated(share: float):
    """In any beginning of the order, give or take one page."""
    shared = np.cumsum([is_shared(place, share) for place in range(200)])

    assert np.abs(shared - share * np.arange(1, 201)).max() <= 1
    assert is_shared(0, share) == (share > 0)
