"""How many views that pages sent on one day may count, by what is usual; training bounds them so
(``clicks.influence``), and the service says beforehand how many that will leave out.

>>> beyond(900, usual=200.0)
100
"""

from __future__ import annotations

# A day may bring so many usual ones; and the days of four weeks together so many more, since now
# and then much happens. Not tuned: a campaign of 5,000 readers keeps what it gains on the sample
# site, of 550 views a day (benchmarks/README.md, "Attacks").
ALLOWED, BURST = 2.0, 2.0
# So many views count on any day, as many as a small site's has. Not tuned.
LEAST_VIEWS = 100.0


def beyond(n_views: int, *, usual: float | None) -> int:
    """How many of a day's views are more than count where no other day of the four weeks brought
    more than ``ALLOWED``. None where it is not known what is ``usual``.
    """
    if usual is None:
        return 0
    return max(0, n_views - round(max(LEAST_VIEWS, ALLOWED * usual) + BURST * usual))
