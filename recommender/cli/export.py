"""The command of sites without a server of their own: lists as files."""

from __future__ import annotations

from pathlib import Path

import click

from recommender.cli.analysts import LENGTH, PATH, edited_bundle
from recommender.cli.output import here, quiet, warn
from recommender.progress import Shown
from recommender.terminal import say


@click.command("export")
@click.argument("folder", type=PATH, metavar="DIR")
@click.option(
    "--format",
    type=click.Choice(["json", "html", "pages"]),
    required=True,
    help="one file for all, a fragment an article, or the text pages with their lists replaced",
)
@click.option("-k", type=LENGTH, default=10, metavar="N", help="links a list; not for pages")
@quiet
def export(folder: Path, format: str, k: int) -> None:
    """Write the lists of all articles as files.

    \b
    example:
      recommender export out/ --format pages
    """
    from recommender.bundle import export as exporting
    from recommender.store.database import Store

    bundle, stored = edited_bundle(), []
    if format == "pages":
        with Store(here().database, writing=False) as store:
            stored = store.pages()
    with Shown() as progress:
        done = exporting.export(bundle, folder, format, stored=stored, k=k, progress=progress)
    say(f"{done.n_written:,} lists of bundle {bundle.name} written to {folder}")
    warn(done.left)
