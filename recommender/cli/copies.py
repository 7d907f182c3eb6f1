"""Bundles of an object store on the command line: what a command reads is fetched before it begins,
and what it made is sent when it ends.
"""

from __future__ import annotations

import json
import select
import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from recommender.bundle import experiments, object_store, registry
from recommender.cli.output import here, warn
from recommender.config import Settings
from recommender.errors import RecommenderError, SettingsError
from recommender.terminal import say

# How often the pointers are read, and how often all that stands beside the bundles; so long at most
# until a fault is tried again. A read costs money: at two seconds, a dollar a month.
POLL_SECONDS, LOOK_SECONDS, MOST_SECONDS = 2.0, 60.0, 30.0
# Copies beside the live one: the one that rollback would go to, and one that came just now.
N_COPIES = 2


def with_copies(command: click.Command) -> click.Command:
    """The command, or every command of a group, on the bundles of the settings' object store, if
    there is one.
    """
    if isinstance(command, click.Group):
        for each in command.commands.values():
            with_copies(each)
    elif command.callback is not None:
        command.callback = _on_copies(command.callback)
    return command


def _on_copies(callback: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(callback)
    def run(*arguments: Any, **options: Any) -> Any:
        store = object_store.of(here())
        if store is None:
            return callback(*arguments, **options)
        store.pull()
        _fetch_named(store, str((arguments, options)))
        try:
            done = callback(*arguments, **options)
        except BaseException:
            # What was made before the fault is there for others too.
            try:
                store.send()
            except RecommenderError as exc:
                warn([f"not sent: {exc}"])
            raise
        store.send()
        return done

    return run


def _fetch_named(store: object_store.ObjectStore, given: str) -> None:
    """Fetch the bundles that a command names, and the one that it may go back to."""
    for name in store.names():
        if name in given:
            store.fetch(name)


def pruned(settings: Settings, *, keep: int) -> list[str]:
    """Delete all bundles but the newest, and those that are needed; returns what went."""
    frozen = experiments.frozen(settings.models)
    store = object_store.of(settings)
    if store is None:
        return registry.prune(settings.models, keep=keep, frozen=frozen)
    # What is live here may not be there yet.
    store.send()
    return store.prune(keep=keep, frozen=frozen)


def before_rollback(settings: Settings) -> None:
    """Fetch the bundle that ``rollback`` would go to."""
    if (store := object_store.of(settings)) is not None:
        there = set(store.names())
        live = registry.current(settings.models)
        history = [name for name in registry.history(settings.models) if name != live]
        if name := next((name for name in reversed(history) if name in there), None):
            store.fetch(name)


@click.command("follow")
@click.option("--with-parent", is_flag=True, help="end when standard input is closed")
def follow(with_parent: bool) -> None:
    """Keep the copies like the object store of RECOMMENDER_MODELS_URL, until stopped.

    `recommender serve` does so by itself. A new bundle is fetched aside, compared with its sums,
    and then made live here; while the store is out of reach, what is live here stays so.

    \b
    example:
      recommender models follow
    """
    settings = here()
    if (store := object_store.of(settings)) is None:
        raise SettingsError("RECOMMENDER_MODELS_URL is not set: there is nothing to follow")
    seen: object = None
    looked, n_faults, said = -LOOK_SECONDS, 0, None
    while True:
        fault, moment = None, time.monotonic()
        try:
            pointers = store.pointers()
            if pointers != seen or moment >= looked + LOOK_SECONDS:
                store.pull()
                registry.prune(
                    settings.models, keep=N_COPIES, frozen=experiments.frozen(settings.models)
                )
                if pointers != seen:
                    say(f"{store.place}: {pointers[0] or 'no bundle'} is live")
                seen, looked = pointers, moment
            n_faults = 0
        except (RecommenderError, OSError) as exc:
            fault, n_faults = str(exc), n_faults + 1
            if fault != said:
                warn([fault])
        said = fault
        text = json.dumps({"at": time.time(), "fault": fault})
        registry.replace_file(settings.models / object_store.STATUS, text + "\n")
        if _is_over(min(MOST_SECONDS, POLL_SECONDS * 2 ** min(n_faults, 10)), with_parent):
            return


def _is_over(seconds: float, with_parent: bool) -> bool:
    """Has our parent gone within so many seconds? It holds the other end of our input."""
    if not with_parent:
        time.sleep(seconds)
        return False
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready)
