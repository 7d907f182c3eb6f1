"""Words in a cell: sentences, and that work goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from recommender.escaping import markdown

# Seconds before a cell says that it works, and between two signs of life.
PATIENCE, EVERY = 2.0, 1.0


def say(*sentences: str) -> None:
    """Show sentences as a paragraph; they are Markdown, so what others wrote goes through
    ``quoted`` first.
    """
    from IPython.display import Markdown, display

    display(Markdown(" ".join(sentences)))


def quoted(text: str) -> str:
    """A title or name as it is, whatever signs it has."""
    return markdown(text)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say that ``what`` goes on, and for how long, while the block does not end. Work that is done
    in ``PATIENCE`` seconds leaves no trace; what a cell shows comes after its last such block.
    """
    from IPython.display import Pretty, clear_output, display

    done = threading.Event()
    began = time.monotonic()
    shown = []

    def tell() -> None:
        if done.wait(PATIENCE):
            return
        handle = display(Pretty(f"{what} ..."), display_id=True)
        shown.append(handle)
        while handle is not None and not done.wait(EVERY):
            handle.update(Pretty(f"{what} ... {time.monotonic() - began:.0f} s"))

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if shown:
            clear_output()
