"""One page, many ways to write its address: what is left when they are all set aside.

>>> url_key("https://Example.org/knee/?utm_source=mail&b=2&a=1#top")
'example.org/knee?a=1&b=2'
"""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

# Parameters that say where a reader came from, not what the page is.
TRACKING = {
    "fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "twclid",
    "ttclid", "igshid", "li_fat_id", "mc_cid", "mc_eid", "mkt_tok", "_ga", "_gl", "_hsenc",
    "_hsmi", "vero_id", "oly_enc_id", "oly_anon_id", "wickedid", "s_cid", "srsltid", "ref_src",
}  # fmt: skip
TRACKING_PREFIXES = ("utm_", "pk_", "mtm_", "matomo_", "hsa_", "at_", "ga_")


def url_key(url: str) -> str:
    """The address without scheme, default port, fragment, tracking parameters and final slash.

    Parameters are put in order. A text that is no address comes back as it is.
    """
    try:
        return _key(url.strip())
    except ValueError:  # a port that is no number, half of a surrogate pair
        return url.strip()


def _key(url: str) -> str:
    parts = urlsplit(url)
    host, port = (parts.hostname or "").rstrip("."), parts.port
    kept = sorted(
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name.lower() not in TRACKING and not name.lower().startswith(TRACKING_PREFIXES)
    )
    place = host if port in (None, 80, 443) else f"{host}:{port}"
    path = quote(unquote(parts.path, errors="replace"), safe="/:@!$&'()*+,;=~-._").rstrip("/")
    return f"{place}{path}" + (f"?{urlencode(kept)}" if kept else "")
