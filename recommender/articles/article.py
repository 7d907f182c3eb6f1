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
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from recommender.articles.addresses import address_fault
from recommender.errors import ArticleError
from recommender.fields import FieldError, flag, identifier, listed, text
from recommender.files import Problem
from recommender.times import NoTime, parse_time

# A convention of text pages (the contract's "Pages").
TEASER_CHARACTERS = 49
STUB_PREFIX = "stub:"
# Characters of a text in which its teaser is looked for.
BEGINNING = 4_000
MIDNIGHT = time()
ISO = re.compile(r"\d{4}-\d\d")


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
    author: str | None = None
    image: str | None = None
    recommended: tuple[str, ...] = ()
    previous: str | None = None
    next: str | None = None
    sensitive: bool = False
    stub: bool = False

    @property
    def shown_teaser(self) -> str:
        """The teaser given with the article, else the beginning of its text."""
        return self.teaser or teaser_of(self.body)

    @property
    def text(self) -> str:
        """What the article says, its title aside: its summary, unless that stands in the beginning
        of the body, and the body. A stub has no page; its teaser is the beginning of the text it
        stands for.
        """
        summary = "".join(self.teaser.rstrip(". …").split())
        if not self.body or not summary:
            return self.body or self.teaser
        if summary in "".join(self.body[: 2 * len(summary) + BEGINNING].split()):
            return self.body
        return f"{self.teaser}\n{self.body}"


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


# Of ASCII, what titles may differ in without being others.
SET_ASIDE = bytes(code for code in range(128) if not chr(code).isalnum())


def title_key(title: str) -> str:
    """What is left of a title when case, accents' encoding, spaces and punctuation are set aside.

    >>> title_key("  Why does my KNEE click ?") == title_key("Why does my knee click?")
    True
    """
    if title.isascii():
        # The same at a fiftieth of the time: a new text is compared with hundreds of titles.
        return title.lower().encode().translate(None, SET_ASIDE).decode() or title.lower().strip()
    folded = unicodedata.normalize("NFKC", title).casefold()
    kept = "".join(character for character in folded if is_kept(character))
    # A title of symbols alone ("???") still needs a key of its own.
    return kept or folded.strip()


def is_kept(character: str) -> bool:
    """Whether titles may differ in a character: letters, digits, and marks such as the vowel
    signs of Hindi and the tones of Thai, without which two words become one.
    """
    return character.isalnum() or unicodedata.category(character).startswith("M")


def stub_for(title: str, *, teaser: str = "") -> Article:
    """The article that stands for a title nobody has a page for; the same title, the same id."""
    digest = hashlib.sha256(title_key(title).encode()).hexdigest()[:12]
    return Article(id=STUB_PREFIX + digest, title=title, teaser=teaser, stub=True)


def from_record(
    record: Mapping[str, Any], *, where: str, remarks: list[Problem] | None = None
) -> Article:
    """Check one record of a file against the contract.

    ``where`` is the place, as ``file:line``. Raises ``ArticleError`` that names it and the field;
    with ``remarks`` an optional field that cannot be read is left out instead, and added to these.
    Unknown fields are left alone: exports carry much that is not ours to read.
    """

    def optional(name: str, read: Callable[[Mapping[str, Any], str], Any], without: Any) -> Any:
        try:
            return read(record, name)
        except FieldError as exc:
            if remarks is None:
                raise
            remarks.append(Problem(f"{where}: {exc}; left out"))
            return without

    try:
        return Article(
            id=identifier(record, "id"),
            # A title is one line: pages, tables and lists rely on it.
            title=" ".join(_text(record, "title", needed=True).split()),
            body=optional("body", _text, ""),
            teaser=optional("teaser", _text, ""),
            url=optional("url", _address, None),
            category=optional("category", _name, None),
            tags=optional("tags", _ids, ()),
            published_at=optional("published_at", _timestamp, None),
            updated_at=optional("updated_at", _timestamp, None),
            language=optional("language", _name, None),
            author=optional("author", _name, None),
            image=optional("image", _address, None),
            recommended=optional("recommended", _ids, ()),
            # Who tried to say so is on the safe side.
            sensitive=optional("sensitive", _flag, True),
        )
    except FieldError as exc:
        raise ArticleError(f"{where}: {exc}") from exc


def _text(record: Mapping[str, Any], name: str, *, needed: bool = False) -> str:
    # NUL is no character of any language, and PostgreSQL refuses to store it.
    value = text(record, name, needed=needed).replace("\x00", "").strip()
    if needed and not value:
        raise FieldError(name, "empty")
    return value


def _name(record: Mapping[str, Any], name: str) -> str | None:
    """One line; numbers name sections too, and of a list the first entry does."""
    value = record.get(name)
    if isinstance(value, list | tuple) and value:
        value = value[0]
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return " ".join(_text({name: value}, name).split()) or None


def _flag(record: Mapping[str, Any], name: str) -> bool:
    return record.get(name) is not None and flag(record, name)


def _address(record: Mapping[str, Any], name: str) -> str | None:
    url = _text(record, name)
    if fault := address_fault(url):
        raise FieldError(name, fault)
    return url or None


def _ids(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    # Cells of tables end with bars, or have two in a row.
    entries = [e for e in listed(record, name) or () if not isinstance(e, str) or e.strip()]
    return tuple(identifier({name: entry}, name) for entry in entries)


def _timestamp(record: Mapping[str, Any], name: str) -> str | None:
    """The date as ISO 8601, as it was written if it is that."""
    value = record.get(name)
    if isinstance(value, date):  # Parquet has types for time, data frames none for days
        if isinstance(value, datetime) and value.tzinfo is None and value.time() == MIDNIGHT:
            value = value.date()
        return value.isoformat()
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        moment = parse_time(value)
    except NoTime:
        return None
    except ValueError as exc:
        what = str(exc).removeprefix("no time: ")
        raise FieldError(name, f"not a date: {what}") from None
    written = str(value).strip()
    try:
        parse_timestamp(written)
    except ValueError:
        is_day = moment.time() == MIDNIGHT and isinstance(value, str) and ":" not in value
        return moment.date().isoformat() if is_day else moment.isoformat().replace("+00:00", "Z")
    return written


def parse_timestamp(text: str) -> datetime:
    """ISO 8601 to an aware datetime; without an offset it is UTC. Raises ``ValueError``.

    >>> parse_timestamp("2026-11-22T10:00:00Z").isoformat()
    '2026-11-22T10:00:00+00:00'
    """
    # fromisoformat also takes forms like 20261122, which exports never mean as dates.
    if not ISO.match(text):
        raise ValueError(f"not an ISO 8601 date: {text!r}")
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
