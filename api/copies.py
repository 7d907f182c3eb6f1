"""The copies of an object store's bundles on this machine: somebody has to keep them up to date.

That is a process of its own, ``recommender models follow``: drivers of object stores need more
memory than the whole service, and fetching a bundle must not make a reader wait. One worker of a
machine starts it, whoever gets the lock; it ends with that worker, and another takes over. What is
served is read from the copies as from any folder, so that an outage there is one for new bundles
alone.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from recommender.bundle import activation, registry
from recommender.bundle.object_store import FOLLOWER, STATUS
from recommender.config import Settings, environment_of
from recommender.errors import BundleError

# Between two looks at the process, and until one that ended is started anew.
LOOK_SECONDS, AGAIN_SECONDS = 1.0, 5.0
# A look at the store ends within seconds, also in vain; only fetching takes longer.
STALE_SECONDS = 60.0
# A bundle of gigabytes is fetched, tried and made live in less, or the editor is not answered.
ACTIVATE_SECONDS = 300
COMMAND = "import sys; from recommender.cli.main import main; sys.exit(main(sys.argv[1:]))"

logger = logging.getLogger("api")


class Copies:
    """Keeps the copies of ``settings.models_url`` in ``settings.models``, if there is a URL."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.models
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None
        self._began = 0.0
        self._status: dict[str, object] = {}

    def poll(self) -> float:
        """See to it that somebody keeps them; seconds until the next time."""
        if self._lock is None:
            self._lock = _locked(self.folder)
        if self._lock is not None and (self._process is None or self._process.poll() is not None):
            if self._process is not None:
                status = self._process.returncode
                logger.error("what follows the object store has ended with status %s", status)
            self._start()
            return AGAIN_SECONDS
        self._read()
        return LOOK_SECONDS

    def fault(self) -> str | None:
        """Why new bundles cannot come, None if they can."""
        if not self.settings.models_url:
            return None
        fault = self._status.get("fault")
        if fault:
            return f"{fault} (new bundles have to wait)"
        at = self._status.get("at", self._began)
        if isinstance(at, float) and time.time() > at + STALE_SECONDS and at:
            return "the object store has not answered for a minute (new bundles have to wait)"
        return None

    def close(self) -> None:
        """End the process, if it is ours."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def names(self) -> list[str]:
        """The bundles that are here."""
        return registry.names(self.folder)

    def activate(self, name: str) -> None:
        """Make a bundle live, for all who share it. ``BundleError`` names what is wrong."""
        if self.settings.models_url:
            self._command("activate", name)
        else:
            activation.activate(self.folder, name)

    def rollback(self) -> None:
        """Make the bundle live that was before, for all who share it."""
        if self.settings.models_url:
            self._command("rollback")
        else:
            activation.rollback(self.folder)

    def _command(self, *words: str) -> None:
        try:
            done = subprocess.run(  # noqa: S603 - our own command
                [sys.executable, "-c", COMMAND, "models", *words],
                env={**os.environ, **environment_of(self.settings)}, check=False,
                capture_output=True, text=True, timeout=ACTIVATE_SECONDS, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise BundleError(f"no answer from the object store in {ACTIVATE_SECONDS} s") from None
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["it ended without a reason"]
            raise BundleError(lines[-1].removeprefix("recommender: "))

    def _start(self) -> None:
        command = [sys.executable, "-c", COMMAND, "models", "follow", "--with-parent"]
        self._began = time.time()
        # It ends when its input does: whatever becomes of us.
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            command, env={**os.environ, **environment_of(self.settings)}, stdin=subprocess.PIPE
        )

    def _read(self) -> None:
        try:
            found = json.loads((self.folder / STATUS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if isinstance(found, dict):
            self._status = found


def _locked(folder: Path) -> IO[bytes] | None:
    """The lock of who keeps the copies, None if another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / FOLLOWER).open("wb")
    try:
        import fcntl
    except ImportError:  # Windows, where one process serves
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
