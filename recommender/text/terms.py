"""Text to terms: the one analyser, used by training and by the web process alike.

A term is a folded word or number, a piece of a name like "getWindowText", or, in scripts
written without spaces, a pair of neighbouring characters. Most languages write a word in many
forms, or several words in one; what these have in common are runs of letters (``runs``). Standard
library only, so that the web process can afford it.

>>> terms("Which has vitamin D3: 2.5 µg or 500mg? Crème brûlée isn't Müsli's fault.")
['vitamin', 'd3', '2.5', 'μg', '500', 'mg', 'creme', 'brulee', "isn't", 'musli', 'fault']
>>> terms("流感疫苗 2026")
['流感', '感疫', '疫苗', '2026']
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
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
IS_UNSPACED = re.compile(rf"[{UNSPACED}]")
LETTER = rf"[^\W\d_{UNSPACED}]"
# A number keeps its decimals and lets go of its unit, so that "500mg" is "500 mg"; a word keeps
# its digits ("b12"), its marks (which \w leaves out) and its apostrophe ("isn't").
WORD = re.compile(
    rf"[{UNSPACED}]+|\d+(?:[.,]\d+)*"
    rf"|{LETTER}(?:[^\W_{UNSPACED}]|[{_marks()}])*(?:'{LETTER}+)?"
)
# The same of folded ASCII, in half the time.
PLAIN_WORD = re.compile(r"\d+(?:[.,]\d+)*|[a-z][a-z0-9]*(?:'[a-z]+)?")
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
# Of these any English text has some, and other languages next to none; a text is English if as
# large a share of its words is of these, or of several function words: other languages have some of
# them in common, Dutch a seventh of its text ("is", "in", "of"), Finnish one ("on").
ENGLISH = frozenset(
    "the and with that this these you your from which how what when can are been it its".split()  # noqa: SIM905
)
MIN_ENGLISH, MIN_FUNCTION_WORDS = 0.04, 0.25
# Letters of a run, by the script of a word: the first and last character that has it. In Hangul a
# character is a syllable; words of Arabic and Hebrew are short, vowels being left out. Longer runs
# miss short stems, shorter ones are in too many words (benchmarks/README.md, "Text").
RUN = 4
SHORTER_RUNS = (("\u0590", "\u07ff", 3), ("\uac00", "\ud7a3", 2))
# Runs of a long word that are left out as its endings, and of how many it is long.
ENDINGS, LONG = 2, 4
# Stands before a run, and in no word.
MARK = "~"
FINGERPRINT_BYTES = 8
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
    found = words_in(fold(text))
    if pieces := {name.lower(): pieces_of(name) for name in COMPOUND.findall(text)}:
        found = [term for word in found for term in (word, *pieces.get(word, ()))]
    if text.isascii():
        return [word[:-2] if word.endswith("'s") else word for word in found]
    return [term for word in found for term in split(word)]


def words_in(folded: str) -> list[str]:
    """The words and numbers of a text that is folded."""
    found: list[str] = (PLAIN_WORD if folded.isascii() else WORD).findall(folded)
    return found


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


def pieces_of(name: str) -> list[str]:
    """The words within a name, single letters left out."""
    return [piece.lower() for piece in PIECE.findall(name) if len(piece) > 1]


def split(word: str) -> Iterator[str]:
    """The terms of a folded word: itself, or its pairs of neighbouring characters."""
    if IS_UNSPACED.match(word):
        yield from (word[at : at + 2] for at in range(max(1, len(word) - 1)))
    else:
        yield word.removesuffix("'s")


def runs(words: Iterable[str]) -> list[str]:
    """The runs of letters within words, in order, repetitions included; none of words too short for
    one, of numbers, and of scripts that are read by pairs of characters.

    The first run of a word counts once more, as a beginning: most languages have the stem there.
    Of long words the last two are left out, which are endings.

    >>> runs(["sokeri", "lasketaan", "혈당을", "流感", "2026"])[:5]
    ['~~soke', '~soke', '~oker', '~keri', '~~lask']
    >>> runs(["lasketaan", "혈당을"])[1:]
    ['~lask', '~aske', '~sket', '~keta', '~~혈당', '~혈당', '~당을']
    """
    found = []
    for word in words:
        if word[0].isdecimal() or IS_UNSPACED.match(word):
            continue
        n = next((n for first, last, n in SHORTER_RUNS if first <= word[0] <= last), RUN)
        within = [f"{MARK}{word[at : at + n]}" for at in range(len(word) - n + 1)]
        if within:
            found.append(MARK + within[0])
        found += within[:-ENDINGS] if len(within) > LONG else within
    return found


def is_run(term: str) -> bool:
    """Is a term a run of letters within a word?"""
    return term.startswith(MARK)


def is_english(words: Sequence[str]) -> bool:
    """Do these words show an English text? They are to include function words.

    >>> is_english(words("How long a visa lasts")), is_english(words("Wie lange das Visum gilt"))
    (True, False)
    """
    if sum(word in ENGLISH for word in words) >= max(1, MIN_ENGLISH * len(words)):
        return True
    shared = [word for word in words if word in FUNCTION_WORDS]
    return len(set(shared)) > 1 and len(shared) >= MIN_FUNCTION_WORDS * len(words)


def segments(text: str) -> list[str]:
    """Statements of a text: lines, and sentences within lines.

    >>> segments("What to do\\n\\nRest. Drink enough!")
    ['What to do', 'Rest.', 'Drink enough!']
    """
    return [part.strip() for part in SEGMENT_END.split(text) if part and part.strip()]


def fingerprint(text: str) -> int:
    """64 bits that stand for a string, the same on every machine and in every run."""
    return int.from_bytes(blake2b(text.encode(), digest_size=FINGERPRINT_BYTES).digest(), "little")


def without(text: str, boilerplate: set[int]) -> str:
    """``text`` without the statements whose fingerprints are in ``boilerplate``."""
    if not boilerplate:
        return text
    kept = (part for part in segments(text) if fingerprint(part) not in boilerplate)
    return "\n".join(kept)
