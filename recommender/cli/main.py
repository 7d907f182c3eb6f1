"""The command line: ``recommender --help``. The one place that reads the clock and the environment.

Every command takes its settings from ``RECOMMENDER_*`` or ``recommender.toml``, reports what it did
as a table for people or, with ``--json``, for programs, and exits with 0 when it is done, 1 when
the work could not be done (the reason on stderr, in one line), 2 for wrong usage. The commands
stand in ``analysts`` and ``operators``, each with its options and what it does.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import click

from recommender import __version__
from recommender.cli import (
    analysts,
    audit,
    backup,
    copies,
    counts,
    experiment,
    export,
    figures,
    judge,
    notebooks,
    operators,
    rules,
    user,
)
from recommender.errors import RecommenderError
from recommender.terminal import remark


class Commands(click.Group):
    """All commands, in the order they are first needed; what fails ends in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> int:
        try:
            status = super().invoke(ctx)
            sys.stdout.flush()
        except RecommenderError as exc:
            return _failed(str(exc))
        except BrokenPipeError:  # the reader of our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except OSError as exc:
            return _failed(f"{exc.filename or 'system'}: {exc.strerror or exc}")
        except KeyboardInterrupt:
            return _failed("interrupted; nothing half-made was kept", status=130)
        return int(status or 0)


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True}
)
@click.version_option(__version__, message="%(version)s")
def commands() -> None:
    """Related-article lists learned from text and clicks.

    \b
    For words completed by the tab key, in ~/.bashrc (or zsh, fish):
      eval "$(_RECOMMENDER_COMPLETE=bash_source recommender)"
    """


# What they read or make are bundles, which may be on an object store.
for command in (
    operators.validate,
    operators.train,
    analysts.related,
    export.export,
    analysts.evaluate,
    analysts.compare,
    audit.audit,
    rules.rules,
    figures.figures,
    experiment.experiment,
    judge.judge,
    operators.models,
    backup.backup,
    backup.restore,
):
    copies.with_copies(command)
# But who follows it.
operators.models.add_command(copies.follow)
for command in (
    analysts.importing,
    operators.validate,
    operators.train,
    counts.counts,
    operators.forget,
    analysts.related,
    export.export,
    analysts.evaluate,
    analysts.compare,
    audit.audit,
    rules.rules,
    figures.figures,
    experiment.experiment,
    judge.judge,
    notebooks.notebooks,
    operators.models,
    backup.backup,
    backup.restore,
    user.user,
    operators.serve,
    operators.demo,
):
    commands.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    # Trees are fitted by threads that would otherwise spin while they wait for one another.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        # A title a terminal cannot write must not end the command that shows it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        return int(commands.main(arguments, prog_name="recommender", standalone_mode=False) or 0)
    except click.UsageError as exc:
        shown = io.StringIO()
        exc.show(shown)
        remark(*shown.getvalue().splitlines())
        return exc.exit_code


def _failed(reason: str, *, status: int = 1) -> int:
    remark(f"recommender: {' '.join(reason.split())}")
    return status
