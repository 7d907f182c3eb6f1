"""Slate tokens: what was sent to a page, signed, small enough to travel with every event.

A token holds the slate whole: the bundle that made it, the source, the items in the order sent
with the reason and the chance of each, variant and arm. Articles stand in it as the store's
numbers, so that a token means the same when its bundle is gone. Numbers mean nothing to another
store, nor to the same one after an older backup of it was restored: a token names its store, and
has a mark by which the store finds out whether its numbers still mean the same articles.

>>> signer = Signer([b"secret"], store="a")
>>> mark = mark_of(["knee", "gout", "salt"])
>>> slate = Slate("b1", 37, "best", 4, (7, 9), ("model", "explored"), (0.8, 0.01), mark=mark)
>>> signer.open(signer.sign(slate)) == slate
True
>>> Signer([b"secret"], store="b").open(signer.sign(slate))
Traceback (most recent call last):
recommender.errors.ForeignToken: the slate was signed for another store
>>> Signer([b"other"], store="a").open(signer.sign(slate))
Traceback (most recent call last):
recommender.errors.TokenError: the slate was not signed here, but by nobody or with another key

A static page is read for months, so its tokens have a purpose of their own: they are signed with a
key that is derived from the signing key, say until when they are valid, and can be taken for no
token of the other purpose. An ordinary change of the signing key leaves them valid, since the
derived key is kept (``store.exports``); one after a leak voids them.

>>> static = signer.sign_static(slate, until_ms=7_200_000)
>>> signer.resolve(static, at_ms=7_199_999).items
(7, 9)
>>> signer.resolve(static, at_ms=7_200_000)
Traceback (most recent call last):
recommender.errors.ExpiredToken: the slate was valid until 1970-01-01 02:00 UTC
>>> signer.open(static)
Traceback (most recent call last):
recommender.errors.TokenError: the slate is that of a static page
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from recommender.errors import ExpiredToken, ForeignToken, RevokedToken, TokenError
from recommender.events.event import ORIGINS

# The first byte of a token; raise it when the layout changes.
VERSION = 2
# ... and of one of a static page.
STATIC = 0x80 | VERSION
# What a static page's key is derived for.
PURPOSE = b"slates of static pages"
# Why a token is refused whose key is none of ours; whose it is nobody can tell.
STRANGE = "the slate was not signed here, but by nobody or with another key"
# Until when a static page's token is valid, in whole hours since 1970, takes three bytes.
HOUR_MS, UNTIL_BYTES = 3_600_000, 3
# The hour of the key that signs, and of one that was revoked.
LAST_HOUR, REVOKED = 2 ** (8 * UNTIL_BYTES) - 1, 0
# Three times what fifty links take, the most that a page may ask for; not tuned.
MAX_CHARACTERS = 1_200
# 96 bits: RFC 2104, section 5, advises against fewer than 80.
MAC_BYTES = 12
# Of the store's name, and of the ids that stand for the numbers: enough to notice a mistake. Who
# wants to deceive has no key.
TAG_BYTES, MARK_BYTES = 4, 4
# Beyond it a number is none of a store, whose columns have 32 bits.
MAX_NUMBER = 2**31 - 1
# A variant is one of a hundred, so every chance is so many hundredths.
N_VARIANTS = 100
PLACE_OF = {origin: place for place, origin in enumerate(ORIGINS)}
# In the byte of the variant; no variant is so large.
NO_VARIANT = 255
# In the byte of an origin: the link stands in the list only because of what the request asked for.
BROUGHT = 0x80


class Slate(NamedTuple):
    """One list as it was shown. ``source`` and ``items`` are the store's numbers of articles.

    ``list`` is what chose it: a bundle, or what an import names. ``origins`` are why each item
    stands in it, empty if that is not known; ``chances`` that it stood at its position, None
    outside experiments and of an item of which it is not known. If it is not ``ordered``, the
    positions are not known. ``brought`` is true of items that no reader of the page is shown unless
    a request asks for it, by leaving out what stands above or by asking for more links than are
    prepared; empty if there are none. ``mark`` is ``mark_of`` source and items; empty if the slate
    was not signed. ``places`` are where the items stand in a list of which they are a part; empty
    if they are its first.
    """

    list: str
    variant: int | None
    arm: str
    source: int
    items: tuple[int, ...]
    origins: tuple[str, ...]
    chances: tuple[float | None, ...] | None
    ordered: bool = True
    brought: tuple[bool, ...] = ()
    mark: bytes = b""
    places: tuple[int, ...] = ()


class Signer:
    """Signs for the ``store`` of this name, with the first of ``keys``, and accepts them all, so
    that a key can be replaced. ``exported`` are the keys of static pages that were exported under
    another signing key, with the hour since 1970 until which what they signed may be valid; 0 for
    one that was revoked.
    """

    def __init__(
        self, keys: Sequence[bytes], *, store: str = "", exported: Mapping[bytes, int] | None = None
    ) -> None:
        self.keys = [hashlib.sha256(key).digest() for key in keys]
        self.static_keys = [static_key(key) for key in keys[:1]]
        self.static = {**(exported or {}), **dict.fromkeys(self.static_keys, LAST_HOUR)}
        tag = hashlib.blake2b(store.encode(), digest_size=TAG_BYTES).digest()
        self.prefix = bytes((VERSION,)) + tag
        self.static_prefix = bytes((STATIC,)) + tag

    def sign(self, slate: Slate) -> str:
        """The slate's token: letters, digits, ``-`` and ``_``."""
        head = head_of(slate.list, slate.variant, slate.arm)
        chances = [chance or 0.0 for chance in slate.chances or (0.0,) * len(slate.items)]
        tail = tail_of(
            slate.source, slate.items, slate.origins, chances, slate.brought, mark=slate.mark
        )
        return self.seal(head, tail)

    def seal(self, head: bytes, tail: bytes) -> str:
        """The token of what ``head_of`` and ``tail_of`` packed: a page's slate is sent under a
        hundred heads.
        """
        return _sealed(self.keys[0], self.prefix + head + tail)

    def sign_static(self, slate: Slate, *, until_ms: int) -> str:
        """The token of a list in a static page, which anybody is shown who opens it: each link
        stands where it stands for sure, whatever ``chances`` say. Valid until the first full hour
        that is not before ``until_ms``, in milliseconds since 1970.
        """
        until = hour_of(until_ms).to_bytes(UNTIL_BYTES, "big")
        sure = slate._replace(variant=None, chances=None)
        head = head_of(sure.list, None, sure.arm)
        tail = tail_of(
            sure.source, sure.items, sure.origins, [1.0] * len(sure.items), mark=sure.mark
        )
        return _sealed(self.static_keys[0], self.static_prefix + until + head + tail)

    def resolve(self, token: str, *, at_ms: int) -> Slate:
        """The slate a token stands for, of whichever purpose, at this time in milliseconds since
        1970: as ``open``, or as ``open_static``.
        """
        is_static = _raw(token)[:1] == self.static_prefix[:1]
        return self.open_static(token, at_ms=at_ms)[0] if is_static else self.open(token)

    def open(self, token: str) -> Slate:
        """The slate a token stands for; ``TokenError`` if it was not signed with our keys, or for
        a static page, ``ForeignToken`` if it was, but for another store.
        """
        payload, mac = _parted(token)
        if payload[:1] == self.static_prefix[:1]:
            raise TokenError("the slate is that of a static page")
        if not any(hmac.compare_digest(mac, _mac(key, payload)) for key in self.keys):
            raise TokenError(STRANGE)
        if payload[:1] != self.prefix[:1]:
            raise TokenError("the slate was signed by another release")
        if not payload.startswith(self.prefix):
            raise ForeignToken("the slate was signed for another store")
        return _unpacked(payload[len(self.prefix) :])

    def open_static(self, token: str, *, at_ms: int) -> tuple[Slate, int]:
        """The slate a static page's token stands for, and until when it is valid, both times in
        milliseconds since 1970. ``TokenError`` if it was not signed with our keys for a static
        page, ``ForeignToken`` if it was for another store, ``RevokedToken`` if its key was revoked,
        ``ExpiredToken`` if its time is over.
        """
        payload, mac = _parted(token)
        if payload[:1] != self.static_prefix[:1]:
            raise TokenError("the slate is none of a static page")
        same = (key for key in self.static if hmac.compare_digest(mac, _mac(key, payload)))
        key = next(same, None)
        if key is None:
            raise TokenError(STRANGE)
        if not payload.startswith(self.static_prefix):
            raise ForeignToken("the slate was signed for another store")
        start = len(self.static_prefix)
        if len(payload) < start + UNTIL_BYTES:
            raise TokenError("the slate is damaged")
        until = int.from_bytes(payload[start : start + UNTIL_BYTES], "big")
        last = self.static[key]
        if last == REVOKED:
            raise RevokedToken("the slate was signed with a key that was revoked")
        # Whoever has a key of before cannot lengthen what was exported under it.
        until_ms = min(until, last) * HOUR_MS
        if at_ms >= until_ms:
            day = f"{datetime.fromtimestamp(until_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
            raise ExpiredToken(f"the slate was valid until {day}")
        slate = _unpacked(payload[start + UNTIL_BYTES :])
        return slate._replace(chances=(1.0,) * len(slate.items)), until_ms


def static_key(key: bytes) -> bytes:
    """What signs the slates of static pages where ``key`` signs the others."""
    return hashlib.blake2b(PURPOSE, key=hashlib.sha256(key).digest(), digest_size=32).digest()


def hour_of(ms: int) -> int:
    """The first full hour since 1970 that is not before this time in milliseconds."""
    return min(-(-ms // HOUR_MS), LAST_HOUR - 1)


def _sealed(key: bytes, payload: bytes) -> str:
    signed = base64.b64encode(payload + _mac(key, payload), b"-_")
    return signed.rstrip(b"=").decode()


def _raw(token: str) -> bytes:
    """The bytes of what may be a token."""
    if len(token) > MAX_CHARACTERS:
        raise TokenError("the slate is longer than any we sign")
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError("the slate is no token") from None
    # Padding and spare bits would make other tokens of the same slate.
    if base64.b64encode(raw, b"-_").rstrip(b"=") != token.encode():
        raise TokenError("the slate is no token")
    return raw


def _parted(token: str) -> tuple[bytes, bytes]:
    """What was signed, and the signature."""
    raw = _raw(token)
    return raw[:-MAC_BYTES], raw[-MAC_BYTES:]


def _mac(key: bytes, payload: bytes) -> bytes:
    return hashlib.blake2b(payload, key=key, digest_size=MAC_BYTES).digest()


def head_of(bundle: str, variant: int | None, arm: str) -> bytes:
    """Which policy sent a slate, packed."""
    name, policy = bundle.encode(), arm.encode()
    first = bytes((NO_VARIANT if variant is None else variant,))
    return first + bytes((len(name),)) + name + bytes((len(policy),)) + policy


def tail_of(
    source: int,
    items: Sequence[int],
    origins: Sequence[str],
    chances: Sequence[float],
    brought: Sequence[bool] = (),
    *,
    mark: bytes,
) -> bytes:
    """What stands in a slate, packed; the chances mean nothing if there is no variant. ``mark`` is
    ``mark_of`` the articles.
    """
    flags = [BROUGHT if each else 0 for each in brought] or [0] * len(items)
    places = [PLACE_OF[origin] | flag for origin, flag in zip(origins, flags, strict=True)]
    return tail_in_hundredths(
        source, items, places, [round(chance * N_VARIANTS) for chance in chances], mark=mark
    )


def tail_in_hundredths(
    source: int, items: Sequence[int], places: Sequence[int], chances: Sequence[int], *, mark: bytes
) -> bytes:
    """``tail_of``, of places in ``ORIGINS`` and of hundredths."""
    packed = bytearray()
    _put(packed, source)
    packed.append(len(items))
    for item, place, chance in zip(items, places, chances, strict=True):
        while item > 127:
            packed.append(item & 127 | 128)
            item >>= 7
        packed += bytes((item, place, chance))
    return bytes(packed) + mark


def mark_of(ids: Iterable[str]) -> bytes:
    """The mark of a source and its items, by their ids in that order."""
    return mark_of_encoded([id.encode() for id in ids])


def mark_of_encoded(ids: Iterable[bytes | memoryview]) -> bytes:
    """``mark_of`` ids in UTF-8."""
    # Lengths, since an id may hold any character.
    parts: list[bytes | memoryview] = []
    for id in ids:
        parts += (b"%d:" % len(id), id)
    return mark_of_marked(parts)


def marked(id: bytes | memoryview) -> bytes:
    """What an id in UTF-8 brings to a mark."""
    return b"%d:%b" % (len(id), bytes(id))


def mark_of_marked(ids: Iterable[bytes | memoryview]) -> bytes:
    """``mark_of`` of ids that are ``marked``."""
    return hashlib.blake2b(b"".join(ids), digest_size=MARK_BYTES).digest()


# A page's events name one slate several times, and many pages the same one.
@lru_cache(maxsize=4_096)
def _unpacked(packed: bytes) -> Slate:
    """What was packed. It carries our signature, which says who wrote it, not that it is sound."""
    given = iter(packed)
    try:
        variant = _byte(given)
        bundle, arm = (_bytes(given, _byte(given)).decode() for _ in range(2))
        source = _take(given)
        links = [(_take(given), _byte(given), _byte(given)) for _ in range(_byte(given))]
        mark = _bytes(given, MARK_BYTES)
        origins = tuple(ORIGINS[origin & ~BROUGHT] for _, origin, _ in links)
    except (IndexError, UnicodeDecodeError):
        raise TokenError("the slate is damaged") from None
    chances = tuple(hundredths / N_VARIANTS for *_, hundredths in links)
    drawn = variant != NO_VARIANT
    possible = all(chance <= 1 and (chance > 0 or not drawn) for chance in chances)
    if [*given] or (drawn and variant >= N_VARIANTS) or not possible:
        raise TokenError("the slate is damaged")
    brought = tuple(bool(origin & BROUGHT) for _, origin, _ in links)
    return Slate(
        list=bundle,
        variant=variant if drawn else None,
        arm=arm,
        source=source,
        items=tuple(item for item, *_ in links),
        origins=origins,
        chances=chances if drawn else None,
        brought=brought if any(brought) else (),
        mark=mark,
    )


def _byte(given: Iterator[int]) -> int:
    for byte in given:
        return byte
    raise IndexError


def _bytes(given: Iterator[int], n: int) -> bytes:
    return bytes([_byte(given) for _ in range(n)])


def _put(packed: bytearray, number: int) -> None:
    """Seven bits a byte, the last byte below 128."""
    while number > 127:
        packed.append(number & 127 | 128)
        number >>= 7
    packed.append(number)


def _take(given: Iterator[int]) -> int:
    number, shift = 0, 0
    while (byte := _byte(given)) > 127:
        number |= (byte & 127) << shift
        shift += 7
        if shift > MAX_NUMBER.bit_length():
            break
    number |= byte << shift
    if number > MAX_NUMBER:
        raise IndexError
    return number
