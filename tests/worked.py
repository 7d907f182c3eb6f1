"""Blocks of work that workers of a cluster import by name."""

import os
import signal
import time
from pathlib import Path

import numpy as np


def squared(folder: Path, seconds: float, values: np.ndarray, number: int) -> np.ndarray:
    """The squares, after a while; leaves a note of the process that begins the block."""
    with (folder / f"begun-{number}").open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)
    return values**2


def dies(number: int) -> None:
    """A block that no process outlives."""
    os.kill(os.getpid(), signal.SIGKILL)
