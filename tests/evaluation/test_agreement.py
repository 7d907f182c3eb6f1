"""Agreement of judges: published figures, planted noise, and what cannot be known."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from recommender.evaluation.agreement import agreement

# Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), section C: four observers,
# twelve units, values missing.
OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)


def units(*rows: str) -> list[tuple[str, dict[str, int]]]:
    """Each unit a page of its own."""
    columns = list(zip(*(row.split() for row in rows), strict=True))
    return [
        (f"p{at}", {str(judge): int(value) for judge, value in enumerate(column) if value != "."})
        for at, column in enumerate(columns)
    ]


def noisy(truth: np.ndarray, noise: float, random: np.random.Generator) -> np.ndarray:
    """Grades that are drawn anew with a chance of ``noise``."""
    drawn = random.integers(0, 4, len(truth))
    return np.where(random.random(len(truth)) < noise, drawn, truth)


def graded(*columns: np.ndarray, a_page: int = 10) -> list[tuple[str, dict[str, int]]]:
    return [
        (f"p{at // a_page}", {str(judge): int(grade) for judge, grade in enumerate(row)})
        for at, row in enumerate(zip(*columns, strict=True))
    ]


def test_alpha_is_the_published_one():
    """Ordinal, .815; the twelfth unit has one value and counts for nothing."""
    found = agreement(units(*OBSERVERS), seed=0)

    assert found.alpha == pytest.approx(0.815, abs=0.0005)
    assert (found.n_links, found.n_judges) == (11, 4)
    assert found.low < found.alpha < found.high


def test_judges_of_a_known_noise_have_the_alpha_that_follows():
    """Three judges draw a grade at random with chance .3: two agree for certain with .7 squared,
    and that is alpha, whatever the distance, as grades are alike often.
    """
    random = np.random.default_rng(0)
    truth = random.integers(0, 4, 20_000)
    judges = [noisy(truth, 0.3, random) for _ in range(3)]

    found = agreement(graded(*judges), seed=0)

    assert found.alpha == pytest.approx(0.49, abs=0.015)
    assert found.low <= 0.49 <= found.high
    assert found.high - found.low < 0.04


def test_the_interval_holds_the_truth_as_often_as_it_should():
    """Of 100 sets of 40 pages, whose judges' noise differs by page; drawn once and for all."""
    held = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        truth = random.integers(0, 4, 400)
        chance = np.repeat(random.choice([0.1, 0.5], 40), 10)
        judges = [
            np.where(random.random(400) < chance, random.integers(0, 4, 400), truth)
            for _ in range(2)
        ]
        found = agreement(graded(*judges), seed=seed)
        held += found.low <= (0.9**2 + 0.5**2) / 2 <= found.high

    assert held >= 88


def test_two_judges_of_equal_habits_have_about_the_kappa_of_scikit_learn():
    """With intervals as distances, quadratic kappa is the same but for the small sample."""
    random = np.random.default_rng(3)
    truth = random.integers(0, 4, 5_000)
    one, other = noisy(truth, 0.4, random), noisy(truth, 0.4, random)

    found = agreement(graded(one, other), seed=0)

    assert found.alpha == pytest.approx(
        cohen_kappa_score(one, other, weights="quadratic"), abs=0.01
    )


def test_chance_is_nothing_and_contradiction_less():
    """Unrelated grades are at 0, opposite ones below."""
    random = np.random.default_rng(1)
    one, other = random.integers(0, 4, 4_000), random.integers(0, 4, 4_000)

    assert agreement(graded(one, other), seed=0).alpha == pytest.approx(0, abs=0.03)
    assert agreement(graded(one, 3 - one), seed=0).alpha < -0.9


def test_what_cannot_be_known_is_not_a_figure():
    """No link of two judges; only one grade; one page, which gives no interval."""
    alone = agreement([("p", {"ann": 2})], seed=0)
    same = agreement([("p", {"ann": 2, "ben": 2}), ("q", {"ann": 2, "ben": 2})], seed=0)
    one_page = agreement([("p", {"ann": 2, "ben": 2}), ("p", {"ann": 1, "ben": 1})], seed=0)

    assert np.isnan(alone.alpha)
    assert "no link has the grades of two" in alone.verdict
    assert np.isnan(same.alpha)
    assert "are the same" in same.verdict
    assert (one_page.alpha, one_page.equal) == (1.0, 1.0)
    assert np.isnan(one_page.low)
