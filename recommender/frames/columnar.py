"""The types of data frames' columns, also of those that are empty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def texts(values: Iterable[str]) -> Any:
    """An array of the type that pandas has for texts, also if there are none."""
    import pandas as pd

    return pd.array([*values], dtype=pd.Series([""]).dtype)


def moments(values: Iterable[int]) -> Any:
    """Milliseconds since 1970 as datetime64[ms, UTC]."""
    import pandas as pd

    column = np.array(values, dtype=np.int64).astype("datetime64[ms]")
    return pd.Series(column).dt.tz_localize("UTC")


def categories(codes: Sequence[int] | np.ndarray, known: list[str]) -> Any:
    """Texts by their number among those that are known."""
    import pandas as pd

    kind = pd.CategoricalDtype(pd.Index(texts(known)))
    return pd.Categorical.from_codes(np.array(codes, dtype=np.int64), dtype=kind)


def objects(values: Iterable[Any]) -> np.ndarray:
    """An array that refers to lists, of which numpy would make a table if it could."""
    return np.fromiter(values, dtype=object)
