"""Making a bundle live: only one that opens, holds together and answers.

The sums of a manifest show that a bundle is as it was written, not that it is any good: whoever
writes one can work them out. So a bundle is opened, which checks all of its arrays, and its lists
are made once: what was written down to be sent must be what the arrays make. Until then the bundle
before stays live.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from recommender.articles.addresses import outline_at, possible_keys
from recommender.bundle import registry
from recommender.bundle.answer_bytes import PREPARED, fragment, tails_of
from recommender.bundle.composition import BEST_SLATE, MAX_K, Placed
from recommender.bundle.published import FRAGMENTS, LISTS, Lists
from recommender.candidates import EMPTY
from recommender.errors import BundleError
from recommender.text.terms import fingerprint


class Trial(NamedTuple):
    """How much of a bundle is tried: of so many pages, evenly spread, prepared bytes are compared
    with what the arrays make, of some all kinds of slates are made, and some texts are looked up.
    """

    n_compared: int
    n_slates: int
    n_texts: int


# Whenever a server opens a bundle, in a tenth of a second; and when one is activated, half a
# millisecond a page: all pages of a small site, 3 s of a large one. Not tuned.
FEW, MANY = Trial(50, 2, 0), Trial(5_000, 10, 2)
# Rows whose links are compared with each other at once.
BLOCK = 4_096
# What arrays that keep to their declarations can still make code raise.
DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


def activate(models: Path, name: str) -> None:
    """Try the bundle and make it the live one. ``BundleError`` names what is wrong with it, and the
    old one stays live.
    """
    registry.activate(models, name, trial=_tried_whole)


def rollback(models: Path) -> str:
    """Try the bundle that was live before and make it live again; returns its name."""
    return registry.rollback(models, trial=_tried_whole)


def tried(folder: Path, *, trial: Trial = FEW) -> Lists:
    """The bundle in ``folder``, opened, and some of its lists made for a ``trial``.
    ``BundleError`` names what is wrong with it.
    """
    lists = Lists.open(folder)
    if lists.name != folder.resolve().name:
        raise BundleError(
            f"{folder / registry.MANIFEST}: it is the manifest of {lists.name!r}; "
            "a bundle is called as its folder is"
        )
    try:
        fault = _fault(lists, trial)
    except BundleError as exc:
        fault = str(exc)
    except DAMAGE as exc:
        raise BundleError(f"{folder}: its lists cannot be made: {exc!r}") from exc
    if fault:
        raise BundleError(f"{folder}/{fault}; the bundle is damaged")
    return lists


def _tried_whole(folder: Path) -> None:
    lists = tried(folder, trial=MANY)
    if fault := _repeated(lists):
        raise BundleError(f"{folder}/{fault}; the bundle is damaged")


def _fault(lists: Lists, trial: Trial) -> str | None:
    """The field that is wrong, and how; None if lists can be made and are what was prepared."""
    rows = _spread(len(lists.stub), trial.n_compared)
    for row, tail in zip(rows, tails_of(lists, np.array(rows)), strict=True):
        link = lists.link(Placed(row, 0.0, ""), 0)
        if link.id != lists.id_of(row):
            return f"fragments_data.npy: what stands there for page {row} is another's"
        for name, made in zip(PREPARED, (fragment(link), tail), strict=True):
            if getattr(lists, name).view(row) != made:
                file = FRAGMENTS if name == FRAGMENTS else f"{LISTS}_{name}"
                return f"{file}_data.npy: what stands there for page {row} is not its own"
    pages = [row for row in rows if not lists.stub[row]]
    for row in pages[:: max(1, len(pages) // trial.n_slates)]:
        if lists.id_of(lists.find(lists.id_of(row)) or 0) != lists.id_of(row):
            return f"{LISTS}_ids_numbers.npy: page {row} is not found by its id"
        for slate in {BEST_SLATE, min(1, lists.share), lists.share}:
            placed, _ = lists.with_chances(row, k=MAX_K, slate=slate)
            if len({each.row for each in placed} | {row}) <= len(placed):
                return f"{LISTS}_slates.npy: slate {slate} of page {row} repeats an article"
            lists.links(placed)
    for row in pages[: trial.n_texts]:
        lists.related_to_text(lists.titles[row], lists.teasers[row], k=MAX_K)
    lists.related(None, k=MAX_K)
    for at in _spread(len(lists.urls.rows), trial.n_compared):
        row = int(lists.urls.rows[at])
        if lists.urls.prints[at] not in map(fingerprint, possible_keys(lists.addresses[row])):
            return f"{LISTS}_urls_rows.npy: address {at} is not that of page {row}"
    found, parameters = lists.pages, lists.by_address.parameters
    for at in _spread(len(found.rows), trial.n_compared):
        row = int(found.rows[at])
        outline = outline_at(lists.addresses[row], parameters)
        if outline is None or fingerprint(outline) != found.prints[at]:
            return f"{LISTS}_pages_rows.npy: address {at} is not that of page {row}"
    return None


def _repeated(lists: Lists) -> str | None:
    """The field in which a page's list holds an article twice, or the page itself; None if there is
    no such list.
    """
    for start in range(0, len(lists.items), BLOCK):
        block = slice(start, start + BLOCK)
        rows = np.arange(start, start + len(lists.items[block]))
        items = np.sort(lists.items[block], axis=1)
        twice = (items[:, 1:] == items[:, :-1]) & (items[:, 1:] != EMPTY)
        if twice.any() or (items == rows[:, None]).any():
            return f"{LISTS}_items.npy: a page is linked twice, or to itself"
        slots = np.sort(lists.slates[block], axis=2)
        if (slots[:, :, 1:] == slots[:, :, :-1]).any():
            return f"{LISTS}_slates.npy: a slate has one link twice"
    return None


def _spread(n: int, at_most: int) -> list[int]:
    """So many of ``n`` rows, the first, the last and others evenly between them."""
    found: list[int] = np.unique(np.linspace(0, n - 1, min(n, at_most)).astype(np.int64)).tolist()
    return found
