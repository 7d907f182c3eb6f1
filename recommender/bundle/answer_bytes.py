"""The bytes that answers are made of, worked out once where they are the same every time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from json.encoder import encode_basestring
from math import isfinite
from typing import Any

import numpy as np

from recommender.bundle.arrays import Pieces
from recommender.bundle.composition import BEST_SLATE, DEFAULT_K, Link, Placed
from recommender.bundle.link_fragments import FORM, OF_ARTICLE, LinkFragments
from recommender.bundle.published import Prepared
from recommender.candidates import EMPTY, MIN_LINKS
from recommender.events.slate_token import N_VARIANTS, mark_of_marked, marked, tail_in_hundredths

# What is written down of an article: the beginning of a link to it, and what a token holds of the
# links that its page gets when it asks for the usual ten.
PREPARED = ("fragments", "tails")
# The fields of a link behind those that are the same in every list.
OF_PLACE = ("position", "score", "origin")
# Articles whose chances are counted at once; bounds the memory.
BLOCK = 4_096


def ready(lists: Prepared) -> dict[str, Pieces]:
    """``PREPARED`` of every article."""
    links = (lists.link(Placed(row, 0.0, ""), 0) for row in range(len(lists.stub)))
    made = (
        LinkFragments.written(map(parts_of, links)),
        Pieces.of(tails_of(lists, np.arange(len(lists.stub)))),
    )
    return dict(zip(PREPARED, made, strict=True))


def tails_of(lists: Prepared, rows: np.ndarray) -> Iterator[bytes]:
    """What a token holds of the lists of articles, chances counted of many at once; lists that
    have to be filled up are made as for an answer.
    """
    depth = lists.slates.shape[2]
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        items = lists.items[some, :DEFAULT_K]
        n_listed = (items != EMPTY).sum(axis=1)
        chances = np.full(items.shape, N_VARIANTS)
        # Of the best slate, as in ``Prepared.chances_of``.
        agree = (lists.slates[some] == np.arange(depth)).sum(axis=1)
        chances[:, :depth] = (agree + N_VARIANTS - lists.share)[:, : items.shape[1]]
        named = {row: marked(id) for row, id in _ids_of(lists, np.append(some, items[items >= 0]))}
        # What is listed stands before what is empty, and is enough.
        whole = (items != EMPTY) == (np.arange(items.shape[1]) < n_listed[:, None])
        is_usual = whole.all(axis=1) & (n_listed >= min(DEFAULT_K, MIN_LINKS))
        columns = (
            some, n_listed, is_usual, lists.stub[some], lists.keys[some], items, lists.keys[items],
            lists.origins[some, :DEFAULT_K], chances,
        )  # fmt: skip
        for row, size, usual, stub, key, listed, keys, places, hundredths in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            if stub:
                yield b""
            elif not usual:
                yield tail_of(lists, row)
            else:
                yield tail_in_hundredths(
                    key,
                    keys[:size],
                    places[:size],
                    hundredths[:size],
                    mark=mark_of_marked([named[at] for at in (row, *listed[:size])]),
                )


def _ids_of(lists: Prepared, rows: np.ndarray) -> Iterator[tuple[int, memoryview]]:
    """The different rows of these, each with its id."""
    different = np.unique(rows).tolist()
    return zip(different, lists.ids.column.views(different), strict=True)


def tail_of(lists: Prepared, row: int) -> bytes:
    """What a token holds of the list of one article; nothing for the page of a stub."""
    if lists.stub[row]:
        return b""
    return lists.tail(row, lists.composed(row), BEST_SLATE, lambda at: int(lists.keys[at]))


def fragment(link: Link) -> bytes:
    """The beginning of a link in an answer, which is the same in every list.

    >>> fragment(Link("knee", None, "Knees", "", 2, 0.25, "text"))
    b'{"id":"knee","url":null,"title":"Knees","teaser":"","image":null,"published_at":null,\
"language":null'
    """
    return FORM % tuple(parts_of(link))


def parts_of(link: Link) -> list[bytes]:
    """The fields of a link that are the same in every list, in JSON."""
    return [_text(getattr(link, name)) for name in OF_ARTICLE]


def joined(
    fragments: Sequence[bytes | memoryview], scores: Sequence[float], origins: Sequence[str]
) -> bytes:
    """The links of an answer, of their beginnings and what is theirs in this list.

    >>> link = Link("knee", None, "Knees", "", 1, 0.25, "text")
    >>> joined([fragment(link)], [link.score], [link.origin]) == items_json([link])
    True
    """
    if not scores:
        return b"[]"
    if not all(map(isfinite, scores)):
        raise ValueError(f"{scores} are no scores")
    # All at once: a third of the time that a call for each takes.
    written = repr([round(score, 6) for score in scores])[1:-1].encode().split(b", ")
    parts: list[bytes | memoryview] = [b""] * (3 * len(fragments))
    parts[0::3], parts[1::3] = fragments, written
    parts[2::3] = map(_encoded, origins)
    return _form(len(fragments)) % tuple(parts)


@cache
def _encoded(origin: str) -> bytes:
    return origin.encode()


@cache
def _form(n_links: int) -> bytes:
    places = [b'%%b,"position":%d,"score":%%b,"origin":"%%b"}' % at for at in range(1, n_links + 1)]
    return b"[%b]" % b",".join(places)


def as_record(link: Link) -> dict[str, Any]:
    """A link as the wire has it. (``dataclasses.asdict`` copies deeply, ten times slower.)"""
    return {name: getattr(link, name) for name in OF_ARTICLE + OF_PLACE}


def items_json(links: Iterable[Link]) -> bytes:
    """The links as they stand in an answer."""
    return as_json([as_record(link) for link in links])


def head_json(article_id: str | None, model: str, slate: str | None) -> bytes:
    """An answer up to its links."""
    return b'{"article_id":%b,"model":%b,"slate":%b' % (*map(_text, (article_id, model, slate)),)


def _text(value: str | None) -> bytes:
    """``as_json`` of a text, in a tenth of its time."""
    return b"null" if value is None else encode_basestring(value).encode()


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
