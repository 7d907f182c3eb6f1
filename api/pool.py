"""Threads for what takes long, and a short line in front of them.

Lists that are ready are answered by the event loop itself and never stand in this line. Nor should
they stand behind Python's one interpreter for long: a thread is asked to hand it on every
``SWITCH_SECONDS``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from recommender_api.http import overloaded

# A request for a ready list waits so long for a thread that ranks a text, ten times less than is
# usual; benchmarks/limits.py has what it brings.
SWITCH_SECONDS = 0.0005
Made = TypeVar("Made")


class Pool:
    """``n_threads`` threads; ``most`` jobs are under way or wait, and no more are taken."""

    def __init__(self, name: str, *, n_threads: int, most: int) -> None:
        self.most = most
        self.n_jobs = 0
        self._threads = ThreadPoolExecutor(n_threads, thread_name_prefix=name)

    def is_full(self) -> bool:
        """Is no further job taken?"""
        return self.n_jobs >= self.most

    async def run(self, job: Callable[[], Made]) -> Made:
        """What the job makes; ``Refusal`` if too many wait already."""
        if self.is_full():
            raise overloaded("Too many are asking for what takes long.")
        self.n_jobs += 1
        done = asyncio.get_running_loop().run_in_executor(self._threads, job)
        # A job goes on when whoever asked for it is gone, so it counts until it ends.
        done.add_done_callback(self._ended)
        return await asyncio.shield(done)

    def _ended(self, job: asyncio.Future[Made]) -> None:
        self.n_jobs -= 1
        if not job.cancelled():
            job.exception()

    def close(self) -> None:
        """Take nothing any more; what waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def share_interpreter() -> None:
    """Have threads of this process hand on the interpreter soon."""
    sys.setswitchinterval(min(SWITCH_SECONDS, sys.getswitchinterval()))
