"""Which pages people judge, and what a judged page stands for.

Pages come in the order of their priority, ``size / u`` with ``u`` uniform between 0 and 1, the
highest first, so that the first ``n`` are a sample for every ``n``: judging can stop and go on
anywhere. A page of the sample stands for ``max(size, t)``, where ``t`` is the priority of the first
page beyond it: sums weighted so are unbiased (Duffield, Lund & Thorup, "Priority sampling for
estimation of arbitrary subset sums", J. ACM 2007). By ``views`` the size is how often a page was
read, and means are per page view; by ``pages`` it is 1, and means are per page.

``u`` depends on the seed and the page's id alone, so the same site and log draw the same pages.

>>> order = draw({"knee": 900, "hip": 90, "nap": 10}, seed=1)
>>> len(order), {page.source_id: w for page, w in zip(order, weights(order, 3))}["knee"]
(3, 900.0)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

from recommender.store.grades import DrawnPage

VIEWS, PAGES = "views", "pages"
# Nobody judges more pages; one more is kept, for the weights.
MAX_PAGES = 2_000


def draw(sizes: Mapping[str, float], *, seed: int, n: int = MAX_PAGES) -> list[DrawnPage]:
    """The first ``n`` pages and the one beyond, by ``sizes`` of pages by id; those without a size
    are never drawn.
    """
    found = [
        DrawnPage(id, float(size), size / uniform(seed, "page", id))
        for id, size in sizes.items()
        if size > 0
    ]
    return sorted(found, key=lambda page: (-page.priority, page.source_id))[: n + 1]


def weights(pages: Sequence[DrawnPage], n: int) -> list[float]:
    """What each of the first ``n`` pages stands for."""
    beyond = pages[n].priority if n < len(pages) else 0.0
    return [max(page.size, beyond) for page in pages[:n]]


def is_shared(place: int, share: float) -> bool:
    """Whether every judge is asked for the page at a ``place``, counted from 0: the first is, and
    so is a ``share`` of all, evenly spread.

    >>> [is_shared(place, 0.25) for place in range(6)]
    [True, False, False, False, True, False]
    """
    before, after = (math.ceil(round(share * n, 9)) for n in (place, place + 1))
    return after > before


def uniform(seed: int, *names: str) -> float:
    """A number above 0, at most 1, that is always the same for a seed and names.

    >>> 0 < uniform(0, "page", "knee") <= 1
    True
    """
    text = "\0".join([str(seed), *names]).encode("utf-8", errors="surrogatepass")
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())
    return (number + 1) / 2.0**64
