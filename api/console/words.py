"""Small words that the pages share."""

from __future__ import annotations

from urllib.parse import urlsplit


def counted(n: float, name: str, names: str = "") -> str:
    """How many of something.

    >>> counted(1, "click"), counted(2_000, "click"), counted(3, "day before", "days before")
    ('1 click', '2,000 clicks', '3 days before')
    """
    return f"{n:,.0f} {name if n == 1 else names or name + 's'}"


def page_address(url: str | None) -> str | None:
    """An article's own address, for a link out of the console; None if it has none that leads
    there: a relative one would lead to the console's own host, another scheme nowhere.

    >>> page_address("https://example.org/knee"), page_address("/knee"), page_address(None)
    ('https://example.org/knee', None, None)
    """
    if not url:
        return None
    try:
        parts = urlsplit(url.strip())
        is_there = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return None
    return url.strip() if is_there else None
