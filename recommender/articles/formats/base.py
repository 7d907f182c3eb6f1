"""What the readers of articles in other people's formats share.

Each format is a row of ``detect.FORMATS``. Its reader takes a file, and the folder below which it
was found, and yields an article, what is sound and no article, or what cannot be read, in the
order of the file. It raises ``MissingExtra`` and nothing else.

>>> names_of("Garden, kitchen,,garden ")
['Garden', 'kitchen', 'garden']
>>> readable("when-to-plant_garlic")
'When to plant garlic'
"""

from __future__ import annotations

import gzip
import html
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

from recommender.articles.document import Document, LeftOut
from recommender.articles.html_text import INLINE_TAG
from recommender.files import GZIP_MAGIC, Problem, opened, unpacked

# The optional dependencies of these formats.
EXTRA = "cms"
# What is read of a file to find out what it is.
HEAD_BYTES = 1 << 16
Found = Document | LeftOut | Problem
Reader = Callable[[Path, Path], Iterator[Found]]


class Head(NamedTuple):
    """How a file begins, unpacked, and what it is called; enough to see what it is."""

    path: Path
    raw: bytes

    @property
    def text(self) -> str:
        """The beginning as text without white space before it; what is no UTF-8 is replaced."""
        encoding = "utf-16" if self.raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        return self.raw.decode(encoding, "replace").lstrip("\ufeff \t\r\n")


class Format(NamedTuple):
    """One row of ``detect.FORMATS``."""

    name: str  # as ``--format`` takes it
    title: str  # in plain words
    endings: tuple[str, ...]  # of files' names, which count where no content is recognised
    recognises: Callable[[Head], bool] | None  # None for those that only their endings show
    read: Reader | None  # None for those that ``articles.reader`` reads itself


def head_of(path: Path) -> Head:
    """The beginning of a file; empty if it cannot be read, which its reader will say."""
    try:
        with path.open("rb") as file:
            raw = file.read(HEAD_BYTES)
        if raw[:2] == GZIP_MAGIC:
            with gzip.open(path) as packed:
                raw = packed.read(HEAD_BYTES)
    except (OSError, EOFError, zlib.error):
        raw = b""
    return Head(path, raw)


def ending_of(path: Path) -> str:
    """How a file's name ends, in small letters: mirrors keep queries in names.

    >>> ending_of(Path("index.HTML?p=2")), ending_of(Path("a.md.gz")), ending_of(Path("LICENSE"))
    ('.html', '.md', '')
    """
    return Path(unpacked(path).name.partition("?")[0]).suffix.lower()


@contextmanager
def faults_of_file(path: Path, problems: list[Problem]) -> Iterator[None]:
    """Turn what is wrong with the file, rather than with what it says, into a problem."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        problems.append(Problem(f"{path}: the file is damaged or cut short: {exc}"))
    except OSError as exc:
        problems.append(Problem(f"{path}: cannot be read: {exc}"))


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked and without a byte order mark of UTF-8."""
    with opened(path) as file:
        yield _WithoutMark(file)  # type: ignore[misc]


class _WithoutMark:
    """A file to be read in pieces, for parsers that take a byte order mark for content."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.at_start = True

    def read(self, size: int = -1) -> bytes:
        raw = self.file.read(size)
        if self.at_start and size != 0:
            self.at_start = False
            if raw.startswith(b"\xef\xbb\xbf"):
                return raw[3:] or self.file.read(size)
        return raw


def below(path: Path, root: Path) -> str:
    """The file's place below the folder that was named, with ``/`` between folders."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def text_of(value: Any) -> str:
    """A text or a number as text; else, and for what stands for nothing, empty.

    >>> text_of(" knee "), text_of(12), text_of(None), text_of(True), text_of(["a"])
    ('knee', '12', '', '', '')
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).strip()


def names_of(value: Any, *, cut: str = ",") -> list[str]:
    """The names in a list, or in a text that is cut at ``cut``; of objects their names."""
    if isinstance(value, str):
        value = re.split(f"[{re.escape(cut)}]", value) if cut else [value]
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, Iterable) or isinstance(value, bytes):
        value = [value]
    found = []
    for each in value:
        if isinstance(each, Mapping):
            each = next(
                (each[key] for key in ("name", "label", "key", "title", "slug") if key in each), ""
            )
        if name := " ".join(text_of(each).split()):
            found.append(name)
    return found


def category_and_tags(
    categories: Iterable[str], tags: Iterable[str]
) -> tuple[str | None, list[str]]:
    """An article has one category, the first; the others are tags."""
    found = dict.fromkeys(filter(None, categories))
    first = next(iter(found), None)
    return first, [tag for tag in dict.fromkeys([*found, *tags]) if tag and tag != first]


def readable(name: str) -> str:
    """A title out of the name of a file or an address."""
    words = " ".join(re.sub(r"[-_+.]+", " ", name).split())
    return words[:1].upper() + words[1:]


def kept(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], ())}


HIDDEN = re.compile(r"<(script|style|template)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.S | re.I)
TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


def plain(text: str) -> str:
    """Short HTML, such as a summary, as one line of text.

    >>> plain("<p>Salt &amp; <b>pepper</b></p><p>on tables</p>")
    'Salt & pepper on tables'
    """
    shown = HIDDEN.sub(" ", text)
    shown = INLINE_TAG.sub("", shown)
    return " ".join(html.unescape(TAG.sub(" ", shown)).split())


def plain_title(text: str) -> str:
    """A title as text: systems keep entities and the looks of words in it.

    >>> plain_title("The <em>&lt;div&gt;</em> and <p> elements &#8211; compared")
    'The <div> and <p> elements – compared'
    """
    return " ".join(html.unescape(INLINE_TAG.sub("", text)).split())


def path_of(address: str) -> str:
    """The path of an address without its host and query; ``/`` for none.

    >>> path_of("https://example.org/a/b/?p=1"), path_of("https://example.org?p=1")
    ('/a/b/', '/')
    """
    try:
        return urlsplit(address).path or "/"
    except ValueError:
        return "/"
