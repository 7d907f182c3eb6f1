"""How a process leaves: it first says that it is not ready, and answers on while others notice.

A balancer looks at ``/health/ready`` every few seconds. Who stops listening at once drops what is
sent to him until the next look; so after SIGTERM the probe is 503 for ``drain_seconds``, all else
is answered as before, and only then does the server stop accepting and finish what is under way.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from types import FrameType

logger = logging.getLogger("api")


class Leaving:
    """``is_near`` from SIGTERM on."""

    def __init__(self, drain_seconds: int) -> None:
        self.drain_seconds = drain_seconds
        self.is_near = False

    def watch(self) -> None:
        """Come before the server's own handler of SIGTERM; to be called in its loop."""
        handler = signal.getsignal(signal.SIGTERM)
        if not self.drain_seconds or not callable(handler):
            return
        loop = asyncio.get_running_loop()
        stop = handler

        def leave(number: int, frame: FrameType | None) -> None:
            if self.is_near:  # who asks twice is in a hurry
                stop(number, frame)
                return
            self.is_near = True
            logger.info("leaving in %d s: not ready from now on", self.drain_seconds)
            loop.call_soon_threadsafe(loop.call_later, self.drain_seconds, stop, number, None)

        try:
            signal.signal(signal.SIGTERM, leave)
        except ValueError:  # no main thread: whoever runs us there ends us in another way
            return
