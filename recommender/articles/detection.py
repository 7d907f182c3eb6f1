"""The languages of many texts at once, as ``language.detect`` finds them, in a tenth of the time.

The detector goes through a text byte by byte, from state to state, and adds up what the states say
of each language. Here all texts take one step together, and what they add up is one product of
matrices. Where that comes so near to a threshold that rounding could decide, the detector itself
is asked.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from recommender.articles.language import (
    MIN_CONFIDENCE,
    NOT_DETECTED,
    beginning_of,
    detect,
    detector,
    is_long_enough,
    primary_subtag,
)
from recommender.ragged import runs

# Texts that go through the detector together: some 30 MB.
TOGETHER = 2_000
# Sums in another order differ by a hundredth of this.
NEAR = 1e-3


class Model(NamedTuple):
    """The detector's tables. From a state and a byte, ``following[rows[state], byte]`` is the next
    state, ``features`` is what a state says, -1 for nothing; ``table`` is how likely each is in a
    language, ``(n_features, n_languages)``, and ``prior`` the languages themselves.
    """

    following: np.ndarray
    rows: np.ndarray
    features: np.ndarray
    table: np.ndarray
    prior: np.ndarray
    codes: list[str]


def detect_all(
    titles: Sequence[str], bodies: Sequence[str], among: Collection[str] = ()
) -> list[str | None]:
    """As ``language.detect`` of each."""
    texts = [beginning_of(title, body) for title, body in zip(titles, bodies, strict=True)]
    asked = [row for row, text in enumerate(texts) if is_long_enough(text, among)]
    found: list[str | None] = [None] * len(texts)
    if not asked:
        return found
    loaded = detector()
    model = Model(
        np.frombuffer(loaded.tk_nextmove, dtype=f"u{loaded.tk_nextmove.itemsize}"),
        np.array(loaded.tk_row, dtype=np.int32) << 8,
        np.array(loaded.tk_output, dtype=np.int32),
        loaded.nb_ptc,
        loaded.nb_pc,
        loaded.nb_classes,
    )
    for start in range(0, len(asked), TOGETHER):
        rows = asked[start : start + TOGETHER]
        chances = _chances([_bytes_of(texts[row]) for row in rows], model)
        codes, is_near = _decided(chances, model.codes, among)
        for row, code, unsure in zip(rows, codes, is_near.tolist(), strict=True):
            found[row] = detect(titles[row], bodies[row], among) if unsure else code
    return found


def _bytes_of(text: str) -> bytes:
    text = text.lower() if text.isupper() else text
    return unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")


def _chances(texts: Sequence[bytes], model: Model) -> np.ndarray:
    """How likely each text is in each language, ``(n_texts, n_languages)``."""
    sizes = np.array([len(text) for text in texts])
    # The longest first, so that those that go on are the first ones.
    order = np.argsort(-sizes, kind="stable")
    letters = np.zeros((len(texts), int(sizes.max())), dtype=np.uint8)
    for row, text in enumerate(texts):
        letters[row, : len(text)] = np.frombuffer(text, dtype=np.uint8)
    letters = np.ascontiguousarray(letters[order].T)
    going = np.searchsorted(-sizes[order], -np.arange(len(letters)), side="left")
    state = np.zeros(len(texts), dtype=np.int32)
    said = np.full(letters.shape, -1, dtype=np.int32)
    for step, n in enumerate(going.tolist()):
        state[:n] = model.following[model.rows[state[:n]] + letters[step, :n]]
        said[step, :n] = model.features[state[:n]]
    steps, at = np.nonzero(said >= 0)
    n_features = len(model.table)
    # They fit in four bytes, and are sorted in half the time.
    keys = order[at].astype(np.int32) * np.int32(n_features) + said[steps, at]
    keys.sort()
    heads = runs(keys)
    row, feature = np.divmod(keys[heads[:-1]], n_features)
    times = np.log1p(np.diff(heads).astype(np.float32))
    # Of the table, as much as is needed: it is kept in two bytes a number.
    used = np.flatnonzero(np.bincount(feature, minlength=n_features))
    column = np.zeros(n_features, dtype=np.int32)
    column[used] = np.arange(len(used))
    counted = csr_array((times, (row, column[feature])), shape=(len(texts), len(used)))
    scores = counted @ model.table[used].astype(np.float32)
    scores[np.bincount(row, minlength=len(texts)) > 0] += model.prior
    scores /= np.sqrt(np.maximum(sizes, 1))[:, None]
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    # A language with two columns, for two scripts, is likely by both.
    first: dict[str, int] = {}
    for column_, code in enumerate(model.codes):
        if (other := first.setdefault(code, column_)) != column_:
            chances[:, other] += chances[:, column_]
            chances[:, column_] = 0
    return chances


def _decided(
    chances: np.ndarray, codes: Sequence[str], among: Collection[str]
) -> tuple[list[str | None], np.ndarray]:
    """The code of each text, None where none is likely enough; and where it is a near thing."""
    best = chances.argmax(axis=1)
    top = chances[np.arange(len(chances)), best]
    seems = [primary_subtag(codes[at]) for at in best.tolist()]
    if not among:
        is_near = np.abs(top - MIN_CONFIDENCE) < NEAR
        likely = top >= MIN_CONFIDENCE
        found = [
            code if sure and codes[at] not in NOT_DETECTED else None
            for code, sure, at in zip(seems, likely.tolist(), best.tolist(), strict=True)
        ]
        return found, is_near
    languages = [primary_subtag(code) for code in codes]
    total = chances[:, [code in among for code in languages]].sum(axis=1)
    own = np.zeros(len(chances))
    for code in {*among} & {*languages}:
        rows = np.flatnonzero([each == code for each in seems])
        columns = np.flatnonzero([each == code for each in languages])
        own[rows] = chances[np.ix_(rows, columns)].sum(axis=1)
    second = np.partition(chances, -2, axis=1)[:, -2]
    is_near = np.abs(own - MIN_CONFIDENCE * total) < NEAR * np.maximum(total, NEAR)
    is_near |= top - second < NEAR
    likely = own > MIN_CONFIDENCE * total
    found = [code if yes else None for code, yes in zip(seems, likely.tolist(), strict=True)]
    return found, is_near
