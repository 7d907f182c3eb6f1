"""The one place that writes to a terminal; what comes from elsewhere is made safe on the way.

Results go to stdout, remarks to stderr, a line each. Nobody else prints or makes a table: see
``escaping`` for what a title may do to a terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any, Self

import click
from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.console import Console
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from recommender.escaping import json_text, terminal

try:
    import termios
    import tty
except ImportError:  # not on Windows
    termios = None  # type: ignore[assignment]

Cell = str | Text
# Longer lines are tiring to read.
MAX_WIDTH = 88
# What a command's context keeps if only what is wrong is to be shown.
HUSHED = "recommender.hushed"


def hush() -> None:
    """From now on the command under way shows no results, only remarks on what is wrong."""
    click.get_current_context().meta[HUSHED] = True


def is_hushed() -> bool:
    """Is a command under way that shows no results?"""
    context = click.get_current_context(silent=True)
    return context is not None and HUSHED in context.meta


def say(*lines: object) -> None:
    """Lines on stdout."""
    if is_hushed():
        return
    for line in lines:
        print(terminal(str(line)))
    sys.stdout.flush()


def remark(*lines: object) -> None:
    """Lines on stderr."""
    for line in lines:
        print(terminal(str(line)), file=sys.stderr)


def say_json(content: Any) -> None:
    """One document for programs, on stdout."""
    # What a terminal cannot write as it is would be lost to the program that reads it.
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json_text(json.dumps(content, ensure_ascii=plain, indent=2)))


def styled(text: str, style: str) -> Text:
    """A text in a style of ours; it has no markup of its own."""
    return Text(terminal(text), style=style)


def stacked(lines: Iterable[str], *, style: str = "") -> Text:
    """Lines of one cell, those below the first in a ``style``."""
    shown = [terminal(line) for line in lines]
    return Text("\n").join(
        Text(line, style=style if number else "") for number, line in enumerate(shown)
    )


def below(first: str, second: str) -> Text:
    """A figure, and what is beside it in small below."""
    return stacked((first, second), style="dim")


class Table(RichTable):
    """A table of texts; none of them is markup, whatever brackets it holds."""

    def __init__(self, title: str = "", *, is_plain: bool = False) -> None:
        super().__init__(
            title=_shown(title) if title else None,
            title_justify="left",
            box=SIMPLE_HEAD if is_plain else HEAVY_HEAD,
        )

    def add_column(self, header: Any = "", footer: Any = "", **options: Any) -> None:
        """A column by its head, and its foot."""
        super().add_column(_shown(header), _shown(footer), **options)

    def add_row(self, *cells: Any, **options: Any) -> None:
        """A row of texts."""
        super().add_row(*map(_shown, cells), **options)


def passage(text: str, *, style: str = "", indent: int = 0) -> Constrain:
    """A text, line by line, in a style of ours, no wider than it reads well."""
    lines = Text("\n").join(styled(line, style) for line in text.splitlines())
    return Constrain(Padding(lines, (0, 0, 0, indent), expand=False), MAX_WIDTH)


class Keys:
    """Keys as they are pressed, while it is open; those pressed ahead wait for their turn. Of what
    is no terminal, each line is a key.
    """

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.is_terminal = sys.stdin.isatty()
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        # For as long as keys are read: in between, those pressed ahead would be lost.
        if self.is_terminal and termios is not None:
            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin, termios.TCSADRAIN)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)
            self._before = None

    def next(self, prompt: str) -> str:
        """The next key, ``Enter`` being none. ``EOFError`` at the end."""
        print(terminal(prompt), end=" ", flush=True)
        if not self.is_terminal:
            line = sys.stdin.readline()
            print()
            if not line:
                raise EOFError
            return line.strip()[:1]
        if not self.waiting:
            # Arrows and the like are several signs, and one key.
            pressed = self._pressed()
            self.waiting = [pressed] if pressed.startswith("\x1b") else [*pressed]
        key = self.waiting.pop(0)
        print(key if key.isprintable() else "")
        if key == "\x04":
            raise EOFError
        return key.strip()

    def _pressed(self) -> str:
        if self._before is None:
            return click.getchar()
        read = os.read(sys.stdin.fileno(), 64)
        if not read:
            raise EOFError
        return read.decode(errors="replace")

    def line(self, prompt: str) -> str:
        """A line that is written."""
        if not self.is_terminal:
            print(terminal(prompt))
            return sys.stdin.readline().strip()
        self.__exit__()
        try:
            return input(f"{terminal(prompt)} ").strip()
        finally:
            self.__enter__()


def show(*parts: Table | Text | Constrain) -> None:
    """Tables, and texts between them, on stdout."""
    if is_hushed():
        return
    Console().print(*parts, sep="\n")


def bars() -> Console:
    """Where bars of progress are drawn: beside results, so that these stay clean for pipes."""
    return Console(stderr=True)


def _shown(cell: Cell) -> Text:
    return Text(terminal(cell)) if isinstance(cell, str) else cell
