"""The fields of a record that others wrote, each checked by itself.

Who reads the record knows where it stands and what it should be: a ``FieldError`` becomes an
``ArticleError``, an ``EventError`` or a ``Rejected`` there.

>>> identifier({"id": 7}, "id"), listed({"tags": "x|y"}, "tags")
('7', ['x', 'y'])
>>> text({}, "title", needed=True)
Traceback (most recent call last):
recommender.fields.FieldError: field title: missing
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

# PostgreSQL and file systems both choke well below this; real ids are paths and slugs.
MAX_ID_CHARACTERS = 2_000
# An entry of PostgreSQL's indexes has at most 2,704 bytes, and a number may stand beside the id.
MAX_ID_BYTES = 2_600


class FieldError(Exception):
    """What is wrong with a field; ``reason`` is ``malformed`` or ``oversized``."""

    def __init__(self, name: str, what: str, *, reason: str = "malformed") -> None:
        super().__init__(f"field {name}: {what}")
        self.reason = reason


def text(
    record: Mapping[str, Any], name: str, *, needed: bool = False, most: int | None = None
) -> str:
    """Text as it stands there, empty if it is missing and not ``needed``, of at most ``most``
    characters.
    """
    value = record.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str):
        what = "missing" if value is None else f"must be text, not {type(value).__name__}"
        raise FieldError(name, what)
    if needed and not value:
        raise FieldError(name, "empty")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            what = "holds half of a surrogate pair, so it is no text"
            raise FieldError(name, what) from None
    if most is not None and len(value) > most:
        raise FieldError(name, f"longer than {most} characters", reason="oversized")
    return value


def identifier(record: Mapping[str, Any], name: str, *, most: int = MAX_ID_CHARACTERS) -> str:
    """An id, without spaces around it; whole numbers are ids too."""
    value = record.get(name)
    # Imports read millions of ids, and most of them need no more than this look.
    if not isinstance(value, str) or not value.isascii() or len(value) > most:
        if isinstance(value, int) and not isinstance(value, bool):
            # Python writes no number of many thousands of digits.
            written = str(value) if value.bit_length() <= 4 * most else ""
            if not 0 < len(written) <= most:
                raise FieldError(name, f"longer than {most} characters", reason="oversized")
            return written
        value = text(record, name, needed=True, most=most)
    value = value.strip()
    if not value or "\x00" in value:  # NUL is no character, and PostgreSQL refuses to store it
        raise FieldError(name, "holds a NUL byte" if value else "empty")
    if not value.isascii() and len(value.encode()) > MAX_ID_BYTES:
        raise FieldError(name, f"longer than {MAX_ID_BYTES} bytes", reason="oversized")
    return value


def may_be_stored(value: str) -> bool:
    """Whether a database takes the text at all; if not, it holds none like it."""
    if value.isascii():
        return "\x00" not in value
    return "\x00" not in value and not any("\ud800" <= each <= "\udfff" for each in value)


def listed(record: Mapping[str, Any], name: str) -> Sequence[Any] | None:
    """A list, which a cell of a table holds as JSON or with bars between; None if it is missing."""
    value = record.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        if not value.lstrip().startswith("["):
            return value.split("|")
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as exc:
            raise FieldError(name, f"not a JSON list: {exc}") from exc
    if not isinstance(value, list | tuple):
        raise FieldError(name, f"must be a list, not {type(value).__name__}")
    return value


def flag(record: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """True or false, also as tables and forms write it."""
    value = record.get(name, default)
    if isinstance(value, list | tuple | Mapping):
        raise FieldError(name, f"must be true or false, not {type(value).__name__}")
    written = str(value).lower()
    if value in (True, 1) or written in ("1", "true", "yes"):
        return True
    if value in (False, 0) or written in ("", "0", "false", "no"):
        return False
    raise FieldError(name, f"must be true or false, not {repr(value)[:40]}")
