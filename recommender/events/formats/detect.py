"""Which formats of events there are, and which one a file has.

>>> event_files([], "auto", skipped=[])
[]
>>> [format.name for format in FORMATS]
['ga4', 'ubi', 'snowplow', 'access', 'jsonl', 'csv', 'parquet']
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from recommender.errors import InputError
from recommender.events.event import Event, parse
from recommender.events.formats import access_dialects as access
from recommender.events.formats import ga4, snowplow, ubi
from recommender.events.formats.access_log import AccessLog
from recommender.events.formats.base import Format, Translator, json_object
from recommender.events.formats.ga4 import Ga4
from recommender.events.formats.snowplow import Snowplow
from recommender.events.formats.ubi import Ubi
from recommender.files import Problem, Record, files_in, read_records, unpacked


class Plain(Translator):
    """Our own records, which need no translation."""

    def read(self, record: Record) -> Iterable[Event]:
        """The record's one event."""
        return (parse(record.fields, where=record.where),)


def _is_json(line: str) -> bool:
    return json_object(line) is not None


def _is_ours(line: str) -> bool:
    """Whether it is a record of our own; servers write JSON too that is no request."""
    return (json_object(line) or {}).get("type") in access.OWN_TYPES


# The first that recognises a line has it. A new format is one more row.
FORMATS = (
    Format("ga4", "Google Analytics 4", "jsonl", Ga4, ga4.recognises),
    Format("ubi", "UBI", "jsonl", Ubi, ubi.recognises),
    Format("snowplow", "Snowplow", "lines", Snowplow, snowplow.recognises, (".tsv",)),
    Format("access", "access logs", "lines", AccessLog, access.recognises, (".log", "_log")),
    Format("jsonl", "JSON Lines", "jsonl", Plain, _is_json, (".jsonl", ".ndjson", ".json")),
    Format("csv", "CSV", "csv", Plain, None, (".csv",)),
    Format("parquet", "Parquet", "parquet", Plain, None, (".parquet",)),
)
NAMES = ", ".join(format.name for format in FORMATS)
ENDINGS = ", ".join(ending for format in FORMATS for ending in format.endings)
# Rotated logs are numbered or dated.
ROTATED = re.compile(r"(?:[.-]\d+)*$")
# How many lines are read until one is understood: servers write some dozens as they start.
LINES_TRIED = 100


def event_files(
    paths: list[Path], name: str, *, skipped: list[Problem]
) -> list[tuple[Path, Format]]:
    """The files meant by ``paths``, each with its format: the one of this ``name``, or, if that is
    ``auto``, the one that recognises a line, else the one of its name. Raises
    ``InputError`` where there is none. What is in a folder and cannot be read is ``skipped``.
    """
    if name == "auto":
        found = files_in(
            paths, lambda path: _by_name(path) is not None, skipped=skipped, known=ENDINGS
        )
        return [(path, _detected(path)) for path in found]
    format = next((format for format in FORMATS if format.name == name), None)
    if format is None:
        raise InputError(f"no format {name!r} of events; known: {NAMES}")
    # Vendors give their files any name, so all of a folder are meant.
    any_name = format.translator is not Plain
    found = files_in(
        paths, lambda path: any_name or _by_name(path) is format, skipped=skipped, known=ENDINGS
    )
    return [(path, format) for path in found]


def _by_name(path: Path) -> Format | None:
    """The format that a file's name promises."""
    name = ROTATED.sub("", unpacked(path).name.lower())
    return next((format for format in FORMATS if name.endswith(format.endings)), None)


def _of_table(path: Path, named: Format) -> Format:
    """The format of a table: another tool's whose records have the same fields there, or ours."""
    first = next(iter(read_records(path, named.records)), None)
    if isinstance(first, Record):
        line = json.dumps(first.fields, default=str)
        foreign = [each for each in FORMATS if each.records == "jsonl" and each.recognises]
        for format in foreign:
            if format.translator is not Plain and format.recognises and format.recognises(line):
                return format._replace(records=named.records)
    return named


def _detected(path: Path) -> Format:
    named = _by_name(path)
    if named and not named.recognises:
        return _of_table(path, named) if named.records == "parquet" else named
    lines = [
        found.fields["line"]
        for found in islice(read_records(path, "lines"), LINES_TRIED)
        if isinstance(found, Record)
    ]
    for line in lines:
        for format in FORMATS:
            ours = format.translator is not Plain or _is_ours(line)
            if ours and format.recognises and format.recognises(line):
                return format
    # Of JSON that nobody recognises the faults are ours to name.
    if any(map(_is_json, lines)):
        return next(format for format in FORMATS if format.recognises is _is_json)
    if named is None:
        raise InputError(f"{path}: unknown format of file; name its format with --format: {NAMES}")
    return named
