"""Who sends: from which address, from which site, and how often.

Addresses stand in this process's memory alone, and go when others come.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from starlette.types import ASGIApp, Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from recommender.errors import SettingsError
from recommender.events.web_origin import allowed_in, is_allowed

# Clients that are remembered; beyond, those that have been quiet are forgotten. Not tuned.
MAX_CLIENTS = 50_000
# Addresses that were parsed a moment ago; not tuned.
REMEMBERED = 2_000
# A reader's provider hands out so many bits of an IPv6 address.
IPV6_PREFIX = 64


class Clients:
    """Identifies clients and counts their events. ``rate`` is how many each may send in a minute,
    as many at once; 0 is any number.
    """

    def __init__(self, *, rate: int, trusted_proxies: str, allowed_origins: str) -> None:
        self.rate = rate
        self.proxies = [name for text in _split(trusted_proxies) for name in _networks(text)]
        self.origins = allowed_in(allowed_origins)
        # What each may still send, and when that was so.
        self._left: dict[str, tuple[float, float]] = {}

    def may_post_from(self, origin: str | None, host: str | None) -> bool:
        """May a page of this origin send events to us? Without one it is no other site's page."""
        if origin is None or is_allowed(origin, self.origins):
            return True
        return bool(host) and origin.lower().partition("://")[2] == str(host).lower()

    def behind_proxies(self, app: ASGIApp) -> ASGIApp:
        """``app``, with the client of a request as trusted proxies name it in
        ``X-Forwarded-For``: the last address that is none of theirs. Without such proxies the
        header is not read.
        """
        if not self.proxies:
            return app
        return ProxyHeadersMiddleware(app, trusted_hosts=self.proxies)  # type: ignore[arg-type,return-value]

    def client(self, scope: Scope) -> str | None:
        """What identifies the client of a request; None for this machine itself, which is not
        counted: behind a proxy that is not in the settings, every reader seems to be it.

        Who came by a trusted proxy is never this machine, whatever the header names; nor is a
        client whose header claims the very address, where another server has trusted it.
        """
        peer = str((scope.get("client") or ("",))[0])
        client, is_local = _client(peer)
        if is_local:
            claims = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
            claimed = bool(peer) and peer.encode() in b",".join(claims)
            return client if claims and (self.proxies or claimed) else None
        return client

    def wait(self, client: str | None, now: float) -> float:
        """Seconds this client has to wait before it may send an event, at ``now`` of a clock that
        is never set back; 0 if it may, and then it has.
        """
        return self._take(client, now, 1, least=1)

    def charge(self, client: str | None, now: float, n: int) -> float:
        """As ``wait``, for ``n`` further events of a post that was let in. Who owes nothing may
        send them all, and owes what is beyond its share.
        """
        return self._take(client, now, n, least=0) if n > 0 else 0.0

    def _take(self, client: str | None, now: float, n: int, *, least: int) -> float:
        if not self.rate or client is None:
            return 0.0
        left, since = self._left.get(client, (float(self.rate), now))
        left = min(float(self.rate), left + max(0.0, now - since) * self.rate / 60)
        if left < least:
            return (1 - left) * 60 / self.rate
        if client not in self._left and len(self._left) >= MAX_CLIENTS:
            self._forget(now)
        self._left[client] = left - n, now
        return 0.0

    def _forget(self, now: float) -> None:
        """Drop those who are back at their full rate; if nobody is, all."""
        self._left = {client: (left, since) for client, (left, since) in self._left.items()
                      if now - since < (self.rate - left) * 60 / self.rate}  # fmt: skip
        if len(self._left) >= MAX_CLIENTS:
            self._left.clear()


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _networks(text: str) -> list[str]:
    """A proxy's address or network, also as a socket for both IP versions writes it."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise SettingsError(
            f"trusted_proxies: {text!r} is no address and no network such as 10.0.0.0/8"
        ) from None
    if network.version == 6:
        return [str(network)]
    return [str(network), f"::ffff:{network.network_address}/{96 + network.prefixlen}"]


@lru_cache(maxsize=REMEMBERED)
def _client(text: str) -> tuple[str, bool]:
    """What of an address identifies a client, and whether it is this machine, which has none when
    it comes by a socket file. All that is no address is one client: anybody can make it up.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "", not text
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            network = ipaddress.IPv6Network((int(address), IPV6_PREFIX), strict=False)
            return str(network), address.is_loopback
        address = address.ipv4_mapped
    return str(address), address.is_loopback
