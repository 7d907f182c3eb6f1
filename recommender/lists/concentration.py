"""In how many lists one article may stand where readers see it.

What is liked wherever it is shown comes to stand everywhere, and a site of ten thousand pages
becomes one of ten. So there is a ceiling. An article that would stand in more lists keeps its place
where it is furthest above what would replace it, and elsewhere the next link moves up.

Who stays is settled by deferred acceptance (Gale & Shapley 1962, "College admissions and the
stability of marriage"): lists hold out their first links, articles above the ceiling turn down
those that lose least, and these hold out their next; until no article is above it.

>>> three = Candidates(np.array([[3, 4], [3, 4], [3, 4]]), np.array([[9, 1], [9, 8], [9, 5]]))
>>> bounded(three, 2, depth=1).items.tolist()
[[3, 4], [4, 3], [3, 4]]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.candidates import Candidates
from recommender.ragged import ranks

# Places that readers see, unless a page asks for another number.
DEPTH = 10
# Of a hundred lists, those that one article may stand in; and how many of the lists of a small site
# at least. Not tuned: set by what editors asked for.
DEFAULT_CEILING, LEAST = 10, 5
# ... and at least so many times the lists that it would stand in if all were listed alike: nearer
# to that, lists are made for evenness, not for readers (benchmarks/README.md, "Concentration").
LEAST_OVER_EVEN = 1.2


@dataclass(frozen=True, slots=True)
class Concentration:
    """A ``share`` in hundredths, the ceiling that it is on this site, in lists, and in how many
    lists the most listed article would stand ``before`` and stands ``after``, of ``n_lists``.
    """

    share: int
    ceiling: int
    n_lists: int
    before: int
    after: int

    def __str__(self) -> str:
        """A sentence without a capital or a full stop."""
        return (
            f"an article stands among the first {DEPTH} links of at most {self.ceiling:,} of "
            f"{self.n_lists:,} lists (RECOMMENDER_CEILING, {self.share} %), where others can stand "
            f"instead; the most listed one stands in {self.after:,}, and would in {self.before:,}"
        )


def limited(
    lists: Candidates, share: int, *, fixed: np.ndarray | None = None
) -> tuple[Candidates, Concentration]:
    """``bounded`` to a ``share`` of the lists, in hundredths, and an account of it."""
    ceiling = ceiling_of(lists, share)
    found = bounded(lists, ceiling, fixed=fixed)
    n_lists = int(lists.used.any(axis=1).sum())
    return found, Concentration(share, ceiling, n_lists, most_listed(lists), most_listed(found))


def ceiling_of(lists: Candidates, share: int, *, depth: int = DEPTH) -> int:
    """How many lists may hold one article among their first ``depth`` links: a ``share`` of them,
    in hundredths, but never fewer than ``LEAST`` or than ``LEAST_OVER_EVEN`` times an even share.
    """
    first = lists.first(depth).used
    n_targets = len(np.unique(lists.items[lists.used]))
    even = first.sum() / max(n_targets, 1)
    n_lists = int(first.any(axis=1).sum())
    ceiling = max(LEAST, n_lists * share // 100, int(np.ceil(LEAST_OVER_EVEN * even)))
    return min(ceiling, n_lists)


def most_listed(lists: Candidates, *, depth: int = DEPTH) -> int:
    """In how many lists the most listed article stands, among the first ``depth`` links."""
    first = lists.first(depth)
    return int(np.bincount(first.items[first.used]).max(initial=0))


def bounded(
    lists: Candidates, ceiling: int, *, fixed: np.ndarray | None = None, depth: int = DEPTH
) -> Candidates:
    """``lists``, best link first, with no article among the first ``depth`` links of more than
    ``ceiling``. What gives way goes to the end of its list, under the score of what stands above.

    A list gives up no more links than it has beyond the first ``depth``, and none that is
    ``fixed``, ``(n_sources, list_size)``: then, and only then, the ceiling does not hold.
    """
    if most_listed(lists, depth=depth) <= ceiling:
        return Candidates(lists.items, np.minimum.accumulate(lists.scores, axis=1))
    used = lists.used
    spare = used.sum(axis=1) - depth
    fixed = np.zeros_like(used) if fixed is None else fixed
    # Scores of one list compare with each other; those of two differ by what is liked beside them.
    replacement = lists.scores[:, depth : depth + 1] if used.shape[1] > depth else -np.inf
    margin = np.where(used, lists.scores, 0.0) - replacement
    left = np.zeros_like(used)
    while True:
        stays = used & ~left
        source, slot = np.nonzero(stays & (stays.cumsum(axis=1, dtype=np.int16) <= depth))
        item = lists.items[source, slot]
        times = np.bincount(item)[item]
        over = times > ceiling
        source, slot, item, times = source[over], slot[over], item[over], times[over]
        able = (spare[source] > 0) & ~fixed[source, slot]
        loss = np.where(able, margin[source, slot], np.inf)
        leaves = able & (ranks(item, loss) > ceiling)
        source, slot, times = source[leaves], slot[leaves], times[leaves]
        # Where there are links to spare for some only, what is listed most goes first.
        leaves = ranks(source, times) <= spare[source]
        source, slot = source[leaves], slot[leaves]
        if len(source) == 0:
            break
        left[source, slot] = True
        spare = spare - np.bincount(source, minlength=len(spare))
    arranged = lists.arranged(np.argsort(left + 2 * ~used, axis=1, kind="stable"))
    return Candidates(arranged.items, np.minimum.accumulate(arranged.scores, axis=1))
