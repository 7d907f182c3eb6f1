"""What commands say: results on stdout, remarks on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

MAX_NAMED = 20


def say(text: str) -> None:
    """A line for people."""
    print(text)


def say_json(content: Any) -> None:
    """One document for programs."""
    # What a terminal cannot write as it is would be lost to the program that reads it.
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json.dumps(content, ensure_ascii=plain, indent=2))


def warn(lines: Iterable[str], *, n_all: int) -> None:
    """The first lines on stderr, and how many more there are."""
    for n_said, line in enumerate(lines):
        if n_said == MAX_NAMED:
            print(f"... and {n_all - MAX_NAMED:,} more", file=sys.stderr)
            break
        print(line, file=sys.stderr)
