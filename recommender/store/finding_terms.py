"""What an article is found by: the words of its title, its id and its address, as text.

The same is done to what somebody types, so that it meets the title whatever the letters' case,
accents, marks and forms. Words of scripts without spaces are read by pairs of characters.

The store's index holds these terms, and what is taken out of it must be what was put in: whoever
changes what these functions give adds a step to the schema that makes the index anew.

>>> title_terms("Why isn't vitamin D3 in crème brûlée?")
['^why', 'why', 'isn', 't', 'vitamin', 'd3', 'in', 'creme', 'brulee']
>>> asked_terms("流感疫苗 creme br")
['流感', '感疫', '疫苗', 'creme', 'br']
"""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import unquote

from recommender.articles.addresses import Address, address_fault, bare, outlines, plain, url_key
from recommender.fields import may_be_stored
from recommender.text.terms import COMPOUND, IS_UNSPACED, PIECE, WORD, fingerprint, fold

# Stand before a title's first word, and before what stands for a whole id or address.
FIRST, WHOLE = "^", "="
# A term is a word, and nobody types a longer one; PostgreSQL takes none beyond 2,046 bytes.
MOST_LETTERS = 64
# Terms of one title; longer ones are no titles. Not tuned.
MOST_TERMS = 200
# Characters of an address or an id that are looked through for a part.
MOST_CHARACTERS = 1_000
# Characters that somebody may type; an address may have two thousand.
MOST_TYPED = 2_000


# Letters that are written for one another, and signs that nobody types.
ONE_FORM = {
    ord(written): read
    for written, read in {
        # Not taken apart by Unicode, though people leave the stroke out.
        "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th",
        # Arabic and Persian keyboards, and the ends of Arabic words.
        "ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه", "ـ": "",
        # Apostrophes of many kinds; a word is parted there.
        "ʼ": "'", "ʻ": "'", "ʹ": "'", "`": "'", "´": "'", "‘": "'", "’": "'",
        # Where a line or a word may break, and where letters must not join.
        "\u00ad": "", "\u200b": "", "\u200c": "", "\u200d": "", "\u2060": "", "\ufeff": "",
    }.items()
}  # fmt: skip
# What ``WORD`` finds in text that is ``even`` and ASCII, in a third of the time.
ASCII_WORD = re.compile(r"\d+(?:[.,]\d+)*|[a-z][a-z0-9]*")
DIGIT = re.compile(r"\d")
# Addresses whose path can be read off, as most can.
USUAL = re.compile(r"https?://[a-z0-9.-]+((?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*)/?")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|//")
WWW = re.compile(r"www\d{0,2}\.")


def even(text: str) -> str:
    """Text as it is compared: in one case, one line, without accents, letters in one form.

    >>> even("  Smørrebrød  N° ٣"), even("ＣＡＦÉ")
    ('smorrebrod n° 3', 'cafe')
    """
    if text.isascii():
        return " ".join(text.lower().split())
    folded = fold(text.translate(ONE_FORM)).translate(ONE_FORM)
    return " ".join(DIGIT.sub(lambda digit: str(int(digit[0])), folded).split())


def words_of(text: str) -> list[str]:
    """The words of a text in order, runs of characters without spaces whole.

    >>> words_of("L'eau: 500mg 流感疫苗!")
    ['l', 'eau', '500', 'mg', '流感疫苗']
    """
    evened = even(text)[: MOST_LETTERS * MOST_TERMS]
    if evened.isascii():
        evened = evened.replace("'s ", " ").removesuffix("'s")
        return ASCII_WORD.findall(evened)[:MOST_TERMS]
    found = WORD.findall(evened)
    return [part for word in found for part in _spelt(word).split("'") if part][:MOST_TERMS]


def title_terms(title: str) -> list[str]:
    """What a title is found by: its words, the names within a program's name, of scripts without
    spaces pairs of characters and the last one; and its first term once more, behind ``FIRST``.
    """
    terms = words_of(title)
    if not title.isascii():
        terms = [term for word in terms for term in _pairs(word, last=True)]
    for name in COMPOUND.findall(title)[:MOST_TERMS]:
        terms += [piece.lower() for piece in PIECE.findall(name) if len(piece) > 1]
    first = [FIRST + term for term in terms[:1]]
    return list(dict.fromkeys(map(_cut, first + terms)))


def asked_terms(text: str) -> list[str]:
    """What of the terms of a title somebody has typed, in order; the last may be a beginning."""
    terms = [_cut(term) for word in words_of(text) for term in _pairs(word, last=False)]
    return [*dict.fromkeys(terms[:-1]), *terms[-1:]]


def _spelt(word: str) -> str:
    return word[:-2] if word.endswith("'s") else word


def _pairs(word: str, *, last: bool) -> list[str]:
    if not IS_UNSPACED.match(word):
        return [word]
    pairs = [word[at : at + 2] for at in range(len(word) - 1)]
    # Whoever types one character asks for the pairs that begin with it, and for the last one.
    return [*pairs, word[-1]] if last or not pairs else pairs


def _cut(term: str) -> str:
    return term[:MOST_LETTERS]


def whole_terms(id: str, url: str | None) -> list[str]:
    """What an article is found by as a whole: its id, unless that is ``even``, and its address in
    every way it may be written, but for the host.

    >>> whole_terms("Knee", None) == asked_whole("KNEE")[:1], whole_terms("knee", None)
    (True, [])
    """
    evened = even(id)
    terms = [] if evened == id else [_whole(evened)]
    if url and not address_fault(url):
        usual = USUAL.fullmatch(url)
        terms += [_outline(usual[1])] if usual else _outlines(url)[:1]
        # Of one path there may be as many articles as there are.
        terms += [_whole(url_key(url))] if "?" in url else []
    return list(dict.fromkeys(terms))


def asked_whole(text: str) -> list[str]:
    """Of which articles the id or the address may be what somebody has typed; more have a term in
    common than are meant.
    """
    terms = [_whole(even(text)), *_outlines(text)]
    return list(dict.fromkeys((*terms, _whole(url_key(text))) if "?" in text else terms))


def asked_ids(text: str) -> list[str]:
    """Ids that somebody may mean by an id in capitals, or by an address: sites whose articles have
    no address may have its path for the id.

    >>> asked_ids("KNEE"), asked_ids("https://example.org/2025/Garlic/index.html")[1:]
    (['KNEE', 'knee'], ['2025/Garlic/index.html', '2025/garlic'])
    """
    ids = [text, even(text)]
    if "://" in text or text.startswith("/"):
        with suppress(ValueError):
            path = Address.of(text).path.strip("/")
            ids = [text, path, bare(path).strip("/")]
    # An address may spell what no database takes.
    return [id for id in dict.fromkeys(ids) if id and may_be_stored(id)]


def _outlines(url: str) -> list[str]:
    try:
        path = Address.of(url).path
    except ValueError:
        return []
    return [_whole(f"//{outline}") for outline, _ in outlines(path)]


def _outline(path: str) -> str:
    return _whole(f"//{plain(bare(path))}")


def _whole(text: str) -> str:
    """A term that stands for a whole text, of one length however long that is. In a million hardly
    two have one fingerprint of 52 bits.
    """
    return f"{WHOLE}{fingerprint(text) >> 12:013x}"


def names_of(id: str, url: str | None) -> str:
    """The id and the address as text to look for parts in, a line each; the address alone if the
    id is a part of it.

    >>> names_of("Knee", "https://www.example.org/knee.html?utm_source=mail"), names_of("a/b", None)
    ('example.org/knee.html', 'a/b')
    >>> names_of("7", "https://example.org/caf%C3%A9")
    '7\\nexample.org/cafe'
    """
    address = part_of(url) if url and not address_fault(url) else ""
    name = even(id)[:MOST_CHARACTERS]
    if address and name in address:
        return address
    return f"{name}\n{address}" if address else name


def part_of(text: str) -> str:
    """An address, or a part of one, as ``names_of`` writes them.

    >>> part_of("HTTPS://www.Example.org/Knee/?utm_source=mail#top"), part_of("ample.org/kn")
    ('example.org/knee', 'ample.org/kn')
    """
    text = text.strip()
    if SCHEME.match(text):
        text = url_key(text)
    text = even(unquote(text) if "%" in text else text)
    return (
        WWW.sub("", text, count=1)[:MOST_CHARACTERS] if WWW.match(text) else text[:MOST_CHARACTERS]
    )


def last_part_of(url: str) -> str:
    """The last part of an address's path, as text.

    >>> last_part_of("https://example.org/health/why-knees-click.html?utm_source=mail")
    '/why-knees-click'
    """
    try:
        path = bare(Address.of(url).path)
    except ValueError:
        return ""
    return path[max(0, path.rfind("/")) :]
