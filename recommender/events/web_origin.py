"""Where a page comes from, as browsers say it: scheme, host and port (RFC 6454).

>>> named("https://Blog.Example.org"), named("https://a b"), named("null")
('https://blog.example.org', None, 'null')
>>> sorted(allowed_in("https://example.org:443/, http://localhost:3000"))
['http://localhost:3000', 'https://example.org']
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from recommender.errors import SettingsError

ANY = "*"
# What browsers send: a host in ASCII letters, an address, or an extension's id; and for a page that
# has no origin, as one opened from a file, the word itself.
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]{0,30}://[a-z0-9._\[\]:-]+")
NONE = "null"
# As long a name as is kept of one; hosts may have 253 letters. Not tuned.
MAX_CHARACTERS = 120


def named(text: str) -> str | None:
    """An origin as it is kept and shown, cut where it is overlong; None for what no browser sends.

    ``text`` is anybody's: what comes of it are ASCII letters, digits and a few marks.
    """
    lower = text.lower()
    if lower == NONE:
        return NONE
    if len(lower) > 4 * MAX_CHARACTERS or not ORIGIN.fullmatch(lower):
        return None
    return lower if len(lower) <= MAX_CHARACTERS else f"{lower[: MAX_CHARACTERS - 3]}..."


def allowed_in(setting: str) -> frozenset[str]:
    """The origins of the setting ``allowed_origins``, as browsers write them. ``SettingsError``
    names one that is none.
    """
    parts = (part.strip() for part in setting.split(","))
    return frozenset(_of_setting(part) for part in parts if part)


def is_allowed(origin: str, allowed: Collection[str]) -> bool:
    """Is an ``origin`` among those ``allowed``?"""
    return ANY in allowed or origin.lower() in allowed


def _of_setting(text: str) -> str:
    if text == ANY:
        return ANY
    try:
        parts = urlsplit(text.lower())
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme or not parts.netloc or parts.path not in ("", "/"):
        raise SettingsError(f"allowed_origins: {text!r} is no origin such as https://example.org")
    # As browsers write it: without the port that goes without saying.
    place = parts.netloc.removesuffix({"https": ":443", "http": ":80"}.get(parts.scheme, ":"))
    return f"{parts.scheme}://{place}"
