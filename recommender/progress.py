"""How far long work has come. Work reports to a ``Progress``; who watches decides what to draw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Protocol, Self, TypeVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bar

from recommender.terminal import bars

Item = TypeVar("Item")


class Progress(Protocol):
    """Hears of each stage as it begins, of its steps (None: unknown), and of each step done."""

    def stage(self, name: str, total: int | None = None) -> None: ...
    def advance(self, steps: int = 1) -> None: ...


class Silent:
    """Nobody watches."""

    def stage(self, name: str, total: int | None = None) -> None:
        """A new stage begins."""

    def advance(self, steps: int = 1) -> None:
        """Some steps of the stage are done."""


class Shown:
    """Bars on stderr, one a stage; plain text stays clean for pipes. Where stderr is no terminal,
    as in a timed job, nobody watches, and none are drawn.
    """

    def __init__(self) -> None:
        console = bars()
        self.bar = Bar(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self.task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._finish()
        if self.task is not None:
            self.bar.stop()

    def stage(self, name: str, total: int | None = None) -> None:
        if self.task is None:  # before it, there is nothing to draw, not even an empty line
            self.bar.start()
        self._finish()
        self.task = self.bar.add_task(name, total=total)

    def advance(self, steps: int = 1) -> None:
        if self.task is not None:
            self.bar.advance(self.task, steps)

    def _finish(self) -> None:
        if self.task is not None:
            done = self.bar.tasks[-1].completed
            self.bar.update(self.task, total=max(done, 1), completed=max(done, 1))


def tracked(items: Iterable[Item], progress: Progress) -> Iterator[Item]:
    """``items``, with a step reported after each."""
    for item in items:
        yield item
        progress.advance()
