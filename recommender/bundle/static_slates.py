"""Tokens of the lists in static pages, so that these report what was seen and followed.

A list that did not change keeps the token it has as long as most of that token's time is left.
So exporting every night changes the files whose lists changed, and no others.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from recommender.bundle.composition import Link
from recommender.errors import TokenError
from recommender.events.event import DAY_MS
from recommender.events.slate_token import HOUR_MS, Signer, Slate, hour_of, mark_of
from recommender.store import exports
from recommender.store.database import Store, store_name

# Of the days of a token as many may have passed before an unchanged list is given another: a sixth,
# a month of 180 days. Not tuned.
LEAST_LEFT = 5 / 6
# Whole letters of a token that are the same for every token of a store.
N_LETTERS = 6


class Signed(NamedTuple):
    """A list's token, and until when it is valid, in milliseconds since 1970."""

    token: str
    until_ms: int

    @property
    def valid_until(self) -> str:
        """That time, ISO 8601."""
        return f"{datetime.fromtimestamp(self.until_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


class Before(NamedTuple):
    """What a file of an earlier export holds: its slates by source, as the store numbers it."""

    slates: Mapping[int, tuple[Slate, Signed]]


class StaticSlates:
    """Signs lists that are exported from ``store``, as chosen by the bundle ``name``, with what
    is derived of ``signing_key``. They are valid for so many ``days`` from ``now_ms`` on, in
    milliseconds since 1970. That ``n_lists`` are written to ``folder`` is noted first.
    """

    def __init__(
        self,
        store: Store,
        signing_key: bytes,
        *,
        name: str,
        folder: str,
        n_lists: int,
        now_ms: int,
        days: int,
    ) -> None:
        self.store = store
        self.name = name
        self.until_ms = now_ms + days * DAY_MS
        self._least_ms = now_ms + int(days * LEAST_LEFT * DAY_MS)
        self._now_ms = now_ms
        self._signer = Signer([signing_key], store=store_name(store))
        begin = b64encode(self._signer.static_prefix, b"-_").decode()[:N_LETTERS]
        # Behind another letter a token would be part of something else.
        self._tokens = re.compile(rf"(?<![\w-]){re.escape(begin)}[\w-]+", re.ASCII)
        self._keys: dict[str, int] = {}
        self._recorded = exports.record(store, signing_key, folder, n_lists, until_ms=self.until_ms)
        # Of all tokens so far, kept ones included: how many there are, and until when all are
        # valid.
        self.n_signed = self.n_kept = 0
        self.all_until_ms = hour_of(self.until_ms) * HOUR_MS

    def take_back(self) -> None:
        """Note that nothing was exported after all."""
        exports.take_back(self.store, self._recorded)

    def number(self, ids: Iterable[str]) -> None:
        """Know the store's numbers of these articles, many at a time."""
        new = [id for id in dict.fromkeys(ids) if id not in self._keys]
        self._keys |= zip(new, self.store.keys_of(new), strict=True) if new else ()

    def found_in(self, text: str) -> Before:
        """The slates in a file as it was, as far as they have most of their time before them."""
        slates: dict[int, tuple[Slate, Signed]] = {}
        for token in self._tokens.findall(text):
            try:
                slate, until_ms = self._signer.open_static(token, at_ms=self._now_ms)
            except TokenError:
                continue
            # Nor longer than is asked for now.
            if self._least_ms <= until_ms <= hour_of(self.until_ms) * HOUR_MS:
                slates[slate.source] = slate, Signed(token, until_ms)
        return Before(slates)

    def sign(self, source_id: str, links: Sequence[Link], before: Before | None = None) -> Signed:
        """The token of a page's list; that of ``before`` if it is of the same list."""
        ids = [source_id, *(link.id for link in links)]
        self.number(ids)
        slate = Slate(
            list=self.name,
            variant=None,
            arm="",
            source=self._keys[source_id],
            items=tuple(self._keys[link.id] for link in links),
            origins=tuple(link.origin for link in links),
            chances=(1.0,) * len(links),
            mark=mark_of(ids),
        )
        self.n_signed += 1
        kept = before.slates.get(slate.source) if before else None
        if kept is not None and kept[0]._replace(list=self.name) == slate:
            self.n_kept += 1
            self.all_until_ms = min(self.all_until_ms, kept[1].until_ms)
            return kept[1]
        token = self._signer.sign_static(slate, until_ms=self.until_ms)
        return Signed(token, hour_of(self.until_ms) * HOUR_MS)
