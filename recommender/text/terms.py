"""Text to terms: the one analyser, used by training and by the web process alike.

A term is a folded word or number, a piece of a name like "getWindowText", or, in scripts
written without spaces, a pair of neighbouring characters. Standard library only, so that the
web process can afford it.

>>> terms("Which has vitamin D3: 2.5 µg or 500mg? Crème brûlée isn't Müsli's fault.")
['vitamin', 'd3', '2.5', 'μg', '500', 'mg', 'creme', 'brulee', "isn't", 'musli', 'fault']
>>> terms("流感疫苗 2026")
['流感', '感疫', '疫苗', '2026']
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b


def _marks() -> str:
    """Ranges of the combining marks below U+3000, for a character class."""
    codes = [code for code in range(0x300, 0x3000) if unicodedata.category(chr(code))[0] == "M"]
    starts = [code for code in codes if code - 1 not in codes]
    ends = [code for code in codes if code + 1 not in codes]
    return "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))


# Han, kana, Thai, Lao, Khmer, Myanmar: scripts in which spaces do not part words.
UNSPACED = (
    "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\U00020000-\U0003ffff"
)
LETTER = rf"[^\W\d_{UNSPACED}]"
# A number keeps its decimals and lets go of its unit, so that "500mg" is "500 mg"; a word keeps
# its digits ("b12"), its marks (which \w leaves out) and its apostrophe ("isn't").
WORD = re.compile(
    rf"[{UNSPACED}]+|\d+(?:[.,]\d+)*"
    rf"|{LETTER}(?:[^\W_{UNSPACED}]|[{_marks()}])*(?:'{LETTER}+)?"
)
# Names put together from words, as programs have them, and the words within: "getWindowText",
# "XMLReader". They are terms as a whole and in pieces (benchmarks/README.md, "Text").
COMPOUND = re.compile(r"(?<![A-Za-z0-9])(?:[A-Za-z]+[a-z0-9][A-Z]|[A-Z]{2,}[a-z]{2})[A-Za-z0-9]*")
PIECE = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
# The accents of European scripts and the points of Hebrew and Arabic, which most texts leave out;
# the vowel signs of Hindi or Thai are marks too, but part of the word.
DIACRITICS = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]+")
# Words that carry a sentence, not a subject. On a large site their idf is low; on a site of a
# dozen pages "what" is as rare as "gout". No negations and no words of time or place: "without
# food", "after a meal" mean something.
FUNCTION_WORDS = frozenset(
    """
    a an the and or but if so as than then that this these those there here
    of to in on at by for with from into onto about
    i me my mine we us our ours you your yours he him his she her hers it its they them their
    am is are was were be been being do does did doing done have has had having
    can could should would will shall may might must
    what which who whom whose when where why how
    i'm it'll they're we're you're
    """.split()  # noqa: SIM905 - a paragraph is easier to read than a column
)
# Where one statement of a text ends and the next begins.
SEGMENT_END = re.compile(r"[\r\n]+|(?<=[.!?])\s+|(?<=[。！？])")


def terms(text: str) -> list[str]:
    """The terms of a text, in order, repetitions included, function words left out.

    >>> terms("GetWindowText gets the text")
    ['getwindowtext', 'get', 'window', 'text', 'gets', 'text']
    """
    return [term for term in words(text) if term not in FUNCTION_WORDS]


def words(text: str) -> list[str]:
    """The same with function words: what the form of a title is made of.

    >>> words("What causes gout?")
    ['what', 'causes', 'gout']
    """
    found = WORD.findall(fold(text))
    if pieces := {name.lower(): _pieces(name) for name in COMPOUND.findall(text)}:
        found = [term for word in found for term in (word, *pieces.get(word, ()))]
    if text.isascii():
        return [word[:-2] if word.endswith("'s") else word for word in found]
    return [term for word in found for term in _split(word)]


def fold(text: str) -> str:
    """Lower case, compatible forms made one, accents of European scripts taken off.

    >>> fold("ＣＡＦÉ Straße")
    'cafe strasse'
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    bare = DIACRITICS.sub("", unicodedata.normalize("NFD", folded))
    return unicodedata.normalize("NFC", bare)


def _pieces(name: str) -> list[str]:
    """The words within a name, single letters left out."""
    return [piece.lower() for piece in PIECE.findall(name) if len(piece) > 1]


def _split(word: str) -> Iterator[str]:
    if re.match(rf"[{UNSPACED}]", word):
        yield from (word[at : at + 2] for at in range(max(1, len(word) - 1)))
    else:
        yield word.removesuffix("'s")


def segments(text: str) -> list[str]:
    """Statements of a text: lines, and sentences within lines.

    >>> segments("What to do\\n\\nRest. Drink enough!")
    ['What to do', 'Rest.', 'Drink enough!']
    """
    return [part.strip() for part in SEGMENT_END.split(text) if part and part.strip()]


def fingerprint(text: str) -> int:
    """64 bits that stand for a string, the same on every machine and in every run."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def without(text: str, boilerplate: set[int]) -> str:
    """``text`` without the statements whose fingerprints are in ``boilerplate``."""
    if not boilerplate:
        return text
    kept = (part for part in segments(text) if fingerprint(part) not in boilerplate)
    return "\n".join(kept)
