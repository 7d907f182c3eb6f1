"""Who sends: from which address, from which site, and how often.

Addresses stand in this process's memory alone, and go when others come.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import Scope

from recommender.errors import SettingsError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Clients that are remembered; beyond, those that have been quiet are forgotten.
MAX_CLIENTS = 50_000
# Addresses that were understood a moment ago.
REMEMBERED = 2_000
# A reader's provider hands out so many bits of an IPv6 address.
IPV6_PREFIX = 64
ANY = "*"


class Clients:
    """Tells clients apart and counts their posts. ``rate`` is how many each may make in a minute,
    as many at once; 0 is any number.
    """

    def __init__(self, *, rate: int, trusted_proxies: str, allowed_origins: str) -> None:
        self.rate = rate
        self.proxies = [_network(text) for text in _split(trusted_proxies)]
        self.origins = {_origin(text) for text in _split(allowed_origins)}
        # What each may still send, and when that was so.
        self._left: dict[str, tuple[float, float]] = {}

    def may_post_from(self, origin: str | None, host: str | None) -> bool:
        """May a page of this origin send events to us? Without one it is no other site's page."""
        if origin is None or ANY in self.origins or origin.lower() in self.origins:
            return True
        return bool(host) and origin.lower().partition("://")[2] == str(host).lower()

    def address(self, scope: Scope) -> str:
        """Where a request comes from: the last address that no proxy of ours has."""
        peer = (scope.get("client") or ("",))[0]
        if not self._is_proxy(peer):
            return str(peer)
        named = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        for text in reversed(named.decode("latin-1").split(",")):
            address = text.strip()
            if address and not self._is_proxy(address):
                # Garbage that a proxy passes on would be another client every time.
                return address if _address(address) else str(peer)
        return str(peer)

    def wait(self, address: str, now: float) -> float:
        """Seconds this client has to wait before it may post; 0 if it may, and then it has."""
        if not self.rate:
            return 0.0
        who = _who(address)
        # Behind a proxy that we have not been told of, every reader is this machine.
        if who is None:
            return 0.0
        left, since = self._left.get(who, (float(self.rate), now))
        left = min(float(self.rate), left + max(0.0, now - since) * self.rate / 60)
        if left < 1:
            return (1 - left) * 60 / self.rate
        if who not in self._left and len(self._left) >= MAX_CLIENTS:
            self._forget(now)
        self._left[who] = left - 1, now
        return 0.0

    def _forget(self, now: float) -> None:
        """Drop those who are back at their full rate; if nobody is, all."""
        self._left = {who: (left, since) for who, (left, since) in self._left.items()
                      if now - since < (self.rate - left) * 60 / self.rate}  # fmt: skip
        if len(self._left) >= MAX_CLIENTS:
            self._left.clear()

    def _is_proxy(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(
            address.version == network.version and address in network for network in self.proxies
        )


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise SettingsError(
            f"trusted_proxies: {text!r} is no address and no network such as 10.0.0.0/8"
        ) from None


def _origin(text: str) -> str:
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


@lru_cache(maxsize=REMEMBERED)
def _address(text: str) -> Address | None:
    address = _parsed(text) or _parsed(text.rpartition(":")[0])  # some proxies name the port
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _parsed(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


@lru_cache(maxsize=REMEMBERED)
def _who(text: str) -> str | None:
    """What of an address tells clients apart; None for this machine itself, which has no address
    when it comes by a socket file.
    """
    address = _address(text)
    if address is None:
        return text or None
    if address.is_loopback:
        return None
    if address.version == 6:
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)
