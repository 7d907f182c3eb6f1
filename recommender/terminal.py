"""The one place that writes to a terminal; what comes from elsewhere is made safe on the way.

Results go to stdout, remarks to stderr, a line each. Nobody else prints or makes a table: see
``escaping`` for what a title may do to a terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from recommender.escaping import json_text, terminal

Cell = str | Text


def say(*lines: object) -> None:
    """Lines on stdout."""
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


def show(*parts: Table | Text) -> None:
    """Tables, and texts between them, on stdout."""
    Console().print(*parts, sep="\n")


def bars() -> Console:
    """Where bars of progress are drawn: beside results, so that these stay clean for pipes."""
    return Console(stderr=True)


def _shown(cell: Cell) -> Text:
    return Text(terminal(cell)) if isinstance(cell, str) else cell
