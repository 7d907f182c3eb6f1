"""Bundles that somebody changed and sealed again, as anybody can: the sums are right."""

import hashlib
import io
import json
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from recommender.bundle.arrays import PACKED
from recommender.bundle.registry import MANIFEST

Change = Callable[[Path], object]


def sealed(folder: Path, **about: Any) -> None:
    """Give the folder a manifest of what is in it, with some fields of its ``about`` changed."""
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    files = [path for path in sorted(folder.iterdir()) if path.name != MANIFEST]
    content["files"] = {
        path.name: {
            "size": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in files
    }
    content.update(about)
    content.pop("sum", None)
    content["sum"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(content), encoding="utf-8")


def with_values(name: str, value: float, where: Any = slice(None)) -> Change:
    """Put a value into an array of the bundle."""

    def change(folder: Path) -> None:
        array = _opened(folder, name)
        array[where] = value
        np.save(folder / f"{name}.npy", array)
        sealed(folder)

    return change


def _opened(folder: Path, name: str) -> np.ndarray:
    """An array of the bundle, which is removed if it is packed: a plain one is read as well."""
    packed = folder / f"{name}{PACKED}"
    if not packed.exists():
        return np.asarray(np.load(folder / f"{name}.npy"))
    whole = zlib.decompress(packed.read_bytes())
    shape, _, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(whole[8:]))
    first = len(whole) - math.prod(shape) * dtype.itemsize
    body = np.frombuffer(whole[first:], np.uint8)
    packed.unlink()
    return np.frombuffer(body.reshape(dtype.itemsize, -1).T.tobytes(), dtype).reshape(shape).copy()


def with_array(name: str, of: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Put another array in the place of one of the bundle's."""

    def change(folder: Path) -> None:
        np.save(folder / f"{name}.npy", of(_opened(folder, name)))
        sealed(folder)

    return change


def with_about(**about: Any) -> Change:
    """Change fields of the manifest."""
    return lambda folder: sealed(folder, **about)
