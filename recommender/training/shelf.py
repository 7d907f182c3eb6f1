"""A folder of values that several machines can see: a path, or a place that fsspec reaches.

Values are written whole or not at all. Arrays are mapped into memory as they are read, so that
processes of one machine share them; from an object store they are fetched once a process.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib

from recommender.errors import MissingExtra


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folder ``place``: a path, or an address such as ``s3://bucket/work`` (the extra
    ``objects``). Names are plain, without slashes.
    """

    place: str

    @property
    def is_remote(self) -> bool:
        """Whether fsspec reaches it."""
        return "://" in self.place

    @property
    def may_be_written(self) -> bool:
        """Whether this process may write there, or make the folder; unknown of an object store."""
        if self.is_remote:
            return True
        folder = Path(self.place).absolute()
        there = next(path for path in (folder, *folder.parents) if path.exists())
        return there.is_dir() and os.access(there, os.W_OK)

    def at(self, name: str) -> Shelf:
        """A folder in it."""
        return Shelf(f"{self.place.rstrip('/')}/{name}")

    def names(self) -> set[str]:
        """What lies in it, folders included; nothing if it does not exist."""
        if self.is_remote:
            files, root = _reached(self.place)
            files.invalidate_cache()
            found: Iterable[str] = files.ls(root, detail=False) if files.exists(root) else ()
            return {name.rstrip("/").rpartition("/")[2] for name in found}
        folder = Path(self.place)
        return {path.name for path in folder.iterdir()} if folder.is_dir() else set()

    def put(self, value: Any, name: str) -> None:
        """Keep a value under this name."""
        if self.is_remote:
            with tempfile.TemporaryDirectory() as scratch:
                joblib.dump(value, Path(scratch) / name)
                files, root = _reached(self.place)
                files.makedirs(root, exist_ok=True)
                files.put_file(str(Path(scratch) / name), f"{root}/{name}")
            return
        folder = Path(self.place)
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{name}.{platform.node()}.{os.getpid()}"
        joblib.dump(value, part)
        part.replace(folder / name)

    def get(self, name: str) -> Any:
        """The value of this name, its arrays mapped into memory. ``FileNotFoundError`` if there is
        none.
        """
        if not self.is_remote:
            return joblib.load(Path(self.place) / name, mmap_mode="r")
        files, root = _reached(self.place)
        scratch = Path(tempfile.mkdtemp())
        try:
            files.get_file(f"{root}/{name}", str(scratch / name))
            # What is mapped stays as long as it is used, without a name.
            return joblib.load(scratch / name, mmap_mode="r")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def remove(self, names: Iterable[str] | None = None) -> None:
        """Forget these names, folders with all in them; without names, the whole folder."""
        places = [self.place] if names is None else [self.at(name).place for name in names]
        for place in places:
            if self.is_remote:
                files, root = _reached(place)
                files.invalidate_cache()
                if files.exists(root):
                    files.rm(root, recursive=True)
            elif Path(place).is_dir():
                shutil.rmtree(place, ignore_errors=True)
            else:
                Path(place).unlink(missing_ok=True)


@lru_cache(maxsize=4)
def _file_system(protocol: str) -> Any:
    """The file system of addresses that begin so."""
    try:
        import fsspec
    except ModuleNotFoundError as exc:
        raise MissingExtra(f"{protocol}://", extra="objects") from exc
    return fsspec.filesystem(protocol)


def _reached(place: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    protocol = place.partition("://")[0]
    files = _file_system(protocol)
    return files, files._strip_protocol(place)
