"""A bundle's lists under the editors' rules, as the bytes that are sent.

Most pages ask for the usual ten links and no rule speaks of them: these were written down when the
bundle was built, and are copied from the mapped file behind a head that names the slate. All others
are composed, and those that may be asked for again are kept. What an object of this
class answers never changes, so that it can be replaced whole while requests are under way.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import numpy as np

from recommender.bundle.answer_bytes import answer, ending, head_json, items_json
from recommender.bundle.composition import BEST_SLATE, DEFAULT_K, Placed, packed
from recommender.bundle.fallback import FallbackLists
from recommender.bundle.overlay import Patched
from recommender.bundle.published import Lists
from recommender.events.slate_token import N_VARIANTS, Signer, head_of
from recommender.lists.editorial import Rules
from recommender.lists.exploration import BEST, DEPTH, EXPLORE, slate_of

# A composed answer takes some 3 to 10 kB, and 50 times as long to make as to find again.
MAX_COMPOSED = 2_000
# Queries that have been parsed once; some 800 bytes each.
MAX_QUESTIONS = 20_000
MAX_QUESTION_BYTES = 300
# What tokens hold of a slate, some 200 bytes each; all variants of a best slate share one.
MAX_TAILS = 100_000
Key = TypeVar("Key")
Value = TypeVar("Value")
BY_HAND = ("pinned", "fallback")
FALLBACK = b'"origin":"fallback"'


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

    def body(self) -> bytes:
        """The answer."""
        return answer(*self)

    @property
    def is_fallback(self) -> bool:
        """Is there a link that only fills up?"""
        return FALLBACK in self.items


class Question(NamedTuple):
    """A query for the list of a known article, parsed; ``head`` and ``tag`` are those of the
    list that was prepared for it.
    """

    row: int
    id: str
    k: int
    variant: int | None
    slate: int
    head: bytes
    tag: bytes
    is_fallback: bool


class Composed(NamedTuple):
    """A list that was put together: its links as sent, and who stands where with what chance."""

    items: bytes
    placed: list[Placed]
    chances: tuple[float, ...]


class Answers:
    """What is being served."""

    def __init__(
        self,
        lists: Lists | FallbackLists,
        rules: Rules,
        *,
        seal: Seal | None = None,
        patch: Patched | None = None,
    ) -> None:
        # The bundle, whose prepared answers are copied; None if there is none to be read.
        self.lists = lists if isinstance(lists, Lists) else None
        self.rules = rules
        self.seal = seal
        self.shelf = patch or lists
        self.touched: Collection[int] = patch.touched if patch else ()
        self.questions: dict[bytes, Question] = {}
        self._composed: dict[tuple[int | None, int, int, tuple[int, ...]], Composed] = {}
        self._tails: dict[tuple[int, int, int], bytes] = {}
        name, share = lists.name, lists.share
        self._token_heads = [head_of(name, at, _arm(at, share)) for at in range(N_VARIANTS)]
        self._token_heads.append(head_of(name, None, ""))
        self._n_prepared = 0
        if isinstance(lists, Lists):
            # Slices of a memoryview cost a tenth of those of a mapped array.
            self._data = np.asarray(lists.answers.data).data
            self._heads = np.asarray(lists.answers.heads).data
            self._n_prepared = len(lists.stub)

    def prepared(self, id: str, row: int, now: datetime) -> Lists | None:
        """The bundle, if what it prepared for the article still holds."""
        plain = row < self._n_prepared and row not in self.touched
        return self.lists if plain and not self.rules.about(id, now) else None

    def plain_items(self, lists: Lists, row: int, k: int, slate: int) -> bytes:
        """The links of an article as prepared; the usual ten are copied as they are."""
        if k == DEFAULT_K and slate == BEST_SLATE:
            return bytes(self._data[self._heads[row] : self._heads[row + 1]])
        return self._items(lists.composed(row, k=k, slate=slate))

    def of(
        self,
        row: int | None,
        now: datetime,
        *,
        k: int = DEFAULT_K,
        exclude: Collection[str] = frozenset(),
        variant: int | None = None,
    ) -> Sent:
        """The list of an article at this moment; None stands for a page nobody knows."""
        if row is None:
            items = self._compose(None, now, k, exclude, BEST_SLATE).items
            return Sent(head_json(None, self.shelf.name, None), items)
        slate = BEST_SLATE if variant is None else slate_of(variant, self.shelf.share)
        id = self.shelf.id_of(row)
        lists = self.prepared(id, row, now) if not exclude and k <= DEPTH else None
        if lists is not None:
            items, tail = self._plain(lists, row, k, slate)
        else:
            items, placed, chances = self._compose(row, now, k, exclude, slate)
            tail = packed(row, placed, chances, self.seal.key) if self.seal else b""
        return Sent(head_json(id, self.shelf.name, self._token(variant, tail)), items)

    def _plain(self, lists: Lists, row: int, k: int, slate: int) -> tuple[bytes, bytes]:
        """The links of an article as prepared, and what a token holds of them."""
        usual = k == DEFAULT_K and slate == BEST_SLATE
        seal, tail = self.seal, self._tails.get((row, k, slate))
        if usual and seal is not None and seal.keys is lists.keys:
            tail = lists.tails.bytes_at(row)
        if tail is not None:
            return self.plain_items(lists, row, k, slate), tail
        placed = lists.composed(row, k=k, slate=slate)
        tail = lists.tail(row, placed, slate, seal.key) if seal else b""
        keep(self._tails, (row, k, slate), tail, at_most=MAX_TAILS)
        return self.plain_items(lists, row, k, slate) if usual else self._items(placed), tail

    def _token(self, variant: int | None, tail: bytes) -> str | None:
        """What the page names the slate by; without a store there is none."""
        if self.seal is None:
            return None
        head = self._token_heads[N_VARIANTS if variant is None else variant]
        return self.seal.signer.seal(head, tail)

    def _items(self, placed: list[Placed]) -> bytes:
        """Links as they are sent; their beginnings stand in the bundle."""
        lists, n = self.lists, self._n_prepared
        links = [
            lists.fragments.bytes_at(each.row) + ending(at, each.score, each.origin)
            if lists is not None and each.row < n and not self.shelf.is_changed(each.row)
            else items_json([self.shelf.link(each, at)])[1:-1]
            for at, each in enumerate(placed, start=1)
        ]
        return b"[%b]" % b",".join(links)

    def _compose(
        self, row: int | None, now: datetime, k: int, exclude: Collection[str], slate: int
    ) -> Composed:
        id = None if row is None else self.shelf.id_of(row)
        in_force = self.rules.about(id, now)
        key = (row, k, slate, tuple(rule.line for rule in in_force))
        composed = None if exclude else self._composed.get(key)
        if composed is not None:
            return composed
        rules = self.rules if in_force else None

        def placed(number: int) -> list[Placed]:
            return self.shelf.composed(
                row, k=k, exclude=exclude, rules=rules, now=now, slate=number
            )

        sent = placed(slate)
        # What pins, blocks and changes make of every slate there is: a chance is how many of the
        # hundred variants agree.
        agree: Counter[tuple[int, int]] = Counter()
        for number in range(self.shelf.share + 1 if row is not None else 1):
            weight = 1 if number else N_VARIANTS - self.shelf.share
            for place, each in enumerate(placed(number)):
                agree[each.row, place] += weight
        chances = tuple(agree[each.row, place] / N_VARIANTS for place, each in enumerate(sent))
        composed = Composed(self._items(sent), sent, chances)
        if not exclude:
            keep(self._composed, key, composed, at_most=MAX_COMPOSED)
        return composed

    def of_id(self, id: str, now: datetime, *, k: int) -> Sent:
        """The list of the page with this id, known or not."""
        row = self.shelf.row(id)
        return self.of(row, now, k=k, exclude=self.beside(id) if row is None else ())

    def beside(self, id: str | None, exclude: Collection[str] = ()) -> frozenset[str]:
        """What not to show on a page that has no list: an article known by its title alone may
        stand among its own fallbacks.
        """
        if id is None or self.shelf.find(id) is None:
            return frozenset(exclude)
        return frozenset({*exclude, id})

    def of_text(self, title: str, body: str, now: datetime, *, k: int) -> bytes:
        """The list of a text that is not stored."""
        links = self.shelf.related_to_text(title, body, k=k, rules=self.rules, now=now)
        return answer(head_json(None, self.shelf.name, None), items_json(links))

    def explained(self, row: int | None, body: bytes) -> bytes:
        """An answer with the figures behind each link that readers or texts have chosen."""
        content = json.loads(body)
        lists = self.lists if row is not None and row < self._n_prepared else None
        for link in content["items"]:
            link["why"] = None
            if lists is not None and row is not None and link["origin"] not in BY_HAND:
                found = lists.why(row, link["id"])
                link["why"] = found and found._asdict()
        return _json(content)


def _arm(variant: int, share: int) -> str:
    return EXPLORE if slate_of(variant, share) else BEST


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def tag_of(body: bytes) -> bytes:
    """The strong ETag of an answer."""
    return b'"%s"' % hashlib.sha256(body).hexdigest()[:24].encode()


def keep(kept: dict[Key, Value], key: Key, value: Value, *, at_most: int) -> None:
    """Remember a value; a full memory starts anew, which is safe between threads."""
    if len(kept) >= at_most:
        kept.clear()
    kept[key] = value
