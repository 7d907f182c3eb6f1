"""Slate tokens: what was sent to a page, signed, small enough to travel with every event.

A token holds the slate whole: the bundle that made it, the source, the items in the order sent
with the reason and the chance of each, variant and arm. Articles stand in it as the store's
numbers, which are never given to another, so that a token means the same when its bundle is gone.

>>> signer = Signer([b"secret"])
>>> slate = Slate("b1", 37, "best", 4, (7, 9), ("model", "explored"), (0.8, 0.01))
>>> signer.open(signer.sign(slate)) == slate
True
>>> Signer([b"other"]).open(signer.sign(slate))
Traceback (most recent call last):
recommender.errors.TokenError: the slate was not signed here
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from recommender.errors import TokenError
from recommender.events.event import ORIGINS

# The first byte of a token; raise it when the layout changes.
VERSION = 1
# Three times what fifty links take, the most that a page may ask for; not tuned.
MAX_CHARACTERS = 1_200
# 96 bits: RFC 2104, section 5, advises against fewer than 80.
MAC_BYTES = 12
# A variant is one of a hundred, so every chance is so many hundredths.
N_VARIANTS = 100
# In the byte of the variant; no variant is so large.
NO_VARIANT = 255
# In the byte of an origin: the link stands in the list only because of what the request asked for.
BROUGHT = 0x80


class Slate(NamedTuple):
    """One list as it was shown. ``source`` and ``items`` are the store's numbers of articles.

    ``list`` is what chose it: a bundle, or what an import names. ``origins`` are why each
    item stands in it, empty if that is not known; ``chances`` that it stood at its position, None
    outside experiments. If it is not ``ordered``, the positions are not known. ``brought`` is true
    of items that no reader of the page is shown unless a request asks for it, by leaving out what
    stands above or by asking for more links than are prepared; empty if there are none.
    """

    list: str
    variant: int | None
    arm: str
    source: int
    items: tuple[int, ...]
    origins: tuple[str, ...]
    chances: tuple[float, ...] | None
    ordered: bool = True
    brought: tuple[bool, ...] = ()


class Signer:
    """Signs with the first of ``keys`` and accepts them all, so that a key can be replaced."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.keys = [hashlib.sha256(key).digest() for key in keys]

    def sign(self, slate: Slate) -> str:
        """The slate's token: letters, digits, ``-`` and ``_``."""
        head = head_of(slate.list, slate.variant, slate.arm)
        chances = slate.chances or (0.0,) * len(slate.items)
        tail = tail_of(slate.source, slate.items, slate.origins, chances, slate.brought)
        return self.seal(head, tail)

    def seal(self, head: bytes, tail: bytes) -> str:
        """The token of what ``head_of`` and ``tail_of`` packed: a page's slate is sent under a
        hundred heads.
        """
        payload = head + tail
        signed = base64.b64encode(payload + _mac(self.keys[0], payload), b"-_")
        return signed.rstrip(b"=").decode()

    def open(self, token: str) -> Slate:
        """The slate a token stands for; ``TokenError`` if it was not signed with our keys."""
        if len(token) > MAX_CHARACTERS:
            raise TokenError("the slate is longer than any we sign")
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise TokenError("the slate is no token") from None
        # Padding and spare bits would make other tokens of the same slate.
        if base64.b64encode(raw, b"-_").rstrip(b"=") != token.encode():
            raise TokenError("the slate is no token")
        payload, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
        if not any(hmac.compare_digest(mac, _mac(key, payload)) for key in self.keys):
            raise TokenError("the slate was not signed here")
        return _unpacked(payload)


def _mac(key: bytes, payload: bytes) -> bytes:
    return hashlib.blake2b(payload, key=key, digest_size=MAC_BYTES).digest()


def head_of(bundle: str, variant: int | None, arm: str) -> bytes:
    """Which policy sent a slate, packed."""
    name, policy = bundle.encode(), arm.encode()
    first = bytes((VERSION, NO_VARIANT if variant is None else variant))
    return first + bytes((len(name),)) + name + bytes((len(policy),)) + policy


def tail_of(
    source: int,
    items: Sequence[int],
    origins: Sequence[str],
    chances: Sequence[float],
    brought: Sequence[bool] = (),
) -> bytes:
    """What stands in a slate, packed; the chances mean nothing if there is no variant."""
    packed = bytearray()
    _put(packed, source)
    packed.append(len(items))
    marks = [BROUGHT if each else 0 for each in brought] or [0] * len(items)
    for item, origin, chance, mark in zip(items, origins, chances, marks, strict=True):
        _put(packed, item)
        packed.append(ORIGINS.index(origin) | mark)
        packed.append(round(chance * N_VARIANTS))
    return bytes(packed)


# A page's events name one slate several times, and many pages the same one.
@lru_cache(maxsize=4_096)
def _unpacked(payload: bytes) -> Slate:
    """What was packed; nobody else's bytes come here, since they carry our signature."""
    given = iter(payload)
    if next(given) != VERSION:
        raise TokenError("the slate was signed by another release")
    variant = next(given)
    bundle, arm = (bytes(next(given) for _ in range(next(given))).decode() for _ in range(2))
    source = _take(given)
    links = [(_take(given), next(given), next(given)) for _ in range(next(given))]
    chances = tuple(hundredths / N_VARIANTS for *_, hundredths in links)
    brought = tuple(bool(origin & BROUGHT) for _, origin, _ in links)
    return Slate(
        list=bundle,
        variant=None if variant == NO_VARIANT else variant,
        arm=arm,
        source=source,
        items=tuple(item for item, *_ in links),
        origins=tuple(ORIGINS[origin & ~BROUGHT] for _, origin, _ in links),
        chances=chances if variant != NO_VARIANT else None,
        brought=brought if any(brought) else (),
    )


def _put(packed: bytearray, number: int) -> None:
    """Seven bits a byte, the last byte below 128."""
    while number > 127:
        packed.append(number & 127 | 128)
        number >>= 7
    packed.append(number)


def _take(given: Iterator[int]) -> int:
    number, shift = 0, 0
    while (byte := next(given)) > 127:
        number |= (byte & 127) << shift
        shift += 7
    return number | byte << shift
