"""The pages of the console: one row a page, in the order of the menu."""

from __future__ import annotations

from collections.abc import Callable

from recommender_api.console import (
    bundles,
    finding,
    happened,
    listed,
    rules,
    rules_files,
    sign_in,
    worst,
)
from recommender_api.console.app import Console

PAGES: tuple[Callable[[Console], None], ...] = (
    sign_in.add,
    finding.add,
    listed.add,
    rules.add,
    rules_files.add,
    worst.add,
    happened.add,
    bundles.add,
)


def add(console: Console) -> None:
    """Give the console all of its pages."""
    for page in PAGES:
        page(console)
