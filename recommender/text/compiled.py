"""How loops are compiled by numba: once, for arrays of any origin, cached where we may write.

No loop is compiled for several threads, which takes numba seconds and hundreds of megabytes more:
loops let go of Python's lock, and ``over_rows`` runs one over pieces of its rows, side by side.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import Any

import numba
import numpy as np

from recommender.text.threads import fixed, n_threads

# Rows from which on threads share them: fewer take less time than it takes to start threads,
# at 1 to 20 microseconds a row.
MANY_ROWS = 20_000
# Pieces a thread has, so that none waits long for the others. Not tuned.
PIECES = 4


def _cache_folder() -> str | None:
    """Where numba keeps what it compiled; "" where numba itself would: beside this file or where
    ``NUMBA_CACHE_DIR`` says. Where that cannot be written, in the user's folder of caches, and None
    if there is no such folder either.
    """
    if numba.config.CACHE_DIR or _may_write(Path(__file__).parent / "__pycache__"):
        return ""
    named = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    try:
        folder = Path(named or "~/.cache").expanduser() / "recommender" / "compiled"
    except RuntimeError:  # nobody knows where the user is at home
        return None
    return str(folder) if folder.is_absolute() and _may_write(folder) else None


def _may_write(folder: Path) -> bool:
    """Is it a folder, or can it be made one, in which files can be made?"""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


CACHE_FOLDER = _cache_folder()


def compiled(loop: Callable[..., Any]) -> Any:
    """The loop, compiled when it is called first, and read from the cache in later processes."""
    before = numba.config.CACHE_DIR
    if CACHE_FOLDER:
        numba.config.CACHE_DIR = CACHE_FOLDER
    try:
        return numba.njit(nogil=True, error_model="numpy", cache=CACHE_FOLDER is not None)(loop)
    finally:
        numba.config.CACHE_DIR = before


def untyped(loop: Callable[..., Any]) -> Callable[..., Any]:
    """The loop, called with what it may be, as compiled ones are: numba has the types."""
    return loop


def plain(argument: Any) -> Any:
    """``fixed``, if it is an array."""
    return fixed(argument) if isinstance(argument, np.ndarray) else argument


def over_rows(n_by_row: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a loop whose last ``n_by_row`` arguments and whose result have one entry a row. Many
    rows are cut into pieces, which threads work at side by side; the result is the same.
    """

    def decorated(loop: Callable[..., Any]) -> Callable[..., Any]:
        serial = compiled(loop)

        @wraps(loop)
        def chosen(*arguments: Any) -> Any:
            whole = [plain(each) for each in arguments]
            shared, by_row = whole[:-n_by_row], whole[-n_by_row:]
            # Numbers of rows come in 32 and in 64 bits; one version of the loop does for both.
            by_row = [
                plain(each.astype(np.int64)) if each.dtype == np.int32 and each.ndim == 1 else each
                for each in by_row
            ]
            n = len(by_row[0])
            threads = n_threads() if n >= MANY_ROWS else 1
            if threads == 1:
                return serial(*shared, *by_row)
            ends = np.linspace(0, n, threads * PIECES + 1).astype(int)
            pieces = [slice(*each) for each in pairwise(ends)]
            found = side_by_side(
                lambda piece: serial(*shared, *(each[piece] for each in by_row)), pieces, threads
            )
            return np.concatenate(found)

        chosen.serial = serial  # type: ignore[attr-defined]
        return chosen

    return decorated


def side_by_side(job: Callable[[Any], Any], pieces: list[Any], threads: int) -> list[Any]:
    """What the job makes of each piece, in order; ``threads`` work at a time."""
    if threads == 1 or len(pieces) < 2:
        return [job(piece) for piece in pieces]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(job, pieces))
