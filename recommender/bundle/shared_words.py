"""What two texts have in common, in words as readers know them: terms, names, subjects of titles.

``Desk`` looks all of it up in mapped arrays and titles, without the model. "Both are about" is
stated of a whole subject alone, with which the other title's begins; less is mentioned by both.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

import numpy as np

from recommender.bundle.composition import Placed
from recommender.bundle.overlay import Patched
from recommender.bundle.plain_words import PLAIN
from recommender.bundle.published import Lists
from recommender.candidates import EMPTY
from recommender.text.terms import FUNCTION_WORDS, IS_UNSPACED, MARK, fold, is_run, terms, words
from recommender.text.tfidf import is_number, is_subject, naming
from recommender.text.titles import MIN_TITLES

# Terms that are named at most; of those behind them few matter. Not tuned.
N_TERMS, N_NAMED = 6, 3
# A word in a larger share of the texts of a language carries sentences, and is no subject: of
# English these are left out anyway. In both titles it may be in more. Not tuned.
COMMON, COMMON_IN_TITLES = 0.25, 0.6
# ... of a large site in fewer: the words of a template stand on thousands of pages. Read by eye on
# 16,000 health questions, of which a seventh name "phenotype" and "ontology".
COMMON_OF = 3.5
# Two titles are about one thing if half of what they name is the same (as ``tfidf.SAME_SUBJECT``).
ABOUT = 0.5
# Titles of other articles that are looked at for how a word is written within a sentence.
N_TITLES = 30
# How a clause begins that names the few words that texts share.
SHARED = "their texts share "
# Texts less alike have stray words in common, and none is named (``rerank.LEAST_FLOOR``).
LEAST_ALIKE = 0.03
# Beside the weightiest words that two titles share, others of less than half their weight are
# "syndrome" and "type". Not tuned.
BESIDE = 0.5
# What belongs to the name before it: "type 2", "factor V", "vitamin C".
QUALIFIER = re.compile(r"\d+(?:[.,]\d+)*|[IVX]+[A-Z]?|[A-Z]\d?")
TOKEN = re.compile(r"[^\W_]+(?:['’.·-][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class SharedTerm:
    """A term that both have, as readers write it; the part of the cosine of the texts that it
    makes; and whether it stands in ``both`` titles, that of the ``page``, of the ``link`` or of
    ``neither``. ``is_run``: it is but a run of letters within words.
    """

    term: str
    weight: float
    in_titles: str
    is_run: bool = False


class Words(NamedTuple):
    """A text's terms with their weights, and those of the subject of its title."""

    terms: dict[int, float]
    subject: dict[int, float]


class Desk:
    """Explains links of a shelf; ``lists`` are those of the bundle below it."""

    def __init__(self, lists: Lists, shelf: Lists | Patched) -> None:
        self.lists, self.shelf = lists, shelf
        self.texts = lists.texts
        self._words: dict[int, Words] = {}

    # Texts

    def read(self, rows: Sequence[int]) -> None:
        """Look the words of several articles up at once: matrices are turned round, and one way
        through them does for all.
        """
        new = [row for row in dict.fromkeys(rows) if row not in self._words]
        fresh = self.shelf.compared if isinstance(self.shelf, Patched) else {}
        for row in new:
            if row in fresh:
                self._words[row] = Words(fresh[row].terms, fresh[row].subject)
        old = [row for row in new if row not in fresh and row < len(self.lists.stub)]
        wanted = np.zeros(len(self.lists.stub), dtype=bool)
        wanted[old] = True
        found = {row: Words({}, {}) for row in old}
        columns = self.texts.entries_of(wanted)
        for row, term, weight, subject in zip(*map(np.ndarray.tolist, columns), strict=True):
            found[row].terms[term] = weight
            if subject:
                found[row].subject[term] = subject
        self._words |= found

    def words(self, row: int) -> Words:
        """Those of an article; none of one that was not compared."""
        if row not in self._words:
            self.read([row])
        return self._words.get(row, Words({}, {}))

    def term(self, number: int) -> str:
        """A term by its number."""
        return self.texts.vocabulary.column[number]

    def title(self, row: int) -> str:
        """An article's title."""
        return self.shelf.link(Placed(row, 0.0, ""), 0).title

    def share(self, number: int, row: int) -> float:
        """Of the texts in an article's language, the share that has a term."""
        rows = self.texts.rows[self.texts.entries(number)]
        spoken = self.shelf.language_at(row)
        of_language = self._n_in.get(spoken, 0)
        if not of_language:
            return len(rows) / max(1, len(self.lists.stub))
        return float((self.lists.language[rows] == spoken).sum()) / of_language

    @cached_property
    def _n_in(self) -> dict[int, int]:
        known = self.lists.language[self.lists.language != EMPTY]
        numbers, counts = np.unique(known, return_counts=True)
        return dict(zip(numbers.tolist(), counts.tolist(), strict=True))

    @cached_property
    def _most(self) -> float:
        """In a larger share of texts than this a word is no subject."""
        return min(COMMON, COMMON_OF / sqrt(max(1, len(self.lists.stub))))

    def may_name(self, number: int, source: int, *, most: float) -> bool:
        """Does a term say what a text is about: neither the form of a title nor a bare number, and
        not in most texts?
        """
        term = self.term(number)
        return (
            len(term) > 1
            and term not in PLAIN
            and is_subject(term, self.texts.forms.n_titles)
            and self.share(number, source) <= most
        )

    def shared(self, source: int, item: int) -> tuple[SharedTerm, ...]:
        """The terms that make most of the likeness of two texts."""
        one, other = self.words(source), self.words(item)
        weights = {
            number: weight * other.terms[number]
            for number, weight in one.terms.items()
            if number in other.terms
        }
        titles = self.title(source), self.title(item)
        named = [{*terms(title)} for title in titles]
        found: dict[str, SharedTerm] = {}
        for number in sorted(weights, key=lambda number: -weights[number]):
            term = self.term(number)
            parts = term.split(" ")
            plain = "'" in term or all(part in PLAIN for part in parts)
            if plain or is_number(term) or term in self.texts.forms.n_titles or len(term) < 2:
                continue
            if len(parts) > 1 and IS_UNSPACED.match(term):
                continue
            if is_part := is_run(term):
                shown = self._alike(term.lstrip(MARK), source, item) or f"{term.lstrip(MARK)}…"
                inside = [
                    any(term.lstrip(MARK) in fold(title) for title in [each]) for each in titles
                ]
            else:
                inside = [all(part in words for part in parts) for words in named]
                if not all(inside) and self.share(number, source) > self._most:
                    continue
                shown = self.written(term, source, item)
                if HIRAGANA.search(shown) and len(KANA_ENDS.sub("", shown)) < len(shown):
                    continue
            where = ("both" if inside[1] else "page") if inside[0] else "neither"
            where = "link" if inside[1] and not inside[0] else where
            key = fold(shown)
            before = found.get(key, SharedTerm(shown, 0.0, where, is_part))
            weight = round(before.weight + weights[number], 6)
            found[key] = SharedTerm(before.term, weight, before.in_titles, before.is_run)
        for key, part in [*found.items()]:
            # A piece of a word that is named is no more than that word.
            if not part.term.endswith("…"):
                continue
            entire = [each for each, other in found.items() if not other.term.endswith("…")]
            if whole := [each for each in entire if part.term[:-1] in each]:
                of = found[whole[0]]
                found[whole[0]] = replace(of, weight=round(of.weight + part.weight, 6))
                del found[key]
        kept: list[SharedTerm] = []
        for each in sorted(found.values(), key=lambda each: -each.weight):
            # A word and the same one in another form are one.
            if not any({*each.term.split(" / ")} & {*other.term.split(" / ")} for other in kept):
                kept.append(each)
        return tuple(kept[:N_TERMS])

    def _alike(self, run: str, source: int, item: int) -> str:
        """The words of both that have a run of letters, as far as titles and teasers show them."""
        found = []
        for row in (source, item):
            tokens = [token for text in self._shown(row) for token in TOKEN.findall(text)]
            having = [token for token in tokens if run in fold(token) and fold(token) not in PLAIN]
            # The stem is where a word begins, or where it does within another that is put together.
            having.sort(key=lambda token: not fold(token).startswith(run))
            found += having[:1]
        if len(found) < 2 or not any(fold(token).startswith(run) for token in found):
            return ""
        return found[1] if fold(found[0]) == fold(found[1]) else " / ".join(found)

    def written(self, term: str, source: int, item: int) -> str:
        """A term as readers know it: as titles and teasers write it within a sentence."""
        if " " in term:
            return " ".join(self.written(part, source, item) for part in term.split(" "))
        if IS_UNSPACED.match(term):
            return self._span(term, source, item)
        texts = [text for row in (item, source) for text in self._shown(row)]
        forms = [form for text in texts for form in forms_of(term, text)]
        inner = [form for form, is_first in forms if not is_first]
        if inner:
            return inner[0]
        if usual := self._usual(term):
            return usual
        for form, _ in forms:
            # A title without a sentence around it is a name, and written as it is.
            if any(form in text and self._is_name(text) for text in texts[::2]):
                return form
            return form[:1].lower() + form[1:] if form[1:].islower() else form
        return term

    def _is_name(self, title: str) -> bool:
        """Is a title a name alone, without a word of a form or a sentence?"""
        forms = self.texts.forms.n_titles
        return not any(word in FUNCTION_WORDS or word in forms for word in words(title))

    def _span(self, term: str, source: int, item: int) -> str:
        """The longest that titles and teasers of both have in common around a pair of characters:
        where no spaces part words, terms are pieces of them.
        """
        one, other = (fold(" ".join(self._shown(row))) for row in (source, item))
        blocks = SequenceMatcher(a=one, b=other, autojunk=False).get_matching_blocks()
        spans = [
            span for at, _, n in blocks for span in UNSPACED_SPAN.findall(one[at : at + n])
            if term in span
        ]  # fmt: skip
        spans = [bare for span in spans if len(bare := KANA_ENDS.sub("", span)) > 1]
        return max(spans, key=len, default=term)

    def _shown(self, row: int) -> tuple[str, str]:
        link = self.shelf.link(Placed(row, 0.0, ""), 0)
        return link.title, link.teaser

    def _usual(self, term: str) -> str | None:
        """As titles and teasers of other articles write it within a sentence."""
        number = self.texts.vocabulary.find(term)
        if number is None:
            return None
        lists = self.lists
        rows = self.texts.rows[self.texts.entries(number)][:N_TITLES]
        texts = [text for row in rows.tolist() for text in (lists.titles[row], lists.teasers[row])]
        forms = Counter(form for text in texts for form, first in forms_of(term, text) if not first)
        return forms.most_common(1)[0][0] if forms else None

    def phrases(self, source: int, item: int, numbers: set[int]) -> list[str]:
        """What terms of both titles come to: words that stand together in both stay together."""
        wanted = {self.term(number) for number in numbers}
        titles = self.title(source), self.title(item)
        if any(IS_UNSPACED.search(title) for title in titles):
            folded = [fold(title) for title in titles]
            match = SequenceMatcher(a=folded[0], b=folded[1], autojunk=False)
            blocks = [folded[0][at : at + n] for at, _, n in match.get_matching_blocks()]
            spans = [span.strip() for block in blocks for span in UNSPACED_SPAN.findall(block)]
            bare = [KANA_ENDS.sub("", span) for span in spans]
            named = [span for span in bare if len(span) > 1 and not self._is_of_many(span)]
            return [span for span in named if any(term in span for term in wanted)]
        page, link = (TOKEN.findall(title) for title in titles)
        keys = [*map(fold, page)]
        together = {*pairwise(keys)}
        # What may stand in a name: words that both titles are about, and what joins them.
        beside = {self.term(number) for number in self._beside(source, item)} | wanted
        runs: list[list[str]] = []
        before = ""
        for token in link:
            key, within = fold(token), beside.intersection(terms(token))
            is_next = bool(runs) and (before, key) in together
            joins = is_next and (QUALIFIER.fullmatch(token) or key in FUNCTION_WORDS)
            if key not in keys or not (within or joins):
                # "type 1" and "type 2" are no type that they share.
                if is_next_of(before, keys) and QUALIFIER.fullmatch(token) and len(runs[-1]) > 1:
                    runs[-1].pop()
                before = ""
                continue
            runs[-1:] = [[*runs[-1], token]] if is_next else [*runs[-1:], [token]]
            before = key
        runs = [row for row in map(trimmed, runs) if row]
        runs = [row for row in runs if any(wanted.intersection(terms(token)) for token in row)]
        weight = {self.term(number): float(self.texts.idf[number]) for number in numbers}
        total = [
            sum(weight.get(term, 0.0) for token in row for term in terms(token)) for row in runs
        ]
        # Whichever weighs most comes first, and what is but a kind of word beside it goes.
        order = sorted(range(len(runs)), key=lambda at: -total[at])
        kept = [at for at in order if total[at] >= BESIDE * total[order[0]]]
        if sum(total[at] for at in kept) < BESIDE * sum(weight.values()):
            heaviest = max(wanted, key=lambda term: (weight[term], term))
            return [self.written(heaviest, source, item)]
        named = [
            " ".join(self._in_sentence(token, source, item) for token in row)
            for row in (self._entire(runs[at], source, item) for at in kept)
        ]
        return list(dict.fromkeys(named))

    def _is_of_many(self, span: str) -> bool:
        """Does a span of a script without spaces stand in as many titles as a form does?"""
        n = sum(span in title for title in self._unspaced_titles)
        return n >= max(MIN_TITLES, sqrt(len(self._unspaced_titles)))

    @cached_property
    def _unspaced_titles(self) -> list[str]:
        titles = [self.lists.titles[row] for row in range(len(self.lists.stub))]
        return [fold(title) for title in titles if IS_UNSPACED.search(title)]

    def _entire(self, run: list[str], source: int, item: int) -> list[str]:
        """A run of words with what begins its name in both titles: "new" in "New York"."""
        one, two = Title(self.title(item), self), Title(self.title(source), self)
        found = list(run)
        for at in range(1, len(one.tokens)):
            if one.tokens[at : at + len(run)] != run:
                continue
            before = one.tokens[at - 1]
            follows = (fold(before), fold(run[0])) in {*pairwise(two.keys)}
            if fold(before) in PLAIN and follows and not one.joins(at - 1) and one.is_apart(at):
                found = [before, *run]
            break
        return found

    def subject(self, source: int, item: int) -> str:
        """What both titles are about: the whole subject of one of them, where the other's begins
        with it; empty if neither does.
        """
        ends = (item, source)
        if any(IS_UNSPACED.search(self.title(row)) for row in ends):
            for own, whole in (ends, ends[::-1]):
                name, rest = bare_name(self.title(own)), fold(self.title(whole)).lstrip(OUTSIDE)
                if name and rest.startswith(name) and NAME_ENDS.match(rest, len(name)):
                    return name
            return ""
        (one, row), (other, _) = sorted(
            ((Title(self.title(row), self), row) for row in ends), key=lambda each: each[0].n_naming
        )
        keys = one.keys[one.first : one.last]
        if not keys or other.keys[other.first : other.first + len(keys)] != keys:
            return ""
        written = one.text[one.spans[one.first][0] : one.spans[one.last - 1][1]]
        if written.count("(") > written.count(")"):
            written += ")"
        if one.first == 0:
            first = one.tokens[0]
            written = self._in_sentence(first, row, row) + written[len(first) :]
        return written

    def _beside(self, source: int, item: int) -> set[int]:
        """The terms that both titles are about, however many texts have them."""
        one, other = self.words(source).subject, self.words(item).subject
        return {number for number in one.keys() & other.keys() if self.term(number) not in PLAIN}

    def _in_sentence(self, token: str, source: int, item: int) -> str:
        """A word of a title as it is written within a sentence."""
        found = terms(token)
        is_plain = token[1:].isalpha() and not token.isupper()
        if len(found) != 1 or not token[:1].isupper() or not is_plain:
            return token
        return self.written(found[0], source, item)

    # Sentences

    def on_texts(
        self, source: int, item: int, shared: Sequence[SharedTerm], alike: float, *, topic: bool
    ) -> str:
        """What the texts have in common, which are so far ``alike``, without an end; empty for
        nothing.
        """
        one, other = self.words(source), self.words(item)
        both = {
            number: weight * other.subject[number]
            for number, weight in one.subject.items()
            if number in other.subject and self.may_name(number, source, most=COMMON_IN_TITLES)
        }
        kinds = [self.texts.forms.kind_of(self.title(row)) for row in (source, item)]
        whole = sqrt(naming(kinds[0]) * naming(kinds[1]))
        if both and sum(both.values()) >= ABOUT * whole and (name := self.subject(source, item)):
            return f"both are about {name}"
        both = {at: both[at] for at in both if self.may_name(at, source, most=self._most)}
        if both and (phrases := self.phrases(source, item, {*both})[:N_NAMED]):
            return f"both titles mention {listed([quoted(phrase) for phrase in phrases])}"
        if name := self._named(item, one):
            return f"this page speaks of {name}"
        if name := self._named(source, other):
            return f"it speaks of {name}, which this page is about"
        if alike < LEAST_ALIKE:
            return "their texts are of one topic" if topic else ""
        known = [each for each in shared if "…" not in each.term]
        singles = [each for each in known if " " not in each.term or each.is_run] or known
        singles.sort(key=lambda each: each.in_titles == "neither")
        found = [quoted(each.term) for each in singles[:N_NAMED]]
        if any(each.is_run for each in singles[:N_NAMED]):
            return f"words of both are alike: {listed(found)}"
        if len(found) > 1:
            return f"{SHARED}the words {listed(found)}"
        if topic:
            return "their texts are of one topic"
        if not found and shared:
            return "words of their texts are alike"
        return f"{SHARED}the word {found[0]}" if found else ""

    def _named(self, row: int, text: Words) -> str:
        """What the title of an article names, if all of it stands in a text; empty for nothing, and
        for a title that is a sentence of no known form: what it is about is not known.
        """
        title, known = self.title(row), self.texts.vocabulary
        if self.texts.forms.kind_of(title) == EMPTY and not self._is_name(title):
            return ""
        tokens = TOKEN.findall(title)
        at = [place for place, token in enumerate(tokens) if self._is_naming(token, row)]
        parts = [term for place in at for term in terms(tokens[place])]
        if not at or not all(known.find(term) in text.terms for term in parts):
            return ""
        # "22q13.3 deletion syndrome" is not any deletion syndrome.
        if at[0] > 0 and not Title(title, self).joins(at[0] - 1):
            return ""
        if IS_UNSPACED.search(title):
            name = bare_name(title)
            is_one = name and not HIRAGANA.search(name) and not self._is_of_many(name)
            return quoted(name) if is_one else ""
        span = tokens[at[0] : at[-1] + 1]
        inner = {*range(at[0], at[-1] + 1)} - {*at}
        if any(not is_number(fold(tokens[place])) for place in inner):
            return ""
        return " ".join(
            self.written(fold(token), row, row) if at[0] == 0 and place == 0 else token
            for place, token in enumerate(span)
        )

    def _is_naming(self, token: str, row: int) -> bool:
        """Is a word of a title one that names its subject?"""
        forms = self.texts.forms.n_titles
        found = terms(token)
        return bool(found) and not is_number(found[0]) and not any(each in forms for each in found)


UNSPACED_SPAN = re.compile(rf"{IS_UNSPACED.pattern}{{2,}}")
# What joins words in Japanese, and ends sentences.
HIRAGANA = re.compile("[\u3041-\u309f]")
KANA_ENDS = re.compile(f"^{HIRAGANA.pattern}+|{HIRAGANA.pattern}+$")
# What stands around a title, and what may follow on a name where spaces do not part words.
OUTSIDE = " 　?？!！。.…、,「」『』\"'"
NAME_ENDS = re.compile(rf"$|{HIRAGANA.pattern}|(?!{IS_UNSPACED.pattern})\W")


def bare_name(title: str) -> str:
    """A title of a script without spaces without what ends a sentence; empty if it is of several
    words.

    >>> bare_name("糖尿病とは？"), bare_name("糖尿病 と 食事")
    ('糖尿病', '')
    """
    name = KANA_ENDS.sub("", fold(title).strip(OUTSIDE))
    return name if UNSPACED_SPAN.fullmatch(name) else ""


class Title:
    """The words of a title, ``tokens``, with their ``keys`` and ``spans``; from ``first`` on and
    before ``last`` are those of its subject, as far as its form is known.
    """

    def __init__(self, text: str, desk: Desk) -> None:
        found = [*TOKEN.finditer(text)]
        self.text, self.tokens = text, [match[0] for match in found]
        self.keys, self.spans = [*map(fold, self.tokens)], [match.span() for match in found]
        self.form = {*desk.texts.forms.form_of(text)}
        inner = [token for token in self.tokens if fold(token) not in FUNCTION_WORDS]
        self.is_capital = all(not token[0].islower() for token in inner)
        self.is_asked = bool(self.keys) and (
            self.keys[0] in FUNCTION_WORDS or self.keys[0] in self.form
        )
        self.first, self.last = 0, len(self.tokens)
        while self.first < self.last and self.joins(self.first):
            self.first += 1
        while self.first < self.last and self.joins(self.last - 1):
            self.last -= 1

    @property
    def n_naming(self) -> int:
        """How many words its subject has."""
        return self.last - self.first

    def joins(self, at: int) -> bool:
        """Is a word one that no name begins with? A plain one may: "New York"."""
        token = self.tokens[at]
        found = words(token)
        if found and all(word in FUNCTION_WORDS or word in self.form for word in found):
            return not QUALIFIER.fullmatch(token)
        if self.keys[at] not in PLAIN:
            return False
        follows = self.tokens[at + 1] if at + 1 < len(self.tokens) else ""
        is_first = at == 0 and not follows[:1].isupper()
        return token[0].islower() or is_first or (self.is_capital and self.is_asked)

    def is_apart(self, at: int) -> bool:
        """Does nothing but a space stand before a word?"""
        return self.text[self.spans[at - 1][1] : self.spans[at][0]].isspace()


def is_next_of(key: str, keys: Sequence[str]) -> bool:
    """Does a number or a letter follow on a word of a title?"""
    at = keys.index(key) + 1 if key in keys else len(keys)
    return at < len(keys) and QUALIFIER.fullmatch(keys[at].upper()) is not None


def trimmed(row: Sequence[str]) -> list[str]:
    """Words of a title without what joins others at either end.

    >>> trimmed(["of", "the", "heart", "and", "lung", "in"]), trimmed(["in", "2"])
    (['heart', 'and', 'lung'], [])
    """
    kept = [
        at
        for at, token in enumerate(row)
        if fold(token) not in FUNCTION_WORDS and not QUALIFIER.fullmatch(token)
    ]
    if not kept:
        return []
    last = kept[-1] + 1
    while last < len(row) and QUALIFIER.fullmatch(row[last]):
        last += 1
    return [*row[kept[0] : last]]


def forms_of(term: str, text: str) -> list[tuple[str, bool]]:
    """How a text writes a term, and whether it begins a sentence there."""
    found: list[tuple[str, bool]] = []
    if term not in fold(text):
        return found
    for match in TOKEN.finditer(text):
        if term in fold(match[0]) and terms(match[0]) == [term]:
            before = text[: match.start()].rstrip(" \"'“‘(¿¡")
            word = re.sub(r"['’]s$", "", match[0])
            found.append((word, not before or before[-1] in ".!?:;–—-|"))
    return found


def listed(words: Sequence[str]) -> str:
    """
    >>> listed(["gout"]), listed(["gout", "diet", "salt"])
    ('gout', 'gout, diet and salt')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def quoted(word: str) -> str:
    return f'"{word}"'
