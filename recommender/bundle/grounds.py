"""What speaks for each prepared link, in five bytes and what editors and readers did.

Cosines are rounded up to 1/32,768, so whatever passed a threshold passes it still, and topics to
1/255. Few links were picked by hand, and few ever followed or read together; of these alone there
are flags, and counts.

>>> used = np.array([[True, True], [True, False]])
>>> found = Grounds.of(used, cosine=np.array([0.5, 0.3, 0.1]), clicked=np.array([0, 7, 0]))
>>> found.at(np.array([0, 1]), np.array([1, 1]))[:, :2].round(3).tolist()
[[0.3, 7.0], [0.0, 0.0]]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np

from recommender.array_fields import Keys, Numbers, Values
from recommender.ragged import at, find
from recommender.text.tfidf import SAME_SUBJECT

# What a cosine, and what a topic, is kept in.
UNIT, TOPIC_UNIT = 1 / 32_768, 1 / 255
# Bits of ``flags``.
PICKED, NEXT = 1, 2


class Evidence(NamedTuple):
    """What speaks for a link: the cosine of the texts; how often it was ``clicked`` and how often
    that was ``expected``; the ``visits`` that read both; 1 if it is in the hand-picked list; 1 if
    it is the next part of the page's series; what the ``subject`` of the titles adds to the
    cosine; and the cosine of the topics, 0 unless it makes the link relevant.

    >>> str(Evidence(cosine=0.42, clicked=9, expected=4.5, hand_picked=1))
    'texts 42 % alike; followed 9 times where 4.5 were to be expected; in the hand-picked list'
    """

    cosine: float = 0.0
    clicked: float = 0.0
    expected: float = 0.0
    visits: float = 0.0
    hand_picked: float = 0.0
    next_part: float = 0.0
    subject: float = 0.0
    topic: float = 0.0

    def __str__(self) -> str:
        parts = ["the next part of the series"] if self.next_part else []
        if self.subject >= SAME_SUBJECT:
            parts.append("titles about the same subject")
        parts.append(f"texts {self.cosine:.0%} alike".replace("%", " %"))
        if self.topic:
            parts.append("of one topic")
        if self.clicked or self.expected >= 1:
            times = "once" if self.clicked == 1 else f"{self.clicked:.0f} times"
            parts.append(f"followed {times} where {self.expected:.1f} were to be expected")
        if self.visits:
            parts.append(f"read with it in {self.visits:.0f} visits")
        if self.hand_picked:
            parts.append("in the hand-picked list")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True, eq=False)
class Grounds:
    """``Evidence`` of every link of ``(n_articles, list_size)``: ``alike`` is the cosine and the
    subject, in ``UNIT``; ``topic`` is in ``TOPIC_UNIT``. Of links by sorted keys, ``row * list_size
    + slot``: ``marked`` are those that have ``flags``, and ``read`` those that readers followed, or
    read both ends of, with how often each was clicked, expected to be, and read together,
    ``readers``, ``(n_read, 3)``.
    """

    alike: Annotated[np.ndarray, Numbers("n_articles, list_size, 2", below=1 << 16)]
    topic: Annotated[np.ndarray, Numbers("n_articles, list_size", below=256)]
    marked: Annotated[np.ndarray, Keys("n_marked")]
    flags: Annotated[np.ndarray, Numbers("n_marked", below=4)]
    read: Annotated[np.ndarray, Keys("n_read")]
    readers: Annotated[np.ndarray, Values("n_read, 3", least=0)]

    @classmethod
    def of(cls, used: np.ndarray, **columns: np.ndarray) -> Grounds:
        """Of the links that are ``used``, ``(n_articles, list_size)``: figures of ``Evidence`` by
        name, ``(n_used,)`` each, row by row; what is not given is 0.
        """
        nothing = np.zeros(int(used.sum()))
        got = {name: columns.get(name, nothing) for name in Evidence._fields}
        alike = np.zeros((*used.shape, 2), dtype=np.uint16)
        for number, name in enumerate(("cosine", "subject")):
            alike[used, number] = np.ceil(np.clip(got[name] / UNIT, 0, (1 << 16) - 1))
        topic = np.zeros(used.shape, dtype=np.uint8)
        topic[used] = np.ceil(np.clip(got["topic"] / TOPIC_UNIT, 0, 255))
        flags = (got["hand_picked"] > 0) * np.uint8(PICKED) + (got["next_part"] > 0) * np.uint8(
            NEXT
        )
        readers = np.column_stack([got[name] for name in ("clicked", "expected", "visits")])
        some = readers.any(axis=1)
        keys, has = np.flatnonzero(used), flags > 0
        return cls(
            alike, topic, keys[has], flags[has], keys[some], readers[some].astype(np.float32)
        )

    @classmethod
    def joined(cls, parts: Sequence[Grounds]) -> Grounds:
        """Those of all articles, of some after the other, of one at least."""
        first = np.cumsum([0, *(part.topic.size for part in parts[:-1])]).tolist()
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("alike", "topic", "flags", "readers")
        }
        marked = [part.marked + start for part, start in zip(parts, first, strict=True)]
        read = [part.read + start for part, start in zip(parts, first, strict=True)]
        return cls(marked=np.concatenate(marked), read=np.concatenate(read), **columns)

    def at(self, rows: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """``Evidence`` of links, ``(n_links, n_figures)``."""
        cosine, subject = (self.alike[rows, slots] * UNIT).T
        keys = np.asarray(rows, dtype=np.int64) * self.topic.shape[1] + slots
        flags = at(self.flags, find(self.marked, keys)).astype(np.uint8)
        known = np.zeros((len(keys), 3))
        if len(self.read):
            place = find(self.read, keys)
            known = np.where(place[:, None] >= 0, self.readers[place], 0.0)
        topic = self.topic[rows, slots] * TOPIC_UNIT
        columns = (cosine, known, (flags & PICKED) > 0, (flags & NEXT) > 0, subject, topic)
        return np.column_stack(columns)

    def alikes(self, rows: np.ndarray, n_slots: int) -> np.ndarray:
        """How alike the texts of the first links are, cosine and subject, ``(n_rows, n_slots)``."""
        return self.alike[rows, :n_slots].sum(axis=2, dtype=np.float64) * UNIT

    def replaced(self, rows: np.ndarray, other: Grounds) -> Grounds:
        """Those of ``other`` in these rows, true or false, ``(n_articles,)``."""
        marked, flags = self._merged(rows, other, "marked", "flags")
        read, readers = self._merged(rows, other, "read", "readers")
        return Grounds(
            np.where(rows[:, None, None], other.alike, self.alike),
            np.where(rows[:, None], other.topic, self.topic),
            marked, flags, read, readers,
        )  # fmt: skip

    def _merged(
        self, rows: np.ndarray, other: Grounds, keys_name: str, name: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Keys and what stands by them, those of ``other`` in these rows."""
        mine, theirs = getattr(self, keys_name), getattr(other, keys_name)
        keys = np.concatenate([mine, theirs])
        is_other = np.arange(len(keys)) >= len(mine)
        kept = np.flatnonzero(rows[keys // self.topic.shape[1]] == is_other)
        kept = kept[np.argsort(keys[kept])]
        return keys[kept], np.concatenate([getattr(self, name), getattr(other, name)])[kept]
