"""How far long work has come. Work reports to a ``Progress``; who watches decides what to draw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from rich.progress import TaskID

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
        # What draws is loaded where something is drawn, which a server does not.
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.progress import Progress as Bar

        from recommender.terminal import bars

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


def tracked(items: Iterable[Item], progress: Progress, *, every: int = 1) -> Iterator[Item]:
    """``items``, with steps reported after each, or after ``every`` so many: a million reports take
    longer than what is reported.
    """
    number = 0
    for number, item in enumerate(items, start=1):
        yield item
        if number % every == 0:
            progress.advance(every)
    if number % every:
        progress.advance(number % every)
