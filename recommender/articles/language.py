"""The language of an article: what it says of itself, as one code for all ways to write it.

>>> primary_subtag("en-GB"), primary_subtag("EN_us"), primary_subtag("und"), primary_subtag(None)
('en', 'en', None, None)
"""

from __future__ import annotations

import re

# Codes for what is no language: undetermined, several, none, one without a code.
NO_LANGUAGE = ("und", "mul", "zxx", "mis")


def primary_subtag(language: str | None) -> str | None:
    """The language of a tag without region and script (BCP 47), in lower case; None for none."""
    found = re.match(r"\s*([^\W\d_]+)", language or "")
    code = found[1].lower() if found else ""
    # "x-…" is what two parties have agreed on between themselves.
    return None if len(code) < 2 or code in NO_LANGUAGE else code
