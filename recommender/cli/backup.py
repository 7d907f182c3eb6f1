"""The commands that keep a site safe: one file of all that nothing can make again, and back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recommender.bundle import activation, registry
from recommender.cli.output import as_json, here, now, quiet, warn
from recommender.config import FILE, PREFIX, Settings
from recommender.errors import StoreError
from recommender.terminal import say, say_json

if TYPE_CHECKING:
    from recommender.store.backup import Backup

PATH = click.Path(path_type=Path)
EDITORIAL, MODELS = "editorial.csv", "models"
# Where the settings of a backup are written if they differ from those that are here, and its rules
# if theirs is no place to write to.
OTHER_SETTINGS, OTHER_RULES = "recommender.restored.toml", "editorial.restored.csv"


AS_THEN = (
    "accounts, roles, passwords and the signing key are as they were at the backup, and everybody "
    "has to sign in: look at recommender user list, and change passwords that were changed since; "
    "if the key leaked since, set a new RECOMMENDER_SIGNING_KEY, RECOMMENDER_PREVIOUS_KEY_HOURS=0, "
    "and restart"
)


@click.command("backup")
@click.argument("file", type=PATH, metavar="FILE")
@click.option("--bundle", "with_bundle", is_flag=True, help="also the live bundle, if it is large")
@quiet
@as_json
def backup(file: Path, with_bundle: bool, as_json: bool) -> None:
    """Write the store, editorial.csv and recommender.toml to one file, while the server runs.

    The file is an SQLite database, also of a store in PostgreSQL, for its owner's eyes alone: the
    signing key is in it. Bundles can be trained anew from it; --bundle saves the time.

    \b
    example:
      recommender backup backup-2026-11-22.db
    """
    from recommender.store.backup import write
    from recommender.store.database import Store

    settings = here()
    beside = {EDITORIAL: settings.editorial, FILE: Path(FILE)}
    files = {name: path for name, path in beside.items() if path.is_file()}
    if with_bundle:
        folder = registry.resolve(settings.models)
        registry.verify(folder)
        files |= {f"{MODELS}/{folder.name}/{path.name}": path for path in sorted(folder.iterdir())}
    with Store(settings.database, writing=False, older=True) as store:
        file.parent.mkdir(parents=True, exist_ok=True)
        about = write(store, file, files=files, now=now())
    outside = [name for name in sorted(os.environ) if name.startswith(PREFIX)]
    if as_json:
        say_json({**_summary(about), "bytes": file.stat().st_size, "settings_outside": outside})
        return
    _warn_of(about)
    say(f"{file}: {_counts(about)}; {file.stat().st_size / 1e6:,.1f} MB, whole and checked")
    if outside:
        say(f"settings of the environment are not in it: {', '.join(outside)}")


@click.command("restore")
@click.argument("file", type=PATH, metavar="FILE")
@click.option("--force", is_flag=True, help="replace a store, rules or both that are there")
@quiet
@as_json
def restore(file: Path, force: bool, as_json: bool) -> None:
    """Put a backup in the place of what is here, in the store and folder of the settings.

    The file is checked first. What is there is whole until the new takes its place in one step; a
    server that runs goes on with it within a second. A backup of one engine goes into the other.

    \b
    example:
      recommender restore backup-2026-11-22.db --force
    """
    from recommender.store import backup as backups

    settings = here()
    about = backups.read(file)
    there = _there(settings, file, about)
    if there and not force:
        raise StoreError(f"{'; '.join(there)}: --force replaces what is there by {file}")
    bundle = _put_bundle(settings, file, about)
    damaged = backups.restore(file, settings.database)
    # From here on nothing may stop what is left to do.
    warn(_put_files(settings, file, about))
    if bundle is not None:
        activation.activate(settings.models, bundle)
    _warn_of(about)
    if damaged:
        warn([f"{damaged}: the store that was here is damaged, and kept"])
    if as_json:
        say_json(_summary(about))
        return
    say(f"restored as of {about.made}: {_counts(about)}")
    say(AS_THEN)
    say(f"{bundle} is live" if bundle else "no bundle is in it; run: recommender train")


def _there(settings: Settings, file: Path, about: Backup) -> list[str]:
    """What would be lost."""
    from recommender.store import backup as backups
    from recommender.store.engine import masked

    found = []
    if backups.holds_something(settings.database):
        found.append(f"{masked(settings.database)} is a store with something in it")
    rules = settings.editorial
    if EDITORIAL in about.files and rules.exists() and not backups.same(file, EDITORIAL, rules):
        found.append(f"{rules} is another")
    return found


def _put_files(settings: Settings, file: Path, about: Backup) -> list[str]:
    """Restore the files that differ from those that are here; what is to be told of them."""
    from recommender.store import backup as backups

    told = []
    rules, beside = settings.editorial, settings.models
    if EDITORIAL in about.files and not backups.same(file, EDITORIAL, rules):
        place, reason = _put(file, EDITORIAL, [rules, beside / OTHER_RULES], private=False)
        if place is None:
            told.append(f"{rules}: the rules of the backup are NOT restored: {reason}")
        elif place != rules:
            told.append(f"{place}: the rules of the backup, to be put in place by you: {reason}")
    if FILE in about.files and not backups.same(file, FILE, Path(FILE)):
        places = [Path(OTHER_SETTINGS), beside / OTHER_SETTINGS]
        place, reason = _put(file, FILE, places, private=True)
        said = f"{OTHER_SETTINGS}: cannot be written: {reason}"
        if place is not None:
            said = f"{place}: the settings of the backup; those in force here are others"
        told.append(said)
    return told


def _put(
    file: Path, name: str, places: Sequence[Path], *, private: bool
) -> tuple[Path | None, str]:
    """Write a file of a backup to the first of ``places`` that takes it; which, None for none, and
    why it was not the first.
    """
    from recommender.store.backup import write_out

    reason = ""
    for place in places:
        try:
            write_out(file, name, place, private=private)
        except (OSError, StoreError) as exc:
            reason = reason or str(exc)
        else:
            return place, reason
    return None, reason


def _warn_of(about: Backup) -> None:
    """Say what is in the file, and is no part of a store."""
    warn([f"{each}: no part of a store, so it is not restored" for each in about.strange])


def _put_bundle(settings: Settings, file: Path, about: Backup) -> str | None:
    """Publish the bundle of a backup, if there is one and it is not here; returns its name."""
    from recommender.store.backup import write_out

    files = [name.split("/") for name in about.files if name.startswith(f"{MODELS}/")]
    if not files:
        return None
    name = files[0][1]
    is_one = {tuple(parts[:-1]) for parts in files} == {(MODELS, name)}
    if not is_one or any(parts[-1].startswith(".") or not parts[-1] for parts in files):
        raise StoreError(f"{file}: what it has of bundles is not the files of one")
    target = registry.inside(settings.models, name)
    if not target.exists():
        with registry.scratch_folder(settings.models, name) as scratch:
            for *_, part in files:
                write_out(file, f"{MODELS}/{name}/{part}", scratch / part)
            registry.verify(scratch)
            scratch.rename(target)
    # Before the store is replaced, not after: without a bundle lists would be of another store.
    if not os.access(settings.models, os.W_OK):
        raise StoreError(f"{settings.models}: cannot be written, so {name} cannot be made live")
    return name


def _summary(about: Backup) -> dict[str, object]:
    beside = {name: size for name, size in about.files.items() if "/" not in name}
    bundles = {name.split("/")[1] for name in about.files.keys() - beside.keys()}
    return {
        "made": about.made, "store": about.name, "articles": about.articles,
        "views": about.views, "clicks": about.clicks, "files": beside,
        "bundle": next(iter(bundles), None),
    }  # fmt: skip


def _counts(about: Backup) -> str:
    files = [name for name in about.files if not name.startswith(f"{MODELS}/")]
    bundle = ["a bundle"] if len(files) < len(about.files) else []
    return ", ".join([
        f"{about.articles:,} articles", f"{about.views:,} views", f"{about.clicks:,} clicks",
        *files, *bundle,
    ])  # fmt: skip
