"""The fields at the head of a Markdown file: YAML between ``---``, TOML between ``+++``, or JSON.

All scalars of YAML stay texts as they were written, so that ``2025-10-18`` is no date yet, ``no``
no truth and ``0012`` no number. Nothing but texts, lists and mappings can come out of it.

>>> matter = split("---\\ntitle: Knee\\ntags: [a, no]\\n---\\nIt clicks.")
>>> matter.fields, matter.body, matter.line
({'title': 'Knee', 'tags': ['a', 'no']}, 'It clicks.', 5)
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from recommender.articles.formats.base import EXTRA
from recommender.errors import MissingExtra

# More is no head of an article, and reading it would take long.
MAX_CHARACTERS = 100_000
OPENING = re.compile(r"(---|\+\+\+)[ \t]*(yaml|toml|json)?[ \t]*\n")
CLOSING = {
    "---": re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.M),
    "+++": re.compile(r"^\+\+\+[ \t]*$", re.M),
}
# A key at the margin begins an entry; what follows it there or further in belongs to it.
KEY = re.compile(r"""^["']?([A-Za-z_][\w.-]*+(?: [\w.-]++)*+)["']?[ \t]*+:(?:[ \t]|$)""", re.M)
# How fields begin after ``---``, which is a line across the page otherwise.
FIRST = re.compile(rf"(?:[ \t]*+(?:#.*)?\n)*+(?:{KEY.pattern}|---|\.\.\.|\{{)", re.M)
FIRST_OF_TOML = re.compile(r"(?:\s|#.*\n)*+(?:[\w.\"-]+[ \t]*=|\[\w)")
# A name and a text in a line; Nikola's begin with two dots and may stand in a comment.
LINE = re.compile(r"(?:<!--\s*+)?(?:\.\. )?([A-Za-z][\w-]*+)[ \t]*+:(?:[ \t]++(.*))?(?:\n|\Z)")
MAX_LINES = 50
NOTHING = ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """``fields`` at the head of a file and the ``body`` after it, which begins in ``line``.

    ``faults`` are the entries that cannot be read, each a sentence.
    """

    fields: dict[str, Any]
    body: str
    line: int = 1
    faults: list[str] = field(default_factory=list)


def is_front_matter(text: str) -> bool:
    """Whether a file begins with fields that end; of JSON only the files' names show that."""
    opening = OPENING.match(text.replace("\r\n", "\n"))
    if opening is None:
        return False
    rest = text.replace("\r\n", "\n")[opening.end() :]
    closing = CLOSING[opening[1]].search(rest)
    first = FIRST if opening[1] == "---" else FIRST_OF_TOML
    return closing is not None and first.match(rest[: closing.start()]) is not None


def split(text: str) -> FrontMatter:
    """The fields and the rest. ``ValueError`` says what is wrong with all of the fields."""
    opening = OPENING.match(text)
    if opening is None:
        return _of_json(text) if re.match(r"\{\s*\"", text) else _of_lines(text)
    rest = text[opening.end() :]
    if opening[1] == "---" and not FIRST.match(rest):
        return FrontMatter({}, text)
    closing = CLOSING[opening[1]].search(rest)
    if closing is None:
        raise ValueError(f"the fields at its head are not closed by {opening[1]}")
    written, body = rest[: closing.start()], rest[closing.end() :].lstrip("\n")
    if len(written) > MAX_CHARACTERS:
        raise ValueError(f"the fields at its head are longer than {MAX_CHARACTERS:,} characters")
    line = text[: len(text) - len(body)].count("\n") + 1
    if opening[2] == "json":
        return FrontMatter(_of_json(written).fields, body, line)
    if opening[1] == "+++" or opening[2] == "toml":
        try:
            return FrontMatter(_plain(tomllib.loads(written)), body, line)
        except (ValueError, RecursionError) as exc:
            raise ValueError(f"no TOML in the fields at its head: {_short(exc)}") from exc
    fields, faults = _yaml(written)
    return FrontMatter(fields, body, line, faults)


def _of_json(text: str) -> FrontMatter:
    try:
        fields, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError) as exc:
        raise ValueError(f"no JSON in the fields at its head: {_short(exc)}") from exc
    body = text[end:].lstrip()
    return FrontMatter(fields, body, text[: len(text) - len(body)].count("\n") + 1)


def _of_lines(text: str) -> FrontMatter:
    """Lines of a name and a text, up to an empty one, the first of them the title or the date: as
    Pelican and MultiMarkdown have them, or Nikola in a comment.
    """
    fields: dict[str, Any] = {}
    end = 0
    while len(fields) < MAX_LINES and (match := LINE.match(text, end)):
        name = match[1].lower()
        if not fields and name not in ("title", "date", "slug"):
            break
        fields[name] = match[2].strip() or None
        end = match.end()
    if len(fields) < 2 or not re.match(r"\s*(?:\n|$|-->)", text[end:]):
        return FrontMatter({}, text)
    body = text[end:].lstrip().removeprefix("-->").lstrip("\n")
    return FrontMatter(fields, body, text[: len(text) - len(body)].count("\n") + 1)


def _plain(value: Any) -> Any:
    """Moments as they are written in TOML."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime | date | time) else value


def _yaml(written: str) -> tuple[dict[str, Any], list[str]]:
    """The fields, and what is wrong with those that are left out: one that is not written as YAML
    wants it, such as ``title: Garlic: when to plant``, must not cost the others.
    """
    fields, fault = _load(written)
    if fault is None:
        return fields, []
    if not fields and not KEY.search(written):
        raise ValueError(f"no YAML in the fields at its head: {fault}")
    starts = [match.start() for match in KEY.finditer(written)]
    faults = []
    for start, end in zip(starts, [*starts[1:], len(written)], strict=True):
        entry = written[start:end]
        key = KEY.match(entry)[1]  # type: ignore[index]
        found, fault = _load(entry)
        if fault is None:
            fields.update(found)
        elif "\n" not in (value := entry.partition(":")[2].strip()) and value[:1] not in "[{|>&*!":
            fields[key] = value.strip("\"'")  # a text that needed quotes
        else:
            faults.append(f"field {key} at its head: {fault}; left out")
    return fields, faults


def _load(written: str) -> tuple[dict[str, Any], str | None]:
    """Fields of YAML, or what is wrong with it."""
    try:
        import yaml
    except ImportError as exc:
        raise MissingExtra("reading the fields at the head of Markdown", EXTRA) from exc
    # Tabs between words are as good as spaces; in front of them they are not allowed.
    try:
        # The one of libyaml is ten times as fast, and refuses what is nested too deep.
        texts_alone = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
        loaded = yaml.load(written.expandtabs(2), Loader=texts_alone)  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as exc:
        return {}, _short(exc)
    if loaded is None or loaded == "":
        return {}, None
    if not isinstance(loaded, dict):
        return {}, "no fields"
    return {str(key): _known(value) for key, value in loaded.items()}, None


def _known(value: Any) -> Any:
    return None if isinstance(value, str) and value in NOTHING else value


def _short(exc: Exception) -> str:
    problem = getattr(exc, "problem", None)
    return " ".join(str(problem or exc).split())[:120]
