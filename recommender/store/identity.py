"""What a store is known by: a name, which bundles remember, and the keys that sign its tokens.

The keys are made once and kept in the store, so that every process that serves signs alike. A site
that sets a key of its own is free to change it: the one before stays valid.
"""

from __future__ import annotations

import secrets

from recommender.store.database import Store

KEY, PREVIOUS_KEY, NAME = "signing_key", "previous_signing_key", "store"


def store_name(store: Store) -> str:
    """A name no other store bears, given to it when it is first served from."""
    return store.kept(NAME, lambda: secrets.token_hex(8))


def known_name(store: Store) -> str:
    """The store's name, empty if it has none yet: a build gives it none, so that the same input
    makes the same bundle.
    """
    return store.value(NAME) or ""


def signing_keys(store: Store, given: str = "") -> list[bytes]:
    """The keys of slate tokens, the one to sign with first. ``given`` is the setting: it becomes
    the key, and what was the key becomes the one before it.
    """
    key = store.kept(KEY, lambda: given or secrets.token_hex(32))
    previous = store.kept(PREVIOUS_KEY, lambda: "")
    if given and given != key:
        # Also back to the one before, be it by an older process that runs on under it: both stay
        # valid, and each process signs as it is told.
        store.keep(PREVIOUS_KEY, key)
        store.keep(KEY, given)
        key, previous = given, key
    return [key.encode(), *([previous.encode()] if previous else [])]
