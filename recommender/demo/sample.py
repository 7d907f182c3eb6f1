"""The sample site: 153 health pages in the page format, and readers whose taste is stated.

The pages' hand-picked lists are as customers have them: some links good, some off the topic, a
few dead or double. ``truth.json`` says of each page its topic, how inviting its title is, and
what a reader who has just read it would want next; the model never sees it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
PAGES = FOLDER / "pages"


@dataclass(frozen=True, slots=True)
class Taste:
    """What is true of one page: see the module."""

    topic: str
    interest: float
    next: tuple[str, ...]


@cache
def truth() -> dict[str, Taste]:
    """The taste of the sample site's readers, by page."""
    content = json.loads((FOLDER / "truth.json").read_text(encoding="utf-8"))
    return {
        id: Taste(entry["topic"], entry["interest"], tuple(entry["next"]))
        for id, entry in content.items()
    }
