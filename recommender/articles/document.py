"""What one page or record of a file says, before its id is chosen and its links are found.

Every format of articles ends here: its reader yields a ``Document`` for each article, a ``LeftOut``
for what is sound and no article, and a ``Problem`` for what cannot be read.

>>> Document("feed.xml:1", {"title": "Knee"}, picks=(Pick("Hip", url="/hip"),)).picks[0].url
'/hip'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Pick:
    """A link that an author or an editor chose: by its address, its title, or both."""

    title: str = ""
    teaser: str = ""
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """An article as it was found. ``where`` is the place, as ``file:line``.

    ``fields`` are those of a record of the contract, unchecked; without an ``id`` that is chosen
    by ``path``, the file's place below the folder that was named. ``picks`` is the hand-picked list
    (None where the format has none), ``previous`` and ``next`` are the pages beside it in a series.
    ``canonical`` is what the page names as its own address, ``kind`` what it says it is (as
    ``og:type``), ``left_out`` a reason of its own not to be recommended. ``title_found_in`` is
    where the title stood, and ``other_title`` another that may be it. ``headings`` are those of the
    page, ``is_listing`` is true of one that calls itself a list of others, and ``is_filed`` of one
    that its theme may call so. ``format`` is that of the file, ``raw`` the bytes of a text page.
    ``remarks`` are what was left out, each a sentence without the place.
    """

    where: str
    fields: Mapping[str, Any]
    path: str = ""
    picks: tuple[Pick, ...] | None = None
    previous: Pick | None = None
    next: Pick | None = None
    canonical: str | None = None
    kind: str | None = None
    left_out: str | None = None
    title_found_in: str = ""
    other_title: str = ""
    headings: tuple[str, ...] = ()
    is_listing: bool = False
    is_filed: bool = False
    format: str = ""
    raw: bytes | None = None
    remarks: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is sound and no article; ``reason`` is the same for many ("a draft"). ``path`` and
    ``url`` are where it lies and its address, as of a ``Document``: links there lead to no article,
    so that the title of a draft stands in no list.
    """

    where: str
    reason: str
    path: str = ""
    url: str = ""
