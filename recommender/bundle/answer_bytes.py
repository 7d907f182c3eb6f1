"""The bytes that answers are made of, worked out once where they are the same every time."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import isfinite
from typing import Any

from recommender.bundle.arrays import Pieces
from recommender.bundle.composition import BEST_SLATE, Link, Placed
from recommender.bundle.published import Prepared

# What is written down of an article: the links that its page gets when it asks for the usual ten,
# the beginning of a link to it, and what a token holds of these links.
PREPARED = ("answers", "fragments", "tails")
# The fields of a link in their order on the wire: what is the same in every list comes first.
OF_ARTICLE = ("id", "url", "title", "teaser", "image", "published_at", "language")
OF_PLACE = ("position", "score", "origin")


def ready(lists: Prepared) -> dict[str, Pieces]:
    """``PREPARED`` of every article."""
    rows = [prepared_bytes(lists, row) for row in range(len(lists.stub))]
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    return {name: Pieces.of(column) for name, column in zip(PREPARED, columns, strict=True)}


def prepared_bytes(lists: Prepared, row: int) -> tuple[bytes, bytes, bytes]:
    """``PREPARED`` of one article; no list nor token for the page of a stub."""
    beginning = fragment(lists.link(Placed(row, 0.0, ""), 0))
    if lists.stub[row]:
        return b"", beginning, b""
    placed = lists.composed(row)
    tail = lists.tail(row, placed, BEST_SLATE, lambda at: int(lists.keys[at]))
    return items_json(lists.links(placed)), beginning, tail


def fragment(link: Link) -> bytes:
    """The beginning of a link in an answer, which is the same in every list.

    >>> link = Link("knee", None, "Knees", "", 2, 0.25, "text")
    >>> fragment(link) + ending(link.position, link.score, link.origin)
    b'{"id":"knee","url":null,"title":"Knees","teaser":"","image":null,"published_at":null,\
"language":null,"position":2,"score":0.25,"origin":"text"}'
    """
    return as_json({name: getattr(link, name) for name in OF_ARTICLE})[:-1]


def ending(position: int, score: float, origin: str) -> bytes:
    """The end of a link in an answer."""
    if not isfinite(score):
        raise ValueError(f"{score} is no score")
    return b',"position":%d,"score":%b,"origin":"%b"}' % (
        position, repr(round(score, 6)).encode(), origin.encode()
    )  # fmt: skip


def as_record(link: Link) -> dict[str, Any]:
    """A link as the wire has it. (``dataclasses.asdict`` copies deeply, ten times slower.)"""
    return {name: getattr(link, name) for name in OF_ARTICLE + OF_PLACE}


def items_json(links: Iterable[Link]) -> bytes:
    """The links as they stand in an answer."""
    return as_json([as_record(link) for link in links])


def head_json(article_id: str | None, model: str, slate: str | None) -> bytes:
    """An answer up to its links."""
    return as_json({"article_id": article_id, "model": model, "slate": slate})[:-1]


def guessed(head: bytes, assumed: str) -> bytes:
    """The head of an answer at an address by which the article could but be guessed.

    >>> guessed(head_json("knee", "fallback", None), "letter case")
    b'{"article_id":"knee","model":"fallback","slate":null,"guess":"letter case"'
    """
    return b"%b,%b" % (head, as_json({"guess": assumed})[1:-1])


def answer(head: bytes, items: bytes) -> bytes:
    """The JSON a page gets, of ``head_json`` and ``items_json``."""
    return b'%b,"items":%b}' % (head, items)


def as_json(content: Any) -> bytes:
    """What the wire has of a value: no spaces, and no escapes but those that JSON needs."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()
