"""How the links that were shown differ from those that may be: two populations.

What is learned from links somebody chose to show, many of them bad ones perhaps, is used on
candidates that text chose (covariate shift: Shimodaira 2000, "Improving predictive inference under
covariate shift by weighting the log-likelihood function", Journal of Statistical Planning and
Inference 90). Here that is measured; what bounds it is in ``logit.LinearScore`` and
``ranker.Ranker``: beyond what was shown only the text counts, and a link nobody chose counts less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.candidates import Candidates

if TYPE_CHECKING:
    from recommender.clicks.choice_model import Pairs
    from recommender.text.corpus import Corpus

SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
# Pairs drawn of either sort: enough for two digits.
N_PAIRS = 50_000


@dataclass(frozen=True, slots=True)
class Populations:
    """Cosines of texts that ``SHARES`` of the pairs shown, and of the candidates, do not reach;
    how many of the candidates were never shown; and by which factor a link that no editor chose
    counts less. Without a log ``shown`` is empty.
    """

    shown: tuple[float, ...]
    candidates: tuple[float, ...]
    never_shown: float
    factor: float


def populations(
    corpus: Corpus, pairs: Pairs, candidates: Candidates, *, factor: float, seed: int
) -> Populations:
    """Compare the ``pairs`` that were shown with ``candidates``, those of some articles; see
    ``Populations``.
    """
    random = np.random.default_rng(seed)
    source, item = candidates.pairs()
    places = random.permutation(len(source))[:N_PAIRS]
    source, item = source[places], item[places]
    some = np.sort(random.permutation(len(pairs.item))[:N_PAIRS])
    never = pairs.find(source, item) < 0
    return Populations(
        _quantiles(corpus, pairs.source[some], pairs.item[some].astype(np.int64)),
        _quantiles(corpus, source, item),
        round(float(never.mean()), 4) if len(never) else 0.0,
        round(factor, 4),
    )


def _quantiles(corpus: Corpus, sources: np.ndarray, items: np.ndarray) -> tuple[float, ...]:
    if len(sources) == 0:
        return ()
    found = np.quantile(corpus.cosine(sources, items), SHARES)
    return tuple(round(float(value), 4) for value in found)
