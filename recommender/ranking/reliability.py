"""Do stated chances come true? Links by the chance stated for them, beside what was followed.

>>> looked, clicks = np.array([100.0, 100.0]), np.array([10.0, 32.0])
>>> round(reliability(np.array([0.1, 0.3]), looked, clicks).error, 3)
0.01
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaincinv

if TYPE_CHECKING:
    import pandas as pd

N_BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Links by stated chance, in bins that were looked at equally often: the mean chance
    ``stated``, the share ``followed``, the bounds of its exact 95 % interval for counts (Garwood
    1936), and ``looked``, the looks: views times examination.
    """

    stated: np.ndarray
    followed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    looked: np.ndarray

    @property
    def error(self) -> float:
        """How far stated chances are from what was followed, bin by bin, in the mean over looks:
        the expected calibration error of Naeini, Cooper & Hauskrecht (AAAI 2015).
        """
        gap = self.looked * np.abs(self.stated - self.followed)
        return float(gap.sum() / max(self.looked.sum(), 1e-12))

    def frame(self) -> pd.DataFrame:
        """One row a bin: ``stated``, ``followed``, ``low``, ``high``, ``views`` (those looked)."""
        import pandas as pd

        columns = {name: getattr(self, name) for name in ("stated", "followed", "low", "high")}
        return pd.DataFrame({**columns, "views": self.looked})


def reliability(stated: np.ndarray, looked: np.ndarray, clicks: np.ndarray) -> Reliability:
    """Hold stated chances against clicks over looks, link by link."""
    stated, looked, clicks = (part[looked > 0] for part in (stated, looked, clicks))
    order = np.argsort(stated, kind="stable")
    middle = np.cumsum(looked[order]) - looked[order] / 2
    number = np.empty(len(order), dtype=np.int64)
    number[order] = middle / max(looked.sum(), 1e-12) * N_BINS
    _, number = np.unique(number, return_inverse=True)
    looks, due, made = (
        np.bincount(number, weights=part) for part in (looked, looked * stated, clicks)
    )
    low = np.where(made > 0, gammaincinv(np.maximum(made, 1e-12), 0.025), 0.0)
    high = gammaincinv(made + 1, 0.975)
    return Reliability(due / looks, made / looks, low / looks, high / looks, looks)
