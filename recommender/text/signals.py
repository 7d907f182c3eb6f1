"""How alike a pair of articles is before anybody has read either: text, category, tags, address.

One row a pair, one column a signal. ``text_score`` is what decides where nothing has been learned.
"""

from __future__ import annotations

import numpy as np

from recommender.candidates import EMPTY
from recommender.text.corpus import Site
from recommender.text.kernels import differences, overlaps

# On editors' own lists a link within the category is worth this much more than its text says:
# nDCG@10 .390 without, .417 with it, .422 at 0.8 (benchmarks/README.md, "Text").
CATEGORY_BONUS = 0.5

# By name, what each says of a pair.
SIGNALS = {
    "cosine": "how alike the texts are: cosine",
    "title_cosine": "how alike the titles are: cosine",
    "target_title_said": "how much of the target's title stands in the source's text",
    "source_title_said": "how much of the source's title stands in the target's text",
    "title_added": "terms of the target's title that the source's lacks",
    "title_dropped": "terms of the source's title that the target's lacks",
    "same_category": "whether both are of one category",
    "same_folder": "whether both addresses lie in one folder",
    "shared_tags": "tags in common over all tags of the two",
    "fullness": "how full the target's text is beside others",
    "target_words": "log of the words in the target's text",
    "target_title_words": "words in the target's title",
}
DECIDING = [list(SIGNALS).index(name) for name in ("cosine", "same_category", "fullness")]


def signals(site: Site, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The signals of pairs, ``(n_pairs, n_signals)``."""
    text = overlaps(site.indptr, site.indices, site.weights, site.title_weights, sources, items)
    titles = differences(site.term_heads, site.term, sources, items)
    columns = (
        text,
        titles[:, :2],
        _same(site.category[sources], site.category[items]),
        _same(site.folder[sources], site.folder[items]),
        site.shared_tags(sources, items),
        site.fullness[items],
        np.log1p(site.words[items]),
        site.title_words[items],
    )
    return np.column_stack(columns).astype(np.float32)


def text_score(seen: np.ndarray) -> np.ndarray:
    """What decides before there are clicks, from signals (the first columns of ``seen``): how
    alike the texts are, more so in one category and if the target has much to say.
    """
    cosine, same, full = (seen[:, column] for column in DECIDING)
    score: np.ndarray = cosine * (1 + CATEGORY_BONUS * same) * full
    return score


def _same(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    same: np.ndarray = (left == right) & (left != EMPTY)
    return same
