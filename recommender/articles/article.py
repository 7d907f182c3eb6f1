"""An article, as every part of the library sees it.

>>> article = from_record({"id": "knee", "title": "Why does my knee click?"}, where="a.jsonl:1")
>>> article.title
'Why does my knee click?'
>>> from_record({"id": "knee"}, where="a.jsonl:2")
Traceback (most recent call last):
recommender.errors.ArticleError: a.jsonl:2: field title: missing
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from recommender.errors import ArticleError

TEASER_CHARACTERS = 49
STUB_PREFIX = "stub:"
# PostgreSQL and file systems both choke well below this; real ids are paths and slugs.
MAX_ID_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Article:
    """One page of the site. ``recommended`` is the hand-picked list as it stands on the page,
    duplicates and self-links included, so that it can be audited; a ``stub`` is known only
    from the lists of others: it has a title and a teaser, but no page.
    """

    id: str
    title: str
    body: str = ""
    teaser: str = ""
    url: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    published_at: str | None = None
    updated_at: str | None = None
    language: str | None = None
    recommended: tuple[str, ...] = ()
    previous: str | None = None
    next: str | None = None
    sensitive: bool = False
    stub: bool = False

    @property
    def shown_teaser(self) -> str:
        """The teaser given with the article, else the beginning of its text."""
        return self.teaser or teaser_of(self.body)


def teaser_of(text: str) -> str:
    """The first 49 characters, counted as HTML writes them, then three dots.

    An entity is never cut in two: ``&`` counts as five and goes in whole or not at all.

    >>> teaser_of("Salt & pepper are found on every table in the whole country.")
    'Salt & pepper are found on every table in the...'
    """
    flat = " ".join(text.split())
    if not flat:
        return ""
    used = 0
    for end, character in enumerate(flat):
        # html.escape writes ' as &#x27;, sites write &#39;: five characters.
        used += 5 if character == "'" else len(html.escape(character))
        if used > TEASER_CHARACTERS:
            return flat[:end] + "..."
    return flat + "..."


def title_key(title: str) -> str:
    """What is left of a title when case, accents' encoding, spaces and punctuation are set aside.

    >>> title_key("  Why does my KNEE click ?") == title_key("Why does my knee click?")
    True
    """
    folded = unicodedata.normalize("NFKC", title).casefold()
    kept = "".join(character for character in folded if is_kept(character))
    # A title of symbols alone ("???") still needs a key of its own.
    return kept or folded.strip()


def is_kept(character: str) -> bool:
    """Whether a character tells titles apart: letters, digits, and marks such as the vowel
    signs of Hindi and the tones of Thai, without which two words become one.
    """
    return character.isalnum() or unicodedata.category(character).startswith("M")


def stub_for(title: str, *, teaser: str = "") -> Article:
    """The article that stands for a title nobody has a page for; the same title, the same id."""
    digest = hashlib.sha256(title_key(title).encode()).hexdigest()[:12]
    return Article(id=STUB_PREFIX + digest, title=title, teaser=teaser, stub=True)


def from_record(record: Mapping[str, Any], *, where: str) -> Article:
    """Check one record of a file against the contract.

    ``where`` is the place, as ``file:line``. Raises ``ArticleError`` that names it and the field.
    Unknown fields are left alone: exports carry much that is not ours to read.
    """
    fields = _Fields(record, where)
    return Article(
        id=fields.identifier("id"),
        # A title is one line: pages, tables and lists rely on it.
        title=" ".join(fields.required_text("title").split()),
        body=fields.text("body"),
        teaser=fields.text("teaser"),
        url=fields.text("url") or None,
        category=fields.text("category") or None,
        tags=fields.strings("tags"),
        published_at=fields.timestamp("published_at"),
        updated_at=fields.timestamp("updated_at"),
        language=fields.text("language") or None,
        recommended=fields.strings("recommended"),
        sensitive=fields.flag("sensitive"),
    )


class _Fields:
    """Reads the fields of one record; every complaint names the place and the field."""

    def __init__(self, record: Mapping[str, Any], where: str) -> None:
        self.record = record
        self.where = where

    def fault(self, name: str, what: str) -> ArticleError:
        return ArticleError(f"{self.where}: field {name}: {what}")

    def text(self, name: str) -> str:
        value = self.record.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.fault(name, f"must be text, not {type(value).__name__}")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise self.fault(name, "holds half of a surrogate pair, so it is no text") from None
        # NUL is no character of any language, and PostgreSQL refuses to store it.
        return value.replace("\x00", "").strip()

    def required_text(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise self.fault(name, "missing" if self.record.get(name) is None else "empty")
        return value

    def identifier(self, name: str) -> str:
        value = self.record.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and "\x00" in value:
            raise self.fault(name, "holds a NUL byte")
        text = self.required_text(name)
        if len(text) > MAX_ID_CHARACTERS:
            raise self.fault(name, f"longer than {MAX_ID_CHARACTERS} characters")
        return text

    def strings(self, name: str) -> tuple[str, ...]:
        value = self.record.get(name)
        if value is None or value == "":
            return ()
        if isinstance(value, str):  # CSV has no lists
            value = self._list_in_cell(name, value)
        if not isinstance(value, list | tuple):
            raise self.fault(name, f"must be a list, not {type(value).__name__}")
        return tuple(_Fields({name: entry}, self.where).identifier(name) for entry in value)

    def _list_in_cell(self, name: str, cell: str) -> Any:
        if cell.lstrip().startswith("["):
            try:
                return json.loads(cell)
            except ValueError as exc:
                raise self.fault(name, f"not a JSON list: {exc}") from exc
        return [part for part in cell.split("|") if part.strip()]

    def flag(self, name: str) -> bool:
        value = self.record.get(name)
        if value in (None, "", False, 0, "0") or str(value).lower() in ("false", "no"):
            return False
        if value in (True, 1, "1") or str(value).lower() in ("true", "yes"):
            return True
        raise self.fault(name, f"must be true or false, not {value!r}")

    def timestamp(self, name: str) -> str | None:
        value = self.record.get(name)
        if isinstance(value, date):  # Parquet has types for time
            return value.isoformat()
        text = self.text(name)
        if not text:
            return None
        try:
            parse_timestamp(text)
        except ValueError:
            raise self.fault(name, f"not an ISO 8601 date: {text[:40]!r}") from None
        return text


def parse_timestamp(text: str) -> datetime:
    """ISO 8601 to an aware datetime; without an offset it is UTC. Raises ``ValueError``.

    >>> parse_timestamp("2026-11-22T10:00:00Z").isoformat()
    '2026-11-22T10:00:00+00:00'
    """
    # fromisoformat also takes forms like 20261122, which exports never mean as dates.
    if not re.match(r"\d{4}-\d\d", text):
        raise ValueError(f"not an ISO 8601 date: {text!r}")
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
