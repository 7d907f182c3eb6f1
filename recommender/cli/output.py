"""What all commands share: settings and options, results on stdout, remarks on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from recommender.config import Settings, settings

# Not tuned: what a terminal shows at once.
MAX_NAMED = 20
COUNT = click.IntRange(min=1)  # one at least
as_json = click.option("--json", "as_json", is_flag=True, help="the result as JSON")


def here() -> Settings:
    """The settings in force for this process and folder."""
    return settings(os.environ, folder=Path.cwd())


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def print_json(content: Any) -> None:
    """One document for programs."""
    # What a terminal cannot write as it is would be lost to the program that reads it.
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json.dumps(content, ensure_ascii=plain, indent=2))


def warn(lines: Sequence[str], *, n_all: int = 0) -> None:
    """The first lines on stderr, and how many more there are, of ``n_all`` if not all are here."""
    for line in lines[:MAX_NAMED]:
        print(line, file=sys.stderr)
    if more := max(n_all, len(lines)) - min(MAX_NAMED, len(lines)):
        print(f"... and {more:,} more", file=sys.stderr)
