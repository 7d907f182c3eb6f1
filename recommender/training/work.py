"""Blocks of work: where they run, and what is kept of them, so that a training that was interrupted
goes on where it stopped.

A stage is a pure function of what all its blocks share and of one block. Without a folder, blocks
run in this process or in others of this machine, through joblib, and nothing is kept. With one,
each block of a long stage is written into it as it is done, under the digest of all it came from:
the code, what is shared, the block. A later training takes what is there. With a cluster the same
blocks run on its workers, which read and write the same folder: a scheduler passes names alone.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
from joblib import Parallel, delayed

import recommender
from recommender.errors import TrainingError
from recommender.progress import Progress, tracked

# Stages of fewer blocks are done again rather than kept: a site of some 30,000 articles takes
# about a minute.
MANY_BLOCKS = 8
SHARED = "shared.joblib"


@dataclass(frozen=True, slots=True)
class Work:
    """Where blocks run: in ``jobs`` processes, or on ``cluster``, given as what makes a
    ``Parallel`` that runs there. Finished blocks lie in ``folder``, which every worker of a
    cluster must see under this path; None keeps none.
    """

    folder: Path | None = None
    jobs: int = 2
    cluster: Callable[[], AbstractContextManager[Parallel]] | None = None

    def spread(
        self,
        stage: str,
        function: Callable[..., Any],
        shared: tuple[Any, ...],
        blocks: Sequence[tuple[Any, ...]],
        *,
        progress: Progress,
        threads: bool = False,
    ) -> Iterator[Any]:
        """``function(*shared, *block)`` of each block, in their order. With ``threads`` the
        function uses the cores itself, and on one machine blocks follow one another.

        ``TrainingError`` if a worker of a cluster has other code, or does not see the folder.
        """
        if self.folder and (self.cluster or len(blocks) >= MANY_BLOCKS):
            place = self.folder / f"{stage}-{joblib.hash((code_digest(), shared))}"
            yield from self._kept(place, function, shared, blocks, progress, threads=threads)
        elif threads or self.jobs == 1 or len(blocks) == 1:
            yield from (function(*shared, *block) for block in tracked(blocks, progress))
        else:
            run = Parallel(n_jobs=self.jobs, return_as="generator")
            results = run(delayed(function)(*shared, *block) for block in blocks)
            yield from tracked(results, progress)

    def _kept(
        self,
        place: Path,
        function: Callable[..., Any],
        shared: tuple[Any, ...],
        blocks: Sequence[tuple[Any, ...]],
        progress: Progress,
        *,
        threads: bool,
    ) -> Iterator[Any]:
        """Blocks that are written into ``place`` as they are done, and not done twice."""
        place.mkdir(parents=True, exist_ok=True)
        for other in place.parent.glob(place.name.partition("-")[0] + "-*"):
            if other != place:  # of a training with other input that never ended
                shutil.rmtree(other, ignore_errors=True)
        paths = [place / f"{number:06}-{joblib.hash(block)}" for number, block in enumerate(blocks)]
        missing = [at for at, path in enumerate(paths) if not path.exists()]
        progress.advance(len(blocks) - len(missing))
        if self.cluster is None and (threads or self.jobs == 1):
            for at in tracked(missing, progress):
                write_block(function, shared, blocks[at], paths[at])
        elif self.cluster is None:
            run = Parallel(n_jobs=self.jobs, return_as="generator_unordered")
            calls = (
                delayed(write_block)(function, shared, blocks[at], paths[at]) for at in missing
            )
            for _ in tracked(run(calls), progress):
                pass
        elif missing:
            if not (place / SHARED).exists():
                write(shared, place / SHARED)
            with self.cluster() as run:
                calls = (
                    delayed(work_block)(code_digest(), place, function, blocks[at], paths[at].name)
                    for at in missing
                )
                for _ in tracked(run(calls), progress):
                    pass
        for path in paths:
            yield joblib.load(path, mmap_mode="r")

    def clear(self) -> None:
        """Forget finished blocks: the training they were of is done."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def write_block(
    function: Callable[..., Any], shared: tuple[Any, ...], block: tuple[Any, ...], path: Path
) -> None:
    """What one block comes to, written under its name once it is whole."""
    write(function(*shared, *block), path)


def work_block(
    code: str, place: Path, function: Callable[..., Any], block: tuple[Any, ...], name: str
) -> None:
    """The same on a worker of a cluster, which reads what is shared from the folder ``place``.

    ``TrainingError`` if this worker has other code, or sees no such folder.
    """
    where = f"worker {platform.node()}, process {os.getpid()}"
    if code != code_digest():
        raise TrainingError(
            f"{where}: it has another version of recommender than this command; install the same"
        )
    if not (place / SHARED).is_file():
        raise TrainingError(
            f"{where}: it does not see {place}; set RECOMMENDER_WORK to a folder that every worker "
            "has under the same path"
        )
    # Another worker may have done it, if this one was given up for lost.
    if not (place / name).exists():
        write_block(function, _shared(place / SHARED), block, place / name)


@lru_cache(maxsize=1)
def _shared(path: Path) -> tuple[Any, ...]:
    """What blocks share, mapped into memory once a process."""
    shared: tuple[Any, ...] = joblib.load(path, mmap_mode="r")
    return shared


def write(value: Any, path: Path) -> None:
    """A value under its name, or not at all."""
    part = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}")
    joblib.dump(value, part)
    part.replace(path)


@lru_cache(maxsize=1)
def code_digest() -> str:
    """What tells one state of the library from another: nothing that other code made is taken."""
    digest = hashlib.sha256()
    package = Path(recommender.__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
