"""The editors' rules that hold here: those of the file, and those of the console beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from recommender.cli.output import here, is_absent, warn
from recommender.config import Settings
from recommender.errors import StoreError
from recommender.lists.local_times import NoDate, moment_of

if TYPE_CHECKING:
    from recommender.lists.editorial import Rules
    from recommender.store.database import Store


def day(text: str) -> datetime:
    """The first moment of a day of the site's time zone, or a time."""
    try:
        moment = moment_of(text, here().zone)
    except NoDate as exc:
        raise click.BadParameter(str(exc), param_hint="--at") from None
    if moment is None:
        raise click.BadParameter(f"no day that was: {text!r}", param_hint="--at")
    return moment


def rules_of(settings: Settings, store: Store | None) -> Rules:
    """The rules of the file and of the store."""
    from recommender.lists import rules_file

    return rules_file.of_site(settings.editorial, store, zone=settings.zone)


@contextmanager
def store_here(settings: Settings, *, without: str) -> Iterator[Store | None]:
    """The store, to read from; None if there is none. One that is out of reach is none too, and it
    is said that ``without`` it something is not known, and the console's rules are not.
    """
    from recommender.store.database import Store
    from recommender.store.rules import read

    store = None
    if not is_absent(settings.database):
        try:
            store = Store(settings.database, writing=False)
            read(store)
        except StoreError as exc:
            if store is not None:
                store.close()
                store = None
            warn([f"{exc}; {without} is not known, nor are the rules of the console"])
    try:
        yield store
    finally:
        if store is not None:
            store.close()
