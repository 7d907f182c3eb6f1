"""What bounding the weights of clicks costs and buys, where the truth is known."""

from __future__ import annotations

import numpy as np

from benchmarks.corpus import table
from recommender.clicks import position_bias

N_LOGS, N_PAGES, K = 300, 60, 10
MOST = (5.0, 10.0, 20.0, 50.0, 100.0, 200.0, np.inf)
# Links of a list, and how fast attention falls: as below an article, in the margin, faster still.
LISTS = ((10, 0.7), (10, 1.2), (50, 1.2), (30, 2.0))


def run() -> None:
    """Print the error of how far one order leads another in nDCG@10, by the largest weight."""
    print(f"The largest weight is {position_bias.MAX_WEIGHT:.0f}.\n")
    rows = [
        (f"{size} links, p^-{fall}", f"{n:,}", *(f"{1e3 * error:.1f}" for error in errors))
        for size, fall in LISTS
        for n in (200, 2_000, 20_000)
        for errors in [_errors(size, fall, n)]
    ]
    table(("error x 1,000", "clicks", *(f"{most:.0f}" for most in MOST)), rows)


def _errors(size: int, fall: float, n_clicks: int) -> list[float]:
    """The root mean squared error under each of ``MOST``, over simulated sites."""
    random = np.random.default_rng(0)
    examined = np.arange(1, size + 1) ** -fall
    errors = []
    for _ in range(N_LOGS):
        liking = random.normal(size=(N_PAGES, size))
        shown, one, other = (_ranks(liking + random.normal(size=liking.shape)) for _ in range(3))
        rate = np.exp(liking) * examined[shown - 1]
        clicks = random.multinomial(n_clicks, (rate / rate.sum()).ravel()).reshape(rate.shape)
        lead = _gain(one) - _gain(other)
        truth = (np.exp(liking) * lead).sum() / np.exp(liking).sum()
        weights = [clicks * np.minimum(1 / examined, most)[shown - 1] for most in MOST]
        errors.append([(weight * lead).sum() / weight.sum() - truth for weight in weights])
    return np.sqrt(np.square(errors).mean(axis=0)).tolist()


def _ranks(scores: np.ndarray) -> np.ndarray:
    return (-scores).argsort(axis=1).argsort(axis=1) + 1


def _gain(rank: np.ndarray) -> np.ndarray:
    return np.where(rank <= K, 1 / np.log2(1 + rank), 0.0)
