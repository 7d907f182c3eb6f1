"""A bundle's lists under the editors' rules, as the bytes that are sent.

A list is joined of the beginnings of its links, which were written down when the bundle was built
and are copied from the mapped file, behind a head that names the slate. What may be asked for again
is kept. What an object of this class answers never changes, so that it can be replaced whole while
requests are under way.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from recommender.articles.addresses import NOTHING, Found
from recommender.bundle.answer_bytes import (
    answer,
    as_json,
    fragment,
    guessed,
    head_json,
    items_json,
    joined,
)
from recommender.bundle.composition import BEST_SLATE, DEFAULT_K, Link, Placed
from recommender.bundle.explanation import Explanation, Kept, Placing, explain_links
from recommender.bundle.fallback import FallbackLists
from recommender.bundle.overlay import Patched
from recommender.bundle.published import Lists
from recommender.candidates import EMPTY
from recommender.events.event import ORIGINS
from recommender.events.slate_token import (
    N_VARIANTS,
    Signer,
    head_of,
    mark_of_encoded,
    tail_in_hundredths,
)
from recommender.lists.editorial import Rules
from recommender.lists.exploration import BEST, DEPTH, EXPLORE, slate_of
from recommender.store.rules import EVERYWHERE

# What a process keeps of answers as they are sent, some 4 kB each, and of links without a head,
# which are those of up to a hundred answers; and what one of these takes beside its bytes and those
# of its query, which may have so many. Not tuned.
MAX_READY_BYTES, MAX_COMPOSED_BYTES = 8 * 1024 * 1024, 8 * 1024 * 1024
KEPT_BYTES, MAX_QUERY_BYTES = 500, 300
# Kinds of faults that are logged of one bundle and its changes.
MAX_FAULTS = 20
Key = TypeVar("Key")
Value = TypeVar("Value")
# A page by its row, how many links, which slate, and the keys of the rules in force.
Composed = tuple[int | None, int, int, tuple[tuple[int, int], ...]]
BY_HAND = ("pinned", "fallback")
EXPLORED = ORIGINS.index("explored")
FALLBACK = b'"origin":"fallback"'

logger = logging.getLogger("api")


class Seal(NamedTuple):
    """What slates are signed with, and the store's numbers of the articles: of the bundle's by
    row, of those that came later by row too.
    """

    signer: Signer
    keys: np.ndarray
    later: Mapping[int, int]

    def key(self, row: int) -> int:
        """The store's number of an article."""
        return int(self.keys[row]) if row < len(self.keys) else self.later[row]


class Sent(NamedTuple):
    """What is sent: everything up to the links, and the links."""

    head: bytes
    items: bytes
    # Is it there in place of a list that could not be composed?
    is_spare: bool = False

    def guessed(self, assumed: str) -> Sent:
        """The same, saying what had to be assumed to find the page, if anything."""
        return self._replace(head=guessed(self.head, assumed)) if assumed else self

    def body(self) -> bytes:
        """The answer."""
        return answer(self.head, self.items)

    @property
    def is_fallback(self) -> bool:
        """Is there a link that only fills up?"""
        return FALLBACK in self.items


class Ready(NamedTuple):
    """An answer that is the same whenever it is asked for: its headers as ``http.lines`` writes
    them, its body and its tag. ``has_variant`` is true of one to a view that has drawn a variant,
    ``arm`` the label of what it was shown in an experiment, empty outside.
    """

    lines: bytes
    body: bytes
    tag: bytes
    is_fallback: bool
    has_variant: bool
    arm: str = ""


class Recent(Generic[Key, Value]):
    """What was made or asked for of late, in two halves of so many bytes together: the older goes
    when the newer is full, which is safe between threads.
    """

    def __init__(self, most_bytes: int) -> None:
        self.half = most_bytes // 2
        # By its key, a value and the bytes it takes.
        self._new: dict[Key, tuple[Value, int]] = {}
        self._old: dict[Key, tuple[Value, int]] = {}
        self._n_bytes = 0

    def get(self, key: Key) -> Value | None:
        """The value of a key, if it is there."""
        found = self._new.get(key)
        if found is None:
            found = self._old.get(key)
            if found is None:
                return None
            self.keep(key, *found)
        return found[0]

    def keep(self, key: Key, value: Value, n_bytes: int) -> None:
        """Keep a value that takes so many bytes."""
        self._n_bytes += n_bytes
        if self._n_bytes > self.half:
            self._old, self._new, self._n_bytes = self._new, {}, n_bytes
        self._new[key] = value, n_bytes


class ReadyAnswers(Recent[bytes, Ready]):
    """Answers by their query, which were asked for of late."""

    def __init__(self) -> None:
        super().__init__(MAX_READY_BYTES)

    def remember(self, query: bytes, ready: Ready) -> None:
        """Keep an answer, unless its query is uncommonly long."""
        if len(query) <= MAX_QUERY_BYTES:
            n_bytes = KEPT_BYTES + len(query) + len(ready.lines) + len(ready.body)
            self.keep(query, ready, n_bytes)


class Answers:
    """What is being served."""

    def __init__(
        self,
        lists: Lists | FallbackLists,
        rules: Rules,
        *,
        seal: Seal | None = None,
        patch: Patched | None = None,
        mended: Callable[[], None] = lambda: None,
    ) -> None:
        # The bundle, whose prepared answers are copied; None if there is none to be read.
        self.lists = lists if isinstance(lists, Lists) else None
        # As the editors wrote them, and by the ids of the articles that are served.
        self.written = rules
        self.seal = seal
        self.shelf = patch or lists
        self.rules = rules.resolved(self.shelf.named)
        self.gone: Collection[int] = patch.gone if patch else ()
        self._mended = mended
        self._faults: set[str] = set()
        self.touched: Collection[int] = patch.touched if patch else ()
        self.changed: Collection[int] = patch.read if patch else ()
        self.ready = ReadyAnswers()
        self._composed: Recent[Composed, tuple[bytes, bytes]] = Recent(MAX_COMPOSED_BYTES)
        arms = (EXPLORE if slate_of(at, lists.share) else BEST for at in range(N_VARIANTS))
        self._token_heads = [head_of(lists.name, at, arm) for at, arm in enumerate(arms)]
        self._token_heads.append(head_of(lists.name, None, ""))
        self._n_prepared = 0
        if isinstance(lists, Lists):
            # Slices of a memoryview cost a tenth of those of a mapped array.
            self._data = np.asarray(lists.fragments.data).data
            self._heads = np.asarray(lists.fragments.heads).data
            self._n_prepared = len(lists.stub)
            self._links = [np.asarray(part) for part in (lists.items, lists.scores, lists.origins)]

    def is_steady(self, row: int) -> bool:
        """Are the rules that speak of a page in force at all times?"""
        by_source = self.rules.by_source
        return not by_source or all(
            rule.starts is None and rule.ends is None
            for source in (self.shelf.id_of(row), EVERYWHERE)
            for rule in by_source.get(source, ())
        )

    def prepared(self, id: str, row: int, now: datetime) -> Lists | None:
        """The bundle, if what it prepared for the article still holds."""
        plain = row < self._n_prepared and row not in self.touched
        if not plain or (self.rules.rules and self.rules.about(id, now)):
            return None
        return self.lists

    def of(
        self,
        row: int | None,
        now: datetime,
        *,
        k: int = DEFAULT_K,
        exclude: Collection[str] = frozenset(),
        variant: int | None = None,
    ) -> Sent:
        """The list of an article at this moment; None stands for a page nobody knows. One that
        cannot be composed is replaced by what was prepared for the page (``spare``).
        """
        try:
            return self._of(row, now, k, exclude, variant)
        except Exception as exc:  # noqa: BLE001 - a page has a list
            self.note(exc)
            return self.spare(row, now, k=k, exclude=exclude)

    def note(self, exc: Exception) -> None:
        """Count that a list could not be composed, and log it once for each kind of fault."""
        self._mended()
        kind = f"{type(exc).__name__}: {exc}"[:200]
        if kind not in self._faults and len(self._faults) < MAX_FAULTS:
            self._faults.add(kind)
            logger.error("a list cannot be composed, a spare one is sent", exc_info=exc)

    def spare(
        self,
        row: int | None,
        now: datetime,
        *,
        k: int = DEFAULT_K,
        exclude: Collection[str] = frozenset(),
    ) -> Sent:
        """The links that the bundle prepared for an article, else what fills lists up, else none:
        without what came since, nor what is gone or blocked, and without a slate.
        """
        for source in dict.fromkeys((row, None)):
            try:
                items, id = self._spared(source, now, k, exclude)
            except Exception as exc:  # noqa: BLE001
                self.note(exc)
                continue
            if items:
                head = head_json(id, self.shelf.name, None)
                return Sent(head, b"[%b]" % b",".join(items), is_spare=True)
        return Sent(head_json(None, self.shelf.name, None), b"[]", is_spare=True)

    def _spared(
        self, row: int | None, now: datetime, k: int, exclude: Collection[str]
    ) -> tuple[list[bytes], str | None]:
        """Links one by one, and the id of the page."""
        lists = self.lists or self.shelf
        if row is not None and self.lists is not None and row >= self._n_prepared:
            return [], None
        id = None if row is None else lists.id_of(row)
        left_out = {*exclude, id}
        left_out |= {rule.target for rule in self.rules.about(id, now) if rule.action == "block"}
        prepared = lists.fallback(None) if row is None else (p.row for p in lists.prepared(row))
        items: list[bytes] = []
        for at in prepared:
            if len(items) == k:
                break
            if at in self.gone or lists.is_barred(at):
                continue
            if lists.id_of(at) not in left_out:
                link = lists.link(Placed(at, 0.0, "fallback"), len(items) + 1)
                items.append(items_json([link])[1:-1])
        return items, id

    def _of(
        self, row: int | None, now: datetime, k: int, exclude: Collection[str], variant: int | None
    ) -> Sent:
        if row is None:
            items, _ = self._compose(None, now, k, exclude, BEST_SLATE)
            return Sent(head_json(None, self.shelf.name, None), items)
        slate = BEST_SLATE if variant is None else slate_of(variant, self.shelf.share)
        id = self.shelf.id_of(row)
        lists = self.prepared(id, row, now) if not exclude and k <= DEPTH else None
        if lists is not None:
            items, tail = self._plain(lists, row, k, slate)
        else:
            items, tail = self._compose(row, now, k, exclude, slate)
        return Sent(head_json(id, self.shelf.name, self._token(variant, tail)), items)

    def _plain(self, lists: Lists, row: int, k: int, slate: int) -> tuple[bytes, bytes]:
        """The links of an article as prepared, and what a token holds of them."""
        key: Composed = (row, k, slate, ())
        plain = self._composed.get(key)
        if plain is None:
            plain = self._whole(lists, row, k, slate)
            if plain is None:
                placed = lists.composed(row, k=k, slate=slate)
                seal = self.seal
                tail = lists.tail(row, placed, slate, seal.key) if seal else b""
                plain = self.items(placed), tail
            self._composed.keep(key, plain, KEPT_BYTES + len(plain[0]))
        return plain

    def _whole(self, lists: Lists, row: int, k: int, slate: int) -> tuple[bytes, bytes] | None:
        """The same of a slate that is prepared whole, in half the time or less; None if it has
        fewer links than a page asks for.
        """
        depth = lists.slates.shape[2]
        if slate == BEST_SLATE:
            numbers, scores, places = (part[row, :k].tolist() for part in self._links)
        elif k <= depth:
            slots = lists.slates[row, slate - 1, :k].tolist()
            numbers, scores, places = (
                [whole[slot] for slot in slots]
                for whole in (part[row].tolist() for part in self._links)
            )
            places = [
                EXPLORED if slot >= depth else place
                for slot, place in zip(slots, places, strict=True)
            ]
        else:
            return None
        if len(numbers) < k or k > depth or EMPTY in numbers:
            return None
        data, heads = self._data, self._heads
        beginnings = [data[heads[at] : heads[at + 1]] for at in numbers]
        items = joined(beginnings, scores, [ORIGINS[each] for each in places])
        return items, self._tail(lists, row, numbers, places, slate)

    def _tail(
        self, lists: Lists, row: int, numbers: list[int], places: list[int], slate: int
    ) -> bytes:
        """``Prepared.tail`` of a slate that is prepared whole; ``places`` are in ``ORIGINS``."""
        seal = self.seal
        if seal is None:
            return b""
        if slate == BEST_SLATE and len(numbers) == DEFAULT_K and seal.keys is lists.keys:
            return lists.tails.bytes_at(row)
        keys = seal.keys.data
        return tail_in_hundredths(
            keys[row], [keys[at] for at in numbers], places,
            lists.chances_of(row, slate)[: len(numbers)],
            mark=mark_of_encoded(lists.ids.column.views((row, *numbers))),
        )  # fmt: skip

    def _token(self, variant: int | None, tail: bytes) -> str | None:
        """What the page names the slate by; without a store there is none."""
        if self.seal is None:
            return None
        head = self._token_heads[N_VARIANTS if variant is None else variant]
        return self.seal.signer.seal(head, tail)

    def items(self, placed: list[Placed]) -> bytes:
        """Links as they are sent; their beginnings stand in the bundle."""
        n, changed = self._n_prepared, self.changed
        beginnings: list[bytes | memoryview] = [
            self._data[self._heads[each.row] : self._heads[each.row + 1]]
            if each.row < n and each.row not in changed
            else fragment(self.shelf.link(each, 0))
            for each in placed
        ]
        return joined(beginnings, [each.score for each in placed], [each.origin for each in placed])

    def _compose(
        self, row: int | None, now: datetime, k: int, exclude: Collection[str], slate: int
    ) -> tuple[bytes, bytes]:
        """The links of an article as put together now, and what a token holds of them."""
        id = None if row is None else self.shelf.id_of(row)
        in_force = self.rules.about(id, now)
        key = (row, k, slate, tuple(rule.key for rule in in_force))
        composed = None if exclude else self._composed.get(key)
        if composed is None:
            rules = self.rules if in_force else None
            placed, chances = self.shelf.with_chances(
                row, k=k, exclude=exclude, rules=rules, now=now, slate=slate
            )
            tail = b""
            if row is not None and self.seal is not None:
                brought: Sequence[bool] = ()
                if exclude or k > DEPTH:
                    brought = self.shelf.brought(row, placed, rules=rules, now=now, slate=slate)
                tail = self.shelf.packed(row, placed, chances, self.seal.key, brought)
            composed = self.items(placed), tail
            if not exclude:
                self._composed.keep(key, composed, KEPT_BYTES + len(composed[0]))
        return composed

    def of_id(self, id: str, now: datetime, *, k: int) -> Sent:
        """The list of the page with this id, known or not."""
        row = self.find(id=id).row
        return self.of(row, now, k=k, exclude=self.beside(id) if row is None else ())

    def find(self, *, id: str | None = None, url: str | None = None) -> Found:
        """The article of this id, else the one at this address."""
        try:
            if id is None:
                return self.shelf.at_address(url or "")
            row = self.shelf.row(id)
        except Exception as exc:  # noqa: BLE001
            self.note(exc)
            return NOTHING
        return NOTHING if row is None else Found((row,))

    def beside(
        self, id: str | None, exclude: Collection[str] = (), *, rows: Sequence[int] = ()
    ) -> frozenset[str]:
        """What not to show on a page that has no list: an article known by its title alone may
        stand among its own fallbacks, and so may those of ``rows``, one of which it is.
        """
        try:
            exclude = (*exclude, *map(self.shelf.id_of, rows))
            known = id is not None and self.shelf.find(id) is not None
        except Exception as exc:  # noqa: BLE001
            self.note(exc)
            known = id is not None
        return frozenset((*exclude, str(id))) if known else frozenset(exclude)

    def of_text(
        self, title: str, body: str, now: datetime, *, k: int, language: str | None = None
    ) -> bytes:
        """The list of a text that is not stored."""
        try:
            links = self.shelf.related_to_text(
                title, body, language=language, k=k, rules=self.rules, now=now
            )
        except Exception as exc:  # noqa: BLE001
            self.note(exc)
            return self.spare(None, now, k=k).body()
        return answer(head_json(None, self.shelf.name, None), items_json(links))

    @cached_property
    def _kept(self) -> Kept | None:
        return None if self.lists is None else Kept.of(self.lists)

    def explanations(
        self,
        row: int | None,
        links: Sequence[Link],
        absent: Sequence[str] = (),
        *,
        rules: Rules,
        now: datetime,
    ) -> dict[str, Explanation]:
        """By id, what explains the ``links`` of a page under these rules, and those ``absent``;
        empty where nothing can: without a bundle, and on pages nobody knows.
        """
        if row is None or self.lists is None or isinstance(self.shelf, FallbackLists):
            return {}
        placed = [(each.id, Placing(each.position, each.origin, each.score)) for each in links]
        asked = [*placed, *((id, Placing()) for id in absent)]
        found = explain_links(
            self.lists, self.shelf, row, asked, kept=self._kept, rules=rules, now=now
        )
        return {each.candidate_id: each for each in found}

    def explained(self, row: int | None, body: bytes, now: datetime) -> bytes:
        """An answer with the figures behind each link that readers or texts have chosen, and with
        what explains every link of a known page.
        """
        content = json.loads(body)
        lists = self.lists if row is not None and row < self._n_prepared else None
        links = content["items"]
        for link in links:
            link["why"] = link["explanation"] = None
            if lists is not None and row is not None and link["origin"] not in BY_HAND:
                found = lists.why(row, link["id"])
                link["why"] = found and found._asdict()
        if row is not None and self.lists is not None and not isinstance(self.shelf, FallbackLists):
            explained = explain_links(
                self.lists, self.shelf, row,
                [
                    (link["id"], Placing(link["position"], link["origin"], link["score"]))
                    for link in links
                ],
                kept=self._kept, rules=self.rules, now=now,
            )  # fmt: skip
            by_id = {each.candidate_id: each.as_json() for each in explained}
            for link in links:
                link["explanation"] = by_id.get(link["id"])
        return as_json(content)


def tag_of(body: bytes) -> bytes:
    """The strong ETag of an answer."""
    return b'"%s"' % hashlib.sha256(body).hexdigest()[:24].encode()


def keep(kept: dict[Key, Value], key: Key, value: Value, *, at_most: int) -> None:
    """Remember a value; a full memory starts anew, which is safe between threads."""
    if len(kept) >= at_most:
        kept.clear()
    kept[key] = value
