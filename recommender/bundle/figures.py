"""What happened on a site, as figures beside its bundles: made by a command, only looked up here.

    models/
    ├── figures.json          what ``evaluation.site_figures`` found, one JSON
    └── figures-links.npy     of every pair of page and link how often it was shown and followed

Both are replaced whole, so that a reader sees one state or the other. Pairs are rows of whole
numbers ``(n_pairs, 4)``: the store's numbers of page and link, shown, followed; sorted by page, so
that the rows of one page are found in the mapped file without reading the rest.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sql

from recommender.bundle.registry import replace_file
from recommender.errors import BundleError
from recommender.store.database import Store

FILE, LINKS = "figures.json", "figures-links.npy"
# Raised whenever a field comes, goes or changes its meaning: pages rely on all of them.
VERSION = 1
# What a site of any size stays below, many times over; more is no file of ours.
MAX_BYTES = 32 * 1024 * 1024
# The command that renews them.
COMMAND = "recommender figures"


def write(models: Path, content: dict[str, Any], links: np.ndarray) -> None:
    """Write both files, each whole or not at all; ``links`` is ``(n_pairs, 4)``."""
    models.mkdir(parents=True, exist_ok=True)
    scratch = models / f".{LINKS}.{os.getpid()}.{threading.get_ident()}"
    with scratch.open("wb") as file:
        # Columns in one piece each, so that a search reads a few places of the first alone.
        np.save(file, np.asfortranarray(links, dtype=np.int32))
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(models / LINKS)
    text = json.dumps({"version": VERSION, **content}, ensure_ascii=False, allow_nan=False)
    replace_file(models / FILE, text + "\n")


def read(models: Path) -> dict[str, Any] | None:
    """The figures, None where none were made yet. ``BundleError`` if they cannot be read."""
    path = models / FILE
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BundleError(f"{path}: larger than {MAX_BYTES:,} bytes; run: {COMMAND}")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as exc:
        raise BundleError(f"{path}: cannot be read: {exc}; run: {COMMAND}") from exc
    version = content.get("version") if isinstance(content, dict) else None
    if version != VERSION:
        raise BundleError(f"{path}: made by another release; run: {COMMAND}")
    found: dict[str, Any] = content
    return found


def state(models: Path) -> tuple[int, int] | None:
    """What differs as soon as the figures are others, None where there are none."""
    try:
        found = (models / FILE).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def links_of(models: Path, store: Store, source: str) -> dict[str, tuple[int, int]]:
    """Of each link that was ever shown beside the article ``source``, by its id, how often it was
    shown and followed, up to when the figures were made; empty where nothing is known. One look-up
    in the mapped file and two in the store, by their keys.
    """
    try:
        pairs = np.lib.format.open_memmap(models / LINKS, mode="r")
    except (OSError, ValueError, EOFError):
        return {}
    if pairs.ndim != 2 or pairs.shape[1] != 4 or pairs.dtype != np.int32:
        return {}
    with store.reading() as connection:
        key = connection.scalar(sql.text("SELECT key FROM ids WHERE id = :id"), {"id": source})
        if key is None:
            return {}
        # Of another type, or in pieces, all of the column would be copied first.
        ends = np.array([key, key + 1], dtype=np.int32)
        first, last = np.searchsorted(pairs[:, 0], ends)
        rows = {int(item): (int(n), int(m)) for _, item, n, m in pairs[first:last].tolist()}
        query = sql.text("SELECT key, id FROM ids WHERE key IN :keys")
        query = query.bindparams(sql.bindparam("keys", expanding=True))
        ids = connection.execute(query, {"keys": [*rows]}).all() if rows else []
    return {row.id: rows[row.key] for row in ids}
