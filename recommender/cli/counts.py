"""The command that counts a log for training elsewhere, or prints how a warehouse does."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from recommender.cli.operators import caps_of
from recommender.cli.output import here, moment, quiet
from recommender.terminal import say


@click.command("counts")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--sql", "as_sql", is_flag=True, help="print the statement instead")
@click.option("--until", type=moment, metavar="TS", help="leave out views from then on")
@quiet
def counts(file: Path | None, as_sql: bool, until: datetime | None) -> None:
    """Count the store's log into a Parquet FILE that train --counts takes.

    With --sql: print the statement that does the same where the log is, on PostgreSQL, DuckDB or
    Spark, under the caps of the settings. What it reads and writes stands in the manual.

    \b
    example:
      recommender counts --sql
    """
    if (file is None) == (not as_sql):
        raise click.UsageError("give a FILE to write to, or --sql")
    settings = here()
    end, caps = int(until.timestamp() * 1000) if until else None, caps_of(settings)
    if file is None:
        from recommender.store.counting_statement import statement

        say(*statement(until=end, caps=caps).splitlines())
        return
    from recommender.store.counts_file import write
    from recommender.store.database import Store

    with Store(settings.database, writing=False) as store:
        n = write(store, file, until=end, caps=caps)
    say(f"{n:,} rows of counts written to {file}: recommender train --counts {file}")
