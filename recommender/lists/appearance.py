"""What lists look like to readers: one style and one heading, for the widget and static pages.

``list.css`` is for a list, ``cards.css`` for cards, a row, pictures and dates, and both say which
elements they are for. The widget is made of the same files.

>>> heading("de-AT"), heading("zh_TW"), heading(None), heading("tlh")
('Ähnliche Artikel', '相關文章', 'Related articles', 'Related articles')
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
# What a list may look like: each is a class of its frame, but the first, which needs none.
LOOKS = ("list", "cards", "row")


@cache
def style() -> str:
    """The style sheet of lists, whichever way they look, without its comments."""
    sheets = (FOLDER / name for name in ("list.css", "cards.css"))
    text = "".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
    return re.sub(r"/\*.*?\*/\s*", "", text, flags=re.S)


@cache
def headings() -> dict[str, str]:
    """The heading of a list by language, as tags in small letters."""
    found: dict[str, str] = json.loads((FOLDER / "headings.json").read_text(encoding="utf-8"))
    return found


def heading(language: str | None) -> str:
    """The heading of a list on a page in this language, in English if it has none here.

    ``language`` is a tag of BCP 47, looked up as RFC 4647 (3.4) does: from the whole of it to its
    first part.
    """
    tag = (language or "").strip().lower().replace("_", "-")
    while tag and tag not in headings():
        tag = tag.rpartition("-")[0]
    return headings()[tag or "en"]
