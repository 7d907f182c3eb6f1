"""Comparisons of two bundles that a command made and kept beside them, to be looked up.

    models/comparisons/OLD--NEW.json

Bundles never change, so a comparison of their lists stays true; which of them is better was judged
by the log of that day.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recommender.bundle.registry import inside, replace_file
from recommender.errors import BundleError

FOLDER = "comparisons"
# What a comparison of any two bundles stays below, many times over.
MAX_BYTES = 4 * 1024 * 1024


def file_of(models: Path, old: str, new: str) -> Path:
    """Where the comparison of two bundles stands; ``BundleError`` for names that are none."""
    for name in (old, new):
        inside(models, name)
    return models / FOLDER / f"{old}--{new}.json"


def write(models: Path, old: str, new: str, content: dict[str, Any]) -> None:
    """Keep a comparison, whole or not at all."""
    path = file_of(models, old, new)
    path.parent.mkdir(exist_ok=True)
    replace_file(path, json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


def read(models: Path, old: str, new: str) -> dict[str, Any] | None:
    """The comparison from one bundle to another, None if none was kept. ``BundleError`` if it
    cannot be read.
    """
    path = file_of(models, old, new)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BundleError(f"{path}: larger than {MAX_BYTES:,} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as exc:
        raise BundleError(f"{path}: cannot be read: {exc}") from exc
    if not isinstance(content, dict):
        raise BundleError(f"{path}: this is no comparison")
    return content
