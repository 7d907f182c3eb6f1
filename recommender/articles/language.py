"""The language of an article: what it says of itself under one code, else what its text shows.

>>> primary_subtag("en-GB"), primary_subtag("EN_us"), primary_subtag("ger"), primary_subtag("und")
('en', 'en', 'de', None)
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier


def _by_word(words: dict[str, str]) -> dict[str, str]:
    """``{word: code}`` of ``{code: words}``, which stand with spaces between."""
    return {word: code for code, several in words.items() for word in several.split()}


# Codes for what is no language: undetermined, several, none, one without a code.
NO_LANGUAGE = ("und", "mul", "zxx", "mis")
# Other codes of a language: of three letters (ISO 639-2), withdrawn, and of its written standards,
# which readers of one read too.
OTHER_CODES = _by_word({
    "ar": "ara arb arz ary", "bg": "bul", "ca": "cat", "cs": "ces cze", "cy": "cym wel",
    "da": "dan", "de": "deu ger", "el": "ell gre", "en": "eng", "es": "spa", "et": "est",
    "eu": "eus baq", "fa": "fas per", "fi": "fin", "fr": "fra fre", "ga": "gle", "he": "heb iw",
    "hi": "hin", "hr": "hrv", "hu": "hun", "hy": "hye arm", "id": "ind in", "is": "isl ice",
    "it": "ita", "ja": "jpn", "ka": "kat geo", "ko": "kor", "lt": "lit", "lv": "lav",
    "mk": "mkd mac", "ms": "msa may", "nl": "nld dut", "no": "nor nb nob nn nno", "pl": "pol",
    "pt": "por", "ro": "ron rum mo", "ru": "rus", "sk": "slk slo", "sl": "slv", "sq": "sqi alb",
    "sr": "srp", "sv": "swe", "th": "tha", "tl": "tgl fil", "tr": "tur", "uk": "ukr",
    "ur": "urd", "vi": "vie", "yi": "ji", "zh": "zho chi cmn yue wuu",
})  # fmt: skip
# What people write instead of a code: names of languages, in English and in themselves.
NAMES = _by_word({
    "ar": "arabic العربية", "bg": "bulgarian български", "ca": "catalan català",
    "cs": "czech čeština česky", "cy": "welsh cymraeg", "da": "danish dansk",
    "de": "german deutsch", "el": "greek ελληνικά", "en": "english",
    "es": "spanish español castellano", "et": "estonian eesti", "eu": "basque euskara",
    "fa": "persian farsi فارسی", "fi": "finnish suomi", "fr": "french français",
    "ga": "irish gaeilge", "he": "hebrew עברית", "hi": "hindi", "hr": "croatian hrvatski",
    "hu": "hungarian magyar", "hy": "armenian հայերեն", "id": "indonesian",
    "is": "icelandic íslenska", "it": "italian italiano", "ja": "japanese 日本語",
    "ka": "georgian ქართული", "ko": "korean 한국어", "lt": "lithuanian lietuvių",
    "lv": "latvian latviešu", "mk": "macedonian македонски", "ms": "malay",
    "nl": "dutch nederlands flemish vlaams", "no": "norwegian norsk", "pl": "polish polski",
    "pt": "portuguese português", "ro": "romanian română", "ru": "russian русский",
    "sk": "slovak slovenčina", "sl": "slovenian slovene slovenščina", "sq": "albanian shqip",
    "sr": "serbian srpski српски", "sv": "swedish svenska", "th": "thai ไทย",
    "tl": "filipino tagalog", "tr": "turkish türkçe", "uk": "ukrainian українська",
    "ur": "urdu اردو", "vi": "vietnamese", "yi": "yiddish", "zh": "chinese mandarin 中文",
})  # fmt: skip

# Shorter texts are not asked; of longer ones this much is read, which takes 0.2 ms. Where the
# languages of a site are known, fewer characters show which of them it is.
MIN_CHARACTERS, MIN_AMONG, MAX_CHARACTERS = 200, 80, 400
# ... which is in the beginning of a text, however it is laid out.
BEGINNING = 4 * MAX_CHARACTERS
# Of 150,000 English texts none was taken for another language; of 8,200 texts of 200 characters in
# 82 languages one was, and 6 % were not told apart from others (DECISIONS.md, "Language").
MIN_CONFIDENCE = 0.8
# Names of plants, filler texts and the like look like these; sites in them say so.
NOT_DETECTED = ("la", "vo", "grc", "hbo", *NO_LANGUAGE)


def primary_subtag(language: str | None) -> str | None:
    """The language of a tag without region and script (BCP 47), one code for all its codes; None
    for none. A language may be called by its name.

    >>> primary_subtag("English (UK)"), primary_subtag("Français")
    ('en', 'fr')
    """
    found = re.match(r"\s*([^\W\d_]+)", language or "")
    code = found[1].lower() if found else ""
    # "x-…" is what two parties have agreed on between themselves.
    if len(code) < 2 or code in NO_LANGUAGE:
        return None
    return NAMES.get(code) or OTHER_CODES.get(code, code)


def detect(title: str, body: str, among: Collection[str] = ()) -> str | None:
    """The code of the language a text is written in, if it is long enough to tell and not too
    much like others; of the codes ``among``, if any are given. Else None.
    """
    text = beginning_of(title, body)
    if not is_long_enough(text, among):
        return None
    if not among:
        code, confidence = detector().classify(text)
        seems = None if code in NOT_DETECTED else primary_subtag(code)
        return seems if confidence >= MIN_CONFIDENCE else None
    ranked = [(primary_subtag(code), chance) for code, chance in detector().rank(text)]
    seems = ranked[0][0]
    chances = [(code, chance) for code, chance in ranked if code in among]
    likely = sum(chance for code, chance in chances if code == seems)
    return seems if likely > MIN_CONFIDENCE * sum(chance for _, chance in chances) else None


def beginning_of(title: str, body: str) -> str:
    """What is read of a text, in one line."""
    # Most often the half of it is enough, and the same.
    for size in (BEGINNING // 2, BEGINNING):
        text = " ".join(f"{title}\n{body[:size]}".split())
        if len(text) > MAX_CHARACTERS:
            break
    return text[:MAX_CHARACTERS]


def is_long_enough(text: str, among: Collection[str] = ()) -> bool:
    """Is there enough of a text to tell its language, of any or ``among`` these?"""
    return len(text) >= (MIN_AMONG if among else MIN_CHARACTERS)


@lru_cache(maxsize=1)
def detector() -> LanguageIdentifier:
    """The detector, loaded when a text is first asked for, which takes 1.2 s and 80 MB."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
