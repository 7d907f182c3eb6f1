"""The command line: ``recommender --help``. The one place that reads the clock and the environment.

Every command takes its settings from ``RECOMMENDER_*`` or ``recommender.toml``, says what it did
as a table for people or, with ``--json``, for programs, and exits with 0 when it is done, 1 when
the work could not be done (the reason on stderr, in one line), 2 for wrong usage.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from recommender.cli.parsers import command_parser
from recommender.config import settings
from recommender.errors import RecommenderError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    # Trees are fitted by threads that would otherwise spin while they wait for one another.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        # A title a terminal cannot write must not end the command that shows it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    wanted = command_parser().parse_args(arguments)
    try:
        wanted.settings = settings(os.environ, folder=Path.cwd())
        status = wanted.run(wanted)
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


def _failed(reason: str, *, status: int = 1) -> int:
    print(f"recommender: {' '.join(reason.split())}", file=sys.stderr)
    return status
