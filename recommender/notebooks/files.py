"""The notebooks as files: where they are, and copies of them for a site.

A copy has the settings in force in its first cell and no outputs, since those are of the sample
site. What a person changed since it was written is kept unless they say otherwise.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

import recommender
from recommender.bundle import registry
from recommender.config import Settings
from recommender.errors import InputError

# Beside the package in a checkout, within it where it was installed.
FOLDERS = ("notebooks/originals", "../notebooks")
# Where a copy keeps the sum of what was written.
MARK = "recommender"


@dataclass(frozen=True, slots=True)
class Written:
    """Names of the files that were ``written``, and of those that were ``kept`` as they are:
    changed since, or not ours.
    """

    written: tuple[str, ...]
    kept: tuple[str, ...]


def sources() -> list[Path]:
    """The notebooks that come with the package, in their order."""
    home = Path(recommender.__file__).parent
    for folder in FOLDERS:
        if found := sorted((home / folder).resolve().glob("[0-9]-*.ipynb")):
            return found
    raise InputError(f"{home}: the notebooks are not there; install the package anew")


def written(folder: Path, settings: Settings | None, *, force: bool = False) -> Written:
    """Copies in ``folder``, which is made, for the site of the ``settings``, whose paths are whole;
    None leaves the first cell as it is. One that is there and was changed is kept unless ``force``.
    ``InputError`` if they would take the place of those that are copied.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done, kept = [], []
    for source in sources():
        target = folder / source.name
        if target.resolve() == source:
            raise InputError(f"{folder}: the notebooks are copied from there; name another folder")
        if target.exists() and not force and is_changed(target):
            kept.append(source.name)
            continue
        registry.replace_file(target, copy_of(source, settings))
        done.append(source.name)
    return Written(tuple(done), tuple(kept))


def copy_of(source: Path, settings: Settings | None) -> str:
    """A notebook with this site in its first cell, without outputs, and the sum of it all."""
    book = json.loads(source.read_text(encoding="utf-8"))
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    for cell in code:
        cell |= {"outputs": [], "execution_count": None}
    first = "".join(code[0]["source"])
    for name, value in _filled_in(settings).items():
        before = f'{name} = ""'
        if before not in first:
            raise InputError(f"{source}: its first cell has no line {before}")
        first = first.replace(before, f"{name} = {json.dumps(value, ensure_ascii=False)}", 1)
    code[0]["source"] = first.splitlines(keepends=True)
    book["metadata"][MARK] = {"sum": sum_of(book)}
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def is_changed(path: Path) -> bool:
    """Whether a file is no copy of ours, or somebody wrote into its cells; that it was run, so that
    there are outputs, is no change.
    """
    try:
        book = json.loads(path.read_text(encoding="utf-8"))
        return bool(book["metadata"][MARK]["sum"] != sum_of(book))
    except (ValueError, KeyError, TypeError, OSError):
        return True


def sum_of(book: dict[str, Any]) -> str:
    """The SHA-256 sum of what the cells say, outputs aside."""
    cells = [[cell["cell_type"], "".join(cell["source"])] for cell in book["cells"]]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def _filled_in(settings: Settings | None) -> dict[str, str]:
    """What stands in the first cell; a password is left to the settings, where it is safer than in
    a file that is passed on.
    """
    if settings is None:
        return {}
    try:
        secret = make_url(settings.database).password is not None
    except ArgumentError:
        secret = False
    return {"database": "" if secret else settings.database, "models": str(settings.models)}
