"""Events out of files, one at a time, so that a log of any size passes through.

>>> reader = EventReader([Path("nowhere.jsonl")])
Traceback (most recent call last):
recommender.errors.InputError: nowhere.jsonl: no such file or folder
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from recommender.errors import EventError
from recommender.events import Event, parse
from recommender.importing import Tolerance
from recommender.progress import Progress, Silent
from recommender.records import Problem, files_in, format_of, read_records

# The first so many are told; the rest are counted.
MAX_PROBLEMS = 1_000
RECORDS_PER_STEP = 10_000


class EventReader:
    """The events in files and folders, to hand to ``Store.add_events``.

    What could not be read is in ``problems`` (the first thousand) and ``n_bad``. If that is more
    than ``tolerance`` bears, ``TooManyBadRecords`` is raised after the last event: the store then
    undoes them all.
    """

    def __init__(
        self,
        paths: list[Path],
        *,
        kind: str = "auto",
        tolerance: Tolerance | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.files = [(path, format_of(path) if kind == "auto" else kind)
                      for path in files_in(paths, kind)]  # fmt: skip
        self.tolerance = tolerance or Tolerance()
        self.progress = progress or Silent()
        self.problems: list[Problem] = []
        self.n_bad = 0
        self.n_records = 0

    def __iter__(self) -> Iterator[Event]:
        self.problems, self.n_bad, self.n_records = [], 0, 0
        # One big file shows its records, many files show how many are done.
        many = len(self.files) > 1
        self.progress.stage("reading events", len(self.files) if many else None)
        for path, kind in self.files:
            for step, found in zip(count(1), read_records(path, kind), strict=False):
                self.n_records += 1
                if not many and step % RECORDS_PER_STEP == 0:
                    self.progress.advance(RECORDS_PER_STEP)
                if isinstance(found, Problem):
                    self._note(found)
                    continue
                try:
                    event = parse(found.fields, where=found.where)
                except EventError as exc:
                    self._note(Problem(str(exc)))
                else:
                    yield event
            self.progress.advance(1 if many else self.n_records % RECORDS_PER_STEP)
        if self.n_records == 0:
            self.n_records = 1
            self._note(Problem(f"{', '.join(str(path) for path, _ in self.files)}: no event in it"))
        self.tolerance.check(self.problems, self.n_records, n_bad=self.n_bad)

    def _note(self, problem: Problem) -> None:
        self.n_bad += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
