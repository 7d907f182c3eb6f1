"""What all commands share: settings, options, the time, and lists of remarks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recommender.config import Settings, settings
from recommender.terminal import hush, remark
from recommender.times import parse_time

if TYPE_CHECKING:
    from recommender.store.database import Store

# Not tuned: what a terminal shows at once.
MAX_NAMED = 20
COUNT = click.IntRange(min=1)  # one at least
as_json = click.option("--json", "as_json", is_flag=True, help="the result as JSON")


def _hushed(_: click.Context, __: click.Parameter, is_quiet: bool) -> None:
    if is_quiet:
        hush()


quiet = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_hushed,
    help="say only what is wrong, on stderr: for timed jobs, which mail what is said",
)


def here() -> Settings:
    """The settings in force for this process and folder."""
    return settings(os.environ, folder=Path.cwd())


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def moment(text: str) -> datetime:
    """A time, in UTC."""
    try:
        return parse_time(text)
    except ValueError:
        raise click.BadParameter(f"no time: {text!r}; 2026-11-22T10:00:00Z is one") from None


def warn(lines: Sequence[str], *, n_all: int = 0) -> None:
    """The first lines on stderr, and how many more there are, of ``n_all`` if not all are here."""
    remark(*lines[:MAX_NAMED])
    if more := max(n_all, len(lines)) - min(MAX_NAMED, len(lines)):
        remark(f"... and {more:,} more")


def warn_of_new(store: Store) -> None:
    """Say where a store was made: in another folder than the others' it is of no use to anybody."""
    if store.was_made:
        warn([f"made a new store: {store.place}"])


def is_absent(database: str) -> bool:
    """Is it a file that is not there?"""
    from sqlalchemy.engine import make_url

    url = make_url(database)
    if url.get_backend_name() != "sqlite":
        return False
    return not url.database or not Path(url.database).exists()
