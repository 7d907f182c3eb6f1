"""Events read out of files, one at a time, so that a log of any size passes through.

>>> EventReader([Path("nowhere.jsonl")])
Traceback (most recent call last):
recommender.errors.InputError: nowhere.jsonl: no such file or folder
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, islice
from math import inf
from pathlib import Path
from typing import Any, cast

from recommender.articles.addresses import Finder
from recommender.errors import ClockError, EventError, InputError, TooManyBadRecords
from recommender.events.columns import Columns, InColumns
from recommender.events.event import EARLIEST, Event, check_time, latest_at
from recommender.events.formats.base import Format, Reasons, Skip, Translator
from recommender.events.formats.detect import Plain, event_files
from recommender.files import (
    Problem,
    Record,
    Rows,
    Tolerance,
    read_batches,
    read_records,
)
from recommender.progress import Progress, Silent

# The first so many are kept; the rest are counted.
MAX_PROBLEMS = 1_000
# Of one big file progress is shown so often: some three times a second.
RECORDS_PER_STEP = 10_000
# Some seconds of work, so that little is lost, and other writers need not wait for long.
BLOCK = 100_000
# One clock in a hundred that is wrong is a reader's; more are the site's, or this machine's.
MAX_AHEAD = 0.01
# What can be in columns; a few of a batch are cheaper taken out of them one by one. Not tuned.
IN_COLUMNS, FEW = ("jsonl", "parquet"), 0.01
# Enough that two logs differ in it: some hundred lines.
HEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Mark:
    """The first ``n_records`` of a file are in the store, with ``n_events`` events.

    ``n_bytes`` and ``digest`` are of the file's beginning, and ``size`` is how long it was when its
    end was reached; 0 while it has not been.
    """

    n_bytes: int
    digest: str
    size: int = 0
    n_events: int = 0
    n_records: int = 0

    def is_of(self, path: Path) -> bool:
        """Whether the file still begins as it did."""
        return _head(path, self.n_bytes) == (self.n_bytes, self.digest)

    def ends(self, path: Path) -> bool:
        """Whether the whole file has been imported."""
        return 0 < self.size == path.stat().st_size


def new_mark(path: Path) -> Mark:
    """The mark of a file of which nothing has been imported."""
    return Mark(*_head(path, HEAD_BYTES))


def _head(path: Path, n_bytes: int) -> tuple[int, str]:
    try:
        with path.open("rb") as file:
            head = file.read(n_bytes)
    except OSError as exc:
        raise InputError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    return len(head), hashlib.sha256(head).hexdigest()


@dataclass(slots=True)
class Source:
    """One file, and how much of it has been read."""

    path: Path
    format: Format
    mark: Mark | None
    n_records: int = 0
    n_events: int = 0
    ended: bool = False
    size: int = 0  # of the whole, if it is known


class EventReader:
    """The events in files and folders, to hand to ``import_events``.

    What could not be read is in ``problems`` (the first thousand) and ``n_bad``. If that is more
    than ``tolerance`` allows, ``TooManyBadRecords`` is raised after the last event. What was sound
    but of no use is counted in ``skipped``, by reason; ``skipped_files`` are those of folders that
    could not be read; ``read_as`` counts files by what they were taken for. ``resumed`` holds after
    how many records a file was gone on with, ``already`` which files had nothing new; ``n_before``
    events came out of both in earlier imports.

    Formats that speak of addresses need a ``finder`` of articles. Events before 2000, and later
    than a day after ``now``, are bad records; if more than one in a hundred are of the future,
    ``TooManyBadRecords`` says to look at the clock.
    """

    def __init__(
        self,
        paths: list[Path],
        *,
        format: str = "auto",
        tolerance: Tolerance | None = None,
        progress: Progress | None = None,
        finder: Finder | None = None,
        now: datetime | None = None,
    ) -> None:
        self.skipped_files: list[Problem] = []
        self.files = event_files(paths, format, skipped=self.skipped_files)
        self.tolerance = tolerance or Tolerance()
        self.progress = progress or Silent()
        self.finder = finder
        self.now = now
        self._in_columns = False
        self._end = 0
        self._begin({})

    def _begin(self, marks: dict[Path, Mark]) -> None:
        self.problems: list[Problem] = []
        self.n_bad = self.n_records = self.n_events = self.n_before = 0
        self.n_ahead = self.n_ancient = 0
        self.first_ahead = ""
        self.skipped = Reasons()
        self.read_as = Reasons()
        self.resumed: dict[Path, int] = {}
        self.already: list[Path] = []
        self.finished = False
        self._marks = marks
        self._opened: list[Source] = []
        self._translators: dict[type[Translator], Translator] = {}
        self._in_columns_by: InColumns | None = None
        self._n_checked = 0

    @property
    def needs_finder(self) -> bool:
        """Whether a file names articles by address, and there is no finder of them."""
        foreign = any(format.translator is not Plain for _, format in self.files)
        return foreign and self.finder is None

    def __iter__(self) -> Iterator[Event]:
        for block in self.blocks():
            yield from block
        self.check()

    def blocks(self, marks: dict[Path, Mark] | None = None) -> Iterator[Iterator[Event]]:
        """The events of ``BLOCK`` records at a time, without those that are done by ``marks``.
        Each block must be used up before the next is taken.
        """
        self._in_columns = False
        return cast("Iterator[Iterator[Event]]", self._blocks(marks))

    def blocks_in_columns(
        self, marks: dict[Path, Mark] | None = None
    ) -> Iterator[Iterator[Event | Columns]]:
        """As ``blocks``; events of our own formats are in columns where that is possible."""
        self._in_columns = True
        return self._blocks(marks)

    def _blocks(self, marks: dict[Path, Mark] | None) -> Iterator[Iterator[Event | Columns]]:
        self._begin(marks or {})
        # One big file shows its records, many files show how many are done.
        many = len(self.files) > 1
        self.progress.stage("reading events", len(self.files) if many else None)
        steps = self._steps()
        while not self.finished:
            yield self._block(steps)

    def check(self) -> None:
        """Raise ``TooManyBadRecords`` if what has been read is too bad and, at the end,
        ``InputError`` if nothing could be used.
        """
        before = bool(self.resumed or self.already)
        names = ", ".join(str(path) for path, _ in self.files)
        if self.finished and self.n_records == 0 and not before:
            self.n_records = 1
            self._note(Problem(f"{names}: no event in it"))
        self._check_clock()
        # The few lines by which a log grew may all be bad without the log being so.
        few = before and self.n_bad <= self.tolerance.at_least
        try:
            if not few:
                self.tolerance.check(self.problems, self.n_records, n_bad=self.n_bad)
        except TooManyBadRecords as exc:
            if not (self._n_checked or before):
                raise
            reason = str(exc).removeprefix("nothing imported: ")
            raise TooManyBadRecords(
                f"what came before stays imported, {self._n_checked:,} records of this run too: "
                f"{reason}"
            ) from exc
        if self.finished and self.skipped and not (self.n_events or before):
            known = self.finder is not None and self.finder.by_key
            hint = "" if known else "; no article has an address: import articles with theirs first"
            raise InputError(f"{names}: nothing in it could be used: {self.reasons()}{hint}")
        self._n_checked = self.n_records

    def _check_clock(self) -> None:
        """Raise ``TooManyBadRecords`` if so many records are ahead that it is the clock here that
        is slow, or theirs that is fast.
        """
        # The one line by which a log grew is all that is new.
        more = self.n_ahead < self.n_records or bool(self.resumed or self.already)
        few = self.n_ahead <= self.tolerance.at_least and more
        if few or self.n_ahead <= MAX_AHEAD * self.n_records:
            return
        kept = f"{self._n_checked:,} records of this run stay imported" if self._n_checked else ""
        raise TooManyBadRecords(
            f"{kept or 'nothing imported'}: {self.n_ahead:,} of {self.n_records:,} records are "
            f"more than a day ahead of {self.now:%Y-%m-%d %H:%M} UTC; look at the clock here, or "
            f"say what time it is with --now: {self.first_ahead}"
        )

    def reasons(self) -> str:
        """Why records were skipped, with how many, as one line."""
        return ", ".join(f"{reason} ({n:,})" for reason, n in self.skipped.most_common())

    @property
    def remarks(self) -> Reasons:
        """What was used, but not without a doubt, with how many records."""
        found = Reasons()
        for translator in self._translators.values():
            found.update(translator.remarks)
        return found

    def marks(self) -> dict[Path, Mark]:
        """How far each file has been read that was opened, not passed over by its mark."""
        if not (self.n_events or self.n_before):
            return {}  # what is of no use yet may be when there are more articles
        return {
            source.path: replace(
                source.mark or new_mark(source.path),
                size=source.size,
                n_records=source.n_records - _may_be_cut(source),
                n_events=source.n_events,
            )
            for source in self._opened
        }

    def _block(self, steps: Iterator[Sequence[Event | Columns]]) -> Iterator[Event | Columns]:
        self._end = self.n_records + BLOCK
        for events in steps:
            yield from events
            if self.n_records >= self._end:
                break
        else:
            self.finished = True
        yield from self._waiting()

    def _steps(self) -> Iterator[Sequence[Event | Columns]]:
        """The events of each record of each file."""
        many = len(self.files) > 1
        for path, format in self.files:
            mark = self._marks.get(path)
            if mark is not None and mark.ends(path):
                self.already.append(path)
                self.n_before += mark.n_events
            else:
                source = Source(path, format, mark)
                self._opened.append(source)
                size = path.stat().st_size
                yield from self._of_source(source, step=0 if many else RECORDS_PER_STEP)
                yield self._waiting()
                self._note_name(source)
                source.ended, source.size = True, size if size == path.stat().st_size else 0
            self.progress.advance(1 if many else self.n_records % RECORDS_PER_STEP)

    def _note_name(self, source: Source) -> None:
        """Note as what a file was read."""
        translator = self._translators.get(source.format.translator)
        self.read_as.add((translator.name if translator else "") or source.format.title)

    def _of_source(self, source: Source, *, step: int) -> Iterator[Sequence[Event | Columns]]:
        translator = self._translators.get(source.format.translator)
        if translator is None:
            translator = source.format.translator(self.finder or Finder(), self.skipped)
            translator.latest = inf if self.now is None else latest_at(self.now)
            self._translators[source.format.translator] = translator
        plain = isinstance(translator, Plain) and source.format.records in IN_COLUMNS
        if plain and self._in_columns:
            yield from self._batches(source, translator, step=step)
            return
        for found in self._new_records(source, translator):
            self._count(source, 1, step)
            yield self._events(found, source, translator)

    def _batches(
        self, source: Source, translator: Translator, *, step: int
    ) -> Iterator[Sequence[Event | Columns]]:
        """What can be in columns, and then the events of other records."""
        self._in_columns_by = self._in_columns_by or InColumns(translator.latest)
        after = self._go_on(source)
        for batch in read_batches(source.path, source.format.records, after=after):
            start = 0
            while start < len(batch):  # a block ends where it ends
                end = min(len(batch), start + max(1, self._end - self.n_records))
                part = batch[start:end] if isinstance(batch, list) else batch.part(start, end)
                start = end
                self._count(source, len(part), step)
                columns, others = self._put(part)
                source.n_events += columns.n_events
                self.n_events += columns.n_events
                found: list[Event | Columns] = [columns] if columns.n_events else []
                for record in _those(part, others):
                    found += self._events(record, source, translator)
                yield found

    def _put(self, part: list[Record | Problem] | Rows) -> tuple[Columns, Sequence[int]]:
        columns = self._in_columns_by or InColumns()
        return columns.of_rows(part) if isinstance(part, Rows) else columns.of_records(part)

    def _count(self, source: Source, n_records: int, step: int) -> None:
        """Note that so many records were read; whoever watches hears of every ``step``."""
        before = self.n_records
        self.n_records += n_records
        source.n_records += n_records
        if step and (steps := self.n_records // step - before // step):
            self.progress.advance(steps * step)

    def _events(
        self, found: Record | Problem, source: Source, translator: Translator
    ) -> Sequence[Event]:
        """The events of one record; what is wrong with it is noted."""
        events: Sequence[Event] = ()
        try:
            if isinstance(found, Problem):
                self._note(found)
            else:
                events = tuple(translator.read(found))
                for event in events:
                    if not EARLIEST <= event.ts <= translator.latest:
                        check_time(event.ts, translator.latest, where=found.where)
        except ClockError as exc:
            events = ()
            self.n_ahead += exc.ahead
            self.first_ahead = self.first_ahead or (str(exc) if exc.ahead else "")
            self.n_ancient += not exc.ahead
            self._note(Problem(str(exc)))
        except EventError as exc:
            self._note(Problem(str(exc)))
        except Skip as exc:
            self.skipped.add(str(exc))
        source.n_events += len(events)
        self.n_events += len(events)
        return events

    def _go_on(self, source: Source) -> int:
        """After how many records the file is read, by its mark."""
        if source.mark is None or not source.mark.n_records:
            return 0
        source.n_records, source.n_events = source.mark.n_records, source.mark.n_events
        self.resumed[source.path] = source.n_records
        self.n_before += source.n_events
        return source.n_records

    def _new_records(self, source: Source, translator: Translator) -> Iterator[Record | Problem]:
        """The records after the file's mark. A translator that remembers reads those before too."""
        after = self._go_on(source)
        if not (after and translator.remembers):
            return read_records(source.path, source.format.records, after=after)
        records = read_records(source.path, source.format.records)
        skipped, remarks = dict(self.skipped), dict(translator.remarks)
        for number, found in enumerate(islice(records, source.n_records), start=1):
            with suppress(EventError, Skip):
                if isinstance(found, Record):
                    tuple(translator.read(found))
            if number % BLOCK == 0:
                tuple(translator.flush())
        tuple(translator.flush())
        self.skipped.clear()
        self.skipped.update(skipped)
        translator.remarks.clear()
        translator.remarks.update(remarks)
        return records

    def _waiting(self) -> Sequence[Event]:
        """The events that waited for the file's, or the block's, last record."""
        events = [event for each in self._translators.values() for event in each.flush()]
        if events:
            self._opened[-1].n_events += len(events)
            self.n_events += len(events)
        return events

    def _note(self, problem: Problem) -> None:
        self.n_bad += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)


def _those(part: list[Record | Problem] | Rows, places: Sequence[int]) -> Iterator[Any]:
    """The records at these places."""
    if isinstance(part, list):
        return (part[at] for at in places)
    if len(places) > FEW * len(part):
        records = [*part.records()]
        return (records[at] for at in places)
    return chain.from_iterable(part.part(at, at + 1).records() for at in places)


def _may_be_cut(source: Source) -> bool:
    """Whether the last record may have been read before all of it was written."""
    if not source.ended or not source.n_records:
        return False
    with source.path.open("rb") as file:
        file.seek(max(0, source.size - 1))
        return source.size == 0 or file.read(1) != b"\n"
