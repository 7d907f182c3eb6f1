"""Which formats of events there are, and which one a file has.

>>> event_files([], "auto")
[]
>>> sorted(FORMATS)
['access', 'csv', 'ga4', 'jsonl', 'parquet', 'snowplow', 'ubi']
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from recommender.errors import InputError
from recommender.events.formats.access_log import LINE, AccessLog
from recommender.events.formats.base import Plain, Translator
from recommender.events.formats.ga4 import Ga4, Ubi
from recommender.events.formats.snowplow import Snowplow
from recommender.files import JSON, Record, files_in, named_kind, read_records, unpacked


class Format(NamedTuple):
    """How a file's records are read, and who turns them into events."""

    records: str
    translator: type[Translator]


FORMATS = {
    "jsonl": Format("jsonl", Plain),
    "csv": Format("csv", Plain),
    "parquet": Format("parquet", Plain),
    "ga4": Format("jsonl", Ga4),
    "snowplow": Format("lines", Snowplow),
    "ubi": Format("jsonl", Ubi),
    "access": Format("lines", AccessLog),
}
# Rotated logs are numbered or dated.
LOG_NAME = re.compile(r"(?:\.|_)log(?:[.-]\d+)*$", re.IGNORECASE)
FEW_COLUMNS = 100
# How many lines are looked at until one is understood.
LINES_LOOKED_AT = 20


def event_files(paths: list[Path], kind: str) -> list[tuple[Path, str]]:
    """The files meant by ``paths``, each with its format. With ``kind`` ``auto`` that is told by
    the name and the first record; raises ``InputError`` where it cannot be.
    """
    suffixes = ".jsonl, .ndjson, .json, .csv, .parquet, .tsv, .log"
    # Vendors give their files any name, so all of a folder are meant.
    vendors = FORMATS[kind].translator is not Plain if kind in FORMATS else False
    named = (lambda path: kind) if vendors else _named
    files = files_in(paths, kind, named=named, known=suffixes)
    return [(path, _told(path) if kind == "auto" else kind) for path in files]


def _named(path: Path) -> str | None:
    """The format that a file's name promises."""
    name = unpacked(path)
    if LOG_NAME.search(name.name):
        return "access"
    if name.suffix.lower() == ".tsv":
        return "snowplow"
    kind = named_kind(path)
    return kind if kind in FORMATS else None


def _told(path: Path) -> str:
    by_name = _named(path)
    if by_name in ("csv", "parquet"):
        return by_name
    found = _look(path) or by_name or named_kind(path)
    if found is None:
        raise InputError(
            f"{path}: unknown kind of file; name its format with --format: {', '.join(FORMATS)}"
        )
    return found


def _look(path: Path) -> str | None:
    """The format of the first line that is understood."""
    for found in islice(read_records(path, "lines"), LINES_LOOKED_AT):
        if isinstance(found, Record) and (kind := _kind_of_line(found.fields["line"])):
            return kind
    return None


def _kind_of_line(line: str) -> str | None:
    if line.count("\t") >= FEW_COLUMNS:
        return "snowplow"
    if LINE.match(line):
        return "access"
    try:
        fields, _ = JSON.raw_decode(line.strip("\x00 \t\r\n"))
    except (ValueError, RecursionError):
        return None
    return _kind_of_json(fields) if isinstance(fields, dict) else None


def _kind_of_json(fields: dict[str, Any]) -> str:
    if "event_name" in fields and "event_params" in fields:
        return "ga4"
    inner = fields.get("_source", fields)
    if isinstance(inner, dict) and "type" not in inner and {"action_name", "query_id"} & set(inner):
        return "ubi"
    return "jsonl"
