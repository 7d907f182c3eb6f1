"""How loops are called: on how many threads, as many as there are cores or fewer on demand; and
with which kind of arrays.

>>> with at_most(1):
...     n_threads()
1
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

_limit: ContextVar[int | None] = ContextVar("limit", default=None)


def n_threads() -> int:
    """Cores this process may use, by affinity and container, but no more than ``at_most`` says."""
    limit = _limit.get()
    if limit == 1:
        return 1
    # Loaded where there is much to do: the service answers without it.
    from joblib import cpu_count

    cores = int(cpu_count())
    return cores if limit is None else min(limit, cores)


@contextmanager
def at_most(jobs: int) -> Iterator[None]:
    """Within this, loops called from this thread use no more than ``jobs`` threads."""
    if jobs < 1:
        raise ValueError(f"{jobs} threads; there must be one at least")
    before = _limit.set(jobs)
    try:
        yield
    finally:
        _limit.reset(before)


def fixed(array: np.ndarray) -> np.ndarray:
    """The array as loops take it: of consecutive entries, not to be written to, a plain array where
    it is mapped from a file. For each other kind of array a loop would be compiled anew.
    """
    if type(array) is np.ndarray and array.flags.c_contiguous and not array.flags.writeable:
        return array
    seen = np.ascontiguousarray(array).view(np.ndarray)
    seen.flags.writeable = False
    return seen
