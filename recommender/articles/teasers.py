"""The line under a link: what a reader would say the page is about.

The description that a page gives of itself, else its first real sentence: no heading, no date, no
name of an author, no notice, nothing that many pages have in common.

>>> body = "Posted on 18 October 2025 by Jo\\n\\nGarlic wants cold weeks. Plant it late."
>>> teaser_from(body, title="When to plant garlic")
'Garlic wants cold weeks. Plant it late.'
>>> shortened("Garlic wants cold weeks before it splits. Plant it late.", 45)
'Garlic wants cold weeks before it splits.'
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from itertools import islice

from recommender.articles.article import Article, title_key
from recommender.times import parse_time

# Two lines of a phone, or one of a wide page.
CHARACTERS = 160
# A sentence that is shorter is joined by the next; a line without an end that is shorter is a
# heading. Not tuned.
SHORT = 60
# Of a long text the teaser stands near the beginning.
MAX_LINES = 60
MAX_LINE = 1_000
# What opens so many articles is no text of any one of them.
SHARED_BY = 3
END = re.compile(
    r"(?<=[.!?…])[\"'”’»)\]]*\s+(?=[\"'“‘«(\[¿¡]*[^\sa-zà-ÿ0-9])|(?<=[。！？।॥؟])[」』”）]*\s*"
)
ENDING = re.compile(r"[.!?…:;。！？।॥؟][\"'”’»)\]」』）]*$")
# Words with a point that end no sentence.
ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Z]|Dr|Drs|Mr|Mrs|Ms|Prof|St|Sr|Jr|vs|No|Nr|Fig|approx|ca|bzw|Hr|Fr|Mme|M|"
    r"e\.g|i\.e|z\.\s?B|d\.\s?h|u\.\s?a|p\.\s?ex|U\.S|a\.m|p\.m)\.$"
)
# Lines that stand above a text: who wrote it and when, what it is filed under, what to do with it.
AROUND = re.compile(
    r"""\W*(?:
    (?:first\s+)?(?:posted|published|updated|last\s+(?:updated|modified|reviewed|edited)|
        reviewed|medically\s+reviewed|fact[\s-]checked|written|edited|created|modified)
        (?:\s+(?:on|by|at|in)\b|\s*:|\s+\d|\s*$|\s+(?:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|
        may|jun|jul|aug|sep|oct|nov|dec)) |
    (?:by|von|par|por|di|door|av|af|autor(?:in)?|author|texto?|text|words?|story|photos?|fotos?|
        images?|bild(?:er)?|credit|quelle|source|foto)\s*:?\s+(?-i:[A-ZÀ-ÞŁŚŻČŠŽ])[^.!?]{0,50}$ |
    (?:tags?|topics?|categor(?:y|ies)|filed\s+under|keywords?|labels?|schlagw\w+|kategorien?|
        themen|thema|mots[\s-]cl\S+|etiquetas|categor\S+a)\s*:  |
    (?:share|tweet|pin|print|email|save|copy)\b[^.!?]{0,40}$ | share\s+(?:this|on|via)\b |
    (?:advertisement|anzeige|werbung|sponsored|publicit\S+|publicidad|ad)\W*$ |
    (?:disclaimer|disclosure|note|notice|editor['’]?s\s+note|hinweis|important|warning)\s*: |
    this\s+(?:post|article|page|site|website|content|story|blog)\s+(?:may\s+)?(?:contain|include|
        was|has\s+been|is\s+(?:sponsored|part|for|not|intended|also|available|a\s+guest)|originally|
        first|uses) |
    (?:we|this\s+site)\s+(?:and\s+our\s+\S+\s+partners\s+)?(?:may\s+earn|use\s+cookies|store) |
    (?:as\s+an?\s+amazon) |
    (?:subscribe|sign\s+up|log\s?in|register|join\s+our|follow\s+us|download\s+(?:our|the)|
        click\s+here|read\s+more|skip\s+to|jump\s+to|listen\s+to\s+this|watch\s+the|enable\s+
        javascript|please\s+enable|you\s+need\s+javascript|loading)\b |
    (?:estimated\s+)?(?:reading|read|lese)[\s-]?(?:time|zeit|dauer) |
    \d+\s*-?\s*min(?:ute)?s?\b[^.]*$ |
    (?:table\s+of\s+contents|contents|in\s+this\s+article|on\s+this\s+page|inhalt\w*|sommaire|
        inhoud|índice|indice)\W*$ |
    (?:copyright|©|\(c\)\s|all\s+rights\s+reserved) |
    \d+\s+(?:comments?|views?|shares?|likes?|replies|kommentare?|commentaires?)\b[^.]{0,20}$ |
    (?:lorem\s+ipsum|undefined|null|none|nan|n/a|todo|tbd|test)\b[^.]{0,30}$ | lorem\s+ipsum |
    https?:\S+$ | www\.\S+$
    )""",
    re.IGNORECASE | re.VERBOSE,
)
# What templates leave behind when nobody filled them in. With bounds, since what begins so and does
# not end is searched to its end from each beginning.
LEFTOVER = re.compile(
    r"\{\{.{0,200}?\}\}|\{%.{0,200}?%\}|<%.{0,200}?%>|\$\{[^}]{0,200}\}|"
    r"\[/?[a-z][\w-]{0,40}(?:\s{1,9}\w{1,40}=[^\]]{0,200})?/?\]|%[A-Z_]{3,40}%|%%\w{1,40}%%|"
    r"\[object\s{1,9}Object\]|#REF!|<\?php"
)


def teaser_from(
    text: str, *, title: str = "", most: int = CHARACTERS, shared: Collection[str] = ()
) -> str:
    """The first real sentence of a text, or as many as ``most`` characters have room for; without
    one, its beginning. ``shared`` are the openings of ``openings`` that many articles have.
    """
    found = ""
    for sentence in _sentences(text, title):
        if opening_key(sentence) in shared:
            continue
        found = _joined(found, sentence)
        if len(found) >= SHORT:
            break
    if found:
        return shortened(found, most)
    flat = " ".join(text.split())
    if title and flat.startswith(title):
        flat = flat[len(title) :].strip()
    return "" if LEFTOVER.fullmatch(flat) else shortened(flat, most)


def shortened(text: str, most: int) -> str:
    """The text in at most so many characters: its first sentences, if they fill half of the room,
    else its first words and three dots.
    """
    flat = " ".join(text.split())
    if len(flat) <= most:
        return flat
    whole = ""
    for sentence in _split(flat[: most + MAX_LINE]):
        joined = _joined(whole, sentence)
        if len(joined) > most:
            break
        whole = joined
    if len(whole) * 2 >= most:
        return whole
    cut = flat[: most - 1]
    words = cut.rsplit(" ", 1)[0] if " " in cut[most // 2 :] else cut
    return words.rstrip(" ,;:-–—(") + "…"


def openings(articles: Iterable[Article], *, n_sentences: int = 3) -> set[str]:
    """What many articles begin with, and descriptions that many share, as keys."""
    counts: Counter[str] = Counter()
    for article in articles:
        keys = {opening_key(article.teaser)} if article.teaser else set()
        first = islice(_sentences(article.body, article.title), n_sentences)
        counts.update(keys.union(map(opening_key, first)))
    return {key for key, n in counts.items() if n >= SHARED_BY}


def opening_key(sentence: str) -> str:
    """What sentences are compared by."""
    return " ".join(sentence.casefold().split())


def with_teaser(article: Article, *, most: int, shared: Collection[str]) -> Article:
    """The article with a teaser: its own, unless many have the same, else the first sentence."""
    own = article.teaser
    if own and opening_key(own) not in shared and not LEFTOVER.search(own, 0, MAX_LINE):
        return article
    found = teaser_from(article.body, title=article.title, most=most, shared=shared)
    return replace(article, teaser=found) if found != own else article


def _sentences(text: str, title: str) -> Iterator[str]:
    """The sentences of a text near its beginning, without what is none."""
    key = title_key(title)
    lines = [line for line in text.splitlines()[: 4 * MAX_LINES] if line.strip()]
    for line in lines[:MAX_LINES]:
        flat = " ".join(line.split())
        if len(flat) < SHORT and not ENDING.search(flat):
            continue  # a heading, an entry of a list, a date
        is_title = len(flat) < 2 * len(title) and title_key(flat) == key
        if is_title or AROUND.match(flat) or _is_date(flat):
            continue
        for sentence in _split(flat[:MAX_LINE]):
            if not AROUND.match(sentence) and not LEFTOVER.search(sentence):
                yield sentence


def _joined(text: str, sentence: str) -> str:
    """Both, with a space between where their script has spaces."""
    space = "" if not text or text[-1] in "。！？」』）" else " "
    return f"{text}{space}{sentence}"


def _split(line: str) -> Iterator[str]:
    waiting = ""
    for part in filter(None, map(str.strip, _cut(line))):
        waiting = f"{waiting} {part}" if waiting else part
        if not ABBREVIATION.search(waiting):
            yield waiting
            waiting = ""
    if waiting:
        yield waiting


def _cut(line: str) -> Iterator[str]:
    at = 0
    for match in END.finditer(line):
        # What closes a quotation belongs to the sentence before.
        closing = match[0].rstrip()
        yield line[at : match.start()] + closing
        at = match.end()
    yield line[at:]


def _is_date(line: str) -> bool:
    if len(line) > SHORT:
        return False
    try:
        parse_time(line.strip(" .:"))
    except ValueError:
        return False
    return True
