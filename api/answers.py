"""A bundle's lists under the editors' rules, as the bytes that are sent.

Most pages ask for the usual ten links and no rule speaks of them: their answers were made when
the bundle was built, and are copied from the mapped file. All others are composed, and those
that may be asked for again are kept. An object of this class never changes in what it says, so
that it can be replaced whole while requests are under way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import numpy as np

from recommender.editorial import Rules
from recommender.lists import DEFAULT_K, Lists, answer

# A composed answer takes some 3 to 10 kB, and 50 times as long to make as to find again.
MAX_COMPOSED = 2_000
# Queries that have been understood once; some 500 bytes each.
MAX_QUESTIONS = 20_000
MAX_QUESTION_BYTES = 300
Key = TypeVar("Key")
Value = TypeVar("Value")
BY_HAND = ("pinned", "fallback")


class Question(NamedTuple):
    """A query for the list of a known article, understood; ``tag`` is that of its prepared list."""

    row: int
    id: str
    k: int
    tag: bytes


class Answers:
    """What is being served."""

    def __init__(self, lists: Lists, rules: Rules) -> None:
        self.lists = lists
        self.rules = rules
        self.questions: dict[bytes, Question] = {}
        self._composed: dict[tuple[int | None, int, tuple[int, ...]], bytes] = {}
        # Slices of a memoryview cost a tenth of those of a mapped array.
        self._data = np.asarray(lists.answers.data).data
        self._heads = np.asarray(lists.answers.heads).data

    def prepared(self, row: int) -> bytes:
        """The usual ten links of an article, as they stand in the bundle."""
        return bytes(self._data[self._heads[row] : self._heads[row + 1]])

    def of(
        self,
        row: int | None,
        now: datetime,
        *,
        k: int = DEFAULT_K,
        exclude: Collection[str] = frozenset(),
    ) -> bytes:
        """The list of an article at this moment; None stands for a page nobody knows."""
        id = None if row is None else self.lists.ids.column[row]
        in_force = self.rules.about(id, now)
        if row is not None and k == DEFAULT_K and not exclude and not in_force:
            return self.prepared(row)
        key = (row, k, tuple(rule.line for rule in in_force))
        body = None if exclude else self._composed.get(key)
        if body is None:
            body = self._compose(row, id, now, k, exclude, bool(in_force))
            if not exclude:
                keep(self._composed, key, body, at_most=MAX_COMPOSED)
        return body

    def _compose(
        self,
        row: int | None,
        id: str | None,
        now: datetime,
        k: int,
        exclude: Collection[str],
        ruled: bool,
    ) -> bytes:
        if row is not None and k < DEFAULT_K and not exclude and not ruled:
            return first(k, self.prepared(row))
        rules = self.rules if ruled else None
        links = self.lists.related(row, k=k, exclude=exclude, rules=rules, now=now)
        return answer(id, self.lists.name, links)

    def of_id(self, id: str, now: datetime, *, k: int) -> bytes:
        """The list of the page with this id, known or not."""
        row = self.lists.row(id)
        return self.of(row, now, k=k, exclude=self.beside(id) if row is None else ())

    def beside(self, id: str | None, exclude: Collection[str] = ()) -> frozenset[str]:
        """What not to show on a page that has no list: an article known by its title alone may
        stand among its own fallbacks.
        """
        if id is None or self.lists.ids.find(id) is None:
            return frozenset(exclude)
        return frozenset({*exclude, id})

    def of_text(self, title: str, body: str, now: datetime, *, k: int) -> bytes:
        """The list of a text that is not stored."""
        links = self.lists.related_to_text(title, body, k=k, rules=self.rules, now=now)
        return answer(None, self.lists.name, links)

    def explained(self, row: int | None, body: bytes) -> bytes:
        """An answer with the figures behind each link that readers or texts have chosen."""
        content = json.loads(body)
        for link in content["items"]:
            link["why"] = None
            if row is not None and link["origin"] not in BY_HAND:
                link["why"] = self.lists.why(row, link["id"])
        return _json(content)


def first(k: int, body: bytes) -> bytes:
    """A shorter list is the beginning of the usual one, and ten times as fast cut as composed."""
    content = json.loads(body)
    return _json({**content, "items": content["items"][:k]})


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def tag_of(body: bytes) -> bytes:
    """The strong ETag of an answer."""
    return b'"%s"' % hashlib.sha256(body).hexdigest()[:24].encode()


def keep(kept: dict[Key, Value], key: Key, value: Value, *, at_most: int) -> None:
    """Remember a value; a full memory starts anew, which is safe between threads."""
    if len(kept) >= at_most:
        kept.clear()
    kept[key] = value
