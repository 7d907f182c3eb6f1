"""Blocks of work: where they run, and what is kept of them, so that a training that was interrupted
goes on where it stopped.

A stage is a pure function of what all its blocks share and of one block. Without a shelf, blocks
run in this process or in others of this machine, through joblib, and nothing is kept. With one,
each block of a long stage is put there as it is done, under the digest of all it came from: the
code, what is shared, the block. A later training takes what is there. With a cluster the same
blocks run on its workers, which read from and write to the same shelf: schedulers pass names alone.
"""

from __future__ import annotations

import hashlib
import os
import platform
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
from joblib import Parallel, delayed

import recommender
from recommender.errors import TrainingError
from recommender.progress import Progress, tracked
from recommender.training.cluster import Cluster
from recommender.training.shelf import Shelf

# Stages of fewer blocks are done again rather than kept, and in this process: a site of some 30,000
# articles takes about a minute, and processes that start first import as much as they then save.
MANY_BLOCKS = 8
SHARED, INPUT, KEPT = "shared", "input-", "kept-"
# Seconds between two looks at what the workers of a cluster have done.
WATCHED = 0.5


@dataclass(frozen=True, slots=True)
class Work:
    """Where blocks run: in ``jobs`` processes, or on a ``cluster``. Finished blocks lie on the
    ``shelf``, which every worker of a cluster must see at this place; None keeps none.
    """

    shelf: Shelf | None = None
    jobs: int = 2
    cluster: Cluster | None = None

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

        ``TrainingError`` if a worker of a cluster has other code, or does not see the shelf.
        """
        if self.shelf and (self.cluster or len(blocks) >= MANY_BLOCKS):
            yield from self._kept(self.shelf, stage, function, shared, blocks, progress, threads)
        elif threads or self.jobs == 1 or len(blocks) < MANY_BLOCKS:
            yield from (function(*shared, *block) for block in tracked(blocks, progress))
        else:
            run = Parallel(n_jobs=self.jobs, return_as="generator")
            results = run(delayed(function)(*shared, *block) for block in blocks)
            yield from tracked(results, progress)

    def _kept(
        self,
        shelf: Shelf,
        stage: str,
        function: Callable[..., Any],
        shared: tuple[Any, ...],
        blocks: Sequence[tuple[Any, ...]],
        progress: Progress,
        threads: bool,
    ) -> Iterator[Any]:
        """Blocks that are put away as they are done, and not done twice."""
        folder = f"{stage}-{joblib.hash((code_digest(), shared))}"
        # Others are of a training with other input that never ended.
        shelf.remove(
            other for other in shelf.names() if other.startswith(f"{stage}-") and other != folder
        )
        place = shelf.at(folder)
        names = [f"{number:06}-{joblib.hash(block)}" for number, block in enumerate(blocks)]
        known = place.names()
        missing = [at for at, name in enumerate(names) if name not in known]
        progress.advance(len(blocks) - len(missing))
        if self.cluster is not None:
            self._on_cluster(
                self.cluster, place, function, shared,
                {names[at]: blocks[at] for at in missing}, progress,
            )  # fmt: skip
        elif threads or self.jobs == 1:
            for at in tracked(missing, progress):
                put_block(function, shared, blocks[at], place, names[at])
        else:
            run = Parallel(n_jobs=self.jobs, return_as="generator_unordered")
            calls = (
                delayed(put_block)(function, shared, blocks[at], place, names[at]) for at in missing
            )
            for _ in tracked(run(calls), progress):
                pass
        for name in names:
            yield place.get(name)

    def _on_cluster(
        self,
        cluster: Cluster,
        place: Shelf,
        function: Callable[..., Any],
        shared: tuple[Any, ...],
        blocks: dict[str, tuple[Any, ...]],
        progress: Progress,
    ) -> None:
        """Have the workers of a cluster do blocks, given by the names of their results."""
        if not blocks:
            return
        if SHARED not in place.names():
            place.put(shared, SHARED)
        for name, block in blocks.items():
            place.put(block, INPUT + name)
        with cluster.joined(__name__, function.__module__), _watched(place, blocks, progress):
            run = Parallel()
            calls = (delayed(work_block)(code_digest(), place, function, name) for name in blocks)
            for fault in run(calls):
                if fault:
                    raise TrainingError(fault)
        place.remove(INPUT + name for name in blocks)

    @contextmanager
    def resumed(
        self, stage: str, shared: object
    ) -> Iterator[tuple[Any, Callable[[Any], None] | None]]:
        """The state in which a stage was when it was interrupted, None if it was not, and what
        keeps a later one. ``shared`` is all that the stage comes from.
        """
        if self.shelf is None:
            yield None, None
            return
        shelf, name = self.shelf, f"{stage}-{joblib.hash((code_digest(), shared))}"
        yield (
            (shelf.get(name) if name in shelf.names() else None),
            lambda state: shelf.put(state, name),
        )

    def kept(self, what: str = "") -> Any:
        """What the last training kept for this one, None if nothing: what other code kept is not
        even read.
        """
        name = KEPT + code_digest() + what
        return self.shelf.get(name) if self.shelf and name in self.shelf.names() else None

    def keep(self, value: object, what: str = "") -> None:
        """Keep something for the next training."""
        if self.shelf:
            self.shelf.put(value, KEPT + code_digest() + what)

    def forget(self) -> None:
        """Take nothing from trainings before."""
        if self.shelf:
            self.shelf.remove()

    def clear(self) -> None:
        """Forget finished blocks: the training they were of is done."""
        if self.shelf:
            names = self.shelf.names()
            kept = {name for name in names if name.startswith(KEPT + code_digest())}
            self.shelf.remove(names - kept if kept else None)


@contextmanager
def _watched(place: Shelf, names: Collection[str], progress: Progress) -> Iterator[None]:
    """Report the results of these names as they appear."""
    done = threading.Event()

    def watch() -> None:
        n = 0
        while n < len(names):
            ended = done.wait(WATCHED)
            here = len(place.names().intersection(names))
            progress.advance(here - n)
            n = here
            if ended:
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def put_block(
    function: Callable[..., Any],
    shared: tuple[Any, ...],
    block: tuple[Any, ...],
    place: Shelf,
    name: str,
) -> None:
    """What one block comes to, under its name once it is whole."""
    place.put(function(*shared, *block), name)


def work_block(code: str, place: Shelf, function: Callable[..., Any], name: str) -> str:
    """The same on a worker of a cluster, which reads all it needs from ``place``.

    Returns what is amiss, as a sentence: not every backend brings an error home as it was.
    """
    where = f"worker {platform.node()}, process {os.getpid()}"
    if code != code_digest():
        return f"{where}: it has another version of recommender than this command; install the same"
    try:
        # Another worker may have done it, if this one was given up for lost.
        there = place.names()
        if name in there:
            return ""
        if SHARED not in there:
            return (
                f"{where}: it does not see {place.place}; set RECOMMENDER_WORK to a folder that "
                "every worker has under the same path, or to an object store"
            )
        put_block(function, _shared(place), place.get(INPUT + name), place, name)
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is said where the command runs
        return f"{where}: {type(exc).__name__}: {exc}"
    return ""


@lru_cache(maxsize=1)
def _shared(place: Shelf) -> tuple[Any, ...]:
    """What blocks share, mapped into memory once a process."""
    shared: tuple[Any, ...] = place.get(SHARED)
    return shared


@lru_cache(maxsize=1)
def code_digest() -> str:
    """What tells one state of the library from another: nothing that other code made is taken."""
    digest = hashlib.sha256()
    package = Path(recommender.__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
