"""How far judges agree: Krippendorff's alpha of ordered grades, with an interval.

Alpha is 1 where judges always agree and 0 where they agree as often as chance has it; any number of
judges may have graded any of the links, and a grade that is two steps off counts more than one that
is one step off (Krippendorff, "Computing Krippendorff's alpha-reliability", 2011). The interval is
a bootstrap over pages, since links of one page are judged together (as Zapf et al. 2016, "Measuring
inter-rater reliability for nominal data", do it over units).

>>> found = agreement([("a", {"ann": 3, "ben": 3}), ("b", {"ann": 0, "ben": 0})], seed=0)
>>> found.alpha, found.n_links, found.n_judges
(1.0, 2, 2)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from recommender.evaluation.bootstrap import BLOCK, N_DRAWS
from recommender.evaluation.report.text import count, number

# Krippendorff's own customs (Content Analysis, 2004, chapter 11): above the first, conclusions may
# be drawn; above the second, tentative ones.
RELIABLE, TENTATIVE = 0.8, 0.667


@dataclass(frozen=True, slots=True)
class Agreement:
    """Krippendorff's ``alpha`` with its 95 % interval ``low`` to ``high``, NaN where no two judges
    graded one link or all grades are the same; over ``n_links`` with two grades at least, on
    ``n_pages``, by ``n_judges``; and the share of two grades of one link that are ``equal``.
    """

    alpha: float
    low: float
    high: float
    n_links: int
    n_pages: int
    n_judges: int
    equal: float

    @property
    def verdict(self) -> str:
        """One sentence for who reads one sentence."""
        if self.n_links == 0:
            return "How far judges agree is not known: no link has the grades of two."
        links, pages = count(self.n_links, "link"), count(self.n_pages, "page")
        where = f"{links} on {pages} that several judges graded"
        if self.alpha != self.alpha:
            return f"All grades of the {where} are the same, so alpha is not defined."
        found = f"Krippendorff's alpha {number(self.alpha, '.2f')}"
        if self.low == self.low:
            found += f" ({number(self.low, '.2f')} to {number(self.high, '.2f')})"
        word = (
            "Judges agree well"
            if self.alpha >= RELIABLE
            else "Judges agree tolerably"
            if self.alpha >= TENTATIVE
            else "Judges disagree a lot, so talk about what the grades mean"
        )
        return f"{word}: {found}, over {where}."

    def to_dict(self) -> dict[str, Any]:
        """For programs; what is not known is null."""
        found = {name: None if value != value else value for name, value in asdict(self).items()}
        return {**found, "verdict": self.verdict}


def agreement(links: Iterable[tuple[str, Mapping[str, int]]], *, seed: int) -> Agreement:
    """How far judges agree on ``links``: the page of each, and the grade by judge."""
    several = [(page, grades) for page, grades in links if len(grades) >= 2]
    pages = {page: number for number, page in enumerate(dict.fromkeys(p for p, _ in several))}
    values = sorted({grade for _, grades in several for grade in grades.values()})
    places = {value: place for place, value in enumerate(values)}
    together = np.zeros((len(pages), len(values), len(values)))
    n_equal = n_pairs = 0
    for page, grades in several:
        given = Counter(places[grade] for grade in grades.values())
        pairs = coincidences(np.array([given[place] for place in range(len(values))]))
        together[pages[page]] += pairs
        n_equal += sum(n * (n - 1) for n in given.values())
        n_pairs += len(grades) * (len(grades) - 1)
    low, high = _interval(together, np.random.default_rng(seed))
    return Agreement(
        alpha=float(alpha(together.sum(axis=0))),
        low=low,
        high=high,
        n_links=len(several),
        n_pages=len(pages),
        n_judges=len({judge for _, grades in several for judge in grades}),
        equal=n_equal / n_pairs if n_pairs else float("nan"),
    )


def coincidences(given: np.ndarray) -> np.ndarray:
    """How often two grades of one link stand together, ``(n_values, n_values)``, of how often each
    value was ``given``, ``(n_values,)``; every grade counts once.
    """
    return (np.outer(given, given) - np.diag(given)) / (given.sum() - 1)


def alpha(together: np.ndarray) -> np.ndarray:
    """Krippendorff's alpha for ordered values, ``(...)``, of coincidences
    ``(..., n_values, n_values)``; NaN where only one value was given.
    """
    n_each = together.sum(axis=-1)
    n = n_each.sum(axis=-1)
    # Two values are as far apart as there are grades between them, of each end the half.
    upto = np.cumsum(n_each, axis=-1) - n_each / 2
    apart = (upto[..., :, None] - upto[..., None, :]) ** 2
    observed = (together * apart).sum(axis=(-2, -1))
    expected = (n_each[..., :, None] * n_each[..., None, :] * apart).sum(axis=(-2, -1))
    found = np.full(np.shape(n), np.nan)
    np.divide((n - 1) * observed, expected, out=found, where=expected > 0)
    return 1 - found


def _interval(together: np.ndarray, random: np.random.Generator) -> tuple[float, float]:
    """Of whole pages drawn anew; NaN where there is but one page."""
    n_pages, n_values = together.shape[:2]
    if n_pages < 2:
        return float("nan"), float("nan")
    flat = together.reshape(n_pages, -1)
    drawn = []
    for start in range(0, N_DRAWS, BLOCK):
        times = random.poisson(1.0, (min(BLOCK, N_DRAWS - start), n_pages))
        drawn.append(alpha((times @ flat).reshape(-1, n_values, n_values)))
    found = np.concatenate(drawn)
    found = found[~np.isnan(found)]
    if len(found) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)
