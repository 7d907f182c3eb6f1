"""The command that writes the notebooks out."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from recommender.terminal import remark, say


@click.command("notebooks")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option("--force", is_flag=True, help="overwrite what was changed")
def notebooks(folder: Path, force: bool) -> int:
    """Write the five notebooks into DIR, with this site in their first cell.

    \b
    example:
      recommender notebooks analysis/
    """
    from importlib.util import find_spec

    from recommender.notebooks.files import written
    from recommender.notebooks.place import in_force

    settings, said_by = in_force(os.environ, Path.cwd())
    done = written(folder, settings if said_by else None, force=force)
    if done.written:
        site = f"the site that {said_by} names" if said_by else "the sample site"
        say(f"{len(done.written)} notebooks written to {folder}, for {site}:")
        say(*(f"  {name}" for name in done.written))
        if find_spec("jupyterlab") is None:
            say(
                "To open them, install Jupyter: in the project's folder, "
                "pip install '.[notebooks]'; then run:"
            )
        else:
            say("To open them, run:")
        say(f"  jupyter lab {shlex.quote(str(folder))}")
    for name in done.kept:
        remark(f"{folder / name}: changed since it was written, and kept; --force overwrites it")
    return 1 if done.kept else 0
